#include <string.h>

#include <jansson.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/strlist.h"
#include "mail/event.h"
#include "store/reader.h"

#include "outlet/line.h"

static void
add_text(struct buf *out, const char *name, const char *text)
{
	json_add_member(out, name, text, strlen(text));
}

/* What may not be known. */
static void
add_known(struct buf *out, const char *name, const char *text)
{
	if (text[0] != '\0') {
		add_text(out, name, text);
	} else {
		json_add_name(out, name);
		buf_adds(out, "null");
	}
}

static void
add_bool(struct buf *out, const char *name, bool yes)
{
	json_add_name(out, name);
	buf_adds(out, yes ? "true" : "false");
}

static void
add_number(struct buf *out, const char *name, int64_t number)
{
	json_add_name(out, name);
	buf_addf(out, "%lld", (long long)number);
}

/* A line end between two members is as good as a space; within a string there is none. */
static void
add_payload(struct buf *out, const struct event *event)
{
	char *at;

	json_add_name(out, "payload");
	at = buf_reserve(out, event->json_len);
	if (at == NULL)
		return;
	for (size_t i = 0; i < event->json_len; i++)
		at[i] = (unsigned char)event->json[i] < ' ' ? ' ' : event->json[i];
	if (json_is_one_object(at, event->json_len))
		buf_grown(out, event->json_len);
	else
		buf_adds(out, "null");
}

void
line_add(struct buf *out, const struct event_facts *facts, bool payload)
{
	const struct event *event = facts->event;
	char time[CLOCK_TEXT_SIZE];

	buf_adds(out, "{\"id\":");
	json_add_string(out, event->id, strlen(event->id));
	add_number(out, "key", facts->key);
	add_text(out, "kind", event_kind_name(event->kind));
	add_text(out, "at", clock_text(time, event->at_ms));
	add_text(out, "received", clock_text(time, event->received_ms));
	add_known(out, "item", facts->item);
	add_known(out, "route", facts->route);
	add_text(out, "message_id", event->message_id);
	add_text(out, "recipient", event->recipient);
	add_text(out, "stream", event->stream);
	add_text(out, "tag", event->tag);
	add_text(out, "type", event->type);
	add_text(out, "origin", event->origin);
	add_text(out, "detail", event->detail);
	add_bool(out, "suppressed", event->suppressed);
	add_bool(out, "first", event->first);
	add_text(out, "connection", event->connection);
	if (payload)
		add_payload(out, event);
	buf_addc(out, '}');
}

void
line_add_variables(struct strlist *out, const struct event_facts *facts)
{
	const struct event *event = facts->event;

	strlist_take(out, mem_format("PMRELAY_EVENT_KIND=%s", event_kind_name(event->kind)));
	strlist_take(out, mem_format("PMRELAY_EVENT_ID=%s", event->id));
	strlist_take(out, mem_format("PMRELAY_EVENT_ITEM=%s", facts->item));
	strlist_take(out, mem_format("PMRELAY_EVENT_RECIPIENT=%s", event->recipient));
}

int
line_read(const char *line, size_t len, int64_t *key_r, char id_r[ULID_SIZE])
{
	json_t *object = json_loadb(line, len, 0, NULL);
	const char *id = json_string_value(json_object_get(object, "id"));
	const json_t *key = json_object_get(object, "key");
	int result = -1;

	if (id != NULL && ulid_ok(id) && json_is_integer(key)) {
		memcpy(id_r, id, ULID_SIZE);
		*key_r = json_integer_value(key);
		result = 0;
	}
	json_decref(object);
	return result;
}
