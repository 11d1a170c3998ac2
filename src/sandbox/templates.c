#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"

#include "sandbox/fields.h"
#include "sandbox/mustache.h"
#include "sandbox/query.h"
#include "sandbox/rules.h"
#include "sandbox/templates.h"

/* Of one part that is rendered: a little above what a message may have. */
#define MOST_RENDERED   (RULES_MOST_BODY_BYTES + 1024)
#define UNSUBSCRIBE_URL "https://unsubscribe.sandbox.example/u"
#define IDS_OF_SERVER   100000

static const char *const part_names[TEMPLATE_PARTS] = { "Subject", "HtmlBody", "TextBody" };

/* ---- life ---- */

struct templates *
templates_new(int64_t server)
{
	struct templates *templates = mem_new(sizeof(*templates));

	templates->next = server * IDS_OF_SERVER + 1;
	return templates;
}

static void
template_free(struct template **template_p)
{
	struct template *template = *template_p;

	if (template == NULL)
		return;
	free(template->name);
	free(template->alias);
	free(template->layout_alias);
	for (int i = 0; i < TEMPLATE_PARTS; i++) {
		free(template->parts[i]);
		mustache_free(&template->parsed[i]);
	}
	free(template);
	*template_p = NULL;
}

void
templates_free(struct templates **templates_p)
{
	struct templates *templates = *templates_p;

	if (templates == NULL)
		return;
	for (size_t i = 0; i < templates->count; i++)
		template_free(&templates->items[i]);
	free(templates->items);
	free(templates);
	*templates_p = NULL;
}

static void
add(struct templates *templates, struct template *template)
{
	template->id = templates->next++;
	templates->items =
	    mem_resize(templates->items, templates->count + 1, sizeof(struct template *));
	templates->items[templates->count++] = template;
}

void
templates_add_usual(struct templates *templates)
{
	struct rules_refusal refusal;
	json_t *json = json_pack("{s:s, s:s, s:s, s:s, s:s}", "Name", "Welcome", "Alias", "welcome",
	    "Subject", "Welcome, {{name}}", "HtmlBody",
	    "<html><body><p>Welcome, {{name}}!</p></body></html>", "TextBody",
	    "Welcome, {{name}}!\n");

	if (templates_create(templates, json, &refusal) == NULL)
		abort();
	json_decref(json);
}

struct template *
templates_by_id(const struct templates *templates, int64_t id)
{
	for (size_t i = 0; i < templates->count; i++) {
		if (templates->items[i]->id == id)
			return templates->items[i];
	}
	return NULL;
}

struct template *
templates_by_alias(const struct templates *templates, const char *alias)
{
	for (size_t i = 0; i < templates->count; i++) {
		if (templates->items[i]->alias != NULL &&
		    text_same(templates->items[i]->alias, alias))
			return templates->items[i];
	}
	return NULL;
}

struct template *
templates_find(const struct templates *templates, const char *id_or_alias)
{
	uint64_t id = query_id(id_or_alias);

	/* No alias starts with a digit. */
	return id > 0 ? templates_by_id(templates, (int64_t)id)
		      : templates_by_alias(templates, id_or_alias);
}

/* ---- rules ---- */

static size_t
units(const char *text)
{
	return text_utf16_units(text, strlen(text));
}

/* Letters, digits, '.', '-' and '_', with a letter in front. */
static bool
alias_ok(const char *alias)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	static const char others[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";

	return strchr(letters, alias[0]) != NULL && alias[strspn(alias, others)] == '\0';
}

/* -1: no such type. */
static int
type_of(const json_t *json, bool *layout_r)
{
	const char *type = fields_text(json, "TemplateType");

	if (type == NULL)
		return 0;
	if (!text_same(type, "Standard") && !text_same(type, "Layout"))
		return -1;
	*layout_r = text_same(type, "Layout");
	return 0;
}

static int
check_names(const struct templates *templates, const struct template *template,
    const struct template *old, struct rules_refusal *refusal)
{
	const struct template *other;

	if (template->name == NULL || template->name[strspn(template->name, " \t")] == '\0') {
		rules_refuse(refusal, 1120, "The 'Name' of the template is missing.");
		return -1;
	}
	if (units(template->name) > TEMPLATES_MOST_NAME) {
		rules_refuse(
		    refusal, 1121, "The 'Name' is limited to %d characters.", TEMPLATES_MOST_NAME);
		return -1;
	}
	if (template->alias == NULL)
		return 0;
	if (units(template->alias) > TEMPLATES_MOST_ALIAS) {
		rules_refuse(refusal, 1121, "The 'Alias' is limited to %d characters.",
		    TEMPLATES_MOST_ALIAS);
		return -1;
	}
	if (!alias_ok(template->alias)) {
		rules_refuse(refusal, 1122,
		    "The 'Alias' is not valid: letters, numbers, '.', '-' and '_' are allowed, and "
		    "the first is a letter.");
		return -1;
	}
	other = templates_by_alias(templates, template->alias);
	if (other != NULL && other != old) {
		rules_refuse(refusal, 1122, "The 'Alias' is already in use on this server.");
		return -1;
	}
	return 0;
}

static int
check_layout(const struct templates *templates, const struct template *template,
    struct rules_refusal *refusal)
{
	const struct template *layout;

	if (template->layout_alias == NULL)
		return 0;
	if (template->layout) {
		rules_refuse(refusal, 1123, "A layout cannot have a 'LayoutTemplate'.");
		return -1;
	}
	layout = templates_by_alias(templates, template->layout_alias);
	if (layout == NULL || !layout->layout) {
		rules_refuse(refusal, 1101,
		    "The 'LayoutTemplate' associated with this request is not valid or was not "
		    "found.");
		return -1;
	}
	return 0;
}

static int
parse_part(struct template *template, enum template_part part, struct rules_refusal *refusal)
{
	const char *text = template->parts[part];
	struct mustache_errors errors;

	if (text == NULL)
		return 0;
	template->parsed[part] = mustache_parse(text, strlen(text), template->layout, &errors);
	if (template->parsed[part] == NULL) {
		rules_refuse(refusal, 1122, "The '%s' is not valid: line %zu, character %zu: %s",
		    part_names[part], errors.items[0].line, errors.items[0].position,
		    errors.items[0].text);
		return -1;
	}
	if (template->layout && mustache_placeholders(template->parsed[part]) != 1) {
		rules_refuse(refusal, 1131,
		    "The '%s' of a layout must have the placeholder {{{ @content }}} exactly once.",
		    part_names[part]);
		return -1;
	}
	return 0;
}

static int
check_parts(struct template *template, struct rules_refusal *refusal)
{
	const char *subject = template->parts[TEMPLATE_SUBJECT];

	if (template->layout && subject != NULL) {
		rules_refuse(refusal, 1123, "A layout cannot have a 'Subject'.");
		return -1;
	}
	if (!template->layout && subject == NULL) {
		rules_refuse(refusal, 1120, "The 'Subject' of the template is missing.");
		return -1;
	}
	if (template->parts[TEMPLATE_HTML] == NULL && template->parts[TEMPLATE_TEXT] == NULL) {
		rules_refuse(
		    refusal, 1120, "The template must have an 'HtmlBody' or a 'TextBody'.");
		return -1;
	}
	if (subject != NULL && units(subject) > TEMPLATES_MOST_SUBJECT) {
		rules_refuse(refusal, 1121, "The 'Subject' is limited to %d characters.",
		    TEMPLATES_MOST_SUBJECT);
		return -1;
	}
	for (enum template_part part = TEMPLATE_HTML; part <= TEMPLATE_TEXT; part++) {
		if (template->parts[part] == NULL ||
		    strlen(template->parts[part]) <= TEMPLATES_MOST_BODY_BYTES)
			continue;
		rules_refuse(refusal, 1121, "The '%s' is limited to %d bytes.", part_names[part],
		    TEMPLATES_MOST_BODY_BYTES);
		return -1;
	}
	for (int i = 0; i < TEMPLATE_PARTS; i++) {
		if (parse_part(template, (enum template_part)i, refusal) != 0)
			return -1;
	}
	return 0;
}

static char *
text_or_null(const char *text)
{
	return text != NULL ? mem_string(text) : NULL;
}

/* What the field says, else what the template had. */
static char *
text_of(const json_t *json, const char *name, const char *old)
{
	const char *text = fields_text(json, name);

	return text_or_null(text != NULL ? text : old);
}

/* What the template becomes by the fields; old NULL: a new one.  NULL: refusal. */
static struct template *
make(const struct templates *templates, const struct template *old, const json_t *json,
    struct rules_refusal *refusal)
{
	static const struct template none;
	const struct template *before = old != NULL ? old : &none;
	const char *layout = json_string_value(json_object_get(json, "LayoutTemplate"));
	struct template *template;
	bool is_layout = before->layout;

	if (type_of(json, &is_layout) != 0 || (old != NULL && is_layout != old->layout)) {
		rules_refuse(refusal, 1122,
		    old == NULL ? "The 'TemplateType' is neither Standard nor Layout."
				: "The 'TemplateType' of a template cannot be changed.");
		return NULL;
	}
	template = mem_new(sizeof(*template));
	template->id = before->id;
	template->layout = is_layout;
	template->name = text_of(json, "Name", before->name);
	template->alias = text_of(json, "Alias", before->alias);
	if (layout == NULL)
		template->layout_alias = text_or_null(before->layout_alias);
	else if (layout[0] != '\0')
		template->layout_alias = mem_string(layout);
	for (int i = 0; i < TEMPLATE_PARTS; i++)
		template->parts[i] = text_of(json, part_names[i], before->parts[i]);
	if (check_names(templates, template, old, refusal) != 0 ||
	    check_layout(templates, template, refusal) != 0 || check_parts(template, refusal) != 0)
		template_free(&template);
	return template;
}

struct template *
templates_create(struct templates *templates, const json_t *json, struct rules_refusal *refusal_r)
{
	struct template *template;

	template = make(templates, NULL, json, refusal_r);
	if (template != NULL && templates->count == TEMPLATES_MOST) {
		template_free(&template);
		rules_refuse(refusal_r, 1105, "A server may have %d templates.", TEMPLATES_MOST);
	}
	if (template != NULL)
		add(templates, template);
	return template;
}

static bool
uses(const struct template *template, const struct template *layout)
{
	return template->layout_alias != NULL && layout->alias != NULL &&
	       text_same(template->layout_alias, layout->alias);
}

int
templates_edit(struct templates *templates, struct template *template, const json_t *json,
    struct rules_refusal *refusal_r)
{
	struct template *edited = make(templates, template, json, refusal_r);
	struct template before;

	if (edited == NULL)
		return -1;
	/* A layout's templates follow it to its new alias, which it cannot lose. */
	for (size_t i = 0; i < templates->count; i++) {
		struct template *other = templates->items[i];

		if (!template->layout || !uses(other, template))
			continue;
		free(other->layout_alias);
		other->layout_alias = mem_string(edited->alias);
	}
	before = *template;
	*template = *edited;
	*edited = before;
	template_free(&edited);
	return 0;
}

int
templates_delete(
    struct templates *templates, struct template *template, struct rules_refusal *refusal_r)
{
	size_t at = 0;

	for (size_t i = 0; i < templates->count; i++) {
		if (templates->items[i] == template)
			at = i;
		if (!template->layout || !uses(templates->items[i], template))
			continue;
		rules_refuse(
		    refusal_r, 1130, "This layout is in use by a template and cannot be deleted.");
		return -1;
	}
	memmove(&templates->items[at], &templates->items[at + 1],
	    (templates->count - at - 1) * sizeof(struct template *));
	templates->count--;
	template_free(&template);
	return 0;
}

/* ---- as JSON ---- */

const char *
template_type(const struct template *template)
{
	return template->layout ? "Layout" : "Standard";
}

json_t *
template_summary(const struct template *template)
{
	return json_pack("{s:b, s:I, s:s, s:s?, s:s, s:s?}", "Active", 1, "TemplateId",
	    (json_int_t) template->id, "Name", template->name, "Alias", template->alias,
	    "TemplateType", template_type(template), "LayoutTemplate", template->layout_alias);
}

json_t *
template_json(const struct template *template, int64_t server)
{
	json_t *json = template_summary(template);

	json_object_set_new(json, "AssociatedServerId", json_integer((json_int_t)server));
	for (int i = 0; i < TEMPLATE_PARTS; i++)
		json_object_set_new(json, part_names[i],
		    template->parts[i] != NULL ? json_string(template->parts[i]) : json_null());
	return json;
}

/* ---- rendering ---- */

/* NULL: error_r.  The caller frees. */
static char *
render_part(const struct mustache *parsed, enum template_part part, const json_t *model,
    const char *content, struct mustache_error *error_r)
{
	struct mustache_params params = {
		.model = model,
		.escape = part == TEMPLATE_HTML,
		.content = content,
		.unsubscribe_url = UNSUBSCRIBE_URL,
	};
	struct buf out;
	char *text = NULL;
	size_t len;

	buf_init(&out, MOST_RENDERED);
	if (mustache_render(parsed, &params, &out, error_r) == 0) {
		text = buf_take(&out, &len);
		if (text == NULL)
			text = mem_string("");
	}
	buf_free(&out);
	return text;
}

/* The part, and the part of the layout around it if there is one. */
static char *
render_within(const struct mustache *parsed, const struct template *layout, enum template_part part,
    const json_t *model, struct mustache_error *error_r)
{
	char *inner = render_part(parsed, part, model, NULL, error_r);
	char *whole;

	if (inner == NULL || layout == NULL || layout->parsed[part] == NULL)
		return inner;
	whole = render_part(layout->parsed[part], part, model, inner, error_r);
	free(inner);
	return whole;
}

int
template_render(const struct templates *templates, const struct template *template,
    const json_t *model, struct template_rendered *rendered_r, struct rules_refusal *refusal_r)
{
	const struct template *layout = NULL;
	struct mustache_error error;

	memset(rendered_r, 0, sizeof(*rendered_r));
	if (template->layout_alias != NULL)
		layout = templates_by_alias(templates, template->layout_alias);
	for (int i = 0; i < TEMPLATE_PARTS; i++) {
		enum template_part part = (enum template_part)i;

		if (template->parsed[i] == NULL)
			continue;
		rendered_r->parts[i] =
		    render_within(template->parsed[i], layout, part, model, &error);
		if (rendered_r->parts[i] != NULL)
			continue;
		rules_refuse(refusal_r, 1122, "The '%s' of the template cannot be rendered: %s",
		    part_names[i], error.text);
		template_rendered_deinit(rendered_r);
		return -1;
	}
	return 0;
}

void
template_rendered_deinit(struct template_rendered *rendered)
{
	for (int i = 0; i < TEMPLATE_PARTS; i++)
		free(rendered->parts[i]);
	memset(rendered, 0, sizeof(*rendered));
}

const char *
templates_reserved_key(const json_t *model)
{
	const char *key;
	json_t *value;

	/* What placeholders of Postmark's own are called. */
	json_object_foreach((json_t *)model, key, value)
	{
		if (key[0] == '@' || text_starts(key, "pm:"))
			return key;
	}
	return NULL;
}

/* ---- validation ---- */

struct validation {
	bool layout;
	const struct template *within; /* NULL: no layout around it */
	const char *texts[TEMPLATE_PARTS];
	struct mustache *parsed[TEMPLATE_PARTS];
	struct mustache_errors errors[TEMPLATE_PARTS];
};

static int
validation_read(const struct templates *templates, const json_t *json,
    struct validation *validation, struct rules_refusal *refusal)
{
	const char *layout = fields_text(json, "LayoutTemplate");
	const char *reserved = templates_reserved_key(json_object_get(json, "TestRenderModel"));
	bool any = false;

	if (type_of(json, &validation->layout) != 0) {
		rules_refuse(refusal, 1122, "The 'TemplateType' is neither Standard nor Layout.");
		return -1;
	}
	for (int i = 0; i < TEMPLATE_PARTS; i++) {
		validation->texts[i] = fields_text(json, part_names[i]);
		any = any || validation->texts[i] != NULL;
		if (validation->texts[i] == NULL ||
		    strlen(validation->texts[i]) <= TEMPLATES_MOST_BODY_BYTES)
			continue;
		rules_refuse(refusal, 1121, "The '%s' is limited to %d bytes.", part_names[i],
		    TEMPLATES_MOST_BODY_BYTES);
		return -1;
	}
	if (!any) {
		rules_refuse(refusal, 1120,
		    "At least one of 'Subject', 'HtmlBody' and 'TextBody' is required.");
		return -1;
	}
	if (reserved != NULL) {
		rules_refuse(refusal, 1122, "The 'TestRenderModel' has a key that is reserved.");
		return -1;
	}
	if (validation->layout && (validation->texts[TEMPLATE_SUBJECT] != NULL || layout != NULL)) {
		rules_refuse(
		    refusal, 1123, "A layout cannot have a 'Subject' or a 'LayoutTemplate'.");
		return -1;
	}
	if (layout == NULL)
		return 0;
	validation->within = templates_by_alias(templates, layout);
	if (validation->within == NULL || !validation->within->layout) {
		rules_refuse(refusal, 1101,
		    "The 'LayoutTemplate' associated with this request is not valid or was not "
		    "found.");
		return -1;
	}
	return 0;
}

static void
validation_parse(struct validation *validation, int part)
{
	const char *text = validation->texts[part];
	struct mustache_errors *errors = &validation->errors[part];

	if (text == NULL)
		return;
	validation->parsed[part] = mustache_parse(text, strlen(text), validation->layout, errors);
	if (validation->parsed[part] == NULL || !validation->layout ||
	    mustache_placeholders(validation->parsed[part]) == 1)
		return;
	errors->count = 1;
	errors->items[0] = (struct mustache_error){ .line = 1, .position = 1 };
	snprintf(errors->items[0].text, sizeof(errors->items[0].text),
	    "A layout must have the placeholder {{{ @content }}} exactly once.");
}

/* What to_r lacks of more, at every depth that both have as objects. */
static void
fill_in(json_t *to, const json_t *more)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)more, key, value)
	{
		json_t *there = json_object_get(to, key);

		if (there == NULL)
			json_object_set(to, key, value);
		else if (json_is_object(there) && json_is_object(value))
			fill_in(there, value);
	}
}

static json_t *
section_json(struct validation *validation, int part, const json_t *model)
{
	struct mustache_errors *errors = &validation->errors[part];
	json_t *list;
	char *text = NULL;
	json_t *section;

	if (validation->texts[part] == NULL)
		return json_null();
	if (errors->count == 0) {
		text = render_within(validation->parsed[part], validation->within,
		    (enum template_part)part, model, &errors->items[0]);
		errors->count = text == NULL;
	}
	list = json_array();
	for (size_t i = 0; i < errors->count; i++)
		json_array_append_new(
		    list, json_pack("{s:s, s:I, s:I}", "Message", errors->items[i].text, "Line",
			      (json_int_t)errors->items[i].line, "CharacterPosition",
			      (json_int_t)errors->items[i].position));
	section = json_pack("{s:b, s:o, s:s?}", "ContentIsValid", text != NULL, "ValidationErrors",
	    list, "RenderedContent", text);
	free(text);
	return section;
}

json_t *
templates_validate(
    const struct templates *templates, const json_t *json, struct rules_refusal *refusal_r)
{
	struct validation *validation = mem_new(sizeof(*validation));
	const json_t *given = fields_get(json, "TestRenderModel");
	struct mustache_guess *guess;
	json_t *answer = NULL, *model, *guessed;
	bool all = true;

	if (validation_read(templates, json, validation, refusal_r) != 0)
		goto free_validation;
	guess = mustache_guess_new();
	for (int i = 0; i < TEMPLATE_PARTS; i++) {
		validation_parse(validation, i);
		if (validation->parsed[i] != NULL)
			mustache_guess_add(guess, validation->parsed[i]);
		if (validation->within != NULL && validation->within->parsed[i] != NULL)
			mustache_guess_add(guess, validation->within->parsed[i]);
	}
	model = given != NULL ? json_deep_copy(given) : json_object();
	guessed = mustache_guess_json(guess);
	fill_in(model, guessed);
	json_decref(guessed);
	mustache_guess_free(&guess);

	answer = json_object();
	json_object_set_new(answer, "AllContentIsValid", json_true());
	for (int i = 0; i < TEMPLATE_PARTS; i++) {
		json_object_set_new(answer, part_names[i], section_json(validation, i, model));
		all = all && validation->errors[i].count == 0;
		mustache_free(&validation->parsed[i]);
	}
	json_object_set_new(answer, "AllContentIsValid", json_boolean(all));
	json_object_set_new(answer, "SuggestedTemplateModel", model);

free_validation:
	free(validation);
	return answer;
}

/* ---- from server to server ---- */

/* What create or edit would be asked for. */
static json_t *
request_of(const struct template *template)
{
	json_t *json = json_pack("{s:s, s:s, s:s, s:s}", "Name", template->name, "Alias",
	    template->alias, "TemplateType", template_type(template), "LayoutTemplate",
	    template->layout_alias != NULL ? template->layout_alias : "");

	for (int i = 0; i < TEMPLATE_PARTS; i++) {
		if (template->parts[i] != NULL)
			json_object_set_new(json, part_names[i], json_string(template->parts[i]));
	}
	return json;
}

static void
push_one(
    struct templates *to, struct template *there, const struct template *template, json_t *action)
{
	struct rules_refusal refusal;
	json_t *json = request_of(template);
	bool done;

	/* An edit keeps a part that is not named; here it goes. */
	for (int i = 0; there != NULL && i < TEMPLATE_PARTS; i++) {
		if (template->parts[i] != NULL)
			continue;
		free(there->parts[i]);
		there->parts[i] = NULL;
	}
	if (there == NULL) {
		there = templates_create(to, json, &refusal);
		done = there != NULL;
	} else {
		done = templates_edit(to, there, json, &refusal) == 0;
	}
	/* It was right where it came from, and what could differ here was looked at. */
	if (!done)
		abort();
	json_object_set_new(action, "TemplateId", json_integer((json_int_t)there->id));
	json_decref(json);
}

static int
check_push(const struct templates *from, const struct templates *to, struct rules_refusal *refusal)
{
	size_t pushed = 0, created = 0;

	for (size_t i = 0; i < from->count; i++) {
		const struct template *template = from->items[i], *there;

		if (template->alias == NULL)
			continue;
		pushed++;
		there = templates_by_alias(to, template->alias);
		created += there == NULL;
		if (there != NULL && there->layout != template->layout) {
			rules_refuse(refusal, 1125,
			    "The template '%s' has another type on the destination server.",
			    template->alias);
			return -1;
		}
	}
	if (pushed == 0) {
		rules_refuse(
		    refusal, 1124, "The source server has no templates with an alias to push.");
		return -1;
	}
	if (created + to->count > TEMPLATES_MOST) {
		rules_refuse(refusal, 1105, "A server may have %d templates.", TEMPLATES_MOST);
		return -1;
	}
	return 0;
}

json_t *
templates_push(const struct templates *from, struct templates *to, bool perform,
    struct rules_refusal *refusal_r)
{
	json_t *actions;

	if (check_push(from, to, refusal_r) != 0)
		return NULL;
	actions = json_array();
	for (int layouts = 1; layouts >= 0; layouts--) {
		for (size_t i = 0; i < from->count; i++) {
			const struct template *template = from->items[i];
			struct template *there;
			json_t *action;

			if (template->alias == NULL || template->layout != (layouts == 1))
				continue;
			there = templates_by_alias(to, template->alias);
			action = json_pack("{s:s, s:I, s:s, s:s, s:s}", "Action",
			    there == NULL ? "Create" : "Edit", "TemplateId",
			    (json_int_t)(there == NULL ? template->id : there->id), "Alias",
			    template->alias, "Name", template->name, "TemplateType",
			    template_type(template));
			if (perform)
				push_one(to, there, template, action);
			json_array_append_new(actions, action);
		}
	}
	return actions;
}
