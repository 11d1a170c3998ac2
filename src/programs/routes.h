#ifndef PMRELAY_PROGRAMS_ROUTES_H
#define PMRELAY_PROGRAMS_ROUTES_H

#include <stdbool.h>
#include <stddef.h>

struct config;
struct dispatch_route;
struct secret;
struct strlist;

/*
 * What a configuration makes of the dispatcher.  Pure.  Each connection with a server token is a
 * route of its name, "default" is one in any case, and so is each route of mails, with the token of
 * its connection, or with test_token when it is for looks alone (its option sandbox).
 *
 * The caller frees the array; what it points to is the config's.
 */
struct dispatch_route *routes_of(
    const struct config *, const struct secret *test_token, size_t *count_r);

bool routes_have(const struct config *, const char *name);         /* NULL has none */
void routes_names(const struct config *, struct strlist *names_r); /* adds to it */

#endif
