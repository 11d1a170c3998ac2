#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "postmark/client.h"
#include "postmark/search.h"
#include "store/store.h"

#include "dispatch/dispatch.h"
#include "dispatch/outcome.h"
#include "dispatch/pending.h"
#include "dispatch/route.h"
#include "dispatch/schedule.h"
#include "dispatch/settle.h"

#define MOST_ASKING       DISPATCH_SEARCHES /* questions at once; one while searches fail */
#define MOST_KEPT         2000U /* items in hand: most of them wait for their second question */
#define MOST_CLAIM        200U
#define MOST_CLAIM_BYTES  (32U * 1024U * 1024U)
#define SEARCH_TIMEOUT_MS INT64_C(30000)
#define MOST_ANSWER_BYTES (256U * 1024U)
#define MOST_TIMER_MS     INT64_C(60000) /* the wall clock may jump: look again by then */
#define STORE_AGAIN_MS    INT64_C(1000)
#define HINT_MS           INT64_C(1000)
#define ASKS_NEEDED       2U

/* An item that is being asked for. */
struct ask {
	struct ask *next, *prev;
	struct settle *settle;
	struct store_item item;
	struct ask *next_ready; /* in the line of those to be asked */
	unsigned asked;         /* answered with "not found" */
	char *path;
	struct postmark_job *job;
	struct loop_timer *timer; /* the wait between two questions */
};

struct settle {
	struct settle_params params;
	struct ask *asks;
	unsigned ask_count;
	struct ask *ready, **ready_end;
	unsigned asking; /* questions under way */
	struct pending_list pending;
	struct loop_timer *timer;
	int64_t timer_at_ms;   /* monotonic; INT64_MAX: off */
	int64_t not_before_ms; /* monotonic; after searches that failed */
	unsigned failures;     /* in a row */
	bool maybe_due;
	bool claiming;
	bool rests;
	bool draining;
	struct log_gate failed_gate;
};

static void settle_pump(struct settle *);
static void ask_next(struct settle *);

/* The timer fires for whatever comes first. */
static void
timer_within(struct settle *settle, int64_t after_ms)
{
	int64_t now_ms = clock_mono_ms();

	if (after_ms < 0)
		after_ms = 0;
	if (after_ms > MOST_TIMER_MS)
		after_ms = MOST_TIMER_MS;
	if (settle->timer_at_ms <= now_ms + after_ms)
		return;
	settle->timer_at_ms = now_ms + after_ms;
	loop_timer_set(settle->timer, after_ms);
}

static struct pending *
note_new(struct settle *settle)
{
	return pending_new(&settle->pending, settle->params.store, settle, NULL);
}

/* --- outcomes ----------------------------------------------------------------------------- */

static void
idle_tell(struct settle *settle)
{
	if (settle->draining && settle_idle(settle))
		settle->params.hooks->idle(settle->params.ctx);
}

static void
outcomes_durable(void *ctx, enum store_result result)
{
	struct pending *pending = ctx;
	struct outcomes *outcomes = pending->outcomes;
	bool waiting = pending->flag;
	struct settle *settle;

	pending->outcomes = NULL;
	settle = pending_back(pending);
	if (settle != NULL) {
		if (outcomes != NULL && result == STORE_OK)
			settle->params.hooks->durable(settle->params.ctx, outcomes);
		if (waiting)
			settle->params.hooks->waiting(settle->params.ctx);
		idle_tell(settle);
	}
	outcomes_free(&outcomes);
}

/* Takes the outcomes. */
static void
outcomes_put(struct settle *settle, struct outcomes *outcomes)
{
	struct pending *pending = note_new(settle);

	pending->outcomes = outcomes;
	for (size_t i = 0; i < outcomes->count; i++)
		pending->flag = pending->flag || outcomes->list[i].to == ITEM_WAITING;
	store_settle(
	    settle->params.store, outcomes->list, outcomes->count, outcomes_durable, pending);
}

/* --- one item ----------------------------------------------------------------------------- */

static void
ask_free(struct ask *ask)
{
	struct settle *settle = ask->settle;

	if (ask->prev != NULL)
		ask->prev->next = ask->next;
	else
		settle->asks = ask->next;
	if (ask->next != NULL)
		ask->next->prev = ask->prev;
	settle->ask_count--;
	if (ask->job != NULL)
		settle->asking--;
	postmark_cancel(&ask->job);
	loop_timer_free(&ask->timer);
	store_item_free(&ask->item);
	free(ask->path);
	free(ask);
}

static void
ask_end(struct ask *ask, const struct store_outcome *outcome)
{
	struct settle *settle = ask->settle;
	struct store_item *item = mem_new(sizeof(*item));
	struct outcomes *outcomes;

	*item = ask->item;
	memset(&ask->item, 0, sizeof(ask->item)); /* the outcome has what it held */
	payload_init(&ask->item.payload);
	payload_init(&ask->item.shared);
	outcomes = outcomes_new(item, 1);
	outcomes_set(outcomes, 0, outcome);
	outcomes_put(settle, outcomes);
	ask_free(ask);
	ask_next(settle);
	settle_pump(settle);
}

static void
ask_ready(void *ctx)
{
	struct ask *ask = ctx;
	struct settle *settle = ask->settle;

	ask->next_ready = NULL;
	*settle->ready_end = ask;
	settle->ready_end = &ask->next_ready;
	ask_next(settle);
}

static void
ask_found(struct ask *ask, const char *postmark_id)
{
	struct store_outcome outcome = outcome_of(&ask->item, ITEM_SENT);

	log_info("sent", log_str("item", ask->item.id), log_str("postmark_id", postmark_id),
	    log_str("how", "found by search"));
	outcome.postmark_id = postmark_id;
	outcome.http_status = 200;
	outcome.answer = "found at Postmark by its relay-id";
	ask_end(ask, &outcome);
}

static void
ask_not_found(struct ask *ask)
{
	struct store_outcome outcome;

	if (++ask->asked < ASKS_NEEDED) {
		loop_timer_set(ask->timer, ask->settle->params.options->settle_ms);
		ask_next(ask->settle);
		return;
	}
	outcome = outcome_of(&ask->item, ITEM_WAITING);
	log_info("waiting", log_str("item", ask->item.id), log_num("try", ask->item.attempt),
	    log_str("why", "not found at Postmark, goes out again"));
	outcome.http_status = 200;
	outcome.answer = "not found at Postmark by its relay-id, asked twice";
	ask_end(ask, &outcome);
}

/* Too old, and Postmark still cannot be asked: neither "sent" nor "failed" would be true. */
static void
ask_hold(struct ask *ask, int http_status)
{
	struct store_outcome outcome = outcome_of(&ask->item, ITEM_HELD);

	log_error("held", log_str("item", ask->item.id), log_num("try", ask->item.attempt),
	    log_str("why", "unsure at the end of the queue lifetime"));
	outcome.http_status = http_status;
	outcome.answer = "unsure at the end of the queue lifetime";
	ask_end(ask, &outcome);
}

static void
ask_failed(struct ask *ask, const struct postmark_answer *answer)
{
	struct settle *settle = ask->settle;
	const struct dispatch_options *options = settle->params.options;
	int64_t delay_ms, left_out;

	if (route_lifetime_over(settle->params.state, &ask->item, clock_wall_ms())) {
		ask_hold(ask, answer->status);
		return;
	}
	if (settle->failures < UINT_MAX)
		settle->failures++;
	delay_ms = schedule_delay_ms(settle->failures, options->retry_least_ms,
	    options->retry_most_ms, schedule_random(settle->params.random));
	settle->not_before_ms = clock_mono_ms() + delay_ms;
	if (log_gate_pass(&settle->failed_gate, 60000, &left_out))
		log_warning("search-failed", log_str("route", settle->params.route),
		    log_str("item", ask->item.id), log_num("status", answer->status),
		    log_str("why", answer->error[0] != '\0' ? answer->error : "unusable answer"),
		    log_num("left_out", left_out));
	ask_ready(ask); /* at the end of the line, and not before the delay is over */
}

static void
ask_answered(void *ctx, const struct postmark_answer *answer)
{
	struct ask *ask = ctx;
	char postmark_id[SEARCH_ID_SIZE];
	enum search_result result;

	ask->job = NULL;
	ask->settle->asking--;
	result = search_read(answer, ask->item.id, postmark_id);
	if (result != SEARCH_FAILED)
		ask->settle->failures = 0;
	switch (result) {
	case SEARCH_FOUND:
		ask_found(ask, postmark_id);
		return;
	case SEARCH_NOT_FOUND:
		ask_not_found(ask);
		return;
	case SEARCH_FAILED:
		ask_failed(ask, answer);
		return;
	}
}

static void
ask_submit(struct ask *ask)
{
	struct settle *settle = ask->settle;
	struct postmark_request request = {
		.method = "GET",
		.path = ask->path,
		.token = settle->params.token,
		.timeout_ms = SEARCH_TIMEOUT_MS,
		.most_answer_bytes = MOST_ANSWER_BYTES,
	};

	settle->asking++;
	ask->job = postmark_submit(settle->params.client, &request, ask_answered, ask);
}

static void
ask_next(struct settle *settle)
{
	int64_t now_ms = clock_mono_ms();

	if (settle->ready == NULL || settle->rests)
		return;
	if (now_ms < settle->not_before_ms) {
		timer_within(settle, settle->not_before_ms - now_ms);
		return;
	}
	while (settle->ready != NULL && settle->asking < (settle->failures > 0 ? 1 : MOST_ASKING)) {
		struct ask *ask = settle->ready;

		settle->ready = ask->next_ready;
		if (settle->ready == NULL)
			settle->ready_end = &settle->ready;
		ask_submit(ask);
	}
}

static void
ask_start(struct settle *settle, const struct store_item *item)
{
	struct ask *ask = mem_new(sizeof(*ask));
	char *stream = search_item_stream(item->kind, &item->payload);

	ask->settle = settle;
	ask->item = *item;
	payload_free(&ask->item.shared);
	payload_free(&ask->item.payload); /* the question needs no more of it */
	ask->path = search_path(item->id, stream != NULL ? stream : settle->params.message_stream);
	free(stream);
	ask->timer = loop_timer_new(settle->params.loop, ask_ready, ask);
	ask->next = settle->asks;
	if (ask->next != NULL)
		ask->next->prev = ask;
	settle->asks = ask;
	settle->ask_count++;
	ask_ready(ask);
}

/* --- claims ------------------------------------------------------------------------------- */

static enum dispatch_unsure
unsure_way(const struct settle *settle)
{
	return settle->params.is_test || settle->params.is_local ? UNSURE_RETRY : settle->params.options->unsure;
}

/*
 * What Postmark is asked about: everything with unsure = reconcile, and with unsure = hold what an
 * operator released, who would otherwise see it held again.
 */
static bool
is_asked_about(const struct settle *settle, const struct store_item *item)
{
	switch (unsure_way(settle)) {
	case UNSURE_RECONCILE:
		return true;
	case UNSURE_HOLD:
		return item->since_ms > item->accepted_ms;
	case UNSURE_RETRY:
		break;
	}
	return false;
}

/* Starts the questions; the others stand at the start of items then, so many of them. */
static size_t
items_ask(struct settle *settle, struct store_item *items, size_t count)
{
	size_t rest = 0;

	for (size_t i = 0; i < count; i++) {
		if (is_asked_about(settle, &items[i]))
			ask_start(settle, &items[i]);
		else
			items[rest++] = items[i];
	}
	return rest;
}

static const char *
unsure_words(const struct settle *settle)
{
	if (settle->params.is_local)
		return "whether it was delivered is not known";
	return settle->params.is_test ? "the token is for tests" : "unsure = retry";
}

/* unsure = retry or hold.  Takes the items. */
static void
items_move(struct settle *settle, struct store_item *items, size_t count)
{
	const struct dispatch_options *options = settle->params.options;
	bool hold = unsure_way(settle) == UNSURE_HOLD;
	struct outcomes *outcomes = outcomes_new(items, count);

	for (size_t i = 0; i < count; i++) {
		struct store_outcome outcome =
		    outcome_of(&items[i], hold ? ITEM_HELD : ITEM_WAITING);

		outcome.keeps_history = false;
		if (settle->params.is_test || settle->params.is_local)
			outcome.due_ms +=
			    schedule_delay_ms(items[i].attempt, options->retry_least_ms,
				options->retry_most_ms, schedule_random(settle->params.random));
		outcomes_set(outcomes, i, &outcome);
		if (hold)
			log_error("held", log_str("item", items[i].id),
			    log_num("try", items[i].attempt), log_str("why", "unsure = hold"));
		else
			log_warning("waiting", log_str("item", items[i].id),
			    log_num("try", items[i].attempt),
			    log_str("why", unsure_words(settle)));
	}
	outcomes_put(settle, outcomes);
}

static void
next_due_known(void *ctx, int64_t due_ms)
{
	struct settle *settle = pending_back(ctx);

	if (settle == NULL)
		return;
	idle_tell(settle);
	if (due_ms == INT64_MAX || settle->draining)
		return;
	timer_within(settle, due_ms - clock_wall_ms());
}

static void
items_claimed(
    void *ctx, enum store_result result, struct store_item *items, size_t count, bool more)
{
	struct pending *pending = ctx;
	struct store *store = pending->store;
	struct settle *settle = pending_back(pending);

	if (settle == NULL) {
		if (count > 0)
			outcome_give_back(store, items, count, ITEM_UNSURE, NULL, NULL);
		outcome_items_free(items, count);
		return;
	}
	settle->claiming = false;
	if (result != STORE_OK) {
		settle->maybe_due = true;
		timer_within(settle, STORE_AGAIN_MS);
	} else if (count > 0 && (settle->draining || settle->rests)) {
		settle->maybe_due = true;
		outcome_give_back(
		    store, items, count, ITEM_UNSURE, outcomes_durable, note_new(settle));
	} else if (count > 0) {
		count = items_ask(settle, items, count);
		if (count > 0)
			items_move(settle, items, count);
		else
			free(items);
		items = NULL;
		count = 0;
	}
	outcome_items_free(items, count);
	if (result == STORE_OK && more)
		settle->maybe_due = true;
	idle_tell(settle);
	if (result == STORE_OK)
		settle_pump(settle);
}

static void
settle_pump(struct settle *settle)
{
	const struct settle_params *params = &settle->params;
	bool asks = unsure_way(settle) != UNSURE_RETRY;
	unsigned room = MOST_KEPT - settle->ask_count;
	struct store_claim claim = {
		.route = params->route,
		.from = ITEM_UNSURE,
		.most_items = room < MOST_CLAIM ? room : MOST_CLAIM,
		.most_bytes = MOST_CLAIM_BYTES,
	};

	if (settle->draining || settle->rests || settle->claiming || !settle->maybe_due ||
	    room == 0)
		return;
	if (asks && (params->token == NULL || (settle->failures > 0 && settle->ask_count > 0)))
		return;
	settle->claiming = true;
	settle->maybe_due = false;
	/* Asked first: what becomes due between the two is then seen by both, not by neither. */
	store_next_due(params->store, params->route, ITEM_UNSURE, next_due_known, note_new(settle));
	claim.now_ms = clock_wall_ms();
	store_claim(params->store, &claim, items_claimed, note_new(settle));
}

/* --- life --------------------------------------------------------------------------------- */

static void
timer_fired(void *ctx)
{
	struct settle *settle = ctx;

	settle->timer_at_ms = INT64_MAX;
	settle->maybe_due = true;
	ask_next(settle);
	settle_pump(settle);
}

struct settle *
settle_new(const struct settle_params *params)
{
	struct settle *settle = mem_new(sizeof(*settle));

	settle->params = *params;
	settle->rests = true;
	settle->not_before_ms = INT64_MIN;
	settle->ready_end = &settle->ready;
	settle->timer = loop_timer_new(params->loop, timer_fired, settle);
	settle->timer_at_ms = INT64_MAX;
	timer_within(settle, 0);
	return settle;
}

void
settle_wake(struct settle *settle)
{
	settle->maybe_due = true;
	settle_pump(settle);
}

void
settle_hint(struct settle *settle)
{
	if (!settle->draining)
		timer_within(settle, HINT_MS);
}

void
settle_rest(struct settle *settle, bool rests)
{
	bool begins = settle->rests && !rests;

	settle->rests = rests;
	if (begins && !settle->draining) {
		settle->maybe_due = true;
		timer_within(settle, 0);
	}
}

void
settle_flush(struct settle *settle)
{
	settle->not_before_ms = INT64_MIN;
	if (!settle->draining)
		timer_within(settle, 0);
}

static void
asks_give_back(struct settle *settle, store_done_fn *done, struct pending *pending)
{
	struct store_item *items = mem_array(settle->ask_count, sizeof(*items));
	size_t count = 0;

	for (struct ask *ask = settle->asks; ask != NULL; ask = ask->next)
		items[count++] = ask->item; /* lent */
	outcome_give_back(settle->params.store, items, count, ITEM_UNSURE, done, pending);
	free(items);
	while (settle->asks != NULL)
		ask_free(settle->asks);
	settle->ready = NULL;
	settle->ready_end = &settle->ready;
}

void
settle_drain(struct settle *settle)
{
	settle->draining = true;
	loop_timer_clear(settle->timer);
	if (settle->asks != NULL)
		asks_give_back(settle, outcomes_durable, note_new(settle));
	idle_tell(settle);
}

bool
settle_idle(const struct settle *settle)
{
	return settle->ask_count == 0 && settle->pending.count == 0;
}

void
settle_free(struct settle **settle_p)
{
	struct settle *settle = *settle_p;

	if (settle == NULL)
		return;
	*settle_p = NULL;
	if (settle->asks != NULL)
		asks_give_back(settle, NULL, NULL);
	pending_orphan(&settle->pending, settle->params.loop);
	loop_timer_free(&settle->timer);
	free(settle);
}
