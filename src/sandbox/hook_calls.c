/*
 * Webhooks are kept when they are made and edited, or after each enabled trigger was probed where
 * the switch says so.  What was probed may have gone by the time of the answer: then the answer is
 * the one that a later request would have got.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

#include "sandbox/account.h"
#include "sandbox/fields.h"
#include "sandbox/query.h"
#include "sandbox/server.h"
#include "sandbox/state.h"
#include "sandbox/verify.h"
#include "sandbox/webhooks.h"
#include "sandbox/hook_calls.h"

static const struct fields fields[] = {
	{ "ID", FIELDS_INTEGER },
	{ "Url", FIELDS_STRING },
	{ "MessageStream", FIELDS_STRING },
	{ "HttpAuth", FIELDS_OBJECT },
	{ "HttpHeaders", FIELDS_ARRAY },
	{ "Triggers", FIELDS_OBJECT },
	{ "Status", FIELDS_STRING },
	{ "Verify", FIELDS_FLAG },
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The webhook of the path; NULL: refused. */
static struct webhook *
wanted(struct state *state, const struct server *server, const struct api_request *request,
    struct api_answer *answer)
{
	struct webhook *webhook =
	    webhooks_find(server->webhooks, (int64_t)query_id(request->parts[0]));

	if (webhook == NULL)
		api_refuse(state, answer, 1352, "The webhook was not found.");
	return webhook;
}

/* ---- what a body may be ---- */

static bool
all_texts(const json_t *object, const char *one, const char *other)
{
	const json_t *a = fields_get(object, one), *b = fields_get(object, other);

	return json_is_object(object) && (a == NULL || json_is_string(a)) &&
	       (b == NULL || json_is_string(b));
}

static bool
triggers_typed(const json_t *triggers)
{
	static const struct fields flags[] = {
		{ "Enabled", FIELDS_FLAG },
		{ "PostFirstOpenOnly", FIELDS_FLAG },
		{ "IncludeContent", FIELDS_FLAG },
	};
	const char *name;
	json_t *one;
	char *wrong;

	json_object_foreach((json_t *)triggers, name, one)
	{
		if (json_is_null(one))
			continue;
		if (!json_is_object(one))
			return false;
		wrong = fields_wrong(one, flags, COUNT(flags));
		free(wrong);
		if (wrong != NULL)
			return false;
	}
	return true;
}

static bool
body_ok(struct state *state, const struct api_request *request, struct api_answer *answer)
{
	const json_t *auth = fields_get(request->json, "HttpAuth");
	const json_t *one;
	size_t i;

	if (request->json == NULL || json_object_size(request->json) == 0) {
		api_refuse(state, answer, 1355, "The request is empty.");
		return false;
	}
	if (!api_fields_ok(state, request, answer, fields, COUNT(fields)))
		return false;
	if (auth != NULL && !all_texts(auth, "Username", "Password")) {
		api_refuse(state, answer, 403, "Invalid request field(s): 'HttpAuth'.");
		return false;
	}
	json_array_foreach(fields_get(request->json, "HttpHeaders"), i, one)
	{
		if (all_texts(one, "Name", "Value"))
			continue;
		api_refuse(state, answer, 403, "Invalid request field(s): 'HttpHeaders'.");
		return false;
	}
	if (!triggers_typed(fields_get(request->json, "Triggers"))) {
		api_refuse(state, answer, 403, "Invalid request field(s): 'Triggers'.");
		return false;
	}
	return true;
}

/* ---- what is kept ---- */

static void
keep(struct state *state, struct server *server, int64_t id, json_t *shown, bool verified,
    struct api_answer *answer)
{
	struct webhook *webhook = id != 0 ? webhooks_find(server->webhooks, id) : NULL;

	json_object_set_new(shown, "Status", json_string(verified ? "verified" : "unverified"));
	if (webhook == NULL) {
		webhook = webhooks_add(server->webhooks, state->next_webhook++, json_incref(shown));
	} else {
		json_decref(webhook->shown);
		webhook->shown = json_incref(shown);
	}
	api_answer_json(answer, json_copy(webhook->shown));
}

/* A webhook that was made or edited has been probed. */
static void
on_verified(struct state *state, int64_t server_id, int64_t id, json_t *shown, const json_t *result,
    struct api_answer *answer)
{
	struct server *server = account_server(&state->account, server_id);
	const char *stream = json_string_value(json_object_get(shown, "MessageStream"));
	json_t *refusal;
	char *text;

	if (server == NULL) {
		api_refuse_request(
		    state, answer, 401, 10, "Request does not contain a valid Server token.");
	} else if (id != 0 && webhooks_find(server->webhooks, id) == NULL) {
		api_refuse(state, answer, 1352, "The webhook was not found.");
	} else if (id == 0 && webhooks_of_stream(server->webhooks, stream) >= WEBHOOKS_MOST) {
		api_refuse(
		    state, answer, 1359, "The message stream has as many webhooks as it may have.");
	} else if (json_is_true(json_object_get(result, "Success"))) {
		keep(state, server, id, shown, true, answer);
	} else {
		text =
		    mem_format("Webhook verification failed: %s. Nothing was saved. Verification "
			       "can be left out with verify=false.",
			json_string_value(json_object_get(result, "Message")));
		api_refuse(state, answer, 1364, text);
		buf_clear(&answer->body);
		refusal = json_pack("{s:i}", "ErrorCode", 1364);
		json_object_update_new(refusal, json_copy((json_t *)result));
		json_object_set_new(refusal, "Message", json_string(text));
		free(text);
		api_answer_json(answer, refusal);
	}
}

static void
change(struct state *state, struct server *server, const struct webhook *old,
    const struct api_request *request, struct api_answer *answer)
{
	struct verify_params params = {
		.poster = state->poster,
		.server = server->id,
		.webhook = old != NULL ? old->id : 0,
		.finish = on_verified,
	};
	const char *why;
	json_t *shown;
	bool verify = fields_flag(request->json, "Verify", true);
	int code;

	if (query_flag(request, "verify", &verify) != 0) {
		api_refuse(state, answer, 403, "Invalid request field(s): 'verify'.");
		return;
	}
	code = webhook_change(server, old != NULL ? old->shown : NULL, request->json, &shown, &why);
	if (code != 0) {
		api_refuse(state, answer, code, why);
		return;
	}
	if (verify && state->switches.verify_webhooks && state->poster != NULL) {
		params.shown = shown;
		answer->wait = verify_new(&params);
	} else {
		keep(state, server, params.webhook, shown, verify, answer);
	}
	json_decref(shown);
}

/* ---- calls ---- */

void
hook_calls_list(struct state *state, struct server *server, const struct api_request *request,
    struct api_answer *answer)
{
	const char *stream = query_text(request, "MessageStream");
	const char *status = query_text(request, "Status");
	json_t *list;

	if (stream != NULL && server_stream(server, stream) == NULL) {
		api_refuse(
		    state, answer, 1226, "The message stream for the provided 'ID' was not found.");
		return;
	}
	if (status != NULL && !text_same(status, "verified") && !text_same(status, "unverified")) {
		api_refuse(state, answer, 1362, "The 'Status' is neither verified nor unverified.");
		return;
	}
	list = json_array();
	for (size_t i = 0; i < webhooks_count(server->webhooks); i++) {
		json_t *shown = webhooks_at(server->webhooks, i)->shown;

		if ((stream == NULL ||
			text_same(
			    json_string_value(json_object_get(shown, "MessageStream")), stream)) &&
		    (status == NULL || webhook_verified(shown) == text_same(status, "verified")))
			json_array_append_new(list, json_copy(shown));
	}
	api_answer_json(answer, json_pack("{s:o}", "Webhooks", list));
}

void
hook_calls_get(struct state *state, struct server *server, const struct api_request *request,
    struct api_answer *answer)
{
	const struct webhook *webhook = wanted(state, server, request, answer);

	if (webhook != NULL)
		api_answer_json(answer, json_copy(webhook->shown));
}

void
hook_calls_create(struct state *state, struct server *server, const struct api_request *request,
    struct api_answer *answer)
{
	if (body_ok(state, request, answer))
		change(state, server, NULL, request, answer);
}

void
hook_calls_edit(struct state *state, struct server *server, const struct api_request *request,
    struct api_answer *answer)
{
	const struct webhook *webhook = wanted(state, server, request, answer);

	if (webhook != NULL && body_ok(state, request, answer))
		change(state, server, webhook, request, answer);
}

void
hook_calls_delete(struct state *state, struct server *server, const struct api_request *request,
    struct api_answer *answer)
{
	struct webhook *webhook = wanted(state, server, request, answer);

	if (webhook == NULL)
		return;
	api_answer_done(answer, "Webhook %lld removed.", (long long)webhook->id);
	webhooks_remove(server->webhooks, webhook);
}

/* The result is the answer, whatever it says. */
static void
on_tried(struct state *state, int64_t server_id, int64_t id, json_t *shown, const json_t *result,
    struct api_answer *answer)
{
	struct server *server = account_server(&state->account, server_id);
	struct webhook *webhook = server != NULL ? webhooks_find(server->webhooks, id) : NULL;

	/* Unless it was edited meanwhile. */
	if (webhook != NULL && webhook->shown == shown)
		json_object_set_new(shown, "Status",
		    json_string(json_is_true(json_object_get(result, "Success")) ? "verified"
										 : "unverified"));
	api_answer_json(answer, json_copy((json_t *)result));
}

void
hook_calls_verify(struct state *state, struct server *server, const struct api_request *request,
    struct api_answer *answer)
{
	const struct webhook *webhook = wanted(state, server, request, answer);
	struct verify_params params = {
		.poster = state->poster,
		.server = server->id,
		.finish = on_tried,
	};
	json_t *result;

	if (webhook == NULL)
		return;
	params.webhook = webhook->id;
	params.shown = webhook->shown;
	if (state->switches.verify_webhooks && state->poster != NULL) {
		answer->wait = verify_new(&params);
		return;
	}
	result = verify_result_untried(webhook->id, webhook->shown);
	on_tried(state, server->id, webhook->id, webhook->shown, result, answer);
	json_decref(result);
}

/* Its form is not published. */
void
hook_calls_statistics(struct state *state, struct server *server, const struct api_request *request,
    struct api_answer *answer)
{
	const struct webhook *webhook = wanted(state, server, request, answer);
	json_int_t posts = 0, successes = 0;
	json_t *list;

	if (webhook == NULL)
		return;
	list = json_array();
	for (int i = 0; i < WEBHOOKS_TRIGGERS; i++) {
		posts += (json_int_t)webhook->posts[i];
		successes += (json_int_t)webhook->successes[i];
		if (webhook->posts[i] > 0)
			json_array_append_new(
			    list, json_pack("{s:s, s:I, s:I, s:I}", "TriggerType",
				      webhook_trigger_name((enum webhook_trigger)i), "Total",
				      (json_int_t)webhook->posts[i], "Succeeded",
				      (json_int_t)webhook->successes[i], "Failed",
				      (json_int_t)(webhook->posts[i] - webhook->successes[i])));
	}
	api_answer_json(answer,
	    json_pack("{s:I, s:I, s:I, s:I, s:o}", "Id", (json_int_t)webhook->id, "Total", posts,
		"Succeeded", successes, "Failed", posts - successes, "Triggers", list));
}
