/* What came in, checked: each kind in every form it may have, and sentences about the others. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <jansson.h>

#include "base/buf.h"

#include "operations/operation.h"
#include "operations/values.h"

#define NOW_MS INT64_C(1795415365000) /* 2026-11-23T06:29:25Z */

static const char *const fruits[] = { "apple", "pear", NULL };
static const char *const states[] = { "held", "sent", "all", NULL };

static const struct argument all_kinds[] = {
	{ .name = "id", .kind = ARGUMENT_STRING, .place = IN_PATH, .text = "It." },
	{ .name = "text", .kind = ARGUMENT_STRING, .remote = "TheText", .text = "It." },
	{ .name = "number", .kind = ARGUMENT_INTEGER, .least = -5, .most = 500, .text = "It." },
	{ .name = "any-number", .kind = ARGUMENT_INTEGER, .text = "It." },
	{ .name = "key", .kind = ARGUMENT_INTEGER, .least = 1, .most = INT64_MAX, .text = "It." },
	{ .name = "flag", .kind = ARGUMENT_BOOLEAN, .text = "It." },
	{ .name = "fruit", .kind = ARGUMENT_CHOICE, .choices = fruits, .text = "It." },
	{ .name = "span", .kind = ARGUMENT_TIME, .least = 1000, .most = 3600000, .text = "It." },
	{ .name = "any-span", .kind = ARGUMENT_TIME, .text = "It." },
	{ .name = "moment", .kind = ARGUMENT_WHEN, .text = "It." },
	{ .name = "list", .kind = ARGUMENT_LIST, .text = "It." },
	{ .name = "states", .kind = ARGUMENT_LIST, .choices = states, .text = "It." },
	{ .name = "pairs", .kind = ARGUMENT_PAIRS, .text = "It." },
	{ .name = "headers", .kind = ARGUMENT_HEADERS, .text = "It." },
	{ .name = "files", .kind = ARGUMENT_FILES, .text = "It." },
	{ .name = "attachments", .kind = ARGUMENT_ATTACHMENTS, .text = "It." },
	{ .name = "object", .kind = ARGUMENT_OBJECT, .text = "It." },
	{ .name = "array", .kind = ARGUMENT_ARRAY, .remote = "Messages", .text = "It." },
	{ .name = "any", .kind = ARGUMENT_ANY, .text = "It." },
	{ .name = "bytes", .kind = ARGUMENT_BYTES, .text = "It." },
	{ .name = "word", .kind = ARGUMENT_STRING, .word = true, .text = "It." },
	{ .name = "password", .kind = ARGUMENT_INTEGER, .secret = true, .text = "It." },
	{ .name = NULL },
};
static const struct operation everything = { .name = "every thing", .arguments = all_kinds };

/* right NULL: wrong is a part of the sentence. */
static void
check(const char *reason, const struct operation *operation, const char *given, const char *right,
    const char *wrong)
{
	json_t *in = json_loads(given, JSON_ALLOW_NUL, NULL), *out, *wanted;
	struct buf why;

	if (in == NULL)
		fail_msg("%s: no JSON", reason);
	buf_init(&why, 10000);
	out = values_check(operation, in, NOW_MS, &why);
	if ((out == NULL) != (why.len > 0))
		fail_msg("%s: fails without a sentence, or the reverse", reason);
	if (right == NULL) {
		if (out != NULL)
			fail_msg("%s: taken", reason);
		if (strstr(why.data, wrong) == NULL)
			fail_msg("%s: %s", reason, why.data);
	} else {
		wanted = json_loads(right, 0, NULL);
		if (out == NULL)
			fail_msg("%s: %s", reason, why.data);
		if (!json_equal(out, wanted))
			fail_msg("%s: %s", reason, json_dumps(out, 0));
		/* What was checked passes again, unchanged. */
		json_t *again = values_check(operation, out, NOW_MS, &why);
		if (again == NULL || !json_equal(again, out))
			fail_msg("%s: not when checked again", reason);
		json_decref(again);
		json_decref(wanted);
	}
	buf_free(&why);
	json_decref(out);
	json_decref(in);
}

static void
test_kinds(void **state)
{
	static const struct {
		const char *reason, *given, *right, *wrong;
	} cases[] = {
		{ "nothing", "{}", "{}", NULL },
		{ "no object", "[]", NULL, "one JSON object" },
		{ "null is nothing", "{\"text\":null}", "{}", NULL },
		{ "an unknown name", "{\"txet\":1}", NULL, "the nearest is text" },
		{ "a name like none", "{\"umbrella\":1}", NULL, "no argument \"umbrella\"" },
		{ "a hostile name", "{\"a\\nb\\u001b[1m\":1}", NULL, "a\\x0Ab\\x1B[1m" },
		{ "Postmark's name", "{\"TheText\":\"a\"}", "{\"text\":\"a\"}", NULL },
		{ "both names", "{\"text\":\"a\",\"TheText\":\"a\"}", NULL, "given twice" },
		{ "text", "{\"text\":\"a\\nb\"}", "{\"text\":\"a\\nb\"}", NULL },
		{ "an empty one", "{\"text\":\"\"}", "{\"text\":\"\"}", NULL },
		{ "a number as text", "{\"text\":12}", "{\"text\":\"12\"}", NULL },
		{ "a text with a NUL", "{\"text\":\"a\\u0000b\"}", NULL, "wanted a text" },
		{ "an object as text", "{\"text\":{}}", NULL, "found an object, wanted a text" },
		{ "a line feed in a path", "{\"id\":\"a\\nb\"}", NULL, "control character" },
		{ "a line feed in a word", "{\"word\":\"a\\rb\"}", NULL, "control character" },

		{ "number", "{\"number\":5}", "{\"number\":5}", NULL },
		{ "from a query", "{\"number\":\"-5\"}", "{\"number\":-5}", NULL },
		{ "too large", "{\"number\":501}", NULL, "wanted a number from -5 to 500" },
		{ "too small", "{\"number\":\"-6\"}", NULL, "found \"-6\"" },
		{ "no number", "{\"number\":\"5x\"}", NULL, "found \"5x\", wanted a number" },
		{ "a fraction", "{\"number\":1.5}", NULL, "found 1.5" },
		{ "empty", "{\"number\":\"\"}", NULL, "wanted a number" },
		{ "a sign alone", "{\"number\":\"-\"}", NULL, "wanted a number" },
		{ "true", "{\"number\":true}", NULL, "found true" },
		{ "past 64 bits", "{\"any-number\":\"9223372036854775808\"}", NULL, "a number" },
		{ "64 bits", "{\"any-number\":\"9223372036854775807\"}",
		    "{\"any-number\":9223372036854775807}", NULL },
		{ "a key from 1 on", "{\"key\":0}", NULL, "wanted a number from 1 on" },
		{ "a secret is not quoted", "{\"password\":\"hunter2\"}", NULL,
		    "found something else" },

		{ "flag", "{\"flag\":false}", "{\"flag\":false}", NULL },
		{ "yes", "{\"flag\":\"Yes\"}", "{\"flag\":true}", NULL },
		{ "the name alone", "{\"flag\":\"\"}", "{\"flag\":true}", NULL },
		{ "off", "{\"flag\":\"off\"}", "{\"flag\":false}", NULL },
		{ "maybe", "{\"flag\":\"maybe\"}", NULL, "wanted true or false" },
		{ "one", "{\"flag\":1}", NULL, "wanted true or false" },

		{ "choice", "{\"fruit\":\"pear\"}", "{\"fruit\":\"pear\"}", NULL },
		{ "in another case", "{\"fruit\":\"PEAR\"}", "{\"fruit\":\"pear\"}", NULL },
		{ "another", "{\"fruit\":\"plum\"}", NULL, "found \"plum\", wanted apple or pear" },
		{ "no text", "{\"fruit\":[]}", NULL, "found an array, wanted apple or pear" },

		{ "milliseconds", "{\"span\":1000}", "{\"span\":1000}", NULL },
		{ "with a unit", "{\"span\":\"90s\"}", "{\"span\":90000}", NULL },
		{ "without", "{\"span\":\"1500\"}", "{\"span\":1500}", NULL },
		{ "too long", "{\"span\":\"2h\"}", NULL, "wanted a span of time from 1s to 1h" },
		{ "too short", "{\"span\":\"999ms\"}", NULL, "from 1s to 1h" },
		{ "negative", "{\"any-span\":-1}", NULL, "wanted a span" },
		{ "negative text", "{\"any-span\":\"-1s\"}", NULL, "wanted a span" },
		{ "days", "{\"any-span\":\"2d\"}", "{\"any-span\":172800000}", NULL },
		{ "overflow", "{\"any-span\":\"106751991168d\"}", NULL, "wanted a span" },
		{ "unit alone", "{\"any-span\":\"s\"}", NULL, "wanted a span" },
		{ "weeks", "{\"any-span\":\"1w\"}", NULL, "wanted a span" },

		{ "UTC", "{\"moment\":\"2026-11-23T06:29:25Z\"}", "{\"moment\":1795415365000}",
		    NULL },
		{ "with an offset", "{\"moment\":\"2026-11-23T07:29:25+01:00\"}",
		    "{\"moment\":1795415365000}", NULL },
		{ "to the west", "{\"moment\":\"2026-11-23T01:29:25.5-05:00\"}",
		    "{\"moment\":1795415365500}", NULL },
		{ "Postmark's seven digits", "{\"moment\":\"2026-11-23T06:29:25.1239999Z\"}",
		    "{\"moment\":1795415365123}", NULL },
		{ "a day", "{\"moment\":\"2026-11-23\"}", "{\"moment\":1795392000000}", NULL },
		{ "a leap day", "{\"moment\":\"2024-02-29\"}", "{\"moment\":1709164800000}", NULL },
		{ "the first", "{\"moment\":\"1970-01-01T00:00:00Z\"}", "{\"moment\":0}", NULL },
		{ "before the first", "{\"moment\":\"1970-01-01T00:00:00+01:00\"}", NULL,
		    "moment" },
		{ "no leap day", "{\"moment\":\"2026-02-29\"}", NULL, "wanted a moment" },
		{ "nor in 2100", "{\"moment\":\"2100-02-29\"}", NULL, "wanted a moment" },
		{ "no such month", "{\"moment\":\"2026-13-01\"}", NULL, "wanted a moment" },
		{ "no zone", "{\"moment\":\"2026-11-23T06:29:25\"}", NULL, "wanted a moment" },
		{ "more behind it", "{\"moment\":\"2026-11-23T06:29:25Zx\"}", NULL, "a moment" },
		{ "no fraction", "{\"moment\":\"2026-11-23T06:29:25.Z\"}", NULL, "a moment" },
		{ "so long ago", "{\"moment\":\"2h\"}", "{\"moment\":1795408165000}", NULL },
		{ "before all time", "{\"moment\":\"99999d\"}", "{\"moment\":0}", NULL },
		{ "a bare number", "{\"moment\":\"12\"}", NULL, "wanted a moment" },

		{ "list", "{\"list\":[\"a\",\"b\"]}", "{\"list\":[\"a\",\"b\"]}", NULL },
		{ "of one", "{\"list\":\"a\"}", "{\"list\":[\"a\"]}", NULL },
		{ "of numbers", "{\"list\":[1]}", "{\"list\":[\"1\"]}", NULL },
		{ "of none", "{\"list\":[]}", "{\"list\":[]}", NULL },
		{ "of lists", "{\"list\":[[]]}", NULL, "found an array" },
		{ "with an empty text", "{\"list\":[\"a\",\"\"]}", NULL, "must not be empty" },
		{ "of choices", "{\"states\":[\"Held\"]}", "{\"states\":[\"held\"]}", NULL },
		{ "all choices", "{\"states\":\"all\"}", "{\"states\":[\"held\",\"sent\"]}", NULL },
		{ "no choice", "{\"states\":\"gone\"}", NULL, "wanted held, sent or all" },

		{ "pairs", "{\"pairs\":{\"a\":\"1\"}}", "{\"pairs\":{\"a\":\"1\"}}", NULL },
		{ "of numbers and truth", "{\"pairs\":{\"a\":1,\"b\":true}}",
		    "{\"pairs\":{\"a\":\"1\",\"b\":\"true\"}}", NULL },
		{ "one text", "{\"pairs\":\"a=b=c\"}", "{\"pairs\":{\"a\":\"b=c\"}}", NULL },
		{ "many texts", "{\"pairs\":[\"a=1\",\"b=\"]}",
		    "{\"pairs\":{\"a\":\"1\",\"b\":\"\"}}", NULL },
		{ "one twice", "{\"pairs\":[\"a=1\",\"a=2\"]}", NULL, "given twice" },
		{ "JSON in a text", "{\"pairs\":\"{\\\"a\\\":\\\"1\\\"}\"}",
		    "{\"pairs\":{\"a\":\"1\"}}", NULL },
		{ "no key", "{\"pairs\":\"=b\"}", NULL, "KEY=VALUE" },
		{ "no value", "{\"pairs\":\"a\"}", NULL, "KEY=VALUE" },
		{ "a list in it", "{\"pairs\":{\"a\":[]}}", NULL, "the value of \"a\" is no text" },
		{ "an empty key", "{\"pairs\":{\"\":\"a\"}}", NULL, "no text" },
		{ "mixed", "{\"pairs\":[\"a=1\",2]}", NULL, "found 2" },

		{ "headers",
		    "{\"headers\":[{\"Name\":\"A\",\"Value\":\"1\"},{\"Name\":\"A\","
		    "\"Value\":\"2\"}]}",
		    "{\"headers\":[{\"Name\":\"A\",\"Value\":\"1\"},{\"Name\":\"A\",\"Value\":"
		    "\"2\"}]}",
		    NULL },
		{ "as an object", "{\"headers\":{\"B\":\"1\",\"A\":\"2\"}}",
		    "{\"headers\":[{\"Name\":\"B\",\"Value\":\"1\"},{\"Name\":\"A\",\"Value\":"
		    "\"2\"}]}",
		    NULL },
		{ "as texts", "{\"headers\":[\"A: b=c\",\"A=d\"]}",
		    "{\"headers\":[{\"Name\":\"A\",\"Value\":\"b=c\"},{\"Name\":\"A\","
		    "\"Value\":\"d\"}]}",
		    NULL },
		{ "a line more", "{\"headers\":{\"A\":\"1\\r\\nBcc: x@y.example\"}}", NULL,
		    "no text of one line" },
		{ "a line in the name", "{\"headers\":{\"A\\nB\":\"1\"}}", NULL,
		    "no name of a header" },
		{ "a colon in the name", "{\"headers\":{\"A:\":\"1\"}}", NULL, "no name" },
		{ "a space in the name", "{\"headers\":\"A B: c\"}", NULL, "no name" },
		{ "a value missing", "{\"headers\":[{\"Name\":\"A\"}]}", NULL, "no text" },
		{ "a name missing", "{\"headers\":[{}]}", NULL, "no name" },
		{ "neither", "{\"headers\":[1]}", NULL, "no name" },
		{ "a number", "{\"headers\":1}", NULL, "wanted headers" },

		{ "files", "{\"files\":{\"a.txt\":\"aGk=\"}}", "{\"files\":{\"a.txt\":\"aGk=\"}}",
		    NULL },
		{ "in a query", "{\"files\":\"a=aGk=\"}", "{\"files\":{\"a\":\"aGk=\"}}", NULL },
		{ "no base64", "{\"files\":{\"a.txt\":\"aGk\"}}", NULL, "no good base64" },
		{ "no text", "{\"files\":{\"a.txt\":1}}", NULL, "no good base64" },
		{ "no name", "{\"files\":{\"\":\"\"}}", NULL, "no name" },

		{ "attachments",
		    "{\"attachments\":[{\"Name\":\"a.pdf\",\"Content\":\"aGk=\","
		    "\"ContentType\":\"text/x\",\"ContentID\":\"cid:a\",\"Other\":1}]}",
		    "{\"attachments\":[{\"Name\":\"a.pdf\",\"Content\":\"aGk=\","
		    "\"ContentType\":\"text/x\",\"ContentID\":\"cid:a\"}]}",
		    NULL },
		{ "by name", "{\"attachments\":{\"a.PDF\":\"aGk=\",\"b\":\"\"}}",
		    "{\"attachments\":[{\"Name\":\"a.PDF\",\"Content\":\"aGk=\","
		    "\"ContentType\":\"application/pdf\"},{\"Name\":\"b\",\"Content\":\"\","
		    "\"ContentType\":\"application/octet-stream\"}]}",
		    NULL },
		{ "without an id",
		    "{\"attachments\":[{\"Name\":\"a.txt\",\"Content\":\"\","
		    "\"ContentType\":null,\"ContentID\":null}]}",
		    "{\"attachments\":[{\"Name\":\"a.txt\",\"Content\":\"\","
		    "\"ContentType\":\"text/plain\"}]}",
		    NULL },
		{ "without a name", "{\"attachments\":[{\"Content\":\"\"}]}", NULL, "no Name" },
		{ "without content", "{\"attachments\":[{\"Name\":\"a\"}]}", NULL, "base64" },
		{ "a type of two lines",
		    "{\"attachments\":[{\"Name\":\"a\",\"Content\":\"\",\"ContentType\":\"a\\nb\"}]"
		    "}",
		    NULL, "more than one line" },
		{ "a type that is none",
		    "{\"attachments\":[{\"Name\":\"a\",\"Content\":\"\",\"ContentType\":1}]}", NULL,
		    "ContentType" },
		{ "an id that is none",
		    "{\"attachments\":[{\"Name\":\"a\",\"Content\":\"\",\"ContentID\":1}]}", NULL,
		    "ContentID" },

		{ "object", "{\"object\":{\"a\":[1]}}", "{\"object\":{\"a\":[1]}}", NULL },
		{ "in a text", "{\"object\":\"{\\\"a\\\":1}\"}", "{\"object\":{\"a\":1}}", NULL },
		{ "an array for it", "{\"object\":[]}", NULL,
		    "found an array, wanted a JSON object" },
		{ "bad JSON", "{\"object\":\"{\"}", NULL, "no JSON" },
		{ "array", "{\"array\":[{}]}", "{\"array\":[{}]}", NULL },
		{ "wrapped", "{\"array\":{\"Messages\":[1]}}", "{\"array\":[1]}", NULL },
		{ "as the whole", "{\"Messages\":[1]}", "{\"array\":[1]}", NULL },
		{ "wrapped with more", "{\"array\":{\"Messages\":[1],\"b\":1}}", NULL, "wanted" },
		{ "any", "{\"any\":\"text\"}", "{\"any\":\"text\"}", NULL },
		{ "any object", "{\"any\":{\"a\":1}}", "{\"any\":{\"a\":1}}", NULL },
		{ "bytes", "{\"bytes\":\"aGk+/w==\"}", "{\"bytes\":\"aGk+/w==\"}", NULL },
		{ "no bytes", "{\"bytes\":\"\"}", "{\"bytes\":\"\"}", NULL },
		{ "in lines", "{\"bytes\":\"aGk=\\n\"}", NULL, "no line breaks" },
		{ "padding within", "{\"bytes\":\"a=k=\"}", NULL, "no good base64" },
		{ "too much padding", "{\"bytes\":\"a===\"}", NULL, "no good base64" },
		{ "for URLs", "{\"bytes\":\"aG-_\"}", NULL, "no good base64" },
		{ "an object of bytes", "{\"bytes\":{}}", NULL, "base64" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check(cases[i].reason, &everything, cases[i].given, cases[i].right, cases[i].wrong);
}

static void
test_depth(void **state)
{
	struct buf given;

	(void)state;
	for (int levels = 63; levels <= 65; levels++) {
		buf_init(&given, 10000);
		buf_adds(&given, "{\"any\":");
		for (int i = 0; i < levels; i++)
			buf_adds(&given, i % 2 ? "[" : "{\"a\":");
		buf_adds(&given, "1");
		for (int i = levels - 1; i >= 0; i--)
			buf_adds(&given, i % 2 ? "]" : "}");
		buf_adds(&given, "}");
		check("levels", &everything, given.data, levels <= 64 ? given.data : NULL, "deep");
		buf_free(&given);
	}
}

/* ---- presets ----------------------------------------------------------------------------- */

static const struct argument edit_arguments[] = {
	{ .name = "id", .kind = ARGUMENT_INTEGER, .place = IN_PATH, .text = "It." },
	{ .name = "name", .kind = ARGUMENT_STRING, .required = true, .text = "The name." },
	{ .name = "color", .kind = ARGUMENT_STRING, .preset = "\"red\"", .text = "It." },
	{ .name = "wait", .kind = ARGUMENT_TIME, .preset = "\"2s\"", .text = "It." },
	{ .name = "smtp",
	    .kind = ARGUMENT_BOOLEAN,
	    .preset = "false",
	    .resets = true,
	    .text = "It." },
	{ .name = "keep", .kind = ARGUMENT_BOOLEAN, .preset = "false", .text = "It." },
	{ .name = NULL },
};
static const struct operation edit = { .name = "edit", .arguments = edit_arguments };
/* The same without an ID. */
static const struct operation set = { .name = "set", .arguments = edit_arguments + 1 };

static void
test_presets(void **state)
{
	(void)state;
	check("one that must be given", &edit, "{}", NULL, "name: it must be given. The name.");
	check("nor is null a value", &edit, "{\"name\":null}", NULL, "it must be given");
	check("nor an empty text", &edit, "{\"name\":\"\"}", NULL, "must not be empty");
	check("by ID all presets hold", &edit, "{\"id\":1,\"name\":\"a\"}",
	    "{\"id\":1,\"name\":\"a\",\"color\":\"red\",\"wait\":2000,\"smtp\":false,"
	    "\"keep\":false}",
	    NULL);
	check("unless keep", &edit, "{\"id\":1,\"name\":\"a\",\"keep\":true}",
	    "{\"id\":1,\"name\":\"a\",\"color\":\"red\",\"wait\":2000,\"keep\":true}", NULL);
	check("without ID only the others", &edit, "{\"name\":\"a\"}",
	    "{\"name\":\"a\",\"color\":\"red\",\"wait\":2000,\"keep\":false}", NULL);
	check("where there is no ID", &set, "{\"name\":\"a\"}",
	    "{\"name\":\"a\",\"color\":\"red\",\"wait\":2000,\"smtp\":false,\"keep\":false}", NULL);
	check("what is given wins", &edit,
	    "{\"id\":1,\"name\":\"a\",\"color\":\"blue\",\"smtp\":true,\"wait\":1}",
	    "{\"id\":1,\"name\":\"a\",\"color\":\"blue\",\"wait\":1,\"smtp\":true,\"keep\":false}",
	    NULL);
}

static const struct operation *
named(char *first, char *second)
{
	char *words[] = { first, second };
	size_t used;

	return operation_by_words(words, second == NULL ? 1 : 2, &used);
}

static void
test_access(void **state)
{
	static const struct {
		char *first, *second;
		const char *values, *argument;
	} cases[] = {
		{ "server", "get", "{}", NULL },
		{ "server", "get", "{\"tokens\":\"hide\"}", NULL },
		{ "server", "get", "{\"tokens\":\"show\"}", "tokens" },
		{ "server", "edit", "{\"tokens\":\"hide\"}", NULL },
		{ "queue", "list", "{}", NULL },
		{ "queue", "show", "{\"content\":false}", NULL },
		{ "queue", "show", "{\"content\":true}", "content" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *values = json_loads(cases[i].values, 0, NULL);
		const struct argument *argument =
		    values_admin_argument(named(cases[i].first, cases[i].second), values);

		if ((argument == NULL) != (cases[i].argument == NULL) ||
		    (argument != NULL && strcmp(argument->name, cases[i].argument) != 0))
			fail_msg("%s %s", cases[i].first, cases[i].values);
		json_decref(values);
	}
}

/* ---- the command line -------------------------------------------------------------------- */

static const struct argument *
of_kind(enum argument_kind kind)
{
	for (const struct argument *a = all_kinds + 1; a->name != NULL; a++)
		if (a->kind == kind)
			return a;
	return NULL;
}

static void
test_texts(void **state)
{
	static const struct {
		enum argument_kind kind;
		const char *text, *value; /* NULL: it is none */
	} cases[] = {
		{ ARGUMENT_STRING, "a", "\"a\"" },
		{ ARGUMENT_STRING, "\xff", NULL },
		{ ARGUMENT_INTEGER, "7", "7" },
		{ ARGUMENT_INTEGER, "seven", NULL },
		{ ARGUMENT_BOOLEAN, "no", "false" },
		{ ARGUMENT_TIME, "90s", "\"90s\"" },
		{ ARGUMENT_LIST, "a,b", "[\"a,b\"]" },
		{ ARGUMENT_PAIRS, "a=b", "{\"a\":\"b\"}" },
		{ ARGUMENT_PAIRS, "a:b", NULL },
		{ ARGUMENT_HEADERS, "A: b", "[{\"Name\":\"A\",\"Value\":\"b\"}]" },
		{ ARGUMENT_HEADERS, "A:", "[{\"Name\":\"A\",\"Value\":\"\"}]" },
		{ ARGUMENT_HEADERS, "[{\"Name\":\"A\",\"Value\":\"b\"}]",
		    "[{\"Name\":\"A\",\"Value\":\"b\"}]" },
		{ ARGUMENT_HEADERS, "A", NULL },
		{ ARGUMENT_ATTACHMENTS, "a=aGk=", "[{\"Name\":\"a\",\"Content\":\"aGk=\"}]" },
		{ ARGUMENT_OBJECT, " {\"a\":1}", "{\"a\":1}" },
		{ ARGUMENT_OBJECT, "{\"a\":1,\"a\":2}", NULL },
		{ ARGUMENT_ARRAY, "[1]", "[1]" },
		{ ARGUMENT_ANY, "{\"a\":1}", "{\"a\":1}" },
		{ ARGUMENT_ANY, "{a", "\"{a\"" },
		{ ARGUMENT_BYTES, "aGk=", "\"aGk=\"" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf why;

		buf_init(&why, 1000);
		json_t *value = value_from_text(of_kind(cases[i].kind), cases[i].text, &why);
		json_t *wanted = cases[i].value == NULL
				     ? NULL
				     : json_loads(cases[i].value, JSON_DECODE_ANY, NULL);
		if ((value == NULL) != (wanted == NULL) || (value == NULL) != (why.len > 0) ||
		    (value != NULL && !json_equal(value, wanted)))
			fail_msg("%s: %s", cases[i].text, value == NULL ? "none" : "another");
		json_decref(value);
		json_decref(wanted);
		buf_free(&why);
	}
}

static void
test_bytes(void **state)
{
	static const struct {
		enum argument_kind kind;
		const char *name, *bytes, *value;
	} cases[] = {
		{ ARGUMENT_BYTES, NULL, "", "\"\"" },
		{ ARGUMENT_BYTES, NULL, "f", "\"Zg==\"" },
		{ ARGUMENT_BYTES, NULL, "fo", "\"Zm8=\"" },
		{ ARGUMENT_BYTES, NULL, "foo", "\"Zm9v\"" },
		{ ARGUMENT_BYTES, NULL, "\xff\xfe\xfd\xfc", "\"//79/A==\"" },
		{ ARGUMENT_FILES, "field", "hi", "{\"field\":\"aGk=\"}" },
		{ ARGUMENT_ATTACHMENTS, "/home/ann/a.pdf", "hi",
		    "[{\"Name\":\"a.pdf\",\"Content\":\"aGk=\"}]" },
		{ ARGUMENT_ATTACHMENTS, "/home/ann/", "hi", NULL },
		{ ARGUMENT_ATTACHMENTS, NULL, "hi", NULL },
		{ ARGUMENT_STRING, "a", "hi", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf why;

		buf_init(&why, 1000);
		json_t *value = value_from_bytes(of_kind(cases[i].kind), cases[i].name,
		    cases[i].bytes, strlen(cases[i].bytes), &why);
		json_t *wanted = cases[i].value == NULL
				     ? NULL
				     : json_loads(cases[i].value, JSON_DECODE_ANY, NULL);
		if ((value == NULL) != (wanted == NULL) || (value == NULL) != (why.len > 0) ||
		    (value != NULL && !json_equal(value, wanted)))
			fail_msg("%s: %s", cases[i].bytes, value == NULL ? "none" : "another");
		json_decref(value);
		json_decref(wanted);
		buf_free(&why);
	}
}

/* The texts one after another, as a command line gives them. */
static void
give(enum argument_kind kind, const char *const *texts, const char *right)
{
	const struct argument *a = of_kind(kind);
	json_t *given = json_object(), *wanted;
	struct buf why;
	int rc = 0;

	buf_init(&why, 1000);
	for (size_t i = 0; texts[i] != NULL && rc == 0; i++)
		rc = values_give(given, a, value_from_text(a, texts[i], &why), &why);
	if ((rc == 0) != (right != NULL) || (rc == 0) != (why.len == 0))
		fail_msg("%s: %s", texts[0], why.len == 0 ? "taken" : why.data);
	if (right != NULL) {
		wanted = json_loads(right, JSON_DECODE_ANY, NULL);
		if (!json_equal(json_object_get(given, a->name), wanted))
			fail_msg("%s: not %s", texts[0], right);
		json_decref(wanted);
	}
	json_decref(given);
	buf_free(&why);
}

#define TEXTS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void
test_give(void **state)
{
	(void)state;
	give(ARGUMENT_STRING, TEXTS("a"), "\"a\"");
	give(ARGUMENT_STRING, TEXTS("a", "b"), NULL);
	give(ARGUMENT_LIST, TEXTS("a", "b", "a"), "[\"a\",\"b\",\"a\"]");
	give(ARGUMENT_PAIRS, TEXTS("a=1", "b=2"), "{\"a\":\"1\",\"b\":\"2\"}");
	give(ARGUMENT_PAIRS, TEXTS("a=1", "a=2"), NULL);
	give(ARGUMENT_HEADERS, TEXTS("A: 1", "A: 2"),
	    "[{\"Name\":\"A\",\"Value\":\"1\"},{\"Name\":\"A\",\"Value\":\"2\"}]");
	give(ARGUMENT_ATTACHMENTS, TEXTS("a=", "b=aGk="),
	    "[{\"Name\":\"a\",\"Content\":\"\"},{\"Name\":\"b\",\"Content\":\"aGk=\"}]");
	give(ARGUMENT_OBJECT, TEXTS("{}", "{}"), NULL);
	/* What a JSON body had there before may be anything. */
	give(ARGUMENT_HEADERS, TEXTS("{\"A\":\"1\"}", "B: 2"), NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_presets),
		cmocka_unit_test(test_access),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_give),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
