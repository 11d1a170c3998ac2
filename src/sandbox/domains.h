#ifndef PMRELAY_SANDBOX_DOMAINS_H
#define PMRELAY_SANDBOX_DOMAINS_H

#include <stdbool.h>

#include <jansson.h>

#include "sandbox/api.h"

/*
 * The sender domains of the account.  There is no DNS to ask: a record that is looked for is there
 * unless the control side has said that it is not.
 */
struct domains;

#define DOMAINS_MOST 1000

struct domains *domains_new(void);
void domains_free(struct domains **);
/* One that is verified from the start, by an option or the config file. */
void domains_add_verified(struct domains *, const char *name);
/* Mail may be from any address at this domain; without regard to case. */
bool domains_verified(const struct domains *, const char *name);

/* ---- for signatures, which show the same of their domains ---- */

bool domains_name_ok(const char *name);
bool domains_name_public(const char *name); /* a mail provider's, which nobody can verify */
/* SPF, DKIM and return path of a domain that is new: a new reference. */
json_t *domains_details_new(const char *name);
/* A new DKIM key waits for being verified.  -1: one does already. */
int domains_details_rotate(json_t *details, const char *name);
void domains_details_verify_spf(json_t *details);
/* false: it is no place below name. */
bool domains_details_set_return_path(json_t *details, const char *name, const char *return_path);

/* ---- calls, with the account's token ---- */

api_fn domains_list, domains_get, domains_create, domains_edit, domains_delete;
api_fn domains_verify_dkim, domains_verify_return_path, domains_verify_spf, domains_rotate_dkim;

/* ---- control ---- */

/* What DNS says, by domain: {"shop.example": {"DKIM": false, "ReturnPath": true}}. */
json_t *domains_dns_json(const struct domains *);
/* Adds to what is known.  -1: it has another form, and nothing has changed. */
int domains_dns_set(struct domains *, const json_t *dns) __attribute__((warn_unused_result));

#endif
