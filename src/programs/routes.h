#ifndef PMRELAY_PROGRAMS_ROUTES_H
#define PMRELAY_PROGRAMS_ROUTES_H

#include <stdbool.h>
#include <stddef.h>

struct config;
struct dispatch_local;
struct dispatch_route;
struct loop;
struct secret;
struct strlist;

/*
 * What a configuration makes of the dispatcher.  Pure.  Each connection with a server token is a
 * route of its name, "default" is one in any case, and so is each route of mails, with the token of
 * its connection, or with test_token when it is for looks alone (its option sandbox).
 *
 * "inbound", which no other route may be called, is one where the configuration says where mails go
 * that come in: by local, which may be NULL for looks.
 *
 * The caller frees the array; what it points to is the config's.
 */
struct dispatch_route *routes_of(const struct config *, const struct secret *test_token,
    const struct dispatch_local *local, size_t *count_r);

/* Whether mails of that route may be stored; inbound always is one.  NULL has none. */
bool routes_have(const struct config *, const char *name);
void routes_names(const struct config *, struct strlist *names_r); /* adds to it */

/*
 * What brings mails to where inbound.deliver says; zeroed where it says nothing.  0, or -1 and why.
 */
int routes_local_start(
    const struct config *, struct loop *, struct dispatch_local *, char *why, size_t why_size);
void routes_local_stop(struct dispatch_local *); /* after the dispatcher; leaves a zeroed one */

#endif
