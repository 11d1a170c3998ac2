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

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include "store/checkpoint.h"
#include "store/files.h"
#include "store/migrate.h"
#include "store/sqlite.h"
#include "store/sqlite_inside.h"
#include "store/vfs.h"

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

static const char *
sqlite_why(void *ctx)
{
	struct sqlite *b = ctx;

	return b->why;
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
	for (int i = 0; i < SQL_STATEMENT_COUNT; i++) {
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
	for (int i = 0; i < SQL_STATEMENT_COUNT; i++)
		if (sqlite3_prepare_v3(b->db, sqlite_statements[i], -1, SQLITE_PREPARE_PERSISTENT,
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

enum store_result
sqlite_begin(void *ctx)
{
	struct sqlite *b = ctx;

	return b->db == NULL ? STORE_BROKEN : sqlite_run(b, SQL_BEGIN);
}

static enum store_result
tally_flush(struct sqlite *b)
{
	sqlite3_stmt *s = b->statements[SQL_TALLY_ADD];

	for (int i = 0; i < ITEM_STATES; i++) {
		enum store_result result;

		if (b->tally[i] == 0)
			continue;
		sqlite3_bind_int(s, 1, i);
		sqlite3_bind_int64(s, 2, b->tally[i]);
		result = sqlite_run(b, SQL_TALLY_ADD);
		if (result != STORE_OK)
			return result;
		b->tally[i] = 0;
	}
	return STORE_OK;
}

enum store_result
sqlite_commit(void *ctx)
{
	struct sqlite *b = ctx;
	enum store_result result = tally_flush(b);

	if (result == STORE_OK)
		result = sqlite_result_errno(b, "payload file", files_sync(b->files));
	if (result == STORE_OK)
		result = sqlite_run(b, SQL_COMMIT);
	if (result == STORE_OK)
		files_committed(b->files);
	return result;
}

void
sqlite_rollback(void *ctx)
{
	struct sqlite *b = ctx;

	/* After some errors SQLite has rolled back by itself. */
	if (b->db != NULL && !sqlite3_get_autocommit(b->db)) {
		char why[sizeof(b->why)];

		memcpy(why, b->why, sizeof(why));
		sqlite_run(b, SQL_ROLLBACK);
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

/* --- counts ------------------------------------------------------------------------------ */

static enum store_result
sqlite_count(void *ctx, struct store_counts *counts)
{
	struct sqlite *b = ctx;
	enum store_result result = tally_flush(b);

	if (result != STORE_OK)
		return result;
	return sqlite_result(b,
	    sqlite_counts(b->statements[SQL_TALLY_READ], b->statements[SQL_ITEM_OLDEST], counts));
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
	s = b->statements[SQL_FREE_PAGES];
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
	.change = sqlite_change,
	.take_back = sqlite_take_back,
	.strays = sqlite_strays,
	.routes = sqlite_routes,
	.route_set = sqlite_route_set,
	.event = sqlite_event,
	.outlet_set = sqlite_outlet_set,
	.suppressions = sqlite_suppressions,
	.suppression_set = sqlite_suppression_set,
	.hooks = sqlite_hooks,
	.hook_set = sqlite_hook_set,
	.hook_drop = sqlite_hook_drop,
	.purge = sqlite_purge,
	.rest = sqlite_rest,
	.free_bytes = sqlite_free_bytes,
	.syncs = sqlite_syncs,
	.why = sqlite_why,
};
