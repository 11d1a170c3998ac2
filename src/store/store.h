#ifndef PMRELAY_STORE_STORE_H
#define PMRELAY_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strlist.h"
#include "mail/mail.h"

struct loop;

/*
 * The spool: durable memory of mails, items, attempts and outcomes (doc/queue.md).
 *
 * One writer thread makes every change.  Changes that arrive while one commit is being synced
 * share the next commit.  All functions belong to the loop's thread and return at once; done()
 * runs from the loop, exactly once, after the change is durable (or is known not to be).
 */
struct store;

enum store_result {
	STORE_OK,     /* durable: it survives a power cut from here on */
	STORE_FULL,   /* no space, or less than min_free_bytes: nothing of it is kept */
	STORE_BROKEN, /* I/O error, locked or corrupt database: nothing of it is kept */
};

struct store_params {
	struct loop *loop;
	const char *backend;     /* "sqlite" */
	const char *folder;      /* the spool folder; made with mode 0700 when missing */
	uint64_t min_free_bytes; /* below this, new mail is refused so that outcomes still fit */
	int64_t sync_delay_ms;   /* added to each sync: measurements only */
	bool require_durable;    /* refuse a folder that does not outlive the machine, as tmpfs */
	/* Something became due that was not before (new mail, a release): ask store_claim(). */
	void (*due)(void *ctx);
	void *ctx;
};

/*
 * Opens the spool, brings its schema up to date, marks what a crash left in flight as unsure,
 * and removes payload files that belong to nothing.  NULL and a message for people in why:
 * missing rights, somebody else holds it, newer schema.
 */
struct store *store_open(const struct store_params *, char *why, size_t why_size);
/* Waits for the changes under way; their done() does not run any more.  NULL is fine. */
void store_close(struct store **);

/* --- intake ---------------------------------------------------------------------------- */

typedef void store_done_fn(void *ctx, enum store_result);

/*
 * Make a mail with all its items durable, and those chained to it (mail->next): all of them or
 * none.  Takes them.  A mail whose id the spool has already is not stored again and the result is
 * STORE_OK: a front that lost its core asks again with the same ids.  known: there was one, so that
 * not all of it is this call's.
 */
typedef void store_committed_fn(void *ctx, enum store_result, bool known);
void store_commit(struct store *, struct mail *mail, store_committed_fn *done, void *ctx);

/* --- dispatch -------------------------------------------------------------------------- */

/* An item in the dispatcher's hands. */
struct store_item {
	int64_t key; /* of the store, for store_settle() */
	char id[ITEM_ID_SIZE];
	enum item_kind kind;
	char *reverse_path; /* of its mail; "" is <> */
	int64_t accepted_ms;
	int64_t
	    since_ms; /* from when its lifetime counts: accepted, or an operator's last release */
	unsigned attempt;          /* this one: 1 for the first */
	enum item_state came_from; /* SPOOLED, WAITING or UNSURE */
	struct strlist recipients;
	struct payload payload;
	struct payload shared; /* the message is payload followed by this; len 0: nothing */
};
void store_item_free(struct store_item *); /* what it holds, not the struct */

struct store_claim {
	const char *route;
	enum item_state from; /* ITEM_SPOOLED: what is due for sending, whether SPOOLED or WAITING;
			       * ITEM_UNSURE: what is due for a question to Postmark */
	int64_t now_ms;       /* wall clock; due at or before */
	size_t most_items;
	uint64_t most_bytes; /* of payloads; the first item is given whatever its size */
};

/*
 * The items that were due, oldest due first, durably marked: SENDING with one attempt more (from
 * SPOOLED or WAITING), so that after a crash it is known that a request may have gone out.  From
 * UNSURE they stay UNSURE, and the claim is kept in memory alone.  items and what they hold go to
 * the callee, who frees each with store_item_free() and then the array with free().  more: others
 * are due too.
 */
typedef void store_claimed_fn(
    void *ctx, enum store_result, struct store_item *items, size_t count, bool more);
void store_claim(struct store *, const struct store_claim *, store_claimed_fn *done, void *ctx);

/* What became of a claimed item. */
struct store_outcome {
	int64_t key;
	enum item_state to; /* SENT, FAILED, WAITING, HELD, UNSURE; SPOOLED: given back untried,
			     * the attempt does not count */
	int64_t at_ms;      /* wall clock, for the history */
	int64_t due_ms;     /* WAITING, SPOOLED and UNSURE: not before */
	const char *postmark_id; /* MessageID, or NULL */
	int http_status;         /* 0: no answer */
	int error_code;          /* Postmark's, 0 if none */
	const char *answer;      /* verbatim, or the transport's error text; NULL */
	const char *inactive;    /* recipients Postmark will not deliver to, ", " between; NULL */
	bool keeps_history;      /* false: no row for the attempt (given back untried) */
	bool never_left;         /* HELD: no request went out, so there is no answer to look for */
	bool refused;            /* HELD: whoever it is for does not want it, so that it is purged
				  * with what has ended when nobody has seen to it by then */
};

/*
 * Make outcomes durable, all of them in one commit.  Copies.  This does not fail: while the disk
 * is full or broken the outcomes are kept in memory and tried again, loudly.  done may be NULL.
 */
void store_settle(struct store *, const struct store_outcome *outcomes, size_t count,
    store_done_fn *done, void *ctx);

/* When the next item of the route is due that is not due now: wall clock, or INT64_MAX. */
typedef void store_next_fn(void *ctx, int64_t due_ms);
void store_next_due(
    struct store *, const char *route, enum item_state from, store_next_fn *done, void *ctx);

/* --- operator -------------------------------------------------------------------------- */

struct store_counts {
	uint64_t items[ITEM_STATES]; /* by enum item_state */
	int64_t oldest_ms;           /* accepted_ms of the oldest one not ended, or 0 */
	uint64_t put_aside;          /* unreadable items, see doc/queue.md */
	uint64_t commits, syncs;     /* since start */
};
typedef void store_counts_fn(void *ctx, const struct store_counts *);
void store_count(struct store *, store_counts_fn *done, void *ctx);

/*
 * What an operator does with items.  An item that is being sent or asked about at this moment is
 * left alone and counted in left_out: its outcome is on the way.
 */
enum store_action {
	STORE_HOLD,    /* SPOOLED, WAITING, UNSURE: to HELD */
	STORE_RELEASE, /* HELD: to where it is due now: UNSURE if a request may have gone out
			* that nobody has answered yet, else WAITING or SPOOLED */
	STORE_RETRY,   /* WAITING, SPOOLED, UNSURE: due now; HELD as STORE_RELEASE; FAILED with a
			* payload: due now, with a new lifetime; CAPTURED the same, but only
			* when its id or that state is named */
	STORE_DELETE,  /* any: the item, its history and payload are gone */
	STORE_TOLD,    /* FAILED: whoever sent it knows, and needs no notice; the item stays */
};

struct store_change {
	enum store_action action;
	const char *const *ids; /* of items or mails; count 0: all that the states and route name */
	size_t count;
	unsigned states;   /* 1U << ITEM_…; 0: every state that the action is for */
	const char *route; /* NULL: any */
	int64_t at_ms;
	const char *by; /* for the history: "hold by root: wrong price list" */
};

struct store_changed {
	uint64_t changed, left_out, unknown; /* items; ids that nothing has */
	uint64_t unfit;                      /* items whose state is not one for this action */
};

/* Copies.  Many items are changed in many commits, between which others have their turn. */
typedef void store_changed_fn(void *ctx, enum store_result, const struct store_changed *);
void store_change(struct store *, const struct store_change *, store_changed_fn *done, void *ctx);

/*
 * Takes mails back that nobody has had: their items are gone as though they had never come, all of
 * all the mails or none.  Ids that nothing has count as gone.  Copies.
 */
enum store_taken {
	STORE_TAKEN,
	STORE_TAKEN_LATER, /* one is being sent or asked about: its outcome is on the way */
	STORE_TAKEN_NEVER, /* one has been sent, or may have been; or is kept on purpose (captured)
			    */
};
typedef void store_taken_fn(void *ctx, enum store_result, enum store_taken);
void store_take_back(
    struct store *, const char *const *mail_ids, size_t count, store_taken_fn *done, void *ctx);

/*
 * What is known of a route beyond the life of a process: whether an operator paused it, and for how
 * long in sum it stood, by an operator or by us, so that the lifetime of its items can stand
 * still meanwhile.
 */
struct store_route {
	char *name;
	bool held;              /* by an operator */
	char *why;              /* who and why; or NULL */
	int64_t stood_since_ms; /* 0: it runs */
	int64_t stood_ms;       /* before that */
};
typedef void store_routes_fn(
    void *ctx, enum store_result, const struct store_route *, size_t count);
void store_routes(struct store *, store_routes_fn *done, void *ctx);
void store_route_set(struct store *, const struct store_route *, store_done_fn *done, void *ctx);

/*
 * Routes with items that have not ended, but those that are named: nobody would send these.
 * Copies the names; the answer is lent for the call.
 */
struct store_stray {
	char *route;
	uint64_t items;
};
typedef void store_strays_fn(
    void *ctx, enum store_result, const struct store_stray *strays, size_t count);
void store_strays(struct store *, const struct strlist *known, store_strays_fn *done, void *ctx);

/* --- what happened after a message was sent ---------------------------------------------- */

struct event;
struct hook;
struct suppression;

/* What one event did. */
struct store_event_done {
	bool repeat;             /* it was known; nothing was changed */
	int64_t key;             /* of its row: larger is newer, from 1 on; 0 for a repeat */
	char item[ITEM_ID_SIZE]; /* whose; "" not one of ours */
	char route[64];          /* of the item */
	bool settled;            /* the item is SENT by it: nobody knew before */
};

/*
 * Makes an event durable, once for each mark.  Takes it.  Lent to done: the event and what it did.
 * Each is told once as new: one that is there after a sync that failed is no repeat when it comes
 * again, and what it did is told then.
 *
 * It is joined to an item by its relay_id, else (when that is not the id of an item, of whatever
 * relay) by Postmark's MessageID, among the newest 65,536 mails.  That item's fates
 * grow, its postmark_id is set where it had none, and since Postmark speaks of it as of one that it
 * has taken, it is SENT: at once when it is SPOOLED, WAITING, HELD (not put aside), UNSURE and not
 * in the dispatcher's hands, or FAILED with an unanswered request; when its outcome comes in that
 * would make it anything else, when it is SENDING or in hand.  A line of history tells of that.
 * OTHER, FAILED and INACTIVE, a SUBSCRIPTION without a MessageID and a BOUNCE of the type
 * SMTPApiError do not say so much.  CAPTURED items and those of ITEM_LOCAL stay as they are.
 *
 * What the event says of an address (suppressed, or no longer) goes into the list of suppressions
 * in the same commit, if it is not older than what is there: event_suppression() and
 * suppression_replaces() are the rules, for those who keep a copy.
 *
 * Events of our own need not be asked for: store_settle() adds one when an item becomes FAILED, and
 * when one is SENT and some of its recipients are inactive.
 *
 * While little space is left events are refused as mails are (STORE_FULL): Postmark posts again.
 */
typedef void store_event_fn(
    void *ctx, enum store_result, const struct event *, const struct store_event_done *);
void store_event(struct store *, struct event *, store_event_fn *done, void *ctx);

/*
 * How far an outlet has come: all events up to that key have been passed on.  Forgets it: -1.
 * done may be NULL.
 */
void store_outlet_set(
    struct store *, const char *name, int64_t after_key, store_done_fn *done, void *ctx);

/* All suppressions, and what was lifted and is still kept, each lent for the call. */
typedef void store_suppressions_fn(
    void *ctx, enum store_result, const struct suppression *list, size_t count);
void store_suppressions(struct store *, store_suppressions_fn *done, void *ctx);
/* Adds, replaces or lifts some in one commit, each where it is not older than what is there.
 * Copies.  done may be NULL. */
void store_suppressions_change(
    struct store *, const struct suppression *list, size_t count, store_done_fn *done, void *ctx);

/* The instanced webhooks, each lent for the call. */
typedef void store_hooks_fn(void *ctx, enum store_result, const struct hook *list, size_t count);
void store_hooks(struct store *, store_hooks_fn *done, void *ctx);
/* Adds or replaces the one of that path; drops those of these paths.  Copy.  done may be NULL. */
void store_hook_set(struct store *, const struct hook *, store_done_fn *done, void *ctx);
void store_hooks_drop(
    struct store *, const char *const *paths, size_t count, store_done_fn *done, void *ctx);

/* Forget ended items and their history when they ended before that time and no event of theirs came
 * after it, with their events, and events of no item that came before it.  Likewise what remembers
 * that a suppression was lifted.  done may be NULL. */
void store_purge(struct store *, int64_t ended_before_ms, store_done_fn *done, void *ctx);

#endif
