#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "sandbox/uuid.h"

#define UUID_BYTES 16

/* Randomness is fetched for many identifiers at once: a system call each would show. */
static uint8_t pool[UUID_BYTES * 256];
static size_t pool_used = sizeof(pool);

static void
pool_fill(void)
{
	size_t got = 0;

	while (got < sizeof(pool)) {
		ssize_t n = getrandom(pool + got, sizeof(pool) - got, 0);

		if (n > 0)
			got += (size_t)n;
		else if (errno != EINTR)
			abort();
	}
	pool_used = 0;
}

void
uuid_make(char out[UUID_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	uint8_t bytes[UUID_BYTES];

	if (pool_used == sizeof(pool))
		pool_fill();
	memcpy(bytes, pool + pool_used, sizeof(bytes));
	pool_used += sizeof(bytes);
	bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x40); /* RFC 4122 4.4 */
	bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
	for (size_t i = 0; i < UUID_BYTES; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*out++ = '-';
		*out++ = digits[bytes[i] >> 4];
		*out++ = digits[bytes[i] & 0x0f];
	}
	*out = '\0';
}
