#ifndef PMRELAY_DISPATCH_PACE_H
#define PMRELAY_DISPATCH_PACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * How much goes out at once: the window (requests in flight) and the batch size of one route.
 * Pure: the time is given.
 *
 * The window begins full, since Postmark publishes no limit; a 429 halves it, and each window's
 * worth of good answers adds one (AIMD, as in TCP).  The batch size follows what answers take: 500
 * heavy messages in one call overrun timeouts in practice, and small ones may well be sent so.
 */
struct pace {
	unsigned most_window;
	double window;
	unsigned most_items;
	unsigned items; /* batch size */
	int64_t target_ms;
	int64_t cut_at_ms;	/* when the window was halved last */
	int64_t not_before_ms;	/* nothing leaves before */
	unsigned throttled_row; /* windows halved in a row without a good answer */
};

void pace_init(struct pace *, unsigned most_window, unsigned most_items, int64_t target_ms);

bool pace_has_room(const struct pace *, unsigned in_flight);

/* A good answer to a request of count items. */
void pace_answered(struct pace *, size_t count, int64_t elapsed_ms);
/*
 * A 429, to a request that left at started_ms.  retry_after_ms: -1 when Postmark did not say; the
 * route then rests for a second, doubled for each 429 in a row, up to a minute.
 */
void pace_throttled(struct pace *, int64_t started_ms, int64_t now_ms, int64_t retry_after_ms);
void pace_rest_over(struct pace *); /* the rest after a 429 */
/* A request of count items was too large or too slow. */
void pace_shrink(struct pace *, size_t count);

#endif
