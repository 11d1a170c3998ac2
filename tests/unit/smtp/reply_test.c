#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/buf.h"
#include "mail/envelope.h"
#include "mail/refusal.h"
#include "smtp/session.h"
#include "smtp/reply.h"

static const struct {
	const char *reason;
	struct smtp_reply reply;
	const char *line;
} cases[] = {
	{ "with an enhanced code", { 250, "2.1.5", "ok" }, "250 2.1.5 ok\r\n" },
	{ "without one", { 354, NULL, "go ahead" }, "354 go ahead\r\n" },
	{ "an empty one", { 220, "", "hello" }, "220 hello\r\n" },
	{ "without text", { 250, NULL, NULL }, "250 \r\n" },
	{ "lines hidden in the text", { 550, "5.6.0", "a\r\n250 ok" }, "550 5.6.0 a??250 ok\r\n" },
	{ "lines hidden in the enhanced code", { 550, "5.\r\n", "a" }, "550 5.?? a\r\n" },
	{ "UTF-8",
	    { 550, "5.6.0",
		"b\xc3\xbc"
		"cher \xe2\x82\xac" },
	    "550 5.6.0 b?cher ?\r\n" },
	{ "no code at all", { 0, "4.3.0", "x" }, "451 4.3.0 x\r\n" },
	{ "a code past the end", { 1250, "4.3.0", "x" }, "451 4.3.0 x\r\n" },
};

static void
test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf out;

		buf_init(&out, 4096);
		smtp_reply_print(&out, &cases[i].reply);
		if (strcmp(out.data, cases[i].line) != 0)
			fail_msg("%s: \"%s\"", cases[i].reason, out.data);
		buf_free(&out);
	}
}

static void
test_long_text_is_cut(void **state)
{
	char text[2000];
	struct buf out;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	buf_init(&out, 4096);
	smtp_reply_print(&out, &(struct smtp_reply){ 550, "5.6.0", text });
	assert_int_equal(out.len, SMTP_REPLY_MOST);
	assert_memory_equal(out.data + out.len - 3, "x\r\n", 3);
	buf_free(&out);
}

static void
test_lines(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 4096);
	smtp_reply_print_line(&out, &(struct smtp_reply){ 250, NULL, "host" }, false);
	smtp_reply_print_line(&out, &(struct smtp_reply){ 250, NULL, "SIZE 1" }, true);
	assert_string_equal(out.data, "250-host\r\n250 SIZE 1\r\n");
	buf_free(&out);
}

static void
test_refusal(void **state)
{
	struct refusal refusal;
	char text[1000];

	(void)state;
	refusal_set(&refusal, 552, "5.3.4",
	    "%d bytes\r\nover\x01 b\xc3\xbc"
	    "cher",
	    7);
	assert_int_equal(refusal.code, 552);
	assert_string_equal(refusal.enhanced, "5.3.4");
	assert_string_equal(refusal.text, "7 bytes over? b?cher");
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	refusal_set(&refusal, 550, "5.123.45678910", "%s", text);
	assert_int_equal(strlen(refusal.text), sizeof(refusal.text) - 1);
	assert_int_equal(strlen(refusal.enhanced), sizeof(refusal.enhanced) - 1);
}

static void
test_envelope(void **state)
{
	struct envelope envelope;

	(void)state;
	envelope_init(&envelope);
	assert_string_equal(envelope.reverse_path, "");
	strlist_add(&envelope.recipients, "a@b.example");
	envelope_free(&envelope);
	assert_int_equal(envelope.recipients.count, 0);
	assert_null(envelope.reverse_path);
	envelope_free(&envelope);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_long_text_is_cut),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_refusal),
		cmocka_unit_test(test_envelope),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
