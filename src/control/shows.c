/* Values of the relay as JSON: one form for each, wherever it appears. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "mail/event.h"
#include "store/reader.h"
#include "store/store.h"

#include "control/feed.h"
#include "control/inside.h"

#define MOST_EVENTS 1000 /* of one item: opens and clicks have no end */

json_t *
json_time(int64_t wall_ms)
{
	char text[CLOCK_TEXT_SIZE];

	return wall_ms <= 0 || wall_ms == INT64_MAX ? json_null()
						    : json_string(clock_text(text, wall_ms));
}

json_t *
json_text(const char *text)
{
	struct buf out;
	json_t *json;

	if (text == NULL)
		return json_null();
	if (text_is_utf8(text, strlen(text)))
		return json_string(text);
	buf_init(&out, SIZE_MAX);
	while (*text != '\0') {
		size_t len = text_utf8_len(text, strlen(text));

		if (len == 0)
			buf_adds(&out, "\xef\xbf\xbd");
		else
			buf_add(&out, text, len);
		text += len == 0 ? 1 : len;
	}
	json = json_stringn(out.data != NULL ? out.data : "", out.len);
	buf_free(&out);
	return json;
}

static json_t *
json_list(const struct strlist *list)
{
	json_t *array = json_array();

	for (size_t i = 0; i < list->count; i++)
		json_array_append_new(array, json_text(list->items[i]));
	return array;
}

static void
add(json_t *object, const char *name, json_t *value)
{
	json_object_set_new(object, name, value);
}

static const char *
kind_name(enum item_kind kind)
{
	switch (kind) {
	case ITEM_EMAIL:
		return "email";
	case ITEM_TEMPLATE:
		return "template";
	case ITEM_SMTP:
		return "smtp";
	case ITEM_LOCAL:
		return "local";
	}
	return "";
}

json_t *
json_item(const struct item_facts *item, bool whole)
{
	bool waits = item->state == ITEM_SPOOLED || item->state == ITEM_WAITING ||
		     item->state == ITEM_UNSURE;
	json_t *json = json_object();

	add(json, "id", json_string(item->id));
	add(json, "state", json_string(item_state_name(item->state)));
	add(json, "route", json_text(item->route));
	add(json, "kind", json_string(kind_name(item->kind)));
	add(json, "attempts", json_integer(item->attempts));
	add(json, "accepted", json_time(item->accepted_ms));
	add(json, "due", waits ? json_time(item->due_ms) : json_null());
	add(json, "ended", json_time(item->ended_ms));
	add(json, "from", json_text(item->from));
	add(json, "recipients", json_list(&item->recipients));
	add(json, "subject", json_text(item->subject));
	add(json, "bytes", json_integer((json_int_t)item->message_bytes));
	add(json, "postmark_id", json_text(item->postmark_id));
	add(json, "fate", item->fates != 0 ? json_string(fate_name(item->fates)) : json_null());
	add(json, "put_aside", json_boolean(item->put_aside));
	if (!whole)
		return json;
	add(json, "reverse_path", json_text(item->reverse_path));
	add(json, "listener", json_text(item->listener));
	add(json, "client", json_text(item->client));
	add(json, "helo", json_text(item->helo));
	add(json, "message_id", json_text(item->message_id));
	add(json, "content_bytes", json_integer((json_int_t)item->content_bytes));
	add(json, "ledger", json_text(item->ledger));
	add(json, "inactive", json_text(item->inactive));
	add(json, "sender_told", json_boolean(item->told));
	add(json, "has_message", json_boolean(item->has_payload));
	return json;
}

json_t *
json_history(struct control *control, int64_t key)
{
	json_t *array = json_array();
	struct attempt_facts *lines;
	size_t count;

	if (store_reader_history(control->reader, key, &lines, &count) != 0)
		return array;
	for (size_t i = 0; i < count; i++) {
		json_t *line = json_object();

		add(line, "at", json_time(lines[i].at_ms));
		add(line, "attempt", json_integer(lines[i].attempt));
		add(line, "to", json_string(item_state_name(lines[i].to)));
		add(line, "http_status", json_integer(lines[i].http_status));
		add(line, "error_code", json_integer(lines[i].error_code));
		add(line, "answer", json_text(lines[i].answer));
		json_array_append_new(array, line);
	}
	attempt_facts_free(lines, count);
	return array;
}

json_t *
json_happened(const struct event_facts *facts)
{
	const struct event *event = facts->event;
	json_t *json = json_object();
	struct buf text;

	buf_init(&text, 3 * EVENT_MOST_TEXT + 256);
	event_describe(event, &text);
	add(json, "number", json_integer((json_int_t)facts->key));
	add(json, "id", json_string(event->id));
	add(json, "at", json_time(event->at_ms));
	add(json, "received", json_time(event->received_ms));
	add(json, "kind", json_string(event_kind_name(event->kind)));
	add(json, "item", facts->item[0] != '\0' ? json_string(facts->item) : json_null());
	add(json, "route", facts->route[0] != '\0' ? json_text(facts->route) : json_null());
	add(json, "postmark_id", json_text(event->message_id));
	add(json, "recipient", json_text(event->recipient));
	add(json, "stream", json_text(event->stream));
	add(json, "tag", json_text(event->tag));
	add(json, "type", json_text(event->type));
	add(json, "text", json_text(text.data != NULL ? text.data : ""));
	buf_free(&text);
	return json;
}

/* Each recipient with what is known of it, in the order of the item's. */
static json_t *
fates_of(const struct item_facts *item, const struct event_facts *events, size_t count)
{
	json_t *array = json_array();

	for (size_t i = 0; i < item->recipients.count; i++) {
		const char *address = item->recipients.items[i];
		unsigned fates = 0;
		int64_t at_ms = 0;

		for (size_t j = 0; j < count; j++) {
			const struct event *event = events[j].event;

			/* Postmark keeps addresses in small letters. */
			if (!text_same(event->recipient, address))
				continue;
			fates |= event_fate(event);
			if (event->at_ms > at_ms)
				at_ms = event->at_ms;
		}
		if (fates != 0)
			json_array_append_new(
			    array, json_pack("{s:o,s:s,s:o}", "address", json_text(address), "fate",
				       fate_name(fates), "at", json_time(at_ms)));
	}
	return array;
}

void
json_add_events(struct control *control, const struct item_facts *item, json_t *json)
{
	const struct event_page page = { .item = item->key, .most = MOST_EVENTS };
	json_t *array = json_array();
	struct event_facts *events;
	size_t count;

	if (store_reader_events(control->reader, &page, &events, &count) == 0) {
		for (size_t i = 0; i < count; i++)
			json_array_append_new(array, json_happened(&events[i]));
		add(json, "fates", fates_of(item, events, count));
		event_facts_free(events, count);
	}
	add(json, "events", array);
}

json_t *
json_event(const struct feed_event *event)
{
	json_t *json = json_object();

	add(json, "number", json_integer((json_int_t)event->number));
	add(json, "at", json_time(event->at_ms));
	add(json, "kind", json_string(event->kind));
	add(json, "item", event->item[0] != '\0' ? json_string(event->item) : json_null());
	add(json, "route", event->route[0] != '\0' ? json_text(event->route) : json_null());
	add(json, "postmark_id",
	    event->postmark_id[0] != '\0' ? json_text(event->postmark_id) : json_null());
	add(json, "attempt", json_integer(event->attempt));
	add(json, "http_status", json_integer(event->http_status));
	add(json, "error_code", json_integer(event->error_code));
	add(json, "text", json_text(event->text));
	return json;
}

json_t *
json_route(const struct ask_route *route)
{
	json_t *json = json_object();

	add(json, "name", json_text(route->name));
	add(json, "stream", json_text(route->message_stream));
	add(json, "mode", json_text(route->mode));
	add(json, "why", json_text(route->why));
	add(json, "since", json_time(route->since_ms));
	add(json, "next_probe", json_time(route->next_probe_ms));
	add(json, "last_success", json_time(route->last_success_ms));
	add(json, "in_flight", json_integer(route->in_flight));
	add(json, "window", json_integer(route->window));
	add(json, "batch", json_integer(route->batch_items));
	add(json, "sent", json_integer((json_int_t)route->sent));
	add(json, "refused", json_integer((json_int_t)route->refused));
	add(json, "waiting", json_integer((json_int_t)route->waiting));
	add(json, "unsure", json_integer((json_int_t)route->unsure));
	add(json, "requests", json_integer((json_int_t)route->requests));
	return json;
}

json_t *
json_counts(const struct store_counts *counts)
{
	json_t *json = json_object();

	for (int state = ITEM_SPOOLED; state < ITEM_STATES; state++)
		add(json, item_state_name((enum item_state)state),
		    json_integer((json_int_t)counts->items[state]));
	return json;
}
