#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "postmark/retry_after.h"

/* Sun, 06 Nov 1994 08:49:37 GMT, the example of RFC 9110 5.6.7 */
#define NOW INT64_C(784111777000)

static void
values(void **state)
{
	static const struct {
		const char *reason, *value;
		int64_t expected;
	} cases[] = {
		{ "seconds", "120", 120000 },
		{ "none", "0", 0 },
		{ "white space around", " \t7 \r\n", 7000 },
		{ "a fraction is cut", "1.5", 1000 },
		{ "a day at most", "86401", RETRY_AFTER_MOST_MS },
		{ "absurd", "99999999999999999999999999", RETRY_AFTER_MOST_MS },
		{ "date ahead", "Sun, 06 Nov 1994 08:50:37 GMT", 60000 },
		{ "date past", "Sun, 06 Nov 1994 08:49:07 GMT", 0 },
		{ "date far ahead", "Fri, 31 Dec 1999 23:59:59 GMT", RETRY_AFTER_MOST_MS },
		{ "RFC 850 date", "Sunday, 06-Nov-94 08:50:37 GMT", 60000 },
		{ "empty", "", -1 },
		{ "blank", "  ", -1 },
		{ "negative", "-5", -1 },
		{ "unit", "5s", -1 },
		{ "two numbers", "5 6", -1 },
		{ "word", "soon", -1 },
		{ "word with a comma", "soon, or later", -1 },
		{ "too long for a date",
		    "Sun, 06 Nov 1994 08:49:37 GMT                                        x", -1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int64_t got = retry_after_ms(cases[i].value, strlen(cases[i].value), NOW);

		if (got != cases[i].expected)
			fail_msg("%s: %lld", cases[i].reason, (long long)got);
	}
	assert_int_equal(retry_after_ms("Sun, \0", 6, NOW), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(values) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
