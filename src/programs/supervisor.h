#ifndef PMRELAY_PROGRAMS_SUPERVISOR_H
#define PMRELAY_PROGRAMS_SUPERVISOR_H

#include <stdbool.h>

struct config;

struct supervisor_params {
	struct config *config;    /* taken, with its secrets loaded */
	const char *config_path;  /* for SIGHUP; lent */
	char *const *environment; /* what the settings also come from, for SIGHUP; lent */
	bool foreground;
};

/*
 * Binds, drops privileges, starts the core and the fronts, and starts again what dies.  Returns the
 * status to exit with.
 */
int supervisor_main(const struct supervisor_params *);

#endif
