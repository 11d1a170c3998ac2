#ifndef PMRELAY_SANDBOX_ITEMS_H
#define PMRELAY_SANDBOX_ITEMS_H

#include <stddef.h>
#include <stdint.h>

/* What the account or a server has several of: structs that begin with their int64_t ID. */
struct items {
	void **list; /* in the order in which they were added */
	size_t count;
};

void items_deinit(struct items *, void (*item_free)(void *item));
void items_add(struct items *, void *item);         /* takes it */
void *items_find(const struct items *, int64_t id); /* NULL: there is none */
void items_remove(struct items *, void *item);      /* one that is there; gives it back */

#endif
