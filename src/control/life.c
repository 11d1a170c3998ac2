/* The daemon itself: how it is, what happens in it, its settings. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"

#include "base/base64.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/text.h"
#include "config/config.h"
#include "mail/event.h"
#include "operations/openapi.h"
#include "operations/operation.h"
#include "postmark/client.h"
#include "store/reader.h"

#include "control/feed.h"
#include "control/inside.h"

#define MOST_CONFIG  ((size_t)4 * 1024 * 1024)
#define TOP_EVENTS   10
#define HISTORY_PAGE 200
#define HISTORY_MOST 20000 /* events that are looked at for one answer */

/* --- routes --------------------------------------------------------------------------------- */

static json_t *
routes_of(const struct ask *ask)
{
	json_t *array = json_array();

	for (size_t i = 0; i < ask->counts.route_count; i++)
		json_array_append_new(array, json_route(&ask->counts.routes[i]));
	return array;
}

static void
routes_counted(struct request *r, struct ask *ask)
{
	request_answer(r, json_pack("{s:o}", "routes", routes_of(ask)));
}

void
route_list_run(struct request *r)
{
	request_ask(r, request_ask_new(r, ASK_COUNTS, routes_counted));
}

static void
route_changed(struct request *r, struct ask *ask)
{
	request_answer(r, json_pack("{s:s,s:s}", "route", ask->route.route, "mode",
			      ask->route.hold ? "held" : "goes"));
}

void
route_change_run(struct request *r)
{
	struct ask *ask = request_ask_new(r, ASK_ROUTE, route_changed);

	ask->route.route = mem_string(value_string(r, "route"));
	ask->route.hold = strstr(r->operation->name, "pause") != NULL;
	ask->route.by = request_by(r);
	request_ask(r, ask);
}

/* --- events --------------------------------------------------------------------------------- */

static bool
is_wanted(
    struct request *r, const char *event_kind, const char *event_route, const char *event_item)
{
	json_t *kinds = value_json(r, "kind"), *kind;
	const char *route = value_string(r, "route");
	const char *item = value_string(r, "item");
	bool found = kinds == NULL;
	size_t index;

	json_array_foreach(kinds, index, kind) found =
	    found || strcmp(json_string_value(kind), event_kind) == 0;
	if (!found || (route != NULL && strcmp(route, event_route) != 0))
		return false;
	/* The id of a mail stands for its items. */
	return item == NULL ||
	       (strncmp(event_item, item, strlen(item)) == 0 &&
		   (event_item[strlen(item)] == '\0' || event_item[strlen(item)] == '-'));
}

static bool
event_is_wanted(struct request *r, const struct feed_event *event)
{
	return is_wanted(r, event->kind, event->route, event->item);
}

static void
events_unreadable(struct request *r, const struct store_reader *reader)
{
	request_fail(
	    r, 503, "spool", "try again", "the spool cannot be read: %s", store_reader_why(reader));
}

/* Out of the spool: the newest that are wanted, among so many. */
static void
events_history(struct request *r)
{
	struct store_reader *reader = request_reader(r); /* the end of the request, perhaps */
	size_t count = (size_t)value_integer(r, "count", 100), found, index;
	struct event_page page = { .most = HISTORY_PAGE };
	struct event_facts *events;
	json_t *wanted, *each;
	int64_t last;

	if (reader == NULL)
		return;
	if (store_reader_last_event(reader, &last) != 0) {
		events_unreadable(r, reader);
		return;
	}
	wanted = json_array();
	page.after_key = value_integer(r, "since", 0);
	if (page.after_key < last - HISTORY_MOST)
		page.after_key = last - HISTORY_MOST;
	do {
		if (store_reader_events(reader, &page, &events, &found) != 0) {
			json_decref(wanted);
			events_unreadable(r, reader);
			return;
		}
		for (size_t i = 0; i < found; i++) {
			page.after_key = events[i].key;
			if (is_wanted(r, event_kind_name(events[i].event->kind), events[i].route,
				events[i].item))
				json_array_append_new(wanted, json_happened(&events[i]));
			if (json_array_size(wanted) > count)
				json_array_remove(wanted, 0);
		}
		event_facts_free(events, found);
	} while (found > 0);
	request_begin_lines(r);
	json_array_foreach(wanted, index, each) request_line(r, json_incref(each));
	json_decref(wanted);
	request_end_lines(r);
}

static void
events_gone(struct request *r)
{
	request_end_lines(r);
}

static void
on_event(struct request *r, const struct feed_event *event)
{
	if (event == NULL) {
		request_line(r, json_pack("{s:b}", "missed", true));
		return;
	}
	if (event_is_wanted(r, event))
		request_line(r, json_event(event));
	if (request_is_slow(r))
		request_end_lines(r);
}

void
events_run(struct request *r)
{
	struct feed *feed = r->control->feed;
	uint64_t last = feed_last(feed);
	uint64_t count = (uint64_t)value_integer(r, "count", 100);
	uint64_t after = value_given(r, "since") ? (uint64_t)value_integer(r, "since", 0)
			 : last > count          ? last - count
						 : 0;
	struct feed_event *events;
	uint64_t missed;

	if (value_true(r, "history")) {
		events_history(r);
		return;
	}
	if (value_true(r, "follow")) {
		r->gone = events_gone;
		/* The head of the answer now: who follows wants to know that it works. */
		request_begin_lines(r);
		wait_look(wait_new(r->control->waits, r, after, true, on_event));
		return;
	}
	events = mem_array(FEED_MOST, sizeof(*events));
	count = feed_read(feed, after, events, FEED_MOST, &missed);
	request_begin_lines(r);
	for (uint64_t i = 0; i < count; i++)
		if (event_is_wanted(r, &events[i]))
			request_line(r, json_event(&events[i]));
	free(events);
	request_end_lines(r);
}

/* --- top ------------------------------------------------------------------------------------ */

struct top {
	struct request *request;
	struct loop_timer *timer;
	int64_t left; /* looks; 0: without end */
};

static void
top_free(void *work)
{
	struct top *top = work;

	loop_timer_free(&top->timer);
	free(top);
}

static json_t *
newest_events(struct feed *feed)
{
	struct feed_event events[TOP_EVENTS];
	uint64_t last = feed_last(feed), missed;
	size_t count =
	    feed_read(feed, last > TOP_EVENTS ? last - TOP_EVENTS : 0, events, TOP_EVENTS, &missed);
	json_t *array = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(array, json_event(&events[i]));
	return array;
}

static void
top_counted(struct request *r, struct ask *ask)
{
	struct top *top = r->work;
	json_t *look = json_object();

	json_object_set_new(look, "now", json_time(clock_wall_ms()));
	json_object_set_new(look, "version", json_string(PACKAGE_VERSION));
	json_object_set_new(look, "started", json_time(ask->counts.started_ms));
	json_object_set_new(look, "queue", json_counts(&ask->counts.store));
	json_object_set_new(look, "oldest", json_time(ask->counts.store.oldest_ms));
	json_object_set_new(
	    look, "put_aside", json_integer((json_int_t)ask->counts.store.put_aside));
	json_object_set_new(look, "accepted", json_integer((json_int_t)ask->counts.accepted));
	json_object_set_new(look, "refused", json_integer((json_int_t)ask->counts.refused));
	json_object_set_new(look, "commits", json_integer((json_int_t)ask->counts.store.commits));
	json_object_set_new(look, "syncs", json_integer((json_int_t)ask->counts.store.syncs));
	json_object_set_new(look, "fronts", json_integer(ask->counts.fronts));
	json_object_set_new(look, "routes", routes_of(ask));
	json_object_set_new(look, "events", newest_events(r->control->feed));
	request_line(r, look);
	if (top->left == 1 || request_is_slow(r)) {
		request_end_lines(r);
		return;
	}
	if (top->left > 0)
		top->left--;
	loop_timer_set(top->timer, value_integer(r, "interval", 2000));
}

static void
top_look(void *ctx)
{
	struct top *top = ctx;

	request_ask(top->request, request_ask_new(top->request, ASK_COUNTS, top_counted));
}

void
top_run(struct request *r)
{
	struct top *top = mem_new(sizeof(*top));

	top->request = r;
	top->timer = loop_timer_new(r->control->loop, top_look, top);
	top->left = value_integer(r, "count", 0);
	r->work = top;
	r->work_free = top_free;
	r->gone = events_gone;
	top_look(top);
}

/* --- explain -------------------------------------------------------------------------------- */

static void
explained(struct request *r, struct ask *ask)
{
	request_answer_bytes(r, "application/json", ask->explain.json, ask->explain.json_len);
}

void
explain_run(struct request *r)
{
	const char *mail = value_string(r, "mail");
	json_t *list = value_json(r, "to"), *each;
	struct ask *ask;
	size_t len, index;
	char *content = base64_decode(mail, strlen(mail), &len);

	if (content == NULL) {
		request_fail(r, 400, "arguments", NULL, "mail is no base64");
		return;
	}
	ask = request_ask_new(r, ASK_EXPLAIN, explained);
	ask->explain.content = content;
	ask->explain.content_len = len;
	ask->explain.reverse_path = mem_string(value_string(r, "from"));
	ask->explain.listener = mem_string(value_string(r, "listener"));
	ask->explain.client = mem_string(value_string(r, "client"));
	ask->explain.user = mem_string(value_string(r, "user"));
	json_array_foreach(list, index, each)
	    strlist_add(&ask->explain.recipients, json_string_value(each));
	request_ask(r, ask);
}

/* --- settings ------------------------------------------------------------------------------- */

void
config_run(struct request *r)
{
	struct buf text;

	buf_init(&text, MOST_CONFIG);
	config_print(r->control->config, false, &text);
	request_answer(
	    r, json_pack("{s:o}", "config", json_text(text.data != NULL ? text.data : "")));
	buf_free(&text);
}

static void
reloaded(struct request *r, struct ask *ask)
{
	request_answer(
	    r, json_pack("{s:b,s:o}", "reloaded", true, "text", json_text(ask->reload.text)));
}

void
reload_run(struct request *r)
{
	request_ask(r, request_ask_new(r, ASK_RELOAD, reloaded));
}

static void
log_level_set(struct request *r, struct ask *ask)
{
	(void)ask;
	request_answer(r, json_pack("{s:O}", "level", value_json(r, "level")));
}

void
log_level_run(struct request *r)
{
	struct ask *ask = request_ask_new(r, ASK_LOG_LEVEL, log_level_set);

	/* One of the choices of the table. */
	if (log_level_parse(value_string(r, "level"), &ask->log_level.level) != 0)
		ask->log_level.level = LOG_LEVEL_INFO;
	request_ask(r, ask);
}

void
version_run(struct request *r)
{
	request_answer(r, json_pack("{s:s,s:s}", "name", "pmrelay", "version", PACKAGE_VERSION));
}

void
openapi_run(struct request *r)
{
	request_answer(r, openapi_document(PACKAGE_VERSION));
}

/* --- healthcheck ---------------------------------------------------------------------------- */

/* Those who may only look get an answer of this age, or an older one while a check is under way. */
#define HEALTH_AGE_MS  5000
#define HEALTH_MOST_MS (60 * 1000)

struct health {
	struct control *control;
	json_t *checks;
	unsigned open; /* answers that are still to come */
	bool healthy;
};

static void
health_free(void *work)
{
	struct health *health = work;

	health->control->health.asked--;
	json_decref(health->checks);
	free(health);
}

static void
health_add(struct request *r, const char *name, bool ok, const char *text, const char *todo)
{
	struct health *health = r->work;
	json_t *check = json_object();

	json_object_set_new(check, "name", json_text(name));
	json_object_set_new(check, "ok", json_boolean(ok));
	json_object_set_new(check, "text", json_text(text));
	json_object_set_new(check, "todo", ok ? json_null() : json_text(todo));
	json_array_append_new(health->checks, check);
	health->healthy = health->healthy && ok;
}

/* HTTP 503 says unhealthy to whoever looks at nothing else. */
static void
health_end(struct request *r)
{
	struct health *health = r->work;
	struct health_memory *memory = &r->control->health;

	if (--health->open > 0)
		return;
	json_decref(memory->answer);
	memory->answer = json_pack("{s:b,s:o,s:O}", "healthy", health->healthy, "checked",
	    json_time(clock_wall_ms()), "checks", health->checks);
	memory->status = health->healthy ? 200 : 503;
	memory->at_ms = clock_mono_ms();
	request_answer_status(r, memory->status, json_incref(memory->answer));
}

/* Whoever asks often enough would have Postmark asked as often. */
bool
health_is_known(const struct health_memory *memory, int64_t now_ms)
{
	int64_t most_ms = memory->asked > 0 ? HEALTH_MOST_MS : HEALTH_AGE_MS;

	return memory->answer != NULL && now_ms - memory->at_ms < most_ms;
}

static void
health_asked(struct request *r, const struct postmark_answer *answer, json_t *json, void *ctx)
{
	/* By number: the settings may have changed meanwhile. */
	const struct connection *connection =
	    config_connection_at(r->control->config, (size_t)(uintptr_t)ctx);
	char name[128], text[256];
	const char *message = json_string_value(json_object_get(json, "Message"));
	bool ok = answer->end == POSTMARK_ANSWERED && answer->status == 200 && json != NULL;

	if (connection == NULL) {
		health_end(r);
		return;
	}
	snprintf(name, sizeof(name), "connection %s", connection->name);
	if (ok)
		snprintf(text, sizeof(text), "the message stream \"%s\" takes mail",
		    connection->message_stream[0] != '\0' ? connection->message_stream
							  : "outbound");
	else if (answer->end != POSTMARK_ANSWERED)
		snprintf(text, sizeof(text), "no answer: %s", answer->error);
	else
		snprintf(text, sizeof(text), "HTTP %d: %s", answer->status,
		    message != NULL ? message : "no reason given");
	if (ok && !json_is_null(json_object_get(json, "ArchivedAt")) &&
	    json_object_get(json, "ArchivedAt") != NULL) {
		ok = false;
		snprintf(text, sizeof(text), "the message stream \"%s\" is archived",
		    connection->message_stream);
	}
	health_add(r, name, ok, text,
	    answer->status == 401 ? "check the server token of this connection"
				  : "check the network, the token and message-stream");
	health_end(r);
}

static void
health_counted(struct request *r, struct ask *ask)
{
	char text[256];

	health_add(r, "spool", ask->counts.spool_durable,
	    ask->counts.spool_durable ? "mail is stored" : "mail cannot be stored",
	    "look at the log: event=spool-full or spool-broken");
	snprintf(text, sizeof(text), "%u connected", ask->counts.fronts);
	health_add(r, "fronts", ask->counts.fronts > 0, text, "look at the log: event=front-lost");
	for (size_t i = 0; i < ask->counts.route_count; i++) {
		const struct ask_route *route = &ask->counts.routes[i];
		char name[128];

		snprintf(name, sizeof(name), "route %s", route->name);
		snprintf(text, sizeof(text), "%s%s%s", route->mode,
		    route->why[0] != '\0' ? ": " : "", route->why);
		health_add(r, name,
		    strcmp(route->mode, "goes") == 0 || strcmp(route->mode, "throttled") == 0, text,
		    strcmp(route->mode, "held") == 0
			? "let it go: pmrelayctl route resume ROUTE"
			: "mend the cause; it is tried again by itself");
	}
	health_end(r);
}

void
healthcheck_run(struct request *r)
{
	const struct config *config = r->control->config;
	const struct connection *connection;
	struct health *health;

	if (!r->admin && health_is_known(&r->control->health, clock_mono_ms())) {
		request_answer_status(
		    r, r->control->health.status, json_incref(r->control->health.answer));
		return;
	}
	health = mem_new(sizeof(*health));
	health->control = r->control;
	health->control->health.asked++;
	health->checks = json_array();
	health->healthy = true;
	health->open = 1;
	r->work = health;
	r->work_free = health_free;
	for (size_t i = 0; (connection = config_connection_at(config, i)) != NULL; i++) {
		char path[256];
		struct remote_call call = {
			.method = "GET", .path = path, .health = true, .timeout_ms = 10000
		};

		if (connection->server_token == NULL) {
			if (i == 0)
				health_add(r, "connection default", false, "it has no server token",
				    "set token-file in section postmark and reload");
			continue;
		}
		snprintf(path, sizeof(path), "/message-streams/%s",
		    connection->message_stream[0] != '\0' ? connection->message_stream
							  : "outbound");
		health->open++;
		remote_submit(r, connection, &call, health_asked, (void *)(uintptr_t)i);
	}
	request_ask(r, request_ask_new(r, ASK_COUNTS, health_counted));
}
