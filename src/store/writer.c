#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include "store/doubts.h"
#include "store/thread.h"
#include "store/writer.h"

/* A group ends here although more is waiting: its first member waits for its last. */
#define GROUP_BYTES ((uint64_t)16 * 1024 * 1024)

#define GATHER_LEAST 4 /* a group of so many is followed by a pause */
#define GATHER_NS    300000
#define RETRY_MS     1000  /* outcomes that could not be written */
#define REOPEN_MS    250   /* a database that could not be opened */
#define LOG_SPAN_MS  10000 /* between two lines about the same trouble */

struct writer {
	struct writer_params params;
	pthread_t thread;

	pthread_mutex_t lock; /* over the next three */
	pthread_cond_t wake;
	struct op_list asked;
	bool stop;

	/* The rest is the thread's own. */
	struct op_list kept; /* outcomes that could not be written yet */
	int64_t kept_since_ms, kept_again_ms;
	struct keyset in_hand; /* keys of claimed items */
	struct strlist forget; /* mails whose commit failed, and which may show up all the same */
	struct doubts doubts;  /* the same of events, which are not to be undone */
	struct store_counts counts; /* the last that were known */
	uint64_t commits;
	bool broken; /* the connection cannot be trusted */
	bool troubled;
	int64_t reopen_after_ms;
	struct log_gate full_gate, broken_gate, low_gate, over_gate;
};

/* --- trouble ----------------------------------------------------------------------------- */

static const char *
why(const struct writer *w)
{
	return w->params.backend->why(w->params.handle);
}

static void
trouble_log(struct writer *w, enum store_result result)
{
	int64_t left_out;

	w->troubled = true;
	if (result == STORE_FULL && log_gate_pass(&w->full_gate, LOG_SPAN_MS, &left_out))
		log_error("spool-full", log_str("why", why(w)), log_num("repeats", left_out),
		    log_str("what", "new mail is refused for now; free space on the spool's disk"));
	if (result == STORE_BROKEN && log_gate_pass(&w->broken_gate, LOG_SPAN_MS, &left_out))
		log_error("spool-broken", log_str("why", why(w)), log_num("repeats", left_out),
		    log_str("what", "new mail is refused for now; look at the spool's disk"));
}

static void
trouble_over(struct writer *w)
{
	int64_t left_out;

	if (!w->troubled)
		return;
	w->troubled = false;
	if (log_gate_pass(&w->over_gate, LOG_SPAN_MS, &left_out))
		log_info("spool-recovered", log_num("repeats", left_out),
		    log_str("what", "the spool takes changes again"));
}

/* False: not to be had at the moment. */
static bool
reopen(struct writer *w)
{
	const struct backend *backend = w->params.backend;
	int64_t now_ms = clock_mono_ms();
	uint64_t unsure = 0;
	enum store_result result;

	if (!w->broken)
		return true;
	if (now_ms < w->reopen_after_ms)
		return false;
	result = backend->reopen(w->params.handle);
	if (result == STORE_OK)
		result = backend->recover(
		    w->params.handle, &w->in_hand, &w->forget, clock_wall_ms(), &unsure);
	if (result != STORE_OK) {
		trouble_log(w, result);
		w->reopen_after_ms = clock_mono_ms() + REOPEN_MS;
		return false;
	}
	strlist_free(&w->forget);
	w->broken = false;
	if (unsure > 0)
		log_warning("unsure", log_num("items", (int64_t)unsure),
		    log_str("why", "claimed in a commit that was thought to have failed"));
	return true;
}

/* --- one transaction --------------------------------------------------------------------- */

/* The chain, all of it in the transaction that is open. */
static enum store_result
commit_apply(struct writer *w, struct op *op)
{
	enum store_result result = STORE_OK;
	bool *known = op->commit.known;

	for (const struct mail *mail = op->commit.mail; result == STORE_OK && mail != NULL;
	     mail = mail->next)
		result = w->params.backend->insert_mail(w->params.handle, mail, known++);
	return result;
}

static enum store_result
suppressions_apply(struct writer *w, const struct op *op)
{
	const struct backend *backend = w->params.backend;
	enum store_result result = STORE_OK;

	for (size_t i = 0; result == STORE_OK && i < op->suppressions_change.count; i++)
		result =
		    backend->suppression_set(w->params.handle, &op->suppressions_change.list[i]);
	return result;
}

static enum store_result
op_apply(struct writer *w, struct op *op)
{
	const struct backend *backend = w->params.backend;
	void *handle = w->params.handle;
	enum store_result result = STORE_OK;
	bool taken;

	switch (op->kind) {
	case OP_COMMIT:
		result = commit_apply(w, op);
		break;
	case OP_CLAIM:
		result = backend->claim(handle, &op->claim.claim, &w->in_hand, &op->claim.found);
		break;
	case OP_SETTLE:
		for (size_t i = 0; result == STORE_OK && i < op->settle.count; i++)
			result = backend->settle(handle, &op->settle.outcomes[i], &taken);
		break;
	case OP_NEXT:
		result = backend->next_due(handle, op->next_due.route, op->next_due.from,
		    op->next_due.now_ms, &w->in_hand, &op->next_due.due_ms);
		break;
	case OP_COUNT:
		result = backend->count(handle, &op->count.counts);
		break;
	case OP_CHANGE:
		op->change.next = op->change.progress;
		op->change.next.again = false;
		result = backend->change(handle, &op->change.change, &w->in_hand, &op->change.next);
		break;
	case OP_TAKE_BACK:
		result = backend->take_back(handle, (const char *const *)op->take_back.ids,
		    op->take_back.count, &w->in_hand, &op->take_back.taken);
		break;
	case OP_STRAYS:
		result =
		    backend->strays(handle, &op->strays.known, &op->strays.list, &op->strays.count);
		break;
	case OP_ROUTES:
		result = backend->routes(handle, &op->routes.list, &op->routes.count);
		break;
	case OP_ROUTE_SET:
		result = backend->route_set(handle, &op->route_set.route);
		break;
	case OP_EVENT:
		result = backend->event(handle, op->event.event, &w->in_hand, &op->event.did);
		break;
	case OP_OUTLET_SET:
		result = backend->outlet_set(handle, op->outlet_set.name, op->outlet_set.after_key);
		break;
	case OP_SUPPRESSIONS:
		result =
		    backend->suppressions(handle, &op->suppressions.list, &op->suppressions.count);
		break;
	case OP_SUPPRESSIONS_CHANGE:
		result = suppressions_apply(w, op);
		break;
	case OP_HOOKS:
		result = backend->hooks(handle, &op->hooks.list, &op->hooks.count);
		break;
	case OP_HOOK_SET:
		result = backend->hook_set(handle, &op->hook_set.hook);
		break;
	case OP_HOOKS_DROP:
		for (size_t i = 0; result == STORE_OK && i < op->hooks_drop.count; i++)
			result = backend->hook_drop(handle, op->hooks_drop.paths[i]);
		break;
	case OP_MADE_DUE:
		break;
	case OP_PURGE:
		result = backend->purge(
		    handle, op->purge.ended_before_ms, &op->purge.cursor, &op->purge.again);
		break;
	}
	return result;
}

/* What a commit that failed may have left on the disk all the same. */
static void
commit_forget(struct writer *w, const struct op *op)
{
	const bool *known = op->commit.known;

	for (const struct mail *mail = op->commit.mail; mail != NULL; mail = mail->next)
		if (!*known++)
			strlist_add(&w->forget, mail->id);
}

static void
commit_look_back(struct op *op)
{
	const bool *known = op->commit.known;

	for (const struct mail *mail = op->commit.mail; mail != NULL; mail = mail->next, known++) {
		op->commit.any_known |= *known;
		op->commit.made_due |= !*known && !mail->captured && mail->held_why == NULL;
	}
}

/* One that is there from a commit that was thought to have failed is as good as new: nobody was
 * told of it. */
static void
event_look_back(struct writer *w, struct op *op)
{
	struct store_event_done before;

	if (doubts_take(&w->doubts, op->event.event, &before) && op->event.did.repeat)
		op->event.did = before;
}

static void
op_committed(struct writer *w, struct op *op)
{
	op->result = STORE_OK;
	switch (op->kind) {
	case OP_COMMIT:
		commit_look_back(op);
		/* Here and not in the loop, which has better things to do. */
		mail_free(&op->commit.mail);
		break;
	case OP_CLAIM:
		for (size_t i = 0; i < op->claim.found.count; i++)
			keyset_add(&w->in_hand, op->claim.found.items[i].key);
		break;
	case OP_SETTLE:
		for (size_t i = 0; i < op->settle.count; i++)
			keyset_remove(&w->in_hand, op->settle.outcomes[i].key);
		break;
	case OP_COUNT:
		op->count.counts.commits = w->commits;
		op->count.counts.syncs = w->params.backend->syncs(w->params.handle);
		w->counts = op->count.counts;
		break;
	case OP_CHANGE:
		op->change.progress = op->change.next;
		break;
	case OP_EVENT:
		event_look_back(w, op);
		break;
	case OP_NEXT:
	case OP_TAKE_BACK:
	case OP_STRAYS:
	case OP_ROUTES:
	case OP_ROUTE_SET:
	case OP_OUTLET_SET:
	case OP_SUPPRESSIONS:
	case OP_SUPPRESSIONS_CHANGE:
	case OP_HOOKS:
	case OP_HOOK_SET:
	case OP_HOOKS_DROP:
	case OP_PURGE:
	case OP_MADE_DUE:
		break;
	}
}

/* first to last (NULL: to the end) in one transaction, all or none. */
static enum store_result
group_try(struct writer *w, struct op *first, const struct op *last)
{
	const struct backend *backend = w->params.backend;
	void *handle = w->params.handle;
	bool changed = false, committing = false;
	enum store_result result = backend->begin(handle);

	for (int pass = 0; pass < 2; pass++)
		for (struct op *op = first; result == STORE_OK && op != last; op = op->next)
			if (!op->refused && op_comes_first(op) == (pass == 0))
				result = op_apply(w, op);
	if (result == STORE_OK) {
		changed = backend->changed(handle);
		committing = true;
		result = backend->commit(handle);
	}
	if (result == STORE_OK) {
		if (changed) {
			w->commits++;
			trouble_over(w);
		}
		for (struct op *op = first; op != last; op = op->next)
			if (!op->refused)
				op_committed(w, op);
		return STORE_OK;
	}

	backend->rollback(handle);
	trouble_log(w, result);
	w->broken = w->broken || result == STORE_BROKEN;
	for (struct op *op = first; op != last; op = op->next) {
		bool in_doubt = committing && result == STORE_BROKEN && !op->refused;

		/* It may be on the disk all the same, but without its files: it is not to be met
		 * there when it is tried again, or when its client comes again. */
		if (in_doubt && op->kind == OP_COMMIT)
			commit_forget(w, op);
		if (in_doubt && op->kind == OP_EVENT && !op->event.did.repeat)
			doubts_add(&w->doubts, op->event.event, &op->event.did);
		op_undo(op);
	}
	return result;
}

/* --- a group and what is left of it ------------------------------------------------------ */

/* It will not be done.  Outcomes never come here. */
static void
op_refuse(struct writer *w, struct op *op, enum store_result result)
{
	op->result = result;
	switch (op->kind) {
	case OP_NEXT:
		/* Somebody would wait for ever otherwise. */
		op->next_due.due_ms = op->next_due.now_ms + RETRY_MS;
		break;
	case OP_COUNT:
		op->count.counts = w->counts;
		op->count.counts.commits = w->commits;
		op->count.counts.syncs = w->params.backend->syncs(w->params.handle);
		break;
	case OP_COMMIT:
	case OP_CLAIM:
	case OP_SETTLE:
	case OP_CHANGE:
	case OP_TAKE_BACK:
	case OP_STRAYS:
	case OP_ROUTES:
	case OP_ROUTE_SET:
	case OP_EVENT:
	case OP_OUTLET_SET:
	case OP_SUPPRESSIONS:
	case OP_SUPPRESSIONS_CHANGE:
	case OP_HOOKS:
	case OP_HOOK_SET:
	case OP_HOOKS_DROP:
	case OP_PURGE:
	case OP_MADE_DUE:
		break;
	}
}

static void
op_keep(struct writer *w, struct op *op)
{
	if (w->kept.first == NULL)
		w->kept_since_ms = clock_mono_ms();
	op_list_add(&w->kept, op);
	w->kept_again_ms = clock_mono_ms() + RETRY_MS;
}

/* One alone.  True: it is done. */
static bool
single_try(struct writer *w, struct op *op, enum store_result *result_r)
{
	op->next = NULL;
	*result_r = reopen(w) ? group_try(w, op, NULL) : STORE_BROKEN;
	return *result_r == STORE_OK;
}

/*
 * The group failed as a whole.  Outcomes come first: they need least and matter most, and those
 * that still cannot be written are kept.  Then everything else one by one, so that a mail that
 * does not fit fails alone.  After two failures in a row that are not about space nothing more is
 * tried.
 */
static void
group_salvage(struct writer *w, struct op_list *group, struct op_list *finished)
{
	struct op_list others = { 0 };
	unsigned failures = 0;
	enum store_result result;
	struct op *op;

	while ((op = op_list_take(group)) != NULL) {
		if (op->kind != OP_SETTLE) {
			op_list_add(&others, op);
			continue;
		}
		if (failures < 2 && single_try(w, op, &result)) {
			failures = 0;
			op_list_add(finished, op);
		} else {
			failures++;
			op_keep(w, op);
		}
	}
	failures = 0;
	while ((op = op_list_take(&others)) != NULL) {
		result = STORE_BROKEN;
		if (op->refused) {
			op_list_add(finished, op);
			continue;
		}
		if (failures < 2 && single_try(w, op, &result)) {
			failures = 0;
		} else {
			failures = result == STORE_FULL ? 0 : failures + 1;
			op_refuse(w, op, result);
		}
		op_list_add(finished, op);
	}
}

/* New mail and events are refused while little space is left, so that outcomes still fit: Postmark
 * posts again. */
static void
space_check(struct writer *w, const struct op_list *group)
{
	uint64_t free_bytes = UINT64_MAX;
	bool asked = false;
	int64_t left_out;

	for (struct op *op = group->first; op != NULL; op = op->next) {
		if (!op_takes_room(op))
			continue;
		if (!asked)
			free_bytes = w->params.backend->free_bytes(
			    w->params.handle, w->params.min_free_bytes);
		asked = true;
		if (free_bytes >= w->params.min_free_bytes)
			return;
		op->refused = true;
		op->result = STORE_FULL;
	}
	if (!asked)
		return;
	w->troubled = true;
	if (log_gate_pass(&w->low_gate, LOG_SPAN_MS, &left_out))
		log_error("spool-full", log_num("free_bytes", (int64_t)free_bytes),
		    log_num("min_free_bytes", (int64_t)w->params.min_free_bytes),
		    log_num("repeats", left_out),
		    log_str("what", "new mail is refused for now, and events; free space on the "
				    "spool's disk"));
}

static void
group_run(struct writer *w, struct op_list *group, struct op_list *finished)
{
	if (w->params.min_free_bytes > 0)
		space_check(w, group);
	if (reopen(w) && group_try(w, group->first, NULL) == STORE_OK)
		op_list_move(finished, group);
	else
		group_salvage(w, group, finished);
}

/* Outcomes that could not be written: again, apart from what is new. */
static void
kept_retry(struct writer *w, struct op_list *finished)
{
	struct op_list group = { 0 };

	op_list_move(&group, &w->kept);
	if (!reopen(w) || group_try(w, group.first, NULL) != STORE_OK) {
		int64_t since_ms = w->kept_since_ms;

		group_salvage(w, &group, finished);
		w->kept_since_ms = since_ms;
		if (w->kept.first != NULL)
			w->kept_again_ms = clock_mono_ms() + RETRY_MS;
		return;
	}
	log_info("outcomes-written", log_num("after_ms", clock_mono_ms() - w->kept_since_ms));
	op_list_move(finished, &group);
}

/* --- the thread -------------------------------------------------------------------------- */

/* What becomes the next group.  Under the lock. */
static void
group_take(struct writer *w, struct op_list *group, struct op_list *finished)
{
	uint64_t bytes = 0;

	while (w->asked.first != NULL && bytes < GROUP_BYTES) {
		struct op *op = op_list_take(&w->asked);

		if (w->stop && op_asks_only(op)) {
			op_list_add(finished, op);
			continue;
		}
		bytes += op_bytes(op);
		op_list_add(group, op);
	}
}

static bool
op_goes_on(const struct op *op)
{
	return op->result == STORE_OK && ((op->kind == OP_PURGE && op->purge.again) ||
					     (op->kind == OP_CHANGE && op->change.progress.again));
}

/* Those who wait for something to be due are not to wait for the end of a change of a million
 * items. */
static void
made_due_tell(const struct op *op, struct op_list *home)
{
	struct op *told;

	if (op->kind != OP_CHANGE || !op_change_made_due(op))
		return;
	told = mem_new(sizeof(*told));
	told->kind = OP_MADE_DUE;
	op_list_add(home, told);
}

/* Ops that have more to do go round again; the others go home. */
static void
group_finish(struct writer *w, struct op_list *finished)
{
	struct op_list home = { 0 }, again = { 0 };
	struct op *op;

	while ((op = op_list_take(finished)) != NULL) {
		if (op_goes_on(op)) {
			made_due_tell(op, &home);
			op_list_add(&again, op);
		} else {
			op_list_add(&home, op);
		}
	}
	if (again.first != NULL) {
		pthread_mutex_lock(&w->lock);
		if (w->stop)
			op_list_move(&home, &again);
		else
			op_list_move(&w->asked, &again);
		pthread_mutex_unlock(&w->lock);
	}
	if (home.first != NULL)
		w->params.finished(w->params.ctx, &home);
}

/* Waits until there is something to do.  Under the lock. */
static void
writer_wait(struct writer *w)
{
	while (w->asked.first == NULL && !w->stop) {
		struct timespec until;
		int64_t wait_ms = w->kept_again_ms - clock_mono_ms();

		if (w->kept.first == NULL) {
			pthread_cond_wait(&w->wake, &w->lock);
			continue;
		}
		if (wait_ms <= 0)
			return;
		/* The clock may be a test's, which stands still: this wait is by the real one. */
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += wait_ms / 1000;
		until.tv_nsec += wait_ms % 1000 * 1000000;
		if (until.tv_nsec >= 1000000000) {
			until.tv_sec++;
			until.tv_nsec -= 1000000000;
		}
		if (pthread_cond_timedwait(&w->wake, &w->lock, &until) == ETIMEDOUT)
			return;
	}
}

static bool
has_several(const struct op_list *list)
{
	size_t count = 0;

	for (const struct op *op = list->first; op != NULL && count < GATHER_LEAST; op = op->next)
		count++;
	return count == GATHER_LEAST;
}

static void *
writer_run(void *ctx)
{
	const struct timespec pause = { .tv_nsec = GATHER_NS };
	struct writer *w = ctx;
	bool stop = false, several;

	while (!stop) {
		struct op_list group = { 0 }, finished = { 0 };

		pthread_mutex_lock(&w->lock);
		writer_wait(w);
		group_take(w, &group, &finished);
		stop = w->stop && w->asked.first == NULL;
		pthread_mutex_unlock(&w->lock);

		if (w->kept.first != NULL && (stop || clock_mono_ms() >= w->kept_again_ms))
			kept_retry(w, &finished);
		if (group.first != NULL)
			group_run(w, &group, &finished);
		several = has_several(&finished);
		group_finish(w, &finished);
		w->params.backend->rest(w->params.handle);
		/* Those whose answers have just left will be back with their next mails, but not
		 * all in the same instant: a pause much shorter than a sync lets them share one. */
		if (several)
			nanosleep(&pause, NULL);
	}
	return NULL;
}

struct writer *
writer_start(const struct writer_params *params)
{
	struct writer *w = mem_new(sizeof(*w));
	pthread_condattr_t attr;
	int error;

	w->params = *params;
	pthread_mutex_init(&w->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&w->wake, &attr);
	pthread_condattr_destroy(&attr);
	error = thread_start(&w->thread, writer_run, w);
	if (error != 0) {
		pthread_cond_destroy(&w->wake);
		pthread_mutex_destroy(&w->lock);
		free(w);
		errno = error;
		return NULL;
	}
	return w;
}

void
writer_add(struct writer *w, struct op_list *ops)
{
	pthread_mutex_lock(&w->lock);
	op_list_move(&w->asked, ops);
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
}

void
writer_stop(struct writer **writer)
{
	struct writer *w = *writer;
	struct op *op;
	int64_t lost = 0;

	if (w == NULL)
		return;
	pthread_mutex_lock(&w->lock);
	w->stop = true;
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->thread, NULL);

	while ((op = op_list_take(&w->kept)) != NULL) {
		lost += (int64_t)op->settle.count;
		op_free(&op);
	}
	if (lost > 0)
		log_error("outcomes-lost", log_num("items", lost), log_str("why", why(w)),
		    log_str("what", "they are unsure at the next start"));
	pthread_cond_destroy(&w->wake);
	pthread_mutex_destroy(&w->lock);
	keyset_free(&w->in_hand);
	doubts_free(&w->doubts);
	strlist_free(&w->forget);
	free(w);
	*writer = NULL;
}
