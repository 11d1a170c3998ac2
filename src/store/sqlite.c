/*
 * The spool on SQLite: one connection that writes, used by the writer's thread alone, and one
 * that moves the log into the database (checkpoint.h).  Bodies of up to SQLITE_ROW_MOST bytes are
 * rows, larger ones files (files.h).
 *
 * The rule this file keeps: the counts in the tally table, the rows and the files change in one
 * transaction, or not at all.
 */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <linux/magic.h>

#include <sqlite3.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"

#include "store/backend.h"
#include "store/checkpoint.h"
#include "store/files.h"
#include "store/meter.h"
#include "store/migrate.h"
#include "store/sqlite.h"
#include "store/vfs.h"

/*
 * An item's key is the mail's key and the item's number.  Number 0 is no item: its row stands for
 * what the items of the mail share, in a state that nobody claims, counts or purges, and goes
 * with the last payload that needs it.
 */
#define NUMBER_BITS  20
#define SHARED       0
#define STATE_SHARED 8
#define NUMBER_MOST  ((1 << NUMBER_BITS) - 1)

/* A body of 10 KB takes one page and a quarter.  With pages of 4 KB it takes three and with
 * larger ones the last page is mostly air: more bytes to log either way. */
#define PAGE_BYTES 8192

/* Frames in the log at which the checkpoint thread begins, and at which the writer finishes the
 * work itself so that the log does not grow for ever. */
#define LOG_FRAMES_BEGIN  4096
#define LOG_FRAMES_FINISH 256
#define LOG_FRAMES_MOST   16384

/* When the disk is nearly full: frames that are worth a checkpoint, and the share of the wanted
 * room that must be on the disk itself, for the log. */
#define LOG_FRAMES_LOW 128
#define LOG_SHARE      4

#define ANSWER_MOST 4096
#define PURGE_ROWS  500

enum payload_at {
	PAYLOAD_GONE = 0,
	PAYLOAD_IN_ROW = 1,
	PAYLOAD_IN_FILE = 2,
};

/* The row of the tally table besides enum item_state. */
#define TALLY_PUT_ASIDE 0

enum statement {
	BEGIN,
	COMMIT,
	ROLLBACK,
	ROUTE_FIND,
	ROUTE_ADD,
	MAIL_ADD,
	MAIL_FIND,
	MAIL_ID,
	MAIL_DROP,
	SHARED_ADD,
	SHARED_READ,
	SHARED_NEEDED,
	ITEM_ADD,
	ITEM_READ,
	ITEM_MARK,
	ITEM_PUT_ASIDE,
	ITEM_SETTLE,
	ITEM_DROP,
	ITEMS_DUE,
	ITEMS_UNSURE,
	ITEMS_SENDING,
	ITEMS_OF_MAIL,
	ITEMS_FROM,
	ITEM_OLDEST,
	ITEM_FIND,
	ITEM_TO_UNSURE,
	NEXT_DUE,
	NEXT_UNSURE,
	PAYLOAD_ADD,
	PAYLOAD_READ,
	PAYLOAD_DROP,
	ATTEMPT_ADD,
	ATTEMPTS_DROP,
	FREE_PAGES,
	TALLY_READ,
	TALLY_ADD,
	STATEMENT_COUNT,
};

#define CLAIM_COLUMNS                                                                              \
	"SELECT i.key, i.state, i.attempt, i.payload_at, i.payload_bytes, i.recipients,"           \
	" m.id, m.accepted_ms, z.payload_at, z.payload_bytes, i.message_bytes, i.kind,"            \
	" i.since_ms FROM item AS i"

#define CLAIM_JOINS                                                                                \
	" LEFT JOIN mail AS m ON m.key=i.key>>20 LEFT JOIN item AS z ON z.key=(i.key>>20)<<20"

static const char *const statement_sql[STATEMENT_COUNT] = {
	[BEGIN] = "BEGIN",
	[COMMIT] = "COMMIT",
	[ROLLBACK] = "ROLLBACK",
	[ROUTE_FIND] = "SELECT key FROM route WHERE name=?1",
	[ROUTE_ADD] = "INSERT INTO route(name) VALUES(?1)",
	[MAIL_ADD] = "INSERT INTO mail(id, accepted_ms, reverse_path, listener, client, helo,"
		     " message_id, from_header, subject, ledger, content_bytes)"
		     " VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11) ON CONFLICT(id) DO NOTHING",
	[MAIL_FIND] = "SELECT key FROM mail WHERE id=?1",
	[MAIL_ID] = "SELECT id FROM mail WHERE key=?1",
	[MAIL_DROP] = "DELETE FROM mail WHERE key=?1 AND NOT EXISTS"
		      "(SELECT 1 FROM item WHERE key>=?1<<20 AND key<(?1+1)<<20)",
	[SHARED_ADD] =
	    "INSERT INTO item(key, route, state, due_ms, attempt, history, put_aside, payload_at,"
	    " payload_bytes, message_bytes, ended_ms, recipients)"
	    " VALUES(?1,?2,8,0,0,0,0,?3,?4,?4,9223372036854775807,'')",
	[SHARED_READ] = "SELECT payload_at FROM item WHERE key=?1<<20",
	[SHARED_NEEDED] = "SELECT 1 FROM item"
			  " WHERE key>?1<<20 AND key<(?1+1)<<20 AND payload_at<>0 LIMIT 1",
	[ITEM_ADD] = "INSERT INTO item(key, route, state, due_ms, attempt, history, put_aside,"
		     " payload_at, payload_bytes, message_bytes, ended_ms, recipients, kind)"
		     " VALUES(?1,?2,1,?3,0,0,0,?4,?5,?7,0,?6,?8)",
	[ITEM_READ] = "SELECT state, attempt, history, payload_at FROM item WHERE key=?1",
	[ITEM_MARK] = "UPDATE item SET state=2, attempt=?2 WHERE key=?1",
	[ITEM_PUT_ASIDE] = "UPDATE item SET state=4, put_aside=1 WHERE key=?1",
	[ITEM_SETTLE] =
	    "UPDATE item SET state=?2, due_ms=?3, attempt=?4, history=?5, payload_at=?6,"
	    " ended_ms=?7, postmark_id=coalesce(?8, postmark_id),"
	    " inactive=coalesce(?9, inactive), unanswered=?10 WHERE key=?1",
	[ITEM_DROP] = "DELETE FROM item WHERE key=?1",
	[ITEMS_DUE] = CLAIM_COLUMNS " INDEXED BY item_due" CLAIM_JOINS
				    " WHERE i.route=?1 AND i.state IN (1, 3) AND i.due_ms<=?2"
				    " ORDER BY i.due_ms, i.key",
	[ITEMS_UNSURE] = CLAIM_COLUMNS
	" INDEXED BY item_unsure" CLAIM_JOINS
	" WHERE i.route=?1 AND i.state=5 AND i.due_ms<=?2 ORDER BY i.due_ms, i.key",
	[ITEMS_SENDING] = "SELECT key FROM item INDEXED BY item_state"
			  " WHERE state=2 AND state NOT IN (6, 8)",
	[ITEMS_OF_MAIL] = "SELECT key, state, payload_at, put_aside FROM item"
			  " WHERE key>=?1<<20 AND key<(?1+1)<<20",
	[ITEMS_FROM] = "SELECT i.key, i.state, i.payload_at, i.put_aside, i.ended_ms, m.accepted_ms"
		       " FROM item AS i LEFT JOIN mail AS m ON m.key=i.key>>20"
		       " WHERE i.key>?1 ORDER BY i.key LIMIT ?2",
	[ITEM_OLDEST] = "SELECT i.key, m.accepted_ms FROM item AS i INDEXED BY item_state"
			" LEFT JOIN mail AS m ON m.key=i.key>>20"
			" WHERE i.state=?1 AND i.state NOT IN (6, 8) ORDER BY i.key LIMIT 1",
	[ITEM_FIND] = "SELECT i.payload_at FROM mail AS m JOIN item AS i ON i.key=(m.key<<20)+?2"
		      " WHERE m.id=?1",
	[ITEM_TO_UNSURE] = "UPDATE item SET state=5, due_ms=?2 WHERE key=?1",
	[NEXT_DUE] = "SELECT key, due_ms FROM item INDEXED BY item_due"
		     " WHERE route=?1 AND state IN (1, 3) AND due_ms>?2 ORDER BY due_ms",
	[NEXT_UNSURE] = "SELECT key, due_ms FROM item INDEXED BY item_unsure"
			" WHERE route=?1 AND state=5 AND due_ms>?2 ORDER BY due_ms",
	[PAYLOAD_ADD] = "INSERT INTO payload VALUES(?1,?2)",
	[PAYLOAD_READ] = "SELECT json FROM payload WHERE item=?1",
	[PAYLOAD_DROP] = "DELETE FROM payload WHERE item=?1",
	[ATTEMPT_ADD] = "INSERT INTO attempt VALUES(?1,?2,?3,?4,?5,?6,?7,?8)",
	[ATTEMPTS_DROP] = "DELETE FROM attempt WHERE item=?1",
	[FREE_PAGES] = "PRAGMA freelist_count",
	[TALLY_READ] = "SELECT what, number FROM tally",
	[TALLY_ADD] = "UPDATE tally SET number=number+?2 WHERE what=?1",
};

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
	sqlite3_stmt *statements[STATEMENT_COUNT];
	struct checkpoint *checkpoint;
	int log_frames;
	struct log_gate checkpoint_gate;

	struct route_key *routes; /* those in the table; few, so a list will do */
	size_t route_count;

	int64_t tally[ITEM_FAILED + 1]; /* changes of this transaction */
	char why[256];
};

/* --- errors ------------------------------------------------------------------------------ */

static enum store_result
result_of(struct sqlite *b, int rc)
{
	if (rc == SQLITE_OK || rc == SQLITE_ROW || rc == SQLITE_DONE)
		return STORE_OK;
	if (b->db != NULL)
		snprintf(b->why, sizeof(b->why), "%s (SQLite %d)", sqlite3_errmsg(b->db),
		    sqlite3_extended_errcode(b->db));
	return (rc & 0xff) == SQLITE_FULL ? STORE_FULL : STORE_BROKEN;
}

static enum store_result
result_of_errno(struct sqlite *b, const char *what, int error)
{
	if (error == 0)
		return STORE_OK;
	snprintf(b->why, sizeof(b->why), "%s: %s", what, strerror(error));
	return error == ENOSPC || error == EDQUOT ? STORE_FULL : STORE_BROKEN;
}

static const char *
sqlite_why(void *ctx)
{
	struct sqlite *b = ctx;

	return b->why;
}

/* --- statements -------------------------------------------------------------------------- */

/* Runs a statement that gives no rows and leaves it ready for the next time. */
static enum store_result
statement_run(struct sqlite *b, enum statement which)
{
	sqlite3_stmt *s = b->statements[which];
	enum store_result result;

	sqlite3_step(s);
	/* reset() tells the error of step() again, in its final form. */
	result = result_of(b, sqlite3_reset(s));
	return result;
}

/* Bindings stay until they are bound again: no copy, so what is lent must last until the run. */
static void
bind_text(sqlite3_stmt *s, int at, const char *text)
{
	sqlite3_bind_text(s, at, text == NULL ? "" : text, -1, SQLITE_STATIC);
}

static void
bind_text_or_null(sqlite3_stmt *s, int at, const char *text)
{
	if (text == NULL)
		sqlite3_bind_null(s, at);
	else
		sqlite3_bind_text(s, at, text, -1, SQLITE_STATIC);
}

static enum store_result
run_with_key(struct sqlite *b, enum statement which, int64_t key)
{
	sqlite3_bind_int64(b->statements[which], 1, key);
	return statement_run(b, which);
}

/* --- open and close ---------------------------------------------------------------------- */

static void
routes_forget(struct sqlite *b)
{
	for (size_t i = 0; i < b->route_count; i++)
		free(b->routes[i].name);
	free(b->routes);
	b->routes = NULL;
	b->route_count = 0;
}

static void
disconnect(struct sqlite *b)
{
	checkpoint_stop(&b->checkpoint);
	for (int i = 0; i < STATEMENT_COUNT; i++) {
		sqlite3_finalize(b->statements[i]);
		b->statements[i] = NULL;
	}
	sqlite3_close(b->db);
	b->db = NULL;
	routes_forget(b);
	memset(b->tally, 0, sizeof(b->tally));
}

static int
log_grown(void *ctx, sqlite3 *db, const char *name, int frames)
{
	struct sqlite *b = ctx;

	(void)db;
	(void)name;
	b->log_frames = frames;
	return SQLITE_OK;
}

static int
connect_db(struct sqlite *b, char *why, size_t why_size)
{
	char pragmas[512];
	int rc = sqlite3_open_v2(b->path, &b->db,
	    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, vfs_name(b->vfs));

	if (b->db == NULL) {
		snprintf(why, why_size, "%s: no memory", b->path);
		return -1;
	}
	if (rc != SQLITE_OK)
		goto say_why;
	sqlite3_extended_result_codes(b->db, 1);
	/* Nobody else writes, but an operator may be looking with the sqlite3 shell. */
	sqlite3_busy_timeout(b->db, 2000);
	/* secure_delete=FAST wipes what is in memory anyway.  A full wipe would write every body a
	 * second time; that old bytes stay in free pages until these are used again is told in
	 * doc/queue.md.  The log is cut back to its usual size after a burst. */
	snprintf(pragmas, sizeof(pragmas),
	    "PRAGMA page_size=%d; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
	    "PRAGMA wal_autocheckpoint=0; PRAGMA journal_size_limit=%d;"
	    "PRAGMA secure_delete=FAST; PRAGMA cache_size=-4096; PRAGMA temp_store=MEMORY;"
	    "PRAGMA trusted_schema=OFF",
	    PAGE_BYTES, LOG_FRAMES_MOST * PAGE_BYTES);
	if (sqlite3_exec(b->db, pragmas, NULL, NULL, NULL) != SQLITE_OK)
		goto say_why;
	if (migrate_run(b->db, migrate_steps, migrate_step_count, why, why_size) != 0) {
		disconnect(b);
		return -1;
	}
	for (int i = 0; i < STATEMENT_COUNT; i++)
		if (sqlite3_prepare_v3(b->db, statement_sql[i], -1, SQLITE_PREPARE_PERSISTENT,
			&b->statements[i], NULL) != SQLITE_OK)
			goto say_why;
	sqlite3_wal_hook(b->db, log_grown, b);
	b->log_frames = 0;
	b->checkpoint = checkpoint_start(b->path, vfs_name(b->vfs));
	if (b->checkpoint == NULL) {
		snprintf(why, why_size, "%s: cannot open it a second time", b->path);
		disconnect(b);
		return -1;
	}
	return 0;

say_why:
	snprintf(why, why_size, "%s: %s", b->path, sqlite3_errmsg(b->db));
	disconnect(b);
	return -1;
}

/* Two daemons on one spool would send everything twice. */
static int
lock_take(struct sqlite *b, const char *folder, char *why, size_t why_size)
{
	char holder[32] = "";
	ssize_t n;

	b->lock = openat(b->folder, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (b->lock == -1) {
		snprintf(why, why_size, "%s/lock: %s", folder, strerror(errno));
		return -1;
	}
	if (flock(b->lock, LOCK_EX | LOCK_NB) != 0) {
		n = pread(b->lock, holder, sizeof(holder) - 1, 0);
		holder[n > 0 ? n : 0] = '\0';
		holder[strcspn(holder, "\n")] = '\0';
		snprintf(why, why_size,
		    "the spool %s is in use by another pmrelayd (process %s): stop that one, or "
		    "give this one a folder of its own",
		    folder, holder[0] != '\0' ? holder : "unknown");
		return -1;
	}
	snprintf(holder, sizeof(holder), "%ld\n", (long)getpid());
	/* On a full disk the number is missing; the lock holds all the same. */
	if (ftruncate(b->lock, 0) != 0 || pwrite(b->lock, holder, strlen(holder), 0) < 0)
		log_debug("spool-lock", log_str("why", strerror(errno)));
	return 0;
}

/* 0, or -1: it is not durable, and that is not to be. */
static int
durability_check(
    const struct sqlite *b, const struct backend_params *params, char *why, size_t why_size)
{
	const char *kind = NULL;
	struct statfs st;

	if (fstatfs(b->folder, &st) != 0)
		return 0;
	switch ((unsigned long)st.f_type) {
	case TMPFS_MAGIC:
		kind = "tmpfs";
		break;
	case RAMFS_MAGIC:
		kind = "ramfs";
		break;
	case OVERLAYFS_SUPER_MAGIC:
		kind = "overlay";
		break;
	default:
		return 0;
	}
	if (params->require_durable) {
		snprintf(why, why_size,
		    "%s is on %s, where mail is lost with the machine or the container: put the "
		    "spool on a disk or a volume, or set require-durable to no",
		    params->folder, kind);
		return -1;
	}
	log_warning("spool-not-durable", log_str("folder", params->folder),
	    log_str("filesystem", kind),
	    log_str("why", "mail accepted here is lost with the machine or the container; "
			   "put the spool on a disk or a volume"));
	return 0;
}

static void
library_setup(void)
{
	/* Must come before SQLite is first used; where another was first, it is as well. */
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

static void sqlite_close(void *ctx);

static void *
sqlite_open(const struct backend_params *params, char *why, size_t why_size)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct sqlite *b = mem_new(sizeof(*b));
	int fd, error;

	pthread_once(&once, library_setup);
	b->lock = b->folder = -1;
	b->meter.delay_ms = params->sync_delay_ms;
	b->path = mem_format("%s/spool.db", params->folder);
	if (mkdir(params->folder, 0700) != 0 && errno != EEXIST) {
		snprintf(why, why_size, "%s: %s", params->folder, strerror(errno));
		goto undo;
	}
	b->folder = open(params->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (b->folder == -1) {
		snprintf(why, why_size, "%s: %s", params->folder, strerror(errno));
		goto undo;
	}
	if (lock_take(b, params->folder, why, why_size) != 0)
		goto undo;
	if (durability_check(b, params, why, why_size) != 0)
		goto undo;
	error = files_open(&b->files, b->folder, &b->meter);
	if (error != 0) {
		snprintf(why, why_size, "%s/payload: %s", params->folder, strerror(error));
		goto undo;
	}
	/* SQLite gives its log the mode of the database. */
	fd = openat(b->folder, "spool.db", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd == -1) {
		snprintf(why, why_size, "%s: %s", b->path, strerror(errno));
		goto undo;
	}
	close(fd);
	b->vfs = vfs_new(&b->meter);
	if (b->vfs == NULL) {
		snprintf(why, why_size, "SQLite does not start");
		goto undo;
	}
	if (connect_db(b, why, why_size) != 0)
		goto undo;
	/* The names of what was made. */
	fsync(b->folder);
	return b;

undo:
	sqlite_close(b);
	return NULL;
}

static void
sqlite_close(void *ctx)
{
	struct sqlite *b = ctx;

	disconnect(b);
	vfs_free(&b->vfs);
	files_close(&b->files);
	if (b->folder != -1)
		close(b->folder);
	if (b->lock != -1)
		close(b->lock);
	free(b->path);
	free(b);
}

static enum store_result
sqlite_reopen(void *ctx)
{
	struct sqlite *b = ctx;

	files_rolled_back(b->files);
	disconnect(b);
	return connect_db(b, b->why, sizeof(b->why)) == 0 ? STORE_OK : STORE_BROKEN;
}

/* --- transactions ------------------------------------------------------------------------ */

static enum store_result
sqlite_begin(void *ctx)
{
	struct sqlite *b = ctx;

	return b->db == NULL ? STORE_BROKEN : statement_run(b, BEGIN);
}

static enum store_result
tally_flush(struct sqlite *b)
{
	sqlite3_stmt *s = b->statements[TALLY_ADD];

	for (int i = 0; i <= ITEM_FAILED; i++) {
		enum store_result result;

		if (b->tally[i] == 0)
			continue;
		sqlite3_bind_int(s, 1, i);
		sqlite3_bind_int64(s, 2, b->tally[i]);
		result = statement_run(b, TALLY_ADD);
		if (result != STORE_OK)
			return result;
		b->tally[i] = 0;
	}
	return STORE_OK;
}

static enum store_result
sqlite_commit(void *ctx)
{
	struct sqlite *b = ctx;
	enum store_result result = tally_flush(b);

	if (result == STORE_OK)
		result = result_of_errno(b, "payload file", files_sync(b->files));
	if (result == STORE_OK)
		result = statement_run(b, COMMIT);
	if (result == STORE_OK)
		files_committed(b->files);
	return result;
}

static void
sqlite_rollback(void *ctx)
{
	struct sqlite *b = ctx;

	/* After some errors SQLite has rolled back by itself. */
	if (b->db != NULL && !sqlite3_get_autocommit(b->db)) {
		char why[sizeof(b->why)];

		memcpy(why, b->why, sizeof(why));
		statement_run(b, ROLLBACK);
		memcpy(b->why, why, sizeof(why)); /* the cause is what people want to know */
	}
	files_rolled_back(b->files);
	memset(b->tally, 0, sizeof(b->tally));
	/* What was new in this transaction is unknown again. */
	routes_forget(b);
}

static bool
sqlite_changed(void *ctx)
{
	struct sqlite *b = ctx;

	return b->db != NULL && sqlite3_txn_state(b->db, "main") == SQLITE_TXN_WRITE;
}

/* --- small parts ------------------------------------------------------------------------- */

/* *key_r is 0 for a route that is not in the table, unless it is to be added. */
static enum store_result
route_key(struct sqlite *b, const char *name, bool add, int64_t *key_r)
{
	sqlite3_stmt *s = b->statements[ROUTE_FIND];
	enum store_result result;

	*key_r = 0;
	for (size_t i = 0; i < b->route_count; i++)
		if (strcmp(b->routes[i].name, name) == 0) {
			*key_r = b->routes[i].key;
			return STORE_OK;
		}
	bind_text(s, 1, name);
	if (sqlite3_step(s) == SQLITE_ROW)
		*key_r = sqlite3_column_int64(s, 0);
	result = result_of(b, sqlite3_reset(s));
	if (result == STORE_OK && *key_r == 0 && add) {
		bind_text(b->statements[ROUTE_ADD], 1, name);
		result = statement_run(b, ROUTE_ADD);
		*key_r = sqlite3_last_insert_rowid(b->db);
	}
	if (result != STORE_OK || *key_r == 0)
		return result;
	b->routes = mem_resize(b->routes, b->route_count + 1, sizeof(b->routes[0]));
	b->routes[b->route_count++] = (struct route_key){ mem_string(name), *key_r };
	return STORE_OK;
}

/* The name of an item's file.  An item without a mail has none: "". */
static enum store_result
item_name(struct sqlite *b, int64_t key, char out[ITEM_ID_SIZE])
{
	sqlite3_stmt *s = b->statements[MAIL_ID];

	out[0] = '\0';
	sqlite3_bind_int64(s, 1, key >> NUMBER_BITS);
	if (sqlite3_step(s) == SQLITE_ROW)
		item_id(
		    out, (const char *)sqlite3_column_text(s, 0), (unsigned)(key & NUMBER_MOST));
	return result_of(b, sqlite3_reset(s));
}

static enum store_result
payload_drop(struct sqlite *b, int64_t key, enum payload_at at)
{
	char name[ITEM_ID_SIZE];
	enum store_result result = STORE_OK;

	switch (at) {
	case PAYLOAD_GONE:
		break;
	case PAYLOAD_IN_ROW:
		result = run_with_key(b, PAYLOAD_DROP, key);
		break;
	case PAYLOAD_IN_FILE:
		result = item_name(b, key, name);
		if (result == STORE_OK && name[0] != '\0')
			files_drop(b->files, name);
		break;
	}
	return result;
}

/* The item, its body and its history. */
static enum store_result
item_drop(struct sqlite *b, int64_t key, int state, enum payload_at at, bool put_aside)
{
	enum store_result result = payload_drop(b, key, at);

	if (result == STORE_OK)
		result = run_with_key(b, ATTEMPTS_DROP, key);
	if (result == STORE_OK)
		result = run_with_key(b, ITEM_DROP, key);
	if (state >= ITEM_SPOOLED && state <= ITEM_FAILED)
		b->tally[state]--;
	if (put_aside)
		b->tally[TALLY_PUT_ASIDE]--;
	return result;
}

/* After a payload of the mail has gone: what the items share goes with the last of them. */
static enum store_result
shared_drop_unneeded(struct sqlite *b, int64_t mail_key)
{
	sqlite3_stmt *s = b->statements[SHARED_READ];
	enum payload_at at = PAYLOAD_GONE;
	bool needed = false;
	enum store_result result;

	sqlite3_bind_int64(s, 1, mail_key);
	if (sqlite3_step(s) == SQLITE_ROW)
		at = (enum payload_at)sqlite3_column_int(s, 0);
	result = result_of(b, sqlite3_reset(s));
	if (result != STORE_OK || at == PAYLOAD_GONE)
		return result;
	s = b->statements[SHARED_NEEDED];
	sqlite3_bind_int64(s, 1, mail_key);
	needed = sqlite3_step(s) == SQLITE_ROW;
	result = result_of(b, sqlite3_reset(s));
	if (result != STORE_OK || needed)
		return result;
	return item_drop(b, mail_key << NUMBER_BITS | SHARED, STATE_SHARED, at, false);
}

/* --- intake ------------------------------------------------------------------------------ */

static enum store_result
payload_add(struct sqlite *b, int64_t key, const struct payload *payload)
{
	sqlite3_stmt *s = b->statements[PAYLOAD_ADD];
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
				return result_of_errno(b, "payload", error);
			}
			have += (size_t)n;
		}
	}
	sqlite3_bind_int64(s, 1, key);
	sqlite3_bind_blob64(s, 2, copy != NULL ? copy : payload->data, payload->len, SQLITE_STATIC);
	result = statement_run(b, PAYLOAD_ADD);
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
	return result_of_errno(b, "payload file", files_put(b->files, name, payload));
}

static enum store_result
shared_add(struct sqlite *b, const struct mail *mail, int64_t mail_key, int64_t route)
{
	sqlite3_stmt *s = b->statements[SHARED_ADD];
	int64_t key = mail_key << NUMBER_BITS | SHARED;
	enum store_result result;

	if (mail->shared.len == 0)
		return STORE_OK;
	sqlite3_bind_int64(s, 1, key);
	sqlite3_bind_int64(s, 2, route);
	sqlite3_bind_int(s, 3, (int)place_for(&mail->shared));
	sqlite3_bind_int64(s, 4, (int64_t)mail->shared.len);
	result = statement_run(b, SHARED_ADD);
	return result == STORE_OK ? payload_put(b, mail->id, key, &mail->shared) : result;
}

static enum store_result
item_add(struct sqlite *b, const struct mail *mail, int64_t mail_key, int64_t route,
    const struct item *item)
{
	sqlite3_stmt *s = b->statements[ITEM_ADD];
	int64_t key = mail_key << NUMBER_BITS | item->number;
	enum store_result result;
	size_t len = 0, at = 0;
	char *recipients;

	if (item->number < 1 || item->number > NUMBER_MOST)
		return result_of_errno(b, "number of an item", ERANGE);
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
	result = statement_run(b, ITEM_ADD);
	free(recipients);
	if (result != STORE_OK)
		return result;
	b->tally[ITEM_SPOOLED]++;
	return payload_put(b, mail->id, key, &item->payload);
}

static enum store_result
sqlite_insert_mail(void *ctx, const struct mail *mail, bool *known_r)
{
	struct sqlite *b = ctx;
	sqlite3_stmt *s = b->statements[MAIL_ADD];
	enum store_result result;
	int64_t mail_key, route;

	*known_r = false;
	bind_text(s, 1, mail->id);
	sqlite3_bind_int64(s, 2, mail->accepted_ms);
	bind_text(s, 3, mail->reverse_path);
	bind_text(s, 4, mail->listener);
	bind_text(s, 5, mail->client);
	bind_text(s, 6, mail->helo);
	bind_text(s, 7, mail->message_id);
	bind_text(s, 8, mail->from);
	bind_text(s, 9, mail->subject);
	bind_text(s, 10, mail->ledger);
	sqlite3_bind_int64(s, 11, (int64_t)mail->content_bytes);
	result = statement_run(b, MAIL_ADD);
	if (result != STORE_OK)
		return result;
	if (sqlite3_changes(b->db) == 0) {
		*known_r = true;
		return STORE_OK;
	}
	mail_key = sqlite3_last_insert_rowid(b->db);
	result = route_key(b, mail->route == NULL ? "" : mail->route, true, &route);
	if (result == STORE_OK)
		result = shared_add(b, mail, mail_key, route);
	for (size_t i = 0; result == STORE_OK && i < mail->item_count; i++)
		result = item_add(b, mail, mail_key, route, &mail->items[i]);
	return result;
}

/* --- dispatch ---------------------------------------------------------------------------- */

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
	int64_t bytes = sqlite3_column_int64(s, 4);

	*due = (struct due){ .at = (enum payload_at)sqlite3_column_int(s, 3) };
	due->item.key = sqlite3_column_int64(s, 0);
	due->item.came_from = (enum item_state)sqlite3_column_int(s, 1);
	due->item.attempt = (unsigned)sqlite3_column_int(s, 2);
	due->item.accepted_ms = sqlite3_column_int64(s, 7);
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
	sqlite3_stmt *s = b->statements[PAYLOAD_READ];
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
		return due->unreadable != NULL ? STORE_OK : result_of(b, rc);
	case PAYLOAD_IN_FILE:
		item_id(name, due->item.id, (unsigned)(key & NUMBER_MOST));
		error = files_read(b->files, name, payload->len, &payload->fd);
		if (error == ENOENT)
			due->unreadable = "its payload file is missing";
		else if (error == EBADMSG)
			due->unreadable = "its payload file has another length";
		return due->unreadable != NULL ? STORE_OK
					       : result_of_errno(b, "payload file", error);
	}
	due->unreadable = "its row names no payload";
	return STORE_OK;
}

static enum store_result
due_payload(struct sqlite *b, struct due *due)
{
	int64_t shared_key = due->item.key >> NUMBER_BITS << NUMBER_BITS | SHARED;
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
	if (state >= ITEM_SPOOLED && state <= ITEM_FAILED)
		b->tally[state]--;
	b->tally[ITEM_HELD]++;
	b->tally[TALLY_PUT_ASIDE]++;
	return run_with_key(b, ITEM_PUT_ASIDE, due->item.key);
}

static enum store_result
sqlite_claim(void *ctx, const struct store_claim *claim, const struct keyset *in_hand,
    struct backend_claim *claim_r)
{
	struct sqlite *b = ctx;
	bool unsure = claim->from == ITEM_UNSURE;
	sqlite3_stmt *s = b->statements[unsure ? ITEMS_UNSURE : ITEMS_DUE];
	struct due *list = NULL;
	size_t count = 0, room = 0, kept = 0;
	uint64_t bytes = 0;
	enum store_result result;
	int64_t route;
	int rc;

	*claim_r = (struct backend_claim){ 0 };
	result = route_key(b, claim->route, false, &route);
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
	result = result_of(b, rc);

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
			sqlite3_bind_int64(b->statements[ITEM_MARK], 1, due->item.key);
			sqlite3_bind_int64(b->statements[ITEM_MARK], 2, due->item.attempt);
			result = statement_run(b, ITEM_MARK);
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

static enum store_result
sqlite_settle(void *ctx, const struct store_outcome *outcome, bool *taken_r)
{
	struct sqlite *b = ctx;
	sqlite3_stmt *s = b->statements[ITEM_READ];
	enum item_state to = outcome->to;
	enum payload_at payload_at = PAYLOAD_GONE;
	int64_t attempt = 0, history = 0;
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
	}
	result = result_of(b, sqlite3_reset(s));
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
	unanswered = (to == ITEM_HELD && outcome->http_status == 0) ||
		     ((to == ITEM_HELD || to == ITEM_FAILED) && state == ITEM_UNSURE);
	if (to == ITEM_SENT) {
		result = payload_drop(b, outcome->key, payload_at);
		payload_at = PAYLOAD_GONE;
	}
	if (result != STORE_OK)
		return result;

	if (outcome->keeps_history) {
		history++;
		s = b->statements[ATTEMPT_ADD];
		sqlite3_bind_int64(s, 1, outcome->key);
		sqlite3_bind_int64(s, 2, history);
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
		result = statement_run(b, ATTEMPT_ADD);
		if (result != STORE_OK)
			return result;
	}
	s = b->statements[ITEM_SETTLE];
	sqlite3_bind_int64(s, 1, outcome->key);
	sqlite3_bind_int(s, 2, (int)to);
	sqlite3_bind_int64(s, 3, outcome->due_ms);
	sqlite3_bind_int64(s, 4, attempt);
	sqlite3_bind_int64(s, 5, history);
	sqlite3_bind_int(s, 6, (int)payload_at);
	sqlite3_bind_int64(s, 7, to >= ITEM_SENT ? outcome->at_ms : 0);
	bind_text_or_null(s, 8, outcome->postmark_id);
	bind_text_or_null(s, 9, outcome->inactive);
	sqlite3_bind_int(s, 10, unanswered);
	result = statement_run(b, ITEM_SETTLE);
	if (result == STORE_OK && to == ITEM_SENT)
		result = shared_drop_unneeded(b, outcome->key >> NUMBER_BITS);
	b->tally[state]--;
	b->tally[to]++;
	*taken_r = result == STORE_OK;
	return result;
}

static enum store_result
sqlite_next_due(void *ctx, const char *route, enum item_state from, int64_t now_ms,
    const struct keyset *in_hand, int64_t *due_ms_r)
{
	struct sqlite *b = ctx;
	sqlite3_stmt *s = b->statements[from == ITEM_UNSURE ? NEXT_UNSURE : NEXT_DUE];
	enum store_result result;
	int64_t key;

	*due_ms_r = INT64_MAX;
	result = route_key(b, route, false, &key);
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
	return result_of(b, sqlite3_reset(s));
}

/* --- operator ---------------------------------------------------------------------------- */

/* Keys grow with time: the oldest that is open is the first of one of the open states. */
static enum store_result
oldest_open(struct sqlite *b, struct store_counts *counts)
{
	sqlite3_stmt *s = b->statements[ITEM_OLDEST];
	int64_t oldest = INT64_MAX;
	enum store_result result = STORE_OK;

	for (int state = ITEM_SPOOLED; result == STORE_OK && state < ITEM_SENT; state++) {
		sqlite3_bind_int(s, 1, state);
		if (sqlite3_step(s) == SQLITE_ROW && sqlite3_column_int64(s, 0) < oldest) {
			oldest = sqlite3_column_int64(s, 0);
			counts->oldest_ms = sqlite3_column_int64(s, 1);
		}
		result = result_of(b, sqlite3_reset(s));
	}
	return result;
}

static enum store_result
sqlite_count(void *ctx, struct store_counts *counts)
{
	struct sqlite *b = ctx;
	sqlite3_stmt *s = b->statements[TALLY_READ];
	enum store_result result;

	memset(counts, 0, sizeof(*counts));
	result = tally_flush(b);
	if (result != STORE_OK)
		return result;
	while (sqlite3_step(s) == SQLITE_ROW) {
		int what = sqlite3_column_int(s, 0);
		int64_t number = sqlite3_column_int64(s, 1);

		if (what == TALLY_PUT_ASIDE)
			counts->put_aside = (uint64_t)number;
		else if (what >= ITEM_SPOOLED && what <= ITEM_FAILED)
			counts->items[what] = (uint64_t)number;
	}
	result = result_of(b, sqlite3_reset(s));
	return result == STORE_OK ? oldest_open(b, counts) : result;
}

/* One row of a purge or of a mail that is forgotten. */
struct ended {
	int64_t key;
	int state;
	enum payload_at at;
	bool put_aside;
};

static enum store_result
sqlite_purge(void *ctx, int64_t ended_before_ms, int64_t *cursor, bool *again_r)
{
	struct sqlite *b = ctx;
	sqlite3_stmt *s = b->statements[ITEMS_FROM];
	struct ended *list = mem_array(PURGE_ROWS, sizeof(*list));
	size_t count = 0, seen = 0;
	bool later = false;
	enum store_result result;

	sqlite3_bind_int64(s, 1, *cursor);
	sqlite3_bind_int64(s, 2, PURGE_ROWS);
	while (!later && sqlite3_step(s) == SQLITE_ROW) {
		int state = sqlite3_column_int(s, 1);

		seen++;
		*cursor = sqlite3_column_int64(s, 0);
		/* What was accepted after that time did not end before it, nor did its followers.
		 */
		later = sqlite3_column_type(s, 5) == SQLITE_INTEGER &&
			sqlite3_column_int64(s, 5) >= ended_before_ms;
		if (state >= ITEM_SENT && sqlite3_column_int64(s, 4) < ended_before_ms)
			list[count++] = (struct ended){ *cursor, state,
				(enum payload_at)sqlite3_column_int(s, 2),
				sqlite3_column_int(s, 3) != 0 };
	}
	result = result_of(b, sqlite3_reset(s));
	for (size_t i = 0; result == STORE_OK && i < count; i++) {
		result = item_drop(b, list[i].key, list[i].state, list[i].at, list[i].put_aside);
		if (result == STORE_OK)
			result = shared_drop_unneeded(b, list[i].key >> NUMBER_BITS);
		if (result == STORE_OK)
			result = run_with_key(b, MAIL_DROP, list[i].key >> NUMBER_BITS);
	}
	free(list);
	*again_r = !later && seen == PURGE_ROWS;
	return result;
}

/* --- recovery ---------------------------------------------------------------------------- */

static enum store_result
mail_forget(struct sqlite *b, const char *id)
{
	sqlite3_stmt *s = b->statements[MAIL_FIND];
	struct ended *list = NULL;
	size_t count = 0;
	int64_t key = 0;
	enum store_result result;

	bind_text(s, 1, id);
	if (sqlite3_step(s) == SQLITE_ROW)
		key = sqlite3_column_int64(s, 0);
	result = result_of(b, sqlite3_reset(s));
	if (result != STORE_OK || key == 0)
		return result;
	s = b->statements[ITEMS_OF_MAIL];
	sqlite3_bind_int64(s, 1, key);
	while (sqlite3_step(s) == SQLITE_ROW) {
		list = mem_resize(list, count + 1, sizeof(*list));
		list[count++] = (struct ended){ sqlite3_column_int64(s, 0),
			sqlite3_column_int(s, 1), (enum payload_at)sqlite3_column_int(s, 2),
			sqlite3_column_int(s, 3) != 0 };
	}
	result = result_of(b, sqlite3_reset(s));
	for (size_t i = 0; result == STORE_OK && i < count; i++)
		result = item_drop(b, list[i].key, list[i].state, list[i].at, list[i].put_aside);
	free(list);
	return result == STORE_OK ? run_with_key(b, MAIL_DROP, key) : result;
}

static enum store_result
sending_to_unsure(struct sqlite *b, const struct keyset *in_hand, int64_t now_ms, uint64_t *count_r)
{
	sqlite3_stmt *s = b->statements[ITEMS_SENDING];
	int64_t *keys = NULL;
	size_t count = 0, room = 0;
	enum store_result result;

	while (sqlite3_step(s) == SQLITE_ROW) {
		int64_t key = sqlite3_column_int64(s, 0);

		if (keyset_has(in_hand, key))
			continue;
		if (count == room) {
			room = room == 0 ? 64 : room * 2;
			keys = mem_resize(keys, room, sizeof(keys[0]));
		}
		keys[count++] = key;
	}
	result = result_of(b, sqlite3_reset(s));
	s = b->statements[ITEM_TO_UNSURE];
	for (size_t i = 0; result == STORE_OK && i < count; i++) {
		sqlite3_bind_int64(s, 1, keys[i]);
		sqlite3_bind_int64(s, 2, now_ms);
		result = statement_run(b, ITEM_TO_UNSURE);
		b->tally[ITEM_SENDING]--;
		b->tally[ITEM_UNSURE]++;
	}
	free(keys);
	*count_r = count;
	return result;
}

static enum store_result
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
		result = sending_to_unsure(b, in_hand, now_ms, unsure_r);
	if (result == STORE_OK)
		result = sqlite_commit(b);
	if (result != STORE_OK) {
		sqlite_rollback(b);
		return result;
	}
	/* What a failed sync left in the log may be seen and yet not be on the disk: it is written
	 * once more, into the database, and synced there. */
	return result_of(
	    b, sqlite3_wal_checkpoint_v2(b->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL));
}

static int
file_is_orphan(void *ctx, const char *name)
{
	struct sqlite *b = ctx;
	sqlite3_stmt *s = b->statements[ITEM_FIND];
	uint64_t number = 0;
	bool named = false;

	/* Not one of ours: left alone. */
	if (strlen(name) < ULID_LEN + 2 || strlen(name) >= ITEM_ID_SIZE || name[ULID_LEN] != '-' ||
	    text_number(name + ULID_LEN + 1, strlen(name) - ULID_LEN - 1, SHARED, NUMBER_MOST,
		&number) != 0)
		return 0;
	sqlite3_bind_text(s, 1, name, ULID_LEN, SQLITE_STATIC);
	sqlite3_bind_int64(s, 2, (int64_t)number);
	if (sqlite3_step(s) == SQLITE_ROW)
		named = sqlite3_column_int(s, 0) == PAYLOAD_IN_FILE;
	if (result_of(b, sqlite3_reset(s)) != STORE_OK)
		return -1;
	return named ? 0 : 1;
}

static enum store_result
sqlite_sweep(void *ctx, uint64_t *removed_r)
{
	struct sqlite *b = ctx;
	long removed = files_sweep(b->files, file_is_orphan, b);

	*removed_r = removed > 0 ? (uint64_t)removed : 0;
	return removed >= 0 ? STORE_OK : STORE_BROKEN;
}

/* --- housekeeping ------------------------------------------------------------------------ */

static void
sqlite_rest(void *ctx)
{
	struct sqlite *b = ctx;
	int done;

	if (b->db == NULL || b->log_frames < LOG_FRAMES_BEGIN)
		return;
	done = checkpoint_ended(b->checkpoint);
	/* The log starts over only when all of it is in the database and nobody adds to it: so the
	 * last few pages, and the sync of the database, are done between two groups. */
	if ((done >= 0 && b->log_frames - done < LOG_FRAMES_FINISH) ||
	    b->log_frames > LOG_FRAMES_MOST) {
		int in_log = 0, moved = 0;
		int rc = sqlite3_wal_checkpoint_v2(
		    b->db, NULL, SQLITE_CHECKPOINT_PASSIVE, &in_log, &moved);
		int64_t left_out;

		if (rc == SQLITE_OK && moved == in_log)
			b->log_frames = 0;
		else if (rc != SQLITE_OK && rc != SQLITE_BUSY &&
			 log_gate_pass(&b->checkpoint_gate, 60000, &left_out))
			log_warning("checkpoint-failed", log_str("why", sqlite3_errmsg(b->db)),
			    log_num("repeats", left_out));
		return;
	}
	checkpoint_ask(b->checkpoint);
}

static uint64_t
disk_free_bytes(const struct sqlite *b)
{
	struct statvfs st;

	if (fstatvfs(b->folder, &st) != 0)
		return UINT64_MAX;
	return (uint64_t)st.f_bavail * st.f_frsize;
}

/*
 * The database never gives pages back to the disk: an outage fills it, and what is then sent
 * leaves it nearly as large and nearly empty.  So when the disk is nearly full the log is emptied
 * into it, and its free pages count, as long as there is room for a log beside it.
 */
static uint64_t
sqlite_free_bytes(void *ctx, uint64_t wanted)
{
	struct sqlite *b = ctx;
	uint64_t on_disk = disk_free_bytes(b), pages = 0;
	sqlite3_stmt *s;

	if (on_disk >= wanted || b->db == NULL)
		return on_disk;
	if (b->log_frames > LOG_FRAMES_LOW &&
	    sqlite3_wal_checkpoint_v2(b->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL) ==
		SQLITE_OK) {
		b->log_frames = 0;
		on_disk = disk_free_bytes(b);
	}
	if (on_disk >= wanted || on_disk < wanted / LOG_SHARE)
		return on_disk;
	s = b->statements[FREE_PAGES];
	if (sqlite3_step(s) == SQLITE_ROW)
		pages = (uint64_t)sqlite3_column_int64(s, 0);
	sqlite3_reset(s);
	return on_disk + pages * PAGE_BYTES;
}

static uint64_t
sqlite_syncs(void *ctx)
{
	struct sqlite *b = ctx;

	return atomic_load_explicit(&b->meter.syncs, memory_order_relaxed);
}

const struct backend sqlite_backend = {
	.name = "sqlite",
	.open = sqlite_open,
	.reopen = sqlite_reopen,
	.close = sqlite_close,
	.recover = sqlite_recover,
	.sweep = sqlite_sweep,
	.begin = sqlite_begin,
	.commit = sqlite_commit,
	.rollback = sqlite_rollback,
	.changed = sqlite_changed,
	.insert_mail = sqlite_insert_mail,
	.claim = sqlite_claim,
	.settle = sqlite_settle,
	.next_due = sqlite_next_due,
	.count = sqlite_count,
	.purge = sqlite_purge,
	.rest = sqlite_rest,
	.free_bytes = sqlite_free_bytes,
	.syncs = sqlite_syncs,
	.why = sqlite_why,
};
