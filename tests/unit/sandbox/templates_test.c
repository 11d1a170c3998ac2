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
#include "sandbox/rules.h"
#include "sandbox/templates.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static json_t *
parsed(const char *text)
{
	json_error_t error;
	json_t *json = json_loads(text, 0, &error);

	if (json == NULL)
		fail_msg("%s: %s", text, error.text);
	return json;
}

/* 0, or the code of the refusal. */
static int
create(struct templates *templates, const char *text)
{
	struct rules_refusal refusal = { 0 };
	json_t *json = parsed(text);
	int code = 0;

	if (templates_create(templates, json, &refusal) == NULL) {
		code = refusal.code;
		assert_non_null(refusal.text);
	}
	rules_refusal_deinit(&refusal);
	json_decref(json);
	return code;
}

static int
edit(struct templates *templates, const char *alias, const char *text)
{
	struct rules_refusal refusal = { 0 };
	struct template *template = templates_by_alias(templates, alias);
	json_t *json = parsed(text);
	int code = 0;

	assert_non_null(template);
	if (templates_edit(templates, template, json, &refusal) != 0)
		code = refusal.code;
	rules_refusal_deinit(&refusal);
	json_decref(json);
	return code;
}

static struct templates *
with_layout(void)
{
	struct templates *templates = templates_new(1);

	templates_add_usual(templates);
	assert_int_equal(create(templates, "{\"Name\":\"L\",\"Alias\":\"page\",\"TemplateType\":"
					   "\"Layout\",\"HtmlBody\":\"<{{{ @content }}}>{{x}}\"}"),
	    0);
	return templates;
}

static void
test_create(void **state)
{
	static const struct {
		const char *reason, *json;
		int code;
	} cases[] = {
		{ "right", "{\"Name\":\"a\",\"Subject\":\"s\",\"TextBody\":\"t\"}", 0 },
		{ "with a layout",
		    "{\"Name\":\"a\",\"Subject\":\"s\",\"TextBody\":\"t\",\"LayoutTemplate\":"
		    "\"page\"}",
		    0 },
		{ "no name", "{\"Subject\":\"s\",\"TextBody\":\"t\"}", 1120 },
		{ "blank name", "{\"Name\":\" \",\"Subject\":\"s\",\"TextBody\":\"t\"}", 1120 },
		{ "no body", "{\"Name\":\"a\",\"Subject\":\"s\"}", 1120 },
		{ "no subject", "{\"Name\":\"a\",\"TextBody\":\"t\"}", 1120 },
		{ "type", "{\"Name\":\"a\",\"TemplateType\":\"Page\",\"TextBody\":\"t\"}", 1122 },
		{ "alias starts with a digit",
		    "{\"Name\":\"a\",\"Alias\":\"1a\",\"Subject\":\"s\",\"TextBody\":\"t\"}",
		    1122 },
		{ "alias with a blank",
		    "{\"Name\":\"a\",\"Alias\":\"a b\",\"Subject\":\"s\",\"TextBody\":\"t\"}",
		    1122 },
		{ "alias in use, in another case",
		    "{\"Name\":\"a\",\"Alias\":\"Welcome\",\"Subject\":\"s\",\"TextBody\":\"t\"}",
		    1122 },
		{ "body does not parse",
		    "{\"Name\":\"a\",\"Subject\":\"s\",\"HtmlBody\":\"{{#x}}\"}", 1122 },
		{ "subject does not parse",
		    "{\"Name\":\"a\",\"Subject\":\"{{a b}}\",\"HtmlBody\":\"x\"}", 1122 },
		{ "placeholder in no layout",
		    "{\"Name\":\"a\",\"Subject\":\"s\",\"HtmlBody\":\"{{{ @content }}}\"}", 1122 },
		{ "layout with a subject",
		    "{\"Name\":\"a\",\"TemplateType\":\"Layout\",\"Subject\":\"s\",\"HtmlBody\":"
		    "\"{{{@content}}}\"}",
		    1123 },
		{ "layout within a layout",
		    "{\"Name\":\"a\",\"TemplateType\":\"Layout\",\"LayoutTemplate\":\"page\","
		    "\"HtmlBody\":\"{{{@content}}}\"}",
		    1123 },
		{ "layout without a placeholder",
		    "{\"Name\":\"a\",\"TemplateType\":\"Layout\",\"HtmlBody\":\"x\"}", 1131 },
		{ "layout with two placeholders",
		    "{\"Name\":\"a\",\"TemplateType\":\"Layout\",\"HtmlBody\":\"{{{@content}}}"
		    "{{{@content}}}\"}",
		    1131 },
		{ "layout is not there",
		    "{\"Name\":\"a\",\"Subject\":\"s\",\"TextBody\":\"t\",\"LayoutTemplate\":"
		    "\"no\"}",
		    1101 },
		{ "layout is none",
		    "{\"Name\":\"a\",\"Subject\":\"s\",\"TextBody\":\"t\",\"LayoutTemplate\":"
		    "\"welcome\"}",
		    1101 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct templates *templates = with_layout();
		int code = create(templates, cases[i].json);

		if (code != cases[i].code)
			fail_msg("%s: %d", cases[i].reason, code);
		assert_int_equal(templates->count, code == 0 ? 3 : 2);
		templates_free(&templates);
	}
}

static void
test_limits(void **state)
{
	static const struct {
		const char *field;
		size_t most;
	} fields[] = { { "Name", TEMPLATES_MOST_NAME }, { "Alias", TEMPLATES_MOST_ALIAS },
		{ "Subject", TEMPLATES_MOST_SUBJECT }, { "HtmlBody", TEMPLATES_MOST_BODY_BYTES },
		{ "TextBody", TEMPLATES_MOST_BODY_BYTES } };
	struct templates *templates = templates_new(3);
	char text[128];

	(void)state;
	for (size_t i = 0; i < COUNT(fields); i++) {
		for (size_t over = 0; over < 2; over++) {
			json_t *json =
			    parsed("{\"Name\":\"a\",\"Subject\":\"s\",\"TextBody\":\"t\"}");
			struct rules_refusal refusal = { 0 };
			char *long_text = malloc(fields[i].most + over);

			memset(long_text, 'a', fields[i].most + over);
			json_object_set_new(
			    json, fields[i].field, json_stringn(long_text, fields[i].most + over));
			assert_true(
			    (templates_create(templates, json, &refusal) == NULL) == (over == 1));
			assert_int_equal(refusal.code, over == 1 ? 1121 : 0);
			rules_refusal_deinit(&refusal);
			json_decref(json);
			free(long_text);
		}
	}
	for (size_t i = templates->count; i <= TEMPLATES_MOST; i++) {
		snprintf(text, sizeof(text),
		    "{\"Name\":\"a\",\"Alias\":\"n%zu\",\"Subject\":\"s\",\"TextBody\":\"t\"}", i);
		assert_int_equal(create(templates, text), i < TEMPLATES_MOST ? 0 : 1105);
	}
	templates_free(&templates);
}

static void
test_edit(void **state)
{
	struct templates *templates = with_layout();
	struct template *welcome = templates_by_alias(templates, "welcome");
	int64_t id = welcome->id;

	(void)state;
	assert_int_equal(edit(templates, "welcome", "{\"Name\":\"New\"}"), 0);
	assert_string_equal(welcome->name, "New");
	assert_string_equal(welcome->parts[TEMPLATE_SUBJECT], "Welcome, {{name}}");
	assert_int_equal(welcome->id, id);
	assert_int_equal(edit(templates, "welcome", "{\"TemplateType\":\"Layout\"}"), 1122);
	assert_int_equal(edit(templates, "welcome", "{\"HtmlBody\":\"{{/x}}\"}"), 1122);
	assert_int_equal(edit(templates, "welcome", "{\"Alias\":\"page\"}"), 1122);
	assert_int_equal(edit(templates, "welcome", "{\"Alias\":\"welcome\"}"), 0);
	assert_int_equal(edit(templates, "page", "{\"HtmlBody\":\"x\"}"), 1131);

	assert_int_equal(edit(templates, "welcome", "{\"LayoutTemplate\":\"page\"}"), 0);
	/* The layout's new name holds for those that are in it. */
	assert_int_equal(edit(templates, "page", "{\"Alias\":\"frame\"}"), 0);
	assert_string_equal(welcome->layout_alias, "frame");
	assert_int_equal(edit(templates, "welcome", "{\"LayoutTemplate\":null}"), 0);
	assert_string_equal(welcome->layout_alias, "frame");
	assert_int_equal(edit(templates, "welcome", "{\"LayoutTemplate\":\"\"}"), 0);
	assert_null(welcome->layout_alias);
	templates_free(&templates);
}

static void
test_delete(void **state)
{
	struct templates *templates = with_layout();
	struct rules_refusal refusal = { 0 };

	(void)state;
	assert_int_equal(edit(templates, "welcome", "{\"LayoutTemplate\":\"page\"}"), 0);
	assert_int_equal(
	    templates_delete(templates, templates_find(templates, "page"), &refusal), -1);
	assert_int_equal(refusal.code, 1130);
	rules_refusal_deinit(&refusal);
	assert_int_equal(
	    templates_delete(templates, templates_find(templates, "100001"), &refusal), 0);
	assert_null(templates_find(templates, "welcome"));
	assert_int_equal(
	    templates_delete(templates, templates_find(templates, "PAGE"), &refusal), 0);
	assert_int_equal(templates->count, 0);
	templates_free(&templates);
}

static void
test_render(void **state)
{
	struct templates *templates = with_layout();
	struct template *welcome = templates_find(templates, "welcome");
	json_t *model = parsed("{\"name\":\"<Ann>\",\"x\":\"&\"}");
	struct template_rendered rendered;
	struct rules_refusal refusal = { 0 };

	(void)state;
	assert_int_equal(edit(templates, "welcome",
			     "{\"LayoutTemplate\":\"page\",\"HtmlBody\":\"{{name}}{{{name}}}\"}"),
	    0);
	assert_int_equal(template_render(templates, welcome, model, &rendered, &refusal), 0);
	assert_string_equal(rendered.parts[TEMPLATE_SUBJECT], "Welcome, <Ann>");
	assert_string_equal(rendered.parts[TEMPLATE_HTML], "<&lt;Ann&gt;<Ann>>&amp;");
	/* The layout has no text. */
	assert_string_equal(rendered.parts[TEMPLATE_TEXT], "Welcome, <Ann>!\n");
	template_rendered_deinit(&rendered);

	assert_int_equal(
	    edit(templates, "welcome", "{\"TextBody\":\"{{#each name}}{{/each}}\"}"), 0);
	assert_int_equal(template_render(templates, welcome, model, &rendered, &refusal), -1);
	assert_int_equal(refusal.code, 1122);
	rules_refusal_deinit(&refusal);
	json_decref(model);
	templates_free(&templates);
}

static void
test_validate(void **state)
{
	static const struct {
		const char *reason, *json;
		int code;
		const char *expected; /* the answer, or a part of it */
	} cases[] = {
		{ "as in Postmark's documents",
		    "{\"Subject\":\"{{#company}}{{name}}{{/company}} {{subjectHeadline}}\","
		    "\"TextBody\":\"{{#company}}{{phone}}{{/company}}{{#each person}} {{name}} "
		    "{{/each}}\",\"TestRenderModel\":{\"userName\":\"bobby joe\"}}",
		    0,
		    "\"SuggestedTemplateModel\":{\"userName\":\"bobby joe\",\"company\":{\"name\":"
		    "\"name_Value\",\"phone\":\"phone_Value\"},\"subjectHeadline\":"
		    "\"subjectHeadline_Value\",\"person\":[{\"name\":\"name_Value\"}]}" },
		{ "what is given wins",
		    "{\"Subject\":\"{{a}}{{b.c}}\",\"TestRenderModel\":{\"a\":1}}", 0,
		    "\"RenderedContent\":\"1c_Value\"" },
		{ "an error and its place", "{\"Subject\":\"s\",\"HtmlBody\":\"\\n {{#each}}\"}", 0,
		    "{\"Message\":\"The 'each' block being opened requires a model path to be "
		    "specified in the form '{{#each <name>}}'.\",\"Line\":2,"
		    "\"CharacterPosition\":2}" },
		{ "not all is valid", "{\"Subject\":\"s\",\"HtmlBody\":\"{{a b}}\"}", 0,
		    "\"AllContentIsValid\":false,\"Subject\":{\"ContentIsValid\":true" },
		{ "what is not given", "{\"Subject\":\"s\"}", 0,
		    "\"HtmlBody\":null,\"TextBody\":null" },
		{ "within a layout", "{\"HtmlBody\":\"x\",\"LayoutTemplate\":\"page\"}", 0,
		    "\"RenderedContent\":\"<x>x_Value\"" },
		{ "a layout", "{\"HtmlBody\":\"a{{{@content}}}b\",\"TemplateType\":\"Layout\"}", 0,
		    "\"RenderedContent\":\"ab\"" },
		{ "a layout without its placeholder",
		    "{\"HtmlBody\":\"ab\",\"TemplateType\":\"Layout\"}", 0, "exactly once" },
		{ "the model does not fit",
		    "{\"HtmlBody\":\"{{#each a}}{{/each}}\",\"TestRenderModel\":{\"a\":1}}", 0,
		    "used like an array" },
		{ "nothing to look at", "{\"TestRenderModel\":{}}", 1120, NULL },
		{ "type", "{\"Subject\":\"s\",\"TemplateType\":\"x\"}", 1122, NULL },
		{ "reserved", "{\"Subject\":\"s\",\"TestRenderModel\":{\"@content\":1}}", 1122,
		    NULL },
		{ "layout with a subject", "{\"Subject\":\"s\",\"TemplateType\":\"Layout\"}", 1123,
		    NULL },
		{ "no such layout", "{\"Subject\":\"s\",\"LayoutTemplate\":\"welcome\"}", 1101,
		    NULL },
	};
	struct templates *templates = with_layout();

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct rules_refusal refusal = { 0 };
		json_t *json = parsed(cases[i].json);
		json_t *answer = templates_validate(templates, json, &refusal);
		char *text = answer != NULL ? json_dumps(answer, JSON_COMPACT) : NULL;

		if (refusal.code != cases[i].code)
			fail_msg("%s: %d %s", cases[i].reason, refusal.code, refusal.text);
		if (text != NULL && strstr(text, cases[i].expected) == NULL)
			fail_msg("%s: %s", cases[i].reason, text);
		rules_refusal_deinit(&refusal);
		free(text);
		json_decref(answer);
		json_decref(json);
	}
	templates_free(&templates);
}

/* The code, or the number of actions. */
static int
push(const struct templates *from, struct templates *to, bool perform)
{
	struct rules_refusal refusal = { 0 };
	json_t *actions = templates_push(from, to, perform, &refusal);
	int result = actions != NULL ? (int)json_array_size(actions) : refusal.code;

	rules_refusal_deinit(&refusal);
	json_decref(actions);
	return result;
}

static void
test_push(void **state)
{
	struct templates *from = with_layout(), *to = templates_new(2), *none = templates_new(3);
	struct template *there;

	(void)state;
	/* Made before its layout, which has to be there first. */
	assert_int_equal(edit(from, "welcome", "{\"LayoutTemplate\":\"page\"}"), 0);
	assert_int_equal(push(none, to, true), 1124);
	assert_int_equal(push(from, to, false), 2);
	assert_int_equal(to->count, 0);
	assert_int_equal(push(from, to, true), 2);
	there = templates_find(to, "welcome");
	assert_non_null(there);
	assert_string_equal(there->layout_alias, "page");
	assert_int_equal(there->id / 100000, 2);

	assert_int_equal(edit(from, "welcome", "{\"Name\":\"Other\",\"LayoutTemplate\":\"\"}"), 0);
	assert_int_equal(edit(to, "welcome", "{\"TextBody\":\"old\"}"), 0);
	assert_int_equal(push(from, to, true), 2);
	assert_int_equal(to->count, 2);
	assert_string_equal(there->name, "Other");
	assert_null(there->layout_alias);
	assert_string_equal(there->parts[TEMPLATE_TEXT], "Welcome, {{name}}!\n");

	assert_int_equal(create(none, "{\"Name\":\"x\",\"Alias\":\"page\",\"Subject\":\"s\","
				      "\"TextBody\":\"t\"}"),
	    0);
	assert_int_equal(push(from, none, true), 1125);
	assert_int_equal(none->count, 1);
	templates_free(&from);
	templates_free(&to);
	templates_free(&none);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_create),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_edit),
		cmocka_unit_test(test_delete),
		cmocka_unit_test(test_render),
		cmocka_unit_test(test_validate),
		cmocka_unit_test(test_push),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
