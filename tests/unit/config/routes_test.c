/* Routes in the settings: what is right, what is refused and where, and the manual's examples. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/strlist.h"

#include "config/config.h"
#include "config/option.h"
#include "config/options.h"
#include "config/route_value.h"
#include "config/values.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct config *
load(const char *text)
{
	struct buf why;
	struct config *config;

	buf_init(&why, 10000);
	config = config_parse(text, strlen(text), "test.conf", &why);
	if (config == NULL)
		fail_msg("%s: %s", text, why.data);
	assert_int_equal(why.len, 0);
	buf_free(&why);
	return config;
}

/* ---- values ------------------------------------------------------------------------------ */

/* option_set(): 0 for a right value; with explain() otherwise. */
static const struct {
	const char *name, *value,
	    *wrong; /* NULL: it is right; else what option_explain() ends with */
} values[] = {
	{ "listener", "127.0.0.1:25", NULL },
	{ "listener", "unix:/run/s", NULL },
	{ "listener", "localhost", "addresses that smtp.listen has" },
	{ "client", "192.0.2.0/24", NULL },
	{ "client", "unix", NULL },
	{ "client", "Unix", "or unix" },
	{ "client", "192.0.2.0/33", "or unix" },
	{ "user", "Ann Smith", NULL },
	{ "user", "", "names of at most 200 bytes" },
	{ "envelope-from", "<>", NULL },
	{ "envelope-from", "*", NULL },
	{ "envelope-from", "@b.example", NULL },
	{ "envelope-from", "<ann@b.example>", "or <>" },
	{ "envelope-to", "ann+?@*.b.example", NULL },
	{ "envelope-to", "<>", "for a whole domain" },
	{ "envelope-to", "b.example", ": @b.example holds for a whole domain" },
	{ "envelope-to",
	    "@B\xc3\xbc"
	    "cher.example",
	    ": a domain stands as in DNS, like xn--bcher-kva.example" },
	{ "envelope-to", "ann@b.example,bob@b.example", "for a whole domain" },
	{ "envelope-to", "", "for a whole domain" },
	{ "header-from", "*@b.example", NULL },
	{ "header", "Subject: ^Invoice (?<no>\\d+)", NULL },
	{ "header", "Subject:x", NULL },
	{ "header", "X-There:", NULL },
	{ "header", "Subject", "\"Name: pattern\"" },
	{ "header", ": x", "\"Name: pattern\"" },
	{ "header", "A subject: x", "\"Name: pattern\"" },
	{ "header", "Subject: (a", ": missing closing parenthesis at offset 2 of the pattern" },
	{ "header", "Subject: Invoices[", "at offset 9 of the pattern" },
	{ "connection", "eu-1", NULL },
	{ "connection", "", "or the name of a connection" },
	{ "message-stream", "", NULL },
	{ "message-stream", "a/b", "the ID of a message stream, or \"\"" },
	{ "metadata", "system=shop and stock", NULL },
	{ "metadata", "a=", NULL },
	{ "metadata", "12345678901234567890=x", NULL },
	{ "metadata", "123456789012345678901=x", ": the key has 21 characters, Postmark takes 20" },
	{ "metadata",
	    "a=12345678901234567890123456789012345678901234567890123456789012345678901234567890",
	    NULL },
	{ "metadata",
	    "a=123456789012345678901234567890123456789012345678901234567890123456789012345678901",
	    ": the value has 81 characters, Postmark takes 80" },
	{ "metadata", "Relay-Id=1", ": relay-id is the relay's own" },
	{ "metadata", "=x", "of at most 20 and 80 characters" },
	{ "metadata", "two words=x", "of at most 20 and 80 characters" },
	{ "metadata", "a", "of at most 20 and 80 characters" },
	{ "header-controls", "track-links", NULL },
	{ "header-controls", "from", "track-links or template" },
	{ "from", "", NULL },
	{ "from", "ann@b.example", NULL },
	{ "from", "Ann Smith <ann@b.example>", NULL },
	{ "from", "\"Smith, Ann\" <ann@b.example>", NULL },
	{ "from", "J\xc3\xbcrgen <ann@b.example>", NULL },
	{ "from", "<ann@b.example>", NULL },
	{ "from", "Smith, Ann <ann@b.example>", "\"Name <address>\"" },
	{ "from", "\"Ann\" Smith\" <ann@b.example>", "\"Name <address>\"" },
	{ "from", "\"Ann\\\" <ann@b.example>", "\"Name <address>\"" },
	{ "from", "Ann <ann@b.example", "\"Name <address>\"" },
	{ "from", "Ann <ann>", "\"Name <address>\"" },
	{ "from", "ann@b.example, bob@b.example", "\"Name <address>\"" },
	{ "from-rewrite", "if-unauthorised", NULL },
	{ "from-rewrite", "yes", "off, if-unauthorised or force" },
	{ "on-tnef", "SMTP", NULL },
	{ "on-date", "drop", "convert, reject or smtp" },
	{ "template", "welcome-1", NULL },
	{ "template", "12345", NULL },
	{ "template", "9223372036854775807", NULL },
	{ "template", "9223372036854775808", "the alias or the ID of a template" },
	{ "template", "0", "the alias or the ID of a template" },
	{ "template", "1a", "the alias or the ID of a template" },
	{ "template", "my template", "the alias or the ID of a template" },
	{ "template-match", "subject: ^Order (?<no>\\d+)$", NULL },
	{ "template-match", "header:X-Job: x", NULL },
	{ "template-match", "each lines: text: (?<l>.+)", NULL },
	{ "template-match", "each a.b:html:(?<x>y)", NULL },
	{ "template-match", "each  a:html: (?<x>y)", NULL },
	{ "template-match", "each a: html: y",
	    ": each needs a pattern with a named group, (?<name>...)" },
	{ "template-match", "subject:", ": there is no pattern" },
	{ "template-match", "header:B\xc3\xbc: x", "html or header:NAME" },
	{ "template-match", "subject", "html or header:NAME" },
	{ "template-match", "body: x", "html or header:NAME" },
	{ "template-match", "Subject: x", "html or header:NAME" },
	{ "template-match", "header: x", "html or header:NAME" },
	{ "template-match", "each : text: x",
	    ": each needs a name of letters, digits, '_', '-' and '.'" },
	{ "template-match", "each lines: x", "html or header:NAME" },
	{ "template-match", "text: a**(", "at offset 2 of the pattern" },
	{ "template-model", "name=from-name", NULL },
	{ "template-model", "order.id=header:X-Order", NULL },
	{ "template-model", "a=literal:", NULL },
	{ "template-model", "a=literal:x = y", NULL },
	{ "template-model", "a=header:", "\"name=literal:TEXT\"" },
	{ "template-model", "a=subject x", "\"name=literal:TEXT\"" },
	{ "template-model", ".a=subject", "\"name=literal:TEXT\"" },
	{ "template-model", "a..b=subject", "\"name=literal:TEXT\"" },
	{ "template-model", "=subject", "\"name=literal:TEXT\"" },
	{ "template-otherwise", "refuse", NULL },
	{ "reply", "postmark-or-refuse", NULL },
	{ "reply", "now", "queued, postmark or postmark-or-refuse" },
	{ "reply-timeout", "3m", NULL },
	{ "reply-timeout", "181s", "a time from 1s to 3m" },
	{ "redirect-to", "ann@B.example", NULL },
	{ "redirect-to", "o'hara+x@b-1.example", NULL },
	{ "redirect-to", "@b.example", "addresses like ann@example.com" },
	{ "redirect-to", "*@b.example", NULL },
	{ "redirect-to", "ann@b..example", "addresses like ann@example.com" },
	{ "redirect-to", "ann@-b.example", "addresses like ann@example.com" },
	{ "redirect-to", "ann@b.example.", "addresses like ann@example.com" },
	{ "redirect-to", "an..n@b.example", "addresses like ann@example.com" },
	{ "redirect-to", ".ann@b.example", "addresses like ann@example.com" },
	{ "redirect-to", "ann.@b.example", "addresses like ann@example.com" },
	{ "redirect-to", "\"a b\"@b.example", "addresses like ann@example.com" },
	{ "redirect-to", "ann@b@c.example", "addresses like ann@example.com" },
	{ "allow-recipients", "@b.example", NULL },
	{ "capture", "perhaps", "yes or no" },
};

static void
test_values(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(values); i++) {
		const struct option_row *o = option_find("route", values[i].name);
		const char *value = values[i].value;
		int result;

		assert_non_null(o);
		result = option_set(o, NULL, value, strlen(value));
		if ((result == 0) != (values[i].wrong == NULL))
			fail_msg("%s = %s: %d", values[i].name, value, result);
		if (result != 0) {
			struct buf why;
			size_t len = strlen(values[i].wrong);

			buf_init(&why, 2000);
			option_explain(o, value, &why);
			if (why.len < len || strcmp(why.data + why.len - len, values[i].wrong) != 0)
				fail_msg("%s = %s: %s", values[i].name, value, why.data);
			buf_free(&why);
		}
	}
}

static void
test_smtp_url(void **state)
{
	static const struct {
		const char *url;
		bool right, local;
	} urls[] = {
		{ "smtp://smtp.postmarkapp.com:587", true, false },
		{ "smtp://localhost:2525", true, true },
		{ "smtp://127.0.0.1", true, true },
		{ "smtp://[::1]:25", true, true },
		{ "SMTP://[2001:db8::1]:25", true, false },
		{ "smtp://a.example:0", false, false },
		{ "smtp://a.example/", false, false },
		{ "smtp://a@b.example", false, false },
		{ "smtps://a.example", false, false },
		{ "https://a.example", false, false },
		{ "smtp://", false, false },
		{ "a.example:25", false, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(urls); i++) {
		if (value_is_smtp_url(urls[i].url, strlen(urls[i].url)) != urls[i].right)
			fail_msg("%s", urls[i].url);
		if (urls[i].right && value_url_is_local(urls[i].url) != urls[i].local)
			fail_msg("%s: not local, or local", urls[i].url);
	}
	assert_false(value_is_url("smtp://localhost", strlen("smtp://localhost")));
}

/* ---- files ------------------------------------------------------------------------------- */

static void
test_presets(void **state)
{
	struct config *c = load("route one { }");
	const struct route *r = c->routes;

	(void)state;
	assert_int_equal(c->route_count, 1);
	assert_string_equal(r->name, "one");
	assert_string_equal(r->connection, "default");
	assert_string_equal(r->message_stream, "");
	assert_false(r->sandbox);
	assert_int_equal(r->track_opens, -1);
	assert_int_equal(r->controls.count, 6);
	assert_true(strlist_has(&r->controls, "message-stream"));
	assert_int_equal(r->on_signed, FIDELITY_CONVERT);
	assert_int_equal(r->on_sender, FIDELITY_CONVERT);
	assert_int_equal(r->from_rewrite, 0);
	assert_true(r->template_inline_css);
	assert_int_equal(r->template_else, 0);
	assert_int_equal(r->reply, 0);
	assert_int_equal(r->reply_timeout_ms, 60000);
	assert_false(r->capture);
	assert_int_equal(r->header.count, 0);
	config_free(&c);

	c = load("");
	assert_int_equal(c->route_count, 0);
	assert_string_equal(c->postmark_smtp_url, "smtp://smtp.postmarkapp.com:587");
	assert_true(c->postmark_smtp_starttls);
	config_free(&c);
	c = load("postmark { smtp-url = \"smtp://localhost:2526\" smtp-starttls = no }");
	assert_false(c->postmark_smtp_starttls);
	config_free(&c);
}

/* Every option, and it survives being printed and copied. */
static void
test_all(void **state)
{
	static const char text[] =
	    "connection eu { }\n"
	    "route b { listener = \"127.0.0.1:2525\" client = {unix, 10.0.0.0/8} user = 'a b'\n"
	    "  envelope-from = {\"<>\"} envelope-to = \"@b.example\" header-from = "
	    "\"*@c.example\"\n"
	    "  header = {'Subject: (\\d+)\\\\x', \"X: ${\"} }\n"
	    "route a { connection = EU message-stream = s tag = \"a b\" track-opens = no\n"
	    "  track-links = HtmlOnly metadata = {\"a=b c\", \"d=\"} header-controls = {}\n"
	    "  from = \"\\\"A, B\\\" <a@b.example>\" from-rewrite = force\n"
	    "  from-authorised = \"@b.example\" on-signed = smtp on-tnef = reject\n"
	    "  template = t template-match = {'subject: \\w', 'each x: text: (?<d>\\d)'}\n"
	    "  template-model = \"a.b=literal:x y\" template-inline-css = no\n"
	    "  template-otherwise = refuse reply = postmark reply-timeout = 5s\n"
	    "  redirect-to = {\"a@b.example\"} allow-recipients = {\"@c.example\"}\n"
	    "  header = \"X:\" }\n"
	    "route c { capture = yes }\n";
	char *right = mem_string(text), *dollar = strstr(right, "${");
	struct config *c, *copy;
	struct buf first, second;

	(void)state;
	dollar[1] = 'x';
	c = load(right);
	assert_int_equal(c->route_count, 3);
	assert_string_equal(c->routes[0].name, "b");
	assert_string_equal(c->routes[1].name, "a");
	assert_string_equal(c->routes[0].header.items[0], "Subject: (\\d+)\\x");
	assert_string_equal(c->routes[1].from, "\"A, B\" <a@b.example>");
	assert_string_equal(c->routes[1].template_match.items[1], "each x: text: (?<d>\\d)");
	assert_int_equal(c->routes[1].controls.count, 0);
	assert_int_equal(c->routes[1].on_signed, FIDELITY_SMTP);
	assert_int_equal(c->routes[1].on_tnef, FIDELITY_REJECT);
	assert_int_equal(c->routes[1].reply, 1);

	buf_init(&first, 1 << 20);
	buf_init(&second, 1 << 20);
	config_print(c, true, &first);
	copy = config_copy(c);
	config_free(&c);
	config_print(copy, true, &second);
	assert_string_equal(first.data, second.data);
	config_free(&copy);
	c = load(first.data);
	buf_clear(&second);
	config_print(c, true, &second);
	assert_string_equal(first.data, second.data);
	config_free(&c);
	buf_free(&first);
	buf_free(&second);
	free(right);
}

static void
test_refused(void **state)
{
	static const struct {
		const char *reason, *text, *message;
	} cases[] = {
		{ "a pattern that is none, with its place",
		    "route invoices {\n header = {\"X-Job: .\",\n \"Subject: Invoice (\"} }",
		    "test.conf:3: route.invoices.header: found \"Subject: Invoice (\", wanted "
		    "\"Name: pattern\": missing closing parenthesis at offset 9 of the pattern\n" },
		{ "a connection that is not there", "route a {\n connection = eu }",
		    "test.conf:2: route.a.connection: found eu, wanted default, for there are no "
		    "connections\n" },
		{ "a connection that is another", "connection us { }\nroute a { connection = eu }",
		    "test.conf:2: route.a.connection: found eu, wanted default or the name of a "
		    "connection\n" },
		{ "the name of a connection", "route eu { }\nconnection EU { }",
		    "test.conf: route.eu: found the name of a connection, wanted another: each is "
		    "a route of its own\n" },
		{ "the name of what comes in", "route Inbound { }",
		    "test.conf: route.Inbound: found the name of the route of mails that come in, "
		    "wanted another\n" },
		{ "a connection of that name", "connection inbound { }",
		    "test.conf: connection.inbound: found the name of the route of mails that come "
		    "in, wanted another\n" },
		{ "the name of all others", "route Default { }",
		    "test.conf:1: route: found Default, which is what the route of all other mail "
		    "is called, wanted another name\n" },
		{ "a name twice", "route a { }\nroute A { }",
		    "test.conf:2: route: found A (case makes no difference) a second time, wanted "
		    "each name once\n" },
		{ "nothing comes past it",
		    "route a { tag = x }\nroute b { client = unix }\nroute c { }",
		    "test.conf: route.a: found no condition, so that b after it is never reached: "
		    "wanted it last\n" },
		{ "a listener that is none", "route a { listener = \"127.0.0.1:25\" }",
		    "test.conf:1: route.a.listener: found 127.0.0.1:25, wanted one that "
		    "smtp.listen "
		    "has\n" },
		{ "rewriting to nothing", "route a { from-rewrite = force }",
		    "test.conf:1: route.a.from-rewrite: found no from, wanted it\n" },
		{ "parts of a template that is none",
		    "route a { template-match = \"text: x\"\n template-model = \"a=to\" }",
		    "test.conf:1: route.a.template-match: found no template, wanted it\n"
		    "test.conf:2: route.a.template-model: found no template, wanted it\n" },
		{ "a list that is a text as well",
		    "route a { template = t template-match = {\"each l: text: (?<x>.)\",\n"
		    "\"text: (?<l>.)\", \"each m.n: text: (?<x>.)\"}\n template-model = {\"m=to\", "
		    "\"l=to\", \"o=to\", \"o=cc\"} }",
		    "test.conf:1: route.a.template-match: found l a second time, wanted it once\n"
		    "test.conf:3: route.a.template-model: found m.n and m, wanted one of them: one "
		    "is within the other\n"
		    "test.conf:3: route.a.template-model: found l a second time, wanted it "
		    "once\n" },
		{ "a key twice", "route a { metadata = {\"a=1\", \"ab=2\", \"A=3\"} }",
		    "test.conf:1: route.a.metadata: found A twice\n" },
		{ "ten keys",
		    "route a { metadata = {\"a=\", \"b=\", \"c=\", \"d=\", \"e=\", \"f=\", \"g=\", "
		    "\"h=\", \"i=\", \"j=\"} }",
		    "test.conf:1: route.a.metadata: found more than 9 values\n" },
		{ "the sandbox has a token of its own",
		    "connection eu { }\nroute a { connection = eu\n sandbox = yes }",
		    "test.conf:3: route.a.sandbox: found yes with connection eu, wanted one of "
		    "them: the sandbox has a token of its own\n" },
		{ "captured and sent", "route a { capture = yes redirect-to = \"a@b.example\" }",
		    "test.conf:1: route.a.redirect-to: found beside capture, which sends nothing, "
		    "wanted one of them\n" },
		{ "captured and answered by Postmark",
		    "route a { capture = yes\n reply = postmark }",
		    "test.conf:2: route.a.reply: found a wait for Postmark beside capture, which "
		    "sends nothing, wanted queued\n" },
		{ "a token for all to read", "postmark {\n smtp-starttls = no }",
		    "test.conf:2: postmark.smtp-starttls: found no for "
		    "smtp://smtp.postmarkapp.com:587, wanted yes: the token would be sent for all "
		    "to read\n" },
		{ "the nearest option", "route a { enveloppe-to = \"@b\" }",
		    "test.conf:1: route.a.enveloppe-to: no such option, the nearest is "
		    "envelope-to\n" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf why;
		struct config *c;

		buf_init(&why, 10000);
		c = config_parse(cases[i].text, strlen(cases[i].text), "test.conf", &why);
		if (c != NULL)
			fail_msg("%s: accepted", cases[i].reason);
		if (strcmp(why.data, cases[i].message) != 0)
			fail_msg("%s: %s", cases[i].reason, why.data);
		buf_free(&why);
	}
}

/* ---- environment ------------------------------------------------------------------------- */

static void
test_environment(void **state)
{
	char path[] = "/tmp/pmrelay-routes-XXXXXX";
	char *const environment[] = { "PMRELAY_ROUTE_ZOO_CLIENT=10.0.0.0/8, unix",
		"PMRELAY_ROUTE_EU_WEST_HEADER=Subject: a, b\nX-Job: (c|d) e\n",
		"PMRELAY_ROUTE_FILE_TAG=new", "PMRELAY_ROUTE_APE_HEADER_FROM=@b.example",
		"PMRELAY_ROUTE_APE_METADATA=a=b c", "PMRELAY_ROUTE_APE_FROM=a@b.example", NULL };
	static const char text[] = "route file { client = unix tag = old }\n";
	struct buf why;
	struct config *c;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
	close(fd);
	buf_init(&why, 10000);
	c = config_load(path, environment, &why);
	unlink(path);
	if (c == NULL)
		fail_msg("%s", why.data);
	/* The file's, and then by name, in whatever order the environment is. */
	assert_int_equal(c->route_count, 4);
	assert_string_equal(c->routes[0].name, "file");
	assert_string_equal(c->routes[0].tag, "new");
	assert_string_equal(c->routes[1].name, "ape");
	assert_string_equal(c->routes[1].from, "a@b.example");
	assert_int_equal(c->routes[1].header_from.count, 1);
	assert_string_equal(c->routes[1].metadata.items[0], "a=b c");
	assert_string_equal(c->routes[2].name, "eu-west");
	assert_int_equal(c->routes[2].header.count, 2);
	assert_string_equal(c->routes[2].header.items[0], "Subject: a, b");
	assert_string_equal(c->routes[2].header.items[1], "X-Job: (c|d) e");
	assert_string_equal(c->routes[3].name, "zoo");
	assert_int_equal(c->routes[3].client.count, 2);
	config_free(&c);
	buf_free(&why);
}

static void
test_environment_refused(void **state)
{
	char *const environment[] = { "PMRELAY_ROUTE_A_HEADER=X: a\nY: (", NULL };
	struct buf why;

	(void)state;
	buf_init(&why, 10000);
	assert_null(config_load(NULL, environment, &why));
	assert_string_equal(why.data,
	    "environment: PMRELAY_ROUTE_A_HEADER: found \"X: a\\x0AY: (\", wanted \"Name: "
	    "pattern\": missing closing parenthesis at offset 1 of the pattern\n");
	buf_free(&why);
}

/* ---- the manual -------------------------------------------------------------------------- */

/* Of roff, what examples use. */
static void
add_plain(struct buf *out, const char *line, size_t len)
{
	static const struct {
		const char *escape;
		char plain;
	} escapes[] = { { "\\(ha", '^' }, { "\\(aq", '\'' }, { "\\(ti", '~' }, { "\\(ga", '`' },
		{ "\\e", '\\' }, { "\\-", '-' } };

	for (size_t i = 0; i < len; i++) {
		size_t j = 0;

		while (j < COUNT(escapes) &&
		       strncmp(line + i, escapes[j].escape, strlen(escapes[j].escape)) != 0)
			j++;
		if (j < COUNT(escapes)) {
			buf_addc(out, escapes[j].plain);
			i += strlen(escapes[j].escape) - 1;
		} else {
			buf_addc(out, line[i]);
		}
	}
	buf_addc(out, '\n');
}

static void
read_example(const char *name, struct buf *out)
{
	const char *folder = getenv("top_srcdir");
	char *path = mem_format("%s/doc/pmrelay.conf.5", folder != NULL ? folder : ".");
	char *mark = mem_format(".\\\" Example: %s\n", name), line[1000];
	FILE *file = fopen(path, "r");
	bool in = false;

	if (file == NULL)
		fail_msg("%s: cannot be read", path);
	buf_init(out, 100000);
	while (fgets(line, sizeof(line), file) != NULL) {
		if (strcmp(line, mark) == 0)
			in = true;
		else if (strncmp(line, ".\\\" End of the example.", 23) == 0)
			in = false;
		else if (in && line[0] != '.')
			add_plain(out, line, strcspn(line, "\n"));
	}
	fclose(file);
	if (out->len == 0)
		fail_msg("%s: no example %s", path, name);
	free(path);
	free(mark);
}

static void
test_examples(void **state)
{
	static const struct {
		const char *name;
		size_t routes;
	} examples[] = { { "servers", 2 }, { "staging", 1 }, { "status settings", 1 } };
	struct buf text;

	(void)state;
	for (size_t i = 0; i < COUNT(examples); i++) {
		struct config *c;

		read_example(examples[i].name, &text);
		c = load(text.data);
		assert_int_equal(c->route_count, examples[i].routes);
		if (i == 2)
			assert_string_equal(c->routes[0].template_match.items[0],
			    "subject: ^Backup of (?<job>\\S+): (?<result>OK|FAILED)$");
		config_free(&c);
		buf_free(&text);
	}
	read_example("status mail", &text);
	assert_non_null(strstr(text.data, "\nSubject: Backup of db1: FAILED\n\nHost: "));
	buf_free(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_smtp_url),
		cmocka_unit_test(test_presets),
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_environment_refused),
		cmocka_unit_test(test_examples),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
