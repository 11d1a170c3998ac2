#include "config/rows.h"

#define SECTION    "suppression"
#define AT(member) .at = offsetof(struct config, member)

static const struct option_row rows[] = {
	{ SECTION, "sync", OPTION_BOOL, RELOAD_LIVE, AT(suppression_sync), .preset = "yes",
	    .text = "Read the addresses that Postmark sends nothing to, of each stream in use, at the "
		    "start and from time to time.  Webhooks keep them up to date between." },
	{ SECTION, "refresh", OPTION_TIME, RELOAD_LIVE, AT(suppression_refresh_ms), .preset = "1h",
	    .least = MINUTE, .most = 7 * DAY, .text = "How often." },

	{ .section = NULL },
};

const struct option_section options_suppression = {
	.name = SECTION,
	.text = "Recipients that are known to get nothing are refused before a mail is accepted (see "
		"refuse-suppressed of a route).",
	OPTION_ROWS(rows),
};
