#ifndef PMRELAY_PROGRAMS_EVENTS_H
#define PMRELAY_PROGRAMS_EVENTS_H

#include <stdbool.h>

#include "store/store.h"

#include "programs/commits.h"

struct event;
struct refusal;

/*
 * What fronts bring from webhooks, from there to the answer that lets them say 200: when it is
 * durable.  Belongs to the core's loop.
 */
struct events;

struct events_params {
	struct store *store;
	/* Durable, and new: not for repeats. */
	void (*stored)(void *ctx, const struct event *, const struct store_event_done *);
	/* The spool did not take it. */
	void (*failed)(void *ctx, enum store_result);
	/* What the front is told, once for each events_ask(); NULL: it is durable. */
	void (*answer)(void *ctx, const struct commit_from *, const struct refusal *answer_or_null);
	void *ctx;
};

struct events *events_new(const struct events_params *);
void events_free(struct events **); /* after store_close() */
/* Takes the event. */
void events_ask(struct events *, struct event *, const struct commit_from *);

#endif
