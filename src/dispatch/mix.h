#ifndef PMRELAY_DISPATCH_MIX_H
#define PMRELAY_DISPATCH_MIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/store.h"

/*
 * Claimed items of several kinds to requests of one.  A claim brings what is due, of whatever kind;
 * a call of Postmark takes one kind alone.  Sent as they come, each claim would make as many small
 * requests as it has kinds.  So a kind that does not fill a request waits for the next claims, but
 * only for MIX_MOST_CLAIMS of them: a rare kind does not wait for its own company in a long queue
 * of the other.  Pure.
 *
 * A mail that goes as it is, by SMTP or to where mails that came in go, is a request by itself and
 * waits for nobody.
 */
#define MIX_KINDS       ((size_t)ITEM_KINDS)
#define MIX_MOST_CLAIMS 4U

struct mix {
	struct mix_kind {
		struct store_item *items; /* oldest first */
		size_t count;
		unsigned claims; /* that it has waited for since it came or last left */
	} of[MIX_KINDS];
};

bool mix_goes_alone(enum item_kind);

bool mix_is_empty(const struct mix *);
size_t mix_count(const struct mix *);
/* One request can take them: they are of one kind, and more than one only if it has calls for more.
 */
bool mix_is_one_request(const struct store_item *items, size_t count);

/* Takes the items of a claim, and the array. */
void mix_add(struct mix *, struct store_item *items, size_t count);

/*
 * The items of one request, for the caller: a full one, or what has waited long enough, or, when
 * all is true, whatever is there.  False: none, for now.
 */
bool mix_next(struct mix *, size_t most_items, uint64_t most_bytes, bool all,
    struct store_item **items_r, size_t *count_r);

#endif
