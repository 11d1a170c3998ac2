/*
 * Settings as a whole: where they come from (presets, file, environment, in this order), what must
 * hold between them, and what is printed from the table.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
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

#include "config/options.h"
#include "config/parse.h"

#define MOST_FILE_BYTES ((size_t)1024 * 1024)
#define LINE_WIDTH      76 /* of documents */

/* ---- birth and death --------------------------------------------------------------------- */

static struct config *
config_new(void)
{
	struct config *config = mem_new(sizeof(*config));

	for (const struct option_row *o = option_table; o->section != NULL; o++)
		option_set_preset(o, config);
	return config;
}

void
config_free(struct config **config_p)
{
	struct config *config = *config_p;

	if (config == NULL)
		return;
	for (const struct option_row *o = option_table; o->section != NULL; o++) {
		option_clear(o, config);
		if (o->kind == OPTION_STRING || o->kind == OPTION_SECRET_FILE)
			free(*(char **)((char *)config + o->at));
	}
	free(config);
	*config_p = NULL;
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

static const struct option_row *
option_of_variable(const char *name, size_t len)
{
	const struct option_row *found = NULL;

	for (const struct option_row *o = option_table; o->section != NULL && found == NULL; o++) {
		char *variable = option_variable(o);

		if (strlen(variable) == len && memcmp(variable, name, len) == 0)
			found = o;
		free(variable);
	}
	return found;
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

/* A variable that looks like one of ours and is none: most likely a typing error. */
static void
check_unknown_variable(const char *name, size_t len, struct buf *why)
{
	const struct option_row *near;
	char shown[120], asked[80];

	for (const struct option_row *o = option_table; o->section != NULL; o++) {
		size_t section_len = strlen(o->section);
		const char *rest = name + strlen("PMRELAY_") + section_len + 1;

		if (strlen("PMRELAY_") + section_len + 1 > len || rest[-1] != '_' ||
		    !text_same_n(name + strlen("PMRELAY_"), o->section, section_len))
			continue;
		size_t rest_len = len - (size_t)(rest - name);
		if (is_service_link(rest, rest_len))
			return;
		text_safe(shown, sizeof(shown), name, len);
		text_safe(asked, sizeof(asked), rest, rest_len);
		for (char *c = asked; *c != '\0'; c++)
			*c = *c == '_' ? '-' : *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c;
		near = option_nearest(o->section, asked);
		if (near != NULL) {
			char *variable = option_variable(near);

			buf_addf(why, "environment: %s: no such option, the nearest is %s\n", shown,
			    variable);
			free(variable);
		} else {
			buf_addf(why, "environment: %s: no such option\n", shown);
		}
		return;
	}
}

static void
set_from_variable(
    const struct option_row *o, struct config *config, const char *value, struct buf *why)
{
	bool right = true;

	if (o->kind == OPTION_LIST) {
		option_clear(o, config);
		for (const char *at = value + strspn(value, ", "); *at != '\0' && right;) {
			size_t len = strcspn(at, ", ");
			char *item = mem_bytes(at, len);

			right = option_set(o, config, item, len) == 0;
			free(item);
			at += len;
			at += strspn(at, ", ");
		}
	} else {
		right = option_set(o, config, value, strlen(value)) == 0;
	}
	if (right)
		return;

	char *variable = option_variable(o), shown[100];

	buf_addf(why, "environment: %s: found ", variable);
	if (o->kind == OPTION_SECRET)
		buf_adds(why, "something else");
	else
		buf_addf(why, "\"%s\"", text_safe(shown, sizeof(shown), value, strlen(value)));
	buf_adds(why, ", wanted ");
	option_wanted(o, why);
	buf_addc(why, '\n');
	free(variable);
}

/* ---- rules between options --------------------------------------------------------------- */

/* A secret by value and by file, both in one place: which one is meant? */
static void
check_secrets(const unsigned *given, const char *name, struct buf *why)
{
	for (const struct option_row *o = option_table; o->section != NULL; o++)
		if (o->kind == OPTION_SECRET_FILE && given[o - option_table] > 0 &&
		    given[o - 1 - option_table] > 0)
			buf_addf(why, "%s:%u: %s.%s: given as well as %s, wanted one of them\n",
			    name, given[o - option_table], o->section, o->name, o[-1].name);
}

struct checked {
	const char *name;      /* of the file */
	const unsigned *given; /* lines in it */
	struct buf *why;
};

static void complain(const struct checked *, const char *section, const char *name,
    const char *format, ...) __attribute__((format(printf, 4, 5)));

static void
complain(const struct checked *c, const char *section, const char *name, const char *format, ...)
{
	const struct option_row *o = option_find(section, name);
	char text[300];
	va_list args;

	if (o == NULL)
		abort();
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (c->given[o - option_table] > 0)
		buf_addf(c->why, "%s:%u: ", c->name, c->given[o - option_table]);
	else
		buf_addf(c->why, "%s: ", c->name);
	buf_addf(c->why, "%s.%s: %s\n", section, name, text);
}

static void
cross_check(const struct config *config, bool allow_given, const struct checked *c)
{
	char shown[200];

	if (config->retry_most_ms < config->retry_least_ms)
		complain(c, "retry", "max", "found less than retry.min, wanted at least as much");
	if (config->smtp_memory_bytes < config->smtp_message_bytes)
		complain(c, "smtp", "memory",
		    "found less than smtp.message-size, wanted room for one mail at least");
	if (config->listen.count == 0)
		complain(c, "smtp", "listen", "found none, wanted an address at least");
	for (size_t i = 0; i < config->listen.count; i++) {
		const char *listener = config->listen.items[i];

		if (!value_listener_is_local(listener) && !allow_given)
			complain(c, "smtp", "listen",
			    "found %s, which others can reach, and no smtp.allow: wanted the "
			    "networks "
			    "that may send",
			    listener);
		for (size_t j = 0; j < i; j++)
			if (strcmp(listener, config->listen.items[j]) == 0)
				complain(c, "smtp", "listen", "found %s twice", listener);
	}
	if (!value_url_is_safe(config->postmark_url))
		complain(c, "postmark", "url",
		    "found %s, wanted https: the token would be sent for all to read",
		    text_safe(
			shown, sizeof(shown), config->postmark_url, strlen(config->postmark_url)));
	if (config->user[0] == '\0' && config->group[0] != '\0')
		complain(c, "process", "group", "found a group without process.user");
}

/* ---- loading ----------------------------------------------------------------------------- */

static struct config *
load(const char *text, size_t len, const char *name, char *const *environment, struct buf *why)
{
	struct config *config = config_new();
	unsigned *given = mem_array(option_count() + 1, sizeof(*given));
	unsigned *set = mem_array(option_count() + 1, sizeof(*set));
	const struct option_row *allow = option_find("smtp", "allow");
	size_t why_len = why->len;
	bool failed = false;

	if (text != NULL && parse_text(config, text, len, name, given, why) != 0)
		failed = true;
	check_secrets(given, name, why);

	for (const struct option_row *o = option_table; o->section != NULL; o++) {
		char *variable = option_variable(o);

		/* One that is empty is one that is not set: compose files hand on empty ones. */
		if (environment_get(environment, variable) != NULL)
			set[o - option_table] = 1;
		free(variable);
	}
	check_secrets(set, "environment", why);
	for (char *const *e = environment; e != NULL && *e != NULL; e++) {
		size_t name_len = strcspn(*e, "=");
		const struct option_row *o;

		if (strncmp(*e, "PMRELAY_", strlen("PMRELAY_")) != 0 || (*e)[name_len] == '\0' ||
		    (*e)[name_len + 1] == '\0')
			continue;
		o = option_of_variable(*e, name_len);
		if (o == NULL) {
			check_unknown_variable(*e, name_len, why);
			continue;
		}
		/* A secret from here displaces the file that another place named, and the reverse.
		 */
		if (o->kind == OPTION_SECRET)
			option_clear(o + 1, config);
		if (o->kind == OPTION_SECRET_FILE)
			option_clear(o - 1, config);
		set_from_variable(o, config, *e + name_len + 1, why);
	}

	/* What is already known to be wrong needs no second message about how it fits. */
	if (!failed && why->len == why_len) {
		struct checked checked = { .name = name, .given = given, .why = why };

		cross_check(config,
		    given[allow - option_table] > 0 || set[allow - option_table] > 0, &checked);
	}
	free(given);
	free(set);
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

	/* systemd.exec(5): LoadCredential=postmark-token:/path. */
	folder = environment_get(environment, "CREDENTIALS_DIRECTORY");
	if (folder != NULL && config->postmark_token == NULL &&
	    config->postmark_token_file[0] == '\0') {
		char *file = mem_format("%s/postmark-token", folder);

		if (access(file, F_OK) == 0) {
			free(config->postmark_token_file);
			config->postmark_token_file = file;
		} else {
			free(file);
		}
	}
	return config;
}

int
config_load_secrets(struct config *config, struct buf *why)
{
	int result = 0;

	for (const struct option_row *o = option_table; o->section != NULL; o++) {
		const char *path;
		struct secret **secret, *read;

		if (o->kind != OPTION_SECRET_FILE)
			continue;
		path = *(char **)((char *)config + o->at);
		secret = (struct secret **)((char *)config + o[-1].at);
		if (path[0] == '\0')
			continue;
		read = secret_read_file(path);
		if (read == NULL) {
			buf_addf(why, "%s.%s: %s: %s\n", o->section, o->name, path,
			    errno == 0 ? "its first line is empty" : strerror(errno));
			result = -1;
			continue;
		}
		if (option_set(o - 1, NULL, secret_text(read), secret_len(read)) != 0) {
			buf_addf(
			    why, "%s.%s: %s: its first line is not ", o->section, o->name, path);
			option_wanted(o - 1, why);
			buf_addc(why, '\n');
			secret_free(&read);
			result = -1;
			continue;
		}
		secret_free(secret);
		*secret = read;
	}
	return result;
}

/* ---- printing ---------------------------------------------------------------------------- */

static bool
begins_section(const struct option_row *o)
{
	return o == option_table || strcmp(o[-1].section, o->section) != 0;
}

static bool
ends_section(const struct option_row *o)
{
	return o[1].section == NULL || strcmp(o[1].section, o->section) != 0;
}

void
config_print(const struct config *config, bool with_secrets, struct buf *out)
{
	for (const struct option_row *o = option_table; o->section != NULL; o++) {
		bool shown = o->kind != OPTION_SECRET && o->kind != OPTION_SECRET_FILE;

		if (begins_section(o))
			buf_addf(out, "%s {\n", o->section);
		/* A secret that is there already is not read from its file again. */
		if (with_secrets && o->kind == OPTION_SECRET)
			shown = *(struct secret *const *)((const char *)config + o->at) != NULL;
		if (with_secrets && o->kind == OPTION_SECRET_FILE)
			shown =
			    *(struct secret *const *)((const char *)config + o[-1].at) == NULL &&
			    (*(char *const *)((const char *)config + o->at))[0] != '\0';
		if (shown) {
			buf_addf(out, "\t%s = ", o->name);
			option_print(o, config, out);
			buf_addc(out, '\n');
		}
		if (ends_section(o))
			buf_adds(out, "}\n");
	}
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
	for (const struct option_row *o = option_table; o->section != NULL; o++) {
		struct buf wanted;

		if (begins_section(o)) {
			buf_addc(out, '\n');
			print_wrapped("# ", option_section_text(o->section), out);
			buf_addf(out, "%s {\n", o->section);
		} else {
			buf_addc(out, '\n');
		}
		print_wrapped("\t# ", o->text, out);
		buf_init(&wanted, 1000);
		buf_adds(&wanted, "Wanted: ");
		option_wanted(o, &wanted);
		buf_addf(&wanted, ".%s",
		    o->reload == RELOAD_RESTART ? "  A change needs a restart." : "");
		print_wrapped("\t# ", wanted.data, out);
		buf_free(&wanted);
		buf_addf(out, "\t#%s = ", o->name);
		option_print_preset(o, out);
		buf_addc(out, '\n');
		if (ends_section(o))
			buf_adds(out, "}\n");
	}
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

void
config_manual(struct buf *out)
{
	for (const struct option_row *o = option_table; o->section != NULL; o++) {
		struct buf line;
		char *variable = option_variable(o);

		if (begins_section(o)) {
			buf_addf(out, ".Ss %s\n", o->section);
			print_roff(option_section_text(o->section), LINE_WIDTH, out);
			buf_adds(out, ".Bl -tag -width Ds\n");
		}
		buf_addf(out, ".It Ic %s\n", o->name);
		print_roff(o->text, LINE_WIDTH, out);

		buf_init(&line, 2000);
		buf_adds(&line, "Wanted: ");
		option_wanted(o, &line);
		buf_addc(&line, '.');
		print_roff(line.data, LINE_WIDTH, out);
		buf_clear(&line);
		/* In one line: the folders in it are as long as those of the build. */
		buf_adds(&line, "Default: ");
		option_print_preset(o, &line);
		buf_addc(&line, '.');
		print_roff(line.data, SIZE_MAX, out);
		buf_free(&line);
		if (o->reload == RELOAD_RESTART)
			buf_adds(out, "A change needs a restart.\n");
		buf_addf(out, "Variable:\n.Ev %s .\n", variable);
		free(variable);
		if (ends_section(o))
			buf_adds(out, ".El\n");
	}
}

void
config_keep_fixed(const struct config *old, struct config *next, struct strlist *names_r)
{
	for (const struct option_row *o = option_table; o->section != NULL; o++) {
		if (o->reload != RELOAD_RESTART || option_same(o, old, next))
			continue;
		strlist_take(names_r, mem_format("%s.%s", o->section, o->name));
		option_copy(o, next, old);
	}
}
