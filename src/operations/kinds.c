/*
 * One function for each kind of argument makes the checked form out of whatever form the kind may
 * have.
 */

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"

#include "operations/kinds_inside.h"
#include "operations/values.h"

/* JSON within JSON is taken as it is, but not without end: whoever walks it may recurse. */
#define MOST_DEPTH 64

/* ---- sentences --------------------------------------------------------------------------- */

json_t *
kind_wrong(struct buf *why, const struct argument *argument, const char *format, ...)
{
	char text[1024];
	va_list rest;

	va_start(rest, format);
	vsnprintf(text, sizeof(text), format, rest);
	va_end(rest);
	buf_addf(why, "%s: %s", argument->name, text);
	return NULL;
}

static void
add_choices(struct buf *out, const char *const *choices)
{
	const char *before = "";

	for (size_t i = 0; choices[i] != NULL; i++) {
		buf_addf(out, "%s%s", before, choices[i]);
		before = choices[i + 1] != NULL && choices[i + 2] == NULL ? " or " : ", ";
	}
}

/* What came, for people: a text with quotes around it, JSON by its type. */
const char *
kind_found(char out[KIND_QUOTE_SIZE], const struct argument *argument, const json_t *value)
{
	char safe[KIND_QUOTE_SIZE - 2];

	if (argument->secret)
		return "something else";
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return "an object";
	case JSON_ARRAY:
		return "an array";
	case JSON_STRING:
		text_safe(safe, sizeof(safe), json_string_value(value), json_string_length(value));
		snprintf(out, KIND_QUOTE_SIZE, "\"%s\"", safe);
		return out;
	case JSON_INTEGER:
		snprintf(out, KIND_QUOTE_SIZE, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		return out;
	case JSON_REAL:
		snprintf(out, KIND_QUOTE_SIZE, "%g", json_real_value(value));
		return out;
	case JSON_TRUE:
		return "true";
	case JSON_FALSE:
		return "false";
	case JSON_NULL:
		return "null";
	}
	return "something else";
}

json_t *
kind_wrong_value(struct buf *why, const struct argument *argument, const json_t *value)
{
	char quoted[KIND_QUOTE_SIZE];

	return kind_wrong(why, argument, "found %s, wanted %s", kind_found(quoted, argument, value),
	    argument_kind_name(argument->kind));
}

/* ---- texts ------------------------------------------------------------------------------- */

/* Nothing that could begin another line. */
bool
kind_is_one_line(const char *text)
{
	for (; *text != '\0'; text++)
		if (((unsigned char)*text < ' ' && *text != '\t') || *text == 0x7f)
			return false;
	return true;
}

/* A text without a NUL in it, which would end it early further on. */
const char *
kind_plain_text(const json_t *value)
{
	const char *text = json_string_value(value);

	return text != NULL && strlen(text) == json_string_length(value) ? text : NULL;
}

json_t *
kind_check_string(const struct argument *argument, const json_t *value, struct buf *why)
{
	const char *text = kind_plain_text(value);

	/* Numbers are the names of many things at Postmark. */
	if (json_is_integer(value)) {
		char digits[32];

		snprintf(
		    digits, sizeof(digits), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		return json_string(digits);
	}
	if (text == NULL)
		return kind_wrong_value(why, argument, value);
	if (*text == '\0' && argument->required)
		return kind_wrong(why, argument, "must not be empty");
	/* It becomes part of a path. */
	if ((argument->place == IN_PATH || argument->word) && !kind_is_one_line(text))
		return kind_wrong(why, argument, "has a control character in it");
	return json_string(text);
}

/* The choice in the table's spelling; NULL: it is none. */
static const char *
choice_find(const struct argument *argument, const json_t *value)
{
	const char *text = kind_plain_text(value);

	for (size_t i = 0; text != NULL && argument->choices[i] != NULL; i++)
		if (text_same(text, argument->choices[i]))
			return argument->choices[i];
	return NULL;
}

static json_t *
wrong_choice(struct buf *why, const struct argument *argument, const json_t *value)
{
	char quoted[KIND_QUOTE_SIZE];

	buf_addf(why, "%s: found %s, wanted ", argument->name, kind_found(quoted, argument, value));
	add_choices(why, argument->choices);
	return NULL;
}

json_t *
kind_check_choice(const struct argument *argument, const json_t *value, struct buf *why)
{
	const char *choice = choice_find(argument, value);

	return choice == NULL ? wrong_choice(why, argument, value) : json_string(choice);
}

/* ---- numbers ----------------------------------------------------------------------------- */

int
kind_read_integer(const char *text, int64_t *number_r)
{
	bool negative = *text == '-';
	uint64_t number;

	text += negative;
	if (text_number(text, strlen(text), 0, INT64_MAX, &number) != 0)
		return -1;
	*number_r = negative ? -(int64_t)number : (int64_t)number;
	return 0;
}

bool
kind_in_range(const struct argument *argument, int64_t number)
{
	return argument->most == 0 || (number >= argument->least && number <= argument->most);
}

static json_t *
check_integer(const struct argument *argument, const json_t *value, struct buf *why)
{
	const char *text = kind_plain_text(value);
	char quoted[KIND_QUOTE_SIZE];
	int64_t number;

	if (json_is_integer(value))
		number = json_integer_value(value);
	else if (text == NULL || kind_read_integer(text, &number) != 0)
		return kind_wrong_value(why, argument, value);
	if (kind_in_range(argument, number))
		return json_integer(number);
	if (argument->most == INT64_MAX)
		return kind_wrong(why, argument, "found %s, wanted a number from %" PRId64 " on",
		    kind_found(quoted, argument, value), argument->least);
	return kind_wrong(why, argument, "found %s, wanted a number from %" PRId64 " to %" PRId64,
	    kind_found(quoted, argument, value), argument->least, argument->most);
}

static json_t *
check_boolean(const struct argument *argument, const json_t *value, struct buf *why)
{
	/* A name without a value, as in "?all", says yes. */
	static const char *const yes[] = { "true", "yes", "on", "1", "" };
	static const char *const no[] = { "false", "no", "off", "0" };
	const char *text = kind_plain_text(value);

	if (json_is_boolean(value))
		return json_boolean(json_is_true(value));
	for (size_t i = 0; text != NULL && i < sizeof(yes) / sizeof(yes[0]); i++)
		if (text_same(text, yes[i]))
			return json_true();
	for (size_t i = 0; text != NULL && i < sizeof(no) / sizeof(no[0]); i++)
		if (text_same(text, no[i]))
			return json_false();
	return kind_wrong_value(why, argument, value);
}

/* ---- JSON as it is ----------------------------------------------------------------------- */

static bool
is_too_deep(const json_t *value, unsigned left)
{
	const json_t *member;
	const char *name;
	size_t i;

	if (!json_is_object(value) && !json_is_array(value))
		return false;
	if (left == 0)
		return true;
	json_array_foreach(value, i, member) if (is_too_deep(member, left - 1)) return true;
	json_object_foreach(
	    (json_t *)value, name, member) if (is_too_deep(member, left - 1)) return true;
	return false;
}

static json_t *
check_json(const struct argument *argument, const json_t *value, struct buf *why)
{
	const json_t *array = argument->remote == NULL || json_object_size(value) != 1
				  ? NULL
				  : json_object_get(value, argument->remote);

	if (argument->kind == ARGUMENT_ARRAY && json_is_array(array))
		value = array;
	if ((argument->kind == ARGUMENT_OBJECT && !json_is_object(value)) ||
	    (argument->kind == ARGUMENT_ARRAY && !json_is_array(value)))
		return kind_wrong_value(why, argument, value);
	if (is_too_deep(value, MOST_DEPTH))
		return kind_wrong(why, argument, "more than %d levels deep", MOST_DEPTH);
	return json_incref((json_t *)value);
}

/* ---- texts that came one by one --------------------------------------------------------- */

static bool
has_text(const json_t *array)
{
	const json_t *item;
	size_t i;

	json_array_foreach(array, i, item) if (json_is_string(item)) return true;
	return false;
}

/* A name that was repeated in a query came as an array of texts: joined as values_give() does. */
static json_t *
join_texts(const struct argument *argument, const json_t *texts, struct buf *why)
{
	json_t *given = json_object(), *joined, *item;
	size_t i;

	json_array_foreach(texts, i, item)
	{
		json_t *value = kind_plain_text(item) == NULL
				    ? kind_wrong_value(why, argument, item)
				    : value_from_text(argument, json_string_value(item), why);

		if (value == NULL || values_give(given, argument, value, why) != 0) {
			json_decref(given);
			return NULL;
		}
	}
	joined = json_incref(json_object_get(given, argument->name));
	json_decref(given);
	return joined;
}

/* ---- all kinds --------------------------------------------------------------------------- */

json_t *
kind_check(const struct argument *argument, const json_t *value, int64_t now_ms, struct buf *why)
{
	json_t *read = NULL, *checked = NULL;

	switch (argument->kind) {
	case ARGUMENT_STRING:
		return kind_check_string(argument, value, why);
	case ARGUMENT_INTEGER:
		return check_integer(argument, value, why);
	case ARGUMENT_BOOLEAN:
		return check_boolean(argument, value, why);
	case ARGUMENT_CHOICE:
		return kind_check_choice(argument, value, why);
	case ARGUMENT_TIME:
		return kind_check_time(argument, value, why);
	case ARGUMENT_WHEN:
		return kind_check_when(argument, value, now_ms, why);
	case ARGUMENT_LIST:
		return kind_check_list(argument, value, why);
	case ARGUMENT_BYTES:
		return kind_check_bytes(argument, value, why);
	case ARGUMENT_ANY:
		return check_json(argument, value, why);
	case ARGUMENT_PAIRS:
	case ARGUMENT_HEADERS:
	case ARGUMENT_FILES:
	case ARGUMENT_ATTACHMENTS:
	case ARGUMENT_OBJECT:
	case ARGUMENT_ARRAY:
		break;
	}

	/* A text came from a query or a command line, if it has this kind at all. */
	if (json_is_string(value)) {
		if (kind_plain_text(value) == NULL)
			return kind_wrong_value(why, argument, value);
		read = value_from_text(argument, json_string_value(value), why);
		if (read == NULL)
			return NULL;
		value = read;
	} else if (has_text(value) && argument->kind != ARGUMENT_OBJECT &&
		   argument->kind != ARGUMENT_ARRAY) {
		read = join_texts(argument, value, why);
		if (read == NULL)
			return NULL;
		value = read;
	}
	switch (argument->kind) {
	case ARGUMENT_PAIRS:
		checked = kind_check_pairs(argument, value, why);
		break;
	case ARGUMENT_HEADERS:
		checked = kind_check_headers(argument, value, why);
		break;
	case ARGUMENT_FILES:
		checked = kind_check_files(argument, value, why);
		break;
	case ARGUMENT_ATTACHMENTS:
		checked = kind_check_attachments(argument, value, why);
		break;
	case ARGUMENT_OBJECT:
	case ARGUMENT_ARRAY:
		checked = check_json(argument, value, why);
		break;
	case ARGUMENT_STRING:
	case ARGUMENT_INTEGER:
	case ARGUMENT_BOOLEAN:
	case ARGUMENT_CHOICE:
	case ARGUMENT_TIME:
	case ARGUMENT_WHEN:
	case ARGUMENT_LIST:
	case ARGUMENT_BYTES:
	case ARGUMENT_ANY:
		break;
	}
	json_decref(read);
	return checked;
}
