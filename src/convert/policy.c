/* The route's word on what a mail would lose. */

#include "mail/refusal.h"
#include "convert/convert.h"
#include "convert/policy.h"

/* "this mail …, and the route does not take such mail" */
static const char *const clauses[LEDGER_ENTRIES] = {
	[LEDGER_DATE] = "has a Date, which Postmark would replace by its own",
	[LEDGER_SENDER] = "has a Sender beside its author, which would be lost",
	[LEDGER_SIGNED] = "is digitally signed, and its signature would be broken",
	[LEDGER_ENCRYPTED] = "is encrypted",
	[LEDGER_CALENDAR] = "has a calendar part, which would become an attachment",
	[LEDGER_ALTERNATIVES] = "has alternatives beside text and HTML, which would become "
				"attachments",
	[LEDGER_HTML_PARTS] = "has several HTML parts, which would be joined",
	[LEDGER_MESSAGES] = "has messages within, which would become attachments",
	[LEDGER_TNEF] = "has a winmail.dat (TNEF), which would go unread",
};

int
policy_decide(const struct convert_options *options, const struct ledger *ledger, bool *smtp_r,
    enum ledger_entry *for_r, struct refusal *refusal_r)
{
	*smtp_r = false;
	*for_r = LEDGER_ENTRIES;
	for (unsigned i = 0; i < LEDGER_ENTRIES; i++) {
		if ((ledger->set & 1U << i) == 0 || !ledger_has_policy(i))
			continue;
		switch (options->policy[i]) {
		case POLICY_CONVERT:
			break;
		case POLICY_REJECT:
			refusal_set(refusal_r, 554, "5.6.1",
			    "this mail %s, and the route %s does not take such mail", clauses[i],
			    options->route);
			return -1;
		case POLICY_SMTP:
			if (!*smtp_r)
				*for_r = i;
			*smtp_r = true;
			break;
		}
	}
	return 0;
}
