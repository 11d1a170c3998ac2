#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/mem.h"
#include "base/loop.h"

#define SCRATCH_BYTES ((size_t)256 * 1024)

/* A ring with its head in it: what is on it leaves without knowing where it is. */
struct ring {
	struct ring *next;
	struct ring *prev;
};

struct loop_timer {
	struct event event;
	loop_fn *fn;
	void *ctx;
};

struct loop_call {
	struct ring ring; /* first: a call is found by its ring */
	struct loop *loop;
	loop_fn *fn;
	void *ctx;
};

struct loop_last {
	struct ring ring; /* first, as above */
	loop_fn *fn;
	void *ctx;
};

struct post {
	struct post *next;
	loop_fn *fn;
	void *ctx;
};

struct watch {
	struct watch *next;
	struct event event;
	loop_fn *fn;
	void *ctx;
};

/*
 * The base takes no locks: one thread owns it.  What other threads hand in goes through the list
 * of posts, which has a lock of its own, and an eventfd that wakes the loop.
 */
struct loop {
	struct event_base *base;
	bool stopped;
	char *scratch;
	struct watch *watches;
	struct ring lasts;

	struct ring asked;   /* calls for the end of this turn */
	struct ring running; /* those of them that are being run */
	bool in_calls;
	struct event turn;

	pthread_mutex_t lock; /* over first_post and end_post */
	struct post *first_post;
	struct post **end_post;
	struct post *taken; /* posts being run */
	int wake_fd;
	struct event wake;
};

static void
ring_init(struct ring *ring)
{
	ring->next = ring->prev = ring;
}

static bool
ring_empty(const struct ring *ring)
{
	return ring->next == ring;
}

static void
ring_add(struct ring *head, struct ring *member)
{
	member->prev = head->prev;
	member->next = head;
	head->prev->next = member;
	head->prev = member;
}

static void
ring_leave(struct ring *member)
{
	member->prev->next = member->next;
	member->next->prev = member->prev;
	ring_init(member);
}

/* All of from goes to the end of to. */
static void
ring_move(struct ring *to, struct ring *from)
{
	if (ring_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	ring_init(from);
}

/*
 * Runs the calls that were asked for.  What they ask for in their turn waits for the next turn,
 * by a timer that is due at once: a call that asks for itself does not keep the sockets waiting.
 */
static void
loop_turn(evutil_socket_t fd, short what, void *ctx)
{
	static const struct timeval at_once = { 0, 0 };
	struct loop *loop = ctx;

	(void)fd;
	(void)what;
	ring_move(&loop->running, &loop->asked);
	loop->in_calls = true;
	while (!ring_empty(&loop->running) && !loop->stopped) {
		struct loop_call *call = (struct loop_call *)(void *)loop->running.next;

		ring_leave(&call->ring);
		call->fn(call->ctx);
	}
	loop->in_calls = false;
	/* Stopped half-way: the rest comes first in the next run. */
	ring_move(&loop->running, &loop->asked);
	ring_move(&loop->asked, &loop->running);
	if (!ring_empty(&loop->asked))
		evtimer_add(&loop->turn, &at_once);
}

static void
loop_wake(struct loop *loop)
{
	const uint64_t one = 1;

	while (write(loop->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		continue;
}

static void
loop_woken(evutil_socket_t fd, short what, void *ctx)
{
	struct loop *loop = ctx;
	struct post **end;
	uint64_t count;

	(void)what;
	while (read(fd, &count, sizeof(count)) < 0 && errno == EINTR)
		continue;
	for (end = &loop->taken; *end != NULL; end = &(*end)->next)
		continue;
	pthread_mutex_lock(&loop->lock);
	*end = loop->first_post;
	loop->first_post = NULL;
	loop->end_post = &loop->first_post;
	pthread_mutex_unlock(&loop->lock);
	while (loop->taken != NULL && !loop->stopped) {
		struct post *post = loop->taken;
		loop_fn *fn = post->fn;
		void *fn_ctx = post->ctx;

		loop->taken = post->next;
		free(post);
		fn(fn_ctx);
	}
	if (loop->taken != NULL)
		loop_wake(loop);
}

struct loop *
loop_new(void)
{
	struct event_config *config = NULL;
	struct loop *loop;
	int failure;

	loop = mem_new(sizeof(*loop));
	ring_init(&loop->asked);
	ring_init(&loop->running);
	ring_init(&loop->lasts);
	loop->end_post = &loop->first_post;
	pthread_mutex_init(&loop->lock, NULL);

	loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (loop->wake_fd < 0)
		goto free_loop;
	config = event_config_new();
	if (config == NULL)
		goto close_wake;
	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV);
	loop->base = event_base_new_with_config(config);
	event_config_free(config);
	if (loop->base == NULL)
		goto close_wake;
	evtimer_assign(&loop->turn, loop->base, loop_turn, loop);
	event_assign(
	    &loop->wake, loop->base, loop->wake_fd, EV_READ | EV_PERSIST, loop_woken, loop);
	if (event_add(&loop->wake, NULL) != 0)
		goto free_base;
	return loop;

free_base:
	failure = errno;
	event_base_free(loop->base);
	errno = failure;
close_wake:
	failure = errno;
	close(loop->wake_fd);
	errno = failure;
free_loop:
	pthread_mutex_destroy(&loop->lock);
	free(loop);
	return NULL;
}

static void
posts_free(struct post *post)
{
	while (post != NULL) {
		struct post *next = post->next;

		free(post);
		post = next;
	}
}

void
loop_free(struct loop **loop_p)
{
	struct loop *loop = *loop_p;
	struct watch *watch;

	if (loop == NULL)
		return;
	while (!ring_empty(&loop->lasts)) {
		struct loop_last *last = (struct loop_last *)(void *)loop->lasts.next;

		ring_leave(&last->ring);
		last->fn(last->ctx);
	}
	while ((watch = loop->watches) != NULL) {
		loop->watches = watch->next;
		event_del(&watch->event);
		free(watch);
	}
	event_del(&loop->turn);
	event_del(&loop->wake);
	event_base_free(loop->base);
	close(loop->wake_fd);
	posts_free(loop->taken);
	posts_free(loop->first_post);
	pthread_mutex_destroy(&loop->lock);
	free(loop->scratch);
	free(loop);
	*loop_p = NULL;
}

void
loop_run(struct loop *loop)
{
	/* libevent forgets a stop that comes before it runs; stopped does not. */
	while (!loop->stopped)
		if (event_base_loop(loop->base, 0) < 0)
			break;
	loop->stopped = false;
}

void
loop_stop(struct loop *loop)
{
	loop->stopped = true;
	event_base_loopbreak(loop->base);
}

struct event_base *
loop_base(struct loop *loop)
{
	return loop->base;
}

static void
timer_fired(evutil_socket_t fd, short what, void *ctx)
{
	struct loop_timer *timer = ctx;

	(void)fd;
	(void)what;
	timer->fn(timer->ctx);
}

struct loop_timer *
loop_timer_new(struct loop *loop, loop_fn *fn, void *ctx)
{
	struct loop_timer *timer = mem_new(sizeof(*timer));

	timer->fn = fn;
	timer->ctx = ctx;
	evtimer_assign(&timer->event, loop->base, timer_fired, timer);
	return timer;
}

void
loop_timer_set(struct loop_timer *timer, int64_t after_ms)
{
	struct timeval after;

	if (after_ms < 0)
		after_ms = 0;
	after.tv_sec = after_ms / 1000;
	after.tv_usec = after_ms % 1000 * 1000;
	evtimer_add(&timer->event, &after);
}

void
loop_timer_clear(struct loop_timer *timer)
{
	evtimer_del(&timer->event);
}

void
loop_timer_free(struct loop_timer **timer)
{
	if (*timer == NULL)
		return;
	evtimer_del(&(*timer)->event);
	free(*timer);
	*timer = NULL;
}

struct loop_call *
loop_call_new(struct loop *loop, loop_fn *fn, void *ctx)
{
	struct loop_call *call = mem_new(sizeof(*call));

	ring_init(&call->ring);
	call->loop = loop;
	call->fn = fn;
	call->ctx = ctx;
	return call;
}

void
loop_call_ask(struct loop_call *call)
{
	struct loop *loop = call->loop;

	if (!ring_empty(&call->ring))
		return;
	/* An event made active goes behind all that are active in this turn. */
	if (ring_empty(&loop->asked) && !loop->in_calls)
		event_active(&loop->turn, EV_TIMEOUT, 0);
	ring_add(&loop->asked, &call->ring);
}

void
loop_call_free(struct loop_call **call)
{
	if (*call == NULL)
		return;
	ring_leave(&(*call)->ring);
	free(*call);
	*call = NULL;
}

void
loop_post(struct loop *loop, loop_fn *fn, void *ctx)
{
	struct post *post = mem_new(sizeof(*post));
	bool first;

	post->fn = fn;
	post->ctx = ctx;
	pthread_mutex_lock(&loop->lock);
	first = loop->first_post == NULL;
	*loop->end_post = post;
	loop->end_post = &post->next;
	if (first)
		loop_wake(loop);
	pthread_mutex_unlock(&loop->lock);
}

static void
signal_came(evutil_socket_t signal, short what, void *ctx)
{
	struct watch *watch = ctx;

	(void)signal;
	(void)what;
	watch->fn(watch->ctx);
}

int
loop_signal(struct loop *loop, int signal, loop_fn *fn, void *ctx)
{
	struct watch *watch = mem_new(sizeof(*watch));

	watch->fn = fn;
	watch->ctx = ctx;
	evsignal_assign(&watch->event, loop->base, signal, signal_came, watch);
	if (evsignal_add(&watch->event, NULL) != 0) {
		free(watch);
		return -1;
	}
	watch->next = loop->watches;
	loop->watches = watch;
	return 0;
}

struct loop_last *
loop_last_new(struct loop *loop, loop_fn *fn, void *ctx)
{
	struct loop_last *last = mem_new(sizeof(*last));

	ring_add(&loop->lasts, &last->ring);
	last->fn = fn;
	last->ctx = ctx;
	return last;
}

void
loop_last_free(struct loop_last **last)
{
	if (*last == NULL)
		return;
	ring_leave(&(*last)->ring);
	free(*last);
	*last = NULL;
}

char *
loop_scratch(struct loop *loop, size_t *size_r)
{
	if (loop->scratch == NULL)
		loop->scratch = mem_resize(NULL, SCRATCH_BYTES, 1);
	*size_r = SCRATCH_BYTES;
	return loop->scratch;
}
