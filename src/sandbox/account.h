#ifndef PMRELAY_SANDBOX_ACCOUNT_H
#define PMRELAY_SANDBOX_ACCOUNT_H

#include <stddef.h>
#include <stdint.h>

#include "base/strlist.h"

#include "sandbox/items.h"

struct domains;
struct senders;
struct server;

/* The one account of the sandbox: who may manage it, its servers, and who may be in From. */
#define ACCOUNT_MOST_SERVERS 1000

struct account {
	struct strlist tokens;
	struct items servers; /* struct server, by ID, which only grows */
	int64_t next_server;
	struct domains *domains;
	struct senders *senders;
};

void account_init(struct account *);
void account_deinit(struct account *);

/* NULL: there is none.  number_r: which of the server's tokens it is, from 1. */
struct server *account_server_by_token(const struct account *, const char *token, size_t *number_r);
struct server *account_server(const struct account *, int64_t id);
struct server *account_server_by_name(const struct account *, const char *name);

/* A new server with the defaults and no token; there must be room. */
struct server *account_add_server(struct account *, const char *name);
void account_remove_server(struct account *, struct server *); /* frees it */

#endif
