#ifndef PMRELAY_SANDBOX_REMOVALS_H
#define PMRELAY_SANDBOX_REMOVALS_H

#include "sandbox/api.h"

/* Requests that the data of a recipient be removed.  They are noted, and nothing is removed. */
api_fn removals_create; /* POST /data-removals */
api_fn removals_get;    /* GET /data-removals/{id} */

#endif
