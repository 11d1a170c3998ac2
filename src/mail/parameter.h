#ifndef PMRELAY_MAIL_PARAMETER_H
#define PMRELAY_MAIL_PARAMETER_H

#include <stdbool.h>

/*
 * Parameters of Content-Type and Content-Disposition (RFC 2045 5.1, RFC 2183, RFC 2231), read as
 * clients write them.  value is a plain header value (mime_plain_value), type or disposition
 * included.  Time is linear in the value.
 */

/*
 * Decoded and clean; the caller frees; NULL: there is none.  token: what follows a space or a
 * comment in an unquoted value is no part of it ("us-ascii (Plain text)"); not so for file names.
 */
char *parameter_find(const char *value, const char *name, bool token);

/* What stands before the parameters ("text/plain", "attachment"), in lower case, without white
 * space and comments; the caller frees. */
char *parameter_head(const char *value);

#endif
