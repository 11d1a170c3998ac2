#ifndef PMRELAY_STORE_VFS_H
#define PMRELAY_STORE_VFS_H

struct sync_meter;

/*
 * SQLite's own file layer with two differences.
 *
 * Each sync passes the meter: SQLite counts its syncs nowhere, and a commit is not one sync (a
 * checkpoint has its own), so this is the only honest place to count them.
 *
 * Writes to the write-ahead log are gathered until they are synced or the log is read: SQLite makes
 * two system calls for each page, which cost more than the pages.  Nothing is promised before the
 * sync, and nobody is shown the pages before it either (with synchronous=FULL SQLite publishes
 * them afterwards), so the log on disk is the same.  The database itself is not gathered: a
 * checkpoint publishes what it has written without a sync.
 */
struct vfs;

struct vfs *vfs_new(struct sync_meter *); /* NULL: SQLite would not register it */
void vfs_free(struct vfs **);             /* after the last connection has gone */
const char *vfs_name(const struct vfs *); /* for sqlite3_open_v2() */

#endif
