#ifndef PMRELAY_STORE_KEYSET_H
#define PMRELAY_STORE_KEYSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A set of keys greater than 0, in memory.  A zeroed struct is an empty set. */
struct keyset {
	int64_t *slots; /* 0: free */
	size_t room;    /* a power of two */
	size_t count;
};

void keyset_add(struct keyset *, int64_t key);
void keyset_remove(struct keyset *, int64_t key);
bool keyset_has(const struct keyset *, int64_t key);
void keyset_free(struct keyset *); /* leaves an empty set */

#endif
