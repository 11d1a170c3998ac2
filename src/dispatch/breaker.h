#ifndef PMRELAY_DISPATCH_BREAKER_H
#define PMRELAY_DISPATCH_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

/*
 * A circuit breaker, so that an outage does not cost every item an attempt: after some failures in
 * a row nothing goes out, but for one request now and then that finds out whether it is over.
 * Pure: the time is given.
 */
enum breaker_state {
	BREAKER_CLOSED,	   /* all is well */
	BREAKER_OPEN,	   /* nothing goes out before until_ms */
	BREAKER_HALF_OPEN, /* one request is out to see */
};

struct breaker {
	enum breaker_state state;
	unsigned most_failures; /* in a row */
	unsigned failures;
	int64_t wait_ms;
	int64_t until_ms;
};

void breaker_init(struct breaker *, unsigned most_failures, int64_t wait_ms);

enum breaker_leave {
	BREAKER_GO,
	BREAKER_PROBE, /* one request with one item, announced by breaker_probe() */
	BREAKER_WAIT,  /* until *until_ms_r, INT64_MAX: until the probe is back */
};
enum breaker_leave breaker_ask(const struct breaker *, int64_t now_ms, int64_t *until_ms_r);
void breaker_probe(struct breaker *);
void breaker_try_now(struct breaker *, int64_t now_ms); /* an open one waits no longer */

/* What a request has told.  The answer: did the breaker open, or close, by this? */
enum breaker_change {
	BREAKER_SAME,
	BREAKER_OPENED,
	BREAKER_REOPENED, /* the probe failed */
	BREAKER_RECLOSED,
};
enum breaker_change breaker_success(struct breaker *);
/* probe: it was the one announced.  Late failures of others do not move an open breaker. */
enum breaker_change breaker_failure(struct breaker *, bool probe, int64_t now_ms);

#endif
