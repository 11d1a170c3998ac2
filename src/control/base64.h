#ifndef PMRELAY_CONTROL_BASE64_H
#define PMRELAY_CONTROL_BASE64_H

#include <stddef.h>

/* Standard base64 with padding, by OpenSSL.  The caller frees what comes back. */
char *base64_encode(const char *bytes, size_t len);
/* NULL: not base64. */
char *base64_decode(const char *text, size_t len, size_t *len_r);

#endif
