#ifndef PMRELAY_POSTMARK_MAIL_HEAD_H
#define PMRELAY_POSTMARK_MAIL_HEAD_H

#include <stddef.h>

struct payload;

/*
 * What is to be known of a mail that goes out as it is, from the start of its header.  Pure, and
 * without a MIME parser: this runs where the tokens are.
 */

/*
 * The value of the first field of that name, without the white space around it, folded as it is;
 * lent from head.  The start of a mail is enough if the field is whole in it.  NULL: not there.
 */
const char *mail_head_field(const char *head, size_t len, const char *name, size_t *value_len_r);

/* The stream that a control of the mail names.  NULL: none.  The caller frees it. */
char *mail_head_stream(const struct payload *);

#endif
