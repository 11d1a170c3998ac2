#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <event2/http.h>
#include <event2/keyvalq_struct.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/strlist.h"
#include "sandbox/account.h"
#include "sandbox/api.h"
#include "sandbox/bounces.h"
#include "sandbox/messages.h"
#include "sandbox/records.h"
#include "sandbox/server.h"
#include "sandbox/state.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* 2026-09-05T03:00:00Z, still the fourth in New York. */
#define START_MS 1788577200000LL
#define HOUR_MS  3600000LL

struct fixture {
	struct state state;
	struct server *server, *other;
};

static const struct message *
post(struct fixture *fixture, struct server *server, const char *tag, const char *stream, int to,
    bool tracked)
{
	struct message *message = message_new();
	const char *json = "{\"HtmlBody\":\"<a href='http://a.example/'>https://b.example</a>\","
			   "\"TextBody\":\"http://c.example/\"}";

	message->server = server->id;
	message->wall_ms = clock_wall_ms();
	message->json = mem_string(json);
	message->json_len = strlen(json);
	message->from = mem_string("shop@sender.example");
	message->tag = mem_string(tag);
	message->subject = mem_string("s");
	message->stream = mem_string(stream);
	for (int i = 0; i < to; i++)
		strlist_add(&message->recipients, "ann@reader.example");
	message->track_opens = message->track_html_links = tracked;
	messages_add(fixture->state.messages, message);
	return message;
}

static void
track(struct records *records, const struct message *message, const char *extra)
{
	json_t *json = json_loads(extra, 0, NULL);

	assert_non_null(json);
	json_object_set_new(json, "Tag", json_string(message->tag));
	json_object_set_new(json, "MessageStream", json_string(message->stream));
	json_object_set_new(json, "Recipient", json_string("ann@reader.example"));
	(void)records_add(records, message->server, message->id, json, NULL);
}

static int
setup(void **state_p)
{
	struct fixture *fixture = mem_new(sizeof(*fixture));
	struct state *state = &fixture->state;
	const struct message *message;

	clock_fake(START_MS, 1000);
	state_init(state, 1000, 1 << 20);
	fixture->server = account_add_server(&state->account, "one");
	fixture->other = account_add_server(&state->account, "two");
	strlist_add(&fixture->server->tokens, "token");
	(void)post(fixture, fixture->other, "a", "outbound", 7, true);
	message = post(fixture, fixture->server, "a", "outbound", 2, true);
	(void)bounces_add(state, fixture->server, message, "x@reader.example", "HardBounce", NULL);
	(void)bounces_add(state, fixture->server, message, "y@reader.example", "Transient", NULL);
	track(state->opens, message,
	    "{\"FirstOpen\":true,\"Platform\":\"Mobile\",\"Client\":{\"Name\":\"C 1\"}}");
	clock_fake_advance(6 * HOUR_MS); /* the fifth */
	track(
	    state->opens, message, "{\"FirstOpen\":false,\"Platform\":\"Unknown\",\"Client\":{}}");
	for (int i = 0; i < 2; i++)
		track(state->clicks, message,
		    "{\"OriginalLink\":\"http://a.example/\",\"ClickLocation\":\"HTML\","
		    "\"Platform\":\"Desktop\",\"Client\":{\"Family\":\"Date\"}}");
	message = post(fixture, fixture->server, "b", "broadcast", 1, false);
	(void)bounces_add(
	    state, fixture->server, message, "z@reader.example", "SpamComplaint", NULL);
	*state_p = fixture;
	return 0;
}

static int
teardown(void **state_p)
{
	struct fixture *fixture = *state_p;

	state_deinit(&fixture->state);
	free(fixture);
	clock_restore();
	return 0;
}

static void
ask(struct fixture *fixture, const char *path, const char *query_text, struct api_answer *answer)
{
	struct evkeyvalq query;
	struct strlist segments = { 0 };
	struct api_request request = {
		.method = "GET",
		.path = path,
		.segments = &segments,
		.query = &query,
		.server_token = "token",
		.body = "",
	};

	assert_int_equal(evhttp_parse_query_str(query_text, &query), 0);
	for (const char *at = path; *at == '/'; at += strcspn(at, "/")) {
		at++;
		strlist_add_bytes(&segments, at, strcspn(at, "/"));
	}
	api_answer_init(answer);
	api_handle(&fixture->state, &request, answer);
	strlist_free(&segments);
	evhttp_clear_headers(&query);
}

static void
test_answers(void **state_p)
{
	static const struct {
		const char *path, *query, *expected;
	} cases[] = {
		{ "/sends", "",
		    "{\"Sent\":3,\"Days\":[{\"Date\":\"2026-09-04\",\"Sent\":2},"
		    "{\"Date\":\"2026-09-05\",\"Sent\":1}]}" },
		{ "/sends", "tag=a",
		    "{\"Sent\":2,\"Days\":[{\"Date\":\"2026-09-04\",\"Sent\":2}]}" },
		{ "/sends", "messagestream=Broadcast",
		    "{\"Sent\":1,\"Days\":[{\"Date\":\"2026-09-05\",\"Sent\":1}]}" },
		{ "/sends", "todate=2026-09-04",
		    "{\"Sent\":2,\"Days\":[{\"Date\":\"2026-09-04\",\"Sent\":2}]}" },
		{ "/sends", "fromdate=2026-09-05",
		    "{\"Sent\":1,\"Days\":[{\"Date\":\"2026-09-05\",\"Sent\":1}]}" },
		{ "/sends", "tag=none", "{\"Days\":[]}" },
		{ "/bounces", "",
		    "{\"HardBounce\":1,\"Transient\":1,\"Days\":[{\"Date\":\"2026-09-04\","
		    "\"HardBounce\":1,\"Transient\":1}]}" },
		{ "/spam", "",
		    "{\"SpamComplaint\":1,\"Days\":[{\"Date\":\"2026-09-05\",\"SpamComplaint\":1}]"
		    "}" },
		{ "/tracked", "",
		    "{\"Tracked\":2,\"Days\":[{\"Date\":\"2026-09-04\",\"Tracked\":2}]}" },
		{ "/opens", "",
		    "{\"Opens\":2,\"Unique\":1,\"Days\":[{\"Date\":\"2026-09-04\",\"Opens\":1,"
		    "\"Unique\":1},{\"Date\":\"2026-09-05\",\"Opens\":1}]}" },
		{ "/opens/platforms", "fromdate=2026-09-05",
		    "{\"Unknown\":1,\"Days\":[{\"Date\":\"2026-09-05\",\"Unknown\":1}]}" },
		{ "/opens/emailclients", "todate=2026-09-04",
		    "{\"C 1\":1,\"Days\":[{\"Date\":\"2026-09-04\",\"C 1\":1}]}" },
		{ "/clicks", "",
		    "{\"Clicks\":2,\"Unique\":1,\"Days\":[{\"Date\":\"2026-09-05\",\"Clicks\":2,"
		    "\"Unique\":1}]}" },
		/* What calls itself like the day's own name. */
		{ "/clicks/browserfamilies", "",
		    "{\"Unknown\":2,\"Days\":[{\"Date\":\"2026-09-05\",\"Unknown\":2}]}" },
		{ "/clicks/platforms", "",
		    "{\"Desktop\":2,\"Days\":[{\"Date\":\"2026-09-05\",\"Desktop\":2}]}" },
		{ "/clicks/location", "",
		    "{\"HTML\":2,\"Days\":[{\"Date\":\"2026-09-05\",\"HTML\":2}]}" },
		{ "", "",
		    "{\"Sent\":3,\"Bounced\":1,\"SMTPApiErrors\":0,\"BounceRate\":33."
		    "332999999999998,"
		    "\"SpamComplaints\":1,\"SpamComplaintsRate\":33.332999999999998,\"Opens\":2,"
		    "\"UniqueOpens\":1,\"Tracked\":2,\"WithLinkTracking\":2,\"WithOpenTracking\":2,"
		    "\"TotalTrackedLinksSent\":4,\"UniqueLinksClicked\":1,\"TotalClicks\":2,"
		    "\"WithClientRecorded\":1,\"WithPlatformRecorded\":1}" },
		{ "", "tag=b",
		    "{\"Sent\":1,\"Bounced\":0,\"SMTPApiErrors\":0,\"BounceRate\":0.0,"
		    "\"SpamComplaints\":1,\"SpamComplaintsRate\":100.0,\"Opens\":0,"
		    "\"UniqueOpens\":0,\"Tracked\":0,\"WithLinkTracking\":0,\"WithOpenTracking\":0,"
		    "\"TotalTrackedLinksSent\":0,\"UniqueLinksClicked\":0,\"TotalClicks\":0,"
		    "\"WithClientRecorded\":0,\"WithPlatformRecorded\":0}" },
	};
	struct fixture *fixture = *state_p;

	for (size_t i = 0; i < COUNT(cases); i++) {
		char *path = mem_format("/stats/outbound%s", cases[i].path);
		struct api_answer answer;
		json_t *got, *expected = json_loads(cases[i].expected, 0, NULL);

		ask(fixture, path, cases[i].query, &answer);
		got = json_loads(answer.body.data, 0, NULL);
		if (answer.status != 200 || !json_equal(got, expected))
			fail_msg("%s?%s: %s", path, cases[i].query, answer.body.data);
		json_decref(got);
		json_decref(expected);
		api_answer_deinit(&answer);
		free(path);
	}
}

static void
test_refusals(void **state_p)
{
	static const struct {
		const char *query;
		int code;
	} cases[] = {
		{ "fromdate=yesterday", 900 },
		{ "todate=2026-13-01", 900 },
		{ "fromdate=2025-09-01", 1500 },
		{ "fromdate=2026-09-05&todate=2026-09-04", 1502 },
		{ "messagestream=none", 1226 },
	};
	struct fixture *fixture = *state_p;
	struct api_answer answer;

	for (size_t i = 0; i < COUNT(cases); i++) {
		ask(fixture, i % 2 == 0 ? "/stats/outbound" : "/stats/outbound/sends",
		    cases[i].query, &answer);
		if (answer.error_code != cases[i].code || answer.status != 422)
			fail_msg("%s: %d", cases[i].query, answer.error_code);
		api_answer_deinit(&answer);
	}
	ask(fixture, "/stats/outbound/nothing", "", &answer);
	assert_int_equal(answer.status, 404);
	api_answer_deinit(&answer);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_answers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
