#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>

#include "base/log.h"
#include "base/ulid.h"

#define RANDOM_BYTES 10 /* 80 bits */
#define POOL_BYTES   (RANDOM_BYTES * 100)

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/* Random bytes are fetched for a hundred ids at once, by each thread for itself. */
struct pool {
	unsigned char bytes[POOL_BYTES];
	size_t left;
};
static __thread struct pool pool;
static pthread_once_t fork_watch = PTHREAD_ONCE_INIT;

/* Runs in the one thread that a child has: parent and child must not hand out the same bytes. */
static void
pool_forget(void)
{
	pool.left = 0;
}

static void
fork_watch_begin(void)
{
	pthread_atfork(NULL, NULL, pool_forget);
}

static void
pool_fill(void)
{
	size_t have = 0;

	pthread_once(&fork_watch, fork_watch_begin);
	while (have < POOL_BYTES) {
		ssize_t got = getrandom(pool.bytes + have, POOL_BYTES - have, 0);

		if (got > 0) {
			have += (size_t)got;
		} else if (errno != EINTR) {
			/* Ids that repeat would lose mail: better no process. */
			log_error("no-randomness", log_num("errno", errno));
			__builtin_trap();
		}
	}
	pool.left = POOL_BYTES;
}

void
ulid_make(char out[ULID_SIZE], int64_t wall_ms)
{
	uint64_t ms = (uint64_t)wall_ms & 0xffffffffffff;
	const unsigned char *from;

	for (int i = 9; i >= 0; i--) {
		out[i] = alphabet[ms & 31];
		ms >>= 5;
	}
	if (pool.left < RANDOM_BYTES)
		pool_fill();
	from = pool.bytes + (POOL_BYTES - pool.left);
	pool.left -= RANDOM_BYTES;
	/* Five bytes are eight characters. */
	for (int half = 0; half < 2; half++, from += 5) {
		uint64_t bits = 0;

		for (int i = 0; i < 5; i++)
			bits = bits << 8 | from[i];
		for (int i = 7; i >= 0; i--) {
			out[10 + half * 8 + i] = alphabet[bits & 31];
			bits >>= 5;
		}
	}
	out[ULID_LEN] = '\0';
}

bool
ulid_ok(const char *text)
{
	size_t len = strspn(text, alphabet);

	return len == ULID_LEN && text[len] == '\0';
}
