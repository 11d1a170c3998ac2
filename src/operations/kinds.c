/*
 * One function for each kind of argument makes the checked form out of whatever form the kind may
 * have.
 */

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/text.h"

#include "operations/kinds.h"
#include "operations/values.h"

/* JSON within JSON is taken as it is, but not without end: whoever walks it may recurse. */
#define MOST_DEPTH 64

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

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
static const char *
found(char out[KIND_QUOTE_SIZE], const struct argument *argument, const json_t *value)
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

static json_t *
wrong_kind(struct buf *why, const struct argument *argument, const json_t *value)
{
	char quoted[KIND_QUOTE_SIZE];

	return kind_wrong(why, argument, "found %s, wanted %s", found(quoted, argument, value),
	    argument_kind_name(argument->kind));
}

/* ---- texts ------------------------------------------------------------------------------- */

/* Nothing that could begin another line. */
static bool
is_one_line(const char *text)
{
	for (; *text != '\0'; text++)
		if (((unsigned char)*text < ' ' && *text != '\t') || *text == 0x7f)
			return false;
	return true;
}

/* A text without a NUL in it, which would end it early further on. */
static const char *
plain_text(const json_t *value)
{
	const char *text = json_string_value(value);

	return text != NULL && strlen(text) == json_string_length(value) ? text : NULL;
}

static json_t *
check_string(const struct argument *argument, const json_t *value, struct buf *why)
{
	const char *text = plain_text(value);

	/* Numbers are the names of many things at Postmark. */
	if (json_is_integer(value)) {
		char digits[32];

		snprintf(
		    digits, sizeof(digits), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		return json_string(digits);
	}
	if (text == NULL)
		return wrong_kind(why, argument, value);
	if (*text == '\0' && argument->required)
		return kind_wrong(why, argument, "must not be empty");
	/* It becomes part of a path. */
	if ((argument->place == IN_PATH || argument->word) && !is_one_line(text))
		return kind_wrong(why, argument, "has a control character in it");
	return json_string(text);
}

/* The choice in the table's spelling; NULL: it is none. */
static const char *
choice_find(const struct argument *argument, const json_t *value)
{
	const char *text = plain_text(value);

	for (size_t i = 0; text != NULL && argument->choices[i] != NULL; i++)
		if (text_same(text, argument->choices[i]))
			return argument->choices[i];
	return NULL;
}

static json_t *
wrong_choice(struct buf *why, const struct argument *argument, const json_t *value)
{
	char quoted[KIND_QUOTE_SIZE];

	buf_addf(why, "%s: found %s, wanted ", argument->name, found(quoted, argument, value));
	add_choices(why, argument->choices);
	return NULL;
}

static json_t *
check_choice(const struct argument *argument, const json_t *value, struct buf *why)
{
	const char *choice = choice_find(argument, value);

	return choice == NULL ? wrong_choice(why, argument, value) : json_string(choice);
}

/* ---- numbers ----------------------------------------------------------------------------- */

static int
read_integer(const char *text, int64_t *number_r)
{
	bool negative = *text == '-';
	uint64_t number;

	text += negative;
	if (text_number(text, strlen(text), 0, INT64_MAX, &number) != 0)
		return -1;
	*number_r = negative ? -(int64_t)number : (int64_t)number;
	return 0;
}

static bool
in_range(const struct argument *argument, int64_t number)
{
	return argument->most == 0 || (number >= argument->least && number <= argument->most);
}

static json_t *
check_integer(const struct argument *argument, const json_t *value, struct buf *why)
{
	const char *text = plain_text(value);
	char quoted[KIND_QUOTE_SIZE];
	int64_t number;

	if (json_is_integer(value))
		number = json_integer_value(value);
	else if (text == NULL || read_integer(text, &number) != 0)
		return wrong_kind(why, argument, value);
	if (in_range(argument, number))
		return json_integer(number);
	if (argument->most == INT64_MAX)
		return kind_wrong(why, argument, "found %s, wanted a number from %" PRId64 " on",
		    found(quoted, argument, value), argument->least);
	return kind_wrong(why, argument, "found %s, wanted a number from %" PRId64 " to %" PRId64,
	    found(quoted, argument, value), argument->least, argument->most);
}

static json_t *
check_boolean(const struct argument *argument, const json_t *value, struct buf *why)
{
	/* A name without a value, as in "?all", says yes. */
	static const char *const yes[] = { "true", "yes", "on", "1", "" };
	static const char *const no[] = { "false", "no", "off", "0" };
	const char *text = plain_text(value);

	if (json_is_boolean(value))
		return json_boolean(json_is_true(value));
	for (size_t i = 0; text != NULL && i < sizeof(yes) / sizeof(yes[0]); i++)
		if (text_same(text, yes[i]))
			return json_true();
	for (size_t i = 0; text != NULL && i < sizeof(no) / sizeof(no[0]); i++)
		if (text_same(text, no[i]))
			return json_false();
	return wrong_kind(why, argument, value);
}

/* ---- time -------------------------------------------------------------------------------- */

static const struct unit {
	const char *name;
	int64_t ms;
} units[] = {
	{ "ms", 1 },
	{ "s", SECOND },
	{ "m", MINUTE },
	{ "h", HOUR },
	{ "d", DAY },
};

/* "90s".  0, or -1. */
static int
read_span(const char *text, int64_t *ms_r)
{
	size_t digits = strspn(text, "0123456789");
	uint64_t number;

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (!text_same(text + digits, units[i].name))
			continue;
		if (text_number(text, digits, 0, (uint64_t)(INT64_MAX / units[i].ms), &number) != 0)
			return -1;
		*ms_r = (int64_t)number * units[i].ms;
		return 0;
	}
	return -1;
}

/* Days since 1970-01-01 of the Gregorian calendar; years from 1970 on. */
static int64_t
days_of(int64_t year, int64_t month, int64_t day)
{
	/* The year begins in March, so that the leap day is its last. */
	int64_t from_march = (month + 9) % 12;
	int64_t y = month <= 2 ? year - 1 : year;

	return 365 * y + y / 4 - y / 100 + y / 400 + (153 * from_march + 2) / 5 + day - 1 - 719468;
}

static int64_t
days_in(int64_t year, int64_t month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

/* Exactly count digits at *text, which goes on behind them.  -1: they are not there. */
static int
take_digits(const char **text, size_t count, int64_t least, int64_t most, int64_t *number_r)
{
	uint64_t number;

	if (strspn(*text, "0123456789") < count ||
	    text_number(*text, count, (uint64_t)least, (uint64_t)most, &number) != 0)
		return -1;
	*text += count;
	*number_r = (int64_t)number;
	return 0;
}

static bool
take(const char **text, const char *one_of)
{
	if (**text == '\0' || strchr(one_of, **text) == NULL)
		return false;
	(*text)++;
	return true;
}

/* RFC 3339 5.6, or the date alone, which is its beginning in UTC.  0, or -1. */
static int
read_moment(const char *text, int64_t *ms_r)
{
	int64_t year, month, day, hour, minute, second, away_hours, away_minutes;
	int64_t ms, part = 100;

	if (take_digits(&text, 4, 1970, 9999, &year) != 0 || !take(&text, "-") ||
	    take_digits(&text, 2, 1, 12, &month) != 0 || !take(&text, "-") ||
	    take_digits(&text, 2, 1, 31, &day) != 0 || day > days_in(year, month))
		return -1;
	ms = days_of(year, month, day) * DAY;
	if (*text == '\0') {
		*ms_r = ms;
		return 0;
	}
	/* A leap second is taken for the one after it. */
	if (!take(&text, "Tt ") || take_digits(&text, 2, 0, 23, &hour) != 0 || !take(&text, ":") ||
	    take_digits(&text, 2, 0, 59, &minute) != 0 || !take(&text, ":") ||
	    take_digits(&text, 2, 0, 60, &second) != 0)
		return -1;
	ms += hour * HOUR + minute * MINUTE + second * SECOND;
	if (take(&text, ".")) {
		if (*text < '0' || *text > '9')
			return -1;
		for (; *text >= '0' && *text <= '9'; text++, part /= 10)
			ms += (*text - '0') * part;
	}
	if (!take(&text, "Zz")) {
		int64_t sign = *text == '-' ? -1 : 1;

		if (!take(&text, "+-") || take_digits(&text, 2, 0, 23, &away_hours) != 0 ||
		    !take(&text, ":") || take_digits(&text, 2, 0, 59, &away_minutes) != 0)
			return -1;
		ms -= sign * (away_hours * HOUR + away_minutes * MINUTE);
	}
	if (*text != '\0' || ms < 0)
		return -1;
	*ms_r = ms;
	return 0;
}

static void
add_span(struct buf *out, int64_t ms)
{
	size_t i = sizeof(units) / sizeof(units[0]) - 1;

	while (i > 0 && (ms < units[i].ms || ms % units[i].ms != 0))
		i--;
	buf_addf(out, "%" PRId64 "%s", ms / units[i].ms, units[i].name);
}

static json_t *
check_time(const struct argument *argument, const json_t *value, struct buf *why)
{
	const char *text = plain_text(value);
	char quoted[KIND_QUOTE_SIZE];
	int64_t ms;

	if (json_is_integer(value) && json_integer_value(value) >= 0)
		ms = json_integer_value(value);
	else if (text == NULL || text[0] == '-' ||
		 (read_integer(text, &ms) != 0 && read_span(text, &ms) != 0))
		return wrong_kind(why, argument, value);
	if (in_range(argument, ms))
		return json_integer(ms);
	buf_addf(why, "%s: found %s, wanted a span of time from ", argument->name,
	    found(quoted, argument, value));
	add_span(why, argument->least);
	buf_adds(why, " to ");
	add_span(why, argument->most);
	return NULL;
}

static json_t *
check_when(const struct argument *argument, const json_t *value, int64_t now_ms, struct buf *why)
{
	const char *text = plain_text(value);
	int64_t ms;

	if (json_is_integer(value) && json_integer_value(value) >= 0)
		return json_integer(json_integer_value(value));
	if (text == NULL)
		return wrong_kind(why, argument, value);
	if (read_moment(text, &ms) == 0)
		return json_integer(ms);
	if (read_span(text, &ms) != 0)
		return wrong_kind(why, argument, value);
	return json_integer(ms > now_ms ? 0 : now_ms - ms);
}

/* ---- base64 ------------------------------------------------------------------------------ */

static bool
value_is_base64(const json_t *value)
{
	return json_is_string(value) &&
	       base64_is_right(json_string_value(value), json_string_length(value));
}

static json_t *
check_bytes(const struct argument *argument, const json_t *value, struct buf *why)
{
	if (!json_is_string(value))
		return kind_wrong(why, argument, "found %s, wanted a text with base64",
		    json_is_object(value) ? "an object" : "something else");
	if (!value_is_base64(value))
		return kind_wrong(why, argument,
		    "no good base64: it has padding, and no line breaks (base64 -w0)");
	return json_string(json_string_value(value));
}

/* ---- lists and pairs --------------------------------------------------------------------- */

static json_t *
check_list_item(const struct argument *argument, const json_t *item, struct buf *why)
{
	json_t *text;

	if (argument->choices != NULL)
		return check_choice(argument, item, why);
	if (!json_is_string(item) && !json_is_integer(item))
		return wrong_kind(why, argument, item);
	text = check_string(argument, item, why);
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

static json_t *
check_list(const struct argument *argument, const json_t *value, struct buf *why)
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

	if (plain_text(value) != NULL)
		return json_string(json_string_value(value));
	if (json_is_boolean(value))
		return json_string(json_is_true(value) ? "true" : "false");
	if (!json_is_integer(value))
		return NULL;
	snprintf(digits, sizeof(digits), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	return json_string(digits);
}

static json_t *
check_pairs(const struct argument *argument, const json_t *value, struct buf *why)
{
	json_t *pairs, *member;
	const char *name;

	if (!json_is_object(value))
		return wrong_kind(why, argument, value);
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
	if (text == NULL || !is_one_line(json_string_value(text))) {
		json_decref(text);
		return kind_wrong(
		    why, argument, "the value of \"%s\" is no text of one line", name);
	}
	return json_pack("{s:s, s:o}", "Name", name, "Value", text);
}

/* A member in Postmark's spelling or in lower case. */
static json_t *
either(const json_t *object, const char *name, const char *lower)
{
	json_t *value = json_object_get(object, name);

	return value != NULL ? value : json_object_get(object, lower);
}

static json_t *
check_headers(const struct argument *argument, const json_t *value, struct buf *why)
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
		wrong_kind(why, argument, value);
		goto failed;
	}
	json_array_foreach(value, i, item)
	{
		header = header_of(argument, plain_text(either(item, "Name", "name")),
		    either(item, "Value", "value"), why);
		if (header == NULL)
			goto failed;
		json_array_append_new(headers, header);
	}
	return headers;

failed:
	json_decref(headers);
	return NULL;
}

/* ---- files ------------------------------------------------------------------------------- */

static const struct type {
	const char *extension, *type;
} types[] = {
	{ "csv", "text/csv" },
	{ "doc", "application/msword" },
	{ "docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document" },
	{ "eml", "message/rfc822" },
	{ "gif", "image/gif" },
	{ "gz", "application/gzip" },
	{ "htm", "text/html" },
	{ "html", "text/html" },
	{ "ics", "text/calendar" },
	{ "jpeg", "image/jpeg" },
	{ "jpg", "image/jpeg" },
	{ "json", "application/json" },
	{ "log", "text/plain" },
	{ "md", "text/markdown" },
	{ "odt", "application/vnd.oasis.opendocument.text" },
	{ "pdf", "application/pdf" },
	{ "png", "image/png" },
	{ "ppt", "application/vnd.ms-powerpoint" },
	{ "pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation" },
	{ "svg", "image/svg+xml" },
	{ "txt", "text/plain" },
	{ "webp", "image/webp" },
	{ "xls", "application/vnd.ms-excel" },
	{ "xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" },
	{ "xml", "application/xml" },
	{ "zip", "application/zip" },
};

static const char *
type_of_name(const char *name)
{
	const char *dot = strrchr(name, '.');

	for (size_t i = 0; dot != NULL && i < sizeof(types) / sizeof(types[0]); i++)
		if (text_same(dot + 1, types[i].extension))
			return types[i].type;
	return "application/octet-stream";
}

static json_t *
wrong_file(struct buf *why, const struct argument *argument, const char *name)
{
	char safe[KIND_QUOTE_SIZE];

	return kind_wrong(why, argument,
	    "\"%s\" has no good base64: it has padding, and no line breaks (base64 -w0)",
	    text_safe(safe, sizeof(safe), name, strlen(name)));
}

static json_t *
check_files(const struct argument *argument, const json_t *value, struct buf *why)
{
	json_t *content;
	const char *name;

	if (!json_is_object(value))
		return wrong_kind(why, argument, value);
	json_object_foreach((json_t *)value, name, content)
	{
		if (*name == '\0')
			return kind_wrong(why, argument, "a file has no name");
		if (!value_is_base64(content))
			return wrong_file(why, argument, name);
	}
	return json_copy((json_t *)value);
}

static json_t *
attachment_of(const struct argument *argument, const char *name, json_t *content, const char *type,
    json_t *content_id, struct buf *why)
{
	json_t *attachment;

	if (name == NULL || *name == '\0')
		return kind_wrong(why, argument, "an attachment has no Name");
	if (!value_is_base64(content))
		return wrong_file(why, argument, name);
	if (content_id != NULL && !json_is_null(content_id) && plain_text(content_id) == NULL)
		return kind_wrong(why, argument, "a ContentID is no text");
	if (type == NULL || *type == '\0')
		type = type_of_name(name);
	if (!is_one_line(type) || !is_one_line(name))
		return kind_wrong(why, argument, "a Name or ContentType has more than one line");
	attachment =
	    json_pack("{s:s, s:O, s:s}", "Name", name, "Content", content, "ContentType", type);
	if (content_id != NULL && !json_is_null(content_id))
		json_object_set(attachment, "ContentID", content_id);
	return attachment;
}

static json_t *
check_attachments(const struct argument *argument, const json_t *value, struct buf *why)
{
	json_t *attachments = json_array(), *attachment, *item;
	const char *name;
	size_t i;

	if (json_is_object(value)) {
		json_object_foreach((json_t *)value, name, item)
		{
			attachment = attachment_of(argument, name, item, NULL, NULL, why);
			if (attachment == NULL)
				goto failed;
			json_array_append_new(attachments, attachment);
		}
		return attachments;
	}
	if (!json_is_array(value)) {
		wrong_kind(why, argument, value);
		goto failed;
	}
	json_array_foreach(value, i, item)
	{
		json_t *type = either(item, "ContentType", "contentType");

		if (type != NULL && !json_is_null(type) && plain_text(type) == NULL) {
			kind_wrong(why, argument, "a ContentType is no text");
			goto failed;
		}
		attachment = attachment_of(argument, plain_text(either(item, "Name", "name")),
		    either(item, "Content", "content"), plain_text(type),
		    either(item, "ContentID", "contentId"), why);
		if (attachment == NULL)
			goto failed;
		json_array_append_new(attachments, attachment);
	}
	return attachments;

failed:
	json_decref(attachments);
	return NULL;
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
		return wrong_kind(why, argument, value);
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
		json_t *value = plain_text(item) == NULL
				    ? wrong_kind(why, argument, item)
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
		return check_string(argument, value, why);
	case ARGUMENT_INTEGER:
		return check_integer(argument, value, why);
	case ARGUMENT_BOOLEAN:
		return check_boolean(argument, value, why);
	case ARGUMENT_CHOICE:
		return check_choice(argument, value, why);
	case ARGUMENT_TIME:
		return check_time(argument, value, why);
	case ARGUMENT_WHEN:
		return check_when(argument, value, now_ms, why);
	case ARGUMENT_LIST:
		return check_list(argument, value, why);
	case ARGUMENT_BYTES:
		return check_bytes(argument, value, why);
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
		if (plain_text(value) == NULL)
			return wrong_kind(why, argument, value);
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
		checked = check_pairs(argument, value, why);
		break;
	case ARGUMENT_HEADERS:
		checked = check_headers(argument, value, why);
		break;
	case ARGUMENT_FILES:
		checked = check_files(argument, value, why);
		break;
	case ARGUMENT_ATTACHMENTS:
		checked = check_attachments(argument, value, why);
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
