#ifndef PMRELAY_SANDBOX_NOTIFY_H
#define PMRELAY_SANDBOX_NOTIFY_H

#include <stdbool.h>

#include <jansson.h>

#include "sandbox/webhooks.h"

struct firing_event;
struct message;
struct message_stream;
struct record;
struct server;
struct state;

/*
 * What happens, told to those webhooks of the stream that want to know.  Nothing is done where
 * nobody listens.
 */

json_t *notify_metadata(const struct message *); /* a new reference; NULL message: {} */

/* The message is on its way: deliveries, what comes back in, and what readers will do.  sent is
 * its JSON with all attachments whole.  Bounces were told of before. */
void notify_accepted(struct state *, struct server *, const struct message *, const json_t *sent);
void notify_bounce(struct state *, const struct server *, const struct record *);
/* reason NULL: the address may be mailed to again.  message NULL: not known. */
void notify_suppression(struct state *, const struct server *, const struct message_stream *,
    const struct message *, const char *email, const char *reason, const char *origin);
void notify_open(struct state *, const struct message *, const struct record *);
void notify_click(struct state *, const struct message *, const struct record *, bool first);
/* false: the server has no inbound hook. */
bool notify_inbound(struct state *, const struct server *, struct record *);

bool notify_wanted(
    const struct state *, const struct server *, const char *stream, enum webhook_trigger);
/* The webhooks of a stream that want such an event get the payload: for events that nothing
 * happened for.  ->trigger, ->message and what follows them are the event's. */
void notify_raw(struct state *, const struct server *, const char *stream,
    const struct firing_event *, const json_t *payload);

#endif
