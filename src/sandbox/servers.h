#ifndef PMRELAY_SANDBOX_SERVERS_H
#define PMRELAY_SANDBOX_SERVERS_H

#include <jansson.h>

#include "sandbox/api.h"
#include "sandbox/fields.h"

/* The calls about servers. */
api_fn servers_list;     /* GET /servers */
api_fn servers_get;      /* GET /servers/{id} */
api_fn servers_create;   /* POST /servers */
api_fn servers_edit;     /* PUT /servers/{id} */
api_fn servers_delete;   /* DELETE /servers/{id} */
api_fn servers_own;      /* GET /server */
api_fn servers_edit_own; /* PUT /server */

/*
 * Sets the fields of section 12 that json has.  creating: DeliveryType may be among them.  0, or
 * the code of what is wrong with nothing changed and *why_r, lent for ever.
 */
int servers_apply(
    struct state *, struct server *, const json_t *json, bool creating, const char **why_r);

/* What a body may say. */
extern const struct fields servers_fields[];
extern const size_t servers_fields_count;

#endif
