#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "control/feed.h"
#include "control/inside.h"

#define MAIL "01HZX3V6J8K9M2N4P5Q7R8S9T0"

static void
test_vague(void **state)
{
	static const struct {
		const char *reason, *kind, *item;
		bool vague;
	} cases[] = {
		{ "an item is named", "held", MAIL "-1", false },
		{ "an item with a larger number", "deleted", MAIL "-4711", false },
		{ "a mail stands for its items", "held", MAIL, true },
		{ "a mail that goes for good", "deleted", MAIL, true },
		{ "items by a filter", "held", "", true },
		{ "an id as it was typed", "deleted", "01hzx3v6j8k9m2n4p5q7r8s9t0-1", true },
		{ "a number as it was typed", "deleted", MAIL "-01", true },
		{ "no id at all", "deleted", "nothing", true },
		{ "a new mail, by its id", "accepted", MAIL, false },
		{ "what ends no wait", "released", "", false },
		{ "what ends no wait, either", "retried", MAIL, false },
		{ "a route", "route-held", "", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct feed_event event = { .kind = cases[i].kind };

		snprintf(event.item, sizeof(event.item), "%s", cases[i].item);
		if (event_is_vague(&event) != cases[i].vague)
			fail_msg("%s", cases[i].reason);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vague),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
