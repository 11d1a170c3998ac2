#ifndef PMRELAY_CONVERT_PAYLOAD_H
#define PMRELAY_CONVERT_PAYLOAD_H

#include <stddef.h>
#include <stdint.h>

struct buf;
struct payload;
struct refusal;

/* Where the bytes of an item are made: small ones in memory, large ones in a memfd. */
void payload_begin(struct buf *, size_t most, size_t expected);
/* They become the payload, at the place that fits their size whatever was expected; the buffer is
 * empty afterwards.  0, or -1 and *refusal_r: no descriptor is left. */
int payload_settle(struct payload *, struct buf *, struct refusal *refusal_r)
    __attribute__((warn_unused_result));

#endif
