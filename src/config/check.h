#ifndef PMRELAY_CONFIG_CHECK_H
#define PMRELAY_CONFIG_CHECK_H

#include <stdbool.h>

struct buf;
struct config;
struct lines;

/* What must hold between options that are right each by itself. */
struct check {
	const struct config *config;
	const char *name;    /* of the file */
	struct lines *given; /* in it */
	bool allow_given;    /* smtp.allow, wherever */
	struct buf *why;     /* gets a line for each rule that is broken */
};
void check_all(const struct check *);

/* The same with the secrets, where there are any: a process without them has nothing to compare.
 * 0, or -1 and a line for each rule that is broken. */
int check_loaded(const struct config *, struct buf *why);

#endif
