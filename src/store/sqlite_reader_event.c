/* Looking into what happened after messages were sent. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#include "store/reader.h"
#include "store/sqlite_inside.h"

#define BYTES_MOST ((size_t)8 * 1024 * 1024) /* of one answer, but for the last event in it */

enum event_column {
	COLUMN_KEY,
	COLUMN_ITEM,
	COLUMN_KIND,
	COLUMN_RECEIVED,
	COLUMN_AT,
	COLUMN_MARK,
	COLUMN_ID,
	COLUMN_CONNECTION,
	COLUMN_RELAY_ID,
	COLUMN_MESSAGE_ID,
	COLUMN_STREAM,
	COLUMN_TAG,
	COLUMN_RECIPIENT,
	COLUMN_TYPE,
	COLUMN_ORIGIN,
	COLUMN_DETAIL,
	COLUMN_TYPE_CODE,
	COLUMN_NUMBER,
	COLUMN_SUPPRESSED,
	COLUMN_FIRST,
	COLUMN_JSON,
};

/* One question and its answer. */
struct search {
	struct sqlite_reader *reader;
	const struct event_page *page;
	struct event_facts *events;
	size_t count, room, bytes;
};

static bool
search_is_full(const struct search *search)
{
	return search->count >= search->page->most || search->bytes >= BYTES_MOST;
}

static void
text_take(char **text, sqlite3_stmt *s, int column)
{
	const char *from = (const char *)sqlite3_column_text(s, column);

	free(*text);
	*text = mem_string(from != NULL ? from : "");
}

static struct event *
event_read(sqlite3_stmt *s)
{
	struct event *event = mail_event_new();
	int kind = sqlite3_column_int(s, COLUMN_KIND);

	if (kind >= 0 && kind < EVENT_KINDS)
		event->kind = (enum event_kind)kind;
	snprintf(
	    event->id, sizeof(event->id), "%s", (const char *)sqlite3_column_text(s, COLUMN_ID));
	event->received_ms = sqlite3_column_int64(s, COLUMN_RECEIVED);
	event->at_ms = sqlite3_column_int64(s, COLUMN_AT);
	if (sqlite3_column_bytes(s, COLUMN_MARK) == EVENT_MARK_BYTES)
		memcpy(event->mark, sqlite3_column_blob(s, COLUMN_MARK), EVENT_MARK_BYTES);
	text_take(&event->connection, s, COLUMN_CONNECTION);
	text_take(&event->relay_id, s, COLUMN_RELAY_ID);
	text_take(&event->message_id, s, COLUMN_MESSAGE_ID);
	text_take(&event->stream, s, COLUMN_STREAM);
	text_take(&event->tag, s, COLUMN_TAG);
	text_take(&event->recipient, s, COLUMN_RECIPIENT);
	text_take(&event->type, s, COLUMN_TYPE);
	text_take(&event->origin, s, COLUMN_ORIGIN);
	text_take(&event->detail, s, COLUMN_DETAIL);
	event->type_code = sqlite3_column_int(s, COLUMN_TYPE_CODE);
	event->number = sqlite3_column_int64(s, COLUMN_NUMBER);
	event->suppressed = sqlite3_column_int(s, COLUMN_SUPPRESSED) != 0;
	event->first = sqlite3_column_int(s, COLUMN_FIRST) != 0;
	text_take(&event->json, s, COLUMN_JSON);
	event->json_len = strlen(event->json);
	return event;
}

/* Whose it is, as long as it is there. */
static int
owner_read(struct sqlite_reader *r, int64_t item, struct event_facts *facts)
{
	sqlite3_stmt *s = r->statements[READ_EVENT_OWNER];

	sqlite3_bind_int64(s, 1, item);
	if (sqlite3_step(s) == SQLITE_ROW) {
		const char *mail_id = (const char *)sqlite3_column_text(s, 0);
		const char *route = (const char *)sqlite3_column_text(s, 1);

		facts->item_key = item;
		if (mail_id != NULL && strlen(mail_id) == ULID_LEN)
			item_id(facts->item, mail_id, (unsigned)(item & NUMBER_MOST));
		snprintf(facts->route, sizeof(facts->route), "%s", route != NULL ? route : "");
	}
	return sqlite_read_result(r, sqlite3_reset(s));
}

static int
search_add(struct search *search, sqlite3_stmt *s)
{
	int64_t item = sqlite3_column_int64(s, COLUMN_ITEM);
	struct event_facts *facts;

	if (search->count == search->room) {
		search->room = search->room == 0 ? 16 : search->room * 2;
		search->events =
		    mem_resize(search->events, search->room, sizeof(search->events[0]));
	}
	facts = &search->events[search->count++];
	*facts = (struct event_facts){ .key = sqlite3_column_int64(s, COLUMN_KEY),
		.event = event_read(s) };
	search->bytes += sizeof(*facts) + sizeof(*facts->event) + facts->event->json_len;
	return item != 0 ? owner_read(search->reader, item, facts) : 0;
}

/* All of them, or those of an item: in their order, as they are. */
static int
search_rows(struct search *search, sqlite3_stmt *s)
{
	const struct event_page *page = search->page;
	int result = 0, rc;

	sqlite3_bind_int64(s, 1, page->after_key);
	while (result == 0 && !search_is_full(search) && sqlite3_step(s) == SQLITE_ROW) {
		int kind = sqlite3_column_int(s, COLUMN_KIND);

		if (page->kinds == 0 ||
		    (kind >= 0 && kind < EVENT_KINDS && (page->kinds & 1U << kind) != 0))
			result = search_add(search, s);
	}
	rc = sqlite3_reset(s);
	return result != 0 ? result : sqlite_read_result(search->reader, rc);
}

static int
compare_keys(const void *a, const void *b)
{
	const int64_t *left = a, *right = b;

	return *left < *right ? -1 : *left > *right;
}

/* Of some kinds: the next of each by its index, and of these the oldest. */
static int
search_kinds(struct search *search)
{
	const struct event_page *page = search->page;
	struct sqlite_reader *r = search->reader;
	sqlite3_stmt *s = r->statements[READ_EVENT_KEYS];
	int64_t *keys = NULL;
	size_t count = 0, room = 0;
	int result = 0;

	sqlite3_bind_int64(s, 1, page->after_key);
	sqlite3_bind_int64(s, 3, page->most > INT32_MAX ? INT32_MAX : (int64_t)page->most);
	for (int kind = 0; result == 0 && kind < EVENT_KINDS; kind++) {
		if ((page->kinds & 1U << kind) == 0)
			continue;
		sqlite3_bind_int(s, 2, kind);
		while (sqlite3_step(s) == SQLITE_ROW) {
			if (count == room) {
				room = room == 0 ? 64 : room * 2;
				keys = mem_resize(keys, room, sizeof(keys[0]));
			}
			keys[count++] = sqlite3_column_int64(s, 0);
		}
		result = sqlite_read_result(r, sqlite3_reset(s));
	}
	if (count > 0)
		qsort(keys, count, sizeof(keys[0]), compare_keys);
	s = r->statements[READ_EVENT];
	for (size_t i = 0; result == 0 && i < count && !search_is_full(search); i++) {
		sqlite3_bind_int64(s, 1, keys[i]);
		if (sqlite3_step(s) == SQLITE_ROW)
			result = search_add(search, s);
		if (sqlite_read_result(r, sqlite3_reset(s)) != 0)
			result = -1;
	}
	free(keys);
	return result;
}

int
sqlite_reader_events(
    void *ctx, const struct event_page *page, struct event_facts **events_r, size_t *count_r)
{
	struct sqlite_reader *r = ctx;
	struct search search = { .reader = r, .page = page };
	int result = sqlite_view_begin(r);

	*events_r = NULL;
	*count_r = 0;
	if (result == 0 && page->most > 0) {
		if (page->item != 0) {
			sqlite3_bind_int64(r->statements[READ_EVENTS_OF_ITEM], 2, page->item);
			result = search_rows(&search, r->statements[READ_EVENTS_OF_ITEM]);
		} else if (page->kinds != 0) {
			result = search_kinds(&search);
		} else {
			result = search_rows(&search, r->statements[READ_EVENTS]);
		}
	}
	if (sqlite_view_end(r, result) != 0) {
		event_facts_free(search.events, search.count);
		return -1;
	}
	*events_r = search.events;
	*count_r = search.count;
	return 0;
}

int
sqlite_reader_last_event(void *ctx, int64_t *key_r)
{
	struct sqlite_reader *r = ctx;
	int result = sqlite_view_begin(r);
	sqlite3_stmt *s;

	*key_r = 0;
	if (result == 0) {
		s = r->statements[READ_LAST_EVENT];
		if (sqlite3_step(s) == SQLITE_ROW)
			*key_r = sqlite3_column_int64(s, 0);
		result = sqlite_read_result(r, sqlite3_reset(s));
	}
	return sqlite_view_end(r, result);
}

int
sqlite_reader_outlet(void *ctx, const char *name, int64_t *after_key_r)
{
	struct sqlite_reader *r = ctx;
	int result = sqlite_view_begin(r);
	bool known = false;
	sqlite3_stmt *s;

	*after_key_r = 0;
	if (result == 0) {
		s = r->statements[READ_OUTLET];
		sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
		known = sqlite3_step(s) == SQLITE_ROW;
		if (known)
			*after_key_r = sqlite3_column_int64(s, 0);
		result = sqlite_read_result(r, sqlite3_reset(s));
	}
	if (sqlite_view_end(r, result) != 0)
		return -1;
	return known ? 0 : 1;
}
