#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/strlist.h"

#include "store/files.h"
#include "store/meter.h"
#include "store/thread.h"

/* So many syncs are asked for at a time: the file system joins them in one journal commit.  One
 * after the other each would wait for a flush of its own. */
#define SYNCS_AT_ONCE 8

struct fresh {
	char name[ITEM_ID_SIZE];
	int fd;
};

struct files {
	int folder;
	struct sync_meter *meter;
	struct fresh *fresh; /* put in this transaction */
	size_t fresh_count, fresh_room;
	struct strlist dropped;
};

int
files_open(struct files **files_r, int folder_fd, struct sync_meter *meter)
{
	int folder;

	if (mkdirat(folder_fd, "payload", 0700) != 0 && errno != EEXIST)
		return errno;
	folder = openat(folder_fd, "payload", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder == -1)
		return errno;
	*files_r = mem_new(sizeof(**files_r));
	(*files_r)->folder = folder;
	(*files_r)->meter = meter;
	return 0;
}

void
files_close(struct files **files)
{
	struct files *f = *files;

	if (f == NULL)
		return;
	files_rolled_back(f);
	close(f->folder);
	free(f->fresh);
	free(f);
	*files = NULL;
}

/* --- writing ----------------------------------------------------------------------------- */

static int
bytes_write(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, bytes, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? errno : ENOSPC;
		bytes += n;
		len -= (size_t)n;
	}
	return 0;
}

/* The memfd's pages go into the file without a visit to our memory. */
static int
pages_copy(int to, int from, size_t len)
{
	off_t at = 0;

	while (len > 0) {
		ssize_t n = sendfile(to, from, &at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? errno
				     : EBADMSG; /* the memfd is shorter than it was said to be */
		len -= (size_t)n;
	}
	return 0;
}

int
files_put(struct files *f, const char *name, const struct payload *payload)
{
	int fd = openat(f->folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600), error;

	if (fd == -1)
		return errno;
	error = payload->data != NULL ? bytes_write(fd, payload->data, payload->len)
				      : pages_copy(fd, payload->fd, payload->len);
	if (error != 0) {
		close(fd);
		unlinkat(f->folder, name, 0);
		return error;
	}
	/* The disk starts now, while the next file is being copied: with this the ten files of a
	 * group took half the time. */
	sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	if (f->fresh_count == f->fresh_room) {
		f->fresh_room = f->fresh_room == 0 ? 16 : f->fresh_room * 2;
		f->fresh = mem_resize(f->fresh, f->fresh_room, sizeof(f->fresh[0]));
	}
	f->fresh[f->fresh_count] = (struct fresh){ .fd = fd };
	strncpy(f->fresh[f->fresh_count].name, name, ITEM_ID_SIZE - 1);
	f->fresh_count++;
	return 0;
}

/* --- syncing ----------------------------------------------------------------------------- */

struct sync_job {
	struct files *files;
	atomic_size_t next;
	atomic_int error;
};

static void *
sync_run(void *ctx)
{
	struct sync_job *job = ctx;
	size_t at;

	while ((at = atomic_fetch_add(&job->next, 1)) < job->files->fresh_count) {
		if (fdatasync(job->files->fresh[at].fd) != 0)
			atomic_store(&job->error, errno);
		sync_meter_note(job->files->meter);
	}
	return NULL;
}

int
files_sync(struct files *f)
{
	struct sync_job job = { .files = f };
	pthread_t helpers[SYNCS_AT_ONCE - 1];
	size_t helper_count = 0;

	if (f->fresh_count == 0)
		return 0;
	/* A helper that cannot be had is no loss but of speed. */
	while (helper_count < SYNCS_AT_ONCE - 1 && helper_count + 1 < f->fresh_count &&
	       thread_start(&helpers[helper_count], sync_run, &job) == 0)
		helper_count++;
	sync_run(&job);
	for (size_t i = 0; i < helper_count; i++)
		pthread_join(helpers[i], NULL);
	if (atomic_load(&job.error) != 0)
		return atomic_load(&job.error);

	/* The names. */
	if (fsync(f->folder) != 0)
		return errno;
	sync_meter_note(f->meter);
	return 0;
}

/* --- the two ends of a transaction ------------------------------------------------------- */

void
files_drop(struct files *f, const char *name)
{
	strlist_add(&f->dropped, name);
}

void
files_committed(struct files *f)
{
	for (size_t i = 0; i < f->fresh_count; i++)
		close(f->fresh[i].fd);
	f->fresh_count = 0;
	/* One that cannot be removed now is found by the sweep at the next start. */
	for (size_t i = 0; i < f->dropped.count; i++)
		unlinkat(f->folder, f->dropped.items[i], 0);
	strlist_free(&f->dropped);
}

void
files_rolled_back(struct files *f)
{
	for (size_t i = 0; i < f->fresh_count; i++) {
		close(f->fresh[i].fd);
		unlinkat(f->folder, f->fresh[i].name, 0);
	}
	f->fresh_count = 0;
	strlist_free(&f->dropped);
}

/* --- reading ----------------------------------------------------------------------------- */

int
files_read(const struct files *f, const char *name, size_t len, int *fd_r)
{
	return files_read_below(f->folder, name, len, fd_r);
}

int
files_read_below(int folder, const char *name, size_t len, int *fd_r)
{
	int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;

	if (fd == -1)
		return errno == ELOOP ? EBADMSG : errno;
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size != (off_t)len) {
		close(fd);
		return EBADMSG;
	}
	*fd_r = fd;
	return 0;
}

long
files_sweep(struct files *f, int (*each)(void *ctx, const char *name), void *ctx)
{
	int fd = openat(f->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct dirent *entry;
	struct strlist gone = { 0 };
	long removed = 0;
	DIR *dir;

	if (fd == -1)
		return -1;
	dir = fdopendir(fd);
	if (dir == NULL) {
		close(fd);
		return -1;
	}
	while ((entry = readdir(dir)) != NULL) {
		int verdict;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		verdict = each(ctx, entry->d_name);
		if (verdict < 0) {
			removed = -1;
			break;
		}
		if (verdict > 0)
			strlist_add(&gone, entry->d_name);
	}
	/* A folder is not changed while it is being read. */
	for (size_t i = 0; removed >= 0 && i < gone.count; i++)
		if (unlinkat(f->folder, gone.items[i], 0) == 0)
			removed++;
	strlist_free(&gone);
	closedir(dir);
	return removed;
}
