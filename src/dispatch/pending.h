#ifndef PMRELAY_DISPATCH_PENDING_H
#define PMRELAY_DISPATCH_PENDING_H

#include <stdbool.h>
#include <stddef.h>

#include "store/store.h"

/*
 * Calls to the store cannot be cancelled, and whoever made one may be gone when it returns.  So
 * the store gets a note with the owner's name on it; an owner that goes first takes its name off.
 * A store that is closed meanwhile does not call back: such a note ends with the loop.
 */
struct loop;
struct loop_last;
struct outcomes;

struct pending {
	struct pending *next, *prev;
	struct pending_list *list;
	struct loop_last *last; /* of an orphan */
	struct store *store; /* still there, or the call would not come back */
	void *owner;	     /* NULL: gone */
	void *more;	     /* the owner's, for this call */
	bool flag;	     /* the owner's, for this call */
	struct outcomes *outcomes; /* what the call is about; freed with the note */
	void (*done)(void *ctx, int store_result); /* somebody else's who waits; NULL */
	void *done_ctx;
};
struct pending_list {
	struct pending *first;
	size_t count;
};

struct pending *pending_new(struct pending_list *, struct store *, void *owner, void *more);
/* The call is back: frees the note, and gives the owner, or NULL. */
void *pending_back(struct pending *);
void pending_orphan(struct pending_list *, struct loop *);

#endif
