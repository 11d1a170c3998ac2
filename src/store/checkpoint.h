#ifndef PMRELAY_STORE_CHECKPOINT_H
#define PMRELAY_STORE_CHECKPOINT_H

/*
 * A thread that carries pages from SQLite's write-ahead log into the database while the writer
 * goes on committing.  SQLite would do it inside a commit, which then takes a hundred times as
 * long as others.
 */
struct checkpoint;

/* path and vfs are lent for life.  NULL: no memory for a thread or the database does not open. */
struct checkpoint *checkpoint_start(const char *path, const char *vfs);
void checkpoint_stop(struct checkpoint **); /* waits */
void checkpoint_ask(struct checkpoint *);   /* begin, unless one is under way */
/* Since the last call a checkpoint has ended: how many frames of the log are in the database now.
 * -1: none has ended. */
int checkpoint_ended(struct checkpoint *);

#endif
