/* What a command line or a query says, as the values that were given. */

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"

#include "operations/kinds.h"
#include "operations/values.h"

/* A name up to one of these characters, and what is behind it without the spaces in between. */
static json_t *
split_pair(const char *text, const char *separators, char **name_r)
{
	size_t len = strcspn(text, separators);
	const char *value = text + len;
	json_t *rest;

	if (len == 0 || *value == '\0')
		return NULL;
	/* Spaces belong to a header's colon, and to the value of anything else. */
	if (*value++ == ':')
		value += strspn(value, " \t");
	rest = json_string(value);
	if (rest == NULL)
		return NULL;
	*name_r = mem_bytes(text, len);
	return rest;
}

static json_t *
pairs_from_text(const struct argument *argument, const char *text, struct buf *why)
{
	json_t *pair, *value;
	char *name;

	value = split_pair(text, "=", &name);
	if (value == NULL) {
		if (argument->kind == ARGUMENT_ATTACHMENTS)
			return kind_wrong(why, argument, "wanted a JSON array, or NAME=BASE64");
		return kind_wrong(why, argument, "wanted %s",
		    argument->kind == ARGUMENT_FILES ? "NAME=BASE64" : "KEY=VALUE");
	}
	/* Attachments join as their array does, whoever made it. */
	pair = argument->kind == ARGUMENT_ATTACHMENTS
		   ? json_pack("[{s:s, s:o}]", "Name", name, "Content", value)
		   : json_pack("{s:o}", name, value);
	free(name);
	return pair;
}

static json_t *
header_from_text(const struct argument *argument, const char *text, struct buf *why)
{
	json_t *header, *value;
	char *name;

	value = split_pair(text, ":=", &name);
	if (value == NULL)
		return kind_wrong(why, argument, "wanted \"Name: value\"");
	header = json_pack("[{s:s, s:o}]", "Name", name, "Value", value);
	free(name);
	return header;
}

static json_t *
json_from_text(const struct argument *argument, const char *text, struct buf *why)
{
	json_error_t error;
	json_t *value = json_loads(text, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);
	char safe[KIND_QUOTE_SIZE];

	if (value == NULL)
		return kind_wrong(why, argument, "no JSON: %s, at character %d",
		    text_safe(safe, sizeof(safe), error.text, strlen(error.text)), error.position);
	return value;
}

json_t *
value_from_text(const struct argument *argument, const char *text, struct buf *why)
{
	size_t blank = strspn(text, " \t\r\n");
	json_t *value, *given;

	if (!text_is_utf8(text, strlen(text)))
		return kind_wrong(why, argument, "no UTF-8");
	switch (argument->kind) {
	case ARGUMENT_STRING:
	case ARGUMENT_CHOICE:
	case ARGUMENT_TIME:
	case ARGUMENT_WHEN:
	case ARGUMENT_BYTES:
		return json_string(text);
	case ARGUMENT_INTEGER:
	case ARGUMENT_BOOLEAN:
		given = json_string(text);
		value = kind_check(argument, given, 0, why);
		json_decref(given);
		return value;
	case ARGUMENT_LIST:
		return json_pack("[s]", text);
	case ARGUMENT_PAIRS:
	case ARGUMENT_FILES:
		return text[blank] == '{' ? json_from_text(argument, text, why)
					  : pairs_from_text(argument, text, why);
	case ARGUMENT_ATTACHMENTS:
		return text[blank] == '{' || text[blank] == '['
			   ? json_from_text(argument, text, why)
			   : pairs_from_text(argument, text, why);
	case ARGUMENT_HEADERS:
		return text[blank] == '{' || text[blank] == '['
			   ? json_from_text(argument, text, why)
			   : header_from_text(argument, text, why);
	case ARGUMENT_OBJECT:
	case ARGUMENT_ARRAY:
		return json_from_text(argument, text, why);
	case ARGUMENT_ANY:
		value = json_loads(text, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
		return value == NULL ? json_string(text) : value;
	}
	return NULL;
}

/* ---- files ------------------------------------------------------------------------------- */

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* RFC 4648 section 4. */
static json_t *
base64_of(const void *bytes, size_t len)
{
	const unsigned char *from = bytes;
	char *text = mem_new((len + 2) / 3 * 4 + 1);
	char *to = text;

	for (size_t i = 0; i < len; i += 3) {
		unsigned three = (unsigned)from[i] << 16;

		if (i + 1 < len)
			three |= (unsigned)from[i + 1] << 8;
		if (i + 2 < len)
			three |= from[i + 2];
		*to++ = base64_digits[three >> 18];
		*to++ = base64_digits[three >> 12 & 63];
		*to++ = i + 1 < len ? base64_digits[three >> 6 & 63] : '=';
		*to++ = i + 2 < len ? base64_digits[three & 63] : '=';
	}

	json_t *value = json_stringn_nocheck(text, (size_t)(to - text));
	free(text);
	return value;
}

json_t *
value_from_bytes(const struct argument *argument, const char *name, const void *bytes, size_t len,
    struct buf *why)
{
	const char *slash = name == NULL ? NULL : strrchr(name, '/');
	const char *base = slash == NULL ? name : slash + 1;
	json_t *content;

	if (argument->kind == ARGUMENT_BYTES)
		return base64_of(bytes, len);
	if (argument->kind != ARGUMENT_FILES && argument->kind != ARGUMENT_ATTACHMENTS)
		return kind_wrong(
		    why, argument, "takes %s and no file", argument_kind_name(argument->kind));
	if (base == NULL || *base == '\0' || !text_is_utf8(base, strlen(base)))
		return kind_wrong(why, argument, "a file has no name, or none in UTF-8");
	content = base64_of(bytes, len);
	if (argument->kind == ARGUMENT_FILES)
		return json_pack("{s:o}", base, content);
	return json_pack("[{s:s, s:o}]", "Name", base, "Content", content);
}

/* ---- joining ----------------------------------------------------------------------------- */

int
values_give(json_t *given, const struct argument *argument, json_t *value, struct buf *why)
{
	json_t *there = json_object_get(given, argument->name), *member;
	const char *name;

	switch (argument->kind) {
	case ARGUMENT_LIST:
	case ARGUMENT_HEADERS:
	case ARGUMENT_ATTACHMENTS:
		if (!json_is_array(there) || !json_is_array(value))
			break;
		json_array_extend(there, value);
		json_decref(value);
		return 0;
	case ARGUMENT_PAIRS:
	case ARGUMENT_FILES:
		if (!json_is_object(there) || !json_is_object(value))
			break;
		json_object_foreach(value, name, member)
		{
			if (json_object_get(there, name) != NULL)
				goto twice;
			json_object_set(there, name, member);
		}
		json_decref(value);
		return 0;
	case ARGUMENT_STRING:
	case ARGUMENT_INTEGER:
	case ARGUMENT_BOOLEAN:
	case ARGUMENT_CHOICE:
	case ARGUMENT_TIME:
	case ARGUMENT_WHEN:
	case ARGUMENT_OBJECT:
	case ARGUMENT_ARRAY:
	case ARGUMENT_ANY:
	case ARGUMENT_BYTES:
		break;
	}
	if (there != NULL)
		goto twice;
	json_object_set_new(given, argument->name, value);
	return 0;

twice:
	json_decref(value);
	kind_wrong(why, argument, "given twice");
	return -1;
}
