/*
 * A whole mail through the conversion.  The first bytes choose the envelope, so that header
 * addresses and recipients meet, and with the top bit of the second byte four more the route; the
 * rest is the content.
 *
 * Holds for whatever comes out: each item is one JSON object that jansson reads too; its To, Cc
 * and Bcc together are the envelope, each recipient once over all items; no header value, name or
 * address has a line end or another control character; the limits are kept.  Or it is the mail
 * itself: its body byte for byte, no Bcc and no line that is not a field in its header, the
 * envelope's recipients once each.  And the guard never had to step in: a 451 would mean that the
 * split is wrong, or that the guard cannot read what is right.
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
#include "convert/template.h"

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

static const struct convert_options plain = {
	.route = "fuzz",
	.message_stream = "outbound",
	.default_tag = "",
	.track_opens = -1,
	.track_links = "",
	.from = "",
	.most_api_bytes = 262144,
	.most_body_bytes = 131072,
	.most_recipients = 3,
	.controls = CONTROLS_ALL,
	.limits = { .depth = 8, .parts = 64, .headers = 128 },
};

static struct strlist metadata, authorised, redirected;
static struct template_rule *rules[3]; /* the first: none */

static struct template_rule *
rule_make(const char *match, const char *each, const char *value, bool refuse)
{
	struct strlist matches = { 0 }, values = { 0 };
	struct template_rule *rule;
	char why[200];

	strlist_add(&matches, match);
	strlist_add(&matches, each);
	strlist_add(&values, value);
	strlist_add(&values, "all.text=text");
	rule = template_rule_new("status", &matches, &values, !refuse, refuse, why, sizeof(why));
	must(rule != NULL);
	strlist_free(&matches);
	strlist_free(&values);
	return rule;
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	convert_setup();
	strlist_add(&metadata, "shop=1");
	strlist_add(&metadata, "order=\xc3\xbc");
	strlist_add(&authorised, "@shop.example");
	strlist_add(&authorised, "s@x.?");
	strlist_add(&redirected, "real@x.example");
	strlist_add(&redirected, "b.c@y.example");
	rules[1] = rule_make("subject: (?<first>\\w+)(?<rest>.*)", "each lines: text: (?<line>.+)",
	    "all.from=from", false);
	rules[2] = rule_make(
	    "header:X-Foo: (?<foo>.)?", "each lines: html: (?<tag><[^>]*>)", "all.to=to", true);
	return 0;
}

/* Four bytes to a route. */
static void
options_choose(struct convert_options *options, const uint8_t *data)
{
	options->controls = data[0] & CONTROLS_ALL;
	if (data[0] & 0x40)
		options->from = "\"The \xc3\x9cs, all\" <us@ours.example>";
	options->from_rewrite = data[1] % 3;
	if (data[1] & 0x40)
		options->from_authorised = &authorised;
	options->template = rules[data[1] / 4 % 3];
	if (data[1] & 0x80)
		options->metadata = &metadata;
	for (unsigned i = 0; i < LEDGER_ENTRIES; i++)
		if (ledger_has_policy(i))
			options->policy[i] = (data[2] >> i % 8 & 1) == 0 ? POLICY_CONVERT
					     : i % 3 == data[3] % 4      ? POLICY_REJECT
									 : POLICY_SMTP;
	if (data[3] & 0x40) {
		options->default_tag = "route tag";
		options->track_opens = 1;
		options->track_links = "TextOnly";
	}
}

/* As the SMTP session hands it over. */
static char *
with_crlf(const char *bytes, size_t len, size_t *len_r)
{
	struct buf out;

	buf_init(&out, SIZE_MAX / 4);
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] == '\n')
			buf_addc(&out, '\r');
		if (bytes[i] != '\r')
			buf_addc(&out, bytes[i]);
	}
	if (out.len == 0)
		buf_adds(&out, "\r\n");
	return buf_take(&out, len_r);
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
check_item(const struct convert_options *options, const struct mail *mail, const struct item *item,
    char **left, size_t count)
{
	struct buf whole;
	json_error_t error;
	size_t i, taken;
	json_t *json, *value;

	buf_init(&whole, SIZE_MAX / 4);
	must(payload_read(&item->payload, &whole) == 0);
	must(payload_read(&mail->shared, &whole) == 0);
	must(json_is_one_object(whole.data, whole.len));
	must(whole.len <= options->most_api_bytes);
	json = json_loadb(whole.data, whole.len, JSON_DECODE_INT_AS_REAL, &error);
	must(json != NULL);
	buf_free(&whole);

	must(member(json, "To")[0] != '\0');
	must(member(json, "From")[0] != '\0');
	taken = take_recipients(member(json, "To"), left, count);
	taken += take_recipients(member(json, "Cc"), left, count);
	taken += take_recipients(member(json, "Bcc"), left, count);
	must(taken >= 1 && taken <= options->most_recipients);
	must(taken == item->recipients.count);

	check_clean(member(json, "From"));
	check_clean(member(json, "ReplyTo"));
	check_clean(member(json, "Subject"));
	check_clean(member(json, "Tag"));
	if (item->kind == ITEM_TEMPLATE) {
		must(json_object_get(json, "TextBody") == NULL);
		must(json_object_get(json, "HtmlBody") == NULL);
		must(json_object_get(json, "Subject") == NULL);
		must(json_is_object(json_object_get(json, "TemplateModel")));
		must((json_object_get(json, "TemplateAlias") == NULL) !=
		     (json_object_get(json, "TemplateId") == NULL));
	} else {
		must(item->kind == ITEM_EMAIL);
		must(json_object_get(json, "TemplateModel") == NULL);
		must(member(json, "TextBody")[0] != '\0' || member(json, "HtmlBody")[0] != '\0');
	}
	must(json_object_size(json_object_get(json, "Metadata")) <= 10);
	must(strlen(member(json, "TextBody")) <= options->most_body_bytes);
	must(strlen(member(json, "HtmlBody")) <= options->most_body_bytes);
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

/* A header line that stays: a field or more of one. */
static void
check_line(const char *line, size_t len, bool first)
{
	size_t name = 0;

	must(memchr(line, '\r', len) == NULL);
	if (line[0] == ' ' || line[0] == '\t') {
		must(!first);
		return;
	}
	while (name < len && line[name] > ' ' && line[name] < 0x7F && line[name] != ':')
		name++;
	must(name > 0);
	must(!(name == 3 && text_same_n(line, "bcc", 3)));
	must(!(name == 10 && text_same_n(line, "resent-bcc", 10)));
	while (name < len && (line[name] == ' ' || line[name] == '\t'))
		name++;
	must(name < len && line[name] == ':');
}

static void
check_verbatim(const struct convert_options *options, const struct mail *mail,
    const struct item *item, const char *content, size_t content_len, char **left, size_t count)
{
	char id[ITEM_ID_SIZE], *front;
	struct buf whole;
	const char *line, *next;

	buf_init(&whole, SIZE_MAX / 4);
	must(payload_read(&item->payload, &whole) == 0);
	must(payload_read(&mail->shared, &whole) == 0);
	must(whole.len <= options->most_api_bytes);
	item_id(id, mail->id, item->number);
	front = mem_format("X-PM-Metadata-relay-id: %s\r\n", id);
	must(text_starts(whole.data, front));
	free(front);

	for (line = whole.data; line[0] != '\r'; line = next) {
		next = strchr(line, '\n');
		if (next == NULL) /* behind a NUL of the header */
			next = memchr(line, '\n', whole.len - (size_t)(line - whole.data));
		must(next != NULL && next[-1] == '\r');
		check_line(line, (size_t)(next - line) - 1, line == whole.data);
		next++;
	}
	must(line[1] == '\n');
	line += 2;
	size_t body = whole.len - (size_t)(line - whole.data);
	must(body <= content_len);
	must(body == 0 || memcmp(line, content + content_len - body, body) == 0);
	buf_free(&whole);

	must(item->recipients.count >= 1 && item->recipients.count <= options->most_recipients);
	for (size_t i = 0; i < item->recipients.count; i++) {
		bool found = false;

		for (size_t j = 0; j < count && !found; j++)
			if (left[j] != NULL && strcmp(left[j], item->recipients.items[i]) == 0) {
				left[j] = NULL;
				found = true;
			}
		must(found);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct convert_options options = plain;
	struct envelope envelope;
	struct origin origin = { "127.0.0.1:25", "127.0.0.1", "", "" };
	struct mail *mail = NULL;
	struct refusal refusal = { 0 };
	char *left[KNOWN] = { 0 }, *crlf = NULL;
	size_t start = 2;

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
		.mail_id = "01J8ZZZZZZZZZZZZZZZZZZZZZZ",
		.accepted_ms = 1 };
	if ((data[1] & 0x80) != 0 && len >= 6) {
		options_choose(&options, data + 2);
		start = 6;
		if ((data[1] & 2) != 0)
			input.redirected = &redirected;
	}
	input.content = (const char *)data + start;
	input.content_len = len - start;
	if (start > 2 && (data[1] & 4) == 0) {
		crlf = with_crlf(input.content, input.content_len, &input.content_len);
		input.content = crlf;
	}

	if (convert_mail(&options, &input, &mail, &refusal) == 0) {
		for (size_t i = 0; i < mail->item_count; i++)
			if (mail->items[i].kind == ITEM_SMTP)
				check_verbatim(&options, mail, &mail->items[i], input.content,
				    input.content_len, left, KNOWN);
			else
				check_item(&options, mail, &mail->items[i], left, KNOWN);
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
	free(crlf);
	return 0;
}
