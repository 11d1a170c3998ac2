#ifndef PMRELAY_PROGRAMS_EXPLAIN_H
#define PMRELAY_PROGRAMS_EXPLAIN_H

#include <stdbool.h>

#include "base/strlist.h"

struct config;

/* pmrelayd --explain: what the arguments say; all lent. */
struct explain_arguments {
	const char *path;                            /* "-": standard input */
	const char *from, *listener, *client, *user; /* NULL: not given */
	struct strlist to;
	bool json;
};

/*
 * Tells on the standard output what would become of a mail, as pmrelayctl explain does: without a
 * daemon, a network, a token or the spool.  Returns the exit status: 0 it would be taken, 65 it
 * would be refused, 66 there is no such file, 74 the answer cannot be written, 78 the settings
 * cannot be used.
 */
int explain_main(const struct explain_arguments *, const struct config *);

#endif
