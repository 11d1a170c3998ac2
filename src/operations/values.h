#ifndef PMRELAY_OPERATIONS_VALUES_H
#define PMRELAY_OPERATIONS_VALUES_H

#include <jansson.h>

struct argument;
struct buf;
struct operation;

/*
 * What came in, checked against the table.  Pure.  All of it works on one JSON object whose
 * members are the arguments by name, every value in its checked form: INTEGER, TIME and WHEN are
 * integers (the latter two in milliseconds), CHOICE is one of the choices, BYTES is good base64.
 */

/*
 * given: object of what came in, by name; strings where it came from a query, a path or the
 * command line.  Presets are put in.  now_ms: wall clock, for WHEN.  NULL and a sentence for
 * people in why: an unknown name (with the nearest one), a missing one, a wrong type or range, or
 * which choices there are.
 */
json_t *values_check(const struct operation *, const json_t *given, int64_t now_ms, struct buf *why);

/* A text of the command line or a query to the value given; NULL and why. */
json_t *value_from_text(const struct argument *, const char *text, struct buf *why);

#endif
