#ifndef PMRELAY_OPERATIONS_KINDS_H
#define PMRELAY_OPERATIONS_KINDS_H

#include <stdint.h>

#include <jansson.h>

struct argument;
struct buf;

/*
 * One value against the kind of its argument.  Of this folder alone.
 *
 * The checked form, a new reference, from whatever form the kind may have; the checked form passes
 * unchanged.  NULL and why.
 */
json_t *kind_check(const struct argument *, const json_t *value, int64_t now_ms, struct buf *why);

/* "name: sentence"; always NULL. */
json_t *kind_wrong(struct buf *why, const struct argument *, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* How much of a foreign text a sentence quotes. */
#define KIND_QUOTE_SIZE 80

#endif
