/*
 * Charsets.  GMime's own conversion is not used, because it hands text back undecoded when a
 * charset is unknown or lies.
 */

#include <glib.h>
#include <errno.h>
#include <iconv.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "mail/charset.h"
#include "mail/charset_mac.h"

#define CHARSET_SIZE 44

/*
 * What mail calls a charset, small letters and digits alone, and the superset that its senders mean
 * by it (as browsers have it; Encoding Standard, "names and labels").  Names of iconv's own that
 * need no other meaning are not here.
 */
static const struct {
	const char *label;
	const char *name;
} charset_names[] = {
	{ "ascii", "" }, /* said of anything at all, so it says nothing */
	{ "usascii", "" },
	{ "ansix341968", "" },
	{ "iso646us", "" },
	{ "646", "" },
	{ "unknown8bit", "" },
	{ "8bit", "" },
	{ "binary", "" },
	{ "utf8", "utf-8" },
	{ "unicode11utf8", "utf-8" },
	{ "xunicode20utf8", "utf-8" },
	{ "cp65001", "utf-8" },
	{ "utf7", "utf-7" },
	{ "unicode11utf7", "utf-7" },
	{ "csunicode11utf7", "utf-7" },
	{ "iso88591", "windows-1252" },
	{ "88591", "windows-1252" },
	{ "isoir100", "windows-1252" },
	{ "iso885911987", "windows-1252" },
	{ "latin1", "windows-1252" },
	{ "l1", "windows-1252" },
	{ "cp819", "windows-1252" },
	{ "ibm819", "windows-1252" },
	{ "ansi", "windows-1252" },
	{ "latin2", "iso-8859-2" },
	{ "latin9", "iso-8859-15" },
	{ "iso88599", "windows-1254" },
	{ "latin5", "windows-1254" },
	{ "iso885911", "windows-874" },
	{ "tis620", "windows-874" },
	{ "iso88598i", "iso-8859-8" },
	{ "iso88598e", "iso-8859-8" },
	{ "visual", "iso-8859-8" },
	{ "logical", "iso-8859-8" },
	{ "iso88596i", "iso-8859-6" },
	{ "iso88596e", "iso-8859-6" },
	{ "koi8", "koi8-r" },
	{ "koi", "koi8-r" },
	{ "koi8ru", "koi8-u" },
	{ "gb2312", "gb18030" },
	{ "gb231280", "gb18030" },
	{ "euccn", "gb18030" },
	{ "gbk", "gb18030" },
	{ "cp936", "gb18030" },
	{ "ms936", "gb18030" },
	{ "xgbk", "gb18030" },
	{ "chinese", "gb18030" },
	{ "xmacchinesesimp", "gb18030" },
	{ "hzgb2312", "hz-gb-2312" },
	{ "hz", "hz-gb-2312" },
	{ "big5", "big5-hkscs" },
	{ "cnbig5", "big5-hkscs" },
	{ "xxbig5", "big5-hkscs" },
	{ "big5eten", "big5-hkscs" },
	{ "xmacchinesetrad", "big5-hkscs" },
	{ "ksc56011987", "cp949" },
	{ "ksc56011989", "cp949" },
	{ "ksc5601", "cp949" },
	{ "euckr", "cp949" },
	{ "uhc", "cp949" },
	{ "korean", "cp949" },
	{ "windows949", "cp949" },
	{ "xwindows949", "cp949" },
	{ "isoir149", "cp949" },
	{ "xmackorean", "cp949" },
	{ "shiftjis", "cp932" },
	{ "xsjis", "cp932" },
	{ "sjis", "cp932" },
	{ "mskanji", "cp932" },
	{ "ms932", "cp932" },
	{ "windows31j", "cp932" },
	{ "xmacjapanese", "cp932" },
	{ "xeucjp", "euc-jp" },
	{ "eucjp", "euc-jp" },
	{ "iso2022jp", "iso-2022-jp" },
	{ "iso2022jp1", "iso-2022-jp" },
	{ "iso2022jpms", "iso-2022-jp" },
	{ "csiso2022jp", "iso-2022-jp" },
	{ "cp50220", "iso-2022-jp" },
	{ "cp50221", "iso-2022-jp" },
	{ "cp50222", "iso-2022-jp" },
	{ "iso2022jp3", "iso-2022-jp" },
	{ "iso2022jp2004", "iso-2022-jp" },
	{ "csiso2022kr", "iso-2022-kr" },
	{ "macintosh", "x-mac-roman" },
	{ "xmacroman", "x-mac-roman" },
	{ "xmac", "x-mac-roman" },
	{ "macroman", "x-mac-roman" },
	{ "mac", "x-mac-roman" },
	{ "xmacgreek", "x-mac-greek" },
	{ "macgreek", "x-mac-greek" },
	{ "xmacturkish", "x-mac-turkish" },
	{ "macturkish", "x-mac-turkish" },
	{ "xmaccroatian", "x-mac-croatian" },
	{ "xmacromanian", "x-mac-romanian" },
	{ "maccyrillic", "x-mac-cyrillic" },
	{ "macuk", "x-mac-cyrillic" },
	{ "xmaccyrillic", "x-mac-cyrillic" },
	{ "xmacukrainian", "x-mac-cyrillic" },
	{ "xmacce", "mac-centraleurope" },
	{ "xmaccentraleurroman", "mac-centraleurope" },
	{ "xmacicelandic", "x-mac-icelandic" },
	{ "ucs2", "utf-16" },
	{ "iso10646ucs2", "utf-16" },
	{ "unicode", "utf-16" },
};

/* Loaded and kept, because a confined process cannot read a module from the disk: what is not
 * here it does not know. */
static const char *const warm_charsets[] = {
	"windows-1252",
	"iso-8859-2",
	"iso-8859-3",
	"iso-8859-4",
	"iso-8859-5",
	"iso-8859-6",
	"iso-8859-7",
	"iso-8859-8",
	"iso-8859-10",
	"iso-8859-13",
	"iso-8859-14",
	"iso-8859-15",
	"iso-8859-16",
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
	"mac-centraleurope",
	"cp437",
	"cp850",
	"cp852",
	"cp866",
	"iso-2022-jp",
	"iso-2022-jp-2",
	"iso-2022-kr",
	"iso-2022-cn",
	"cp932",
	"euc-jp",
	"euc-jp-ms",
	"euc-jisx0213",
	"cp949",
	"johab",
	"gb18030",
	"big5-hkscs",
	"euc-tw",
	"viscii",
	"utf-7",
	"utf-16",
	"utf-16le",
	"utf-16be",
	"utf-32",
};

struct converter {
	char name[CHARSET_SIZE];
	iconv_t handle; /* (iconv_t)-1: iconv has no such charset */
	size_t unit;    /* what is skipped where nothing can be made of the bytes; 0: two bytes
			 * with the high bit, or else one */
};

/* The warm ones first, then a few places that newcomers take in turn. */
#define SPARE_CONVERTERS 6
static struct converter converters[G_N_ELEMENTS(warm_charsets) + SPARE_CONVERTERS];
static size_t converter_count;
static size_t next_spare;

static size_t
unit_of(const char *name)
{
	static const char *const doubles[] = { "cp932", "euc-", "cp949", "gb18030", "big5",
		"johab" };

	for (size_t i = 0; i < G_N_ELEMENTS(doubles); i++)
		if (strncmp(name, doubles[i], strlen(doubles[i])) == 0)
			return 0;
	return strncmp(name, "utf-16", 6) == 0 ? 2 : strncmp(name, "utf-32", 6) == 0 ? 4 : 1;
}

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
	c->unit = unit_of(name);
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

/* "iso8859N", "win125N", "cp125N" and the like, as their letters and digits alone. */
static bool
charset_family(const char *key, char out[CHARSET_SIZE])
{
	static const struct {
		const char *prefix;
		const char *name;
	} families[] = {
		{ "xcp125", "windows-125" },
		{ "cp125", "windows-125" },
		{ "win125", "windows-125" },
		{ "windows125", "windows-125" },
		{ "iso8859", "iso-8859-" },
		{ "8859", "iso-8859-" },
		{ "koi8", "koi8-" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(families); i++) {
		size_t len = strlen(families[i].prefix);

		if (strncmp(key, families[i].prefix, len) != 0 || key[len] == '\0' ||
		    strlen(key + len) > 2)
			continue;
		snprintf(out, CHARSET_SIZE, "%s%s", families[i].name, key + len);
		return true;
	}
	return false;
}

/*
 * iconv takes paths and options ("//IGNORE") in a name, so a foreign one is looked at first.
 * Quotes that a sender put twice, and what follows a forgotten semicolon, are forgiven.
 */
static bool
charset_name(const char *label, char out[CHARSET_SIZE])
{
	char key[CHARSET_SIZE];
	size_t len = 0, key_len = 0;

	if (label == NULL)
		return false;
	label += strspn(label, " \t'\"");
	for (; label[len] != '\0' && strchr(" \t'\";,", label[len]) == NULL; len++) {
		char c = label[len];

		if (len == 40)
			return false;
		if (c >= 'A' && c <= 'Z')
			c = (char)(c + ('a' - 'A'));
		if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
			key[key_len++] = c;
		else if (c != '-' && c != '_' && c != '.' && c != ':')
			return false;
		out[len] = c;
	}
	out[len] = key[key_len] = '\0';
	for (size_t i = 0; i < G_N_ELEMENTS(charset_names); i++)
		if (strcmp(key, charset_names[i].label) == 0) {
			snprintf(out, CHARSET_SIZE, "%s", charset_names[i].name);
			return out[0] != '\0';
		}
	return charset_family(key, out) || out[0] != '\0';
}

size_t
charset_bad_utf8(const char *bytes, size_t len)
{
	const unsigned char *c = (const unsigned char *)bytes;
	size_t most = c[0] >= 0xF0 ? 3 : 2, n = 1;
	unsigned char low = 0x80, high = 0xBF;

	if (c[0] < 0xE0 || c[0] > 0xF4)
		return 1;
	if (c[0] == 0xE0)
		low = 0xA0;
	else if (c[0] == 0xED)
		high = 0x9F;
	else if (c[0] == 0xF0)
		low = 0x90;
	else if (c[0] == 0xF4)
		high = 0x8F;
	while (n < most && n < len && c[n] >= low && c[n] <= high) {
		n++;
		low = 0x80;
		high = 0xBF;
	}
	return n;
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
		i += charset_bad_utf8(bytes + i, len - i);
		start = i;
	}
	buf_add(out, bytes + start, len - start);
	return replaced;
}

static size_t
bad_len(const struct converter *c, const char *bytes, size_t len)
{
	const unsigned char *b = (const unsigned char *)bytes;

	if (c->unit > 0)
		return c->unit < len ? c->unit : len;
	return len > 1 && b[0] >= 0x80 && b[1] >= 0x80 ? 2 : 1;
}

static void
add_character(struct buf *out, unsigned c)
{
	char bytes[3];
	size_t n = 0;

	if (c >= 0x800) {
		bytes[n++] = (char)(0xE0 | c >> 12);
		bytes[n++] = (char)(0x80 | (c >> 6 & 0x3F));
	} else if (c >= 0x80) {
		bytes[n++] = (char)(0xC0 | c >> 6);
	} else {
		bytes[n++] = (char)c;
	}
	if (c >= 0x80)
		bytes[n++] = (char)(0x80 | (c & 0x3F));
	buf_add(out, bytes, n);
}

/* Three characters of Big5 that glibc's table of its superset lacks. */
static bool
add_lacking(struct buf *out, const struct converter *c, const char *bytes)
{
	static const struct {
		const char *bytes;
		unsigned character;
	} lacking[] = { { "\xA1\x5A", 0x2574 }, { "\xA1\xC3", 0xFFE3 }, { "\xA1\xC5", 0x02CD } };

	if (strcmp(c->name, "big5-hkscs") != 0)
		return false;
	for (size_t i = 0; i < G_N_ELEMENTS(lacking); i++)
		if (memcmp(bytes, lacking[i].bytes, 2) == 0) {
			add_character(out, lacking[i].character);
			return true;
		}
	return false;
}

/* A character that iconv keeps back because a mark may come that joins it. */
static void
add_kept_back(struct buf *out, const struct converter *c)
{
	size_t room = 64;
	char *start = buf_reserve(out, room), *to = start;

	if (start == NULL)
		return;
	iconv(c->handle, NULL, NULL, &to, &room);
	buf_grown(out, (size_t)(to - start));
}

/* Of these that can be asked for at any time, for they have no other state. */
static bool
keeps_back(const struct converter *c)
{
	static const char *const names[] = { "windows-1255", "windows-1258", "big5-hkscs",
		"euc-jisx0213" };

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		if (strcmp(c->name, names[i]) == 0)
			return true;
	return false;
}

static size_t
add_by_iconv(struct buf *out, struct converter *c, const char *bytes, size_t len)
{
	size_t replaced = 0;
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
		if (keeps_back(c))
			add_kept_back(out, c);
		if (failure == EILSEQ && left > 1 && add_lacking(out, c, from)) {
			from += 2;
			left -= 2;
			continue;
		}
		/* EILSEQ: bad bytes are skipped; EINVAL: the last character is cut off. */
		size_t skip = failure == EILSEQ && left > 0 ? bad_len(c, from, left) : left;
		from += skip;
		left -= skip;
		buf_add(out, REPLACEMENT, REPLACEMENT_LEN);
		replaced++;
	}
	add_kept_back(out, c);
	return replaced;
}

/* RFC 1843, which iconv does not know: GB 2312 between ~{ and ~}. */
static void
add_hz_as_gb(struct buf *out, const char *bytes, size_t len)
{
	bool chinese = false;

	for (size_t i = 0; i < len; i++) {
		char c = bytes[i], next = i + 1 < len ? bytes[i + 1] : '\0';

		if (c == '~' && (next == '{' || next == '}')) {
			chinese = next == '{';
			i++;
		} else if (c == '~' && !chinese && (next == '~' || next == '\n')) {
			if (next == '~')
				buf_addc(out, '~');
			i++;
		} else if (c == '\n') { /* a line ends in ASCII */
			chinese = false;
			buf_addc(out, c);
		} else {
			buf_addc(out, chinese && c > ' ' ? (char)(c | 0x80) : c);
		}
	}
}

/*
 * ISO-2022-JP as EUC-JP.  Mail under this name has the characters of NEC and IBM, half-width
 * Katakana, JIS X 0212 and JIS X 0213 (ISO-2022-JP-1, -3, -2004, -MS, CP50221), at which iconv's
 * converter ends.
 */
static void
add_jis_as_euc(struct buf *out, const char *bytes, size_t len)
{
	enum { ROMAN, KANA, KANJI, SUPPLEMENT } set = ROMAN;

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)bytes[i];
		const char *rest = bytes + i + 1;
		size_t left = len - i - 1;

		if (c == 0x1B && left >= 2 && rest[0] == '(') {
			set = rest[1] == 'I' ? KANA : ROMAN;
			i += 2;
		} else if (c == 0x1B && left >= 3 && rest[0] == '$' && rest[1] == '(') {
			/* JIS X 0212, and the second plane of JIS X 0213 */
			set = rest[2] == 'D' || rest[2] == 'P' ? SUPPLEMENT : KANJI;
			i += 3;
		} else if (c == 0x1B && left >= 2 && rest[0] == '$') {
			set = KANJI;
			i += 2;
		} else if (c == 0x0E || c == 0x0F) { /* the shifts of seven-bit JIS X 0201 */
			set = c == 0x0E ? KANA : ROMAN;
		} else if (c <= 0x20 || set == ROMAN) {
			if (c == '\n') /* RFC 1468: a line ends in ASCII */
				set = ROMAN;
			if (c >= 0xA1 && c <= 0xDF)
				buf_addc(out, (char)0x8E);
			buf_addc(out, (char)c);
		} else if (set == KANA) {
			buf_addc(out, (char)0x8E);
			buf_addc(out, (char)(c | 0x80));
		} else {
			if (set == SUPPLEMENT)
				buf_addc(out, (char)0x8F);
			buf_addc(out, (char)(c | 0x80));
			if (left > 0 && (unsigned char)rest[0] > 0x20) {
				buf_addc(out, (char)(rest[0] | 0x80));
				i++;
			}
		}
	}
}

static bool
has_jisx0213(const char *bytes, size_t len)
{
	return memmem(bytes, len, "\033$(O", 4) != NULL ||
	       memmem(bytes, len, "\033$(P", 4) != NULL || memmem(bytes, len, "\033$(Q", 4) != NULL;
}

/* Bytes brought into another charset first. */
static size_t
add_by_way(struct buf *out, void (*way)(struct buf *, const char *, size_t), const char *name,
    const char *bytes, size_t len)
{
	struct converter *c = converter_find(name);
	struct buf other;
	size_t replaced;

	buf_init(&other, SIZE_MAX / 4);
	way(&other, bytes, len);
	if (c->handle == (iconv_t)-1)
		replaced = add_utf8_repaired(out, other.data, other.len);
	else
		replaced = add_by_iconv(out, c, other.data, other.len);
	buf_free(&other);
	return replaced;
}

static void
add_as_is(struct buf *out, const char *bytes, size_t len)
{
	buf_add(out, bytes, len);
}

/* By the letter of the name where that is possible, so that the same text has the same characters
 * as elsewhere; else by what its senders have put into it. */
static size_t
add_japanese(struct buf *out, struct converter *c, const char *bytes, size_t len)
{
	bool jis = strcmp(c->name, "iso-2022-jp") == 0;
	size_t before = out->len, replaced;

	replaced = c->handle == (iconv_t)-1 ? 1 : add_by_iconv(out, c, bytes, len);
	/* iconv hands an escape sequence through that it does not know. */
	if (out->over ||
	    (replaced == 0 && memchr(out->data + before, 0x1B, out->len - before) == NULL))
		return replaced;
	out->len = before;
	return add_by_way(out, jis ? add_jis_as_euc : add_as_is,
	    jis && has_jisx0213(bytes, len) ? "euc-jisx0213" : "euc-jp-ms", bytes, len);
}

static size_t
add_by_table(struct buf *out, const uint16_t *table, const char *bytes, size_t len)
{
	size_t replaced = 0;

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)bytes[i];
		unsigned character = c < 0x80 ? c : table[c - 0x80];

		replaced += character == 0xFFFD;
		add_character(out, character);
	}
	return replaced;
}

/* What has no charset, or one that nobody knows. */
static const char *
charset_guess(const char *bytes, size_t len)
{
	/* Old Japanese programs say nothing, and mean it: seven bits and escape sequences. */
	if (memchr(bytes, 0x1B, len) != NULL && text_is_ascii(bytes, len) &&
	    (memmem(bytes, len, "\033$B", 3) != NULL || memmem(bytes, len, "\033$@", 3) != NULL))
		return "iso-2022-jp";
	return text_is_utf8(bytes, len) ? "utf-8" : "windows-1252";
}

static size_t
add_converted(struct buf *out, const char *name, const char *bytes, size_t len)
{
	struct converter *c;

	if (strcmp(name, "utf-8") == 0)
		return add_utf8_repaired(out, bytes, len);
	if (strcmp(name, "hz-gb-2312") == 0)
		return add_by_way(out, add_hz_as_gb, "gb18030", bytes, len);
	if (charset_mac(name) != NULL)
		return add_by_table(out, charset_mac(name), bytes, len);
	c = converter_find(name);
	if (strcmp(name, "iso-2022-jp") == 0 || strcmp(name, "euc-jp") == 0)
		return add_japanese(out, c, bytes, len);
	if (c->handle != (iconv_t)-1)
		return add_by_iconv(out, c, bytes, len);
	name = charset_guess(bytes, len);
	if (strcmp(name, "utf-8") != 0) {
		c = converter_find(name);
		if (c->handle != (iconv_t)-1)
			return add_by_iconv(out, c, bytes, len);
	}
	return add_utf8_repaired(out, bytes, len);
}

size_t
mime_convert(struct buf *out, const char *charset, const char *bytes, size_t len)
{
	char name[CHARSET_SIZE];
	size_t before = out->len, replaced;

	if (len == 0)
		return 0;
	replaced = add_converted(
	    out, charset_name(charset, name) ? name : charset_guess(bytes, len), bytes, len);
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
charset_setup(void)
{
	if (converter_count > 0)
		return;
	for (size_t i = 0; i < G_N_ELEMENTS(warm_charsets); i++)
		converter_add(warm_charsets[i]);
}
