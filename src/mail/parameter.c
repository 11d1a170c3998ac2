/*
 * Parameters.  GMime's own are not used, because it lets filename beat filename*, which the same
 * clients send as a poor stand-in for it, hands a value back undecoded when its charset is unknown
 * or lies, and loses what follows a missing semicolon or an unquoted space.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "mail/charset.h"
#include "mail/parameter.h"
#include "mail/value.h"

struct parameter {
	const char *name;
	size_t name_len;
	const char *value; /* with its quotes and escapes */
	size_t value_len;
	bool quoted; /* value then is what stands between the quotes */
};

/* The way through a value. */
struct walk {
	const char *p, *end;
	bool unclosed; /* no quote further on closes another */
};

static bool
is_space(char c)
{
	return c == ' ' || c == '\t';
}

/* Past a comment, which may hold others (RFC 5322 3.2.2). */
static const char *
comment_end(const char *p)
{
	unsigned depth = 0;

	for (; *p != '\0'; p++) {
		if (*p == '\\' && p[1] != '\0')
			p++;
		else if (*p == '(')
			depth++;
		else if (*p == ')' && --depth == 0)
			return p + 1;
	}
	return p;
}

static const char *
gap_end(const char *p, const char *also)
{
	for (;;) {
		if (*p == '(')
			p = comment_end(p);
		else if (is_space(*p) || (*p != '\0' && strchr(also, *p) != NULL))
			p++;
		else
			return p;
	}
}

/* A quote within a name that should have been escaped does not end it. */
static bool
ends_quoted(const char *after)
{
	return *after == '\0' || strchr("; \t,(", *after) != NULL;
}

static const char *
quoted_read(struct walk *walk, struct parameter *found, const char *p)
{
	const char *c = walk->unclosed ? walk->end : p + 1;

	found->quoted = true;
	found->value = p + 1;
	for (; *c != '\0'; c++) {
		if (*c == '\\' && (c[1] == '"' || c[1] == '\\'))
			c++;
		else if (*c == '"' && ends_quoted(c + 1))
			break;
	}
	if (*c == '\0') {
		/* Never closed, and what one does not find another need not seek. */
		walk->unclosed = true;
		for (c = p + 1; *c != '\0' && *c != ';';)
			c++;
	}
	found->value_len = (size_t)(c - found->value);
	return *c == '"' ? c + 1 : c;
}

/* Up to the semicolon, because names with spaces come unquoted. */
static const char *
unquoted_read(const struct walk *walk, struct parameter *found, const char *p)
{
	const char *c = p;

	while (*c != '\0' && *c != ';') {
		size_t word = *c == '=' ? mime_word_len(c, (size_t)(walk->end - c)) : 0;

		c += word > 0 ? word : 1;
	}
	found->value = p;
	found->value_len = (size_t)(c - p);
	while (found->value_len > 0 && is_space(p[found->value_len - 1]))
		found->value_len--;
	return c;
}

/* False: there are no more. */
static bool
parameter_next(struct walk *walk, struct parameter *found)
{
	const char *c = walk->p;

	for (;;) {
		*found = (struct parameter){ 0 };
		c = gap_end(c, ";,\"");
		if (*c == '\0')
			return false;
		found->name = c;
		while (*c != '\0' && !is_space(*c) && strchr("=;(\"", *c) == NULL)
			c++;
		found->name_len = (size_t)(c - found->name);
		c = gap_end(c, "");
		if (*c != '=')
			continue; /* a word without a value */
		c = gap_end(c + 1, "");
		walk->p = *c == '"' ? quoted_read(walk, found, c) : unquoted_read(walk, found, c);
		return true;
	}
}

/* Where the parameters begin.  Some senders forget what should stand before them. */
static const char *
parameters_start(const char *value)
{
	const char *p = gap_end(value, "");
	size_t head = strcspn(p, "; \t(=");

	return p[head] == '=' ? p : p + head;
}

char *
parameter_head(const char *value)
{
	const char *p = gap_end(value, "\"");
	char *head;
	size_t n = 0;

	head = mem_array(strlen(p) + 1, 1);
	if (*parameters_start(value) != '\0' && parameters_start(value) == p)
		p = "";
	/* White space around the slash was allowed once (RFC 822 3.1.4). */
	while (*p != '\0' && strchr(";=\"", *p) == NULL) {
		const char *next = gap_end(p, "");

		if (next > p) {
			if (*next != '/' && n > 0 && head[n - 1] != '/')
				break;
			p = next;
			continue;
		}
		head[n++] = *p++;
	}
	head[n] = '\0';
	text_lower(head);
	return head;
}

/* --- values --------------------------------------------------------------- */

/* Without escapes.  A backslash before anything else is one, as in the path that some senders
 * put there. */
static void
add_value(struct buf *out, const struct parameter *p, bool token)
{
	for (size_t i = 0; i < p->value_len; i++) {
		char c = p->value[i];

		if (token && !p->quoted && (is_space(c) || c == '('))
			break;
		if (p->quoted && c == '\\' && i + 1 < p->value_len &&
		    (p->value[i + 1] == '"' || p->value[i + 1] == '\\'))
			c = p->value[++i];
		buf_addc(out, c);
	}
}

static void
add_percent_decoded(struct buf *out, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (c == '%' && len - i > 2 && text_hex_digit(text[i + 1]) >= 0 &&
		    text_hex_digit(text[i + 2]) >= 0) {
			c = (char)(text_hex_digit(text[i + 1]) << 4 | text_hex_digit(text[i + 2]));
			i += 2;
		}
		buf_addc(out, c);
	}
}

/* One of filename, filename*, filename*0 and filename*0*. */
struct segment {
	struct parameter parameter;
	unsigned number;
	bool extended;
};

/* All that is said of one name. */
struct said {
	bool has_plain, has_whole;
	struct parameter plain; /* name= */
	struct parameter whole; /* name*= */
	struct segment *segments;
	size_t segment_count, segment_room;
};

/* "*12*": a number and whether it is extended. */
static bool
segment_read(struct segment *segment, const char *text, size_t len)
{
	size_t i = 1;

	segment->number = 0;
	while (i < len && i <= 5 && text[i] >= '0' && text[i] <= '9')
		segment->number = segment->number * 10 + (unsigned)(text[i++] - '0');
	segment->extended = i + 1 == len && text[i] == '*';
	return i > 1 && (i == len || segment->extended);
}

static void
said_add(struct said *said, const struct parameter *p, size_t base_len)
{
	const char *rest = p->name + base_len;
	size_t rest_len = p->name_len - base_len;
	struct segment segment = { .parameter = *p };

	/* Of repeats the first, as Python's email package and browsers have it. */
	if (rest_len == 0) {
		if (!said->has_plain)
			said->plain = *p;
		said->has_plain = true;
	} else if (rest_len == 1) {
		if (!said->has_whole)
			said->whole = *p;
		said->has_whole = true;
	} else if (segment_read(&segment, rest, rest_len)) {
		if (said->segment_count == said->segment_room) {
			said->segment_room = said->segment_room == 0 ? 8 : said->segment_room * 2;
			said->segments =
			    mem_resize(said->segments, said->segment_room, sizeof(*said->segments));
		}
		said->segments[said->segment_count++] = segment;
	}
}

static void
said_read(struct said *said, const char *value, const char *name)
{
	struct walk walk = { .p = parameters_start(value), .end = value + strlen(value) };
	size_t len = strlen(name);
	struct parameter found;

	while (parameter_next(&walk, &found))
		if (found.name_len >= len && text_same_n(found.name, name, len) &&
		    (found.name_len == len || found.name[len] == '*'))
			said_add(said, &found, len);
}

static int
segment_compare(const void *a, const void *b)
{
	const struct segment *x = a, *y = b;

	if (x->number != y->number)
		return x->number < y->number ? -1 : 1;
	return x->parameter.name < y->parameter.name ? -1 : 1;
}

/* Takes "utf-8'de'" off the front.  Without its two quotes all of it is text. */
static char *
charset_take(const char **text, size_t *len)
{
	const char *quote = memchr(*text, '\'', *len), *second;
	char *charset;

	if (quote == NULL)
		return NULL;
	second = memchr(quote + 1, '\'', *len - (size_t)(quote + 1 - *text));
	if (second == NULL)
		return NULL;
	charset = mem_bytes(*text, (size_t)(quote - *text));
	*len -= (size_t)(second + 1 - *text);
	*text = second + 1;
	return charset;
}

/* How many characters could not be decoded. */
static size_t
whole_decode(const struct parameter *p, struct buf *out)
{
	const char *text = p->value;
	size_t len = p->value_len, replaced;
	char *charset = charset_take(&text, &len);
	struct buf bytes;

	buf_init(&bytes, SIZE_MAX / 4);
	add_percent_decoded(&bytes, text, len);
	replaced = mime_convert(out, charset, bytes.data, bytes.len);
	buf_free(&bytes);
	free(charset);
	return replaced;
}

/* The bytes of neighbouring extended pieces are converted together: a character is often cut. */
static size_t
segments_decode(struct said *said, struct buf *out)
{
	size_t replaced = 0;
	char *charset = NULL;
	bool extended = false;
	struct buf bytes;

	buf_init(&bytes, SIZE_MAX / 4);
	qsort(said->segments, said->segment_count, sizeof(*said->segments), segment_compare);
	for (size_t i = 0; i < said->segment_count; i++) {
		const struct segment *segment = &said->segments[i];
		const char *text = segment->parameter.value;
		size_t len = segment->parameter.value_len;

		if (i > 0 && segment->number == segment[-1].number)
			continue;
		if (!segment->extended) {
			replaced += mime_convert(out, charset, bytes.data, bytes.len);
			buf_clear(&bytes);
			add_value(out, &segment->parameter, false);
			continue;
		}
		if (!extended && segment->number == 0)
			charset = charset_take(&text, &len);
		extended = true;
		add_percent_decoded(&bytes, text, len);
	}
	replaced += mime_convert(out, charset, bytes.data, bytes.len);
	buf_free(&bytes);
	free(charset);
	if (!extended && out->len > 0) {
		/* Encoded words cut into pieces, as some clients send them. */
		char *decoded = mime_decode_value(out->data, out->len);

		buf_clear(out);
		buf_adds(out, decoded);
		free(decoded);
	}
	return replaced;
}

char *
parameter_find(const char *value, const char *name, bool token)
{
	struct said said = { 0 };
	struct buf out, plain;
	char *result = NULL;
	size_t replaced = 1;

	said_read(&said, value, name);
	buf_init(&out, SIZE_MAX / 4);
	if (said.has_whole)
		replaced = whole_decode(&said.whole, &out);
	if (said.segment_count > 0 && (replaced > 0 || out.len == 0)) {
		buf_clear(&out);
		replaced = segments_decode(&said, &out);
	}
	/* RFC 2231 and RFC 6266 4.3: the extended form is the better one, where it can be read. */
	if (said.has_plain && (replaced > 0 || out.len == 0)) {
		buf_init(&plain, SIZE_MAX / 4);
		add_value(&plain, &said.plain, token);
		/* RFC 2047 5 forbids encoded words here, and clients send them. */
		result = mime_decode_value(plain.len > 0 ? plain.data : "", plain.len);
		buf_free(&plain);
	} else if (said.has_whole || said.segment_count > 0) {
		result = mime_clean(out.len > 0 ? out.data : "", out.len);
	}
	buf_free(&out);
	free(said.segments);
	return result;
}
