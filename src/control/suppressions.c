/* Suppressed addresses: read from Postmark as a whole, changed there and here, and looked up here.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/strlist.h"
#include "base/text.h"
#include "config/config.h"
#include "mail/suppression.h"
#include "operations/operation.h"
#include "postmark/client.h"

#include "control/inside.h"

#define MOST_DUMP    ((size_t)64 * 1024 * 1024) /* half a million addresses */
#define MOST_ADDRESS 320
#define MOST_PATH    1000
#define DUMP_MS      (5 * 60 * 1000)

/* --- one of Postmark's ------------------------------------------------------------------------ */

static const char *
text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text != NULL ? text : "";
}

/* "2026-11-20T10:00:00-05:00"; 0: not known. */
static int64_t
moment_of(const char *text)
{
	int64_t at_ms;

	return clock_read(text, &at_ms) == 0 ? at_ms : 0;
}

/* false: nothing that could be an address. */
static bool
read_one(const json_t *each, const char *connection, const char *stream,
    struct suppression *suppression_r)
{
	const char *address = text_of(each, "EmailAddress");
	const struct suppression one = { .connection = (char *)connection,
		.stream = (char *)stream,
		.address = (char *)address,
		.reason = (char *)text_of(each, "SuppressionReason"),
		.origin = (char *)text_of(each, "Origin"),
		.at_ms = moment_of(text_of(each, "CreatedAt")) };

	if (address[0] == '\0' || strlen(address) > MOST_ADDRESS)
		return false;
	suppression_copy(suppression_r, &one);
	return true;
}

/* --- synchronised ----------------------------------------------------------------------------- */

struct sync {
	struct strlist connections, streams; /* pairs */
	size_t next;
	int64_t began_ms; /* wall clock: of the present one */
	json_t *rows;
	size_t failed;
};

static void sync_next(struct request *);

static void
sync_free(void *work)
{
	struct sync *sync = work;

	strlist_free(&sync->connections);
	strlist_free(&sync->streams);
	json_decref(sync->rows);
	free(sync);
}

static void
add_row(struct request *r, size_t count, uint64_t added, uint64_t lifted, const char *why)
{
	struct sync *sync = r->work;
	const char *connection = sync->connections.items[sync->next];
	const char *stream = sync->streams.items[sync->next];

	json_array_append_new(
	    sync->rows, json_pack("{s:s, s:s, s:I, s:I, s:I, s:s}", "Connection", connection,
			    "Stream", stream, "Addresses", (json_int_t)count, "Added",
			    (json_int_t)added, "Lifted", (json_int_t)lifted, "Failed", why));
	if (why[0] != '\0') {
		sync->failed++;
		log_warning("suppressions-stale", log_str("connection", connection),
		    log_str("stream", stream), log_str("why", why));
	} else {
		log_info("suppressions", log_str("connection", connection),
		    log_str("stream", stream), log_num("addresses", (int64_t)count),
		    log_num("added", (int64_t)added), log_num("lifted", (int64_t)lifted));
		chores_synced(r->control->chores, connection, stream, clock_wall_ms());
	}
	sync->next++;
	sync_next(r);
}

static void
taken(struct request *r, struct ask *ask)
{
	add_row(
	    r, ask->suppressions.add_count, ask->suppressions.added, ask->suppressions.lifted, "");
}

static void
dumped(struct request *r, const struct postmark_answer *answer, json_t *json, void *ctx)
{
	struct sync *sync = r->work;
	const json_t *list = json_object_get(json, "Suppressions"), *each;
	const char *message = text_of(json, "Message");
	struct ask *ask;
	char why[300] = "";
	size_t index;

	(void)ctx;
	if (answer->end != POSTMARK_ANSWERED)
		snprintf(why, sizeof(why), "no answer from Postmark: %s", answer->error);
	else if (answer->cut)
		snprintf(
		    why, sizeof(why), "the list is longer than %zu MiB", MOST_DUMP / 1024 / 1024);
	else if (answer->status != 200)
		snprintf(
		    why, sizeof(why), "Postmark answered HTTP %d: %s", answer->status, message);
	else if (!json_is_array(list))
		snprintf(why, sizeof(why), "Postmark's answer is no list");
	if (why[0] != '\0') {
		add_row(r, 0, 0, 0, why);
		return;
	}
	ask = request_ask_new(r, ASK_SUPPRESSIONS, taken);
	ask->suppressions.connection = mem_string(sync->connections.items[sync->next]);
	ask->suppressions.stream = mem_string(sync->streams.items[sync->next]);
	ask->suppressions.since_ms = sync->began_ms;
	ask->suppressions.add =
	    mem_array(json_array_size(list) + 1, sizeof(*ask->suppressions.add));
	json_array_foreach(list, index, each)
	{
		if (read_one(each, ask->suppressions.connection, ask->suppressions.stream,
			&ask->suppressions.add[ask->suppressions.add_count]))
			ask->suppressions.add_count++;
	}
	request_ask(r, ask);
}

static void
sync_next(struct request *r)
{
	struct sync *sync = r->work;
	const struct connection *connection = NULL;
	struct remote_call call = {
		.method = "GET", .timeout_ms = DUMP_MS, .most_answer_bytes = MOST_DUMP
	};
	struct buf path;

	if (sync->next == sync->streams.count) {
		request_answer(r, json_pack("{s:O, s:I}", "Streams", sync->rows, "Failed",
				      (json_int_t)sync->failed));
		return;
	}
	connection = config_connection(r->control->config, sync->connections.items[sync->next]);
	if (connection == NULL) {
		request_fail(r, 503, "reloaded", "ask again", "the connection is gone");
		return;
	}
	buf_init(&path, MOST_PATH);
	buf_adds(&path, "/message-streams/");
	remote_encode(&path, sync->streams.items[sync->next], false);
	buf_adds(&path, "/suppressions/dump");
	call.path = path.data;
	sync->began_ms = clock_wall_ms();
	remote_submit(r, connection, &call, dumped, NULL);
	buf_free(&path);
}

void
suppression_sync_run(struct request *r)
{
	const struct config *config = r->control->config;
	const struct connection *connection, *only = NULL;
	const char *stream = value_string(r, "stream");
	struct sync *sync = mem_new(sizeof(*sync));

	r->work = sync;
	r->work_free = sync_free;
	sync->rows = json_array();
	if (value_given(r, "connection")) {
		only = request_connection(r);
		if (only == NULL || remote_token(r, only, false) == NULL)
			return;
	}
	for (size_t i = 0; (connection = config_connection_at(config, i)) != NULL; i++) {
		struct strlist streams = { 0 };

		if (connection->server_token == NULL || (only != NULL && connection != only))
			continue;
		if (stream != NULL)
			strlist_add(&streams, stream);
		else
			streams_in_use(config, connection, &streams);
		for (size_t j = 0; j < streams.count; j++) {
			strlist_add(&sync->connections, connection->name);
			strlist_add(&sync->streams, streams.items[j]);
		}
		strlist_free(&streams);
	}
	if (sync->streams.count == 0)
		request_fail(r, 409, "token", "set token-file in the configuration and reload",
		    "no connection has a server token");
	else
		sync_next(r);
}

/* --- changed ---------------------------------------------------------------------------------- */

static void
change_free(void *work)
{
	json_decref(work);
}

static void
told(struct request *r, struct ask *ask)
{
	json_t *answer = json_incref(r->work);

	(void)ask;
	remote_mask(r, answer);
	request_answer(r, answer);
}

/* Those that Postmark has changed are changed here at once, so that the next mail is treated so. */
static void
changed(struct request *r, const struct postmark_answer *answer, json_t *json, void *ctx)
{
	bool lifts = strcmp(r->operation->name, "suppression delete") == 0;
	const struct connection *connection;
	const char *stream = value_string(r, "stream");
	struct ask *ask;
	const json_t *each;
	size_t index, most;

	(void)ctx;
	if (!remote_is_good(r, answer, json))
		return;
	connection = request_connection(r);
	if (connection == NULL)
		return;
	r->work = json_incref(json);
	r->work_free = change_free;
	ask = request_ask_new(r, ASK_SUPPRESSION_CHANGE, told);
	ask->suppressions.connection = mem_string(connection->name);
	ask->suppressions.stream = mem_string(stream != NULL ? stream : "outbound");
	most = json_array_size(json_object_get(json, "Suppressions"));
	ask->suppressions.add = mem_array(most + 1, sizeof(*ask->suppressions.add));
	json_array_foreach(json_object_get(json, "Suppressions"), index, each)
	{
		struct suppression *one = &ask->suppressions.add[ask->suppressions.add_count];
		const char *status = text_of(each, "Status");

		if (lifts && text_same(status, "Deleted")) {
			strlist_add(&ask->suppressions.lift, text_of(each, "EmailAddress"));
		} else if (!lifts && text_same(status, "Suppressed") &&
			   read_one(each, connection->name, ask->suppressions.stream, one)) {
			free(one->reason);
			free(one->origin);
			one->reason = mem_string("ManualSuppression");
			one->origin = mem_string("Customer");
			one->at_ms = clock_wall_ms();
			ask->suppressions.add_count++;
		}
	}
	request_ask(r, ask);
}

void
suppression_change_run(struct request *r)
{
	const struct connection *connection = request_connection(r);
	struct remote_call call = { .method = r->operation->remote_method };
	char *path;
	json_t *body;

	if (connection == NULL)
		return;
	path = remote_path(r);
	if (path == NULL)
		return;
	body = remote_body(r);
	call.path = path;
	call.body = body;
	remote_submit(r, connection, &call, changed, NULL);
	json_decref(body);
	free(path);
}

/* --- looked up -------------------------------------------------------------------------------- */

static void
found(struct request *r, struct ask *ask)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < ask->suppressions.add_count; i++) {
		const struct suppression *each = &ask->suppressions.add[i];

		json_array_append_new(rows,
		    json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "EmailAddress",
			json_text(each->address), "Connection", json_text(each->connection),
			"Stream", json_text(each->stream), "SuppressionReason",
			json_text(each->reason), "Origin", json_text(each->origin), "CreatedAt",
			json_time(each->at_ms), "SyncedAt",
			json_time(
			    chores_synced_at(r->control->chores, each->connection, each->stream))));
	}
	request_answer(r, json_pack("{s:o, s:b}", "Suppressions", rows, "suppressed",
			      ask->suppressions.add_count > 0));
}

void
suppression_check_run(struct request *r)
{
	struct ask *ask = request_ask_new(r, ASK_SUPPRESSION_FIND, found);

	ask->suppressions.address = mem_string(value_string(r, "address"));
	request_ask(r, ask);
}
