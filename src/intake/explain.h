#ifndef PMRELAY_INTAKE_EXPLAIN_H
#define PMRELAY_INTAKE_EXPLAIN_H

#include <stddef.h>
#include <stdint.h>

#include "base/strlist.h"

struct buf;
struct convert_options;
struct refusal;

/*
 * What would become of a mail: the conversion alone, told as JSON.  Pure: nothing is stored, no
 * network, no clock.
 *
 * One object, and these are its members.  Programs read it: a member may be added, none changes.
 *
 *	ok             true: the mail would be taken
 *	refusal        when it would not: {"code":554,"status":"5.6.1","text":"..."}, what SMTP
 *	               would say; absent otherwise
 *	envelope       {"reverse_path":"...","recipients":["..."],"from_headers":bool}; the last:
 *	               no recipients were given, and those of To, Cc and Bcc were taken
 *	route          name of the route
 *	subject, message_id, from
 *	               of the header; absent when it could not be read
 *	items          a message for Postmark each, in order; empty when refused:
 *	               {"number":1,"recipients":["..."],"to":"...","cc":"...","bcc":"...",
 *	               "bytes":n,"json":{...}}; to, cc and bcc as they are written, "" for none;
 *	               json is the whole message, or null where together they would pass most_bytes
 *	               (a warning says so).  The relay-id in its metadata is a stand-in.
 *	sizes          what Postmark or a setting limits, as far as it is known:
 *	               {"what":"message","bytes":n,"limit":n,"unit":"bytes"}.  what is one of
 *	               "message" (JSON of the largest item), "TextBody", "HtmlBody" (bytes),
 *	               "recipients" (of the largest item), "subject", "tag" (UTF-16 units),
 *	               "metadata" (pairs).  The figure is called bytes, whatever its unit.
 *	attachments    how many
 *	content_bytes  of the mail with CRLF line ends
 *	lost           what is converted or dropped: {"word":"date","text":"..."}; the words are
 *	               those of the log's ledger=
 *	warnings       sentences
 */
struct explain_input {
	const char *reverse_path; /* NULL, "": the address of From; "<>": the null reverse-path */
	const struct strlist *recipients; /* NULL, none: those of To, Cc and Bcc */
	const char *content;              /* bare LF counts as CRLF; not NULL */
	size_t content_len;
	size_t most_bytes; /* of what is added, but for what is not an item's json */
};

void explain(const struct convert_options *, const struct explain_input *, struct buf *out);
/* The same object for a mail that was not looked at: content may be NULL. */
void explain_refused(const struct convert_options *, const struct explain_input *,
    const struct refusal *, struct buf *out);

#endif
