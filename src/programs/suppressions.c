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
/* Postmark's list may lag behind what it posts: it says how things were so long before. */
#define LAGS_MS (60 * 1000)

struct suppressions {
	struct suppressions_params params;
	struct loop_timer *timer; /* publishes; or, before it was read, asks again */
	struct suppression *list; /* with what was lifted */
	size_t count, room;
	bool read, waits;
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

static bool
same(const struct suppression *a, const struct suppression *b)
{
	return a->lifted == b->lifted && a->at_ms == b->at_ms &&
	       strcmp(a->reason, b->reason) == 0 && strcmp(a->origin, b->origin) == 0;
}

/* true: something changed that a table shows. */
static bool
put(struct suppressions *all, const struct suppression *one)
{
	struct suppression copy;
	bool there, shows;
	size_t at;

	suppression_copy(&copy, one);
	at = place_of(all, &copy, &there);
	if (there) {
		struct suppression *ours = &all->list[at];

		if (!suppression_replaces(&copy, ours)) {
			suppression_deinit(&copy);
			return false;
		}
		shows = !same(&copy, ours) && !(copy.lifted && ours->lifted);
		suppression_deinit(ours);
		*ours = copy;
		return shows;
	}
	if (all->count == all->room) {
		all->room = all->room == 0 ? 256 : all->room * 2;
		all->list = mem_resize(all->list, all->room, sizeof(*all->list));
	}
	memmove(&all->list[at + 1], &all->list[at], (all->count - at) * sizeof(*all->list));
	all->list[at] = copy;
	all->count++;
	return !copy.lifted;
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
	suppression_list_free(all->list, all->count);
	if (all->table_fd >= 0)
		close(all->table_fd);
	free(all);
}

/* --- changes -------------------------------------------------------------------------------- */

void
suppressions_event(struct suppressions *all, const struct event *event)
{
	struct suppression said;

	if (event_suppression(event, &said) == EVENT_SAYS_NOTHING)
		return;
	if (put(all, &said))
		ask_to_publish(all);
	free(said.address);
}

static int
compare(const void *a, const void *b)
{
	return suppression_compare(a, b);
}

/*
 * Since when an address that is on Postmark's list is suppressed; -1: the list says nothing new.
 * ours: NULL if there is none.
 */
static int64_t
news_of(const struct suppression *theirs, const struct suppression *ours, int64_t list_ms)
{
	if (ours == NULL && theirs->at_ms == 0)
		return list_ms;
	if (ours == NULL || theirs->at_ms > ours->at_ms)
		return theirs->at_ms;
	/* Lifted, by what we heard, and listed long after that: the list is right. */
	return ours->lifted && ours->at_ms <= list_ms ? list_ms : -1;
}

struct suppressions_synced
suppressions_sync(struct suppressions *all, const char *connection, const char *stream,
    const struct suppression *list, size_t count, int64_t asked_ms)
{
	const int64_t list_ms = asked_ms - LAGS_MS;
	struct suppressions_synced synced = { 0 };
	struct suppression *sorted = mem_array(count + 1, sizeof(*sorted));
	/* Shallow copies: what they hold stays the list's, or ours. */
	struct suppression *news = mem_array(count + all->count + 1, sizeof(*news));
	size_t news_count = 0, fresh = 0;

	if (count > 0)
		memcpy(sorted, list, count * sizeof(*sorted));
	qsort(sorted, count, sizeof(*sorted), compare);
	all->room = all->count + count + 1;
	all->list = mem_resize(all->list, all->room, sizeof(*all->list));
	for (size_t i = 0; i < all->count; i++) {
		struct suppression *ours = &all->list[i];

		if (ours->lifted || ours->at_ms > list_ms ||
		    strcmp(ours->connection, connection) != 0 ||
		    strcmp(ours->stream, stream) != 0 ||
		    bsearch(ours, sorted, count, sizeof(*sorted), compare) != NULL)
			continue;
		ours->lifted = true;
		ours->at_ms = list_ms;
		news[news_count++] = *ours;
		synced.lifted++;
	}
	/* New ones behind the others, so that a long list costs no more than its length. */
	for (size_t i = 0; i < count; i++) {
		struct suppression one = sorted[i], *ours;
		bool there;
		size_t at;

		if (i > 0 && compare(&sorted[i - 1], &one) == 0)
			continue;
		at = place_of(all, &one, &there);
		ours = there ? &all->list[at] : NULL;
		one.at_ms = news_of(&sorted[i], ours, list_ms);
		if (one.at_ms < 0)
			continue;
		news[news_count++] = one;
		synced.added += ours == NULL || ours->lifted;
		if (ours != NULL)
			suppression_deinit(ours);
		suppression_copy(ours != NULL ? ours : &all->list[all->count + fresh++], &one);
	}
	all->count += fresh;
	if (fresh > 0)
		qsort(all->list, all->count, sizeof(*all->list), compare);
	if (news_count > 0) {
		store_suppressions_change(all->params.store, news, news_count, NULL, NULL);
		ask_to_publish(all);
	}
	free(sorted);
	free(news);
	return synced;
}

/* An operator's word is the last, whatever the clocks say. */
static void
put_at_least(struct suppressions *all, struct suppression *one)
{
	bool there;
	size_t at = place_of(all, one, &there);

	if (there && all->list[at].at_ms > one->at_ms)
		one->at_ms = all->list[at].at_ms;
	put(all, one);
}

void
suppressions_change(struct suppressions *all, const char *connection, const char *stream,
    const struct suppression *add, size_t add_count, const struct strlist *lift)
{
	const int64_t now_ms = clock_wall_ms();
	struct suppression *changes = mem_array(lift->count + add_count + 1, sizeof(*changes));
	size_t count = 0;

	for (size_t i = 0; i < lift->count; i++) {
		const struct suppression key = { .connection = (char *)connection,
			.stream = (char *)stream,
			.address = lift->items[i],
			.at_ms = now_ms,
			.lifted = true };

		suppression_copy(&changes[count++], &key);
	}
	for (size_t i = 0; i < add_count; i++)
		suppression_copy(&changes[count++], &add[i]);
	for (size_t i = 0; i < count; i++)
		put_at_least(all, &changes[i]);
	store_suppressions_change(all->params.store, changes, count, NULL, NULL);
	suppression_list_free(changes, count);
	/* Whoever lifted it tries at once. */
	if (all->read)
		publish(all);
}

void
suppressions_purge(struct suppressions *all, int64_t lifted_before_ms)
{
	size_t kept = 0;

	for (size_t i = 0; i < all->count; i++)
		if (all->list[i].lifted && all->list[i].at_ms < lifted_before_ms)
			suppression_deinit(&all->list[i]);
		else
			all->list[kept++] = all->list[i];
	all->count = kept;
}

struct suppression *
suppressions_find(const struct suppressions *all, const char *address, size_t *count_r)
{
	struct suppression *found = NULL;
	char *small = suppression_address(address);

	*count_r = 0;
	for (size_t i = 0; i < all->count; i++) {
		if (all->list[i].lifted || strcmp(all->list[i].address, small) != 0)
			continue;
		found = mem_resize(found, *count_r + 1, sizeof(*found));
		suppression_copy(&found[(*count_r)++], &all->list[i]);
	}
	free(small);
	return found;
}
