/* Finding rows of the table. */

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

#include "operations/operation.h"

/* Longer than any name in the table: what is longer is like none of them. */
#define MOST_NAME 64

#define OPENAPI_PATH "/openapi.json"

size_t
operation_count(void)
{
	size_t count = 0;

	while (operation_table[count].name != NULL)
		count++;
	return count;
}

bool
operation_is_remote(const struct operation *operation)
{
	return operation->remote_path != NULL;
}

const struct argument *
operation_argument(const struct operation *operation, const char *name)
{
	for (const struct argument *a = operation->arguments; a->name != NULL; a++)
		if (strcmp(a->name, name) == 0)
			return a;
	if (operation_is_remote(operation) && strcmp(operation_connection.name, name) == 0)
		return &operation_connection;
	return NULL;
}

const struct argument *
operation_argument_at(const struct operation *operation, enum argument_place place)
{
	for (const struct argument *a = operation->arguments; a->name != NULL; a++)
		if (a->place == place)
			return a;
	return NULL;
}

const char *
argument_kind_name(enum argument_kind kind)
{
	switch (kind) {
	case ARGUMENT_STRING:
		return "a text";
	case ARGUMENT_INTEGER:
		return "a number";
	case ARGUMENT_BOOLEAN:
		return "true or false";
	case ARGUMENT_CHOICE:
		return "one of the choices";
	case ARGUMENT_TIME:
		return "a span of time, as 90s, 5m or 2d";
	case ARGUMENT_WHEN:
		return "a moment, as 2026-11-23T06:30:00Z, or 2h for two hours ago";
	case ARGUMENT_LIST:
		return "a list of texts";
	case ARGUMENT_PAIRS:
		return "keys with values";
	case ARGUMENT_HEADERS:
		return "headers, each a name with a value";
	case ARGUMENT_FILES:
		return "files by name";
	case ARGUMENT_ATTACHMENTS:
		return "files to attach";
	case ARGUMENT_OBJECT:
		return "a JSON object";
	case ARGUMENT_ARRAY:
		return "a JSON array";
	case ARGUMENT_ANY:
		return "any JSON";
	case ARGUMENT_BYTES:
		return "a file";
	}
	return "?";
}

/* ---- by path ----------------------------------------------------------------------------- */

char *
operation_path(const struct operation *operation)
{
	char *path;

	if (operation->run == RUN_OPENAPI)
		return mem_string(OPENAPI_PATH);
	path = mem_format("/%s", operation->name);
	for (char *c = path; *c != '\0'; c++)
		if (*c == ' ')
			*c = '/';
	return path;
}

/* Length of the operation's path if path begins with it, up to its end or a slash; else 0. */
static size_t
path_matches(const struct operation *operation, const char *path)
{
	size_t len = 1;

	if (operation->run == RUN_OPENAPI)
		return strcmp(path, OPENAPI_PATH) == 0 ? strlen(OPENAPI_PATH) : 0;
	if (path[0] != '/')
		return 0;
	for (const char *c = operation->name; *c != '\0'; c++, len++)
		if (path[len] != (*c == ' ' ? '/' : *c))
			return 0;
	return path[len] == '\0' || path[len] == '/' ? len : 0;
}

/* RFC 3986 2.1.  NULL: a percent sign without its digits, a NUL, or no UTF-8. */
static char *
path_decode(const char *text)
{
	char *decoded = mem_string(text);
	size_t len = 0;

	for (const char *c = text; *c != '\0'; c++, len++) {
		decoded[len] = *c;
		if (*c != '%')
			continue;

		int high = text_hex_digit(c[1]);
		int low = high < 0 ? -1 : text_hex_digit(c[2]);
		if (low < 0 || high + low == 0) {
			free(decoded);
			return NULL;
		}
		decoded[len] = (char)(high * 16 + low);
		c += 2;
	}
	decoded[len] = '\0';
	if (!text_is_utf8(decoded, len)) {
		free(decoded);
		return NULL;
	}
	return decoded;
}

const struct operation *
operation_by_path(const char *path, char **id_r)
{
	const struct operation *found = NULL;
	size_t most = 0;

	*id_r = NULL;
	for (const struct operation *o = operation_table; o->name != NULL; o++) {
		size_t len = path_matches(o, path);

		if (len > most) {
			most = len;
			found = o;
		}
	}
	if (found == NULL || path[most] == '\0')
		return found;

	const struct argument *in_path = operation_argument_at(found, IN_PATH);
	const char *rest = path + most + 1;
	if (in_path == NULL || *rest == '\0')
		return NULL;
	/* Choices may have a slash; in anything else it comes encoded. */
	if (in_path->kind != ARGUMENT_CHOICE && strchr(rest, '/') != NULL)
		return NULL;
	*id_r = path_decode(rest);
	return *id_r == NULL ? NULL : found;
}

/* ---- by words ---------------------------------------------------------------------------- */

/* How many words the name has, if they are the first of these; else 0. */
static size_t
words_match(const char *name, char *const *words, size_t count)
{
	size_t used = 0;

	while (used < count) {
		size_t len = strcspn(name, " ");

		if (strlen(words[used]) != len || memcmp(words[used], name, len) != 0)
			return 0;
		used++;
		if (name[len] == '\0')
			return used;
		name += len + 1;
	}
	return 0;
}

const struct operation *
operation_by_words(char *const *words, size_t count, size_t *used_r)
{
	const struct operation *found = NULL;

	*used_r = 0;
	for (const struct operation *o = operation_table; o->name != NULL; o++) {
		size_t used = words_match(o->name, words, count);

		if (used > *used_r) {
			*used_r = used;
			found = o;
		}
	}
	return found;
}

/* ---- who may ----------------------------------------------------------------------------- */

const char operation_hidden_note[] = "what mails say is shown to administrators alone";

const char *
argument_access_text(const struct argument *argument)
{
	if (!argument->admin)
		return NULL;
	return argument->kind == ARGUMENT_BOOLEAN
		   ? "For administrators alone."
		   : "Anything but the default is for administrators alone.";
}

/* ---- what is near ------------------------------------------------------------------------ */

/* Changes, insertions, deletions and swaps of neighbours between the two. */
static unsigned
distance(const char *a, const char *b)
{
	size_t a_len = strlen(a), b_len = strlen(b);
	unsigned row[3][MOST_NAME + 1];

	if (a_len > MOST_NAME || b_len > MOST_NAME)
		return UINT_MAX;
	for (size_t j = 0; j <= b_len; j++)
		row[0][j] = (unsigned)j;
	for (size_t i = 1; i <= a_len; i++) {
		const unsigned *before = row[(i + 1) % 3], *above = row[(i + 2) % 3];
		unsigned *here = row[i % 3];

		here[0] = (unsigned)i;
		for (size_t j = 1; j <= b_len; j++) {
			unsigned least = above[j - 1] + (a[i - 1] != b[j - 1]);

			if (above[j] + 1 < least)
				least = above[j] + 1;
			if (here[j - 1] + 1 < least)
				least = here[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    before[j - 2] + 1 < least)
				least = before[j - 2] + 1;
			here[j] = least;
		}
	}
	return row[a_len % 3][b_len];
}

/* Whether name is nearer to wanted than the nearest so far. */
static bool
is_nearer(const char *wanted, const char *name, unsigned *least)
{
	unsigned away = distance(wanted, name);

	if (away > 1 + strlen(name) / 3 || away >= *least)
		return false;
	*least = away;
	return true;
}

const char *
operation_nearest(const char *words)
{
	const char *nearest = NULL;
	unsigned least = UINT_MAX;
	size_t len = strlen(words);

	/* The noun alone: the first thing that can be done with it. */
	for (const struct operation *o = operation_table; o->name != NULL; o++)
		if (strncmp(o->name, words, len) == 0 && o->name[len] == ' ')
			return o->name;
	for (const struct operation *o = operation_table; o->name != NULL; o++)
		if (is_nearer(words, o->name, &least))
			nearest = o->name;
	return nearest;
}

const char *
operation_argument_nearest(const struct operation *operation, const char *name)
{
	const char *nearest = NULL;
	unsigned least = UINT_MAX;

	for (const struct argument *a = operation->arguments; a->name != NULL; a++)
		if (is_nearer(name, a->name, &least))
			nearest = a->name;
	if (operation_is_remote(operation) && is_nearer(name, operation_connection.name, &least))
		nearest = operation_connection.name;
	return nearest;
}
