/* Mail that goes unchanged through Postmark's SMTP service: its bytes and its recipients. */

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "convert/guard.h"
#include "lab.h"

#define DATE "Date: Mon, 23 Nov 2026 06:00:00 +0000\n"
#define ID   "X-PM-Metadata-relay-id: " MAIL_ID "-1\n"
#define HEAD DATE "From: s@shop.example\nTo: ann@x.example\n"

/* Lines end with \n here. */
static const struct {
	const char *reason;
	const char *content, *expected;
	const char *ledger;
	const char *tag;
	unsigned deny;
	bool rewrite;
	const char *authorised; /* and the route writes the From of all others */
} cases[] = {
	{ "nothing but the relay's id in front", HEAD "Subject: x\n\nbody\n.\n",
	    ID HEAD "Subject: x\n\nbody\n.\n", .ledger = "" },
	{ "odd folding, case and spaces stay",
	    "DATE : x\nfrom: S\n <s@shop.example>\nX-A:\ta  b \n\t c\n\nbody",
	    ID "DATE : x\nfrom: S\n <s@shop.example>\nX-A:\ta  b \n\t c\n\nbody", .ledger = "" },
	{ "Bcc and what tells on recipients is taken out, folds and all",
	    HEAD "Bcc: eve@x.example,\n \n\tb@x.example\nX-A: 1\nRESENT-BCC : c@x.example\n"
		 "X-Redirected-For: g@x.example\nX-Rcpt-To: d@x.example\nDelivered-To: "
		 "e@x.example\nResent-To: f@x.example\n\nx",
	    ID HEAD "X-A: 1\nResent-To: f@x.example\n\nx", .ledger = "" },
	{ "Bcc below the top header is not a field of it",
	    HEAD "Content-Type: message/rfc822\n\nBcc: eve@x.example\n\nx",
	    ID HEAD "Content-Type: message/rfc822\n\nBcc: eve@x.example\n\nx", .ledger = "" },
	{ "lines that are no field",
	    "From nobody Mon Nov 23\n" HEAD "no field\nBcc: eve@x.example\nX B: c\nX-C: d\nTo: "
	    "b@x.example\n\nx",
	    ID HEAD "X-C: d\nTo: b@x.example\n\nx", .ledger = "" },
	{ "no empty line before the body", HEAD "Hello there\nyou\n",
	    ID HEAD "\nHello there\nyou\n", .ledger = "" },
	{ "nothing but a header", HEAD, ID HEAD "\n", .ledger = "" },
	{ "a header that does not end", DATE "X-A: b", ID "From: env@x.example\n" DATE "X-A: b\n\n",
	    .ledger = "from" },
	{ "controls as they were settled",
	    HEAD "x-pm-tag: m\nX-PM-Track-Opens: TRUE\nX-PM-TrackLinks: none\n"
		 "X-PM-MessageStream: ms\nX-PM-Metadata-a: 1\nX-PM-Metadata-A: 2\n"
		 "X-PM-Bounce-Type: HardBounce\nX-PM-Message-Options: v\n\nx",
	    ID "X-PM-Metadata-a: 1\nX-PM-Metadata-A2: 2\nX-PM-Message-Stream: ms\n"
	       "X-PM-Tag: m\nX-PM-TrackOpens: true\nX-PM-TrackLinks: None\n" HEAD
	       "X-PM-Bounce-Type: HardBounce\n\nx",
	    "x-pm", .tag = "route" },
	{ "a spelling that nobody knows",
	    HEAD "X-PM-Message_Stream: m\nx-pm-mta-pool : a\n b\nX-PMTag: c\n\nx",
	    ID HEAD "X-PMTag: c\n\nx", .ledger = "x-pm" },
	{ "the route's, where it is stronger", HEAD "X-PM-Tag: m\n\nx",
	    ID "X-PM-Tag: route\n" HEAD "\nx", "x-pm", .tag = "route", .deny = CONTROLS_ALL },
	{ "its Message-ID is kept", HEAD "Message-ID: <1@x>\n\nx",
	    ID "X-PM-KeepID: true\n" HEAD "Message-ID: <1@x>\n\nx", .ledger = "" },
	{ "or not", HEAD "Message-ID: <1@x>\nX-PM-KeepID: false\n\nx",
	    ID HEAD "Message-ID: <1@x>\n\nx", .ledger = "" },
	{ "letters beyond ASCII in a field of ours",
	    HEAD "X-PM-Tag: =?iso-8859-1?Q?J=FCrgen?=\n\nx",
	    ID "X-PM-Tag: =?utf-8?B?SsO8cmdlbg==?=\n" HEAD "\nx", .ledger = "" },
	{ "what looks like an encoded word is none",
	    HEAD "X-PM-Tag: =?utf-8?Q?=3D=3Fx=3FQ=3Fx=3F=3D?=\n\nx",
	    ID "X-PM-Tag: =?utf-8?B?PT94P1E/eD89?=\n" HEAD "\nx", .ledger = "" },
	{ "a From without an address", DATE "From: root\nTo: ann@x.example\n\nx",
	    ID "From: env@x.example\n" DATE "To: ann@x.example\n\nx", .ledger = "from" },
	{ "the route's From", HEAD "\nx",
	    ID "From: =?utf-8?B?w5xzIGFsbA==?=\n <mail@ours.example>\nReply-To: "
	       "s@shop.example\n" DATE "To: ann@x.example\n\nx",
	    "from-rewritten", .rewrite = true },
	{ "and a Reply-To that is there", HEAD "Reply-To: r@x.example\n\nx",
	    ID "From: =?utf-8?B?w5xzIGFsbA==?=\n <mail@ours.example>\n" DATE
	       "To: ann@x.example\nReply-To: r@x.example\n\nx",
	    "from-rewritten", .rewrite = true },
	{ "an author who may", HEAD "\nx", ID HEAD "\nx", "", .authorised = "@shop.example" },
	{ "the sender of several authors may, and they are not shown for it",
	    "From: a@x.example\nfrom: b@x.example\nSender: s@shop.example\n" DATE "\nx",
	    ID "From: s@shop.example\nSender: s@shop.example\n" DATE "\nx", "authors",
	    .authorised = "@shop.example" },
	{ "the same in one field",
	    "From: a@x.example,\n b@x.example\nSender: s@shop.example\n" DATE "\nx",
	    ID "From: s@shop.example\nSender: s@shop.example\n" DATE "\nx", "authors",
	    .authorised = "@shop.example" },
	{ "the first of several may", "From: s@shop.example, b@x.example\n" DATE "\nx",
	    ID "From: s@shop.example\n" DATE "\nx", "authors", .authorised = "@shop.example" },
	{ "the one that can be read may",
	    "From: \"a b\"@x.example, S <s@shop.example>\n" DATE "\nx",
	    ID "From: \"S\" <s@shop.example>\n" DATE "\nx", "", .authorised = "@shop.example" },
	{ "a second From that is none", "From: s@shop.example\nFrom: root\n" DATE "\nx",
	    ID "From: s@shop.example\n" DATE "\nx", "", .authorised = "@shop.example" },
	{ "several authors, none of whom may", "From: a@x.example, b@x.example\n" DATE "\nx",
	    ID "From: mail@ours.example\nReply-To: a@x.example\n" DATE "\nx",
	    "authors,from-rewritten", .authorised = "@shop.example" },
	{ "several authors of a route that has no say",
	    "From: a@x.example, b@x.example\n" DATE "\nx",
	    ID "From: a@x.example, b@x.example\n" DATE "\nx", .ledger = "" },
};

static char *
without_cr(const char *bytes, size_t len)
{
	struct buf out;

	buf_init(&out, SIZE_MAX / 4);
	for (size_t i = 0; i < len; i++) {
		assert_true(bytes[i] != '\n' || (i > 0 && bytes[i - 1] == '\r'));
		if (bytes[i] != '\r')
			buf_addc(&out, bytes[i]);
	}
	return buf_take(&out, NULL);
}

static struct lab_run
smtp_run(const char *recipients)
{
	struct lab_run run = {
		.options = lab_options(), .recipients = recipients, .sender = "env@x.example"
	};

	run.options.policy[LEDGER_DATE] = POLICY_SMTP;
	return run;
}

static void
test_bytes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct lab_run run = smtp_run("ann@x.example");
		struct strlist authorised = { 0 };
		size_t len;

		run.options.default_tag = cases[i].tag ? cases[i].tag : "";
		run.options.controls = CONTROLS_ALL & ~cases[i].deny;
		if (cases[i].rewrite) {
			run.options.from = "\u00dcs all <mail@ours.example>";
			run.options.from_rewrite = FROM_FORCE;
		} else if (cases[i].authorised) {
			lab_list(&authorised, cases[i].authorised, NULL);
			run.options.from = "mail@ours.example";
			run.options.from_rewrite = FROM_IF_UNAUTHORISED;
			run.options.from_authorised = &authorised;
		}
		struct mail *mail = lab_mail(cases[i].reason, &run, cases[i].content);
		char *bytes = lab_item_bytes(mail, 0, &len), *text = without_cr(bytes, len);

		assert_int_equal(mail->item_count, 1);
		assert_int_equal(mail->items[0].kind, ITEM_SMTP);
		assert_int_equal(mail->items[0].recipients.count, 1);
		assert_string_equal(mail->items[0].recipients.items[0], "ann@x.example");
		if (strcmp(text, cases[i].expected) != 0)
			fail_msg(
			    "%s:\n%s\nshould be\n%s", cases[i].reason, text, cases[i].expected);
		if (strcmp(mail->ledger, cases[i].ledger) != 0)
			fail_msg("%s: ledger %s", cases[i].reason, mail->ledger);
		free(text);
		free(bytes);
		mail_free(&mail);
		strlist_free(&authorised);
	}
}

/* A body of every byte but the line ends comes out as it went in, at every size of payload. */
static void
test_body_is_untouched(void **state)
{
	(void)state;
	for (size_t size = 1000; size <= 1000000; size *= 10) {
		struct lab_run run = smtp_run("ann@x.example bo@x.example");
		struct mail *mail = NULL;
		struct refusal refusal;
		struct buf content;
		size_t len;

		run.options.most_recipients = 1;
		buf_init(&content, SIZE_MAX / 4);
		buf_adds(&content, "Date: now\r\nFrom: s@x.e\r\n\r\n");
		for (size_t i = 0; content.len < size; i++) {
			char byte = (char)(i * 31 + i / 256);

			if (byte == '\r' || byte == '\n')
				buf_add(&content, "\r\n", 2);
			else
				buf_addc(&content, byte);
		}
		assert_int_equal(lab_convert(&run, content.data, content.len, &mail, &refusal), 0);
		assert_int_equal(mail->item_count, 2);
		for (size_t i = 0; i < 2; i++) {
			char *bytes = lab_item_bytes(mail, i, &len);

			assert_true(len > content.len);
			assert_memory_equal(bytes + len - content.len, content.data, content.len);
			free(bytes);
		}
		mail_free(&mail);
		buf_free(&content);
	}
}

static void
test_runs_of_recipients(void **state)
{
	struct lab_run run = smtp_run(NULL);
	struct buf recipients;
	size_t total = 0;

	(void)state;
	buf_init(&recipients, SIZE_MAX / 4);
	for (int i = 0; i < 120; i++)
		buf_addf(&recipients, "r%d@x.example r%d@x.example ", i, i / 2);
	run.recipients = recipients.data;
	struct mail *mail = lab_mail("runs", &run, HEAD "\nx");
	assert_int_equal(mail->item_count, 3);
	for (size_t i = 0; i < mail->item_count; i++) {
		char *expected = mem_format("X-PM-Metadata-relay-id: " MAIL_ID "-%zu\r\n", i + 1);
		size_t len;
		char *bytes = lab_item_bytes(mail, i, &len);

		assert_memory_equal(bytes, expected, strlen(expected));
		assert_int_equal(mail->items[i].number, i + 1);
		total += mail->items[i].recipients.count;
		free(bytes);
		free(expected);
	}
	assert_int_equal(total, 120);
	mail_free(&mail);
	buf_free(&recipients);
}

static void
test_redirected(void **state)
{
	struct strlist redirected = { 0 };
	struct lab_run run = smtp_run("tester@t.example");
	size_t len;

	(void)state;
	lab_list(&redirected, "ann@x.example", "bo@x.example", NULL);
	run.redirected = &redirected;
	struct mail *mail = lab_mail("redirected", &run, HEAD "\nx");
	char *bytes = lab_item_bytes(mail, 0, &len), *text = without_cr(bytes, len);
	assert_string_equal(text, ID "X-Redirected-For: ann@x.example, bo@x.example\n" HEAD "\nx");
	assert_string_equal(mail->ledger, "redirected");
	assert_string_equal(mail->items[0].recipients.items[0], "tester@t.example");
	free(text);
	free(bytes);
	mail_free(&mail);
	strlist_free(&redirected);
}

/* Words of RFC 2047 are short, whole characters, and a line each. */
static void
test_long_values(void **state)
{
	struct lab_run run = smtp_run("ann@x.example");
	struct buf content;
	size_t len, at = 0;

	(void)state;
	buf_init(&content, SIZE_MAX / 4);
	buf_adds(&content, HEAD "X-PM-Tag: ");
	for (int i = 0; i < 1000; i++)
		buf_adds(&content, i % 2 ? "\u20ac" : "x");
	buf_adds(&content, "\n\nx");
	struct mail *mail = lab_mail("long", &run, content.data);
	char *bytes = lab_item_bytes(mail, 0, &len), *text = without_cr(bytes, len);
	for (size_t i = 0; text[i] != '\0'; i++)
		if (text[i] == '\n') {
			assert_true(i - at <= 90);
			at = i;
		}
	free(text);
	free(bytes);
	mail_free(&mail);
	buf_free(&content);
}

static void
test_refused(void **state)
{
	static const struct {
		const char *reason;
		const char *content;
	} bare[] = {
		{ "LF", "Date: x\r\nFrom: s@x.e\r\n\r\na\nb" },
		{ "CR", "Date: x\r\nFrom: s@x.e\r\n\r\na\rb" },
		{ "CR at the end", "Date: x\r\nFrom: s@x.e\r\n\r\na\r" },
		{ "CR in the header", "Date: x\r\nFrom: s@x.e\r\nX: y\rBcc: eve@x.e\r\n\r\na" },
		{ "LF first", "\nDate: x\r\nFrom: s@x.e\r\n\r\na" },
	};
	struct lab_run run = smtp_run("ann@x.example");
	static const char content[] = "Date: x\r\nFrom: s@x.e\r\n\r\nabc";
	struct mail *mail = NULL;
	struct refusal refusal;
	size_t len;

	(void)state;
	for (size_t i = 0; i < sizeof(bare) / sizeof(bare[0]) - 1; i++)
		lab_refused(bare[i].reason, &run, bare[i].content, strlen(bare[i].content), 554,
		    "5.6.0", "a CR without LF or an LF without CR");

	assert_int_equal(lab_convert(&run, content, strlen(content), &mail, &refusal), 0);
	len = mail->items[0].payload.len;
	mail_free(&mail);
	run.options.most_api_bytes = len;
	assert_int_equal(lab_convert(&run, content, strlen(content), &mail, &refusal), 0);
	mail_free(&mail);
	run.options.most_api_bytes--;
	lab_refused(
	    "size", &run, content, strlen(content), 552, "5.3.4", "SMTP service, and its limit is");
}

static void
test_guard(void **state)
{
	static const struct {
		const char *reason;
		const char *items[3]; /* recipients, separated by spaces */
		const char *top;
		const char *why; /* NULL: fine */
	} guarded[] = {
		{ "each once", { "a@x.e", "b@X.e c@x.e" }, "A: b\r\n\r\nBcc: c", NULL },
		{ "one twice", { "a@x.e b@x.e", "b@x.e c@x.e" }, "A: b\r\n\r\n", "got the mail" },
		{ "one missing", { "a@x.e b@x.e" }, "A: b\r\n\r\n", "no item has c@x.e" },
		{ "a stranger", { "a@x.e b@x.e c@x.e d@x.e" }, "A: b\r\n\r\n", "d@x.e, which is" },
		{ "nobody", { "a@x.e b@x.e c@x.e", "" }, "A: b\r\n\r\n", "has no recipient" },
		{ "no address", { "a@x.e b@x.e c@x.e", "d" }, "A: b\r\n\r\n", "not an address" },
		{ "a Bcc", { "a@x.e b@x.e c@x.e" }, "A: b\r\nbcc\t: x\r\n\r\n", "Bcc" },
		{ "behind a CR", { "a@x.e b@x.e c@x.e" }, "A: b\rBcc:\r\n\r\n", "Bcc" },
		{ "another", { "a@x.e b@x.e c@x.e" }, "Resent-Bcc: b\r\n\r\n", "Bcc" },
		{ "a name like it", { "a@x.e b@x.e c@x.e" }, "X-Bcc: b\r\nBccc: d\r\n\r\n", NULL },
		{ "no end", { "a@x.e b@x.e c@x.e" }, "A: b\r\n", "no end" },
		{ "cut", { "a@x.e b@x.e c@x.e" }, "A: b", "without an end" },
	};
	char *envelope[] = { "a@x.e", "b@x.e", "c@x.e", "b@x.e" };

	(void)state;
	for (size_t i = 0; i < sizeof(guarded) / sizeof(guarded[0]); i++) {
		struct item items[3] = { 0 };
		size_t count = 0;
		char why[400] = "";

		for (; count < 3 && guarded[i].items[count] != NULL; count++) {
			char *copy = mem_string(guarded[i].items[count]), *rest = copy, *one;

			while ((one = strsep(&rest, " ")) != NULL)
				if (one[0] != '\0')
					strlist_add(&items[count].recipients, one);
			free(copy);
		}
		bool good = guard_check_verbatim(items, count, envelope, 4, guarded[i].top,
		    strlen(guarded[i].top), why, sizeof(why));
		if (good != (guarded[i].why == NULL) ||
		    (!good && strstr(why, guarded[i].why) == NULL))
			fail_msg("%s: %s", guarded[i].reason, why);
		for (size_t j = 0; j < count; j++)
			strlist_free(&items[j].recipients);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_body_is_untouched),
		cmocka_unit_test(test_runs_of_recipients),
		cmocka_unit_test(test_redirected),
		cmocka_unit_test(test_long_values),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_guard),
	};

	return cmocka_run_group_tests(tests, lab_setup, NULL);
}
