#ifndef PMRELAY_SANDBOX_BOUNCES_H
#define PMRELAY_SANDBOX_BOUNCES_H

#include <stdbool.h>

#include <jansson.h>

#include "sandbox/api.h"

struct message;
struct record;

/* Bounces and complaints, which suppress addresses, and the calls that show them. */

/*
 * Makes a bounce, and suppresses the address if its type does.  type is a known name.  details
 * NULL: a remote server's word that fits.  The record is lent until the next one.
 */
struct record *bounces_add(struct state *, struct server *, const struct message *,
    const char *email, const char *type, const char *details);

/* A mail that Postmark's SMTP service took and does not send to email. */
void bounces_add_error(struct state *, struct server *, const struct message *, const char *email,
    int code, const char *text);

api_fn bounces_stats;    /* GET /deliverystats */
api_fn bounces_list;     /* GET /bounces */
api_fn bounces_get;      /* GET /bounces/{id} */
api_fn bounces_dump;     /* GET /bounces/{id}/dump */
api_fn bounces_activate; /* PUT /bounces/{id}/activate */

#endif
