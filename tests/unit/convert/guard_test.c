/* The guard: what it lets pass, and doctored items that it must refuse. */

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/strlist.h"
#include "convert/guard.h"

#define HEADER "From: s@x.example\r\nTo: Ann <ann@x.example>\r\nCc: cy@x.example\r\n"

static const struct {
	const char *reason;
	const char *envelope; /* words */
	const char *header;
	struct guard_item items[4]; /* until to is NULL */
	const char *why;            /* NULL: passes; else a piece of the reason */
} cases[] = {
	/* --- what is right --- */
	{ "each kind", "ann@x.example cy@x.example b@x.example", HEADER,
	    { { "\"Ann\" <ann@x.example>", "cy@x.example", "b@x.example" } }, NULL },
	{ "repeats in the envelope", "ann@x.example ann@x.example", HEADER,
	    { { "ann@x.example", "", "" } }, NULL },
	{ "blind recipients one by one", "a@x.example b@x.example", "From: s@x.example\r\n",
	    { { "a@x.example", "", "" }, { "b@x.example", "", "" } }, NULL },
	{ "a split", "ann@x.example cy@x.example b@x.example", HEADER,
	    { { "\"Ann\" <ann@x.example>", "", "b@x.example" }, { "cy@x.example", "", "" } },
	    NULL },
	{ "names with everything in them", "ann@x.example b@x.example",
	    "To: \"x, <y@z> \\\"\\\\\" <ann@x.example>\r\n",
	    { { "\"x, <y@z> \\\"\\\\\" <ann@x.example>", "", "b@x.example" } }, NULL },
	{ "folds, comments, quotes, spaces", "a@x.example b@x.example c@x.example d@x.example",
	    "to : a\r\n\t(c)@ x.example,\r\n \"b\"@x.example\r\nSubject: x\r\nCC: c@x . example, "
	    "(o\\) <p>) d(q)@x.example\r\n",
	    { { "a@x.example, b@x.example", "c@x.example, d@x.example", "" } }, NULL },
	{ "U-labels", "ann@xn--bcher-kva.example b@x.example", "To: ann@B\u00dccher.Example\r\n",
	    { { "ann@xn--bcher-kva.example", "", "b@x.example" } }, NULL },
	{ "groups and routes", "a@x.example b@x.example",
	    "To: G:a@x.example,<@r.example:b@x.example>;\r\n",
	    { { "a@x.example, b@x.example", "", "" } }, NULL },
	{ "two To fields", "a@x.example b@x.example",
	    "To: \"open a@x.example\r\nTo: b@x.example\r\n",
	    { { "a@x.example, b@x.example", "", "" } }, NULL },

	{ "a dot after the address", "a@x.example b@y.example",
	    "To: <a@x.example., B <b@y.example.>\r\n", { { "a@x.example, b@y.example", "", "" } },
	    NULL },
	{ "quotes that do not match", "a@x.example b@y.example",
	    "To: a@x.example, \"c\"d\"@e, b@y . example\r\n",
	    { { "a@x.example, b@y.example", "", "" } }, NULL },

	{ "escape sequences of raw ISO-2022-JP", "a@x.example b@y.example",
	    "To: \033$B%\"\033(B <a@x.example>, \033(Bb@y.example\033$B\r\n\t\033(B\r\n",
	    { { "a@x.example, b@y.example", "", "" } }, NULL },

	/* --- what is not --- */
	{ "somebody is missing", "ann@x.example b@x.example", HEADER,
	    { { "ann@x.example", "", "" } }, "no item has b@x.example" },
	{ "somebody is added", "ann@x.example", HEADER, { { "ann@x.example", "cy@x.example", "" } },
	    "Cc has cy@x.example, which is not" },
	{ "somebody is added blind", "ann@x.example", HEADER,
	    { { "ann@x.example", "", "eve@x.example" } }, "Bcc has eve@x.example" },
	{ "twice in one item", "ann@x.example", HEADER,
	    { { "ann@x.example, ann@x.example", "", "" } }, "got the mail already" },
	{ "twice over two items", "ann@x.example cy@x.example", HEADER,
	    { { "ann@x.example", "cy@x.example", "" }, { "cy@x.example", "", "" } },
	    "got the mail already" },
	{ "a blind recipient shown in To", "ann@x.example b@x.example", HEADER,
	    { { "ann@x.example, b@x.example", "", "" } }, "To shows b@x.example" },
	{ "a blind recipient shown in Cc", "ann@x.example b@x.example", HEADER,
	    { { "ann@x.example", "b@x.example", "" } }, "Cc shows b@x.example" },
	{ "blind recipients together", "a@x.example b@x.example", "From: s@x.example\r\n",
	    { { "a@x.example", "", "b@x.example" } }, "To shows a@x.example" },
	{ "named in a Bcc field", "ann@x.example b@x.example", HEADER "Bcc: b@x.example\r\n",
	    { { "ann@x.example, b@x.example", "", "" } }, "To shows b@x.example" },
	{ "named in another field", "ann@x.example b@x.example",
	    HEADER "X-To: b@x.example\r\nTo-Be: b@x.example\r\n",
	    { { "ann@x.example, b@x.example", "", "" } }, "To shows b@x.example" },
	{ "named as the end of another address", "ann@x.example b@x.example",
	    "To: ann@x.example, bob@x.example\r\n", { { "ann@x.example, b@x.example", "", "" } },
	    "To shows b@x.example" },
	{ "named as the start of another address", "ann@x.example b@x.example",
	    "To: ann@x.example, b@x.example.net\r\n", { { "ann@x.example, b@x.example", "", "" } },
	    "To shows b@x.example" },
	{ "another case of the local part", "ann@x.example B@x.example",
	    "To: ann@x.example, b@x.example\r\n", { { "ann@x.example, B@x.example", "", "" } },
	    "To shows B@x.example" },
	{ "no recipient", "ann@x.example", HEADER, { { "", "", "" } }, "no recipient" },
	{ "an item with nobody beside a good one", "ann@x.example", HEADER,
	    { { "ann@x.example", "", "" }, { "", "", "" } }, "no recipient" },
	{ "no items", "ann@x.example", HEADER, { { NULL, NULL, NULL } }, "no item has" },
	{ "not an address in the envelope", "ann", HEADER, { { "ann", "", "" } }, "the envelope" },
	{ "a list that ends in a comma", "ann@x.example", HEADER, { { "ann@x.example, ", "", "" } },
	    "can read" },
	{ "a list without spaces", "ann@x.example cy@x.example", HEADER,
	    { { "ann@x.example,cy@x.example", "", "" } }, "can read" },
	{ "an unquoted name", "ann@x.example", HEADER, { { "Ann <ann@x.example>", "", "" } },
	    "can read" },
	{ "a name that is not closed", "ann@x.example", HEADER,
	    { { "\"Ann <ann@x.example>", "", "" } }, "can read" },
	{ "a name that ends in an escape", "ann@x.example", HEADER, { { "\"Ann\\", "", "" } },
	    "can read" },
	{ "a line end in a name", "ann@x.example", HEADER,
	    { { "\"A\r\nBcc: e@x.example\" <ann@x.example>", "", "" } }, "can read" },
	{ "a line end after an address", "ann@x.example", HEADER,
	    { { "ann@x.example\r\nBcc: e@x.example", "", "" } }, "can read" },
	{ "a second address behind the bracket", "ann@x.example", HEADER,
	    { { "\"Ann\" <ann@x.example> e@x.example", "", "" } }, "can read" },
	{ "a group", "ann@x.example", HEADER, { { "G:ann@x.example;", "", "" } }, "can read" },
	{ "two @", "ann@x.example", HEADER, { { "e@y.example@x.example", "", "" } }, "is not in" },
};

static bool
check(size_t i, char *why, size_t why_size)
{
	struct strlist envelope = { 0 };
	char *copy = mem_string(cases[i].envelope), *rest = copy, *word;
	size_t count = 0;
	bool good;

	while ((word = strsep(&rest, " ")) != NULL)
		strlist_add(&envelope, word);
	while (count < 4 && cases[i].items[count].to != NULL)
		count++;
	good = guard_check(cases[i].items, count, envelope.items, envelope.count, cases[i].header,
	    strlen(cases[i].header), why, why_size);
	free(copy);
	strlist_free(&envelope);
	return good;
}

static void
test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char why[400] = "";
		bool good = check(i, why, sizeof(why));

		if (cases[i].why == NULL && !good)
			fail_msg("%s: %s", cases[i].reason, why);
		if (cases[i].why != NULL && (good || strstr(why, cases[i].why) == NULL))
			fail_msg("%s: %s", cases[i].reason, good ? "let pass" : why);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
