#include "config/rows.h"

#define SECTION    "log"
#define AT(member) .at = offsetof(struct config, member)

/* In the order of enum log_level and of enum log_format. */
static const char *const levels[] = { "error", "warning", "info", "debug", NULL };
static const char *const formats[] = { "text", "json", NULL };

static const struct option_row rows[] = {
	{ SECTION, "level", OPTION_CHOICE, RELOAD_LIVE, AT(log_level), .preset = "info",
	    .choices = levels, .text = "The least important kind of line that is written." },
	{ SECTION, "format", OPTION_CHOICE, RELOAD_RESTART, AT(log_format), .preset = "text",
	    .choices = formats, .text = "key=value pairs, or one JSON object a line." },
	{ SECTION, "file", OPTION_STRING, RELOAD_LIVE, AT(log_file),
	    .preset = LOCALSTATEDIR "/log/pmrelay.log", .most = 4000, .right = value_is_path,
	    .wanted = "an absolute path",
	    .text = "File that is written to in the background; SIGHUP opens it again.  In the "
		    "foreground the log goes to the standard error output." },

	{ .section = NULL },
};

const struct option_section options_log = {
	.name = SECTION,
	.text = "What is written to the log.",
	OPTION_ROWS(rows),
};
