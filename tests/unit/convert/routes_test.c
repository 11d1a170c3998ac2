/*
 * What a route says of a mail, and what the mail may say against it: controls, metadata, From,
 * staging, and the policies for what a JSON API cannot carry.
 */

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "lab.h"

struct route_case {
	const char *reason;
	const char *content;
	const char *expected; /* a JSON object, as in convert_test.c */
	const char *ledger;

	/* The route. */
	const char *tag, *stream, *links;
	const char *opens;    /* "true", "false" */
	const char *metadata; /* "key=value", separated by spaces */
	unsigned deny;        /* controls that do not beat the route */
	const char *from;
	enum convert_from rewrite;
	const char *authorised; /* separated by spaces */
	const char *redirected; /* the same */
	const char *sender;
};

#define TO_ANN  "To: ann@x.example\n"
#define FROM_TO "From: Ann Author <s@shop.example>\n" TO_ANN
#define OURS    "\"Our Shop\" <mail@ours.example>"

static const struct route_case cases[] = {
	/* --- controls --- */
	{ "the route's, where the mail has none", FROM_TO "\nx",
	    "{'Tag':'t','MessageStream':'st','TrackLinks':'None','TrackOpens':false,"
	    "'Metadata':{'relay-id':'" MAIL_ID "-1','shop':'1','area':'n=1'}}",
	    "", .tag = "t", .stream = "st", .links = "None", .opens = "false",
	    .metadata = "shop=1 area=n=1" },
	{ "the mail's beat them where they may",
	    FROM_TO "X-PM-Tag: m\nX-PM-MessageStream: ms\nX-PM-Track-Links: textonly\n"
		    "X-PM-Track-Opens: True\nX-PM-Metadata-SHOP: 2\nX-PM-Metadata-new: n\n\nx",
	    "{'Tag':'m','MessageStream':'ms','TrackLinks':'TextOnly','TrackOpens':true,"
	    "'Metadata':{'relay-id':'" MAIL_ID "-1','SHOP':'2','new':'n'}}",
	    "", .tag = "t", .stream = "st", .links = "None", .opens = "false",
	    .metadata = "shop=1" },
	{ "and do not where they may not",
	    FROM_TO "X-PM-Tag: m\nX-PM-MessageStream: ms\nX-PM-Track-Links: textonly\n"
		    "X-PM-Track-Opens: True\nX-PM-Metadata-SHOP: 2\nX-PM-Metadata-new: n\n\nx",
	    "{'Tag':'t','MessageStream':'st','TrackLinks':'None','TrackOpens':false,"
	    "'Metadata':{'relay-id':'" MAIL_ID "-1','shop':'1'}}",
	    "x-pm", .tag = "t", .stream = "st", .links = "None", .opens = "false",
	    .metadata = "shop=1", .deny = CONTROLS_ALL },
	{ "each by itself", FROM_TO "X-PM-Tag: m\nX-PM-Message-Stream: ms\n\nx",
	    "{'Tag':'m','MessageStream':'st'}", "x-pm", .tag = "t", .stream = "st",
	    .deny = 1U << CONTROL_MESSAGE_STREAM },
	{ "what may not be said is not judged either",
	    FROM_TO "X-PM-TrackOpens: perhaps\nX-PM-Message-Stream: B A D\n\nx",
	    "{'TrackOpens':null,'MessageStream':null}", "x-pm", .deny = CONTROLS_ALL },
	{ "an empty field says nothing",
	    FROM_TO "X-PM-TrackOpens:\nX-PM-TrackLinks: \nX-PM-Tag:\nX-PM-Message-Stream:\n"
		    "X-PM-KeepID:\n\nx",
	    "{'Tag':'t','TrackOpens':null,'TrackLinks':null,'MessageStream':null}", "x-pm",
	    .tag = "t" },
	{ "the first of a kind counts", FROM_TO "X-PM-Tag: one\nx-pm-tag: two\n\nx",
	    "{'Tag':'one'}", .ledger = "x-pm" },
	{ "a key of the route and one like it in the mail, twice",
	    FROM_TO "X-PM-Metadata-a: 1\nX-PM-Metadata-a: 2\n\nx",
	    "{'Metadata':{'relay-id':'" MAIL_ID "-1','a':'1','a2':'2','b':'0'}}", "",
	    .metadata = "a=0 b=0 relay-id=no" },
	{ "controls in encoded words are decoded once",
	    FROM_TO "X-PM-Tag: =?utf-8?Q?=3D=3Futf-8=3FQ=3Fx=3F=3D?=\n\nx",
	    "{'Tag':'=?utf-8?Q?x?='}", .ledger = "" },

	/* --- other fields --- */
	{ "fields that tell on recipients",
	    FROM_TO "Resent-To: b@x.example\nResent-Cc: b@x.example\nX-Rcpt-To: b@x.example\n"
		    "X-Delivered-To: b\nX-PM-RCPT: b\nX-Forwarded-To: b\nOriginal-Recipient: b\n"
		    "Resent-From: c@x.example\n\nx",
	    "{'Headers':[{'Name':'Resent-From','Value':'c@x.example'}]}", .ledger = "headers" },
	{ "every field that Postmark or its library keeps back",
	    FROM_TO "Return-Path: <a@x>\nX-PM-RCPT: b\nReply-To: r@x.example\nSender: q@x.example\n"
		    "Received: by x\nDate: Mon, 23 Nov 2026 06:00:00 +0000\nContent-Type: "
		    "text/plain\nSubject: s\nTag: t\nAttachment: a\nTrack-Opens: true\n"
		    "Track-Links: None\nPostmark-Template-Alias: w\nMessage-Stream: m\n"
		    "Mime-Version: 1.0\nContent-Transfer-Encoding: 7bit\nCc: c@x.example\n"
		    "Bcc: b@x.example\n\nx",
	    "{'Headers':null,'ReplyTo':'r@x.example','Tag':null,'MessageStream':null}",
	    .ledger = "date,sender,shown-recipients,headers" },
	{ "names with spaces, controls or other letters",
	    FROM_TO
	    "X-Good!#$%&'*+-/=?^_`{|}~: 1\nX Bad: 2\nX-B\u00e4d: 3\nX-Ok : 4\nX-Mailer: m\n\nx",
	    "{'Headers':[{'Name':'X-Good!#$%&\\u0027*+-/=?^_`{|}~','Value':'1'},"
	    "{'Name':'X-Ok','Value':'4'},{'Name':'X-Mailer','Value':'m'}]}",
	    .ledger = NULL },
	{ "List-Unsubscribe, folded within its URL, with what looks like an encoded word",
	    FROM_TO "List-Unsubscribe: <https://x.example/u?a==?utf-8?Q?b?=\n &c=d>,\n"
		    "\t<mailto:u@x.example?subject=stop>\n"
		    "List-Unsubscribe-Post: List-Unsubscribe=One-Click\n\nx",
	    "{'Headers':[{'Name':'List-Unsubscribe','Value':'<https://x.example/"
	    "u?a==?utf-8?Q?b?=&c=d>, <mailto:u@x.example?subject=stop>'},"
	    "{'Name':'List-Unsubscribe-Post','Value':'List-Unsubscribe=One-Click'}]}",
	    .ledger = "" },
	{ "identifiers that a program wrote as encoded words",
	    FROM_TO "Message-ID: =?utf-8?q?=3C1=40shop=2Eexample=3E?=\nReferences: "
		    "=?utf-8?q?=3C0=40shop=2E?=\n =?utf-8?q?example=3E?=\n\nx",
	    "{'Headers':[{'Name':'Message-ID','Value':'<1@shop.example>'},"
	    "{'Name':'References','Value':'<0@shop.example>'},"
	    "{'Name':'X-PM-KeepID','Value':'true'}]}",
	    .ledger = "" },
	{ "repeated fields stay repeated and in order",
	    FROM_TO "X-B: 1\nX-A: 2\nX-B: 3\nComments: =?utf-8?Q?=3D=3Futf-8=3FQ=3Fx=3F=3D?=\n\nx",
	    "{'Headers':[{'Name':'X-B','Value':'1'},{'Name':'X-A','Value':'2'},"
	    "{'Name':'X-B','Value':'3'},{'Name':'Comments','Value':'=?utf-8?Q?x?='}]}",
	    .ledger = "" },

	{ "a second subject and a second identifier are lost",
	    FROM_TO "Subject: 1\nSubject: 2\nMessage-ID: <1@x>\nMessage-ID: <2@x>\n\nx",
	    "{'Subject':'1','Headers':[{'Name':'Message-ID','Value':'<1@x>'},"
	    "{'Name':'X-PM-KeepID','Value':'true'}]}",
	    .ledger = "headers" },

	/* --- From --- */
	{ "a route's From that is not to be used", FROM_TO "\nx",
	    "{'From':'\"Ann Author\" <s@shop.example>','ReplyTo':null}", "", .from = OURS },
	{ "in place of an author who may not", FROM_TO "\nx",
	    "{'From':'\"Our Shop\" <mail@ours.example>',"
	    "'ReplyTo':'\"Ann Author\" <s@shop.example>'}",
	    "from-rewritten", .from = OURS, .rewrite = FROM_IF_UNAUTHORISED,
	    .authorised = "@ours.example boss@shop.example" },
	{ "not of one who may", FROM_TO "\nx",
	    "{'From':'\"Ann Author\" <s@shop.example>','ReplyTo':null}", "", .from = OURS,
	    .rewrite = FROM_IF_UNAUTHORISED, .authorised = "nobody@x.example *@SHOP.example" },
	{ "nor of a whole domain that may", FROM_TO "\nx",
	    "{'From':'\"Ann Author\" <s@shop.example>'}", "", .from = OURS,
	    .rewrite = FROM_IF_UNAUTHORISED, .authorised = "@shop.example" },
	{ "always", FROM_TO "\nx",
	    "{'From':'mail@ours.example','ReplyTo':'\"Ann Author\" <s@shop.example>'}",
	    "from-rewritten", .from = "mail@ours.example", .rewrite = FROM_FORCE,
	    .authorised = "@shop.example" },
	{ "a Reply-To that is there stays", FROM_TO "Reply-To: r@shop.example\n\nx",
	    "{'From':'\"Our Shop\" <mail@ours.example>','ReplyTo':'r@shop.example'}",
	    "from-rewritten", .from = OURS, .rewrite = FROM_FORCE },
	{ "the same address is no other author", "From: Me <mail@ours.example>\n" TO_ANN "\nx",
	    "{'From':'\"Our Shop\" <mail@ours.example>','ReplyTo':null}", "", .from = OURS,
	    .rewrite = FROM_FORCE },
	{ "without a From of its own a route rewrites nothing", FROM_TO "\nx",
	    "{'From':'\"Ann Author\" <s@shop.example>'}", "", .rewrite = FROM_FORCE },
	{ "no author: the envelope sender before the route", "From: root\n" TO_ANN "\nx",
	    "{'From':'env@shop.example'}", "from", .from = OURS, .sender = "env@shop.example" },
	{ "no author and no sender: the route", "From: root\n" TO_ANN "\nx",
	    "{'From':'\"Our Shop\" <mail@ours.example>','ReplyTo':null}", "from", .from = OURS },

	/* --- staging --- */
	{ "a mail in place of whose recipients others get it", FROM_TO "Cc: c@x.example\n\nx",
	    "{'To':'tester@t.example','Cc':null,'Headers':[{'Name':'X-Redirected-For',"
	    "'Value':'ann@x.example, c@x.example'}]}",
	    "shown-recipients,redirected", .redirected = "ann@x.example c@x.example" },
	{ "which another relay has done before", FROM_TO "x-redirected-for: blind@x.example\n\nx",
	    "{'Headers':[{'Name':'X-Redirected-For','Value':'ann@x.example'}]}",
	    "shown-recipients,redirected", .redirected = "ann@x.example" },
	{ "or says it has", FROM_TO "X-Redirected-For: blind@x.example\n\nx", "{'Headers':null}",
	    .ledger = "" },
};

static void
words(struct strlist *list, const char *text)
{
	char *copy = mem_string(text == NULL ? "" : text), *rest = copy, *one;

	while ((one = strsep(&rest, " ")) != NULL)
		if (one[0] != '\0')
			strlist_add(list, one);
	free(copy);
}

static void
test_routes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct route_case *c = &cases[i];
		struct strlist metadata = { 0 }, authorised = { 0 }, redirected = { 0 };
		struct lab_run run = { .options = lab_options(),
			.sender = c->sender,
			.recipients = c->redirected ? "tester@t.example" : "ann@x.example" };
		json_t *expected = lab_expectation(c->expected), *got;

		words(&metadata, c->metadata);
		words(&authorised, c->authorised);
		words(&redirected, c->redirected);
		run.options.default_tag = c->tag ? c->tag : "";
		run.options.message_stream = c->stream ? c->stream : "";
		run.options.track_links = c->links ? c->links : "";
		run.options.track_opens = c->opens ? strcmp(c->opens, "true") == 0 : -1;
		run.options.metadata = &metadata;
		run.options.controls = CONTROLS_ALL & ~c->deny;
		run.options.from = c->from ? c->from : "";
		run.options.from_rewrite = c->rewrite;
		run.options.from_authorised = &authorised;
		run.redirected = c->redirected ? &redirected : NULL;
		struct mail *mail = lab_mail(c->reason, &run, c->content);
		got = lab_item(mail, 0);
		lab_compare(c->reason, expected, got);
		if (c->ledger != NULL && strcmp(mail->ledger, c->ledger) != 0)
			fail_msg("%s: ledger %s", c->reason, mail->ledger);
		json_decref(got);
		json_decref(expected);
		mail_free(&mail);
		strlist_free(&metadata);
		strlist_free(&authorised);
		strlist_free(&redirected);
	}
}

/* Of very many only some are named. */
static void
test_redirected_is_bounded(void **state)
{
	struct strlist redirected = { 0 };
	struct lab_run run = { .options = lab_options(),
		.recipients = "tester@t.example",
		.redirected = &redirected };

	(void)state;
	for (int i = 0; i < 1000; i++) {
		char *address = mem_format("recipient-%d@somewhere.example", i);

		strlist_take(&redirected, address);
	}
	struct mail *mail = lab_mail("redirected", &run, FROM_TO "\nx");
	json_t *json = lab_item(mail, 0);
	const char *value = json_string_value(
	    json_object_get(json_array_get(json_object_get(json, "Headers"), 0), "Value"));

	assert_in_range(strlen(value), 700, 900);
	assert_non_null(strstr(value, "recipient-0@somewhere.example, recipient-1@"));
	assert_non_null(strstr(value, " more"));
	json_decref(json);
	mail_free(&mail);
	strlist_free(&redirected);
}

/* --- policies --------------------------------------------------------------- */

#define SIGNED                                                                                     \
	FROM_TO "Content-Type: multipart/signed; boundary=m; "                                     \
		"protocol=\"application/pgp-signature\"\n\n--m\n\nsigned text\n--m\n"              \
		"Content-Type: application/pgp-signature\n\nSIG\n--m--\n"
#define CALENDAR                                                                                   \
	FROM_TO "Content-Type: multipart/alternative; boundary=m\n\n--m\n\nplain\n--m\n"           \
		"Content-Type: text/calendar; method=REQUEST\n\nBEGIN\n--m--\n"
#define DATED FROM_TO "Date: Mon, 23 Nov 2026 06:00:00 +0000\n\nx"

static void
test_policies(void **state)
{
	static const struct {
		const char *reason;
		const char *content;
		enum ledger_entry entry;
		const char *says; /* of the refusal */
	} kinds[] = {
		{ "date", DATED, LEDGER_DATE, "this mail has a Date, " },
		{ "sender", FROM_TO "Sender: o@shop.example\n\nx", LEDGER_SENDER, "Sender" },
		{ "signed", SIGNED, LEDGER_SIGNED, "this mail is digitally signed, " },
		{ "encrypted",
		    FROM_TO "Content-Type: multipart/encrypted; boundary=m\n\n--m\nContent-Type: "
			    "application/pgp-encrypted\n\nVersion: 1\n--m\nContent-Type: "
			    "application/octet-stream\n\nPGP\n--m--\n",
		    LEDGER_ENCRYPTED, "encrypted" },
		{ "calendar", CALENDAR, LEDGER_CALENDAR, "calendar" },
		{ "html parts",
		    FROM_TO "Content-Type: multipart/mixed; boundary=m\n\n--m\nContent-Type: "
			    "text/html\n\n<b>1</b>\n--m\nContent-Type: text/html\n\n<b>2</b>\n"
			    "--m--\n",
		    LEDGER_HTML_PARTS, "HTML" },
		{ "messages", FROM_TO "Content-Type: message/rfc822\n\nSubject: in\n\nX\n",
		    LEDGER_MESSAGES, "messages within" },
		{ "tnef",
		    FROM_TO "Content-Type: multipart/mixed; boundary=m\n\n--m\n\nx\n--m\n"
			    "Content-Type: application/ms-tnef; name=winmail.dat\n\nT\n--m--\n",
		    LEDGER_TNEF, "winmail.dat" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct convert_facts facts;
		struct lab_run run = { .options = lab_options(), .recipients = "ann@x.example" };
		struct mail *mail = lab_mail(kinds[i].reason, &run, kinds[i].content);
		struct refusal refusal;

		if (strstr(mail->ledger, ledger_word(kinds[i].entry)) == NULL)
			fail_msg("%s: ledger %s", kinds[i].reason, mail->ledger);
		assert_int_equal(mail->items[0].kind, ITEM_EMAIL);
		mail_free(&mail);

		run.options.policy[kinds[i].entry] = POLICY_REJECT;
		assert_int_equal(lab_convert_text(&run, kinds[i].content, &mail, &refusal), -1);
		assert_int_equal(refusal.code, 554);
		assert_string_equal(refusal.enhanced, "5.6.1");
		if (strstr(refusal.text, kinds[i].says) == NULL ||
		    strstr(refusal.text, "the route default does not take such mail") == NULL)
			fail_msg("%s: %s", kinds[i].reason, refusal.text);

		run.options.policy[kinds[i].entry] = POLICY_SMTP;
		run.facts = &facts;
		mail = lab_mail(kinds[i].reason, &run, kinds[i].content);
		assert_int_equal(mail->items[0].kind, ITEM_SMTP);
		assert_string_equal(mail->ledger, "");
		assert_true(facts.verbatim);
		assert_int_equal(facts.verbatim_for, kinds[i].entry);
		mail_free(&mail);
		convert_facts_free(&facts);

		/* A mail that has nothing of the kind is none of it. */
		mail = lab_mail(kinds[i].reason, &run, FROM_TO "\nx");
		assert_int_equal(mail->items[0].kind, ITEM_EMAIL);
		mail_free(&mail);
		convert_facts_free(&facts);
	}
}

/* Refusing wins over SMTP, in whatever order the kinds are. */
static void
test_policies_together(void **state)
{
	static const char content[] = FROM_TO
	    "Date: Mon, 23 Nov 2026 06:00:00 +0000\nContent-Type: multipart/alternative; "
	    "boundary=m\n\n--m\n\nplain\n--m\nContent-Type: text/calendar\n\nBEGIN\n--m--\n";
	static const struct {
		enum fidelity_policy date, calendar;
		int result;
		enum item_kind kind;
	} ways[] = {
		{ POLICY_SMTP, POLICY_REJECT, -1, 0 },
		{ POLICY_REJECT, POLICY_SMTP, -1, 0 },
		{ POLICY_SMTP, POLICY_CONVERT, 0, ITEM_SMTP },
		{ POLICY_CONVERT, POLICY_SMTP, 0, ITEM_SMTP },
		{ POLICY_CONVERT, POLICY_CONVERT, 0, ITEM_EMAIL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		struct lab_run run = { .options = lab_options(), .recipients = "ann@x.example" };
		struct mail *mail = NULL;
		struct refusal refusal;

		run.options.policy[LEDGER_DATE] = ways[i].date;
		run.options.policy[LEDGER_CALENDAR] = ways[i].calendar;
		assert_int_equal(lab_convert_text(&run, content, &mail, &refusal), ways[i].result);
		if (mail != NULL)
			assert_int_equal(mail->items[0].kind, ways[i].kind);
		mail_free(&mail);
	}
}

/* What only the record needs. */
static void
test_modes(void **state)
{
	struct lab_run run = { .options = lab_options(), .recipients = "ann@x.example" };

	(void)state;
	run.options.route = "staging";
	run.options.captured = true;
	run.options.reply = REPLY_POSTMARK_OR_REFUSE;
	run.options.reply_within_ms = 1234;
	struct mail *mail = lab_mail("modes", &run, FROM_TO "\nx");
	assert_string_equal(mail->route, "staging");
	assert_true(mail->captured);
	assert_int_equal(mail->reply, REPLY_POSTMARK_OR_REFUSE);
	assert_int_equal(mail->reply_within_ms, 1234);
	mail_free(&mail);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_routes),
		cmocka_unit_test(test_redirected_is_bounded),
		cmocka_unit_test(test_policies),
		cmocka_unit_test(test_policies_together),
		cmocka_unit_test(test_modes),
	};

	return cmocka_run_group_tests(tests, lab_setup, NULL);
}
