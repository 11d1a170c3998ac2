#ifndef PMRELAY_PROGRAMS_COMMITS_H
#define PMRELAY_PROGRAMS_COMMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/store.h"

struct loop;
struct refusal;

/*
 * What fronts ask to be stored, from there to the answer that their clients get: at once when it is
 * durable, or when Postmark has said something (replies.h).  Belongs to the core's loop.
 */
struct commits;

/* Who asked; copied. */
struct commit_from {
	void *channel;
	unsigned generation;
	uint64_t serial;
	uint64_t bytes;
};

struct commit_mail {
	char id[ULID_SIZE];
	char *route;
};

struct commits_params {
	struct loop *loop;
	struct store *store;
	/* These mails are durable, or not: once for each commits_ask(). */
	void (*stored)(void *ctx, const struct commit_from *, const struct commit_mail *mails,
	    size_t count, enum store_result);
	/* What the client is told, as for peer_committed(), after stored().  False: nobody could
	 * be told. */
	bool (*answer)(void *ctx, const struct commit_from *, const struct refusal *answer_or_null);
	/* Mails of a client that was told to come again are gone. */
	void (*taken_back)(void *ctx, const char *mail_id, const char *route);
	/* An operator has stopped that route, or it has no token: no answer will come, or is worth
	 * waiting for. */
	bool (*stands)(void *ctx, const char *route);
	void *ctx;
};

struct commits *commits_new(const struct commits_params *);
void commits_free(struct commits **); /* after store_close() */

/* Takes the mail and those chained to it.  unsure_is_retried: as for reply_new(). */
void commits_ask(
    struct commits *, struct mail *, const struct commit_from *, bool unsure_is_retried);
/* What became of an item, durable by now. */
void commits_outcome(struct commits *, const char *item_id, const struct store_outcome *);
/* Whoever still waits for Postmark is answered, or is as soon as the store has answered. */
void commits_hurry(struct commits *);

#endif
