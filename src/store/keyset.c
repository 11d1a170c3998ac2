/* Open addressing with linear probing; removal moves later entries back, so nothing is ever
 * marked as deleted and the set does not age. */

#include <stdlib.h>

#include "base/mem.h"

#include "store/keyset.h"

static size_t
slot_of(const struct keyset *set, int64_t key)
{
	return (size_t)(((uint64_t)key * 0x9E3779B97F4A7C15U) >> 20) & (set->room - 1);
}

static size_t
slot_find(const struct keyset *set, int64_t key)
{
	size_t at = slot_of(set, key);

	while (set->slots[at] != 0 && set->slots[at] != key)
		at = (at + 1) & (set->room - 1);
	return at;
}

static void
set_grow(struct keyset *set)
{
	struct keyset old = *set;

	set->room = old.room == 0 ? 64 : old.room * 2;
	set->slots = mem_array(set->room, sizeof(set->slots[0]));
	for (size_t i = 0; i < old.room; i++)
		if (old.slots[i] != 0)
			set->slots[slot_find(set, old.slots[i])] = old.slots[i];
	free(old.slots);
}

void
keyset_add(struct keyset *set, int64_t key)
{
	if (set->count * 2 >= set->room)
		set_grow(set);

	size_t at = slot_find(set, key);

	if (set->slots[at] == 0) {
		set->slots[at] = key;
		set->count++;
	}
}

void
keyset_remove(struct keyset *set, int64_t key)
{
	if (set->room == 0)
		return;

	size_t hole = slot_find(set, key);

	if (set->slots[hole] == 0)
		return;
	set->count--;
	/* Whoever stands behind the hole and may not be reached over it moves into it. */
	for (size_t at = (hole + 1) & (set->room - 1); set->slots[at] != 0;
	     at = (at + 1) & (set->room - 1)) {
		size_t home = slot_of(set, set->slots[at]);

		if (((at - home) & (set->room - 1)) >= ((at - hole) & (set->room - 1))) {
			set->slots[hole] = set->slots[at];
			hole = at;
		}
	}
	set->slots[hole] = 0;
}

bool
keyset_has(const struct keyset *set, int64_t key)
{
	return set->room != 0 && set->slots[slot_find(set, key)] == key;
}

void
keyset_free(struct keyset *set)
{
	free(set->slots);
	*set = (struct keyset){ 0 };
}
