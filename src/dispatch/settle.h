#ifndef PMRELAY_DISPATCH_SETTLE_H
#define PMRELAY_DISPATCH_SETTLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dispatch_options;
struct loop;
struct outcomes;
struct postmark_client;
struct route_state;
struct secret;
struct store;

/*
 * The unsure items of one route: their request went out and no answer came.  Postmark has no key
 * that would make a second POST harmless, but every item carries its id in Metadata.  So Postmark
 * is asked for it; when it knows nothing, once more after settle_ms, since its search lags behind
 * what it accepts; and only then the item goes out again.  With unsure = retry or hold nothing is
 * asked and the items go where the operator wants them.
 */
struct settle;

struct settle_hooks {
	void (*waiting)(void *ctx); /* an item has become due for sending; durable */
	void (*durable)(void *ctx, const struct outcomes *); /* what became of some; lent */
	void (*idle)(void *ctx);    /* settle_idle() has become true while draining */
};

struct settle_params {
	struct loop *loop;
	struct store *store;
	struct postmark_client *client;
	const char *route;			/* lent for life, like the rest */
	bool is_test; /* the token sends nothing and is none for questions: what is unsure goes
		       * again, whatever the options say */
	bool is_local; /* there is nobody to be asked: as with is_test */
	const struct secret *token;		/* NULL: nothing is asked */
	const char *message_stream;
	const struct dispatch_options *options;
	const struct route_state *state;	/* of the route, for the lifetimes */
	uint64_t *random; /* state of schedule_random() */
	const struct settle_hooks *hooks;
	void *ctx;
};

struct settle *settle_new(const struct settle_params *); /* it rests */
void settle_wake(struct settle *); /* something has become due */
void settle_hint(struct settle *); /* something may have: looked into within a second */
/* While it rests nothing is claimed and nothing asked; what is asked at that moment ends. */
void settle_rest(struct settle *, bool rests);
void settle_flush(struct settle *); /* a wait after searches that failed is over */
void settle_drain(struct settle *); /* claims no more; what is asked now goes back */
bool settle_idle(const struct settle *); /* nothing claimed, and all outcomes durable */
/* What is claimed goes back to the store. */
void settle_free(struct settle **);

#endif
