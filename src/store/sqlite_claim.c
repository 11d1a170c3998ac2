/* What the dispatcher asks for: items that are due, what became of them, when the next are due. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

#include "store/files.h"
#include "store/sqlite_inside.h"

/* A row on its way to a store_item. */
struct due {
	struct store_item item;
	enum payload_at at;
	enum payload_at shared_at; /* PAYLOAD_GONE: nothing is shared */
	const char *unreadable;    /* why it is put aside, or NULL */
};

static void
due_read(sqlite3_stmt *s, struct due *due)
{
	const char *recipients = (const char *)sqlite3_column_text(s, 5);
	const char *mail_id = (const char *)sqlite3_column_text(s, 6);
	const char *reverse_path = (const char *)sqlite3_column_text(s, 13);
	int64_t bytes = sqlite3_column_int64(s, 4);

	*due = (struct due){ .at = (enum payload_at)sqlite3_column_int(s, 3) };
	due->item.key = sqlite3_column_int64(s, 0);
	due->item.came_from = (enum item_state)sqlite3_column_int(s, 1);
	due->item.attempt = (unsigned)sqlite3_column_int(s, 2);
	due->item.accepted_ms = sqlite3_column_int64(s, 7);
	due->item.reverse_path = mem_string(reverse_path != NULL ? reverse_path : "");
	due->item.kind = (enum item_kind)sqlite3_column_int(s, 11);
	due->item.since_ms = sqlite3_column_int64(s, 12);
	if (due->item.since_ms == 0)
		due->item.since_ms = due->item.accepted_ms;
	payload_init(&due->item.payload);
	due->item.payload.len = (size_t)bytes;
	payload_init(&due->item.shared);
	due->shared_at = (enum payload_at)sqlite3_column_int(s, 8);
	due->item.shared.len = (size_t)sqlite3_column_int64(s, 9);
	if (mail_id == NULL || strlen(mail_id) != ULID_LEN) {
		due->unreadable = "its mail is missing";
		return;
	}
	item_id(due->item.id, mail_id, (unsigned)(due->item.key & NUMBER_MOST));
	if (recipients == NULL || bytes < 0) {
		due->unreadable = "its row makes no sense";
		return;
	}
	/* Half a message must not go out as one. */
	if (bytes + sqlite3_column_int64(s, 9) != sqlite3_column_int64(s, 10))
		due->unreadable = "what it shares with other items of its mail is missing";
	for (const char *end; (end = strchr(recipients, '\n')) != NULL; recipients = end + 1)
		strlist_add_bytes(&due->item.recipients, recipients, (size_t)(end - recipients));
}

/* Whether this item cannot be read is told in due->unreadable; a result other than STORE_OK says
 * that reading is not to be had at all. */
static enum store_result
payload_fetch(
    struct sqlite *b, struct due *due, int64_t key, enum payload_at at, struct payload *payload)
{
	sqlite3_stmt *s = b->statements[SQL_PAYLOAD_READ];
	char name[ITEM_ID_SIZE];
	int rc, error;

	switch (at) {
	case PAYLOAD_GONE:
		break;
	case PAYLOAD_IN_ROW:
		sqlite3_bind_int64(s, 1, key);
		rc = sqlite3_step(s);
		if (rc == SQLITE_ROW && (size_t)sqlite3_column_bytes(s, 0) == payload->len)
			payload->data = mem_bytes(sqlite3_column_blob(s, 0), payload->len);
		else if (rc == SQLITE_ROW)
			due->unreadable = "its payload has another length";
		else if (rc == SQLITE_DONE)
			due->unreadable = "its payload is missing";
		else if ((rc & 0xff) == SQLITE_CORRUPT)
			due->unreadable = "its payload is corrupt";
		rc = sqlite3_reset(s);
		return due->unreadable != NULL ? STORE_OK : sqlite_result(b, rc);
	case PAYLOAD_IN_FILE:
		item_id(name, due->item.id, (unsigned)(key & NUMBER_MOST));
		error = files_read(b->files, name, payload->len, &payload->fd);
		if (error == ENOENT)
			due->unreadable = "its payload file is missing";
		else if (error == EBADMSG)
			due->unreadable = "its payload file has another length";
		return due->unreadable != NULL ? STORE_OK
					       : sqlite_result_errno(b, "payload file", error);
	}
	due->unreadable = "its row names no payload";
	return STORE_OK;
}

static enum store_result
due_payload(struct sqlite *b, struct due *due)
{
	int64_t shared_key = due->item.key >> NUMBER_BITS << NUMBER_BITS | NUMBER_SHARED;
	enum store_result result =
	    payload_fetch(b, due, due->item.key, due->at, &due->item.payload);

	if (result == STORE_OK && due->unreadable == NULL && due->shared_at != PAYLOAD_GONE)
		result = payload_fetch(b, due, shared_key, due->shared_at, &due->item.shared);
	return result;
}

static enum store_result
due_put_aside(struct sqlite *b, const struct due *due)
{
	int state = (int)due->item.came_from;

	log_error("put-aside", log_str("item", due->item.id), log_num("key", due->item.key),
	    log_str("why", due->unreadable),
	    log_str("what", "it is held; the rest of the queue goes on"));
	if (sqlite_state_is(state))
		b->tally[state]--;
	b->tally[ITEM_HELD]++;
	b->tally[TALLY_PUT_ASIDE]++;
	return sqlite_run_key(b, SQL_ITEM_PUT_ASIDE, due->item.key);
}

enum store_result
sqlite_claim(void *ctx, const struct store_claim *claim, const struct keyset *in_hand,
    struct backend_claim *claim_r)
{
	struct sqlite *b = ctx;
	bool unsure = claim->from == ITEM_UNSURE;
	sqlite3_stmt *s = b->statements[unsure ? SQL_ITEMS_UNSURE : SQL_ITEMS_DUE];
	struct due *list = NULL;
	size_t count = 0, room = 0, kept = 0;
	uint64_t bytes = 0;
	enum store_result result;
	int64_t route;
	int rc;

	*claim_r = (struct backend_claim){ 0 };
	result = sqlite_route_key(b, claim->route, false, &route);
	if (result != STORE_OK || route == 0)
		return result;

	/* First who is due, then the rest: rows that are read must not change meanwhile. */
	sqlite3_bind_int64(s, 1, route);
	sqlite3_bind_int64(s, 2, claim->now_ms);
	while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
		uint64_t size =
		    (uint64_t)sqlite3_column_int64(s, 4) + (uint64_t)sqlite3_column_int64(s, 9);

		if (unsure && keyset_has(in_hand, sqlite3_column_int64(s, 0)))
			continue;
		if (count >= claim->most_items ||
		    (count > 0 && (size > claim->most_bytes || bytes > claim->most_bytes - size))) {
			claim_r->more = true;
			break;
		}
		if (count == room) {
			room = room == 0 ? 16 : room * 2;
			list = mem_resize(list, room, sizeof(list[0]));
		}
		due_read(s, &list[count++]);
		bytes += size;
	}
	rc = sqlite3_reset(s);
	result = sqlite_result(b, rc);

	if (count > 0)
		claim_r->items = mem_array(count, sizeof(claim_r->items[0]));
	for (size_t i = 0; i < count; i++) {
		struct due *due = &list[i];

		if (result == STORE_OK && due->unreadable == NULL)
			result = due_payload(b, due);
		if (result == STORE_OK && due->unreadable != NULL)
			result = due_put_aside(b, due);
		else if (result == STORE_OK && !unsure) {
			due->item.attempt++;
			sqlite3_bind_int64(b->statements[SQL_ITEM_MARK], 1, due->item.key);
			sqlite3_bind_int64(b->statements[SQL_ITEM_MARK], 2, due->item.attempt);
			result = sqlite_run(b, SQL_ITEM_MARK);
			b->tally[due->item.came_from]--;
			b->tally[ITEM_SENDING]++;
		}
		if (result == STORE_OK && due->unreadable == NULL)
			claim_r->items[kept++] = due->item;
		else
			store_item_free(&due->item);
	}
	free(list);
	claim_r->count = kept;
	return result;
}

enum store_result
sqlite_settle(void *ctx, const struct store_outcome *outcome, bool *taken_r)
{
	struct sqlite *b = ctx;
	sqlite3_stmt *s = b->statements[SQL_ITEM_READ];
	enum item_state to = outcome->to;
	enum payload_at payload_at = PAYLOAD_GONE;
	int64_t attempt = 0, history = 0, proof = 0;
	bool unanswered;
	int state = 0;
	enum store_result result;

	*taken_r = false;
	sqlite3_bind_int64(s, 1, outcome->key);
	if (sqlite3_step(s) == SQLITE_ROW) {
		state = sqlite3_column_int(s, 0);
		attempt = sqlite3_column_int64(s, 1);
		history = sqlite3_column_int64(s, 2);
		payload_at = (enum payload_at)sqlite3_column_int(s, 3);
		proof = sqlite3_column_int64(s, 4);
	}
	result = sqlite_result(b, sqlite3_reset(s));
	/* Nobody's hands but the dispatcher's move an item that is being sent; one that is in
	 * another state has had this outcome before, in a commit that was thought to have failed.
	 */
	if (result != STORE_OK || (state != ITEM_SENDING && state != ITEM_UNSURE))
		return result;

	if (to == ITEM_SPOOLED && state == ITEM_SENDING)
		attempt--;
	if (to == ITEM_SPOOLED && attempt > 0)
		to = ITEM_WAITING;
	/* Whoever lets it go on has to ask Postmark first. */
	unanswered = (to == ITEM_HELD && outcome->http_status == 0 && !outcome->never_left) ||
		     ((to == ITEM_HELD || to == ITEM_FAILED) && state == ITEM_UNSURE);
	if (outcome->keeps_history)
		result = sqlite_history_add(b, ++history, attempt, outcome, to);
	/* Whatever the dispatcher met with: Postmark has spoken of this item. */
	if (result == STORE_OK && proof != 0 && to != ITEM_SENT) {
		result = sqlite_proof_note(b, outcome->key, ++history, proof, outcome->at_ms);
		to = ITEM_SENT;
		unanswered = false;
	}
	if (result == STORE_OK && to == ITEM_SENT) {
		result = sqlite_payload_drop(b, outcome->key, payload_at);
		payload_at = PAYLOAD_GONE;
	}
	if (result != STORE_OK)
		return result;

	s = b->statements[SQL_ITEM_SETTLE];
	sqlite3_bind_int64(s, 1, outcome->key);
	sqlite3_bind_int(s, 2, (int)to);
	sqlite3_bind_int64(s, 3, outcome->due_ms);
	sqlite3_bind_int64(s, 4, attempt);
	sqlite3_bind_int64(s, 5, history);
	sqlite3_bind_int(s, 6, (int)payload_at);
	sqlite3_bind_int64(
	    s, 7, to >= ITEM_SENT || (to == ITEM_HELD && outcome->refused) ? outcome->at_ms : 0);
	sqlite_bind_text_or_null(s, 8, outcome->postmark_id);
	sqlite_bind_text_or_null(s, 9, outcome->inactive);
	sqlite3_bind_int(s, 10, unanswered);
	result = sqlite_run(b, SQL_ITEM_SETTLE);
	if (result == STORE_OK && to == ITEM_SENT)
		result = sqlite_shared_drop_unneeded(b, outcome->key >> NUMBER_BITS);
	b->tally[state]--;
	b->tally[to]++;
	if (result == STORE_OK && to == ITEM_FAILED)
		result = sqlite_event_own(b, EVENT_FAILED, history, outcome);
	else if (result == STORE_OK && outcome->to == ITEM_SENT && outcome->inactive != NULL)
		result = sqlite_event_own(b, EVENT_INACTIVE, history, outcome);
	*taken_r = result == STORE_OK;
	return result;
}

enum store_result
sqlite_next_due(void *ctx, const char *route, enum item_state from, int64_t now_ms,
    const struct keyset *in_hand, int64_t *due_ms_r)
{
	struct sqlite *b = ctx;
	sqlite3_stmt *s = b->statements[from == ITEM_UNSURE ? SQL_NEXT_UNSURE : SQL_NEXT_DUE];
	enum store_result result;
	int64_t key;

	*due_ms_r = INT64_MAX;
	result = sqlite_route_key(b, route, false, &key);
	if (result != STORE_OK || key == 0)
		return result;
	sqlite3_bind_int64(s, 1, key);
	sqlite3_bind_int64(s, 2, now_ms);
	while (sqlite3_step(s) == SQLITE_ROW) {
		if (keyset_has(in_hand, sqlite3_column_int64(s, 0)))
			continue;
		*due_ms_r = sqlite3_column_int64(s, 1);
		break;
	}
	return sqlite_result(b, sqlite3_reset(s));
}
