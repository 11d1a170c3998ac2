#ifndef PMRELAY_STORE_SQLITE_INSIDE_H
#define PMRELAY_STORE_SQLITE_INSIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sqlite3.h>

#include "base/log.h"
#include "mail/event.h"
#include "mail/hook.h"
#include "mail/suppression.h"

#include "store/backend.h"
#include "store/meter.h"

/* What the files of the SQLite back end share.  Nobody else includes it. */

/*
 * An item's key is the mail's key and the item's number.  Number 0 is no item: its row stands for
 * what the items of the mail share, in a state that nobody claims, counts or purges, and goes
 * with the last payload that needs it.
 */
#define NUMBER_BITS   20
#define NUMBER_SHARED 0
#define STATE_SHARED  0
#define NUMBER_MOST   ((1 << NUMBER_BITS) - 1)

#define BUCKET_BITS 10 /* mails to a bucket of the indexes by age */

enum payload_at {
	PAYLOAD_GONE = 0,
	PAYLOAD_IN_ROW = 1,
	PAYLOAD_IN_FILE = 2,
};

/* The row of the tally table besides enum item_state. */
#define TALLY_PUT_ASIDE 0

enum statement {
	SQL_BEGIN,
	SQL_COMMIT,
	SQL_ROLLBACK,
	SQL_ROUTE_FIND,
	SQL_ROUTE_ADD,
	SQL_MAIL_ADD,
	SQL_MAIL_FIND,
	SQL_MAIL_ID,
	SQL_MAIL_DROP,
	SQL_SHARED_ADD,
	SQL_SHARED_READ,
	SQL_SHARED_NEEDED,
	SQL_ITEM_ADD,
	SQL_ITEM_READ,
	SQL_ITEM_MARK,
	SQL_ITEM_PUT_ASIDE,
	SQL_ITEM_SETTLE,
	SQL_ITEM_DROP,
	SQL_ITEM_TOLD,
	SQL_ITEMS_DUE,
	SQL_ITEMS_UNSURE,
	SQL_ITEMS_SENDING,
	SQL_ITEMS_PROVEN,
	SQL_ITEMS_OF_MAIL,
	SQL_ITEMS_FROM,
	SQL_ITEM_OLDEST,
	SQL_ITEM_FIND,
	SQL_ITEM_TO_UNSURE,
	SQL_NEXT_DUE,
	SQL_NEXT_UNSURE,
	SQL_PAYLOAD_ADD,
	SQL_PAYLOAD_READ,
	SQL_PAYLOAD_DROP,
	SQL_ATTEMPT_ADD,
	SQL_ATTEMPTS_DROP,
	SQL_ITEM_CHANGE,
	SQL_ITEM_LAST,
	SQL_ITEMS_OF_STATE,
	SQL_ITEMS_BETWEEN,
	SQL_ROUTES,
	SQL_ROUTE_SET,
	SQL_ROUTE_OPEN,
	SQL_EVENT_SUBJECT,
	SQL_EVENT_ADD,
	SQL_EVENT_READ,
	SQL_EVENT_DROP,
	SQL_EVENT_NEWEST,
	SQL_EVENTS_DROP,
	SQL_EVENTS_STRAY,
	SQL_MARK_FIND,
	SQL_MARK_ADD,
	SQL_MARK_DROP,
	SQL_MARKS_DROP,
	SQL_ITEM_BY_POSTMARK_ID,
	SQL_ITEM_FATES,
	SQL_ITEM_POSTMARK_ID,
	SQL_ITEM_PROOF,
	SQL_ITEM_PROVEN,
	SQL_OUTLET_SET,
	SQL_OUTLET_DROP,
	SQL_SUPPRESSIONS,
	SQL_SUPPRESSION_SET,
	SQL_LIFTED_PURGE,
	SQL_HOOKS,
	SQL_HOOK_SET,
	SQL_HOOK_DROP,
	SQL_FREE_PAGES,
	SQL_TALLY_READ,
	SQL_TALLY_ADD,
	SQL_STATEMENT_COUNT,
};

/* What readers ask as well. */
#define SQLITE_TALLY_READ "SELECT what, number FROM tally"
#define SQLITE_ITEM_OLDEST                                                                         \
	"SELECT i.key, m.accepted_ms FROM item AS i INDEXED BY item_state"                         \
	" LEFT JOIN mail AS m ON m.key=i.key>>20"                                                  \
	" WHERE i.state=?1 AND i.state NOT IN (0, 6) ORDER BY i.key LIMIT 1"

/* As SQL text. */
extern const char *const sqlite_statements[SQL_STATEMENT_COUNT];

struct route_key {
	char *name;
	int64_t key;
};

struct sqlite {
	char *path;
	int folder; /* holds the lock's folder for fstatvfs */
	int lock;
	struct sync_meter meter;
	struct vfs *vfs;
	struct files *files;

	sqlite3 *db; /* NULL: not to be had at the moment */
	sqlite3_stmt *statements[SQL_STATEMENT_COUNT];
	struct checkpoint *checkpoint;
	int log_frames;
	struct log_gate checkpoint_gate;

	struct route_key *routes; /* those in the table; few, so a list will do */
	size_t route_count;

	int64_t tally[ITEM_STATES]; /* changes of this transaction */
	char why[256];
};

/* --- sqlite_statements.c ----------------------------------------------------------------- */

/* Of SQLite's code, or an errno, with the message for people kept. */
enum store_result sqlite_result(struct sqlite *, int rc);
enum store_result sqlite_result_errno(struct sqlite *, const char *what, int error);

/* Runs a statement that gives no rows and leaves it ready for the next time. */
enum store_result sqlite_run(struct sqlite *, enum statement);
enum store_result sqlite_run_key(struct sqlite *, enum statement, int64_t key);

/* Bindings stay until they are bound again: no copy, so what is lent must last until the run. */
void sqlite_bind_text(sqlite3_stmt *, int at, const char *text); /* NULL: "" */
void sqlite_bind_text_or_null(sqlite3_stmt *, int at, const char *text);

/* What SQLITE_TALLY_READ and SQLITE_ITEM_OLDEST tell, of any connection.  SQLite's code. */
int sqlite_counts(sqlite3_stmt *tally, sqlite3_stmt *oldest, struct store_counts *);

/* --- sqlite.c ---------------------------------------------------------------------------- */

enum store_result sqlite_begin(void *ctx);
enum store_result sqlite_commit(void *ctx);
void sqlite_rollback(void *ctx);

/* --- sqlite_rows.c ----------------------------------------------------------------------- */

/* *key_r is 0 for a route that is not in the table, unless it is to be added. */
enum store_result sqlite_route_key(struct sqlite *, const char *name, bool add, int64_t *key_r);
/* 0: there is none of that id. */
enum store_result sqlite_mail_key(struct sqlite *, const char *mail_id, int64_t *key_r);
enum store_result sqlite_payload_drop(struct sqlite *, int64_t key, enum payload_at);
/* The item, its body, its history and its events. */
enum store_result sqlite_item_drop(
    struct sqlite *, int64_t key, int state, enum payload_at, bool put_aside);
/* After a payload of the mail has gone: what the items share goes with the last of them. */
enum store_result sqlite_shared_drop_unneeded(struct sqlite *, int64_t mail_key);
/* A line of the item's history.  to: where it really went. */
enum store_result sqlite_history_add(struct sqlite *, int64_t line, int64_t attempt,
    const struct store_outcome *, enum item_state to);
/* One that is kept for people to look at. */
static inline bool
sqlite_state_is(int state)
{
	return state >= ITEM_SPOOLED && state < ITEM_STATES;
}
enum store_result sqlite_insert_mail(void *ctx, const struct mail *, bool *known_r);

/* --- sqlite_claim.c ---------------------------------------------------------------------- */

enum store_result sqlite_claim(void *ctx, const struct store_claim *, const struct keyset *in_hand,
    struct backend_claim *claim_r);
enum store_result sqlite_settle(void *ctx, const struct store_outcome *, bool *taken_r);
enum store_result sqlite_next_due(void *ctx, const char *route, enum item_state from,
    int64_t now_ms, const struct keyset *in_hand, int64_t *due_ms_r);

/* --- sqlite_change.c --------------------------------------------------------------------- */

enum store_result sqlite_change(void *ctx, const struct store_change *,
    const struct keyset *in_hand, struct backend_change *progress);
enum store_result sqlite_take_back(void *ctx, const char *const *mail_ids, size_t count,
    const struct keyset *in_hand, enum store_taken *taken_r);
enum store_result sqlite_strays(
    void *ctx, const struct strlist *known, struct store_stray **strays_r, size_t *count_r);
enum store_result sqlite_routes(void *ctx, struct store_route **routes_r, size_t *count_r);
enum store_result sqlite_route_set(void *ctx, const struct store_route *);

/* --- sqlite_event.c ---------------------------------------------------------------------- */

enum store_result sqlite_event(
    void *ctx, const struct event *, const struct keyset *in_hand, struct store_event_done *did_r);
/* What we found out ourselves with an outcome, once it is in: that the item FAILED, or that some of
 * its recipients are inactive.  line: of its history, so that each has a mark of its own. */
enum store_result sqlite_event_own(
    struct sqlite *, enum event_kind, int64_t line, const struct store_outcome *);
enum store_result sqlite_events_drop(struct sqlite *, int64_t item);
/* At most that many of those that belong to no item. */
enum store_result sqlite_events_purge(
    struct sqlite *, int64_t received_before_ms, size_t most, size_t *dropped_r);

/* An item of which Postmark spoke while it was in somebody's hands: its proof is that event. */
struct proven {
	int64_t key;
	int64_t history; /* lines so far */
	int64_t proof;
	int state;
	enum payload_at at;
};
/* The line of history that says so, as the line of that number. */
enum store_result sqlite_proof_note(
    struct sqlite *, int64_t key, int64_t line, int64_t proof, int64_t at_ms);
/* It is SENT. */
enum store_result sqlite_item_proven(struct sqlite *, const struct proven *, int64_t at_ms);

enum store_result sqlite_outlet_set(void *ctx, const char *name, int64_t after_key);
enum store_result sqlite_suppressions(void *ctx, struct suppression **list_r, size_t *count_r);
enum store_result sqlite_suppression_set(void *ctx, const struct suppression *);
/* Those that were lifted before that time, some of them. */
enum store_result sqlite_lifted_purge(
    struct sqlite *, int64_t lifted_before_ms, size_t most, size_t *dropped_r);
enum store_result sqlite_hooks(void *ctx, struct hook **list_r, size_t *count_r);
enum store_result sqlite_hook_set(void *ctx, const struct hook *);
enum store_result sqlite_hook_drop(void *ctx, const char *path);

/* --- sqlite_reader.c --------------------------------------------------------------------- */

enum read_statement {
	READ_BEGIN,
	READ_END,
	READ_TALLY,
	READ_OLDEST,
	READ_ROUTE_NAME,
	READ_ROUTE_KEY,
	READ_MAIL,
	READ_MAIL_KEY,
	READ_ITEM,
	READ_ITEMS_OF_MAIL,
	READ_KEYS,
	READ_BY_POSTMARK_ID,
	READ_BY_MESSAGE_ID,
	READ_HISTORY,
	READ_PLACES,
	READ_PAYLOAD,
	READ_EVENT,
	READ_EVENTS,
	READ_EVENTS_OF_ITEM,
	READ_EVENT_KEYS,
	READ_EVENT_OWNER,
	READ_LAST_EVENT,
	READ_OUTLET,
	READ_STATEMENT_COUNT,
	/* Walks; one at a time of each would not do, so they are prepared when they begin. */
	WALK_ALL_DOWN = READ_STATEMENT_COUNT,
	WALK_ALL_UP,
	WALK_STATE_DOWN,
	WALK_STATE_UP,
	WALK_END,
};

extern const char *const sqlite_read_statements[WALK_END];

struct sqlite_reader {
	char *path;
	int payload_folder;
	sqlite3 *db; /* NULL: to be opened by the next call */
	sqlite3_stmt *statements[READ_STATEMENT_COUNT];
	char why[256];
};

/* 0, or -1 with the message kept; what may stick to the connection goes with it. */
int sqlite_read_result(struct sqlite_reader *, int rc);
int sqlite_view_begin(struct sqlite_reader *);
/* With what became of it so far.  Statements that are still under way are reset by their users. */
int sqlite_view_end(struct sqlite_reader *, int result);

/* --- sqlite_reader_event.c --------------------------------------------------------------- */

struct event_page;
struct event_facts;
int sqlite_reader_events(
    void *ctx, const struct event_page *, struct event_facts **events_r, size_t *count_r);
int sqlite_reader_last_event(void *ctx, int64_t *key_r);
int sqlite_reader_outlet(void *ctx, const char *name, int64_t *after_key_r);

/* --- sqlite_recover.c -------------------------------------------------------------------- */

enum store_result sqlite_purge(void *ctx, int64_t ended_before_ms, int64_t *cursor, bool *again_r);
enum store_result sqlite_recover(void *ctx, const struct keyset *in_hand,
    const struct strlist *forget, int64_t now_ms, uint64_t *unsure_r);
enum store_result sqlite_sweep(void *ctx, uint64_t *removed_r);

#endif
