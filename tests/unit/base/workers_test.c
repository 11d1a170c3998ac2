/* Threads that do jobs, real ones. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/workers.h"

#define LONG_MS 20000

struct job {
	struct work work;
	struct bench *bench;
	int number;
	bool waits; /* until the gate opens, or it is cut */
	bool was_cut;
};

struct own {
	struct bench *bench;
	pthread_t thread;
	int jobs;
};

struct bench {
	struct loop *loop;
	struct loop_timer *tick;
	struct workers *workers;
	bool free_in_done;

	atomic_bool gate;
	atomic_int running, most_running, opened, closed, freed, cuts;
	int done[100];
	int done_count;
	bool some_was_cut;
	atomic_int wrong; /* own of another thread, or a signal that was not blocked */
};

static void
on_open(void *ctx_own, void *ctx)
{
	struct own *own = ctx_own;
	struct bench *b = ctx;
	sigset_t blocked;

	own->bench = b;
	own->thread = pthread_self();
	pthread_sigmask(SIG_SETMASK, NULL, &blocked);
	b->wrong += !sigismember(&blocked, SIGTERM) || own->jobs != 0;
	b->opened++;
}

static void
on_close(void *ctx_own)
{
	struct own *own = ctx_own;

	own->bench->closed++;
}

static void
on_run(void *ctx_own, struct work *work, const atomic_bool *cut)
{
	struct job *job = (struct job *)work;
	struct own *own = ctx_own;
	struct bench *b = job->bench;
	int running = ++b->running;

	if (running > b->most_running)
		b->most_running = running;
	b->wrong += !pthread_equal(own->thread, pthread_self());
	own->jobs++;
	while (job->waits && !b->gate && !*cut)
		usleep(200);
	job->was_cut = *cut;
	b->running--;
}

static void
on_cut(void *ctx_own, struct work *work)
{
	struct own *own = ctx_own;

	own->bench->cuts += work != NULL;
}

static void
on_done(struct work *work)
{
	struct job *job = (struct job *)work;
	struct bench *b = job->bench;

	b->done[b->done_count++] = job->number;
	b->some_was_cut = b->some_was_cut || job->was_cut;
	if (b->free_in_done)
		workers_free(&b->workers);
}

static void
on_free(struct work *work)
{
	struct job *job = (struct job *)work;

	job->bench->freed++;
	free(job);
}

static const struct workers_kind kind = {
	.own_bytes = sizeof(struct own),
	.open = on_open,
	.close = on_close,
	.run = on_run,
	.cut = on_cut,
	.done = on_done,
	.free = on_free,
};

static void
on_tick(void *ctx)
{
	struct bench *b = ctx;

	loop_stop(b->loop);
}

static void
turn(struct bench *b)
{
	loop_timer_set(b->tick, 1);
	loop_run(b->loop);
}

static void
begin(struct bench *b, unsigned most, int64_t idle_ms)
{
	memset(b, 0, sizeof(*b));
	b->loop = loop_new();
	assert_non_null(b->loop);
	b->tick = loop_timer_new(b->loop, on_tick, b);
	b->workers = workers_new(&(struct workers_params){
	    .loop = b->loop, .kind = &kind, .ctx = b, .most = most, .idle_ms = idle_ms });
	assert_non_null(b->workers);
}

static void
end(struct bench *b)
{
	workers_free(&b->workers);
	assert_int_equal(b->opened, b->closed);
	assert_int_equal(b->wrong, 0);
	loop_timer_free(&b->tick);
	loop_free(&b->loop);
}

static struct job *
job_new(struct bench *b, int number, bool waits)
{
	struct job *job = mem_new(sizeof(*job));

	job->bench = b;
	job->number = number;
	job->waits = waits;
	return job;
}

static struct work *
submit(struct bench *b, int number, bool waits)
{
	struct job *job = job_new(b, number, waits);

	assert_int_equal(workers_submit(b->workers, &job->work), 0);
	return &job->work;
}

static void
await(struct bench *b, const atomic_int *number, int wanted)
{
	int64_t until = clock_mono_ms() + LONG_MS;

	while (*number != wanted && clock_mono_ms() < until)
		turn(b);
	assert_int_equal(*number, wanted);
}

static void
all_are_done_by_few(void **state)
{
	struct bench b;
	bool seen[40] = { false };

	(void)state;
	begin(&b, 3, LONG_MS);
	for (int i = 0; i < 40; i++)
		submit(&b, i, true);
	await(&b, &b.running, 3);
	b.gate = true;
	await(&b, &b.freed, 40);
	assert_int_equal(b.done_count, 40);
	assert_int_equal(b.most_running, 3);
	assert_int_equal(b.opened, 3);
	for (int i = 0; i < 40; i++)
		seen[b.done[i]] = true;
	for (int i = 0; i < 40; i++)
		assert_true(seen[i]);
	end(&b);
}

static void
one_thread_keeps_the_order(void **state)
{
	struct bench b;

	(void)state;
	begin(&b, 1, LONG_MS);
	for (int i = 0; i < 20; i++)
		submit(&b, i, false);
	assert_int_equal(b.done_count, 0); /* never inside the call that asks */
	await(&b, &b.freed, 20);
	for (int i = 0; i < 20; i++)
		assert_int_equal(b.done[i], i);
	end(&b);
}

/* One that waits, one that runs, one that is done and not told yet. */
static void
what_is_cancelled_is_not_told(void **state)
{
	struct work *runs, *waits, *told;
	struct bench b;

	(void)state;
	begin(&b, 1, LONG_MS);
	runs = submit(&b, 0, true);
	waits = submit(&b, 1, false);
	told = &job_new(&b, 2, false)->work;
	workers_pass(b.workers, told);
	await(&b, &b.freed, 1);
	assert_int_equal(b.done[0], 2);
	told = &job_new(&b, 3, false)->work;
	workers_pass(b.workers, told);
	workers_cancel(told);
	assert_int_equal(b.freed, 2);
	await(&b, &b.running, 1);
	workers_cancel(waits);
	assert_int_equal(b.freed, 3);
	workers_cancel(runs);
	await(&b, &b.freed, 4);
	assert_int_equal(b.cuts, 1);
	assert_int_equal(b.done_count, 1);
	/* The thread goes on, and what comes next is not cut. */
	b.gate = true;
	submit(&b, 4, true);
	await(&b, &b.freed, 5);
	assert_int_equal(b.done[1], 4);
	assert_false(b.some_was_cut);
	assert_int_equal(b.opened, 1);
	end(&b);
}

static void
the_end_cuts_all(void **state)
{
	struct bench b;

	(void)state;
	begin(&b, 2, LONG_MS);
	for (int i = 0; i < 10; i++)
		submit(&b, i, true);
	await(&b, &b.running, 2);
	workers_free(&b.workers);
	assert_null(b.workers);
	assert_int_equal(b.freed, 10);
	assert_int_equal(b.done_count, 0);
	assert_int_equal(b.cuts, 2);
	end(&b);
}

static void
the_end_may_come_in_between(void **state)
{
	struct bench b;

	(void)state;
	begin(&b, 2, LONG_MS);
	b.free_in_done = true;
	for (int i = 0; i < 10; i++)
		workers_pass(b.workers, &job_new(&b, i, false)->work);
	submit(&b, 10, true);
	await(&b, &b.freed, 11);
	assert_null(b.workers);
	assert_int_equal(b.done_count, 1);
	end(&b);
}

static void
who_has_nothing_to_do_ends(void **state)
{
	struct bench b;

	(void)state;
	begin(&b, 4, 20);
	for (int round = 1; round <= 3; round++) {
		b.gate = false;
		for (int i = 0; i < 4; i++)
			submit(&b, i, true);
		await(&b, &b.running, 4);
		b.gate = true;
		await(&b, &b.closed, 4 * round);
		await(&b, &b.freed, 4 * round);
	}
	end(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_are_done_by_few),
		cmocka_unit_test(one_thread_keeps_the_order),
		cmocka_unit_test(what_is_cancelled_is_not_told),
		cmocka_unit_test(the_end_cuts_all),
		cmocka_unit_test(the_end_may_come_in_between),
		cmocka_unit_test(who_has_nothing_to_do_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
