/* What would become of a mail: the object that tells it. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "config/config.h"
#include "mail/refusal.h"
#include "convert/convert.h"
#include "intake/explain.h"
#include "intake/rules.h"

/* Who asks, and under which settings; what is NULL is not given. */
struct asking {
	const char *settings, *from, *to; /* to: apart by a space */
	const char *listener, *client, *user;
};

static struct rules *
rules_of(const char *settings, struct config **config_r)
{
	struct rules *rules;
	struct buf about;
	char why[400];

	buf_init(&about, 10000);
	*config_r = config_parse(settings, strlen(settings), "test", &about);
	if (*config_r == NULL)
		fail_msg("%s", about.data);
	buf_free(&about);
	rules = rules_new(*config_r, why, sizeof(why));
	if (rules == NULL)
		fail_msg("%s", why);
	return rules;
}

static json_t *
told(struct buf *out)
{
	json_error_t error;
	json_t *object;

	assert_true(json_is_one_object(out->data, out->len));
	object = json_loadb(out->data, out->len, JSON_REJECT_DUPLICATES, &error);
	if (object == NULL)
		fail_msg("%s at %d: %s", error.text, error.position, out->data);
	buf_free(out);
	return object;
}

static json_t *
ask_as(const struct asking *as, const char *content, size_t len, size_t most)
{
	struct strlist list = { 0 };
	const struct explain_input input = { .reverse_path = as->from,
		.recipients = &list,
		.listener = as->listener,
		.client = as->client,
		.user = as->user,
		.content = content,
		.content_len = len,
		.most_bytes = most };
	struct config *config;
	struct rules *rules = rules_of(as->settings != NULL ? as->settings : "", &config);
	struct buf out;

	for (const char *at = as->to; at != NULL && *at != '\0';) {
		size_t word = strcspn(at, " ");

		strlist_add_bytes(&list, at, word);
		at += word;
		at += strspn(at, " ");
	}
	buf_init(&out, SIZE_MAX / 4);
	explain(rules, &input, &out);
	strlist_free(&list);
	rules_free(&rules);
	config_free(&config);
	return told(&out);
}

static json_t *
ask(const char *from, const char *to, const char *content, size_t len, size_t most)
{
	const struct asking as = { .from = from, .to = to };

	return ask_as(&as, content, len, most);
}

/* "items.0.to" */
static json_t *
member(json_t *object, const char *path)
{
	char name[40];

	while (object != NULL && *path != '\0') {
		size_t len = strcspn(path, ".");

		snprintf(name, sizeof(name), "%.*s", (int)len, path);
		object = json_is_array(object) ? json_array_get(object, (size_t)atoi(name))
					       : json_object_get(object, name);
		path += len + (path[len] == '.');
	}
	return object;
}

static json_t *
size_of(json_t *object, const char *what)
{
	json_t *size;
	size_t i;

	json_array_foreach(json_object_get(object, "sizes"), i,
	    size) if (strcmp(json_string_value(json_object_get(size, "what")), what) ==
		      0) return json_object_get(size, "bytes");
	return NULL;
}

#define ID    "Message-ID: <1@a.example>\r\n"
#define PLAIN "From: Ann <ann@a.example>\r\nTo: bob@b.example\r\nSubject: Gr=?utf-8?Q?=C3=BC?=\r\n"

/* What the object says at a path, as JSON; NULL: nothing. */
static void
check(const struct asking *as, const char *reason, const char *content, const char *path,
    const char *expected)
{
	json_t *object = ask_as(as, content, strlen(content), 1 << 20);
	json_t *found = member(object, path);
	char *text = found == NULL ? NULL : json_dumps(found, JSON_ENCODE_ANY | JSON_COMPACT);

	if ((text == NULL) != (expected == NULL) || (text != NULL && strcmp(text, expected) != 0)) {
		print_error("%s\n", json_dumps(object, JSON_COMPACT));
		fail_msg("%s: %s", reason, text);
	}
	free(text);
	json_decref(object);
}

/* A mail, how it is asked for, and what the object says of it. */
static void
test_table(void **state)
{
	static const struct {
		const char *reason, *from, *to, *content, *path, *expected;
	} cases[] = {
		{ "a plain mail is taken", "", NULL, PLAIN "\r\nhi\r\n", "ok", "true" },
		{ "no refusal then", "", NULL, PLAIN "\r\nhi\r\n", "refusal", NULL },
		{ "sender of the header", "", NULL, PLAIN "\r\nhi\r\n", "envelope",
		    "{\"reverse_path\":\"ann@a.example\",\"recipients\":[\"bob@b.example\"],"
		    "\"from_headers\":true}" },
		{ "envelope as given, canonical", "x@A.Example", "Bob@B.Example carl@c.example",
		    PLAIN "\r\nhi\r\n", "envelope",
		    "{\"reverse_path\":\"x@a.example\",\"recipients\":[\"Bob@b.example\","
		    "\"carl@c.example\"],\"from_headers\":false}" },
		{ "null sender", "<>", NULL, PLAIN "\r\nhi\r\n", "envelope.reverse_path", "\"\"" },
		{ "null sender at least of a mail without From", NULL, "bob@b.example",
		    "To: bob@b.example\r\n\r\nhi\r\n", "envelope.reverse_path", "\"\"" },
		{ "subject", NULL, NULL,
		    "From: a@a.example\r\nTo: b@b.example\r\nSubject: =?utf-8?Q?=C3=BC?=\r\n\r\nhi",
		    "subject", "\"\xc3\xbc\"" },
		{ "message id", NULL, NULL, PLAIN "Message-ID: <1@a.example>\r\n\r\nhi\r\n",
		    "message_id", "\"<1@a.example>\"" },
		{ "the message itself", NULL, NULL, PLAIN "\r\nhi\r\n", "items.0.json.TextBody",
		    "\"hi\\n\"" },
		{ "bare LF", NULL, NULL, "From: a@a.example\nTo: b@b.example\n\nhi\n",
		    "content_bytes", "42" },
		{ "bare LF, the body", NULL, NULL, "From: a@a.example\nTo: b@b.example\n\na\n\nb",
		    "items.0.json.TextBody", "\"a\\n\\nb\"" },
		{ "bare LF needs no warning", NULL, NULL,
		    "From: a@a.example\nTo: b@b.example\nMessage-ID: <1@a.example>\n\nhi\n",
		    "warnings", "[]" },
		{ "mixed line ends do", NULL, NULL, PLAIN "\nhi\r\n", "warnings.0",
		    "\"The mail mixes line ends: 1 bare LF were made CRLF, which SMTP refuses "
		    "unless smtp.normalize-line-ends is set.\"" },
		{ "and bare CR", NULL, NULL, PLAIN "\r\nh\ri\r\n", "warnings.0",
		    "\"The mail has 1 bare CR, which SMTP refuses unless "
		    "smtp.normalize-line-ends is set.\"" },
		{ "recipients of all three fields", NULL, NULL,
		    "From: a@a.example\r\nTo: b@b.example, C <c@c.example>\r\nCc: d@d.example\r\n"
		    "Bcc: e@e.example\r\n\r\nhi",
		    "envelope.recipients",
		    "[\"b@b.example\",\"c@c.example\",\"d@d.example\",\"e@e.example\"]" },
		{ "a blind copy is one", NULL, NULL,
		    "From: a@a.example\r\nTo: b@b.example\r\nBcc: e@e.example\r\n\r\nhi",
		    "items.0.bcc", "\"e@e.example\"" },
		{ "nothing of it in the header", NULL, NULL,
		    "From: a@a.example\r\nTo: b@b.example\r\nBcc: e@e.example\r\n\r\nhi",
		    "items.0.json.Headers", NULL },
		{ "blind copies alone do not see each other", "", "x@x.example y@y.example",
		    "From: a@a.example\r\n\r\nhi", "items.1.to", "\"y@y.example\"" },
		{ "an entry of no use", NULL, NULL,
		    "From: a@a.example\r\nTo: b@b.example, nobody\r\n\r\nhi", "warnings.0",
		    "\"1 entries of To, Cc and Bcc are no address that Postmark takes.\"" },
		{ "nobody at all", NULL, NULL, "From: a@a.example\r\n\r\nhi", "refusal",
		    "{\"code\":554,\"status\":\"5.5.1\",\"text\":\"no recipients\"}" },
		{ "and how to help it", NULL, NULL, "From: a@a.example\r\n\r\nhi", "warnings.0",
		    "\"No recipients were given, and To, Cc and Bcc name none.\"" },
		{ "a recipient that is none", NULL, "nobody", PLAIN "\r\nhi\r\n", "refusal.code",
		    "553" },
		{ "and nothing is made of it", NULL, "nobody", PLAIN "\r\nhi\r\n", "items", "[]" },
		{ "forbidden extension", NULL, NULL,
		    PLAIN "Content-Type: application/x; name=run.exe\r\nContent-Disposition: "
			  "attachment; filename=run.exe\r\n\r\nMZ\r\n",
		    "refusal.status", "\"5.7.1\"" },
		{ "what is known of a refused mail", NULL, NULL,
		    PLAIN "Content-Type: application/x; name=run.exe\r\nContent-Disposition: "
			  "attachment; filename=run.exe\r\n\r\nMZ\r\n",
		    "from", "\"\\\"Ann\\\" <ann@a.example>\"" },
		{ "losses", NULL, NULL, PLAIN "Date: Mon, 1 Jan 2024 00:00:00 +0000\r\n\r\nhi\r\n",
		    "lost",
		    "[{\"word\":\"date\",\"text\":\"The Date is not kept: Postmark sets its "
		    "own.\"}]" },
		{ "sequences of no charset", NULL, NULL,
		    PLAIN "Content-Type: text/plain; charset=utf-8\r\n\r\na\xff\xff\r\n",
		    "lost.0.word", "\"undecodable\"" },
		{ "a broken multipart", NULL, NULL,
		    PLAIN "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
			  "Content-Type: text/plain\r\n\r\nhi",
		    "items.0.json.TextBody", "\"hi\"" },
		{ "not a mail", NULL, "b@b.example", "\xff\xfe nothing", "envelope.reverse_path",
		    "\"\"" },
		{ "an empty file", NULL, "b@b.example", "", "content_bytes", "0" },
		{ "recipient with bytes that are no text", NULL, "\xff@b.example", PLAIN "\r\nhi",
		    "envelope.recipients.0", "\"\\\\xFF@b.example\"" },
		{ "the route", NULL, NULL, PLAIN "\r\nhi\r\n", "route", "\"default\"" },
		{ "attachments", NULL, NULL,
		    PLAIN "Content-Type: text/csv; name=a.csv\r\nContent-Disposition: "
			  "attachment\r\n\r\na;b\r\n",
		    "attachments", "1" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct asking as = { .from = cases[i].from, .to = cases[i].to };

		check(&as, cases[i].reason, cases[i].content, cases[i].path, cases[i].expected);
	}
}

#define SIGNED                                                                                     \
	"From: ann@a.example\r\nTo: bob@b.example\r\nBcc: carl@c.example\r\n" ID                   \
	"Subject: signed\r\nContent-Type: multipart/signed; boundary=b;\r\n"                       \
	" protocol=\"application/pkcs7-signature\"; micalg=sha-256\r\n\r\n--b\r\n"                 \
	"Content-Type: text/plain\r\n\r\nhi\r\n--b\r\nContent-Type: application/pkcs7-signature;"  \
	" name=smime.p7s\r\nContent-Transfer-Encoding: base64\r\n\r\nQUJD\r\n--b--\r\n"

#define HTML(body)                                                                                 \
	PLAIN ID "Content-Type: multipart/related; boundary=b\r\n\r\n--b\r\n"                      \
		 "Content-Type: text/html\r\n\r\n" body "\r\n--b\r\nContent-Type: image/png\r\n"   \
		 "Content-ID: <logo@a>\r\nContent-Disposition: inline; filename=l.png\r\n"         \
		 "Content-Transfer-Encoding: base64\r\n\r\nQUJD\r\n--b--\r\n"

#define ROUTE_INVOICES                                                                             \
	"route invoices {\n envelope-to = @b.example\n tag = money\n"                              \
	" message-stream = bills\n}\n"

/* Settings, mails, and where they go. */
static void
test_routes(void **state)
{
	static const struct {
		const char *reason;
		struct asking as;
		const char *content, *path, *expected;
	} cases[] = {
		{ "the default has a name", { .settings = ROUTE_INVOICES, .to = "x@c.example" },
		    PLAIN ID "\r\nhi", "routes.0.name", "\"default\"" },
		{ "and the reasons why it is not an earlier one",
		    { .settings = ROUTE_INVOICES, .to = "x@c.example" }, PLAIN ID "\r\nhi",
		    "routes.0.why_not",
		    "[{\"route\":\"invoices\",\"recipient\":\"x@c.example\",\"why\":"
		    "\"envelope-to: x@c.example is not @b.example\"}]" },
		{ "the route that it takes", { .settings = ROUTE_INVOICES }, PLAIN ID "\r\nhi",
		    "route", "\"invoices\"" },
		{ "nothing is earlier than the first", { .settings = ROUTE_INVOICES },
		    PLAIN ID "\r\nhi", "routes.0.why_not", "[]" },
		{ "tag of the route", { .settings = ROUTE_INVOICES }, PLAIN ID "\r\nhi",
		    "routes.0.tag", "\"money\"" },
		{ "tag of the mail", { .settings = ROUTE_INVOICES },
		    PLAIN ID "X-PM-Tag: mine\r\n\r\nhi", "routes.0.tag", "\"mine\"" },
		{ "stream", { .settings = ROUTE_INVOICES }, PLAIN ID "\r\nhi", "routes.0.stream",
		    "\"bills\"" },
		{ "stream in the message", { .settings = ROUTE_INVOICES }, PLAIN ID "\r\nhi",
		    "items.0.json.MessageStream", "\"bills\"" },
		{ "two routes, two groups, in the recipients' order",
		    { .settings = ROUTE_INVOICES, .to = "x@c.example y@b.example z@c.example" },
		    PLAIN ID "\r\nhi", "routes.0.recipients", "[\"x@c.example\",\"z@c.example\"]" },
		{ "the other group",
		    { .settings = ROUTE_INVOICES, .to = "x@c.example y@b.example z@c.example" },
		    PLAIN ID "\r\nhi", "routes.1.recipients", "[\"y@b.example\"]" },
		{ "each item has its route",
		    { .settings = ROUTE_INVOICES, .to = "x@c.example y@b.example" },
		    PLAIN ID "\r\nhi", "items.1.route", "\"invoices\"" },
		{ "the kind", { .to = "x@c.example" }, PLAIN ID "\r\nhi", "items.0.kind",
		    "\"email\"" },
		{ "a reason that is the same for all is told once",
		    { .settings = "route shop {\n user = shop\n}\n",
			.to = "x@c.example y@c.example" },
		    PLAIN ID "\r\nhi", "routes.0.why_not",
		    "[{\"route\":\"shop\",\"recipient\":\"x@c.example\",\"why\":"
		    "\"user: a client without AUTH is not shop\"}]" },
		{ "user", { .settings = "route shop {\n user = shop\n}\n", .user = "shop" },
		    PLAIN ID "\r\nhi", "route", "\"shop\"" },
		{ "who brings it", { .client = "192.0.2.1", .user = "shop" }, PLAIN ID "\r\nhi",
		    "origin", "{\"listener\":\"\",\"client\":\"192.0.2.1\",\"user\":\"shop\"}" },
		{ "client",
		    { .settings = "route lan {\n client = 192.0.2.0/24\n}\n",
			.client = "192.0.2.1" },
		    PLAIN ID "\r\nhi", "route", "\"lan\"" },
		{ "no client, but a route asks for it",
		    { .settings = "route lan {\n client = 192.0.2.0/24\n}\n" }, PLAIN ID "\r\nhi",
		    "warnings",
		    "[\"Routes ask for the client, and none was given: they do not match.\"]" },
		{ "listener",
		    { .settings = "smtp {\n listen = 127.0.0.1:2525\n}\nroute in {\n"
				  " listener = 127.0.0.1:2525\n}\n",
			.listener = "127.0.0.1:2525" },
		    PLAIN ID "\r\nhi", "route", "\"in\"" },
		{ "staging", { .settings = "route s {\n redirect-to = t@t.example\n}\n" },
		    PLAIN ID "\r\nhi", "routes.0.fate", "\"redirected\"" },
		{ "who gets it", { .settings = "route s {\n redirect-to = T@T.example\n}\n" },
		    PLAIN ID "\r\nhi", "routes.0.redirected_to", "[\"T@t.example\"]" },
		{ "whom it was for", { .settings = "route s {\n redirect-to = t@t.example\n}\n" },
		    PLAIN ID "\r\nhi", "routes.0.recipients", "[\"bob@b.example\"]" },
		{ "and the message", { .settings = "route s {\n redirect-to = t@t.example\n}\n" },
		    PLAIN ID "\r\nhi", "items.0.json.To", "\"t@t.example\"" },
		{ "captured", { .settings = "route s {\n capture = yes\n}\n" }, PLAIN ID "\r\nhi",
		    "routes.0.fate", "\"captured\"" },
		{ "two fates of one route",
		    { .settings = "route s {\n allow-recipients = @b.example\n}\n",
			.to = "x@b.example y@c.example" },
		    PLAIN ID "\r\nhi", "routes.1.fate", "\"captured\"" },
		{ "the sandbox", { .settings = "route s {\n sandbox = yes\n}\n" },
		    PLAIN ID "\r\nhi", "routes.0.sandbox", "true" },
		{ "connection", { .settings = ROUTE_INVOICES }, PLAIN ID "\r\nhi",
		    "routes.0.connection", "\"default\"" },
		{ "reply", { .settings = "route s {\n reply = postmark\n}\n" }, PLAIN ID "\r\nhi",
		    "routes.0.reply", "\"postmark\"" },
		{ "policies", { .settings = "" }, SIGNED, "routes.0.policies.2",
		    "{\"word\":\"signed\",\"policy\":\"convert\",\"applies\":true}" },
		{ "of which some do not apply", { .settings = "" }, SIGNED, "routes.0.policies.3",
		    "{\"word\":\"encrypted\",\"policy\":\"convert\",\"applies\":false}" },
		{ "a policy that refuses", { .settings = "route s {\n on-signed = reject\n}\n" },
		    SIGNED, "routes.0.refusal.status", "\"5.6.1\"" },
		{ "refuses the mail", { .settings = "route s {\n on-signed = reject\n}\n" }, SIGNED,
		    "refusal.code", "554" },
		{ "of all routes",
		    { .settings =
			    "route s {\n envelope-to = @b.example\n on-signed = reject\n}\n" },
		    SIGNED, "items", "[]" },
		{ "though another would take it",
		    { .settings =
			    "route s {\n envelope-to = @c.example\n on-signed = reject\n}\n" },
		    SIGNED, "routes.0.refusal", NULL },
		{ "by SMTP", { .settings = "route s {\n on-signed = smtp\n}\n" }, SIGNED,
		    "items.0.kind", "\"smtp\"" },
		{ "because of", { .settings = "route s {\n on-signed = smtp\n}\n" }, SIGNED,
		    "routes.0.because", "\"signed\"" },
		{ "the way", { .settings = "route s {\n on-signed = smtp\n}\n" }, SIGNED,
		    "routes.0.way", "\"smtp\"" },
		{ "the policy that decided", { .settings = "route s {\n on-signed = smtp\n}\n" },
		    SIGNED, "routes.0.policies.2",
		    "{\"word\":\"signed\",\"policy\":\"smtp\",\"applies\":true}" },
		{ "nothing is lost", { .settings = "route s {\n on-signed = smtp\n}\n" }, SIGNED,
		    "lost", "[]" },
		{ "there is no JSON", { .settings = "route s {\n on-signed = smtp\n}\n" }, SIGNED,
		    "items.0.json", "null" },
		{ "what is put in front",
		    { .settings = "route s {\n on-signed = smtp\n tag = t\n"
				  " message-stream = m\n}\n" },
		    SIGNED, "items.0.head",
		    "\"X-PM-Metadata-relay-id: 00000000000000000000000000-1\\r\\n"
		    "X-PM-Message-Stream: m\\r\\nX-PM-Tag: t\\r\\nX-PM-KeepID: true\\r\\n\"" },
		{ "a body that begins with a blank is none of the header",
		    { .settings = "route s {\n on-date = smtp\n tag = t\n}\n" },
		    PLAIN "Date: Mon, 1 Jan 2024 00:00:00 +0000\r\n\r\n x\r\ny: z\r\n",
		    "items.0.head",
		    "\"X-PM-Metadata-relay-id: 00000000000000000000000000-1\\r\\n"
		    "X-PM-Message-Stream: outbound\\r\\nX-PM-Tag: t\\r\\n\"" },
		{ "what is taken out", { .settings = "route s {\n on-signed = smtp\n}\n" }, SIGNED,
		    "items.0.removed", "[\"Bcc\"]" },
		{ "a template", { .settings = "route s {\n template = welcome\n}\n" },
		    PLAIN ID "\r\nhi", "routes.0.template", "\"welcome\"" },
		{ "its item", { .settings = "route s {\n template = welcome\n}\n" },
		    PLAIN ID "\r\nhi", "items.0.kind", "\"template\"" },
		{ "its model",
		    { .settings = "route s {\n template = welcome\n"
				  " template-match = \"text: (?<who>\\\\w+)\"\n}\n" },
		    PLAIN ID "\r\nAnn", "items.0.json.TemplateModel", "{\"who\":\"Ann\"}" },
		{ "no template", { .settings = "" }, PLAIN ID "\r\nhi", "routes.0.template",
		    "null" },
		{ "From rewritten",
		    { .settings = "route s {\n from = us@us.example\n from-rewrite = force\n}\n" },
		    PLAIN ID "\r\nhi", "routes.0.from", "\"us@us.example\"" },
		{ "the limit of sessions", { .settings = "smtp {\n message-size = 2048\n}\n" },
		    PLAIN ID "\r\nhi", "sizes.7.limit", "2048" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check(&cases[i].as, cases[i].reason, cases[i].content, cases[i].path,
		    cases[i].expected);
}

/* What is not refused, and should be known. */
static void
test_warnings(void **state)
{
	static const struct {
		const char *reason;
		struct asking as;
		const char *content, *expected;
	} cases[] = {
		{ "nothing", { .from = NULL }, PLAIN ID "\r\nhi", "[]" },
		{ "no Message-ID", { .from = NULL }, PLAIN "\r\nhi",
		    "[\"There is no Message-ID: Postmark makes one of its own.\"]" },
		{ "addresses that nobody sends to", { .to = "x@x.example" }, PLAIN ID "\r\nhi",
		    "[\"To and Cc have 1 addresses that are not in the envelope, and no message "
		    "shows them: bob@b.example.\"]" },
		{ "not of a mail that stays as it is",
		    { .settings = "route s {\n on-signed = smtp\n}\n", .to = "x@x.example" },
		    SIGNED, "[]" },
		{ "an author without leave",
		    { .settings =
			    "route s {\n from = us@us.example\n from-authorised = @us.example\n"
			    " from-rewrite = if-unauthorised\n}\n" },
		    PLAIN ID "\r\nhi",
		    "[\"From ann@a.example is not in from-authorised of the route s, and the "
		    "route's own address takes its place.\"]" },
		{ "one with leave",
		    { .settings =
			    "route s {\n from = us@us.example\n from-authorised = @A.example\n"
			    " from-rewrite = if-unauthorised\n}\n" },
		    PLAIN ID "\r\nhi", "[]" },
		{ "the sender of several authors is who is asked about",
		    { .settings =
			    "route s {\n from = us@us.example\n from-authorised = @A.example\n"
			    " from-rewrite = if-unauthorised\n on-date = smtp\n}\n",
			.from = "x@x.example",
			.to = "bob@b.example" },
		    "From: x@x.example, y@x.example\r\nSender: ann@a.example\r\n"
		    "To: bob@b.example\r\nDate: now\r\n" ID "\r\nhi",
		    "[]" },
		{ "a template's pattern that is given up",
		    { .settings = "route s {\n template = t\n"
				  " template-match = \"subject: (?<x>(a+)+)$\"\n}\n" },
		    "From: ann@a.example\r\nTo: bob@b.example\r\n" ID
		    "Subject: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab\r\n\r\nhi",
		    "[\"A pattern of the template of the route s is too much work for this mail, "
		    "and counts as no match: subject: (?<x>(a+)+)$.\"]" },
		{ "a wrong charset", { .from = NULL },
		    PLAIN ID "Content-Type: text/plain; charset=utf-8\r\n\r\na\xff z\r\n",
		    "[\"The text is not in the charset it claims: what 1 of its sequences meant is "
		    "lost.\"]" },
		{ "an image that is shown", { .from = NULL }, HTML("<img src=\"cid:logo@a\">"),
		    "[]" },
		{ "the same as a URL writes it", { .from = NULL }, HTML("<img src='CID:logo%40a'>"),
		    "[]" },
		{ "an image that is not", { .from = NULL }, HTML("<p>hi</p>"),
		    "[\"The HTML does not show 1 of the inline images: logo@a.\"]" },
		{ "an image that is missing", { .from = NULL },
		    HTML("<img src=cid:logo@a><img src=cid:else>"),
		    "[\"The HTML wants 1 images that no part has: cid:else.\"]" },
		{ "no cid but acid: of a word", { .from = NULL },
		    HTML("<img src=cid:logo@a> acid:rain"), "[]" },
		{ "near the limit of a session",
		    { .settings = "smtp {\n message-size = 1024\n}\n" },
		    PLAIN ID
		    "\r\n"
		    "0123456789012345678901234567890123456789012345678901234567890123456789\r\n"
		    "0123456789012345678901234567890123456789012345678901234567890123456789\r\n"
		    "0123456789012345678901234567890123456789012345678901234567890123456789\r\n"
		    "0123456789012345678901234567890123456789012345678901234567890123456789\r\n"
		    "0123456789012345678901234567890123456789012345678901234567890123456789\r\n"
		    "0123456789012345678901234567890123456789012345678901234567890123456789\r\n"
		    "0123456789012345678901234567890123456789012345678901234567890123456789\r\n"
		    "0123456789012345678901234567890123456789012345678901234567890123456789\r\n"
		    "0123456789012345678901234567890123456789012345678901234567890123456789\r\n"
		    "0123456789012345678901234567890123456789012345678901234567890123456789\r\n"
		    "0123456789012345678901234567890123456789012345678901234567890123456789\r\n"
		    "0123456789012345678901234567890123456789012345678901234567890123456789\r\n",
		    "[\"mail is near its limit: 970 of 1024 bytes; a little more of it would be "
		    "refused.\"]" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check(
		    &cases[i].as, cases[i].reason, cases[i].content, "warnings", cases[i].expected);
}

static void
test_warning_of_recipients(void **state)
{
	static const char content[] = "From: a@a.example\r\n" ID "\r\nhi";
	struct asking as = { .settings = "smtp {\n recipients = 100\n}\n" };
	struct buf recipients;
	json_t *object;

	(void)state;
	buf_init(&recipients, 10000);
	for (unsigned i = 0; i < 101; i++)
		buf_addf(&recipients, "r%u@b.example ", i);
	as.to = recipients.data;
	object = ask_as(&as, content, strlen(content), 1 << 20);
	assert_string_equal(json_string_value(member(object, "warnings.0")),
	    "A transaction of SMTP has at most 100 recipients (smtp.recipients): a client has to "
	    "send this mail in several.");
	json_decref(object);
	buf_free(&recipients);
}

/* What a session does not let in at all. */
static void
test_session_limits(void **state)
{
	const struct asking small = { .settings = "smtp {\n message-size = 1024\n}\n" };
	const struct asking any = { .settings = "" };
	char content[1200] = "From: a@a.example\r\nTo: b@b.example\r\n\r\n";
	json_t *object;

	(void)state;
	memset(content + strlen(content), 'x', 1025 - strlen(content));
	object = ask_as(&small, content, 1025, 1 << 20);
	assert_int_equal(json_integer_value(member(object, "refusal.code")), 552);
	assert_string_equal(json_string_value(member(object, "refusal.text")),
	    "mail of 1025 bytes is over the limit of 1024 bytes");
	assert_int_equal(json_array_size(member(object, "routes")), 0);
	json_decref(object);

	content[600] = '\0';
	object = ask_as(&any, content, 1025, 1 << 20);
	assert_string_equal(
	    json_string_value(member(object, "refusal.text")), "the mail contains a NUL byte");
	json_decref(object);
}

/* A mail by SMTP to so many that it makes several items, and with a payload that is a file. */
static void
test_smtp_items(void **state)
{
	const struct asking as = { .settings = "route s {\n on-sender = smtp\n}\n" };
	struct buf content;
	json_t *object;

	(void)state;
	buf_init(&content, 1 << 20);
	buf_adds(&content, "From: a@a.example\r\nSender: s@a.example\r\nX-PM-Tag: t\r\nTo: ");
	for (unsigned i = 1; i <= 60; i++)
		buf_addf(&content, "%sr%u@b.example", i == 1 ? "" : ",\r\n ", i);
	buf_adds(&content, "\r\n" ID "Subject: many\r\n\r\n");
	for (unsigned i = 0; i < 20000; i++)
		buf_adds(&content, "hello hello\r\n");
	object = ask_as(&as, content.data, content.len, 1 << 20);
	assert_int_equal(json_array_size(member(object, "items")), 2);
	assert_string_equal(json_string_value(member(object, "items.1.head")),
	    "X-PM-Metadata-relay-id: 00000000000000000000000000-2\r\n"
	    "X-PM-Message-Stream: outbound\r\nX-PM-Tag: t\r\nX-PM-KeepID: true\r\n");
	assert_string_equal(json_string_value(member(object, "items.0.removed.0")), "X-PM-Tag");
	assert_true(json_integer_value(member(object, "items.0.bytes")) > 260000);
	assert_int_equal(json_integer_value(size_of(object, "SMTP message")),
	    json_integer_value(member(object, "items.0.bytes")));
	assert_null(size_of(object, "message"));
	assert_null(size_of(object, "TextBody"));
	json_decref(object);
	buf_free(&content);
}

/* Headers and HTML of a size that is no mail's: what is said of them takes no time, and each is
 * said once. */
static void
test_large_hints(void **state)
{
	const struct asking as = { .settings = "route s {\n allow-recipients = x@x.example\n"
					       " from-authorised = @us.example\n}\n",
		.from = "a@a.example",
		.to = "x@x.example y@y.example" };
	struct buf content;
	json_t *object;

	(void)state;
	buf_init(&content, 1 << 25);
	buf_adds(&content, "From: a@a.example\r\n" ID "To: ");
	for (unsigned i = 1; i <= 9000; i++)
		buf_addf(&content, "%sr%u@b.example", i == 1 ? "" : ",\r\n ", i);
	buf_adds(&content, "\r\nContent-Type: text/html\r\n\r\n");
	for (unsigned i = 0; i < 100000; i++)
		buf_addf(&content, "<img src=cid:%u>\r\n", i);
	object = ask_as(&as, content.data, content.len, 1 << 25);
	assert_true(json_is_true(member(object, "ok")));
	assert_int_equal(json_array_size(member(object, "routes")), 2);
	assert_int_equal(json_array_size(member(object, "warnings")), 2);
	assert_string_equal(json_string_value(member(object, "warnings.0")),
	    "From a@a.example is not in from-authorised of the route s, and the route lets it "
	    "stay.");
	assert_string_equal(json_string_value(member(object, "warnings.1")),
	    "To and Cc have at least 1000 addresses that are not in the envelope, and no message "
	    "shows them: r1@b.example, r2@b.example, r3@b.example and 997 more.");
	json_decref(object);
	buf_free(&content);
}

static void
test_sizes(void **state)
{
	static const char content[] =
	    "From: a@a.example\r\nTo: b@b.example, c@c.example\r\nSubject: "
	    "=?utf-8?Q?a=F0=9F=98=80?="
	    "\r\nX-PM-Tag: welcome\r\nX-PM-Metadata-one: 1\r\n\r\nhello\r\n";
	json_t *object = ask(NULL, NULL, content, sizeof(content) - 1, 1 << 20);

	(void)state;
	assert_int_equal(json_integer_value(size_of(object, "message")),
	    json_integer_value(member(object, "items.0.bytes")));
	assert_int_equal(json_integer_value(size_of(object, "TextBody")), 6);
	assert_int_equal(json_integer_value(size_of(object, "HtmlBody")), 0);
	assert_int_equal(json_integer_value(size_of(object, "recipients")), 2);
	assert_int_equal(json_integer_value(size_of(object, "subject")), 3);
	assert_int_equal(json_integer_value(size_of(object, "tag")), 7);
	assert_int_equal(json_integer_value(size_of(object, "metadata")), 2);
	assert_int_equal(json_integer_value(member(object, "sizes.0.limit")), 10485760);
	assert_string_equal(json_string_value(member(object, "sizes.4.unit")), "UTF-16 units");
	json_decref(object);
}

/* Sixty who are all named: two items of whole messages. */
static void
test_many_recipients(void **state)
{
	struct buf content;
	json_t *object;
	size_t first;

	(void)state;
	buf_init(&content, 1 << 20);
	buf_adds(&content, "From: a@a.example\r\nTo: ");
	for (unsigned i = 1; i <= 60; i++)
		buf_addf(&content, "%sr%u@b.example", i == 1 ? "" : ",\r\n ", i);
	buf_adds(&content, "\r\nSubject: many\r\n\r\nhi\r\n");
	object = ask(NULL, NULL, content.data, content.len, 1 << 20);
	assert_true(json_is_true(member(object, "ok")));
	assert_int_equal(json_array_size(member(object, "items")), 2);
	assert_int_equal(json_array_size(member(object, "items.0.recipients")), 50);
	assert_int_equal(json_array_size(member(object, "items.1.recipients")), 10);
	assert_int_equal(json_integer_value(member(object, "items.1.number")), 2);
	assert_int_equal(json_integer_value(size_of(object, "recipients")), 50);
	assert_string_equal(json_string_value(member(object, "items.1.json.TextBody")), "hi\n");
	assert_non_null(strstr(json_string_value(member(object, "items.1.to")), "r60@b.example"));
	first = (size_t)json_integer_value(member(object, "items.0.bytes"));
	json_decref(object);

	/* Room for the first message alone. */
	object = ask(NULL, NULL, content.data, content.len, first + 10);
	assert_true(json_is_object(member(object, "items.0.json")));
	assert_true(json_is_null(member(object, "items.1.json")));
	assert_string_equal(json_string_value(member(object, "warnings.0")),
	    "The messages of 1 items are not shown whole: they are too large together.");
	json_decref(object);
	buf_free(&content);
}

/* The same message for sixty who must not see each other: sixty items. */
static void
test_many_blind(void **state)
{
	struct buf recipients;
	json_t *object;

	(void)state;
	buf_init(&recipients, 1 << 16);
	for (unsigned i = 1; i <= 60; i++)
		buf_addf(&recipients, "r%u@b.example ", i);
	object =
	    ask("a@a.example", recipients.data, PLAIN "\r\nhi\r\n", strlen(PLAIN) + 6, 1 << 20);
	/* bob, whom the header shows, is not in the envelope. */
	assert_int_equal(json_array_size(member(object, "items")), 60);
	assert_string_equal(json_string_value(member(object, "items.59.to")), "r60@b.example");
	assert_string_equal(json_string_value(member(object, "items.59.json.To")), "r60@b.example");
	assert_string_equal(json_string_value(member(object, "lost.0.word")), "shown-recipients");
	json_decref(object);
	buf_free(&recipients);
}

static void
test_too_large(void **state)
{
	struct buf content;
	json_t *object;

	(void)state;
	buf_init(&content, 1 << 25);
	buf_adds(&content, PLAIN "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n"
				 "text\r\n--b\r\nContent-Type: application/pdf; name=a.pdf\r\n"
				 "Content-Disposition: attachment\r\n\r\n");
	for (size_t i = 0; i < 9 * 1024 * 16; i++)
		buf_adds(
		    &content, "0123456789012345678901234567890123456789012345678901234567890\r\n");
	buf_adds(&content, "--b--\r\n");
	object = ask(NULL, NULL, content.data, content.len, 1 << 25);
	assert_true(json_is_false(member(object, "ok")));
	assert_int_equal(json_integer_value(member(object, "refusal.code")), 552);
	assert_int_equal(json_array_size(member(object, "items")), 0);
	assert_true(json_integer_value(size_of(object, "message")) > 10485760);
	assert_int_equal(json_integer_value(size_of(object, "TextBody")), 4);
	assert_int_equal(json_integer_value(member(object, "attachments")), 1);
	json_decref(object);
	buf_free(&content);
}

/* Nothing can be taken from a header like this, but the reason is said. */
static void
test_unreadable_header(void **state)
{
	struct buf content;
	json_t *object;

	(void)state;
	buf_init(&content, 1 << 20);
	buf_adds(&content, "From: a@a.example\r\nTo: b@b.example\r\n");
	for (unsigned i = 0; i < 1000; i++)
		buf_addf(&content, "X-%u: x\r\n", i);
	buf_adds(&content, "\r\nhi\r\n");
	object = ask(NULL, NULL, content.data, content.len, 1 << 20);
	assert_int_equal(json_integer_value(member(object, "refusal.code")), 554);
	assert_string_equal(json_string_value(member(object, "refusal.status")), "5.6.0");
	assert_int_equal(json_array_size(member(object, "envelope.recipients")), 0);
	assert_null(member(object, "subject"));
	assert_int_equal(json_array_size(member(object, "sizes")), 1);
	assert_non_null(size_of(object, "mail"));
	assert_int_equal(json_array_size(member(object, "routes")), 0);
	json_decref(object);
	buf_free(&content);
}

static void
test_not_looked_at(void **state)
{
	const struct explain_input input = { .reverse_path = "a@a.example", .content_len = 7 };
	struct config *config;
	struct rules *rules = rules_of("", &config);
	struct refusal refusal;
	struct buf out;
	json_t *object;

	(void)state;
	refusal_set(&refusal, 452, "4.3.1", "later");
	buf_init(&out, 10000);
	explain_refused(rules, &input, &refusal, &out);
	rules_free(&rules);
	config_free(&config);
	object = told(&out);
	assert_int_equal(json_integer_value(member(object, "refusal.code")), 452);
	assert_string_equal(
	    json_string_value(member(object, "envelope.reverse_path")), "a@a.example");
	assert_int_equal(json_integer_value(member(object, "content_bytes")), 7);
	assert_int_equal(json_array_size(member(object, "items")), 0);
	json_decref(object);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_routes),
		cmocka_unit_test(test_warnings),
		cmocka_unit_test(test_warning_of_recipients),
		cmocka_unit_test(test_session_limits),
		cmocka_unit_test(test_smtp_items),
		cmocka_unit_test(test_large_hints),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_many_recipients),
		cmocka_unit_test(test_many_blind),
		cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_unreadable_header),
		cmocka_unit_test(test_not_looked_at),
	};

	convert_setup();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
