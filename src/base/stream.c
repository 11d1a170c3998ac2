#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/buf.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/stream.h"

/*
 * libevent's own buffers are not used: an evbuffer reads at most 4096 bytes by one call, and keeps
 * memory for each connection.  Here an idle stream is this struct and nothing else.
 *
 * A hook may free or finish its stream.  So whoever runs a hook does it last, or looks at *gone
 * before it touches the stream again.
 */
struct stream {
	struct loop *loop;
	struct loop_call *turn; /* what was asked for from outside of our own callbacks */
	struct loop_last *last; /* of a stream that finishes: nobody else owns it */
	const struct stream_hooks *hooks;
	void *ctx;
	const struct stream_layer *layer; /* NULL: nothing lies between us and the socket */
	void *layer_ctx;
	size_t most_left_over;
	size_t most_unsent;
	int fd;
	int failure;     /* an errno that end() is still to be told of */
	bool paused;     /* bytes() is not to be run */
	bool reading;    /* the event is in the loop: a pause takes it out only if bytes come */
	bool offering;   /* stream_resume() promised to offer what was left over */
	bool in_bytes;   /* bytes() runs: what it writes leaves when it returns */
	bool over;       /* end() was run, or is no longer wanted */
	bool dead;       /* the socket is of no use for writing */
	bool finishing;  /* owned by the loop, until all is sent or time is up */
	bool shut;       /* no more is to be sent, and the peer was told */
	bool peer_shut;  /* the peer has closed its side */
	bool read_waits; /* the layer must write before it can read */
	bool *gone;      /* set when the stream is freed */
	struct buf left_over;
	struct buf unsent;
	size_t sent; /* bytes of unsent that are sent already */
	struct event readable;
	struct event writable;
	struct event overdue;
};

/* The two functions that know what lies between us and the peer. */
static ssize_t
transport_read(struct stream *s, char *to, size_t most)
{
	if (s->layer != NULL)
		return s->layer->read(s->layer_ctx, to, most);
	return recv(s->fd, to, most, MSG_DONTWAIT);
}

static ssize_t
transport_write(struct stream *s, const char *from, size_t len)
{
	if (s->layer != NULL)
		return s->layer->write(s->layer_ctx, from, len);
	return send(s->fd, from, len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void
layer_drop(struct stream *s)
{
	if (s->layer != NULL)
		s->layer->free(s->layer_ctx);
	s->layer = NULL;
}

static bool
is_passing(int failure)
{
	return failure == EAGAIN || failure == EWOULDBLOCK || failure == EINTR ||
	       failure == EINPROGRESS;
}

size_t
stream_unsent(const struct stream *s)
{
	return s->unsent.len - s->sent;
}

static void
unsent_drop(struct stream *s)
{
	buf_free(&s->unsent);
	s->sent = 0;
	event_del(&s->writable);
}

/* Sends what the kernel takes.  A failure is left in s->failure. */
static void
flush(struct stream *s)
{
	size_t unsent;

	if (s->dead)
		return;
	while ((unsent = stream_unsent(s)) > 0) {
		ssize_t n = transport_write(s, s->unsent.data + s->sent, unsent);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && is_passing(errno)) {
			/* Else what comes next tries again. */
			if (errno != EINPROGRESS)
				event_add(&s->writable, NULL);
			return;
		}
		if (n < 0) {
			s->failure = errno;
			s->dead = true;
			unsent_drop(s);
			return;
		}
		s->sent += (size_t)n;
	}
	if (s->sent > 0)
		unsent_drop(s);
}

static void
reading_start(struct stream *s)
{
	if (!s->reading && !s->peer_shut)
		s->reading = event_add(&s->readable, NULL) == 0;
}

static void
reading_stop(struct stream *s)
{
	if (s->reading)
		event_del(&s->readable);
	s->reading = false;
}

/* Runs end().  The owner frees the stream in it, or soon: nothing may follow. */
static void
stream_over(struct stream *s, enum stream_end why, int failure)
{
	if (s->over)
		return;
	s->over = true;
	s->offering = false;
	s->failure = 0;
	reading_stop(s);
	event_del(&s->overdue);
	buf_free(&s->left_over);
	errno = failure;
	s->hooks->end(s->ctx, why);
}

/* A finishing stream: sends, tells the peer, then waits for the peer to close, so that the last
 * answer is not lost to the reset that a close with unread input sends. */
static void
finish_step(struct stream *s)
{
	flush(s);
	if (s->dead)
		goto done;
	if (stream_unsent(s) > 0)
		return;
	if (s->peer_shut)
		goto done;
	if (!s->shut) {
		/* What comes from now on is of no interest, so nobody has to understand it. */
		if (s->layer != NULL)
			s->layer->goodbye(s->layer_ctx);
		layer_drop(s);
		if (shutdown(s->fd, SHUT_WR) != 0)
			goto done;
	}
	s->shut = true;
	return;

done:
	stream_free(&s);
}

/* After all else of a callback: what was written leaves, and what went wrong is told. */
static void
settle(struct stream *s)
{
	if (s->finishing) {
		finish_step(s);
		return;
	}
	flush(s);
	if (s->failure != 0)
		stream_over(s, STREAM_ERROR, s->failure);
}

/*
 * Offers data to bytes() and keeps what is left of it.  data is in left, or in the scratch area
 * if left is empty.  False: the hook has freed the stream.
 */
static bool
offer(struct stream *s, const char *data, size_t len)
{
	/* Out of the stream's reach while the hook reads in it, for the hook may free the stream.
	 */
	struct buf left = s->left_over;
	bool gone = false;
	size_t used;

	buf_init(&s->left_over, left.most);
	s->gone = &gone;
	s->in_bytes = true;
	s->offering = false;
	used = s->hooks->bytes(s->ctx, data, len);
	if (gone) {
		buf_free(&left);
		return false;
	}
	s->gone = NULL;
	s->in_bytes = false;
	if (used >= len || s->over || s->finishing) {
		buf_free(&left);
	} else {
		if (left.len > 0)
			buf_consume(&left, used);
		else
			buf_add(&left, data + used, len - used);
		s->left_over = left;
		if (!s->paused && left.len > s->most_left_over)
			s->failure = EMSGSIZE;
	}
	return true;
}

static void
discard(struct stream *s)
{
	size_t size;
	char *scratch = loop_scratch(s->loop, &size);
	ssize_t n = transport_read(s, scratch, size);

	if (n > 0 || (n < 0 && is_passing(errno)))
		return;
	s->peer_shut = true;
	reading_stop(s);
	if (n < 0)
		s->dead = true;
	finish_step(s);
}

static void
stream_readable(evutil_socket_t fd, short what, void *ctx)
{
	struct stream *s = ctx;
	size_t size;
	char *scratch;
	ssize_t n;

	(void)fd;
	(void)what;
	if (s->finishing) {
		discard(s);
		return;
	}
	if (s->paused) {
		reading_stop(s);
		return;
	}
	/* What is left over is still to be offered this turn, before an end that we may find here.
	 */
	if (s->offering && s->left_over.len > 0)
		return;
	scratch = loop_scratch(s->loop, &size);
	n = transport_read(s, scratch, size);
	if (n < 0 && is_passing(errno)) {
		if (errno == EINPROGRESS) {
			s->read_waits = true;
			event_add(&s->writable, NULL);
		} else if (s->layer != NULL)
			settle(s);
		return;
	}
	if (n < 0) {
		s->dead = true;
		stream_over(s, STREAM_ERROR, errno);
		return;
	}
	if (n == 0) {
		s->peer_shut = true;
		stream_over(s, STREAM_EOF, 0);
		return;
	}
	if (s->left_over.len > 0) {
		buf_add(&s->left_over, scratch, (size_t)n);
		if (!offer(s, s->left_over.data, s->left_over.len))
			return;
	} else if (!offer(s, scratch, (size_t)n))
		return;
	settle(s);
}

static void
stream_writable(evutil_socket_t fd, short what, void *ctx)
{
	struct stream *s = ctx;

	(void)what;
	if (s->read_waits && !s->finishing) {
		s->read_waits = false;
		stream_readable(fd, EV_READ, s);
	} else
		settle(s);
}

static void
stream_overdue(evutil_socket_t fd, short what, void *ctx)
{
	struct stream *s = ctx;

	(void)fd;
	(void)what;
	if (s->finishing)
		stream_free(&s);
	else
		stream_over(s, STREAM_TIMEOUT, 0);
}

static void
stream_turn(void *ctx)
{
	struct stream *s = ctx;

	if (s->offering && !s->paused && !s->over && s->failure == 0 && s->left_over.len > 0)
		if (!offer(s, s->left_over.data, s->left_over.len))
			return;
	settle(s);
}

struct stream *
stream_new(const struct stream_params *params)
{
	struct event_base *base = loop_base(params->loop);
	struct stream *s = mem_new(sizeof(*s));
	const int on = 1;
	int flags;

	s->loop = params->loop;
	s->hooks = params->hooks;
	s->ctx = params->ctx;
	s->most_left_over = params->most_left_over;
	s->most_unsent = params->most_unsent;
	s->fd = params->fd;
	/* Their limits are judged here, where the kind of failure is known. */
	buf_init(&s->left_over, SIZE_MAX);
	buf_init(&s->unsent, SIZE_MAX);
	s->turn = loop_call_new(s->loop, stream_turn, s);

	flags = fcntl(s->fd, F_GETFL);
	if (flags >= 0 && (flags & O_NONBLOCK) == 0)
		fcntl(s->fd, F_SETFL, flags | O_NONBLOCK);
	/* Answers are gathered already; Nagle would only delay them.  Refused by other sockets. */
	setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));

	event_assign(&s->readable, base, s->fd, EV_READ | EV_PERSIST, stream_readable, s);
	event_assign(&s->writable, base, s->fd, EV_WRITE, stream_writable, s);
	evtimer_assign(&s->overdue, base, stream_overdue, s);
	reading_start(s);
	if (!s->reading) {
		s->failure = errno != 0 ? errno : ENOMEM;
		loop_call_ask(s->turn);
	}
	return s;
}

void
stream_free(struct stream **stream)
{
	struct stream *s = *stream;

	if (s == NULL)
		return;
	*stream = NULL;
	if (s->gone != NULL)
		*s->gone = true;
	event_del(&s->readable);
	event_del(&s->writable);
	event_del(&s->overdue);
	loop_call_free(&s->turn);
	loop_last_free(&s->last);
	layer_drop(s);
	buf_free(&s->left_over);
	buf_free(&s->unsent);
	close(s->fd);
	free(s);
}

void
stream_write(struct stream *s, const void *bytes, size_t len)
{
	if (s->dead || len == 0)
		return;
	if (len > s->most_unsent || stream_unsent(s) > s->most_unsent - len) {
		s->failure = ENOBUFS;
		s->dead = true;
		unsent_drop(s);
		loop_call_ask(s->turn);
		return;
	}
	/* Moved forward only when that at least halves it: each byte moves once on average. */
	if (s->sent > 0 && s->sent >= stream_unsent(s)) {
		buf_consume(&s->unsent, s->sent);
		s->sent = 0;
	}
	buf_add(&s->unsent, bytes, len);
	if (!s->in_bytes)
		loop_call_ask(s->turn);
}

int
stream_wrap(struct stream *s, const struct stream_layer *layer, void *layer_ctx)
{
	flush(s);
	if (s->dead || stream_unsent(s) > 0)
		return -1;
	s->layer = layer;
	s->layer_ctx = layer_ctx;
	return 0;
}

int
stream_fd(const struct stream *s)
{
	return s->fd;
}

static void
overdue_after(struct stream *s, int64_t after_ms)
{
	const struct timeval after = { after_ms / 1000, after_ms % 1000 * 1000 };

	event_add(&s->overdue, &after);
}

void
stream_deadline(struct stream *s, int64_t after_ms)
{
	if (s->over)
		return;
	if (after_ms > 0)
		overdue_after(s, after_ms);
	else
		event_del(&s->overdue);
}

void
stream_pause(struct stream *s)
{
	s->paused = true;
}

void
stream_resume(struct stream *s)
{
	if (!s->paused || s->over)
		return;
	s->paused = false;
	reading_start(s);
	if (s->left_over.len > 0 || s->in_bytes) {
		s->offering = true;
		loop_call_ask(s->turn);
	}
}

static void
finish_at_last(void *ctx)
{
	struct stream *s = ctx;

	stream_free(&s);
}

void
stream_finish(struct stream **stream, int64_t linger_ms)
{
	struct stream *s = *stream;

	if (s == NULL)
		return;
	*stream = NULL;
	flush(s);
	if (s->dead || linger_ms <= 0 || (s->peer_shut && stream_unsent(s) == 0)) {
		stream_free(&s);
		return;
	}
	overdue_after(s, linger_ms);
	s->over = true;
	s->finishing = true;
	s->failure = 0;
	s->hooks = NULL;
	s->ctx = NULL;
	s->paused = false;
	s->offering = false;
	buf_free(&s->left_over);
	reading_start(s);
	s->last = loop_last_new(s->loop, finish_at_last, s);
	finish_step(s);
}
