/*
 * The content of a mail: DATA, what comes after it, and the memory that it takes.
 */

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "smtp/session_inside.h"
#include "smtp/session.h"

void
session_content_drop(struct smtp_session *s, struct transaction *mail)
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
	session_content_drop(s, mail);
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

void
session_do_data(struct smtp_session *s, const struct smtp_command *command)
{
	const struct transaction *mail = s->mail;
	struct smtp_reply reply = { 354, NULL, "go ahead, end with a dot on a line of its own" };
	const struct smtp_reply yes = reply;
	enum smtp_now now = SMTP_YES;

	(void)command;
	if (mail->envelope.recipients.count == 0) {
		if (mail->recipient_refused)
			session_say(s, 554, "5.5.1", "no valid recipients");
		else
			session_say(s, 503, "5.5.1", "RCPT TO comes first");
		return;
	}
	if (s->hooks->data != NULL)
		now = s->hooks->data(s->ctx, s, &mail->envelope, &reply);
	session_take_answer(s, STATE_DATA_ASKED, now, &reply, &yes);
}

/* The only positive answer is 354. */
void
session_data_answered(struct smtp_session *s, const struct smtp_reply *reply)
{
	const struct smtp_limits *limits = s->limits;
	struct transaction *mail = s->mail;

	if (reply->code != 354) {
		session_say_answer(s, reply);
		if (s->state != STATE_CLOSING)
			session_enter(s, STATE_RCPT);
		return;
	}
	smtp_data_init(&mail->data, limits->normalize_line_ends, limits->most_message_bytes);
	buf_init(&mail->content, limits->most_message_bytes < SIZE_MAX / 2
				     ? (size_t)limits->most_message_bytes
				     : SIZE_MAX / 2);
	if (limits->message_timeout_ms != 0)
		mail->data_until_ms = clock_mono_ms() + limits->message_timeout_ms;
	session_reply(s, reply);
	session_enter(s, STATE_DATA);
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
	session_take_answer(s, STATE_DECIDING, now, &reply, &yes);
}

size_t
session_take_data(struct smtp_session *s, const char *bytes, size_t len)
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
		session_content_drop(s, mail);
	if (s->dead)
		return used;
	if (end == SMTP_DATA_DONE)
		decide(s);
	else
		session_deadline(s);
	return used;
}
