#ifndef PMRELAY_CONVERT_INBOUND_H
#define PMRELAY_CONVERT_INBOUND_H

#include <stddef.h>
#include <stdint.h>

struct json_t;
struct mail;
struct strlist;

/*
 * A mail that Postmark took for us and posted (its inbound webhook): the JSON to a mail of the
 * route "inbound", one item of the kind ITEM_LOCAL for each recipient.  Pure but for GMime's tables
 * (convert_setup); the connection's server and Postmark's MessageID make the mail's id, so that a
 * post that comes again is known to the store.
 *
 * The mail is RawEmail where it is there, with whole lines and without NUL.  Else it is built
 * again: the fields of Headers in their order but those of MIME, from the other members what they
 * lack, text and html as alternatives, attachments with the base64 that they came with, beside the
 * html if it shows them.  Nothing in the payload can make a field or a part that it does not say it
 * is.
 *
 * On top come Delivered-To and X-Original-To, a Received and X-Pmrelay-Inbound, by which a mail is
 * known that comes back: one that has been here, or has too many Received, is to be held
 * (mail->held_why), as is one for an address that is none here and has no mapping, or for more than
 * INBOUND_MOST_RECIPIENTS.
 */
struct inbound_options {
	const char *hostname;
	const char *connection;           /* whose server it came from */
	const struct strlist *recipients; /* "PATTERN=ADDRESS,ADDRESS" (inbound.recipients) */
	unsigned most_hops;               /* Received fields */
	uint64_t most_bytes;              /* of the mail as it will be stored */
};

/*
 * 0 and *mail_r; or -1 and what to answer: *status_r, an HTTP status of 4xx or 5xx and never 403,
 * after which Postmark would not come again, and a sentence in why, of ASCII and without controls.
 */
int inbound_make(const struct inbound_options *, const struct json_t *post, int64_t now_ms,
    struct mail **mail_r, int *status_r, char *why, size_t why_size)
    __attribute__((warn_unused_result));

#endif
