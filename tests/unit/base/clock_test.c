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
times_of_text(void **state)
{
	static const struct {
		const char *reason, *text;
		int64_t wall_ms; /* -1: none */
	} cases[] = {
		{ "seven digits", "2026-09-05T22:01:03.4410021Z", 1788645663441 },
		{ "no fraction", "2026-09-05T22:01:03Z", 1788645663000 },
		{ "one digit", "2026-09-05T22:01:03.4Z", 1788645663400 },
		{ "east of Greenwich", "2026-09-06T00:01:03.4410021+02:00", 1788645663441 },
		{ "west of it", "2026-09-05T18:01:03-04:00", 1788645663000 },
		{ "small letters", "2026-09-05t22:01:03z", 1788645663000 },
		{ "a leap second", "2016-12-31T23:59:60Z", 1483228800000 },
		{ "a leap day", "2024-02-29", 1709164800000 },
		{ "none in that year", "2025-02-29", -1 },
		{ "none in that century", "2100-02-29", -1 },
		{ "a month too many", "2026-13-01", -1 },
		{ "no zone", "2026-09-05T22:01:03", -1 },
		{ "a point and no digits", "2026-09-05T22:01:03.Z", -1 },
		{ "something behind it", "2026-09-05T22:01:03Z ", -1 },
		{ "hour 24", "2026-09-05T24:00:00Z", -1 },
		{ "before 1970 by its zone", "1970-01-01T00:00:00+01:00", -1 },
		{ "1969", "1969-12-31T23:59:59Z", -1 },
		{ "nothing", "", -1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t ms = -1;
		int result = clock_read(cases[i].text, &ms);

		print_message("%s\n", cases[i].reason);
		assert_int_equal(ms, cases[i].wall_ms);
		assert_int_equal(result, ms < 0 ? -1 : 0);
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
		cmocka_unit_test(times_of_text),
		cmocka_unit_test(text_agrees_with_the_library),
		cmocka_unit_test(stands_still_when_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
