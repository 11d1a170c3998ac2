#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/loop.h"
#include "base/mem.h"

#include "base/workers.h"

struct worker {
	struct worker *next;
	struct workers *workers;
	pthread_t thread;
	void *own;
	struct work *work;
	atomic_bool cut;
	bool opened; /* and not closed yet */
	bool ended;  /* to be joined */
};

struct list {
	struct work *first, **end;
};

struct workers {
	struct workers_params params;
	int wake_fd; /* a thread has something for the loop */
	struct event *wake;
	bool *freed_r; /* set while done() runs: tells that the struct is gone */

	pthread_mutex_t lock; /* over the rest, and over the states of all work */
	pthread_cond_t come;
	struct list queued, done;
	size_t queue_len;
	struct worker *all;
	unsigned working, idle; /* threads that take jobs; those of them that wait for one */
	bool stop;
};

/* --- lists -------------------------------------------------------------------------------- */

static void
list_init(struct list *list)
{
	list->first = NULL;
	list->end = &list->first;
}

static void
list_add(struct list *list, struct work *work)
{
	work->next = NULL;
	*list->end = work;
	list->end = &work->next;
}

static struct work *
list_take(struct list *list)
{
	struct work *work = list->first;

	if (work == NULL)
		return NULL;
	list->first = work->next;
	if (list->first == NULL)
		list->end = &list->first;
	return work;
}

static void
list_remove(struct list *list, const struct work *work)
{
	struct work **at = &list->first;

	while (*at != work)
		at = &(*at)->next;
	*at = work->next;
	if (*at == NULL)
		list->end = at;
}

/* --- threads ------------------------------------------------------------------------------ */

static void
loop_tell(const struct workers *workers)
{
	uint64_t one = 1;

	while (write(workers->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

/* Under the lock, which it lets go while it waits.  NULL: the thread is to end. */
static struct work *
work_wait(struct worker *worker)
{
	struct workers *workers = worker->workers;
	struct timespec until;
	struct work *work = NULL;
	int failed = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += (time_t)(workers->params.idle_ms / 1000);
	until.tv_nsec += (long)(workers->params.idle_ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	workers->idle++;
	while (!workers->stop && workers->queued.first == NULL && failed == 0)
		failed = pthread_cond_timedwait(&workers->come, &workers->lock, &until);
	workers->idle--;
	if (!workers->stop)
		work = list_take(&workers->queued);
	if (work == NULL)
		return NULL;
	workers->queue_len--;
	atomic_store(&worker->cut, false);
	work->state = WORK_RUNS;
	work->worker = worker;
	worker->work = work;
	return work;
}

/* Under the lock. */
static void
work_end(struct worker *worker, struct work *work)
{
	struct workers *workers = worker->workers;

	worker->work = NULL;
	if (work->abandoned) {
		workers->params.kind->free(work);
		return;
	}
	work->state = WORK_DONE;
	list_add(&workers->done, work);
	loop_tell(workers);
}

static void *
serve(void *ctx)
{
	struct worker *worker = ctx;
	struct workers *workers = worker->workers;
	const struct workers_kind *kind = workers->params.kind;
	struct work *work;

	if (kind->open != NULL)
		kind->open(worker->own, workers->params.ctx);
	pthread_mutex_lock(&workers->lock);
	worker->opened = true;
	while ((work = work_wait(worker)) != NULL) {
		pthread_mutex_unlock(&workers->lock);
		kind->run(worker->own, work, &worker->cut);
		pthread_mutex_lock(&workers->lock);
		work_end(worker, work);
	}
	workers->working--;
	pthread_mutex_unlock(&workers->lock);
	if (kind->close != NULL)
		kind->close(worker->own);
	pthread_mutex_lock(&workers->lock);
	worker->opened = false;
	worker->ended = true;
	loop_tell(workers);
	pthread_mutex_unlock(&workers->lock);
	return NULL;
}

static void
worker_free(struct worker *worker)
{
	free(worker->own);
	free(worker);
}

/* Under the lock.  Signals are the loop's.  0, or an errno. */
static int
worker_start(struct workers *workers)
{
	struct worker *worker = mem_new(sizeof(*worker));
	sigset_t all, before;
	int failed;

	worker->workers = workers;
	worker->own = mem_new(workers->params.kind->own_bytes + 1);
	atomic_init(&worker->cut, false);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	failed = pthread_create(&worker->thread, NULL, serve, worker);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (failed != 0) {
		worker_free(worker);
		return failed;
	}
	worker->next = workers->all;
	workers->all = worker;
	workers->working++;
	return 0;
}

/* Under the lock, so that run() is not over before cut() is. */
static void
worker_cut(struct worker *worker)
{
	const struct workers_kind *kind = worker->workers->params.kind;

	atomic_store(&worker->cut, true);
	if (worker->work != NULL)
		worker->work->abandoned = true;
	if (worker->opened && kind->cut != NULL)
		kind->cut(worker->own, worker->work);
}

static void
join_ended(struct workers *workers)
{
	struct worker **at = &workers->all;

	while (*at != NULL) {
		struct worker *worker = *at;

		if (!worker->ended) {
			at = &worker->next;
			continue;
		}
		*at = worker->next;
		/* It has let go of the lock, or is about to. */
		pthread_mutex_unlock(&workers->lock);
		pthread_join(worker->thread, NULL);
		worker_free(worker);
		pthread_mutex_lock(&workers->lock);
		at = &workers->all;
	}
}

static void
join_all(struct workers *workers)
{
	pthread_mutex_lock(&workers->lock);
	workers->stop = true;
	for (struct worker *worker = workers->all; worker != NULL; worker = worker->next)
		worker_cut(worker);
	pthread_cond_broadcast(&workers->come);
	pthread_mutex_unlock(&workers->lock);
	while (workers->all != NULL) {
		struct worker *worker = workers->all;

		workers->all = worker->next;
		pthread_join(worker->thread, NULL);
		worker_free(worker);
	}
}

/* --- the loop's side ---------------------------------------------------------------------- */

static struct work *
done_take(struct workers *workers)
{
	struct work *work;

	pthread_mutex_lock(&workers->lock);
	work = list_take(&workers->done);
	pthread_mutex_unlock(&workers->lock);
	return work;
}

static void
woken(evutil_socket_t fd, short kinds, void *ctx)
{
	struct workers *workers = ctx;
	const struct workers_kind *kind = workers->params.kind;
	struct work *work;
	bool freed = false;
	uint64_t count;

	(void)kinds;
	if (read((int)fd, &count, sizeof(count)) < 0 && errno != EAGAIN && errno != EINTR)
		abort(); /* not our descriptor any more */
	pthread_mutex_lock(&workers->lock);
	join_ended(workers);
	pthread_mutex_unlock(&workers->lock);
	while ((work = done_take(workers)) != NULL) {
		workers->freed_r = &freed;
		kind->done(work);
		kind->free(work);
		if (freed)
			return;
		workers->freed_r = NULL;
	}
}

int
workers_submit(struct workers *workers, struct work *work)
{
	int failed = 0;

	work->workers = workers;
	pthread_mutex_lock(&workers->lock);
	if (workers->idle <= workers->queue_len && workers->working < workers->params.most)
		failed = worker_start(workers);
	if (workers->working > 0) {
		failed = 0; /* the others will do */
		work->state = WORK_QUEUED;
		list_add(&workers->queued, work);
		workers->queue_len++;
		pthread_cond_signal(&workers->come);
	}
	pthread_mutex_unlock(&workers->lock);
	if (failed == 0)
		return 0;
	errno = failed;
	return -1;
}

void
workers_pass(struct workers *workers, struct work *work)
{
	work->workers = workers;
	pthread_mutex_lock(&workers->lock);
	work->state = WORK_DONE;
	list_add(&workers->done, work);
	loop_tell(workers);
	pthread_mutex_unlock(&workers->lock);
}

void
workers_cancel(struct work *work)
{
	struct workers *workers = work->workers;

	pthread_mutex_lock(&workers->lock);
	switch (work->state) {
	case WORK_QUEUED:
		list_remove(&workers->queued, work);
		workers->queue_len--;
		workers->params.kind->free(work);
		break;
	case WORK_RUNS:
		worker_cut(work->worker);
		break;
	case WORK_DONE:
		list_remove(&workers->done, work);
		workers->params.kind->free(work);
		break;
	}
	pthread_mutex_unlock(&workers->lock);
}

struct workers *
workers_new(const struct workers_params *params)
{
	struct workers *workers;
	pthread_condattr_t monotonic;
	int wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (wake_fd < 0)
		return NULL;
	workers = mem_new(sizeof(*workers));
	workers->params = *params;
	if (workers->params.most == 0)
		workers->params.most = 1;
	workers->wake_fd = wake_fd;
	list_init(&workers->queued);
	list_init(&workers->done);
	pthread_mutex_init(&workers->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&workers->come, &monotonic);
	pthread_condattr_destroy(&monotonic);
	workers->wake =
	    event_new(loop_base(params->loop), wake_fd, EV_READ | EV_PERSIST, woken, workers);
	if (workers->wake == NULL || event_add(workers->wake, NULL) != 0)
		abort(); /* libevent is out of memory, see base/mem.h */
	return workers;
}

void
workers_free(struct workers **workers_p)
{
	struct workers *workers = *workers_p;
	struct work *work;

	if (workers == NULL)
		return;
	*workers_p = NULL;
	if (workers->freed_r != NULL)
		*workers->freed_r = true;
	join_all(workers);
	while ((work = list_take(&workers->queued)) != NULL)
		workers->params.kind->free(work);
	while ((work = list_take(&workers->done)) != NULL)
		workers->params.kind->free(work);
	event_free(workers->wake);
	close(workers->wake_fd);
	pthread_cond_destroy(&workers->come);
	pthread_mutex_destroy(&workers->lock);
	free(workers);
}
