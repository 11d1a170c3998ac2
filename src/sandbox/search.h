#ifndef PMRELAY_SANDBOX_SEARCH_H
#define PMRELAY_SANDBOX_SEARCH_H

#include "sandbox/api.h"

struct message;

/* The part of Postmark's API that looks for sent messages. */
api_fn search_messages; /* GET /messages/outbound */
api_fn search_details;  /* GET /messages/outbound/{id}/details */
api_fn search_dump;     /* GET /messages/outbound/{id}/dump */

/* The message that the path's first part names; NULL: refused with 701. */
const struct message *search_wanted(
    struct state *, const struct server *, const struct api_request *, struct api_answer *);

#endif
