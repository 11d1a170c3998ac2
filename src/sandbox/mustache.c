/*
 * Mustachio, read from its published behaviour.  A template becomes a flat list of nodes in which
 * each section knows where it ends; rendering walks that list with a stack of contexts.
 *
 * Two properties are Mustachio's own: a dotted path opens one context for each of its names, and an
 * element of a list has the list, and not what the list is in, as its parent.  So ../../x within
 * an each is the x beside the list.
 */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"

#include "sandbox/mustache.h"

/* What an error quotes of a template at most. */
#define QUOTE_BYTES 100

enum node_kind {
	NODE_TEXT,
	NODE_VALUE,
	NODE_RAW_VALUE,
	NODE_SECTION,
	NODE_INVERTED,
	NODE_EACH,
	NODE_CONTENT,
	NODE_UNSUBSCRIBE,
	NODE_UNSUBSCRIBE_URL,
};

struct node {
	enum node_kind kind;
	size_t offset; /* of the text, or of the tag */
	size_t len;    /* of the text */
	size_t end;    /* of a section: the index past its last node */
	char **names;  /* of the path, "" for a step upward; each and the list owned */
	size_t name_count;
};

struct mustache {
	char *text;
	size_t len;
	struct node *nodes;
	size_t count;
	size_t room;
	size_t tags;
	size_t placeholders;
};

/* ---- places and errors ---- */

/* Counted as the real one does, in UTF-16 units; bytes that are no UTF-8 count one each. */
static void
locate(const char *text, size_t offset, struct mustache_error *error)
{
	size_t start = offset;

	error->line = 1;
	error->position = 1;
	for (size_t i = 0; i < offset; i++)
		error->line += text[i] == '\n';
	while (start > 0 && text[start - 1] != '\n')
		start--;
	while (start < offset) {
		size_t step = text_utf8_len(text + start, offset - start);

		error->position += step == 4 ? 2 : 1;
		start += step > 0 ? step : 1;
	}
}

/* At most QUOTE_BYTES of foreign text, valid UTF-8 and on one line. */
static char *
quote(char out[QUOTE_BYTES + 1], const char *text, size_t len)
{
	size_t used = 0;

	while (used < len) {
		size_t step = text_utf8_len(text + used, len - used);

		if (step == 0 || used + step > QUOTE_BYTES)
			break;
		for (size_t i = 0; i < step; i++, used++)
			out[used] = (unsigned char)text[used] < ' ' ? ' ' : text[used];
	}
	out[used] = '\0';
	return out;
}

/* ---- parsing ---- */

struct scope {
	size_t node;
	size_t offset;     /* of the tag that opened it first */
	const char *token; /* what closes it, lent by the text; NULL: it is an each */
	size_t token_len;
	const char *shown;
	size_t shown_len;
};

struct parser {
	struct mustache *template;
	bool layout;
	struct mustache_errors *errors;
	struct scope scopes[MUSTACHE_MOST_DEPTH];
	size_t depth;
	bool too_deep; /* what follows would only be misunderstood */
};

static void fail(struct parser *, size_t offset, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void
fail(struct parser *parser, size_t offset, const char *format, ...)
{
	struct mustache_errors *errors = parser->errors;
	struct mustache_error *error;
	va_list args;

	if (errors->count == MUSTACHE_MOST_ERRORS)
		return;
	error = &errors->items[errors->count++];
	locate(parser->template->text, offset, error);
	va_start(args, format);
	vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
}

static size_t
add_node(struct parser *parser, enum node_kind kind, size_t offset, size_t len)
{
	struct mustache *template = parser->template;

	if (template->count == template->room) {
		template->room = template->room > 0 ? 2 * template->room : 16;
		template->nodes = mem_resize(template->nodes, template->room, sizeof(struct node));
	}
	template->nodes[template->count] =
	    (struct node){ .kind = kind, .offset = offset, .len = len };
	return template->count++;
}

static bool
blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static void
trim(const char **text, size_t *len)
{
	while (*len > 0 && blank((*text)[0]))
		(*text)++, (*len)--;
	while (*len > 0 && blank((*text)[*len - 1]))
		(*len)--;
}

static bool
same(const char *text, size_t len, const char *wanted)
{
	return len == strlen(wanted) && memcmp(text, wanted, len) == 0;
}

static bool
starts(const char *text, size_t len, const char *wanted)
{
	return len >= strlen(wanted) && memcmp(text, wanted, strlen(wanted)) == 0;
}

static bool
word_char(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       c == '_' || (c & 0x80) != 0;
}

/* Names with dots between them; two dots only with the slash that makes them a step upward. */
static bool
path_ok(const char *path, size_t len)
{
	for (size_t i = 0; i < len;) {
		size_t dots = 0;

		while (i + dots < len && path[i + dots] == '.')
			dots++;
		i += dots;
		if (dots > 2 || (dots == 2 && (i == len || path[i] != '/')))
			return false;
		if (dots == 2)
			i++;
		else if (dots == 0 && !word_char(path[i++]))
			return false;
	}
	return true;
}

static void
set_path(struct parser *parser, size_t index, size_t offset, const char *path, size_t len)
{
	struct node *node = &parser->template->nodes[index];
	char shown[QUOTE_BYTES + 1];
	size_t count = 0;

	trim(&path, &len);
	if (!path_ok(path, len)) {
		fail(parser, offset,
		    "The path '%s' is not valid. Please see documentation for examples of valid "
		    "paths.",
		    quote(shown, path, len));
		return;
	}
	/* No path has more names than this. */
	node->names = mem_array(MUSTACHE_MOST_NAMES, sizeof(char *));
	for (size_t i = 0; i < len; count++) {
		size_t name = 0;

		if (starts(path + i, len - i, "../")) {
			i += 3;
		} else if (path[i] == '.') {
			i++;
			count--;
			continue;
		} else {
			while (i + name < len && path[i + name] != '.')
				name++;
		}
		if (count == MUSTACHE_MOST_NAMES) {
			fail(parser, offset, "The path '%s' has too many names.",
			    quote(shown, path, len));
			break;
		}
		node->names[count] = mem_bytes(path + i, name);
		i += name;
	}
	node->name_count = count;
	node->names = mem_resize(node->names, count > 0 ? count : 1, sizeof(char *));
}

static size_t
add_path_node(
    struct parser *parser, enum node_kind kind, size_t offset, const char *path, size_t len)
{
	size_t index = add_node(parser, kind, offset, 0);

	set_path(parser, index, offset, path, len);
	return index;
}

static struct scope *
innermost(struct parser *parser)
{
	return parser->depth > 0 ? &parser->scopes[parser->depth - 1] : NULL;
}

static void
close_scope(struct parser *parser)
{
	parser->depth--;
	parser->template->nodes[parser->scopes[parser->depth].node].end = parser->template->count;
}

/* token: what a closing tag has to name; NULL for an each. */
static void
open_scope(struct parser *parser, enum node_kind kind, size_t offset, const char *token,
    const char *path, size_t path_len)
{
	struct scope *scope;

	if (parser->depth == MUSTACHE_MOST_DEPTH) {
		fail(parser, offset, "Sections may be %d deep.", MUSTACHE_MOST_DEPTH);
		parser->too_deep = true;
		return;
	}
	scope = &parser->scopes[parser->depth++];
	scope->offset = offset;
	scope->token = token;
	scope->token_len = token != NULL ? path_len : 0;
	scope->shown = path;
	scope->shown_len = path_len;
	scope->node = add_path_node(parser, kind, offset, path, path_len);
}

/* The same path opened while it is the innermost one closes it first: {{#x}}..{{^x}}..{{/x}}. */
static void
open_section(
    struct parser *parser, enum node_kind kind, size_t offset, const char *path, size_t len)
{
	const struct scope *inner = innermost(parser);

	if (inner != NULL && inner->token != NULL && inner->token_len == len &&
	    memcmp(inner->token, path, len) == 0) {
		size_t first = inner->offset;

		close_scope(parser);
		open_scope(parser, kind, offset, path, path, len);
		parser->scopes[parser->depth - 1].offset = first;
		return;
	}
	open_scope(parser, kind, offset, path, path, len);
}

static void
open_each(struct parser *parser, size_t offset, const char *rest, size_t len)
{
	const char *path = rest;
	size_t path_len = len;

	trim(&path, &path_len);
	if (len == 0 || !blank(rest[0]) || path_len == 0) {
		fail(parser, offset,
		    "The 'each' block being opened requires a model path to be specified in the "
		    "form '{{#each <name>}}'.");
		/* The tag that closes it is right all the same. */
		path_len = 0;
	}
	open_scope(parser, NODE_EACH, offset, NULL, path, path_len);
}

static void
close_each(struct parser *parser, size_t offset, size_t rest_len)
{
	const struct scope *inner = innermost(parser);

	if (rest_len != 0)
		fail(
		    parser, offset, "The syntax to close the 'each' block should be: '{{/each}}'.");
	else if (inner == NULL || inner->token != NULL)
		fail(parser, offset,
		    "An 'each' block is being closed, but no corresponding opening element "
		    "('{{#each <name>}}') was detected.");
	else
		close_scope(parser);
}

static void
close_section(struct parser *parser, size_t offset, const char *path, size_t len)
{
	const struct scope *inner = innermost(parser);

	if (inner != NULL && inner->token != NULL && inner->token_len == len &&
	    memcmp(inner->token, path, len) == 0)
		close_scope(parser);
	else
		fail(parser, offset, "It appears that open and closing elements are mismatched.");
}

/* What stands between three braces. */
static void
parse_raw(struct parser *parser, size_t offset, const char *inner, size_t len)
{
	trim(&inner, &len);
	if (parser->layout && same(inner, len, "@content")) {
		parser->template->placeholders++;
		(void)add_node(parser, NODE_CONTENT, offset, 0);
	} else if (same(inner, len, "pm:unsubscribe")) {
		(void)add_node(parser, NODE_UNSUBSCRIBE, offset, 0);
	} else if (same(inner, len, "pm:unsubscribe_url")) {
		(void)add_node(parser, NODE_UNSUBSCRIBE_URL, offset, 0);
	} else {
		(void)add_path_node(parser, NODE_RAW_VALUE, offset, inner, len);
	}
}

/* What stands between two braces; never empty. */
static void
parse_tag(struct parser *parser, size_t offset, const char *inner, size_t len)
{
	const char *path = inner + 1;
	size_t path_len = len - 1;

	trim(&path, &path_len);
	if (starts(inner, len, "#each"))
		open_each(parser, offset, inner + 5, len - 5);
	else if (starts(inner, len, "/each"))
		close_each(parser, offset, len - 5);
	else if (inner[0] == '#')
		open_section(parser, NODE_SECTION, offset, path, path_len);
	else if (inner[0] == '^')
		open_section(parser, NODE_INVERTED, offset, path, path_len);
	else if (inner[0] == '/')
		close_section(parser, offset, path, path_len);
	else if (inner[0] == '&')
		(void)add_path_node(parser, NODE_RAW_VALUE, offset, path, path_len);
	else if (inner[0] != '!')
		(void)add_path_node(parser, NODE_VALUE, offset, inner, len);
}

struct tag {
	size_t start; /* of its first brace */
	size_t end;   /* past its last */
	size_t inner;
	size_t inner_len;
	bool raw;
};

static size_t
run_of(const char *text, size_t len, size_t at, char c)
{
	size_t run = 0;

	while (at + run < len && text[at + run] == c)
		run++;
	return run;
}

/* The first tag from at on. */
static bool
find_tag(const char *text, size_t len, size_t at, struct tag *tag)
{
	while (at < len) {
		const char *brace = memchr(text + at, '{', len - at);
		size_t open, close, inner;

		if (brace == NULL)
			return false;
		at = (size_t)(brace - text);
		open = run_of(text, len, at, '{');
		inner = at + open;
		at = inner;
		while (at < len && text[at] != '{' && text[at] != '}')
			at++;
		close = run_of(text, len, at, '}');
		if (open < 2 || close < 2 || at == inner)
			continue;
		tag->raw = open > 2 && close > 2;
		tag->start = inner - (tag->raw ? 3 : 2);
		tag->end = at + (tag->raw ? 3 : 2);
		tag->inner = inner;
		tag->inner_len = at - inner;
		return true;
	}
	return false;
}

static void
parse_all(struct parser *parser)
{
	struct mustache *template = parser->template;
	const char *text = template->text;
	struct tag tag;
	size_t at = 0;

	while (parser->errors->count < MUSTACHE_MOST_ERRORS && !parser->too_deep &&
	       find_tag(text, template->len, at, &tag)) {
		if (tag.start > at)
			(void)add_node(parser, NODE_TEXT, at, tag.start - at);
		at = tag.end;
		if (++template->tags > MUSTACHE_MOST_TAGS) {
			fail(parser, tag.start, "A template may have %d tags.", MUSTACHE_MOST_TAGS);
			return;
		}
		if (tag.raw)
			parse_raw(parser, tag.start, text + tag.inner, tag.inner_len);
		else
			parse_tag(parser, tag.start, text + tag.inner, tag.inner_len);
	}
	if (template->len > at)
		(void)add_node(parser, NODE_TEXT, at, template->len - at);
	for (size_t i = 0; i < parser->depth && !parser->too_deep; i++) {
		const struct scope *scope = &parser->scopes[i];
		char shown[QUOTE_BYTES + 1];

		fail(parser, scope->offset,
		    "A scope block to the following path was opened but not closed: '%s', please "
		    "close it using the appropriate syntax.",
		    quote(shown, scope->shown, scope->shown_len));
	}
}

struct mustache *
mustache_parse(const char *text, size_t len, bool layout, struct mustache_errors *errors_r)
{
	struct mustache *template = mem_new(sizeof(*template));
	struct parser parser = { .template = template, .layout = layout, .errors = errors_r };

	errors_r->count = 0;
	template->text = mem_bytes(text, len);
	template->len = len;
	parse_all(&parser);
	if (errors_r->count > 0)
		mustache_free(&template);
	return template;
}

void
mustache_free(struct mustache **template_p)
{
	struct mustache *template = *template_p;

	if (template == NULL)
		return;
	for (size_t i = 0; i < template->count; i++) {
		for (size_t j = 0; j < template->nodes[i].name_count; j++)
			free(template->nodes[i].names[j]);
		free(template->nodes[i].names);
	}
	free(template->nodes);
	free(template->text);
	free(template);
	*template_p = NULL;
}

size_t
mustache_placeholders(const struct mustache *template)
{
	return template->placeholders;
}

/* ---- rendering ---- */

struct context {
	const json_t *value; /* NULL: none */
	size_t parent;
};

struct renderer {
	const struct mustache *template;
	const struct mustache_params *params;
	struct buf *out;
	struct mustache_error *error;
	struct context *contexts; /* the first is the model, and its own parent */
	size_t count;
	size_t room;
	size_t steps;
};

static int stop(const struct renderer *, const struct node *, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int
stop(const struct renderer *renderer, const struct node *node, const char *format, ...)
{
	va_list args;

	locate(renderer->template->text, node->offset, renderer->error);
	va_start(args, format);
	vsnprintf(renderer->error->text, sizeof(renderer->error->text), format, args);
	va_end(args);
	return -1;
}

static size_t
push(struct renderer *renderer, const json_t *value, size_t parent)
{
	if (renderer->count == renderer->room) {
		renderer->room = renderer->room > 0 ? 2 * renderer->room : 64;
		renderer->contexts =
		    mem_resize(renderer->contexts, renderer->room, sizeof(struct context));
	}
	renderer->contexts[renderer->count] = (struct context){ value, parent };
	return renderer->count++;
}

/* The context that the node's path leads to.  New ones lie above those that were there. */
static size_t
resolve(struct renderer *renderer, const struct node *node, size_t context)
{
	for (size_t i = 0; i < node->name_count; i++) {
		const char *name = node->names[i];

		renderer->steps++;
		if (name[0] == '\0')
			context = renderer->contexts[context].parent;
		else
			context = push(renderer,
			    json_object_get(renderer->contexts[context].value, name), context);
	}
	return context;
}

/* "Falsey" as in JavaScript, and empty lists and objects as well. */
static bool
exists(const json_t *value)
{
	if (value == NULL)
		return false;
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return json_object_size(value) > 0;
	case JSON_ARRAY:
		return json_array_size(value) > 0;
	case JSON_STRING:
		return json_string_length(value) > 0;
	case JSON_INTEGER:
		return json_integer_value(value) != 0;
	case JSON_REAL:
		return json_real_value(value) < 0 || json_real_value(value) > 0;
	case JSON_TRUE:
		return true;
	case JSON_FALSE:
	case JSON_NULL:
		return false;
	}
	return false;
}

static void
add_escaped(struct buf *out, const char *text, size_t len)
{
	size_t start = 0;

	for (size_t i = 0; i < len && !out->over; i++) {
		const char *entity = NULL;

		switch (text[i]) {
		case '&':
			entity = "&amp;";
			break;
		case '<':
			entity = "&lt;";
			break;
		case '>':
			entity = "&gt;";
			break;
		case '"':
			entity = "&quot;";
			break;
		case '\'':
			entity = "&#39;";
			break;
		}
		if (entity == NULL)
			continue;
		buf_add(out, text + start, i - start);
		buf_adds(out, entity);
		start = i + 1;
	}
	buf_add(out, text + start, len - start);
}

/* Objects and lists have no text of their own. */
static void
add_value(struct buf *out, const json_t *value, bool escape)
{
	if (value == NULL)
		return;
	switch (json_typeof(value)) {
	case JSON_STRING:
		if (escape)
			add_escaped(out, json_string_value(value), json_string_length(value));
		else
			buf_add(out, json_string_value(value), json_string_length(value));
		break;
	case JSON_INTEGER:
		buf_addf(out, "%lld", (long long)json_integer_value(value));
		break;
	case JSON_REAL:
		buf_addf(out, "%.15g", json_real_value(value));
		break;
	case JSON_TRUE:
		buf_adds(out, "True"); /* as .NET writes it */
		break;
	case JSON_FALSE:
		buf_adds(out, "False");
		break;
	case JSON_OBJECT:
	case JSON_ARRAY:
	case JSON_NULL:
		break;
	}
}

static void
add_unsubscribe(struct buf *out, const struct mustache_params *params, bool url_alone)
{
	if (params->unsubscribe_url == NULL)
		return;
	if (params->escape && !url_alone) {
		buf_adds(out, "<a href=\"");
		add_escaped(out, params->unsubscribe_url, strlen(params->unsubscribe_url));
		buf_adds(out, "\">Unsubscribe</a>");
	} else {
		buf_adds(out, params->unsubscribe_url);
	}
}

static int render_range(struct renderer *, size_t from, size_t to, size_t context);

static int
render_each(struct renderer *renderer, const struct node *node, size_t from, size_t context)
{
	const json_t *list = renderer->contexts[context].value;
	const json_t *one;
	size_t i, mark;
	char path[QUOTE_BYTES + 1];

	if (!exists(list))
		return 0;
	if (!json_is_array(list)) {
		const char *name = node->name_count > 0 ? node->names[node->name_count - 1] : ".";

		return stop(renderer, node,
		    "'%s' is used like an array by the template, but is a scalar value or object "
		    "in your model.",
		    quote(path, name, strlen(name)));
	}
	mark = renderer->count;
	json_array_foreach(list, i, one)
	{
		if (render_range(renderer, from, node->end, push(renderer, one, context)) != 0)
			return -1;
		renderer->count = mark;
	}
	return 0;
}

static int
render_node(struct renderer *renderer, size_t index, size_t context)
{
	const struct node *node = &renderer->template->nodes[index];
	const struct mustache_params *params = renderer->params;
	struct buf *out = renderer->out;
	size_t mark = renderer->count, found = resolve(renderer, node, context);
	const json_t *value = renderer->contexts[found].value;
	int rc = 0;

	if (++renderer->steps > MUSTACHE_MOST_STEPS)
		return stop(renderer, node, "The template takes too many steps to render.");
	switch (node->kind) {
	case NODE_TEXT:
		buf_add(out, renderer->template->text + node->offset, node->len);
		break;
	case NODE_VALUE:
		add_value(out, value, params->escape);
		break;
	case NODE_RAW_VALUE:
		add_value(out, value, false);
		break;
	case NODE_SECTION:
		if (exists(value))
			rc = render_range(renderer, index + 1, node->end, found);
		break;
	case NODE_INVERTED:
		if (!exists(value))
			rc = render_range(renderer, index + 1, node->end, found);
		break;
	case NODE_EACH:
		rc = render_each(renderer, node, index + 1, found);
		break;
	case NODE_CONTENT:
		if (params->content != NULL)
			buf_adds(out, params->content);
		break;
	case NODE_UNSUBSCRIBE:
		add_unsubscribe(out, params, false);
		break;
	case NODE_UNSUBSCRIBE_URL:
		add_unsubscribe(out, params, true);
		break;
	}
	renderer->count = mark;
	if (rc == 0 && out->over)
		return stop(
		    renderer, node, "The rendered content is larger than %zu bytes.", out->most);
	return rc;
}

static int
render_range(struct renderer *renderer, size_t from, size_t to, size_t context)
{
	const struct node *nodes = renderer->template->nodes;

	for (size_t i = from; i<to; i = nodes[i].end> i ? nodes[i].end : i + 1) {
		if (render_node(renderer, i, context) != 0)
			return -1;
	}
	return 0;
}

int
mustache_render(const struct mustache *template, const struct mustache_params *params,
    struct buf *out, struct mustache_error *error_r)
{
	struct renderer renderer = {
		.template = template, .params = params, .out = out, .error = error_r
	};
	int rc;

	(void)push(&renderer, params->model, 0);
	rc = render_range(&renderer, 0, template->count, 0);
	free(renderer.contexts);
	return rc;
}

/* ---- what a template wants to know ---- */

enum {
	USED_AS_TEXT = 1,
	USED_AS_SECTION = 2,
	USED_AS_LIST = 4,
};

struct mustache_guess {
	char *name;
	unsigned used;
	struct mustache_guess *parent; /* NULL: of the model itself */
	struct mustache_guess **children;
	size_t count;
};

/* Where a path starts: a value, or an element of it when it is a list. */
struct place {
	struct mustache_guess *guess;
	bool element;
};

struct mustache_guess *
mustache_guess_new(void)
{
	return mem_new(sizeof(struct mustache_guess));
}

void
mustache_guess_free(struct mustache_guess **guess_p)
{
	struct mustache_guess *guess = *guess_p;

	if (guess == NULL)
		return;
	for (size_t i = 0; i < guess->count; i++)
		mustache_guess_free(&guess->children[i]);
	free(guess->children);
	free(guess->name);
	free(guess);
	*guess_p = NULL;
}

static struct mustache_guess *
guess_child(struct mustache_guess *guess, const char *name)
{
	struct mustache_guess *child;

	for (size_t i = 0; i < guess->count; i++) {
		if (strcmp(guess->children[i]->name, name) == 0)
			return guess->children[i];
	}
	child = mustache_guess_new();
	child->name = mem_string(name);
	child->parent = guess;
	guess->children =
	    mem_resize(guess->children, guess->count + 1, sizeof(struct mustache_guess *));
	guess->children[guess->count++] = child;
	return child;
}

static struct place
guess_path(struct place place, const struct node *node)
{
	for (size_t i = 0; i < node->name_count; i++) {
		if (node->names[i][0] != '\0')
			place.guess = guess_child(place.guess, node->names[i]);
		else if (!place.element && place.guess->parent != NULL)
			place.guess = place.guess->parent;
		place.element = false;
	}
	return place;
}

static void
guess_range(struct place place, const struct mustache *template, size_t from, size_t to)
{
	const struct node *nodes = template->nodes;
	struct place found;

	for (size_t i = from; i<to; i = nodes[i].end> i ? nodes[i].end : i + 1) {
		switch (nodes[i].kind) {
		case NODE_VALUE:
		case NODE_RAW_VALUE:
			guess_path(place, &nodes[i]).guess->used |= USED_AS_TEXT;
			break;
		case NODE_SECTION:
		case NODE_INVERTED:
			found = guess_path(place, &nodes[i]);
			found.guess->used |= USED_AS_SECTION;
			guess_range(found, template, i + 1, nodes[i].end);
			break;
		case NODE_EACH:
			found = guess_path(place, &nodes[i]);
			found.guess->used |= USED_AS_LIST;
			found.element = true;
			guess_range(found, template, i + 1, nodes[i].end);
			break;
		case NODE_TEXT:
		case NODE_CONTENT:
		case NODE_UNSUBSCRIBE:
		case NODE_UNSUBSCRIBE_URL:
			break;
		}
	}
}

void
mustache_guess_add(struct mustache_guess *guess, const struct mustache *template)
{
	guess_range((struct place){ guess, false }, template, 0, template->count);
}

/* number 0: the only one. */
static json_t *
sample(const char *name, int number)
{
	char *text = number > 0 ? mem_format("%s_%d", name, number) : mem_format("%s_Value", name);
	json_t *json = json_string(text);

	free(text);
	return json != NULL ? json : json_string("Value"); /* a name that is no UTF-8 */
}

json_t *
mustache_guess_json(const struct mustache_guess *guess)
{
	json_t *object;

	if (guess->parent != NULL && guess->used == USED_AS_TEXT && guess->count == 0)
		return sample(guess->name, 0);
	if (guess->parent != NULL && (guess->used & USED_AS_LIST) != 0 && guess->count == 0)
		return json_pack("[o, o, o]", sample(guess->name, 1), sample(guess->name, 2),
		    sample(guess->name, 3));
	object = json_object();
	for (size_t i = 0; i < guess->count; i++)
		(void)json_object_set_new(
		    object, guess->children[i]->name, mustache_guess_json(guess->children[i]));
	if (guess->parent != NULL && (guess->used & USED_AS_LIST) != 0)
		return json_pack("[o]", object);
	return object;
}
