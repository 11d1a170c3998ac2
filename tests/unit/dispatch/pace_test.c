#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dispatch/pace.h"

static unsigned
room_of(const struct pace *pace)
{
	unsigned in_flight = 0;

	while (pace_has_room(pace, in_flight))
		in_flight++;
	return in_flight;
}

static void
window_halves_and_recovers(void **state)
{
	struct pace pace;

	(void)state;
	pace_init(&pace, 8, 500, 1000);
	assert_int_equal(room_of(&pace), 8);
	pace_throttled(&pace, 100, 200, 3000);
	assert_int_equal(room_of(&pace), 4);
	assert_int_equal(pace.not_before_ms, 3200);
	/* It had left before the cut: the same jam. */
	pace_throttled(&pace, 150, 210, 1000);
	assert_int_equal(room_of(&pace), 4);
	assert_int_equal(pace.not_before_ms, 3200);
	for (int64_t i = 1; i < 6; i++)
		pace_throttled(&pace, 1000 * i, 1000 * i, 0);
	assert_int_equal(room_of(&pace), 1);
	/* One more for each window's worth of answers: 1 + 2 + ... + 7. */
	for (unsigned i = 0; i < 40; i++)
		pace_answered(&pace, 1, 10);
	assert_int_equal(room_of(&pace), 8);
}

static void
rest_without_a_retry_after(void **state)
{
	struct pace pace;

	(void)state;
	pace_init(&pace, 8, 500, 1000);
	pace_throttled(&pace, 0, 0, -1);
	assert_int_equal(pace.not_before_ms, 1000);
	pace_throttled(&pace, 1000, 1000, -1);
	assert_int_equal(pace.not_before_ms, 3000);
	for (int64_t i = 2; i < 40; i++)
		pace_throttled(&pace, 100000 * i, 100000 * i, -1);
	assert_int_equal(pace.not_before_ms, 3900000 + 60000);
	pace_answered(&pace, 1, 10);
	pace_throttled(&pace, 9000000, 9000000, -1);
	assert_int_equal(pace.not_before_ms, 9001000);
}

static void
batch_size_follows_the_answers(void **state)
{
	struct pace pace;

	(void)state;
	pace_init(&pace, 8, 500, 1000);
	assert_int_equal(pace.items, 50);
	pace_answered(&pace, 49, 10); /* not full: says nothing */
	assert_int_equal(pace.items, 50);
	pace_answered(&pace, 50, 500); /* quick enough, not quick */
	assert_int_equal(pace.items, 50);
	pace_answered(&pace, 50, 499);
	assert_int_equal(pace.items, 76);
	for (unsigned i = 0; i < 10; i++)
		pace_answered(&pace, pace.items, 10);
	assert_int_equal(pace.items, 500);
	pace_answered(&pace, 500, 1001);
	assert_int_equal(pace.items, 250);
	pace_answered(&pace, 500, 1001); /* the same jam */
	assert_int_equal(pace.items, 250);
	pace_answered(&pace, 1, 30000); /* one slow message says nothing of batches */
	assert_int_equal(pace.items, 250);
	for (unsigned i = 0; i < 10; i++)
		pace_shrink(&pace, pace.items);
	assert_int_equal(pace.items, 1);
	pace_answered(&pace, 1, 10);
	assert_int_equal(pace.items, 2);
}

static void
options_bound_it(void **state)
{
	struct pace pace;

	(void)state;
	pace_init(&pace, 0, 0, 0);
	assert_int_equal(room_of(&pace), 1);
	assert_int_equal(pace.items, 1);
	pace_answered(&pace, 1, 0);
	assert_int_equal(room_of(&pace), 1);
	assert_int_equal(pace.items, 1);
	pace_init(&pace, 3, 10, 1000);
	assert_int_equal(pace.items, 10);
	pace_answered(&pace, 10, 1);
	assert_int_equal(pace.items, 10);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(window_halves_and_recovers),
		cmocka_unit_test(rest_without_a_retry_after),
		cmocka_unit_test(batch_size_follows_the_answers),
		cmocka_unit_test(options_bound_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
