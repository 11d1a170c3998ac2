#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/buf.h"

#define LEAST_ROOM ((size_t)64)

/*
 * A page of a memfd that is reached through a mapping costs a fault, about twice of what write(2)
 * takes to fill it from memory that is warm already (doc/performance.md).  So a shared buffer
 * grows on the heap up to this size and is written out once; a larger one grows in the mapping,
 * lest there be two copies of it, unless it is spilled.
 */
#define MOST_ON_HEAP ((size_t)4 * 1024 * 1024)

/* A zeroed struct is an empty heap buffer: its descriptor 0 is not ours. */
static bool
is_mapped(const struct buf *buf)
{
	return buf->shared && buf->fd >= 0 && buf->spilled == 0;
}

size_t
buf_total(const struct buf *buf)
{
	return buf->spilled + buf->len;
}

static size_t
round_to_page(size_t bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return bytes > SIZE_MAX - page ? SIZE_MAX : (bytes + page - 1) / page * page;
}

void
buf_init(struct buf *buf, size_t most)
{
	*buf = (struct buf){ .most = most, .fd = -1 };
}

static int
memfd_make(void)
{
	return memfd_create("pmrelay", MFD_CLOEXEC | MFD_ALLOW_SEALING);
}

/* Puts the memfd in the place of the heap.  Without descriptors the heap has to do. */
static void
move_to_memfd(struct buf *buf, size_t room)
{
	char *area;

	buf->fd = memfd_make();
	if (buf->fd < 0)
		return;
	if (ftruncate(buf->fd, (off_t)room) != 0)
		mem_exhausted(room);
	area = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_SHARED, buf->fd, 0);
	if (area == MAP_FAILED)
		mem_exhausted(room);
	if (buf->len > 0)
		memcpy(area, buf->data, buf->len);
	area[buf->len] = '\0';
	free(buf->data);
	buf->data = area;
	buf->room = room;
}

static void
remap(struct buf *buf, size_t room)
{
	void *area;

	if (ftruncate(buf->fd, (off_t)room) != 0)
		mem_exhausted(room);
	area = mremap(buf->data, buf->room, room, MREMAP_MAYMOVE);
	if (area == MAP_FAILED)
		mem_exhausted(room);
	buf->data = area;
	buf->room = room;
}

static void
grow(struct buf *buf, size_t need)
{
	size_t room = buf->room > SIZE_MAX / 2 ? need : buf->room * 2;

	if (room < LEAST_ROOM)
		room = LEAST_ROOM;
	/* most is at least need - 1, so this never takes away what is needed. */
	if (buf->most < SIZE_MAX && room > buf->most + 1)
		room = buf->most + 1;
	if (room < need)
		room = need;
	if (is_mapped(buf)) {
		remap(buf, round_to_page(room));
		return;
	}
	if (buf->shared && buf->spilled == 0 && room > MOST_ON_HEAP) {
		move_to_memfd(buf, round_to_page(room));
		if (is_mapped(buf))
			return;
	}
	buf->data = mem_resize(buf->data, room, 1);
	buf->data[buf->len] = '\0';
	buf->room = room;
}

void
buf_init_shared(struct buf *buf, size_t most, size_t expected_bytes)
{
	buf_init(buf, most);
	buf->shared = true;
	grow(buf, (expected_bytes < most ? expected_bytes : most) + 1);
}

/* Empty again, with nothing to its name. */
static void
buf_reset(struct buf *buf)
{
	bool shared = buf->shared;

	buf_init(buf, buf->most);
	buf->shared = shared;
}

void
buf_free(struct buf *buf)
{
	if (is_mapped(buf)) {
		munmap(buf->data, buf->room);
		close(buf->fd);
	} else {
		free(buf->data);
		if (buf->spilled > 0)
			close(buf->fd);
	}
	buf_reset(buf);
}

void
buf_clear(struct buf *buf)
{
	if (buf->spilled > 0) {
		close(buf->fd);
		buf->fd = -1;
		buf->spilled = 0;
	}
	buf->len = 0;
	buf->over = false;
	if (buf->data != NULL)
		buf->data[0] = '\0';
}

char *
buf_reserve(struct buf *buf, size_t len)
{
	if (len > buf->most || buf_total(buf) > buf->most - len ||
	    len >= SIZE_MAX / 2 - buf_total(buf)) {
		buf->over = true;
		return NULL;
	}
	if (buf->len + len >= buf->room)
		grow(buf, buf->len + len + 1);
	return buf->data + buf->len;
}

void
buf_grown(struct buf *buf, size_t len)
{
	buf->len += len;
	buf->data[buf->len] = '\0';
}

void
buf_add(struct buf *buf, const void *bytes, size_t len)
{
	char *to;

	if (len == 0 || (to = buf_reserve(buf, len)) == NULL)
		return;
	memcpy(to, bytes, len);
	buf_grown(buf, len);
}

void
buf_addc(struct buf *buf, char byte)
{
	buf_add(buf, &byte, 1);
}

void
buf_adds(struct buf *buf, const char *text)
{
	buf_add(buf, text, strlen(text));
}

void
buf_addf(struct buf *buf, const char *format, ...)
{
	char first[256];
	va_list args, again;
	char *to;
	int len;

	va_start(args, format);
	va_copy(again, args);
	len = vsnprintf(first, sizeof(first), format, args);
	if (len < 0) {
		/* Longer than INT_MAX: it would not fit either. */
		buf->over = true;
	} else if ((size_t)len < sizeof(first)) {
		buf_add(buf, first, (size_t)len);
	} else if ((to = buf_reserve(buf, (size_t)len)) != NULL) {
		vsnprintf(to, (size_t)len + 1, format, again);
		buf_grown(buf, (size_t)len);
	}
	va_end(again);
	va_end(args);
}

void
buf_consume(struct buf *buf, size_t len)
{
	if (len >= buf->len)
		len = buf->len;
	if (len == 0)
		return;
	buf->len -= len;
	memmove(buf->data, buf->data + len, buf->len);
	buf->data[buf->len] = '\0';
}

char *
buf_take(struct buf *buf, size_t *len_r)
{
	char *data = buf->data;

	if (data == NULL)
		data = mem_bytes("", 0);
	else if (buf->room - buf->len > LEAST_ROOM && buf->room / 4 > buf->len / 3)
		data = mem_resize(data, buf->len + 1, 1);
	if (len_r != NULL)
		*len_r = buf->len;
	buf_reset(buf);
	return data;
}

static int
write_all(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, bytes, len);

		if (n > 0) {
			bytes += n;
			len -= (size_t)n;
		} else if (errno != EINTR) {
			return -1;
		}
	}
	return 0;
}

void
buf_spill(struct buf *buf)
{
	if (!buf->shared || buf->len == 0 || is_mapped(buf))
		return;
	if (buf->spilled == 0)
		buf->fd = memfd_make();
	if (buf->fd < 0)
		return;
	if (write_all(buf->fd, buf->data, buf->len) != 0)
		mem_exhausted(buf->len);
	buf->spilled += buf->len;
	buf->len = 0;
	buf->data[0] = '\0';
}

/* The memfd of a buffer that is still on the heap. */
static int
write_out(const struct buf *buf)
{
	int fd = buf->spilled > 0 ? buf->fd : memfd_make();
	int failure;

	if (fd < 0 || write_all(fd, buf->data, buf->len) == 0)
		return fd;
	failure = errno;
	close(fd);
	errno = failure;
	return -1;
}

int
buf_take_fd(struct buf *buf, size_t *len_r)
{
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;
	size_t len = buf_total(buf);
	int failure = 0;
	int fd;

	if (is_mapped(buf)) {
		/* A seal against writing is refused while a writable mapping is there. */
		munmap(buf->data, buf->room);
		fd = buf->fd;
		if (ftruncate(fd, (off_t)len) != 0)
			failure = errno;
	} else {
		fd = write_out(buf);
		failure = fd < 0 ? errno : 0;
		free(buf->data);
	}
	buf_reset(buf);
	if (failure == 0 && fcntl(fd, F_ADD_SEALS, seals) != 0)
		failure = errno;
	if (failure != 0) {
		if (fd >= 0)
			close(fd);
		errno = failure;
		return -1;
	}
	if (len_r != NULL)
		*len_r = len;
	return fd;
}
