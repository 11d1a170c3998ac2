#include <string.h>

#include "dispatch/schedule.h"

int64_t
schedule_delay_ms(unsigned attempt, int64_t least_ms, int64_t most_ms, uint64_t random)
{
	int64_t delay_ms = least_ms > 0 ? least_ms : 1;

	if (most_ms < delay_ms)
		most_ms = delay_ms;
	for (unsigned i = 1; i < attempt && delay_ms < most_ms; i++)
		delay_ms = delay_ms > most_ms / 2 ? most_ms : delay_ms * 2;
	return delay_ms - (int64_t)(random % ((uint64_t)delay_ms / 2 + 1));
}

void
pauses_begin(struct pauses *pauses, int64_t now_ms)
{
	if (pauses->open)
		return;
	pauses->open = true;
	pauses->open_from_ms = now_ms;
}

void
pauses_end(struct pauses *pauses, int64_t now_ms)
{
	if (!pauses->open)
		return;
	pauses->open = false;
	if (now_ms <= pauses->open_from_ms)
		return; /* the wall clock went back */
	if (pauses->count == PAUSES_MOST) {
		/* The two oldest become one, with the time between them. */
		pauses->ended[1].from_ms = pauses->ended[0].from_ms;
		memmove(&pauses->ended[0], &pauses->ended[1],
		    (PAUSES_MOST - 1) * sizeof(pauses->ended[0]));
		pauses->count--;
	}
	pauses->ended[pauses->count].from_ms = pauses->open_from_ms;
	pauses->ended[pauses->count].to_ms = now_ms;
	pauses->count++;
}

bool
schedule_lifetime_over(
    const struct pauses *pauses, int64_t since_ms, int64_t now_ms, int64_t lifetime_ms)
{
	int64_t age_ms = now_ms - since_ms;

	if (pauses->open)
		return false;
	for (size_t i = 0; i < pauses->count; i++) {
		const struct pause *pause = &pauses->ended[i];
		int64_t from_ms = pause->from_ms > since_ms ? pause->from_ms : since_ms;
		int64_t to_ms = pause->to_ms < now_ms ? pause->to_ms : now_ms;

		if (to_ms > from_ms)
			age_ms -= to_ms - from_ms;
	}
	return age_ms >= lifetime_ms;
}

void
pauses_restore(struct pauses *pauses, int64_t stood_ms, int64_t open_from_ms, int64_t now_ms)
{
	int64_t end_ms = open_from_ms > 0 && open_from_ms < now_ms ? open_from_ms : now_ms;

	memset(pauses, 0, sizeof(*pauses));
	if (stood_ms > 0 && stood_ms < end_ms) {
		pauses->ended[0].from_ms = end_ms - stood_ms;
		pauses->ended[0].to_ms = end_ms;
		pauses->count = 1;
	}
	if (open_from_ms > 0)
		pauses_begin(pauses, end_ms);
}

int64_t
pauses_sum_ms(const struct pauses *pauses)
{
	int64_t sum_ms = 0;

	for (size_t i = 0; i < pauses->count; i++)
		sum_ms += pauses->ended[i].to_ms - pauses->ended[i].from_ms;
	return sum_ms;
}

bool
pauses_forget(struct pauses *pauses, int64_t now_ms, int64_t lifetime_ms)
{
	size_t gone = 0;

	/* It helps items from before its end, and they are all too old without it. */
	while (gone < pauses->count &&
	       schedule_lifetime_over(pauses, pauses->ended[gone].to_ms, now_ms, lifetime_ms))
		gone++;
	if (gone == 0)
		return false;
	pauses->count -= gone;
	memmove(&pauses->ended[0], &pauses->ended[gone], pauses->count * sizeof(pauses->ended[0]));
	return true;
}

uint64_t
schedule_random(uint64_t *state)
{
	uint64_t bits = *state += UINT64_C(0x9E3779B97F4A7C15);

	bits = (bits ^ (bits >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	bits = (bits ^ (bits >> 27)) * UINT64_C(0x94D049BB133111EB);
	return bits ^ (bits >> 31);
}
