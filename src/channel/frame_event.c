/*
 * What goes between front and core besides mails: events of webhooks, by what these are known, and
 * suppressed addresses.
 *
 * An EVENT's body is its kind, mark, id, times, texts, numbers and flags, in the order of
 * frame_event_write(), and the object.
 */

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "mail/event.h"

#include "channel/frame_inside.h"

enum event_flag {
	FLAG_SUPPRESSED = 1,
	FLAG_FIRST = 2,
};

void
frame_event_write(struct buf *out, uint64_t serial, const struct event *event)
{
	size_t begin = out->len;

	put_head(out, FRAME_EVENT, 0, serial);
	put_number(out, event->kind, 1);
	buf_add(out, event->mark, sizeof(event->mark));
	put_text(out, event->id);
	put_number(out, (uint64_t)event->received_ms, 8);
	put_number(out, (uint64_t)event->at_ms, 8);
	put_text(out, event->connection);
	put_text(out, event->relay_id);
	put_text(out, event->message_id);
	put_text(out, event->stream);
	put_text(out, event->tag);
	put_text(out, event->recipient);
	put_text(out, event->type);
	put_text(out, event->origin);
	put_text(out, event->detail);
	put_number(out, (uint64_t)(int64_t)event->type_code, 8);
	put_number(out, (uint64_t)event->number, 8);
	put_number(
	    out, (event->suppressed ? FLAG_SUPPRESSED : 0U) | (event->first ? FLAG_FIRST : 0U), 1);
	put_number(out, event->json_len, 4);
	buf_add(out, event->json, event->json_len);
	close_frame(out, begin);
}

/* In place of "", which is there already. */
static void
take_event_text(struct cursor *c, char **text)
{
	char *taken = take_text(c);

	if (taken == NULL)
		return;
	if (strlen(taken) > EVENT_MOST_TEXT)
		c->bad = true;
	free(*text);
	*text = taken;
}

static void
take_event_id(struct cursor *c, struct event *event)
{
	char *id = take_text(c);

	if (id != NULL && ulid_ok(id))
		memcpy(event->id, id, ULID_SIZE);
	else
		c->bad = true;
	free(id);
}

static void
take_event_json(struct cursor *c, struct event *event)
{
	size_t len = (size_t)take_number(c, 4);
	const char *json = take(c, len);

	if (json == NULL || len > EVENT_MOST_JSON || !json_is_one_object(json, len)) {
		c->bad = true;
		return;
	}
	free(event->json);
	event->json = mem_bytes(json, len);
	event->json_len = len;
}

static bool
kind_is_of_a_post(unsigned kind)
{
	return kind <= EVENT_SUBSCRIPTION;
}

struct event *
frame_event_read(const char *body, size_t len)
{
	struct cursor c = { .at = body, .left = len };
	struct event *event = mail_event_new();
	unsigned kind = (unsigned)take_number(&c, 1), flags;
	const char *mark = take(&c, sizeof(event->mark));
	int64_t type_code;

	if (mark != NULL)
		memcpy(event->mark, mark, sizeof(event->mark));
	if (!kind_is_of_a_post(kind))
		c.bad = true;
	else
		event->kind = (enum event_kind)kind;
	take_event_id(&c, event);
	event->received_ms = (int64_t)take_number(&c, 8);
	event->at_ms = (int64_t)take_number(&c, 8);
	take_event_text(&c, &event->connection);
	take_event_text(&c, &event->relay_id);
	take_event_text(&c, &event->message_id);
	take_event_text(&c, &event->stream);
	take_event_text(&c, &event->tag);
	take_event_text(&c, &event->recipient);
	take_event_text(&c, &event->type);
	take_event_text(&c, &event->origin);
	take_event_text(&c, &event->detail);
	type_code = (int64_t)take_number(&c, 8);
	event->number = (int64_t)take_number(&c, 8);
	flags = (unsigned)take_number(&c, 1);
	take_event_json(&c, event);
	event->type_code = (int)type_code;
	event->suppressed = (flags & FLAG_SUPPRESSED) != 0;
	event->first = (flags & FLAG_FIRST) != 0;
	if (c.bad || c.left > 0 || event->received_ms < 0 || event->at_ms < 0 ||
	    event->type_code != type_code || flags > (FLAG_SUPPRESSED | FLAG_FIRST))
		mail_event_free(&event);
	return event;
}

int
frame_hooks_write(struct buf *out, const char *json, size_t len)
{
	size_t begin = out->len;

	if (len > FRAME_MOST_BODY)
		return -1;
	put_head(out, FRAME_HOOKS, 0, 0);
	buf_add(out, json, len);
	if (out->over)
		return -1;
	close_frame(out, begin);
	return 0;
}

int
frame_suppressions_write(struct buf *out)
{
	size_t begin = out->len;

	put_head(out, FRAME_SUPPRESSIONS, 1, 0);
	if (out->over)
		return -1;
	close_frame(out, begin);
	return 0;
}
