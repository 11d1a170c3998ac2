#ifndef PMRELAY_SANDBOX_SOURCE_H
#define PMRELAY_SANDBOX_SOURCE_H

#include <stddef.h>

/*
 * A mail as Postmark's SMTP service passes it on: without Bcc and the X-PM headers that steer it,
 * with a Message-ID of Postmark's own unless X-PM-KeepID is true, and with id, the MessageID.
 * Bytes that are no UTF-8 become U+FFFD.  The caller frees.
 */
char *source_delivered(const char *source, size_t len, const char *id, size_t *len_r);

/* A mail as it came, but for those bytes; the same.  NULL: it is empty. */
char *source_clean(const char *source, size_t len);

#endif
