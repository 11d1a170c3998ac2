/* The table: each row is whole, and every way to find one finds it. */

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
#include "base/mem.h"
#include "base/strlist.h"
#include "base/text.h"

#include "operations/openapi.h"
#include "operations/operation.h"
#include "operations/values.h"

#define NOW_MS INT64_C(1795415365000)

#define EACH_OPERATION(o)   for (const struct operation *o = operation_table; o->name != NULL; o++)
#define EACH_ARGUMENT(o, a) for (const struct argument *a = o->arguments; a->name != NULL; a++)

/* Names, words and sentences look alike everywhere. */
static bool
is_kebab(const char *name)
{
	return *name >= 'a' && *name <= 'z' &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(name) &&
	       name[strlen(name) - 1] != '-';
}

static bool
is_sentence(const char *text)
{
	return text != NULL && *text != '\0' && text[strlen(text) - 1] == '.' &&
	       strstr(text, "  ") == NULL;
}

static void
test_names(void **state)
{
	(void)state;
	EACH_OPERATION(o)
	{
		char *name = mem_string(o->name);

		for (char *c = name; *c != '\0'; c++)
			if (*c == ' ')
				*c = '-';
		if (!is_kebab(name))
			fail_msg("%s: no right name", o->name);
		free(name);
		for (const struct operation *other = operation_table; other < o; other++)
			if (strcmp(o->name, other->name) == 0)
				fail_msg("%s: twice", o->name);
		if (o->help == NULL || strlen(o->help) > 76 || o->help[strlen(o->help) - 1] == '.')
			fail_msg("%s: the help is missing, a sentence or too long", o->name);
		if (o->text != NULL && !is_sentence(o->text))
			fail_msg("%s: the text is no sentence", o->name);
	}
}

static void
test_arguments(void **state)
{
	(void)state;
	EACH_OPERATION(o)
	{
		unsigned wholes = 0;

		assert_non_null(o->arguments);
		EACH_ARGUMENT(o, a)
		{
			if (!is_kebab(a->name) || !is_sentence(a->text))
				fail_msg("%s %s: name or text", o->name, a->name);
			for (const struct argument *b = o->arguments; b < a; b++)
				if (strcmp(a->name, b->name) == 0)
					fail_msg("%s %s: twice", o->name, a->name);
			if (strcmp(a->name, operation_connection.name) == 0)
				fail_msg("%s: connection is in each anyhow", o->name);
			if (a->place == IN_PATH && a != o->arguments)
				fail_msg("%s %s: in the path, and not the first", o->name, a->name);
			if (a->place == IN_WHOLE && (!o->changes || wholes++))
				fail_msg("%s %s: the whole of what body?", o->name, a->name);
			if ((a->kind == ARGUMENT_CHOICE) != (a->choices != NULL) &&
			    a->kind != ARGUMENT_LIST)
				fail_msg("%s %s: choices", o->name, a->name);
			if (a->most != 0 && (a->least > a->most || (a->kind != ARGUMENT_INTEGER &&
								       a->kind != ARGUMENT_TIME)))
				fail_msg("%s %s: range", o->name, a->name);
			if (a->required && a->preset != NULL)
				fail_msg("%s %s: required, with a preset", o->name, a->name);
			if (a->resets &&
			    (a->preset == NULL || operation_argument(o, "keep") == NULL))
				fail_msg("%s %s: resets to what, unless what?", o->name, a->name);
			if (a->remote != NULL && !operation_is_remote(o))
				fail_msg("%s %s: what remote?", o->name, a->name);
			if (a->secret && a->word)
				fail_msg("%s %s: a secret in argv", o->name, a->name);
		}
	}
}

/* "{id}" in a path is an argument, and one that is known. */
static void
check_places(const struct operation *o, const char *path, bool current)
{
	const struct argument *in_path = operation_argument_at(o, IN_PATH);

	for (const char *open = strchr(path, '{'); open != NULL; open = strchr(open + 1, '{')) {
		char name[64];
		const char *from = open + 1 + (open[1] == '+');
		size_t len = strcspn(from, "}");

		snprintf(name, sizeof(name), "%.*s", (int)len, from);
		const struct argument *a = operation_argument(o, name);
		if (a == NULL || (a == in_path && current))
			fail_msg("%s: %s has no %s", o->name, path, name);
		if (!a->required && a->preset == NULL && o->remote_path_current == NULL &&
		    o->run == RUN_REMOTE)
			fail_msg("%s: %s may lack %s", o->name, path, name);
	}
}

static void
test_remote(void **state)
{
	(void)state;
	EACH_OPERATION(o)
	{
		bool calls = o->run == RUN_REMOTE || o->run == RUN_PAGES;

		if (calls && (o->remote_method == NULL || o->remote_path == NULL))
			fail_msg("%s: calls what?", o->name);
		if ((o->remote_method == NULL) != (o->remote_path == NULL))
			fail_msg("%s: method or path without the other", o->name);
		if (o->remote_path != NULL)
			check_places(o, o->remote_path, false);
		if (o->remote_path_current != NULL)
			check_places(o, o->remote_path_current, true);
		if (calls && !o->changes && strcmp(o->remote_method, "GET") != 0)
			fail_msg("%s: looks by %s", o->name, o->remote_method);
		if (calls && strcmp(o->remote_method, "DELETE") == 0 && !o->destroys)
			fail_msg("%s: destroys without saying so", o->name);
		if (o->destroys && !o->changes)
			fail_msg("%s: destroys by looking", o->name);
		if (o->changes && o->access != ACCESS_ADMIN &&
		    strcmp(o->name, "template validate") != 0 && strcmp(o->name, "explain") != 0)
			fail_msg("%s: changes, for everybody", o->name);
		if (o->run == RUN_PAGES &&
		    (operation_argument(o, "count") == NULL ||
			operation_argument(o, "offset") == NULL ||
			operation_argument(o, "all") == NULL || o->rows == NULL))
			fail_msg("%s: no pages", o->name);
		if ((o->secrets != NULL) != (operation_argument(o, "tokens") != NULL))
			fail_msg("%s: masks what nobody can see", o->name);
		if (o->rows != NULL && o->columns == NULL)
			fail_msg("%s: rows without columns", o->name);
	}
}

static void
test_presets(void **state)
{
	(void)state;
	EACH_OPERATION(o)
	{
		EACH_ARGUMENT(o, a)
		{
			struct buf why;
			json_t *one, *given, *checked;
			/* The argument alone, so that nothing else need be given. */
			const struct argument alone[] = { *a, { .name = NULL } };
			const struct operation row = { .name = o->name, .arguments = alone };

			buf_init(&why, 10000);
			for (int sample = 0; sample < 2; sample++) {
				const char *text = sample ? a->sample : a->preset;

				if (text == NULL)
					continue;
				one = json_loads(
				    text, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
				if (one == NULL)
					fail_msg("%s %s: no JSON: %s", o->name, a->name, text);
				given = json_pack("{s:o}", a->name, one);
				checked = values_check(&row, given, NOW_MS, &why);
				if (checked == NULL)
					fail_msg("%s: %s", o->name, why.data);
				json_decref(given);
				json_decref(checked);
			}
			buf_free(&why);
		}
	}
}

/* ---- examples ---------------------------------------------------------------------------- */

/* A placeholder becomes what could stand there, as the tests against the sandbox do it. */
static json_t *
fill(const struct argument *a, json_t *value)
{
	const char *text = json_string_value(value);

	if (json_is_array(value) && a->kind == ARGUMENT_LIST) {
		json_t *list = json_array(), *item;
		size_t i;

		json_array_foreach(value, i, item) json_array_append_new(list, fill(a, item));
		return list;
	}
	if (text == NULL || text[0] != '{' || text[strlen(text) - 1] != '}')
		return json_incref(value);
	return json_string("4711");
}

static void
test_example_bodies(void **state)
{
	(void)state;
	EACH_OPERATION(o)
	{
		json_t *body, *given = json_object(), *value;
		const char *name;
		struct buf why;

		if (o->example_body == NULL)
			fail_msg("%s: no example", o->name);
		body = json_loads(o->example_body, JSON_REJECT_DUPLICATES, NULL);
		if (!json_is_object(body))
			fail_msg("%s: the example is no object: %s", o->name, o->example_body);
		json_object_foreach(body, name, value)
		{
			const struct argument *a = operation_argument(o, name);

			if (a == NULL)
				fail_msg("%s: the example has %s", o->name, name);
			json_object_set_new(given, name, fill(a, value));
		}
		buf_init(&why, 10000);
		value = values_check(o, given, NOW_MS, &why);
		if (value == NULL)
			fail_msg("%s: %s", o->name, why.data);
		assert_int_equal(why.len, 0);
		buf_free(&why);
		json_decref(value);
		json_decref(given);
		json_decref(body);
	}
}

/* Words as a shell makes them of a line with single quotes. */
static void
split_words(const char *line, struct strlist *words)
{
	while (*line != '\0') {
		struct buf word;
		size_t len;

		buf_init(&word, 10000);
		while (*line != '\0' && *line != ' ') {
			bool quoted = *line == '\'';

			line += quoted;
			len = strcspn(line, quoted ? "'" : " '");
			buf_add(&word, line, len);
			line += len + quoted;
		}
		strlist_take(words, buf_take(&word, &len));
		line += *line == ' ';
	}
}

/* The word of the operation that comes after so many. */
static const struct argument *
word_argument(const struct operation *o, size_t after)
{
	EACH_ARGUMENT(o, a)
	{
		if (a->place == IN_ARGUMENTS && !a->word)
			continue;
		/* One that may be given many times takes all that are left. */
		if (after == 0 || a->kind == ARGUMENT_LIST)
			return a;
		after--;
	}
	return NULL;
}

static void
give_text(const struct operation *o, const struct argument *a, const char *text, json_t *given)
{
	struct buf why;
	json_t *value;

	buf_init(&why, 10000);
	if (text[0] == '{' && text[strlen(text) - 1] == '}' && strchr(text, '"') == NULL)
		text = "4711";
	value = a->kind == ARGUMENT_BYTES ? value_from_bytes(a, "mail", "x", 1, &why)
					  : value_from_text(a, text, &why);
	if (value == NULL || values_give(given, a, value, &why) != 0)
		fail_msg("%s: %s", o->name, why.data);
	buf_free(&why);
}

static void
test_examples(void **state)
{
	(void)state;
	EACH_OPERATION(o)
	{
		struct strlist words = { 0 };
		json_t *given = json_object(), *checked;
		struct buf why;
		size_t used, plain = 0;

		if (o->example == NULL)
			fail_msg("%s: no example", o->name);
		split_words(o->example, &words);
		if (operation_by_words(words.items, words.count, &used) != o)
			fail_msg("%s: \"%s\" is another", o->name, o->example);
		for (size_t i = used; i < words.count; i++) {
			const char *word = words.items[i];
			const struct argument *a = strncmp(word, "--", 2) == 0
						       ? operation_argument(o, word + 2)
						       : word_argument(o, plain++);

			if (a == NULL)
				fail_msg("%s: what is %s?", o->name, word);
			if (word[0] != '-')
				give_text(o, a, word, given);
			else if (a->kind == ARGUMENT_BOOLEAN &&
				 (i + 1 == words.count || words.items[i + 1][0] == '-'))
				json_object_set_new(given, a->name, json_true());
			else
				give_text(o, a, words.items[++i], given);
		}
		buf_init(&why, 10000);
		checked = values_check(o, given, NOW_MS, &why);
		if (checked == NULL)
			fail_msg("%s: \"%s\": %s", o->name, o->example, why.data);
		buf_free(&why);
		json_decref(checked);
		json_decref(given);
		strlist_free(&words);
	}
}

/* ---- finding ----------------------------------------------------------------------------- */

static void
test_paths(void **state)
{
	(void)state;
	EACH_OPERATION(o)
	{
		char *path = operation_path(o), *id = NULL, *longer = mem_format("%s/77", path);
		const struct argument *in_path = operation_argument_at(o, IN_PATH);

		if (operation_by_path(path, &id) != o || id != NULL)
			fail_msg("%s: not at %s", o->name, path);
		if (operation_by_path(longer, &id) != (in_path == NULL ? NULL : o))
			fail_msg("%s: %s", o->name, longer);
		if (in_path != NULL)
			assert_string_equal(id, "77");
		free(id);
		free(longer);
		free(path);
	}
}

static void
test_path_cases(void **state)
{
	static const struct {
		const char *reason, *path, *name, *id;
	} cases[] = {
		{ "the longest name wins", "/send/batch", "send batch", NULL },
		{ "and not a longer word", "/sendbatch", NULL, NULL },
		{ "three words", "/message/inbound/get/a-b", "message inbound get", "a-b" },
		{ "an ID is decoded", "/status/%3Ca%2fb%40c%3e", "status", "<a/b@c>" },
		{ "UTF-8 in it", "/template/get/%C3%A4", "template get", "\xc3\xa4" },
		{ "what is no UTF-8", "/template/get/%C3", NULL, NULL },
		{ "a NUL", "/status/a%00b", NULL, NULL },
		{ "half a byte", "/status/a%4", NULL, NULL },
		{ "no hexadecimal", "/status/%zz", NULL, NULL },
		{ "a percent sign alone", "/status/%", NULL, NULL },
		{ "a choice with a slash", "/stats/opens/platforms", "stats", "opens/platforms" },
		{ "an ID with a slash", "/server/get/7/7", NULL, NULL },
		{ "a slash and no ID", "/server/get/", NULL, NULL },
		{ "no slash", "server/get", NULL, NULL },
		{ "nothing", "", NULL, NULL },
		{ "the root", "/", NULL, NULL },
		{ "a noun alone", "/server", NULL, NULL },
		{ "two slashes", "//server/get", NULL, NULL },
		{ "another case", "/Server/get", NULL, NULL },
		{ "the document", "/openapi.json", "openapi", NULL },
		{ "the document by its command", "/openapi", NULL, NULL },
		{ "an ID where none belongs", "/version/1", NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *id = NULL;
		const struct operation *o = operation_by_path(cases[i].path, &id);
		const char *name = o == NULL ? "none" : o->name;

		if (strcmp(name, cases[i].name == NULL ? "none" : cases[i].name) != 0 ||
		    strcmp(id == NULL ? "none" : id, cases[i].id == NULL ? "none" : cases[i].id) !=
			0)
			fail_msg("%s: %s %s", cases[i].reason, name, id == NULL ? "none" : id);
		free(id);
	}
}

static void
test_words(void **state)
{
	static const struct {
		const char *reason;
		char *words[4];
		const char *name;
		size_t used;
	} cases[] = {
		{ "words behind it are left", { "server", "get", "7" }, "server get", 2 },
		{ "the longest", { "send", "template-batch", "x" }, "send template-batch", 2 },
		{ "the shorter", { "send", "--to" }, "send", 1 },
		{ "three", { "message", "inbound", "list" }, "message inbound list", 3 },
		{ "half a name", { "server" }, NULL, 0 },
		{ "nothing", { NULL }, NULL, 0 },
		{ "part of a word", { "serv", "get" }, NULL, 0 },
		{ "one word with a space", { "server get" }, NULL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t count = 0, used;
		const struct operation *o;

		while (count < 4 && cases[i].words[count] != NULL)
			count++;
		o = operation_by_words(cases[i].words, count, &used);
		if (used != cases[i].used || (o == NULL) != (cases[i].name == NULL) ||
		    (o != NULL && strcmp(o->name, cases[i].name) != 0))
			fail_msg("%s: %s", cases[i].reason, o == NULL ? "none" : o->name);
	}
}

static void
test_nearest(void **state)
{
	static const struct {
		const char *wrong, *right;
	} cases[] = {
		{ "sever list", "server list" },
		{ "server lsit", "server list" },
		{ "queue relase", "queue release" },
		{ "server", "server create" },
		{ "queue", "queue list" },
		{ "sned", "send" },
		{ "confabulate at length", NULL },
		{ "", NULL },
	};
	char long_name[1000];
	size_t used;
	char *words[] = { "server", "edit" };
	const struct operation *edit = operation_by_words(words, 2, &used);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *nearest = operation_nearest(cases[i].wrong);

		if (strcmp(nearest == NULL ? "none" : nearest,
			cases[i].right == NULL ? "none" : cases[i].right) != 0)
			fail_msg("%s: %s", cases[i].wrong, nearest == NULL ? "none" : nearest);
	}
	memset(long_name, 'a', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	assert_null(operation_nearest(long_name));
	assert_null(operation_argument_nearest(edit, long_name));
	assert_string_equal(operation_argument_nearest(edit, "colour"), "color");
	assert_string_equal(operation_argument_nearest(edit, "conection"), "connection");
	assert_null(operation_argument_nearest(edit, "umbrella"));
	assert_null(operation_argument_nearest(
	    operation_by_words((char *[]){ "version" }, 1, &used), "connection"));
}

/* ---- the OpenAPI document ---------------------------------------------------------------- */

static void
test_openapi(void **state)
{
	json_t *document = openapi_document("1.2.3"), *paths, *item;
	size_t described = 0;
	const char *path;

	(void)state;
	assert_non_null(document);
	assert_string_equal(json_string_value(json_object_get(document, "openapi")), "3.1.0");
	paths = json_object_get(document, "paths");

	/* Each operation is there, by the right method and with all of its arguments. */
	EACH_OPERATION(o)
	{
		const struct argument *in_path = operation_argument_at(o, IN_PATH);
		char *bare = operation_path(o);
		char *full =
		    in_path == NULL ? mem_string(bare) : mem_format("%s/{%s}", bare, in_path->name);
		json_t *it =
		    json_object_get(json_object_get(paths, full), o->changes ? "post" : "get");
		size_t arguments = operation_is_remote(o), told, i;
		json_t *p;

		if (it == NULL)
			fail_msg("%s: not at %s", o->name, full);
		if (in_path != NULL && !in_path->required)
			assert_non_null(json_object_get(paths, bare));
		EACH_ARGUMENT(o, a)
		arguments++;
		told = json_array_size(json_object_get(it, "parameters"));
		json_array_foreach(json_object_get(it, "parameters"), i, p) assert_non_null(
		    operation_argument(o, json_string_value(json_object_get(p, "name"))));
		if (o->changes) {
			json_t *schema = json_object_get(
			    json_object_get(
				json_object_get(json_object_get(it, "requestBody"), "content"),
				"application/json"),
			    "schema");
			json_t *first = json_array_get(json_object_get(schema, "anyOf"), 0);

			told += json_object_size(
			    json_object_get(first != NULL ? first : schema, "properties"));
		}
		if (told != arguments)
			fail_msg("%s: %zu arguments of %zu", o->name, told, arguments);
		free(bare);
		free(full);
	}
	/* And nothing else is. */
	json_object_foreach(paths, path, item)
	{
		char *plain = mem_string(path), *brace = strchr(plain, '{'), *id = NULL;

		if (brace != NULL)
			*(brace - 1) = '\0';
		if (operation_by_path(plain, &id) == NULL)
			fail_msg("what is %s?", path);
		free(id);
		free(plain);
		described++;
	}
	assert_true(described >= operation_count());
	json_decref(document);
}

int
main(int count, char **words)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_arguments),
		cmocka_unit_test(test_remote),
		cmocka_unit_test(test_presets),
		cmocka_unit_test(test_example_bodies),
		cmocka_unit_test(test_examples),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_path_cases),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_nearest),
		cmocka_unit_test(test_openapi),
	};

	/* For validators of others. */
	if (count == 2 && strcmp(words[1], "--print") == 0) {
		json_t *document = openapi_document("0");
		char *text = json_dumps(document, JSON_INDENT(2));

		puts(text);
		free(text);
		json_decref(document);
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
