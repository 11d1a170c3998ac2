#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"

#include "postmark/smtp.h"
#include "postmark/verdict.h"

#define WORDS_MOST 2000U

#define ANY_STAGE SMTP_GREETING, SMTP_CONTENT
#define AT(stage) stage, stage
#define IS(code)  code, code

/*
 * A refusal to a verdict: the first row that fits wins.  enhanced is the start of the enhanced
 * code, or NULL.
 *
 * Postmark's SMTP service looks at credentials and accepts nearly everything else; what is wrong
 * with a mail comes as a bounce later ("SMTP API error").  So a refusal before MAIL is about the
 * route, one of a login or of a right to send needs an operator, and a refusal of the content is
 * about this mail.  500 to 504 complain of our commands, which no other try would change.
 */
static const struct rule {
	int stage_least, stage_most;
	int code_least, code_most;
	const char *enhanced;
	enum verdict verdict;
} rules[] = {
	{ AT(SMTP_STARTTLS), 400, 599, NULL, VERDICT_WEATHER }, /* without TLS nothing is said */
	{ ANY_STAGE, 400, 499, NULL, VERDICT_WEATHER },
	{ ANY_STAGE, IS(530), NULL, VERDICT_OPERATOR }, /* RFC 4954 4.7, 6 */
	{ ANY_STAGE, 534, 535, NULL, VERDICT_OPERATOR },
	{ ANY_STAGE, IS(538), NULL, VERDICT_OPERATOR },
	{ SMTP_GREETING, SMTP_AUTH, 500, 599, NULL, VERDICT_OPERATOR },
	{ ANY_STAGE, 500, 599, "5.7.8", VERDICT_OPERATOR },
	{ AT(SMTP_RCPT), 500, 599, NULL, VERDICT_REFUSED },
	{ ANY_STAGE, 500, 504, NULL, VERDICT_OUR_FAULT },
	{ AT(SMTP_MAIL), 500, 599, "5.7.", VERDICT_OPERATOR }, /* who may send */
	{ ANY_STAGE, 500, 599, NULL, VERDICT_REFUSED },
	/* No refusal where one ended it: a server that does not speak SMTP. */
	{ AT(SMTP_CONTENT), INT_MIN, INT_MAX, NULL, VERDICT_UNSURE },
	{ ANY_STAGE, INT_MIN, INT_MAX, NULL, VERDICT_WEATHER },
};

static const struct rule *
rule_find(enum smtp_stage stage, int code, const char *enhanced)
{
	const struct rule *rule = rules;

	while ((int)stage < rule->stage_least || (int)stage > rule->stage_most ||
	       code < rule->code_least || code > rule->code_most ||
	       (rule->enhanced != NULL && !text_starts(enhanced, rule->enhanced)))
		rule++; /* the last row fits every stage that is replied to */
	return rule;
}

/* A rate has no code of its own; servers say it in words. */
static bool
is_about_rate(const char *text)
{
	static const char *const words[] = { " rate", "rate limit", "rate-limit", "ratelimit",
		"too many", "too fast", "throttl", "slow down" };

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (text_find_same(text, words[i]) != NULL)
			return true;
	}
	return false;
}

static enum verdict
refusal_judge(enum smtp_stage stage, int code, const char *enhanced, const char *text)
{
	enum verdict verdict = rule_find(stage, code, enhanced)->verdict;

	if (verdict == VERDICT_WEATHER && code >= 400 && code <= 499 && is_about_rate(text))
		return VERDICT_THROTTLED;
	return verdict;
}

static void
refused_note(const struct smtp_answer *answer, const struct strlist *recipients, struct buf *words,
    struct strlist *inactive)
{
	for (size_t i = 0; i < answer->refused_count; i++) {
		const struct smtp_refused *refused = &answer->refused[i];
		const char *address;

		if (refused->recipient >= recipients->count)
			continue;
		address = recipients->items[refused->recipient];
		buf_addf(words, "%s<%s>: %s", words->len > 0 ? "; " : "", address, refused->text);
		if (!strlist_has(inactive, address))
			strlist_add(inactive, address);
	}
}

/* Taken.  Whom it refused meanwhile, for good or for now, got nothing; the mail is not sent anew
 * for them, or it would come to the others twice. */
static void
sent_judge(const struct smtp_answer *answer, const struct strlist *recipients, struct buf *words,
    struct item_verdict *verdict)
{
	verdict->verdict = VERDICT_SENT;
	buf_adds(words, answer->text);
	refused_note(answer, recipients, words, &verdict->inactive);
}

/* Nobody was accepted: as long as one may be later, the mail is kept. */
static void
all_refused_judge(const struct smtp_answer *answer, const struct strlist *recipients,
    struct buf *words, struct item_verdict *verdict)
{
	verdict->verdict = VERDICT_REFUSED;
	for (size_t i = 0; i < answer->refused_count; i++) {
		const struct smtp_refused *refused = &answer->refused[i];
		enum verdict one = refusal_judge(SMTP_RCPT, refused->code, "", refused->text);

		if (one == VERDICT_REFUSED)
			continue;
		if (verdict->verdict == VERDICT_REFUSED || one == VERDICT_OPERATOR)
			verdict->verdict = one;
	}
	refused_note(answer, recipients, words, &verdict->inactive);
	if (words->len == 0)
		buf_adds(words, answer->text);
	if (verdict->verdict != VERDICT_REFUSED)
		strlist_free(&verdict->inactive);
}

static void
answered_judge(const struct smtp_answer *answer, const struct strlist *recipients,
    struct buf *words, struct item_verdict *verdict)
{
	if (answer->stage == SMTP_CONTENT && answer->code >= 200 && answer->code <= 299) {
		sent_judge(answer, recipients, words, verdict);
	} else if (answer->stage == SMTP_RCPT && answer->refused_count > 0) {
		all_refused_judge(answer, recipients, words, verdict);
	} else {
		verdict->verdict =
		    refusal_judge(answer->stage, answer->code, answer->enhanced, answer->text);
		buf_adds(words, answer->text);
	}
}

void
verdict_judge_smtp(const struct smtp_answer *answer, const struct strlist *recipients,
    struct item_verdict *verdict)
{
	struct buf words;

	buf_init(&words, WORDS_MOST);
	switch (answer->end) {
	case POSTMARK_ANSWERED:
		answered_judge(answer, recipients, &words, verdict);
		break;
	case POSTMARK_NOT_SENT:
		/* A service that offers no login that we know will not do so by itself. */
		verdict->verdict = answer->login_failed ? VERDICT_OPERATOR : VERDICT_WEATHER;
		buf_adds(&words, answer->error);
		break;
	case POSTMARK_LOST:
		verdict->verdict = VERDICT_UNSURE;
		buf_adds(&words, answer->error);
		break;
	}
	verdict->message = words.len > 0 ? buf_take(&words, NULL) : NULL;
	buf_free(&words);
}
