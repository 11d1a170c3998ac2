#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>

#include "control/inside.h"

#define CHECKED_MS 1000000

static void
test_health_is_known(void **state)
{
	static const struct {
		const char *reason;
		unsigned asked;
		int64_t age_ms;
		bool expected;
	} cases[] = {
		{ "just checked", 0, 0, true },
		{ "still new", 0, 4999, true },
		{ "old", 0, 5000, false },
		{ "old, but a check is under way", 1, 5000, true },
		{ "for several", 3, 59999, true },
		{ "too old to be told whatever is under way", 1, 60000, false },
		{ "of this morning", 3, 5 * 3600 * 1000, false },
	};
	struct health_memory memory = { .answer = NULL, .asked = 1, .at_ms = CHECKED_MS };

	(void)state;
	assert_false(health_is_known(&memory, CHECKED_MS)); /* never checked */
	memory.answer = json_object();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		memory.asked = cases[i].asked;
		if (health_is_known(&memory, CHECKED_MS + cases[i].age_ms) != cases[i].expected)
			fail_msg("%s", cases[i].reason);
	}
	json_decref(memory.answer);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_health_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
