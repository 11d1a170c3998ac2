#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/base64.h"
#include "base/buf.h"

/* RFC 4648 section 10, and bytes that are no text. */
static const struct {
	const char *bytes;
	size_t len;
	const char *text;
} pairs[] = {
	{ "", 0, "" },
	{ "f", 1, "Zg==" },
	{ "fo", 2, "Zm8=" },
	{ "foo", 3, "Zm9v" },
	{ "foob", 4, "Zm9vYg==" },
	{ "fooba", 5, "Zm9vYmE=" },
	{ "foobar", 6, "Zm9vYmFy" },
	{ "\0\0\0", 3, "AAAA" },
	{ "\0", 1, "AA==" },
	{ "\xfb\xff\xfe", 3, "+//+" },
};

static void
test_both_ways(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		char *text = base64_encode(pairs[i].bytes, pairs[i].len);
		size_t len = 99;
		char *bytes = base64_decode(pairs[i].text, strlen(pairs[i].text), &len);

		assert_string_equal(text, pairs[i].text);
		assert_true(base64_is_right(pairs[i].text, strlen(pairs[i].text)));
		assert_non_null(bytes);
		assert_int_equal(len, pairs[i].len);
		assert_memory_equal(bytes, pairs[i].bytes, len);
		assert_int_equal(bytes[len], '\0');
		free(text);
		free(bytes);
	}
}

static void
test_refused(void **state)
{
	static const struct {
		const char *reason, *text;
		size_t len; /* 0: that of the text */
	} cases[] = {
		{ "not a multiple of four", "Zg=", 0 },
		{ "padding alone", "====", 0 },
		{ "too much padding", "Z===", 0 },
		{ "padding in the middle", "Zg==Zg==", 0 },
		{ "the URL's alphabet", "-__-", 0 },
		{ "a blank in front", " Zm9", 0 },
		{ "a line's end behind", "Zm9v\nZm9", 0 },
		{ "blanks behind padding", "Zg==    ", 0 },
		{ "only blanks", "    ", 0 },
		{ "a zero byte", "Zm\0v", 4 },
		{ "a byte above ASCII", "Zm9\xe4", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t len = cases[i].len != 0 ? cases[i].len : strlen(cases[i].text), got;
		char *bytes = base64_decode(cases[i].text, len, &got);

		if (bytes != NULL || base64_is_right(cases[i].text, len))
			fail_msg("taken: %s", cases[i].reason);
	}
}

/* The same answer at each place of a block, and at each length. */
static void
test_digits(void **state)
{
	static const char alphabet[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char text[40];

	(void)state;
	for (int c = 0; c < 256; c++) {
		const char *at = c == 0 ? NULL : strchr(alphabet, c);

		assert_int_equal(base64_digit((char)c), at == NULL ? -1 : at - alphabet);
		for (size_t len = 1; len <= sizeof(text); len++) {
			memset(text, 'A', sizeof(text));
			text[len - 1] = (char)c;
			assert_int_equal(base64_is_digits(text, len), at != NULL);
			assert_true(base64_is_digits(text, len - 1));
			memset(text, 'z', sizeof(text));
			text[0] = (char)c;
			assert_int_equal(base64_is_digits(text, len), at != NULL);
		}
	}
}

static void
test_added(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 11);
	base64_add(&out, "foo", 3);
	base64_add(&out, "", 0);
	base64_add(&out, "f", 1);
	assert_int_equal(out.len, 8);
	assert_memory_equal(out.data, "Zm9vZg==", 8);
	assert_false(out.over);
	base64_add(&out, "f", 1);
	assert_true(out.over);
	buf_free(&out);
}

static void
test_round(void **state)
{
	char bytes[300], *text, *back;
	size_t len;

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i * 37 + i / 7);
	for (size_t i = 0; i <= sizeof(bytes); i++) {
		text = base64_encode(bytes, i);
		back = base64_decode(text, strlen(text), &len);
		assert_non_null(back);
		assert_int_equal(len, i);
		assert_memory_equal(back, bytes, i);
		free(text);
		free(back);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_ways),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_digits),
		cmocka_unit_test(test_added),
		cmocka_unit_test(test_round),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
