#ifndef PMRELAY_SANDBOX_TRACKS_H
#define PMRELAY_SANDBOX_TRACKS_H

#include <jansson.h>

#include "sandbox/api.h"

struct message;
struct record;

/* Opens and clicks, and the calls that show them. */
api_fn tracks_opens;             /* GET /messages/outbound/opens */
api_fn tracks_opens_of_message;  /* GET /messages/outbound/opens/{id} */
api_fn tracks_clicks;            /* GET /messages/outbound/clicks */
api_fn tracks_clicks_of_message; /* GET /messages/outbound/clicks/{id} */

/*
 * Somebody opened the message.  given: Client, OS, Geo (objects), Platform, UserAgent,
 * ReadSeconds, all optional and of the right types.  The record is lent until the next one.
 */
struct record *tracks_add_open(
    struct state *, const struct message *, const char *recipient, const json_t *given);
/* ... or clicked on a link.  given has OriginalLink as well, and perhaps ClickLocation. */
struct record *tracks_add_click(
    struct state *, const struct message *, const char *recipient, const json_t *given);

#endif
