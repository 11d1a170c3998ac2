/*
 * Calls to Postmark: a row of the table and checked arguments to a request, an answer to what is
 * best said about it.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/text.h"
#include "config/config.h"
#include "operations/operation.h"
#include "postmark/client.h"

#include "control/ensure_plan.h"
#include "control/inside.h"

#define MOST_ANSWER ((size_t)256 * 1024 * 1024) /* a dump of suppressions has no pages */
#define MOST_URL    ((size_t)64 * 1024)
#define MOST_MIB    ((size_t)1024 * 1024)
#define PAGE        500
/* Postmark lists no further where it searches mails and bounces; elsewhere it does. */
#define MOST_WINDOW 10000
#define LOST_TODO   "whether it was done is not known: look before you repeat it"
#define MASK        "********"

/* --- paths ---------------------------------------------------------------------------------- */

void
remote_encode(struct buf *out, const char *text, bool keep_slash)
{
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		    strchr("-_.~", c) != NULL || (keep_slash && c == '/'))
			buf_addc(out, (char)c);
		else
			buf_addf(out, "%%%02X", c);
	}
}

/* A value as it stands in a URL; caller frees. */
static char *
value_text(const json_t *value)
{
	if (json_is_string(value))
		return mem_string(json_string_value(value));
	if (json_is_integer(value))
		return mem_format("%lld", (long long)json_integer_value(value));
	if (json_is_boolean(value))
		return mem_string(json_is_true(value) ? "true" : "false");
	return json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
}

static void
add_query_pair(struct buf *out, const char *name, const json_t *value)
{
	char *text = value_text(value);

	buf_addc(out, memchr(out->data, '?', out->len) == NULL ? '?' : '&');
	remote_encode(out, name, false);
	buf_addc(out, '=');
	remote_encode(out, text != NULL ? text : "", false);
	free(text);
}

static void
add_argument_to_query(struct buf *out, const struct argument *a, json_t *value)
{
	size_t star = strcspn(a->remote, "*");
	const char *key;
	json_t *each;
	size_t index;

	if (a->remote[star] == '*') {
		json_object_foreach(value, key, each)
		{
			char *name = mem_format("%.*s%s", (int)star, a->remote, key);

			add_query_pair(out, name, each);
			free(name);
		}
	} else if (json_is_array(value)) {
		json_array_foreach(value, index, each) add_query_pair(out, a->remote, each);
	} else {
		add_query_pair(out, a->remote, value);
	}
}

/* Fills the braces of a template; names that were used go into used. */
static int
fill_path(struct request *r, const char *template, struct buf *out, json_t *used)
{
	for (const char *at = template; *at != '\0'; at++) {
		bool raw = at[0] == '{' && at[1] == '+';
		char name[64], *text;
		size_t len;

		if (*at != '{') {
			buf_addc(out, *at);
			continue;
		}
		at += raw ? 2 : 1;
		len = strcspn(at, "}");
		snprintf(name, sizeof(name), "%.*s", (int)len, at);
		at += len;
		if (!value_given(r, name)) {
			request_fail(
			    r, 400, "arguments", NULL, "%s needs %s", r->operation->name, name);
			return -1;
		}
		text = value_text(value_json(r, name));
		/* libcurl takes such a segment away (RFC 3986 5.2.4), which makes another call. */
		if (strcmp(text, ".") == 0 || strcmp(text, "..") == 0) {
			free(text);
			request_fail(r, 400, "arguments", NULL, "%s cannot be dots alone", name);
			return -1;
		}
		remote_encode(out, text, raw);
		free(text);
		json_object_set_new(used, name, json_true());
	}
	return 0;
}

/* The row has a path for "the current one", and nobody named another. */
static bool
is_current(const struct request *r)
{
	const struct argument *in_path = operation_argument_at(r->operation, IN_PATH);

	return r->operation->remote_path_current != NULL &&
	       (in_path == NULL || !value_given(r, in_path->name));
}

char *
remote_path(struct request *r)
{
	const struct operation *o = r->operation;
	bool current = is_current(r);
	const char *template = current ? o->remote_path_current : o->remote_path;
	bool in_query =
	    strcmp(o->remote_method, "GET") == 0 || strcmp(o->remote_method, "DELETE") == 0;
	json_t *used = json_object();
	struct buf out;
	char *path = NULL;

	buf_init(&out, MOST_URL);
	if (fill_path(r, template, &out, used) != 0)
		goto end;
	for (const struct argument *a = o->arguments; in_query && a->name != NULL; a++)
		if (a->remote != NULL && value_given(r, a->name) &&
		    json_object_get(used, a->name) == NULL)
			add_argument_to_query(&out, a, value_json(r, a->name));
	if (out.over)
		request_fail(r, 400, "arguments", NULL, "the arguments are too long for a URL");
	else
		path = buf_take(&out, &(size_t){ 0 });
end:
	buf_free(&out);
	json_decref(used);
	return path;
}

/* --- bodies --------------------------------------------------------------------------------- */

static json_t *
member_object(json_t *object, const char *name)
{
	json_t *member = json_object_get(object, name);

	if (!json_is_object(member)) {
		member = json_object();
		json_object_set_new(object, name, member);
	}
	return member;
}

/* "HttpAuth.Username", "Suppressions[].EmailAddress". */
static void
put_member(json_t *object, const char *path, json_t *value)
{
	const char *list = strstr(path, "[].");
	const char *dot = strchr(path, '.');
	char name[64];

	if (list != NULL) {
		json_t *array = json_array(), *each;
		size_t index;

		snprintf(name, sizeof(name), "%.*s", (int)(list - path), path);
		json_array_foreach(value, index, each)
		    json_array_append_new(array, json_pack("{s:O}", list + 3, each));
		json_object_set_new(object, name, array);
	} else if (dot != NULL) {
		snprintf(name, sizeof(name), "%.*s", (int)(dot - path), path);
		put_member(member_object(object, name), dot + 1, value);
	} else {
		json_object_set(object, path, value);
	}
}

json_t *
remote_body(struct request *r)
{
	json_t *body = json_object();

	for (const struct argument *a = r->operation->arguments; a->name != NULL; a++)
		if (a->remote != NULL && a->place != IN_PATH && value_given(r, a->name) &&
		    strchr(a->remote, '*') == NULL)
			put_member(body, a->remote, value_json(r, a->name));
	return body;
}

/* --- what must not be seen ------------------------------------------------------------------ */

static bool
in_list(const char *list, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = list; *at != '\0'; at += strcspn(at, ","), at += *at == ',')
		if (strcspn(at, ",") == len && strncmp(at, name, len) == 0)
			return true;
	return false;
}

static void
mask_strings(json_t *json)
{
	json_t *each;
	size_t index;
	const char *key;

	if (json_is_string(json) && json_string_length(json) > 0)
		json_string_set(json, MASK);
	json_array_foreach(json, index, each) mask_strings(each);
	json_object_foreach(json, key, each) mask_strings(each);
}

/* "https://user:secret@host/": Postmark takes credentials there, too. */
static void
mask_url(json_t *json)
{
	const char *url = json_string_value(json);
	const char *host = url != NULL ? strstr(url, "://") : NULL;
	size_t len = host != NULL ? strcspn(host + 3, "/?#") : 0;
	const char *at = host != NULL ? memrchr(host + 3, '@', len) : NULL;
	char *masked;

	if (at == NULL)
		return;
	masked = mem_format("%.*s" MASK "%s", (int)(host + 3 - url), url, at);
	json_string_set(json, masked);
	free(masked);
}

/* The last part of the path of a webhook of ours is a secret. */
#define LEAST_PATH_SECRET 16

static void
mask_path(json_t *json, const char *public_url)
{
	const char *url = json_string_value(json);
	const char *path =
	    public_url[0] != '\0' && url != NULL ? ensure_path_here(url, public_url) : NULL;
	const char *last = path != NULL ? strrchr(path, '/') : NULL;
	size_t len;
	char *masked;

	last = last != NULL ? last + 1 : path;
	len = last != NULL ? strcspn(last, "?#") : 0;
	if (len < LEAST_PATH_SECRET)
		return;
	masked = mem_format("%.*s" MASK "%s", (int)(last - url), url, last + len);
	json_string_set(json, masked);
	free(masked);
}

char *
remote_masked_url(const char *url, const char *public_url)
{
	json_t *json = json_string(url);
	char *masked;

	mask_url(json);
	mask_path(json, public_url);
	masked = mem_string(json != NULL ? json_string_value(json) : "");
	json_decref(json);
	return masked;
}

static void
mask(json_t *json, const char *secrets, const char *public_url)
{
	const char *key;
	json_t *each;
	size_t index;

	json_array_foreach(json, index, each) mask(each, secrets, public_url);
	json_object_foreach(json, key, each)
	{
		if (in_list(secrets, key)) {
			mask_strings(each);
		} else if (json_is_string(each) && text_find_same(key, "url") != NULL) {
			mask_url(each);
			mask_path(each, public_url);
		} else {
			mask(each, secrets, public_url);
		}
	}
}

/* true: there was something. */
static bool
hide(json_t *json, const char *contents)
{
	bool hidden = false;
	const char *key;
	json_t *each;
	size_t index;

	json_array_foreach(json, index, each) hidden = hide(each, contents) || hidden;
	json_object_foreach(json, key, each)
	{
		if (!in_list(contents, key)) {
			hidden = hide(each, contents) || hidden;
		} else if (!json_is_null(each)) {
			json_object_set_new(json, key, json_null());
			hidden = true;
		}
	}
	return hidden;
}

void
remote_mask(struct request *r, json_t *answer)
{
	const struct operation *o = r->operation;
	const char *tokens = value_string(r, "tokens");

	if (o->secrets != NULL && (tokens == NULL || strcmp(tokens, "show") != 0))
		mask(answer, o->secrets, r->control->config->webhook_public_url);
	if (o->contents != NULL && !r->admin && hide(answer, o->contents))
		json_object_set_new(answer, "note", json_string(operation_hidden_note));
}

/* --- calls ---------------------------------------------------------------------------------- */

struct call {
	struct ticket *ticket;
	char *path, *body;
	struct secret *token;
	struct postmark_piece piece;
	remote_done_fn *done;
	void *ctx;
};

/* Of the ticket: frees what the call holds, and the call. */
static void
call_free(void *ctx)
{
	struct call *call = ctx;

	free(call->path);
	free(call->body);
	secret_free(&call->token);
	free(call);
}

static void
call_done(void *ctx, const struct postmark_answer *answer)
{
	struct call *call = ctx;
	struct request *r = call->ticket->request;
	remote_done_fn *done = call->done;
	void *done_ctx = call->ctx;
	json_t *json = NULL;

	if (r != NULL && answer->end == POSTMARK_ANSWERED && !answer->cut)
		json = json_loadb(answer->body, answer->len, JSON_DECODE_ANY, NULL);
	ticket_free(&call->ticket);
	if (r != NULL)
		done(r, answer, json, done_ctx);
	json_decref(json);
}

const struct secret *
remote_token(struct request *r, const struct connection *connection, bool account)
{
	const struct secret *token = account ? connection->account_token : connection->server_token;

	if (token == NULL)
		request_fail(r, 409, "token",
		    account ? "set account-token-file in the configuration and reload"
			    : "set token-file in the configuration and reload",
		    "the connection \"%s\" has no %s token", connection->name,
		    account ? "account" : "server");
	return token;
}

int
remote_submit(struct request *r, const struct connection *connection,
    const struct remote_call *wanted, remote_done_fn *done, void *ctx)
{
	const struct secret *token = remote_token(r, connection, wanted->account);
	struct postmark_request request;
	struct call *call;

	if (token == NULL)
		return -1;
	call = mem_new(sizeof(*call));
	call->ticket = ticket_new(r);
	call->ticket->more = call;
	call->ticket->more_free = call_free;
	call->done = done;
	call->ctx = ctx;
	call->path = mem_string(wanted->path);
	call->token = secret_copy(token);
	if (wanted->body != NULL)
		call->body = json_dumps(wanted->body, JSON_COMPACT | JSON_ENCODE_ANY);
	if (call->body != NULL)
		call->piece = (struct postmark_piece){
			.data = call->body, .fd = -1, .len = strlen(call->body)
		};
	request = (struct postmark_request){
		.method = wanted->method,
		.path = call->path,
		.token = call->token,
		.account = wanted->account,
		.pieces = &call->piece,
		.piece_count = call->body != NULL ? 1 : 0,
		.timeout_ms = wanted->timeout_ms > 0
				  ? wanted->timeout_ms
				  : r->control->config->postmark_single_timeout_ms,
		.most_answer_bytes =
		    wanted->most_answer_bytes > 0 ? wanted->most_answer_bytes : MOST_ANSWER,
	};
	postmark_submit(wanted->health ? r->control->health_client : r->control->client, &request,
	    call_done, call);
	return 0;
}

/* --- what an answer means for people --------------------------------------------------------- */

static const struct {
	int code;
	const char *todo;
} todos[] = {
	{ 10, "check the token of this connection: server tokens and account tokens differ" },
	{ 300, "correct what Postmark names and send it again" },
	{ 400, "confirm the sender at Postmark: pmrelayctl sender create, or domain create" },
	{ 406, "see why with: pmrelayctl suppression list; lift it with: suppression delete" },
	{ 411, "put the file into an archive" },
	{ 412, "until Postmark approves the account, mail the From domain only" },
	{ 413, "ask Postmark to approve the account" },
	{ 600, "count is 1 to 500, offset 0 or more" },
	{ 603, "choose another name: pmrelayctl server list" },
	{ 604, "ask Postmark's support to allow deleting servers by API" },
	{ 701, "look for it with: pmrelayctl message list" },
	{ 1101, "see which there are: pmrelayctl template list" },
	{ 1123, "leave out subject and bodies: the template has them" },
	{ 1226, "see which there are: pmrelayctl stream list" },
	{ 1235, "see which there are: pmrelayctl stream list" },
	{ 1236, "choose a stream that sends: pmrelayctl stream list" },
	{ 1352, "see which there are: pmrelayctl webhook list --all" },
	{ 1359, "delete one first: pmrelayctl webhook list --all" },
	{ 1364, "make the URL answer 200, or create it with --no-verify" },
	{ 1480, "add this machine's address to the allow-list at Postmark" },
};

static const char *
todo_of(int code)
{
	for (size_t i = 0; i < sizeof(todos) / sizeof(todos[0]); i++)
		if (todos[i].code == code)
			return todos[i].todo;
	return NULL;
}

void
remote_fail_unanswered(struct request *r, const struct postmark_answer *answer, unsigned tries)
{
	bool lost = answer->end == POSTMARK_LOST && r->operation->changes;
	char after[32];

	snprintf(after, sizeof(after), " after %u tries", tries);
	request_fail(r, lost ? 504 : 502, "unreachable",
	    lost ? LOST_TODO : "check the network and the option url of section postmark",
	    "no answer from Postmark%s: %s", tries > 1 ? after : "", answer->error);
}

void
remote_fail_too_long(struct request *r, const struct postmark_answer *answer, size_t most)
{
	request_fail(r, 502, "answer",
	    r->operation->changes ? "it was done, perhaps: look before you repeat it"
				  : "ask for less at once",
	    "Postmark's answer (HTTP %d) is longer than %zu MiB", answer->status, most / MOST_MIB);
}

bool
remote_is_good(struct request *r, const struct postmark_answer *answer, json_t *json)
{
	json_t *code = json_object_get(json, "ErrorCode");
	const char *message = json_string_value(json_object_get(json, "Message"));
	int number = json_is_integer(code) ? (int)json_integer_value(code) : 0;
	int status = answer->status;
	char text[128];

	if (answer->end != POSTMARK_ANSWERED) {
		remote_fail_unanswered(r, answer, 1);
		return false;
	}
	if (answer->cut) {
		remote_fail_too_long(r, answer, MOST_ANSWER);
		return false;
	}
	if (status == 200 && json == NULL) {
		request_fail(r, 502, "answer",
		    r->operation->changes ? LOST_TODO
					  : "try again, and look at Postmark's status page",
		    "Postmark's answer is no JSON");
		return false;
	}
	if (status == 200)
		return true;
	snprintf(text, sizeof(text), "Postmark answered HTTP %d", status);
	request_fail_postmark(r,
	    status == 404   ? 404
	    : status == 429 ? 503
	    : status >= 500 ? 502
			    : 422,
	    status == 401 ? "token" : "postmark",
	    status == 429 ? "try again more slowly" : todo_of(number),
	    json_is_object(json) ? json_incref(json) : NULL, message != NULL ? message : text);
	return false;
}

/* --- RUN_REMOTE ----------------------------------------------------------------------------- */

static void
remote_done(struct request *r, const struct postmark_answer *answer, json_t *json, void *ctx)
{
	(void)ctx;
	if (!remote_is_good(r, answer, json))
		return;
	remote_mask(r, json);
	request_answer(r, json_incref(json));
}

void
remote_run(struct request *r)
{
	const struct operation *o = r->operation;
	bool current = is_current(r);
	bool has_body =
	    strcmp(o->remote_method, "GET") != 0 && strcmp(o->remote_method, "DELETE") != 0;
	struct remote_call call = { .method = o->remote_method,
		.account = o->token == TOKEN_ACCOUNT && !current };
	const struct connection *connection = request_connection(r);
	char *path;
	json_t *body;

	if (connection == NULL)
		return;
	path = remote_path(r);
	if (path == NULL)
		return;
	body = has_body ? remote_body(r) : NULL;
	call.path = path;
	call.body = body;
	remote_submit(r, connection, &call, remote_done, NULL);
	json_decref(body);
	free(path);
}

/* --- RUN_PAGES ------------------------------------------------------------------------------ */

struct pages {
	json_t *answer; /* the first page, to whose array the others are added */
	int64_t offset;
};

static void
pages_free(void *work)
{
	struct pages *pages = work;

	json_decref(pages->answer);
	free(pages);
}

static void pages_next(struct request *);

/* The array of a page: the one that the table shows. */
static json_t *
rows_of(const struct request *r, json_t *answer)
{
	const char *rows = r->operation->rows;

	return rows != NULL && rows[0] != '\0' ? json_object_get(answer, rows) : NULL;
}

static void
pages_end(struct request *r, bool cut)
{
	json_t *answer = json_incref(((struct pages *)r->work)->answer);

	remote_mask(r, answer);
	if (cut) {
		json_object_set_new(answer, "cut", json_true());
		json_object_set_new(answer, "note",
		    json_string("Postmark lists no more than the first 10,000: ask for less at "
				"once, with dates (from-date, to-date) or other filters"));
	}
	request_answer(r, answer);
}

static void
page_done(struct request *r, const struct postmark_answer *answer, json_t *json, void *ctx)
{
	struct pages *pages = r->work;
	bool beyond = pages->answer != NULL && pages->offset >= MOST_WINDOW;
	json_t *rows, *all;
	int64_t total, got;

	(void)ctx;
	/* A refusal there is of the page, not of what was asked for. */
	if (beyond && answer->end == POSTMARK_ANSWERED && answer->status == 422) {
		pages_end(r, true);
		return;
	}
	if (!remote_is_good(r, answer, json))
		return;
	rows = rows_of(r, json);
	got = (int64_t)json_array_size(rows);
	total = json_integer_value(json_object_get(json, "TotalCount"));
	if (pages->answer == NULL) {
		pages->answer = json_incref(json);
		all = rows;
	} else {
		all = rows_of(r, pages->answer);
		json_array_extend(all, rows);
	}
	pages->offset += got;
	request_progress(r, json_array_size(all), (uint64_t)total, "fetched");
	if (got > 0 && pages->offset < total && r->http != NULL)
		pages_next(r);
	else
		pages_end(r, beyond && pages->offset < total);
}

static void
pages_next(struct request *r)
{
	struct pages *pages = r->work;
	struct remote_call call = { .method = "GET",
		.account = r->operation->token == TOKEN_ACCOUNT };
	const struct connection *connection = request_connection(r);
	int64_t count = PAGE;
	char *path;

	if (connection == NULL)
		return;
	if (pages->offset < MOST_WINDOW && pages->offset + count > MOST_WINDOW)
		count = MOST_WINDOW - pages->offset;
	json_object_set_new(r->values, "offset", json_integer(pages->offset));
	json_object_set_new(r->values, "count", json_integer(count));
	path = remote_path(r);
	if (path == NULL)
		return;
	call.path = path;
	remote_submit(r, connection, &call, page_done, NULL);
	free(path);
}

void
remote_pages_run(struct request *r)
{
	struct pages *pages;

	if (!value_true(r, "all")) {
		remote_run(r);
		return;
	}
	pages = mem_new(sizeof(*pages));
	pages->offset = value_integer(r, "offset", 0);
	r->work = pages;
	r->work_free = pages_free;
	pages_next(r);
}
