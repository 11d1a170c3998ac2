#include <stdlib.h>

#include "base/loop.h"
#include "base/mem.h"

#include "dispatch/outcome.h"
#include "dispatch/pending.h"

struct pending *
pending_new(struct pending_list *list, struct store *store, void *owner, void *more)
{
	struct pending *pending = mem_new(sizeof(*pending));

	pending->list = list;
	pending->store = store;
	pending->owner = owner;
	pending->more = more;
	pending->next = list->first;
	if (pending->next != NULL)
		pending->next->prev = pending;
	list->first = pending;
	list->count++;
	return pending;
}

static void
pending_unlink(struct pending *pending)
{
	if (pending->prev != NULL)
		pending->prev->next = pending->next;
	else
		pending->list->first = pending->next;
	if (pending->next != NULL)
		pending->next->prev = pending->prev;
	pending->list->count--;
}

void *
pending_back(struct pending *pending)
{
	void *owner = pending->owner;

	if (owner != NULL)
		pending_unlink(pending);
	loop_last_free(&pending->last);
	outcomes_free(&pending->outcomes);
	free(pending);
	return owner;
}

static void
orphan_last(void *ctx)
{
	pending_back(ctx);
}

void
pending_orphan(struct pending_list *list, struct loop *loop)
{
	while (list->first != NULL) {
		struct pending *pending = list->first;

		pending_unlink(pending);
		pending->owner = NULL;
		pending->list = NULL;
		pending->last = loop_last_new(loop, orphan_last, pending);
	}
}
