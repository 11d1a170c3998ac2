#ifndef PMRELAY_SANDBOX_SUPPRESSIONS_H
#define PMRELAY_SANDBOX_SUPPRESSIONS_H

#include <stdbool.h>

#include "sandbox/api.h"

/* The calls about the suppressed addresses of a stream. */
api_fn suppressions_dump;   /* GET /message-streams/{id}/suppressions/dump */
api_fn suppressions_create; /* POST /message-streams/{id}/suppressions */
api_fn suppressions_delete; /* POST /message-streams/{id}/suppressions/delete */

bool suppressions_address_ok(const char *address);
/* As the API spells what is given in any case; NULL: there is none of this name. */
const char *suppressions_reason(const char *name);
const char *suppressions_origin(const char *name);

#endif
