/*
 * What happens after a message was sent: events, what they make of items and of addresses, and what
 * is kept for those who deal in them (outlets, suppressions, instanced webhooks).
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"

#include "store/sqlite_inside.h"

/* Of the newest mails, in which a MessageID alone is looked for: 65,536 of them, in a tenth of a
 * millisecond.  Whatever this relay sent has its relay-id besides; what other applications sent is
 * looked for in vain, and the writer has better things to do. */
#define BUCKETS_MOST 64

#define JSON_MOST ((size_t)64 * 1024)

/* --- rows -------------------------------------------------------------------------------- */

static const char *
column_text(sqlite3_stmt *s, int at)
{
	const char *text = (const char *)sqlite3_column_text(s, at);

	return text != NULL ? text : "";
}

static enum store_result
event_add(struct sqlite *b, const struct event *event, int64_t item, int64_t *key_r)
{
	sqlite3_stmt *s = b->statements[SQL_EVENT_ADD];
	enum store_result result;

	sqlite3_bind_int64(s, 1, item);
	sqlite3_bind_int(s, 2, (int)event->kind);
	sqlite3_bind_int64(s, 3, event->received_ms);
	sqlite3_bind_int64(s, 4, event->at_ms);
	sqlite3_bind_blob(s, 5, event->mark, EVENT_MARK_BYTES, SQLITE_STATIC);
	sqlite_bind_text(s, 6, event->id);
	sqlite_bind_text(s, 7, event->connection);
	sqlite_bind_text(s, 8, event->relay_id);
	sqlite_bind_text(s, 9, event->message_id);
	sqlite_bind_text(s, 10, event->stream);
	sqlite_bind_text(s, 11, event->tag);
	sqlite_bind_text(s, 12, event->recipient);
	sqlite_bind_text(s, 13, event->type);
	sqlite_bind_text(s, 14, event->origin);
	sqlite_bind_text(s, 15, event->detail);
	sqlite3_bind_int(s, 16, event->type_code);
	sqlite3_bind_int64(s, 17, event->number);
	sqlite3_bind_int(s, 18, event->suppressed);
	sqlite3_bind_int(s, 19, event->first);
	sqlite3_bind_text(s, 20, event->json, (int)event->json_len, SQLITE_STATIC);
	result = sqlite_run(b, SQL_EVENT_ADD);
	if (result != STORE_OK)
		return result;
	*key_r = sqlite3_last_insert_rowid(b->db);
	s = b->statements[SQL_MARK_ADD];
	sqlite3_bind_blob(s, 1, event->mark, EVENT_MARK_BYTES, SQLITE_STATIC);
	sqlite3_bind_int64(s, 2, *key_r);
	return sqlite_run(b, SQL_MARK_ADD);
}

/* Whether this was told before, and of which item (0: none of ours). */
static enum store_result
mark_find(struct sqlite *b, const struct event *event, bool *found_r, int64_t *item_r)
{
	sqlite3_stmt *s = b->statements[SQL_MARK_FIND];

	*item_r = 0;
	sqlite3_bind_blob(s, 1, event->mark, EVENT_MARK_BYTES, SQLITE_STATIC);
	*found_r = sqlite3_step(s) == SQLITE_ROW;
	if (*found_r)
		*item_r = sqlite3_column_int64(s, 0);
	return sqlite_result(b, sqlite3_reset(s));
}

enum store_result
sqlite_events_drop(struct sqlite *b, int64_t item)
{
	enum store_result result = sqlite_run_key(b, SQL_MARKS_DROP, item);

	return result == STORE_OK ? sqlite_run_key(b, SQL_EVENTS_DROP, item) : result;
}

struct stray {
	int64_t key;
	unsigned char mark[EVENT_MARK_BYTES];
};

enum store_result
sqlite_events_purge(struct sqlite *b, int64_t received_before_ms, size_t most, size_t *dropped_r)
{
	sqlite3_stmt *s = b->statements[SQL_EVENTS_STRAY], *drop = b->statements[SQL_MARK_DROP];
	struct stray *list = mem_array(most, sizeof(*list));
	size_t count = 0;
	enum store_result result;

	sqlite3_bind_int64(s, 1, received_before_ms);
	sqlite3_bind_int64(s, 2, (int64_t)most);
	while (sqlite3_step(s) == SQLITE_ROW) {
		list[count].key = sqlite3_column_int64(s, 0);
		if (sqlite3_column_bytes(s, 1) == EVENT_MARK_BYTES)
			memcpy(list[count].mark, sqlite3_column_blob(s, 1), EVENT_MARK_BYTES);
		count++;
	}
	result = sqlite_result(b, sqlite3_reset(s));
	for (size_t i = 0; result == STORE_OK && i < count; i++) {
		sqlite3_bind_blob(drop, 1, list[i].mark, EVENT_MARK_BYTES, SQLITE_STATIC);
		result = sqlite_run(b, SQL_MARK_DROP);
		if (result == STORE_OK)
			result = sqlite_run_key(b, SQL_EVENT_DROP, list[i].key);
	}
	sqlite3_clear_bindings(drop);
	free(list);
	*dropped_r = count;
	return result;
}

/* --- whose it is ------------------------------------------------------------------------- */

/* What must be known of an item to tell what an event makes of it. */
struct subject {
	int64_t key;
	int state;
	enum item_kind kind;
	bool put_aside, unanswered, has_postmark_id;
	enum payload_at at;
	int64_t history, proof;
	unsigned fates;
	char id[ITEM_ID_SIZE]; /* "": its mail is missing */
	char route[sizeof(((struct store_event_done *)NULL)->route)];
	char *recipients;  /* one a line */
	char *postmark_id; /* "" if none */
};

static void
subject_clear(struct subject *subject)
{
	free(subject->recipients);
	free(subject->postmark_id);
	*subject = (struct subject){ 0 };
}

/* key 0: there is no such item. */
static enum store_result
subject_read(struct sqlite *b, int64_t key, struct subject *subject)
{
	sqlite3_stmt *s = b->statements[SQL_EVENT_SUBJECT];
	const char *mail_id;

	*subject = (struct subject){ 0 };
	sqlite3_bind_int64(s, 1, key);
	if (sqlite3_step(s) == SQLITE_ROW) {
		*subject = (struct subject){ .key = key,
			.state = sqlite3_column_int(s, 0),
			.kind = (enum item_kind)sqlite3_column_int(s, 1),
			.put_aside = sqlite3_column_int(s, 2) != 0,
			.unanswered = sqlite3_column_int(s, 3) != 0,
			.has_postmark_id = sqlite3_column_type(s, 8) != SQLITE_NULL,
			.at = (enum payload_at)sqlite3_column_int(s, 4),
			.history = sqlite3_column_int64(s, 5),
			.fates = (unsigned)sqlite3_column_int(s, 6),
			.proof = sqlite3_column_int64(s, 7),
			.postmark_id = mem_string(column_text(s, 8)),
			.recipients = mem_string(column_text(s, 11)) };
		mail_id = column_text(s, 9);
		if (strlen(mail_id) == ULID_LEN)
			item_id(subject->id, mail_id, (unsigned)(key & NUMBER_MOST));
		snprintf(subject->route, sizeof(subject->route), "%s", column_text(s, 10));
	}
	return sqlite_result(b, sqlite3_reset(s));
}

/* As the index has it: bucket by bucket, from the newest. */
static enum store_result
find_message_id(struct sqlite *b, const char *message_id, int64_t *key_r)
{
	sqlite3_stmt *s = b->statements[SQL_ITEM_LAST];
	enum store_result result;
	int64_t last = -1;

	if (sqlite3_step(s) == SQLITE_ROW && sqlite3_column_type(s, 0) != SQLITE_NULL)
		last = sqlite3_column_int64(s, 0) >> (NUMBER_BITS + BUCKET_BITS);
	result = sqlite_result(b, sqlite3_reset(s));
	s = b->statements[SQL_ITEM_BY_POSTMARK_ID];
	sqlite_bind_text(s, 2, message_id);
	for (int64_t bucket = last;
	     result == STORE_OK && *key_r == 0 && bucket >= 0 && bucket > last - BUCKETS_MOST;
	     bucket--) {
		sqlite3_bind_int64(s, 1, bucket);
		if (sqlite3_step(s) == SQLITE_ROW)
			*key_r = sqlite3_column_int64(s, 0);
		result = sqlite_result(b, sqlite3_reset(s));
	}
	return result;
}

/* The item's key, or 0. */
static enum store_result
find_item(struct sqlite *b, const struct event *event, int64_t *key_r)
{
	char mail_id[ULID_SIZE];
	enum store_result result;
	int64_t mail = 0;
	unsigned number;

	*key_r = 0;
	/* One that looks like ours and is not there is of another relay on the same server, or
	 * gone; its MessageID would be looked for in vain. */
	if (item_id_read(event->relay_id, mail_id, &number) == 0 && number > 0 &&
	    number <= NUMBER_MOST) {
		result = sqlite_mail_key(b, mail_id, &mail);
		if (result == STORE_OK && mail != 0)
			*key_r = mail << NUMBER_BITS | (int64_t)number;
		return result;
	}
	return event->message_id[0] != '\0' ? find_message_id(b, event->message_id, key_r)
					    : STORE_OK;
}

/* --- what it makes of the item ----------------------------------------------------------- */

/* Postmark has the message that this is about: it has taken it, not refused it. */
static bool
event_proves(const struct event *event)
{
	switch (event->kind) {
	case EVENT_DELIVERY:
	case EVENT_COMPLAINT:
	case EVENT_OPEN:
	case EVENT_CLICK:
		return true;
	case EVENT_BOUNCE:
		/* Said of a mail that its SMTP service took and then would not send. */
		return !text_same(event->type, "SMTPApiError");
	case EVENT_SUBSCRIPTION:
		return event->message_id[0] != '\0';
	case EVENT_OTHER:
	case EVENT_FAILED:
	case EVENT_INACTIVE:
		return false;
	}
	return false;
}

enum store_result
sqlite_proof_note(struct sqlite *b, int64_t key, int64_t line, int64_t proof, int64_t at_ms)
{
	sqlite3_stmt *s = b->statements[SQL_EVENT_READ];
	struct store_outcome note = { .key = key, .at_ms = at_ms };
	char *text = NULL;
	enum store_result result;

	sqlite3_bind_int64(s, 1, proof);
	if (sqlite3_step(s) == SQLITE_ROW) {
		int kind = sqlite3_column_int(s, 0);
		const char *recipient = column_text(s, 1);

		text = mem_format("%s event of Postmark%s%s: it has the message",
		    kind >= 0 && kind < EVENT_KINDS ? event_kind_name((enum event_kind)kind) : "",
		    recipient[0] != '\0' ? " for " : "", recipient);
	}
	result = sqlite_result(b, sqlite3_reset(s));
	note.answer = text != NULL ? text : "event of Postmark: it has the message";
	if (result == STORE_OK)
		result = sqlite_history_add(b, line, 0, &note, ITEM_SENT);
	free(text);
	return result;
}

enum store_result
sqlite_item_proven(struct sqlite *b, const struct proven *proven, int64_t at_ms)
{
	sqlite3_stmt *s = b->statements[SQL_ITEM_PROVEN];
	enum store_result result =
	    sqlite_proof_note(b, proven->key, proven->history + 1, proven->proof, at_ms);

	if (result == STORE_OK)
		result = sqlite_payload_drop(b, proven->key, proven->at);
	if (result != STORE_OK)
		return result;
	sqlite3_bind_int64(s, 1, proven->key);
	sqlite3_bind_int64(s, 2, proven->history + 1);
	sqlite3_bind_int64(s, 3, at_ms);
	result = sqlite_run(b, SQL_ITEM_PROVEN);
	if (result == STORE_OK)
		result = sqlite_shared_drop_unneeded(b, proven->key >> NUMBER_BITS);
	b->tally[proven->state]--;
	b->tally[ITEM_SENT]++;
	return result;
}

/* Nobody knew that Postmark has it.  What is in the dispatcher's hands is told when it comes out of
 * them. */
static enum store_result
item_settle(struct sqlite *b, const struct subject *subject, const struct event *event,
    const struct keyset *in_hand, struct store_event_done *did)
{
	const struct proven proven = { .key = subject->key,
		.history = subject->history,
		.proof = did->key,
		.state = subject->state,
		.at = subject->at };
	sqlite3_stmt *s = b->statements[SQL_ITEM_PROOF];
	bool in_hands = subject->state == ITEM_SENDING || keyset_has(in_hand, subject->key);

	switch (subject->state) {
	case ITEM_SENDING:
	case ITEM_SPOOLED:
	case ITEM_WAITING:
	case ITEM_UNSURE:
		break;
	case ITEM_HELD:
		if (subject->put_aside)
			return STORE_OK;
		break;
	case ITEM_FAILED:
		if (!subject->unanswered)
			return STORE_OK;
		break;
	default:
		return STORE_OK;
	}
	if (!in_hands) {
		did->settled = true;
		return sqlite_item_proven(b, &proven, event->received_ms);
	}
	if (subject->proof != 0)
		return STORE_OK;
	sqlite3_bind_int64(s, 1, subject->key);
	sqlite3_bind_int64(s, 2, did->key);
	return sqlite_run(b, SQL_ITEM_PROOF);
}

static enum store_result
fates_add(struct sqlite *b, const struct subject *subject, const struct event *event)
{
	sqlite3_stmt *s = b->statements[SQL_ITEM_FATES];
	unsigned fates = subject->fates | event_fate(event);

	if (fates == subject->fates)
		return STORE_OK;
	sqlite3_bind_int64(s, 1, subject->key);
	sqlite3_bind_int64(s, 2, (int64_t)fates);
	return sqlite_run(b, SQL_ITEM_FATES);
}

static enum store_result
item_tell(struct sqlite *b, const struct subject *subject, const struct event *event,
    const struct keyset *in_hand, struct store_event_done *did)
{
	sqlite3_stmt *s = b->statements[SQL_ITEM_POSTMARK_ID];
	enum store_result result;

	/* Postmark never had these; whatever it is that bears their id. */
	if (subject->state == ITEM_CAPTURED || subject->kind == ITEM_LOCAL)
		return STORE_OK;
	result = fates_add(b, subject, event);
	if (result == STORE_OK && !subject->has_postmark_id && event->message_id[0] != '\0') {
		sqlite3_bind_int64(s, 1, subject->key);
		sqlite_bind_text(s, 2, event->message_id);
		result = sqlite_run(b, SQL_ITEM_POSTMARK_ID);
	}
	if (result == STORE_OK && event_proves(event))
		result = item_settle(b, subject, event, in_hand, did);
	return result;
}

static enum store_result
suppression_follow(struct sqlite *b, const struct event *event)
{
	struct suppression suppression;
	enum store_result result;

	if (event_suppression(event, &suppression) == EVENT_SAYS_NOTHING)
		return STORE_OK;
	result = sqlite_suppression_set(b, &suppression);
	free(suppression.address);
	return result;
}

enum store_result
sqlite_event(void *ctx, const struct event *event, const struct keyset *in_hand,
    struct store_event_done *did_r)
{
	struct sqlite *b = ctx;
	struct subject subject = { 0 };
	enum store_result result;
	int64_t item;

	*did_r = (struct store_event_done){ 0 };
	result = mark_find(b, event, &did_r->repeat, &item);
	if (result == STORE_OK && !did_r->repeat)
		result = find_item(b, event, &item);
	if (result == STORE_OK && item != 0)
		result = subject_read(b, item, &subject);
	if (result == STORE_OK && !did_r->repeat)
		result = event_add(b, event, subject.key, &did_r->key);
	if (result == STORE_OK && !did_r->repeat && subject.key != 0)
		result = item_tell(b, &subject, event, in_hand, did_r);
	if (result == STORE_OK && !did_r->repeat)
		result = suppression_follow(b, event);
	memcpy(did_r->item, subject.id, sizeof(did_r->item));
	memcpy(did_r->route, subject.route, sizeof(did_r->route));
	subject_clear(&subject);
	return result;
}

/* --- events of our own ------------------------------------------------------------------- */

/* Foreign text as an event may have it. */
static char *
text_clean(const char *text)
{
	char clean[EVENT_MOST_TEXT + 1];

	return mem_string(text_safe(clean, sizeof(clean), text, strlen(text)));
}

/* Those in text as "a, b", as many as an event may have, and all of them in an array.  between: the
 * character between them: a line end in what we wrote, a comma in what Postmark did. */
static char *
recipients_list(const char *text, const char *between, struct buf *array)
{
	char list[EVENT_MOST_TEXT + 1] = "";
	size_t len = 0;

	while (*text != '\0') {
		size_t n = strcspn(text, between);
		char *one = mem_bytes(text, n), *clean = text_clean(one);
		size_t size = strlen(clean);

		if (size > 0) {
			if (array->len > 1)
				buf_addc(array, ',');
			json_add_string(array, clean, size);
			if (len + size + 2 <= EVENT_MOST_TEXT) {
				if (len > 0) {
					memcpy(list + len, ", ", 2);
					len += 2;
				}
				memcpy(list + len, clean, size + 1);
				len += size;
			}
		}
		free(one);
		free(clean);
		text += n;
		text += strspn(text, between);
		text += strspn(text, " ");
	}
	return mem_string(list);
}

static void
text_set(char **text, char *value)
{
	free(*text);
	*text = value;
}

static void
member_add(struct buf *json, const char *name, const char *value)
{
	json_add_member(json, name, value, strlen(value));
}

/* Apart from all that are hashes, since nobody else has keys of ours. */
static void
own_mark(unsigned char mark[EVENT_MARK_BYTES], int64_t item, int64_t line, enum event_kind kind)
{
	for (int i = 0; i < 8; i++)
		mark[i] = (unsigned char)((uint64_t)item >> (56 - 8 * i));
	for (int i = 0; i < 4; i++)
		mark[8 + i] = (unsigned char)((uint64_t)line >> (24 - 8 * i));
	mark[12] = (unsigned char)kind;
	memcpy(mark + 13, "own", 3);
}

static struct event *
own_event(const struct subject *subject, enum event_kind kind, int64_t line,
    const struct store_outcome *outcome)
{
	struct event *event = mail_event_new();
	char at[CLOCK_TEXT_SIZE];
	struct buf json, array;

	ulid_make(event->id, outcome->at_ms);
	event->kind = kind;
	own_mark(event->mark, subject->key, line, kind);
	event->received_ms = event->at_ms = outcome->at_ms;
	event->suppressed = kind == EVENT_INACTIVE;
	text_set(&event->relay_id, mem_string(subject->id));
	text_set(&event->message_id, text_clean(subject->postmark_id));
	text_set(&event->detail, text_clean(outcome->answer != NULL ? outcome->answer : ""));
	if (outcome->error_code != 0)
		text_set(&event->type, mem_format("%d", outcome->error_code));

	buf_init(&array, JSON_MOST);
	buf_addc(&array, '[');
	text_set(&event->recipient, kind == EVENT_INACTIVE
					? recipients_list(outcome->inactive, ",", &array)
					: recipients_list(subject->recipients, "\n", &array));
	buf_addc(&array, ']');

	buf_init(&json, EVENT_MOST_JSON);
	buf_addc(&json, '{');
	member_add(&json, "RecordType", kind == EVENT_FAILED ? "Failed" : "Inactive");
	member_add(&json, "RelayID", event->relay_id);
	member_add(&json, "MessageID", event->message_id);
	json_add_name(&json, "Recipients");
	if (array.over)
		buf_adds(&json, "[]");
	else
		buf_add(&json, array.data, array.len);
	json_add_name(&json, "ErrorCode");
	buf_addf(&json, "%d", outcome->error_code);
	member_add(&json, "Details", event->detail);
	member_add(&json, "At", clock_text(at, outcome->at_ms));
	buf_addc(&json, '}');
	free(event->json);
	event->json = buf_take(&json, &event->json_len);
	buf_free(&array);
	return event;
}

enum store_result
sqlite_event_own(
    struct sqlite *b, enum event_kind kind, int64_t line, const struct store_outcome *outcome)
{
	struct subject subject;
	enum store_result result = subject_read(b, outcome->key, &subject);
	struct event *event;
	int64_t key;

	if (result != STORE_OK || subject.key == 0)
		return result;
	event = own_event(&subject, kind, line, outcome);
	result = event_add(b, event, subject.key, &key);
	if (result == STORE_OK)
		result = fates_add(b, &subject, event);
	mail_event_free(&event);
	subject_clear(&subject);
	return result;
}

/* --- outlets ----------------------------------------------------------------------------- */

enum store_result
sqlite_outlet_set(void *ctx, const char *name, int64_t after_key)
{
	struct sqlite *b = ctx;
	enum statement which = after_key < 0 ? SQL_OUTLET_DROP : SQL_OUTLET_SET;
	sqlite3_stmt *s = b->statements[which];

	sqlite_bind_text(s, 1, name);
	if (which == SQL_OUTLET_SET)
		sqlite3_bind_int64(s, 2, after_key);
	return sqlite_run(b, which);
}

/* --- suppressions ------------------------------------------------------------------------ */

enum store_result
sqlite_suppressions(void *ctx, struct suppression **list_r, size_t *count_r)
{
	struct sqlite *b = ctx;
	sqlite3_stmt *s = b->statements[SQL_SUPPRESSIONS];
	struct suppression *list = NULL;
	size_t count = 0, room = 0;

	while (sqlite3_step(s) == SQLITE_ROW) {
		if (count == room) {
			room = room == 0 ? 64 : room * 2;
			list = mem_resize(list, room, sizeof(list[0]));
		}
		list[count++] = (struct suppression){ .connection = mem_string(column_text(s, 0)),
			.stream = mem_string(column_text(s, 1)),
			.address = mem_string(column_text(s, 2)),
			.reason = mem_string(column_text(s, 3)),
			.origin = mem_string(column_text(s, 4)),
			.at_ms = sqlite3_column_int64(s, 5),
			.lifted = sqlite3_column_int(s, 6) != 0 };
	}
	*list_r = list;
	*count_r = count;
	return sqlite_result(b, sqlite3_reset(s));
}

enum store_result
sqlite_suppression_set(void *ctx, const struct suppression *suppression)
{
	struct sqlite *b = ctx;
	sqlite3_stmt *s = b->statements[SQL_SUPPRESSION_SET];

	sqlite_bind_text(s, 1, suppression->connection);
	sqlite_bind_text(s, 2, suppression->stream);
	sqlite_bind_text(s, 3, suppression->address);
	sqlite_bind_text(s, 4, suppression->reason);
	sqlite_bind_text(s, 5, suppression->origin);
	sqlite3_bind_int64(s, 6, suppression->at_ms);
	sqlite3_bind_int(s, 7, suppression->lifted);
	return sqlite_run(b, SQL_SUPPRESSION_SET);
}

enum store_result
sqlite_lifted_purge(struct sqlite *b, int64_t lifted_before_ms, size_t most, size_t *dropped_r)
{
	sqlite3_stmt *s = b->statements[SQL_LIFTED_PURGE];
	enum store_result result;

	sqlite3_bind_int64(s, 1, lifted_before_ms);
	sqlite3_bind_int64(s, 2, (int64_t)most);
	result = sqlite_run(b, SQL_LIFTED_PURGE);
	*dropped_r = result == STORE_OK ? (size_t)sqlite3_changes(b->db) : 0;
	return result;
}

/* --- instanced webhooks ------------------------------------------------------------------ */

enum store_result
sqlite_hooks(void *ctx, struct hook **list_r, size_t *count_r)
{
	struct sqlite *b = ctx;
	sqlite3_stmt *s = b->statements[SQL_HOOKS];
	struct hook *list = NULL;
	size_t count = 0;

	while (sqlite3_step(s) == SQLITE_ROW) {
		list = mem_resize(list, count + 1, sizeof(list[0]));
		list[count++] = (struct hook){ .path = mem_string(column_text(s, 0)),
			.connection = mem_string(column_text(s, 1)),
			.stream = mem_string(column_text(s, 2)),
			.user = mem_string(column_text(s, 3)),
			.password = mem_string(column_text(s, 4)),
			.webhook_id = sqlite3_column_int64(s, 5),
			.made_ms = sqlite3_column_int64(s, 6),
			.ends_ms = sqlite3_column_int64(s, 7) };
	}
	*list_r = list;
	*count_r = count;
	return sqlite_result(b, sqlite3_reset(s));
}

enum store_result
sqlite_hook_set(void *ctx, const struct hook *hook)
{
	struct sqlite *b = ctx;
	sqlite3_stmt *s = b->statements[SQL_HOOK_SET];

	sqlite_bind_text(s, 1, hook->path);
	sqlite_bind_text(s, 2, hook->connection);
	sqlite_bind_text(s, 3, hook->stream);
	sqlite_bind_text(s, 4, hook->user);
	sqlite_bind_text(s, 5, hook->password);
	sqlite3_bind_int64(s, 6, hook->webhook_id);
	sqlite3_bind_int64(s, 7, hook->made_ms);
	sqlite3_bind_int64(s, 8, hook->ends_ms);
	return sqlite_run(b, SQL_HOOK_SET);
}

enum store_result
sqlite_hook_drop(void *ctx, const char *path)
{
	struct sqlite *b = ctx;

	sqlite_bind_text(b->statements[SQL_HOOK_DROP], 1, path);
	return sqlite_run(b, SQL_HOOK_DROP);
}
