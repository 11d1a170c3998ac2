#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/http.h>
#include <event2/keyvalq_struct.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"

#include "sandbox/api.h"
#include "sandbox/messages.h"
#include "sandbox/query.h"
#include "sandbox/records.h"
#include "sandbox/rules.h"
#include "sandbox/server.h"
#include "sandbox/state.h"
#include "sandbox/source.h"
#include "sandbox/streams.h"
#include "sandbox/search.h"

/* ---- a message as JSON ---- */

static json_t *
mailboxes_json(const json_t *request, const char *field)
{
	struct rules_mailboxes list;
	struct rules_refusal refusal = { 0 };
	const char *text = json_string_value(json_object_get(request, field));
	json_t *out = json_array();

	if (text == NULL || rules_mailboxes_parse(field, text, &list, &refusal) != 0) {
		rules_refusal_deinit(&refusal);
		return out;
	}
	for (size_t i = 0; i < list.addresses.count; i++) {
		const char *name = list.names.items[i];

		json_array_append_new(
		    out, json_pack("{s:s, s:o}", "Email", list.addresses.items[i], "Name",
			     name[0] != '\0' ? json_string(name) : json_null()));
	}
	rules_mailboxes_deinit(&list);
	return out;
}

static json_t *
strings_json(const struct strlist *list)
{
	json_t *out = json_array();

	for (size_t i = 0; i < list->count; i++)
		json_array_append_new(out, json_string(list->items[i]));
	return out;
}

static json_t *
member_or(const json_t *object, const char *key, json_t *otherwise)
{
	json_t *value = json_object_get(object, key);

	if (value == NULL || json_is_null(value))
		return otherwise;
	json_decref(otherwise);
	return json_incref(value);
}

/* The message as a list shows it; request is what was sent. */
static json_t *
summary_json(const struct message *message, const json_t *request)
{
	static const char *const links[2][2] = { { "None", "TextOnly" },
		{ "HtmlOnly", "HtmlAndText" } };
	char time[STATE_TIME_SIZE];
	json_t *names = json_array();
	size_t i;
	const json_t *one;

	json_array_foreach(json_object_get(request, "Attachments"), i, one)
	    json_array_append(names, json_object_get(one, "Name"));
	return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:s, s:s, s:s, s:o, s:s, s:o, s:o,"
			 " s:o, s:b}",
	    "Tag", message->tag, "MessageID", message->id, "MessageStream", message->stream, "To",
	    mailboxes_json(request, "To"), "Cc", mailboxes_json(request, "Cc"), "Bcc",
	    mailboxes_json(request, "Bcc"), "Recipients", strings_json(&message->recipients),
	    "ReceivedAt",
	    state_time_text(time, message->wall_ms, message->fraction, STATE_EASTERN_MINUTES),
	    "From", message->from, "Subject", message->subject, "Attachments", names, "Status",
	    "Sent", "TrackOpens", json_boolean(message->track_opens), "TrackLinks",
	    json_string(links[message->track_html_links][message->track_text_links]), "Metadata",
	    member_or(request, "Metadata", json_object()), "Sandboxed", message->sandboxed);
}

static json_t *
request_json(const struct message *message)
{
	return json_loadb(message->json, message->json_len, 0, NULL);
}

/* ---- the search ---- */

struct search {
	struct query_page page;
	const char *recipient;
	const char *from;
	const char *tag;
	const char *subject;
	const char *status;
	const char *stream;
	const char *metadata_key; /* NULL: none */
	const char *metadata_value;
	struct query_span span;
};

/* NULL, or what is wrong with the query. */
static const char *
search_read(const struct api_request *request, struct search *search)
{
	static const char metadata[] = "metadata_";
	const struct evkeyval *pair;
	const char *wrong;

	memset(search, 0, sizeof(*search));
	wrong = query_page(request, true, &search->page);
	if (wrong != NULL)
		return wrong;
	search->recipient = query_text(request, "recipient");
	search->from = query_text(request, "fromemail");
	search->tag = query_text(request, "tag");
	search->subject = query_text(request, "subject");
	search->status = query_text(request, "status");
	if (search->status != NULL && !text_same(search->status, "queued") &&
	    !text_same(search->status, "sent") && !text_same(search->status, "processed"))
		return "The 'status' parameter is not valid.";
	search->stream = query_text(request, "messagestream");
	if (search->stream == NULL)
		search->stream = STATE_DEFAULT_STREAM;
	for (pair = request->query->tqh_first; pair != NULL; pair = pair->next.tqe_next) {
		if (!text_starts(pair->key, metadata))
			continue;
		if (search->metadata_key != NULL)
			return "Only one metadata filter may be given.";
		search->metadata_key = pair->key + strlen(metadata);
		search->metadata_value = pair->value;
	}
	return query_span(request, &search->span);
}

static bool
has_recipient(const struct message *message, const char *address)
{
	for (size_t i = 0; i < message->recipients.count; i++) {
		if (text_same(message->recipients.items[i], address))
			return true;
	}
	return false;
}

static bool
has_metadata(const struct message *message, const char *key, const char *value)
{
	json_t *request, *one;
	const char *name;
	bool found = false;

	if (text_same(key, "relay-id"))
		return message->relay_id != NULL && strcmp(message->relay_id, value) == 0;
	request = request_json(message);
	json_object_foreach(json_object_get(request, "Metadata"), name, one) found =
	    found || (text_same(name, key) && strcmp(json_string_value(one), value) == 0);
	json_decref(request);
	return found;
}

static bool
search_matches(const struct state *state, const struct server *server, const struct search *search,
    const struct message *message)
{
	return message->server == server->id &&
	       clock_mono_ms() - message->mono_ms >= state->search_lag_ms &&
	       query_span_has(&search->span, message->wall_ms) &&
	       text_same(message->stream, search->stream) &&
	       (search->status == NULL || !text_same(search->status, "queued")) &&
	       (search->recipient == NULL || has_recipient(message, search->recipient)) &&
	       (search->from == NULL || text_same(message->from, search->from)) &&
	       (search->tag == NULL || strcmp(message->tag, search->tag) == 0) &&
	       (search->subject == NULL ||
		   text_find_same(message->subject, search->subject) != NULL) &&
	       (search->metadata_key == NULL ||
		   has_metadata(message, search->metadata_key, search->metadata_value));
}

void
search_messages(struct state *state, struct server *server, const struct api_request *request,
    struct api_answer *answer)
{
	const struct message *message;
	struct search search;
	const char *wrong = search_read(request, &search);
	size_t index = messages_count(state->messages);
	json_t *sent;
	bool by_relay_id;

	if (wrong != NULL) {
		api_refuse(state, answer, 700, wrong);
		return;
	}
	if (streams_find(state, server, search.stream, answer) == NULL)
		return;

	by_relay_id = search.metadata_key != NULL && text_same(search.metadata_key, "relay-id");
	if (by_relay_id)
		message = messages_by_relay_id(state->messages, search.metadata_value);
	else
		message = index > 0 ? messages_at(state->messages, --index) : NULL;
	while (message != NULL) {
		if (search_matches(state, server, &search, message) &&
		    query_page_has(&search.page)) {
			sent = request_json(message);
			query_page_add(&search.page, summary_json(message, sent));
			json_decref(sent);
		}
		if (by_relay_id)
			message = message->next_same;
		else
			message = index > 0 ? messages_at(state->messages, --index) : NULL;
	}
	query_page_answer(&search.page, answer, "Messages");
}

/* ---- one sent message ---- */

const struct message *
search_wanted(struct state *state, const struct server *server, const struct api_request *request,
    struct api_answer *answer)
{
	const struct message *message =
	    messages_of_server(state->messages, server->id, request->parts[0]);

	if (message == NULL)
		api_refuse(state, answer, 701, "This message was not found.");
	return message;
}

static void
add_event(json_t *events, const char *recipient, const char *type, int64_t wall_ms, json_t *details)
{
	char time[STATE_TIME_SIZE];

	json_array_append_new(
	    events, json_pack("{s:s, s:s, s:s, s:o}", "Recipient", recipient, "Type", type,
			"ReceivedAt", state_time_eastern(time, wall_ms), "Details", details));
}

static const char *
text_of(const struct record *record, const char *key)
{
	return json_string_value(json_object_get(record->json, key));
}

/* true: this recipient's mail came back for good. */
static bool
add_bounces(
    json_t *events, const struct state *state, const struct message *message, const char *recipient)
{
	bool came_back = false;
	char id[32];

	for (size_t i = 0; i < records_count(state->bounces); i++) {
		const struct record *record = records_at(state->bounces, i);
		const char *type = text_of(record, "Type");

		if (strcmp(record->message, message->id) != 0 ||
		    !text_same(text_of(record, "Email"), recipient))
			continue;
		if (strcmp(type, "Transient") == 0) {
			add_event(events, recipient, "Transient", record->wall_ms,
			    json_pack("{s:s, s:s, s:s}", "DeliveryMessage",
				text_of(record, "Details"), "DestinationServer",
				strrchr(recipient, '@') + 1, "DestinationIP", "192.0.2.25"));
			continue;
		}
		snprintf(id, sizeof(id), "%llu", (unsigned long long)record->number);
		add_event(events, recipient, "Bounced", record->wall_ms,
		    json_pack("{s:s, s:s}", "Summary", text_of(record, "Details"), "BounceID", id));
		if (strcmp(type, "HardBounce") == 0 || strcmp(type, "SpamComplaint") == 0)
			add_event(events, recipient, "SubscriptionChanged", record->wall_ms,
			    json_pack(
				"{s:s, s:s}", "Origin", "Recipient", "SuppressSending", "True"));
		came_back |= strcmp(type, "SpamComplaint") != 0;
	}
	return came_back;
}

static void
add_tracks(json_t *events, const struct records *records, const char *type,
    const struct message *message, const char *recipient)
{
	for (size_t i = 0; i < records_count(records); i++) {
		const struct record *record = records_at(records, i);
		const char *link = text_of(record, "OriginalLink");

		if (strcmp(record->message, message->id) != 0 ||
		    !text_same(text_of(record, "Recipient"), recipient))
			continue;
		if (link == NULL)
			link = text_of(record, "UserAgent");
		add_event(
		    events, recipient, type, record->wall_ms, json_pack("{s:s}", "Summary", link));
	}
}

static json_t *
events_json(const struct state *state, const struct message *message)
{
	json_t *events = json_array();

	for (size_t i = 0; i < message->recipients.count; i++) {
		const char *recipient = message->recipients.items[i];

		if (strlist_has(&message->suppressed, recipient))
			continue;
		if (!add_bounces(events, state, message, recipient))
			add_event(events, recipient, "Delivered", message->wall_ms,
			    json_pack("{s:s, s:s, s:s}", "DeliveryMessage", "250 OK",
				"DestinationServer", strrchr(recipient, '@') + 1, "DestinationIP",
				"192.0.2.25"));
		add_tracks(events, state->opens, "Opened", message, recipient);
		add_tracks(events, state->clicks, "LinkClicked", message, recipient);
	}
	return events;
}

/* The message about as it would be mailed: what came by SMTP nearly as it came, else fields as
 * headers, and the text. */
static json_t *
source_json(const struct message *message, const json_t *request)
{
	static const char *const fields[] = { "From", "To", "Cc", "ReplyTo", "Subject" };
	const char *text = json_string_value(json_object_get(request, "TextBody"));
	struct buf out;
	json_t *source, *header;
	size_t i, len;
	char *delivered;

	if (message->source != NULL) {
		delivered =
		    source_delivered(message->source, message->source_len, message->id, &len);
		source = json_stringn(delivered, len);
		free(delivered);
		return source;
	}
	buf_init(&out, API_MOST_ANSWER);
	for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		const char *value = json_string_value(json_object_get(request, fields[i]));

		if (value != NULL && value[0] != '\0')
			buf_addf(&out, "%s: %s\r\n",
			    strcmp(fields[i], "ReplyTo") == 0 ? "Reply-To" : fields[i], value);
	}
	json_array_foreach(json_object_get(request, "Headers"), i, header)
	    buf_addf(&out, "%s: %s\r\n", json_string_value(json_object_get(header, "Name")),
		json_string_value(json_object_get(header, "Value")));
	buf_addf(&out, "X-PM-Message-Id: %s\r\n\r\n", message->id);
	if (text == NULL || text[0] == '\0')
		text = json_string_value(json_object_get(request, "HtmlBody"));
	buf_adds(&out, text != NULL ? text : "");
	source = json_stringn(out.data, out.len);
	buf_free(&out);
	return source;
}

void
search_details(struct state *state, struct server *server, const struct api_request *request,
    struct api_answer *answer)
{
	const struct message *message = search_wanted(state, server, request, answer);
	json_t *sent, *out;

	if (message == NULL)
		return;
	sent = request_json(message);
	out = summary_json(message, sent);
	json_object_set_new(out, "TextBody", member_or(sent, "TextBody", json_string("")));
	json_object_set_new(out, "HtmlBody", member_or(sent, "HtmlBody", json_string("")));
	json_object_set_new(out, "Body", source_json(message, sent));
	json_object_set_new(out, "MessageEvents", events_json(state, message));
	json_decref(sent);
	api_answer_json(answer, out);
}

void
search_dump(struct state *state, struct server *server, const struct api_request *request,
    struct api_answer *answer)
{
	const struct message *message = search_wanted(state, server, request, answer);
	json_t *sent;

	if (message == NULL)
		return;
	sent = request_json(message);
	api_answer_json(answer, json_pack("{s:o}", "Body", source_json(message, sent)));
	json_decref(sent);
}
