#ifndef PMRELAY_MAIL_VALUE_H
#define PMRELAY_MAIL_VALUE_H

#include <stdbool.h>
#include <stddef.h>

struct buf;

/* Encoded words and what else a header value goes through before people see it. */

/*
 * A raw header value for people: unfolded, RFC 2047 decoded, UTF-8, clean (mime_clean).  The
 * caller frees.
 */
char *mime_decode_value(const char *value, size_t len);
/* The same without RFC 2047: for message identifiers and such. */
char *mime_plain_value(const char *value, size_t len);

/* The length of the encoded word that text begins with; 0: there is none. */
size_t mime_word_len(const char *text, size_t len);

/*
 * Decoded text as it may stand in a header value or a name: valid UTF-8 (U+FFFD for what is
 * not), every control character, C1 and line separators included, a space, none of them at the
 * ends.  The caller frees.
 */
char *mime_clean(const char *text, size_t len);

/*
 * Encoded words taken out of a header value before GMime splits it, each for an atom that stands
 * in for it, so that what they hide (commas, brackets, line ends) never takes part in the syntax
 * and GMime never decodes them.
 */
struct mime_mask {
	char *text; /* valid UTF-8, unfolded, no control characters; what to parse instead */
	char mark[8];
	char **words;
	size_t word_count;
};
void mime_mask_init(struct mime_mask *, const char *value, size_t len);
void mime_mask_free(struct mime_mask *);
bool mime_mask_in(const struct mime_mask *, const char *text); /* holds a stand-in */
/* text with the words put back and decoded, clean; the caller frees. */
char *mime_mask_decode(const struct mime_mask *, const char *text);

/* Decoded and appended; what is not of the alphabet is skipped, padding ends a piece. */
void mime_add_base64(struct buf *out, const char *text, size_t len);

#endif
