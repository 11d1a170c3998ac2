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

/* A zeroed struct is an empty heap buffer, so descriptor 0 cannot stand for a memfd. */
static bool
is_shared(const struct buf *buf)
{
	return buf->fd > 0;
}

static size_t
round_to_page(size_t bytes)
{
	static size_t page;

	if (page == 0)
		page = (size_t)sysconf(_SC_PAGESIZE);
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
	int fd = memfd_create("pmrelay", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int other;

	if (fd != 0)
		return fd;
	other = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	close(fd);
	return other;
}

/* Gives the memfd its first mapping, or a larger one.  room is a count of whole pages. */
static void
remap(struct buf *buf, size_t room)
{
	void *area;

	if (ftruncate(buf->fd, (off_t)room) != 0)
		mem_exhausted(room);
	if (buf->data == NULL)
		area = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_SHARED, buf->fd, 0);
	else
		area = mremap(buf->data, buf->room, room, MREMAP_MAYMOVE);
	if (area == MAP_FAILED)
		mem_exhausted(room);
	buf->data = area;
	buf->room = room;
}

void
buf_init_shared(struct buf *buf, size_t most, size_t expected_bytes)
{
	buf_init(buf, most);
	buf->fd = memfd_make();
	if (buf->fd < 0) {
		/* Out of descriptors: nothing fits, so the one check of over finds it. */
		buf->fd = -1;
		buf->most = 0;
		buf->over = true;
		return;
	}
	if (expected_bytes > most)
		expected_bytes = most;
	remap(buf, round_to_page(expected_bytes + 1));
}

void
buf_free(struct buf *buf)
{
	if (is_shared(buf)) {
		if (buf->data != NULL)
			munmap(buf->data, buf->room);
		close(buf->fd);
	} else
		free(buf->data);
	buf_init(buf, buf->most);
}

void
buf_clear(struct buf *buf)
{
	buf->len = 0;
	buf->over = false;
	if (buf->data != NULL)
		buf->data[0] = '\0';
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
	if (is_shared(buf)) {
		remap(buf, round_to_page(room));
		return;
	}
	buf->data = mem_resize(buf->data, room, 1);
	buf->room = room;
}

char *
buf_reserve(struct buf *buf, size_t len)
{
	if (len > buf->most || buf->len > buf->most - len || len >= SIZE_MAX / 2 - buf->len) {
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
	buf_init(buf, buf->most);
	return data;
}

int
buf_take_fd(struct buf *buf, size_t *len_r)
{
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;
	size_t len = buf->len;
	int fd = buf->fd;
	int failure;

	if (!is_shared(buf)) {
		errno = ENFILE; /* the memfd that could not be made */
		return -1;
	}
	/* A seal against writing is refused while a writable mapping is there. */
	munmap(buf->data, buf->room);
	buf_init(buf, buf->most);
	if (ftruncate(fd, (off_t)len) != 0 || fcntl(fd, F_ADD_SEALS, seals) != 0) {
		failure = errno;
		close(fd);
		errno = failure;
		return -1;
	}
	if (len_r != NULL)
		*len_r = len;
	return fd;
}
