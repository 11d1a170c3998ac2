/*
 * Postmark's API, as far as a relay needs it.  Whole requests are refused here, in the order
 * token, headers, JSON, count, size; messages are judged by rules.c, and what only the server can
 * know (suppressions, the test token) comes last.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <event2/http.h>
#include <event2/keyvalq_struct.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"

#include "sandbox/faults.h"
#include "sandbox/messages.h"
#include "sandbox/rules.h"
#include "sandbox/state.h"
#include "sandbox/api.h"

/* Contents of attachments above are not kept. */
#define MOST_KEPT_CONTENT 65536

#define MOST_LIST_COUNT  500
#define MOST_LIST_WINDOW 10000

/* Answers about messages show times as in New York in winter, as Postmark does. */
#define EASTERN_MINUTES (-300)

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

static void
answer_json(struct api_answer *answer, json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT);

	buf_adds(&answer->body, text);
	free(text);
	json_decref(json);
}

/* A refusal of the whole request: counted and logged. */
static void
refuse_request(
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

static bool
token_ok(struct state *state, const struct api_request *request, bool test_allowed,
    struct api_answer *answer, size_t *token_r)
{
	size_t number;

	if (request->server_token == NULL && request->account_token == NULL) {
		refuse_request(state, answer, 401, 10,
		    "No Account or Server API tokens were supplied in the HTTP headers. Please add "
		    "a header for either X-Postmark-Server-Token or X-Postmark-Account-Token.");
		return false;
	}
	number = request->server_token != NULL ? token_number(state, request->server_token) : 0;
	if (number == 0 || (number == SIZE_MAX && !test_allowed)) {
		refuse_request(
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
	refuse_request(
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
		refuse_request(state, answer, 422, 402, text);
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

	if (!token_ok(state, request, true, answer, &submission.token) ||
	    !content_type_ok(state, request, answer))
		return;
	json = load_body(state, request, answer);
	if (json == NULL)
		return;
	if (request->body_len > RULES_MOST_MESSAGE_BYTES) {
		answer->status = 413;
	} else if (!json_is_object(json)) {
		refuse_request(state, answer, 422, 403, "Invalid request field(s): ''.");
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
		refuse_request(state, answer, 422, 403, "Invalid request field(s): ''.");
	} else if (json_array_size(batch) > RULES_MOST_BATCH) {
		refuse_request(state, answer, 422, 410,
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

	if (!token_ok(state, request, true, answer, &submission.token) ||
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

	if (!token_ok(state, request, false, answer, &token))
		return;
	tokens = json_array();
	for (size_t i = 0; state->tokens[i] != NULL; i++)
		json_array_append_new(tokens, json_string(state->tokens[i]));
	answer_json(answer,
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

/* ---- sent messages ---- */

static json_t *
mailboxes_json(const json_t *request, const char *field)
{
	struct rules_mailboxes list;
	struct rules_refusal refusal = { 0 };
	const char *text = json_string_value(json_object_get(request, field));
	json_t *out = json_array();

	if (text == NULL || rules_mailboxes_parse(field, text, &list, &refusal) != 0) {
		rules_refusal_deinit(&refusal);
		return out;
	}
	for (size_t i = 0; i < list.addresses.count; i++) {
		const char *name = list.names.items[i];

		json_array_append_new(
		    out, json_pack("{s:s, s:o}", "Email", list.addresses.items[i], "Name",
			     name[0] != '\0' ? json_string(name) : json_null()));
	}
	rules_mailboxes_deinit(&list);
	return out;
}

static json_t *
strings_json(const struct strlist *list)
{
	json_t *out = json_array();

	for (size_t i = 0; i < list->count; i++)
		json_array_append_new(out, json_string(list->items[i]));
	return out;
}

static json_t *
member_or(const json_t *object, const char *key, json_t *otherwise)
{
	json_t *value = json_object_get(object, key);

	if (value == NULL || json_is_null(value))
		return otherwise;
	json_decref(otherwise);
	return json_incref(value);
}

/* The message as a list shows it; request is what was sent. */
static json_t *
summary_json(const struct message *message, const json_t *request)
{
	char time[STATE_TIME_SIZE];
	json_t *names = json_array();
	size_t i;
	const json_t *one;

	json_array_foreach(json_object_get(request, "Attachments"), i, one)
	    json_array_append(names, json_object_get(one, "Name"));
	return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:s, s:s, s:s, s:o, s:s, s:o, s:o,"
			 " s:o, s:b}",
	    "Tag", message->tag, "MessageID", message->id, "MessageStream", message->stream, "To",
	    mailboxes_json(request, "To"), "Cc", mailboxes_json(request, "Cc"), "Bcc",
	    mailboxes_json(request, "Bcc"), "Recipients", strings_json(&message->recipients),
	    "ReceivedAt",
	    state_time_text(time, message->wall_ms, message->fraction, EASTERN_MINUTES), "From",
	    message->from, "Subject", message->subject, "Attachments", names, "Status", "Sent",
	    "TrackOpens", member_or(request, "TrackOpens", json_false()), "TrackLinks",
	    member_or(request, "TrackLinks", json_string("None")), "Metadata",
	    member_or(request, "Metadata", json_object()), "Sandboxed", 0);
}

static json_t *
request_json(const struct message *message)
{
	return json_loadb(message->json, message->json_len, 0, NULL);
}

struct search {
	size_t count;
	size_t offset;
	const char *recipient;
	const char *from;
	const char *tag;
	const char *subject;
	const char *status;
	const char *stream;
	const char *metadata_key; /* NULL: none */
	const char *metadata_value;
	int64_t least_ms;
	int64_t most_ms;
};

static const char *
query_text(const struct api_request *request, const char *key)
{
	const char *value = evhttp_find_header(request->query, key);

	return value != NULL && value[0] != '\0' ? value : NULL;
}

/* "2026-09-05" or "2026-09-05T10:00:00", US Eastern.  A day alone as an end means its end. */
static bool
query_time(const struct api_request *request, const char *key, bool is_end, int64_t *ms_r)
{
	const char *text = query_text(request, key);
	const char *rest;
	struct tm tm = { 0 };
	int64_t ms;

	if (text == NULL)
		return true;
	rest = strptime(text, "%Y-%m-%d", &tm);
	if (rest == NULL)
		return false;
	if (*rest == '\0') {
		ms = (int64_t)timegm(&tm) * 1000 + (is_end ? 86400000 - 1 : 0);
	} else {
		rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
		if (rest == NULL || *rest != '\0')
			return false;
		ms = (int64_t)timegm(&tm) * 1000 + (is_end ? 999 : 0);
	}
	*ms_r = ms - (int64_t)EASTERN_MINUTES * 60000;
	return true;
}

/* NULL, or what is wrong with the query. */
static const char *
search_read(const struct api_request *request, struct search *search)
{
	static const char metadata[] = "metadata_";
	const char *count = query_text(request, "count");
	const char *offset = query_text(request, "offset");
	const struct evkeyval *pair;
	uint64_t number;

	memset(search, 0, sizeof(*search));
	if (count == NULL || text_number(count, strlen(count), 1, MOST_LIST_COUNT, &number) != 0)
		return "The 'count' parameter is required, from 1 to 500.";
	search->count = (size_t)number;
	if (offset == NULL ||
	    text_number(offset, strlen(offset), 0, MOST_LIST_WINDOW, &number) != 0)
		return "The 'offset' parameter is required, from 0.";
	search->offset = (size_t)number;
	if (search->count + search->offset > MOST_LIST_WINDOW)
		return "The sum of 'count' and 'offset' may not exceed 10,000.";
	search->recipient = query_text(request, "recipient");
	search->from = query_text(request, "fromemail");
	search->tag = query_text(request, "tag");
	search->subject = query_text(request, "subject");
	search->status = query_text(request, "status");
	if (search->status != NULL && !text_same(search->status, "queued") &&
	    !text_same(search->status, "sent") && !text_same(search->status, "processed"))
		return "The 'status' parameter is not valid.";
	search->stream = query_text(request, "messagestream");
	if (search->stream == NULL)
		search->stream = STATE_DEFAULT_STREAM;
	for (pair = request->query->tqh_first; pair != NULL; pair = pair->next.tqe_next) {
		if (!text_starts(pair->key, metadata))
			continue;
		if (search->metadata_key != NULL)
			return "Only one metadata filter may be given.";
		search->metadata_key = pair->key + strlen(metadata);
		search->metadata_value = pair->value;
	}
	search->most_ms = INT64_MAX;
	if (!query_time(request, "fromdate", false, &search->least_ms) ||
	    !query_time(request, "todate", true, &search->most_ms))
		return "A date is not valid.";
	return NULL;
}

static bool
has_recipient(const struct message *message, const char *address)
{
	for (size_t i = 0; i < message->recipients.count; i++) {
		if (text_same(message->recipients.items[i], address))
			return true;
	}
	return false;
}

static bool
has_metadata(const struct message *message, const char *key, const char *value)
{
	json_t *request, *one;
	const char *name;
	bool found = false;

	if (text_same(key, "relay-id"))
		return message->relay_id != NULL && strcmp(message->relay_id, value) == 0;
	request = request_json(message);
	json_object_foreach(json_object_get(request, "Metadata"), name, one) found =
	    found || (text_same(name, key) && strcmp(json_string_value(one), value) == 0);
	json_decref(request);
	return found;
}

static bool
search_matches(
    const struct state *state, const struct search *search, const struct message *message)
{
	return clock_mono_ms() - message->mono_ms >= state->search_lag_ms &&
	       message->wall_ms >= search->least_ms && message->wall_ms <= search->most_ms &&
	       text_same(message->stream, search->stream) &&
	       (search->status == NULL || !text_same(search->status, "queued")) &&
	       (search->recipient == NULL || has_recipient(message, search->recipient)) &&
	       (search->from == NULL || text_same(message->from, search->from)) &&
	       (search->tag == NULL || strcmp(message->tag, search->tag) == 0) &&
	       (search->subject == NULL ||
		   text_find_same(message->subject, search->subject) != NULL) &&
	       (search->metadata_key == NULL ||
		   has_metadata(message, search->metadata_key, search->metadata_value));
}

static void
get_messages(struct state *state, const struct api_request *request, struct api_answer *answer)
{
	const struct message *message;
	struct search search;
	const char *wrong;
	size_t token, index = messages_count(state->messages), total = 0;
	json_t *list, *sent;
	bool by_relay_id;

	if (!token_ok(state, request, false, answer, &token))
		return;
	wrong = search_read(request, &search);
	if (wrong != NULL) {
		refuse_request(state, answer, 422, 700, wrong);
		return;
	}
	if (!text_same(search.stream, "outbound") && !text_same(search.stream, "broadcast") &&
	    !text_same(search.stream, "inbound")) {
		refuse_request(state, answer, 422, 1226,
		    "The message stream for the provided 'ID' was not found.");
		return;
	}

	list = json_array();
	by_relay_id = search.metadata_key != NULL && text_same(search.metadata_key, "relay-id");
	if (by_relay_id)
		message = messages_by_relay_id(state->messages, search.metadata_value);
	else
		message = index > 0 ? messages_at(state->messages, --index) : NULL;
	while (message != NULL) {
		if (search_matches(state, &search, message)) {
			if (total >= search.offset && total < search.offset + search.count) {
				sent = request_json(message);
				json_array_append_new(list, summary_json(message, sent));
				json_decref(sent);
			}
			total++;
		}
		if (by_relay_id)
			message = message->next_same;
		else
			message = index > 0 ? messages_at(state->messages, --index) : NULL;
	}
	answer_json(
	    answer, json_pack("{s:I, s:o}", "TotalCount", (json_int_t)total, "Messages", list));
}

/* ---- one sent message ---- */

/* Which message /messages/outbound/{id}/... is about; NULL: refused. */
static const struct message *
path_message(struct state *state, const struct api_request *request, struct api_answer *answer)
{
	const struct message *message = NULL;
	const char *id = request->path + strlen("/messages/outbound/");
	char *copy;
	size_t token;

	if (!token_ok(state, request, false, answer, &token))
		return NULL;
	copy = mem_bytes(id, strcspn(id, "/"));
	message = messages_find(state->messages, copy);
	free(copy);
	if (message == NULL)
		refuse_request(state, answer, 422, 701, "This message was not found.");
	return message;
}

static json_t *
events_json(const struct message *message)
{
	char time[STATE_TIME_SIZE];
	json_t *events = json_array();

	state_time_text(time, message->wall_ms, message->fraction, EASTERN_MINUTES);
	for (size_t i = 0; i < message->recipients.count; i++) {
		const char *recipient = message->recipients.items[i];
		const char *type = "Delivered";
		json_t *details;

		if (strlist_has(&message->suppressed, recipient))
			continue;
		if (message->bounce != NULL && rules_bounce_type(recipient, NULL) != NULL) {
			type = "Bounced";
			details =
			    json_pack("{s:s, s:s}", "Summary", message->bounce, "BounceID", "0");
		} else {
			details = json_pack("{s:s, s:s, s:s}", "DeliveryMessage", "250 OK",
			    "DestinationServer", strrchr(recipient, '@') + 1, "DestinationIP",
			    "192.0.2.25");
		}
		json_array_append_new(
		    events, json_pack("{s:s, s:s, s:s, s:o}", "Recipient", recipient, "Type", type,
				"ReceivedAt", time, "Details", details));
	}
	return events;
}

/* The message about as it would be mailed: fields as headers, and the text. */
static json_t *
source_json(const struct message *message, const json_t *request)
{
	static const char *const fields[] = { "From", "To", "Cc", "ReplyTo", "Subject" };
	const char *text = json_string_value(json_object_get(request, "TextBody"));
	struct buf out;
	json_t *source, *header;
	size_t i;

	buf_init(&out, API_MOST_ANSWER);
	for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		const char *value = json_string_value(json_object_get(request, fields[i]));

		if (value != NULL && value[0] != '\0')
			buf_addf(&out, "%s: %s\r\n",
			    strcmp(fields[i], "ReplyTo") == 0 ? "Reply-To" : fields[i], value);
	}
	json_array_foreach(json_object_get(request, "Headers"), i, header)
	    buf_addf(&out, "%s: %s\r\n", json_string_value(json_object_get(header, "Name")),
		json_string_value(json_object_get(header, "Value")));
	buf_addf(&out, "X-PM-Message-Id: %s\r\n\r\n", message->id);
	if (text == NULL || text[0] == '\0')
		text = json_string_value(json_object_get(request, "HtmlBody"));
	buf_adds(&out, text != NULL ? text : "");
	source = json_stringn(out.data, out.len);
	buf_free(&out);
	return source;
}

static void
get_details(struct state *state, const struct api_request *request, struct api_answer *answer)
{
	const struct message *message = path_message(state, request, answer);
	json_t *sent, *out;

	if (message == NULL)
		return;
	sent = request_json(message);
	out = summary_json(message, sent);
	json_object_set_new(out, "TextBody", member_or(sent, "TextBody", json_string("")));
	json_object_set_new(out, "HtmlBody", member_or(sent, "HtmlBody", json_string("")));
	json_object_set_new(out, "Body", source_json(message, sent));
	json_object_set_new(out, "MessageEvents", events_json(message));
	json_decref(sent);
	answer_json(answer, out);
}

static void
get_dump(struct state *state, const struct api_request *request, struct api_answer *answer)
{
	const struct message *message = path_message(state, request, answer);
	json_t *sent;

	if (message == NULL)
		return;
	sent = request_json(message);
	answer_json(answer, json_pack("{s:o}", "Body", source_json(message, sent)));
	json_decref(sent);
}

static void
not_found(struct state *state, const struct api_request *request, struct api_answer *answer)
{
	(void)request;
	refuse_request(state, answer, 404, 404, "There is nothing at this address.");
}

/* ---- which function answers ---- */

/* '?' stands for one step of the path.  The last row takes what no other did. */
static const struct route {
	const char *method;
	const char *path;
	route_fn *run;
} routes[STATE_ROUTES] = {
	{ "POST", "/email", post_email },
	{ "POST", "/email/batch", post_batch },
	{ "GET", "/server", get_server },
	{ "GET", "/messages/outbound", get_messages },
	{ "GET", "/messages/outbound/?/details", get_details },
	{ "GET", "/messages/outbound/?/dump", get_dump },
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
