#ifndef PMRELAY_BASE_HTTP_FRAME_H
#define PMRELAY_BASE_HTTP_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/*
 * Where one HTTP/1 request ends and the next begins: bytes of a connection to requests that are
 * whole and unambiguous.  Pure.  What two readers could understand in two ways (RFC 9112 11.2) is
 * refused, and everything that a client chooses has a limit that is checked as the bytes come.
 */
enum http_frame_state {
	HTTP_FRAME_HEAD,    /* wants more */
	HTTP_FRAME_BODY,    /* the head is there; wants more */
	HTTP_FRAME_WHOLE,   /* a request; http_frame_next() goes on to the one behind it */
	HTTP_FRAME_REFUSED, /* status and why tell; nothing of this connection can be trusted now */
};

struct http_header {
	char *name, *value; /* value without blanks around it */
};

struct http_frame {
	size_t most_head, most_body;
	size_t limit; /* of this request's body: most_body or less */
	enum http_frame_state state;
	bool begun; /* a byte of the request has come */

	/* from the head on */
	char *method, *path, *query; /* path and query still encoded, every escape complete */
	struct http_header *headers;
	size_t header_count;
	bool http_1_0;
	bool close;   /* the client wants no request after this one, or cannot say */
	bool expects; /* 100 (Continue) before it sends the body */
	struct buf body;

	/* refused */
	int status;
	const char *why;

	/* inside */
	enum http_body {
		HTTP_BODY_COUNTED,
		HTTP_BODY_CHUNK_SIZE,
		HTTP_BODY_CHUNK,
		HTTP_BODY_CHUNK_END,
		HTTP_BODY_TRAILER,
	} part;
	uint64_t left;
	struct buf head, line;
	size_t line_start, trailer_bytes;
};

void http_frame_init(struct http_frame *, size_t most_head, size_t most_body);
void http_frame_deinit(struct http_frame *);
/* Takes bytes until the head is there, from then on until the request is whole, or until it is
 * refused.  Returns how many were used. */
size_t http_frame_feed(struct http_frame *, const char *bytes, size_t len);
/* After HTTP_FRAME_WHOLE: from the start, for the next request. */
void http_frame_next(struct http_frame *, size_t most_head, size_t most_body);
/* With the head there and none of the body: this one may have so much, which may refuse it. */
void http_frame_limit(struct http_frame *, size_t most_body);
/* What the head says of the body's length; 0 for none and for one that comes in chunks. */
size_t http_frame_announced(const struct http_frame *);
/* The first of that name; NULL: none. */
const char *http_frame_header(const struct http_frame *, const char *name);
/* The one after nth others of that name; NULL: past the last. */
const char *http_frame_header_at(const struct http_frame *, const char *name, size_t nth);

#endif
