/* What people see: safe text, tables, stories, the live view. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "operations/operation.h"

#include "console/help.h"
#include "console/paint.h"
#include "console/report.h"
#include "console/table.h"
#include "console/top.h"

static const struct paint plain = { 0 };
static const struct paint terminal = { .terminal = true, .colour = true, .columns = 80 };

/* What is written with single quotes. */
static json_t *
load(const char *text)
{
	char *copy = mem_string(text);
	json_error_t error;
	json_t *json;

	for (char *c = copy; *c != '\0'; c++)
		if (*c == '\'')
			*c = '"';
	json = json_loads(copy, JSON_DECODE_ANY, &error);
	if (json == NULL)
		fail_msg("%s: %s", error.text, copy);
	free(copy);
	return json;
}

static const char *
text_in(const struct buf *out)
{
	return out->data != NULL ? out->data : "";
}

static const struct operation *
operation(const char *name)
{
	for (const struct operation *o = operation_table; o->name != NULL; o++)
		if (strcmp(o->name, name) == 0)
			return o;
	fail_msg("no operation %s", name);
	return NULL;
}

static void
safe_texts(void **state)
{
	static const struct {
		const char *reason, *text;
		size_t most;
		const char *shown;
		size_t width;
	} cases[] = {
		{ "as it is", "plain", 0, "plain", 5 },
		{ "a sequence that clears the screen", "a\033[2Jb", 0, "a\\x1B[2Jb", 9 },
		{ "a title for the terminal's window", "\033]0;x\007", 0, "\\x1B]0;x\\x07", 12 },
		{ "a line end", "a\r\nb", 0, "a\\x0D\\x0Ab", 10 },
		{ "C1 as UTF-8",
		    "a\xc2\x9b"
		    "31m",
		    0, "a\\u{009B}31m", 12 },
		{ "C1 as a byte", "a\x9b", 0, "a\\x9B", 5 },
		{ "DEL", "\x7f", 0, "\\x7F", 4 },
		{ "direction turned",
		    "\xe2\x80\xae"
		    "gpj.exe",
		    0, "\\u{202E}gpj.exe", 15 },
		{ "no width at all",
		    "a\xe2\x80\x8b"
		    "b",
		    0, "a\\u{200B}b", 10 },
		{ "two bytes, one column", "\xc3\xa4", 0, "\xc3\xa4", 1 },
		{ "two columns", "\xe5\xbe\xa1", 0, "\xe5\xbe\xa1", 2 },
		{ "a picture", "\xf0\x9f\x93\xa7", 0, "\xf0\x9f\x93\xa7", 2 },
		{ "half a character", "a\xc3", 0, "a\\xC3", 5 },
		{ "fits exactly", "12345", 5, "12345", 5 },
		{ "one too many", "123456", 5, "1234\xe2\x80\xa6", 5 },
		{ "cut before a wide one", "\xe5\xbe\xa1\xe5\xbe\xa1\xe5\xbe\xa1", 4,
		    "\xe5\xbe\xa1\xe2\x80\xa6", 3 },
		{ "cut before an escape", "abc\033", 5, "abc\xe2\x80\xa6", 4 },
		{ "nothing", "", 5, "", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf out;

		print_message("%s\n", cases[i].reason);
		buf_init(&out, 4096);
		assert_int_equal(
		    paint_safe(&out, cases[i].text, strlen(cases[i].text), cases[i].most),
		    cases[i].width);
		assert_string_equal(text_in(&out), cases[i].shown);
		assert_int_equal(paint_width(text_in(&out), out.len), cases[i].width);
		buf_free(&out);
	}
}

static void
safe_json(void **state)
{
	static const char json[] = "{\"a\":\"\x7f \xc2\x9b \xe2\x80\xae \xf3\xa0\x81\x81 ok\"}";
	struct buf out;
	json_t *before = json_loads(json, 0, NULL), *after;

	(void)state;
	buf_init(&out, 4096);
	paint_safe_json(&out, json, strlen(json));
	assert_string_equal(text_in(&out), "{\"a\":\"\\u007f \\u009b \\u202e \\udb40\\udc41 ok\"}");
	after = json_loads(text_in(&out), 0, NULL);
	assert_true(json_equal(before, after));
	json_decref(before);
	json_decref(after);
	buf_free(&out);
}

static void
figures(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *shown;
	} sizes[] = {
		{ 0, "0 B" },
		{ 999, "999 B" },
		{ 1000, "1.0 kB" },
		{ 1449, "1.4 kB" },
		{ 9949, "9.9 kB" },
		{ 9999, "10 kB" },
		{ 999499, "999 kB" },
		{ 999999, "1.0 MB" },
		{ 10485760, "10 MB" },
		{ UINT64_MAX, "18447 PB" },
	};
	static const struct {
		int64_t ms;
		const char *shown;
	} spans[] = {
		{ -1, "0 s" },
		{ 0, "0 ms" },
		{ 999, "999 ms" },
		{ 4250, "4.2 s" },
		{ 42000, "42 s" },
		{ 192000, "3 min 12 s" },
		{ 3600000, "1 h 0 min" },
		{ 90061000, "1 d 1 h" },
	};
	static const struct {
		const char *text;
		int64_t ms;
		int rc;
	} times[] = {
		{ "2026-11-23T06:29:25.123Z", 1795415365123, 0 },
		{ "2026-11-23T06:29:25Z", 1795415365000, 0 },
		{ "2026-11-23T01:29:25.5-05:00", 1795415365500, 0 },
		{ "2026-11-23T06:29:25.1230000Z", 1795415365123, 0 },
		{ "2026-11-23", 0, -1 },
		{ "2026-11-23T06:29:25Zulu", 0, -1 },
		{ "Hello", 0, -1 },
		{ "", 0, -1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct buf out;

		buf_init(&out, 64);
		paint_add_size(&terminal, &out, sizes[i].bytes);
		assert_string_equal(out.data, sizes[i].shown);
		buf_free(&out);
	}
	for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++) {
		struct buf out;

		buf_init(&out, 64);
		paint_add_span(&out, spans[i].ms);
		assert_string_equal(out.data, spans[i].shown);
		buf_free(&out);
	}
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		int64_t ms = 0;

		print_message("%s\n", times[i].text);
		assert_int_equal(paint_parse_time(times[i].text, &ms), times[i].rc);
		assert_int_equal(ms, times[i].ms);
	}
}

static void
tables(void **state)
{
	static const struct {
		const char *reason, *operation, *answer;
		size_t columns;
		const char *shown;
	} cases[] = {
		{ "columns, numbers to the right, missing ones", "server list",
		    "{'TotalCount':2,'Servers':[{'ID':1,'Name':'Shop','Color':'red','DeliveryType':"
		    "'Live','SmtpApiActivated':true,'TrackOpens':false,'TrackLinks':'None'},"
		    "{'ID':4711,'Name':'L\xc3\xa4"
		    "den','Color':null,'DeliveryType':'Sandbox'}]}",
		    0,
		    "  ID  Name   Color  Type     SMTP  Opens  Links\n"
		    "   1  Shop   red    Live     yes   no     None\n"
		    "4711  L\xc3\xa4"
		    "den  -      Sandbox  -     -      -\n" },
		{ "members of members", "webhook list",
		    "{'Webhooks':[{'ID':7,'Url':'https://x','MessageStream':'outbound',"
		    "'Status':'Active','Triggers':{'Delivery':{'Enabled':true}}}]}",
		    0,
		    "ID  URL        Stream    Status  Secret  Delivery  Bounce  Complaint  Open  Click  "
		    "Subscription\n"
		    " 7  https://x  outbound  Active  -       yes       -       -          -     -      "
		    "-\n" },
		{ "a subject that would take the terminal over", "queue list",
		    "{'items':[{'id':'01A','state':'held','route':'default','attempts':1,"
		    "'accepted':'2026-11-23T06:29:25.123Z','due':null,'from':'a@x','recipients':"
		    "['b@x','c@x'],'subject':'\\u001b[2J\\u202e'}]}",
		    0,
		    "Item  State  Fate  Route    Tries  Accepted             Due  From  Recipients  "
		    "Subject\n"
		    "01A   held   -     default      1  2026-11-23 06:29:25  -    a@x   b@x, c@x    "
		    "\\x1B[2J\\u{202E}\n" },
		{ "cut where it may be, ids and times whole", "queue list",
		    "{'items':[{'id':'01KAQ8Z6Y7M0W9V5T3R1P2N4J6-1','state':'waiting','route':"
		    "'default','attempts':12,'accepted':'2026-11-23T06:29:25.123Z','due':"
		    "'2026-11-23T07:29:25.000Z','from':'someone.with.a.long.name@example.com',"
		    "'recipients':['another.long.name@example.com'],'subject':'A subject that goes "
		    "on and on and on'}]}",
		    132,
		    "Item                          State    Fate  Route    Tries  Accepted             "
		    "Due                  From      Recipients  Subject\n"
		    "01KAQ8Z6Y7M0W9V5T3R1P2N4J6-1  waiting  -     default     12  "
		    "2026-11-23 06:29:25  2026-11-23 07:29:25  someone\xe2\x80\xa6  "
		    "another.l\xe2\x80\xa6  A subje\xe2\x80\xa6\n" },
		{ "names and values", "server get",
		    "{'ID':1,'Name':'Shop','ApiTokens':['***'],'Nested':{'A':{'B':true}},'None':"
		    "null,'Empty':[]}",
		    0,
		    "ID          1\n"
		    "Name        Shop\n"
		    "ApiTokens   ***\n"
		    "Nested.A.B  yes\n"
		    "None        -\n"
		    "Empty       -\n" },
		{ "a value of several lines, one with an escape", "template get",
		    "{'Name':'W','TextBody':'Hi\\n\\tthere\\u001b[0m\\r\\nbye'}", 0,
		    "Name      W\n"
		    "TextBody  Hi\n"
		    "              there\\x1B[0m\n"
		    "          bye\n" },
		{ "arrays of objects", "message get", "{'Events':[{'Type':'Opened'},{'Type':'B'}]}",
		    0, "Events.1.Type  Opened\nEvents.2.Type  B\n" },
		{ "another shape than the row has", "server list", "{'Servers':17}", 0,
		    "Servers  17\n" },
		{ "a number alone", "server list", "17", 0, "  17\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct paint p = { .columns = cases[i].columns };
		json_t *answer = load(cases[i].answer);
		struct buf out;

		print_message("%s\n", cases[i].reason);
		buf_init(&out, 1 << 20);
		assert_true(table_add(&p, &out, operation(cases[i].operation), answer));
		assert_string_equal(text_in(&out), cases[i].shown);
		buf_free(&out);
		json_decref(answer);
	}
}

static void
no_rows(void **state)
{
	json_t *answer = load("{'Servers':[]}");
	struct buf out;

	(void)state;
	buf_init(&out, 4096);
	assert_false(table_add(&plain, &out, operation("server list"), answer));
	assert_int_equal(out.len, 0);
	json_decref(answer);
}

static void
ids(void **state)
{
	static const struct {
		const char *operation, *answer, *shown;
	} cases[] = {
		{ "server list", "{'Servers':[{'ID':1},{'ID':2}]}", "1\n2\n" },
		{ "queue list", "{'items':[{'id':'01A-1'}]}", "01A-1\n" },
		{ "server create", "{'ID':4711,'Name':'x'}", "4711\n" },
		{ "send", "{'id':'01B','state':'spooled'}", "01B\n" },
		{ "template create", "{'TemplateId':5,'Name':'x'}", "5\n" },
		{ "server delete", "{'ErrorCode':0,'Message':'Server gone.'}", "" },
		{ "queue count", "{'spooled':1}", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *answer = load(cases[i].answer);
		struct buf out;

		buf_init(&out, 4096);
		table_add_ids(&out, operation(cases[i].operation), answer);
		assert_string_equal(text_in(&out), cases[i].shown);
		buf_free(&out);
		json_decref(answer);
	}
}

static void
stories(void **state)
{
	static const struct {
		const char *reason, *operation, *answer;
		const char *parts[20];
	} cases[] = {
		{ "a failed mail with its attempts", "status",
		    "{'id':'01A','items':[{'id':'01A-1','state':'failed','route':'default',"
		    "'accepted':'2026-11-23T06:29:25.123Z','client':'192.0.2.1','listener':"
		    "'127.0.0.1:25','from':'a@x','recipients':['b@x'],'subject':'Hi\\u001b[2J',"
		    "'has_message':true,'history':[{'at':'2026-11-23T06:29:26.000Z','attempt':1,"
		    "'to':'waiting','http_status':500,'error_code':0,'answer':'Oops'},"
		    "{'at':'2026-11-23T06:30:26.000Z','attempt':2,'to':'failed','http_status':422,"
		    "'error_code':300,'answer':'Invalid \\u0007 email'}]}]}",
		    { "Item 01A-1  failed\n", "subject       Hi\\x1B[2J\n",
			"2026-11-23 06:29:25  accepted     from 192.0.2.1 at 127.0.0.1:25\n",
			"2026-11-23 06:29:26  waiting      try 1: HTTP 500: Oops\n",
			"06:30:26  failed       try 2: HTTP 422, code 300: Invalid \\x07 email\n",
			"pmrelayctl queue retry 01A-1\n", NULL } },
		{ "a mail that went by SMTP", "status",
		    "{'items':[{'id':'01A-1','state':'sent','kind':'smtp','history':[{'at':"
		    "'2026-11-23T06:29:26.000Z','attempt':1,'to':'waiting','http_status':451,"
		    "'error_code':0,'answer':'451 4.3.0 later'},{'at':'2026-11-23T06:30:26.000Z',"
		    "'attempt':2,'to':'sent','http_status':250,'error_code':0,'answer':"
		    "'250 2.0.0 Ok'}]}]}",
		    { "waiting      try 1: 451 4.3.0 later\n", "sent         try 2: 250 2.0.0 Ok\n",
			NULL } },
		{ "one whose message is gone", "status",
		    "{'items':[{'id':'01A-1','state':'failed','has_message':false}]}",
		    { "must be sent anew", NULL } },
		{ "a held one", "status", "{'items':[{'id':'01A-1','state':'held'}]}",
		    { "pmrelayctl queue release 01A-1", "pmrelayctl queue delete 01A-1", NULL } },
		{ "one that waits", "status",
		    "{'items':[{'id':'01A-1','state':'waiting','due':'2026-11-23T06:32:37.123Z'}]}",
		    { "Next try in 3 min 12 s", NULL } },
		{ "an operator's action", "status",
		    "{'items':[{'id':'01A-1','state':'held','history':[{'at':"
		    "'2026-11-23T06:29:26.000Z','attempt':0,'to':'held','http_status':0,"
		    "'error_code':0,'answer':'hold by root: wrong list'}]}]}",
		    { "06:29:26  held         hold by root: wrong list\n", NULL } },
		{ "what webhooks told", "status",
		    "{'items':[{'id':'01A-1','state':'sent','fates':[{'address':'b@x','fate':"
		    "'bounced'},{'address':'c@x\\u001b','fate':'opened'}],'events':[{'at':"
		    "'2026-11-23T06:29:26.000Z','kind':'bounce','text':'b@x: HardBounce: smtp;550'}]}]}",
		    { "  bounced       b@x\n", "  opened        c@x\\x1B\n",
			"06:29:26  bounce       b@x: HardBounce: smtp;550\n", NULL } },
		{ "an item with its message", "queue show",
		    "{'id':'01A-1','state':'sent','reverse_path':'','bytes':120,'message':"
		    "{'Subject':'\\u009b','To':'b@x'}}",
		    { "return path   <>\n", "\"Subject\": \"\\u009b\"", NULL } },
		{ "what would be taken", "explain",
		    "{'ok':true,'envelope':{'reverse_path':'a@x','recipients':['b@x','c@x'],"
		    "'from_headers':true},'items':[{'number':1,'to':'b@x','cc':'','bcc':'c@x',"
		    "'bytes':5000000,'json':{'To':'b@x'}}],'sizes':[{'what':'message','bytes':"
		    "5000000,'limit':10000000,'unit':'bytes'}],'lost':[{'word':'date','text':"
		    "'Date is set anew'}],'warnings':['Careful']}",
		    { "It would be taken.\n", "Item 1 of 1", "Bcc           c@x\n",
			"message       [##########..........]  50 %  5000000 bytes of 10000000 "
			"bytes",
			"date          Date is set anew", "Careful", "\"To\": \"b@x\"", NULL } },
		{ "the way it takes", "explain",
		    "{'ok':true,'origin':{'listener':'[::1]:25','client':'::1','user':'shop'},"
		    "'routes':[{'name':'bills\\u001b','recipients':['b@x'],'fate':'redirected',"
		    "'redirected_to':['t@x'],'connection':'eu','sandbox':true,'stream':'s','tag':"
		    "'t','template':'welcome','reply':'postmark','way':'api','policies':[{'word':"
		    "'date','policy':'convert','applies':true},{'word':'tnef','policy':'smtp',"
		    "'applies':false}],'why_not':[{'route':'lan','recipient':'b@x','why':"
		    "'client: ::1 is not in "
		    "192.0.2.0/"
		    "24'}],'lost':[{'word':'date','text':'x'},{'word':'tnef'}]},{'name':'default','"
		    "fate':'captured',"
		    "'refusal':{'code':554,'status':'5.6.1','text':'no'}}],'items':[{'number':1,"
		    "'route':'bills','kind':'template','to':'t@x','bytes':50,'json':{'To':'t@x',"
		    "'Attachments':[{'Name':'a.pdf','Content':'QUJDRA=='}]}}]}",
		    { "brought by    ::1 at [::1]:25, user shop\n", "Route bills\\x1B\n",
			"for           b@x\n", "redirected    t@x\n", "connection    eu\n",
			"stream        s\n", "tag           t\n", "template      welcome\n",
			"reply         postmark\n", "policies      date: convert\n",
			"loses         date, tnef\n",
			"not lan       client: ::1 is not in 192.0.2.0/24\n",
			"captured      the relay keeps it and sends nothing\n",
			"It refuses the mail: 554 5.6.1 no\n", "kind          template\n",
			"\"Content\": \"... 4 bytes ...\"", NULL } },
		{ "a mail that goes as it is", "explain",
		    "{'ok':true,'items':[{'number':1,'route':'s','kind':'smtp','recipients':"
		    "['b@x'],'to':'','cc':'','bcc':'','bytes':50,'json':null,'head':"
		    "'X-PM-Tag: \\u001b\\r\\nA: b\\r\\n','removed':['Bcc']}]}",
		    { "recipients    b@x\n", "In front of item 1\nX-PM-Tag: \\x1B\nA: b\n",
			"Taken out of item 1\n", "fields        Bcc\n", NULL } },
		{ "what would be refused", "explain",
		    "{'ok':false,'refusal':{'code':554,'status':'5.6.1','text':'no \\u001b'},"
		    "'items':[]}",
		    { "It would be refused: 554 5.6.1 no \\x1B\n", NULL } },
		{ "health", "healthcheck",
		    "{'healthy':false,'checks':[{'name':'spool','ok':true,'text':'durable','todo':"
		    "null},{'name':'token','ok':false,'text':'refused','todo':'Put a new one "
		    "in'}]}",
		    { "not healthy\n", "ok      spool         durable\n",
			"FAILED  token         refused\n", "Put a new one in\n", NULL } },
		{ "settings", "show config", "{'config':'smtp {\\n\\tlisten = x\\n}\\n'}",
		    { "smtp {\n    listen = x\n}\n", NULL } },
		{ "a raw answer", "raw", "{'status':404,'elapsed_ms':12,'tries':1,'body':{'a':1}}",
		    { "HTTP 404, 12 ms\n", "{\n  \"a\": 1\n}\n", NULL } },
		{ "a raw answer that is no text", "raw",
		    "{'status':200,'elapsed_ms':12,'tries':1,'body_type':'binary','body':'AAE='}",
		    { "HTTP 200, 12 ms, as base64\n", "AAE=\n", NULL } },
		{ "a dump", "message dump", "{'Body':'From: a\\r\\n\\r\\nHi\\u001b\\r\\n'}",
		    { "From: a\n\nHi\\x1B\n", NULL } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *answer = load(cases[i].answer);
		struct buf out;

		print_message("%s\n", cases[i].reason);
		buf_init(&out, 1 << 20);
		assert_true(
		    report_add(&plain, &out, operation(cases[i].operation), answer, 1795415365123));
		for (size_t j = 0; cases[i].parts[j] != NULL; j++)
			if (strstr(text_in(&out), cases[i].parts[j]) == NULL)
				fail_msg("no \"%s\" in:\n%s", cases[i].parts[j], text_in(&out));
		/* Whatever was in it: no control character but line ends. */
		for (size_t j = 0; j < out.len; j++)
			assert_true(out.data[j] == '\n' || (unsigned char)out.data[j] >= ' ');
		buf_free(&out);
		json_decref(answer);
	}
}

static void
failures(void **state)
{
	static const struct {
		const char *operation, *answer;
		bool failure;
	} cases[] = {
		{ "healthcheck", "{'healthy':true}", false },
		{ "healthcheck", "{'healthy':false}", true },
		{ "healthcheck", "{}", true },
		{ "send", "{'id':'1','state':'spooled'}", false },
		{ "send", "{'id':'1','state':'sent','error_code':0}", false },
		{ "send", "{'id':'1','state':'held'}", true },
		{ "send", "{'ErrorCode':406}", true },
		{ "send batch", "{'results':[{'state':'sent'},{'state':'failed'}]}", true },
		{ "send batch", "{'results':[{'state':'sent'},{'state':'waiting'}]}", false },
		{ "queue drain", "{'drained':false,'left':3}", true },
		{ "queue drain", "{'drained':true,'left':0}", false },
		{ "queue delete", "{'changed':1,'in_flight':0,'unfit':0,'unknown':0}", false },
		{ "queue delete", "{'changed':0,'in_flight':0,'unfit':0,'unknown':1}", true },
		{ "raw", "{'status':200}", false },
		{ "raw", "{'status':422}", true },
		{ "explain", "{'ok':false}", true },
		{ "server list", "{'Servers':[]}", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *answer = load(cases[i].answer);

		print_message("%s %s\n", cases[i].operation, cases[i].answer);
		assert_int_equal(
		    report_is_failure(operation(cases[i].operation), answer), cases[i].failure);
		json_decref(answer);
	}
}

static void
events(void **state)
{
	json_t *event = load("{'number':1,'at':'2026-11-23T06:29:25.123Z','kind':'failed','item':"
			     "'01A-1','route':'default','attempt':2,'http_status':422,'error_code':"
			     "300,'text':'b@x: \\u001b[31mno'}");
	struct buf out;

	(void)state;
	buf_init(&out, 4096);
	report_add_event(&plain, &out, event);
	assert_string_equal(out.data,
	    "2026-11-23 06:29:25  failed        01A-1  default  try 2  HTTP "
	    "422  code 300  b@x: \\x1B[31mno\n");
	buf_clear(&out);
	report_add_event(&terminal, &out, event);
	assert_non_null(strstr(out.data, "\033[31mfailed\033[0m"));
	assert_null(strstr(out.data, "\033[31mno"));
	json_decref(event);

	static const struct {
		const char *reason, *event, *line;
	} by_smtp[] = {
		{ "taken", "{'kind':'sent','item':'01A-1','http_status':250,'text':'to b@x'}",
		    "  sent          01A-1  to b@x\n" },
		{ "refused", "{'kind':'failed','http_status':554,'text':'554 5.6.0 no'}",
		    "  failed        554 5.6.0 no\n" },
		{ "for its recipients",
		    "{'kind':'failed','http_status':550,'text':'<b@x>: 550 5.1.1 who'}",
		    "  failed        <b@x>: 550 5.1.1 who\n" },
	};
	for (size_t i = 0; i < sizeof(by_smtp) / sizeof(by_smtp[0]); i++) {
		print_message("%s\n", by_smtp[i].reason);
		event = load(by_smtp[i].event);
		buf_clear(&out);
		report_add_event(&plain, &out, event);
		assert_string_equal(out.data, by_smtp[i].line);
		json_decref(event);
	}
	buf_free(&out);
}

/* No line wider than the terminal, never more of them than it has, at any size. */
static void
assert_fits(const char *text, size_t columns, size_t rows)
{
	size_t lines = 0;

	while (*text != '\0') {
		size_t width = 0;

		for (; *text != '\n' && *text != '\0'; text++) {
			if (*text == '\033')
				text = strchr(text, 'm');
			else if (((unsigned char)*text & 0xc0) != 0x80)
				width++;
		}
		assert_true(width <= columns);
		if (*text == '\n')
			text++;
		lines++;
	}
	assert_true(lines <= rows);
}

static json_t *
make_look(unsigned routes, unsigned events_count, int64_t sent)
{
	json_t *look = load("{'now':'2026-11-23T06:29:25.000Z','version':'0.1.0','started':"
			    "'2026-11-23T03:17:25.000Z','queue':{'spooled':5,'sending':2,"
			    "'waiting':3,'held':1,'unsure':0,'sent':120,'failed':1},'oldest':"
			    "'2026-11-23T06:26:13.000Z','put_aside':1,'accepted':1000,'refused':2,"
			    "'commits':500,'syncs':500,'fronts':2,'routes':[],'events':[]}");

	for (unsigned i = 0; i < routes; i++)
		json_array_append_new(json_object_get(look, "routes"),
		    json_pack("{s:s+%, s:s, s:s, s:i, s:i, s:I, s:i, s:i}", "name", "route-", "x",
			1, "mode", i % 2 ? "paused" : "goes", "why",
			i % 2 ? "the token was refused: put a new one into the file of the "
				"connection and reload the settings"
			      : "",
			"in_flight", 3, "window", 8, "sent", (json_int_t)sent, "refused", 1,
			"waiting", 2));
	for (unsigned i = 0; i < events_count; i++)
		json_array_append_new(json_object_get(look, "events"),
		    load("{'at':'2026-11-23T06:29:25.123Z','kind':'sent','item':"
			 "'01KAQ8Z6Y7M0W9V5T3R1P2N4J6-1','route':'default','text':"
			 "'someone.with.a.long.name@example.com \\u001b[2J'}"));
	return look;
}

static void
live_view(void **state)
{
	static const size_t widths[] = { 40, 60, 80, 132 };
	static const size_t heights[] = { 8, 15, 24, 50 };

	(void)state;
	for (unsigned routes = 0; routes <= 40; routes += 8)
		for (size_t w = 0; w < 4; w++)
			for (size_t h = 0; h < 4; h++) {
				struct paint p = {
					.terminal = true, .colour = true, .columns = widths[w]
				};
				json_t *before = make_look(routes, 30, 100);
				json_t *now = make_look(routes, 30, 125);
				struct buf out;

				buf_init(&out, 1 << 20);
				top_draw(&p, &out, heights[h], before, now);
				assert_fits(text_in(&out), widths[w], heights[h]);
				buf_free(&out);
				json_decref(before);
				json_decref(now);
			}
}

static void
rates(void **state)
{
	json_t *before = make_look(1, 1, 100), *now = make_look(1, 1, 125);
	struct buf out;

	(void)state;
	json_object_set_new(now, "now", json_string("2026-11-23T06:29:27.000Z"));
	json_object_set_new(now, "accepted", json_integer(1024));
	buf_init(&out, 1 << 20);
	top_draw(&plain, &out, 0, before, now);
	assert_non_null(strstr(out.data, "up 3 h 12 min"));
	assert_non_null(strstr(out.data, "accepted 1024 (12.0/s)"));
	assert_non_null(strstr(out.data, "12.5/s"));
	assert_non_null(strstr(out.data, "oldest waits for 3 min 14 s"));
	buf_clear(&out);
	/* The first look, and a daemon that was started anew. */
	top_draw(&plain, &out, 0, NULL, now);
	assert_non_null(strstr(out.data, "accepted 1024 (-)"));
	buf_clear(&out);
	json_object_set_new(now, "accepted", json_integer(3));
	top_draw(&plain, &out, 0, before, now);
	assert_non_null(strstr(out.data, "accepted 3 (-)"));
	buf_free(&out);
	json_decref(before);
	json_decref(now);
}

/* Every command has its help, and nothing of it is wider than the terminal but examples. */
static void
help(void **state)
{
	struct paint p = { .columns = 80 };
	struct buf out;

	(void)state;
	buf_init(&out, 1 << 22);
	for (const struct operation *o = operation_table; o->name != NULL; o++) {
		buf_clear(&out);
		help_operation(&p, &out, o);
		assert_non_null(strstr(out.data, o->name));
		for (const struct argument *a = o->arguments; a->name != NULL; a++) {
			char *option = mem_format("--%s%s", a->name, a->secret ? "-file" : "");

			if (a->place == IN_ARGUMENTS && !a->word &&
			    strstr(out.data, option) == NULL)
				fail_msg("%s: no %s", o->name, option);
			free(option);
		}
		assert_non_null(strstr(out.data, "Example:\n  pmrelayctl "));
	}
	buf_clear(&out);
	help_all(&p, &out);
	for (const struct operation *o = operation_table; o->name != NULL; o++)
		assert_non_null(strstr(out.data, o->name));
	assert_fits(out.data, 120, 400);
	buf_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(safe_texts),
		cmocka_unit_test(safe_json),
		cmocka_unit_test(figures),
		cmocka_unit_test(tables),
		cmocka_unit_test(no_rows),
		cmocka_unit_test(ids),
		cmocka_unit_test(stories),
		cmocka_unit_test(failures),
		cmocka_unit_test(events),
		cmocka_unit_test(live_view),
		cmocka_unit_test(rates),
		cmocka_unit_test(help),
	};

	setlocale(LC_CTYPE, "C.UTF-8");
	setenv("TZ", "UTC", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
