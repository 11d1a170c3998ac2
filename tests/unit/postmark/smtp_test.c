/* Mails to a scripted SMTP server on loopback, with and without STARTTLS. */

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

#include "base/base64.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/strlist.h"
#include "postmark/client.h"
#include "postmark/smtp.h"

#include "smtp_server.h"

#define TOKEN   "6b1f0c6e-token"
#define CONTENT "From: a@x.example\r\nX-PM-Tag: t\r\n\r\n.dot\r\n..two\r\nend\r\n"

/* What is to happen at a verb; the last whose verb fits. */
struct rule {
	const char *verb;
	const char *part;                 /* of the command; NULL: any */
	unsigned connection, transaction; /* 0: any */
	size_t from_len;
	struct smtp_does does;
};

struct bench {
	char folder[64];
	struct loop *loop;
	struct loop_timer *timer;
	struct smtp_server *server;
	struct smtp *smtp;
	struct strlist recipients;
	struct rule rules[4];
	size_t rule_count;

	struct buf content; /* the last that came whole */
	unsigned contents;
	bool clear_secret; /* something that only TLS may hear was said without it */

	unsigned wanted, done; /* jobs */
	enum postmark_end end;
	enum smtp_stage stage;
	int code;
	char text[300], enhanced[20], error[300];
	size_t refused_count, refused_recipient;
	int refused_code;
	int64_t elapsed_ms;
	bool login_failed;
};

static void
said(void *ctx, const struct smtp_said *said, struct smtp_does *does)
{
	struct bench *b = ctx;

	if (!said->tls && (strcmp(said->verb, "AUTH") == 0 || strcmp(said->verb, "MAIL") == 0))
		b->clear_secret = true;
	for (size_t i = 0; i < b->rule_count; i++) {
		const struct rule *rule = &b->rules[i];

		if (strcmp(rule->verb, said->verb) == 0 &&
		    (rule->part == NULL || strstr(said->line, rule->part) != NULL) &&
		    (rule->connection == 0 || rule->connection == said->connection) &&
		    (rule->transaction == 0 || rule->transaction == said->transaction) &&
		    said->len >= rule->from_len)
			*does = rule->does;
	}
	if (strcmp(said->verb, "content") == 0) {
		buf_clear(&b->content);
		buf_add(&b->content, said->content, said->len);
		b->contents++;
	}
}

static void
stop(void *ctx)
{
	struct bench *b = ctx;

	loop_stop(b->loop);
}

static void
answered(void *ctx, const struct smtp_answer *answer)
{
	struct bench *b = ctx;

	b->end = answer->end;
	b->stage = answer->stage;
	b->code = answer->code;
	b->elapsed_ms = answer->elapsed_ms;
	b->login_failed = answer->login_failed;
	snprintf(b->text, sizeof(b->text), "%s", answer->text);
	snprintf(b->enhanced, sizeof(b->enhanced), "%s", answer->enhanced);
	snprintf(b->error, sizeof(b->error), "%s", answer->error);
	b->refused_count = answer->refused_count;
	if (answer->refused_count > 0) {
		b->refused_recipient = answer->refused[0].recipient;
		b->refused_code = answer->refused[0].code;
	}
	if (++b->done == b->wanted)
		loop_stop(b->loop);
}

static struct smtp_job *
submit_pieces(struct bench *b, const char *token_text, const struct postmark_piece *pieces,
    size_t count, int64_t timeout_ms)
{
	struct secret *token = secret_new(token_text, strlen(token_text));
	const struct smtp_request request = { .token = token,
		.sender = "a@x.example",
		.recipients = &b->recipients,
		.pieces = pieces,
		.piece_count = count,
		.timeout_ms = timeout_ms };
	struct smtp_job *job = smtp_submit(b->smtp, &request, answered, b);

	secret_free(&token);
	return job;
}

static struct smtp_job *
submit(struct bench *b)
{
	/* Freed at once: nothing of a request is lent. */
	char *content = mem_string(CONTENT);
	const struct postmark_piece pieces[] = {
		{ .data = content, .fd = -1, .len = 20 },
		{ .data = content + 20, .fd = -1, .len = strlen(content) - 20 },
	};
	struct smtp_job *job = submit_pieces(b, TOKEN, pieces, 2, 5000);

	free(content);
	return job;
}

static void
turn(struct bench *b, unsigned wanted)
{
	b->wanted = wanted;
	b->done = 0;
	loop_timer_set(b->timer, 15000);
	loop_run(b->loop);
	loop_timer_clear(b->timer);
	assert_int_equal(b->done, wanted);
}

static void
turn_for(struct bench *b, int64_t span_ms)
{
	b->wanted = UINT32_MAX;
	loop_timer_set(b->timer, span_ms);
	loop_run(b->loop);
}

static void
mail(struct bench *b)
{
	submit(b);
	turn(b, 1);
}

static void
start(struct bench *b, const char *server_name, const char *ca_name, unsigned most)
{
	char *certificate =
	    server_name == NULL ? NULL : mem_format("%s/%s.pem", b->folder, server_name);
	char *key = server_name == NULL ? NULL : mem_format("%s/%s.key", b->folder, server_name);
	char *ca = ca_name == NULL ? NULL : mem_format("%s/%s.pem", b->folder, ca_name);
	char why[200];

	b->server = smtp_server_new(&(struct smtp_server_params){
	    .loop = b->loop, .certificate = certificate, .key = key, .fn = said, .ctx = b });
	b->smtp = smtp_new(&(struct smtp_params){ .loop = b->loop,
			       .url = smtp_server_url(b->server),
			       .starttls = ca != NULL,
			       .ca_file = ca,
			       .connect_timeout_ms = 3000,
			       .most_connections = most },
	    why, sizeof(why));
	if (b->smtp == NULL)
		fail_msg("%s", why);
	free(certificate);
	free(key);
	free(ca);
}

static void
end(struct bench *b)
{
	smtp_free(&b->smtp);
	smtp_server_free(&b->server);
	b->rule_count = 0;
	b->contents = 0;
}

static int
setup(void **state)
{
	struct bench *b = mem_new(sizeof(*b));

	snprintf(b->folder, sizeof(b->folder), "/tmp/pmrelay-smtp-XXXXXX");
	if (mkdtemp(b->folder) == NULL)
		return -1;
	b->loop = loop_new();
	b->timer = loop_timer_new(b->loop, stop, b);
	buf_init(&b->content, 64U * 1024U * 1024U);
	strlist_add(&b->recipients, "one@y.example");
	strlist_add(&b->recipients, "two@y.example");
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

	end(b);
	loop_timer_free(&b->timer);
	loop_free(&b->loop);
	buf_free(&b->content);
	strlist_free(&b->recipients);
	nftw(b->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(b);
	return 0;
}

static void
sent(const struct bench *b)
{
	if (b->end != POSTMARK_ANSWERED || b->code != 250)
		fail_msg("end %d, stage %s, code %d, %s%s", b->end, smtp_stage_name(b->stage),
		    b->code, b->text, b->error);
	assert_int_equal(b->stage, SMTP_CONTENT);
}

/* --- ways ---------------------------------------------------------------------------------- */

static void
a_mail_goes_as_it_is(void **state)
{
	struct bench *b = *state;
	const char *talk;
	char *plain, *expected;
	static const char login[] = "\0" TOKEN "\0" TOKEN;

	smtp_server_certificate(b->folder, "good", "IP:127.0.0.1");
	start(b, "good", "good", 1);
	mail(b);
	sent(b);
	assert_string_equal(b->text, "250 2.0.0 Ok: queued as 1A2B");
	assert_string_equal(b->enhanced, "2.0.0");
	assert_string_equal(b->error, "");
	assert_int_equal(b->content.len, strlen(CONTENT));
	assert_memory_equal(b->content.data, CONTENT, strlen(CONTENT));
	assert_false(b->clear_secret);

	talk = smtp_server_talk(b->server);
	plain = base64_encode(login, sizeof(login) - 1);
	expected = mem_format("tls AUTH PLAIN %s\n"
			      "tls MAIL FROM:<a@x.example> SIZE=%zu\n"
			      "tls RCPT TO:<one@y.example>\n"
			      "tls RCPT TO:<two@y.example>\n"
			      "tls DATA\n",
	    plain, strlen(CONTENT));
	if (strstr(talk, expected) == NULL)
		fail_msg("%s", talk);
	assert_int_equal(strncmp(talk, "EHLO ", 5), 0);
	free(expected);
	free(plain);
}

static void
only_a_verified_service_hears_of_it(void **state)
{
	struct bench *b = *state;
	static const struct {
		const char *reason, *server, *ca;
	} cases[] = {
		{ "another authority", "good", "other" },
		{ "another host's certificate", "elsewhere", "elsewhere" },
		{ "no STARTTLS offered", NULL, "good" },
	};

	smtp_server_certificate(b->folder, "good", "IP:127.0.0.1");
	smtp_server_certificate(b->folder, "other", "IP:127.0.0.1");
	smtp_server_certificate(b->folder, "elsewhere", "DNS:smtp.postmarkapp.com");
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		start(b, cases[i].server, cases[i].ca, 1);
		mail(b);
		if (b->end != POSTMARK_NOT_SENT || b->clear_secret || b->error[0] == '\0')
			fail_msg("%s: %d %s", cases[i].reason, b->end, b->text);
		assert_null(strstr(smtp_server_talk(b->server), "AUTH"));
		assert_null(strstr(smtp_server_talk(b->server), "MAIL"));
		end(b);
	}

	start(b, "good", "good", 1);
	b->rules[b->rule_count++] =
	    (struct rule){ .verb = "STARTTLS", .does = { .reply = "454 4.7.0 not now" } };
	mail(b);
	assert_int_equal(b->end, POSTMARK_ANSWERED);
	assert_int_equal(b->stage, SMTP_STARTTLS);
	assert_int_equal(b->code, 454);
	assert_false(b->clear_secret);
}

static void
the_clear_is_for_loopback(void **state)
{
	struct bench *b = *state;
	char why[200];

	start(b, NULL, NULL, 1);
	mail(b);
	sent(b);
	smtp_free(&b->smtp);
	/* RFC 5737: an address of nobody. */
	b->smtp = smtp_new(
	    &(struct smtp_params){
		.loop = b->loop, .url = "smtp://192.0.2.1:2525", .connect_timeout_ms = 3000 },
	    why, sizeof(why));
	assert_non_null(b->smtp);
	mail(b);
	assert_int_equal(b->end, POSTMARK_NOT_SENT);
	assert_string_equal(b->error, "without STARTTLS the service must have a loopback address");
	smtp_free(&b->smtp);

	assert_null(smtp_new(
	    &(struct smtp_params){ .loop = b->loop, .url = "https://x" }, why, sizeof(why)));
	assert_string_equal(why, "https://x is not an smtp address");
	assert_null(smtp_new(
	    &(struct smtp_params){ .loop = b->loop, .url = "smtp://me@x" }, why, sizeof(why)));
}

static void
connections_are_kept(void **state)
{
	struct bench *b = *state;
	static const struct postmark_piece piece = { .data = "x\r\n", .fd = -1, .len = 3 };

	smtp_server_certificate(b->folder, "good", "IP:127.0.0.1");
	start(b, "good", "good", 4);
	for (unsigned i = 0; i < 3; i++) {
		mail(b);
		sent(b);
	}
	assert_int_equal(smtp_server_connections(b->server), 1);
	/* Never one of another login. */
	submit_pieces(b, "another", &piece, 1, 5000);
	turn(b, 1);
	sent(b);
	assert_int_equal(smtp_server_connections(b->server), 2);
	mail(b);
	sent(b);
	assert_int_equal(smtp_server_connections(b->server), 2);
}

static void
an_old_connection_is_replaced(void **state)
{
	struct bench *b = *state;

	start(b, NULL, NULL, 1);
	/* Closed after the first mail, while it is idle. */
	b->rules[b->rule_count++] = (struct rule){
		.verb = "content", .connection = 1, .does = { .reply = "250 ok", .leaves = true }
	};
	/* Closed as the second mail begins, without a word and with one. */
	b->rules[b->rule_count++] = (struct rule){
		.verb = "MAIL", .connection = 2, .transaction = 2, .does = { .closes = true }
	};
	b->rules[b->rule_count++] = (struct rule){ .verb = "MAIL",
		.connection = 3,
		.transaction = 2,
		.does = { .reply = "421 4.4.2 you were idle", .leaves = true } };
	for (unsigned i = 1; i <= 4; i++) {
		mail(b);
		sent(b);
		assert_int_equal(smtp_server_connections(b->server), i);
		turn_for(b, 20);
	}
	assert_int_equal(b->contents, 4);
}

static void
one_recipient_is_refused(void **state)
{
	struct bench *b = *state;

	start(b, NULL, NULL, 1);
	b->rules[b->rule_count++] = (struct rule){
		.verb = "RCPT", .part = "one@", .does = { .reply = "550 5.1.1 nobody" }
	};
	mail(b);
	sent(b);
	assert_int_equal(b->refused_count, 1);
	assert_int_equal(b->refused_recipient, 0);
	assert_int_equal(b->refused_code, 550);

	b->rules[0].part = "two@";
	mail(b);
	sent(b);
	assert_int_equal(b->refused_count, 1);
	assert_int_equal(b->refused_recipient, 1);
	assert_int_equal(b->contents, 2);
	b->rules[0].part = NULL;
	mail(b);
	assert_int_equal(b->end, POSTMARK_ANSWERED);
	assert_int_equal(b->stage, SMTP_RCPT);
	assert_int_equal(b->code, 550);
	assert_int_equal(b->refused_count, 2);
	assert_int_equal(b->contents, 2);
}

/* One was refused, and of the other nothing is known: it is not refused along with the first. */
static void
a_lost_recipient_is_not_refused(void **state)
{
	struct bench *b = *state;
	static const struct {
		const char *reason;
		struct smtp_does one, two;
	} cases[] = {
		{ "no reply", { .reply = "550 5.1.1 nobody" }, { .closes = true } },
		{ "half a reply", { .reply = NULL }, { .reply = "550-5.1.1 no", .leaves = true } },
		{ "half a second one", { .reply = "550 5.1.1 nobody" },
		    { .reply = "550-5.1.1 no", .leaves = true } },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		start(b, NULL, NULL, 1);
		b->rules[b->rule_count++] =
		    (struct rule){ .verb = "RCPT", .part = "one@", .does = cases[i].one };
		b->rules[b->rule_count++] =
		    (struct rule){ .verb = "RCPT", .part = "two@", .does = cases[i].two };
		mail(b);
		if (b->end != POSTMARK_NOT_SENT)
			fail_msg("%s: end %d, stage %s, %s", cases[i].reason, b->end,
			    smtp_stage_name(b->stage), b->text);
		assert_int_equal(b->contents, 0);
		end(b);
	}
}

static void
replies_tell_where_it_ended(void **state)
{
	struct bench *b = *state;
	static const struct {
		const char *reason, *verb;
		struct smtp_does does;
		enum postmark_end end;
		enum smtp_stage stage;
		int code;
	} cases[] = {
		{ "the door is closed", "connect", { .reply = "554 5.3.2 no service" },
		    POSTMARK_ANSWERED, SMTP_GREETING, 554 },
		{ "too many of us", "connect", { .reply = "421 4.7.0 too many connections" },
		    POSTMARK_ANSWERED, SMTP_GREETING, 421 },
		{ "nobody speaks", "connect", { .closes = true }, POSTMARK_NOT_SENT, SMTP_GREETING,
		    0 },
		{ "no SMTP", "connect", { .reply = "SSH-2.0-x" }, POSTMARK_NOT_SENT, SMTP_GREETING,
		    0 },
		{ "wrong token", "AUTH", { .reply = "535 5.7.8 Error: authentication failed:" },
		    POSTMARK_ANSWERED, SMTP_AUTH, 535 },
		{ "not now", "AUTH", { .reply = "454 4.7.0 later" }, POSTMARK_ANSWERED, SMTP_AUTH,
		    454 },
		{ "sender", "MAIL", { .reply = "550 5.7.1 who?" }, POSTMARK_ANSWERED, SMTP_MAIL,
		    550 },
		{ "busy", "MAIL", { .reply = "451-4.3.0 busy\r\n451 4.3.0 come again" },
		    POSTMARK_ANSWERED, SMTP_MAIL, 451 },
		{ "no data", "DATA", { .reply = "554 5.5.1 no valid recipients" },
		    POSTMARK_ANSWERED, SMTP_DATA, 554 },
		{ "cut at the data", "DATA", { .closes = true }, POSTMARK_NOT_SENT, SMTP_RCPT, 0 },
		{ "content for now", "content", { .reply = "452 4.3.1 full" }, POSTMARK_ANSWERED,
		    SMTP_CONTENT, 452 },
		{ "content for good", "content", { .reply = "552 5.3.4 large" }, POSTMARK_ANSWERED,
		    SMTP_CONTENT, 552 },
		{ "an odd answer to it", "content", { .reply = "354 more" }, POSTMARK_ANSWERED,
		    SMTP_CONTENT, 354 },
		{ "cut behind the dot", "content", { .closes = true }, POSTMARK_LOST, SMTP_DATA,
		    0 },
		{ "nonsense behind the dot", "content", { .reply = "yes", .leaves = true },
		    POSTMARK_LOST, SMTP_DATA, 0 },
		{ "a slow answer", "content", { .reply = "250 2.0.0 late", .delay_ms = 1200 },
		    POSTMARK_ANSWERED, SMTP_CONTENT, 250 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		start(b, NULL, NULL, 1);
		b->rules[b->rule_count++] =
		    (struct rule){ .verb = cases[i].verb, .does = cases[i].does };
		mail(b);
		if (b->end != cases[i].end || b->stage != cases[i].stage ||
		    b->code != cases[i].code)
			fail_msg("%s: end %d, stage %s, code %d, %s%s", cases[i].reason, b->end,
			    smtp_stage_name(b->stage), b->code, b->text, b->error);
		assert_true((b->text[0] != '\0') == (b->end == POSTMARK_ANSWERED));
		assert_true((b->error[0] != '\0') == (b->end != POSTMARK_ANSWERED));
		end(b);
	}
}

/* A digest of the token is none of PLAIN and LOGIN. */
static void
no_way_to_log_in(void **state)
{
	struct bench *b = *state;

	start(b, NULL, NULL, 1);
	b->rules[b->rule_count++] = (struct rule){ .verb = "EHLO",
		.does = { .reply = "250-test\r\n250 AUTH CRAM-MD5 DIGEST-MD5" } };
	mail(b);
	assert_int_equal(b->end, POSTMARK_NOT_SENT);
	assert_true(b->login_failed);
	assert_null(strstr(smtp_server_talk(b->server), "AUTH"));
	assert_null(strstr(smtp_server_talk(b->server), "MAIL"));
}

static void
silence_ends_with_the_timeout(void **state)
{
	struct bench *b = *state;
	static const struct postmark_piece piece = { .data = "x\r\n", .fd = -1, .len = 3 };
	static const struct {
		const char *verb;
		enum postmark_end end;
	} cases[] = {
		{ "connect", POSTMARK_NOT_SENT },
		{ "RCPT", POSTMARK_NOT_SENT },
		{ "content", POSTMARK_LOST },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		start(b, NULL, NULL, 1);
		b->rules[b->rule_count++] =
		    (struct rule){ .verb = cases[i].verb, .does = { .stalls = true } };
		submit_pieces(b, TOKEN, &piece, 1, 400);
		turn(b, 1);
		if (b->end != cases[i].end)
			fail_msg("%s: end %d, %s", cases[i].verb, b->end, b->error);
		assert_true(b->elapsed_ms >= 350 && b->elapsed_ms < 5000);
		end(b);
	}
}

/* --- large ones ---------------------------------------------------------------------------- */

#define LARGE_LINES 140000U

/* Nine megabytes in a file, with lines that begin with dots and a last one without its end. */
static int
large_file(struct buf *content)
{
	int fd = memfd_create("large", MFD_CLOEXEC);

	buf_init(content, 16U * 1024U * 1024U);
	for (unsigned i = 0; i < LARGE_LINES; i++)
		buf_addf(content, "%s%060u\r\n", i % 7 == 0 ? "." : i % 11 == 0 ? ".." : "", i);
	assert_false(content->over);
	assert_int_equal(write(fd, content->data, content->len), content->len);
	return fd;
}

static void
large_ones_come_whole(void **state)
{
	struct bench *b = *state;
	struct buf content;
	int fd = large_file(&content);
	const struct postmark_piece pieces[] = {
		{ .data = "Subject: large\r\n\r\n", .fd = -1, .len = 18 },
		{ .data = NULL, .fd = fd, .len = content.len },
	};

	assert_true(content.len > 8500000);
	smtp_server_certificate(b->folder, "good", "IP:127.0.0.1");
	start(b, "good", "good", 1);
	submit_pieces(b, TOKEN, pieces, 2, 20000);
	close(fd); /* the job has its own */
	turn(b, 1);
	sent(b);
	assert_int_equal(b->content.len, 18 + content.len);
	assert_memory_equal(b->content.data + 18, content.data, content.len);
	buf_free(&content);
}

static void
cut_in_the_middle_nothing_was_sent(void **state)
{
	struct bench *b = *state;
	struct buf content;
	int fd = large_file(&content);
	const struct postmark_piece piece = { .fd = fd, .len = content.len };

	start(b, NULL, NULL, 1);
	b->rules[b->rule_count++] =
	    (struct rule){ .verb = "part", .from_len = 1000000, .does = { .closes = true } };
	submit_pieces(b, TOKEN, &piece, 1, 20000);
	turn(b, 1);
	assert_int_equal(b->end, POSTMARK_NOT_SENT);
	assert_int_equal(b->contents, 0);
	close(fd);
	buf_free(&content);
}

static void
a_short_file_is_not_ended(void **state)
{
	struct bench *b = *state;
	int fd = memfd_create("short", MFD_CLOEXEC);
	const struct postmark_piece piece = { .fd = fd, .len = 100000 };

	assert_int_equal(write(fd, CONTENT, strlen(CONTENT)), strlen(CONTENT));
	start(b, NULL, NULL, 1);
	submit_pieces(b, TOKEN, &piece, 1, 5000);
	turn(b, 1);
	assert_int_equal(b->end, POSTMARK_NOT_SENT);
	assert_string_equal(b->error, "the stored message could not be read");
	turn_for(b, 30);
	assert_int_equal(b->contents, 0);
	close(fd);
}

/* --- many, and none any more ---------------------------------------------------------------- */

static void
so_many_at_once(void **state)
{
	struct bench *b = *state;

	start(b, NULL, NULL, 3);
	b->rules[b->rule_count++] =
	    (struct rule){ .verb = "content", .does = { .reply = "250 ok", .delay_ms = 30 } };
	for (unsigned i = 0; i < 12; i++)
		submit(b);
	turn(b, 12);
	sent(b);
	assert_int_equal(b->contents, 12);
	assert_int_equal(smtp_server_most(b->server), 3);
	assert_int_equal(smtp_server_connections(b->server), 3);
}

static void
cancelled_ones_are_not_told(void **state)
{
	struct bench *b = *state;
	struct smtp_job *running, *queued, *done;
	int64_t began_ms;

	start(b, NULL, NULL, 1);
	b->rules[b->rule_count++] =
	    (struct rule){ .verb = "content", .connection = 1, .does = { .stalls = true } };
	running = submit(b);
	queued = submit(b);
	b->done = 0;
	turn_for(b, 200);
	assert_int_equal(b->contents, 1);
	smtp_cancel(&queued);
	smtp_cancel(&running);
	assert_null(running);
	smtp_cancel(&running);

	/* The thread is there for others at once. */
	began_ms = clock_mono_ms();
	mail(b);
	sent(b);
	assert_true(clock_mono_ms() - began_ms < 3000);
	assert_int_equal(b->contents, 2);

	/* Ended, but not told yet. */
	strlist_add(&b->recipients, "no address");
	done = submit(b);
	smtp_cancel(&done);
	turn_for(b, 50);
	assert_int_equal(b->done, 1);
}

static void
freed_with_jobs(void **state)
{
	struct bench *b = *state;
	int64_t began_ms;

	start(b, NULL, NULL, 2);
	b->rules[b->rule_count++] = (struct rule){ .verb = "content", .does = { .stalls = true } };
	for (unsigned i = 0; i < 4; i++)
		submit(b);
	b->done = 0;
	turn_for(b, 200);
	began_ms = clock_mono_ms();
	smtp_free(&b->smtp);
	assert_true(clock_mono_ms() - began_ms < 3000);
	turn_for(b, 20);
	assert_int_equal(b->done, 0);
}

static void
freed_in_done(void *ctx, const struct smtp_answer *answer)
{
	struct bench *b = ctx;

	(void)answer;
	b->done++;
	smtp_free(&b->smtp);
	loop_stop(b->loop);
}

static void
freed_by_an_answer(void **state)
{
	struct bench *b = *state;
	static const struct postmark_piece piece = { .data = "x\r\n", .fd = -1, .len = 3 };
	struct secret *token = secret_new(TOKEN, strlen(TOKEN));
	const struct smtp_request request = { .token = token,
		.sender = "",
		.recipients = &b->recipients,
		.pieces = &piece,
		.piece_count = 1,
		.timeout_ms = 5000 };

	start(b, NULL, NULL, 2);
	smtp_submit(b->smtp, &request, freed_in_done, b);
	smtp_submit(b->smtp, &request, freed_in_done, b);
	turn(b, 1);
	assert_non_null(strstr(smtp_server_talk(b->server), "MAIL FROM:<> "));
	secret_free(&token);
}

static void
no_address_is_a_command(void **state)
{
	struct bench *b = *state;

	start(b, NULL, NULL, 1);
	strlist_add(&b->recipients, "x@y.example>\r\nRCPT TO:<z@y.example");
	mail(b);
	assert_int_equal(b->end, POSTMARK_NOT_SENT);
	assert_string_equal(b->error, "a recipient is not an address");
	assert_int_equal(smtp_server_connections(b->server), 0);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_mail_goes_as_it_is),
		TEST(only_a_verified_service_hears_of_it),
		TEST(the_clear_is_for_loopback),
		TEST(connections_are_kept),
		TEST(an_old_connection_is_replaced),
		TEST(one_recipient_is_refused),
		TEST(a_lost_recipient_is_not_refused),
		TEST(replies_tell_where_it_ended),
		TEST(no_way_to_log_in),
		TEST(silence_ends_with_the_timeout),
		TEST(large_ones_come_whole),
		TEST(cut_in_the_middle_nothing_was_sent),
		TEST(a_short_file_is_not_ended),
		TEST(so_many_at_once),
		TEST(cancelled_ones_are_not_told),
		TEST(freed_with_jobs),
		TEST(freed_by_an_answer),
		TEST(no_address_is_a_command),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
