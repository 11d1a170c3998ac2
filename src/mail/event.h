#ifndef PMRELAY_MAIL_EVENT_H
#define PMRELAY_MAIL_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ulid.h"

/*
 * A fact about a message after it was sent, as one webhook post of Postmark's tells it, or as this
 * relay found out itself.  The numbers are stored: never renumber.
 */
enum event_kind {
	EVENT_OTHER = 0, /* a RecordType that we do not know: kept and passed on */
	EVENT_DELIVERY = 1,
	EVENT_BOUNCE = 2,
	EVENT_COMPLAINT = 3,
	EVENT_OPEN = 4,
	EVENT_CLICK = 5,
	EVENT_SUBSCRIPTION = 6,
	/* Of our own. */
	EVENT_FAILED = 7,   /* the item will never be sent: refused for good, or too old */
	EVENT_INACTIVE = 8, /* Postmark took the item, but not for these recipients (inactive) */
};
#define EVENT_KINDS (EVENT_INACTIVE + 1)
/* "delivery", "bounce", "complaint", "open", "click", "subscription", "failed", "inactive",
 * "other": in filters, outlets and logs. */
const char *event_kind_name(enum event_kind);
int event_kind_parse(const char *name, enum event_kind *kind_r); /* 0, or -1 */

/* Two posts of one fact have the same mark, whatever else differs. */
#define EVENT_MARK_BYTES 16
#define EVENT_MOST_TEXT  1024         /* of each text below */
#define EVENT_MOST_JSON  (256 * 1024) /* of what is kept of a post */

/*
 * Texts are clean UTF-8 without control characters, "" when the post has none, never NULL, all
 * owned.  Which of them a kind has is said with each.
 */
struct event {
	char id[ULID_SIZE]; /* ours, made when it came */
	enum event_kind kind;
	unsigned char mark[EVENT_MARK_BYTES];
	int64_t received_ms; /* wall clock */
	int64_t at_ms;    /* when it happened, by its own word; received_ms where it says nothing */
	char *connection; /* whose server: of the webhook that it came by; "" not known */
	char *relay_id;   /* the item, by Metadata; not checked to be one of ours */
	char *message_id; /* Postmark's */
	char *stream, *tag;
	char *recipient; /* whom it is about, bare; of INACTIVE and FAILED: ", " between several */
	/*
	 * BOUNCE, COMPLAINT: the Type, "HardBounce".  SUBSCRIPTION: the SuppressionReason.  OPEN,
	 * CLICK: the Platform.  OTHER: the RecordType.  FAILED, INACTIVE: Postmark's ErrorCode.
	 */
	char *type;
	char *origin; /* SUBSCRIPTION: "Recipient", "Customer", "Admin" */
	/* For people: Details of DELIVERY and BOUNCE, the link of CLICK, the UserAgent of OPEN,
	 * what Postmark said of FAILED. */
	char *detail;
	int type_code;   /* BOUNCE, COMPLAINT */
	int64_t number;  /* BOUNCE, COMPLAINT: Postmark's ID; 0: none */
	bool suppressed; /* BOUNCE, COMPLAINT: Inactive.  SUBSCRIPTION: SuppressSending */
	bool first;      /* OPEN: FirstOpen */
	/* The post itself: one JSON object, at most EVENT_MOST_JSON, without "Content" where that
	 * is what makes it too large. */
	char *json;
	size_t json_len;
};

/* event_new() and event_free() are libevent's, which would call ours. */
struct event *mail_event_new(void); /* all texts "" */
void mail_event_free(struct event **);

/*
 * What it says of an address: that Postmark sends it nothing more on that stream, or that it does
 * again (lifted).  Whoever keeps a list of these follows what suppression_replaces() what he has.
 * out: its texts are the event's, but for address, which the caller frees; nothing to free, and
 * nothing in it, for NOTHING.
 */
struct suppression;
enum event_says { EVENT_SAYS_NOTHING, EVENT_SUPPRESSES, EVENT_LIFTS };
enum event_says event_suppression(const struct event *, struct suppression *out);

/*
 * What came of one message for one recipient or for all: bits, since a mail that was delivered may
 * be opened and complained about.  Stored: never renumber.
 */
enum fate {
	FATE_DELIVERED = 1 << 0,
	FATE_DELAYED = 1 << 1, /* Transient: more may follow */
	FATE_BOUNCED = 1 << 2, /* it will not arrive */
	FATE_COMPLAINED = 1 << 3,
	FATE_OPENED = 1 << 4,
	FATE_CLICKED = 1 << 5,
	FATE_SUPPRESSED = 1 << 6, /* gets no more mail from this stream */
	FATE_UNSUBSCRIBED =
	    1 << 7,             /* by the recipient's own wish: SUBSCRIPTION, ManualSuppression */
	FATE_ANSWERED = 1 << 8, /* AutoResponder, AddressChange and such: for information */
};
/* For people, one line: whom it is about and what happened. */
struct buf;
void event_describe(const struct event *, struct buf *out);
/* What one event adds; 0: nothing (SUBSCRIPTION that lifts). */
unsigned event_fate(const struct event *);
/* The word that says most: "complained", "bounced", "clicked", "opened", "delivered", "delayed",
 * ...; "" for 0. */
const char *fate_name(unsigned fates);
int fate_parse(const char *name, unsigned *fate_r); /* one bit; 0, or -1 */
/* Whether a bounce of this type means that the mail will not arrive (postmark-api, 14.2): the type
 * as Postmark spells it; unknown ones do.  suppressed: the post's Inactive. */
bool event_bounce_is_final(const char *type, bool suppressed);

#endif
