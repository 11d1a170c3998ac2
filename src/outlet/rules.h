#ifndef PMRELAY_OUTLET_RULES_H
#define PMRELAY_OUTLET_RULES_H

#include <stdint.h>

/* Small rules of outlets.  Pure. */

/*
 * How long to wait after that many attempts (1…) that failed: least, doubled for each further one
 * up to most, and of that three quarters to all, by chance (0 to UINT16_MAX).
 */
int64_t rule_wait_ms(unsigned tries, int64_t least_ms, int64_t most_ms, uint16_t chance);

/* wait, or longer, if the other side has asked for that; but no longer than the event is tried. */
int64_t rule_pause_ms(int64_t wait_ms, int64_t asked_ms, int64_t left_ms);

enum rule_answer {
	RULE_TAKEN,
	RULE_AGAIN,
	RULE_DROP, /* it will never be taken */
};
/* What the status of an HTTP answer means; 0: there was none. */
enum rule_answer rule_answer(long status);

#endif
