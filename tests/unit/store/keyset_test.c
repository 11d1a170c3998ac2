#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "store/keyset.h"

static void
test_empty(void **state)
{
	struct keyset set = { 0 };

	(void)state;
	assert_false(keyset_has(&set, 1));
	keyset_remove(&set, 1);
	assert_int_equal(set.count, 0);
	keyset_free(&set);
}

/* Against an array of flags: keys as the store makes them, in a random order, growing and
 * shrinking, so that removals happen in the middle of long runs. */
static void
test_against_flags(void **state)
{
	enum { KEYS = 700 };
	static bool flags[KEYS];
	struct keyset set = { 0 };
	size_t count = 0;

	(void)state;
	srandom(1);
	for (unsigned step = 0; step < 200000; step++) {
		size_t at = (size_t)random() % KEYS;
		int64_t key = (int64_t)(at + 1) << 20 | 1;
		/* Mostly full in the one half of the time, mostly empty in the other. */
		bool add = (random() % 100) < (step / 10000 % 2 ? 30 : 70);

		if (add) {
			count += !flags[at];
			keyset_add(&set, key);
		} else {
			count -= flags[at];
			keyset_remove(&set, key);
		}
		flags[at] = add;
		assert_int_equal(set.count, count);
		if (step % 100 == 0)
			for (size_t i = 0; i < KEYS; i++)
				assert_int_equal(
				    keyset_has(&set, (int64_t)(i + 1) << 20 | 1), flags[i]);
	}
	keyset_free(&set);
	assert_int_equal(set.count, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_against_flags),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
