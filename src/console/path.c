#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "operations/operation.h"

#include "console/path.h"

/* A query may have in it what was read from files. */
#define MOST_PATH (256U * 1024U * 1024U)

/* RFC 3986 2.3: what is not unreserved is encoded. */
static void
add_encoded(struct buf *out, const char *text, bool slashes)
{
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
		    strchr("-._~", c) != NULL || (slashes && c == '/'))
			buf_addc(out, *text);
		else
			buf_addf(out, "%%%02X", c);
	}
}

/* A value as text: of a query or a path.  Caller frees. */
static char *
value_text(const json_t *value)
{
	char *text = json_is_string(value) ? mem_string(json_string_value(value))
					   : json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

	return text != NULL ? text : mem_string("");
}

static void
add_query(struct buf *path, const char *name, const json_t *value)
{
	char *text = value_text(value);

	buf_addc(path, strchr(path->data, '?') != NULL ? '&' : '?');
	add_encoded(path, name, false);
	buf_addc(path, '=');
	add_encoded(path, text, false);
	free(text);
}

/* A member of a GET's query: lists and pairs repeat its name. */
static void
add_argument(struct buf *path, const struct argument *a, const char *name, const json_t *value)
{
	const json_t *each;
	const char *key;
	size_t index;

	if (json_is_array(value) && a != NULL && a->kind == ARGUMENT_LIST) {
		json_array_foreach(value, index, each) add_query(path, name, each);
	} else if (json_is_object(value) && a != NULL && a->kind == ARGUMENT_PAIRS) {
		json_object_foreach((json_t *)(uintptr_t)value, key, each)
		{
			char *text = value_text(each);
			json_t *pair = json_sprintf("%s=%s", key, text);

			add_query(path, name, pair);
			json_decref(pair);
			free(text);
		}
	} else {
		add_query(path, name, value);
	}
}

char *
path_make(const struct operation *o, const json_t *given, char **body_r)
{
	const struct argument *in_path = operation_argument_at(o, IN_PATH);
	const json_t *id = in_path != NULL ? json_object_get(given, in_path->name) : NULL, *value;
	json_t *body = json_object();
	char *start = operation_path(o), *text;
	const char *name;
	struct buf path;
	size_t len;

	buf_init(&path, MOST_PATH);
	buf_adds(&path, start);
	free(start);
	if (json_is_array(id) && json_array_size(id) == 1)
		id = json_array_get(id, 0);
	if (id != NULL && !json_is_array(id)) {
		text = value_text(id);
		buf_addc(&path, '/');
		add_encoded(&path, text, in_path->kind == ARGUMENT_CHOICE);
		free(text);
	}
	json_object_foreach((json_t *)(uintptr_t)given, name, value)
	{
		if (id != NULL && !json_is_array(id) && strcmp(name, in_path->name) == 0)
			continue;
		if (o->changes)
			json_object_set(body, name, (json_t *)(uintptr_t)value);
		else
			add_argument(&path, operation_argument(o, name), name, value);
	}
	*body_r = o->changes ? json_dumps(body, JSON_COMPACT) : NULL;
	json_decref(body);
	return buf_take(&path, &len);
}
