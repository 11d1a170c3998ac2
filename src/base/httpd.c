/*
 * Connections and answers are evhttp's.  Requests are not: libevent 2.1's evhttp reads "a: 1" as
 * it comes, takes the first of two lengths, prefers one of two framings, leaves the body of a
 * DELETE to be the next request, starts its timeout anew with each byte, calls back a second time
 * for a request whose client has gone, and ends the process (event_errx) when bytes come while a
 * request waits.  So the bytes of a connection are taken from its input as they arrive, framed by
 * http_frame, and only what is whole and within limits is put before evhttp: as a bare request of
 * the same method, whose answer it then makes and sends.
 *
 * The callbacks of the bufferevent are ours at all times but while evhttp reads that request; its
 * own write callback is called by ours when an answer is on its way.
 */

#include <sys/socket.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>

#include <openssl/ssl.h>

#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/tls.h"

#include "base/httpd_inside.h"

#define LINGER_MS         2000 /* for a client to read why it was refused, while it still sends */
#define OUT_OF_FDS_MS     250
#define TURN_AWAY_AT_ONCE 64
#define LOG_SPAN_MS       10000

static void conn_close(struct conn *);
static void conn_answered(struct evhttp_request *asked, void *ctx);

/* --- the end of a connection -------------------------------------------------------------- */

void
httpd_watch_gone_end(struct conn *conn)
{
	if (conn->gone_watch != NULL)
		event_free(conn->gone_watch);
	conn->gone_watch = NULL;
	if (conn->gone_fd >= 0)
		close(conn->gone_fd);
	conn->gone_fd = -1;
}

static void
accept_again(void *ctx)
{
	struct httpd *httpd = ctx;

	if (httpd->stopped)
		return;
	for (struct listener *l = httpd->listeners; l != NULL; l = l->next) {
		if (httpd->full)
			event_add(l->turning_away, NULL);
		else
			evconnlistener_enable(l->accepting);
	}
}

static void
look_at_count(struct httpd *httpd)
{
	bool full = httpd->conn_count >= httpd->limits.most_connections;

	if (full == httpd->full || httpd->stopped)
		return;
	httpd->full = full;
	for (struct listener *l = httpd->listeners; l != NULL; l = l->next) {
		if (full) {
			evconnlistener_disable(l->accepting);
			event_add(l->turning_away, NULL);
		} else {
			event_del(l->turning_away);
			evconnlistener_enable(l->accepting);
		}
	}
}

/* All that is ours; the evhttp_connection goes on its own way. */
static void
conn_forget(struct conn *conn)
{
	struct httpd *httpd = conn->httpd;
	struct ssl_st *ssl = bufferevent_openssl_get_ssl(conn->bev);

	if (ssl != NULL)
		tls_say_goodbye(ssl);
	/* A request that evhttp has let go of is nobody's then. */
	if (conn->asked != NULL && evhttp_request_get_connection(conn->asked) == NULL)
		evhttp_request_free(conn->asked);
	if (conn->request != NULL) {
		conn->request->conn = NULL;
		loop_call_ask(httpd->bury);
	}
	if (conn->evhttp != NULL)
		evhttp_connection_set_closecb(conn->evhttp, NULL, NULL);
	bufferevent_setcb(conn->bev, NULL, NULL, NULL, NULL);
	evbuffer_remove_cb_entry(bufferevent_get_input(conn->bev), conn->input_watch);
	evbuffer_remove_cb_entry(bufferevent_get_output(conn->bev), conn->output_watch);
	httpd_watch_gone_end(conn);
	loop_timer_free(&conn->timer);
	loop_call_free(&conn->step);
	http_frame_deinit(&conn->frame);
	evbuffer_free(conn->in);
	httpd->held -= conn->held;
	*conn->link = conn->next;
	if (conn->next != NULL)
		conn->next->link = conn->link;
	if (httpd->busy == conn)
		httpd->busy = NULL;
	free(conn);
	httpd->conn_count--;
	look_at_count(httpd);
}

static void
conn_close(struct conn *conn)
{
	struct evhttp_connection *evhttp = conn->evhttp;

	conn_forget(conn);
	evhttp_connection_free(evhttp);
}

static void
on_evhttp_close(struct evhttp_connection *evhttp, void *ctx)
{
	(void)evhttp;
	conn_forget(ctx);
}

static void
on_gone(evutil_socket_t fd, short what, void *ctx)
{
	struct conn *conn = ctx;
	struct pollfd look = { .fd = fd, .events = POLLRDHUP };

	(void)what;
	if (poll(&look, 1, 0) <= 0)
		return;
	if ((look.revents & (POLLHUP | POLLERR)) != 0 ||
	    ((look.revents & POLLRDHUP) != 0 && !conn->peer.local))
		conn_close(conn);
}

/*
 * Nothing is read while a request waits, so nothing tells that its client has left; epoll does.
 * Edges, since a side that is closed stays readable for ever.
 */
static void
watch_gone(struct conn *conn)
{
	conn->gone_fd = fcntl(bufferevent_getfd(conn->bev), F_DUPFD_CLOEXEC, 0);
	if (conn->gone_fd < 0)
		return;
	conn->gone_watch = event_new(loop_base(conn->httpd->loop), conn->gone_fd,
	    EV_READ | EV_CLOSED | EV_ET | EV_PERSIST, on_gone, conn);
	if (conn->gone_watch == NULL || event_add(conn->gone_watch, NULL) != 0)
		httpd_watch_gone_end(conn);
}

/* --- bytes -------------------------------------------------------------------------------- */

static void
on_written(struct bufferevent *bev, void *ctx)
{
	struct conn *conn = ctx;

	switch (conn->state) {
	case CONN_ANSWERED:
		conn->evhttp_write(bev, conn->evhttp);
		return;
	case CONN_REFUSED:
		if (!conn->secure)
			shutdown(bufferevent_getfd(bev), SHUT_WR);
		return;
	case CONN_NEW:
	case CONN_HANDSHAKE:
	case CONN_READING:
	case CONN_ASKED:
	case CONN_PIECES:
		return;
	}
}

/* While nobody was admitted: head_timeout_ms, or the one that counts without it. */
static void
wait_for_head(struct conn *conn, int64_t otherwise_ms)
{
	int64_t ms = conn->httpd->limits.head_timeout_ms;

	loop_timer_set(conn->timer, ms > 0 ? ms : otherwise_ms);
}

static void
on_event(struct bufferevent *bev, short what, void *ctx)
{
	struct conn *conn = ctx;

	/* evhttp reads while it writes; the end of what a client says is not that of its hearing.
	 */
	if (conn->peer.local && what == (BEV_EVENT_READING | BEV_EVENT_EOF) &&
	    (conn->state == CONN_PIECES || conn->state == CONN_ANSWERED))
		return;
	if ((what & BEV_EVENT_CONNECTED) == 0) {
		conn_close(conn);
		return;
	}
	if (conn->state != CONN_HANDSHAKE)
		return;
	tls_peer_name(
	    bufferevent_openssl_get_ssl(bev), conn->peer.subject, sizeof(conn->peer.subject));
	conn->state = CONN_READING;
	wait_for_head(conn, conn->httpd->limits.idle_timeout_ms);
}

void
httpd_take_callbacks(struct conn *conn)
{
	bufferevent_setcb(conn->bev, NULL, on_written, on_event, conn);
}

/* Bytes from the client never stay where evhttp would see them. */
static void
on_input(struct evbuffer *input, const struct evbuffer_cb_info *info, void *ctx)
{
	struct conn *conn = ctx;

	if (info->n_added == 0 || conn->feeding)
		return;
	if (conn->state == CONN_REFUSED) {
		evbuffer_drain(input, evbuffer_get_length(input));
		return;
	}
	if (evbuffer_add_buffer(conn->in, input) != 0)
		abort();
	loop_call_ask(conn->step);
}

/* An answer that is not taken has the idle time from each byte that was. */
static void
on_output(struct evbuffer *output, const struct evbuffer_cb_info *info, void *ctx)
{
	struct conn *conn = ctx;

	if (conn->state != CONN_PIECES && conn->state != CONN_ANSWERED)
		return;
	if (evbuffer_get_length(output) == 0) {
		if (conn->state == CONN_PIECES)
			loop_timer_clear(conn->timer);
	} else if (info->n_deleted > 0 || info->orig_size == 0) {
		loop_timer_set(conn->timer, conn->httpd->limits.idle_timeout_ms);
	}
}

/* --- refusals ----------------------------------------------------------------------------- */

/* evhttp has not heard of this request, and does not of its end.  why and header (a line with its
 * end, or nothing) are our own text. */
static void
conn_refuse_with(struct conn *conn, int status, const char *why, const char *header)
{
	const struct httpd_status *s = httpd_status_find(status);
	struct evbuffer *out = bufferevent_get_output(conn->bev);
	bool head_only = conn->frame.method != NULL && strcmp(conn->frame.method, "HEAD") == 0;
	char body[512];
	int len = snprintf(body, sizeof(body),
	    "{\"error\":{\"status\":%d,\"code\":\"%s\",\"message\":\"%s\"}}\n", status, s->code,
	    why);

	conn->state = CONN_REFUSED;
	conn->httpd->held -= conn->held;
	conn->held = 0;
	buf_free(&conn->frame.body);
	if (conn->httpd->refused != NULL)
		conn->httpd->refused(conn->httpd->ctx, &conn->peer, status, why);
	evbuffer_drain(conn->in, evbuffer_get_length(conn->in));
	evbuffer_add_printf(out,
	    "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
	    "%sConnection: close\r\n\r\n%s",
	    status, s->reason, len, header, head_only ? "" : body);
	httpd_take_callbacks(conn);
	bufferevent_enable(conn->bev, EV_READ | EV_WRITE);
	loop_timer_set(conn->timer, LINGER_MS);
}

static void
conn_refuse(struct conn *conn, int status, const char *why)
{
	conn_refuse_with(conn, status, why, status == 503 ? "Retry-After: 30\r\n" : "");
}

static void
on_timer(void *ctx)
{
	struct conn *conn = ctx;

	if (conn->state == CONN_READING && conn->begun)
		conn_refuse(conn, 408, "the request did not come whole in time");
	else
		conn_close(conn);
}

/* --- from bytes to requests --------------------------------------------------------------- */

static void
on_evhttp_request(struct evhttp_request *asked, void *ctx)
{
	struct listener *listener = ctx;
	struct conn *conn = listener->httpd->busy;

	if (conn != NULL)
		conn->asked = asked;
}

static void
hand_up(struct conn *conn)
{
	struct httpd *httpd = conn->httpd;
	struct evbuffer *bare = evbuffer_new();

	if (bare == NULL)
		abort();
	evbuffer_add_printf(bare, "%s / HTTP/1.%d\r\n%s\r\n", conn->frame.method,
	    conn->frame.http_1_0 ? 0 : 1, conn->frame.close ? "Connection: close\r\n" : "");
	conn->feeding = true;
	httpd->busy = conn;
	bufferevent_setcb(
	    conn->bev, conn->evhttp_read, conn->evhttp_write, conn->evhttp_event, conn->evhttp);
	if (evbuffer_prepend_buffer(bufferevent_get_input(conn->bev), bare) != 0)
		abort();
	evbuffer_free(bare);
	conn->evhttp_read(conn->bev, conn->evhttp);
	if (httpd->busy == NULL)
		return;
	httpd->busy = NULL;
	conn->feeding = false;
	httpd_take_callbacks(conn);
	bufferevent_disable(conn->bev, EV_READ);
	if (conn->asked == NULL) {
		conn_close(conn);
		return;
	}
	evhttp_request_set_on_complete_cb(conn->asked, conn_answered, conn);
	loop_timer_clear(conn->timer);
	conn->state = CONN_ASKED;
	watch_gone(conn);
	httpd->request(httpd->ctx, httpd_request_new(conn));
}

/* -1: it was refused. */
static int
ask_admission(struct conn *conn)
{
	struct httpd *httpd = conn->httpd;
	struct httpd_head head = { .peer = &conn->peer,
		.method = conn->frame.method,
		.path = conn->frame.path,
		.query = conn->frame.query,
		.frame = &conn->frame,
		.announced = http_frame_announced(&conn->frame),
		.most_body = conn->frame.limit,
		.why = "not allowed" };
	char header[200] = "";
	int status;

	if (conn->judged)
		return 0;
	conn->judged = true;
	if (!conn->begun || httpd->limits.head_timeout_ms > 0) {
		conn->begun = true;
		loop_timer_set(conn->timer, httpd->limits.request_timeout_ms);
	}
	status = httpd->admit != NULL ? httpd->admit(httpd->ctx, &head) : 0;
	if (status != 0) {
		if (head.header != NULL)
			snprintf(header, sizeof(header), "%s: %s\r\n", head.header, head.value);
		conn_refuse_with(conn, status, head.why, header);
		return -1;
	}
	conn->known = true;
	http_frame_limit(&conn->frame, head.most_body);
	return 0;
}

/* Counts what the body has or will have.  -1: it was refused. */
static int
hold_body(struct conn *conn)
{
	struct httpd *httpd = conn->httpd;
	size_t announced = http_frame_announced(&conn->frame), came = conn->frame.body.len;
	size_t holds = announced > came ? announced : came;
	size_t most = httpd->limits.most_held_bytes;

	httpd->held += holds - conn->held;
	conn->held = holds;
	if (holds == 0 || most == 0 || httpd->held <= most)
		return 0;
	conn_refuse(conn, 503, "too much at once, try again later");
	return -1;
}

/* Feeds what is there to the frame.  -1: the request was refused, for what its head says or what
 * its body takes. */
static int
frame_bytes(struct conn *conn)
{
	struct http_frame *frame = &conn->frame;
	struct evbuffer_iovec piece;

	while (frame->state < HTTP_FRAME_WHOLE &&
	       evbuffer_peek(conn->in, -1, NULL, &piece, 1) > 0 && piece.iov_len > 0) {
		evbuffer_drain(conn->in, http_frame_feed(frame, piece.iov_base, piece.iov_len));
		if (frame->state != HTTP_FRAME_BODY && frame->state != HTTP_FRAME_WHOLE)
			continue;
		if (ask_admission(conn) != 0 || hold_body(conn) != 0)
			return -1;
	}
	return 0;
}

static void
conn_read(struct conn *conn)
{
	if (frame_bytes(conn) != 0)
		return;
	switch (conn->frame.state) {
	case HTTP_FRAME_WHOLE:
		hand_up(conn);
		return;
	case HTTP_FRAME_REFUSED:
		conn_refuse(conn, conn->frame.status, conn->frame.why);
		return;
	case HTTP_FRAME_HEAD:
	case HTTP_FRAME_BODY:
		break;
	}
	if (!conn->frame.begun) {
		if (conn->httpd->stopped)
			conn_close(conn);
		return;
	}
	if (!conn->begun) {
		conn->begun = true;
		wait_for_head(conn, conn->httpd->limits.request_timeout_ms);
	}
	/* RFC 9110 10.1.1: not when the body is on its way already. */
	if (conn->frame.expects && !conn->continued && conn->frame.body.len == 0) {
		conn->continued = true;
		evbuffer_add_printf(
		    bufferevent_get_output(conn->bev), "HTTP/1.1 100 Continue\r\n\r\n");
		bufferevent_enable(conn->bev, EV_WRITE);
	}
}

static void
next_frame(struct conn *conn)
{
	const struct httpd_limits *limits = &conn->httpd->limits;

	http_frame_next(&conn->frame, limits->most_header_bytes, limits->most_body_bytes);
}

/* The answer has gone out.  evhttp ends the connection after this, or waits for more. */
static void
conn_answered(struct evhttp_request *asked, void *ctx)
{
	struct conn *conn = ctx;

	(void)asked;
	conn->asked = NULL;
	conn->state = CONN_READING;
	conn->begun = conn->continued = conn->judged = false;
	conn->httpd->held -= conn->held;
	conn->held = 0;
	next_frame(conn);
	loop_timer_set(conn->timer, conn->httpd->limits.idle_timeout_ms);
	loop_call_ask(conn->step);
}

/* --- new connections ---------------------------------------------------------------------- */

static void
learn_peer(struct httpd_peer *peer, int fd)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
		struct sockaddr_storage room;
	} address = { .any.sa_family = AF_UNSPEC };
	socklen_t len = sizeof(address), credentials_len;
	struct ucred credentials;
	char text[INET6_ADDRSTRLEN] = "";
	const int on = 1;

	memset(peer, 0, sizeof(*peer));
	peer->uid = (uid_t)-1;
	peer->gid = (gid_t)-1;
	if (getsockname(fd, &address.any, &len) != 0)
		return;
	if (address.any.sa_family == AF_UNIX) {
		credentials_len = sizeof(credentials);
		snprintf(peer->address, sizeof(peer->address), "unix");
		if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &credentials_len) != 0)
			return;
		peer->local = true;
		peer->uid = credentials.uid;
		peer->gid = credentials.gid;
		peer->pid = credentials.pid;
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	len = sizeof(address);
	if (getpeername(fd, &address.any, &len) != 0)
		return;
	if (address.any.sa_family == AF_INET6 &&
	    inet_ntop(AF_INET6, &address.v6.sin6_addr, text, sizeof(text)) != NULL)
		snprintf(peer->address, sizeof(peer->address), "[%s]:%u", text,
		    ntohs(address.v6.sin6_port));
	else if (address.any.sa_family == AF_INET &&
		 inet_ntop(AF_INET, &address.v4.sin_addr, text, sizeof(text)) != NULL)
		snprintf(peer->address, sizeof(peer->address), "%s:%u", text,
		    ntohs(address.v4.sin_port));
}

/* evhttp tells nobody of a connection before its first request, but its callbacks know it. */
static void
conn_begin(struct conn *conn)
{
	void *evhttp = NULL;

	bufferevent_getcb(
	    conn->bev, &conn->evhttp_read, &conn->evhttp_write, &conn->evhttp_event, &evhttp);
	conn->evhttp = evhttp;
	if (evhttp == NULL)
		abort();
	evhttp_connection_set_closecb(conn->evhttp, on_evhttp_close, conn);
	bufferevent_set_timeouts(conn->bev, NULL, NULL);
	learn_peer(&conn->peer, bufferevent_getfd(conn->bev));
	httpd_take_callbacks(conn);
	if (conn->secure) {
		conn->state = CONN_HANDSHAKE;
		wait_for_head(conn, conn->httpd->limits.request_timeout_ms);
	} else {
		conn->state = CONN_READING;
		wait_for_head(conn, conn->httpd->limits.idle_timeout_ms);
	}
}

static void
conn_step(void *ctx)
{
	struct conn *conn = ctx;

	if (conn->state == CONN_NEW)
		conn_begin(conn);
	if (conn->state != CONN_READING)
		return;
	httpd_take_callbacks(conn); /* evhttp has set its own after an answer */
	conn_read(conn);
}

static struct bufferevent *
on_accept(struct event_base *base, void *ctx)
{
	struct listener *listener = ctx;
	struct httpd *httpd = listener->httpd;
	struct conn *conn = mem_new(sizeof(*conn));
	struct ssl_st *ssl;

	if (listener->tls != NULL) {
		ssl = SSL_new(listener->tls);
		if (ssl == NULL)
			abort();
		conn->secure = true;
		conn->bev = bufferevent_openssl_socket_new(
		    base, -1, ssl, BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
	} else {
		conn->bev = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
	}
	conn->in = evbuffer_new();
	if (conn->bev == NULL || conn->in == NULL)
		abort();
	conn->httpd = httpd;
	conn->listener = listener;
	conn->gone_fd = -1;
	http_frame_init(
	    &conn->frame, httpd->limits.most_header_bytes, httpd->limits.most_body_bytes);
	conn->step = loop_call_new(httpd->loop, conn_step, conn);
	conn->timer = loop_timer_new(httpd->loop, on_timer, conn);
	conn->input_watch = evbuffer_add_cb(bufferevent_get_input(conn->bev), on_input, conn);
	conn->output_watch = evbuffer_add_cb(bufferevent_get_output(conn->bev), on_output, conn);
	conn->next = httpd->conns;
	conn->link = &httpd->conns;
	if (conn->next != NULL)
		conn->next->link = &conn->next;
	httpd->conns = conn;
	httpd->conn_count++;
	loop_call_ask(conn->step);
	look_at_count(httpd);
	return conn->bev;
}

/* The one that has waited longest of those that nobody has admitted.  NULL: all were. */
static struct conn *
oldest_stranger(struct httpd *httpd)
{
	struct conn *oldest = NULL;

	for (struct conn *conn = httpd->conns; conn != NULL; conn = conn->next) {
		if (!conn->known && conn->state != CONN_NEW)
			oldest = conn;
	}
	return oldest;
}

/*
 * There is no room for who waits to be accepted.  Strangers who hold connections and say nothing
 * do not keep out those who have something to say: they make room, and who is new is turned away
 * only where all others are known.
 */
static void
on_surplus(evutil_socket_t fd, short what, void *ctx)
{
	struct listener *l = ctx;
	struct httpd *httpd = l->httpd;
	struct conn *stranger = oldest_stranger(httpd);
	int64_t left_out;

	(void)what;
	if (log_gate_pass(&httpd->crowd, LOG_SPAN_MS, &left_out))
		log_warning("http-full", log_num("connections", httpd->conn_count),
		    log_str("closed", stranger != NULL ? stranger->peer.address : "the new one"),
		    log_num("left_out", left_out));
	if (stranger != NULL) {
		conn_close(stranger); /* and accepting begins again */
		return;
	}
	for (int i = 0; i < TURN_AWAY_AT_ONCE; i++) {
		int surplus = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

		if (surplus < 0) {
			if (errno == EMFILE || errno == ENFILE || errno == ENOMEM ||
			    errno == ENOBUFS) {
				event_del(l->turning_away);
				loop_timer_set(httpd->accept_again, OUT_OF_FDS_MS);
			}
			return;
		}
		close(surplus);
	}
}

/* Without descriptors the listener would be readable, and read in vain, without end. */
static void
on_accept_error(struct evconnlistener *accepting, void *ctx)
{
	struct httpd *httpd = ctx;

	log_warning("http-accept", log_str("why", strerror(errno)));
	evconnlistener_disable(accepting);
	loop_timer_set(httpd->accept_again, OUT_OF_FDS_MS);
}

/* --- life --------------------------------------------------------------------------------- */

struct httpd *
httpd_new(const struct httpd_params *params)
{
	struct httpd *httpd = mem_new(sizeof(*httpd));

	httpd->loop = params->loop;
	httpd->limits = params->limits;
	httpd->admit = params->admit;
	httpd->refused = params->refused;
	httpd->request = params->request;
	httpd->ctx = params->ctx;
	httpd->bury = loop_call_new(httpd->loop, httpd_bury_one, httpd);
	httpd->accept_again = loop_timer_new(httpd->loop, accept_again, httpd);
	/* libevent writes to sockets whose reader may have gone. */
	signal(SIGPIPE, SIG_IGN);
	return httpd;
}

void
httpd_set_limits(struct httpd *httpd, const struct httpd_limits *limits)
{
	httpd->limits = *limits;
	for (struct conn *conn = httpd->conns; conn != NULL; conn = conn->next) {
		if (conn->state <= CONN_READING && !conn->frame.begun)
			next_frame(conn);
	}
	look_at_count(httpd);
}

static struct ssl_ctx_st *
make_context(const struct httpd_tls *tls, char *why, size_t why_size)
{
	if (tls->certificate != NULL)
		return tls_server_context_of(tls->certificate, tls->key, why, why_size);
	return tls_server_context(
	    tls->certificate_file, tls->key_file, tls->client_ca_file, why, why_size);
}

/* context NULL: plain. */
static void
listener_use(struct listener *l, struct ssl_ctx_st *context)
{
	tls_context_free(&l->tls);
	if (context != NULL)
		SSL_CTX_up_ref(context);
	l->tls = context;
}

static bool
is_local(int fd)
{
	int domain = AF_UNSPEC;
	socklen_t len = sizeof(domain);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_UNIX;
}

int
httpd_listen(struct httpd *httpd, int fd, const struct httpd_tls *tls, char *why, size_t why_size)
{
	struct listener *l = mem_new(sizeof(*l));
	struct event_base *base = loop_base(httpd->loop);

	l->httpd = httpd;
	l->fd = fd;
	l->local = is_local(fd);
	if (tls != NULL) {
		l->tls = make_context(tls, why, why_size);
		if (l->tls == NULL)
			goto free_listener;
	}
	l->http = evhttp_new(base);
	l->turning_away = event_new(base, fd, EV_READ | EV_PERSIST, on_surplus, l);
	l->accepting = evconnlistener_new(base, NULL, NULL,
	    LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0 /* it listens already */, fd);
	if (evutil_make_socket_nonblocking(fd) != 0 || l->http == NULL || l->turning_away == NULL ||
	    l->accepting == NULL ||
	    (l->bound = evhttp_bind_listener(l->http, l->accepting)) == NULL) {
		snprintf(why, why_size, "no listener: %s", strerror(errno));
		goto free_http;
	}
	evconnlistener_set_error_cb(l->accepting, on_accept_error);
	evhttp_set_bevcb(l->http, on_accept, l);
	evhttp_set_gencb(l->http, on_evhttp_request, l);
	evhttp_set_default_content_type(l->http, NULL);
	evhttp_set_allowed_methods(l->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST |
						EVHTTP_REQ_PUT | EVHTTP_REQ_PATCH |
						EVHTTP_REQ_DELETE | EVHTTP_REQ_OPTIONS);
	l->next = httpd->listeners;
	httpd->listeners = l;
	if (httpd->full) {
		evconnlistener_disable(l->accepting);
		event_add(l->turning_away, NULL);
	}
	return 0;

free_http:
	if (l->accepting != NULL)
		evconnlistener_free(l->accepting);
	if (l->turning_away != NULL)
		event_free(l->turning_away);
	if (l->http != NULL)
		evhttp_free(l->http);
	tls_context_free(&l->tls);
	fd = l->accepting != NULL ? -1 : fd;
free_listener:
	if (fd >= 0)
		close(fd);
	free(l);
	return -1;
}

int
httpd_reload_tls(struct httpd *httpd, const struct httpd_tls *tls, char *why, size_t why_size)
{
	struct ssl_ctx_st *context = make_context(tls, why, why_size);

	if (context == NULL)
		return -1;
	for (struct listener *l = httpd->listeners; l != NULL; l = l->next) {
		if (l->tls != NULL)
			listener_use(l, context);
	}
	tls_context_free(&context);
	return 0;
}

int
httpd_use_tls(struct httpd *httpd, const struct httpd_tls *tls, char *why, size_t why_size)
{
	struct ssl_ctx_st *context = NULL;

	if (tls != NULL) {
		context = make_context(tls, why, why_size);
		if (context == NULL)
			return -1;
	}
	for (struct listener *l = httpd->listeners; l != NULL; l = l->next) {
		if (!l->local)
			listener_use(l, context);
	}
	tls_context_free(&context);
	return 0;
}

void
httpd_stop_listening(struct httpd *httpd)
{
	if (httpd->stopped)
		return;
	httpd->stopped = true;
	for (struct listener *l = httpd->listeners; l != NULL; l = l->next) {
		event_free(l->turning_away);
		l->turning_away = NULL;
		evhttp_del_accept_socket(l->http, l->bound);
		l->accepting = NULL;
	}
	for (struct conn *conn = httpd->conns; conn != NULL; conn = conn->next)
		loop_call_ask(conn->step);
}

size_t
httpd_held_bytes(const struct httpd *httpd)
{
	return httpd->held;
}

size_t
httpd_open_requests(const struct httpd *httpd)
{
	size_t count = 0;

	for (const struct conn *conn = httpd->conns; conn != NULL; conn = conn->next)
		count += conn->state >= CONN_ASKED && conn->state <= CONN_ANSWERED;
	return count;
}

void
httpd_free(struct httpd **httpd_p)
{
	struct httpd *httpd = *httpd_p;

	if (httpd == NULL)
		return;
	*httpd_p = NULL;
	httpd_stop_listening(httpd);
	while (httpd->conns != NULL) {
		if (httpd->conns->state == CONN_NEW)
			conn_begin(httpd->conns);
		conn_close(httpd->conns);
	}
	while (httpd->requests != NULL) {
		struct httpd_request *r = httpd->requests;
		void (*gone)(void *) = r->gone;
		void *gone_ctx = r->gone_ctx;

		httpd_request_free(r);
		if (gone != NULL)
			gone(gone_ctx);
	}
	while (httpd->listeners != NULL) {
		struct listener *l = httpd->listeners;

		httpd->listeners = l->next;
		evhttp_free(l->http);
		tls_context_free(&l->tls);
		free(l);
	}
	loop_call_free(&httpd->bury);
	loop_timer_free(&httpd->accept_again);
	free(httpd);
}
