#include "config/rows.h"

#define SECTION    "retry"
#define AT(member) .at = offsetof(struct config, member)

/* In the order of enum dispatch_unsure. */
static const char *const unsure_ways[] = { "reconcile", "retry", "hold", NULL };

static const struct option_row rows[] = {
	{ SECTION, "min", OPTION_TIME, RELOAD_LIVE, AT(retry_least_ms), .preset = "10s",
	    .least = 10, .most = DAY,
	    .text = "First wait after a failure that may pass.  It doubles with each, with "
		    "jitter." },
	{ SECTION, "max", OPTION_TIME, RELOAD_LIVE, AT(retry_most_ms), .preset = "1h", .least = 10,
	    .most = 7 * DAY, .text = "Longest wait between two attempts." },
	{ SECTION, "lifetime", OPTION_TIME, RELOAD_LIVE, AT(retry_lifetime_ms), .preset = "5d",
	    .least = SECOND, .most = 365 * DAY,
	    .text = "How long an item is tried before it has failed.  The clock stands still "
		    "while the relay waits for an operator." },
	{ SECTION, "probe", OPTION_TIME, RELOAD_LIVE, AT(retry_probe_ms), .preset = "60s",
	    .least = 10, .most = DAY,
	    .text = "How often one item is tried while a route waits for an operator, or for "
		    "Postmark to come back." },
	{ SECTION, "settle", OPTION_TIME, RELOAD_LIVE, AT(retry_settle_ms), .preset = "5m",
	    .most = HOUR,
	    .text = "How long Postmark's message search may lag behind: an unsure item is looked "
		    "up again after it before it is sent again." },
	{ SECTION, "breaker-failures", OPTION_NUMBER, RELOAD_LIVE, AT(retry_breaker_failures),
	    .preset = "5", .least = 1, .most = 1000,
	    .text = "Failures in a row after which only single items are tried until one gets "
		    "through." },
	{ SECTION, "unsure", OPTION_CHOICE, RELOAD_LIVE, AT(retry_unsure), .preset = "reconcile",
	    .choices = unsure_ways,
	    .text = "What is done when a request went out and no answer came: search Postmark and "
		    "send again only what is not there, send again at once (may send twice), or "
		    "wait for an operator." },

	{ .section = NULL },
};

const struct option_section options_retry = {
	.name = SECTION,
	.text = "When an item is tried again, and when no longer.",
	OPTION_ROWS(rows),
};
