#ifndef PMRELAY_STORE_BACKEND_H
#define PMRELAY_STORE_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strlist.h"
#include "store/keyset.h"
#include "store/store.h"

/*
 * What an engine that keeps the spool supplies.  Every function runs on the writer's thread (open
 * and the first recover before that thread starts), may block, and is lent its arguments.  All
 * changes stand between begin and commit; after a result other than STORE_OK the transaction is
 * only good for rollback.
 */
struct backend_params {
	const char *folder;
	int64_t sync_delay_ms;
	bool require_durable;
};

struct backend_claim {
	struct store_item *items; /* the taker frees them */
	size_t count;
	bool more;
};

/* How far a change of many items has come. */
struct backend_change {
	struct store_changed changed;
	bool again;       /* there is more of it */
	size_t at;        /* the rest is the back end's: which id or state, */
	int64_t from_key; /* which item of it, */
	int64_t end_key;  /* and the newest that was there when it began */
};

struct backend {
	const char *name;

	void *(*open)(const struct backend_params *, char *why, size_t why_size);
	/* After a failure that may stick to a connection: everything but the lock is let go and
	 * taken again. */
	enum store_result (*reopen)(void *);
	void (*close)(void *);
	/*
	 * A transaction of its own.  Mails of these ids are forgotten: their commit was reported
	 * as failed.  What is SENDING and not in hand becomes UNSURE, due now.  What can be seen
	 * afterwards is durable.
	 */
	enum store_result (*recover)(void *, const struct keyset *in_hand,
	    const struct strlist *forget, int64_t now_ms, uint64_t *unsure_r);
	/* Removes what no item names (first start only). */
	enum store_result (*sweep)(void *, uint64_t *removed_r);

	enum store_result (*begin)(void *);
	enum store_result (*commit)(void *);
	void (*rollback)(void *);
	/* Whether the transaction has changed anything so far. */
	bool (*changed)(void *);

	/* One, without those chained to it.  known_r: a mail of that id is there already, and
	 * nothing was done. */
	enum store_result (*insert_mail)(void *, const struct mail *, bool *known_r);
	/* Leaves out what is in hand. */
	enum store_result (*claim)(void *, const struct store_claim *, const struct keyset *in_hand,
	    struct backend_claim *);
	/* taken_r: the item was sending or unsure, and the outcome is in. */
	enum store_result (*settle)(void *, const struct store_outcome *, bool *taken_r);
	enum store_result (*next_due)(void *, const char *route, enum item_state from,
	    int64_t now_ms, const struct keyset *in_hand, int64_t *due_ms_r);
	enum store_result (*count)(void *, struct store_counts *); /* but commits and syncs */
	/* Some of the work: progress is zeroed at first, and comes again as it was left. */
	enum store_result (*change)(void *, const struct store_change *,
	    const struct keyset *in_hand, struct backend_change *progress);
	/* Items of these mails are gone, or nothing is changed. */
	enum store_result (*take_back)(void *, const char *const *mail_ids, size_t count,
	    const struct keyset *in_hand, enum store_taken *taken_r);
	/* The taker frees them, and what they hold. */
	enum store_result (*strays)(
	    void *, const struct strlist *known, struct store_stray **strays_r, size_t *count_r);
	enum store_result (*routes)(void *, struct store_route **routes_r, size_t *count_r);
	enum store_result (*route_set)(void *, const struct store_route *);
	/* did_r: zeroed by it first. */
	enum store_result (*event)(void *, const struct event *, const struct keyset *in_hand,
	    struct store_event_done *did_r);
	enum store_result (*outlet_set)(void *, const char *name, int64_t after_key);
	/* The taker frees them, and what they hold; and so with hooks. */
	enum store_result (*suppressions)(void *, struct suppression **list_r, size_t *count_r);
	/* Where suppression_replaces() what is there. */
	enum store_result (*suppression_set)(void *, const struct suppression *);
	enum store_result (*hooks)(void *, struct hook **list_r, size_t *count_r);
	enum store_result (*hook_set)(void *, const struct hook *);
	enum store_result (*hook_drop)(void *, const char *path);
	/* Some of the work, from *cursor (0 at first) on; again_r: there is more of it. */
	enum store_result (*purge)(void *, int64_t ended_before_ms, int64_t *cursor, bool *again_r);

	/* Between transactions: housekeeping that is due. */
	void (*rest)(void *);
	/* Room for new mail; below wanted only when there is nothing to be tidied up.  UINT64_MAX:
	 * no matter.  Outside of a transaction. */
	uint64_t (*free_bytes)(void *, uint64_t wanted);
	uint64_t (*syncs)(void *);  /* from any thread */
	const char *(*why)(void *); /* the last failure, for people */
};

#endif
