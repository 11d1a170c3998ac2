#ifndef PMRELAY_MAIL_SUPPRESSION_H
#define PMRELAY_MAIL_SUPPRESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;

/*
 * An address that Postmark sends nothing to on one stream of one server.  Postmark keeps addresses
 * in small letters and so do we.
 */
struct suppression {
	char *connection; /* whose server */
	char *stream;
	char *address; /* bare, in small letters */
	char *reason;  /* "HardBounce", "SpamComplaint", "ManualSuppression"; "" not known */
	char *origin;  /* "Recipient", "Customer", "Admin"; "" not known */
	int64_t at_ms; /* wall clock; 0: not known */
	/* Not any more, since at_ms: kept, so that a fact of before that comes late is known as
	 * such.  In no table. */
	bool lifted;
};

/* What it holds is copied, the address in small letters; NULL for reason and origin is "". */
void suppression_copy(struct suppression *to, const struct suppression *from);
void suppression_deinit(struct suppression *);
void suppression_list_free(struct suppression *list, size_t count); /* with the array */
/* Facts come in any order, since each post that failed is repeated in its own time: the later one
 * counts, and of two of one moment the one that comes last. */
bool suppression_replaces(const struct suppression *comes, const struct suppression *is_there);
/* The order of a table: by connection, stream and address. */
int suppression_compare(const struct suppression *, const struct suppression *);

/* What an address must look like to be found: a copy in small letters; caller frees. */
char *suppression_address(const char *address);

/*
 * All of them as one block that any process can look into without unpacking it: the core makes it,
 * a front maps it and asks at each RCPT.  Pure.  A block that is not whole finds nothing.
 */
void suppression_table_make(struct buf *out, const struct suppression *list, size_t count);
int suppression_table_check(const void *table, size_t len); /* 0, or -1: not one */
struct suppression_found {
	const char *reason, *origin; /* in the table */
	int64_t at_ms;
};
/* table: checked.  0 and *found_r; or -1: this address is not suppressed there. */
int suppression_table_find(const void *table, size_t len, const char *connection,
    const char *stream, const char *address, struct suppression_found *found_r);

#endif
