/*
 * A route's template and a mail.  Lines up to an empty one are the rule: the template, then "m" and
 * a match or "v" and a value each.  The rest is the mail.
 *
 * Holds: a rule that is not taken says why; whatever goes with a template has a model that is one
 * JSON object, without a raw control character, and without two names alike.
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

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	convert_setup();
	return 0;
}

static void
check_mail(const struct mail *mail)
{
	struct buf whole;
	json_error_t error;
	json_t *json;

	must(mail->item_count == 1);
	buf_init(&whole, SIZE_MAX / 4);
	must(payload_read(&mail->items[0].payload, &whole) == 0);
	must(json_is_one_object(whole.data, whole.len));
	json = json_loadb(
	    whole.data, whole.len, JSON_DECODE_INT_AS_REAL | JSON_REJECT_DUPLICATES, &error);
	must(json != NULL);
	must((mail->items[0].kind == ITEM_TEMPLATE) ==
	     json_is_object(json_object_get(json, "TemplateModel")));
	json_decref(json);
	buf_free(&whole);
}

static void
convert(const struct template_rule *rule, const char *content, size_t len)
{
	const struct convert_options options = {
		.route = "fuzz",
		.message_stream = "",
		.default_tag = "",
		.track_opens = -1,
		.track_links = "",
		.from = "us@ours.example",
		.template = rule,
		.most_api_bytes = 262144,
		.most_body_bytes = 131072,
		.most_recipients = 50,
		.controls = CONTROLS_ALL,
		.limits = { .depth = 8, .parts = 64, .headers = 128 },
	};
	struct origin origin = { "127.0.0.1:25", "127.0.0.1", "", "" };
	struct envelope envelope;
	struct mail *mail = NULL;
	struct refusal refusal = { 0 };

	envelope_init(&envelope);
	strlist_add(&envelope.recipients, "ann@x.example");
	const struct convert_input input = { .envelope = &envelope,
		.origin = &origin,
		.content = content,
		.content_len = len,
		.mail_id = "01J8ZZZZZZZZZZZZZZZZZZZZZZ",
		.accepted_ms = 1 };
	if (convert_mail(&options, &input, &mail, &refusal) == 0)
		check_mail(mail);
	else
		must(refusal.code >= 500 && refusal.text[0] != '\0');
	mail_free(&mail);
	envelope_free(&envelope);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct strlist matches = { 0 }, values = { 0 };
	struct template_rule *rule;
	const char *text = (const char *)data, *end = text + len, *name = NULL, *next;
	char *template, why[300] = "";
	size_t name_len = 0;

	for (; text < end; text = next) {
		const char *nl = memchr(text, '\n', (size_t)(end - text));
		size_t line = (size_t)((nl == NULL ? end : nl) - text);

		next = nl == NULL ? end : nl + 1;
		if (line == 0)
			break;
		/* An option's value in a file is text of UTF-8. */
		if (memchr(text, 0, line) != NULL || !text_is_utf8(text, line))
			goto free_lists;
		if (name == NULL) {
			name = text;
			name_len = line;
		} else if (text[0] == 'm' && matches.count < 8) {
			strlist_add_bytes(&matches, text + 1, line - 1);
		} else if (text[0] == 'v' && values.count < 8) {
			strlist_add_bytes(&values, text + 1, line - 1);
		}
	}
	template = mem_bytes(name == NULL ? "" : name, name_len);
	rule = template_rule_new(template, &matches, &values, true, false, why, sizeof(why));
	must(rule != NULL || why[0] != '\0');
	free(template);
	if (text < end)
		convert(rule, text + 1, (size_t)(end - text) - 1);
	template_rule_free(&rule);

free_lists:
	strlist_free(&matches);
	strlist_free(&values);
	return 0;
}
