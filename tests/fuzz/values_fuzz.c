/*
 * Any bytes as the arguments of an operation: the first byte chooses it, the rest is JSON.  What
 * passes has known names alone, each value in the one form of its kind, and passes again as it
 * is; what does not pass says why, in one line that is fit for a terminal.  The same bytes are a
 * text of the command line for each argument of the operation.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/buf.h"
#include "base/text.h"

#include "operations/operation.h"
#include "operations/values.h"

#define NOW_MS INT64_C(1795415365000)

static void
must(bool right)
{
	if (!right)
		abort();
}

static bool
is_choice(const struct argument *a, const json_t *value)
{
	for (size_t i = 0; a->choices[i] != NULL; i++)
		if (strcmp(a->choices[i], json_string_value(value)) == 0)
			return true;
	return false;
}

static bool
is_one_line(const json_t *value)
{
	return json_is_string(value) && strpbrk(json_string_value(value), "\r\n") == NULL;
}

static void
must_be_base64(const json_t *value)
{
	must(json_is_string(value) && json_string_length(value) % 4 == 0);
	must(strspn(json_string_value(value),
		 "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=") ==
	     json_string_length(value));
}

static void
must_be_in_range(const struct argument *a, const json_t *value)
{
	must(json_is_integer(value));
	must(a->most == 0 ||
	     (json_integer_value(value) >= a->least && json_integer_value(value) <= a->most));
}

static void
must_fit(const struct argument *a, const json_t *value)
{
	json_t *item;
	const char *name;
	size_t i;

	switch (a->kind) {
	case ARGUMENT_STRING:
		must(json_is_string(value));
		must(!a->required || json_string_length(value) > 0);
		must(a->place != IN_PATH || is_one_line(value));
		break;
	case ARGUMENT_INTEGER:
	case ARGUMENT_TIME:
		must_be_in_range(a, value);
		break;
	case ARGUMENT_WHEN:
		must(json_is_integer(value) && json_integer_value(value) >= 0);
		break;
	case ARGUMENT_BOOLEAN:
		must(json_is_boolean(value));
		break;
	case ARGUMENT_CHOICE:
		must(json_is_string(value) && is_choice(a, value));
		break;
	case ARGUMENT_LIST:
		must(json_is_array(value));
		json_array_foreach(value, i, item)
		{
			must(json_is_string(item) && json_string_length(item) > 0);
			must(a->choices == NULL ||
			     (is_choice(a, item) && strcmp(json_string_value(item), "all") != 0));
		}
		break;
	case ARGUMENT_PAIRS:
		must(json_is_object(value));
		json_object_foreach((json_t *)value, name, item)
		    must(*name != '\0' && json_is_string(item));
		break;
	case ARGUMENT_HEADERS:
		must(json_is_array(value));
		json_array_foreach(value, i, item)
		{
			const json_t *header = json_object_get(item, "Name");

			must(is_one_line(header) && json_string_length(header) > 0);
			must(strpbrk(json_string_value(header), ": ") == NULL);
			must(is_one_line(json_object_get(item, "Value")));
			must(json_object_size(item) == 2);
		}
		break;
	case ARGUMENT_FILES:
		must(json_is_object(value));
		json_object_foreach((json_t *)value, name, item) must_be_base64(item);
		break;
	case ARGUMENT_ATTACHMENTS:
		must(json_is_array(value));
		json_array_foreach(value, i, item)
		{
			const json_t *id = json_object_get(item, "ContentID");

			must(is_one_line(json_object_get(item, "Name")));
			must(is_one_line(json_object_get(item, "ContentType")));
			must_be_base64(json_object_get(item, "Content"));
			must(id == NULL || json_is_string(id));
			must(json_object_size(item) == 3 + (size_t)(id != NULL));
		}
		break;
	case ARGUMENT_OBJECT:
		must(json_is_object(value));
		break;
	case ARGUMENT_ARRAY:
		must(json_is_array(value));
		break;
	case ARGUMENT_ANY:
		must(value != NULL && !json_is_null(value));
		break;
	case ARGUMENT_BYTES:
		must_be_base64(value);
		break;
	}
}

/* A sentence, if there is no value, and else none. */
static void
must_say(struct buf *why, bool wrong)
{
	must((why->len > 0) == wrong && !why->over);
	must(text_is_utf8(why->data, why->len));
	for (size_t i = 0; i < why->len; i++)
		must((unsigned char)why->data[i] >= ' ' && why->data[i] != 0x7f);
	buf_clear(why);
}

static void
try_arguments(const struct operation *o, const char *text, size_t len)
{
	json_t *given = json_loadb(text, len, JSON_DECODE_ANY, NULL), *checked, *value;
	struct buf why;
	const char *name;

	if (given == NULL)
		return;
	buf_init(&why, 1 << 16);
	checked = values_check(o, given, NOW_MS, &why);
	must_say(&why, checked == NULL);
	if (checked != NULL) {
		json_object_foreach(checked, name, value)
		{
			must(operation_argument(o, name) != NULL);
			must_fit(operation_argument(o, name), value);
		}
		for (const struct argument *a = o->arguments; a->name != NULL; a++)
			must(!a->required || json_object_get(checked, a->name) != NULL);
		(void)values_admin_argument(o, checked);

		json_t *again = values_check(o, checked, NOW_MS, &why);
		must(again != NULL && json_equal(again, checked));
		json_decref(again);
	}
	buf_free(&why);
	json_decref(checked);
	json_decref(given);
}

static void
try_text(const struct argument *a, const char *text, size_t len)
{
	json_t *given = json_object(), *value;
	struct buf why;

	buf_init(&why, 1 << 16);
	/* Twice: the second joins the first or is refused. */
	for (int i = 0; i < 2; i++) {
		value = value_from_text(a, text, &why);
		must_say(&why, value == NULL);
		if (value != NULL)
			must_say(&why, values_give(given, a, value, &why) != 0);
	}
	if (a->kind == ARGUMENT_BYTES || a->kind == ARGUMENT_FILES ||
	    a->kind == ARGUMENT_ATTACHMENTS) {
		value = value_from_bytes(a, "file.txt", text, len, &why);
		must(value != NULL && why.len == 0);
		json_decref(value);
	}
	buf_free(&why);
	json_decref(given);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len == 0)
		return 0;

	const struct operation *o = &operation_table[data[0] % operation_count()];
	const char *nearest;
	char *text = malloc(len), *id, *path;

	must(text != NULL);
	memcpy(text, data + 1, len - 1);
	text[len - 1] = '\0';
	try_arguments(o, text, len - 1);
	for (const struct argument *a = o->arguments; a->name != NULL; a++)
		try_text(a, text, len - 1);

	/* And as a path, or words. */
	if (operation_by_path(text, &id) == NULL)
		must(id == NULL);
	free(id);
	path = operation_path(o);
	must(operation_by_path(path, &id) == o && id == NULL);
	free(path);
	nearest = operation_nearest(text);
	must(nearest == NULL || *nearest != '\0');
	operation_argument_nearest(o, text);
	free(text);
	return 0;
}
