#ifndef PMRELAY_STORE_VFS_H
#define PMRELAY_STORE_VFS_H

struct sync_meter;

/*
 * SQLite's own file layer with one difference: each sync passes the meter.  SQLite counts its
 * syncs nowhere, and a commit is not one sync (a checkpoint has its own), so this is the only
 * honest place to count them.
 */
struct vfs;

struct vfs *vfs_new(struct sync_meter *); /* NULL: SQLite would not register it */
void vfs_free(struct vfs **);             /* after the last connection has gone */
const char *vfs_name(const struct vfs *); /* for sqlite3_open_v2() */

#endif
