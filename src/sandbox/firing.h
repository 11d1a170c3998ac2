#ifndef PMRELAY_SANDBOX_FIRING_H
#define PMRELAY_SANDBOX_FIRING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "sandbox/webhooks.h"

struct api_wait;
struct loop;
struct poster;
struct state;

/*
 * The queue of events: each waits until it is due, is posted to its webhook, and is posted again
 * as the retry table says.  What is over stays to be looked at, the oldest forgotten beyond a
 * count.  How it goes is said by the state's struct event_settings at the time of each post.
 */
struct firing;

/* Posts are made by poster.  Both pointers are lent for the life of the queue. */
struct firing *firing_new(struct loop *, struct state *, struct poster *poster);
void firing_free(struct firing **);
void firing_clear(struct firing *); /* forgets all, what is under way included */

/* ---- what to fire ---- */

#define FIRING_INBOUND "Inbound" /* kind of a mail for the inbound hook */

/* Figures of a group of events; lent until none of them is pending. */
struct firing_meter {
	uint64_t made;
	uint64_t posts;
	uint64_t answered_200;
	uint64_t retried;
	uint64_t done;
	uint64_t dropped;
	int64_t ended_us; /* clock_mono_us() of the last answer */
	uint32_t *latencies_us;
	size_t latency_count, latency_room;
};

struct firing_event {
	const char *kind; /* lent for ever */
	enum webhook_trigger trigger;
	int64_t server;
	int64_t webhook;            /* 0: the server's inbound hook */
	const char *message;        /* MessageID; NULL: none */
	const char *recipient;      /* NULL: none */
	char *body;                 /* taken */
	bool at_once;               /* no delay, and none of what delays and repeats */
	struct firing_meter *meter; /* NULL: none */
};

/* NULL firing is fine: nobody fires, and the body is freed. */
void firing_add(struct firing *, const struct firing_event *);

/* deed(state, ...) runs from the loop after that time, unless all is forgotten before. */
typedef void firing_deed_fn(struct state *, const char *message, const char *recipient);
void firing_later(struct firing *, int64_t after_ms, firing_deed_fn *, const char *message,
    const char *recipient);

/*
 * Asked when a post could be made and nothing is due: adds something that is due at once, or
 * returns false and is not asked again.
 */
void firing_set_source(struct firing *, bool (*source)(void *ctx), void *ctx);
void firing_set_parallel(struct firing *, size_t); /* instead of what is set; 0: as set */

/* What waits is due now, delays and retries alike. */
void firing_hurry(struct firing *);

/* ---- what was fired ---- */

size_t firing_pending(const struct firing *);
json_t *firing_counts_json(const struct firing *);

struct firing_query {
	const char *state; /* "pending", "done", "dropped"; NULL: any, as for those below */
	const char *kind;
	const char *message;
	size_t limit;
	size_t offset;
};
/* In the order in which they were made; total_r: how many there are. */
json_t *firing_list_json(const struct firing *, const struct firing_query *, size_t *total_r);

/* An answer with the counts, once nothing is pending or that time is over. */
struct api_wait *firing_wait_new(struct firing *, int64_t most_ms);

#endif
