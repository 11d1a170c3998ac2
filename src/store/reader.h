#ifndef PMRELAY_STORE_READER_H
#define PMRELAY_STORE_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strlist.h"
#include "mail/mail.h"

/*
 * Looking into the spool without asking the writer: a connection of its own that only reads and
 * never makes the writer wait.  It belongs to one thread, which may be another than the store's;
 * its functions block for as long as the disk and their budget take.  What is read is a state that
 * was durable.
 */
struct store_reader;

/* After store_open() of the same folder.  NULL and why. */
struct store_reader *store_reader_open(
    const char *backend, const char *folder, char *why, size_t why_size);
void store_reader_close(struct store_reader **);
const char *store_reader_why(const struct store_reader *); /* the last failure, for people */

/* Everything the spool knows of an item but its history and its payload. */
struct item_facts {
	int64_t key; /* larger is newer */
	char id[ITEM_ID_SIZE];
	char *route;
	enum item_kind kind;
	enum item_state state;
	bool put_aside;
	int64_t due_ms; /* of SPOOLED, WAITING, UNSURE */
	unsigned attempts;
	int64_t ended_ms; /* of SENT, FAILED, CAPTURED; else 0 */
	bool told;        /* of FAILED: its sender knows already */
	bool has_payload;
	uint64_t message_bytes;
	struct strlist recipients;
	char *postmark_id; /* or NULL */
	char *inactive;    /* or NULL */
	unsigned fates;    /* of all its recipients: enum fate (mail/event.h) */
	/* of its mail */
	int64_t accepted_ms;
	char *reverse_path, *listener, *client, *helo, *message_id, *from, *subject, *ledger;
	uint64_t content_bytes;
};
void item_facts_free(struct item_facts *); /* what it holds, not the struct */

struct item_filter {
	unsigned states;       /* 1U << ITEM_…; 0: any */
	unsigned fates;        /* FATE_…: with any of these (mail/event.h); 0: any item */
	const char *route;     /* NULL: any, and so for the others */
	const char *recipient; /* these three: a part of it, ASCII letters of either case */
	const char *sender;    /* of reverse-path or From */
	const char *subject;
	int64_t since_ms, until_ms; /* accepted; 0: any */
};

struct item_page {
	bool oldest_first;
	int64_t from_key; /* begin after this one in the chosen order; 0: at the start */
	size_t most_items;
	int64_t
	    budget_ms; /* stop looking after this long: a filter may match nothing in a million */
};

/* The item of that key.  1: it is gone. */
int store_reader_item(struct store_reader *, int64_t key, struct item_facts *item_r);

/*
 * *items_r: an array for the caller, each to be freed with item_facts_free(), then the array.
 * *next_key_r: from_key of the next page, 0 when this was the last.  A page that ended because of
 * its budget may be short or empty and still have a next.  0, or -1.
 */
int store_reader_list(struct store_reader *, const struct item_filter *, const struct item_page *,
    struct item_facts **items_r, size_t *count_r, int64_t *next_key_r);

/*
 * The items that an id stands for: the id of an item or of a mail, Postmark's MessageID, or a
 * Message-ID with or without its angle brackets (newest first, most at most).  By an index each:
 * milliseconds with millions of items.
 */
int store_reader_find(struct store_reader *, const char *id, size_t most,
    struct item_facts **items_r, size_t *count_r);

/* One line of an item's history, in its order. */
struct attempt_facts {
	unsigned attempt; /* 0: of an operator */
	int64_t at_ms;
	enum item_state to;
	int http_status, error_code;
	char *answer; /* verbatim, or what was done and by whom; or NULL */
};
int store_reader_history(
    struct store_reader *, int64_t key, struct attempt_facts **lines_r, size_t *count_r);
void attempt_facts_free(struct attempt_facts *lines, size_t count); /* with the array */

/*
 * Events, oldest first: those with a key above after_key; item not 0: of that item alone.  kinds:
 * 1U << EVENT_…; 0: any.  Ends at most events or at 8 MB of them; none: there are no more now.  By
 * an index each: what does not fit is not looked at.  *events_r: an array for the caller, to be
 * freed by event_facts_free().
 */
struct event;
struct event_facts {
	int64_t key;
	int64_t item_key;        /* 0: not one of ours, or gone */
	char item[ITEM_ID_SIZE]; /* "" if none */
	char route[64];
	struct event *event;
};
struct event_page {
	int64_t after_key, item;
	unsigned kinds;
	size_t most;
};
int store_reader_events(struct store_reader *, const struct event_page *,
    struct event_facts **events_r, size_t *count_r);
void event_facts_free(struct event_facts *events, size_t count); /* with the array */
/* The newest key there has ever been, gone or not.  0: none yet. */
int store_reader_last_event(struct store_reader *, int64_t *key_r);
/* How far an outlet has come.  1: it is not known, it never told. */
int store_reader_outlet(struct store_reader *, const char *name, int64_t *after_key_r);

/* The whole message as it goes to Postmark, with what it shares, appended.  1: it is gone. */
struct buf;
int store_reader_payload(struct store_reader *, int64_t key, struct buf *out);

struct store_counts;
int store_reader_count(struct store_reader *, struct store_counts *); /* but commits and syncs */

#endif
