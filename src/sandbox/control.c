#include <stdlib.h>
#include <string.h>

#include <event2/http.h>

#include <jansson.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"

#include "sandbox/account.h"
#include "sandbox/api.h"
#include "sandbox/control_account.h"
#include "sandbox/control_events.h"
#include "sandbox/control_firing.h"
#include "sandbox/faults.h"
#include "sandbox/messages.h"
#include "sandbox/query.h"
#include "sandbox/records.h"
#include "sandbox/server.h"
#include "sandbox/state.h"
#include "sandbox/switches.h"
#include "sandbox/control.h"

#define USUAL_LIMIT 100
#define MOST_LIMIT  10000
/* A list ends early when it has grown to this. */
#define ENOUGH_BYTES ((size_t)64 * 1024 * 1024)

bool
control_wants(const char *path)
{
	return path[0] == '\0' || strcmp(path, "/") == 0 || strcmp(path, "/sandbox") == 0 ||
	       strncmp(path, "/sandbox/", 9) == 0;
}

void
control_json(struct api_answer *answer, json_t *json)
{
	char *text = json_dumps(json, JSON_INDENT(2) | JSON_REAL_PRECISION(6));

	buf_adds(&answer->body, text);
	buf_addc(&answer->body, '\n');
	free(text);
	json_decref(json);
}

void
control_wrong(struct api_answer *answer, int status, const char *why)
{
	answer->status = status;
	buf_clear(&answer->body);
	buf_addc(&answer->body, '{');
	json_add_member(&answer->body, "Error", why, strlen(why));
	buf_adds(&answer->body, "}\n");
}

static void
add_text(struct buf *out, const char *name, const char *text)
{
	if (text != NULL)
		json_add_member(out, name, text, strlen(text));
}

static void
add_list(struct buf *out, const char *name, const struct strlist *list)
{
	json_add_name(out, name);
	buf_addc(out, '[');
	for (size_t i = 0; i < list->count; i++) {
		if (i > 0)
			buf_addc(out, ',');
		json_add_string(out, list->items[i], strlen(list->items[i]));
	}
	buf_addc(out, ']');
}

/* Written by hand, because the request is at hand as text: a full list may be large. */
static void
add_message(struct buf *out, const struct message *message)
{
	char time[STATE_TIME_SIZE];

	state_time_text(time, message->wall_ms, message->fraction, 0);
	buf_addf(out, "{\"Number\":%llu", (unsigned long long)message->number);
	add_text(out, "MessageID", message->id);
	add_text(out, "SubmittedAt", time);
	add_text(out, "MessageStream", message->stream);
	add_text(out, "RelayID", message->relay_id);
	add_text(out, "Bounce", message->bounce);
	buf_addf(out, ",\"BySMTP\":%s", message->source != NULL ? "true" : "false");
	add_list(out, "Recipients", &message->recipients);
	add_list(out, "Suppressed", &message->suppressed);
	buf_addf(out, ",\"ServerID\":%lld,\"TokenNumber\":%zu,\"BatchSize\":%zu,\"Bytes\":%zu",
	    (long long)message->server, message->token, message->batch_size, message->bytes);
	json_add_name(out, "Request");
	buf_add(out, message->json, message->json_len);
	buf_addc(out, '}');
}

static bool
query_number(const struct api_request *request, const char *key, size_t least, size_t most,
    size_t usual, size_t *number_r)
{
	const char *text = evhttp_find_header(request->query, key);
	uint64_t number = usual;

	if (text != NULL && text_number(text, strlen(text), least, most, &number) != 0)
		return false;
	*number_r = (size_t)number;
	return true;
}

static void
get_messages(struct state *state, const struct api_request *request, struct api_answer *answer)
{
	size_t limit, offset, count = messages_count(state->messages);
	const char *order = evhttp_find_header(request->query, "order");
	bool newest = order != NULL && text_same(order, "newest");

	if (!query_number(request, "limit", 0, MOST_LIMIT, USUAL_LIMIT, &limit) ||
	    !query_number(request, "offset", 0, SIZE_MAX, 0, &offset) ||
	    (order != NULL && !newest && !text_same(order, "oldest"))) {
		control_wrong(answer, 400,
		    "wanted limit from 0 to 10000, offset from 0, order oldest or newest");
		return;
	}
	answer->total = (int64_t)count;
	buf_addc(&answer->body, '[');
	for (size_t i = 0; i < limit && offset < count && i < count - offset; i++) {
		size_t index = newest ? count - 1 - offset - i : offset + i;

		if (answer->body.len > ENOUGH_BYTES)
			break;
		buf_adds(&answer->body, i > 0 ? ",\n" : "\n");
		add_message(&answer->body, messages_at(state->messages, index));
	}
	buf_adds(&answer->body, "\n]\n");
}

static void
get_message(struct state *state, const struct api_request *request, struct api_answer *answer)
{
	const char *id = request->path + strlen("/sandbox/messages/");
	size_t id_len = strcspn(id, "/");
	char *name = mem_bytes(id, id_len);
	const struct message *message = messages_find(state->messages, name);
	bool source = strcmp(id + id_len, "/source") == 0;

	free(name);
	if (message == NULL || (id[id_len] != '\0' && !source) ||
	    (source && message->source == NULL)) {
		control_wrong(
		    answer, 404, "no such message, or forgotten, or it did not come by SMTP");
		return;
	}
	if (source) {
		answer->type = "message/rfc822";
		buf_add(&answer->body, message->source, message->source_len);
		return;
	}
	add_message(&answer->body, message);
	buf_addc(&answer->body, '\n');
}

static void
delete_messages(struct state *state, const struct api_request *request, struct api_answer *answer)
{
	(void)request;
	messages_clear(state->messages);
	records_clear(state->bounces);
	records_clear(state->opens);
	records_clear(state->clicks);
	records_clear(state->inbound);
	memset(&state->counts, 0, sizeof(state->counts));
	buf_adds(&answer->body, "{}\n");
}

static json_t *
number(uint64_t value)
{
	return json_integer((json_int_t)value);
}

static void
get_counts(struct state *state, const struct api_request *request, struct api_answer *answer)
{
	const struct counts *counts = &state->counts;
	const struct messages *messages = state->messages;
	json_t *requests = json_object(), *refused = json_object(), *batches = json_object();
	char *code;

	(void)request;
	for (size_t i = 0; i < STATE_ROUTES && api_route_name(i) != NULL; i++)
		json_object_set_new(requests, api_route_name(i), number(counts->requests[i]));
	for (int i = 0; i < STATE_CODES; i++) {
		if (counts->refused[i] == 0)
			continue;
		code = mem_format("%d", i);
		json_object_set_new(refused, code, number(counts->refused[i]));
		free(code);
	}
	for (size_t i = 0; i < STATE_BUCKETS; i++)
		json_object_set_new(batches, state_bucket_name(i), number(counts->batches[i]));
	control_json(answer,
	    json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
		"accepted", number(messages_accepted(messages)), "kept",
		number(messages_count(messages)), "kept_bytes", number(messages_bytes(messages)),
		"test_messages", number(counts->test_messages), "relay_ids",
		number(messages_relay_count(messages)), "relay_id_repeats",
		number(messages_repeats(messages)), "relay_ids_left_out",
		number(messages_relay_left_out(messages)), "requests", requests, "refused", refused,
		"batches", batches, "largest_batch", number(counts->largest_batch), "faults",
		number(counts->faults), "smtp_mails", number(counts->smtp_mails), "smtp_errors",
		number(counts->smtp_errors)));
}

static void
get_relay_ids(struct state *state, const struct api_request *request, struct api_answer *answer)
{
	uint64_t times;

	(void)request;
	answer->type = "text/plain; charset=utf-8";
	for (size_t i = 0; i < messages_relay_count(state->messages); i++) {
		const char *id = messages_relay_at(state->messages, i, &times);

		buf_adds(&answer->body, id);
		buf_addf(&answer->body, " %llu\n", (unsigned long long)times);
	}
}

static void
get_faults(struct state *state, const struct api_request *request, struct api_answer *answer)
{
	(void)request;
	control_json(answer, faults_json(state->faults));
}

static void
put_faults(struct state *state, const struct api_request *request, struct api_answer *answer)
{
	json_error_t unreadable;
	json_t *rules = api_request_json(request, &unreadable);
	char *why = NULL;

	if (rules == NULL) {
		control_wrong(answer, 400, unreadable.text);
	} else if (faults_set(state->faults, rules, &why) != 0) {
		control_wrong(answer, 422, why);
		free(why);
	} else {
		log_info("faults", log_num("rules", (int64_t)json_array_size(rules)));
		control_json(answer, faults_json(state->faults));
	}
	json_decref(rules);
}

static void
delete_faults(struct state *state, const struct api_request *request, struct api_answer *answer)
{
	(void)request;
	faults_clear(state->faults);
	buf_adds(&answer->body, "[]\n");
}

struct server *
control_server(struct state *state, const struct api_request *request)
{
	const char *id = query_text(request, "server");

	if (id != NULL)
		return account_server(&state->account, (int64_t)query_id(id));
	return state->account.servers.count > 0 ? state->account.servers.list[0] : NULL;
}

static void
get_suppressions(struct state *state, const struct api_request *request, struct api_answer *answer)
{
	const struct server *server = control_server(state, request);
	json_t *list = json_array(), *one, *copy;
	const char *key;

	for (size_t i = 0; server != NULL && i < server->stream_count; i++) {
		json_object_foreach(server->streams[i]->suppressions, key, one)
		{
			copy = json_copy(one);
			json_object_set_new(
			    copy, "MessageStream", json_string(server->streams[i]->id));
			json_array_append_new(list, copy);
		}
	}
	control_json(answer, list);
}

/* A list of addresses, or of objects with EmailAddress, MessageStream and SuppressionReason. */
static bool
suppressions_ok(const struct server *server, const json_t *list)
{
	size_t i;
	json_t *one;

	if (server == NULL || !json_is_array(list))
		return false;
	json_array_foreach(list, i, one)
	{
		const char *address, *stream = STATE_DEFAULT_STREAM, *reason = "";

		if (!json_is_string(one) &&
		    json_unpack(one, "{s:s, s?s, s?s}", "EmailAddress", &address, "MessageStream",
			&stream, "SuppressionReason", &reason) != 0)
			return false;
		if (server_stream(server, stream) == NULL)
			return false;
	}
	return true;
}

static void
clear_suppressions(struct server *server)
{
	for (size_t i = 0; server != NULL && i < server->stream_count; i++)
		json_object_clear(server->streams[i]->suppressions);
}

static void
put_suppressions(struct state *state, const struct api_request *request, struct api_answer *answer)
{
	struct server *server = control_server(state, request);
	json_error_t unreadable;
	json_t *list = api_request_json(request, &unreadable);
	json_t *one;
	size_t i;

	if (list == NULL) {
		control_wrong(answer, 400, unreadable.text);
		return;
	}
	if (!suppressions_ok(server, list)) {
		control_wrong(answer, 422,
		    "wanted a list of addresses, or of objects with EmailAddress and perhaps "
		    "MessageStream and SuppressionReason");
		goto free_list;
	}
	clear_suppressions(server);
	json_array_foreach(list, i, one)
	{
		const char *address = json_string_value(one), *stream = STATE_DEFAULT_STREAM;
		const char *reason = "ManualSuppression";

		if (address == NULL)
			(void)json_unpack(one, "{s:s, s?s, s?s}", "EmailAddress", &address,
			    "MessageStream", &stream, "SuppressionReason", &reason);
		message_stream_suppress(server_stream(server, stream), address, reason,
		    strcmp(reason, "ManualSuppression") == 0 ? "Customer" : "Recipient");
	}
	get_suppressions(state, request, answer);

free_list:
	json_decref(list);
}

static void
delete_suppressions(
    struct state *state, const struct api_request *request, struct api_answer *answer)
{
	clear_suppressions(control_server(state, request));
	buf_adds(&answer->body, "[]\n");
}

static void
get_switches(struct state *state, const struct api_request *request, struct api_answer *answer)
{
	(void)request;
	control_json(answer, switches_json(&state->switches));
}

static void
put_switches(struct state *state, const struct api_request *request, struct api_answer *answer)
{
	json_error_t unreadable;
	json_t *json = api_request_json(request, &unreadable);
	char why[128];

	if (json == NULL)
		control_wrong(answer, 400, unreadable.text);
	else if (switches_set(&state->switches, json, why, sizeof(why)) != 0)
		control_wrong(answer, 422, why);
	else
		control_json(answer, switches_json(&state->switches));
	json_decref(json);
}

static const struct {
	const char *method;
	const char *path;
	void (*run)(struct state *, const struct api_request *, struct api_answer *);
} operations[] = {
	{ "GET", "", get_messages },
	{ "GET", "/", get_messages },
	{ "GET", "/sandbox/messages", get_messages },
	{ "GET", "/sandbox/messages/*", get_message },
	{ "DELETE", "/sandbox/messages", delete_messages },
	{ "GET", "/sandbox/counts", get_counts },
	{ "GET", "/sandbox/relay-ids", get_relay_ids },
	{ "GET", "/sandbox/faults", get_faults },
	{ "PUT", "/sandbox/faults", put_faults },
	{ "DELETE", "/sandbox/faults", delete_faults },
	{ "GET", "/sandbox/suppressions", get_suppressions },
	{ "PUT", "/sandbox/suppressions", put_suppressions },
	{ "DELETE", "/sandbox/suppressions", delete_suppressions },
	{ "GET", "/sandbox/switches", get_switches },
	{ "PUT", "/sandbox/switches", put_switches },
	{ "GET", "/sandbox/dns", control_get_dns },
	{ "PUT", "/sandbox/dns", control_put_dns },
	{ "GET", "/sandbox/senders", control_get_senders },
	{ "PUT", "/sandbox/senders", control_put_senders },
	{ "POST", "/sandbox/open", control_post_open },
	{ "POST", "/sandbox/click", control_post_click },
	{ "POST", "/sandbox/bounce", control_post_bounce },
	{ "POST", "/sandbox/inbound", control_post_inbound },
	{ "PUT", "/sandbox/webhooks/*", control_put_webhook },
	{ "GET", "/sandbox/events", control_get_events },
	{ "DELETE", "/sandbox/events", control_delete_events },
	{ "GET", "/sandbox/events/settings", control_get_event_settings },
	{ "PUT", "/sandbox/events/settings", control_put_event_settings },
	{ "DELETE", "/sandbox/events/settings", control_delete_event_settings },
	{ "POST", "/sandbox/events/fire", control_post_fire },
	{ "GET", "/sandbox/events/flood", control_get_flood },
	{ "POST", "/sandbox/events/flood", control_post_flood },
};

void
control_handle(struct state *state, const struct api_request *request, struct api_answer *answer)
{
	bool path_known = false;

	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
		const char *path = operations[i].path;
		size_t len = strlen(path);

		if (len > 0 && path[len - 1] == '*' ? strncmp(path, request->path, len - 1) != 0
						    : strcmp(path, request->path) != 0)
			continue;
		path_known = true;
		if (strcmp(operations[i].method, request->method) == 0) {
			operations[i].run(state, request, answer);
			return;
		}
	}
	control_wrong(answer, path_known ? 405 : 404,
	    "see the section CONTROL in pmrelay-sandbox(8) for what there is");
}
