#ifndef PMRELAY_PROGRAMS_SUPPRESSIONS_H
#define PMRELAY_PROGRAMS_SUPPRESSIONS_H

#include <stddef.h>
#include <stdint.h>

struct event;
struct loop;
struct store;
struct strlist;
struct suppression;

/*
 * The core's copy of the suppressed addresses that the spool keeps, and the table of them for the
 * fronts, which is made at most once a second.  Both go by suppression_replaces(), so they agree,
 * in whatever order events, lists and operators come.
 */
struct suppressions;

struct suppressions_params {
	struct loop *loop;
	struct store *store;
	void (*publish)(void *ctx, int table_fd); /* a sealed memfd, lent for the call */
	void *ctx;
};

struct suppressions *suppressions_new(const struct suppressions_params *);
void suppressions_free(struct suppressions **); /* after the store */

/* The last table.  -1: there is none yet.  Lent. */
int suppressions_table(const struct suppressions *);

/* What a durable event said, which the store has changed the list by already. */
void suppressions_event(struct suppressions *, const struct event *);

/* What Postmark has for one stream (connection and stream of the list's are these).  asked_ms, wall
 * clock: what happened after it, or a little before, is newer than the list. */
struct suppressions_synced {
	uint64_t added, lifted;
};
struct suppressions_synced suppressions_sync(struct suppressions *, const char *connection,
    const char *stream, const struct suppression *list, size_t count, int64_t asked_ms);

/* What an operator has just done at Postmark. */
void suppressions_change(struct suppressions *, const char *connection, const char *stream,
    const struct suppression *add, size_t add_count, const struct strlist *lift);

/* Forgets what was lifted before that time. */
void suppressions_purge(struct suppressions *, int64_t lifted_before_ms);

/* All entries of an address: an array for the caller, to be freed by suppression_list_free(). */
struct suppression *suppressions_find(
    const struct suppressions *, const char *address, size_t *count_r);

#endif
