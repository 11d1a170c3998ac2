#ifndef PMRELAY_MAIL_CHARSET_H
#define PMRELAY_MAIL_CHARSET_H

#include <stddef.h>

struct buf;

/* Charsets, for the functions of value.h and mime.h. */

#define REPLACEMENT     "\xEF\xBF\xBD" /* U+FFFD */
#define REPLACEMENT_LEN ((size_t)3)

/* Once per process, before any fence: iconv's modules for the rarer charsets. */
void charset_setup(void);

/*
 * Bytes of a charset as UTF-8, appended; charset may be NULL, and may be wrong: bytes of an unknown
 * charset are taken as ISO-2022-JP when they have its escapes, else as UTF-8 when they are valid
 * UTF-8, else as windows-1252.  Returns how many sequences became U+FFFD.
 */
size_t mime_convert(struct buf *out, const char *charset, const char *bytes, size_t len);

/* How many bytes that are no UTF-8 one U+FFFD stands for: what is well-formed as far as it goes
 * (Unicode, "U+FFFD Substitution of Maximal Subparts"). */
size_t charset_bad_utf8(const char *bytes, size_t len);

#endif
