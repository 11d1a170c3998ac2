#include <string.h>

#include "base/text.h"

#include "sandbox/fields.h"
#include "sandbox/messages.h"
#include "sandbox/notify.h"
#include "sandbox/query.h"
#include "sandbox/records.h"
#include "sandbox/server.h"
#include "sandbox/search.h"
#include "sandbox/state.h"
#include "sandbox/streams.h"
#include "sandbox/tracks.h"

/* ---- what happens ---- */

static json_t *
object_of(const json_t *given, const char *key, json_t *otherwise)
{
	const json_t *value = fields_get(given, key);

	if (value == NULL)
		return otherwise;
	json_decref(otherwise);
	return json_deep_copy(value);
}

/* What opens and clicks have in common. */
static json_t *
track_new(
    const char *type, const struct message *message, const char *recipient, const json_t *given)
{
	const char *platform = fields_text(given, "Platform");
	const char *agent = fields_text(given, "UserAgent");
	json_t *json = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "RecordType", type,
	    "MessageStream", message->stream, "MessageID", message->id, "Recipient", recipient,
	    "Tag", message->tag, "ReceivedAt", "", "Platform",
	    platform != NULL ? platform : "WebMail", "UserAgent",
	    agent != NULL ? agent : "Mozilla/5.0 (X11; Linux x86_64)");

	json_object_set_new(json, "Client",
	    object_of(given, "Client",
		json_pack("{s:s, s:s, s:s}", "Name", "Firefox 140", "Company", "Mozilla", "Family",
		    "Firefox")));
	json_object_set_new(json, "OS",
	    object_of(given, "OS",
		json_pack("{s:s, s:s, s:s}", "Name", "Linux", "Company", "", "Family", "Linux")));
	json_object_set_new(json, "Geo",
	    object_of(given, "Geo",
		json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "CountryISOCode", "DE",
		    "Country", "Germany", "RegionISOCode", "BE", "Region", "Berlin", "City",
		    "Berlin", "Zip", "10115", "Coords", "52.53,13.38", "IP", "192.0.2.10")));
	return json;
}

/* Here and in what webhooks are told it is one time. */
static void
note_time(const struct record *record)
{
	char time[STATE_TIME_SIZE];

	json_object_set_new(
	    record->json, "ReceivedAt", json_string(state_time_eastern(time, record->wall_ms)));
}

struct record *
tracks_add_open(
    struct state *state, const struct message *message, const char *recipient, const json_t *given)
{
	json_t *json = track_new("Open", message, recipient, given);
	struct record *record;
	const json_t *seconds = fields_get(given, "ReadSeconds");
	bool first = true;

	for (size_t i = 0; first && i < records_count(state->opens); i++) {
		const struct record *other = records_at(state->opens, i);

		first = strcmp(other->message, message->id) != 0 ||
			!text_same(fields_text(other->json, "Recipient"), recipient);
	}
	json_object_set_new(json, "FirstOpen", json_boolean(first));
	json_object_set_new(
	    json, "ReadSeconds", json_integer(seconds != NULL ? json_integer_value(seconds) : 0));
	record = records_add(state->opens, message->server, message->id, json, NULL);
	note_time(record);
	notify_open(state, message, record);
	return record;
}

struct record *
tracks_add_click(
    struct state *state, const struct message *message, const char *recipient, const json_t *given)
{
	json_t *json = track_new("Click", message, recipient, given);
	const char *location = fields_text(given, "ClickLocation");
	const char *link = fields_text(given, "OriginalLink");
	struct record *record;
	bool first = true;

	for (size_t i = 0; first && i < records_count(state->clicks); i++) {
		const struct record *other = records_at(state->clicks, i);

		first = strcmp(other->message, message->id) != 0 ||
			!text_same(fields_text(other->json, "Recipient"), recipient) ||
			strcmp(fields_text(other->json, "OriginalLink"), link) != 0;
	}
	json_object_set_new(
	    json, "ClickLocation", json_string(location != NULL ? location : "HTML"));
	json_object_set_new(json, "OriginalLink", json_string(link));
	record = records_add(state->clicks, message->server, message->id, json, NULL);
	note_time(record);
	notify_click(state, message, record, first);
	return record;
}

/* ---- calls ---- */

/* The filters that name a text within an object of the record, or the record itself. */
static const struct {
	const char *query;
	const char *object; /* NULL: the record */
	const char *key;
} filters[] = {
	{ "recipient", NULL, "Recipient" },
	{ "tag", NULL, "Tag" },
	{ "client_name", "Client", "Name" },
	{ "client_company", "Client", "Company" },
	{ "client_family", "Client", "Family" },
	{ "os_name", "OS", "Name" },
	{ "os_company", "OS", "Company" },
	{ "os_family", "OS", "Family" },
	{ "platform", NULL, "Platform" },
	{ "country", "Geo", "Country" },
	{ "region", "Geo", "Region" },
	{ "city", "Geo", "City" },
};

static bool
matches(const struct api_request *request, const char *stream, const struct query_span *span,
    const struct record *record)
{
	if (!query_span_has(span, record->wall_ms) ||
	    (stream != NULL && !text_same(fields_text(record->json, "MessageStream"), stream)))
		return false;
	for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
		const char *wanted = query_text(request, filters[i].query);
		const json_t *object = filters[i].object != NULL
					   ? json_object_get(record->json, filters[i].object)
					   : record->json;
		const char *text = fields_text(object, filters[i].key);

		if (wanted != NULL && (text == NULL || !text_same(text, wanted)))
			return false;
	}
	return true;
}

/* message NULL: those of all messages. */
static void
list(struct state *state, const struct server *server, const struct api_request *request,
    const struct records *records, const char *name, const struct message *message,
    struct api_answer *answer)
{
	const char *stream = query_text(request, "messagestream");
	struct query_page page;
	const char *wrong = query_page(request, true, &page);
	struct query_span span;

	if (wrong == NULL)
		wrong = query_span(request, &span);
	if (wrong != NULL) {
		api_refuse(state, answer, 700, wrong);
		return;
	}
	if (stream != NULL && streams_find(state, server, stream, answer) == NULL)
		return;
	/* Like searches, of the usual stream unless another is named. */
	if (stream == NULL && message == NULL)
		stream = STATE_DEFAULT_STREAM;
	for (size_t i = records_count(records); i-- > 0;) {
		const struct record *record = records_at(records, i);

		if (record->server == server->id &&
		    (message == NULL || strcmp(record->message, message->id) == 0) &&
		    matches(request, stream, &span, record) && query_page_has(&page))
			query_page_add(&page, json_incref(record->json));
	}
	query_page_answer(&page, answer, name);
}

void
tracks_opens(struct state *state, struct server *server, const struct api_request *request,
    struct api_answer *answer)
{
	list(state, server, request, state->opens, "Opens", NULL, answer);
}

void
tracks_opens_of_message(struct state *state, struct server *server,
    const struct api_request *request, struct api_answer *answer)
{
	const struct message *message = search_wanted(state, server, request, answer);

	if (message != NULL)
		list(state, server, request, state->opens, "Opens", message, answer);
}

void
tracks_clicks(struct state *state, struct server *server, const struct api_request *request,
    struct api_answer *answer)
{
	list(state, server, request, state->clicks, "Clicks", NULL, answer);
}

void
tracks_clicks_of_message(struct state *state, struct server *server,
    const struct api_request *request, struct api_answer *answer)
{
	const struct message *message = search_wanted(state, server, request, answer);

	if (message != NULL)
		list(state, server, request, state->clicks, "Clicks", message, answer);
}
