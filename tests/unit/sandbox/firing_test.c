/*
 * Posts and the queue of events against a server on the same loop.
 */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>

#include <jansson.h>

#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "sandbox/account.h"
#include "sandbox/firing.h"
#include "sandbox/post.h"
#include "sandbox/server.h"
#include "sandbox/state.h"

#define MOST_SEEN 64

struct seen {
	char *path; /* with the query */
	char *auth; /* NULL: none, as the next */
	char *key;  /* X-Key */
	char *retries;
	char *body;
};

struct world {
	struct loop *loop;
	struct evhttp *http;
	int port;
	struct poster *poster;
	struct seen seen[MOST_SEEN];
	size_t seen_count;
	size_t until; /* the loop ends with that many */
	struct post_end end;
	bool ended;
	struct state state;
};

static char *
copy_of(const char *text)
{
	return text != NULL ? mem_string(text) : NULL;
}

/* "/status/302/LOCATION" answers so, all else 200; "/down/N" redirects to "/down/N-1". */
static void
on_request(struct evhttp_request *request, void *ctx)
{
	struct world *world = ctx;
	struct evkeyvalq *in = evhttp_request_get_input_headers(request);
	struct evkeyvalq *out = evhttp_request_get_output_headers(request);
	struct evbuffer *body = evhttp_request_get_input_buffer(request);
	const char *path = evhttp_request_get_uri(request);
	struct seen *seen;
	char to[64];
	int status = 200, n;

	assert_true(world->seen_count < MOST_SEEN);
	seen = &world->seen[world->seen_count++];
	seen->path = mem_string(path);
	seen->auth = copy_of(evhttp_find_header(in, "Authorization"));
	seen->key = copy_of(evhttp_find_header(in, "X-Key"));
	seen->retries = copy_of(evhttp_find_header(in, "X-PM-Retries-Remaining"));
	seen->body = mem_bytes(evbuffer_pullup(body, -1), evbuffer_get_length(body));
	if (sscanf(path, "/down/%d", &n) == 1 && n > 0) {
		status = 302;
		snprintf(to, sizeof(to), "/down/%d", n - 1);
		evhttp_add_header(out, "Location", to);
	} else if (sscanf(path, "/status/%d", &status) == 1 && strlen(path) > 12) {
		evhttp_add_header(out, "Location", path + 12);
	}
	evhttp_send_reply(request, status, "x", NULL);
	if (world->seen_count == world->until)
		loop_stop(world->loop);
}

static void
forget(struct world *world)
{
	for (size_t i = 0; i < world->seen_count; i++) {
		free(world->seen[i].path);
		free(world->seen[i].auth);
		free(world->seen[i].key);
		free(world->seen[i].retries);
		free(world->seen[i].body);
	}
	memset(world->seen, 0, sizeof(world->seen));
	world->seen_count = world->until = 0;
}

static int
set_up(void **state)
{
	struct world *world = mem_new(sizeof(*world));
	struct evhttp_bound_socket *bound;
	struct sockaddr_in address;
	socklen_t len = sizeof(address);

	world->loop = loop_new();
	world->http = evhttp_new(loop_base(world->loop));
	evhttp_set_gencb(world->http, on_request, world);
	bound = evhttp_bind_socket_with_handle(world->http, "127.0.0.1", 0);
	assert_non_null(bound);
	assert_int_equal(
	    getsockname(evhttp_bound_socket_get_fd(bound), (struct sockaddr *)&address, &len), 0);
	world->port = ntohs(address.sin_port);
	world->poster = poster_new(world->loop);
	assert_non_null(world->poster);
	state_init(&world->state, 10, 1 << 20);
	world->state.poster = world->poster;
	world->state.firing = firing_new(world->loop, &world->state, world->poster);
	*state = world;
	return 0;
}

static int
tear_down(void **state)
{
	struct world *world = *state;

	forget(world);
	firing_free(&world->state.firing);
	poster_free(&world->poster);
	state_deinit(&world->state);
	evhttp_free(world->http);
	loop_free(&world->loop);
	free(world);
	return 0;
}

/* ---- posts ---- */

static void
on_end(void *ctx, const struct post_end *end)
{
	struct world *world = ctx;

	assert_false(world->ended);
	world->ended = true;
	world->end = *end;
	loop_stop(world->loop);
}

/* url has %d for the port. */
static void
post_to(struct world *world, const char *url, struct post_params params)
{
	char *text = NULL;
	struct post *post;
	const char *mark = strstr(url, "%d");

	text = mark != NULL ? mem_format("%.*s%d%s", (int)(mark - url), url, world->port, mark + 2)
			    : mem_string(url);
	params.poster = world->poster;
	params.url = text;
	params.body = params.body != NULL ? params.body : "{}";
	params.len = strlen(params.body);
	params.timeout_ms = 5000;
	params.retries_remaining = -1;
	params.done = on_end;
	params.ctx = world;
	world->ended = false;
	post = post_new(&params);
	free(text);
	assert_false(world->ended); /* never within the call */
	loop_run(world->loop);
	assert_true(world->ended);
	post_free(&post);
}

static void
authenticates(void **state)
{
	/* base64 of u:p, a@b:c, u:, u:px, a@b:cx */
	static const struct {
		const char *user_info;
		const char *auth;
		enum post_spoil spoil;
		const char *sent; /* NULL: nothing */
		const char *key;
		const char *path;
	} cases[] = {
		{ "", NULL, POST_RIGHT, NULL, "k", "/p?q=1" },
		{ "", "{\"Username\":\"u\",\"Password\":\"p\"}", POST_RIGHT, "Basic dTpw", "k",
		    "/p?q=1" },
		{ "a%40b:c@", NULL, POST_RIGHT, "Basic YUBiOmM=", "k", "/p?q=1" },
		{ "a%40b:c@", "{\"Username\":\"u\",\"Password\":\"p\"}", POST_RIGHT, "Basic dTpw",
		    "k", "/p?q=1" },
		{ "u@", NULL, POST_RIGHT, "Basic dTo=", "k", "/p?q=1" },
		{ "", "{\"Username\":\"u\",\"Password\":\"p\"}", POST_WRONG_PASSWORD,
		    "Basic dTpweA==", "kx", "/p?q=1" },
		{ "a%40b:c@", NULL, POST_WRONG_PASSWORD, "Basic YUBiOmN4", "kx", "/p?q=1" },
		{ "a%40b:c@", "{\"Username\":\"u\",\"Password\":\"p\"}", POST_NO_AUTH, NULL, NULL,
		    "/p?q=1" },
		{ "u:p@", NULL, POST_WRONG_PATH, "Basic dTpw", "k", "/px?q=1" },
	};
	struct world *world = *state;
	json_t *headers = json_pack("[{s:s, s:s}]", "Name", "X-Key", "Value", "k");

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *auth = cases[i].auth != NULL ? json_loads(cases[i].auth, 0, NULL) : NULL;
		char *url =
		    mem_format("http://%s127.0.0.1:%d/p?q=1", cases[i].user_info, world->port);
		const struct seen *seen = world->seen;

		post_to(world, url,
		    (struct post_params){
			.auth = auth, .headers = headers, .spoil = cases[i].spoil });
		assert_int_equal(world->end.status, 200);
		if ((seen->auth == NULL) != (cases[i].sent == NULL) ||
		    (seen->auth != NULL && strcmp(seen->auth, cases[i].sent) != 0))
			fail_msg("case %zu: %s", i, seen->auth);
		if ((seen->key == NULL) != (cases[i].key == NULL) ||
		    (seen->key != NULL && strcmp(seen->key, cases[i].key) != 0))
			fail_msg("case %zu: key %s", i, seen->key);
		assert_string_equal(seen->path, cases[i].path);
		assert_string_equal(seen->body, "{}");
		assert_null(seen->retries);
		forget(world);
		free(url);
		json_decref(auth);
	}
	json_decref(headers);
}

static void
follows(void **state)
{
	static const struct {
		const char *path;
		unsigned most;
		int status;
		size_t posts;
	} cases[] = {
		{ "/down/0", 10, 200, 1 },
		{ "/down/1", 10, 200, 2 },
		{ "/down/10", 10, 200, 11 },
		{ "/down/11", 10, 302, 11 }, /* the last is not followed */
		{ "/down/1", 0, 302, 1 },
		{ "/status/302", 10, 302, 1 },                         /* nowhere */
		{ "/status/302/https://relay.example/x", 10, 302, 1 }, /* into the world */
		{ "/status/302///relay.example/x", 10, 302, 1 },       /* the same */
		{ "/status/200/http://127.0.0.1/", 10, 200, 1 },       /* is none */
		{ "/status/500", 10, 500, 1 },
	};
	struct world *world = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *url = mem_format("http://u:p@127.0.0.1:%d%s", world->port, cases[i].path);

		post_to(world, url,
		    (struct post_params){ .redirects = cases[i].most, .body = "{\"a\":1}" });
		if (world->end.status != cases[i].status || world->seen_count != cases[i].posts)
			fail_msg("%s: %d after %zu posts", cases[i].path, world->end.status,
			    world->seen_count);
		for (size_t j = 0; j < world->seen_count; j++) {
			assert_string_equal(world->seen[j].body, "{\"a\":1}");
			assert_string_equal(world->seen[j].auth, "Basic dTpw");
		}
		forget(world);
		free(url);
	}
}

static void
stays_at_home(void **state)
{
	static const struct {
		const char *url;
		bool reaches;
	} cases[] = {
		{ "http://127.0.0.1/", true },
		{ "http://127.9.9.9:80/x", true },
		{ "https://localhost:8443/x", true },
		{ "http://LOCALHOST/", true },
		{ "http://[::1]:80/", true },
		{ "http://u:p@127.0.0.1/", true },
		{ "http://127.0.0.1@relay.example/", false },
		{ "http://127.0.0.1.relay.example/", false },
		{ "http://localhost.relay.example/", false },
		{ "http://10.0.0.1/", false },
		{ "http://[::ffff:10.0.0.1]/", false },
		{ "http://[2001:db8::1]/", false },
		{ "http://0.0.0.0/", false },
		{ "https://relay.example/", false },
		{ "", false },
		{ "nonsense", false },
		{ "http://", false },
	};
	struct world *world = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (post_reaches(cases[i].url) != cases[i].reaches)
			fail_msg("%s", cases[i].url);
		if (cases[i].reaches)
			continue;
		post_to(world, cases[i].url, (struct post_params){ 0 });
		assert_int_equal(world->end.status, 0);
		assert_non_null(world->end.why);
	}
	assert_int_equal(world->seen_count, 0);
}

/* ---- the queue ---- */

static struct webhook *
add_webhook(struct world *world, const char *path)
{
	struct server *server = account_add_server(&world->state.account, "s");
	char *url = mem_format("http://127.0.0.1:%d%s", world->port, path);
	json_t *shown = json_pack("{s:s, s:s, s:s, s:{s:{s:b}}}", "Url", url, "MessageStream",
	    "outbound", "Status", "verified", "Triggers", "Delivery", "Enabled", 1);

	free(url);
	return webhooks_add(server->webhooks, 7, shown);
}

static void
add_event(struct world *world, const char *body, bool at_once)
{
	firing_add(world->state.firing, &(struct firing_event){
					    .kind = "Delivery",
					    .trigger = WEBHOOK_DELIVERY,
					    .server = 1,
					    .webhook = 7,
					    .body = mem_string(body),
					    .at_once = at_once,
					});
}

static void
wait_for(struct world *world, size_t posts)
{
	world->until = posts;
	if (world->seen_count < posts)
		loop_run(world->loop);
}

static int64_t
count_of(struct world *world, const char *key)
{
	json_t *counts = firing_counts_json(world->state.firing);
	int64_t count = json_integer_value(json_object_get(counts, key));

	json_decref(counts);
	return count;
}

static void
posts_in_order(void **state)
{
	struct world *world = *state;

	(void)add_webhook(world, "/x");
	world->state.event_settings.parallel = 1;
	world->state.event_settings.delay_ms = 3600000;
	add_event(world, "{\"n\":1}", false);
	add_event(world, "{\"n\":2}", false);
	world->state.event_settings.delay_ms = 0;
	add_event(world, "{\"n\":3}", false);
	add_event(world, "{\"n\":4}", false);
	assert_int_equal(firing_pending(world->state.firing), 4);
	wait_for(world, 2);
	assert_string_equal(world->seen[0].body, "{\"n\":3}");
	assert_string_equal(world->seen[1].body, "{\"n\":4}");
	assert_string_equal(world->seen[0].retries, "6");
	firing_hurry(world->state.firing);
	wait_for(world, 4);
	assert_string_equal(world->seen[2].body, "{\"n\":1}");
	assert_string_equal(world->seen[3].body, "{\"n\":2}");
}

static void
forgets(void **state)
{
	struct world *world = *state;

	(void)add_webhook(world, "/x");
	add_event(world, "{}", false);
	add_event(world, "{}", true);
	firing_clear(world->state.firing);
	assert_int_equal(firing_pending(world->state.firing), 0);
	assert_int_equal(count_of(world, "events"), 0);
	/* What was under way is not heard of again. */
	add_event(world, "{\"n\":1}", true);
	wait_for(world, 1);
	firing_clear(world->state.firing);
	add_event(world, "{\"n\":2}", true);
	wait_for(world, 2);
	assert_string_equal(world->seen[1].body, "{\"n\":2}");
	/* Nobody fires. */
	firing_add(NULL, &(struct firing_event){ .body = mem_string("x") });
}

static void
repeats_by_the_table(void **state)
{
	struct world *world = *state;
	struct webhook *webhook = add_webhook(world, "/status/503");

	world->state.event_settings.webhook_speed = 1000000;
	add_event(world, "{}", true);
	wait_for(world, 7);
	for (size_t i = 0; i < 7; i++)
		assert_int_equal(atoi(world->seen[i].retries), 6 - (int)i);
	while (firing_pending(world->state.firing) > 0)
		event_base_loop(loop_base(world->loop), EVLOOP_ONCE);
	assert_int_equal(count_of(world, "dropped"), 1);
	assert_int_equal(count_of(world, "retried"), 6);
	assert_int_equal(webhook->posts[WEBHOOK_DELIVERY], 7);
	assert_int_equal(webhook->successes[WEBHOOK_DELIVERY], 0);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(authenticates),
		TEST(follows),
		TEST(stays_at_home),
		TEST(posts_in_order),
		TEST(forgets),
		TEST(repeats_by_the_table),
	};

	log_setup("firing", LOG_LEVEL_ERROR, LOG_FORMAT_TEXT, STDERR_FILENO);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
