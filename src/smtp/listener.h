#ifndef PMRELAY_SMTP_LISTENER_H
#define PMRELAY_SMTP_LISTENER_H

#include <stdbool.h>
#include <stddef.h>

#include "smtp/session.h"

struct strlist;

/*
 * Accepts connections on sockets that somebody else has bound, checks who may come and how many,
 * and makes sessions of them.  Several processes may accept from the same socket: at most a few
 * connections are taken per turn of the loop, so that the load spreads.
 */
struct smtp_listener;

struct smtp_listener_params {
	struct loop *loop;
	const int *fds;           /* listening sockets; taken, closed at the end */
	const char *const *names; /* one per fd: "127.0.0.1:2525"; copied */
	size_t count;
	const struct smtp_limits *limits; /* lent for life */
	const struct smtp_hooks *hooks;   /* lent for life */
	void *ctx;
	struct ssl_ctx_st *tls;        /* as of a session; lent for life */
	const struct smtp_auth *auth;  /* the same */
	const struct strlist *allow;   /* networks "127.0.0.0/8", "::1/128" that may send; copied */
	unsigned most_sessions;        /* in this process: 421 4.3.2 beyond */
	unsigned most_sessions_client; /* per client address: 421 4.7.0 beyond */
};

/* NULL when a network in allow does not parse (logged). */
struct smtp_listener *smtp_listener_new(const struct smtp_listener_params *);
size_t smtp_listener_sessions(const struct smtp_listener *);
/* New limits and networks, of which a mail under way notices nothing.  The old limits are not
 * looked at again.  0, or -1 and nothing changed. */
int smtp_listener_reload(
    struct smtp_listener *, const struct smtp_limits *, const struct strlist *allow);
void smtp_listener_stop(struct smtp_listener *);  /* accepts no more, closes the sockets */
void smtp_listener_drain(struct smtp_listener *); /* and asks all sessions to end */
void smtp_listener_free(struct smtp_listener **); /* kills what is left */

#endif
