#include <string.h>

#include "base/clock.h"
#include "postmark/client.h"

#include "dispatch/route.h"

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
	pace_init(&state->pace, options->most_in_flight, options->most_batch_items,
	    options->batch_target_ms);
	breaker_init(&state->breaker, options->breaker_failures, options->probe_ms);
}

/* --- may something leave? ----------------------------------------------------------------- */

enum route_leave
route_may_leave(const struct route_state *state, unsigned in_flight, int64_t *until_ms_r)
{
	int64_t now_ms = clock_mono_ms();

	*until_ms_r = INT64_MAX;
	if (!state->has_token)
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
route_is_shut(const struct route_state *state)
{
	return state->paused || state->breaker.state != BREAKER_CLOSED;
}

/* --- pauses of ours ----------------------------------------------------------------------- */

static void
pause_begin(struct route_state *state, const struct item_verdict *verdict, int status)
{
	int64_t now_ms = clock_mono_ms(), left_out;

	state->probe_at_ms = now_ms + state->probe_ms;
	if (!state->paused) {
		state->paused = true;
		state->paused_at_ms = now_ms;
		pauses_begin(&state->pauses, clock_wall_ms());
		memset(&state->paused_gate, 0, sizeof(state->paused_gate));
	}
	if (log_gate_pass(&state->paused_gate, GATE_MS, &left_out))
		log_error("route-paused", log_str("route", state->name), log_num("status", status),
		    log_num("code", verdict->error_code),
		    log_num("for_ms", now_ms - state->paused_at_ms),
		    log_str("why", verdict->message), log_num("left_out", left_out));
}

static void
pause_end(struct route_state *state)
{
	state->senders_row = 0;
	if (!state->paused)
		return;
	state->paused = false;
	pauses_end(&state->pauses, clock_wall_ms());
	log_warning("route-resumed", log_str("route", state->name),
	    log_num("for_ms", clock_mono_ms() - state->paused_at_ms));
}

/*
 * Postmark wants an operator.  A wrong token or stream stops every mail of the route; a From that
 * is no signature may be one application's mistake, and would hold up all the others' mail each
 * time it is tried.  So answers of the second kind pause the route only when some have come in a
 * row, with nothing sent in between.
 */
static void
operator_wanted(struct route_state *state, const struct item_verdict *verdict, int status)
{
	if (verdict_code_is_one_senders(verdict->error_code)) {
		if (++state->senders_row < SENDERS_IN_A_ROW) {
			log_error("operator", log_str("route", state->name),
			    log_num("status", status), log_num("code", verdict->error_code),
			    log_str("why", verdict->message));
			return;
		}
		state->senders_row = SENDERS_IN_A_ROW;
	} else {
		state->senders_row = 0;
	}
	pause_begin(state, verdict, status);
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
		memset(&state->breaker_gate, 0, sizeof(state->breaker_gate));
		/* fall through */
	case BREAKER_REOPENED:
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
learn_storm(struct route_state *state, const struct route_lesson *lesson)
{
	const struct route_tally *tally = lesson->tally;
	enum verdict which = tally->of[VERDICT_WEATHER] > 0 ? VERDICT_WEATHER : VERDICT_UNSURE;
	int64_t now_ms = clock_mono_ms();

	breaker_note(state, breaker_failure(&state->breaker, lesson->probe, now_ms),
	    tally->first[which]->message);
	if (lesson->answer->retry_after_ms >= 0)
		pace_throttled(
		    &state->pace, lesson->started_ms, now_ms, lesson->answer->retry_after_ms);
	if (lesson->answer->end == POSTMARK_LOST)
		pace_shrink(&state->pace, lesson->count);
}

static void
learn_pace(struct route_state *state, const struct route_lesson *lesson)
{
	const struct postmark_answer *answer = lesson->answer;
	int64_t left_out;

	if (lesson->tally->of[VERDICT_THROTTLED] > 0) {
		pace_throttled(
		    &state->pace, lesson->started_ms, clock_mono_ms(), answer->retry_after_ms);
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
			operator_wanted(state, verdict, lesson->answer->status);
		if (!verdict_code_is_one_senders(verdict->error_code))
			return;
	}
}

void
route_learn(struct route_state *state, const struct route_lesson *lesson)
{
	const struct route_tally *tally = lesson->tally;

	/* The breaker: Postmark is there as soon as it judged one item. */
	if (tally->of[VERDICT_WEATHER] + tally->of[VERDICT_UNSURE] == lesson->count) {
		learn_storm(state, lesson);
	} else {
		breaker_note(state, breaker_success(&state->breaker), NULL);
		learn_pace(state, lesson);
		learn_operator(state, lesson);
	}
	if (state->paused && lesson->probe)
		state->probe_at_ms = clock_mono_ms() + state->probe_ms;
}
