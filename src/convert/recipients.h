#ifndef PMRELAY_CONVERT_RECIPIENTS_H
#define PMRELAY_CONVERT_RECIPIENTS_H

#include <stddef.h>

struct mailbox;
struct mailbox_list;
struct strlist;

/*
 * Who gets an item, and as what.  The envelope alone says who gets mail; the header only says who
 * is shown, and how.  Pure.
 */
struct recipients {
	const struct mailbox **to; /* lent from the lists and the envelope */
	size_t to_count;
	const struct mailbox **cc;
	size_t cc_count;
	const struct mailbox **bcc;
	size_t bcc_count;
};

struct recipients_split {
	struct recipients *items;
	size_t item_count;
	size_t shown_dropped; /* addresses of To and Cc that are not in the envelope */
	struct mailbox *bare; /* the envelope's recipients, once each */
	const struct mailbox **order; /* what the items point into */
};

/*
 * Splits the envelope's recipients (canonical addresses) into items of at most most each:
 *	To	mailboxes of the To header that are in the envelope
 *	Cc	mailboxes of the Cc header that are, and are not in To
 *	Bcc	everybody else
 * Without a To the Cc takes its place.  An item that would have blind recipients only becomes
 * one item for each, alone in To.  Repeats count once.  The arguments are lent for the life of
 * the result.
 */
void recipients_split(struct recipients_split *, const struct strlist *envelope,
    const struct mailbox_list *to, const struct mailbox_list *cc, size_t most);
void recipients_free(struct recipients_split *);

#endif
