/* Templates by a mail's own word and by a route's patterns. */

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "convert/template.h"
#include "lab.h"

#define HEAD    "From: Ann <s@shop.example>\nTo: ann@x.example\nSubject: Hi\n"
#define ALIAS   HEAD "X-PM-Template-Alias: welcome\n"
#define NO_TEXT "'Subject':null,'TextBody':null,'HtmlBody':null"
#define PART(json)                                                                                 \
	"Content-Type: multipart/mixed; boundary=m\n\n--m\n\ntext\n--m\n"                          \
	"Content-Type: application/json; name=template-model.json\n\n" json "\n--m\n"              \
	"Content-Type: a/b; name=a.b\n\nA\n--m--\n"

static const struct {
	const char *reason;
	const char *content;
	const char *expected;
	const char *ledger;
} words[] = {
	{ "alias alone", ALIAS "\ntext",
	    "{" NO_TEXT ",'TemplateAlias':'welcome','TemplateId':null,'TemplateModel':{},"
	    "'InlineCss':null,'Attachments':null}",
	    "template" },
	{ "id", HEAD "X-PM-Template-Id: 0001234\nX-PM-Inline-Css: false\n\ntext",
	    "{" NO_TEXT ",'TemplateId':1234,'TemplateAlias':null,'InlineCss':false}", "template" },
	{ "both: the id", ALIAS "x-pm-templateid: 9223372036854775807\n\ntext",
	    "{'TemplateId':9223372036854775807,'TemplateAlias':null}", "x-pm,template" },
	{ "a model, folded",
	    ALIAS
	    "X-PM-Template-Model: {\"name\": \"Ann\",\n \"lines\": [ {\"n\": 1},\n\t{\"n\":2} "
	    "] }\n\ntext",
	    "{" NO_TEXT ",'TemplateModel':{'name':'Ann','lines':[{'n':1},{'n':2}]}}", "template" },
	{ "a model in encoded words",
	    ALIAS
	    "X-PM-Template-Model: =?utf-8?B?eyJuYW1lIjoiSsO8?=\n =?utf-8?B?cmdlbiJ9?=\n\ntext",
	    "{'TemplateModel':{'name':'J\u00fcrgen'}}", "template" },
	{ "numbered, in any order",
	    ALIAS "X-PM-Template-Model-2: b\": 2\nX-PM-Template-Model-10: \"k\":0}\n"
		  "X-PM-Template-Model-1: {\"a\nX-PM-Template-Model-3: ,\nX-PM-Template-Model-4: "
		  "\"c\"\nX-PM-Template-Model-5: :\nX-PM-Template-Model-6: 1\n"
		  "X-PM-Template-Model-7: ,\nX-PM-Template-Model-8: \"d\":\n"
		  "X-PM-Template-Model-9: 3,\n\ntext",
	    "{'TemplateModel':{'ab':2,'c':1,'d':3,'k':0}}", "template" },
	{ "the field without a number first",
	    ALIAS "X-PM-Template-Model-1: :1}\nX-PM-TemplateModel: {\"a\"\n\ntext",
	    "{'TemplateModel':{'a':1}}", "template" },
	{ "a part, which is no attachment then", ALIAS PART("{\n\t\"a\": [ true, null ]\n}"),
	    "{" NO_TEXT ",'TemplateModel':{'a':[true,null]},'Attachments':[{'Name':'a.b',"
	    "'ContentType':'a/b','Content':'QQ=='}]}",
	    "template" },
	{ "a part without a template is an attachment", HEAD PART("{}"),
	    "{'Subject':'Hi','TextBody':'text','TemplateModel':null,'Attachments':[{"
	    "'Name':'template-model.json','ContentType':'application/json','Content':'e30='},"
	    "{'Name':'a.b','ContentType':'a/b','Content':'QQ=='}]}",
	    "" },
	{ "a part of another type is an attachment",
	    ALIAS "Content-Type: text/plain; name=template-model.json\nContent-Disposition: "
		  "attachment\n\n{\"a\":1}",
	    "{'TemplateModel':{},'Attachments':[{'Name':'template-model.json','ContentType':"
	    "'text/plain','Content':'eyJhIjoxfQ=='}]}",
	    "template" },
	{ "attachments stay, and the stand-in body is not needed",
	    ALIAS "Content-Type: a/b; name=a.b\n\nA",
	    "{" NO_TEXT ",'Attachments':[{'Name':'a.b','ContentType':'a/b','Content':'QQ=='}]}",
	    "template" },
	{ "empty fields say nothing",
	    HEAD "X-PM-Template-Alias:\nX-PM-Template-Model:\nX-PM-Inline-Css:\n\ntext",
	    "{'Subject':'Hi','TextBody':'text','TemplateModel':null}", "" },
};

static void
test_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		const struct lab_run run = { .options = lab_options(),
			.recipients = "ann@x.example" };
		struct mail *mail = lab_mail(words[i].reason, &run, words[i].content);
		json_t *expected = lab_expectation(words[i].expected), *got = lab_item(mail, 0);
		bool has = json_object_get(got, "TemplateModel") != NULL;

		lab_compare(words[i].reason, expected, got);
		if (strcmp(mail->ledger, words[i].ledger) != 0)
			fail_msg("%s: ledger %s", words[i].reason, mail->ledger);
		assert_int_equal(mail->items[0].kind, has ? ITEM_TEMPLATE : ITEM_EMAIL);
		assert_string_equal(mail->subject, "Hi");
		json_decref(expected);
		json_decref(got);
		mail_free(&mail);
	}
}

static void
test_model_digit_for_digit(void **state)
{
	static const char content[] =
	    ALIAS "X-PM-Template-Model: { \"n\" : 12345678901234567890.10, \"e\": 1E+2, \"u\": "
		  "\"\\u00fc  \\\" \\/\", \"z\":-0 }\n\ntext";
	const struct lab_run run = { .options = lab_options(),
		.recipients = "ann@x.example bo@x.example" };
	struct mail *mail = lab_mail("digits", &run, content);

	(void)state;
	size_t len;
	char *bytes = lab_item_bytes(mail, 0, &len);

	assert_non_null(
	    strstr(bytes, "\"TemplateModel\":{\"n\":12345678901234567890.10,\"e\":1E+2,\"u\":"
			  "\"\\u00fc  \\\" \\/\",\"z\":-0}"));
	free(bytes);
	mail_free(&mail);
}

static void
test_words_refused(void **state)
{
	static const struct {
		const char *reason;
		const char *content;
		const char *text;
	} cases[] = {
		{ "alias", HEAD "X-PM-Template-Alias: 1st\r\n\r\nx",
		    "X-PM-Template-Alias must be" },
		{ "alias with a space", HEAD "X-PM-Template-Alias: a b\r\n\r\nx", "letter" },
		{ "id", HEAD "X-PM-Template-Id: 12a\r\n\r\nx", "X-PM-Template-Id must be" },
		{ "id of more digits", HEAD "X-PM-Template-Id: 9223372036854775808\r\n\r\nx",
		    "X-PM-Template-Id must be" },
		{ "css", ALIAS "X-PM-Inline-Css: no\r\n\r\nx", "true or false" },
		{ "a model for nothing", HEAD "X-PM-Template-Model: {}\r\n\r\nx",
		    "needs an X-PM-Template-Alias" },
		{ "no object", ALIAS "X-PM-Template-Model: [1]\r\n\r\nx", "is a JSON object" },
		{ "syntax", ALIAS "X-PM-Template-Model: {\"a\": 1, b}\r\n\r\nx",
		    "X-PM-Template-Model: line 1, column 10: " },
		{ "in the second of two",
		    ALIAS "X-PM-Template-Model-1: {\"a\": 1,\r\nX-PM-Template-Model-2: "
			  "\"b\" 2}\r\n\r\nx",
		    "X-PM-Template-Model-2: line 1, column 5: " },
		{ "twice the same key", ALIAS "X-PM-Template-Model: {\"a\":1,\"a\":2}\r\n\r\nx",
		    "duplicate object key" },
		{ "more behind it", ALIAS "X-PM-Template-Model: {} {}\r\n\r\nx", "end of file" },
		{ "a number missing",
		    ALIAS "X-PM-Template-Model-1: {\r\nX-PM-Template-Model-3: "
			  "}\r\n\r\nx",
		    "X-PM-Template-Model-2 is missing before X-PM-Template-Model-3" },
		{ "a number twice",
		    ALIAS "X-PM-Template-Model-1: {\r\nX-PM-Template-Model-01: "
			  "}\r\n\r\nx",
		    "stands there twice" },
		{ "a number that is none", ALIAS "X-PM-Template-Model-x: {}\r\n\r\nx",
		    "a number from 1 on" },
		{ "in a part", ALIAS PART("{\n \"a\": 1,\n \"b\": tru\n}"),
		    "template-model.json: line 3, column 9: " },
		{ "bytes that are no UTF-8 in a part", ALIAS PART("{\"a\":\"\xff\"}"),
		    "template-model.json: line 1, column " },
		{ "two models", ALIAS "X-PM-Template-Model: {}\n" PART("{}"), "two models" },
		{ "NUL", ALIAS PART("{\"a\":\"\\u0000\"}"), "template-model.json: line 1" },
	};
	const struct lab_run run = { .options = lab_options(), .recipients = "ann@x.example" };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		lab_refused(cases[i].reason, &run, cases[i].content, strlen(cases[i].content), 554,
		    "5.6.0", cases[i].text);
}

static void
test_model_bounds(void **state)
{
	const struct lab_run run = { .options = lab_options(), .recipients = "ann@x.example" };

	(void)state;
	for (size_t depth = TEMPLATE_MOST_DEPTH; depth <= TEMPLATE_MOST_DEPTH + 1; depth++) {
		struct buf content;

		buf_init(&content, SIZE_MAX / 4);
		buf_adds(&content, ALIAS "X-PM-Template-Model: ");
		for (size_t i = 0; i < depth; i++)
			buf_adds(&content, "{\"[\":");
		buf_adds(&content, "\"}\"");
		for (size_t i = 0; i < depth; i++)
			buf_addc(&content, '}');
		buf_adds(&content, "\n\nx");
		if (depth == TEMPLATE_MOST_DEPTH) {
			struct mail *mail = lab_mail("depth", &run, content.data);

			mail_free(&mail);
		} else {
			lab_refused("depth", &run, content.data, content.len, 554, "5.6.0",
			    "column 321: objects and arrays are nested deeper than the limit of "
			    "64");
		}
		buf_free(&content);
	}
	for (size_t more = 0; more < 2; more++) {
		struct buf content;

		buf_init(&content, SIZE_MAX / 4);
		buf_adds(&content, ALIAS "Content-Type: application/json; name=template-model.json"
					 "\n\n{\"a\":\"");
		for (size_t i = 8; i < TEMPLATE_MOST_MODEL_BYTES + more; i++)
			buf_addc(&content, 'x');
		buf_adds(&content, "\"}");
		if (more == 0) {
			struct mail *mail = lab_mail("size", &run, content.data);

			mail_free(&mail);
		} else {
			lab_refused("size", &run, content.data, content.len, 552, "5.3.4",
			    "model has 1048577 bytes, and the limit is 1048576");
		}
		buf_free(&content);
	}
}

/* --- routes ------------------------------------------------------------------ */

struct rule_case {
	const char *reason;
	const char *matches[8];
	const char *values[8];
	const char *content;
	const char *expected; /* NULL: refused; its members, TemplateModel among them */
	const char *ledger;
	bool otherwise_refuse;
	const char *says;
	unsigned deny;
};

#define BACKUP                                                                                     \
	"From: Backup <backup@host1.example>\nTo: ann@x.example\nX-Job: nightly\n"                 \
	"Subject: Backup of db1: FAILED\nDate: Mon, 23 Nov 2026 06:00:00 +0000\n\n"                \
	"Report\ndisk: sda used 10%\ndisk: sdb used 95%\nTook 12 s\n"

static const struct rule_case rules[] = {
	{ "a status mail of a program that knows nothing of templates",
	    { "subject: ^backup of (?<job>\\S+): (?<result>\\w+)$", "header:X-Job: ." },
	    { "kind=header:x-job", "mail.from=from-address", "mail.name=from-name",
		"mail.date=date", "site=literal: North = 1", "raw=subject" },
	    BACKUP,
	    "{" NO_TEXT ",'TemplateAlias':'status','InlineCss':null,'TemplateModel':{'job':'db1',"
	    "'result':'FAILED','kind':'nightly','mail':{'from':'backup@host1.example','name':"
	    "'Backup','date':'Mon, 23 Nov 2026 06:00:00 +0000'},'site':'North = 1','raw':"
	    "'Backup of db1: FAILED'}}",
	    .ledger = "date,template" },
	{ "each", { "each disks: text: (?m)^disk: (?<name>\\w+) used (?<used>\\d+)%$" }, { NULL },
	    BACKUP,
	    "{'TemplateModel':{'disks':[{'name':'sda','used':'10'},{'name':'sdb','used':'95'}]}}",
	    .ledger = "date,template" },
	{ "each within an object", { "each a.b: text: (?m)^disk: (?<name>\\w+)" }, { "a.c=to" },
	    BACKUP,
	    "{'TemplateModel':{'a':{'b':[{'name':'sda'},{'name':'sdb'}],'c':'ann@x.example'}}}",
	    .ledger = "date,template" },
	{ "no pattern: any mail", { NULL }, { "text=text", "html=html", "all=from" }, BACKUP,
	    "{'TemplateModel':{'text':'Report\\ndisk: sda used 10%\\ndisk: sdb used 95%\\nTook 12 "
	    "s\\n','html':'','all':'\"Backup\" <backup@host1.example>'}}",
	    .ledger = "date,template" },
	{ "a pattern without case, and one with", { "subject: BACKUP", "subject: (?-i)Backup" },
	    { NULL }, BACKUP, "{'TemplateModel':{}}", .ledger = "date,template" },
	{ "a group that took no part is left out", { "subject: (?<a>Backup)|(?<b>Restore)" },
	    { NULL }, BACKUP, "{'TemplateModel':{'a':'Backup'}}", .ledger = "date,template" },
	{ "no match: without the template", { "subject: restore" }, { NULL }, BACKUP,
	    "{'TemplateModel':null,'Subject':'Backup of db1: FAILED','TemplateAlias':null}",
	    .ledger = "date,no-template" },
	{ "no match: refused", { "subject: Backup", "header:X-Job: weekly" }, { NULL }, BACKUP,
	    NULL, .otherwise_refuse = true,
	    .says = "fits the template status, and pattern 2 does not match on header:X-Job" },
	{ "each without one", { "each a: text: (?<none>no such)" }, { NULL }, BACKUP, NULL,
	    .otherwise_refuse = true, .says = "pattern 1 does not match on text" },
	{ "a pattern that would never end", { "text: ^(\\w+\\s?)*\\$(?<a>)" }, { NULL },
	    "From: s@x.e\n\n"
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n",
	    "{'TemplateModel':null}", .ledger = "no-template" },
	{ "the stand-in body is no text", { "text: ^$" }, { "t=text" },
	    "From: s@x.e\nContent-Type: a/b; name=a.b\n\nA", "{'TemplateModel':{'t':''}}",
	    .ledger = "template" },
	{ "the mail's word beats the route's", { "subject: restore" }, { NULL }, ALIAS "\nx",
	    "{'TemplateAlias':'welcome','TemplateModel':{}}", .ledger = "template" },
	{ "unless it may not", { NULL }, { "s=subject" },
	    ALIAS "X-PM-Template-Model: junk\nX-PM-Inline-Css: junk\n\nx",
	    "{'TemplateAlias':'status','TemplateModel':{'s':'Hi'}}", "x-pm,template",
	    .deny = 1U << CONTROL_TEMPLATE },
	{ "nor bring a model, which stays a file", { NULL }, { "s=subject" }, HEAD PART("{}"),
	    "{'TemplateAlias':'status','TemplateModel':{'s':'Hi'},'Attachments':[{"
	    "'Name':'template-model.json','ContentType':'application/"
	    "json','Content':'e30='},{'Name':"
	    "'a.b','ContentType':'a/b','Content':'QQ=='}]}",
	    "x-pm,template", .deny = 1U << CONTROL_TEMPLATE },
	{ "a model of the mail for the route's template", { "subject: restore" }, { "s=subject" },
	    HEAD "X-PM-Template-Model: {\"x\":1}\nX-PM-Inline-Css: false\n\nx",
	    "{'TemplateAlias':'status','TemplateModel':{'x':1},'InlineCss':false}",
	    .ledger = "template" },
	{ "the same in a part", { "subject: restore" }, { NULL }, HEAD PART("{\"x\":1}"),
	    "{'TemplateAlias':'status','TemplateModel':{'x':1}}", .ledger = "template" },
};

static struct template_rule *
rule_make(const struct rule_case *c, char *why, size_t why_size)
{
	struct strlist matches = { 0 }, values = { 0 };
	struct template_rule *rule;

	for (size_t i = 0; i < 8 && c->matches[i] != NULL; i++)
		strlist_add(&matches, c->matches[i]);
	for (size_t i = 0; i < 8 && c->values[i] != NULL; i++)
		strlist_add(&values, c->values[i]);
	rule = template_rule_new(
	    "status", &matches, &values, true, c->otherwise_refuse, why, why_size);
	strlist_free(&matches);
	strlist_free(&values);
	return rule;
}

static void
test_rules(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		const struct rule_case *c = &rules[i];
		struct lab_run run = { .options = lab_options(), .recipients = "ann@x.example" };
		struct mail *mail = NULL;
		struct refusal refusal;
		char why[400] = "";
		struct template_rule *rule = rule_make(c, why, sizeof(why));

		if (rule == NULL)
			fail_msg("%s: %s", c->reason, why);
		run.options.template = rule;
		run.options.controls = CONTROLS_ALL & ~c->deny;
		if (c->expected == NULL) {
			assert_int_equal(lab_convert_text(&run, c->content, &mail, &refusal), -1);
			assert_int_equal(refusal.code, 554);
			if (strstr(refusal.text, c->says) == NULL)
				fail_msg("%s: %s", c->reason, refusal.text);
		} else {
			mail = lab_mail(c->reason, &run, c->content);
			json_t *expected = lab_expectation(c->expected), *got = lab_item(mail, 0);

			lab_compare(c->reason, expected, got);
			if (strcmp(mail->ledger, c->ledger) != 0)
				fail_msg("%s: ledger %s", c->reason, mail->ledger);
			json_decref(expected);
			json_decref(got);
		}
		mail_free(&mail);
		template_rule_free(&rule);
	}
}

/* A longer text is given up; a pattern on it counts as not matching. */
static void
test_long_text(void **state)
{
	const struct rule_case c = { .matches = { "text: x$" }, .values = { "s=subject" } };
	struct lab_run run = { .options = lab_options(), .recipients = "ann@x.example" };
	char why[400];
	struct template_rule *rule = rule_make(&c, why, sizeof(why));

	(void)state;
	run.options.template = rule;
	for (size_t more = 0; more < 2; more++) {
		struct buf content;

		buf_init(&content, SIZE_MAX / 4);
		buf_adds(&content, "From: s@x.e\n\n");
		for (size_t i = 0; i < TEMPLATE_MOST_TEXT_BYTES + more; i++)
			buf_addc(&content, 'x');
		struct mail *mail = lab_mail("long", &run, content.data);
		assert_int_equal(mail->items[0].kind, more == 0 ? ITEM_TEMPLATE : ITEM_EMAIL);
		assert_string_equal(mail->ledger, more == 0 ? "template" : "no-template");
		mail_free(&mail);
		buf_free(&content);
	}
	template_rule_free(&rule);
}

static void
test_rules_refused(void **state)
{
	static const struct {
		const char *match, *value;
		const char *says;
	} cases[] = {
		{ "subject", NULL, "\"subject\": wanted SOURCE: pattern" },
		{ "subjct: x", NULL, "found subjct, wanted subject, from" },
		{ "header:: x", NULL, "header: needs the name" },
		{ "subject: ", NULL, "there is no pattern" },
		{ "subject: (x", NULL, "\"subject: (x\": " },
		{ "each : text: (?<a>x)", NULL, "each needs a name" },
		{ "each a: text: x", NULL, "each needs a pattern with a named group" },
		{ "literal:x: y", NULL, "found literal" },
		{ NULL, "subject", "wanted name=SOURCE" },
		{ NULL, "a..b=subject", "wanted name=SOURCE" },
		{ NULL, ".a=subject", "wanted name=SOURCE" },
		{ NULL, "a=nothing", "found nothing, wanted subject" },
		{ "subject: (?<a>x)", "a.b=text", "a and a.b cannot both be in a model" },
		{ "each a: subject: (?<b>x)", "a=text", "the name a is taken" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct rule_case c = { .matches = { cases[i].match },
			.values = { cases[i].value } };
		char why[400] = "";

		assert_null(rule_make(&c, why, sizeof(why)));
		if (strstr(why, cases[i].says) == NULL)
			fail_msg("%zu: %s", i, why);
	}
	const struct strlist none = { 0 };
	char why[400] = "";
	assert_null(template_rule_new("a b", &none, &none, true, false, why, sizeof(why)));
	assert_non_null(strstr(why, "\"a b\": wanted a template's id, or its alias"));
}

static void
test_rule_by_id(void **state)
{
	struct lab_run run = { .options = lab_options(), .recipients = "ann@x.example" };
	const struct strlist none = { 0 };
	struct convert_facts facts;
	char why[400];
	struct template_rule *rule =
	    template_rule_new("77", &none, &none, false, false, why, sizeof(why));

	(void)state;
	run.options.template = rule;
	run.facts = &facts;
	struct mail *mail = lab_mail("id", &run, BACKUP);
	json_t *expected = lab_expectation("{'TemplateId':77,'InlineCss':false}");
	json_t *got = lab_item(mail, 0);
	lab_compare("id", expected, got);
	assert_string_equal(facts.template, "77");
	json_decref(expected);
	json_decref(got);
	mail_free(&mail);
	convert_facts_free(&facts);

	/* A policy wins over a route's template, and the mail's own word over a policy. */
	run.options.policy[LEDGER_DATE] = POLICY_SMTP;
	mail = lab_mail("policy", &run, BACKUP);
	assert_int_equal(mail->items[0].kind, ITEM_SMTP);
	assert_string_equal(facts.template, "");
	mail_free(&mail);
	convert_facts_free(&facts);
	mail = lab_mail("word", &run, "X-PM-Template-Alias: own\n" BACKUP);
	assert_int_equal(mail->items[0].kind, ITEM_TEMPLATE);
	assert_string_equal(facts.template, "own");
	assert_false(facts.verbatim);
	mail_free(&mail);
	convert_facts_free(&facts);
	mail = lab_mail("model", &run, "X-PM-Template-Model: {}\n" BACKUP);
	assert_int_equal(mail->items[0].kind, ITEM_TEMPLATE);
	assert_string_equal(facts.template, "77");
	mail_free(&mail);
	convert_facts_free(&facts);
	template_rule_free(&rule);
	template_rule_free(&rule);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_model_digit_for_digit),
		cmocka_unit_test(test_words_refused),
		cmocka_unit_test(test_model_bounds),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_long_text),
		cmocka_unit_test(test_rules_refused),
		cmocka_unit_test(test_rule_by_id),
	};

	return cmocka_run_group_tests(tests, lab_setup, NULL);
}
