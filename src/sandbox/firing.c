/*
 * Events wait in a heap, the next one on top.  One timer wakes for it; as many posts run at once as
 * the settings allow, and whoever ends lets the next one in.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/text.h"

#include "sandbox/account.h"
#include "sandbox/api.h"
#include "sandbox/chance.h"
#include "sandbox/control.h"
#include "sandbox/event_settings.h"
#include "sandbox/post.h"
#include "sandbox/reaction.h"
#include "sandbox/records.h"
#include "sandbox/server.h"
#include "sandbox/state.h"
#include "sandbox/uuid.h"
#include "sandbox/firing.h"

#define MOST_PENDING   500000
#define ENOUGH_PENDING (MOST_PENDING / 2)
#define MOST_FINISHED  100000

enum fire_state {
	FIRE_WAITING,
	FIRE_POSTING,
	FIRE_DONE,
	FIRE_DROPPED,
};

struct fire {
	TAILQ_ENTRY(fire) link; /* of what is posted, or over */
	struct firing *firing;
	enum fire_state state;
	uint64_t number;
	const char *kind;
	enum webhook_trigger trigger;
	int64_t server;
	int64_t webhook; /* 0: the inbound hook */
	char message[UUID_SIZE];
	char *recipient;
	char trace[UUID_SIZE];
	char event[UUID_SIZE];
	char *body; /* NULL once it is over */
	size_t len;
	unsigned tries;
	int status; /* of the last answer; 0: there was none */
	const char *why;
	bool repeats; /* a duplicate of another */
	int64_t due_ms;
	firing_deed_fn *deed; /* no post, but this */
	struct firing_meter *meter;
	struct post *post;
};

TAILQ_HEAD(fires, fire);

struct firing_wait {
	struct api_wait wait; /* the first member */
	TAILQ_ENTRY(firing_wait) link;
	struct firing *firing;
	int64_t most_ms;
	struct loop_timer *timer;
	bool started;
	void (*ready)(void *ctx);
	void *ctx;
};

TAILQ_HEAD(firing_waits, firing_wait);

struct firing {
	struct loop *loop;
	struct state *state;
	struct poster *poster;
	struct loop_timer *timer;
	int64_t timer_due_ms; /* INT64_MAX: it is off */
	bool pumping;

	struct fire **heap;
	size_t heap_count, heap_room;
	struct fires posting;
	size_t posting_count;
	struct fires over;
	size_t over_count;
	struct firing_waits waits;

	bool (*source)(void *ctx);
	void *source_ctx;
	size_t parallel;
	uint64_t random;
	int64_t seed;

	uint64_t numbers;
	uint64_t events; /* that were added, without their duplicates */
	uint64_t done, dropped, posts, answered_200, retried, duplicates, left_out;
};

/* ---- the heap ---- */

static bool
before(const struct fire *a, const struct fire *b)
{
	return a->due_ms != b->due_ms ? a->due_ms < b->due_ms : a->number < b->number;
}

static void
heap_swap(struct firing *firing, size_t i, size_t j)
{
	struct fire *fire = firing->heap[i];

	firing->heap[i] = firing->heap[j];
	firing->heap[j] = fire;
}

static void
heap_sink(struct firing *firing, size_t i)
{
	for (;;) {
		size_t first = i;

		for (size_t child = 2 * i + 1; child <= 2 * i + 2; child++) {
			if (child < firing->heap_count &&
			    before(firing->heap[child], firing->heap[first]))
				first = child;
		}
		if (first == i)
			return;
		heap_swap(firing, i, first);
		i = first;
	}
}

static void
heap_push(struct firing *firing, struct fire *fire)
{
	size_t i = firing->heap_count++;

	if (i == firing->heap_room) {
		firing->heap_room = i > 0 ? 2 * i : 64;
		firing->heap = mem_resize(firing->heap, firing->heap_room, sizeof(struct fire *));
	}
	firing->heap[i] = fire;
	for (; i > 0 && before(firing->heap[i], firing->heap[(i - 1) / 2]); i = (i - 1) / 2)
		heap_swap(firing, i, (i - 1) / 2);
}

static struct fire *
heap_pop(struct firing *firing)
{
	struct fire *fire = firing->heap[0];

	firing->heap[0] = firing->heap[--firing->heap_count];
	heap_sink(firing, 0);
	return fire;
}

/* ---- one event ---- */

static void
fire_free(struct fire *fire)
{
	post_free(&fire->post);
	free(fire->recipient);
	free(fire->body);
	free(fire);
}

static bool
is_inbound(const struct fire *fire)
{
	return fire->webhook == 0;
}

static struct webhook *
webhook_of(const struct fire *fire)
{
	const struct server *server = account_server(&fire->firing->state->account, fire->server);

	return server != NULL && !is_inbound(fire) ? webhooks_find(server->webhooks, fire->webhook)
						   : NULL;
}

/* What became of a mail for the inbound hook, as its record shows it. */
static void
note_inbound(const struct fire *fire, const char *status)
{
	const struct record *record;

	if (!is_inbound(fire))
		return;
	record = records_by_message(fire->firing->state->inbound, fire->server, fire->message);
	if (record != NULL)
		json_object_set_new(record->json, "Status", json_string(status));
}

static void
tell_waits(struct firing *firing)
{
	struct firing_wait *wait, *next;

	if (firing_pending(firing) > 0)
		return;
	for (wait = TAILQ_FIRST(&firing->waits); wait != NULL; wait = next) {
		next = TAILQ_NEXT(wait, link);
		loop_timer_set(wait->timer, 0);
	}
}

/* Enough events dropped in a row pause the webhook. */
static void
note_end(const struct fire *fire, bool done)
{
	struct webhook *webhook = webhook_of(fire);
	int64_t most = fire->firing->state->event_settings.pause_after;

	if (webhook == NULL)
		return;
	webhook->failures = done ? 0 : webhook->failures + 1;
	if (most == 0 || (int64_t)webhook->failures < most)
		return;
	json_object_set_new(webhook->shown, "Status", json_string("unverified"));
	log_info("webhook-paused", log_num("webhook", webhook->id));
}

static void
fire_end(struct fire *fire, enum fire_state state)
{
	struct firing *firing = fire->firing;
	bool done = state == FIRE_DONE;

	fire->state = state;
	if (done)
		firing->done++;
	else
		firing->dropped++;
	if (fire->meter != NULL) {
		fire->meter->done += done;
		fire->meter->dropped += !done;
		fire->meter->ended_us = clock_mono_us();
		fire->meter = NULL;
	}
	note_end(fire, done);
	note_inbound(fire, done ? "Processed" : "Failed");
	if (!done)
		log_info("event-dropped", log_str("kind", fire->kind), log_str("id", fire->message),
		    log_num("webhook", fire->webhook), log_num("tries", fire->tries),
		    log_num("status", fire->status), log_str("why", fire->why));
	free(fire->body);
	fire->body = NULL;
	TAILQ_INSERT_TAIL(&firing->over, fire, link);
	if (++firing->over_count > MOST_FINISHED) {
		fire = TAILQ_FIRST(&firing->over);
		TAILQ_REMOVE(&firing->over, fire, link);
		firing->over_count--;
		fire_free(fire);
	}
	tell_waits(firing);
}

static void
meter_note(struct firing_meter *meter, const struct post_end *end)
{
	meter->posts++;
	meter->answered_200 += end->status == 200;
	if (meter->latency_count == meter->latency_room) {
		meter->latency_room = meter->latency_room > 0 ? 2 * meter->latency_room : 1024;
		meter->latencies_us =
		    mem_resize(meter->latencies_us, meter->latency_room, sizeof(uint32_t));
	}
	meter->latencies_us[meter->latency_count++] =
	    end->us < UINT32_MAX ? (uint32_t)end->us : UINT32_MAX;
}

static void pump(struct firing *);

static void
fire_again(struct fire *fire)
{
	struct firing *firing = fire->firing;
	int64_t delay_ms = reaction_delay_ms(
	    is_inbound(fire), fire->tries - 1, firing->state->event_settings.webhook_speed);

	if (delay_ms < 0) {
		fire_end(fire, FIRE_DROPPED);
		return;
	}
	log_debug("event-again", log_str("kind", fire->kind), log_str("id", fire->message),
	    log_num("webhook", fire->webhook), log_num("status", fire->status),
	    log_num("next_ms", delay_ms));
	firing->retried++;
	if (fire->meter != NULL)
		fire->meter->retried++;
	note_inbound(fire, "Scheduled");
	fire->state = FIRE_WAITING;
	fire->due_ms = clock_mono_ms() + delay_ms;
	heap_push(firing, fire);
}

static void
on_posted(void *ctx, const struct post_end *end)
{
	struct fire *fire = ctx;
	struct firing *firing = fire->firing;
	struct webhook *webhook = webhook_of(fire);
	enum reaction reaction = reaction_to(is_inbound(fire), end->status);

	post_free(&fire->post);
	TAILQ_REMOVE(&firing->posting, fire, link);
	firing->posting_count--;
	firing->posts++;
	firing->answered_200 += end->status == 200;
	fire->status = end->status;
	fire->why = end->why;
	if (fire->meter != NULL)
		meter_note(fire->meter, end);
	if (webhook != NULL) {
		webhook->posts[fire->trigger]++;
		webhook->successes[fire->trigger] += reaction == REACTION_DONE;
	}
	switch (reaction) {
	case REACTION_DONE:
		fire_end(fire, FIRE_DONE);
		break;
	case REACTION_RETRY:
		fire_again(fire);
		break;
	case REACTION_DROP:
		fire_end(fire, FIRE_DROPPED);
		break;
	}
	pump(firing);
}

/* What is to be wrong with the next post. */
static enum post_spoil
spoil_next(struct event_settings *settings)
{
	if (settings->wrong_password > 0) {
		settings->wrong_password--;
		return POST_WRONG_PASSWORD;
	}
	if (settings->no_auth > 0) {
		settings->no_auth--;
		return POST_NO_AUTH;
	}
	if (settings->wrong_path > 0) {
		settings->wrong_path--;
		return POST_WRONG_PATH;
	}
	return POST_RIGHT;
}

/* Where the event goes, as things are now.  NULL, or why it goes nowhere. */
static const char *
find_target(const struct fire *fire, struct post_params *params)
{
	const struct server *server = account_server(&fire->firing->state->account, fire->server);
	const struct webhook *webhook = webhook_of(fire);

	if (server == NULL)
		return "The server is gone.";
	if (is_inbound(fire)) {
		params->url = server_text(server, "InboundHookUrl");
		if (params->url == NULL || params->url[0] == '\0')
			return "The server has no inbound hook any more.";
	} else {
		if (webhook == NULL || !webhook_verified(webhook->shown) ||
		    !webhook_enabled(webhook->shown, fire->trigger))
			return "The webhook is gone, or does not want this event any more.";
		params->url = json_string_value(json_object_get(webhook->shown, "Url"));
		params->auth = json_object_get(webhook->shown, "HttpAuth");
		params->headers = json_object_get(webhook->shown, "HttpHeaders");
	}
	return post_reaches(params->url) ? NULL : "The sandbox reaches hosts of the loopback only.";
}

static void
fire_start(struct fire *fire)
{
	struct firing *firing = fire->firing;
	struct event_settings *settings = &firing->state->event_settings;
	bool inbound = is_inbound(fire);
	struct post_params params = {
		.poster = firing->poster,
		.body = fire->body,
		.len = fire->len,
		.timeout_ms = inbound ? settings->inbound_timeout_ms : settings->timeout_ms,
		.retries_remaining = (int)reaction_retries(inbound) - (int)fire->tries,
		.trace = fire->trace,
		.event = fire->event,
		.redirects = inbound ? 0 : REACTION_MOST_REDIRECTS,
		.expect = settings->expect,
		.chunked = settings->chunked,
		.slow_ms = settings->slow_body_ms,
		.done = on_posted,
		.ctx = fire,
	};

	fire->why = find_target(fire, &params);
	if (fire->why != NULL) {
		fire_end(fire, FIRE_DROPPED);
		return;
	}
	params.spoil = spoil_next(settings);
	/* More tries than the table has: somebody was in a hurry. */
	params.retries_remaining = params.retries_remaining > 0 ? params.retries_remaining : 0;
	fire->state = FIRE_POSTING;
	fire->tries++;
	TAILQ_INSERT_TAIL(&firing->posting, fire, link);
	firing->posting_count++;
	fire->post = post_new(&params);
}

/* ---- the queue ---- */

static size_t
most_posting(const struct firing *firing)
{
	return firing->parallel > 0 ? firing->parallel
				    : (size_t)firing->state->event_settings.parallel;
}

static void
arm(struct firing *firing)
{
	int64_t due_ms, now_ms;

	if (firing->heap_count == 0 || firing->posting_count >= most_posting(firing))
		return;
	due_ms = firing->heap[0]->due_ms;
	if (due_ms >= firing->timer_due_ms)
		return;
	now_ms = clock_mono_ms();
	firing->timer_due_ms = due_ms;
	loop_timer_set(firing->timer, due_ms > now_ms ? due_ms - now_ms : 0);
}

/* From the loop only. */
static void
pump(struct firing *firing)
{
	int64_t now_ms = clock_mono_ms();

	firing->pumping = true;
	while (firing->posting_count < most_posting(firing)) {
		if (firing->heap_count > 0 && firing->heap[0]->due_ms <= now_ms) {
			struct fire *fire = heap_pop(firing);

			if (fire->deed == NULL) {
				fire_start(fire);
				continue;
			}
			fire->deed(firing->state, fire->message, fire->recipient);
			fire_free(fire);
			tell_waits(firing);
		} else if (firing->source == NULL || firing->heap_count >= ENOUGH_PENDING) {
			/* What a source has is not lost: there is room once retries are over. */
			break;
		} else if (!firing->source(firing->source_ctx)) {
			firing->source = NULL;
			tell_waits(firing);
		}
	}
	firing->pumping = false;
	arm(firing);
}

static void
on_due(void *ctx)
{
	struct firing *firing = ctx;

	firing->timer_due_ms = INT64_MAX;
	pump(firing);
}

static void
enqueue(struct firing *firing, struct fire *fire)
{
	heap_push(firing, fire);
	if (!firing->pumping)
		arm(firing);
}

static double
chance(struct firing *firing)
{
	int64_t seed = firing->state->event_settings.seed;

	if (seed != firing->seed) {
		firing->seed = seed;
		firing->random = (uint64_t)seed;
	}
	return chance_next(&firing->random);
}

static struct fire *
fire_new(struct firing *firing, const char *message, const char *recipient)
{
	struct fire *fire = mem_new(sizeof(*fire));

	fire->firing = firing;
	fire->number = ++firing->numbers;
	fire->due_ms = clock_mono_ms();
	if (message != NULL && strlen(message) == UUID_LEN)
		memcpy(fire->message, message, UUID_SIZE);
	fire->recipient = recipient != NULL ? mem_string(recipient) : NULL;
	return fire;
}

/* body is taken. */
static struct fire *
fire_of(struct firing *firing, const struct firing_event *event, char *body)
{
	const struct event_settings *settings = &firing->state->event_settings;
	struct fire *fire = fire_new(firing, event->message, event->recipient);

	fire->kind = event->kind;
	fire->trigger = event->trigger;
	fire->server = event->server;
	fire->webhook = event->webhook;
	fire->body = body;
	fire->len = strlen(body);
	fire->meter = event->meter;
	uuid_make(fire->trace);
	uuid_make(fire->event);
	if (!event->at_once) {
		fire->due_ms += settings->delay_ms;
		if (settings->shuffle_ms > 0)
			fire->due_ms +=
			    (int64_t)(chance(firing) * (double)(settings->shuffle_ms + 1));
	}
	if (fire->meter != NULL)
		fire->meter->made++;
	return fire;
}

static bool
wants_duplicate(struct firing *firing)
{
	const struct event_settings *settings = &firing->state->event_settings;

	return (settings->duplicate_every > 0 &&
		   firing->events % (uint64_t)settings->duplicate_every == 0) ||
	       (settings->duplicate_probability > 0 &&
		   chance(firing) < settings->duplicate_probability);
}

void
firing_add(struct firing *firing, const struct firing_event *event)
{
	struct fire *fire, *again;

	if (firing == NULL || firing_pending(firing) >= MOST_PENDING) {
		free(event->body);
		if (firing != NULL)
			firing->left_out++;
		return;
	}
	firing->events++;
	fire = fire_of(firing, event, event->body);
	enqueue(firing, fire);
	if (!wants_duplicate(firing))
		return;
	again = fire_of(firing, event, mem_string(event->body));
	again->repeats = true;
	if (!firing->state->event_settings.duplicate_other_trace) {
		memcpy(again->trace, fire->trace, UUID_SIZE);
		memcpy(again->event, fire->event, UUID_SIZE);
	}
	firing->duplicates++;
	enqueue(firing, again);
}

void
firing_later(struct firing *firing, int64_t after_ms, firing_deed_fn *deed, const char *message,
    const char *recipient)
{
	struct fire *fire;

	if (firing == NULL || firing_pending(firing) >= MOST_PENDING)
		return;
	fire = fire_new(firing, message, recipient);
	fire->deed = deed;
	fire->due_ms += after_ms;
	enqueue(firing, fire);
}

void
firing_set_source(struct firing *firing, bool (*source)(void *ctx), void *ctx)
{
	firing->source = source;
	firing->source_ctx = ctx;
	firing->timer_due_ms = 0;
	loop_timer_set(firing->timer, 0);
}

void
firing_set_parallel(struct firing *firing, size_t parallel)
{
	firing->parallel = parallel;
}

void
firing_hurry(struct firing *firing)
{
	int64_t now_ms = clock_mono_ms();

	for (size_t i = 0; i < firing->heap_count; i++)
		firing->heap[i]->due_ms = now_ms;
	for (size_t i = firing->heap_count / 2; i-- > 0;)
		heap_sink(firing, i);
	arm(firing);
}

/* ---- what is shown ---- */

size_t
firing_pending(const struct firing *firing)
{
	return firing->heap_count + firing->posting_count + (firing->source != NULL ? 1 : 0);
}

json_t *
firing_counts_json(const struct firing *firing)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "events",
	    (json_int_t)firing->events, "pending",
	    (json_int_t)(firing->heap_count + firing->posting_count), "done",
	    (json_int_t)firing->done, "dropped", (json_int_t)firing->dropped, "posts",
	    (json_int_t)firing->posts, "answered_200", (json_int_t)firing->answered_200, "retried",
	    (json_int_t)firing->retried, "duplicates", (json_int_t)firing->duplicates, "left_out",
	    (json_int_t)firing->left_out);
}

static const char *
state_name(const struct fire *fire)
{
	switch (fire->state) {
	case FIRE_WAITING:
	case FIRE_POSTING:
		return "pending";
	case FIRE_DONE:
		return "done";
	case FIRE_DROPPED:
		return "dropped";
	}
	return "";
}

static json_t *
fire_json(const struct fire *fire)
{
	int64_t due_ms = fire->due_ms - clock_mono_ms();

	return json_pack("{s:I, s:s, s:s, s:s?, s:I, s:I, s:s, s:s, s:i, s:i, s:s?, s:s, s:b, s:I}",
	    "Number", (json_int_t)fire->number, "Kind", fire->kind, "MessageID", fire->message,
	    "Recipient", fire->recipient, "ServerID", (json_int_t)fire->server, "WebhookID",
	    (json_int_t)fire->webhook, "TraceID", fire->trace, "EventID", fire->event, "Tries",
	    (int)fire->tries, "LastStatus", fire->status, "Why", fire->why, "State",
	    state_name(fire), "Duplicate", fire->repeats, "DueInMs",
	    (json_int_t)(fire->state == FIRE_WAITING && due_ms > 0 ? due_ms : 0));
}

static bool
query_matches(const struct firing_query *query, const struct fire *fire)
{
	return fire->deed == NULL &&
	       (query->state == NULL || strcmp(state_name(fire), query->state) == 0) &&
	       (query->kind == NULL || text_same(fire->kind, query->kind)) &&
	       (query->message == NULL || text_same(fire->message, query->message));
}

static int
by_number(const void *a, const void *b)
{
	const struct fire *one = *(struct fire *const *)a, *other = *(struct fire *const *)b;

	return one->number < other->number ? -1 : one->number > other->number;
}

json_t *
firing_list_json(const struct firing *firing, const struct firing_query *query, size_t *total_r)
{
	size_t most = firing->over_count + firing->posting_count + firing->heap_count, count = 0;
	const struct fire **found = mem_array(most + 1, sizeof(*found));
	const struct fire *fire;
	json_t *list = json_array();

	TAILQ_FOREACH(fire, &firing->over, link)
	{
		if (query_matches(query, fire))
			found[count++] = fire;
	}
	TAILQ_FOREACH(fire, &firing->posting, link)
	{
		if (query_matches(query, fire))
			found[count++] = fire;
	}
	for (size_t i = 0; i < firing->heap_count; i++) {
		if (query_matches(query, firing->heap[i]))
			found[count++] = firing->heap[i];
	}
	qsort(found, count, sizeof(*found), by_number);
	for (size_t i = query->offset; i < count && i - query->offset < query->limit; i++)
		json_array_append_new(list, fire_json(found[i]));
	free(found);
	*total_r = count;
	return list;
}

/* ---- those who wait for the end ---- */

static void
on_wait_over(void *ctx)
{
	struct firing_wait *wait = ctx;

	wait->ready(wait->ctx);
}

static void
wait_start(struct api_wait *base, struct loop *loop, void (*ready)(void *ctx), void *ctx)
{
	struct firing_wait *wait = (struct firing_wait *)base;

	wait->ready = ready;
	wait->ctx = ctx;
	wait->started = true;
	wait->timer = loop_timer_new(loop, on_wait_over, wait);
	loop_timer_set(wait->timer, firing_pending(wait->firing) > 0 ? wait->most_ms : 0);
	TAILQ_INSERT_TAIL(&wait->firing->waits, wait, link);
}

static void
wait_finish(struct api_wait *base, struct state *state, struct api_answer *answer)
{
	struct firing_wait *wait = (struct firing_wait *)base;

	(void)state;
	control_json(answer, firing_counts_json(wait->firing));
}

static void
wait_free(struct api_wait *base)
{
	struct firing_wait *wait = (struct firing_wait *)base;

	if (wait->started)
		TAILQ_REMOVE(&wait->firing->waits, wait, link);
	loop_timer_free(&wait->timer);
	free(wait);
}

struct api_wait *
firing_wait_new(struct firing *firing, int64_t most_ms)
{
	struct firing_wait *wait = mem_new(sizeof(*wait));

	wait->wait.start = wait_start;
	wait->wait.finish = wait_finish;
	wait->wait.free = wait_free;
	wait->firing = firing;
	wait->most_ms = most_ms;
	return &wait->wait;
}

/* ---- life ---- */

struct firing *
firing_new(struct loop *loop, struct state *state, struct poster *poster)
{
	struct firing *firing = mem_new(sizeof(*firing));

	firing->loop = loop;
	firing->state = state;
	firing->poster = poster;
	firing->timer = loop_timer_new(loop, on_due, firing);
	firing->timer_due_ms = INT64_MAX;
	firing->seed = -1;
	TAILQ_INIT(&firing->posting);
	TAILQ_INIT(&firing->over);
	TAILQ_INIT(&firing->waits);
	return firing;
}

static void
fires_clear(struct fires *fires)
{
	struct fire *fire;

	while ((fire = TAILQ_FIRST(fires)) != NULL) {
		TAILQ_REMOVE(fires, fire, link);
		fire_free(fire);
	}
}

void
firing_clear(struct firing *firing)
{
	firing->source = NULL;
	while (firing->heap_count > 0)
		fire_free(firing->heap[--firing->heap_count]);
	fires_clear(&firing->posting);
	fires_clear(&firing->over);
	firing->posting_count = firing->over_count = 0;
	firing->events = firing->done = firing->dropped = firing->posts = firing->answered_200 = 0;
	firing->retried = firing->duplicates = firing->left_out = 0;
	tell_waits(firing);
}

void
firing_free(struct firing **firing_p)
{
	struct firing *firing = *firing_p;

	if (firing == NULL)
		return;
	firing_clear(firing);
	free(firing->heap);
	loop_timer_free(&firing->timer);
	free(firing);
	*firing_p = NULL;
}
