#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "postmark/client.h"
#include "postmark/search.h"

#define ID    "01J8ZQ4T8P5R7V9X1Z3B5D7F9H-1"
#define STORE "6f0f3a52-0d8b-4f3e-9a52-3b6f1c1d7e10"

static void
paths(void **state)
{
	static const struct {
		const char *reason, *id, *stream, *expected;
	} cases[] = {
		{ "a stream", ID, "outbound",
		    "/messages/outbound?count=1&offset=0&metadata_relay-id=" ID
		    "&messagestream=outbound" },
		{ "Postmark's default", ID, NULL,
		    "/messages/outbound?count=1&offset=0&metadata_relay-id=" ID },
		{ "empty is the default", ID, "",
		    "/messages/outbound?count=1&offset=0&metadata_relay-id=" ID },
		{ "nothing breaks out of the query", "a&b=c d", "x/?#\xc3\xa9",
		    "/messages/outbound?count=1&offset=0&metadata_relay-id=a%26b%3Dc%20d"
		    "&messagestream=x%2F%3F%23%C3%A9" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char *path = search_path(cases[i].id, cases[i].stream);

		if (strcmp(path, cases[i].expected) != 0)
			fail_msg("%s: %s", cases[i].reason, path);
		free(path);
	}
}

static void
streams(void **state)
{
	static const struct {
		const char *reason, *json, *expected;
	} cases[] = {
		{ "first", "{\"MessageStream\":\"news\"}", "news" },
		{ "later", "{\"To\":\"a\",\"Metadata\":{\"x\":\"y\"},\"MessageStream\":\"news\"}",
		    "news" },
		{ "blanks", "{ \"To\" : 1 , \"MessageStream\" : \"news\" }", "news" },
		{ "the start is enough", "{\"MessageStream\":\"news\",\"TextBody\":\"abc", "news" },
		{ "cut before its end", "{\"MessageStream\":\"ne", NULL },
		{ "cut within an escape", "{\"MessageStream\":\"ne\\", NULL },
		{ "none", "{\"To\":\"a\"}", NULL },
		{ "in metadata only", "{\"Metadata\":{\"MessageStream\":\"x\"}}", NULL },
		{ "behind metadata's",
		    "{\"Metadata\":{\"a\":\"b\",\"MessageStream\":\"x\"},\"MessageStream\":\"y\"}",
		    "y" },
		{ "as a value", "{\"To\":\"MessageStream\",\"Cc\":\"x\"}", NULL },
		{ "in a list", "{\"Headers\":[{\"a\":1},\"MessageStream\",\"x\"]}", NULL },
		{ "inside a text", "{\"Subject\":\"\\\",\\\"MessageStream\\\":\\\"x\"}", NULL },
		{ "no string", "{\"MessageStream\":null}", NULL },
		{ "no object", "[\"MessageStream\",\"x\"]", NULL },
		{ "empty", "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char *stream = search_stream(cases[i].json, strlen(cases[i].json));

		if ((stream == NULL) != (cases[i].expected == NULL) ||
		    (stream != NULL && strcmp(stream, cases[i].expected) != 0))
			fail_msg("%s: %s", cases[i].reason, stream);
		free(stream);
	}
}

#define MESSAGE(id, metadata) "{\"MessageID\":" id ",\"Metadata\":" metadata "}"
#define FOUND(message)        "{\"TotalCount\":1,\"Messages\":[" message "]}"

static void
answers(void **state)
{
	static const struct {
		const char *reason;
		enum postmark_end end;
		int status;
		const char *body;
		enum search_result expected;
	} cases[] = {
		{ "found", POSTMARK_ANSWERED, 200,
		    FOUND(MESSAGE("\"" STORE "\"", "{\"x\":\"y\",\"relay-id\":\"" ID "\"}")),
		    SEARCH_FOUND },
		{ "keys of metadata know no case", POSTMARK_ANSWERED, 200,
		    FOUND(MESSAGE("\"" STORE "\"", "{\"Relay-Id\":\"" ID "\"}")), SEARCH_FOUND },
		{ "found behind another", POSTMARK_ANSWERED, 200,
		    FOUND(MESSAGE("\"x\"", "{}") "," MESSAGE(
			"\"" STORE "\"", "{\"relay-id\":\"" ID "\"}")),
		    SEARCH_FOUND },
		{ "not found", POSTMARK_ANSWERED, 200, "{\"TotalCount\":0,\"Messages\":[]}",
		    SEARCH_NOT_FOUND },
		{ "counted but not shown", POSTMARK_ANSWERED, 200,
		    "{\"TotalCount\":1,\"Messages\":[]}", SEARCH_FAILED },
		{ "not counted", POSTMARK_ANSWERED, 200, "{\"Messages\":[]}", SEARCH_FAILED },
		{ "another mail: the filter was overlooked", POSTMARK_ANSWERED, 200,
		    FOUND(MESSAGE("\"" STORE "\"", "{\"relay-id\":\"01J8-2\"}")), SEARCH_FAILED },
		{ "no metadata", POSTMARK_ANSWERED, 200, FOUND("{\"MessageID\":\"" STORE "\"}"),
		    SEARCH_FAILED },
		{ "metadata of a wrong type", POSTMARK_ANSWERED, 200,
		    FOUND(MESSAGE("\"" STORE "\"", "[\"" ID "\"]")), SEARCH_FAILED },
		{ "no id", POSTMARK_ANSWERED, 200,
		    FOUND(MESSAGE("null", "{\"relay-id\":\"" ID "\"}")), SEARCH_FAILED },
		{ "messages of a wrong type", POSTMARK_ANSWERED, 200,
		    "{\"TotalCount\":0,\"Messages\":{}}", SEARCH_FAILED },
		{ "an error's status", POSTMARK_ANSWERED, 422, "{\"TotalCount\":0,\"Messages\":[]}",
		    SEARCH_FAILED },
		{ "HTML", POSTMARK_ANSWERED, 200, "<html>", SEARCH_FAILED },
		{ "empty", POSTMARK_ANSWERED, 200, "", SEARCH_FAILED },
		{ "no answer", POSTMARK_LOST, 0, "", SEARCH_FAILED },
		{ "refused", POSTMARK_NOT_SENT, 0, "", SEARCH_FAILED },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct postmark_answer answer = { .end = cases[i].end,
			.status = cases[i].status,
			.body = cases[i].body,
			.len = strlen(cases[i].body),
			.error = "" };
		char id[SEARCH_ID_SIZE];

		if (search_read(&answer, ID, id) != cases[i].expected)
			fail_msg("%s", cases[i].reason);
		assert_string_equal(id, cases[i].expected == SEARCH_FOUND ? STORE : "");
	}
}

static void
a_cut_answer_is_none(void **state)
{
	static const char body[] = "{\"TotalCount\":0,\"Messages\":[]}";
	struct postmark_answer answer = {
		.status = 200, .body = body, .len = sizeof(body) - 1, .cut = true, .error = ""
	};
	char id[SEARCH_ID_SIZE];

	(void)state;
	assert_int_equal(search_read(&answer, ID, id), SEARCH_FAILED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths),
		cmocka_unit_test(streams),
		cmocka_unit_test(answers),
		cmocka_unit_test(a_cut_answer_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
