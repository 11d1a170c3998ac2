#ifndef PMRELAY_CONVERT_GUARD_H
#define PMRELAY_CONVERT_GUARD_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The last look at who gets what before an item leaves the conversion.  It shares no line with
 * what made the items: own reader of address lists, own reader of the header, own comparison.
 * What it does not understand it refuses.
 */
struct guard_item {
	const char *to; /* as written into the JSON; "" for none */
	const char *cc;
	const char *bcc;
};

/*
 * true: the items' recipients are exactly the envelope's, each once, and every address that an
 * item shows to somebody else stood in a To or Cc field of the raw header.  false: a sentence
 * for the log is in why.
 */
bool guard_check(const struct guard_item *items, size_t item_count, char *const *envelope,
    size_t envelope_count, const char *header, size_t header_len, char *why, size_t why_size)
    __attribute__((warn_unused_result));

/*
 * The same of a mail that goes unchanged by SMTP: the items' recipients are exactly the envelope's,
 * each once; top is a header that ends with an empty line and has no Bcc field.
 */
struct item;
bool guard_check_verbatim(const struct item *items, size_t item_count, char *const *envelope,
    size_t envelope_count, const char *top, size_t top_len, char *why, size_t why_size)
    __attribute__((warn_unused_result));

#endif
