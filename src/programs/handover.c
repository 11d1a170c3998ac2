#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/buf.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/secret.h"
#include "config/config.h"

#include "programs/handover.h"

#define SETTINGS_MOST (1024U * 1024U)

struct message {
	int kind;
	int number;
};

#define FRONT_BITS 8

int
handover_channel(unsigned front, unsigned serial)
{
	return (int)((serial & 0x7fffffU) << FRONT_BITS | front);
}

unsigned
handover_front(int channel)
{
	return (unsigned)channel & ((1U << FRONT_BITS) - 1);
}

int
handover_send(int control, enum handover_kind kind, int number, int fd)
{
	struct message message = { .kind = (int)kind, .number = number };
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} extra = { 0 };
	struct iovec part = { .iov_base = &message, .iov_len = sizeof(message) };
	struct msghdr msg = { .msg_iov = &part, .msg_iovlen = 1 };

	if (fd >= 0) {
		struct cmsghdr *c;

		msg.msg_control = extra.bytes;
		msg.msg_controllen = sizeof(extra.bytes);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	return sendmsg(control, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -1 : 0;
}

int
handover_receive(int control, enum handover_kind *kind_r, int *number_r, int *fd_r)
{
	struct message message;
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} extra;
	struct iovec part = { .iov_base = &message, .iov_len = sizeof(message) };
	struct msghdr msg = { .msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = extra.bytes,
		/* CMSG_SPACE() has room for a second one, which nobody would close. */
		.msg_controllen = CMSG_LEN(sizeof(int)) };
	ssize_t got = recvmsg(control, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

	*fd_r = -1;
	if (got < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c != NULL; c = CMSG_NXTHDR(&msg, c)) {
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
			memcpy(fd_r, CMSG_DATA(c), sizeof(*fd_r));
	}
	if (got != sizeof(message)) {
		if (*fd_r >= 0)
			close(*fd_r);
		return -1;
	}
	*kind_r = (enum handover_kind)message.kind;
	*number_r = message.number;
	return 1;
}

int
handover_settings_fd(const struct buf *text)
{
	int fd = memfd_create("pmrelay-settings", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -1;
	if (write(fd, text->data, text->len) != (ssize_t)text->len ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

void
handover_text_read(int fd, char *text, size_t size)
{
	ssize_t got = fd >= 0 ? pread(fd, text, size - 1, 0) : 0;

	text[got > 0 ? got : 0] = '\0';
	if (fd >= 0)
		close(fd);
}

struct config *
handover_settings_read(int fd, char *why, size_t why_size)
{
	struct config *config = NULL;
	struct buf text, wrong;
	struct stat facts;
	char *room = NULL;

	buf_init(&text, SETTINGS_MOST);
	buf_init(&wrong, SETTINGS_MOST);
	if (fstat(fd, &facts) == 0)
		room = buf_reserve(&text, (size_t)facts.st_size);
	if (room == NULL || pread(fd, room, (size_t)facts.st_size, 0) != facts.st_size) {
		snprintf(why, why_size, "no settings came with the message");
		goto free_text;
	}
	buf_grown(&text, (size_t)facts.st_size);
	config = config_parse(text.data, text.len, "settings", &wrong);
	if (config == NULL)
		snprintf(why, why_size, "%s", wrong.data != NULL ? wrong.data : "no settings");

free_text:
	secret_wipe(text.data, text.len); /* the core's hold tokens */
	buf_free(&text);
	buf_free(&wrong);
	close(fd);
	return config;
}

struct handover {
	int control;
	struct event *readable;
	handover_fn *got;
	handover_closed_fn *closed;
	void *ctx;
};

static void
on_readable(evutil_socket_t control, short what, void *ctx)
{
	struct handover *h = ctx;
	enum handover_kind kind;
	int number, fd;

	(void)what;
	switch (handover_receive(control, &kind, &number, &fd)) {
	case 1:
		h->got(h->ctx, kind, number, fd); /* may free h */
		return;
	case 0:
		return;
	}
	event_del(h->readable);
	h->closed(h->ctx);
}

struct handover *
handover_new(
    struct loop *loop, int control, handover_fn *got, handover_closed_fn *closed, void *ctx)
{
	struct handover *h = mem_new(sizeof(*h));

	h->control = control;
	h->got = got;
	h->closed = closed;
	h->ctx = ctx;
	h->readable = event_new(loop_base(loop), control, EV_READ | EV_PERSIST, on_readable, h);
	if (h->readable == NULL || event_add(h->readable, NULL) != 0)
		abort();
	return h;
}

int
handover_fd(const struct handover *h)
{
	return h->control;
}

void
handover_free(struct handover **handover)
{
	struct handover *h = *handover;

	if (h == NULL)
		return;
	*handover = NULL;
	event_free(h->readable);
	close(h->control);
	free(h);
}
