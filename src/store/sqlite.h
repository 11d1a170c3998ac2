#ifndef PMRELAY_STORE_SQLITE_H
#define PMRELAY_STORE_SQLITE_H

struct backend;

/* The embedded engine: one folder, one process.  doc/queue.md has the files and the schema. */
extern const struct backend sqlite_backend;

/* From this size on a payload is a file: below it a row takes less work, above it the second
 * writing that SQLite does at a checkpoint costs more than a file (doc/performance.md). */
#define SQLITE_ROW_MOST (64U * 1024U)

#endif
