#ifndef PMRELAY_STORE_FILES_H
#define PMRELAY_STORE_FILES_H

#include <stddef.h>

#include "mail/mail.h"

struct sync_meter;

/*
 * Large payloads: one file per item in a folder of their own, named after the item.  What is put
 * or dropped belongs to the transaction under way: a file that was put is on disk before the row
 * that names it, and a file that was dropped goes after the row has gone.  So a crash leaves at
 * worst a file that no row names.
 *
 * The writer's thread alone uses it.  All that may fail return 0, or an errno.
 */
struct files;

/* folder_fd is lent; "payload" below it is made when it is missing. */
int files_open(struct files **files_r, int folder_fd, struct sync_meter *);
void files_close(struct files **);

/* Copies the payload into a new file; half a file is removed at once. */
int files_put(struct files *, const char *name, const struct payload *);
void files_drop(struct files *, const char *name);
/* Everything that was put, and the names, reach the disk: before the commit. */
int files_sync(struct files *);
void files_committed(struct files *);   /* removes what was dropped */
void files_rolled_back(struct files *); /* removes what was put */

/* Opens for reading.  ENOENT: not there; EBADMSG: not a file of that length. */
int files_read(const struct files *, const char *name, size_t len, int *fd_r);
/* The same for somebody who only reads, in any thread, and holds the folder "payload" itself. */
int files_read_below(int folder_fd, const char *name, size_t len, int *fd_r);

/* Calls each() for every name in the folder, and removes those for which it returns 1; a negative
 * one ends the walk.  The number removed, or -1. */
long files_sweep(struct files *, int (*each)(void *ctx, const char *name), void *ctx);

#endif
