#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/feed.h"

#define SOME 64

static void
add(struct feed *feed, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct feed_event event = { .kind = "sent", .attempt = i };

		feed_add(feed, &event);
	}
}

static void
test_empty(void **state)
{
	struct feed *feed = feed_new();
	struct feed_event events[SOME];
	uint64_t missed = 99;

	(void)state;
	assert_int_equal(feed_last(feed), 0);
	assert_int_equal(feed_read(feed, 0, events, SOME, &missed), 0);
	assert_int_equal(missed, 0);
	feed_free(&feed);
	assert_null(feed);
	feed_free(&feed);
}

static void
test_in_order(void **state)
{
	struct feed *feed = feed_new();
	struct feed_event events[SOME];
	uint64_t missed;

	(void)state;
	add(feed, 10);
	assert_int_equal(feed_last(feed), 10);
	assert_int_equal(feed_read(feed, 0, events, 4, &missed), 4);
	assert_int_equal(events[0].number, 1);
	assert_int_equal(events[3].number, 4);
	assert_int_equal(feed_read(feed, 4, events, SOME, &missed), 6);
	assert_int_equal(events[5].number, 10);
	assert_int_equal(events[5].attempt, 9);
	assert_int_equal(missed, 0);
	assert_int_equal(feed_read(feed, 10, events, SOME, &missed), 0);
	assert_int_equal(missed, 0);
	/* A number that nobody gave: nothing is there, and nothing is missed. */
	assert_int_equal(feed_read(feed, UINT64_MAX - 1, events, SOME, &missed), 0);
	assert_int_equal(missed, 0);
	feed_free(&feed);
}

static void
test_overwritten(void **state)
{
	static struct feed_event events[FEED_MOST + 10];
	struct feed *feed = feed_new();
	uint64_t missed;

	(void)state;
	add(feed, FEED_MOST);
	assert_int_equal(feed_read(feed, 0, events, FEED_MOST + 10, &missed), FEED_MOST);
	assert_int_equal(missed, 0);
	assert_int_equal(events[0].number, 1);
	add(feed, 5);
	assert_int_equal(feed_read(feed, 0, events, FEED_MOST + 10, &missed), FEED_MOST);
	assert_int_equal(missed, 5);
	assert_int_equal(events[0].number, 6);
	assert_int_equal(events[FEED_MOST - 1].number, FEED_MOST + 5);
	assert_int_equal(feed_read(feed, 3, events, 1, &missed), 1);
	assert_int_equal(missed, 2);
	assert_int_equal(feed_read(feed, 5, events, 1, &missed), 1);
	assert_int_equal(missed, 0);
	feed_free(&feed);
}

static void
count_up(void *ctx)
{
	++*(unsigned *)ctx;
}

static void
test_armed_once(void **state)
{
	struct feed *feed = feed_new();
	unsigned woken = 0;

	(void)state;
	add(feed, 1);
	assert_int_equal(woken, 0);
	feed_arm(feed, count_up, &woken);
	assert_int_equal(woken, 0);
	add(feed, 3);
	assert_int_equal(woken, 1);
	feed_arm(feed, count_up, &woken);
	feed_arm(feed, NULL, NULL);
	add(feed, 3);
	assert_int_equal(woken, 1);
	feed_free(&feed);
}

/* --- two threads ---------------------------------------------------------------------------- */

#define EVENTS 50000

static struct {
	struct feed *feed;
	pthread_mutex_t lock;
	pthread_cond_t news;
	bool woken;
} shared = { .lock = PTHREAD_MUTEX_INITIALIZER, .news = PTHREAD_COND_INITIALIZER };

static void
wake(void *ctx)
{
	(void)ctx;
	pthread_mutex_lock(&shared.lock);
	shared.woken = true;
	pthread_cond_signal(&shared.news);
	pthread_mutex_unlock(&shared.lock);
}

static void *
add_all(void *ctx)
{
	(void)ctx;
	for (unsigned i = 1; i <= EVENTS; i++) {
		struct feed_event event = { .kind = "sent", .attempt = i };

		snprintf(event.text, sizeof(event.text), "%u", i);
		feed_add(shared.feed, &event);
	}
	return NULL;
}

/* Whoever arms before reading sleeps on nothing: every event is read or counted as missed. */
static void
test_two_threads(void **state)
{
	struct feed_event events[SOME];
	uint64_t after = 0, seen = 0, lost = 0;
	pthread_t thread;

	(void)state;
	shared.feed = feed_new();
	feed_arm(shared.feed, wake, NULL);
	assert_int_equal(pthread_create(&thread, NULL, add_all, NULL), 0);
	while (after < EVENTS) {
		uint64_t missed;
		size_t count;

		pthread_mutex_lock(&shared.lock);
		while (!shared.woken)
			pthread_cond_wait(&shared.news, &shared.lock);
		shared.woken = false;
		pthread_mutex_unlock(&shared.lock);
		feed_arm(shared.feed, wake, NULL);
		while ((count = feed_read(shared.feed, after, events, SOME, &missed)) > 0) {
			char text[16];

			assert_int_equal(events[0].number, after + missed + 1);
			for (size_t i = 0; i < count; i++) {
				assert_int_equal(events[i].number, events[0].number + i);
				assert_int_equal(events[i].attempt, events[i].number);
				snprintf(text, sizeof(text), "%u", events[i].attempt);
				assert_string_equal(events[i].text, text);
			}
			after = events[count - 1].number;
			seen += count;
			lost += missed;
		}
	}
	pthread_join(thread, NULL);
	assert_int_equal(seen + lost, EVENTS);
	feed_free(&shared.feed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_in_order),
		cmocka_unit_test(test_overwritten),
		cmocka_unit_test(test_armed_once),
		cmocka_unit_test(test_two_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
