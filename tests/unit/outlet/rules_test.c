/* The pure parts of outlets: filters, lines, waits, words. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/buf.h"
#include "base/child.h"
#include "base/mem.h"
#include "base/strlist.h"
#include "config/config.h"
#include "mail/event.h"
#include "store/reader.h"

#include "outlet/filter.h"
#include "outlet/line.h"
#include "outlet/rules.h"

static void
set(char **text, const char *value)
{
	free(*text);
	*text = mem_string(value);
}

static void
set_list(struct strlist *list, const char *words)
{
	child_words(words, list);
}

static void
test_filter(void **state)
{
	static const struct {
		const char *reason, *kinds, *streams, *tags;
		enum event_kind kind;
		const char *stream, *tag;
		bool expected;
	} cases[] = {
		{ "no filter", "", "", "", EVENT_OPEN, "outbound", "", true },
		{ "the kind", "bounce", "", "", EVENT_BOUNCE, "outbound", "", true },
		{ "one of the kinds", "open bounce", "", "", EVENT_BOUNCE, "", "", true },
		{ "another kind", "open bounce", "", "", EVENT_CLICK, "", "", false },
		{ "a kind in capitals", "Bounce", "", "", EVENT_BOUNCE, "", "", true },
		{ "the kind that nobody knows", "other", "", "", EVENT_OTHER, "", "", true },
		{ "it is not any", "delivery", "", "", EVENT_OTHER, "", "", false },
		{ "the stream", "", "outbound", "", EVENT_OPEN, "outbound", "", true },
		{ "another stream", "", "outbound", "", EVENT_OPEN, "news", "", false },
		{ "a glob of streams", "", "news-*", "", EVENT_OPEN, "news-2026", "", true },
		{ "no stream", "", "outbound", "", EVENT_OPEN, "", "", false },
		{ "no stream, and any will do", "", "*", "", EVENT_OPEN, "", "", true },
		{ "the tag", "", "", "invoice", EVENT_OPEN, "", "invoice", true },
		{ "a glob of tags", "", "", "a* inv?ice", EVENT_OPEN, "", "invoice", true },
		{ "no glob of tags", "", "", "a* inv?ice", EVENT_OPEN, "", "involice", false },
		{ "no tag", "", "", "invoice", EVENT_OPEN, "", "", false },
		{ "all three", "open", "o*", "i*", EVENT_OPEN, "outbound", "invoice", true },
		{ "but the kind", "click", "o*", "i*", EVENT_OPEN, "outbound", "invoice", false },
		{ "but the stream", "open", "x*", "i*", EVENT_OPEN, "outbound", "invoice", false },
		{ "but the tag", "open", "o*", "x*", EVENT_OPEN, "outbound", "invoice", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct outlet outlet = { 0 };
		struct event *event = mail_event_new();

		set_list(&outlet.kinds, cases[i].kinds);
		set_list(&outlet.streams, cases[i].streams);
		set_list(&outlet.tags, cases[i].tags);
		event->kind = cases[i].kind;
		set(&event->stream, cases[i].stream);
		set(&event->tag, cases[i].tag);
		if (filter_passes(&outlet, event) != cases[i].expected)
			fail_msg("%s", cases[i].reason);
		mail_event_free(&event);
		strlist_free(&outlet.kinds);
		strlist_free(&outlet.streams);
		strlist_free(&outlet.tags);
	}
}

/* The options know the kinds by a list of their own. */
static void
test_every_kind_is_an_option(void **state)
{
	(void)state;
	for (int i = 0; i < EVENT_KINDS; i++) {
		char *text = mem_format(
		    "outlet o { file = /f kinds = {%s} }", event_kind_name((enum event_kind)i));
		struct buf why;
		struct config *config;

		buf_init(&why, 10000);
		config = config_parse(text, strlen(text), "test", &why);
		if (config == NULL)
			fail_msg("%s", why.data);
		assert_int_equal(filter_kinds(config->outlets), 1U << i);
		config_free(&config);
		buf_free(&why);
		free(text);
	}
}

static void
test_options_together(void **state)
{
#define INBOUND "inbound { deliver = \"maildir:/m\" } "
	static const struct {
		const char *text, *why; /* NULL: it is right */
	} cases[] = {
		{ "outlet o { file = /f }", NULL },
		{ "outlet o { command = \"/bin/x 'a b'\" parallel = 4 }", NULL },
		{ "outlet o { url = \"https://a.example/x\" secret = abc }", NULL },
		{ "outlet o { url = \"http://127.0.0.1:8/x\" }", NULL },
		{ "outlet o { }", "found none of file, command and url" },
		{ "outlet o { file = /f command = /c }", "found several of file" },
		{ "outlet o { file = f }", "an absolute path" },
		{ "outlet o { command = \"x y\" }", "an absolute path" },
		{ "outlet o { url = \"http://a.example/x\" }", "wanted https" },
		{ "outlet o { file = /f kinds = {bounces} }", "wanted delivery, bounce" },
		{ "outlet o { file = /f retry-minimum = 1h }", "retry-maximum: found less" },
		{ "outlet notice { file = /f }", "what makes notices" },
		{ "outlet a { file = /f kinds = {open} } outlet b { file = /f kinds = {click} }",
		    "outlet.b.file: found that of outlet.a" },
		{ INBOUND "notice { bounces = sender }", NULL },
		{ "notice { bounces = sender }", "notice.via: found inbound without" },
		{ "route r { notice = sender }", "notice.via: found inbound without" },
		{ "notice { bounces = off }", NULL },
		{ "notice { bounces = default }", "bounces" },
		{ "notice { failures = postmaster }", "postmaster: found none" },
		{ INBOUND "notice { failures = postmaster postmaster = a@b.example }", NULL },
		{ "notice { bounces = sender via = postmark }", "from: found none" },
		{ "notice { bounces = sender via = postmark from = a@b.example }", NULL },
		{ "notice { via = postmark } route r { notice = sender }", "from: found none" },
		{ "route r { notice = postmaster }", "postmaster: found none" },
		{ "notice { connection = eu }", "found eu" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf why;
		struct config *config;

		buf_init(&why, 10000);
		config = config_parse(cases[i].text, strlen(cases[i].text), "test", &why);
		if ((config == NULL) != (cases[i].why != NULL) ||
		    (config == NULL && strstr(why.data, cases[i].why) == NULL))
			fail_msg("%s: %s", cases[i].text, why.len > 0 ? why.data : "right");
		config_free(&config);
		buf_free(&why);
	}
}

static struct event_facts
facts_make(void)
{
	struct event_facts facts = { .key = 42, .item_key = 7, .route = "main" };
	struct event *event = mail_event_new();

	memcpy(facts.item, "01KB9YYYYYYYYYYYYYYYYYYYYY-1", 29);
	facts.event = event;
	memcpy(event->id, "01KB9ZZZZZZZZZZZZZZZZZZZZ1", ULID_SIZE);
	event->kind = EVENT_BOUNCE;
	event->at_ms = 1788645664118;
	event->received_ms = 1788645665000;
	set(&event->connection, "default");
	set(&event->message_id, "6f0f3a52");
	set(&event->recipient, "bo@reader.example");
	set(&event->stream, "outbound");
	set(&event->tag, "a \"tag\"\xc3\xbc");
	set(&event->type, "HardBounce");
	set(&event->detail, "550 no");
	event->suppressed = true;
	set(&event->json, "{\n\t\"RecordType\":\r\n\"Bounce\" }");
	event->json_len = strlen(event->json);
	return facts;
}

static void
test_line(void **state)
{
	static const char expected[] =
	    "{\"id\":\"01KB9ZZZZZZZZZZZZZZZZZZZZ1\",\"key\":42,\"kind\":\"bounce\","
	    "\"at\":\"2026-09-05T22:01:04.118Z\",\"received\":\"2026-09-05T22:01:05.000Z\","
	    "\"item\":\"01KB9YYYYYYYYYYYYYYYYYYYYY-1\",\"route\":\"main\","
	    "\"message_id\":\"6f0f3a52\",\"recipient\":\"bo@reader.example\","
	    "\"stream\":\"outbound\",\"tag\":\"a \\\"tag\\\"\xc3\xbc\",\"type\":\"HardBounce\","
	    "\"origin\":\"\",\"detail\":\"550 no\",\"suppressed\":true,\"first\":false,"
	    "\"connection\":\"default\"";
	struct event_facts facts = facts_make();
	char id[ULID_SIZE],
	    *whole = mem_format("%s,\"payload\":%s}", expected, "{  \"RecordType\":  \"Bounce\" }");
	struct buf out;
	int64_t key;

	(void)state;
	buf_init(&out, LINE_MOST_BYTES);
	line_add(&out, &facts, true);
	assert_string_equal(out.data, whole);
	assert_int_equal(line_read(out.data, out.len, &key, id), 0);
	assert_int_equal(key, 42);
	assert_string_equal(id, facts.event->id);
	free(whole);

	buf_clear(&out);
	line_add(&out, &facts, false);
	assert_memory_equal(out.data, expected, sizeof(expected) - 1);
	assert_string_equal(out.data + sizeof(expected) - 1, "}");
	mail_event_free(&facts.event);
	buf_free(&out);
}

static void
test_line_of_little(void **state)
{
	static const char *const payloads[] = { "", "[1]", "{}{}", "{\"a\":" };
	struct event_facts facts = facts_make();

	(void)state;
	facts.item[0] = facts.route[0] = '\0';
	for (size_t i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++) {
		struct buf out;
		json_t *object;

		set(&facts.event->json, payloads[i]);
		facts.event->json_len = strlen(payloads[i]);
		buf_init(&out, LINE_MOST_BYTES);
		line_add(&out, &facts, true);
		object = json_loadb(out.data, out.len, 0, NULL);
		assert_non_null(object);
		assert_null(strpbrk(out.data, "\r\n"));
		assert_true(json_is_null(json_object_get(object, "payload")));
		assert_true(json_is_null(json_object_get(object, "item")));
		assert_true(json_is_null(json_object_get(object, "route")));
		json_decref(object);
		buf_free(&out);
	}
	mail_event_free(&facts.event);
}

/* The largest event there is. */
static void
test_line_of_much(void **state)
{
	struct event_facts facts = facts_make();
	struct event *event = facts.event;
	char *text = mem_new(EVENT_MOST_TEXT + 1);
	struct buf out, json;
	json_t *object;

	(void)state;
	memset(text, '\\', EVENT_MOST_TEXT);
	set(&event->tag, text);
	set(&event->detail, text);
	set(&event->stream, text);
	set(&event->type, text);
	set(&event->origin, text);
	set(&event->recipient, text);
	set(&event->message_id, text);
	set(&event->connection, text);
	free(text);
	buf_init(&json, EVENT_MOST_JSON);
	buf_adds(&json, "{\"a\":\"");
	while (json.len < EVENT_MOST_JSON - 2)
		buf_addc(&json, 'x');
	buf_adds(&json, "\"}");
	free(event->json);
	event->json = buf_take(&json, &event->json_len);
	buf_init(&out, LINE_MOST_BYTES);
	line_add(&out, &facts, true);
	assert_false(out.over);
	object = json_loadb(out.data, out.len, 0, NULL);
	assert_non_null(object);
	json_decref(object);
	buf_free(&out);
	mail_event_free(&facts.event);
}

static void
test_lines_of_others(void **state)
{
	static const char *const lines[] = { "", "{", "[]", "{}", "null", "{\"key\":1}",
		"{\"id\":\"01KB9ZZZZZZZZZZZZZZZZZZZZ1\"}",
		"{\"id\":\"01KB9ZZZZZZZZZZZZZZZZZZZZ1\",\"key\":\"1\"}",
		"{\"id\":\"01KB9ZZZZZZZZZZZZZZZZZZZZ1\",\"key\":1.5}",
		"{\"id\":\"short\",\"key\":1}",
		"{\"id\":\"01KB9ZZZZZZZZZZZZZZZZZZZZ1\",\"key\":1} x" };
	char id[ULID_SIZE];
	int64_t key;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (line_read(lines[i], strlen(lines[i]), &key, id) != -1)
			fail_msg("%s", lines[i]);
}

static void
test_variables(void **state)
{
	struct event_facts facts = facts_make();
	struct strlist list = { 0 };

	(void)state;
	line_add_variables(&list, &facts);
	assert_int_equal(list.count, 4);
	assert_string_equal(list.items[0], "PMRELAY_EVENT_KIND=bounce");
	assert_string_equal(list.items[1], "PMRELAY_EVENT_ID=01KB9ZZZZZZZZZZZZZZZZZZZZ1");
	assert_string_equal(list.items[2], "PMRELAY_EVENT_ITEM=01KB9YYYYYYYYYYYYYYYYYYYYY-1");
	assert_string_equal(list.items[3], "PMRELAY_EVENT_RECIPIENT=bo@reader.example");
	strlist_free(&list);
	mail_event_free(&facts.event);
}

static void
test_waits(void **state)
{
	static const struct {
		const char *reason;
		unsigned tries;
		int64_t least, most;
		uint16_t chance;
		int64_t expected;
	} cases[] = {
		{ "the first", 1, 1000, 60000, 0, 1000 },
		{ "by chance less", 1, 1000, 60000, UINT16_MAX, 750 },
		{ "the second", 2, 1000, 60000, 0, 2000 },
		{ "the fifth", 5, 1000, 60000, 0, 16000 },
		{ "the longest", 7, 1000, 60000, 0, 60000 },
		{ "it stays", 1000000, 1000, 60000, 0, 60000 },
		{ "less of the longest", 99, 1000, 60000, UINT16_MAX, 45000 },
		{ "both are one", 3, 500, 500, 0, 500 },
		{ "none before", 0, 1000, 60000, 0, 1000 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (rule_wait_ms(cases[i].tries, cases[i].least, cases[i].most, cases[i].chance) !=
		    cases[i].expected)
			fail_msg("%s", cases[i].reason);
}

static void
test_pauses(void **state)
{
	static const struct {
		const char *reason;
		int64_t wait, asked, left, expected;
	} cases[] = {
		{ "nothing was asked", 500, 0, 10000, 500 },
		{ "less was asked", 500, 400, 10000, 500 },
		{ "more was asked", 500, 5000, 10000, 5000 },
		{ "more than there is", 500, 86400000, 10000, 10000 },
		{ "the last of it", 500, 0, 20, 20 },
		{ "it is over", 500, 5000, -1, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (rule_pause_ms(cases[i].wait, cases[i].asked, cases[i].left) !=
		    cases[i].expected)
			fail_msg("%s", cases[i].reason);
}

static void
test_answers(void **state)
{
	static const struct {
		long status;
		enum rule_answer expected;
	} cases[] = {
		{ 200, RULE_TAKEN },
		{ 202, RULE_TAKEN },
		{ 204, RULE_TAKEN },
		{ 299, RULE_TAKEN },
		{ 0, RULE_AGAIN },
		{ 199, RULE_AGAIN },
		{ 301, RULE_AGAIN }, /* not followed: an operator has to see to it */
		{ 307, RULE_AGAIN },
		{ 400, RULE_DROP },
		{ 401, RULE_DROP },
		{ 404, RULE_DROP },
		{ 410, RULE_DROP },
		{ 422, RULE_DROP },
		{ 407, RULE_AGAIN },
		{ 408, RULE_AGAIN },
		{ 425, RULE_AGAIN },
		{ 429, RULE_AGAIN },
		{ 500, RULE_AGAIN },
		{ 503, RULE_AGAIN },
		{ 999, RULE_AGAIN },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (rule_answer(cases[i].status) != cases[i].expected)
			fail_msg("%ld", cases[i].status);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_filter),
		cmocka_unit_test(test_every_kind_is_an_option),
		cmocka_unit_test(test_options_together),
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_line_of_little),
		cmocka_unit_test(test_line_of_much),
		cmocka_unit_test(test_lines_of_others),
		cmocka_unit_test(test_variables),
		cmocka_unit_test(test_waits),
		cmocka_unit_test(test_pauses),
		cmocka_unit_test(test_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
