#ifndef PMRELAY_DISPATCH_OUTCOME_H
#define PMRELAY_DISPATCH_OUTCOME_H

#include <stddef.h>

#include "store/store.h"

/* What becomes of items, on its way to the store. */

/* Durable as from now, due now, with a line in the history. */
struct store_outcome outcome_of(const struct store_item *, enum item_state to);

/* Back to the store as they were, from SPOOLED or UNSURE: the attempt does not count. */
void outcome_give_back(struct store *, const struct store_item *items, size_t count,
    enum item_state to, store_done_fn *done, void *ctx);

void outcome_items_free(struct store_item *items, size_t count); /* with the array */

/*
 * Outcomes with their items, so that they can be told of when they are durable.
 */
struct outcomes {
	size_t count;
	struct store_item *items; /* without their payloads */
	struct store_outcome *list;
};
struct outcomes *outcomes_new(struct store_item *items, size_t count); /* takes the items */
void outcomes_set(struct outcomes *, size_t index, const struct store_outcome *); /* copies */
void outcomes_free(struct outcomes **);

#endif
