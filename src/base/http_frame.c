#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

#include "base/http_frame.h"

#define MOST_HEADERS    128
#define MOST_CHUNK_LINE 1024U

void
http_frame_init(struct http_frame *f, size_t most_head, size_t most_body)
{
	memset(f, 0, sizeof(*f));
	f->most_head = most_head;
	f->most_body = f->limit = most_body;
	buf_init(&f->head, most_head);
	buf_init(&f->body, most_body);
	buf_init(&f->line, MOST_CHUNK_LINE);
}

void
http_frame_deinit(struct http_frame *f)
{
	free(f->headers);
	buf_free(&f->head);
	buf_free(&f->body);
	buf_free(&f->line);
	f->headers = NULL;
	f->header_count = 0;
}

void
http_frame_next(struct http_frame *f, size_t most_head, size_t most_body)
{
	http_frame_deinit(f);
	http_frame_init(f, most_head, most_body);
}

const char *
http_frame_header_at(const struct http_frame *f, const char *name, size_t nth)
{
	for (size_t i = 0; i < f->header_count; i++) {
		if (text_same(f->headers[i].name, name) && nth-- == 0)
			return f->headers[i].value;
	}
	return NULL;
}

const char *
http_frame_header(const struct http_frame *f, const char *name)
{
	return http_frame_header_at(f, name, 0);
}

static void
refuse(struct http_frame *f, int status, const char *why)
{
	f->state = HTTP_FRAME_REFUSED;
	f->status = status;
	f->why = why;
}

/* --- the head ----------------------------------------------------------------------------- */

/* RFC 9110 5.6.2 */
static bool
is_token(const char *text)
{
	if (*text == '\0')
		return false;
	for (; *text != '\0'; text++) {
		char c = *text;

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			strchr("!#$%&'*+-.^_`|~", c) != NULL))
			return false;
	}
	return true;
}

/*
 * Printable ASCII in which each % is followed by two hexadecimal digits that are not 00: what is
 * behind decodes to text without a NUL, which would cut it short.
 */
static bool
is_encoded(const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text <= ' ' || *text > '~' || *text == '#')
			return false;
		if (*text != '%')
			continue;
		if (text_hex_digit(text[1]) < 0 || text_hex_digit(text[2]) < 0 ||
		    (text[1] == '0' && text[2] == '0'))
			return false;
		text += 2;
	}
	return true;
}

/* origin-form, absolute-form and asterisk-form (RFC 9112 3.2); cut into path and query. */
static int
read_target(struct http_frame *f, char *target)
{
	static char root[] = "/", none[] = "";
	char *query;

	if (!is_encoded(target))
		return -1;
	if (text_starts(target, "http://") || text_starts(target, "https://")) {
		char *host = strchr(target, ':') + 3;
		size_t host_len = strcspn(host, "/?");

		if (host_len == 0)
			return -1;
		target = host + host_len;
	} else if (strcmp(target, "*") != 0 && target[0] != '/') {
		return -1;
	}
	query = strchr(target, '?');
	if (query != NULL)
		*query++ = '\0';
	f->path = target[0] != '\0' ? target : root;
	f->query = query != NULL ? query : none;
	return 0;
}

static bool
is_known_method(const char *method)
{
	static const char *const known[] = { "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE",
		"OPTIONS" };

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		if (strcmp(known[i], method) == 0)
			return true;
	}
	return false;
}

static void
read_request_line(struct http_frame *f, char *line)
{
	char *target = strchr(line, ' ');
	char *version = target != NULL ? strchr(target + 1, ' ') : NULL;

	if (version == NULL) {
		refuse(f, 400, "the request line is no method, target and version");
		return;
	}
	*target++ = '\0';
	*version++ = '\0';
	f->method = line;
	if (!is_token(line) || strncmp(version, "HTTP/", 5) != 0 || version[5] < '0' ||
	    version[5] > '9' || version[6] != '.' || version[7] < '0' || version[7] > '9' ||
	    version[8] != '\0')
		refuse(f, 400, "the request line is no method, target and version");
	else if (version[5] != '1')
		refuse(f, 505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
	else if (!is_known_method(line))
		refuse(f, 501, "no such method");
	else if (read_target(f, target) != 0)
		refuse(f, 400, "the target is no encoded path");
	else
		f->http_1_0 = version[7] == '0';
}

static void
read_header_line(struct http_frame *f, char *line)
{
	char *colon = strchr(line, ':');
	char *value, *end;

	if (f->header_count == MOST_HEADERS) {
		refuse(f, 431, "too many headers");
		return;
	}
	/* A folded line begins with a blank and ends here, too (RFC 9112 5.2). */
	if (colon != NULL)
		*colon = '\0';
	if (colon == NULL || !is_token(line)) {
		refuse(f, 400, "a header line has no name");
		return;
	}
	value = colon + 1;
	value += strspn(value, " \t");
	end = value + strlen(value);
	while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
		*--end = '\0';
	f->headers[f->header_count].name = line;
	f->headers[f->header_count++].value = value;
}

/* A comma-separated list has this word. */
static bool
has_word(const char *list, const char *word)
{
	size_t len = strlen(word);

	while (*list != '\0') {
		size_t item;

		list += strspn(list, ", \t");
		item = strcspn(list, ", \t");
		if (item == len && text_same_n(list, word, len))
			return true;
		list += item;
	}
	return false;
}

static unsigned
count_of(const struct http_frame *f, const char *name)
{
	unsigned count = 0;

	for (size_t i = 0; i < f->header_count; i++)
		count += text_same(f->headers[i].name, name);
	return count;
}

/* How long the body is (RFC 9112 6.3), without the freedom that a receiver has there. */
static void
read_framing(struct http_frame *f)
{
	const char *length = http_frame_header(f, "Content-Length");
	const char *coding = http_frame_header(f, "Transfer-Encoding");

	if (coding != NULL && (length != NULL || f->http_1_0)) {
		refuse(f, 400, "the length of the body is told in two ways");
		return;
	}
	if (coding != NULL) {
		if (count_of(f, "Transfer-Encoding") != 1 || !text_same(coding, "chunked")) {
			refuse(f, 501, "the only transfer coding here is chunked");
			return;
		}
		f->state = HTTP_FRAME_BODY;
		f->part = HTTP_BODY_CHUNK_SIZE;
		return;
	}
	if (length == NULL) {
		f->state = HTTP_FRAME_WHOLE;
		return;
	}
	if (count_of(f, "Content-Length") != 1 || length[0] == '\0' ||
	    length[strspn(length, "0123456789")] != '\0') {
		refuse(f, 400, "Content-Length is no number");
		return;
	}
	if (text_number(length, strlen(length), 0, f->most_body, &f->left) != 0) {
		refuse(f, 413, "the body is too large");
		return;
	}
	f->state = f->left > 0 ? HTTP_FRAME_BODY : HTTP_FRAME_WHOLE;
	f->part = HTTP_BODY_COUNTED;
}

static void
read_meaning(struct http_frame *f)
{
	const char *expect = http_frame_header(f, "Expect");
	unsigned hosts = count_of(f, "Host");

	if (hosts > 1 || (hosts == 0 && !f->http_1_0)) {
		refuse(f, 400, "one Host header is wanted"); /* RFC 9112 3.2 */
		return;
	}
	f->close = f->http_1_0;
	for (size_t i = 0; i < f->header_count; i++) {
		if (text_same(f->headers[i].name, "Connection") &&
		    has_word(f->headers[i].value, "close"))
			f->close = true;
	}
	read_framing(f);
	if (f->state == HTTP_FRAME_REFUSED || expect == NULL || f->http_1_0)
		return;
	if (!text_same(expect, "100-continue"))
		refuse(f, 417, "the only expectation here is 100-continue");
	else
		f->expects = f->state == HTTP_FRAME_BODY;
}

/* The head is there with the empty line behind it; each line ends in LF or CRLF. */
static void
read_head(struct http_frame *f)
{
	char *line = f->head.data, *end = f->head.data + f->head.len;
	bool first = true;

	f->headers = mem_array(MOST_HEADERS, sizeof(*f->headers));
	while (line < end && f->state != HTTP_FRAME_REFUSED) {
		char *stop = memchr(line, '\n', (size_t)(end - line));
		char *next = stop + 1;

		if (stop > line && stop[-1] == '\r')
			stop--;
		*stop = '\0';
		for (char *at = line; at < stop; at++) {
			if (((unsigned char)*at < ' ' && *at != '\t') || *at == 0x7f) {
				refuse(f, 400, "a control character in the head");
				return;
			}
		}
		if (first)
			read_request_line(f, line);
		else if (line < stop)
			read_header_line(f, line);
		first = false;
		line = next;
	}
	if (f->state != HTTP_FRAME_REFUSED)
		read_meaning(f);
}

static size_t
feed_head(struct http_frame *f, const char *bytes, size_t len)
{
	const char *stop = memchr(bytes, '\n', len);
	size_t used = stop != NULL ? (size_t)(stop + 1 - bytes) : len;
	const char *line;
	size_t line_len;

	buf_add(&f->head, bytes, used);
	if (f->head.over) {
		refuse(f, 431, "the head is too large");
		return used;
	}
	if (stop == NULL)
		return used;
	line = f->head.data + f->line_start;
	line_len = f->head.len - f->line_start;
	if (line_len == 1 || (line_len == 2 && line[0] == '\r')) {
		/* Empty lines before a request are let pass (RFC 9112 2.2). */
		if (f->line_start == 0) {
			buf_clear(&f->head);
			f->begun = false;
		} else {
			read_head(f);
		}
		return used;
	}
	f->line_start = f->head.len;
	return used;
}

/* --- the body ----------------------------------------------------------------------------- */

static void
read_chunk_size(struct http_frame *f)
{
	const char *line = f->line.data;
	uint64_t size = 0;
	size_t digits = 0;

	for (; text_hex_digit(line[digits]) >= 0; digits++) {
		if (size > f->limit)
			break;
		size = size * 16 + (uint64_t)text_hex_digit(line[digits]);
	}
	if (size > f->limit - f->body.len) {
		refuse(f, 413, "the body is too large");
		return;
	}
	/* Extensions mean nothing here (RFC 9112 7.1.1). */
	if (digits == 0 || (line[digits] != '\0' && strchr("; \t", line[digits]) == NULL)) {
		refuse(f, 400, "a chunk has no size");
		return;
	}
	f->left = size;
	f->part = size > 0 ? HTTP_BODY_CHUNK : HTTP_BODY_TRAILER;
}

/* A line of the chunked coding is whole, without its end. */
static void
read_chunk_line(struct http_frame *f)
{
	switch (f->part) {
	case HTTP_BODY_CHUNK_SIZE:
		read_chunk_size(f);
		return;
	case HTTP_BODY_CHUNK_END:
		if (f->line.len > 0)
			refuse(f, 400, "a chunk is longer than its size");
		f->part = HTTP_BODY_CHUNK_SIZE;
		return;
	case HTTP_BODY_TRAILER:
		if (f->line.len == 0)
			f->state = HTTP_FRAME_WHOLE;
		return;
	case HTTP_BODY_COUNTED:
	case HTTP_BODY_CHUNK:
		return;
	}
}

static size_t
feed_chunk_line(struct http_frame *f, const char *bytes, size_t len)
{
	const char *stop = memchr(bytes, '\n', len);
	size_t used = stop != NULL ? (size_t)(stop + 1 - bytes) : len;

	buf_add(&f->line, bytes, used);
	f->trailer_bytes += f->part == HTTP_BODY_TRAILER ? used : 0;
	if (f->line.over || f->trailer_bytes > f->most_head) {
		refuse(
		    f, f->part == HTTP_BODY_TRAILER ? 431 : 400, "a line of a chunk is too long");
		return used;
	}
	if (stop == NULL)
		return used;
	if (f->line.len < 2 || f->line.data[f->line.len - 2] != '\r' ||
	    memchr(f->line.data, '\0', f->line.len) != NULL) {
		refuse(f, 400, "a line of a chunk does not end in CRLF");
		return used;
	}
	f->line.len -= 2;
	f->line.data[f->line.len] = '\0';
	read_chunk_line(f);
	buf_clear(&f->line);
	return used;
}

static size_t
feed_body(struct http_frame *f, const char *bytes, size_t len)
{
	size_t used;

	if (f->part != HTTP_BODY_COUNTED && f->part != HTTP_BODY_CHUNK)
		return feed_chunk_line(f, bytes, len);
	used = len < f->left ? len : (size_t)f->left;
	buf_add(&f->body, bytes, used);
	f->left -= used;
	if (f->left > 0)
		return used;
	if (f->part == HTTP_BODY_CHUNK)
		f->part = HTTP_BODY_CHUNK_END;
	else
		f->state = HTTP_FRAME_WHOLE;
	return used;
}

void
http_frame_limit(struct http_frame *f, size_t most_body)
{
	if (most_body < f->limit)
		f->limit = most_body;
	if (http_frame_announced(f) > f->limit)
		refuse(f, 413, "the body is too large");
}

size_t
http_frame_announced(const struct http_frame *f)
{
	return f->state == HTTP_FRAME_BODY && f->part == HTTP_BODY_COUNTED
		   ? f->body.len + (size_t)f->left
		   : 0;
}

size_t
http_frame_feed(struct http_frame *f, const char *bytes, size_t len)
{
	size_t used = 0;

	while (used < len) {
		f->begun = true;
		if (f->state == HTTP_FRAME_HEAD) {
			used += feed_head(f, bytes + used, len - used);
			if (f->state != HTTP_FRAME_HEAD)
				break;
		} else if (f->state == HTTP_FRAME_BODY) {
			used += feed_body(f, bytes + used, len - used);
		} else {
			break;
		}
	}
	return used;
}
