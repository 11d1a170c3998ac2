#ifndef PMRELAY_SANDBOX_RECORDS_H
#define PMRELAY_SANDBOX_RECORDS_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "sandbox/uuid.h"

/*
 * What happened, in the order in which it did: bounces, opens, clicks, inbound mails.  The oldest
 * are forgotten beyond a count and a size.  Records of all servers are in one list; whoever asks
 * for a server looks at ->server.
 */
struct records;

struct record {
	uint64_t number; /* given by records_add(), never again */
	int64_t server;  /* ID */
	int64_t wall_ms;
	char message[UUID_SIZE]; /* MessageID that it is about; "" for none */
	json_t *json;            /* as the API shows it; owned */
	char *source;            /* the raw message; NULL: none; owned */
	size_t bytes;            /* what it weighs */
};

/* The first record gets the number first. */
struct records *records_new(size_t most, uint64_t most_bytes, uint64_t first);
void records_free(struct records **);
void records_clear(struct records *); /* numbers go on */

/* Takes json and source; message and source may be NULL. */
struct record *records_add(
    struct records *, int64_t server, const char *message, json_t *json, char *source);
size_t records_count(const struct records *);
/* index 0 is the oldest; NULL past the newest. */
struct record *records_at(const struct records *, size_t index);
/* NULL: unknown, forgotten, or of another server. */
struct record *records_find(const struct records *, int64_t server, uint64_t number);
struct record *records_by_message(const struct records *, int64_t server, const char *message);

#endif
