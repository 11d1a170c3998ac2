#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>

#include "base/loop.h"
#include "base/mem.h"

#include "server.h"

struct connection {
	struct connection *next, *prev;
	struct server *server;
	struct bufferevent *stream;
	struct event *delay;
	struct server_reply reply;
	unsigned requests;
	bool ends; /* after what is being written */
};

struct server {
	struct event_base *base;
	struct evconnlistener *listener;
	struct connection *connections;
	char url[64];
	unsigned requests, accepted;
	server_fn *fn;
	void *ctx;
};

static void
connection_free(struct connection *connection)
{
	if (connection->prev != NULL)
		connection->prev->next = connection->next;
	else
		connection->server->connections = connection->next;
	if (connection->next != NULL)
		connection->next->prev = connection->prev;
	event_free(connection->delay);
	bufferevent_free(connection->stream);
	free(connection->reply.body);
	free(connection);
}

static void
reply_now(evutil_socket_t fd, short kinds, void *ctx)
{
	struct connection *connection = ctx;
	struct server_reply *reply = &connection->reply;
	struct evbuffer *out = bufferevent_get_output(connection->stream);
	const char *body = reply->body != NULL ? reply->body : "";
	size_t len = reply->len > 0 ? reply->len : strlen(body);
	struct linger hard = { 1, 0 };

	(void)kinds;
	fd = bufferevent_getfd(connection->stream);
	switch (reply->fate) {
	case SERVER_RESETS:
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
		connection_free(connection);
		return;
	case SERVER_CLOSES:
		connection_free(connection);
		return;
	case SERVER_STALLS:
		return;
	case SERVER_CUTS:
	case SERVER_LEAVES:
		connection->ends = true;
		break;
	case SERVER_ANSWERS:
		break;
	}
	evbuffer_add_printf(out, "HTTP/1.1 %d Scripted\r\nContent-Length: %zu\r\n%s\r\n",
	    reply->status != 0 ? reply->status : 200, len + (reply->fate == SERVER_CUTS ? 100 : 0),
	    reply->headers != NULL ? reply->headers : "");
	evbuffer_add(out, body, len);
	free(reply->body);
	memset(reply, 0, sizeof(*reply));
}

static void
request_done(struct connection *connection, char *head, const char *body, size_t len)
{
	struct server *server = connection->server;
	char method[16] = "", path[1024] = "";
	struct timeval delay;
	struct server_request request = { .method = method,
		.path = path,
		.head = head,
		.body = body,
		.len = len,
		.number = ++server->requests,
		.on_connection = ++connection->requests };

	sscanf(head, "%15s %1023s", method, path);
	server->fn(server->ctx, &request, &connection->reply);
	delay.tv_sec = connection->reply.delay_ms / 1000;
	delay.tv_usec = connection->reply.delay_ms % 1000 * 1000;
	event_add(connection->delay, &delay);
}

static size_t
content_length(const char *head)
{
	const char *at = strcasestr(head, "\r\nContent-Length:");

	return at == NULL ? 0 : strtoul(at + 17, NULL, 10);
}

static void
bytes_came(struct bufferevent *stream, void *ctx)
{
	struct connection *connection = ctx;
	struct evbuffer *in = bufferevent_get_input(stream);
	struct evbuffer_ptr end = evbuffer_search(in, "\r\n\r\n", 4, NULL);
	size_t head_len, body_len;
	char *all;

	if (end.pos < 0)
		return;
	head_len = (size_t)end.pos + 4;
	all = mem_new(head_len + 1);
	evbuffer_copyout(in, all, head_len);
	body_len = content_length(all);
	free(all);
	if (evbuffer_get_length(in) < head_len + body_len)
		return;
	all = mem_new(head_len + body_len + 2);
	evbuffer_remove(in, all, head_len);
	evbuffer_remove(in, all + head_len + 1, body_len);
	request_done(connection, all, all + head_len + 1, body_len);
	free(all);
}

static void
bytes_went(struct bufferevent *stream, void *ctx)
{
	struct connection *connection = ctx;

	(void)stream;
	if (connection->ends)
		connection_free(connection);
}

static void
stream_ended(struct bufferevent *stream, short what, void *ctx)
{
	(void)stream;
	(void)what;
	connection_free(ctx);
}

static void
accepted(
    struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *peer, int len, void *ctx)
{
	struct server *server = ctx;
	struct connection *connection = mem_new(sizeof(*connection));

	(void)listener;
	(void)peer;
	(void)len;
	server->accepted++;
	connection->server = server;
	connection->stream = bufferevent_socket_new(server->base, fd, BEV_OPT_CLOSE_ON_FREE);
	connection->delay = event_new(server->base, -1, 0, reply_now, connection);
	bufferevent_setcb(connection->stream, bytes_came, bytes_went, stream_ended, connection);
	bufferevent_enable(connection->stream, EV_READ | EV_WRITE);
	connection->next = server->connections;
	if (connection->next != NULL)
		connection->next->prev = connection;
	server->connections = connection;
}

struct server *
server_new(struct loop *loop, server_fn *fn, void *ctx)
{
	struct server *server = mem_new(sizeof(*server));
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);

	server->base = loop_base(loop);
	server->fn = fn;
	server->ctx = ctx;
	server->listener = evconnlistener_new_bind(server->base, accepted, server,
	    LEV_OPT_CLOSE_ON_FREE, 64, (struct sockaddr *)&at, sizeof(at));
	if (server->listener == NULL)
		abort();
	getsockname(evconnlistener_get_fd(server->listener), (struct sockaddr *)&at, &len);
	snprintf(
	    server->url, sizeof(server->url), "http://127.0.0.1:%u", (unsigned)ntohs(at.sin_port));
	return server;
}

void
server_free(struct server **server_p)
{
	struct server *server = *server_p;

	if (server == NULL)
		return;
	*server_p = NULL;
	while (server->connections != NULL)
		connection_free(server->connections);
	evconnlistener_free(server->listener);
	free(server);
}

const char *
server_url(const struct server *server)
{
	return server->url;
}

unsigned
server_requests(const struct server *server)
{
	return server->requests;
}

unsigned
server_connections(const struct server *server)
{
	return server->accepted;
}
