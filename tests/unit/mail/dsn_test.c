/* Notices as bytes.  With an argument it writes that one of them, for dsn.py to read. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "mail/dsn.h"

static const char *const one[] = { "bo@reader.example" };
static const char *const two[] = { "bo@reader.example", "cy@reader.example" };

static struct dsn
make(void)
{
	return (struct dsn){ .hostname = "relay.shop.example",
		.id = "01KB9ZZZZZZZZZZZZZZZZZZZZ1",
		.from = "Mail Delivery System <postmaster@shop.example>",
		.to = "ann@shop.example",
		.made_ms = 1788645664000,
		.action = DSN_FAILED,
		.recipients = one,
		.recipient_count = 1,
		.type = "HardBounce",
		.detail = "smtp;550 5.1.1 no such user",
		.at_ms = 1788645664118,
		.accepted_ms = 1788645600000,
		.item = "01KB9YYYYYYYYYYYYYYYYYYYYY-1",
		.postmark_id = "6f0f3a52-0d8b-4f3e-9a52-3b6f1c1d7e10",
		.mail_from = "\"Shop, the\" <ann@shop.example>",
		.mail_subject = "Invoice 1007",
		.mail_message_id = "<q1@shop.example>",
		.mail_recipients = two,
		.mail_recipient_count = 2 };
}

static struct dsn
make_strange(void)
{
	struct dsn dsn = make();

	dsn.from = "Zustellung für Käufer <postmaster@shop.example>";
	dsn.type = "";
	dsn.detail = "smtp;550 5.7.26 Kein Zutritt für Sie\r\nBcc: eve@evil.example\r\n\r\nhello";
	dsn.mail_from = "\"Jürgen \\\"J\\\" Müller\" <j@shop.example>";
	dsn.mail_subject =
	    "Rechnung für März\r\nBcc: eve@evil.example\r\n\r\n--=_01KB9ZZZZZZZZZZZZZZZZZZZZ1--";
	dsn.mail_message_id = "<q1@shop.example>\nX-Evil: yes";
	dsn.recipients = two;
	dsn.recipient_count = 2;
	return dsn;
}

static char *
mail_of(const struct dsn *dsn, size_t *len_r)
{
	struct buf out;

	buf_init(&out, (size_t)32 * 1024 * 1024);
	dsn_add_mail(&out, dsn);
	assert_false(out.over);
	return buf_take(&out, len_r);
}

static void
test_status(void **state)
{
	static const struct {
		const char *reason;
		enum dsn_action action;
		const char *type, *detail, *expected;
	} cases[] = {
		{ "what the server said", DSN_FAILED, "HardBounce", "smtp;550 5.1.1 no such user",
		    "5.1.1" },
		{ "its word beats the type", DSN_FAILED, "HardBounce", "smtp;552 5.2.2 full",
		    "5.2.2" },
		{ "long parts", DSN_FAILED, "", "550 5.7.509 DMARC", "5.7.509" },
		{ "behind a hash", DSN_FAILED, "", "550 #5.1.0 Address rejected", "5.1.0" },
		{ "in brackets", DSN_FAILED, "", "550-(5.7.1) no", "5.7.1" },
		{ "at the end of a sentence", DSN_FAILED, "", "said 5.4.1.", "5.4.1" },
		{ "it may be one of 4", DSN_FAILED, "SoftBounce", "smtp;451 4.7.0 later", "4.7.0" },
		{ "a host's address is none", DSN_FAILED, "HardBounce", "host 5.1.1.9 said 550",
		    "5.1.1" },
		{ "nor the end of one", DSN_FAILED, "DnsError", "host 192.5.1.1 is not there",
		    "5.4.4" },
		{ "nor part of a number", DSN_FAILED, "DnsError", "15.1.1", "5.4.4" },
		{ "nor four digits", DSN_FAILED, "DnsError", "5.1.1000", "5.4.4" },
		{ "a success is no reason", DSN_FAILED, "Blocked", "2.0.0 OK", "5.7.1" },
		{ "the second is right", DSN_FAILED, "", "from 5.1.1.1: 5.2.1 disabled", "5.2.1" },
		{ "a reply code alone: full", DSN_FAILED, "HardBounce", "smtp;552 full", "5.2.2" },
		{ "a reply code alone: name", DSN_FAILED, "HardBounce", "553 bad name", "5.1.3" },
		{ "a reply code that says little", DSN_FAILED, "SoftBounce", "554 no", "5.2.0" },
		{ "an address that begins with a code", DSN_FAILED, "SoftBounce", "552.1.2.3",
		    "5.2.0" },
		{ "by type", DSN_FAILED, "HardBounce", "", "5.1.1" },
		{ "by type: DNS", DSN_FAILED, "DnsError", "", "5.4.4" },
		{ "by type: spam", DSN_FAILED, "SpamNotification", "", "5.7.1" },
		{ "by type: soft", DSN_FAILED, "SoftBounce", "", "5.2.0" },
		{ "by type: bad address", DSN_FAILED, "BadEmailAddress", "", "5.1.3" },
		{ "by type: off", DSN_FAILED, "ManuallyDeactivated", "", "5.2.1" },
		{ "by type: DMARC", DSN_FAILED, "DMARCPolicy", "", "5.7.1" },
		{ "by type: template", DSN_FAILED, "TemplateRenderingFailed", "", "5.6.0" },
		{ "by Postmark's code: inactive", DSN_FAILED, "406", "", "5.1.1" },
		{ "by Postmark's code: bad message", DSN_FAILED, "300", "Invalid 'From'", "5.6.0" },
		{ "by Postmark's code: extension", DSN_FAILED, "411", "", "5.7.1" },
		{ "a type of tomorrow", DSN_FAILED, "Blue", "", "5.0.0" },
		{ "nothing known", DSN_FAILED, "", "", "5.0.0" },
		{ "a delay", DSN_DELAYED, "Transient", "", "4.0.0" },
		{ "a delay of no type", DSN_DELAYED, "", "", "4.0.0" },
		{ "a delay in words", DSN_DELAYED, "Transient", "smtp;451 4.7.1 greylisted",
		    "4.7.1" },
	};
	char status[DSN_STATUS_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		dsn_status(status, cases[i].action, cases[i].type, cases[i].detail);
		if (strcmp(status, cases[i].expected) != 0)
			fail_msg(
			    "%s: %s instead of %s", cases[i].reason, status, cases[i].expected);
	}
}

static void
test_report(void **state)
{
	static const char expected[] =
	    "Reporting-MTA: dns; relay.shop.example\r\n"
	    "Arrival-Date: Sat, 5 Sep 2026 22:00:00 +0000\r\n"
	    "X-Pmrelay-Item: 01KB9YYYYYYYYYYYYYYYYYYYYY-1\r\n"
	    "X-Postmark-MessageID: 6f0f3a52-0d8b-4f3e-9a52-3b6f1c1d7e10\r\n"
	    "X-Postmark-Type: HardBounce\r\n"
	    "\r\n"
	    "Final-Recipient: rfc822; bo@reader.example\r\n"
	    "Action: failed\r\n"
	    "Status: 5.1.1\r\n"
	    "Diagnostic-Code: smtp; 550 5.1.1 no such user\r\n"
	    "Last-Attempt-Date: Sat, 5 Sep 2026 22:01:04 +0000\r\n";
	struct dsn dsn = make();
	struct buf out;

	(void)state;
	buf_init(&out, 100000);
	dsn_add_report(&out, &dsn);
	assert_string_equal(out.data, expected);
	buf_free(&out);
}

static void
test_report_of_several(void **state)
{
	struct dsn dsn = make();
	struct buf out;
	const char *second;

	(void)state;
	buf_init(&out, 100000);
	dsn.recipients = two;
	dsn.recipient_count = 2;
	dsn.type = "406";
	dsn.detail = "You tried to send to inactive recipients.";
	dsn_add_report(&out, &dsn);
	assert_non_null(strstr(out.data, "X-Postmark-ErrorCode: 406\r\n\r\nFinal-Recipient:"));
	second = strstr(out.data, "\r\n\r\nFinal-Recipient: rfc822; cy@reader.example\r\n");
	assert_non_null(second);
	/* They are not a server's words. */
	assert_non_null(strstr(second, "Diagnostic-Code: X-Postmark; You tried to send"));
	buf_free(&out);
}

static void
test_headers(void **state)
{
	static const char expected[] = "From: \"Shop, the\" <ann@shop.example>\r\n"
				       "To: bo@reader.example, cy@reader.example\r\n"
				       "Subject: Invoice 1007\r\n"
				       "Message-ID: <q1@shop.example>\r\n"
				       "Date: Sat, 5 Sep 2026 22:00:00 +0000\r\n";
	struct dsn dsn = make();
	struct buf out;

	(void)state;
	buf_init(&out, 100000);
	dsn_add_headers(&out, &dsn);
	assert_string_equal(out.data, expected);
	buf_free(&out);
}

static void
test_subject(void **state)
{
	static const struct {
		const char *reason;
		enum dsn_action action;
		const char *subject, *expected;
	} cases[] = {
		{ "as it is", DSN_FAILED, "Invoice", "Undelivered: Invoice" },
		{ "none", DSN_FAILED, "", "Undelivered: your mail" },
		{ "only what is cleaned away", DSN_FAILED, "\r\n ", "Undelivered: your mail" },
		{ "a line end", DSN_DELAYED, "a\r\nBcc: b", "Delayed: a  Bcc: b" },
		{ "UTF-8", DSN_FAILED, "März", "Undelivered: März" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct dsn dsn = make();
		struct buf out;

		buf_init(&out, 10000);
		dsn.action = cases[i].action;
		dsn.mail_subject = cases[i].subject;
		dsn_add_subject(&out, &dsn);
		if (strcmp(out.data, cases[i].expected) != 0)
			fail_msg("%s: %s", cases[i].reason, out.data);
		buf_free(&out);
	}
}

/* CRLF alone ends lines, which are ASCII and not too long. */
static void
must_be_lines(const char *reason, const char *text, size_t len)
{
	size_t column = 0;

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == '\n' || c == '\r') {
			if (c == '\n' || i + 1 == len || text[i + 1] != '\n')
				fail_msg("%s: a lonely line end at %zu", reason, i);
			i++;
			column = 0;
			continue;
		}
		if ((c < ' ' || c > '~') || ++column > 998)
			fail_msg("%s: %02x in column %zu", reason, c, column);
	}
	assert_int_equal(column, 0);
}

static void
test_nothing_is_injected(void **state)
{
	struct dsn dsn = make_strange();
	size_t len;
	char *mail = mail_of(&dsn, &len);

	(void)state;
	must_be_lines("strange", mail, len);
	assert_null(strstr(mail, "\r\nBcc:"));
	assert_null(strstr(mail, "\r\nX-Evil:"));
	assert_null(strstr(mail, "\nhello"));
	/* The boundary: two delimiters besides the first, and one end. */
	assert_null(strstr(strstr(mail, "--=_01KB9ZZZZZZZZZZZZZZZZZZZZ1--") + 1,
	    "--=_01KB9ZZZZZZZZZZZZZZZZZZZZ1"));
	free(mail);
}

static void
test_long_texts(void **state)
{
	static const char fill[] = { 'x', ' ', '\t', '<', '"', '\\', '=', '.', '\xc3', '\0', '@' };
	char *text = mem_new(5001);

	(void)state;
	for (size_t i = 0; i < sizeof(fill); i++) {
		struct dsn dsn = make();
		size_t len;
		char *mail;

		memset(text, fill[i], 5000);
		dsn.detail = dsn.type = dsn.mail_subject = dsn.mail_from = dsn.mail_message_id =
		    dsn.from = dsn.to = dsn.hostname = dsn.item = dsn.postmark_id = text;
		mail = mail_of(&dsn, &len);
		must_be_lines(text, mail, len);
		free(mail);
	}
	free(text);
}

static void
test_many_recipients(void **state)
{
	enum { COUNT = 3000 };
	const char **many = mem_array(COUNT, sizeof(*many));
	struct dsn dsn = make();
	char *mail;
	size_t len;

	(void)state;
	for (size_t i = 0; i < COUNT; i++)
		many[i] = "somebody-with-a-long-name@a-long-domain.example";
	dsn.recipients = dsn.mail_recipients = many;
	dsn.recipient_count = dsn.mail_recipient_count = COUNT;
	mail = mail_of(&dsn, &len);
	must_be_lines("many", mail, len);
	assert_non_null(strstr(mail, "and 2000 others"));
	free((void *)many);
	free(mail);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_report),
		cmocka_unit_test(test_report_of_several),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_subject),
		cmocka_unit_test(test_nothing_is_injected),
		cmocka_unit_test(test_long_texts),
		cmocka_unit_test(test_many_recipients),
	};

	if (argc > 1) {
		struct dsn dsn = strcmp(argv[1], "strange") == 0 ? make_strange() : make();
		size_t len;
		char *mail = mail_of(&dsn, &len);

		fwrite(mail, 1, len, stdout);
		free(mail);
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
