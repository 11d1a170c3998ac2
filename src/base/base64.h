#ifndef PMRELAY_BASE_BASE64_H
#define PMRELAY_BASE_BASE64_H

#include <stdbool.h>
#include <stddef.h>

struct buf;

/* Base64 of RFC 4648 section 4: padded, without line ends.  Pure. */

/* The value of a digit, or -1: it is none. */
static inline int
base64_digit(char c)
{
	extern const signed char base64_digits[256];

	return base64_digits[(unsigned char)c];
}

/* All of text is digits; '=' is none. */
bool base64_is_digits(const char *text, size_t len);
/* It can be decoded.  Nothing is base64 of nothing. */
bool base64_is_right(const char *text, size_t len);

void base64_add(struct buf *out, const char *bytes, size_t len); /* encoded, appended */
char *base64_encode(const char *bytes, size_t len);              /* caller frees */
/* Caller frees; a NUL stands behind the bytes.  NULL: not base64. */
char *base64_decode(const char *text, size_t len, size_t *len_r);

#endif
