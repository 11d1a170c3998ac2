#ifndef PMRELAY_SANDBOX_CHANCE_H
#define PMRELAY_SANDBOX_CHANCE_H

#include <stdint.h>

/* The next of a sequence that its seed decides (splitmix64), as a number in 0 <= x < 1.  Pure. */
double chance_next(uint64_t *seed);

#endif
