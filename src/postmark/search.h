#ifndef PMRELAY_POSTMARK_SEARCH_H
#define PMRELAY_POSTMARK_SEARCH_H

#include <stddef.h>

#include "mail/mail.h"

struct postmark_answer;

/*
 * Does Postmark have an item?  Every item carries its id in Metadata as "relay-id", and
 * /messages/outbound can be searched by it.  Pure.
 */

/* The path with its query; the caller frees it.  message_stream NULL or "": Postmark's default. */
char *search_path(const char *relay_id, const char *message_stream);

/*
 * The "MessageStream" of an item's JSON, which a header of the mail may have chosen: a search sees
 * one stream alone, and a mail that is looked for in the wrong one would be sent twice.  The start
 * of the JSON is enough if the member is in it.  NULL: not there.  The caller frees it.
 */
char *search_stream(const char *json, size_t len);
/* The same of a payload, wherever it is and whatever its kind; a large one is not read whole. */
char *search_item_stream(enum item_kind, const struct payload *);

enum search_result {
	SEARCH_FOUND,     /* and its id in postmark_id */
	SEARCH_NOT_FOUND, /* Postmark answered, and has nothing under this id (yet) */
	SEARCH_FAILED,    /* no answer, or none that can be relied on */
};
#define SEARCH_ID_SIZE 37

/*
 * A message counts as found only when its own Metadata carries the id: a server that overlooked
 * the filter would otherwise make any mail look sent, and this one would be lost.
 */
enum search_result search_read(
    const struct postmark_answer *, const char *relay_id, char postmark_id[SEARCH_ID_SIZE]);

#endif
