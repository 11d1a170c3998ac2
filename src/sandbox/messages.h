#ifndef PMRELAY_SANDBOX_MESSAGES_H
#define PMRELAY_SANDBOX_MESSAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strlist.h"

#include "sandbox/uuid.h"

/*
 * What the sandbox accepted, in memory, the oldest forgotten beyond a count and a size.  Found by
 * MessageID and by relay-id without a scan.  How often each relay-id came is remembered even
 * when its messages are forgotten: that is how lost and repeated mail is counted.
 */
struct messages;
struct relay;

struct message {
	char id[UUID_SIZE];
	int64_t server;  /* ID of the server that it was sent with */
	uint64_t number; /* 1 for the first that was accepted; given by messages_add() */
	int64_t wall_ms;
	int64_t mono_ms;
	unsigned fraction; /* 0 to 9999: what SubmittedAt shows below the millisecond */
	char *json;        /* the request, large attachments without their content */
	size_t json_len;
	size_t bytes; /* of bodies and attachments, as Postmark counts them */
	char *from;   /* the address alone */
	char *tag;
	char *subject;
	char *stream;
	char *relay_id; /* Metadata relay-id, or NULL */
	char *source;   /* of a mail that came by SMTP, as it came, else NULL */
	size_t source_len;
	char *bounce;              /* what the bounce-testing domain was asked for, or NULL */
	struct strlist recipients; /* addresses of To, Cc and Bcc */
	struct strlist suppressed; /* those of them that were not mailed */
	size_t batch_size;         /* 0: came alone */
	size_t token;              /* which of the server's tokens, from 1 */
	bool track_opens;          /* as the message and the server together say */
	bool track_html_links;
	bool track_text_links;
	bool sandboxed;

	/* of messages.c */
	uint64_t hash;
	struct relay *relay;
	struct message *next_hashed;
	struct message *next_same; /* with the same relay-id */
};

struct message *message_new(void); /* with an id */
void message_free(struct message **);

struct messages *messages_new(size_t most, uint64_t most_bytes);
void messages_free(struct messages **);
void messages_clear(struct messages *); /* the relay-ids as well */

void messages_add(struct messages *, struct message *); /* takes */
size_t messages_count(const struct messages *);
uint64_t messages_accepted(const struct messages *); /* ever, or since the clearing */
uint64_t messages_bytes(const struct messages *);
/* index 0 is the oldest that is kept; NULL past the newest. */
const struct message *messages_at(const struct messages *, size_t index);
const struct message *messages_find(const struct messages *, const char *id);
/* NULL also where the message is another server's. */
const struct message *messages_of_server(const struct messages *, int64_t server, const char *id);
/* The newest message with this relay-id; the others by ->next_same, newest first. */
const struct message *messages_by_relay_id(const struct messages *, const char *relay_id);

/* Each relay-id in the order of first arrival, and how many messages had it. */
size_t messages_relay_count(const struct messages *);
const char *messages_relay_at(const struct messages *, size_t index, uint64_t *times_r);
/* Accepted messages beyond the first of their relay-id. */
uint64_t messages_repeats(const struct messages *);
/* Messages whose relay-id came when no more could be remembered. */
uint64_t messages_relay_left_out(const struct messages *);

#endif
