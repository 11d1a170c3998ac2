#ifndef PMRELAY_POSTMARK_BATCH_H
#define PMRELAY_POSTMARK_BATCH_H

#include <stddef.h>
#include <stdint.h>

#include "mail/mail.h"

struct postmark_piece;

/*
 * Items to one request.  What is stored is the finished JSON of each item, so a batch is their
 * payloads with '[', ',' and ']' around and between them, in an object for templates: pieces that
 * point to what the payloads hold, nothing copied and no file read.  Pure.
 */
struct batch {
	enum item_kind kind;
	const char *path; /* static; NULL: by SMTP */
	struct postmark_piece *pieces;
	size_t piece_count;
	uint64_t bytes; /* of the body */
};

/* A message is its payload followed by what it shares with other items of its mail; both lent. */
struct batch_message {
	const struct payload *payload;
	const struct payload *shared; /* len 0: nothing */
};

/* What a batch of count items adds to the sum of their payloads, at most: {"Messages":[,]} */
#define BATCH_FRAME_BYTES(count) ((uint64_t)(count) + 14)

/*
 * count is 1 or more, all of one kind: a call takes messages with a template or without, never
 * both.  One item goes to /email or /email/withTemplate as it is, more go to /email/batch or
 * /email/batchWithTemplates.  The payloads are lent until batch_free().
 */
void batch_build(
    struct batch *, enum item_kind, const struct batch_message *messages, size_t count);
void batch_free(struct batch *); /* fine on a zeroed struct */

#endif
