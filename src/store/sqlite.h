#ifndef PMRELAY_STORE_SQLITE_H
#define PMRELAY_STORE_SQLITE_H

struct backend;
struct reader_backend;

/* The embedded engine: one folder, one process.  doc/queue.md has the files and the schema. */
extern const struct backend sqlite_backend;
extern const struct reader_backend sqlite_reader_backend;

/*
 * A payload above this size is a file.  Up to 100 KB a row takes no more CPU than a file, and a
 * tenth of the syncs, since it shares the commit's; at 1 MB the second writing that SQLite does
 * makes it half as fast and twice as dear (doc/performance.md).
 */
#define SQLITE_ROW_MOST (192U * 1024U)

#endif
