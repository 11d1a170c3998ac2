#ifndef PMRELAY_BASE_TEXT_H
#define PMRELAY_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Small pure helpers on text.  Locale-independent. */

/* All of text is a decimal number in least..most.  0, or -1 and *number_r untouched. */
int text_number(const char *text, size_t len, uint64_t least, uint64_t most, uint64_t *number_r);

bool text_same(const char *a, const char *b);                    /* ASCII case-insensitive */
bool text_same_n(const char *a, const char *b, size_t len);      /* the first len bytes */
bool text_starts(const char *text, const char *prefix);          /* ASCII case-insensitive */
void text_lower(char *text);                                     /* ASCII, in place */
const char *text_find_same(const char *hay, const char *needle); /* ASCII case-insensitive strstr */

/* Equal, in a time that depends on the lengths alone. */
bool text_same_secret(const char *a, size_t a_len, const char *b, size_t b_len);

/*
 * Foreign bytes made safe to print: control characters and invalid UTF-8 become \xHH, at most
 * most bytes are written with the NUL, "..." at the end tells of a cut.  Returns out.
 */
char *text_safe(char *out, size_t most, const char *bytes, size_t len);

/* Length of the valid UTF-8 sequence at bytes, 1 to 4; 0 when there is none (no surrogates, no
 * overlong forms, nothing past U+10FFFF). */
size_t text_utf8_len(const char *bytes, size_t len);
bool text_is_utf8(const char *bytes, size_t len);
int text_hex_digit(char);                          /* 0 to 15, or -1: it is none */
bool text_is_ascii(const char *bytes, size_t len); /* seven bits */
/* UTF-16 code units of valid UTF-8: how Postmark counts. */
size_t text_utf16_units(const char *utf8, size_t len);

#endif
