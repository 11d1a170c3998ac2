#ifndef PMRELAY_DISPATCH_DISPATCH_H
#define PMRELAY_DISPATCH_DISPATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dispatch_event;
struct loop;
struct postmark_client;
struct secret;
struct store;

/*
 * Takes due items out of the store and brings them to Postmark: alone when the queue is quiet,
 * in batches while requests are outstanding; records a verdict for each.  One breaker, window and
 * batch size per route (that is, per token).  Items of the kind ITEM_SMTP go by the client's SMTP,
 * each in a transaction of its own, under the same rules, but with a breaker of their own for each
 * route; where that cannot be, they are held.
 */
struct dispatch;

/* Searches at once, of all routes: connections beside most_in_flight that a client should have. */
#define DISPATCH_SEARCHES 4

struct dispatch_options {
	unsigned most_in_flight;   /* requests at once, per route */
	unsigned most_batch_items; /* 1 to 500 */
	uint64_t most_batch_bytes; /* of a request body; Postmark's limit is 50 MB */
	int64_t batch_target_ms;   /* batch size adapts so that an answer takes about this long */
	int64_t single_timeout_ms; /* /email: 60 s or more */
	int64_t batch_timeout_ms;  /* /email/batch: 180 s */
	int64_t retry_least_ms;    /* first wait after weather; doubles, with jitter */
	int64_t retry_most_ms;
	int64_t queue_lifetime_ms;  /* 5 days; stands still while the route is paused by us */
	int64_t probe_ms;           /* how often a paused or broken route is tried with one item */
	int64_t settle_ms;          /* how long Postmark's search may lag behind */
	unsigned breaker_failures;  /* weather in a row that opens the breaker */
	uint64_t most_memory_bytes; /* of payloads in memory, per route; 0: 32 MB.  Claims end when
				     * it is reached, so one claim may go beyond it */
	enum dispatch_unsure {
		UNSURE_RECONCILE, /* search Postmark for the relay-id, send again when it is not
				     there */
		UNSURE_RETRY,     /* send again: may be sent twice */
		UNSURE_HOLD,      /* an operator decides */
	} unsure;
};

/*
 * Where the items of a route go that Postmark gets nothing of: mails that came in, of the kind
 * ITEM_LOCAL, each to one recipient.  One of the two, lent for life; both end after the dispatcher.
 * Nothing of it fails: what is refused is held, and so is what is too old.  What is unsure goes
 * again, since there is nobody to be asked.
 */
struct deliver;
struct smtp;
struct dispatch_local {
	struct deliver *deliver;
	struct smtp *smtp;
	int64_t timeout_ms; /* by smtp */
	unsigned parallel;
};

struct dispatch_route {
	const char *name;           /* as in struct mail; copied */
	const struct secret *token; /* lent for life; NULL: the route is paused (operator) */
	const char *message_stream; /* for search; copied */
	struct dispatch_local local; /* neither: the route goes to Postmark */
	bool gone; /* without a token, because the configuration has it no longer: for people */
};

struct dispatch_params {
	struct loop *loop;
	struct store *store;
	struct postmark_client *client;
	const struct dispatch_route *routes;
	size_t route_count;
	const struct dispatch_options *options; /* copied */
	uint64_t seed;                          /* of the jitter */
	/*
	 * Something happened that people may want to follow: an outcome that is durable now (item
	 * and outcome; route is the item's), or a route that stands or goes again (item NULL).
	 * Lent for the call.  May be NULL.
	 */
	void (*report)(void *ctx, const struct dispatch_event *);
	void *ctx;
};

struct store_item;
struct store_outcome;
struct dispatch_event {
	const char *route;
	const struct store_item *item;
	const struct store_outcome *outcome;
	const char *why; /* of a route: "paused by root: …", "token refused", "resumed" */
	bool stands;     /* of a route */
};

struct dispatch *dispatch_new(const struct dispatch_params *);
void dispatch_wake(struct dispatch *); /* something became due */
/*
 * What holds a route back by itself (breakers, pauses of ours, the rest after a 429) is not waited
 * for: the next request goes out at once.  An operator's hold stays.
 */
void dispatch_flush(struct dispatch *);

/*
 * An operator stops a route, or lets it go again: then a pause of our own ends as well, and the
 * next request goes out at once.  Durable (store_route_set) and known at the next start.  by: for
 * people and the log.  done(ctx, result) may be NULL; it runs once, after dispatch_free(), too, or
 * within it, unless the store is closed first.  -1: there is no such route, and done does not run.
 */
int dispatch_route_hold(struct dispatch *, const char *route, bool hold, const char *by,
    void (*done)(void *ctx, int store_result), void *ctx);

/* How a route is, for people.  Texts are lent until the loop's next turn. */
struct dispatch_route_state {
	const char *name, *message_stream;
	enum dispatch_route_mode {
		ROUTE_GOES,
		ROUTE_HELD,      /* by an operator */
		ROUTE_PAUSED,    /* by us: an operator must act; probed */
		ROUTE_BROKEN,    /* the breaker is open: weather */
		ROUTE_THROTTLED, /* waits out a 429 */
	} mode;
	const char *why;       /* "" when it goes */
	int64_t since_ms;      /* wall clock; 0 when it goes */
	int64_t next_probe_ms; /* wall clock; 0: none */
	unsigned in_flight, window, batch_items;
	int64_t last_success_ms;                           /* wall clock; 0: none since start */
	uint64_t sent, refused, waiting, unsure, requests; /* since start */
};
size_t dispatch_route_count(const struct dispatch *);
void dispatch_route_read(const struct dispatch *, size_t index, struct dispatch_route_state *);
const char *dispatch_route_mode_name(enum dispatch_route_mode); /* "goes", "held", … */
/* Claims no more; done(ctx) once nothing is in flight and all outcomes are durable. */
void dispatch_drain(struct dispatch *, void (*done)(void *ctx), void *ctx);
void dispatch_free(struct dispatch **); /* requests in flight are cut: their items end up unsure */

struct dispatch_counts {
	uint64_t requests, batches, sent, refused, waiting, unsure;
	unsigned in_flight;
};
void dispatch_count(const struct dispatch *, struct dispatch_counts *);

#endif
