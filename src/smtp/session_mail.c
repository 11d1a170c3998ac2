/*
 * The mail that is under way: MAIL, RCPT, and what the owner answers about it.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "mail/address.h"
#include "smtp/command.h"
#include "smtp/session_inside.h"
#include "smtp/session.h"

static void
mail_begin(struct smtp_session *s, const struct smtp_command *command)
{
	struct transaction *mail = mem_new(sizeof(*mail));

	envelope_init(&mail->envelope);
	mail->envelope.body_8bit = command->body_8bit;
	mail->envelope.smtputf8 = command->smtputf8;
	mail->envelope.declared_bytes = command->size_bytes;
	mail->asked = mem_string(command->address);
	s->mail = mail;
}

void
session_mail_end(struct smtp_session *s)
{
	struct transaction *mail = s->mail;

	if (mail == NULL)
		return;
	s->mail = NULL;
	session_content_drop(s, mail);
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

bool
session_accepts(const struct smtp_reply *reply)
{
	return reply->code >= 200 && reply->code < 300;
}

/* A hook's 421 hangs up as ours do (RFC 5321 3.8). */
void
session_say_answer(struct smtp_session *s, const struct smtp_reply *reply)
{
	session_reply(s, reply);
	if (reply->code == 421)
		session_close(s);
}

static void
sender_answered(struct smtp_session *s, const struct smtp_reply *reply)
{
	struct envelope *envelope = &s->mail->envelope;

	session_say_answer(s, reply);
	if (session_accepts(reply)) {
		free(envelope->reverse_path);
		envelope->reverse_path = take_asked(s->mail);
		session_enter(s, STATE_MAIL);
		return;
	}
	session_mail_end(s);
	if (!s->dead && s->state != STATE_CLOSING)
		session_enter(s, STATE_READY);
}

static void
recipient_answered(struct smtp_session *s, const struct smtp_reply *reply)
{
	struct transaction *mail = s->mail;
	char *address;

	session_say_answer(s, reply);
	address = take_asked(mail);
	if (session_accepts(reply)) {
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
	session_say_answer(s, reply);
	session_mail_end(s);
	if (s->dead || s->state == STATE_CLOSING)
		return;
	if (session_accepts(reply)) {
		s->mails++;
		s->commands = 0;
		session_restart_clock(s);
	}
	session_enter(s, STATE_READY);
}

void
session_answered(struct smtp_session *s, enum session_state asked, const struct smtp_reply *reply)
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
	case STATE_AUTH_ASKED:
		session_auth_answered(s, reply);
		break;
	case STATE_DATA_ASKED:
		session_data_answered(s, reply);
		break;
	case STATE_CONNECTED:
	case STATE_READY:
	case STATE_AUTH:
	case STATE_MAIL:
	case STATE_RCPT:
	case STATE_DATA:
	case STATE_CLOSING:
		break; /* nothing was asked: smtp_session_answer() does not let it come here */
	}
}

/* What a hook said: *answer is its own reply, yes the usual one. */
void
session_take_answer(struct smtp_session *s, enum session_state asked, enum smtp_now now,
    const struct smtp_reply *answer, const struct smtp_reply *yes)
{
	if (s->dead)
		return;
	switch (now) {
	case SMTP_YES:
		session_answered(s, asked, yes);
		break;
	case SMTP_ANSWER:
		session_answered(s, asked, answer);
		break;
	case SMTP_LATER:
		session_enter(s, asked);
		break;
	}
}

void
session_do_mail(struct smtp_session *s, const struct smtp_command *command)
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
		session_sayf(s, 552, "5.3.4",
		    "declared size of %" PRIu64 " bytes is over the limit of %" PRIu64 " bytes",
		    command->size_bytes, limits->most_message_bytes);
		return;
	}
	mail_begin(s, command);
	now = s->hooks->sender(s->ctx, s, &s->mail->envelope, s->mail->asked, &reply);
	session_take_answer(s, STATE_SENDER_ASKED, now, &reply, &yes);
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

void
session_do_rcpt(struct smtp_session *s, const struct smtp_command *command)
{
	struct transaction *mail = s->mail;
	struct smtp_reply reply = { 250, "2.1.5", "recipient ok" };
	const struct smtp_reply yes = reply;
	char address[ADDRESS_SIZE];
	enum smtp_now now;

	memcpy(address, command->address, sizeof(address));
	if (mail->envelope.recipients.count >= s->limits->most_recipients) {
		mail->recipient_refused = true;
		session_sayf(s, 452, "4.5.3", "too many recipients, the limit is %u a mail",
		    s->limits->most_recipients);
		return;
	}
	if (complete_postmaster(s, address) != 0) {
		mail->recipient_refused = true;
		session_sayf(s, 550, "5.1.3",
		    "postmaster needs a domain here: mail goes on by Postmark, and %s is none",
		    s->limits->hostname);
		return;
	}
	mail->asked = mem_string(address);
	now = s->hooks->recipient(s->ctx, s, &mail->envelope, mail->asked, &reply);
	session_take_answer(s, STATE_RECIPIENT_ASKED, now, &reply, &yes);
}
