/* Who is told of what, and the mail that tells. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/mem.h"
#include "config/config.h"
#include "mail/event.h"
#include "store/reader.h"

#include "outlet/notice_mail.h"

#define INBOUND "inbound { deliver = \"maildir:/m\" } "
#define NOW_MS  INT64_C(1788645700000)

static void
set(char **text, const char *value)
{
	free(*text);
	*text = mem_string(value);
}

static struct config *
load(const char *text)
{
	struct buf why;
	struct config *config;

	buf_init(&why, 10000);
	config = config_parse(text, strlen(text), "test", &why);
	if (config == NULL)
		fail_msg("%s", why.data);
	buf_free(&why);
	return config;
}

static struct event_facts
facts_make(enum event_kind kind, const char *type, bool suppressed)
{
	struct event_facts facts = { .key = 42, .item_key = 7, .route = "main" };

	facts.event = mail_event_new();
	memcpy(facts.item, "01KB9YYYYYYYYYYYYYYYYYYYYY-1", 29);
	memcpy(facts.event->id, "01KB9ZZZZZZZZZZZZZZZZZZZZ0", ULID_SIZE);
	facts.event->kind = kind;
	facts.event->at_ms = 1788645664118;
	facts.event->suppressed = suppressed;
	set(&facts.event->type, type);
	set(&facts.event->recipient, "bo@reader.example");
	set(&facts.event->detail, "smtp;550 5.1.1 no such user");
	return facts;
}

static struct item_facts
item_make(void)
{
	struct item_facts item = { .key = 7,
		.state = ITEM_SENT,
		.accepted_ms = 1788645600000,
		.route = mem_string("main"),
		.reverse_path = mem_string("ann@shop.example"),
		.listener = mem_string("127.0.0.1:25"),
		.client = mem_string("127.0.0.1"),
		.helo = mem_string(""),
		.message_id = mem_string("<q1@shop.example>"),
		.from = mem_string("Shop <ann@shop.example>"),
		.subject = mem_string("Invoice \"1007\""),
		.ledger = mem_string(""),
		.postmark_id = mem_string("6f0f3a52") };

	memcpy(item.id, "01KB9YYYYYYYYYYYYYYYYYYYYY-1", 29);
	strlist_add(&item.recipients, "bo@reader.example");
	strlist_add(&item.recipients, "cy@reader.example");
	return item;
}

static void
test_whom(void **state)
{
#define BOUNCES  INBOUND "notice { bounces = sender postmaster = pm@shop.example } "
#define FAILURES INBOUND "notice { failures = sender } "
	static const struct {
		const char *reason, *config;
		enum event_kind kind;
		const char *type;
		bool suppressed;
		enum item_state item;
		bool told;
		const char *reverse_path, *listener, *route;
		const char *expected; /* NULL: nobody */
	} cases[] = {
		{ "a bounce", BOUNCES, EVENT_BOUNCE, "HardBounce", true, ITEM_SENT, false, NULL,
		    NULL, NULL, "ann@shop.example" },
		{ "one that is final by itself", BOUNCES, EVENT_BOUNCE, "SoftBounce", false,
		    ITEM_SENT, false, NULL, NULL, NULL, "ann@shop.example" },
		{ "nobody asked", "", EVENT_BOUNCE, "HardBounce", true, ITEM_SENT, false, NULL,
		    NULL, NULL, NULL },
		{ "a delay", BOUNCES, EVENT_BOUNCE, "Transient", false, ITEM_SENT, false, NULL,
		    NULL, NULL, NULL },
		{ "an automatic answer", BOUNCES, EVENT_BOUNCE, "AutoResponder", false, ITEM_SENT,
		    false, NULL, NULL, NULL, NULL },
		{ "a complaint", BOUNCES, EVENT_COMPLAINT, "SpamComplaint", true, ITEM_SENT, false,
		    NULL, NULL, NULL, NULL },
		{ "a delivery", BOUNCES, EVENT_DELIVERY, "", false, ITEM_SENT, false, NULL, NULL,
		    NULL, NULL },
		{ "inactive recipients", BOUNCES, EVENT_INACTIVE, "406", false, ITEM_SENT, false,
		    NULL, NULL, NULL, "ann@shop.example" },
		{ "failures are another matter", BOUNCES, EVENT_FAILED, "300", false, ITEM_FAILED,
		    false, NULL, NULL, NULL, NULL },
		{ "a failure", FAILURES, EVENT_FAILED, "300", false, ITEM_FAILED, false, NULL, NULL,
		    NULL, "ann@shop.example" },
		{ "the client knows", FAILURES, EVENT_FAILED, "300", false, ITEM_FAILED, true, NULL,
		    NULL, NULL, NULL },
		{ "it was sent after all", FAILURES, EVENT_FAILED, "300", false, ITEM_SENT, false,
		    NULL, NULL, NULL, NULL },
		{ "it is tried again", FAILURES, EVENT_FAILED, "300", false, ITEM_WAITING, false,
		    NULL, NULL, NULL, NULL },
		{ "no sender", BOUNCES, EVENT_BOUNCE, "HardBounce", true, ITEM_SENT, false, "",
		    NULL, NULL, NULL },
		{ "a notice that bounced", BOUNCES, EVENT_BOUNCE, "HardBounce", true, ITEM_SENT,
		    false, NULL, "notice", NULL, NULL },
		{ "what came in", BOUNCES, EVENT_FAILED, "", false, ITEM_FAILED, false, NULL, NULL,
		    "inbound", NULL },
		{ "the postmaster",
		    INBOUND "notice { bounces = postmaster postmaster = pm@shop.example }",
		    EVENT_BOUNCE, "HardBounce", true, ITEM_SENT, false, NULL, NULL, NULL,
		    "pm@shop.example" },
		{ "the route says no", BOUNCES "route main { notice = off }", EVENT_BOUNCE,
		    "HardBounce", true, ITEM_SENT, false, NULL, NULL, NULL, NULL },
		{ "the route says the postmaster", BOUNCES "route main { notice = postmaster }",
		    EVENT_BOUNCE, "HardBounce", true, ITEM_SENT, false, NULL, NULL, NULL,
		    "pm@shop.example" },
		{ "the route says nothing", BOUNCES "route main { }", EVENT_BOUNCE, "HardBounce",
		    true, ITEM_SENT, false, NULL, NULL, NULL, "ann@shop.example" },
		{ "another route says no", BOUNCES "route other { notice = off }", EVENT_BOUNCE,
		    "HardBounce", true, ITEM_SENT, false, NULL, NULL, NULL, "ann@shop.example" },
		{ "the route alone says yes", INBOUND "route main { notice = sender }",
		    EVENT_FAILED, "300", false, ITEM_FAILED, false, NULL, NULL, NULL,
		    "ann@shop.example" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct config *config = load(cases[i].config);
		struct event_facts facts =
		    facts_make(cases[i].kind, cases[i].type, cases[i].suppressed);
		struct item_facts item = item_make();
		const char *to;

		item.state = cases[i].item;
		item.told = cases[i].told;
		if (cases[i].reverse_path != NULL)
			set(&item.reverse_path, cases[i].reverse_path);
		if (cases[i].listener != NULL)
			set(&item.listener, cases[i].listener);
		if (cases[i].route != NULL)
			set(&item.route, cases[i].route);
		to = notice_to(config, &facts, &item);
		if ((to == NULL) != (cases[i].expected == NULL) ||
		    (to != NULL && strcmp(to, cases[i].expected) != 0))
			fail_msg("%s: %s", cases[i].reason, to != NULL ? to : "nobody");
		item_facts_free(&item);
		mail_event_free(&facts.event);
		config_free(&config);
	}
}

static struct mail *
make(const char *text, struct event_facts *facts)
{
	struct config *config = load(text);
	struct item_facts item = item_make();
	struct mail *mail =
	    notice_mail(config, "relay.example", facts, &item, "ann@shop.example", NOW_MS);

	item_facts_free(&item);
	config_free(&config);
	return mail;
}

static void
test_by_inbound(void **state)
{
	struct event_facts facts = facts_make(EVENT_INACTIVE, "406", false);
	struct mail *mail, *again;

	(void)state;
	set(&facts.event->recipient, "bo@reader.example, cy@reader.example");
	mail = make(INBOUND "notice { bounces = sender }", &facts);
	assert_string_equal(mail->route, "inbound");
	assert_string_equal(mail->reverse_path, "");
	assert_string_equal(mail->listener, "notice");
	assert_string_equal(mail->subject, "Undelivered: Invoice \"1007\"");
	assert_string_equal(mail->from, "Mail Delivery System <MAILER-DAEMON@relay.example>");
	assert_int_equal(mail->accepted_ms, NOW_MS);
	assert_int_equal(mail->item_count, 1);
	assert_int_equal(mail->items[0].kind, ITEM_LOCAL);
	assert_int_equal(mail->items[0].recipients.count, 1);
	assert_string_equal(mail->items[0].recipients.items[0], "ann@shop.example");
	assert_int_equal(mail->items[0].payload.len, mail->content_bytes);
	assert_memory_equal(mail->items[0].payload.data, "Date: ", 6);
	assert_non_null(strstr(mail->items[0].payload.data, "rfc822; bo@reader.example\r\n"));
	assert_non_null(strstr(mail->items[0].payload.data, "rfc822; cy@reader.example\r\n"));

	/* The same event is the same notice; its id is one, and not the event's. */
	again = make(INBOUND "notice { bounces = sender }", &facts);
	assert_string_equal(mail->id, again->id);
	assert_true(ulid_ok(mail->id));
	assert_string_not_equal(mail->id, facts.event->id);
	mail_free(&mail);
	mail_free(&again);
	mail_event_free(&facts.event);
}

/* An event names as many as there is room for; the report names all. */
static void
test_many_recipients(void **state)
{
	static const enum event_kind kinds[] = { EVENT_FAILED, EVENT_INACTIVE };
	struct config *config = load(BOUNCES);

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct event_facts facts = facts_make(kinds[i], "300", false);
		struct item_facts item = item_make();
		struct buf inactive;
		struct mail *mail;
		unsigned named = 0;

		buf_init(&inactive, 10000);
		for (int j = 0; j < 50; j++) {
			char address[100];

			snprintf(
			    address, sizeof(address), "a-reader-with-a-long-name-%d@x.example", j);
			strlist_add(&item.recipients, address);
			buf_addf(&inactive, "%s%s", j > 0 ? ", " : "", address);
		}
		if (kinds[i] == EVENT_INACTIVE)
			item.inactive = buf_take(&inactive, NULL);
		set(&facts.event->recipient, "a-reader-with-a-long-name-0@x.example");
		mail =
		    notice_mail(config, "relay.example", &facts, &item, "ann@shop.example", NOW_MS);
		for (const char *at = mail->items[0].payload.data;
		     (at = strstr(at, "Final-Recipient: ")) != NULL; at++)
			named++;
		assert_int_equal(named, kinds[i] == EVENT_INACTIVE ? 50 : 52);
		mail_free(&mail);
		item_facts_free(&item);
		mail_event_free(&facts.event);
		buf_free(&inactive);
	}
	config_free(&config);
}

static void
test_by_postmark(void **state)
{
	struct event_facts facts = facts_make(EVENT_BOUNCE, "HardBounce", true);
	struct mail *mail = make("connection eu { token = t message-stream = eu-out }\n"
				 "notice { bounces = sender via = postmark connection = EU\n"
				 "from = \"Post <post@shop.example>\" }",
	    &facts);
	const char *from, *to, *id, *stream, *subject, *text, *name, *value, *first, *second;
	json_t *json;
	char *report;
	size_t len;

	(void)state;
	assert_string_equal(mail->route, "eu");
	assert_int_equal(mail->items[0].kind, ITEM_EMAIL);
	json = json_loadb(mail->items[0].payload.data, mail->items[0].payload.len, 0, NULL);
	assert_non_null(json);
	assert_int_equal(
	    json_unpack_ex(json, NULL, JSON_STRICT,
		"{s:s,s:s,s:{s:s},s:s,s:s,s:[{s:s,s:s}],s:s,"
		"s:[{s:s,s:s,s:s},{s:s,s:s,s:s}]}",
		"From", &from, "To", &to, "Metadata", "relay-id", &id, "MessageStream", &stream,
		"Subject", &subject, "Headers", "Name", &name, "Value", &value, "TextBody", &text,
		"Attachments", "Name", &name, "ContentType", &value, "Content", &first, "Name",
		&name, "ContentType", &value, "Content", &second),
	    0);
	assert_string_equal(from, "Post <post@shop.example>");
	assert_string_equal(to, "ann@shop.example");
	assert_memory_equal(id, mail->id, ULID_LEN);
	assert_string_equal(id + ULID_LEN, "-1");
	assert_string_equal(stream, "eu-out");
	assert_string_equal(subject, "Undelivered: Invoice \"1007\"");
	assert_non_null(strstr(text, "550 5.1.1 no such user"));
	report = base64_decode(first, strlen(first), &len);
	assert_non_null(strstr(report, "Status: 5.1.1\r\n"));
	free(report);
	json_decref(json);
	mail_free(&mail);
	mail_event_free(&facts.event);
}

static void
test_ids(void **state)
{
	static const char *const ends[] = { "00", "01", "Z0", "ZZ", "Z1", "Y0", "YZ" };

	(void)state;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		struct event_facts facts = facts_make(EVENT_BOUNCE, "HardBounce", true);
		struct mail *mail;

		memcpy(facts.event->id + ULID_LEN - 2, ends[i], 2);
		mail = make(INBOUND "notice { bounces = sender }", &facts);
		assert_true(ulid_ok(mail->id));
		assert_string_not_equal(mail->id, facts.event->id);
		mail_free(&mail);
		mail_event_free(&facts.event);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whom),
		cmocka_unit_test(test_by_inbound),
		cmocka_unit_test(test_many_recipients),
		cmocka_unit_test(test_by_postmark),
		cmocka_unit_test(test_ids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
