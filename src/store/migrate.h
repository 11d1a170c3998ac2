#ifndef PMRELAY_STORE_MIGRATE_H
#define PMRELAY_STORE_MIGRATE_H

#include <stddef.h>

struct sqlite3;

/*
 * The schema of the SQLite spool, as steps.  A released step is never changed: a new version is
 * a new step at the end.
 */
extern const char *const migrate_steps[];
extern const size_t migrate_step_count; /* the version that this program speaks */

/*
 * Applies the steps that the database lacks, in their order and all in one transaction; the
 * version, in PRAGMA user_version, is the number of steps applied.  0, or -1 with a message for
 * people in why: a database of somebody else's, a newer one, a failed step (nothing is changed).
 */
int migrate_run(
    struct sqlite3 *, const char *const *steps, size_t count, char *why, size_t why_size);

#endif
