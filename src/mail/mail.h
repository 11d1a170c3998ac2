#ifndef PMRELAY_MAIL_MAIL_H
#define PMRELAY_MAIL_MAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strlist.h"
#include "base/ulid.h"

/*
 * What one SMTP transaction became: a mail and its items.  An item is one Postmark message, and
 * what the spool keeps, retries and reports on.  Its id is the mail's id, '-' and its number from
 * 1 on: it is the "relay-id" in the message's Metadata, and what logs call item=.
 */
#define ITEM_ID_SIZE (ULID_SIZE + 8)

/* The finished JSON of an item: in memory or, when it is large, in a file or memfd. */
struct payload {
	char *data; /* owned; NULL when fd holds it */
	size_t len;
	int fd; /* owned; -1 when data holds it */
};
/* From this size on a payload travels and rests as a file instead of as bytes in a row. */
#define PAYLOAD_LARGE (64U * 1024U)

void payload_init(struct payload *);
void payload_free(struct payload *); /* leaves an initialised one */
/* Appends its bytes, wherever they are.  0, or -1 and errno.  For what needs them whole. */
struct buf;
int payload_read(const struct payload *, struct buf *out);

/* Which of Postmark's calls takes it.  The numbers are stored: never renumber. */
enum item_kind {
	ITEM_EMAIL = 0,    /* /email and /email/batch */
	ITEM_TEMPLATE = 1, /* /email/withTemplate and /email/batchWithTemplates */
	ITEM_SMTP = 2, /* Postmark's SMTP service: the payload is the mail itself, CRLF lines, not
			* dot-stuffed; goes to the item's recipients in one transaction */
	ITEM_LOCAL = 3, /* not Postmark, but where the section inbound says (LMTP, SMTP, Maildir, a
			 * command): a mail that came in, or a notice; payload as of ITEM_SMTP */
};
#define ITEM_KINDS (ITEM_LOCAL + 1)

struct item {
	unsigned number; /* 1… within its mail */
	enum item_kind kind;
	struct strlist recipients; /* all of To, Cc and Bcc; bare canonical addresses */
	struct payload payload;
};

/* What the 250 is to promise (routes, option reply). */
enum reply_mode {
	REPLY_QUEUED,   /* the mail is durable */
	REPLY_POSTMARK, /* Postmark took it; no answer in reply_within_ms: durable, and said so */
	REPLY_POSTMARK_OR_REFUSE, /* the same; no answer: 451, and it is not sent */
};

struct mail {
	/*
	 * What one transaction brought for the recipients of another route: a mail with an id and
	 * items of its own, committed with this one or not at all.  Owned; NULL after the last.
	 */
	struct mail *next;
	char id[ULID_SIZE];
	int64_t accepted_ms; /* wall clock, when the content was complete */
	char *reverse_path;  /* "" is <> */
	char *route;         /* name of the route: whose token, which stream */
	char *listener;
	char *client;
	char *helo;
	char *message_id; /* of the content, "" if none */
	char *from;       /* header From as sent to Postmark */
	char *subject;    /* decoded, cut to 250 bytes at a character: for people */
	char *ledger; /* fidelity: what was converted or dropped, "date,sender"; "" if nothing */
	uint64_t content_bytes; /* as received */
	bool captured;          /* staging: its items are kept and not sent (ITEM_CAPTURED) */
	/* Not NULL: its items are stored as ITEM_HELD, and the history says this; released, they go
	 * out.  Owned. */
	char *held_why;
	enum reply_mode reply;
	int64_t reply_within_ms; /* of REPLY_POSTMARK and the like */
	struct item *items;
	size_t item_count;
	/*
	 * What the payload of every item goes on with: a message is item->payload followed by
	 * this, so that a large mail to a thousand blind recipients is kept once.  It begins with
	 * the comma after the items' own members.  Empty (len 0) in a mail of one item, whose
	 * payload is whole.
	 */
	struct payload shared;
};

struct mail *mail_new(void);
void mail_free(struct mail **);                   /* with those after it */
uint64_t mail_payload_bytes(const struct mail *); /* of all items, and of what they share; with
						   * those after it */
void item_id(char out[ITEM_ID_SIZE], const char *mail_id, unsigned number);
/* The other way, of what people typed: the id of a mail (number 0) or of an item, in letters of
 * either case.  0, or -1: neither. */
int item_id_read(const char *id, char mail_id_r[ULID_SIZE], unsigned *number_r);

/* States of an item; doc/queue.md has the table.  The numbers are stored: never renumber. */
enum item_state {
	ITEM_SPOOLED = 1,  /* durable, not tried yet */
	ITEM_SENDING = 2,  /* a request may be under way */
	ITEM_WAITING = 3,  /* to be tried again at a time */
	ITEM_HELD = 4,     /* an operator must act */
	ITEM_UNSURE = 5,   /* a request went out, no answer came */
	ITEM_SENT = 6,     /* Postmark has it */
	ITEM_FAILED = 7,   /* will never be sent */
	ITEM_CAPTURED = 8, /* kept to be looked at, not sent: staging; a retry sends it after all */
};
#define ITEM_STATES (ITEM_CAPTURED + 1) /* of arrays by state */
const char *item_state_name(enum item_state);

#endif
