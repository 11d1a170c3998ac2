#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/text.h"

static void
numbers(void **state)
{
	static const struct {
		const char *reason;
		const char *text;
		uint64_t least, most;
		int expected;
		uint64_t number;
	} cases[] = {
		{ "zero", "0", 0, 10, 0, 0 },
		{ "leading zeros", "007", 0, 10, 0, 7 },
		{ "upper end", "10", 0, 10, 0, 10 },
		{ "beyond", "11", 0, 10, -1, 0 },
		{ "below", "4", 5, 10, -1, 0 },
		{ "empty", "", 0, 10, -1, 0 },
		{ "sign", "+1", 0, 10, -1, 0 },
		{ "minus", "-1", 0, 10, -1, 0 },
		{ "space before", " 1", 0, 10, -1, 0 },
		{ "unit behind", "1k", 0, 10, -1, 0 },
		{ "hex", "0x1", 0, 10, -1, 0 },
		{ "largest", "18446744073709551615", 0, UINT64_MAX, 0, UINT64_MAX },
		{ "one more than that", "18446744073709551616", 0, UINT64_MAX, -1, 0 },
		{ "overflow of the product", "99999999999999999999", 0, UINT64_MAX, -1, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t number = 4711;

		print_message("%s\n", cases[i].reason);
		assert_int_equal(text_number(cases[i].text, strlen(cases[i].text), cases[i].least,
				     cases[i].most, &number),
		    cases[i].expected);
		assert_int_equal(number, cases[i].expected == 0 ? cases[i].number : 4711);
	}
}

static void
same(void **state)
{
	char text[] = "MiXeD-\xc3\x84@[";

	(void)state;
	assert_true(text_same("", ""));
	assert_true(text_same("Abc", "aBC"));
	assert_false(text_same("abc", "ab"));
	assert_false(text_same("ab", "abc"));
	assert_false(text_same("@", "`")); /* 0x20 apart, but no letters */
	assert_false(text_same("[", "{"));
	assert_false(text_same("\xc3\x84", "\xc3\xa4"));
	assert_true(text_same_n("ABx", "aby", 2));
	assert_false(text_same_n("ABx", "aby", 3));
	assert_true(text_starts("Content-Type", "content-"));
	assert_true(text_starts("x", ""));
	assert_false(text_starts("con", "content-"));
	assert_string_equal(text_find_same("a FrOm b", "from"), "FrOm b");
	assert_string_equal(text_find_same("abc", ""), "abc");
	assert_null(text_find_same("abc", "abcd"));
	assert_null(text_find_same("", "a"));
	text_lower(text);
	assert_string_equal(text, "mixed-\xc3\x84@[");
}

static void
same_secret(void **state)
{
	(void)state;
	assert_true(text_same_secret("", 0, "", 0));
	assert_true(text_same_secret("a\0b", 3, "a\0b", 3));
	assert_false(text_same_secret("a\0b", 3, "a\0c", 3));
	assert_false(text_same_secret("abc", 3, "ab", 2));
	assert_false(text_same_secret("abc", 3, "Abc", 3));
	assert_false(text_same_secret("", 0, "a", 1));
}

static void
safe(void **state)
{
	static const struct {
		const char *reason;
		size_t most;
		const char *bytes;
		size_t len;
		const char *expected;
	} cases[] = {
		{ "plain", 100, "abc", 3, "abc" },
		{ "empty", 100, "", 0, "" },
		{ "line end", 100, "a\r\nb", 4, "a\\x0D\\x0Ab" },
		{ "NUL", 100, "a\0b", 3, "a\\x00b" },
		{ "DEL", 100, "\x7f", 1, "\\x7F" },
		{ "escape", 100, "\x1b[2J", 4, "\\x1B[2J" },
		{ "UTF-8 stays", 100, "\xc3\xa4\xe2\x82\xac", 5, "\xc3\xa4\xe2\x82\xac" },
		{ "C1 control", 100, "\xc2\x9b", 2, "\\xC2\\x9B" },
		{ "latin-1", 100, "\xe4x", 2, "\\xE4x" },
		{ "cut sequence", 100, "\xe2\x82", 2, "\\xE2\\x82" },
		{ "just fits", 4, "abc", 3, "abc" },
		{ "cut", 6, "abcdefgh", 8, "ab..." },
		{ "cut before an escape", 8, "abcd\nx", 6, "abcd..." },
		{ "cut in a character", 7, "ab\xe2\x82\xac\xe2\x82\xac", 8, "ab..." },
		{ "no room for dots", 3, "abcdef", 6, ".." },
		{ "no room at all", 1, "abc", 3, "" },
	};
	char out[100];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		print_message("%s\n", cases[i].reason);
		assert_ptr_equal(text_safe(out, cases[i].most, cases[i].bytes, cases[i].len), out);
		assert_string_equal(out, cases[i].expected);
	}
	/* Whatever goes in: the limit holds, and what comes out is printable UTF-8. */
	for (unsigned seed = 1; seed < 20000; seed++) {
		char foreign[24];
		unsigned x = seed * 2654435761u;
		size_t most = 1 + seed % 40;

		for (size_t i = 0; i < sizeof(foreign); i++) {
			x = x * 1103515245u + 12345u;
			foreign[i] = (char)(x >> 16);
		}
		memset(out, 'Z', sizeof(out));
		text_safe(out, most, foreign, sizeof(foreign));
		assert_true(strlen(out) < most);
		assert_true(text_is_utf8(out, strlen(out)));
		for (const char *c = out; *c != '\0'; c++)
			assert_true((unsigned char)*c >= 0x20 && *c != 0x7f);
		assert_int_equal(out[most], 'Z');
	}
}

static void
utf8(void **state)
{
	static const struct {
		const char *reason;
		const char *bytes;
		size_t expected;
	} cases[] = {
		{ "ASCII", "a", 1 },
		{ "two", "\xc2\x80", 2 },
		{ "two, last", "\xdf\xbf", 2 },
		{ "three, first", "\xe0\xa0\x80", 3 },
		{ "three, last before the surrogates", "\xed\x9f\xbf", 3 },
		{ "three, first behind the surrogates", "\xee\x80\x80", 3 },
		{ "three, last", "\xef\xbf\xbf", 3 },
		{ "four, first", "\xf0\x90\x80\x80", 4 },
		{ "four, last", "\xf4\x8f\xbf\xbf", 4 },
		{ "overlong NUL", "\xc0\x80", 0 },
		{ "overlong slash", "\xc1\xaf", 0 },
		{ "overlong three", "\xe0\x9f\xbf", 0 },
		{ "overlong four", "\xf0\x8f\xbf\xbf", 0 },
		{ "surrogate, high", "\xed\xa0\x80", 0 },
		{ "surrogate, low", "\xed\xbf\xbf", 0 },
		{ "past the end of Unicode", "\xf4\x90\x80\x80", 0 },
		{ "five bytes", "\xf8\x88\x80\x80\x80", 0 },
		{ "continuation alone", "\x80", 0 },
		{ "no continuation", "\xc3(", 0 },
		{ "third is none", "\xe2\x82(", 0 },
		{ "fourth is none", "\xf0\x9f\x98(", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t len = strlen(cases[i].bytes);
		char text[100];

		print_message("%s\n", cases[i].reason);
		assert_int_equal(text_utf8_len(cases[i].bytes, len), cases[i].expected);
		/* Cut short it never is one. */
		for (size_t cut = 0; cut < cases[i].expected; cut++)
			assert_int_equal(text_utf8_len(cases[i].bytes, cut), 0);
		/* And wherever it lies in a text. */
		for (size_t at = 0; at + len <= 80; at++) {
			memset(text, 'x', sizeof(text));
			memcpy(text + at, cases[i].bytes, len);
			assert_int_equal(text_is_utf8(text, 80), cases[i].expected != 0);
			if (cases[i].expected > 1)
				assert_false(text_is_utf8(text, at + len - 1));
		}
	}
	assert_int_equal(text_utf8_len("", 0), 0);
	assert_true(text_is_utf8("", 0));
}

static void
utf16(void **state)
{
	(void)state;
	assert_int_equal(text_utf16_units("", 0), 0);
	assert_int_equal(text_utf16_units("abc", 3), 3);
	assert_int_equal(text_utf16_units("\xc3\xa4\xe2\x82\xac", 5), 2);
	assert_int_equal(text_utf16_units("x\xf0\x9f\x98\x80", 5), 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers),
		cmocka_unit_test(same),
		cmocka_unit_test(same_secret),
		cmocka_unit_test(safe),
		cmocka_unit_test(utf8),
		cmocka_unit_test(utf16),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
