#ifndef PMRELAY_CONVERT_PARTS_H
#define PMRELAY_CONVERT_PARTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "convert/attachment.h"

struct convert_options;
struct ledger;
struct mime;
struct refusal;

/* The tree of parts as Postmark wants it: two bodies and a row of attachments. */
struct parts {
	struct buf text; /* UTF-8, LF line ends */
	struct buf html;
	bool has_text; /* at least one of the two is true */
	bool has_html;
	struct attachment *attachments;
	size_t attachment_count;
};

/* mime is lent for the life of the result.  0, or -1 and *refusal_r: a forbidden extension.
 * Whatever comes back, parts_free() is due. */
int parts_read(struct parts *, const struct mime *, struct ledger *, struct refusal *refusal_r)
    __attribute__((warn_unused_result));
/* Postmark's limits, where bodies go out at all: not beside a template.  0, or -1. */
int parts_check_bodies(const struct parts *, const struct convert_options *,
    struct refusal *refusal_r) __attribute__((warn_unused_result));
void parts_free(struct parts *);

#endif
