/*
 * The listener against raw sockets, the bad peers first.  Server and clients share one thread: a
 * client writes, then the loop runs in short turns until what is waited for has come.
 */

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <openssl/ssl.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/loop.h"
#include "base/mem.h"

#include "base/httpd.h"

#define HOST      "Host: a\r\n"
#define LONG_MS   20000 /* that a test waits before it has failed */
#define BIG_BYTES ((size_t)16 * 1024 * 1024)

struct bench {
	struct loop *loop;
	struct loop_timer *tick;
	struct httpd *httpd;
	struct sockaddr_storage address;
	socklen_t address_len;
	struct httpd_request *waiting[8];
	unsigned waiting_count;
	unsigned requests, gone, admissions, refusals;
	int refused; /* the last status */
	size_t announced;
	struct httpd_peer peer; /* of the last */
	bool free_in_request;
};

struct client {
	int fd;
	struct buf got;
	bool ended;
};

static void
on_tick(void *ctx)
{
	struct bench *b = ctx;

	loop_stop(b->loop);
}

static void
turn(struct bench *b)
{
	loop_timer_set(b->tick, 2);
	loop_run(b->loop);
}

static void
run_ms(struct bench *b, int64_t ms)
{
	int64_t end = clock_mono_ms() + ms;

	while (clock_mono_ms() < end)
		turn(b);
}

static void
on_request(void *ctx, struct httpd_request *r)
{
	struct bench *b = ctx;
	size_t len;
	const char *body = httpd_body(r, &len);
	char *text;

	b->requests++;
	b->peer = *httpd_peer(r);
	if (b->free_in_request) {
		httpd_free(&b->httpd);
		return;
	}
	if (strcmp(httpd_path(r), "/wait") == 0) {
		b->waiting[b->waiting_count++] = r;
		return;
	}
	if (strcmp(httpd_path(r), "/big") == 0) {
		text = mem_new(BIG_BYTES);
		httpd_answer(r, 200, "application/octet-stream", text, BIG_BYTES);
		free(text);
		return;
	}
	if (strcmp(httpd_path(r), "/nothing") == 0) {
		httpd_answer(r, 204, NULL, NULL, 0);
		return;
	}
	httpd_add_header(r, "X-Good", "yes");
	httpd_add_header(r, "X-Bad", "no\r\nX-Injected: yes");
	text = mem_format(
	    "<%s %s %s %.*s>", httpd_method(r), httpd_path(r), httpd_query(r), (int)len, body);
	httpd_answer(r, 200, "text/plain", text, strlen(text));
	free(text);
}

static void
on_gone(void *ctx)
{
	struct bench *b = ctx;

	b->gone++;
}

static const struct httpd_limits usual = { .most_header_bytes = 2000,
	.most_body_bytes = 100000,
	.most_connections = 10,
	.request_timeout_ms = LONG_MS,
	.idle_timeout_ms = LONG_MS };

static int
listener_make(struct bench *b, int family)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&b->address;
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	b->address.ss_family = (sa_family_t)family;
	b->address_len = family == AF_UNIX ? sizeof(sa_family_t) : sizeof(*v4);
	if (family == AF_INET)
		v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&b->address, b->address_len), 0);
	assert_int_equal(listen(fd, 100), 0);
	b->address_len = sizeof(b->address);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&b->address, &b->address_len), 0);
	return fd;
}

static void
bench_open(struct bench *b, int family, const struct httpd_limits *limits)
{
	char why[200] = "";

	memset(b, 0, sizeof(*b));
	b->loop = loop_new();
	assert_non_null(b->loop);
	b->tick = loop_timer_new(b->loop, on_tick, b);
	b->httpd = httpd_new(&(struct httpd_params){
	    .loop = b->loop, .limits = *limits, .request = on_request, .ctx = b });
	assert_int_equal(
	    httpd_listen(b->httpd, listener_make(b, family), NULL, why, sizeof(why)), 0);
}

static void
bench_close(struct bench *b)
{
	httpd_free(&b->httpd);
	loop_timer_free(&b->tick);
	loop_free(&b->loop);
}

static struct client
client_open(const struct bench *b)
{
	struct client c = { .fd = socket(b->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0) };

	assert_int_equal(connect(c.fd, (const struct sockaddr *)&b->address, b->address_len), 0);
	assert_int_equal(fcntl(c.fd, F_SETFL, O_NONBLOCK), 0);
	buf_init(&c.got, 64 * 1024 * 1024);
	return c;
}

static void
client_close(struct client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	buf_free(&c->got);
}

static void
client_say(struct client *c, const char *bytes, size_t len)
{
	assert_int_equal(send(c->fd, bytes, len, MSG_NOSIGNAL), len);
}

static void
client_read(struct client *c)
{
	static char area[65536];
	ssize_t got;

	while ((got = recv(c->fd, area, sizeof(area), 0)) > 0)
		buf_add(&c->got, area, (size_t)got);
	if (got == 0 || (errno != EAGAIN && errno != EINTR))
		c->ended = true;
}

static bool
client_has(const struct client *c, const char *text)
{
	return c->got.len > 0 && memmem(c->got.data, c->got.len, text, strlen(text)) != NULL;
}

static unsigned
client_count(const struct client *c, const char *text)
{
	unsigned count = 0;

	for (const char *at = c->got.data; at != NULL && (at = strstr(at, text)) != NULL; at++)
		count++;
	return count;
}

/* text has come, or (NULL) the connection has ended. */
static void
await(struct bench *b, struct client *c, const char *text)
{
	int64_t end = clock_mono_ms() + LONG_MS;

	for (;;) {
		client_read(c);
		if (text != NULL ? client_has(c, text) : c->ended)
			return;
		if (c->ended || clock_mono_ms() > end)
			fail_msg("no \"%s\" in: %s", text != NULL ? text : "(end)",
			    c->got.len > 0 ? c->got.data : "");
		turn(b);
	}
}

static void
await_number(struct bench *b, const unsigned *number, unsigned wanted)
{
	int64_t end = clock_mono_ms() + LONG_MS;

	while (*number < wanted && clock_mono_ms() < end)
		turn(b);
	assert_int_equal(*number, wanted);
}

static void
say_and_await(struct bench *b, struct client *c, const char *text, const char *answer)
{
	client_say(c, text, strlen(text));
	await(b, c, answer);
}

/* Whatever was before: a good request is answered. */
static void
must_serve(struct bench *b)
{
	struct client c = client_open(b);

	say_and_await(b, &c, "GET /good?x HTTP/1.1\r\n" HOST "\r\n", "<GET /good x >");
	assert_true(client_has(&c, "HTTP/1.1 200 OK\r\n"));
	client_close(&c);
}

static void
asked_to_wait(struct bench *b, struct client *c)
{
	unsigned before = b->waiting_count;

	client_say(
	    c, "GET /wait HTTP/1.1\r\n" HOST "\r\n", strlen("GET /wait HTTP/1.1\r\n" HOST "\r\n"));
	await_number(b, &b->waiting_count, before + 1);
}

/* --- bad peers ---------------------------------------------------------------------------- */

static void
what_is_no_request_is_refused(void **state)
{
	static const struct {
		const char *why, *bytes, *answer;
	} cases[] = {
		{ "nonsense", "hello\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n" },
		{ "binary", "\x16\x03\x01\n\n\n", "HTTP/1.1 400 " },
		{ "an unknown method", "BREW /a HTTP/1.1\r\n" HOST "\r\n", "HTTP/1.1 501 " },
		{ "a NUL in the path", "GET /a%00 HTTP/1.1\r\n" HOST "\r\n", "HTTP/1.1 400 " },
		{ "half an escape", "GET /a%2 HTTP/1.1\r\n" HOST "\r\n", "HTTP/1.1 400 " },
		{ "two lengths",
		    "POST /a HTTP/1.1\r\n" HOST "Content-Length: 1\r\nContent-Length: 20\r\n\r\nx",
		    "HTTP/1.1 400 " },
		{ "two framings",
		    "POST /a HTTP/1.1\r\n" HOST
		    "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		    "HTTP/1.1 400 " },
		{ "too long", "POST /a HTTP/1.1\r\n" HOST "Content-Length: 100001\r\n\r\n",
		    "HTTP/1.1 413 Content Too Large\r\n" },
		{ "too long, and asks first",
		    "POST /a HTTP/1.1\r\n" HOST
		    "Content-Length: 100001\r\nExpect: 100-continue\r\n\r\n",
		    "HTTP/1.1 413 " },
		{ "a chunk too long",
		    "POST /a HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n7fffffff\r\n",
		    "HTTP/1.1 413 " },
		{ "HTTP/2", "GET /a HTTP/2.0\r\n" HOST "\r\n", "HTTP/1.1 505 " },
	};
	struct bench b;

	(void)state;
	for (int family = AF_UNIX; family <= AF_INET; family++) {
		bench_open(&b, family, &usual);
		for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
			struct client c = client_open(&b);

			client_say(&c, cases[i].bytes, strlen(cases[i].bytes));
			await(&b, &c, NULL);
			if (!client_has(&c, cases[i].answer))
				fail_msg("%s: %s", cases[i].why, c.got.data);
			assert_true(client_has(&c, "{\"error\":{\"status\":"));
			assert_true(client_has(&c, "Connection: close\r\n"));
			assert_int_equal(client_count(&c, "Content-Length:"), 1);
			client_close(&c);
		}
		assert_int_equal(b.requests, 0);
		must_serve(&b);
		bench_close(&b);
	}
}

static void
a_head_ends_at_its_limit(void **state)
{
	char line[5000];
	struct bench b;
	struct client c;

	(void)state;
	bench_open(&b, AF_UNIX, &usual);
	c = client_open(&b);
	memset(line, 'a', sizeof(line));
	memcpy(line, "GET /", 5);
	client_say(&c, line, sizeof(line));
	await(&b, &c, "HTTP/1.1 431 ");
	client_close(&c);
	must_serve(&b);
	bench_close(&b);
}

/* The refusal is read by a client that does not stop sending. */
static void
a_refusal_reaches_who_still_sends(void **state)
{
	static char much[100000];
	struct bench b;
	struct client c;

	(void)state;
	bench_open(&b, AF_INET, &usual);
	c = client_open(&b);
	client_say(&c, "POST /a HTTP/1.1\r\n" HOST "Content-Length: 9000000\r\n\r\n",
	    strlen("POST /a HTTP/1.1\r\n" HOST "Content-Length: 9000000\r\n\r\n"));
	for (int i = 0; i < 50; i++) {
		(void)!send(c.fd, much, sizeof(much), MSG_NOSIGNAL);
		turn(&b);
	}
	await(&b, &c, "HTTP/1.1 413 ");
	client_close(&c);
	must_serve(&b);
	bench_close(&b);
}

/* Each byte of a slow one comes within the idle time: only a deadline for all of it helps. */
static void
a_dripping_request_has_one_deadline(void **state)
{
	static const char *const starts[] = { "GET /aaaaaaaaaaaaaaaaaaaaaaaaaa",
		"POST / HTTP/1.1\r\n" HOST "Content-Length: 1000\r\n\r\n",
		"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nff\r\n" };
	struct httpd_limits limits = usual;
	struct bench b;

	(void)state;
	limits.request_timeout_ms = 150;
	for (size_t i = 0; i < sizeof(starts) / sizeof(*starts); i++) {
		int64_t start = clock_mono_ms();
		struct client c;

		bench_open(&b, AF_UNIX, &limits);
		c = client_open(&b);
		client_say(&c, starts[i], strlen(starts[i]));
		while (!client_has(&c, "HTTP/1.1 408 Request Timeout\r\n")) {
			assert_true(clock_mono_ms() < start + LONG_MS);
			(void)!send(c.fd, "a", 1, MSG_NOSIGNAL);
			run_ms(&b, 10);
			client_read(&c);
		}
		assert_int_equal(b.requests, 0);
		client_close(&c);
		must_serve(&b);
		bench_close(&b);
	}
}

static void
an_idle_connection_is_closed(void **state)
{
	struct httpd_limits limits = usual;
	struct bench b;
	struct client silent, again;

	(void)state;
	limits.idle_timeout_ms = 60;
	bench_open(&b, AF_UNIX, &limits);
	silent = client_open(&b);
	await(&b, &silent, NULL);
	assert_int_equal(silent.got.len, 0);
	again = client_open(&b);
	say_and_await(&b, &again, "GET /a HTTP/1.1\r\n" HOST "\r\n", "<GET /a  >");
	await(&b, &again, NULL);
	assert_int_equal(client_count(&again, "HTTP/1.1"), 1);
	client_close(&silent);
	client_close(&again);
	bench_close(&b);
}

static void
a_request_that_waits_is_not_idle(void **state)
{
	struct httpd_limits limits = usual;
	struct bench b;
	struct client c;

	(void)state;
	limits.idle_timeout_ms = limits.request_timeout_ms = 50;
	bench_open(&b, AF_UNIX, &limits);
	c = client_open(&b);
	asked_to_wait(&b, &c);
	run_ms(&b, 150);
	assert_int_equal(httpd_open_requests(b.httpd), 1);
	httpd_answer(b.waiting[0], 200, "text/plain", "late", 4);
	await(&b, &c, "late");
	client_close(&c);
	bench_close(&b);
}

static void
an_answer_that_nobody_reads_ends(void **state)
{
	struct httpd_limits limits = usual;
	struct bench b;
	struct client c;
	int64_t start = clock_mono_ms();

	(void)state;
	limits.idle_timeout_ms = 80;
	bench_open(&b, AF_UNIX, &limits);
	c = client_open(&b);
	client_say(
	    &c, "GET /big HTTP/1.1\r\n" HOST "\r\n", strlen("GET /big HTTP/1.1\r\n" HOST "\r\n"));
	await_number(&b, &b.requests, 1);
	assert_int_equal(httpd_open_requests(b.httpd), 1);
	while (httpd_open_requests(b.httpd) > 0 && clock_mono_ms() < start + LONG_MS)
		turn(&b);
	assert_int_equal(httpd_open_requests(b.httpd), 0);
	client_close(&c);
	must_serve(&b);
	bench_close(&b);
}

/* One that takes longer than the idle time in all, but goes on reading, gets everything. */
static void
a_slow_reader_is_waited_for(void **state)
{
	static char area[300000];
	struct httpd_limits limits = usual;
	struct bench b;
	struct client c;
	size_t got = 0;
	int64_t start = clock_mono_ms();

	(void)state;
	limits.idle_timeout_ms = 100;
	bench_open(&b, AF_UNIX, &limits);
	c = client_open(&b);
	client_say(
	    &c, "GET /big HTTP/1.1\r\n" HOST "\r\n", strlen("GET /big HTTP/1.1\r\n" HOST "\r\n"));
	while (got < BIG_BYTES) {
		ssize_t n = recv(c.fd, area, sizeof(area), 0);

		assert_true(n != 0 && clock_mono_ms() < start + LONG_MS);
		got += n > 0 ? (size_t)n : 0;
		run_ms(&b, 4);
	}
	assert_true(clock_mono_ms() > start + 100);
	client_close(&c);
	bench_close(&b);
}

static void
surplus_connections_are_turned_away(void **state)
{
	struct httpd_limits limits = usual;
	struct client c[2], surplus;
	struct bench b;

	(void)state;
	limits.most_connections = 2;
	bench_open(&b, AF_UNIX, &limits);
	for (int i = 0; i < 2; i++) {
		c[i] = client_open(&b);
		asked_to_wait(&b, &c[i]);
	}
	for (int i = 0; i < 200; i++) {
		surplus = client_open(&b);
		await(&b, &surplus, NULL);
		assert_int_equal(surplus.got.len, 0);
		client_close(&surplus);
	}
	assert_int_equal(b.requests, 2);
	for (unsigned i = 0; i < 2; i++)
		httpd_answer(b.waiting[i], 200, "text/plain", "done", 4);
	for (int i = 0; i < 2; i++) {
		await(&b, &c[i], "done");
		client_close(&c[i]);
	}
	run_ms(&b, 20);
	must_serve(&b);
	bench_close(&b);
}

/* Who holds connections without a request that was admitted makes room, the oldest first. */
static void
strangers_make_room(void **state)
{
	struct httpd_limits limits = usual;
	struct client known, silent, half, next;
	struct bench b;

	(void)state;
	limits.most_connections = 3;
	bench_open(&b, AF_INET, &limits);
	silent = client_open(&b);
	run_ms(&b, 4);
	known = client_open(&b);
	say_and_await(&b, &known, "GET /good?x HTTP/1.1\r\n" HOST "\r\n", "<GET /good x >");
	half = client_open(&b);
	client_say(&half, "GET /", 5);
	run_ms(&b, 4);
	must_serve(&b);
	await(&b, &silent, NULL);
	client_read(&half);
	assert_false(half.ended);
	next = client_open(&b);
	run_ms(&b, 4);
	must_serve(&b);
	await(&b, &half, NULL);
	say_and_await(&b, &known, "GET /good?y HTTP/1.1\r\n" HOST "\r\n", "<GET /good y >");
	client_close(&known);
	client_close(&silent);
	client_close(&half);
	client_close(&next);
	bench_close(&b);
}

/* All connections taken and no descriptor left: who waits is looked at now and then. */
static void
no_descriptor_to_turn_away_with(void **state)
{
	struct httpd_limits limits = usual;
	struct rlimit old, low;
	struct client c, late;
	struct bench b;
	struct rusage before, after;
	int free_fd;

	(void)state;
	limits.most_connections = 1;
	bench_open(&b, AF_INET, &limits);
	c = client_open(&b);
	asked_to_wait(&b, &c);
	late.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	buf_init(&late.got, 1000);
	late.ended = false;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	free_fd = dup(0);
	close(free_fd);
	low = old;
	low.rlim_cur = (rlim_t)free_fd;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	connect(late.fd, (const struct sockaddr *)&b.address, b.address_len);
	getrusage(RUSAGE_SELF, &before);
	loop_timer_set(b.tick, 400);
	loop_run(b.loop);
	getrusage(RUSAGE_SELF, &after);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	/* Once in a quarter of a second, not thousands of times. */
	assert_true((after.ru_utime.tv_sec - before.ru_utime.tv_sec) * 1000000 +
			(after.ru_utime.tv_usec - before.ru_utime.tv_usec) <
		    100000);
	await(&b, &late, NULL);
	httpd_answer(b.waiting[0], 200, "text/plain", "done", 4);
	await(&b, &c, "done");
	client_close(&c);
	client_close(&late);
	must_serve(&b);
	bench_close(&b);
}

/* Also for connections that are there. */
static void
limits_count_from_the_next_request(void **state)
{
	static const char post[] = "POST /p HTTP/1.1\r\n" HOST "Content-Length: 20\r\n\r\n"
				   "twenty bytes of body";
	struct httpd_limits limits = usual;
	struct client used, unused;
	struct bench b;

	(void)state;
	limits.most_body_bytes = 10;
	bench_open(&b, AF_INET, &limits);
	used = client_open(&b);
	unused = client_open(&b);
	say_and_await(&b, &used, "GET /good?x HTTP/1.1\r\n" HOST "\r\n", "<GET /good x >");
	limits.most_body_bytes = 30;
	httpd_set_limits(b.httpd, &limits);
	say_and_await(&b, &used, post, "<POST /p  twenty bytes of body>");
	say_and_await(&b, &unused, post, "<POST /p  twenty bytes of body>");
	client_close(&used);
	client_close(&unused);
	bench_close(&b);
}

/* --- clients that leave ------------------------------------------------------------------- */

static void
who_leaves_while_a_request_waits_is_noticed(void **state)
{
	(void)state;
	for (int family = AF_UNIX; family <= AF_INET; family++) {
		for (int how = 0; how < 3; how++) {
			const struct linger reset = { 1, 0 };
			struct bench b;
			struct client c;

			bench_open(&b, family, &usual);
			c = client_open(&b);
			asked_to_wait(&b, &c);
			httpd_on_gone(b.waiting[0], on_gone, &b);
			turn(&b);
			assert_int_equal(b.gone, 0);
			if (how == 1) /* in the middle of the next one */
				client_say(&c, "GET /a", 6);
			if (how == 2) /* by a reset */
				setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
			client_close(&c);
			await_number(&b, &b.gone, 1);
			assert_int_equal(httpd_open_requests(b.httpd), 0);
			must_serve(&b);
			bench_close(&b);
			assert_int_equal(b.gone, 1);
		}
	}
}

/* "printf … | nc -N -U": the end of what it says is not the end of its listening. */
static void
a_local_client_may_close_its_half(void **state)
{
	static char large[400000];
	struct bench b;
	struct client c;

	(void)state;
	bench_open(&b, AF_UNIX, &usual);
	c = client_open(&b);
	asked_to_wait(&b, &c);
	httpd_on_gone(b.waiting[0], on_gone, &b);
	shutdown(c.fd, SHUT_WR);
	run_ms(&b, 30);
	assert_int_equal(b.gone, 0);
	httpd_answer(b.waiting[0], 200, "text/plain", "heard", 5);
	await(&b, &c, "heard");
	client_close(&c);
	/* However much there is to be heard. */
	c = client_open(&b);
	asked_to_wait(&b, &c);
	shutdown(c.fd, SHUT_WR);
	run_ms(&b, 30);
	memset(large, 'x', sizeof(large) - 1);
	memcpy(large + sizeof(large) - 6, "heard", 5);
	httpd_answer(b.waiting[1], 200, "text/plain", large, sizeof(large) - 1);
	await(&b, &c, "heard");
	client_close(&c);
	/* And then the other half. */
	c = client_open(&b);
	asked_to_wait(&b, &c);
	httpd_on_gone(b.waiting[2], on_gone, &b);
	shutdown(c.fd, SHUT_WR);
	run_ms(&b, 30);
	assert_int_equal(b.gone, 0);
	client_close(&c);
	await_number(&b, &b.gone, 1);
	bench_close(&b);
}

static void
a_request_without_a_hook_is_answered_to_nobody(void **state)
{
	struct bench b;
	struct client c;
	size_t len;

	(void)state;
	bench_open(&b, AF_UNIX, &usual);
	for (unsigned i = 0; i < 4; i++) {
		c = client_open(&b);
		asked_to_wait(&b, &c);
		client_close(&c);
		run_ms(&b, 10);
	}
	assert_int_equal(httpd_open_requests(b.httpd), 0);
	assert_string_equal(httpd_method(b.waiting[0]), "");
	assert_string_equal(httpd_path(b.waiting[0]), "");
	assert_null(httpd_header(b.waiting[0], "Host"));
	httpd_body(b.waiting[0], &len);
	assert_int_equal(len, 0);
	httpd_answer(b.waiting[0], 200, "text/plain", "late", 4);
	httpd_begin(b.waiting[1], 200, "text/plain");
	httpd_piece(b.waiting[1], "late", 4);
	assert_int_equal(httpd_unsent(b.waiting[1]), 0);
	httpd_end(b.waiting[1]);
	httpd_on_gone(b.waiting[2], on_gone, &b); /* asked for afterwards */
	assert_int_equal(b.gone, 0);
	await_number(&b, &b.gone, 1);
	bench_close(&b); /* the last is never answered */
	assert_int_equal(b.gone, 1);
}

static void
pieces_to_a_slow_and_then_gone_reader(void **state)
{
	static char piece[65536];
	struct bench b;
	struct client c;

	(void)state;
	bench_open(&b, AF_UNIX, &usual);
	c = client_open(&b);
	asked_to_wait(&b, &c);
	httpd_on_gone(b.waiting[0], on_gone, &b);
	httpd_begin(b.waiting[0], 200, "application/x-ndjson");
	await(&b, &c, "Transfer-Encoding: chunked\r\n");
	httpd_piece(b.waiting[0], "{\"a\":1}\n", 8);
	await(&b, &c, "\r\n8\r\n{\"a\":1}\n\r\n");
	assert_int_equal(httpd_unsent(b.waiting[0]), 0);
	for (int i = 0; i < 64; i++) {
		httpd_piece(b.waiting[0], piece, sizeof(piece));
		turn(&b);
	}
	assert_true(httpd_unsent(b.waiting[0]) > 1000000);
	client_close(&c);
	await_number(&b, &b.gone, 1);
	must_serve(&b);
	bench_close(&b);
}

static void
pieces_that_nobody_reads_end(void **state)
{
	static char piece[4000000];
	struct httpd_limits limits = usual;
	struct bench b;
	struct client c;

	(void)state;
	limits.idle_timeout_ms = 60;
	bench_open(&b, AF_INET, &limits);
	c = client_open(&b);
	asked_to_wait(&b, &c);
	httpd_on_gone(b.waiting[0], on_gone, &b);
	httpd_begin(b.waiting[0], 200, "text/plain");
	run_ms(&b, 200); /* nothing to say is no fault of the reader's */
	assert_int_equal(b.gone, 0);
	for (int i = 0; i < 4; i++)
		httpd_piece(b.waiting[0], piece, sizeof(piece));
	await_number(&b, &b.gone, 1);
	client_close(&c);
	bench_close(&b);
}

/* --- good peers --------------------------------------------------------------------------- */

static void
good_requests(void **state)
{
	static const struct {
		const char *why, *bytes, *answer;
	} cases[] = {
		{ "GET", "GET /a?b=c%20d HTTP/1.1\r\n" HOST "\r\n", "<GET /a b=c%20d >" },
		{ "POST", "POST /a HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc",
		    "<POST /a  abc>" },
		{ "a chunked body",
		    "PUT /a HTTP/1.1\r\n" HOST
		    "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n",
		    "<PUT /a  abcdef>" },
		{ "a DELETE with a body that looks like a request",
		    "DELETE /a HTTP/1.1\r\n" HOST
		    "Content-Length: 33\r\n\r\nGET /evil HTTP/1.1\r\nHost: a\r\n\r\nxy",
		    "<DELETE /a  GET /evil HTTP/1.1\r\nHost: a\r\n\r\nxy>" },
		{ "a GET with a body", "GET /a HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nab",
		    "<GET /a  ab>" },
		{ "PATCH", "PATCH /a HTTP/1.1\r\n" HOST "\r\n", "<PATCH /a  >" },
		{ "a whole URI", "GET http://evil.example/a?b HTTP/1.1\r\n" HOST "\r\n",
		    "<GET /a b >" },
		{ "two slashes", "GET //evil/a HTTP/1.1\r\n" HOST "\r\n", "<GET //evil/a  >" },
		{ "OPTIONS", "OPTIONS * HTTP/1.1\r\n" HOST "\r\n", "<OPTIONS *  >" },
		{ "no body in the answer", "GET /nothing HTTP/1.1\r\n" HOST "\r\n",
		    "HTTP/1.1 204 No Content\r\n" },
	};
	struct bench b;
	struct client one;

	(void)state;
	for (int family = AF_UNIX; family <= AF_INET; family++) {
		bench_open(&b, family, &usual);
		one = client_open(&b);
		for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
			struct client c = client_open(&b);

			say_and_await(&b, &c, cases[i].bytes, cases[i].answer);
			client_close(&c);
			/* And all of them over one connection. */
			buf_clear(&one.got);
			say_and_await(&b, &one, cases[i].bytes, cases[i].answer);
			await(&b, &one, "\r\n\r\n");
			assert_int_equal(client_count(&one, "HTTP/1.1 20"), 1);
			assert_false(client_has(&one, "X-Injected"));
		}
		assert_true(client_has(&one, "204") || client_has(&one, "X-Good: yes\r\n"));
		assert_int_equal(b.requests, 2 * sizeof(cases) / sizeof(*cases));
		client_close(&one);
		bench_close(&b);
	}
}

static void
head_and_http_1_0(void **state)
{
	struct bench b;
	struct client c;

	(void)state;
	bench_open(&b, AF_UNIX, &usual);
	c = client_open(&b);
	say_and_await(&b, &c, "HEAD /a HTTP/1.1\r\n" HOST "\r\n", "\r\n\r\n");
	assert_true(client_has(&c, "Content-Length: 11\r\n")); /* <HEAD /a  > */
	assert_false(client_has(&c, "<HEAD"));
	say_and_await(&b, &c, "GET /b HTTP/1.1\r\n" HOST "\r\n", "\r\n\r\n<GET /b  >");
	client_close(&c);
	c = client_open(&b);
	client_say(&c, "GET /c HTTP/1.0\r\n\r\n", strlen("GET /c HTTP/1.0\r\n\r\n"));
	await(&b, &c, NULL);
	assert_true(client_has(&c, "\r\n\r\n<GET /c  >"));
	client_close(&c);
	c = client_open(&b);
	client_say(&c, "GET /wait HTTP/1.0\r\n\r\n", strlen("GET /wait HTTP/1.0\r\n\r\n"));
	await_number(&b, &b.waiting_count, 1);
	httpd_begin(b.waiting[0], 200, "text/plain");
	httpd_piece(b.waiting[0], "one ", 4);
	await(&b, &c, "one ");
	httpd_piece(b.waiting[0], "two", 3);
	httpd_end(b.waiting[0]);
	await(&b, &c, NULL);
	assert_true(client_has(&c, "\r\n\r\none two"));
	assert_false(client_has(&c, "chunked"));
	client_close(&c);
	c = client_open(&b);
	client_say(&c, "GET /d HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n",
	    strlen("GET /d HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n"));
	await(&b, &c, NULL);
	assert_true(client_has(&c, "<GET /d  >"));
	client_close(&c);
	bench_close(&b);
}

static void
requests_in_a_row_are_answered_in_a_row(void **state)
{
	struct bench b;
	struct client c;
	struct buf all;
	const char *at;

	(void)state;
	bench_open(&b, AF_UNIX, &usual);
	c = client_open(&b);
	buf_init(&all, 100000);
	buf_adds(&all, "GET /wait HTTP/1.1\r\n" HOST "\r\n");
	for (int i = 0; i < 100; i++)
		buf_addf(&all, "POST /%d HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\n%02d", i, i);
	client_say(&c, all.data, all.len);
	await_number(&b, &b.waiting_count, 1);
	run_ms(&b, 20);
	assert_int_equal(b.requests, 1);
	httpd_answer(b.waiting[0], 200, "text/plain", "first", 5);
	await(&b, &c, "<POST /99  99>");
	at = strstr(c.got.data, "first");
	for (int i = 0; i < 100; i++) {
		char wanted[40];

		snprintf(wanted, sizeof(wanted), "<POST /%d  %02d>", i, i);
		assert_non_null(at);
		at = strstr(at, wanted);
	}
	assert_non_null(at);
	buf_free(&all);
	client_close(&c);
	bench_close(&b);
}

static void
a_body_is_asked_for(void **state)
{
	struct bench b;
	struct client c;

	(void)state;
	bench_open(&b, AF_UNIX, &usual);
	c = client_open(&b);
	for (int i = 0; i < 3; i++) {
		buf_clear(&c.got);
		say_and_await(&b, &c,
		    "POST /a HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n",
		    "HTTP/1.1 100 Continue\r\n\r\n");
		run_ms(&b, 10);
		say_and_await(&b, &c, "abc", "<POST /a  abc>");
		assert_int_equal(client_count(&c, "HTTP/1.1"), 2);
		/* It does not wait for the answer to its question. */
		buf_clear(&c.got);
		say_and_await(&b, &c,
		    "POST /a HTTP/1.1\r\n" HOST
		    "Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
		    "<POST /a  abc>");
		assert_int_equal(client_count(&c, "HTTP/1.1"), 1);
	}
	client_close(&c);
	bench_close(&b);
}

static void
pieces_arrive_and_the_connection_goes_on(void **state)
{
	struct bench b;
	struct client c;

	(void)state;
	bench_open(&b, AF_UNIX, &usual);
	c = client_open(&b);
	asked_to_wait(&b, &c);
	httpd_begin(b.waiting[0], 200, "text/plain");
	httpd_piece(b.waiting[0], "", 0);
	httpd_piece(b.waiting[0], "abc", 3);
	httpd_end(b.waiting[0]);
	await(&b, &c, "\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
	say_and_await(&b, &c, "GET /b HTTP/1.1\r\n" HOST "\r\n", "<GET /b  >");
	/* All at once, ended with everything sent. */
	asked_to_wait(&b, &c);
	httpd_begin(b.waiting[1], 200, "text/plain");
	run_ms(&b, 10);
	httpd_piece(b.waiting[1], "def", 3);
	run_ms(&b, 10);
	httpd_end(b.waiting[1]);
	await(&b, &c, "3\r\ndef\r\n0\r\n\r\n");
	say_and_await(&b, &c, "GET /c HTTP/1.1\r\n" HOST "\r\n", "<GET /c  >");
	assert_int_equal(httpd_open_requests(b.httpd), 0);
	client_close(&c);
	bench_close(&b);
}

static void
a_local_peer_is_known(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b, AF_UNIX, &usual);
	must_serve(&b);
	assert_true(b.peer.local);
	assert_int_equal(b.peer.uid, getuid());
	assert_int_equal(b.peer.gid, getgid());
	assert_int_equal(b.peer.pid, getpid());
	assert_string_equal(b.peer.address, "unix");
	bench_close(&b);
	bench_open(&b, AF_INET, &usual);
	must_serve(&b);
	assert_false(b.peer.local);
	assert_true(b.peer.uid == (uid_t)-1);
	assert_memory_equal(b.peer.address, "127.0.0.1:", 10);
	assert_string_equal(b.peer.subject, "");
	bench_close(&b);
}

/* --- the end ------------------------------------------------------------------------------ */

static void
freed_with_everything_under_way(void **state)
{
	static char piece[1000000];
	struct client c[6];
	struct bench b;

	(void)state;
	bench_open(&b, AF_UNIX, &usual);
	for (int i = 0; i < 6; i++)
		c[i] = client_open(&b);
	asked_to_wait(&b, &c[0]);
	httpd_on_gone(b.waiting[0], on_gone, &b);
	asked_to_wait(&b, &c[1]);
	httpd_on_gone(b.waiting[1], on_gone, &b);
	httpd_begin(b.waiting[1], 200, "text/plain");
	httpd_piece(b.waiting[1], piece, sizeof(piece));
	asked_to_wait(&b, &c[2]);
	client_say(&c[3], "GET /big HTTP/1.1\r\n" HOST "\r\n",
	    strlen("GET /big HTTP/1.1\r\n" HOST "\r\n"));
	client_say(&c[4], "GET /a HT", 9);
	client_say(&c[5], "nonsense\r\n\r\n", 12);
	run_ms(&b, 20);
	httpd_free(&b.httpd);
	assert_int_equal(b.gone, 2);
	for (int i = 0; i < 6; i++) {
		await(&b, &c[i], NULL);
		client_close(&c[i]);
	}
	bench_close(&b);
	/* Straight after a connection has come, without a turn of the loop in between. */
	bench_open(&b, AF_UNIX, &usual);
	c[0] = client_open(&b);
	bench_close(&b);
	client_close(&c[0]);
}

static void
freed_by_its_own_callback(void **state)
{
	struct bench b;
	struct client c;

	(void)state;
	bench_open(&b, AF_UNIX, &usual);
	b.free_in_request = true;
	c = client_open(&b);
	client_say(
	    &c, "GET /a HTTP/1.1\r\n" HOST "\r\n", strlen("GET /a HTTP/1.1\r\n" HOST "\r\n"));
	await(&b, &c, NULL);
	assert_null(b.httpd);
	client_close(&c);
	bench_close(&b);
}

static void
what_is_under_way_outlives_the_listening(void **state)
{
	struct client idle, asked, half;
	struct bench b;
	int late;

	(void)state;
	bench_open(&b, AF_UNIX, &usual);
	idle = client_open(&b);
	say_and_await(&b, &idle, "GET /a HTTP/1.1\r\n" HOST "\r\n", "<GET /a  >");
	asked = client_open(&b);
	asked_to_wait(&b, &asked);
	half = client_open(&b);
	client_say(&half, "GET /h", 6);
	run_ms(&b, 10);
	httpd_stop_listening(b.httpd);
	await(&b, &idle, NULL);
	assert_int_equal(httpd_open_requests(b.httpd), 1);
	httpd_answer(b.waiting[0], 200, "text/plain", "last", 4);
	await(&b, &asked, NULL);
	assert_true(client_has(&asked, "last"));
	assert_true(client_has(&asked, "Connection: close\r\n"));
	client_say(&half, " HTTP/1.1\r\n" HOST "\r\n", strlen(" HTTP/1.1\r\n" HOST "\r\n"));
	await(&b, &half, NULL);
	assert_true(client_has(&half, "<GET /h  >"));
	late = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(late, (struct sockaddr *)&b.address, b.address_len), -1);
	close(late);
	client_close(&idle);
	client_close(&asked);
	client_close(&half);
	bench_close(&b);
}

/* --- TLS ---------------------------------------------------------------------------------- */

/* --- admission ---------------------------------------------------------------------------- */

/* Who has no key is refused, and "few" may send ten bytes. */
static int
on_admit(void *ctx, struct httpd_head *head)
{
	struct bench *b = ctx;
	const char *key = httpd_head_header(head, "X-Key", 0);

	b->admissions++;
	b->announced = head->announced;
	assert_true(head->peer->local);
	if (key == NULL || httpd_head_header(head, "x-key", 1) != NULL) {
		head->why = "no key";
		head->header = "WWW-Authenticate";
		head->value = "Basic";
		return 401;
	}
	if (strcmp(key, "few") == 0)
		head->most_body = 10;
	return 0;
}

static void
on_refused(void *ctx, const struct httpd_peer *peer, int status, const char *why)
{
	struct bench *b = ctx;

	assert_string_equal(peer->address, "unix");
	assert_true(strlen(why) > 0);
	b->refusals++;
	b->refused = status;
}

static void
admission_open(struct bench *b, const struct httpd_limits *limits)
{
	char why[200] = "";

	memset(b, 0, sizeof(*b));
	b->loop = loop_new();
	b->tick = loop_timer_new(b->loop, on_tick, b);
	b->httpd = httpd_new(&(struct httpd_params){ .loop = b->loop,
	    .limits = *limits,
	    .admit = on_admit,
	    .refused = on_refused,
	    .request = on_request,
	    .ctx = b });
	assert_int_equal(
	    httpd_listen(b->httpd, listener_make(b, AF_UNIX), NULL, why, sizeof(why)), 0);
}

#define KEY "X-Key: yes\r\n"
#define FEW "X-Key: few\r\n"

static void
a_body_is_read_from_those_admitted(void **state)
{
	static const struct {
		const char *why, *bytes;
		int status; /* refused; 0: let in */
		const char *answer;
	} cases[] = {
		{ "no key, with its body",
		    "POST /a HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nxy", 401,
		    "HTTP/1.1 401 Unauthorized\r\n" },
		{ "no key, and asks first",
		    "POST /a HTTP/1.1\r\n" HOST "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n",
		    401, "WWW-Authenticate: Basic\r\n" },
		{ "no key, in chunks",
		    "POST /a HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n", 401,
		    "no key" },
		{ "no key, no body", "GET /a HTTP/1.1\r\n" HOST "\r\n", 401, "no key" },
		{ "two keys", "GET /a HTTP/1.1\r\n" HOST KEY KEY "\r\n", 401, "no key" },
		{ "a key", "POST /a HTTP/1.1\r\n" HOST KEY "Content-Length: 2\r\n\r\nxy", 0,
		    "<POST /a  xy>" },
		{ "a key, and asks first",
		    "POST /a HTTP/1.1\r\n" HOST KEY
		    "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n",
		    0, "HTTP/1.1 100 Continue\r\n" },
		{ "as much as this one may",
		    "POST /a HTTP/1.1\r\n" HOST FEW "Content-Length: 10\r\n\r\n0123456789", 0,
		    "<POST /a  0123456789>" },
		{ "more than this one may",
		    "POST /a HTTP/1.1\r\n" HOST FEW "Content-Length: 11\r\n\r\n", 413,
		    "HTTP/1.1 413 " },
		{ "more than this one may, and asks first",
		    "POST /a HTTP/1.1\r\n" HOST FEW
		    "Content-Length: 11\r\nExpect: 100-continue\r\n\r\n",
		    413, "HTTP/1.1 413 " },
		{ "more than this one may, in chunks",
		    "POST /a HTTP/1.1\r\n" HOST FEW
		    "Transfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n5\r\n",
		    413, "HTTP/1.1 413 " },
	};
	struct bench b;

	(void)state;
	admission_open(&b, &usual);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct client c = client_open(&b);
		unsigned refusals = b.refusals, admissions = b.admissions;

		say_and_await(&b, &c, cases[i].bytes, cases[i].answer);
		if (cases[i].status != 0) {
			await(&b, &c, NULL);
			assert_false(client_has(&c, "100 Continue"));
			assert_int_equal(b.refused, cases[i].status);
		}
		if (b.refusals != refusals + (cases[i].status != 0) ||
		    b.admissions != admissions + 1)
			fail_msg("%s: %u refusals, %u admissions", cases[i].why,
			    b.refusals - refusals, b.admissions - admissions);
		client_close(&c);
		run_ms(&b, 5);
		assert_int_equal(httpd_held_bytes(b.httpd), 0);
	}
	bench_close(&b);
}

/* Who has not shown his head costs a connection not for long; who was admitted has his time. */
static void
a_head_has_less_time_than_a_body(void **state)
{
	static const char half[] = "POST /a HTTP/1.1\r\n" HOST,
			  head[] = "POST /a HTTP/1.1\r\n" HOST KEY "Content-Length: 2\r\n\r\n";
	struct httpd_limits limits = usual;
	struct client silent, slow, good;
	struct bench b;

	(void)state;
	limits.head_timeout_ms = 200;
	admission_open(&b, &limits);
	silent = client_open(&b);
	slow = client_open(&b);
	good = client_open(&b);
	client_say(&slow, half, strlen(half));
	client_say(&good, head, strlen(head));
	await(&b, &slow, "HTTP/1.1 408 ");
	await(&b, &silent, NULL);
	assert_int_equal(silent.got.len, 0);
	run_ms(&b, 100);
	client_read(&good);
	assert_false(good.ended);
	say_and_await(&b, &good, "xy", "<POST /a  xy>");
	/* Between requests it is idle, not new. */
	run_ms(&b, 300);
	client_read(&good);
	assert_false(good.ended);
	client_close(&silent);
	client_close(&slow);
	client_close(&good);
	bench_close(&b);
}

/* What was let one request may not be more for the next. */
static void
each_request_of_a_connection_is_judged(void **state)
{
	static const char two[] =
	    "POST /a HTTP/1.1\r\n" HOST FEW "Content-Length: 2\r\n\r\nxy"
	    "POST /b HTTP/1.1\r\n" HOST KEY "Content-Length: 12\r\n\r\n0123456789ab",
			  third[] = "POST /c HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nxy";
	struct bench b;
	struct client c;

	(void)state;
	admission_open(&b, &usual);
	c = client_open(&b);
	say_and_await(&b, &c, two, "<POST /b  0123456789ab>");
	assert_true(client_has(&c, "<POST /a  xy>"));
	say_and_await(&b, &c, third, "no key");
	await(&b, &c, NULL);
	assert_int_equal(b.requests, 2);
	assert_int_equal(b.admissions, 3);
	client_close(&c);
	bench_close(&b);
}

/* Bodies of all connections together: what was announced counts before it comes. */
static void
bodies_at_once_have_a_limit(void **state)
{
	static const char half[] = "POST /a HTTP/1.1\r\n" HOST KEY "Content-Length: 600\r\n\r\n",
			  chunk[] = "POST /a HTTP/1.1\r\n" HOST KEY
				    "Transfer-Encoding: chunked\r\n\r\n190\r\n",
			  more[] = "\r\n1\r\nx\r\n";
	struct httpd_limits limits = usual;
	struct client first, second, third;
	char text[600];
	struct bench b;

	(void)state;
	memset(text, 'x', sizeof(text));
	limits.most_held_bytes = 1000;
	admission_open(&b, &limits);
	first = client_open(&b);
	second = client_open(&b);
	third = client_open(&b);
	client_say(&first, half, strlen(half));
	await_number(&b, &b.admissions, 1);
	assert_int_equal(b.announced, 600);
	assert_int_equal(httpd_held_bytes(b.httpd), 600);
	say_and_await(&b, &second, half, "HTTP/1.1 503 Service Unavailable\r\n");
	assert_true(client_has(&second, "Retry-After: 30\r\n"));
	await(&b, &second, NULL);
	/* In chunks as much as is left, and one more. */
	client_say(&third, chunk, strlen(chunk));
	client_say(&third, text, 400);
	run_ms(&b, 20);
	assert_int_equal(httpd_held_bytes(b.httpd), 1000);
	say_and_await(&b, &third, more, "HTTP/1.1 503 ");
	await(&b, &third, NULL);
	client_say(&first, text, 600);
	await(&b, &first, "xxx>");
	run_ms(&b, 5);
	assert_int_equal(httpd_held_bytes(b.httpd), 0);
	client_close(&first);
	client_close(&second);
	client_close(&third);
	bench_close(&b);
}

struct tls_bench {
	struct bench b;
	char folder[64];
	char server[100], server_key[100], ca[100];
	struct httpd_tls tls;
};

static void
certificate_make(const char *folder, const char *name, const char *more)
{
	char *command =
	    mem_format("cd %s && openssl req -newkey rsa:2048 -nodes -keyout %s.key "
		       "-out %s.csr %s >/dev/null 2>&1 && "
		       "openssl x509 -req -in %s.csr -CA ca.pem -CAkey ca.key -days 2 "
		       "-set_serial 7 -copy_extensions copy -out %s.pem >/dev/null 2>&1",
		folder, name, name, more, name, name);

	assert_int_equal(system(command), 0);
	free(command);
}

static int
remove_one(const char *path, const struct stat *facts, int type, struct FTW *walk)
{
	(void)facts;
	(void)type;
	(void)walk;
	return remove(path);
}

static void
tls_open(struct tls_bench *t)
{
	struct httpd_limits limits = usual;
	char why[200] = "", *command;

	limits.request_timeout_ms = 2000;
	snprintf(t->folder, sizeof(t->folder), "/tmp/pmrelay-httpd-XXXXXX");
	assert_non_null(mkdtemp(t->folder));
	command = mem_format("cd %s && for ca in ca other; do openssl req -x509 -newkey rsa:2048 "
			     "-nodes -days 2 -subj /CN=$ca -keyout $ca.key -out $ca.pem "
			     ">/dev/null 2>&1 || exit 1; done",
	    t->folder);
	assert_int_equal(system(command), 0);
	free(command);
	certificate_make(t->folder, "server", "-subj /CN=localhost");
	certificate_make(t->folder, "ann", "-subj /CN=ann");
	certificate_make(t->folder, "dns", "-subj /O=x -addext subjectAltName=DNS:bob.example");
	snprintf(t->server, sizeof(t->server), "%s/server.pem", t->folder);
	snprintf(t->server_key, sizeof(t->server_key), "%s/server.key", t->folder);
	snprintf(t->ca, sizeof(t->ca), "%s/ca.pem", t->folder);
	t->tls = (struct httpd_tls){
		.certificate_file = t->server, .key_file = t->server_key, .client_ca_file = t->ca
	};

	memset(&t->b, 0, sizeof(t->b));
	t->b.loop = loop_new();
	t->b.tick = loop_timer_new(t->b.loop, on_tick, &t->b);
	t->b.httpd = httpd_new(&(struct httpd_params){
	    .loop = t->b.loop, .limits = limits, .request = on_request, .ctx = &t->b });
	assert_int_equal(
	    httpd_listen(t->b.httpd, listener_make(&t->b, AF_INET), &t->tls, why, sizeof(why)), 0);
}

static void
tls_close(struct tls_bench *t)
{
	bench_close(&t->b);
	nftw(t->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* What comes back on a request over TLS with this client certificate (NULL: none); "" if nothing
 * does.  The caller frees. */
static char *
tls_ask(struct tls_bench *t, const char *name, int most_version)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	struct client c = client_open(&t->b);
	static const char request[] =
	    "GET /a HTTP/1.1\r\n" HOST "\r\nPOST /b HTTP/1.1\r\n" HOST
	    "Content-Length: 2\r\n\r\nxyGET /c HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n";
	int64_t end = clock_mono_ms() + LONG_MS;
	char area[4096];
	bool said = false, over = false;
	SSL *ssl;

	if (name != NULL) {
		char *certificate = mem_format("%s/%s.pem", t->folder, name);
		char *key = mem_format("%s/%s.key", t->folder, name);

		assert_int_equal(SSL_CTX_use_certificate_chain_file(context, certificate), 1);
		assert_int_equal(SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM), 1);
		free(certificate);
		free(key);
	}
	SSL_CTX_set_min_proto_version(context, TLS1_VERSION);
	SSL_CTX_set_security_level(context, 0);
	SSL_CTX_set_max_proto_version(context, most_version);
	ssl = SSL_new(context);
	SSL_set_fd(ssl, c.fd);
	SSL_set_connect_state(ssl);
	while (!over && clock_mono_ms() < end) {
		int n = said ? SSL_read(ssl, area, sizeof(area))
			     : SSL_write(ssl, request, sizeof(request) - 1);

		if (n > 0 && said)
			buf_add(&c.got, area, (size_t)n);
		else if (n > 0)
			said = true;
		else if (SSL_get_error(ssl, n) != SSL_ERROR_WANT_READ &&
			 SSL_get_error(ssl, n) != SSL_ERROR_WANT_WRITE)
			over = true;
		else
			turn(&t->b);
	}
	assert_true(over);
	SSL_free(ssl);
	SSL_CTX_free(context);
	close(c.fd);
	return c.got.len > 0 ? buf_take(&c.got, &(size_t){ 0 }) : mem_string("");
}

static void
clients_must_show_a_certificate(void **state)
{
	static const struct {
		const char *why, *name;
		int most_version;
		const char *subject; /* NULL: not let in */
	} cases[] = {
		{ "none", NULL, TLS1_3_VERSION, NULL },
		{ "none, TLS 1.2", NULL, TLS1_2_VERSION, NULL },
		{ "another authority's", "other", TLS1_3_VERSION, NULL },
		{ "an old version", "ann", TLS1_1_VERSION, NULL },
		{ "a good one", "ann", TLS1_3_VERSION, "ann" },
		{ "a good one, TLS 1.2", "ann", TLS1_2_VERSION, "ann" },
		{ "a DNS name", "dns", TLS1_3_VERSION, "bob.example" },
	};
	struct tls_bench t;
	char why[200] = "";
	struct client silent, plain;

	(void)state;
	if (system("openssl version >/dev/null 2>&1") != 0)
		skip();
	tls_open(&t);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		unsigned before = t.b.requests;
		char *answer = tls_ask(&t, cases[i].name, cases[i].most_version);

		if (cases[i].subject == NULL) {
			if (answer[0] != '\0' || t.b.requests != before)
				fail_msg("%s was let in", cases[i].why);
		} else {
			if (strstr(answer, "<GET /a  >") == NULL ||
			    strstr(answer, "<POST /b  xy>") == NULL ||
			    strstr(answer, "<GET /c  >") == NULL)
				fail_msg("%s: %s", cases[i].why, answer);
			assert_string_equal(t.b.peer.subject, cases[i].subject);
			assert_false(t.b.peer.local);
		}
		free(answer);
	}
	/* Who speaks HTTP to it, and who says nothing at all. */
	plain = client_open(&t.b);
	client_say(&plain, "GET / HTTP/1.1\r\n\r\n", 18);
	silent = client_open(&t.b);
	await(&t.b, &plain, NULL);
	await(&t.b, &silent, NULL);
	client_close(&plain);
	client_close(&silent);

	/* New files, from now on; bad ones change nothing. */
	snprintf(t.ca, sizeof(t.ca), "%s/other.pem", t.folder);
	t.tls.key_file = "/nowhere";
	assert_int_equal(httpd_reload_tls(t.b.httpd, &t.tls, why, sizeof(why)), -1);
	assert_non_null(strstr(why, "key /nowhere: "));
	free(tls_ask(&t, "ann", TLS1_3_VERSION));
	assert_string_equal(t.b.peer.subject, "ann");
	t.tls.key_file = t.server_key;
	assert_int_equal(httpd_reload_tls(t.b.httpd, &t.tls, why, sizeof(why)), 0);
	t.b.requests = 0;
	free(tls_ask(&t, "ann", TLS1_3_VERSION));
	assert_int_equal(t.b.requests, 0);
	free(tls_ask(&t, "other", TLS1_3_VERSION));
	assert_int_equal(t.b.requests, 3);
	tls_close(&t);
}

static void
unusable_certificates_are_named(void **state)
{
	struct httpd_tls tls = { .certificate_file = "/nowhere/c.pem",
		.key_file = "/nowhere/k.pem",
		.client_ca_file = "/nowhere/ca.pem" };
	struct bench b, other;
	char why[200] = "";

	(void)state;
	bench_open(&b, AF_UNIX, &usual);
	memset(&other, 0, sizeof(other));
	assert_int_equal(
	    httpd_listen(b.httpd, listener_make(&other, AF_UNIX), &tls, why, sizeof(why)), -1);
	assert_non_null(strstr(why, "certificate /nowhere/c.pem: "));
	must_serve(&b);
	bench_close(&b);
}

static char *
file_text(const char *path)
{
	char text[16384];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len = read(fd, text, sizeof(text));

	assert_true(len > 0);
	close(fd);
	return mem_bytes(text, (size_t)len);
}

/* For a process that reads no files: both in memory, and a chain. */
static void
a_certificate_may_be_in_memory(void **state)
{
	struct httpd_tls tls = { 0 };
	struct tls_bench t;
	char why[200] = "", *command, *answer;

	(void)state;
	if (system("openssl version >/dev/null 2>&1") != 0)
		skip();
	tls_open(&t);
	command = mem_format("cat %s/ca.pem >>%s/server.pem", t.folder, t.folder);
	assert_int_equal(system(command), 0);
	free(command);
	tls.certificate = file_text(t.server);
	tls.key = file_text(t.server_key);
	assert_int_equal(httpd_use_tls(t.b.httpd, &tls, why, sizeof(why)), 0);
	answer = tls_ask(&t, NULL, TLS1_3_VERSION);
	assert_non_null(strstr(answer, "<POST /b  xy>"));
	free(answer);

	/* What cannot be used changes nothing, */
	free((char *)tls.key);
	tls.key = file_text(t.ca);
	assert_int_equal(httpd_use_tls(t.b.httpd, &tls, why, sizeof(why)), -1);
	assert_non_null(strstr(why, "key in memory: "));
	free((char *)tls.certificate);
	tls.certificate =
	    mem_string("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
	assert_int_equal(httpd_use_tls(t.b.httpd, &tls, why, sizeof(why)), -1);
	assert_non_null(strstr(why, "certificate in memory: "));
	answer = tls_ask(&t, NULL, TLS1_3_VERSION);
	assert_non_null(strstr(answer, "<POST /b  xy>"));
	free(answer);
	free((char *)tls.certificate);
	free((char *)tls.key);

	/* and without any the listener is plain. */
	assert_int_equal(httpd_use_tls(t.b.httpd, NULL, why, sizeof(why)), 0);
	must_serve(&t.b);
	tls_close(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_no_request_is_refused),
		cmocka_unit_test(a_body_is_read_from_those_admitted),
		cmocka_unit_test(each_request_of_a_connection_is_judged),
		cmocka_unit_test(a_head_has_less_time_than_a_body),
		cmocka_unit_test(bodies_at_once_have_a_limit),
		cmocka_unit_test(a_certificate_may_be_in_memory),
		cmocka_unit_test(a_head_ends_at_its_limit),
		cmocka_unit_test(a_refusal_reaches_who_still_sends),
		cmocka_unit_test(a_dripping_request_has_one_deadline),
		cmocka_unit_test(an_idle_connection_is_closed),
		cmocka_unit_test(a_request_that_waits_is_not_idle),
		cmocka_unit_test(an_answer_that_nobody_reads_ends),
		cmocka_unit_test(a_slow_reader_is_waited_for),
		cmocka_unit_test(surplus_connections_are_turned_away),
		cmocka_unit_test(strangers_make_room),
		cmocka_unit_test(no_descriptor_to_turn_away_with),
		cmocka_unit_test(limits_count_from_the_next_request),
		cmocka_unit_test(who_leaves_while_a_request_waits_is_noticed),
		cmocka_unit_test(a_local_client_may_close_its_half),
		cmocka_unit_test(a_request_without_a_hook_is_answered_to_nobody),
		cmocka_unit_test(pieces_to_a_slow_and_then_gone_reader),
		cmocka_unit_test(pieces_that_nobody_reads_end),
		cmocka_unit_test(good_requests),
		cmocka_unit_test(head_and_http_1_0),
		cmocka_unit_test(requests_in_a_row_are_answered_in_a_row),
		cmocka_unit_test(a_body_is_asked_for),
		cmocka_unit_test(pieces_arrive_and_the_connection_goes_on),
		cmocka_unit_test(a_local_peer_is_known),
		cmocka_unit_test(freed_with_everything_under_way),
		cmocka_unit_test(freed_by_its_own_callback),
		cmocka_unit_test(what_is_under_way_outlives_the_listening),
		cmocka_unit_test(clients_must_show_a_certificate),
		cmocka_unit_test(unusable_certificates_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
