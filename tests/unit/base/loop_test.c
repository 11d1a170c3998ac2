#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/loop.h"

/* What ran, in the order in which it ran. */
static char trace[256];
static struct loop *loop;

static int
setup(void **state)
{
	(void)state;
	trace[0] = '\0';
	loop = loop_new();
	return loop == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	(void)state;
	loop_free(&loop);
	return loop == NULL ? 0 : -1;
}

static void
note(void *ctx)
{
	strcat(trace, ctx);
}

static void
stop(void *ctx)
{
	(void)ctx;
	strcat(trace, ".");
	loop_stop(loop);
}

/* For contexts, which are not const. */
static char a[] = "a", b[] = "b", c[] = "c";

static void
stop_before_run(void **state)
{
	(void)state;
	loop_stop(loop);
	loop_run(loop);
}

static void
timers(void **state)
{
	struct loop_timer *first = loop_timer_new(loop, note, a);
	struct loop_timer *second = loop_timer_new(loop, note, b);
	struct loop_timer *never = loop_timer_new(loop, note, c);
	struct loop_timer *last = loop_timer_new(loop, stop, NULL);
	int64_t begin_ms = clock_mono_ms();

	(void)state;
	loop_timer_set(last, 60);
	loop_timer_set(second, 1);
	loop_timer_set(second, 30); /* moved behind the first */
	loop_timer_set(first, 10);
	loop_timer_set(never, 5);
	loop_timer_clear(never);
	loop_run(loop);
	assert_string_equal(trace, "ab.");
	assert_in_range(clock_mono_ms() - begin_ms, 50, 5000);
	loop_timer_set(never, -5);
	loop_timer_free(&never);
	loop_timer_set(last, 0);
	loop_run(loop);
	assert_string_equal(trace, "ab..");
	loop_timer_free(&first);
	loop_timer_free(&second);
	loop_timer_free(&last);
	loop_timer_free(&last);
	assert_null(last);
}

struct pair {
	struct loop_call *call;
	struct loop_call *other;
	struct loop_timer *timer;
	int runs;
};

static void
ask_thrice(void *ctx)
{
	struct pair *pair = ctx;

	strcat(trace, "t");
	loop_call_ask(pair->call);
	loop_call_ask(pair->other);
	loop_call_ask(pair->call);
	strcat(trace, "t");
}

static void
calls_run_once_at_the_end_of_the_turn(void **state)
{
	struct pair pair = { 0 };
	struct loop_timer *same_turn = loop_timer_new(loop, note, c);
	struct loop_timer *last = loop_timer_new(loop, stop, NULL);

	(void)state;
	pair.call = loop_call_new(loop, note, a);
	pair.other = loop_call_new(loop, note, b);
	pair.timer = loop_timer_new(loop, ask_thrice, &pair);
	loop_timer_set(pair.timer, 0);
	loop_timer_set(same_turn, 0);
	loop_timer_set(last, 20);
	loop_run(loop);
	/* Both timers of the turn first, then the calls. */
	assert_string_equal(trace, "ttcab.");
	loop_call_free(&pair.call);
	loop_call_free(&pair.other);
	loop_call_free(&pair.other);
	loop_timer_free(&pair.timer);
	loop_timer_free(&same_turn);
	loop_timer_free(&last);
}

static void
ask_again(void *ctx)
{
	struct pair *pair = ctx;

	if (++pair->runs < 1000)
		loop_call_ask(pair->call);
	else
		loop_stop(loop);
}

static void
seen(evutil_socket_t fd, short what, void *ctx)
{
	char byte;
	int *runs = ctx;

	(void)what;
	assert_int_equal(read(fd, &byte, 1), 1);
	(*runs)++;
}

/* A call that asks for itself in each turn: sockets have theirs, and the calls end some day. */
static void
calls_do_not_starve_sockets(void **state)
{
	struct pair pair = { 0 };
	struct event *event;
	int fds[2], read_runs = 0;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(write(fds[1], "0123456789", 10), 10);
	event = event_new(loop_base(loop), fds[0], EV_READ | EV_PERSIST, seen, &read_runs);
	event_add(event, NULL);
	pair.call = loop_call_new(loop, ask_again, &pair);
	loop_call_ask(pair.call);
	loop_run(loop);
	assert_int_equal(pair.runs, 1000);
	assert_int_equal(read_runs, 10);
	loop_call_free(&pair.call);
	event_free(event);
	close(fds[0]);
	close(fds[1]);
}

static void
free_other(void *ctx)
{
	struct pair *pair = ctx;

	strcat(trace, "f");
	loop_call_free(&pair->other);
	loop_call_free(&pair->call);
}

static void
freed_call_never_runs(void **state)
{
	struct pair pair = { 0 };
	struct loop_call *last = loop_call_new(loop, stop, NULL);

	(void)state;
	pair.call = loop_call_new(loop, free_other, &pair);
	pair.other = loop_call_new(loop, note, b);
	loop_call_ask(pair.call);
	loop_call_ask(pair.other);
	loop_call_ask(last);
	loop_run(loop);
	assert_string_equal(trace, "f.");
	loop_call_free(&last);
}

static void
what_is_asked_for_survives_a_stop(void **state)
{
	struct loop_call *first = loop_call_new(loop, note, a);
	struct loop_call *halt = loop_call_new(loop, stop, NULL);
	struct loop_call *second = loop_call_new(loop, note, b);
	struct loop_timer *last = loop_timer_new(loop, stop, NULL);

	(void)state;
	loop_call_ask(first);
	loop_call_ask(halt);
	loop_call_ask(second);
	loop_post(loop, note, c);
	loop_run(loop);
	assert_string_equal(trace, "a.");
	loop_timer_set(last, 20);
	loop_run(loop);
	assert_true(strcmp(trace, "a.bc.") == 0 || strcmp(trace, "a.cb.") == 0);
	loop_call_free(&first);
	loop_call_free(&halt);
	loop_call_free(&second);
	loop_timer_free(&last);
}

static void
stop_in_a_post(void **state)
{
	(void)state;
	loop_post(loop, note, a);
	loop_post(loop, stop, NULL);
	loop_post(loop, note, b);
	loop_post(loop, stop, NULL);
	loop_run(loop);
	assert_string_equal(trace, "a.");
	loop_run(loop);
	assert_string_equal(trace, "a.b.");
	/* Never run; must not leak. */
	loop_post(loop, note, c);
}

enum { POSTS = 20000, POSTERS = 3 };
static int posted[POSTERS];
static int posts_seen;
static pthread_t loop_thread;

static void
count_post(void *ctx)
{
	uintptr_t number = (uintptr_t)ctx;
	int who = (int)(number / POSTS);

	assert_true(pthread_equal(pthread_self(), loop_thread));
	assert_int_equal(posted[who]++, (int)(number % POSTS));
	if (++posts_seen == POSTS * POSTERS)
		loop_stop(loop);
}

static void *
post_many(void *ctx)
{
	uintptr_t who = (uintptr_t)ctx;

	for (uintptr_t i = 0; i < POSTS; i++)
		loop_post(loop, count_post, (void *)(who * POSTS + i));
	return NULL;
}

static void
posts_keep_their_order(void **state)
{
	pthread_t threads[POSTERS];

	(void)state;
	loop_thread = pthread_self();
	for (uintptr_t i = 0; i < POSTERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, post_many, (void *)i), 0);
	loop_run(loop);
	for (int i = 0; i < POSTERS; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(posted[i], POSTS);
	}
}

static void
signals(void **state)
{
	struct loop_timer *last = loop_timer_new(loop, stop, NULL);

	(void)state;
	assert_int_equal(loop_signal(loop, SIGUSR1, note, a), 0);
	assert_int_equal(loop_signal(loop, SIGUSR2, note, b), 0);
	raise(SIGUSR1);
	assert_string_equal(trace, "");
	loop_timer_set(last, 20);
	loop_run(loop);
	assert_string_equal(trace, "a.");
	raise(SIGUSR2);
	loop_timer_set(last, 20);
	loop_run(loop);
	assert_string_equal(trace, "a.b.");
	loop_timer_free(&last);
}

static struct loop_last *own;

static void
let_go(void *ctx)
{
	note(ctx);
	loop_last_free(&own);
}

static void
last_wishes(void **state)
{
	struct loop_last *freed;
	size_t size;

	(void)state;
	freed = loop_last_new(loop, note, a);
	own = loop_last_new(loop, let_go, b);
	loop_last_free(&freed);
	loop_last_free(&freed);
	assert_non_null(loop_scratch(loop, &size));
	assert_true(size >= 65536);
	loop_free(&loop);
	assert_string_equal(trace, "b");
	assert_null(own);
	loop_free(&loop);
}

#define loop_unit_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		loop_unit_test(stop_before_run),
		loop_unit_test(timers),
		loop_unit_test(calls_run_once_at_the_end_of_the_turn),
		loop_unit_test(calls_do_not_starve_sockets),
		loop_unit_test(freed_call_never_runs),
		loop_unit_test(what_is_asked_for_survives_a_stop),
		loop_unit_test(stop_in_a_post),
		loop_unit_test(posts_keep_their_order),
		loop_unit_test(signals),
		loop_unit_test(last_wishes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
