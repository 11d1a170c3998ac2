#ifndef PMRELAY_TESTS_POSTMARK_SERVER_H
#define PMRELAY_TESTS_POSTMARK_SERVER_H

#include <stdbool.h>
#include <stddef.h>

struct loop;

/*
 * A scripted HTTP/1.1 server on loopback, in the loop of the test: each request is shown to a
 * function that decides what becomes of it.
 */
struct server;

struct server_request {
	const char *method, *path;
	const char *head; /* all of the head, with its line ends */
	const char *body;
	size_t len;
	unsigned number;	/* 1 for the first that this server got */
	unsigned on_connection; /* 1 for the first on its connection */
};

enum server_fate {
	SERVER_ANSWERS,
	SERVER_CLOSES,	/* without a byte of an answer */
	SERVER_RESETS,	/* likewise, by RST */
	SERVER_CUTS,	/* the answer ends before its Content-Length */
	SERVER_STALLS,	/* never answers */
	SERVER_LEAVES,	/* answers, then closes the connection while it is idle */
};

struct server_reply {
	enum server_fate fate;
	int status;	     /* 0: 200 */
	const char *headers; /* more of them, each with its CRLF; NULL */
	char *body;	     /* taken; NULL: none */
	size_t len;	     /* of it; 0: up to its NUL */
	long delay_ms;
};

typedef void server_fn(void *ctx, const struct server_request *, struct server_reply *);

struct server *server_new(struct loop *, server_fn *, void *ctx);
void server_free(struct server **);
const char *server_url(const struct server *); /* "http://127.0.0.1:port" */
unsigned server_requests(const struct server *);
unsigned server_connections(const struct server *); /* accepted so far */

#endif
