#ifndef PMRELAY_SANDBOX_WEBHOOKS_H
#define PMRELAY_SANDBOX_WEBHOOKS_H

/* The webhooks of one server. */
struct webhooks;

struct webhooks *webhooks_new(void);
void webhooks_free(struct webhooks **);

#endif
