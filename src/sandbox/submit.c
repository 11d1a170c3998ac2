/*
 * A mail to the JSON that the API would take for it, so that both ways of sending are judged by
 * the same rules and shown alike.  The header's X-PM fields become the message's (Postmark,
 * "Sending with SMTP": "Custom headers").
 */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/strlist.h"
#include "base/text.h"
#include "mail/address.h"
#include "mail/mime.h"

#include "sandbox/account.h"
#include "sandbox/api.h"
#include "sandbox/faults.h"
#include "sandbox/mail_json.h"
#include "sandbox/rules.h"
#include "sandbox/send.h"
#include "sandbox/server.h"
#include "sandbox/state.h"
#include "sandbox/submit.h"

#define MOST_TEXT ((size_t)64 * 1024 * 1024)

static const struct mime_limits limits = { .depth = 100, .parts = 1000, .fields = 1000 };

bool
submit_login(const struct state *state, const char *user, const char *password)
{
	const struct server *server;
	size_t number;

	if (!text_same(user, password))
		return false;
	if (strcmp(user, API_TEST_TOKEN) == 0)
		return true;
	server = account_server_by_token(&state->account, user, &number);
	return server != NULL && server_flag(server, "SmtpApiActivated");
}

bool
submit_starttls(const struct state *state)
{
	return state->switches.smtp_starttls;
}

bool
submit_fault(struct state *state, const char *command, struct fault *fault_r)
{
	if (!faults_pick(state->faults, FAULTS_SMTP, command, fault_r))
		return false;
	state->counts.faults++;
	log_info("fault", log_str("smtp", command), log_num("status", fault_r->status));
	return true;
}

/* ---- the header ---- */

/* Whole names only: "X-PM-Tagged" is not "X-PM-Tag". */
static bool
named(const char *name, const char *one, const char *other)
{
	return text_same(name, one) || (other != NULL && text_same(name, other));
}

/* The first of several counts. */
static void
set_once(json_t *message, const char *key, json_t *value)
{
	if (json_object_get(message, key) == NULL)
		json_object_set_new(message, key, value);
	else
		json_decref(value);
}

/* A key that comes again gets a number appended. */
static void
add_metadata(json_t *message, const char *key, const char *value)
{
	json_t *metadata = json_object_get(message, "Metadata");
	char *name = mem_string(key);

	if (metadata == NULL) {
		metadata = json_object();
		json_object_set_new(message, "Metadata", metadata);
	}
	for (int i = 1; json_object_get(metadata, name) != NULL; i++) {
		free(name);
		name = mem_format("%s%d", key, i);
	}
	json_object_set_new(metadata, name, mail_json_text(value));
	free(name);
}

static void
set_track_links(json_t *message, const char *value)
{
	static const char *const known[] = { "None", "HtmlAndText", "HtmlOnly", "TextOnly" };

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (text_same(value, known[i]))
			value = known[i];
	}
	set_once(message, "TrackLinks", mail_json_text(value));
}

static void
add_header(json_t *message, const char *name, const char *value)
{
	json_t *headers = json_object_get(message, "Headers");

	for (const char *c = name; *c != '\0'; c++) {
		if (*c <= ' ' || *c >= 0x7f)
			return;
	}
	if (headers == NULL) {
		headers = json_array();
		json_object_set_new(message, "Headers", headers);
	}
	json_array_append_new(
	    headers, json_pack("{s:s, s:o}", "Name", name, "Value", mail_json_text(value)));
}

/* A field that steers Postmark.  false: it does not. */
static bool
take_control(json_t *message, const char *name, const char *value, bool *keep_id)
{
	static const char metadata[] = "X-PM-Metadata-";

	if (named(name, "X-PM-Tag", NULL)) {
		set_once(message, "Tag", mail_json_text(value));
	} else if (named(name, "X-PM-TrackOpens", "X-PM-Track-Opens")) {
		set_once(message, "TrackOpens",
		    text_same(value, "true")    ? json_true()
		    : text_same(value, "false") ? json_false()
						: mail_json_text(value));
	} else if (named(name, "X-PM-TrackLinks", "X-PM-Track-Links")) {
		set_track_links(message, value);
	} else if (named(name, "X-PM-Message-Stream", "X-PM-MessageStream")) {
		set_once(message, "MessageStream", mail_json_text(value));
	} else if (text_starts(name, metadata)) {
		add_metadata(message, name + strlen(metadata), value);
	} else if (named(name, "X-PM-KeepID", NULL)) {
		*keep_id = text_same(value, "true");
		add_header(message, name, value);
	} else {
		return false;
	}
	return true;
}

/* Those of which the message has no field, and nothing else to say. */
static bool
is_dropped(const char *name)
{
	return rules_header_forbidden(name) || text_same(name, "MIME-Version") ||
	       text_same(name, "Message-ID") || text_starts(name, "Content-");
}

static void
take_field(json_t *message, const struct mime_field *field, bool *keep_id)
{
	static const char *const mailboxes[][2] = { { "From", "From" }, { "To", "To" },
		{ "Cc", "Cc" }, { "Reply-To", "ReplyTo" } };
	char *name = mem_bytes(field->name, field->name_len);
	char *value;

	for (size_t i = 0; i < sizeof(mailboxes) / sizeof(mailboxes[0]); i++) {
		if (text_same(name, mailboxes[i][0])) {
			mail_json_mailboxes(message, mailboxes[i][1], field);
			goto free_name;
		}
	}
	value = mime_decode_value(field->value, field->value_len);
	if (text_same(name, "Subject"))
		set_once(message, "Subject", mail_json_text(value));
	else if (!take_control(message, name, value, keep_id) && !is_dropped(name))
		add_header(message, name, value);
	free(value);
free_name:
	free(name);
}

static void
take_fields(json_t *message, const struct mime *mime)
{
	bool keep_id = false;

	for (size_t i = 0; i < mime->field_count; i++)
		take_field(message, &mime->fields[i], &keep_id);
	for (size_t i = 0; keep_id && i < mime->field_count; i++) {
		const struct mime_field *field = &mime->fields[i];
		char *value;

		if (!mime_field_is(field, "Message-ID"))
			continue;
		value = mime_plain_value(field->value, field->value_len);
		add_header(message, "Message-ID", value);
		free(value);
		break;
	}
}

/* ---- recipients ---- */

static bool
has_address(const json_t *message, const char *key, const char *address)
{
	const char *text = json_string_value(json_object_get(message, key));
	struct mailbox_list list;
	bool found = false;

	if (text == NULL)
		return false;
	mailbox_list_parse(&list, text, strlen(text));
	for (size_t i = 0; i < list.count; i++)
		found = found || text_same(list.boxes[i].address, address);
	mailbox_list_free(&list);
	return found;
}

/* Recipients of the envelope that no header shows. */
static void
set_blind(json_t *message, const struct strlist *recipients)
{
	struct buf out;

	buf_init(&out, MOST_TEXT);
	for (size_t i = 0; i < recipients->count; i++) {
		const char *address = recipients->items[i];

		if (has_address(message, "To", address) || has_address(message, "Cc", address))
			continue;
		if (out.len > 0)
			buf_adds(&out, ", ");
		buf_adds(&out, address);
	}
	if (out.len > 0)
		json_object_set_new(message, "Bcc", mail_json_text(out.data));
	buf_free(&out);
}

void
submit_mail(struct state *state, const struct submit_mail *mail)
{
	struct send_mail sent = {
		.json = json_object(),
		.recipients = mail->recipients,
		.source = mail->content,
		.source_len = mail->len,
	};
	struct server *server = account_server_by_token(&state->account, mail->user, &sent.token);
	enum mime_end end;
	struct mime mime;
	size_t figure;

	state->counts.smtp_mails++;
	end = mime_parse(&mime, mail->content, mail->len, &limits, &figure);
	if (server == NULL) {
		/* The test token, or a server that is gone by now. */
		state->counts.test_messages++;
		goto done;
	}
	if (end != MIME_TOO_MANY_FIELDS)
		take_fields(sent.json, &mime);
	set_blind(sent.json, mail->recipients);
	if (end == MIME_DONE) {
		mail_json_parts(sent.json, &mime);
		send_mail(state, server, &sent);
	} else {
		send_bad_mail(
		    state, server, &sent, 300, "The message has too many headers or parts.");
	}
done:
	mime_free(&mime);
	json_decref(sent.json);
}
