/*
 * From bytes to an operation: who asks, what, with which arguments.  Whatever is wrong ends here;
 * the functions that run operations see checked values alone.
 */

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include <event2/http.h>
#include <event2/keyvalq_struct.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/httpd.h"
#include "base/mem.h"
#include "base/strlist.h"
#include "base/text.h"
#include "config/config.h"
#include "operations/operation.h"
#include "operations/values.h"

#include "control/inside.h"
#include "control/server.h"

#define MOST_WHY 2048
/* Values in a body: "[]," costs three bytes to send and a hundred to keep. */
#define MOST_VALUES       1000000
#define MOST_VALUES_LOOKS 10000 /* from those who may only look */

static run_fn *const runs[RUN_COUNT] = {
	[RUN_REMOTE] = remote_run,
	[RUN_RAW] = raw_run,
	[RUN_SEND] = send_run,
	[RUN_SEND_BATCH] = send_batch_run,
	[RUN_WEBHOOK_CREATE] = webhook_create_run,
	[RUN_WEBHOOK_LIST] = webhook_list_run,
	[RUN_WEBHOOK_DELETE] = webhook_delete_run,
	[RUN_WEBHOOK_ENSURE] = webhook_ensure_run,
	[RUN_SUPPRESSION_CHANGE] = suppression_change_run,
	[RUN_SUPPRESSION_CHECK] = suppression_check_run,
	[RUN_SUPPRESSION_SYNC] = suppression_sync_run,
	[RUN_PAGES] = remote_pages_run,
	[RUN_QUEUE_LIST] = queue_list_run,
	[RUN_QUEUE_SHOW] = queue_show_run,
	[RUN_QUEUE_CHANGE] = queue_change_run,
	[RUN_QUEUE_FLUSH] = queue_flush_run,
	[RUN_QUEUE_DRAIN] = queue_drain_run,
	[RUN_QUEUE_COUNT] = queue_count_run,
	[RUN_ROUTE_LIST] = route_list_run,
	[RUN_ROUTE_CHANGE] = route_change_run,
	[RUN_STATUS] = status_run,
	[RUN_EVENTS] = events_run,
	[RUN_EXPLAIN] = explain_run,
	[RUN_TOP] = top_run,
	[RUN_HEALTHCHECK] = healthcheck_run,
	[RUN_CONFIG] = config_run,
	[RUN_RELOAD] = reload_run,
	[RUN_LOG_LEVEL] = log_level_run,
	[RUN_VERSION] = version_run,
	[RUN_OPENAPI] = openapi_run,
};

/* --- who asks ------------------------------------------------------------------------------- */

/*
 * The mode of the Unix socket (0660) lets nobody in but its owner, root and its group, so whoever
 * is there and neither root nor us is of the group.
 */
static bool
know_peer(struct request *r, const struct httpd_peer *peer)
{
	const struct config *config = r->control->config;

	if (peer->local) {
		r->admin = peer->uid == 0 || peer->uid == geteuid();
		if (peer->uid == 0)
			strcpy(r->who, "root");
		else
			snprintf(r->who, sizeof(r->who), "uid %lu", (unsigned long)peer->uid);
		return true;
	}
	/* Marked, since a certificate may call itself "root". */
	strcpy(r->who, "CN ");
	text_safe(r->who + 3, sizeof(r->who) - 3, peer->subject, strlen(peer->subject));
	r->admin = strlist_has(&config->control_admins, peer->subject);
	return peer->subject[0] != '\0' &&
	       (r->admin || strlist_has(&config->control_readers, peer->subject));
}

/* --- arguments ------------------------------------------------------------------------------ */

static bool
takes_many(const struct argument *argument)
{
	return argument != NULL &&
	       (argument->kind == ARGUMENT_LIST || argument->kind == ARGUMENT_PAIRS);
}

/* 0, or -1: given twice. */
static int
add_text(const struct operation *operation, json_t *given, const char *name, const char *text)
{
	json_t *there = json_object_get(given, name);
	json_t *value = json_text(text);

	if (takes_many(operation_argument(operation, name))) {
		if (there == NULL) {
			there = json_array();
			json_object_set_new(given, name, there);
		}
		if (!json_is_array(there)) {
			json_decref(value);
			return -1;
		}
		json_array_append_new(there, value);
		return 0;
	}
	if (there != NULL) {
		json_decref(value);
		return -1;
	}
	json_object_set_new(given, name, value);
	return 0;
}

static int
add_query(const struct operation *operation, json_t *given, const char *query, struct buf *why)
{
	struct evkeyvalq pairs;
	struct evkeyval *pair;
	int rc = 0;

	TAILQ_INIT(&pairs);
	if (query[0] == '\0')
		return 0;
	if (evhttp_parse_query_str(query, &pairs) != 0) {
		buf_adds(why, "the query is not NAME=VALUE with & between");
		evhttp_clear_headers(&pairs);
		return -1;
	}
	TAILQ_FOREACH(pair, &pairs, next)
	{
		char *name = evhttp_uridecode(pair->key, 1, NULL); /* values are decoded already */
		char shown[80];

		if (rc == 0 && (name == NULL || !text_is_utf8(name, strlen(name)))) {
			buf_adds(why, "the query has a name that is no UTF-8");
			rc = -1;
		} else if (rc == 0 && add_text(operation, given, name, pair->value) != 0) {
			buf_addf(why, "%s is given twice",
			    text_safe(shown, sizeof(shown), name, strlen(name)));
			rc = -1;
		}
		free(name);
	}
	evhttp_clear_headers(&pairs);
	return rc;
}

static const struct argument *
whole_argument(const struct operation *operation)
{
	for (const struct argument *a = operation->arguments; a->name != NULL; a++)
		if (a->place == IN_WHOLE)
			return a;
	return NULL;
}

static bool
is_json_type(const char *type)
{
	return type != NULL && text_starts(type, "application/json");
}

/* Of what may be JSON: where a value begins or is parted from the next. */
static size_t
count_values(const char *body, size_t len)
{
	size_t count = 0;
	bool quoted = false;

	for (size_t i = 0; i < len; i++) {
		if (quoted && body[i] == '\\')
			i++;
		else if (body[i] == '"')
			quoted = !quoted;
		else if (!quoted)
			count += body[i] == ',' || body[i] == '[' || body[i] == '{';
	}
	return count;
}

static int
add_body(const struct operation *operation, json_t *given, struct httpd_request *http,
    bool must_be_json, struct buf *why)
{
	const struct argument *whole = whole_argument(operation);
	const char *type = httpd_header(http, "Content-Type");
	json_error_t error;
	size_t len;
	const char *body = httpd_body(http, &len);
	const char *name;
	json_t *json, *value;
	int rc = 0;

	if (len == 0)
		return 0;
	if (whole != NULL && whole->kind == ARGUMENT_BYTES && type != NULL &&
	    (text_starts(type, "message/rfc822") ||
		text_starts(type, "application/octet-stream"))) {
		char *text = base64_encode(body, len);

		json_object_set_new(given, whole->name, json_string(text));
		free(text);
		return 0;
	}
	/* A browser that holds a client certificate sends other types to other sites unasked. */
	if (must_be_json && !is_json_type(type)) {
		buf_adds(why, "a body needs Content-Type: application/json");
		return -1;
	}
	if (count_values(body, len) >
	    (operation->access == ACCESS_ADMIN ? MOST_VALUES : MOST_VALUES_LOOKS)) {
		buf_adds(why, "the body has too many values: ask in parts");
		return -1;
	}
	json = json_loadb(body, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	if (json == NULL) {
		buf_addf(why, "the body is not JSON: line %d, column %d: %s", error.line,
		    error.column, error.text);
		return -1;
	}
	if (!json_is_object(json) && whole != NULL) {
		json_object_set_new(given, whole->name, json);
		return 0;
	}
	if (!json_is_object(json)) {
		buf_adds(why, "the body is not a JSON object with the arguments by name");
		json_decref(json);
		return -1;
	}
	json_object_foreach(json, name, value)
	{
		if (json_object_get(given, name) != NULL) {
			char shown[80];

			buf_addf(why, "%s is given twice",
			    text_safe(shown, sizeof(shown), name, strlen(name)));
			rc = -1;
			break;
		}
		json_object_set(given, name, value);
	}
	json_decref(json);
	return rc;
}

static const struct argument *
path_argument(const struct operation *operation)
{
	const struct argument *first = operation->arguments;

	return first->name != NULL && first->place == IN_PATH ? first : NULL;
}

/* 0 and r->values, or -1 and why. */
static int
read_arguments(struct request *r, const char *id, struct buf *why)
{
	const struct operation *operation = r->operation;
	const struct argument *in_path = path_argument(operation);
	json_t *given = json_object();
	int rc = 0;

	if (id != NULL && in_path != NULL)
		rc = add_text(operation, given, in_path->name, id);
	if (rc == 0)
		rc = add_query(operation, given, httpd_query(r->http), why);
	if (rc == 0 && operation->changes)
		rc = add_body(operation, given, r->http, !httpd_peer(r->http)->local, why);
	if (rc == 0) {
		r->values = values_check(operation, given, clock_wall_ms(), why);
		rc = r->values != NULL ? 0 : -1;
	}
	json_decref(given);
	return rc;
}

/* --- how many ------------------------------------------------------------------------------- */

static enum request_load
load_of(enum operation_run run)
{
	switch (run) {
	case RUN_SEND:
	case RUN_SEND_BATCH:
		return LOAD_SEND;
	case RUN_RAW:
		return LOAD_RAW;
	case RUN_REMOTE:
	case RUN_WEBHOOK_CREATE:
	case RUN_WEBHOOK_LIST:
	case RUN_WEBHOOK_DELETE:
	case RUN_WEBHOOK_ENSURE:
	case RUN_SUPPRESSION_CHANGE:
	case RUN_SUPPRESSION_SYNC:
	case RUN_PAGES:
		return LOAD_REMOTE;
	case RUN_QUEUE_DRAIN:
	case RUN_EVENTS:
	case RUN_TOP:
	case RUN_EXPLAIN:
		return LOAD_FOLLOW;
	case RUN_QUEUE_LIST:
	case RUN_QUEUE_SHOW:
	case RUN_QUEUE_CHANGE:
	case RUN_QUEUE_FLUSH:
	case RUN_QUEUE_COUNT:
	case RUN_ROUTE_LIST:
	case RUN_ROUTE_CHANGE:
	case RUN_STATUS:
	case RUN_HEALTHCHECK:
	case RUN_SUPPRESSION_CHECK:
	case RUN_CONFIG:
	case RUN_RELOAD:
	case RUN_LOG_LEVEL:
	case RUN_VERSION:
	case RUN_OPENAPI:
	case RUN_COUNT:
		break;
	}
	return LOAD_LOOK;
}

/*
 * Work that goes on for clients that have left counts, too.  Those that take long have three
 * quarters of the connections, a kind, and seven eighths all together: somebody always gets in who
 * only looks.
 */
static const struct {
	const char *what;
	size_t most;
} bounds[LOAD_COUNT] = {
	[LOAD_SEND] = { "that send", 128 },
	[LOAD_RAW] = { "of the kind raw", 64 },
	[LOAD_REMOTE] = { "that ask Postmark", 64 },
	[LOAD_FOLLOW] = { "that follow, explain or wait for the queue", 64 },
	[LOAD_LOOK] = { "that look", 64 },
};

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Counts it in.  false after request_fail(). */
static bool
has_room(struct request *r)
{
	const struct control *control = r->control;
	enum request_load load = load_of(r->operation->run);
	size_t connections = control->config->control_connections, most = bounds[load].most;
	size_t slow = 0, most_slow = connections - connections / 8;

	request_count_as(r, load);
	if (load != LOAD_LOOK && connections >= 4)
		most = least(most, connections * 3 / 4);
	if (control->loads[load] > most) {
		request_fail(r, 503, "busy", "try again when one of them has ended",
		    "%zu requests %s are under way, and no more may be (connections of section "
		    "control: %zu)",
		    most, bounds[load].what, connections);
		return false;
	}
	for (int i = LOAD_SEND; i < LOAD_LOOK; i++)
		slow += control->loads[i];
	if (load != LOAD_LOOK && slow > most_slow) {
		request_fail(r, 503, "busy", "try again when one of them has ended",
		    "%zu requests that take long are under way, and no more may be (connections of "
		    "section control: %zu)",
		    most_slow, connections);
		return false;
	}
	return true;
}

/* --- one request ---------------------------------------------------------------------------- */

static bool
method_is_right(struct request *r, const char *method)
{
	const char *wanted = r->operation->changes ? "POST" : "GET";

	if (strcmp(method, wanted) == 0 || (!r->operation->changes && strcmp(method, "HEAD") == 0))
		return true;
	httpd_add_header(r->http, "Allow", wanted);
	request_fail(r, 405, "method", NULL, "%s is asked for by %s", r->operation->name, wanted);
	return false;
}

static void
fail_unknown(struct request *r, const char *path)
{
	char words[128], todo[256];
	const char *nearest;

	text_safe(words, sizeof(words), path + (path[0] == '/'), strlen(path + (path[0] == '/')));
	for (char *c = words; *c != '\0'; c++)
		if (*c == '/')
			*c = ' ';
	nearest = operation_nearest(words);
	if (nearest != NULL)
		snprintf(todo, sizeof(todo), "did you mean %s? /openapi.json lists all", nearest);
	else
		snprintf(todo, sizeof(todo), "/openapi.json lists all there is");
	request_fail(r, 404, "unknown", todo, "there is no such operation");
}

void
serve(void *ctx, struct httpd_request *http)
{
	struct control *control = ctx;
	struct request *r = request_new(control, http);
	const char *accept = httpd_header(http, "Accept");
	const struct argument *argument;
	char *id = NULL;
	struct buf why;

	buf_init(&why, MOST_WHY);
	if (!know_peer(r, httpd_peer(http))) {
		request_fail(r, 403, "permission",
		    "add the name to control { admins } or { readers }",
		    "the certificate's name \"%s\" may do nothing here", r->who);
		goto out;
	}
	r->operation = operation_by_path(httpd_path(http), &id);
	if (r->operation == NULL || (id != NULL && path_argument(r->operation) == NULL)) {
		r->operation = NULL;
		fail_unknown(r, httpd_path(http));
		goto out;
	}
	if (!method_is_right(r, httpd_method(http)))
		goto out;
	if (r->operation->access == ACCESS_ADMIN && !r->admin) {
		request_fail(r, 403, "permission",
		    "run it as root or as the daemon's own user (sudo)", "%s may look, but not %s",
		    r->who, r->operation->name);
		goto out;
	}
	/* With all that it wants in the query it needs no body, whose type would tell. */
	if (r->operation->changes && !httpd_peer(http)->local &&
	    httpd_header(http, "Origin") != NULL) {
		request_fail(r, 403, "permission", NULL,
		    "a page in a browser may not ask for changes (Origin)");
		goto out;
	}
	if (!has_room(r))
		goto out;
	if (read_arguments(r, id, &why) != 0) {
		request_fail(
		    r, 400, "arguments", NULL, "%s", why.len > 0 ? why.data : "bad arguments");
		goto out;
	}
	argument = r->admin ? NULL : values_admin_argument(r->operation, r->values);
	if (argument != NULL) {
		request_fail(r, 403, "permission",
		    "run it as root or as the daemon's own user (sudo), or leave it out",
		    "%s may look, but not with the argument %s of %s", r->who, argument->name,
		    r->operation->name);
		goto out;
	}
	r->lines = r->operation->progresses && accept != NULL &&
		   text_find_same(accept, "application/x-ndjson") != NULL;
	runs[r->operation->run](r);
out:
	buf_free(&why);
	free(id);
}
