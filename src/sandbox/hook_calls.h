#ifndef PMRELAY_SANDBOX_HOOK_CALLS_H
#define PMRELAY_SANDBOX_HOOK_CALLS_H

#include "sandbox/api.h"

/* The calls about webhooks. */
api_fn hook_calls_list;       /* GET /webhooks */
api_fn hook_calls_get;        /* GET /webhooks/{id} */
api_fn hook_calls_create;     /* POST /webhooks */
api_fn hook_calls_edit;       /* PUT /webhooks/{id} */
api_fn hook_calls_delete;     /* DELETE /webhooks/{id} */
api_fn hook_calls_verify;     /* POST /webhooks/{id}/verify */
api_fn hook_calls_statistics; /* GET /webhooks/{id}/statistics */

#endif
