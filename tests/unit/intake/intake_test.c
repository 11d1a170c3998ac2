/*
 * A session, an intake and a core that is played by the test: what the client hears for what the
 * core says, and that no mail is lost when the core dies.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/loop.h"
#include "base/mem.h"
#include "config/config.h"
#include "mail/mail.h"
#include "mail/refusal.h"
#include "mail/suppression.h"
#include "channel/frame.h"
#include "channel/peer.h"
#include "convert/convert.h"
#include "smtp/session.h"
#include "intake/intake.h"
#include "intake/rules.h"

static const struct smtp_limits limits = { .hostname = "relay.example",
	.most_message_bytes = 1 << 20,
	.most_recipients = 20000,
	.most_commands = 20000,
	.most_errors = 20,
	.most_mails = 1000,
	.most_line_bytes = 4096,
	.command_timeout_ms = 60000,
	.data_timeout_ms = 60000,
	.message_timeout_ms = 60000,
	.session_timeout_ms = 60000 };

struct stage {
	struct loop *loop;
	struct config *config;
	struct rules *rules;
	struct intake *intake;
	struct smtp_session *session;
	int client;         /* our end of the SMTP connection */
	struct peer *front; /* the front's end */
	struct peer *core;
	const struct refusal *says; /* NULL: stored */
	bool silent;                /* the core does not answer */
	unsigned commits;
	struct mail *kept; /* of the last commit */
	unsigned explained;
	struct buf object; /* of the last explanation */
	char ids[8][ULID_SIZE];
	struct loop_timer *limit;
	const char *until; /* stop when the client has read this */
	struct buf read;
};

static int
core_frame(void *ctx, const struct frame_head *head, const char *body, int *fds)
{
	struct stage *stage = ctx;
	struct mail *mail;
	const char *why;

	if (head->kind == FRAME_EXPLAINED) {
		const char *json;
		size_t len;

		assert_int_equal(head->serial, 700 + stage->explained);
		assert_int_equal(frame_explained_read(body, head->body_bytes, &json, &len), 0);
		buf_free(&stage->object);
		buf_init(&stage->object, SIZE_MAX / 4);
		buf_add(&stage->object, json, len);
		stage->explained++;
		loop_stop(stage->loop);
		return 0;
	}
	mail = frame_commit_read(body, head->body_bytes, fds, head->descriptors, &why);
	for (unsigned i = 0; i < head->descriptors; i++)
		fds[i] = -1;
	if (mail == NULL)
		fail_msg("%s", why);
	memcpy(stage->ids[stage->commits++ % 8], mail->id, ULID_SIZE);
	mail_free(&stage->kept);
	stage->kept = mail;
	if (stage->silent)
		loop_stop(stage->loop);
	else
		peer_committed(stage->core, head->serial, stage->says);
	return 0;
}

static void
core_lost(void *ctx, const char *why)
{
	struct stage *stage = ctx;

	(void)why;
	peer_free(&stage->core);
	if (stage->until == NULL)
		loop_stop(stage->loop);
}

static const struct peer_hooks core_hooks = { .frame = core_frame, .lost = core_lost };

static int
front_frame(void *ctx, const struct frame_head *head, const char *body, int *fds)
{
	struct stage *stage = ctx;

	return intake_frame(stage->intake, head, body, fds);
}

static void
front_lost(void *ctx, const char *why)
{
	struct stage *stage = ctx;

	(void)why;
	intake_connect(stage->intake, NULL);
	peer_free(&stage->front);
}

static const struct peer_hooks front_hooks = { .frame = front_frame, .lost = front_lost };

static void
front_connect(struct stage *stage, int fd)
{
	peer_free(&stage->front);
	stage->front = peer_new(stage->loop, fd, &front_hooks, stage);
	intake_connect(stage->intake, stage->front);
}

static void
core_start(struct stage *stage)
{
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	stage->core = peer_new(stage->loop, ends[0], &core_hooks, stage);
	front_connect(stage, ends[1]);
}

static void
too_long(void *ctx)
{
	struct stage *stage = ctx;

	fail_msg("waited for '%s', read '%s'", stage->until, stage->read.data);
}

static void
stage_begin_with(struct stage *stage, int64_t most_wait_ms, const char *settings)
{
	struct buf about;
	char why[400];
	int ends[2];

	*stage = (struct stage){ .loop = loop_new() };
	buf_init(&about, 10000);
	stage->config = config_parse(settings, strlen(settings), "test", &about);
	if (stage->config == NULL)
		fail_msg("%s", about.data);
	buf_free(&about);
	stage->rules = rules_new(stage->config, why, sizeof(why));
	if (stage->rules == NULL)
		fail_msg("%s", why);
	buf_init(&stage->read, 65536);
	stage->limit = loop_timer_new(stage->loop, too_long, stage);
	loop_timer_set(stage->limit, 60000);
	stage->intake = intake_new(&(struct intake_params){ .loop = stage->loop,
	    .rules = stage->rules,
	    .most_memory_bytes = 1 << 20,
	    .most_wait_ms = most_wait_ms });
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	stage->client = ends[1];
	fcntl(stage->client, F_SETFL, O_NONBLOCK);
	stage->session = smtp_session_new(&(struct smtp_session_params){ .loop = stage->loop,
	    .fd = ends[0],
	    .limits = &limits,
	    .hooks = &intake_smtp_hooks,
	    .ctx = stage->intake,
	    .listener = "test",
	    .client = "127.0.0.1" });
}

static void
stage_begin(struct stage *stage, int64_t most_wait_ms)
{
	stage_begin_with(stage, most_wait_ms, "");
}

static void
stage_end(struct stage *stage)
{
	if (stage->session != NULL)
		smtp_session_kill(stage->session);
	peer_free(&stage->core);
	peer_free(&stage->front);
	intake_free(&stage->intake);
	rules_free(&stage->rules);
	config_free(&stage->config);
	mail_free(&stage->kept);
	loop_timer_free(&stage->limit);
	close(stage->client);
	buf_free(&stage->read);
	buf_free(&stage->object);
	loop_free(&stage->loop);
}

static void
say(struct stage *stage, const char *text)
{
	assert_int_equal(write(stage->client, text, strlen(text)), (ssize_t)strlen(text));
}

static void
look(void *ctx)
{
	struct stage *stage = ctx;
	char bytes[4096];
	ssize_t got = read(stage->client, bytes, sizeof(bytes));

	if (got > 0)
		buf_add(&stage->read, bytes, (size_t)got);
	if (stage->read.data != NULL && strstr(stage->read.data, stage->until) != NULL)
		loop_stop(stage->loop);
}

/* Runs the loop until the client has read this. */
static void
hear(struct stage *stage, const char *text)
{
	stage->until = text;
	for (;;) {
		struct loop_timer *timer = loop_timer_new(stage->loop, look, stage);

		loop_timer_set(timer, 1);
		if (stage->read.data != NULL && strstr(stage->read.data, text) != NULL) {
			loop_timer_free(&timer);
			return;
		}
		/* One look a turn; look() stops the loop when it is there. */
		struct loop_timer *turn =
		    loop_timer_new(stage->loop, (loop_fn *)loop_stop, stage->loop);

		loop_timer_set(turn, 3);
		loop_run(stage->loop);
		loop_timer_free(&turn);
		loop_timer_free(&timer);
	}
}

static const char mail[] =
    "EHLO client.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n";
static const char content[] =
    "From: a@b.example\r\nTo: c@d.example\r\nSubject: hi\r\n\r\nhello\r\n.\r\n";

static void
hand_in(struct stage *stage)
{
	say(stage, mail);
	hear(stage, "354 ");
	say(stage, content);
}

static void
test_stored(void **state)
{
	struct stage stage;

	(void)state;
	stage_begin(&stage, 60000);
	core_start(&stage);
	hand_in(&stage);
	hear(&stage, "250 2.0.0 queued as ");
	assert_int_equal(stage.commits, 1);
	assert_non_null(strstr(stage.read.data, stage.ids[0]));
	assert_int_equal(intake_waiting(stage.intake), 0);
	stage_end(&stage);
}

/* Recipients of one transaction by two routes and by none: mails with ids of their own, told to
 * the client and committed together. */
static void
test_routes(void **state)
{
	static const char settings[] =
	    "route invoices {\n envelope-to = @b.example\n tag = money\n}\n"
	    "route staging {\n envelope-to = s@c.example\n"
	    " redirect-to = Test@D.example\n}\n";
	struct stage stage;
	const struct mail *second, *third;

	(void)state;
	stage_begin_with(&stage, 60000, settings);
	core_start(&stage);
	say(&stage, "EHLO client.example\r\nMAIL FROM:<a@a.example>\r\n"
		    "RCPT TO:<x@c.example>\r\nRCPT TO:<y@b.example>\r\n"
		    "RCPT TO:<s@c.example>\r\nRCPT TO:<z@b.example>\r\nDATA\r\n");
	hear(&stage, "354 ");
	say(&stage, content);
	say(&stage, "QUIT\r\n");
	hear(&stage, "\r\n221 ");
	assert_int_equal(stage.commits, 1);
	assert_string_equal(stage.kept->route, "default");
	assert_string_equal(stage.kept->items[0].recipients.items[0], "x@c.example");
	second = stage.kept->next;
	assert_string_equal(second->route, "invoices");
	assert_int_equal(second->items[0].recipients.count + second->item_count, 3);
	third = second->next;
	assert_string_equal(third->route, "staging");
	assert_string_equal(third->items[0].recipients.items[0], "Test@d.example");
	assert_null(third->next);
	for (const struct mail *each = stage.kept; each != NULL; each = each->next)
		assert_non_null(strstr(stage.read.data, each->id));
	stage.session = NULL; /* it ended with QUIT */
	stage_end(&stage);
}

/* What Postmark said reaches the client of a route that waits for it. */
static void
test_told(void **state)
{
	struct refusal told;
	struct stage stage;

	(void)state;
	refusal_set(&told, 250, "2.0.0", "Postmark has it");
	stage_begin_with(&stage, 60000, "route wait {\n reply = postmark\n}\n");
	stage.says = &told;
	core_start(&stage);
	hand_in(&stage);
	hear(&stage, "; Postmark has it\r\n");
	assert_int_equal(stage.kept->reply, REPLY_POSTMARK);
	assert_int_equal(intake_waiting(stage.intake), 0);
	stage_end(&stage);
}

/* One route refuses the mail: nobody gets it. */
static void
test_one_route_refuses(void **state)
{
	struct stage stage;

	(void)state;
	stage_begin_with(&stage, 60000,
	    "route strict {\n envelope-to = @d.example\n template = welcome\n"
	    " template-match = \"subject: no such subject\"\n template-otherwise = refuse\n}\n");
	core_start(&stage);
	say(&stage, "EHLO client.example\r\nMAIL FROM:<a@a.example>\r\n"
		    "RCPT TO:<x@c.example>\r\nRCPT TO:<y@d.example>\r\nDATA\r\n");
	hear(&stage, "354 ");
	say(&stage, content);
	hear(&stage, "554 ");
	assert_int_equal(stage.commits, 0);
	stage_end(&stage);
}

/* More routes than the relay can hold mails of that size: said for good. */
static void
test_no_room(void **state)
{
	struct buf settings, text;
	struct stage stage;

	(void)state;
	buf_init(&settings, 10000);
	buf_init(&text, 100000);
	buf_adds(&text, "EHLO client.example\r\nMAIL FROM:<a@a.example>\r\n");
	for (unsigned i = 0; i < 32; i++) {
		buf_addf(&settings, "route r%u {\n envelope-to = @d%u.example\n}\n", i, i);
		buf_addf(&text, "RCPT TO:<x@d%u.example>\r\n", i);
	}
	buf_adds(&text, "DATA\r\n");
	stage_begin_with(&stage, 60000, settings.data);
	core_start(&stage);
	say(&stage, text.data);
	hear(&stage, "354 ");
	buf_clear(&text);
	buf_adds(&text, "From: a@a.example\r\n\r\n");
	while (text.len < 40000)
		buf_adds(&text, "a line of a text of forty kilobytes\r\n");
	buf_adds(&text, ".\r\n");
	say(&stage, text.data);
	hear(&stage, "\r\n552 5.3.4 the recipients take 32 routes");
	assert_int_equal(stage.commits, 0);

	/* Two fit. */
	say(&stage, "MAIL FROM:<a@a.example>\r\nRCPT TO:<x@d1.example>\r\n"
		    "RCPT TO:<x@d2.example>\r\nDATA\r\n");
	say(&stage, text.data);
	hear(&stage, "250 2.0.0 queued as ");
	buf_free(&settings);
	buf_free(&text);
	stage_end(&stage);
}

/* More recipients than the core is told of in one transaction. */
static void
test_too_many_for_a_frame(void **state)
{
	struct buf text;
	struct stage stage;

	(void)state;
	buf_init(&text, 100000);
	stage_begin(&stage, 60000);
	core_start(&stage);
	say(&stage, "EHLO client.example\r\nMAIL FROM:<a@b.example>\r\n");
	for (unsigned i = 0; i < FRAME_MOST_RECIPIENTS + 1; i++) {
		buf_addf(&text, "RCPT TO:<r%u@d.example>\r\n", i);
		if (i % 200 != 0)
			continue;
		buf_adds(&text, "NOOP\r\n");
		buf_clear(&stage.read);
		say(&stage, text.data);
		hear(&stage, "250 2.0.0 ");
		buf_clear(&text);
	}
	say(&stage, "DATA\r\n");
	hear(&stage, "354 ");
	say(&stage, content);
	hear(&stage, "\r\n554 5.5.3 this mail goes to 10001 recipients, and the limit is 10000: ");
	assert_int_equal(stage.commits, 0);
	buf_free(&text);
	stage_end(&stage);
}

static void
test_spool_full(void **state)
{
	struct refusal full;
	struct stage stage;

	(void)state;
	refusal_set(&full, 452, "4.3.1", "the spool is full, try again later");
	stage_begin(&stage, 60000);
	stage.says = &full;
	core_start(&stage);
	hand_in(&stage);
	hear(&stage, "452 4.3.1 the spool is full, try again later\r\n");
	stage_end(&stage);
}

static void
test_refused_before_the_core(void **state)
{
	struct stage stage;

	(void)state;
	stage_begin(&stage, 60000);
	core_start(&stage);
	say(&stage, mail);
	hear(&stage, "354 ");
	say(&stage,
	    "From: a@b.example\r\nTo: c@d.example\r\nContent-Type: application/x-dosexec; "
	    "name=run.exe\r\nContent-Disposition: attachment; filename=run.exe\r\n\r\nMZ\r\n.\r\n");
	hear(&stage, "\r\n554 5.7.1 ");
	assert_int_equal(stage.commits, 0);
	stage_end(&stage);
}

/* The core dies with the mail in its hands: the next one is asked for the same mail. */
static void
test_core_dies(void **state)
{
	struct stage stage;

	(void)state;
	stage_begin(&stage, 60000);
	stage.silent = true;
	core_start(&stage);
	hand_in(&stage);
	loop_run(stage.loop); /* until the core has the commit */
	assert_int_equal(stage.commits, 1);
	peer_free(&stage.core);
	stage.silent = false;
	core_start(&stage);
	hear(&stage, "250 2.0.0 queued as ");
	assert_int_equal(stage.commits, 2);
	assert_string_equal(stage.ids[0], stage.ids[1]);
	stage_end(&stage);
}

/* No core when the mail comes: the client waits for the next one. */
static void
test_core_absent(void **state)
{
	struct stage stage;

	(void)state;
	stage_begin(&stage, 60000);
	hand_in(&stage);
	hear(&stage, "354 ");
	assert_int_equal(stage.commits, 0);
	core_start(&stage);
	hear(&stage, "250 2.0.0 queued as ");
	stage_end(&stage);
}

/* A large mail cannot be handed over by a process that is out of descriptors: not for good. */
static void
test_no_descriptors_left(void **state)
{
	struct loop_timer *timer;
	struct rlimit before, none;
	struct stage stage;
	struct buf text;
	int ends[2], top;

	(void)state;
	buf_init(&text, 200000);
	buf_adds(&text, "From: a@b.example\r\nTo: c@d.example\r\n\r\n");
	while (text.len < PAYLOAD_LARGE)
		buf_adds(&text, "a line of a large text\r\n");
	buf_adds(&text, ".\r\n");
	stage_begin(&stage, 60000);
	say(&stage, mail);
	hear(&stage, "354 ");
	say(&stage, text.data);
	timer = loop_timer_new(stage.loop, (loop_fn *)loop_stop, stage.loop);
	while (intake_waiting(stage.intake) == 0) {
		loop_timer_set(timer, 1);
		loop_run(stage.loop);
	}
	loop_timer_free(&timer);

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	stage.core = peer_new(stage.loop, ends[0], &core_hooks, &stage);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	top = fcntl(ends[0], F_DUPFD_CLOEXEC, 3);
	assert_true(top >= 0);
	close(top);
	none = before;
	none.rlim_cur = (rlim_t)top;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	front_connect(&stage, ends[1]);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	hear(&stage, "451 4.3.0 this process has too many files open");
	assert_int_equal(intake_waiting(stage.intake), 0);

	/* By the same channel. */
	say(&stage, "MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n");
	say(&stage, text.data);
	hear(&stage, "250 2.0.0 queued as ");
	assert_int_equal(stage.commits, 1);
	buf_free(&text);
	stage_end(&stage);
}

static void
test_core_stays_away(void **state)
{
	struct stage stage;

	(void)state;
	stage_begin(&stage, 1);
	hand_in(&stage);
	hear(&stage, "451 4.3.0 the spool did not answer");
	assert_int_equal(intake_waiting(stage.intake), 0);
	stage_end(&stage);
}

/* A core that reads nothing: what its channel holds counts, and the memory has an end. */
static void
test_core_reads_nothing(void **state)
{
	struct loop_timer *timer;
	struct stage stage;
	struct buf text;
	unsigned put_off = 0;

	(void)state;
	buf_init(&text, 200000);
	buf_adds(&text, "MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n");
	buf_adds(&text, "From: a@b.example\r\nTo: c@d.example\r\n\r\n");
	while (text.len < 100000)
		buf_adds(&text, "a line of a text\r\n");
	buf_adds(&text, ".\r\n");
	stage_begin(&stage, 1);
	core_start(&stage);
	peer_rest(stage.core, true);
	say(&stage, "EHLO client\r\n");
	for (;;) {
		buf_clear(&stage.read);
		say(&stage, text.data);
		hear(&stage, "\r\n45");
		if (strstr(stage.read.data, "452 4.3.1") != NULL)
			break;
		assert_non_null(strstr(stage.read.data, "451 4.3.0 the spool did not answer"));
		assert_true(++put_off < 20);
		assert_int_equal(intake_waiting(stage.intake), 0);
	}
	assert_true(put_off > 2);
	assert_int_equal(stage.commits, 0);

	/* It goes on, what it has is known, and there is room. */
	peer_rest(stage.core, false);
	timer = loop_timer_new(stage.loop, (loop_fn *)loop_stop, stage.loop);
	for (unsigned turns = 0; stage.commits < put_off || turns < 10; turns++) {
		loop_timer_set(timer, 1);
		loop_run(stage.loop);
	}
	loop_timer_free(&timer);
	buf_clear(&stage.read);
	say(&stage, text.data);
	hear(&stage, "\r\n250 2.0.0 queued as ");
	buf_free(&text);
	stage_end(&stage);
}

/* The client goes before the answer: the mail may be stored, and nobody is told. */
static void
test_client_goes(void **state)
{
	struct stage stage;

	(void)state;
	stage_begin(&stage, 60000);
	stage.silent = true;
	core_start(&stage);
	hand_in(&stage);
	loop_run(stage.loop);
	assert_int_equal(intake_waiting(stage.intake), 1);
	smtp_session_kill(stage.session);
	stage.session = NULL;
	assert_int_equal(intake_waiting(stage.intake), 1);
	stage_end(&stage);
}

/* ---- explanations ------------------------------------------------------------------------ */

static int
sealed(const char *text, size_t len, int seals)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), (ssize_t)len);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

#define ALL_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static void
explain_content(struct stage *stage, int fd, const struct strlist *recipients)
{
	const struct frame_explain question = { .recipients = *recipients };

	stage->until = NULL;
	assert_int_equal(peer_explain(stage->core, 700 + stage->explained, &question, fd), 0);
	close(fd);
	loop_run(stage->loop);
}

static void
test_explained(void **state)
{
	static const char text[] = "From: a@b.example\nTo: c@d.example\n\nhello\n";
	struct strlist none = { 0 };
	struct stage stage;

	(void)state;
	stage_begin(&stage, 60000);
	core_start(&stage);
	explain_content(&stage, sealed(text, sizeof(text) - 1, ALL_SEALS), &none);
	assert_non_null(strstr(stage.object.data, "{\"ok\":true,"));
	assert_non_null(strstr(stage.object.data, "\"TextBody\":\"hello\\n\""));
	explain_content(&stage, sealed("", 0, ALL_SEALS), &none);
	assert_non_null(strstr(stage.object.data, "{\"ok\":false,"));
	assert_int_equal(stage.explained, 2);
	assert_int_equal(stage.commits, 0);

	/* Mail goes on meanwhile. */
	hand_in(&stage);
	hear(&stage, "250 2.0.0 queued as ");
	explain_content(&stage, sealed(text, sizeof(text) - 1, ALL_SEALS), &none);
	assert_int_equal(stage.explained, 3);
	stage_end(&stage);
}

/* More than the front may hold, more than it looks at, and more to tell than a frame holds. */
static void
test_explain_limits(void **state)
{
	struct strlist recipients = { 0 };
	char *text = mem_new(1 << 18), *word = mem_new(FRAME_MOST_TEXT + 1);
	struct stage stage;
	int fd;

	(void)state;
	stage_begin(&stage, 60000);
	core_start(&stage);
	memset(text, '\n', 1 << 18);
	explain_content(&stage, sealed(text, 1 << 18, ALL_SEALS), &recipients);
	assert_non_null(strstr(stage.object.data, "\"code\":452,\"status\":\"4.3.1\""));

	fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_int_equal(ftruncate(fd, FRAME_MOST_PAYLOAD + 1L), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, ALL_SEALS), 0);
	explain_content(&stage, fd, &recipients);
	assert_non_null(strstr(stage.object.data, "\"code\":552,\"status\":\"5.3.4\""));

	memset(word, '"', FRAME_MOST_TEXT);
	for (unsigned i = 0; i < 6000; i++)
		strlist_add(&recipients, word);
	explain_content(&stage, sealed("\r\n", 2, ALL_SEALS), &recipients);
	assert_non_null(strstr(stage.object.data, "there is too much to tell"));
	strlist_free(&recipients);
	free(word);
	free(text);

	/* All memory is given back. */
	explain_content(&stage, sealed("\r\n", 2, ALL_SEALS), &recipients);
	assert_null(strstr(stage.object.data, "\"code\":452"));
	stage_end(&stage);
}

/* What a core of ours would not ask ends the channel, and mail waits for the next one. */
static void
test_explain_nonsense(void **state)
{
	struct strlist recipients = { 0 };
	struct stage stage;

	(void)state;
	stage_begin(&stage, 60000);
	core_start(&stage);
	explain_content(&stage, sealed("\r\n", 2, F_SEAL_SHRINK), &recipients);
	assert_null(stage.core);
	core_start(&stage);
	strlist_add(&recipients, "a\n@b.example");
	explain_content(&stage, sealed("\r\n", 2, ALL_SEALS), &recipients);
	assert_null(stage.core);
	strlist_free(&recipients);
	assert_int_equal(stage.explained, 0);
	core_start(&stage);
	hand_in(&stage);
	hear(&stage, "250 2.0.0 queued as ");
	stage_end(&stage);
}

/* --- suppressed recipients ---------------------------------------------------------------- */

static const struct suppression suppressed[] = {
	{ "default", "outbound", "gone@d.example", "HardBounce", "Recipient",
	    INT64_C(1795132800000), false },
	{ "default", "news", "gone@n.example", "ManualSuppression", "Recipient",
	    INT64_C(1795132800000), false },
	{ "store", "outbound", "gone@s.example", "SpamComplaint", "Recipient", 0, false },
	{ "default", "outbound", "gone@n.example", "", "", 0, false },
	{ "default", "outbound", "gone@h.example", "HardBounce", "Recipient", 0, false },
	{ "default", "outbound", "gone@staging.example", "HardBounce", "Recipient", 0, false },
	{ "default", "outbound", "gone@kept.example", "HardBounce", "Recipient", 0, false },
	{ "default", "outbound", "gone@test.example", "HardBounce", "Recipient", 0, false },
	{ "default", "outbound", "gone@told.example", "HardBounce", "Recipient", 0, false },
};

static const char suppressed_settings[] =
    "connection store {\n token = 01234567-89ab-cdef-0123-456789abcdef\n}\n"
    "route news {\n envelope-to = @n.example\n message-stream = news\n}\n"
    "route shop {\n envelope-to = @s.example\n connection = store\n}\n"
    "route staging {\n envelope-to = @staging.example\n redirect-to = t@d.example\n}\n"
    "route kept {\n envelope-to = @kept.example\n capture = yes\n}\n"
    "route test {\n envelope-to = @test.example\n sandbox = yes\n}\n"
    "route told {\n envelope-to = @told.example\n refuse-suppressed = no\n}\n"
    "route late {\n envelope-to = @h.example\n header = \"Subject:\"\n}\n";

static void
suppress(struct stage *stage, struct buf *table)
{
	buf_init(table, 100000);
	suppression_table_make(table, suppressed, sizeof(suppressed) / sizeof(suppressed[0]));
	intake_suppressions(stage->intake, table->data, table->len);
}

static void
test_suppressed_recipient(void **state)
{
	static const struct {
		const char *reason, *recipient, *answer;
	} cases[] = {
		{ "nobody knows of it", "ann@d.example", "250 " },
		{ "on the stream of the default route", "gone@d.example",
		    "550 5.7.1 gone@d.example is suppressed on stream outbound since 2026-11-20 "
		    "(HardBounce): pmrelayctl suppression delete\r\n" },
		{ "in other letters", "Gone@D.example", "550 5.7.1 Gone@d.example is suppressed" },
		{ "on the stream of a route", "gone@n.example",
		    "550 5.7.1 gone@n.example is suppressed on stream news since 2026-11-20 "
		    "(ManualSuppression)" },
		{ "at the server of a route", "gone@s.example",
		    "550 5.7.1 gone@s.example is suppressed on stream outbound (SpamComplaint)" },
		{ "the mail goes to another", "gone@staging.example", "250 " },
		{ "the mail is captured", "gone@kept.example", "250 " },
		{ "the mail is a test", "gone@test.example", "250 " },
		{ "the route does not ask for it", "gone@told.example", "250 " },
		{ "the header may say another route", "gone@h.example", "250 " },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct stage stage;
		struct buf table;
		char *line;

		stage_begin_with(&stage, 60000, suppressed_settings);
		core_start(&stage);
		suppress(&stage, &table);
		say(&stage, "EHLO client.example\r\nMAIL FROM:<a@b.example>\r\n");
		hear(&stage, "250 2.1.0");
		buf_clear(&stage.read);
		line = mem_format("RCPT TO:<%s>\r\n", cases[i].recipient);
		say(&stage, line);
		free(line);
		hear(&stage, "\r\n");
		if (strncmp(stage.read.data, cases[i].answer, strlen(cases[i].answer)) != 0)
			fail_msg("%s: %s", cases[i].reason, stage.read.data);
		assert_int_equal(
		    intake_refused_suppressed(stage.intake), cases[i].answer[0] == '5');
		stage_end(&stage);
		buf_free(&table);
	}
}

/* What is known at the end of DATA alone: refused when nobody else gets the mail. */
static void
test_suppressed_mail(void **state)
{
	static const struct {
		const char *reason, *recipients, *header, *answer;
	} cases[] = {
		{ "all recipients", "RCPT TO:<gone@h.example>\r\n", "",
		    "550 5.7.1 gone@h.example is suppressed on stream outbound (HardBounce)" },
		{ "some of them", "RCPT TO:<gone@h.example>\r\nRCPT TO:<ann@d.example>\r\n", "",
		    "250 2.0.0 queued" },
		{ "the mail names another stream", "RCPT TO:<gone@h.example>\r\n",
		    "X-PM-Message-Stream: broadcast\r\n", "250 2.0.0 queued" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct stage stage;
		struct buf table;

		stage_begin_with(&stage, 60000, suppressed_settings);
		core_start(&stage);
		suppress(&stage, &table);
		say(&stage, "EHLO client.example\r\nMAIL FROM:<a@b.example>\r\n");
		say(&stage, cases[i].recipients);
		say(&stage, "DATA\r\n");
		hear(&stage, "354 ");
		buf_clear(&stage.read);
		say(&stage, cases[i].header);
		say(&stage, content);
		hear(&stage, "\r\n");
		if (strncmp(stage.read.data, cases[i].answer, strlen(cases[i].answer)) != 0)
			fail_msg("%s: %s", cases[i].reason, stage.read.data);
		stage_end(&stage);
		buf_free(&table);
	}
}

/* A block that is no table refuses nobody; nor does none. */
static void
test_suppressed_broken(void **state)
{
	struct stage stage;
	struct buf table;

	(void)state;
	stage_begin(&stage, 60000);
	core_start(&stage);
	suppress(&stage, &table);
	intake_suppressions(stage.intake, table.data, table.len - 1);
	say(&stage, "EHLO client.example\r\nMAIL FROM:<a@b.example>\r\n"
		    "RCPT TO:<gone@d.example>\r\n");
	hear(&stage, "250 2.1.5");
	intake_suppressions(stage.intake, table.data, table.len);
	intake_suppressions(stage.intake, NULL, 0);
	say(&stage, "RSET\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<gone@d.example>\r\nQUIT\r\n");
	hear(&stage, "221 ");
	assert_null(strstr(stage.read.data, "550"));
	stage.session = NULL;
	stage_end(&stage);
	buf_free(&table);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stored),
		cmocka_unit_test(test_routes),
		cmocka_unit_test(test_suppressed_recipient),
		cmocka_unit_test(test_suppressed_mail),
		cmocka_unit_test(test_suppressed_broken),
		cmocka_unit_test(test_told),
		cmocka_unit_test(test_one_route_refuses),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_too_many_for_a_frame),
		cmocka_unit_test(test_spool_full),
		cmocka_unit_test(test_refused_before_the_core),
		cmocka_unit_test(test_core_dies),
		cmocka_unit_test(test_core_absent),
		cmocka_unit_test(test_no_descriptors_left),
		cmocka_unit_test(test_core_stays_away),
		cmocka_unit_test(test_core_reads_nothing),
		cmocka_unit_test(test_client_goes),
		cmocka_unit_test(test_explained),
		cmocka_unit_test(test_explain_limits),
		cmocka_unit_test(test_explain_nonsense),
	};

	convert_setup();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
