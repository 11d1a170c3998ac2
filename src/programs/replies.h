#ifndef PMRELAY_PROGRAMS_REPLIES_H
#define PMRELAY_PROGRAMS_REPLIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mail/mail.h"
#include "store/store.h"

struct refusal;

/*
 * What a client is told whose 250 waits for Postmark (enum reply_mode).  Pure: what happens comes
 * in, what is to be done comes out.  One for each transaction, that is, for a mail and those
 * chained to it.
 *
 * The rule it keeps: a client is refused only what nobody has and nobody will send, and what it is
 * refused is refused for all recipients of its transaction.
 */
struct reply;

/* Lends the mails for the call.  NULL: none of them asks for it.  unsure_is_retried: an item may go
 * out again whose answer was lost (option unsure = retry). */
struct reply *reply_new(const struct mail *, bool unsure_is_retried);
void reply_free(struct reply **);

/* Those whose items' outcomes it wants to hear of, and how long they may take. */
size_t reply_mail_count(const struct reply *);
const char *reply_mail_id(const struct reply *, size_t index);
const char *reply_route(const struct reply *, size_t index);
int64_t reply_within_ms(const struct reply *);

enum reply_step {
	REPLY_STEP_WAIT,
	REPLY_STEP_TAKE_BACK, /* store_take_back() of its mails, then reply_taken() */
	REPLY_STEP_ANSWER,    /* reply_answer() is what the client is told; it is over */
};

/* After the mails are durable. */
enum reply_step reply_outcome(struct reply *, const char *item_id, const struct store_outcome *);
enum reply_step reply_late(struct reply *); /* its time is up, or nothing is to be expected */
enum reply_step reply_taken(struct reply *, enum store_result, enum store_taken);
/* It could not be taken back for the moment: once more.  The caller calls it now and then from the
 * first reply_taken() that waits on. */
enum reply_step reply_again(struct reply *);
/* A front gives its core up soon: an answer now, unless a store_take_back() is under way. */
enum reply_step reply_last(struct reply *);

/* Without the ids of the mails: a front says these. */
void reply_answer(const struct reply *, struct refusal *answer_r);
/* Its mails are gone. */
bool reply_was_taken_back(const struct reply *);
/* With an answer of 5xx: the items that no notice has to be sent for any more. */
size_t reply_item_count(const struct reply *);
const char *reply_item_id(const struct reply *, size_t index);

/* How a refusal of Postmark's is said in SMTP: 5xx, and the enhanced code that fits. */
void reply_refusal(
    struct refusal *, enum item_kind, int http_status, int error_code, const char *answer);

#endif
