#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <jansson.h>

#include "base/mem.h"
#include "sandbox/bounce_type.h"
#include "sandbox/rules.h"

#define FROM "'From':'a@b.example'"
#define TO   "'To':'x@y.example'"
#define BODY "'TextBody':'t'"
#define GOOD FROM "," TO "," BODY

/* JSON is written with ' for " here. */
static json_t *
json_of(const char *text)
{
	char *copy = mem_string(text);
	json_error_t error;
	json_t *json;

	for (char *c = copy; *c != '\0'; c++)
		*c = *c == '\'' ? '"' : *c;
	json = json_loads(copy, 0, &error);
	if (json == NULL)
		fail_msg("%s: %s", copy, error.text);
	free(copy);
	return json;
}

static const struct rules_params lenient = { 0 };

/* The code of a refusal, 0 for none; text_r is for the caller to free. */
static int
judge(json_t *json, const struct rules_params *params, char **text_r)
{
	struct rules_message message;
	struct rules_refusal refusal;

	*text_r = NULL;
	if (rules_judge(json, params, &message, &refusal) == 0) {
		rules_message_deinit(&message);
		return 0;
	}
	assert_non_null(refusal.text);
	*text_r = refusal.text;
	return refusal.code;
}

static const struct {
	const char *reason;
	const char *json;
	int code;
	const char *text; /* the beginning; NULL: any */
} messages[] = {
	{ "the least", "{" GOOD "}", 0, NULL },
	{ "unknown keys do not matter", "{" GOOD ",'TemplateModel':{},'from':7}", 0, NULL },
	{ "null is absent",
	    "{" GOOD ",'Cc':null,'Bcc':null,'Subject':null,'Tag':null,'HtmlBody':null,"
	    "'ReplyTo':null,'Headers':null,'TrackOpens':null,'TrackLinks':null,'Metadata':null,"
	    "'Attachments':null,'MessageStream':null}",
	    0, NULL },
	{ "empty is absent",
	    "{" GOOD ",'Cc':'','Bcc':'','Subject':'','Tag':'','ReplyTo':'','MessageStream':''}", 0,
	    NULL },
	{ "lower-case keys are unknown", "{'from':'a@b.example'," TO "," BODY "}", 300,
	    "Invalid 'From' value." },

	/* types */
	{ "number for a string", "{'From':1," TO "," BODY "}", 403,
	    "Invalid request field(s): 'From'." },
	{ "two wrong ones", "{'From':1,'To':[]," BODY "}", 403,
	    "Invalid request field(s): 'From', 'To'." },
	{ "string for a flag", "{" GOOD ",'TrackOpens':'true'}", 403,
	    "Invalid request field(s): 'TrackOpens'." },
	{ "unknown TrackLinks", "{" GOOD ",'TrackLinks':'Html'}", 403, NULL },
	{ "known TrackLinks", "{" GOOD ",'TrackLinks':'HtmlAndText','TrackOpens':true}", 0, NULL },
	{ "Headers as object", "{" GOOD ",'Headers':{'X-A':'b'}}", 403,
	    "Invalid request field(s): 'Headers'." },
	{ "header without value", "{" GOOD ",'Headers':[{'Name':'X-A'}]}", 403, NULL },
	{ "metadata of numbers", "{" GOOD ",'Metadata':{'a':1}}", 403, NULL },
	{ "attachment as string", "{" GOOD ",'Attachments':['x']}", 403, NULL },

	/* streams */
	{ "broadcast", "{" GOOD ",'MessageStream':'broadcast'}", 0, NULL },
	{ "no such stream", "{" GOOD ",'MessageStream':'x'}", 1235,
	    "The stream provided: 'x' does not exist on this server." },
	{ "streams are named exactly", "{" GOOD ",'MessageStream':'Outbound'}", 1235, NULL },
	{ "inbound does not send", "{" GOOD ",'MessageStream':'inbound'}", 1236, NULL },
	{ "types before streams", "{" GOOD ",'MessageStream':'x','Tag':1}", 403, NULL },
	{ "streams before From", "{" TO "," BODY ",'MessageStream':'x'}", 1235, NULL },

	/* From */
	{ "no From", "{" TO "," BODY "}", 300, "Invalid 'From' value." },
	{ "name without quotes", "{'From':'Ann B <a@b.example>'," TO "," BODY "}", 0, NULL },
	{ "two authors", "{'From':'a@b.example, c@b.example'," TO "," BODY "}", 300,
	    "Invalid 'From' address: 'a@b.example, c@b.example'." },
	{ "From before To", "{'From':'x','To':'y'," BODY "}", 300,
	    "Error parsing 'From': Illegal email address 'x'. It must contain the '@' symbol." },

	/* recipients */
	{ "no at sign", "{" FROM ",'To':'x'," BODY "}", 300,
	    "Error parsing 'To': Illegal email address 'x'. It must contain the '@' symbol." },
	{ "domain", "{" FROM "," TO ",'Cc':'user@+'," BODY "}", 300,
	    "Error parsing 'Cc': Illegal email domain '+' in address 'user@+'." },
	{ "local part", "{" FROM "," TO ",'Bcc':'a b@c.example'," BODY "}", 300,
	    "Invalid 'Bcc' address: 'a b@c.example'." },
	{ "reply", "{" GOOD ",'ReplyTo':'x'}", 300, "Error parsing 'Reply-To': " },
	{ "several replies", "{" GOOD ",'ReplyTo':'a@b.example, c@d.example'}", 0, NULL },
	{ "nobody", "{" FROM "," BODY "}", 300, "Zero recipients specified" },
	{ "only Cc", "{" FROM ",'Cc':'x@y.example'," BODY "}", 300, "Zero recipients specified" },
	{ "syntax before number", "{" FROM ",'Cc':'x'," BODY "}", 300, "Error parsing 'Cc'" },

	/* bodies */
	{ "none", "{" FROM "," TO "}", 300, "Provide either email TextBody or HtmlBody or both." },
	{ "empty ones", "{" FROM "," TO ",'TextBody':'','HtmlBody':''}", 300,
	    "Provide either email TextBody or HtmlBody or both." },
	{ "HTML will do", "{" FROM "," TO ",'HtmlBody':'<p>'}", 0, NULL },

	/* lines */
	{ "subject of two lines", "{" GOOD ",'Subject':'a\\nBcc: c@d.example'}", 300, NULL },
	{ "tag of two lines", "{" GOOD ",'Tag':'a\\rb'}", 300, NULL },

	/* metadata */
	{ "fine", "{" GOOD ",'Metadata':{'relay-id':'1','b':''}}", 0, NULL },
	{ "key of 20", "{" GOOD ",'Metadata':{'12345678901234567890':'1'}}", 0, NULL },
	{ "key of 21", "{" GOOD ",'Metadata':{'123456789012345678901':'1'}}", 300,
	    "Invalid metadata content. Field names are limited to 20 characters" },
	{ "keys that differ in case", "{" GOOD ",'Metadata':{'a':'1','A':'2'}}", 300, NULL },
	{ "eleven",
	    "{" GOOD ",'Metadata':{'a':'','b':'','c':'','d':'','e':'','f':'','g':'',"
	    "'h':'','i':'','j':'','k':''}}",
	    300, NULL },

	/* headers */
	{ "kept ones",
	    "{" GOOD ",'Headers':[{'Name':'Message-ID','Value':'<a@b>'},"
	    "{'Name':'X-PM-KeepID','Value':'true'},{'Name':'X-A','Value':'1'},"
	    "{'Name':'X-A','Value':'2'},{'Name':'List-Unsubscribe','Value':''}]}",
	    0, NULL },
	{ "Date", "{" GOOD ",'Headers':[{'Name':'Date','Value':'x'}]}", 300,
	    "Header 'Date' not allowed." },
	{ "any case", "{" GOOD ",'Headers':[{'Name':'reply-to','Value':'x'}]}", 300,
	    "Header 'reply-to' not allowed." },
	{ "Received", "{" GOOD ",'Headers':[{'Name':'Received','Value':'x'}]}", 300, NULL },
	{ "name with space", "{" GOOD ",'Headers':[{'Name':'X A','Value':'x'}]}", 300, NULL },
	{ "name with colon", "{" GOOD ",'Headers':[{'Name':'X:A','Value':'x'}]}", 300, NULL },
	{ "no name", "{" GOOD ",'Headers':[{'Name':'','Value':'x'}]}", 300, NULL },
	{ "name not ASCII", "{" GOOD ",'Headers':[{'Name':'X-\\u00e9','Value':'x'}]}", 300, NULL },
	{ "folded value", "{" GOOD ",'Headers':[{'Name':'X-A','Value':'x\\r\\n y'}]}", 300, NULL },
	{ "headers before attachments",
	    "{" GOOD ",'Headers':[{'Name':'Date','Value':''}],'Attachments':[{'Name':'a.exe'}]}",
	    300, "Header 'Date' not allowed." },

	/* attachments */
	{ "inline and not",
	    "{" GOOD ",'Attachments':[{'Name':'a.png','Content':'iVBORw0KGgo=','ContentType':"
	    "'image/png','ContentID':'cid:a@b'},{'Name':'b.ics','Content':'','ContentType':"
	    "'text/calendar; method=REQUEST','ContentID':null}]}",
	    0, NULL },
	{ "program",
	    "{" GOOD ",'Attachments':[{'Name':'a.pdf.ExE','Content':'QQ==','ContentType':"
	    "'application/pdf'}]}",
	    411, NULL },
	{ "no name", "{" GOOD ",'Attachments':[{'Content':'QQ==','ContentType':'a/b'}]}", 300,
	    NULL },
	{ "no type", "{" GOOD ",'Attachments':[{'Name':'a','Content':'QQ=='}]}", 300, NULL },
	{ "type without subtype",
	    "{" GOOD ",'Attachments':[{'Name':'a','Content':'QQ==','ContentType':'pdf'}]}", 300,
	    NULL },
	{ "no content", "{" GOOD ",'Attachments':[{'Name':'a','ContentType':'a/b'}]}", 300, NULL },
	{ "not base64",
	    "{" GOOD ",'Attachments':[{'Name':'a','Content':'QQ=','ContentType':'a/b'}]}", 300,
	    NULL },
	{ "base64 in lines",
	    "{" GOOD ",'Attachments':[{'Name':'a','Content':'QUFB\\r\\n','ContentType':'a/b'}]}",
	    300, NULL },
	{ "content id without cid:",
	    "{" GOOD ",'Attachments':[{'Name':'a','Content':'QQ==','ContentType':'a/b',"
	    "'ContentID':'<a@b>'}]}",
	    300, NULL },
};

static void
judges_messages(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
		json_t *json = json_of(messages[i].json);
		char *text;
		int code = judge(json, &lenient, &text);

		if (code != messages[i].code ||
		    (messages[i].text != NULL &&
			strncmp(text, messages[i].text, strlen(messages[i].text)) != 0))
			fail_msg("%s: %d \"%s\"", messages[i].reason, code, text);
		free(text);
		json_decref(json);
	}
}

static const struct {
	const char *reason;
	const char *list;
	int count;           /* -1: refused */
	const char *address; /* the last of them */
	const char *name;
} lists[] = {
	{ "none", "", 0, NULL, NULL },
	{ "blank", " \t", 0, NULL, NULL },
	{ "bare", "a@b.example", 1, "a@b.example", "" },
	{ "spaces around", "  a@b.example ", 1, "a@b.example", "" },
	{ "several", "a@b.example,c@d.example, e@f.example", 3, "e@f.example", "" },
	{ "name", "Ann <a@b.example>", 1, "a@b.example", "Ann" },
	{ "comma in quotes", "\"North, Ann\" <a@b.example>", 1, "a@b.example", "North, Ann" },
	{ "escapes", "\"A \\\"B\\\" \\\\C\" <a@b.example>", 1, "a@b.example", "A \"B\" \\C" },
	{ "at sign and angle in quotes", "\"<x@y>, z@w\" <a@b.example>", 1, "a@b.example",
	    "<x@y>, z@w" },
	{ "UTF-8", "J\xc3\xb6rg \xe6\x97\xa5 <a@b.example>", 1, "a@b.example",
	    "J\xc3\xb6rg \xe6\x97\xa5" },
	{ "no name before the angle", "<a@b.example>", 1, "a@b.example", "" },
	{ "apostrophe", "O'Brien <a@b.example>", 1, "a@b.example", "O'Brien" },
	{ "all of the local part", "a.!#$%&'`*+-/=^_{}|~Z9@b.example", 1,
	    "a.!#$%&'`*+-/=^_{}|~Z9@b.example", "" },
	{ "one label", "a@localhost", 1, "a@localhost", "" },
	{ "punycode", "a@xn--bcher-kva.example", 1, "a@xn--bcher-kva.example", "" },

	{ "comma at the end", "a@b.example,", -1, NULL, NULL },
	{ "nothing between commas", "a@b.example,,c@d.example", -1, NULL, NULL },
	{ "only a comma", ",", -1, NULL, NULL },
	{ "semicolon", "a@b.example; c@d.example", -1, NULL, NULL },
	{ "group", "undisclosed-recipients:;", -1, NULL, NULL },
	{ "full group", "team: a@b.example, c@d.example;", -1, NULL, NULL },
	{ "dot not quoted", "J. Smith <a@b.example>", -1, NULL, NULL },
	{ "comma not quoted", "North, Ann <a@b.example>", -1, NULL, NULL },
	{ "comment", "a@b.example (Ann)", -1, NULL, NULL },
	{ "comment in the name", "Ann (x) <a@b.example>", -1, NULL, NULL },
	{ "quoted local part", "\"a b\"@b.example", -1, NULL, NULL },
	{ "question mark", "a?b@c.example", -1, NULL, NULL },
	{ "local part not ASCII", "j\xc3\xb6rg@b.example", -1, NULL, NULL },
	{ "domain not ASCII", "a@b\xc3\xbc.example", -1, NULL, NULL },
	{ "domain literal", "a@[192.0.2.1]", -1, NULL, NULL },
	{ "two dots", "a@b..example", -1, NULL, NULL },
	{ "dot at the end", "a@b.example.", -1, NULL, NULL },
	{ "no domain", "a@", -1, NULL, NULL },
	{ "no local part", "@b.example", -1, NULL, NULL },
	{ "two at signs", "a@b@c.example", -1, NULL, NULL },
	{ "no angle at the end", "Ann <a@b.example", -1, NULL, NULL },
	{ "something behind the angle", "Ann <a@b.example> x", -1, NULL, NULL },
	{ "two angles", "Ann <a@b.example> <c@d.example>", -1, NULL, NULL },
	{ "space in the angle", "Ann < a@b.example>", -1, NULL, NULL },
	{ "no closing quote", "\"Ann <a@b.example>", -1, NULL, NULL },
	{ "backslash at the end", "\"Ann\\", -1, NULL, NULL },
	{ "line end in the name", "Ann\r\nBcc: <a@b.example>", -1, NULL, NULL },
	{ "line end in quotes", "\"Ann\r\nBcc\" <a@b.example>", -1, NULL, NULL },
	{ "escaped line end", "\"Ann\\\nBcc\" <a@b.example>", -1, NULL, NULL },
	{ "line end in the address", "a@b.example\r\n", -1, NULL, NULL },
	{ "empty angle", "Ann <>", -1, NULL, NULL },
};

static void
parses_lists(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		struct rules_mailboxes list;
		struct rules_refusal refusal = { 0 };
		int rc = rules_mailboxes_parse("To", lists[i].list, &list, &refusal);
		size_t count = rc == 0 ? list.addresses.count : 0;

		if ((rc == 0 ? (int)count : -1) != lists[i].count)
			fail_msg("%s: %d %zu \"%s\"", lists[i].reason, rc, count, refusal.text);
		if (count > 0) {
			assert_string_equal(list.addresses.items[count - 1], lists[i].address);
			assert_string_equal(list.names.items[count - 1], lists[i].name);
		}
		if (rc == 0)
			rules_mailboxes_deinit(&list);
		else
			assert_int_equal(refusal.code, 300);
		rules_refusal_deinit(&refusal);
	}
}

/* count times piece, for the caller to free */
static char *
repeat(const char *piece, size_t count)
{
	size_t len = strlen(piece);
	char *text = mem_new(len * count + 1);

	for (size_t i = 0; i < count; i++)
		memcpy(text + i * len, piece, len);
	return text;
}

static const struct {
	const char *reason;
	const char *field;
	const char *piece;
	size_t count;
	const char *end;
	int code;
} limits[] = {
	{ "subject of 2000", "Subject", "x", 2000, "", 0 },
	{ "subject of 2001", "Subject", "x", 2001, "", 300 },
	{ "2000 characters of two bytes", "Subject", "\xc3\xb6", 2000, "", 0 },
	{ "beyond the BMP a character counts twice", "Subject", "\xf0\x9f\x98\x80", 1000, "", 0 },
	{ "... and then there are too many", "Subject", "\xf0\x9f\x98\x80", 1000, "x", 300 },
	{ "tag of 1000", "Tag", "x", 1000, "", 0 },
	{ "tag of 1001", "Tag", "x", 1001, "", 300 },
	{ "From of 255", "From", "x", 241, " <a@b.example>", 0 },
	{ "From of 256", "From", "x", 242, " <a@b.example>", 300 },
	{ "50 recipients", "To", "a@b.example,", 49, "a@b.example", 0 },
	{ "51 recipients", "To", "a@b.example,", 50, "a@b.example", 300 },
	{ "text of 5 MB", "TextBody", "x", 5242880, "", 0 },
	{ "text above", "TextBody", "x", 5242881, "", 300 },
	{ "HTML of 5 MB", "HtmlBody", "x", 5242880, "", 0 },
	{ "HTML above", "HtmlBody", "x", 5242881, "", 300 },
	{ "metadata value of 80", "Metadata", "x", 80, "", 0 },
	{ "metadata value of 81", "Metadata", "x", 81, "", 300 },
	/* the body of one byte makes the sum */
	{ "just below 10 MB", "Attachments", "AAAA", 2621439, "", 0 },
	{ "10 MB and more", "Attachments", "AAAA", 2621440, "", 300 },
};

static void
keeps_limits(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		json_t *json = json_of("{" GOOD "}");
		char *most = repeat(limits[i].piece, limits[i].count);
		char *value = mem_format("%s%s", most, limits[i].end);
		char *text;
		int code;

		if (strcmp(limits[i].field, "Metadata") == 0)
			json_object_set_new(json, "Metadata", json_pack("{s:s}", "k", value));
		else if (strcmp(limits[i].field, "Attachments") == 0)
			json_object_set_new(json, "Attachments",
			    json_pack("[{s:s, s:s, s:s}]", "Name", "a.pdf", "ContentType",
				"application/pdf", "Content", value));
		else
			json_object_set_new(json, limits[i].field, json_string(value));
		code = judge(json, &lenient, &text);
		if (code != limits[i].code)
			fail_msg("%s: %d \"%s\"", limits[i].reason, code, text);
		free(text);
		free(value);
		free(most);
		json_decref(json);
	}
}

static void
may_do_without_to(void **state)
{
	static const struct rules_params optional = { .to_optional = true };
	json_t *json = json_of("{" FROM ",'Bcc':'x@y.example'," BODY "}");
	struct rules_message message;
	struct rules_refusal refusal;

	(void)state;
	assert_int_equal(rules_judge(json, &optional, &message, &refusal), 0);
	assert_null(message.to);
	assert_int_equal(message.lists[RULES_BCC].addresses.count, 1);
	rules_message_deinit(&message);
	json_decref(json);
}

static enum rules_stream
only_news(const void *ctx, const char *id)
{
	return strcmp(id, ctx) == 0    ? RULES_STREAM_SENDS
	       : strcmp(id, "in") == 0 ? RULES_STREAM_INBOUND
				       : RULES_STREAM_UNKNOWN;
}

static void
asks_for_streams(void **state)
{
	static const struct rules_params params = { .stream = only_news, .ctx = "news" };
	static const struct {
		const char *stream;
		int code;
	} cases[] = { { "news", 0 }, { "News", 1235 }, { "outbound", 1235 }, { "", 1235 },
		{ "in", 1236 } };
	char *text;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *json = json_of("{" GOOD "}");

		json_object_set_new(json, "MessageStream", json_string(cases[i].stream));
		assert_int_equal(judge(json, &params, &text), cases[i].code);
		free(text);
		json_decref(json);
	}
}

static void
may_do_without_body(void **state)
{
	static const struct rules_params optional = { .body_optional = true };
	json_t *json = json_of("{" FROM "," TO "}");
	char *text;

	(void)state;
	assert_int_equal(judge(json, &optional, &text), 0);
	assert_int_equal(judge(json, &lenient, &text), 300);
	free(text);
	json_decref(json);
}

static void
fills_message(void **state)
{
	json_t *json =
	    json_of("{'From':'Ann <a@b.example>','To':'X <x@y.example>',"
		    "'Cc':'c@y.example','Bcc':'d@y.example','Subject':'s','Tag':'t',"
		    "'TextBody':'12','HtmlBody':'345','Metadata':{'relay-id':'r'},"
		    "'Headers':[{'Name':'x-pm-bounce-type','Value':'SoftBounce'}],"
		    "'Attachments':[{'Name':'a','ContentType':'a/b','Content':'AAAA'}]}");
	struct rules_message message;
	struct rules_refusal refusal;

	(void)state;
	assert_int_equal(rules_judge(json, &lenient, &message, &refusal), 0);
	assert_string_equal(message.from, "a@b.example");
	assert_string_equal(message.to, "X <x@y.example>");
	assert_string_equal(message.stream, "outbound");
	assert_string_equal(message.subject, "s");
	assert_string_equal(message.tag, "t");
	assert_string_equal(message.bounce_type, "SoftBounce");
	assert_string_equal(message.lists[RULES_TO].addresses.items[0], "x@y.example");
	assert_string_equal(message.lists[RULES_TO].names.items[0], "X");
	assert_string_equal(message.lists[RULES_CC].addresses.items[0], "c@y.example");
	assert_string_equal(message.lists[RULES_BCC].addresses.items[0], "d@y.example");
	assert_int_equal(message.bytes, 9);
	assert_int_equal(message.attachment_bytes, 4);
	rules_message_deinit(&message);
	json_decref(json);
}

static void
knows_extensions(void **state)
{
	(void)state;
	assert_true(rules_extension_forbidden("a.exe"));
	assert_true(rules_extension_forbidden("a.b.MST"));
	assert_true(rules_extension_forbidden(".vbs"));
	assert_false(rules_extension_forbidden("a.pdf"));
	assert_false(rules_extension_forbidden("exe"));
	assert_false(rules_extension_forbidden("a.exe.txt"));
	assert_false(rules_extension_forbidden("a.exes"));
	assert_false(rules_extension_forbidden(""));
}

static void
knows_bounces(void **state)
{
	static const char at[] = "@bounce-testing.postmarkapp.com";
	static const struct {
		const char *local;
		const char *wanted;
		const char *type;
	} cases[] = {
		{ "HardBounce", NULL, "HardBounce" },
		{ "softbounce", NULL, "SoftBounce" },
		{ "soft_bounce", NULL, "SoftBounce" },
		{ "SMTPAPIERROR", NULL, "SMTPApiError" },
		{ "dns_error", NULL, "DnsError" },
		{ "SpamComplaint", NULL, "HardBounce" },
		{ "whatever", NULL, "HardBounce" },
		{ "any", "Transient", "Transient" },
	};
	char address[128];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(address, sizeof(address), "%s%s", cases[i].local, at);
		assert_string_equal(
		    bounce_type_wanted(address, cases[i].wanted)->name, cases[i].type);
	}
	assert_null(bounce_type_wanted("HardBounce@y.example", NULL));
	assert_null(bounce_type_wanted("a@y.example", "HardBounce"));
}

/* A refusal does not mirror megabytes, and does not cut a character in two. */
static void
echoes_little(void **state)
{
	json_t *json = json_of("{" FROM "," BODY "}");
	char *most = repeat("\xc3\xb6", 100000);
	char *text;

	(void)state;
	json_object_set_new(json, "To", json_string(most));
	assert_int_equal(judge(json, &lenient, &text), 300);
	assert_true(strlen(text) < 1000);
	assert_non_null(strstr(text, "\xc3\xb6'. It must contain"));
	free(text);
	free(most);
	json_decref(json);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(judges_messages),
		cmocka_unit_test(parses_lists),
		cmocka_unit_test(keeps_limits),
		cmocka_unit_test(asks_for_streams),
		cmocka_unit_test(may_do_without_to),
		cmocka_unit_test(may_do_without_body),
		cmocka_unit_test(fills_message),
		cmocka_unit_test(knows_extensions),
		cmocka_unit_test(knows_bounces),
		cmocka_unit_test(echoes_little),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
