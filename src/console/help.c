/*
 * Help for a command, a noun or all of it, and the commands' part of the manual page.
 */

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/buf.h"
#include "base/mem.h"
#include "operations/operation.h"

#include "console/help.h"
#include "console/paint.h"
#include "console/words.h"

#define MOST_TEXT     (64U * 1024U)
#define USUAL_COLUMNS 80
#define INDENT        8

const char *
help_value_name(const struct argument *a)
{
	switch (a->kind) {
	case ARGUMENT_STRING:
		return "TEXT";
	case ARGUMENT_INTEGER:
		return "NUMBER";
	case ARGUMENT_BOOLEAN:
		return NULL;
	case ARGUMENT_CHOICE:
		return "CHOICE";
	case ARGUMENT_TIME:
		return "SPAN";
	case ARGUMENT_WHEN:
		return "MOMENT";
	case ARGUMENT_LIST:
		return a->choices != NULL ? "CHOICE" : "TEXT";
	case ARGUMENT_PAIRS:
		return "KEY=VALUE";
	case ARGUMENT_HEADERS:
		return "HEADER";
	case ARGUMENT_FILES:
		return "NAME=FILE";
	case ARGUMENT_ATTACHMENTS:
		return "FILE";
	case ARGUMENT_OBJECT:
	case ARGUMENT_ARRAY:
	case ARGUMENT_ANY:
		return "JSON";
	case ARGUMENT_BYTES:
		return "FILE";
	}
	return "TEXT";
}

static bool
is_word(const struct argument *a)
{
	return a->place != IN_ARGUMENTS || a->word;
}

static bool
is_repeated(const struct argument *a)
{
	return a->kind == ARGUMENT_LIST || a->kind == ARGUMENT_PAIRS ||
	       a->kind == ARGUMENT_HEADERS || a->kind == ARGUMENT_FILES ||
	       a->kind == ARGUMENT_ATTACHMENTS;
}

/* "ID", "JSON|@FILE": a word that is no option. */
static void
add_place(struct buf *out, const struct argument *a)
{
	if (a->kind == ARGUMENT_BYTES) {
		buf_adds(out, "FILE");
	} else if (a->place == IN_WHOLE) {
		buf_adds(out, "@FILE");
	} else {
		for (const char *c = a->name; *c != '\0'; c++)
			buf_addc(out, (char)toupper((unsigned char)*c));
	}
}

/* "name" as it is typed: a secret's is that of its file. */
static void
add_option(struct buf *out, const struct argument *a)
{
	const char *value = help_value_name(a);

	if (a->secret) {
		buf_addf(out, "--%s-file FILE", a->name);
		return;
	}
	buf_addf(out, "--%s", a->name);
	if (value != NULL)
		buf_addf(out, " %s", value);
}

void
help_usage(struct buf *out, const struct operation *o)
{
	buf_adds(out, o->name);
	for (const struct argument *a = o->arguments; a->name != NULL; a++) {
		if (!is_word(a))
			continue;
		buf_adds(out, a->required ? " " : " [");
		add_place(out, a);
		if (a->kind == ARGUMENT_LIST)
			buf_adds(out, " ...");
		if (!a->required)
			buf_addc(out, ']');
	}
	for (const struct argument *a = o->arguments; a->name != NULL; a++) {
		if (is_word(a) || !a->required)
			continue;
		buf_addc(out, ' ');
		add_option(out, a);
	}
	buf_adds(out, " [OPTION ...]");
}

/* A preset as a person would type it. */
static void
add_preset(struct buf *out, const char *preset)
{
	json_t *value = json_loads(preset, JSON_DECODE_ANY, NULL), *each;
	size_t index;
	char *text;

	if (json_is_string(value)) {
		const char *string = json_string_value(value);

		buf_adds(out, string[0] != '\0' ? string : "an empty text");
	} else if (json_is_array(value)) {
		json_array_foreach(value, index, each)
		{
			if (index > 0)
				buf_adds(out, ", ");
			if (json_is_string(each))
				buf_adds(out, json_string_value(each));
		}
	} else {
		text = json_dumps(value, JSON_ENCODE_ANY);
		buf_adds(out, text != NULL ? text : preset);
		free(text);
	}
	json_decref(value);
}

static void
add_number(struct buf *out, const struct argument *a, int64_t number)
{
	static const struct {
		int64_t ms;
		const char *unit;
	} units[] = { { 86400000, "d" }, { 3600000, "h" }, { 60000, "m" }, { 1000, "s" } };

	for (size_t i = 0; a->kind == ARGUMENT_TIME && i < sizeof(units) / sizeof(units[0]); i++)
		if (number > 0 && number % units[i].ms == 0) {
			buf_addf(out, "%" PRId64 "%s", number / units[i].ms, units[i].unit);
			return;
		}
	buf_addf(out, "%" PRId64 "%s", number,
	    a->kind == ARGUMENT_TIME && number > 0 ? " milliseconds" : "");
}

/* Sentences about an argument: the table's, and what follows from its row. */
static void
add_sentences(struct buf *out, const struct argument *a)
{
	buf_adds(out, a->text != NULL ? a->text : "");
	if (argument_access_text(a) != NULL)
		buf_addf(out, " %s", argument_access_text(a));
	if (a->choices != NULL) {
		buf_adds(out, " One of ");
		for (size_t i = 0; a->choices[i] != NULL; i++)
			buf_addf(out, "%s%s", i > 0 ? ", " : "", a->choices[i]);
		buf_addc(out, '.');
	}
	/* What has no end says so with the largest number there is. */
	if (a->most != 0 && a->most < INT64_C(1000000000000)) {
		buf_adds(out, " From ");
		add_number(out, a, a->least);
		buf_adds(out, " to ");
		add_number(out, a, a->most);
		buf_addc(out, '.');
	}
	if (a->kind == ARGUMENT_ATTACHMENTS)
		buf_adds(out, " NAME=FILE gives it another name.");
	if (is_repeated(a) && !is_word(a))
		buf_adds(out, " May be repeated.");
	if (a->preset != NULL && strcmp(a->preset, "false") != 0) {
		buf_adds(out, " Default: ");
		add_preset(out, a->preset);
		if (a->resets)
			buf_adds(out, " (not with --keep)");
		if (a->kind == ARGUMENT_BOOLEAN)
			buf_addf(out, "; --no-%s turns it off", a->name);
		buf_addc(out, '.');
	} else if (a->preset != NULL && a->resets) {
		buf_adds(out, " Default: false (not with --keep).");
	}
}

/* --- on a terminal ------------------------------------------------------------------------- */

/* text in lines of at most so many columns, each after indent spaces. */
static void
add_wrapped(const struct paint *p, struct buf *out, const char *text, size_t indent)
{
	size_t columns = p->columns >= 40 && p->columns < 100 ? p->columns : USUAL_COLUMNS;
	size_t used = 0;

	while (*text != '\0') {
		size_t len = strcspn(text, " ");
		size_t width = paint_width(text, len);

		if (used > 0 && indent + used + 1 + width > columns) {
			buf_addc(out, '\n');
			used = 0;
		}
		if (used == 0) {
			paint_pad(out, indent);
		} else {
			buf_addc(out, ' ');
			used++;
		}
		buf_add(out, text, len);
		used += width;
		text += len;
		text += strspn(text, " ");
	}
	buf_addc(out, '\n');
}

static void
add_argument(const struct paint *p, struct buf *out, const struct argument *a)
{
	struct buf text;

	buf_init(&text, MOST_TEXT);
	buf_adds(out, "  ");
	buf_adds(out, paint_begin(p, HUE_BOLD));
	if (is_word(a))
		add_place(out, a);
	else
		add_option(out, a);
	buf_adds(out, paint_end(p, HUE_BOLD));
	if (a->required)
		paint_add(p, out, HUE_DIM, "  required");
	buf_addc(out, '\n');
	add_sentences(&text, a);
	add_wrapped(p, out, text.data, INDENT);
	buf_free(&text);
}

static void
add_own_option(const struct paint *p, struct buf *out, const struct words_option *option)
{
	buf_adds(out, "  ");
	buf_adds(out, paint_begin(p, HUE_BOLD));
	buf_addf(out, "--%s", option->name);
	if (option->value != NULL)
		buf_addf(out, " %s", option->value);
	buf_adds(out, paint_end(p, HUE_BOLD));
	buf_addc(out, '\n');
	add_wrapped(p, out, option->text, INDENT);
}

/* "{server-id}" stands for one that the reader has: SERVER-ID. */
static void
add_example(struct buf *out, const char *example)
{
	for (const char *c = example; *c != '\0'; c++) {
		size_t len = strspn(c + 1, "abcdefghijklmnopqrstuvwxyz-");

		if (*c == '{' && len > 0 && c[len + 1] == '}' && (c == example || c[-1] != '{')) {
			for (size_t i = 1; i <= len; i++)
				buf_addc(out, (char)toupper((unsigned char)c[i]));
			c += len + 1;
		} else {
			buf_addc(out, *c);
		}
	}
}

/* What a JSON looks like that must be given. */
static void
add_sample(struct buf *out, const struct argument *a)
{
	json_t *sample = json_loads(a->sample, JSON_DECODE_ANY, NULL);
	char *text = json_dumps(sample, JSON_INDENT(2) | JSON_ENCODE_ANY);

	buf_adds(out, "\nIts shape:\n");
	for (const char *at = text; at != NULL && *at != '\0';) {
		size_t len = strcspn(at, "\n");

		buf_addf(out, "  %.*s\n", (int)len, at);
		at += len + (at[len] == '\n');
	}
	free(text);
	json_decref(sample);
}

void
help_operation(const struct paint *p, struct buf *out, const struct operation *o)
{
	struct buf usage;
	bool any = false;

	buf_init(&usage, MOST_TEXT);
	buf_adds(&usage, "usage: pmrelayctl ");
	help_usage(&usage, o);
	add_wrapped(p, out, usage.data, 0);
	buf_free(&usage);
	buf_addc(out, '\n');
	buf_adds(out, o->help);
	buf_adds(out, ".\n");
	if (o->text != NULL)
		add_wrapped(p, out, o->text, 0);
	if (o->destroys)
		add_wrapped(p, out, "Asks first on a terminal; without one it takes --yes.", 0);
	for (const struct argument *a = o->arguments; a->name != NULL; a++) {
		if (!any)
			buf_addc(out, '\n');
		any = true;
		add_argument(p, out, a);
	}
	for (const struct words_option *own = words_options_of(o); own->name != NULL; own++)
		add_own_option(p, out, own);
	if (operation_is_remote(o))
		add_argument(p, out, &operation_connection);
	buf_addc(out, '\n');
	if (any)
		add_wrapped(p, out,
		    "A text or JSON may be @FILE, or - for the standard input; @@ stands for an @ "
		    "at "
		    "its beginning.",
		    0);
	add_wrapped(p, out, "Options of every command: pmrelayctl help.", 0);
	for (const struct argument *a = o->arguments; a->name != NULL; a++)
		if (a->sample != NULL)
			add_sample(out, a);
	if (o->example != NULL) {
		buf_adds(out, "\nExample:\n  pmrelayctl ");
		add_example(out, o->example);
		buf_addc(out, '\n');
	}
}

static size_t
noun_len(const struct operation *o)
{
	return strcspn(o->name, " ");
}

static bool
same_noun(const struct operation *a, const struct operation *b)
{
	return noun_len(a) == noun_len(b) && memcmp(a->name, b->name, noun_len(a)) == 0;
}

static void
add_line(const struct paint *p, struct buf *out, const char *name, const char *help, size_t width)
{
	buf_adds(out, "  ");
	paint_add(p, out, HUE_BOLD, name);
	paint_pad(out, width - strlen(name) + 2);
	buf_addf(out, "%s\n", help);
}

static size_t
longest_name(void)
{
	size_t longest = 0;

	for (const struct operation *o = operation_table; o->name != NULL; o++)
		if (strlen(o->name) > longest)
			longest = strlen(o->name);
	return longest;
}

void
help_noun(const struct paint *p, struct buf *out, const char *noun)
{
	size_t width = longest_name();

	if (strcmp(noun, "completion") == 0) {
		buf_adds(out, "usage: pmrelayctl completion bash|zsh|fish\n\n"
			      "Print the script that completes commands in this shell.\n\n"
			      "Example:\n  source <(pmrelayctl completion bash)\n");
		return;
	}
	if (strcmp(noun, "help") == 0) {
		buf_adds(out, "usage: pmrelayctl help [COMMAND]\n\n"
			      "Explain a command, the commands of a noun, or list all.\n");
		return;
	}
	buf_addf(out, "usage: pmrelayctl %s VERB [ARGUMENT ...] [OPTION ...]\n\n", noun);
	for (const struct operation *o = operation_table; o->name != NULL; o++)
		if (strncmp(o->name, noun, strlen(noun)) == 0 &&
		    (o->name[strlen(noun)] == ' ' || o->name[strlen(noun)] == '\0'))
			add_line(p, out, o->name, o->help, width);
	buf_addf(out, "\nAbout one of them: pmrelayctl help %s VERB\n", noun);
}

void
help_all(const struct paint *p, struct buf *out)
{
	size_t width = longest_name();

	buf_adds(out, "usage: pmrelayctl [OPTION ...] COMMAND [ARGUMENT ...] [OPTION ...]\n");
	for (const struct operation *o = operation_table; o->name != NULL; o++) {
		bool alone =
		    strchr(o->name, ' ') == NULL && (o[1].name == NULL || !same_noun(o, o + 1));

		/* Nouns apart from each other; single words together. */
		if (o == operation_table ||
		    (!same_noun(o, o - 1) && !(alone && strchr(o[-1].name, ' ') == NULL)))
			buf_addc(out, '\n');
		add_line(p, out, o->name, o->help, width);
	}
	buf_addc(out, '\n');
	add_line(p, out, "help [COMMAND]", "Explain a command", width);
	add_line(p, out, "completion SHELL", "Print the completion of bash, zsh or fish", width);
	buf_adds(
	    out, "\nOptions, before the command or, where it has none of that name, behind it:\n");
	for (const struct words_option *own = words_options; own->name != NULL; own++)
		add_own_option(p, out, own);
	buf_adds(out, "\nSee pmrelayctl(8).\n");
}

/* --- the manual page ----------------------------------------------------------------------- */

/* One character of running text for roff. */
static void
add_roff_char(struct buf *out, char c, bool first)
{
	if (first && (c == '.' || c == '\''))
		buf_adds(out, "\\&");
	if (c == '\\')
		buf_adds(out, "\\e");
	else
		buf_addc(out, c);
}

/* Running text: a line for each sentence, none too long. */
static void
add_roff(struct buf *out, const char *text)
{
	size_t used = 0;
	bool ended = false; /* the last word ended a sentence */

	while (*text != '\0') {
		size_t len = strcspn(text, " ");

		if (used > 0 && (ended || used + 1 + len > 76)) {
			buf_addc(out, '\n');
			used = 0;
		} else if (used > 0) {
			buf_addc(out, ' ');
			used++;
		}
		for (size_t i = 0; i < len; i++)
			add_roff_char(out, text[i], used == 0 && i == 0);
		used += len;
		ended = len > 1 && text[len - 1] == '.';
		text += len;
		text += strspn(text, " ");
	}
	if (used > 0)
		buf_addc(out, '\n');
}

/* Words after a macro: each may look like another macro. */
static void
add_roff_word(struct buf *out, const char *word, bool lower)
{
	buf_adds(out, isupper((unsigned char)word[0]) && !lower ? "\\&" : "");
	for (const char *c = word; *c != '\0'; c++)
		add_roff_char(out, lower ? (char)tolower((unsigned char)*c) : *c, c == word);
}

static void
add_roff_place(struct buf *out, const struct argument *a)
{
	struct buf name;

	buf_init(&name, MOST_TEXT);
	add_place(&name, a);
	buf_adds(out, "Ar ");
	add_roff_word(out, name.data, true);
	if (a->kind == ARGUMENT_LIST)
		buf_adds(out, " ...");
	buf_free(&name);
}

static void
add_roff_option(struct buf *out, const struct argument *a)
{
	const char *value = help_value_name(a);

	if (a->secret) {
		buf_addf(out, "Fl -%s-file Ar file", a->name);
		return;
	}
	buf_addf(out, "Fl -%s", a->name);
	if (value != NULL) {
		buf_adds(out, " Ar ");
		add_roff_word(out, value, true);
	}
}

static void
add_roff_argument(struct buf *out, const struct argument *a)
{
	struct buf text;

	buf_init(&text, MOST_TEXT);
	buf_adds(out, ".It ");
	if (is_word(a))
		add_roff_place(out, a);
	else
		add_roff_option(out, a);
	buf_addc(out, '\n');
	add_sentences(&text, a);
	add_roff(out, text.data != NULL ? text.data : "");
	buf_free(&text);
}

static void
add_roff_operation(struct buf *out, const struct operation *o)
{
	struct buf text;
	bool any = false;

	buf_addf(out, ".It Ic %s", o->name);
	for (const struct argument *a = o->arguments; a->name != NULL; a++) {
		if (!is_word(a))
			continue;
		buf_adds(out, a->required ? " " : " Op ");
		add_roff_place(out, a);
	}
	for (const struct argument *a = o->arguments; a->name != NULL; a++) {
		if (is_word(a) || !a->required)
			continue;
		buf_addc(out, ' ');
		add_roff_option(out, a);
	}
	buf_adds(out, " Op Ar option ...\n");
	buf_init(&text, MOST_TEXT);
	buf_addf(&text, "%s.", o->help);
	if (o->text != NULL)
		buf_addf(&text, " %s", o->text);
	add_roff(out, text.data);
	buf_free(&text);
	for (const struct argument *a = o->arguments; a->name != NULL; a++) {
		if (!any)
			buf_adds(out, ".Bl -tag -width Ds\n");
		any = true;
		add_roff_argument(out, a);
	}
	for (const struct words_option *own = words_options_of(o); own->name != NULL; own++) {
		buf_addf(out, ".It Fl -%s\n", own->name);
		add_roff(out, own->text);
	}
	if (any)
		buf_adds(out, ".El\n");
}

void
help_manual(struct buf *out)
{
	for (const struct operation *o = operation_table; o->name != NULL; o++) {
		if (o == operation_table || !same_noun(o, o - 1)) {
			buf_addf(out, ".Ss %.*s\n", (int)noun_len(o), o->name);
			buf_adds(out, ".Bl -tag -width Ds\n");
		}
		add_roff_operation(out, o);
		if (o[1].name == NULL || !same_noun(o, o + 1))
			buf_adds(out, ".El\n");
	}
}
