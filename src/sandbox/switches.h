#ifndef PMRELAY_SANDBOX_SWITCHES_H
#define PMRELAY_SANDBOX_SWITCHES_H

#include <jansson.h>

struct switches;

/* The switches of the sandbox as a JSON object of booleans. */
json_t *switches_json(const struct switches *);
/* Sets those that json names.  0, or -1 with nothing changed and why_r[0..size) filled. */
int switches_set(struct switches *, const json_t *json, char *why_r, size_t size);

#endif
