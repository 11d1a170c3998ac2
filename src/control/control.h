#ifndef PMRELAY_CONTROL_CONTROL_H
#define PMRELAY_CONTROL_CONTROL_H

#include <stddef.h>

struct ask;
struct config;
struct feed;

/*
 * The control plane: a thread with a loop, an HTTP listener, a client to Postmark and a reader of
 * the spool, all its own.  It shares nothing with mail but what it asks for.
 */
struct control;

struct control_params {
	const struct config *config; /* copied */
	int unix_fd;                 /* listening; -1: none.  Both are taken */
	int tcp_fd;                  /* listening, for TLS with client certificates; -1: none */
	struct feed *feed;           /* lent for life */
	/*
	 * Called on the control thread with an ask to be carried to the core; the carrier gives it
	 * back by control_answer(), from any thread, always, in the end.
	 */
	void (*ask)(void *ctx, struct ask *);
	void *ctx;
};

/* NULL and why. */
struct control *control_start(const struct control_params *, char *why, size_t why_size);
void control_answer(struct control *, struct ask *);
/* New settings, copied; what is under way ends with the old. */
void control_reload(struct control *, const struct config *);
/* Ends the thread; requests under way are cut.  No ask may be on its way back any more. */
void control_stop(struct control **);

#endif
