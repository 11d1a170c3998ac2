#ifndef PMRELAY_CONSOLE_HTTP_H
#define PMRELAY_CONSOLE_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/*
 * One request to the daemon, over its Unix socket or over TLS.  Blocks until the answer is there;
 * an answer of lines is handed on line by line.
 */
struct http_target {
	const char *socket; /* path; NULL: url */
	const char *url;    /* "https://relay.example.com:8443" */
	const char *certificate, *key,
	    *ca; /* PEM files; NULL: none, in certificate, the system's */
};

struct http_request {
	const char *method; /* "GET" or "POST" */
	const char *path;   /* with its query, encoded */
	const char *body;   /* of a POST */
	size_t body_len;
	bool progress;   /* lines of progress are welcome */
	long timeout_ms; /* for all of it; 0: as long as it takes */
	/* A line of an answer that consists of lines, without its end.  false: stop.  */
	bool (*line)(void *ctx, const char *line, size_t len);
	/* Something to look at meanwhile: when fd can be read, or the interval is over, ready()
	 * runs.  false: stop. */
	int watch_fd; /* -1: none */
	bool (*ready)(void *ctx);
	void *ctx;
};

enum http_end {
	HTTP_ANSWERED,
	HTTP_UNREACHABLE,
	HTTP_FORBIDDEN, /* to open the socket, or the certificate is not taken */
	HTTP_LATE,
	HTTP_CUT,     /* the answer is not whole */
	HTTP_STOPPED, /* by line() or ready() */
	HTTP_NO_FILE, /* certificate, key or authorities cannot be read */
};

struct http_answer {
	int status;
	bool lines;      /* it came as lines, and body is empty */
	struct buf body; /* the caller frees it in any case */
	char why[512];   /* unless HTTP_ANSWERED: a sentence for people */
};

enum http_end http_call(
    const struct http_target *, const struct http_request *, struct http_answer *);

#endif
