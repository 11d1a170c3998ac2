/*
 * Settings as a whole: where they come from (presets, file, environment, in this order) and what is
 * printed from the table.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/strlist.h"
#include "base/text.h"

#include "config/check.h"
#include "config/options.h"
#include "config/parse.h"
#include "config/values.h"

#define MOST_FILE_BYTES ((size_t)1024 * 1024)
#define LINE_WIDTH      76 /* of documents */

/* ---- birth and death --------------------------------------------------------------------- */

static struct config *
config_new(void)
{
	struct config *config = mem_new(sizeof(*config));
	struct option_place place = { 0 };

	while (option_place_next(config, &place))
		for (const struct option_row *o = place.section->rows; o->section != NULL; o++)
			option_set_preset(o, place.base);
	config->postmark.name = mem_string("default");
	return config;
}

void
config_free(struct config **config_p)
{
	struct config *config = *config_p;

	if (config == NULL)
		return;
	option_places_free(config);
	free(config->postmark.name);
	free(config);
	*config_p = NULL;
}

struct config *
config_copy(const struct config *config)
{
	struct config *copy = config_new();
	struct option_place from = { 0 }, to;

	while (option_place_next(config, &from)) {
		const struct option_section *s = from.section;

		if (from.title == NULL)
			option_place_find(copy, s->name, NULL, &to);
		else if (!option_place_add(copy, s, from.title, &to))
			abort();
		for (const struct option_row *o = s->rows; o->section != NULL; o++)
			option_copy(o, to.base, from.base);
	}
	return copy;
}

const struct connection *
config_connection_at(const struct config *config, size_t index)
{
	if (index == 0)
		return &config->postmark;
	return index <= config->connection_count ? &config->connections[index - 1] : NULL;
}

const struct connection *
config_connection(const struct config *config, const char *name)
{
	const struct connection *c;

	if (name == NULL || name[0] == '\0')
		return &config->postmark;
	for (size_t i = 0; (c = config_connection_at(config, i)) != NULL; i++)
		if (text_same(c->name, name))
			return c;
	return NULL;
}

const struct connection *
config_connection_first(const struct config *config, const struct connection *connection)
{
	const struct secret *token = connection->server_token;
	const struct connection *c;

	if (token == NULL)
		return NULL;
	for (size_t i = 0; (c = config_connection_at(config, i)) != NULL; i++)
		if (c->server_token != NULL &&
		    secret_same(c->server_token, secret_text(token), secret_len(token)))
			return c;
	return NULL;
}

/* ---- environment ------------------------------------------------------------------------- */

static const char *
environment_get(char *const *environment, const char *name)
{
	size_t len = strlen(name);

	for (; environment != NULL && *environment != NULL; environment++)
		if (strncmp(*environment, name, len) == 0 && (*environment)[len] == '=' &&
		    (*environment)[len + 1] != '\0')
			return *environment + len + 1;
	return NULL;
}

/*
 * The title in a variable of a section with titles, between what all of them begin with and the
 * option's name: "eu-west" for _EU_WEST_TOKEN and token.  NULL: it is none of that option; else
 * the caller frees it.
 */
static char *
title_of_variable(const struct option_row *o, const char *name, size_t len)
{
	size_t begin = strlen("PMRELAY_") + strlen(o->section) + 1;
	char *variable = option_variable(o, "X"), *title = NULL;
	const char *end = variable + begin + 1;
	size_t end_len = strlen(end);

	if (len > begin + end_len && memcmp(name, variable, begin) == 0 &&
	    memcmp(name + len - end_len, end, end_len) == 0) {
		title = mem_bytes(name + begin, len - begin - end_len);
		text_lower(title);
		for (char *c = title; *c != '\0'; c++)
			if (*c == '_')
				*c = '-';
	}
	free(variable);
	return title;
}

struct variable {
	struct option_place place;
	const struct option_row *row; /* NULL: the variable is no option */
};

/*
 * The option of a variable in a section with titles.  PMRELAY_CONNECTION_MY_ACCOUNT_TOKEN may be
 * token of my-account or account-token of my: a section of the file wins, of which there were
 * from_file, and then the longer name of an option.  False after a message in why.
 */
static bool
find_titled(struct config *config, const struct option_section *s, size_t from_file,
    const char *name, size_t len, struct variable *variable_r, struct buf *why)
{
	char *title = NULL, shown[120];
	bool result = true, known = false;
	size_t title_len = SIZE_MAX;

	for (const struct option_row *o = s->rows; o->section != NULL; o++) {
		char *this = title_of_variable(o, name, len);
		struct option_place place;
		bool there;

		if (this == NULL)
			continue;
		there = option_place_find(config, s->name, this, &place) && place.item < from_file;
		if (there && known) {
			buf_addf(why,
			    "environment: %s: found a name that %s.%s and %s.%s share, wanted "
			    "it in the file\n",
			    text_safe(shown, sizeof(shown), name, len), title,
			    variable_r->row->name, this, o->name);
			result = false;
		}
		if (there > known || (there == known && strlen(this) < title_len)) {
			free(title);
			title = this;
			title_len = strlen(title);
			known = there;
			variable_r->row = o;
		} else {
			free(this);
		}
	}
	if (result && title != NULL &&
	    !option_place_find(config, s->name, title, &variable_r->place)) {
		struct buf wrong;

		buf_init(&wrong, 1000);
		result = option_title_right(config, s, title, strlen(title), &wrong);
		if (!result)
			buf_addf(why, "environment: %s: %s\n",
			    text_safe(shown, sizeof(shown), name, len), wrong.data);
		else
			option_place_add(config, s, title, &variable_r->place);
		buf_free(&wrong);
	}
	free(title);
	return result;
}

/* What a variable sets; its place is made where it is new.  False after a message in why. */
static bool
find_variable(struct config *config, const size_t *from_file, const char *name, size_t len,
    struct variable *variable_r, struct buf *why)
{
	*variable_r = (struct variable){ .row = NULL };
	for (size_t i = 0; i < OPTION_SECTION_COUNT; i++) {
		const struct option_section *s = option_sections[i];

		for (const struct option_row *o = s->rows; !s->titled && o->section != NULL; o++) {
			char *variable = option_variable(o, NULL);
			bool found = strlen(variable) == len && memcmp(variable, name, len) == 0;

			free(variable);
			if (found) {
				variable_r->row = o;
				option_place_find(config, s->name, NULL, &variable_r->place);
				return true;
			}
		}
	}
	for (size_t i = 0; i < OPTION_SECTION_COUNT && variable_r->row == NULL; i++)
		if (option_sections[i]->titled && !find_titled(config, option_sections[i],
						      from_file[i], name, len, variable_r, why))
			return false;
	return true;
}

/*
 * Kubernetes puts PMRELAY_SMTP_SERVICE_HOST, PMRELAY_SMTP_PORT_2525_TCP and their like into every
 * container beside a service called pmrelay-smtp; they are nobody's mistake.
 */
static bool
is_service_link(const char *rest, size_t len)
{
	return (len >= 8 && memcmp(rest, "SERVICE_", 8) == 0) ||
	       (len == 4 && memcmp(rest, "PORT", 4) == 0) ||
	       (len >= 5 && memcmp(rest, "PORT_", 5) == 0);
}

/* A row's name from the end of a variable; of another section where neither has titles. */
static const struct option_row *
nearest_to_variable(const struct option_section *s, const char *end, size_t len)
{
	char asked[80];
	const struct option_row *near;

	text_safe(asked, sizeof(asked), end, len);
	for (char *c = asked; *c != '\0'; c++)
		*c = *c == '_' ? '-' : *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c;
	near = option_nearest(s->name, asked);
	if (near == NULL || strcmp(near->section, s->name) == 0)
		return near;
	return s->titled || option_section_find(near->section)->titled ? NULL : near;
}

static void
complain_of_variable(
    const char *name, size_t len, const struct option_row *near, const char *title, struct buf *why)
{
	char shown[120], *variable;

	text_safe(shown, sizeof(shown), name, len);
	if (near == NULL) {
		buf_addf(why, "environment: %s: no such option\n", shown);
		return;
	}
	variable = option_variable(near, title);
	buf_addf(why, "environment: %s: no such option, the nearest is %s\n", shown, variable);
	free(variable);
}

/* The same for PMRELAY_CONNECTION_ and what comes after it. */
static void
check_unknown_titled(
    const struct option_section *s, const char *name, size_t len, const char *rest, struct buf *why)
{
	const char *end = name + len;

	for (const char *at = rest; at < end; at++)
		if (at[-1] == '_' && is_service_link(at, (size_t)(end - at)))
			return;
	for (const char *at = rest + 1; at + 1 < end; at++) {
		const struct option_row *near;
		char title[80];

		near = *at != '_' ? NULL : nearest_to_variable(s, at + 1, (size_t)(end - at - 1));
		if (near == NULL)
			continue;
		text_safe(title, sizeof(title), rest, (size_t)(at - rest));
		complain_of_variable(name, len, near, title, why);
		return;
	}
	complain_of_variable(name, len, NULL, NULL, why);
}

/* A variable that looks like one of ours and is none: most likely a typing error. */
static void
check_unknown_variable(const char *name, size_t len, struct buf *why)
{
	for (size_t i = 0; i < OPTION_SECTION_COUNT; i++) {
		const struct option_section *s = option_sections[i];
		size_t begin = strlen("PMRELAY_") + strlen(s->name) + 1, rest_len = len - begin;
		const char *rest = name + begin;

		if (begin > len || rest[-1] != '_' ||
		    !text_same_n(name + strlen("PMRELAY_"), s->name, strlen(s->name)))
			continue;
		if (s->titled)
			check_unknown_titled(s, name, len, rest, why);
		else if (!is_service_link(rest, rest_len))
			complain_of_variable(
			    name, len, nearest_to_variable(s, rest, rest_len), NULL, why);
		return;
	}
}

static void
complain_of_value(
    const struct variable *v, const char *value, const struct buf *wanted, struct buf *why)
{
	const struct option_row *o = v->row;
	char *variable = option_variable(o, v->place.title), shown[100];

	buf_addf(why, "environment: %s: found ", variable);
	if (o->kind == OPTION_SECRET)
		buf_adds(why, "something else");
	else
		buf_addf(why, "\"%s\"", text_safe(shown, sizeof(shown), value, strlen(value)));
	buf_addf(why, ", wanted %s\n", wanted->data);
	free(variable);
}

static void
set_from_variable(const struct variable *v, const char *value, struct buf *why)
{
	const struct option_row *o = v->row;
	void *base = v->place.base;
	struct buf wanted;
	bool right = true;

	buf_init(&wanted, 2000);

	/* A secret from here displaces the file that another place named, and the reverse. */
	if (o->kind == OPTION_SECRET)
		option_clear(o + 1, base);
	if (o->kind == OPTION_SECRET_FILE)
		option_clear(o - 1, base);
	if (o->kind == OPTION_LIST) {
		option_clear(o, base);
		const char *apart = o->by_lines ? "\n" : ", ";

		for (const char *at = value + strspn(value, apart); *at != '\0' && right;) {
			size_t len = strcspn(at, apart);
			char *item = mem_bytes(at, len);

			right = option_set(o, base, item, len) == 0;
			if (!right)
				option_explain(o, item, &wanted);
			free(item);
			at += len;
			at += strspn(at, apart);
		}
	} else {
		right = option_set(o, base, value, strlen(value)) == 0;
		if (!right)
			option_explain(o, value, &wanted);
	}
	if (!right)
		complain_of_value(v, value, &wanted, why);
	buf_free(&wanted);
}
/* The value of a variable that is one of ours.  NULL: it is none, or empty. */
static const char *
variable_value(const char *entry, size_t *name_len_r)
{
	*name_len_r = strcspn(entry, "=");
	/* One that is empty is one that is not set: compose files hand on empty ones. */
	if (strncmp(entry, "PMRELAY_", strlen("PMRELAY_")) != 0 || entry[*name_len_r] == '\0' ||
	    entry[*name_len_r + 1] == '\0')
		return NULL;
	return entry + *name_len_r + 1;
}

/* A secret by value and by file, both in one place: which one is meant? */
static void
check_secrets(const struct config *config, struct lines *given, const char *name, struct buf *why)
{
	struct option_place place = { 0 };

	while (option_place_next(config, &place)) {
		for (const struct option_row *o = place.section->rows; o->section != NULL; o++) {
			unsigned line = *lines_at(given, &place, o);
			char *path;

			if (o->kind != OPTION_SECRET_FILE || line == 0 ||
			    *lines_at(given, &place, o - 1) == 0)
				continue;
			path = option_path(o, place.title);
			buf_addf(why, "%s:%u: %s: given as well as %s, wanted one of them\n", name,
			    line, path, o[-1].name);
			free(path);
		}
	}
}

static int
compare_entries(const void *a, const void *b)
{
	char *const *left = *(char *const *const *)a, *const *right = *(char *const *const *)b;
	size_t left_len = strcspn(*left, "="), right_len = strcspn(*right, "=");
	int order = memcmp(*left, *right, left_len < right_len ? left_len : right_len);

	if (order == 0 && left_len != right_len)
		order = left_len < right_len ? -1 : 1;
	/* Of two with one name the later one stays the later. */
	return order != 0 ? order : left < right ? -1 : left > right;
}

/*
 * The entries of an environment in the order of their names, because that of routes matters and
 * an environment has none.  Ends with NULL; the caller frees.
 */
static char *const **
sorted_environment(char *const *environment)
{
	char *const **sorted;
	size_t count = 0;

	while (environment != NULL && environment[count] != NULL)
		count++;
	sorted = mem_array(count + 1, sizeof(*sorted));
	for (size_t i = 0; i < count; i++)
		sorted[i] = &environment[i];
	if (count > 0)
		qsort(sorted, count, sizeof(*sorted), compare_entries);
	return sorted;
}

static void
read_environment(
    struct config *config, char *const *environment, struct lines *set, struct buf *why)
{
	char *const **sorted = sorted_environment(environment);
	size_t from_file[OPTION_SECTION_COUNT] = { 0 }, len;
	struct option_place place = { 0 };
	struct variable v;
	const char *value;

	while (option_place_next(config, &place))
		from_file[place.index]++;
	for (char *const **e = sorted; *e != NULL; e++) {
		if (variable_value(**e, &len) == NULL ||
		    !find_variable(config, from_file, **e, len, &v, why))
			continue;
		if (v.row == NULL)
			check_unknown_variable(**e, len, why);
		else
			*lines_at(set, &v.place, v.row) = 1;
	}
	check_secrets(config, set, "environment", why);
	for (char *const **e = sorted; *e != NULL; e++) {
		struct buf again;

		/* What is wrong with the name has been said. */
		buf_init(&again, 1000);
		value = variable_value(**e, &len);
		if (value != NULL && find_variable(config, from_file, **e, len, &v, &again) &&
		    v.row != NULL)
			set_from_variable(&v, value, why);
		buf_free(&again);
	}
	free(sorted);
}

/* ---- loading ----------------------------------------------------------------------------- */

static struct config *
load(const char *text, size_t len, const char *name, char *const *environment, struct buf *why)
{
	struct config *config = config_new();
	const struct option_row *allow = option_find("smtp", "allow");
	struct lines given = { 0 }, set = { 0 };
	size_t why_len = why->len;
	bool failed = false;

	if (text != NULL && parse_text(config, text, len, name, &given, why) != 0)
		failed = true;
	check_secrets(config, &given, name, why);
	read_environment(config, environment, &set, why);

	/* What is already known to be wrong needs no second message about how it fits. */
	if (!failed && why->len == why_len) {
		struct check check = {
			.config = config, .name = name, .given = &given, .why = why
		};
		struct option_place place;

		option_place_find(config, "smtp", NULL, &place);
		check.allow_given =
		    *lines_at(&given, &place, allow) > 0 || *lines_at(&set, &place, allow) > 0;
		check_all(&check);
	}
	lines_free(&given);
	lines_free(&set);
	if (failed || why->len != why_len)
		config_free(&config);
	return config;
}

struct config *
config_parse(const char *text, size_t len, const char *name, struct buf *why)
{
	return load(text == NULL ? "" : text, len, name, NULL, why);
}

/* 0, or -1 and errno. */
static int
read_file(const char *path, struct buf *text)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = -1;

	if (fd < 0)
		return -1;
	buf_init(text, MOST_FILE_BYTES);
	for (;;) {
		char *room = buf_reserve(text, 4096);

		if (room == NULL) {
			errno = EFBIG;
			got = -1;
			break;
		}
		got = read(fd, room, 4096);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		buf_grown(text, (size_t)got);
	}
	int saved = errno;
	close(fd);
	errno = saved;
	return got < 0 ? -1 : 0;
}

/* systemd.exec(5): LoadCredential=postmark-token:/path, LoadCredential=connection.eu.token:/path.
 */
static void
take_credentials(struct config *config, const char *folder)
{
	struct option_place place = { 0 };

	while (option_place_next(config, &place)) {
		for (const struct option_row *o = place.section->rows; o->section != NULL; o++) {
			char *base = place.base, *file;

			if (o->kind != OPTION_SECRET || *(struct secret **)(base + o->at) != NULL ||
			    (*(char **)(base + o[1].at))[0] != '\0')
				continue;
			file = place.title == NULL
				   ? mem_format("%s/%s-%s", folder, o->section, o->name)
				   : mem_format(
					 "%s/%s.%s.%s", folder, o->section, place.title, o->name);
			if (access(file, F_OK) == 0)
				option_set(o + 1, base, file, strlen(file));
			free(file);
		}
	}
}

struct config *
config_load(const char *path, char *const *environment, struct buf *why)
{
	struct config *config = NULL;
	struct buf text = { .fd = -1 };
	const char *folder;

	if (path == NULL) {
		config = load(NULL, 0, "settings", environment, why);
	} else if (read_file(path, &text) != 0) {
		buf_addf(why, "%s: %s\n", path, strerror(errno));
	} else {
		config = load(text.data == NULL ? "" : text.data, text.len, path, environment, why);
	}
	if (text.data != NULL)
		secret_wipe(text.data, text.len);
	buf_free(&text);
	if (config == NULL)
		return NULL;

	folder = environment_get(environment, "CREDENTIALS_DIRECTORY");
	if (folder != NULL)
		take_credentials(config, folder);
	return config;
}

static int
load_secret(const struct option_place *place, const struct option_row *o, struct buf *why)
{
	const char *path = *(char **)((char *)place->base + o->at);
	struct secret **secret = (struct secret **)((char *)place->base + o[-1].at), *read;
	char *option;

	if (path[0] == '\0')
		return 0;
	option = option_path(o, place->title);
	read = secret_read_file(path);
	if (read == NULL) {
		buf_addf(why, "%s: %s: %s\n", option, path,
		    errno == 0 ? "its first line is empty" : strerror(errno));
	} else if (option_set(o - 1, NULL, secret_text(read), secret_len(read)) != 0) {
		buf_addf(why, "%s: %s: its first line is not ", option, path);
		option_wanted(o - 1, why);
		buf_addc(why, '\n');
		secret_free(&read);
	} else {
		secret_free(secret);
		*secret = read;
	}
	free(option);
	return read == NULL ? -1 : 0;
}

int
config_load_secrets(struct config *config, struct buf *why)
{
	struct option_place place = { 0 };
	int result = 0;

	while (option_place_next(config, &place))
		for (const struct option_row *o = place.section->rows; o->section != NULL; o++)
			if (o->kind == OPTION_SECRET_FILE && load_secret(&place, o, why) != 0)
				result = -1;
	return check_loaded(config, why) == 0 ? result : -1;
}

/* ---- printing ---------------------------------------------------------------------------- */

static void
print_place(const struct option_place *place, bool with_secrets, struct buf *out)
{
	const char *base = place->base;

	buf_addf(out, "%s%s%s {\n", place->section->name, place->title == NULL ? "" : " ",
	    place->title == NULL ? "" : place->title);
	for (const struct option_row *o = place->section->rows; o->section != NULL; o++) {
		bool shown = o->kind != OPTION_SECRET && o->kind != OPTION_SECRET_FILE;

		/* A secret that is there already is not read from its file again. */
		if (with_secrets && o->kind == OPTION_SECRET)
			shown = *(struct secret *const *)(base + o->at) != NULL;
		if (with_secrets && o->kind == OPTION_SECRET_FILE)
			shown = *(struct secret *const *)(base + o[-1].at) == NULL &&
				(*(char *const *)(base + o->at))[0] != '\0';
		if (shown) {
			buf_addf(out, "\t%s = ", o->name);
			option_print(o, base, out);
			buf_addc(out, '\n');
		}
	}
	buf_adds(out, "}\n");
}

void
config_print(const struct config *config, bool with_secrets, struct buf *out)
{
	struct option_place place = { 0 };

	while (option_place_next(config, &place))
		print_place(&place, with_secrets, out);
}

/* text in lines of at most LINE_WIDTH characters, each after before. */
static void
print_wrapped(const char *before, const char *text, struct buf *out)
{
	size_t column = 0;

	while (*text != '\0') {
		size_t len = strcspn(text, " ");

		if (column == 0) {
			buf_adds(out, before);
		} else if (column + 1 + len > LINE_WIDTH) {
			buf_addc(out, '\n');
			buf_adds(out, before);
			column = 0;
		} else {
			buf_addc(out, ' ');
			column++;
		}
		buf_add(out, text, len);
		column += len;
		text += len;
		text += strspn(text, " ");
	}
	buf_addc(out, '\n');
}

static void
sample_option(const struct option_section *s, const struct option_row *o, struct buf *out)
{
	struct buf wanted;

	print_wrapped("\t# ", o->text, out);
	buf_init(&wanted, 1000);
	buf_adds(&wanted, "Wanted: ");
	option_wanted(o, &wanted);
	buf_addf(&wanted, ".%s", o->reload == RELOAD_RESTART ? "  A change needs a restart." : "");
	print_wrapped("\t# ", wanted.data, out);
	buf_free(&wanted);
	buf_addf(out, "\t#%s = ", o->name);
	option_print_preset(s, o, out);
	buf_addc(out, '\n');
}

static void
sample_section(const struct option_section *s, struct buf *out)
{
	buf_addc(out, '\n');
	print_wrapped("# ", s->text, out);
	/* One with a title is there by standing there. */
	buf_addf(out, s->titled ? "#%s NAME {\n" : "%s {\n", s->name);
	for (const struct option_row *o = s->rows; o->section != NULL; o++) {
		if (o != s->rows)
			buf_addc(out, '\n');
		sample_option(s, o, out);
	}
	buf_adds(out, s->titled ? "#}\n" : "}\n");
}

void
config_sample(struct buf *out)
{
	buf_adds(out, "# Settings of pmrelayd; see pmrelay.conf(5).  Each option stands here with "
		      "its default.\n"
		      "# Take the # away to change one.  `pmrelayd -n` checks the file, SIGHUP "
		      "loads it again.\n"
		      "# Sizes: k, M, G (1024).  Times: ms, s, m, h, d.  The environment goes "
		      "before the file:\n"
		      "# PMRELAY_SMTP_MESSAGE_SIZE=5M, for example.\n");
	for (size_t i = 0; i < OPTION_SECTION_COUNT; i++)
		sample_section(option_sections[i], out);
}

/*
 * Text for mdoc: each sentence has its line, of at most width columns, none begins with a control
 * character, and a hyphen or backslash is itself.
 */
static void
print_roff(const char *text, size_t width, struct buf *out)
{
	size_t column = 0;

	while (*text != '\0') {
		size_t len = strcspn(text, " "), spaces = strspn(text + len, " ");

		if (column > 0 && column + 1 + len > width) {
			buf_addc(out, '\n');
			column = 0;
		}
		if (column > 0)
			buf_addc(out, ' ');
		else if (*text == '.' || *text == '\'')
			buf_adds(out, "\\&");
		for (size_t i = 0; i < len; i++) {
			if (text[i] == '\\')
				buf_adds(out, "\\e");
			else if (text[i] == '-')
				buf_adds(out, "\\-");
			else
				buf_addc(out, text[i]);
		}
		column += 1 + len;
		text += len + spaces;
		/* Two spaces part sentences. */
		if (spaces > 1) {
			buf_addc(out, '\n');
			column = 0;
		}
	}
	buf_addc(out, '\n');
}

static void
manual_option(const struct option_section *s, const struct option_row *o, struct buf *out)
{
	char *variable = option_variable(o, s->titled ? "NAME" : NULL);
	struct buf line;

	buf_addf(out, ".It Ic %s\n", o->name);
	print_roff(o->text, LINE_WIDTH, out);

	buf_init(&line, 2000);
	buf_adds(&line, "Wanted: ");
	option_wanted(o, &line);
	buf_addc(&line, '.');
	print_roff(line.data, LINE_WIDTH, out);
	buf_clear(&line);
	/* In one line where it may be a folder, which is as long as that of the build. */
	buf_adds(&line, "Default: ");
	option_print_preset(s, o, &line);
	buf_addc(&line, '.');
	print_roff(line.data, o->kind == OPTION_LIST ? LINE_WIDTH : SIZE_MAX, out);
	buf_free(&line);
	if (o->reload == RELOAD_RESTART)
		buf_adds(out, "A change needs a restart.\n");
	buf_addf(out, "Variable:\n.Ev %s .\n", variable);
	free(variable);
}

static void
manual_section(const struct option_section *s, struct buf *out)
{
	buf_addf(out, ".Ss %s%s\n", s->name, s->titled ? " NAME" : "");
	print_roff(s->text, LINE_WIDTH, out);
	buf_adds(out, ".Bl -tag -width Ds\n");
	for (const struct option_row *o = s->rows; o->section != NULL; o++)
		manual_option(s, o, out);
	buf_adds(out, ".El\n");
}

void
config_manual(struct buf *out)
{
	for (size_t i = 0; i < OPTION_SECTION_COUNT; i++)
		manual_section(option_sections[i], out);
}

void
config_keep_fixed(const struct config *old, struct config *next, struct strlist *names_r)
{
	struct option_place place = { 0 }, before;

	while (option_place_next(next, &place)) {
		const char *section = place.section->name;

		if (!option_place_find(old, section, place.title, &before))
			continue;
		for (const struct option_row *o = place.section->rows; o->section != NULL; o++) {
			if (o->reload != RELOAD_RESTART || option_same(o, before.base, place.base))
				continue;
			strlist_take(names_r, option_path(o, place.title));
			option_copy(o, place.base, before.base);
		}
	}
}
