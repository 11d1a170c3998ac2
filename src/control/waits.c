/*
 * Those who wait for items: they are told of each event of theirs.  Events come from the core's
 * thread through the feed; this side is woken once for however many there are.
 */

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/loop.h"
#include "base/mem.h"
#include "mail/mail.h"

#include "control/feed.h"
#include "control/inside.h"

#define AT_ONCE 64

struct wait {
	struct wait *next, *prev;
	struct waits *waits;
	struct request *request;
	json_t *items; /* an object with a member for each id; NULL: whatever happens */
	uint64_t after;
	wait_event_fn *event;
};

struct waits {
	struct control *control;
	struct wait *list;
	bool armed;
	struct wait *running; /* NULL when it was freed by its own callback */
};

static void deliver(struct waits *);

static void
woken(void *ctx)
{
	struct waits *waits = ctx;

	waits->armed = false;
	deliver(waits);
}

/* On the thread that adds. */
static void
wake(void *ctx)
{
	struct waits *waits = ctx;

	loop_post(waits->control->loop, woken, waits);
}

static void
arm(struct waits *waits)
{
	if (waits->armed || waits->list == NULL)
		return;
	waits->armed = true;
	feed_arm(waits->control->feed, wake, waits);
}

bool
event_is_vague(const struct feed_event *event)
{
	bool changed = strcmp(event->kind, "held") == 0 || strcmp(event->kind, "deleted") == 0;
	char mail_id[ULID_SIZE], id[ITEM_ID_SIZE] = "";
	unsigned number;

	/* An id is told as it was typed. */
	if (item_id_read(event->item, mail_id, &number) == 0 && number > 0)
		item_id(id, mail_id, number);
	return changed && (id[0] == '\0' || strcmp(event->item, id) != 0);
}

static bool
wants(const struct wait *wait, const struct feed_event *event)
{
	return wait->items == NULL || json_object_get(wait->items, event->item) != NULL ||
	       event_is_vague(event);
}

/* Everything that is new for one of them.  It may be freed on the way. */
static void
deliver_to(struct waits *waits, struct wait *wait)
{
	struct feed_event *events = mem_array(AT_ONCE, sizeof(*events));
	uint64_t missed;
	size_t count;

	waits->running = wait;
	do {
		count = feed_read(waits->control->feed, wait->after, events, AT_ONCE, &missed);
		if (missed > 0)
			wait->event(wait->request, NULL);
		for (size_t i = 0; i < count && waits->running != NULL; i++) {
			wait->after = events[i].number;
			if (wants(wait, &events[i]))
				wait->event(wait->request, &events[i]);
		}
	} while (count == AT_ONCE && waits->running != NULL);
	waits->running = NULL;
	free(events);
}

static void
deliver(struct waits *waits)
{
	struct wait *next;

	/* Armed first: what is added while this runs wakes us again. */
	arm(waits);
	for (struct wait *wait = waits->list; wait != NULL; wait = next) {
		next = wait->next;
		deliver_to(waits, wait);
	}
}

struct waits *
waits_new(struct control *control)
{
	struct waits *waits = mem_new(sizeof(*waits));

	waits->control = control;
	return waits;
}

void
waits_free(struct waits **waits)
{
	if (*waits == NULL)
		return;
	feed_arm((*waits)->control->feed, NULL, NULL);
	while ((*waits)->list != NULL)
		wait_free(&(struct wait *){ (*waits)->list });
	free(*waits);
	*waits = NULL;
}

struct wait *
wait_new(
    struct waits *waits, struct request *request, uint64_t after, bool all, wait_event_fn *event)
{
	struct wait *wait = mem_new(sizeof(*wait));

	wait->waits = waits;
	wait->request = request;
	wait->after = after;
	wait->items = all ? NULL : json_object();
	wait->event = event;
	wait->next = waits->list;
	if (wait->next != NULL)
		wait->next->prev = wait;
	waits->list = wait;
	arm(waits);
	return wait;
}

void
wait_add(struct wait *wait, const char *item_id)
{
	json_object_set_new(wait->items, item_id, json_true());
}

void
wait_look(struct wait *wait)
{
	deliver_to(wait->waits, wait);
}

void
wait_free(struct wait **wait)
{
	struct wait *w = *wait;

	if (w == NULL)
		return;
	*wait = NULL;
	if (w->waits->running == w)
		w->waits->running = NULL;
	if (w->prev != NULL)
		w->prev->next = w->next;
	else
		w->waits->list = w->next;
	if (w->next != NULL)
		w->next->prev = w->prev;
	json_decref(w->items);
	free(w);
}

void
waits_forget(struct waits *waits, const struct request *request)
{
	struct wait *next;

	for (struct wait *w = waits != NULL ? waits->list : NULL; w != NULL; w = next) {
		next = w->next;
		if (w->request == request)
			wait_free(&w);
	}
}
