#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/base64.h"

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

		if (bytes != NULL)
			fail_msg("taken: %s", cases[i].reason);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_ways),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
