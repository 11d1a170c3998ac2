/*
 * The table of verbs: which is legal in which state, what it needs, and what it does.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "smtp/command.h"
#include "smtp/session_inside.h"
#include "smtp/session.h"

#define HELO_SIZE       256
#define MOST_EHLO_LINES 9

static void
greet(struct smtp_session *s, const struct smtp_command *command, bool esmtp)
{
	char helo[HELO_SIZE];

	session_mail_end(s);
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
		session_say(s, 250, NULL, s->limits->hostname);
}

static void
do_ehlo(struct smtp_session *s, const struct smtp_command *command)
{
	char size[32], hello[HELO_SIZE];
	struct smtp_reply lines[MOST_EHLO_LINES] = {
		{ 250, NULL, hello },
		{ 250, NULL, "PIPELINING" },
		{ 250, NULL, size },
		{ 250, NULL, "8BITMIME" },
		{ 250, NULL, "SMTPUTF8" },
		{ 250, NULL, "ENHANCEDSTATUSCODES" },
	};
	size_t count = 6;

	greet(s, command, true);
	if (s->dead)
		return;
	snprintf(hello, sizeof(hello), "%s greets %s", s->limits->hostname, s->client);
	snprintf(size, sizeof(size), "SIZE %" PRIu64, s->limits->most_message_bytes);
	if (session_offers_tls(s))
		lines[count++] = (struct smtp_reply){ 250, NULL, "STARTTLS" };
	if (session_offers_auth(s))
		lines[count++] = (struct smtp_reply){ 250, NULL, "AUTH PLAIN LOGIN" };
	lines[count++] = (struct smtp_reply){ 250, NULL, "HELP" };
	session_say_lines(s, lines, count);
}

static void
do_rset(struct smtp_session *s, const struct smtp_command *command)
{
	(void)command;
	session_mail_end(s);
	if (s->dead)
		return;
	session_say(s, 250, "2.0.0", "reset");
	if (s->state != STATE_CONNECTED)
		session_enter(s, STATE_READY);
}

static void
do_noop(struct smtp_session *s, const struct smtp_command *command)
{
	(void)command;
	session_say(s, 250, "2.0.0", "ok");
}

static void
do_vrfy(struct smtp_session *s, const struct smtp_command *command)
{
	(void)command;
	session_say(s, 252, "2.1.5", "addresses are not verified here, but send and see");
}

static void
do_expn(struct smtp_session *s, const struct smtp_command *command)
{
	(void)command;
	session_say(s, 502, "5.5.1", "there are no lists to expand here");
}

static void
do_help(struct smtp_session *s, const struct smtp_command *command)
{
	char verbs_known[96];
	const struct smtp_reply lines[] = {
		{ 214, "2.0.0", "pmrelay hands mail on to Postmark.  Commands:" },
		{ 214, "2.0.0", verbs_known },
	};

	(void)command;
	snprintf(verbs_known, sizeof(verbs_known),
	    "HELO EHLO MAIL RCPT DATA RSET NOOP VRFY EXPN HELP QUIT%s%s",
	    s->tls != NULL ? " STARTTLS" : "", s->auth != NULL ? " AUTH" : "");
	session_say_lines(s, lines, sizeof(lines) / sizeof(lines[0]));
}

static void
do_quit(struct smtp_session *s, const struct smtp_command *command)
{
	(void)command;
	session_say(s, 221, "2.0.0", s->limits->hostname);
	session_close(s);
}

static void
do_unknown(struct smtp_session *s, const struct smtp_command *command)
{
	/* A web page can make a browser send its form here: nothing in it is to become a mail. */
	if (memmem(command->rest, command->rest_len, "HTTP/1.", 7) != NULL)
		session_close_with(s, "4.7.0", "this is SMTP, not HTTP");
	else
		session_say(s, 500, "5.5.1", "command not recognised, HELP lists those that are");
}

/* What must be true before a verb is run, whatever the state; the first that is not is told. */
enum need {
	NEED_HELO = 1 << 0,
	NEED_EHLO = 1 << 1,
	NEED_CLEAR = 1 << 2,   /* no TLS yet */
	NEED_NOBODY = 1 << 3,  /* no AUTH yet */
	NEED_PRIVACY = 1 << 4, /* TLS, where AUTH wants it */
	NEED_USER = 1 << 5,    /* AUTH, where it is required */
	NEED_MAIL = 1 << 6,
};

static const struct {
	unsigned need;
	struct smtp_reply reply;
} needs[] = {
	{ NEED_HELO, { 503, "5.5.1", "EHLO or HELO comes first" } },
	{ NEED_EHLO, { 503, "5.5.1", "EHLO comes first" } },
	{ NEED_CLEAR, { 503, "5.5.1", "TLS is there already" } },
	{ NEED_NOBODY, { 503, "5.5.1", "AUTH was said already" } },
	{ NEED_PRIVACY, { 538, "5.7.11", "a password needs TLS here, STARTTLS comes first" } },
	{ NEED_USER, { 530, "5.7.0", "AUTH comes first" } },
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
	[SMTP_MAIL] = { IN(READY), NEED_HELO | NEED_USER, session_do_mail },
	[SMTP_RCPT] = { IN(MAIL) | IN(RCPT), NEED_HELO | NEED_MAIL, session_do_rcpt },
	[SMTP_DATA] = { IN(MAIL) | IN(RCPT), NEED_HELO | NEED_MAIL, session_do_data },
	[SMTP_RSET] = { IN_ANY, 0, do_rset },
	[SMTP_NOOP] = { IN_ANY, 0, do_noop },
	[SMTP_VRFY] = { IN_ANY, 0, do_vrfy },
	[SMTP_EXPN] = { IN_ANY, 0, do_expn },
	[SMTP_HELP] = { IN_ANY, 0, do_help },
	[SMTP_QUIT] = { IN_ANY, 0, do_quit },
	[SMTP_STARTTLS] = { IN(CONNECTED) | IN(READY), NEED_CLEAR, session_do_starttls },
	[SMTP_AUTH] = { IN(READY), NEED_HELO | NEED_EHLO | NEED_NOBODY | NEED_PRIVACY,
	    session_do_auth },
	[SMTP_UNKNOWN] = { IN_ANY, 0, do_unknown },
};

static unsigned
session_has(const struct smtp_session *s)
{
	unsigned has = 0;

	if (s->state != STATE_CONNECTED)
		has |= NEED_HELO;
	if (s->esmtp)
		has |= NEED_EHLO;
	if (!s->secure)
		has |= NEED_CLEAR;
	if (s->user[0] == '\0')
		has |= NEED_NOBODY;
	if (session_offers_auth(s))
		has |= NEED_PRIVACY;
	if (s->user[0] != '\0' || s->auth == NULL || !s->auth->required)
		has |= NEED_USER;
	if (s->mail != NULL)
		has |= NEED_MAIL;
	return has;
}

/* Not recognised, because the owner did not want it. */
static bool
is_unwanted(const struct smtp_session *s, enum smtp_verb verb)
{
	if (verb == SMTP_STARTTLS)
		return s->tls == NULL || (!s->secure && !session_offers_tls(s));
	return verb == SMTP_AUTH && s->auth == NULL;
}

void
session_run_command(struct smtp_session *s, const char *line, size_t len)
{
	struct smtp_command command;
	const struct verb *verb;
	unsigned missing;

	smtp_command_parse(
	    &command, line, len, s->esmtp, s->mail != NULL && s->mail->envelope.smtputf8);
	if (is_unwanted(s, command.verb)) {
		command.verb = SMTP_UNKNOWN;
		command.fault = SMTP_FAULT_NONE;
	}
	verb = &verbs[command.verb];
	missing = verb->needs & ~session_has(s);
	for (size_t i = 0; i < sizeof(needs) / sizeof(needs[0]); i++)
		if ((missing & needs[i].need) != 0) {
			session_reply(s, &needs[i].reply);
			return;
		}
	if ((verb->legal & (1U << s->state)) == 0)
		session_say(s, 503, "5.5.1", "a mail is under way, RSET would end it");
	else if (command.fault != SMTP_FAULT_NONE) {
		if (command.verb == SMTP_RCPT)
			s->mail->recipient_refused = true;
		session_say_fault(s, &command);
	} else
		verb->run(s, &command);
}
