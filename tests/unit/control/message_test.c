#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/buf.h"
#include "mail/mail.h"

#include "control/message.h"

#define NOW INT64_C(1790000000000)

static json_t *
parse(const char *text)
{
	json_error_t error;
	json_t *json = json_loads(text, JSON_DECODE_ANY, &error);

	if (json == NULL)
		fail_msg("%s: %s", text, error.text);
	return json;
}

/* --- reading -------------------------------------------------------------------------------- */

static const struct {
	const char *reason, *given;
	bool template;
	const char *stream;
	const char *message; /* NULL: refused, and this is in the sentence: */
	const char *why;
} reads[] = {
	{ "Postmark's shape",
	    "{\"From\":\"a@x.example\",\"To\":\"b@y.example\",\"Subject\":\"s\",\"TextBody\":\"t\","
	    "\"TrackOpens\":false,\"TrackLinks\":\"None\",\"Tag\":\"t\","
	    "\"Headers\":[{\"Name\":\"X-A\",\"Value\":\"1\"}],\"Metadata\":{\"k\":\"v\"},"
	    "\"Attachments\":[{\"Name\":\"a\",\"Content\":\"Zg==\",\"ContentType\":\"text/plain\","
	    "\"ContentID\":\"cid:a\"}],\"MessageStream\":\"broadcast\"}",
	    false, "outbound",
	    "{\"From\":\"a@x.example\",\"To\":\"b@y.example\",\"Subject\":\"s\",\"TextBody\":\"t\","
	    "\"TrackOpens\":false,\"TrackLinks\":\"None\",\"Tag\":\"t\","
	    "\"Headers\":[{\"Name\":\"X-A\",\"Value\":\"1\"}],\"Metadata\":{\"k\":\"v\"},"
	    "\"Attachments\":[{\"Name\":\"a\",\"Content\":\"Zg==\",\"ContentType\":\"text/plain\","
	    "\"ContentID\":\"cid:a\"}],\"MessageStream\":\"broadcast\"}",
	    NULL },
	{ "the connector's shape",
	    "{\"fromAddress\":\"a@x.example\",\"toAddress\":\"b@y.example\",\"ccAddress\":\"c@y."
	    "example\","
	    "\"bccAddress\":\"d@y.example\",\"subject\":\"s\",\"tag\":\"t\",\"htmlBody\":\"<p>\","
	    "\"textBody\":\"t\",\"replyTo\":\"r@x.example\",\"trackOpens\":true,"
	    "\"headers\":[{\"Name\":\"X-A\",\"Value\":\"1\"}],\"metadata\":{\"k\":\"v\"},"
	    "\"attachments\":[{\"Name\":\"a\",\"Content\":\"Zg==\",\"ContentType\":\"text/"
	    "plain\"}]}",
	    false, "outbound",
	    "{\"From\":\"a@x.example\",\"To\":\"b@y.example\",\"Cc\":\"c@y.example\","
	    "\"Bcc\":\"d@y.example\",\"Subject\":\"s\",\"Tag\":\"t\",\"HtmlBody\":\"<p>\","
	    "\"TextBody\":\"t\",\"ReplyTo\":\"r@x.example\",\"TrackOpens\":true,"
	    "\"Headers\":[{\"Name\":\"X-A\",\"Value\":\"1\"}],\"Metadata\":{\"k\":\"v\"},"
	    "\"Attachments\":[{\"Name\":\"a\",\"Content\":\"Zg==\",\"ContentType\":\"text/"
	    "plain\"}],"
	    "\"MessageStream\":\"outbound\"}",
	    NULL },
	{ "both mixed", "{\"From\":\"a@x.example\",\"toAddress\":\"b@y.example\"}", false, NULL,
	    "{\"From\":\"a@x.example\",\"To\":\"b@y.example\"}", NULL },
	{ "null and empty texts are as if they were not there",
	    "{\"From\":\"a@x.example\",\"Cc\":null,\"Tag\":\"\",\"MessageStream\":\"\"}", false,
	    "news", "{\"From\":\"a@x.example\",\"MessageStream\":\"news\"}", NULL },
	{ "an empty stream is none", "{\"From\":\"a@x.example\"}", false, "",
	    "{\"From\":\"a@x.example\"}", NULL },
	{ "nothing at all", "{}", false, NULL, "{}", NULL },
	{ "a template",
	    "{\"From\":\"a@x.example\",\"TemplateId\":7,\"TemplateModel\":{\"a\":[1,{}]},"
	    "\"InlineCss\":false}",
	    true, NULL,
	    "{\"From\":\"a@x.example\",\"TemplateId\":7,\"TemplateModel\":{\"a\":[1,{}]},"
	    "\"InlineCss\":false}",
	    NULL },
	{ "a template as the connector has it",
	    "{\"fromAddress\":\"a@x.example\",\"templateAlias\":\"welcome\",\"templateModel\":{},"
	    "\"inlineCss\":true}",
	    true, NULL,
	    "{\"From\":\"a@x.example\",\"TemplateAlias\":\"welcome\",\"TemplateModel\":{},"
	    "\"InlineCss\":true}",
	    NULL },
	{ "empty bodies beside a template are none",
	    "{\"TemplateId\":7,\"Subject\":\"\",\"HtmlBody\":null}", true, NULL,
	    "{\"TemplateId\":7}", NULL },

	{ "no object", "[]", false, NULL, NULL, "object" },
	{ "a text", "\"mail\"", false, NULL, NULL, "object" },
	{ "an unknown member", "{\"Form\":\"a@x.example\"}", false, NULL, NULL, "no member Form" },
	{ "an unknown one with a control character", "{\"a\\u001bb\":1}", false, NULL, NULL,
	    "no member a" },
	{ "another letter case", "{\"from\":\"a@x.example\"}", false, NULL, NULL,
	    "no member from" },
	{ "From is a number", "{\"From\":1}", false, NULL, NULL, "From is a number" },
	{ "To is an array", "{\"To\":[\"b@y.example\"]}", false, NULL, NULL, "To is an array" },
	{ "TrackOpens is a text", "{\"TrackOpens\":\"true\"}", false, NULL, NULL,
	    "TrackOpens is a text" },
	{ "Headers is an object", "{\"Headers\":{\"X-A\":\"1\"}}", false, NULL, NULL,
	    "Headers is an object" },
	{ "a header without value", "{\"Headers\":[{\"Name\":\"X-A\"}]}", false, NULL, NULL,
	    "Headers[0] needs Value" },
	{ "a header that is a text", "{\"Headers\":[\"X-A: 1\"]}", false, NULL, NULL,
	    "Headers[0] needs Name" },
	{ "an attachment without type", "{\"Attachments\":[{\"Name\":\"a\",\"Content\":\"Zg==\"}]}",
	    false, NULL, NULL, "Attachments[0] needs ContentType" },
	{ "Metadata is an array", "{\"Metadata\":[]}", false, NULL, NULL, "Metadata is an array" },
	{ "a number in Metadata", "{\"Metadata\":{\"k\":1}}", false, NULL, NULL, "Metadata k" },
	{ "our key in Metadata", "{\"Metadata\":{\"relay-id\":\"x\"}}", false, NULL, NULL,
	    "Metadata relay-id" },
	{ "our key in capitals", "{\"Metadata\":{\"Relay-ID\":\"x\"}}", false, NULL, NULL,
	    "Metadata Relay-ID" },
	{ "a long key", "{\"Metadata\":{\"123456789012345678901\":\"x\"}}", false, NULL, NULL,
	    "Metadata" },
	{ "the longest key", "{\"Metadata\":{\"12345678901234567890\":\"x\"}}", false, NULL,
	    "{\"Metadata\":{\"12345678901234567890\":\"x\"}}", NULL },
	{ "ten keys",
	    "{\"Metadata\":{\"a\":\"\",\"b\":\"\",\"c\":\"\",\"d\":\"\",\"e\":\"\",\"f\":\"\","
	    "\"g\":\"\","
	    "\"h\":\"\",\"i\":\"\",\"j\":\"\"}}",
	    false, NULL, NULL, "10 entries" },
	{ "given twice", "{\"From\":\"a@x.example\",\"fromAddress\":\"b@x.example\"}", false, NULL,
	    NULL, "From is given twice" },
	{ "TemplateId is a text", "{\"TemplateId\":\"7\"}", true, NULL, NULL,
	    "TemplateId is a text" },
	{ "TemplateId is a fraction", "{\"TemplateId\":7.5}", true, NULL, NULL, "TemplateId" },
	{ "TemplateModel is an array", "{\"TemplateModel\":[]}", true, NULL, NULL,
	    "TemplateModel is an array" },
	{ "a subject beside a template", "{\"TemplateId\":7,\"Subject\":\"s\"}", true, NULL, NULL,
	    "1123" },
	{ "a body beside a template", "{\"TemplateId\":7,\"htmlBody\":\"<p>\"}", true, NULL, NULL,
	    "HtmlBody cannot" },
	{ "a template in a mail without", "{\"TemplateAlias\":\"welcome\"}", false, NULL, NULL,
	    "TemplateAlias is for" },
};

static void
test_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(reads) / sizeof(reads[0]); i++) {
		json_t *given = parse(reads[i].given);
		json_t *wanted = reads[i].message != NULL ? parse(reads[i].message) : NULL;
		struct buf why;
		json_t *got;

		buf_init(&why, 1024);
		got = message_read(given, reads[i].template, reads[i].stream, &why);
		if ((got != NULL) != (wanted != NULL) || (got != NULL && !json_equal(got, wanted)))
			fail_msg("%s: %s", reads[i].reason, why.len > 0 ? why.data : "taken");
		if (got == NULL && strstr(why.data, reads[i].why) == NULL)
			fail_msg("%s: %s", reads[i].reason, why.data);
		for (size_t c = 0; c < why.len; c++)
			assert_true((unsigned char)why.data[c] >= ' ');
		buf_free(&why);
		json_decref(given);
		json_decref(wanted);
		json_decref(got);
	}
}

/* --- addresses ------------------------------------------------------------------------------ */

static void
test_addresses(void **state)
{
	static const struct {
		const char *reason, *text;
		const char *list; /* apart by blanks; NULL: refused */
	} cases[] = {
		{ "one", "b@y.example", "b@y.example" },
		{ "several", "b@y.example,c@y.example , d@y.example",
		    "b@y.example c@y.example d@y.example" },
		{ "names", "Bo <b@y.example>, Cy C. <c@y.example>", "b@y.example c@y.example" },
		{ "a quoted name with a comma", "\"Bee, Bo\" <b@y.example>, c@y.example",
		    "b@y.example c@y.example" },
		{ "a quoted quote", "\"B \\\", o\" <b@y.example>,c@y.example",
		    "b@y.example c@y.example" },
		{ "a name with an angle bracket", "\"a < b\" <b@y.example>", "b@y.example" },
		{ "blanks within the brackets", "Bo < b@y.example >", "b@y.example" },
		{ "one twice", "b@y.example, Bo <b@Y.example>", "b@y.example" },
		{ "a domain to be encoded",
		    "b@B\xc3\xbc"
		    "cher.example",
		    "b@xn--bcher-kva.example" },
		{ "empty entries", ",b@y.example,,", "b@y.example" },
		{ "nothing", "", "" },
		{ "blanks", " , ", "" },
		{ "no address", "Bo", NULL },
		{ "an open quote", "\"Bo <b@y.example>, c@y.example", NULL },
		{ "no domain", "b@", NULL },
		{ "an empty pair of brackets", "Bo <>", "" },
		{ "two addresses without comma", "b@y.example c@y.example", NULL },
		{ "a line's end", "b@y.example\r\nBcc: c@y.example", NULL },
		{ "a semicolon", "b@y.example;c@y.example", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct strlist list = { 0 };
		struct buf why, got;
		int rc;

		buf_init(&why, 1024);
		buf_init(&got, 1024);
		rc = message_addresses("To", cases[i].text, &list, &why);
		for (size_t n = 0; n < list.count; n++)
			buf_addf(&got, "%s%s", n > 0 ? " " : "", list.items[n]);
		if ((rc == 0) != (cases[i].list != NULL))
			fail_msg("%s: %s", cases[i].reason, rc == 0 ? "taken" : why.data);
		if (rc == 0 && strcmp(got.len > 0 ? got.data : "", cases[i].list) != 0)
			fail_msg("%s: %s", cases[i].reason, got.data);
		buf_free(&why);
		buf_free(&got);
		strlist_free(&list);
	}
}

/* --- the mail ------------------------------------------------------------------------------- */

static const char plain[] = "{\"From\":\"a@x.example\",\"To\":\"b@y.example\",\"TextBody\":\"t\"}";

static struct mail *
mail_of(const json_t *message, bool template, struct buf *why)
{
	buf_init(why, 1024);
	return message_mail(message, template, "default", "uid 1000", NOW, why);
}

static void
test_mail(void **state)
{
	json_t *message =
	    parse("{\"From\":\"Ann <a@x.example>\",\"To\":\"\\\"Bee, Bo\\\" <b@Y.example>\","
		  "\"Cc\":\"c@y.example\",\"Bcc\":\"b@y.example, "
		  "d@y.example\",\"Subject\":\"Gr\\u00fc\\u00dfe\","
		  "\"TextBody\":\"t\",\"Metadata\":{\"color\":\"green\"},"
		  "\"Headers\":[{\"Name\":\"X-A\",\"Value\":\"1\"},{\"Name\":\"message-id\","
		  "\"Value\":\"<1@x>\"}]}");
	json_t *sent, *wanted = json_deep_copy(message);
	struct mail *mail;
	struct buf why;

	(void)state;
	mail = mail_of(message, false, &why);
	assert_non_null(mail);
	assert_int_equal(mail->item_count, 1);
	assert_int_equal(mail->items[0].number, 1);
	assert_int_equal(mail->items[0].kind, ITEM_EMAIL);
	assert_int_equal(mail->items[0].recipients.count, 3);
	assert_string_equal(mail->items[0].recipients.items[0], "b@y.example");
	assert_string_equal(mail->items[0].recipients.items[1], "c@y.example");
	assert_string_equal(mail->items[0].recipients.items[2], "d@y.example");
	assert_string_equal(mail->route, "default");
	assert_string_equal(mail->client, "uid 1000");
	assert_string_equal(mail->listener, "control");
	assert_string_equal(mail->from, "Ann <a@x.example>");
	assert_string_equal(mail->subject, "Gr\xc3\xbc\xc3\x9f"
					   "e");
	assert_string_equal(mail->message_id, "<1@x>");
	assert_int_equal(mail->accepted_ms, NOW);
	assert_int_equal(mail->shared.len, 0);

	/* What goes out is what came in, with the item's id beside what the sender put there. */
	sent = json_loadb(mail->items[0].payload.data, mail->items[0].payload.len, 0, NULL);
	assert_non_null(sent);
	{
		char id[ITEM_ID_SIZE];
		json_t *metadata = json_object_get(wanted, "Metadata");

		item_id(id, mail->id, 1);
		json_object_set_new(metadata, "relay-id", json_string(id));
	}
	assert_true(json_equal(sent, wanted));
	json_decref(sent);
	json_decref(wanted);
	json_decref(message);
	mail_free(&mail);
	buf_free(&why);
}

static void
test_mail_of_template(void **state)
{
	json_t *message = parse("{\"From\":\"a@x.example\",\"To\":\"b@y.example\","
				"\"TemplateAlias\":\"welcome\",\"TemplateModel\":{}}");
	struct buf why;
	struct mail *mail = mail_of(message, true, &why);

	(void)state;
	assert_non_null(mail);
	assert_int_equal(mail->items[0].kind, ITEM_TEMPLATE);
	assert_string_equal(mail->subject, "");
	mail_free(&mail);
	buf_free(&why);
	json_decref(message);
}

static void
test_mail_refused(void **state)
{
	static const struct {
		const char *reason;
		bool template;
		const char *change; /* over the plain mail; null takes a member away */
		const char *why;
	} cases[] = {
		{ "no From", false, "{\"From\":null}", "From is missing" },
		{ "no To", false, "{\"To\":null}", "To is missing" },
		{ "Cc alone", false, "{\"To\":null,\"Cc\":\"c@y.example\"}", "To is missing" },
		{ "a To of commas", false, "{\"To\":\", ,\"}", "To is missing" },
		{ "no body", false, "{\"TextBody\":null}", "both missing" },
		{ "a bad address", false, "{\"Cc\":\"c\\u0007@y\"}", "Cc: \"" },
		{ "a line's end in Subject", false, "{\"Subject\":\"a\\r\\nBcc: c@y.example\"}",
		    "Subject has a control character" },
		{ "a bell in Tag", false, "{\"Tag\":\"\\u0007\"}", "Tag has a control character" },
		{ "no template", true, "{\"TextBody\":null,\"TemplateModel\":{}}",
		    "TemplateId or TemplateAlias is missing" },
		{ "no model", true, "{\"TextBody\":null,\"TemplateId\":1}",
		    "TemplateModel is missing" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *message = parse(plain), *change = parse(cases[i].change), *value;
		struct mail *mail;
		struct buf why;
		const char *name;

		json_object_foreach(change, name, value)
		{
			if (json_is_null(value))
				json_object_del(message, name);
			else
				json_object_set(message, name, value);
		}
		mail = mail_of(message, cases[i].template, &why);
		if (mail != NULL || strstr(why.data, cases[i].why) == NULL)
			fail_msg("%s: %s", cases[i].reason, mail != NULL ? "taken" : why.data);
		for (size_t c = 0; c < why.len; c++)
			assert_true((unsigned char)why.data[c] >= ' ');
		buf_free(&why);
		json_decref(message);
		json_decref(change);
	}
}

static json_t *
filled(size_t len)
{
	char *text = malloc(len + 1);
	json_t *json;

	memset(text, 'x', len);
	json = json_stringn(text, len);
	free(text);
	return json;
}

static void
test_sizes(void **state)
{
	static const struct {
		const char *reason, *name;
		size_t len;
		bool good;
	} cases[] = {
		{ "the longest subject", "Subject", 2000, true },
		{ "a longer one", "Subject", 2001, false },
		{ "the longest tag", "Tag", 1000, true },
		{ "a longer one", "Tag", 1001, false },
		{ "the longest text", "TextBody", 5242880, true },
		{ "a longer one", "TextBody", 5242881, false },
		{ "the longest HTML", "HtmlBody", 5242880, true },
		{ "a longer one", "HtmlBody", 5242881, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *message = parse(plain);
		struct mail *mail;
		struct buf why;

		json_object_set_new(message, cases[i].name, filled(cases[i].len));
		mail = mail_of(message, false, &why);
		if ((mail != NULL) != cases[i].good)
			fail_msg("%s: %s", cases[i].reason, mail != NULL ? "taken" : why.data);
		mail_free(&mail);
		buf_free(&why);
		json_decref(message);
	}
}

/* 10 MiB of the message as JSON, whatever it is made of. */
static void
test_whole_size(void **state)
{
	json_t *message = parse(plain);
	struct mail *mail;
	struct buf why;

	(void)state;
	json_object_set_new(message, "Attachments",
	    json_pack("[{s:s,s:o,s:s}]", "Name", "a.bin", "Content", filled(10485760),
		"ContentType", "application/octet-stream"));
	mail = mail_of(message, false, &why);
	assert_null(mail);
	assert_non_null(strstr(why.data, "10485760"));
	buf_free(&why);
	json_decref(message);
}

static void
test_recipients(void **state)
{
	static const struct {
		unsigned to, cc, bcc;
		bool good;
	} cases[] = { { 50, 0, 0, true }, { 51, 0, 0, false }, { 20, 20, 10, true },
		{ 20, 20, 11, false }, { 1, 0, 50, false } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const unsigned counts[] = { cases[i].to, cases[i].cc, cases[i].bcc };
		const char *const names[] = { "To", "Cc", "Bcc" };
		json_t *message = parse(plain);
		struct mail *mail;
		struct buf why;

		for (size_t f = 0; f < 3; f++) {
			struct buf text;

			buf_init(&text, 10000);
			for (unsigned n = 0; n < counts[f]; n++)
				buf_addf(&text, "%sr%u@%s.example", n > 0 ? "," : "", n, names[f]);
			if (counts[f] > 0)
				json_object_set_new(message, names[f], json_string(text.data));
			buf_free(&text);
		}
		mail = mail_of(message, false, &why);
		if ((mail != NULL) != cases[i].good)
			fail_msg("%zu: %s", i, mail != NULL ? "taken" : why.data);
		mail_free(&mail);
		buf_free(&why);
		json_decref(message);
	}
}

/* People see the subject's beginning, and no half of a character. */
static void
test_shown_subject(void **state)
{
	json_t *message = parse(plain);
	char subject[400];
	struct mail *mail;
	struct buf why;

	(void)state;
	memset(subject, 'x', 249);
	strcpy(subject + 249, "\xc3\xbc\xc3\xbc");
	json_object_set_new(message, "Subject", json_string(subject));
	mail = mail_of(message, false, &why);
	assert_non_null(mail);
	assert_int_equal(strlen(mail->subject), 249);
	mail_free(&mail);
	buf_free(&why);
	json_decref(message);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_mail),
		cmocka_unit_test(test_mail_of_template),
		cmocka_unit_test(test_mail_refused),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_whole_size),
		cmocka_unit_test(test_recipients),
		cmocka_unit_test(test_shown_subject),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
