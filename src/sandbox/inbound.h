#ifndef PMRELAY_SANDBOX_INBOUND_H
#define PMRELAY_SANDBOX_INBOUND_H

#include <jansson.h>

#include "sandbox/api.h"

struct message;
struct record;

/* Mails that came in, the rules that block them, and the calls about both. */
api_fn inbound_list;    /* GET /messages/inbound */
api_fn inbound_details; /* GET /messages/inbound/{id}/details */
api_fn inbound_bypass;  /* PUT /messages/inbound/{id}/bypass */
api_fn inbound_retry;   /* PUT /messages/inbound/{id}/retry */

api_fn inbound_rules_list;   /* GET /triggers/inboundrules */
api_fn inbound_rules_create; /* POST /triggers/inboundrules */
api_fn inbound_rules_delete; /* DELETE /triggers/inboundrules/{id} */

struct inbound_mail {
	/* From (required), FromName, To, Cc, ReplyTo, Subject, Tag, Date, TextBody, HtmlBody,
	 * StrippedTextReply, Status (texts), Headers, Attachments (arrays). */
	const json_t *given;
	const char *recipient; /* of the envelope; NULL: the first of To */
	const char *raw;       /* the mail as it came; NULL: made of the rest */
	size_t raw_len;
	const struct message *message; /* that was sent to the server; NULL: it came from outside */
};

/*
 * A mail comes in, and is told to the server's inbound hook unless its Status is given or a rule
 * blocks it.  The record is lent until the next one; NULL and *why_r, lent for ever: given is not
 * right.
 */
struct record *inbound_add(
    struct state *, const struct server *, const struct inbound_mail *, const char **why_r);

#endif
