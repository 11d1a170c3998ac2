/*
 * A route's template: patterns on what a mail says, and the model that their named groups make.
 * The programs that write the mail need not know of it.
 */

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/pattern.h"
#include "base/strlist.h"
#include "base/text.h"
#include "mail/address.h"
#include "mail/mime.h"
#include "mail/refusal.h"
#include "convert/headers.h"
#include "convert/ledger.h"
#include "convert/parts.h"
#include "convert/template.h"
#include "convert/template_rule.h"

#define MOST_NAME_BYTES 100

enum source_kind {
	SOURCE_SUBJECT,
	SOURCE_FROM,
	SOURCE_FROM_NAME,
	SOURCE_FROM_ADDRESS,
	SOURCE_TO,
	SOURCE_CC,
	SOURCE_REPLY_TO,
	SOURCE_DATE,
	SOURCE_MESSAGE_ID,
	SOURCE_TEXT,
	SOURCE_HTML,
	SOURCE_HEADER,
	SOURCE_LITERAL,
};

static const char *const source_names[] = {
	[SOURCE_SUBJECT] = "subject",
	[SOURCE_FROM] = "from",
	[SOURCE_FROM_NAME] = "from-name",
	[SOURCE_FROM_ADDRESS] = "from-address",
	[SOURCE_TO] = "to",
	[SOURCE_CC] = "cc",
	[SOURCE_REPLY_TO] = "reply-to",
	[SOURCE_DATE] = "date",
	[SOURCE_MESSAGE_ID] = "message-id",
	[SOURCE_TEXT] = "text",
	[SOURCE_HTML] = "html",
	[SOURCE_HEADER] = "header:",
	[SOURCE_LITERAL] = "literal:",
};

struct source {
	enum source_kind kind;
	char *argument; /* of header and literal */
};

struct match {
	char *entry;
	char *each; /* NULL: a match of the mail; else the array's name */
	struct source source;
	struct pattern *pattern;
};

struct value {
	char *name;
	struct source source;
};

struct template_rule {
	char *alias; /* NULL: id */
	char *id;
	bool inline_css, otherwise_refuse;
	struct match *matches;
	size_t match_count;
	struct value *values;
	size_t value_count;
};

void
template_rule_free(struct template_rule **rule)
{
	struct template_rule *r = *rule;

	if (r == NULL)
		return;
	for (size_t i = 0; i < r->match_count; i++) {
		free(r->matches[i].entry);
		free(r->matches[i].each);
		free(r->matches[i].source.argument);
		pattern_free(&r->matches[i].pattern);
	}
	for (size_t i = 0; i < r->value_count; i++) {
		free(r->values[i].name);
		free(r->values[i].source.argument);
	}
	free(r->matches);
	free(r->values);
	free(r->alias);
	free(r->id);
	free(r);
	*rule = NULL;
}

/* --- the rule's text ------------------------------------------------------ */

struct parsing {
	const char *entry;
	char *why;
	size_t why_size;
};

static int fail(struct parsing *p, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int
fail(struct parsing *p, const char *format, ...)
{
	char what[400];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	snprintf(p->why, p->why_size, "\"%.200s\": %s", p->entry, what);
	return -1;
}

/* Segments of letters, digits, '_' and '-' with dots between them. */
static bool
is_name(const char *name, size_t len)
{
	if (len == 0 || len > MOST_NAME_BYTES || name[0] == '.' || name[len - 1] == '.')
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = name[i];
		bool sign = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			    (c >= '0' && c <= '9') || c == '_' || c == '-';

		if (!sign && (c != '.' || name[i + 1] == '.'))
			return false;
	}
	return true;
}

static int
source_parse(struct parsing *p, const char *text, size_t len, bool literal, struct source *source_r)
{
	for (unsigned i = 0; i < sizeof(source_names) / sizeof(source_names[0]); i++) {
		const char *name = source_names[i];
		size_t name_len = strlen(name);
		bool prefix = name[name_len - 1] == ':';

		if ((prefix ? len < name_len : len != name_len) ||
		    !text_same_n(text, name, name_len))
			continue;
		if (i == SOURCE_LITERAL && !literal)
			continue;
		source_r->kind = i;
		if (!prefix)
			return 0;
		if (i == SOURCE_HEADER && !headers_name_is_good(text + name_len, len - name_len))
			return fail(p, "header: needs the name of a header field after it");
		source_r->argument = i == SOURCE_HEADER
					 ? mem_bytes(text + name_len, len - name_len)
					 : mime_clean(text + name_len, len - name_len);
		return 0;
	}
	return fail(p,
	    "found %.*s, wanted subject, from, from-name, from-address, to, cc, reply-to, date, "
	    "message-id, text, html%s or header:NAME",
	    (int)(len > 60 ? 60 : len), text, literal ? ", literal:TEXT" : "");
}

static const char *
skip_blanks(const char *text)
{
	return text + strspn(text, " \t");
}

/* The colon that ends a SOURCE; that of header:NAME has one in it. */
static const char *
source_end(const char *text)
{
	size_t skip = text_starts(text, "header:") ? strlen("header:") : 0;

	return strchr(text + skip, ':');
}

static int
match_parse(struct parsing *p, struct match *match)
{
	const char *text = skip_blanks(p->entry), *colon;
	char why[300];

	match->entry = mem_string(p->entry);
	if (text_starts(text, "each ") || text_starts(text, "each\t")) {
		text = skip_blanks(text + strlen("each "));
		colon = strchr(text, ':');
		if (colon == NULL || !is_name(text, (size_t)(colon - text)))
			return fail(p, "each needs a name and a colon after it");
		match->each = mem_bytes(text, (size_t)(colon - text));
		text = skip_blanks(colon + 1);
	}
	colon = source_end(text);
	if (colon == NULL)
		return fail(p, "wanted SOURCE: pattern");
	if (source_parse(p, text, (size_t)(colon - text), false, &match->source) != 0)
		return -1;
	text = skip_blanks(colon + 1);
	if (text[0] == '\0')
		return fail(p, "there is no pattern");
	match->pattern = pattern_new(text, strlen(text), true, why, sizeof(why));
	if (match->pattern == NULL)
		return fail(p, "%s", why);
	if (match->each != NULL && pattern_name_count(match->pattern) == 0)
		return fail(p, "each needs a pattern with a named group, (?<name>...)");
	return 0;
}

static int
value_parse(struct parsing *p, struct value *value)
{
	const char *equals = strchr(p->entry, '=');

	if (equals == NULL || !is_name(p->entry, (size_t)(equals - p->entry)))
		return fail(p, "wanted name=SOURCE, the name of letters, digits, '_', '-' and "
			       "dots between them");
	value->name = mem_bytes(p->entry, (size_t)(equals - p->entry));
	return source_parse(p, equals + 1, strlen(equals + 1), true, &value->source);
}

/* --- names that exclude each other ---------------------------------------- */

struct use {
	const char *name;
	const char *entry;
	bool is_each;
};

static bool
is_within(const char *inner, const char *outer)
{
	size_t len = strlen(outer);

	return strncmp(inner, outer, len) == 0 && inner[len] == '.';
}

/* The same name twice is fine, the later entry counts; unless it would be of two shapes. */
static int
uses_check(struct parsing *p, const struct use *uses, size_t count)
{
	for (size_t i = 0; i < count; i++)
		for (size_t j = i + 1; j < count; j++) {
			const struct use *a = &uses[i], *b = &uses[j];
			bool same = strcmp(a->name, b->name) == 0;

			p->entry = b->entry;
			if (same && (a->is_each || b->is_each))
				return fail(p, "the name %s is taken", b->name);
			if (is_within(a->name, b->name) || is_within(b->name, a->name))
				return fail(p,
				    "%s and %s cannot both be in a model: one is within the other",
				    a->name, b->name);
		}
	return 0;
}

static int
names_check(struct parsing *p, const struct template_rule *rule)
{
	size_t most = rule->match_count + rule->value_count, count = 0;
	struct use *uses;
	int result;

	for (size_t i = 0; i < rule->match_count; i++)
		most += pattern_name_count(rule->matches[i].pattern);
	uses = mem_array(most, sizeof(*uses));
	for (size_t i = 0; i < rule->match_count; i++) {
		const struct match *match = &rule->matches[i];

		if (match->each != NULL)
			uses[count++] = (struct use){ match->each, match->entry, true };
		for (size_t j = 0; match->each == NULL && j < pattern_name_count(match->pattern);
		     j++)
			uses[count++] =
			    (struct use){ pattern_name(match->pattern, j), match->entry, false };
	}
	for (size_t i = 0; i < rule->value_count; i++)
		uses[count++] = (struct use){ rule->values[i].name, rule->values[i].name, false };
	result = uses_check(p, uses, count);
	free(uses);
	return result;
}

struct template_rule *
template_rule_new(const char *template, const struct strlist *matches, const struct strlist *values,
    bool inline_css, bool otherwise_refuse, char *why, size_t why_size)
{
	struct template_rule *rule = mem_new(sizeof(*rule));
	struct parsing p = { .entry = template, .why = why, .why_size = why_size };

	rule->inline_css = inline_css;
	rule->otherwise_refuse = otherwise_refuse;
	rule->id = template_id_print(template);
	if (rule->id == NULL) {
		if (!template_is_alias(template)) {
			fail(&p, "wanted a template's id, or its alias: a letter, then letters, "
				 "digits, '.', '-', '_'");
			goto free_rule;
		}
		rule->alias = mem_string(template);
	}
	rule->matches = mem_array(matches->count, sizeof(*rule->matches));
	for (size_t i = 0; i < matches->count; i++) {
		p.entry = matches->items[i];
		rule->match_count++;
		if (match_parse(&p, &rule->matches[i]) != 0)
			goto free_rule;
	}
	rule->values = mem_array(values->count, sizeof(*rule->values));
	for (size_t i = 0; i < values->count; i++) {
		p.entry = values->items[i];
		rule->value_count++;
		if (value_parse(&p, &rule->values[i]) != 0)
			goto free_rule;
	}
	if (names_check(&p, rule) != 0)
		goto free_rule;
	return rule;

free_rule:
	template_rule_free(&rule);
	return NULL;
}

/* --- a mail --------------------------------------------------------------- */

struct found {
	const char *text;
	size_t len;
	char *owned; /* or NULL */
};

static struct found
found_lent(const char *text, size_t len)
{
	return (struct found){ .text = text == NULL ? "" : text, .len = text == NULL ? 0 : len };
}

static struct found
found_string(const char *text)
{
	return found_lent(text, text == NULL ? 0 : strlen(text));
}

static struct found
found_take(char *text)
{
	return (struct found){ .text = text, .len = strlen(text), .owned = text };
}

static struct found
found_boxes(const struct mailbox *boxes, size_t count)
{
	struct buf out;

	buf_init(&out, SIZE_MAX / 4);
	for (size_t i = 0; i < count; i++)
		mailbox_print(&out, &boxes[i]);
	return found_take(out.len == 0 ? mem_string("") : buf_take(&out, NULL));
}

static struct found
found_field(const struct mime *mime, const char *name)
{
	for (size_t i = 0; i < mime->field_count; i++) {
		const struct mime_field *field = &mime->fields[i];

		if (mime_field_is(field, name))
			return found_take(mime_decode_value(field->value, field->value_len));
	}
	return found_string("");
}

static struct found
source_find(const struct source *source, const struct template_facts *facts)
{
	const struct headers *headers = facts->headers;
	const struct parts *parts = facts->parts;
	bool stand_in = (facts->ledger->set & 1U << LEDGER_NO_BODY) != 0;

	switch (source->kind) {
	case SOURCE_SUBJECT:
		return found_string(headers->subject);
	case SOURCE_FROM:
		return found_boxes(&headers->author, headers->author.address != NULL);
	case SOURCE_FROM_NAME:
		return found_string(headers->author.name);
	case SOURCE_FROM_ADDRESS:
		return found_string(headers->author.address);
	case SOURCE_TO:
		return found_boxes(headers->to.boxes, headers->to.count);
	case SOURCE_CC:
		return found_boxes(headers->cc.boxes, headers->cc.count);
	case SOURCE_REPLY_TO:
		return found_string(headers->reply_to_is_ours ? NULL : headers->reply_to);
	case SOURCE_DATE:
		return found_field(facts->mime, "Date");
	case SOURCE_MESSAGE_ID:
		return found_string(headers->message_id);
	case SOURCE_TEXT:
		return found_lent(
		    parts->has_text && !stand_in ? parts->text.data : NULL, parts->text.len);
	case SOURCE_HTML:
		return found_lent(parts->has_html ? parts->html.data : NULL, parts->html.len);
	case SOURCE_HEADER:
		return found_field(facts->mime, source->argument);
	case SOURCE_LITERAL:
		return found_string(source->argument);
	}
	return found_string("");
}

/* Names were checked: what is within another is an object. */
static json_t *
object_at(json_t *model, const char **name)
{
	const char *dot;

	while ((dot = strchr(*name, '.')) != NULL) {
		char *key = mem_bytes(*name, (size_t)(dot - *name));
		json_t *inner = json_object_get(model, key);

		if (inner == NULL) {
			inner = json_object();
			json_object_set_new(model, key, inner);
		}
		free(key);
		model = inner;
		*name = dot + 1;
	}
	return model;
}

static void
text_set(json_t *model, const char *name, const char *text, size_t len)
{
	json_t *value = json_stringn(text, len);

	model = object_at(model, &name);
	json_object_set_new(model, name, value == NULL ? json_string("") : value);
}

static void
groups_set(json_t *object, const struct pattern *pattern)
{
	for (size_t i = 0; i < pattern_name_count(pattern); i++) {
		const char *text;
		size_t len;

		if (pattern_group(pattern, i, &text, &len))
			text_set(object, pattern_name(pattern, i), text, len);
	}
}

static enum pattern_end
each_apply(const struct match *match, const struct found *found, struct pattern_budget *budget,
    json_t *model)
{
	const char *name = match->each;
	json_t *array = json_array();
	enum pattern_end end;
	size_t at = 0;

	while ((end = pattern_match(match->pattern, found->text, found->len, &at, budget)) ==
	       PATTERN_MATCH) {
		json_t *object;

		if (json_array_size(array) == TEMPLATE_MOST_EACH) {
			end = PATTERN_LIMIT;
			break;
		}
		object = json_object();
		groups_set(object, match->pattern);
		json_array_append_new(array, object);
	}
	if (end == PATTERN_NONE && json_array_size(array) > 0)
		end = PATTERN_MATCH;
	model = object_at(model, &name);
	json_object_set_new(model, name, array);
	return end;
}

static enum pattern_end
match_apply(const struct match *match, const struct template_facts *facts, json_t *model)
{
	struct found found = source_find(&match->source, facts);
	enum pattern_end end;
	size_t at = 0;

	/* A pattern may take steps by the length of its text, and there may be many patterns. */
	if (found.len > TEMPLATE_MOST_TEXT_BYTES) {
		end = PATTERN_LIMIT;
	} else if (match->each != NULL) {
		end = each_apply(match, &found, facts->patterns, model);
	} else {
		end = pattern_match(match->pattern, found.text, found.len, &at, facts->patterns);
		if (end == PATTERN_MATCH)
			groups_set(model, match->pattern);
	}
	free(found.owned);
	return end;
}

static int
refuse_no_match(const struct template_rule *rule, const struct match *match, enum pattern_end end,
    struct refusal *refusal_r)
{
	const struct source *source = &match->source;

	refusal_set(refusal_r, 554, "5.6.0",
	    "this route sends only mail that fits the template %.60s, and pattern %zu %s on "
	    "%s%.60s",
	    rule->alias == NULL ? rule->id : rule->alias, (size_t)(match - rule->matches) + 1,
	    end == PATTERN_LIMIT ? "was given up" : "does not match", source_names[source->kind],
	    source->argument == NULL ? "" : source->argument);
	return -1;
}

void
template_rule_name(const struct template_rule *rule, struct template *template)
{
	template->alias = rule->alias == NULL ? NULL : mem_string(rule->alias);
	template->id = rule->id == NULL ? NULL : mem_string(rule->id);
	/* Postmark's default is to do it. */
	template->inline_css = rule->inline_css ? -1 : 0;
}

static int
model_finish(const struct template_rule *rule, const struct template_facts *facts, json_t *model,
    struct template *template, struct refusal *refusal_r)
{
	for (size_t i = 0; i < rule->value_count; i++) {
		struct found found = source_find(&rule->values[i].source, facts);

		text_set(model, rule->values[i].name, found.text, found.len);
		free(found.owned);
	}
	template->model = json_dumps(model, JSON_COMPACT);
	if (template->model == NULL)
		mem_exhausted(TEMPLATE_MOST_MODEL_BYTES);
	template->model_len = strlen(template->model);
	if (template->model_len <= TEMPLATE_MOST_MODEL_BYTES)
		return 0;
	refusal_set(refusal_r, 552, "5.3.4",
	    "the template's model has %zu bytes, and the limit is %d", template->model_len,
	    TEMPLATE_MOST_MODEL_BYTES);
	return -1;
}

int
template_rule_apply(const struct template_rule *rule, const struct template_facts *facts,
    struct template *template, bool *has_r, struct refusal *refusal_r)
{
	json_t *model = json_object();
	int result = 0;

	*has_r = false;
	for (size_t i = 0; i < rule->match_count; i++) {
		const struct match *match = &rule->matches[i];
		enum pattern_end end = match_apply(match, facts, model);

		if (end == PATTERN_MATCH)
			continue;
		if (end == PATTERN_LIMIT)
			template->gave_up = match->entry;
		ledger_note(facts->ledger, LEDGER_NO_TEMPLATE);
		if (rule->otherwise_refuse)
			result = refuse_no_match(rule, match, end, refusal_r);
		goto free_model;
	}
	template_rule_name(rule, template);
	*has_r = true;
	result = model_finish(rule, facts, model, template, refusal_r);

free_model:
	json_decref(model);
	return result;
}
