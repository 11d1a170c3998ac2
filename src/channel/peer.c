/*
 * A socketpair's end on the loop.
 *
 * Descriptors are attached to the first byte of their frame; the kernel does not merge bytes
 * across such a point, and hands descriptors over in order.  So a queue is enough: a frame that
 * is complete takes as many from it as its head says.
 */

#include <sys/socket.h>
#include <sys/uio.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/buf.h"
#include "base/loop.h"
#include "base/mem.h"
#include "mail/mail.h"

#include "channel/frame.h"
#include "channel/peer.h"

#define READ_BYTES (256U * 1024U)
/* The kernel passes 253 descriptors with one message (SCM_MAX_FD). */
#define QUEUE_MOST (FRAME_MOST_DESCRIPTORS * 2)

/* Descriptors that leave with the byte at this place of the output. */
struct passage {
	size_t at;
	size_t count;
	int *fds;
};

struct peer {
	struct loop *loop;
	int fd;
	const struct peer_hooks *hooks;
	void *ctx;

	struct event *readable;
	struct event *writable;
	struct loop_call *flush;

	struct buf in;
	int in_fds[QUEUE_MOST];
	size_t in_fd_count;

	struct buf out;
	struct passage *passages; /* in the order of .at */
	size_t passage_count, passage_room;
	const char *broken; /* why the channel is over, to be told from the loop */
	bool *freed;        /* set while a hook runs: did it free us? */
};

static void on_readable(evutil_socket_t, short, void *);
static void on_writable(evutil_socket_t, short, void *);
static void flush(void *);

struct peer *
peer_new(struct loop *loop, int fd, const struct peer_hooks *hooks, void *ctx)
{
	struct peer *p = mem_new(sizeof(*p));

	p->loop = loop;
	p->fd = fd;
	p->hooks = hooks;
	p->ctx = ctx;
	evutil_make_socket_nonblocking(fd);
	buf_init(&p->in, FRAME_HEAD_SIZE + FRAME_MOST_BODY + READ_BYTES);
	buf_init(&p->out, SIZE_MAX / 2); /* bounded by what its owner lets wait */
	p->readable = event_new(loop_base(loop), fd, EV_READ | EV_PERSIST, on_readable, p);
	p->writable = event_new(loop_base(loop), fd, EV_WRITE, on_writable, p);
	p->flush = loop_call_new(loop, flush, p);
	if (p->readable == NULL || p->writable == NULL)
		abort();
	event_add(p->readable, NULL);
	return p;
}

static void
close_all(int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}
}

void
peer_free(struct peer **peer)
{
	struct peer *p = *peer;

	if (p == NULL)
		return;
	*peer = NULL;
	if (p->freed != NULL)
		*p->freed = true;
	event_free(p->readable);
	event_free(p->writable);
	loop_call_free(&p->flush);
	close(p->fd);
	buf_free(&p->in);
	buf_free(&p->out);
	close_all(p->in_fds, p->in_fd_count);
	for (size_t i = 0; i < p->passage_count; i++) {
		close_all(p->passages[i].fds, p->passages[i].count);
		free(p->passages[i].fds);
	}
	free(p->passages);
	free(p);
}

/* The end is told from the loop, also when it was found while writing. */
static void
lose(struct peer *p, const char *why)
{
	if (p->broken == NULL)
		p->broken = why;
	event_del(p->readable);
	event_del(p->writable);
	loop_call_ask(p->flush);
}

/* A large frame is gone: so is its memory. */
static void
give_back(struct buf *buf)
{
	size_t most = buf->most;

	if (buf->len > 0 || buf->room <= READ_BYTES * 4)
		return;
	buf_free(buf);
	buf_init(buf, most);
}

/* --- in ----------------------------------------------------------------------------------- */

/* Gives the complete frames in p->in to the owner.  -1: the channel is over or freed. */
static int
give_frames(struct peer *p)
{
	bool freed = false;
	size_t at = 0;
	int result = 0;

	p->freed = &freed;
	while (result == 0 && p->in.len - at >= FRAME_HEAD_SIZE) {
		struct frame_head head;
		size_t fds;

		if (frame_head_read(&head, (const unsigned char *)p->in.data + at) != 0) {
			lose(p, "a frame that cannot be");
			result = -1;
			break;
		}
		if (p->in.len - at < FRAME_HEAD_SIZE + (size_t)head.body_bytes)
			break;
		fds = head.descriptors;
		if (fds > p->in_fd_count) {
			lose(p, "a frame without its descriptors");
			result = -1;
			break;
		}
		result =
		    p->hooks->frame(p->ctx, &head, p->in.data + at + FRAME_HEAD_SIZE, p->in_fds);
		if (freed)
			return -1;
		close_all(p->in_fds, fds);
		p->in_fd_count -= fds;
		memmove(p->in_fds, p->in_fds + fds, p->in_fd_count * sizeof(p->in_fds[0]));
		at += FRAME_HEAD_SIZE + (size_t)head.body_bytes;
		if (result != 0)
			lose(p, "a frame that makes no sense");
	}
	p->freed = NULL;
	buf_consume(&p->in, at);
	give_back(&p->in);
	return result;
}

static int
keep_descriptors(struct peer *p, struct msghdr *msg)
{
	bool all = (msg->msg_flags & MSG_CTRUNC) == 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
		size_t count;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (p->in_fd_count < QUEUE_MOST) {
				p->in_fds[p->in_fd_count++] = fd;
			} else {
				close(fd);
				all = false;
			}
		}
	}
	return all ? 0 : -1;
}

static void
on_readable(evutil_socket_t fd, short what, void *ctx)
{
	struct peer *p = ctx;
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(253 * sizeof(int))];
	} control;
	struct iovec part;
	struct msghdr msg = { .msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes) };
	ssize_t got;

	(void)what;
	part.iov_base = buf_reserve(&p->in, READ_BYTES);
	part.iov_len = READ_BYTES;
	if (part.iov_base == NULL) {
		lose(p, "more than one frame's bytes");
		return;
	}
	got = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
	if (got < 0) {
		if (errno != EAGAIN && errno != EINTR)
			lose(p, strerror(errno));
		return;
	}
	if (got == 0) {
		lose(p, "closed by the other side");
		return;
	}
	buf_grown(&p->in, (size_t)got);
	if (keep_descriptors(p, &msg) != 0) {
		lose(p, "too many descriptors");
		return;
	}
	(void)give_frames(p);
}

/* --- out ---------------------------------------------------------------------------------- */

/* Sends from the start of p->out.  Returns what send returns; descriptors that went are closed. */
static ssize_t
send_some(struct peer *p)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(FRAME_MOST_DESCRIPTORS * sizeof(int))];
	} control;
	struct iovec part = { .iov_base = p->out.data, .iov_len = p->out.len };
	struct msghdr msg = { .msg_iov = &part, .msg_iovlen = 1 };
	struct passage *first = p->passage_count > 0 ? &p->passages[0] : NULL;
	bool with_fds = first != NULL && first->at == 0;
	ssize_t sent;

	if (with_fds) {
		size_t bytes = first->count * sizeof(int);
		struct cmsghdr *c;

		memset(&control, 0, sizeof(control));
		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(bytes);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(bytes);
		memcpy(CMSG_DATA(c), first->fds, bytes);
		if (p->passage_count > 1)
			part.iov_len = p->passages[1].at;
	} else if (first != NULL) {
		part.iov_len = first->at;
	}

	sent = sendmsg(p->fd, &msg, MSG_NOSIGNAL);
	if (sent <= 0)
		return sent;
	if (with_fds) {
		close_all(first->fds, first->count);
		free(first->fds);
		p->passage_count--;
		memmove(p->passages, p->passages + 1, p->passage_count * sizeof(*p->passages));
	}
	for (size_t i = 0; i < p->passage_count; i++)
		p->passages[i].at -= (size_t)sent;
	buf_consume(&p->out, (size_t)sent);
	return sent;
}

static void
flush(void *ctx)
{
	struct peer *p = ctx;

	if (p->broken != NULL) {
		p->hooks->lost(p->ctx, p->broken);
		return;
	}
	while (p->out.len > 0) {
		if (send_some(p) >= 0)
			continue;
		if (errno == EINTR)
			continue;
		if (errno == EAGAIN) {
			event_add(p->writable, NULL);
			return;
		}
		lose(p, strerror(errno));
		return;
	}
	give_back(&p->out);
}

static void
on_writable(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd;
	(void)what;
	flush(ctx);
}

/* Lent descriptors that leave with the frame at that place of the output.  -1: this process has no
 * room for their duplicates. */
static int
add_passage(struct peer *p, size_t at, const int *fds, size_t count)
{
	int *duplicates = mem_array(count, sizeof(int));

	for (size_t i = 0; i < count; i++) {
		duplicates[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);
		if (duplicates[i] < 0) {
			close_all(duplicates, i);
			free(duplicates);
			return -1;
		}
	}
	if (p->passage_count == p->passage_room) {
		p->passage_room = p->passage_room * 2 + 8;
		p->passages = mem_resize(p->passages, p->passage_room, sizeof(*p->passages));
	}
	p->passages[p->passage_count++] =
	    (struct passage){ .at = at, .count = count, .fds = duplicates };
	return 0;
}

/* A frame that was begun there does not go. */
static void
take_back(struct peer *p, size_t at)
{
	p->out.len = at;
	p->out.over = false;
}

enum peer_sent
peer_commit(struct peer *p, uint64_t serial, const struct mail *mail)
{
	int fds[FRAME_MOST_DESCRIPTORS];
	size_t at = p->out.len, count;

	if (frame_commit_write(&p->out, serial, mail, fds, &count) != 0) {
		take_back(p, at);
		return PEER_UNFIT;
	}
	if (count > 0 && add_passage(p, at, fds, count) != 0) {
		take_back(p, at);
		return PEER_NO_ROOM;
	}
	loop_call_ask(p->flush);
	return PEER_SENT;
}

int
peer_explain(struct peer *p, uint64_t serial, const struct frame_explain *question, int content_fd)
{
	size_t at = p->out.len;

	if (frame_explain_write(&p->out, serial, question) != 0 ||
	    add_passage(p, at, &content_fd, 1) != 0) {
		take_back(p, at);
		return -1;
	}
	loop_call_ask(p->flush);
	return 0;
}

int
peer_explained(struct peer *p, uint64_t serial, const char *json, size_t len)
{
	size_t at = p->out.len;

	if (frame_explained_write(&p->out, serial, json, len) != 0) {
		take_back(p, at);
		return -1;
	}
	loop_call_ask(p->flush);
	return 0;
}

void
peer_committed(struct peer *p, uint64_t serial, const struct refusal *answer)
{
	frame_committed_write(&p->out, serial, answer);
	loop_call_ask(p->flush);
}

void
peer_event(struct peer *p, uint64_t serial, const struct event *event)
{
	frame_event_write(&p->out, serial, event);
	loop_call_ask(p->flush);
}

int
peer_tell_hooks(struct peer *p, const char *json, size_t len)
{
	size_t at = p->out.len;

	if (frame_hooks_write(&p->out, json, len) != 0) {
		take_back(p, at);
		return -1;
	}
	loop_call_ask(p->flush);
	return 0;
}

int
peer_tell_suppressions(struct peer *p, int table_fd)
{
	size_t at = p->out.len;

	if (frame_suppressions_write(&p->out) != 0 || add_passage(p, at, &table_fd, 1) != 0) {
		take_back(p, at);
		return -1;
	}
	loop_call_ask(p->flush);
	return 0;
}

void
peer_rest(struct peer *p, bool rests)
{
	if (p->broken != NULL)
		return;
	if (rests)
		event_del(p->readable);
	else
		event_add(p->readable, NULL);
}

size_t
peer_unsent(const struct peer *p)
{
	return p->out.len;
}
