#ifndef PMRELAY_SANDBOX_INBOUND_H
#define PMRELAY_SANDBOX_INBOUND_H

#include <jansson.h>

#include "sandbox/api.h"

struct record;

/* Mails that came in, the rules that block them, and the calls about both. */
api_fn inbound_list;    /* GET /messages/inbound */
api_fn inbound_details; /* GET /messages/inbound/{id}/details */
api_fn inbound_bypass;  /* PUT /messages/inbound/{id}/bypass */
api_fn inbound_retry;   /* PUT /messages/inbound/{id}/retry */

api_fn inbound_rules_list;   /* GET /triggers/inboundrules */
api_fn inbound_rules_create; /* POST /triggers/inboundrules */
api_fn inbound_rules_delete; /* DELETE /triggers/inboundrules/{id} */

/*
 * A mail comes in.  given: From (required), FromName, To, Cc, ReplyTo, Subject, Tag, Date,
 * TextBody, HtmlBody, Status (texts), Headers, Attachments (arrays).  The record is lent until the
 * next one; NULL and *why_r, lent for ever: given is not right.
 */
struct record *inbound_add(
    struct state *, const struct server *, const json_t *given, const char **why_r);

#endif
