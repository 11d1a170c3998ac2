/* Addresses of envelopes and header lists, case by case. */

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "mail/address.h"
#include "mail/mime.h"

#define L63 "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggg"

static const struct {
	const char *reason;
	const char *text;
	enum address_fault fault;
	const char *canonical;
} canonical_cases[] = {
	{ "plain", "ann@x.example", ADDRESS_OK, "ann@x.example" },
	{ "domain in lower case, local part as it is", "Ann@X.Example", ADDRESS_OK,
	    "Ann@x.example" },
	{ "every sign that Postmark takes", "a.!#$%&'`*+-/=^_{}|~9@x.example", ADDRESS_OK,
	    "a.!#$%&'`*+-/=^_{}|~9@x.example" },
	{ "U-label", "ann@b\u00fccher.example", ADDRESS_OK, "ann@xn--bcher-kva.example" },
	{ "U-label in capitals", "ann@B\u00dcCHER.example", ADDRESS_OK,
	    "ann@xn--bcher-kva.example" },
	{ "decomposed U-label", "ann@bu\u0308cher.example", ADDRESS_OK,
	    "ann@xn--bcher-kva.example" },
	{ "ideographic full stop", "ann@\u4f8b\u3002example", ADDRESS_OK, "ann@xn--fsq.example" },
	{ "A-label", "ann@XN--bcher-kva.example", ADDRESS_OK, "ann@xn--bcher-kva.example" },
	{ "one label", "root@localhost", ADDRESS_OK, "root@localhost" },
	{ "needless quotes", "\"ann\"@x.example", ADDRESS_OK, "ann@x.example" },
	{ "needless escapes", "\"a\\nn\"@x.example", ADDRESS_OK, "ann@x.example" },
	{ "longest local part", L63 "h@x.example", ADDRESS_OK, L63 "h@x.example" },
	{ "longest label", "a@" L63, ADDRESS_OK, "a@" L63 },

	{ "empty", "", ADDRESS_SYNTAX, NULL },
	{ "only an @", "@", ADDRESS_SYNTAX, NULL },
	{ "no local part", "@x.example", ADDRESS_SYNTAX, NULL },
	{ "two @", "a@b@x.example", ADDRESS_SYNTAX, NULL },
	{ "two dots", "a..b@x.example", ADDRESS_SYNTAX, NULL },
	{ "dot first", ".a@x.example", ADDRESS_SYNTAX, NULL },
	{ "dot last", "a.@x.example", ADDRESS_SYNTAX, NULL },
	{ "space", "a b@x.example", ADDRESS_SYNTAX, NULL },
	{ "comma", "a,b@x.example", ADDRESS_SYNTAX, NULL },
	{ "bracket", "<a@x.example", ADDRESS_SYNTAX, NULL },
	{ "line end", "a\r\n@x.example", ADDRESS_SYNTAX, NULL },
	{ "not UTF-8", "a@\xff.example", ADDRESS_SYNTAX, NULL },
	{ "quote that never ends", "\"a@x.example", ADDRESS_SYNTAX, NULL },
	{ "quote that ends in an escape", "\"a\\", ADDRESS_SYNTAX, NULL },
	{ "bytes after the quote", "\"a\"b@x.example", ADDRESS_SYNTAX, NULL },
	{ "source route", "@r.example:a@x.example", ADDRESS_SYNTAX, NULL },
	{ "quoted space", "\"a b\"@x.example", ADDRESS_LOCAL_QUOTED, NULL },
	{ "quoted @", "\"a@b\"@x.example", ADDRESS_LOCAL_QUOTED, NULL },
	{ "quoted dots", "\"a..b\"@x.example", ADDRESS_LOCAL_QUOTED, NULL },
	{ "quoted nothing", "\"\"@x.example", ADDRESS_LOCAL_QUOTED, NULL },
	{ "a sign that Postmark lacks", "a?b@x.example", ADDRESS_LOCAL_QUOTED, NULL },
	{ "UTF-8 local part", "j\u00fcrgen@x.example", ADDRESS_LOCAL_UTF8, NULL },
	{ "quoted UTF-8", "\"j\u00fc\"@x.example", ADDRESS_LOCAL_UTF8, NULL },
	{ "no domain", "postmaster", ADDRESS_DOMAIN, NULL },
	{ "empty domain", "a@", ADDRESS_DOMAIN, NULL },
	{ "address literal", "a@[192.0.2.1]", ADDRESS_DOMAIN, NULL },
	{ "domain ends in a dot", "a@x.example.", ADDRESS_DOMAIN, NULL },
	{ "empty label", "a@x..example", ADDRESS_DOMAIN, NULL },
	{ "hyphen first", "a@-x.example", ADDRESS_DOMAIN, NULL },
	{ "hyphen last", "a@x-.example", ADDRESS_DOMAIN, NULL },
	{ "underscore in the domain", "a@x_y.example", ADDRESS_DOMAIN, NULL },
	{ "sharp s is ss in IDNA 2003 alone", "a@fa\u00df.example", ADDRESS_DOMAIN, NULL },
	{ "joiner is nothing in IDNA 2003 alone", "a@x\u200dy.example", ADDRESS_DOMAIN, NULL },
	{ "a character that maps to a slash", "a@x\u2100.example", ADDRESS_DOMAIN, NULL },
	{ "local part too long", L63 "hi@x.example", ADDRESS_LENGTH, NULL },
	{ "label too long", "a@" L63 "h.example", ADDRESS_DOMAIN, NULL },
	{ "path too long", "abcd@" L63 "." L63 "." L63 "." L63, ADDRESS_LENGTH, NULL },
};

static void
test_canonical(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(canonical_cases) / sizeof(canonical_cases[0]); i++) {
		const char *text = canonical_cases[i].text;
		char out[ADDRESS_SIZE];
		enum address_fault fault = address_canonical(text, strlen(text), out);

		if (fault != canonical_cases[i].fault)
			fail_msg("%s: fault %d, %s", canonical_cases[i].reason, fault, out);
		assert_string_equal(
		    out, canonical_cases[i].canonical == NULL ? "" : canonical_cases[i].canonical);
		assert_true(address_fault_text(fault)[0] != '\0');
	}
	/* A NUL is no end. */
	char out[ADDRESS_SIZE];
	assert_int_equal(address_canonical("a@x\0.example", 12, out), ADDRESS_DOMAIN);
	assert_int_equal(address_canonical("a\0b@x.example", 13, out), ADDRESS_SYNTAX);
	assert_int_equal(address_canonical("a@\u00fc\0.example", 13, out), ADDRESS_DOMAIN);
}

static const struct {
	const char *reason;
	const char *value;
	const char *printed;
	size_t unusable;
} list_cases[] = {
	{ "bare", "ann@x.example", "ann@x.example", 0 },
	{ "names of each kind",
	    "Ann <ann@x.example>, bo@x.example (Bo), \"C, D\" <cd@x.example>,"
	    "\"e \\\"f\\\\\" <ef@x.example>",
	    "\"Ann\" <ann@x.example>, \"Bo\" <bo@x.example>, \"C, D\" <cd@x.example>, "
	    "\"e \\\"f\\\\\" <ef@x.example>",
	    0 },
	{ "folded", "Ann\r\n <ann@x.example>,\r\n\tbo@x.example",
	    "\"Ann\" <ann@x.example>, bo@x.example", 0 },
	{ "empty group", "undisclosed-recipients:;", "", 0 },
	{ "groups among mailboxes", "a@x.example, G: b@x.example, C <c@x.example>;, d@x.example",
	    "a@x.example, b@x.example, \"C\" <c@x.example>, d@x.example", 0 },
	{ "groups within groups", "G: H: a@x.example;; b@x.example", "a@x.example, b@x.example",
	    0 },
	{ "quoted local parts", "\"ann\"@x.example, \"b c\"@x.example", "ann@x.example", 1 },
	{ "comments everywhere", "(a(b))ann(c)@(d)x.example(e)", "\"e\" <ann@x.example>", 0 },
	{ "white space around dots", "ann @ x . example", "ann@x.example", 0 },
	{ "route", "<@r.example,@s.example:ann@x.example>", "ann@x.example", 0 },
	{ "semicolons", "a@x.example; b@x.example", "a@x.example, b@x.example", 0 },
	{ "bare comma in a name", "Smith, Ann <ann@x.example>, b@x.example",
	    "\"Smith, Ann\" <ann@x.example>, b@x.example", 0 },
	{ "no domain", "root, ann@x.example", "ann@x.example", 1 },
	{ "empty entries", ",, ann@x.example, ,", "ann@x.example", 0 },
	{ "encoded words, padded, cut within a character",
	    "=?utf-8?B?5pel?= =?utf-8?B?5pyA?= =?utf-8?Q?=E3=81?=\r\n =?utf-8?Q?=82?= "
	    "<a@x.example>",
	    "\"\u65e5\u6700\u3042\" <a@x.example>", 0 },
	{ "encoded words in quotes", "\"=?iso-8859-1?Q?J=FCrgen?=\" <j@x.example>",
	    "\"J\u00fcrgen\" <j@x.example>", 0 },
	{ "syntax in encoded words is text", "=?utf-8?Q?a,b=3C@=22?= <a@x.example>",
	    "\"a,b<@\\\"\" <a@x.example>", 0 },
	{ "encoded words are no addresses",
	    "=?utf-8?Q?ann?=@x.example, =?utf-8?Q?b=40x.example?=", "", 2 },
	{ "line ends in encoded words", "=?utf-8?Q?a=0D=0AB:_c?= <a@x.example>",
	    "\"a  B: c\" <a@x.example>", 0 },
	{ "latin-1 names", "J\xfcrgen <a@x.example>", "\"J\u00fcrgen\" <a@x.example>", 0 },
	{ "latin-1 domains are guesses", "a@b\xfc.example", "", 1 },
	{ "and so are escape sequences", "a@x.exlaem\033$@p, b@x.example\033(B, c@x.example",
	    "c@x.example", 2 },
	{ "bytes of eight bits are no ISO-2022-JP", "a@x.example\x96\x96\033$Bn@\x96", "", 2 },
	{ "UTF-8 domains", "a@b\u00fccher.example", "a@xn--bcher-kva.example", 0 },
	{ "A-labels stay as they are",
	    "xn-- XN--q <a@xn--fa-hia.example>, b@XN--exexxamquoted-prited-leple, c@xq--a.example",
	    "\"xn-- XN--q\" <a@xn--fa-hia.example>, b@xn--exexxamquoted-prited-leple, "
	    "c@xq--a.example",
	    0 },
	{ "the stand-ins' own marks", "\"!~0!~ ~!\" <a@x.example>, =?utf-8?q?x?= <b@x.example>",
	    "\"!~0!~ ~!\" <a@x.example>, \"x\" <b@x.example>", 0 },
};

static void
test_lists(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(list_cases) / sizeof(list_cases[0]); i++) {
		struct mailbox_list list;
		struct buf out;

		mailbox_list_parse(&list, list_cases[i].value, strlen(list_cases[i].value));
		buf_init(&out, 1 << 20);
		for (size_t j = 0; j < list.count; j++)
			mailbox_print(&out, &list.boxes[j]);
		if (strcmp(out.len > 0 ? out.data : "", list_cases[i].printed) != 0 ||
		    list.unusable != list_cases[i].unusable)
			fail_msg("%s: %s, unusable %zu", list_cases[i].reason,
			    out.len > 0 ? out.data : "", list.unusable);
		buf_free(&out);
		mailbox_list_free(&list);
	}
}

/* Linear in time and shallow in the stack, whatever is repeated. */
static void
test_hostile_lists(void **state)
{
	static const char *const units[] = { "a:", "a,", "(", "<", "\"", "@", "a ", "a.", "\\",
		"<a@x.example>", "=?utf-8?q?a?= ", "\"\\", ";", "a@x.example " };

	(void)state;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		struct mailbox_list list;
		struct buf value;

		buf_init(&value, SIZE_MAX / 4);
		while (value.len < 200000)
			buf_adds(&value, units[i]);
		mailbox_list_parse(&list, value.data, value.len);
		mailbox_list_free(&list);
		buf_free(&value);
	}
}

static int
setup(void **state)
{
	(void)state;
	mime_setup();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_canonical),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_hostile_lists),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
