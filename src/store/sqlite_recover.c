/* Cleaning up: after a crash, after a commit that failed, and what is old. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"

#include "store/files.h"
#include "store/sqlite_inside.h"

#define PURGE_ROWS    500
#define PURGE_CHANGES 5000 /* rows of whatever table */
#define CURSOR_STRAYS (-1) /* the items are done; what belongs to none is next */

/* One row of a purge or of a mail that is forgotten. */
struct ended {
	int64_t key;
	int state;
	enum payload_at at;
	bool put_aside;
};

/*
 * Of a long time after its item, an event is as young as any other: its mark is needed for as long
 * as Postmark may post it again, and outlets may not have passed it on.  Keys grow with time, so
 * that the last one tells.
 */
static enum store_result
item_is_heard_of(struct sqlite *b, int64_t key, int64_t since_ms, bool *heard_of_r)
{
	sqlite3_stmt *s = b->statements[SQL_EVENT_NEWEST];

	sqlite3_bind_int64(s, 1, key);
	*heard_of_r = sqlite3_step(s) == SQLITE_ROW && sqlite3_column_int64(s, 0) >= since_ms;
	return sqlite_result(b, sqlite3_reset(s));
}

static enum store_result
items_purge(struct sqlite *b, int64_t ended_before_ms, int64_t *cursor, bool *again_r)
{
	sqlite3_stmt *s = b->statements[SQL_ITEMS_FROM];
	struct ended *list = mem_array(PURGE_ROWS, sizeof(*list));
	size_t count = 0, seen = 0;
	int changes = 0, held = 0;
	bool later = false;
	enum store_result result;

	sqlite3_bind_int64(s, 1, *cursor);
	sqlite3_bind_int64(s, 2, PURGE_ROWS);
	while (!later && sqlite3_step(s) == SQLITE_ROW) {
		int state = sqlite3_column_int(s, 1);
		int64_t ended_ms = sqlite3_column_int64(s, 4);

		seen++;
		*cursor = sqlite3_column_int64(s, 0);
		/* What was accepted after that time did not end before it, nor did its followers.
		 */
		later = sqlite3_column_type(s, 5) == SQLITE_INTEGER &&
			sqlite3_column_int64(s, 5) >= ended_before_ms;
		/* Of those that are held, the ones that were refused have ended. */
		if ((state >= ITEM_SENT || (state == ITEM_HELD && ended_ms > 0)) &&
		    ended_ms < ended_before_ms)
			list[count++] = (struct ended){ *cursor, state,
				(enum payload_at)sqlite3_column_int(s, 2),
				sqlite3_column_int(s, 3) != 0 };
	}
	result = sqlite_result(b, sqlite3_reset(s));
	for (size_t i = 0; result == STORE_OK && i < count; i++) {
		int before = sqlite3_total_changes(b->db);
		bool heard_of;

		result = item_is_heard_of(b, list[i].key, ended_before_ms, &heard_of);
		if (result != STORE_OK || heard_of)
			continue;
		held += list[i].state == ITEM_HELD;
		result =
		    sqlite_item_drop(b, list[i].key, list[i].state, list[i].at, list[i].put_aside);
		if (result == STORE_OK)
			result = sqlite_shared_drop_unneeded(b, list[i].key >> NUMBER_BITS);
		if (result == STORE_OK)
			result = sqlite_run_key(b, SQL_MAIL_DROP, list[i].key >> NUMBER_BITS);
		/* One with a thousand opens takes its time: the others come with the next. */
		changes += sqlite3_total_changes(b->db) - before;
		if (result == STORE_OK && changes >= PURGE_CHANGES && i + 1 < count) {
			*cursor = list[i].key;
			later = false;
			seen = PURGE_ROWS;
			break;
		}
	}
	free(list);
	if (result == STORE_OK && held > 0)
		log_warning("purged-refused", log_num("items", held),
		    log_str(
			"why", "they were held for spool.keep-history, and nobody wanted them"));
	*again_r = true;
	if (later || seen < PURGE_ROWS)
		*cursor = CURSOR_STRAYS;
	return result;
}

enum store_result
sqlite_purge(void *ctx, int64_t ended_before_ms, int64_t *cursor, bool *again_r)
{
	struct sqlite *b = ctx;
	enum store_result result;
	size_t dropped, lifted = 0;

	if (*cursor != CURSOR_STRAYS)
		return items_purge(b, ended_before_ms, cursor, again_r);
	result = sqlite_events_purge(b, ended_before_ms, PURGE_ROWS, &dropped);
	if (result == STORE_OK)
		result = sqlite_lifted_purge(b, ended_before_ms, PURGE_ROWS, &lifted);
	*again_r = dropped == PURGE_ROWS || lifted == PURGE_ROWS;
	return result;
}

/* --- recovery ---------------------------------------------------------------------------- */

static enum store_result
mail_forget(struct sqlite *b, const char *id)
{
	sqlite3_stmt *s;
	struct ended *list = NULL;
	size_t count = 0;
	int64_t key;
	enum store_result result = sqlite_mail_key(b, id, &key);

	if (result != STORE_OK || key == 0)
		return result;
	s = b->statements[SQL_ITEMS_OF_MAIL];
	sqlite3_bind_int64(s, 1, key);
	while (sqlite3_step(s) == SQLITE_ROW) {
		list = mem_resize(list, count + 1, sizeof(*list));
		list[count++] = (struct ended){ sqlite3_column_int64(s, 0),
			sqlite3_column_int(s, 1), (enum payload_at)sqlite3_column_int(s, 2),
			sqlite3_column_int(s, 3) != 0 };
	}
	result = sqlite_result(b, sqlite3_reset(s));
	for (size_t i = 0; result == STORE_OK && i < count; i++)
		result =
		    sqlite_item_drop(b, list[i].key, list[i].state, list[i].at, list[i].put_aside);
	free(list);
	return result == STORE_OK ? sqlite_run_key(b, SQL_MAIL_DROP, key) : result;
}

struct proven_list {
	struct proven *rows;
	size_t count, room;
};

/* What the statement gives, but what is in hand. */
static enum store_result
rows_read(struct sqlite *b, enum statement which, int state, const struct keyset *in_hand,
    struct proven_list *list)
{
	sqlite3_stmt *s = b->statements[which];

	while (sqlite3_step(s) == SQLITE_ROW) {
		const struct proven row = { .key = sqlite3_column_int64(s, 0),
			.proof = sqlite3_column_int64(s, 1),
			.history = sqlite3_column_int64(s, 2),
			.state = state,
			.at = (enum payload_at)sqlite3_column_int(s, 3) };

		if (keyset_has(in_hand, row.key))
			continue;
		if (list->count == list->room) {
			list->room = list->room == 0 ? 64 : list->room * 2;
			list->rows = mem_resize(list->rows, list->room, sizeof(list->rows[0]));
		}
		list->rows[list->count++] = row;
	}
	return sqlite_result(b, sqlite3_reset(s));
}

/* What was in hand and is not any more: Postmark has to be asked about it, unless it has spoken of
 * it meanwhile. */
static enum store_result
hands_emptied(struct sqlite *b, const struct keyset *in_hand, int64_t now_ms, uint64_t *unsure_r)
{
	sqlite3_stmt *s = b->statements[SQL_ITEM_TO_UNSURE];
	struct proven_list list = { 0 };
	enum store_result result = rows_read(b, SQL_ITEMS_SENDING, ITEM_SENDING, in_hand, &list);

	if (result == STORE_OK)
		result = rows_read(b, SQL_ITEMS_PROVEN, ITEM_UNSURE, in_hand, &list);
	for (size_t i = 0; result == STORE_OK && i < list.count; i++) {
		const struct proven *row = &list.rows[i];

		if (row->proof != 0) {
			result = sqlite_item_proven(b, row, now_ms);
			continue;
		}
		sqlite3_bind_int64(s, 1, row->key);
		sqlite3_bind_int64(s, 2, now_ms);
		result = sqlite_run(b, SQL_ITEM_TO_UNSURE);
		b->tally[ITEM_SENDING]--;
		b->tally[ITEM_UNSURE]++;
		++*unsure_r;
	}
	free(list.rows);
	return result;
}

enum store_result
sqlite_recover(void *ctx, const struct keyset *in_hand, const struct strlist *forget,
    int64_t now_ms, uint64_t *unsure_r)
{
	struct sqlite *b = ctx;
	enum store_result result;

	*unsure_r = 0;
	result = sqlite_begin(b);
	if (result != STORE_OK)
		return result;
	for (size_t i = 0; result == STORE_OK && i < forget->count; i++)
		result = mail_forget(b, forget->items[i]);
	if (result == STORE_OK)
		result = hands_emptied(b, in_hand, now_ms, unsure_r);
	if (result == STORE_OK)
		result = sqlite_commit(b);
	if (result != STORE_OK) {
		sqlite_rollback(b);
		return result;
	}
	/* What a failed sync left in the log may be seen and yet not be on the disk: it is written
	 * once more, into the database, and synced there. */
	return sqlite_result(
	    b, sqlite3_wal_checkpoint_v2(b->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL));
}

static int
file_is_orphan(void *ctx, const char *name)
{
	struct sqlite *b = ctx;
	sqlite3_stmt *s = b->statements[SQL_ITEM_FIND];
	uint64_t number = 0;
	bool named = false;

	/* Not one of ours: left alone. */
	if (strlen(name) < ULID_LEN + 2 || strlen(name) >= ITEM_ID_SIZE || name[ULID_LEN] != '-' ||
	    text_number(name + ULID_LEN + 1, strlen(name) - ULID_LEN - 1, NUMBER_SHARED,
		NUMBER_MOST, &number) != 0)
		return 0;
	sqlite3_bind_text(s, 1, name, ULID_LEN, SQLITE_STATIC);
	sqlite3_bind_int64(s, 2, (int64_t)number);
	if (sqlite3_step(s) == SQLITE_ROW)
		named = sqlite3_column_int(s, 0) == PAYLOAD_IN_FILE;
	if (sqlite_result(b, sqlite3_reset(s)) != STORE_OK)
		return -1;
	return named ? 0 : 1;
}

enum store_result
sqlite_sweep(void *ctx, uint64_t *removed_r)
{
	struct sqlite *b = ctx;
	long removed = files_sweep(b->files, file_is_orphan, b);

	*removed_r = removed > 0 ? (uint64_t)removed : 0;
	return removed >= 0 ? STORE_OK : STORE_BROKEN;
}
