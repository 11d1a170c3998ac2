#ifndef PMRELAY_SANDBOX_STATE_H
#define PMRELAY_SANDBOX_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "sandbox/rules.h"

struct messages;
struct faults;

/* What the two sides of the sandbox, Postmark's API and its own control, both work on. */
#define STATE_CODES          2048 /* ErrorCodes are below */
#define STATE_ROUTES         8
#define STATE_BUCKETS        9
#define STATE_DEFAULT_STREAM "outbound"

struct counts {
	uint64_t requests[STATE_ROUTES]; /* by route of the API */
	uint64_t refused[STATE_CODES];   /* messages and whole requests, by ErrorCode */
	uint64_t test_messages;          /* right, and with the test token */
	uint64_t batches[STATE_BUCKETS]; /* by number of messages, see state_bucket_name() */
	uint64_t largest_batch;
	uint64_t faults;
};

struct state {
	const char *const *tokens;
	struct rules_params rules;
	int64_t search_lag_ms; /* accepted messages are not found by a search before */
	struct messages *messages;
	struct faults *faults;
	json_t *suppressions; /* an object, see state_suppress() */
	struct counts counts;
};

void state_count_refusal(struct state *, int code);
void state_count_batch(struct state *, size_t messages);
const char *state_bucket_name(size_t bucket);

/* Suppressed addresses, per stream; addresses are compared without regard to case. */
bool state_suppressed(const struct state *, const char *stream, const char *address);
void state_suppress(struct state *, const char *stream, const char *address, const char *reason);

/* "2026-09-05T22:01:01.0615102Z", or with the offset: "2026-09-05T17:01:01.0615102-05:00".
 * fraction is what comes below the millisecond, in units of 100 ns. */
#define STATE_TIME_SIZE 64
char *state_time_text(
    char out[STATE_TIME_SIZE], int64_t wall_ms, unsigned fraction, int offset_minutes);

#endif
