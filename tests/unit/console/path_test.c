#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "operations/operation.h"

#include "console/path.h"

static void
test_paths(void **state)
{
	static const struct {
		const char *reason, *words[2], *given, *path, *body;
	} cases[] = {
		{ "nothing given", { "queue", "list" }, "{}", "/queue/list", NULL },
		{ "a list repeats its name", { "queue", "list" },
		    "{\"state\":[\"held\",\"failed\"],\"route\":\"a b\"}",
		    "/queue/list?state=held&state=failed&route=a%20b", NULL },
		{ "what has a meaning in a query is encoded", { "queue", "list" },
		    "{\"subject\":\"a&b=c/d?e+f\\u00e4\"}",
		    "/queue/list?subject=a%26b%3Dc%2Fd%3Fe%2Bf%C3%A4", NULL },
		{ "an ID in the path", { "queue", "show" }, "{\"id\":\"a/../b\",\"content\":true}",
		    "/queue/show/a%2F..%2Fb?content=true", NULL },
		{ "one ID of a list, and a body", { "queue", "hold" },
		    "{\"id\":[\"x\"],\"reason\":\"y\"}", "/queue/hold/x", "{\"reason\":\"y\"}" },
		{ "several IDs in the body", { "queue", "hold" }, "{\"id\":[\"x\",\"y\"]}",
		    "/queue/hold", "{\"id\":[\"x\",\"y\"]}" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char first[20], second[20], *words[2] = { first, second }, *path, *body;
		json_t *given = json_loads(cases[i].given, 0, NULL);
		const struct operation *o;
		size_t used;

		strcpy(first, cases[i].words[0]);
		strcpy(second, cases[i].words[1]);
		o = operation_by_words(words, 2, &used);
		assert_non_null(o);
		path = path_make(o, given, &body);
		if (strcmp(path, cases[i].path) != 0 || (body == NULL) != (cases[i].body == NULL) ||
		    (body != NULL && strcmp(body, cases[i].body) != 0))
			fail_msg("%s: %s %s", cases[i].reason, path, body != NULL ? body : "-");
		free(path);
		free(body);
		json_decref(given);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_paths) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
