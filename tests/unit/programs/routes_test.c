/* What a configuration makes of the dispatcher. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/secret.h"
#include "base/strlist.h"
#include "config/config.h"
#include "dispatch/dispatch.h"
#include "programs/routes.h"

static struct config *
config_of(const char *text)
{
	struct config *config;
	struct buf why;

	buf_init(&why, 4096);
	config = config_parse(text, strlen(text), "test", &why);
	if (config == NULL)
		fail_msg("%s", why.data);
	buf_free(&why);
	return config;
}

static const struct dispatch_route *
named(const struct dispatch_route *routes, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(routes[i].name, name) == 0)
			return &routes[i];
	return NULL;
}

static void
test_routes(void **state)
{
	static const struct {
		const char *name, *token, *stream; /* token NULL: none */
	} expected[] = {
		{ "default", "11111111-1111-1111-1111-111111111111", "outbound" },
		{ "shop", "22222222-2222-2222-2222-222222222222", "broadcast" },
		{ "plain", "11111111-1111-1111-1111-111111111111", "outbound" },
		{ "sale", "22222222-2222-2222-2222-222222222222", "broadcast" },
		{ "news", "22222222-2222-2222-2222-222222222222", "letters" },
		{ "looks", "POSTMARK_API_TEST", "outbound" },
		{ "mute", NULL, "outbound" },
	};
	struct config *config = config_of(
	    "postmark { token = 11111111-1111-1111-1111-111111111111 }\n"
	    "connection shop { token = 22222222-2222-2222-2222-222222222222\n"
	    "  message-stream = broadcast }\n"
	    "connection office { }\n"
	    "route plain { client = {192.0.2.1} }\n"
	    "route sale { client = {192.0.2.2} connection = shop }\n"
	    "route news { client = {192.0.2.3} connection = shop message-stream = letters }\n"
	    "route looks { client = {192.0.2.4} sandbox = yes }\n"
	    "route mute { connection = office }\n");
	struct secret *test_token = secret_new("POSTMARK_API_TEST", 17);
	size_t count, wanted = sizeof(expected) / sizeof(expected[0]);
	struct dispatch_route *routes = routes_of(config, test_token, NULL, &count);
	struct strlist names = { 0 };

	(void)state;
	assert_int_equal(count, wanted); /* "office" has no token, so nothing goes by its name */
	for (size_t i = 0; i < wanted; i++) {
		const struct dispatch_route *route = named(routes, count, expected[i].name);
		const char *token;

		assert_non_null(route);
		token = route->token != NULL ? secret_text(route->token) : NULL;
		if ((token == NULL) != (expected[i].token == NULL) ||
		    (token != NULL && strcmp(token, expected[i].token) != 0) ||
		    strcmp(route->message_stream, expected[i].stream) != 0)
			fail_msg("%s", expected[i].name);
		assert_false(route->gone);
		assert_true(routes_have(config, expected[i].name));
	}
	assert_false(routes_have(config, "office"));
	assert_false(routes_have(config, ""));
	assert_false(routes_have(NULL, "default"));
	routes_names(config, &names);
	assert_int_equal(names.count, wanted);
	assert_true(strlist_has(&names, "looks"));
	strlist_free(&names);
	free(routes);
	secret_free(&test_token);
	config_free(&config);
}

/* Without a token at all there is still the route that everything goes by. */
static void
test_nothing_set(void **state)
{
	struct config *config = config_of("");
	size_t count;
	struct dispatch_route *routes = routes_of(config, NULL, NULL, &count);

	(void)state;
	assert_int_equal(count, 1);
	assert_string_equal(routes[0].name, "default");
	assert_null(routes[0].token);
	free(routes);
	config_free(&config);
}

/* Mails that come in have a route where they have somewhere to go; they are kept in any case. */
static void
test_inbound(void **state)
{
	struct config *config = config_of("inbound { deliver = \"maildir:/var/mail/in\" }");
	const struct dispatch_local local = { .parallel = 7 };
	size_t count;
	struct dispatch_route *routes = routes_of(config, NULL, &local, &count);
	const struct dispatch_route *route = named(routes, count, "inbound");
	struct strlist names = { 0 };

	(void)state;
	assert_int_equal(count, 2);
	assert_non_null(route);
	assert_null(route->token);
	assert_int_equal(route->local.parallel, 7);
	assert_true(routes_have(config, "inbound"));
	routes_names(config, &names);
	assert_true(strlist_has(&names, "inbound"));
	strlist_free(&names);
	free(routes);
	config_free(&config);

	config = config_of("");
	assert_true(routes_have(config, "inbound"));
	routes_names(config, &names);
	assert_false(strlist_has(&names, "inbound"));
	strlist_free(&names);
	config_free(&config);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_routes),
		cmocka_unit_test(test_nothing_set),
		cmocka_unit_test(test_inbound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
