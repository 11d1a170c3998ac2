#ifndef PMRELAY_BASE_HTTPD_INSIDE_H
#define PMRELAY_BASE_HTTPD_INSIDE_H

/* What httpd.c and httpd_request.c share; nobody else includes it. */

#include <event2/bufferevent.h>

#include "base/http_frame.h"
#include "base/httpd.h"
#include "base/log.h"

struct listener {
	struct listener *next;
	struct httpd *httpd;
	int fd;
	struct ssl_ctx_st *tls; /* NULL: plain */
	bool local;             /* a Unix socket */
	struct evhttp *http;    /* one each, since only it tells whose a new connection is */
	struct evhttp_bound_socket *bound;
	struct evconnlistener *accepting;
	struct event *turning_away; /* in its place while there are as many connections as may be */
};

struct conn {
	struct conn *next;
	struct conn **link; /* what points here */
	struct listener *listener;
	struct httpd *httpd;
	struct bufferevent *bev;
	struct evhttp_connection *evhttp;
	bufferevent_data_cb evhttp_read, evhttp_write;
	bufferevent_event_cb evhttp_event;
	struct evbuffer_cb_entry *input_watch, *output_watch;
	struct evbuffer *in; /* what has come and is not framed yet */
	bool feeding;        /* what is added to the input now is for evhttp */
	struct http_frame frame;
	bool begun; /* the deadline of a request runs */
	bool continued;
	bool judged; /* the head has been */
	bool known;  /* a request of it was admitted */
	bool secure; /* TLS */
	size_t held; /* bytes of the body, as counted in httpd->held */
	struct loop_call *step;
	struct loop_timer *timer;
	struct httpd_peer peer;

	enum conn_state {
		CONN_NEW,       /* evhttp still makes it */
		CONN_HANDSHAKE, /* TLS */
		CONN_READING,   /* or idle */
		CONN_ASKED,     /* a request waits for its answer */
		CONN_PIECES,    /* its answer has begun */
		CONN_ANSWERED,  /* and ended; it is being sent */
		CONN_REFUSED,   /* the refusal is being sent; what comes is thrown away */
	} state;
	struct evhttp_request *asked; /* evhttp's, in the last states but one */
	struct httpd_request *request;
	int gone_fd; /* a double of the socket: edges are no neighbours of bufferevent's levels */
	struct event *gone_watch;
};

struct httpd_request {
	struct httpd_request *next;
	struct httpd_request **link;
	struct httpd *httpd;
	struct conn *conn; /* NULL: the client has gone */
	void (*gone)(void *ctx);
	void *gone_ctx;
};

struct httpd {
	struct loop *loop;
	struct httpd_limits limits;
	int (*admit)(void *ctx, struct httpd_head *);
	void (*refused)(void *ctx, const struct httpd_peer *, int status, const char *why);
	void (*request)(void *ctx, struct httpd_request *);
	void *ctx;
	struct listener *listeners;
	struct conn *conns;
	unsigned conn_count;
	size_t held;  /* bytes of bodies, come or announced */
	bool full;    /* listeners turn away */
	bool stopped; /* no more connections, no more requests behind those under way */
	struct httpd_request *requests;
	struct conn *busy;      /* while evhttp works on it; NULL when it ended meanwhile */
	struct loop_call *bury; /* gone() of requests without a connection */
	struct loop_timer *accept_again;
	struct log_gate crowd;
};

/* What we answer a status with. */
struct httpd_status {
	int status;
	const char *reason, *code;
};

/* NULL: evhttp's own word will do. */
const struct httpd_status *httpd_status_find(int status);

/* A whole request of the connection; answering it frees it. */
struct httpd_request *httpd_request_new(struct conn *);
void httpd_request_free(struct httpd_request *);
/* gone() of requests without a connection: what the call bury runs. */
void httpd_bury_one(void *ctx);

/* Nobody waits for the client to go any more. */
void httpd_watch_gone_end(struct conn *);
/* The bufferevent's callbacks are ours again. */
void httpd_take_callbacks(struct conn *);

#endif
