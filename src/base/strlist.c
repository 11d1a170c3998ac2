#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/strlist.h"

void
strlist_add(struct strlist *list, const char *text)
{
	strlist_take(list, mem_string(text));
}

void
strlist_add_bytes(struct strlist *list, const char *bytes, size_t len)
{
	strlist_take(list, mem_bytes(bytes, len));
}

void
strlist_take(struct strlist *list, char *text)
{
	if (list->count == list->room) {
		list->room = list->room == 0 ? 4 : list->room * 2;
		list->items = mem_resize(list->items, list->room, sizeof(*list->items));
	}
	list->items[list->count++] = text;
}

bool
strlist_has(const struct strlist *list, const char *text)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i], text) == 0)
			return true;
	return false;
}

void
strlist_copy(struct strlist *to, const struct strlist *from)
{
	*to = (struct strlist){ 0 };
	for (size_t i = 0; i < from->count; i++)
		strlist_add(to, from->items[i]);
}

void
strlist_free(struct strlist *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i]);
	free(list->items);
	*list = (struct strlist){ 0 };
}
