#include <stddef.h>

#include "sandbox/reaction.h"

static const int event_minutes[] = { 1, 5, 10, 10, 10, 15 };
static const int inbound_minutes[] = { 1, 5, 10, 10, 10, 15, 30, 60, 120, 360 };

#define COUNT(array) ((unsigned)(sizeof(array) / sizeof((array)[0])))

enum reaction
reaction_to(bool inbound, int status)
{
	if (status == 200)
		return REACTION_DONE;
	if (status == 403)
		return REACTION_DROP;
	if (inbound || status < 200 || status >= 500 || status == 408 || status == 429)
		return REACTION_RETRY;
	if (status < 300)
		return REACTION_DONE;
	/* A redirection that leads nowhere, or too far, may lead somewhere another time. */
	return status < 400 ? REACTION_RETRY : REACTION_DROP;
}

bool
reaction_follows(bool inbound, int status)
{
	return !inbound && status >= 300 && status < 400;
}

unsigned
reaction_retries(bool inbound)
{
	return inbound ? COUNT(inbound_minutes) : COUNT(event_minutes);
}

int64_t
reaction_delay_ms(bool inbound, unsigned retry, int64_t speed)
{
	if (retry >= reaction_retries(inbound))
		return -1;
	return 60000LL * (inbound ? inbound_minutes[retry] : event_minutes[retry]) / speed;
}
