#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <cmocka.h>

#include "base/clock.h"

static void
text_of_times(void **state)
{
	static const struct {
		const char *reason;
		int64_t wall_ms;
		const char *expected;
	} cases[] = {
		{ "epoch", 0, "1970-01-01T00:00:00.000Z" },
		{ "milliseconds", 1795415365123, "2026-11-23T06:29:25.123Z" },
		{ "leap day", 1709164800000, "2024-02-29T00:00:00.000Z" },
		{ "day after a leap day", 1709251199999, "2024-02-29T23:59:59.999Z" },
		{ "leap day of a century", 951782400000, "2000-02-29T00:00:00.000Z" },
		{ "end of a year", 1735689599999, "2024-12-31T23:59:59.999Z" },
		{ "before the epoch", -1, "1969-12-31T23:59:59.999Z" },
		{ "a century without leap day", -2203891200001, "1900-02-28T23:59:59.999Z" },
		{ "last of the form", 253402300799999, "9999-12-31T23:59:59.999Z" },
		{ "beyond the form", INT64_MAX, "9999-12-31T23:59:59.999Z" },
		{ "before the form", INT64_MIN, "0000-01-01T00:00:00.000Z" },
	};
	char out[CLOCK_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		print_message("%s\n", cases[i].reason);
		assert_string_equal(clock_text(out, cases[i].wall_ms), cases[i].expected);
	}
}

static void
text_agrees_with_the_library(void **state)
{
	char out[CLOCK_TEXT_SIZE], expected[CLOCK_TEXT_SIZE];

	(void)state;
	/* Steps of a little more than five days, over four centuries. */
	for (int64_t second = -6000000000; second < 12000000000; second += 450001) {
		time_t at = (time_t)second;
		struct tm parts;

		gmtime_r(&at, &parts);
		strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%S.000Z", &parts);
		assert_string_equal(clock_text(out, second * 1000), expected);
	}
}

static void
stands_still_when_told(void **state)
{
	(void)state;
	clock_fake(1000, 50);
	assert_int_equal(clock_wall_ms(), 1000);
	assert_int_equal(clock_mono_ms(), 50);
	assert_int_equal(clock_mono_us(), 50000);
	clock_fake_advance(25);
	assert_int_equal(clock_wall_ms(), 1025);
	assert_int_equal(clock_mono_ms(), 75);
	clock_restore();
	assert_true(clock_wall_ms() > 1600000000000);
	assert_true(clock_mono_us() <= clock_mono_us());
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_of_times),
		cmocka_unit_test(text_agrees_with_the_library),
		cmocka_unit_test(stands_still_when_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
