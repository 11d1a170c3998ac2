#ifndef PMRELAY_SANDBOX_DOMAINS_H
#define PMRELAY_SANDBOX_DOMAINS_H

#include <stdbool.h>

/* The sender domains of the account. */
struct domains;

struct domains *domains_new(void);
void domains_free(struct domains **);
/* One that is verified from the start, by an option or the config file. */
void domains_add_verified(struct domains *, const char *name);
/* Mail may be from any address at this domain; without regard to case. */
bool domains_verified(const struct domains *, const char *name);

#endif
