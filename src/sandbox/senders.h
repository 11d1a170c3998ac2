#ifndef PMRELAY_SANDBOX_SENDERS_H
#define PMRELAY_SANDBOX_SENDERS_H

#include <stdbool.h>

#include <jansson.h>

#include "sandbox/api.h"

/*
 * The sender signatures of the account.  Nobody reads the mail that asks for confirmation: the
 * control side confirms; at a verified domain an address needs no confirmation.
 */
struct senders;

#define SENDERS_MOST 10000

struct senders *senders_new(void);
void senders_free(struct senders **);
/* One that is confirmed from the start, by an option or the config file. */
void senders_add_confirmed(struct senders *, const char *address);
/* Mail may be from this address; without regard to case. */
bool senders_confirmed(const struct senders *, const char *address);

/* ---- calls, with the account's token ---- */

api_fn senders_list, senders_get, senders_create, senders_edit, senders_delete;
api_fn senders_resend, senders_verify_spf, senders_new_dkim;

/* ---- control ---- */

json_t *senders_confirmed_json(const struct senders *); /* {"ann@shop.example": true} */
/* -1: it has another form, or names an address without a signature; nothing has changed. */
int senders_confirm(struct senders *, const json_t *confirmed) __attribute__((warn_unused_result));

#endif
