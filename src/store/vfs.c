#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "base/mem.h"

#include "store/meter.h"
#include "store/vfs.h"

struct vfs {
	sqlite3_vfs base; /* first: SQLite hands out this address */
	sqlite3_vfs *real;
	struct sync_meter *meter;
	char name[32];
};

/* Enough that a system call is no longer what a page costs.  SQLite's unix layer cuts the length
 * of a write to 17 bits, silently: this must stay below 128 KB. */
#define GATHER_BYTES ((size_t)124 * 1024)

/* The real file follows in the same block: SQLite allocates szOsFile bytes for both. */
struct file {
	sqlite3_file base;
	struct sync_meter *meter;
	bool gathers; /* the write-ahead log */
	char *bytes;  /* GATHER_BYTES of it that are not written yet, len of them from at on */
	size_t len;
	sqlite3_int64 at;
};
#define FILE_SIZE ((sizeof(struct file) + 15U) & ~15U)

static sqlite3_file *
real_file(sqlite3_file *file)
{
	return (sqlite3_file *)(void *)((char *)file + FILE_SIZE);
}

#define PASS(file, method, ...) real_file(file)->pMethods->method(real_file(file), ##__VA_ARGS__)

/* What was gathered goes out.  On failure it is dropped: the transaction that wrote it fails. */
static int
gathered_write(sqlite3_file *f)
{
	struct file *file = (struct file *)f;
	size_t len = file->len;

	file->len = 0;
	return len == 0 ? SQLITE_OK : PASS(f, xWrite, file->bytes, (int)len, file->at);
}

static int
file_close(sqlite3_file *f)
{
	/* Nothing that anybody was told of is left: a commit ends with a sync. */
	free(((struct file *)f)->bytes);
	return PASS(f, xClose);
}

static int
file_read(sqlite3_file *f, void *bytes, int len, sqlite3_int64 at)
{
	int rc = gathered_write(f);

	return rc == SQLITE_OK ? PASS(f, xRead, bytes, len, at) : rc;
}

static int
file_write(sqlite3_file *f, const void *bytes, int len, sqlite3_int64 at)
{
	struct file *file = (struct file *)f;
	int rc;

	if (!file->gathers)
		return PASS(f, xWrite, bytes, len, at);
	if (file->len > 0 &&
	    (at != file->at + (sqlite3_int64)file->len || file->len + (size_t)len > GATHER_BYTES)) {
		rc = gathered_write(f);
		if (rc != SQLITE_OK)
			return rc;
	}
	if ((size_t)len > GATHER_BYTES)
		return PASS(f, xWrite, bytes, len, at);
	if (file->bytes == NULL)
		file->bytes = mem_array(GATHER_BYTES, 1);
	if (file->len == 0)
		file->at = at;
	memcpy(file->bytes + file->len, bytes, (size_t)len);
	file->len += (size_t)len;
	return SQLITE_OK;
}

static int
file_truncate(sqlite3_file *f, sqlite3_int64 len)
{
	int rc = gathered_write(f);

	return rc == SQLITE_OK ? PASS(f, xTruncate, len) : rc;
}

static int
file_sync(sqlite3_file *f, int flags)
{
	int rc = gathered_write(f);

	if (rc == SQLITE_OK)
		rc = PASS(f, xSync, flags);
	sync_meter_note(((struct file *)f)->meter);
	return rc;
}

static int
file_size(sqlite3_file *f, sqlite3_int64 *len_r)
{
	int rc = gathered_write(f);

	return rc == SQLITE_OK ? PASS(f, xFileSize, len_r) : rc;
}

static int
file_lock(sqlite3_file *f, int level)
{
	return PASS(f, xLock, level);
}

static int
file_unlock(sqlite3_file *f, int level)
{
	return PASS(f, xUnlock, level);
}

static int
file_check_lock(sqlite3_file *f, int *locked_r)
{
	return PASS(f, xCheckReservedLock, locked_r);
}

static int
file_control(sqlite3_file *f, int op, void *arg)
{
	return PASS(f, xFileControl, op, arg);
}

static int
file_sector(sqlite3_file *f)
{
	return PASS(f, xSectorSize);
}

static int
file_traits(sqlite3_file *f)
{
	return PASS(f, xDeviceCharacteristics);
}

static int
file_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **area_r)
{
	return PASS(f, xShmMap, page, size, extend, area_r);
}

static int
file_shm_lock(sqlite3_file *f, int offset, int count, int flags)
{
	return PASS(f, xShmLock, offset, count, flags);
}

static void
file_shm_barrier(sqlite3_file *f)
{
	PASS(f, xShmBarrier);
}

static int
file_shm_unmap(sqlite3_file *f, int delete)
{
	return PASS(f, xShmUnmap, delete);
}

/* Version 2: without xFetch, since a mapped file answers an I/O error with a signal. */
static const sqlite3_io_methods file_methods = {
	.iVersion = 2,
	.xClose = file_close,
	.xRead = file_read,
	.xWrite = file_write,
	.xTruncate = file_truncate,
	.xSync = file_sync,
	.xFileSize = file_size,
	.xLock = file_lock,
	.xUnlock = file_unlock,
	.xCheckReservedLock = file_check_lock,
	.xFileControl = file_control,
	.xSectorSize = file_sector,
	.xDeviceCharacteristics = file_traits,
	.xShmMap = file_shm_map,
	.xShmLock = file_shm_lock,
	.xShmBarrier = file_shm_barrier,
	.xShmUnmap = file_shm_unmap,
};

static int
vfs_open(sqlite3_vfs *base, const char *path, sqlite3_file *f, int flags, int *flags_r)
{
	struct vfs *v = (struct vfs *)base;
	struct file *file = (struct file *)f;
	int rc = v->real->xOpen(v->real, path, real_file(f), flags, flags_r);

	file->meter = v->meter;
	file->gathers = (flags & SQLITE_OPEN_WAL) != 0;
	file->bytes = NULL;
	file->len = 0;
	/* Without methods SQLite does not close what was not opened. */
	f->pMethods = real_file(f)->pMethods != NULL ? &file_methods : NULL;
	return rc;
}

/* The rest of the table works on paths and time alone, but is handed the vfs: the real one. */
static int
vfs_delete(sqlite3_vfs *base, const char *path, int sync_folder)
{
	struct vfs *v = (struct vfs *)base;

	return v->real->xDelete(v->real, path, sync_folder);
}

static int
vfs_access(sqlite3_vfs *base, const char *path, int flags, int *yes_r)
{
	struct vfs *v = (struct vfs *)base;

	return v->real->xAccess(v->real, path, flags, yes_r);
}

static int
vfs_full_path(sqlite3_vfs *base, const char *path, int size, char *out)
{
	struct vfs *v = (struct vfs *)base;

	return v->real->xFullPathname(v->real, path, size, out);
}

static int
vfs_randomness(sqlite3_vfs *base, int len, char *out)
{
	struct vfs *v = (struct vfs *)base;

	return v->real->xRandomness(v->real, len, out);
}

static int
vfs_sleep(sqlite3_vfs *base, int span_us)
{
	struct vfs *v = (struct vfs *)base;

	return v->real->xSleep(v->real, span_us);
}

static int
vfs_time(sqlite3_vfs *base, double *days_r)
{
	struct vfs *v = (struct vfs *)base;

	return v->real->xCurrentTime(v->real, days_r);
}

static int
vfs_last_error(sqlite3_vfs *base, int size, char *out)
{
	struct vfs *v = (struct vfs *)base;

	return v->real->xGetLastError(v->real, size, out);
}

static int
vfs_time_ms(sqlite3_vfs *base, sqlite3_int64 *ms_r)
{
	struct vfs *v = (struct vfs *)base;

	return v->real->xCurrentTimeInt64(v->real, ms_r);
}

struct vfs *
vfs_new(struct sync_meter *meter)
{
	sqlite3_vfs *real = sqlite3_vfs_find(NULL);
	struct vfs *v;

	if (real == NULL)
		return NULL;
	v = mem_new(sizeof(*v));
	v->real = real;
	v->meter = meter;
	snprintf(v->name, sizeof(v->name), "pmrelay-%p", (void *)v);
	v->base = (sqlite3_vfs){
		.iVersion = 2,
		.szOsFile = (int)FILE_SIZE + real->szOsFile,
		.mxPathname = real->mxPathname,
		.zName = v->name,
		.xOpen = vfs_open,
		.xDelete = vfs_delete,
		.xAccess = vfs_access,
		.xFullPathname = vfs_full_path,
		.xRandomness = vfs_randomness,
		.xSleep = vfs_sleep,
		.xCurrentTime = vfs_time,
		.xGetLastError = vfs_last_error,
		.xCurrentTimeInt64 = vfs_time_ms,
	};
	if (sqlite3_vfs_register(&v->base, 0) != SQLITE_OK) {
		free(v);
		return NULL;
	}
	return v;
}

void
vfs_free(struct vfs **vfs)
{
	if (*vfs == NULL)
		return;
	sqlite3_vfs_unregister(&(*vfs)->base);
	free(*vfs);
	*vfs = NULL;
}

const char *
vfs_name(const struct vfs *v)
{
	return v->name;
}
