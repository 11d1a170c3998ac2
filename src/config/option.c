/*
 * One option: its value read by its row, set, copied and printed.
 */

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/strlist.h"
#include "base/text.h"

#include "config/option.h"
#include "config/values.h"

/* ---- its name ---------------------------------------------------------------------------- */

char *
option_variable(const struct option_row *o, const char *title)
{
	char *name = title == NULL ? mem_format("PMRELAY_%s_%s", o->section, o->name)
				   : mem_format("PMRELAY_%s_%s_%s", o->section, title, o->name);

	for (char *c = name; *c != '\0'; c++) {
		if (*c == '-')
			*c = '_';
		else if (*c >= 'a' && *c <= 'z')
			*c = (char)(*c - 'a' + 'A');
	}
	return name;
}

char *
option_path(const struct option_row *o, const char *title)
{
	return title == NULL ? mem_format("%s.%s", o->section, o->name)
			     : mem_format("%s.%s.%s", o->section, title, o->name);
}

/* ---- reading a value --------------------------------------------------------------------- */

static int
find_choice(const char *const *choices, const char *text)
{
	for (int i = 0; choices[i] != NULL; i++)
		if (text_same(choices[i], text))
			return i;
	return -1;
}

/* Printable UTF-8: nothing in the settings may bring a line end or an escape into a header, a
 * log or a terminal. */
static bool
is_clean(const char *value, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)value[i] < ' ' || value[i] == 0x7f)
			return false;
	return text_is_utf8(value, len);
}

static void *
place(const struct option_row *o, void *base)
{
	return (char *)base + o->at;
}

static const void *
place_const(const struct option_row *o, const void *base)
{
	return (const char *)base + o->at;
}

static void
set_string(char **at, const char *value)
{
	char *copy = mem_string(value);

	free(*at);
	*at = copy;
}

int
option_set(const struct option_row *o, void *base, const char *value, size_t len)
{
	uint64_t number;
	int64_t ms;
	int choice = -1;
	bool yes = false;

	if (!is_clean(value, len))
		return -1;

	switch (o->kind) {
	case OPTION_STRING:
	case OPTION_SECRET_FILE:
		if (len > o->most || (o->right != NULL && !o->right(value, len)))
			return -1;
		if (o->choices != NULL) {
			choice = find_choice(o->choices, value);
			if (choice < 0)
				return -1;
			value = o->choices[choice];
		}
		if (base != NULL)
			set_string(place(o, base), value);
		return 0;
	case OPTION_CHOICE:
		choice = find_choice(o->choices, value);
		if (choice < 0)
			return -1;
		if (base != NULL)
			memcpy(place(o, base), &choice, sizeof(choice));
		return 0;
	case OPTION_TRISTATE:
		if (len > 0) {
			if (value_bool(value, &yes) != 0)
				return -1;
			choice = yes;
		}
		if (base != NULL)
			*(int *)place(o, base) = choice;
		return 0;
	case OPTION_BOOL:
		if (value_bool(value, &yes) != 0)
			return -1;
		if (base != NULL)
			*(bool *)place(o, base) = yes;
		return 0;
	case OPTION_NUMBER:
		if (text_number(value, len, o->least, o->most, &number) != 0)
			return -1;
		if (base != NULL)
			*(unsigned *)place(o, base) = (unsigned)number;
		return 0;
	case OPTION_SIZE:
		if (value_size(value, len, &number) != 0 || number < o->least || number > o->most)
			return -1;
		if (base != NULL)
			*(uint64_t *)place(o, base) = number;
		return 0;
	case OPTION_TIME:
		if (value_time(value, len, &ms) != 0 || (uint64_t)ms < o->least ||
		    (uint64_t)ms > o->most)
			return -1;
		if (base != NULL)
			*(int64_t *)place(o, base) = ms;
		return 0;
	case OPTION_LIST:
		if (!o->right(value, len))
			return -1;
		if (base != NULL) {
			struct strlist *list = place(o, base);

			if (list->count >= o->most)
				return -1;
			strlist_add_bytes(list, value, len);
		}
		return 0;
	case OPTION_SECRET:
		if (len > o->most || !o->right(value, len))
			return -1;
		if (base != NULL) {
			struct secret **secret = place(o, base);

			secret_free(secret);
			if (len > 0)
				*secret = secret_new(value, len);
		}
		return 0;
	}
	return -1;
}

void
option_clear(const struct option_row *o, void *base)
{
	switch (o->kind) {
	case OPTION_STRING:
	case OPTION_SECRET_FILE:
		set_string(place(o, base), "");
		break;
	case OPTION_LIST:
		strlist_free(place(o, base));
		break;
	case OPTION_SECRET:
		secret_free(place(o, base));
		break;
	case OPTION_CHOICE:
	case OPTION_TRISTATE:
	case OPTION_BOOL:
	case OPTION_NUMBER:
	case OPTION_SIZE:
	case OPTION_TIME:
		break;
	}
}

void
option_free(const struct option_row *o, void *base)
{
	char **text = place(o, base);

	option_clear(o, base);
	if (o->kind == OPTION_STRING || o->kind == OPTION_SECRET_FILE) {
		free(*text);
		*text = NULL;
	}
}

void
option_copy(const struct option_row *o, void *to, const void *from)
{
	const void *value = place_const(o, from);

	switch (o->kind) {
	case OPTION_STRING:
	case OPTION_SECRET_FILE:
		set_string(place(o, to), *(char *const *)value);
		break;
	case OPTION_LIST:
		strlist_free(place(o, to));
		strlist_copy(place(o, to), value);
		break;
	case OPTION_SECRET:
		secret_free(place(o, to));
		*(struct secret **)place(o, to) = secret_copy(*(struct secret *const *)value);
		break;
	case OPTION_CHOICE:
	case OPTION_TRISTATE:
		memcpy(place(o, to), value, sizeof(int));
		break;
	case OPTION_BOOL:
		memcpy(place(o, to), value, sizeof(bool));
		break;
	case OPTION_NUMBER:
		memcpy(place(o, to), value, sizeof(unsigned));
		break;
	case OPTION_SIZE:
	case OPTION_TIME:
		memcpy(place(o, to), value, sizeof(uint64_t));
		break;
	}
}

void
option_set_preset(const struct option_row *o, void *base)
{
	if (o->kind != OPTION_LIST) {
		if (option_set(o, base, o->preset, strlen(o->preset)) != 0)
			abort();
		return;
	}
	option_clear(o, base);
	for (const char *at = o->preset; *at != '\0';) {
		size_t len = strcspn(at, " ");

		strlist_add_bytes(place(o, base), at, len);
		at += len;
		at += strspn(at, " ");
	}
}

/* ---- printing values --------------------------------------------------------------------- */

static void
print_quoted(const char *text, struct buf *out)
{
	buf_addc(out, '"');
	for (; *text != '\0'; text++) {
		/* "$" would begin a variable where "{" follows. */
		if (strchr("\"\\$", *text) != NULL)
			buf_addc(out, '\\');
		buf_addc(out, *text);
	}
	buf_addc(out, '"');
}

void
option_print(const struct option_row *o, const void *base, struct buf *out)
{
	const void *at = place_const(o, base);
	const struct strlist *list;
	const struct secret *secret;
	int choice;

	switch (o->kind) {
	case OPTION_STRING:
	case OPTION_SECRET_FILE:
		print_quoted(*(char *const *)at, out);
		break;
	case OPTION_CHOICE:
		memcpy(&choice, at, sizeof(choice));
		buf_adds(out, o->choices[choice]);
		break;
	case OPTION_TRISTATE:
		choice = *(const int *)at;
		buf_adds(out, choice < 0 ? "\"\"" : choice ? "yes" : "no");
		break;
	case OPTION_BOOL:
		buf_adds(out, *(const bool *)at ? "yes" : "no");
		break;
	case OPTION_NUMBER:
		buf_addf(out, "%u", *(const unsigned *)at);
		break;
	case OPTION_SIZE:
		value_print_size(*(const uint64_t *)at, out);
		break;
	case OPTION_TIME:
		value_print_time((uint64_t) * (const int64_t *)at, out);
		break;
	case OPTION_LIST:
		list = at;
		buf_addc(out, '{');
		for (size_t i = 0; i < list->count; i++) {
			if (i > 0)
				buf_adds(out, ", ");
			print_quoted(list->items[i], out);
		}
		buf_addc(out, '}');
		break;
	case OPTION_SECRET:
		secret = *(struct secret *const *)at;
		print_quoted(secret == NULL ? "" : secret_text(secret), out);
		break;
	}
}

void
option_wanted(const struct option_row *o, struct buf *out)
{
	if (o->wanted != NULL) {
		buf_adds(out, o->wanted);
		return;
	}
	if (o->choices != NULL) {
		for (size_t i = 0; o->choices[i] != NULL; i++) {
			if (i > 0)
				buf_adds(out, o->choices[i + 1] == NULL ? " or " : ", ");
			buf_adds(out, o->choices[i][0] == '\0' ? "\"\"" : o->choices[i]);
		}
		return;
	}
	switch (o->kind) {
	case OPTION_TRISTATE:
		buf_adds(out, "yes, no or \"\"");
		break;
	case OPTION_BOOL:
		buf_adds(out, "yes or no");
		break;
	case OPTION_NUMBER:
		buf_addf(out, "a number from %llu to %llu", (unsigned long long)o->least,
		    (unsigned long long)o->most);
		break;
	case OPTION_SIZE:
		buf_adds(out, "a size from ");
		value_print_size(o->least, out);
		buf_adds(out, " to ");
		value_print_size(o->most, out);
		break;
	case OPTION_TIME:
		buf_adds(out, "a time from ");
		value_print_time(o->least, out);
		buf_adds(out, " to ");
		value_print_time(o->most, out);
		break;
	case OPTION_STRING:
	case OPTION_CHOICE:
	case OPTION_LIST:
	case OPTION_SECRET:
	case OPTION_SECRET_FILE:
		buf_adds(out, "a text");
		break;
	}
}

void
option_explain(const struct option_row *o, const char *value, struct buf *out)
{
	size_t wanted;

	option_wanted(o, out);
	if (o->explain == NULL)
		return;
	buf_adds(out, ": ");
	wanted = out->len;
	o->explain(value, strlen(value), out);
	/* Nothing more can be said. */
	if (out->len == wanted) {
		out->len -= 2;
		out->data[out->len] = '\0';
	}
}

bool
option_same(const struct option_row *o, const void *a, const void *b)
{
	struct buf text_a, text_b;
	bool same;

	buf_init(&text_a, SIZE_MAX);
	buf_init(&text_b, SIZE_MAX);
	option_print(o, a, &text_a);
	option_print(o, b, &text_b);
	same = text_a.len == text_b.len && memcmp(text_a.data, text_b.data, text_a.len) == 0;
	if (o->kind == OPTION_SECRET) {
		secret_wipe(text_a.data, text_a.len);
		secret_wipe(text_b.data, text_b.len);
	}
	buf_free(&text_a);
	buf_free(&text_b);
	return same;
}
