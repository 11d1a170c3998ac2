/*
 * http_sink: the least that can be mistaken for Postmark's /email and /email/batch, as fast as
 * one thread goes, so that a measurement ends at the relay and not at the far side.  It judges
 * nothing; pmrelay-sandbox does that.
 *
 *	POST /email        one message: an answer object
 *	POST /email/batch  an array: as many answers as it has objects
 *	GET  /stats        what came so far
 *	POST /reset        start counting again
 *	GET  anything else an answer that means "nothing here", in Postmark's words
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
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define HEAD_MOST  16384
#define READ_BYTES (256 * 1024)

enum path {
	PATH_EMAIL,
	PATH_BATCH,
	PATH_STATS,
	PATH_RESET,
	PATH_OTHER,
};

/* Where the count of top-level objects stands inside a body that comes in pieces. */
struct scan {
	unsigned depth;
	bool in_string, escaped;
	unsigned long objects;
};

struct connection {
	int fd;
	bool want_write;
	char head[HEAD_MOST];
	size_t head_len;
	bool in_body;
	enum path path;
	uint64_t body_left;
	struct scan scan;
	char *out;
	size_t out_len, out_room, out_sent;
	uint64_t answer_at_ns; /* 0: nothing held back */
	struct connection
	    *next_delayed; /* in the order of answer_at_ns: the delay is the same for all */
};

static struct {
	int epoll, listener;
	uint64_t delay_ns;
	struct connection *delayed, **delayed_end;
	uint64_t requests, batches, messages, bytes, most_batch;
	uint64_t first_ns, last_ns, ids;
} sink;

static char buffer[READ_BYTES];
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
	fputs("http_sink: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(2);
}

/*
 * Counts objects at depth one of an array, or the one object of /email.  Nearly all bytes of a
 * body are inside strings, where only memchr() looks at them.
 */
static void
scan_add(struct scan *s, const char *bytes, size_t len)
{
	const char *p = bytes, *end = bytes + len;

	while (p < end) {
		if (s->in_string) {
			const char *quote, *back;

			if (s->escaped) {
				s->escaped = false;
				p++;
				continue;
			}
			quote = memchr(p, '"', (size_t)(end - p));
			/* A quote ends the string if an even number of backslashes precedes it. */
			back = quote != NULL ? quote : end;
			while (back > p && back[-1] == '\\')
				back--;
			s->escaped = (((quote != NULL ? quote : end) - back) & 1) != 0;
			if (quote == NULL)
				return;
			if (s->escaped) {
				s->escaped = false;
				p = quote + 1;
				continue;
			}
			s->in_string = false;
			p = quote + 1;
			continue;
		}
		switch (*p++) {
		case '"':
			s->in_string = true;
			break;
		case '{':
			if (s->depth <= 1)
				s->objects++;
			s->depth += 2; /* so that what is inside an object is never at depth one */
			break;
		case '}':
			s->depth = s->depth >= 2 ? s->depth - 2 : 0;
			break;
		case '[':
			s->depth++;
			break;
		case ']':
			s->depth = s->depth >= 1 ? s->depth - 1 : 0;
			break;
		}
	}
}

static void
connection_close(struct connection *c)
{
	if (c->answer_at_ns != 0) {
		struct connection **at = &sink.delayed;

		while (*at != c)
			at = &(*at)->next_delayed;
		*at = c->next_delayed;
		if (sink.delayed_end == &c->next_delayed)
			sink.delayed_end = at;
	}
	close(c->fd);
	free(c->out);
	free(c);
}

/* false: the connection is gone. */
static bool
connection_write(struct connection *c)
{
	struct epoll_event event = { .data.ptr = c };
	bool want_write;

	while (c->out_sent < c->out_len) {
		ssize_t n = write(c->fd, c->out + c->out_sent, c->out_len - c->out_sent);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) {
			connection_close(c);
			return false;
		}
		c->out_sent += (size_t)n;
	}
	want_write = c->out_sent < c->out_len;
	if (!want_write)
		c->out_sent = c->out_len = 0;
	if (want_write != c->want_write) {
		c->want_write = want_write;
		event.events = EPOLLIN | (want_write ? (uint32_t)EPOLLOUT : 0u);
		epoll_ctl(sink.epoll, EPOLL_CTL_MOD, c->fd, &event);
	}
	return true;
}

static void __attribute__((format(printf, 2, 3)))
connection_put(struct connection *c, const char *format, ...)
{
	va_list args;
	int len;

	if (c->out_room - c->out_len < 2048) {
		c->out_room = c->out_room * 2 + 4096;
		c->out = realloc(c->out, c->out_room);
		if (c->out == NULL)
			die("out of memory");
	}
	va_start(args, format);
	len = vsnprintf(c->out + c->out_len, c->out_room - c->out_len, format, args);
	va_end(args);
	c->out_len += (size_t)len;
}

#define ANSWER_FORMAT                                                                              \
	"{\"To\":\"reader@reader.example\",\"SubmittedAt\":\"2026-11-23T06:29:25.0000000Z\","      \
	"\"MessageID\":\"%08" PRIx64 "-0000-4000-8000-%012" PRIx64 "\",\"ErrorCode\":0,"           \
	"\"Message\":\"OK\"}"

/* Each one is as long, because the id has a fixed width. */
static size_t
answer_bytes(void)
{
	static int len;

	if (len == 0)
		len = snprintf(NULL, 0, ANSWER_FORMAT, (uint64_t)0, (uint64_t)0);
	return (size_t)len;
}

static void
answer_one(struct connection *c)
{
	uint64_t id = ++sink.ids;

	connection_put(c, ANSWER_FORMAT, (id * 2654435761u) & 0xffffffffu, id);
}

static void
answer_head(struct connection *c, int status, size_t len)
{
	connection_put(c,
	    "HTTP/1.1 %d %s\r\nContent-Type: application/json; charset=utf-8\r\n"
	    "Content-Length: %zu\r\n\r\n",
	    status, status == 200 ? "OK" : "Unprocessable Entity", len);
}

static void
request_answer(struct connection *c)
{
	static const char nothing[] = "{\"TotalCount\":0,\"Messages\":[],\"Name\":\"sink\"}";
	unsigned long count = c->scan.objects;
	char stats[512];
	int len;

	switch (c->path) {
	case PATH_EMAIL:
	case PATH_BATCH:
		sink.requests++;
		sink.messages += count;
		sink.last_ns = now_ns();
		if (sink.first_ns == 0)
			sink.first_ns = sink.last_ns;
		if (c->path == PATH_EMAIL) {
			answer_head(c, 200, answer_bytes());
			answer_one(c);
			return;
		}
		sink.batches++;
		if (count > sink.most_batch)
			sink.most_batch = count;
		answer_head(c, 200, 2 + count * answer_bytes() + (count > 1 ? count - 1 : 0));
		for (unsigned long i = 0; i < count; i++) {
			connection_put(c, i == 0 ? "[" : ",");
			answer_one(c);
		}
		connection_put(c, count == 0 ? "[]" : "]");
		return;
	case PATH_RESET:
		sink.requests = sink.batches = sink.messages = sink.bytes = sink.most_batch = 0;
		sink.first_ns = sink.last_ns = 0;
		answer_head(c, 200, 2);
		connection_put(c, "{}");
		return;
	case PATH_STATS: {
		struct rusage usage;

		getrusage(RUSAGE_SELF, &usage);
		len = snprintf(stats, sizeof(stats),
		    "{\"requests\":%" PRIu64 ",\"batches\":%" PRIu64 ",\"messages\":%" PRIu64
		    ",\"most_batch\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"first_ns\":%" PRIu64
		    ",\"last_ns\":%" PRIu64 ",\"cpu_ms\":%ld}",
		    sink.requests, sink.batches, sink.messages, sink.most_batch, sink.bytes,
		    sink.first_ns, sink.last_ns,
		    (long)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
			(long)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000);
		answer_head(c, 200, (size_t)len);
		connection_put(c, "%s", stats);
		return;
	}
	case PATH_OTHER:
		answer_head(c, 200, sizeof(nothing) - 1);
		connection_put(c, "%s", nothing);
		return;
	}
}

static bool
request_is_mail(const struct connection *c)
{
	return c->path == PATH_EMAIL || c->path == PATH_BATCH;
}

/* The request is complete.  false: the connection is gone. */
static bool
request_end(struct connection *c)
{
	c->in_body = false;
	if (sink.delay_ns > 0 && request_is_mail(c)) {
		c->answer_at_ns = now_ns() + sink.delay_ns;
		c->next_delayed = NULL;
		*sink.delayed_end = c;
		sink.delayed_end = &c->next_delayed;
		return true;
	}
	request_answer(c);
	return connection_write(c);
}

static const char *
head_find(const char *head, const char *name)
{
	size_t len = strlen(name);

	for (const char *line = strstr(head, "\r\n"); line != NULL; line = strstr(line, "\r\n")) {
		line += 2;
		if (strncasecmp(line, name, len) == 0 && line[len] == ':')
			return line + len + 1 + strspn(line + len + 1, " \t");
	}
	return NULL;
}

/* c->head holds a whole head, NUL-terminated.  false: the connection is gone. */
static bool
request_begin(struct connection *c)
{
	const char *value, *path = strchr(c->head, ' ');

	memset(&c->scan, 0, sizeof(c->scan));
	c->path = PATH_OTHER;
	if (path != NULL) {
		path++;
		if (strncasecmp(path, "/email/batch", 12) == 0)
			c->path = PATH_BATCH;
		else if (strncasecmp(path, "/email", 6) == 0)
			c->path = PATH_EMAIL;
		else if (strncmp(path, "/stats ", 7) == 0)
			c->path = PATH_STATS;
		else if (strncmp(path, "/reset ", 7) == 0)
			c->path = PATH_RESET;
	}
	if (head_find(c->head, "Transfer-Encoding") != NULL) {
		connection_close(c); /* the relay knows the length of what it sends */
		return false;
	}
	value = head_find(c->head, "Content-Length");
	c->body_left = value != NULL ? strtoull(value, NULL, 10) : 0;
	c->in_body = true;
	value = head_find(c->head, "Expect");
	if (value != NULL && strncasecmp(value, "100-continue", 12) == 0) {
		connection_put(c, "HTTP/1.1 100 Continue\r\n\r\n");
		if (!connection_write(c))
			return false;
	}
	return true;
}

static void
connection_read(struct connection *c)
{
	ssize_t got = read(c->fd, buffer, sizeof(buffer));
	const char *p = buffer, *end;

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0 || c->answer_at_ns != 0) { /* nobody pipelines here */
		connection_close(c);
		return;
	}
	end = buffer + got;
	while (p < end || (c->in_body && c->body_left == 0)) {
		if (c->in_body) {
			size_t n = (size_t)(end - p);

			if (n > c->body_left)
				n = (size_t)c->body_left;
			if (request_is_mail(c)) {
				scan_add(&c->scan, p, n);
				sink.bytes += n;
			}
			p += n;
			c->body_left -= n;
			if (c->body_left == 0 && !request_end(c))
				return;
			continue;
		}
		/* Byte by byte, but a head is short. */
		if (c->head_len + 1 >= sizeof(c->head)) {
			connection_close(c);
			return;
		}
		c->head[c->head_len++] = *p++;
		if (c->head_len >= 4 && memcmp(c->head + c->head_len - 4, "\r\n\r\n", 4) == 0) {
			c->head[c->head_len] = '\0';
			c->head_len = 0;
			if (!request_begin(c))
				return;
		}
	}
}

static void
accept_all(void)
{
	int fd, one = 1;

	while ((fd = accept4(sink.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct connection *c = calloc(1, sizeof(*c));
		struct epoll_event event = { .events = EPOLLIN, .data.ptr = c };

		if (c == NULL)
			die("out of memory");
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		c->fd = fd;
		epoll_ctl(sink.epoll, EPOLL_CTL_ADD, fd, &event);
	}
}

/* Answers that have waited long enough go out; milliseconds until the next, -1: none. */
static int
delayed_run(void)
{
	while (sink.delayed != NULL) {
		struct connection *c = sink.delayed;
		uint64_t now = now_ns();

		if (c->answer_at_ns > now)
			return (int)((c->answer_at_ns - now) / 1000000u) + 1;
		sink.delayed = c->next_delayed;
		if (sink.delayed == NULL)
			sink.delayed_end = &sink.delayed;
		c->answer_at_ns = 0;
		request_answer(c);
		connection_write(c);
	}
	return -1;
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
	static const struct option options[] = {
		{ "port", required_argument, NULL, 'p' },
		{ "delay-ms", required_argument, NULL, 'd' },
		{ NULL, 0, NULL, 0 },
	};
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t address_len = sizeof(address);
	struct epoll_event events[128], event = { .events = EPOLLIN };
	struct sigaction action = { .sa_handler = interrupt };
	int o, one = 1;

	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (o == 'p') {
			address.sin_port = htons((uint16_t)atoi(optarg));
		} else if (o == 'd') {
			sink.delay_ns = strtoull(optarg, NULL, 10) * 1000000u;
		} else {
			fputs("usage: http_sink [--port PORT] [--delay-ms N]\n", stderr);
			return 2;
		}
	}
	signal(SIGPIPE, SIG_IGN);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	sink.delayed_end = &sink.delayed;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	sink.epoll = epoll_create1(EPOLL_CLOEXEC);
	sink.listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	setsockopt(sink.listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(sink.listener, (struct sockaddr *)&address, sizeof(address)) != 0 ||
	    listen(sink.listener, 1024) != 0 ||
	    getsockname(sink.listener, (struct sockaddr *)&address, &address_len) != 0)
		die("listen: %s", strerror(errno));
	event.data.ptr = NULL;
	epoll_ctl(sink.epoll, EPOLL_CTL_ADD, sink.listener, &event);
	printf("http_sink listening on http://127.0.0.1:%u\n", ntohs(address.sin_port));
	fflush(stdout);
	while (!interrupted) {
		int n = epoll_wait(sink.epoll, events, 128, delayed_run());

		for (int i = 0; i < n; i++) {
			struct connection *c = events[i].data.ptr;

			if (c == NULL)
				accept_all();
			else if ((events[i].events & EPOLLOUT) != 0 && !connection_write(c))
				continue;
			else if ((events[i].events & ~(uint32_t)EPOLLOUT) != 0)
				connection_read(c);
		}
	}
	return 0;
}
