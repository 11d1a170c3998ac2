#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dispatch/breaker.h"

static int64_t until_ms;

static void
opens_after_some_in_a_row(void **state)
{
	struct breaker breaker;

	(void)state;
	breaker_init(&breaker, 3, 1000);
	assert_int_equal(breaker_ask(&breaker, 0, &until_ms), BREAKER_GO);
	assert_int_equal(breaker_failure(&breaker, false, 0), BREAKER_SAME);
	assert_int_equal(breaker_failure(&breaker, false, 0), BREAKER_SAME);
	assert_int_equal(breaker_success(&breaker), BREAKER_SAME);
	assert_int_equal(breaker_failure(&breaker, false, 0), BREAKER_SAME);
	assert_int_equal(breaker_failure(&breaker, false, 0), BREAKER_SAME);
	assert_int_equal(breaker_ask(&breaker, 0, &until_ms), BREAKER_GO);
	assert_int_equal(breaker_failure(&breaker, false, 50), BREAKER_OPENED);
	assert_int_equal(breaker_ask(&breaker, 50, &until_ms), BREAKER_WAIT);
	assert_int_equal(until_ms, 1050);
}

static void
probes_alone(void **state)
{
	struct breaker breaker;

	(void)state;
	breaker_init(&breaker, 1, 1000);
	assert_int_equal(breaker_failure(&breaker, false, 0), BREAKER_OPENED);
	assert_int_equal(breaker_ask(&breaker, 999, &until_ms), BREAKER_WAIT);
	assert_int_equal(breaker_ask(&breaker, 1000, &until_ms), BREAKER_PROBE);
	/* Nothing was there to probe with: it may be asked again. */
	assert_int_equal(breaker_ask(&breaker, 1500, &until_ms), BREAKER_PROBE);
	breaker_probe(&breaker);
	assert_int_equal(breaker_ask(&breaker, 9000, &until_ms), BREAKER_WAIT);
	assert_int_equal(until_ms, INT64_MAX);
	/* One that left before the breaker opened comes back late. */
	assert_int_equal(breaker_failure(&breaker, false, 9000), BREAKER_SAME);
	assert_int_equal(breaker_failure(&breaker, true, 9000), BREAKER_REOPENED);
	assert_int_equal(breaker_ask(&breaker, 9000, &until_ms), BREAKER_WAIT);
	assert_int_equal(until_ms, 10000);
	assert_int_equal(breaker_ask(&breaker, 10000, &until_ms), BREAKER_PROBE);
	breaker_probe(&breaker);
	assert_int_equal(breaker_success(&breaker), BREAKER_RECLOSED);
	assert_int_equal(breaker_ask(&breaker, 10001, &until_ms), BREAKER_GO);
}

static void
late_news(void **state)
{
	struct breaker breaker;

	(void)state;
	breaker_init(&breaker, 2, 1000);
	breaker_failure(&breaker, false, 0);
	breaker_failure(&breaker, false, 0);
	/* More failures of the same jam do not push the probe away. */
	assert_int_equal(breaker_failure(&breaker, false, 900), BREAKER_SAME);
	assert_int_equal(breaker_ask(&breaker, 1000, &until_ms), BREAKER_PROBE);
	/* A late success is as good as a probe's. */
	assert_int_equal(breaker_success(&breaker), BREAKER_RECLOSED);
	/* And the count began anew. */
	assert_int_equal(breaker_failure(&breaker, false, 1000), BREAKER_SAME);
	/* A probe of a paused route, with the breaker closed, counts like any other. */
	assert_int_equal(breaker_failure(&breaker, true, 1000), BREAKER_OPENED);
}

static void
tried_now(void **state)
{
	struct breaker breaker;

	(void)state;
	breaker_init(&breaker, 1, 1000);
	breaker_try_now(&breaker, 0);
	assert_int_equal(breaker_ask(&breaker, 0, &until_ms), BREAKER_GO);
	breaker_failure(&breaker, false, 0);
	breaker_try_now(&breaker, 10);
	assert_int_equal(breaker_ask(&breaker, 10, &until_ms), BREAKER_PROBE);
	breaker_probe(&breaker);
	breaker_try_now(&breaker, 20);
	assert_int_equal(breaker_ask(&breaker, 20, &until_ms), BREAKER_WAIT);
	assert_int_equal(breaker_failure(&breaker, true, 30), BREAKER_REOPENED);
	breaker_try_now(&breaker, 5000); /* it does not move away */
	assert_int_equal(breaker_ask(&breaker, 1030, &until_ms), BREAKER_PROBE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens_after_some_in_a_row),
		cmocka_unit_test(probes_alone),
		cmocka_unit_test(late_news),
		cmocka_unit_test(tried_now),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
