#include <string.h>

#include "dispatch/breaker.h"

void
breaker_init(struct breaker *breaker, unsigned most_failures, int64_t wait_ms)
{
	memset(breaker, 0, sizeof(*breaker));
	breaker->state = BREAKER_CLOSED;
	breaker->most_failures = most_failures > 0 ? most_failures : 1;
	breaker->wait_ms = wait_ms;
}

enum breaker_leave
breaker_ask(const struct breaker *breaker, int64_t now_ms, int64_t *until_ms_r)
{
	*until_ms_r = now_ms;
	switch (breaker->state) {
	case BREAKER_CLOSED:
		return BREAKER_GO;
	case BREAKER_OPEN:
		if (now_ms >= breaker->until_ms)
			return BREAKER_PROBE;
		*until_ms_r = breaker->until_ms;
		return BREAKER_WAIT;
	case BREAKER_HALF_OPEN:
		*until_ms_r = INT64_MAX;
		return BREAKER_WAIT;
	}
	return BREAKER_GO;
}

void
breaker_probe(struct breaker *breaker)
{
	if (breaker->state == BREAKER_OPEN)
		breaker->state = BREAKER_HALF_OPEN;
}

void
breaker_try_now(struct breaker *breaker, int64_t now_ms)
{
	if (breaker->state == BREAKER_OPEN && breaker->until_ms > now_ms)
		breaker->until_ms = now_ms;
}

enum breaker_change
breaker_success(struct breaker *breaker)
{
	enum breaker_state before = breaker->state;

	breaker->state = BREAKER_CLOSED;
	breaker->failures = 0;
	return before == BREAKER_CLOSED ? BREAKER_SAME : BREAKER_RECLOSED;
}

enum breaker_change
breaker_failure(struct breaker *breaker, bool probe, int64_t now_ms)
{
	bool was_closed = breaker->state == BREAKER_CLOSED;

	if (!was_closed && !probe)
		return BREAKER_SAME;
	if (was_closed && ++breaker->failures < breaker->most_failures)
		return BREAKER_SAME;
	breaker->state = BREAKER_OPEN;
	breaker->until_ms = now_ms + breaker->wait_ms;
	return was_closed ? BREAKER_OPENED : BREAKER_REOPENED;
}
