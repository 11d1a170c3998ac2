/*
 * doc/connector.md against the table of operations, and both against the connector's own list of
 * actions, inputs and defaults.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <jansson.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/strlist.h"

#include "operations/operation.h"

/* As the connector's document has them, in its order. */
static const struct input {
	const char *action, *label, *preset;
} inputs[] = {
	/* clang-format off */
	{ "createserver", "Connection", "" },
	{ "createserver", "Server Name", "" },
	{ "createserver", "Server Color", "" },
	{ "createserver", "SMTP API Activated", "false" },
	{ "createserver", "Raw Email Enabled", "false" },
	{ "createserver", "Delivery Type", "Live" },
	{ "createserver", "Inbound Hook URL", "" },
	{ "createwebhook", "Connection", "" },
	{ "createwebhook", "Webhook URL", "" },
	{ "createwebhook", "Triggers",
	    "{\"Open\":{\"Enabled\":true,\"PostFirstOpenOnly\":false},\"Click\":{\"Enabled\""
	    ":true},\"Delivery\":{\"Enabled\":true},\"Bounce\":{\"Enabled\":false,\"Include"
	    "Content\":false},\"SpamComplaint\":{\"Enabled\":false,\"IncludeContent\":false"
	    "},\"SubscriptionChange\":{\"Enabled\":false}}" },
	{ "deleteinstancedwebhooks", "Connection", "" },
	{ "deleteserver", "Connection", "" },
	{ "deleteserver", "Server ID", "" },
	{ "deletewebhook", "Connection", "" },
	{ "deletewebhook", "Webhook ID", "" },
	{ "editservers", "Connection", "" },
	{ "editservers", "Server ID", "" },
	{ "editservers", "Server Name", "" },
	{ "editservers", "Server Color", "" },
	{ "editservers", "SMTP API Activated", "false" },
	{ "editservers", "Raw Email Enabled", "false" },
	{ "editservers", "Inbound Hook URL", "" },
	{ "editservers", "Enable SMTP API Error Hooks", "false" },
	{ "editserver", "Connection", "" },
	{ "editserver", "Server Name", "" },
	{ "editserver", "Server Color", "" },
	{ "editwebhook", "Connection", "" },
	{ "editwebhook", "Webhook ID", "" },
	{ "editwebhook", "Webhook URL", "" },
	{ "editwebhook", "Triggers",
	    "{\"Open\":{\"Enabled\":true,\"PostFirstOpenOnly\":false},\"Click\":{\"Enabled\""
	    ":true},\"Delivery\":{\"Enabled\":true},\"Bounce\":{\"Enabled\":false,\"Include"
	    "Content\":false},\"SpamComplaint\":{\"Enabled\":false,\"IncludeContent\":false"
	    "},\"SubscriptionChange\":{\"Enabled\":false}}" },
	{ "getservers", "Server ID", "" },
	{ "getservers", "Connection", "" },
	{ "getserver", "Connection", "" },
	{ "getwebhook", "Connection", "" },
	{ "getwebhook", "Webhook ID", "" },
	{ "listservers", "Connection", "" },
	{ "listservers", "Count", "" },
	{ "listservers", "Offset", "" },
	{ "listservers", "Server Name", "" },
	{ "listwebhooks", "Connection", "" },
	{ "listwebhooks", "Show Only Instance Webhooks", "true" },
	{ "rawrequest", "Connection", "" },
	{ "rawrequest", "URL", "" },
	{ "rawrequest", "Method", "" },
	{ "rawrequest", "Data", "" },
	{ "rawrequest", "Form Data", "" },
	{ "rawrequest", "File Data", "" },
	{ "rawrequest", "File Data File Names", "" },
	{ "rawrequest", "Query Parameter", "" },
	{ "rawrequest", "Header", "" },
	{ "rawrequest", "Response Type", "json" },
	{ "rawrequest", "Timeout", "" },
	{ "rawrequest", "Debug Request", "false" },
	{ "rawrequest", "Retry Delay (ms)", "0" },
	{ "rawrequest", "Retry On All Errors", "false" },
	{ "rawrequest", "Max Retry Count", "0" },
	{ "rawrequest", "Use Exponential Backoff", "false" },
	{ "sendsingleemail", "Connection", "" },
	{ "sendsingleemail", "From Address", "" },
	{ "sendsingleemail", "To Address", "" },
	{ "sendsingleemail", "Cc", "" },
	{ "sendsingleemail", "Bcc", "" },
	{ "sendsingleemail", "Subject", "" },
	{ "sendsingleemail", "Tag", "" },
	{ "sendsingleemail", "Html Body", "" },
	{ "sendsingleemail", "Text Body", "" },
	{ "sendsingleemail", "Reply To", "" },
	{ "sendsingleemail", "Track Opens", "true" },
	{ "sendsingleemail", "Headers", "" },
	{ "sendsingleemail", "Metadata", "" },
	{ "sendsingleemail", "Attachments", "" },
	{ "sendbatchemail", "Connection", "" },
	{ "sendbatchemail", "Emails",
	    "[{\"fromAddress\":\"test@example.com\",\"toAddress\":\"user@example.com\",\"cc"
	    "Address\":\"cc@example.com\",\"bccAddress\":\"bcc@example.com\",\"subject\":\""
	    "Hello, world!\",\"tag\":\"tag-example\",\"htmlBody\":\"<p>Hello, world!</p>\","
	    "\"textBody\":\"Hello, world!\",\"replyTo\":\"reply@example.com\",\"headers\":["
	    "{\"Name\":\"CUSTOM-HEADER\",\"Value\":\"value\"}],\"metadata\":{\"color\":\"gr"
	    "een\",\"client-id\":\"12345\"},\"attachments\":[{\"Name\":\"readme.txt\",\"Con"
	    "tent\":\"dGVzdCBjb250ZW50\",\"ContentType\":\"text/plain\"},{\"Name\":\"report"
	    ".pdf\",\"Content\":\"dGVzdCBjb250ZW50\",\"ContentType\":\"application/octet-st"
	    "ream\"}]},{}]" },
	{ "sendbatchemailwithtemplate", "Connection", "" },
	{ "sendbatchemailwithtemplate", "Messages",
	    "{\"Messages\":[{\"From\":\"sender@example.com\",\"To\":\"receiver@example.com\""
	    ",\"TemplateId\":31941508,\"TemplateModel\":{\"fizz\":\"buzz\"}},{\"From\":\"se"
	    "nder@example.com\",\"To\":\"receiver@example.com\",\"TemplateAlias\":\"code-yo"
	    "ur-own\",\"TemplateModel\":{\"fizz\":\"buzz\"}}]}" },
	{ "sendemailwithtemplate", "Connection", "" },
	{ "sendemailwithtemplate", "From Address", "" },
	{ "sendemailwithtemplate", "To Address", "" },
	{ "sendemailwithtemplate", "Cc", "" },
	{ "sendemailwithtemplate", "Bcc", "" },
	{ "sendemailwithtemplate", "Subject", "" },
	{ "sendemailwithtemplate", "Tag", "" },
	{ "sendemailwithtemplate", "Html Body", "" },
	{ "sendemailwithtemplate", "Text Body", "" },
	{ "sendemailwithtemplate", "Reply To", "" },
	{ "sendemailwithtemplate", "Track Opens", "true" },
	{ "sendemailwithtemplate", "Headers", "" },
	{ "sendemailwithtemplate", "Metadata", "" },
	{ "sendemailwithtemplate", "Attachments", "" },
	{ "sendemailwithtemplate", "Template ID", "" },
	{ "sendemailwithtemplate", "Template Model", "{\"fizz\":\"buzz\",\"test\":\"case\"}" },
	{ "sendemailwithtemplate", "Template Alias", "" },
	{ "sendemailwithtemplate", "Inline Css", "true" },
	/* clang-format on */
};
#define INPUT_COUNT (sizeof(inputs) / sizeof(inputs[0]))

/* ---- the document ------------------------------------------------------------------------ */

/* A line of a table in the document. */
enum {
	INPUT,
	DEFAULT,
	OPERATION,
	ARGUMENT,
	PRESET,
	COMMAND,
	TEST,
	CELLS,
};
struct row {
	char *action; /* of the heading above */
	char *cells[CELLS];
};

static struct row rows[2 * INPUT_COUNT];
static size_t row_count;

static char *
read_document(void)
{
	const char *folder = getenv("top_srcdir");
	char *path = mem_format("%s/doc/connector.md", folder == NULL ? "." : folder);
	FILE *file = fopen(path, "r");
	struct buf text;
	char part[4096];
	size_t len;

	if (file == NULL)
		fail_msg("%s cannot be read", path);
	buf_init(&text, 1 << 20);
	while ((len = fread(part, 1, sizeof(part), file)) > 0)
		buf_add(&text, part, len);
	fclose(file);
	free(path);
	return buf_take(&text, &len);
}

/* Cells stand between bars, with a space on either side; backquotes are taken off. */
static void
read_row(const char *action, const char *line)
{
	struct row *row = &rows[row_count];
	size_t cells = 0;

	if (row_count == sizeof(rows) / sizeof(rows[0]))
		fail_msg("more rows than inputs");
	line++;
	while (*line != '\0') {
		const char *end = strstr(line, " |");
		size_t len;

		if (end == NULL || cells == CELLS)
			fail_msg("%s: a row of %zu cells: %s", action, cells, line);
		line += *line == ' ' && line < end;
		len = (size_t)(end - line);
		if (len > 1 && line[0] == '`' && line[len - 1] == '`')
			row->cells[cells++] = mem_bytes(line + 1, len - 2);
		else
			row->cells[cells++] = mem_bytes(line, len);
		line = end + strlen(" |");
	}
	if (cells != CELLS)
		fail_msg("%s: a row of %zu cells", action, cells);
	row->action = mem_string(action);
	row_count++;
}

static int
read_rows(void **state)
{
	char *text = read_document(), *rest = text, *line;
	char action[64] = "";

	(void)state;
	while ((line = strsep(&rest, "\n")) != NULL) {
		if (strncmp(line, "## ", 3) == 0)
			action[0] = '\0';
		if (strncmp(line, "### ", 4) == 0 &&
		    sscanf(line, "### %*[^(](`%63[a-z]`)", action) != 1)
			fail_msg("no action: %s", line);
		if (line[0] == '|' && action[0] != '\0' && strncmp(line, "| input", 7) != 0 &&
		    strncmp(line, "| ---", 5) != 0)
			read_row(action, line);
	}
	free(text);
	return 0;
}

static int
free_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < row_count; i++) {
		free(rows[i].action);
		for (size_t j = 0; j < CELLS; j++)
			free(rows[i].cells[j]);
	}
	return 0;
}

/* ---- the table --------------------------------------------------------------------------- */

static const struct operation *
operation_named(const char *name)
{
	for (const struct operation *o = operation_table; o->name != NULL; o++)
		if (strcmp(o->name, name) == 0)
			return o;
	return NULL;
}

static bool
runs_action(const struct operation *operation, const char *action)
{
	const char *at = operation->action;
	size_t len = strlen(action);

	while (at != NULL) {
		if (strncmp(at, action, len) == 0 && (at[len] == ' ' || at[len] == '\0'))
			return true;
		at = strchr(at, ' ');
		if (at != NULL)
			at++;
	}
	return false;
}

static const struct operation *
operation_of(const char *action)
{
	for (const struct operation *o = operation_table; o->name != NULL; o++)
		if (runs_action(o, action))
			return o;
	return NULL;
}

static const struct argument *
argument_of(const struct operation *operation, const char *label)
{
	if (operation_is_remote(operation) && strcmp(operation_connection.label, label) == 0)
		return &operation_connection;
	for (const struct argument *a = operation->arguments; a->name != NULL; a++)
		if (a->label != NULL && strcmp(a->label, label) == 0)
			return a;
	return NULL;
}

/* Defaults of the connector are JSON, or a text without quotes. */
static bool
same_value(const char *preset, const char *json)
{
	json_t *value, *wanted;
	bool same;

	if (json == NULL || *preset == '\0')
		return json == NULL && *preset == '\0';
	value = json_loads(preset, JSON_DECODE_ANY, NULL);
	if (value == NULL)
		value = json_string(preset);
	wanted = json_loads(json, JSON_DECODE_ANY, NULL);
	same = json_equal(value, wanted) == 1;
	json_decref(value);
	json_decref(wanted);
	return same;
}

/* ---- tests ------------------------------------------------------------------------------- */

static void
test_table_has_inputs(void **state)
{
	(void)state;
	for (size_t i = 0; i < INPUT_COUNT; i++) {
		const struct input *in = &inputs[i];
		const struct operation *o = operation_of(in->action);
		const struct argument *a = o == NULL ? NULL : argument_of(o, in->label);

		if (a == NULL)
			fail_msg("%s: no argument for %s", in->action, in->label);
		if (*in->preset != '\0' &&
		    !same_value(in->preset, a->sample != NULL ? a->sample : a->preset))
			fail_msg("%s: %s has another default", in->action, in->label);
		/* A preset that the connector has not may only number the pages. */
		if (*in->preset == '\0' && a->preset != NULL && !a->resets &&
		    strcmp(in->label, "Count") != 0 && strcmp(in->label, "Offset") != 0)
			fail_msg("%s: %s has a default", in->action, in->label);
	}
}

/* And each label is one of the connector's. */
static void
test_inputs_have_labels(void **state)
{
	(void)state;
	for (const struct operation *o = operation_table; o->name != NULL; o++) {
		for (const struct argument *a = o->arguments; a->name != NULL; a++) {
			bool known = a->label == NULL;

			for (size_t i = 0; i < INPUT_COUNT; i++)
				known |= a->label != NULL && runs_action(o, inputs[i].action) &&
					 strcmp(inputs[i].label, a->label) == 0;
			if (!known)
				fail_msg("%s: the connector has no %s", o->name, a->label);
		}
	}
}

static void
test_document_has_inputs(void **state)
{
	(void)state;
	assert_int_equal(row_count, INPUT_COUNT);
	for (size_t i = 0; i < INPUT_COUNT; i++) {
		if (strcmp(rows[i].action, inputs[i].action) != 0 ||
		    strcmp(rows[i].cells[INPUT], inputs[i].label) != 0)
			fail_msg("row %zu: %s %s, wanted %s %s", i, rows[i].action,
			    rows[i].cells[INPUT], inputs[i].action, inputs[i].label);
		if (strcmp(rows[i].cells[DEFAULT], inputs[i].preset) != 0)
			fail_msg("%s %s: another default", inputs[i].action, inputs[i].label);
	}
}

static bool
preset_as_told(const struct row *row, const struct argument *a)
{
	const char *told = row->cells[PRESET], *preset = row->cells[DEFAULT];

	if (strcmp(told, "same") == 0)
		return !a->resets && same_value(preset, a->preset);
	if (strcmp(told, "same, unless `--keep`") == 0)
		return a->resets && same_value(preset, a->preset);
	if (strcmp(told, "same, as a sample") == 0)
		return a->required && a->preset == NULL && same_value(preset, a->sample);
	return *preset == '\0' && a->sample == NULL && same_value(told, a->preset);
}

/* "pmrelayctl raw METHOD PATH", "pmrelayctl send batch @FILE", "… server create --name" */
static bool
command_as_told(const struct row *row, const struct operation *o, const struct argument *a)
{
	const char *told = row->cells[COMMAND] + strlen("pmrelayctl ");
	char *option = mem_format("%s --%s", o->name, a->name);
	const char *rest = told + strlen(o->name);
	bool right;

	if (a->place == IN_WHOLE)
		right = strcmp(rest, " @FILE") == 0;
	else if (a->place == IN_PATH)
		right = strcmp(rest, " ID") == 0;
	else if (a->word)
		right = strcmp(told, "raw METHOD PATH") == 0;
	else
		right = strcmp(told, option) == 0;
	right &= strncmp(row->cells[COMMAND], "pmrelayctl ", strlen("pmrelayctl ")) == 0 &&
		 strncmp(told, o->name, strlen(o->name)) == 0;
	free(option);
	return right;
}

static void
test_document_tells_the_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < row_count; i++) {
		const struct row *row = &rows[i];
		const struct operation *o = operation_named(row->cells[OPERATION]);
		char *test = mem_format("test_%s", row->action);

		if (o == NULL || !runs_action(o, row->action))
			fail_msg("%s: %s does not run it", row->action, row->cells[OPERATION]);
		const struct argument *a = argument_of(o, row->cells[INPUT]);
		if (a == NULL || strcmp(a->name, row->cells[ARGUMENT]) != 0)
			fail_msg("%s: %s is another argument", row->action, row->cells[INPUT]);
		if (!preset_as_told(row, a))
			fail_msg("%s %s: another preset", row->action, row->cells[INPUT]);
		if (!command_as_told(row, o, a))
			fail_msg("%s %s: another command", row->action, row->cells[INPUT]);
		if (strcmp(row->cells[TEST], test) != 0)
			fail_msg("%s %s: another test", row->action, row->cells[INPUT]);
		free(test);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table_has_inputs),
		cmocka_unit_test(test_inputs_have_labels),
		cmocka_unit_test(test_document_has_inputs),
		cmocka_unit_test(test_document_tells_the_table),
	};

	return cmocka_run_group_tests(tests, read_rows, free_rows);
}
