/*
 * A whole mail through the conversion.  The first bytes choose the envelope, so that header
 * addresses and recipients meet; the rest is the content.
 *
 * Holds for whatever comes out: each item is one JSON object that jansson reads too; its To, Cc
 * and Bcc together are the envelope, each recipient once over all items; no header value, name or
 * address has a line end or another control character; the limits are kept.  And the guard never
 * had to step in: a 451 would mean that the split is wrong, or that the guard cannot read what
 * is right.
 */

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"
#include "mail/envelope.h"
#include "mail/mail.h"
#include "mail/refusal.h"
#include "convert/convert.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define must(condition)                                                                            \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);    \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* The content of the seeds names these. */
static const char *const known[] = { "ann@x.example", "bo@x.example", "cy@y.example",
	"ann@xn--bcher-kva.example", "Ann@x.example", "d.e+f@z.example", "a@b", "blind@x.example" };
#define KNOWN (sizeof(known) / sizeof(known[0]))

static const struct convert_options options = {
	.route = "fuzz",
	.message_stream = "outbound",
	.default_tag = "",
	.track_opens = -1,
	.track_links = "",
	.most_api_bytes = 262144,
	.most_body_bytes = 131072,
	.most_recipients = 3,
	.controls = CONTROLS_ALL,
	.limits = { .depth = 8, .parts = 64, .headers = 128 },
};

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	convert_setup();
	return 0;
}

static void
check_clean(const char *text)
{
	for (size_t i = 0; text[i] != '\0'; i++) {
		unsigned char c = (unsigned char)text[i], next = (unsigned char)text[i + 1];

		must(c >= 0x20 && c != 0x7F);
		must(c != 0xC2 || next >= 0xA0);
	}
}

static const char *
member(const json_t *json, const char *name)
{
	const json_t *value = json_object_get(json, name);

	must(value == NULL || json_is_string(value));
	return value == NULL ? "" : json_string_value(value);
}

/* Takes the addresses of a list off the envelope.  Reads no more than Postmark's grammar. */
static size_t
take_recipients(const char *list, char **left, size_t count)
{
	size_t taken = 0;

	check_clean(list);
	while (*list != '\0') {
		const char *start = list, *end;

		if (*list == '"') {
			for (list++; *list != '"'; list++)
				if (*list == '\\')
					list++;
			must(strncmp(list, "\" <", 3) == 0);
			start = list + 3;
			end = strchr(start, '>');
			must(end != NULL);
			list = end + 1;
		} else {
			end = start + strcspn(start, ",");
			list = end;
		}
		bool found = false;
		for (size_t i = 0; i < count && !found; i++)
			if (left[i] != NULL && strlen(left[i]) == (size_t)(end - start) &&
			    strncmp(left[i], start, (size_t)(end - start)) == 0) {
				left[i] = NULL;
				found = true;
			}
		must(found);
		taken++;
		must(*list == '\0' || strncmp(list, ", ", 2) == 0);
		if (*list != '\0')
			list += 2;
	}
	return taken;
}

static void
check_item(const struct mail *mail, const struct item *item, char **left, size_t count)
{
	struct buf whole;
	json_error_t error;
	size_t i, taken;
	json_t *json, *value;

	buf_init(&whole, SIZE_MAX / 4);
	must(payload_read(&item->payload, &whole) == 0);
	must(payload_read(&mail->shared, &whole) == 0);
	must(json_is_one_object(whole.data, whole.len));
	json = json_loadb(whole.data, whole.len, 0, &error);
	must(json != NULL);
	buf_free(&whole);

	must(member(json, "To")[0] != '\0');
	must(member(json, "From")[0] != '\0');
	taken = take_recipients(member(json, "To"), left, count);
	taken += take_recipients(member(json, "Cc"), left, count);
	taken += take_recipients(member(json, "Bcc"), left, count);
	must(taken >= 1 && taken <= options.most_recipients);
	must(taken == item->recipients.count);

	check_clean(member(json, "From"));
	check_clean(member(json, "ReplyTo"));
	check_clean(member(json, "Subject"));
	check_clean(member(json, "Tag"));
	must(member(json, "TextBody")[0] != '\0' || member(json, "HtmlBody")[0] != '\0');
	must(strlen(member(json, "TextBody")) <= options.most_body_bytes);
	must(strlen(member(json, "HtmlBody")) <= options.most_body_bytes);
	json_array_foreach(json_object_get(json, "Headers"), i, value)
	{
		const char *name = member(value, "Name");

		must(name[0] != '\0' && strchr(name, ':') == NULL && strchr(name, ' ') == NULL);
		check_clean(name);
		check_clean(member(value, "Value"));
		must(!text_same(name, "Bcc") && !text_same(name, "Date") &&
		     !text_same(name, "Content-Type") && !text_same(name, "Reply-To"));
	}
	json_array_foreach(json_object_get(json, "Attachments"), i, value)
	{
		const char *name = member(value, "Name");

		must(name[0] != '\0' && strpbrk(name, "/\\") == NULL);
		check_clean(name);
		check_clean(member(value, "ContentType"));
		check_clean(member(value, "ContentID"));
		must(strlen(member(value, "Content")) % 4 == 0);
	}
	must(strlen(member(json_object_get(json, "Metadata"), "relay-id")) > 0);
	json_decref(json);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct envelope envelope;
	struct origin origin = { "127.0.0.1:25", "127.0.0.1", "", "" };
	struct mail *mail = NULL;
	struct refusal refusal = { 0 };
	char *left[KNOWN] = { 0 };

	if (len < 2)
		return 0;
	envelope_init(&envelope);
	if ((data[1] & 1) == 0) {
		free(envelope.reverse_path);
		envelope.reverse_path = mem_string("bounce@shop.example");
	}
	for (size_t i = 0; i < KNOWN; i++)
		if (data[0] >> i & 1) {
			strlist_add(&envelope.recipients, known[i]);
			if (i % 2 == 1) /* repeats collapse */
				strlist_add(&envelope.recipients, known[i]);
			left[i] = (char *)(uintptr_t)known[i];
		}
	struct convert_input input = { .envelope = &envelope,
		.origin = &origin,
		.content = (const char *)data + 2,
		.content_len = len - 2,
		.mail_id = "01J8ZZZZZZZZZZZZZZZZZZZZZZ",
		.accepted_ms = 1 };

	if (convert_mail(&options, &input, &mail, &refusal) == 0) {
		for (size_t i = 0; i < mail->item_count; i++)
			check_item(mail, &mail->items[i], left, KNOWN);
		for (size_t i = 0; i < KNOWN; i++)
			must(left[i] == NULL);
		must(text_is_utf8(mail->subject, strlen(mail->subject)));
	} else {
		must(mail == NULL);
		must(refusal.code >= 500 && refusal.code < 600);
		check_clean(refusal.text);
	}
	mail_free(&mail);
	envelope_free(&envelope);
	return 0;
}
