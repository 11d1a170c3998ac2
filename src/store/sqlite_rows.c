/* Making and dropping mails, items and their payloads, with their counts. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

#include "store/files.h"
#include "store/sqlite.h"
#include "store/sqlite_inside.h"

#define ANSWER_MOST 4096

/* --- routes, and what goes -------------------------------------------------------------- */

/* *key_r is 0 for a route that is not in the table, unless it is to be added. */
enum store_result
sqlite_route_key(struct sqlite *b, const char *name, bool add, int64_t *key_r)
{
	sqlite3_stmt *s = b->statements[SQL_ROUTE_FIND];
	enum store_result result;

	*key_r = 0;
	for (size_t i = 0; i < b->route_count; i++)
		if (strcmp(b->routes[i].name, name) == 0) {
			*key_r = b->routes[i].key;
			return STORE_OK;
		}
	sqlite_bind_text(s, 1, name);
	if (sqlite3_step(s) == SQLITE_ROW)
		*key_r = sqlite3_column_int64(s, 0);
	result = sqlite_result(b, sqlite3_reset(s));
	if (result == STORE_OK && *key_r == 0 && add) {
		sqlite_bind_text(b->statements[SQL_ROUTE_ADD], 1, name);
		result = sqlite_run(b, SQL_ROUTE_ADD);
		*key_r = sqlite3_last_insert_rowid(b->db);
	}
	if (result != STORE_OK || *key_r == 0)
		return result;
	b->routes = mem_resize(b->routes, b->route_count + 1, sizeof(b->routes[0]));
	b->routes[b->route_count++] = (struct route_key){ mem_string(name), *key_r };
	return STORE_OK;
}

enum store_result
sqlite_mail_key(struct sqlite *b, const char *mail_id, int64_t *key_r)
{
	sqlite3_stmt *s = b->statements[SQL_MAIL_FIND];

	*key_r = 0;
	sqlite_bind_text(s, 1, mail_id);
	if (sqlite3_step(s) == SQLITE_ROW)
		*key_r = sqlite3_column_int64(s, 0);
	return sqlite_result(b, sqlite3_reset(s));
}

/* The name of an item's file.  An item without a mail has none: "". */
static enum store_result
item_name(struct sqlite *b, int64_t key, char out[ITEM_ID_SIZE])
{
	sqlite3_stmt *s = b->statements[SQL_MAIL_ID];

	out[0] = '\0';
	sqlite3_bind_int64(s, 1, key >> NUMBER_BITS);
	if (sqlite3_step(s) == SQLITE_ROW)
		item_id(
		    out, (const char *)sqlite3_column_text(s, 0), (unsigned)(key & NUMBER_MOST));
	return sqlite_result(b, sqlite3_reset(s));
}

enum store_result
sqlite_payload_drop(struct sqlite *b, int64_t key, enum payload_at at)
{
	char name[ITEM_ID_SIZE];
	enum store_result result = STORE_OK;

	switch (at) {
	case PAYLOAD_GONE:
		break;
	case PAYLOAD_IN_ROW:
		result = sqlite_run_key(b, SQL_PAYLOAD_DROP, key);
		break;
	case PAYLOAD_IN_FILE:
		result = item_name(b, key, name);
		if (result == STORE_OK && name[0] != '\0')
			files_drop(b->files, name);
		break;
	}
	return result;
}

/* The item, its body, its history and its events. */
enum store_result
sqlite_item_drop(struct sqlite *b, int64_t key, int state, enum payload_at at, bool put_aside)
{
	enum store_result result = sqlite_payload_drop(b, key, at);

	if (result == STORE_OK)
		result = sqlite_run_key(b, SQL_ATTEMPTS_DROP, key);
	if (result == STORE_OK && (key & NUMBER_MOST) != NUMBER_SHARED)
		result = sqlite_events_drop(b, key);
	if (result == STORE_OK)
		result = sqlite_run_key(b, SQL_ITEM_DROP, key);
	if (sqlite_state_is(state))
		b->tally[state]--;
	if (put_aside)
		b->tally[TALLY_PUT_ASIDE]--;
	return result;
}

/* After a payload of the mail has gone: what the items share goes with the last of them. */
enum store_result
sqlite_shared_drop_unneeded(struct sqlite *b, int64_t mail_key)
{
	sqlite3_stmt *s = b->statements[SQL_SHARED_READ];
	enum payload_at at = PAYLOAD_GONE;
	bool needed = false;
	enum store_result result;

	sqlite3_bind_int64(s, 1, mail_key);
	if (sqlite3_step(s) == SQLITE_ROW)
		at = (enum payload_at)sqlite3_column_int(s, 0);
	result = sqlite_result(b, sqlite3_reset(s));
	if (result != STORE_OK || at == PAYLOAD_GONE)
		return result;
	s = b->statements[SQL_SHARED_NEEDED];
	sqlite3_bind_int64(s, 1, mail_key);
	needed = sqlite3_step(s) == SQLITE_ROW;
	result = sqlite_result(b, sqlite3_reset(s));
	if (result != STORE_OK || needed)
		return result;
	return sqlite_item_drop(
	    b, mail_key << NUMBER_BITS | NUMBER_SHARED, STATE_SHARED, at, false);
}

/* --- history ----------------------------------------------------------------------------- */

/* Cut at a character; what Postmark says is foreign. */
static int
answer_len(const char *answer)
{
	size_t len = strnlen(answer, ANSWER_MOST + 1);

	if (len <= ANSWER_MOST)
		return (int)len;
	len = ANSWER_MOST;
	while (len > 0 && ((unsigned char)answer[len] & 0xC0) == 0x80)
		len--;
	return (int)len;
}

enum store_result
sqlite_history_add(struct sqlite *b, int64_t line, int64_t attempt,
    const struct store_outcome *outcome, enum item_state to)
{
	sqlite3_stmt *s = b->statements[SQL_ATTEMPT_ADD];

	sqlite3_bind_int64(s, 1, outcome->key);
	sqlite3_bind_int64(s, 2, line);
	sqlite3_bind_int64(s, 3, attempt);
	sqlite3_bind_int64(s, 4, outcome->at_ms);
	sqlite3_bind_int(s, 5, (int)to);
	sqlite3_bind_int(s, 6, outcome->http_status);
	sqlite3_bind_int(s, 7, outcome->error_code);
	if (outcome->answer != NULL)
		sqlite3_bind_text(
		    s, 8, outcome->answer, answer_len(outcome->answer), SQLITE_STATIC);
	else
		sqlite3_bind_null(s, 8);
	return sqlite_run(b, SQL_ATTEMPT_ADD);
}

/* --- intake ------------------------------------------------------------------------------ */

static enum store_result
payload_add(struct sqlite *b, int64_t key, const struct payload *payload)
{
	sqlite3_stmt *s = b->statements[SQL_PAYLOAD_ADD];
	enum store_result result;
	char *copy = NULL;

	if (payload->data == NULL) {
		size_t have = 0;

		copy = mem_array(payload->len + 1, 1);
		while (have < payload->len) {
			ssize_t n =
			    pread(payload->fd, copy + have, payload->len - have, (off_t)have);

			if (n < 0 && errno == EINTR)
				continue;
			if (n <= 0) {
				int error = n < 0 ? errno : EBADMSG;

				free(copy);
				return sqlite_result_errno(b, "payload", error);
			}
			have += (size_t)n;
		}
	}
	sqlite3_bind_int64(s, 1, key);
	sqlite3_bind_blob64(s, 2, copy != NULL ? copy : payload->data, payload->len, SQLITE_STATIC);
	result = sqlite_run(b, SQL_PAYLOAD_ADD);
	free(copy);
	return result;
}

static enum payload_at
place_for(const struct payload *payload)
{
	return payload->len <= SQLITE_ROW_MOST ? PAYLOAD_IN_ROW : PAYLOAD_IN_FILE;
}

static enum store_result
payload_put(struct sqlite *b, const char *mail_id, int64_t key, const struct payload *payload)
{
	char name[ITEM_ID_SIZE];

	if (place_for(payload) == PAYLOAD_IN_ROW)
		return payload_add(b, key, payload);
	item_id(name, mail_id, (unsigned)(key & NUMBER_MOST));
	return sqlite_result_errno(b, "payload file", files_put(b->files, name, payload));
}

static enum store_result
shared_add(struct sqlite *b, const struct mail *mail, int64_t mail_key, int64_t route)
{
	sqlite3_stmt *s = b->statements[SQL_SHARED_ADD];
	int64_t key = mail_key << NUMBER_BITS | NUMBER_SHARED;
	enum store_result result;

	if (mail->shared.len == 0)
		return STORE_OK;
	sqlite3_bind_int64(s, 1, key);
	sqlite3_bind_int64(s, 2, route);
	sqlite3_bind_int(s, 3, (int)place_for(&mail->shared));
	sqlite3_bind_int64(s, 4, (int64_t)mail->shared.len);
	result = sqlite_run(b, SQL_SHARED_ADD);
	return result == STORE_OK ? payload_put(b, mail->id, key, &mail->shared) : result;
}

static enum item_state
first_state(const struct mail *mail)
{
	if (mail->captured)
		return ITEM_CAPTURED;
	return mail->held_why != NULL ? ITEM_HELD : ITEM_SPOOLED;
}

/* Why it is there and nobody sends it. */
static enum store_result
kept_note(struct sqlite *b, const struct mail *mail, int64_t key, enum item_state state)
{
	char *text = state == ITEM_HELD ? mem_string(mail->held_why)
					: mem_format("captured by route %s",
					      mail->route != NULL ? mail->route : "");
	const struct store_outcome line = {
		.key = key, .at_ms = mail->accepted_ms, .answer = text
	};
	enum store_result result = sqlite_history_add(b, 1, 0, &line, state);

	free(text);
	return result;
}

static enum store_result
item_add(struct sqlite *b, const struct mail *mail, int64_t mail_key, int64_t route,
    const struct item *item)
{
	sqlite3_stmt *s = b->statements[SQL_ITEM_ADD];
	int64_t key = mail_key << NUMBER_BITS | item->number;
	enum item_state state = first_state(mail);
	enum store_result result;
	size_t len = 0, at = 0;
	char *recipients;

	if (item->number < 1 || item->number > NUMBER_MOST)
		return sqlite_result_errno(b, "number of an item", ERANGE);
	/* One a line: a canonical address has no line end. */
	for (size_t i = 0; i < item->recipients.count; i++)
		len += strlen(item->recipients.items[i]) + 1;
	recipients = mem_array(len + 1, 1);
	for (size_t i = 0; i < item->recipients.count; i++) {
		size_t n = strlen(item->recipients.items[i]);

		memcpy(recipients + at, item->recipients.items[i], n);
		recipients[at + n] = '\n';
		at += n + 1;
	}
	sqlite3_bind_int64(s, 1, key);
	sqlite3_bind_int64(s, 2, route);
	sqlite3_bind_int64(s, 3, mail->accepted_ms);
	sqlite3_bind_int(s, 4, (int)place_for(&item->payload));
	sqlite3_bind_int64(s, 5, (int64_t)item->payload.len);
	sqlite3_bind_text(s, 6, recipients, (int)len, SQLITE_STATIC);
	sqlite3_bind_int64(s, 7, (int64_t)(item->payload.len + mail->shared.len));
	sqlite3_bind_int(s, 8, (int)item->kind);
	sqlite3_bind_int(s, 9, (int)state);
	sqlite3_bind_int(s, 10, state != ITEM_SPOOLED);
	sqlite3_bind_int64(s, 11, mail->captured ? mail->accepted_ms : 0);
	result = sqlite_run(b, SQL_ITEM_ADD);
	free(recipients);
	if (result == STORE_OK && state != ITEM_SPOOLED)
		result = kept_note(b, mail, key, state);
	if (result != STORE_OK)
		return result;
	b->tally[state]++;
	return payload_put(b, mail->id, key, &item->payload);
}

enum store_result
sqlite_insert_mail(void *ctx, const struct mail *mail, bool *known_r)
{
	struct sqlite *b = ctx;
	sqlite3_stmt *s = b->statements[SQL_MAIL_ADD];
	enum store_result result;
	int64_t mail_key, route;

	*known_r = false;
	sqlite_bind_text(s, 1, mail->id);
	sqlite3_bind_int64(s, 2, mail->accepted_ms);
	sqlite_bind_text(s, 3, mail->reverse_path);
	sqlite_bind_text(s, 4, mail->listener);
	sqlite_bind_text(s, 5, mail->client);
	sqlite_bind_text(s, 6, mail->helo);
	sqlite_bind_text(s, 7, mail->message_id);
	sqlite_bind_text(s, 8, mail->from);
	sqlite_bind_text(s, 9, mail->subject);
	sqlite_bind_text(s, 10, mail->ledger);
	sqlite3_bind_int64(s, 11, (int64_t)mail->content_bytes);
	result = sqlite_run(b, SQL_MAIL_ADD);
	if (result != STORE_OK)
		return result;
	if (sqlite3_changes(b->db) == 0) {
		*known_r = true;
		return STORE_OK;
	}
	mail_key = sqlite3_last_insert_rowid(b->db);
	result = sqlite_route_key(b, mail->route == NULL ? "" : mail->route, true, &route);
	if (result == STORE_OK)
		result = shared_add(b, mail, mail_key, route);
	for (size_t i = 0; result == STORE_OK && i < mail->item_count; i++)
		result = item_add(b, mail, mail_key, route, &mail->items[i]);
	return result;
}
