#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#include "sandbox/items.h"

void
items_deinit(struct items *items, void (*item_free)(void *item))
{
	for (size_t i = 0; i < items->count; i++)
		item_free(items->list[i]);
	free(items->list);
	memset(items, 0, sizeof(*items));
}

void
items_add(struct items *items, void *item)
{
	items->list = mem_resize(items->list, items->count + 1, sizeof(void *));
	items->list[items->count++] = item;
}

void *
items_find(const struct items *items, int64_t id)
{
	for (size_t i = 0; i < items->count; i++) {
		const int64_t *item_id = items->list[i];

		if (*item_id == id)
			return items->list[i];
	}
	return NULL;
}

void
items_remove(struct items *items, void *item)
{
	size_t i = 0;

	while (items->list[i] != item)
		i++;
	items->count--;
	memmove(&items->list[i], &items->list[i + 1], (items->count - i) * sizeof(void *));
}
