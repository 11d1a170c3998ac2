#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "dispatch/schedule.h"

static void
delays(void **state)
{
	static const struct {
		const char *reason;
		unsigned attempt;
		int64_t least_ms, most_ms, longest_ms;
	} cases[] = {
		{ "first", 1, 1000, 60000, 1000 },
		{ "second", 2, 1000, 60000, 2000 },
		{ "fifth", 5, 1000, 60000, 16000 },
		{ "the most", 7, 1000, 60000, 60000 },
		{ "stays there", 4000000000U, 1000, 60000, 60000 },
		{ "no attempt counts as the first", 0, 1000, 60000, 1000 },
		{ "most below least", 3, 1000, 10, 1000 },
		{ "no least", 1, 0, 0, 1 },
		{ "no overflow", 90, 1000, INT64_MAX, INT64_MAX },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint64_t bits = 7;

		for (unsigned j = 0; j < 200; j++) {
			int64_t delay_ms = schedule_delay_ms(cases[i].attempt, cases[i].least_ms,
			    cases[i].most_ms, schedule_random(&bits));

			if (delay_ms > cases[i].longest_ms ||
			    delay_ms < cases[i].longest_ms - cases[i].longest_ms / 2)
				fail_msg("%s: %lld", cases[i].reason, (long long)delay_ms);
		}
	}
}

/* Items that failed together spread over half of the delay. */
static void
jitter_spreads(void **state)
{
	unsigned low = 0, high = 0;
	uint64_t bits = 1;

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		int64_t delay_ms = schedule_delay_ms(1, 1000, 1000, schedule_random(&bits));

		low += delay_ms < 625;
		high += delay_ms > 875;
	}
	assert_in_range(low, 150, 350);
	assert_in_range(high, 150, 350);
}

static void
lifetimes(void **state)
{
	struct pauses pauses = { 0 };

	(void)state;
	assert_false(schedule_lifetime_over(&pauses, 1000, 1999, 1000));
	assert_true(schedule_lifetime_over(&pauses, 1000, 2000, 1000));

	/* 500 of a pause are inside, 300 before it was accepted. */
	pauses_begin(&pauses, 700);
	pauses_begin(&pauses, 900);
	assert_false(schedule_lifetime_over(&pauses, 1000, 99999, 1000));
	pauses_end(&pauses, 1500);
	pauses_end(&pauses, 1700);
	assert_false(schedule_lifetime_over(&pauses, 1000, 2499, 1000));
	assert_true(schedule_lifetime_over(&pauses, 1000, 2500, 1000));
	/* Accepted after it. */
	assert_true(schedule_lifetime_over(&pauses, 2000, 3000, 1000));

	/* The clock went back within a pause. */
	pauses_begin(&pauses, 3000);
	pauses_end(&pauses, 2900);
	assert_int_equal(pauses.count, 1);
}

static void
many_pauses_bounce_late_not_early(void **state)
{
	struct pauses pauses = { 0 };

	(void)state;
	for (int64_t i = 0; i < 100; i++) {
		pauses_begin(&pauses, i * 100);
		pauses_end(&pauses, i * 100 + 10);
	}
	assert_int_equal(pauses.count, PAUSES_MOST);
	/* The 31 newest are exact; all before is one. */
	assert_false(schedule_lifetime_over(&pauses, 0, 10000, 3000));
	assert_true(schedule_lifetime_over(&pauses, 8000, 10000, 1800));
	assert_false(schedule_lifetime_over(&pauses, 8000, 10000, 1801));
}

/* What is left of pauses in another process. */
static void
pauses_outlive_a_process(void **state)
{
	static const struct {
		const char *reason;
		int64_t stood_ms, open_from_ms;
		int64_t accepted_ms;
		int64_t
		    over_at_ms; /* with a lifetime of 1000, the open one ended at 10500; 0: never */
	} cases[] = {
		{ "none", 0, 0, 9000, 10000 },
		{ "one before the start", 400, 0, 9000, 10400 },
		{ "one longer than the item is old", 4000, 0, 9900, 11000 },
		{ "accepted afterwards", 400, 0, 10100, 11100 },
		{ "one that goes on", 0, 9500, 9000, 11000 },
		{ "both", 300, 9500, 9000, 11300 },
		{ "from the future: the clock went back", 0, 20000, 9500, 11000 },
		{ "longer than the clock is old", 20000, 0, 9000, 10000 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct pauses pauses;

		pauses_restore(&pauses, cases[i].stood_ms, cases[i].open_from_ms, 10000);
		if (pauses.open != (cases[i].open_from_ms > 0))
			fail_msg("%s", cases[i].reason);
		pauses_end(&pauses, 10500);
		if (schedule_lifetime_over(
			&pauses, cases[i].accepted_ms, cases[i].over_at_ms - 1, 1000) ||
		    !schedule_lifetime_over(
			&pauses, cases[i].accepted_ms, cases[i].over_at_ms, 1000))
			fail_msg("%s", cases[i].reason);
	}
}

static void
old_pauses_are_forgotten(void **state)
{
	struct pauses pauses = { 0 };

	(void)state;
	assert_false(pauses_forget(&pauses, 1000, 10));
	pauses_begin(&pauses, 1000);
	pauses_end(&pauses, 1100);
	pauses_begin(&pauses, 2000);
	pauses_end(&pauses, 2300);
	assert_int_equal(pauses_sum_ms(&pauses), 400);
	/* An item from just before the first end is 899 old at 2299 - 300 … */
	assert_false(pauses_forget(&pauses, 2399, 1000));
	assert_int_equal(pauses_sum_ms(&pauses), 400);
	/* … and too old, 300 of the second pause not counted, from here on. */
	assert_true(pauses_forget(&pauses, 2400, 1000));
	assert_int_equal(pauses_sum_ms(&pauses), 300);
	assert_false(pauses_forget(&pauses, 3299, 1000));
	pauses_begin(&pauses, 3299);
	assert_false(pauses_forget(&pauses, 99999, 1000));
	pauses_end(&pauses, 3299);
	assert_true(pauses_forget(&pauses, 3300, 1000));
	assert_int_equal(pauses_sum_ms(&pauses), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(delays),
		cmocka_unit_test(jitter_spreads),
		cmocka_unit_test(lifetimes),
		cmocka_unit_test(pauses_outlive_a_process),
		cmocka_unit_test(old_pauses_are_forgotten),
		cmocka_unit_test(many_pauses_bounce_late_not_early),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
