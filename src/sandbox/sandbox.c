/*
 * The sandbox on an HTTP port.  A request without a fault is answered in the callback that brings
 * it.  One with a fault becomes a job, which waits for its timer before the request is obeyed and
 * again before the answer goes out.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>

#include <jansson.h>

#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/strlist.h"
#include "base/text.h"

#include "sandbox/api.h"
#include "sandbox/control.h"
#include "sandbox/faults.h"
#include "sandbox/firing.h"
#include "sandbox/flood.h"
#include "sandbox/post.h"
#include "sandbox/setup.h"
#include "sandbox/state.h"
#include "sandbox/uuid.h"
#include "sandbox/sandbox.h"

#define MOST_HEADER_BYTES (64 * 1024)
/* Longer than the longest delay that a fault may ask for. */
#define IDLE_SECONDS 4000
#define BACKLOG      1024

enum job_state {
	JOB_BEFORE,  /* not obeyed yet */
	JOB_WAITING, /* obeyed, what the answer waits for is under way */
	JOB_AFTER,   /* obeyed, the answer is ready */
};

struct job {
	struct job *next;
	struct job **link; /* what points here */
	struct sandbox *sandbox;
	struct evhttp_request *request;
	struct loop_timer *timer;
	struct fault fault;
	struct api_answer answer;
	enum job_state state;
};

struct sandbox {
	struct loop *loop;
	struct evhttp *http;
	uint16_t port;
	char *base_path; /* lower case, no slash at the end; "" for none */
	struct state state;
	struct job *jobs;
};

/* ---- requests ---- */

/* The path of a request, in the two forms in which it is asked for. */
struct path {
	char *lower;             /* decoded, lower case, no slash at the end; "" for the root */
	struct strlist segments; /* decoded, as they came */
};

static void
path_init(struct path *path, const struct sandbox *sandbox, struct evhttp_request *request)
{
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request);
	const char *raw = uri != NULL ? evhttp_uri_get_path(uri) : NULL;
	size_t len, base = strlen(sandbox->base_path), raw_len;

	raw = raw != NULL ? raw : "";
	memset(path, 0, sizeof(*path));
	raw_len = strlen(raw);
	while (raw_len > 0 && raw[raw_len - 1] == '/')
		raw_len--;
	if (base > 0 && raw_len >= base && text_same_n(raw, sandbox->base_path, base) &&
	    (raw[base] == '/' || raw_len == base)) {
		raw += base;
		raw_len -= base;
	}
	while (raw_len > 0) {
		char *encoded, *decoded;

		raw++, raw_len--;
		for (len = 0; len < raw_len && raw[len] != '/';)
			len++;
		encoded = mem_bytes(raw, len);
		decoded = evhttp_uridecode(encoded, 0, NULL);
		strlist_take(&path->segments, decoded != NULL ? decoded : mem_string(""));
		free(encoded);
		raw += len, raw_len -= len;
	}
	len = 1;
	for (size_t i = 0; i < path->segments.count; i++)
		len += 1 + strlen(path->segments.items[i]);
	path->lower = mem_new(len);
	for (size_t i = 0, used = 0; i < path->segments.count; i++)
		used += (size_t)sprintf(path->lower + used, "/%s", path->segments.items[i]);
	text_lower(path->lower);
}

static void
path_deinit(struct path *path)
{
	free(path->lower);
	strlist_free(&path->segments);
}

static const char *
method_of(const struct evhttp_request *request)
{
	switch (evhttp_request_get_command(request)) {
	case EVHTTP_REQ_GET:
		return "GET";
	case EVHTTP_REQ_POST:
		return "POST";
	case EVHTTP_REQ_HEAD:
		return "HEAD";
	case EVHTTP_REQ_PUT:
		return "PUT";
	case EVHTTP_REQ_DELETE:
		return "DELETE";
	case EVHTTP_REQ_OPTIONS:
		return "OPTIONS";
	case EVHTTP_REQ_TRACE:
		return "TRACE";
	case EVHTTP_REQ_CONNECT:
		return "CONNECT";
	case EVHTTP_REQ_PATCH:
		return "PATCH";
	}
	return "?";
}

/* Obeys the request; fault: what to get wrong in the answer, or NULL. */
static void
obey(struct sandbox *sandbox, struct evhttp_request *request, const struct path *path,
    const struct fault *fault, struct api_answer *answer)
{
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request);
	const struct evkeyvalq *headers = evhttp_request_get_input_headers(request);
	struct evbuffer *input = evhttp_request_get_input_buffer(request);
	const char *query_text = uri != NULL ? evhttp_uri_get_query(uri) : NULL;
	struct evkeyvalq query;
	struct api_request wanted = {
		.method = method_of(request),
		.path = path->lower,
		.segments = &path->segments,
		.query = &query,
		.server_token = evhttp_find_header(headers, "X-Postmark-Server-Token"),
		.account_token = evhttp_find_header(headers, "X-Postmark-Account-Token"),
		.content_type = evhttp_find_header(headers, "Content-Type"),
		.body_len = evbuffer_get_length(input),
		.body = "",
		.fault = fault,
	};

	if (wanted.body_len > 0)
		wanted.body = (const char *)evbuffer_pullup(input, -1);
	if (query_text == NULL || evhttp_parse_query_str(query_text, &query) != 0)
		TAILQ_INIT(&query);
	if (control_wants(path->lower))
		control_handle(&sandbox->state, &wanted, answer);
	else
		api_handle(&sandbox->state, &wanted, answer);
	evhttp_clear_headers(&query);
}

/* ---- answers ---- */

static const char *
reason_of(int status)
{
	static const struct {
		int status;
		const char *text;
	} reasons[] = { { 200, "OK" }, { 400, "Bad Request" }, { 401, "Unauthorized" },
		{ 403, "Forbidden" }, { 404, "Not Found" }, { 405, "Method Not Allowed" },
		{ 409, "Conflict" }, { 413, "Content Too Large" },
		{ 415, "Unsupported Media Type" }, { 422, "Unprocessable Entity" },
		{ 429, "Too Many Requests" }, { 500, "Internal Server Error" },
		{ 502, "Bad Gateway" }, { 503, "Service Unavailable" },
		{ 504, "Gateway Timeout" } };

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		if (reasons[i].status == status)
			return reasons[i].text;
	}
	return "Unknown";
}

static void
body_done(const void *bytes, size_t len, void *ctx)
{
	(void)len;
	(void)ctx;
	free((void *)(uintptr_t)bytes);
}

/* Changes the answer into what a fault wants of it, but for what the API does by itself. */
static void
spoil(struct evkeyvalq *headers, const struct fault *fault, struct api_answer *answer)
{
	static const char page[] = "<!DOCTYPE html>\n<html><head><title>Error</title></head>"
				   "<body><h1>Error</h1><p>The request could not be served."
				   "</p></body></html>\n";
	char text[32];

	if (fault->retry_after_seconds >= 0) {
		snprintf(text, sizeof(text), "%d", fault->retry_after_seconds);
		evhttp_add_header(headers, "Retry-After", text);
	}
	if (fault->connection_close)
		evhttp_add_header(headers, "Connection", "close");
	switch (fault->answer) {
	case FAULT_ANSWER_HTML:
		buf_clear(&answer->body);
		buf_adds(&answer->body, page);
		answer->type = "text/html; charset=utf-8";
		answer->error_code = 0;
		break;
	case FAULT_ANSWER_EMPTY:
		buf_clear(&answer->body);
		answer->error_code = 0;
		break;
	case FAULT_ANSWER_TRUNCATED:
		/* The length of the whole is promised, half of it comes, then the end. */
		snprintf(text, sizeof(text), "%zu", answer->body.len);
		evhttp_add_header(headers, "Content-Length", text);
		if (!fault->connection_close)
			evhttp_add_header(headers, "Connection", "close");
		answer->body.len /= 2;
		break;
	case FAULT_ANSWER_USUAL:
	case FAULT_ANSWER_NO_ERROR_CODE:
	case FAULT_ANSWER_DELAYED_TEXT:
	case FAULT_ANSWER_WRONG_LENGTH:
		break;
	}
}

/* fault may be NULL.  The request is libevent's again, the answer is empty afterwards. */
static void
send_answer(struct evhttp_request *request, const struct fault *fault, struct api_answer *answer)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
	struct evbuffer *out = evbuffer_new();
	char id[UUID_SIZE], text[32];
	size_t len;
	char *body;

	if (out == NULL)
		abort();
	uuid_make(id);
	evhttp_add_header(headers, "X-Request-Id", id);
	if (answer->error_code != 0) {
		snprintf(text, sizeof(text), "%d", answer->error_code);
		evhttp_add_header(headers, "X-PM-ApiErrorCode", text);
	}
	if (answer->total >= 0) {
		snprintf(text, sizeof(text), "%lld", (long long)answer->total);
		evhttp_add_header(headers, "X-Total-Count", text);
	}
	if (fault != NULL)
		spoil(headers, fault, answer);
	evhttp_add_header(headers, "Content-Type", answer->type);

	body = buf_take(&answer->body, &len);
	if (body != NULL && evbuffer_add_reference(out, body, len, body_done, NULL) != 0)
		abort();
	if (fault != NULL && fault->chunked && fault->answer != FAULT_ANSWER_TRUNCATED) {
		evhttp_send_reply_start(request, answer->status, reason_of(answer->status));
		evhttp_send_reply_chunk(request, out);
		evhttp_send_reply_end(request);
	} else {
		evhttp_send_reply(request, answer->status, reason_of(answer->status), out);
	}
	evbuffer_free(out);
}

/* ---- requests that wait ---- */

static void
job_free(struct job *job)
{
	*job->link = job->next;
	if (job->next != NULL)
		job->next->link = job->link;
	loop_timer_free(&job->timer);
	fault_deinit(&job->fault);
	api_answer_deinit(&job->answer);
	free(job);
}

/* The connection ends without an answer, and the request with it. */
static void
cut(struct evhttp_request *request)
{
	struct evhttp_connection *connection = evhttp_request_get_connection(request);

	if (connection != NULL)
		evhttp_connection_free(connection);
	else
		evhttp_request_free(request);
}

static void
job_obeyed(struct job *job)
{
	if (job->fault.status != 0 || job->fault.error_code != 0)
		api_answer_fault(&job->sandbox->state, &job->fault, &job->answer);
	job->state = JOB_AFTER;
	loop_timer_set(job->timer, job->fault.delay_after_ms);
}

static void
on_ready(void *ctx)
{
	struct job *job = ctx;
	struct api_wait *wait = job->answer.wait;

	job->answer.wait = NULL;
	wait->finish(wait, &job->sandbox->state, &job->answer);
	wait->free(wait);
	job_obeyed(job);
}

static void
job_wait(struct job *job)
{
	job->state = JOB_WAITING;
	job->answer.wait->start(job->answer.wait, job->sandbox->loop, on_ready, job);
}

static void
job_step(void *ctx)
{
	struct job *job = ctx;
	struct evhttp_request *request = job->request;
	struct path path;

	switch (job->state) {
	case JOB_BEFORE:
		if (job->fault.cut == FAULT_CUT_BEFORE) {
			job_free(job);
			cut(request);
			return;
		}
		if (!fault_refuses(&job->fault)) {
			path_init(&path, job->sandbox, request);
			obey(job->sandbox, request, &path, &job->fault, &job->answer);
			path_deinit(&path);
		}
		if (job->answer.wait != NULL)
			job_wait(job);
		else
			job_obeyed(job);
		return;
	case JOB_WAITING:
		return;
	case JOB_AFTER:
		if (job->fault.cut == FAULT_CUT_AFTER) {
			job_free(job);
			cut(request);
			return;
		}
		send_answer(request, &job->fault, &job->answer);
		job_free(job);
		return;
	}
}

/* Takes what the fault owns. */
static struct job *
job_new(struct sandbox *sandbox, struct evhttp_request *request, const struct fault *fault)
{
	struct job *job = mem_new(sizeof(*job));

	job->sandbox = sandbox;
	job->request = request;
	job->fault = *fault;
	job->next = sandbox->jobs;
	job->link = &sandbox->jobs;
	if (job->next != NULL)
		job->next->link = &job->next;
	sandbox->jobs = job;
	api_answer_init(&job->answer);
	job->timer = loop_timer_new(sandbox->loop, job_step, job);
	return job;
}

static void
on_request(struct evhttp_request *request, void *ctx)
{
	static const struct fault none = { .retry_after_seconds = -1 };
	struct sandbox *sandbox = ctx;
	struct api_answer answer;
	struct fault fault;
	struct path path;
	struct job *job;

	path_init(&path, sandbox, request);
	if (!control_wants(path.lower) &&
	    faults_pick(sandbox->state.faults, method_of(request), path.lower, &fault)) {
		sandbox->state.counts.faults++;
		log_info("fault", log_str("path", path.lower), log_num("status", fault.status),
		    log_num("code", fault.error_code));
		job = job_new(sandbox, request, &fault);
		loop_timer_set(job->timer, fault.delay_before_ms);
		path_deinit(&path);
		return;
	}
	api_answer_init(&answer);
	obey(sandbox, request, &path, NULL, &answer);
	path_deinit(&path);
	if (answer.wait != NULL) {
		job = job_new(sandbox, request, &none);
		api_answer_deinit(&job->answer);
		job->answer = answer;
		job_wait(job);
		return;
	}
	send_answer(request, NULL, &answer);
	api_answer_deinit(&answer);
}

/* ---- life ---- */

static int
open_listener(
    struct sandbox *sandbox, const struct sandbox_params *params, char *why, size_t why_size)
{
	struct sockaddr_storage address = { 0 };
	int len = sizeof(address);
	socklen_t bound_len = sizeof(address);
	struct evconnlistener *listener;
	const int on = 1;

	/* libevent's parser takes no port 0, so the port comes after it. */
	if (evutil_parse_sockaddr_port(params->address, (struct sockaddr *)&address, &len) != 0) {
		snprintf(why, why_size, "%s is no IP address", params->address);
		return -1;
	}
	if (address.ss_family == AF_INET6)
		((struct sockaddr_in6 *)&address)->sin6_port = htons(params->port);
	else
		((struct sockaddr_in *)&address)->sin_port = htons(params->port);
	listener = evconnlistener_new_bind(loop_base(params->loop), NULL, NULL,
	    LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE, BACKLOG,
	    (struct sockaddr *)&address, len);
	if (listener == NULL) {
		snprintf(why, why_size, "cannot listen on %s port %u: %s", params->address,
		    params->port, strerror(errno));
		return -1;
	}
	/* Accepted sockets inherit it: answers are small and shall not wait for an ACK. */
	setsockopt(evconnlistener_get_fd(listener), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (getsockname(evconnlistener_get_fd(listener), (struct sockaddr *)&address, &bound_len) !=
	    0) {
		snprintf(why, why_size, "cannot learn the port: %s", strerror(errno));
		evconnlistener_free(listener);
		return -1;
	}
	sandbox->port =
	    ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
						: ((struct sockaddr_in *)&address)->sin_port);
	if (evhttp_bind_listener(sandbox->http, listener) == NULL) {
		snprintf(why, why_size, "cannot serve HTTP");
		evconnlistener_free(listener);
		return -1;
	}
	return 0;
}

struct sandbox *
sandbox_new(const struct sandbox_params *params, char *why, size_t why_size)
{
	struct sandbox *sandbox = mem_new(sizeof(*sandbox));
	struct state *state = &sandbox->state;
	size_t len;

	sandbox->loop = params->loop;
	sandbox->base_path = mem_string(params->base_path != NULL ? params->base_path : "");
	text_lower(sandbox->base_path);
	len = strlen(sandbox->base_path);
	while (len > 0 && sandbox->base_path[len - 1] == '/')
		sandbox->base_path[--len] = '\0';
	state_init(state, params->most_messages, params->most_bytes);
	state->search_lag_ms = params->search_lag_ms;
	if (setup_apply(state, params, why, why_size) != 0)
		goto free_sandbox;

	state->poster = poster_new(params->loop);
	if (state->poster == NULL) {
		snprintf(why, why_size, "libcurl does not start");
		goto free_sandbox;
	}
	poster_set_ca_file(state->poster,
	    params->webhook_ca_file != NULL ? params->webhook_ca_file : state->webhook_ca_file);
	state->firing = firing_new(params->loop, state, state->poster);

	sandbox->http = evhttp_new(loop_base(params->loop));
	if (sandbox->http == NULL) {
		snprintf(why, why_size, "cannot serve HTTP");
		goto free_sandbox;
	}
	evhttp_set_max_body_size(sandbox->http, (ev_ssize_t)API_MOST_BODY_BYTES);
	evhttp_set_max_headers_size(sandbox->http, MOST_HEADER_BYTES);
	evhttp_set_timeout(sandbox->http, IDLE_SECONDS);
	evhttp_set_flags(sandbox->http, EVHTTP_SERVER_LINGERING_CLOSE);
	evhttp_set_allowed_methods(
	    sandbox->http, EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD | EVHTTP_REQ_PUT |
			       EVHTTP_REQ_DELETE | EVHTTP_REQ_OPTIONS | EVHTTP_REQ_PATCH);
	evhttp_set_gencb(sandbox->http, on_request, sandbox);
	if (open_listener(sandbox, params, why, why_size) != 0)
		goto free_sandbox;
	return sandbox;

free_sandbox:
	sandbox_free(&sandbox);
	return NULL;
}

uint16_t
sandbox_port(const struct sandbox *sandbox)
{
	return sandbox->port;
}

struct state *
sandbox_state(struct sandbox *sandbox)
{
	return &sandbox->state;
}

void
sandbox_free(struct sandbox **sandbox_p)
{
	struct sandbox *sandbox = *sandbox_p;

	if (sandbox == NULL)
		return;
	while (sandbox->jobs != NULL) {
		struct evhttp_request *request = sandbox->jobs->request;

		job_free(sandbox->jobs);
		cut(request);
	}
	if (sandbox->http != NULL)
		evhttp_free(sandbox->http);
	firing_free(&sandbox->state.firing);
	flood_free(&sandbox->state.flood);
	poster_free(&sandbox->state.poster);
	state_deinit(&sandbox->state);
	free(sandbox->base_path);
	free(sandbox);
	*sandbox_p = NULL;
}
