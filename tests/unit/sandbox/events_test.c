#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <jansson.h>

#include "base/mem.h"
#include "base/strlist.h"
#include "mail/mime.h"
#include "sandbox/account.h"
#include "sandbox/compose.h"
#include "sandbox/event_settings.h"
#include "sandbox/events.h"
#include "sandbox/inbound_mail.h"
#include "sandbox/link.h"
#include "sandbox/reaction.h"
#include "sandbox/server.h"
#include "sandbox/source.h"

/* Written with ' for ". */
static json_t *
json_of(const char *text)
{
	char *copy = mem_string(text);
	json_t *json;

	for (char *c = copy; *c != '\0'; c++)
		*c = *c == '\'' ? '"' : *c;
	json = json_loads(copy, 0, NULL);
	free(copy);
	if (json == NULL)
		fail_msg("no JSON: %s", text);
	return json;
}

/* Takes payload. */
static void
check_payload(json_t *payload, const char *expected)
{
	json_t *json = json_of(expected);
	char *text = json_dumps(payload, JSON_COMPACT), *wanted = json_dumps(json, JSON_COMPACT);

	/* The keys, their order and the types. */
	assert_string_equal(text, wanted);
	free(wanted);
	free(text);
	json_decref(json);
	json_decref(payload);
}

#define AT "2026-09-05T22:01:03.4410021Z"

static void
tells_deliveries(void **state)
{
	json_t *metadata = json_of("{'relay-id':'q-1'}");
	struct event_about about = { 4711, "m-1", "outbound", "invoice", metadata };

	(void)state;
	check_payload(event_delivery(&about, "ann@reader.example", "250 OK", AT),
	    "{'RecordType':'Delivery','MessageStream':'outbound','ServerID':4711,'MessageID':'m-1',"
	    "'Recipient':'ann@reader.example','Tag':'invoice','DeliveredAt':'" AT "',"
	    "'Details':'250 OK','Metadata':{'relay-id':'q-1'}}");
	about.metadata = NULL;
	about.tag = "";
	check_payload(event_delivery(&about, "ann@reader.example", "250 OK", AT),
	    "{'RecordType':'Delivery','MessageStream':'outbound','ServerID':4711,'MessageID':'m-1',"
	    "'Recipient':'ann@reader.example','Tag':'','DeliveredAt':'" AT "',"
	    "'Details':'250 OK','Metadata':{}}");
	json_decref(metadata);
}

static void
tells_bounces(void **state)
{
	/* As the API has it: another order, another time, and a key too many. */
	json_t *shown = json_of(
	    "{'ID':9000000001,'TypeCode':1,'Type':'HardBounce','Name':'Hard bounce','Tag':'t',"
	    "'RecordType':'Bounce','MessageStream':'outbound','MessageID':'m-1','Metadata':{},"
	    "'ServerID':1,'Description':'d','Details':'smtp;550','Email':'bo@reader.example',"
	    "'From':'a@shop.example','BouncedAt':'x','DumpAvailable':true,'Inactive':true,"
	    "'CanActivate':true,'Subject':'s','Other':1}");
#define BOUNCE                                                                                     \
	"{'RecordType':'Bounce','MessageStream':'outbound','ID':9000000001,'Type':'HardBounce',"   \
	"'TypeCode':1,'Name':'Hard bounce','Tag':'t','MessageID':'m-1','Metadata':{},"             \
	"'ServerID':1,'Description':'d','Details':'smtp;550','Email':'bo@reader.example',"         \
	"'From':'a@shop.example','BouncedAt':'" AT "','DumpAvailable':true,'Inactive':true,"       \
	"'CanActivate':true,'Subject':'s'"

	(void)state;
	check_payload(event_bounce(shown, AT, NULL), BOUNCE "}");
	check_payload(event_bounce(shown, AT, "raw"), BOUNCE ",'Content':'raw'}");
	json_decref(shown);
}

static void
tells_readers(void **state)
{
	json_t *open = json_of("{'RecordType':'Open','MessageStream':'outbound','MessageID':'m-1',"
			       "'Recipient':'r','Tag':'t','ReceivedAt':'x','Platform':'WebMail',"
			       "'UserAgent':'u','Client':{},'OS':{},'Geo':{},'FirstOpen':true,"
			       "'ReadSeconds':5}");
	json_t *click = json_of("{'RecordType':'Click','MessageStream':'outbound','MessageID':"
				"'m-1','Recipient':'r','Tag':'t','ReceivedAt':'x','Platform':"
				"'Mobile','UserAgent':'u','Client':{},'OS':{},'Geo':{},"
				"'ClickLocation':'HTML','OriginalLink':'https://a/'}");
	json_t *metadata = json_of("{'a':'b'}");

	(void)state;
	check_payload(event_track(open, metadata, AT),
	    "{'RecordType':'Open','MessageStream':'outbound','FirstOpen':true,'Client':{},'OS':{},"
	    "'Platform':'WebMail','UserAgent':'u','ReadSeconds':5,'Geo':{},'MessageID':'m-1',"
	    "'Metadata':{'a':'b'},'ReceivedAt':'" AT "','Tag':'t','Recipient':'r'}");
	check_payload(event_track(click, NULL, AT),
	    "{'RecordType':'Click','MessageStream':'outbound','ClickLocation':'HTML',"
	    "'OriginalLink':'https://a/','Client':{},'OS':{},'Platform':'Mobile','UserAgent':'u',"
	    "'Geo':{},'MessageID':'m-1','Metadata':{},'ReceivedAt':'" AT "','Tag':'t',"
	    "'Recipient':'r'}");
	json_decref(open);
	json_decref(click);
	json_decref(metadata);
}

static void
tells_suppressions(void **state)
{
	struct event_about about = { 1, "m-1", "outbound", "t", NULL };
	struct event_change change = { "bo@reader.example", "Recipient", "HardBounce", AT };

	(void)state;
	check_payload(event_subscription(&about, &change),
	    "{'RecordType':'SubscriptionChange','MessageID':'m-1','ServerID':1,"
	    "'MessageStream':'outbound','ChangedAt':'" AT "','Recipient':'bo@reader.example',"
	    "'Origin':'Recipient','SuppressSending':true,'SuppressionReason':'HardBounce',"
	    "'Tag':'t','Metadata':{}}");
	about.message = about.tag = change.reason = NULL;
	change.origin = "Customer";
	check_payload(event_subscription(&about, &change),
	    "{'RecordType':'SubscriptionChange','MessageID':null,'ServerID':1,"
	    "'MessageStream':'outbound','ChangedAt':'" AT "','Recipient':'bo@reader.example',"
	    "'Origin':'Customer','SuppressSending':false,'SuppressionReason':null,"
	    "'Tag':null,'Metadata':{}}");
}

static void
tells_of_inbound_mail(void **state)
{
	json_t *shown = json_of("{'FromName':'A','MessageStream':'inbound','From':'a@b.example',"
				"'FromFull':{},'To':'t','ToFull':[],'Cc':'','CcFull':[],'Bcc':'',"
				"'BccFull':[],'OriginalRecipient':'o','Subject':'s','MessageID':"
				"'m','ReplyTo':'','MailboxHash':'h','Date':'d','TextBody':'x',"
				"'HtmlBody':'','StrippedTextReply':'','Tag':'','Headers':[],"
				"'Attachments':[{'Name':'a','Content':'aGk='},{'Name':'b',"
				"'ContentType':'text/x','Content':'YWJj','ContentID':'c'},"
				"{'Name':'c'}],'Status':'Queued','BlockedReason':null}");
#define INBOUND                                                                                    \
	"{'FromName':'A','MessageStream':'inbound','From':'a@b.example','FromFull':{},"            \
	"'To':'t','ToFull':[],'Cc':'','CcFull':[],'Bcc':'','BccFull':[],"                          \
	"'OriginalRecipient':'o','Subject':'s','MessageID':'m','ReplyTo':'','MailboxHash':'h',"    \
	"'Date':'d','TextBody':'x','HtmlBody':'','StrippedTextReply':'','Tag':'','Headers':[],"    \
	"'Attachments':[{'Name':'a','Content':'aGk=','ContentType':'application/octet-stream',"    \
	"'ContentLength':2,'ContentID':''},{'Name':'b','Content':'YWJj','ContentType':'text/x',"   \
	"'ContentLength':3,'ContentID':'c'},{'Name':'c','Content':'','ContentType':"               \
	"'application/octet-stream','ContentLength':0,'ContentID':''}]"

	(void)state;
	check_payload(event_inbound(shown, NULL), INBOUND "}");
	check_payload(event_inbound(shown, "raw"), INBOUND ",'RawEmail':'raw'}");
	json_decref(shown);
}

static void
spells_the_server_id(void **state)
{
	json_t *event = json_of("{'ServerID':7,'a':1}"), *none = json_of("{'a':1}");

	(void)state;
	event_spell_server_id(event);
	check_payload(event, "{'a':1,'ServerId':7}");
	event_spell_server_id(none);
	check_payload(none, "{'a':1}");
}

/* ---- reactions ---- */

static void
reacts_to_answers(void **state)
{
	static const struct {
		int status;
		enum reaction event;
		enum reaction inbound;
	} cases[] = {
		{ 200, REACTION_DONE, REACTION_DONE },
		{ 201, REACTION_DONE, REACTION_RETRY }, /* the inbound hook wants 200 exactly */
		{ 204, REACTION_DONE, REACTION_RETRY }, { 299, REACTION_DONE, REACTION_RETRY },
		{ 301, REACTION_RETRY, REACTION_RETRY }, /* it led nowhere */
		{ 304, REACTION_RETRY, REACTION_RETRY }, { 400, REACTION_DROP, REACTION_RETRY },
		{ 401, REACTION_DROP, REACTION_RETRY },
		{ 403, REACTION_DROP, REACTION_DROP }, /* the one that ends all retries */
		{ 404, REACTION_DROP, REACTION_RETRY }, { 408, REACTION_RETRY, REACTION_RETRY },
		{ 413, REACTION_DROP, REACTION_RETRY }, { 429, REACTION_RETRY, REACTION_RETRY },
		{ 500, REACTION_RETRY, REACTION_RETRY }, { 503, REACTION_RETRY, REACTION_RETRY },
		{ 599, REACTION_RETRY, REACTION_RETRY },
		{ 0, REACTION_RETRY, REACTION_RETRY }, /* no answer */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (reaction_to(false, cases[i].status) != cases[i].event ||
		    reaction_to(true, cases[i].status) != cases[i].inbound)
			fail_msg("status %d", cases[i].status);
	}
	assert_true(reaction_follows(false, 302));
	assert_false(reaction_follows(true, 302));
	assert_false(reaction_follows(false, 200));
	assert_false(reaction_follows(false, 400));
}

static void
waits_as_the_tables_say(void **state)
{
	static const int events[] = { 1, 5, 10, 10, 10, 15 };
	static const int inbound[] = { 1, 5, 10, 10, 10, 15, 30, 60, 120, 360 };

	(void)state;
	assert_int_equal(reaction_retries(false), 6);
	assert_int_equal(reaction_retries(true), 10);
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(reaction_delay_ms(false, i, 1), events[i] * 60000);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(reaction_delay_ms(true, i, 600), inbound[i] * 100);
	assert_int_equal(reaction_delay_ms(false, 6, 1), -1);
	assert_int_equal(reaction_delay_ms(true, 10, 1), -1);
	assert_int_equal(reaction_delay_ms(false, 0, 1000000), 0);
}

/* ---- settings ---- */

static void
sets_all_or_nothing(void **state)
{
	static const char *const wrong[] = { "[]", "1", "{'delay_ms':-1}", "{'delay_ms':1.5}",
		"{'delay_ms':86400001}", "{'webhook_speed':0}", "{'parallel':257}", "{'expect':1}",
		"{'duplicate_probability':1.1}", "{'duplicate_probability':'1'}",
		"{'open_after_ms':-2}", "{'delay_ms':5,'none':1}", "{'delay_ms':null}" };
	struct event_settings settings;
	char why[128];
	json_t *json;

	(void)state;
	event_settings_init(&settings);
	assert_int_equal(settings.delay_ms, 100);
	assert_int_equal(settings.webhook_speed, 1);
	assert_int_equal(settings.open_after_ms, -1);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		json = json_of(wrong[i][0] == '1' ? "[1]" : wrong[i]);
		if (event_settings_set(&settings, json, why, sizeof(why)) != -1)
			fail_msg("taken: %s", wrong[i]);
		assert_true(strlen(why) > 5);
		json_decref(json);
	}
	assert_int_equal(settings.delay_ms, 100);
	json = json_of("{'delay_ms':5,'expect':true,'duplicate_probability':1}");
	assert_int_equal(event_settings_set(&settings, json, why, sizeof(why)), 0);
	json_decref(json);
	assert_int_equal(settings.delay_ms, 5);
	assert_true(settings.expect);
	assert_true(settings.duplicate_probability > 0.99);
	/* What is shown can be set again. */
	json = event_settings_json(&settings);
	assert_int_equal(event_settings_set(&settings, json, why, sizeof(why)), 0);
	json_decref(json);
}

/* ---- mails ---- */

static void
finds_the_first_link(void **state)
{
	static const struct {
		const char *html;
		const char *link; /* NULL: none */
	} cases[] = {
		{ "", NULL },
		{ "href", NULL },
		{ "<a href", NULL },
		{ "<a href=", NULL },
		{ "<a href=''>x</a>", NULL },
		{ "<a href='mailto:x'><a href='http://a/'>", "http://a/" },
		{ "<A HREF = \"HTTPS://a/?x=1&amp;y=2\">", "HTTPS://a/?x=1&y=2" },
		{ "<a href=http://a/b>x", "http://a/b" },
		{ "<a href=http://a/b class=x>", "http://a/b" },
		{ "<a href='http://a/", "http://a/" }, /* no end */
		{ "<a hrefhref='https://b/'>", "https://b/" },
		{ "<img src='http://a/'>", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *link = link_first(cases[i].html);

		if ((link == NULL) != (cases[i].link == NULL) ||
		    (link != NULL && strcmp(link, cases[i].link) != 0))
			fail_msg("%s: %s", cases[i].html, link != NULL ? link : "none");
		free(link);
	}
}

static void
knows_whose_address_it_is(void **state)
{
	static const struct {
		const char *address;
		int server; /* 0: nobody's */
	} cases[] = {
		{ "hash@inbound.postmarkapp.com", 1 },
		{ "HASH+x@Inbound.PostmarkApp.com", 1 },
		{ "has@inbound.postmarkapp.com", 0 },
		{ "hash1@inbound.postmarkapp.com", 0 },
		{ "hash@inbound.example", 0 },
		{ "any+thing@in.shop.example", 2 },
		{ "any@shop.example", 0 },
		{ "any@x.in.shop.example", 0 },
		{ "any@", 0 }, /* no server's empty domain */
		{ "any", 0 },
	};
	struct account account;
	struct server *server;

	(void)state;
	account_init(&account);
	server = account_add_server(&account, "one");
	json_object_set_new(
	    server->shown, "InboundAddress", json_string("hash@inbound.postmarkapp.com"));
	server = account_add_server(&account, "two");
	json_object_set_new(server->shown, "InboundDomain", json_string("in.shop.example"));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		server = inbound_mail_server(&account, cases[i].address);
		if ((server != NULL ? (int)server->id : 0) != cases[i].server)
			fail_msg("%s", cases[i].address);
	}
	account_deinit(&account);
}

/* A composed mail, read again, is what it was made of. */
static void
composes_what_it_reads(void **state)
{
	static const char *const cases[] = {
		"{'From':'a@shop.example','To':'b@c.example','Subject':'s','TextBody':'t'}",
		"{'From':'\\'A, B\\' <a@shop.example>','To':'b@c.example','Subject':'',"
		"'HtmlBody':'<p>x</p>'}",
		"{'From':'a@shop.example','To':'b@c.example, d@e.example','Cc':'f@g.example',"
		"'Subject':'Gr\\u00f6\\u00dfe Gr\\u00f6\\u00dfe Gr\\u00f6\\u00dfe "
		"Gr\\u00f6\\u00dfe "
		"Gr\\u00f6\\u00dfe Gr\\u00f6\\u00dfe Gr\\u00f6\\u00dfe','TextBody':'\\u00e4',"
		"'HtmlBody':'<b>\\u00e4</b>','ReplyTo':'r@shop.example'}",
		"{'From':'a@shop.example','To':'b@c.example','TextBody':'t','Subject':'s',"
		"'Attachments':[{'Name':'a.txt','ContentType':'text/plain','Content':'aGk='},"
		"{'Name':'\\u00fc.png','ContentType':'image/"
		"png','Content':'AAEC','ContentID':'i'}]}",
	};
	static const char *const keys[] = { "From", "To", "Cc", "ReplyTo", "Subject", "TextBody",
		"HtmlBody" };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *quoted = mem_string(cases[i]), *mail;
		json_t *json, *read, *one, *other;
		size_t j;

		/* \' stands for a quoted ". */
		for (char *c = quoted; *c != '\0'; c++) {
			if (*c == '\'' && (c == quoted || c[-1] != '\\'))
				*c = '"';
			else if (*c == '\'')
				*c = '"';
		}
		json = json_loads(quoted, 0, NULL);
		assert_non_null(json);
		mail = compose_mail(json, "b");
		read = inbound_mail_read(mail, strlen(mail));
		for (j = 0; j < sizeof(keys) / sizeof(keys[0]); j++) {
			const char *was = json_string_value(json_object_get(json, keys[j]));
			const char *is = json_string_value(json_object_get(read, keys[j]));

			if (strcmp(was != NULL ? was : "", is != NULL ? is : "") != 0)
				fail_msg("case %zu, %s: %s, not %s\n%s", i, keys[j], is, was, mail);
		}
		json_array_foreach(json_object_get(json, "Attachments"), j, one)
		{
			other = json_array_get(json_object_get(read, "Attachments"), j);
			assert_non_null(other);
			assert_true(json_equal(
			    json_object_get(one, "Name"), json_object_get(other, "Name")));
			assert_true(json_equal(
			    json_object_get(one, "Content"), json_object_get(other, "Content")));
			assert_true(json_object_get(one, "ContentID") == NULL ||
				    json_equal(json_object_get(one, "ContentID"),
					json_object_get(other, "ContentID")));
		}
		json_decref(read);
		json_decref(json);
		free(mail);
		free(quoted);
	}
}

static void
composes_one_header(void **state)
{
	json_t *json = json_of("{'From':'a@shop.example','To':'nonsense','Subject':'s\\r\\nX: y',"
			       "'Headers':[{'Name':'X-A','Value':'1\\r\\n\\r\\nbody'},"
			       "{'Name':'X B','Value':'2'},{'Name':'Content-Type','Value':'x'},"
			       "{'Name':'from','Value':'z'},{'Value':'none'}],'TextBody':'t'}");
	char *mail = compose_mail(json, "b");

	(void)state;
	assert_string_equal(mail,
	    "X-A: 1    body\r\nFrom: <a@shop.example>\r\nTo: nonsense\r\nSubject: s  X: y\r\n"
	    "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
	    "Content-Transfer-Encoding: base64\r\n\r\ndA==\r\n");
	free(mail);
	json_decref(json);
}

static void
cleans_sources(void **state)
{
	char *clean = source_clean("a\0\xff\xc3\xa4", 5);

	(void)state;
	assert_string_equal(clean, "a\xef\xbf\xbd\xef\xbf\xbd\xc3\xa4");
	free(clean);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_deliveries),
		cmocka_unit_test(tells_bounces),
		cmocka_unit_test(tells_readers),
		cmocka_unit_test(tells_suppressions),
		cmocka_unit_test(tells_of_inbound_mail),
		cmocka_unit_test(spells_the_server_id),
		cmocka_unit_test(reacts_to_answers),
		cmocka_unit_test(waits_as_the_tables_say),
		cmocka_unit_test(sets_all_or_nothing),
		cmocka_unit_test(finds_the_first_link),
		cmocka_unit_test(knows_whose_address_it_is),
		cmocka_unit_test(composes_what_it_reads),
		cmocka_unit_test(composes_one_header),
		cmocka_unit_test(cleans_sources),
	};

	mime_setup();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
