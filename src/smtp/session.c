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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/stream.h"
#include "base/text.h"
#include "smtp/session_inside.h"
#include "smtp/session.h"

#define MOST_LEFT_OVER ((size_t)1024 * 1024)
#define MOST_UNSENT    ((size_t)256 * 1024)
#define LINGER_MS      2000

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
	[STATE_AUTH] = { "auth", PATIENCE_COMMAND },
	[STATE_AUTH_ASKED] = { "auth-asked", PATIENCE_OWNER },
	[STATE_MAIL] = { "mail", PATIENCE_COMMAND },
	[STATE_RECIPIENT_ASKED] = { "recipient-asked", PATIENCE_OWNER },
	[STATE_RCPT] = { "rcpt", PATIENCE_COMMAND },
	[STATE_DATA_ASKED] = { "data-asked", PATIENCE_OWNER },
	[STATE_DATA] = { "data", PATIENCE_DATA },
	[STATE_DECIDING] = { "deciding", PATIENCE_OWNER },
	[STATE_CLOSING] = { "closing", PATIENCE_CLOSING },
};

/* --- time and state ------------------------------------------------------------------------ */

void
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

void
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
void
session_restart_clock(struct smtp_session *s)
{
	s->until_ms = s->limits->session_timeout_ms == 0
			  ? 0
			  : clock_mono_ms() + s->limits->session_timeout_ms;
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
	free(s->user);
	session_auth_end(s);
	free(s);
}

static void
session_gone(struct smtp_session *s)
{
	if (s->dead)
		return;
	s->held++;
	session_mail_end(s);
	if (!s->dead) {
		s->dead = true;
		stream_free(&s->stream);
		loop_call_free(&s->goodbye);
		s->hooks->gone(s->ctx, s);
	}
	session_release(s);
}

/* The last reply is written already.  gone() follows when the caller's caller is the loop. */
void
session_close(struct smtp_session *s)
{
	session_enter(s, STATE_CLOSING);
	stream_finish(&s->stream, LINGER_MS);
}

void
session_close_with(struct smtp_session *s, const char *enhanced, const char *text)
{
	session_sayf(s, 421, enhanced, "%s %s", s->limits->hostname, text);
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

/* How long the line that data begins may be. */
static size_t
most_line(const struct smtp_session *s, const char *data, size_t len)
{
	static const char auth[] = "AUTH ";
	size_t most = s->limits->most_line_bytes;

	if (s->state != STATE_AUTH && !(session_offers_auth(s) && len >= strlen(auth) &&
					  text_same_n(data, auth, strlen(auth))))
		return most;
	return most > SESSION_MOST_AUTH_LINE ? most : SESSION_MOST_AUTH_LINE;
}

/* A line that is no line ends an exchange of AUTH: what follows is a command again. */
static void
refuse_line(struct smtp_session *s, const struct smtp_reply *reply)
{
	session_reply(s, reply);
	if (s->state != STATE_AUTH)
		return;
	session_auth_end(s);
	session_enter(s, STATE_READY);
}

static void
refuse_long_line(struct smtp_session *s, size_t most)
{
	char text[64];

	snprintf(text, sizeof(text), "line too long, the limit is %zu bytes", most);
	refuse_line(
	    s, &(struct smtp_reply){ 500, s->state == STATE_AUTH ? "5.5.6" : "5.5.2", text });
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
	const size_t most = most_line(s, data, len);
	size_t line_len, whole;
	enum line_end end = find_line(data, len, normalize, &line_len, &whole);

	/* Refused as soon as it is too long, and so the same however it comes in pieces. */
	if (!s->discarding && (end == LINE_NONE ? len : whole) > most) {
		s->discarding = true;
		s->commands++;
		refuse_long_line(s, most);
		if (end != LINE_NONE)
			return line_len;
	}
	if (end == LINE_NONE) {
		/* A CR at the end may belong to the CRLF. */
		size_t sure = data[len - 1] == '\r' ? len - 1 : len;

		return s->discarding ? sure : 0;
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
		refuse_line(s, &(struct smtp_reply){ 500, "5.5.2",
				   "a line ends with CR LF here, not with LF alone" });
	} else if (memchr(data, '\r', line_len) != NULL)
		refuse_line(
		    s, &(struct smtp_reply){ 500, "5.5.2", "a CR without LF within the line" });
	else if (s->state == STATE_AUTH)
		session_take_auth_line(s, data, line_len);
	else
		session_run_command(s, data, line_len);
	return whole;
}

static bool
takes_input(const struct smtp_session *s)
{
	return !s->dead && !s->deaf && s->state != STATE_CLOSING && !waits_for_owner(s);
}

/* All that has come is worked off here; the replies leave together when this returns. */
static size_t
session_bytes(void *ctx, const char *data, size_t len)
{
	struct smtp_session *s = ctx;
	size_t used = 0;

	s->held++;
	while (used < len && takes_input(s)) {
		size_t n = s->state == STATE_DATA ? session_take_data(s, data + used, len - used)
						  : take_line(s, data + used, len - used);
		if (n == 0)
			break;
		used += n;
		session_settle(s);
	}
	if (s->deaf) {
		if (used < len)
			log_info("dropped", log_str("client", s->client),
			    log_str("why", "sent along with STARTTLS"),
			    log_num("bytes", (int64_t)(len - used)));
		s->deaf = false;
		used = len;
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
	s->user = mem_string("");
	s->origin = (struct origin){ s->listener, s->client, s->helo, s->user };
	s->tls = params->tls;
	s->auth = params->auth;
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
	session_sayf(s, 220, NULL, "%s ESMTP pmrelay", s->limits->hostname);
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
	session_answered(s, s->state, reply);
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
	/* Whoever holds it settles it, too. */
	if (s->held > 0 || s->mail != NULL || waits_for_owner(s) || s->state == STATE_CLOSING)
		return;
	session_settle(s);
	session_close_later(s);
}

void
smtp_session_kill(struct smtp_session *s)
{
	session_gone(s);
}
