/* A client of RFC 2033: one connection, one recipient, one mail. */

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/text.h"

#include "deliver/inside.h"

#define MOST_LINE     2000U /* RFC 5321 4.5.3.1.5 says 512 */
#define MOST_LINES    200U  /* of a reply */
#define PIECE         32768U
#define FULL_PAUSE_MS 50
#define DEFAULT_PORT  "24" /* RFC 2033 has none; the one IANA keeps for private mail */

struct wire {
	struct delivery *d;
	int fd;
	char in[MOST_LINE + 2];
	size_t in_len;
	/* The last reply: */
	int code;
	char text[DELIVER_TEXT_SIZE];
	/* Of LHLO: */
	bool has_8bit, has_size;
	uint64_t most_bytes; /* 0: not said */
	bool content_sent;   /* the final dot may have gone out */
};

/* --- connecting --------------------------------------------------------------------------- */

/* False: it is over. */
static bool
pause_for(const struct delivery *d, int most_ms)
{
	struct pollfd fd = { .fd = d->cut_fd, .events = POLLIN };
	int left = delivery_time_left(d);

	return left > 0 && poll(&fd, 1, left < most_ms ? left : most_ms) <= 0;
}

/*
 * unix(7): a socket that does not block is told by EAGAIN that the server has as many connections
 * waiting as it lets wait.  There is nothing to poll() for then; it is tried again.
 */
static int
begin_connect(struct wire *w, const struct sockaddr *address, socklen_t len)
{
	while (connect(w->fd, address, len) != 0) {
		if (errno != EAGAIN)
			return -1;
		if (!pause_for(w->d, FULL_PAUSE_MS)) {
			errno = EAGAIN;
			return -1;
		}
	}
	return 0;
}

static int
finish_connect(struct wire *w, const struct sockaddr *address, socklen_t len)
{
	int failed = 0;
	socklen_t size = sizeof(failed);

	if (begin_connect(w, address, len) == 0)
		return 0;
	if (errno != EINPROGRESS)
		return -1;
	if (!delivery_wait(w->d, w->fd, POLLOUT)) {
		errno = ETIMEDOUT;
		return -1;
	}
	if (getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &failed, &size) != 0)
		return -1;
	errno = failed;
	return failed == 0 ? 0 : -1;
}

static int
open_socket(struct wire *w, int family, const struct sockaddr *address, socklen_t len)
{
	w->fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (w->fd < 0)
		return -1;
	if (finish_connect(w, address, len) == 0)
		return 0;
	len = (socklen_t)errno;
	close(w->fd);
	w->fd = -1;
	errno = (int)len;
	return -1;
}

static int
connect_unix(struct wire *w, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	return open_socket(
	    w, AF_UNIX, (const struct sockaddr *)(const void *)&address, sizeof(address));
}

/* "host:port", "[::1]:port", and both without a port. */
static void
split_endpoint(const char *endpoint, char host[256], char port[16])
{
	const char *colon = strrchr(endpoint, ':'), *end = endpoint + strlen(endpoint);

	if (colon != NULL && strchr(colon, ']') != NULL)
		colon = NULL;
	snprintf(port, 16, "%s", colon != NULL ? colon + 1 : DEFAULT_PORT);
	if (colon != NULL)
		end = colon;
	if (endpoint[0] == '[' && end > endpoint + 1 && end[-1] == ']') {
		endpoint++;
		end--;
	}
	snprintf(host, 256, "%.*s", (int)(end - endpoint), endpoint);
}

static int
connect_host(struct wire *w, const char *endpoint)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
	struct addrinfo *list;
	char host[256], port[16];
	int failed, saved = EHOSTUNREACH;

	split_endpoint(endpoint, host, port);
	failed = getaddrinfo(host, port, &hints, &list);
	if (failed != 0) {
		delivery_end(w->d, DELIVER_LATER, "%s: %s", host, gai_strerror(failed));
		return -1;
	}
	for (const struct addrinfo *at = list; at != NULL && w->fd < 0; at = at->ai_next) {
		if (open_socket(w, at->ai_family, at->ai_addr, at->ai_addrlen) != 0)
			saved = errno;
	}
	freeaddrinfo(list);
	if (w->fd >= 0)
		return 0;
	delivery_end(w->d, DELIVER_LATER, "%s: %s", endpoint, strerror(saved));
	return -1;
}

static int
wire_open(struct wire *w)
{
	const char *where = w->d->target_text;

	if (!w->d->target->is_unix)
		return connect_host(w, where);
	if (connect_unix(w, where) == 0)
		return 0;
	delivery_end(w->d, DELIVER_LATER, "%s: %s", where,
	    errno == EAGAIN ? "the server takes no more connections now" : strerror(errno));
	return -1;
}

/* --- lines -------------------------------------------------------------------------------- */

/* What broke the connection off, as far as it is known.  The dot may have gone out. */
static int
wire_lost(struct wire *w, const char *why)
{
	if (w->content_sent)
		delivery_end(w->d, DELIVER_UNSURE, "no reply to the content: %s", why);
	else
		delivery_end(w->d, DELIVER_LATER, "%s", why);
	return -1;
}

static const char *
wait_words(const struct wire *w)
{
	return delivery_time_left(w->d) == 0 ? "no answer in time" : "cut off";
}

static int
wire_send(struct wire *w, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t sent = send(w->fd, bytes, len, MSG_NOSIGNAL);

		if (sent > 0) {
			bytes += sent;
			len -= (size_t)sent;
		} else if (sent < 0 && errno == EAGAIN) {
			if (!delivery_wait(w->d, w->fd, POLLOUT))
				return wire_lost(w, wait_words(w));
		} else if (sent < 0 && errno != EINTR) {
			return wire_lost(w, strerror(errno));
		}
	}
	return 0;
}

/* One line, without its end, in *line_r until the next call.  0, or -1. */
static int
wire_line(struct wire *w, char line[MOST_LINE + 1], size_t *len_r)
{
	for (;;) {
		char *lf = memchr(w->in, '\n', w->in_len);
		ssize_t got;

		if (lf != NULL) {
			size_t len = (size_t)(lf - w->in);

			*len_r = len > 0 && lf[-1] == '\r' ? len - 1 : len;
			memcpy(line, w->in, *len_r);
			line[*len_r] = '\0';
			w->in_len -= len + 1;
			memmove(w->in, lf + 1, w->in_len);
			return 0;
		}
		if (w->in_len >= MOST_LINE)
			return wire_lost(w, "a line of the server is too long");
		got = recv(w->fd, w->in + w->in_len, MOST_LINE - w->in_len, 0);
		if (got > 0) {
			w->in_len += (size_t)got;
		} else if (got == 0) {
			return wire_lost(w, "the server closed the connection");
		} else if (errno == EAGAIN) {
			if (!delivery_wait(w->d, w->fd, POLLIN))
				return wire_lost(w, wait_words(w));
		} else if (errno != EINTR) {
			return wire_lost(w, strerror(errno));
		}
	}
}

/* RFC 5321 4.2: a code, and "-" when more lines follow. */
static bool
line_is_reply(const char *line, size_t len)
{
	if (len < 3 || line[0] < '2' || line[0] > '5')
		return false;
	for (int i = 1; i < 3; i++) {
		if (line[i] < '0' || line[i] > '9')
			return false;
	}
	return len == 3 || line[3] == ' ' || line[3] == '-';
}

static void
text_add(struct wire *w, const char *line, size_t len)
{
	size_t used = strlen(w->text);

	if (used + 2 >= sizeof(w->text))
		return;
	if (used > 0)
		w->text[used++] = ' ';
	text_safe(w->text + used, sizeof(w->text) - used, line, len);
}

static void
extension_read(struct wire *w, const char *word)
{
	if (text_same(word, "8BITMIME")) {
		w->has_8bit = true;
	} else if (text_same_n(word, "SIZE", 4) && (word[4] == '\0' || word[4] == ' ')) {
		w->has_size = true;
		if (word[4] == ' ' &&
		    text_number(word + 5, strlen(word + 5), 0, UINT64_MAX, &w->most_bytes) != 0)
			w->most_bytes = 0;
	}
}

/* The whole reply.  0, or -1: there was none. */
static int
wire_reply(struct wire *w, bool to_lhlo)
{
	char line[MOST_LINE + 1];
	size_t len;

	w->code = 0;
	w->text[0] = '\0';
	for (unsigned count = 0; count < MOST_LINES; count++) {
		if (wire_line(w, line, &len) != 0)
			return -1;
		if (!line_is_reply(line, len) ||
		    (count > 0 && w->code != atoi((char[4]){ line[0], line[1], line[2], 0 })))
			return wire_lost(w, "the server does not speak LMTP");
		w->code = (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
		text_add(w, count == 0 ? line : line + (len < 4 ? len : 4),
		    count == 0 ? len : len - (len < 4 ? len : 4));
		if (to_lhlo && count > 0 && len > 4)
			extension_read(w, line + 4);
		if (len == 3 || line[3] == ' ')
			return 0;
	}
	return wire_lost(w, "a reply of the server has too many lines");
}

/* --- the transaction ---------------------------------------------------------------------- */

/* A reply that is none of those wanted, and what it means for the mail. */
static int
refused(struct wire *w, bool of_mail)
{
	w->d->code = w->code;
	if (w->code == 421 || !of_mail || w->code < 400)
		delivery_end(w->d, DELIVER_LATER, "%s", w->text);
	else
		delivery_end(
		    w->d, w->code < 500 ? DELIVER_LATER_ALONE : DELIVER_REFUSED, "%s", w->text);
	return -1;
}

static int
wire_command(struct wire *w, int wanted, bool of_mail, const struct buf *command)
{
	if (wire_send(w, command->data, command->len) != 0 || wire_reply(w, false) != 0)
		return -1;
	return w->code / 100 == wanted / 100 && (wanted % 100 == 0 || w->code == wanted)
		   ? 0
		   : refused(w, of_mail);
}

static int
greet(struct wire *w, struct buf *command)
{
	if (wire_reply(w, false) != 0)
		return -1;
	if (w->code != 220)
		return refused(w, false);
	buf_addf(command, "LHLO %s\r\n", w->d->hostname);
	if (wire_send(w, command->data, command->len) != 0 || wire_reply(w, true) != 0)
		return -1;
	return w->code / 100 == 2 ? 0 : refused(w, false);
}

static int
envelope(struct wire *w, struct buf *command)
{
	const struct delivery *d = w->d;

	if (w->most_bytes > 0 && d->content.bytes > w->most_bytes) {
		delivery_end(w->d, DELIVER_REFUSED,
		    "the mail has %llu bytes, and the server takes %llu",
		    (unsigned long long)d->content.bytes, (unsigned long long)w->most_bytes);
		return -1;
	}
	buf_clear(command);
	buf_addf(command, "MAIL FROM:<%s>", d->sender);
	if (w->has_size)
		buf_addf(command, " SIZE=%llu", (unsigned long long)d->content.bytes);
	buf_adds(command, w->has_8bit ? " BODY=8BITMIME\r\n" : "\r\n");
	if (wire_command(w, 200, true, command) != 0)
		return -1;
	buf_clear(command);
	buf_addf(command, "RCPT TO:<%s>\r\n", d->recipient);
	if (wire_command(w, 200, true, command) != 0)
		return -1;
	buf_clear(command);
	buf_adds(command, "DATA\r\n");
	return wire_command(w, 354, true, command);
}

/* Dots at the begin of lines twice (RFC 5321 4.5.2), and the end of the last line. */
static int
content(struct wire *w, struct buf *out)
{
	char piece[PIECE];
	bool begins = true;
	char last = '\n';
	ssize_t got;

	while ((got = content_read(&w->d->content, piece, sizeof(piece))) > 0) {
		buf_clear(out);
		for (ssize_t i = 0; i < got; i++) {
			if (begins && piece[i] == '.')
				buf_addc(out, '.');
			buf_addc(out, piece[i]);
			begins = piece[i] == '\n';
		}
		last = piece[got - 1];
		if (wire_send(w, out->data, out->len) != 0)
			return -1;
	}
	if (got < 0) {
		delivery_end(w->d, DELIVER_LATER_ALONE, DELIVER_UNREADABLE);
		return -1;
	}
	w->content_sent = true;
	buf_clear(out);
	buf_adds(out, last == '\n' ? ".\r\n" : "\r\n.\r\n");
	if (wire_send(w, out->data, out->len) != 0 || wire_reply(w, false) != 0)
		return -1;
	if (w->code / 100 == 3)
		return wire_lost(w, "the server does not speak LMTP");
	return w->code / 100 == 2 ? 0 : refused(w, true);
}

static bool
address_ok(const char *address)
{
	for (; *address != '\0'; address++) {
		if ((unsigned char)*address <= ' ' || *address == 0x7F || *address == '<' ||
		    *address == '>')
			return false;
	}
	return true;
}

void
lmtp_deliver(struct delivery *d)
{
	struct wire w = { .d = d, .fd = -1 };
	struct buf command;

	if (!address_ok(d->sender) || !address_ok(d->recipient)) {
		delivery_end(d, DELIVER_REFUSED, "the sender or the recipient is not an address");
		return;
	}
	if (wire_open(&w) != 0)
		return;
	buf_init(&command, 2 * PIECE + 4096);
	if (greet(&w, &command) == 0 && envelope(&w, &command) == 0 && content(&w, &command) == 0) {
		d->code = w.code;
		delivery_end(d, DELIVER_DONE, "%s", w.text);
		/* A word of courtesy, whose answer is no matter. */
		(void)!send(w.fd, "QUIT\r\n", 6, MSG_NOSIGNAL);
	}
	buf_free(&command);
	close(w.fd);
}
