#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/strlist.h"
#include "base/text.h"

#include "sandbox/account.h"
#include "sandbox/faults.h"
#include "sandbox/fields.h"
#include "sandbox/routes.h"
#include "sandbox/state.h"
#include "sandbox/api.h"

/* ---- answers ---- */

void
api_answer_init(struct api_answer *answer)
{
	memset(answer, 0, sizeof(*answer));
	answer->status = 200;
	answer->type = "application/json";
	answer->total = -1;
	buf_init(&answer->body, API_MOST_ANSWER);
}

void
api_answer_deinit(struct api_answer *answer)
{
	if (answer->wait != NULL)
		answer->wait->free(answer->wait);
	answer->wait = NULL;
	buf_free(&answer->body);
}

void
api_add_error(struct buf *out, int code, const char *text)
{
	buf_addf(out, "{\"ErrorCode\":%d", code);
	json_add_member(out, "Message", text, strlen(text));
	buf_addc(out, '}');
}

void
api_answer_error(struct api_answer *answer, int status, int code, const char *text)
{
	answer->status = status;
	answer->error_code = code;
	buf_clear(&answer->body);
	api_add_error(&answer->body, code, text);
}

void
api_answer_json(struct api_answer *answer, json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT);

	buf_adds(&answer->body, text);
	free(text);
	json_decref(json);
}

void
api_refuse_request(
    struct state *state, struct api_answer *answer, int status, int code, const char *text)
{
	state_count_refusal(state, code);
	log_info("request-refused", log_num("status", status), log_num("code", code),
	    log_str("why", text));
	api_answer_error(answer, status, code, text);
}

void
api_refuse(struct state *state, struct api_answer *answer, int code, const char *text)
{
	api_refuse_request(state, answer, 422, code, text);
}

void
api_answer_done(struct api_answer *answer, const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		abort();
	va_end(args);
	api_add_error(&answer->body, 0, text);
	free(text);
}

bool
api_fields_ok(struct state *state, const struct api_request *request, struct api_answer *answer,
    const struct fields *fields, size_t count)
{
	char *wrong = fields_wrong(request->json, fields, count);

	if (wrong == NULL)
		return true;
	api_refuse(state, answer, 403, wrong);
	free(wrong);
	return false;
}

bool
api_body_ok(struct state *state, const struct api_request *request, struct api_answer *answer,
    int code, const char *text, const struct fields *fields, size_t count)
{
	if (request->json == NULL || json_object_size(request->json) == 0) {
		api_refuse(state, answer, code, text);
		return false;
	}
	return api_fields_ok(state, request, answer, fields, count);
}

void
api_answer_fault(struct state *state, const struct fault *fault, struct api_answer *answer)
{
	static const struct {
		int code;
		int status;
	} statuses[] = { { 10, 401 }, { 12, 404 }, { 100, 503 }, { 101, 500 } };
	static const struct {
		int status;
		int code;
		const char *text;
	} texts[] = {
		{ 401, 10, "Request does not contain a valid Server token." },
		{ 403, 1480, "The IP address of this request is not allowed." },
		{ 415, 409, "A Content-Type header of application/json is required." },
		{ 429, 429, "Too many requests." },
		{ 500, 101, "An unexpected error occurred. Error id: 00000000." },
		{ 503, 100, "Postmark is offline for planned maintenance." },
	};
	int status = fault->status, code = fault->error_code;
	const char *text = fault->message;

	for (size_t i = 0; status == 0 && i < sizeof(statuses) / sizeof(statuses[0]); i++) {
		if (statuses[i].code == code)
			status = statuses[i].status;
	}
	if (status == 0)
		status = 422;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (texts[i].status != status)
			continue;
		code = code != 0 ? code : texts[i].code;
		text = text != NULL ? text : texts[i].text;
	}
	if (code == 0 && text == NULL) {
		/* As a proxy answers: nothing of Postmark's in it. */
		buf_clear(&answer->body);
		answer->status = status;
		return;
	}
	state_count_refusal(state, code);
	api_answer_error(
	    answer, status, code, text != NULL ? text : "Refused because the sandbox was told to.");
}

/* ---- before anything else: who asks, and is it JSON ---- */

static bool
account_token_ok(const struct state *state, const char *token)
{
	for (size_t i = 0; token != NULL && i < state->account.tokens.count; i++) {
		if (text_same(token, state->account.tokens.items[i]))
			return true;
	}
	return false;
}

static bool
token_ok(struct state *state, enum api_token wanted, struct api_request *request,
    struct api_answer *answer, struct server **server_r)
{
	const char *token = request->server_token;

	*server_r = NULL;
	if (token == NULL && request->account_token == NULL) {
		api_refuse_request(state, answer, 401, 10,
		    "No Account or Server API tokens were supplied in the HTTP headers. Please add "
		    "a header for either X-Postmark-Server-Token or X-Postmark-Account-Token.");
		return false;
	}
	if (wanted == API_ACCOUNT) {
		if (account_token_ok(state, request->account_token))
			return true;
		api_refuse_request(
		    state, answer, 401, 10, "Request does not contain a valid Account token.");
		return false;
	}
	if (token != NULL)
		*server_r = account_server_by_token(&state->account, token, &request->token);
	if (*server_r != NULL ||
	    (wanted == API_SENDING && token != NULL && text_same(token, API_TEST_TOKEN)))
		return true;
	api_refuse_request(
	    state, answer, 401, 10, "Request does not contain a valid Server token.");
	return false;
}

static bool
content_type_ok(struct state *state, const struct api_request *request, struct api_answer *answer)
{
	static const char wanted[] = "application/json";
	const char *type = request->content_type;

	if (type != NULL && text_starts(type, wanted)) {
		type += strlen(wanted);
		if (*type == '\0' || *type == ';' || *type == ' ')
			return true;
	}
	api_refuse_request(
	    state, answer, 415, 409, "A Content-Type header of application/json is required.");
	return false;
}

json_t *
api_request_json(const struct api_request *request, json_error_t *error_r)
{
	json_t *json;
	char *quote;

	/* jansson overlooks a NUL behind a number. */
	if (memchr(request->body, '\0', request->body_len) != NULL) {
		snprintf(error_r->text, sizeof(error_r->text), "a NUL byte");
		return NULL;
	}
	json = json_loadb(request->body, request->body_len, JSON_REJECT_DUPLICATES, error_r);
	if (json == NULL) {
		/* What jansson quotes may end within a character. */
		quote = strstr(error_r->text, " near '");
		if (quote != NULL)
			*quote = '\0';
	}
	return json;
}

static bool
body_ok(struct state *state, enum api_body wanted, struct api_request *request,
    struct api_answer *answer)
{
	json_error_t error;
	char *text;

	if (wanted == API_NO_BODY || request->body_len == 0)
		return true;
	if (!content_type_ok(state, request, answer))
		return false;
	request->json = api_request_json(request, &error);
	if (request->json == NULL) {
		text = mem_format("Received invalid JSON input: %s.", error.text);
		api_refuse(state, answer, 402, text);
		free(text);
		return false;
	}
	if (wanted == API_OBJECT ? json_is_object(request->json) : json_is_array(request->json))
		return true;
	api_refuse(state, answer, 403, "Invalid request field(s): ''.");
	return false;
}

/* ---- which function answers ---- */

const char *
api_route_name(size_t route)
{
	static char names[STATE_ROUTES][96];

	if (route > routes_count)
		return NULL;
	if (route == routes_count)
		return "other";
	snprintf(
	    names[route], sizeof(names[route]), "%s %s", routes[route].method, routes[route].path);
	return names[route];
}

/* parts_r: the segments that stand for {...}, lent. */
static bool
path_matches(
    const char *pattern, const struct strlist *segments, const char *parts_r[API_MOST_PARTS])
{
	size_t parts = 0, len;

	for (size_t i = 0; i < segments->count; i++) {
		const char *segment = segments->items[i];

		if (*pattern++ != '/')
			return false;
		len = strcspn(pattern, "/");
		if (*pattern == '{')
			parts_r[parts++] = segment;
		else if (strlen(segment) != len || !text_same_n(segment, pattern, len))
			return false;
		pattern += len;
	}
	return *pattern == '\0';
}

void
api_handle(struct state *state, const struct api_request *asked, struct api_answer *answer)
{
	struct api_request request = *asked;
	const struct api_route *route;
	struct server *server;
	size_t i = 0;

	while (
	    i < routes_count && (strcmp(routes[i].method, request.method) != 0 ||
				    !path_matches(routes[i].path, request.segments, request.parts)))
		i++;
	state->counts.requests[i]++;
	if (i == routes_count) {
		api_refuse_request(state, answer, 404, 404, "There is nothing at this address.");
		return;
	}
	route = &routes[i];
	if (token_ok(state, route->token, &request, answer, &server) &&
	    body_ok(state, route->body, &request, answer))
		route->run(state, server, &request, answer);
	json_decref(request.json);
}
