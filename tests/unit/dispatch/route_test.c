#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "dispatch/route.h"
#include "postmark/client.h"

#define WALL_MS INT64_C(1000000)
#define MONO_MS INT64_C(5000)

static const struct dispatch_options options = { .most_in_flight = 2,
	.most_batch_items = 10,
	.batch_target_ms = 1000,
	.queue_lifetime_ms = 10000,
	.probe_ms = 600,
	.breaker_failures = 2 };

/* An answer of one item. */
static void
learn(struct route_state *route, enum verdict verdict, int status, int code, bool probe)
{
	struct item_verdict item = { .verdict = verdict, .error_code = code, .message = "why" };
	const struct postmark_answer answer = { .status = status, .retry_after_ms = -1 };
	struct route_tally tally = route_tally(&item, 1);
	const struct route_lesson lesson = { .verdicts = &item,
		.count = 1,
		.tally = &tally,
		.answer = &answer,
		.started_ms = clock_mono_ms(),
		.probe = probe };

	route_learn(route, &lesson);
}

/*
 * A letter is what happens: k the store is known, h a hold, r a release, f a flush, s sent, t a bad
 * token, o one sender's fault, w weather, p its probe, T a 429, a digit so many hundred
 * milliseconds.
 */
static void
play(struct route_state *route, const char *what)
{
	for (; *what != '\0'; what++) {
		switch (*what) {
		case 'k':
			route_restore(route, NULL);
			break;
		case 'h':
			route_hold(route, true, "root: x");
			break;
		case 'r':
			route_hold(route, false, "root: x");
			break;
		case 'f':
			route_flush(route);
			break;
		case 's':
			learn(route, VERDICT_SENT, 200, 0, route->paused);
			break;
		case 't':
			learn(route, VERDICT_OPERATOR, 401, 10, route->paused);
			break;
		case 'o':
			learn(route, VERDICT_OPERATOR, 422, 400, route->paused);
			break;
		case 'w':
			learn(route, VERDICT_WEATHER, 503, 0,
			    route->breaker.state == BREAKER_HALF_OPEN);
			break;
		case 'T':
			learn(route, VERDICT_THROTTLED, 429, 0, false);
			break;
		case 'p':
			breaker_probe(&route->breaker);
			break;
		default:
			clock_fake_advance((*what - '0') * 100);
		}
	}
}

static void
may_leave(void **state)
{
	static const struct {
		const char *reason, *what;
		bool no_token;
		unsigned in_flight;
		enum route_leave leave;
		int64_t until_ms; /* from MONO_MS; -1: nobody knows */
		enum dispatch_route_mode mode;
		const char *why;
		int64_t since_ms, next_probe_ms; /* from WALL_MS; -1: 0 */
	} cases[] = {
		{ "not before the store is known", "", false, 0, ROUTE_WAIT, -1, ROUTE_GOES, "", -1,
		    -1 },
		{ "as usual", "k", false, 0, ROUTE_LEAVE, -1, ROUTE_GOES, "", -1, -1 },
		{ "the window is full", "k", false, 2, ROUTE_WAIT, -1, ROUTE_GOES, "", -1, -1 },
		{ "no token", "k", true, 0, ROUTE_WAIT, -1, ROUTE_PAUSED, "no token", 0, -1 },
		{ "no token, and an operator's word does not make one", "k1hrf", true, 0,
		    ROUTE_WAIT, -1, ROUTE_PAUSED, "no token", 0, -1 },
		{ "held", "k1h", false, 0, ROUTE_WAIT, -1, ROUTE_HELD, "paused by root: x", 100,
		    -1 },
		{ "held since the first word", "k1h1h", false, 0, ROUTE_WAIT, -1, ROUTE_HELD,
		    "paused by root: x", 100, -1 },
		{ "a flush leaves a hold", "khf", false, 0, ROUTE_WAIT, -1, ROUTE_HELD,
		    "paused by root: x", 0, -1 },
		{ "let go", "khr", false, 0, ROUTE_LEAVE, -1, ROUTE_GOES, "", -1, -1 },
		{ "a bad token", "k1t", false, 0, ROUTE_WAIT, 700, ROUTE_PAUSED,
		    "HTTP 401, code 10: why", 100, 700 },
		{ "probed", "kt6", false, 0, ROUTE_PROBE, -1, ROUTE_PAUSED,
		    "HTTP 401, code 10: why", 0, 600 },
		{ "by one request", "kt6", false, 1, ROUTE_WAIT, -1, ROUTE_PAUSED,
		    "HTTP 401, code 10: why", 0, 600 },
		{ "again, in vain", "kt6t", false, 0, ROUTE_WAIT, 1200, ROUTE_PAUSED,
		    "HTTP 401, code 10: why", 0, 1200 },
		{ "sent", "kt6s", false, 0, ROUTE_LEAVE, -1, ROUTE_GOES, "", -1, -1 },
		{ "one sender's fault", "koo", false, 0, ROUTE_LEAVE, -1, ROUTE_GOES, "", -1, -1 },
		{ "three of them", "kooo6", false, 0, ROUTE_SIEVE, -1, ROUTE_PAUSED,
		    "HTTP 422, code 400: why", 0, 600 },
		{ "a pause is tried now", "kt1f", false, 0, ROUTE_PROBE, -1, ROUTE_PAUSED,
		    "HTTP 401, code 10: why", 0, 100 },
		{ "a pause is ended", "kt1r", false, 0, ROUTE_LEAVE, -1, ROUTE_GOES, "", -1, -1 },
		{ "both", "kt1h", false, 0, ROUTE_WAIT, -1, ROUTE_HELD, "paused by root: x", 100,
		    -1 },
		{ "an answer ends our half of it", "kt1hsr", false, 0, ROUTE_LEAVE, -1, ROUTE_GOES,
		    "", -1, -1 },
		{ "but not the other", "kt1hs", false, 0, ROUTE_WAIT, -1, ROUTE_HELD,
		    "paused by root: x", 100, -1 },
		{ "weather", "k1ww", false, 0, ROUTE_WAIT, 700, ROUTE_BROKEN, "why", 100, 700 },
		{ "its probe", "kww6", false, 0, ROUTE_PROBE, -1, ROUTE_BROKEN, "why", 0, 600 },
		{ "which is out", "kww6p", false, 1, ROUTE_WAIT, -1, ROUTE_BROKEN, "why", 0, -1 },
		{ "which failed", "kww6pw", false, 0, ROUTE_WAIT, 1200, ROUTE_BROKEN, "why", 0,
		    1200 },
		{ "weather is tried now", "kww1f", false, 0, ROUTE_PROBE, -1, ROUTE_BROKEN, "why",
		    0, 100 },
		{ "a 429", "k1T", false, 0, ROUTE_WAIT, 1100, ROUTE_THROTTLED,
		    "throttled by Postmark", 100, 1100 },
		{ "whose rest is over", "kT9 1", false, 0, ROUTE_LEAVE, -1, ROUTE_GOES, "", -1,
		    -1 },
		{ "or waited for no longer", "kTf", false, 0, ROUTE_LEAVE, -1, ROUTE_GOES, "", -1,
		    -1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct dispatch_route_state about = { 0 };
		struct route_state route;
		enum route_leave leave;
		int64_t until_ms;

		clock_fake(WALL_MS, MONO_MS);
		route_state_init(&route, "default", !cases[i].no_token, &options);
		for (const char *at = cases[i].what; *at != '\0'; at++) {
			char one[2] = { *at, '\0' };

			if (*at != ' ')
				play(&route, one);
		}
		leave = route_may_leave(&route, cases[i].in_flight, &until_ms);
		if (leave != cases[i].leave)
			fail_msg("%s: %d", cases[i].reason, (int)leave);
		if (leave == ROUTE_WAIT &&
		    until_ms != (cases[i].until_ms < 0 ? INT64_MAX : MONO_MS + cases[i].until_ms))
			fail_msg("%s: until %lld", cases[i].reason, (long long)until_ms);
		route_describe(&route, &about);
		if (about.mode != cases[i].mode || strcmp(about.why, cases[i].why) != 0)
			fail_msg("%s: %s, %s", cases[i].reason,
			    dispatch_route_mode_name(about.mode), about.why);
		if (about.since_ms != (cases[i].since_ms < 0 ? 0 : WALL_MS + cases[i].since_ms) ||
		    about.next_probe_ms !=
			(cases[i].next_probe_ms < 0 ? 0 : WALL_MS + cases[i].next_probe_ms))
			fail_msg("%s: since %lld, probe %lld", cases[i].reason,
			    (long long)about.since_ms, (long long)about.next_probe_ms);
		assert_int_equal(route_stands(&route), route.pauses.open);
		route_state_deinit(&route);
	}
	clock_restore();
}

/* What one process leaves behind is what the next one begins with. */
static void
handed_on(void **state)
{
	static const struct {
		const char *reason, *what;
		enum dispatch_route_mode mode;
		enum route_leave leave;
		int64_t stood_since_ms, stood_ms; /* kept; from WALL_MS, -1: 0 */
	} cases[] = {
		{ "it went", "k5", ROUTE_GOES, ROUTE_LEAVE, -1, 0 },
		{ "it was held", "k2h5", ROUTE_HELD, ROUTE_WAIT, 200, 0 },
		{ "it had been held", "k2h5r1", ROUTE_GOES, ROUTE_LEAVE, -1, 500 },
		{ "twice", "k2h5r1h3", ROUTE_HELD, ROUTE_WAIT, 800, 500 },
		{ "it was paused", "k2t5", ROUTE_PAUSED, ROUTE_PROBE, 200, 0 },
		{ "paused and then held", "k2t2h5", ROUTE_HELD, ROUTE_WAIT, 200, 0 },
		{ "the breaker is of one process", "kww", ROUTE_GOES, ROUTE_LEAVE, -1, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct dispatch_route_state about = { 0 };
		struct route_state before, after;
		struct store_route record;
		int64_t until_ms;

		clock_fake(WALL_MS, MONO_MS);
		route_state_init(&before, "default", true, &options);
		play(&before, cases[i].what);
		route_record(&before, &record);
		if (record.stood_since_ms !=
			(cases[i].stood_since_ms < 0 ? 0 : WALL_MS + cases[i].stood_since_ms) ||
		    record.stood_ms != cases[i].stood_ms)
			fail_msg("%s: since %lld, for %lld", cases[i].reason,
			    (long long)record.stood_since_ms, (long long)record.stood_ms);
		route_state_init(&after, "default", true, &options);
		clock_fake_advance(1000);
		route_restore(&after, &record);
		route_describe(&after, &about);
		if (about.mode != cases[i].mode ||
		    route_may_leave(&after, 0, &until_ms) != cases[i].leave)
			fail_msg("%s: %s", cases[i].reason, dispatch_route_mode_name(about.mode));
		if (route_stands(&after))
			assert_string_equal(route_why(&after), route_why(&before));
		assert_int_equal(pauses_sum_ms(&after.pauses), cases[i].stood_ms);
		route_state_deinit(&before);
		route_state_deinit(&after);
	}
	clock_restore();
}

static void
lifetimes_by_the_item(void **state)
{
	struct store_item item = { .accepted_ms = WALL_MS };
	struct route_state route;

	(void)state;
	clock_fake(WALL_MS, MONO_MS);
	route_state_init(&route, "default", true, &options);
	play(&route, "k");
	assert_false(route_lifetime_over(&route, &item, WALL_MS + 9999));
	assert_true(route_lifetime_over(&route, &item, WALL_MS + 10000));
	/* Released by an operator: a new life. */
	item.since_ms = WALL_MS + 500;
	assert_false(route_lifetime_over(&route, &item, WALL_MS + 10499));
	assert_true(route_lifetime_over(&route, &item, WALL_MS + 10500));
	/* And 400 of it while the route stood. */
	play(&route, "7h4");
	assert_false(route_lifetime_over(&route, &item, WALL_MS + 99999));
	play(&route, "r");
	assert_false(route_lifetime_over(&route, &item, WALL_MS + 10899));
	assert_true(route_lifetime_over(&route, &item, WALL_MS + 10900));
	route_state_deinit(&route);
	clock_restore();
}

static void
learn_smtp(struct route_state *route, enum verdict verdict, bool smtp_probe, bool probe)
{
	struct item_verdict item = { .verdict = verdict, .message = "why" };
	const struct postmark_answer answer = { .status = 451, .retry_after_ms = -1 };
	struct route_tally tally = route_tally(&item, 1);
	const struct route_lesson lesson = { .verdicts = &item,
		.count = 1,
		.tally = &tally,
		.answer = &answer,
		.started_ms = clock_mono_ms(),
		.probe = probe,
		.smtp = true,
		.smtp_probe = smtp_probe };

	route_learn(route, &lesson);
}

static void
smtp_leaves(struct route_state *route, bool leaves, bool is_probe, int64_t after_ms)
{
	int64_t until_ms;
	bool probe;

	assert_int_equal(route_smtp_may_leave(route, &until_ms, &probe), leaves);
	assert_int_equal(probe, is_probe);
	if (!leaves)
		assert_int_equal(until_ms - clock_mono_ms(), after_ms);
}

static void
smtp_has_a_breaker_of_its_own(void **state)
{
	struct route_state route;
	int64_t until_ms;

	(void)state;
	clock_fake(WALL_MS, MONO_MS);
	route_state_init(&route, "main", true, &options);
	play(&route, "k");
	smtp_leaves(&route, true, false, 0);
	learn_smtp(&route, VERDICT_WEATHER, false, false);
	smtp_leaves(&route, true, false, 0);
	learn_smtp(&route, VERDICT_UNSURE, false, false);
	smtp_leaves(&route, false, false, 600);
	/* What goes by the API has nothing to do with it, and does not end it. */
	assert_int_equal(route_may_leave(&route, 0, &until_ms), ROUTE_LEAVE);
	assert_false(route_is_shut(&route));
	play(&route, "s2");
	smtp_leaves(&route, false, false, 400);
	play(&route, "4");
	smtp_leaves(&route, true, true, 0);
	smtp_leaves(&route, false, false, 600); /* one is out to see */
	learn_smtp(&route, VERDICT_WEATHER, true, false);
	smtp_leaves(&route, false, false, 600);
	play(&route, "f");
	smtp_leaves(&route, true, true, 0);
	learn_smtp(&route, VERDICT_REFUSED, true, false);
	smtp_leaves(&route, true, false, 0);

	/* As the probe of the other one it is as good as any. */
	play(&route, "ww6p");
	learn_smtp(&route, VERDICT_WEATHER, false, true);
	assert_int_equal(route_may_leave(&route, 0, &until_ms), ROUTE_WAIT);
	assert_int_equal(until_ms - clock_mono_ms(), 600);
	play(&route, "6p");
	learn_smtp(&route, VERDICT_SENT, false, true);
	assert_int_equal(route_may_leave(&route, 0, &until_ms), ROUTE_LEAVE);
	route_state_deinit(&route);
	clock_restore();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(may_leave),
		cmocka_unit_test(handed_on),
		cmocka_unit_test(lifetimes_by_the_item),
		cmocka_unit_test(smtp_has_a_breaker_of_its_own),
	};

	log_setup("test", LOG_LEVEL_ERROR, LOG_FORMAT_TEXT, -1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
