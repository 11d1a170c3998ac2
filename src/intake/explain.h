#ifndef PMRELAY_INTAKE_EXPLAIN_H
#define PMRELAY_INTAKE_EXPLAIN_H

#include <stddef.h>
#include <stdint.h>

#include "base/strlist.h"

struct buf;
struct refusal;
struct rules;

/*
 * What would become of a mail: routes and conversion alone, told as JSON.  Pure: nothing is stored,
 * no network, no clock.
 *
 * One object, and these are its members.  Programs read it: a member may be added, none changes.
 *
 *	ok             true: the mail would be taken
 *	refusal        when it would not: {"code":554,"status":"5.6.1","text":"..."}, what SMTP
 *	               would say; absent otherwise
 *	envelope       {"reverse_path":"...","recipients":["..."],"from_headers":bool}; the last:
 *	               no recipients were given, and those of To, Cc and Bcc were taken
 *	origin         {"listener":"...","client":"...","user":"..."} as they were given; "": not
 *	route          name of the first recipient's route
 *	subject, message_id, from
 *	               of the header, as that route has them; absent when it could not be read
 *	routes         one for each group of recipients that take the same route and have the same
 *	               fate, in the order of their first recipients; empty when the content could
 *	               not be read.  Its members are below.
 *	items          what goes to Postmark, in the routes' order; empty when refused:
 *	               {"number":1,"route":"...","kind":"email","recipients":["..."],"to":"...",
 *	               "cc":"...","bcc":"...","bytes":n,"json":{...}}; number is that of the item
 *	               within the mail of its route; kind is "email", "template" or "smtp"; to, cc
 *	               and bcc as they are written, "" for none; json is the whole message, or null
 *	               where together they would pass most_bytes (a warning says so).  The relay-id
 *	               in its metadata is a stand-in.  Of kind "smtp" the mail itself goes, bytes is
 *	               its size, json is null, and there are two members more: head, the header
 *	               fields that are put in front of its own ("Name: value" lines), and removed,
 *	               the names of those that are taken out
 *	sizes          what Postmark or a setting limits, as far as it is known, of the largest
 *	               where there are several: {"what":"message","bytes":n,"limit":n,"unit":
 *	               "bytes"}.  what is one of "message" (JSON of an item), "SMTP message" (a mail
 *	               that goes by SMTP), "TextBody", "HtmlBody" (bytes), "recipients" (of an
 *	               item), "subject", "tag" (UTF-16 units), "metadata" (pairs), "mail" (as it
 *	               comes; the setting smtp message-size).  The figure is called bytes, whatever
 *	               its unit.
 *	attachments    how many
 *	content_bytes  of the mail with CRLF line ends
 *	lost           what is converted or dropped on any route: {"word":"date","text":"..."}; the
 *	               words are those of the log's ledger=
 *	warnings       sentences
 *
 * A route:
 *
 *	name           "default": none of the configuration was for them
 *	recipients     whom the mail was for
 *	fate           "goes"; staging: "redirected" or "captured"
 *	redirected_to  who gets it in their place; empty otherwise
 *	why_not        {"route":"...","recipient":"...","why":"..."} for each earlier route, why it
 *	               was not taken: of the first EXPLAIN_MOST_ASKED recipients, and a sentence
 *that is the same for several of them once connection, sandbox, reply of the configuration: whose
 *token; whether Postmark only checks it; "queued", "postmark" or "postmark-or-refuse" template
 *alias or id that it goes with, null for none from, tag, stream as they go out, "" for none; absent
 *when the header could not be read way            "api" or "smtp" because        of way "smtp": the
 *word of what decided it; absent otherwise policies
 *{"word":"signed","policy":"convert","applies":bool} for each loss that a route has a word on;
 *applies: the mail has it, and that policy was its own lost           as above, of this route
 *	refusal        as above, when this route refuses the mail; absent otherwise
 */
struct explain_input {
	const char *reverse_path; /* NULL, "": the address of From; "<>": the null reverse-path */
	const struct strlist *recipients; /* NULL, none: those of To, Cc and Bcc */
	/* Who would bring it, for routes that ask; NULL, "": not said, and such do not match. */
	const char *listener, *client, *user;
	const char *content; /* bare LF counts as CRLF; not NULL */
	size_t content_len;
	size_t most_bytes; /* of what is added, but for what is not an item's json */
};

#define EXPLAIN_MOST_ASKED 10

void explain(const struct rules *, const struct explain_input *, struct buf *out);
/* The same object for a mail that was not looked at: content may be NULL. */
void explain_refused(
    const struct rules *, const struct explain_input *, const struct refusal *, struct buf *out);

#endif
