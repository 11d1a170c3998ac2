#ifndef PMRELAY_OUTLET_FILTER_H
#define PMRELAY_OUTLET_FILTER_H

#include <stdbool.h>

struct event;
struct outlet;

/* Which events an outlet gets.  Pure. */

/* For a reader of the spool: 1U << EVENT_…; 0: any. */
unsigned filter_kinds(const struct outlet *);
/* Kind, stream and tag, each by globs without ASCII case. */
bool filter_passes(const struct outlet *, const struct event *);

#endif
