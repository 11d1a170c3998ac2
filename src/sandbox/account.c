#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

#include "sandbox/domains.h"
#include "sandbox/senders.h"
#include "sandbox/server.h"
#include "sandbox/account.h"

void
account_init(struct account *account)
{
	memset(account, 0, sizeof(*account));
	account->next_server = 1;
	account->domains = domains_new();
	account->senders = senders_new();
}

static void
free_server(void *item)
{
	struct server *server = item;

	server_free(&server);
}

void
account_deinit(struct account *account)
{
	items_deinit(&account->servers, free_server);
	strlist_free(&account->tokens);
	domains_free(&account->domains);
	senders_free(&account->senders);
	memset(account, 0, sizeof(*account));
}

struct server *
account_server_by_token(const struct account *account, const char *token, size_t *number_r)
{
	for (size_t i = 0; i < account->servers.count; i++) {
		struct server *server = account->servers.list[i];
		const struct strlist *tokens = &server->tokens;

		for (size_t j = 0; j < tokens->count; j++) {
			if (!text_same(tokens->items[j], token))
				continue;
			*number_r = j + 1;
			return server;
		}
	}
	return NULL;
}

struct server *
account_server(const struct account *account, int64_t id)
{
	return items_find(&account->servers, id);
}

struct server *
account_server_by_name(const struct account *account, const char *name)
{
	for (size_t i = 0; i < account->servers.count; i++) {
		struct server *server = account->servers.list[i];

		if (text_same(server_text(server, "Name"), name))
			return server;
	}
	return NULL;
}

struct server *
account_add_server(struct account *account, const char *name)
{
	struct server *server = server_new(account->next_server++, name);

	items_add(&account->servers, server);
	return server;
}

void
account_remove_server(struct account *account, struct server *server)
{
	items_remove(&account->servers, server);
	server_free(&server);
}
