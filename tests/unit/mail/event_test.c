/* What an event says of a mail and of an address. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "mail/event.h"
#include "mail/suppression.h"

static void
test_kinds(void **state)
{
	enum event_kind kind;

	(void)state;
	for (int i = 0; i < EVENT_KINDS; i++) {
		assert_int_equal(event_kind_parse(event_kind_name((enum event_kind)i), &kind), 0);
		assert_int_equal(kind, i);
	}
	assert_int_equal(event_kind_parse("Bounce", &kind), 0);
	assert_int_equal(kind, EVENT_BOUNCE);
	assert_int_equal(event_kind_parse("bounced", &kind), -1);
	assert_int_equal(event_kind_parse("", &kind), -1);
}

static void
test_final_bounces(void **state)
{
	static const struct {
		const char *why, *type;
		bool suppressed, final;
	} cases[] = {
		{ "no such mailbox", "HardBounce", true, true },
		{ "hard, though the address stays active", "HardBounce", false, true },
		{ "failed this time", "SoftBounce", false, true },
		{ "Postmark goes on trying", "Transient", false, false },
		{ "what gets no more mail has not arrived", "Transient", true, true },
		{ "an out-of-office note", "AutoResponder", false, false },
		{ "for information", "AddressChange", false, false },
		{ "for information", "Subscribe", false, false },
		{ "the mail is there, the reader wants no more", "Unsubscribe", false, false },
		{ "a question back", "ChallengeVerification", false, false },
		{ "spelt otherwise", "transient", false, false },
		{ "refused by Postmark after SMTP", "SMTPApiError", false, true },
		{ "a type of tomorrow", "Evaporated", false, true },
		{ "no type", "", false, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (event_bounce_is_final(cases[i].type, cases[i].suppressed) != cases[i].final)
			fail_msg("%s: %s", cases[i].type, cases[i].why);
}

static void
set(char **text, const char *value)
{
	free(*text);
	*text = mem_string(value);
}

static void
test_fates(void **state)
{
	static const struct {
		enum event_kind kind;
		const char *type, *origin;
		bool suppressed;
		unsigned fate;
		const char *name, *described;
	} cases[] = {
		{ EVENT_DELIVERY, "", "", false, FATE_DELIVERED, "delivered",
		    "ann@r.example: words" },
		{ EVENT_BOUNCE, "HardBounce", "", true, FATE_BOUNCED | FATE_SUPPRESSED, "bounced",
		    "ann@r.example: HardBounce: words (gets no more mail)" },
		{ EVENT_BOUNCE, "Transient", "", false, FATE_DELAYED, "delayed",
		    "ann@r.example: Transient: words" },
		{ EVENT_BOUNCE, "AutoResponder", "", false, FATE_ANSWERED, "answered",
		    "ann@r.example: AutoResponder: words" },
		{ EVENT_COMPLAINT, "SpamComplaint", "", true, FATE_COMPLAINED | FATE_SUPPRESSED,
		    "complained", "ann@r.example: SpamComplaint: words (gets no more mail)" },
		{ EVENT_OPEN, "WebMail", "", false, FATE_OPENED, "opened",
		    "ann@r.example: again, WebMail, words" },
		{ EVENT_CLICK, "Desktop", "", false, FATE_CLICKED, "clicked",
		    "ann@r.example: words" },
		{ EVENT_SUBSCRIPTION, "ManualSuppression", "Recipient", true,
		    FATE_SUPPRESSED | FATE_UNSUBSCRIBED, "unsubscribed",
		    "ann@r.example: gets no more mail from news: ManualSuppression by Recipient" },
		{ EVENT_SUBSCRIPTION, "ManualSuppression", "Customer", true, FATE_SUPPRESSED,
		    "suppressed",
		    "ann@r.example: gets no more mail from news: ManualSuppression by Customer" },
		{ EVENT_SUBSCRIPTION, "", "Admin", false, 0, "",
		    "ann@r.example: gets mail again from news by Admin" },
		{ EVENT_INACTIVE, "", "", true, FATE_BOUNCED, "bounced",
		    "ann@r.example: Postmark sends nothing there: inactive" },
		{ EVENT_FAILED, "300", "", false, 0, "", "ann@r.example: words" },
		{ EVENT_OTHER, "Parcel", "", false, 0, "", "ann@r.example: Parcel" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct event *event = mail_event_new();
		struct buf out;
		unsigned fate;

		event->kind = cases[i].kind;
		event->suppressed = cases[i].suppressed;
		set(&event->type, cases[i].type);
		set(&event->origin, cases[i].origin);
		set(&event->recipient, "ann@r.example");
		set(&event->detail, "words");
		set(&event->stream, "news");
		assert_int_equal(event_fate(event), cases[i].fate);
		assert_string_equal(fate_name(event_fate(event)), cases[i].name);
		if (cases[i].fate != 0) {
			assert_int_equal(fate_parse(cases[i].name, &fate), 0);
			assert_true(fate & cases[i].fate);
		}
		buf_init(&out, 1000);
		event_describe(event, &out);
		assert_string_equal(out.data, cases[i].described);
		buf_free(&out);
		mail_event_free(&event);
		assert_null(event);
		mail_event_free(&event);
	}
}

/* Whoever complains has had the mail, and has opened it: what matters most is said. */
static void
test_what_says_most(void **state)
{
	unsigned fate;

	(void)state;
	assert_string_equal(fate_name(FATE_DELIVERED | FATE_OPENED | FATE_CLICKED), "clicked");
	assert_string_equal(
	    fate_name(FATE_DELIVERED | FATE_OPENED | FATE_COMPLAINED | FATE_SUPPRESSED),
	    "complained");
	assert_string_equal(fate_name(FATE_DELAYED | FATE_DELIVERED), "delivered");
	assert_string_equal(fate_name(FATE_DELAYED | FATE_BOUNCED), "bounced");
	assert_int_equal(fate_parse("sent", &fate), -1);
}

static void
test_suppression(void **state)
{
	static const struct {
		enum event_kind kind;
		const char *type, *recipient, *stream;
		bool suppressed;
		enum event_says says;
		const char *reason, *origin, *why;
	} cases[] = {
		{ EVENT_BOUNCE, "HardBounce", "A@b.example", "outbound", true, EVENT_SUPPRESSES,
		    "HardBounce", "Recipient", "made inactive" },
		{ EVENT_BOUNCE, "", "A@b.example", "outbound", true, EVENT_SUPPRESSES, "HardBounce",
		    "Recipient", "of no type" },
		{ EVENT_BOUNCE, "BadEmailAddress", "A@b.example", "outbound", true,
		    EVENT_SUPPRESSES, "BadEmailAddress", "Recipient", "of another type" },
		{ EVENT_BOUNCE, "HardBounce", "A@b.example", "outbound", false, EVENT_SAYS_NOTHING,
		    NULL, NULL, "the address stays active" },
		{ EVENT_COMPLAINT, "", "A@b.example", "outbound", true, EVENT_SUPPRESSES,
		    "SpamComplaint", "Recipient", "made inactive" },
		{ EVENT_COMPLAINT, "", "A@b.example", "outbound", false, EVENT_SAYS_NOTHING, NULL,
		    NULL, "the address stays active" },
		{ EVENT_SUBSCRIPTION, "ManualSuppression", "A@b.example", "outbound", true,
		    EVENT_SUPPRESSES, "ManualSuppression", "Admin", "by hand" },
		{ EVENT_SUBSCRIPTION, "", "A@b.example", "outbound", false, EVENT_LIFTS, "",
		    "Admin", "lifted by hand" },
		{ EVENT_SUBSCRIPTION, "", "", "outbound", false, EVENT_SAYS_NOTHING, NULL, NULL,
		    "of nobody" },
		{ EVENT_SUBSCRIPTION, "", "A@b.example", "", true, EVENT_SAYS_NOTHING, NULL, NULL,
		    "of no stream" },
		{ EVENT_INACTIVE, "406", "A@b.example", "outbound", true, EVENT_SAYS_NOTHING, NULL,
		    NULL, "of several, and Postmark tells it besides" },
		{ EVENT_DELIVERY, "", "A@b.example", "outbound", true, EVENT_SAYS_NOTHING, NULL,
		    NULL, "is no matter of lists" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct event *event = mail_event_new();
		struct suppression out;

		event->kind = cases[i].kind;
		event->suppressed = cases[i].suppressed;
		event->at_ms = 77;
		set(&event->connection, "second");
		set(&event->type, cases[i].type);
		set(&event->origin, "Admin");
		set(&event->recipient, cases[i].recipient);
		set(&event->stream, cases[i].stream);
		if (event_suppression(event, &out) != cases[i].says)
			fail_msg("%s", cases[i].why);
		if (cases[i].says == EVENT_SAYS_NOTHING) {
			assert_null(out.address);
		} else {
			assert_string_equal(out.connection, "second");
			assert_string_equal(out.stream, "outbound");
			assert_string_equal(out.address, "a@b.example");
			assert_string_equal(out.reason, cases[i].reason);
			assert_string_equal(out.origin, cases[i].origin);
			assert_int_equal(out.at_ms, 77);
			assert_int_equal(out.lifted, cases[i].says == EVENT_LIFTS);
		}
		free(out.address);
		mail_event_free(&event);
	}
}

/* A moment far from that of the post's coming would be the last word for as long. */
static void
test_suppression_moment(void **state)
{
	const int64_t hour_ms = 3600000, now_ms = 1000 * hour_ms;
	const struct {
		int64_t at_ms, expected_ms;
		const char *why;
	} cases[] = {
		{ now_ms - 10 * hour_ms, now_ms - 10 * hour_ms, "posted for the last time" },
		{ now_ms, now_ms, "now" },
		{ now_ms + 300000, now_ms + 300000, "our clock is late" },
		{ now_ms + 9000 * hour_ms, now_ms + hour_ms, "of next year" },
		{ INT64_MAX, now_ms + hour_ms, "of no year" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct event *event = mail_event_new();
		struct suppression out;

		event->kind = EVENT_COMPLAINT;
		event->suppressed = true;
		event->received_ms = now_ms;
		event->at_ms = cases[i].at_ms;
		set(&event->recipient, "a@b.example");
		set(&event->stream, "outbound");
		assert_int_equal(event_suppression(event, &out), EVENT_SUPPRESSES);
		if (out.at_ms != cases[i].expected_ms)
			fail_msg("%s: %lld", cases[i].why, (long long)out.at_ms);
		free(out.address);
		mail_event_free(&event);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_final_bounces),
		cmocka_unit_test(test_fates),
		cmocka_unit_test(test_what_says_most),
		cmocka_unit_test(test_suppression),
		cmocka_unit_test(test_suppression_moment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
