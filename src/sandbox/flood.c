#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

#include "sandbox/account.h"
#include "sandbox/events.h"
#include "sandbox/fields.h"
#include "sandbox/firing.h"
#include "sandbox/messages.h"
#include "sandbox/notify.h"
#include "sandbox/server.h"
#include "sandbox/state.h"
#include "sandbox/stream.h"
#include "sandbox/flood.h"

#define MOST_EVENTS  2000000
#define MOST_TARGETS 1000000
#define MOST_KINDS   16

/* What an event is about. */
struct target {
	char id[UUID_SIZE];
	char *relay_id; /* NULL: none, as the next two */
	char *recipient;
	char *tag;
};

struct flood {
	struct state *state;
	int64_t server;
	char *stream;
	enum webhook_trigger kinds[MOST_KINDS];
	size_t kind_count;
	struct target *targets;
	size_t target_count;
	uint64_t count, next;
	int64_t wall_ms; /* of the first event; each is 100 ns younger */
	int64_t began_us;
	struct firing_meter meter;
};

/* ---- one event ---- */

static char *
time_of(const struct flood *flood, char out[STATE_TIME_SIZE])
{
	return state_time_text(out, flood->wall_ms + (int64_t)(flood->next / 10000),
	    (unsigned)(flood->next % 10000), 0);
}

static json_t *
payload_of(const struct flood *flood, const struct target *target, enum webhook_trigger kind)
{
	json_t *metadata = json_object(), *shown, *payload;
	char at[STATE_TIME_SIZE];

	time_of(flood, at);
	if (target->relay_id != NULL)
		json_object_set_new(metadata, "relay-id", json_string(target->relay_id));
	if (kind == WEBHOOK_DELIVERY) {
		payload = event_delivery(
		    &(struct event_about){
			.server = flood->server,
			.message = target->id,
			.stream = flood->stream,
			.tag = target->tag != NULL ? target->tag : "",
			.metadata = metadata,
		    },
		    target->recipient, "250 2.0.0 OK, taken by the sandbox", at);
	} else {
		shown = json_pack("{s:s, s:s, s:b, s:{}, s:{}, s:s, s:s, s:i, s:{}, s:s, s:s, s:s}",
		    "RecordType", "Open", "MessageStream", flood->stream, "FirstOpen",
		    flood->next < flood->target_count, "Client", "OS", "Platform", "WebMail",
		    "UserAgent", "Mozilla/5.0", "ReadSeconds", 1, "Geo", "MessageID", target->id,
		    "Tag", target->tag != NULL ? target->tag : "", "Recipient", target->recipient);
		payload = event_track(shown, metadata, at);
		json_decref(shown);
	}
	json_decref(metadata);
	return payload;
}

/* The source of the queue of events. */
static bool
make_next(void *ctx)
{
	struct flood *flood = ctx;
	const struct server *server = account_server(&flood->state->account, flood->server);
	const struct target *target = &flood->targets[flood->next % flood->target_count];
	enum webhook_trigger kind =
	    flood->kinds[flood->next / flood->target_count % flood->kind_count];
	json_t *payload;

	if (flood->next == flood->count || server == NULL ||
	    !notify_wanted(flood->state, server, flood->stream, kind)) {
		flood->count = flood->next;
		firing_set_parallel(flood->state->firing, 0);
		return false;
	}
	payload = payload_of(flood, target, kind);
	notify_raw(flood->state, server, flood->stream,
	    &(struct firing_event){
		.trigger = kind,
		.message = target->id,
		.recipient = target->recipient,
		.at_once = true,
		.meter = &flood->meter,
	    },
	    payload);
	json_decref(payload);
	flood->next++;
	return true;
}

/* ---- what is asked for ---- */

static void
add_target(struct flood *flood, const struct message *message, const char *id, const char *relay_id,
    const char *recipient)
{
	struct target *target = &flood->targets[flood->target_count++];

	if (message != NULL) {
		id = message->id;
		relay_id = message->relay_id;
		if (recipient == NULL && message->recipients.count > 0)
			recipient = message->recipients.items[0];
		target->tag = mem_string(message->tag);
	}
	if (id != NULL && strlen(id) == UUID_LEN)
		memcpy(target->id, id, UUID_SIZE);
	else
		uuid_make(target->id);
	target->relay_id = relay_id != NULL ? mem_string(relay_id) : NULL;
	target->recipient = mem_string(recipient != NULL ? recipient : "reader@flood.example");
}

static void
find_targets(struct flood *flood, const json_t *json)
{
	const struct messages *messages = flood->state->messages;
	const json_t *ids = fields_get(json, "message_ids"),
		     *relays = fields_get(json, "relay_ids");
	const char *recipient = fields_text(json, "recipient"), *text;
	size_t given = json_array_size(ids) + json_array_size(relays), i;
	size_t most = given > 0 ? given : messages_count(messages) + 1;
	json_t *one;

	flood->targets = mem_array(most, sizeof(*flood->targets));
	json_array_foreach((json_t *)ids, i, one)
	{
		text = json_string_value(one);
		add_target(flood, messages_find(messages, text), text, NULL, recipient);
	}
	json_array_foreach((json_t *)relays, i, one)
	{
		text = json_string_value(one);
		add_target(flood, messages_by_relay_id(messages, text), NULL, text, recipient);
	}
	for (i = 0; given == 0 && i < messages_count(messages); i++) {
		const struct message *message = messages_at(messages, i);

		if (message->server == flood->server && strcmp(message->stream, flood->stream) == 0)
			add_target(flood, message, NULL, NULL, recipient);
	}
	if (flood->target_count == 0)
		add_target(flood, NULL, NULL, NULL, recipient);
}

static bool
read_kinds(struct flood *flood, const json_t *kinds)
{
	size_t i;
	const json_t *one;

	flood->kinds[0] = WEBHOOK_DELIVERY;
	flood->kind_count = 1;
	if (kinds == NULL)
		return true;
	if (json_array_size(kinds) == 0 || json_array_size(kinds) > MOST_KINDS)
		return false;
	json_array_foreach(kinds, i, one)
	{
		const char *name = json_string_value(one);

		if (name != NULL && strcmp(name, "Delivery") == 0)
			flood->kinds[i] = WEBHOOK_DELIVERY;
		else if (name != NULL && strcmp(name, "Open") == 0)
			flood->kinds[i] = WEBHOOK_OPEN;
		else
			return false;
	}
	flood->kind_count = json_array_size(kinds);
	return true;
}

static bool
are_texts(const json_t *list, size_t len)
{
	size_t i;
	const json_t *one;

	if (json_array_size(list) > MOST_TARGETS)
		return false;
	json_array_foreach(list, i, one)
	{
		if (!json_is_string(one) || (len > 0 && json_string_length(one) != len))
			return false;
	}
	return true;
}

/* NULL, or what is wrong. */
static const char *
read_request(struct flood *flood, const struct server *server, const json_t *json, size_t *parallel)
{
	static const struct fields fields[] = {
		{ "count", FIELDS_INTEGER },
		{ "parallel", FIELDS_INTEGER },
		{ "kinds", FIELDS_ARRAY },
		{ "message_ids", FIELDS_ARRAY },
		{ "relay_ids", FIELDS_ARRAY },
		{ "recipient", FIELDS_STRING },
		{ "stream", FIELDS_STRING },
	};
	char *wrong = fields_wrong(json, fields, sizeof(fields) / sizeof(fields[0]));
	json_int_t count = json_integer_value(json_object_get(json, "count"));
	json_int_t most = json_integer_value(json_object_get(json, "parallel"));
	const char *stream = fields_text(json, "stream");

	free(wrong);
	if (wrong != NULL || count < 1 || count > MOST_EVENTS || most < 0 || most > 256)
		return "wanted count from 1 to 2000000, and perhaps parallel from 1 to 256, kinds, "
		       "message_ids, relay_ids, recipient and stream";
	if (!read_kinds(flood, fields_get(json, "kinds")))
		return "kinds: wanted a list of at most 16, each Delivery or Open";
	if (!are_texts(fields_get(json, "message_ids"), UUID_LEN) ||
	    !are_texts(fields_get(json, "relay_ids"), 0))
		return "message_ids, relay_ids: wanted lists of at most 1000000 identifiers";
	if (server_stream(server, stream != NULL ? stream : STREAM_OUTBOUND) == NULL)
		return "stream: there is none of this name";
	flood->stream = mem_string(stream != NULL ? stream : STREAM_OUTBOUND);
	flood->count = (uint64_t)count;
	*parallel = (size_t)most;
	return NULL;
}

int
flood_start(struct state *state, struct server *server, const json_t *json, const char **why_r)
{
	struct flood *flood = mem_new(sizeof(*flood));
	size_t parallel;

	flood->state = state;
	flood->server = server->id;
	*why_r = read_request(flood, server, json, &parallel);
	if (*why_r != NULL) {
		flood_free(&flood);
		return -1;
	}
	for (size_t i = 0; i < flood->kind_count; i++) {
		if (notify_wanted(state, server, flood->stream, flood->kinds[i]))
			continue;
		*why_r = "no webhook of the stream wants all these kinds";
		flood_free(&flood);
		return -1;
	}
	find_targets(flood, json);
	flood->wall_ms = clock_wall_ms();
	flood->began_us = flood->meter.ended_us = clock_mono_us();
	flood_free(&state->flood);
	state->flood = flood;
	firing_set_parallel(state->firing, parallel);
	firing_set_source(state->firing, make_next, flood);
	return 0;
}

/* ---- how it goes ---- */

static uint64_t
pending(const struct flood *flood)
{
	return flood->meter.made - flood->meter.done - flood->meter.dropped;
}

bool
flood_runs(const struct state *state)
{
	const struct flood *flood = state->flood;

	return flood != NULL && (flood->next < flood->count || pending(flood) > 0);
}

static int
by_size(const void *a, const void *b)
{
	uint32_t one = *(const uint32_t *)a, other = *(const uint32_t *)b;

	return one < other ? -1 : one > other;
}

/* Of sorted latencies, the one that so many thousandths do not exceed. */
static json_t *
quantile(const uint32_t *sorted, size_t count, size_t thousandths)
{
	size_t rank = (count * thousandths + 999) / 1000;

	return json_real(count > 0 ? (double)sorted[rank > 0 ? rank - 1 : 0] / 1000 : 0);
}

json_t *
flood_json(const struct state *state)
{
	const struct flood *flood = state->flood;
	const struct firing_meter *meter;
	uint32_t *sorted;
	size_t count;
	int64_t us;
	json_t *json;

	if (flood == NULL)
		return json_object();
	meter = &flood->meter;
	count = meter->latency_count;
	us = (flood_runs(state) ? clock_mono_us() : meter->ended_us) - flood->began_us;
	sorted = mem_array(count + 1, sizeof(*sorted));
	if (count > 0)
		memcpy(sorted, meter->latencies_us, count * sizeof(*sorted));
	qsort(sorted, count, sizeof(*sorted), by_size);
	json = json_pack("{s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:o, s:o, s:o}",
	    "running", flood_runs(state), "count", (json_int_t)flood->count, "made",
	    (json_int_t)meter->made, "posts", (json_int_t)meter->posts, "answered_200",
	    (json_int_t)meter->answered_200, "retried", (json_int_t)meter->retried, "done",
	    (json_int_t)meter->done, "dropped", (json_int_t)meter->dropped, "pending",
	    (json_int_t)pending(flood), "seconds", (double)us / 1e6, "posts_per_second",
	    us > 0 ? (double)meter->posts * 1e6 / (double)us : 0.0, "p50_ms",
	    quantile(sorted, count, 500), "p99_ms", quantile(sorted, count, 990), "max_ms",
	    quantile(sorted, count, 1000));
	free(sorted);
	return json;
}

void
flood_free(struct flood **flood_p)
{
	struct flood *flood = *flood_p;

	if (flood == NULL)
		return;
	for (size_t i = 0; i < flood->target_count; i++) {
		free(flood->targets[i].relay_id);
		free(flood->targets[i].recipient);
		free(flood->targets[i].tag);
	}
	free(flood->targets);
	free(flood->stream);
	free(flood->meter.latencies_us);
	free(flood);
	*flood_p = NULL;
}
