#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#include "dispatch/mix.h"

bool
mix_goes_alone(enum item_kind kind)
{
	return kind == ITEM_SMTP || kind == ITEM_LOCAL;
}

bool
mix_is_empty(const struct mix *mix)
{
	return mix_count(mix) == 0;
}

size_t
mix_count(const struct mix *mix)
{
	size_t count = 0;

	for (size_t kind = 0; kind < MIX_KINDS; kind++)
		count += mix->of[kind].count;
	return count;
}

bool
mix_is_one_request(const struct store_item *items, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		if (items[i].kind != items[0].kind)
			return false;
	}
	return count <= 1 || !mix_goes_alone(items[0].kind);
}

void
mix_add(struct mix *mix, struct store_item *items, size_t count)
{
	size_t counts[MIX_KINDS] = { 0 };

	for (size_t i = 0; i < count; i++)
		counts[items[i].kind]++;
	for (size_t kind = 0; kind < MIX_KINDS; kind++) {
		struct mix_kind *of = &mix->of[kind];

		if (of->count > 0)
			of->claims++;
		if (counts[kind] > 0)
			of->items =
			    mem_resize(of->items, of->count + counts[kind], sizeof(*of->items));
	}
	for (size_t i = 0; i < count; i++) {
		struct mix_kind *of = &mix->of[items[i].kind];

		of->items[of->count++] = items[i];
	}
	free(items);
}

/* How many of the oldest make a request.  *full_r: it would take no more. */
static size_t
kind_fits(const struct mix_kind *of, size_t most_items, uint64_t most_bytes, bool *full_r)
{
	uint64_t bytes = 0;
	size_t count = 0;

	*full_r = false;
	for (; count < of->count; count++) {
		uint64_t more = of->items[count].payload.len + of->items[count].shared.len;

		if (count == most_items || (count > 0 && more > most_bytes - bytes)) {
			*full_r = true;
			return count;
		}
		bytes = more < most_bytes - bytes ? bytes + more : most_bytes;
	}
	*full_r = count == most_items || bytes == most_bytes;
	return count;
}

static void
kind_take(struct mix_kind *of, size_t count, struct store_item **items_r)
{
	*items_r = mem_array(count, sizeof(**items_r));
	memcpy(*items_r, of->items, count * sizeof(**items_r));
	of->count -= count;
	of->claims = 0;
	if (of->count > 0) {
		memmove(of->items, of->items + count, of->count * sizeof(*of->items));
		return;
	}
	free(of->items);
	of->items = NULL;
}

bool
mix_next(struct mix *mix, size_t most_items, uint64_t most_bytes, bool all,
    struct store_item **items_r, size_t *count_r)
{
	if (most_items == 0)
		most_items = 1;
	for (size_t kind = 0; kind < MIX_KINDS; kind++) {
		struct mix_kind *of = &mix->of[kind];
		bool full;
		size_t most = mix_goes_alone((enum item_kind)kind) ? 1 : most_items;
		size_t count = kind_fits(of, most, most_bytes, &full);

		if (count == 0)
			continue;
		if (full || all || of->claims >= MIX_MOST_CLAIMS) {
			kind_take(of, count, items_r);
			*count_r = count;
			return true;
		}
	}
	return false;
}
