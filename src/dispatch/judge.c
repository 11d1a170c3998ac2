#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "postmark/client.h"
#include "postmark/verdict.h"

#include "dispatch/dispatch.h"
#include "dispatch/outcome.h"
#include "dispatch/route.h"
#include "dispatch/schedule.h"

#include "dispatch/judge.h"

static int64_t
retry_delay(const struct judge *judge, unsigned attempt)
{
	return schedule_delay_ms(attempt, judge->options->retry_least_ms,
	    judge->options->retry_most_ms, schedule_random(judge->random));
}

static char *
list_join(const struct strlist *list)
{
	size_t len = 1;
	char *joined, *end;

	if (list->count == 0)
		return NULL;
	for (size_t i = 0; i < list->count; i++)
		len += strlen(list->items[i]) + 2;
	joined = mem_new(len);
	end = joined;
	for (size_t i = 0; i < list->count; i++) {
		if (i > 0)
			end = stpcpy(end, ", ");
		end = stpcpy(end, list->items[i]);
	}
	return joined;
}

static void
item_log(const char *event, enum log_level level, const struct store_item *item,
    const struct item_verdict *verdict, int status, int64_t next_ms)
{
	log_at(level, event, log_str("item", item->id), log_num("try", item->attempt),
	    log_str("verdict", verdict_name(verdict->verdict)), log_num("status", status),
	    log_num("code", verdict->error_code), log_num("next_ms", next_ms),
	    log_str("why", verdict->message));
}

static void
outcome_waits(const struct judge *judge, const struct store_item *item,
    const struct item_verdict *verdict, int status, int64_t delay_ms, struct store_outcome *outcome)
{
	/* What came in is nowhere but here: its sender was told that it has arrived. */
	if (item->kind == ITEM_LOCAL && route_lifetime_over(judge->state, item, outcome->at_ms)) {
		outcome->to = ITEM_HELD;
		item_log("held", LOG_LEVEL_ERROR, item, verdict, status, 0);
		return;
	}
	if (route_lifetime_over(judge->state, item, outcome->at_ms)) {
		outcome->to = ITEM_FAILED;
		judge->counts->refused++;
		item_log("failed", LOG_LEVEL_WARNING, item, verdict, status, 0);
		return;
	}
	outcome->to = ITEM_WAITING;
	outcome->due_ms = outcome->at_ms + delay_ms;
	judge->counts->waiting++;
	item_log("waiting", LOG_LEVEL_WARNING, item, verdict, status, delay_ms);
}

static void
outcome_unsure(const struct judge *judge, const struct store_item *item,
    const struct item_verdict *verdict, int status, struct store_outcome *outcome)
{
	judge->counts->unsure++;
	switch (judge->options->unsure) {
	case UNSURE_RECONCILE:
		/* Due at once: settle.c asks, waits, and asks again. */
		outcome->to = ITEM_UNSURE;
		item_log("unsure", LOG_LEVEL_WARNING, item, verdict, status, 0);
		return;
	case UNSURE_RETRY:
		outcome_waits(
		    judge, item, verdict, status, retry_delay(judge, item->attempt), outcome);
		return;
	case UNSURE_HOLD:
		outcome->to = ITEM_HELD;
		item_log("held", LOG_LEVEL_ERROR, item, verdict, status, 0);
		return;
	}
}

/* inactive: lent to the outcome. */
static struct store_outcome
outcome_judged(const struct judge *judge, const struct store_item *item,
    const struct item_verdict *verdict, const struct postmark_answer *answer, const char *inactive)
{
	struct store_outcome outcome = outcome_of(item, ITEM_SENT);
	int64_t delay_ms;

	outcome.http_status = answer->end == POSTMARK_ANSWERED ? answer->status : 0;
	outcome.error_code = verdict->error_code;
	outcome.answer = verdict->message;
	outcome.inactive = inactive;
	switch (verdict->verdict) {
	case VERDICT_SENT:
		if (verdict->postmark_id[0] != '\0')
			outcome.postmark_id = verdict->postmark_id;
		judge->counts->sent++;
		log_info("sent", log_str("item", item->id),
		    log_str("postmark_id", outcome.postmark_id), log_num("ms", answer->elapsed_ms),
		    log_str("inactive", inactive));
		break;
	case VERDICT_REFUSED:
		judge->counts->refused++;
		if (item->kind == ITEM_LOCAL) {
			outcome.to = ITEM_HELD;
			outcome.refused = true;
			item_log("held", LOG_LEVEL_ERROR, item, verdict, answer->status, 0);
			break;
		}
		outcome.to = ITEM_FAILED;
		item_log("failed", LOG_LEVEL_WARNING, item, verdict, answer->status, 0);
		break;
	case VERDICT_OPERATOR:
		/* Beside a route that goes on, an item alone has no business to be tried each time.
		 */
		delay_ms = judge->state->paused ? 0 : retry_delay(judge, item->attempt);
		if (judge->options->probe_ms > delay_ms)
			delay_ms = judge->options->probe_ms;
		outcome_waits(judge, item, verdict, answer->status, delay_ms, &outcome);
		break;
	case VERDICT_THROTTLED:
		delay_ms = retry_delay(judge, item->attempt);
		if (answer->retry_after_ms > delay_ms)
			delay_ms = answer->retry_after_ms;
		outcome_waits(judge, item, verdict, answer->status, delay_ms, &outcome);
		break;
	case VERDICT_WEATHER:
		outcome_waits(judge, item, verdict, answer->status,
		    retry_delay(judge, item->attempt), &outcome);
		break;
	case VERDICT_OUR_FAULT:
	case VERDICT_SPLIT: /* not for one item alone, and halves were made of more */
		outcome.to = ITEM_HELD;
		item_log("held", LOG_LEVEL_ERROR, item, verdict, answer->status, 0);
		break;
	case VERDICT_UNSURE:
		outcome_unsure(judge, item, verdict, answer->status, &outcome);
		break;
	}
	return outcome;
}

struct outcomes *
judge_items(const struct judge *judge, struct store_item *items, size_t count,
    const struct item_verdict *verdicts, const struct postmark_answer *answer)
{
	struct outcomes *outcomes = outcomes_new(items, count);

	for (size_t i = 0; i < count; i++) {
		char *inactive = list_join(&verdicts[i].inactive);
		struct store_outcome outcome =
		    outcome_judged(judge, &items[i], &verdicts[i], answer, inactive);

		outcomes_set(outcomes, i, &outcome);
		free(inactive);
	}
	return outcomes;
}
