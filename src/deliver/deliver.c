#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/workers.h"

#include "deliver/deliver.h"
#include "deliver/inside.h"

#define IDLE_MS 45000

struct deliver_job {
	struct work work;
	deliver_done_fn *done;
	void *ctx;

	/* A thread's own while it runs, but for cut_fd, which the loop writes to. */
	struct delivery delivery;
	int64_t timeout_ms;
	int64_t elapsed_ms;
};

struct deliver {
	char *text; /* the target's */
	struct inbound_target target;
	char *hostname;
	int64_t timeout_ms;
	struct workers *workers;
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
job_run(void *own, struct work *work, const atomic_bool *cut)
{
	struct deliver_job *job = (struct deliver_job *)work;
	int64_t started_ms = clock_mono_ms();

	(void)own;
	(void)cut;
	job->delivery.until_ms = started_ms + job->timeout_ms;
	delivery_run(&job->delivery);
	job->elapsed_ms = clock_mono_ms() - started_ms;
}

static void
job_cut(void *own, struct work *work)
{
	struct deliver_job *job = (struct deliver_job *)work;
	uint64_t one = 1;

	(void)own;
	while (job != NULL && write(job->delivery.cut_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

static void
job_done(struct work *work)
{
	struct deliver_job *job = (struct deliver_job *)work;
	const struct delivery *d = &job->delivery;
	const struct deliver_answer answer = {
		.end = d->end, .code = d->code, .text = d->text, .elapsed_ms = job->elapsed_ms
	};

	job->done(job->ctx, &answer);
}

static void
job_free(struct work *work)
{
	struct deliver_job *job = (struct deliver_job *)work;
	struct delivery *d = &job->delivery;

	content_free(&d->content);
	if (d->cut_fd >= 0)
		close(d->cut_fd);
	free(d->id);
	free(d->sender);
	free(d->recipient);
	free(job);
}

static const struct workers_kind job_kind = {
	.run = job_run,
	.cut = job_cut,
	.done = job_done,
	.free = job_free,
};

/* --- the loop's side ---------------------------------------------------------------------- */

struct deliver_job *
deliver_submit(struct deliver *deliver, const struct deliver_request *request,
    deliver_done_fn *done, void *ctx)
{
	struct deliver_job *job = mem_new(sizeof(*job));
	struct delivery *d = &job->delivery;

	job->done = done;
	job->ctx = ctx;
	job->timeout_ms = deliver->timeout_ms;
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
	if (d->cut_fd < 0 || content_fill(&d->content, request->payload, request->shared) != 0) {
		delivery_end(d, DELIVER_LATER, "%s", strerror(errno));
		workers_pass(deliver->workers, &job->work);
	} else if (workers_submit(deliver->workers, &job->work) != 0) {
		delivery_end(d, DELIVER_LATER, "no thread could be started: %s", strerror(errno));
		workers_pass(deliver->workers, &job->work);
	}
	return job;
}

void
deliver_cancel(struct deliver_job **job)
{
	if (*job != NULL)
		workers_cancel(&(*job)->work);
	*job = NULL;
}

struct deliver *
deliver_new(const struct deliver_params *params, char *why, size_t why_size)
{
	struct deliver *deliver = mem_new(sizeof(*deliver));
	const struct workers_params workers = { .loop = params->loop,
		.kind = &job_kind,
		.most = params->parallel,
		.idle_ms = IDLE_MS };

	deliver->text = mem_string(params->target);
	if (!inbound_target_read(deliver->text, &deliver->target) ||
	    deliver->target.way == INBOUND_SMTP)
		snprintf(why, why_size, "%s is nowhere to deliver to", params->target);
	else if ((deliver->workers = workers_new(&workers)) == NULL)
		snprintf(why, why_size, "eventfd: %s", strerror(errno));
	if (deliver->workers == NULL) {
		free(deliver->text);
		free(deliver);
		return NULL;
	}
	deliver->hostname = mem_string(params->hostname);
	deliver->timeout_ms = params->timeout_ms;
	return deliver;
}

void
deliver_free(struct deliver **deliver_p)
{
	struct deliver *deliver = *deliver_p;

	if (deliver == NULL)
		return;
	*deliver_p = NULL;
	workers_free(&deliver->workers);
	free(deliver->text);
	free(deliver->hostname);
	free(deliver);
}
