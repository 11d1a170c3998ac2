/* Markup to plain text. */

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "mail/plain.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define MOST_HREF 1000

struct writing {
	struct buf *out;
	size_t start;      /* of what is written, in out */
	unsigned newlines; /* asked for before the next character */
	bool space;        /* the same */
	char href[MOST_HREF + 1];
	size_t text_at; /* of the open link */
};

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f';
}

static void
gap_settle(struct writing *w)
{
	if (w->out->len == w->start)
		w->newlines = 0;
	else if (w->newlines > 0)
		buf_add(w->out, "\n\n", w->newlines > 2 ? 2 : w->newlines);
	else if (w->space)
		buf_addc(w->out, ' ');
	w->newlines = 0;
	w->space = false;
}

static void
add_text(struct writing *w, const char *text, size_t len)
{
	gap_settle(w);
	buf_add(w->out, text, len);
}

static void
ask_newlines(struct writing *w, unsigned count)
{
	if (w->newlines < count)
		w->newlines = count;
	w->space = false;
}

/* --- HTML ----------------------------------------------------------------- */

struct tag {
	const char *name;
	size_t name_len;
	bool closing;
	const char *attributes;
	const char *end; /* at its '>' or the end of the text */
};

static bool
tag_is(const struct tag *tag, const char *name)
{
	return strlen(name) == tag->name_len && text_same_n(tag->name, name, tag->name_len);
}

/* p is at '<'.  false: that is text. */
static bool
tag_read(struct tag *tag, const char *p, const char *end)
{
	char quote = '\0';

	p++;
	tag->closing = p < end && *p == '/';
	if (tag->closing)
		p++;
	tag->name = p;
	while (p < end &&
	       ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9')))
		p++;
	tag->name_len = (size_t)(p - tag->name);
	tag->attributes = p;
	if (tag->name_len == 0 && !(p < end && (*p == '!' || *p == '?')))
		return false;
	for (; p < end; p++) {
		if (quote != '\0') {
			if (*p == quote)
				quote = '\0';
		} else if (*p == '>') {
			break;
		} else if ((*p == '"' || *p == '\'') && p[-1] == '=') {
			quote = *p;
		}
	}
	tag->end = p;
	return true;
}

/* Where an element ends whose content nobody reads. */
static const char *
element_end(const struct tag *tag, const char *p, const char *end)
{
	while (p < end && (p = memchr(p, '<', (size_t)(end - p))) != NULL) {
		if ((size_t)(end - p) > tag->name_len + 2 && p[1] == '/' &&
		    text_same_n(p + 2, tag->name, tag->name_len)) {
			p = memchr(p, '>', (size_t)(end - p));
			return p == NULL ? end : p;
		}
		p++;
	}
	return end;
}

static void
link_open(struct writing *w, const struct tag *tag)
{
	const char *p = tag->attributes, *end = tag->end;
	size_t len = 0;

	w->href[0] = '\0';
	for (; end - p > 5; p++)
		if (is_space(*p) && text_same_n(p + 1, "href", 4))
			break;
	if (end - p <= 5)
		return;
	for (p += 5; p < end && (is_space(*p) || *p == '=' || *p == '"' || *p == '\'');)
		p++;
	while (p + len < end && len < MOST_HREF && strchr("\"'> \t\r\n", p[len]) == NULL)
		len++;
	if (len < 7 || len == MOST_HREF || !(text_same_n(p, "http", 4)))
		return;
	memcpy(w->href, p, len);
	w->href[len] = '\0';
	w->text_at = w->out->len;
}

static void
link_close(struct writing *w)
{
	const struct buf *out = w->out;
	size_t len = strlen(w->href);

	if (len > 0 && !out->over && out->len > w->text_at &&
	    memmem(out->data + w->text_at, out->len - w->text_at, w->href, len) == NULL) {
		w->space = true;
		add_text(w, "<", 1);
		buf_adds(w->out, w->href);
		buf_addc(w->out, '>');
	}
	w->href[0] = '\0';
}

static void
tag_apply(struct writing *w, const struct tag *tag)
{
	static const char *const paragraphs[] = { "p", "h1", "h2", "h3", "h4", "h5", "h6", "table",
		"ul", "ol", "blockquote", "pre", "hr" };
	static const char *const lines[] = { "br", "div", "tr", "li", "dt", "dd", "section",
		"article", "header", "footer" };

	for (size_t i = 0; i < COUNT(paragraphs); i++)
		if (tag_is(tag, paragraphs[i]))
			ask_newlines(w, 2);
	for (size_t i = 0; i < COUNT(lines); i++)
		if (tag_is(tag, lines[i]))
			ask_newlines(w, tag_is(tag, "br") ? w->newlines + 1 : 1);
	if (tag_is(tag, "td") || tag_is(tag, "th"))
		w->space = true;
	else if (tag_is(tag, "li") && !tag->closing)
		add_text(w, "- ", 2);
	else if (tag_is(tag, "a") && !tag->closing)
		link_open(w, tag);
	else if (tag_is(tag, "a"))
		link_close(w);
}

static void
add_character(struct writing *w, unsigned long c)
{
	char bytes[4];
	size_t n = 0;

	/* Spaces without a break, controls, and what is no character. */
	if (c <= 0x20 || (c >= 0x7F && c <= 0xA0) || (c >= 0xD800 && c < 0xE000) || c > 0x10FFFF) {
		w->space = w->newlines == 0;
		return;
	}
	if (c < 0x80) {
		bytes[n++] = (char)c;
	} else if (c < 0x800) {
		bytes[n++] = (char)(0xC0 | c >> 6);
	} else if (c < 0x10000) {
		bytes[n++] = (char)(0xE0 | c >> 12);
		bytes[n++] = (char)(0x80 | (c >> 6 & 0x3F));
	} else {
		bytes[n++] = (char)(0xF0 | c >> 18);
		bytes[n++] = (char)(0x80 | (c >> 12 & 0x3F));
		bytes[n++] = (char)(0x80 | (c >> 6 & 0x3F));
	}
	if (c >= 0x80)
		bytes[n++] = (char)(0x80 | (c & 0x3F));
	add_text(w, bytes, n);
}

/* Returns the length of what was read, 0: no reference that is known. */
static size_t
reference_add(struct writing *w, const char *p, size_t len)
{
	static const struct {
		const char *name;
		unsigned c;
	} names[] = { { "amp", '&' }, { "lt", '<' }, { "gt", '>' }, { "quot", '"' },
		{ "apos", '\'' }, { "nbsp", ' ' }, { "euro", 0x20AC }, { "copy", 0xA9 },
		{ "reg", 0xAE }, { "ndash", 0x2013 }, { "mdash", 0x2014 }, { "hellip", 0x2026 },
		{ "auml", 0xE4 }, { "ouml", 0xF6 }, { "uuml", 0xFC }, { "Auml", 0xC4 },
		{ "Ouml", 0xD6 }, { "Uuml", 0xDC }, { "szlig", 0xDF }, { "eacute", 0xE9 },
		{ "egrave", 0xE8 }, { "agrave", 0xE0 }, { "ccedil", 0xE7 } };
	const char *semicolon = memchr(p, ';', len < 12 ? len : 12);
	size_t name_len = semicolon == NULL ? 0 : (size_t)(semicolon - p - 1);

	if (name_len >= 2 && p[1] == '#') {
		bool hex = p[2] == 'x' || p[2] == 'X';
		unsigned long c = 0;

		for (const char *d = p + 2 + hex; d < semicolon; d++) {
			unsigned digit = *d >= '0' && *d <= '9' ? (unsigned)(*d - '0')
					 : (*d | 0x20) >= 'a' && (*d | 0x20) <= 'f' && hex
					     ? (unsigned)((*d | 0x20) - 'a' + 10)
					     : 99;
			if (digit == 99)
				return 0;
			c = c * (hex ? 16 : 10) + digit;
		}
		add_character(w, c);
		return name_len + 2;
	}
	for (size_t i = 0; i < COUNT(names) && name_len > 0; i++)
		if (strlen(names[i].name) == name_len &&
		    memcmp(p + 1, names[i].name, name_len) == 0) {
			add_character(w, names[i].c);
			return name_len + 2;
		}
	return 0;
}

static const char *
markup_add(struct writing *w, const char *p, const char *end)
{
	struct tag tag;

	if (end - p >= 4 && memcmp(p, "<!--", 4) == 0) {
		const char *close = memmem(p + 4, (size_t)(end - p - 4), "-->", 3);

		return close == NULL ? end : close + 3;
	}
	if (!tag_read(&tag, p, end)) {
		add_text(w, p, 1);
		return p + 1;
	}
	if (!tag.closing && (tag_is(&tag, "script") || tag_is(&tag, "style") ||
				tag_is(&tag, "head") || tag_is(&tag, "title")))
		tag.end = element_end(&tag, tag.end, end);
	else
		tag_apply(w, &tag);
	return tag.end < end ? tag.end + 1 : end;
}

void
plain_add_html(struct buf *out, const char *html, size_t len)
{
	const char *p = html, *end = html + len;
	struct writing w = { .out = out, .start = out->len };

	while (p < end) {
		const char *run = p;

		if (*p == '<') {
			p = markup_add(&w, p, end);
			continue;
		}
		if (*p == '&') {
			size_t read = reference_add(&w, p, (size_t)(end - p));

			if (read == 0)
				add_text(&w, p, 1);
			p += read == 0 ? 1 : read;
			continue;
		}
		if (is_space(*p)) {
			w.space = w.newlines == 0;
			p++;
			continue;
		}
		while (p < end && !is_space(*p) && *p != '<' && *p != '&')
			p++;
		add_text(&w, run, (size_t)(p - run));
	}
	if (out->len > w.start)
		buf_addc(out, '\n');
}

/* --- text/enriched -------------------------------------------------------- */

static size_t
count_newlines(const char *p, const char *end)
{
	size_t count = 0;

	while (p < end && *p == '\n') {
		p++;
		count++;
	}
	return count;
}

void
plain_add_enriched(struct buf *out, const char *text, size_t len)
{
	const char *p = text, *end = text + len;
	unsigned params = 0, verbatim = 0;

	while (p < end) {
		const char *next = p + 1;
		struct tag tag;

		if (*p == '<' && next < end && *next == '<') {
			next++;
			if (params == 0)
				buf_addc(out, '<');
		} else if (*p == '<' && tag_read(&tag, p, end)) {
			unsigned *depth = tag_is(&tag, "param")    ? &params
					  : tag_is(&tag, "nofill") ? &verbatim
								   : NULL;
			if (depth != NULL && tag.closing)
				*depth -= *depth > 0;
			else if (depth != NULL)
				++*depth;
			if (tag_is(&tag, "nl"))
				buf_addc(out, '\n');
			else if (tag_is(&tag, "lt"))
				buf_addc(out, '<');
			next = tag.end < end ? tag.end + 1 : end;
		} else if (*p == '\n' && verbatim == 0) {
			/* One line end is a space, of several one goes. */
			size_t count = count_newlines(p, end);

			for (size_t i = 1; i < count; i++)
				buf_addc(out, '\n');
			if (count == 1 && p + 1 < end)
				buf_addc(out, ' ');
			next = p + count;
		} else if (params == 0) {
			buf_addc(out, *p);
		}
		p = next;
	}
	if (out->len > 0 && out->data[out->len - 1] != '\n')
		buf_addc(out, '\n');
}
