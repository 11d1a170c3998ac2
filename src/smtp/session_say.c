/*
 * All replies of a session leave here.
 */

#include <stdarg.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/stream.h"
#include "mail/address.h"
#include "smtp/command.h"
#include "smtp/reply.h"
#include "smtp/session_inside.h"
#include "smtp/session.h"

static struct log_gate refused_gate;

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

void
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

void
session_reply(struct smtp_session *s, const struct smtp_reply *reply)
{
	session_say_lines(s, reply, 1);
}

void
session_say(struct smtp_session *s, int code, const char *enhanced, const char *text)
{
	session_reply(s, &(struct smtp_reply){ code, enhanced, text });
}

void
session_sayf(struct smtp_session *s, int code, const char *enhanced, const char *format, ...)
{
	char text[SMTP_REPLY_MOST];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	session_say(s, code, enhanced, text);
}

void
session_say_fault(struct smtp_session *s, const struct smtp_command *command)
{
	bool sender = command->verb == SMTP_MAIL;
	const char *which = sender ? "sender" : "recipient";
	const char *why = address_fault_text(command->address_fault);

	switch (command->fault) {
	case SMTP_FAULT_NONE:
		break;
	case SMTP_FAULT_SYNTAX:
		if (sender)
			session_say(s, 501, "5.5.4", "syntax: MAIL FROM:<address> [parameters]");
		else if (command->verb == SMTP_RCPT)
			session_say(s, 501, "5.5.4", "syntax: RCPT TO:<address>");
		else
			session_sayf(s, 501, "5.5.4",
			    "%s: the argument is missing, unwanted or unprintable",
			    smtp_verb_name(command->verb));
		break;
	case SMTP_FAULT_PARAMETER:
		session_say(s, 555, "5.5.4",
		    s->esmtp ? "a parameter that is not known here" : "parameters need EHLO");
		break;
	case SMTP_FAULT_PARAMETER_VALUE:
		session_say(s, 501, "5.5.4", "a parameter is repeated or its value is not valid");
		break;
	case SMTP_FAULT_NEEDS_SMTPUTF8:
		session_sayf(
		    s, 553, "5.6.7", "%s: an address outside ASCII needs SMTPUTF8 at MAIL", which);
		break;
	case SMTP_FAULT_ADDRESS:
		switch (command->address_fault) {
		case ADDRESS_OK:
			break;
		case ADDRESS_SYNTAX:
		case ADDRESS_LENGTH:
			session_sayf(s, 501, sender ? "5.1.7" : "5.1.3", "%s: %s", which, why);
			break;
		case ADDRESS_LOCAL_QUOTED:
			session_sayf(s, 553, sender ? "5.1.7" : "5.1.3", "%s: %s", which, why);
			break;
		case ADDRESS_LOCAL_UTF8:
			session_sayf(s, 553, "5.6.7", "%s: %s", which, why);
			break;
		case ADDRESS_DOMAIN:
			session_sayf(s, 553, sender ? "5.1.8" : "5.1.2", "%s: %s", which, why);
			break;
		}
		break;
	}
}
