/*
 * One request: what is asked, and the answer to it.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>

#include "base/buf.h"
#include "base/loop.h"
#include "base/mem.h"

#include "base/httpd_inside.h"

/* --- requests ----------------------------------------------------------------------------- */

struct httpd_request *
httpd_request_new(struct conn *conn)
{
	struct httpd_request *r = mem_new(sizeof(*r));

	r->httpd = conn->httpd;
	r->conn = conn;
	conn->request = r;
	r->next = r->httpd->requests;
	r->link = &r->httpd->requests;
	if (r->next != NULL)
		r->next->link = &r->next;
	r->httpd->requests = r;
	return r;
}

void
httpd_request_free(struct httpd_request *r)
{
	*r->link = r->next;
	if (r->next != NULL)
		r->next->link = r->link;
	if (r->conn != NULL)
		r->conn->request = NULL;
	free(r);
}

/* One at a time, since gone() may do anything, and ends the turn for this httpd. */
void
httpd_bury_one(void *ctx)
{
	struct httpd *httpd = ctx;

	for (struct httpd_request *r = httpd->requests; r != NULL; r = r->next) {
		void (*gone)(void *) = r->gone;
		void *gone_ctx = r->gone_ctx;

		if (r->conn != NULL || gone == NULL)
			continue;
		httpd_request_free(r);
		loop_call_ask(httpd->bury);
		gone(gone_ctx);
		return;
	}
}

/* --- statuses ----------------------------------------------------------------------------- */

static const struct httpd_status statuses[] = {
	{ 400, "Bad Request", "bad-request" },
	{ 401, "Unauthorized", "unauthorized" },
	{ 403, "Forbidden", "forbidden" },
	{ 404, "Not Found", "not-found" },
	{ 405, "Method Not Allowed", "no-such-method" },
	{ 408, "Request Timeout", "too-slow" },
	{ 413, "Content Too Large", "too-large" },
	{ 415, "Unsupported Media Type", "no-such-type" },
	{ 417, "Expectation Failed", "bad-expectation" },
	{ 422, "Unprocessable Content", "unprocessable" },
	{ 428, "Precondition Required", "precondition-required" },
	{ 429, "Too Many Requests", "too-many" },
	{ 431, "Request Header Fields Too Large", "too-large" },
	{ 501, "Not Implemented", "no-such-method" },
	{ 503, "Service Unavailable", "busy" },
	{ 505, "HTTP Version Not Supported", "bad-version" },
};

const struct httpd_status *
httpd_status_find(int status)
{
	for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses); i++) {
		if (statuses[i].status == status)
			return &statuses[i];
	}
	return NULL;
}

/* --- what is asked ------------------------------------------------------------------------ */

/*
 * Of a request whose client has gone nothing is left but the duty to answer it.
 */
const struct httpd_peer *
httpd_peer(const struct httpd_request *r)
{
	static const struct httpd_peer nobody = { .uid = (uid_t)-1, .gid = (gid_t)-1 };

	return r->conn != NULL ? &r->conn->peer : &nobody;
}

const char *
httpd_method(const struct httpd_request *r)
{
	return r->conn != NULL ? r->conn->frame.method : "";
}

const char *
httpd_path(const struct httpd_request *r)
{
	return r->conn != NULL ? r->conn->frame.path : "";
}

const char *
httpd_query(const struct httpd_request *r)
{
	return r->conn != NULL ? r->conn->frame.query : "";
}

const char *
httpd_header(const struct httpd_request *r, const char *name)
{
	return r->conn != NULL ? http_frame_header(&r->conn->frame, name) : NULL;
}

const struct http_frame *
httpd_frame(const struct httpd_request *r)
{
	return r->conn != NULL ? &r->conn->frame : NULL;
}

const char *
httpd_head_header(const struct httpd_head *head, const char *name, size_t nth)
{
	return http_frame_header_at(head->frame, name, nth);
}

const char *
httpd_body(struct httpd_request *r, size_t *len_r)
{
	const struct buf *body = r->conn != NULL ? &r->conn->frame.body : NULL;

	*len_r = body != NULL ? body->len : 0;
	return *len_r > 0 ? body->data : "";
}

void
httpd_on_gone(struct httpd_request *r, void (*gone)(void *ctx), void *ctx)
{
	r->gone = gone;
	r->gone_ctx = ctx;
	if (r->conn == NULL && gone != NULL)
		loop_call_ask(r->httpd->bury);
}

/* --- what is answered --------------------------------------------------------------------- */

static bool
is_printable(const char *text)
{
	for (; *text != '\0'; text++) {
		if (((unsigned char)*text < ' ' && *text != '\t') || *text == 0x7f)
			return false;
	}
	return true;
}

void
httpd_add_header(struct httpd_request *r, const char *name, const char *value)
{
	if (r->conn != NULL && is_printable(value))
		evhttp_add_header(evhttp_request_get_output_headers(r->conn->asked), name, value);
}

static const char *
reason_of(int status)
{
	const struct httpd_status *s = httpd_status_find(status);

	return s != NULL ? s->reason : NULL;
}

static bool
has_no_body(const struct conn *conn, int status)
{
	return status == 204 || status == 304 || strcmp(conn->frame.method, "HEAD") == 0;
}

/* After evhttp has worked on a connection, which may have ended by that. */
static void
conn_after(struct httpd *httpd, struct conn *conn)
{
	if (httpd->busy == NULL)
		return;
	httpd->busy = NULL;
	if (conn->state == CONN_PIECES || conn->state == CONN_ANSWERED)
		httpd_take_callbacks(conn);
}

static void
add_head(struct httpd_request *r, const char *type)
{
	if (type != NULL)
		httpd_add_header(r, "Content-Type", type);
	if (r->httpd->stopped)
		httpd_add_header(r, "Connection", "close");
}

void
httpd_answer(struct httpd_request *r, int status, const char *type, const void *body, size_t len)
{
	struct httpd *httpd = r->httpd;
	struct conn *conn = r->conn;
	struct evbuffer *out;
	char number[32];

	if (conn == NULL) {
		httpd_request_free(r);
		return;
	}
	add_head(r, type);
	snprintf(number, sizeof(number), "%zu", len);
	if (status != 204 && status != 304)
		httpd_add_header(r, "Content-Length", number);
	out = evbuffer_new();
	if (out == NULL ||
	    (len > 0 && !has_no_body(conn, status) && evbuffer_add(out, body, len) != 0))
		abort();
	httpd_request_free(r);
	httpd_watch_gone_end(conn);
	conn->state = CONN_ANSWERED;
	loop_timer_set(conn->timer, httpd->limits.idle_timeout_ms);
	httpd->busy = conn;
	evhttp_send_reply(conn->asked, status, reason_of(status), out);
	evbuffer_free(out);
	conn_after(httpd, conn);
}

void
httpd_begin(struct httpd_request *r, int status, const char *type)
{
	struct conn *conn = r->conn;

	if (conn == NULL)
		return;
	add_head(r, type);
	conn->state = CONN_PIECES;
	loop_timer_set(conn->timer, r->httpd->limits.idle_timeout_ms);
	r->httpd->busy = conn;
	evhttp_send_reply_start(conn->asked, status, reason_of(status));
	conn_after(r->httpd, conn);
}

void
httpd_piece(struct httpd_request *r, const void *bytes, size_t len)
{
	struct conn *conn = r->conn;
	struct evbuffer *out;

	if (conn == NULL || len == 0)
		return;
	out = evbuffer_new();
	if (out == NULL || evbuffer_add(out, bytes, len) != 0)
		abort();
	r->httpd->busy = conn;
	evhttp_send_reply_chunk(conn->asked, out);
	evbuffer_free(out);
	conn_after(r->httpd, conn);
}

size_t
httpd_unsent(const struct httpd_request *r)
{
	return r->conn != NULL ? evbuffer_get_length(bufferevent_get_output(r->conn->bev)) : 0;
}

void
httpd_end(struct httpd_request *r)
{
	struct httpd *httpd = r->httpd;
	struct conn *conn = r->conn;

	httpd_request_free(r);
	if (conn == NULL)
		return;
	httpd_watch_gone_end(conn);
	conn->state = CONN_ANSWERED;
	loop_timer_set(conn->timer, httpd->limits.idle_timeout_ms);
	httpd->busy = conn;
	evhttp_send_reply_end(conn->asked);
	conn_after(httpd, conn);
}
