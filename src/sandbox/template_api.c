#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/mem.h"
#include "base/text.h"

#include "sandbox/account.h"
#include "sandbox/fields.h"
#include "sandbox/query.h"
#include "sandbox/rules.h"
#include "sandbox/send.h"
#include "sandbox/server.h"
#include "sandbox/state.h"
#include "sandbox/templates.h"
#include "sandbox/template_api.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- requests ---- */

static void
refuse_by(struct state *state, struct api_answer *answer, struct rules_refusal *refusal)
{
	api_refuse(state, answer, refusal->code, refusal->text);
	rules_refusal_deinit(refusal);
}

static bool
body_ok(struct state *state, const struct api_request *request, struct api_answer *answer,
    const struct fields *fields, size_t count)
{
	return api_body_ok(state, request, answer, 1109, "The request is empty.", fields, count);
}

static const char *
not_found_text(bool by_id)
{
	return by_id ? "The 'TemplateID' associated with this request is not valid or was not "
		       "found."
		     : "The Template's 'Alias' associated with this request is not valid or was "
		       "not found.";
}

/* The template of the path; NULL: refused. */
static struct template *
wanted(struct state *state, struct server *server, const struct api_request *request,
    struct api_answer *answer)
{
	struct template *template = templates_find(server->templates, request->parts[0]);

	if (template == NULL)
		api_refuse(state, answer, 1101, not_found_text(query_id(request->parts[0]) > 0));
	return template;
}

/* ---- the calls ---- */

static const struct fields template_fields[] = {
	{ "Name", FIELDS_STRING },
	{ "Alias", FIELDS_STRING },
	{ "Subject", FIELDS_STRING },
	{ "HtmlBody", FIELDS_STRING },
	{ "TextBody", FIELDS_STRING },
	{ "TemplateType", FIELDS_STRING },
	{ "LayoutTemplate", FIELDS_STRING },
};

void
template_list(struct state *state, struct server *server, const struct api_request *request,
    struct api_answer *answer)
{
	const struct templates *templates = server->templates;
	const char *type = query_text(request, "templatetype");
	const char *layout = query_text(request, "layouttemplate");
	struct query_page page;
	const char *wrong = query_page(request, false, &page);

	if (wrong == NULL && type != NULL && !text_same(type, "All") &&
	    !text_same(type, "Standard") && !text_same(type, "Layout"))
		wrong = "The 'TemplateType' parameter is none of All, Standard and Layout.";
	if (wrong != NULL) {
		api_refuse(state, answer, 1100, wrong);
		return;
	}
	for (size_t i = 0; i < templates->count; i++) {
		const struct template *template = templates->items[i];

		if ((type == NULL || text_same(type, "All") ||
			text_same(type, template_type(template))) &&
		    (layout == NULL || (template->layout_alias != NULL &&
					   text_same(layout, template->layout_alias))) &&
		    query_page_has(&page))
			query_page_add(&page, template_summary(template));
	}
	query_page_answer(&page, answer, "Templates");
}

void
template_get(struct state *state, struct server *server, const struct api_request *request,
    struct api_answer *answer)
{
	const struct template *template = wanted(state, server, request, answer);

	if (template != NULL)
		api_answer_json(answer, template_json(template, server->id));
}

void
template_create(struct state *state, struct server *server, const struct api_request *request,
    struct api_answer *answer)
{
	struct rules_refusal refusal;
	const struct template *template;

	if (!body_ok(state, request, answer, template_fields, COUNT(template_fields)))
		return;
	template = templates_create(server->templates, request->json, &refusal);
	if (template == NULL)
		refuse_by(state, answer, &refusal);
	else
		api_answer_json(answer, template_summary(template));
}

void
template_edit(struct state *state, struct server *server, const struct api_request *request,
    struct api_answer *answer)
{
	struct template *template = wanted(state, server, request, answer);
	struct rules_refusal refusal;

	if (template == NULL ||
	    !body_ok(state, request, answer, template_fields, COUNT(template_fields)))
		return;
	if (templates_edit(server->templates, template, request->json, &refusal) != 0)
		refuse_by(state, answer, &refusal);
	else
		api_answer_json(answer, template_summary(template));
}

void
template_delete(struct state *state, struct server *server, const struct api_request *request,
    struct api_answer *answer)
{
	struct template *template = wanted(state, server, request, answer);
	struct rules_refusal refusal;
	int64_t id;

	if (template == NULL)
		return;
	id = template->id;
	if (templates_delete(server->templates, template, &refusal) != 0)
		refuse_by(state, answer, &refusal);
	else
		api_answer_done(answer, "Template %lld removed.", (long long)id);
}

void
template_validate(struct state *state, struct server *server, const struct api_request *request,
    struct api_answer *answer)
{
	static const struct fields fields[] = {
		{ "Subject", FIELDS_STRING },
		{ "HtmlBody", FIELDS_STRING },
		{ "TextBody", FIELDS_STRING },
		{ "TestRenderModel", FIELDS_OBJECT },
		{ "InlineCssForHtmlTestRender", FIELDS_FLAG },
		{ "TemplateType", FIELDS_STRING },
		{ "LayoutTemplate", FIELDS_STRING },
	};
	struct rules_refusal refusal;
	json_t *json;

	if (!body_ok(state, request, answer, fields, COUNT(fields)))
		return;
	json = templates_validate(server->templates, request->json, &refusal);
	if (json == NULL)
		refuse_by(state, answer, &refusal);
	else
		api_answer_json(answer, json);
}

static struct server *
server_of(const struct state *state, const json_t *json, const char *field)
{
	return account_server(&state->account, json_integer_value(json_object_get(json, field)));
}

void
template_push(struct state *state, struct server *none, const struct api_request *request,
    struct api_answer *answer)
{
	static const struct fields fields[] = {
		{ "SourceServerID", FIELDS_INTEGER },
		{ "DestinationServerID", FIELDS_INTEGER },
		{ "PerformChanges", FIELDS_FLAG },
	};
	struct server *from, *to;
	struct rules_refusal refusal;
	json_t *actions;

	(void)none;
	if (!body_ok(state, request, answer, fields, COUNT(fields)))
		return;
	from = server_of(state, request->json, "SourceServerID");
	to = server_of(state, request->json, "DestinationServerID");
	if (from == NULL || to == NULL || from == to) {
		api_refuse(state, answer, 601,
		    "The source or the destination server was not found, or they are the same.");
		return;
	}
	actions = templates_push(from->templates, to->templates,
	    fields_flag(request->json, "PerformChanges", false), &refusal);
	if (actions == NULL)
		refuse_by(state, answer, &refusal);
	else
		api_answer_json(
		    answer, json_pack("{s:I, s:o}", "TotalCount",
				(json_int_t)json_array_size(actions), "Templates", actions));
}

/* ---- sending ---- */

static json_t *
refuse_message(struct rules_refusal *refusal, int code, const char *text)
{
	refusal->code = code;
	refusal->text = mem_string(text);
	return NULL;
}

/* What all messages with a template must say, whoever sends them.  false: refusal. */
static bool
names_template(const json_t *message, struct rules_refusal *refusal)
{
	static const struct fields fields[] = {
		{ "TemplateId", FIELDS_INTEGER },
		{ "TemplateAlias", FIELDS_STRING },
		{ "TemplateModel", FIELDS_OBJECT },
		{ "InlineCss", FIELDS_FLAG },
	};
	char *wrong = fields_wrong(message, fields, COUNT(fields));

	if (wrong != NULL) {
		refusal->code = 403;
		refusal->text = wrong;
	} else if (fields_text(message, "Subject") != NULL ||
		   fields_text(message, "HtmlBody") != NULL ||
		   fields_text(message, "TextBody") != NULL) {
		(void)refuse_message(refusal, 1123,
		    "A message with a template cannot have a 'Subject', an 'HtmlBody' or a "
		    "'TextBody' of its own.");
	} else if (fields_get(message, "TemplateId") == NULL &&
		   fields_text(message, "TemplateAlias") == NULL) {
		(void)refuse_message(
		    refusal, 1101, "A 'TemplateId' or a 'TemplateAlias' is required.");
	} else if (fields_get(message, "TemplateModel") == NULL) {
		(void)refuse_message(refusal, 1120, "The 'TemplateModel' is required.");
	} else if (templates_reserved_key(fields_get(message, "TemplateModel")) != NULL) {
		(void)refuse_message(
		    refusal, 1122, "The 'TemplateModel' has a key that is reserved.");
	} else {
		return true;
	}
	return false;
}

static json_t *
with_template(struct state *state, const struct server *server, json_t *message,
    struct rules_refusal *refusal_r)
{
	static const char *const parts[TEMPLATE_PARTS] = { "Subject", "HtmlBody", "TextBody" };
	const json_t *id = fields_get(message, "TemplateId");
	const struct template *template;
	struct template_rendered rendered;
	json_t *made;

	(void)state;
	if (!names_template(message, refusal_r))
		return NULL;
	if (server == NULL)
		return json_incref(message);
	template = id != NULL ? templates_by_id(server->templates, json_integer_value(id))
			      : templates_by_alias(
				    server->templates, fields_text(message, "TemplateAlias"));
	if (template == NULL)
		return refuse_message(refusal_r, 1101, not_found_text(id != NULL));
	if (template->layout)
		return refuse_message(refusal_r, 1122, "A layout cannot be sent by itself.");
	if (template_render(server->templates, template, fields_get(message, "TemplateModel"),
		&rendered, refusal_r) != 0)
		return NULL;
	made = json_copy(message);
	for (int i = 0; i < TEMPLATE_PARTS; i++) {
		if (rendered.parts[i] != NULL)
			json_object_set_new(made, parts[i], json_string(rendered.parts[i]));
	}
	json_object_set_new(made, "TemplateId", json_integer((json_int_t) template->id));
	if (template->alias != NULL)
		json_object_set_new(made, "TemplateAlias", json_string(template->alias));
	template_rendered_deinit(&rendered);
	return made;
}

void
template_send(struct state *state, struct server *server, const struct api_request *request,
    struct api_answer *answer)
{
	send_message(state, server, request, answer, with_template);
}

void
template_send_all(struct state *state, struct server *server, const struct api_request *request,
    struct api_answer *answer)
{
	if (request->json == NULL)
		api_refuse(state, answer, 402, "Received invalid JSON input: nothing at all.");
	else
		send_batch(state, server, request, answer,
		    json_object_get(request->json, "Messages"), with_template);
}
