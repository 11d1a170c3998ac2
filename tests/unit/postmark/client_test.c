#include <dlfcn.h>
#include <netdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/secret.h"
#include "postmark/client.h"

#include "server.h"

/* What the client told, and what the server saw. */
struct bench {
	struct loop *loop;
	struct server *server;
	struct postmark_client *client;
	struct secret *token;
	struct loop_timer *watchdog;
	bool frees_client; /* in done() */

	struct server_reply next; /* body: copied for each request */
	unsigned fails_from;      /* requests before this number are simply answered */

	unsigned ends, waits_for;
	struct postmark_answer last;
	char last_body[256], last_error[256], last_type[64], last_id[128];

	char seen_path[256], seen_method[16];
	char *seen_head, *seen_body;
	size_t seen_len;
	unsigned seen_on_connection;
};

static void
request_seen(void *ctx, const struct server_request *request, struct server_reply *reply)
{
	struct bench *b = ctx;

	free(b->seen_head);
	free(b->seen_body);
	b->seen_head = mem_string(request->head);
	b->seen_body = mem_bytes(request->body, request->len);
	b->seen_len = request->len;
	b->seen_on_connection = request->on_connection;
	snprintf(b->seen_path, sizeof(b->seen_path), "%s", request->path);
	snprintf(b->seen_method, sizeof(b->seen_method), "%s", request->method);
	if (request->number < b->fails_from) {
		reply->body = mem_string("{}");
		return;
	}
	*reply = b->next;
	if (b->next.len > 0)
		reply->body = mem_bytes(b->next.body, b->next.len);
	else
		reply->body = b->next.body != NULL ? mem_string(b->next.body) : NULL;
}

static void
answered(void *ctx, const struct postmark_answer *answer)
{
	struct bench *b = ctx;

	b->last = *answer;
	snprintf(b->last_body, sizeof(b->last_body), "%s", answer->body);
	snprintf(b->last_error, sizeof(b->last_error), "%s", answer->error);
	snprintf(b->last_type, sizeof(b->last_type), "%s", answer->type);
	snprintf(b->last_id, sizeof(b->last_id), "%s", answer->request_id);
	if (answer->len <= sizeof(b->last_body))
		memcpy(b->last_body, answer->body, answer->len);
	if (b->frees_client)
		postmark_client_free(&b->client);
	if (++b->ends == b->waits_for)
		loop_stop(b->loop);
}

static void
stop(void *ctx)
{
	struct bench *b = ctx;

	loop_stop(b->loop);
}

static void
client_start(struct bench *b, const char *url)
{
	char why[256];
	struct postmark_client_params params = { .loop = b->loop,
		.base_url = url,
		.user_agent = "pmrelay/test",
		.connect_timeout_ms = 2000,
		.most_connections = 4 };

	b->client = postmark_client_new(&params, why, sizeof(why));
	assert_non_null(b->client);
}

static int
setup(void **state)
{
	struct bench *b = mem_new(sizeof(*b));

	b->loop = loop_new();
	b->server = server_new(b->loop, request_seen, b);
	b->token = secret_new("11111111-2222-4333-8444-555555555555", 36);
	b->watchdog = loop_timer_new(b->loop, stop, b);
	client_start(b, server_url(b->server));
	b->next.body = mem_string("{\"ok\":1}");
	*state = b;
	return 0;
}

static int
teardown(void **state)
{
	struct bench *b = *state;

	postmark_client_free(&b->client);
	server_free(&b->server);
	loop_timer_free(&b->watchdog);
	secret_free(&b->token);
	loop_free(&b->loop);
	free(b->next.body);
	free(b->seen_head);
	free(b->seen_body);
	free(b);
	return 0;
}

static struct postmark_job *
post(struct bench *b, const struct postmark_piece *pieces, size_t count, int64_t timeout_ms)
{
	struct postmark_request request = { .method = "POST",
		.path = "/email",
		.token = b->token,
		.pieces = pieces,
		.piece_count = count,
		.timeout_ms = timeout_ms,
		.most_answer_bytes = 1000 };

	return postmark_submit(b->client, &request, answered, b);
}

static void
wait_for(struct bench *b, unsigned ends)
{
	b->waits_for = b->ends + ends;
	loop_timer_set(b->watchdog, 10000);
	loop_run(b->loop);
	assert_int_equal(b->ends, b->waits_for);
	loop_timer_clear(b->watchdog);
}

static void
turn_for(struct bench *b, int64_t span_ms)
{
	loop_timer_set(b->watchdog, span_ms);
	loop_run(b->loop);
}

static const struct postmark_piece small = { "{\"a\":1}", -1, 7 };

static void
pieces_make_one_body(void **state)
{
	struct bench *b = *state;
	int fd = memfd_create("piece", MFD_CLOEXEC);
	struct postmark_piece pieces[] = { { "[", -1, 1 }, { NULL, fd, 5 }, { ",", -1, 1 },
		{ "", -1, 0 }, { "{}", -1, 2 }, { "]", -1, 1 } };

	assert_int_equal(write(fd, "{\"x\"}ignored", 12), 12);
	post(b, pieces, 6, 5000);
	assert_int_equal(b->ends, 0); /* never inside the call */
	wait_for(b, 1);
	assert_int_equal(b->last.end, POSTMARK_ANSWERED);
	assert_int_equal(b->last.status, 200);
	assert_string_equal(b->last_body, "{\"ok\":1}");
	assert_int_equal(b->last.len, 8);
	assert_false(b->last.cut);
	assert_int_equal(b->last.retry_after_ms, -1);
	assert_string_equal(b->last_error, "");
	assert_string_equal(b->seen_method, "POST");
	assert_string_equal(b->seen_path, "/email");
	assert_int_equal(b->seen_len, 10);
	assert_memory_equal(b->seen_body, "[{\"x\"},{}]", 10);
	close(fd);
}

static void
the_head_is_right(void **state)
{
	struct bench *b = *state;

	post(b, &small, 1, 5000);
	wait_for(b, 1);
	assert_non_null(strstr(
	    b->seen_head, "\r\nX-Postmark-Server-Token: 11111111-2222-4333-8444-555555555555\r\n"));
	assert_non_null(strstr(b->seen_head, "\r\nContent-Type: application/json\r\n"));
	assert_non_null(strstr(b->seen_head, "\r\nAccept: application/json\r\n"));
	assert_non_null(strstr(b->seen_head, "\r\nUser-Agent: pmrelay/test\r\n"));
	assert_non_null(strstr(b->seen_head, "\r\nContent-Length: 7\r\n"));
	assert_null(strstr(b->seen_head, "Expect"));
	assert_null(strstr(b->seen_head, "chunked"));
}

static void
a_get_has_no_body(void **state)
{
	struct bench *b = *state;
	struct postmark_request request = { .method = "GET",
		.path = "/messages/outbound?count=1",
		.token = b->token,
		.timeout_ms = 5000,
		.most_answer_bytes = 1000 };

	postmark_submit(b->client, &request, answered, b);
	wait_for(b, 1);
	assert_int_equal(b->last.end, POSTMARK_ANSWERED);
	assert_string_equal(b->seen_method, "GET");
	assert_string_equal(b->seen_path, "/messages/outbound?count=1");
	assert_null(strstr(b->seen_head, "Content-"));
}

static void
ask(struct bench *b, const struct postmark_request *given)
{
	struct postmark_request request = *given;

	request.timeout_ms = 5000;
	request.most_answer_bytes = 1000;
	postmark_submit(b->client, &request, answered, b);
	wait_for(b, 1);
}

static void
methods_and_their_bodies(void **state)
{
	static const struct {
		const char *method;
		bool body;
		const char *has, *has_not; /* in the head */
	} cases[] = {
		{ "GET", false, "GET /x HTTP/1.1\r\n", "\r\nContent-" },
		{ "GET", true, "\r\nContent-Length: 7\r\n", "Expect" },
		{ "DELETE", false, "DELETE /x HTTP/1.1\r\n", "\r\nContent-" },
		{ "DELETE", true, "\r\nContent-Type: application/json\r\n", "Expect" },
		{ "POST", false, "\r\nContent-Length: 0\r\n", "Expect" },
		{ "PUT", false, "\r\nContent-Length: 0\r\n", "chunked" },
		{ "PUT", true, "PUT /x HTTP/1.1\r\n", "chunked" },
		{ "PATCH", true, "\r\nContent-Type: application/json\r\n", "chunked" },
		{ "HEAD", false, "HEAD /x HTTP/1.1\r\n", "\r\nContent-" },
	};
	struct bench *b = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct postmark_request request = { .method = cases[i].method,
			.path = "/x",
			.token = b->token,
			.pieces = &small,
			.piece_count = cases[i].body ? 1 : 0 };

		ask(b, &request);
		assert_int_equal(b->last.end, POSTMARK_ANSWERED);
		assert_string_equal(b->seen_method, cases[i].method);
		assert_int_equal(b->seen_len, cases[i].body ? small.len : 0);
		if (strstr(b->seen_head, cases[i].has) == NULL ||
		    strstr(b->seen_head, cases[i].has_not) != NULL)
			fail_msg("%s: %s", cases[i].method, b->seen_head);
	}
}

static void
whose_token(void **state)
{
	struct bench *b = *state;
	struct postmark_request request = { .method = "GET", .path = "/servers" };

	ask(b, &request);
	assert_null(strstr(b->seen_head, "Token"));
	request.account = true;
	ask(b, &request);
	assert_null(strstr(b->seen_head, "Token"));
	request.token = b->token;
	ask(b, &request);
	assert_non_null(strstr(b->seen_head,
	    "\r\nX-Postmark-Account-Token: 11111111-2222-4333-8444-555555555555\r\n"));
	assert_null(strstr(b->seen_head, "Server-Token"));
}

static unsigned
count_of(const char *hay, const char *needle)
{
	unsigned count = 0;

	while ((hay = strstr(hay, needle)) != NULL) {
		count++;
		hay += strlen(needle);
	}
	return count;
}

static void
extra_headers(void **state)
{
	static const char *const headers[] = { "X-One: 1", "accept: text/plain",
		"User-Agent: somebody", "X-Empty:", "x-postmark-server-token: stolen",
		"X-Postmark-Account-Token: stolen", "X-Two: 2\r\nX-Smuggled: 1", "no colon",
		"Content-Length: 900", "Transfer-Encoding: chunked", "Host: elsewhere.example",
		NULL };
	struct bench *b = *state;
	struct postmark_request request = { .method = "POST",
		.path = "/email",
		.token = b->token,
		.content_type = "multipart/form-data; boundary=x",
		.headers = headers,
		.pieces = &small,
		.piece_count = 1 };

	ask(b, &request);
	assert_non_null(strstr(b->seen_head, "\r\nX-One: 1\r\n"));
	assert_non_null(strstr(b->seen_head, "\r\naccept: text/plain\r\n"));
	assert_null(strstr(b->seen_head, "Accept"));
	assert_non_null(strstr(b->seen_head, "\r\nUser-Agent: somebody\r\n"));
	assert_null(strstr(b->seen_head, "pmrelay/test"));
	assert_non_null(strstr(b->seen_head, "\r\nX-Empty:\r\n"));
	assert_non_null(
	    strstr(b->seen_head, "\r\nContent-Type: multipart/form-data; boundary=x\r\n"));
	assert_non_null(strstr(
	    b->seen_head, "\r\nX-Postmark-Server-Token: 11111111-2222-4333-8444-555555555555\r\n"));
	assert_null(strstr(b->seen_head, "stolen"));
	assert_null(strstr(b->seen_head, "Smuggled"));
	assert_null(strstr(b->seen_head, "X-Two"));
	assert_null(strstr(b->seen_head, "elsewhere"));
	assert_null(strstr(b->seen_head, "chunked"));
	assert_int_equal(b->seen_len, small.len);
	assert_int_equal(count_of(b->seen_head, "\r\nContent-Length:"), 1);
}

static void
a_type_among_the_headers_wins(void **state)
{
	static const char *const headers[] = { "Content-type: text/csv", NULL };
	struct bench *b = *state;
	struct postmark_request request = { .method = "PUT",
		.path = "/x",
		.content_type = "text/plain",
		.headers = headers,
		.pieces = &small,
		.piece_count = 1 };

	ask(b, &request);
	assert_non_null(strstr(b->seen_head, "\r\nContent-type: text/csv\r\n"));
	assert_null(strstr(b->seen_head, "text/plain"));
	/* One that would begin a line of its own is not sent. */
	request.headers = NULL;
	request.content_type = "a/b\r\nX-Smuggled: 1";
	ask(b, &request);
	assert_null(strstr(b->seen_head, "Smuggled"));
}

static void
what_the_answer_is(void **state)
{
	static const char bytes[] = "%PDF\0\xFF\x01 not text";
	struct bench *b = *state;
	struct postmark_request request = { .method = "GET", .path = "/x" };

	b->next.headers = "Content-Type: application/pdf\r\nx-request-id:  ab-12 \r\n";
	free(b->next.body);
	b->next.body = mem_bytes(bytes, sizeof(bytes));
	b->next.len = sizeof(bytes);
	ask(b, &request);
	assert_int_equal(b->last.len, sizeof(bytes));
	assert_memory_equal(b->last_body, bytes, sizeof(bytes));
	assert_string_equal(b->last_type, "application/pdf");
	assert_string_equal(b->last_id, "ab-12");
	b->next.headers = NULL;
	ask(b, &request);
	assert_string_equal(b->last_type, "");
	assert_string_equal(b->last_id, "");
	b->next.fate = SERVER_CLOSES;
	ask(b, &request);
	assert_string_equal(b->last_type, "");
	assert_string_equal(b->last_id, "");
}

/* It has no body that could be rewound, and is not sent twice all the same. */
static void
a_delete_is_never_repeated(void **state)
{
	static const char *const methods[] = { "DELETE", "PUT", "POST" };
	struct bench *b = *state;

	for (size_t i = 0; i < 3; i++) {
		struct postmark_request request = { .method = methods[i], .path = "/servers/1" };
		unsigned before = server_requests(b->server);

		b->fails_from = before + 2;
		b->next.fate = SERVER_CLOSES;
		post(b, &small, 1, 5000);
		wait_for(b, 1);
		ask(b, &request);
		assert_int_equal(b->last.end, POSTMARK_LOST);
		turn_for(b, 50);
		assert_int_equal(server_requests(b->server), before + 2);
	}
}

/* "http://127.0.0.1:1" and "@elsewhere" would make another host. */
static void
a_path_is_never_more_of_the_host(void **state)
{
	static const char *const paths[] = { "@elsewhere.example/", ".example/", "", "5/x",
		"http://elsewhere.example/" };
	struct bench *b = *state;

	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		struct postmark_request request = {
			.method = "GET", .path = paths[i], .token = b->token
		};

		ask(b, &request);
		assert_int_equal(b->last.end, POSTMARK_NOT_SENT);
		assert_string_equal(b->last_error, "the path does not begin with a slash");
	}
	assert_int_equal(server_requests(b->server), 0);
}

static void
a_large_file_is_streamed(void **state)
{
	enum { SIZE = 3 * 1024 * 1024 + 17 };
	struct bench *b = *state;
	int fd = memfd_create("piece", MFD_CLOEXEC);
	char *bytes = mem_new(SIZE);
	struct postmark_piece piece = { NULL, fd, SIZE };

	for (size_t i = 0; i < SIZE; i++)
		bytes[i] = (char)('a' + i % 23);
	assert_int_equal(write(fd, bytes, SIZE), SIZE);
	post(b, &piece, 1, 9000);
	wait_for(b, 1);
	assert_int_equal(b->last.end, POSTMARK_ANSWERED);
	assert_int_equal(b->seen_len, SIZE);
	assert_memory_equal(b->seen_body, bytes, SIZE);
	free(bytes);
	close(fd);
}

static void
connections_are_reused(void **state)
{
	struct bench *b = *state;

	for (unsigned i = 0; i < 5; i++) {
		post(b, &small, 1, 5000);
		wait_for(b, 1);
	}
	assert_int_equal(server_requests(b->server), 5);
	assert_int_equal(server_connections(b->server), 1);
}

static void
several_at_once(void **state)
{
	struct bench *b = *state;

	b->next.delay_ms = 10;
	for (unsigned i = 0; i < 20; i++)
		post(b, &small, 1, 9000);
	wait_for(b, 20);
	assert_int_equal(server_requests(b->server), 20);
	assert_in_range(server_connections(b->server), 1, 4);
}

/* The server has read everything, and may have obeyed, when the reused connection dies. */
static void
a_post_is_never_repeated(void **state)
{
	static const enum server_fate fates[] = { SERVER_CLOSES, SERVER_RESETS };
	struct bench *b = *state;

	for (size_t i = 0; i < 2; i++) {
		unsigned before = server_requests(b->server);

		b->fails_from = before + 2;
		b->next.fate = fates[i];
		post(b, &small, 1, 5000);
		wait_for(b, 1);
		assert_int_equal(b->last.end, POSTMARK_ANSWERED);
		post(b, &small, 1, 5000);
		wait_for(b, 1);
		assert_true(b->seen_on_connection > 1);
		assert_int_equal(b->last.end, POSTMARK_LOST);
		assert_int_equal(b->last.status, 0);
		assert_true(b->last_error[0] != '\0');
		turn_for(b, 50);
		assert_int_equal(server_requests(b->server), before + 2);
	}
}

/* An idle connection that the server closed is noticed before a byte is written. */
static void
a_stale_connection_is_replaced(void **state)
{
	struct bench *b = *state;

	b->next.fate = SERVER_LEAVES;
	post(b, &small, 1, 5000);
	wait_for(b, 1);
	turn_for(b, 30);
	post(b, &small, 1, 5000);
	wait_for(b, 1);
	assert_int_equal(b->last.end, POSTMARK_ANSWERED);
	assert_int_equal(server_requests(b->server), 2);
	assert_int_equal(server_connections(b->server), 2);
}

static void
ends_without_an_answer(void **state)
{
	static const struct {
		const char *reason;
		enum server_fate fate;
		int64_t timeout_ms;
	} cases[] = {
		{ "closed after reading", SERVER_CLOSES, 5000 },
		{ "reset after reading", SERVER_RESETS, 5000 },
		{ "half an answer", SERVER_CUTS, 5000 },
		{ "no answer in time", SERVER_STALLS, 100 },
	};
	struct bench *b = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		b->next.fate = cases[i].fate;
		post(b, &small, 1, cases[i].timeout_ms);
		wait_for(b, 1);
		if (b->last.end != POSTMARK_LOST)
			fail_msg("%s", cases[i].reason);
		assert_int_equal(b->last.status, 0);
		assert_string_equal(b->last_body, "");
		assert_true(b->last_error[0] != '\0');
		assert_int_equal(server_requests(b->server), i + 1);
	}
}

static void
refused_is_not_sent(void **state)
{
	struct bench *b = *state;
	char url[64];

	snprintf(url, sizeof(url), "%s", server_url(b->server));
	server_free(&b->server);
	postmark_client_free(&b->client);
	client_start(b, url);
	post(b, &small, 1, 5000);
	wait_for(b, 1);
	assert_int_equal(b->last.end, POSTMARK_NOT_SENT);
	assert_true(b->last_error[0] != '\0');
	b->server = server_new(b->loop, request_seen, b);
}

static void
no_tls_is_not_sent(void **state)
{
	struct bench *b = *state;
	char url[64];

	snprintf(url, sizeof(url), "https%s/", server_url(b->server) + 4);
	postmark_client_free(&b->client);
	client_start(b, url);
	post(b, &small, 1, 300);
	wait_for(b, 1);
	assert_int_equal(b->last.end, POSTMARK_NOT_SENT);
	assert_int_equal(server_requests(b->server), 0);
}

static void
a_long_answer_is_cut(void **state)
{
	struct bench *b = *state;

	free(b->next.body);
	b->next.body = mem_new(5001);
	memset(b->next.body, 'x', 5000);
	post(b, &small, 1, 5000);
	wait_for(b, 1);
	assert_int_equal(b->last.end, POSTMARK_ANSWERED);
	assert_int_equal(b->last.status, 200);
	assert_true(b->last.cut);
	assert_int_equal(b->last.len, 1000);
}

static void
status_and_retry_after(void **state)
{
	struct bench *b = *state;

	b->next.status = 429;
	b->next.headers = "retry-AFTER:  7 \r\nX-Retry-After: 9\r\n";
	post(b, &small, 1, 5000);
	wait_for(b, 1);
	assert_int_equal(b->last.status, 429);
	assert_int_equal(b->last.retry_after_ms, 7000);
	b->next.status = 503;
	b->next.headers = NULL;
	post(b, &small, 1, 5000);
	wait_for(b, 1);
	assert_int_equal(b->last.status, 503);
	assert_int_equal(b->last.retry_after_ms, -1);
}

static void
redirects_are_not_followed(void **state)
{
	struct bench *b = *state;

	b->next.status = 307;
	b->next.headers = "Location: /elsewhere\r\n";
	post(b, &small, 1, 5000);
	wait_for(b, 1);
	assert_int_equal(b->last.status, 307);
	assert_int_equal(server_requests(b->server), 1);
}

static void
a_cancelled_job_is_silent(void **state)
{
	struct bench *b = *state;
	struct postmark_job *before, *during;

	before = post(b, &small, 1, 5000);
	postmark_cancel(&before);
	assert_null(before);
	postmark_cancel(&before);
	b->next.fate = SERVER_STALLS;
	during = post(b, &small, 1, 5000);
	turn_for(b, 50);
	postmark_cancel(&during);
	turn_for(b, 50);
	assert_int_equal(b->ends, 0);
	/* Freed with one under way. */
	post(b, &small, 1, 5000);
	turn_for(b, 20);
	postmark_client_free(&b->client);
	turn_for(b, 20);
	assert_int_equal(b->ends, 0);
}

static void
done_may_free_the_client(void **state)
{
	struct bench *b = *state;

	b->frees_client = true;
	b->next.delay_ms = 20;
	post(b, &small, 1, 5000);
	post(b, &small, 1, 5000);
	post(b, &small, 1, 5000);
	wait_for(b, 1);
	assert_null(b->client);
	turn_for(b, 30);
	assert_int_equal(b->ends, 1);
}

static void
an_unreadable_piece_ends_the_job(void **state)
{
	struct bench *b = *state;
	int fd = memfd_create("piece", MFD_CLOEXEC);
	struct postmark_piece pieces[] = { { "[", -1, 1 }, { NULL, fd, 100 } };

	post(b, pieces, 2, 5000);
	wait_for(b, 1);
	assert_int_not_equal(b->last.end, POSTMARK_ANSWERED);
	assert_string_equal(b->last_error, "the stored message could not be read");
	assert_int_equal(server_requests(b->server), 0);
	close(fd);
}

static void
bad_parameters_are_refused(void **state)
{
	static const char *const urls[] = { "", "api.postmarkapp.com", "ftp://a.example",
		"file:///etc/passwd", "https://", "https://a.example/?x=1" };
	struct bench *b = *state;
	struct postmark_client_params params = { .loop = b->loop, .user_agent = "x" };
	char why[256];

	for (size_t i = 0; i < sizeof(urls) / sizeof(*urls); i++) {
		params.base_url = urls[i];
		why[0] = '\0';
		if (postmark_client_new(&params, why, sizeof(why)) != NULL)
			fail_msg("%s", urls[i]);
		assert_true(why[0] != '\0');
	}
	params.base_url = "https://a.example";
	params.ca_file = "/nonexistent/ca.pem";
	assert_null(postmark_client_new(&params, why, sizeof(why)));
	assert_non_null(strstr(why, "/nonexistent/ca.pem"));
}

/*
 * libcurl asks for addresses in a thread of its own, through this one: a name server that does not
 * answer.
 */
#define SLOW_MS 1500

int
getaddrinfo(
    const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **list_r)
{
	static int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);

	if (strcmp(host, "slow.example") == 0) {
		usleep(SLOW_MS * 1000);
		return EAI_AGAIN;
	}
	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
	return real(host, service, hints, list_r);
}

static void
a_slow_name_server_does_not_hold_the_loop(void **state)
{
	struct bench *b = *state;
	struct postmark_job *job;
	int64_t began_ms = clock_mono_ms();

	postmark_client_free(&b->client);
	client_start(b, "http://slow.example");
	/* Given up, and taken back: neither waits for the thread. */
	post(b, &small, 1, 100);
	wait_for(b, 1);
	assert_int_equal(b->last.end, POSTMARK_NOT_SENT);
	job = post(b, &small, 1, 5000);
	turn_for(b, 100);
	postmark_cancel(&job);
	assert_true(clock_mono_ms() - began_ms < SLOW_MS);
	/* The threads end in what the test still owns. */
	usleep(SLOW_MS * 1000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(pieces_make_one_body),
		TEST(the_head_is_right),
		TEST(a_get_has_no_body),
		TEST(methods_and_their_bodies),
		TEST(whose_token),
		TEST(extra_headers),
		TEST(a_type_among_the_headers_wins),
		TEST(what_the_answer_is),
		TEST(a_delete_is_never_repeated),
		TEST(a_path_is_never_more_of_the_host),
		TEST(a_large_file_is_streamed),
		TEST(connections_are_reused),
		TEST(several_at_once),
		TEST(a_post_is_never_repeated),
		TEST(a_stale_connection_is_replaced),
		TEST(ends_without_an_answer),
		TEST(refused_is_not_sent),
		TEST(no_tls_is_not_sent),
		TEST(a_long_answer_is_cut),
		TEST(status_and_retry_after),
		TEST(redirects_are_not_followed),
		TEST(a_cancelled_job_is_silent),
		TEST(done_may_free_the_client),
		TEST(an_unreadable_piece_ends_the_job),
		TEST(bad_parameters_are_refused),
		TEST(a_slow_name_server_does_not_hold_the_loop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
