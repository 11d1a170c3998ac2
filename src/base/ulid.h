#ifndef PMRELAY_BASE_ULID_H
#define PMRELAY_BASE_ULID_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Universally unique, sortable by time: 48 bits of milliseconds and 80 of randomness as 26
 * characters of Crockford's base 32.  Two relays that share a Postmark server never make the
 * same one, so an id may be searched for at Postmark without a node's name in it.
 */
#define ULID_LEN  26
#define ULID_SIZE (ULID_LEN + 1)

void ulid_make(char out[ULID_SIZE], int64_t wall_ms);
bool ulid_ok(const char *text); /* exactly ULID_LEN characters of the alphabet */

#endif
