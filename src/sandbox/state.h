#ifndef PMRELAY_SANDBOX_STATE_H
#define PMRELAY_SANDBOX_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sandbox/account.h"
#include "sandbox/event_settings.h"

struct messages;
struct faults;
struct firing;
struct flood;
struct poster;
struct records;

/* What the two sides of the sandbox, Postmark's API and its own control, both work on. */
#define STATE_CODES          2048 /* ErrorCodes are below */
#define STATE_ROUTES         128
#define STATE_BUCKETS        9
#define STATE_DEFAULT_STREAM "outbound"

/* Postmark shows most times as in New York in winter, and reads dates so. */
#define STATE_EASTERN_MINUTES (-300)

struct counts {
	uint64_t requests[STATE_ROUTES]; /* by route of the API */
	uint64_t refused[STATE_CODES];   /* messages and whole requests, by ErrorCode */
	uint64_t test_messages;          /* right, and with the test token */
	uint64_t batches[STATE_BUCKETS]; /* by number of messages, see state_bucket_name() */
	uint64_t largest_batch;
	uint64_t faults;
	uint64_t smtp_mails;  /* that came by SMTP, right or wrong */
	uint64_t smtp_errors; /* ... and of those, with a bounce for what is wrong */
};

/* How the sandbox answers where Postmark's ways depend on an account, or are not known. */
struct switches {
	bool verify_webhooks;          /* webhooks are probed when they are made and edited */
	bool delete_servers;           /* servers may be deleted, else 604 */
	bool to_optional;              /* a message may have Cc or Bcc only */
	bool check_senders;            /* From must be a confirmed signature or at such a domain */
	bool custom_unsubscribe;       /* streams may have the handling type Custom, else 1238 */
	bool refuse_partly_suppressed; /* 406 already where one of several is suppressed */
	bool smtp_starttls;            /* the SMTP service has TLS */
	bool pending_approval;         /* recipients must be at From's domain, else 412 */
};

/* What the config file says of the SMTP service.  Strings are owned; NULL: not said. */
struct smtp_setup {
	int port; /* -1: not said */
	char *certificate_file;
	char *key_file;
	char *ca_file;
};

struct state {
	struct account account;
	int64_t next_webhook; /* ID */
	struct switches switches;
	int64_t search_lag_ms; /* accepted messages are not found by a search before */
	struct messages *messages;
	struct records *bounces;
	struct records *opens;
	struct records *clicks;
	struct records *inbound;
	struct records *removals;
	struct faults *faults;
	struct counts counts;
	struct smtp_setup smtp;
	struct event_settings event_settings;
	char *webhook_ca_file; /* what the config says; owned.  NULL: not said */
	/* Of the sandbox's loop, and lent; NULL without one: then no event is fired. */
	struct poster *poster;
	struct firing *firing;
	struct flood *flood; /* the last one; NULL: there was none */
};

void state_init(struct state *, size_t most_messages, uint64_t most_bytes);
void state_deinit(struct state *);
/* Mail may be from here. */
bool state_sender_ok(const struct state *, const char *address);

void state_count_refusal(struct state *, int code);
void state_count_batch(struct state *, size_t messages);
const char *state_bucket_name(size_t bucket);

/* "2026-09-05T22:01:01.0615102Z", or with the offset: "2026-09-05T17:01:01.0615102-05:00".
 * fraction is what comes below the millisecond, in units of 100 ns. */
#define STATE_TIME_SIZE 64
char *state_time_text(
    char out[STATE_TIME_SIZE], int64_t wall_ms, unsigned fraction, int offset_minutes);
/* The latter, for the offset of STATE_EASTERN_MINUTES. */
char *state_time_eastern(char out[STATE_TIME_SIZE], int64_t wall_ms);

#endif
