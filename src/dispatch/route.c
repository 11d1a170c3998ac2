#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "postmark/client.h"

#include "dispatch/route.h"

#define NO_TOKEN "no token"
#define GONE                                                                                       \
	"no longer in the configuration: put it back and reload, or delete its items "             \
	"(pmrelayctl queue delete --route)"
#define GATE_MS          INT64_C(60000)
#define SENDERS_IN_A_ROW 3U /* see operator_wanted() */

void
route_state_init(struct route_state *state, const char *name, bool has_token,
    const struct dispatch_options *options)
{
	memset(state, 0, sizeof(*state));
	state->name = name;
	state->has_token = has_token;
	state->probe_ms = options->probe_ms;
	state->lifetime_ms = options->queue_lifetime_ms;
	pace_init(&state->pace, options->most_in_flight, options->most_batch_items,
	    options->batch_target_ms);
	breaker_init(&state->breaker, options->breaker_failures, options->probe_ms);
	breaker_init(&state->smtp_breaker, options->breaker_failures, options->probe_ms);
}

void
route_state_deinit(struct route_state *state)
{
	free(state->broken_why);
	free(state->held_why);
	free(state->paused_why);
}

static void
text_set(char **text, char *to)
{
	free(*text);
	*text = to;
}

/* --- may something leave? ----------------------------------------------------------------- */

enum route_leave
route_may_leave(const struct route_state *state, unsigned in_flight, int64_t *until_ms_r)
{
	int64_t now_ms = clock_mono_ms();

	*until_ms_r = INT64_MAX;
	if (!state->known || state->held || !state->has_token)
		return ROUTE_WAIT;
	if (now_ms < state->pace.not_before_ms) {
		*until_ms_r = state->pace.not_before_ms;
		return ROUTE_WAIT;
	}
	if (state->paused && now_ms < state->probe_at_ms) {
		*until_ms_r = state->probe_at_ms;
		return ROUTE_WAIT;
	}
	switch (breaker_ask(&state->breaker, now_ms, until_ms_r)) {
	case BREAKER_WAIT:
		return ROUTE_WAIT;
	case BREAKER_PROBE:
		return ROUTE_PROBE;
	case BREAKER_GO:
		break;
	}
	*until_ms_r = INT64_MAX;
	if (state->paused && in_flight > 0)
		return ROUTE_WAIT;
	/* Mails with a wrong From are tried with others behind them, or a thousand of them at the
	 * head of the queue would take a thousand probes. */
	if (state->paused)
		return state->senders_row >= SENDERS_IN_A_ROW ? ROUTE_SIEVE : ROUTE_PROBE;
	return pace_has_room(&state->pace, in_flight) ? ROUTE_LEAVE : ROUTE_WAIT;
}

bool
route_smtp_may_leave(struct route_state *state, int64_t *until_ms_r, bool *probe_r)
{
	int64_t now_ms = clock_mono_ms();
	enum breaker_leave leave = breaker_ask(&state->smtp_breaker, now_ms, until_ms_r);

	*probe_r = leave == BREAKER_PROBE;
	if (*probe_r)
		breaker_probe(&state->smtp_breaker);
	/* While one is out to see, its answer is not waited for: others have their turn. */
	if (leave == BREAKER_WAIT && *until_ms_r == INT64_MAX)
		*until_ms_r = now_ms + state->probe_ms;
	return leave != BREAKER_WAIT;
}

bool
route_is_shut(const struct route_state *state)
{
	return route_stands(state) || state->breaker.state != BREAKER_CLOSED;
}

/* --- standing ----------------------------------------------------------------------------- */

bool
route_stands(const struct route_state *state)
{
	return state->held || state->paused;
}

const char *
route_why(const struct route_state *state)
{
	const char *why = state->held ? state->held_why : state->paused_why;

	return why != NULL ? why : "";
}

bool
route_lifetime_over(const struct route_state *state, const struct store_item *item, int64_t now_ms)
{
	return schedule_lifetime_over(&state->pauses,
	    item->since_ms > 0 ? item->since_ms : item->accepted_ms, now_ms, state->lifetime_ms);
}

/* After every change of held and paused. */
static void
stands_changed(struct route_state *state)
{
	int64_t now_ms = clock_wall_ms();

	if (route_stands(state))
		pauses_begin(&state->pauses, now_ms);
	else
		pauses_end(&state->pauses, now_ms);
}

/* Takes why. */
static void
pause_set(struct route_state *state, char *why)
{
	text_set(&state->paused_why, why);
	if (state->paused)
		return;
	state->paused = true;
	state->paused_since_ms = clock_wall_ms();
	memset(&state->paused_gate, 0, sizeof(state->paused_gate));
	stands_changed(state);
}

static void
pause_begin(struct route_state *state, const struct item_verdict *verdict,
    const struct route_lesson *lesson)
{
	const char *message = verdict->message != NULL ? verdict->message : "";
	int64_t left_out;

	state->probe_at_ms = clock_mono_ms() + state->probe_ms;
	/* An SMTP reply begins with its code. */
	pause_set(state, lesson->smtp ? mem_format("SMTP: %s", message)
				      : mem_format("HTTP %d, code %d: %s", lesson->answer->status,
					    verdict->error_code, message));
	if (log_gate_pass(&state->paused_gate, GATE_MS, &left_out))
		log_error("route-paused", log_str("route", state->name),
		    log_num("status", lesson->answer->status), log_num("code", verdict->error_code),
		    log_num("for_ms", clock_wall_ms() - state->paused_since_ms),
		    log_str("why", verdict->message), log_num("left_out", left_out));
}

static void
pause_end(struct route_state *state)
{
	state->senders_row = 0;
	if (!state->paused || !state->has_token)
		return;
	state->paused = false;
	stands_changed(state);
	log_warning("route-resumed", log_str("route", state->name),
	    log_num("for_ms", clock_wall_ms() - state->paused_since_ms));
}

void
route_hold(struct route_state *state, bool hold, const char *by)
{
	if (hold) {
		log_warning("route-held", log_str("route", state->name), log_str("by", by));
		if (!state->held)
			state->held_since_ms = clock_wall_ms();
		state->held = true;
		text_set(&state->held_why, mem_format("paused by %s", by));
		stands_changed(state);
		return;
	}
	if (state->held)
		log_warning("route-released", log_str("route", state->name), log_str("by", by),
		    log_num("for_ms", clock_wall_ms() - state->held_since_ms));
	state->held = false;
	stands_changed(state);
	pause_end(state);
	route_flush(state);
}

void
route_flush(struct route_state *state)
{
	int64_t now_ms = clock_mono_ms();

	if (state->probe_at_ms > now_ms)
		state->probe_at_ms = now_ms;
	breaker_try_now(&state->breaker, now_ms);
	breaker_try_now(&state->smtp_breaker, now_ms);
	pace_rest_over(&state->pace);
}

/*
 * A pause of ours that the last process was in goes on until a mail has gone through, but that is
 * tried at once: a token is often mended by a restart.
 */
void
route_restore(struct route_state *state, const struct store_route *record)
{
	int64_t now_ms = clock_wall_ms();
	const char *why = record != NULL && record->why != NULL ? record->why : "";

	state->known = true;
	if (record != NULL) {
		pauses_restore(&state->pauses, record->stood_ms, record->stood_since_ms, now_ms);
		state->held = record->held;
		state->paused = !state->held && state->pauses.open && strcmp(why, NO_TOKEN) != 0 &&
				strcmp(why, GONE) != 0;
		text_set(state->held ? &state->held_why : &state->paused_why, mem_string(why));
		state->held_since_ms = state->paused_since_ms =
		    state->pauses.open ? state->pauses.open_from_ms : now_ms;
		state->probe_at_ms = clock_mono_ms();
	}
	if (!state->has_token)
		pause_set(state, mem_string(state->gone ? GONE : NO_TOKEN));
	stands_changed(state);
	if (state->held)
		log_warning("route-held", log_str("route", state->name),
		    log_str("why", route_why(state)),
		    log_num("for_ms", now_ms - state->held_since_ms));
	else if (state->paused)
		log_error("route-paused", log_str("route", state->name),
		    log_str("why", route_why(state)),
		    log_num("for_ms", now_ms - state->paused_since_ms));
}

void
route_record(const struct route_state *state, struct store_route *record)
{
	*record = (struct store_route){
		.name = (char *)(uintptr_t)state->name,
		.held = state->held,
		.why = route_stands(state) ? (char *)(uintptr_t)route_why(state) : NULL,
		.stood_since_ms = state->pauses.open ? state->pauses.open_from_ms : 0,
		.stood_ms = pauses_sum_ms(&state->pauses),
	};
}

/*
 * Postmark wants an operator.  A wrong token or stream stops every mail of the route; a From that
 * is no signature may be one application's mistake, and would hold up all the others' mail each
 * time it is tried.  So answers of the second kind pause the route only when some have come in a
 * row, with nothing sent in between.  What the SMTP service says is of that kind as well: a server
 * may have it switched off and take all the mail that goes by the API.
 */
static bool
is_about_few(const struct route_lesson *lesson, const struct item_verdict *verdict)
{
	return lesson->smtp || verdict_code_is_one_senders(verdict->error_code);
}

static void
operator_wanted(struct route_state *state, const struct item_verdict *verdict,
    const struct route_lesson *lesson)
{
	if (is_about_few(lesson, verdict)) {
		if (++state->senders_row < SENDERS_IN_A_ROW) {
			log_error("operator", log_str("route", state->name),
			    log_num("status", lesson->answer->status),
			    log_num("code", verdict->error_code), log_str("why", verdict->message));
			return;
		}
		state->senders_row = SENDERS_IN_A_ROW;
	} else {
		state->senders_row = 0;
	}
	pause_begin(state, verdict, lesson);
}

/* --- lessons ------------------------------------------------------------------------------ */

struct route_tally
route_tally(const struct item_verdict *verdicts, size_t count)
{
	struct route_tally tally = { 0 };

	for (size_t i = count; i > 0; i--) {
		tally.of[verdicts[i - 1].verdict]++;
		tally.first[verdicts[i - 1].verdict] = &verdicts[i - 1];
	}
	return tally;
}

static void
breaker_note(struct route_state *state, enum breaker_change change, const char *why)
{
	int64_t left_out;

	switch (change) {
	case BREAKER_SAME:
		return;
	case BREAKER_OPENED:
		state->broken_since_ms = clock_wall_ms();
		memset(&state->breaker_gate, 0, sizeof(state->breaker_gate));
		/* fall through */
	case BREAKER_REOPENED:
		text_set(&state->broken_why, mem_string(why != NULL ? why : ""));
		if (log_gate_pass(&state->breaker_gate, GATE_MS, &left_out))
			log_warning("breaker-open", log_str("route", state->name),
			    log_str("why", why), log_num("left_out", left_out));
		return;
	case BREAKER_RECLOSED:
		log_warning("breaker-closed", log_str("route", state->name));
		return;
	}
}

static void
smtp_breaker_note(struct route_state *state, enum breaker_change change, const char *why)
{
	int64_t left_out;

	switch (change) {
	case BREAKER_SAME:
		return;
	case BREAKER_OPENED:
		memset(&state->smtp_breaker_gate, 0, sizeof(state->smtp_breaker_gate));
		/* fall through */
	case BREAKER_REOPENED:
		if (log_gate_pass(&state->smtp_breaker_gate, GATE_MS, &left_out))
			log_warning("breaker-open", log_str("route", state->name),
			    log_str("service", "smtp"), log_str("why", why),
			    log_num("left_out", left_out));
		return;
	case BREAKER_RECLOSED:
		log_warning(
		    "breaker-closed", log_str("route", state->name), log_str("service", "smtp"));
		return;
	}
}

/* A mail by SMTP moves the breaker of the rest only where it was its probe. */
static void
learn_failure(struct route_state *state, const struct route_lesson *lesson, const char *why)
{
	int64_t now_ms = clock_mono_ms();

	if (lesson->smtp)
		smtp_breaker_note(
		    state, breaker_failure(&state->smtp_breaker, lesson->smtp_probe, now_ms), why);
	if (!lesson->smtp || (lesson->probe && state->breaker.state == BREAKER_HALF_OPEN))
		breaker_note(state, breaker_failure(&state->breaker, lesson->probe, now_ms), why);
}

static void
learn_success(struct route_state *state, const struct route_lesson *lesson)
{
	if (lesson->smtp)
		smtp_breaker_note(state, breaker_success(&state->smtp_breaker), NULL);
	if (!lesson->smtp || (lesson->probe && state->breaker.state == BREAKER_HALF_OPEN))
		breaker_note(state, breaker_success(&state->breaker), NULL);
}

static void
throttled(struct route_state *state, const struct route_lesson *lesson)
{
	int64_t now_ms = clock_mono_ms();

	if (state->pace.not_before_ms <= now_ms)
		state->throttled_since_ms = clock_wall_ms();
	pace_throttled(&state->pace, lesson->started_ms, now_ms, lesson->answer->retry_after_ms);
}

static void
learn_storm(struct route_state *state, const struct route_lesson *lesson)
{
	const struct route_tally *tally = lesson->tally;
	enum verdict which = tally->of[VERDICT_WEATHER] > 0 ? VERDICT_WEATHER : VERDICT_UNSURE;

	learn_failure(state, lesson, tally->first[which]->message);
	if (lesson->answer->retry_after_ms >= 0)
		throttled(state, lesson);
	if (lesson->answer->end == POSTMARK_LOST)
		pace_shrink(&state->pace, lesson->count);
}

static void
learn_pace(struct route_state *state, const struct route_lesson *lesson)
{
	const struct postmark_answer *answer = lesson->answer;
	int64_t left_out;

	if (lesson->tally->of[VERDICT_THROTTLED] > 0) {
		throttled(state, lesson);
		if (log_gate_pass(&state->throttled_gate, GATE_MS, &left_out))
			log_warning("throttled", log_str("route", state->name),
			    log_num("retry_after_ms", answer->retry_after_ms),
			    log_num("window", (int64_t)state->pace.window),
			    log_num("left_out", left_out));
	} else if (lesson->tally->of[VERDICT_SPLIT] > 0) {
		pace_shrink(&state->pace, lesson->count);
	} else if (lesson->tally->of[VERDICT_SENT] > 0) {
		pace_answered(&state->pace, lesson->count, answer->elapsed_ms);
	}
}

static void
learn_operator(struct route_state *state, const struct route_lesson *lesson)
{
	const struct route_tally *tally = lesson->tally;

	/* Sent, refused or found faulty by itself: nothing is wrong with the route. */
	if (tally->of[VERDICT_SENT] > 0 ||
	    (tally->of[VERDICT_REFUSED] > 0 && tally->of[VERDICT_OPERATOR] == 0))
		pause_end(state);
	for (size_t i = 0; i < lesson->count && tally->of[VERDICT_OPERATOR] > 0; i++) {
		const struct item_verdict *verdict = &lesson->verdicts[i];

		if (verdict->verdict != VERDICT_OPERATOR)
			continue;
		if (tally->of[VERDICT_SENT] == 0)
			operator_wanted(state, verdict, lesson);
		if (!is_about_few(lesson, verdict))
			return;
	}
}

void
route_learn(struct route_state *state, const struct route_lesson *lesson)
{
	const struct route_tally *tally = lesson->tally;

	if (tally->of[VERDICT_SENT] > 0)
		state->last_success_ms = clock_wall_ms();
	/* The breaker: Postmark is there as soon as it judged one item. */
	if (tally->of[VERDICT_WEATHER] + tally->of[VERDICT_UNSURE] == lesson->count) {
		learn_storm(state, lesson);
	} else {
		learn_success(state, lesson);
		learn_pace(state, lesson);
		learn_operator(state, lesson);
	}
	if (state->paused && lesson->probe)
		state->probe_at_ms = clock_mono_ms() + state->probe_ms;
}

/* --- for people --------------------------------------------------------------------------- */

const char *
dispatch_route_mode_name(enum dispatch_route_mode mode)
{
	switch (mode) {
	case ROUTE_GOES:
		return "goes";
	case ROUTE_HELD:
		return "held";
	case ROUTE_PAUSED:
		return "paused";
	case ROUTE_BROKEN:
		return "broken";
	case ROUTE_THROTTLED:
		return "throttled";
	}
	return "unknown";
}

static int64_t
wall_of(int64_t mono_ms)
{
	return clock_wall_ms() + (mono_ms - clock_mono_ms());
}

/* What holds it back the longest comes first. */
void
route_describe(const struct route_state *state, struct dispatch_route_state *about)
{
	about->name = state->name;
	about->why = "";
	about->mode = ROUTE_GOES;
	about->since_ms = about->next_probe_ms = 0;
	about->window = (unsigned)state->pace.window;
	about->batch_items = state->pace.items;
	about->last_success_ms = state->last_success_ms;
	if (state->held) {
		about->mode = ROUTE_HELD;
		about->why = route_why(state);
		about->since_ms = state->held_since_ms;
	} else if (state->paused) {
		about->mode = ROUTE_PAUSED;
		about->why = route_why(state);
		about->since_ms = state->paused_since_ms;
		if (state->has_token)
			about->next_probe_ms = wall_of(state->probe_at_ms);
	} else if (state->breaker.state != BREAKER_CLOSED) {
		about->mode = ROUTE_BROKEN;
		about->why = state->broken_why;
		about->since_ms = state->broken_since_ms;
		if (state->breaker.state == BREAKER_OPEN)
			about->next_probe_ms = wall_of(state->breaker.until_ms);
	} else if (state->pace.not_before_ms > clock_mono_ms()) {
		about->mode = ROUTE_THROTTLED;
		about->why = "throttled by Postmark";
		about->since_ms = state->throttled_since_ms;
		about->next_probe_ms = wall_of(state->pace.not_before_ms);
	}
}
