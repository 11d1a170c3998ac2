#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"

#include "sandbox/fields.h"
#include "sandbox/query.h"
#include "sandbox/server.h"
#include "sandbox/state.h"
#include "sandbox/stream.h"
#include "sandbox/streams.h"

#define MOST_ID          30
#define MOST_NAME        100
#define MOST_DESCRIPTION 1000
#define PURGE_DAYS       45
#define DAY_MS           (86400LL * 1000)

const struct fields streams_fields[] = {
	{ "ID", FIELDS_STRING },
	{ "Name", FIELDS_STRING },
	{ "Description", FIELDS_STRING },
	{ "MessageStreamType", FIELDS_STRING },
	{ "SubscriptionManagementConfiguration", FIELDS_OBJECT },
};
const size_t streams_fields_count = sizeof(streams_fields) / sizeof(streams_fields[0]);
static const struct fields subscription_fields[] = {
	{ "UnsubscribeHandlingType", FIELDS_STRING },
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct message_stream *
streams_find(
    struct state *state, const struct server *server, const char *id, struct api_answer *answer)
{
	struct message_stream *stream = server_stream(server, id);

	if (stream == NULL)
		api_refuse(
		    state, answer, 1226, "The message stream for the provided 'ID' was not found.");
	return stream;
}

struct message_stream *
streams_wanted(struct state *state, struct server *server, const struct api_request *request,
    struct api_answer *answer)
{
	return streams_find(state, server, request->parts[0], answer);
}

/* ---- what a stream may be ---- */

static int
check_id(const struct server *server, const char *id, const char **why_r)
{
	static const char *const reserved[] = { "all", "default", "none", "null" };
	size_t len;

	if (id == NULL) {
		*why_r = "The 'ID' of the message stream is missing.";
		return 1222;
	}
	len = strlen(id);
	if (len > MOST_ID || id[0] < 'a' || id[0] > 'z' ||
	    strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789-_") != len) {
		*why_r = "The 'ID' must start with a letter and have up to 30 lower-case letters, "
			 "digits, '-' and '_'.";
		return 1227;
	}
	if (strncmp(id, "pm-", 3) == 0) {
		*why_r = "The 'ID' may not start with 'pm-'.";
		return 1233;
	}
	for (size_t i = 0; i < COUNT(reserved); i++) {
		if (strcmp(id, reserved[i]) == 0) {
			*why_r = "This 'ID' is reserved.";
			return 1237;
		}
	}
	if (server_stream(server, id) != NULL) {
		*why_r = "A message stream with this 'ID' exists on this server.";
		return 1230;
	}
	return 0;
}

static int
check_name(const char *name, const char **why_r)
{
	if (name == NULL || name[strspn(name, " \t")] == '\0' || strpbrk(name, "\r\n") != NULL) {
		*why_r = "The 'Name' of the message stream is missing or not valid.";
		return 1223;
	}
	if (text_utf16_units(name, strlen(name)) > MOST_NAME) {
		*why_r = "The 'Name' of the message stream is limited to 100 characters.";
		return 1224;
	}
	return 0;
}

/* '<' before a letter, '/' or '!' starts a tag. */
static bool
has_html(const char *text)
{
	for (const char *at = strchr(text, '<'); at != NULL; at = strchr(at + 1, '<')) {
		if (at[1] == '/' || at[1] == '!' || (at[1] >= 'a' && at[1] <= 'z') ||
		    (at[1] >= 'A' && at[1] <= 'Z'))
			return true;
	}
	return false;
}

static int
check_description(const char *text, const char **why_r)
{
	if (text != NULL && text_utf16_units(text, strlen(text)) > MOST_DESCRIPTION) {
		*why_r = "The 'Description' is limited to 1000 characters.";
		return 1231;
	}
	if (text != NULL && has_html(text)) {
		*why_r = "The 'Description' may not have HTML in it.";
		return 1234;
	}
	return 0;
}

/* *handling_r: NULL where json says nothing of it. */
static int
check_handling(const struct state *state, const json_t *json, enum stream_type type,
    const char **handling_r, const char **why_r)
{
	static const char *const known[] = { "None", "Postmark", "Custom" };
	const json_t *config = fields_get(json, "SubscriptionManagementConfiguration");
	const char *text = fields_text(config, "UnsubscribeHandlingType");

	*handling_r = NULL;
	for (size_t i = 0; text != NULL && i < COUNT(known); i++) {
		if (text_same(known[i], text))
			*handling_r = known[i];
	}
	if (text == NULL)
		return 0;
	if (*handling_r == NULL) {
		*why_r = "The 'UnsubscribeHandlingType' is none of None, Postmark and Custom.";
		return 1240;
	}
	if (strcmp(*handling_r, "Custom") == 0 && !state->switches.custom_unsubscribe) {
		*why_r = "This account may not use the 'UnsubscribeHandlingType' Custom.";
		return 1238;
	}
	/* Broadcasts cannot do without, the others have no such thing. */
	if ((type == STREAM_TYPE_BROADCASTS) == (strcmp(*handling_r, "None") == 0)) {
		*why_r = "This 'UnsubscribeHandlingType' is not for this type of message stream.";
		return 1239;
	}
	return 0;
}

static void
set_text(struct message_stream *stream, const char *key, const char *text)
{
	json_object_set_new(stream->shown, key, text != NULL ? json_string(text) : json_null());
}

static void
set_handling(struct message_stream *stream, const char *handling)
{
	if (handling != NULL)
		json_object_set_new(stream->shown, "SubscriptionManagementConfiguration",
		    json_pack("{s:s}", "UnsubscribeHandlingType", handling));
}

static size_t
inbound_streams(const struct server *server)
{
	size_t count = 0;

	for (size_t i = 0; i < server->stream_count; i++)
		count += server->streams[i]->type == STREAM_TYPE_INBOUND;
	return count;
}

int
streams_add(const struct state *state, struct server *server, const json_t *json,
    struct message_stream **stream_r, const char **why_r)
{
	const char *id = fields_text(json, "ID");
	const char *name = fields_text(json, "Name");
	const char *description = fields_text(json, "Description");
	const char *type_name = fields_text(json, "MessageStreamType");
	const char *handling;
	enum stream_type type;
	int code;

	if (type_name == NULL || message_stream_type_parse(type_name, &type) != 0) {
		*why_r =
		    "The 'MessageStreamType' is none of Transactional, Broadcasts and Inbound.";
		return 1221;
	}
	code = check_id(server, id, why_r);
	if (code == 0)
		code = check_name(name, why_r);
	if (code == 0)
		code = check_description(description, why_r);
	if (code == 0)
		code = check_handling(state, json, type, &handling, why_r);
	if (code != 0)
		return code;
	if (type == STREAM_TYPE_INBOUND && inbound_streams(server) > 0) {
		*why_r = "A server may have one inbound stream only.";
		return 1228;
	}
	if (server->stream_count == STREAM_MOST) {
		*why_r = "The server has as many message streams as it may have.";
		return 1225;
	}
	*stream_r = message_stream_new(id, name, type, server->id);
	set_text(*stream_r, "Description", description);
	set_handling(*stream_r, handling);
	server_add_stream(server, *stream_r);
	return 0;
}

static bool
fields_ok(struct state *state, const struct api_request *request, struct api_answer *answer)
{
	struct api_request inner = *request;

	if (!api_fields_ok(state, request, answer, streams_fields, streams_fields_count))
		return false;
	inner.json = json_object_get(request->json, "SubscriptionManagementConfiguration");
	return api_fields_ok(
	    state, &inner, answer, subscription_fields, COUNT(subscription_fields));
}

/* ---- calls ---- */

void
streams_list(struct state *state, struct server *server, const struct api_request *request,
    struct api_answer *answer)
{
	const char *type_name = query_text(request, "MessageStreamType");
	enum stream_type type = STREAM_TYPE_TRANSACTIONAL;
	bool all = type_name == NULL || text_same(type_name, "All"), archived = false;
	json_t *list;

	if (!all && message_stream_type_parse(type_name, &type) != 0) {
		api_refuse(state, answer, 1221,
		    "The 'MessageStreamType' is none of All, Inbound, Transactional and "
		    "Broadcasts.");
		return;
	}
	if (query_flag(request, "IncludeArchivedStreams", &archived) != 0) {
		api_refuse(
		    state, answer, 403, "Invalid request field(s): 'IncludeArchivedStreams'.");
		return;
	}
	list = json_array();
	for (size_t i = 0; i < server->stream_count; i++) {
		const struct message_stream *stream = server->streams[i];

		if ((all || stream->type == type) && (archived || !stream->archived))
			json_array_append_new(list, json_copy(stream->shown));
	}
	api_answer_json(answer, json_pack("{s:o, s:I}", "MessageStreams", list, "TotalCount",
				    (json_int_t)json_array_size(list)));
}

void
streams_get(struct state *state, struct server *server, const struct api_request *request,
    struct api_answer *answer)
{
	const struct message_stream *stream = streams_wanted(state, server, request, answer);

	if (stream != NULL)
		api_answer_json(answer, json_copy(stream->shown));
}

void
streams_create(struct state *state, struct server *server, const struct api_request *request,
    struct api_answer *answer)
{
	struct message_stream *stream;
	const char *why;
	int code;

	if (!fields_ok(state, request, answer))
		return;
	code = streams_add(state, server, request->json, &stream, &why);
	if (code != 0)
		api_refuse(state, answer, code, why);
	else
		api_answer_json(answer, json_copy(stream->shown));
}

void
streams_edit(struct state *state, struct server *server, const struct api_request *request,
    struct api_answer *answer)
{
	struct message_stream *stream = streams_wanted(state, server, request, answer);
	const json_t *json = request->json;
	const char *why, *handling = NULL;
	char time[STATE_TIME_SIZE];
	int code = 0;

	if (stream == NULL || !fields_ok(state, request, answer))
		return;
	if (fields_get(json, "Name") != NULL)
		code = check_name(fields_text(json, "Name"), &why);
	if (code == 0)
		code = check_description(fields_text(json, "Description"), &why);
	if (code == 0)
		code = check_handling(state, json, stream->type, &handling, &why);
	if (code != 0) {
		api_refuse(state, answer, code, why);
		return;
	}
	if (fields_text(json, "Name") != NULL)
		set_text(stream, "Name", fields_text(json, "Name"));
	if (fields_get(json, "Description") != NULL)
		set_text(stream, "Description", fields_text(json, "Description"));
	set_handling(stream, handling);
	set_text(stream, "UpdatedAt", state_time_eastern(time, clock_wall_ms()));
	api_answer_json(answer, json_copy(stream->shown));
}

static bool
is_usual(const struct message_stream *stream)
{
	return strcmp(stream->id, STREAM_OUTBOUND) == 0 ||
	       strcmp(stream->id, STREAM_INBOUND) == 0 || strcmp(stream->id, STREAM_BROADCAST) == 0;
}

void
streams_archive(struct state *state, struct server *server, const struct api_request *request,
    struct api_answer *answer)
{
	struct message_stream *stream = streams_wanted(state, server, request, answer);
	char now[STATE_TIME_SIZE], purge[STATE_TIME_SIZE];
	int64_t now_ms = clock_wall_ms();

	if (stream == NULL)
		return;
	if (is_usual(stream)) {
		api_refuse(state, answer, 1229, "The default streams cannot be archived.");
		return;
	}
	if (stream->archived) {
		api_refuse(state, answer, 1241, "This message stream is archived already.");
		return;
	}
	stream->archived = true;
	set_text(stream, "ArchivedAt", state_time_eastern(now, now_ms));
	set_text(
	    stream, "ExpectedPurgeDate", state_time_eastern(purge, now_ms + PURGE_DAYS * DAY_MS));
	api_answer_json(answer, json_pack("{s:s, s:I, s:s}", "ID", stream->id, "ServerID",
				    (json_int_t)server->id, "ExpectedPurgeDate", purge));
}

void
streams_unarchive(struct state *state, struct server *server, const struct api_request *request,
    struct api_answer *answer)
{
	struct message_stream *stream = streams_wanted(state, server, request, answer);

	if (stream == NULL)
		return;
	/* It is never purged here, so there is no "no longer". */
	if (!stream->archived) {
		api_refuse(state, answer, 1232, "This message stream is not archived.");
		return;
	}
	stream->archived = false;
	set_text(stream, "ArchivedAt", NULL);
	set_text(stream, "ExpectedPurgeDate", NULL);
	api_answer_json(answer, json_copy(stream->shown));
}
