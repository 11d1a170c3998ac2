#ifndef PMRELAY_SANDBOX_POST_H
#define PMRELAY_SANDBOX_POST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

struct loop;

/*
 * HTTP POSTs to webhooks, over libcurl.  The sandbox sends nothing out into the world: hosts that
 * are not of the loopback fail at once, without being looked up, and so does a redirection to one.
 */

/* The connections, which are kept for later posts. */
struct poster;

struct poster *poster_new(struct loop *); /* NULL: libcurl would not start */
void poster_free(struct poster **);       /* its posts were freed before */
/* What https is verified by: PEM, read at each new connection.  NULL: what the system has. */
void poster_set_ca_file(struct poster *, const char *);

struct post;

enum post_spoil {
	POST_RIGHT,
	POST_WRONG_PASSWORD, /* and another value in each header of the webhook's */
	POST_NO_AUTH,        /* nor the webhook's headers */
	POST_WRONG_PATH,
};

struct post_end {
	int status;      /* 0: no answer came */
	const char *why; /* ... and the reason; lent for ever */
	int64_t us;      /* from the start to the end */
};

struct post_params {
	struct poster *poster;
	const char *url;
	const json_t *auth;    /* {"Username", "Password"}; NULL, null: user info of the URL */
	const json_t *headers; /* array of {"Name", "Value"}; may be NULL */
	const char *body;
	size_t len;
	int64_t timeout_ms;
	int retries_remaining; /* -1: not told, as the next two when NULL */
	const char *trace;
	const char *event;
	unsigned redirects; /* followed at most */
	bool expect;        /* the body waits for 100 (Continue), or for a second */
	bool chunked;
	int64_t slow_ms; /* how long the body takes */
	enum post_spoil spoil;
	void (*done)(void *ctx, const struct post_end *); /* lent for the call */
	void *ctx;
};

/*
 * The body is lent until done() or post_free(), the other params for the call.  done() runs
 * exactly once, from the loop, never within this call, and not after post_free(), which it may
 * call.
 */
struct post *post_new(const struct post_params *);
void post_free(struct post **);

/* The URL's host is one that is posted to. */
bool post_reaches(const char *url);

#endif
