/* Which route a mail takes, why not another, and what staging makes of its recipients. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/pattern.h"
#include "base/strlist.h"
#include "config/config.h"
#include "mail/envelope.h"
#include "mail/mime.h"

#include "routing/routing.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct mime_limits limits = { .depth = 100, .parts = 1000, .fields = 1000 };

static struct config *
load(const char *text)
{
	struct buf why;
	struct config *config;

	buf_init(&why, 10000);
	config = config_parse(text, strlen(text), "test.conf", &why);
	if (config == NULL)
		fail_msg("%s", why.data);
	buf_free(&why);
	return config;
}

/* A mail, and what becomes of it. */
struct fixture {
	struct config *config;
	struct routing *routing;
	struct mime mime;
	struct origin origin;
	struct routing_choice *choice;
};

static void
fixture_init(struct fixture *f, const char *config, const struct origin *origin, const char *sender,
    const char *content)
{
	struct routing_mail mail;
	size_t figure;

	*f = (struct fixture){ .config = load(config) };
	f->routing = routing_new(f->config);
	assert_int_equal(
	    mime_parse(&f->mime, content, strlen(content), &limits, &figure), MIME_DONE);
	f->origin = *origin;
	mail =
	    (struct routing_mail){ .origin = &f->origin, .reverse_path = sender, .mime = &f->mime };
	f->choice = routing_choice_new(f->routing, &mail);
}

static void
fixture_free(struct fixture *f)
{
	routing_choice_free(&f->choice);
	routing_choice_free(&f->choice);
	routing_free(&f->routing);
	routing_free(&f->routing);
	mime_free(&f->mime);
	config_free(&f->config);
}

static const char *
name_of(const struct fixture *f, size_t route)
{
	return route == ROUTING_DEFAULT ? "default" : f->config->routes[route].name;
}

/* ---- one condition ----------------------------------------------------------------------- */

static const struct origin usual = {
	.listener = "127.0.0.1:2525", .client = "192.0.2.7", .helo = "app", .user = NULL
};
static const struct origin local = {
	.listener = "[::1]:2525", .client = "unix", .helo = "", .user = "app"
};
static const struct origin ipv6 = {
	.listener = "[::1]:2525", .client = "2001:db8::7", .helo = "app", .user = ""
};

#define MAIL                                                                                       \
	"From: \"Smith, Ann\" <ann@A.example>, bob@b.example\r\n"                                  \
	"Subject: =?UTF-8?Q?Rechnung_Nr=2E_?= =?UTF-8?Q?4711_f=C3=BCr?=\r\n Ann\r\n"               \
	"X-Job: nightly\r\nX-Empty:\r\n"                                                           \
	"X-Job: weekly\r\n\r\ntext\r\n"

/* A route with one condition: "" when it holds for ann@b.example, else why not. */
static const struct {
	const char *reason, *condition;
	const struct origin *origin;
	const char *sender, *why;
} cases[] = {
	{ "none", "", &usual, "", "" },

	{ "listener", "listener = \"127.0.0.1:2525\"", &usual, "", "" },
	{ "one of two", "listener = {\"[::1]:2525\", \"127.0.0.1:2525\"}", &usual, "", "" },
	{ "another listener", "listener = \"[::1]:2525\"", &usual, "",
	    "listener: 127.0.0.1:2525 is not [::1]:2525" },

	{ "client", "client = 192.0.2.0/24", &usual, "", "" },
	{ "another network", "client = 198.51.100.0/24", &usual, "",
	    "client: 192.0.2.7 is not in 198.51.100.0/24" },
	{ "several networks", "client = {198.51.100.0/24, unix}", &usual, "",
	    "client: 192.0.2.7 is none of 198.51.100.0/24, unix" },
	{ "a Unix socket", "client = {198.51.100.0/24, unix}", &local, "", "" },
	{ "a Unix socket is in no network", "client = 0.0.0.0/0", &local, "",
	    "client: unix is not in 0.0.0.0/0" },
	{ "a Unix socket is wanted", "client = unix", &usual, "", "client: 192.0.2.7 is not unix" },
	{ "IPv6", "client = 2001:db8::/32", &ipv6, "", "" },
	{ "IPv6 is not IPv4", "client = 0.0.0.0/0", &ipv6, "",
	    "client: 2001:db8::7 is not in 0.0.0.0/0" },

	{ "user", "user = {web, app}", &local, "", "" },
	{ "another user", "user = {web, App}", &local, "", "user: app is none of web, App" },
	{ "no user", "user = app", &usual, "", "user: a client without AUTH is not app" },
	{ "no user either", "user = app", &ipv6, "", "user: a client without AUTH is not app" },

	{ "sender", "envelope-from = \"Bounce+*@A.example\"", &usual, "bounce+1@a.example", "" },
	{ "of a domain", "envelope-from = \"@a.example\"", &usual, "ann@a.example", "" },
	{ "of another domain", "envelope-from = \"@a.example\"", &usual, "ann@b.example",
	    "envelope-from: ann@b.example is not @a.example" },
	{ "nobody", "envelope-from = \"<>\"", &usual, "", "" },
	{ "nobody is wanted", "envelope-from = \"<>\"", &usual, "ann@b.example",
	    "envelope-from: ann@b.example is not <>" },
	{ "anybody is not nobody", "envelope-from = \"*\"", &usual, "",
	    "envelope-from: <> is not *" },

	{ "recipient", "envelope-to = \"ann@b.example\"", &usual, "", "" },
	{ "recipient without case", "envelope-to = \"ANN@B.Example\"", &usual, "", "" },
	{ "another recipient", "envelope-to = {\"bob@*\", \"@a.example\"}", &usual, "",
	    "envelope-to: ann@b.example is none of bob@*, @a.example" },
	{ "many others",
	    "envelope-to = {\"a@x\", \"b@x\", \"c@x\", \"d@x\", \"e@x\", \"f@x\", \"g@x\"}", &usual,
	    "", "envelope-to: ann@b.example is none of a@x, b@x, c@x, d@x, e@x and 2 more" },

	{ "author", "header-from = \"ann@a.example\"", &usual, "", "" },
	{ "any of the authors", "header-from = \"@b.example\"", &usual, "", "" },
	{ "another author", "header-from = \"@c.example\"", &usual, "ann@c.example",
	    "header-from: ann@a.example, bob@b.example is not @c.example" },

	{ "header, decoded",
	    "header = \"Subject: ^rechnung nr\\\\. (?<no>\\\\d+) F\xc3\x9cR ann$\"", &usual, "",
	    "" },
	{ "header, not decoded", "header = \"subject: utf-8\"", &usual, "",
	    "header: subject \"Rechnung Nr. 4711 f\xc3\xbcr Ann\" does not match utf-8" },
	{ "header with case", "header = \"Subject: (?-i)rechnung\"", &usual, "",
	    "header: Subject \"Rechnung Nr. 4711 f\xc3\xbcr Ann\" does not match (?-i)rechnung" },
	{ "any field of the name", "header = \"x-job: weekly\"", &usual, "", "" },
	{ "each of several", "header = {\"X-Job: weekly\", \"X-Job: nightly\", \"Subject: ann\"}",
	    &usual, "", "" },
	{ "one of several does not", "header = {\"X-Job: weekly\", \"X-Job: ^daily\"}", &usual, "",
	    "header: X-Job \"nightly\", \"weekly\" do not match ^daily" },
	{ "the field is there", "header = \"X-Empty:\"", &usual, "", "" },
	{ "the field is empty", "header = \"X-Empty: ^$\"", &usual, "", "" },
	{ "no such field", "header = \"X-None: a\"", &usual, "",
	    "header: there is no X-None to match a" },
	{ "no such field at all", "header = \"X-None:\"", &usual, "",
	    "header: there is no X-None" },
	{ "a name that goes on is another", "header = \"X-Jo: .\"", &usual, "",
	    "header: there is no X-Jo to match ." },

	{ "all have to hold", "client = 192.0.2.7 header = \"X-Job: .\" envelope-to = \"@c\"",
	    &usual, "", "envelope-to: ann@b.example is not @c" },
	{ "the first that does not", "client = 192.0.2.8 header = \"X-Job: x\"", &usual, "",
	    "client: 192.0.2.7 is not in 192.0.2.8" },
};

static void
test_conditions(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		bool holds = cases[i].why[0] == '\0';
		char *config = mem_format("route one { %s }", cases[i].condition);
		struct fixture f;
		struct buf why;
		size_t found;

		fixture_init(&f, config, cases[i].origin, cases[i].sender, MAIL);
		buf_init(&why, 1000);
		/* Before the choice and after it. */
		for (unsigned round = 0; round < 2; round++) {
			buf_clear(&why);
			buf_adds(&why, "");
			routing_why_not(f.choice, 0, "ann@b.example", &why);
			if (strcmp(why.len == 0 ? "" : why.data, cases[i].why) != 0)
				fail_msg("%s: %s", cases[i].reason, why.data);
			found = routing_choose(f.choice, "ann@b.example");
			if (found != (holds ? 0 : ROUTING_DEFAULT))
				fail_msg("%s: %s", cases[i].reason, name_of(&f, found));
		}
		assert_null(routing_gave_up(f.choice));
		buf_clear(&why);
		routing_why_not(f.choice, ROUTING_DEFAULT, "ann@b.example", &why);
		assert_int_equal(why.len, 0);
		buf_free(&why);
		fixture_free(&f);
		free(config);
	}
}

/* What foreign bytes make of a sentence. */
static void
test_safe(void **state)
{
	struct fixture f;
	struct buf why;
	char content[3000];

	(void)state;
	snprintf(content, sizeof(content), "X-A: \x1b[m%01500d\r\nFrom: =?x?=\r\n\r\n", 7);
	fixture_init(&f, "route one { header = \"X-A: b\" } route two { header-from = \"@b\" }",
	    &usual, "", content);
	buf_init(&why, 10000);
	routing_why_not(f.choice, 0, "ann@b.example", &why);
	assert_in_range(why.len, 1, 300);
	assert_non_null(strstr(why.data, "...\" does not match b"));
	assert_null(strchr(why.data, 0x1b));
	buf_clear(&why);
	routing_why_not(f.choice, 1, "ann@b.example", &why);
	assert_string_equal(why.data, "header-from: a From without any address is not @b");
	buf_free(&why);
	fixture_free(&f);
}

/* ---- several routes ---------------------------------------------------------------------- */

static void
test_order(void **state)
{
	static const char config[] =
	    "route bounces { envelope-from = \"<>\" envelope-to = \"@b.example\" }\n"
	    "route jobs { header = \"X-Job: weekly\" envelope-to = {\"@b.example\", "
	    "\"@c.example\"} "
	    "}\n"
	    "route b { envelope-to = \"@b.example\" }\n"
	    "route never { client = 203.0.113.1 }\n"
	    "route d { envelope-to = \"@d.example\" }\n";
	static const struct {
		const char *recipient, *route;
	} wanted[] = {
		{ "ann@b.example", "jobs" },
		{ "ann@c.example", "jobs" },
		{ "ann@d.example", "d" },
		{ "ann@e.example", "default" },
		{ "bob@b.example", "jobs" },
	};
	struct fixture f;
	struct buf why;

	(void)state;
	fixture_init(&f, config, &usual, "a@a.example", MAIL);
	for (size_t i = 0; i < COUNT(wanted); i++)
		assert_string_equal(
		    name_of(&f, routing_choose(f.choice, wanted[i].recipient)), wanted[i].route);
	buf_init(&why, 1000);
	routing_why_not(f.choice, 1, "ann@b.example", &why);
	assert_int_equal(why.len, 0);
	fixture_free(&f);

	fixture_init(&f, config, &usual, "", MAIL);
	assert_string_equal(name_of(&f, routing_choose(f.choice, "ann@b.example")), "bounces");
	assert_string_equal(name_of(&f, routing_choose(f.choice, "ann@c.example")), "jobs");
	fixture_free(&f);

	fixture_init(&f, config, &usual, "a@a.example", "X-Job: daily\r\n\r\n");
	assert_string_equal(name_of(&f, routing_choose(f.choice, "ann@b.example")), "b");
	fixture_free(&f);

	fixture_init(&f, "", &usual, "a@a.example", MAIL);
	assert_string_equal(name_of(&f, routing_choose(f.choice, "ann@b.example")), "default");
	fixture_free(&f);
	buf_free(&why);
}

/*
 * A mail with many recipients and many routes: what does not depend on the recipient is asked
 * once, and not at all of a route that is for none of them.
 */
static void
test_asked_once(void **state)
{
	struct buf config;
	struct fixture f;

	(void)state;
	buf_init(&config, 1 << 20);
	for (unsigned i = 0; i < 100; i++)
		buf_addf(&config, "route r%u { client = 192.0.2.0/24 header = \"X-Job: %s\" %s }\n",
		    i, i == 99 ? "week" : "no such job",
		    i % 2 == 1 ? "" : "envelope-to = \"nobody@nowhere.example\"");
	fixture_init(&f, config.data, &usual, "a@a.example", MAIL);
	for (unsigned i = 0; i < 1000; i++) {
		char recipient[40];

		snprintf(recipient, sizeof(recipient), "r%u@b.example", i);
		assert_string_equal(name_of(&f, routing_choose(f.choice, recipient)), "r99");
	}
	/* Fifty routes, with two conditions each. */
	assert_int_equal(routing_asked(f.choice), 100);
	fixture_free(&f);
	buf_free(&config);
}

static void
test_limit(void **state)
{
	struct fixture f;
	struct buf why;

	(void)state;
	fixture_init(&f,
	    "route slow { header = {\"X-Job: .\", \"X-A: ^(a+)+\\\\d\"} }\n"
	    "route next { header = \"X-A: b\" }",
	    &usual, "",
	    "X-Job: 1\r\nX-A: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab\r\n\r\n");
	assert_string_equal(name_of(&f, routing_choose(f.choice, "ann@b.example")), "next");
	assert_string_equal(routing_gave_up(f.choice), "route slow: header 2");
	buf_init(&why, 1000);
	routing_why_not(f.choice, 0, "ann@b.example", &why);
	assert_string_equal(why.data,
	    "header: X-A \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab\" took too many "
	    "steps to match ^(a+)+\\d");
	buf_free(&why);
	fixture_free(&f);
}

/* More authors than any mail may have are not even read. */
static void
test_many_authors(void **state)
{
	struct fixture f;
	struct buf content;

	(void)state;
	for (unsigned over = 0; over < 2; over++) {
		buf_init(&content, 1000000);
		buf_adds(&content, "From: ann@a.example");
		while (content.len < 262144 + sizeof("From: ") - 15)
			buf_adds(&content, ", b@b.example");
		while (content.len < 262144 + sizeof("From: ") - 2 + over)
			buf_addc(&content, ',');
		buf_adds(&content, "\r\n\r\n");
		fixture_init(
		    &f, "route a { header-from = ann@a.example }", &usual, "", content.data);
		assert_string_equal(name_of(&f, routing_choose(f.choice, "ann@b.example")),
		    over == 0 ? "a" : "default");
		fixture_free(&f);
		buf_free(&content);
	}
}

/* Many fields that are slow to match cost together no more than the mail may. */
static void
test_budget(void **state)
{
	struct pattern_budget budget = { .steps = 3000000 };
	struct routing_mail mail = { .origin = &usual, .reverse_path = "", .patterns = &budget };
	struct routing_choice *choice;
	struct fixture f;
	struct buf content;

	(void)state;
	buf_init(&content, 1000000);
	for (unsigned i = 0; i < 900; i++)
		buf_adds(&content, "X-A: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab\r\n");
	buf_adds(&content, "X-Job: 1\r\n\r\n");
	fixture_init(&f,
	    "route slow { header = \"X-A: (a+)+$\" }\n"
	    "route too-late { header = \"X-Job: 1\" }\n"
	    "route other { listener = \"127.0.0.1:2525\" }",
	    &usual, "", content.data);
	mail.mime = &f.mime;
	choice = routing_choice_new(f.routing, &mail);
	assert_string_equal(name_of(&f, routing_choose(choice, "ann@b.example")), "other");
	assert_string_equal(routing_gave_up(choice), "route slow: header 1");
	assert_int_equal(budget.steps, 0);
	routing_choice_free(&choice);
	buf_free(&content);
	fixture_free(&f);
}

/* ---- staging ----------------------------------------------------------------------------- */

static void
test_fate(void **state)
{
	static const struct {
		const char *reason, *staging, *recipient;
		enum routing_fate fate;
	} fates[] = {
		{ "no staging", "", "ann@b.example", ROUTING_GOES },
		{ "somebody else", "redirect-to = \"qa@a.example\"", "ann@b.example",
		    ROUTING_REDIRECTED },
		{ "the one it goes to", "redirect-to = \"qa@a.example\"", "qa@a.example",
		    ROUTING_REDIRECTED },
		{ "who may have it", "allow-recipients = \"@b.example\"", "ann@B.example",
		    ROUTING_GOES },
		{ "who may not", "allow-recipients = \"@b.example\"", "ann@c.example",
		    ROUTING_CAPTURED },
		{ "who may, beside others",
		    "allow-recipients = {\"x@*\", \"@b.example\"} redirect-to = \"qa@a.example\"",
		    "ann@b.example", ROUTING_GOES },
		{ "who may not, beside others",
		    "allow-recipients = \"@b.example\" redirect-to = \"qa@a.example\"",
		    "ann@c.example", ROUTING_REDIRECTED },
		{ "nobody", "capture = yes", "ann@b.example", ROUTING_CAPTURED },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(fates); i++) {
		char *text = mem_format("route one { %s }", fates[i].staging);
		struct config *config = load(text);
		struct routing *routing = routing_new(config);

		if (routing_fate(routing, 0, fates[i].recipient) != fates[i].fate)
			fail_msg("%s", fates[i].reason);
		assert_int_equal(
		    routing_fate(routing, ROUTING_DEFAULT, fates[i].recipient), ROUTING_GOES);
		routing_free(&routing);
		config_free(&config);
		free(text);
	}
}

static void
test_redirects(void **state)
{
	struct config *config = load(
	    "route one { redirect-to = {\"Qa@A.Example\", \"Qa@a.example\", \"b@c.example\"} }");
	struct routing *routing = routing_new(config);
	const struct strlist *redirects = routing_redirects(routing, 0);

	(void)state;
	assert_int_equal(redirects->count, 2);
	assert_string_equal(redirects->items[0], "Qa@a.example");
	assert_string_equal(redirects->items[1], "b@c.example");
	assert_int_equal(routing_redirects(routing, ROUTING_DEFAULT)->count, 0);
	routing_free(&routing);
	config_free(&config);
}

/* ---- before the content ------------------------------------------------------------------ */

static void
test_foretell(void **state)
{
	static const struct {
		const char *reason, *config, *recipient, *route; /* NULL: not certain */
	} foretold[] = {
		{ "no routes", "", "ann@b.example", "default" },
		{ "by recipient", "route b { envelope-to = @b.example }", "ann@b.example", "b" },
		{ "not by recipient", "route b { envelope-to = @b.example }", "ann@c.example",
		    "default" },
		{ "all that is known",
		    "route b { listener = \"127.0.0.1:2525\" client = "
		    "192.0.2.7 envelope-from = ann@a.example }",
		    "ann@c.example", "b" },
		{ "one of these does not hold",
		    "route b { client = 192.0.2.8 envelope-from = ann@a.example }", "ann@c.example",
		    "default" },
		{ "the header may decide", "route h { header = \"X-Job:\" }", "ann@b.example",
		    NULL },
		{ "the author may decide", "route h { header-from = @a.example }", "ann@b.example",
		    NULL },
		{ "a header of a route that does not hold anyhow",
		    "route h { client = 192.0.2.8 header = \"X-Job:\" }", "ann@b.example",
		    "default" },
		{ "a header of a route for others",
		    "route h { envelope-to = @c.example header = \"X-Job:\" }", "ann@b.example",
		    "default" },
		{ "a header after the route that holds",
		    "route b { envelope-to = @b.example } route h { header = \"X-Job:\" }",
		    "ann@b.example", "b" },
		{ "a header before it",
		    "route h { header = \"X-Job:\" } route b { envelope-to = @b.example }",
		    "ann@b.example", NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(foretold); i++) {
		struct config *config = load(foretold[i].config);
		struct routing *routing = routing_new(config);
		const struct routing_mail mail = { .origin = &usual,
			.reverse_path = "ann@a.example" };
		const struct fixture f = { .config = config };
		size_t route = 0;
		bool certain = routing_foretell(routing, &mail, foretold[i].recipient, &route);

		if (certain != (foretold[i].route != NULL) ||
		    (certain && strcmp(name_of(&f, route), foretold[i].route) != 0))
			fail_msg("%s: %s", foretold[i].reason,
			    certain ? name_of(&f, route) : "not certain");
		routing_free(&routing);
		config_free(&config);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_foretell),
		cmocka_unit_test(test_conditions),
		cmocka_unit_test(test_safe),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_asked_once),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_many_authors),
		cmocka_unit_test(test_budget),
		cmocka_unit_test(test_fate),
		cmocka_unit_test(test_redirects),
	};

	mime_setup();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
