/*
 * A mail that came to the sandbox by SMTP, to two recipients of which the second is suppressed.
 * Properties: each recipient gets it or has a bounce for it, and never both; the message that it
 * became is JSON with one line in each field, and none of it is from Bcc; and what is shown as
 * passed on is UTF-8, with the body as it came and without what only Postmark is to see.  The same
 * mail coming in keeps its attachments when its source is made again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/log.h"
#include "base/strlist.h"
#include "base/text.h"
#include "mail/mime.h"
#include "sandbox/compose.h"
#include "sandbox/events.h"
#include "sandbox/inbound_mail.h"
#include "sandbox/messages.h"
#include "sandbox/records.h"
#include "sandbox/sandbox.h"
#include "sandbox/server.h"
#include "sandbox/setup.h"
#include "sandbox/source.h"
#include "sandbox/state.h"
#include "sandbox/stream.h"
#include "sandbox/submit.h"

#define TOKEN "sandbox-server-token"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
must(bool holds)
{
	if (!holds)
		abort();
}

static void
check_line(const json_t *value)
{
	const char *text = json_string_value(value);

	must(text == NULL || strpbrk(text, "\r\n") == NULL);
}

static void
check_message(const struct message *message, const char *content, size_t len)
{
	static const char *const lines[] = { "From", "To", "Cc", "Bcc", "ReplyTo", "Subject", "Tag",
		"MessageStream" };
	json_t *json = json_loadb(message->json, message->json_len, 0, NULL);
	const json_t *header;
	size_t i;

	must(json != NULL);
	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		check_line(json_object_get(json, lines[i]));
	json_array_foreach(json_object_get(json, "Headers"), i, header)
	{
		check_line(json_object_get(header, "Name"));
		check_line(json_object_get(header, "Value"));
		must(!text_same(json_string_value(json_object_get(header, "Name")), "Bcc"));
	}
	must(message->recipients.count == 2 && message->suppressed.count == 1);
	must(message->source_len == len && memcmp(message->source, content, len) == 0);
	json_decref(json);
}

static void
check_delivered(const char *content, size_t len)
{
	size_t out_len;
	char *out = source_delivered(content, len, "the-id", &out_len);
	const char *at = out, *end = out + out_len;

	must(text_is_utf8(out, out_len));
	while (at < end && *at != '\n' && *at != '\r') {
		const char *lf = memchr(at, '\n', (size_t)(end - at));

		must(!text_starts(at, "bcc:") && !text_starts(at, "x-pm-tag"));
		must(!text_starts(at, "x-pm-metadata"));
		at = lf != NULL ? lf + 1 : end;
	}
	free(out);
}

/* The same mail as one that comes in: what is made of it can be composed, and read again with the
 * same attachments. */
static void
check_inbound(const char *content, size_t len)
{
	static const char *const lines[] = { "From", "To", "Cc", "ReplyTo", "Subject", "Tag",
		"Date" };
	json_t *given = inbound_mail_read(content, len), *again, *one, *payload;
	char *mail, *raw = source_clean(content, len);
	size_t i;

	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		check_line(json_object_get(given, lines[i]));
	mail = compose_mail(given, "b");
	must(text_is_utf8(mail, strlen(mail)));
	for (const char *at = strchr(mail, '\n'); at != NULL; at = strchr(at + 1, '\n'))
		must(at > mail && at[-1] == '\r');
	again = inbound_mail_read(mail, strlen(mail));
	must(json_array_size(json_object_get(again, "Attachments")) ==
	     json_array_size(json_object_get(given, "Attachments")));
	json_array_foreach(json_object_get(given, "Attachments"), i, one)
	{
		const json_t *other = json_array_get(json_object_get(again, "Attachments"), i);

		must(
		    json_equal(json_object_get(one, "Content"), json_object_get(other, "Content")));
	}
	payload = event_inbound(given, raw);
	must(raw == NULL || strlen(json_string_value(json_object_get(payload, "RawEmail"))) >= len);
	json_decref(payload);
	json_decref(again);
	json_decref(given);
	free(mail);
	free(raw);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static bool ready;
	const struct sandbox_params params = { .address = "127.0.0.1" };
	struct strlist recipients = { 0 };
	const char *content = (const char *)data;
	struct state state;
	char why[200];
	size_t bounces;

	if (!ready) {
		log_setup("fuzz", LOG_LEVEL_ERROR, LOG_FORMAT_TEXT, 2);
		mime_setup();
		ready = true;
	}
	if (len > 100000)
		return 0;
	state_init(&state, 10, 1 << 24);
	must(setup_apply(&state, &params, why, sizeof(why)) == 0);
	for (size_t i = 0; i < 2; i++) {
		struct server *server = state.account.servers.list[0];
		static const char *const ids[] = { STREAM_OUTBOUND, STREAM_BROADCAST };

		message_stream_suppress(
		    server_stream(server, ids[i]), "bo@reader.example", "HardBounce", "Recipient");
	}
	must(submit_login(&state, TOKEN, TOKEN));
	strlist_add(&recipients, "ann@reader.example");
	strlist_add(&recipients, "bo@reader.example");
	submit_mail(&state, &(struct submit_mail){
				.user = TOKEN,
				.recipients = &recipients,
				.content = content,
				.len = len,
			    });
	must(state.counts.smtp_mails == 1 && state.counts.smtp_errors == 1);
	bounces = records_count(state.bounces);
	if (messages_count(state.messages) == 1) {
		must(bounces == 1);
		check_message(messages_at(state.messages, 0), content, len);
	} else {
		must(messages_count(state.messages) == 0 && bounces == 2);
	}
	for (size_t i = 0; i < bounces; i++) {
		const json_t *json = records_at(state.bounces, i)->json;

		must(json != NULL &&
		     strcmp(json_string_value(json_object_get(json, "Type")), "SMTPApiError") == 0);
	}
	check_delivered(content, len);
	check_inbound(content, len);
	strlist_free(&recipients);
	state_deinit(&state);
	return 0;
}
