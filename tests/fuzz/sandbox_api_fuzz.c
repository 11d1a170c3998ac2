/*
 * Requests to the sandbox: Postmark's API and the sandbox's own control.
 *
 * Input: requests one after another, each ended by a line "." alone.  A request is a line "METHOD
 * /path?query" and the body.  All tokens are right, so that every function is reached.  The
 * properties: each answer is JSON or nothing; what is not 200 has an ErrorCode, in the header and
 * in the body, and what is 200 has none but 0; and at the end the state can still be shown.
 */
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include <jansson.h>

#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/strlist.h"
#include "base/text.h"
#include "mail/mime.h"
#include "sandbox/api.h"
#include "sandbox/control.h"
#include "sandbox/firing.h"
#include "sandbox/flood.h"
#include "sandbox/post.h"
#include "sandbox/sandbox.h"
#include "sandbox/setup.h"
#include "sandbox/state.h"

#define SERVER_TOKEN  "sandbox-server-token"
#define ACCOUNT_TOKEN "sandbox-account-token"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
must(bool holds)
{
	if (!holds)
		abort();
}

static void
check(const struct api_answer *answer, bool control)
{
	json_t *json;

	must(!answer->body.over);
	if (answer->body.len == 0) {
		must(answer->status == 413);
		return;
	}
	if (strcmp(answer->type, "application/json") != 0)
		return;
	json = json_loadb(answer->body.data, answer->body.len, 0, NULL);
	must(json != NULL);
	if (!control) {
		must((answer->status == 200) == (answer->error_code == 0));
		if (json_is_object(json) && answer->status != 200)
			must(json_integer_value(json_object_get(json, "ErrorCode")) ==
			     answer->error_code);
	}
	json_decref(json);
}

/* "METHOD /path?query", cut up in place. */
static void
ask(struct state *state, char *line, const char *body, size_t body_len)
{
	struct strlist segments = { 0 };
	struct evkeyvalq query;
	struct api_request request = {
		.method = line,
		.query = &query,
		.segments = &segments,
		.server_token = SERVER_TOKEN,
		.account_token = ACCOUNT_TOKEN,
		/* A mail for /sandbox/inbound is known by not being JSON. */
		.content_type = body_len > 0 && body[0] != '{' && body[0] != '['
				    ? "message/rfc822"
				    : "application/json",
		.body = body,
		.body_len = body_len,
	};
	struct api_answer answer;
	char *path = strchr(line, ' '), *mark, *lower;

	if (path == NULL || path[1] != '/')
		return;
	*path++ = '\0';
	mark = strchr(path, '?');
	if (mark != NULL)
		*mark++ = '\0';
	if (mark == NULL || evhttp_parse_query_str(mark, &query) != 0)
		TAILQ_INIT(&query);
	lower = mem_string(path);
	text_lower(lower);
	request.path = lower;
	for (char *at = path; at != NULL;) {
		char *next = strchr(at + 1, '/');

		if (next != NULL)
			*next = '\0';
		strlist_add(&segments, at + 1);
		at = next;
	}
	api_answer_init(&answer);
	if (control_wants(lower))
		control_handle(state, &request, &answer);
	else
		api_handle(state, &request, &answer);
	/* What waits is never asked here: it would be posted somewhere. */
	if (answer.wait == NULL)
		check(&answer, control_wants(lower));
	api_answer_deinit(&answer);
	evhttp_clear_headers(&query);
	strlist_free(&segments);
	free(lower);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct sandbox_params params = { 0 };
	struct state state;
	const char *at = (const char *)data, *end = at + len;
	char why[256], last[] = "GET /servers?count=500&offset=0";
	char events[] = "GET /sandbox/events?limit=100000";
	static struct loop *loop;
	static struct poster *poster;

	log_setup("fuzz", LOG_LEVEL_ERROR, LOG_FORMAT_TEXT, 2);
	if (loop == NULL) {
		mime_setup();
		loop = loop_new();
		poster = poster_new(loop);
		must(poster != NULL);
	}
	state_init(&state, 100, 1 << 20);
	/* Events are made and wait: the loop never runs. */
	state.firing = firing_new(loop, &state, poster);
	must(setup_apply(&state, &params, why, sizeof(why)) == 0);
	while (at < end) {
		const char *stop = memmem(at, (size_t)(end - at), "\n.\n", 3);
		const char *next = stop != NULL ? stop + 3 : end;
		const char *line_end, *body;
		char *line;

		stop = stop != NULL ? stop : end;
		line_end = memchr(at, '\n', (size_t)(stop - at));
		line_end = line_end != NULL ? line_end : stop;
		body = line_end < stop ? line_end + 1 : stop;
		if (memchr(at, '\0', (size_t)(line_end - at)) == NULL) {
			line = mem_bytes(at, (size_t)(line_end - at));
			ask(&state, line, body, (size_t)(stop - body));
			free(line);
		}
		at = next;
	}
	ask(&state, last, "", 0);
	ask(&state, events, "", 0);
	firing_free(&state.firing);
	flood_free(&state.flood);
	state_deinit(&state);
	return 0;
}
