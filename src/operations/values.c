/* What came in for an operation, against its row of the table. */

#include <string.h>

#include "base/buf.h"
#include "base/text.h"

#include "operations/kinds.h"
#include "operations/values.h"

/* Some presets hold only unless this argument is true. */
#define KEEP "keep"

/* By our name or Postmark's. */
static const struct argument *
argument_find(const struct operation *operation, const char *name)
{
	const struct argument *argument = operation_argument(operation, name);

	if (argument != NULL)
		return argument;
	for (argument = operation->arguments; argument->name != NULL; argument++)
		if (argument->remote != NULL && strcmp(argument->remote, name) == 0)
			return argument;
	return NULL;
}

static void
wrong_name(const struct operation *operation, const char *name, struct buf *why)
{
	const char *nearest = operation_argument_nearest(operation, name);
	char safe[KIND_QUOTE_SIZE];

	buf_addf(why, "%s has no argument \"%s\"", operation->name,
	    text_safe(safe, sizeof(safe), name, strlen(name)));
	if (nearest != NULL)
		buf_addf(why, "; the nearest is %s", nearest);
}

static int
check_given(const struct operation *operation, const json_t *given, int64_t now_ms, json_t *checked,
    struct buf *why)
{
	json_t *value, *right;
	const char *name;

	json_object_foreach((json_t *)given, name, value)
	{
		const struct argument *argument = argument_find(operation, name);

		if (argument == NULL) {
			wrong_name(operation, name, why);
			return -1;
		}
		if (json_is_null(value))
			continue;
		if (json_object_get(checked, argument->name) != NULL) {
			kind_wrong(why, argument, "given twice, once as \"%s\"", argument->remote);
			return -1;
		}
		right = kind_check(argument, value, now_ms, why);
		if (right == NULL)
			return -1;
		json_object_set_new(checked, argument->name, right);
	}
	return 0;
}

static json_t *
preset_value(const struct argument *argument, int64_t now_ms)
{
	struct buf why;
	json_t *text = json_loads(argument->preset, JSON_DECODE_ANY, NULL);

	buf_init(&why, 1000);
	json_t *value = text == NULL ? NULL : kind_check(argument, text, now_ms, &why);
	json_decref(text);
	buf_free(&why);
	return value;
}

/* Whether the presets hold that only an edit by ID without "keep" has. */
static bool
resets(const struct operation *operation, const json_t *checked)
{
	const struct argument *in_path = operation_argument_at(operation, IN_PATH);

	return !json_is_true(json_object_get(checked, KEEP)) &&
	       (in_path == NULL || json_object_get(checked, in_path->name) != NULL);
}

static int
put_presets(
    const struct operation *operation, bool reset, int64_t now_ms, json_t *checked, struct buf *why)
{
	for (const struct argument *a = operation->arguments; a->name != NULL; a++) {
		json_t *value;

		if (json_object_get(checked, a->name) != NULL)
			continue;
		if (a->required) {
			kind_wrong(why, a, "it must be given. %s", a->text);
			return -1;
		}
		if (a->preset == NULL || (a->resets && !reset))
			continue;
		value = preset_value(a, now_ms);
		if (value != NULL)
			json_object_set_new(checked, a->name, value);
	}
	return 0;
}

json_t *
values_check(
    const struct operation *operation, const json_t *given, int64_t now_ms, struct buf *why)
{
	json_t *checked;

	if (!json_is_object(given)) {
		buf_addf(why, "the arguments of %s are one JSON object", operation->name);
		return NULL;
	}
	checked = json_object();
	if (check_given(operation, given, now_ms, checked, why) != 0 ||
	    put_presets(operation, resets(operation, checked), now_ms, checked, why) != 0) {
		json_decref(checked);
		return NULL;
	}
	return checked;
}

const struct argument *
values_admin_argument(const struct operation *operation, const json_t *checked)
{
	for (const struct argument *a = operation->arguments; a->name != NULL; a++) {
		const json_t *value = json_object_get(checked, a->name);
		json_t *preset;
		bool same;

		if (!a->admin || value == NULL)
			continue;
		preset = a->preset == NULL ? NULL : preset_value(a, 0);
		same = preset != NULL && json_equal(preset, value);
		json_decref(preset);
		if (!same)
			return a;
	}
	return NULL;
}
