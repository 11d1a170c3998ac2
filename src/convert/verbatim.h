#ifndef PMRELAY_CONVERT_VERBATIM_H
#define PMRELAY_CONVERT_VERBATIM_H

#include <stddef.h>

struct buf;
struct convert_input;
struct convert_options;
struct headers;
struct mail;
struct mime;
struct refusal;

/*
 * The mail itself, for Postmark's SMTP service: items of kind ITEM_SMTP.
 *
 * In front of the top header stand the fields that are the relay's: relay-id, the controls as the
 * mail and its route have settled them, Message-ID's protection, staging's note, and a From that a
 * route wrote.  The fields of the mail that say the same are taken out of the top header, with Bcc
 * and whatever else tells on recipients, and lines that are no field.  Every other byte is the
 * mail's.  CRLF ends the lines; dots are not stuffed.
 */
struct verbatim_input {
	const struct convert_options *options;
	const struct convert_input *input;
	const struct mime *mime;
	const struct headers *headers;
	size_t *largest_r; /* bytes of the largest item, also of one that is refused for it */
};

/*
 * Makes mail->items and mail->shared: the envelope's recipients, once each and in their order, in
 * runs of options->most_recipients.  mail->id is set.  top, empty: the top header of the first item
 * as it was written, with the empty line, for the guard.  0, or -1 and *refusal_r.
 */
int verbatim_make_all(const struct verbatim_input *, struct mail *, struct buf *top,
    struct refusal *refusal_r) __attribute__((warn_unused_result));

#endif
