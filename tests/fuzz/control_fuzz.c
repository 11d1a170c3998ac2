/*
 * The whole control plane on its socket: a known operation with whatever JSON, or any bytes.  The
 * core behind it answers every ask with something made up, the spool has a few mails, and Postmark
 * cannot be reached.  A request gets one answer, of JSON, with an "error" in it unless it
 * succeeded; and whatever came, the next client is served.
 */

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/secret.h"
#include "config/config.h"
#include "mail/mail.h"
#include "operations/operation.h"
#include "store/store.h"

#include "control/ask.h"
#include "control/control.h"
#include "control/feed.h"
#include "control/message.h"

#define MOST_INPUT  20000
#define MOST_ANSWER ((size_t)64 * 1024 * 1024)
#define PATIENCE_MS 30000
#define QUIET_MS    40 /* of an answer that may take hours, before we hang up */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct {
	struct control *control;
	struct feed *feed;
	struct sockaddr_un address;
	socklen_t address_len;
	unsigned asks;
} bench;

static void
must(bool good)
{
	if (!good)
		abort();
}

/* --- the core ------------------------------------------------------------------------------- */

static void
take_mails(struct ask *ask)
{
	for (size_t i = 0; i < ask->commit.count; i++) {
		struct feed_event event = { .kind = i % 3 == 2 ? "failed" : "sent",
			.error_code = 406 };

		if (ask->commit.mails[i] == NULL)
			continue;
		must(ask->commit.mails[i]->item_count == 1);
		must(ask->commit.mails[i]->items[0].recipients.count >= 1);
		item_id(event.item, ask->commit.mails[i]->id, 1);
		mail_free(&ask->commit.mails[i]);
		ask->commit.results[i] = i % 5 == 4 ? STORE_FULL : STORE_OK;
		if (ask->commit.results[i] == STORE_OK)
			feed_add(bench.feed, &event);
	}
}

static void
make_counts(struct ask *ask)
{
	/* Nothing is left, so that a drain ends. */
	ask->counts.store.items[ITEM_SENT] = 7;
	ask->counts.fronts = 2;
	ask->counts.spool_durable = true;
	ask->counts.routes = mem_array(1, sizeof(*ask->counts.routes));
	ask->counts.route_count = 1;
	ask->counts.routes[0] = (struct ask_route){ .name = mem_string("default"),
		.message_stream = mem_string("outbound"),
		.mode = mem_string("goes"),
		.why = mem_string("\xff") };
}

/* On the control thread.  Every seventh ask fails. */
static void
on_ask(void *ctx, struct ask *ask)
{
	(void)ctx;
	switch (ask->kind) {
	case ASK_COMMIT:
		take_mails(ask);
		break;
	case ASK_CHANGE:
		ask->change.changed.changed = ask->change.ids.count;
		ask->change.changed.unknown = ask->change.ids.count % 2;
		break;
	case ASK_COUNTS:
		make_counts(ask);
		break;
	case ASK_EXPLAIN:
		ask->explain.json = mem_string("{\"items\":[]}");
		ask->explain.json_len = strlen(ask->explain.json);
		break;
	case ASK_RELOAD:
		ask->reload.text = mem_string("nothing changed");
		break;
	case ASK_ROUTE:
	case ASK_WAKE:
	case ASK_LOG_LEVEL:
	case ASK_HOOKS:
	case ASK_HOOK_SET:
	case ASK_HOOKS_DROP:
	case ASK_SUPPRESSIONS:
	case ASK_SUPPRESSION_CHANGE:
	case ASK_SUPPRESSION_FIND:
		break;
	}
	if (++bench.asks % 7 == 0)
		ask_fail(ask, 503, "the core could not do it");
	control_answer(bench.control, ask);
}

/* --- the spool ------------------------------------------------------------------------------ */

static char spool[] = "/tmp/control-fuzz-XXXXXX";

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void
spool_remove(void)
{
	nftw(spool, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void
on_stored(void *ctx, enum store_result result, bool known)
{
	(void)known;
	must(result == STORE_OK);
	loop_stop(ctx);
}

static void
on_due(void *ctx)
{
	(void)ctx;
}

/* A few mails, whose ids are those that seeds have. */
static void
spool_fill(void)
{
	struct store_params params = { .backend = "sqlite", .folder = spool, .due = on_due };
	struct store *store;
	char why[256];

	must(mkdtemp(spool) != NULL);
	atexit(spool_remove);
	params.loop = loop_new();
	store = store_open(&params, why, sizeof(why));
	must(store != NULL);
	for (int i = 0; i < 5; i++) {
		json_t *message = json_pack("{s:s,s:s,s:s,s:i,s:{}}", "From", "a@x.example", "To",
		    "b@y.example", "TextBody", "Hello", "TemplateId", 7, "TemplateModel");
		struct mail *mail;
		struct buf text;

		buf_init(&text, 1000);
		mail = message_mail(message, i == 1, "default", "root", 1790000000000 + i, &text);
		must(mail != NULL);
		snprintf(mail->id, sizeof(mail->id), "01HZZZZZZZZZZZZZZZZZZZZZZ%d", i);
		store_commit(store, mail, on_stored, params.loop);
		loop_run(params.loop);
		buf_free(&text);
		json_decref(message);
	}
	store_close(&store);
	loop_free(&params.loop);
}

static void
bench_open(void)
{
	struct control_params params = { .tcp_fd = -1, .ask = on_ask };
	struct config *config;
	char why[256];
	struct buf text;

	log_setup("fuzz", LOG_LEVEL_ERROR, LOG_FORMAT_TEXT, open("/dev/null", O_WRONLY));
	spool_fill();
	buf_init(&text, 10000);
	config = config_load(NULL, NULL, &text);
	must(config != NULL);
	buf_free(&text);
	free(config->postmark_url);
	config->postmark_url = mem_string("http://127.0.0.1:1");
	free(config->webhook_public_url);
	config->webhook_public_url = mem_string("https://relay.example.com");
	free(config->spool_folder);
	config->spool_folder = mem_string(spool);
	config->postmark.server_token = secret_new("server", 6);
	config->postmark.account_token = secret_new("account", 7);
	bench.feed = params.feed = feed_new();
	params.config = config;
	params.unix_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bench.address.sun_family = AF_UNIX;
	must(bind(params.unix_fd, (struct sockaddr *)&bench.address, sizeof(sa_family_t)) == 0);
	bench.address_len = sizeof(bench.address);
	must(getsockname(params.unix_fd, (struct sockaddr *)&bench.address, &bench.address_len) ==
	     0);
	must(listen(params.unix_fd, 100) == 0);
	bench.control = control_start(&params, why, sizeof(why));
	must(bench.control != NULL);
	config_free(&config);
}

/* --- the client ----------------------------------------------------------------------------- */

/* Says it all, and hears until the end, or, where that may be far away, until it is quiet. */
static void
talk(const char *data, size_t len, bool patient, struct buf *heard)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	size_t said = 0;

	must(connect(fd, (struct sockaddr *)&bench.address, bench.address_len) == 0);
	for (;;) {
		struct pollfd one = { .fd = fd, .events = POLLIN };
		char area[16384];
		ssize_t n;

		if (said < len)
			one.events |= POLLOUT;
		do /* libFuzzer's alarm */
			n = poll(&one, 1, patient ? PATIENCE_MS : QUIET_MS);
		while (n < 0 && errno == EINTR);
		if (n == 0 && !patient)
			break;
		must(n == 1);
		if (one.revents & POLLOUT) {
			n = send(fd, data + said, len - said, MSG_NOSIGNAL | MSG_DONTWAIT);
			said = n > 0 ? said + (size_t)n : len;
			if (said == len)
				shutdown(fd, SHUT_WR);
		}
		if (one.revents & (POLLIN | POLLHUP | POLLERR)) {
			n = recv(fd, area, sizeof(area), MSG_DONTWAIT);
			if (n <= 0)
				break;
			buf_add(heard, area, (size_t)n);
		}
	}
	close(fd);
}

/* The pieces of a chunked body become one.  false: it is not whole. */
static bool
join_chunks(const char *from, struct buf *out)
{
	for (;;) {
		char *end;
		unsigned long size = strtoul(from, &end, 16);

		if (end == from || strncmp(end, "\r\n", 2) != 0)
			return false;
		from = end + 2;
		if (size == 0)
			return strcmp(from, "\r\n") == 0;
		if (strlen(from) < size + 2)
			return false;
		buf_add(out, from, size);
		from += size + 2;
	}
}

static void
check_error(const json_t *error)
{
	must(json_is_string(json_object_get(error, "message")));
	must(json_is_string(json_object_get(error, "code")));
	must(json_integer_value(json_object_get(error, "status")) >= 400);
}

static void
check_whole(const char *text, size_t len, int status)
{
	json_t *json = json_loadb(text, len, JSON_DECODE_ANY, NULL);

	must(json != NULL);
	if (status != 200 && json_object_get(json, "healthy") == NULL)
		check_error(json_object_get(json, "error"));
	if (status == 200)
		must(json_object_get(json, "error") == NULL);
	json_decref(json);
}

/* Each line is JSON; a last one that was cut is fine where we hung up ourselves. */
static void
check_lines(const struct buf *body, bool whole)
{
	const char *at = body->len > 0 ? body->data : "";

	while (*at != '\0') {
		const char *end = strchr(at, '\n');
		json_t *json;

		if (end == NULL) {
			must(!whole);
			return;
		}
		json = json_loadb(at, (size_t)(end - at), 0, NULL);
		must(json != NULL);
		if (json_object_get(json, "error") != NULL)
			check_error(json_object_get(json, "error"));
		json_decref(json);
		at = end + 1;
	}
}

/* One answer, and nothing behind it. */
static void
check_answer(const struct buf *heard, bool patient)
{
	const char *length, *body;
	struct buf joined;
	int status;
	bool whole;

	if (heard->len == 0 && !patient)
		return; /* it works still */
	must(heard->len > 12 && strncmp(heard->data, "HTTP/1.1 ", 9) == 0);
	must(memchr(heard->data, '\0', heard->len) == NULL);
	status = atoi(heard->data + 9);
	must(status >= 200 && status < 600);
	body = strstr(heard->data, "\r\n\r\n");
	must(body != NULL);
	body += 4;
	length = strcasestr(heard->data, "\r\nContent-Length: ");
	if (length != NULL && length < body) {
		must(strlen(body) == strtoul(length + 18, NULL, 10));
		check_whole(body, strlen(body), status);
		return;
	}
	must(status == 200);
	buf_init(&joined, MOST_ANSWER);
	whole = join_chunks(body, &joined);
	must(whole || !patient);
	check_lines(&joined, whole);
	buf_free(&joined);
}

/* --- requests ------------------------------------------------------------------------------- */

static void
add_encoded(struct buf *out, const char *text)
{
	for (; *text != '\0'; text++)
		buf_addf(out, "%%%02X", (unsigned char)*text);
}

/* The members of an object as a query; other JSON, and what is none, goes in as it is. */
static void
add_query(struct buf *out, const char *bytes, size_t len)
{
	json_t *json = json_loadb(bytes, len, 0, NULL), *value, *each;
	const char *name;
	char separator = '?';

	json_object_foreach(json, name, value)
	{
		size_t count = json_is_array(value) ? json_array_size(value) : 1;

		for (size_t i = 0; i < count; i++) {
			char *text;

			each = json_is_array(value) ? json_array_get(value, i) : value;
			text = json_is_string(each)
				   ? NULL
				   : json_dumps(each, JSON_COMPACT | JSON_ENCODE_ANY);
			buf_addc(out, separator);
			add_encoded(out, name);
			buf_addc(out, '=');
			add_encoded(out, text != NULL ? text : json_string_value(each));
			free(text);
			separator = '&';
		}
	}
	if (json == NULL && len > 0) {
		buf_addc(out, '?');
		for (size_t i = 0; i < len && i < 1000; i++)
			buf_addf(out, "%%%02X", (unsigned char)bytes[i]);
	}
	json_decref(json);
}

/* Those that wait for something, or stream for as long as somebody listens. */
static bool
may_take_long(const struct operation *operation)
{
	return operation->streams || operation->run == RUN_RAW || operation->run == RUN_SEND ||
	       operation->run == RUN_SEND_BATCH || operation->run == RUN_QUEUE_DRAIN;
}

static void
try_operation(const struct operation *operation, unsigned how, const char *bytes, size_t len)
{
	bool patient = !may_take_long(operation);
	char *path = operation_path(operation);
	struct buf request, heard;

	buf_init(&request, MOST_ANSWER);
	buf_init(&heard, MOST_ANSWER);
	buf_addf(&request, "%s %s", operation->changes ? "POST" : "GET", path);
	if (how & 1)
		buf_adds(&request, "/01HZZZZZZZZZZZZZZZZZZZZZZ2-1");
	if (!operation->changes)
		add_query(&request, bytes, len);
	buf_adds(&request, " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n");
	if (how & 2)
		buf_adds(&request, "Accept: application/x-ndjson\r\n");
	if (how & 4)
		buf_adds(&request, "Content-Type: message/rfc822\r\n");
	if (operation->changes)
		buf_addf(&request, "Content-Length: %zu\r\n", len);
	buf_adds(&request, "\r\n");
	if (operation->changes)
		buf_add(&request, bytes, len);
	talk(request.data, request.len, patient, &heard);
	check_answer(&heard, patient);
	buf_free(&request);
	buf_free(&heard);
	free(path);
}

static void
try_bytes(const char *bytes, size_t len)
{
	struct buf heard;

	buf_init(&heard, MOST_ANSWER);
	talk(bytes, len, false, &heard);
	must(heard.len == 0 || strncmp(heard.data, "HTTP/1.", 7) == 0);
	buf_free(&heard);
}

/*
 * The operation that the input begins with: its name and a line's end, as seeds have it, or a byte
 * above ASCII, as a fuzzer finds it.  NULL: none, it is bytes of a connection.
 */
static const struct operation *
choose(const char **at, const char *end)
{
	const char *line_end = memchr(*at, '\n', (size_t)(end - *at));

	if (*at < end && (unsigned char)**at >= 0x80)
		return &operation_table[(unsigned char)*(*at)++ % operation_count()];
	for (const struct operation *o = operation_table; line_end != NULL && o->name != NULL;
	     o++) {
		if (strlen(o->name) == (size_t)(line_end - *at) &&
		    memcmp(o->name, *at, strlen(o->name)) == 0) {
			*at = line_end + 1;
			return o;
		}
	}
	return NULL;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char good[] = "GET /version HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
	const char *at = (const char *)data + 1, *end = (const char *)data + len;
	const struct operation *operation;
	struct buf heard;

	if (len < 2 || len > MOST_INPUT)
		return 0;
	if (bench.control == NULL)
		bench_open();
	/* The first byte says how it is asked. */
	operation = choose(&at, end);
	if (operation != NULL)
		try_operation(operation, data[0], at, (size_t)(end - at));
	else
		try_bytes(at, (size_t)(end - at));
	buf_init(&heard, MOST_ANSWER);
	talk(good, sizeof(good) - 1, true, &heard);
	must(heard.len > 15 && strncmp(heard.data, "HTTP/1.1 200 OK", 15) == 0);
	check_answer(&heard, true);
	buf_free(&heard);
	return 0;
}
