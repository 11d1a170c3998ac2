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

void
account_deinit(struct account *account)
{
	for (size_t i = 0; i < account->server_count; i++)
		server_free(&account->servers[i]);
	free(account->servers);
	strlist_free(&account->tokens);
	domains_free(&account->domains);
	senders_free(&account->senders);
	memset(account, 0, sizeof(*account));
}

struct server *
account_server_by_token(const struct account *account, const char *token, size_t *number_r)
{
	for (size_t i = 0; i < account->server_count; i++) {
		const struct strlist *tokens = &account->servers[i]->tokens;

		for (size_t j = 0; j < tokens->count; j++) {
			if (!text_same(tokens->items[j], token))
				continue;
			*number_r = j + 1;
			return account->servers[i];
		}
	}
	return NULL;
}

struct server *
account_server(const struct account *account, int64_t id)
{
	for (size_t i = 0; i < account->server_count; i++) {
		if (account->servers[i]->id == id)
			return account->servers[i];
	}
	return NULL;
}

struct server *
account_server_by_name(const struct account *account, const char *name)
{
	for (size_t i = 0; i < account->server_count; i++) {
		if (text_same(server_text(account->servers[i], "Name"), name))
			return account->servers[i];
	}
	return NULL;
}

struct server *
account_add_server(struct account *account, const char *name)
{
	struct server *server = server_new(account->next_server++, name);

	account->servers =
	    mem_resize(account->servers, account->server_count + 1, sizeof(struct server *));
	account->servers[account->server_count++] = server;
	return server;
}

void
account_remove_server(struct account *account, struct server *server)
{
	size_t i = 0;

	while (account->servers[i] != server)
		i++;
	memmove(&account->servers[i], &account->servers[i + 1],
	    (account->server_count - i - 1) * sizeof(struct server *));
	account->server_count--;
	server_free(&server);
}
