#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "smtp/command.h"

struct command_case {
	const char *reason;
	const char *line;
	enum smtp_verb verb;
	enum smtp_fault fault;
	const char *address; /* or the rest, for verbs without a path */
};

#define OK        SMTP_FAULT_NONE
#define SYNTAX    SMTP_FAULT_SYNTAX
#define PARAMETER SMTP_FAULT_PARAMETER
#define VALUE     SMTP_FAULT_PARAMETER_VALUE
#define ADDRESS   SMTP_FAULT_ADDRESS
#define UTF8      SMTP_FAULT_NEEDS_SMTPUTF8

static const struct command_case cases[] = {
	{ "EHLO", "EHLO client.example", SMTP_EHLO, OK, "client.example" },
	{ "lower case", "ehlo client.example", SMTP_EHLO, OK, "client.example" },
	{ "a literal", "HELO [192.0.2.1]", SMTP_HELO, OK, "[192.0.2.1]" },
	{ "a name with a space, as devices have it", "HELO Lab Printer 3 ", SMTP_HELO, OK,
	    "Lab Printer 3" },
	{ "HELO without a name", "HELO", SMTP_HELO, SYNTAX, NULL },
	{ "a name with a control character", "HELO a\x01", SMTP_HELO, SYNTAX, NULL },
	{ "a tab between", "EHLO\tclient.example", SMTP_EHLO, OK, "client.example" },

	{ "a sender", "MAIL FROM:<a@b.example>", SMTP_MAIL, OK, "a@b.example" },
	{ "any case", "mail from:<A@B.Example>", SMTP_MAIL, OK, "A@b.example" },
	{ "a space after the colon", "MAIL FROM: <a@b.example>", SMTP_MAIL, OK, "a@b.example" },
	{ "no brackets", "MAIL FROM:a@b.example", SMTP_MAIL, OK, "a@b.example" },
	{ "no brackets, with a parameter", "MAIL FROM:a@b.example SIZE=1", SMTP_MAIL, OK,
	    "a@b.example" },
	{ "spaces at the end", "MAIL FROM:<a@b.example>  ", SMTP_MAIL, OK, "a@b.example" },
	{ "the null path", "MAIL FROM:<>", SMTP_MAIL, OK, "" },
	{ "a source route", "MAIL FROM:<@x.example,@y.example:a@b.example>", SMTP_MAIL, OK,
	    "a@b.example" },
	{ "a source route without its colon", "MAIL FROM:<@x.example>", SMTP_MAIL, ADDRESS, NULL },
	{ "a source route with rubbish", "RCPT TO:<@x.example,y:a@b.example>", SMTP_RCPT, ADDRESS,
	    NULL },
	{ "a colon in a quoted local part is no route", "RCPT TO:<\"a:b\"@b.example>", SMTP_RCPT,
	    ADDRESS, NULL },
	{ "quotes that were not needed", "RCPT TO:<\"ann\"@b.example>", SMTP_RCPT, OK,
	    "ann@b.example" },
	{ "a bracket within quotes", "RCPT TO:<\"a>b\"@b.example>", SMTP_RCPT, ADDRESS, NULL },
	{ "an escaped quote within quotes", "RCPT TO:<\"a\\\">b\"@b.example>", SMTP_RCPT, ADDRESS,
	    NULL },
	{ "no closing bracket", "RCPT TO:<a@b.example", SMTP_RCPT, SYNTAX, NULL },
	{ "no opening bracket", "RCPT TO:a@b.example>", SMTP_RCPT, SYNTAX, NULL },
	{ "text behind the bracket", "RCPT TO:<a@b.example>x", SMTP_RCPT, SYNTAX, NULL },
	{ "two paths", "RCPT TO:<a@b.example>,<c@d.example>", SMTP_RCPT, SYNTAX, NULL },
	{ "two paths with a space", "RCPT TO:<a@b.example> <c@d.example>", SMTP_RCPT, PARAMETER,
	    NULL },
	{ "a list in one path", "RCPT TO:<a@b.example,c@d.example>", SMTP_RCPT, ADDRESS, NULL },
	{ "nothing", "MAIL", SMTP_MAIL, SYNTAX, NULL },
	{ "no path", "MAIL FROM:", SMTP_MAIL, SYNTAX, NULL },
	{ "no colon", "MAIL FROM <a@b.example>", SMTP_MAIL, SYNTAX, NULL },
	{ "the other word", "MAIL TO:<a@b.example>", SMTP_MAIL, SYNTAX, NULL },
	{ "a null recipient", "RCPT TO:<>", SMTP_RCPT, ADDRESS, NULL },
	{ "postmaster", "RCPT TO:<PostMaster>", SMTP_RCPT, OK, "postmaster" },
	{ "postmaster of a domain", "RCPT TO:<Postmaster@b.example>", SMTP_RCPT, OK,
	    "Postmaster@b.example" },
	{ "a sender without a domain: cron", "MAIL FROM:<root>", SMTP_MAIL, OK, "root" },
	{ "a sender with a quoted local part", "MAIL FROM:<\"a b\"@x.example>", SMTP_MAIL, OK,
	    "\"a b\"@x.example" },
	{ "a sender at an address literal", "MAIL FROM:<a@[192.0.2.1]>", SMTP_MAIL, OK,
	    "a@[192.0.2.1]" },
	{ "a sender at an odd host", "MAIL FROM:<www@web_01>", SMTP_MAIL, OK, "www@web_01" },
	{ "another local part alone", "RCPT TO:<root>", SMTP_RCPT, ADDRESS, NULL },
	{ "an address literal", "RCPT TO:<a@[192.0.2.1]>", SMTP_RCPT, ADDRESS, NULL },
	{ "a control character", "RCPT TO:<a\x7f@b.example>", SMTP_RCPT, SYNTAX, NULL },

	{ "all parameters", "MAIL FROM:<a@b.example> SIZE=10 BODY=8BITMIME SMTPUTF8", SMTP_MAIL, OK,
	    "a@b.example" },
	{ "in any case", "MAIL FROM:<a@b.example> size=10 body=7bit", SMTP_MAIL, OK,
	    "a@b.example" },
	{ "an unknown parameter", "MAIL FROM:<a@b.example> RET=FULL", SMTP_MAIL, PARAMETER, NULL },
	{ "a parameter of RCPT", "RCPT TO:<a@b.example> NOTIFY=NEVER", SMTP_RCPT, PARAMETER, NULL },
	{ "a size that is none", "MAIL FROM:<a@b.example> SIZE=x", SMTP_MAIL, VALUE, NULL },
	{ "a negative size", "MAIL FROM:<a@b.example> SIZE=-1", SMTP_MAIL, VALUE, NULL },
	{ "no size", "MAIL FROM:<a@b.example> SIZE=", SMTP_MAIL, VALUE, NULL },
	{ "a size of 21 digits", "MAIL FROM:<a@b.example> SIZE=100000000000000000000", SMTP_MAIL,
	    VALUE, NULL },
	{ "a size past 64 bits", "MAIL FROM:<a@b.example> SIZE=99999999999999999999", SMTP_MAIL, OK,
	    "a@b.example" },
	{ "a repeated parameter", "MAIL FROM:<a@b.example> SIZE=1 SIZE=2", SMTP_MAIL, VALUE, NULL },
	{ "a body that is none", "MAIL FROM:<a@b.example> BODY=BINARYMIME", SMTP_MAIL, VALUE,
	    NULL },
	{ "SMTPUTF8 with a value", "MAIL FROM:<a@b.example> SMTPUTF8=1", SMTP_MAIL, VALUE, NULL },

	{ "UTF-8 without SMTPUTF8", "MAIL FROM:<a@b\xc3\xbc.example>", SMTP_MAIL, UTF8, NULL },
	{ "a U-label with SMTPUTF8",
	    "MAIL FROM:<a@b\xc3\xbc"
	    "cher.example> SMTPUTF8",
	    SMTP_MAIL, OK, "a@xn--bcher-kva.example" },
	{ "a UTF-8 local part", "MAIL FROM:<\xc3\xbc@b.example> SMTPUTF8", SMTP_MAIL, OK,
	    "\xc3\xbc@b.example" },
	{ "broken UTF-8", "MAIL FROM:<a@b\xc3.example> SMTPUTF8", SMTP_MAIL, ADDRESS, NULL },

	{ "DATA", "DATA", SMTP_DATA, OK, "" },
	{ "DATA with an argument", "DATA now", SMTP_DATA, SYNTAX, NULL },
	{ "DATA with a space", "DATA ", SMTP_DATA, OK, "" },
	{ "RSET with an argument", "RSET x", SMTP_RSET, SYNTAX, NULL },
	{ "QUIT with an argument", "QUIT x", SMTP_QUIT, SYNTAX, NULL },
	{ "NOOP with an argument", "NOOP x", SMTP_NOOP, OK, "x" },
	{ "VRFY", "VRFY ann", SMTP_VRFY, OK, "ann" },
	{ "VRFY of nothing", "VRFY", SMTP_VRFY, SYNTAX, NULL },
	{ "EXPN", "EXPN list", SMTP_EXPN, OK, "list" },
	{ "HELP", "HELP", SMTP_HELP, OK, "" },
	{ "HELP about something", "HELP MAIL", SMTP_HELP, OK, "MAIL" },
	{ "an empty line", "", SMTP_UNKNOWN, OK, "" },
	{ "spaces", "   ", SMTP_UNKNOWN, OK, "" },
	{ "a space before the verb", " NOOP", SMTP_UNKNOWN, OK, "NOOP" },
	{ "a longer word", "NOOPS", SMTP_UNKNOWN, OK, "" },
	{ "a shorter word", "NOO", SMTP_UNKNOWN, OK, "" },
};

static void
test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct command_case *c = &cases[i];
		struct smtp_command command;
		bool has_path = c->verb == SMTP_MAIL || c->verb == SMTP_RCPT;

		smtp_command_parse(&command, c->line, strlen(c->line), true, false);
		if (command.verb != c->verb || command.fault != c->fault)
			fail_msg("%s: verb %d fault %d", c->reason, command.verb, command.fault);
		if (c->address == NULL)
			continue;
		if (has_path && strcmp(command.address, c->address) != 0)
			fail_msg("%s: \"%s\"", c->reason, command.address);
		if (!has_path && (command.rest_len != strlen(c->address) ||
				     memcmp(command.rest, c->address, command.rest_len) != 0))
			fail_msg("%s: \"%.*s\"", c->reason, (int)command.rest_len, command.rest);
	}
}

static void
test_facts(void **state)
{
	static const char line[] = "MAIL FROM:<a@b.example> SIZE=1000 BODY=8BITMIME SMTPUTF8";
	static const char large[] = "MAIL FROM:<> SIZE=99999999999999999999";
	struct smtp_command command;

	(void)state;
	smtp_command_parse(&command, line, sizeof(line) - 1, true, false);
	assert_true(command.has_size && command.body_8bit && command.smtputf8);
	assert_false(command.null_path);
	assert_int_equal(command.size_bytes, 1000);
	smtp_command_parse(&command, large, sizeof(large) - 1, true, false);
	assert_true(command.null_path);
	assert_int_equal(command.size_bytes, UINT64_MAX);
}

static void
test_nul_is_refused(void **state)
{
	static const char line[] = "RCPT TO:<a@b.example\0>";
	struct smtp_command command;

	(void)state;
	smtp_command_parse(&command, line, sizeof(line) - 1, true, false);
	assert_int_equal(command.fault, SMTP_FAULT_SYNTAX);
}

static void
test_helo_has_no_parameters(void **state)
{
	static const char line[] = "MAIL FROM:<a@b.example> SIZE=1";
	struct smtp_command command;

	(void)state;
	smtp_command_parse(&command, line, sizeof(line) - 1, false, false);
	assert_int_equal(command.fault, SMTP_FAULT_PARAMETER);
}

static void
test_utf8_at_rcpt_follows_mail(void **state)
{
	static const char line[] = "RCPT TO:<a@b\xc3\xbc"
				   "cher.example>";
	struct smtp_command command;

	(void)state;
	smtp_command_parse(&command, line, sizeof(line) - 1, true, false);
	assert_int_equal(command.fault, SMTP_FAULT_NEEDS_SMTPUTF8);
	smtp_command_parse(&command, line, sizeof(line) - 1, true, true);
	assert_int_equal(command.fault, SMTP_FAULT_NONE);
	assert_string_equal(command.address, "a@xn--bcher-kva.example");
}

static void
test_names(void **state)
{
	(void)state;
	for (enum smtp_verb verb = 0; verb < SMTP_UNKNOWN; verb++) {
		struct smtp_command command;

		smtp_command_parse(
		    &command, smtp_verb_name(verb), strlen(smtp_verb_name(verb)), true, false);
		assert_int_equal(command.verb, verb);
	}
	assert_string_equal(smtp_verb_name(SMTP_UNKNOWN), "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_facts),
		cmocka_unit_test(test_nul_is_refused),
		cmocka_unit_test(test_helo_has_no_parameters),
		cmocka_unit_test(test_utf8_at_rcpt_follows_mail),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
