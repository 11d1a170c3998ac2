#ifndef PMRELAY_CONTROL_FEED_H
#define PMRELAY_CONTROL_FEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mail/mail.h"

/*
 * What happened of late, in memory: the newest FEED_MOST events, numbered from 1.  The core's
 * thread adds, any thread reads; adding costs a copy, and wakes a reader only when one asked for
 * it.
 */
#define FEED_MOST 4096

struct feed;

struct feed_event {
	uint64_t number; /* given by feed_add() */
	int64_t at_ms;
	const char *kind; /* static: "accepted", "sent", "waiting", "held", "failed", "unsure",
			   * "released", "retried", "deleted", "route-held", "route-paused",
			   * "route-resumed", "reloaded" … */
	char item[ITEM_ID_SIZE]; /* or of a mail; "" if none */
	char route[64];
	char postmark_id[37];
	unsigned attempt;
	int http_status, error_code;
	char text[256]; /* recipients, reason or answer: for people, cut at a character */
};

struct feed *feed_new(void);
void feed_free(struct feed **);
void feed_add(struct feed *, const struct feed_event *);
/*
 * Copies up to most events with a number above after, oldest first, and tells how many were
 * overwritten before they were read.
 */
size_t feed_read(
    struct feed *, uint64_t after, struct feed_event *events, size_t most, uint64_t *missed_r);
uint64_t feed_last(struct feed *); /* the newest number; 0: none yet */
/* wake(ctx) runs once, from the adding thread, at the next feed_add(); to be armed again. */
void feed_arm(struct feed *, void (*wake)(void *ctx), void *ctx);

#endif
