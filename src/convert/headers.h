#ifndef PMRELAY_CONVERT_HEADERS_H
#define PMRELAY_CONVERT_HEADERS_H

#include <stdbool.h>
#include <stddef.h>

#include "mail/address.h"

struct convert_options;
struct ledger;
struct mime;
struct refusal;

/* Postmark "Email API": limits in UTF-16 units. */
#define HEADERS_MOST_FROM	    255
#define HEADERS_MOST_SUBJECT	    2000
#define HEADERS_MOST_TAG	    1000
#define HEADERS_MOST_METADATA	    10 /* our relay-id is one of them */
#define HEADERS_MOST_METADATA_KEY   20
#define HEADERS_MOST_METADATA_VALUE 80
/* All address fields together; a thousand recipients with long names fit several times. */
#define HEADERS_MOST_ADDRESS_BYTES 262144

struct header_pair {
	char *name;
	char *value;
};

/* What the top header of a mail becomes.  Strings are clean: valid UTF-8 without any control. */
struct headers {
	char *from; /* as Postmark reads it */
	struct mailbox_list to;
	struct mailbox_list cc;
	char *reply_to;	  /* NULL: none */
	char *subject;	  /* "" for none */
	char *message_id; /* "" for none */
	struct header_pair *others; /* in their order */
	size_t other_count;
	/* Controls; the route's where the mail has none. */
	char *tag; /* "" for none */
	int track_opens; /* -1: not said */
	const char *track_links; /* "": not said; static or lent from the options */
	char *message_stream; /* "": not said */
	struct header_pair *metadata;
	size_t metadata_count;
};

/* 0, or -1 and *refusal_r.  Whatever comes back, headers_free() is due. */
int headers_read(struct headers *, const struct convert_options *, const struct mime *,
    const char *reverse_path, struct ledger *, struct refusal *refusal_r)
    __attribute__((warn_unused_result));
void headers_free(struct headers *);

#endif
