#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "postmark/client.h"
#include "postmark/verdict.h"

#define ID "6f0f3a52-0d8b-4f3e-9a52-3b6f1c1d7e10"
#define OK "{\"ErrorCode\":0,\"Message\":\"OK\",\"MessageID\":\"" ID "\"}"

static void
judge(enum postmark_end end, int status, const char *body, bool batch,
    const struct strlist *recipients, size_t count, struct item_verdict *verdicts)
{
	struct postmark_answer answer = { .end = end,
		.status = status,
		.body = body,
		.len = strlen(body),
		.retry_after_ms = -1,
		.error = end == POSTMARK_ANSWERED ? "" : "transport" };
	const struct strlist *lent[8];

	for (size_t i = 0; i < count; i++)
		lent[i] = &recipients[i];
	memset(verdicts, 0, count * sizeof(*verdicts));
	verdict_judge(&answer, batch, lent, count, verdicts);
}

/* --- every status ------------------------------------------------------------------------- */

static void
statuses(void **state)
{
	static const struct {
		const char *reason;
		int status;
		const char *body;
		enum verdict single, batch;
	} cases[] = {
		{ "200 without a body", 200, "", VERDICT_UNSURE, VERDICT_UNSURE },
		{ "200 with HTML", 200, "<html>", VERDICT_UNSURE, VERDICT_UNSURE },
		{ "200 cut off", 200, "{\"ErrorCode\":0,\"Mess", VERDICT_UNSURE, VERDICT_UNSURE },
		{ "200 without an id", 200, "{\"ErrorCode\":0,\"Message\":\"OK\"}", VERDICT_UNSURE,
		    VERDICT_UNSURE },
		{ "200 with null", 200, "null", VERDICT_UNSURE, VERDICT_UNSURE },
		{ "200 of the wrong shape", 200, "3", VERDICT_UNSURE, VERDICT_UNSURE },
		{ "no status at all", -1, "", VERDICT_UNSURE, VERDICT_UNSURE },
		{ "201 empty", 201, "", VERDICT_UNSURE, VERDICT_UNSURE },
		{ "204", 204, "", VERDICT_UNSURE, VERDICT_UNSURE },
		{ "redirect", 302, "", VERDICT_WEATHER, VERDICT_WEATHER },
		{ "400 HTML", 400, "<html>", VERDICT_WEATHER, VERDICT_WEATHER },
		{ "401 envelope", 401, "{\"ErrorCode\":10,\"Message\":\"x\"}", VERDICT_OPERATOR,
		    VERDICT_OPERATOR },
		{ "401 empty", 401, "", VERDICT_OPERATOR, VERDICT_OPERATOR },
		{ "402", 402, "", VERDICT_OUR_FAULT, VERDICT_SPLIT },
		{ "403 HTML: a firewall", 403, "<html>", VERDICT_WEATHER, VERDICT_WEATHER },
		{ "403 empty", 403, "", VERDICT_WEATHER, VERDICT_WEATHER },
		{ "403 envelope: allow-list", 403, "{\"ErrorCode\":1480,\"Message\":\"x\"}",
		    VERDICT_OPERATOR, VERDICT_OPERATOR },
		{ "403 with any code", 403, "{\"ErrorCode\":300,\"Message\":\"x\"}",
		    VERDICT_OPERATOR, VERDICT_OPERATOR },
		{ "404 HTML", 404, "<html>", VERDICT_WEATHER, VERDICT_WEATHER },
		{ "407", 407, "<html>", VERDICT_OPERATOR, VERDICT_OPERATOR },
		{ "408: never arrived whole", 408, "", VERDICT_WEATHER, VERDICT_WEATHER },
		{ "409", 409, "", VERDICT_OUR_FAULT, VERDICT_OUR_FAULT },
		{ "410", 410, "", VERDICT_OUR_FAULT, VERDICT_SPLIT },
		{ "413", 413, "", VERDICT_REFUSED, VERDICT_SPLIT },
		{ "413 HTML", 413, "<html>", VERDICT_REFUSED, VERDICT_SPLIT },
		{ "413 envelope", 413, "{\"ErrorCode\":300,\"Message\":\"x\"}", VERDICT_REFUSED,
		    VERDICT_SPLIT },
		{ "415", 415, "", VERDICT_OUR_FAULT, VERDICT_OUR_FAULT },
		{ "418 HTML", 418, "<html>", VERDICT_WEATHER, VERDICT_WEATHER },
		{ "422 HTML", 422, "<html>", VERDICT_WEATHER, VERDICT_WEATHER },
		{ "422 without a code", 422, "{\"Message\":\"x\"}", VERDICT_WEATHER,
		    VERDICT_WEATHER },
		{ "422 with code 0", 422, "{\"ErrorCode\":0}", VERDICT_WEATHER, VERDICT_WEATHER },
		{ "429", 429, "", VERDICT_THROTTLED, VERDICT_THROTTLED },
		{ "429 envelope", 429, "{\"ErrorCode\":429,\"Message\":\"x\"}", VERDICT_THROTTLED,
		    VERDICT_THROTTLED },
		{ "500 HTML", 500, "<html>", VERDICT_WEATHER, VERDICT_WEATHER },
		{ "500 101", 500, "{\"ErrorCode\":101,\"Message\":\"x\"}", VERDICT_WEATHER,
		    VERDICT_WEATHER },
		{ "500 709", 500, "{\"ErrorCode\":709,\"Message\":\"x\"}", VERDICT_WEATHER,
		    VERDICT_WEATHER },
		{ "500 beats a code", 500, "{\"ErrorCode\":300,\"Message\":\"x\"}", VERDICT_WEATHER,
		    VERDICT_WEATHER },
		{ "502: a gateway that passed it on", 502, "<html>", VERDICT_UNSURE,
		    VERDICT_UNSURE },
		{ "503 100", 503, "{\"ErrorCode\":100,\"Message\":\"x\"}", VERDICT_WEATHER,
		    VERDICT_WEATHER },
		{ "504", 504, "", VERDICT_UNSURE, VERDICT_UNSURE },
		{ "520", 520, "", VERDICT_UNSURE, VERDICT_UNSURE },
		{ "521: the origin is down", 521, "", VERDICT_WEATHER, VERDICT_WEATHER },
		{ "524", 524, "", VERDICT_UNSURE, VERDICT_UNSURE },
		{ "an error with an id is still one", 422,
		    "{\"ErrorCode\":300,\"MessageID\":\"" ID "\"}", VERDICT_REFUSED,
		    VERDICT_SPLIT },
		{ "200 with code and id: contradicts itself", 200,
		    "{\"ErrorCode\":300,\"MessageID\":\"" ID "\"}", VERDICT_UNSURE,
		    VERDICT_UNSURE },
	};
	static const struct strlist recipients[2];
	struct item_verdict verdicts[2];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		judge(POSTMARK_ANSWERED, cases[i].status, cases[i].body, false, recipients, 1,
		    verdicts);
		if (verdicts[0].verdict != cases[i].single)
			fail_msg("%s: %s", cases[i].reason, verdict_name(verdicts[0].verdict));
		assert_string_equal(verdicts[0].postmark_id, "");
		assert_non_null(verdicts[0].message);
		verdicts_free(verdicts, 1);
		judge(POSTMARK_ANSWERED, cases[i].status, cases[i].body, true, recipients, 2,
		    verdicts);
		for (size_t j = 0; j < 2; j++) {
			if (verdicts[j].verdict != cases[i].batch)
				fail_msg("batch, %s: %s", cases[i].reason,
				    verdict_name(verdicts[j].verdict));
		}
		verdicts_free(verdicts, 2);
	}
}

/* --- every code --------------------------------------------------------------------------- */

static void
codes(void **state)
{
	static const struct {
		int least, most;
		enum verdict item, whole;
	} cases[] = {
		{ 10, 10, VERDICT_OPERATOR, VERDICT_OPERATOR },
		{ 11, 13, VERDICT_OUR_FAULT, VERDICT_SPLIT },
		{ 14, 14, VERDICT_OPERATOR, VERDICT_OPERATOR },
		{ 100, 101, VERDICT_WEATHER, VERDICT_WEATHER },
		{ 300, 300, VERDICT_REFUSED, VERDICT_SPLIT },
		{ 400, 401, VERDICT_OPERATOR, VERDICT_SPLIT },
		{ 402, 402, VERDICT_OUR_FAULT, VERDICT_SPLIT },
		{ 403, 403, VERDICT_REFUSED, VERDICT_SPLIT },
		{ 405, 405, VERDICT_OPERATOR, VERDICT_OPERATOR },
		{ 406, 406, VERDICT_REFUSED, VERDICT_SPLIT },
		{ 409, 409, VERDICT_OUR_FAULT, VERDICT_OUR_FAULT },
		{ 410, 410, VERDICT_OUR_FAULT, VERDICT_SPLIT },
		{ 411, 411, VERDICT_REFUSED, VERDICT_SPLIT },
		{ 412, 412, VERDICT_OPERATOR, VERDICT_SPLIT },
		{ 413, 413, VERDICT_OPERATOR, VERDICT_OPERATOR },
		{ 422, 422, VERDICT_OPERATOR, VERDICT_OPERATOR },
		{ 429, 429, VERDICT_THROTTLED, VERDICT_THROTTLED },
		{ 500, 500, VERDICT_OUR_FAULT, VERDICT_SPLIT },
		{ 501, 501, VERDICT_OPERATOR, VERDICT_SPLIT },
		{ 502, 523, VERDICT_OUR_FAULT, VERDICT_SPLIT },
		{ 600, 615, VERDICT_OUR_FAULT, VERDICT_SPLIT },
		{ 700, 703, VERDICT_OUR_FAULT, VERDICT_SPLIT },
		{ 709, 709, VERDICT_WEATHER, VERDICT_WEATHER },
		{ 800, 813, VERDICT_OUR_FAULT, VERDICT_SPLIT },
		{ 900, 1003, VERDICT_OUR_FAULT, VERDICT_SPLIT },
		{ 1100, 1100, VERDICT_REFUSED, VERDICT_SPLIT },
		{ 1101, 1101, VERDICT_OUR_FAULT, VERDICT_SPLIT }, /* no such template (yet) */
		{ 1102, 1131, VERDICT_REFUSED, VERDICT_SPLIT },
		{ 1220, 1225, VERDICT_OUR_FAULT, VERDICT_SPLIT },
		{ 1226, 1226, VERDICT_OPERATOR, VERDICT_OPERATOR },
		{ 1227, 1234, VERDICT_OUR_FAULT, VERDICT_SPLIT },
		{ 1235, 1236, VERDICT_OPERATOR, VERDICT_OPERATOR },
		{ 1237, 1302, VERDICT_OUR_FAULT, VERDICT_SPLIT },
		{ 1350, 1350, VERDICT_OPERATOR, VERDICT_OPERATOR },
		{ 1351, 1479, VERDICT_OUR_FAULT, VERDICT_SPLIT },
		{ 1480, 1480, VERDICT_OPERATOR, VERDICT_OPERATOR },
		{ 1481, 1502, VERDICT_OUR_FAULT, VERDICT_SPLIT },
		{ 99999, 99999, VERDICT_OUR_FAULT, VERDICT_SPLIT },
	};
	static const struct strlist recipients[2];
	struct item_verdict verdicts[2];
	char body[200];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		for (int code = cases[i].least; code <= cases[i].most; code++) {
			snprintf(
			    body, sizeof(body), "{\"ErrorCode\":%d,\"Message\":\"words\"}", code);
			judge(POSTMARK_ANSWERED, 422, body, false, recipients, 1, verdicts);
			if (verdicts[0].verdict != cases[i].item)
				fail_msg("%d alone: %s", code, verdict_name(verdicts[0].verdict));
			assert_int_equal(verdicts[0].error_code, code);
			assert_string_equal(verdicts[0].message, "words");
			verdicts_free(verdicts, 1);

			judge(POSTMARK_ANSWERED, 422, body, true, recipients, 2, verdicts);
			if (verdicts[1].verdict != cases[i].whole)
				fail_msg("%d whole: %s", code, verdict_name(verdicts[1].verdict));
			assert_int_equal(verdicts[1].error_code, code);
			verdicts_free(verdicts, 2);

			/* As one element of a batch that was taken: the same as alone. */
			snprintf(body, sizeof(body),
			    "[" OK ",{\"ErrorCode\":%d,\"Message\":\"words\"}]", code);
			judge(POSTMARK_ANSWERED, 200, body, true, recipients, 2, verdicts);
			assert_int_equal(verdicts[0].verdict, VERDICT_SENT);
			assert_string_equal(verdicts[0].postmark_id, ID);
			assert_int_equal(verdicts[1].verdict, cases[i].item);
			verdicts_free(verdicts, 2);
		}
	}
}

static void
odd_codes(void **state)
{
	static const struct {
		const char *reason, *code;
		enum verdict expected;
		int error_code;
	} cases[] = {
		{ "in a string", "\"406\"", VERDICT_REFUSED, 406 },
		{ "as a real", "300.0", VERDICT_REFUSED, 300 },
		{ "null", "null", VERDICT_WEATHER, 0 },
		{ "a word", "\"x\"", VERDICT_WEATHER, 0 },
		{ "negative", "-5", VERDICT_OUR_FAULT, 2147483647 },
		{ "huge", "9223372036854775807", VERDICT_OUR_FAULT, 2147483647 },
		{ "an object", "{}", VERDICT_WEATHER, 0 },
	};
	static const struct strlist recipients[1];
	struct item_verdict verdict;
	char body[200];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		snprintf(body, sizeof(body), "{\"ErrorCode\":%s}", cases[i].code);
		judge(POSTMARK_ANSWERED, 422, body, false, recipients, 1, &verdict);
		if (verdict.verdict != cases[i].expected ||
		    verdict.error_code != cases[i].error_code)
			fail_msg("%s: %s %d", cases[i].reason, verdict_name(verdict.verdict),
			    verdict.error_code);
		verdicts_free(&verdict, 1);
	}
}

#define ERRORS(inner) "{\"ErrorCode\":11,\"Message\":\"several\",\"Errors\":" inner "}"

static void
several_errors(void **state)
{
	static const struct {
		const char *reason, *body;
		enum verdict item, whole;
		int error_code;
		const char *words;
	} cases[] = {
		{ "one", ERRORS("{\"To\":[{\"ErrorCode\":300,\"Message\":\"bad\"}]}"),
		    VERDICT_REFUSED, VERDICT_SPLIT, 300, "several bad" },
		{ "an operator cannot help",
		    ERRORS("{\"From\":[{\"ErrorCode\":400}],\"To\":[{\"ErrorCode\":300}]}"),
		    VERDICT_REFUSED, VERDICT_SPLIT, 300, "several" },
		{ "an operator can", ERRORS("{\"From\":[{\"ErrorCode\":400,\"Message\":\"x\"}]}"),
		    VERDICT_OPERATOR, VERDICT_SPLIT, 400, "several x" },
		{ "a template beside an operator's matter",
		    ERRORS("{\"T\":[{\"ErrorCode\":413},{\"ErrorCode\":1101}]}"), VERDICT_OUR_FAULT,
		    VERDICT_SPLIT, 1101, "several" },
		{ "the whole route", ERRORS("{\"T\":[{\"ErrorCode\":413}]}"), VERDICT_OPERATOR,
		    VERDICT_OPERATOR, 413, "several" },
		{ "weather is the least",
		    ERRORS("{\"T\":[{\"ErrorCode\":101},{\"ErrorCode\":413}]}"), VERDICT_OPERATOR,
		    VERDICT_OPERATOR, 413, "several" },
		{ "none", ERRORS("{}"), VERDICT_OUR_FAULT, VERDICT_SPLIT, 11, "several" },
		{ "no list", ERRORS("{\"To\":{\"ErrorCode\":300}}"), VERDICT_OUR_FAULT,
		    VERDICT_SPLIT, 11, "several" },
		{ "no object", ERRORS("[300]"), VERDICT_OUR_FAULT, VERDICT_SPLIT, 11, "several" },
		{ "itself", ERRORS("{\"To\":[{\"ErrorCode\":11}]}"), VERDICT_OUR_FAULT,
		    VERDICT_SPLIT, 11, "several" },
		{ "inactive among others is not sent to the rest",
		    ERRORS("{\"To\":[{\"ErrorCode\":406,\"Message\":\"Found inactive addresses: "
			   "a@x.example. Inactive\"}]}"),
		    VERDICT_REFUSED, VERDICT_SPLIT, 406,
		    "several Found inactive addresses: a@x.example. Inactive" },
	};
	static char *addresses[] = { "a@x.example", "b@x.example" };
	const struct strlist recipients[2] = { { addresses, 2, 2 }, { addresses, 2, 2 } };
	struct item_verdict verdicts[2];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		judge(POSTMARK_ANSWERED, 422, cases[i].body, false, recipients, 1, verdicts);
		if (verdicts[0].verdict != cases[i].item ||
		    verdicts[0].error_code != cases[i].error_code)
			fail_msg("%s: %s %d", cases[i].reason, verdict_name(verdicts[0].verdict),
			    verdicts[0].error_code);
		assert_string_equal(verdicts[0].message, cases[i].words);
		assert_int_equal(verdicts[0].inactive.count, 0);
		verdicts_free(verdicts, 1);
		judge(POSTMARK_ANSWERED, 422, cases[i].body, true, recipients, 2, verdicts);
		if (verdicts[1].verdict != cases[i].whole)
			fail_msg(
			    "%s, whole: %s", cases[i].reason, verdict_name(verdicts[1].verdict));
		verdicts_free(verdicts, 2);
	}
}

static void
ends_of_the_transport(void **state)
{
	static const struct strlist recipients[2];
	struct item_verdict verdicts[2];

	(void)state;
	for (int batch = 0; batch < 2; batch++) {
		judge(POSTMARK_NOT_SENT, 0, "", batch, recipients, 1 + (size_t)batch, verdicts);
		assert_int_equal(verdicts[batch].verdict, VERDICT_WEATHER);
		assert_string_equal(verdicts[batch].message, "transport");
		verdicts_free(verdicts, 1 + (size_t)batch);
		judge(POSTMARK_LOST, 0, "", batch, recipients, 1 + (size_t)batch, verdicts);
		assert_int_equal(verdicts[batch].verdict, VERDICT_UNSURE);
		verdicts_free(verdicts, 1 + (size_t)batch);
	}
}

/* --- accepted ----------------------------------------------------------------------------- */

static void
sent(void **state)
{
	static const struct {
		const char *reason, *body;
		enum verdict expected;
	} cases[] = {
		{ "plain", OK, VERDICT_SENT },
		{ "delayed, without a code",
		    "{\"Message\":\"Message accepted, but delivery may be delayed.\","
		    "\"MessageID\":\"" ID "\",\"To\":\"a@b.example\"}",
		    VERDICT_SENT },
		{ "null code", "{\"ErrorCode\":null,\"MessageID\":\"" ID "\"}", VERDICT_SENT },
		{ "unknown keys, a NUL in one",
		    "{\"New\":\"a\\u0000b\",\"ErrorCode\":0,\"MessageID\":\"" ID "\"}",
		    VERDICT_SENT },
		{ "empty id", "{\"ErrorCode\":0,\"MessageID\":\"\"}", VERDICT_UNSURE },
		{ "id of a wrong type", "{\"ErrorCode\":0,\"MessageID\":7}", VERDICT_UNSURE },
		{ "id too long", "{\"ErrorCode\":0,\"MessageID\":\"" ID "0\"}", VERDICT_UNSURE },
		{ "id with a line end", "{\"ErrorCode\":0,\"MessageID\":\"a\\r\\nb\"}",
		    VERDICT_UNSURE },
		{ "an array for one", "[" OK "]", VERDICT_UNSURE },
	};
	static const struct strlist recipients[1];
	struct item_verdict verdict;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		judge(POSTMARK_ANSWERED, 200, cases[i].body, false, recipients, 1, &verdict);
		if (verdict.verdict != cases[i].expected)
			fail_msg("%s: %s", cases[i].reason, verdict_name(verdict.verdict));
		assert_string_equal(verdict.postmark_id, verdict.verdict == VERDICT_SENT ? ID : "");
		verdicts_free(&verdict, 1);
	}
}

static void
a_cut_answer_is_unsure(void **state)
{
	static const struct strlist recipients[1];
	const struct strlist *lent[] = { &recipients[0] };
	struct postmark_answer answer = {
		.status = 200, .body = OK, .len = sizeof(OK) - 1, .cut = true, .error = ""
	};
	struct item_verdict verdict = { 0 };

	(void)state;
	verdict_judge(&answer, false, lent, 1, &verdict);
	assert_int_equal(verdict.verdict, VERDICT_UNSURE);
	verdicts_free(&verdict, 1);
}

static void
batches(void **state)
{
	static const struct {
		const char *reason, *body;
		enum verdict expected[3];
	} cases[] = {
		{ "all", "[" OK "," OK "," OK "]", { VERDICT_SENT, VERDICT_SENT, VERDICT_SENT } },
		{ "one refused",
		    "[" OK ",{\"ErrorCode\":300,\"Message\":\"Zero recipients specified\"}," OK "]",
		    { VERDICT_SENT, VERDICT_REFUSED, VERDICT_SENT } },
		{ "one is no object", "[" OK ",null," OK "]",
		    { VERDICT_SENT, VERDICT_UNSURE, VERDICT_SENT } },
		{ "one is empty", "[" OK "," OK ",{}]",
		    { VERDICT_SENT, VERDICT_SENT, VERDICT_UNSURE } },
		{ "too short", "[" OK "," OK "]",
		    { VERDICT_UNSURE, VERDICT_UNSURE, VERDICT_UNSURE } },
		{ "too long", "[" OK "," OK "," OK "," OK "]",
		    { VERDICT_UNSURE, VERDICT_UNSURE, VERDICT_UNSURE } },
		{ "empty", "[]", { VERDICT_UNSURE, VERDICT_UNSURE, VERDICT_UNSURE } },
		{ "one for all", OK, { VERDICT_UNSURE, VERDICT_UNSURE, VERDICT_UNSURE } },
		{ "a refusal of all with 200", "{\"ErrorCode\":300,\"Message\":\"x\"}",
		    { VERDICT_UNSURE, VERDICT_UNSURE, VERDICT_UNSURE } },
		{ "cut", "[" OK "," OK, { VERDICT_UNSURE, VERDICT_UNSURE, VERDICT_UNSURE } },
	};
	static const struct strlist recipients[3];
	struct item_verdict verdicts[3];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		judge(POSTMARK_ANSWERED, 200, cases[i].body, true, recipients, 3, verdicts);
		for (size_t j = 0; j < 3; j++) {
			if (verdicts[j].verdict != cases[i].expected[j])
				fail_msg("%s, %zu: %s", cases[i].reason, j,
				    verdict_name(verdicts[j].verdict));
		}
		verdicts_free(verdicts, 3);
	}
}

/* A batch of one is not split: there is nothing to split. */
static void
a_batch_of_one(void **state)
{
	static const struct strlist recipients[1];
	struct item_verdict verdict;

	(void)state;
	judge(POSTMARK_ANSWERED, 413, "", true, recipients, 1, &verdict);
	assert_int_equal(verdict.verdict, VERDICT_REFUSED);
	verdicts_free(&verdict, 1);
}

/* --- inactive recipients ------------------------------------------------------------------ */

#define HARD                                                                                       \
	" Inactive recipients are ones that have generated a hard bounce, a spam complaint, or a " \
	"manual suppression."

static void
inactive(void **state)
{
	static const struct {
		const char *reason;
		int status;
		bool has_id;
		int code;
		const char *message;
		const char *recipients[4];
		enum verdict expected;
		const char *inactive[4];
	} cases[] = {
		{ "all of one", 422, false, 406,
		    "You tried to send to a recipient that has been marked as inactive. Found "
		    "inactive addresses: a@x.example." HARD,
		    { "a@x.example" }, VERDICT_REFUSED, { "a@x.example" } },
		{ "all of two, in another case", 422, false, 406,
		    "You tried to send to recipient(s) that have been marked as inactive. Found "
		    "inactive addresses: ann.b@x.example, b@x.example." HARD,
		    { "Ann.B@x.example", "b@x.example" }, VERDICT_REFUSED,
		    { "Ann.B@x.example", "b@x.example" } },
		{ "older, with line breaks", 422, false, 406,
		    "You tried to send to recipient(s) that have been marked as inactive.\nFound "
		    "inactive addresses: a@x.example.\nInactive recipients are ones that.",
		    { "a@x.example" }, VERDICT_REFUSED, { "a@x.example" } },
		{ "no addresses told", 422, false, 406, "Inactive.",
		    { "a@x.example", "b@x.example" }, VERDICT_REFUSED, { NULL } },
		{ "only strangers", 422, false, 406, "Found inactive addresses: z@x.example." HARD,
		    { "a@x.example" }, VERDICT_REFUSED, { NULL } },
		{ "some: the rest was sent", 422, false, 406,
		    "Found inactive addresses: a@x.example." HARD, { "a@x.example", "b@x.example" },
		    VERDICT_SENT, { "a@x.example" } },
		{ "partial text of a 200", 200, true, 0,
		    "Message OK, but will not deliver to these inactive addresses: b@x.example. "
		    "Inactive recipients are ones that have generated a hard bounce or a spam "
		    "complaint.",
		    { "a@x.example", "b@x.example" }, VERDICT_SENT, { "b@x.example" } },
		{ "partial, without the last sentence", 200, true, 0,
		    "Message OK, but will not deliver to these inactive addresses: "
		    "b@x.example,c@x.example",
		    { "a@x.example", "b@x.example", "c@x.example" }, VERDICT_SENT,
		    { "b@x.example", "c@x.example" } },
		{ "partial, in brackets and quotes", 200, true, 0,
		    "will not deliver to these INACTIVE ADDRESSES: <b@x.example>; \"c@x.example\".",
		    { "b@x.example", "c@x.example" }, VERDICT_SENT,
		    { "b@x.example", "c@x.example" } },
		{ "a part of an address is none", 200, true, 0,
		    "these inactive addresses: aa@x.example, b@x.example.org.",
		    { "a@x.example", "b@x.example" }, VERDICT_SENT, { NULL } },
		{ "an apostrophe belongs to it", 200, true, 0,
		    "these inactive addresses: 'o'hara@x.example.", { "'o'hara@x.example" },
		    VERDICT_SENT, { "'o'hara@x.example" } },
		{ "named twice", 200, true, 0,
		    "these inactive addresses: a@x.example, a@x.example.", { "a@x.example" },
		    VERDICT_SENT, { "a@x.example" } },
		{ "an address in another text", 200, true, 0, "Thank you, a@x.example",
		    { "a@x.example" }, VERDICT_SENT, { NULL } },
		{ "an address in another refusal", 422, false, 300,
		    "Error parsing 'To': inactive addresses: a@x.example", { "a@x.example" },
		    VERDICT_REFUSED, { NULL } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct strlist recipients = { 0 };
		struct item_verdict verdict;
		char *quoted = mem_string(cases[i].message);
		char *body;
		size_t count = 0;

		for (char *at = quoted; *at != '\0'; at++) {
			if (*at == '\n')
				*at = ' ';
			if (*at == '"')
				*at = '\'';
		}
		for (size_t j = 0; j < 4 && cases[i].recipients[j] != NULL; j++)
			strlist_add(&recipients, cases[i].recipients[j]);
		body = mem_format("{\"ErrorCode\":%d,\"Message\":\"%s\"%s}", cases[i].code, quoted,
		    cases[i].has_id ? ",\"MessageID\":\"" ID "\"" : "");
		judge(POSTMARK_ANSWERED, cases[i].status, body, false, &recipients, 1, &verdict);
		if (verdict.verdict != cases[i].expected)
			fail_msg("%s: %s", cases[i].reason, verdict_name(verdict.verdict));
		for (; count < 4 && cases[i].inactive[count] != NULL; count++) {
			if (!strlist_has(&verdict.inactive, cases[i].inactive[count]))
				fail_msg("%s: not %s", cases[i].reason, cases[i].inactive[count]);
		}
		if (verdict.inactive.count != count)
			fail_msg("%s: %zu", cases[i].reason, verdict.inactive.count);
		verdicts_free(&verdict, 1);
		strlist_free(&recipients);
		free(body);
		free(quoted);
	}
}

/* --- hostile ------------------------------------------------------------------------------ */

static void
deep_nesting_is_no_answer(void **state)
{
	static const struct strlist recipients[2];
	struct item_verdict verdicts[2];
	size_t depth = 200000;
	char *body = mem_new(2 * depth + 1);

	(void)state;
	memset(body, '[', depth);
	memset(body + depth, ']', depth);
	judge(POSTMARK_ANSWERED, 200, body, true, recipients, 2, verdicts);
	assert_int_equal(verdicts[0].verdict, VERDICT_UNSURE);
	verdicts_free(verdicts, 2);
	free(body);
}

static void
words_are_bounded(void **state)
{
	static const struct strlist recipients[1];
	struct item_verdict verdict;
	char *words = mem_new(100001), *body;

	(void)state;
	/* Two bytes each: the limit does not cut one in half. */
	for (size_t i = 0; i < 100000; i += 2)
		memcpy(words + i, "\xc3\xa9", 2);
	body = mem_format("{\"ErrorCode\":300,\"Message\":\"x%s\"}", words);
	judge(POSTMARK_ANSWERED, 422, body, false, recipients, 1, &verdict);
	assert_int_equal(verdict.verdict, VERDICT_REFUSED);
	assert_int_equal(strlen(verdict.message), 1999);
	verdicts_free(&verdict, 1);
	free(body);

	judge(POSTMARK_ANSWERED, 500, words, false, recipients, 1, &verdict);
	assert_in_range(strlen(verdict.message), 10, 600);
	verdicts_free(&verdict, 1);
	free(words);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(statuses),
		cmocka_unit_test(codes),
		cmocka_unit_test(odd_codes),
		cmocka_unit_test(several_errors),
		cmocka_unit_test(ends_of_the_transport),
		cmocka_unit_test(sent),
		cmocka_unit_test(a_cut_answer_is_unsure),
		cmocka_unit_test(batches),
		cmocka_unit_test(a_batch_of_one),
		cmocka_unit_test(inactive),
		cmocka_unit_test(deep_nesting_is_no_answer),
		cmocka_unit_test(words_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
