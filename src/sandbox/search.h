#ifndef PMRELAY_SANDBOX_SEARCH_H
#define PMRELAY_SANDBOX_SEARCH_H

#include "sandbox/api.h"

/* The part of Postmark's API that looks for sent messages. */
api_fn search_messages; /* GET /messages/outbound */
api_fn search_details;  /* GET /messages/outbound/{id}/details */
api_fn search_dump;     /* GET /messages/outbound/{id}/dump */

#endif
