/*
 * Who the client is, and that nobody listens: STARTTLS (RFC 3207) and AUTH (RFC 4954) with PLAIN
 * (RFC 4616) and LOGIN, which was never a standard and is what many devices speak.
 */

#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/stream.h"
#include "base/text.h"
#include "base/tls.h"
#include "smtp/command.h"
#include "smtp/session_inside.h"
#include "smtp/session.h"

#define MOST_NAME 255 /* RFC 4616 2: of a name and of a password */

bool
session_offers_tls(const struct smtp_session *s)
{
	return s->tls != NULL && !s->secure &&
	       (s->hooks->hides_tls == NULL || !s->hooks->hides_tls(s->ctx, s));
}

bool
session_offers_auth(const struct smtp_session *s)
{
	return s->auth != NULL && (s->secure || s->auth->without_tls);
}

static void
user_set(struct smtp_session *s, const char *user)
{
	free(s->user);
	s->user = mem_string(user);
	s->origin.user = s->user;
}

/* ---- STARTTLS ---- */

/*
 * What the client said in the clear, anyone on the way may have said: it is forgotten
 * (RFC 3207 4.2), and what came along with the command is never looked at (CVE-2011-0411).
 */
void
session_do_starttls(struct smtp_session *s, const struct smtp_command *command)
{
	(void)command;
	session_say(s, 220, "2.0.0", "go ahead with TLS");
	if (tls_accept(s->stream, s->tls) != 0) {
		/* The client does not read what it is told: nothing can be said in its place. */
		session_close(s);
		return;
	}
	s->secure = true;
	s->deaf = true;
	s->esmtp = false;
	free(s->helo);
	s->helo = mem_string("");
	s->origin.helo = s->helo;
	user_set(s, "");
	session_enter(s, STATE_CONNECTED);
}

/* ---- AUTH ---- */

/* Decoded and without a NUL at its end in len_r; wiped and freed by text_wipe().  NULL: neither
 * base64 nor "=", which stands for nothing (RFC 4954 4). */
static char *
decode(const char *text, size_t len, size_t *len_r)
{
	*len_r = 0;
	if (len == 1 && text[0] == '=')
		return mem_string("");
	return base64_decode(text, len, len_r);
}

static void
text_wipe(char *text, size_t len)
{
	if (text != NULL)
		secret_wipe(text, len);
	free(text);
}

void
session_auth_end(struct smtp_session *s)
{
	free(s->exchange.user);
	s->exchange = (struct auth_exchange){ .user = NULL };
}

static void
auth_refuse(struct smtp_session *s, const char *enhanced, const char *text)
{
	session_say(s, 501, enhanced, text);
	session_auth_end(s);
	session_enter(s, STATE_READY);
}

static void
auth_challenge(struct smtp_session *s, enum auth_step step, const char *text)
{
	s->exchange.step = step;
	session_say(s, 334, NULL, text);
	session_enter(s, STATE_AUTH);
}

void
session_auth_answered(struct smtp_session *s, const struct smtp_reply *reply)
{
	session_say_answer(s, reply);
	if (session_accepts(reply)) {
		user_set(s, s->exchange.user);
		s->commands = 0;
	} else
		s->auth_failures++;
	session_auth_end(s);
	if (s->state == STATE_CLOSING)
		return;
	if (s->auth->most_tries > 0 && s->auth_failures >= s->auth->most_tries)
		session_close_with(s, "4.7.0", "too many failed tries of AUTH");
	else
		session_enter(s, STATE_READY);
}

/* What may be a name in logs and rules: text, and not nothing. */
static bool
is_name(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return false;
	}
	return len > 0 && len <= MOST_NAME && text_is_utf8(text, len);
}

static bool
is_password(const char *text, size_t len)
{
	return len > 0 && len <= MOST_NAME && memchr(text, '\0', len) == NULL;
}

/* s->exchange.user is the name. */
static void
auth_ask(struct smtp_session *s, const char *mechanism, const char *password)
{
	struct smtp_reply reply = { 235, "2.7.0", "authentication successful" };
	const struct smtp_reply yes = reply;
	enum smtp_now now =
	    s->hooks->authenticate(s->ctx, s, mechanism, s->exchange.user, password, &reply);

	session_take_answer(s, STATE_AUTH_ASKED, now, &reply, &yes);
}

/* [who to be] NUL who NUL password */
static void
take_plain(struct smtp_session *s, const char *message, size_t len)
{
	const char *who = memchr(message, '\0', len), *password;
	size_t be_len, who_len, password_len;

	if (who == NULL)
		goto refuse;
	be_len = (size_t)(who - message);
	who++;
	password = memchr(who, '\0', len - be_len - 1);
	if (password == NULL)
		goto refuse;
	who_len = (size_t)(password - who);
	password++;
	password_len = len - be_len - who_len - 2;
	if (!is_name(who, who_len) || !is_password(password, password_len))
		goto refuse;
	/* Nobody acts for somebody else here. */
	if (be_len > 0 && (be_len != who_len || memcmp(message, who, who_len) != 0)) {
		session_auth_answered(
		    s, &(struct smtp_reply){ 535, "5.7.8", "nobody may act for another here" });
		return;
	}
	s->exchange.user = mem_bytes(who, who_len);
	auth_ask(s, "PLAIN", password);
	return;

refuse:
	auth_refuse(s, "5.5.2", "PLAIN wants an identity, a name and a password with NULs between");
}

static void
take_login_user(struct smtp_session *s, const char *user, size_t len)
{
	if (!is_name(user, len)) {
		auth_refuse(s, "5.5.2", "this is no user name");
		return;
	}
	s->exchange.user = mem_bytes(user, len);
	auth_challenge(s, AUTH_LOGIN_PASSWORD, "UGFzc3dvcmQ6"); /* "Password:" */
}

static void
take_login_password(struct smtp_session *s, const char *password, size_t len)
{
	if (is_password(password, len))
		auth_ask(s, "LOGIN", password);
	else
		auth_refuse(s, "5.5.2", "this is no password");
}

/* A response as it came, the first one included. */
static void
take_response(struct smtp_session *s, const char *text, size_t text_len)
{
	size_t len;
	char *message;

	if (text_len == 1 && text[0] == '*') {
		auth_refuse(s, "5.7.0", "cancelled as you wish");
		return;
	}
	message = decode(text, text_len, &len);
	if (message == NULL) {
		auth_refuse(s, "5.5.2", "this is not base64");
		return;
	}
	switch (s->exchange.step) {
	case AUTH_PLAIN:
		take_plain(s, message, len);
		break;
	case AUTH_LOGIN_USER:
		take_login_user(s, message, len);
		break;
	case AUTH_LOGIN_PASSWORD:
		take_login_password(s, message, len);
		break;
	}
	text_wipe(message, len);
}

void
session_take_auth_line(struct smtp_session *s, const char *line, size_t len)
{
	take_response(s, line, len);
}

void
session_do_auth(struct smtp_session *s, const struct smtp_command *command)
{
	const char *mechanism = command->rest, *space = memchr(mechanism, ' ', command->rest_len);
	size_t len = space != NULL ? (size_t)(space - mechanism) : command->rest_len;
	const char *response = mechanism + len;
	size_t response_len = command->rest_len - len;

	while (response_len > 0 && *response == ' ')
		response++, response_len--;
	if (len == 5 && text_same_n(mechanism, "PLAIN", 5)) {
		s->exchange.step = AUTH_PLAIN;
		if (response_len == 0) {
			auth_challenge(s, AUTH_PLAIN, "");
			return;
		}
	} else if (len == 5 && text_same_n(mechanism, "LOGIN", 5)) {
		s->exchange.step = AUTH_LOGIN_USER;
		if (response_len == 0) {
			auth_challenge(s, AUTH_LOGIN_USER, "VXNlcm5hbWU6"); /* "Username:" */
			return;
		}
	} else {
		session_say(s, 504, "5.5.4", "there are PLAIN and LOGIN");
		return;
	}
	take_response(s, response, response_len);
}
