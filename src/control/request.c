/* The life of one request to the control plane: its arguments, its answer, what is out for it. */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/httpd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "config/config.h"
#include "operations/operation.h"
#include "store/reader.h"

#include "control/inside.h"

#define JSON_TYPE  "application/json"
#define LINES_TYPE "application/x-ndjson"
/* An answer that streams to somebody who reads slower than it comes: beyond this it ends. */
#define MOST_UNSENT ((size_t)8 * 1024 * 1024)
/* It is kept with each item that it is given for. */
#define MOST_REASON 512
#define MOST_TODO   1024

static void
on_gone(void *ctx)
{
	struct request *r = ctx;

	r->http = NULL;
	if (r->gone != NULL)
		r->gone(r);
}

struct request *
request_new(struct control *control, struct httpd_request *http)
{
	struct request *r = mem_new(sizeof(*r));

	r->control = control;
	r->http = http;
	r->began_ms = clock_mono_ms();
	r->next = control->requests;
	if (r->next != NULL)
		r->next->prev = r;
	control->requests = r;
	control->loads[LOAD_NONE]++;
	if (http != NULL)
		httpd_on_gone(http, on_gone, r);
	return r;
}

void
request_count_as(struct request *r, enum request_load load)
{
	r->control->loads[r->load]--;
	r->load = load;
	r->control->loads[load]++;
}

/* --- what is out --------------------------------------------------------------------------- */

struct ticket *
ticket_new(struct request *r)
{
	struct ticket *ticket = mem_new(sizeof(*ticket));

	ticket->control = r->control;
	ticket->request = r;
	ticket->next = r->control->tickets;
	if (ticket->next != NULL)
		ticket->next->prev = ticket;
	r->control->tickets = ticket;
	return ticket;
}

void
ticket_free(struct ticket **ticket)
{
	struct ticket *t = *ticket;

	*ticket = NULL; /* which may lie within what is freed here */
	if (t->prev != NULL)
		t->prev->next = t->next;
	else
		t->control->tickets = t->next;
	if (t->next != NULL)
		t->next->prev = t->prev;
	if (t->more_free != NULL)
		t->more_free(t->more);
	free(t);
}

void
tickets_cut(struct control *control)
{
	struct ticket *t = control->tickets;

	while (t != NULL) {
		bool changes = t->request != NULL && t->request->operation->changes;

		if (t->asked != NULL) { /* of an ask, which comes back */
			t = t->next;
			continue;
		}
		if (t->request != NULL)
			request_fail(t->request, changes ? 504 : 503, "reloaded",
			    changes ? "whether it was done is not known: look before you repeat it"
				    : "ask again",
			    "the settings changed while Postmark was asked");
		ticket_free(&t);
		t = control->tickets;
	}
}

static void
ask_done(struct ask *ask)
{
	struct ticket *ticket = ask->ctx;
	struct request *r = ticket->request;
	request_asked_fn *asked = ticket->asked;

	ticket_free(&ticket);
	if (r != NULL && ask->status != 0)
		request_fail(r, ask->status,
		    ask->status == 404   ? "not-found"
		    : ask->status == 409 ? "state"
		    : ask->status == 400 ? "arguments"
					 : "core",
		    NULL, "%s", ask->why != NULL ? ask->why : "the core could not do it");
	else if (r != NULL)
		asked(r, ask);
	ask_free(&ask);
}

struct ask *
request_ask_new(struct request *r, enum ask_kind kind, request_asked_fn *done)
{
	struct ticket *ticket = ticket_new(r);

	ticket->asked = done;
	return ask_new(kind, ask_done, ticket);
}

void
request_ask(struct request *r, struct ask *ask)
{
	r->control->ask(r->control->ask_ctx, ask);
}

/* --- the end -------------------------------------------------------------------------------- */

static void
request_free(struct request *r)
{
	struct control *control = r->control;

	for (struct ticket *t = control->tickets; t != NULL; t = t->next)
		if (t->request == r)
			t->request = NULL;
	if (r->ended != NULL)
		r->ended(control, r->operation, 0, NULL);
	waits_forget(control->waits, r);
	if (control->changes_webhooks == r)
		control->changes_webhooks = NULL;
	if (r->work_free != NULL)
		r->work_free(r->work);
	if (r->prev != NULL)
		r->prev->next = r->next;
	else
		control->requests = r->next;
	if (r->next != NULL)
		r->next->prev = r->prev;
	control->loads[r->load]--;
	json_decref(r->values);
	free(r);
}

static void
log_end_of(const struct request *r, int status)
{
	bool changes = r->operation != NULL && r->operation->changes;

	/* What changes something is for the record; what only looks is for the curious. */
	if (changes)
		log_info("control", log_str("operation", r->operation->name), log_str("by", r->who),
		    log_num("status", status), log_num("ms", clock_mono_ms() - r->began_ms));
	else
		log_debug("control",
		    log_str("operation", r->operation != NULL ? r->operation->name : NULL),
		    log_str("by", r->who), log_num("status", status),
		    log_num("ms", clock_mono_ms() - r->began_ms));
}

static char *
json_bytes(const json_t *json, size_t *len_r)
{
	char *text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);

	if (text == NULL)
		text = mem_string("null");
	*len_r = strlen(text);
	return text;
}

static void
finish(struct request *r, int status, const char *lines_key, json_t *answer)
{
	if (r->ended != NULL) {
		r->ended(r->control, r->operation, status, answer);
		r->ended = NULL;
	} else {
		log_end_of(r, status);
	}
	if (r->http != NULL && r->begun) {
		request_line(r, json_pack("{s:o}", lines_key, json_incref(answer)));
		if (r->http != NULL)
			httpd_end(r->http);
	} else if (r->http != NULL) {
		size_t len;
		char *text = json_bytes(answer, &len);

		httpd_answer(r->http, status, JSON_TYPE, text, len);
		free(text);
	}
	json_decref(answer);
	request_free(r);
}

void
request_answer(struct request *r, json_t *answer)
{
	finish(r, 200, "result", answer);
}

void
request_answer_status(struct request *r, int status, json_t *answer)
{
	finish(r, status, "result", answer);
}

void
request_answer_bytes(struct request *r, const char *type, const void *bytes, size_t len)
{
	log_end_of(r, 200);
	if (r->http != NULL)
		httpd_answer(r->http, 200, type, bytes, len);
	request_free(r);
}

void
request_fail_postmark(struct request *r, int status, const char *code, const char *todo,
    json_t *postmark, const char *message)
{
	json_t *error = json_object(), *done;
	struct buf minded;

	buf_init(&minded, MOST_TODO);
	done = r->half_way != NULL ? r->half_way(r, &minded) : NULL;
	if (done != NULL) {
		/* Whoever repeats all of it does that twice. */
		code = "half-way";
		if (todo != NULL)
			buf_addf(&minded, "; %s", todo);
		todo = minded.data;
		if (postmark != NULL)
			json_object_update(done, postmark);
		json_decref(postmark);
		postmark = done;
	}
	json_object_set_new(error, "status", json_integer(status));
	json_object_set_new(error, "code", json_string(code));
	json_object_set_new(error, "message", json_text(message));
	if (todo != NULL)
		json_object_set_new(error, "todo", json_text(todo));
	if (postmark != NULL)
		json_object_set_new(error, "postmark", postmark);
	buf_free(&minded);
	if (r->http != NULL && r->begun)
		finish(r, status, "error", error);
	else
		finish(r, status, NULL, json_pack("{s:o}", "error", error));
}

void
request_fail(
    struct request *r, int status, const char *code, const char *todo, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	request_fail_postmark(r, status, code, todo, NULL, text);
}

void
request_end_lines(struct request *r)
{
	log_end_of(r, 200);
	request_begin_lines(r);
	if (r->http != NULL)
		httpd_end(r->http);
	request_free(r);
}

void
request_drop(struct request *r)
{
	request_free(r);
}

/* --- lines ---------------------------------------------------------------------------------- */

void
request_begin_lines(struct request *r)
{
	if (r->http != NULL && !r->begun) {
		r->begun = true;
		httpd_begin(r->http, 200, LINES_TYPE);
	}
}

void
request_line(struct request *r, json_t *line)
{
	size_t len;
	char *text;

	if (r->http == NULL) {
		json_decref(line);
		return;
	}
	request_begin_lines(r);
	text = json_bytes(line, &len);
	json_decref(line);
	text[len] = '\n'; /* the NUL's place: the piece is counted */
	httpd_piece(r->http, text, len + 1);
	free(text);
}

void
request_progress(struct request *r, uint64_t done, uint64_t of, const char *text)
{
	if (r->lines)
		request_line(r, json_pack("{s:{s:I,s:I,s:s}}", "progress", "done", (json_int_t)done,
				    "of", (json_int_t)of, "text", text));
}

bool
request_is_slow(const struct request *r)
{
	return r->http != NULL && r->begun && httpd_unsent(r->http) > MOST_UNSENT;
}

/* --- arguments ------------------------------------------------------------------------------ */

json_t *
value_json(const struct request *r, const char *name)
{
	json_t *value = json_object_get(r->values, name);

	return json_is_null(value) ? NULL : value;
}

const char *
value_string(const struct request *r, const char *name)
{
	return json_string_value(value_json(r, name));
}

int64_t
value_integer(const struct request *r, const char *name, int64_t otherwise)
{
	json_t *value = value_json(r, name);

	return json_is_integer(value) ? json_integer_value(value) : otherwise;
}

bool
value_true(const struct request *r, const char *name)
{
	return json_is_true(value_json(r, name));
}

bool
value_given(const struct request *r, const char *name)
{
	return value_json(r, name) != NULL;
}

char *
request_by(const struct request *r)
{
	const char *reason = value_string(r, "reason");
	char shown[MOST_REASON];

	if (reason == NULL)
		return mem_string(r->who);
	return mem_format(
	    "%s: %s", r->who, text_safe(shown, sizeof(shown), reason, strlen(reason)));
}

const struct connection *
request_connection(struct request *r)
{
	const char *name = value_string(r, "connection");
	const struct connection *connection = config_connection(r->control->config, name);

	if (connection == NULL)
		request_fail(r, 400, "arguments",
		    "name one that the configuration has: pmrelayctl show config",
		    "there is no connection called \"%s\"", name);
	return connection;
}

struct store_reader *
control_reader(struct control *c)
{
	int64_t left_out;

	if (c->reader == NULL)
		c->reader =
		    store_reader_open("sqlite", c->config->spool_folder, c->why, sizeof(c->why));
	if (c->reader == NULL && log_gate_pass(&c->reader_gate, 10000, &left_out))
		log_error("control-reader", log_str("folder", c->config->spool_folder),
		    log_str("why", c->why), log_num("left_out", left_out));
	return c->reader;
}

struct store_reader *
request_reader(struct request *r)
{
	struct store_reader *reader = control_reader(r->control);

	if (reader == NULL)
		request_fail(r, 503, "spool", "look at the log: event=spool-broken",
		    "the spool cannot be read: %s", r->control->why);
	return reader;
}
