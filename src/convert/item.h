#ifndef PMRELAY_CONVERT_ITEM_H
#define PMRELAY_CONVERT_ITEM_H

#include <stddef.h>

struct convert_options;
struct guard_item;
struct headers;
struct mail;
struct parts;
struct recipients_split;
struct refusal;

/*
 * The finished JSON of each item (Postmark, "Send a single email").
 *
 * What is counted against most_api_bytes, for each item by itself: the UTF-8 bytes of every
 * string value before JSON escapes it, those of names and values of Headers and Metadata, and of
 * attachments their base64, name, type and id.  Field names, quotes and escapes are not counted:
 * Postmark's limit is on the message, not on the request.  It says only that attachments count
 * after base64; counting the rest as well keeps the relay on the safe side of it.
 */

/* From, To, Cc, Bcc and Metadata of one item, in bytes of JSON: 50 addresses with long names
 * have room in it. */
#define ITEM_MOST_HEAD_BYTES (512U * 1024U)

struct item_input {
	const struct convert_options *options;
	const struct headers *headers;
	const struct parts *parts;
	const struct recipients_split *split;
	size_t content_len; /* of the mail: tells how large the JSON will be */
};

/*
 * Makes mail->items and mail->shared.  mail->id is set.  *written_r: To, Cc and Bcc of each item
 * as they were written, for the guard; item_written_free() it.  0, or -1 and *refusal_r.
 */
int item_make_all(const struct item_input *, struct mail *, struct guard_item **written_r,
    struct refusal *refusal_r) __attribute__((warn_unused_result));
void item_written_free(struct guard_item **written, size_t count);

#endif
