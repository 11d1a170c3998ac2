#ifndef PMRELAY_SANDBOX_REACTION_H
#define PMRELAY_SANDBOX_REACTION_H

#include <stdbool.h>
#include <stdint.h>

/* What Postmark makes of the answer to a webhook's post, and when it tries again.  Pure. */
enum reaction {
	REACTION_DONE,
	REACTION_RETRY,
	REACTION_DROP,
};

#define REACTION_MOST_REDIRECTS 10

/* inbound: of the inbound hook, which reads 200 literally.  status 0: no answer came. */
enum reaction reaction_to(bool inbound, int status);
/* A 3xx with a place to go to is followed, up to REACTION_MOST_REDIRECTS times. */
bool reaction_follows(bool inbound, int status);

unsigned reaction_retries(bool inbound); /* in the whole table */
/* Until the retry, the first being 0; a minute is speed times as short.  -1: there is none. */
int64_t reaction_delay_ms(bool inbound, unsigned retry, int64_t speed);

#endif
