/*
 * The receiver behind a real socket, and a core that is played by the test: what a client hears for
 * what it posts, and what is asked of the core.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/socket.h>
#include <sys/wait.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>
#include <openssl/ssl.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/privs.h"
#include "config/config.h"
#include "mail/event.h"
#include "mail/hook.h"
#include "mail/mail.h"
#include "mail/refusal.h"
#include "channel/frame.h"
#include "channel/peer.h"

#include "webhook/hooks.h"
#include "webhook/receiver.h"

#define MOST_TURNS 10000 /* of two milliseconds, that a test waits before it has failed */

#define PATH    "0123456789abcdefghijklmnopqrstuv"
#define MAILS   "inp3456789abcdefghijklmnopqrstuv"
#define BASIC   "Authorization: Basic cG06czNjcmV0\r\n" /* pm:s3cret */
#define MESSAGE "6f0f3a52-0d8b-4f3e-9a52-3b6f1c1d7e10"
#define DELIVERY                                                                                   \
	"{\"RecordType\":\"Delivery\",\"MessageID\":\"" MESSAGE                                    \
	"\",\"Recipient\":\"ann@reader.example\",\"DeliveredAt\":\"2026-09-05T22:01:03."           \
	"4410021Z\"}"
#define MAIL_POST                                                                                  \
	"{\"MessageID\":\"f2\",\"From\":\"a@b.example\",\"FromFull\":{\"Email\":\"a@b.example\"}," \
	"\"To\":\"c@d.example\",\"TextBody\":\"Hello\"}"

static struct hook list[] = {
	{ (char *)PATH, (char *)"default", (char *)"outbound", (char *)"pm", (char *)"s3cret", 88,
	    1, 0 },
	{ (char *)MAILS, (char *)"shop", (char *)"inbound", (char *)"", (char *)"", 0, 1, 0 },
};

struct stage {
	struct loop *loop;
	struct loop_timer *tick;
	struct config *config;
	struct receiver *receiver;
	struct peer *front, *core;
	struct sockaddr_in address;

	bool silent;                /* the core does not answer */
	const struct refusal *says; /* NULL: stored */
	unsigned events, mails;
	struct event *event; /* the last */
	struct mail *mail;
	uint64_t serial;
	struct receiver_refusal inbound_says; /* status 0: a mail */
	char inbound_connection[32];
};

static void
on_tick(void *ctx)
{
	struct stage *s = ctx;

	loop_stop(s->loop);
}

static void
turn(struct stage *s)
{
	loop_timer_set(s->tick, 2);
	loop_run(s->loop);
}

/* --- the core ----------------------------------------------------------------------------- */

static int
core_frame(void *ctx, const struct frame_head *head, const char *body, int *fds)
{
	struct stage *s = ctx;
	const char *why;

	assert_true((head->serial & RECEIVER_SERIAL) != 0);
	s->serial = head->serial;
	if (head->kind == FRAME_EVENT) {
		mail_event_free(&s->event);
		s->event = frame_event_read(body, head->body_bytes);
		assert_non_null(s->event);
		s->events++;
	} else {
		assert_int_equal(head->kind, FRAME_COMMIT);
		mail_free(&s->mail);
		s->mail = frame_commit_read(body, head->body_bytes, fds, head->descriptors, &why);
		assert_non_null(s->mail);
		s->mails++;
	}
	if (!s->silent)
		peer_committed(s->core, head->serial, s->says);
	return 0;
}

static void
core_lost(void *ctx, const char *why)
{
	struct stage *s = ctx;

	(void)why;
	peer_free(&s->core);
}

static int
front_frame(void *ctx, const struct frame_head *head, const char *body, int *fds)
{
	struct stage *s = ctx;

	(void)fds;
	return receiver_frame(s->receiver, head, body);
}

static void
front_lost(void *ctx, const char *why)
{
	struct stage *s = ctx;

	(void)why;
	receiver_connect(s->receiver, NULL);
	peer_free(&s->front);
}

static const struct peer_hooks core_hooks = { .frame = core_frame, .lost = core_lost },
			       front_hooks = { .frame = front_frame, .lost = front_lost };

static void
core_start(struct stage *s)
{
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	s->core = peer_new(s->loop, ends[0], &core_hooks, s);
	s->front = peer_new(s->loop, ends[1], &front_hooks, s);
	receiver_connect(s->receiver, s->front);
}

static void
core_die(struct stage *s)
{
	peer_free(&s->core);
	for (unsigned i = 0; i < MOST_TURNS && s->front != NULL; i++)
		turn(s);
	assert_null(s->front);
}

static void
core_tell(struct stage *s, const struct hook *hooks, size_t count)
{
	char why[256];
	struct buf out;

	buf_init(&out, FRAME_MOST_BODY);
	hooks_json(s->config, hooks, count, clock_wall_ms(), &out, why, sizeof(why));
	assert_int_equal(peer_tell_hooks(s->core, out.data, out.len), 0);
	buf_free(&out);
	turn(s);
	turn(s);
}

static struct mail *
take_mail(void *ctx, const struct json_t *post, const char *connection,
    struct receiver_refusal *refusal_r)
{
	struct stage *s = ctx;
	struct mail *mail;

	assert_string_equal(json_string_value(json_object_get(post, "TextBody")), "Hello");
	snprintf(s->inbound_connection, sizeof(s->inbound_connection), "%s", connection);
	if (s->inbound_says.status != 0) {
		*refusal_r = s->inbound_says;
		return NULL;
	}
	mail = mail_new();
	ulid_make(mail->id, 1788700000000);
	mail->reverse_path = mem_string("a@b.example");
	mail->route = mem_string("inbound");
	mail->listener = mem_string("webhook");
	mail->client = mem_string("");
	mail->helo = mem_string("");
	mail->message_id = mem_string("");
	mail->from = mem_string("");
	mail->subject = mem_string("");
	mail->ledger = mem_string("");
	mail->item_count = 1;
	mail->items = mem_array(1, sizeof(*mail->items));
	mail->items[0].number = 1;
	payload_init(&mail->items[0].payload);
	mail->items[0].payload.data = mem_string("{\"a\":1}");
	mail->items[0].payload.len = 7;
	strlist_add(&mail->items[0].recipients, "c@d.example");
	return mail;
}

/* --- the stage ---------------------------------------------------------------------------- */

static int
listener_make(struct stage *s)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(s->address);

	s->address.sin_family = AF_INET;
	s->address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&s->address, len), 0);
	assert_int_equal(listen(fd, 100), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&s->address, &len), 0);
	return fd;
}

/* Without a core. */
static void
stage_open(struct stage *s, const char *options)
{
	static const char *const names[] = { "127.0.0.1:2580" };
	char *settings = mem_format("webhook {\n%s}\n", options);
	struct buf about;
	int fd;

	*s = (struct stage){ .loop = loop_new() };
	s->tick = loop_timer_new(s->loop, on_tick, s);
	buf_init(&about, 10000);
	s->config = config_parse(settings, strlen(settings), "test", &about);
	if (s->config == NULL)
		fail_msg("%s", about.data);
	buf_free(&about);
	free(settings);
	fd = listener_make(s);
	s->receiver = receiver_new(&(struct receiver_params){ .loop = s->loop,
	    .config = s->config,
	    .fds = &fd,
	    .names = names,
	    .count = 1,
	    .inbound = take_mail,
	    .inbound_ctx = s });
}

static void
stage_begin(struct stage *s, const char *options)
{
	stage_open(s, options);
	core_start(s);
	core_tell(s, list, 2);
}

static void
stage_end(struct stage *s)
{
	receiver_connect(s->receiver, NULL);
	receiver_free(&s->receiver);
	peer_free(&s->front);
	peer_free(&s->core);
	config_free(&s->config);
	mail_event_free(&s->event);
	mail_free(&s->mail);
	loop_timer_free(&s->tick);
	loop_free(&s->loop);
}

/* --- clients ------------------------------------------------------------------------------ */

struct client {
	int fd;
	struct buf got;
	bool ended;
};

static struct client
client_open(const struct stage *s)
{
	struct client c = { .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };

	assert_int_equal(
	    connect(c.fd, (const struct sockaddr *)&s->address, sizeof(s->address)), 0);
	assert_int_equal(fcntl(c.fd, F_SETFL, O_NONBLOCK), 0);
	buf_init(&c.got, 1024 * 1024);
	return c;
}

static void
client_close(struct client *c)
{
	close(c->fd);
	buf_free(&c->got);
}

static void
client_read(struct client *c)
{
	char area[4096];
	ssize_t got;

	while ((got = recv(c->fd, area, sizeof(area), 0)) > 0)
		buf_add(&c->got, area, (size_t)got);
	if (got == 0 || (errno != EAGAIN && errno != EINTR))
		c->ended = true;
}

/* What it has heard; as far as the server listens. */
static void
client_say(struct stage *s, struct client *c, const char *bytes, size_t len, size_t piece)
{
	for (size_t at = 0; at < len && !c->ended;) {
		size_t part = len - at < piece ? len - at : piece;
		ssize_t sent = send(c->fd, bytes + at, part, MSG_NOSIGNAL);

		if (sent < 0 && errno != EAGAIN)
			return;
		at += sent > 0 ? (size_t)sent : 0;
		if (piece < len)
			turn(s);
		client_read(c);
	}
}

static bool
client_has(const struct client *c, const char *text)
{
	return c->got.len > 0 && memmem(c->got.data, c->got.len, text, strlen(text)) != NULL;
}

/* The status of the answer that comes, which is whole; interim ones are skipped.  It is taken. */
static int
client_hear(struct stage *s, struct client *c)
{
	for (unsigned i = 0; i < MOST_TURNS; i++) {
		char *end, *length;
		size_t whole;

		client_read(c);
		end = c->got.len > 0 ? strstr(c->got.data, "\r\n\r\n") : NULL;
		if (end != NULL && strncmp(c->got.data, "HTTP/1.1 100 ", 13) == 0) {
			buf_consume(&c->got, (size_t)(end + 4 - c->got.data));
			continue;
		}
		length = end != NULL ? strstr(c->got.data, "Content-Length: ") : NULL;
		if (length != NULL && length < end) {
			bool head = c->ended && end[4] == '\0';
			int status = atoi(c->got.data + 9);

			whole = (size_t)(end + 4 - c->got.data) + (size_t)atoi(length + 16);
			if (c->got.len >= whole || head) {
				c->got.data[c->got.len < whole ? c->got.len : whole - 1] = '\0';
				return status;
			}
		}
		if (c->ended)
			break;
		turn(s);
	}
	fail_msg("no answer in: %s", c->got.len > 0 ? c->got.data : "");
	return -1;
}

static void
client_forget(struct client *c)
{
	buf_clear(&c->got);
}

static char *
request_make(const char *method, const char *path, const char *headers, const char *body)
{
	return mem_format("%s %s HTTP/1.1\r\nHost: relay.example\r\n"
			  "Content-Type: application/json\r\n%sContent-Length: %zu\r\n\r\n%s",
	    method, path, headers, strlen(body), body);
}

/* The status of one request on a connection of its own, and what came with it. */
static int
post_once(struct stage *s, const char *method, const char *path, const char *headers,
    const char *body, struct buf *answer)
{
	char *request = request_make(method, path, headers, body);
	struct client c = client_open(s);
	int status;

	client_say(s, &c, request, strlen(request), SIZE_MAX);
	status = client_hear(s, &c);
	if (answer != NULL) {
		buf_clear(answer);
		buf_adds(answer, c.got.data);
	}
	client_close(&c);
	free(request);
	return status;
}

static int
post(struct stage *s, const char *path, const char *headers, const char *body)
{
	return post_once(s, "POST", path, headers, body, NULL);
}

/* --- what is refused ---------------------------------------------------------------------- */

#define LINE   "POST /hooks/" PATH " HTTP/1.1\r\n"
#define HOST   "Host: relay.example\r\n"
#define LENGTH "Content-Length: 2\r\n"
#define JSON   "Content-Type: application/json\r\n"

struct bad {
	const char *why;
	const char *method, *path, *headers, *body; /* a request is made of these, */
	const char *raw;                            /* or is this, */
	size_t raw_len;                             /* of so many bytes (0: a string) */
	int status;
};

#define RAW(text) .raw = (text), .raw_len = sizeof(text) - 1
#define AT        .method = "POST", .path = "/hooks/" PATH

static const struct bad bads[] = {
	/* who */
	{ "no credentials", AT, .headers = "", .body = DELIVERY, .status = 401 },
	{ "a wrong password", AT, .headers = "Authorization: Basic cG06d3Jvbmc=\r\n",
	    .body = DELIVERY, .status = 401 },
	{ "a wrong user", AT, .headers = "Authorization: Basic cHg6czNjcmV0\r\n", .body = DELIVERY,
	    .status = 401 },
	{ "a user without a password", AT, .headers = "Authorization: Basic cG06\r\n",
	    .body = DELIVERY, .status = 401 },
	{ "no colon", AT, .headers = "Authorization: Basic cG1zM2NyZXQ=\r\n", .body = DELIVERY,
	    .status = 401 },
	{ "credentials not encoded", AT, .headers = "Authorization: Basic pm:s3cret\r\n",
	    .body = DELIVERY, .status = 401 },
	{ "broken base64", AT, .headers = "Authorization: Basic cG06czNjcmV\r\n", .body = DELIVERY,
	    .status = 401 },
	{ "base64 of URLs", AT, .headers = "Authorization: Basic cG06czNjcmV0-_\r\n",
	    .body = DELIVERY, .status = 401 },
	{ "something behind base64", AT, .headers = "Authorization: Basic cG06czNjcmV0 x\r\n",
	    .body = DELIVERY, .status = 401 },
	{ "a NUL behind the password", AT, .headers = "Authorization: Basic cG06czNjcmV0AA==\r\n",
	    .body = DELIVERY, .status = 401 },
	{ "Basic and nothing", AT, .headers = "Authorization: Basic\r\n", .body = DELIVERY,
	    .status = 401 },
	{ "Basic and blanks", AT, .headers = "Authorization: Basic   \r\n", .body = DELIVERY,
	    .status = 401 },
	{ "an empty header", AT, .headers = "Authorization:\r\n", .body = DELIVERY, .status = 401 },
	{ "a bearer", AT, .headers = "Authorization: Bearer cG06czNjcmV0\r\n", .body = DELIVERY,
	    .status = 401 },
	{ "digest", AT, .headers = "Authorization: Digest username=\"pm\"\r\n", .body = DELIVERY,
	    .status = 401 },
	{ "the right ones twice", AT, .headers = BASIC BASIC, .body = DELIVERY, .status = 401 },
	{ "the wrong ones, then the right ones", AT,
	    .headers = "Authorization: Basic eDp5\r\n" BASIC, .body = DELIVERY, .status = 401 },
	{ "for a proxy", AT, .headers = "Proxy-Authorization: Basic cG06czNjcmV0\r\n",
	    .body = DELIVERY, .status = 401 },
	{ "a token of Postmark's", AT, .headers = "X-Postmark-Server-Token: s3cret\r\n",
	    .body = DELIVERY, .status = 401 },
	{ "a wrong path", .method = "POST", .path = "/hooks/x", .headers = BASIC, .body = DELIVERY,
	    .status = 401 },
	{ "no path", .method = "POST", .path = "/", .headers = BASIC, .body = DELIVERY,
	    .status = 401 },
	{ "a letter less", .method = "POST", .path = "/0123456789abcdefghijklmnopqrstu",
	    .headers = BASIC, .body = DELIVERY, .status = 401 },
	{ "a letter more", .method = "POST", .path = "/" PATH "w", .headers = BASIC,
	    .body = DELIVERY, .status = 401 },
	{ "large letters", .method = "POST", .path = "/0123456789ABCDEFGHIJKLMNOPQRSTUV",
	    .headers = BASIC, .body = DELIVERY, .status = 401 },
	{ "the secret in the query", .method = "POST", .path = "/hooks?" PATH, .headers = BASIC,
	    .body = DELIVERY, .status = 401 },
	{ "the secret before the last part", .method = "POST", .path = "/" PATH "/x",
	    .headers = BASIC, .body = DELIVERY, .status = 401 },
	{ "the secret encoded twice", .method = "POST",
	    .path = "/%2530123456789abcdefghijklmnopqrstuv", .headers = BASIC, .body = DELIVERY,
	    .status = 401 },
	{ "the other hook's path, with nothing", .method = "POST", .path = "/" MAILS "/" PATH,
	    .headers = "", .body = DELIVERY, .status = 401 },
	{ "a path out of here", .method = "POST", .path = "/../../etc/passwd", .headers = BASIC,
	    .body = DELIVERY, .status = 401 },
	{ "GET without credentials", .method = "GET", .path = "/hooks/" PATH, .headers = "",
	    .body = "", .status = 401 },
	{ "OPTIONS of a browser", .method = "OPTIONS", .path = "/hooks/" PATH,
	    .headers = "Origin: https://evil.example\r\n", .body = "", .status = 401 },
	{ "the asterisk", RAW("OPTIONS * HTTP/1.1\r\n" HOST "\r\n"), .status = 401 },
	{ "a large body of a stranger is not waited for",
	    RAW("POST /x HTTP/1.1\r\n" HOST "Content-Length: 1000000\r\n\r\n"), .status = 401 },
	{ "nor asked for",
	    RAW("POST /x HTTP/1.1\r\n" HOST
		"Content-Length: 1000000\r\nExpect: 100-continue\r\n\r\n"),
	    .status = 401 },
	{ "nor its chunks",
	    RAW("POST /x HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nzzz\r\n"),
	    .status = 401 },
	/* how */
	{ "GET", .method = "GET", .path = "/hooks/" PATH, .headers = BASIC, .body = "",
	    .status = 405 },
	{ "GET with a body", .method = "GET", .path = "/hooks/" PATH, .headers = BASIC,
	    .body = DELIVERY, .status = 405 },
	{ "HEAD", .method = "HEAD", .path = "/hooks/" PATH, .headers = BASIC, .body = "",
	    .status = 405 },
	{ "PUT", .method = "PUT", .path = "/hooks/" PATH, .headers = BASIC, .body = DELIVERY,
	    .status = 405 },
	{ "PATCH", .method = "PATCH", .path = "/hooks/" PATH, .headers = BASIC, .body = DELIVERY,
	    .status = 405 },
	{ "DELETE", .method = "DELETE", .path = "/hooks/" PATH, .headers = BASIC, .body = "",
	    .status = 405 },
	{ "OPTIONS", .method = "OPTIONS", .path = "/hooks/" PATH, .headers = BASIC, .body = "",
	    .status = 405 },
	{ "post in small letters", .method = "post", .path = "/hooks/" PATH, .headers = BASIC,
	    .body = DELIVERY, .status = 501 },
	{ "TRACE", .method = "TRACE", .path = "/hooks/" PATH, .headers = BASIC, .body = "",
	    .status = 501 },
	{ "CONNECT", RAW("CONNECT relay.example:443 HTTP/1.1\r\n" HOST "\r\n"), .status = 501 },
	{ "a method of nobody's", .method = "BREW", .path = "/hooks/" PATH, .headers = BASIC,
	    .body = "", .status = 501 },
	/* the head */
	{ "nonsense", RAW("hello\r\n\r\n"), .status = 400 },
	{ "a greeting of TLS", RAW("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n\n"),
	    .status = 400 },
	{ "SMTP", RAW("EHLO mail.example\r\n\r\n"), .status = 400 },
	{ "HTTP/0.9", RAW("POST /hooks/" PATH "\r\n\r\n"), .status = 400 },
	{ "HTTP/2", RAW("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), .status = 505 },
	{ "HTTP/3", RAW("POST /hooks/" PATH " HTTP/3.0\r\n" HOST "\r\n"), .status = 505 },
	{ "a NUL in the path", RAW("POST /hooks/" PATH "\0 HTTP/1.1\r\n" HOST BASIC "\r\n"),
	    .status = 400 },
	{ "an encoded NUL", RAW("POST /hooks/" PATH "%00 HTTP/1.1\r\n" HOST BASIC "\r\n"),
	    .status = 400 },
	{ "half an escape", RAW("POST /hooks/" PATH "%2 HTTP/1.1\r\n" HOST BASIC "\r\n"),
	    .status = 400 },
	{ "a NUL in a header", RAW(LINE HOST BASIC "X-A: a\0b\r\n" LENGTH "\r\n{}"),
	    .status = 400 },
	{ "a control character in a header", RAW(LINE HOST BASIC "X-A: a\x01\r\n" LENGTH "\r\n{}"),
	    .status = 400 },
	{ "a bare CR in a header", RAW(LINE HOST BASIC "X-A: a\rb\r\n" LENGTH "\r\n{}"),
	    .status = 400 },
	{ "a folded header", RAW(LINE HOST BASIC "X-A: a\r\n b\r\n" LENGTH "\r\n{}"),
	    .status = 400 },
	{ "a header without a name", RAW(LINE HOST BASIC ": a\r\n" LENGTH "\r\n{}"),
	    .status = 400 },
	{ "a blank before the colon", RAW(LINE HOST BASIC "X-A : a\r\n" LENGTH "\r\n{}"),
	    .status = 400 },
	{ "a line that is no header", RAW(LINE HOST BASIC "hello\r\n" LENGTH "\r\n{}"),
	    .status = 400 },
	{ "no Host", RAW(LINE BASIC LENGTH "\r\n{}"), .status = 400 },
	{ "two Hosts", RAW(LINE HOST HOST BASIC LENGTH "\r\n{}"), .status = 400 },
	{ "an unknown expectation", RAW(LINE HOST BASIC LENGTH "Expect: magic\r\n\r\n{}"),
	    .status = 417 },
	/* how long */
	{ "two lengths", RAW(LINE HOST BASIC "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}"),
	    .status = 400 },
	{ "the same length twice", RAW(LINE HOST BASIC LENGTH LENGTH "\r\n{}"), .status = 400 },
	{ "length and chunks",
	    RAW(LINE HOST BASIC LENGTH "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
	    .status = 400 },
	{ "chunks in HTTP/1.0",
	    RAW("POST /hooks/" PATH " HTTP/1.0\r\n" HOST BASIC
		"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
	    .status = 400 },
	{ "a negative length", RAW(LINE HOST BASIC "Content-Length: -1\r\n\r\n{}"), .status = 400 },
	{ "a length with a sign", RAW(LINE HOST BASIC "Content-Length: +2\r\n\r\n{}"),
	    .status = 400 },
	{ "a length in hexadecimal", RAW(LINE HOST BASIC "Content-Length: 0x2\r\n\r\n{}"),
	    .status = 400 },
	{ "an empty length", RAW(LINE HOST BASIC "Content-Length:\r\n\r\n{}"), .status = 400 },
	{ "a list of lengths", RAW(LINE HOST BASIC "Content-Length: 2, 2\r\n\r\n{}"),
	    .status = 400 },
	{ "an endless length",
	    RAW(LINE HOST BASIC "Content-Length: 99999999999999999999999\r\n\r\n"), .status = 413 },
	{ "more than an event may have", RAW(LINE HOST BASIC "Content-Length: 65537\r\n\r\n"),
	    .status = 413 },
	{ "the same, asking first",
	    RAW(LINE HOST BASIC "Content-Length: 65537\r\nExpect: 100-continue\r\n\r\n"),
	    .status = 413 },
	{ "the same in chunks", RAW(LINE HOST BASIC "Transfer-Encoding: chunked\r\n\r\n10001\r\n"),
	    .status = 413 },
	{ "more than a mail may have",
	    RAW("POST /" MAILS " HTTP/1.1\r\n" HOST "Content-Length: 1048577\r\n\r\n"),
	    .status = 413 },
	{ "a chunk without a size", RAW(LINE HOST BASIC "Transfer-Encoding: chunked\r\n\r\n\r\n"),
	    .status = 400 },
	{ "a chunk of a negative size",
	    RAW(LINE HOST BASIC "Transfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n"), .status = 400 },
	{ "a chunk longer than its size",
	    RAW(LINE HOST BASIC "Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n"),
	    .status = 400 },
	{ "lines of chunks that end in LF",
	    RAW(LINE HOST BASIC "Transfer-Encoding: chunked\r\n\r\n2\n{}\n0\n\n"), .status = 400 },
	{ "another transfer coding", RAW(LINE HOST BASIC "Transfer-Encoding: gzip\r\n\r\n"),
	    .status = 501 },
	{ "two transfer codings", RAW(LINE HOST BASIC "Transfer-Encoding: gzip, chunked\r\n\r\n"),
	    .status = 501 },
	/* what */
	{ "compressed", AT, .headers = BASIC "Content-Encoding: gzip\r\n", .body = DELIVERY,
	    .status = 415 },
	{ "compressed twice", AT, .headers = BASIC "Content-Encoding: identity, br\r\n",
	    .body = DELIVERY, .status = 415 },
	{ "half an object", AT, .headers = BASIC, .body = "{\"RecordType\":", .status = 400 },
	{ "an array of events", AT, .headers = BASIC, .body = "[" DELIVERY "]", .status = 400 },
	{ "two events", AT, .headers = BASIC, .body = DELIVERY DELIVERY, .status = 400 },
	{ "events line by line", AT, .headers = BASIC, .body = DELIVERY "\n" DELIVERY,
	    .status = 400 },
	{ "a text", AT, .headers = BASIC, .body = "\"hello\"", .status = 400 },
	{ "a number", AT, .headers = BASIC, .body = "7", .status = 400 },
	{ "null", AT, .headers = BASIC, .body = "null", .status = 400 },
	{ "Latin-1", AT, .headers = BASIC, .body = "{\"RecordType\":\"Open\",\"Tag\":\"\xe4\"}",
	    .status = 400 },
	{ "overlong UTF-8", AT, .headers = BASIC,
	    .body = "{\"RecordType\":\"Open\",\"Tag\":\"\xc0\xaf\"}", .status = 400 },
	{ "half a surrogate", AT, .headers = BASIC,
	    .body = "{\"RecordType\":\"Open\",\"Tag\":\"\\udc00\"}", .status = 400 },
	{ "UTF-16", RAW(LINE HOST JSON BASIC LENGTH "\r\n{\0"), .status = 400 },
	{ "a NUL behind it", RAW(LINE HOST JSON BASIC "Content-Length: 3\r\n\r\n{}\0"),
	    .status = 400 },
	{ "a name twice", AT, .headers = BASIC,
	    .body = "{\"RecordType\":\"Open\",\"RecordType\":\"Bounce\"}", .status = 400 },
	{ "a comment", AT, .headers = BASIC, .body = "{/*x*/\"RecordType\":\"Open\"}",
	    .status = 400 },
	{ "a comma at the end", AT, .headers = BASIC, .body = "{\"RecordType\":\"Open\",}",
	    .status = 400 },
	{ "NaN", AT, .headers = BASIC, .body = "{\"RecordType\":\"Open\",\"ID\":NaN}",
	    .status = 400 },
	{ "a number without end", AT, .headers = BASIC,
	    .body = "{\"RecordType\":\"Open\",\"ID\":1e999}", .status = 400 },
	{ "nested too deep", AT, .headers = BASIC,
	    .body = "{\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
	    .status = 400 },
	{ "XML", AT, .headers = BASIC, .body = "<event/>", .status = 400 },
	{ "a form of a page",
	    RAW(LINE HOST BASIC "Content-Type: application/x-www-form-urlencoded\r\n"
				"Content-Length: 3\r\n\r\na=b"),
	    .status = 415 },
	{ "a file of a page",
	    RAW(LINE HOST BASIC "Content-Type: multipart/form-data; boundary=x\r\n"
				"Content-Length: 3\r\n\r\n--x"),
	    .status = 415 },
};

#define BAD_COUNT (sizeof(bads) / sizeof(bads[0]))
#define LIMITS    "body-size = 64k\n inbound-size = 1M\n"

static char *
bad_request(const struct bad *bad, size_t *len_r)
{
	char *text;

	if (bad->raw != NULL) {
		*len_r = bad->raw_len;
		return mem_bytes(bad->raw, bad->raw_len);
	}
	text = request_make(bad->method, bad->path, bad->headers, bad->body);
	*len_r = strlen(text);
	return text;
}

/* In one piece, in pieces, and right behind a good one: the answer is the same and nothing is
 * stored. */
static void
what_is_refused(void **state)
{
	static const char good[] = "POST /" PATH " HTTP/1.1\r\n" HOST BASIC LENGTH "\r\n{}";
	struct stage s;

	(void)state;
	_Static_assert(BAD_COUNT >= 80, "a table of many");
	stage_begin(&s, LIMITS);
	for (size_t i = 0; i < BAD_COUNT; i++) {
		for (int how = 0; how < 3; how++) {
			struct client c = client_open(&s);
			size_t len;
			char *request = bad_request(&bads[i], &len);
			int status;

			if (how == 2) {
				client_say(&s, &c, good, sizeof(good) - 1, SIZE_MAX);
				assert_int_equal(client_hear(&s, &c), 200);
				client_forget(&c);
			}
			client_say(&s, &c, request, len, how == 1 ? 61 : SIZE_MAX);
			status = client_hear(&s, &c);
			if (status != bads[i].status)
				fail_msg("%s (%d): %s", bads[i].why, how, c.got.data);
			assert_int_equal(
			    client_has(&c, "WWW-Authenticate: Basic realm=\"webhook\"\r\n"),
			    status == 401);
			assert_int_equal(client_has(&c, "Allow: POST\r\n"), status == 405);
			assert_false(client_has(&c, "100 Continue"));
			free(request);
			client_close(&c);
		}
	}
	for (unsigned i = 0; i < 5; i++)
		turn(&s);
	assert_int_equal(s.events + s.mails, 0);
	assert_int_equal(receiver_waiting(s.receiver), 0);
	assert_int_equal(post(&s, "/hooks/" PATH, BASIC, DELIVERY), 200);
	assert_int_equal(s.events, 1);
	stage_end(&s);
}

/* A wrong path and a wrong password look the same. */
static void
a_guess_tells_nothing(void **state)
{
	struct buf path, password;
	struct stage s;

	(void)state;
	buf_init(&path, 10000);
	buf_init(&password, 10000);
	stage_begin(&s, "");
	assert_int_equal(post_once(&s, "POST", "/nothing/here", BASIC, DELIVERY, &path), 401);
	assert_int_equal(post_once(&s, "POST", "/" PATH, "", DELIVERY, &password), 401);
	assert_string_equal(path.data, password.data);
	assert_null(strstr(path.data, PATH));
	buf_free(&path);
	buf_free(&password);
	stage_end(&s);
}

/* A head that does not end, a body that does not, and chunks. */
static void
who_is_slow_is_cut(void **state)
{
	static const struct {
		const char *why, *bytes;
		int status; /* 0: no answer */
	} cases[] = {
		{ "nothing", "", 0 },
		{ "half a head", LINE HOST, 408 },
		{ "no body", LINE HOST BASIC LENGTH "\r\n", 408 },
		{ "half a body", LINE HOST BASIC LENGTH "\r\n{", 408 },
		{ "half a chunk", LINE HOST BASIC "Transfer-Encoding: chunked\r\n\r\n2\r\n{", 408 },
		{ "no last chunk", LINE HOST BASIC "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
		    408 },
	};
	enum { COUNT = sizeof(cases) / sizeof(cases[0]) };
	struct client clients[COUNT];
	struct stage s;

	(void)state;
	stage_begin(&s, "timeout = 1s\n");
	for (size_t i = 0; i < COUNT; i++) {
		clients[i] = client_open(&s);
		client_say(&s, &clients[i], cases[i].bytes, strlen(cases[i].bytes), SIZE_MAX);
	}
	for (size_t i = 0; i < COUNT; i++) {
		if (cases[i].status != 0 && client_hear(&s, &clients[i]) != cases[i].status)
			fail_msg("%s: %s", cases[i].why, clients[i].got.data);
		client_close(&clients[i]);
	}
	assert_int_equal(s.events, 0);
	stage_end(&s);
}

/* --- what is taken ------------------------------------------------------------------------ */

static void
a_post_is_answered_when_it_is_durable(void **state)
{
	char *request =
	    request_make("POST", "/a/" PATH, BASIC "X-PM-Webhook-Trace-Id: t1\r\n", DELIVERY);
	struct stage s;
	struct client c;

	(void)state;
	stage_begin(&s, "");
	s.silent = true;
	c = client_open(&s);
	client_say(&s, &c, request, strlen(request), 50);
	for (unsigned i = 0; i < MOST_TURNS && s.events == 0; i++)
		turn(&s);
	for (unsigned i = 0; i < 10; i++)
		turn(&s);
	client_read(&c);
	assert_int_equal(c.got.len, 0);
	assert_int_equal(receiver_waiting(s.receiver), 1);
	assert_int_equal(s.event->kind, EVENT_DELIVERY);
	assert_string_equal(s.event->connection, "default");
	assert_string_equal(s.event->stream, "outbound");
	assert_string_equal(s.event->recipient, "ann@reader.example");
	assert_true(ulid_ok(s.event->id));
	/* Answers that are for others, or for nobody. */
	peer_committed(s.core, s.serial + 1, NULL);
	peer_committed(s.core, s.serial, NULL);
	assert_int_equal(client_hear(&s, &c), 200);
	peer_committed(s.core, s.serial, NULL);
	turn(&s);
	assert_int_equal(receiver_waiting(s.receiver), 0);
	client_close(&c);
	stage_end(&s);
	free(request);
}

static void
what_is_good_is_taken(void **state)
{
	static const struct {
		const char *why, *raw;
		unsigned events;
	} cases[] = {
		{ "nothing at all", LINE HOST BASIC "\r\n", 0 },
		{ "an empty body", LINE HOST BASIC "Content-Length: 0\r\n\r\n", 0 },
		{ "a probe", LINE HOST BASIC LENGTH "\r\n{}", 0 },
		{ "a partial probe", LINE HOST BASIC "Content-Length: 15\r\n\r\n{\"MessageID\":7}",
		    0 },
		{ "without a type",
		    LINE HOST BASIC "Content-Length: 21\r\n\r\n{\"RecordType\":\"Open\"}", 1 },
		{ "of another type",
		    LINE HOST BASIC "Content-Type: text/plain\r\nContent-Length: 21\r\n\r\n"
				    "{\"RecordType\":\"Open\"}",
		    1 },
		{ "in chunks",
		    LINE HOST BASIC
		    "Transfer-Encoding: chunked\r\n\r\n"
		    "1\r\n{\r\n14;x=y\r\n\"RecordType\":\"Open\"}\r\n0\r\nX: y\r\n\r\n",
		    1 },
		{ "by HTTP/1.0",
		    "POST /" PATH " HTTP/1.0\r\n" BASIC "Content-Length: 21\r\n\r\n"
		    "{\"RecordType\":\"Open\"}",
		    1 },
		{ "asking first, and not waiting",
		    LINE HOST BASIC "Expect: 100-continue\r\nContent-Length: 21\r\n\r\n"
				    "{\"RecordType\":\"Open\"}",
		    1 },
		{ "with an absolute target",
		    "POST http://relay.example/x/" PATH "?a=b HTTP/1.1\r\n" HOST BASIC
		    "Content-Length: 21\r\n\r\n{\"RecordType\":\"Open\"}",
		    1 },
		{ "identity", LINE HOST BASIC "Content-Encoding: identity\r\n" LENGTH "\r\n{}", 0 },
	};
	struct stage s;

	(void)state;
	stage_begin(&s, "");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (size_t piece = 7; piece != 0; piece = piece == 7 ? SIZE_MAX : 0) {
			struct client c = client_open(&s);
			unsigned before = s.events;

			client_say(&s, &c, cases[i].raw, strlen(cases[i].raw), piece);
			if (client_hear(&s, &c) != 200 || s.events != before + cases[i].events)
				fail_msg("%s: %u, %s", cases[i].why, s.events - before, c.got.data);
			client_close(&c);
		}
	}
	stage_end(&s);
}

/* Asked first, and told to go on before the body is sent. */
static void
a_client_may_ask_first(void **state)
{
	static const char head[] =
	    LINE HOST BASIC "Content-Length: 21\r\nExpect: 100-continue\r\n\r\n";
	struct stage s;
	struct client c;

	(void)state;
	stage_begin(&s, "");
	c = client_open(&s);
	client_say(&s, &c, head, strlen(head), SIZE_MAX);
	for (unsigned i = 0; i < MOST_TURNS && !client_has(&c, "HTTP/1.1 100 Continue\r\n\r\n");
	     i++) {
		turn(&s);
		client_read(&c);
	}
	client_say(&s, &c, "{\"RecordType\":\"Open\"}", 21, SIZE_MAX);
	assert_int_equal(client_hear(&s, &c), 200);
	client_close(&c);
	stage_end(&s);
}

static void
pipelined_posts_are_answered_in_order(void **state)
{
	static const char three[] = LINE HOST BASIC
	    "Content-Length: 21\r\n\r\n{\"RecordType\":\"Open\"}" LINE HOST BASIC LENGTH
	    "\r\n[]" LINE HOST BASIC "Content-Length: 22\r\n\r\n{\"RecordType\":\"Click\"}";
	const char *first, *second, *third;
	struct stage s;
	struct client c;

	(void)state;
	stage_begin(&s, "");
	c = client_open(&s);
	client_say(&s, &c, three, sizeof(three) - 1, 33);
	for (unsigned i = 0; i < MOST_TURNS && s.events < 2; i++)
		turn(&s);
	for (unsigned i = 0; i < 10; i++)
		turn(&s);
	client_read(&c);
	first = strstr(c.got.data, "HTTP/1.1 200 ");
	second = strstr(c.got.data, "HTTP/1.1 400 ");
	third = second != NULL ? strstr(second, "HTTP/1.1 200 ") : NULL;
	assert_true(first != NULL && first < second && third != NULL);
	client_close(&c);
	stage_end(&s);
}

/* --- the core's troubles ------------------------------------------------------------------ */

static void
a_new_core_is_asked_again(void **state)
{
	char *request = request_make("POST", "/" PATH, BASIC, DELIVERY);
	unsigned char mark[EVENT_MARK_BYTES];
	char id[ULID_SIZE];
	struct stage s;
	struct client c;

	(void)state;
	stage_begin(&s, "");
	s.silent = true;
	c = client_open(&s);
	client_say(&s, &c, request, strlen(request), SIZE_MAX);
	for (unsigned i = 0; i < MOST_TURNS && s.events == 0; i++)
		turn(&s);
	memcpy(mark, s.event->mark, sizeof(mark));
	memcpy(id, s.event->id, sizeof(id));
	core_die(&s);
	/* Posts wait for the next one for some seconds. */
	assert_int_equal(receiver_waiting(s.receiver), 1);
	s.silent = false;
	core_start(&s);
	assert_int_equal(client_hear(&s, &c), 200);
	assert_int_equal(s.events, 2);
	assert_memory_equal(s.event->mark, mark, sizeof(mark));
	assert_string_equal(s.event->id, id);
	client_close(&c);
	/* Secrets that were told stay known. */
	assert_int_equal(post(&s, "/" PATH, BASIC, DELIVERY), 200);
	stage_end(&s);
	free(request);
}

static void
without_a_core_there_is_no_room(void **state)
{
	struct buf answer;
	struct stage s;

	(void)state;
	buf_init(&answer, 10000);
	clock_fake(1788700000000, 1000);
	stage_open(&s, "");
	/* Nothing was told yet. */
	assert_int_equal(post_once(&s, "POST", "/" PATH, BASIC, DELIVERY, &answer), 503);
	assert_non_null(strstr(answer.data, "Retry-After: 30\r\n"));
	assert_non_null(strstr(answer.data, "not ready"));
	core_start(&s);
	core_tell(&s, list, 2);
	assert_int_equal(post(&s, "/" PATH, BASIC, DELIVERY), 200);
	core_die(&s);
	clock_fake_advance(5001);
	assert_int_equal(post_once(&s, "POST", "/" PATH, BASIC, DELIVERY, &answer), 503);
	assert_non_null(strstr(answer.data, "Retry-After: 30\r\n"));
	/* Who is a stranger learns nothing of it. */
	assert_int_equal(post(&s, "/" PATH, "", DELIVERY), 401);
	clock_restore();
	stage_end(&s);
	buf_free(&answer);
}

static void
what_the_core_does_not_answer_is_given_up(void **state)
{
	char *request = request_make("POST", "/" PATH, BASIC, DELIVERY);
	struct stage s;
	struct client c;

	(void)state;
	clock_fake(1788700000000, 1000);
	stage_begin(&s, "");
	s.silent = true;
	c = client_open(&s);
	client_say(&s, &c, request, strlen(request), SIZE_MAX);
	for (unsigned i = 0; i < MOST_TURNS && s.events == 0; i++)
		turn(&s);
	clock_fake_advance(61000);
	assert_int_equal(client_hear(&s, &c), 503);
	assert_true(client_has(&c, "Retry-After: 30\r\n"));
	/* Stored after all: Postmark comes again, and the core knows it. */
	peer_committed(s.core, s.serial, NULL);
	turn(&s);
	assert_int_equal(receiver_waiting(s.receiver), 0);
	clock_restore();
	client_close(&c);
	stage_end(&s);
	free(request);
}

static void
what_the_core_refuses_may_come_again(void **state)
{
	struct refusal full, never;
	struct buf answer;
	struct stage s;

	(void)state;
	refusal_set(&full, 452, "4.3.1", "the spool is full");
	refusal_set(&never, 554, "5.6.0", "never");
	buf_init(&answer, 10000);
	stage_begin(&s, "");
	s.says = &full;
	assert_int_equal(post_once(&s, "POST", "/" PATH, BASIC, DELIVERY, &answer), 503);
	assert_non_null(strstr(answer.data, "the spool is full"));
	assert_non_null(strstr(answer.data, "Retry-After: 30\r\n"));
	s.says = &never;
	assert_int_equal(post(&s, "/" PATH, BASIC, DELIVERY), 503);
	s.says = NULL;
	assert_int_equal(post(&s, "/" PATH, BASIC, DELIVERY), 200);
	stage_end(&s);
	buf_free(&answer);
}

static void
a_client_may_leave(void **state)
{
	char *request = request_make("POST", "/" PATH, BASIC, DELIVERY);
	struct stage s;
	struct client c;

	(void)state;
	stage_begin(&s, "");
	s.silent = true;
	c = client_open(&s);
	client_say(&s, &c, request, strlen(request), SIZE_MAX);
	for (unsigned i = 0; i < MOST_TURNS && s.events == 0; i++)
		turn(&s);
	client_close(&c);
	for (unsigned i = 0; i < 10; i++)
		turn(&s);
	assert_int_equal(receiver_waiting(s.receiver), 1);
	peer_committed(s.core, s.serial, NULL);
	for (unsigned i = 0; i < MOST_TURNS && receiver_waiting(s.receiver) > 0; i++)
		turn(&s);
	assert_int_equal(receiver_waiting(s.receiver), 0);
	stage_end(&s);
	free(request);
}

/* What a core that reads nothing was asked stays in the channel, and comes to an end in memory. */
static void
what_was_given_up_counts_as_memory(void **state)
{
	const size_t most = 8U * 1024 * 1024, filler = 200000;
	char *big = mem_new(filler + 1), *body, *request;
	struct stage s;

	(void)state;
	memset(big, 'x', filler);
	body = mem_format("{\"RecordType\":\"Delivery\",\"MessageID\":\"m\",\"Recipient\":"
			  "\"a@b.example\",\"DeliveredAt\":\"2026-09-05T22:01:03Z\",\"X\":\"%s\"}",
	    big);
	request = request_make("POST", "/" PATH, BASIC, body);
	clock_fake(1788700000000, 1000);
	stage_begin(&s, "memory = 8M\n inbound-size = 8M\n body-size = 1M\n");
	peer_rest(s.core, true);
	for (int round = 0; round < 10; round++) {
		struct client c[10];

		for (int i = 0; i < 10; i++) {
			c[i] = client_open(&s);
			client_say(&s, &c[i], request, strlen(request), SIZE_MAX);
		}
		for (int i = 0; i < 20; i++)
			turn(&s);
		clock_fake_advance(61000);
		for (int i = 0; i < 10; i++) {
			assert_int_equal(client_hear(&s, &c[i]), 503);
			client_close(&c[i]);
		}
		assert_int_equal(receiver_waiting(s.receiver), 0);
	}
	assert_true(peer_unsent(s.front) > filler);
	assert_true(peer_unsent(s.front) < most + filler);
	peer_rest(s.core, false);
	for (unsigned i = 0; i < MOST_TURNS && peer_unsent(s.front) > 0; i++)
		turn(&s);
	/* All that was told is known, so that there is room again. */
	assert_int_equal(post(&s, "/" PATH, BASIC, DELIVERY), 200);
	clock_restore();
	stage_end(&s);
	free(request);
	free(body);
	free(big);
}

/* Whoever reads the log to keep strangers out is not to keep out Postmark. */
static void
a_refusal_names_its_own_client(void **state)
{
	FILE *log = tmpfile();
	struct stage s;
	struct client c;
	char text[4000] = "";

	(void)state;
	assert_non_null(log);
	log_setup("test", LOG_LEVEL_INFO, LOG_FORMAT_TEXT, fileno(log));
	stage_begin(&s, "");
	assert_int_equal(
	    post(&s, "/" PATH, BASIC "X-Forwarded-For: 50.31.156.6\r\n", DELIVERY), 200);
	c = client_open(&s);
	client_say(&s, &c, "nonsense\r\n\r\n", 12, SIZE_MAX);
	assert_int_equal(client_hear(&s, &c), 400);
	client_close(&c);
	log_setup("test", LOG_LEVEL_ERROR, LOG_FORMAT_TEXT, STDERR_FILENO);
	rewind(log);
	assert_true(fread(text, 1, sizeof(text) - 1, log) > 0);
	assert_non_null(strstr(text, "client=127.0.0.1:"));
	assert_null(strstr(text, "50.31.156.6"));
	fclose(log);
	stage_end(&s);
}

static void
strangers_keep_nobody_out(void **state)
{
	struct client all[32];
	struct stage s;

	(void)state;
	stage_begin(&s, "connections = 32\n");
	for (int i = 0; i < 32; i++) {
		all[i] = client_open(&s);
		turn(&s);
	}
	assert_int_equal(post(&s, "/" PATH, BASIC, DELIVERY), 200);
	for (int i = 0; i < 32; i++)
		client_close(&all[i]);
	stage_end(&s);
}

/* The least memory is 8 MiB. */
static void
memory_has_a_limit(void **state)
{
	static const char head[] =
	    "POST /" MAILS " HTTP/1.1\r\n" HOST "Content-Length: 5000000\r\n\r\n";
	struct stage s;
	struct client first, second;

	(void)state;
	stage_begin(&s, "memory = 8M\n inbound-size = 8M\n");
	first = client_open(&s);
	client_say(&s, &first, head, strlen(head), SIZE_MAX);
	client_say(&s, &first, "{", 1, SIZE_MAX);
	for (unsigned i = 0; i < 5; i++)
		turn(&s);
	second = client_open(&s);
	client_say(&s, &second, head, strlen(head), SIZE_MAX);
	assert_int_equal(client_hear(&s, &second), 503);
	assert_true(client_has(&second, "Retry-After: 30\r\n"));
	/* What is small has room. */
	assert_int_equal(post(&s, "/" PATH, BASIC, DELIVERY), 200);
	client_close(&first);
	client_close(&second);
	stage_end(&s);
}

/* --- hooks -------------------------------------------------------------------------------- */

static void
secrets_change_without_a_loss(void **state)
{
	struct hook both[] = { list[0], list[0] };
	struct stage s;

	(void)state;
	stage_begin(&s, "");
	both[1].path = (char *)"new3456789abcdefghijklmnopqrstuv";
	both[1].password = (char *)"new";
	both[0].ends_ms = clock_wall_ms() + 60000;
	core_tell(&s, both, 2);
	assert_int_equal(post(&s, "/" PATH, BASIC, DELIVERY), 200);
	assert_int_equal(post(&s, "/new3456789abcdefghijklmnopqrstuv",
			     "Authorization: Basic cG06bmV3\r\n", DELIVERY),
	    200);
	assert_int_equal(post(&s, "/new3456789abcdefghijklmnopqrstuv", BASIC, DELIVERY), 401);
	core_tell(&s, both + 1, 1);
	assert_int_equal(post(&s, "/" PATH, BASIC, DELIVERY), 401);
	stage_end(&s);
}

static void
what_was_made_by_hand_is_known(void **state)
{
	struct stage s;

	(void)state;
	stage_begin(&s, "secret = by-hand-16-letters\n header = X-Relay-Key\n header-value = k1\n"
			" connection = default\n");
	assert_int_equal(post(&s, "/by-hand-16-letters", "X-Relay-Key: k1\r\n", DELIVERY), 200);
	assert_string_equal(s.event->stream, "");
	assert_int_equal(post(&s, "/by-hand-16-letters", "", DELIVERY), 401);
	assert_int_equal(post(&s, "/by-hand-16-letters", "X-Relay-Key: k2\r\n", DELIVERY), 401);
	assert_int_equal(
	    post(&s, "/by-hand-16-letters", "X-Relay-Key: k1\r\nX-Relay-Key: k1\r\n", DELIVERY),
	    401);
	assert_int_equal(post(&s, "/other", "X-Relay-Key: k1\r\n", DELIVERY), 401);
	assert_int_equal(s.events, 1);
	stage_end(&s);
}

static void
networks_are_looked_at(void **state)
{
	struct stage s;

	(void)state;
	stage_begin(&s, "networks = postmark\n proxies = 127.0.0.1\n");
	assert_int_equal(post(&s, "/" PATH, BASIC, DELIVERY), 401);
	assert_int_equal(
	    post(&s, "/" PATH, BASIC "X-Forwarded-For: 50.31.156.6\r\n", DELIVERY), 200);
	assert_int_equal(
	    post(&s, "/" PATH, BASIC "X-Forwarded-For: 50.31.156.6\r\nX-Forwarded-For: 1.2.3.4\r\n",
		DELIVERY),
	    401);
	assert_int_equal(s.events, 1);
	stage_end(&s);
}

static void
a_mail_that_comes_in_is_committed(void **state)
{
	struct stage s;

	(void)state;
	stage_begin(&s, "");
	assert_int_equal(post(&s, "/" MAILS, "", MAIL_POST), 200);
	assert_string_equal(s.inbound_connection, "shop");
	assert_int_equal(s.mails, 1);
	assert_string_equal(s.mail->route, "inbound");
	s.inbound_says = (struct receiver_refusal){ 422, "it goes round in circles" };
	assert_int_equal(post(&s, "/" MAILS, "", MAIL_POST), 422);
	assert_int_equal(s.mails, 1);
	/* Events come by it as well. */
	assert_int_equal(post(&s, "/" MAILS, "", DELIVERY), 200);
	assert_int_equal(s.events, 1);
	assert_string_equal(s.event->stream, "");
	stage_end(&s);
}

static void
it_stops_when_all_is_answered(void **state)
{
	char *request = request_make("POST", "/" PATH, BASIC, DELIVERY);
	struct stage s;
	struct client c, late;

	(void)state;
	stage_begin(&s, "");
	s.silent = true;
	c = client_open(&s);
	client_say(&s, &c, request, strlen(request), SIZE_MAX);
	for (unsigned i = 0; i < MOST_TURNS && s.events == 0; i++)
		turn(&s);
	receiver_stop(s.receiver);
	assert_int_equal(receiver_waiting(s.receiver), 1);
	late.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(late.fd, (struct sockaddr *)&s.address, sizeof(s.address)), -1);
	close(late.fd);
	peer_committed(s.core, s.serial, NULL);
	assert_int_equal(client_hear(&s, &c), 200);
	assert_true(client_has(&c, "Connection: close\r\n"));
	for (unsigned i = 0; i < MOST_TURNS && receiver_waiting(s.receiver) > 0; i++)
		turn(&s);
	client_close(&c);
	stage_end(&s);
	free(request);
}

/* --- TLS ---------------------------------------------------------------------------------- */

/* By a connection that is there already: behind the fence there is none to be had. */
static void
ask_by_tls(struct stage *s, struct client *c)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	char *request = request_make("POST", "/" PATH, BASIC, DELIVERY);
	SSL *ssl = SSL_new(context);
	bool said = false;
	char area[4096];

	SSL_set_fd(ssl, c->fd);
	SSL_set_connect_state(ssl);
	for (unsigned i = 0; i < MOST_TURNS && !client_has(c, "\r\n\r\n{}"); i++) {
		int n = said ? SSL_read(ssl, area, sizeof(area))
			     : SSL_write(ssl, request, (int)strlen(request));

		if (n > 0 && said)
			buf_add(&c->got, area, (size_t)n);
		else if (n > 0)
			said = true;
		else
			turn(s);
	}
	assert_true(client_has(c, "HTTP/1.1 200 OK\r\n"));
	SSL_free(ssl);
	SSL_CTX_free(context);
	client_close(c);
	free(request);
}

/* In the process that a front is: behind its fence, and with nothing but what the core tells. */
static void
serve_behind_the_fence(struct stage *s)
{
	struct privs_fence fence = { false, false };
	char why[256] = "";
	struct client early = client_open(s);

	privs_harden();
	receiver_prepare();
	if (privs_fence_front(privs_iconv_folders(), &fence, why, sizeof(why)) != 0)
		fail_msg("%s", why);
	/* Nothing is served in clear while the certificate is not there. */
	client_say(s, &early, LINE, strlen(LINE), SIZE_MAX);
	for (unsigned i = 0; i < 20; i++)
		turn(s);
	client_read(&early);
	assert_true(!early.ended && early.got.len == 0);
	client_close(&early);
}

static void
it_speaks_tls_behind_the_fence(void **state)
{
	char folder[] = "/tmp/pmrelay-receiver-XXXXXX", *command, *options;
	int status = -1;
	struct stage s;
	struct buf told;
	char why[256];
	pid_t child;

	(void)state;
	if (system("openssl version >/dev/null 2>&1") != 0)
		skip();
	assert_non_null(mkdtemp(folder));
	command = mem_format("cd %s && openssl req -x509 -newkey rsa:2048 -nodes -days 2 "
			     "-subj /CN=localhost -keyout k.pem -out c.pem >/dev/null 2>&1",
	    folder);
	assert_int_equal(system(command), 0);
	free(command);
	options = mem_format("certificate-file = %s/c.pem\n key-file = %s/k.pem\n", folder, folder);
	child = fork();
	if (child == 0) {
		struct client client;

		stage_open(&s, options);
		core_start(&s);
		buf_init(&told, 100000);
		if (hooks_json(s.config, list, 2, clock_wall_ms(), &told, why, sizeof(why)) != 0)
			_exit(2);
		client = client_open(&s);
		serve_behind_the_fence(&s);
		peer_tell_hooks(s.core, told.data, told.len);
		ask_by_tls(&s, &client);
		_exit(s.events == 1 ? 0 : 3);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	command = mem_format("rm -r %s", folder);
	assert_int_equal(system(command), 0);
	free(command);
	free(options);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_refused),
		cmocka_unit_test(a_guess_tells_nothing),
		cmocka_unit_test(who_is_slow_is_cut),
		cmocka_unit_test(a_post_is_answered_when_it_is_durable),
		cmocka_unit_test(what_is_good_is_taken),
		cmocka_unit_test(a_client_may_ask_first),
		cmocka_unit_test(pipelined_posts_are_answered_in_order),
		cmocka_unit_test(a_new_core_is_asked_again),
		cmocka_unit_test(without_a_core_there_is_no_room),
		cmocka_unit_test(what_the_core_does_not_answer_is_given_up),
		cmocka_unit_test(what_the_core_refuses_may_come_again),
		cmocka_unit_test(a_client_may_leave),
		cmocka_unit_test(what_was_given_up_counts_as_memory),
		cmocka_unit_test(a_refusal_names_its_own_client),
		cmocka_unit_test(strangers_keep_nobody_out),
		cmocka_unit_test(memory_has_a_limit),
		cmocka_unit_test(secrets_change_without_a_loss),
		cmocka_unit_test(what_was_made_by_hand_is_known),
		cmocka_unit_test(networks_are_looked_at),
		cmocka_unit_test(a_mail_that_comes_in_is_committed),
		cmocka_unit_test(it_stops_when_all_is_answered),
		cmocka_unit_test(it_speaks_tls_behind_the_fence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
