/* What would become of a mail: the object that tells it. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "mail/refusal.h"
#include "convert/convert.h"
#include "intake/explain.h"

static const struct convert_options options = {
	.route = "default",
	.message_stream = "outbound",
	.default_tag = "",
	.track_opens = -1,
	.track_links = "",
	.most_api_bytes = 10485760,
	.most_body_bytes = 5242880,
	.most_recipients = 50,
	.controls = CONTROLS_ALL,
	.limits = { .depth = 100, .parts = 1000, .headers = 100 },
};

static json_t *
told(struct buf *out)
{
	json_error_t error;
	json_t *object;

	assert_true(json_is_one_object(out->data, out->len));
	object = json_loadb(out->data, out->len, JSON_REJECT_DUPLICATES, &error);
	if (object == NULL)
		fail_msg("%s at %d: %s", error.text, error.position, out->data);
	buf_free(out);
	return object;
}

/* recipients: apart by a space; NULL: none given. */
static json_t *
ask(const char *reverse_path, const char *recipients, const char *content, size_t len, size_t most)
{
	struct strlist list = { 0 };
	const struct explain_input input = { .reverse_path = reverse_path,
		.recipients = &list,
		.content = content,
		.content_len = len,
		.most_bytes = most };
	struct buf out;

	for (const char *at = recipients; at != NULL && *at != '\0';) {
		size_t word = strcspn(at, " ");

		strlist_add_bytes(&list, at, word);
		at += word;
		at += strspn(at, " ");
	}
	buf_init(&out, SIZE_MAX / 4);
	explain(&options, &input, &out);
	strlist_free(&list);
	return told(&out);
}

/* "items.0.to" */
static json_t *
member(json_t *object, const char *path)
{
	char name[40];

	while (object != NULL && *path != '\0') {
		size_t len = strcspn(path, ".");

		snprintf(name, sizeof(name), "%.*s", (int)len, path);
		object = json_is_array(object) ? json_array_get(object, (size_t)atoi(name))
					       : json_object_get(object, name);
		path += len + (path[len] == '.');
	}
	return object;
}

static json_t *
size_of(json_t *object, const char *what)
{
	json_t *size;
	size_t i;

	json_array_foreach(json_object_get(object, "sizes"), i,
	    size) if (strcmp(json_string_value(json_object_get(size, "what")), what) ==
		      0) return json_object_get(size, "bytes");
	return NULL;
}

#define PLAIN "From: Ann <ann@a.example>\r\nTo: bob@b.example\r\nSubject: Gr=?utf-8?Q?=C3=BC?=\r\n"

/* A mail, how it is asked for, and what the object says at a path, as JSON. */
static void
test_table(void **state)
{
	static const struct {
		const char *reason, *from, *to, *content, *path, *expected;
	} cases[] = {
		{ "a plain mail is taken", "", NULL, PLAIN "\r\nhi\r\n", "ok", "true" },
		{ "no refusal then", "", NULL, PLAIN "\r\nhi\r\n", "refusal", NULL },
		{ "sender of the header", "", NULL, PLAIN "\r\nhi\r\n", "envelope",
		    "{\"reverse_path\":\"ann@a.example\",\"recipients\":[\"bob@b.example\"],"
		    "\"from_headers\":true}" },
		{ "envelope as given, canonical", "x@A.Example", "Bob@B.Example carl@c.example",
		    PLAIN "\r\nhi\r\n", "envelope",
		    "{\"reverse_path\":\"x@a.example\",\"recipients\":[\"Bob@b.example\","
		    "\"carl@c.example\"],\"from_headers\":false}" },
		{ "null sender", "<>", NULL, PLAIN "\r\nhi\r\n", "envelope.reverse_path", "\"\"" },
		{ "null sender at least of a mail without From", NULL, "bob@b.example",
		    "To: bob@b.example\r\n\r\nhi\r\n", "envelope.reverse_path", "\"\"" },
		{ "subject", NULL, NULL,
		    "From: a@a.example\r\nTo: b@b.example\r\nSubject: =?utf-8?Q?=C3=BC?=\r\n\r\nhi",
		    "subject", "\"\xc3\xbc\"" },
		{ "message id", NULL, NULL, PLAIN "Message-ID: <1@a.example>\r\n\r\nhi\r\n",
		    "message_id", "\"<1@a.example>\"" },
		{ "the message itself", NULL, NULL, PLAIN "\r\nhi\r\n", "items.0.json.TextBody",
		    "\"hi\\n\"" },
		{ "bare LF", NULL, NULL, "From: a@a.example\nTo: b@b.example\n\nhi\n",
		    "content_bytes", "42" },
		{ "bare LF, the body", NULL, NULL, "From: a@a.example\nTo: b@b.example\n\na\n\nb",
		    "items.0.json.TextBody", "\"a\\n\\nb\"" },
		{ "bare LF needs no warning", NULL, NULL,
		    "From: a@a.example\nTo: b@b.example\n\nhi\n", "warnings", "[]" },
		{ "mixed line ends do", NULL, NULL, PLAIN "\nhi\r\n", "warnings.0",
		    "\"The mail mixes line ends: 1 bare LF were made CRLF, which SMTP refuses "
		    "unless smtp.normalize-line-ends is set.\"" },
		{ "and bare CR", NULL, NULL, PLAIN "\r\nh\ri\r\n", "warnings.0",
		    "\"The mail has 1 bare CR, which SMTP refuses unless "
		    "smtp.normalize-line-ends is set.\"" },
		{ "recipients of all three fields", NULL, NULL,
		    "From: a@a.example\r\nTo: b@b.example, C <c@c.example>\r\nCc: d@d.example\r\n"
		    "Bcc: e@e.example\r\n\r\nhi",
		    "envelope.recipients",
		    "[\"b@b.example\",\"c@c.example\",\"d@d.example\",\"e@e.example\"]" },
		{ "a blind copy is one", NULL, NULL,
		    "From: a@a.example\r\nTo: b@b.example\r\nBcc: e@e.example\r\n\r\nhi",
		    "items.0.bcc", "\"e@e.example\"" },
		{ "nothing of it in the header", NULL, NULL,
		    "From: a@a.example\r\nTo: b@b.example\r\nBcc: e@e.example\r\n\r\nhi",
		    "items.0.json.Headers", NULL },
		{ "blind copies alone do not see each other", "", "x@x.example y@y.example",
		    "From: a@a.example\r\n\r\nhi", "items.1.to", "\"y@y.example\"" },
		{ "an entry of no use", NULL, NULL,
		    "From: a@a.example\r\nTo: b@b.example, nobody\r\n\r\nhi", "warnings.0",
		    "\"1 entries of To, Cc and Bcc are no address that Postmark takes.\"" },
		{ "nobody at all", NULL, NULL, "From: a@a.example\r\n\r\nhi", "refusal",
		    "{\"code\":554,\"status\":\"5.5.1\",\"text\":\"no recipients\"}" },
		{ "and how to help it", NULL, NULL, "From: a@a.example\r\n\r\nhi", "warnings.0",
		    "\"No recipients were given, and To, Cc and Bcc name none.\"" },
		{ "a recipient that is none", NULL, "nobody", PLAIN "\r\nhi\r\n", "refusal.code",
		    "553" },
		{ "and nothing is made of it", NULL, "nobody", PLAIN "\r\nhi\r\n", "items", "[]" },
		{ "forbidden extension", NULL, NULL,
		    PLAIN "Content-Type: application/x; name=run.exe\r\nContent-Disposition: "
			  "attachment; filename=run.exe\r\n\r\nMZ\r\n",
		    "refusal.status", "\"5.7.1\"" },
		{ "what is known of a refused mail", NULL, NULL,
		    PLAIN "Content-Type: application/x; name=run.exe\r\nContent-Disposition: "
			  "attachment; filename=run.exe\r\n\r\nMZ\r\n",
		    "from", "\"\\\"Ann\\\" <ann@a.example>\"" },
		{ "losses", NULL, NULL, PLAIN "Date: Mon, 1 Jan 2024 00:00:00 +0000\r\n\r\nhi\r\n",
		    "lost",
		    "[{\"word\":\"date\",\"text\":\"The Date is not kept: Postmark sets its "
		    "own.\"}]" },
		{ "sequences of no charset", NULL, NULL,
		    PLAIN "Content-Type: text/plain; charset=utf-8\r\n\r\na\xff\xff\r\n",
		    "lost.0.word", "\"undecodable\"" },
		{ "a broken multipart", NULL, NULL,
		    PLAIN "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
			  "Content-Type: text/plain\r\n\r\nhi",
		    "items.0.json.TextBody", "\"hi\"" },
		{ "not a mail", NULL, "b@b.example", "\xff\xfe nothing", "envelope.reverse_path",
		    "\"\"" },
		{ "an empty file", NULL, "b@b.example", "", "content_bytes", "0" },
		{ "recipient with bytes that are no text", NULL, "\xff@b.example", PLAIN "\r\nhi",
		    "envelope.recipients.0", "\"\\\\xFF@b.example\"" },
		{ "the route", NULL, NULL, PLAIN "\r\nhi\r\n", "route", "\"default\"" },
		{ "attachments", NULL, NULL,
		    PLAIN "Content-Type: text/csv; name=a.csv\r\nContent-Disposition: "
			  "attachment\r\n\r\na;b\r\n",
		    "attachments", "1" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *object = ask(cases[i].from, cases[i].to, cases[i].content,
		    strlen(cases[i].content), 1 << 20);
		json_t *found = member(object, cases[i].path);
		char *text =
		    found == NULL ? NULL : json_dumps(found, JSON_ENCODE_ANY | JSON_COMPACT);

		if ((text == NULL) != (cases[i].expected == NULL) ||
		    (text != NULL && strcmp(text, cases[i].expected) != 0)) {
			char *whole = json_dumps(object, JSON_INDENT(1));
			fail_msg("%s: %s in %s", cases[i].reason, text, whole);
		}
		free(text);
		json_decref(object);
	}
}

static void
test_sizes(void **state)
{
	static const char content[] =
	    "From: a@a.example\r\nTo: b@b.example, c@c.example\r\nSubject: "
	    "=?utf-8?Q?a=F0=9F=98=80?="
	    "\r\nX-PM-Tag: welcome\r\nX-PM-Metadata-one: 1\r\n\r\nhello\r\n";
	json_t *object = ask(NULL, NULL, content, sizeof(content) - 1, 1 << 20);

	(void)state;
	assert_int_equal(json_integer_value(size_of(object, "message")),
	    json_integer_value(member(object, "items.0.bytes")));
	assert_int_equal(json_integer_value(size_of(object, "TextBody")), 6);
	assert_int_equal(json_integer_value(size_of(object, "HtmlBody")), 0);
	assert_int_equal(json_integer_value(size_of(object, "recipients")), 2);
	assert_int_equal(json_integer_value(size_of(object, "subject")), 3);
	assert_int_equal(json_integer_value(size_of(object, "tag")), 7);
	assert_int_equal(json_integer_value(size_of(object, "metadata")), 2);
	assert_int_equal(json_integer_value(member(object, "sizes.0.limit")), 10485760);
	assert_string_equal(json_string_value(member(object, "sizes.4.unit")), "UTF-16 units");
	json_decref(object);
}

/* Sixty who are all named: two items of whole messages. */
static void
test_many_recipients(void **state)
{
	struct buf content;
	json_t *object;
	size_t first;

	(void)state;
	buf_init(&content, 1 << 20);
	buf_adds(&content, "From: a@a.example\r\nTo: ");
	for (unsigned i = 1; i <= 60; i++)
		buf_addf(&content, "%sr%u@b.example", i == 1 ? "" : ",\r\n ", i);
	buf_adds(&content, "\r\nSubject: many\r\n\r\nhi\r\n");
	object = ask(NULL, NULL, content.data, content.len, 1 << 20);
	assert_true(json_is_true(member(object, "ok")));
	assert_int_equal(json_array_size(member(object, "items")), 2);
	assert_int_equal(json_array_size(member(object, "items.0.recipients")), 50);
	assert_int_equal(json_array_size(member(object, "items.1.recipients")), 10);
	assert_int_equal(json_integer_value(member(object, "items.1.number")), 2);
	assert_int_equal(json_integer_value(size_of(object, "recipients")), 50);
	assert_string_equal(json_string_value(member(object, "items.1.json.TextBody")), "hi\n");
	assert_non_null(strstr(json_string_value(member(object, "items.1.to")), "r60@b.example"));
	first = (size_t)json_integer_value(member(object, "items.0.bytes"));
	json_decref(object);

	/* Room for the first message alone. */
	object = ask(NULL, NULL, content.data, content.len, first + 10);
	assert_true(json_is_object(member(object, "items.0.json")));
	assert_true(json_is_null(member(object, "items.1.json")));
	assert_string_equal(json_string_value(member(object, "warnings.0")),
	    "The messages of 1 items are not shown whole: they are too large together.");
	json_decref(object);
	buf_free(&content);
}

/* The same message for sixty who must not see each other: sixty items. */
static void
test_many_blind(void **state)
{
	struct buf recipients;
	json_t *object;

	(void)state;
	buf_init(&recipients, 1 << 16);
	for (unsigned i = 1; i <= 60; i++)
		buf_addf(&recipients, "r%u@b.example ", i);
	object =
	    ask("a@a.example", recipients.data, PLAIN "\r\nhi\r\n", strlen(PLAIN) + 6, 1 << 20);
	/* bob, whom the header shows, is not in the envelope. */
	assert_int_equal(json_array_size(member(object, "items")), 60);
	assert_string_equal(json_string_value(member(object, "items.59.to")), "r60@b.example");
	assert_string_equal(json_string_value(member(object, "items.59.json.To")), "r60@b.example");
	assert_string_equal(json_string_value(member(object, "lost.0.word")), "shown-recipients");
	json_decref(object);
	buf_free(&recipients);
}

static void
test_too_large(void **state)
{
	struct buf content;
	json_t *object;

	(void)state;
	buf_init(&content, 1 << 25);
	buf_adds(&content, PLAIN "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n"
				 "text\r\n--b\r\nContent-Type: application/pdf; name=a.pdf\r\n"
				 "Content-Disposition: attachment\r\n\r\n");
	for (size_t i = 0; i < 9 * 1024 * 16; i++)
		buf_adds(
		    &content, "0123456789012345678901234567890123456789012345678901234567890\r\n");
	buf_adds(&content, "--b--\r\n");
	object = ask(NULL, NULL, content.data, content.len, 1 << 25);
	assert_true(json_is_false(member(object, "ok")));
	assert_int_equal(json_integer_value(member(object, "refusal.code")), 552);
	assert_int_equal(json_array_size(member(object, "items")), 0);
	assert_true(json_integer_value(size_of(object, "message")) > 10485760);
	assert_int_equal(json_integer_value(size_of(object, "TextBody")), 4);
	assert_int_equal(json_integer_value(member(object, "attachments")), 1);
	json_decref(object);
	buf_free(&content);
}

/* Nothing can be taken from a header like this, but the reason is said. */
static void
test_unreadable_header(void **state)
{
	struct buf content;
	json_t *object;

	(void)state;
	buf_init(&content, 1 << 20);
	buf_adds(&content, "From: a@a.example\r\nTo: b@b.example\r\n");
	for (unsigned i = 0; i < 100; i++)
		buf_addf(&content, "X-%u: x\r\n", i);
	buf_adds(&content, "\r\nhi\r\n");
	object = ask(NULL, NULL, content.data, content.len, 1 << 20);
	assert_int_equal(json_integer_value(member(object, "refusal.code")), 554);
	assert_string_equal(json_string_value(member(object, "refusal.status")), "5.6.0");
	assert_int_equal(json_array_size(member(object, "envelope.recipients")), 0);
	assert_null(member(object, "subject"));
	assert_int_equal(json_array_size(member(object, "sizes")), 0);
	json_decref(object);
	buf_free(&content);
}

static void
test_not_looked_at(void **state)
{
	const struct explain_input input = { .reverse_path = "a@a.example", .content_len = 7 };
	struct refusal refusal;
	struct buf out;
	json_t *object;

	(void)state;
	refusal_set(&refusal, 452, "4.3.1", "later");
	buf_init(&out, 10000);
	explain_refused(&options, &input, &refusal, &out);
	object = told(&out);
	assert_int_equal(json_integer_value(member(object, "refusal.code")), 452);
	assert_string_equal(
	    json_string_value(member(object, "envelope.reverse_path")), "a@a.example");
	assert_int_equal(json_integer_value(member(object, "content_bytes")), 7);
	assert_int_equal(json_array_size(member(object, "items")), 0);
	json_decref(object);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_many_recipients),
		cmocka_unit_test(test_many_blind),
		cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_unreadable_header),
		cmocka_unit_test(test_not_looked_at),
	};

	convert_setup();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
