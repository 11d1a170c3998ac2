/* From a configuration to the routes of the dispatcher, see routes.h. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/strlist.h"
#include "config/config.h"
#include "config/inbound_value.h"
#include "deliver/deliver.h"
#include "dispatch/dispatch.h"
#include "postmark/smtp.h"

#include "programs/routes.h"

struct dispatch_route *
routes_of(const struct config *config, const struct secret *test_token,
    const struct dispatch_local *local, size_t *count_r)
{
	struct dispatch_route *routes =
	    mem_array(2 + config->connection_count + config->route_count, sizeof(*routes));
	const struct connection *connection;

	*count_r = 0;
	for (size_t i = 0; (connection = config_connection_at(config, i)) != NULL; i++)
		if (i == 0 || connection->server_token != NULL)
			routes[(*count_r)++] = (struct dispatch_route){ .name = connection->name,
				.token = connection->server_token,
				.message_stream = connection->message_stream };
	for (size_t i = 0; i < config->route_count; i++) {
		const struct route *route = &config->routes[i];
		bool has_stream = route->message_stream != NULL && route->message_stream[0] != '\0';

		connection = config_connection(config, route->connection);
		if (connection == NULL) /* the checks of the configuration see to it */
			connection = &config->postmark;
		routes[(*count_r)++] = (struct dispatch_route){ .name = route->name,
			.token = route->sandbox ? test_token : connection->server_token,
			.message_stream =
			    has_stream ? route->message_stream : connection->message_stream };
	}
	if (config->inbound_deliver[0] != '\0')
		routes[(*count_r)++] = (struct dispatch_route){ .name = INBOUND_ROUTE,
			.message_stream = "",
			.local = local != NULL ? *local : (struct dispatch_local){ 0 } };
	return routes;
}

bool
routes_have(const struct config *config, const char *name)
{
	struct dispatch_route *routes;
	bool have = false;
	size_t count;

	if (config == NULL)
		return false;
	/* What comes in is kept, even while there is nowhere for it to go. */
	if (strcmp(name, INBOUND_ROUTE) == 0)
		return true;
	routes = routes_of(config, NULL, NULL, &count);
	for (size_t i = 0; i < count && !have; i++)
		have = strcmp(routes[i].name, name) == 0;
	free(routes);
	return have;
}

void
routes_names(const struct config *config, struct strlist *names_r)
{
	size_t count;
	struct dispatch_route *routes = routes_of(config, NULL, NULL, &count);

	for (size_t i = 0; i < count; i++)
		strlist_add(names_r, routes[i].name);
	free(routes);
}

int
routes_local_start(const struct config *config, struct loop *loop, struct dispatch_local *local,
    char *why, size_t why_size)
{
	struct inbound_target target;
	char hostname[256] = "";

	if (config->hostname[0] != '\0')
		snprintf(hostname, sizeof(hostname), "%s", config->hostname);
	else if (gethostname(hostname, sizeof(hostname) - 1) != 0)
		snprintf(hostname, sizeof(hostname), "localhost");

	*local = (struct dispatch_local){ .timeout_ms = config->inbound_timeout_ms,
		.parallel = config->inbound_parallel };
	if (!inbound_target_read(config->inbound_deliver, &target))
		return 0;
	if (target.way == INBOUND_SMTP)
		local->smtp = smtp_new(
		    &(struct smtp_params){ .loop = loop,
			.url = config->inbound_deliver,
			.starttls = config->inbound_starttls,
			.without_secrets = true,
			.ca_file =
			    config->postmark_ca_file[0] != '\0' ? config->postmark_ca_file : NULL,
			.connect_timeout_ms = config->postmark_connect_timeout_ms,
			.most_connections = config->inbound_parallel },
		    why, why_size);
	else
		local->deliver = deliver_new(&(struct deliver_params){ .loop = loop,
						 .target = config->inbound_deliver,
						 .hostname = hostname,
						 .timeout_ms = config->inbound_timeout_ms,
						 .parallel = config->inbound_parallel },
		    why, why_size);
	return local->smtp != NULL || local->deliver != NULL ? 0 : -1;
}

void
routes_local_stop(struct dispatch_local *local)
{
	deliver_free(&local->deliver);
	smtp_free(&local->smtp);
}
