#ifndef PMRELAY_CONVERT_HEADERS_H
#define PMRELAY_CONVERT_HEADERS_H

#include <stdbool.h>
#include <stddef.h>

#include "mail/address.h"
#include "convert/controls.h"

struct convert_input;
struct convert_options;
struct ledger;
struct mime;
struct refusal;

/* Postmark "Email API": limits in UTF-16 units. */
#define HEADERS_MOST_FROM           255
#define HEADERS_MOST_SUBJECT        2000
#define HEADERS_MOST_TAG            1000
#define HEADERS_MOST_METADATA       10 /* our relay-id is one of them */
#define HEADERS_MOST_METADATA_KEY   20
#define HEADERS_MOST_METADATA_VALUE 80
/* All address fields together; a thousand recipients with long names fit several times. */
#define HEADERS_MOST_ADDRESS_BYTES 262144
/* RFC 5322 2.1.1: a line has 998 characters at most, and a name cannot be folded. */
#define HEADERS_MOST_NAME 997
/* The addresses in X-Redirected-For; how many more there are is said. */
#define HEADERS_MOST_REDIRECTED_BYTES 800

/* What the top header of a mail becomes.  Strings are clean: valid UTF-8 without any control. */
struct headers {
	char *from;                  /* as Postmark reads it */
	struct mailbox from_mailbox; /* the same */
	bool from_replaced;          /* the mail's From is not what goes out: from_mailbox is */
	struct mailbox author;       /* the same before a route rewrote it; address NULL: nobody */
	struct mailbox_list to;
	struct mailbox_list cc;
	char *reply_to;             /* NULL: none */
	bool reply_to_is_ours;      /* the author's, for a From that was rewritten */
	char *subject;              /* "" for none; of any length: headers_check_subject() */
	char *message_id;           /* "" for none */
	char *redirected;           /* staging: whom the mail was for; NULL */
	struct header_pairs others; /* in their order */
	struct controls controls;
};

/*
 * What the input's envelope sender and redirected are for is here, too.  0, or -1 and *refusal_r.
 * Whatever comes back, headers_free() is due.
 */
int headers_read(struct headers *, const struct convert_options *, const struct mime *,
    const struct convert_input *, struct ledger *, struct refusal *refusal_r)
    __attribute__((warn_unused_result));
void headers_free(struct headers *);

/* Postmark's limit, where a subject goes out at all: not beside a template.  0, or -1. */
int headers_check_subject(const struct headers *, struct refusal *refusal_r)
    __attribute__((warn_unused_result));

/* A field of that name says who got a copy of a mail, and would tell on blind recipients. */
bool headers_tell_on_recipients(const char *name, size_t name_len);
/* One of X-PM-*, known or not: it is for the relay, and Postmark's service must not read it. */
bool headers_is_control(const char *name, size_t name_len);
/* Printable ASCII, no colon, not empty: RFC 5322 3.6.8. */
bool headers_name_is_good(const char *name, size_t name_len);

#endif
