/*
 * The body of a webhook's post.  What it becomes is one of four things; an event survives the
 * channel to the core, its texts are clean, what is kept of it is JSON, and it is known again by
 * its mark.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/buf.h"
#include "base/text.h"
#include "mail/event.h"
#include "channel/frame.h"

#include "postmark/event.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
must(bool good)
{
	if (!good)
		abort();
}

static void
must_be_clean(const char *text)
{
	size_t len = strlen(text);

	must(len <= EVENT_MOST_TEXT && text_is_utf8(text, len));
	for (size_t i = 0; i < len; i++)
		must((unsigned char)text[i] >= ' ' && text[i] != 0x7f);
}

static void
look_at(struct event *event)
{
	const char *const texts[] = { event->connection, event->relay_id, event->message_id,
		event->stream, event->tag, event->recipient, event->type, event->origin,
		event->detail };
	struct event *again;
	struct buf frame;
	json_t *kept;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		must_be_clean(texts[i]);
	must(event->kind <= EVENT_SUBSCRIPTION && event->at_ms >= 0 && event->number >= 0);
	must(event->json_len <= EVENT_MOST_JSON);
	kept = json_loadb(event->json, event->json_len, JSON_ALLOW_NUL, NULL);
	must(json_is_object(kept));
	json_decref(kept);

	memcpy(event->id, "01J8ZZZZZZZZZZZZZZZZZZZZZZ", ULID_SIZE);
	buf_init(&frame, FRAME_MOST_BODY);
	frame_event_write(&frame, 1, event);
	again = frame_event_read(frame.data + FRAME_HEAD_SIZE, frame.len - FRAME_HEAD_SIZE);
	must(again != NULL);
	must(memcmp(again->mark, event->mark, sizeof(again->mark)) == 0);
	must(strcmp(again->recipient, event->recipient) == 0);
	must(again->json_len == event->json_len);
	mail_event_free(&again);
	buf_free(&frame);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct post_origin one = { .connection = "default",
		.stream = "outbound",
		.trace_id = "1",
		.now_ms = 1788700000000 },
				 two = { .connection = "other",
					 .stream = "outbound",
					 .trace_id = "1",
					 .now_ms = 1788700000001 };
	struct post first, second;

	if (len > 400000)
		return 0;
	post_read(&first, (const char *)data, len, &one);
	post_read(&second, (const char *)data, len, &two);
	must(first.kind == second.kind);
	must((first.event != NULL) == (first.kind == POST_EVENT));
	must((first.mail != NULL) == (first.kind == POST_MAIL));
	must((first.why != NULL) == (first.kind == POST_REFUSED));
	if (first.kind == POST_EVENT) {
		must(memcmp(first.event->mark, second.event->mark, EVENT_MARK_BYTES) == 0);
		look_at(first.event);
	}
	post_free(&first);
	post_free(&second);
	return 0;
}
