/*
 * Foreign text made safe for a terminal, and what it is dressed with.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <wchar.h>

#include "base/buf.h"
#include "base/text.h"

#include "console/paint.h"

const char *
paint_begin(const struct paint *p, enum paint_hue hue)
{
	if (!p->colour)
		return "";
	switch (hue) {
	case HUE_NONE:
		return "";
	case HUE_GOOD:
		return "\033[32m";
	case HUE_WAIT:
		return "\033[33m";
	case HUE_BAD:
		return "\033[31m";
	case HUE_DIM:
		return "\033[2m";
	case HUE_BOLD:
		return "\033[1m";
	}
	return "";
}

const char *
paint_end(const struct paint *p, enum paint_hue hue)
{
	return p->colour && hue != HUE_NONE ? "\033[0m" : "";
}

void
paint_add(const struct paint *p, struct buf *out, enum paint_hue hue, const char *text)
{
	buf_adds(out, paint_begin(p, hue));
	buf_adds(out, text);
	buf_adds(out, paint_end(p, hue));
}

enum paint_hue
paint_hue_of(const char *state)
{
	static const struct {
		const char *word;
		enum paint_hue hue;
	} words[] = {
		{ "sent", HUE_GOOD },
		{ "delivered", HUE_GOOD },
		{ "accepted", HUE_NONE },
		{ "goes", HUE_GOOD },
		{ "resumed", HUE_GOOD },
		{ "route-resumed", HUE_GOOD },
		{ "released", HUE_GOOD },
		{ "retried", HUE_GOOD },
		{ "ok", HUE_GOOD },
		{ "active", HUE_GOOD },
		{ "spooled", HUE_NONE },
		{ "sending", HUE_NONE },
		{ "waiting", HUE_WAIT },
		{ "unsure", HUE_WAIT },
		{ "throttled", HUE_WAIT },
		{ "route-paused", HUE_BAD },
		{ "paused", HUE_BAD },
		{ "route-held", HUE_BAD },
		{ "held", HUE_BAD },
		{ "failed", HUE_BAD },
		{ "refused", HUE_BAD },
		{ "broken", HUE_BAD },
		{ "captured", HUE_DIM },
		{ "deleted", HUE_DIM },
		{ "bounced", HUE_BAD },
		{ "bounce", HUE_BAD },
		{ "complaint", HUE_BAD },
		{ "complained", HUE_BAD },
		{ "inactive", HUE_BAD },
		{ "suppressed", HUE_BAD },
		{ "delayed", HUE_WAIT },
		{ "delivery", HUE_GOOD },
		{ "open", HUE_GOOD },
		{ "opened", HUE_GOOD },
		{ "click", HUE_GOOD },
		{ "clicked", HUE_GOOD },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (text_same(state, words[i].word))
			return words[i].hue;
	return HUE_NONE;
}

/* The code point of a sequence that text_utf8_len() has found good. */
static uint32_t
code_point(const char *bytes, size_t len)
{
	const unsigned char *c = (const unsigned char *)bytes;

	switch (len) {
	case 2:
		return (c[0] & 0x1fU) << 6 | (c[1] & 0x3fU);
	case 3:
		return (c[0] & 0x0fU) << 12 | (c[1] & 0x3fU) << 6 | (c[2] & 0x3fU);
	case 4:
		return (c[0] & 0x07U) << 18 | (c[1] & 0x3fU) << 12 | (c[2] & 0x3fU) << 6 |
		       (c[3] & 0x3fU);
	default:
		return c[0];
	}
}

/* Whether a terminal obeys it (C0, DEL, C1) or is fooled by it: line and paragraph ends, marks and
 * embeddings that turn the direction, invisible tags, private use. */
static bool
is_unsafe(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x61c || (c >= 0x200b && c <= 0x200f) ||
	       (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
	       (c >= 0xe000 && c <= 0xf8ff) || (c >= 0xfff0 && c <= 0xfffb) || c >= 0xe0000;
}

/* Columns of one character; characters that this C library does not know count as one. */
static size_t
columns_of(uint32_t c)
{
	int width = c < 0x80 ? 1 : wcwidth((wchar_t)c);

	return width < 0 ? 1 : (size_t)width;
}

/* One character or bad byte of text, as it will be shown.  Returns the bytes it was made of. */
static size_t
next_shown(const char *text, size_t len, char shown[16], size_t *shown_len_r, size_t *columns_r)
{
	size_t n = text_utf8_len(text, len);
	uint32_t c;

	if (n == 0) {
		*shown_len_r = (size_t)snprintf(shown, 16, "\\x%02X", (unsigned char)*text);
		*columns_r = *shown_len_r;
		return 1;
	}
	c = code_point(text, n);
	if (!is_unsafe(c)) {
		memcpy(shown, text, n);
		*shown_len_r = n;
		*columns_r = columns_of(c);
		return n;
	}
	*shown_len_r = (size_t)(c < 0x80 ? snprintf(shown, 16, "\\x%02X", c)
					 : snprintf(shown, 16, "\\u{%04X}", c));
	*columns_r = *shown_len_r;
	return n;
}

size_t
paint_safe(struct buf *out, const char *text, size_t len, size_t most_columns)
{
	size_t used = 0, at = 0;
	/* Where it can be cut so that the dots still fit. */
	size_t cut_bytes = out->len, cut_columns = 0;

	while (at < len) {
		char shown[16];
		size_t shown_len, columns;
		size_t n = next_shown(text + at, len - at, shown, &shown_len, &columns);

		if (most_columns > 0 && used + columns > most_columns) {
			out->len = cut_bytes; /* what follows brings its own NUL */
			buf_adds(out, "…");
			return cut_columns + 1;
		}
		buf_add(out, shown, shown_len);
		used += columns;
		at += n;
		if (used < most_columns) {
			cut_bytes = out->len;
			cut_columns = used;
		}
	}
	return used;
}

void
paint_safe_lines(struct buf *out, const char *text, size_t len, size_t indent)
{
	while (len > 0) {
		const char *end = memchr(text, '\n', len);
		size_t line = end != NULL ? (size_t)(end - text) : len;
		size_t kept = line > 0 && text[line - 1] == '\r' ? line - 1 : line;

		for (size_t at = 0; at < kept;) {
			const char *tab = memchr(text + at, '\t', kept - at);
			size_t run = tab != NULL ? (size_t)(tab - text) - at : kept - at;

			paint_safe(out, text + at, run, 0);
			if (tab != NULL)
				buf_adds(out, "    ");
			at += run + (tab != NULL);
		}
		text += line;
		len -= line;
		if (len == 0)
			return;
		text++;
		len--;
		if (len > 0) {
			buf_addc(out, '\n');
			paint_pad(out, indent);
		}
	}
}

size_t
paint_width(const char *text, size_t len)
{
	size_t columns = 0;

	for (size_t at = 0; at < len;) {
		size_t n = text_utf8_len(text + at, len - at);

		columns += n == 0 ? 1 : columns_of(code_point(text + at, n));
		at += n == 0 ? 1 : n;
	}
	return columns;
}

void
paint_safe_json(struct buf *out, const char *json, size_t len)
{
	for (size_t at = 0; at < len;) {
		size_t n = text_utf8_len(json + at, len - at);
		uint32_t c;

		if (n == 0) { /* no JSON, then */
			buf_addc(out, '?');
			at++;
			continue;
		}
		c = code_point(json + at, n);
		/* Line ends and tabs between the values; within strings they are escaped already.
		 */
		if (!is_unsafe(c) || c == '\n' || c == '\t' || c == '\r')
			buf_add(out, json + at, n);
		else if (c < 0x10000)
			buf_addf(out, "\\u%04x", c);
		else
			buf_addf(out, "\\u%04x\\u%04x", 0xd800 + ((c - 0x10000) >> 10),
			    0xdc00 + ((c - 0x10000) & 0x3ff));
		at += n;
	}
}

void
paint_pad(struct buf *out, size_t columns)
{
	while (columns-- > 0)
		buf_addc(out, ' ');
}

/* --- numbers and times -------------------------------------------------------------------- */

int
paint_parse_time(const char *text, int64_t *wall_ms_r)
{
	struct tm tm = { 0 };
	int used = 0;
	int64_t ms = 0, offset_s = 0;
	const char *at;

	if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
		&tm.tm_hour, &tm.tm_min, &tm.tm_sec, &used) != 6 ||
	    used != 19)
		return -1;
	at = text + used;
	if (*at == '.') {
		int64_t unit = 100;

		for (at++; *at >= '0' && *at <= '9'; at++, unit /= 10)
			ms += (*at - '0') * unit;
	}
	/* Postmark writes offsets, too. */
	if (*at == '+' || *at == '-') {
		int hours, minutes, sign = *at == '-' ? -1 : 1;

		if (sscanf(at + 1, "%2d:%2d%n", &hours, &minutes, &used) != 2 || used != 5)
			return -1;
		offset_s = sign * (hours * 3600 + minutes * 60);
		at += 6;
	} else if (*at == 'Z') {
		at++;
	}
	if (*at != '\0')
		return -1;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	*wall_ms_r = ((int64_t)timegm(&tm) - offset_s) * 1000 + ms;
	return 0;
}

static bool
local_time(struct buf *out, int64_t wall_ms, struct tm *tm)
{
	time_t seconds = (time_t)(wall_ms / 1000);

	if (localtime_r(&seconds, tm) != NULL)
		return true;
	buf_addf(out, "%" PRId64, wall_ms);
	return false;
}

void
paint_add_time(struct buf *out, int64_t wall_ms)
{
	struct tm tm;

	if (local_time(out, wall_ms, &tm))
		buf_addf(out, "%04d-%02d-%02d %02d:%02d:%02d", tm.tm_year + 1900, tm.tm_mon + 1,
		    tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

void
paint_add_clock(struct buf *out, int64_t wall_ms)
{
	struct tm tm;

	if (local_time(out, wall_ms, &tm))
		buf_addf(out, "%02d:%02d:%02d", tm.tm_hour, tm.tm_min, tm.tm_sec);
}

void
paint_add_size(const struct paint *p, struct buf *out, uint64_t bytes)
{
	static const char *const units[] = { "kB", "MB", "GB", "TB", "PB" };
	double value = (double)bytes;
	size_t unit = 0;

	if (!p->terminal || bytes < 1000) {
		buf_addf(out, "%" PRIu64 "%s", bytes, p->terminal ? " B" : "");
		return;
	}
	/* 999.95 would be shown as 1000.0. */
	for (value /= 1000; value >= 999.5 && unit + 1 < sizeof(units) / sizeof(units[0]); unit++)
		value /= 1000;
	buf_addf(out, value < 9.95 ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

void
paint_add_span(struct buf *out, int64_t span_ms)
{
	int64_t s = span_ms / 1000;

	if (span_ms < 0)
		buf_adds(out, "0 s");
	else if (span_ms < 1000)
		buf_addf(out, "%" PRId64 " ms", span_ms);
	else if (s < 10)
		buf_addf(out, "%.1f s", (double)span_ms / 1000);
	else if (s < 100)
		buf_addf(out, "%" PRId64 " s", s);
	else if (s < 3600)
		buf_addf(out, "%" PRId64 " min %" PRId64 " s", s / 60, s % 60);
	else if (s < 86400)
		buf_addf(out, "%" PRId64 " h %" PRId64 " min", s / 3600, s / 60 % 60);
	else
		buf_addf(out, "%" PRId64 " d %" PRId64 " h", s / 86400, s / 3600 % 24);
}
