#ifndef PMRELAY_SANDBOX_BOUNCE_TYPE_H
#define PMRELAY_SANDBOX_BOUNCE_TYPE_H

#include <stdbool.h>
#include <stddef.h>

/* The types of bounces that Postmark knows.  Pure. */
#define BOUNCE_TYPES 22

struct bounce_type {
	const char *name; /* "HardBounce" */
	int code;
	const char *title;
	const char *description;
	const char *reason; /* why it suppresses the address; NULL: it does not */
	bool can_activate;
};

const struct bounce_type *bounce_type_at(size_t index); /* below BOUNCE_TYPES */
/* Without regard to case and to underscores.  NULL: there is none of this name. */
const struct bounce_type *bounce_type_find(const char *name);
size_t bounce_type_index(const struct bounce_type *);

/*
 * The bounce that a recipient of Postmark's bounce-testing domain asks for.  wanted is the value
 * of X-PM-Bounce-Type or NULL.  NULL: the address asks for none.
 */
const struct bounce_type *bounce_type_wanted(const char *address, const char *wanted);

#endif
