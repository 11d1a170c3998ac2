/*
 * The dispatcher between a real spool in a temporary folder and a scripted Postmark, which keeps
 * what it took and can be searched.  A mail's first header in its JSON, "Tag", tells the script
 * how its item is judged.
 */

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/strlist.h"
#include "dispatch/dispatch.h"
#include "mail/mail.h"
#include "postmark/client.h"
#include "postmark/smtp.h"
#include "store/store.h"

#include "server.h"
#include "smtp_server.h"

#define POST_ID "6f0f3a52-0d8b-4f3e-9a52-%012u"

/* What becomes of one POST. */
struct act {
	enum server_fate fate;
	int status;          /* 0: as a healthy Postmark */
	const char *headers; /* of a status */
	const char *body;    /* of a status, or instead of the right one */
	bool takes;          /* the items are taken all the same */
	long delay_ms;
};

struct bench {
	struct loop *loop;
	struct server *server;
	struct postmark_client *client;
	struct store *store;
	struct dispatch *dispatch;
	struct secret *token;
	struct dispatch_options options;
	struct loop_timer *timer;
	char folder[64];
	bool ends; /* the dispatcher is to be freed in done() */

	const struct act *acts; /* for the first POSTs; then: */
	size_t act_count;
	struct act after;

	struct strlist taken; /* ids, once for each time */
	unsigned posts, singles, searches, blind_searches;
	unsigned template_posts;
	size_t largest, smallest; /* batches */
	int64_t post_at_ms[200];  /* when each POST came */
	size_t post_items[200];
	bool post_templates[200];
	size_t largest_body;
	enum item_kind kind; /* of the mails that are put */
	struct smtp_server *smtp;
	const char *smtp_verb; /* what becomes of it: */
	struct smtp_does smtp_does;
	unsigned smtp_times; /* for so many; then all is well */
	bool smtp_takes;     /* a content is taken all the same */
	unsigned smtp_mails; /* contents that came */
	unsigned smtp_logins;
	char last_answer[200], last_inactive[200];
	bool own_stream;        /* the mails name one that is not the route's */
	unsigned search_status; /* for the searches; 0: well */

	struct strlist route_events; /* "stands why" */
	unsigned told[ITEM_FAILED + 1], store_done, store_failed;

	struct store_counts counts;
	enum item_state wanted;
	uint64_t wanted_count;
	int64_t give_up_ms;
	bool reached, drained;
	struct loop_timer *poll;
	unsigned mails;
};

/* --- a store that fails ------------------------------------------------------------------- */

static unsigned reads_failing, writes_failing, reads;

void __real_store_routes(struct store *, store_routes_fn *, void *ctx);
void __wrap_store_routes(struct store *, store_routes_fn *, void *ctx);
void __real_store_route_set(struct store *, const struct store_route *, store_done_fn *, void *ctx);
void __wrap_store_route_set(struct store *, const struct store_route *, store_done_fn *, void *ctx);

struct failing {
	store_routes_fn *read;
	store_done_fn *written;
	void *ctx;
};

static void
read_failed(void *ctx, enum store_result result, const struct store_route *routes, size_t count)
{
	struct failing failing = *(struct failing *)ctx;

	(void)result;
	(void)routes;
	(void)count;
	free(ctx);
	failing.read(failing.ctx, STORE_BROKEN, NULL, 0);
}

static void
write_failed(void *ctx, enum store_result result)
{
	struct failing failing = *(struct failing *)ctx;

	(void)result;
	free(ctx);
	failing.written(failing.ctx, STORE_FULL);
}

void
__wrap_store_routes(struct store *store, store_routes_fn *done, void *ctx)
{
	struct failing *failing;

	reads++;
	if (reads_failing == 0) {
		__real_store_routes(store, done, ctx);
		return;
	}
	reads_failing--;
	failing = mem_new(sizeof(*failing));
	*failing = (struct failing){ .read = done, .ctx = ctx };
	__real_store_routes(store, read_failed, failing);
}

void
__wrap_store_route_set(
    struct store *store, const struct store_route *route, store_done_fn *done, void *ctx)
{
	static const struct store_route nobody = { .name = "nobody" };
	struct failing *failing;

	if (writes_failing == 0) {
		__real_store_route_set(store, route, done, ctx);
		return;
	}
	writes_failing--;
	failing = mem_new(sizeof(*failing));
	*failing = (struct failing){ .written = done, .ctx = ctx };
	__real_store_route_set(store, &nobody, write_failed, failing);
}

/* --- Postmark ----------------------------------------------------------------------------- */

static const char *
relay_id(const json_t *item)
{
	return json_string_value(json_object_get(json_object_get(item, "Metadata"), "relay-id"));
}

/* The verdict on one item, by its tag. */
static json_t *
item_answer(struct bench *b, const json_t *item)
{
	const char *tag = json_string_value(json_object_get(item, "Tag"));
	char id[40];

	if (strncmp(tag, "code-", 5) == 0)
		return json_pack("{s:i,s:s}", "ErrorCode", atoi(tag + 5), "Message", "scripted");
	strlist_add(&b->taken, relay_id(item));
	snprintf(id, sizeof(id), POST_ID, (unsigned)b->taken.count);
	return json_pack("{s:i,s:s,s:s}", "ErrorCode", 0, "Message",
	    strcmp(tag, "partial") == 0 ? "Message OK, but will not deliver to these inactive "
					  "addresses: gone@x.example. Inactive recipients are..."
					: "OK",
	    "MessageID", id);
}

static char *
healthy_answer(struct bench *b, const json_t *root, int *status)
{
	json_t *answer, *item;
	char *text;
	size_t i;

	if (json_is_array(root)) {
		answer = json_array();
		json_array_foreach(root, i, item)
		    json_array_append_new(answer, item_answer(b, item));
	} else {
		answer = item_answer(b, root);
		if (json_integer_value(json_object_get(answer, "ErrorCode")) != 0)
			*status = 422;
	}
	text = json_dumps(answer, JSON_COMPACT);
	json_decref(answer);
	return text;
}

static void
search_answer(struct bench *b, const char *path, struct server_reply *reply)
{
	const char *id = strstr(path, "metadata_relay-id=");
	size_t len;

	assert_non_null(id);
	assert_non_null(
	    strstr(path, b->own_stream ? "&messagestream=news" : "&messagestream=outbound"));
	id += strlen("metadata_relay-id=");
	len = strcspn(id, "&");
	b->searches++;
	if (b->search_status != 0) {
		reply->status = (int)b->search_status;
		return;
	}
	for (size_t i = 0; i < b->taken.count && b->searches > b->blind_searches; i++) {
		if (strlen(b->taken.items[i]) == len && memcmp(b->taken.items[i], id, len) == 0) {
			reply->body = mem_format("{\"TotalCount\":1,\"Messages\":[{\"MessageID\":"
						 "\"" POST_ID "\",\"Metadata\":{\"relay-id\":"
						 "\"%s\"}}]}",
			    (unsigned)i + 1, b->taken.items[i]);
			return;
		}
	}
	reply->body = mem_string("{\"TotalCount\":0,\"Messages\":[]}");
}

/* A message with a template goes to a call for templates, and no other does. */
static void
kinds_hold(const json_t *root, bool templates)
{
	const json_t *item;
	size_t i;

	if (json_is_object(root))
		assert_int_equal(json_object_get(root, "TemplateAlias") != NULL, templates);
	json_array_foreach(root, i, item)
	    assert_int_equal(json_object_get(item, "TemplateAlias") != NULL, templates);
}

static void
request_came(void *ctx, const struct server_request *request, struct server_reply *reply)
{
	struct bench *b = ctx;
	const struct act *act;
	bool templates = strstr(request->path, "Template") != NULL, many;
	json_t *root, *all;
	size_t count;
	char *token;

	if (strcmp(request->method, "GET") == 0) {
		search_answer(b, request->path, reply);
		return;
	}
	act = b->posts < b->act_count ? &b->acts[b->posts] : &b->after;
	root = all = json_loadb(request->body, request->len, 0, NULL);
	assert_non_null(root);
	if (templates && json_object_get(all, "Messages") != NULL)
		root = json_object_get(all, "Messages");
	many = json_is_array(root);
	count = many ? json_array_size(root) : 1;
	if (templates)
		assert_string_equal(
		    request->path, many ? "/email/batchWithTemplates" : "/email/withTemplate");
	else
		assert_string_equal(request->path, many ? "/email/batch" : "/email");
	assert_true(!many || count > 1);
	kinds_hold(root, templates);
	b->template_posts += templates;
	token = mem_format("\r\nX-Postmark-Server-Token: %s\r\n", secret_text(b->token));
	assert_non_null(strstr(request->head, token));
	free(token);
	if (b->posts < 200) {
		b->post_at_ms[b->posts] = clock_mono_ms();
		b->post_items[b->posts] = count;
		b->post_templates[b->posts] = templates;
	}
	b->posts++;
	if (request->len > b->largest_body)
		b->largest_body = request->len;
	if (count == 1)
		b->singles++;
	if (count > b->largest)
		b->largest = count;

	reply->fate = act->fate;
	reply->status = act->status;
	reply->headers = act->headers;
	reply->delay_ms = act->delay_ms;
	if (act->status == 0 || act->takes)
		reply->body = healthy_answer(b, root, &reply->status);
	if (act->body != NULL) {
		free(reply->body);
		reply->body = mem_string(act->body);
	}
	json_decref(all);
}

static void
smtp_came(void *ctx, const struct smtp_said *said, struct smtp_does *does)
{
	static const char field[] = "X-PM-Metadata-relay-id: ";
	struct bench *b = ctx;
	bool scripted = b->smtp_times > 0 && strcmp(said->verb, b->smtp_verb) == 0;

	if (scripted) {
		b->smtp_times--;
		*does = b->smtp_does;
	}
	b->smtp_logins += strcmp(said->verb, "AUTH") == 0;
	if (strcmp(said->verb, "content") != 0)
		return;
	b->smtp_mails++;
	assert_true(
	    said->len > sizeof(field) && memcmp(said->content, field, sizeof(field) - 1) == 0);
	if (!scripted || b->smtp_takes)
		strlist_add_bytes(&b->taken, said->content + sizeof(field) - 1,
		    strcspn(said->content + sizeof(field) - 1, "\r"));
}

/* --- the bench ---------------------------------------------------------------------------- */

static void
became_due(void *ctx)
{
	struct bench *b = ctx;

	if (b->dispatch != NULL)
		dispatch_wake(b->dispatch);
}

static void
reported(void *ctx, const struct dispatch_event *event)
{
	struct bench *b = ctx;

	assert_string_equal(event->route, "default");
	if (event->item == NULL) {
		strlist_take(&b->route_events,
		    mem_format("%s %s", event->stands ? "stands" : "goes", event->why));
		return;
	}
	assert_int_equal(event->item->key, event->outcome->key);
	assert_int_equal(event->item->recipients.count, 2);
	assert_true(event->item->id[0] != '\0');
	/* Postmark's SMTP service tells none. */
	if (event->outcome->to == ITEM_SENT && event->item->kind != ITEM_SMTP)
		assert_non_null(event->outcome->postmark_id);
	snprintf(b->last_answer, sizeof(b->last_answer), "%s",
	    event->outcome->answer != NULL ? event->outcome->answer : "");
	snprintf(b->last_inactive, sizeof(b->last_inactive), "%s",
	    event->outcome->inactive != NULL ? event->outcome->inactive : "");
	b->told[event->outcome->to]++;
}

static void
dispatch_start(struct bench *b)
{
	struct dispatch_route route = {
		.name = "default", .token = b->token, .message_stream = "outbound"
	};
	struct dispatch_params params = { .loop = b->loop,
		.store = b->store,
		.client = b->client,
		.routes = &route,
		.route_count = 1,
		.options = &b->options,
		.seed = 42,
		.report = reported,
		.ctx = b };

	b->dispatch = dispatch_new(&params);
}

static void
store_start(struct bench *b)
{
	char why[256] = "";
	struct store_params params = { .loop = b->loop,
		.backend = "sqlite",
		.folder = b->folder,
		.due = became_due,
		.ctx = b };

	b->store = store_open(&params, why, sizeof(why));
	if (b->store == NULL)
		fail_msg("%s", why);
}

static void
stop(void *ctx)
{
	struct bench *b = ctx;

	loop_stop(b->loop);
}

static void poll_counts(void *ctx);

static void
client_start(struct bench *b, const char *smtp_url)
{
	char why[256];
	const struct postmark_client_params params = { .loop = b->loop,
		.base_url = server_url(b->server),
		.user_agent = "pmrelay/test",
		.connect_timeout_ms = 1000,
		.most_connections = 16,
		.smtp_url = smtp_url };

	b->client = postmark_client_new(&params, why, sizeof(why));
	assert_non_null(b->client);
}

static int
setup(void **state)
{
	struct bench *b = mem_new(sizeof(*b));

	b->loop = loop_new();
	snprintf(b->folder, sizeof(b->folder), "/tmp/pmrelay-dispatch-XXXXXX");
	assert_non_null(mkdtemp(b->folder));
	b->server = server_new(b->loop, request_came, b);
	b->smtp = smtp_server_new(
	    &(struct smtp_server_params){ .loop = b->loop, .fn = smtp_came, .ctx = b });
	client_start(b, smtp_server_url(b->smtp));
	b->token = secret_new("test-token", 10);
	b->timer = loop_timer_new(b->loop, stop, b);
	b->poll = loop_timer_new(b->loop, poll_counts, b);
	b->options = (struct dispatch_options){ .most_in_flight = 4,
		.most_batch_items = 100,
		.most_batch_bytes = 10000000,
		.batch_target_ms = 2000,
		.single_timeout_ms = 2000,
		.batch_timeout_ms = 2000,
		.retry_least_ms = 20,
		.retry_most_ms = 100,
		.queue_lifetime_ms = 60000,
		.probe_ms = 60,
		.settle_ms = 50,
		.breaker_failures = 3,
		.unsure = UNSURE_RECONCILE };
	store_start(b);
	*state = b;
	return 0;
}

static int
remove_one(const char *path, const struct stat *about, int kind, struct FTW *where)
{
	(void)about;
	(void)kind;
	(void)where;
	return remove(path);
}

static int
teardown(void **state)
{
	struct bench *b = *state;

	dispatch_free(&b->dispatch);
	postmark_client_free(&b->client);
	store_close(&b->store);
	server_free(&b->server);
	smtp_server_free(&b->smtp);
	loop_timer_free(&b->timer);
	loop_timer_free(&b->poll);
	secret_free(&b->token);
	strlist_free(&b->taken);
	strlist_free(&b->route_events);
	reads_failing = writes_failing = 0;
	loop_free(&b->loop);
	nftw(b->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(b);
	return 0;
}

static void
mail_stored(void *ctx, enum store_result result, bool known)
{
	(void)known;
	(void)ctx;
	assert_int_equal(result, STORE_OK);
}

/* One mail of one item.  pad: bytes of text; a large one rests in a file. */
static void
mail_put(struct bench *b, const char *tag, size_t pad)
{
	struct mail *mail = mail_new();
	struct item *item;
	char id[ITEM_ID_SIZE], *filler = mem_new(pad + 1), *json;

	memset(filler, 'x', pad);
	ulid_make(mail->id, clock_wall_ms());
	mail->accepted_ms = clock_wall_ms();
	mail->reverse_path = mem_string("a@x.example");
	mail->route = mem_string("default");
	mail->listener = mem_string("127.0.0.1:25");
	mail->client = mem_string("127.0.0.1");
	mail->helo = mem_string("");
	mail->message_id = mem_string("");
	mail->from = mem_string("a@x.example");
	mail->subject = mem_string("");
	mail->ledger = mem_string("");
	mail->item_count = 1;
	mail->items = item = mem_new(sizeof(*item));
	item->number = 1;
	item->kind = b->kind;
	strlist_add(&item->recipients, "gone@x.example");
	strlist_add(&item->recipients, "there@x.example");
	item_id(id, mail->id, 1);
	if (b->kind == ITEM_SMTP)
		json = mem_format("X-PM-Metadata-relay-id: %s\r\nX-PM-Tag: %s\r\n%s\r\n%s\r\n", id,
		    tag, b->own_stream ? "X-PM-Message-Stream: news\r\n" : "", filler);
	else
		json = mem_format(
		    "{\"Tag\":\"%s\",\"Metadata\":{\"relay-id\":\"%s\"}%s,\"%s\":\"%s\"}", tag, id,
		    b->own_stream ? ",\"MessageStream\":\"news\"" : "",
		    b->kind == ITEM_TEMPLATE ? "TemplateAlias" : "TextBody", filler);
	payload_init(&item->payload);
	item->payload.len = strlen(json);
	if (item->payload.len >= PAYLOAD_LARGE) {
		item->payload.fd = memfd_create("payload", MFD_CLOEXEC);
		assert_int_equal(
		    write(item->payload.fd, json, item->payload.len), item->payload.len);
		free(json);
	} else {
		item->payload.data = json;
	}
	free(filler);
	store_commit(b->store, mail, mail_stored, b);
	b->mails++;
}

static void
mails_put(struct bench *b, const char *tag, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		mail_put(b, tag, 10);
}

static void
counts_known(void *ctx, const struct store_counts *counts)
{
	struct bench *b = ctx;

	b->counts = *counts;
	if (counts->items[b->wanted] >= b->wanted_count) {
		b->reached = true;
		loop_stop(b->loop);
	} else if (clock_mono_ms() > b->give_up_ms) {
		loop_stop(b->loop);
	} else {
		loop_timer_set(b->poll, 5);
	}
}

static void
poll_counts(void *ctx)
{
	struct bench *b = ctx;

	store_count(b->store, counts_known, b);
}

/* Until so many items are in that state. */
static void
wait_for(struct bench *b, enum item_state state, uint64_t count)
{
	b->wanted = state;
	b->wanted_count = count;
	b->reached = false;
	b->give_up_ms = clock_mono_ms() + 8000;
	loop_timer_set(b->poll, 0);
	loop_run(b->loop);
	if (!b->reached) {
		for (int i = ITEM_SPOOLED; i <= ITEM_FAILED; i++)
			print_message("%s: %llu\n", item_state_name((enum item_state)i),
			    (unsigned long long)b->counts.items[i]);
		fail_msg("%s: %llu of %llu", item_state_name(state),
		    (unsigned long long)b->counts.items[state], (unsigned long long)count);
	}
}

static void
turn_for(struct bench *b, int64_t span_ms)
{
	loop_timer_set(b->timer, span_ms);
	loop_run(b->loop);
}

static void
each_taken_once(const struct bench *b)
{
	for (size_t i = 0; i < b->taken.count; i++) {
		for (size_t j = i + 1; j < b->taken.count; j++)
			assert_string_not_equal(b->taken.items[i], b->taken.items[j]);
	}
}

/* --- ways of a healthy Postmark ----------------------------------------------------------- */

static void
one_mail_goes_alone(void **state)
{
	struct bench *b = *state;
	struct dispatch_counts counts;

	dispatch_start(b);
	mail_put(b, "ok", 10);
	wait_for(b, ITEM_SENT, 1);
	assert_int_equal(b->posts, 1);
	assert_int_equal(b->singles, 1);
	mail_put(b, "ok", 10);
	wait_for(b, ITEM_SENT, 2);
	assert_int_equal(b->singles, 2);
	assert_int_equal(server_connections(b->server), 1);
	dispatch_count(b->dispatch, &counts);
	assert_int_equal(counts.requests, 2);
	assert_int_equal(counts.sent, 2);
	assert_int_equal(counts.in_flight, 0);
}

/* What waits already, and what comes while requests are out, travels together. */
static void
a_queue_goes_in_batches(void **state)
{
	struct bench *b = *state;

	b->after.delay_ms = 5;
	mails_put(b, "ok", 300);
	turn_for(b, 100);
	dispatch_start(b);
	wait_for(b, ITEM_SENT, 300);
	assert_int_equal(b->taken.count, 300);
	each_taken_once(b);
	assert_in_range(b->posts, 3, 12);
	assert_true(b->largest > 50); /* it grew, since the answers are quick */
	assert_true(b->largest <= 100);
}

static void
late_comers_fill_a_batch(void **state)
{
	static const struct act acts[] = { { .delay_ms = 200 } };
	struct bench *b = *state;

	b->acts = acts;
	b->act_count = 1;
	dispatch_start(b);
	mail_put(b, "ok", 10);
	while (b->posts == 0)
		turn_for(b, 2);
	mails_put(b, "ok", 20);
	wait_for(b, ITEM_SENT, 21);
	assert_in_range(b->posts, 2, 4);
}

/* A request that hangs does not hold up the others for longer than a moment. */
static void
a_hanging_request_holds_up_nobody(void **state)
{
	static const struct act acts[] = { { .fate = SERVER_STALLS } };
	struct bench *b = *state;

	b->acts = acts;
	b->act_count = 1;
	dispatch_start(b);
	mail_put(b, "ok", 10);
	turn_for(b, 50);
	assert_int_equal(b->posts, 1);
	mail_put(b, "ok", 10);
	wait_for(b, ITEM_SENT, 1);
}

static void
large_payloads_are_streamed(void **state)
{
	struct bench *b = *state;

	mail_put(b, "ok", 3000000);
	mail_put(b, "ok", 10);
	mail_put(b, "ok", 300000);
	turn_for(b, 100);
	dispatch_start(b);
	wait_for(b, ITEM_SENT, 3);
	each_taken_once(b);
	assert_true(b->largest_body > 3300000);
}

static void
batches_keep_to_their_bytes(void **state)
{
	struct bench *b = *state;

	b->options.most_batch_bytes = 5000;
	for (unsigned i = 0; i < 10; i++)
		mail_put(b, "ok", 1500);
	mail_put(b, "ok", 20000);
	turn_for(b, 100);
	dispatch_start(b);
	wait_for(b, ITEM_SENT, 11);
	each_taken_once(b);
	assert_int_equal(b->largest, 3);
}

static void
memory_in_flight_is_bounded(void **state)
{
	struct bench *b = *state;
	struct dispatch_counts counts;
	int64_t give_up_ms;

	b->options.most_in_flight = 14;
	b->options.batch_timeout_ms = 20000;
	b->after.fate = SERVER_STALLS;
	for (unsigned i = 0; i < 700; i++)
		mail_put(b, "ok", 60000);
	wait_for(b, ITEM_SPOOLED, 700);
	dispatch_start(b);
	give_up_ms = clock_mono_ms() + 8000;
	do {
		turn_for(b, 20);
		dispatch_count(b->dispatch, &counts);
	} while (counts.in_flight < 12 && clock_mono_ms() < give_up_ms);
	turn_for(b, 100);
	dispatch_count(b->dispatch, &counts);
	/* Batches of fifty: three megabytes each, and no answer lets them grow. */
	assert_int_equal(counts.in_flight, 12);
}

/* --- verdicts ----------------------------------------------------------------------------- */

static void
refusals_in_a_batch(void **state)
{
	struct bench *b = *state;

	mails_put(b, "ok", 3);
	mail_put(b, "code-300", 10);
	mail_put(b, "code-406", 10);
	mail_put(b, "partial", 10);
	mail_put(b, "code-410", 10);
	turn_for(b, 50);
	dispatch_start(b);
	wait_for(b, ITEM_HELD, 1);
	assert_int_equal(b->posts, 1);
	assert_int_equal(b->counts.items[ITEM_SENT], 4);
	assert_int_equal(b->counts.items[ITEM_FAILED], 2);
}

static void
throttled_waits_as_told(void **state)
{
	static const struct act acts[] = {
		{ .status = 429, .headers = "Retry-After: 1\r\n", .body = "" }
	};
	struct bench *b = *state;

	b->acts = acts;
	b->act_count = 1;
	dispatch_start(b);
	mail_put(b, "ok", 10);
	wait_for(b, ITEM_WAITING, 1);
	mail_put(b, "ok", 10); /* may not pass either */
	wait_for(b, ITEM_SENT, 2);
	assert_true(b->post_at_ms[1] - b->post_at_ms[0] >= 1000);
	each_taken_once(b);
}

static void
weather_comes_again(void **state)
{
	static const struct act acts[] = { { .status = 500, .body = "{\"ErrorCode\":101}" },
		{ .status = 403, .body = "<html>blocked</html>" } };
	struct bench *b = *state;

	b->acts = acts;
	b->act_count = 2;
	dispatch_start(b);
	mail_put(b, "ok", 10);
	wait_for(b, ITEM_SENT, 1);
	assert_int_equal(b->posts, 3);
	assert_true(b->post_at_ms[1] - b->post_at_ms[0] >= 9);
	assert_int_equal(b->searches, 0);
}

/* An outage costs a few attempts, not one for each item; then one item looks out. */
static void
the_breaker_spares_the_queue(void **state)
{
	struct bench *b = *state;
	unsigned probes = 0;

	b->options.most_batch_items = 1;
	b->options.most_in_flight = 1;
	b->after.status = 503;
	mails_put(b, "ok", 50);
	turn_for(b, 100);
	dispatch_start(b);
	turn_for(b, 400);
	assert_in_range(b->posts, 4, 10);
	for (unsigned i = 3; i < b->posts; i++) {
		assert_true(b->post_at_ms[i] - b->post_at_ms[i - 1] >= 50);
		probes++;
	}
	assert_true(probes >= 1);
	b->after.status = 0;
	wait_for(b, ITEM_SENT, 50);
	each_taken_once(b);
}

static void
the_breaker_probes_with_one(void **state)
{
	static const struct act acts[] = { { .status = 503 }, { .status = 503 }, { .status = 503 },
		{ .status = 503 } };
	struct bench *b = *state;

	b->acts = acts;
	b->act_count = 4;
	b->options.most_in_flight = 1;
	b->options.most_batch_items = 10;
	mails_put(b, "ok", 100);
	turn_for(b, 100);
	dispatch_start(b);
	wait_for(b, ITEM_SENT, 100);
	assert_int_equal(b->post_items[0], 10);
	assert_int_equal(b->post_items[3], 1);
	assert_int_equal(b->post_items[4], 1);
	assert_true(b->post_items[5] > 1);
	each_taken_once(b);
}

static void
an_operator_pauses_the_route(void **state)
{
	struct bench *b = *state;
	unsigned posts;

	b->after = (struct act){ .status = 401, .body = "{\"ErrorCode\":10,\"Message\":\"no\"}" };
	/* The lifetime is over long before anybody acts, and stands still. */
	b->options.queue_lifetime_ms = 150;
	dispatch_start(b);
	mails_put(b, "ok", 5);
	wait_for(b, ITEM_WAITING, 5);
	posts = b->posts;
	mails_put(b, "ok", 5);
	turn_for(b, 350);
	assert_in_range(b->posts - posts, 2, 7);
	for (unsigned i = posts; i < b->posts; i++)
		assert_int_equal(b->post_items[i], 1);
	b->after = (struct act){ 0 };
	wait_for(b, ITEM_SENT, 10);
	assert_int_equal(b->counts.items[ITEM_FAILED], 0);
	each_taken_once(b);
}

/* A stream that the mail chose itself, by a header, and that does not exist: it waits alone. */
static void
a_stream_of_its_own_does_not_pause_the_route(void **state)
{
	struct bench *b = *state;

	b->options.probe_ms = 60000;
	dispatch_start(b);
	b->own_stream = true;
	mails_put(b, "code-1235", 5);
	wait_for(b, ITEM_HELD, 5);
	b->own_stream = false;
	mails_put(b, "ok", 5);
	wait_for(b, ITEM_SENT, 5);
}

/* One application's From is no signature: the others' mail goes on. */
static void
one_sender_does_not_pause_the_route(void **state)
{
	struct bench *b = *state;

	b->options.probe_ms = 60000;
	dispatch_start(b);
	mail_put(b, "code-400", 10);
	wait_for(b, ITEM_WAITING, 1);
	mail_put(b, "ok", 10);
	wait_for(b, ITEM_SENT, 1);
	mail_put(b, "code-400", 10);
	wait_for(b, ITEM_WAITING, 2);
	mails_put(b, "ok", 3);
	wait_for(b, ITEM_SENT, 4);
	/* But when nothing else comes through, it is the route. */
	mails_put(b, "code-400", 5);
	wait_for(b, ITEM_WAITING, 7);
	mail_put(b, "ok", 10);
	turn_for(b, 100);
	assert_int_equal(b->taken.count, 4);
}

static void
too_large_is_split(void **state)
{
	static const struct act acts[] = { { .status = 413, .body = "<html>" },
		{ .status = 413, .body = "<html>" } };
	struct bench *b = *state;

	b->acts = acts;
	b->act_count = 2;
	b->options.most_in_flight = 1;
	mails_put(b, "ok", 9);
	turn_for(b, 50);
	dispatch_start(b);
	wait_for(b, ITEM_SENT, 9);
	assert_int_equal(b->post_items[0], 9);
	assert_int_equal(b->post_items[1], 4);
	assert_int_equal(b->post_items[2], 2);
	assert_int_equal(b->post_items[3], 2);
	assert_int_equal(b->post_items[4], 5);
	each_taken_once(b);
}

static void
a_bad_one_is_isolated(void **state)
{
	static const struct act all = { .status = 422,
		.body = "{\"ErrorCode\":402,\"Message\":\"Invalid JSON\"}" };
	struct bench *b = *state;

	b->after = all;
	mails_put(b, "ok", 4);
	turn_for(b, 50);
	dispatch_start(b);
	wait_for(b, ITEM_HELD, 4);
	assert_int_equal(b->singles, 4);
	assert_int_equal(b->posts, 7);
}

static void
one_too_large_fails(void **state)
{
	struct bench *b = *state;

	b->after.status = 413;
	dispatch_start(b);
	mail_put(b, "ok", 10);
	wait_for(b, ITEM_FAILED, 1);
	assert_int_equal(b->posts, 1);
}

static void
the_lifetime_ends(void **state)
{
	struct bench *b = *state;

	b->after.status = 500;
	b->options.queue_lifetime_ms = 200;
	dispatch_start(b);
	mails_put(b, "ok", 3);
	wait_for(b, ITEM_FAILED, 3);
	assert_true(clock_mono_ms() - b->post_at_ms[0] >= 150);
}

/* --- templates ---------------------------------------------------------------------------- */

static void
templates_go_alone_and_in_batches(void **state)
{
	struct bench *b = *state;

	b->kind = ITEM_TEMPLATE;
	dispatch_start(b);
	mail_put(b, "ok", 10);
	wait_for(b, ITEM_SENT, 1);
	assert_int_equal(b->singles, 1);
	b->after.delay_ms = 30;
	mails_put(b, "ok", 40);
	wait_for(b, ITEM_SENT, 41);
	assert_int_equal(b->template_posts, b->posts);
	assert_in_range(b->posts, 2, 6);
	each_taken_once(b);
}

static void
kinds_never_share_a_batch(void **state)
{
	struct bench *b = *state;

	for (unsigned i = 0; i < 60; i++) {
		b->kind = i % 3 == 0 ? ITEM_TEMPLATE : ITEM_EMAIL;
		mail_put(b, "ok", 10);
	}
	turn_for(b, 100);
	dispatch_start(b);
	wait_for(b, ITEM_SENT, 60);
	each_taken_once(b);
	assert_true(b->template_posts > 0 && b->template_posts < b->posts);
	assert_in_range(b->posts, 2, 5);
}

/* A few of the one kind in a long queue of the other: both go on, and the batches stay full. */
static void
no_kind_starves(void **state)
{
	struct bench *b = *state;
	unsigned first = 0, small = 0;

	b->options.most_batch_items = 20;
	b->options.most_in_flight = 1;
	for (unsigned i = 0; i < 400; i++) {
		b->kind = i % 10 == 0 ? ITEM_TEMPLATE : ITEM_EMAIL;
		mail_put(b, "ok", 10);
	}
	wait_for(b, ITEM_SPOOLED, 400);
	dispatch_start(b);
	wait_for(b, ITEM_SENT, 400);
	each_taken_once(b);
	while (!b->post_templates[first])
		first++;
	assert_in_range(first, 0, 6);
	for (unsigned i = 0; i < b->posts; i++)
		small += b->post_items[i] < 20;
	assert_in_range(b->template_posts, 2, 8);
	assert_in_range(b->posts, 20, 28);
	assert_in_range(small, 0, b->template_posts + 2);
}

static void
templates_are_split(void **state)
{
	static const struct act acts[] = { { .status = 413, .body = "<html>" },
		{ .status = 422, .body = "{\"ErrorCode\":410}" } };
	struct bench *b = *state;

	b->kind = ITEM_TEMPLATE;
	b->acts = acts;
	b->act_count = 2;
	b->options.most_in_flight = 1;
	mails_put(b, "ok", 9);
	turn_for(b, 50);
	dispatch_start(b);
	wait_for(b, ITEM_SENT, 9);
	assert_int_equal(b->post_items[0], 9);
	assert_int_equal(b->post_items[1], 4);
	assert_int_equal(b->post_items[2], 2);
	assert_int_equal(b->template_posts, b->posts);
	each_taken_once(b);
}

/* One that an operator has yet to make is kept, and holds up nothing else. */
static void
a_missing_template_is_kept(void **state)
{
	struct bench *b = *state;

	b->options.probe_ms = 60000;
	b->kind = ITEM_TEMPLATE;
	mails_put(b, "code-1101", 5);
	mail_put(b, "code-1122", 10);
	mails_put(b, "ok", 3);
	turn_for(b, 50);
	dispatch_start(b);
	wait_for(b, ITEM_HELD, 5);
	assert_int_equal(b->counts.items[ITEM_SENT], 3);
	assert_int_equal(b->counts.items[ITEM_FAILED], 1);
	mail_put(b, "ok", 10);
	wait_for(b, ITEM_SENT, 4);
}

/* --- unsure ------------------------------------------------------------------------------- */

static void
taken_but_unanswered_is_found(void **state)
{
	static const struct act acts[] = { { .fate = SERVER_CLOSES } };
	struct bench *b = *state;

	b->acts = acts;
	b->act_count = 1;
	mails_put(b, "ok", 5);
	turn_for(b, 50);
	dispatch_start(b);
	wait_for(b, ITEM_SENT, 5);
	assert_int_equal(b->posts, 1);
	assert_int_equal(b->searches, 5);
	each_taken_once(b);
}

/* Searched for in the stream it was sent in, whether the payload is in memory or in a file. */
static void
searched_in_its_own_stream(void **state)
{
	static const struct act acts[] = { { .fate = SERVER_CLOSES } };
	struct bench *b = *state;

	b->acts = acts;
	b->act_count = 1;
	b->own_stream = true;
	mail_put(b, "ok", 10);
	mail_put(b, "ok", 200000);
	turn_for(b, 50);
	dispatch_start(b);
	wait_for(b, ITEM_SENT, 2);
	assert_int_equal(b->posts, 1);
	assert_int_equal(b->searches, 2);
	each_taken_once(b);
}

/* The first question comes too early for Postmark's index. */
static void
found_at_the_second_question(void **state)
{
	static const struct act acts[] = { { .fate = SERVER_RESETS } };
	struct bench *b = *state;

	b->acts = acts;
	b->act_count = 1;
	b->blind_searches = 1;
	dispatch_start(b);
	mail_put(b, "ok", 10);
	wait_for(b, ITEM_SENT, 1);
	assert_int_equal(b->posts, 1);
	assert_int_equal(b->searches, 2);
	each_taken_once(b);
}

static void
not_found_goes_out_again(void **state)
{
	static const struct act acts[] = { { .fate = SERVER_CLOSES, .status = 500 } };
	struct bench *b = *state;

	b->acts = acts;
	b->act_count = 1;
	mails_put(b, "ok", 5);
	turn_for(b, 50);
	dispatch_start(b);
	wait_for(b, ITEM_SENT, 5);
	assert_int_equal(b->searches, 10);
	assert_true(b->post_at_ms[1] - b->post_at_ms[0] >= b->options.settle_ms);
	each_taken_once(b);
}

static void
odd_answers_are_settled(void **state)
{
	static const struct act acts[] = {
		{ .body = "[{\"ErrorCode\":0}]" }, /* wrong length */
		{ .body = "<html>" },              /* taken, and a 200 that tells nothing */
		{ .fate = SERVER_CUTS },           /* half an answer */
		{ .status = 502, .takes = true, .body = "<html>" },
	};
	struct bench *b = *state;

	b->acts = acts;
	b->act_count = 4;
	b->options.breaker_failures = 100;
	mails_put(b, "ok", 5);
	turn_for(b, 50);
	dispatch_start(b);
	wait_for(b, ITEM_SENT, 5);
	for (unsigned i = 1; i < 4; i++) {
		mail_put(b, "ok", 10);
		wait_for(b, ITEM_SENT, 5 + i);
	}
	assert_int_equal(b->posts, 4);
	assert_int_equal(b->searches, 8);
	each_taken_once(b);
}

/* While Postmark cannot be asked nothing is sent again. */
static void
a_failing_search_is_repeated(void **state)
{
	static const struct act acts[] = { { .fate = SERVER_CLOSES } };
	struct bench *b = *state;

	b->acts = acts;
	b->act_count = 1;
	b->search_status = 500;
	mails_put(b, "ok", 5);
	turn_for(b, 50);
	dispatch_start(b);
	turn_for(b, 400);
	assert_int_equal(b->posts, 1);
	/* One at a time, further and further apart. */
	assert_in_range(b->searches, 4, 16);
	b->search_status = 0;
	wait_for(b, ITEM_SENT, 5);
	assert_int_equal(b->posts, 1);
	each_taken_once(b);
}

static void
unsure_may_be_retried(void **state)
{
	static const struct act acts[] = { { .fate = SERVER_CLOSES, .status = 500 } };
	struct bench *b = *state;

	b->options.unsure = UNSURE_RETRY;
	b->acts = acts;
	b->act_count = 1;
	dispatch_start(b);
	mail_put(b, "ok", 10);
	wait_for(b, ITEM_SENT, 1);
	assert_int_equal(b->searches, 0);
}

static void
unsure_may_be_held(void **state)
{
	struct bench *b = *state;

	b->options.unsure = UNSURE_HOLD;
	b->after.fate = SERVER_CLOSES;
	dispatch_start(b);
	mail_put(b, "ok", 10);
	wait_for(b, ITEM_HELD, 1);
	assert_int_equal(b->posts, 1);
	assert_int_equal(b->searches, 0);
}

static void
change_done(void *ctx, enum store_result result, const struct store_changed *changed)
{
	struct bench *b = ctx;

	assert_int_equal(result, STORE_OK);
	b->store_done += (unsigned)changed->changed;
}

/* What may have gone out is looked for, and not held for ever. */
static void
released_unsure_is_looked_for(void **state)
{
	struct store_change change = {
		.action = STORE_RELEASE, .states = 1U << ITEM_HELD, .by = "queue release by root"
	};
	struct bench *b = *state;

	b->options.unsure = UNSURE_HOLD;
	b->after.fate = SERVER_CLOSES;
	dispatch_start(b);
	mail_put(b, "ok", 10);
	wait_for(b, ITEM_HELD, 1);
	b->after.fate = SERVER_ANSWERS;
	change.at_ms = clock_wall_ms() + 1;
	store_change(b->store, &change, change_done, b);
	wait_for(b, ITEM_SENT, 1);
	assert_true(b->searches > 0);
}

/* --- an operator's word ------------------------------------------------------------------- */

static void
route_kept(void *ctx, int store_result)
{
	struct bench *b = ctx;

	b->store_done++;
	b->store_failed += store_result != STORE_OK;
}

static void
hold(struct bench *b, bool holds)
{
	assert_int_equal(
	    dispatch_route_hold(b->dispatch, "default", holds, "root: a reason", route_kept, b), 0);
}

static struct dispatch_route_state
route_now(struct bench *b)
{
	struct dispatch_route_state about;

	assert_int_equal(dispatch_route_count(b->dispatch), 1);
	dispatch_route_read(b->dispatch, 0, &about);
	return about;
}

static void
mode_is(struct bench *b, const char *mode, const char *why)
{
	struct dispatch_route_state about = route_now(b);

	assert_string_equal(dispatch_route_mode_name(about.mode), mode);
	if (strncmp(about.why, why, strlen(why)) != 0)
		fail_msg("%s: %s", mode, about.why);
	assert_int_equal(about.since_ms == 0, about.mode == ROUTE_GOES);
}

static void
restart(struct bench *b)
{
	dispatch_free(&b->dispatch);
	store_close(&b->store);
	store_start(b);
	dispatch_start(b);
}

static void
a_held_route_rests(void **state)
{
	struct bench *b = *state;

	dispatch_start(b);
	mail_put(b, "ok", 10);
	wait_for(b, ITEM_SENT, 1);
	mode_is(b, "goes", "");
	assert_true(route_now(b).last_success_ms > 0);
	assert_int_equal(dispatch_route_hold(b->dispatch, "other", true, "x", route_kept, b), -1);
	hold(b, true);
	assert_int_equal(b->store_done, 0);
	mails_put(b, "ok", 5);
	turn_for(b, 100);
	assert_int_equal(b->store_done, 1);
	assert_int_equal(b->store_failed, 0);
	assert_int_equal(b->posts, 1);
	mode_is(b, "held", "paused by root: a reason");
	dispatch_flush(b->dispatch);
	turn_for(b, 50);
	assert_int_equal(b->posts, 1);
	hold(b, false);
	wait_for(b, ITEM_SENT, 6);
	mode_is(b, "goes", "");
	assert_int_equal(b->route_events.count, 2);
	assert_string_equal(b->route_events.items[0], "stands paused by root: a reason");
	assert_string_equal(b->route_events.items[1], "goes resumed");
	assert_int_equal(route_now(b).sent, 6);
	each_taken_once(b);
}

/* Requests that are out end as they do; what is claimed beside them goes back. */
/* Whoever waits for the answer is behind a request of their own. */
static void
a_hold_is_answered_though_the_dispatcher_goes(void **state)
{
	struct bench *b = *state;

	reads_failing = 1000;
	dispatch_start(b);
	turn_for(b, 20);
	hold(b, true); /* not known yet what the store keeps */
	turn_for(b, 20);
	assert_int_equal(b->store_done, 0);
	dispatch_free(&b->dispatch);
	assert_int_equal(b->store_done, 1);
	assert_int_equal(b->store_failed, 1);
	turn_for(b, 20);
	assert_int_equal(b->store_done, 1);

	reads_failing = 0;
	dispatch_start(b);
	turn_for(b, 50);
	hold(b, true); /* the store is at it */
	dispatch_free(&b->dispatch);
	turn_for(b, 50);
	assert_int_equal(b->store_done, 2);
	assert_int_equal(b->store_failed, 1);
	dispatch_start(b);
	turn_for(b, 50);
	mode_is(b, "held", "paused by root: a reason");
}

static void
a_hold_in_the_middle(void **state)
{
	struct bench *b = *state;
	size_t taken;

	b->after.delay_ms = 20;
	b->options.most_batch_items = 5;
	b->options.most_in_flight = 2;
	mails_put(b, "ok", 100);
	turn_for(b, 50);
	dispatch_start(b);
	turn_for(b, 70);
	hold(b, true);
	turn_for(b, 100);
	taken = b->taken.count;
	assert_in_range(taken, 5, 60);
	turn_for(b, 100);
	assert_int_equal(b->taken.count, taken);
	assert_int_equal(route_now(b).in_flight, 0);
	wait_for(b, ITEM_SPOOLED, 100 - taken);
	hold(b, false);
	wait_for(b, ITEM_SENT, 100);
	each_taken_once(b);
}

static void
a_hold_outlives_a_restart(void **state)
{
	struct bench *b = *state;

	dispatch_start(b);
	/* Before it is known what the store has. */
	hold(b, true);
	mails_put(b, "ok", 3);
	turn_for(b, 100);
	assert_int_equal(b->store_done, 1);
	assert_int_equal(b->posts, 0);
	restart(b);
	turn_for(b, 150);
	assert_int_equal(b->posts, 0);
	mode_is(b, "held", "paused by root: a reason");
	hold(b, false);
	wait_for(b, ITEM_SENT, 3);
	restart(b);
	mail_put(b, "ok", 10);
	wait_for(b, ITEM_SENT, 4);
	mode_is(b, "goes", "");
}

/* The last word counts, whoever of them hears of it first. */
static void
many_words(void **state)
{
	struct bench *b = *state;

	dispatch_start(b);
	for (unsigned i = 0; i < 5; i++)
		hold(b, i % 2 == 0);
	turn_for(b, 50);
	for (unsigned i = 0; i < 4; i++)
		hold(b, i % 2 == 0);
	hold(b, true);
	dispatch_free(&b->dispatch);
	dispatch_start(b);
	mail_put(b, "ok", 10);
	turn_for(b, 100);
	mode_is(b, "held", "paused by");
	assert_int_equal(b->posts, 0);
	assert_int_equal(b->store_done, 10);
}

static const struct act bad_token = { .status = 401,
	.body = "{\"ErrorCode\":10,\"Message\":\"no\"}" };

static void
resuming_ends_what_else_holds_it(void **state)
{
	static const struct act jams[] = { { .status = 503 },
		{ .status = 429, .headers = "Retry-After: 60\r\n", .body = "" } };
	static const char *const modes[] = { "broken", "throttled", "paused" };
	struct bench *b = *state;

	b->options.probe_ms = 60000;
	b->options.breaker_failures = 1;
	b->options.retry_least_ms = b->options.retry_most_ms = 60000;
	dispatch_start(b);
	for (unsigned i = 0; i < 6; i++) {
		unsigned kind = i % 3;

		b->after = kind == 2 ? bad_token : jams[kind];
		mail_put(b, "ok", 10);
		wait_for(b, ITEM_WAITING, i + 1);
		mode_is(b, modes[kind], kind == 2 ? "HTTP 401, code 10: no" : "");
		assert_true(route_now(b).next_probe_ms > clock_wall_ms() + 30000);
		b->after = (struct act){ 0 };
		mail_put(b, "ok", 10);
		turn_for(b, 50);
		assert_int_equal(b->taken.count, i);
		if (i < 3)
			dispatch_flush(b->dispatch);
		else
			hold(b, false);
		wait_for(b, ITEM_SENT, i + 1);
		mode_is(b, "goes", "");
	}
}

static void
searches_rest_with_the_route(void **state)
{
	struct bench *b = *state;
	unsigned searches;

	b->after.fate = SERVER_CLOSES;
	b->search_status = 500;
	dispatch_start(b);
	mails_put(b, "ok", 3);
	wait_for(b, ITEM_UNSURE, 3);
	turn_for(b, 100);
	assert_true(b->searches > 0);
	hold(b, true);
	turn_for(b, 50);
	searches = b->searches;
	turn_for(b, 300);
	assert_int_equal(b->searches, searches);
	b->search_status = 0;
	hold(b, false);
	wait_for(b, ITEM_SENT, 3);
	each_taken_once(b);
	assert_int_equal(b->told[ITEM_SENT], 3);
	assert_int_equal(route_now(b).sent, 3);
}

/* Our own pause: tried at once by the next process, and ended by the first that goes through. */
static void
a_pause_outlives_a_restart(void **state)
{
	struct bench *b = *state;

	b->options.probe_ms = 60000;
	b->options.queue_lifetime_ms = 600000;
	b->after = bad_token;
	dispatch_start(b);
	mail_put(b, "ok", 10);
	wait_for(b, ITEM_WAITING, 1);
	mail_put(b, "ok", 10);
	turn_for(b, 100);
	assert_int_equal(b->posts, 1);
	restart(b);
	turn_for(b, 200);
	assert_int_equal(b->posts, 2);
	mode_is(b, "paused", "HTTP 401, code 10: no");
	b->after = (struct act){ 0 };
	restart(b);
	turn_for(b, 200);
	assert_int_equal(b->posts, 2); /* nothing is due */
	mode_is(b, "paused", "HTTP 401");
	mail_put(b, "ok", 10);
	wait_for(b, ITEM_SENT, 1);
	mode_is(b, "goes", "");
	restart(b);
	turn_for(b, 50);
	mode_is(b, "goes", "");
}

/*
 * Held for longer than an item lives, whether it is let go before or after the restart: what comes
 * then is a first try like any other.
 */
static void
a_lifetime_stands_still_across_restarts(void **state)
{
	struct bench *b = *state;

	b->options.queue_lifetime_ms = 700;
	b->options.breaker_failures = 1000;
	b->after.status = 500;
	for (unsigned i = 0; i < 2; i++) {
		unsigned posts = b->posts;

		dispatch_start(b);
		hold(b, true);
		mails_put(b, "ok", 3);
		turn_for(b, 800);
		if (i == 0)
			hold(b, false);
		restart(b);
		turn_for(b, 100);
		if (i > 0)
			hold(b, false);
		wait_for(b, ITEM_WAITING, 3);
		assert_int_equal(b->counts.items[ITEM_FAILED], 3 * i);
		assert_true(b->posts > posts);
		wait_for(b, ITEM_FAILED, 3 * (i + 1));
		dispatch_free(&b->dispatch);
	}
}

static void
a_store_that_cannot_say(void **state)
{
	struct bench *b = *state;

	reads_failing = 1;
	reads = 0;
	dispatch_start(b);
	mail_put(b, "ok", 10);
	hold(b, true);
	turn_for(b, 300);
	/* Nothing leaves before it is known whether it may. */
	assert_int_equal(b->posts, 0);
	assert_int_equal(b->store_done, 0);
	turn_for(b, 1000);
	assert_int_equal(reads, 2);
	assert_int_equal(b->store_done, 1);
	hold(b, false);
	wait_for(b, ITEM_SENT, 1);
}

/* Told that it is not durable, and kept as soon as that can be. */
static void
a_store_that_is_full(void **state)
{
	struct bench *b = *state;

	dispatch_start(b);
	turn_for(b, 50);
	writes_failing = 1;
	hold(b, true);
	turn_for(b, 100);
	assert_int_equal(b->store_failed, 1);
	mode_is(b, "held", "paused by");
	turn_for(b, 1100);
	restart(b);
	turn_for(b, 50);
	mode_is(b, "held", "paused by");
}

static void
what_is_durable_is_told(void **state)
{
	struct bench *b = *state;
	struct dispatch_route_state about;

	mails_put(b, "ok", 3);
	mail_put(b, "code-300", 10);
	mail_put(b, "code-410", 10);
	turn_for(b, 50);
	dispatch_start(b);
	wait_for(b, ITEM_HELD, 1);
	turn_for(b, 20);
	assert_int_equal(b->told[ITEM_SENT], 3);
	assert_int_equal(b->told[ITEM_FAILED], 1);
	assert_int_equal(b->told[ITEM_HELD], 1);
	b->after = bad_token;
	mail_put(b, "ok", 10);
	wait_for(b, ITEM_WAITING, 1);
	turn_for(b, 20);
	assert_int_equal(b->told[ITEM_WAITING], 1);
	assert_int_equal(b->route_events.count, 1);
	assert_string_equal(b->route_events.items[0], "stands HTTP 401, code 10: no");
	b->after = (struct act){ 0 };
	wait_for(b, ITEM_SENT, 4);
	assert_string_equal(b->route_events.items[1], "goes resumed");
	about = route_now(b);
	assert_string_equal(about.name, "default");
	assert_string_equal(about.message_stream, "outbound");
	assert_int_equal(about.sent, 4);
	assert_int_equal(about.refused, 1);
	assert_true(about.window == 4 && about.batch_items > 0 && about.requests >= 3);
}

/* --- the end ------------------------------------------------------------------------------ */

static void
drained(void *ctx)
{
	struct bench *b = ctx;

	b->drained = true;
	if (b->ends)
		dispatch_free(&b->dispatch);
	loop_stop(b->loop);
}

static void
a_drain_finishes_what_is_out(void **state)
{
	struct bench *b = *state;

	b->after.delay_ms = 100;
	b->options.most_in_flight = 2;
	b->options.most_batch_items = 10;
	mails_put(b, "ok", 100);
	turn_for(b, 50);
	dispatch_start(b);
	turn_for(b, 50);
	b->ends = true;
	dispatch_drain(b->dispatch, drained, b);
	assert_false(b->drained);
	turn_for(b, 3000);
	assert_true(b->drained);
	assert_int_equal(b->taken.count, 20);
	/* All of it is durable: reopened, nothing is under way. */
	store_close(&b->store);
	store_start(b);
	wait_for(b, ITEM_SENT, 20);
	assert_int_equal(b->counts.items[ITEM_UNSURE], 0);
	assert_int_equal(b->counts.items[ITEM_SENDING], 0);
	assert_int_equal(b->counts.items[ITEM_SPOOLED], 80);
}

static void
an_idle_drain_ends_at_once(void **state)
{
	struct bench *b = *state;

	dispatch_start(b);
	turn_for(b, 50);
	dispatch_drain(b->dispatch, drained, b);
	assert_false(b->drained);
	turn_for(b, 1000);
	assert_true(b->drained);
	/* A drained dispatcher takes nothing more. */
	mail_put(b, "ok", 10);
	turn_for(b, 50);
	assert_int_equal(b->posts, 0);
}

static void
a_drain_gives_back_questions(void **state)
{
	struct bench *b = *state;

	b->options.settle_ms = 60000;
	b->after = (struct act){ .fate = SERVER_CLOSES, .status = 500 };
	dispatch_start(b);
	mail_put(b, "ok", 10);
	turn_for(b, 100);
	assert_int_equal(b->searches, 1);
	dispatch_drain(b->dispatch, drained, b);
	turn_for(b, 1000);
	assert_true(b->drained);
	wait_for(b, ITEM_UNSURE, 1);
}

/* Freed in the middle of everything, and begun again: nothing lost, nothing twice. */
static void
freed_and_begun_again(void **state)
{
	struct bench *b = *state;

	b->after.delay_ms = 20;
	b->options.most_batch_items = 7;
	b->options.settle_ms = 10;
	mails_put(b, "ok", 200);
	for (unsigned i = 0; i < 8; i++) {
		dispatch_start(b);
		turn_for(b, 7 + 3 * i);
		dispatch_free(&b->dispatch);
		if (i % 2 == 0)
			turn_for(b, i);
	}
	dispatch_start(b);
	wait_for(b, ITEM_SENT, 200);
	assert_int_equal(b->taken.count, 200);
	each_taken_once(b);
}

static void
without_a_token_nothing_leaves(void **state)
{
	struct bench *b = *state;

	secret_free(&b->token);
	dispatch_start(b);
	mails_put(b, "ok", 3);
	turn_for(b, 100);
	assert_int_equal(b->posts, 0);
	mode_is(b, "paused", "no token");
	hold(b, false);
	turn_for(b, 50);
	mode_is(b, "paused", "no token");
	dispatch_drain(b->dispatch, drained, b);
	turn_for(b, 1000);
	assert_true(b->drained);
	/* A token is there: it goes again without having been tried. */
	b->token = secret_new("test-token", 10);
	dispatch_free(&b->dispatch);
	dispatch_start(b);
	wait_for(b, ITEM_SENT, 3);
	mode_is(b, "goes", "");
}

/* --- mails that go by SMTP ---------------------------------------------------------------- */

static void
mails_go_by_smtp(void **state)
{
	struct bench *b = *state;

	b->kind = ITEM_SMTP;
	mails_put(b, "ok", 60);
	mail_put(b, "large", 500000);
	turn_for(b, 50);
	dispatch_start(b);
	wait_for(b, ITEM_SENT, 61);
	assert_int_equal(b->taken.count, 61);
	each_taken_once(b);
	assert_int_equal(b->posts, 0);
	assert_int_equal(b->searches, 0);
	/* Several at once, and no more logins than connections: one that has told what came of its
	 * mail may not be free yet when the next mail leaves, so there may be more than requests.
	 */
	assert_in_range(smtp_server_most(b->smtp), 2, SMTP_CONNECTIONS);
	assert_int_equal(b->smtp_logins, smtp_server_connections(b->smtp));
	assert_int_equal(b->smtp_logins, smtp_server_most(b->smtp));
	/* Lines of several connections, in any order. */
	assert_non_null(strstr(smtp_server_talk(b->smtp), "RCPT TO:<gone@x.example>\n"));
	assert_non_null(strstr(smtp_server_talk(b->smtp), "RCPT TO:<there@x.example>\n"));
	assert_non_null(strstr(smtp_server_talk(b->smtp), "MAIL FROM:<a@x.example> SIZE="));
	assert_string_equal(b->last_answer, "250 2.0.0 Ok: queued as 1A2B");
}

static void
they_go_beside_the_others(void **state)
{
	static const enum item_kind kinds[] = { ITEM_EMAIL, ITEM_SMTP, ITEM_TEMPLATE, ITEM_EMAIL };
	struct bench *b = *state;

	for (unsigned i = 0; i < 120; i++) {
		b->kind = kinds[i % 4];
		mail_put(b, "ok", 10);
	}
	turn_for(b, 50);
	dispatch_start(b);
	wait_for(b, ITEM_SENT, 120);
	each_taken_once(b);
	assert_int_equal(b->taken.count, 120);
	assert_int_equal(b->smtp_mails, 30);
	assert_true(b->posts < 30); /* the others in batches */
}

static void
replies_are_judged(void **state)
{
	static const struct {
		const char *reason, *verb;
		struct smtp_does does;
		enum item_state to;
		const char *answer, *inactive;
	} cases[] = {
		{ "content refused", "content", { .reply = "554 5.7.1 no" }, ITEM_FAILED,
		    "554 5.7.1 no", "" },
		{ "one of two refused", "RCPT", { .reply = "550 5.1.1 nobody" }, ITEM_SENT,
		    "250 2.0.0 Ok: queued as 1A2B; <gone@x.example>: 550 5.1.1 nobody",
		    "gone@x.example" },
		{ "not for now", "MAIL", { .reply = "451 4.3.0 later" }, ITEM_WAITING,
		    "451 4.3.0 later", "" },
		{ "our fault", "MAIL", { .reply = "501 5.5.4 syntax" }, ITEM_HELD,
		    "501 5.5.4 syntax", "" },
	};
	struct bench *b = *state;
	uint64_t so_many[ITEM_STATES] = { 0 };

	b->kind = ITEM_SMTP;
	b->options.retry_least_ms = b->options.retry_most_ms = 60000;
	dispatch_start(b);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		b->smtp_verb = cases[i].verb;
		b->smtp_does = cases[i].does;
		b->smtp_times = 1;
		mail_put(b, "ok", 10);
		wait_for(b, cases[i].to, ++so_many[cases[i].to]);
		turn_for(b, 20);
		if (strcmp(b->last_answer, cases[i].answer) != 0 ||
		    strcmp(b->last_inactive, cases[i].inactive) != 0)
			fail_msg("%s: %s, %s", cases[i].reason, b->last_answer, b->last_inactive);
	}
}

static void
smtp_weather_comes_again(void **state)
{
	struct bench *b = *state;

	b->kind = ITEM_SMTP;
	b->smtp_verb = "content";
	b->smtp_does.reply = "451 4.3.0 later";
	b->smtp_times = 5; /* the breaker opens, and is tried with one */
	mails_put(b, "ok", 8);
	turn_for(b, 50);
	dispatch_start(b);
	wait_for(b, ITEM_SENT, 8);
	assert_int_equal(b->taken.count, 8);
	assert_int_equal(b->smtp_mails, 13);
}

/* A closed port, and a queue of mails that want it: what goes by the API has not to wait. */
static void
weather_of_smtp_is_smtps_alone(void **state)
{
	struct bench *b = *state;
	int64_t began_ms;
	unsigned tries;

	b->options.probe_ms = 400;
	b->options.retry_least_ms = b->options.retry_most_ms = 10;
	b->smtp_verb = "connect";
	b->smtp_does.closes = true;
	b->smtp_times = 1000;
	b->kind = ITEM_SMTP;
	mails_put(b, "ok", 30);
	turn_for(b, 50);
	dispatch_start(b);
	turn_for(b, 200);
	mode_is(b, "goes", "");
	began_ms = clock_mono_ms();
	b->kind = ITEM_EMAIL;
	mails_put(b, "ok", 5);
	wait_for(b, ITEM_SENT, 5);
	assert_true(clock_mono_ms() - began_ms < 300);
	/* One finds out, now and then. */
	tries = smtp_server_connections(b->smtp);
	assert_in_range(tries, 3, 12);
	turn_for(b, 1000);
	assert_in_range(smtp_server_connections(b->smtp) - tries, 1, 3);
	b->smtp_times = 0;
	wait_for(b, ITEM_SENT, 35);
	each_taken_once(b);
	assert_int_equal(b->smtp_mails, 30);
}

/* The server may have SMTP switched off, and all that goes by the API is well. */
static void
a_login_that_fails_is_smtps_alone(void **state)
{
	struct bench *b = *state;

	b->options.probe_ms = 100;
	b->smtp_verb = "AUTH";
	b->smtp_does.reply = "535 5.7.8 Error: authentication failed:";
	b->smtp_times = 1000;
	dispatch_start(b);
	b->kind = ITEM_SMTP;
	mails_put(b, "ok", 2);
	wait_for(b, ITEM_WAITING, 2);
	mode_is(b, "goes", "");
	/* More of them pause it, and the first of another kind ends that. */
	mails_put(b, "ok", 8);
	turn_for(b, 50);
	mode_is(b, "paused", "SMTP: 535 5.7.8 Error: authentication failed:");
	b->kind = ITEM_EMAIL;
	mails_put(b, "ok", 20);
	wait_for(b, ITEM_SENT, 20);
	assert_int_equal(b->smtp_mails, 0);
	b->smtp_times = 0;
	wait_for(b, ITEM_SENT, 30);
	each_taken_once(b);
}

static void
a_lost_reply_is_looked_for(void **state)
{
	struct bench *b = *state;

	/* The last one in the stream that it names itself, from a file. */
	for (unsigned i = 0; i < 2; i++) {
		b->kind = ITEM_SMTP;
		b->smtp_verb = "content";
		b->smtp_does.closes = true;
		b->smtp_takes = true;
		b->smtp_times = 1;
		b->own_stream = i == 1;
		mail_put(b, "ok", i * 200000);
		if (b->dispatch == NULL)
			dispatch_start(b);
		wait_for(b, ITEM_SENT, i + 1);
		assert_int_equal(b->searches, i + 1);
		assert_string_equal(b->last_answer, "found at Postmark by its relay-id");
	}
	each_taken_once(b);

	/* Not taken: asked twice, and out again. */
	b->smtp_takes = false;
	b->smtp_times = 1;
	mail_put(b, "ok", 10);
	wait_for(b, ITEM_SENT, 3);
	assert_int_equal(b->searches, 4);
	assert_int_equal(b->taken.count, 3);
	each_taken_once(b);
}

static void
cut_by_the_end_they_are_looked_for(void **state)
{
	struct bench *b = *state;

	b->kind = ITEM_SMTP;
	b->smtp_verb = "content";
	b->smtp_does.stalls = true;
	b->smtp_takes = true;
	b->smtp_times = 2;
	mails_put(b, "ok", 2);
	turn_for(b, 50);
	dispatch_start(b);
	while (b->smtp_mails < 2)
		turn_for(b, 10);
	dispatch_free(&b->dispatch);
	wait_for(b, ITEM_UNSURE, 2);
	dispatch_start(b);
	wait_for(b, ITEM_SENT, 2);
	assert_int_equal(b->taken.count, 2);
	each_taken_once(b);
}

static void
a_drain_waits_for_smtp(void **state)
{
	struct bench *b = *state;

	b->kind = ITEM_SMTP;
	b->smtp_verb = "content";
	b->smtp_does = (struct smtp_does){ .reply = "250 ok", .delay_ms = 150 };
	b->smtp_times = 1000;
	b->smtp_takes = true;
	mails_put(b, "ok", 40);
	turn_for(b, 50);
	dispatch_start(b);
	while (b->smtp_mails < b->options.most_in_flight)
		turn_for(b, 5);
	b->ends = true;
	dispatch_drain(b->dispatch, drained, b);
	turn_for(b, 3000);
	assert_true(b->drained);
	assert_int_equal(b->taken.count, b->options.most_in_flight);
	/* What was claimed with them went back, untried. */
	wait_for(b, ITEM_SPOOLED, 40 - b->options.most_in_flight);
	assert_int_equal(b->counts.items[ITEM_SENT], b->options.most_in_flight);
	assert_int_equal(b->counts.items[ITEM_UNSURE], 0);
}

static void
where_smtp_cannot_be_they_are_held(void **state)
{
	struct store_change change = {
		.action = STORE_RELEASE, .states = 1U << ITEM_HELD, .by = "queue release by root"
	};
	struct bench *b = *state;

	/* Without an SMTP service, … */
	postmark_client_free(&b->client);
	client_start(b, NULL);
	b->kind = ITEM_SMTP;
	dispatch_start(b);
	mail_put(b, "ok", 10);
	b->kind = ITEM_EMAIL;
	mail_put(b, "ok", 10);
	b->kind = ITEM_SMTP;
	mail_put(b, "ok", 10);
	wait_for(b, ITEM_HELD, 2);
	wait_for(b, ITEM_SENT, 1);
	dispatch_free(&b->dispatch);
	postmark_client_free(&b->client);

	/* … and with a token that is for tests. */
	client_start(b, smtp_server_url(b->smtp));
	secret_free(&b->token);
	b->token = secret_new("POSTMARK_API_TEST", 17);
	dispatch_start(b);
	mail_put(b, "ok", 10);
	wait_for(b, ITEM_HELD, 3);
	turn_for(b, 20);
	assert_string_equal(
	    b->last_answer, "sandbox route: Postmark's SMTP service has no test mode");
	assert_int_equal(b->told[ITEM_HELD], 3);
	assert_int_equal(smtp_server_connections(b->smtp), 0);

	/* Nothing went out: released, they are sent without a question. */
	dispatch_free(&b->dispatch);
	secret_free(&b->token);
	b->token = secret_new("test-token", 10);
	dispatch_start(b);
	change.at_ms = clock_wall_ms() + 1;
	store_change(b->store, &change, change_done, b);
	wait_for(b, ITEM_SENT, 4);
	assert_int_equal(b->searches, 0);
	assert_int_equal(b->smtp_mails, 3);
}

/* Nothing is sent with it, and what it may ask is not known: so nobody is asked. */
static void
a_test_token_asks_nothing(void **state)
{
	static const struct act acts[] = { { .fate = SERVER_CLOSES } };
	struct bench *b = *state;

	secret_free(&b->token);
	b->token = secret_new("POSTMARK_API_TEST", 17);
	b->search_status = 401;
	b->acts = acts;
	b->act_count = 1;
	dispatch_start(b);
	mail_put(b, "ok", 10);
	wait_for(b, ITEM_SENT, 1);
	assert_int_equal(b->posts, 2);
	assert_int_equal(b->searches, 0);
}

/* What waits for company of its kind, or for room, is in memory as well. */
static void
what_waits_counts_as_memory(void **state)
{
	static const enum item_kind kinds[] = { ITEM_EMAIL, ITEM_TEMPLATE, ITEM_SMTP };
	struct bench *b = *state;

	b->options.most_in_flight = 20;
	b->options.most_batch_items = 5;
	b->options.batch_timeout_ms = b->options.single_timeout_ms = 20000;
	b->options.most_memory_bytes = 300000;
	b->after.fate = SERVER_STALLS;
	b->smtp_verb = "content";
	b->smtp_does.stalls = true;
	b->smtp_times = 1000;
	for (unsigned i = 0; i < 60; i++) {
		b->kind = kinds[i % 3];
		mail_put(b, "ok", 20000);
	}
	wait_for(b, ITEM_SPOOLED, 60);
	dispatch_start(b);
	wait_for(b, ITEM_SENDING, 15);
	turn_for(b, 300);
	wait_for(b, ITEM_SENDING, 15);
	assert_int_equal(b->counts.items[ITEM_SENDING], 15);
	/* Nothing of it waits for a claim that does not come. */
	assert_int_equal(b->smtp_mails, 5);
	assert_in_range(b->posts, 2, 6);
	/* As they are answered, the others follow. */
	b->after.fate = SERVER_ANSWERS;
	b->smtp_times = 0;
	dispatch_free(&b->dispatch);
	dispatch_start(b);
	wait_for(b, ITEM_SENT, 60);
	each_taken_once(b);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_mail_goes_alone),
		TEST(a_queue_goes_in_batches),
		TEST(late_comers_fill_a_batch),
		TEST(a_hanging_request_holds_up_nobody),
		TEST(large_payloads_are_streamed),
		TEST(batches_keep_to_their_bytes),
		TEST(memory_in_flight_is_bounded),
		TEST(refusals_in_a_batch),
		TEST(throttled_waits_as_told),
		TEST(weather_comes_again),
		TEST(the_breaker_spares_the_queue),
		TEST(the_breaker_probes_with_one),
		TEST(an_operator_pauses_the_route),
		TEST(a_stream_of_its_own_does_not_pause_the_route),
		TEST(one_sender_does_not_pause_the_route),
		TEST(too_large_is_split),
		TEST(a_bad_one_is_isolated),
		TEST(one_too_large_fails),
		TEST(the_lifetime_ends),
		TEST(templates_go_alone_and_in_batches),
		TEST(kinds_never_share_a_batch),
		TEST(no_kind_starves),
		TEST(templates_are_split),
		TEST(a_missing_template_is_kept),
		TEST(taken_but_unanswered_is_found),
		TEST(searched_in_its_own_stream),
		TEST(found_at_the_second_question),
		TEST(not_found_goes_out_again),
		TEST(odd_answers_are_settled),
		TEST(a_failing_search_is_repeated),
		TEST(unsure_may_be_retried),
		TEST(unsure_may_be_held),
		TEST(released_unsure_is_looked_for),
		TEST(a_held_route_rests),
		TEST(a_hold_is_answered_though_the_dispatcher_goes),
		TEST(a_hold_in_the_middle),
		TEST(a_hold_outlives_a_restart),
		TEST(many_words),
		TEST(resuming_ends_what_else_holds_it),
		TEST(searches_rest_with_the_route),
		TEST(a_pause_outlives_a_restart),
		TEST(a_lifetime_stands_still_across_restarts),
		TEST(a_store_that_cannot_say),
		TEST(a_store_that_is_full),
		TEST(what_is_durable_is_told),
		TEST(a_drain_finishes_what_is_out),
		TEST(an_idle_drain_ends_at_once),
		TEST(a_drain_gives_back_questions),
		TEST(freed_and_begun_again),
		TEST(without_a_token_nothing_leaves),
		TEST(mails_go_by_smtp),
		TEST(they_go_beside_the_others),
		TEST(replies_are_judged),
		TEST(smtp_weather_comes_again),
		TEST(weather_of_smtp_is_smtps_alone),
		TEST(a_login_that_fails_is_smtps_alone),
		TEST(a_lost_reply_is_looked_for),
		TEST(cut_by_the_end_they_are_looked_for),
		TEST(a_drain_waits_for_smtp),
		TEST(where_smtp_cannot_be_they_are_held),
		TEST(a_test_token_asks_nothing),
		TEST(what_waits_counts_as_memory),
	};

	log_setup("test", getenv("TEST_LOG") != NULL ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR,
	    LOG_FORMAT_TEXT, getenv("TEST_LOG") != NULL ? 2 : -1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
