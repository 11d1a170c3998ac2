#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include <event2/event.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "mail/envelope.h"
#include "smtp/session.h"

/*
 * One side of a socket pair is a session with an owner whose answers the test chooses, the other
 * the client that the test plays.  pump() turns the loop until nothing moves any more, so a test
 * sees everything that its bytes have caused, and no more.
 */
enum act {
	ACT_YES,
	ACT_REFUSE,
	ACT_LATER,
	ACT_KILL,
	ACT_DRAIN,
	ACT_HANG_UP,
};

struct scene {
	struct loop *loop;
	struct smtp_limits limits;
	struct smtp_session *session; /* NULL once it is gone */
	int client;
	enum act sender, recipient, message;
	const char *refuse_recipient; /* only this one */
	struct buf story;             /* what the hooks were told */
	struct buf got;               /* what the client read */
	unsigned writes;              /* that it came in */
	bool closed;                  /* the client has seen the end */
	int gone;
	int64_t memory, memory_peak, memory_most;
	bool kill_at_memory;
	bool take_content;
};

static enum smtp_now
act(struct scene *t, enum act what, struct smtp_session *session, struct smtp_reply *reply)
{
	assert_int_equal(t->gone, 0);
	switch (what) {
	case ACT_YES:
		break;
	case ACT_REFUSE:
		*reply = (struct smtp_reply){ 550, "5.7.1", "not you" };
		return SMTP_ANSWER;
	case ACT_LATER:
		return SMTP_LATER;
	case ACT_KILL:
		smtp_session_kill(session);
		assert_int_equal(t->gone, 1);
		return SMTP_YES;
	case ACT_DRAIN:
		smtp_session_drain(session);
		return SMTP_YES;
	case ACT_HANG_UP:
		*reply = (struct smtp_reply){ 421, "4.3.0", "go away" };
		return SMTP_ANSWER;
	}
	return SMTP_YES;
}

static enum smtp_now
on_sender(void *ctx, struct smtp_session *session, const struct envelope *envelope,
    const char *address, struct smtp_reply *reply)
{
	struct scene *t = ctx;

	assert_int_equal(envelope->recipients.count, 0);
	buf_addf(&t->story, "sender <%s>\n", address);
	return act(t, t->sender, session, reply);
}

static enum smtp_now
on_recipient(void *ctx, struct smtp_session *session, const struct envelope *envelope,
    const char *address, struct smtp_reply *reply)
{
	struct scene *t = ctx;

	buf_addf(&t->story, "recipient <%s> after %zu\n", address, envelope->recipients.count);
	if (t->refuse_recipient != NULL)
		return act(t, strcmp(address, t->refuse_recipient) == 0 ? ACT_REFUSE : ACT_YES,
		    session, reply);
	return act(t, t->recipient, session, reply);
}

static enum smtp_now
on_message(void *ctx, struct smtp_session *session, const struct envelope *envelope,
    struct buf *content, struct smtp_reply *reply)
{
	struct scene *t = ctx;

	buf_addf(&t->story, "message <%s>", envelope->reverse_path);
	for (size_t i = 0; i < envelope->recipients.count && i < 5; i++)
		buf_addf(&t->story, " <%s>", envelope->recipients.items[i]);
	if (content->len < 100)
		buf_addf(&t->story, ": %s\n", content->len > 0 ? content->data : "");
	else
		buf_addf(&t->story, ": %zu bytes\n", content->len);
	if (t->take_content)
		free(buf_take(content, NULL));
	return act(t, t->message, session, reply);
}

static void
on_gone(void *ctx, struct smtp_session *session)
{
	struct scene *t = ctx;

	assert_ptr_equal(session, t->session);
	t->gone++;
	t->session = NULL;
}

static bool
on_memory(void *ctx, int64_t bytes)
{
	struct scene *t = ctx;

	if (bytes > 0 && t->kill_at_memory) {
		t->memory += bytes;
		smtp_session_kill(t->session);
		return true;
	}
	if (bytes > 0 && t->memory + bytes > t->memory_most)
		return false;
	t->memory += bytes;
	if (t->memory > t->memory_peak)
		t->memory_peak = t->memory;
	return true;
}

static const struct smtp_hooks hooks = {
	.sender = on_sender,
	.recipient = on_recipient,
	.message = on_message,
	.gone = on_gone,
	.memory = on_memory,
};

static const struct smtp_limits usual_limits = {
	.hostname = "relay.example",
	.most_message_bytes = 1000000,
	.most_recipients = 100,
	.most_commands = 100,
	.most_errors = 10,
	.most_mails = 0,
	.most_line_bytes = 1024,
	.command_timeout_ms = 60000,
	.data_timeout_ms = 60000,
	.message_timeout_ms = 60000,
	.session_timeout_ms = 60000,
};

/* --- the client ---------------------------------------------------------------------------- */

static void
client_read(struct scene *t)
{
	char bytes[65536];
	ssize_t n;

	if (t->client < 0)
		return;
	while ((n = recv(t->client, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0) {
		buf_add(&t->got, bytes, (size_t)n);
		t->writes++;
	}
	if (n == 0 || (n < 0 && errno != EAGAIN))
		t->closed = true;
}

static void
pump(struct scene *t)
{
	for (int i = 0; i < 8; i++)
		event_base_loop(loop_base(t->loop), EVLOOP_NONBLOCK);
	client_read(t);
}

/* Turns the loop in real time until the client sees the end. */
static void
pump_to_end(struct scene *t)
{
	while (!t->closed) {
		event_base_loop(loop_base(t->loop), EVLOOP_ONCE);
		client_read(t);
	}
	pump(t);
}

static void
send_bytes(struct scene *t, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = send(t->client, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n > 0) {
			bytes += n;
			len -= (size_t)n;
		} else if (errno != EAGAIN)
			return;
		else
			pump(t);
	}
}

/* What the client read since the last call, whole. */
static void
expect(struct scene *t, const char *replies)
{
	pump(t);
	buf_addc(&t->got, '\0');
	if (strcmp(t->got.data, replies) != 0)
		fail_msg("got:\n%s\nexpected:\n%s", t->got.data, replies);
	buf_clear(&t->got);
}

/* The codes alone: "250 354", a line each. */
static void
expect_codes(struct scene *t, const char *codes)
{
	struct buf seen;
	const char *line, *end;

	pump(t);
	buf_init(&seen, SIZE_MAX);
	buf_addc(&t->got, '\0');
	for (line = t->got.data; (end = strstr(line, "\r\n")) != NULL; line = end + 2) {
		if (line[3] == '-')
			continue;
		if (seen.len > 0)
			buf_addc(&seen, ' ');
		buf_add(&seen, line, 3);
	}
	buf_addc(&seen, '\0');
	if (strcmp(seen.data, codes) != 0 || *line != '\0')
		fail_msg("got:\n%s\nexpected codes: %s", t->got.data, codes);
	buf_free(&seen);
	buf_clear(&t->got);
}

static void
expect_text(struct scene *t, const char *text)
{
	pump(t);
	if (t->got.data == NULL || strstr(t->got.data, text) == NULL)
		fail_msg("\"%s\" not in \"%s\"", text, t->got.data);
	buf_clear(&t->got);
}

static void
say(struct scene *t, const char *text)
{
	send_bytes(t, text, strlen(text));
}

static void
say_expect(struct scene *t, const char *text, const char *codes)
{
	say(t, text);
	expect_codes(t, codes);
}

static void
expect_story(struct scene *t, const char *story)
{
	buf_addc(&t->story, '\0');
	assert_string_equal(t->story.data, story);
	buf_clear(&t->story);
}

/* --- set up -------------------------------------------------------------------------------- */

static void
scene_begin(struct scene *t, int type)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, type, 0, fds), 0);
	t->client = fds[1];
	t->closed = false;
	t->gone = 0;
	t->session = smtp_session_new(&(struct smtp_session_params){
	    .loop = t->loop,
	    .fd = fds[0],
	    .limits = &t->limits,
	    .hooks = &hooks,
	    .ctx = t,
	    .listener = "test:25",
	    .client = "192.0.2.7",
	});
}

static int
set_up(void **state)
{
	struct scene *t = mem_new(sizeof(*t));

	log_setup("test", LOG_LEVEL_ERROR, LOG_FORMAT_TEXT, 2);
	t->loop = loop_new();
	t->limits = usual_limits;
	t->memory_most = INT64_MAX;
	buf_init(&t->story, SIZE_MAX);
	buf_init(&t->got, SIZE_MAX);
	scene_begin(t, SOCK_STREAM);
	*state = t;
	return 0;
}

static void
scene_end(struct scene *t)
{
	if (t->client >= 0)
		close(t->client);
	t->client = -1;
	for (int i = 0; i < 3; i++)
		event_base_loop(loop_base(t->loop), EVLOOP_NONBLOCK);
	if (t->session != NULL)
		smtp_session_kill(t->session);
	assert_int_equal(t->gone, 1);
	assert_int_equal(t->memory, 0);
}

static int
tear_down(void **state)
{
	struct scene *t = *state;

	clock_restore();
	scene_end(t);
	loop_free(&t->loop);
	buf_free(&t->story);
	buf_free(&t->got);
	free(t);
	return 0;
}

/* Past the greeting. */
static struct scene *
greeted(void **state)
{
	struct scene *t = *state;

	say_expect(t, "EHLO c.example\r\n", "220 250");
	return t;
}

/* Past the greeting, with a mail up to DATA. */
static struct scene *
in_data(void **state)
{
	struct scene *t = greeted(state);

	say_expect(
	    t, "MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n", "250 250 354");
	buf_clear(&t->story);
	return t;
}

/* --- errors first -------------------------------------------------------------------------- */

static void
test_silent_client_is_sent_away(void **state)
{
	struct scene *t = *state;

	scene_end(t);
	t->limits.command_timeout_ms = 20;
	scene_begin(t, SOCK_STREAM);
	pump_to_end(t);
	expect_codes(t, "220 421");
	assert_int_equal(t->gone, 1);
}

/* Bytes of a command that never ends do not extend its time. */
static void
test_slow_command_is_cut(void **state)
{
	struct scene *t = *state;
	int sent = 0;

	scene_end(t);
	t->limits.command_timeout_ms = 50;
	scene_begin(t, SOCK_STREAM);
	while (!t->closed && sent < 10000) {
		sent++;
		if (send(t->client, "N", 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			break;
		event_base_loop(loop_base(t->loop), EVLOOP_ONCE);
		client_read(t);
		usleep(1000);
	}
	pump(t);
	expect_codes(t, "220 421");
	assert_true(t->closed);
}

/* NOOP for ever ends with the session's time. */
static void
test_session_time_is_up(void **state)
{
	struct scene *t = *state;

	clock_fake(0, 1000000);
	scene_end(t);
	t->limits.session_timeout_ms = 10000;
	scene_begin(t, SOCK_STREAM);
	say_expect(t, "NOOP\r\n", "220 250");
	clock_fake_advance(9990);
	say(t, "NOOP\r\n");
	pump(t);
	pump_to_end(t);
	expect_codes(t, "250 421");
}

static void
test_accepted_mail_restarts_session_time(void **state)
{
	struct scene *t = *state;

	clock_fake(0, 1000000);
	scene_end(t);
	t->limits.session_timeout_ms = 10000;
	scene_begin(t, SOCK_STREAM);
	say_expect(t, "EHLO x\r\n", "220 250");
	clock_fake_advance(9000);
	say_expect(t, "MAIL FROM:<>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n", "250 250 354");
	say_expect(t, ".\r\n", "250");
	clock_fake_advance(9000);
	say_expect(t, "NOOP\r\n", "250");
}

static void
test_hanging_data_is_cut(void **state)
{
	struct scene *t = *state;

	scene_end(t);
	t->limits.data_timeout_ms = 20;
	scene_begin(t, SOCK_STREAM);
	in_data(state);
	say(t, "Subject: x\r\n");
	pump_to_end(t);
	expect_codes(t, "421");
	expect_story(t, "");
	assert_int_equal(t->gone, 1);
	assert_int_equal(t->memory, 0);
}

/* A trickle of data, each piece in time, ends with the message's time. */
static void
test_trickling_data_is_cut(void **state)
{
	struct scene *t = *state;

	clock_fake(0, 1000000);
	scene_end(t);
	t->limits.message_timeout_ms = 10000;
	t->limits.data_timeout_ms = 5000;
	scene_begin(t, SOCK_STREAM);
	in_data(state);
	for (int i = 0; i < 4; i++) {
		clock_fake_advance(2490);
		say_expect(t, "x\r\n", "");
	}
	clock_fake_advance(39);
	say(t, "x\r\n");
	pump_to_end(t);
	expect_codes(t, "421");
	expect_story(t, "");
}

static void
test_cut_in_the_middle_of_data(void **state)
{
	struct scene *t = in_data(state);

	say(t, "Subject: x\r\n\r\nhalf a mail\r\n");
	pump(t);
	assert_true(t->memory > 0);
	close(t->client);
	t->client = -1;
	pump(t);
	assert_int_equal(t->gone, 1);
	assert_int_equal(t->memory, 0);
	expect_story(t, "");
}

static void
test_cut_before_the_last_byte(void **state)
{
	struct scene *t = in_data(state);

	say(t, "Subject: x\r\n\r\nall but one byte\r\n.\r");
	pump(t);
	shutdown(t->client, SHUT_WR);
	pump(t);
	assert_int_equal(t->gone, 1);
	expect_story(t, "");
}

static void
test_long_line(void **state)
{
	struct scene *t = greeted(state);
	char line[3000];

	memset(line, 'x', sizeof(line));
	memcpy(line, "NOOP ", 5);
	/* Exactly the limit, with its CRLF. */
	send_bytes(t, line, t->limits.most_line_bytes - 2);
	say_expect(t, "\r\n", "250");
	send_bytes(t, line, t->limits.most_line_bytes - 1);
	say_expect(t, "\r\n", "500");
	/* In pieces; what follows in the same line is not run. */
	send_bytes(t, line, sizeof(line));
	pump(t);
	send_bytes(t, line, sizeof(line));
	say_expect(t, "\r", "500");
	say_expect(t, "\nNOOP\r\n", "250");
	send_bytes(t, line, sizeof(line));
	say_expect(t, "\r\nNOOP\r\n", "500 250");
}

static size_t
heap_bytes(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

/* A hundred megabytes without an end of line: as a command, then as the content of a mail. */
static void
test_endless_lines_take_no_memory(void **state)
{
	struct scene *t = greeted(state);
	size_t len = 1 << 20, before = heap_bytes(), most = 0;
	char *block = malloc(len);

	memset(block, 'x', len);
	for (int i = 0; i < 100; i++) {
		send_bytes(t, block, len);
		if (heap_bytes() > most)
			most = heap_bytes();
	}
	say_expect(t, "\r\n", "500");
	assert_true(most < before + 2 * len);

	say_expect(t, "MAIL FROM:<>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n", "250 250 354");
	most = 0;
	for (int i = 0; i < 100; i++) {
		send_bytes(t, block, len);
		if (heap_bytes() > most)
			most = heap_bytes();
	}
	assert_true(most < before + 4 * len);
	assert_true(t->memory_peak <= 2 * (int64_t)t->limits.most_message_bytes);
	assert_int_equal(t->memory, 0);
	say(t, "\r\n.\r\n");
	expect_text(t, "552 5.3.4 mail of 104857602 bytes is over the limit of 1000000 bytes\r\n");
	say_expect(t, "NOOP\r\n", "250");
	free(block);
}

static void
test_bare_line_ends_in_commands(void **state)
{
	struct scene *t = greeted(state);

	say_expect(t, "NOOP\nRSET\r\nNOOP\r\n", "500 250");
	say_expect(t, "NOOP\rRSET\r\nNOOP\r\n", "500 250");
	say_expect(t, "NOOP\r\r\nNOOP\r\n", "500 250");
	say_expect(
	    t, "MAIL FROM:<a@b.example>\nRCPT TO:<c@d.example>\nDATA\r\nNOOP\r\n", "500 500 250");
	expect_story(t, "");
	/* Who types into a terminal that sends LF alone hears why each time. */
	say_expect(t, "NOOP\n", "500");
	say_expect(t, "NOOP\n", "500");
	say_expect(t, "\r\nNOOP\r\n", "250");
}

static void
test_normalised_commands(void **state)
{
	struct scene *t = *state;

	t->limits.normalize_line_ends = true;
	say_expect(t, "EHLO x\n", "220 250");
	say_expect(t, "NOOP\nNOOP\rNOOP\r\nNOOP\r\r\n", "250 250 250 250");
	say_expect(t, "NOOP\r", "");
	say_expect(t, "\n", "250");
	say_expect(t, "MAIL FROM:<>\nRCPT TO:<c@d.example>\nDATA\n", "250 250 354");
	say_expect(t, "a\nb\n.\nc\r\n.\r\n", "250");
	expect_story(t, "sender <>\nrecipient <c@d.example> after 0\n"
			"message <> <c@d.example>: a\r\nb\r\n.\r\nc\r\n\n");
	/* An over-long line that ends in a bare LF. */
	char line[2000];
	memset(line, 'x', sizeof(line));
	send_bytes(t, line, sizeof(line));
	say_expect(t, "", "500");
	say_expect(t, "\nNOOP\n", "250");
}

static void
test_too_many_errors(void **state)
{
	struct scene *t = greeted(state);

	for (unsigned i = 1; i < t->limits.most_errors; i++)
		say_expect(t, "BOGUS\r\n", "500");
	say_expect(t, "BOGUS\r\nNOOP\r\n", "500 421");
	assert_true(t->closed);
	assert_int_equal(t->gone, 1);
}

static void
test_too_many_commands(void **state)
{
	struct scene *t = greeted(state);

	for (unsigned i = 1; i < t->limits.most_commands; i++)
		say_expect(t, "NOOP\r\n", "250");
	say_expect(t, "NOOP\r\n", "421");
	assert_true(t->closed);
}

/* Accepted recipients are no noise, and an accepted mail starts the count anew. */
static void
test_many_recipients_are_not_many_commands(void **state)
{
	struct scene *t = *state;

	t->limits.most_commands = 10;
	say_expect(t, "EHLO x\r\n", "220 250");
	for (int mail = 0; mail < 5; mail++) {
		say_expect(t, "MAIL FROM:<>\r\n", "250");
		for (int i = 0; i < 50; i++)
			say_expect(t, "RCPT TO:<c@d.example>\r\n", "250");
		say_expect(t, "DATA\r\n", "354");
		say_expect(t, "x\r\n.\r\n", "250");
	}
}

static void
test_too_many_recipients(void **state)
{
	struct scene *t = *state;

	t->limits.most_recipients = 2;
	say_expect(t,
	    "EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nRCPT TO:<b@b.example>\r\n",
	    "220 250 250 250 250");
	say(t, "RCPT TO:<c@b.example>\r\n");
	expect(t, "452 4.5.3 too many recipients, the limit is 2 a mail\r\n");
	say_expect(t, "DATA\r\n", "354");
	say_expect(t, "x\r\n.\r\n", "250");
}

static void
test_too_many_mails(void **state)
{
	struct scene *t = *state;

	t->limits.most_mails = 2;
	say_expect(t, "EHLO x\r\n", "220 250");
	for (int i = 0; i < 2; i++) {
		say_expect(t, "MAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nDATA\r\n", "250 250 354");
		say_expect(t, "x\r\n.\r\n", "250");
	}
	say_expect(t, "NOOP\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\n", "250 421");
	assert_true(t->closed);
}

static void
test_declared_size_over_limit(void **state)
{
	struct scene *t = greeted(state);

	say(t, "MAIL FROM:<> SIZE=1000001\r\n");
	expect(
	    t, "552 5.3.4 declared size of 1000001 bytes is over the limit of 1000000 bytes\r\n");
	say_expect(t, "MAIL FROM:<> SIZE=99999999999999999999\r\n", "552");
	say_expect(t, "MAIL FROM:<> SIZE=1000000\r\n", "250");
}

/* A declaration alone is not believed with memory. */
static void
test_declared_size_holds_no_memory(void **state)
{
	struct scene *t = greeted(state);

	say_expect(
	    t, "MAIL FROM:<> SIZE=1000000\r\nRCPT TO:<a@b.example>\r\nDATA\r\n", "250 250 354");
	say_expect(t, "x\r\n", "");
	assert_true(t->memory > 0 && t->memory < 1000);
	say_expect(t, ".\r\n", "250");
}

static void
test_content_over_limit(void **state)
{
	struct scene *t = *state;

	t->limits.most_message_bytes = 10;
	in_data(state);
	say_expect(t, "12345678\r\n.\r\n", "250");
	expect_story(t, "message <a@b.example> <c@d.example>: 12345678\r\n\n");
	say_expect(t, "MAIL FROM:<>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n", "250 250 354");
	buf_clear(&t->story);
	say(t, "123456789\r\n.\r\n");
	expect(t, "552 5.3.4 mail of 11 bytes is over the limit of 10 bytes\r\n");
	expect_story(t, "");
	/* Dots that are stuffing do not count. */
	say_expect(t, "MAIL FROM:<>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n", "250 250 354");
	say_expect(t, "..2345678\r\n.\r\n", "250");
}

static void
test_no_memory(void **state)
{
	struct scene *t = in_data(state);

	t->memory_most = 100;
	for (int i = 0; i < 50; i++)
		say_expect(t, "0123456789012345678901234567890123456789\r\n", "");
	say_expect(t, ".\r\n", "452");
	expect_story(t, "");
	assert_int_equal(t->memory, 0);
	t->memory_most = INT64_MAX;
	say_expect(t, "MAIL FROM:<>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n", "250 250 354");
	say_expect(t, "x\r\n.\r\n", "250");
}

static void
test_nul_and_bare_line_ends_in_data(void **state)
{
	static const char with_nul[] = "a\0b\r\n.\r\n";
	static const char *const smuggled[] = {
		"a\r\nb\n.\nMAIL FROM:<x@y.example>\r\n.\r\n",
		"a\n.\r\nMAIL FROM:<x@y.example>\r\n.\r\n",
		"a\r.\r\nMAIL FROM:<x@y.example>\r\n.\r\n",
		"a\r\n.\nMAIL FROM:<x@y.example>\r\n.\r\n",
		"a\r.\rMAIL FROM:<x@y.example>\r\n.\r\n",
	};
	struct scene *t = in_data(state);

	send_bytes(t, with_nul, sizeof(with_nul) - 1);
	expect_text(t, "550 5.6.0 ");
	for (size_t i = 0; i < sizeof(smuggled) / sizeof(smuggled[0]); i++) {
		say_expect(t, "MAIL FROM:<>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n", "250 250 354");
		buf_clear(&t->story);
		say(t, smuggled[i]);
		expect(t, "550 5.6.11 the mail contains a CR or LF alone: lines end with CR LF in "
			  "SMTP\r\n");
		expect_story(t, "");
	}
}

static void
test_address_faults(void **state)
{
	static const struct {
		const char *command;
		const char *reply;
	} cases[] = {
		{ "MAIL FROM:<a>", "250 2.1.0 " },
		{ "RSET", "250 " },
		{ "MAIL FROM:<\"a b\"@b.example>", "250 2.1.0 " },
		{ "RSET", "250 " },
		{ "MAIL FROM:<a b@b.example>", "501 5.1.7 " },
		{ "MAIL FROM:<\xc3\xbc@b.example>", "553 5.6.7 " },
		{ "MAIL FROM:<a@b.example> RET=HDRS", "555 5.5.4 " },
		{ "MAIL FROM:<a@b.example> BODY=x", "501 5.5.4 " },
		{ "MAIL", "501 5.5.4 syntax: MAIL FROM:<address>" },
		{ "MAIL FROM:<a@b.example>", "250 2.1.0 " },
		{ "RCPT TO:<a>", "553 5.1.2 " },
		{ "RCPT TO:<\"a b\"@b.example>", "553 5.1.3 " },
		{ "RCPT TO:<>", "501 5.1.3 " },
		{ "RCPT TO:<@a.example>", "501 5.1.3 " },
		{ "RCPT TO:<a@b\xc3\xbc.example>", "553 5.6.7 " },
		{ "RCPT TO:", "501 5.5.4 syntax: RCPT TO:<address>" },
		{ "DATA", "554 5.5.1 no valid recipients" },
	};
	struct scene *t = *state;

	t->limits.most_errors = 0;
	greeted(state);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		say(t, cases[i].command);
		say(t, "\r\n");
		expect_text(t, cases[i].reply);
	}
}

static void
test_postmaster(void **state)
{
	struct scene *t = greeted(state);
	struct smtp_limits other = usual_limits;

	say_expect(t, "MAIL FROM:<>\r\nRCPT TO:<Postmaster>\r\n", "250 250");
	expect_story(t, "sender <>\nrecipient <postmaster@relay.example> after 0\n");
	other.hostname = "localhost";
	smtp_session_reload(t->session, &other);
	say(t, "RCPT TO:<postmaster>\r\n");
	expect_text(t, "550 5.1.3 ");
}

static void
test_http_is_hung_up_on(void **state)
{
	struct scene *t = *state;

	say_expect(t, "POST / HTTP/1.1\r\nHost: x\r\n\r\nEHLO x\r\nMAIL FROM:<>\r\n", "220 421");
	assert_true(t->closed);
	expect_story(t, "");
}

static void
test_client_that_does_not_read(void **state)
{
	struct scene *t = *state;
	int small = 4096;

	scene_end(t);
	t->limits.most_commands = 0;
	scene_begin(t, SOCK_STREAM);
	setsockopt(t->client, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	for (int i = 0; i < 100000 && t->gone == 0; i++) {
		if (send(t->client, "HELP\r\nHELP\r\nHELP\r\nHELP\r\n", 24,
			MSG_DONTWAIT | MSG_NOSIGNAL) < 0 &&
		    errno != EAGAIN)
			break;
		event_base_loop(loop_base(t->loop), EVLOOP_NONBLOCK);
	}
	assert_int_equal(t->gone, 1);
}

/* --- what is right ------------------------------------------------------------------------- */

static void
test_one_mail(void **state)
{
	struct scene *t = *state;

	expect(t, "220 relay.example ESMTP pmrelay\r\n");
	say(t, "EHLO c.example\r\n");
	expect(t, "250-relay.example greets 192.0.2.7\r\n"
		  "250-PIPELINING\r\n"
		  "250-SIZE 1000000\r\n"
		  "250-8BITMIME\r\n"
		  "250-SMTPUTF8\r\n"
		  "250-ENHANCEDSTATUSCODES\r\n"
		  "250 HELP\r\n");
	say(t, "MAIL FROM:<a@b.example> SIZE=20\r\n");
	expect(t, "250 2.1.0 sender ok\r\n");
	say(t, "RCPT TO:<c@d.example>\r\n");
	expect(t, "250 2.1.5 recipient ok\r\n");
	say(t, "DATA\r\n");
	expect(t, "354 go ahead, end with a dot on a line of its own\r\n");
	say(t, "Subject: x\r\n\r\n..\r\n.\r\n");
	expect(t, "250 2.6.0 mail accepted\r\n");
	say(t, "QUIT\r\n");
	expect(t, "221 2.0.0 relay.example\r\n");
	assert_true(t->closed);
	assert_int_equal(t->gone, 1);
	expect_story(t, "sender <a@b.example>\nrecipient <c@d.example> after 0\n"
			"message <a@b.example> <c@d.example>: Subject: x\r\n\r\n.\r\n\n");
}

static const char three_mails[] = "MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n"
				  "one\r\n.\r\n"
				  "MAIL FROM:<>\r\nRCPT TO:<e@f.example>\r\n"
				  "RCPT TO:<g@h.example>\r\nDATA\r\n"
				  "QUIT\r\n\r\n.\r\n"
				  "RSET\r\n"
				  "MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n"
				  "three\r\n.\r\n"
				  "QUIT\r\n";
static const char three_stories[] =
    "sender <a@b.example>\nrecipient <c@d.example> after 0\n"
    "message <a@b.example> <c@d.example>: one\r\n\n"
    "sender <>\nrecipient <e@f.example> after 0\nrecipient <g@h.example> after 1\n"
    "message <> <e@f.example> <g@h.example>: QUIT\r\n\r\n\n"
    "sender <a@b.example>\nrecipient <c@d.example> after 0\n"
    "message <a@b.example> <c@d.example>: three\r\n\n";
#define THREE_CODES "250 250 354 250 250 250 250 354 250 250 250 250 354 250 221"

/* RFC 2920 goes no further than DATA, but some clients do. */
static void
test_three_mails_in_one_write(void **state)
{
	struct scene *t = *state;

	/* A socket that keeps what one write sent together shows how many there were. */
	scene_end(t);
	scene_begin(t, SOCK_SEQPACKET);
	say_expect(t, "EHLO x\r\n", "220 250");
	t->writes = 0;
	say_expect(t, three_mails, THREE_CODES);
	assert_int_equal(t->writes, 1);
	expect_story(t, three_stories);
	assert_int_equal(t->gone, 1);
}

static void
test_three_mails_bytewise(void **state)
{
	struct scene *t = greeted(state);

	for (const char *byte = three_mails; *byte != '\0'; byte++) {
		send_bytes(t, byte, 1);
		pump(t);
	}
	expect_codes(t, THREE_CODES);
	expect_story(t, three_stories);
}

/* Every answer later: nothing is read meanwhile, and nothing is lost. */
static void
test_three_mails_answered_later(void **state)
{
	static const struct smtp_reply yes = { 250, "2.0.0", "later" };
	struct scene *t = greeted(state);
	int answers = 0;

	t->sender = t->recipient = t->message = ACT_LATER;
	say(t, three_mails);
	pump(t);
	while (t->session != NULL && answers < 100) {
		size_t heard = t->story.len;

		pump(t);
		assert_int_equal(t->story.len, heard);
		answers++;
		smtp_session_answer(t->session, &yes);
		pump(t);
	}
	assert_int_equal(answers, 3 + 4 + 3);
	expect_codes(t, THREE_CODES);
	expect_story(t, three_stories);
}

static void
test_no_byte_is_read_while_an_answer_is_owed(void **state)
{
	struct scene *t = greeted(state);
	size_t len = 8 << 20, sent = 0;
	char *block = malloc(len);
	ssize_t n;

	t->message = ACT_LATER;
	say_expect(t, "MAIL FROM:<>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n", "250 250 354");
	say_expect(t, "x\r\n.\r\n", "");
	memset(block, 'x', len);
	for (int i = 0; i < 100; i++) {
		while ((n = send(t->client, block, len, MSG_DONTWAIT)) > 0)
			sent += (size_t)n;
		pump(t);
	}
	/* What the socket and one read hold, and no more. */
	assert_true(sent < 4 << 20);
	smtp_session_answer(t->session, &(struct smtp_reply){ 451, "4.3.0", "not now" });
	say_expect(t, "\r\nNOOP\r\n", "451 500 250");
	free(block);
}

static void
test_refusals_of_the_owner(void **state)
{
	struct scene *t = greeted(state);

	t->sender = ACT_REFUSE;
	say_expect(
	    t, "MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n", "550 503 503");
	t->sender = ACT_YES;
	t->recipient = ACT_REFUSE;
	say_expect(
	    t, "MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n", "250 550 554");
	t->refuse_recipient = "c@d.example";
	buf_clear(&t->story);
	say_expect(t, "RCPT TO:<e@f.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n", "250 550 354");
	t->message = ACT_REFUSE;
	say_expect(t, "x\r\n.\r\n", "550");
	expect_story(t, "recipient <e@f.example> after 0\nrecipient <c@d.example> after 1\n"
			"message <a@b.example> <e@f.example>: x\r\n\n");
	say_expect(t, "RCPT TO:<e@f.example>\r\n", "503");
}

static void
test_owner_takes_the_content(void **state)
{
	struct scene *t = in_data(state);

	t->take_content = true;
	t->message = ACT_LATER;
	say_expect(t, "x\r\n.\r\n", "");
	assert_true(t->memory > 0);
	smtp_session_answer(t->session, &(struct smtp_reply){ 250, "2.0.0", "ok" });
	assert_int_equal(t->memory, 0);
	expect_codes(t, "250");
}

static void
test_hooks_that_hang_up(void **state)
{
	struct scene *t = *state;

	for (int stage = 0; stage < 3; stage++) {
		if (t->session == NULL) {
			scene_end(t);
			scene_begin(t, SOCK_STREAM);
		}
		t->sender = stage == 0 ? ACT_HANG_UP : ACT_YES;
		t->recipient = stage == 1 ? ACT_HANG_UP : ACT_YES;
		t->message = stage == 2 ? ACT_HANG_UP : ACT_YES;
		say(t, "EHLO x\r\n");
		say(t, three_mails);
		pump(t);
		assert_true(t->closed);
		assert_int_equal(t->gone, 1);
		expect_text(t, "421 4.3.0 go away\r\n");
	}
}

static void
test_kill_in_each_hook(void **state)
{
	struct scene *t = *state;

	for (int stage = 0; stage < 4; stage++) {
		scene_end(t);
		t->sender = stage == 0 ? ACT_KILL : ACT_YES;
		t->recipient = stage == 1 ? ACT_KILL : ACT_YES;
		t->message = stage == 2 ? ACT_KILL : ACT_YES;
		t->kill_at_memory = stage == 3;
		scene_begin(t, SOCK_STREAM);
		say(t, "EHLO x\r\n");
		say(t, three_mails);
		pump(t);
		assert_true(t->closed);
		assert_int_equal(t->gone, 1);
		assert_int_equal(t->memory, 0);
	}
}

static void
test_kill_while_an_answer_is_owed(void **state)
{
	struct scene *t = greeted(state);

	t->message = ACT_LATER;
	say_expect(t, "MAIL FROM:<>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n", "250 250 354");
	say_expect(t, "x\r\n.\r\nQUIT\r\n", "");
	smtp_session_kill(t->session);
	assert_int_equal(t->gone, 1);
	pump(t);
	assert_true(t->closed);
}

static void
test_drain_of_an_idle_session(void **state)
{
	struct scene *t = greeted(state);

	smtp_session_drain(t->session);
	assert_int_equal(t->gone, 0); /* from the loop, not from the call */
	pump(t);
	assert_int_equal(t->gone, 1);
	expect(t, "421 4.3.2 relay.example is shutting down, please try again soon\r\n");
	assert_true(t->closed);
}

static void
test_drain_while_a_mail_is_under_way(void **state)
{
	struct scene *t = in_data(state);

	t->message = ACT_LATER;
	smtp_session_drain(t->session);
	say_expect(t, "x\r\n", "");
	say_expect(t, ".\r\nMAIL FROM:<>\r\n", "");
	smtp_session_drain(t->session);
	smtp_session_answer(t->session, &(struct smtp_reply){ 250, "2.0.0", "ok" });
	assert_int_equal(t->gone, 0);
	expect_codes(t, "250 421");
	assert_int_equal(t->gone, 1);
}

static void
test_drain_ends_with_rset(void **state)
{
	struct scene *t = greeted(state);

	say_expect(t, "MAIL FROM:<>\r\n", "250");
	smtp_session_drain(t->session);
	say_expect(t, "NOOP\r\nRSET\r\nNOOP\r\n", "250 250 421");
	assert_int_equal(t->gone, 1);
}

static void
test_drain_in_a_hook(void **state)
{
	struct scene *t = greeted(state);

	t->recipient = ACT_DRAIN;
	say_expect(t, "MAIL FROM:<>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n", "250 250 354");
	say_expect(t, "x\r\n.\r\n", "250 421");
	assert_int_equal(t->gone, 1);
}

static void
test_half_closed_client_gets_its_answers(void **state)
{
	struct scene *t = greeted(state);

	t->message = ACT_LATER;
	say_expect(t, "MAIL FROM:<>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n", "250 250 354");
	say(t, "x\r\n.\r\n");
	shutdown(t->client, SHUT_WR);
	pump(t);
	assert_int_equal(t->gone, 0);
	smtp_session_answer(t->session, &(struct smtp_reply){ 250, "2.0.0", "ok" });
	expect_codes(t, "250");
	assert_int_equal(t->gone, 1);
}

static void
test_order_of_verbs(void **state)
{
	struct scene *t = *state;

	t->limits.most_errors = 0;
	say_expect(t, "MAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nDATA\r\n", "220 503 503 503");
	say_expect(t, "NOOP\r\nHELP\r\nRSET\r\nVRFY a\r\nEXPN b\r\n", "250 214 250 252 502");
	/* RSET is no greeting. */
	say_expect(t, "MAIL FROM:<>\r\n", "503");
	say_expect(t, "HELO x\r\nRCPT TO:<a@b.example>\r\nDATA\r\n", "250 503 503");
	say_expect(t, "MAIL FROM:<> SIZE=1\r\n", "555");
	say_expect(t, "MAIL FROM:<>\r\nMAIL FROM:<>\r\n", "250 503");
	say_expect(t, "DATA\r\n", "503");
	say_expect(t, "RCPT TO:<a@b.example>\r\nMAIL FROM:<>\r\n", "250 503");
	say_expect(t, "NOOP\r\nVRFY x\r\nHELP\r\n", "250 252 214");
	say_expect(t, "EHLO\r\n\r\n", "501 500");
	say_expect(t, "DATA\r\n", "354");
	say_expect(t, ".\r\n", "250");
}

static void
test_rset_and_ehlo_end_the_mail(void **state)
{
	static const char *const enders[] = { "RSET\r\n", "EHLO y\r\n", "HELO y\r\n" };
	struct scene *t = greeted(state);

	for (size_t i = 0; i < 3; i++) {
		say_expect(t, "MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n", "250 250");
		say_expect(t, enders[i], "250");
		say_expect(t, "RCPT TO:<c@d.example>\r\nDATA\r\n", "503 503");
		buf_clear(&t->story);
		say_expect(t, "MAIL FROM:<x@y.example>\r\nRCPT TO:<z@y.example>\r\nDATA\r\n",
		    "250 250 354");
		say_expect(t, "x\r\n.\r\n", "250");
		expect_story(t, "sender <x@y.example>\nrecipient <z@y.example> after 0\n"
				"message <x@y.example> <z@y.example>: x\r\n\n");
	}
}

static void
test_origin(void **state)
{
	struct scene *t = *state;
	const struct origin *origin = smtp_session_origin(t->session);

	assert_string_equal(origin->helo, "");
	say_expect(t, "EHLO Lab \xff Printer\r\n", "220 250");
	assert_string_equal(origin->listener, "test:25");
	assert_string_equal(origin->client, "192.0.2.7");
	assert_string_equal(origin->helo, "Lab \\xFF Printer");
}

static void
test_large_mail(void **state)
{
	struct scene *t = greeted(state);
	size_t len = 900000 / 20 * 20;
	char *block = malloc(len);

	for (size_t i = 0; i < len; i += 20)
		memcpy(block + i, "123456789012345678\r\n", 20);
	say_expect(
	    t, "MAIL FROM:<> SIZE=900000\r\nRCPT TO:<c@d.example>\r\nDATA\r\n", "250 250 354");
	send_bytes(t, block, len);
	say_expect(t, ".\r\n", "250");
	expect_story(t, "sender <>\nrecipient <c@d.example> after 0\n"
			"message <> <c@d.example>: 900000 bytes\n");
	assert_true(t->memory_peak < 1100000);
	free(block);
}

/* What a thousand idle connections cost a front. */
static void
test_idle_session_is_small(void **state)
{
	enum { COUNT = 200 };
	struct scene *scenes = mem_array(COUNT, sizeof(*scenes));
	struct scene *t = greeted(state);
	size_t before, after;

	for (int i = 0; i < COUNT; i++) {
		scenes[i] = *t;
		buf_init(&scenes[i].got, SIZE_MAX);
	}
	before = heap_bytes();
	for (int i = 0; i < COUNT; i++)
		scene_begin(&scenes[i], SOCK_STREAM);
	for (int round = 0; round < 2; round++)
		for (int i = 0; i < COUNT; i++) {
			const char *command = round == 0 ? "EHLO c.example\r\n" : "NOOP\r\n";

			assert_true(send(scenes[i].client, command, strlen(command), 0) > 0);
			if (i % 50 == 49)
				event_base_loop(loop_base(t->loop), EVLOOP_NONBLOCK);
		}
	for (int i = 0; i < 20; i++)
		event_base_loop(loop_base(t->loop), EVLOOP_NONBLOCK);
	after = heap_bytes();
	print_message("an idle session: %zu bytes of heap\n", (after - before) / COUNT);
	assert_true((after - before) / COUNT < 4096);
	for (int i = 0; i < COUNT; i++)
		scene_end(&scenes[i]);
	free(scenes);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_silent_client_is_sent_away),
		TEST(test_slow_command_is_cut),
		TEST(test_session_time_is_up),
		TEST(test_accepted_mail_restarts_session_time),
		TEST(test_hanging_data_is_cut),
		TEST(test_trickling_data_is_cut),
		TEST(test_cut_in_the_middle_of_data),
		TEST(test_cut_before_the_last_byte),
		TEST(test_long_line),
		TEST(test_endless_lines_take_no_memory),
		TEST(test_bare_line_ends_in_commands),
		TEST(test_normalised_commands),
		TEST(test_too_many_errors),
		TEST(test_too_many_commands),
		TEST(test_many_recipients_are_not_many_commands),
		TEST(test_too_many_recipients),
		TEST(test_too_many_mails),
		TEST(test_declared_size_over_limit),
		TEST(test_declared_size_holds_no_memory),
		TEST(test_content_over_limit),
		TEST(test_no_memory),
		TEST(test_nul_and_bare_line_ends_in_data),
		TEST(test_address_faults),
		TEST(test_postmaster),
		TEST(test_http_is_hung_up_on),
		TEST(test_client_that_does_not_read),
		TEST(test_one_mail),
		TEST(test_three_mails_in_one_write),
		TEST(test_three_mails_bytewise),
		TEST(test_three_mails_answered_later),
		TEST(test_no_byte_is_read_while_an_answer_is_owed),
		TEST(test_refusals_of_the_owner),
		TEST(test_owner_takes_the_content),
		TEST(test_hooks_that_hang_up),
		TEST(test_kill_in_each_hook),
		TEST(test_kill_while_an_answer_is_owed),
		TEST(test_drain_of_an_idle_session),
		TEST(test_drain_while_a_mail_is_under_way),
		TEST(test_drain_ends_with_rset),
		TEST(test_drain_in_a_hook),
		TEST(test_half_closed_client_gets_its_answers),
		TEST(test_order_of_verbs),
		TEST(test_rset_and_ehlo_end_the_mail),
		TEST(test_origin),
		TEST(test_large_mail),
		TEST(test_idle_session_is_small),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
