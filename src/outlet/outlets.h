#ifndef PMRELAY_OUTLET_OUTLETS_H
#define PMRELAY_OUTLET_OUTLETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct config;
struct mail;

/*
 * Events on their way to people: a thread with a loop and a reader of the spool of its own, that
 * passes events on to each outlet of the configuration, and makes notices (RFC 3464) of those that
 * say that a mail did not arrive.
 *
 * Each outlet has a cursor in the spool: all events up to it were passed on.  What was passed on
 * after the cursor was last told is passed on again after a crash: at least once, in order, each
 * with its id.  A new outlet begins behind the newest event of that moment.  No outlet waits for
 * another, but for the disk.
 */
struct outlets;

struct outlets_params {
	const struct config *config; /* copied; its secrets are loaded */
	const char *backend;         /* of the spool, for a reader of it */
	const char *folder;
	/*
	 * Called on the outlets' thread, to be carried to where the store is, in this order:
	 * store_outlet_set() with both.  -1: the outlet is no more.
	 */
	void (*passed)(void *ctx, const char *name, int64_t after_key);
	/*
	 * The same: store_commit() of a notice, whose mail is taken; outlets_committed() tells what
	 * came of it.
	 */
	void (*commit)(void *ctx, struct mail *mail, uint64_t ticket);
	void *ctx;
};

/* NULL and why. */
struct outlets *outlets_start(const struct outlets_params *, char *why, size_t why_size);
/* An event is durable.  From any thread, as often as one likes. */
void outlets_wake(struct outlets *);
/* From any thread.  durable: the notice is in the spool, whether new or known. */
void outlets_committed(struct outlets *, uint64_t ticket, bool durable);
/* New settings, copied; from any thread, and so is the next.  An outlet whose settings have changed
 * is stopped where it is and begins again behind its cursor. */
void outlets_reload(struct outlets *, const struct config *);
void outlets_reopen(struct outlets *); /* files, for who turns them over */
/*
 * Ends the thread.  What is under way is cut, and comes again after the next start.  passed() has
 * been called for the last time when it returns; no commit may be told of any more.
 */
void outlets_stop(struct outlets **);

#endif
