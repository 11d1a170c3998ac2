/* A request of the operator's own to Postmark, with the connector's rules for trying again. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/strlist.h"
#include "base/text.h"
#include "config/config.h"
#include "operations/operation.h"
#include "postmark/client.h"

#include "control/inside.h"

#define MOST_BODY      ((size_t)128 * 1024 * 1024)
#define MOST_URL       ((size_t)64 * 1024)
#define MOST_ANSWER    ((size_t)128 * 1024 * 1024)
#define BACKOFF_MS     INT64_C(500)
#define MOST_BACKOFF   INT64_C(60000)
#define BOUNDARY_BYTES 16
/* At Postmark at once, of the connections of control.c: one that hangs leaves some to others. */
#define MOST_AT_ONCE 6

struct raw {
	struct request *request;
	struct loop_timer *timer;
	const char *method; /* of the request's values */
	char *path;
	struct strlist headers; /* NULL-terminated when there is one */
	struct buf body;
	bool has_body;
	char *content_type; /* NULL: JSON */
	struct secret *token;
	struct postmark_piece piece;
	unsigned tries;
	bool resting; /* between two tries */
	bool queued;  /* among those that wait for their turn */
	bool turn;    /* has it, and did not use it yet */
	struct raw *next, *prev;
	int64_t started_ms;
};

/* --- whose turn it is ----------------------------------------------------------------------- */

static void
queue_add(struct raw_queue *queue, struct raw *raw)
{
	raw->queued = true;
	raw->next = NULL;
	raw->prev = queue->last;
	if (raw->prev != NULL)
		raw->prev->next = raw;
	else
		queue->first = raw;
	queue->last = raw;
}

static void
queue_remove(struct raw_queue *queue, struct raw *raw)
{
	raw->queued = false;
	if (raw->prev != NULL)
		raw->prev->next = raw->next;
	else
		queue->first = raw->next;
	if (raw->next != NULL)
		raw->next->prev = raw->prev;
	else
		queue->last = raw->prev;
}

/* A turn that has ended goes to the one that waits for it longest. */
static void
turn_end(struct control *control)
{
	struct raw_queue *queue = &control->raws;
	struct raw *raw = queue->first;

	if (raw == NULL) {
		queue->open--;
		return;
	}
	queue_remove(queue, raw);
	raw->turn = true;
	loop_timer_set(raw->timer, 0); /* not from within what has just ended */
}

/* Of the ticket of a call, which has ended in whatever way. */
static void
call_ended(void *ctx)
{
	turn_end(ctx);
}

static void
raw_free(void *work)
{
	struct raw *raw = work;
	struct control *control = raw->request->control;

	if (raw->queued)
		queue_remove(&control->raws, raw);
	if (raw->turn)
		turn_end(control);
	loop_timer_free(&raw->timer);
	free(raw->path);
	strlist_free(&raw->headers);
	buf_free(&raw->body);
	free(raw->content_type);
	secret_free(&raw->token);
	free(raw);
}

/* --- the request ---------------------------------------------------------------------------- */

static int
make_path(struct request *r, struct raw *raw)
{
	const char *path = value_string(r, "path"), *name;
	char separator = strchr(path, '?') != NULL ? '&' : '?';
	json_t *value;
	struct buf out;

	for (const char *c = path; *c != '\0'; c++) {
		if ((unsigned char)*c > ' ' && (unsigned char)*c < 0x7f && *c != '#')
			continue;
		request_fail(r, 400, "arguments", "encode it as %XX",
		    "the path has a character that no URL has");
		return -1;
	}
	if (path[0] != '/' || path[1] == '/') {
		request_fail(r, 400, "arguments", NULL,
		    "the path begins with one slash, as /servers/4711; the base URL is known");
		return -1;
	}
	buf_init(&out, MOST_URL);
	buf_adds(&out, path);
	json_object_foreach(value_json(r, "query"), name, value)
	{
		buf_addc(&out, separator);
		remote_encode(&out, name, false);
		buf_addc(&out, '=');
		remote_encode(&out, json_string_value(value), false);
		separator = '&';
	}
	if (out.over) {
		buf_free(&out);
		request_fail(r, 400, "arguments", NULL, "path and query are too long for a URL");
		return -1;
	}
	raw->path = buf_take(&out, &(size_t){ 0 });
	return 0;
}

static void
make_headers(struct request *r, struct raw *raw)
{
	json_t *each;
	size_t index;

	json_array_foreach(value_json(r, "headers"), index, each)
	{
		const char *name = json_string_value(json_object_get(each, "Name"));
		const char *value = json_string_value(json_object_get(each, "Value"));

		if (name != NULL && value != NULL)
			strlist_take(&raw->headers, mem_format("%s: %s", name, value));
	}
}

/* Field and file names stand in quotes (RFC 7578 4.2, HTML "multipart/form-data"). */
static void
add_quoted(struct buf *out, const char *text)
{
	buf_addc(out, '"');
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\r' || *text == '\n')
			buf_addf(out, "%%%02X", (unsigned char)*text);
		else
			buf_addc(out, *text);
	}
	buf_addc(out, '"');
}

static void
add_part(struct buf *out, const char *boundary, const char *field, const char *file_name,
    const char *bytes, size_t len)
{
	buf_addf(out, "--%s\r\nContent-Disposition: form-data; name=", boundary);
	add_quoted(out, field);
	if (file_name != NULL) {
		buf_adds(out, "; filename=");
		add_quoted(out, file_name);
		buf_adds(out, "\r\nContent-Type: application/octet-stream");
	}
	buf_adds(out, "\r\n\r\n");
	buf_add(out, bytes, len);
	buf_adds(out, "\r\n");
}

static void
make_boundary(char out[2 * BOUNDARY_BYTES + 1])
{
	unsigned char bytes[BOUNDARY_BYTES];

	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		memset(bytes, 0x5a, sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

static int
make_form(struct request *r, struct raw *raw)
{
	json_t *names = value_json(r, "file-names"), *value;
	char boundary[2 * BOUNDARY_BYTES + 1];
	const char *field;

	json_object_foreach(names, field, value)
	{
		if (json_object_get(value_json(r, "files"), field) != NULL)
			continue;
		request_fail(r, 400, "arguments", NULL,
		    "file-names has a field that files has not: the keys must be the same");
		return -1;
	}
	make_boundary(boundary);
	json_object_foreach(value_json(r, "form"), field, value) add_part(
	    &raw->body, boundary, field, NULL, json_string_value(value), json_string_length(value));
	json_object_foreach(value_json(r, "files"), field, value)
	{
		const char *text = json_string_value(
		    json_is_object(value) ? json_object_get(value, "content") : value);
		const char *name = json_string_value(json_object_get(names, field));
		size_t len;
		char *bytes = text != NULL ? base64_decode(text, strlen(text), &len) : NULL;

		if (bytes == NULL) {
			request_fail(r, 400, "arguments", NULL, "files: no base64");
			return -1;
		}
		if (name == NULL && json_is_object(value))
			name = json_string_value(json_object_get(value, "name"));
		add_part(&raw->body, boundary, field, name != NULL ? name : field, bytes, len);
		free(bytes);
	}
	buf_addf(&raw->body, "--%s--\r\n", boundary);
	raw->content_type = mem_format("multipart/form-data; boundary=%s", boundary);
	return 0;
}

static int
make_body(struct request *r, struct raw *raw)
{
	json_t *data = value_json(r, "data");
	bool form = value_given(r, "form") || value_given(r, "files");

	if (data != NULL && form) {
		request_fail(r, 400, "arguments", NULL, "give data or a form, not both");
		return -1;
	}
	raw->has_body = data != NULL || form;
	if (raw->has_body && strcmp(raw->method, "HEAD") == 0) {
		request_fail(r, 400, "arguments", NULL, "HEAD has no body");
		return -1;
	}
	if (form)
		return make_form(r, raw);
	if (json_is_string(data)) {
		buf_add(&raw->body, json_string_value(data), json_string_length(data));
	} else if (data != NULL) {
		char *text = json_dumps(data, JSON_COMPACT | JSON_ENCODE_ANY);

		buf_adds(&raw->body, text);
		free(text);
	}
	return 0;
}

/* --- the answer ----------------------------------------------------------------------------- */

/* Sets what it is as well, since it may be another than was asked for. */
static json_t *
body_as(struct request *r, const struct postmark_answer *answer, const char **type_r)
{
	const char *type = value_string(r, "response-type");
	json_t *json;
	char *text;

	*type_r = "json";

	if (strcmp(type, "json") == 0) {
		json = json_loadb(answer->body, answer->len, JSON_DECODE_ANY, NULL);
		remote_mask(r, json);
		if (json != NULL || answer->len == 0)
			return json != NULL ? json : json_null();
		type = "text"; /* it said something else: better that than nothing */
	}
	/* Many readers of JSON end a text at a NUL. */
	if (strcmp(type, "text") == 0 && memchr(answer->body, '\0', answer->len) == NULL) {
		*type_r = "text";
		return json_text(answer->body);
	}
	*type_r = "binary";
	text = base64_encode(answer->body, answer->len);
	json = json_string(text);
	free(text);
	return json;
}

static bool
again(struct request *r, const struct raw *raw, const struct postmark_answer *answer)
{
	bool good =
	    answer->end == POSTMARK_ANSWERED && answer->status >= 200 && answer->status < 300;

	if (good || raw->tries > (unsigned)value_integer(r, "max-retries", 0) || r->http == NULL)
		return false;
	return answer->end != POSTMARK_ANSWERED || answer->status >= 500 ||
	       value_true(r, "retry-all-errors");
}

static int64_t
delay_of(struct request *r, const struct raw *raw)
{
	int64_t delay_ms = BACKOFF_MS;

	if (!value_true(r, "exponential-backoff"))
		return value_integer(r, "retry-delay", 0);
	for (unsigned i = 1; i < raw->tries && delay_ms < MOST_BACKOFF; i++)
		delay_ms *= 2;
	return delay_ms < MOST_BACKOFF ? delay_ms : MOST_BACKOFF;
}

static void
tried(void *ctx, const struct postmark_answer *answer)
{
	struct ticket *ticket = ctx;
	struct request *r = ticket->request;
	const char *type;
	struct raw *raw;
	json_t *body;

	ticket_free(&ticket);
	if (r == NULL)
		return;
	raw = r->work;
	if (value_true(r, "debug"))
		log_info("raw-answer", log_str("by", r->who), log_num("status", answer->status),
		    log_num("bytes", (int64_t)answer->len), log_str("type", answer->type),
		    log_str("request_id", answer->request_id), log_str("why", answer->error));
	if (again(r, raw, answer)) {
		raw->resting = true;
		loop_timer_set(raw->timer, delay_of(r, raw));
		return;
	}
	if (answer->end != POSTMARK_ANSWERED) {
		remote_fail_unanswered(r, answer, raw->tries);
		return;
	}
	if (answer->cut) {
		remote_fail_too_long(r, answer, MOST_ANSWER);
		return;
	}
	body = body_as(r, answer, &type);
	request_answer(
	    r, json_pack("{s:i,s:o,s:s,s:i,s:I,s:s,s:o}", "status", answer->status, "type",
		   json_text(answer->type), "request_id", answer->request_id, "tries",
		   (int)raw->tries, "elapsed_ms", (json_int_t)(clock_mono_ms() - raw->started_ms),
		   "body_type", type, "body", body));
}

static void
try_once(void *ctx)
{
	struct raw *raw = ctx;
	struct request *r = raw->request;
	const struct postmark_request request = {
		.method = raw->method,
		.path = raw->path,
		.token = raw->token,
		.account = value_true(r, "account"),
		.content_type = raw->content_type,
		.headers = (const char *const *)raw->headers.items,
		.pieces = &raw->piece,
		.piece_count = raw->has_body ? 1 : 0,
		.timeout_ms =
		    value_integer(r, "timeout", r->control->config->postmark_single_timeout_ms),
		.most_answer_bytes = MOST_ANSWER,
	};

	struct control *control = r->control;
	struct ticket *ticket;

	raw->resting = false;
	if (!raw->turn && control->raws.open >= MOST_AT_ONCE) {
		queue_add(&control->raws, raw);
		return;
	}
	if (!raw->turn)
		control->raws.open++;
	raw->turn = false; /* it is the call's now */
	raw->tries++;
	if (value_true(r, "debug"))
		log_info("raw-request", log_str("by", r->who), log_str("method", raw->method),
		    log_str("path", raw->path), log_num("bytes", (int64_t)raw->body.len),
		    log_num("try", raw->tries));
	ticket = ticket_new(r);
	ticket->more = control;
	ticket->more_free = call_ended;
	postmark_submit(control->client, &request, tried, ticket);
}

/* What is out goes on to its end, but nothing is tried for nobody. */
static void
raw_gone(struct request *r)
{
	const struct raw *raw = r->work;

	if (raw->resting || raw->queued || raw->turn)
		request_fail(r, 499, "gone", NULL, "the client went after %u tries", raw->tries);
}

void
raw_run(struct request *r)
{
	const struct connection *connection = request_connection(r);
	const struct secret *token;
	struct raw *raw;

	if (connection == NULL)
		return;
	token = remote_token(r, connection, value_true(r, "account"));
	if (token == NULL)
		return;
	raw = mem_new(sizeof(*raw));
	raw->request = r;
	raw->method = value_string(r, "method");
	raw->token = secret_copy(token);
	raw->timer = loop_timer_new(r->control->loop, try_once, raw);
	raw->started_ms = clock_mono_ms();
	buf_init(&raw->body, MOST_BODY);
	r->work = raw;
	r->work_free = raw_free;
	r->gone = raw_gone;
	if (make_path(r, raw) != 0 || make_body(r, raw) != 0)
		return;
	if (raw->body.over) {
		request_fail(r, 413, "arguments", NULL, "the body is too long");
		return;
	}
	make_headers(r, raw);
	if (raw->headers.count > 0)
		strlist_take(&raw->headers, NULL);
	raw->piece = (struct postmark_piece){
		.data = raw->body.data != NULL ? raw->body.data : "", .fd = -1, .len = raw->body.len
	};
	try_once(raw);
}
