#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"

#include "sandbox/state.h"
#include "sandbox/stream.h"

static const char *const type_names[] = {
	[STREAM_TYPE_TRANSACTIONAL] = "Transactional",
	[STREAM_TYPE_BROADCASTS] = "Broadcasts",
	[STREAM_TYPE_INBOUND] = "Inbound",
};

const char *
message_stream_type_name(enum stream_type type)
{
	return type_names[type];
}

int
message_stream_type_parse(const char *name, enum stream_type *type_r)
{
	for (size_t i = 0; i < sizeof(type_names) / sizeof(type_names[0]); i++) {
		if (text_same(name, type_names[i])) {
			*type_r = (enum stream_type)i;
			return 0;
		}
	}
	return -1;
}

struct message_stream *
message_stream_new(const char *id, const char *name, enum stream_type type, int64_t server)
{
	struct message_stream *stream = mem_new(sizeof(*stream));
	char time[STATE_TIME_SIZE];

	stream->id = mem_string(id);
	stream->type = type;
	stream->suppressions = json_object();
	stream->shown = json_pack("{s:s, s:I, s:s, s:n, s:s, s:s, s:n, s:n, s:n, s:{s:s}}", "ID",
	    id, "ServerID", (json_int_t)server, "Name", name, "Description", "MessageStreamType",
	    type_names[type], "CreatedAt", state_time_eastern(time, clock_wall_ms()), "UpdatedAt",
	    "ArchivedAt", "ExpectedPurgeDate", "SubscriptionManagementConfiguration",
	    "UnsubscribeHandlingType", type == STREAM_TYPE_BROADCASTS ? "Postmark" : "None");
	return stream;
}

void
message_stream_free(struct message_stream **stream_p)
{
	struct message_stream *stream = *stream_p;

	if (stream == NULL)
		return;
	free(stream->id);
	json_decref(stream->shown);
	json_decref(stream->suppressions);
	free(stream);
	*stream_p = NULL;
}

static char *
key_of(const char *address)
{
	char *key = mem_string(address);

	text_lower(key);
	return key;
}

json_t *
message_stream_suppression(const struct message_stream *stream, const char *address)
{
	char *key;
	json_t *found;

	if (json_object_size(stream->suppressions) == 0)
		return NULL;
	key = key_of(address);
	found = json_object_get(stream->suppressions, key);
	free(key);
	return found;
}

void
message_stream_suppress(
    struct message_stream *stream, const char *address, const char *reason, const char *origin)
{
	char *key = key_of(address);
	char time[STATE_TIME_SIZE];

	json_object_set_new(stream->suppressions, key,
	    json_pack("{s:s, s:s, s:s, s:s}", "EmailAddress", key, "SuppressionReason", reason,
		"Origin", origin, "CreatedAt", state_time_eastern(time, clock_wall_ms())));
	free(key);
	if (json_object_size(stream->suppressions) > STREAM_MOST_SUPPRESSIONS)
		json_object_del(stream->suppressions,
		    json_object_iter_key(json_object_iter(stream->suppressions)));
}

void
message_stream_unsuppress(struct message_stream *stream, const char *address)
{
	char *key = key_of(address);

	json_object_del(stream->suppressions, key);
	free(key);
}
