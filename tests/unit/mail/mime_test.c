/* Charsets, encoded words, the tree of parts and what GMime is kept from while it makes it. */

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "mail/mime.h"

static const struct mime_limits limits = { .depth = 20, .parts = 100, .fields = 100 };

static const struct {
	const char *reason;
	const char *charset;
	const char *bytes;
	const char *utf8;
	size_t replaced;
} charset_cases[] = {
	{ "UTF-8", "UTF-8", "\u00fc", "\u00fc", 0 },
	{ "overlong and surrogates", "utf8", "\xc0\xaf\xed\xa0\x80x",
	    "\ufffd\ufffd\ufffd\ufffd\ufffdx", 5 },
	{ "ascii that is UTF-8", "us-ascii", "\u00fc", "\u00fc", 0 },
	{ "ascii that is not", "us-ascii", "\xfc", "\u00fc", 0 },
	{ "nothing said", NULL, "\xfc\x80", "\u00fc\u20ac", 0 },
	{ "unknown", "x-no-such", "\xfc", "\u00fc", 0 },
	{ "iso-8859-1 means windows-1252", "ISO-8859-1", "\x93q\x94", "\u201cq\u201d", 0 },
	{ "holes of windows-1252", "windows-1252",
	    "a\x81"
	    "b",
	    "a\ufffd"
	    "b",
	    1 },
	{ "iso-8859-15", "iso-8859-15", "\xa4", "\u20ac", 0 },
	{ "koi8-r", "koi8-r", "\xd0\xd2", "\u043f\u0440", 0 },
	{ "windows-1251", "windows-1251", "\xef\xf0", "\u043f\u0440", 0 },
	{ "gb2312 means gb18030", "gb2312", "\xc4\xe3\x95\x32\x82\x36", "\u4f60\U00020000", 0 },
	{ "big5", "Big5", "\xa7\x41", "\u4f60", 0 },
	{ "euc-kr", "euc-kr", "\xb0\xa1", "\uac00", 0 },
	{ "ks_c_5601-1987", "ks_c_5601-1987", "\xb0\xa1", "\uac00", 0 },
	{ "shift_jis", "Shift_JIS", "\x93\xfa", "\u65e5", 0 },
	{ "euc-jp", "euc-jp", "\xc6\xfc", "\u65e5", 0 },
	{ "iso-2022-jp", "iso-2022-jp", "\033$BF|\033(B.", "\u65e5.", 0 },
	{ "iso-2022-jp that is not", "iso-2022-jp", "\xfc.", "\ufffd.", 1 },
	{ "cut character", "shift_jis", "a\x93", "a\ufffd", 1 },
	{ "utf-7", "utf-7", "J+APw-", "J\u00fc", 0 },
	{ "quotes twice, and what follows a forgotten semicolon", "'UTF-8'; format=flowed",
	    "\u00fc", "\u00fc", 0 },
	{ "win-1251", "win-1251", "\xef", "\u043f", 0 },
	{ "x-cp1251", "x-cp1251", "\xef", "\u043f", 0 },
	{ "latin-1", "Latin-1", "\x80", "\u20ac", 0 },
	{ "iso8859_15", "iso8859_15", "\xa4", "\u20ac", 0 },
	{ "cp866", "cp866", "\xaf", "\u043f", 0 },
	{ "korean", "Korean", "\xb0\xa1", "\uac00", 0 },
	{ "x-mac-roman", "x-mac-roman", "\x9f", "\u00fc", 0 },
	{ "macintosh", "Macintosh", "\xc6\xdb", "\u2206\u20ac", 0 },
	{ "x-mac-ukrainian", "x-mac-ukrainian", "\xff", "\u20ac", 0 },
	{ "big5's own", "big5", "\xa1\x5a\xa1\xc3\xa1\xc5", "\u2574\uffe3\u02cd", 0 },
	{ "x-mac-cyrillic", "x-mac-cyrillic", "\xef", "\u043f", 0 },
	{ "x-mac-ce", "x-mac-ce", "\x9f", "\u00fc", 0 },
	{ "x-mac-greek", "x-mac-greek", "\xe1", "\u03b1", 0 },
	{ "x-mac-turkish", "x-mac-turkish", "\xdd", "\u0131", 0 },
	{ "hz-gb-2312", "HZ-GB-2312", "a~~~{Dc:C~}b\n~{Dc\nx", "a~\u4f60\u597db\n\u4f60\nx", 0 },
	{ "iso-2022-jp: NEC's characters", "iso-2022-jp", "\033$B-!\033(B\033$BF|\033(B.",
	    "\u2460\u65e5.", 0 },
	{ "iso-2022-jp: half-width Katakana", "iso-2022-jp", "\033(I1\033(B.", "\uff71.", 0 },
	{ "iso-2022-jp: no way back to ASCII", "iso-2022-jp", "\033$BF|\n-!\n\033$B-!\n.",
	    "\u65e5\n-!\n\u2460\n.", 0 },
	{ "iso-2022-jp-1", "iso-2022-jp-1", "\033$(D0!\033(B.", "\u4e02.", 0 },
	{ "iso-2022-jp-2", "iso-2022-jp-2", "\033$AR;\033(B.", "\u4e00.", 0 },
	{ "iso-2022-jp-2004", "iso-2022-jp-2004", "\033$(Q.!\033(B.", "\u4ff1.", 0 },
	{ "cp50221", "cp50221", "\033$B-!\033(B", "\u2460", 0 },
	{ "euc-jp with NEC's characters", "euc-jp", "\xad\xa1", "\u2460", 0 },
	{ "escape sequences among eight bits", NULL, "\xe9\033$BF|.", "\u00e9\033$BF|.", 0 },
	{ "iso-2022-jp that nobody says", NULL, "\033$BF|\033(B.", "\u65e5.", 0 },
	{ "iso-2022-kr", "iso-2022-kr", "\033$)C\016\060\041\017.", "\uac00.", 0 },
	{ "windows-1255: what is kept back for a point to come", "windows-1255", "\xe5\xed",
	    "\u05d5\u05dd", 0 },
	{ "the same before what cannot be decoded", "windows-1255", "\xe5\xff\xe5",
	    "\u05d5\ufffd\u05d5", 1 },
	{ "the same of big5-hkscs", "big5", "\x88\x66", "\u00ca", 0 },
	{ "utf-16 with a mark", "utf-16", "\xff\xfe\xfc\x01", "\u01fc", 0 },
	{ "two bytes that are none", "gb18030", "\xc4\xe3\xff\xff\xc4\xe3", "\u4f60\ufffd\u4f60",
	    1 },
	{ "a cut character of UTF-8", "utf-8", "\xe3\x81", "\ufffd", 1 },
	{ "a name with an option", "utf-8//IGNORE", "\xfc", "\u00fc", 0 },
	{ "a name that is a path", "../../x", "\xfc", "\u00fc", 0 },
};

static void
test_charsets(void **state)
{
	(void)state;
	/* Twice: converters are kept, and must not keep a state. */
	for (size_t i = 0; i < 2 * sizeof(charset_cases) / sizeof(charset_cases[0]); i++) {
		size_t n = i % (sizeof(charset_cases) / sizeof(charset_cases[0]));
		struct buf out;
		size_t replaced;

		buf_init(&out, 4096);
		replaced = mime_convert(&out, charset_cases[n].charset, charset_cases[n].bytes,
		    strlen(charset_cases[n].bytes));
		if (strcmp(out.data, charset_cases[n].utf8) != 0 ||
		    replaced != charset_cases[n].replaced)
			fail_msg(
			    "%s: %s, replaced %zu", charset_cases[n].reason, out.data, replaced);
		buf_free(&out);
	}
}

/* More charsets than there are places for, over and over. */
static void
test_converters_are_bounded(void **state)
{
	(void)state;
	for (int i = 0; i < 200; i++) {
		char name[32];
		struct buf out;

		snprintf(name, sizeof(name), i % 2 ? "iso-8859-%d" : "x-none-%d", i % 17);
		buf_init(&out, 4096);
		mime_convert(&out, name, "a\xe9", 2);
		assert_in_range(out.len, 2, 4);
		buf_free(&out);
	}
}

static const struct {
	const char *value;
	const char *decoded;
} value_cases[] = {
	{ "plain", "plain" },
	{ "  a\r\n b\r\n\tc ", "a b c" },
	{ "=?utf-8?Q?a_b=5F?=", "a b_" },
	{ "=?utf-8?Q?a?= =?utf-8?Q?b?= c =?utf-8?Q?d?=", "ab c d" },
	{ "=?utf-8?Q?a?=\r\n\t=?utf-8?Q?b?=", "ab" },
	{ "=?utf-8?B?YQ==?= =?utf-8?B?Yg==?=", "ab" },
	{ "=?utf-8?Q?=C3?= =?utf-8?Q?=BC?=", "\u00fc" },
	{ "=?utf-8?Q?=C3?= x =?utf-8?Q?=BC?=", "\ufffd x \ufffd" },
	{ "=?iso-8859-1?Q?=FC?= =?utf-8?Q?=C3=BC?=", "\u00fc\u00fc" },
	{ "=?utf-8*en?q?x?=", "x" },
	{ "a=?utf-8?q?x?=b", "axb" },
	{ "=?utf-8?q?two words?=", "two words" },
	{ "=?utf-8?q?why?"
	  "?=",
	    "why?" },
	{ "=?utf-8?x?y?=", "=?utf-8?x?y?=" },
	{ "=?utf-8?q?open", "=?utf-8?q?open" },
	{ "=??q?x?=", "=??q?x?=" },
	{ "=?utf-8?q?=0D=0A=00=1B=7F=C2=85=E2=80=A8.?=", "." },
	{ "\u00fc \xfc", "\u00c3\u00bc \u00fc" },
};

static void
test_values(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(value_cases) / sizeof(value_cases[0]); i++) {
		char *got = mime_decode_value(value_cases[i].value, strlen(value_cases[i].value));

		if (strcmp(got, value_cases[i].decoded) != 0)
			fail_msg("%s: %s", value_cases[i].value, got);
		assert_null(strpbrk(got, "\r\n"));
		free(got);
	}
}

/* Linear in time, whatever is repeated: a test that does not end is how it shows. */
static void
test_hostile_values(void **state)
{
	static const char *const units[] = { "=?", "=?a?q?", "=?a?q?x ? ", "=?a?b?x",
		"=?a?q?x?= ", "=?utf-8?b?////?=", "\r\n ", "!~0!~", "=" };

	(void)state;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		struct mime_mask mask;
		struct buf value;

		buf_init(&value, SIZE_MAX / 4);
		while (value.len < 500000)
			buf_adds(&value, units[i]);
		free(mime_decode_value(value.data, value.len));
		mime_mask_init(&mask, value.data, value.len);
		free(mime_mask_decode(&mask, mask.text));
		mime_mask_free(&mask);
		buf_free(&value);
	}
}

/* --- the tree -------------------------------------------------------------- */

#define MIXED "Content-Type: multipart/mixed; boundary=b\n\n"

/* The parts in their order: a + for each level, the type, and the body, line ends as "|". */
static const struct {
	const char *reason;
	const char *content;
	const char *parts;
} trees[] = {
	{ "a body", "From: a\n\nbody\n", "text/plain(body|)" },
	{ "another type", "Content-Type: Text/HTML\n\n<p>\n", "text/html(<p>|)" },
	{ "nothing at all", "", "text/plain()" },
	{ "a header and nothing else", "From: a\n", "text/plain()" },
	{ "preamble and epilogue",
	    "Content-Type: multipart/mixed; boundary=\"b c\"\n\npre\n--b c\n\none\n--b c\n"
	    "Content-Type: text/html\n\ntwo\n\n--b c--\npost\n",
	    "multipart/mixed +text/plain(one) +text/html(two|)" },
	{ "a boundary that begins like that around it",
	    MIXED "--b\nContent-Type: multipart/alternative; boundary=bb\n\n--bb\n\nx\n--bb\n"
		  "Content-Type: text/html\n\ny\n--bb--\n\n--b\nContent-Type: image/png\n"
		  "Content-Transfer-Encoding: base64\n\nAAAA\n--b--\n",
	    "multipart/mixed +multipart/alternative ++text/plain(x) ++text/html(y) "
	    "+image/png(AAAA)" },
	{ "the inner one is not closed",
	    MIXED "--b\nContent-Type: multipart/related; boundary=c\n\n--c\n\nnever closed\n--b\n"
		  "\nlast\n--b--\n",
	    "multipart/mixed +multipart/related ++text/plain(never closed) +text/plain(last)" },
	{ "the outer one is not closed", MIXED "--b\n\n\n\n--b\n\nx",
	    "multipart/mixed +text/plain(|) +text/plain(x)" },
	{ "a boundary in pieces",
	    "Content-Type: multipart/mixed;\n boundary*0=ab;\n boundary*1=cd\n\n"
	    "--abcd\n\nx\n--abcd--\n",
	    "multipart/mixed +text/plain(x)" },
	{ "what is no delimiter",
	    MIXED "--b  \n\nspaces\n--b\t\n\n--bx\n-- b\n--\nx --b\n--b--  \n",
	    "multipart/mixed +text/plain(spaces) +text/plain(--bx|-- b|--|x --b)" },
	{ "a message within is left whole",
	    MIXED "--b\nContent-Type: message/rfc822\n\nSubject: s\nContent-Type: multipart/mixed; "
		  "boundary=c\n\n--c\n\nx\n--c--\n--b\n\ny\n--b--\n",
	    "multipart/mixed +message/rfc822(Subject: s|Content-Type: multipart/mixed; "
	    "boundary=c||--c||x|--c--) +text/plain(y)" },
	{ "a message is all there is", "Content-Type: message/rfc822\n\nSubject: s\n\nx\n",
	    "message/rfc822(Subject: s||x|)" },
	{ "a digest",
	    "Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: s\n\nx\n--b--\n",
	    "multipart/digest +message/rfc822(Subject: s||x)" },
	{ "the last of two types",
	    MIXED "--b\nContent-Type: text/html\nContent-Type: "
		  "image/png\n\nx\n--b--\n",
	    "multipart/mixed +image/png(x)" },
	{ "a part of a header only",
	    MIXED "--b\nContent-Type: text/html\n--b\nContent-Type: image/png\n\nAA\n--b--\n",
	    "multipart/mixed +text/html() +image/png(AA)" },
	{ "a multipart without a boundary", "Content-Type: multipart/mixed\n\n--b\n\nx\n",
	    "text/plain(--b||x|)" },
	{ "a multipart without parts", MIXED "never split\n", "text/plain(never split|)" },
	{ "only its end", MIXED "--b--\nafter\n", "text/plain(after|)" },
	{ "an mbox line", "From a@b Mon Nov 23\nSubject: s\n\nx\n", "text/plain(x|)" },
	{ "a malformed first line", "so it goes\nTo: a\n" MIXED "--b\n\nx\n--b--\n",
	    "multipart/mixed +text/plain(x)" },
	{ "a folded first line", " so\n it goes\nX: a\n\nx\n", "text/plain(x|)" },
	{ "no header", "hello world\nand more\n\nx\n", "text/plain(hello world|and more||x|)" },
	{ "no empty line after the header", "Subject: s\nhello world\n\nx\n",
	    "text/plain(hello world||x|)" },
	{ "a malformed line within the header", "Subject: s\nhello world\nBcc: a\n\nx\n",
	    "text/plain(x|)" },
	{ "no header and no line end", "hello", "text/plain(hello)" },
	{ "boundaries that end with white space",
	    "Content-Type: multipart/mixed;\n\tBoundary=\"b \t\"\n\n--b\nContent-Type: "
	    "multipart/related; boundary=\"c \"\n\n--c\n\nx\n--c--\n--b--\n",
	    "multipart/mixed +multipart/related ++text/plain(x)" },
	{ "no empty line in a part", MIXED "--b\nhello world\nmore\n\nx\n--b--\n",
	    "multipart/mixed +text/plain(hello world|more||x)" },
	{ "nor before hyphens", MIXED "--b\n-- \nAnn\n--b\n--x\n--b\n--b--\n",
	    "multipart/mixed +text/plain(-- |Ann) +text/plain(--x)" },
	{ "but a malformed line in a header that goes on is no text",
	    MIXED "--b\nhello world\nContent-Type: text/html\n\nx\n--b--\n",
	    "multipart/mixed +text/html(x)" },
	{ "nor in one within",
	    MIXED "--b\nContent-Type: multipart/related; boundary=c\n\n--c \nhello\n--c--\n--b--\n",
	    "multipart/mixed +multipart/related ++text/plain(hello)" },
	{ "what is no delimiter may stand before such a line",
	    MIXED "--b\n\n--x\nhello\n-- \nAnn\n--b--\n",
	    "multipart/mixed +text/plain(--x|hello|-- |Ann)" },
	{ "a type that cannot be read", "Content-Type: text\n\nx\n", "text/plain(x|)" },
	{ "the same of a file", MIXED "--b\nContent-Type: pdf; name=a.pdf\n\nx\n--b--\n",
	    "multipart/mixed +application/octet-stream(x)" },
	{ "a type without parameters' semicolon", "Content-Type: text/html charset=x\n\nx\n",
	    "text/html(x|)" },
	{ "no line end in a part's header", MIXED "--b\nhello",
	    "multipart/mixed +text/plain(hello)" },
};

static void
tree_print(const struct mime *mime, struct buf *out)
{
	for (size_t i = 0; i < mime->part_count; i++) {
		const struct mime_part *part = &mime->parts[i];

		buf_addf(out, "%s%.*s%s", i == 0 ? "" : " ", (int)part->depth, "++++", part->type);
		if (part->kind == MIME_MULTIPART)
			continue;
		buf_addc(out, '(');
		for (size_t j = 0; j < part->body_len; j++)
			if (part->body[j] != '\r')
				buf_addc(out, part->body[j] == '\n' ? '|' : part->body[j]);
		buf_addc(out, ')');
	}
}

/* With either line end. */
static void
test_trees(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * sizeof(trees) / sizeof(trees[0]); i++) {
		size_t n = i / 2, figure;
		struct buf content, got;
		struct mime mime;

		buf_init(&content, 1 << 20);
		buf_init(&got, 1 << 20);
		buf_adds(&content, "");
		for (const char *c = trees[n].content; *c != '\0'; c++) {
			if (*c == '\n' && i % 2 == 1)
				buf_addc(&content, '\r');
			buf_addc(&content, *c);
		}
		assert_int_equal(mime_parse(&mime, content.len > 0 ? content.data : "", content.len,
				     &limits, &figure),
		    MIME_DONE);
		tree_print(&mime, &got);
		if (strcmp(got.data, trees[n].parts) != 0)
			fail_msg("%s: %s", trees[n].reason, got.data);
		mime_free(&mime);
		buf_free(&content);
		buf_free(&got);
	}
}

/* GMime gives up at a line without a colon that is longer than its buffer. */
static void
test_long_lines(void **state)
{
	static const char after[] = "\n\nx\n--b\nContent-Type: image/png\n\nAA\n--b--\n";
	struct buf content;
	struct mime mime;
	size_t figure;

	(void)state;
	for (int i = 0; i < 3; i++) {
		buf_init(&content, 1 << 20);
		/* in a part's header; in the top header; where the top header should be */
		buf_adds(&content, i == 0 ? MIXED "--b\n" : i == 1 ? "Subject: s\n" : "");
		for (int j = 0; j < 9000; j++)
			buf_addc(&content, 'z');
		buf_adds(&content, i == 1 ? "\nTo: a\n" MIXED "--b\n" : "");
		buf_adds(&content, after);
		assert_int_equal(
		    mime_parse(&mime, content.data, content.len, &limits, &figure), MIME_DONE);
		if (i < 2) {
			assert_int_equal(mime.part_count, 3);
			assert_int_equal(mime.parts[1].body_len, i == 0 ? 9000 + 3 : 2);
			assert_string_equal(mime.parts[2].type, "image/png");
			assert_memory_equal(mime.parts[2].body, "AA", 2);
		} else {
			assert_int_equal(mime.part_count, 1);
			assert_int_equal(mime.parts[0].body_len, content.len);
		}
		mime_free(&mime);
		buf_free(&content);
	}

	/* After a header, with a line before it that is left out. */
	buf_init(&content, 1 << 20);
	buf_adds(&content, "garbage\nSubject: s\n");
	for (int j = 0; j < 9000; j++)
		buf_addc(&content, 'z');
	buf_adds(&content, after);
	assert_int_equal(mime_parse(&mime, content.data, content.len, &limits, &figure), MIME_DONE);
	assert_int_equal(mime.part_count, 1);
	assert_int_equal(mime.parts[0].body_len, 9000 + strlen(after));
	mime_free(&mime);
	buf_free(&content);

	/* Over and over: then the body is text, all of it. */
	buf_init(&content, 1 << 20);
	buf_adds(&content, MIXED);
	for (int i = 0; i < 20; i++) {
		buf_adds(&content, "--b\n");
		for (int j = 0; j < 9000; j++)
			buf_addc(&content, 'z');
		buf_adds(&content, "\n\n");
	}
	assert_int_equal(mime_parse(&mime, content.data, content.len, &limits, &figure), MIME_DONE);
	assert_int_equal(mime.part_count, 1);
	assert_int_equal(mime.parts[0].body_len, content.len - strlen(MIXED));
	mime_free(&mime);
	buf_free(&content);
}

/* Too many parameters are not read; what only looks like them is text and stays. */
static void
test_parameters(void **state)
{
	struct buf content;
	struct mime mime;
	size_t figure, at;

	(void)state;
	buf_init(&content, SIZE_MAX / 4);
	buf_adds(&content, "Content-Type: text/html; charset=x");
	while (content.len < 1000000)
		buf_adds(&content, ";\n a=b");
	buf_adds(&content, "; format=flowed\nSubject: s\n\n");
	at = content.len;
	buf_adds(&content, "one\nContent-Type: text/html");
	while (content.len < 2000000)
		buf_adds(&content, ";\n a=b");
	buf_adds(&content, "\ntwo");
	assert_int_equal(mime_parse(&mime, content.data, content.len, &limits, &figure), MIME_DONE);
	assert_int_equal(mime.field_count, 2);
	assert_true(mime_field_is(&mime.fields[1], "Subject"));
	char *charset = mime_part_parameter(&mime.parts[0], "charset");
	assert_string_equal(charset, "x");
	free(charset);
	assert_null(mime_part_parameter(&mime.parts[0], "format"));
	assert_ptr_equal(mime.parts[0].body, content.data + at);
	assert_int_equal(mime.parts[0].body_len, content.len - at);
	mime_free(&mime);
	buf_free(&content);
}

/* The same at the end of a body, where it is the end that must not be harmed. */
static void
test_parameters_at_end(void **state)
{
	static const char *const ends[] = { "\r\n--b--\r\n", "\n--b--\r\n", "\n--b--\n",
		"\r\n--b--\n", "" };

	(void)state;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		struct buf content;
		struct mime mime;
		size_t figure, at;

		buf_init(&content, SIZE_MAX / 4);
		buf_adds(&content, MIXED "--b\n\n--x\nContent-Type: text/html");
		at = strlen(MIXED "--b\n\n");
		while (content.len < 40000)
			buf_adds(&content, "; a=b");
		figure = content.len - at;
		buf_adds(&content, ends[i]);
		size_t body_len = figure;
		assert_int_equal(
		    mime_parse(&mime, content.data, content.len, &limits, &figure), MIME_DONE);
		assert_int_equal(mime.part_count, 2);
		assert_ptr_equal(mime.parts[1].body, content.data + at);
		assert_int_equal(mime.parts[1].body_len, body_len);
		mime_free(&mime);
		buf_free(&content);
	}
}

/* 10 MB of what GMime by itself would take gigabytes, minutes or the stack for. */
static void
test_hostile_contents(void **state)
{
	static const struct mime_limits usual = { .depth = 100, .parts = 1000, .fields = 1000 };
	static const struct {
		const char *before;
		const char *repeated;
		enum mime_end end;
	} cases[] = {
		{ MIXED, "--b\n", MIME_DONE }, /* without header and body it is no part */
		{ MIXED, "--b\n\n", MIME_TOO_MANY_PARTS },
		{ MIXED, "--b\n\nx\n", MIME_TOO_MANY_PARTS },
		{ MIXED, "--b\nContent-Type: multipart/a; boundary=c\n\n", MIME_TOO_MANY_PARTS },
		{ MIXED, "--b\na:\n", MIME_TOO_MANY_PARTS },
		{ "", MIXED "--b\n", MIME_TOO_DEEP },
		{ "", "a:\n", MIME_TOO_MANY_FIELDS },
		{ MIXED "--b\n", "a:\n", MIME_TOO_MANY_FIELDS },
		{ MIXED "--b\nContent-Type: a/b", "; a=b", MIME_DONE },
		{ "", "Content-Type: message/rfc822\n\n", MIME_DONE },
		{ MIXED, "--\n", MIME_DONE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf content;
		struct mime mime;
		size_t figure;
		enum mime_end end;

		buf_init(&content, SIZE_MAX / 4);
		buf_adds(&content, cases[i].before);
		while (content.len < 10000000)
			buf_adds(&content, cases[i].repeated);
		end = mime_parse(&mime, content.data, content.len, &usual, &figure);
		if (end != cases[i].end)
			fail_msg("%s: %d", cases[i].repeated, (int)end);
		mime_free(&mime);
		buf_free(&content);
	}
}

static void
test_nesting(void **state)
{
	static const struct mime_limits usual = { .depth = 100, .parts = 1000, .fields = 1000 };

	(void)state;
	for (size_t depth = 100; depth <= 10000; depth = depth == 100 ? 101 : depth * 3) {
		struct buf content;
		struct mime mime;
		size_t figure;

		buf_init(&content, SIZE_MAX / 4);
		for (size_t i = 0; i < depth; i++)
			buf_addf(&content,
			    "Content-Type: multipart/mixed; boundary=b%zu\n\n--b%zu\n", i, i);
		buf_adds(&content, "\ndeep\n");
		/* Each such line would be compared with each boundary. */
		for (size_t i = 0; i < 1000000 && depth > 1000; i++)
			buf_adds(&content, "--\n");
		assert_int_equal(mime_parse(&mime, content.data, content.len, &usual, &figure),
		    depth == 100 ? MIME_DONE : MIME_TOO_DEEP);
		mime_free(&mime);
		buf_free(&content);
	}
}

/* Nothing of this is an attack. */
static void
test_large_mails(void **state)
{
	static const struct mime_limits usual = { .depth = 100, .parts = 1000, .fields = 1000 };
	struct buf content;
	struct mime mime;
	size_t figure, at;

	(void)state;
	buf_init(&content, SIZE_MAX / 4);
	buf_adds(&content, MIXED "--b\nContent-Type: text/x-patch\n\n");
	at = content.len;
	while (content.len < 5000000)
		buf_adds(&content, "--- a/file.yaml\n+++ b/file.yaml\n-- old\n+key: value\n");
	figure = content.len - at - 1;
	buf_adds(&content, "--b--\n");
	size_t diff_len = figure;
	assert_int_equal(mime_parse(&mime, content.data, content.len, &usual, &figure), MIME_DONE);
	assert_int_equal(mime.part_count, 2);
	assert_ptr_equal(mime.parts[1].body, content.data + at);
	assert_int_equal(mime.parts[1].body_len, diff_len);
	mime_free(&mime);
	buf_clear(&content);

	buf_adds(&content, "Content-Type: multipart/digest; boundary=b\n\n");
	for (int i = 0; i < 200; i++) {
		buf_addf(&content, "--b\n\nSubject: %d\n", i);
		for (int j = 0; j < 20; j++)
			buf_addf(&content, "X-Field-%d: value\n", j);
		buf_adds(&content, MIXED "--b2\n\nx\n--b2--\n");
	}
	buf_adds(&content, "--b--\n");
	assert_int_equal(mime_parse(&mime, content.data, content.len, &usual, &figure), MIME_DONE);
	assert_int_equal(mime.part_count, 201);
	for (size_t i = 1; i < mime.part_count; i++)
		assert_int_equal(mime.parts[i].kind, MIME_MESSAGE);
	mime_free(&mime);
	buf_free(&content);
}

static void
test_header(void **state)
{
	static const char content[] = "garbage\r\nA: 1\r\n folded\r\nB : 2\r\nX-\xc3\xbc: 3\r\n "
				      "gone\r\nC:\r\nSubject: s\r\n\r\nD: 4\r\n";
	struct mime mime;
	size_t figure;

	(void)state;
	assert_int_equal(
	    mime_parse(&mime, content, sizeof(content) - 1, &limits, &figure), MIME_DONE);
	assert_int_equal(mime.field_count, 4);
	assert_true(mime_field_is(&mime.fields[0], "a"));
	assert_memory_equal(mime.fields[0].value, " 1\r\n folded", mime.fields[0].value_len);
	assert_true(mime_field_is(&mime.fields[1], "B"));
	assert_true(mime_field_is(&mime.fields[2], "C"));
	assert_int_equal(mime.fields[2].value_len, 0);
	assert_int_equal(mime.header_len, sizeof(content) - 1 - strlen("\r\nD: 4\r\n"));
	assert_memory_equal(mime.parts[0].body, "D: 4\r\n", 6);
	mime_free(&mime);
}

static void
test_encodings(void **state)
{
	static const struct {
		const char *encoding;
		const char *body;
		const char *decoded;
	} cases[] = {
		{ "7bit", "a\r\nb", "a\r\nb" },
		{ "Base64", "YWJj\r\nZA==\r\n", "abcd" },
		{ "base64", "YQ==YmM=", "abc" },
		{ "base64", "Y W!J j", "abc" },
		{ "base64", "YWJ", "ab" },
		{ "base64", "YQ==\r\n\r\n_____\r\nA list\r\n", "a" },
		{ "base64", "====Y===", "" },
		{ " quoted-printable (x)", "a=3D=\r\nb =\r\n", "a=b " },
		{ "quoted-printable", "=e4=E4=\n= \t\r\n=4=x4==\r\n=", "\xe4\xe4=4=x4=" },
		{ "\"base64\"", "YWJj", "abc" },
		{ "(x) base64;", "YWJj", "abc" },
		{ "base64 charset=utf-8", "YWJj", "abc" },
		{ "base64x", "YWJj", "YWJj" },
		{ "x-uuencode", "begin 644 x\r\n#86)C\r\n`\r\nend\r\n", "abc" },
		{ "nobody-knows", "abc", "abc" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf content, out;
		struct mime mime;
		size_t figure;

		buf_init(&content, 4096);
		buf_init(&out, 4096);
		buf_addf(&content, "Content-Transfer-Encoding: %s\r\n\r\n%s", cases[i].encoding,
		    cases[i].body);
		assert_int_equal(
		    mime_parse(&mime, content.data, content.len, &limits, &figure), MIME_DONE);
		mime_part_decode(&mime.parts[0], &out);
		if (out.len != strlen(cases[i].decoded) ||
		    memcmp(out.len > 0 ? out.data : "", cases[i].decoded, out.len) != 0)
			fail_msg("%s of %s: %s", cases[i].encoding, cases[i].body, out.data);
		mime_free(&mime);
		buf_free(&content);
		buf_free(&out);
	}
}

/* GMime does not see the inside of large bodies; their bounds are what they are. */
static void
test_large_bodies(void **state)
{
	static const char *const fillings[] = { "AAAA\n", "A", "\n", "-", "\r\n", "-\n", "- -\n",
		"--x\n", "\n--", "a: b\n\n", "-----\nx\n\n" };
	static const struct mime_limits usual = { .depth = 100, .parts = 1000, .fields = 1000 };

	(void)state;
	for (size_t i = 0; i < 3 * sizeof(fillings) / sizeof(fillings[0]); i++) {
		size_t figure, first, first_len, second;
		struct buf content;
		struct mime mime;

		buf_init(&content, SIZE_MAX / 4);
		buf_adds(&content, MIXED "preamble\n--b\nContent-Type: multipart/related; "
					 "boundary=c\n\n--c\nContent-Type: image/png\n\n");
		first = content.len;
		while (content.len < first + (i % 3 + 1) * 16300)
			buf_adds(&content, fillings[i / 3]);
		first_len = content.len - first;
		buf_adds(&content, "\n--c--\n--b\nContent-Type: image/gif\n\n");
		second = content.len;
		while (content.len < second + 100000)
			buf_adds(&content, fillings[i / 3]);
		assert_int_equal(
		    mime_parse(&mime, content.data, content.len, &usual, &figure), MIME_DONE);
		assert_int_equal(mime.part_count, 4);
		assert_string_equal(mime.parts[2].type, "image/png");
		assert_string_equal(mime.parts[3].type, "image/gif");
		assert_ptr_equal(mime.parts[2].body, content.data + first);
		if (content.data[first + first_len - 1] == '\r')
			first_len--;
		assert_int_equal(mime.parts[2].body_len, first_len);
		assert_ptr_equal(mime.parts[3].body, content.data + second);
		assert_int_equal(mime.parts[3].body_len, content.len - second);
		mime_free(&mime);
		buf_free(&content);
	}
}

/* All of what is no multipart after all is shown. */
static void
test_large_unsplit(void **state)
{
	struct buf content;
	struct mime mime;
	size_t figure;

	(void)state;
	buf_init(&content, SIZE_MAX / 4);
	buf_adds(&content, MIXED);
	while (content.len < 100000)
		buf_adds(&content, "never split\n");
	assert_int_equal(mime_parse(&mime, content.data, content.len, &limits, &figure), MIME_DONE);
	assert_int_equal(mime.part_count, 1);
	assert_string_equal(mime.parts[0].type, "text/plain");
	assert_int_equal(mime.parts[0].body_len, content.len - strlen(MIXED));
	mime_free(&mime);
	buf_free(&content);
}

static void
test_texts(void **state)
{
	static const struct {
		const char *reason;
		const char *type;
		const char *body;
		const char *text;
	} cases[] = {
		{ "a byte order mark", "text/plain; charset=utf-8",
		    "\xef\xbb\xbf"
		    "a",
		    "a" },
		{ "of UTF-16", "text/plain; charset=utf-16le", "\xff\xfe\x61\x01", "\u0161" },
		{ "within it stays", "text/plain", "a\xef\xbb\xbf", "a\ufeff" },
		{ "a footer below base64", "text/plain\r\nContent-Transfer-Encoding: base64",
		    "YQ==\r\n-- \r\nA list.\r\n", "a\n-- \nA list.\n" },
		{ "pieces of base64", "text/plain\r\nContent-Transfer-Encoding: base64",
		    "YQ==\r\nYg==\r\n", "ab" },
		{ "not flowed", "text/plain", "a \nb", "a \nb" },
		{ "flowed", "text/plain; format=flowed", "a \nb\nc\n", "a b\nc\n" },
		{ "only text", "text/html; format=flowed", "a \nb", "a \nb" },
		{ "spaces go", "text/plain; Format=Flowed; DelSp=Yes", "a \nb  \nc\n", "ab c\n" },
		{ "stuffing", "text/plain; format=flowed", " From a\n  b\n >c\n",
		    "From a\n b\n>c\n" },
		{ "quotes", "text/plain; format=flowed", "> a \n> b \n>> c \n>d\ne\n",
		    "> a b \n>> c \n>d\ne\n" },
		{ "a signature", "text/plain; format=flowed", "a \n-- \nAnn \nx\n",
		    "a \n-- \nAnn x\n" },
		{ "a signature in a quote", "text/plain; format=flowed", "> -- \n> Ann\n",
		    "> -- \n> Ann\n" },
		{ "an empty line", "text/plain; format=flowed", "a\n\n> \n>\nb", "a\n\n>\n>\nb" },
		{ "the last line goes on", "text/plain; format=flowed", "a \n", "a \n" },
		{ "without a line end", "text/plain; format=flowed", "a ", "a " },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf content, out;
		struct mime mime;
		size_t figure;

		buf_init(&content, 4096);
		buf_init(&out, 4096);
		buf_addf(&content, "Content-Type: %s\r\n\r\n%s", cases[i].type, cases[i].body);
		assert_int_equal(
		    mime_parse(&mime, content.data, content.len, &limits, &figure), MIME_DONE);
		mime_part_text(&mime.parts[0], &out);
		if (strcmp(out.data, cases[i].text) != 0)
			fail_msg("%s: %s", cases[i].reason, out.data);
		mime_free(&mime);
		buf_free(&content);
		buf_free(&out);
	}
}

/* The line end before a delimiter is no part of a body, however that of the delimiter is. */
static void
test_mixed_line_ends(void **state)
{
	static const char content[] = MIXED "--b\n\na\r\n--b\n\nb\n--b\r\n\r\nc\n\n--b\r\n\r\n"
					    "d\r\n\r\n--b--";
	static const char *const bodies[] = { "a", "b", "c\n", "d\r\n" };
	struct mime mime;
	size_t figure;

	(void)state;
	assert_int_equal(
	    mime_parse(&mime, content, sizeof(content) - 1, &limits, &figure), MIME_DONE);
	assert_int_equal(mime.part_count, 5);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(mime.parts[i + 1].body_len, strlen(bodies[i]));
		assert_memory_equal(mime.parts[i + 1].body, bodies[i], strlen(bodies[i]));
	}
	mime_free(&mime);
}

static int
setup(void **state)
{
	(void)state;
	mime_setup();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_charsets),
		cmocka_unit_test(test_converters_are_bounded),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_hostile_values),
		cmocka_unit_test(test_trees),
		cmocka_unit_test(test_long_lines),
		cmocka_unit_test(test_parameters),
		cmocka_unit_test(test_parameters_at_end),
		cmocka_unit_test(test_hostile_contents),
		cmocka_unit_test(test_nesting),
		cmocka_unit_test(test_large_mails),
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_mixed_line_ends),
		cmocka_unit_test(test_large_bodies),
		cmocka_unit_test(test_large_unsplit),
		cmocka_unit_test(test_encodings),
		cmocka_unit_test(test_texts),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
