#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "mail/event.h"
#include "mail/refusal.h"

#include "programs/events.h"

/* An event that the store has been asked to keep. */
struct note {
	struct note *next, *prev;
	struct events *events;
	struct commit_from from;
};

struct events {
	struct events_params params;
	struct note *notes;
};

struct events *
events_new(const struct events_params *params)
{
	struct events *events = mem_new(sizeof(*events));

	events->params = *params;
	return events;
}

static void
note_free(struct note *note)
{
	if (note->prev != NULL)
		note->prev->next = note->next;
	else
		note->events->notes = note->next;
	if (note->next != NULL)
		note->next->prev = note->prev;
	free(note);
}

void
events_free(struct events **events)
{
	if (*events == NULL)
		return;
	while ((*events)->notes != NULL)
		note_free((*events)->notes);
	free(*events);
	*events = NULL;
}

static const char *
or_null(const char *text)
{
	return text[0] != '\0' ? text : NULL;
}

/* Links of resets and sign-ins have what opens them behind the path; the log is no place for it. */
static void
link_cut(char *link)
{
	link[strcspn(link, "?#")] = '\0';
}

static void
log_event(const struct event *event, const struct store_event_done *done)
{
	char *why = mem_string(event->detail);

	if (event->kind == EVENT_CLICK)
		link_cut(why);
	log_info("event", log_str("kind", event_kind_name(event->kind)), log_str("id", event->id),
	    log_str("item", or_null(done->item)), log_str("route", or_null(done->route)),
	    log_str("recipient", or_null(event->recipient)),
	    log_str("postmark_id", or_null(event->message_id)),
	    log_str("stream", or_null(event->stream)), log_str("tag", or_null(event->tag)),
	    log_str("type", or_null(event->type)), log_str("why", or_null(why)),
	    log_str("repeat", done->repeat ? "yes" : NULL),
	    log_str("settled", done->settled ? "yes" : NULL));
	free(why);
}

static void
on_stored(void *ctx, enum store_result result, const struct event *event,
    const struct store_event_done *done)
{
	struct note *note = ctx;
	const struct events_params *params = &note->events->params;
	struct refusal refusal;

	if (result == STORE_OK) {
		log_event(event, done);
		if (!done->repeat)
			params->stored(params->ctx, event, done);
		params->answer(params->ctx, &note->from, NULL);
	} else {
		params->failed(params->ctx, result);
		refusal_set(&refusal, 451, "4.3.0", "the spool cannot take it now");
		params->answer(params->ctx, &note->from, &refusal);
	}
	note_free(note);
}

void
events_ask(struct events *events, struct event *event, const struct commit_from *from)
{
	struct note *note = mem_new(sizeof(*note));

	note->events = events;
	note->from = *from;
	note->next = events->notes;
	if (note->next != NULL)
		note->next->prev = note;
	events->notes = note;
	store_event(events->params.store, event, on_stored, note);
}
