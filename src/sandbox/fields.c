#include <stdlib.h>

#include "base/buf.h"

#include "sandbox/fields.h"

#define MOST_TEXT 4096

const json_t *
fields_get(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);

	return json_is_null(value) ? NULL : value;
}

const char *
fields_text(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text != NULL && text[0] != '\0' ? text : NULL;
}

bool
fields_flag(const json_t *object, const char *name, bool otherwise)
{
	const json_t *value = fields_get(object, name);

	return value != NULL ? json_is_true(value) : otherwise;
}

static bool
has_type(const json_t *value, enum fields_type type)
{
	switch (type) {
	case FIELDS_STRING:
		return json_is_string(value);
	case FIELDS_FLAG:
		return json_is_boolean(value);
	case FIELDS_INTEGER:
		return json_is_integer(value);
	case FIELDS_OBJECT:
		return json_is_object(value);
	case FIELDS_ARRAY:
		return json_is_array(value);
	}
	return false;
}

char *
fields_wrong(const json_t *object, const struct fields *fields, size_t count)
{
	struct buf text;
	size_t wrong = 0;

	buf_init(&text, MOST_TEXT);
	for (size_t i = 0; i < count; i++) {
		const json_t *value = fields_get(object, fields[i].name);

		if (value == NULL || has_type(value, fields[i].type))
			continue;
		buf_addf(&text, wrong++ == 0 ? "Invalid request field(s): '%s'" : ", '%s'",
		    fields[i].name);
	}
	if (wrong == 0)
		return NULL;
	buf_addc(&text, '.');
	return buf_take(&text, &wrong);
}
