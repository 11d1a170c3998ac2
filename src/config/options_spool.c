#include "config/rows.h"

#define SECTION    "spool"
#define AT(member) .at = offsetof(struct config, member)

static const struct option_row rows[] = {
	{ SECTION, "folder", OPTION_STRING, RELOAD_RESTART, AT(spool_folder),
	    .preset = LOCALSTATEDIR "/spool/pmrelay", .most = 4000, .right = value_is_path,
	    .wanted = "an absolute path",
	    .text =
		"Folder of the queue.  It belongs on a disk that keeps what was synced to it." },
	{ SECTION, "require-durable", OPTION_BOOL, RELOAD_RESTART, AT(require_durable_spool),
	    .preset = "no",
	    .text = "Refuse to start when the folder lies where a restart loses it (tmpfs, the "
		    "overlay of a container), instead of warning." },
	{ SECTION, "min-free", OPTION_SIZE, RELOAD_RESTART, AT(spool_min_free_bytes),
	    .preset = "64M", .most = 1024 * GIBIBYTE,
	    .text = "Free space below which mails are put off with 452." },
	{ SECTION, "keep-history", OPTION_TIME, RELOAD_LIVE, AT(spool_keep_history_ms),
	    /* What Postmark posts again, for ten hours and twenty minutes, is known until then. */
	    .preset = "30d", .least = DAY, .most = 3650 * DAY,
	    .text =
		"How long ids, recipients and Postmark's answers are kept after an item has "
		"ended, and after the last event of it.  Contents go when it ends; those of mails "
		"that came in and were refused where they go, which are held, go after this "
		"time." },
	{ SECTION, "sync-delay", OPTION_TIME, RELOAD_RESTART, AT(spool_sync_delay_ms),
	    .preset = "0s", .most = SECOND,
	    .text = "How long a commit waits for others to share its sync with.  More mails a "
		    "second on slow disks, a later 250 for each." },

	{ .section = NULL },
};

const struct option_section options_spool = {
	.name = SECTION,
	.text = "Where accepted mail is kept.",
	OPTION_ROWS(rows),
};
