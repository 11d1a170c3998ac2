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
	struct lines *given;
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
	char text[1000];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	buf_addf(p->why, "%s:%u: %s\n", p->name, line, text);
	p->failed = true;
}

/* ---- lines ------------------------------------------------------------------------------- */

unsigned *
lines_at(struct lines *lines, const struct option_place *place, const struct option_row *o)
{
	const struct option_section *s = place->section;
	size_t index = place->item * s->row_count + (size_t)(o - s->rows);
	size_t *count = &lines->sections[place->index].count;
	unsigned **numbers = &lines->sections[place->index].numbers;

	if (index >= *count) {
		size_t more = (place->item + 1) * s->row_count;

		*numbers = mem_resize(*numbers, more, sizeof(**numbers));
		memset(*numbers + *count, 0, (more - *count) * sizeof(**numbers));
		*count = more;
	}
	return &(*numbers)[index];
}

void
lines_free(struct lines *lines)
{
	for (size_t i = 0; i < OPTION_SECTION_COUNT; i++)
		free(lines->sections[i].numbers);
	memset(lines, 0, sizeof(*lines));
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
			/* In '...' \\ and \' mean the second character, and \d itself. */
			if (at < end && quote == '\'' && *at != '\n' && *at != '\0')
				continue;
			if (at >= end || strchr("\\\"'$", *at) == NULL || *at == '\0') {
				fail(p, *line,
				    "found a \\ in a string, wanted \\\\, \\\", \\' or \\$ there");
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

/* Words outside of sections, as they stand before a {. */
struct words {
	struct word {
		const char *text;
		size_t len;
		unsigned line;
	} last, before;
};

static void
add_word(struct words *words, const char *text, size_t len, unsigned line)
{
	words->before = words->last;
	words->last = (struct word){ .text = text, .len = len, .line = line };
}

/* The section with titles that a word names. */
static const struct option_section *
titled_of_word(const struct word *word)
{
	const struct option_section *s;
	char name[40];

	if (word->len == 0 || word->len >= sizeof(name))
		return NULL;
	memcpy(name, word->text, word->len);
	name[word->len] = '\0';
	s = option_section_find(name);
	return s != NULL && s->titled ? s : NULL;
}

/*
 * A section opens.  One with a title gets its place here: libConfuse does not tell of one without
 * options, and of none in which line it begins.
 */
static void
open_section(struct parse *p, const struct words *words)
{
	const struct option_section *s = titled_of_word(&words->before);
	const struct word *title = &words->last;
	struct option_place place;
	struct buf why;
	char *name;

	if (s == NULL) {
		s = titled_of_word(title);
		if (s != NULL)
			fail(p, title->line, "%s: found no name, wanted %s NAME { }", s->name,
			    s->name);
		return;
	}
	buf_init(&why, 1000);
	if (!option_title_right(p->config, s, title->text, title->len, &why)) {
		fail(p, title->line, "%s: %s", s->name, why.data);
	} else {
		name = mem_bytes(title->text, title->len);
		if (!option_place_add(p->config, s, name, &place))
			abort();
		free(name);
	}
	buf_free(&why);
}

/*
 * Checks the text, takes its comments out, and makes the places of sections with titles.  0, or -1
 * after a message.
 */
static int
inspect(struct parse *p, char *text, size_t len)
{
	char *end = text + len;
	unsigned line = 1, depth = 0, opened[2] = { 0, 0 };
	bool in_word = false;
	struct words words = { 0 };

	for (char *at = text; at < end;) {
		bool comment = *at == '#' || (*at == '/' && !in_word && at + 1 < end &&
						 (at[1] == '/' || at[1] == '*'));

		if (comment) {
			at = skip_comment(p, at, end, &line);
			in_word = false;
		} else if (*at == '"' || *at == '\'') {
			const char *from = at + 1;

			at = skip_string(p, at, end, &line);
			if (at != NULL && depth == 0)
				add_word(&words, from, (size_t)(at - 1 - from), line);
			in_word = false;
		} else if (is_bare(*at)) {
			if (depth == 0 && !in_word)
				add_word(&words, at, 0, line);
			if (depth == 0)
				words.last.len++;
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
				if (depth == 0)
					open_section(p, &words);
				opened[depth++] = line;
			} else if (*at == '}') {
				if (depth == 0) {
					fail(p, line, "found a } that closes nothing");
					return -1;
				}
				depth--;
				words = (struct words){ 0 };
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
	return p->failed ? -1 : 0;
}

/* ---- what libConfuse tells --------------------------------------------------------------- */

static void found_error(cfg_t *, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

/* "smtp { }" */
static const char *
stands_in(char *out, size_t most, const struct option_row *o)
{
	snprintf(out, most, "%s%s { }", o->section,
	    option_section_find(o->section)->titled ? " NAME" : "");
	return out;
}

static void
found_error(cfg_t *cfg, const char *format, va_list args)
{
	unsigned line = cfg->line > 0 ? (unsigned)cfg->line : 1;
	const char *section = strcmp(cfg->name, "root") == 0 ? NULL : cfg->name;
	char raw[256], text[400], where[200] = "", in[100];
	const struct option_row *near;

	if (strstr(format, "no such option") == NULL) {
		vsnprintf(raw, sizeof(raw), format, args);
		fail(current, line, "%s", text_safe(text, sizeof(text), raw, strlen(raw)));
		return;
	}

	const char *name = va_arg(args, const char *);
	text_safe(text, sizeof(text), name, strlen(name));
	if (section != NULL && cfg->title != NULL)
		snprintf(where, sizeof(where), "%s.%s.", section, cfg->title);
	else if (section != NULL)
		snprintf(where, sizeof(where), "%s.", section);
	near = option_nearest(section, name);
	if (section == NULL && near != NULL && strcmp(near->name, name) == 0)
		fail(current, line, "%s: this option stands in %s", text,
		    stands_in(in, sizeof(in), near));
	else if (near != NULL && (section == NULL || strcmp(near->section, section) != 0))
		fail(current, line, "%s%s: no such option, the nearest is %s in %s", where, text,
		    near->name, stands_in(in, sizeof(in), near));
	else if (near != NULL)
		fail(current, line, "%s%s: no such option, the nearest is %s", where, text,
		    near->name);
	else
		fail(current, line, "%s%s: no such %s", where, text,
		    section == NULL ? "section" : "option");
}

static void
found_wrong(struct parse *p, unsigned line, const struct option_place *place,
    const struct option_row *o, const char *value)
{
	bool secret = o->kind == OPTION_SECRET;
	char *path = option_path(o, place->title), shown[100];
	struct buf wanted;

	buf_init(&wanted, 1000);
	option_explain(o, value, &wanted);
	fail(p, line, "%s: found %s%s%s, wanted %s", path, secret ? "" : "\"",
	    secret ? "something else" : text_safe(shown, sizeof(shown), value, strlen(value)),
	    secret ? "" : "\"", wanted.data);
	buf_free(&wanted);
	free(path);
}

static int
found_value(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
	struct parse *p = current;
	const struct option_row *o = option_find(cfg->name, opt->name);
	unsigned line = cfg->line > 0 ? (unsigned)cfg->line : 1;
	bool list = o->kind == OPTION_LIST, again = list && opt->nvalues > 1;
	struct option_place place;
	unsigned *given;

	/* libConfuse shall not keep a copy of a secret. */
	*(const char **)result = o->kind == OPTION_SECRET ? "" : value;

	/* What inspect() has no place for is something that the two do not read alike. */
	if (!option_place_find(p->config, cfg->name, cfg->title, &place)) {
		fail(p, line, "%s: cannot be read", o->section);
		return 0;
	}
	given = lines_at(p->given, &place, o);
	if (*given != 0 && !again) {
		char *path = option_path(o, place.title);

		fail(p, line, "%s: given again, first in line %u", path, *given);
		free(path);
		return 0;
	}
	if (*given == 0)
		*given = line;

	/* Lists are set when they are complete; an empty one comes without any call. */
	if (option_set(o, list ? NULL : place.base, value, strlen(value)) != 0)
		found_wrong(p, line, &place, o, value);
	return 0;
}

static void
take_list(
    struct parse *p, cfg_t *section, const struct option_place *place, const struct option_row *o)
{
	cfg_opt_t *opt = section == NULL ? NULL : cfg_getopt(section, o->name);
	unsigned *given = lines_at(p->given, place, o);

	if (opt == NULL || (opt->flags & CFGF_MODIFIED) == 0)
		return;
	if (*given == 0)
		*given = (unsigned)section->line;
	option_clear(o, place->base);
	for (unsigned i = 0; i < cfg_opt_size(opt); i++) {
		const char *value = cfg_opt_getnstr(opt, i);

		if (option_set(o, place->base, value, strlen(value)) != 0) {
			char *path = option_path(o, place->title);

			fail(p, *given, "%s: found more than %llu values", path,
			    (unsigned long long)o->most);
			free(path);
			break;
		}
	}
}

static void
take_lists(struct parse *p, cfg_t *cfg)
{
	struct option_place place = { 0 };

	while (option_place_next(p->config, &place)) {
		for (const struct option_row *o = place.section->rows; o->section != NULL; o++) {
			if (o->kind != OPTION_LIST)
				continue;
			take_list(p,
			    place.title == NULL ? cfg_getsec(cfg, o->section)
						: cfg_gettsec(cfg, o->section, place.title),
			    &place, o);
		}
	}
}

/* ---- the table as libConfuse wants it ---------------------------------------------------- */

static cfg_t *
new_reader(void)
{
	cfg_opt_t *rows, tops[OPTION_SECTION_COUNT + 1];
	size_t count = 0, next = 0;
	cfg_t *cfg;

	for (size_t i = 0; i < OPTION_SECTION_COUNT; i++)
		count += option_sections[i]->row_count + 1;
	rows = mem_array(count, sizeof(*rows));

	for (size_t i = 0; i < OPTION_SECTION_COUNT; i++) {
		const struct option_section *s = option_sections[i];

		tops[i] = (cfg_opt_t)CFG_SEC(
		    s->name, &rows[next], s->titled ? CFGF_MULTI | CFGF_TITLE : CFGF_NONE);
		for (const struct option_row *o = s->rows; o->section != NULL; o++) {
			if (o->kind == OPTION_LIST)
				rows[next] = (cfg_opt_t)CFG_STR_LIST(o->name, NULL, CFGF_NONE);
			else
				rows[next] = (cfg_opt_t)CFG_STR(o->name, NULL, CFGF_NONE);
			rows[next].parsecb = found_value;
			next++;
		}
		rows[next++] = (cfg_opt_t)CFG_END();
	}
	tops[OPTION_SECTION_COUNT] = (cfg_opt_t)CFG_END();
	cfg = cfg_init(tops, CFGF_NONE);
	free(rows);
	return cfg;
}

int
parse_text(struct config *config, const char *text, size_t len, const char *name,
    struct lines *given, struct buf *why)
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
