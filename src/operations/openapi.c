/*
 * The table as an OpenAPI 3.1 document.  An operation with an argument in the path that need not
 * be given has two paths; every other operation has one.
 */

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

#include "operations/openapi.h"
#include "operations/operation.h"

#define JSON_TYPE  "application/json"
#define LINES_TYPE "application/x-ndjson"
#define SPAN       "^[0-9]+(ms|s|m|h|d)?$"

/* What the words that several operations begin with are about; the others are the relay's own. */
static const struct noun {
	const char *word, *text;
} nouns[] = {
	{ "server", "Servers at Postmark" },
	{ "webhook", "Webhooks at Postmark" },
	{ "send", "Sending through the spool, or past it" },
	{ "raw", "Requests of one's own to Postmark" },
	{ "template", "Templates at Postmark" },
	{ "stream", "Message streams at Postmark" },
	{ "bounce", "Bounces" },
	{ "suppression", "Addresses that get no mail" },
	{ "message", "Mails that Postmark has" },
	{ "stats", "Figures of Postmark" },
	{ "domain", "Domains to send from" },
	{ "sender", "Sender signatures" },
	{ "inbound-rule", "Senders whose mail is not taken in" },
	{ "data-removal", "Removal of what Postmark knows of a recipient" },
	{ "queue", "The queue of this relay" },
	{ "route", "The routes of this relay" },
	{ "relay", "The relay itself, and what became of a mail" },
};
#define NOUN_COUNT (sizeof(nouns) / sizeof(nouns[0]))

static const char *
noun_of(const struct operation *operation)
{
	size_t len = strcspn(operation->name, " ");

	for (size_t i = 0; i < NOUN_COUNT; i++)
		if (strlen(nouns[i].word) == len &&
		    memcmp(nouns[i].word, operation->name, len) == 0)
			return nouns[i].word;
	return nouns[NOUN_COUNT - 1].word;
}

/* JSON of the table; it is known to be right (operation_test.c). */
static json_t *
table_json(const char *text)
{
	return json_loads(text, JSON_DECODE_ANY, NULL);
}

/* ---- arguments --------------------------------------------------------------------------- */

static json_t *
choices_json(const struct argument *argument)
{
	json_t *choices = json_array();

	for (size_t i = 0; argument->choices[i] != NULL; i++)
		json_array_append_new(choices, json_string(argument->choices[i]));
	return choices;
}

static void
set_range(json_t *schema, const struct argument *argument)
{
	if (argument->most == 0)
		return;
	json_object_set_new(schema, "minimum", json_integer(argument->least));
	if (argument->most != INT64_MAX)
		json_object_set_new(schema, "maximum", json_integer(argument->most));
}

static json_t *
kind_schema(const struct argument *argument)
{
	json_t *schema = NULL;

	switch (argument->kind) {
	case ARGUMENT_STRING:
		schema = json_pack("{s:s}", "type", "string");
		break;
	case ARGUMENT_INTEGER:
		schema = json_pack("{s:s, s:s}", "type", "integer", "format", "int64");
		set_range(schema, argument);
		break;
	case ARGUMENT_BOOLEAN:
		schema = json_pack("{s:s}", "type", "boolean");
		break;
	case ARGUMENT_CHOICE:
		schema = json_pack("{s:s, s:o}", "type", "string", "enum", choices_json(argument));
		break;
	case ARGUMENT_TIME:
		/* A number is of milliseconds, and a text may have its unit. */
		schema = json_pack("{s:[s,s], s:s}", "type", "integer", "string", "pattern", SPAN);
		set_range(schema, argument);
		break;
	case ARGUMENT_WHEN:
		schema = json_pack("{s:[s,s]}", "type", "integer", "string");
		break;
	case ARGUMENT_LIST:
		schema = json_pack("{s:s, s:{s:s}}", "type", "array", "items", "type", "string");
		if (argument->choices != NULL)
			json_object_set_new(
			    json_object_get(schema, "items"), "enum", choices_json(argument));
		break;
	case ARGUMENT_PAIRS:
		schema = json_pack(
		    "{s:s, s:{s:s}}", "type", "object", "additionalProperties", "type", "string");
		break;
	case ARGUMENT_HEADERS:
		schema = json_pack("{s:s, s:{s:s}}", "type", "array", "items", "$ref",
		    "#/components/schemas/header");
		break;
	case ARGUMENT_FILES:
		schema = json_pack("{s:s, s:{s:s, s:s}}", "type", "object", "additionalProperties",
		    "type", "string", "contentEncoding", "base64");
		break;
	case ARGUMENT_ATTACHMENTS:
		schema = json_pack("{s:s, s:{s:s}}", "type", "array", "items", "$ref",
		    "#/components/schemas/attachment");
		break;
	case ARGUMENT_OBJECT:
		schema = json_pack("{s:s}", "type", "object");
		break;
	case ARGUMENT_ARRAY:
		/* One whose sample is an object may come wrapped in it. */
		schema = argument->sample != NULL && argument->sample[0] == '{'
			     ? json_pack("{s:[s,s]}", "type", "array", "object")
			     : json_pack("{s:s}", "type", "array");
		break;
	case ARGUMENT_ANY:
		schema = json_object();
		break;
	case ARGUMENT_BYTES:
		schema = json_pack("{s:s, s:s}", "type", "string", "contentEncoding", "base64");
		break;
	}
	return schema;
}

static json_t *
argument_schema(const struct argument *argument)
{
	json_t *schema = kind_schema(argument);

	if (argument->preset != NULL)
		json_object_set_new(schema, "default", table_json(argument->preset));
	if (argument->sample != NULL)
		json_object_set_new(
		    schema, "examples", json_pack("[o]", table_json(argument->sample)));
	if (argument->secret)
		json_object_set_new(schema, "writeOnly", json_true());
	return schema;
}

/* In a query PAIRS are texts, one each. */
static json_t *
query_schema(const struct argument *argument)
{
	if (argument->kind == ARGUMENT_PAIRS || argument->kind == ARGUMENT_HEADERS)
		return json_pack("{s:s, s:{s:s, s:s}}", "type", "array", "items", "type", "string",
		    "pattern", argument->kind == ARGUMENT_PAIRS ? "^[^=]+=" : "^[^:]+:");
	return argument_schema(argument);
}

static json_t *
argument_description(const struct argument *argument)
{
	const char *access = argument_access_text(argument);

	return json_sprintf(
	    "%s%s%s", argument->text, access != NULL ? " " : "", access != NULL ? access : "");
}

static json_t *
parameter(const struct argument *argument, const char *in, json_t *schema)
{
	json_t *p = json_pack("{s:s, s:s, s:o, s:o}", "name", argument->name, "in", in,
	    "description", argument_description(argument), "schema", schema);

	if (strcmp(in, "path") == 0 || argument->required)
		json_object_set_new(p, "required", json_true());
	return p;
}

/* ---- examples ---------------------------------------------------------------------------- */

/* What stands for an id that only a running daemon knows becomes one that looks right. */
static json_t *
example_value(const struct argument *argument, json_t *value)
{
	const char *text = json_string_value(value);
	size_t len = text == NULL ? 0 : strlen(text);

	if (json_is_array(value)) {
		json_t *array = json_array(), *item;
		size_t i;

		json_array_foreach(value, i, item)
		    json_array_append_new(array, example_value(argument, item));
		return array;
	}
	if (len < 2 || text[0] != '{' || text[len - 1] != '}')
		return json_incref(value);
	if (argument->kind == ARGUMENT_INTEGER)
		return json_integer(1);
	return json_stringn(text + 1, len - 2);
}

static json_t *
example_body(const struct operation *operation, const struct argument *in_path)
{
	json_t *example = table_json(operation->example_body), *body = json_object(), *value;
	const char *name;

	json_object_foreach(example, name, value)
	{
		const struct argument *argument = operation_argument(operation, name);

		if (argument != NULL && argument != in_path)
			json_object_set_new(body, name, example_value(argument, value));
	}
	json_decref(example);
	return body;
}

/* ---- operations -------------------------------------------------------------------------- */

/* operation_connection is the last, where there is one. */
static const struct argument *
next_argument(const struct operation *operation, const struct argument *argument)
{
	if (argument == &operation_connection)
		return NULL;
	argument = argument == NULL ? operation->arguments : argument + 1;
	if (argument->name != NULL)
		return argument;
	return operation_is_remote(operation) ? &operation_connection : NULL;
}

/* The JSON object of a POST, without what is in the path. */
static json_t *
body_schema(const struct operation *operation, const struct argument *in_path)
{
	json_t *properties = json_object(), *required = json_array(), *schema;

	for (const struct argument *a = next_argument(operation, NULL); a != NULL;
	     a = next_argument(operation, a)) {
		json_t *property;

		/* One that is no list has a path of its own. */
		if (a == in_path || (a->place == IN_PATH && a->kind != ARGUMENT_LIST))
			continue;
		property = argument_schema(a);
		json_object_set_new(property, "description", argument_description(a));
		json_object_set_new(properties, a->name, property);
		if (a->required)
			json_array_append_new(required, json_string(a->name));
	}
	schema = json_pack("{s:s, s:o, s:b}", "type", "object", "properties", properties,
	    "additionalProperties", 0);
	if (json_array_size(required) > 0)
		json_object_set(schema, "required", required);
	json_decref(required);
	return schema;
}

static json_t *
request_body(const struct operation *operation, const struct argument *in_path)
{
	const struct argument *whole = operation_argument_at(operation, IN_WHOLE);
	json_t *schema = body_schema(operation, in_path);
	json_t *example = example_body(operation, in_path);
	bool required = json_object_get(schema, "required") != NULL;
	json_t *content;

	if (whole != NULL && whole->kind == ARGUMENT_ARRAY)
		schema = json_pack("{s:[o, o]}", "anyOf", schema, argument_schema(whole));
	content = json_pack("{s:{s:o}}", JSON_TYPE, "schema", schema);
	if (json_object_size(example) > 0)
		json_object_set(json_object_get(content, JSON_TYPE), "example", example);
	json_decref(example);
	if (whole != NULL && whole->kind == ARGUMENT_BYTES)
		json_object_set_new(content, "message/rfc822", json_pack("{s:{}}", "schema"));
	return json_pack("{s:b, s:o}", "required", required, "content", content);
}

static json_t *
parameters(const struct operation *operation, const struct argument *in_path)
{
	json_t *list = json_array();

	for (const struct argument *a = next_argument(operation, NULL); a != NULL;
	     a = next_argument(operation, a)) {
		if (a == in_path) {
			struct argument one = *a;

			one.kind = a->kind == ARGUMENT_LIST ? ARGUMENT_STRING : a->kind;
			json_array_append_new(list, parameter(a, "path", argument_schema(&one)));
		} else if (!operation->changes && a->place != IN_PATH)
			json_array_append_new(list, parameter(a, "query", query_schema(a)));
	}
	return list;
}

static json_t *
description(const struct operation *operation)
{
	struct buf text;

	buf_init(&text, 10000);
	if (operation->text != NULL)
		buf_addf(&text, "%s\n\n", operation->text);
	buf_addf(&text, "On the command line: pmrelayctl %s", operation->name);

	json_t *value = json_stringn(text.data, text.len);
	buf_free(&text);
	return value;
}

static json_t *
responses(const struct operation *operation)
{
	json_t *content = json_object();

	if (operation->streams || operation->progresses)
		json_object_set_new(content, LINES_TYPE, json_pack("{s:{}}", "schema"));
	if (!operation->streams)
		json_object_set_new(content, JSON_TYPE, json_pack("{s:{}}", "schema"));
	return json_pack("{s:{s:s, s:o}, s:{s:s}}", "200", "description", "The answer", "content",
	    content, "default", "$ref", "#/components/responses/error");
}

/* An operation at one of its paths; in_path NULL: at that without an ID. */
static void
add_operation(json_t *paths, const struct operation *operation, const struct argument *in_path)
{
	bool by_id = in_path != NULL && !in_path->required;
	char *path = operation_path(operation);
	char *full =
	    in_path == NULL ? mem_string(path) : mem_format("%s/{%s}", path, in_path->name);
	char *id = mem_format("%s%s", operation->name, by_id ? "-by-" : "");
	json_t *described, *list = parameters(operation, in_path);

	for (char *c = id; *c != '\0'; c++)
		if (*c == ' ')
			*c = '-';
	described = json_pack("{s:s+, s:s, s:o, s:[s], s:o}", "operationId", id,
	    by_id ? in_path->name : "", "summary", operation->help, "description",
	    description(operation), "tags", noun_of(operation), "responses", responses(operation));
	if (json_array_size(list) > 0)
		json_object_set(described, "parameters", list);
	json_decref(list);
	if (operation->changes)
		json_object_set_new(described, "requestBody", request_body(operation, in_path));
	json_object_set_new(described, "security",
	    operation->access == ACCESS_ADMIN
		? json_pack("[{s:[]}]", "administrator")
		: json_pack("[{s:[]}, {s:[]}]", "reader", "administrator"));
	json_object_set_new(
	    paths, full, json_pack("{s:o}", operation->changes ? "post" : "get", described));
	free(id);
	free(full);
	free(path);
}

/* ---- the document ------------------------------------------------------------------------ */

static json_t *
components(void)
{
	json_t *schemas = json_pack("{s:o, s:o, s:o}", "header",
	    json_pack("{s:s, s:[s,s], s:{s:{s:s}, s:{s:s}}}", "type", "object", "required", "Name",
		"Value", "properties", "Name", "type", "string", "Value", "type", "string"),
	    "attachment",
	    json_pack("{s:s, s:[s,s], s:{s:{s:s}, s:{s:s, s:s}, s:{s:s}, s:{s:[s,s]}}}", "type",
		"object", "required", "Name", "Content", "properties", "Name", "type", "string",
		"Content", "type", "string", "contentEncoding", "base64", "ContentType", "type",
		"string", "ContentID", "type", "string", "null"),
	    "error",
	    json_pack("{s:s, s:[s], s:{s:{s:s, s:[s,s,s], s:{s:{s:s,s:s}, s:{s:s,s:s}, "
		      "s:{s:s,s:s}, s:{s:s,s:s}, s:{s:s,s:s}}}}}",
		"type", "object", "required", "error", "properties", "error", "type", "object",
		"required", "status", "code", "message", "properties", "status", "type", "integer",
		"description", "The HTTP status", "code", "type", "string", "description",
		"A word for programs", "message", "type", "string", "description",
		"A sentence for people", "todo", "type", "string", "description", "What to do next",
		"postmark", "type", "object", "description", "What Postmark answered, if it did"));
	json_t *error = json_pack("{s:s, s:{s:{s:{s:s}}}}", "description",
	    "What went wrong, and what to do next", "content", JSON_TYPE, "schema", "$ref",
	    "#/components/schemas/error");
	json_t *security = json_pack("{s:{s:s, s:s}, s:{s:s, s:s}}", "administrator", "type",
	    "mutualTLS", "description",
	    "On the Unix socket: root, or the user that the daemon runs as. Over TCP: a client "
	    "certificate named in control.admins.",
	    "reader", "type", "mutualTLS", "description",
	    "On the Unix socket: a member of its group. Over TCP: a client certificate named in "
	    "control.readers.");

	return json_pack("{s:o, s:{s:o}, s:o}", "schemas", schemas, "responses", "error", error,
	    "securitySchemes", security);
}

json_t *
openapi_document(const char *version)
{
	json_t *paths = json_object(), *tags = json_array();

	for (size_t i = 0; i < NOUN_COUNT; i++)
		json_array_append_new(tags,
		    json_pack("{s:s, s:s}", "name", nouns[i].word, "description", nouns[i].text));
	for (const struct operation *o = operation_table; o->name != NULL; o++) {
		const struct argument *in_path = operation_argument_at(o, IN_PATH);

		if (in_path == NULL || !in_path->required)
			add_operation(paths, o, NULL);
		if (in_path != NULL)
			add_operation(paths, o, in_path);
	}
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "openapi", "3.1.0", "info",
	    json_pack("{s:s, s:s, s:s}", "title", "pmrelay", "version", version, "description",
		"What pmrelayctl asks of pmrelayd, for programs. What only looks is GET with its "
		"arguments in the query; what changes something is POST with one JSON object. An "
		"operation that may take long tells of its progress, a JSON object a line, when "
		"the request has Accept: application/x-ndjson."),
	    "servers",
	    json_pack("[{s:s, s:s}]", "url", "http://localhost", "description",
		"The Unix socket of the daemon, control.socket in its configuration: curl "
		"--unix-socket /run/pmrelay/control.sock http://localhost/version"),
	    "tags", tags, "paths", paths, "components", components());
}
