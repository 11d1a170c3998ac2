/* The reader takes what jansson's own takes, and makes the same of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <jansson.h>

#include "base/mem.h"
#include "sandbox/load.h"

static const char *const texts[] = {
	"{}",
	"[]",
	" \t\r\n[ ] ",
	"{\"a\":1,\"b\":[true,false,null],\"c\":{\"d\":\"e\"}}",
	"[0,-0,1,-1,12345678901234567,0.5,-1.25e3,1E+2,1e-2,1e400,9223372036854775807]",
	"[9223372036854775808]",
	"[01]",
	"[1.]",
	"[.5]",
	"[-]",
	"[1e]",
	"[+1]",
	"[1 2]",
	"[1,]",
	"[,1]",
	"[1",
	"{\"a\"}",
	"{\"a\":}",
	"{\"a\":1,}",
	"{a:1}",
	"{\"a\":1 \"b\":2}",
	"{\"a\":1,\"a\":2}",
	"{\"\":1}",
	"[\"",
	"[\"a",
	"[\"\\",
	"[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]",
	"[\"\\x\"]",
	"[\"\\u0041\\u00e9\\u20ac\\ud83d\\ude00\"]",
	"[\"\\u0000\"]",
	"[\"\\ud83d\"]",
	"[\"\\ud83dx\"]",
	"[\"\\ud83d\\u0041\"]",
	"[\"\\ude00\"]",
	"[\"\\u12\"]",
	"[\"\\u12g4\"]",
	"[\"a\nb\"]",
	"[\"a\tb\"]",
	"[\"\x7f\"]",
	"[\"\xc3\xb6 \xe6\x97\xa5 \xf0\x9f\x98\x80\"]",
	"[\"\xc3\"]",
	"[\"\xc0\x80\"]",
	"[\"\xed\xa0\x80\"]",
	"[\"\xf5\x80\x80\x80\"]",
	"[\"plain text that is longer than a stride\\nand has an escape in the middle of it\"]",
	"[\"eight888\\\"quote\", \"sixteen characte\\\\rs\"]",
	"[tru]",
	"[truex]",
	"[True]",
	"true",
	"\"a\"",
	"1",
	"",
	" ",
	"[] x",
	"[]]",
	"[}",
	"{]",
	"[[[[[[[[]]]]]]]]",
	"[{\"a\":[{\"b\":\"]}\"}]}, [1,[2]], \"x\" ]",
};

static void
same_as_jansson(const char *text, size_t len)
{
	json_error_t error;
	const char *why = NULL;
	struct load_slice *slices;
	json_t *theirs = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
	json_t *ours = load_json(text, len, &slices, &why);

	if ((theirs == NULL) != (ours == NULL) || (theirs != NULL && !json_equal(theirs, ours)))
		fail_msg("\"%.*s\": %s / %s", (int)len, text, theirs == NULL ? error.text : "fine",
		    ours == NULL ? why : "fine");
	if (ours == NULL)
		assert_non_null(why);
	/* Each slice is the text of its element. */
	for (size_t i = 0; i < json_array_size(ours); i++) {
		json_t *one =
		    json_loadb(text + slices[i].start, slices[i].len, JSON_DECODE_ANY, &error);

		assert_true(one != NULL && json_equal(one, json_array_get(ours, i)));
		json_decref(one);
	}
	free(slices);
	json_decref(theirs);
	json_decref(ours);
}

static void
whole_texts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		same_as_jansson(texts[i], strlen(texts[i]));
}

static void
cut_texts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		for (size_t len = 0; len < strlen(texts[i]); len++) {
			/* Bytes behind the end are not there: the sanitizer watches. */
			char *copy = malloc(len > 0 ? len : 1);

			assert_non_null(copy);
			memcpy(copy, texts[i], len);
			same_as_jansson(copy, len);
			free(copy);
		}
	}
}

static void
changed_texts(void **state)
{
	static const char bytes[] = "\"\\[]{},:0-.eu \n\x01\x80\xc3\xff";
	uint32_t random = 1;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		size_t len = strlen(texts[i]);

		for (int round = 0; len > 0 && round < 400; round++) {
			char *copy = mem_bytes(texts[i], len);

			random = random * 1664525 + 1013904223;
			copy[(random >> 8) % len] = bytes[(random >> 20) % (sizeof(bytes) - 1)];
			same_as_jansson(copy, len);
			free(copy);
		}
	}
}

/* jansson overlooks one behind a number. */
static void
nul(void **state)
{
	static const char *const with_nul[] = { "[1~]", "[~1]", "[1]~", "~[1]", "[true~]",
		"[\"~\"]", "{\"a\"~:1}", "[\"\\~\"]" };
	const char *why;

	(void)state;
	for (size_t i = 0; i < sizeof(with_nul) / sizeof(with_nul[0]); i++) {
		char *copy = mem_string(with_nul[i]);

		*strchr(copy, '~') = '\0';
		assert_null(load_json(copy, strlen(with_nul[i]), NULL, &why));
		assert_non_null(why);
		free(copy);
	}
}

static void
depth(void **state)
{
	char text[2100];
	const char *why;
	json_t *json;

	(void)state;
	memset(text, '[', 512);
	memset(text + 512, ']', 512);
	json = load_json(text, 1024, NULL, &why);
	assert_non_null(json);
	json_decref(json);
	memset(text, '[', 1000);
	memset(text + 1000, ']', 1000);
	assert_null(load_json(text, 2000, NULL, &why));
	assert_string_equal(why, "nested too deeply");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_texts),
		cmocka_unit_test(cut_texts),
		cmocka_unit_test(changed_texts),
		cmocka_unit_test(nul),
		cmocka_unit_test(depth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
