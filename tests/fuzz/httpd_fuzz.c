/*
 * The bytes of a connection to the HTTP listener.  What is handed up is within the limits, and is
 * answered once, in one of four ways; nothing is left over; and the next client is served.
 */

#include <sys/socket.h>
#include <sys/un.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/loop.h"

#include "base/httpd.h"

#define MOST_HEAD  2048
#define MOST_BODY  4096
#define MOST_TURNS 100000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct {
	struct loop *loop;
	struct loop_timer *tick;
	struct httpd *httpd;
	struct sockaddr_un address;
	socklen_t address_len;
	unsigned admitted, requests, settled;
} bench;

struct late {
	struct loop_timer *timer;
	struct httpd_request *request;
	bool in_pieces;
};

static void
must(bool good)
{
	if (!good)
		abort();
}

static void
late_free(struct late *late)
{
	bench.settled++;
	loop_timer_free(&late->timer);
	free(late);
}

static void
late_answer(void *ctx)
{
	struct late *late = ctx;

	if (late->in_pieces) {
		httpd_begin(late->request, 200, "text/plain");
		httpd_piece(late->request, "one", 3);
		httpd_piece(late->request, "two", 3);
		httpd_end(late->request);
	} else {
		httpd_answer(late->request, 422, "text/plain", "late", 4);
	}
	late_free(late);
}

static void
late_gone(void *ctx)
{
	late_free(ctx);
}

static void
on_request(void *ctx, struct httpd_request *r)
{
	static const char *const methods[] = { "", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE",
		"OPTIONS" };
	const char *path = httpd_path(r);
	size_t len, known = 0;
	struct late *late;

	(void)ctx;
	bench.requests++;
	must(bench.requests <= bench.admitted);
	while (known < sizeof(methods) / sizeof(*methods) &&
	       strcmp(methods[known], httpd_method(r)) != 0)
		known++;
	must(known < sizeof(methods) / sizeof(*methods));
	must(path[0] == '/' || strcmp(path, "*") == 0);
	must(strlen(path) + strlen(httpd_query(r)) < MOST_HEAD);
	must(strpbrk(path, " ?#\r\n") == NULL);
	must(httpd_body(r, &len) != NULL && len <= MOST_BODY);
	must(httpd_peer(r)->local);
	if (strlen(path) % 4 == 1) {
		httpd_add_header(r, "X-Path", path);
		httpd_answer(r, 200, "text/plain", path, strlen(path));
		bench.settled++;
		return;
	}
	late = calloc(1, sizeof(*late));
	must(late != NULL);
	late->request = r;
	late->in_pieces = strlen(path) % 4 == 2;
	late->timer = loop_timer_new(bench.loop, late_answer, late);
	if (strlen(path) % 4 != 3)
		httpd_on_gone(r, late_gone, late);
	loop_timer_set(late->timer, 0);
}

static int
on_admit(void *ctx, struct httpd_head *head)
{
	(void)ctx;
	if (httpd_head_header(head, "X-No", 1) != NULL)
		return 401;
	if (httpd_head_header(head, "X-No", 0) != NULL)
		head->most_body = 3;
	bench.admitted++;
	return 0;
}

static void
on_tick(void *ctx)
{
	(void)ctx;
	loop_stop(bench.loop);
}

static void
turn(void)
{
	loop_timer_set(bench.tick, 0);
	loop_run(bench.loop);
}

static void
bench_open(void)
{
	struct httpd_params params = { .limits = { .most_header_bytes = MOST_HEAD,
					   .most_body_bytes = MOST_BODY,
					   .most_connections = 8,
					   .request_timeout_ms = 60000,
					   .idle_timeout_ms = 60000 },
		.admit = on_admit,
		.request = on_request };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char why[200];

	bench.loop = params.loop = loop_new();
	must(bench.loop != NULL);
	bench.tick = loop_timer_new(bench.loop, on_tick, NULL);
	bench.httpd = httpd_new(&params);
	bench.address.sun_family = AF_UNIX;
	must(bind(fd, (struct sockaddr *)&bench.address, sizeof(sa_family_t)) == 0);
	bench.address_len = sizeof(bench.address);
	must(getsockname(fd, (struct sockaddr *)&bench.address, &bench.address_len) == 0);
	must(listen(fd, 10) == 0);
	must(httpd_listen(bench.httpd, fd, NULL, why, sizeof(why)) == 0);
}

/* Says all of it in pieces, then listens until the server ends.  Returns how much was heard; the
 * first bytes of it are in out. */
static size_t
talk(const uint8_t *data, size_t len, size_t piece, char *out, size_t out_size)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	size_t said = 0, heard = 0;

	must(connect(fd, (struct sockaddr *)&bench.address, bench.address_len) == 0);
	for (unsigned turns = 0;; turns++) {
		size_t part = len - said < piece ? len - said : piece;
		char area[4096];
		ssize_t n;

		must(turns < MOST_TURNS);
		if (part > 0) {
			n = send(fd, data + said, part, MSG_NOSIGNAL);
			said = n > 0 ? said + (size_t)n : said;
			if (said == len)
				shutdown(fd, SHUT_WR);
		}
		turn();
		n = recv(fd, area, sizeof(area), 0);
		for (ssize_t i = 0; i < n; i++, heard++) {
			if (heard + 1 < out_size)
				out[heard] = area[i];
		}
		if (n == 0)
			break;
	}
	close(fd);
	out[heard < out_size ? heard : out_size - 1] = '\0';
	return heard;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char good[] = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
	char out[512];

	if (len < 2 || len > 20000)
		return 0;
	if (bench.loop == NULL)
		bench_open();
	bench.admitted = bench.requests = bench.settled = 0;
	/* The first byte says how the others are cut. */
	(void)talk(data + 1, len - 1, (size_t)data[0] * data[0] + 1, out, sizeof(out));
	for (int i = 0; i < 10 && bench.settled < bench.requests; i++)
		turn();
	must(bench.settled == bench.requests);
	must(httpd_open_requests(bench.httpd) == 0);

	must(talk((const uint8_t *)good, sizeof(good) - 1, 1000, out, sizeof(out)) > 0);
	must(strncmp(out, "HTTP/1.1 200 OK\r\n", 17) == 0);
	must(httpd_open_requests(bench.httpd) == 0);
	return 0;
}
