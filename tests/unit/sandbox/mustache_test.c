#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <jansson.h>

#include "base/buf.h"
#include "sandbox/mustache.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static char *
rendered(const char *text, const char *model_text, bool escape, size_t most,
    struct mustache_error *error_r)
{
	struct mustache_errors errors;
	struct mustache *template = mustache_parse(text, strlen(text), true, &errors);
	json_t *model = json_loads(model_text, 0, NULL);
	struct mustache_params params = { .model = model,
		.escape = escape,
		.content = "(content)",
		.unsubscribe_url = "https://u.example/?a=1&b=2" };
	struct buf out;
	char *result = NULL;
	size_t len;

	if (template == NULL)
		fail_msg("%s: %s", text, errors.items[0].text);
	assert_non_null(model);
	buf_init(&out, most);
	buf_adds(&out, "");
	if (mustache_render(template, &params, &out, error_r) == 0)
		result = buf_take(&out, &len);
	else
		assert_true(error_r->text[0] != '\0' && error_r->line > 0);
	buf_free(&out);
	json_decref(model);
	mustache_free(&template);
	return result;
}

static void
test_render(void **state)
{
	static const struct {
		const char *reason, *text, *model, *expected;
	} cases[] = {
		{ "no tag", "plain { text } {{", "{}", "plain { text } {{" },
		{ "a value", "Hi {{name}}!", "{\"name\":\"Ann\"}", "Hi Ann!" },
		{ "blanks in a tag", "{{ name\n}}", "{\"name\":\"Ann\"}", "Ann" },
		{ "missing", "[{{name}}]", "{}", "[]" },
		{ "escaped", "{{x}}", "{\"x\":\"<a b='c' d=\\\"e\\\">&\"}",
		    "&lt;a b=&#39;c&#39; d=&quot;e&quot;&gt;&amp;" },
		{ "raw, three braces", "{{{x}}}", "{\"x\":\"<b>\"}", "<b>" },
		{ "raw, ampersand", "{{& x }}", "{\"x\":\"<b>\"}", "<b>" },
		{ "four braces", "{{{{x}}}}", "{\"x\":\"<\"}", "{<}" },
		{ "three open, two close", "{{{x}}", "{\"x\":\"<\"}", "{&lt;" },
		{ "two open, three close", "{{x}}}", "{\"x\":\"<\"}", "&lt;}" },
		{ "a brace within", "{{a{b}}", "{}", "{{a{b}}" },
		{ "a tag after a broken one", "{{a{{b}}", "{\"b\":\"B\"}", "{{aB" },
		{ "integer", "{{x}}", "{\"x\":42}", "42" },
		{ "real", "{{x}}", "{\"x\":1.5}", "1.5" },
		{ "real without a fraction", "{{x}}", "{\"x\":2.0}", "2" },
		{ "booleans as .NET writes them", "{{t}}{{f}}", "{\"t\":true,\"f\":false}",
		    "TrueFalse" },
		{ "null", "[{{x}}]", "{\"x\":null}", "[]" },
		{ "an object has no text", "[{{x}}]", "{\"x\":{\"a\":1}}", "[]" },
		{ "dots", "{{a.b.c}}", "{\"a\":{\"b\":{\"c\":\"deep\"}}}", "deep" },
		{ "dots through a text", "[{{a.b}}]", "{\"a\":\"x\"}", "[]" },
		{ "section", "{{#a}}{{b}}{{/a}}", "{\"a\":{\"b\":\"B\"}}", "B" },
		{ "section of a text", "{{#a}}<{{.}}>{{/a}}", "{\"a\":\"x\"}", "<x>" },
		{ "section of nothing", "{{#a}}x{{/a}}", "{}", "" },
		{ "sections of falsey values",
		    "{{#a}}a{{/a}}{{#b}}b{{/b}}{{#c}}c{{/c}}{{#d}}d{{/d}}{{#e}}e{{/e}}{{#f}}f{{/"
		    "f}}",
		    "{\"a\":0,\"b\":false,\"c\":\"\",\"d\":[],\"e\":{},\"f\":null}", "" },
		{ "section of a list does not loop", "{{#a}}x{{/a}}", "{\"a\":[1,2]}", "x" },
		{ "section looks in itself alone", "[{{#a}}{{b}}{{/a}}]",
		    "{\"a\":{\"c\":1},\"b\":\"outer\"}", "[]" },
		{ "parent", "{{#a}}{{../b}}{{/a}}", "{\"a\":{\"c\":1},\"b\":\"outer\"}", "outer" },
		{ "a dotted section has a parent for each name",
		    "{{#a.b}}{{../x}}{{../../x}}{{/a.b}}",
		    "{\"a\":{\"b\":{\"c\":1},\"x\":\"1\"},\"x\":\"2\"}", "12" },
		{ "above the model is the model", "{{../../x}}", "{\"x\":\"1\"}", "1" },
		{ "each", "{{#each xs}}[{{n}}]{{/each}}", "{\"xs\":[{\"n\":1},{\"n\":2}]}",
		    "[1][2]" },
		{ "each of texts", "{{#each xs}}{{.}},{{/each}}", "{\"xs\":[\"a\",\"b\"]}",
		    "a,b," },
		{ "each of nothing", "{{#each xs}}x{{/each}}", "{}", "" },
		{ "each of an empty list", "{{#each xs}}x{{/each}}{{^xs}}none{{/xs}}",
		    "{\"xs\":[]}", "none" },
		{ "an element's parent is the list", "{{#each xs}}{{../x}}{{../../x}}{{/each}}",
		    "{\"xs\":[1],\"x\":\"up\"}", "up" },
		{ "dots in an each", "{{#each a.xs}}{{../../b}}{{/each}}",
		    "{\"a\":{\"xs\":[1],\"b\":\"B\"}}", "B" },
		{ "each within each", "{{#each xs}}{{#each ys}}{{.}}{{/each}};{{/each}}",
		    "{\"xs\":[{\"ys\":[1,2]},{\"ys\":[3]}]}", "12;3;" },
		{ "inverted", "{{^a}}none{{/a}}", "{}", "none" },
		{ "inverted, there", "{{^a}}none{{/a}}", "{\"a\":1}", "" },
		{ "one way or the other", "{{#a}}yes{{^a}}no{{/a}}", "{\"a\":1}", "yes" },
		{ "one way or the other: no", "{{#a}}yes{{^a}}no{{/a}}", "{}", "no" },
		{ "comment", "a{{! of no use: }}b", "{}", "ab" },
		{ "placeholder", "<{{{ @content }}}>", "{}", "<(content)>" },
		{ "unsubscribe", "{{{ pm:unsubscribe }}}", "{}",
		    "<a href=\"https://u.example/?a=1&amp;b=2\">Unsubscribe</a>" },
		{ "its address alone", "{{{pm:unsubscribe_url}}}", "{}",
		    "https://u.example/?a=1&b=2" },
		{ "what a value says is no template", "{{{x}}}", "{\"x\":\"{{y}}\",\"y\":1}",
		    "{{y}}" },
		{ "names beyond ASCII",
		    "{{gr\xc3\xb6\xc3\x9f"
		    "e}}",
		    "{\"gr\xc3\xb6\xc3\x9f"
		    "e\":7}",
		    "7" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct mustache_error error = { .text = "" };
		char *got = rendered(cases[i].text, cases[i].model, true, 100000, &error);

		if (got == NULL || strcmp(got, cases[i].expected) != 0)
			fail_msg("%s: \"%s\" %s", cases[i].reason, got, error.text);
		free(got);
	}
}

static void
test_plain_text(void **state)
{
	struct mustache_error error;
	char *got = rendered("{{x}} {{{pm:unsubscribe}}}", "{\"x\":\"<&>\"}", false, 1000, &error);

	(void)state;
	assert_string_equal(got, "<&> https://u.example/?a=1&b=2");
	free(got);
}

static void
test_errors(void **state)
{
	static const struct {
		const char *reason, *text;
		size_t line, position;
		const char *said;
	} cases[] = {
		{ "each of nothing", "{{#each}}{{/each}}", 1, 1, "requires a model path" },
		{ "each without a blank", "{{#eachx}}{{/each}}", 1, 1, "requires a model path" },
		{ "each is not closed", "a\n {{#each xs}}", 2, 2, "'xs', please close it" },
		{ "closing tag with more in it", "{{#each xs}}{{/each xs}}", 1, 13,
		    "should be: '{{/each}}'" },
		{ "each closed, never opened", "x{{/each}}", 1, 2, "no corresponding opening" },
		{ "section is not closed", "\n\n{{#a}}b", 3, 1, "'a', please close it" },
		{ "closed, never opened", "{{/a}}", 1, 1, "mismatched" },
		{ "crossed", "{{#a}}{{#b}}{{/a}}{{/b}}", 1, 13, "mismatched" },
		{ "bad path", "{{a b}}", 1, 1, "The path 'a b' is not valid." },
		{ "bad path: dash", "{{a-b}}", 1, 1, "'a-b'" },
		{ "bad path: three dots", "{{.../a}}", 1, 1, "'.../a'" },
		{ "bad path: slash", "{{a/b}}", 1, 1, "'a/b'" },
		{ "bad path: two dots alone", "{{..}}", 1, 1, "'..'" },
		{ "bad path in a section", "{{#a b}}{{/a b}}", 1, 1, "'a b'" },
		{ "raw has no sections", "{{{#a}}}", 1, 1, "'#a'" },
		{ "placeholder with two braces", "{{@content}}", 1, 1, "'@content'" },
		{ "placeholder in no layout", "{{{@content}}}", 1, 1, "'@content'" },
		{ "beyond the BMP counts two", "\xf0\x9f\x98\x80\xc3\xa4{{a b}}", 1, 4, "'a b'" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct mustache_errors errors;
		struct mustache *template =
		    mustache_parse(cases[i].text, strlen(cases[i].text), false, &errors);
		const struct mustache_error *first = &errors.items[0];

		if (template != NULL)
			fail_msg("%s: was taken", cases[i].reason);
		if (errors.count == 0 || first->line != cases[i].line ||
		    first->position != cases[i].position ||
		    strstr(first->text, cases[i].said) == NULL)
			fail_msg("%s: %zu:%zu %s", cases[i].reason, first->line, first->position,
			    first->text);
	}
}

static void
test_many_errors(void **state)
{
	struct mustache_errors errors;
	struct buf text;

	(void)state;
	buf_init(&text, 100000);
	for (int i = 0; i < 100; i++)
		buf_adds(&text, "{{a b}}\n");
	assert_null(mustache_parse(text.data, text.len, false, &errors));
	assert_int_equal(errors.count, MUSTACHE_MOST_ERRORS);
	assert_int_equal(errors.items[19].line, 20);
	buf_free(&text);
}

static void
repeat(struct buf *out, const char *text, int times)
{
	for (int i = 0; i < times; i++)
		buf_adds(out, text);
}

static void
test_limits_of_parsing(void **state)
{
	static const struct {
		const char *reason, *before;
		int times;
		const char *middle, *after, *said; /* NULL: fine */
	} cases[] = {
		{ "as deep as may be", "{{#a}}{{#b}}", MUSTACHE_MOST_DEPTH / 2, "x", "{{/b}}{{/a}}",
		    NULL },
		{ "too deep", "{{#a}}{{#b}}", MUSTACHE_MOST_DEPTH, "x", "{{/b}}{{/a}}", "deep" },
		{ "as many tags as may be", "{{a}}", MUSTACHE_MOST_TAGS, "", "", NULL },
		{ "too many tags", "{{a}}", MUSTACHE_MOST_TAGS + 1, "", "", "tags" },
		{ "a megabyte of braces", "{", 1 << 20, "", "}", NULL },
		{ "a megabyte of broken tags", "{{{ {", 1 << 18, "", "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct mustache_errors errors;
		struct mustache *template;
		struct buf text;

		buf_init(&text, 16 << 20);
		repeat(&text, cases[i].before, cases[i].times);
		buf_adds(&text, cases[i].middle);
		repeat(&text, cases[i].after, cases[i].times);
		template = mustache_parse(text.data, text.len, false, &errors);
		if ((template == NULL) != (cases[i].said != NULL))
			fail_msg("%s: %s", cases[i].reason,
			    template == NULL ? errors.items[0].text : "was taken");
		if (template == NULL && strstr(errors.items[0].text, cases[i].said) == NULL)
			fail_msg("%s: %s", cases[i].reason, errors.items[0].text);
		mustache_free(&template);
		buf_free(&text);
	}
}

static void
test_long_paths(void **state)
{
	struct mustache_errors errors;
	struct mustache *template;
	struct buf text;

	(void)state;
	for (int names = MUSTACHE_MOST_NAMES; names <= MUSTACHE_MOST_NAMES + 1; names++) {
		buf_init(&text, 100000);
		buf_adds(&text, "{{");
		repeat(&text, "../", names - 1);
		buf_adds(&text, "a}}");
		template = mustache_parse(text.data, text.len, false, &errors);
		assert_true((template != NULL) == (names == MUSTACHE_MOST_NAMES));
		mustache_free(&template);
		buf_free(&text);
	}
}

static void
test_limits_of_rendering(void **state)
{
	struct mustache_error error;
	json_t *model = json_object(), *list = json_array();
	char *text;

	(void)state;
	/* 200 to the fourth loops, and each of them large. */
	for (int i = 0; i < 200; i++)
		json_array_append_new(list, json_integer(i));
	json_object_set_new(model, "xs", list);
	text = json_dumps(model, 0);
	assert_null(rendered("{{#each xs}}{{#each ../../xs}}{{#each ../../../../xs}}{{#each "
			     "../../../../../../xs}}{{/each}}{{/each}}{{/each}}{{/each}}",
	    text, true, 1 << 20, &error));
	assert_non_null(strstr(error.text, "steps"));
	assert_null(rendered(
	    "\n{{#each xs}}a long text that is repeated{{/each}}", text, true, 1000, &error));
	assert_non_null(strstr(error.text, "1000 bytes"));
	assert_int_equal(error.line, 2);
	assert_null(rendered(" {{#each x}}{{/each}}", "{\"x\":\"text\"}", true, 1000, &error));
	assert_non_null(strstr(error.text, "'x' is used like an array"));
	assert_int_equal(error.position, 2);
	free(text);
	json_decref(model);
}

static void
test_guess(void **state)
{
	static const struct {
		const char *reason, *texts[3], *expected;
	} cases[] = {
		{ "nothing", { "text" }, "{}" },
		{ "a value", { "{{name}}" }, "{\"name\":\"name_Value\"}" },
		{ "several templates", { "{{a}}", "{{{b}}}", "{{a}}" },
		    "{\"a\":\"a_Value\",\"b\":\"b_Value\"}" },
		{ "a section", { "{{#company}}{{address}}{{/company}}", "{{company.phone}}" },
		    "{\"company\":{\"address\":\"address_Value\",\"phone\":\"phone_Value\"}}" },
		{ "a list", { "{{#each person}} {{name}} {{/each}}" },
		    "{\"person\":[{\"name\":\"name_Value\"}]}" },
		{ "a list of texts", { "{{#each xs}}{{.}}{{/each}}" },
		    "{\"xs\":[\"xs_1\",\"xs_2\",\"xs_3\"]}" },
		{ "from a list to what is beside it", { "{{#each xs}}{{a}}{{../../b}}{{/each}}" },
		    "{\"xs\":[{\"a\":\"a_Value\"}],\"b\":\"b_Value\"}" },
		{ "from a section to its parent", { "{{#a}}{{../b}}{{/a}}" },
		    "{\"a\":{},\"b\":\"b_Value\"}" },
		{ "inverted", { "{{^a}}{{b}}{{/a}}" }, "{\"a\":{\"b\":\"b_Value\"}}" },
		{ "the model itself", { "{{.}}{{../../a}}" }, "{\"a\":\"a_Value\"}" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct mustache_guess *guess = mustache_guess_new();
		json_t *json;
		char *text;

		for (size_t j = 0; j < 3 && cases[i].texts[j] != NULL; j++) {
			const char *one = cases[i].texts[j];
			struct mustache_errors errors;
			struct mustache *template =
			    mustache_parse(one, strlen(one), false, &errors);

			assert_non_null(template);
			mustache_guess_add(guess, template);
			mustache_free(&template);
		}
		json = mustache_guess_json(guess);
		text = json_dumps(json, JSON_COMPACT);
		if (strcmp(text, cases[i].expected) != 0)
			fail_msg("%s: %s", cases[i].reason, text);
		free(text);
		json_decref(json);
		mustache_guess_free(&guess);
	}
}

static void
test_placeholders(void **state)
{
	static const char text[] = "{{{@content}}}{{#a}}{{{ @content }}}{{/a}}";
	struct mustache_errors errors;
	struct mustache *template = mustache_parse(text, strlen(text), true, &errors);

	(void)state;
	assert_non_null(template);
	assert_int_equal(mustache_placeholders(template), 2);
	mustache_free(&template);
	mustache_free(&template);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_render),
		cmocka_unit_test(test_plain_text),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_many_errors),
		cmocka_unit_test(test_limits_of_parsing),
		cmocka_unit_test(test_long_paths),
		cmocka_unit_test(test_limits_of_rendering),
		cmocka_unit_test(test_guess),
		cmocka_unit_test(test_placeholders),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
