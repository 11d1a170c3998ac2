#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/loop.h"
#include "base/mem.h"

#include "sandbox/events.h"
#include "sandbox/post.h"
#include "sandbox/webhooks.h"
#include "sandbox/verify.h"

#define TIMEOUT_MS 10000

struct verify;

struct probe {
	struct verify *verify;
	struct post *post; /* NULL: the trigger is not enabled */
	char *body;
	int status;
	char *why; /* NULL: it answered 200 */
};

struct verify {
	struct api_wait wait; /* the first member */
	struct verify_params params;
	struct loop_call *call; /* ready at once: there was nothing to try */
	void (*ready)(void *ctx);
	void *ctx;
	struct probe probes[WEBHOOKS_TRIGGERS];
	size_t waiting;
};

static void
on_posted(void *ctx, const struct post_end *end)
{
	struct probe *probe = ctx;
	struct verify *verify = probe->verify;

	probe->status = end->status;
	if (end->status == 0)
		probe->why = mem_string(end->why);
	else if (end->status != 200)
		probe->why =
		    mem_format("Remote server returned an HTTP status code of %d.", end->status);
	if (--verify->waiting == 0)
		verify->ready(verify->ctx);
}

static void
on_nothing(void *ctx)
{
	struct verify *verify = ctx;

	verify->ready(verify->ctx);
}

static char *
body_of(const struct verify *verify, enum webhook_trigger trigger)
{
	json_t *body = event_probe(webhook_trigger_name(trigger),
	    json_string_value(json_object_get(verify->params.shown, "MessageStream")),
	    verify->params.server);
	char *text = json_dumps(body, JSON_COMPACT);

	json_decref(body);
	return text;
}

static void
verify_start(struct api_wait *wait, struct loop *loop, void (*ready)(void *ctx), void *ctx)
{
	struct verify *verify = (struct verify *)wait;
	const json_t *shown = verify->params.shown;

	verify->ready = ready;
	verify->ctx = ctx;
	for (int i = 0; i < WEBHOOKS_TRIGGERS; i++) {
		struct probe *probe = &verify->probes[i];
		struct post_params params = {
			.poster = verify->params.poster,
			.url = json_string_value(json_object_get(shown, "Url")),
			.auth = json_object_get(shown, "HttpAuth"),
			.headers = json_object_get(shown, "HttpHeaders"),
			.timeout_ms = TIMEOUT_MS,
			.retries_remaining = -1,
			.done = on_posted,
			.ctx = probe,
		};

		if (!webhook_enabled(shown, (enum webhook_trigger)i))
			continue;
		probe->body = body_of(verify, (enum webhook_trigger)i);
		params.body = probe->body;
		params.len = strlen(probe->body);
		probe->verify = verify;
		probe->post = post_new(&params);
		verify->waiting++;
	}
	if (verify->waiting == 0) {
		verify->call = loop_call_new(loop, on_nothing, verify);
		loop_call_ask(verify->call);
	}
}

/* Takes results. */
static json_t *
result_of(int64_t webhook, const json_t *shown, size_t right, json_t *results)
{
	size_t all = json_array_size(results);
	char text[64];

	snprintf(text, sizeof(text), "%zu/%zu triggers verified successfully", right, all);
	return json_pack("{s:I, s:O, s:b, s:s, s:o}", "Id", (json_int_t)webhook, "Url",
	    json_object_get(shown, "Url"), "Success", right == all, "Message", text, "Results",
	    results);
}

static json_t *
trigger_result(enum webhook_trigger trigger, int status, const char *why)
{
	return json_pack("{s:s, s:b, s:i, s:s}", "TriggerType", webhook_trigger_name(trigger),
	    "Success", why == NULL, "StatusCode", status, "Message", why != NULL ? why : "OK");
}

json_t *
verify_result_untried(int64_t webhook, const json_t *shown)
{
	json_t *results = json_array();

	for (int i = 0; i < WEBHOOKS_TRIGGERS; i++) {
		if (webhook_enabled(shown, (enum webhook_trigger)i))
			json_array_append_new(
			    results, trigger_result((enum webhook_trigger)i, 200, NULL));
	}
	return result_of(webhook, shown, json_array_size(results), results);
}

static void
verify_finish(struct api_wait *wait, struct state *state, struct api_answer *answer)
{
	struct verify *verify = (struct verify *)wait;
	const struct verify_params *params = &verify->params;
	json_t *results = json_array(), *result;
	size_t right = 0;

	for (int i = 0; i < WEBHOOKS_TRIGGERS; i++) {
		const struct probe *probe = &verify->probes[i];

		if (probe->post == NULL)
			continue;
		right += probe->why == NULL;
		json_array_append_new(
		    results, trigger_result((enum webhook_trigger)i, probe->status, probe->why));
	}
	result = result_of(params->webhook, params->shown, right, results);
	params->finish(
	    state, params->server, params->webhook, (json_t *)params->shown, result, answer);
	json_decref(result);
}

static void
verify_free(struct api_wait *wait)
{
	struct verify *verify = (struct verify *)wait;

	for (int i = 0; i < WEBHOOKS_TRIGGERS; i++) {
		post_free(&verify->probes[i].post);
		free(verify->probes[i].body);
		free(verify->probes[i].why);
	}
	loop_call_free(&verify->call);
	json_decref((json_t *)verify->params.shown);
	free(verify);
}

struct api_wait *
verify_new(const struct verify_params *params)
{
	struct verify *verify = mem_new(sizeof(*verify));

	verify->wait.start = verify_start;
	verify->wait.finish = verify_finish;
	verify->wait.free = verify_free;
	verify->params = *params;
	json_incref((json_t *)params->shown);
	return &verify->wait;
}
