#include "outlet/rules.h"

int64_t
rule_wait_ms(unsigned tries, int64_t least_ms, int64_t most_ms, uint16_t chance)
{
	int64_t wait = least_ms;

	for (unsigned i = 1; i < tries && wait < most_ms; i++)
		wait *= 2;
	if (wait > most_ms)
		wait = most_ms;
	return wait - wait / 4 * chance / UINT16_MAX;
}

int64_t
rule_pause_ms(int64_t wait_ms, int64_t asked_ms, int64_t left_ms)
{
	int64_t pause = asked_ms > wait_ms ? asked_ms : wait_ms;

	if (left_ms < 0)
		left_ms = 0;
	return pause < left_ms ? pause : left_ms;
}

enum rule_answer
rule_answer(long status)
{
	if (status >= 200 && status < 300)
		return RULE_TAKEN;
	if (status == 407 || status == 408 || status == 425 || status == 429)
		return RULE_AGAIN; /* a proxy's word; and what says itself that it passes */
	return status >= 400 && status < 500 ? RULE_DROP : RULE_AGAIN;
}
