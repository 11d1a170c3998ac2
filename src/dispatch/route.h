#ifndef PMRELAY_DISPATCH_ROUTE_H
#define PMRELAY_DISPATCH_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "postmark/verdict.h"
#include "store/store.h"

#include "dispatch/breaker.h"
#include "dispatch/dispatch.h"
#include "dispatch/pace.h"
#include "dispatch/schedule.h"

struct postmark_answer;

/*
 * How a route is: whether something may leave, and what each answer tells about that.  No
 * requests, no timers and no store; the time is base/clock's.
 */
struct route_state {
	const char *name; /* lent for life */
	int64_t probe_ms, lifetime_ms;
	bool has_token;
	bool gone;  /* set after init: no token, for there is no such route any more */
	bool known; /* what the store keeps of it has been read; nothing leaves before */
	struct pace pace;
	int64_t throttled_since_ms; /* this and the other _since_ms: wall clock */
	int64_t last_success_ms;

	struct breaker breaker;
	int64_t broken_since_ms;
	char *broken_why;
	/* Of what goes by SMTP: a port that a firewall closes is no weather of the API's, which has
	 * most of the mail. */
	struct breaker smtp_breaker;

	/* By an operator. */
	bool held;
	int64_t held_since_ms;
	char *held_why;

	/* Paused by us: an operator must act. */
	bool paused;
	int64_t paused_since_ms;
	char *paused_why;
	int64_t probe_at_ms;  /* monotonic */
	unsigned senders_row; /* see operator_wanted() in route.c */

	struct pauses pauses; /* held or paused */
	struct log_gate paused_gate, breaker_gate, smtp_breaker_gate, throttled_gate;
};

void route_state_init(
    struct route_state *, const char *name, bool has_token, const struct dispatch_options *);
void route_state_deinit(struct route_state *);

/* What the store keeps of it: once, before anything leaves.  NULL: nothing. */
void route_restore(struct route_state *, const struct store_route *);
/* What it is to keep; texts are lent until the state changes. */
void route_record(const struct route_state *, struct store_route *);

/* An operator's word.  Letting it go ends whatever else holds it back, as route_flush() does. */
void route_hold(struct route_state *, bool hold, const char *by);
/* A pause of ours and the breaker are tried at once, and the rest after a 429 is over. */
void route_flush(struct route_state *);
bool route_stands(const struct route_state *);     /* held or paused */
const char *route_why(const struct route_state *); /* it stands */

bool route_lifetime_over(const struct route_state *, const struct store_item *, int64_t now_ms);

void route_describe(const struct route_state *, struct dispatch_route_state *);

enum route_leave {
	ROUTE_LEAVE,
	ROUTE_PROBE, /* one item, to see */
	ROUTE_SIEVE, /* a batch, to see whether some of it is taken */
	ROUTE_WAIT,  /* until *until_ms_r (monotonic); INT64_MAX: until an answer is in */
};
enum route_leave route_may_leave(
    const struct route_state *, unsigned in_flight, int64_t *until_ms_r);
/*
 * For a mail that goes by SMTP, once route_may_leave() has said that something may.  False: not
 * before *until_ms_r (monotonic).  *probe_r: it is the one that finds out.
 */
bool route_smtp_may_leave(struct route_state *, int64_t *until_ms_r, bool *probe_r);
/* What has been claimed goes back rather than to wait for the route. */
bool route_is_shut(const struct route_state *);

/* What an answer tells about the route, by the verdicts of all its items. */
struct route_tally {
	size_t of[VERDICT_COUNT];
	const struct item_verdict *first[VERDICT_COUNT];
};
struct route_tally route_tally(const struct item_verdict *verdicts, size_t count);

struct route_lesson {
	const struct item_verdict *verdicts;
	size_t count;
	const struct route_tally *tally;
	const struct postmark_answer *answer;
	int64_t started_ms; /* of the request; monotonic */
	bool probe;
	bool smtp; /* the answer is of Postmark's SMTP service, its status a reply code */
	bool smtp_probe;
};
void route_learn(struct route_state *, const struct route_lesson *);

#endif
