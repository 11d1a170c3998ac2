#ifndef PMRELAY_OUTLET_LINE_H
#define PMRELAY_OUTLET_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ulid.h"

struct buf;
struct event_facts;
struct strlist;

/* What outlets pass on: an event as one JSON object in one line (doc/events.md).  Pure. */

/* Enough for any. */
#define LINE_MOST_BYTES ((size_t)1024 * 1024)

/* Appended, without a line end.  payload: the post goes along. */
void line_add(struct buf *out, const struct event_facts *, bool payload);

/* What a program finds in its environment: "PMRELAY_EVENT_KIND=bounce". */
void line_add_variables(struct strlist *out, const struct event_facts *);

/* Which event a line is of.  0, or -1: it is none that line_add() made. */
int line_read(const char *line, size_t len, int64_t *key_r, char id_r[ULID_SIZE]);

#endif
