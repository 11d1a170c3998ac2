#ifndef PMRELAY_SANDBOX_SETUP_H
#define PMRELAY_SANDBOX_SETUP_H

#include <stddef.h>

struct sandbox_params;
struct state;

/*
 * What the sandbox has at its start: by its params and by the config file that they name.  0, or
 * -1 and why: "FILE: servers[1].tokens[0]: wanted a text".
 */
int setup_apply(struct state *, const struct sandbox_params *, char *why, size_t why_size)
    __attribute__((warn_unused_result));

#endif
