#include "config/rows.h"

#define SECTION    "process"
#define AT(member) .at = offsetof(struct config, member)

static const struct option_row rows[] = {
	{ SECTION, "hostname", OPTION_STRING, RELOAD_LIVE, AT(hostname), .preset = "", .most = 253,
	    .right = value_is_hostname, .wanted = "a host name",
	    .text = "Name in the SMTP greeting.  Empty: the name of the system." },
	{ SECTION, "user", OPTION_STRING, RELOAD_RESTART, AT(user), .preset = "", .most = 64,
	    .right = value_is_user, .wanted = "the name of a user",
	    .text = "User to become after the listeners are bound, when started as root.  Empty: "
		    "stay who started it." },
	{ SECTION, "group", OPTION_STRING, RELOAD_RESTART, AT(group), .preset = "", .most = 64,
	    .right = value_is_user, .wanted = "the name of a group",
	    .text = "Group to become together with the user.  Empty: the main group of that "
		    "user." },
	{ SECTION, "fronts", OPTION_NUMBER, RELOAD_RESTART, AT(fronts), .preset = "0", .most = 256,
	    .text = "Front processes, which speak SMTP and parse mail.  0: one per core of the "
		    "machine." },
	{ SECTION, "confine", OPTION_BOOL, RELOAD_RESTART, AT(confine), .preset = "yes",
	    .text = "Fence the front processes in with seccomp and Landlock where the kernel has "
		    "them." },
	{ SECTION, "drain-delay", OPTION_TIME, RELOAD_LIVE, AT(drain_delay_ms), .preset = "0s",
	    .most = 10 * MINUTE,
	    .text = "Time between SIGTERM and the end of accepting connections, so that a load "
		    "balancer can look elsewhere first." },
	{ SECTION, "drain-timeout", OPTION_TIME, RELOAD_LIVE, AT(drain_timeout_ms), .preset = "30s",
	    .least = SECOND, .most = HOUR,
	    .text = "Longest time that open sessions and requests get to end after SIGTERM." },

	{ .section = NULL },
};

const struct option_section options_process = {
	.name = SECTION,
	.text = "Who runs, as whom, and how it ends.",
	OPTION_ROWS(rows),
};
