#ifndef PMRELAY_SANDBOX_RULES_H
#define PMRELAY_SANDBOX_RULES_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "base/strlist.h"

/*
 * Postmark's rules for one message, as published and as seen on the wire, in the order in which
 * this sandbox checks them.  Pure.  Nothing here is shared with the converter: two independent
 * readings of the same rules have to agree.
 */
#define RULES_MOST_RECIPIENTS     50
#define RULES_MOST_BATCH          500
#define RULES_MOST_FROM_UNITS     255
#define RULES_MOST_SUBJECT_UNITS  2000
#define RULES_MOST_TAG_UNITS      1000
#define RULES_MOST_BODY_BYTES     5242880
#define RULES_MOST_MESSAGE_BYTES  10485760
#define RULES_MOST_BATCH_BYTES    52428800
#define RULES_MOST_METADATA       10
#define RULES_MOST_METADATA_KEY   20
#define RULES_MOST_METADATA_VALUE 80
#define RULES_INACTIVE_SEPARATOR  ", "

/* What a server makes of the name of a stream. */
enum rules_stream {
	RULES_STREAM_SENDS,
	RULES_STREAM_INBOUND,
	RULES_STREAM_UNKNOWN, /* or archived */
};

struct rules_params {
	/* NULL: "outbound" and "broadcast" send, "inbound" does not, there are no others. */
	enum rules_stream (*stream)(const void *ctx, const char *id);
	const void *ctx;
	bool to_optional;   /* a message may have Cc or Bcc only */
	bool body_optional; /* a template will make the bodies */
	size_t recipients;  /* how many the envelope has; 0: To, Cc and Bcc tell */
};

enum rules_field {
	RULES_TO,
	RULES_CC,
	RULES_BCC,
};
#define RULES_FIELDS 3

/* The mailboxes of one list: names[i] is "" where addresses[i] came without a name. */
struct rules_mailboxes {
	struct strlist addresses;
	struct strlist names;
};

/* What a message says once it is known to be right.  Texts are lent by the JSON. */
struct rules_message {
	const char *stream; /* "outbound" when the message names none */
	const char *to;     /* as it was sent; NULL: none */
	const char *subject;
	const char *tag;         /* "" for none */
	const char *text_body;   /* "" for none */
	const char *html_body;   /* "" for none */
	const char *bounce_type; /* value of the header X-PM-Bounce-Type, or NULL */
	char *from;              /* the address alone; owned */
	struct rules_mailboxes lists[RULES_FIELDS];
	const json_t *metadata; /* an object, or NULL */
	size_t bytes;           /* of bodies and of attachments as base64 */
	size_t attachment_bytes;
};

struct rules_refusal {
	int code;   /* Postmark's ErrorCode */
	char *text; /* owned */
};

/*
 * 0: message_r is filled, to be ended by rules_message_deinit().  -1: refusal_r tells why, to be
 * ended by rules_refusal_deinit(), and message_r needs nothing.
 */
int rules_judge(const json_t *message, const struct rules_params *, struct rules_message *message_r,
    struct rules_refusal *refusal_r) __attribute__((warn_unused_result));
/* The sender's 400, which comes after all that rules_judge() refuses.  Returns -1. */
int rules_refuse_sender(const char *from, struct rules_refusal *refusal_r);
/* The refusal, formatted.  Returns -1. */
int rules_refuse(struct rules_refusal *, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void rules_message_deinit(struct rules_message *);
void rules_refusal_deinit(struct rules_refusal *);

/*
 * The mailboxes of a list, by the published address patterns.  field is the name that a refusal
 * shows.  An empty list is fine and has none.  0, or -1 and refusal_r.
 */
int rules_mailboxes_parse(const char *field, const char *list, struct rules_mailboxes *list_r,
    struct rules_refusal *refusal_r) __attribute__((warn_unused_result));
void rules_mailboxes_deinit(struct rules_mailboxes *);

bool rules_extension_forbidden(const char *file_name);
bool rules_header_forbidden(const char *name);

/* Texts of answers, for the caller to free. */
char *rules_inactive_text(const struct strlist *addresses, bool in_batch);
char *rules_partial_text(const struct strlist *addresses);

#endif
