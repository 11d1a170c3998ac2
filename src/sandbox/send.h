#ifndef PMRELAY_SANDBOX_SEND_H
#define PMRELAY_SANDBOX_SEND_H

#include <jansson.h>

#include "sandbox/api.h"

struct rules_refusal;
struct strlist;

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

/* A mail that came by Postmark's SMTP service. */
struct send_mail {
	json_t *json;                     /* the message that the API would take for it; changed */
	const struct strlist *recipients; /* of the envelope: they alone are mailed */
	const char *source;               /* as it came */
	size_t source_len;
	size_t token; /* which of the server's tokens, from 1 */
};
/* Accepted already: what is wrong with it becomes bounces. */
void send_mail(struct state *, struct server *, const struct send_mail *);
/* The same of one that no message could be made of, beyond the fields of its header. */
void send_bad_mail(
    struct state *, struct server *, const struct send_mail *, int code, const char *text);

api_fn send_email, send_emails; /* POST /email, POST /email/batch */

#endif
