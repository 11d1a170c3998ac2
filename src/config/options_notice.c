#include "config/route_value.h"
#include "config/rows.h"

#define SECTION    "notice"
#define AT(member) .at = offsetof(struct config, member)

/* Those of enum notice_to and enum notice_via. */
static const char *const to[] = { "off", "sender", "postmaster", NULL };
static const char *const via[] = { "inbound", "postmark", NULL };

static bool
is_address_or_none(const char *value, size_t len)
{
	return len == 0 || route_value_is_address(value, len);
}

static const struct option_row rows[] = {
	{ SECTION, "bounces", OPTION_CHOICE, RELOAD_LIVE, AT(notice_bounces), .preset = "off",
	    .choices = to,
	    .text = "Who gets a notice when a mail that was sent did not arrive: the envelope's "
		    "sender, the postmaster, or nobody.  A mail without a sender makes none." },
	{ SECTION, "failures", OPTION_CHOICE, RELOAD_LIVE, AT(notice_failures), .preset = "off",
	    .choices = to,
	    .text = "The same for a mail that was accepted and will not be sent, because Postmark "
		    "refused it or it is too old.  Where the client was told so, there is none." },
	{ SECTION, "via", OPTION_CHOICE, RELOAD_LIVE, AT(notice_via), .preset = "inbound",
	    .choices = via,
	    .text = "How notices travel: as mail that came in, to where inbound { } says, or by "
		    "Postmark, to anybody." },
	{ SECTION, "from", OPTION_STRING, RELOAD_LIVE, AT(notice_from), .preset = "", .most = 500,
	    .right = route_value_is_from,
	    .wanted = "an address, or a name and an address in angle brackets",
	    .text = "From of notices.  Empty: Mail Delivery System at process.hostname; Postmark "
		    "wants one that it knows." },
	{ SECTION, "postmaster", OPTION_STRING, RELOAD_LIVE, AT(notice_postmaster), .preset = "",
	    .most = 320, .right = is_address_or_none, .wanted = "an address like ann@example.com",
	    .text = "Who the postmaster is." },
	{ SECTION, "connection", OPTION_STRING, RELOAD_LIVE, AT(notice_connection),
	    .preset = "default", .most = VALUE_MOST_TITLE_BYTES, .right = value_is_title,
	    .wanted = "default, or the name of a connection",
	    .text = "By Postmark: whose token they go with." },
	{ SECTION, "stream", OPTION_STRING, RELOAD_LIVE, AT(notice_stream), .preset = "",
	    .most = 100, .right = value_is_stream_or_none,
	    .wanted = "the ID of a message stream, or \"\"",
	    .text = "By Postmark: their message stream.  Empty: the connection's." },
	{ SECTION, "most-per-hour", OPTION_NUMBER, RELOAD_LIVE, AT(notice_most), .preset = "100",
	    .least = 1, .most = 1000000,
	    .text = "Notices to one address in an hour; what is beyond is logged and not sent." },

	{ .section = NULL },
};

const struct option_section options_notice = {
	.name = SECTION,
	.text = "Delivery status notifications (RFC 3464): mails that tell a sender what did not "
		"arrive.  See the option notice of a route, too.",
	OPTION_ROWS(rows),
};
