/*
 * Looking into the spool on SQLite: a connection that cannot write, with SQLite's own file layer.
 * Readers of a write-ahead log do not wait for its writer nor the writer for them, but the log
 * cannot start over while one reads it: so every transaction here ends with the call that began
 * it, and the only long one, a list, has a budget.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"

#include "store/files.h"
#include "store/migrate.h"
#include "store/reader_backend.h"
#include "store/sqlite.h"
#include "store/sqlite_inside.h"

#define CACHE_KB  8192
#define BUSY_MS   1000
#define LOOK_ROWS 64 /* between two looks at the clock */

#define ITEM_COLUMNS                                                                               \
	"SELECT i.key, i.state, i.route, i.kind, i.put_aside, i.due_ms, i.attempt, i.ended_ms,"    \
	" i.payload_at, i.message_bytes, i.recipients, i.postmark_id, i.inactive,"                 \
	" i.told, i.fates FROM item AS i"

#define EVENT_COLUMNS                                                                              \
	"SELECT e.key, e.item, e.kind, e.received_ms, e.at_ms, e.mark, e.id, e.connection,"        \
	" e.relay_id, e.message_id, e.stream, e.tag, e.recipient, e.type, e.origin, e.detail,"     \
	" e.type_code, e.number, e.suppressed, e.first, e.json FROM event AS e"

enum item_column {
	COLUMN_KEY,
	COLUMN_STATE,
	COLUMN_ROUTE,
	COLUMN_KIND,
	COLUMN_PUT_ASIDE,
	COLUMN_DUE,
	COLUMN_ATTEMPT,
	COLUMN_ENDED,
	COLUMN_PAYLOAD_AT,
	COLUMN_MESSAGE_BYTES,
	COLUMN_RECIPIENTS,
	COLUMN_POSTMARK_ID,
	COLUMN_INACTIVE,
	COLUMN_TOLD,
	COLUMN_FATES,
};

enum mail_column {
	COLUMN_ID,
	COLUMN_ACCEPTED,
	COLUMN_REVERSE_PATH,
	COLUMN_LISTENER,
	COLUMN_CLIENT,
	COLUMN_HELO,
	COLUMN_MESSAGE_ID,
	COLUMN_FROM,
	COLUMN_SUBJECT,
	COLUMN_LEDGER,
	COLUMN_CONTENT_BYTES,
};

const char *const sqlite_read_statements[WALK_END] = {
	[READ_BEGIN] = "BEGIN",
	[READ_END] = "COMMIT",
	[READ_TALLY] = SQLITE_TALLY_READ,
	[READ_OLDEST] = SQLITE_ITEM_OLDEST,
	[READ_ROUTE_NAME] = "SELECT name FROM route WHERE key=?1",
	[READ_ROUTE_KEY] = "SELECT key FROM route WHERE name=?1",
	[READ_MAIL] = "SELECT id, accepted_ms, reverse_path, listener, client, helo, message_id,"
		      " from_header, subject, ledger, content_bytes FROM mail WHERE key=?1",
	[READ_MAIL_KEY] = "SELECT key FROM mail WHERE id=?1",
	[READ_ITEM] = ITEM_COLUMNS " WHERE i.key=?1",
	[READ_ITEMS_OF_MAIL] =
	    ITEM_COLUMNS " WHERE i.key>?1<<20 AND i.key<(?1+1)<<20 ORDER BY i.key",
	[READ_KEYS] = "SELECT (SELECT min(key) FROM mail), (SELECT max(key) FROM mail)",
	[READ_BY_POSTMARK_ID] =
	    ITEM_COLUMNS " INDEXED BY item_postmark WHERE i.key>>30=?1 AND i.postmark_id=?2"
			 " ORDER BY i.key DESC",
	[READ_BY_MESSAGE_ID] = "SELECT key FROM mail INDEXED BY mail_message"
			       " WHERE key>>10=?1 AND message_id=?2 AND message_id<>''"
			       " ORDER BY key DESC",
	[READ_HISTORY] = "SELECT attempt, at_ms, verdict, http_status, error_code, answer"
			 " FROM attempt WHERE item=?1 ORDER BY line",
	[READ_PLACES] = "SELECT i.payload_at, i.payload_bytes, i.message_bytes, z.payload_at,"
			" z.payload_bytes, m.id FROM item AS i"
			" LEFT JOIN mail AS m ON m.key=i.key>>20"
			" LEFT JOIN item AS z ON z.key=(i.key>>20)<<20 WHERE i.key=?1",
	[READ_PAYLOAD] = "SELECT json FROM payload WHERE item=?1",
	[READ_EVENT] = EVENT_COLUMNS " WHERE e.key=?1",
	[READ_EVENTS] = EVENT_COLUMNS " WHERE e.key>?1 ORDER BY e.key",
	[READ_EVENTS_OF_ITEM] = EVENT_COLUMNS " INDEXED BY event_item"
					      " WHERE e.item=?2 AND e.item<>0 AND e.key>?1"
					      " ORDER BY e.key",
	[READ_EVENT_KEYS] = "SELECT key FROM event INDEXED BY event_kind"
			    " WHERE kind=?2 AND key>?1 ORDER BY key LIMIT ?3",
	[READ_EVENT_OWNER] = "SELECT m.id, r.name FROM item AS i"
			     " LEFT JOIN mail AS m ON m.key=i.key>>20"
			     " LEFT JOIN route AS r ON r.key=i.route WHERE i.key=?1",
	[READ_LAST_EVENT] = "SELECT seq FROM sqlite_sequence WHERE name='event'",
	[READ_OUTLET] = "SELECT after_key FROM outlet WHERE name=?1",
	[WALK_ALL_DOWN] = ITEM_COLUMNS " NOT INDEXED WHERE i.key<?1 ORDER BY i.key DESC",
	[WALK_ALL_UP] = ITEM_COLUMNS " NOT INDEXED WHERE i.key>?1 ORDER BY i.key",
	[WALK_STATE_DOWN] = ITEM_COLUMNS " INDEXED BY item_state WHERE i.state=?2"
					 " AND i.state NOT IN (0, 6) AND i.key<?1"
					 " ORDER BY i.key DESC",
	[WALK_STATE_UP] = ITEM_COLUMNS " INDEXED BY item_state WHERE i.state=?2"
				       " AND i.state NOT IN (0, 6) AND i.key>?1 ORDER BY i.key",
};

/* --- the connection ---------------------------------------------------------------------- */

static void
disconnect(struct sqlite_reader *r)
{
	for (int i = 0; i < READ_STATEMENT_COUNT; i++) {
		sqlite3_finalize(r->statements[i]);
		r->statements[i] = NULL;
	}
	sqlite3_close(r->db);
	r->db = NULL;
}

/* -1: SQLite knows why. */
static int
version_read(struct sqlite_reader *r, size_t *version_r)
{
	sqlite3_stmt *s = NULL;
	bool known = sqlite3_prepare_v2(r->db, "PRAGMA user_version", -1, &s, NULL) == SQLITE_OK &&
		     sqlite3_step(s) == SQLITE_ROW;

	*version_r = known ? (size_t)sqlite3_column_int(s, 0) : 0;
	sqlite3_finalize(s);
	return known ? 0 : -1;
}

static int
connect_db(struct sqlite_reader *r)
{
	size_t version;
	char pragmas[64];

	if (r->db != NULL)
		return 0;
	if (sqlite3_open_v2(r->path, &r->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL) !=
	    SQLITE_OK)
		goto say_why;
	sqlite3_extended_result_codes(r->db, 1);
	sqlite3_busy_timeout(r->db, BUSY_MS);
	snprintf(
	    pragmas, sizeof(pragmas), "PRAGMA cache_size=-%d; PRAGMA trusted_schema=OFF", CACHE_KB);
	if (sqlite3_exec(r->db, pragmas, NULL, NULL, NULL) != SQLITE_OK ||
	    version_read(r, &version) != 0)
		goto say_why;
	if (version != migrate_step_count) {
		snprintf(r->why, sizeof(r->why),
		    "%s: the spool has schema version %zu, this program reads version %zu: %s",
		    r->path, version, migrate_step_count,
		    version < migrate_step_count ? "the relay brings it up to date when it starts"
						 : "it was written by a newer pmrelay");
		disconnect(r);
		return -1;
	}
	for (int i = 0; i < READ_STATEMENT_COUNT; i++)
		if (sqlite3_prepare_v3(r->db, sqlite_read_statements[i], -1,
			SQLITE_PREPARE_PERSISTENT, &r->statements[i], NULL) != SQLITE_OK)
			goto say_why;
	return 0;

say_why:
	snprintf(r->why, sizeof(r->why), "%s: %s", r->path,
	    r->db != NULL ? sqlite3_errmsg(r->db) : "no memory");
	disconnect(r);
	return -1;
}

int
sqlite_read_result(struct sqlite_reader *r, int rc)
{
	if (rc == SQLITE_OK || rc == SQLITE_ROW || rc == SQLITE_DONE)
		return 0;
	snprintf(r->why, sizeof(r->why), "%s (SQLite %d)", sqlite3_errmsg(r->db),
	    sqlite3_extended_errcode(r->db));
	return -1;
}

int
sqlite_view_begin(struct sqlite_reader *r)
{
	if (connect_db(r) != 0)
		return -1;
	sqlite3_step(r->statements[READ_BEGIN]);
	return sqlite_read_result(r, sqlite3_reset(r->statements[READ_BEGIN]));
}

int
sqlite_view_end(struct sqlite_reader *r, int result)
{
	if (r->db == NULL)
		return -1;
	sqlite3_step(r->statements[READ_END]);
	if (sqlite3_reset(r->statements[READ_END]) != SQLITE_OK || result != 0)
		disconnect(r);
	return result;
}

static void
reader_close(void *ctx)
{
	struct sqlite_reader *r = ctx;

	disconnect(r);
	if (r->payload_folder != -1)
		close(r->payload_folder);
	free(r->path);
	free(r);
}

static void *
reader_open(const char *folder, char *why, size_t why_size)
{
	struct sqlite_reader *r = mem_new(sizeof(*r));
	char *payload = mem_format("%s/payload", folder);

	r->path = mem_format("%s/spool.db", folder);
	r->payload_folder = open(payload, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r->payload_folder == -1)
		snprintf(r->why, sizeof(r->why), "%s: %s", payload, strerror(errno));
	free(payload);
	if (r->payload_folder == -1 || connect_db(r) != 0) {
		snprintf(why, why_size, "%s", r->why);
		reader_close(r);
		return NULL;
	}
	return r;
}

static const char *
reader_why(void *ctx)
{
	struct sqlite_reader *r = ctx;

	return r->why;
}

/* --- facts ------------------------------------------------------------------------------- */

/* s NULL: there is no row */
static char *
column_text(sqlite3_stmt *s, int at)
{
	const char *text = s != NULL ? (const char *)sqlite3_column_text(s, at) : NULL;

	return mem_string(text != NULL ? text : "");
}

static char *
column_text_or_null(sqlite3_stmt *s, int at)
{
	const char *text = (const char *)sqlite3_column_text(s, at);

	return text != NULL ? mem_string(text) : NULL;
}

/* One line each. */
static void
lines_read(const char *text, struct strlist *list)
{
	for (const char *end; text != NULL && (end = strchr(text, '\n')) != NULL; text = end + 1)
		strlist_add_bytes(list, text, (size_t)(end - text));
}

/* READ_MAIL stands on the item's mail afterwards if there is one; to be reset. */
static bool
mail_seek(struct sqlite_reader *r, int64_t mail_key)
{
	sqlite3_stmt *m = r->statements[READ_MAIL];

	sqlite3_reset(m);
	sqlite3_bind_int64(m, 1, mail_key);
	return sqlite3_step(m) == SQLITE_ROW;
}

/* From a row of ITEM_COLUMNS.  An item whose mail is missing has no id. */
static int
facts_read(struct sqlite_reader *r, sqlite3_stmt *s, struct item_facts *facts)
{
	sqlite3_stmt *m = r->statements[READ_MAIL], *route = r->statements[READ_ROUTE_NAME];
	sqlite3_stmt *mail;
	int rc;

	*facts = (struct item_facts){ .key = sqlite3_column_int64(s, COLUMN_KEY),
		.kind = (enum item_kind)sqlite3_column_int(s, COLUMN_KIND),
		.state = (enum item_state)sqlite3_column_int(s, COLUMN_STATE),
		.put_aside = sqlite3_column_int(s, COLUMN_PUT_ASIDE) != 0,
		.attempts = (unsigned)sqlite3_column_int(s, COLUMN_ATTEMPT),
		.ended_ms = sqlite3_column_int64(s, COLUMN_ENDED),
		.told = sqlite3_column_int(s, COLUMN_TOLD) != 0,
		.fates = (unsigned)sqlite3_column_int(s, COLUMN_FATES),
		.has_payload = sqlite3_column_int(s, COLUMN_PAYLOAD_AT) != PAYLOAD_GONE,
		.message_bytes = (uint64_t)sqlite3_column_int64(s, COLUMN_MESSAGE_BYTES),
		.postmark_id = column_text_or_null(s, COLUMN_POSTMARK_ID),
		.inactive = column_text_or_null(s, COLUMN_INACTIVE) };
	if (facts->state == ITEM_SPOOLED || facts->state == ITEM_WAITING ||
	    facts->state == ITEM_UNSURE)
		facts->due_ms = sqlite3_column_int64(s, COLUMN_DUE);
	lines_read((const char *)sqlite3_column_text(s, COLUMN_RECIPIENTS), &facts->recipients);

	sqlite3_bind_int64(route, 1, sqlite3_column_int64(s, COLUMN_ROUTE));
	facts->route = column_text(sqlite3_step(route) == SQLITE_ROW ? route : NULL, 0);
	rc = sqlite3_reset(route);

	mail = mail_seek(r, facts->key >> NUMBER_BITS) ? m : NULL;
	if (mail != NULL) {
		item_id(facts->id, (const char *)sqlite3_column_text(m, COLUMN_ID),
		    (unsigned)(facts->key & NUMBER_MOST));
		facts->accepted_ms = sqlite3_column_int64(m, COLUMN_ACCEPTED);
		facts->content_bytes = (uint64_t)sqlite3_column_int64(m, COLUMN_CONTENT_BYTES);
	}
	facts->reverse_path = column_text(mail, COLUMN_REVERSE_PATH);
	facts->listener = column_text(mail, COLUMN_LISTENER);
	facts->client = column_text(mail, COLUMN_CLIENT);
	facts->helo = column_text(mail, COLUMN_HELO);
	facts->message_id = column_text(mail, COLUMN_MESSAGE_ID);
	facts->from = column_text(mail, COLUMN_FROM);
	facts->subject = column_text(mail, COLUMN_SUBJECT);
	facts->ledger = column_text(mail, COLUMN_LEDGER);
	if (rc == SQLITE_OK)
		rc = sqlite3_reset(m);
	return sqlite_read_result(r, rc);
}

struct facts_list {
	struct item_facts *items;
	size_t count, room;
};

static void
list_free(struct facts_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		item_facts_free(&list->items[i]);
	free(list->items);
	*list = (struct facts_list){ 0 };
}

static int
list_add(struct sqlite_reader *r, struct facts_list *list, sqlite3_stmt *s)
{
	if (list->count == list->room) {
		list->room = list->room == 0 ? 16 : list->room * 2;
		list->items = mem_resize(list->items, list->room, sizeof(list->items[0]));
	}
	return facts_read(r, s, &list->items[list->count++]);
}

static int
list_give(struct facts_list *list, int result, struct item_facts **items_r, size_t *count_r)
{
	if (result != 0)
		list_free(list);
	*items_r = list->items;
	*count_r = list->count;
	return result;
}

/* --- list -------------------------------------------------------------------------------- */

/*
 * A walk through the items in the order of their keys: of all, or of several states side by side,
 * each by its index.
 */
struct walk {
	sqlite3_stmt *ways[ITEM_STATES]; /* NULL: not one of them, or at its end */
	bool upwards;
};

static int
walk_add(struct sqlite_reader *r, struct walk *walk, enum read_statement which, int state,
    const struct item_page *page)
{
	sqlite3_stmt **way = &walk->ways[state];
	int64_t from_key = page->from_key;
	int rc = sqlite3_prepare_v2(r->db, sqlite_read_statements[which], -1, way, NULL);

	if (rc != SQLITE_OK)
		return sqlite_read_result(r, rc);
	if (from_key == 0 && !page->oldest_first)
		from_key = INT64_MAX;
	sqlite3_bind_int64(*way, 1, from_key);
	if (which == WALK_STATE_UP || which == WALK_STATE_DOWN)
		sqlite3_bind_int(*way, 2, state);
	return 0;
}

/* To the next row of this way. */
static int
walk_step(struct sqlite_reader *r, struct walk *walk, int at)
{
	int rc = sqlite3_step(walk->ways[at]);

	if (rc == SQLITE_ROW)
		return 0;
	sqlite3_finalize(walk->ways[at]);
	walk->ways[at] = NULL;
	return sqlite_read_result(r, rc);
}

static void
walk_end(struct walk *walk)
{
	for (int i = 0; i < ITEM_STATES; i++)
		sqlite3_finalize(walk->ways[i]);
}

static int
walk_begin(
    struct sqlite_reader *r, struct walk *walk, unsigned states, const struct item_page *page)
{
	int result = 0;

	*walk = (struct walk){ .upwards = page->oldest_first };
	/* What has been sent is in no index: it is nearly everything. */
	if (states == 0 || (states & 1U << ITEM_SENT) != 0) {
		result =
		    walk_add(r, walk, page->oldest_first ? WALK_ALL_UP : WALK_ALL_DOWN, 0, page);
		return result == 0 ? walk_step(r, walk, 0) : result;
	}
	for (int state = ITEM_SPOOLED; result == 0 && state < ITEM_STATES; state++) {
		if ((states & 1U << state) == 0)
			continue;
		result = walk_add(
		    r, walk, page->oldest_first ? WALK_STATE_UP : WALK_STATE_DOWN, state, page);
		if (result == 0)
			result = walk_step(r, walk, state);
	}
	return result;
}

/* Which way has the row that comes first; -1: none has any. */
static int
walk_first(const struct walk *walk)
{
	int64_t best_key = 0;
	int best = -1;

	for (int i = 0; i < ITEM_STATES; i++) {
		int64_t key;

		if (walk->ways[i] == NULL)
			continue;
		key = sqlite3_column_int64(walk->ways[i], COLUMN_KEY);
		if (best == -1 || (walk->upwards ? key < best_key : key > best_key)) {
			best = i;
			best_key = key;
		}
	}
	return best;
}

static bool
has(sqlite3_stmt *s, int column, const char *part)
{
	const char *text = (const char *)sqlite3_column_text(s, column);

	return text != NULL && strcasestr(text, part) != NULL;
}

static bool
mail_fits(const struct item_filter *filter, sqlite3_stmt *m)
{
	int64_t accepted_ms = sqlite3_column_int64(m, COLUMN_ACCEPTED);

	if ((filter->since_ms != 0 && accepted_ms < filter->since_ms) ||
	    (filter->until_ms != 0 && accepted_ms > filter->until_ms))
		return false;
	if (filter->sender != NULL && !has(m, COLUMN_REVERSE_PATH, filter->sender) &&
	    !has(m, COLUMN_FROM, filter->sender))
		return false;
	return filter->subject == NULL || has(m, COLUMN_SUBJECT, filter->subject);
}

/* What the row itself tells comes first: its mail is a look elsewhere. */
static bool
item_fits(
    struct sqlite_reader *r, const struct item_filter *filter, int64_t route_key, sqlite3_stmt *s)
{
	int state = sqlite3_column_int(s, COLUMN_STATE);
	bool fits;

	if (!sqlite_state_is(state) || (filter->states != 0 && (filter->states & 1U << state) == 0))
		return false;
	if (filter->route != NULL && sqlite3_column_int64(s, COLUMN_ROUTE) != route_key)
		return false;
	if (filter->fates != 0 &&
	    ((unsigned)sqlite3_column_int(s, COLUMN_FATES) & filter->fates) == 0)
		return false;
	if (filter->recipient != NULL && !has(s, COLUMN_RECIPIENTS, filter->recipient))
		return false;
	if (filter->sender == NULL && filter->subject == NULL && filter->since_ms == 0 &&
	    filter->until_ms == 0)
		return true;
	fits = mail_seek(r, sqlite3_column_int64(s, COLUMN_KEY) >> NUMBER_BITS) &&
	       mail_fits(filter, r->statements[READ_MAIL]);
	/* An error would show when the page's facts are read, or at the next row. */
	sqlite3_reset(r->statements[READ_MAIL]);
	return fits;
}

static int
list_read(struct sqlite_reader *r, const struct item_filter *filter, const struct item_page *page,
    struct facts_list *list, int64_t *next_key_r)
{
	int64_t began_ms = clock_mono_ms(), route_key = 0;
	sqlite3_stmt *route = r->statements[READ_ROUTE_KEY];
	size_t seen = 0;
	struct walk walk;
	int at, result;

	if (filter->route != NULL) {
		sqlite3_bind_text(route, 1, filter->route, -1, SQLITE_STATIC);
		if (sqlite3_step(route) == SQLITE_ROW)
			route_key = sqlite3_column_int64(route, 0);
		result = sqlite_read_result(r, sqlite3_reset(route));
		if (result != 0 || route_key == 0)
			return result;
	}
	result = walk_begin(r, &walk, filter->states, page);
	while (result == 0 && (at = walk_first(&walk)) != -1) {
		if (list->count >= page->most_items ||
		    (++seen % LOOK_ROWS == 0 && clock_mono_ms() - began_ms >= page->budget_ms))
			break;
		*next_key_r = sqlite3_column_int64(walk.ways[at], COLUMN_KEY);
		if (item_fits(r, filter, route_key, walk.ways[at]))
			result = list_add(r, list, walk.ways[at]);
		if (result == 0)
			result = walk_step(r, &walk, at);
	}
	if (result == 0 && at == -1)
		*next_key_r = 0;
	walk_end(&walk);
	return result;
}

static int
reader_list(void *ctx, const struct item_filter *filter, const struct item_page *page,
    struct item_facts **items_r, size_t *count_r, int64_t *next_key_r)
{
	struct sqlite_reader *r = ctx;
	struct facts_list list = { 0 };
	int result = sqlite_view_begin(r);

	*next_key_r = page->from_key;
	if (result == 0 && page->most_items > 0)
		result = list_read(r, filter, page, &list, next_key_r);
	return list_give(&list, sqlite_view_end(r, result), items_r, count_r);
}

/* --- find -------------------------------------------------------------------------------- */

/* What is looked for, and what was found of it. */
struct search {
	struct sqlite_reader *reader;
	size_t most;
	struct facts_list list;
};

/* The rows of a statement of ITEM_COLUMNS, and an end to it. */
static int
search_take(struct search *search, sqlite3_stmt *s)
{
	int result = 0, rc;

	while (result == 0 && search->list.count < search->most && sqlite3_step(s) == SQLITE_ROW)
		result = list_add(search->reader, &search->list, s);
	rc = sqlite3_reset(s);
	return result != 0 ? result : sqlite_read_result(search->reader, rc);
}

/* number 0: all of them */
static int
search_mail(struct search *search, int64_t mail_key, unsigned number)
{
	struct sqlite_reader *r = search->reader;
	sqlite3_stmt *s = r->statements[number != 0 ? READ_ITEM : READ_ITEMS_OF_MAIL];

	sqlite3_bind_int64(
	    s, 1, number != 0 ? mail_key << NUMBER_BITS | (int64_t)number : mail_key);
	return search_take(search, s);
}

/* "ID" or "ID-N". */
static int
search_ours(struct search *search, const char *id)
{
	struct sqlite_reader *r = search->reader;
	sqlite3_stmt *s = r->statements[READ_MAIL_KEY];
	char mail_id[ULID_SIZE];
	int64_t mail_key = 0;
	unsigned number;
	int result;

	if (item_id_read(id, mail_id, &number) != 0)
		return 0;
	sqlite3_bind_text(s, 1, mail_id, ULID_LEN, SQLITE_STATIC);
	if (sqlite3_step(s) == SQLITE_ROW)
		mail_key = sqlite3_column_int64(s, 0);
	result = sqlite_read_result(r, sqlite3_reset(s));
	return result == 0 && mail_key != 0 ? search_mail(search, mail_key, number) : result;
}

/* In one bucket of the index by age. */
static int
search_postmark_id(struct search *search, int64_t bucket, const char *id)
{
	sqlite3_stmt *s = search->reader->statements[READ_BY_POSTMARK_ID];

	sqlite3_bind_int64(s, 1, bucket);
	sqlite3_bind_text(s, 2, id, -1, SQLITE_STATIC);
	return search_take(search, s);
}

static int
search_message_id(struct search *search, int64_t bucket, const char *id)
{
	sqlite3_stmt *s = search->reader->statements[READ_BY_MESSAGE_ID];
	int result = 0, rc;

	sqlite3_bind_int64(s, 1, bucket);
	sqlite3_bind_text(s, 2, id, -1, SQLITE_STATIC);
	while (result == 0 && search->list.count < search->most && sqlite3_step(s) == SQLITE_ROW)
		result = search_mail(search, sqlite3_column_int64(s, 0), 0);
	rc = sqlite3_reset(s);
	return result != 0 ? result : sqlite_read_result(search->reader, rc);
}

/* Ids that others gave: from the newest bucket to the oldest. */
static int
search_theirs(struct search *search, const char *id)
{
	struct sqlite_reader *r = search->reader;
	sqlite3_stmt *s = r->statements[READ_KEYS];
	size_t len = strlen(id);
	bool bracketed = len >= 2 && id[0] == '<' && id[len - 1] == '>';
	char *other = bracketed ? mem_bytes(id + 1, len - 2) : mem_format("<%s>", id);
	int64_t first = 0, last = -1;
	int result;

	if (sqlite3_step(s) == SQLITE_ROW && sqlite3_column_type(s, 0) != SQLITE_NULL) {
		first = sqlite3_column_int64(s, 0) >> BUCKET_BITS;
		last = sqlite3_column_int64(s, 1) >> BUCKET_BITS;
	}
	result = sqlite_read_result(r, sqlite3_reset(s));
	for (int64_t bucket = last;
	     result == 0 && bucket >= first && search->list.count < search->most; bucket--) {
		result = search_message_id(search, bucket, id);
		if (result == 0 && other[0] != '\0')
			result = search_message_id(search, bucket, other);
		if (result == 0 && !bracketed)
			result = search_postmark_id(search, bucket, id);
	}
	free(other);
	return result;
}

static int
reader_find(void *ctx, const char *id, size_t most, struct item_facts **items_r, size_t *count_r)
{
	struct sqlite_reader *r = ctx;
	struct search search = { .reader = r, .most = most };
	int result = sqlite_view_begin(r);

	if (result == 0 && id[0] != '\0')
		result = search_ours(&search, id);
	if (result == 0 && id[0] != '\0' && search.list.count == 0)
		result = search_theirs(&search, id);
	return list_give(&search.list, sqlite_view_end(r, result), items_r, count_r);
}

/* --- one item ---------------------------------------------------------------------------- */

static int
reader_item(void *ctx, int64_t key, struct item_facts *item_r)
{
	struct sqlite_reader *r = ctx;
	struct facts_list list = { 0 };
	int result = sqlite_view_begin(r);
	sqlite3_stmt *s;

	*item_r = (struct item_facts){ 0 };
	if (result != 0)
		return sqlite_view_end(r, result);
	s = r->statements[READ_ITEM];
	sqlite3_bind_int64(s, 1, key);
	/* What items share is none. */
	if (sqlite3_step(s) == SQLITE_ROW && sqlite_state_is(sqlite3_column_int(s, COLUMN_STATE)))
		result = list_add(r, &list, s);
	if (sqlite_read_result(r, sqlite3_reset(s)) != 0)
		result = -1;
	if (sqlite_view_end(r, result) != 0) {
		list_free(&list);
		return -1;
	}
	if (list.count == 0)
		return 1;
	*item_r = list.items[0];
	free(list.items);
	return 0;
}

static int
reader_history(void *ctx, int64_t key, struct attempt_facts **lines_r, size_t *count_r)
{
	struct sqlite_reader *r = ctx;
	struct attempt_facts *lines = NULL;
	size_t count = 0, room = 0;
	sqlite3_stmt *s;
	int result = sqlite_view_begin(r);

	*lines_r = NULL;
	*count_r = 0;
	if (result != 0)
		return sqlite_view_end(r, result);
	s = r->statements[READ_HISTORY];
	sqlite3_bind_int64(s, 1, key);
	while (sqlite3_step(s) == SQLITE_ROW) {
		if (count == room) {
			room = room == 0 ? 8 : room * 2;
			lines = mem_resize(lines, room, sizeof(lines[0]));
		}
		lines[count++] =
		    (struct attempt_facts){ .attempt = (unsigned)sqlite3_column_int(s, 0),
			    .at_ms = sqlite3_column_int64(s, 1),
			    .to = (enum item_state)sqlite3_column_int(s, 2),
			    .http_status = sqlite3_column_int(s, 3),
			    .error_code = sqlite3_column_int(s, 4),
			    .answer = column_text_or_null(s, 5) };
	}
	result = sqlite_view_end(r, sqlite_read_result(r, sqlite3_reset(s)));
	if (result != 0) {
		attempt_facts_free(lines, count);
		return result;
	}
	*lines_r = lines;
	*count_r = count;
	return 0;
}

static int
file_add(struct sqlite_reader *r, const char *name, size_t len, struct buf *out)
{
	struct payload payload = { .len = len, .fd = -1 };
	int error = files_read_below(r->payload_folder, name, len, &payload.fd), result = 0;

	if (error == 0 && payload_read(&payload, out) != 0 && !out->over)
		error = errno;
	payload_free(&payload);
	if (error == ENOENT)
		return 1;
	if (error != 0) {
		snprintf(r->why, sizeof(r->why), "payload/%s: %s", name,
		    error == EBADMSG ? "it has another length" : strerror(error));
		result = -1;
	}
	return result;
}

static int
part_add(struct sqlite_reader *r, const char *mail_id, int64_t key, enum payload_at at, size_t len,
    struct buf *out)
{
	sqlite3_stmt *s = r->statements[READ_PAYLOAD];
	char name[ITEM_ID_SIZE];
	bool found = false;

	switch (at) {
	case PAYLOAD_GONE:
		break;
	case PAYLOAD_IN_FILE:
		item_id(name, mail_id, (unsigned)(key & NUMBER_MOST));
		return file_add(r, name, len, out);
	case PAYLOAD_IN_ROW:
		sqlite3_bind_int64(s, 1, key);
		found = sqlite3_step(s) == SQLITE_ROW;
		if (found)
			buf_add(out, sqlite3_column_blob(s, 0), (size_t)sqlite3_column_bytes(s, 0));
		if (sqlite_read_result(r, sqlite3_reset(s)) != 0)
			return -1;
		break;
	}
	return found ? 0 : 1;
}

/* Where an item's message is. */
struct places {
	enum payload_at own, shared;
	size_t own_len, shared_len, message_len;
	char mail_id[ULID_SIZE];
};

/* 1: nowhere */
static int
places_read(struct sqlite_reader *r, int64_t key, struct places *places)
{
	sqlite3_stmt *s = r->statements[READ_PLACES];
	int result;

	*places = (struct places){ 0 };
	sqlite3_bind_int64(s, 1, key);
	if (sqlite3_step(s) == SQLITE_ROW) {
		const char *id = (const char *)sqlite3_column_text(s, 5);

		places->own = (enum payload_at)sqlite3_column_int(s, 0);
		places->own_len = (size_t)sqlite3_column_int64(s, 1);
		places->message_len = (size_t)sqlite3_column_int64(s, 2);
		places->shared = (enum payload_at)sqlite3_column_int(s, 3);
		places->shared_len = (size_t)sqlite3_column_int64(s, 4);
		if (id != NULL && strlen(id) == ULID_LEN)
			memcpy(places->mail_id, id, ULID_SIZE);
	}
	result = sqlite_read_result(r, sqlite3_reset(s));
	return result == 0 && places->own == PAYLOAD_GONE ? 1 : result;
}

static int
reader_payload(void *ctx, int64_t key, struct buf *out)
{
	struct sqlite_reader *r = ctx;
	int64_t shared_key = key >> NUMBER_BITS << NUMBER_BITS | NUMBER_SHARED;
	struct places places;
	int result = sqlite_view_begin(r);

	if (result == 0)
		result = places_read(r, key, &places);
	if (result == 0)
		result = part_add(r, places.mail_id, key, places.own, places.own_len, out);
	if (result == 0 && places.shared != PAYLOAD_GONE)
		result =
		    part_add(r, places.mail_id, shared_key, places.shared, places.shared_len, out);
	else if (result == 0 && places.own_len != places.message_len)
		result = 1;
	/* That something is gone is no failure of the connection. */
	return sqlite_view_end(r, result < 0 ? result : 0) != 0 ? -1 : result;
}

static int
reader_count(void *ctx, struct store_counts *counts)
{
	struct sqlite_reader *r = ctx;
	int result = sqlite_view_begin(r);

	if (result == 0)
		result = sqlite_read_result(r,
		    sqlite_counts(r->statements[READ_TALLY], r->statements[READ_OLDEST], counts));
	return sqlite_view_end(r, result);
}

const struct reader_backend sqlite_reader_backend = {
	.name = "sqlite",
	.open = reader_open,
	.close = reader_close,
	.list = reader_list,
	.find = reader_find,
	.history = reader_history,
	.item = reader_item,
	.payload = reader_payload,
	.events = sqlite_reader_events,
	.last_event = sqlite_reader_last_event,
	.outlet = sqlite_reader_outlet,
	.count = reader_count,
	.why = reader_why,
};
