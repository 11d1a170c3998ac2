/*
 * Mails that people hand over as JSON: into the spool like any other, so that what is accepted is
 * durable, tried again and found by its id; or, when asked for, straight to Postmark.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/loop.h"
#include "base/mem.h"
#include "config/config.h"
#include "operations/operation.h"
#include "postmark/client.h"
#include "store/reader.h"

#include "control/feed.h"
#include "control/inside.h"
#include "control/message.h"

#define MOST_WHY     1024
#define BATCH_ITEMS  500
#define COMMIT_MAILS 200 /* in one ask: the core's loop has its turn in between */
#define LOOK_MS      100 /* until the spool is looked into, once for all that happened meanwhile */

struct send {
	struct request *request;
	bool template, batch;
	char *connection; /* its name, which is that of the route, too */
	json_t *messages; /* in Postmark's shape */
	json_t *results;  /* one for each */
	json_t *numbers;  /* item id to the index of its result, while it is waited for */
	size_t at;        /* the next message to be committed or sent */
	uint64_t after;   /* event before which none is ours */
	size_t open;      /* items that are waited for */
	struct wait *wait;
	struct loop_timer *timer, *look;
	bool looks;   /* look is set */
	bool missed;  /* an event was overwritten before it was read */
	bool *over_r; /* of whoever must know that all this is gone; or NULL */
};

static void
send_free(void *work)
{
	struct send *send = work;

	free(send->connection);
	json_decref(send->messages);
	json_decref(send->results);
	json_decref(send->numbers);
	loop_timer_free(&send->timer);
	loop_timer_free(&send->look);
	if (send->over_r != NULL)
		*send->over_r = true;
	free(send);
}

/* --- the answer ----------------------------------------------------------------------------- */

static bool
is_state(const json_t *result, const char *state)
{
	const char *text = json_string_value(json_object_get(result, "state"));

	return text != NULL && strcmp(text, state) == 0;
}

static void
answer_batch(struct request *r, struct send *send)
{
	json_int_t sent = 0, failed = 0, rest = 0;
	json_t *each;
	size_t index;

	json_array_foreach(send->results, index, each)
	{
		if (is_state(each, "sent"))
			sent++;
		else if (is_state(each, "failed") || is_state(each, "refused"))
			failed++;
		else
			rest++;
	}
	request_answer(r, json_pack("{s:I,s:I,s:I,s:O}", "sent", sent, "failed", failed, "spooled",
			      rest, "results", send->results));
}

static void
finish(struct request *r)
{
	struct send *send = r->work;
	json_t *result = json_array_get(send->results, 0);

	wait_free(&send->wait);
	if (send->batch) {
		answer_batch(r, send);
	} else if (is_state(result, "failed")) {
		const char *message = json_string_value(json_object_get(result, "message"));
		json_t *code = json_object_get(result, "error_code");

		request_fail_postmark(r, 422, "failed", "see all of it: pmrelayctl status ID",
		    json_pack("{s:O,s:s,s:O}", "ErrorCode", code, "Message",
			message != NULL ? message : "", "item", json_object_get(result, "id")),
		    message != NULL ? message : "Postmark refused it");
	} else {
		request_answer(r, json_incref(result));
	}
}

/* --- waiting -------------------------------------------------------------------------------- */

static bool
is_end(const char *kind)
{
	return strcmp(kind, "sent") == 0 || strcmp(kind, "failed") == 0 ||
	       strcmp(kind, "held") == 0 || strcmp(kind, "deleted") == 0;
}

static void
tell(struct send *send, size_t index, const char *state, const char *postmark_id, int error_code,
    const char *message)
{
	json_t *result = json_array_get(send->results, index);

	json_object_set_new(result, "state", json_string(state));
	json_object_set_new(result, "message_id",
	    postmark_id != NULL && postmark_id[0] != '\0' ? json_text(postmark_id) : json_null());
	json_object_set_new(result, "error_code", json_integer(error_code));
	json_object_set_new(result, "message", json_text(message));
}

/* The end of one.  true: of the last one, and the request is gone. */
static bool
settle(struct request *r, const char *item, const char *state, const char *postmark_id,
    int error_code, const char *message)
{
	struct send *send = r->work;
	json_t *number = json_object_get(send->numbers, item);

	if (number == NULL)
		return false;
	tell(send, (size_t)json_integer_value(number), state, postmark_id, error_code, message);
	json_object_del(send->numbers, item);
	send->open--;
	request_progress(r, json_array_size(send->results) - send->open,
	    json_array_size(send->results), "answered");
	if (send->open > 0)
		return false;
	finish(r);
	return true;
}

/* What the spool says of the end of one; true: of the last one, and the request is gone. */
static bool
settle_found(struct request *r, struct store_reader *reader, const struct item_facts *item)
{
	const char *state = item_state_name(item->state);
	struct attempt_facts *lines = NULL;
	const struct attempt_facts *last = NULL;
	size_t count = 0;
	bool over;

	if (!is_end(state))
		return false;
	if (item->state != ITEM_SENT &&
	    store_reader_history(reader, item->key, &lines, &count) == 0 && count > 0)
		last = &lines[count - 1];
	over = settle(r, item->id, state, item->postmark_id, last != NULL ? last->error_code : 0,
	    last != NULL && last->answer != NULL ? last->answer : "");
	attempt_facts_free(lines, count);
	return over;
}

/* What no event tells of each item, the spool knows all the same. */
static void
look_up(struct request *r)
{
	struct send *send = r->work;
	struct store_reader *reader = control_reader(r->control);
	json_t *ids = json_copy(send->numbers), *unused;
	bool over = false, missed = send->missed;
	const char *id;

	json_object_foreach(ids, id, unused)
	{
		struct item_facts *items;
		size_t count;

		if (over || reader == NULL || store_reader_find(reader, id, 1, &items, &count) != 0)
			continue;
		if (count == 1) {
			over = settle_found(r, reader, &items[0]);
			item_facts_free(&items[0]);
		} else if (missed) {
			/* Nor is its history, where settings say so: the event told its end. */
			over = settle(r, id, "gone", NULL, 0,
			    "the spool has it no more, and what became of it was not read in time");
		} else {
			over = settle(r, id, "deleted", NULL, 0, "deleted by an operator");
		}
		free(items);
	}
	json_decref(ids);
}

static void
on_look(void *ctx)
{
	struct send *send = ctx;
	bool over = false;

	send->looks = false;
	/* What was sent before it was looked for may be in the feed alone. */
	send->over_r = &over;
	wait_look(send->wait);
	if (over)
		return;
	send->over_r = NULL;
	look_up(send->request);
}

static void
look_soon(struct send *send)
{
	if (send->looks)
		return;
	send->looks = true;
	loop_timer_set(send->look, LOOK_MS);
}

static void
on_event(struct request *r, const struct feed_event *event)
{
	struct send *send = r->work;
	json_t *number = event != NULL ? json_object_get(send->numbers, event->item) : NULL;

	if (event == NULL) {
		send->missed = true;
		look_soon(send);
	} else if (number == NULL) {
		if (event_is_vague(event))
			look_soon(send);
	} else if (is_end(event->kind)) {
		settle(r, event->item, event->kind, event->postmark_id, event->error_code,
		    event->text);
	} else {
		/* So that whoever does not wait longer knows why. */
		tell(send, (size_t)json_integer_value(number), event->kind, NULL, event->error_code,
		    event->text);
	}
}

static void
on_timeout(void *ctx)
{
	struct send *send = ctx;

	finish(send->request);
}

static void
wait_for_all(struct request *r)
{
	struct send *send = r->work;
	const char *id;
	json_t *unused;

	send->open = json_object_size(send->numbers);
	if (send->open == 0 || !value_true(r, "wait") || r->http == NULL) {
		finish(r);
		return;
	}
	/* The mails go on; nobody is left to be told. */
	r->gone = finish;
	send->timer = loop_timer_new(r->control->loop, on_timeout, send);
	loop_timer_set(send->timer, value_integer(r, "timeout", 60000));
	send->look = loop_timer_new(r->control->loop, on_look, send);
	send->wait = wait_new(r->control->waits, r, send->after, false, on_event);
	json_object_foreach(send->numbers, id, unused) wait_add(send->wait, id);
	wait_look(send->wait);
}

/* --- into the spool ------------------------------------------------------------------------- */

static void commit_next(struct request *);

static void
committed(struct request *r, struct ask *ask)
{
	struct send *send = r->work;
	size_t first = send->at - ask->commit.count;

	for (size_t i = 0; i < ask->commit.count; i++) {
		json_t *result = json_array_get(send->results, first + i);
		const char *id = json_string_value(json_object_get(result, "id"));

		if (id == NULL)
			continue;
		if (ask->commit.results[i] == STORE_OK) {
			json_object_set_new(
			    send->numbers, id, json_integer((json_int_t)(first + i)));
			continue;
		}
		tell(send, first + i, "refused", NULL, 0,
		    ask->commit.results[i] == STORE_FULL
			? "the spool is full: make room on its disk and send it again"
			: "the spool has a fault: see the log, and send it again");
		if (!send->batch) {
			request_fail(r, 503, "spool", "see the log, and send it again",
			    "the mail could not be stored");
			return;
		}
	}
	request_progress(r, send->at, json_array_size(send->messages), "stored");
	commit_next(r);
}

/* A message to a mail; one that is refused has its result already and makes none. */
static struct mail *
make_mail(struct request *r, size_t index)
{
	struct send *send = r->work;
	json_t *result = json_object();
	char id[ITEM_ID_SIZE];
	struct mail *mail;
	struct buf why;

	buf_init(&why, MOST_WHY);
	json_array_append_new(send->results, result);
	mail = message_mail(json_array_get(send->messages, index), send->template, send->connection,
	    r->who, clock_wall_ms(), &why);
	if (mail == NULL) {
		json_object_set_new(result, "id", json_null());
		tell(send, index, "refused", NULL, 300, why.data);
	} else {
		item_id(id, mail->id, 1);
		json_object_set_new(result, "id", json_string(id));
		tell(send, index, "spooled", NULL, 0, "");
	}
	buf_free(&why);
	return mail;
}

static void
commit_next(struct request *r)
{
	struct send *send = r->work;
	size_t total = json_array_size(send->messages), count = 0;
	struct ask *ask;

	if (send->at == total) {
		wait_for_all(r);
		return;
	}
	ask = request_ask_new(r, ASK_COMMIT, committed);
	ask->commit.count = total - send->at < COMMIT_MAILS ? total - send->at : COMMIT_MAILS;
	ask->commit.mails = mem_array(ask->commit.count, sizeof(*ask->commit.mails));
	ask->commit.results = mem_array(ask->commit.count, sizeof(*ask->commit.results));
	for (size_t i = 0; i < ask->commit.count; i++) {
		ask->commit.mails[i] = make_mail(r, send->at + i);
		count += ask->commit.mails[i] != NULL;
	}
	send->at += ask->commit.count;
	if (!send->batch && count == 0) {
		json_t *result = json_array_get(send->results, 0);
		struct ask *unused = ask;

		ticket_free(&(struct ticket *){ unused->ctx });
		ask_free(&unused);
		request_fail(r, 422, "message", "correct it and send it again", "%s",
		    json_string_value(json_object_get(result, "message")));
		return;
	}
	request_ask(r, ask);
}

/* --- straight to Postmark ------------------------------------------------------------------- */

static void direct_next(struct request *);

static json_t *
direct_half_way(const struct request *r, struct buf *todo)
{
	const struct send *send = r->work;
	size_t count = json_array_size(send->results);

	if (count == 0)
		return NULL;
	buf_addf(todo, "the first %zu are answered, see results: leave them out", count);
	return json_pack("{s:O}", "results", send->results);
}

static void
direct_done(struct request *r, const struct postmark_answer *answer, json_t *json, void *ctx)
{
	struct send *send = r->work;

	(void)ctx;
	if (!remote_is_good(r, answer, json))
		return;
	if (!send->batch) {
		request_answer(r, json_incref(json));
		return;
	}
	if (!json_is_array(json)) {
		request_fail(r, 502, "answer",
		    "whether these were sent is not known: look before you repeat them",
		    "Postmark's answer to a part of the batch is no array");
		return;
	}
	json_array_extend(send->results, json);
	request_progress(r, send->at, json_array_size(send->messages), "sent");
	direct_next(r);
}

static void
direct_next(struct request *r)
{
	struct send *send = r->work;
	struct remote_call call = { .method = "POST", .path = r->operation->remote_path };
	size_t total = json_array_size(send->messages);
	const struct connection *connection = request_connection(r);
	json_t *body, *array;

	if (connection == NULL)
		return;
	if (send->at == total) {
		request_answer(r, json_pack("{s:O}", "results", send->results));
		return;
	}
	if (send->batch) {
		array = json_array();
		for (size_t i = 0; i < BATCH_ITEMS && send->at < total; i++, send->at++)
			json_array_append(array, json_array_get(send->messages, send->at));
		body = send->template ? json_pack("{s:o}", "Messages", array) : array;
		call.timeout_ms = r->control->config->postmark_batch_timeout_ms;
	} else {
		body = json_incref(json_array_get(send->messages, send->at++));
	}
	call.body = body;
	remote_submit(r, connection, &call, direct_done, NULL);
	json_decref(body);
}

/* --- the operations ------------------------------------------------------------------------- */

static int
read_messages(struct request *r, struct send *send, const json_t *given, const char *stream)
{
	struct buf why;
	json_t *each;
	size_t index;

	buf_init(&why, MOST_WHY);
	json_array_foreach((json_t *)(uintptr_t)given, index, each)
	{
		json_t *message = message_read(each, send->template, stream, &why);

		if (message != NULL) {
			json_array_append_new(send->messages, message);
			continue;
		}
		if (send->batch)
			request_fail(r, 422, "message", "correct it: nothing was sent",
			    "mail %zu of %zu: %s", index + 1, json_array_size(given), why.data);
		else
			request_fail(r, 422, "message", NULL, "%s", why.data);
		buf_free(&why);
		return -1;
	}
	buf_free(&why);
	return 0;
}

static void
send_all(struct request *r, const json_t *given, bool batch)
{
	const char *stream = value_string(r, "stream");
	const struct connection *connection = request_connection(r);
	struct send *send;

	if (connection == NULL || remote_token(r, connection, false) == NULL)
		return;
	send = mem_new(sizeof(*send));
	send->request = r;
	send->batch = batch;
	send->template = strstr(r->operation->name, "template") != NULL;
	send->connection = mem_string(connection->name);
	send->messages = json_array();
	send->results = json_array();
	send->numbers = json_object();
	send->after = feed_last(r->control->feed);
	r->work = send;
	r->work_free = send_free;
	if (stream == NULL)
		stream = connection->message_stream;
	if (read_messages(r, send, given, stream) != 0)
		return;
	if (value_true(r, "direct")) {
		r->half_way = direct_half_way;
		direct_next(r);
	} else {
		commit_next(r);
	}
}

void
send_run(struct request *r)
{
	json_t *body = remote_body(r);
	json_t *array = json_pack("[o]", body);

	send_all(r, array, false);
	json_decref(array);
}

void
send_batch_run(struct request *r)
{
	const struct argument *whole = operation_argument_at(r->operation, IN_WHOLE);
	json_t *array = json_incref(value_json(r, whole->name));

	if (json_array_size(array) == 0)
		request_fail(r, 400, "arguments", NULL, "%s is empty", whole->name);
	else
		send_all(r, array, true);
	json_decref(array);
}
