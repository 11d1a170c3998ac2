#ifndef PMRELAY_SANDBOX_STREAMS_H
#define PMRELAY_SANDBOX_STREAMS_H

#include <jansson.h>

#include "sandbox/api.h"
#include "sandbox/fields.h"

/* The calls about message streams. */
api_fn streams_list;      /* GET /message-streams */
api_fn streams_get;       /* GET /message-streams/{id} */
api_fn streams_create;    /* POST /message-streams */
api_fn streams_edit;      /* PATCH /message-streams/{id} */
api_fn streams_archive;   /* POST /message-streams/{id}/archive */
api_fn streams_unarchive; /* POST /message-streams/{id}/unarchive */

/* NULL: there is none, archived or not, and the request is refused with 1226. */
struct message_stream *streams_find(
    struct state *, const struct server *, const char *id, struct api_answer *);
/* The stream that the path's first part names, in the same way. */
struct message_stream *streams_wanted(
    struct state *, struct server *, const struct api_request *, struct api_answer *);

/*
 * A new stream of the server as json describes it; its fields have the right types.  0, or the
 * code of what is wrong and *why_r, lent for ever.
 */
int streams_add(const struct state *, struct server *, const json_t *json,
    struct message_stream **stream_r, const char **why_r);

/* What a body may say. */
extern const struct fields streams_fields[];
extern const size_t streams_fields_count;

#endif
