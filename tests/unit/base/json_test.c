#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>

#include "base/buf.h"
#include "base/json.h"

static void
strings(void **state)
{
	static const struct {
		const char *reason;
		const char *bytes;
		size_t len;
		const char *expected;
	} cases[] = {
		{ "empty", "", 0, "\"\"" },
		{ "plain", "abc", 3, "\"abc\"" },
		{ "quote and backslash", "a\"b\\c", 5, "\"a\\\"b\\\\c\"" },
		{ "short forms", "\n\r\t\b\f", 5, "\"\\n\\r\\t\\b\\f\"" },
		{ "the others", "\x01\x1f", 2, "\"\\u0001\\u001f\"" },
		{ "NUL", "a\0b", 3, "\"a\\u0000b\"" },
		{ "DEL and slash stay", "\x7f/", 2, "\"\x7f/\"" },
		{ "UTF-8 stays", "\xe2\x82\xac", 3, "\"\xe2\x82\xac\"" },
	};
	struct buf buf;

	(void)state;
	buf_init(&buf, 1000);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		print_message("%s\n", cases[i].reason);
		buf_clear(&buf);
		json_add_string(&buf, cases[i].bytes, cases[i].len);
		assert_int_equal(buf.len, strlen(cases[i].expected));
		assert_string_equal(buf.data, cases[i].expected);
	}
	buf_free(&buf);
}

/* Reads back by jansson, for each byte at each place of a few blocks. */
static void
every_byte_at_every_place(void **state)
{
	struct buf buf;
	char text[70];

	(void)state;
	for (size_t len = 1; len <= sizeof(text); len += 23)
		for (size_t at = 0; at < len; at++)
			for (int byte = 0; byte < 0x80; byte++) {
				json_t *back;

				memset(text, 'x', sizeof(text));
				text[at] = (char)byte;
				buf_init(&buf, 1000);
				json_add_string(&buf, text, len);
				back = json_loadb(
				    buf.data, buf.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
				assert_non_null(back);
				assert_int_equal(json_string_length(back), len);
				assert_memory_equal(json_string_value(back), text, len);
				json_decref(back);
				buf_free(&buf);
			}
}

static void
random_text(void **state)
{
	static const char alphabet[] = "abcdefgh \"\\\n\r\x01";
	struct buf buf;
	char *text = malloc(5000);
	unsigned x = 1;

	(void)state;
	for (size_t len = 0; len < 5000; len += 7) {
		/* Few escapes first, then more and more of them. */
		unsigned spread = 8 + (unsigned)len / 500;
		json_t *back;

		for (size_t i = 0; i < len; i++) {
			x = x * 1103515245u + 12345u;
			text[i] = alphabet[(x >> 16) % (spread > 14 ? 14 : spread)];
		}
		if (len % 2 == 0)
			buf_init(&buf, 100000);
		else
			buf_init_shared(&buf, 100000, len);
		json_add_string(&buf, text, len);
		assert_int_equal(buf.data[buf.len], '\0');
		back = json_loadb(buf.data, buf.len, JSON_DECODE_ANY, NULL);
		assert_non_null(back);
		assert_int_equal(json_string_length(back), len);
		assert_memory_equal(json_string_value(back), text, len);
		json_decref(back);
		buf_free(&buf);
	}
	free(text);
}

static void
ceiling_is_exact(void **state)
{
	char text[300];
	struct buf buf;

	(void)state;
	memset(text, '\n', sizeof(text));
	memset(text, 'x', 100);
	/* 100 clean, 200 doubled, two quotes, and something before. */
	for (size_t most = 0; most <= 510; most++) {
		buf_init(&buf, most);
		buf_adds(&buf, "abc");
		json_add_string(&buf, text, sizeof(text));
		assert_int_equal(buf.over, most < 505);
		assert_true(buf.len <= most);
		assert_int_equal(buf.len, most < 3 ? 0 : most < 505 ? 3 : 505);
		if (buf.data != NULL)
			assert_int_equal(buf.data[buf.len], '\0');
		buf_free(&buf);
	}
	buf_init(&buf, 5);
	buf_adds(&buf, "too long");
	json_add_string(&buf, "a", 1);
	assert_true(buf.over);
	assert_string_equal(buf.data, "\"a\"");
	buf_free(&buf);
}

static void
members(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 1000);
	buf_addc(&buf, '{');
	json_add_member(&buf, "A", "x\n", 2);
	json_add_name(&buf, "B");
	buf_addc(&buf, '{');
	json_add_member(&buf, "C", "", 0);
	buf_addc(&buf, '}');
	json_add_member(&buf, "D", "{", 1);
	json_add_member(&buf, "E", "e", 1);
	buf_addc(&buf, '}');
	assert_string_equal(
	    buf.data, "{\"A\":\"x\\n\",\"B\":{\"C\":\"\"},\"D\":\"{\",\"E\":\"e\"}");
	assert_true(json_is_one_object(buf.data, buf.len));
	buf_free(&buf);
}

static void
one_object(void **state)
{
	static const struct {
		const char *reason;
		const char *text;
		bool expected;
	} cases[] = {
		{ "empty", "", false },
		{ "empty object", "{}", true },
		{ "nested", "{\"a\":[{\"b\":[1,2]},{}]}", true },
		{ "array", "[{}]", false },
		{ "string", "\"{}\"", false },
		{ "two objects", "{},{}", false },
		{ "trailing space", "{} ", false },
		{ "leading space", " {}", false },
		{ "not closed", "{\"a\":{}", false },
		{ "closed too often", "{}}", false },
		{ "crossed", "{[}]", false },
		{ "wrong closer", "{]", false },
		{ "braces in a string", "{\"a\":\"}{][\"}", true },
		{ "escaped quote", "{\"a\":\"\\\"}\"}", true },
		{ "escaped backslash at the end", "{\"a\":\"\\\\\"}", true },
		{ "backslash hides the quote", "{\"a\":\"\\\"}", false },
		{ "open string", "{\"a", false },
		{ "ends in a backslash", "{\"a\\", false },
		{ "raw line end in a string", "{\"a\":\"\n\"}", false },
		{ "raw line end after a backslash", "{\"a\":\"\\\n\"}", false },
		{ "raw line end between", "{\n}", false },
		{ "UTF-8", "{\"a\":\"\xe2\x82\xac\"}", true },
		{ "not UTF-8", "{\"a\":\"\xe2\x82\"}", false },
		{ "not UTF-8 between", "{\xff}", false },
		{ "a long string", "{\"a\":\"0123456789abcdef0123456789abcdef0123456789abcdef\"}",
		    true },
		{ "a long string that hides its end",
		    "{\"a\":\"0123456789abcdef0123456789abcdef\\\"0123456789abcdef}", false },
	};
	char deep[2050];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		print_message("%s\n", cases[i].reason);
		assert_int_equal(
		    json_is_one_object(cases[i].text, strlen(cases[i].text)), cases[i].expected);
	}
	assert_false(json_is_one_object("{\"\0\"}", 5));
	/* As deep as it may be, and one deeper. */
	for (size_t depth = 512; depth <= 513; depth++) {
		memset(deep, '[', depth);
		deep[0] = '{';
		memset(deep + depth, ']', depth);
		deep[2 * depth - 1] = '}';
		assert_int_equal(json_is_one_object(deep, 2 * depth), depth == 512);
	}
}

static void
what_is_within(void **state)
{
	static const struct {
		const char *reason, *json;
		unsigned depth;
		size_t values;
		bool within;
	} cases[] = {
		{ "nothing", "", 0, 1, true },
		{ "a number", "1", 0, 1, true },
		{ "an object in an object", "{\"a\":{}}", 2, 3, true },
		{ "one too deep", "{\"a\":{}}", 1, 3, false },
		{ "beside each other is not deeper", "[[],[],[]]", 2, 10, true },
		{ "as many values", "[1,2,3]", 1, 4, true },
		{ "one too many", "[1,2,3]", 1, 3, false },
		{ "signs in a text are none", "\"[[[,,,{{{\"", 0, 1, true },
		{ "a quote in a text ends it not", "\"\\\"[[[,,,\"", 0, 1, true },
		{ "a backslash at the end", "\"\\\\\"[", 0, 9, false },
		{ "ends without beginnings", "]]]]]][[", 1, 9, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		print_message("%s\n", cases[i].reason);
		assert_int_equal(json_is_within(cases[i].json, strlen(cases[i].json),
				     cases[i].depth, cases[i].values),
		    cases[i].within);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strings),
		cmocka_unit_test(every_byte_at_every_place),
		cmocka_unit_test(random_text),
		cmocka_unit_test(ceiling_is_exact),
		cmocka_unit_test(members),
		cmocka_unit_test(one_object),
		cmocka_unit_test(what_is_within),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
