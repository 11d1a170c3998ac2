/*
 * sync_count.so, for LD_PRELOAD: counts the calls that wait for a disk, over all processes that
 * share the file named by SYNC_COUNT_FILE (at least 64 bytes, made beforehand).  strace could
 * count them as well, but stops each process at each of its system calls.  SYNC_COUNT_DELAY_US
 * makes each of them take that much longer, as on a disk in a network.
 *
 * The file is mapped before main(), so that a process may fence itself in afterwards.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

int fsync(int fd);
int fdatasync(int fd);
int sync_file_range(int fd, off64_t offset, off64_t count, unsigned flags);
int msync(void *address, size_t len, int flags);

enum {
	COUNT_FSYNC,
	COUNT_FDATASYNC,
	COUNT_SYNC_FILE_RANGE,
	COUNT_MSYNC,
	COUNT_KINDS,
};

static _Atomic uint64_t here[COUNT_KINDS], *counts = here;

static struct timespec delay;

static void __attribute__((constructor)) counts_map(void)
{
	const char *path = getenv("SYNC_COUNT_FILE"), *delay_us = getenv("SYNC_COUNT_DELAY_US");
	void *at;
	int fd;

	if (delay_us != NULL) {
		delay.tv_sec = atol(delay_us) / 1000000;
		delay.tv_nsec = atol(delay_us) % 1000000 * 1000;
	}
	if (path == NULL || (fd = open(path, O_RDWR | O_CLOEXEC)) < 0)
		return;
	at = mmap(NULL, sizeof(here), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (at != MAP_FAILED)
		counts = at;
}

static void
counts_add(int kind)
{
	atomic_fetch_add(&counts[kind], 1);
	if (delay.tv_sec > 0 || delay.tv_nsec > 0)
		nanosleep(&delay, NULL);
}

int
fsync(int fd)
{
	static int (*next)(int);

	if (next == NULL)
		next = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
	counts_add(COUNT_FSYNC);
	return next(fd);
}

int
fdatasync(int fd)
{
	static int (*next)(int);

	if (next == NULL)
		next = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
	counts_add(COUNT_FDATASYNC);
	return next(fd);
}

int
sync_file_range(int fd, off64_t offset, off64_t count, unsigned flags)
{
	static int (*next)(int, off64_t, off64_t, unsigned);

	if (next == NULL)
		next =
		    (int (*)(int, off64_t, off64_t, unsigned))dlsym(RTLD_NEXT, "sync_file_range");
	counts_add(COUNT_SYNC_FILE_RANGE);
	return next(fd, offset, count, flags);
}

int
msync(void *address, size_t len, int flags)
{
	static int (*next)(void *, size_t, int);

	if (next == NULL)
		next = (int (*)(void *, size_t, int))dlsym(RTLD_NEXT, "msync");
	counts_add(COUNT_MSYNC);
	return next(address, len, flags);
}
