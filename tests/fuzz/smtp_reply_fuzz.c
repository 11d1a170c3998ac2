/*
 * What an SMTP server says, to a verdict.
 *
 * Input: a byte (bits 0 and 1: how the transaction ended, bit 2: no way to log in, bits 3 to 5:
 * recipients less one), then lines, of which one that begins with '>' is ours.  The properties are
 * those on which no mail is lost and none is sent twice: "sent" only by a 2xx reply to the content,
 * nothing but "unsure" when the final dot may be out without a reply, nobody reported as refused
 * who was no recipient, and words that are safe to print.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strlist.h"
#include "base/text.h"
#include "postmark/client.h"
#include "postmark/smtp.h"
#include "postmark/verdict.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
must(bool holds)
{
	if (!holds)
		abort();
}

static bool
is_printable(const char *text)
{
	for (const char *c = text; *c != '\0'; c++) {
		if ((unsigned char)*c < ' ' || *c == 0x7F)
			return false;
	}
	return text_is_utf8(text, strlen(text));
}

static void
talk_holds(const struct smtp_talk *talk)
{
	must(talk->code == 0 || (talk->code >= 0 && talk->code <= 999));
	must(strlen(talk->text) < SMTP_TEXT_SIZE && is_printable(talk->text));
	must(talk->enhanced[0] == '\0' || talk->enhanced[0] - '0' == talk->code / 100);
	must(talk->stage <= SMTP_CONTENT && talk->replied <= SMTP_CONTENT);
	for (size_t i = 0; i < talk->refused_count; i++) {
		must(talk->refused[i].recipient < talk->recipients);
		must(talk->refused[i].code >= 400 && is_printable(talk->refused[i].text));
	}
}

static void
verdict_holds(const struct smtp_answer *answer, const struct strlist *recipients,
    const struct item_verdict *verdict)
{
	bool taken = answer->end == POSTMARK_ANSWERED && answer->stage == SMTP_CONTENT &&
		     answer->code >= 200 && answer->code <= 299;

	must((verdict->verdict == VERDICT_SENT) == taken);
	must(answer->end != POSTMARK_LOST || verdict->verdict == VERDICT_UNSURE);
	must(verdict->verdict != VERDICT_UNSURE || answer->end == POSTMARK_LOST ||
	     answer->stage == SMTP_CONTENT);
	must(verdict->verdict != VERDICT_SPLIT);
	must(verdict->verdict != VERDICT_REFUSED || answer->end == POSTMARK_ANSWERED);
	must(verdict->postmark_id[0] == '\0' && verdict->error_code == 0);
	must(verdict->message == NULL || is_printable(verdict->message));
	must(verdict->inactive.count == 0 || verdict->verdict == VERDICT_SENT ||
	     verdict->verdict == VERDICT_REFUSED);
	for (size_t i = 0; i < verdict->inactive.count; i++)
		must(strlist_has(recipients, verdict->inactive.items[i]));
}

static void
lines_play(struct smtp_talk *talk, const char *text, size_t len)
{
	while (len > 0) {
		const char *end = memchr(text, '\n', len);
		size_t line_len = end == NULL ? len : (size_t)(end - text) + 1;

		if (text[0] == '>')
			smtp_talk_said(talk, text + 1, line_len - 1);
		else
			smtp_talk_heard(talk, text, line_len);
		text += line_len;
		len -= line_len;
		talk_holds(talk);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct strlist recipients = { 0 };
	struct item_verdict verdict = { 0 };
	struct smtp_talk talk;
	struct smtp_answer answer;
	uint8_t flags = len > 0 ? data[0] : 0;

	for (unsigned i = 0; i < 1U + (flags >> 3 & 7U); i++) {
		char address[32];

		snprintf(address, sizeof(address), "r%u@y.example", i);
		strlist_add(&recipients, address);
	}
	smtp_talk_init(&talk);
	if (len > 1)
		lines_play(&talk, (const char *)data + 1, len - 1);
	answer = (struct smtp_answer){ .end = (enum postmark_end)((flags & 3U) % 3U),
		.stage = talk.replied,
		.code = talk.code,
		.enhanced = talk.enhanced,
		.text = talk.text,
		.refused = talk.refused,
		.refused_count = talk.refused_count,
		.login_failed = (flags & 4U) != 0,
		.error = "cut" };
	verdict_judge_smtp(&answer, &recipients, &verdict);
	verdict_holds(&answer, &recipients, &verdict);
	verdicts_free(&verdict, 1);
	smtp_talk_free(&talk);
	strlist_free(&recipients);
	return 0;
}
