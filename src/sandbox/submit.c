/*
 * A mail to the JSON that the API would take for it, so that both ways of sending are judged by
 * the same rules and shown alike.  The header's X-PM fields become the message's (Postmark,
 * "Sending with SMTP": "Custom headers").
 */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/base64.h"
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

/* Text of a mail as JSON; what is no UTF-8 was made good before. */
static json_t *
text_json(const char *text)
{
	json_t *json = json_string(text);

	return json != NULL ? json : json_string("");
}

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
	json_object_set_new(metadata, name, text_json(value));
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
	set_once(message, "TrackLinks", text_json(value));
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
	    headers, json_pack("{s:s, s:o}", "Name", name, "Value", text_json(value)));
}

/* A field that steers Postmark.  false: it does not. */
static bool
take_control(json_t *message, const char *name, const char *value, bool *keep_id)
{
	static const char metadata[] = "X-PM-Metadata-";

	if (named(name, "X-PM-Tag", NULL)) {
		set_once(message, "Tag", text_json(value));
	} else if (named(name, "X-PM-TrackOpens", "X-PM-Track-Opens")) {
		set_once(message, "TrackOpens",
		    text_same(value, "true")    ? json_true()
		    : text_same(value, "false") ? json_false()
						: text_json(value));
	} else if (named(name, "X-PM-TrackLinks", "X-PM-Track-Links")) {
		set_track_links(message, value);
	} else if (named(name, "X-PM-Message-Stream", "X-PM-MessageStream")) {
		set_once(message, "MessageStream", text_json(value));
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

static void
set_mailboxes(json_t *message, const char *key, const struct mime_field *field)
{
	const char *before = json_string_value(json_object_get(message, key));
	struct mailbox_list list;
	struct buf out;

	mailbox_list_parse(&list, field->value, field->value_len);
	buf_init(&out, MOST_TEXT);
	if (before != NULL)
		buf_adds(&out, before);
	for (size_t i = 0; i < list.count; i++)
		mailbox_print(&out, &list.boxes[i]);
	if (out.len > 0)
		json_object_set_new(message, key, text_json(out.data));
	buf_free(&out);
	mailbox_list_free(&list);
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
			set_mailboxes(message, mailboxes[i][1], field);
			goto free_name;
		}
	}
	value = mime_decode_value(field->value, field->value_len);
	if (text_same(name, "Subject"))
		set_once(message, "Subject", text_json(value));
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
		json_object_set_new(message, "Bcc", text_json(out.data));
	buf_free(&out);
}

/* ---- the body ---- */

/* Several texts of one type, as Postmark shows them: one after the other. */
static void
add_body(json_t *message, const char *key, const struct mime_part *part)
{
	const char *before = json_string_value(json_object_get(message, key));
	struct buf out;

	buf_init(&out, MOST_TEXT);
	if (before != NULL) {
		buf_adds(&out, before);
		buf_addc(&out, '\n');
	}
	(void)mime_part_text(part, &out);
	json_object_set_new(message, key, json_stringn(out.data != NULL ? out.data : "", out.len));
	buf_free(&out);
}

static char *
attachment_name(const struct mime_part *part, size_t number)
{
	char *name = mime_part_file_name(part);

	if (name != NULL && name[0] != '\0')
		return name;
	free(name);
	if (strcmp(part->type, "text/calendar") == 0)
		return mem_string("invite.ics");
	if (part->kind == MIME_MESSAGE)
		return mem_format("message-%zu.eml", number);
	return mem_format("attachment-%zu", number);
}

static void
add_attachment(json_t *message, const struct mime_part *part)
{
	json_t *list = json_object_get(message, "Attachments"), *one;
	struct buf bytes;
	char *name, *content, *id;

	if (list == NULL) {
		list = json_array();
		json_object_set_new(message, "Attachments", list);
	}
	buf_init(&bytes, MOST_TEXT);
	mime_part_decode(part, &bytes);
	content = base64_encode(bytes.data != NULL ? bytes.data : "", bytes.len);
	name = attachment_name(part, json_array_size(list) + 1);
	one = json_pack("{s:o, s:s, s:s}", "Name", text_json(name), "Content", content,
	    "ContentType", part->type);
	if (part->content_id != NULL && part->content_id[0] != '\0') {
		id = mem_format("cid:%s", part->content_id);
		json_object_set_new(one, "ContentID", text_json(id));
		free(id);
	}
	json_array_append_new(list, one);
	free(name);
	free(content);
	buf_free(&bytes);
}

static bool
is_body(const struct mime_part *part)
{
	char *name;
	bool has_name;

	if (part->kind != MIME_LEAF || mime_part_is_attachment(part))
		return false;
	name = mime_part_file_name(part);
	has_name = name != NULL && name[0] != '\0';
	free(name);
	return !has_name &&
	       (strcmp(part->type, "text/plain") == 0 || strcmp(part->type, "text/html") == 0);
}

static void
take_parts(json_t *message, const struct mime *mime)
{
	for (size_t i = 0; i < mime->part_count; i++) {
		const struct mime_part *part = &mime->parts[i];

		if (part->kind == MIME_MULTIPART)
			continue;
		if (is_body(part))
			add_body(message,
			    strcmp(part->type, "text/html") == 0 ? "HtmlBody" : "TextBody", part);
		else
			add_attachment(message, part);
	}
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
		take_parts(sent.json, &mime);
		send_mail(state, server, &sent);
	} else {
		send_bad_mail(
		    state, server, &sent, 300, "The message has too many headers or parts.");
	}
done:
	mime_free(&mime);
	json_decref(sent.json);
}
