/* What events say, of a message and of an address. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "mail/event.h"
#include "mail/suppression.h"

static void
set(char **text, const char *value)
{
	free(*text);
	*text = mem_string(value);
}

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
	assert_int_equal(event_kind_parse("bounces", &kind), -1);
	assert_int_equal(event_kind_parse("", &kind), -1);
}

static void
test_fates(void **state)
{
	static const struct {
		enum event_kind kind;
		const char *type, *origin;
		bool suppressed;
		unsigned fates;
		const char *name, *why;
	} cases[] = {
		{ EVENT_DELIVERY, "", "", false, FATE_DELIVERED, "delivered", "it is there" },
		{ EVENT_BOUNCE, "HardBounce", "", true, FATE_BOUNCED | FATE_SUPPRESSED, "bounced",
		    "and never again" },
		{ EVENT_BOUNCE, "SoftBounce", "", false, FATE_BOUNCED, "bounced",
		    "Postmark tries no more" },
		{ EVENT_BOUNCE, "Transient", "", false, FATE_DELAYED, "delayed",
		    "Postmark tries again" },
		{ EVENT_BOUNCE, "AutoResponder", "", false, FATE_ANSWERED, "answered",
		    "somebody is on holiday" },
		{ EVENT_BOUNCE, "Novelty", "", false, FATE_BOUNCED, "bounced",
		    "of a type that we do not know" },
		{ EVENT_COMPLAINT, "SpamComplaint", "", true, FATE_COMPLAINED | FATE_SUPPRESSED,
		    "complained", "and never again" },
		{ EVENT_OPEN, "Mobile", "", false, FATE_OPENED, "opened", "somebody reads" },
		{ EVENT_CLICK, "Mobile", "", false, FATE_CLICKED, "clicked", "somebody acts" },
		{ EVENT_SUBSCRIPTION, "ManualSuppression", "Recipient", true,
		    FATE_SUPPRESSED | FATE_UNSUBSCRIBED, "unsubscribed", "by its own wish" },
		{ EVENT_SUBSCRIPTION, "ManualSuppression", "Customer", true, FATE_SUPPRESSED,
		    "suppressed", "by the sender" },
		{ EVENT_SUBSCRIPTION, "", "Customer", false, 0, "", "lifted" },
		{ EVENT_INACTIVE, "", "", true, FATE_BOUNCED, "bounced", "not sent to these" },
		{ EVENT_FAILED, "300", "", false, 0, "", "its state says it" },
		{ EVENT_OTHER, "Novelty", "", false, 0, "", "who knows" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct event *event = mail_event_new();

		event->kind = cases[i].kind;
		event->suppressed = cases[i].suppressed;
		set(&event->type, cases[i].type);
		set(&event->origin, cases[i].origin);
		if (event_fate(event) != cases[i].fates)
			fail_msg("%s: %u", cases[i].why, event_fate(event));
		assert_string_equal(fate_name(event_fate(event)), cases[i].name);
		mail_event_free(&event);
	}
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
		}
		free(out.address);
		mail_event_free(&event);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_fates),
		cmocka_unit_test(test_suppression),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
