/*
 * The glue to libConfuse.  It reads the file into sections, names and values; what a name or a
 * value means is the table's business.
 *
 * libConfuse is kind to broken files: it takes a section or a comment that is never closed for
 * complete, drops characters that it does not know, cuts a value at a NUL and replaces ${NAME} by
 * the environment.  A setting that silently went missing is worse than an error, so the text is
 * inspected first, and libConfuse sees nothing but what both read alike.
 */

#include <confuse.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/text.h"

#include "config/options.h"
#include "config/parse.h"

struct parse {
	struct config *config;
	const char *name;
	unsigned *given;
	struct buf *why;
	bool failed;
};

/* libConfuse hands no context to its callbacks; its lexer has one state for the whole process. */
static struct parse *current;

static void fail(struct parse *, unsigned line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void
fail(struct parse *p, unsigned line, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	buf_addf(p->why, "%s:%u: %s\n", p->name, line, text);
	p->failed = true;
}

/* ---- inspection -------------------------------------------------------------------------- */

static bool
is_bare(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("_-.:/@%[]~", c) != NULL);
}

/* Blanks out [from, to), keeping its lines. */
static void
blank(char *from, const char *to)
{
	for (; from < to; from++)
		if (*from != '\n')
			*from = ' ';
}

/* The end of a quoted string that begins at at, or NULL after a message. */
static char *
skip_string(struct parse *p, char *at, char *end, unsigned *line)
{
	unsigned first = *line;
	char quote = *at;

	for (at++; at < end; at++) {
		if (*at == quote)
			return at + 1;
		if (*at == '\n') {
			fail(p, first, "the string that begins here has no end in this line");
			return NULL;
		}
		if (*at == '$' && at + 1 < end && at[1] == '{' && quote == '"') {
			fail(p, *line,
			    "variables are not expanded here; write \\${ for the characters, or "
			    "set "
			    "PMRELAY_... in the environment");
			return NULL;
		}
		if (*at == '\\') {
			at++;
			if (at >= end || strchr("\\\"'$", *at) == NULL || *at == '\0') {
				fail(p, *line,
				    "found a \\ in a string, wanted \\\\, \\\", \\' or \\$ there");
				return NULL;
			}
			if (quote == '\'' && *at != '\\' && *at != '\'') {
				fail(p, *line,
				    "found a \\ in a '...' string, wanted \\\\ or \\' there");
				return NULL;
			}
		}
	}
	fail(p, first, "the string that begins here has no end");
	return NULL;
}

/* The end of a comment that begins at at, which is blanked out, or NULL after a message. */
static char *
skip_comment(struct parse *p, char *at, char *end, unsigned *line)
{
	unsigned first = *line;
	char *from = at;

	if (*at == '#' || at[1] == '/') {
		while (at < end && *at != '\n')
			at++;
		blank(from, at);
		return at;
	}
	for (at += 2; at + 1 < end; at++) {
		if (at[0] == '*' && at[1] == '/') {
			blank(from, at + 2);
			return at + 2;
		}
		if (*at == '\n')
			++*line;
	}
	fail(p, first, "the comment that begins here has no end");
	return NULL;
}

/* Checks the text and takes its comments out.  0, or -1 after a message. */
static int
inspect(struct parse *p, char *text, size_t len)
{
	char *end = text + len;
	unsigned line = 1, depth = 0, opened[2] = { 0, 0 };
	bool in_word = false;

	for (char *at = text; at < end;) {
		bool comment = *at == '#' || (*at == '/' && !in_word && at + 1 < end &&
						 (at[1] == '/' || at[1] == '*'));

		if (comment) {
			at = skip_comment(p, at, end, &line);
			in_word = false;
		} else if (*at == '"' || *at == '\'') {
			at = skip_string(p, at, end, &line);
			in_word = false;
		} else if (is_bare(*at)) {
			in_word = true;
			at++;
		} else {
			in_word = false;
			if (*at == '\n') {
				line++;
			} else if (*at == '{') {
				/* A section, and a list within it. */
				if (depth == 2) {
					fail(p, line, "found a { too many");
					return -1;
				}
				opened[depth++] = line;
			} else if (*at == '}') {
				if (depth == 0) {
					fail(p, line, "found a } that closes nothing");
					return -1;
				}
				depth--;
			} else if (*at == '\r') {
				/* Of a file with CRLF line ends. */
				*at = ' ';
			} else if (strchr(" \t=,", *at) == NULL || *at == '\0') {
				char shown[16];

				fail(p, line, "found %s, wanted it in \"quotes\"",
				    text_safe(shown, sizeof(shown), at, 1));
				return -1;
			}
			at++;
		}
		if (at == NULL)
			return -1;
	}
	if (depth > 0) {
		fail(p, opened[depth - 1], "the { of this line has no }");
		return -1;
	}
	return 0;
}

/* ---- what libConfuse tells --------------------------------------------------------------- */

static void found_error(cfg_t *, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

static void
found_error(cfg_t *cfg, const char *format, va_list args)
{
	unsigned line = cfg->line > 0 ? (unsigned)cfg->line : 1;
	const char *section = strcmp(cfg->name, "root") == 0 ? NULL : cfg->name;
	char raw[256], text[400];
	const struct option_row *near;

	if (strstr(format, "no such option") == NULL) {
		vsnprintf(raw, sizeof(raw), format, args);
		fail(current, line, "%s", text_safe(text, sizeof(text), raw, strlen(raw)));
		return;
	}

	const char *name = va_arg(args, const char *);
	text_safe(text, sizeof(text), name, strlen(name));
	near = option_nearest(section, name);
	if (section == NULL && near != NULL && strcmp(near->name, name) == 0)
		fail(current, line, "%s: this option stands in %s { }", text, near->section);
	else if (near != NULL && (section == NULL || strcmp(near->section, section) != 0))
		fail(current, line, "%s%s%s: no such option, the nearest is %s in %s { }",
		    section == NULL ? "" : section, section == NULL ? "" : ".", text, near->name,
		    near->section);
	else if (near != NULL)
		fail(current, line, "%s.%s: no such option, the nearest is %s", section, text,
		    near->name);
	else
		fail(current, line, "%s%s%s: no such %s", section == NULL ? "" : section,
		    section == NULL ? "" : ".", text, section == NULL ? "section" : "option");
}

static int
found_value(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
	struct parse *p = current;
	const struct option_row *o = option_find(cfg->name, opt->name);
	size_t len = strlen(value);
	unsigned line = cfg->line > 0 ? (unsigned)cfg->line : 1;
	bool list = o->kind == OPTION_LIST, again = list && opt->nvalues > 1;
	bool secret = o->kind == OPTION_SECRET;
	unsigned *given = &p->given[o - option_table];

	/* libConfuse shall not keep a copy of a secret. */
	*(const char **)result = secret ? "" : value;

	if (*given != 0 && !again) {
		fail(p, line, "%s.%s: given again, first in line %u", o->section, o->name, *given);
		return 0;
	}
	if (*given == 0)
		*given = line;

	/* Lists are set when they are complete; an empty one comes without any call. */
	if (option_set(o, list ? NULL : p->config, value, len) != 0) {
		struct buf wanted;
		char shown[100];

		buf_init(&wanted, 1000);
		option_wanted(o, &wanted);
		fail(p, line, "%s.%s: found %s%s%s, wanted %s", o->section, o->name,
		    secret ? "" : "\"",
		    secret ? "something else" : text_safe(shown, sizeof(shown), value, len),
		    secret ? "" : "\"", wanted.data);
		buf_free(&wanted);
	}
	return 0;
}

static void
take_lists(struct parse *p, cfg_t *cfg)
{
	for (const struct option_row *o = option_table; o->section != NULL; o++) {
		cfg_t *section = cfg_getsec(cfg, o->section);
		cfg_opt_t *opt = section == NULL ? NULL : cfg_getopt(section, o->name);

		if (o->kind != OPTION_LIST || opt == NULL || (opt->flags & CFGF_MODIFIED) == 0)
			continue;
		if (p->given[o - option_table] == 0)
			p->given[o - option_table] = (unsigned)section->line;
		option_clear(o, p->config);
		for (unsigned i = 0; i < cfg_opt_size(opt); i++) {
			const char *value = cfg_opt_getnstr(opt, i);

			if (option_set(o, p->config, value, strlen(value)) != 0) {
				fail(p, p->given[o - option_table],
				    "%s.%s: found more than %llu values", o->section, o->name,
				    (unsigned long long)o->most);
				break;
			}
		}
	}
}

/* ---- the table as libConfuse wants it ---------------------------------------------------- */

static cfg_t *
new_reader(void)
{
	size_t count = option_count(), section_count = 0, next = 0;
	/* Each section takes its rows and an end; there are fewer sections than rows. */
	cfg_opt_t *rows = mem_array(2 * count + 1, sizeof(*rows));
	cfg_opt_t *tops = mem_array(count + 1, sizeof(*tops));
	cfg_t *cfg;

	for (size_t i = 0; i < count; i++) {
		const struct option_row *o = &option_table[i];

		if (i == 0 || strcmp(option_table[i - 1].section, o->section) != 0)
			tops[section_count++] =
			    (cfg_opt_t)CFG_SEC(o->section, &rows[next], CFGF_NONE);
		if (o->kind == OPTION_LIST)
			rows[next] = (cfg_opt_t)CFG_STR_LIST(o->name, NULL, CFGF_NONE);
		else
			rows[next] = (cfg_opt_t)CFG_STR(o->name, NULL, CFGF_NONE);
		rows[next].parsecb = found_value;
		next++;
		if (strcmp(o->section, i + 1 < count ? option_table[i + 1].section : "") != 0)
			rows[next++] = (cfg_opt_t)CFG_END();
	}
	tops[section_count] = (cfg_opt_t)CFG_END();
	cfg = cfg_init(tops, CFGF_NONE);
	free(rows);
	free(tops);
	return cfg;
}

int
parse_text(struct config *config, const char *text, size_t len, const char *name, unsigned *given,
    struct buf *why)
{
	struct parse p = { .config = config, .name = name, .given = given, .why = why };
	char *copy = mem_bytes(text, len);
	cfg_t *cfg = NULL;

	if (inspect(&p, copy, len) != 0)
		goto wipe;

	current = &p;
	cfg = new_reader();
	if (cfg == NULL)
		abort();
	cfg_set_error_function(cfg, found_error);
	if (cfg_parse_buf(cfg, copy) == CFG_SUCCESS) {
		if (!p.failed)
			take_lists(&p, cfg);
	} else if (!p.failed) {
		fail(&p, cfg->line > 0 ? (unsigned)cfg->line : 1, "cannot be read");
	}
	cfg_free(cfg);
	current = NULL;

wipe:
	/* A token may stand in it. */
	secret_wipe(copy, len);
	free(copy);
	return p.failed ? -1 : 0;
}
