#ifndef PMRELAY_PROGRAMS_PASSING_H
#define PMRELAY_PROGRAMS_PASSING_H

#include <stdbool.h>
#include <stddef.h>

struct config;
struct loop;
struct store;

/*
 * The core's side of the outlets (outlet/outlets.h): starts their thread, and carries over to the
 * core's loop what they ask of the store, how far they are and the notices that they made.  All
 * functions belong to the core's loop.
 */
struct passing;

struct passing_params {
	struct loop *loop;
	struct store *store;
	const struct config *config; /* copied */
	const char *backend;         /* of the spool */
	/* A notice is in the spool, or could not be kept. */
	void (*stored)(void *ctx, const char *mail_id, const char *route, bool durable);
	void *ctx;
};

/* NULL and why: the relay goes on without. */
struct passing *passing_open(const struct passing_params *, char *why, size_t why_size);
void passing_wake(struct passing *); /* an event is durable; these three: passing may be NULL */
/* New settings; files are opened again in any case. */
void passing_reload(struct passing *, const struct config *);
/* Before store_close(): nothing is asked of the store any more. */
void passing_stop(struct passing *);
void passing_free(struct passing **); /* after it */

#endif
