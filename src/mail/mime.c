/*
 * MIME.  GMime 3.2 reads the single fields; the tree of parts is found here, as offsets into the
 * content, because GMime's parser
 *   - makes an object of about a kilobyte for each part, has no limit on their number, and so
 *     lets ten megabytes of boundaries grow to gigabytes,
 *   - compares each line that starts with two hyphens with each open boundary, up to a thousand,
 *   - does not say where the bytes of a message within begin and end, which are wanted as they
 *     came,
 *   - gives no message at all when the first header line is malformed.
 * RFC 2046 5.1.1 is what the split follows; tests/unit/mail/mime_test.c holds it against GMime's
 * reading.
 *
 * Further workarounds, each at its place: encoded words and charsets (GMime hands text back
 * undecoded when a charset is unknown or lies, and stops at the padding of the first of several
 * base64 words), base64 (GMime stops at padding, while real parts are sometimes joined pieces).
 */

#include <gmime/gmime.h>
#include <errno.h>
#include <iconv.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "mail/mime.h"

#define REPLACEMENT     "\xEF\xBF\xBD" /* U+FFFD */
#define REPLACEMENT_LEN 3

/* GMime allocates about 40 times what a hostile list of parameters measures. */
#define MOST_PARAMETER_BYTES 16384

/* Nested multiparts are searched once per level; in all at most this often the content's size. */
#define MOST_PASSES 16

#define CHARSET_SIZE 44

static GMimeParserOptions *parser_options;

/* --- charsets ------------------------------------------------------------- */

/*
 * What mail calls a charset, and the superset that its senders mean by it (as browsers have it;
 * Encoding Standard, "names and labels").
 */
static const struct {
	const char *label;
	const char *name;
} charset_names[] = {
	{ "ascii", "" }, /* said of anything at all, so it says nothing */
	{ "us-ascii", "" },
	{ "ansi_x3.4-1968", "" },
	{ "unknown-8bit", "" },
	{ "utf8", "utf-8" },
	{ "iso-8859-1", "windows-1252" },
	{ "iso8859-1", "windows-1252" },
	{ "iso_8859-1", "windows-1252" },
	{ "latin1", "windows-1252" },
	{ "iso-8859-9", "windows-1254" },
	{ "iso-8859-11", "windows-874" },
	{ "tis-620", "windows-874" },
	{ "iso-8859-8-i", "iso-8859-8" },
	{ "gb2312", "gb18030" },
	{ "gbk", "gb18030" },
	{ "cp936", "gb18030" },
	{ "x-gbk", "gb18030" },
	{ "hz-gb-2312", "gb18030" },
	{ "ks_c_5601-1987", "cp949" },
	{ "euc-kr", "cp949" },
	{ "shift_jis", "cp932" },
	{ "shift-jis", "cp932" },
	{ "x-sjis", "cp932" },
	{ "windows-31j", "cp932" },
	{ "x-euc-jp", "euc-jp" },
	{ "big5", "big5-hkscs" },
	{ "unicode-1-1-utf-7", "utf-7" },
	{ "x-mac-roman", "macintosh" },
};

/* Loaded and kept, so that a confined process need not read a module from the disk. */
static const char *const warm_charsets[] = {
	"windows-1252",
	"iso-8859-2",
	"iso-8859-5",
	"iso-8859-7",
	"iso-8859-8",
	"iso-8859-15",
	"windows-1250",
	"windows-1251",
	"windows-1253",
	"windows-1254",
	"windows-1255",
	"windows-1256",
	"windows-1257",
	"windows-1258",
	"windows-874",
	"koi8-r",
	"koi8-u",
	"iso-2022-jp",
	"iso-2022-kr",
	"cp932",
	"euc-jp",
	"cp949",
	"gb18030",
	"big5-hkscs",
	"utf-7",
	"utf-16",
};

struct converter {
	char name[CHARSET_SIZE];
	iconv_t handle; /* (iconv_t)-1: iconv has no such charset */
};

/* The warm ones first, then a few places that newcomers take in turn. */
#define SPARE_CONVERTERS 6
static struct converter converters[G_N_ELEMENTS(warm_charsets) + SPARE_CONVERTERS];
static size_t converter_count;
static size_t next_spare;

static struct converter *
converter_add(const char *name)
{
	struct converter *c;

	if (converter_count < G_N_ELEMENTS(converters)) {
		c = &converters[converter_count++];
	} else {
		c = &converters[G_N_ELEMENTS(warm_charsets) + next_spare];
		next_spare = (next_spare + 1) % SPARE_CONVERTERS;
		if (c->handle != (iconv_t)-1)
			iconv_close(c->handle);
	}
	snprintf(c->name, sizeof(c->name), "%s", name);
	c->handle = iconv_open("UTF-8", name);
	return c;
}

static struct converter *
converter_find(const char *name)
{
	for (size_t i = 0; i < converter_count; i++)
		if (strcmp(converters[i].name, name) == 0)
			return &converters[i];
	return converter_add(name);
}

/* iconv takes paths and options ("//IGNORE") in a name, so a foreign one is looked at first. */
static bool
charset_name(const char *label, char out[CHARSET_SIZE])
{
	size_t len = label == NULL ? 0 : strlen(label);

	if (len == 0 || len > 40)
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = label[i];
		if (c >= 'A' && c <= 'Z')
			c = (char)(c + ('a' - 'A'));
		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
			c == '.' || c == ':'))
			return false;
		out[i] = c;
	}
	out[len] = '\0';
	for (size_t i = 0; i < G_N_ELEMENTS(charset_names); i++)
		if (strcmp(out, charset_names[i].label) == 0) {
			snprintf(out, CHARSET_SIZE, "%s", charset_names[i].name);
			break;
		}
	return out[0] != '\0';
}

static size_t
add_utf8_repaired(struct buf *out, const char *bytes, size_t len)
{
	size_t replaced = 0, start = 0, i = 0;

	/* Nearly always; and it looks at many bytes at once. */
	if (text_is_utf8(bytes, len)) {
		buf_add(out, bytes, len);
		return 0;
	}
	while (i < len) {
		size_t step = text_utf8_len(bytes + i, len - i);
		if (step > 0) {
			i += step;
			continue;
		}
		buf_add(out, bytes + start, i - start);
		buf_add(out, REPLACEMENT, REPLACEMENT_LEN);
		replaced++;
		start = ++i;
	}
	buf_add(out, bytes + start, len - start);
	return replaced;
}

static size_t
add_by_iconv(struct buf *out, struct converter *c, const char *bytes, size_t len)
{
	size_t replaced = 0;
	size_t unit = strncmp(c->name, "utf-16", 6) == 0   ? 2
		      : strncmp(c->name, "utf-32", 6) == 0 ? 4
							   : 1;
	/* iconv's prototype lacks the const that its promise has. */
	char *from = (char *)(uintptr_t)bytes;
	size_t left = len;

	iconv(c->handle, NULL, NULL, NULL, NULL);
	while (left > 0) {
		size_t room = left * 2 + 64;
		char *to = buf_reserve(out, room);
		if (to == NULL)
			break;
		char *start = to;
		size_t result = iconv(c->handle, &from, &left, &to, &room);
		int failure = errno;
		buf_grown(out, (size_t)(to - start));
		if (result != (size_t)-1 || failure == E2BIG)
			continue;
		/* EILSEQ: one unit is skipped; EINVAL: the last character is cut off. */
		size_t skip = failure == EILSEQ && unit < left ? unit : left;
		if (failure == EILSEQ && skip > left)
			skip = left;
		from += skip;
		left -= skip;
		buf_add(out, REPLACEMENT, REPLACEMENT_LEN);
		replaced++;
	}
	return replaced;
}

size_t
mime_convert(struct buf *out, const char *charset, const char *bytes, size_t len)
{
	char name[CHARSET_SIZE];
	struct converter *c = NULL;
	size_t before = out->len, replaced;

	if (len == 0)
		return 0;
	if (charset_name(charset, name)) {
		if (strcmp(name, "utf-8") == 0)
			return add_utf8_repaired(out, bytes, len);
		c = converter_find(name);
	}
	if (c == NULL || c->handle == (iconv_t)-1) {
		if (text_is_utf8(bytes, len)) {
			buf_add(out, bytes, len);
			return 0;
		}
		c = converter_find("windows-1252");
		if (c->handle == (iconv_t)-1)
			return add_utf8_repaired(out, bytes, len);
	}
	replaced = add_by_iconv(out, c, bytes, len);
	/* What a converter gives has been valid UTF-8 as far as is known; JSON depends on it. */
	if (!out->over && out->len > before &&
	    !text_is_utf8(out->data + before, out->len - before)) {
		size_t copy_len = out->len - before;
		char *copy = mem_bytes(out->data + before, copy_len);
		out->len = before;
		replaced += add_utf8_repaired(out, copy, copy_len);
		free(copy);
	}
	return replaced;
}

void
mime_setup(void)
{
	if (parser_options != NULL)
		return;
	g_mime_init();
	parser_options = g_mime_parser_options_new();
	for (size_t i = 0; i < G_N_ELEMENTS(warm_charsets); i++)
		converter_add(warm_charsets[i]);
}

struct _GMimeParserOptions *
mime_parser_options(void)
{
	return parser_options;
}

/* --- header values -------------------------------------------------------- */

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
			i++;
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

static signed char
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return (signed char)(c - '0');
	if (c >= 'A' && c <= 'F')
		return (signed char)(c - 'A' + 10);
	if (c >= 'a' && c <= 'f')
		return (signed char)(c - 'a' + 10);
	return -1;
}

static void
add_q(struct buf *out, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char c = text[i];
		if (c == '_') {
			c = ' ';
		} else if (c == '=' && len - i > 2 && hex_digit(text[i + 1]) >= 0 &&
			   hex_digit(text[i + 2]) >= 0) {
			c = (char)(hex_digit(text[i + 1]) << 4 | hex_digit(text[i + 2]));
			i += 2;
		}
		buf_addc(out, c);
	}
}

static signed char base64_values[256];

static void
base64_values_make(void)
{
	static const char alphabet[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	if (base64_values[0] != 0)
		return;
	memset(base64_values, -1, sizeof(base64_values));
	for (int i = 0; i < 64; i++)
		base64_values[(unsigned char)alphabet[i]] = (signed char)i;
}

/* Foreign characters are skipped (RFC 2045 6.8), and padding ends a piece, not the whole. */
static void
add_base64(struct buf *out, const char *text, size_t len)
{
	char *to = buf_reserve(out, len / 4 * 3 + 3);
	size_t n = 0;
	uint32_t bits = 0;
	unsigned have = 0; /* characters in bits */

	if (to == NULL)
		return;
	base64_values_make();
	for (size_t i = 0; i < len; i++) {
		signed char value = base64_values[(unsigned char)text[i]];
		if (value >= 0) {
			bits = bits << 6 | (unsigned char)value;
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
		add_base64(&pending->bytes, word->text, word->text_len);
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
	for (size_t i = 0; i < G_N_ELEMENTS(marks) && unfolded.len > 0; i++)
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

/* --- header fields -------------------------------------------------------- */

bool
mime_field_is(const struct mime_field *field, const char *name)
{
	return strlen(name) == field->name_len && text_same_n(field->name, name, field->name_len);
}

/* A line without its end.  Returns where the next one starts. */
static const char *
line_read(const char *p, const char *end, size_t *len_r)
{
	const char *nl = memchr(p, '\n', (size_t)(end - p));
	const char *next = nl == NULL ? end : nl + 1;
	size_t len = (size_t)((nl == NULL ? end : nl) - p);

	if (len > 0 && p[len - 1] == '\r')
		len--;
	*len_r = len;
	return next;
}

/* RFC 5322 3.6.8, with the white space before the colon of 4.5.8.  0: no field starts here. */
static size_t
field_name_len(const char *line, size_t len, size_t *value_at_r)
{
	size_t i = 0;

	while (i < len && line[i] > 0x20 && line[i] < 0x7F && line[i] != ':')
		i++;
	size_t name_len = i;
	while (i < len && (line[i] == ' ' || line[i] == '\t'))
		i++;
	if (name_len == 0 || i == len || line[i] != ':')
		return 0;
	*value_at_r = i + 1;
	return name_len;
}

/*
 * Where the last line of a header is that is surely one: of the lines before the first empty
 * one, the last that starts a field every mail has.  A malformed line before it is skipped; one
 * after it begins the body.  Giving up at the first would show the rest of the header, a Bcc
 * perhaps, to every reader.
 */
static const char *
last_known_field(const char *p, const char *end)
{
	static const char *const known[] = { "From", "To", "Cc", "Bcc", "Subject", "Date", "Sender",
		"Reply-To", "Message-ID", "MIME-Version", "Content-Type",
		"Content-Transfer-Encoding", "Content-Disposition", "Received", "Return-Path",
		"Resent-Bcc", "X-Mailer" };
	const char *last = NULL, *next;
	size_t len, value_at;

	for (; p < end; p = next) {
		next = line_read(p, end, &len);
		if (len == 0)
			break;
		struct mime_field field = { .name = p,
			.name_len = field_name_len(p, len, &value_at) };
		for (size_t i = 0; i < G_N_ELEMENTS(known) && field.name_len > 0; i++)
			if (mime_field_is(&field, known[i])) {
				last = p;
				break;
			}
	}
	return last;
}

typedef void field_fn(void *ctx, const struct mime_field *field);

/* Calls fn for each field.  Returns where the body starts; *header_end_r is the header's end. */
static const char *
header_read(const char *p, const char *end, field_fn *fn, void *ctx, const char **header_end_r)
{
	struct mime_field field = { 0 };
	const char *last_known = NULL, *next;
	bool last_known_sought = false;
	size_t len, value_at = 0;

	for (; p < end; p = next) {
		next = line_read(p, end, &len);
		if (len == 0) {
			if (field.name != NULL)
				fn(ctx, &field);
			*header_end_r = p;
			return next;
		}
		if (p[0] == ' ' || p[0] == '\t') {
			/* The continuation of a malformed line goes with it. */
			if (field.name != NULL)
				field.value_len = (size_t)(p + len - field.value);
			continue;
		}
		if (field.name != NULL)
			fn(ctx, &field);
		field = (struct mime_field){ 0 };
		size_t name_len = field_name_len(p, len, &value_at);
		if (name_len > 0) {
			field.name = p;
			field.name_len = name_len;
			field.value = p + value_at;
			field.value_len = len - value_at;
			continue;
		}
		/* A field all the same, whose name has letters that it must not have. */
		const char *colon = memchr(p, ':', len);
		if (colon > p && memchr(p, ' ', (size_t)(colon - p)) == NULL)
			continue;
		if (!last_known_sought) {
			last_known = last_known_field(p, end);
			last_known_sought = true;
		}
		if (last_known == NULL || p > last_known) {
			*header_end_r = p;
			return p;
		}
	}
	if (field.name != NULL)
		fn(ctx, &field);
	*header_end_r = end;
	return end;
}

/* --- the tree ------------------------------------------------------------- */

struct walk {
	struct mime *mime;
	const struct mime_limits *limits;
	size_t part_room;
	size_t field_room;
	size_t fields_seen;
	size_t bytes_left; /* to be searched for boundaries */
};

/* Content fields of the part that is being read, raw. */
struct content_fields {
	struct walk *walk; /* of the top header, else NULL */
	struct mime_field type, encoding, disposition, id;
};

static void
content_field(void *ctx, const struct mime_field *field)
{
	struct content_fields *fields = ctx;
	struct mime_field *to = NULL;

	if (fields->walk != NULL) {
		struct walk *w = fields->walk;
		w->fields_seen++;
		if (w->mime->field_count < w->limits->fields) {
			if (w->mime->field_count == w->field_room) {
				w->field_room = w->field_room == 0 ? 32 : w->field_room * 2;
				w->mime->fields = mem_resize(
				    w->mime->fields, w->field_room, sizeof(*w->mime->fields));
			}
			w->mime->fields[w->mime->field_count++] = *field;
		}
	}
	if (field->name_len < 10 || !text_same_n(field->name, "Content-", 8))
		return;
	if (mime_field_is(field, "Content-Type"))
		to = &fields->type;
	else if (mime_field_is(field, "Content-Transfer-Encoding"))
		to = &fields->encoding;
	else if (mime_field_is(field, "Content-Disposition"))
		to = &fields->disposition;
	else if (mime_field_is(field, "Content-ID"))
		to = &fields->id;
	if (to != NULL && to->name == NULL)
		*to = *field;
}

static size_t
parameter_bytes(const struct mime_field *field)
{
	return field->value_len < MOST_PARAMETER_BYTES ? field->value_len : MOST_PARAMETER_BYTES;
}

static bool
is_token(const char *text)
{
	for (const char *c = text; *c != '\0'; c++)
		if (*c <= 0x20 || *c >= 0x7F || strchr("()<>@,;:\\\"/[]?=", *c) != NULL)
			return false;
	return text[0] != '\0';
}

/* type/subtype in lower case; false: the field does not say. */
static bool
type_read(struct mime_part *part)
{
	const char *type = g_mime_content_type_get_media_type(part->content_type);
	const char *subtype = g_mime_content_type_get_media_subtype(part->content_type);

	int len;

	if (type == NULL || subtype == NULL || !is_token(type) || !is_token(subtype))
		return false;
	len = snprintf(part->type, sizeof(part->type), "%s/%s", type, subtype);
	if (len < 0 || (size_t)len >= sizeof(part->type))
		return false;
	text_lower(part->type);
	return true;
}

static enum mime_encoding
encoding_read(const struct mime_field *field)
{
	static const struct {
		const char *name;
		enum mime_encoding encoding;
	} names[] = {
		{ "base64", MIME_BASE64 },
		{ "quoted-printable", MIME_QUOTED_PRINTABLE },
		{ "x-uuencode", MIME_UUENCODE },
		{ "uuencode", MIME_UUENCODE },
		{ "x-uue", MIME_UUENCODE },
	};
	const char *p = field->value;
	size_t len = field->value_len;

	while (len > 0 && (unsigned char)*p <= ' ') {
		p++;
		len--;
	}
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		size_t n = strlen(names[i].name);
		if (len >= n && text_same_n(p, names[i].name, n) &&
		    (len == n || (unsigned char)p[n] <= ' ' || p[n] == ';' || p[n] == '('))
			return names[i].encoding;
	}
	return MIME_IDENTITY;
}

static char *
content_id_read(const struct mime_field *field)
{
	char *id = mime_plain_value(field->value, field->value_len);
	char *start = strchr(id, '<');
	char *end = strrchr(id, '>');
	size_t n = 0;

	if (start != NULL && end != NULL && end > start) {
		*end = '\0';
		start++;
	} else {
		start = id;
	}
	for (char *c = start; *c != '\0'; c++)
		if (*c != ' ' && *c != '<' && *c != '>' && *c != '"')
			id[n++] = *c;
	id[n] = '\0';
	if (n == 0) {
		free(id);
		return NULL;
	}
	return id;
}

/* A mask is kept only where it holds words. */
static struct mime_mask *
mask_keep(struct mime_mask *mask)
{
	struct mime_mask *kept = NULL;

	if (mask->word_count > 0) {
		kept = mem_new(sizeof(*kept));
		*kept = *mask;
	} else {
		mime_mask_free(mask);
	}
	return kept;
}

static void
mask_drop(struct mime_mask *mask)
{
	if (mask != NULL)
		mime_mask_free(mask);
	free(mask);
}

/* Fills in what the content fields of a part say. */
static void
part_describe(struct mime_part *part, const struct content_fields *fields, bool in_digest)
{
	struct mime_mask mask;

	/* RFC 2046 5.1.5 */
	const char *fallback = in_digest ? "message/rfc822" : "text/plain";

	if (fields->type.name != NULL) {
		mime_mask_init(&mask, fields->type.value, parameter_bytes(&fields->type));
		part->content_type = g_mime_content_type_parse(parser_options, mask.text);
		part->type_mask = mask_keep(&mask);
	}
	if (part->content_type == NULL || !type_read(part))
		snprintf(part->type, sizeof(part->type), "%s", fallback);
	if (fields->disposition.name != NULL) {
		mime_mask_init(
		    &mask, fields->disposition.value, parameter_bytes(&fields->disposition));
		part->disposition = g_mime_content_disposition_parse(parser_options, mask.text);
		part->disposition_mask = mask_keep(&mask);
	}
	if (fields->encoding.name != NULL)
		part->encoding = encoding_read(&fields->encoding);
	if (fields->id.name != NULL)
		part->content_id = content_id_read(&fields->id);
}

struct boundary {
	const char *text; /* without the hyphens */
	size_t len;
};

/*
 * The next delimiter line (RFC 2046 5.1.1) at or after p, in a body that starts at first.
 * *after_r: the start of the line after it.
 */
static const char *
delimiter_find(const struct boundary *boundary, const char *first, const char *p, const char *end,
    const char **after_r, bool *last_r)
{
	while (p < end && (p = memchr(p, '-', (size_t)(end - p))) != NULL) {
		const char *line = p;

		if (line > first && line[-1] != '\n') {
			p = memchr(p, '\n', (size_t)(end - p));
			if (p == NULL)
				return NULL;
			p++;
			continue;
		}
		p = line + 1;
		if ((size_t)(end - line) < boundary->len + 2 || line[1] != '-' ||
		    memcmp(line + 2, boundary->text, boundary->len) != 0)
			continue;
		const char *rest = line + 2 + boundary->len;
		*last_r = end - rest >= 2 && rest[0] == '-' && rest[1] == '-';
		if (*last_r)
			rest += 2;
		while (rest < end && (*rest == ' ' || *rest == '\t' || *rest == '\r'))
			rest++;
		if (rest < end && *rest != '\n')
			continue;
		*after_r = rest < end ? rest + 1 : end;
		return line;
	}
	return NULL;
}

static enum mime_end part_add(
    struct walk *, const char *p, const char *end, unsigned depth, bool in_digest);

/* The parts of the multipart at index.  *found_r: there was a delimiter at all. */
static enum mime_end
children_add(struct walk *w, size_t index, const struct boundary *boundary, bool *found_r)
{
	const struct mime_part *part = &w->mime->parts[index];
	const char *first = part->body, *end = part->body + part->body_len;
	const char *after = NULL, *next_after = NULL, *line;
	bool digest = strcmp(part->type, "multipart/digest") == 0;
	bool last = false;
	unsigned depth = part->depth + 1;

	*found_r = false;
	if (part->depth >= w->limits->depth || w->bytes_left < part->body_len)
		return MIME_TOO_DEEP;
	w->bytes_left -= part->body_len;

	line = delimiter_find(boundary, first, first, end, &after, &last);
	while (line != NULL && !last) {
		const char *part_end = end;

		*found_r = true;
		line = delimiter_find(boundary, first, after, end, &next_after, &last);
		if (line != NULL) {
			/* The line end before a delimiter belongs to it. */
			part_end = line;
			if (part_end > after && part_end[-1] == '\n')
				part_end--;
			if (part_end > after && part_end[-1] == '\r')
				part_end--;
		}
		enum mime_end result = part_add(w, after, part_end, depth, digest);
		if (result != MIME_DONE)
			return result;
		after = next_after;
	}
	return MIME_DONE;
}

static bool
is_message(const char *type)
{
	return strcmp(type, "message/rfc822") == 0 || strcmp(type, "message/global") == 0 ||
	       strcmp(type, "message/news") == 0;
}

static enum mime_end
part_add(struct walk *w, const char *p, const char *end, unsigned depth, bool in_digest)
{
	struct mime *mime = w->mime;
	struct content_fields fields = { .walk = depth == 0 ? w : NULL };
	const char *header_end;
	enum mime_end result = MIME_DONE;

	if (mime->part_count == w->limits->parts)
		return MIME_TOO_MANY_PARTS;
	if (mime->part_count == w->part_room) {
		w->part_room = w->part_room == 0 ? 8 : w->part_room * 2;
		mime->parts = mem_resize(mime->parts, w->part_room, sizeof(*mime->parts));
	}
	size_t index = mime->part_count++;
	struct mime_part *part = &mime->parts[index];
	*part = (struct mime_part){ .depth = depth };

	part->body = header_read(p, end, content_field, &fields, &header_end);
	part->body_len = (size_t)(end - part->body);
	if (depth == 0) {
		mime->header = p;
		mime->header_len = (size_t)(header_end - p);
		if (w->fields_seen > w->limits->fields)
			return MIME_TOO_MANY_FIELDS;
	}
	part_describe(part, &fields, in_digest);

	if (is_message(part->type)) {
		part->kind = MIME_MESSAGE;
	} else if (strncmp(part->type, "multipart/", 10) == 0) {
		const char *text =
		    g_mime_content_type_get_parameter(part->content_type, "boundary");
		struct boundary boundary = { text, text == NULL ? 0 : strlen(text) };
		bool found = false;

		part->kind = MIME_MULTIPART;
		if (boundary.len > 0)
			result = children_add(w, index, &boundary, &found);
		part = &mime->parts[index];
		if (result == MIME_DONE && !found) {
			/* Nothing to split it by: better shown as it came than lost. */
			part->kind = MIME_LEAF;
			snprintf(part->type, sizeof(part->type), "text/plain");
		}
	}
	part->end = mime->part_count;
	return result;
}

enum mime_end
mime_parse(struct mime *mime, const char *content, size_t len, const struct mime_limits *limits,
    size_t *figure_r)
{
	struct walk w = {
		.mime = mime, .limits = limits, .bytes_left = (size_t)1048576 + len * MOST_PASSES
	};
	enum mime_end result;

	*mime = (struct mime){ 0 };
	result = part_add(&w, content, content + len, 0, false);
	*figure_r = result == MIME_TOO_MANY_FIELDS ? w.fields_seen : mime->part_count;
	return result;
}

void
mime_free(struct mime *mime)
{
	for (size_t i = 0; i < mime->part_count; i++) {
		struct mime_part *part = &mime->parts[i];

		if (part->content_type != NULL)
			g_object_unref(part->content_type);
		if (part->disposition != NULL)
			g_object_unref(part->disposition);
		free(part->content_id);
		mask_drop(part->type_mask);
		mask_drop(part->disposition_mask);
	}
	free(mime->parts);
	free(mime->fields);
	*mime = (struct mime){ 0 };
}

/* --- what a part holds ---------------------------------------------------- */

static bool
disposition_is(const struct mime_part *part, const char *name)
{
	return part->disposition != NULL &&
	       g_mime_content_disposition_get_disposition(part->disposition) != NULL &&
	       text_same(g_mime_content_disposition_get_disposition(part->disposition), name);
}

bool
mime_part_is_attachment(const struct mime_part *part)
{
	return disposition_is(part, "attachment");
}

bool
mime_part_is_inline(const struct mime_part *part)
{
	return disposition_is(part, "inline");
}

static char *
parameter_decode(const struct mime_mask *mask, const char *value)
{
	if (value == NULL)
		return NULL;
	return mask != NULL ? mime_mask_decode(mask, value) : mime_clean(value, strlen(value));
}

char *
mime_part_parameter(const struct mime_part *part, const char *name)
{
	if (part->content_type == NULL)
		return NULL;
	return parameter_decode(
	    part->type_mask, g_mime_content_type_get_parameter(part->content_type, name));
}

char *
mime_part_file_name(const struct mime_part *part)
{
	char *name = NULL;

	if (part->disposition != NULL)
		name = parameter_decode(part->disposition_mask,
		    g_mime_content_disposition_get_parameter(part->disposition, "filename"));
	if (name != NULL && name[0] == '\0') {
		free(name);
		name = NULL;
	}
	if (name == NULL)
		name = mime_part_parameter(part, "name");
	return name;
}

static void
add_quoted_printable(struct buf *out, const char *text, size_t len)
{
	GMimeEncoding state;
	char *to;

	g_mime_encoding_init_decode(&state, GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE);
	to = buf_reserve(out, g_mime_encoding_outlen(&state, len));
	if (to != NULL)
		buf_grown(out, g_mime_encoding_flush(&state, text, len, to));
}

/* GMime wants the line that begins the file to be read already. */
static void
add_uuencoded(struct buf *out, const char *text, size_t len)
{
	const char *end = text + len, *next = text;
	GMimeEncoding state;
	size_t line_len;
	char *to;

	for (; text < end; text = next) {
		next = line_read(text, end, &line_len);
		if (line_len > 6 && strncmp(text, "begin ", 6) == 0)
			break;
	}
	if (text == end)
		return;
	g_mime_encoding_init_decode(&state, GMIME_CONTENT_ENCODING_UUENCODE);
	state.state |= GMIME_UUDECODE_STATE_BEGIN;
	len = (size_t)(end - next);
	to = buf_reserve(out, g_mime_encoding_outlen(&state, len));
	if (to != NULL)
		buf_grown(out, g_mime_encoding_flush(&state, next, len, to));
}

void
mime_part_decode(const struct mime_part *part, struct buf *out)
{
	if (part->body_len == 0)
		return;
	switch (part->encoding) {
	case MIME_IDENTITY:
		buf_add(out, part->body, part->body_len);
		break;
	case MIME_BASE64:
		add_base64(out, part->body, part->body_len);
		break;
	case MIME_QUOTED_PRINTABLE:
		add_quoted_printable(out, part->body, part->body_len);
		break;
	case MIME_UUENCODE:
		add_uuencoded(out, part->body, part->body_len);
		break;
	}
}

/* In place, from start on: line ends become LF, a NUL goes. */
static void
text_settle(struct buf *text, size_t start)
{
	char *from, *to, *end;

	if (text->len == start || text->over)
		return;
	from = to = text->data + start;
	end = text->data + text->len;
	while (from < end) {
		size_t left = (size_t)(end - from);
		char *stop = memchr(from, '\r', left);
		size_t run = stop == NULL ? left : (size_t)(stop - from);
		char *nul;

		while ((nul = memchr(from, '\0', run)) != NULL) {
			size_t clean = (size_t)(nul - from);
			memmove(to, from, clean);
			to += clean;
			from = nul + 1;
			run -= clean + 1;
		}
		if (to != from)
			memmove(to, from, run);
		to += run;
		from += run;
		if (stop == NULL)
			break;
		*to++ = '\n';
		from++;
		if (from < end && *from == '\n')
			from++;
	}
	text->len = (size_t)(to - text->data);
	buf_grown(text, 0);
}

size_t
mime_part_text(const struct mime_part *part, struct buf *out)
{
	char *charset = mime_part_parameter(part, "charset");
	size_t start = out->len, replaced;

	if (part->encoding == MIME_IDENTITY) {
		replaced = mime_convert(out, charset, part->body, part->body_len);
	} else {
		struct buf bytes;

		buf_init(&bytes, SIZE_MAX / 4);
		mime_part_decode(part, &bytes);
		replaced = mime_convert(out, charset, bytes.data, bytes.len);
		buf_free(&bytes);
	}
	text_settle(out, start);
	free(charset);
	return replaced;
}
