#ifndef PMRELAY_SANDBOX_STREAM_H
#define PMRELAY_SANDBOX_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

/* One message stream of a server, with the addresses that it does not mail to. */
#define STREAM_MOST              10
#define STREAM_MOST_SUPPRESSIONS 200000 /* the oldest are forgotten beyond */
#define STREAM_OUTBOUND          "outbound"
#define STREAM_INBOUND           "inbound"
#define STREAM_BROADCAST         "broadcast"

enum stream_type {
	STREAM_TYPE_TRANSACTIONAL,
	STREAM_TYPE_BROADCASTS,
	STREAM_TYPE_INBOUND,
};

struct message_stream {
	char *id;
	enum stream_type type;
	bool archived;
	json_t *shown; /* as the API shows it */
	/* By lower-case address: EmailAddress, SuppressionReason, Origin, CreatedAt. */
	json_t *suppressions;
};

struct message_stream *message_stream_new(
    const char *id, const char *name, enum stream_type, int64_t server);
void message_stream_free(struct message_stream **);

const char *message_stream_type_name(enum stream_type);
/* Without regard to case.  -1: there is none of this name. */
int message_stream_type_parse(const char *name, enum stream_type *type_r);

/* What suppresses the address, lent until it changes; NULL: nothing does. */
json_t *message_stream_suppression(const struct message_stream *, const char *address);
/* reason: "HardBounce", "SpamComplaint", "ManualSuppression"; origin: "Recipient", "Customer". */
void message_stream_suppress(
    struct message_stream *, const char *address, const char *reason, const char *origin);
void message_stream_unsuppress(struct message_stream *, const char *address);

#endif
