#ifndef PMRELAY_CONSOLE_REPORT_H
#define PMRELAY_CONSOLE_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

struct buf;
struct operation;
struct paint;

/*
 * Answers that say more to people as a story than as a table: what became of a mail, what would
 * become of it, what happened, whether all is well.  Pure.
 */

/* Any answer: a report where there is one, else a table.  false: nothing was found. */
bool report_add(const struct paint *, struct buf *, const struct operation *, const json_t *answer,
    int64_t now_ms);
/* The line of one event; empty for one that says nothing. */
void report_add_event(const struct paint *, struct buf *, const json_t *event);
/* An error of the daemon: {"status","code","message","todo","postmark"}. */
void report_add_error(const struct paint *, struct buf *, const json_t *error);
/* Whether the answer of an operation that was carried out tells of a failure all the same: an
 * unhealthy relay, a mail that was not sent, a queue that is not drained. */
bool report_is_failure(const struct operation *, const json_t *answer);

#endif
