/* Suppressed addresses, see suppressions.h: an array in the order of the table. */

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/strlist.h"
#include "mail/event.h"
#include "mail/suppression.h"
#include "store/store.h"

#include "programs/suppressions.h"

#define PUBLISH_MS 1000
#define AGAIN_MS   (10 * 1000)
#define MOST_BYTES ((size_t)1024 * 1024 * 1024)
/* Postmark's list may lag behind what it posts. */
#define FRESH_MS    (60 * 1000)
#define MOST_RECENT 10000

/* What was learned lately, and not from a list. */
struct recent {
	struct suppression key; /* without reason and origin */
	int64_t at_ms;          /* monotonic */
};

struct suppressions {
	struct suppressions_params params;
	struct loop_timer *timer; /* publishes; or, before it was read, asks again */
	struct suppression *list;
	size_t count, room;
	bool read, waits;
	struct recent *recent; /* a ring */
	size_t recent_count, recent_next;
	int table_fd;
};

/* --- the array ------------------------------------------------------------------------------ */

/* Where it is or would be. */
static size_t
place_of(const struct suppressions *all, const struct suppression *key, bool *there_r)
{
	size_t low = 0, high = all->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = suppression_compare(key, &all->list[middle]);

		if (order == 0) {
			*there_r = true;
			return middle;
		}
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	*there_r = false;
	return low;
}

/* true: something changed. */
static bool
put(struct suppressions *all, const struct suppression *one)
{
	struct suppression copy;
	bool there;
	size_t at;

	suppression_copy(&copy, one);
	at = place_of(all, &copy, &there);
	if (there) {
		bool same = strcmp(all->list[at].reason, copy.reason) == 0 &&
			    strcmp(all->list[at].origin, copy.origin) == 0;

		suppression_deinit(&all->list[at]);
		all->list[at] = copy;
		return !same;
	}
	if (all->count == all->room) {
		all->room = all->room == 0 ? 256 : all->room * 2;
		all->list = mem_resize(all->list, all->room, sizeof(*all->list));
	}
	memmove(&all->list[at + 1], &all->list[at], (all->count - at) * sizeof(*all->list));
	all->list[at] = copy;
	all->count++;
	return true;
}

static bool
take_out(struct suppressions *all, const struct suppression *key)
{
	bool there;
	size_t at = place_of(all, key, &there);

	if (!there)
		return false;
	suppression_deinit(&all->list[at]);
	all->count--;
	memmove(&all->list[at], &all->list[at + 1], (all->count - at) * sizeof(*all->list));
	return true;
}

/* --- the table ------------------------------------------------------------------------------ */

static void
ask_to_publish(struct suppressions *all)
{
	if (!all->read || all->waits)
		return;
	all->waits = true;
	loop_timer_set(all->timer, PUBLISH_MS);
}

static void
publish(struct suppressions *all)
{
	struct buf table;
	size_t len;
	int fd;

	buf_init_shared(&table, MOST_BYTES, all->count * 64 + 64);
	suppression_table_make(&table, all->list, all->count);
	fd = table.over ? -1 : buf_take_fd(&table, &len);
	buf_free(&table);
	if (fd < 0) {
		log_error("suppressions-table", log_num("addresses", (int64_t)all->count),
		    log_str("why", "no descriptor or no memory for it"));
		return;
	}
	if (all->table_fd >= 0)
		close(all->table_fd);
	all->table_fd = fd;
	all->params.publish(all->params.ctx, fd);
}

int
suppressions_table(const struct suppressions *all)
{
	return all->table_fd;
}

/* --- life ----------------------------------------------------------------------------------- */

static void
on_read(void *ctx, enum store_result result, const struct suppression *list, size_t count)
{
	struct suppressions *all = ctx;

	if (result != STORE_OK) {
		log_warning("suppressions-unknown", log_str("why", "the spool did not answer"));
		loop_timer_set(all->timer, AGAIN_MS);
		return;
	}
	/* What an event said meanwhile is in the spool, too. */
	for (size_t i = 0; i < count; i++)
		put(all, &list[i]);
	all->read = true;
	publish(all);
}

static void
on_timer(void *ctx)
{
	struct suppressions *all = ctx;

	if (!all->read) {
		store_suppressions(all->params.store, on_read, all);
		return;
	}
	all->waits = false;
	publish(all);
}

struct suppressions *
suppressions_new(const struct suppressions_params *params)
{
	struct suppressions *all = mem_new(sizeof(*all));

	all->params = *params;
	all->table_fd = -1;
	all->recent = mem_array(MOST_RECENT, sizeof(*all->recent));
	all->timer = loop_timer_new(params->loop, on_timer, all);
	store_suppressions(params->store, on_read, all);
	return all;
}

void
suppressions_free(struct suppressions **all_p)
{
	struct suppressions *all = *all_p;

	if (all == NULL)
		return;
	*all_p = NULL;
	loop_timer_free(&all->timer);
	for (size_t i = 0; i < all->recent_count; i++)
		suppression_deinit(&all->recent[i].key);
	free(all->recent);
	suppression_list_free(all->list, all->count);
	if (all->table_fd >= 0)
		close(all->table_fd);
	free(all);
}

/* --- changes -------------------------------------------------------------------------------- */

static void
remember(struct suppressions *all, const struct suppression *key)
{
	struct recent *recent = &all->recent[all->recent_next];

	if (all->recent_count == MOST_RECENT)
		suppression_deinit(&recent->key);
	else
		all->recent_count++;
	suppression_copy(&recent->key, key);
	recent->at_ms = clock_mono_ms();
	all->recent_next = (all->recent_next + 1) % MOST_RECENT;
}

static bool
is_fresh(const struct suppressions *all, const struct suppression *key, int64_t since_ms)
{
	for (size_t i = 0; i < all->recent_count; i++)
		if (all->recent[i].at_ms >= since_ms - FRESH_MS &&
		    suppression_compare(&all->recent[i].key, key) == 0)
			return true;
	return false;
}

void
suppressions_event(struct suppressions *all, const struct event *event)
{
	struct suppression said = { 0 };
	bool changed = false;

	switch (event_suppression(event, &said)) {
	case EVENT_SAYS_NOTHING:
		return;
	case EVENT_SUPPRESSES:
		changed = put(all, &said);
		break;
	case EVENT_LIFTS:
		changed = take_out(all, &said);
		break;
	}
	remember(all, &said);
	free(said.address);
	if (changed)
		ask_to_publish(all);
}

static int
compare(const void *a, const void *b)
{
	return suppression_compare(a, b);
}

struct suppressions_synced
suppressions_sync(struct suppressions *all, const char *connection, const char *stream,
    const struct suppression *list, size_t count, int64_t since_ms)
{
	struct suppressions_synced synced = { 0 };
	struct suppression *sorted = mem_array(count + 1, sizeof(*sorted)), *next;
	struct suppression *gone = mem_array(all->count + 1, sizeof(*gone));
	struct suppression *fresh = mem_array(count + 1, sizeof(*fresh));
	size_t gone_count = 0, kept = 0, room;

	/* Shallow copies: what they hold stays the list's. */
	if (count > 0)
		memcpy(sorted, list, count * sizeof(*sorted));
	qsort(sorted, count, sizeof(*sorted), compare);
	for (size_t i = 0; i < count; i++) {
		bool there;

		(void)place_of(all, &sorted[i], &there);
		if (!there && !is_fresh(all, &sorted[i], since_ms))
			fresh[synced.added++] = sorted[i];
	}
	/* One pass over ours, so that a long list costs no more than its length. */
	room = all->count + synced.added + 1;
	next = mem_array(room, sizeof(*next));
	for (size_t i = 0; i < all->count; i++) {
		struct suppression *ours = &all->list[i];
		bool is_of =
		    strcmp(ours->connection, connection) == 0 && strcmp(ours->stream, stream) == 0;

		if (is_of && bsearch(ours, sorted, count, sizeof(*sorted), compare) == NULL &&
		    !is_fresh(all, ours, since_ms))
			gone[gone_count++] = *ours;
		else
			next[kept++] = *ours;
	}
	for (size_t i = 0; i < synced.added; i++)
		suppression_copy(&next[kept++], &fresh[i]);
	synced.lifted = gone_count;
	if (synced.added + gone_count > 0) {
		store_suppressions_change(
		    all->params.store, fresh, synced.added, gone, gone_count, NULL, NULL);
		for (size_t i = 0; i < gone_count; i++)
			suppression_deinit(&gone[i]);
		qsort(next, kept, sizeof(*next), compare);
		free(all->list);
		all->list = next;
		all->count = kept;
		all->room = room;
		ask_to_publish(all);
	} else {
		free(next);
	}
	free(sorted);
	free(fresh);
	free(gone);
	return synced;
}

void
suppressions_change(struct suppressions *all, const char *connection, const char *stream,
    const struct suppression *add, size_t add_count, const struct strlist *lift)
{
	struct suppression *gone = mem_array(lift->count + 1, sizeof(*gone));

	for (size_t i = 0; i < lift->count; i++) {
		const struct suppression key = { .connection = (char *)connection,
			.stream = (char *)stream,
			.address = lift->items[i] };

		suppression_copy(&gone[i], &key);
		take_out(all, &gone[i]);
		remember(all, &gone[i]);
	}
	for (size_t i = 0; i < add_count; i++) {
		put(all, &add[i]);
		remember(all, &add[i]);
	}
	store_suppressions_change(all->params.store, add, add_count, gone, lift->count, NULL, NULL);
	suppression_list_free(gone, lift->count);
	/* Whoever lifted it tries at once. */
	if (all->read)
		publish(all);
}

struct suppression *
suppressions_find(const struct suppressions *all, const char *address, size_t *count_r)
{
	struct suppression *found = NULL;
	char *small = suppression_address(address);

	*count_r = 0;
	for (size_t i = 0; i < all->count; i++) {
		if (strcmp(all->list[i].address, small) != 0)
			continue;
		found = mem_resize(found, *count_r + 1, sizeof(*found));
		suppression_copy(&found[(*count_r)++], &all->list[i]);
	}
	free(small);
	return found;
}
