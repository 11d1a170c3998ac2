#ifndef PMRELAY_SANDBOX_MUSTACHE_H
#define PMRELAY_SANDBOX_MUSTACHE_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

struct buf;

/*
 * Postmark's template language, Mustachio.  Pure.  Whatever a template and its model say, parsing
 * takes time linear in the text, and rendering ends within a number of steps and of bytes.
 *
 * A tag is two or three braces around something without braces; other braces are text.
 */
#define MUSTACHE_MOST_DEPTH  32      /* sections within each other */
#define MUSTACHE_MOST_NAMES  32      /* of one path, with the steps upward */
#define MUSTACHE_MOST_TAGS   10000   /* of one template */
#define MUSTACHE_MOST_STEPS  1000000 /* of rendering: tags, texts, and names looked up */
#define MUSTACHE_MOST_ERRORS 20      /* that are told of; parsing ends there */

struct mustache;

struct mustache_error {
	size_t line;     /* from 1 */
	size_t position; /* in UTF-16 units, from 1 */
	char text[256];
};

struct mustache_errors {
	struct mustache_error items[MUSTACHE_MOST_ERRORS];
	size_t count;
};

/*
 * layout: {{{ @content }}} is a placeholder and not an error.  text is copied.
 * NULL: errors_r has at least one.
 */
struct mustache *mustache_parse(
    const char *text, size_t len, bool layout, struct mustache_errors *errors_r);
void mustache_free(struct mustache **);
size_t mustache_placeholders(const struct mustache *); /* how often @content stands in it */

struct mustache_params {
	const json_t *model;         /* an object, or NULL for an empty one */
	bool escape;                 /* {{x}} is written for HTML; otherwise as it is */
	const char *content;         /* for @content; NULL: nothing */
	const char *unsubscribe_url; /* for pm:unsubscribe; NULL: nothing */
};

/*
 * Adds to out, whose ceiling is the limit of size.  -1: error_r tells what was wrong with the
 * model or which limit was met, and at which tag; out holds a part then.
 */
int mustache_render(const struct mustache *, const struct mustache_params *, struct buf *out,
    struct mustache_error *error_r) __attribute__((warn_unused_result));

/* What templates want to know, gathered from any number of them. */
struct mustache_guess;

struct mustache_guess *mustache_guess_new(void);
void mustache_guess_free(struct mustache_guess **);
void mustache_guess_add(struct mustache_guess *, const struct mustache *);
/* An object with sample values: "name_Value" for texts, objects for sections, and for lists one
 * object, or three texts.  A new reference. */
json_t *mustache_guess_json(const struct mustache_guess *);

#endif
