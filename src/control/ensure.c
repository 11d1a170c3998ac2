/*
 * Webhooks of this instance made, mended and removed as ensure_plan.c says.  Secrets are kept, and
 * the fronts know them, before Postmark hears of them: it posts probes before it answers.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/strlist.h"
#include "base/base64.h"
#include "base/text.h"
#include "config/config.h"
#include "mail/hook.h"
#include "operations/operation.h"
#include "postmark/client.h"

#include "control/ensure_plan.h"
#include "control/inside.h"

#define SECRET_BYTES (ENSURE_SECRET_LETTERS / 4 * 3)
#define HOOK_USER    "pmrelay"
#define INBOUND      "inbound"

struct ensure {
	bool creates; /* only what is missing */
	bool dry, rotate, verify, takes_inbound;
	json_t *triggers;
	char *only_stream; /* NULL: each in use */
	struct strlist connections;
	size_t connection; /* the next one, from 1 on the present one's number */
	struct strlist streams;
	struct hook *hooks;
	size_t hook_count;
	json_t *webhooks;
	struct ensure_step *steps;
	size_t step_count, step;
	struct strlist broken; /* streams whose webhook could not be made or mended */
	bool fresh;            /* the step's secrets were made by it */
	struct ensure_inbound inbound;
	char *inbound_url; /* that is not ours, as it may be shown; NULL: it is */
	json_t *rows;
	size_t failed;
};

static void next_connection(struct request *);
static void next_step(struct request *);
static void look_inbound(struct request *);

/* --- streams in use --------------------------------------------------------------------------- */

void
streams_in_use(
    const struct config *config, const struct connection *connection, struct strlist *streams_r)
{
	const char *own = connection->message_stream;

	if (own[0] != '\0' && !strlist_has(streams_r, own))
		strlist_add(streams_r, own);
	for (size_t i = 0; i < config->route_count; i++) {
		const struct route *route = &config->routes[i];
		const char *stream = route->message_stream[0] != '\0' ? route->message_stream : own;

		if (config_connection(config, route->connection) == connection && !route->sandbox &&
		    !route->capture && stream[0] != '\0' && !strlist_has(streams_r, stream))
			strlist_add(streams_r, stream);
	}
}

/* Where mails that come in are taken: the server's InboundHookUrl is ours, too. */
static bool
wants_inbound(const struct config *config)
{
	return config->inbound_deliver[0] != '\0';
}

/* --- what is wanted --------------------------------------------------------------------------- */

static const struct {
	const char *name, *remote, *flag;
} triggers[] = {
	{ "open", "Open", "PostFirstOpenOnly" },
	{ "click", "Click", NULL },
	{ "delivery", "Delivery", NULL },
	{ "bounce", "Bounce", "IncludeContent" },
	{ "complaint", "SpamComplaint", "IncludeContent" },
	{ "subscription", "SubscriptionChange", NULL },
};

static json_t *
triggers_wanted(const struct config *config)
{
	json_t *all = json_object();

	for (size_t i = 0; i < sizeof(triggers) / sizeof(triggers[0]); i++) {
		bool on = strlist_has(&config->webhook_triggers, triggers[i].name);
		json_t *one = json_pack("{s:b}", "Enabled", on);

		if (triggers[i].flag != NULL)
			json_object_set_new(one, triggers[i].flag, json_false());
		json_object_set_new(all, triggers[i].remote, one);
	}
	return all;
}

/* On a PUT only what is wanted is named: what else is on stays on. */
static json_t *
triggers_on(const json_t *wanted)
{
	json_t *on = json_object(), *each;
	const char *name;

	json_object_foreach((json_t *)wanted, name, each)
	{
		if (json_is_true(json_object_get(each, "Enabled")))
			json_object_set_new(on, name, json_pack("{s:b}", "Enabled", 1));
	}
	return on;
}

/* --- secrets ---------------------------------------------------------------------------------- */

static char *
random_text(void)
{
	char bytes[SECRET_BYTES];
	char *text;

	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return NULL;
	text = base64_encode(bytes, sizeof(bytes));
	secret_wipe(bytes, sizeof(bytes));
	for (char *c = text; *c != '\0'; c++)
		*c = *c == '+' ? '-' : *c == '/' ? '_' : *c;
	return text;
}

/* -1: there is no randomness. */
static int
add_hook(struct ensure *e, const char *connection, const char *stream)
{
	struct hook hook = { .path = random_text(), .password = random_text() };

	if (hook.path == NULL || hook.password == NULL) {
		hook_deinit(&hook);
		return -1;
	}
	hook.connection = mem_string(connection);
	hook.stream = mem_string(stream);
	hook.user = mem_string(HOOK_USER);
	hook.made_ms = clock_wall_ms();
	e->hooks = mem_resize(e->hooks, e->hook_count + 1, sizeof(*e->hooks));
	e->hooks[e->hook_count] = hook;
	return (int)e->hook_count++;
}

static void
ask_set(struct request *r, const struct hook *hook, request_asked_fn *done)
{
	struct ask *ask = request_ask_new(r, ASK_HOOK_SET, done);

	ask->hooks.list = mem_array(1, sizeof(*ask->hooks.list));
	ask->hooks.count = 1;
	hook_copy(ask->hooks.list, hook);
	request_ask(r, ask);
}

static void
ask_drop(struct request *r, const char *path, request_asked_fn *done)
{
	struct ask *ask = request_ask_new(r, ASK_HOOKS_DROP, done);

	strlist_add(&ask->hooks.paths, path);
	request_ask(r, ask);
}

/* --- rows ------------------------------------------------------------------------------------- */

static const char *
connection_name(const struct ensure *e)
{
	return e->connections.items[e->connection - 1];
}

static void
show_row(struct request *r, const char *stream, int64_t id, const char *wrong, const char *done,
    bool failed)
{
	struct ensure *e = r->work;

	e->failed += failed;
	json_array_append_new(
	    e->rows, json_pack("{s:s, s:s, s:o, s:s, s:s, s:b}", "Connection", connection_name(e),
			 "MessageStream", stream, "ID", id != 0 ? json_integer(id) : json_null(),
			 "Wrong", wrong, "Done", done, "Failed", failed));
}

static void
add_row(struct request *r, const char *stream, int64_t id, const char *wrong, const char *done,
    bool failed)
{
	const struct ensure *e = r->work;

	show_row(r, stream, id, wrong, done, failed);
	if (failed)
		log_warning("webhook", log_str("connection", connection_name(e)),
		    log_str("stream", stream), log_num("webhook", id), log_str("why", wrong),
		    log_str("done", done));
	else if (!e->dry && wrong[0] != '\0')
		log_info("webhook", log_str("connection", connection_name(e)),
		    log_str("stream", stream), log_num("webhook", id), log_str("why", wrong),
		    log_str("done", done), log_str("by", r->who));
}

static void
step_row(struct request *r, const char *done, bool failed)
{
	struct ensure *e = r->work;
	const struct ensure_step *step = &e->steps[e->step];

	add_row(r, step->stream, step->id, step->wrong, done, failed);
}

/* Why Postmark did not, for people; "" when it did.  lost: it may have: it said that it did, and
 * what else it said cannot be read, or there is no saying. */
static void
judge(
    const struct postmark_answer *answer, const json_t *json, char *out, size_t size, bool *lost_r)
{
	const char *message = json_string_value(json_object_get(json, "Message"));

	*lost_r =
	    answer->end == POSTMARK_LOST || answer->status >= 500 || answer->status / 100 == 2;
	out[0] = '\0';
	if (answer->end != POSTMARK_ANSWERED)
		snprintf(out, size, "failed: no answer from Postmark: %s", answer->error);
	else if (answer->cut)
		snprintf(out, size, "failed: Postmark's answer is too long");
	else if (answer->status != 200 && message != NULL)
		snprintf(out, size, "failed: %s", message);
	else if (answer->status != 200)
		snprintf(out, size, "failed: Postmark answered HTTP %d", answer->status);
	else if (json == NULL)
		snprintf(out, size, "failed: Postmark's answer is no JSON");
}

/* --- a step ----------------------------------------------------------------------------------- */

static void
step_end(struct request *r)
{
	struct ensure *e = r->work;

	e->step++;
	next_step(r);
}

static void
asked_last(struct request *r, struct ask *ask)
{
	(void)ask;
	step_end(r);
}

/* Secrets that the webhook has no longer: posts with them may be on their way. */
static void
end_old(struct request *r)
{
	struct ensure *e = r->work;
	const struct ensure_step *step = &e->steps[e->step];

	if (step->old < 0) {
		step_end(r);
		return;
	}
	e->hooks[step->old].ends_ms = clock_wall_ms() + ENSURE_OLD_MS;
	ask_set(r, &e->hooks[step->old], asked_last);
}

static void
kept_with_id(struct request *r, struct ask *ask)
{
	(void)ask;
	end_old(r);
}

static void
sent(struct request *r, const struct postmark_answer *answer, json_t *json, void *ctx)
{
	struct ensure *e = r->work;
	struct ensure_step *step = &e->steps[e->step];
	bool lost, made = step->what == ENSURE_MAKE;
	char why[400];

	(void)ctx;
	judge(answer, json, why, sizeof(why), &lost);
	if (why[0] != '\0') {
		step_row(r, why, true);
		strlist_add(&e->broken, step->stream);
		/* What may have been made is found by its secrets the next time. */
		if (e->fresh && !lost)
			ask_drop(r, e->hooks[step->hook].path, asked_last);
		else
			step_end(r);
		return;
	}
	if (made)
		step->id = (int64_t)json_integer_value(json_object_get(json, "ID"));
	step_row(r, made ? "made" : "mended", false);
	e->hooks[step->hook].webhook_id = step->id;
	ask_set(r, &e->hooks[step->hook], kept_with_id);
}

static void
submit_step(struct request *r)
{
	struct ensure *e = r->work;
	const struct ensure_step *step = &e->steps[e->step];
	const struct hook *hook = &e->hooks[step->hook];
	const struct connection *connection =
	    config_connection(r->control->config, connection_name(e));
	bool makes = step->what == ENSURE_MAKE;
	struct remote_call call = { .method = makes ? "POST" : "PUT" };
	char *url = ensure_url(r->control->config->webhook_public_url, hook->path);
	char *path =
	    makes ? mem_string("/webhooks") : mem_format("/webhooks/%lld", (long long)step->id);
	json_t *body = json_pack("{s:s, s:{s:s, s:s}, s:o, s:b}", "Url", url, "HttpAuth",
	    "Username", hook->user, "Password", hook->password, "Triggers",
	    makes ? json_incref(e->triggers) : triggers_on(e->triggers), "Verify", e->verify);

	if (makes)
		json_object_set_new(body, "MessageStream", json_string(step->stream));
	call.path = path;
	call.body = body;
	if (connection == NULL)
		request_fail(r, 503, "reloaded", "ask again", "the connection is gone");
	else
		remote_submit(r, connection, &call, sent, NULL);
	json_decref(body);
	free(path);
	free(url);
}

static void
kept(struct request *r, struct ask *ask)
{
	(void)ask;
	submit_step(r);
}

static void
removed(struct request *r, const struct postmark_answer *answer, json_t *json, void *ctx)
{
	bool lost;
	char why[400];

	(void)ctx;
	judge(answer, json, why, sizeof(why), &lost);
	if (why[0] != '\0' && !webhook_is_gone(answer, json)) {
		step_row(r, why, true);
		step_end(r);
		return;
	}
	step_row(r, "deleted", false);
	end_old(r);
}

static void
do_step(struct request *r)
{
	struct ensure *e = r->work;
	struct ensure_step *step = &e->steps[e->step];
	const struct connection *connection =
	    config_connection(r->control->config, connection_name(e));
	struct remote_call call = { .method = "DELETE" };
	char *path;

	switch (step->what) {
	case ENSURE_MAKE:
	case ENSURE_MEND:
		e->fresh = step->hook < 0;
		if (e->fresh)
			step->hook = add_hook(e, connection_name(e), step->stream);
		if (step->hook < 0) {
			request_fail(r, 500, "core", NULL, "the system has no random bytes");
			return;
		}
		if (e->fresh)
			ask_set(r, &e->hooks[step->hook], kept);
		else
			submit_step(r);
		return;
	case ENSURE_REMOVE:
		if (connection == NULL) {
			request_fail(r, 503, "reloaded", "ask again", "the connection is gone");
			return;
		}
		path = mem_format("/webhooks/%lld", (long long)step->id);
		call.path = path;
		remote_submit(r, connection, &call, removed, NULL);
		free(path);
		return;
	case ENSURE_FORGET:
		step_row(r, "forgotten", false);
		if (step->drops)
			ask_drop(r, e->hooks[step->old].path, asked_last);
		else
			end_old(r);
		return;
	case ENSURE_FINE:
	case ENSURE_LEAVE:
		break;
	}
	/* Fine, but for the number of it. */
	e->hooks[step->hook].webhook_id = step->id;
	ask_set(r, &e->hooks[step->hook], asked_last);
}

static const char *
would(enum ensure_do what)
{
	switch (what) {
	case ENSURE_MAKE:
		return "would be made";
	case ENSURE_MEND:
		return "would be mended";
	case ENSURE_REMOVE:
		return "would be deleted";
	case ENSURE_FORGET:
		return "would be forgotten";
	case ENSURE_FINE:
	case ENSURE_LEAVE:
		break;
	}
	return "";
}

static void
next_step(struct request *r)
{
	struct ensure *e = r->work;

	for (; e->step < e->step_count; e->step++) {
		const struct ensure_step *step = &e->steps[e->step];
		bool quiet = step->what == ENSURE_FINE || step->what == ENSURE_LEAVE;

		if (e->creates && step->what != ENSURE_MAKE) {
			if (quiet || step->what == ENSURE_MEND)
				step_row(r, "is there: webhook ensure mends", false);
			continue;
		}
		/* It may be the one that works. */
		if (step->what == ENSURE_REMOVE && strlist_has(&e->broken, step->stream)) {
			step_row(r, "kept, for the other one is not mended", false);
			continue;
		}
		if (quiet || e->dry)
			step_row(r, quiet ? "" : would(step->what), false);
		if (e->dry || (quiet && !(step->what == ENSURE_FINE && step->adopts)))
			continue;
		do_step(r);
		return;
	}
	look_inbound(r);
}

/* Without webhooks, which are Postmark's. */
static struct ensure_input
input_of(const struct request *r)
{
	const struct ensure *e = r->work;
	const struct config *config = r->control->config;

	return (struct ensure_input){ .public_url = config->webhook_public_url,
		.manual_secret =
		    config->webhook_secret != NULL ? secret_text(config->webhook_secret) : NULL,
		.connection = connection_name(e),
		.streams = &e->streams,
		.hooks = e->hooks,
		.hook_count = e->hook_count,
		.triggers = e->triggers,
		.now_ms = clock_wall_ms(),
		.rotate = e->rotate,
		.partial = e->only_stream != NULL };
}

/* --- mails that come in ----------------------------------------------------------------------- */

/* Of one that is not ours people see what "server get" shows; the log has its host alone, for the
 * path may be a secret. */
static void
inbound_row(struct request *r, const char *done, bool failed)
{
	const struct ensure *e = r->work;
	const char *url = e->inbound_url, *host;
	char *wrong, *shown;

	if (url == NULL) {
		add_row(r, INBOUND, 0, e->inbound.wrong, done, failed);
		return;
	}
	host = strstr(url, "://");
	host = host != NULL ? host + 3 : url;
	shown = mem_format("%.*s", (int)(host - url + (ptrdiff_t)strcspn(host, "/?#")), url);
	wrong = mem_format("%s: %s", e->inbound.wrong, url);
	show_row(r, INBOUND, 0, wrong, done, failed);
	if (!e->dry)
		log_warning("webhook", log_str("connection", connection_name(e)),
		    log_str("stream", INBOUND), log_str("why", e->inbound.wrong),
		    log_str("url", shown), log_str("done", done), log_str("by", r->who));
	free(wrong);
	free(shown);
}

/* All others of that connection are old now. */
static void
inbound_retire(struct request *r, struct ask *ask)
{
	struct ensure *e = r->work;

	(void)ask;
	for (size_t i = 0; i < e->hook_count; i++) {
		if ((int)i == e->inbound.hook ||
		    !ensure_is_inbound(&e->hooks[i], connection_name(e)))
			continue;
		e->hooks[i].ends_ms = clock_wall_ms() + ENSURE_OLD_MS;
		ask_set(r, &e->hooks[i], inbound_retire);
		return;
	}
	next_connection(r);
}

static void
inbound_dropped(struct request *r, struct ask *ask)
{
	(void)ask;
	next_connection(r);
}

static void
inbound_set(struct request *r, const struct postmark_answer *answer, json_t *json, void *ctx)
{
	struct ensure *e = r->work;
	bool lost;
	char why[400];

	(void)ctx;
	judge(answer, json, why, sizeof(why), &lost);
	if (why[0] == '\0') {
		inbound_row(r, e->inbound_url != NULL ? "taken over" : "mended", false);
		inbound_retire(r, NULL);
		return;
	}
	inbound_row(r, why, true);
	/* What may have been set is found by its secrets the next time. */
	if (e->fresh && !lost)
		ask_drop(r, e->hooks[e->inbound.hook].path, inbound_dropped);
	else
		next_connection(r);
}

static void
inbound_put(struct request *r)
{
	struct ensure *e = r->work;
	const struct config *config = r->control->config;
	const struct connection *connection = config_connection(config, connection_name(e));
	char *url = ensure_inbound_url(config->webhook_public_url, &e->hooks[e->inbound.hook]);
	json_t *body = json_pack("{s:s}", "InboundHookUrl", url);
	const struct remote_call call = { .method = "PUT", .path = "/server", .body = body };

	if (connection == NULL)
		request_fail(r, 503, "reloaded", "ask again", "the connection is gone");
	else
		remote_submit(r, connection, &call, inbound_set, NULL);
	json_decref(body);
	free(url);
}

static void
inbound_kept(struct request *r, struct ask *ask)
{
	(void)ask;
	inbound_put(r);
}

static void
inbound_mend(struct request *r)
{
	struct ensure *e = r->work;

	e->fresh = e->inbound.hook < 0;
	if (e->fresh)
		e->inbound.hook = add_hook(e, connection_name(e), INBOUND);
	if (e->inbound.hook < 0)
		request_fail(r, 500, "core", NULL, "the system has no random bytes");
	else if (e->fresh)
		ask_set(r, &e->hooks[e->inbound.hook], inbound_kept);
	else
		inbound_put(r);
}

static void
inbound_seen(struct request *r, const struct postmark_answer *answer, json_t *json, void *ctx)
{
	struct ensure *e = r->work;
	const char *url = json_string_value(json_object_get(json, "InboundHookUrl"));
	struct ensure_input input = input_of(r);
	bool lost;
	char why[400];

	(void)ctx;
	judge(answer, json, why, sizeof(why), &lost);
	if (why[0] != '\0') {
		add_row(r, INBOUND, 0, "", why, true);
		next_connection(r);
		return;
	}
	e->inbound = ensure_inbound_plan(&input, url != NULL ? url : "", e->takes_inbound);
	free(e->inbound_url);
	e->inbound_url = e->inbound.others
			     ? remote_masked_url(url, r->control->config->webhook_public_url)
			     : NULL;
	if (e->inbound.what == ENSURE_LEAVE) {
		inbound_row(r, "left alone: --inbound take replaces it", false);
		next_connection(r);
	} else if (e->inbound.what == ENSURE_MEND && !e->dry) {
		inbound_mend(r);
	} else {
		inbound_row(r,
		    e->inbound.what == ENSURE_FINE ? ""
		    : e->inbound.others            ? "would be taken over"
						   : "would be mended",
		    false);
		/* A change may have been done without an answer. */
		if (e->inbound.what == ENSURE_FINE && e->inbound.hook >= 0 && !e->dry)
			inbound_retire(r, NULL);
		else
			next_connection(r);
	}
}

static void
look_inbound(struct request *r)
{
	struct ensure *e = r->work;
	const struct connection *connection =
	    config_connection(r->control->config, connection_name(e));
	const struct remote_call call = { .method = "GET", .path = "/server" };

	if (e->creates || e->only_stream != NULL || connection == NULL ||
	    !wants_inbound(r->control->config))
		next_connection(r);
	else
		remote_submit(r, connection, &call, inbound_seen, NULL);
}

/* --- a connection ----------------------------------------------------------------------------- */

static void
listed(struct request *r, const struct postmark_answer *answer, json_t *json, void *ctx)
{
	struct ensure *e = r->work;
	struct ensure_input input = input_of(r);
	bool lost;
	char why[400];

	(void)ctx;
	judge(answer, json, why, sizeof(why), &lost);
	if (why[0] != '\0') {
		add_row(r, "", 0, "", why, true);
		next_connection(r);
		return;
	}
	input.webhooks = json_object_get(json, "Webhooks");
	strlist_free(&e->broken);
	ensure_steps_free(e->steps, e->step_count);
	e->steps = ensure_plan(&input, &e->step_count);
	e->step = 0;
	next_step(r);
}

static void
finish(struct request *r)
{
	struct ensure *e = r->work;
	const struct config *config = r->control->config;
	json_t *answer =
	    json_pack("{s:O, s:I}", "Webhooks", e->rows, "Failed", (json_int_t)e->failed);

	if (!strlist_has(&config->webhook_triggers, "bounce") ||
	    !strlist_has(&config->webhook_triggers, "complaint") ||
	    !strlist_has(&config->webhook_triggers, "subscription"))
		json_object_set_new(answer, "Hint",
		    json_string("bounces, complaints and suppressed addresses are told of with "
				"bounce, complaint and subscription among the triggers of section "
				"webhook"));
	request_answer(r, answer);
}

/* Of a server: of each connection that has its token. */
static void
streams_of_server(
    const struct config *config, const struct connection *first, struct strlist *streams_r)
{
	const struct connection *connection;

	for (size_t i = 0; (connection = config_connection_at(config, i)) != NULL; i++)
		if (config_connection_first(config, connection) == first)
			streams_in_use(config, connection, streams_r);
}

/* Another one has the same server, and so the same webhooks: each would take those of the other
 * for its own. */
static bool
is_anothers(struct request *r, const struct connection *connection)
{
	const struct connection *first = config_connection_first(r->control->config, connection);
	char *wrong;

	if (first == connection)
		return false;
	wrong = mem_format("the server token of connection %s", first->name);
	show_row(r, "", 0, wrong, "left to that connection", false);
	free(wrong);
	return true;
}

static void
next_connection(struct request *r)
{
	struct ensure *e = r->work;
	const struct config *config = r->control->config;
	const struct remote_call call = { .method = "GET", .path = "/webhooks" };

	while (e->connection < e->connections.count) {
		const struct connection *connection =
		    config_connection(config, e->connections.items[e->connection++]);

		if (connection == NULL || connection->server_token == NULL ||
		    is_anothers(r, connection))
			continue;
		strlist_free(&e->streams);
		if (e->only_stream != NULL)
			strlist_add(&e->streams, e->only_stream);
		else
			streams_of_server(config, connection, &e->streams);
		remote_submit(r, connection, &call, listed, NULL);
		return;
	}
	finish(r);
}

static void
got_hooks(struct request *r, struct ask *ask)
{
	struct ensure *e = r->work;

	e->hooks = ask->hooks.list;
	e->hook_count = ask->hooks.count;
	ask->hooks.list = NULL;
	ask->hooks.count = 0;
	next_connection(r);
}

/* --- the beginning ---------------------------------------------------------------------------- */

static void
ensure_free(void *work)
{
	struct ensure *e = work;

	json_decref(e->triggers);
	json_decref(e->webhooks);
	json_decref(e->rows);
	strlist_free(&e->connections);
	strlist_free(&e->streams);
	strlist_free(&e->broken);
	hook_list_free(e->hooks, e->hook_count);
	ensure_steps_free(e->steps, e->step_count);
	free(e->only_stream);
	free(e->inbound_url);
	free(e);
}

/* Those that were asked for, else all that have a token.  false after request_fail(). */
static bool
choose_connections(struct request *r, struct strlist *names_r)
{
	const struct connection *connection;

	if (value_given(r, "connection")) {
		connection = request_connection(r);
		if (connection == NULL || remote_token(r, connection, false) == NULL)
			return false;
		strlist_add(names_r, connection->name);
		return true;
	}
	for (size_t i = 0; (connection = config_connection_at(r->control->config, i)) != NULL; i++)
		if (connection->server_token != NULL)
			strlist_add(names_r, connection->name);
	if (names_r->count == 0)
		request_fail(r, 409, "token", "set token-file in the configuration and reload",
		    "no connection has a server token");
	return names_r->count > 0;
}

static void
begin(struct request *r, bool creates, const json_t *wanted)
{
	struct ensure *e = mem_new(sizeof(*e));

	r->work = e;
	r->work_free = ensure_free;
	e->creates = creates;
	e->rows = json_array();
	e->dry = value_true(r, "dry-run");
	e->rotate = value_true(r, "rotate");
	e->takes_inbound =
	    value_given(r, "inbound") && strcmp(value_string(r, "inbound"), "take") == 0;
	e->verify = !value_given(r, "verify") || value_true(r, "verify");
	e->triggers = wanted != NULL ? json_deep_copy(wanted) : triggers_wanted(r->control->config);
	if (value_given(r, "stream"))
		e->only_stream = mem_string(value_string(r, "stream"));
	if (r->control->config->webhook_public_url[0] == '\0') {
		request_fail(r, 409, "public-url",
		    "set public-url in section webhook: where Postmark reaches this relay",
		    "the configuration does not say where webhooks reach this relay");
		return;
	}
	if (!choose_connections(r, &e->connections))
		return;
	if (!e->dry && !webhooks_take(r))
		return;
	request_ask(r, request_ask_new(r, ASK_HOOKS, got_hooks));
}

void
webhook_ensure_run(struct request *r)
{
	begin(r, false, NULL);
}

void
ensure_create(struct request *r, const json_t *wanted)
{
	begin(r, true, wanted);
}
