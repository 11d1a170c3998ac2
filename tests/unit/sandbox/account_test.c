/* What an account has, and the pure rules for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"
#include "sandbox/bounce_type.h"
#include "sandbox/fields.h"
#include "sandbox/query.h"
#include "sandbox/server.h"
#include "sandbox/servers.h"
#include "sandbox/state.h"
#include "sandbox/stream.h"
#include "sandbox/streams.h"
#include "sandbox/suppressions.h"
#include "sandbox/switches.h"
#include "sandbox/url.h"
#include "sandbox/webhooks.h"

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

static void
finds_by_token(void **state_p)
{
	struct state state;
	struct server *one, *two;
	size_t number;

	(void)state_p;
	state_init(&state, 10, 1000);
	one = account_add_server(&state.account, "one");
	two = account_add_server(&state.account, "Two");
	strlist_add(&one->tokens, "a");
	strlist_add(&two->tokens, "b");
	strlist_add(&two->tokens, "c");
	assert_ptr_equal(account_server_by_token(&state.account, "C", &number), two);
	assert_int_equal(number, 2);
	assert_null(account_server_by_token(&state.account, "d", &number));
	assert_ptr_equal(account_server_by_name(&state.account, "two"), two);
	assert_ptr_equal(account_server(&state.account, 1), one);
	account_remove_server(&state.account, one);
	assert_null(account_server(&state.account, 1));
	assert_null(account_server_by_token(&state.account, "a", &number));
	assert_int_equal(account_add_server(&state.account, "three")->id, 3);
	state_deinit(&state);
}

static void
suppresses(void **state)
{
	struct message_stream *stream =
	    message_stream_new("outbound", "o", STREAM_TYPE_TRANSACTIONAL, 1);
	char address[32];

	(void)state;
	assert_null(message_stream_suppression(stream, "a@x.example"));
	message_stream_suppress(stream, "A@x.example", "HardBounce", "Recipient");
	assert_non_null(message_stream_suppression(stream, "a@X.example"));
	message_stream_unsuppress(stream, "a@X.EXAMPLE");
	assert_null(message_stream_suppression(stream, "a@x.example"));
	/* Without an end no list of a load test fits. */
	for (int i = 0; i <= STREAM_MOST_SUPPRESSIONS; i++) {
		snprintf(address, sizeof(address), "a%d@x.example", i);
		message_stream_suppress(stream, address, "HardBounce", "Recipient");
	}
	assert_null(message_stream_suppression(stream, "a0@x.example"));
	assert_non_null(message_stream_suppression(stream, "a1@x.example"));
	message_stream_free(&stream);
	message_stream_free(&stream);
}

static void
knows_types(void **state)
{
	static const struct {
		const char *json;
		const char *wrong;
	} cases[] = {
		{ "{}", NULL },
		{ "{'S':'','F':true,'I':1,'O':{},'A':[]}", NULL },
		{ "{'S':null,'F':null,'I':null,'O':null,'A':null}", NULL },
		{ "{'S':1}", "Invalid request field(s): 'S'." },
		{ "{'F':'true','I':1.5,'O':[],'A':{}}",
		    "Invalid request field(s): 'F', 'I', 'O', 'A'." },
		{ "{'s':1,'other':1}", NULL },
	};
	static const struct fields fields[] = { { "S", FIELDS_STRING }, { "F", FIELDS_FLAG },
		{ "I", FIELDS_INTEGER }, { "O", FIELDS_OBJECT }, { "A", FIELDS_ARRAY } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *json = json_of(cases[i].json);
		char *wrong = fields_wrong(json, fields, 5);

		if (cases[i].wrong == NULL)
			assert_null(wrong);
		else
			assert_string_equal(wrong, cases[i].wrong);
		free(wrong);
		json_decref(json);
	}
	assert_null(fields_text(NULL, "x"));
	assert_true(fields_flag(NULL, "x", true));
}

static void
knows_urls(void **state)
{
	static const struct {
		const char *url;
		bool ok;
	} cases[] = {
		{ "http://x.example", true },
		{ "HTTPS://u:p@x.example:8443/a/b?c=%20&d", true },
		{ "http://[::1]:80/", true },
		{ "", false },
		{ "x.example", false },
		{ "ftp://x.example/", false },
		{ "http://", false },
		{ "http:///path", false },
		{ "http://x.example/a b", false },
		{ "http://x.example/\r\nA: b", false },
		{ "http://x.example:999999/", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (url_ok(cases[i].url) != cases[i].ok)
			fail_msg("%s", cases[i].url);
	}
}

static void
knows_names(void **state)
{
	(void)state;
	assert_string_equal(bounce_type_find("dmarc_policy")->name, "DMARCPolicy");
	assert_int_equal(bounce_type_find("SPAMCOMPLAINT")->code, 100001);
	assert_null(bounce_type_find("Hard"));
	assert_null(bounce_type_find("HardBounces"));
	assert_null(bounce_type_find(""));
	assert_string_equal(suppressions_reason("hardbounce"), "HardBounce");
	assert_null(suppressions_reason("None"));
	assert_null(suppressions_origin("Reader"));
	assert_true(suppressions_address_ok("a.b+c@x.example"));
	assert_false(suppressions_address_ok("A <a@x.example>"));
	assert_false(suppressions_address_ok("a@x.example, b@x.example"));
	assert_false(suppressions_address_ok(" a@x.example"));
	assert_false(suppressions_address_ok(""));
	assert_int_equal(query_id("12"), 12);
	assert_int_equal(query_id("0"), 0);
	assert_int_equal(query_id("-1"), 0);
	assert_int_equal(query_id("99999999999999999999"), 0);
	assert_int_equal(query_id("1x"), 0);
}

static void
switches(void **state)
{
	struct switches set = { .delete_servers = true };
	json_t *json = json_of("{'to_optional':true,'delete_servers':false}"), *shown;
	char why[128];

	(void)state;
	assert_int_equal(switches_set(&set, json, why, sizeof(why)), 0);
	assert_true(set.to_optional);
	assert_false(set.delete_servers);
	json_object_set_new(json, "odd", json_true());
	json_object_set_new(json, "to_optional", json_false());
	assert_int_equal(switches_set(&set, json, why, sizeof(why)), -1);
	assert_string_equal(why, "there is no switch \"odd\"");
	assert_true(set.to_optional);
	json_decref(json);
	shown = switches_json(&set);
	assert_int_equal(switches_set(&set, shown, why, sizeof(why)), 0);
	json_decref(shown);
}

static void
changes_servers_whole_or_not(void **state_p)
{
	struct state state;
	struct server *server;
	json_t *before, *json = json_of("{'Name':'new','Color':'Red','TrackLinks':'x'}"), *after;
	const char *why = NULL;

	(void)state_p;
	state_init(&state, 10, 1000);
	server = account_add_server(&state.account, "old");
	before = server_json(server);
	assert_int_equal(servers_apply(&state, server, json, true, &why), 612);
	assert_non_null(why);
	after = server_json(server);
	assert_true(json_equal(before, after));
	json_object_set_new(json, "TrackLinks", json_string("textonly"));
	assert_int_equal(servers_apply(&state, server, json, true, &why), 0);
	assert_string_equal(server_text(server, "TrackLinks"), "TextOnly");
	assert_string_equal(server_text(server, "Color"), "red");
	json_decref(before);
	json_decref(after);
	json_decref(json);
	state_deinit(&state);
}

static void
changes_webhooks(void **state)
{
	static const struct {
		const char *reason;
		const char *body;
		int code_new;
		int code_edited;
	} cases[] = {
		{ "the least", "{'Url':'http://x.example/'}", 0, 0 },
		{ "no URL", "{'Triggers':{}}", 1354, 0 },
		{ "an empty URL", "{'Url':''}", 1354, 1354 },
		{ "an ID", "{'Url':'http://x.example/','ID':1}", 1356, 0 },
		{ "another ID", "{'Url':'http://x.example/','ID':2}", 1356, 1357 },
		{ "another stream", "{'Url':'http://x.example/','MessageStream':'broadcast'}", 0,
		    1357 },
		{ "the same stream", "{'Url':'http://x.example/','MessageStream':'outbound'}", 0,
		    0 },
		{ "an inbound stream", "{'Url':'http://x.example/','MessageStream':'inbound'}",
		    1351, 1357 },
		{ "a status", "{'Url':'http://x.example/','Status':'verified'}", 1363, 0 },
		{ "another status", "{'Url':'http://x.example/','Status':'unverified'}", 1363,
		    1363 },
		{ "a header without a name",
		    "{'Url':'http://x.example/','HttpHeaders':[{'Value':'v'}]}", 1358, 1358 },
		{ "a trigger that nobody knows",
		    "{'Url':'http://x.example/','Triggers':{'Inbound':{'Enabled':true}}}", 1353,
		    1353 },
		{ "... and is off",
		    "{'Url':'http://x.example/','Triggers':{'Inbound':{'Enabled':false}}}", 0, 0 },
	};
	struct server *server = server_new(1, "s");
	json_t *old = json_of("{'Url':'https://y.example/','Triggers':{'Open':{'Enabled':true}}}");
	json_t *body, *shown;
	struct webhook *webhook;
	const char *why;

	(void)state;
	assert_int_equal(webhook_change(server, NULL, old, &shown, &why), 0);
	json_decref(old);
	webhook = webhooks_add(server->webhooks, 1, shown);
	assert_true(webhook_enabled(webhook->shown, WEBHOOK_OPEN));
	assert_true(webhook_verified(webhook->shown));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		body = json_of(cases[i].body);
		shown = NULL;
		if (webhook_change(server, NULL, body, &shown, &why) != cases[i].code_new)
			fail_msg("%s, new", cases[i].reason);
		json_decref(shown);
		shown = NULL;
		if (webhook_change(server, webhook->shown, body, &shown, &why) !=
		    cases[i].code_edited)
			fail_msg("%s, edited", cases[i].reason);
		/* What is not named stays. */
		if (shown != NULL)
			assert_true(webhook_enabled(shown, WEBHOOK_OPEN));
		json_decref(shown);
		json_decref(body);
	}
	webhooks_remove(server->webhooks, webhook);
	assert_int_equal(webhooks_count(server->webhooks), 0);
	server_free(&server);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_by_token),
		cmocka_unit_test(suppresses),
		cmocka_unit_test(knows_types),
		cmocka_unit_test(knows_urls),
		cmocka_unit_test(knows_names),
		cmocka_unit_test(switches),
		cmocka_unit_test(changes_servers_whole_or_not),
		cmocka_unit_test(changes_webhooks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
