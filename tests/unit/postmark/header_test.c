#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "postmark/header.h"

static void
lines_are_judged(void **state)
{
	static const struct {
		const char *reason, *line;
		enum header_flaw flaw;
		const char *curl;
	} cases[] = {
		{ "simple", "X-One: 1", HEADER_FINE, "X-One: 1" },
		{ "no space", "a:b", HEADER_FINE, "a:b" },
		{ "colons in the value", "A: b:c", HEADER_FINE, "A: b:c" },
		{ "libcurl would take it for a wish", "X-One:", HEADER_FINE, "X-One;" },
		{ "the same with spaces", "X-One:  ", HEADER_FINE, "X-One;" },
		{ "UTF-8 in the value", "X: \xC3\xA4", HEADER_FINE, "X: \xC3\xA4" },
		{ "a name close to the token's", "X-Postmark-Server-Tokens: 1", HEADER_FINE,
		    "X-Postmark-Server-Tokens: 1" },
		{ "the token", "X-Postmark-Server-Token: 1", HEADER_TOKEN, NULL },
		{ "in another case", "x-postmark-ACCOUNT-token:1", HEADER_TOKEN, NULL },
		{ "a space hides the token's name", "X-Postmark-Server-Token : 1", HEADER_NO_NAME,
		    NULL },
		{ "nothing", "", HEADER_NO_NAME, NULL },
		{ "no name", ": 1", HEADER_NO_NAME, NULL },
		{ "no colon", "X-One", HEADER_NO_NAME, NULL },
		{ "libcurl's own form", "X-One;", HEADER_NO_NAME, NULL },
		{ "begins with a space", " X: 1", HEADER_NO_NAME, NULL },
		{ "another line", "X: 1\r\nY: 2", HEADER_CONTROL, NULL },
		{ "a bare LF", "X: 1\nY: 2", HEADER_CONTROL, NULL },
		{ "a tab", "X: 1\t2", HEADER_CONTROL, NULL },
		{ "DEL", "X: \x7F", HEADER_CONTROL, NULL },
		{ "a length", "content-length: 1", HEADER_FRAMING, NULL },
		{ "chunks", "Transfer-Encoding: chunked", HEADER_FRAMING, NULL },
		{ "another host", "HOST: x.example", HEADER_FRAMING, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		size_t len = 0;
		enum header_flaw flaw = header_check(cases[i].line, &len);
		char *curl;

		if (flaw != cases[i].flaw)
			fail_msg("%s: %s", cases[i].reason, header_flaw_text(flaw));
		if (flaw != HEADER_FINE)
			continue;
		curl = header_for_curl(cases[i].line, len);
		assert_string_equal(curl, cases[i].curl);
		free(curl);
	}
}

static void
names_are_found(void **state)
{
	static const char *const lines[] = { "X-One: 1", "accept:\r\n 1", "X-Two:", NULL };

	(void)state;
	assert_true(header_listed(lines, "x-one"));
	assert_true(header_listed(lines, "X-TWO"));
	assert_false(header_listed(lines, "X-On"));
	assert_false(header_listed(lines, "X-One:"));
	assert_false(header_listed(lines, "Accept")); /* it will be left out */
	assert_false(header_listed(NULL, "Accept"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_judged),
		cmocka_unit_test(names_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
