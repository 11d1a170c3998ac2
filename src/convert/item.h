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
struct template;

/*
 * The finished JSON of each item (Postmark, "Send a single email" and "Send email with template").
 *
 * What is counted against most_api_bytes, for each item by itself, is its JSON: head and tail, with
 * all names, quotes and escapes.  Postmark's limit on a message says only that attachments count
 * after base64, but a request to /email over the same figure is answered with HTTP 413, and an item
 * that was accepted must fit alone.
 */

/* From, To, Cc, Bcc and Metadata of one item, in bytes of JSON: 50 addresses with long names
 * have room in it. */
#define ITEM_MOST_HEAD_BYTES (512U * 1024U)

struct item_input {
	const struct convert_options *options;
	const struct headers *headers;
	const struct parts *parts;
	const struct recipients_split *split;
	const struct template *template; /* NULL: none; else no Subject and no bodies go out */
	size_t content_len;              /* of the mail: tells how large the JSON will be */
	size_t *largest_r; /* JSON bytes of the largest item, also of one that is refused for it */
};

/*
 * Makes mail->items and mail->shared.  mail->id is set.  *written_r: To, Cc and Bcc of each item
 * as they were written, for the guard; item_written_free() it.  0, or -1 and *refusal_r.
 */
int item_make_all(const struct item_input *, struct mail *, struct guard_item **written_r,
    struct refusal *refusal_r) __attribute__((warn_unused_result));
void item_written_free(struct guard_item **written, size_t count);

#endif
