#ifndef PMRELAY_POSTMARK_VERDICT_H
#define PMRELAY_POSTMARK_VERDICT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/strlist.h"

struct postmark_answer;
struct smtp_answer;

/*
 * An answer to a verdict for each item of the request (Postmark's status
 * and error tables).  Pure; one table.
 */
enum verdict {
	VERDICT_SENT,      /* Postmark has it and told us its id */
	VERDICT_REFUSED,   /* this item will never be taken; the sender hears why */
	VERDICT_OPERATOR,  /* nothing of this route will be taken until somebody acts */
	VERDICT_THROTTLED, /* 429: slower */
	VERDICT_WEATHER,   /* not taken this time; try again later, the whole route is affected */
	VERDICT_OUR_FAULT, /* 402, 409, 410, 415, wrong batch length…: loud, kept */
	VERDICT_SPLIT,     /* HTTP 413 or 402 or 410 of a batch: send again in smaller parts */
	VERDICT_UNSURE,    /* it may have been taken: ask before it goes out again */
};
#define VERDICT_COUNT (VERDICT_UNSURE + 1)
const char *verdict_name(enum verdict);

struct item_verdict {
	enum verdict verdict;
	int error_code;       /* Postmark's, 0 if none */
	char postmark_id[37]; /* "" unless SENT; "" also when a 406 told that the rest was sent, and
			       * by SMTP, where Postmark tells none */
	char *message; /* Postmark's words for this item, or the transport's; owned; may be NULL */
	struct strlist inactive; /* with SENT or REFUSED: recipients it will not deliver to, only
				  * such as were given; canonical */
};

/*
 * verdicts has room for count items, zeroed; recipients[i] are those of item i.  batch: the
 * request went to a batch path and an array is expected.  verdicts_free() frees what they own.
 */
void verdict_judge(const struct postmark_answer *, bool batch,
    const struct strlist *const *recipients, size_t count, struct item_verdict *verdicts);
void verdicts_free(struct item_verdict *verdicts, size_t count);

/* The same of a mail that went to Postmark's SMTP service; verdict is zeroed. */
void verdict_judge_smtp(
    const struct smtp_answer *, const struct strlist *recipients, struct item_verdict *verdict);

/*
 * An operator's matter that may be the doing of one sender: a From that is no signature (400, 401,
 * 501), a recipient outside the domain while approval is pending (412), a stream that the mail
 * itself named (1235, 1236).  One such answer says nothing about the other mails of the route.
 */
bool verdict_code_is_one_senders(int error_code);
bool verdict_code_is_streams(int error_code); /* 1235, 1236: no such stream, or not for sending */

#endif
