#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/text.h"

#include "deliver/deliver.h"
#include "deliver/inside.h"

enum job_state {
	JOB_QUEUED,
	JOB_RUNS,
	JOB_DONE,
};

struct deliver_job {
	struct deliver *deliver;
	struct deliver_job *next;
	enum job_state state;
	bool abandoned; /* JOB_RUNS: nobody waits for it any more */
	deliver_done_fn *done;
	void *ctx;

	/* A thread's own while it runs, but for cut_fd, which the loop writes to. */
	struct delivery delivery;
	int64_t started_ms;
	struct deliver_answer answer;
};

struct worker {
	struct worker *next;
	struct deliver *deliver;
	pthread_t thread;
	struct deliver_job *job;
};

struct deliver {
	struct loop *loop;
	char *text; /* the target's */
	struct inbound_target target;
	char *hostname;
	int64_t timeout_ms;
	unsigned most_workers;
	int wake_fd; /* a thread has something for the loop */
	struct event *wake;
	bool *freed_r; /* set while done() runs: tells that the struct is gone */

	pthread_mutex_t lock; /* over the rest, and over the states of all jobs */
	pthread_cond_t work;
	struct deliver_job *queued, **queued_end;
	struct deliver_job *done, **done_end;
	struct worker *workers;
	unsigned working, idle;
	size_t queue_len;
	bool stop;
};

/* --- a delivery --------------------------------------------------------------------------- */

void
delivery_end(struct delivery *d, enum deliver_end end, const char *format, ...)
{
	char text[DELIVER_TEXT_SIZE];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	text_safe(d->text, sizeof(d->text), text, strlen(text));
	d->end = end;
}

int
delivery_time_left(const struct delivery *d)
{
	int64_t left_ms = d->until_ms - clock_mono_ms();

	if (left_ms <= 0)
		return 0;
	return left_ms < 1000000 ? (int)left_ms : 1000000;
}

bool
delivery_wait(struct delivery *d, int fd, short events)
{
	for (;;) {
		struct pollfd fds[] = { { .fd = d->cut_fd, .events = POLLIN },
			{ .fd = fd, .events = events } };
		int left = delivery_time_left(d);

		if (left == 0 || (poll(fds, 2, left) < 0 && errno != EINTR))
			return false;
		if (fds[0].revents != 0)
			return false;
		if (fds[1].revents != 0)
			return true;
	}
}

void
delivery_return_path(const struct delivery *d, char *out, size_t size)
{
	snprintf(out, size, "Return-Path: <%s>\n", d->sender);
}

static void
delivery_run(struct delivery *d)
{
	switch (d->target->way) {
	case INBOUND_LMTP:
		lmtp_deliver(d);
		return;
	case INBOUND_MAILDIR:
		maildir_deliver(d);
		return;
	case INBOUND_COMMAND:
		command_deliver(d);
		return;
	case INBOUND_SMTP:
		break;
	}
	delivery_end(d, DELIVER_LATER, "nobody delivers so");
}

/* --- jobs --------------------------------------------------------------------------------- */

static void
job_free(struct deliver_job *job)
{
	struct delivery *d = &job->delivery;

	content_free(&d->content);
	if (d->cut_fd >= 0)
		close(d->cut_fd);
	free(d->id);
	free(d->sender);
	free(d->recipient);
	free(job);
}

static void
list_add(struct deliver_job ***end, struct deliver_job *job)
{
	job->next = NULL;
	**end = job;
	*end = &job->next;
}

static struct deliver_job *
list_take(struct deliver_job **first, struct deliver_job ***end)
{
	struct deliver_job *job = *first;

	if (job == NULL)
		return NULL;
	*first = job->next;
	if (*first == NULL)
		*end = first;
	return job;
}

static void
list_remove(struct deliver_job **first, struct deliver_job ***end, const struct deliver_job *job)
{
	while (*first != job)
		first = &(*first)->next;
	*first = job->next;
	if (*first == NULL)
		*end = first;
}

static void
job_cut(struct deliver_job *job)
{
	uint64_t one = 1;

	job->abandoned = true;
	while (write(job->delivery.cut_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

/* --- threads ------------------------------------------------------------------------------ */

static void
loop_tell(const struct deliver *deliver)
{
	uint64_t one = 1;

	while (write(deliver->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

static void
job_run(struct deliver_job *job, int64_t timeout_ms)
{
	job->started_ms = clock_mono_ms();
	job->delivery.until_ms = job->started_ms + timeout_ms;
	delivery_run(&job->delivery);
	job->answer = (struct deliver_answer){ .end = job->delivery.end,
		.code = job->delivery.code,
		.text = job->delivery.text,
		.elapsed_ms = clock_mono_ms() - job->started_ms };
}

static void *
work(void *ctx)
{
	struct worker *worker = ctx;
	struct deliver *deliver = worker->deliver;
	struct deliver_job *job;

	pthread_mutex_lock(&deliver->lock);
	for (;;) {
		deliver->idle++;
		while (!deliver->stop && deliver->queued == NULL)
			pthread_cond_wait(&deliver->work, &deliver->lock);
		deliver->idle--;
		if (deliver->stop)
			break;
		job = list_take(&deliver->queued, &deliver->queued_end);
		deliver->queue_len--;
		job->state = JOB_RUNS;
		worker->job = job;
		pthread_mutex_unlock(&deliver->lock);
		job_run(job, deliver->timeout_ms);
		pthread_mutex_lock(&deliver->lock);
		worker->job = NULL;
		if (job->abandoned) {
			job_free(job);
			continue;
		}
		job->state = JOB_DONE;
		list_add(&deliver->done_end, job);
		loop_tell(deliver);
	}
	pthread_mutex_unlock(&deliver->lock);
	return NULL;
}

/* Under the lock.  Signals are the loop's. */
static void
worker_start(struct deliver *deliver)
{
	struct worker *worker = mem_new(sizeof(*worker));
	sigset_t all, before;
	int failed;

	worker->deliver = deliver;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	failed = pthread_create(&worker->thread, NULL, work, worker);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (failed != 0) {
		free(worker);
		return;
	}
	worker->next = deliver->workers;
	deliver->workers = worker;
	deliver->working++;
}

/* --- the loop's side ---------------------------------------------------------------------- */

static struct deliver_job *
done_take(struct deliver *deliver)
{
	struct deliver_job *job;

	pthread_mutex_lock(&deliver->lock);
	job = list_take(&deliver->done, &deliver->done_end);
	pthread_mutex_unlock(&deliver->lock);
	return job;
}

static void
woken(evutil_socket_t fd, short kinds, void *ctx)
{
	struct deliver *deliver = ctx;
	struct deliver_job *job;
	bool freed = false;
	uint64_t count;

	(void)kinds;
	if (read((int)fd, &count, sizeof(count)) < 0 && errno != EAGAIN && errno != EINTR)
		abort(); /* not our descriptor any more */
	while ((job = done_take(deliver)) != NULL) {
		deliver->freed_r = &freed;
		job->done(job->ctx, &job->answer);
		job_free(job);
		if (freed)
			return;
		deliver->freed_r = NULL;
	}
}

static void
job_fail(struct deliver_job *job, const char *why)
{
	delivery_end(&job->delivery, DELIVER_LATER, "%s", why);
	job->answer = (struct deliver_answer){ .end = DELIVER_LATER, .text = job->delivery.text };
	job->state = JOB_DONE;
	list_add(&job->deliver->done_end, job);
	loop_tell(job->deliver);
}

struct deliver_job *
deliver_submit(struct deliver *deliver, const struct deliver_request *request,
    deliver_done_fn *done, void *ctx)
{
	struct deliver_job *job = mem_new(sizeof(*job));
	struct delivery *d = &job->delivery;
	const char *why = NULL;

	job->deliver = deliver;
	job->done = done;
	job->ctx = ctx;
	d->target = &deliver->target;
	d->target_text = deliver->target.what;
	d->hostname = deliver->hostname;
	d->id = mem_string(request->id);
	d->sender = mem_string(request->sender);
	d->recipient = mem_string(request->recipient);
	d->accepted_ms = request->accepted_ms;
	d->again = request->again;
	content_init(&d->content);
	d->cut_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (d->cut_fd < 0 || content_fill(&d->content, request->payload, request->shared) != 0)
		why = strerror(errno);
	pthread_mutex_lock(&deliver->lock);
	if (why == NULL && deliver->idle <= deliver->queue_len &&
	    deliver->working < deliver->most_workers)
		worker_start(deliver);
	if (why == NULL && deliver->working == 0)
		why = "no thread could be started";
	if (why != NULL) {
		job_fail(job, why);
	} else {
		job->state = JOB_QUEUED;
		list_add(&deliver->queued_end, job);
		deliver->queue_len++;
		pthread_cond_signal(&deliver->work);
	}
	pthread_mutex_unlock(&deliver->lock);
	return job;
}

void
deliver_cancel(struct deliver_job **job_p)
{
	struct deliver_job *job = *job_p;
	struct deliver *deliver;

	if (job == NULL)
		return;
	*job_p = NULL;
	deliver = job->deliver;
	pthread_mutex_lock(&deliver->lock);
	switch (job->state) {
	case JOB_QUEUED:
		list_remove(&deliver->queued, &deliver->queued_end, job);
		deliver->queue_len--;
		job_free(job);
		break;
	case JOB_RUNS:
		job_cut(job);
		break;
	case JOB_DONE:
		list_remove(&deliver->done, &deliver->done_end, job);
		job_free(job);
		break;
	}
	pthread_mutex_unlock(&deliver->lock);
}

struct deliver *
deliver_new(const struct deliver_params *params, char *why, size_t why_size)
{
	struct deliver *deliver = mem_new(sizeof(*deliver));

	deliver->text = mem_string(params->target);
	if (!inbound_target_read(deliver->text, &deliver->target) ||
	    deliver->target.way == INBOUND_SMTP) {
		snprintf(why, why_size, "%s is nowhere to deliver to", params->target);
		free(deliver->text);
		free(deliver);
		return NULL;
	}
	deliver->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (deliver->wake_fd < 0) {
		snprintf(why, why_size, "eventfd: %s", strerror(errno));
		free(deliver->text);
		free(deliver);
		return NULL;
	}
	deliver->loop = params->loop;
	deliver->hostname = mem_string(params->hostname);
	deliver->timeout_ms = params->timeout_ms;
	deliver->most_workers = params->parallel > 0 ? params->parallel : 1;
	deliver->queued_end = &deliver->queued;
	deliver->done_end = &deliver->done;
	pthread_mutex_init(&deliver->lock, NULL);
	pthread_cond_init(&deliver->work, NULL);
	deliver->wake = event_new(
	    loop_base(params->loop), deliver->wake_fd, EV_READ | EV_PERSIST, woken, deliver);
	if (deliver->wake == NULL || event_add(deliver->wake, NULL) != 0)
		abort(); /* libevent is out of memory, see base/mem.h */
	return deliver;
}

static void
workers_end(struct deliver *deliver)
{
	pthread_mutex_lock(&deliver->lock);
	deliver->stop = true;
	for (struct worker *worker = deliver->workers; worker != NULL; worker = worker->next) {
		if (worker->job != NULL)
			job_cut(worker->job);
	}
	pthread_cond_broadcast(&deliver->work);
	pthread_mutex_unlock(&deliver->lock);
	while (deliver->workers != NULL) {
		struct worker *worker = deliver->workers;

		deliver->workers = worker->next;
		pthread_join(worker->thread, NULL);
		free(worker);
	}
}

void
deliver_free(struct deliver **deliver_p)
{
	struct deliver *deliver = *deliver_p;
	struct deliver_job *job;

	if (deliver == NULL)
		return;
	*deliver_p = NULL;
	if (deliver->freed_r != NULL)
		*deliver->freed_r = true;
	workers_end(deliver);
	while ((job = list_take(&deliver->queued, &deliver->queued_end)) != NULL)
		job_free(job);
	while ((job = list_take(&deliver->done, &deliver->done_end)) != NULL)
		job_free(job);
	event_free(deliver->wake);
	close(deliver->wake_fd);
	pthread_cond_destroy(&deliver->work);
	pthread_mutex_destroy(&deliver->lock);
	free(deliver->text);
	free(deliver->hostname);
	free(deliver);
}
