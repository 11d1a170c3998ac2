#ifndef PMRELAY_MAIL_MIME_H
#define PMRELAY_MAIL_MIME_H

#include <stdbool.h>
#include <stddef.h>

struct _GMimeParserOptions;

/*
 * MIME as GMime reads it, and the places where GMime needs help.  Every workaround for GMime
 * stands in mime.c, with its reason.
 */

/* Once per process, before any fence: GMime's tables, iconv's modules for the rarer charsets. */
void mime_setup(void);
struct _GMimeParserOptions *mime_parser_options(void); /* lent; NULL before mime_setup() */

/*
 * Decoded text as it may stand in a header value or a name: valid UTF-8 (U+FFFD for what is
 * not), every control character, C1 and line separators included, a space, none of them at the
 * ends.  The caller frees.
 */
char *mime_clean(const char *text, size_t len);

#endif
