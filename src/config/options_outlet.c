#include <string.h>

#include "base/text.h"

#include "config/rows.h"

#define SECTION    "outlet"
#define AT(member) .at = offsetof(struct outlet, member)

/* Those of event_kind_name(); a test of the outlets compares. */
static const char *const kinds[] = { "delivery", "bounce", "complaint", "open", "click",
	"subscription", "failed", "inactive", "other", NULL };

static bool
is_kind(const char *value, size_t len)
{
	(void)len;
	for (size_t i = 0; kinds[i] != NULL; i++)
		if (text_same(kinds[i], value))
			return true;
	return false;
}

static bool
is_command_or_none(const char *value, size_t len)
{
	return len == 0 || (value[0] == '/' && value[1] != ' ' && value[1] != '\0');
}

static const struct option_row rows[] = {
	{ SECTION, "file", OPTION_STRING, RELOAD_LIVE, AT(file), .preset = "", .most = 4000,
	    .right = value_is_path_or_none, .wanted = "an absolute path",
	    .text =
		"Each event becomes a line of JSON at the end of this file.  It is opened again "
		"on SIGHUP, and when it was moved away." },
	{ SECTION, "command", OPTION_STRING, RELOAD_LIVE, AT(command), .preset = "", .most = 4000,
	    .right = is_command_or_none, .wanted = "an absolute path and arguments",
	    .text = "Runs for each event, which is its standard input, as the user that the relay "
		    "runs as.  Words are apart by spaces, unless they stand between quotes; there "
		    "is no shell.  Exit status 0: taken; any other: again later." },
	{ SECTION, "url", OPTION_STRING, RELOAD_LIVE, AT(url), .preset = "", .most = 1000,
	    .right = value_is_url_or_none, .wanted = "a URL like https://app.example.com/mail",
	    .text = "Each event is posted there as JSON.  An answer of 2xx: taken; 4xx but 408, "
		    "425 and "
		    "429: dropped and logged; any other or none: again later." },
	{ SECTION, "kinds", OPTION_LIST, RELOAD_LIVE, AT(kinds), .preset = "", .most = 16,
	    .right = is_kind,
	    .wanted = "delivery, bounce, complaint, open, click, subscription, failed, inactive or "
		      "other",
	    .text = "Which kinds of events.  Empty, here and in the next two: all." },
	{ SECTION, "streams", OPTION_LIST, RELOAD_LIVE, AT(streams), .preset = "", .most = 64,
	    .right = value_is_name, .wanted = "IDs of message streams, with * and ?",
	    .text = "Events of which message streams." },
	{ SECTION, "tags", OPTION_LIST, RELOAD_LIVE, AT(tags), .preset = "", .most = 256,
	    .right = value_is_name, .wanted = "tags, with * and ?", .by_lines = true,
	    .text = "Events of messages with which tags." },
	{ SECTION, "payload", OPTION_BOOL, RELOAD_LIVE, AT(payload), .preset = "yes",
	    .text = "Whether Postmark's own post goes along, under the name payload." },
	{ SECTION, "secret", OPTION_SECRET, RELOAD_LIVE, AT(secret), .right = value_is_token,
	    .preset = "", .most = 1000, .wanted = "letters, digits and signs",
	    .text = "Of a URL: signs the posts (HMAC-SHA-256), in the field X-Pmrelay-Signature.  "
		    "Empty: they are not signed." },
	{ SECTION, "secret-file", OPTION_SECRET_FILE, RELOAD_LIVE, AT(secret_file), .preset = "",
	    .most = 4000, .right = value_is_path_or_none, .wanted = "an absolute path",
	    .text = "File whose first line is the secret.  When neither is given, the systemd "
		    "credential outlet.NAME.secret is used." },
	{ SECTION, "ca-file", OPTION_STRING, RELOAD_LIVE, AT(ca_file), .preset = "", .most = 4000,
	    .right = value_is_path_or_none, .wanted = "an absolute path",
	    .text = "Of a URL: PEM file with the authorities whose certificates are good.  Empty: "
		    "the system's." },
	{ SECTION, "timeout", OPTION_TIME, RELOAD_LIVE, AT(timeout_ms), .preset = "30s",
	    .least = 100, .most = HOUR,
	    .text = "How long one attempt of a command or a post may take.  A command is killed "
		    "then, with all that it started." },
	{ SECTION, "parallel", OPTION_NUMBER, RELOAD_LIVE, AT(parallel), .preset = "1", .least = 1,
	    .most = 64,
	    .text = "How many events a command or a URL has at once.  With more than one their "
		    "order is not kept." },
	{ SECTION, "retry-minimum", OPTION_TIME, RELOAD_LIVE, AT(retry_least_ms), .preset = "1s",
	    .least = 10, .most = DAY,
	    .text = "How long to wait after the first attempt that failed; it doubles from one to "
		    "the next." },
	{ SECTION, "retry-maximum", OPTION_TIME, RELOAD_LIVE, AT(retry_most_ms), .preset = "5m",
	    .least = 10, .most = DAY, .text = "The longest such wait." },
	{ SECTION, "give-up", OPTION_TIME, RELOAD_LIVE, AT(give_up_ms), .preset = "1d",
	    .least = SECOND, .most = 30 * DAY,
	    .text = "How long one event is tried before it is logged and left out." },

	{ .section = NULL },
};

const struct option_section options_outlet = {
	.name = SECTION,
	.text = "Where events of sent messages (deliveries, bounces, opens and others) are passed "
		"on to: a "
		"file, a command or a URL, one of them.  A new outlet begins with what happens "
		"from then on, and each goes on where it stood after a restart; an event may come "
		"twice, with the same id.  NAME: letters, digits and '-', beginning with a letter.",
	OPTION_ROWS(rows),
	.titled = true,
	.items_at = offsetof(struct config, outlets),
	.count_at = offsetof(struct config, outlet_count),
	.item_bytes = sizeof(struct outlet),
	.title_at = offsetof(struct outlet, name),
	.most = 100,
	.taken = "notice",
	.taken_by = "what makes notices",
};
