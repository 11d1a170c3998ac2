/*
 * The way of an item through here: claimed (the store has made "sending" durable), put into a
 * request alone or with others, judged, settled (the store makes the verdict durable).
 *
 * Requests leave when there is room in the window.  Beside a request that is out, another one
 * leaves only when it is full or when FILL_MS have gone by: a quiet queue is answered at once and a
 * busy one travels in batches, without anybody measuring which of the two it is.
 */

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/secret.h"
#include "deliver/deliver.h"
#include "postmark/batch.h"
#include "postmark/client.h"
#include "postmark/search.h"
#include "postmark/smtp.h"
#include "postmark/verdict.h"
#include "store/store.h"

#include "dispatch/dispatch.h"
#include "dispatch/inside.h"
#include "dispatch/judge.h"
#include "dispatch/mix.h"
#include "dispatch/outcome.h"
#include "dispatch/pending.h"
#include "dispatch/route.h"
#include "dispatch/schedule.h"
#include "dispatch/settle.h"

#define FILL_MS           INT64_C(40)
#define MOST_TIMER_MS     INT64_C(60000) /* the wall clock may jump: look again by then */
#define MOST_MEMORY_BYTES ((uint64_t)32 * 1024 * 1024) /* see dispatch_options */
/* A mail that goes by SMTP is given the time that a slow line needs for it. */
#define SMTP_BYTES_PER_MS 64U
/* An answer repeats the To of each item: fifty addresses and their names. */
#define ANSWER_BYTES          (64U * 1024U)
#define ANSWER_BYTES_PER_ITEM (24U * 1024U)

#define TEST_TOKEN "POSTMARK_API_TEST"

static void route_pump_ready(struct route *);

/* --- small helpers ------------------------------------------------------------------------ */

static bool
is_test_token(const struct secret *token)
{
	return token != NULL && secret_same(token, TEST_TOKEN, sizeof(TEST_TOKEN) - 1);
}

static bool
dispatch_idle(const struct dispatch *dispatch)
{
	if (dispatch->pending.count > 0)
		return false;
	for (size_t i = 0; i < dispatch->route_count; i++) {
		const struct route *route = &dispatch->routes[i];

		if (route->out != NULL || route->ready != NULL || !mix_is_empty(&route->mix) ||
		    !settle_idle(route->settle))
			return false;
	}
	return true;
}

void
drain_check(struct dispatch *dispatch)
{
	if (dispatch->draining && dispatch->drained != NULL && dispatch_idle(dispatch))
		loop_call_ask(dispatch->drain_call);
}

static void
drain_done(void *ctx)
{
	struct dispatch *dispatch = ctx;
	void (*drained)(void *) = dispatch->drained;

	if (drained == NULL || !dispatch_idle(dispatch))
		return;
	dispatch->drained = NULL;
	drained(dispatch->drained_ctx);
}

void
due_at(struct route *route, int64_t due_ms)
{
	int64_t after_ms;

	if (due_ms >= route->due_at_ms)
		return;
	route->due_at_ms = due_ms;
	after_ms = due_ms - clock_wall_ms();
	if (after_ms < 0)
		after_ms = 0;
	loop_timer_set(route->due_timer, after_ms < MOST_TIMER_MS ? after_ms : MOST_TIMER_MS);
}

struct pending *
route_note(struct route *route)
{
	struct dispatch *dispatch = route->dispatch;

	return pending_new(&dispatch->pending, dispatch->store, dispatch, route);
}

/* --- memory ------------------------------------------------------------------------------- */

static uint64_t
items_memory(const struct store_item *items, size_t count)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < count; i++) {
		if (items[i].payload.data != NULL)
			bytes += items[i].payload.len;
		if (items[i].shared.data != NULL)
			bytes += items[i].shared.len;
	}
	return bytes;
}

static bool
memory_is_full(const struct route *route)
{
	uint64_t most = route->dispatch->options.most_memory_bytes;

	return route->memory_bytes >= (most > 0 ? most : MOST_MEMORY_BYTES);
}

/* --- outcomes ----------------------------------------------------------------------------- */

/* Found by a search or by an answer, they are told of in one place. */
static void
outcomes_tell(const struct route *route, const struct outcomes *outcomes)
{
	struct dispatch *dispatch = route->dispatch;

	for (size_t i = 0; i < outcomes->count && dispatch->report != NULL; i++) {
		const struct dispatch_event event = { .route = route->name,
			.item = &outcomes->items[i],
			.outcome = &outcomes->list[i] };

		dispatch->report(dispatch->report_ctx, &event);
	}
}

static void
outcomes_durable(void *ctx, enum store_result result)
{
	struct pending *pending = ctx;
	struct outcomes *outcomes = pending->outcomes;
	struct route *route = pending->more;
	bool some_unsure = pending->flag;
	struct dispatch *dispatch;

	pending->outcomes = NULL;
	dispatch = pending_back(pending);
	if (dispatch != NULL) {
		/* Only now can a claim find what has become unsure. */
		if (some_unsure)
			settle_wake(route->settle);
		if (outcomes != NULL && result == STORE_OK)
			outcomes_tell(route, outcomes);
		drain_check(dispatch);
	}
	outcomes_free(&outcomes);
}

/* Takes the outcomes. */
static void
outcomes_put(struct route *route, struct outcomes *outcomes, bool some_unsure)
{
	struct pending *pending = route_note(route);

	for (size_t i = 0; i < outcomes->count; i++) {
		if (outcomes->list[i].to == ITEM_WAITING)
			due_at(route, outcomes->list[i].due_ms);
	}
	pending->outcomes = outcomes;
	pending->flag = some_unsure;
	store_settle(
	    route->dispatch->store, outcomes->list, outcomes->count, outcomes_durable, pending);
}

static void
items_give_back(struct route *route, const struct store_item *items, size_t count)
{
	log_debug("given-back", log_str("route", route->name), log_num("items", (int64_t)count));
	route->memory_bytes -= items_memory(items, count);
	route->maybe_due = true;
	due_at(route, clock_wall_ms());
	outcome_give_back(route->dispatch->store, items, count, ITEM_SPOOLED, outcomes_durable,
	    route_note(route));
}

/* --- requests ----------------------------------------------------------------------------- */

static void
request_link(struct request **list, struct request *request)
{
	request->prev = NULL;
	request->next = *list;
	if (request->next != NULL)
		request->next->prev = request;
	*list = request;
}

static void
request_link_last(struct request **list, struct request *request)
{
	struct request *last = *list;

	if (last == NULL) {
		request_link(list, request);
		return;
	}
	while (last->next != NULL)
		last = last->next;
	request->next = NULL;
	request->prev = last;
	last->next = request;
}

static void
request_unlink(struct request **list, struct request *request)
{
	if (request->prev != NULL)
		request->prev->next = request->next;
	else
		*list = request->next;
	if (request->next != NULL)
		request->next->prev = request->prev;
	request->next = request->prev = NULL;
}

/* Takes the items, which one request can take. */
static struct request *
request_new(struct route *route, struct store_item *items, size_t count)
{
	struct request *request = mem_new(sizeof(*request));
	struct batch_message *messages = mem_array(count, sizeof(*messages));

	request->route = route;
	request->items = items;
	request->count = count;
	for (size_t i = 0; i < count; i++)
		messages[i] = (struct batch_message){ &items[i].payload, &items[i].shared };
	batch_build(&request->batch, items[0].kind, messages, count);
	free(messages);
	return request;
}

/* Unlinked, and not in flight. */
static void
request_free(struct request *request)
{
	batch_free(&request->batch);
	outcome_items_free(request->items, request->count);
	free(request);
}

static void
request_split(struct request *request)
{
	struct route *route = request->route;
	size_t at = request->count / 2;
	struct store_item *first = mem_array(at, sizeof(*first));
	struct store_item *second = mem_array(request->count - at, sizeof(*second));

	log_info("split", log_str("route", route->name), log_num("items", (int64_t)request->count));
	memcpy(first, request->items, at * sizeof(*first));
	memcpy(second, request->items + at, (request->count - at) * sizeof(*second));
	request_link(&route->ready, request_new(route, second, request->count - at));
	request_link(&route->ready, request_new(route, first, at));
	free(request->items);
	request->items = NULL; /* the halves have what they held */
	request->count = 0;
}

/* Takes the request's items. */
static void
request_settle(struct request *request, const struct item_verdict *verdicts,
    const struct postmark_answer *answer, bool some_unsure)
{
	struct route *route = request->route;
	const struct judge judge = { .options = &route->dispatch->options,
		.state = &route->state,
		.counts = &route->counts,
		.random = &route->dispatch->random };
	struct outcomes *outcomes;

	route->memory_bytes -= items_memory(request->items, request->count);
	outcomes = judge_items(&judge, request->items, request->count, verdicts, answer);
	request->items = NULL;
	request->count = 0;
	outcomes_put(route, outcomes, some_unsure);
}

/*
 * A stream that the mail itself chose, by a header, and that Postmark does not have: the route is
 * fine, and this item waits for an operator alone.
 */
static void
judge_own_streams(
    const struct route *route, const struct request *request, struct item_verdict *verdicts)
{
	for (size_t i = 0; i < request->count; i++) {
		char *stream;

		if (verdicts[i].verdict != VERDICT_OPERATOR ||
		    !verdict_code_is_streams(verdicts[i].error_code))
			continue;
		stream = search_item_stream(request->items[i].kind, &request->items[i].payload);
		if (stream != NULL && strcmp(stream, route->message_stream) != 0)
			verdicts[i].verdict = VERDICT_OUR_FAULT;
		free(stream);
	}
}

void
request_judged(
    struct request *request, struct item_verdict *verdicts, const struct postmark_answer *answer)
{
	struct route *route = request->route;
	size_t count = request->count;
	struct item_verdict own = { .verdict = VERDICT_REFUSED };
	const struct item_verdict *learned = request->of_item ? &own : verdicts;
	struct route_tally tally = route_tally(learned, count);
	const struct route_lesson lesson = { .verdicts = learned,
		.count = count,
		.tally = &tally,
		.answer = answer,
		.started_ms = request->started_ms,
		.probe = request->probe,
		.smtp = request->items[0].kind == ITEM_SMTP,
		.smtp_probe = request->smtp_probe };
	bool stood = route_stands(&route->state);

	request_unlink(&route->out, request);
	route->in_flight--;
	route_learn(&route->state, &lesson);
	if (tally.of[VERDICT_SPLIT] == count && count > 1)
		request_split(request);
	else
		request_settle(request, verdicts, answer, tally.of[VERDICT_UNSURE] > 0);

	verdicts_free(verdicts, count);
	free(verdicts);
	request_free(request);
	if (stood != route_stands(&route->state)) {
		keep_tell(route);
		keep_save(route);
	}
	route_pump(route);
	drain_check(route->dispatch);
}

static void
request_answered(void *ctx, const struct postmark_answer *answer)
{
	struct request *request = ctx;
	size_t count = request->count;
	struct item_verdict *verdicts = mem_array(count, sizeof(*verdicts));
	const struct strlist **recipients = mem_array(count, sizeof(*recipients));

	request->job = NULL;
	for (size_t i = 0; i < count; i++)
		recipients[i] = &request->items[i].recipients;
	verdict_judge(answer, count > 1, recipients, count, verdicts);
	judge_own_streams(request->route, request, verdicts);
	free(recipients);
	request_judged(request, verdicts, answer);
}

static void
smtp_answered(void *ctx, const struct smtp_answer *answer)
{
	struct request *request = ctx;
	struct item_verdict *verdict = mem_array(1, sizeof(*verdict));
	const struct postmark_answer as = { .end = answer->end,
		.status = answer->code,
		.type = "",
		.request_id = "",
		.body = "",
		.retry_after_ms = -1,
		.elapsed_ms = answer->elapsed_ms,
		.error = answer->error };

	request->smtp_job = NULL;
	verdict_judge_smtp(answer, &request->items[0].recipients, verdict);
	request_judged(request, verdict, &as);
}

static void
request_submit_smtp(struct request *request)
{
	struct route *route = request->route;
	const struct dispatch *dispatch = route->dispatch;
	const struct store_item *item = &request->items[0];
	const struct smtp_request mail = {
		.token = route->token,
		.sender = item->reverse_path != NULL ? item->reverse_path : "",
		.recipients = &item->recipients,
		.pieces = request->batch.pieces,
		.piece_count = request->batch.piece_count,
		.timeout_ms = dispatch->options.single_timeout_ms +
			      (int64_t)(request->batch.bytes / SMTP_BYTES_PER_MS),
	};

	request->smtp_job =
	    smtp_submit(postmark_smtp(dispatch->client), &mail, smtp_answered, request);
}

static void
request_submit_api(struct request *request)
{
	const struct route *route = request->route;
	const struct dispatch_options *options = &route->dispatch->options;
	const struct postmark_request post = {
		.method = "POST",
		.path = request->batch.path,
		.token = route->token,
		.pieces = request->batch.pieces,
		.piece_count = request->batch.piece_count,
		.timeout_ms =
		    request->count > 1 ? options->batch_timeout_ms : options->single_timeout_ms,
		.most_answer_bytes = ANSWER_BYTES + request->count * ANSWER_BYTES_PER_ITEM,
	};

	request->job = postmark_submit(route->dispatch->client, &post, request_answered, request);
}

/* Back until that time (monotonic), and whoever is behind it has its turn. */
static void
request_postpone(struct request *request, int64_t until_ms)
{
	struct route *route = request->route;
	struct store_outcome outcome = outcome_of(&request->items[0], ITEM_SPOOLED);

	outcome.due_ms += until_ms - clock_mono_ms();
	outcome.keeps_history = false;
	route->memory_bytes -= items_memory(request->items, request->count);
	route->maybe_due = true;
	due_at(route, outcome.due_ms);
	store_settle(route->dispatch->store, &outcome, 1, outcomes_durable, route_note(route));
	request_free(request);
}

/* Takes it. */
static void
request_submit(struct request *request)
{
	struct route *route = request->route;
	int64_t until_ms;

	if (request->items[0].kind == ITEM_SMTP &&
	    !route_smtp_may_leave(&route->state, &until_ms, &request->smtp_probe)) {
		request_postpone(request, until_ms);
		return;
	}
	if (request->probe)
		breaker_probe(&route->state.breaker);
	request->started_ms = clock_mono_ms();
	request_link(&route->out, request);
	route->in_flight++;
	route->counts.requests++;
	if (request->count > 1)
		route->counts.batches++;
	if (route_is_local(route))
		request_submit_local(request);
	else if (request->items[0].kind == ITEM_SMTP)
		request_submit_smtp(request);
	else
		request_submit_api(request);
}

/* --- what cannot go its way --------------------------------------------------------------- */

/* NULL, or why no mail of this route can. */
static const char *
smtp_unfit(const struct route *route)
{
	if (is_test_token(route->token))
		return "sandbox route: Postmark's SMTP service has no test mode";
	if (postmark_smtp(route->dispatch->client) == NULL)
		return "no SMTP service of Postmark's is configured";
	return NULL;
}

/* NULL, or why this one cannot go this way. */
static const char *
item_unfit(const struct route *route, const struct store_item *item)
{
	bool local = item->kind == ITEM_LOCAL;

	if (local != route_is_local(route))
		return local ? "a mail that came in does not go to Postmark"
			     : "a mail for Postmark does not go where mails go that came in";
	/* The others would have to be remembered apart. */
	if (local && item->recipients.count != 1)
		return "a mail that came in has one recipient";
	return item->kind == ITEM_SMTP ? smtp_unfit(route) : NULL;
}

/* Takes the items. */
static void
items_hold(struct route *route, struct store_item *items, size_t count, const char *why)
{
	struct outcomes *outcomes;

	route->memory_bytes -= items_memory(items, count);
	outcomes = outcomes_new(items, count);
	for (size_t i = 0; i < count; i++) {
		struct store_outcome outcome = outcome_of(&items[i], ITEM_HELD);

		outcome.answer = why;
		outcome.never_left = true;
		outcomes_set(outcomes, i, &outcome);
		log_error("held", log_str("item", items[i].id), log_num("try", items[i].attempt),
		    log_str("why", why));
	}
	outcomes_put(route, outcomes, false);
}

/* The others stand at the start of items then, so many of them. */
static size_t
unfit_hold(struct route *route, struct store_item *items, size_t count)
{
	size_t rest = 0;

	for (size_t i = 0; i < count; i++) {
		const char *why = item_unfit(route, &items[i]);
		struct store_item *unfit;

		if (why == NULL) {
			items[rest++] = items[i];
			continue;
		}
		unfit = mem_new(sizeof(*unfit));
		*unfit = items[i];
		items_hold(route, unfit, 1, why);
	}
	return rest;
}

/* --- claims ------------------------------------------------------------------------------- */

/* May a request leave now?  If not, an answer or the gate timer, which is set, will pump again. */
static enum route_leave
request_may_leave(struct route *route)
{
	int64_t until_ms;
	enum route_leave leave;

	if (route->dispatch->draining)
		return ROUTE_WAIT;
	leave = route_may_leave(&route->state, route->in_flight, &until_ms);
	if (leave == ROUTE_WAIT && until_ms != INT64_MAX)
		loop_timer_set(route->gate_timer, until_ms - clock_mono_ms());
	return leave;
}

static void
next_due_known(void *ctx, int64_t due_ms)
{
	struct pending *pending = ctx;
	struct route *route = pending->more;
	struct dispatch *dispatch = pending_back(pending);

	if (dispatch == NULL)
		return;
	if (due_ms != INT64_MAX)
		due_at(route, due_ms);
	drain_check(dispatch);
}

/* Takes the items. */
static void
items_leave(struct route *route, struct store_item *items, size_t count, bool probe)
{
	struct request *request = request_new(route, items, count);

	request->probe = probe;
	request_submit(request);
}

/* What the frame of a request leaves for the messages. */
static uint64_t
route_most_bytes(const struct route *route, size_t count)
{
	uint64_t most_bytes = route->dispatch->options.most_batch_bytes;
	uint64_t frame_bytes = BATCH_FRAME_BYTES(count);

	return most_bytes > frame_bytes ? most_bytes - frame_bytes : 1;
}

/* A sieve is one request: what does not fit into it has its turn later.  Mails that go alone are
 * not what it is made of, as long as there are others. */
static void
items_sieve(struct route *route, struct store_item *items, size_t count)
{
	struct store_item *others = mem_array(count, sizeof(*others));
	enum item_kind kind = items[0].kind;
	size_t same = 0, other = 0;

	for (size_t i = 1; i < count && mix_goes_alone(kind); i++)
		kind = items[i].kind;
	for (size_t i = 0; i < count; i++) {
		if (items[i].kind == kind && (!mix_goes_alone(kind) || same == 0))
			items[same++] = items[i];
		else
			others[other++] = items[i];
	}
	if (other > 0)
		items_give_back(route, others, other);
	outcome_items_free(others, other);
	items_leave(route, items, same, true);
}

/* Takes the items. */
static void
claim_used(struct route *route, struct store_item *items, size_t count)
{
	enum route_leave leave = request_may_leave(route);

	count = unfit_hold(route, items, count);
	if (count == 0) {
		free(items);
		return;
	}
	/* The breaker, a pause or the end may have come since: what does not fit goes back. */
	if (leave == ROUTE_WAIT || (leave == ROUTE_PROBE && count > 1)) {
		items_give_back(route, items, count);
		outcome_items_free(items, count);
	} else if (leave == ROUTE_SIEVE) {
		items_sieve(route, items, count);
	} else if (leave == ROUTE_PROBE) {
		items_leave(route, items, count, true);
	} else if (mix_is_empty(&route->mix) && mix_is_one_request(items, count)) {
		items_leave(route, items, count, false);
	} else {
		mix_add(&route->mix, items, count);
	}
}

/* all: no other claim is to be expected at once, so that nothing is worth waiting for. */
static void
mix_leave(struct route *route, bool all)
{
	size_t most_items = route->state.pace.items, count;
	struct store_item *items;

	while (mix_next(
	    &route->mix, most_items, route_most_bytes(route, most_items), all, &items, &count))
		request_link_last(&route->ready, request_new(route, items, count));
}

static size_t
loners_count(const struct store_item *items, size_t count)
{
	size_t loners = 0;

	for (size_t i = 0; i < count; i++)
		loners += mix_goes_alone(items[i].kind);
	return loners;
}

static void
items_claimed(
    void *ctx, enum store_result result, struct store_item *items, size_t count, bool more)
{
	struct pending *pending = ctx;
	struct store *store = pending->store;
	struct route *route = pending->more;
	struct dispatch *dispatch = pending_back(pending);

	if (dispatch == NULL) {
		if (count > 0)
			outcome_give_back(store, items, count, ITEM_SPOOLED, NULL, NULL);
		outcome_items_free(items, count);
		return;
	}
	route->claiming = false;
	route->backlog = result == STORE_OK && more;
	if (result != STORE_OK) {
		outcome_items_free(items, count);
		route->maybe_due = true;
		if (!dispatch->draining)
			loop_timer_set(route->gate_timer, STORE_AGAIN_MS);
		mix_leave(route, true);
		route_pump_ready(route);
		drain_check(dispatch);
		return;
	}
	if (more)
		route->maybe_due = true;
	route->claimed = count;
	route->loners = loners_count(items, count);
	route->memory_bytes += items_memory(items, count);
	if (count > 0)
		claim_used(route, items, count);
	else
		free(items);
	mix_leave(route, !more || memory_is_full(route));
	route_pump(route);
	drain_check(dispatch);
}

/*
 * A batch's worth, unless the last one had more of those that go alone than may be out at once:
 * what is claimed counts as tried, and is looked for at Postmark after a crash.
 */
static size_t
claim_items(const struct route *route, enum route_leave leave)
{
	size_t items = route->state.pace.items, window = (size_t)route->state.pace.window, fitting;

	if (leave == ROUTE_PROBE)
		return 1;
	if (route->loners <= window)
		return items;
	fitting = route->claimed * window / route->loners;
	return fitting < items ? fitting : items;
}

static void
route_claim(struct route *route, enum route_leave leave)
{
	struct store *store = route->dispatch->store;
	size_t most_items = claim_items(route, leave);
	struct store_claim claim = {
		.route = route->name,
		.from = ITEM_SPOOLED,
		.most_items = most_items,
		.most_bytes = route_most_bytes(route, most_items),
	};

	route->claiming = true;
	route->maybe_due = false;
	route->fill_until_ms = 0;
	route->claimed_at_ms = clock_mono_ms();
	/* Asked first: what becomes due between the two is then seen by both, not by neither. */
	if (route->asks_next) {
		route->asks_next = false;
		store_next_due(store, route->name, ITEM_SPOOLED, next_due_known, route_note(route));
	}
	claim.now_ms = clock_wall_ms();
	store_claim(store, &claim, items_claimed, route_note(route));
}

/*
 * Does the next request wait for company?  Not in a quiet queue, and not when there is enough for
 * it. But beside a request that is out, and just behind one that was answered at once: else a
 * steady stream of mail would go out in as many small requests as Postmark can answer, each with a
 * claim and an outcome to be synced.
 */
static bool
route_fills(struct route *route)
{
	int64_t now_ms = clock_mono_ms();

	if (route->backlog || (route->in_flight == 0 && now_ms - route->claimed_at_ms >= FILL_MS))
		return false;
	if (route->fill_until_ms == 0)
		route->fill_until_ms =
		    FILL_MS + (route->in_flight > 0 ? now_ms : route->claimed_at_ms);
	if (now_ms >= route->fill_until_ms)
		return false;
	loop_timer_set(route->gate_timer, route->fill_until_ms - now_ms);
	return true;
}

static void
mix_give_back(struct route *route)
{
	struct store_item *items;
	size_t count;

	while (mix_next(&route->mix, SIZE_MAX, UINT64_MAX, true, &items, &count)) {
		items_give_back(route, items, count);
		outcome_items_free(items, count);
	}
}

/* What is claimed already leaves; when the route is closed to it, it goes back. */
static void
route_pump_ready(struct route *route)
{
	if (route->dispatch->draining || route_is_shut(&route->state))
		mix_give_back(route);
	while (route->ready != NULL) {
		struct request *request = route->ready;
		enum route_leave leave = request_may_leave(route);

		if (leave == ROUTE_LEAVE) {
			request_unlink(&route->ready, request);
			request_submit(request);
		} else if (route->dispatch->draining || route_is_shut(&route->state)) {
			request_unlink(&route->ready, request);
			items_give_back(route, request->items, request->count);
			request_free(request);
		} else {
			return;
		}
	}
}

/* Everything that may have changed what can leave ends here. */
void
route_pump(struct route *route)
{
	enum route_leave leave;

	route_pump_ready(route);
	if (route->claiming || !route->maybe_due)
		return;
	leave = request_may_leave(route);
	if (leave == ROUTE_WAIT || memory_is_full(route) ||
	    (leave == ROUTE_LEAVE && route_fills(route)))
		return;
	route_claim(route, leave);
}

/* --- life --------------------------------------------------------------------------------- */

static void
gate_fired(void *ctx)
{
	struct route *route = ctx;

	route_pump(route);
}

static void
due_fired(void *ctx)
{
	struct route *route = ctx;

	route->due_at_ms = INT64_MAX;
	route->maybe_due = true;
	route->asks_next = true;
	keep_forget(route);
	route_pump(route);
}

static void
settle_waiting(void *ctx)
{
	struct route *route = ctx;

	route->maybe_due = true;
	route->asks_next = true; /* perhaps not at once */
	route_pump(route);
}

static void
settle_durable(void *ctx, const struct outcomes *outcomes)
{
	struct route *route = ctx;

	for (size_t i = 0; i < outcomes->count; i++)
		route->counts.sent += outcomes->list[i].to == ITEM_SENT;
	outcomes_tell(route, outcomes);
}

static void
settle_is_idle(void *ctx)
{
	struct route *route = ctx;

	drain_check(route->dispatch);
}

static void
route_init(struct dispatch *dispatch, struct route *route, const struct dispatch_route *given)
{
	static const struct settle_hooks hooks = { settle_waiting, settle_durable, settle_is_idle };
	const struct dispatch_options *options = &dispatch->options;
	struct dispatch_options own = *options;
	struct settle_params params;

	route->dispatch = dispatch;
	route->name = mem_string(given->name);
	route->message_stream =
	    mem_string(given->message_stream != NULL ? given->message_stream : "");
	route->token = given->token;
	route->maybe_due = true;
	route->asks_next = true;
	route->due_at_ms = INT64_MAX;
	route->local = given->local;
	if (route_is_local(route) && given->local.parallel > 0)
		own.most_in_flight = given->local.parallel;
	route_state_init(&route->state, route->name,
	    given->token != NULL || route_is_local(route), &own);
	route->state.gone = given->gone;
	route->gate_timer = loop_timer_new(dispatch->loop, gate_fired, route);
	route->due_timer = loop_timer_new(dispatch->loop, due_fired, route);
	route->save_timer = loop_timer_new(dispatch->loop, keep_save_again, route);
	params = (struct settle_params){
		.loop = dispatch->loop,
		.store = dispatch->store,
		.client = dispatch->client,
		.route = route->name,
		.token = route->token,
		.is_test = is_test_token(route->token),
		.is_local = route_is_local(route),
		.message_stream = route->message_stream,
		.options = options,
		.state = &route->state,
		.random = &dispatch->random,
		.hooks = &hooks,
		.ctx = route,
	};
	route->settle = settle_new(&params);
}

struct dispatch *
dispatch_new(const struct dispatch_params *params)
{
	struct dispatch *dispatch = mem_new(sizeof(*dispatch));

	dispatch->loop = params->loop;
	dispatch->store = params->store;
	dispatch->client = params->client;
	dispatch->options = *params->options;
	dispatch->random = params->seed;
	dispatch->report = params->report;
	dispatch->report_ctx = params->ctx;
	dispatch->read_timer = loop_timer_new(params->loop, keep_read, dispatch);
	dispatch->drain_call = loop_call_new(params->loop, drain_done, dispatch);
	dispatch->route_count = params->route_count;
	dispatch->routes = mem_array(params->route_count, sizeof(*dispatch->routes));
	for (size_t i = 0; i < params->route_count; i++)
		route_init(dispatch, &dispatch->routes[i], &params->routes[i]);
	keep_read(dispatch);
	return dispatch;
}

void
dispatch_wake(struct dispatch *dispatch)
{
	for (size_t i = 0; i < dispatch->route_count; i++) {
		struct route *route = &dispatch->routes[i];

		route->maybe_due = true;
		route_pump(route);
		settle_hint(route->settle);
	}
}

void
dispatch_flush(struct dispatch *dispatch)
{
	for (size_t i = 0; i < dispatch->route_count; i++) {
		struct route *route = &dispatch->routes[i];

		route_flush(&route->state);
		route->maybe_due = true;
		settle_flush(route->settle);
		route_pump(route);
	}
}

int
dispatch_route_hold(struct dispatch *dispatch, const char *name, bool hold, const char *by,
    void (*done)(void *ctx, int store_result), void *ctx)
{
	struct route *route = NULL;

	for (size_t i = 0; i < dispatch->route_count; i++) {
		if (strcmp(dispatch->routes[i].name, name) == 0)
			route = &dispatch->routes[i];
	}
	if (route == NULL)
		return -1;
	keep_hold(route, hold, by, done, ctx);
	return 0;
}

void
dispatch_drain(struct dispatch *dispatch, void (*done)(void *ctx), void *ctx)
{
	dispatch->draining = true;
	dispatch->drained = done;
	dispatch->drained_ctx = ctx;
	loop_timer_clear(dispatch->read_timer);
	for (size_t i = 0; i < dispatch->route_count; i++) {
		struct route *route = &dispatch->routes[i];

		loop_timer_clear(route->gate_timer);
		loop_timer_clear(route->due_timer);
		loop_timer_clear(route->save_timer);
		keep_forget(route);
		route_pump_ready(route);
		settle_drain(route->settle);
	}
	drain_check(dispatch);
}

/* Cut off: whether Postmark took them is not known. */
static void
request_cut(struct request *request)
{
	struct dispatch *dispatch = request->route->dispatch;
	struct store_outcome *outcomes = mem_array(request->count, sizeof(*outcomes));

	for (size_t i = 0; i < request->count; i++) {
		outcomes[i] = outcome_of(&request->items[i], ITEM_UNSURE);
		outcomes[i].answer = "cut off by the end of the relay";
		log_warning("unsure", log_str("item", request->items[i].id),
		    log_num("try", request->items[i].attempt), log_str("why", outcomes[i].answer));
	}
	store_settle(dispatch->store, outcomes, request->count, NULL, NULL);
	free(outcomes);
	postmark_cancel(&request->job);
	smtp_cancel(&request->smtp_job);
	deliver_cancel(&request->deliver_job);
	request_unlink(&request->route->out, request);
	request_free(request);
}

static void
route_deinit(struct route *route)
{
	struct store_item *items;
	size_t count;

	while (route->out != NULL)
		request_cut(route->out);
	while (mix_next(&route->mix, SIZE_MAX, UINT64_MAX, true, &items, &count)) {
		outcome_give_back(route->dispatch->store, items, count, ITEM_SPOOLED, NULL, NULL);
		outcome_items_free(items, count);
	}
	while (route->ready != NULL) {
		struct request *request = route->ready;

		outcome_give_back(route->dispatch->store, request->items, request->count,
		    ITEM_SPOOLED, NULL, NULL);
		request_unlink(&route->ready, request);
		request_free(request);
	}
	settle_free(&route->settle);
	loop_timer_free(&route->gate_timer);
	loop_timer_free(&route->due_timer);
	loop_timer_free(&route->save_timer);
	keep_deinit(route);
	route_state_deinit(&route->state);
	free(route->name);
	free(route->message_stream);
}

void
dispatch_free(struct dispatch **dispatch_p)
{
	struct dispatch *dispatch = *dispatch_p;

	if (dispatch == NULL)
		return;
	*dispatch_p = NULL;
	for (size_t i = 0; i < dispatch->route_count; i++)
		route_deinit(&dispatch->routes[i]);
	pending_orphan(&dispatch->pending, dispatch->loop);
	loop_call_free(&dispatch->drain_call);
	loop_timer_free(&dispatch->read_timer);
	free(dispatch->routes);
	free(dispatch);
}

size_t
dispatch_route_count(const struct dispatch *dispatch)
{
	return dispatch->route_count;
}

void
dispatch_route_read(
    const struct dispatch *dispatch, size_t index, struct dispatch_route_state *about)
{
	const struct route *route = &dispatch->routes[index];

	memset(about, 0, sizeof(*about));
	route_describe(&route->state, about);
	about->message_stream = route->message_stream;
	about->in_flight = route->in_flight;
	about->sent = route->counts.sent;
	about->refused = route->counts.refused;
	about->waiting = route->counts.waiting;
	about->unsure = route->counts.unsure;
	about->requests = route->counts.requests;
}

void
dispatch_count(const struct dispatch *dispatch, struct dispatch_counts *counts)
{
	memset(counts, 0, sizeof(*counts));
	for (size_t i = 0; i < dispatch->route_count; i++) {
		const struct route *route = &dispatch->routes[i];

		counts->requests += route->counts.requests;
		counts->batches += route->counts.batches;
		counts->sent += route->counts.sent;
		counts->refused += route->counts.refused;
		counts->waiting += route->counts.waiting;
		counts->unsure += route->counts.unsure;
		counts->in_flight += route->in_flight;
	}
}
