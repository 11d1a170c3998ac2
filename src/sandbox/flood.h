#ifndef PMRELAY_SANDBOX_FLOOD_H
#define PMRELAY_SANDBOX_FLOOD_H

#include <stdbool.h>

#include <jansson.h>

struct flood;
struct server;
struct state;

/*
 * Many events that nothing happened for, as fast as they are taken: for a test of load.  They are
 * made as posts become free, and no two are alike.
 */

/*
 * json: count, kinds, message_ids, relay_ids, recipient, stream, parallel (pmrelay-sandbox(8)).
 * 0, or -1 and *why_r, lent for ever.  There must be none that runs, and a queue of events.
 */
int flood_start(struct state *, struct server *, const json_t *json, const char **why_r)
    __attribute__((warn_unused_result));
bool flood_runs(const struct state *);
/* How far it is, and how fast; a new reference.  {} where there was none. */
json_t *flood_json(const struct state *);
/* Events of it must not be pending: see firing_clear(). */
void flood_free(struct flood **);

#endif
