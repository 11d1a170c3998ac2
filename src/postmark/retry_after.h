#ifndef PMRELAY_POSTMARK_RETRY_AFTER_H
#define PMRELAY_POSTMARK_RETRY_AFTER_H

#include <stddef.h>
#include <stdint.h>

/* Nothing may silence a route for longer than this by a header. */
#define RETRY_AFTER_MOST_MS (24 * INT64_C(3600) * 1000)

/*
 * The value of a Retry-After field (RFC 9110 10.2.3: seconds or a date) as a span from now, 0 to
 * RETRY_AFTER_MOST_MS; -1 when it is neither.  Pure.
 */
int64_t retry_after_ms(const char *value, size_t len, int64_t now_wall_ms);

#endif
