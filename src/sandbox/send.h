#ifndef PMRELAY_SANDBOX_SEND_H
#define PMRELAY_SANDBOX_SEND_H

#include <jansson.h>

#include "sandbox/api.h"

struct rules_refusal;

/*
 * Makes of what was sent a message of /email, e.g. puts a template's subject and bodies in: a new
 * reference, not the message itself unless it stays as it is; NULL: refusal_r.  Asked after the
 * rules have accepted all but the bodies; what it makes is judged again.  server NULL: the test
 * token, for which nothing is looked up.
 */
typedef json_t *send_prepare_fn(
    struct state *, const struct server *, json_t *message, struct rules_refusal *refusal_r);

/* The request's object as one message.  prepare NULL: messages are complete. */
void send_message(struct state *, struct server *, const struct api_request *, struct api_answer *,
    send_prepare_fn *prepare);
/* batch is what should be the array of messages. */
void send_batch(struct state *, struct server *, const struct api_request *, struct api_answer *,
    const json_t *batch, send_prepare_fn *prepare);

api_fn send_email, send_emails; /* POST /email, POST /email/batch */

#endif
