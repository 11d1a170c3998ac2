/*
 * Postmark's API, as far as a relay needs it.  Whole requests are refused here, in the order
 * token, headers, JSON, count, size; messages are judged by rules.c, and what only the server can
 * know (suppressions, the test token) comes last.  Sent messages are looked for in search.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"

#include "sandbox/faults.h"
#include "sandbox/messages.h"
#include "sandbox/rules.h"
#include "sandbox/search.h"
#include "sandbox/state.h"
#include "sandbox/api.h"

/* Contents of attachments above are not kept. */
#define MOST_KEPT_CONTENT 65536

typedef void route_fn(struct state *, const struct api_request *, struct api_answer *);

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
	buf_free(&answer->body);
}

static void
add_error(struct buf *out, int code, const char *text)
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
	add_error(&answer->body, code, text);
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
api_refuse(struct state *state, const struct fault *fault, struct api_answer *answer)
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

/* The number of the token from 1, SIZE_MAX for the test token, 0 for none that is known. */
static size_t
token_number(const struct state *state, const char *token)
{
	if (text_same(token, API_TEST_TOKEN))
		return SIZE_MAX;
	for (size_t i = 0; state->tokens[i] != NULL; i++) {
		if (text_same(token, state->tokens[i]))
			return i + 1;
	}
	return 0;
}

bool
api_token_ok(struct state *state, const struct api_request *request, bool test_allowed,
    struct api_answer *answer, size_t *token_r)
{
	size_t number;

	if (request->server_token == NULL && request->account_token == NULL) {
		api_refuse_request(state, answer, 401, 10,
		    "No Account or Server API tokens were supplied in the HTTP headers. Please add "
		    "a header for either X-Postmark-Server-Token or X-Postmark-Account-Token.");
		return false;
	}
	number = request->server_token != NULL ? token_number(state, request->server_token) : 0;
	if (number == 0 || (number == SIZE_MAX && !test_allowed)) {
		api_refuse_request(
		    state, answer, 401, 10, "Request does not contain a valid Server token.");
		return false;
	}
	*token_r = number;
	return true;
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

static json_t *
load_body(struct state *state, const struct api_request *request, struct api_answer *answer)
{
	json_error_t error;
	json_t *json = api_request_json(request, &error);
	char *text;

	if (json == NULL) {
		text = mem_format("Received invalid JSON input: %s.", error.text);
		api_refuse_request(state, answer, 422, 402, text);
		free(text);
	}
	return json;
}

/* ---- sending ---- */

struct submission {
	struct state *state;
	const struct api_request *request;
	size_t token;
	size_t batch_size; /* 0: no batch */
};

static char *
metadata_relay_id(const json_t *metadata)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)metadata, key, value)
	{
		if (text_same(key, "relay-id"))
			return mem_string(json_string_value(value));
	}
	return NULL;
}

/* Changes the large ones of a message's attachments into what is known of them. */
static void
drop_large_contents(json_t *json)
{
	size_t i;
	json_t *one;

	json_array_foreach(json_object_get(json, "Attachments"), i, one)
	{
		json_t *content = json_object_get(one, "Content");
		size_t len = json_string_length(content);
		const char *text = json_string_value(content);

		if (len <= MOST_KEPT_CONTENT)
			continue;
		len = len / 4 * 3 - (text[len - 1] == '=') - (text[len - 2] == '=');
		json_object_set_new(one, "Content", json_null());
		json_object_set_new(one, "ContentLength", json_integer((json_int_t)len));
	}
}

/* suppressed_r: those who will not be mailed.  Returns how many recipients there are. */
static size_t
sort_recipients(const struct submission *submission, const struct rules_message *judged,
    struct strlist *recipients_r, struct strlist *suppressed_r)
{
	const struct fault *fault = submission->request->fault;
	bool forced;

	for (int i = 0; i < RULES_FIELDS; i++) {
		const struct strlist *list = &judged->lists[i].addresses;

		for (size_t j = 0; j < list->count; j++) {
			strlist_add(recipients_r, list->items[j]);
			if (state_suppressed(submission->state, judged->stream, list->items[j]))
				strlist_add(suppressed_r, list->items[j]);
		}
	}
	forced = fault != NULL && fault->partial_suppression && suppressed_r->count == 0 &&
		 recipients_r->count > 1;
	if (forced)
		strlist_add(suppressed_r, recipients_r->items[recipients_r->count - 1]);
	return recipients_r->count;
}

static void
keep_message(const struct submission *submission, const struct rules_message *judged, json_t *json,
    struct message *message)
{
	struct state *state = submission->state;

	drop_large_contents(json);
	message->json = json_dumps(json, JSON_COMPACT);
	message->json_len = strlen(message->json);
	message->bytes = judged->bytes;
	message->from = mem_string(judged->from);
	message->tag = mem_string(judged->tag);
	message->subject = mem_string(judged->subject);
	message->stream = mem_string(judged->stream);
	if (judged->metadata != NULL)
		message->relay_id = metadata_relay_id(judged->metadata);
	message->batch_size = submission->batch_size;
	message->token = submission->token;
	for (size_t i = 0; i < message->recipients.count; i++) {
		const char *bounce =
		    rules_bounce_type(message->recipients.items[i], judged->bounce_type);

		if (bounce == NULL)
			continue;
		free(message->bounce);
		message->bounce = mem_string(bounce);
		if (strcmp(bounce, "HardBounce") == 0)
			state_suppress(
			    state, judged->stream, message->recipients.items[i], "HardBounce");
	}
	log_debug("accepted", log_str("id", message->id), log_str("item", message->relay_id),
	    log_num("recipients", (int64_t)message->recipients.count),
	    log_num("bytes", (int64_t)message->bytes));
	messages_add(state->messages, message);
}

static void
add_accepted(struct buf *out, const struct submission *submission, const char *to,
    const struct message *message, const char *text)
{
	const struct fault *fault = submission->request->fault;
	bool code = true;
	char time[STATE_TIME_SIZE];

	if (fault != NULL && fault->answer == FAULT_ANSWER_DELAYED_TEXT)
		text = "Message accepted, but delivery may be delayed.";
	if (fault != NULL && (fault->answer == FAULT_ANSWER_DELAYED_TEXT ||
				 fault->answer == FAULT_ANSWER_NO_ERROR_CODE))
		code = false;
	state_time_text(time, message->wall_ms, message->fraction, 0);
	buf_addc(out, '{');
	if (code)
		buf_adds(out, "\"ErrorCode\":0");
	json_add_member(out, "Message", text, strlen(text));
	json_add_member(out, "MessageID", message->id, UUID_LEN);
	json_add_member(out, "SubmittedAt", time, strlen(time));
	if (to != NULL)
		json_add_member(out, "To", to, strlen(to));
	buf_addc(out, '}');
}

/* One message to one answer, added to out.  0, or the ErrorCode of the refusal that was added. */
static int
submit_one(const struct submission *submission, json_t *json, struct buf *out)
{
	struct state *state = submission->state;
	struct rules_message judged;
	struct rules_refusal refusal = { 0 };
	struct message *message;
	size_t recipients;
	char *text = NULL;
	int code;

	if (rules_judge(json, &state->rules, &judged, &refusal) != 0)
		goto refused;
	message = message_new();
	message->wall_ms = clock_wall_ms();
	message->mono_ms = clock_mono_ms();
	message->fraction = (unsigned)(clock_mono_us() % 1000) * 10 + 2;
	if (submission->token == SIZE_MAX) {
		state->counts.test_messages++;
		add_accepted(out, submission, judged.to, message, "Test job accepted");
		message_free(&message);
		rules_message_deinit(&judged);
		return 0;
	}
	recipients =
	    sort_recipients(submission, &judged, &message->recipients, &message->suppressed);
	if (message->suppressed.count == recipients) {
		refusal.code = 406;
		refusal.text =
		    rules_inactive_text(&message->suppressed, submission->batch_size > 0);
		message_free(&message);
		rules_message_deinit(&judged);
		goto refused;
	}
	if (message->suppressed.count > 0)
		text = rules_partial_text(&message->suppressed);
	add_accepted(out, submission, judged.to, message, text != NULL ? text : "OK");
	free(text);
	keep_message(submission, &judged, json, message);
	rules_message_deinit(&judged);
	return 0;

refused:
	code = refusal.code;
	state_count_refusal(state, code);
	log_info("refused", log_num("code", code), log_str("why", refusal.text));
	add_error(out, code, refusal.text);
	rules_refusal_deinit(&refusal);
	return code;
}

static void
post_email(struct state *state, const struct api_request *request, struct api_answer *answer)
{
	struct submission submission = { .state = state, .request = request };
	json_t *json;
	int code;

	if (!api_token_ok(state, request, true, answer, &submission.token) ||
	    !content_type_ok(state, request, answer))
		return;
	json = load_body(state, request, answer);
	if (json == NULL)
		return;
	if (request->body_len > RULES_MOST_MESSAGE_BYTES) {
		answer->status = 413;
	} else if (!json_is_object(json)) {
		api_refuse_request(state, answer, 422, 403, "Invalid request field(s): ''.");
	} else {
		code = submit_one(&submission, json, &answer->body);
		if (code != 0) {
			answer->status = 422;
			answer->error_code = code;
		}
	}
	json_decref(json);
}

static bool
batch_ok(struct state *state, const struct api_request *request, const json_t *batch,
    struct api_answer *answer)
{
	size_t i;
	const json_t *one;
	bool objects = json_is_array(batch);

	json_array_foreach(batch, i, one) objects = objects && json_is_object(one);
	if (!objects) {
		api_refuse_request(state, answer, 422, 403, "Invalid request field(s): ''.");
	} else if (json_array_size(batch) > RULES_MOST_BATCH) {
		api_refuse_request(state, answer, 422, 410,
		    "You may only send up to 500 messages in a single batched request.");
	} else if (request->body_len > RULES_MOST_BATCH_BYTES) {
		answer->status = 413;
	} else {
		return true;
	}
	return false;
}

static void
post_batch(struct state *state, const struct api_request *request, struct api_answer *answer)
{
	struct submission submission = { .state = state, .request = request };
	size_t i, shown;
	json_t *batch, *one;
	struct buf spare;

	if (!api_token_ok(state, request, true, answer, &submission.token) ||
	    !content_type_ok(state, request, answer))
		return;
	batch = load_body(state, request, answer);
	if (batch == NULL)
		return;
	if (!batch_ok(state, request, batch, answer))
		goto free_batch;

	submission.batch_size = json_array_size(batch);
	state_count_batch(state, submission.batch_size);
	shown = submission.batch_size;
	if (shown > 0 && request->fault != NULL &&
	    request->fault->answer == FAULT_ANSWER_WRONG_LENGTH)
		shown--;
	buf_init(&spare, API_MOST_ANSWER);
	buf_addc(&answer->body, '[');
	json_array_foreach(batch, i, one)
	{
		if (i > 0 && i < shown)
			buf_addc(&answer->body, ',');
		(void)submit_one(&submission, one, i < shown ? &answer->body : &spare);
	}
	buf_addc(&answer->body, ']');
	buf_free(&spare);

free_batch:
	json_decref(batch);
}

/* ---- the server ---- */

static void
get_server(struct state *state, const struct api_request *request, struct api_answer *answer)
{
	json_t *tokens;
	size_t token;

	if (!api_token_ok(state, request, false, answer, &token))
		return;
	tokens = json_array();
	for (size_t i = 0; state->tokens[i] != NULL; i++)
		json_array_append_new(tokens, json_string(state->tokens[i]));
	api_answer_json(answer,
	    json_pack("{s:i, s:s, s:o, s:s, s:b, s:b, s:s, s:s, s:s, s:s, s:n, s:n, s:n, s:n,"
		      " s:b, s:s, s:s, s:i, s:b, s:s, s:b, s:b}",
		"ID", 4711, "Name", "pmrelay-sandbox", "ApiTokens", tokens, "Color", "blue",
		"SmtpApiActivated", 1, "RawEmailEnabled", 0, "DeliveryType", "Live", "ServerLink",
		"https://postmarkapp.com/servers/4711/streams", "InboundAddress",
		"0123456789abcdef0123456789abcdef@inbound.postmarkapp.com", "InboundHookUrl", "",
		"BounceHookUrl", "OpenHookUrl", "DeliveryHookUrl", "ClickHookUrl",
		"PostFirstOpenOnly", 0, "InboundDomain", "", "InboundHash",
		"0123456789abcdef0123456789abcdef", "InboundSpamThreshold", 5, "TrackOpens", 0,
		"TrackLinks", "None", "IncludeBounceContentInHook", 0, "EnableSmtpApiErrorHooks",
		1));
}

/* ---- which function answers ---- */

static void
not_found(struct state *state, const struct api_request *request, struct api_answer *answer)
{
	(void)request;
	api_refuse_request(state, answer, 404, 404, "There is nothing at this address.");
}

/* '?' stands for one step of the path.  The last row takes what no other did. */
static const struct route {
	const char *method;
	const char *path;
	route_fn *run;
} routes[STATE_ROUTES] = {
	{ "POST", "/email", post_email },
	{ "POST", "/email/batch", post_batch },
	{ "GET", "/server", get_server },
	{ "GET", "/messages/outbound", search_messages },
	{ "GET", "/messages/outbound/?/details", search_details },
	{ "GET", "/messages/outbound/?/dump", search_dump },
	{ "other", NULL, not_found },
};

const char *
api_route_name(size_t route)
{
	static char names[STATE_ROUTES][64];
	const struct route *row = &routes[route];

	if (row->run == NULL)
		return NULL;
	strcpy(names[route], row->method);
	if (row->path != NULL) {
		strcat(names[route], " ");
		strcat(names[route], row->path);
	}
	return names[route];
}

static bool
path_matches(const char *pattern, const char *path)
{
	while (*pattern != '\0' || *path != '\0') {
		if (*pattern == '?') {
			pattern++;
			path += strcspn(path, "/");
		} else if (*pattern++ != *path++) {
			return false;
		}
	}
	return true;
}

void
api_handle(struct state *state, const struct api_request *request, struct api_answer *answer)
{
	size_t i = 0;

	while (routes[i].path != NULL && (strcmp(routes[i].method, request->method) != 0 ||
					     !path_matches(routes[i].path, request->path)))
		i++;
	state->counts.requests[i]++;
	routes[i].run(state, request, answer);
}
