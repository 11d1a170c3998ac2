/*
 * The session and the mail that is under way in it are two structs with two lives: RSET, EHLO and
 * an answer to the content end the second only, and an idle connection does not have one.
 *
 * While a hook owes an answer nothing is read: what the client sends meanwhile waits in the stream
 * and in the client's own socket.
 *
 * A hook may end its session.  So whoever runs a hook looks at s->dead before anything else, and
 * the memory goes when the last function that holds the session has let go of it.
 */

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/stream.h"
#include "base/text.h"
#include "mail/address.h"
#include "mail/envelope.h"
#include "smtp/command.h"
#include "smtp/data.h"
#include "smtp/reply.h"
#include "smtp/session.h"

#define MOST_LEFT_OVER ((size_t)1024 * 1024)
#define MOST_UNSENT    ((size_t)256 * 1024)
#define LINGER_MS      2000
#define HELO_SIZE      256

enum session_state {
	STATE_CONNECTED,       /* the banner is out */
	STATE_READY,           /* HELO or EHLO was said */
	STATE_SENDER_ASKED,    /* the owner owes an answer about the sender */
	STATE_MAIL,            /* the sender stands */
	STATE_RECIPIENT_ASKED, /* the owner owes an answer about a recipient */
	STATE_RCPT,            /* at least one recipient stands */
	STATE_DATA,            /* content is coming */
	STATE_DECIDING,        /* the owner owes an answer about the content */
	STATE_CLOSING,         /* the last reply is on its way */
};

/* Who is waited for, and so which timeout runs. */
enum patience {
	PATIENCE_COMMAND,
	PATIENCE_DATA,
	PATIENCE_OWNER, /* our own side: none */
	PATIENCE_CLOSING,
};

static const struct state {
	const char *name;
	enum patience patience;
} states[] = {
	[STATE_CONNECTED] = { "connected", PATIENCE_COMMAND },
	[STATE_READY] = { "ready", PATIENCE_COMMAND },
	[STATE_SENDER_ASKED] = { "sender-asked", PATIENCE_OWNER },
	[STATE_MAIL] = { "mail", PATIENCE_COMMAND },
	[STATE_RECIPIENT_ASKED] = { "recipient-asked", PATIENCE_OWNER },
	[STATE_RCPT] = { "rcpt", PATIENCE_COMMAND },
	[STATE_DATA] = { "data", PATIENCE_DATA },
	[STATE_DECIDING] = { "deciding", PATIENCE_OWNER },
	[STATE_CLOSING] = { "closing", PATIENCE_CLOSING },
};

/* The mail that is under way, from MAIL on. */
struct transaction {
	struct envelope envelope;
	char *asked; /* the address that the owner is asked about, else NULL */
	bool recipient_refused;
	bool no_memory;
	int64_t data_until_ms; /* the end of message_timeout_ms; 0: none */
	struct smtp_data data;
	struct buf content;
	size_t counted_bytes; /* of content, as told to memory() */
};

struct smtp_session {
	struct stream *stream; /* NULL while closing */
	struct loop *loop;
	struct loop_call *goodbye; /* gone() from the loop */
	const struct smtp_limits *limits;
	const struct smtp_hooks *hooks;
	void *ctx;
	struct transaction *mail; /* NULL: none is under way */
	enum session_state state;
	unsigned held;   /* functions on the stack that look at the session once more */
	bool dead;       /* gone() was called */
	bool draining;   /* ends with the mail that is under way */
	bool esmtp;      /* EHLO was said, not HELO */
	bool discarding; /* the line was refused already, up to its CRLF */
	unsigned commands;
	unsigned errors;
	unsigned mails;
	int64_t until_ms; /* the end of session_timeout_ms; 0: none */
	char *listener;
	char *client;
	char *helo;
	struct origin origin; /* lends the three */
};

/* Refusals storm when somebody scans or floods: ten lines a second tell enough. */
static struct log_gate refused_gate;
#define REFUSED_SPAN_MS 100

/* --- time and state ------------------------------------------------------------------------ */

static void
session_deadline(struct smtp_session *s)
{
	int64_t span_ms = 0, until_ms = 0;

	switch (states[s->state].patience) {
	case PATIENCE_COMMAND:
		span_ms = s->limits->command_timeout_ms;
		until_ms = s->until_ms;
		break;
	case PATIENCE_DATA:
		span_ms = s->limits->data_timeout_ms;
		until_ms = s->mail->data_until_ms;
		break;
	case PATIENCE_OWNER:
		break;
	case PATIENCE_CLOSING:
		return;
	}
	if (until_ms != 0) {
		int64_t left_ms = until_ms - clock_mono_ms();

		if (left_ms < 1)
			left_ms = 1;
		if (span_ms == 0 || left_ms < span_ms)
			span_ms = left_ms;
	}
	stream_deadline(s->stream, span_ms);
}

static void
session_enter(struct smtp_session *s, enum session_state next)
{
	log_debug("state", log_str("client", s->client), log_str("from", states[s->state].name),
	    log_str("to", states[next].name));
	s->state = next;
	session_deadline(s);
}

static bool
waits_for_owner(const struct smtp_session *s)
{
	return states[s->state].patience == PATIENCE_OWNER;
}

/* session_timeout_ms starts anew. */
static void
session_restart_clock(struct smtp_session *s)
{
	s->until_ms = s->limits->session_timeout_ms == 0
			  ? 0
			  : clock_mono_ms() + s->limits->session_timeout_ms;
}

/* --- replies ------------------------------------------------------------------------------- */

static void
log_refused(const struct smtp_session *s, const struct smtp_reply *reply)
{
	const struct transaction *mail = s->mail;
	int64_t left_out;

	if (!log_gate_pass(&refused_gate, REFUSED_SPAN_MS, &left_out))
		return;
	log_info("refused", log_str("listener", s->listener), log_str("client", s->client),
	    log_str("helo", s->helo),
	    log_str("from", mail == NULL ? NULL : mail->envelope.reverse_path),
	    log_str("address", mail == NULL ? NULL : mail->asked), log_num("code", reply->code),
	    log_str("enhanced", reply->enhanced), log_str("why", reply->text),
	    log_num("left_out", left_out));
}

/* All replies leave here. */
static void
session_say_lines(struct smtp_session *s, const struct smtp_reply *lines, size_t count)
{
	struct buf out;

	buf_init(&out, count * SMTP_REPLY_MOST);
	for (size_t i = 0; i < count; i++)
		smtp_reply_print_line(&out, &lines[i], i + 1 == count);
	stream_write(s->stream, out.data, out.len);
	buf_free(&out);
	if (lines->code >= 500)
		s->errors++;
	if (lines->code >= 400)
		log_refused(s, lines);
}

static void
session_say(struct smtp_session *s, const struct smtp_reply *reply)
{
	session_say_lines(s, reply, 1);
}

static void
say(struct smtp_session *s, int code, const char *enhanced, const char *text)
{
	session_say(s, &(struct smtp_reply){ code, enhanced, text });
}

__attribute__((format(printf, 4, 5))) static void
sayf(struct smtp_session *s, int code, const char *enhanced, const char *format, ...)
{
	char text[SMTP_REPLY_MOST];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	say(s, code, enhanced, text);
}

/* --- the content's memory ------------------------------------------------------------------ */

static void
content_drop(struct smtp_session *s, struct transaction *mail)
{
	size_t counted_bytes = mail->counted_bytes;

	buf_free(&mail->content);
	mail->counted_bytes = 0;
	if (counted_bytes > 0)
		s->hooks->memory(s->ctx, -(int64_t)counted_bytes);
}

/* Tells the owner what the content has grown by. */
static void
content_count(struct smtp_session *s, struct transaction *mail)
{
	size_t grown = mail->content.room - mail->counted_bytes;
	bool granted;

	if (grown == 0)
		return;
	mail->counted_bytes += grown;
	granted = s->hooks->memory(s->ctx, (int64_t)grown);
	if (s->dead || granted)
		return;
	mail->counted_bytes -= grown;
	mail->no_memory = true;
	content_drop(s, mail);
}

/*
 * A declared size saves growing step by step.  It is believed as far as four times of what has
 * really come, so that a declaration alone holds no memory.
 */
static void
content_expect(struct transaction *mail, size_t len)
{
	struct buf *content = &mail->content;
	uint64_t believed = ((uint64_t)content->len + len) * 4;

	if (believed > mail->envelope.declared_bytes)
		believed = mail->envelope.declared_bytes;
	if (believed > content->most)
		believed = content->most;
	if (believed > content->len && believed >= content->room)
		if (buf_reserve(content, (size_t)believed - content->len) == NULL)
			content->over = false; /* not so: it fits by the line above */
}

/* --- the mail under way -------------------------------------------------------------------- */

static void
transaction_begin(struct smtp_session *s, const struct smtp_command *command)
{
	struct transaction *mail = mem_new(sizeof(*mail));

	envelope_init(&mail->envelope);
	mail->envelope.body_8bit = command->body_8bit;
	mail->envelope.smtputf8 = command->smtputf8;
	mail->envelope.declared_bytes = command->size_bytes;
	mail->asked = mem_string(command->address);
	s->mail = mail;
}

static void
transaction_end(struct smtp_session *s)
{
	struct transaction *mail = s->mail;

	if (mail == NULL)
		return;
	s->mail = NULL;
	content_drop(s, mail);
	envelope_free(&mail->envelope);
	free(mail->asked);
	free(mail);
}

/* The address that was asked about; the caller owns it. */
static char *
take_asked(struct transaction *mail)
{
	char *asked = mail->asked;

	mail->asked = NULL;
	return asked;
}

/* --- the end of a session ------------------------------------------------------------------ */

static void
session_release(struct smtp_session *s)
{
	s->held--;
	if (s->held > 0 || !s->dead)
		return;
	free(s->listener);
	free(s->client);
	free(s->helo);
	free(s);
}

static void
session_gone(struct smtp_session *s)
{
	if (s->dead)
		return;
	s->held++;
	transaction_end(s);
	if (!s->dead) {
		s->dead = true;
		stream_free(&s->stream);
		loop_call_free(&s->goodbye);
		s->hooks->gone(s->ctx, s);
	}
	session_release(s);
}

/* The last reply is written already.  gone() follows when the caller's caller is the loop. */
static void
session_close(struct smtp_session *s)
{
	session_enter(s, STATE_CLOSING);
	stream_finish(&s->stream, LINGER_MS);
}

static void
session_close_with(struct smtp_session *s, const char *enhanced, const char *text)
{
	sayf(s, 421, enhanced, "%s %s", s->limits->hostname, text);
	session_close(s);
}

static void
session_goodbye(void *ctx)
{
	struct smtp_session *s = ctx;

	session_gone(s);
}

static void
session_close_later(struct smtp_session *s)
{
	s->goodbye = loop_call_new(s->loop, session_goodbye, s);
	loop_call_ask(s->goodbye);
}

/* --- verbs --------------------------------------------------------------------------------- */

static void
say_fault(struct smtp_session *s, const struct smtp_command *command)
{
	bool sender = command->verb == SMTP_MAIL;
	const char *which = sender ? "sender" : "recipient";
	const char *why = address_fault_text(command->address_fault);

	switch (command->fault) {
	case SMTP_FAULT_NONE:
		break;
	case SMTP_FAULT_SYNTAX:
		if (sender)
			say(s, 501, "5.5.4", "syntax: MAIL FROM:<address> [parameters]");
		else if (command->verb == SMTP_RCPT)
			say(s, 501, "5.5.4", "syntax: RCPT TO:<address>");
		else
			sayf(s, 501, "5.5.4",
			    "%s: the argument is missing, unwanted or unprintable",
			    smtp_verb_name(command->verb));
		break;
	case SMTP_FAULT_PARAMETER:
		say(s, 555, "5.5.4",
		    s->esmtp ? "a parameter that is not known here" : "parameters need EHLO");
		break;
	case SMTP_FAULT_PARAMETER_VALUE:
		say(s, 501, "5.5.4", "a parameter is repeated or its value is not valid");
		break;
	case SMTP_FAULT_NEEDS_SMTPUTF8:
		sayf(s, 553, "5.6.7", "%s: an address outside ASCII needs SMTPUTF8 at MAIL", which);
		break;
	case SMTP_FAULT_ADDRESS:
		switch (command->address_fault) {
		case ADDRESS_OK:
			break;
		case ADDRESS_SYNTAX:
		case ADDRESS_LENGTH:
			sayf(s, 501, sender ? "5.1.7" : "5.1.3", "%s: %s", which, why);
			break;
		case ADDRESS_LOCAL_QUOTED:
			sayf(s, 553, sender ? "5.1.7" : "5.1.3", "%s: %s", which, why);
			break;
		case ADDRESS_LOCAL_UTF8:
			sayf(s, 553, "5.6.7", "%s: %s", which, why);
			break;
		case ADDRESS_DOMAIN:
			sayf(s, 553, sender ? "5.1.8" : "5.1.2", "%s: %s", which, why);
			break;
		}
		break;
	}
}

static void
greet(struct smtp_session *s, const struct smtp_command *command, bool esmtp)
{
	char helo[HELO_SIZE];

	transaction_end(s);
	if (s->dead)
		return;
	free(s->helo);
	s->helo = mem_string(text_safe(helo, sizeof(helo), command->rest, command->rest_len));
	s->origin.helo = s->helo;
	s->esmtp = esmtp;
	session_enter(s, STATE_READY);
}

static void
do_helo(struct smtp_session *s, const struct smtp_command *command)
{
	greet(s, command, false);
	if (!s->dead)
		say(s, 250, NULL, s->limits->hostname);
}

static void
do_ehlo(struct smtp_session *s, const struct smtp_command *command)
{
	char size[32], hello[HELO_SIZE];
	const struct smtp_reply lines[] = {
		{ 250, NULL, hello },
		{ 250, NULL, "PIPELINING" },
		{ 250, NULL, size },
		{ 250, NULL, "8BITMIME" },
		{ 250, NULL, "SMTPUTF8" },
		{ 250, NULL, "ENHANCEDSTATUSCODES" },
		{ 250, NULL, "HELP" },
	};

	greet(s, command, true);
	if (s->dead)
		return;
	snprintf(hello, sizeof(hello), "%s greets %s", s->limits->hostname, s->client);
	snprintf(size, sizeof(size), "SIZE %" PRIu64, s->limits->most_message_bytes);
	session_say_lines(s, lines, sizeof(lines) / sizeof(lines[0]));
}

static bool
accepts(const struct smtp_reply *reply)
{
	return reply->code >= 200 && reply->code < 300;
}

/* A hook's 421 hangs up as ours do (RFC 5321 3.8). */
static void
say_answer(struct smtp_session *s, const struct smtp_reply *reply)
{
	session_say(s, reply);
	if (reply->code == 421)
		session_close(s);
}

static void
sender_answered(struct smtp_session *s, const struct smtp_reply *reply)
{
	struct envelope *envelope = &s->mail->envelope;

	say_answer(s, reply);
	if (accepts(reply)) {
		free(envelope->reverse_path);
		envelope->reverse_path = take_asked(s->mail);
		session_enter(s, STATE_MAIL);
		return;
	}
	transaction_end(s);
	if (!s->dead && s->state != STATE_CLOSING)
		session_enter(s, STATE_READY);
}

static void
recipient_answered(struct smtp_session *s, const struct smtp_reply *reply)
{
	struct transaction *mail = s->mail;
	char *address;

	say_answer(s, reply);
	address = take_asked(mail);
	if (accepts(reply)) {
		strlist_take(&mail->envelope.recipients, address);
		if (s->commands > 0)
			s->commands--;
	} else {
		mail->recipient_refused = true;
		free(address);
	}
	if (s->state != STATE_CLOSING)
		session_enter(s, mail->envelope.recipients.count > 0 ? STATE_RCPT : STATE_MAIL);
}

static void
message_answered(struct smtp_session *s, const struct smtp_reply *reply)
{
	say_answer(s, reply);
	transaction_end(s);
	if (s->dead || s->state == STATE_CLOSING)
		return;
	if (accepts(reply)) {
		s->mails++;
		s->commands = 0;
		session_restart_clock(s);
	}
	session_enter(s, STATE_READY);
}

static void
answered(struct smtp_session *s, enum session_state asked, const struct smtp_reply *reply)
{
	switch (asked) {
	case STATE_SENDER_ASKED:
		sender_answered(s, reply);
		break;
	case STATE_RECIPIENT_ASKED:
		recipient_answered(s, reply);
		break;
	case STATE_DECIDING:
		message_answered(s, reply);
		break;
	case STATE_CONNECTED:
	case STATE_READY:
	case STATE_MAIL:
	case STATE_RCPT:
	case STATE_DATA:
	case STATE_CLOSING:
		break; /* nothing was asked: smtp_session_answer() does not let it come here */
	}
}

/* What a hook said: *answer is its own reply, yes the usual one. */
static void
take_answer(struct smtp_session *s, enum session_state asked, enum smtp_now now,
    const struct smtp_reply *answer, const struct smtp_reply *yes)
{
	if (s->dead)
		return;
	switch (now) {
	case SMTP_YES:
		answered(s, asked, yes);
		break;
	case SMTP_ANSWER:
		answered(s, asked, answer);
		break;
	case SMTP_LATER:
		session_enter(s, asked);
		break;
	}
}

static void
do_mail(struct smtp_session *s, const struct smtp_command *command)
{
	const struct smtp_limits *limits = s->limits;
	struct smtp_reply reply = { 250, "2.1.0", "sender ok" };
	const struct smtp_reply yes = reply;
	enum smtp_now now;

	if (limits->most_mails > 0 && s->mails >= limits->most_mails) {
		session_close_with(
		    s, "4.7.0", "enough mails on one connection, please connect again");
		return;
	}
	if (command->has_size && command->size_bytes > limits->most_message_bytes) {
		sayf(s, 552, "5.3.4",
		    "declared size of %" PRIu64 " bytes is over the limit of %" PRIu64 " bytes",
		    command->size_bytes, limits->most_message_bytes);
		return;
	}
	transaction_begin(s, command);
	now = s->hooks->sender(s->ctx, s, &s->mail->envelope, s->mail->asked, &reply);
	take_answer(s, STATE_SENDER_ASKED, now, &reply, &yes);
}

/* <postmaster> without a domain becomes our own.  0, or -1 when we have none that Postmark takes.
 */
static int
complete_postmaster(const struct smtp_session *s, char address[ADDRESS_SIZE])
{
	char full[ADDRESS_SIZE];
	int len;

	if (strchr(address, '@') != NULL)
		return 0;
	if (strchr(s->limits->hostname, '.') == NULL)
		return -1;
	len = snprintf(full, sizeof(full), "%s@%s", address, s->limits->hostname);
	if (len < 0 || (size_t)len >= sizeof(full))
		return -1;
	return address_canonical(full, (size_t)len, address) == ADDRESS_OK ? 0 : -1;
}

static void
do_rcpt(struct smtp_session *s, const struct smtp_command *command)
{
	struct transaction *mail = s->mail;
	struct smtp_reply reply = { 250, "2.1.5", "recipient ok" };
	const struct smtp_reply yes = reply;
	char address[ADDRESS_SIZE];
	enum smtp_now now;

	memcpy(address, command->address, sizeof(address));
	if (mail->envelope.recipients.count >= s->limits->most_recipients) {
		mail->recipient_refused = true;
		sayf(s, 452, "4.5.3", "too many recipients, the limit is %u a mail",
		    s->limits->most_recipients);
		return;
	}
	if (complete_postmaster(s, address) != 0) {
		mail->recipient_refused = true;
		sayf(s, 550, "5.1.3",
		    "postmaster needs a domain here: mail goes on by Postmark, and %s is none",
		    s->limits->hostname);
		return;
	}
	mail->asked = mem_string(address);
	now = s->hooks->recipient(s->ctx, s, &mail->envelope, mail->asked, &reply);
	take_answer(s, STATE_RECIPIENT_ASKED, now, &reply, &yes);
}

static void
do_data(struct smtp_session *s, const struct smtp_command *command)
{
	const struct smtp_limits *limits = s->limits;
	struct transaction *mail = s->mail;

	(void)command;
	if (mail->envelope.recipients.count == 0) {
		if (mail->recipient_refused)
			say(s, 554, "5.5.1", "no valid recipients");
		else
			say(s, 503, "5.5.1", "RCPT TO comes first");
		return;
	}
	smtp_data_init(&mail->data, limits->normalize_line_ends, limits->most_message_bytes);
	buf_init(&mail->content, limits->most_message_bytes < SIZE_MAX / 2
				     ? (size_t)limits->most_message_bytes
				     : SIZE_MAX / 2);
	if (limits->message_timeout_ms != 0)
		mail->data_until_ms = clock_mono_ms() + limits->message_timeout_ms;
	say(s, 354, NULL, "go ahead, end with a dot on a line of its own");
	session_enter(s, STATE_DATA);
}

static void
do_rset(struct smtp_session *s, const struct smtp_command *command)
{
	(void)command;
	transaction_end(s);
	if (s->dead)
		return;
	say(s, 250, "2.0.0", "reset");
	if (s->state != STATE_CONNECTED)
		session_enter(s, STATE_READY);
}

static void
do_noop(struct smtp_session *s, const struct smtp_command *command)
{
	(void)command;
	say(s, 250, "2.0.0", "ok");
}

static void
do_vrfy(struct smtp_session *s, const struct smtp_command *command)
{
	(void)command;
	say(s, 252, "2.1.5", "addresses are not verified here, but send and see");
}

static void
do_expn(struct smtp_session *s, const struct smtp_command *command)
{
	(void)command;
	say(s, 502, "5.5.1", "there are no lists to expand here");
}

static void
do_help(struct smtp_session *s, const struct smtp_command *command)
{
	static const struct smtp_reply lines[] = {
		{ 214, "2.0.0", "pmrelay hands mail on to Postmark.  Commands:" },
		{ 214, "2.0.0", "HELO EHLO MAIL RCPT DATA RSET NOOP VRFY EXPN HELP QUIT" },
	};

	(void)command;
	session_say_lines(s, lines, sizeof(lines) / sizeof(lines[0]));
}

static void
do_quit(struct smtp_session *s, const struct smtp_command *command)
{
	(void)command;
	say(s, 221, "2.0.0", s->limits->hostname);
	session_close(s);
}

static void
do_unknown(struct smtp_session *s, const struct smtp_command *command)
{
	/* A web page can make a browser send its form here: nothing in it is to become a mail. */
	if (memmem(command->rest, command->rest_len, "HTTP/1.", 7) != NULL)
		session_close_with(s, "4.7.0", "this is SMTP, not HTTP");
	else
		say(s, 500, "5.5.1", "command not recognised, HELP lists those that are");
}

/* What must be true before a verb is run, whatever the state.  STARTTLS and AUTH add theirs. */
enum need {
	NEED_HELO = 1 << 0,
	NEED_MAIL = 1 << 1,
};

static const struct {
	unsigned need;
	struct smtp_reply reply;
} needs[] = {
	{ NEED_HELO, { 503, "5.5.1", "EHLO or HELO comes first" } },
	{ NEED_MAIL, { 503, "5.5.1", "MAIL FROM comes first" } },
};

#define IN(state) (1U << STATE_##state)
#define IN_ANY    (IN(CONNECTED) | IN(READY) | IN(MAIL) | IN(RCPT))

static const struct verb {
	unsigned legal; /* set of states */
	unsigned needs; /* set of enum need, checked before run() */
	void (*run)(struct smtp_session *, const struct smtp_command *);
} verbs[SMTP_VERBS] = {
	[SMTP_HELO] = { IN_ANY, 0, do_helo },
	[SMTP_EHLO] = { IN_ANY, 0, do_ehlo },
	[SMTP_MAIL] = { IN(READY), NEED_HELO, do_mail },
	[SMTP_RCPT] = { IN(MAIL) | IN(RCPT), NEED_HELO | NEED_MAIL, do_rcpt },
	[SMTP_DATA] = { IN(MAIL) | IN(RCPT), NEED_HELO | NEED_MAIL, do_data },
	[SMTP_RSET] = { IN_ANY, 0, do_rset },
	[SMTP_NOOP] = { IN_ANY, 0, do_noop },
	[SMTP_VRFY] = { IN_ANY, 0, do_vrfy },
	[SMTP_EXPN] = { IN_ANY, 0, do_expn },
	[SMTP_HELP] = { IN_ANY, 0, do_help },
	[SMTP_QUIT] = { IN_ANY, 0, do_quit },
	[SMTP_UNKNOWN] = { IN_ANY, 0, do_unknown },
};

static unsigned
session_has(const struct smtp_session *s)
{
	unsigned has = 0;

	if (s->state != STATE_CONNECTED)
		has |= NEED_HELO;
	if (s->mail != NULL)
		has |= NEED_MAIL;
	return has;
}

static void
run_command(struct smtp_session *s, const char *line, size_t len)
{
	struct smtp_command command;
	const struct verb *verb;
	unsigned missing;

	smtp_command_parse(
	    &command, line, len, s->esmtp, s->mail != NULL && s->mail->envelope.smtputf8);
	verb = &verbs[command.verb];
	missing = verb->needs & ~session_has(s);
	for (size_t i = 0; i < sizeof(needs) / sizeof(needs[0]); i++)
		if ((missing & needs[i].need) != 0) {
			session_say(s, &needs[i].reply);
			return;
		}
	if ((verb->legal & (1U << s->state)) == 0)
		say(s, 503, "5.5.1", "a mail is under way, RSET would end it");
	else if (command.fault != SMTP_FAULT_NONE) {
		if (command.verb == SMTP_RCPT)
			s->mail->recipient_refused = true;
		say_fault(s, &command);
	} else
		verb->run(s, &command);
}

/* --- input --------------------------------------------------------------------------------- */

/* What a command or an answer may have brought about: the end. */
static void
session_settle(struct smtp_session *s)
{
	const struct smtp_limits *limits = s->limits;

	if (s->dead || s->state == STATE_CLOSING)
		return;
	if (limits->most_errors > 0 && s->errors >= limits->most_errors)
		session_close_with(s, "4.7.0", "too many errors");
	else if (s->draining && s->mail == NULL)
		session_close_with(s, "4.3.2", "is shutting down, please try again soon");
}

enum line_end {
	LINE_NONE, /* the end has not come yet */
	LINE_CRLF,
	LINE_BARE,
};

/*
 * The first line of data, without its end in *len_r and with it in *whole_r.  Normalised, a CR
 * ends a line too; whether one at the very end of data is the CR of a CRLF shows later.
 */
static enum line_end
find_line(const char *data, size_t len, bool normalize, size_t *len_r, size_t *whole_r)
{
	const char *lf = memchr(data, '\n', len);
	size_t before = lf != NULL ? (size_t)(lf - data) : len;

	if (normalize) {
		const char *cr = memchr(data, '\r', before);

		if (cr != NULL && cr + 1 != lf) {
			if (cr + 1 == data + len)
				return LINE_NONE;
			*len_r = (size_t)(cr - data);
			*whole_r = *len_r + 1;
			return LINE_BARE;
		}
	}
	if (lf == NULL)
		return LINE_NONE;
	*whole_r = before + 1;
	*len_r = before > 0 && lf[-1] == '\r' ? before - 1 : before;
	return *len_r < before ? LINE_CRLF : LINE_BARE;
}

/*
 * Takes one command line.  One that is refused for its form is refused up to its CRLF: what
 * follows a bare LF in it is never run as a command, that would be smuggling again.
 */
static size_t
take_line(struct smtp_session *s, const char *data, size_t len)
{
	const struct smtp_limits *limits = s->limits;
	const bool normalize = limits->normalize_line_ends;
	size_t line_len, whole;
	enum line_end end = find_line(data, len, normalize, &line_len, &whole);

	if (end == LINE_NONE) {
		/* A CR at the end may belong to the CRLF. */
		size_t sure = data[len - 1] == '\r' ? len - 1 : len;

		if (!s->discarding && len <= limits->most_line_bytes)
			return 0;
		if (!s->discarding) {
			s->discarding = true;
			s->commands++;
			sayf(s, 500, "5.5.2", "line too long, the limit is %zu bytes",
			    limits->most_line_bytes);
		}
		return sure;
	}
	if (end == LINE_BARE && normalize)
		end = LINE_CRLF;
	if (s->discarding && end == LINE_CRLF) {
		s->discarding = false;
		return whole;
	}
	/* "\r\r\n" is one end of line from a device, and no empty command. */
	if (line_len == 0 && normalize)
		return whole;

	s->commands++;
	if (limits->most_commands > 0 && s->commands > limits->most_commands) {
		session_close_with(s, "4.7.0", "too many commands");
		return whole;
	}
	session_deadline(s);
	if (end == LINE_BARE) {
		s->discarding = true;
		say(s, 500, "5.5.2", "a line ends with CR LF here, not with LF alone");
	} else if (whole > limits->most_line_bytes)
		sayf(s, 500, "5.5.2", "line too long, the limit is %zu bytes",
		    limits->most_line_bytes);
	else if (memchr(data, '\r', line_len) != NULL)
		say(s, 500, "5.5.2", "a CR without LF within the line");
	else
		run_command(s, data, line_len);
	return whole;
}

/* The end of the content has come: refused for its form, or given to the owner. */
static void
decide(struct smtp_session *s)
{
	struct transaction *mail = s->mail;
	const struct smtp_data *data = &mail->data;
	struct smtp_reply reply = { 250, "2.6.0", "mail accepted" };
	const struct smtp_reply yes = reply;
	enum smtp_now now = SMTP_ANSWER;
	char text[160];

	if (data->over) {
		snprintf(text, sizeof(text),
		    "mail of %" PRIu64 " bytes is over the limit of %" PRIu64 " bytes",
		    data->total_bytes, data->most_bytes);
		reply = (struct smtp_reply){ 552, "5.3.4", text };
	} else if (data->nul)
		reply = (struct smtp_reply){ 550, "5.6.0", "the mail contains a NUL byte" };
	else if (!smtp_data_clean(data))
		reply = (struct smtp_reply){ 550, "5.6.11",
			"the mail contains a CR or LF alone: lines end with CR LF in SMTP" };
	else if (mail->no_memory)
		reply =
		    (struct smtp_reply){ 452, "4.3.1", "no memory for the mail, try again later" };
	else
		now = s->hooks->message(s->ctx, s, &mail->envelope, &mail->content, &reply);
	take_answer(s, STATE_DECIDING, now, &reply, &yes);
}

static size_t
take_data(struct smtp_session *s, const char *bytes, size_t len)
{
	struct transaction *mail = s->mail;
	bool keep = !mail->no_memory && smtp_data_clean(&mail->data);
	enum smtp_data_end end;
	size_t used;

	if (keep)
		content_expect(mail, len);
	end = smtp_data_feed(&mail->data, bytes, len, keep ? &mail->content : NULL, &used);
	if (keep && smtp_data_clean(&mail->data))
		content_count(s, mail);
	else
		content_drop(s, mail);
	if (s->dead)
		return used;
	if (end == SMTP_DATA_DONE)
		decide(s);
	else
		session_deadline(s);
	return used;
}

static bool
takes_input(const struct smtp_session *s)
{
	return !s->dead && s->state != STATE_CLOSING && !waits_for_owner(s);
}

/* All that has come is worked off here; the replies leave together when this returns. */
static size_t
session_bytes(void *ctx, const char *data, size_t len)
{
	struct smtp_session *s = ctx;
	size_t used = 0;

	s->held++;
	while (used < len && takes_input(s)) {
		size_t n = s->state == STATE_DATA ? take_data(s, data + used, len - used)
						  : take_line(s, data + used, len - used);
		if (n == 0)
			break;
		used += n;
		session_settle(s);
	}
	if (!s->dead && s->state == STATE_CLOSING)
		session_gone(s);
	else if (!s->dead && waits_for_owner(s))
		stream_pause(s->stream);
	session_release(s);
	return used;
}

/* Also one that storms when clients are cut off by the hundred. */
static void
log_ended(const struct smtp_session *s, const char *event, const char *why)
{
	static struct log_gate gate;
	int64_t left_out;

	if (log_gate_pass(&gate, REFUSED_SPAN_MS, &left_out))
		log_info(event, log_str("listener", s->listener), log_str("client", s->client),
		    log_str("helo", s->helo), log_str("state", states[s->state].name),
		    log_str("why", why), log_num("left_out", left_out));
}

static void
session_end(void *ctx, enum stream_end why)
{
	struct smtp_session *s = ctx;
	int failure = errno;

	s->held++;
	switch (why) {
	case STREAM_EOF:
		if (s->mail != NULL)
			log_ended(s, "cut", "closed by the client in the middle of a mail");
		/* Whoever closes one side after the last command still gets the answers to it. */
		stream_finish(&s->stream, LINGER_MS);
		break;
	case STREAM_TIMEOUT:
		log_ended(s, "timeout", NULL);
		session_close_with(s, "4.4.2", "waited too long, closing the connection");
		break;
	case STREAM_ERROR:
		log_ended(s, "cut", strerror(failure));
		break;
	}
	session_gone(s);
	session_release(s);
}

static const struct stream_hooks stream_hooks = {
	.bytes = session_bytes,
	.end = session_end,
};

/* --- the owner's side ---------------------------------------------------------------------- */

struct smtp_session *
smtp_session_new(const struct smtp_session_params *params)
{
	struct smtp_session *s = mem_new(sizeof(*s));

	s->loop = params->loop;
	s->limits = params->limits;
	s->hooks = params->hooks;
	s->ctx = params->ctx;
	s->listener = mem_string(params->listener);
	s->client = mem_string(params->client);
	s->helo = mem_string("");
	s->origin = (struct origin){ s->listener, s->client, s->helo, "" };
	s->stream = stream_new(&(struct stream_params){
	    .loop = params->loop,
	    .fd = params->fd,
	    .hooks = &stream_hooks,
	    .ctx = s,
	    .most_left_over = MOST_LEFT_OVER,
	    .most_unsent = MOST_UNSENT,
	});
	log_debug("connect", log_str("listener", s->listener), log_str("client", s->client));
	session_restart_clock(s);
	sayf(s, 220, NULL, "%s ESMTP pmrelay", s->limits->hostname);
	session_enter(s, STATE_CONNECTED);
	return s;
}

void
smtp_session_reload(struct smtp_session *s, const struct smtp_limits *limits)
{
	s->limits = limits;
}

const struct origin *
smtp_session_origin(const struct smtp_session *s)
{
	return &s->origin;
}

void
smtp_session_answer(struct smtp_session *s, const struct smtp_reply *reply)
{
	assert(!s->dead && waits_for_owner(s));
	s->held++;
	answered(s, s->state, reply);
	session_settle(s);
	if (!s->dead) {
		if (s->state == STATE_CLOSING)
			session_close_later(s);
		else
			stream_resume(s->stream);
	}
	session_release(s);
}

void
smtp_session_drain(struct smtp_session *s)
{
	if (s->dead || s->draining)
		return;
	s->draining = true;
	if (s->mail != NULL || s->state == STATE_CLOSING)
		return;
	session_settle(s);
	session_close_later(s);
}

void
smtp_session_kill(struct smtp_session *s)
{
	session_gone(s);
}
