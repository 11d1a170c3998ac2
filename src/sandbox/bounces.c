#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"

#include "sandbox/bounce_type.h"
#include "sandbox/messages.h"
#include "sandbox/notify.h"
#include "sandbox/query.h"
#include "sandbox/records.h"
#include "sandbox/server.h"
#include "sandbox/state.h"
#include "sandbox/streams.h"
#include "sandbox/bounces.h"

/* For how long Postmark keeps the source of a bounce. */
#define DUMP_MS (30LL * 86400 * 1000)

static const char *
text_of(const struct record *record, const char *key)
{
	return json_string_value(json_object_get(record->json, key));
}

/* What a server would have sent back. */
static char *
source_of(const struct bounce_type *type, const char *email, const char *details,
    const struct message *message)
{
	return mem_format("Return-Path: <>\r\n"
			  "From: Mail Delivery System <mailer-daemon@sandbox.example>\r\n"
			  "To: <pm_bounces@pm.mtasv.net>\r\n"
			  "Subject: Undelivered mail\r\n"
			  "Content-Type: text/plain; charset=utf-8\r\n"
			  "X-PM-Message-Id: %s\r\n"
			  "\r\n"
			  "%s\r\n"
			  "\r\n"
			  "<%s>: %s\r\n",
	    message != NULL ? message->id : "", type->description, email, details);
}

static const char *
origin_of(const struct bounce_type *type)
{
	return strcmp(type->reason, "ManualSuppression") == 0 ? "Customer" : "Recipient";
}

static struct record *
add(struct state *state, struct server *server, const struct message *message, const char *email,
    const char *name, const char *details)
{
	const struct bounce_type *type = bounce_type_find(name);
	const char *stream_id = message != NULL ? message->stream : STATE_DEFAULT_STREAM;
	struct message_stream *stream = server_stream(server, stream_id);
	char time[STATE_TIME_SIZE];
	struct record *record;
	json_t *json;

	if (details == NULL)
		details = type->reason != NULL ? "smtp;550 5.1.1 no such user here"
					       : "smtp;450 4.2.0 not taken by the sandbox";
	json = json_pack("{s:s, s:s, s:s, s:i, s:s, s:s, s:s, s:o, s:I, s:s, s:s, s:s, s:s, s:s,"
			 " s:b, s:b, s:b, s:s}",
	    "RecordType", type->code == 100001 ? "SpamComplaint" : "Bounce", "MessageStream",
	    stream_id, "Type", type->name, "TypeCode", type->code, "Name", type->title, "Tag",
	    message != NULL ? message->tag : "", "MessageID", message != NULL ? message->id : "",
	    "Metadata", notify_metadata(message), "ServerID", (json_int_t)server->id, "Description",
	    type->description, "Details", details, "Email", email, "From",
	    message != NULL ? message->from : "", "BouncedAt", "", "DumpAvailable", 1, "Inactive",
	    type->reason != NULL, "CanActivate", type->can_activate, "Subject",
	    message != NULL ? message->subject : "");
	record = records_add(state->bounces, server->id, message != NULL ? message->id : NULL, json,
	    source_of(type, email, details, message));
	json_object_set_new(json, "ID", json_integer((json_int_t)record->number));
	/* Here and in what webhooks are told it is one time. */
	json_object_set_new(
	    json, "BouncedAt", json_string(state_time_eastern(time, record->wall_ms)));
	if (type->reason != NULL && stream != NULL)
		message_stream_suppress(stream, email, type->reason, origin_of(type));
	return record;
}

struct record *
bounces_add(struct state *state, struct server *server, const struct message *message,
    const char *email, const char *name, const char *details)
{
	struct record *record = add(state, server, message, email, name, details);
	const struct bounce_type *type = bounce_type_find(name);
	const struct message_stream *stream =
	    server_stream(server, text_of(record, "MessageStream"));

	notify_bounce(state, server, record);
	if (type->reason != NULL && stream != NULL)
		notify_suppression(
		    state, server, stream, message, email, type->reason, origin_of(type));
	return record;
}

void
bounces_add_error(struct state *state, struct server *server, const struct message *message,
    const char *email, int code, const char *text)
{
	char *details = mem_format("ErrorCode %d: %s", code, text);
	const struct record *record = add(state, server, message, email, "SMTPApiError", details);

	json_object_set_new(record->json, "Description", json_string(text));
	notify_bounce(state, server, record);
	free(details);
}

/* ---- calls ---- */

static bool
dump_available(const struct record *record)
{
	return record->source != NULL && clock_wall_ms() - record->wall_ms < DUMP_MS;
}

/* Whether the dump is there depends on the time; a new reference. */
static json_t *
shown(const struct record *record)
{
	json_t *json = json_copy(record->json);

	json_object_set_new(json, "DumpAvailable", json_boolean(dump_available(record)));
	return json;
}

void
bounces_stats(struct state *state, struct server *server, const struct api_request *request,
    struct api_answer *answer)
{
	json_int_t counts[BOUNCE_TYPES] = { 0 }, all = 0, inactive = 0;
	json_t *list = json_array();

	(void)request;
	for (size_t i = 0; i < records_count(state->bounces); i++) {
		const struct record *record = records_at(state->bounces, i);

		if (record->server != server->id)
			continue;
		counts[bounce_type_index(bounce_type_find(text_of(record, "Type")))]++;
		all++;
	}
	for (size_t i = 0; i < server->stream_count; i++)
		inactive += (json_int_t)json_object_size(server->streams[i]->suppressions);
	json_array_append_new(list, json_pack("{s:s, s:I}", "Name", "All", "Count", all));
	for (size_t i = 0; i < BOUNCE_TYPES; i++) {
		if (counts[i] > 0)
			json_array_append_new(
			    list, json_pack("{s:s, s:s, s:I}", "Type", bounce_type_at(i)->name,
				      "Name", bounce_type_at(i)->title, "Count", counts[i]));
	}
	api_answer_json(
	    answer, json_pack("{s:I, s:o}", "InactiveMails", inactive, "Bounces", list));
}

struct filter {
	struct query_page page;
	const struct bounce_type *type; /* NULL: any, as for those below */
	const char *email;
	const char *tag;
	const char *message;
	const char *stream;
	bool by_inactive;
	bool inactive;
	struct query_span span;
};

/* NULL, or what is wrong with the query. */
static const char *
filter_read(const struct api_request *request, struct filter *filter)
{
	const char *wrong, *type = query_text(request, "type");

	memset(filter, 0, sizeof(*filter));
	wrong = query_page(request, true, &filter->page);
	if (wrong != NULL)
		return wrong;
	filter->type = type != NULL ? bounce_type_find(type) : NULL;
	if (type != NULL && filter->type == NULL)
		return "The 'type' parameter is not a type of bounce.";
	if (query_flag(request, "inactive", &filter->inactive) != 0)
		return "The 'inactive' parameter must be true or false.";
	filter->by_inactive = query_text(request, "inactive") != NULL;
	filter->email = query_text(request, "emailFilter");
	filter->tag = query_text(request, "tag");
	filter->message = query_text(request, "messageID");
	filter->stream = query_text(request, "messagestream");
	if (filter->stream == NULL)
		filter->stream = STATE_DEFAULT_STREAM;
	return query_span(request, &filter->span);
}

static bool
filter_matches(const struct filter *filter, const struct record *record)
{
	return query_span_has(&filter->span, record->wall_ms) &&
	       text_same(text_of(record, "MessageStream"), filter->stream) &&
	       (filter->type == NULL || strcmp(text_of(record, "Type"), filter->type->name) == 0) &&
	       (!filter->by_inactive ||
		   json_is_true(json_object_get(record->json, "Inactive")) == filter->inactive) &&
	       (filter->email == NULL ||
		   text_find_same(text_of(record, "Email"), filter->email) != NULL) &&
	       (filter->tag == NULL || strcmp(text_of(record, "Tag"), filter->tag) == 0) &&
	       (filter->message == NULL || text_same(record->message, filter->message));
}

void
bounces_list(struct state *state, struct server *server, const struct api_request *request,
    struct api_answer *answer)
{
	struct filter filter;
	const char *wrong = filter_read(request, &filter);

	if (wrong != NULL) {
		api_refuse(state, answer, 1000, wrong);
		return;
	}
	if (streams_find(state, server, filter.stream, answer) == NULL)
		return;
	for (size_t i = records_count(state->bounces); i-- > 0;) {
		const struct record *record = records_at(state->bounces, i);

		if (record->server == server->id && filter_matches(&filter, record) &&
		    query_page_has(&filter.page))
			query_page_add(&filter.page, shown(record));
	}
	query_page_answer(&filter.page, answer, "Bounces");
}

/* NULL: refused. */
static struct record *
wanted(struct state *state, const struct server *server, const struct api_request *request,
    struct api_answer *answer)
{
	struct record *record;

	if (request->parts[0][0] == '\0') {
		api_refuse_request(state, answer, 400, 1002, "The ID of the bounce is missing.");
		return NULL;
	}
	record = records_find(state->bounces, server->id, query_id(request->parts[0]));
	if (record == NULL)
		api_refuse(state, answer, 1001, "The bounce was not found.");
	return record;
}

void
bounces_get(struct state *state, struct server *server, const struct api_request *request,
    struct api_answer *answer)
{
	const struct record *record = wanted(state, server, request, answer);
	json_t *json;

	if (record == NULL)
		return;
	json = shown(record);
	json_object_set_new(
	    json, "Content", json_string(dump_available(record) ? record->source : ""));
	api_answer_json(answer, json);
}

void
bounces_dump(struct state *state, struct server *server, const struct api_request *request,
    struct api_answer *answer)
{
	const struct record *record = wanted(state, server, request, answer);

	if (record != NULL)
		api_answer_json(answer,
		    json_pack("{s:s}", "Body", dump_available(record) ? record->source : ""));
}

/* The address may be mailed to again: so say all bounces of it on this stream. */
static void
reactivate(struct state *state, struct server *server, const char *stream_id, const char *email)
{
	struct message_stream *stream = server_stream(server, stream_id);

	if (stream != NULL && message_stream_suppression(stream, email) != NULL) {
		message_stream_unsuppress(stream, email);
		notify_suppression(state, server, stream, NULL, email, NULL, "Customer");
	}
	for (size_t i = 0; i < records_count(state->bounces); i++) {
		struct record *record = records_at(state->bounces, i);

		if (record->server == server->id && text_same(text_of(record, "Email"), email) &&
		    text_same(text_of(record, "MessageStream"), stream_id))
			json_object_set_new(record->json, "Inactive", json_false());
	}
}

void
bounces_activate(struct state *state, struct server *server, const struct api_request *request,
    struct api_answer *answer)
{
	const struct record *record = wanted(state, server, request, answer);
	const struct bounce_type *type;

	if (record == NULL)
		return;
	type = bounce_type_find(text_of(record, "Type"));
	if (!type->can_activate) {
		api_refuse(state, answer, 1003, "This type of bounce cannot be reactivated.");
		return;
	}
	reactivate(state, server, text_of(record, "MessageStream"), text_of(record, "Email"));
	api_answer_json(answer, json_pack("{s:s, s:o}", "Message", "OK", "Bounce", shown(record)));
}
