/*
 * Lists, pairs and headers.
 */

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"

#include "operations/kinds_inside.h"

/* ---- lists and pairs --------------------------------------------------------------------- */

static json_t *
check_list_item(const struct argument *argument, const json_t *item, struct buf *why)
{
	json_t *text;

	if (argument->choices != NULL)
		return kind_check_choice(argument, item, why);
	if (!json_is_string(item) && !json_is_integer(item))
		return kind_wrong_value(why, argument, item);
	text = kind_check_string(argument, item, why);
	if (text != NULL && json_string_length(text) == 0) {
		json_decref(text);
		return kind_wrong(why, argument, "must not be empty");
	}
	return text;
}

/* Of a list with choices "all" stands for all the others. */
static json_t *
all_choices(const struct argument *argument)
{
	json_t *list = json_array();

	for (size_t i = 0; argument->choices[i] != NULL; i++)
		if (strcmp(argument->choices[i], "all") != 0)
			json_array_append_new(list, json_string(argument->choices[i]));
	return list;
}

json_t *
kind_check_list(const struct argument *argument, const json_t *value, struct buf *why)
{
	json_t *list = json_array(), *item;
	size_t i;

	if (json_is_array(value)) {
		json_array_foreach(value, i, item)
		{
			json_t *text = check_list_item(argument, item, why);

			if (text == NULL)
				goto failed;
			json_array_append_new(list, text);
		}
	} else {
		json_t *text = check_list_item(argument, value, why);

		if (text == NULL)
			goto failed;
		json_array_append_new(list, text);
	}
	if (argument->choices != NULL) {
		json_array_foreach(list, i, item)
		{
			if (strcmp(json_string_value(item), "all") == 0) {
				json_decref(list);
				return all_choices(argument);
			}
		}
	}
	if (json_array_size(list) == 0 && argument->required) {
		kind_wrong(why, argument, "must not be empty");
		goto failed;
	}
	return list;

failed:
	json_decref(list);
	return NULL;
}

/* The text of what a pair may have as its value; NULL: it may not. */
static json_t *
pair_value(const json_t *value)
{
	char digits[32];

	if (kind_plain_text(value) != NULL)
		return json_string(json_string_value(value));
	if (json_is_boolean(value))
		return json_string(json_is_true(value) ? "true" : "false");
	if (!json_is_integer(value))
		return NULL;
	snprintf(digits, sizeof(digits), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	return json_string(digits);
}

json_t *
kind_check_pairs(const struct argument *argument, const json_t *value, struct buf *why)
{
	json_t *pairs, *member;
	const char *name;

	if (!json_is_object(value))
		return kind_wrong_value(why, argument, value);
	pairs = json_object();
	json_object_foreach((json_t *)value, name, member)
	{
		json_t *text = *name == '\0' ? NULL : pair_value(member);

		if (text == NULL) {
			char safe[KIND_QUOTE_SIZE];

			kind_wrong(why, argument, "the value of \"%s\" is no text",
			    text_safe(safe, sizeof(safe), name, strlen(name)));
			json_decref(pairs);
			return NULL;
		}
		json_object_set_new(pairs, name, text);
	}
	return pairs;
}

/* ---- headers ----------------------------------------------------------------------------- */

/* RFC 5322 2.2: printable ASCII without the colon; Postmark's mails break at a space. */
static bool
is_header_name(const char *name)
{
	if (*name == '\0')
		return false;
	for (; *name != '\0'; name++)
		if (*name <= ' ' || *name > '~' || *name == ':')
			return false;
	return true;
}

static json_t *
header_of(const struct argument *argument, const char *name, const json_t *value, struct buf *why)
{
	char safe[KIND_QUOTE_SIZE];
	json_t *text;

	if (name == NULL || !is_header_name(name))
		return kind_wrong(why, argument, "\"%s\" is no name of a header",
		    name == NULL ? "" : text_safe(safe, sizeof(safe), name, strlen(name)));
	text = value == NULL ? NULL : pair_value(value);
	if (text == NULL || !kind_is_one_line(json_string_value(text))) {
		json_decref(text);
		return kind_wrong(
		    why, argument, "the value of \"%s\" is no text of one line", name);
	}
	return json_pack("{s:s, s:o}", "Name", name, "Value", text);
}

json_t *
kind_either(const json_t *object, const char *name, const char *lower)
{
	json_t *value = json_object_get(object, name);

	return value != NULL ? value : json_object_get(object, lower);
}

json_t *
kind_check_headers(const struct argument *argument, const json_t *value, struct buf *why)
{
	json_t *headers = json_array(), *header, *item;
	const char *name;
	size_t i;

	if (json_is_object(value)) {
		json_object_foreach((json_t *)value, name, item)
		{
			header = header_of(argument, name, item, why);
			if (header == NULL)
				goto failed;
			json_array_append_new(headers, header);
		}
		return headers;
	}
	if (!json_is_array(value)) {
		kind_wrong_value(why, argument, value);
		goto failed;
	}
	json_array_foreach(value, i, item)
	{
		header = header_of(argument, kind_plain_text(kind_either(item, "Name", "name")),
		    kind_either(item, "Value", "value"), why);
		if (header == NULL)
			goto failed;
		json_array_append_new(headers, header);
	}
	return headers;

failed:
	json_decref(headers);
	return NULL;
}
