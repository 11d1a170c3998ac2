#include "config/rows.h"

#include "config/inbound_value.h"

#define SECTION    "inbound"
#define AT(member) .at = offsetof(struct config, member)

_Static_assert(INBOUND_MOST_RECIPIENTS == 100, "what is wanted of inbound.recipients says so");

static const struct option_row rows[] = {
	{ SECTION, "deliver", OPTION_STRING, RELOAD_LIVE, AT(inbound_deliver), .preset = "",
	    .most = 4000, .right = inbound_value_is_target_or_none,
	    .wanted = "lmtp:unix:/path, lmtp://host:port, smtp://host:port, maildir:/path or "
		      "command:/path with arguments",
	    .text =
		"Where mails go that Postmark hands in, one transaction for each recipient.  A "
		"Maildir may have %{localpart} and %{domain} of the recipient in its path, and has "
		"to be there then; without them it is made.  A command gets the mail as a file in "
		"memory on its standard input, SENDER, RECIPIENT and PMRELAY_ITEM in its "
		"environment, and no shell; its words are apart by spaces, unless they stand "
		"between quotes.  It ends with 0 when it has the mail, with 64 to 78 but 75 when "
		"it will never take it, and "
		"with anything else to be tried again.  Empty: nowhere; what comes in is kept and "
		"waits." },
	{ SECTION, "starttls", OPTION_BOOL, RELOAD_LIVE, AT(inbound_starttls), .preset = "no",
	    .text = "To smtp:// by STARTTLS alone, with a certificate that is right.  No: in the "
		    "clear." },
	{ SECTION, "recipients", OPTION_LIST, RELOAD_LIVE, AT(inbound_recipients), .preset = "",
	    .most = 1000, .right = inbound_value_is_mapping,
	    .wanted = "PATTERN=ADDRESS, or PATTERN=ADDRESS,ADDRESS, with 100 addresses at most",
	    .text = "Whose mail it is: of the pairs whose pattern (with * and ?, of the whole "
		    "address that Postmark took it for) fits, the first.  ${hash} in an address is "
		    "what stood behind the + in that address; where that makes none, the pair does "
		    "not fit.  Without a pair that fits the address stays as it came; one that "
		    "mail cannot go to, with a ? or a space in it for instance, is held then." },
	{ SECTION, "parallel", OPTION_NUMBER, RELOAD_LIVE, AT(inbound_parallel), .preset = "4",
	    .least = 1, .most = 64, .text = "Most deliveries at once." },
	{ SECTION, "timeout", OPTION_TIME, RELOAD_LIVE, AT(inbound_timeout_ms), .preset = "5m",
	    .least = SECOND, .most = HOUR,
	    .text = "Longest time for one delivery; a command is killed then." },
	{ SECTION, "hops", OPTION_NUMBER, RELOAD_LIVE, AT(inbound_hops), .preset = "50", .least = 5,
	    .most = 1000,
	    .text = "A mail with more Received fields goes round in circles and is held, as is one "
		    "that has been here before." },

	{ .section = NULL },
};

const struct option_section options_inbound = {
	.name = SECTION,
	.text = "What becomes of mails that Postmark takes for us and posts to a listener of "
		"webhook { }.  Their route is called inbound.",
	OPTION_ROWS(rows),
};
