#ifndef PMRELAY_BASE_HTTPD_H
#define PMRELAY_BASE_HTTPD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct loop;

/*
 * An HTTP/1.1 listener on the loop, over libevent's evhttp: what the control socket, the webhook
 * receiver and others share.  Hard limits on everything a client chooses: a bad, huge, slow or
 * aborted request costs its own connection and nothing else.
 */
struct httpd;
struct httpd_request;

struct httpd_limits {
	size_t most_header_bytes; /* request line and headers: 431 */
	size_t most_body_bytes;   /* 413 */
	size_t most_held_bytes;   /* of bodies at once, in all connections: 503; 0: no limit */
	/* At once.  One more takes the place of the one that has been there longest without a
	 * request that was admitted; where there is none, it is closed at accept. */
	unsigned most_connections;
	int64_t request_timeout_ms; /* from the first byte to the last of one request: 408 or cut */
	/* Not 0: so long for the first byte of a connection, and from there for the head; the time
	 * above is the body's then.  Who is not admitted costs a connection no longer. */
	int64_t head_timeout_ms;
	int64_t idle_timeout_ms; /* between requests, and while an answer is not read */
};

/* Who is at the other end. */
struct httpd_peer {
	bool local; /* a Unix socket: uid, gid and pid are the kernel's word */
	uid_t uid;
	gid_t gid;
	pid_t pid;
	/* TLS: the common name or first DNS name of a verified client certificate; "" if none. */
	char subject[256];
	char address[64]; /* "unix" or address:port */
};

struct httpd_tls {
	const char *certificate_file, *key_file; /* PEM */
	const char *certificate, *key;           /* not NULL: the PEM itself, in their place */
	const char *client_ca_file;              /* clients must show a certificate of this CA */
};

/*
 * The head of a request, before any of its body was read: for whoever decides by it alone who may
 * send one.
 */
struct http_frame;
struct httpd_head {
	const struct httpd_peer *peer;
	const char *method, *path, *query; /* as httpd_method() and so on */
	const struct http_frame *frame;
	size_t announced; /* bytes of the body, by its word; 0: none, or it comes in chunks */
	size_t most_body; /* to be lowered */
	/* For a refusal; lent for the call, our own words. */
	const char *why;
	const char *header, *value; /* one more header of the answer; NULL: none */
};
/* The one after nth others of that name; NULL: past the last. */
const char *httpd_head_header(const struct httpd_head *, const char *name, size_t nth);

struct httpd_params {
	struct loop *loop;
	struct httpd_limits limits;
	/*
	 * May this request have its body read?  0, or the status that it is refused with; the
	 * connection ends then.  It frees nothing.  NULL: all may.
	 */
	int (*admit)(void *ctx, struct httpd_head *);
	/* A request was refused in here, by a limit, or as none; or by admit().  For the log.
	 * NULL: nobody is told. */
	void (*refused)(void *ctx, const struct httpd_peer *, int status, const char *why);
	/*
	 * A whole request has come.  It is answered once, now or later, by httpd_answer() or by
	 * httpd_begin() and what follows it.  What is no request, or past a limit, is answered in
	 * here: {"error":{"status":413,"code":"too-large","message":"…"}}.
	 */
	void (*request)(void *ctx, struct httpd_request *);
	void *ctx;
};

struct httpd *httpd_new(const struct httpd_params *);
/* A listening socket, taken.  tls NULL: plain.  -1 and why: certificate or key unusable. */
int httpd_listen(struct httpd *, int fd, const struct httpd_tls *tls, char *why, size_t why_size);
/* Listeners on TCP speak TLS from the next connection on, or, of NULL, no longer.  -1: as before.
 */
int httpd_use_tls(struct httpd *, const struct httpd_tls *, char *why, size_t why_size);
/* New certificates for listeners with TLS, for connections from now on.  -1: the old ones stay. */
int httpd_reload_tls(struct httpd *, const struct httpd_tls *, char *why, size_t why_size);
/* For requests that begin from now on; the number of connections counts from the next one. */
void httpd_set_limits(struct httpd *, const struct httpd_limits *);
/* What is under way goes on; connections without a request are closed. */
void httpd_stop_listening(struct httpd *);
size_t httpd_held_bytes(const struct httpd *);    /* of bodies, with what is announced of them */
size_t httpd_open_requests(const struct httpd *); /* handed up, and not answered and sent yet */
/* Cuts what is under way: requests are gone without being answered, their gone() runs.  Requests
 * without a gone() are dead, too. */
void httpd_free(struct httpd **);

/* --- a request ------------------------------------------------------------------------- */

const struct httpd_peer *httpd_peer(const struct httpd_request *);
const char *httpd_method(const struct httpd_request *); /* "GET"; "" for none we know */
/* Still encoded, each escape whole and none of them %00; path without the query, query "" if none.
 */
const char *httpd_path(const struct httpd_request *);
const char *httpd_query(const struct httpd_request *);
const char *httpd_header(const struct httpd_request *, const char *name); /* NULL: not there */
/* All of the head; NULL: the client has gone. */
const struct http_frame *httpd_frame(const struct httpd_request *);
/* The body, contiguous, not NUL-terminated; lent until it is answered. */
const char *httpd_body(struct httpd_request *, size_t *len_r);

/*
 * The client has gone before the answer was complete: stop working for it.  gone(ctx) runs from the
 * loop, at most once, never after the request was answered; the request is dead then.  NULL:
 * nobody, and the request is to be answered all the same.  A client on a Unix socket that has
 * closed its writing side only is there still; one on TCP cannot be told from one that has left.
 */
void httpd_on_gone(struct httpd_request *, void (*gone)(void *ctx), void *ctx);
/* A header of the answer, before it is begun.  Copies; a value with control characters is left
 * out. */
void httpd_add_header(struct httpd_request *, const char *name, const char *value);
/* The whole answer; frees the request.  Copies the body. */
void httpd_answer(
    struct httpd_request *, int status, const char *type, const void *body, size_t len);
/* An answer in pieces (chunked).  httpd_unsent(): what the client has not taken yet, for whoever
 * has more to say than a slow reader may cost. */
void httpd_begin(struct httpd_request *, int status, const char *type);
void httpd_piece(struct httpd_request *, const void *bytes, size_t len);
size_t httpd_unsent(const struct httpd_request *);
void httpd_end(struct httpd_request *); /* frees the request */

#endif
