#ifndef PMRELAY_SANDBOX_STATS_H
#define PMRELAY_SANDBOX_STATS_H

#include "sandbox/api.h"

/*
 * Counts of what was sent and of what became of it, from what the sandbox keeps: what is forgotten
 * is not counted.  A mail counts once for each recipient.
 */
api_fn stats_overview; /* /stats/outbound */
api_fn stats_by_day;   /* /stats/outbound/sends and the others below */

#endif
