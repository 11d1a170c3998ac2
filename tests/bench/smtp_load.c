/*
 * smtp_load: mails over many SMTP connections from one thread, and what came of them.
 *
 * Shares no code with what it measures.  The only figure that means something to a sender is the
 * time from the last byte of a mail to the reply that takes responsibility for it, so that is
 * what is kept, one value per mail, without buckets.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define MOST_DEPTH    256
#define MOST_EXPECTED (4 * MOST_DEPTH + 4)
#define RECONNECT_MS  50

/* What the next reply on a connection answers. */
enum expect {
	EXPECT_GREETING,
	EXPECT_EHLO,
	EXPECT_MAIL,
	EXPECT_RCPT,
	EXPECT_DATA,
	EXPECT_END,
	EXPECT_QUIT,
};

struct expected {
	enum expect what;
	long mail;
};

/* Bytes on their way out.  Bodies are shared by all mails, everything else is owned. */
struct segment {
	struct segment *next;
	char *own;
	const char *bytes;
	size_t len;
	long ends_mail; /* its last byte is the end of this mail's data; -1 */
};

struct connection {
	int fd; /* -1: not connected */
	size_t number;
	bool ready; /* EHLO was answered */
	bool quitting;
	bool want_write;
	uint64_t open_again_ns; /* when fd is -1 */
	unsigned mails;         /* started on this connection */
	unsigned under_way;     /* started and not answered */
	struct expected expected[MOST_EXPECTED];
	size_t expected_first, expected_count;
	struct segment *out, **out_end;
	char in[8192];
	size_t in_len;
};

static struct {
	const char *host;
	uint16_t port;
	size_t connections;
	long mails;
	size_t size_bytes;
	unsigned per_connection; /* 0: any number */
	bool pipelining;
	unsigned depth;
	double rate; /* mails a second; 0: as fast as it goes */
	bool retry;
	bool json;
	double timeout_s;
	size_t idle; /* connections to hold instead of sending */
	double hold_s;
	const char *run;
	const char *record_path;
	const char *sender;
} opt = {
	.host = "127.0.0.1",
	.port = 2525,
	.connections = 10,
	.mails = 1000,
	.size_bytes = 10 * 1024,
	.depth = 1,
	.timeout_s = 600,
	.hold_s = 10,
	.run = NULL,
	.sender = "load@bench.example",
};

static struct {
	int epoll;
	struct connection *connections;
	char *tail; /* headers about content, and the body, dot-stuffed, with the final dot */
	size_t tail_len;
	long next_mail;
	long *again; /* mails that must be sent once more */
	long again_count;
	uint64_t *data_sent_ns; /* per mail */
	uint64_t *latencies;
	long accepted, failed, repeated, disconnects, opened;
	size_t ready;
	long replies[1000]; /* by code, other than the hoped for */
	char first_refusal[256];
	FILE *record;
	uint64_t started_ns, last_accept_ns;
} run;

static volatile sig_atomic_t interrupted;

static uint64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void __attribute__((noreturn, format(printf, 1, 2))) die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("smtp_load: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(2);
}

static void *
must_allocate(size_t count, size_t size)
{
	void *p = calloc(count > 0 ? count : 1, size);

	if (p == NULL)
		die("out of memory");
	return p;
}

/* --- what is sent ---------------------------------------------------------------------------- */

struct text {
	char *bytes;
	size_t len, room;
	uint32_t seed;
};

static void
text_add(struct text *t, const char *bytes, size_t len)
{
	if (t->len + len > t->room) {
		t->room = (t->len + len) * 2;
		t->bytes = realloc(t->bytes, t->room);
		if (t->bytes == NULL)
			die("out of memory");
	}
	memcpy(t->bytes + t->len, bytes, len);
	t->len += len;
}

static void
text_put(struct text *t, const char *string)
{
	text_add(t, string, strlen(string));
}

static uint32_t
text_random(struct text *t)
{
	t->seed = t->seed * 1664525u + 1013904223u;
	return t->seed >> 8;
}

/* Prose of about len bytes; quoted-printable where it is not ASCII, as mail programs send it. */
static void
text_prose(struct text *t, size_t len, bool html)
{
	static const char *const words[] = { "the", "order", "invoice", "has", "been", "shipped",
		"to", "your", "address", "on", "Monday", "please", "find", "attached", "and",
		"customer", "number", "Stra=C3=9Fe", "M=C3=BCnchen", "caf=C3=A9", "thank", "you",
		"for", "payment", "of", "42.50", "=E2=82=AC", "we", "remain", "at", "service",
		"\"quoted\"", "delivery", "tracking", "reference" };
	size_t end = t->len + len, line = 0;

	while (t->len < end) {
		const char *word = words[text_random(t) % (sizeof(words) / sizeof(words[0]))];

		if (line == 0 && html)
			text_put(t, "<p style=3D\"margin:0\">");
		text_put(t, word);
		line += strlen(word) + 1;
		if (line > (html ? 44u : 66u)) {
			text_put(t, html ? "</p>\r\n" : "\r\n");
			line = 0;
		} else {
			text_put(t, " ");
		}
	}
	text_put(t, html && line > 0 ? "</p>\r\n" : "\r\n");
}

static void
text_base64(struct text *t, size_t len)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t end = t->len + len;

	while (t->len + 78 <= end) {
		char line[78];

		for (size_t i = 0; i < 76; i++)
			line[i] = digits[text_random(t) & 63];
		line[76] = '\r';
		line[77] = '\n';
		text_add(t, line, sizeof(line));
	}
	text_put(t, "QUJDRA==\r\n");
}

static void
text_alternative(struct text *t, const char *boundary, size_t len)
{
	char line[128];

	snprintf(line, sizeof(line), "--%s\r\n", boundary);
	text_put(t, line);
	text_put(t, "Content-Type: text/plain; charset=utf-8\r\n"
		    "Content-Transfer-Encoding: quoted-printable\r\n\r\n");
	text_prose(t, len * 3 / 10, false);
	text_put(t, "\r\n");
	text_put(t, line);
	text_put(t, "Content-Type: text/html; charset=utf-8\r\n"
		    "Content-Transfer-Encoding: quoted-printable\r\n\r\n<html><body>\r\n");
	text_prose(t, len * 7 / 10, true);
	snprintf(line, sizeof(line), "</body></html>\r\n\r\n--%s--\r\n", boundary);
	text_put(t, line);
}

/*
 * The part of a mail that all mails share.  Small mails are plain text, middling ones text and
 * HTML, large ones carry an attachment besides.
 */
static void
tail_build(size_t size)
{
	struct text t = { .seed = 42 };

	if (size < 4096) {
		text_put(&t, "Content-Type: text/plain; charset=utf-8\r\n"
			     "Content-Transfer-Encoding: quoted-printable\r\n\r\n");
		text_prose(&t, size > 500 ? size - 420 : 80, false);
	} else if (size < 65536) {
		text_put(&t, "Content-Type: multipart/alternative; boundary=\"alt-7c1d\"\r\n\r\n");
		text_alternative(&t, "alt-7c1d", size - 900);
	} else {
		text_put(&t, "Content-Type: multipart/mixed; boundary=\"mix-51fe\"\r\n\r\n"
			     "--mix-51fe\r\n"
			     "Content-Type: multipart/alternative; boundary=\"alt-7c1d\"\r\n\r\n");
		text_alternative(&t, "alt-7c1d", 6000);
		text_put(&t, "\r\n--mix-51fe\r\n"
			     "Content-Type: application/pdf; name=\"invoice.pdf\"\r\n"
			     "Content-Disposition: attachment; filename=\"invoice.pdf\"\r\n"
			     "Content-Transfer-Encoding: base64\r\n\r\n");
		text_base64(&t, size - t.len - 400);
		text_put(&t, "--mix-51fe--\r\n");
	}
	text_put(&t, ".\r\n");
	run.tail = t.bytes;
	run.tail_len = t.len;
}

/* --- connections ----------------------------------------------------------------------------- */

static void
epoll_update(struct connection *c, bool want_write)
{
	struct epoll_event event = { .data.ptr = c };

	if (c->want_write == want_write)
		return;
	c->want_write = want_write;
	event.events = EPOLLIN | (want_write ? (uint32_t)EPOLLOUT : 0u);
	epoll_ctl(run.epoll, EPOLL_CTL_MOD, c->fd, &event);
}

static void
connection_open(struct connection *c)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(opt.port) };
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT, .data.ptr = c };
	int one = 1;

	if (inet_pton(AF_INET, opt.host, &address.sin_addr) != 1)
		die("%s: not an IPv4 address", opt.host);
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		die("socket: %s", strerror(errno));
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	c->ready = c->quitting = false;
	c->want_write = true;
	c->mails = c->under_way = 0;
	c->in_len = 0;
	c->expected_first = 0;
	c->expected_count = 1;
	c->expected[0] = (struct expected){ EXPECT_GREETING, -1 };
	c->out = NULL;
	c->out_end = &c->out;
	if (connect(c->fd, (struct sockaddr *)&address, sizeof(address)) != 0 &&
	    errno != EINPROGRESS) {
		close(c->fd);
		c->fd = -1;
		c->open_again_ns = now_ns() + RECONNECT_MS * 1000000u;
		return;
	}
	if (epoll_ctl(run.epoll, EPOLL_CTL_ADD, c->fd, &event) != 0)
		die("epoll_ctl: %s", strerror(errno));
	run.opened++;
}

static void
mail_lost(long mail, bool for_good)
{
	if (opt.retry && !for_good) {
		run.again[run.again_count++] = mail;
		run.repeated++;
	} else {
		run.failed++;
	}
}

/* Ends a connection; its mails that nobody answered are sent again or count as failed. */
static void
connection_close(struct connection *c, bool expected)
{
	struct segment *segment;
	long last = -1;

	if (c->fd < 0)
		return;
	if (!expected)
		run.disconnects++;
	if (c->ready)
		run.ready--;
	close(c->fd);
	c->fd = -1;
	while ((segment = c->out) != NULL) {
		c->out = segment->next;
		free(segment->own);
		free(segment);
	}
	for (size_t i = 0; i < c->expected_count; i++) {
		long mail = c->expected[(c->expected_first + i) % MOST_EXPECTED].mail;

		if (mail >= 0 && mail != last)
			mail_lost(mail, false);
		last = mail;
	}
	c->expected_count = 0;
	c->under_way = 0;
	c->open_again_ns = expected ? 0 : now_ns() + RECONNECT_MS * 1000000u;
}

static void
connection_expect(struct connection *c, enum expect what, long mail)
{
	c->expected[(c->expected_first + c->expected_count++) % MOST_EXPECTED] =
	    (struct expected){ what, mail };
}

static void
connection_queue(struct connection *c, char *own, const char *bytes, size_t len, long ends_mail)
{
	struct segment *segment = must_allocate(1, sizeof(*segment));

	segment->own = own;
	segment->bytes = bytes;
	segment->len = len;
	segment->ends_mail = ends_mail;
	*c->out_end = segment;
	c->out_end = &segment->next;
}

static void __attribute__((format(printf, 2, 3)))
connection_say(struct connection *c, const char *format, ...)
{
	char *line = NULL;
	va_list args;
	int len;

	va_start(args, format);
	len = vasprintf(&line, format, args);
	va_end(args);
	if (len < 0)
		die("out of memory");
	connection_queue(c, line, line, (size_t)len, -1);
}

static void
connection_write(struct connection *c)
{
	while (c->out != NULL) {
		struct iovec vector[16];
		int count = 0;
		ssize_t written;
		uint64_t now;

		for (struct segment *s = c->out; s != NULL && count < 16; s = s->next) {
			vector[count].iov_base = (void *)(uintptr_t)s->bytes;
			vector[count++].iov_len = s->len;
		}
		written = writev(c->fd, vector, count);
		if (written < 0) {
			if (errno == EINTR)
				continue;
			if (errno == EAGAIN) {
				epoll_update(c, true);
				return;
			}
			connection_close(c, false);
			return;
		}
		now = now_ns();
		while (c->out != NULL && (size_t)written >= c->out->len) {
			struct segment *done = c->out;

			written -= (ssize_t)done->len;
			if (done->ends_mail >= 0)
				run.data_sent_ns[done->ends_mail] = now;
			c->out = done->next;
			free(done->own);
			free(done);
		}
		if (c->out == NULL) {
			c->out_end = &c->out;
		} else {
			c->out->bytes += written;
			c->out->len -= (size_t)written;
		}
	}
	epoll_update(c, false);
}

static void
mail_content(struct connection *c, long mail)
{
	char *header = NULL;
	int len;

	len = asprintf(&header,
	    "From: \"Order Service\" <%s>\r\n"
	    "To: \"Reader %ld\" <reader%ld@reader.example>\r\n"
	    "Subject: %s-%ld\r\n"
	    "Date: Mon, 23 Nov 2026 06:29:25 +0000\r\n"
	    "Message-ID: <%s.%ld@bench.example>\r\n"
	    "X-Mailer: order-service 4.2\r\n"
	    "MIME-Version: 1.0\r\n",
	    opt.sender, mail, mail, opt.run, mail, opt.run, mail);
	if (len < 0)
		die("out of memory");
	connection_queue(c, header, header, (size_t)len, -1);
	connection_queue(c, NULL, run.tail, run.tail_len, mail);
	connection_expect(c, EXPECT_END, mail);
}

/* The next mail to send, or -1: none is left, or the rate does not allow it yet. */
static long
mail_take(void)
{
	if (run.again_count > 0)
		return run.again[--run.again_count];
	if (run.next_mail >= opt.mails)
		return -1;
	if (opt.rate > 0 &&
	    (double)run.next_mail >= opt.rate * (double)(now_ns() - run.started_ns) / 1e9 + 1)
		return -1;
	return run.next_mail++;
}

static bool
work_is_left(void)
{
	return run.again_count > 0 || run.next_mail < opt.mails;
}

/* Starts as many mails as this connection may have under way. */
static void
connection_fill(struct connection *c)
{
	if (c->fd < 0 || !c->ready || c->quitting)
		return;
	while (opt.idle == 0 && c->under_way < opt.depth &&
	       (opt.per_connection == 0 || c->mails < opt.per_connection)) {
		long mail = mail_take();

		if (mail < 0)
			break;
		c->mails++;
		c->under_way++;
		if (!opt.pipelining) {
			connection_say(c, "MAIL FROM:<%s>\r\n", opt.sender);
			connection_expect(c, EXPECT_MAIL, mail);
			continue;
		}
		connection_say(c,
		    "MAIL FROM:<%s>\r\nRCPT TO:<reader%ld@reader.example>\r\nDATA\r\n", opt.sender,
		    mail);
		connection_expect(c, EXPECT_MAIL, mail);
		connection_expect(c, EXPECT_RCPT, mail);
		connection_expect(c, EXPECT_DATA, mail);
		if (opt.depth > 1)
			mail_content(c, mail);
	}
	if (c->under_way == 0 && opt.idle == 0 &&
	    (opt.per_connection > 0 && c->mails >= opt.per_connection)) {
		connection_say(c, "QUIT\r\n");
		connection_expect(c, EXPECT_QUIT, -1);
		c->quitting = true;
	}
	if (c->out != NULL && !c->want_write)
		connection_write(c);
}

static void
reply_unexpected(struct connection *c, int code, const char *line, size_t len)
{
	if (code >= 0 && code < 1000)
		run.replies[code]++;
	if (run.first_refusal[0] == '\0')
		snprintf(run.first_refusal, sizeof(run.first_refusal), "%.*s",
		    (int)(len < 200 ? len : 200), line);
	(void)c;
}

/* One complete reply.  false: the connection is gone. */
static bool
connection_reply(struct connection *c, int code, const char *line, size_t len)
{
	static const int hoped[] = { [EXPECT_GREETING] = 220,
		[EXPECT_EHLO] = 250,
		[EXPECT_MAIL] = 250,
		[EXPECT_RCPT] = 250,
		[EXPECT_DATA] = 354,
		[EXPECT_END] = 250,
		[EXPECT_QUIT] = 221 };
	struct expected e;

	if (c->expected_count == 0) { /* a 421 out of turn */
		reply_unexpected(c, code, line, len);
		connection_close(c, false);
		return false;
	}
	e = c->expected[c->expected_first];
	if (code != hoped[e.what]) {
		reply_unexpected(c, code, line, len);
		/* After the end of data the two sides still agree on where they are. */
		if (e.what != EXPECT_END || code == 421) {
			if (e.mail >= 0 && code >= 500) {
				/* Forget it here, so that closing does not send it again. */
				mail_lost(e.mail, true);
				for (size_t i = 0; i < c->expected_count; i++) {
					struct expected *other =
					    &c->expected[(c->expected_first + i) % MOST_EXPECTED];

					if (other->mail == e.mail)
						other->mail = -1;
				}
			}
			connection_close(c, false);
			return false;
		}
	}
	c->expected_first = (c->expected_first + 1) % MOST_EXPECTED;
	c->expected_count--;
	switch (e.what) {
	case EXPECT_GREETING:
		connection_say(c, "EHLO load.bench.example\r\n");
		connection_expect(c, EXPECT_EHLO, -1);
		break;
	case EXPECT_EHLO:
		c->ready = true;
		run.ready++;
		break;
	case EXPECT_MAIL:
		if (!opt.pipelining) {
			connection_say(c, "RCPT TO:<reader%ld@reader.example>\r\n", e.mail);
			connection_expect(c, EXPECT_RCPT, e.mail);
		}
		break;
	case EXPECT_RCPT:
		if (!opt.pipelining) {
			connection_say(c, "DATA\r\n");
			connection_expect(c, EXPECT_DATA, e.mail);
		}
		break;
	case EXPECT_DATA:
		if (opt.depth == 1)
			mail_content(c, e.mail);
		break;
	case EXPECT_END:
		c->under_way--;
		if (code != 250) {
			mail_lost(e.mail, code >= 500);
			break;
		}
		run.last_accept_ns = now_ns();
		run.latencies[run.accepted++] = run.last_accept_ns - run.data_sent_ns[e.mail];
		if (run.record != NULL)
			fprintf(run.record, "%s-%ld\n", opt.run, e.mail);
		break;
	case EXPECT_QUIT:
		connection_close(c, true);
		return false;
	}
	return true;
}

static void
connection_read(struct connection *c)
{
	size_t used = 0;
	ssize_t got;

	got = read(c->fd, c->in + c->in_len, sizeof(c->in) - c->in_len);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		connection_close(c, c->quitting);
		return;
	}
	c->in_len += (size_t)got;
	for (;;) {
		char *line = c->in + used, *end = memchr(line, '\n', c->in_len - used);
		size_t len;
		int code;

		if (end == NULL)
			break;
		len = (size_t)(end - line);
		used += len + 1;
		if (len > 0 && line[len - 1] == '\r')
			len--;
		if (len < 3)
			die("reply of %zu bytes", len);
		if (len > 3 && line[3] == '-')
			continue;
		code = (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
		if (!connection_reply(c, code, line, len))
			return;
	}
	memmove(c->in, c->in + used, c->in_len - used);
	c->in_len -= used;
	if (c->in_len == sizeof(c->in))
		die("reply line of more than %zu bytes", sizeof(c->in));
	connection_fill(c);
	if (c->fd >= 0 && c->out != NULL && !c->want_write)
		connection_write(c);
}

/* --- the run --------------------------------------------------------------------------------- */

static bool
run_over(void)
{
	if (opt.idle > 0)
		return (double)(now_ns() - run.started_ns) / 1e9 > opt.hold_s;
	return run.accepted + run.failed >= opt.mails;
}

static void
run_loop(void)
{
	size_t count = opt.idle > 0 ? opt.idle : opt.connections, first = 0;
	struct epoll_event events[256];
	bool told = false;

	run.started_ns = now_ns();
	while (!run_over() && !interrupted) {
		uint64_t now = now_ns();
		bool waiting = opt.rate > 0;
		int n;

		if ((double)(now - run.started_ns) / 1e9 > opt.timeout_s && opt.idle == 0)
			break;
		/* Opening is spread over turns so that the listen queue never overflows. */
		for (size_t i = 0, opened = 0; i < count && opened < 64; i++) {
			struct connection *c = &run.connections[(first + i) % count];

			if (c->fd >= 0 || (opt.idle == 0 && !work_is_left()))
				continue;
			waiting = true;
			if (c->open_again_ns <= now) {
				connection_open(c);
				opened++;
			}
		}
		n = epoll_wait(run.epoll, events, 256, waiting || opt.idle > 0 ? 5 : 100);
		for (int i = 0; i < n; i++) {
			struct connection *c = events[i].data.ptr;

			if (c->fd >= 0 && (events[i].events & (EPOLLERR | EPOLLHUP)) != 0 &&
			    (events[i].events & EPOLLIN) == 0)
				connection_close(c, c->quitting);
			if (c->fd >= 0 && (events[i].events & EPOLLOUT) != 0)
				connection_write(c);
			if (c->fd >= 0 && (events[i].events & EPOLLIN) != 0)
				connection_read(c);
		}
		/*
		 * Mails that came back, or that the rate lets go now, need an idle connection.
		 * Another one is first each turn, else a low rate would use but one of them.
		 */
		if (opt.idle == 0 && (opt.rate > 0 || run.again_count > 0))
			for (size_t i = 0; i < count; i++)
				connection_fill(&run.connections[(first + i) % count]);
		first = (first + 1) % count;
		if (opt.idle > 0 && !told && run.ready == opt.idle) {
			told = true;
			printf("ready %zu\n", run.ready);
			fflush(stdout);
		}
	}
}

static int
compare_ns(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static double
latency_ms(double share)
{
	long at = (long)(share * (double)run.accepted);

	if (run.accepted == 0)
		return 0;
	if (at >= run.accepted)
		at = run.accepted - 1;
	return (double)run.latencies[at] / 1e6;
}

static void
report(void)
{
	double seconds, sum = 0, cpu;
	struct rusage usage;
	bool comma = false;
	size_t bucket_count = 0;

	getrusage(RUSAGE_SELF, &usage);
	cpu = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	      (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
	seconds = run.last_accept_ns > 0 ? (double)(run.last_accept_ns - run.started_ns) / 1e9 : 0;
	qsort(run.latencies, (size_t)run.accepted, sizeof(*run.latencies), compare_ns);
	for (long i = 0; i < run.accepted; i++)
		sum += (double)run.latencies[i] / 1e6;
	if (!opt.json) {
		printf("%ld of %ld accepted in %.2f s: %.0f/s; end of data to 250: p50 %.2f ms, "
		       "p99 %.2f ms, max %.2f ms; %ld failed, %ld sent again, %ld disconnects\n",
		    run.accepted, opt.mails, seconds,
		    seconds > 0 ? (double)run.accepted / seconds : 0, latency_ms(0.5),
		    latency_ms(0.99), latency_ms(1), run.failed, run.repeated, run.disconnects);
		if (run.first_refusal[0] != '\0')
			printf("first refusal: %s\n", run.first_refusal);
		return;
	}
	printf(
	    "{\"mails\":%ld,\"accepted\":%ld,\"failed\":%ld,\"sent_again\":%ld,"
	    "\"disconnects\":%ld,\"connections_opened\":%ld,\"started_ns\":%" PRIu64
	    ",\"seconds\":%.4f,"
	    "\"accepted_per_second\":%.1f,\"mail_bytes\":%zu,\"cpu_seconds\":%.3f,"
	    "\"latency_ms\":{\"mean\":%.3f,\"p50\":%.3f,\"p90\":%.3f,\"p99\":%.3f,\"max\":%.3f},",
	    opt.mails, run.accepted, run.failed, run.repeated, run.disconnects, run.opened,
	    run.started_ns, seconds, seconds > 0 ? (double)run.accepted / seconds : 0,
	    run.tail_len + 270, cpu, run.accepted > 0 ? sum / (double)run.accepted : 0,
	    latency_ms(0.5), latency_ms(0.9), latency_ms(0.99), latency_ms(1));
	/* Each bucket holds what took less than its name in milliseconds and not less than half. */
	printf("\"histogram_ms\":{");
	for (double top = 0.125; bucket_count < (size_t)run.accepted; top *= 2) {
		size_t below = bucket_count;

		while (below < (size_t)run.accepted && (double)run.latencies[below] / 1e6 < top)
			below++;
		if (below > bucket_count) {
			printf("%s\"%g\":%zu", comma ? "," : "", top, below - bucket_count);
			comma = true;
		}
		bucket_count = below;
	}
	printf("},\"refusals\":{");
	comma = false;
	for (int code = 0; code < 1000; code++)
		if (run.replies[code] > 0) {
			printf("%s\"%03d\":%ld", comma ? "," : "", code, run.replies[code]);
			comma = true;
		}
	printf("},\"first_refusal\":\"");
	for (const char *p = run.first_refusal; *p != '\0'; p++)
		putchar(*p == '"' || *p == '\\' || *p < ' ' || *p > '~' ? '?' : *p);
	printf("\"}\n");
}

static size_t
parse_size(const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*end == 'K' || *end == 'k')
		n *= 1024, end++;
	else if (*end == 'M' || *end == 'm')
		n *= 1024 * 1024, end++;
	if (*end != '\0' || n < 500 || n > 1024ul * 1024 * 1024)
		die("%s: not a size", text);
	return n;
}

static void
parse_target(char *text)
{
	char *colon = strrchr(text, ':');

	if (colon == NULL || atoi(colon + 1) <= 0 || atoi(colon + 1) > 65535)
		die("%s: wanted address:port", text);
	*colon = '\0';
	opt.host = text;
	opt.port = (uint16_t)atoi(colon + 1);
}

static void
usage(FILE *out)
{
	fputs("usage: smtp_load [option ...]\n"
	      "  --target ADDRESS:PORT   where to (127.0.0.1:2525)\n"
	      "  --connections N         at once (10)\n"
	      "  --mails N               altogether (1000)\n"
	      "  --size SIZE             of each: 2K, 10K, 100K, 1M (10K)\n"
	      "  --per-connection N      mails before QUIT and a new connection (any number)\n"
	      "  --pipelining            MAIL, RCPT and DATA in one write (RFC 2920)\n"
	      "  --pipelined-depth N     whole mails sent ahead of their replies (1)\n"
	      "  --rate N                mails a second (as fast as it goes)\n"
	      "  --retry                 what got no 250 is sent again, with the same subject\n"
	      "  --record FILE           the subject of each mail that got its 250, one a line\n"
	      "  --run NAME              first part of the subjects\n"
	      "  --from ADDRESS          envelope sender and From\n"
	      "  --timeout SECONDS       give up (600)\n"
	      "  --idle N                hold N connections after EHLO and send nothing\n"
	      "  --hold SECONDS          so long (10)\n"
	      "  --json                  the result for programs\n",
	    out);
}

static void
parse_options(int argc, char **argv)
{
	enum {
		TARGET = 1,
		CONNECTIONS,
		MAILS,
		SIZE,
		PER_CONNECTION,
		PIPELINING,
		DEPTH,
		RATE,
		RETRY,
		RECORD,
		RUN,
		FROM,
		TIMEOUT,
		IDLE,
		HOLD,
		JSON,
		HELP
	};
	static const struct option options[] = {
		{ "target", required_argument, NULL, TARGET },
		{ "connections", required_argument, NULL, CONNECTIONS },
		{ "mails", required_argument, NULL, MAILS },
		{ "size", required_argument, NULL, SIZE },
		{ "per-connection", required_argument, NULL, PER_CONNECTION },
		{ "pipelining", no_argument, NULL, PIPELINING },
		{ "pipelined-depth", required_argument, NULL, DEPTH },
		{ "rate", required_argument, NULL, RATE },
		{ "retry", no_argument, NULL, RETRY },
		{ "record", required_argument, NULL, RECORD },
		{ "run", required_argument, NULL, RUN },
		{ "from", required_argument, NULL, FROM },
		{ "timeout", required_argument, NULL, TIMEOUT },
		{ "idle", required_argument, NULL, IDLE },
		{ "hold", required_argument, NULL, HOLD },
		{ "json", no_argument, NULL, JSON },
		{ "help", no_argument, NULL, HELP },
		{ NULL, 0, NULL, 0 },
	};
	int o;

	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (o) {
		case TARGET:
			parse_target(optarg);
			break;
		case CONNECTIONS:
			opt.connections = strtoul(optarg, NULL, 10);
			break;
		case MAILS:
			opt.mails = strtol(optarg, NULL, 10);
			break;
		case SIZE:
			opt.size_bytes = parse_size(optarg);
			break;
		case PER_CONNECTION:
			opt.per_connection = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case PIPELINING:
			opt.pipelining = true;
			break;
		case DEPTH:
			opt.depth = (unsigned)strtoul(optarg, NULL, 10);
			opt.pipelining = opt.pipelining || opt.depth > 1;
			break;
		case RATE:
			opt.rate = strtod(optarg, NULL);
			break;
		case RETRY:
			opt.retry = true;
			break;
		case RECORD:
			opt.record_path = optarg;
			break;
		case RUN:
			opt.run = optarg;
			break;
		case FROM:
			opt.sender = optarg;
			break;
		case TIMEOUT:
			opt.timeout_s = strtod(optarg, NULL);
			break;
		case IDLE:
			opt.idle = strtoul(optarg, NULL, 10);
			break;
		case HOLD:
			opt.hold_s = strtod(optarg, NULL);
			break;
		case JSON:
			opt.json = true;
			break;
		case HELP:
			usage(stdout);
			exit(0);
		default:
			usage(stderr);
			exit(2);
		}
	}
	if (optind != argc || opt.connections < 1 || opt.mails < 1 || opt.depth < 1 ||
	    opt.depth > MOST_DEPTH) {
		usage(stderr);
		exit(2);
	}
}

static void
interrupt(int number)
{
	(void)number;
	interrupted = 1;
}

int
main(int argc, char **argv)
{
	struct rlimit files;
	char name[32];
	size_t count;

	parse_options(argc, argv);
	if (opt.run == NULL) {
		snprintf(name, sizeof(name), "load-%x", (unsigned)(now_ns() ^ (uint64_t)getpid()));
		opt.run = name;
	}
	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, interrupt);
	signal(SIGTERM, interrupt);
	count = opt.idle > 0 ? opt.idle : opt.connections;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < count + 64) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	tail_build(opt.size_bytes);
	run.epoll = epoll_create1(EPOLL_CLOEXEC);
	run.connections = must_allocate(count, sizeof(*run.connections));
	run.again = must_allocate((size_t)opt.mails, sizeof(*run.again));
	run.data_sent_ns = must_allocate((size_t)opt.mails, sizeof(*run.data_sent_ns));
	run.latencies = must_allocate((size_t)opt.mails, sizeof(*run.latencies));
	if (opt.record_path != NULL && (run.record = fopen(opt.record_path, "w")) == NULL)
		die("%s: %s", opt.record_path, strerror(errno));
	for (size_t i = 0; i < count; i++) {
		run.connections[i].fd = -1;
		run.connections[i].number = i;
	}
	run_loop();
	if (run.record != NULL && fclose(run.record) != 0)
		die("%s: %s", opt.record_path, strerror(errno));
	if (opt.idle > 0)
		return run.ready == opt.idle ? 0 : 1;
	report();
	return run.accepted == opt.mails ? 0 : 1;
}
