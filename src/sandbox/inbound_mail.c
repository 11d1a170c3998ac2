#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/text.h"
#include "mail/mime.h"

#include "sandbox/account.h"
#include "sandbox/fields.h"
#include "sandbox/mail_json.h"
#include "sandbox/messages.h"
#include "sandbox/rules.h"
#include "sandbox/server.h"
#include "sandbox/inbound_mail.h"

static const struct mime_limits limits = { .depth = 100, .parts = 1000, .fields = 1000 };

static void
add_header(json_t *headers, const char *name, const char *value)
{
	json_array_append_new(headers,
	    json_pack("{s:o, s:o}", "Name", mail_json_text(name), "Value", mail_json_text(value)));
}

/* What Postmark adds. */
static json_t *
headers_new(void)
{
	json_t *headers = json_array();

	add_header(headers, "X-Spam-Checker-Version", "SpamAssassin 3.4.0 (sandbox)");
	add_header(headers, "X-Spam-Status", "No");
	add_header(headers, "X-Spam-Score", "0.0");
	add_header(headers, "X-Spam-Tests", "NONE");
	add_header(headers, "Received-SPF", "Pass (sender is of the sandbox)");
	return headers;
}

/* An inbound ContentID has no scheme. */
static void
strip_cids(json_t *given)
{
	size_t i;
	json_t *one;

	json_array_foreach(json_object_get(given, "Attachments"), i, one)
	{
		const char *id = fields_text(one, "ContentID");

		if (id != NULL && text_starts(id, "cid:")) {
			json_t *bare = json_string(id + 4);

			json_object_set_new(one, "ContentID", bare);
		}
	}
}

/* ---- a mail as it came ---- */

static void
take_field(json_t *given, json_t *headers, const struct mime_field *field)
{
	static const char *const mailboxes[][2] = { { "From", "From" }, { "To", "To" },
		{ "Cc", "Cc" }, { "Reply-To", "ReplyTo" } };
	static const char *const texts[][2] = { { "Subject", "Subject" }, { "Date", "Date" },
		{ "X-Tag", "Tag" } };
	char *name = mem_bytes(field->name, field->name_len), *value;

	for (size_t i = 0; i < sizeof(mailboxes) / sizeof(mailboxes[0]); i++) {
		if (text_same(name, mailboxes[i][0])) {
			mail_json_mailboxes(given, mailboxes[i][1], field);
			goto free_name;
		}
	}
	value = mime_decode_value(field->value, field->value_len);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (text_same(name, texts[i][0])) {
			json_object_set_new(given, texts[i][1], mail_json_text(value));
			goto free_value;
		}
	}
	if (!text_same(name, "Bcc"))
		add_header(headers, name, value);
free_value:
	free(value);
free_name:
	free(name);
}

json_t *
inbound_mail_read(const char *content, size_t len)
{
	json_t *given = json_object(), *headers = headers_new();
	struct mime mime;
	size_t figure;
	enum mime_end end = mime_parse(&mime, content, len, &limits, &figure);

	if (end != MIME_TOO_MANY_FIELDS) {
		for (size_t i = 0; i < mime.field_count; i++)
			take_field(given, headers, &mime.fields[i]);
	}
	if (end == MIME_DONE)
		mail_json_parts(given, &mime);
	mime_free(&mime);
	json_object_set_new(given, "Headers", headers);
	strip_cids(given);
	return given;
}

/* ---- a message that was sent ---- */

static void
copy(json_t *given, const json_t *sent, const char *key)
{
	if (fields_get(sent, key) != NULL)
		json_object_set_new(given, key, json_deep_copy(fields_get(sent, key)));
}

static json_t *
headers_of(const struct message *message, const json_t *sent)
{
	json_t *headers = headers_new(), *one;
	char *id = NULL;
	bool keep = false;
	size_t i;

	json_array_foreach(json_object_get(sent, "Headers"), i, one)
	{
		const char *name = fields_text(one, "Name"), *value = fields_text(one, "Value");

		value = value != NULL ? value : "";
		if (name == NULL)
			continue;
		if (text_same(name, "X-PM-KeepID"))
			keep = text_same(value, "true");
		else if (text_same(name, "Message-ID") && id == NULL)
			id = mem_string(value);
		else if (!text_starts(name, "X-PM-"))
			add_header(headers, name, value);
	}
	if (!keep || id == NULL) {
		free(id);
		id = mem_format("<%s@mtasv.net>", message->id);
	}
	add_header(headers, "Message-ID", id);
	add_header(headers, "X-PM-Message-Id", message->id);
	free(id);
	return headers;
}

json_t *
inbound_mail_of_message(const struct message *message, const json_t *sent)
{
	static const char *const keys[] = { "From", "To", "Cc", "ReplyTo", "Subject", "TextBody",
		"HtmlBody", "Attachments" };
	json_t *given = json_object();
	time_t seconds = (time_t)(message->wall_ms / 1000);
	char date[64];
	struct tm tm;

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		copy(given, sent, keys[i]);
	gmtime_r(&seconds, &tm);
	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S +0000", &tm);
	json_object_set_new(given, "Date", json_string(date));
	json_object_set_new(given, "Headers", headers_of(message, sent));
	strip_cids(given);
	return given;
}

/* ---- whose it is ---- */

struct server *
inbound_mail_server(const struct account *account, const char *address)
{
	const char *at = strrchr(address, '@');
	size_t local = strcspn(address, "+@");

	/* A server without a domain of its own has an empty one. */
	for (size_t i = 0; at != NULL && at[1] != '\0' && i < account->servers.count; i++) {
		struct server *server = account->servers.list[i];
		const char *own = server_text(server, "InboundAddress");
		const char *own_at = strrchr(own, '@');

		if (text_same(server_text(server, "InboundDomain"), at + 1))
			return server;
		if (own_at != NULL && text_same(own_at, at) && (size_t)(own_at - own) == local &&
		    text_same_n(own, address, local))
			return server;
	}
	return NULL;
}

bool
inbound_mail_shows(const json_t *given, const char *address)
{
	static const char *const keys[] = { "To", "Cc" };
	struct rules_mailboxes list;
	struct rules_refusal refusal;
	bool shows = false;

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]) && !shows; i++) {
		const char *text = fields_text(given, keys[i]);

		if (text == NULL)
			continue;
		if (rules_mailboxes_parse(keys[i], text, &list, &refusal) != 0) {
			rules_refusal_deinit(&refusal);
			continue;
		}
		for (size_t j = 0; j < list.addresses.count; j++)
			shows = shows || text_same(list.addresses.items[j], address);
		rules_mailboxes_deinit(&list);
	}
	return shows;
}
