#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "postmark/smtp_talk.h"

/* Lines as they go: "> " we said, "< " we heard. */
static void
play(struct smtp_talk *talk, const char *lines)
{
	while (*lines != '\0') {
		size_t len = strcspn(lines, "\n");
		char line[1400];

		assert_true(len > 2 && len < sizeof(line) - 2);
		snprintf(line, sizeof(line), "%.*s\r\n", (int)len - 2, lines + 2);
		if (lines[0] == '>')
			smtp_talk_said(talk, line, strlen(line));
		else
			smtp_talk_heard(talk, line, strlen(line));
		lines += len + (lines[len] == '\n');
	}
}

#define BEGUN                                                                                      \
	"< 220-mx ESMTP\n< 220 ready\n> EHLO me\n< 250-mx\n< 250 8BITMIME\n"                       \
	"> AUTH PLAIN AGEAYg==\n< 235 2.7.0 ok\n> MAIL FROM:<a@x>\n< 250 2.1.0 ok\n"

static void
replies_find_their_stage(void **state)
{
	static const struct {
		const char *reason, *lines;
		enum smtp_stage stage, replied;
		int code;
		const char *enhanced, *text;
		size_t refused;
	} cases[] = {
		{ "nothing", "", SMTP_GREETING, SMTP_GREETING, 0, "", "", 0 },
		{ "a greeting", "< 220-mx ESMTP\n< 220 ready", SMTP_GREETING, SMTP_GREETING, 220,
		    "", "220 mx ESMTP ready", 0 },
		{ "half a reply is none", "< 220-mx ESMTP", SMTP_GREETING, SMTP_GREETING, 220, "",
		    "220 mx ESMTP", 0 },
		{ "HELO after EHLO", "< 220 mx\n> EHLO me\n< 502 5.5.1 no\n> HELO me\n< 250 hi",
		    SMTP_HELLO, SMTP_HELLO, 250, "", "250 hi", 0 },
		{ "TLS", "< 220 mx\n> EHLO me\n< 250 STARTTLS\n> STARTTLS\n< 454 4.7.0 no",
		    SMTP_STARTTLS, SMTP_STARTTLS, 454, "4.7.0", "454 4.7.0 no", 0 },
		{ "a dialogue of AUTH, with what looks like verbs",
		    "> AUTH LOGIN\n< 334 VXNlcm5hbWU6\n> DATA\n< 334 UGFzc3dvcmQ6\n> QUITQUIT\n"
		    "< 535 5.7.8 no",
		    SMTP_DATA, SMTP_DATA, 535, "5.7.8", "535 5.7.8 no", 0 },
		{ "in words of its length",
		    "> AUTH LOGIN\n< 334 VXNlcm5hbWU6\n> REFUQQ==\n< 334 UGFzc3dvcmQ6\n> UkNQVA==\n"
		    "< 535 5.7.8 no",
		    SMTP_AUTH, SMTP_AUTH, 535, "5.7.8", "535 5.7.8 no", 0 },
		{ "sender", BEGUN, SMTP_MAIL, SMTP_MAIL, 250, "2.1.0", "250 2.1.0 ok", 0 },
		{ "recipients",
		    BEGUN "> RCPT TO:<a@y>\n< 250 ok\n> RCPT TO:<b@y>\n< 550-5.1.1 no\n< 550 such\n"
			  "> RCPT TO:<c@y>\n< 451 4.2.1 later",
		    SMTP_RCPT, SMTP_RCPT, 451, "4.2.1", "451 4.2.1 later", 2 },
		{ "a whole one",
		    BEGUN "> RCPT TO:<a@y>\n< 250 ok\n> DATA\n< 354 go\n< 250 2.0.0 Ok: queued",
		    SMTP_CONTENT, SMTP_CONTENT, 250, "2.0.0", "250 2.0.0 Ok: queued", 0 },
		{ "what comes after QUIT is no matter",
		    BEGUN "> RCPT TO:<a@y>\n< 550 no\n> QUIT\n< 221 bye", SMTP_RCPT, SMTP_RCPT, 550,
		    "", "550 no", 1 },
		{ "what comes after the reply to the content is no matter",
		    BEGUN
		    "> RCPT TO:<a@y>\n< 250 ok\n> DATA\n< 354 go\n< 250 2.0.0 ok\n< 421-4.4.2 "
		    "bye",
		    SMTP_CONTENT, SMTP_CONTENT, 250, "2.0.0", "250 2.0.0 ok", 0 },
		{ "DATA refused",
		    BEGUN "> RCPT TO:<a@y>\n< 250 ok\n> DATA\n< 554 5.5.1 none\n< 250 ok",
		    SMTP_DATA, SMTP_DATA, 250, "", "250 ok", 0 },
		{ "the next mail of a connection",
		    "> MAIL FROM:<>\n< 250 ok\n> RCPT TO:<a@y>\n< 550 x", SMTP_RCPT, SMTP_RCPT, 550,
		    "", "550 x", 1 },
		{ "a bare code", "< 220", SMTP_GREETING, SMTP_GREETING, 220, "", "220", 0 },
		{ "no replies", "< 22 x\n< 2200 x\n< 220x\n< hello\n< 25A ok", SMTP_GREETING,
		    SMTP_GREETING, 0, "", "", 0 },
		{ "enhanced codes of another class, or none",
		    "< 550-4.1.1 a\n< 550-5.1 b\n< 550-5.1.1.1 c\n< 550-5.1111.1 d\n< 550 5.x.1 e",
		    SMTP_GREETING, SMTP_GREETING, 550, "",
		    "550 4.1.1 a 5.1 b 5.1.1.1 c 5.1111.1 d 5.x.1 e", 0 },
		{ "the first that is one", "< 550-x\n< 550 5.123.456 y", SMTP_GREETING,
		    SMTP_GREETING, 550, "5.123.456", "550 x 5.123.456 y", 0 },
		{ "control characters are shown", "< 550 a\tb\x1b[31m", SMTP_GREETING,
		    SMTP_GREETING, 550, "", "550 a\\x09b\\x1B[31m", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct smtp_talk talk;

		smtp_talk_init(&talk);
		play(&talk, cases[i].lines);
		if (talk.stage != cases[i].stage || talk.replied != cases[i].replied ||
		    talk.code != cases[i].code || talk.refused_count != cases[i].refused ||
		    strcmp(talk.enhanced, cases[i].enhanced) != 0 ||
		    strcmp(talk.text, cases[i].text) != 0)
			fail_msg("%s: %s, %s, %d, <%s>, <%s>, %zu", cases[i].reason,
			    smtp_stage_name(talk.stage), smtp_stage_name(talk.replied), talk.code,
			    talk.enhanced, talk.text, talk.refused_count);
		smtp_talk_free(&talk);
	}
}

static void
refused_are_named(void **state)
{
	struct smtp_talk talk;

	(void)state;
	smtp_talk_init(&talk);
	play(&talk, BEGUN "> RCPT TO:<a@y>\n< 250 ok\n> RCPT TO:<b@y>\n< 550-5.1.1 no\n< 550 such\n"
			  "> RCPT TO:<c@y>\n< 451 later\n> DATA\n< 354 go\n< 250 ok");
	assert_int_equal(talk.refused_count, 2);
	assert_int_equal(talk.refused[0].recipient, 1);
	assert_int_equal(talk.refused[0].code, 550);
	assert_string_equal(talk.refused[0].text, "550 5.1.1 no such");
	assert_int_equal(talk.refused[1].recipient, 2);
	assert_int_equal(talk.refused[1].code, 451);
	smtp_talk_free(&talk);
}

static void
endless_replies_are_cut(void **state)
{
	struct smtp_talk talk;
	char line[1200];

	(void)state;
	smtp_talk_init(&talk);
	memset(line, 'x', sizeof(line));
	memcpy(line, "550-", 4);
	for (int i = 0; i < 100; i++)
		smtp_talk_heard(&talk, line, sizeof(line));
	line[3] = ' ';
	smtp_talk_heard(&talk, line, sizeof(line));
	assert_int_equal(talk.code, 550);
	assert_true(strlen(talk.text) < SMTP_TEXT_SIZE);
	smtp_talk_free(&talk);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replies_find_their_stage),
		cmocka_unit_test(refused_are_named),
		cmocka_unit_test(endless_replies_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
