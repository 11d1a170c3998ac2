/* Names for what was converted or dropped. */

#include "base/buf.h"
#include "convert/ledger.h"

static const char *const names[LEDGER_ENTRIES] = {
	[LEDGER_DATE] = "date",
	[LEDGER_SENDER] = "sender",
	[LEDGER_AUTHORS] = "authors",
	[LEDGER_FROM] = "from",
	[LEDGER_FROM_NAME] = "from-name",
	[LEDGER_SHOWN] = "shown-recipients",
	[LEDGER_HEADERS] = "headers",
	[LEDGER_CONTROLS] = "x-pm",
	[LEDGER_SIGNED] = "signed",
	[LEDGER_ENCRYPTED] = "encrypted",
	[LEDGER_CALENDAR] = "calendar",
	[LEDGER_ALTERNATIVES] = "alternatives",
	[LEDGER_HTML_PARTS] = "html-parts",
	[LEDGER_MESSAGES] = "messages",
	[LEDGER_TNEF] = "tnef",
	[LEDGER_NAMES] = "names",
	[LEDGER_NO_BODY] = "no-body",
};

char *
ledger_print(const struct ledger *ledger)
{
	struct buf out;

	buf_init(&out, 4096);
	for (unsigned i = 0; i < LEDGER_ENTRIES; i++)
		if (ledger->set & 1U << i) {
			if (out.len > 0)
				buf_addc(&out, ',');
			buf_adds(&out, names[i]);
		}
	if (ledger->undecodable > 0)
		buf_addf(&out, "%sundecodable=%zu", out.len > 0 ? "," : "", ledger->undecodable);
	return buf_take(&out, NULL);
}
