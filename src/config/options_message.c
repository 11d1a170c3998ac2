#include "config/rows.h"

#define SECTION    "message"
#define AT(member) .at = offsetof(struct config, member)

/* Postmark's own words for TrackLinks. */
const char *const option_track_links[] = { "", "None", "HtmlAndText", "HtmlOnly", "TextOnly",
	NULL };

static const struct option_row rows[] = {
	{ SECTION, "tag", OPTION_STRING, RELOAD_LIVE, AT(tag), .preset = "", .most = 1000,
	    .wanted = "a text of at most 1000 characters",
	    .text = "Tag of messages that bring none in X-PM-Tag." },
	{ SECTION, "track-opens", OPTION_TRISTATE, RELOAD_LIVE, AT(track_opens), .preset = "",
	    .text = "Whether opens are tracked where X-PM-TrackOpens does not say.  Empty: as the "
		    "server is set up at Postmark." },
	{ SECTION, "track-links", OPTION_STRING, RELOAD_LIVE, AT(track_links), .preset = "",
	    .most = 11, .choices = option_track_links,
	    .text = "Which links are tracked where X-PM-TrackLinks does not say.  Empty: as the "
		    "server is set up at Postmark." },
	{ SECTION, "refuse-suppressed", OPTION_BOOL, RELOAD_LIVE, AT(refuse_suppressed),
	    .preset = "yes",
	    .text = "Refuse recipients with 550 of whom it is known that Postmark sends nothing to "
		    "them on the mail's stream (see section suppression).  At RCPT where "
		    "the route is certain by then, for that route's own stream: switch it off "
		    "where mails name other streams by X-PM-Message-Stream.  Else at the end of "
		    "the mail, when there is nobody else it would go to." },
	{ SECTION, "mime-depth", OPTION_NUMBER, RELOAD_LIVE, AT(mime_depth), .preset = "100",
	    .least = 10, .most = 200,
	    .text = "Deepest nesting of MIME parts.  Beyond it a mail is refused." },
	{ SECTION, "mime-parts", OPTION_NUMBER, RELOAD_LIVE, AT(mime_parts), .preset = "1000",
	    .least = 10, .most = 100000,
	    .text = "Most MIME parts of a mail.  Beyond it a mail is refused." },
	{ SECTION, "mime-headers", OPTION_NUMBER, RELOAD_LIVE, AT(mime_headers), .preset = "1000",
	    .least = 100, .most = 100000,
	    .text = "Most header fields of a mail.  Beyond it a mail is refused." },

	{ .section = NULL },
};

const struct option_section options_message = {
	.name = SECTION,
	.text = "How a mail becomes a Postmark message.",
	OPTION_ROWS(rows),
};
