#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/text.h"

#include "sandbox/account.h"
#include "sandbox/api.h"
#include "sandbox/bounce_type.h"
#include "sandbox/bounces.h"
#include "sandbox/control.h"
#include "sandbox/fields.h"
#include "sandbox/inbound.h"
#include "sandbox/inbound_mail.h"
#include "sandbox/messages.h"
#include "sandbox/query.h"
#include "sandbox/records.h"
#include "sandbox/state.h"
#include "sandbox/suppressions.h"
#include "sandbox/tracks.h"
#include "sandbox/control_events.h"

static const struct fields fields[] = {
	{ "MessageID", FIELDS_STRING },
	{ "Recipient", FIELDS_STRING },
	{ "Client", FIELDS_OBJECT },
	{ "OS", FIELDS_OBJECT },
	{ "Geo", FIELDS_OBJECT },
	{ "Platform", FIELDS_STRING },
	{ "UserAgent", FIELDS_STRING },
	{ "ReadSeconds", FIELDS_INTEGER },
	{ "OriginalLink", FIELDS_STRING },
	{ "ClickLocation", FIELDS_STRING },
	{ "Email", FIELDS_STRING },
	{ "Type", FIELDS_STRING },
	{ "Details", FIELDS_STRING },
};

/* The body, an object whose fields have the right types; NULL: refused. */
static json_t *
body_of(const struct api_request *request, struct api_answer *answer, bool check)
{
	json_error_t unreadable;
	json_t *json = api_request_json(request, &unreadable);
	char *wrong;

	if (json == NULL) {
		control_wrong(answer, 400, unreadable.text);
		return NULL;
	}
	if (!json_is_object(json)) {
		control_wrong(answer, 422, "wanted an object");
		goto refused;
	}
	wrong = check ? fields_wrong(json, fields, sizeof(fields) / sizeof(fields[0])) : NULL;
	if (wrong != NULL) {
		control_wrong(answer, 422, wrong);
		free(wrong);
		goto refused;
	}
	return json;

refused:
	json_decref(json);
	return NULL;
}

static void
answer_record(struct api_answer *answer, const struct record *record)
{
	control_json(answer, json_copy(record->json));
}

/* The message that is told of; NULL: refused. */
static const struct message *
message_of(const struct state *state, const json_t *json, struct api_answer *answer)
{
	const char *id = fields_text(json, "MessageID");
	const struct message *message = id != NULL ? messages_find(state->messages, id) : NULL;

	if (message == NULL)
		control_wrong(answer, 404, "no message with this MessageID, or forgotten");
	return message;
}

/* Who of the message's recipients it is about, by default the first; NULL: refused. */
static const char *
recipient_of(const struct message *message, const char *wanted, struct api_answer *answer)
{
	for (size_t i = 0; i < message->recipients.count; i++) {
		if (wanted == NULL || text_same(message->recipients.items[i], wanted))
			return message->recipients.items[i];
	}
	control_wrong(answer, 422, "the message has no such recipient");
	return NULL;
}

void
control_post_open(struct state *state, const struct api_request *request, struct api_answer *answer)
{
	json_t *json = body_of(request, answer, true);
	const struct message *message = json != NULL ? message_of(state, json, answer) : NULL;
	const char *recipient = NULL;

	if (message != NULL)
		recipient = recipient_of(message, fields_text(json, "Recipient"), answer);
	if (recipient != NULL)
		answer_record(answer, tracks_add_open(state, message, recipient, json));
	json_decref(json);
}

void
control_post_click(
    struct state *state, const struct api_request *request, struct api_answer *answer)
{
	json_t *json = body_of(request, answer, true);
	const char *location = fields_text(json, "ClickLocation");
	const struct message *message = json != NULL ? message_of(state, json, answer) : NULL;
	const char *recipient = NULL;

	if (message != NULL)
		recipient = recipient_of(message, fields_text(json, "Recipient"), answer);
	if (recipient == NULL)
		goto free_json;
	if (fields_text(json, "OriginalLink") == NULL)
		control_wrong(answer, 422, "wanted an OriginalLink");
	else if (location != NULL && strcmp(location, "HTML") != 0 && strcmp(location, "Text") != 0)
		control_wrong(answer, 422, "ClickLocation: wanted HTML or Text");
	else
		answer_record(answer, tracks_add_click(state, message, recipient, json));

free_json:
	json_decref(json);
}

void
control_post_bounce(
    struct state *state, const struct api_request *request, struct api_answer *answer)
{
	json_t *json = body_of(request, answer, true);
	const char *email = fields_text(json, "Email"), *type = fields_text(json, "Type");
	const struct message *message = NULL;
	struct server *server;

	if (json == NULL)
		return;
	type = type != NULL ? type : "HardBounce";
	if (fields_text(json, "MessageID") != NULL) {
		message = message_of(state, json, answer);
		if (message == NULL)
			goto free_json;
		email = recipient_of(message, email, answer);
		if (email == NULL)
			goto free_json;
		server = account_server(&state->account, message->server);
	} else {
		server = control_server(state, request);
	}
	if (server == NULL)
		control_wrong(answer, 404, "there is no such server");
	else if (email == NULL || !suppressions_address_ok(email))
		control_wrong(answer, 422, "wanted a MessageID or an Email");
	else if (bounce_type_find(type) == NULL)
		control_wrong(answer, 422, "Type: there is no such type of bounce");
	else
		answer_record(answer,
		    bounces_add(state, server, message, email, type, fields_text(json, "Details")));

free_json:
	json_decref(json);
}

/* What the envelope and the query say of a mail that comes as it is. */
static json_t *
read_mail(const struct api_request *request)
{
	const char *sender = query_text(request, "sender");
	json_t *given = inbound_mail_read(request->body, request->body_len);

	if (json_object_get(given, "From") == NULL && sender != NULL)
		json_object_set_new(given, "From", json_string(sender));
	return given;
}

void
control_post_inbound(
    struct state *state, const struct api_request *request, struct api_answer *answer)
{
	const char *recipient = query_text(request, "recipient"), *why;
	bool raw =
	    request->content_type != NULL && text_starts(request->content_type, "message/rfc822");
	const struct server *server = NULL;
	const struct record *record;
	json_t *json;

	if (recipient != NULL && !suppressions_address_ok(recipient)) {
		control_wrong(answer, 422, "recipient: wanted an address");
		return;
	}
	json = raw ? read_mail(request) : body_of(request, answer, false);
	if (json == NULL)
		return;
	if (recipient != NULL && query_text(request, "server") == NULL)
		server = inbound_mail_server(&state->account, recipient);
	if (server == NULL)
		server = control_server(state, request);
	if (server == NULL) {
		control_wrong(answer, 404, "there is no such server");
	} else {
		record = inbound_add(state, server,
		    &(struct inbound_mail){
			.given = json,
			.recipient = recipient,
			.raw = raw ? request->body : NULL,
			.raw_len = raw ? request->body_len : 0,
		    },
		    &why);
		if (record != NULL)
			answer_record(answer, record);
		else
			control_wrong(answer, 422, why);
	}
	json_decref(json);
}
