/* Replies that wait for Postmark: what happens in, what the client is told out. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "mail/mail.h"
#include "mail/refusal.h"
#include "programs/replies.h"

#define A  "01HZZZZZZZZZZZZZZZZZZZZZZ1"
#define B  "01HZZZZZZZZZZZZZZZZZZZZZZ2"
#define PM "0a129aee-e1cd-480d-b08d-4f48548ff48d"

static struct mail *
mail_of(const char *id, unsigned items, enum reply_mode mode)
{
	struct mail *mail = mail_new();

	memcpy(mail->id, id, ULID_SIZE);
	mail->route = mem_string("main");
	mail->reply = mode;
	mail->reply_within_ms = 30000;
	mail->item_count = items;
	mail->items = mem_array(items, sizeof(*mail->items));
	for (unsigned i = 0; i < items; i++) {
		mail->items[i].number = i + 1;
		payload_init(&mail->items[i].payload);
	}
	return mail;
}

/*
 * What happens, a letter each: s f w h u are outcomes of the item whose turn it is (sent, failed,
 * waiting, held after an answer, unsure), W and H the same without an answer of Postmark's, "."
 * nothing for this item.  Then: L late, T taken back, I in hand, N never, X the store fails, R once
 * more, E the end.
 */
struct story {
	const char *reason;
	enum reply_mode mode;
	unsigned items;
	bool unsure_is_retried;
	const char *events;
	const char *steps; /* of the last event: "wait", "back", or the answer's code and codes */
	const char *text;  /* a part of the answer */
};

static struct store_outcome
outcome_by(char letter)
{
	struct store_outcome outcome = { .http_status = 200 };

	switch (letter) {
	case 's':
		outcome.to = ITEM_SENT;
		outcome.postmark_id = PM;
		break;
	case 'f':
		outcome.to = ITEM_FAILED;
		outcome.error_code = 406;
		outcome.answer = "inactive addresses";
		break;
	case 'F':
		outcome.to = ITEM_FAILED;
		outcome.http_status = 0;
		outcome.answer = "timeout";
		break;
	case 'w':
	case 'W':
		outcome.to = ITEM_WAITING;
		outcome.http_status = letter == 'w' ? 503 : 0;
		outcome.answer = "busy";
		break;
	case 'h':
	case 'H':
		outcome.to = ITEM_HELD;
		outcome.http_status = letter == 'h' ? 422 : 0;
		outcome.answer = "held";
		break;
	case 'u':
		outcome.to = ITEM_UNSURE;
		outcome.http_status = 0;
		break;
	case 'g':
		outcome.to = ITEM_SPOOLED; /* given back untried */
		outcome.http_status = 0;
		break;
	default:
		fail_msg("no such event: %c", letter);
	}
	return outcome;
}

static enum reply_step
event(struct reply *reply, char letter, size_t *turn)
{
	struct store_outcome outcome;

	switch (letter) {
	case 'L':
		return reply_late(reply);
	case 'T':
		return reply_taken(reply, STORE_OK, STORE_TAKEN);
	case 'I':
		return reply_taken(reply, STORE_OK, STORE_TAKEN_LATER);
	case 'N':
		return reply_taken(reply, STORE_OK, STORE_TAKEN_NEVER);
	case 'X':
		return reply_taken(reply, STORE_BROKEN, STORE_TAKEN);
	case 'R':
		return reply_again(reply);
	case 'E':
		return reply_last(reply);
	default:
		outcome = outcome_by(letter);
		return reply_outcome(
		    reply, reply_item_id(reply, (*turn)++ % reply_item_count(reply)), &outcome);
	}
}

static void
story_told(const struct story *story, const struct mail *mail)
{
	struct reply *reply = reply_new(mail, story->unsure_is_retried);
	enum reply_step step = REPLY_STEP_WAIT;
	struct refusal refusal = { 0 };
	char said[64];
	size_t turn = 0;

	assert_non_null(reply);
	for (const char *at = story->events; *at != '\0'; at++) {
		if (step == REPLY_STEP_ANSWER)
			fail_msg("%s: it was over before %s", story->reason, at);
		if (*at == '.')
			turn++;
		else
			step = event(reply, *at, &turn);
	}
	if (step == REPLY_STEP_ANSWER) {
		reply_answer(reply, &refusal);
		snprintf(said, sizeof(said), "%d %s", refusal.code, refusal.enhanced);
		/* Refused is what is gone, or what Postmark has refused. */
		if (refusal.code < 500)
			assert_int_equal(reply_was_taken_back(reply), refusal.code == 451);
	} else {
		snprintf(said, sizeof(said), step == REPLY_STEP_WAIT ? "wait" : "back");
	}
	if (strcmp(said, story->steps) != 0 ||
	    (story->text != NULL && strstr(refusal.text, story->text) == NULL))
		fail_msg("%s: %s \"%s\"", story->reason, said, refusal.text);
	reply_free(&reply);
}

static void
test_stories(void **state)
{
	static const struct story stories[] = {
#define YES   REPLY_POSTMARK
#define OR_NO REPLY_POSTMARK_OR_REFUSE
		{ "taken", YES, 1, false, "s", "250 2.0.0", "Postmark took it as " PM },
		{ "taken, so or so", OR_NO, 1, false, "s", "250 2.0.0", "took it as " PM },
		{ "all of three", YES, 3, false, "sss", "250 2.0.0", PM ", " PM ", " PM },
		{ "the reply has one line", YES, 5, false, "sssss", "250 2.0.0", " and 2 more" },
		{ "one is missing", YES, 3, false, "ss", "wait", NULL },
		{ "refused", YES, 1, false, "f", "550 5.1.1",
		    "Postmark refused it (ErrorCode 406): inactive addresses" },
		{ "refused, so or so", OR_NO, 1, false, "f", "550 5.1.1", NULL },
		{ "all refused", YES, 2, false, "ff", "550 5.1.1", NULL },
		{ "some of it refused", YES, 2, false, "sf", "250 2.0.0",
		    "of 2 messages Postmark took 1 as " PM " and refused 1 (inactive addresses)" },
		{ "some of it refused, so or so", OR_NO, 2, false, "fs", "250 2.0.0", "took 1" },

		{ "nobody answers", YES, 1, false, "L", "250 2.0.0",
		    "Postmark has not answered yet" },
		{ "weather", YES, 1, false, "w", "250 2.0.0", "has not taken it yet (busy)" },
		{ "held", YES, 1, false, "h", "250 2.0.0", "has not taken it yet (held)" },
		{ "unsure", YES, 1, false, "u", "250 2.0.0", "may have it" },
		{ "weather for one, the other is out", YES, 2, false, "w", "wait", NULL },
		{ "and late", YES, 2, false, "wL", "250 2.0.0", "has not taken it yet" },
		{ "given back is no outcome", YES, 1, false, "g", "wait", NULL },

		{ "nobody answers: back with it", OR_NO, 1, false, "L", "back", NULL },
		{ "and it is", OR_NO, 1, false, "LT", "451 4.4.1",
		    "did not answer in time and nothing was sent" },
		{ "weather: at once", OR_NO, 1, false, "w", "back", NULL },
		{ "and it is told", OR_NO, 1, false, "wT", "451 4.4.1", "try again later: busy" },
		{ "not sent at all", OR_NO, 1, false, "WT", "451 4.4.1", NULL },
		{ "held after an answer", OR_NO, 1, false, "hT", "451 4.4.1", "held" },
		{ "held without one: may be there", OR_NO, 1, false, "H", "250 2.0.0", "may have" },
		{ "unsure: may be there", OR_NO, 1, false, "u", "250 2.0.0", "may have it" },
		{ "sent again whatever became of it", OR_NO, 1, true, "W", "250 2.0.0",
		    "may have" },
		{ "until its lifetime was over", OR_NO, 1, true, "F", "250 2.0.0", "may have" },
		{ "the same, and it never went out", OR_NO, 1, false, "F", "554 5.4.7", "timeout" },
		{ "weather does not become sure", OR_NO, 1, true, "w", "back", NULL },

		{ "one sent, the other late", OR_NO, 2, false, "sL", "250 2.0.0", "took 1" },
		{ "one unsure, the other late", OR_NO, 2, false, "uL", "250 2.0.0", "may have" },
		{ "one refused, the other late", OR_NO, 2, false, "fL", "back", NULL },
		{ "and both are gone", OR_NO, 2, false, "fLT", "451 4.4.1", NULL },
		{ "one waits, the other is out", OR_NO, 2, false, "w", "wait", NULL },
		{ "one waits, the other is refused", OR_NO, 2, false, "wfT", "451 4.4.1", "busy" },

		{ "in flight", OR_NO, 1, false, "LI", "wait", NULL },
		{ "in flight, and sent", OR_NO, 1, false, "LIs", "250 2.0.0", "took it as" },
		{ "in flight, and refused", OR_NO, 1, false, "LIf", "550 5.1.1", NULL },
		{ "in flight, and unsure", OR_NO, 1, false, "LIu", "250 2.0.0", "may have it" },
		{ "in flight, and weather: once more", OR_NO, 1, false, "LIw", "back", NULL },
		{ "and it is", OR_NO, 1, false, "LIwT", "451 4.4.1", "busy" },
		{ "given back: nobody tells", OR_NO, 1, false, "LIR", "back", NULL },
		{ "in flight for too long", OR_NO, 1, false, "LIRIE", "250 2.0.0",
		    "has not answered yet" },
		{ "sent while the store was asked", OR_NO, 1, false, "Ls", "wait", NULL },
		{ "and the store says so", OR_NO, 1, false, "LsN", "250 2.0.0", "took it as" },
		{ "at the end, but the store is asked", OR_NO, 1, false, "LE", "wait", NULL },
		{ "and has taken it", OR_NO, 1, false, "LET", "451 4.4.1", NULL },
		{ "or not", OR_NO, 1, false, "LEI", "250 2.0.0", NULL },
		{ "gone before we looked", OR_NO, 1, false, "LN", "250 2.0.0", "may have it" },
		{ "the store fails", OR_NO, 1, false, "LX", "wait", NULL },
		{ "and again", OR_NO, 1, false, "LXRX", "wait", NULL },
		{ "for ever: it is kept", OR_NO, 1, false, "LXRXE", "250 2.0.0", NULL },
		{ "one of two in flight, and sent", OR_NO, 2, false, "LI.s", "250 2.0.0",
		    "took 1" },

		{ "the end alone", YES, 1, false, "E", "250 2.0.0", "has not answered yet" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(stories) / sizeof(stories[0]); i++) {
		struct mail *mail = mail_of(A, stories[i].items, stories[i].mode);

		story_told(&stories[i], mail);
		mail_free(&mail);
	}
}

/* A transaction for several routes: what is refused is refused for all of its recipients. */
static void
test_chains(void **state)
{
	static const struct {
		struct story story;
		enum reply_mode other;
		bool captured;
	} cases[] = {
		{ { "both ask", YES, 1, false, "ss", "250 2.0.0", "took it as " PM ", " PM }, YES,
		    false },
		{ { "both refused", YES, 1, false, "ff", "550 5.1.1", NULL }, YES, false },
		{ { "the other is queued", YES, 1, false, "s", "250 2.0.0",
		      "what else it makes waits for its turn" },
		    REPLY_QUEUED, false },
		{ { "refused, but the other is queued", YES, 1, false, "f", "250 2.0.0",
		      "refused 1" },
		    REPLY_QUEUED, false },
		{ { "late, but the other is queued", OR_NO, 1, false, "L", "250 2.0.0",
		      "has not answered yet" },
		    REPLY_QUEUED, false },
		{ { "refused, but the other is captured", YES, 1, false, "f", "250 2.0.0", NULL },
		    YES, true },
		{ { "late, and only one may be refused", OR_NO, 1, false, "L", "250 2.0.0", NULL },
		    YES, false },
		{ { "late, and both may be", OR_NO, 1, false, "LT", "451 4.4.1", NULL }, OR_NO,
		    false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct mail *mail = mail_of(A, 1, cases[i].story.mode);

		mail->next = mail_of(B, 1, cases[i].other);
		mail->next->captured = cases[i].captured;
		story_told(&cases[i].story, mail);
		mail_free(&mail);
	}
}

static void
test_who_asks(void **state)
{
	struct mail *mail = mail_of(A, 2, REPLY_QUEUED);
	struct reply *reply;

	(void)state;
	assert_null(reply_new(mail, false));
	mail->reply = REPLY_POSTMARK;
	mail->captured = true; /* nobody sends it, so nobody will answer */
	assert_null(reply_new(mail, false));
	mail->next = mail_of(B, 3, REPLY_POSTMARK_OR_REFUSE);
	mail->next->reply_within_ms = 5000;
	reply = reply_new(mail, false);
	assert_non_null(reply);
	assert_int_equal(reply_mail_count(reply), 1);
	assert_string_equal(reply_mail_id(reply, 0), B);
	assert_string_equal(reply_route(reply, 0), "main");
	assert_int_equal(reply_item_count(reply), 3);
	assert_string_equal(reply_item_id(reply, 2), B "-3");
	assert_int_equal(reply_within_ms(reply), 5000);
	reply_free(&reply);
	/* The shortest time of those that ask. */
	mail->captured = false;
	reply = reply_new(mail, false);
	assert_int_equal(reply_mail_count(reply), 2);
	assert_int_equal(reply_within_ms(reply), 5000);
	reply_free(&reply);
	reply_free(&reply);
	mail_free(&mail);
}

static void
test_inactive(void **state)
{
	struct mail *mail = mail_of(A, 1, REPLY_POSTMARK);
	struct reply *reply = reply_new(mail, false);
	const struct store_outcome outcome = {
		.to = ITEM_SENT, .http_status = 200, .postmark_id = PM, .inactive = "x@y.example"
	};
	struct refusal refusal;

	(void)state;
	assert_int_equal(reply_outcome(reply, A "-1", &outcome), REPLY_STEP_ANSWER);
	reply_answer(reply, &refusal);
	assert_non_null(strstr(refusal.text, "it will not deliver to x@y.example"));
	assert_non_null(strstr(refusal.text, "Postmark took it as " PM ";"));
	/* Of somebody else. */
	assert_int_equal(reply_outcome(reply, B "-1", &outcome), REPLY_STEP_ANSWER);
	reply_free(&reply);
	mail_free(&mail);
}

/* Each outcome belongs to the item of its number, in whatever order they come. */
static void
test_many(void **state)
{
	enum { MANY = 1000 };
	struct mail *mail = mail_of(A, MANY, REPLY_POSTMARK);
	const struct store_outcome sent = { .to = ITEM_SENT, .http_status = 200 };
	const struct store_outcome failed = {
		.to = ITEM_FAILED, .http_status = 422, .error_code = 406, .answer = "of the last"
	};
	static const char *const strangers[] = { A, A "-0", A "-1001", A "-x", B "-3", "", "x" };
	struct reply *reply;
	struct refusal refusal;
	char id[ITEM_ID_SIZE];

	(void)state;
	mail->next = mail_of(B, 2, REPLY_POSTMARK);
	reply = reply_new(mail, false);
	for (unsigned i = 0; i < MANY; i++) {
		item_id(id, A, (i * 7) % MANY + 1);
		assert_int_equal(reply_outcome(reply, id, &sent), REPLY_STEP_WAIT);
		assert_int_equal(reply_outcome(reply, id, &sent), REPLY_STEP_WAIT);
	}
	for (size_t i = 0; i < sizeof(strangers) / sizeof(strangers[0]); i++)
		assert_int_equal(reply_outcome(reply, strangers[i], &sent), REPLY_STEP_WAIT);
	assert_int_equal(reply_outcome(reply, B "-2", &failed), REPLY_STEP_WAIT);
	assert_int_equal(reply_outcome(reply, B "-1", &sent), REPLY_STEP_ANSWER);
	reply_answer(reply, &refusal);
	assert_non_null(strstr(refusal.text, "of 1002 messages Postmark took 1001"));
	assert_non_null(strstr(refusal.text, "refused 1 (of the last)"));
	reply_free(&reply);
	mail_free(&mail);
}

static void
test_refusals(void **state)
{
	static const struct {
		const char *reason;
		enum item_kind kind;
		int http_status, error_code;
		const char *answer;
		int code;
		const char *enhanced;
	} cases[] = {
		{ "a recipient", ITEM_EMAIL, 422, 300, "Invalid 'To' address: 'x'.", 550, "5.1.3" },
		{ "a domain", ITEM_EMAIL, 422, 300,
		    "Error parsing 'Cc': Illegal email domain '+' in address 'user@+'.", 550,
		    "5.1.3" },
		{ "letters of either case", ITEM_EMAIL, 422, 300, "error parsing 'bcc': x", 550,
		    "5.1.3" },
		{ "another field", ITEM_EMAIL, 422, 300, "Error parsing 'Reply-To': x", 554,
		    "5.6.0" },
		{ "no body", ITEM_EMAIL, 422, 300,
		    "Provide either email TextBody or HtmlBody or both.", 554, "5.6.0" },
		{ "too big", ITEM_EMAIL, 422, 300,
		    "Attachments too big. The total size should be less than 10485760 bytes.", 552,
		    "5.3.4" },
		{ "HTTP says so", ITEM_EMAIL, 413, 0, NULL, 552, "5.3.4" },
		{ "not JSON", ITEM_EMAIL, 422, 402, "x", 554, "5.6.0" },
		{ "wrong type", ITEM_EMAIL, 422, 403, "Invalid request field(s): 'From'.", 554,
		    "5.6.0" },
		{ "no such sender", ITEM_EMAIL, 422, 400, "x", 550, "5.7.1" },
		{ "unconfirmed", ITEM_EMAIL, 422, 401, "x", 550, "5.7.1" },
		{ "inactive", ITEM_EMAIL, 422, 406, "x", 550, "5.1.1" },
		{ "of a batch", ITEM_EMAIL, 200, 406, "x", 550, "5.1.1" },
		{ "an extension", ITEM_EMAIL, 422, 411, "x", 550, "5.7.1" },
		{ "a template", ITEM_TEMPLATE, 422, 1101, "x", 554, "5.6.0" },
		{ "weather for days", ITEM_EMAIL, 503, 0, "x", 554, "5.4.7" },
		{ "no answer for days", ITEM_EMAIL, 0, 0, "x", 554, "5.4.7" },
		{ "too many for days", ITEM_EMAIL, 429, 0, "x", 554, "5.4.7" },
		{ "by SMTP", ITEM_SMTP, 550, 0, "550 5.7.1 not yours", 554, "5.7.1" },
		{ "by SMTP, the text alone", ITEM_SMTP, 550, 0, "5.1.10 null MX", 554, "5.1.10" },
		{ "by SMTP, of a recipient", ITEM_SMTP, 550, 0,
		    "<x@y.example>: 550 5.1.1 no such user", 554, "5.1.1" },
		{ "by SMTP, no enhanced code", ITEM_SMTP, 550, 0, "550 no", 554, "5.0.0" },
		{ "by SMTP, none that is one", ITEM_SMTP, 550, 0, "5.1", 554, "5.0.0" },
		{ "by SMTP, no reason", ITEM_SMTP, 550, 0, NULL, 554, "5.0.0" },
		{ "by SMTP, no answer for days", ITEM_SMTP, 0, 0, "Connection timed out", 554,
		    "5.4.7" },
		{ "by SMTP, weather for days", ITEM_SMTP, 451, 0, "451 4.3.0 later", 554, "5.4.7" },
	};
	struct refusal refusal;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		reply_refusal(&refusal, cases[i].kind, cases[i].http_status, cases[i].error_code,
		    cases[i].answer);
		if (refusal.code != cases[i].code ||
		    strcmp(refusal.enhanced, cases[i].enhanced) != 0)
			fail_msg("%s: %d %s %s", cases[i].reason, refusal.code, refusal.enhanced,
			    refusal.text);
	}
	/* What Postmark says is foreign. */
	reply_refusal(&refusal, ITEM_EMAIL, 422, 300, "a\r\n250 ok\x1b[m");
	assert_null(strpbrk(refusal.text, "\r\n\x1b"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stories),
		cmocka_unit_test(test_chains),
		cmocka_unit_test(test_who_asks),
		cmocka_unit_test(test_inactive),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
