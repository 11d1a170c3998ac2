#ifndef PMRELAY_PROGRAMS_FRONTS_H
#define PMRELAY_PROGRAMS_FRONTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "programs/commits.h"

struct event;
struct frame_explain;
struct loop;
struct mail;
struct refusal;

/*
 * The core's channels to its fronts: what they ask and say, checked as if it came from an enemy,
 * and what all of them are told.  A front that has asked for more than the disk has taken is not
 * read for a while.  Belongs to the core's loop.
 */
struct fronts;

struct fronts_params {
	struct loop *loop;
	/*
	 * A front wants these to be durable; taken.  Each is over with fronts_done(), and answered
	 * by fronts_answer(), in either order.
	 */
	void (*mails)(void *ctx, struct mail *, const struct commit_from *);
	void (*event)(void *ctx, struct event *, const struct commit_from *);
	void (*explained)(void *ctx, unsigned front, uint64_t serial, const char *json, size_t len);
	/* Its channel is over.  number: of the channel, as the supervisor knows it. */
	void (*lost)(void *ctx, unsigned front, int number, const char *why);
	void *ctx;
};

struct fronts *fronts_new(const struct fronts_params *);
void fronts_free(struct fronts **);
/* A channel of that number, taken: the one before it to the same front is given up. */
void fronts_connect(struct fronts *, int number, int fd);
unsigned fronts_count(const struct fronts *); /* that are there now */

/* What came of something, as for peer_committed().  False: the front has been replaced since. */
bool fronts_answer(const struct commit_from *, const struct refusal *answer_or_null);
void fronts_done(const struct commit_from *); /* it takes no memory here any more */
/* To some front: its number; -1: there is none. */
int fronts_explain(
    struct fronts *, uint64_t serial, const struct frame_explain *question, int content_fd);

/*
 * By what posts of webhooks are known (hooks_json()): told to all fronts, and to those that come.
 * Takes the bytes out of keys, which is empty afterwards; secret as they are, they are wiped.
 */
struct buf;
void fronts_tell_keys(struct fronts *, struct buf *keys);
/* The table of suppressed addresses, likewise; lent for the call. */
void fronts_tell_suppressions(struct fronts *, int table_fd);

#endif
