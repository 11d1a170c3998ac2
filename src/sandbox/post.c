#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/http.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/text.h"

#include "sandbox/fields.h"
#include "sandbox/post.h"

#define MOST_ANSWER_BYTES 65536

struct post {
	struct evhttp_connection *connection;
	struct loop_call *call; /* tells: the connection cannot be freed in its own callback */
	void (*done)(void *ctx, int status, const char *why);
	void *ctx;
	int status;
	const char *why;
};

static void
tell(void *ctx)
{
	struct post *post = ctx;

	post->done(post->ctx, post->status, post->why);
}

static void
on_error(enum evhttp_request_error error, void *ctx)
{
	struct post *post = ctx;

	switch (error) {
	case EVREQ_HTTP_TIMEOUT:
		post->why = "The remote server did not answer in time.";
		break;
	case EVREQ_HTTP_EOF:
	case EVREQ_HTTP_INVALID_HEADER:
	case EVREQ_HTTP_BUFFER_ERROR:
	case EVREQ_HTTP_REQUEST_CANCEL:
	case EVREQ_HTTP_DATA_TOO_LONG:
		post->why = "The remote server did not answer properly.";
		break;
	}
}

static void
on_answer(struct evhttp_request *request, void *ctx)
{
	struct post *post = ctx;

	if (request != NULL)
		post->status = evhttp_request_get_response_code(request);
	loop_call_ask(post->call);
}

static void
add_auth(struct evkeyvalq *headers, const struct post_params *params, const char *userinfo)
{
	const char *user = fields_text(params->auth, "Username");
	const char *password = fields_text(params->auth, "Password");
	char *plain = NULL, *decoded, *encoded, *value;

	if (user != NULL || password != NULL) {
		plain =
		    mem_format("%s:%s", user != NULL ? user : "", password != NULL ? password : "");
	} else if (userinfo != NULL) {
		decoded = evhttp_uridecode(userinfo, 0, NULL);
		plain = mem_string(decoded != NULL ? decoded : "");
		free(decoded);
	} else {
		return;
	}
	encoded = base64_encode(plain, strlen(plain));
	value = mem_format("Basic %s", encoded);
	evhttp_add_header(headers, "Authorization", value);
	free(value);
	free(encoded);
	free(plain);
}

/* The host without brackets if it is of the loopback; for the caller to free; else NULL. */
static char *
loopback_of(const char *host)
{
	size_t len = strlen(host);
	struct in_addr v4;
	struct in6_addr v6;
	char *bare = len > 1 && host[0] == '[' ? mem_bytes(host + 1, len - 2) : mem_string(host);

	if ((inet_pton(AF_INET, bare, &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127) ||
	    (inet_pton(AF_INET6, bare, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6)))
		return bare;
	if (text_same(bare, "localhost")) {
		free(bare);
		return mem_string("127.0.0.1");
	}
	free(bare);
	return NULL;
}

static const char *
begin(struct post *post, const struct post_params *params, const struct evhttp_uri *uri)
{
	struct timeval timeout = {
		.tv_sec = params->timeout_ms / 1000,
		.tv_usec = params->timeout_ms % 1000 * 1000,
	};
	const char *path = evhttp_uri_get_path(uri), *query = evhttp_uri_get_query(uri);
	const char *host_name = evhttp_uri_get_host(uri);
	int port = evhttp_uri_get_port(uri);
	struct evhttp_request *request;
	struct evkeyvalq *headers;
	char *host, *target, *named;
	json_t *one;
	size_t i;
	int rc;

	if (!text_same(evhttp_uri_get_scheme(uri), "http"))
		return "The sandbox speaks plain http to webhooks.";
	host = loopback_of(host_name);
	if (host == NULL)
		return "The sandbox reaches hosts of the loopback only.";
	port = port > 0 ? port : 80;
	post->connection =
	    evhttp_connection_base_new(loop_base(params->loop), NULL, host, (unsigned short)port);
	free(host);
	if (post->connection == NULL)
		return "The connection could not be made.";
	evhttp_connection_set_timeout_tv(post->connection, &timeout);
	evhttp_connection_set_max_body_size(post->connection, MOST_ANSWER_BYTES);
	evhttp_connection_set_max_headers_size(post->connection, MOST_ANSWER_BYTES);

	request = evhttp_request_new(on_answer, post);
	if (request == NULL)
		return "The connection could not be made.";
	evhttp_request_set_error_cb(request, on_error);
	headers = evhttp_request_get_output_headers(request);
	named = mem_format("%s:%d", host_name, port);
	evhttp_add_header(headers, "Host", named);
	free(named);
	evhttp_add_header(headers, "Content-Type", "application/json");
	evhttp_add_header(headers, "User-Agent", "Postmark");
	evhttp_add_header(headers, "Connection", "close");
	add_auth(headers, params, evhttp_uri_get_userinfo(uri));
	json_array_foreach((json_t *)params->headers, i, one)
	    evhttp_add_header(headers, json_string_value(json_object_get(one, "Name")),
		json_string_value(json_object_get(one, "Value")));
	evbuffer_add(evhttp_request_get_output_buffer(request), params->body, strlen(params->body));
	target = mem_format("%s%s%s", path != NULL && path[0] != '\0' ? path : "/",
	    query != NULL ? "?" : "", query != NULL ? query : "");
	rc = evhttp_make_request(post->connection, request, EVHTTP_REQ_POST, target);
	free(target);
	return rc == 0 ? NULL : "The connection could not be made.";
}

struct post *
post_new(const struct post_params *params)
{
	struct post *post = mem_new(sizeof(*post));
	struct evhttp_uri *uri = evhttp_uri_parse(params->url);
	const char *wrong = "The URL is not valid.";

	post->done = params->done;
	post->ctx = params->ctx;
	post->why = "The remote server could not be reached.";
	post->call = loop_call_new(params->loop, tell, post);
	if (uri != NULL && evhttp_uri_get_host(uri) != NULL && evhttp_uri_get_scheme(uri) != NULL)
		wrong = begin(post, params, uri);
	if (wrong != NULL) {
		post->why = wrong;
		loop_call_ask(post->call);
	}
	if (uri != NULL)
		evhttp_uri_free(uri);
	return post;
}

void
post_free(struct post **post_p)
{
	struct post *post = *post_p;

	if (post == NULL)
		return;
	loop_call_free(&post->call);
	if (post->connection != NULL)
		evhttp_connection_free(post->connection);
	free(post);
	*post_p = NULL;
}
