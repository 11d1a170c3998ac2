/*
 * Header values and encoded words.  GMime's own decoding is not used for them, because it goes by
 * its own conversion of charsets, and stops at the padding of the first of several base64 words.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "mail/charset.h"
#include "mail/value.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Characters that end a line or command a terminal, in UTF-8 of len bytes. */
static bool
is_control(const unsigned char *c, size_t len)
{
	if (len == 1)
		return c[0] < 0x20 || c[0] == 0x7F;
	if (len == 2) /* C1: U+0080 to U+009F */
		return c[0] == 0xC2 && c[1] < 0xA0;
	/* U+2028 and U+2029: line and paragraph separator */
	return len == 3 && c[0] == 0xE2 && c[1] == 0x80 && (c[2] == 0xA8 || c[2] == 0xA9);
}

static bool
is_plain_ascii(const char *text, size_t len)
{
	unsigned char bad = 0;

	for (size_t i = 0; i < len; i++)
		bad |= (unsigned char)((unsigned char)(text[i] - 0x20) > 0x5E);
	return bad == 0;
}

char *
mime_clean(const char *text, size_t len)
{
	while (len > 0 && text[0] == ' ') {
		text++;
		len--;
	}
	while (len > 0 && text[len - 1] == ' ')
		len--;
	if (is_plain_ascii(text, len))
		return mem_bytes(text, len);

	/* A bad byte grows to the three of U+FFFD. */
	char *out = mem_resize(NULL, len + 1, REPLACEMENT_LEN);
	size_t n = 0;

	for (size_t i = 0; i < len;) {
		size_t step = text_utf8_len(text + i, len - i);
		if (step == 0) {
			memcpy(out + n, REPLACEMENT, REPLACEMENT_LEN);
			n += REPLACEMENT_LEN;
			i += charset_bad_utf8(text + i, len - i);
			continue;
		}
		if (is_control((const unsigned char *)text + i, step)) {
			out[n++] = ' ';
		} else {
			memcpy(out + n, text + i, step);
			n += step;
		}
		i += step;
	}
	while (n > 0 && out[n - 1] == ' ')
		n--;
	out[n] = '\0';
	size_t start = strspn(out, " ");
	if (start > 0)
		memmove(out, out + start, n - start + 1);
	return out;
}

/* RFC 5322 2.2.3: a line end before white space goes; any other is a space. */
static void
add_unfolded(struct buf *out, const char *value, size_t len)
{
	char *to = buf_reserve(out, len);
	size_t n = 0;

	if (to == NULL)
		return;
	for (size_t i = 0; i < len; i++) {
		char c = value[i];
		if (c == '\r' || c == '\n') {
			char next = i + 1 < len ? value[i + 1] : ' ';
			if (next == '\n' || next == ' ' || next == '\t')
				continue;
			c = ' ';
		} else if (c == '\0') {
			c = ' ';
		}
		to[n++] = c;
	}
	buf_grown(out, n);
}

struct encoded_word {
	const char *charset;
	size_t charset_len;
	bool base64;
	const char *text;
	size_t text_len;
	size_t len; /* of the whole word */
};

/*
 * RFC 2047 2, taken as clients send it: spaces within are forgiven, the length too, and a
 * language may follow the charset (RFC 2231 5).  text starts with "=?".
 */
static bool
encoded_word_read(struct encoded_word *word, const char *text, size_t len)
{
	const char *end = text + len;
	const char *charset = text + 2, *p = charset;
	unsigned stray = 0;

	while (p < end && *p != '?' && (unsigned char)*p > 0x20 && (unsigned char)*p < 0x7F &&
	       p - charset < 60)
		p++;
	if (end - p < 5 || *p != '?' || p == charset || p[2] != '?')
		return false;
	word->charset = charset;
	const char *language = memchr(charset, '*', (size_t)(p - charset));
	word->charset_len = (size_t)((language != NULL ? language : p) - charset);
	if (p[1] == 'B' || p[1] == 'b')
		word->base64 = true;
	else if (p[1] == 'Q' || p[1] == 'q')
		word->base64 = false;
	else
		return false;
	word->text = p + 3;
	for (p = word->text;; p++) {
		p = memchr(p, '?', (size_t)(end - p));
		if (p == NULL || end - p < 2)
			return false;
		if (p[1] == '=')
			break;
		/* Question marks that should have been encoded.  A few, lest each of many words
		 * that never end is sought to the end of the header. */
		if (word->base64 || stray++ == 8)
			return false;
	}
	word->text_len = (size_t)(p - word->text);
	word->len = (size_t)(p + 2 - text);
	return true;
}

size_t
mime_word_len(const char *text, size_t len)
{
	struct encoded_word word;

	if (len < 2 || text[0] != '=' || text[1] != '?')
		return 0;
	return encoded_word_read(&word, text, len) ? word.len : 0;
}

static void
add_q(struct buf *out, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char c = text[i];
		if (c == '_') {
			c = ' ';
		} else if (c == '=' && len - i > 2 && text_hex_digit(text[i + 1]) >= 0 &&
			   text_hex_digit(text[i + 2]) >= 0) {
			c = (char)(text_hex_digit(text[i + 1]) << 4 | text_hex_digit(text[i + 2]));
			i += 2;
		}
		buf_addc(out, c);
	}
}

/* Foreign characters are skipped (RFC 2045 6.8), and padding ends a piece, not the whole. */
void
mime_add_base64(struct buf *out, const char *text, size_t len)
{
	char *to = buf_reserve(out, len / 4 * 3 + 3);
	size_t n = 0;
	uint32_t bits = 0;
	unsigned have = 0; /* characters in bits */

	if (to == NULL)
		return;
	for (size_t i = 0; i < len; i++) {
		int value = base64_digit(text[i]);
		if (value >= 0) {
			bits = bits << 6 | (unsigned)value;
			if (++have == 4) {
				to[n++] = (char)(bits >> 16);
				to[n++] = (char)(bits >> 8);
				to[n++] = (char)bits;
				have = 0;
			}
			continue;
		}
		if (text[i] != '=' || have == 0)
			continue;
		if (have >= 2)
			to[n++] = (char)(bits >> (have == 2 ? 4 : 10));
		if (have == 3)
			to[n++] = (char)(bits >> 2);
		have = 0;
	}
	if (have >= 2)
		to[n++] = (char)(bits >> (have == 2 ? 4 : 10));
	if (have == 3)
		to[n++] = (char)(bits >> 2);
	buf_grown(out, n);
}

/* The bytes of neighbouring words of one charset, until they are converted together: a character
 * is often cut in two by senders (RFC 2047 5 forbids it). */
struct pending {
	struct buf bytes;
	char charset[64];
};

static void
pending_flush(struct pending *pending, struct buf *out)
{
	if (pending->bytes.len > 0)
		mime_convert(out, pending->charset, pending->bytes.data, pending->bytes.len);
	buf_clear(&pending->bytes);
	pending->charset[0] = '\0';
}

static void
pending_add(struct pending *pending, struct buf *out, const struct encoded_word *word)
{
	char charset[64];

	snprintf(charset, sizeof(charset), "%.*s", (int)word->charset_len, word->charset);
	if (!text_same(charset, pending->charset)) {
		pending_flush(pending, out);
		memcpy(pending->charset, charset, sizeof(charset));
	}
	if (word->base64)
		mime_add_base64(&pending->bytes, word->text, word->text_len);
	else
		add_q(&pending->bytes, word->text, word->text_len);
}

static const char *
find_word(const char *text, const char *end)
{
	while (text < end && (text = memchr(text, '=', (size_t)(end - text))) != NULL) {
		if (end - text > 1 && text[1] == '?')
			return text;
		text++;
	}
	return NULL;
}

static bool
is_blank(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] != ' ' && text[i] != '\t')
			return false;
	return true;
}

/* Unfolded text with its encoded words decoded, not yet clean. */
static void
add_decoded(struct buf *out, const char *text, size_t len)
{
	const char *end = text + len, *from = text, *p = text;
	struct pending pending = { 0 };
	bool after_word = false;

	buf_init(&pending.bytes, SIZE_MAX / 4);
	while ((p = find_word(p, end)) != NULL) {
		struct encoded_word word;

		if (!encoded_word_read(&word, p, (size_t)(end - p))) {
			p += 2;
			continue;
		}
		/* RFC 2047 6.2: white space between two encoded words is not shown. */
		if (!after_word || !is_blank(from, (size_t)(p - from))) {
			pending_flush(&pending, out);
			mime_convert(out, NULL, from, (size_t)(p - from));
		}
		pending_add(&pending, out, &word);
		after_word = true;
		p = from = p + word.len;
	}
	pending_flush(&pending, out);
	mime_convert(out, NULL, from, (size_t)(end - from));
	buf_free(&pending.bytes);
}

char *
mime_decode_value(const char *value, size_t len)
{
	struct buf unfolded, decoded;
	char *clean;

	if (is_plain_ascii(value, len) && find_word(value, value + len) == NULL)
		return mime_clean(value, len);
	buf_init(&unfolded, SIZE_MAX / 4);
	buf_init(&decoded, SIZE_MAX / 4);
	add_unfolded(&unfolded, value, len);
	add_decoded(&decoded, unfolded.data, unfolded.len);
	clean = mime_clean(decoded.len > 0 ? decoded.data : "", decoded.len);
	buf_free(&unfolded);
	buf_free(&decoded);
	return clean;
}

char *
mime_plain_value(const char *value, size_t len)
{
	struct buf unfolded, text;
	char *clean;

	if (is_plain_ascii(value, len))
		return mime_clean(value, len);
	buf_init(&unfolded, SIZE_MAX / 4);
	buf_init(&text, SIZE_MAX / 4);
	add_unfolded(&unfolded, value, len);
	mime_convert(&text, NULL, unfolded.data, unfolded.len);
	clean = mime_clean(text.len > 0 ? text.data : "", text.len);
	buf_free(&unfolded);
	buf_free(&text);
	return clean;
}

/*
 * A stand-in is the mark, a number and the mark again.  The marks are of characters that may
 * stand in an atom (RFC 5322) and in a parameter's token (RFC 2045), and one is taken that the
 * text does not have.
 */
static const char *const marks[] = { "!~", "~!", "^!~", "!^", "^~", "~^", "|!^", "!|~" };

void
mime_mask_init(struct mime_mask *mask, const char *value, size_t len)
{
	struct buf unfolded, text;
	const char *p, *end, *from;
	size_t room = 0;

	*mask = (struct mime_mask){ 0 };
	if (is_plain_ascii(value, len) && find_word(value, value + len) == NULL) {
		mask->text = mem_bytes(value, len);
		return;
	}
	char *plain = mime_plain_value(value, len);
	buf_init(&unfolded, SIZE_MAX / 4);
	buf_adds(&unfolded, plain);
	free(plain);
	end = unfolded.data == NULL ? NULL : unfolded.data + unfolded.len;
	for (size_t i = 0; i < COUNT(marks) && unfolded.len > 0; i++)
		if (strstr(unfolded.data, marks[i]) == NULL) {
			snprintf(mask->mark, sizeof(mask->mark), "%s", marks[i]);
			break;
		}
	if (mask->mark[0] == '\0') {
		/* Somebody has put all of them in: then encoded words stay as they are. */
		mask->text = buf_take(&unfolded, NULL);
		return;
	}
	buf_init(&text, SIZE_MAX / 4);
	for (p = from = unfolded.data; (p = find_word(p, end)) != NULL;) {
		struct encoded_word word;

		if (!encoded_word_read(&word, p, (size_t)(end - p))) {
			p += 2;
			continue;
		}
		if (mask->word_count == room) {
			room = room == 0 ? 4 : room * 2;
			mask->words = mem_resize(mask->words, room, sizeof(*mask->words));
		}
		buf_add(&text, from, (size_t)(p - from));
		buf_addf(&text, "%s%zu%s", mask->mark, mask->word_count, mask->mark);
		mask->words[mask->word_count++] = mem_bytes(p, word.len);
		p = from = p + word.len;
	}
	buf_add(&text, from, (size_t)(end - from));
	mask->text = buf_take(&text, NULL);
	buf_free(&unfolded);
}

void
mime_mask_free(struct mime_mask *mask)
{
	for (size_t i = 0; i < mask->word_count; i++)
		free(mask->words[i]);
	free(mask->words);
	free(mask->text);
	*mask = (struct mime_mask){ 0 };
}

bool
mime_mask_in(const struct mime_mask *mask, const char *text)
{
	return mask->word_count > 0 && strstr(text, mask->mark) != NULL;
}

char *
mime_mask_decode(const struct mime_mask *mask, const char *text)
{
	struct buf out;
	const char *p;
	size_t mark_len = strlen(mask->mark);
	char *decoded;

	if (mask->word_count == 0)
		return mime_clean(text, strlen(text));
	buf_init(&out, SIZE_MAX / 4);
	while ((p = strstr(text, mask->mark)) != NULL) {
		char *digits_end;
		unsigned long number = strtoul(p + mark_len, &digits_end, 10);
		if (digits_end == p + mark_len || number >= mask->word_count ||
		    strncmp(digits_end, mask->mark, mark_len) != 0) {
			buf_add(&out, text, (size_t)(p - text) + mark_len);
			text = p + mark_len;
			continue;
		}
		buf_add(&out, text, (size_t)(p - text));
		buf_adds(&out, mask->words[number]);
		text = digits_end + mark_len;
	}
	buf_adds(&out, text);
	decoded = mime_decode_value(out.len > 0 ? out.data : "", out.len);
	buf_free(&out);
	return decoded;
}
