#ifndef PMRELAY_CONVERT_LEDGER_H
#define PMRELAY_CONVERT_LEDGER_H

#include <stdbool.h>
#include <stddef.h>

/*
 * What a mail loses or changes on its way to a JSON API: names for the log line and the history.
 * A bit for each, printed in the order below.
 */
enum ledger_entry {
	LEDGER_DATE,           /* the Date header; Postmark sets its own */
	LEDGER_SENDER,         /* the Sender header beside an author */
	LEDGER_AUTHORS,        /* further authors of a From with several */
	LEDGER_FROM,           /* From was missing or of no use; another address stands in */
	LEDGER_FROM_NAME,      /* the display name was cut to the limit */
	LEDGER_SHOWN,          /* addresses of To and Cc that are not in the envelope */
	LEDGER_HEADERS,        /* header fields that cannot be passed on */
	LEDGER_CONTROLS,       /* X-PM-* fields nobody knows, or that the route does not heed */
	LEDGER_SIGNED,         /* multipart/signed: the signature goes along but proves nothing */
	LEDGER_ENCRYPTED,      /* encrypted content as attachments */
	LEDGER_CALENDAR,       /* text/calendar as an attachment */
	LEDGER_ALTERNATIVES,   /* other alternatives as attachments */
	LEDGER_HTML_PARTS,     /* several HTML parts joined */
	LEDGER_MESSAGES,       /* messages within as .eml */
	LEDGER_TNEF,           /* winmail.dat as it is */
	LEDGER_NAMES,          /* attachments that got a name from us */
	LEDGER_NO_BODY,        /* the stand-in body */
	LEDGER_FROM_REWRITTEN, /* the route's From; the author is in Reply-To */
	LEDGER_TEMPLATE,       /* subject and bodies are a template's */
	LEDGER_REDIRECTED,     /* staging: other recipients than the envelope's */
	LEDGER_NO_TEMPLATE,    /* the route's template did not fit, and it went without */
	LEDGER_ENTRIES,
};

struct ledger {
	unsigned set;
	size_t undecodable; /* sequences that became U+FFFD */
};

static inline void
ledger_note(struct ledger *ledger, enum ledger_entry entry)
{
	ledger->set |= 1U << entry;
}

/*
 * The losses that a route has a word on (convert, reject, smtp): DATE, SENDER, SIGNED, ENCRYPTED,
 * CALENDAR, ALTERNATIVES, HTML_PARTS, MESSAGES, TNEF.
 */
bool ledger_has_policy(enum ledger_entry);

const char *ledger_word(enum ledger_entry);     /* "date" */
const char *ledger_sentence(enum ledger_entry); /* what happened, for people */

/* "date,sender,undecodable=12"; the caller frees. */
char *ledger_print(const struct ledger *);

#endif
