#include <string.h>

#include "dispatch/pace.h"

#define FIRST_ITEMS   50U
#define REST_MS       INT64_C(1000)
#define MOST_DOUBLING 6U /* 64 s */
#define MOST_REST_MS  INT64_C(60000)

void
pace_init(struct pace *pace, unsigned most_window, unsigned most_items, int64_t target_ms)
{
	memset(pace, 0, sizeof(*pace));
	pace->most_window = most_window > 0 ? most_window : 1;
	pace->window = pace->most_window;
	pace->most_items = most_items > 0 ? most_items : 1;
	pace->items = pace->most_items < FIRST_ITEMS ? pace->most_items : FIRST_ITEMS;
	pace->target_ms = target_ms > 0 ? target_ms : 1;
	pace->cut_at_ms = INT64_MIN;
	pace->not_before_ms = INT64_MIN;
}

bool
pace_has_room(const struct pace *pace, unsigned in_flight)
{
	return in_flight < (unsigned)pace->window;
}

void
pace_answered(struct pace *pace, size_t count, int64_t elapsed_ms)
{
	pace->throttled_row = 0;
	pace->window += 1.0 / pace->window;
	if (pace->window > pace->most_window)
		pace->window = pace->most_window;

	if (elapsed_ms > pace->target_ms) {
		pace_shrink(pace, count);
	} else if (count >= pace->items && elapsed_ms < pace->target_ms / 2) {
		/* Only a full batch shows what a full batch takes. */
		unsigned grown = pace->items + pace->items / 2 + 1;

		pace->items = grown < pace->most_items ? grown : pace->most_items;
	}
}

void
pace_shrink(struct pace *pace, size_t count)
{
	/* A slow single message tells nothing about batches. */
	if (count > 1 && count / 2 < pace->items)
		pace->items = (unsigned)(count / 2);
}

void
pace_throttled(struct pace *pace, int64_t started_ms, int64_t now_ms, int64_t retry_after_ms)
{
	int64_t rest_ms = retry_after_ms;

	/* Requests that were out together tell of the same jam: it counts once. */
	if (started_ms >= pace->cut_at_ms) {
		pace->window /= 2;
		if (pace->window < 1)
			pace->window = 1;
		pace->cut_at_ms = now_ms;
		if (pace->throttled_row <= MOST_DOUBLING)
			pace->throttled_row++;
	}
	if (rest_ms < 0) {
		rest_ms = REST_MS << (pace->throttled_row > 0 ? pace->throttled_row - 1 : 0);
		if (rest_ms > MOST_REST_MS)
			rest_ms = MOST_REST_MS;
	}
	if (now_ms + rest_ms > pace->not_before_ms)
		pace->not_before_ms = now_ms + rest_ms;
}

void
pace_rest_over(struct pace *pace)
{
	pace->not_before_ms = INT64_MIN;
}
