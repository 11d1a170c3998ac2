#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "mail/event.h"

#include "store/doubts.h"

/* Postmark posts each of them again within minutes: there are as many as one group had, or a few
 * groups on a disk that comes and goes. */
#define MOST_DOUBTS 4096

struct doubt {
	unsigned char mark[EVENT_MARK_BYTES];
	struct store_event_done did;
};

static struct doubt *
doubt_find(const struct doubts *doubts, const struct event *event)
{
	for (size_t i = 0; i < doubts->count; i++)
		if (memcmp(doubts->list[i].mark, event->mark, EVENT_MARK_BYTES) == 0)
			return &doubts->list[i];
	return NULL;
}

void
doubts_add(struct doubts *doubts, const struct event *event, const struct store_event_done *did)
{
	struct doubt *doubt = doubt_find(doubts, event);

	if (doubts->list == NULL)
		doubts->list = mem_array(MOST_DOUBTS, sizeof(*doubts->list));
	if (doubt == NULL && doubts->count < MOST_DOUBTS) {
		doubt = &doubts->list[doubts->count++];
	} else if (doubt == NULL) {
		doubt = &doubts->list[doubts->next];
		doubts->next = (doubts->next + 1) % MOST_DOUBTS;
	}
	memcpy(doubt->mark, event->mark, EVENT_MARK_BYTES);
	doubt->did = *did;
}

bool
doubts_take(struct doubts *doubts, const struct event *event, struct store_event_done *did_r)
{
	struct doubt *doubt = doubt_find(doubts, event);

	if (doubt == NULL)
		return false;
	*did_r = doubt->did;
	*doubt = doubts->list[--doubts->count];
	return true;
}

void
doubts_free(struct doubts *doubts)
{
	free(doubts->list);
	*doubts = (struct doubts){ 0 };
}
