/* From a configuration to the routes of the dispatcher, see routes.h. */

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/strlist.h"
#include "config/config.h"
#include "dispatch/dispatch.h"

#include "programs/routes.h"

struct dispatch_route *
routes_of(const struct config *config, const struct secret *test_token, size_t *count_r)
{
	struct dispatch_route *routes =
	    mem_array(1 + config->connection_count + config->route_count, sizeof(*routes));
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
	routes = routes_of(config, NULL, &count);
	for (size_t i = 0; i < count && !have; i++)
		have = strcmp(routes[i].name, name) == 0;
	free(routes);
	return have;
}

void
routes_names(const struct config *config, struct strlist *names_r)
{
	size_t count;
	struct dispatch_route *routes = routes_of(config, NULL, &count);

	for (size_t i = 0; i < count; i++)
		strlist_add(names_r, routes[i].name);
	free(routes);
}
