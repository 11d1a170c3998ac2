/*
 * The split.  All recipients are put into one row, To first, then Cc, then the blind ones; items
 * are runs of that row.  So each recipient is in exactly one item by construction, and a run's
 * place in the row says what it shows.
 */

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/strlist.h"
#include "mail/address.h"
#include "convert/recipients.h"

/* A recipient of the envelope and whether it has its place already. */
struct place {
	const char *address;
	struct mailbox *bare;
	bool placed;
};

static int
place_compare(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	return strcmp(x->address, y->address);
}

/* Sorts the envelope and drops repeats.  Keeps the envelope's order in split->bare. */
static size_t
places_make(struct recipients_split *split, const struct strlist *envelope, struct place **places_r)
{
	struct place *places = mem_array(envelope->count, sizeof(*places));
	size_t count = 0, bare_count = 0;

	for (size_t i = 0; i < envelope->count; i++)
		places[i].address = envelope->items[i];
	qsort(places, envelope->count, sizeof(*places), place_compare);
	for (size_t i = 0; i < envelope->count; i++)
		if (count == 0 || strcmp(places[i].address, places[count - 1].address) != 0)
			places[count++] = places[i];

	split->bare = mem_array(count, sizeof(*split->bare));
	for (size_t i = 0; i < envelope->count; i++) {
		struct place key = { .address = envelope->items[i] };
		struct place *place = bsearch(&key, places, count, sizeof(*places), place_compare);

		if (place->bare != NULL)
			continue;
		place->bare = &split->bare[bare_count++];
		place->bare->address = envelope->items[i];
	}
	*places_r = places;
	return count;
}

/* Appends to the row those of a header's mailboxes that are in the envelope and have no place. */
static size_t
row_add(struct recipients_split *split, size_t at, struct place *places, size_t count,
    const struct mailbox_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		struct place key = { .address = list->boxes[i].address };
		struct place *place = bsearch(&key, places, count, sizeof(*places), place_compare);

		if (place == NULL) {
			split->shown_dropped++;
		} else if (!place->placed) {
			place->placed = true;
			split->order[at++] = &list->boxes[i];
		}
	}
	return at;
}

void
recipients_split(struct recipients_split *split, const struct strlist *envelope,
    const struct mailbox_list *to, const struct mailbox_list *cc, size_t most)
{
	struct place *places;
	size_t count, to_end, cc_end, end, start;

	*split = (struct recipients_split){ 0 };
	count = places_make(split, envelope, &places);
	split->order = mem_array(count, sizeof(*split->order));
	to_end = row_add(split, 0, places, count, to);
	cc_end = row_add(split, to_end, places, count, cc);
	end = cc_end;
	for (size_t i = 0; i < count; i++) {
		struct place key = { .address = split->bare[i].address };
		struct place *place = bsearch(&key, places, count, sizeof(*places), place_compare);

		if (!place->placed)
			split->order[end++] = &split->bare[i];
	}
	free(places);

	/* At most one item for each recipient. */
	split->items = mem_array(count, sizeof(*split->items));
	for (start = 0; start < end;) {
		struct recipients *item = &split->items[split->item_count++];
		const struct mailbox **row = split->order + start;
		size_t size = end - start < most ? end - start : most;
		size_t to_left = start < to_end ? to_end - start : 0;
		size_t shown_left = start < cc_end ? cc_end - start : 0;

		if (shown_left == 0) {
			/* Nobody left to show: blind recipients must not see each other. */
			item->to = row;
			item->to_count = 1;
			start++;
			continue;
		}
		if (shown_left > size)
			shown_left = size;
		if (to_left > size)
			to_left = size;
		/* Postmark wants a To. */
		if (to_left == 0)
			to_left = shown_left;
		item->to = row;
		item->to_count = to_left;
		item->cc = row + to_left;
		item->cc_count = shown_left - to_left;
		item->bcc = row + shown_left;
		item->bcc_count = size - shown_left;
		start += size;
	}
}

void
recipients_free(struct recipients_split *split)
{
	free(split->items);
	free(split->bare);
	free(split->order);
	*split = (struct recipients_split){ 0 };
}
