#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

#include "postmark/smtp_talk.h"

#define MOST_REFUSED 1000U /* more recipients than an item has */

const char *
smtp_stage_name(enum smtp_stage stage)
{
	switch (stage) {
	case SMTP_GREETING:
		return "greeting";
	case SMTP_HELLO:
		return "EHLO";
	case SMTP_STARTTLS:
		return "STARTTLS";
	case SMTP_AUTH:
		return "AUTH";
	case SMTP_MAIL:
		return "MAIL";
	case SMTP_RCPT:
		return "RCPT";
	case SMTP_DATA:
		return "DATA";
	case SMTP_CONTENT:
		return "content";
	}
	return "unknown";
}

void
smtp_talk_init(struct smtp_talk *talk)
{
	memset(talk, 0, sizeof(*talk));
}

void
smtp_talk_free(struct smtp_talk *talk)
{
	for (size_t i = 0; i < talk->refused_count; i++)
		free(talk->refused[i].text);
	free(talk->refused);
	smtp_talk_init(talk);
}

/*
 * With what must follow the verb: a line of AUTH's dialogue is base64, in which "DATA" may stand,
 * but neither a space nor a colon.
 */
static const struct verb {
	const char *begins;
	enum smtp_stage stage;
} verbs[] = {
	{ "EHLO ", SMTP_HELLO },
	{ "HELO ", SMTP_HELLO },
	{ "STARTTLS\r", SMTP_STARTTLS },
	{ "AUTH ", SMTP_AUTH },
	{ "MAIL FROM:", SMTP_MAIL },
	{ "RCPT TO:", SMTP_RCPT },
	{ "DATA\r", SMTP_DATA },
};

void
smtp_talk_said(struct smtp_talk *talk, const char *line, size_t len)
{
	if (len >= 5 && text_same_n(line, "QUIT\r", 5))
		talk->ended = true;
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++) {
		size_t verb_len = strlen(verbs[i].begins);

		if (len < verb_len || !text_same_n(line, verbs[i].begins, verb_len))
			continue;
		talk->stage = verbs[i].stage;
		talk->in_reply = false;
		talk->waits = true;
		talk->recipients += talk->stage == SMTP_RCPT;
		return;
	}
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static size_t
digits(const char *text, size_t len, size_t at, size_t most)
{
	size_t count = 0;

	while (count < most && at + count < len && is_digit(text[at + count]))
		count++;
	return count;
}

/* RFC 3463 2: class "." subject "." detail, of the class of the code. */
static void
enhanced_read(struct smtp_talk *talk, const char *text, size_t len)
{
	size_t subject, detail, all;

	if (len < 5 || text[0] - '0' != talk->code / 100 || text[1] != '.')
		return;
	subject = digits(text, len, 2, 3);
	if (subject == 0 || 2 + subject >= len || text[2 + subject] != '.')
		return;
	detail = digits(text, len, 3 + subject, 3);
	all = 3 + subject + detail;
	if (detail == 0 || (all < len && text[all] != ' '))
		return;
	memcpy(talk->enhanced, text, all);
	talk->enhanced[all] = '\0';
}

static void
text_add(struct smtp_talk *talk, const char *text, size_t len)
{
	size_t used = strlen(talk->text);

	if (used + 2 >= sizeof(talk->text))
		return;
	if (used > 0)
		talk->text[used++] = ' ';
	text_safe(talk->text + used, sizeof(talk->text) - used, text, len);
}

static void
refused_add(struct smtp_talk *talk)
{
	struct smtp_refused *refused;

	if (talk->recipients == 0 || talk->refused_count == MOST_REFUSED)
		return;
	if (talk->refused_count == talk->refused_room) {
		talk->refused_room = talk->refused_room == 0 ? 4 : 2 * talk->refused_room;
		talk->refused =
		    mem_resize(talk->refused, talk->refused_room, sizeof(*talk->refused));
	}
	refused = &talk->refused[talk->refused_count++];
	refused->recipient = talk->recipients - 1;
	refused->code = talk->code;
	refused->text = mem_string(talk->text);
}

/* What comes after a whole reply, and is asked for by no command. */
static void
reply_ended(struct smtp_talk *talk)
{
	talk->replied = talk->stage;
	talk->in_reply = talk->waits = false;
	if (talk->stage == SMTP_RCPT && talk->code >= 400)
		refused_add(talk);
	if (talk->stage == SMTP_DATA && talk->code == 354)
		talk->stage = SMTP_CONTENT;
}

/* RFC 5321 4.2.1: a line is a code, then a space, or a hyphen when more follow, then text. */
void
smtp_talk_heard(struct smtp_talk *talk, const char *line, size_t len)
{
	bool more;

	while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r'))
		len--;
	if (talk->ended || talk->replied == SMTP_CONTENT || digits(line, len, 0, 4) != 3)
		return;
	if (len > 3 && line[3] != ' ' && line[3] != '-')
		return;
	more = len > 3 && line[3] == '-';
	if (!talk->in_reply) {
		talk->text[0] = '\0';
		talk->enhanced[0] = '\0';
		talk->code = (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
		text_add(talk, line, 3);
	}
	talk->in_reply = true;
	if (len > 4) {
		if (talk->enhanced[0] == '\0')
			enhanced_read(talk, line + 4, len - 4);
		text_add(talk, line + 4, len - 4);
	}
	if (!more)
		reply_ended(talk);
}
