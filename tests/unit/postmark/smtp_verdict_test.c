#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/strlist.h"
#include "postmark/client.h"
#include "postmark/smtp.h"
#include "postmark/verdict.h"

static struct smtp_refused
refused(size_t recipient, int code, const char *text)
{
	return (struct smtp_refused){
		.recipient = recipient, .code = code, .text = (char *)(uintptr_t)text
	};
}

static void
replies_to_verdicts(void **state)
{
	static const struct {
		const char *reason;
		enum smtp_stage stage;
		int code;
		const char *enhanced, *text;
		enum verdict verdict;
	} cases[] = {
		{ "taken", SMTP_CONTENT, 250, "2.0.0", "250 2.0.0 Ok: queued as 1A", VERDICT_SENT },
		{ "taken, in other words", SMTP_CONTENT, 252, "", "252 will try", VERDICT_SENT },
		{ "neither yes nor no", SMTP_CONTENT, 354, "", "354 more", VERDICT_UNSURE },
		{ "no code of SMTP", SMTP_CONTENT, 600, "", "600 x", VERDICT_UNSURE },
		{ "weather at the door", SMTP_GREETING, 421, "4.3.2", "421 4.3.2 down",
		    VERDICT_WEATHER },
		{ "too many at the door", SMTP_GREETING, 421, "4.7.0",
		    "421 4.7.0 Too many connections", VERDICT_THROTTLED },
		{ "no door", SMTP_GREETING, 554, "", "554 no service", VERDICT_OPERATOR },
		{ "no hello", SMTP_HELLO, 550, "", "550 who?", VERDICT_OPERATOR },
		{ "no TLS for now", SMTP_STARTTLS, 454, "4.7.0", "454 4.7.0 no", VERDICT_WEATHER },
		{ "no TLS", SMTP_STARTTLS, 502, "", "502 no", VERDICT_WEATHER },
		{ "wrong token", SMTP_AUTH, 535, "5.7.8",
		    "535 5.7.8 Error: authentication failed:", VERDICT_OPERATOR },
		{ "too weak", SMTP_AUTH, 534, "5.7.9", "534 5.7.9 weak", VERDICT_OPERATOR },
		{ "no such mechanism", SMTP_AUTH, 504, "5.5.4", "504 5.5.4 no", VERDICT_OPERATOR },
		{ "login for now", SMTP_AUTH, 454, "4.7.0", "454 4.7.0 later", VERDICT_WEATHER },
		{ "login first", SMTP_MAIL, 530, "5.7.0", "530 5.7.0 login", VERDICT_OPERATOR },
		{ "login again", SMTP_MAIL, 550, "5.7.8", "550 5.7.8 expired", VERDICT_OPERATOR },
		{ "may not send", SMTP_MAIL, 550, "5.7.1", "550 5.7.1 suspended",
		    VERDICT_OPERATOR },
		{ "too large by SIZE", SMTP_MAIL, 552, "5.3.4", "552 5.3.4 large",
		    VERDICT_REFUSED },
		{ "what did we say", SMTP_MAIL, 501, "5.5.4", "501 5.5.4 syntax",
		    VERDICT_OUR_FAULT },
		{ "out of order", SMTP_DATA, 503, "5.5.1", "503 5.5.1 order", VERDICT_OUR_FAULT },
		{ "busy", SMTP_MAIL, 451, "4.3.0", "451 4.3.0 try later", VERDICT_WEATHER },
		{ "a rate", SMTP_MAIL, 451, "4.7.1", "451 4.7.1 sending rate exceeded",
		    VERDICT_THROTTLED },
		{ "a limit of rate", SMTP_CONTENT, 421, "", "421 Rate limit", VERDICT_THROTTLED },
		{ "no rate", SMTP_CONTENT, 451, "", "451 generated corporate error",
		    VERDICT_WEATHER },
		{ "full", SMTP_CONTENT, 452, "4.3.1", "452 4.3.1 full", VERDICT_WEATHER },
		{ "no data", SMTP_DATA, 554, "5.5.1", "554 5.5.1 no", VERDICT_REFUSED },
		{ "too large", SMTP_CONTENT, 552, "5.3.4", "552 5.3.4 large", VERDICT_REFUSED },
		{ "content", SMTP_CONTENT, 554, "5.7.1", "554 5.7.1 virus", VERDICT_REFUSED },
		{ "a login that ends behind the dot", SMTP_CONTENT, 535, "5.7.8", "535 5.7.8 x",
		    VERDICT_OPERATOR },
		{ "a code without sense", SMTP_MAIL, 999, "", "999 x", VERDICT_WEATHER },
	};
	struct strlist recipients = { 0 };

	(void)state;
	strlist_add(&recipients, "a@y.example");
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct smtp_answer answer = { .end = POSTMARK_ANSWERED,
			.stage = cases[i].stage,
			.code = cases[i].code,
			.enhanced = cases[i].enhanced,
			.text = cases[i].text,
			.error = "" };
		struct item_verdict verdict = { 0 };

		verdict_judge_smtp(&answer, &recipients, &verdict);
		if (verdict.verdict != cases[i].verdict)
			fail_msg("%s: %s", cases[i].reason, verdict_name(verdict.verdict));
		assert_string_equal(verdict.message, cases[i].text);
		assert_string_equal(verdict.postmark_id, "");
		assert_int_equal(verdict.error_code, 0);
		assert_int_equal(verdict.inactive.count, 0);
		verdicts_free(&verdict, 1);
	}
	strlist_free(&recipients);
}

static void
without_a_reply(void **state)
{
	static const struct {
		const char *reason;
		enum postmark_end end;
		bool login_failed;
		enum verdict verdict;
	} cases[] = {
		{ "never arrived", POSTMARK_NOT_SENT, false, VERDICT_WEATHER },
		{ "no way to log in", POSTMARK_NOT_SENT, true, VERDICT_OPERATOR },
		{ "the dot may be out", POSTMARK_LOST, false, VERDICT_UNSURE },
	};
	struct strlist recipients = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct smtp_answer answer = { .end = cases[i].end,
			.login_failed = cases[i].login_failed,
			.enhanced = "",
			.text = "",
			.error = "words of libcurl" };
		struct item_verdict verdict = { 0 };

		verdict_judge_smtp(&answer, &recipients, &verdict);
		if (verdict.verdict != cases[i].verdict)
			fail_msg("%s: %s", cases[i].reason, verdict_name(verdict.verdict));
		assert_string_equal(verdict.message, "words of libcurl");
		verdicts_free(&verdict, 1);
	}
}

static void
refused_recipients(void **state)
{
	const struct {
		const char *reason;
		enum smtp_stage stage;
		int code;
		const char *text;
		struct smtp_refused refused[3];
		size_t refused_count;
		enum verdict verdict;
		const char *message;
		size_t inactive;
	} cases[] = {
		{ "one of three, the others have it", SMTP_CONTENT, 250, "250 ok",
		    { refused(1, 550, "550 5.1.1 nobody") }, 1, VERDICT_SENT,
		    "250 ok; <b@y.example>: 550 5.1.1 nobody", 1 },
		{ "one for now: it is not sent again for one", SMTP_CONTENT, 250, "250 ok",
		    { refused(2, 451, "451 later") }, 1, VERDICT_SENT,
		    "250 ok; <c@y.example>: 451 later", 1 },
		{ "all for good", SMTP_RCPT, 550, "550 c",
		    { refused(0, 550, "550 a"), refused(1, 553, "553 b"),
			refused(2, 501, "501 c") },
		    3, VERDICT_REFUSED,
		    "<a@y.example>: 550 a; <b@y.example>: 553 b; <c@y.example>: 501 c", 3 },
		{ "one of them for now", SMTP_RCPT, 550, "550 c",
		    { refused(0, 550, "550 a"), refused(1, 450, "450 b"),
			refused(2, 550, "550 c") },
		    3, VERDICT_WEATHER,
		    "<a@y.example>: 550 a; <b@y.example>: 450 b; <c@y.example>: 550 c", 0 },
		{ "too many for now", SMTP_RCPT, 452, "452 too many recipients",
		    { refused(0, 452, "452 too many recipients") }, 1, VERDICT_THROTTLED,
		    "<a@y.example>: 452 too many recipients", 0 },
		{ "a login first", SMTP_RCPT, 530, "530 login", { refused(0, 530, "530 login") }, 1,
		    VERDICT_OPERATOR, "<a@y.example>: 530 login", 0 },
		{ "of nobody that we know", SMTP_RCPT, 550, "550 x", { refused(7, 550, "550 x") },
		    1, VERDICT_REFUSED, "550 x", 0 },
		{ "the content, with one refused before", SMTP_CONTENT, 554, "554 spam",
		    { refused(1, 550, "550 b") }, 1, VERDICT_REFUSED, "554 spam", 0 },
	};
	struct strlist recipients = { 0 };

	(void)state;
	strlist_add(&recipients, "a@y.example");
	strlist_add(&recipients, "b@y.example");
	strlist_add(&recipients, "c@y.example");
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct smtp_answer answer = { .end = POSTMARK_ANSWERED,
			.stage = cases[i].stage,
			.code = cases[i].code,
			.enhanced = "",
			.text = cases[i].text,
			.refused = cases[i].refused,
			.refused_count = cases[i].refused_count,
			.error = "" };
		struct item_verdict verdict = { 0 };

		verdict_judge_smtp(&answer, &recipients, &verdict);
		if (verdict.verdict != cases[i].verdict ||
		    strcmp(verdict.message, cases[i].message) != 0 ||
		    verdict.inactive.count != cases[i].inactive)
			fail_msg("%s: %s, <%s>, %zu", cases[i].reason,
			    verdict_name(verdict.verdict), verdict.message, verdict.inactive.count);
		verdicts_free(&verdict, 1);
	}
	strlist_free(&recipients);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replies_to_verdicts),
		cmocka_unit_test(without_a_reply),
		cmocka_unit_test(refused_recipients),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
