/*
 * Mails that came in, between a real spool and a command, a Maildir or a scripted SMTP server: what
 * becomes of each.
 */

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/strlist.h"
#include "deliver/deliver.h"
#include "dispatch/dispatch.h"
#include "mail/mail.h"
#include "postmark/client.h"
#include "postmark/smtp.h"
#include "store/store.h"

#include "smtp_server.h"

struct bench {
	struct loop *loop;
	struct loop_timer *timer, *poll;
	struct postmark_client *client; /* of a service that nobody is to ask */
	struct store *store;
	struct dispatch *dispatch;
	struct dispatch_local local;
	struct dispatch_options options;
	char folder[64];

	struct smtp_server *server;
	const char *verb; /* that is answered so, that often: */
	struct smtp_does does;
	unsigned times;
	unsigned contents;
	struct strlist mails; /* that the server has taken */

	struct store_counts counts;
	enum item_state wanted;
	uint64_t wanted_count;
	int64_t give_up_ms;
	bool reached;
	char answer[400];
	unsigned told[ITEM_STATES];
};

static void
said(void *ctx, const struct smtp_said *said, struct smtp_does *does)
{
	struct bench *b = ctx;

	assert_string_not_equal(said->verb, "AUTH");
	if (strcmp(said->verb, "content") == 0) {
		b->contents++;
		strlist_add_bytes(&b->mails, said->content, said->len);
	}
	if (b->times > 0 && strcmp(said->verb, b->verb) == 0) {
		b->times--;
		*does = b->does;
	}
}

static void
reported(void *ctx, const struct dispatch_event *event)
{
	struct bench *b = ctx;

	if (event->item == NULL)
		return;
	b->told[event->outcome->to]++;
	snprintf(b->answer, sizeof(b->answer), "%s",
	    event->outcome->answer != NULL ? event->outcome->answer : "");
}

static void
became_due(void *ctx)
{
	struct bench *b = ctx;

	if (b->dispatch != NULL)
		dispatch_wake(b->dispatch);
}

static void
stop(void *ctx)
{
	struct bench *b = ctx;

	loop_stop(b->loop);
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

static void
wait_for(struct bench *b, enum item_state state, uint64_t count)
{
	b->wanted = state;
	b->wanted_count = count;
	b->reached = false;
	b->give_up_ms = clock_mono_ms() + 8000;
	loop_timer_set(b->poll, 0);
	loop_run(b->loop);
	if (!b->reached)
		fail_msg("%s: %llu of %llu; last: %s", item_state_name(state),
		    (unsigned long long)b->counts.items[state], (unsigned long long)count,
		    b->answer);
}

static void
turn_for(struct bench *b, int64_t span_ms)
{
	loop_timer_set(b->timer, span_ms);
	loop_run(b->loop);
}

static void
store_start(struct bench *b)
{
	char why[256] = "", *folder = mem_format("%s/spool", b->folder);
	struct store_params params = {
		.loop = b->loop, .backend = "sqlite", .folder = folder, .due = became_due, .ctx = b
	};

	mkdir(folder, 0700);
	b->store = store_open(&params, why, sizeof(why));
	if (b->store == NULL)
		fail_msg("%s", why);
	free(folder);
}

static int
setup(void **state)
{
	struct bench *b = mem_new(sizeof(*b));
	char why[256];

	b->loop = loop_new();
	snprintf(b->folder, sizeof(b->folder), "/tmp/pmrelay-local-XXXXXX");
	assert_non_null(mkdtemp(b->folder));
	b->timer = loop_timer_new(b->loop, stop, b);
	b->poll = loop_timer_new(b->loop, poll_counts, b);
	b->server =
	    smtp_server_new(&(struct smtp_server_params){ .loop = b->loop, .fn = said, .ctx = b });
	b->client = postmark_client_new(&(struct postmark_client_params){ .loop = b->loop,
					    .base_url = "http://127.0.0.1:1",
					    .user_agent = "pmrelay/test",
					    .connect_timeout_ms = 1000,
					    .most_connections = 4 },
	    why, sizeof(why));
	assert_non_null(b->client);
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

static void
dispatch_end(struct bench *b)
{
	dispatch_free(&b->dispatch);
	deliver_free(&b->local.deliver);
	smtp_free(&b->local.smtp);
}

static int
teardown(void **state)
{
	struct bench *b = *state;

	dispatch_end(b);
	postmark_client_free(&b->client);
	store_close(&b->store);
	smtp_server_free(&b->server);
	loop_timer_free(&b->timer);
	loop_timer_free(&b->poll);
	strlist_free(&b->mails);
	loop_free(&b->loop);
	nftw(b->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(b);
	return 0;
}

/* target: NULL for the SMTP server. */
static void
dispatch_start(struct bench *b, const char *target)
{
	struct dispatch_route route = { .name = "inbound", .message_stream = "" };
	char why[256] = "";

	b->local.parallel = 3;
	b->local.timeout_ms = 2000;
	if (target == NULL)
		b->local.smtp = smtp_new(&(struct smtp_params){ .loop = b->loop,
					     .url = smtp_server_url(b->server),
					     .without_secrets = true,
					     .connect_timeout_ms = 1000,
					     .most_connections = 3 },
		    why, sizeof(why));
	else
		b->local.deliver = deliver_new(&(struct deliver_params){ .loop = b->loop,
						   .target = target,
						   .hostname = "relay.example",
						   .timeout_ms = 3000,
						   .parallel = 3 },
		    why, sizeof(why));
	if (b->local.deliver == NULL && b->local.smtp == NULL)
		fail_msg("%s", why);
	route.local = b->local;
	b->dispatch = dispatch_new(&(struct dispatch_params){ .loop = b->loop,
	    .store = b->store,
	    .client = b->client,
	    .routes = &route,
	    .route_count = 1,
	    .options = &b->options,
	    .seed = 42,
	    .report = reported,
	    .ctx = b });
}

static void
script_make(const struct bench *b, const char *text)
{
	char *path = mem_format("%s/script", b->folder);
	FILE *file = fopen(path, "w");

	fprintf(file, "#!/bin/sh\ncd %s\n%s\n", b->folder, text);
	fclose(file);
	assert_int_equal(chmod(path, 0700), 0);
	free(path);
}

static void
command_start(struct bench *b, const char *script)
{
	char *target = mem_format("command:%s/script", b->folder);

	script_make(b, script);
	dispatch_start(b, target);
	free(target);
}

static void
mail_stored(void *ctx, enum store_result result, bool known)
{
	(void)ctx;
	(void)known;
	assert_int_equal(result, STORE_OK);
}

/* A mail to that many recipients, one item each. */
static void
mail_put(struct bench *b, unsigned recipients, enum item_kind kind)
{
	struct mail *mail = mail_new();
	const char *text = kind == ITEM_LOCAL ? "Subject: x\r\n\r\n.y\r\n" : "{\"Tag\":\"x\"}";

	ulid_make(mail->id, clock_wall_ms());
	mail->accepted_ms = clock_wall_ms();
	mail->reverse_path = mem_string("s@x.example");
	mail->route = mem_string("inbound");
	mail->listener = mem_string("webhook");
	mail->client = mem_string("postmark");
	mail->helo = mem_string("");
	mail->message_id = mem_string("");
	mail->from = mem_string("");
	mail->subject = mem_string("");
	mail->ledger = mem_string("");
	mail->items = mem_array(recipients, sizeof(*mail->items));
	for (unsigned i = 0; i < recipients; i++) {
		struct item *item = &mail->items[mail->item_count++];
		char *address = mem_format("r%u@x.example", i + 1);

		item->number = i + 1;
		item->kind = kind;
		strlist_take(&item->recipients, address);
		payload_init(&item->payload);
		item->payload.data = mem_string(text);
		item->payload.len = strlen(text);
	}
	store_commit(b->store, mail, mail_stored, b);
}

static unsigned
lines_in(const struct bench *b, const char *name)
{
	char *path = mem_format("%s/%s", b->folder, name), line[200];
	FILE *file = fopen(path, "r");
	unsigned count = 0;

	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		count++;
	if (file != NULL)
		fclose(file);
	free(path);
	return count;
}

/* --- what becomes of them ----------------------------------------------------------------- */

static void
each_recipient_gets_it(void **state)
{
	struct bench *b = *state;

	command_start(b, "cat >/dev/null; echo $RECIPIENT >>got");
	mail_put(b, 5, ITEM_LOCAL);
	mail_put(b, 1, ITEM_LOCAL);
	wait_for(b, ITEM_SENT, 6);
	assert_int_equal(lines_in(b, "got"), 6);
	assert_int_equal(b->told[ITEM_SENT], 6);
}

/* Those who have it do not get it again because of the others. */
static void
only_who_lacks_it_gets_it_again(void **state)
{
	struct bench *b = *state;

	command_start(b, "echo $RECIPIENT >>tried; [ $RECIPIENT != r2@x.example ] && exit 0\n"
			 "[ $(grep -c r2@ tried) -lt 4 ] && exit 75; exit 0");
	mail_put(b, 3, ITEM_LOCAL);
	wait_for(b, ITEM_SENT, 3);
	assert_int_equal(lines_in(b, "tried"), 6);
	assert_int_equal(b->told[ITEM_WAITING], 3);
}

/* One mailbox that is full for long does not open the breaker, which would hold up the others. */
static void
a_full_mailbox_is_no_weather(void **state)
{
	struct bench *b = *state;
	struct dispatch_route_state about;

	command_start(b, "[ $RECIPIENT = r1@x.example ] && exit 75; exit 0");
	mail_put(b, 1, ITEM_LOCAL);
	while (b->told[ITEM_WAITING] < 6)
		turn_for(b, 20);
	dispatch_route_read(b->dispatch, 0, &about);
	assert_int_equal(about.mode, ROUTE_GOES);
	mail_put(b, 2, ITEM_LOCAL);
	wait_for(b, ITEM_SENT, 1);
}

static void
nobody_there_is_weather(void **state)
{
	struct bench *b = *state;
	struct dispatch_route_state about;
	char *target = mem_format("lmtp:unix:%s/none", b->folder);

	dispatch_start(b, target);
	mail_put(b, 1, ITEM_LOCAL);
	while (b->told[ITEM_WAITING] < 3)
		turn_for(b, 20);
	dispatch_route_read(b->dispatch, 0, &about);
	assert_int_equal(about.mode, ROUTE_BROKEN);
	assert_non_null(strstr(about.why, "No such file"));
	free(target);
	/* And well again. */
	dispatch_end(b);
	command_start(b, "exit 0");
	wait_for(b, ITEM_SENT, 1);
}

static void
what_is_refused_is_held(void **state)
{
	struct bench *b = *state;
	struct dispatch_route_state about;

	command_start(b, "echo no such user >&2; exit 67");
	mail_put(b, 1, ITEM_LOCAL);
	wait_for(b, ITEM_HELD, 1);
	turn_for(b, 50);
	assert_string_equal(b->answer, "the command ended with 67: no such user");
	dispatch_route_read(b->dispatch, 0, &about);
	assert_int_equal(about.mode, ROUTE_GOES);
}

/* Its sender was told that it has arrived: it is never given up. */
static void
what_is_too_old_is_held(void **state)
{
	struct bench *b = *state;

	b->options.queue_lifetime_ms = 1;
	command_start(b, "exit 75");
	mail_put(b, 1, ITEM_LOCAL);
	wait_for(b, ITEM_HELD, 1);
}

/* Cut in the middle: a Maildir knows what it has, and nobody is asked but it. */
static void
what_was_cut_goes_again(void **state)
{
	struct bench *b = *state;

	command_start(b, "echo x >>begun; sleep 30");
	mail_put(b, 1, ITEM_LOCAL);
	while (lines_in(b, "begun") == 0)
		turn_for(b, 20);
	dispatch_end(b);
	wait_for(b, ITEM_UNSURE, 1);
	command_start(b, "exit 0");
	wait_for(b, ITEM_SENT, 1);
	assert_int_equal(lines_in(b, "begun"), 1);
}

static void
an_operator_stops_it(void **state)
{
	struct bench *b = *state;

	command_start(b, "echo x >>got");
	assert_int_equal(dispatch_route_hold(b->dispatch, "inbound", true, "root", NULL, NULL), 0);
	turn_for(b, 50);
	mail_put(b, 1, ITEM_LOCAL);
	turn_for(b, 200);
	assert_int_equal(lines_in(b, "got"), 0);
	assert_int_equal(dispatch_route_hold(b->dispatch, "inbound", false, "root", NULL, NULL), 0);
	wait_for(b, ITEM_SENT, 1);
}

static void
what_is_for_postmark_stays(void **state)
{
	struct bench *b = *state;

	command_start(b, "echo x >>got");
	mail_put(b, 1, ITEM_EMAIL);
	wait_for(b, ITEM_HELD, 1);
	assert_int_equal(lines_in(b, "got"), 0);
}

static void
maildir_has_it_once(void **state)
{
	struct bench *b = *state;
	char *target = mem_format("maildir:%s/Mail", b->folder);

	dispatch_start(b, target);
	mail_put(b, 2, ITEM_LOCAL);
	wait_for(b, ITEM_SENT, 2);
	assert_non_null(strstr(b->answer, "/Mail/new/"));
	free(target);
}

/* --- by SMTP ------------------------------------------------------------------------------ */

static void
smtp_cases(void **state)
{
	static const struct {
		const char *verb, *reply;
		bool closes;
		enum item_state to;
		const char *answer; /* of the last */
	} cases[] = {
		{ "", "", false, ITEM_SENT, "250" },
		{ "RCPT", "452 4.2.2 full", false, ITEM_SENT, "250" },
		{ "MAIL", "421 later", false, ITEM_SENT, "250" },
		{ "RCPT", "550 5.1.1 nobody", false, ITEM_HELD, "550 5.1.1 nobody" },
		{ "content", "554 5.7.1 spam", false, ITEM_HELD, "554 5.7.1 spam" },
		{ "content", NULL, true, ITEM_SENT, "250" },
	};
	struct bench *b = *state;
	uint64_t sent = 0, held = 0;

	dispatch_start(b, NULL);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		b->verb = cases[i].verb;
		b->does = (struct smtp_does){ .reply = cases[i].reply, .closes = cases[i].closes };
		b->times = 1;
		mail_put(b, 1, ITEM_LOCAL);
		if (cases[i].to == ITEM_SENT)
			wait_for(b, ITEM_SENT, ++sent);
		else
			wait_for(b, ITEM_HELD, ++held);
		turn_for(b, 20);
		if (strstr(b->answer, cases[i].answer) == NULL)
			fail_msg("%zu: %s", i, b->answer);
	}
	/* The last was cut after its dot: it came twice, since nobody could be asked. */
	assert_int_equal(b->contents, 6);
	for (size_t i = 0; i < b->mails.count; i++)
		assert_string_equal(b->mails.items[i], "Subject: x\r\n\r\n.y\r\n");
	assert_non_null(strstr(smtp_server_talk(b->server), "MAIL FROM:<s@x.example>"));
	assert_non_null(strstr(smtp_server_talk(b->server), "RCPT TO:<r1@x.example>"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_recipient_gets_it),
		TEST(only_who_lacks_it_gets_it_again),
		TEST(a_full_mailbox_is_no_weather),
		TEST(nobody_there_is_weather),
		TEST(what_is_refused_is_held),
		TEST(what_is_too_old_is_held),
		TEST(what_was_cut_goes_again),
		TEST(an_operator_stops_it),
		TEST(what_is_for_postmark_stays),
		TEST(maildir_has_it_once),
		TEST(smtp_cases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
