/*
 * Charsets, encoded words and the tree of parts.  The tree is held against GMime's own parser: for
 * mail as mail should be, two readings must agree to the byte.
 */

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <gmime/gmime.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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

/* Linear in time, whatever is repeated: 0.1 s is usual, minutes are what this is about. */
static void
test_hostile_values(void **state)
{
	static const char *const units[] = { "=?", "=?a?q?", "=?a?q?x ? ", "=?a?b?x",
		"=?a?q?x?= ", "=?utf-8?b?////?=", "\r\n ", "!~0!~", "=" };

	(void)state;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		clock_t start = clock();
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
		assert_true((double)(clock() - start) / CLOCKS_PER_SEC < 10);
	}
}

/* --- the tree against GMime ------------------------------------------------ */

static const char *const trees[] = {
	"From: a\n\nbody\n",
	"Content-Type: text/html\n\n<p>\n",
	"Content-Type: multipart/mixed; boundary=\"b c\"\n\npre\n--b c\n\none\n--b "
	"c\nContent-Type: "
	"text/html\n\ntwo\n\n--b c--\npost\n",
	"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/alternative; "
	"boundary=bb\n\n--bb\n\nx\n--bb\nContent-Type: text/html\n\ny\n--bb--\n\n--b\n"
	"Content-Type: image/png\nContent-Transfer-Encoding: base64\n\nAAAA\n--b--\n",
	"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/related; "
	"boundary=c\n\n--c\n\nnever closed\n--b\n\nlast\n--b--\n",
	"Content-Type: multipart/mixed; boundary=b  \n\n--b  \n\nspaces after the "
	"boundary\n--b\t\n\n"
	"--bx\n-- b\n--\n--b--  \n",
	"Content-Type: multipart/mixed;\n boundary*0=ab;\n "
	"boundary*1=cd\n\n--abcd\n\nx\n--abcd--\n",
	"Content-Type: multipart/mixed; boundary=b\n\n--b\n\n\n\n--b\n\nx",
};

struct leaf {
	char type[64];
	const char *body;
	size_t len;
};

struct leaves {
	struct leaf items[32];
	size_t count;
	const char *content;
};

static void
gmime_leaf(GMimeObject *parent, GMimeObject *object, gpointer ctx)
{
	struct leaves *leaves = ctx;
	struct leaf *leaf = &leaves->items[leaves->count];

	(void)parent;
	if (!GMIME_IS_PART(object))
		return;
	char *type = g_mime_content_type_get_mime_type(g_mime_object_get_content_type(object));
	g_strlcpy(leaf->type, type, sizeof(leaf->type));
	g_free(type);
	GMimeStream *stream =
	    g_mime_data_wrapper_get_stream(g_mime_part_get_content(GMIME_PART(object)));
	leaf->body = leaves->content + stream->bound_start;
	leaf->len = (size_t)(stream->bound_end - stream->bound_start);
	leaves->count++;
}

static void
test_trees_as_gmime_reads_them(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(trees) / sizeof(trees[0]); i++) {
		struct leaves expected = { 0 };
		struct buf content;
		struct mime mime;
		size_t figure, leaf = 0;

		buf_init(&content, 1 << 20);
		for (const char *c = trees[i]; *c != '\0'; c++) {
			if (*c == '\n')
				buf_addc(&content, '\r');
			buf_addc(&content, *c);
		}
		GMimeStream *stream = g_mime_stream_mem_new_with_buffer(content.data, content.len);
		GMimeParser *parser = g_mime_parser_new_with_stream(stream);
		GMimeMessage *message = g_mime_parser_construct_message(parser, NULL);
		expected.content = content.data;
		if (GMIME_IS_PART(g_mime_message_get_mime_part(message)))
			gmime_leaf(NULL, g_mime_message_get_mime_part(message), &expected);
		else
			g_mime_message_foreach(message, gmime_leaf, &expected);

		assert_int_equal(
		    mime_parse(&mime, content.data, content.len, &limits, &figure), MIME_DONE);
		for (size_t j = 0; j < mime.part_count; j++) {
			const struct mime_part *part = &mime.parts[j];

			if (part->kind == MIME_MULTIPART)
				continue;
			const struct leaf *other = &expected.items[leaf++];
			if (leaf > expected.count || strcmp(part->type, other->type) != 0 ||
			    part->body_len != other->len ||
			    (part->body_len > 0 && part->body != other->body))
				fail_msg(
				    "tree %zu, leaf %zu: %s of %zu bytes at %td; GMime: %s of %zu",
				    i, leaf, part->type, part->body_len, part->body - content.data,
				    other->type, other->len);
		}
		assert_int_equal(leaf, expected.count);
		mime_free(&mime);
		g_object_unref(message);
		g_object_unref(parser);
		g_object_unref(stream);
		buf_free(&content);
	}
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
		{ "base64", "====Y===", "" },
		{ " quoted-printable (x)", "a=3D=\r\nb =\r\n", "a=b " },
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
		cmocka_unit_test(test_trees_as_gmime_reads_them),
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_encodings),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
