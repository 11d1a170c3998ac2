#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/log.h"
#include "base/text.h"

#include "sandbox/account.h"
#include "sandbox/api.h"
#include "sandbox/control.h"
#include "sandbox/event_settings.h"
#include "sandbox/firing.h"
#include "sandbox/flood.h"
#include "sandbox/query.h"
#include "sandbox/server.h"
#include "sandbox/state.h"
#include "sandbox/webhooks.h"
#include "sandbox/control_firing.h"

#define USUAL_LIMIT  1000
#define MOST_LIMIT   100000
#define MOST_WAIT_MS 600000

/* false: nobody fires here, and the request is refused. */
static bool
has_queue(const struct state *state, struct api_answer *answer)
{
	if (state->firing == NULL)
		control_wrong(answer, 503, "events are not fired here");
	return state->firing != NULL;
}

static bool
query_size(const struct api_request *request, const char *key, size_t most, size_t *size)
{
	const char *text = query_text(request, key);
	uint64_t number = *size;

	if (text != NULL && text_number(text, strlen(text), 0, most, &number) != 0)
		return false;
	*size = (size_t)number;
	return true;
}

void
control_get_events(
    struct state *state, const struct api_request *request, struct api_answer *answer)
{
	struct firing_query query = {
		.state = query_text(request, "state"),
		.kind = query_text(request, "kind"),
		.message = query_text(request, "message"),
		.limit = USUAL_LIMIT,
	};
	json_t *list;
	size_t total;

	if (!has_queue(state, answer))
		return;
	if (!query_size(request, "limit", MOST_LIMIT, &query.limit) ||
	    !query_size(request, "offset", SIZE_MAX, &query.offset) ||
	    (query.state != NULL && strcmp(query.state, "pending") != 0 &&
		strcmp(query.state, "done") != 0 && strcmp(query.state, "dropped") != 0)) {
		control_wrong(answer, 400,
		    "wanted limit from 0 to 100000, offset from 0, state pending, done or dropped");
		return;
	}
	list = firing_list_json(state->firing, &query, &total);
	answer->total = (int64_t)total;
	control_json(answer,
	    json_pack("{s:o, s:o}", "counts", firing_counts_json(state->firing), "events", list));
}

void
control_delete_events(
    struct state *state, const struct api_request *request, struct api_answer *answer)
{
	(void)request;
	if (!has_queue(state, answer))
		return;
	firing_clear(state->firing);
	firing_set_parallel(state->firing, 0);
	flood_free(&state->flood);
	control_json(answer, firing_counts_json(state->firing));
}

void
control_get_event_settings(
    struct state *state, const struct api_request *request, struct api_answer *answer)
{
	(void)request;
	control_json(answer, event_settings_json(&state->event_settings));
}

void
control_put_event_settings(
    struct state *state, const struct api_request *request, struct api_answer *answer)
{
	json_error_t unreadable;
	json_t *json = api_request_json(request, &unreadable);
	char why[128];

	if (json == NULL)
		control_wrong(answer, 400, unreadable.text);
	else if (event_settings_set(&state->event_settings, json, why, sizeof(why)) != 0)
		control_wrong(answer, 422, why);
	else
		control_json(answer, event_settings_json(&state->event_settings));
	json_decref(json);
}

void
control_delete_event_settings(
    struct state *state, const struct api_request *request, struct api_answer *answer)
{
	event_settings_init(&state->event_settings);
	control_get_event_settings(state, request, answer);
}

/* The body, an object or nothing.  NULL: refused. */
static json_t *
object_of(const struct api_request *request, struct api_answer *answer)
{
	json_error_t unreadable;
	json_t *json = request->body_len > 0 ? api_request_json(request, &unreadable) : NULL;

	if (request->body_len == 0)
		return json_object();
	if (json == NULL) {
		control_wrong(answer, 400, unreadable.text);
	} else if (!json_is_object(json)) {
		control_wrong(answer, 422, "wanted an object");
		json_decref(json);
		return NULL;
	}
	return json;
}

void
control_post_fire(struct state *state, const struct api_request *request, struct api_answer *answer)
{
	json_t *json, *wait;
	int64_t most_ms;

	if (!has_queue(state, answer) || (json = object_of(request, answer)) == NULL)
		return;
	wait = json_object_get(json, "wait_ms");
	most_ms = wait != NULL ? json_integer_value(wait) : 0;
	if ((wait != NULL && !json_is_integer(wait)) || most_ms < 0 || most_ms > MOST_WAIT_MS) {
		control_wrong(answer, 422, "wait_ms: wanted a number from 0 to 600000");
	} else {
		if (!json_is_false(json_object_get(json, "hurry")))
			firing_hurry(state->firing);
		if (most_ms > 0)
			answer->wait = firing_wait_new(state->firing, most_ms);
		else
			control_json(answer, firing_counts_json(state->firing));
	}
	json_decref(json);
}

void
control_put_webhook(
    struct state *state, const struct api_request *request, struct api_answer *answer)
{
	int64_t id = (int64_t)query_id(request->path + strlen("/sandbox/webhooks/"));
	struct webhook *webhook = NULL;
	json_t *json = object_of(request, answer);
	const char *status = json_string_value(json_object_get(json, "Status"));

	if (json == NULL)
		return;
	for (size_t i = 0; i < state->account.servers.count && webhook == NULL; i++) {
		const struct server *server = state->account.servers.list[i];

		webhook = webhooks_find(server->webhooks, id);
	}
	if (webhook == NULL) {
		control_wrong(answer, 404, "there is no such webhook");
	} else if (status == NULL ||
		   (strcmp(status, "verified") != 0 && strcmp(status, "unverified") != 0)) {
		control_wrong(answer, 422, "Status: wanted verified or unverified");
	} else {
		webhook->failures = 0;
		json_object_set_new(webhook->shown, "Status", json_string(status));
		control_json(answer, json_copy(webhook->shown));
	}
	json_decref(json);
}

void
control_get_flood(struct state *state, const struct api_request *request, struct api_answer *answer)
{
	(void)request;
	control_json(answer, flood_json(state));
}

void
control_post_flood(
    struct state *state, const struct api_request *request, struct api_answer *answer)
{
	struct server *server = control_server(state, request);
	const char *why;
	json_t *json;

	if (!has_queue(state, answer))
		return;
	if (server == NULL) {
		control_wrong(answer, 404, "there is no such server");
		return;
	}
	if (flood_runs(state)) {
		control_wrong(answer, 409, "there is one already; DELETE /sandbox/events ends it");
		return;
	}
	json = object_of(request, answer);
	if (json == NULL)
		return;
	if (flood_start(state, server, json, &why) != 0) {
		control_wrong(answer, 422, why);
	} else {
		log_info(
		    "flood", log_num("count", json_integer_value(json_object_get(json, "count"))));
		control_json(answer, flood_json(state));
	}
	json_decref(json);
}
