#ifndef PMRELAY_OPERATIONS_VALUES_H
#define PMRELAY_OPERATIONS_VALUES_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "operations/operation.h"

struct buf;

/*
 * What came in, checked against the table.  Pure.  All of it works on one JSON object whose
 * members are the arguments by name, every value in its checked form: INTEGER, TIME and WHEN are
 * integers (the latter two in milliseconds), CHOICE is one of the choices, BYTES is good base64.
 */

/*
 * given: object of what came in, by name; strings where it came from a query, a path or the
 * command line.  Presets are put in.  now_ms: wall clock, for WHEN.  NULL and a sentence for
 * people in why: an unknown name (with the nearest one), a missing one, a wrong type or range, or
 * which choices there are.  Postmark's own spelling of a name is taken as well ("HtmlBody" for
 * html-body), a null is as if it were not there, and an ARRAY may come wrapped as Postmark has it:
 * {"Messages":[...]}.
 */
json_t *values_check(
    const struct operation *, const json_t *given, int64_t now_ms, struct buf *why);

/* The first argument whose checked value takes ACCESS_ADMIN, even if the operation does not; NULL:
 * none does. */
const struct argument *values_admin_argument(const struct operation *, const json_t *checked);

/* A text of the command line or a query to the value given; NULL and why. */
json_t *value_from_text(const struct argument *, const char *text, struct buf *why);

/*
 * A file's bytes to the value given, for BYTES, FILES and ATTACHMENTS; name (of FILES and
 * ATTACHMENTS): what it is called there, without any folder.
 */
json_t *value_from_bytes(
    const struct argument *, const char *name, const void *bytes, size_t len, struct buf *why);

/*
 * Puts a value among the given, taking the reference.  One of a kind that may be repeated joins
 * those that are there.  0, or -1 and why: it was given twice.
 */
int values_give(json_t *given, const struct argument *, json_t *value, struct buf *why);

#endif
