/* What the writer's connection can be asked, and how an answer that is none becomes a result. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "store/sqlite_inside.h"

#define CLAIM_COLUMNS                                                                              \
	"SELECT i.key, i.state, i.attempt, i.payload_at, i.payload_bytes, i.recipients,"           \
	" m.id, m.accepted_ms, z.payload_at, z.payload_bytes, i.message_bytes, i.kind,"            \
	" i.since_ms, m.reverse_path FROM item AS i"

#define CLAIM_JOINS                                                                                \
	" LEFT JOIN mail AS m ON m.key=i.key>>20 LEFT JOIN item AS z ON z.key=(i.key>>20)<<20"

#define CHANGE_COLUMNS "key, state, route, attempt, history, put_aside, payload_at, unanswered"

const char *const sqlite_statements[SQL_STATEMENT_COUNT] = {
	[SQL_BEGIN] = "BEGIN",
	[SQL_COMMIT] = "COMMIT",
	[SQL_ROLLBACK] = "ROLLBACK",
	[SQL_ROUTE_FIND] = "SELECT key FROM route WHERE name=?1",
	[SQL_ROUTE_ADD] = "INSERT INTO route(name) VALUES(?1)",
	[SQL_MAIL_ADD] = "INSERT INTO mail(id, accepted_ms, reverse_path, listener, client, helo,"
			 " message_id, from_header, subject, ledger, content_bytes)"
			 " VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11) ON CONFLICT(id) DO NOTHING",
	[SQL_MAIL_FIND] = "SELECT key FROM mail WHERE id=?1",
	[SQL_MAIL_ID] = "SELECT id FROM mail WHERE key=?1",
	[SQL_MAIL_DROP] = "DELETE FROM mail WHERE key=?1 AND NOT EXISTS"
			  "(SELECT 1 FROM item WHERE key>=?1<<20 AND key<(?1+1)<<20)",
	[SQL_SHARED_ADD] =
	    "INSERT INTO item(key, route, state, due_ms, attempt, history, put_aside, payload_at,"
	    " payload_bytes, message_bytes, ended_ms, recipients)"
	    " VALUES(?1,?2,0,0,0,0,0,?3,?4,?4,0,'')",
	[SQL_SHARED_READ] = "SELECT payload_at FROM item WHERE key=?1<<20",
	[SQL_SHARED_NEEDED] = "SELECT 1 FROM item"
			      " WHERE key>?1<<20 AND key<(?1+1)<<20 AND payload_at<>0 LIMIT 1",
	[SQL_ITEM_ADD] = "INSERT INTO item(key, route, state, due_ms, attempt, history, put_aside,"
			 " payload_at, payload_bytes, message_bytes, ended_ms, recipients, kind)"
			 " VALUES(?1,?2,?9,?3,0,?10,0,?4,?5,?7,?11,?6,?8)",
	[SQL_ITEM_READ] =
	    "SELECT state, attempt, history, payload_at, proof FROM item WHERE key=?1",
	[SQL_ITEM_MARK] = "UPDATE item SET state=2, attempt=?2 WHERE key=?1",
	[SQL_ITEM_PUT_ASIDE] = "UPDATE item SET state=4, put_aside=1 WHERE key=?1",
	[SQL_ITEM_SETTLE] =
	    "UPDATE item SET state=?2, due_ms=?3, attempt=?4, history=?5, payload_at=?6,"
	    " ended_ms=?7, postmark_id=coalesce(?8, postmark_id),"
	    " inactive=coalesce(?9, inactive), unanswered=?10, proof=0 WHERE key=?1",
	[SQL_ITEM_DROP] = "DELETE FROM item WHERE key=?1",
	[SQL_ITEM_TOLD] = "UPDATE item SET told=1, history=history+1 WHERE key=?1",
	[SQL_ITEMS_DUE] = CLAIM_COLUMNS " INDEXED BY item_due" CLAIM_JOINS
					" WHERE i.route=?1 AND i.state IN (1, 3) AND i.due_ms<=?2"
					" ORDER BY i.due_ms, i.key",
	[SQL_ITEMS_UNSURE] = CLAIM_COLUMNS
	" INDEXED BY item_unsure" CLAIM_JOINS
	" WHERE i.route=?1 AND i.state=5 AND i.due_ms<=?2 ORDER BY i.due_ms, i.key",
	[SQL_ITEMS_SENDING] = "SELECT key, proof, history, payload_at FROM item INDEXED BY"
			      " item_state WHERE state=2 AND state NOT IN (0, 6)",
	[SQL_ITEMS_PROVEN] = "SELECT key, proof, history, payload_at FROM item INDEXED BY"
			     " item_state WHERE state=5 AND state NOT IN (0, 6) AND proof<>0",
	[SQL_ITEMS_OF_MAIL] = "SELECT key, state, payload_at, put_aside, unanswered FROM item"
			      " WHERE key>=?1<<20 AND key<(?1+1)<<20",
	[SQL_ITEMS_FROM] =
	    "SELECT i.key, i.state, i.payload_at, i.put_aside, i.ended_ms, m.accepted_ms"
	    " FROM item AS i LEFT JOIN mail AS m ON m.key=i.key>>20"
	    " WHERE i.key>?1 ORDER BY i.key LIMIT ?2",
	[SQL_ITEM_OLDEST] = SQLITE_ITEM_OLDEST,
	[SQL_ITEM_FIND] =
	    "SELECT i.payload_at FROM mail AS m JOIN item AS i ON i.key=(m.key<<20)+?2"
	    " WHERE m.id=?1",
	[SQL_ITEM_TO_UNSURE] = "UPDATE item SET state=5, due_ms=?2 WHERE key=?1",
	[SQL_NEXT_DUE] = "SELECT key, due_ms FROM item INDEXED BY item_due"
			 " WHERE route=?1 AND state IN (1, 3) AND due_ms>?2 ORDER BY due_ms",
	[SQL_NEXT_UNSURE] = "SELECT key, due_ms FROM item INDEXED BY item_unsure"
			    " WHERE route=?1 AND state=5 AND due_ms>?2 ORDER BY due_ms",
	[SQL_PAYLOAD_ADD] = "INSERT INTO payload VALUES(?1,?2)",
	[SQL_PAYLOAD_READ] = "SELECT json FROM payload WHERE item=?1",
	[SQL_PAYLOAD_DROP] = "DELETE FROM payload WHERE item=?1",
	[SQL_ATTEMPT_ADD] = "INSERT INTO attempt VALUES(?1,?2,?3,?4,?5,?6,?7,?8)",
	[SQL_ATTEMPTS_DROP] = "DELETE FROM attempt WHERE item=?1",
	[SQL_ITEM_CHANGE] = "UPDATE item SET state=?2, due_ms=coalesce(?3, due_ms),"
			    " since_ms=coalesce(?3, since_ms), unanswered=?4, ended_ms=0,"
			    " history=history+1 WHERE key=?1",
	[SQL_ITEM_LAST] = "SELECT max(key) FROM item",
	[SQL_ITEMS_OF_STATE] = "SELECT " CHANGE_COLUMNS " FROM item INDEXED BY item_state"
			       " WHERE state=?4 AND state NOT IN (0, 6) AND key>?1 AND key<=?2"
			       " ORDER BY key LIMIT ?3",
	[SQL_ITEMS_BETWEEN] = "SELECT " CHANGE_COLUMNS " FROM item NOT INDEXED"
			      " WHERE key>?1 AND key<=?2 ORDER BY key LIMIT ?3",
	[SQL_ROUTES] = "SELECT name, held, why, stood_since_ms, stood_ms FROM route ORDER BY name",
	[SQL_ROUTE_SET] = "INSERT INTO route(name, held, why, stood_since_ms, stood_ms)"
			  " VALUES(?1,?2,?3,?4,?5) ON CONFLICT(name) DO UPDATE SET held=?2, why=?3,"
			  " stood_since_ms=?4, stood_ms=?5",
	[SQL_ROUTE_OPEN] =
	    "SELECT (SELECT count(*) FROM item INDEXED BY item_due"
	    "  WHERE route=?1 AND state IN (1, 3))"
	    "+(SELECT count(*) FROM item INDEXED BY item_unsure WHERE route=?1 AND state=5)"
	    "+(SELECT count(*) FROM item INDEXED BY item_state"
	    "  WHERE state=4 AND state NOT IN (0, 6) AND route=?1 AND put_aside=0)",
	[SQL_EVENT_SUBJECT] =
	    "SELECT i.state, i.kind, i.put_aside, i.unanswered, i.payload_at, i.history, i.fates,"
	    " i.proof, i.postmark_id, m.id, r.name, i.recipients FROM item AS i"
	    " LEFT JOIN mail AS m ON m.key=i.key>>20 LEFT JOIN route AS r ON r.key=i.route"
	    " WHERE i.key=?1",
	[SQL_EVENT_ADD] = "INSERT INTO event(item, kind, received_ms, at_ms, mark, id, connection,"
			  " relay_id, message_id, stream, tag, recipient, type, origin, detail,"
			  " type_code, number, suppressed, first, json) VALUES(?1,?2,?3,?4,?5,?6,"
			  "?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19,?20)",
	[SQL_EVENT_READ] = "SELECT kind, recipient FROM event WHERE key=?1",
	[SQL_EVENT_DROP] = "DELETE FROM event WHERE key=?1",
	[SQL_EVENT_NEWEST] = "SELECT received_ms FROM event INDEXED BY event_item"
			     " WHERE item=?1 AND item<>0 ORDER BY key DESC LIMIT 1",
	[SQL_EVENTS_DROP] = "DELETE FROM event WHERE item=?1 AND item<>0",
	[SQL_EVENTS_STRAY] = "SELECT key, mark FROM event INDEXED BY event_stray"
			     " WHERE item=0 AND received_ms<?1 ORDER BY received_ms LIMIT ?2",
	[SQL_MARK_FIND] = "SELECT e.item FROM event_mark AS k LEFT JOIN event AS e ON e.key=k.event"
			  " WHERE k.mark=?1",
	[SQL_MARK_ADD] =
	    "INSERT INTO event_mark(mark, event) VALUES(?1,?2) ON CONFLICT(mark) DO NOTHING",
	[SQL_MARK_DROP] = "DELETE FROM event_mark WHERE mark=?1",
	[SQL_MARKS_DROP] = "DELETE FROM event_mark WHERE mark IN"
			   " (SELECT mark FROM event WHERE item=?1 AND item<>0)",
	[SQL_ITEM_BY_POSTMARK_ID] =
	    "SELECT key FROM item INDEXED BY item_postmark"
	    " WHERE key>>30=?1 AND postmark_id=?2 ORDER BY key DESC LIMIT 1",
	[SQL_ITEM_FATES] = "UPDATE item SET fates=?2 WHERE key=?1",
	[SQL_ITEM_POSTMARK_ID] = "UPDATE item SET postmark_id=?2 WHERE key=?1",
	[SQL_ITEM_PROOF] = "UPDATE item SET proof=?2 WHERE key=?1",
	[SQL_ITEM_PROVEN] = "UPDATE item SET state=6, payload_at=0, history=?2, ended_ms=?3,"
			    " unanswered=0, proof=0 WHERE key=?1",
	[SQL_OUTLET_SET] = "INSERT INTO outlet VALUES(?1,?2)"
			   " ON CONFLICT(name) DO UPDATE SET after_key=?2",
	[SQL_OUTLET_DROP] = "DELETE FROM outlet WHERE name=?1",
	[SQL_SUPPRESSIONS] = "SELECT connection, stream, address, reason, origin, at_ms, lifted"
			     " FROM suppression ORDER BY connection, stream, address",
	/* suppression_replaces() */
	[SQL_SUPPRESSION_SET] = "INSERT INTO suppression VALUES(?1,?2,?3,?4,?5,?6,?7)"
				" ON CONFLICT(connection, stream, address) DO UPDATE"
				" SET reason=?4, origin=?5, at_ms=?6, lifted=?7 WHERE ?6>=at_ms",
	[SQL_LIFTED_PURGE] =
	    "DELETE FROM suppression WHERE (connection, stream, address) IN"
	    " (SELECT connection, stream, address FROM suppression INDEXED BY suppression_lifted"
	    "  WHERE lifted<>0 AND at_ms<?1 LIMIT ?2)",
	[SQL_HOOKS] =
	    "SELECT path, connection, stream, user, password, webhook_id, made_ms, ends_ms"
	    " FROM hook ORDER BY path",
	[SQL_HOOK_SET] = "INSERT OR REPLACE INTO hook VALUES(?1,?2,?3,?4,?5,?6,?7,?8)",
	[SQL_HOOK_DROP] = "DELETE FROM hook WHERE path=?1",
	[SQL_FREE_PAGES] = "PRAGMA freelist_count",
	[SQL_TALLY_READ] = SQLITE_TALLY_READ,
	[SQL_TALLY_ADD] = "UPDATE tally SET number=number+?2 WHERE what=?1",
};

/* --- errors ------------------------------------------------------------------------------ */

enum store_result
sqlite_result(struct sqlite *b, int rc)
{
	if (rc == SQLITE_OK || rc == SQLITE_ROW || rc == SQLITE_DONE)
		return STORE_OK;
	if (b->db != NULL)
		snprintf(b->why, sizeof(b->why), "%s (SQLite %d)", sqlite3_errmsg(b->db),
		    sqlite3_extended_errcode(b->db));
	return (rc & 0xff) == SQLITE_FULL ? STORE_FULL : STORE_BROKEN;
}

enum store_result
sqlite_result_errno(struct sqlite *b, const char *what, int error)
{
	if (error == 0)
		return STORE_OK;
	snprintf(b->why, sizeof(b->why), "%s: %s", what, strerror(error));
	return error == ENOSPC || error == EDQUOT ? STORE_FULL : STORE_BROKEN;
}

/* --- statements -------------------------------------------------------------------------- */

/* Runs a statement that gives no rows and leaves it ready for the next time. */
enum store_result
sqlite_run(struct sqlite *b, enum statement which)
{
	sqlite3_stmt *s = b->statements[which];
	enum store_result result;

	sqlite3_step(s);
	/* reset() tells the error of step() again, in its final form. */
	result = sqlite_result(b, sqlite3_reset(s));
	return result;
}

/* Bindings stay until they are bound again: no copy, so what is lent must last until the run. */
void
sqlite_bind_text(sqlite3_stmt *s, int at, const char *text)
{
	sqlite3_bind_text(s, at, text == NULL ? "" : text, -1, SQLITE_STATIC);
}

void
sqlite_bind_text_or_null(sqlite3_stmt *s, int at, const char *text)
{
	if (text == NULL)
		sqlite3_bind_null(s, at);
	else
		sqlite3_bind_text(s, at, text, -1, SQLITE_STATIC);
}

enum store_result
sqlite_run_key(struct sqlite *b, enum statement which, int64_t key)
{
	sqlite3_bind_int64(b->statements[which], 1, key);
	return sqlite_run(b, which);
}

/* Keys grow with time: the oldest that is open is the first of one of the open states. */
static int
oldest_open(sqlite3_stmt *oldest, struct store_counts *counts)
{
	int64_t least = INT64_MAX;
	int rc = SQLITE_OK;

	for (int state = ITEM_SPOOLED; rc == SQLITE_OK && state < ITEM_SENT; state++) {
		sqlite3_bind_int(oldest, 1, state);
		if (sqlite3_step(oldest) == SQLITE_ROW && sqlite3_column_int64(oldest, 0) < least) {
			least = sqlite3_column_int64(oldest, 0);
			counts->oldest_ms = sqlite3_column_int64(oldest, 1);
		}
		rc = sqlite3_reset(oldest);
	}
	return rc;
}

int
sqlite_counts(sqlite3_stmt *tally, sqlite3_stmt *oldest, struct store_counts *counts)
{
	int rc;

	memset(counts, 0, sizeof(*counts));
	while (sqlite3_step(tally) == SQLITE_ROW) {
		int what = sqlite3_column_int(tally, 0);
		int64_t number = sqlite3_column_int64(tally, 1);

		if (what == TALLY_PUT_ASIDE)
			counts->put_aside = (uint64_t)number;
		else if (sqlite_state_is(what))
			counts->items[what] = (uint64_t)number;
	}
	rc = sqlite3_reset(tally);
	return rc == SQLITE_OK ? oldest_open(oldest, counts) : rc;
}
