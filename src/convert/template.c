/*
 * Which template a mail goes with: by its own word.  What a route's rule makes is in
 * template_rule.c.
 */

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "mail/mime.h"
#include "mail/refusal.h"
#include "convert/headers.h"
#include "convert/ledger.h"
#include "convert/parts.h"
#include "convert/template_rule.h"
#include "convert/template.h"

#define MODEL_PART "template-model.json"

/* Of a model in header fields: the value of one. */
struct piece {
	uint64_t number; /* 0: of the field without one */
	char *name;      /* of the field */
	char *text;
};

/* What a mail says. */
struct word {
	char *alias, *id;
	int inline_css;
	struct piece *pieces;
	size_t piece_count, piece_room;
	size_t part; /* index of the attachment that is the model; SIZE_MAX: none */
};

static void
word_free(struct word *word)
{
	free(word->alias);
	free(word->id);
	for (size_t i = 0; i < word->piece_count; i++) {
		free(word->pieces[i].name);
		free(word->pieces[i].text);
	}
	free(word->pieces);
}

void
template_free(struct template *template)
{
	free(template->alias);
	free(template->id);
	free(template->model);
	*template = (struct template){ 0 };
}

/* --- the names of templates ----------------------------------------------- */

/* Postmark: letters, digits, '.', '-' and '_', a letter first (ErrorCode 1122). */
bool
template_is_alias(const char *text)
{
	size_t len = strlen(text);

	if (len == 0 || len > TEMPLATE_MOST_ALIAS)
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = text[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
		bool other = (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';

		if (!letter && (i == 0 || !other))
			return false;
	}
	return true;
}

char *
template_id_print(const char *text)
{
	uint64_t id;

	if (text_number(text, strlen(text), 1, INT64_MAX, &id) != 0)
		return NULL;
	return mem_format("%llu", (unsigned long long)id);
}

/* --- what the mail says --------------------------------------------------- */

static int
alias_read(struct word *word, const char *value, struct refusal *refusal_r)
{
	if (word->alias != NULL)
		return 0;
	if (!template_is_alias(value)) {
		refusal_set(refusal_r, 554, "5.6.0",
		    "X-PM-Template-Alias must be the alias of a template: a letter, then letters, "
		    "digits, '.', '-', '_', and the limit is %d characters",
		    TEMPLATE_MOST_ALIAS);
		return -1;
	}
	word->alias = mem_string(value);
	return 0;
}

static int
id_read(struct word *word, const char *value, struct refusal *refusal_r)
{
	if (word->id != NULL)
		return 0;
	word->id = template_id_print(value);
	if (word->id != NULL)
		return 0;
	refusal_set(refusal_r, 554, "5.6.0", "X-PM-Template-Id must be the number of a template");
	return -1;
}

static int
inline_css_read(struct word *word, const char *value, struct refusal *refusal_r)
{
	if (!text_same(value, "true") && !text_same(value, "false")) {
		refusal_set(refusal_r, 554, "5.6.0", "X-PM-Inline-Css must be true or false");
		return -1;
	}
	word->inline_css = text_same(value, "true");
	return 0;
}

static int
piece_read(struct word *word, const struct mime_field *field, uint64_t number, char *value)
{
	if (word->piece_count == word->piece_room) {
		word->piece_room = word->piece_room == 0 ? 8 : word->piece_room * 2;
		word->pieces = mem_resize(word->pieces, word->piece_room, sizeof(*word->pieces));
	}
	word->pieces[word->piece_count++] = (struct piece){
		.number = number, .name = mem_bytes(field->name, field->name_len), .text = value
	};
	return 0;
}

/* The field's name behind one of two spellings; NULL: it has neither. */
static const char *
behind(const struct mime_field *field, const char *a, const char *b)
{
	size_t len = strlen(a);

	if (field->name_len >= len && text_same_n(field->name, a, len))
		return field->name + len;
	len = strlen(b);
	if (field->name_len >= len && text_same_n(field->name, b, len))
		return field->name + len;
	return NULL;
}

static bool
is_either(const struct mime_field *field, const char *a, const char *b)
{
	return mime_field_is(field, a) || mime_field_is(field, b);
}

static int
field_read(struct word *word, const struct mime_field *field, struct refusal *refusal_r)
{
	const char *number = behind(field, "X-PM-Template-Model", "X-PM-TemplateModel");
	const char *end = field->name + field->name_len;
	char *value;
	uint64_t n = 0;
	int result = 0;

	if (field->name_len < 4 || !text_same_n(field->name, "X-PM", 4))
		return 0;
	value = mime_decode_value(field->value, field->value_len);
	if (value[0] == '\0') {
		/* It says nothing. */
	} else if (is_either(field, "X-PM-Template-Alias", "X-PM-TemplateAlias")) {
		result = alias_read(word, value, refusal_r);
	} else if (is_either(field, "X-PM-Template-Id", "X-PM-TemplateId")) {
		result = id_read(word, value, refusal_r);
	} else if (is_either(field, "X-PM-Inline-Css", "X-PM-InlineCss")) {
		result = inline_css_read(word, value, refusal_r);
	} else if (number == end) {
		return piece_read(word, field, 0, value);
	} else if (number != NULL && number[0] == '-') {
		if (text_number(number + 1, (size_t)(end - number - 1), 1, 9999, &n) == 0)
			return piece_read(word, field, n, value);
		refusal_set(refusal_r, 554, "5.6.0",
		    "X-PM-Template-Model- goes on with a number from 1 on");
		result = -1;
	}
	free(value);
	return result;
}

static bool
is_model_part(const struct attachment *attachment)
{
	return text_same(attachment->name, MODEL_PART) &&
	       strcmp(attachment->part->type, "application/json") == 0;
}

static int
word_read(struct word *word, const struct mime *mime, const struct parts *parts,
    struct refusal *refusal_r)
{
	for (size_t i = 0; i < mime->field_count; i++)
		if (field_read(word, &mime->fields[i], refusal_r) != 0)
			return -1;
	for (size_t i = 0; i < parts->attachment_count && word->part == SIZE_MAX; i++)
		if (is_model_part(&parts->attachments[i]))
			word->part = i;
	return 0;
}

/* --- its model ------------------------------------------------------------ */

/* A model as it came, and how to tell a place in it. */
struct raw_model {
	const char *text;
	size_t len;
	const struct piece *pieces; /* NULL: the part */
	size_t piece_count;
};

/* at: the bytes before and with what is wrong. */
static void
refuse_place(const struct raw_model *raw, size_t at, const char *what, struct refusal *refusal_r)
{
	const char *name = MODEL_PART;
	size_t start = 0, line = 1, column = 0;

	if (at > raw->len)
		at = raw->len;
	for (size_t i = 0; i < raw->piece_count; i++) {
		size_t len = strlen(raw->pieces[i].text);

		name = raw->pieces[i].name;
		if (at - start <= len)
			break;
		start += len;
	}
	for (size_t i = start; i < at; i++) {
		if (raw->text[i] == '\n') {
			line++;
			column = 0;
		} else if (((unsigned char)raw->text[i] & 0xC0) != 0x80) {
			column++;
		}
	}
	refusal_set(refusal_r, 554, "5.6.0", "%.100s: line %zu, column %zu: %s", name, line,
	    column == 0 ? 1 : column, what);
}

/* Before anything is read that calls itself for each level. */
static int
depth_check(const struct raw_model *raw, struct refusal *refusal_r)
{
	bool within = false;
	size_t depth = 0;

	for (size_t i = 0; i < raw->len; i++) {
		char c = raw->text[i];

		if (within && c == '\\')
			i++;
		else if (c == '"')
			within = !within;
		else if (!within && (c == '{' || c == '['))
			depth++;
		else if (!within && (c == '}' || c == ']') && depth > 0)
			depth--;
		if (depth > TEMPLATE_MOST_DEPTH) {
			char what[100];

			snprintf(what, sizeof(what),
			    "objects and arrays are nested deeper than the limit of %d",
			    TEMPLATE_MOST_DEPTH);
			refuse_place(raw, i + 1, what, refusal_r);
			return -1;
		}
	}
	return 0;
}

/* Without the white space between tokens: no line end is left then.  The rest is as it was. */
static void
add_compact(struct buf *out, const char *text, size_t len)
{
	bool within = false;

	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (within && c == '\\') {
			buf_addc(out, c);
			c = text[++i];
		} else if (c == '"') {
			within = !within;
		} else if (!within && (c == ' ' || c == '\t' || c == '\r' || c == '\n')) {
			continue;
		}
		buf_addc(out, c);
	}
}

static int
model_take(struct template *template, const struct raw_model *raw, struct refusal *refusal_r)
{
	json_error_t error;
	struct buf out;
	json_t *json;

	if (raw->len > TEMPLATE_MOST_MODEL_BYTES) {
		refusal_set(refusal_r, 552, "5.3.4",
		    "the template's model has %zu bytes, and the limit is %d", raw->len,
		    TEMPLATE_MOST_MODEL_BYTES);
		return -1;
	}
	if (depth_check(raw, refusal_r) != 0)
		return -1;
	/* A number may have more digits than any type: it is looked at, not kept. */
	json = json_loadb(
	    raw->text, raw->len, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, &error);
	if (json == NULL) {
		refuse_place(raw, (size_t)error.position, error.text, refusal_r);
		return -1;
	}
	if (!json_is_object(json)) {
		json_decref(json);
		refuse_place(raw, 1, "a template's model is a JSON object", refusal_r);
		return -1;
	}
	json_decref(json);
	buf_init(&out, TEMPLATE_MOST_MODEL_BYTES);
	add_compact(&out, raw->text, raw->len);
	template->model = buf_take(&out, &template->model_len);
	return 0;
}

static int
piece_compare(const void *a, const void *b)
{
	const struct piece *x = a, *y = b;

	return x->number < y->number ? -1 : x->number > y->number;
}

static int
model_from_fields(struct template *template, struct word *word, struct refusal *refusal_r)
{
	struct raw_model raw = { .pieces = word->pieces, .piece_count = word->piece_count };
	struct buf text;
	int result;

	qsort(word->pieces, word->piece_count, sizeof(*word->pieces), piece_compare);
	for (size_t i = 1; i < word->piece_count; i++)
		if (word->pieces[i].number == word->pieces[i - 1].number) {
			refusal_set(refusal_r, 554, "5.6.0", "%.100s stands there twice",
			    word->pieces[i].name);
			return -1;
		}
	for (size_t i = 0; i < word->piece_count; i++) {
		uint64_t expected = word->pieces[0].number == 0 ? i : i + 1;

		if (word->pieces[i].number != expected) {
			refusal_set(refusal_r, 554, "5.6.0",
			    "X-PM-Template-Model-%zu is missing before %.100s", (size_t)expected,
			    word->pieces[i].name);
			return -1;
		}
	}
	buf_init(&text, SIZE_MAX / 4);
	for (size_t i = 0; i < word->piece_count; i++)
		buf_adds(&text, word->pieces[i].text);
	raw.text = text.data;
	raw.len = text.len;
	result = model_take(template, &raw, refusal_r);
	buf_free(&text);
	return result;
}

/* The part is taken out: it was for the relay. */
static int
model_from_part(
    struct template *template, struct word *word, struct parts *parts, struct refusal *refusal_r)
{
	struct attachment *attachment = &parts->attachments[word->part];
	struct raw_model raw = { 0 };
	struct buf text;
	int result;

	buf_init(&text, SIZE_MAX / 4);
	mime_part_decode(attachment->part, &text);
	raw.text = text.data == NULL ? "" : text.data;
	raw.len = text.len;
	/* A byte order mark is no JSON (RFC 8259 8.1), and editors write it. */
	if (raw.len >= 3 && memcmp(raw.text, "\xEF\xBB\xBF", 3) == 0) {
		raw.text += 3;
		raw.len -= 3;
	}
	result = model_take(template, &raw, refusal_r);
	buf_free(&text);
	if (result != 0)
		return -1;
	free(attachment->name);
	free(attachment->content_type);
	free(attachment->content_id);
	parts->attachment_count--;
	memmove(attachment, attachment + 1,
	    (parts->attachment_count - word->part) * sizeof(*attachment));
	return 0;
}

static int
model_read(
    struct template *template, struct word *word, struct parts *parts, struct refusal *refusal_r)
{
	if (word->piece_count > 0 && word->part != SIZE_MAX) {
		refusal_set(refusal_r, 554, "5.6.0",
		    "the template has two models: X-PM-Template-Model and the part " MODEL_PART);
		return -1;
	}
	if (word->piece_count > 0)
		return model_from_fields(template, word, refusal_r);
	if (word->part != SIZE_MAX)
		return model_from_part(template, word, parts, refusal_r);
	template->model = mem_string("{}");
	template->model_len = 2;
	return 0;
}

/* --- the mail or its route ------------------------------------------------ */

/* Alias or id from the mail. */
static int
own_template(struct template *template, struct word *word, struct parts *parts,
    struct ledger *ledger, struct refusal *refusal_r)
{
	/* Postmark takes the id where both are given. */
	if (word->id != NULL && word->alias != NULL)
		ledger_note(ledger, LEDGER_CONTROLS);
	template->id = word->id;
	word->id = NULL;
	if (template->id == NULL) {
		template->alias = word->alias;
		word->alias = NULL;
	}
	return model_read(template, word, parts, refusal_r);
}

static int
routes_template(struct template *template, bool *has_r, const struct template_input *input,
    struct word *word, struct parts *parts, struct ledger *ledger, struct refusal *refusal_r)
{
	const struct template_facts facts = { .mime = input->mime,
		.headers = input->headers,
		.parts = parts,
		.ledger = ledger,
		.patterns = input->patterns };

	if (word->piece_count > 0 || word->part != SIZE_MAX) {
		template_rule_name(input->rule, template);
		*has_r = true;
		return model_read(template, word, parts, refusal_r);
	}
	if (input->mail_must_say)
		return 0;
	return template_rule_apply(input->rule, &facts, template, has_r, refusal_r);
}

static int
template_settle(struct template *template, bool *has_r, const struct template_input *input,
    struct word *word, struct parts *parts, struct ledger *ledger, struct refusal *refusal_r)
{
	int result = 0;

	if (word->id != NULL || word->alias != NULL) {
		*has_r = true;
		result = own_template(template, word, parts, ledger, refusal_r);
	} else if (input->rule != NULL) {
		result = routes_template(template, has_r, input, word, parts, ledger, refusal_r);
	} else if (word->piece_count > 0) {
		refusal_set(refusal_r, 554, "5.6.0",
		    "X-PM-Template-Model needs an X-PM-Template-Alias or X-PM-Template-Id");
		result = -1;
	}
	if (*has_r && word->inline_css >= 0)
		template->inline_css = word->inline_css;
	return result;
}

/* A model that the route does not let the mail bring stays where it is. */
static bool
has_barred_model(const struct template_input *input, const struct parts *parts)
{
	bool wanted = input->rule != NULL;

	for (size_t i = 0; i < input->mime->field_count && !wanted; i++) {
		const struct mime_field *field = &input->mime->fields[i];

		wanted = is_either(field, "X-PM-Template-Alias", "X-PM-TemplateAlias") ||
			 is_either(field, "X-PM-Template-Id", "X-PM-TemplateId");
	}
	for (size_t i = 0; i < parts->attachment_count && wanted; i++)
		if (is_model_part(&parts->attachments[i]))
			return true;
	return false;
}

int
template_read(struct template *template, bool *has_r, const struct template_input *input,
    struct parts *parts, struct ledger *ledger, struct refusal *refusal_r)
{
	struct word word = { .inline_css = -1, .part = SIZE_MAX };
	int result = 0;

	*template = (struct template){ .inline_css = -1 };
	*has_r = false;
	if (input->mail_may_say)
		result = word_read(&word, input->mime, parts, refusal_r);
	else if (has_barred_model(input, parts))
		ledger_note(ledger, LEDGER_CONTROLS);
	if (result == 0)
		result = template_settle(template, has_r, input, &word, parts, ledger, refusal_r);
	word_free(&word);
	if (result == 0 && *has_r)
		ledger_note(ledger, LEDGER_TEMPLATE);
	return result;
}
