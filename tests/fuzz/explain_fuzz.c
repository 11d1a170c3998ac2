/*
 * A mail of anybody, explained.  The first byte chooses recipients, the second who brings it, the
 * rest is the content.
 *
 * Whatever comes out is one JSON object that jansson reads, too, and it tells what an intake does
 * with the same mail: taken or refused for the same reason, the same items with the same recipients
 * and the same size, and each recipient on one route.
 */

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "config/config.h"
#include "mail/envelope.h"
#include "mail/mail.h"
#include "mail/refusal.h"
#include "convert/convert.h"
#include "intake/explain.h"
#include "intake/plan.h"
#include "intake/rules.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define must(condition)                                                                            \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);    \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

static const char settings[] =
    "route lan {\n client = 192.0.2.0/24\n envelope-to = @lan.example\n}\n"
    "route shop {\n user = shop\n envelope-from = \"*@a.example\"\n"
    " on-signed = reject\n on-calendar = smtp\n tag = shop\n}\n"
    "route bills {\n header = 'Subject: (bill|invoice)'\n"
    " envelope-to = @b.example\n template = bill\n"
    " template-match = \"subject: (?<what>\\\\w+)\"\n}\n"
    "route stage {\n envelope-to = @stage.example\n"
    " redirect-to = test@t.example\n allow-recipients = boss@stage.example\n}\n"
    "route kept {\n envelope-to = @kept.example\n capture = yes\n"
    " on-sender = smtp\n on-signed = smtp\n on-messages = smtp\n}\n"
    "route force {\n envelope-to = @force.example\n from-rewrite = force\n"
    " from = \"Us <us@us.example>\"\n on-date = smtp\n"
    " from-authorised = @a.example\n}\n";

static const char *const known[] = { "ann@x.example", "bo@b.example", "cy@stage.example",
	"boss@stage.example", "di@kept.example", "ed@force.example", "Ann@lan.example",
	"blind@x.example" };
#define KNOWN (sizeof(known) / sizeof(known[0]))

static struct config *config;
static struct rules *rules;

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct buf about;
	char why[400] = "";

	(void)argc;
	(void)argv;
	convert_setup();
	buf_init(&about, 10000);
	config = config_parse(settings, strlen(settings), "fuzz", &about);
	if (config == NULL)
		fprintf(stderr, "%s", about.data);
	must(config != NULL);
	buf_free(&about);
	rules = rules_new(config, why, sizeof(why));
	must(rules != NULL);
	return 0;
}

static void
make_id(char out[ULID_SIZE], int64_t at_ms)
{
	(void)at_ms;
	memset(out, '0', ULID_LEN);
	out[ULID_LEN] = '\0';
}

static const char *
text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	must(text != NULL);
	return text;
}

static void
check_refusal(const json_t *told, const struct refusal *refusal)
{
	const json_t *object = json_object_get(told, "refusal");

	must(json_is_false(json_object_get(told, "ok")));
	must(json_integer_value(json_object_get(object, "code")) == refusal->code);
	must(strcmp(text_of(object, "status"), refusal->enhanced) == 0);
	must(json_array_size(json_object_get(told, "items")) == 0);
}

static void
check_item(const json_t *told, const struct mail *mail, const struct item *item)
{
	const json_t *recipients = json_object_get(told, "recipients");

	must(strcmp(text_of(told, "route"), mail->route) == 0);
	must(json_integer_value(json_object_get(told, "bytes")) ==
	     (json_int_t)(item->payload.len + mail->shared.len));
	must(json_array_size(recipients) == item->recipients.count);
	for (size_t i = 0; i < item->recipients.count; i++)
		must(strcmp(json_string_value(json_array_get(recipients, i)),
			 item->recipients.items[i]) == 0);
	if (item->kind == ITEM_SMTP) {
		const char *head = text_of(told, "head");

		must(json_is_null(json_object_get(told, "json")));
		must(strncmp(head, "X-PM-Metadata-relay-id: ", 24) == 0);
		must(strcmp(head + strlen(head) - 2, "\r\n") == 0);
	} else {
		must(json_is_object(json_object_get(told, "json")));
		must(json_object_get(told, "head") == NULL);
	}
}

static void
check_taken(const json_t *told, const struct mail *mail)
{
	const json_t *items = json_object_get(told, "items");
	size_t at = 0;

	must(json_is_true(json_object_get(told, "ok")));
	must(json_object_get(told, "refusal") == NULL);
	for (; mail != NULL; mail = mail->next)
		for (size_t i = 0; i < mail->item_count; i++)
			check_item(json_array_get(items, at++), mail, &mail->items[i]);
	must(at == json_array_size(items));
}

/* Each recipient once. */
static void
check_routes(const json_t *told, const struct strlist *recipients)
{
	const json_t *routes = json_object_get(told, "routes"), *route, *each;
	size_t index, inner, count = 0;

	json_array_foreach(routes, index, route)
	{
		json_array_foreach(json_object_get(route, "recipients"), inner, each)
		{
			must(strlist_has(recipients, json_string_value(each)));
			count++;
		}
	}
	must(count == 0 || count == recipients->count);
}

static void
compare(const struct explain_input *input, const json_t *told)
{
	struct origin origin = {
		.listener = "", .client = input->client, .helo = "", .user = input->user
	};
	struct envelope envelope = { .reverse_path = mem_string("s@a.example") };
	const struct plan_input question = { .envelope = &envelope,
		.origin = &origin,
		.content = input->content,
		.content_len = input->content_len };
	struct mail *mail = NULL;
	struct refusal refusal;
	struct plan plan;

	strlist_copy(&envelope.recipients, input->recipients);
	if (memchr(input->content, '\0', input->content_len) != NULL) {
		refusal_set(&refusal, 550, "5.6.0", "%s", "");
		check_refusal(told, &refusal);
		envelope_free(&envelope);
		return;
	}
	if (plan_make(&plan, rules, &question, &refusal) == 0 &&
	    plan_convert(&plan, &question, 0, make_id, NULL, &mail, &refusal) == 0)
		check_taken(told, mail);
	else
		check_refusal(told, &refusal);
	check_routes(told, &envelope.recipients);
	mail_free(&mail);
	plan_free(&plan);
	envelope_free(&envelope);
}

/* Every line end a CRLF: for others explain makes one, and an intake has no such mail. */
static void
content_make(struct buf *out, const char *bytes, size_t len)
{
	buf_init(out, SIZE_MAX / 4);
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] == '\n')
			buf_addc(out, '\r');
		if (bytes[i] != '\r')
			buf_addc(out, bytes[i]);
	}
}

static json_t *
ask(const struct explain_input *input)
{
	struct buf out;
	json_t *told;

	buf_init(&out, SIZE_MAX / 4);
	explain(rules, input, &out);
	must(json_is_one_object(out.data, out.len));
	told = json_loadb(out.data, out.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
	must(told != NULL);
	buf_free(&out);
	return told;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct explain_input input = { .most_bytes = 1 << 28 };
	struct strlist recipients = { 0 };
	struct buf content;
	json_t *told;

	if (len < 2)
		return 0;
	for (size_t i = 0; i < KNOWN; i++)
		if (data[0] & 1U << i)
			strlist_add(&recipients, known[i]);
	input.client = data[1] & 1 ? "192.0.2.9" : data[1] & 2 ? "unix" : "";
	input.user = data[1] & 4 ? "shop" : "";
	input.recipients = &recipients;

	/* As it is, with nothing given but what stands in it. */
	input.content = (const char *)data + 2;
	input.content_len = len - 2;
	if (recipients.count == 0) {
		json_decref(ask(&input));
		return 0;
	}
	input.reverse_path = "s@a.example";
	content_make(&content, (const char *)data + 2, len - 2);
	input.content = content.len > 0 ? content.data : "";
	input.content_len = content.len;
	told = ask(&input);
	compare(&input, told);
	json_decref(told);
	buf_free(&content);
	strlist_free(&recipients);
	return 0;
}
