#ifndef PMRELAY_BASE_STREAM_H
#define PMRELAY_BASE_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct loop;

/*
 * A connected, non-blocking stream socket on the loop.  Bytes are read into one scratch area
 * that all streams of a loop share and are offered to the owner at once; only what the owner
 * leaves over is kept, so that an idle connection holds no read buffer.  Writes are gathered and
 * leave in as few system calls as can be, at the end of the callback or of the turn of the loop.
 */
struct stream;

enum stream_end {
	STREAM_EOF,     /* the peer has closed its side */
	STREAM_TIMEOUT, /* nothing came before the deadline */
	STREAM_ERROR,   /* errno holds the reason during the call */
};

struct stream_hooks {
	/*
	 * data arrived (with what was left over before it).  Returns how many bytes were used.
	 * What is left is offered again, followed by more, when more has come or after
	 * stream_resume().  bytes() may free the stream: it then returns any number.
	 */
	size_t (*bytes)(void *ctx, const char *data, size_t len);
	/* The connection is over or overdue; nothing more comes.  The owner frees the stream, here
	 * or later; after STREAM_EOF, STREAM_TIMEOUT and EMSGSIZE it may still write, and finish
	 * it. */
	void (*end)(void *ctx, enum stream_end why);
};

struct stream_params {
	struct loop *loop;
	int fd;                           /* taken; made non-blocking */
	const struct stream_hooks *hooks; /* lent for life */
	void *ctx;
	/* bytes() leaves more than this: STREAM_ERROR, EMSGSIZE.  Not judged while paused: what one
	 * read brought (256 KiB at most) waits whole. */
	size_t most_left_over;
	size_t most_unsent; /* output waiting beyond this: STREAM_ERROR, ENOBUFS */
};

struct stream *stream_new(const struct stream_params *);
void stream_free(struct stream **); /* closes the socket; unsent output is lost */

void stream_write(struct stream *, const void *bytes, size_t len); /* copies */
/* end(STREAM_TIMEOUT) unless this is called again before; activity alone does not move it.
 * 0: no deadline. */
void stream_deadline(struct stream *, int64_t after_ms);
void stream_pause(struct stream *);  /* reads no more: back-pressure on the peer */
void stream_resume(struct stream *); /* offers what was left over, from the loop */
/* Sends what is unsent, shuts the connection down and frees itself; no hook runs any more.
 * Gives up after linger_ms (0: at once).  *stream is NULL afterwards. */
void stream_finish(struct stream **, int64_t linger_ms);
size_t stream_unsent(const struct stream *);

/*
 * What may lie between a stream and its socket (TLS, see base/tls.h): it reads and writes in their
 * stead, with what recv(2) and send(2) return.  EAGAIN: when the socket is ready for that again;
 * EINPROGRESS: the other direction must move first.
 */
struct stream_layer {
	ssize_t (*read)(void *ctx, char *to, size_t most);
	ssize_t (*write)(void *ctx, const char *from, size_t len);
	void (*goodbye)(void *ctx); /* nothing more is to be written */
	void (*free)(void *ctx);
};
/*
 * All that goes in and out from now on goes through the layer, which the stream then owns.  0, or
 * -1 and it is the caller's: what was written before does not leave.
 */
int stream_wrap(struct stream *, const struct stream_layer *, void *layer_ctx);
int stream_fd(const struct stream *); /* lent */

#endif
