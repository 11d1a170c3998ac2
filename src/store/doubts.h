#ifndef PMRELAY_STORE_DOUBTS_H
#define PMRELAY_STORE_DOUBTS_H

#include <stdbool.h>
#include <stddef.h>

#include "store/store.h"

struct event;

/*
 * Events whose commit was thought to have failed, with what it did.  They may be on the disk all
 * the same, and then look like repeats when they are tried or posted again, although nobody was
 * told of them.  A zeroed struct is an empty set.
 */
struct doubts {
	struct doubt *list;
	size_t count, next;
};

/* The oldest give way when there are thousands of them. */
void doubts_add(struct doubts *, const struct event *, const struct store_event_done *);
/* Not any more.  false: it was not among them, and *did_r is left alone. */
bool doubts_take(struct doubts *, const struct event *, struct store_event_done *did_r);
void doubts_free(struct doubts *); /* leaves an empty set */

#endif
