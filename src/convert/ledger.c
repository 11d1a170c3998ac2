/* Names for what was converted or dropped. */

#include "base/buf.h"
#include "convert/ledger.h"

static const struct {
	const char *word, *sentence;
} entries[LEDGER_ENTRIES] = {
	[LEDGER_DATE] = { "date", "The Date is not kept: Postmark sets its own." },
	[LEDGER_SENDER] = { "sender", "The Sender is not kept beside the author in From." },
	[LEDGER_AUTHORS] = { "authors", "From has several authors, and only the first is kept." },
	[LEDGER_FROM] = { "from",
	    "From is missing or of no use, and another address stands in for it." },
	[LEDGER_FROM_NAME] = { "from-name", "The name in From is cut to Postmark's limit." },
	[LEDGER_SHOWN] = { "shown-recipients",
	    "Addresses of To and Cc that are not in the envelope are not shown." },
	[LEDGER_HEADERS] = { "headers",
	    "Header fields that Postmark does not take are not passed on." },
	[LEDGER_CONTROLS] = { "x-pm", "X-PM fields that are unknown, empty, repeated or not heeded "
				      "by the route are left out." },
	[LEDGER_SIGNED] = { "signed",
	    "The signature goes along as an attachment and proves nothing any more." },
	[LEDGER_ENCRYPTED] = { "encrypted", "Encrypted content goes as attachments." },
	[LEDGER_CALENDAR] = { "calendar", "The calendar part goes as an attachment." },
	[LEDGER_ALTERNATIVES] = { "alternatives",
	    "Alternatives beside text and HTML go as attachments." },
	[LEDGER_HTML_PARTS] = { "html-parts", "Several HTML parts are joined into one." },
	[LEDGER_MESSAGES] = { "messages", "Messages within the mail go as .eml attachments." },
	[LEDGER_TNEF] = { "tnef", "winmail.dat goes as it is, unread." },
	[LEDGER_NAMES] = { "names", "Attachments without a name got one." },
	[LEDGER_NO_BODY] = { "no-body", "There is no text, and a stand-in is sent as the body." },
	[LEDGER_FROM_REWRITTEN] = { "from-rewritten",
	    "From is the route's, and the author is in Reply-To." },
	[LEDGER_TEMPLATE] = { "template", "Subject and bodies are the template's." },
	[LEDGER_REDIRECTED] = { "redirected",
	    "Staging: it goes to other recipients than it was for." },
	[LEDGER_NO_TEMPLATE] = { "no-template",
	    "A pattern of the route's template did not match, and the mail goes without it." },
};

bool
ledger_has_policy(enum ledger_entry entry)
{
	switch (entry) {
	case LEDGER_DATE:
	case LEDGER_SENDER:
	case LEDGER_SIGNED:
	case LEDGER_ENCRYPTED:
	case LEDGER_CALENDAR:
	case LEDGER_ALTERNATIVES:
	case LEDGER_HTML_PARTS:
	case LEDGER_MESSAGES:
	case LEDGER_TNEF:
		return true;
	case LEDGER_AUTHORS:
	case LEDGER_FROM:
	case LEDGER_FROM_NAME:
	case LEDGER_SHOWN:
	case LEDGER_HEADERS:
	case LEDGER_CONTROLS:
	case LEDGER_NAMES:
	case LEDGER_NO_BODY:
	case LEDGER_FROM_REWRITTEN:
	case LEDGER_TEMPLATE:
	case LEDGER_REDIRECTED:
	case LEDGER_NO_TEMPLATE:
	case LEDGER_ENTRIES:
		break;
	}
	return false;
}

const char *
ledger_word(enum ledger_entry entry)
{
	return entries[entry].word;
}

const char *
ledger_sentence(enum ledger_entry entry)
{
	return entries[entry].sentence;
}

char *
ledger_print(const struct ledger *ledger)
{
	struct buf out;

	buf_init(&out, 4096);
	for (unsigned i = 0; i < LEDGER_ENTRIES; i++)
		if (ledger->set & 1U << i) {
			if (out.len > 0)
				buf_addc(&out, ',');
			buf_adds(&out, entries[i].word);
		}
	if (ledger->undecodable > 0)
		buf_addf(&out, "%sundecodable=%zu", out.len > 0 ? "," : "", ledger->undecodable);
	return buf_take(&out, NULL);
}
