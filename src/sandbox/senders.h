#ifndef PMRELAY_SANDBOX_SENDERS_H
#define PMRELAY_SANDBOX_SENDERS_H

#include <stdbool.h>

/* The sender signatures of the account. */
struct senders;

struct senders *senders_new(void);
void senders_free(struct senders **);
/* One that is confirmed from the start, by an option or the config file. */
void senders_add_confirmed(struct senders *, const char *address);
/* Mail may be from this address; without regard to case. */
bool senders_confirmed(const struct senders *, const char *address);

#endif
