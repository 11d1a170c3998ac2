/*
 * The config file is a JSON object.  Everything in it is looked at by the same functions that
 * look at requests of the API; a name that is not known is an error, since it is a slip.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/mem.h"
#include "base/text.h"

#include "sandbox/api.h"
#include "sandbox/domains.h"
#include "sandbox/fields.h"
#include "sandbox/rules.h"
#include "sandbox/sandbox.h"
#include "sandbox/senders.h"
#include "sandbox/server.h"
#include "sandbox/servers.h"
#include "sandbox/state.h"
#include "sandbox/streams.h"
#include "sandbox/suppressions.h"
#include "sandbox/switches.h"
#include "sandbox/templates.h"
#include "sandbox/setup.h"

#define USUAL_SERVER_TOKEN  "sandbox-server-token"
#define USUAL_ACCOUNT_TOKEN "sandbox-account-token"

struct setup {
	struct state *state;
	char *why;
	size_t why_size;
	const char *file;
	char place[128]; /* of what is looked at: "servers[1].tokens" */
};

static int wrong(struct setup *, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Returns -1. */
static int
wrong(struct setup *setup, const char *format, ...)
{
	va_list args;
	int used = snprintf(setup->why, setup->why_size, "%s: %s%s", setup->file, setup->place,
	    setup->place[0] != '\0' ? ": " : "");

	if (used < 0 || (size_t)used >= setup->why_size)
		return -1;
	va_start(args, format);
	vsnprintf(setup->why + used, setup->why_size - (size_t)used, format, args);
	va_end(args);
	return -1;
}

/* What is looked at next is within what was looked at; leave() with what enter() returned. */
static size_t
enter_member(struct setup *setup, const char *name)
{
	size_t used = strlen(setup->place);

	snprintf(
	    setup->place + used, sizeof(setup->place) - used, "%s%.32s", used > 0 ? "." : "", name);
	return used;
}

static size_t
enter_element(struct setup *setup, size_t index)
{
	size_t used = strlen(setup->place);

	snprintf(setup->place + used, sizeof(setup->place) - used, "[%zu]", index);
	return used;
}

static void
leave(struct setup *setup, size_t used)
{
	setup->place[used] = '\0';
}

typedef int element_fn(struct setup *, struct server *, const json_t *value);

/* fn for each element of a list, in its place. */
static int
each(struct setup *setup, struct server *server, const json_t *list, element_fn *fn)
{
	size_t i, used;
	json_t *value;

	if (!json_is_array(list))
		return wrong(setup, "wanted a list");
	json_array_foreach((json_t *)list, i, value)
	{
		used = enter_element(setup, i);
		if (fn(setup, server, value) != 0)
			return -1;
		leave(setup, used);
	}
	return 0;
}

static bool
is_field(const struct fields *fields, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(fields[i].name, name) == 0)
			return true;
	}
	return false;
}

/* An object whose names are fields, or among the others (NULL-terminated). */
static int
check_object(struct setup *setup, const json_t *value, const struct fields *fields, size_t count,
    const char *const *others)
{
	const char *name;
	char *types;
	json_t *one;
	size_t i;

	if (!json_is_object(value))
		return wrong(setup, "wanted an object");
	json_object_foreach((json_t *)value, name, one)
	{
		for (i = 0; others[i] != NULL && strcmp(others[i], name) != 0; i++)
			continue;
		if (others[i] == NULL && !is_field(fields, count, name))
			return wrong(setup, "there is no \"%.64s\" here", name);
	}
	types = fields_wrong(value, fields, count);
	if (types == NULL)
		return 0;
	(void)wrong(setup, "%s", types);
	free(types);
	return -1;
}

/* ---- tokens, senders ---- */

static const char *
line_of(struct setup *setup, const json_t *value)
{
	const char *text = json_string_value(value);

	if (text != NULL && text[0] != '\0' && strpbrk(text, " \t\r\n") == NULL)
		return text;
	(void)wrong(setup, "wanted a text without blanks");
	return NULL;
}

static int
account_token(struct setup *setup, struct server *none, const json_t *value)
{
	const char *token = line_of(setup, value);

	(void)none;
	if (token == NULL)
		return -1;
	strlist_add(&setup->state->account.tokens, token);
	return 0;
}

static int
server_token(struct setup *setup, struct server *server, const json_t *value)
{
	const char *token = line_of(setup, value);
	size_t number;

	if (token == NULL)
		return -1;
	if (text_same(token, API_TEST_TOKEN))
		return wrong(setup, "is the test token");
	if (account_server_by_token(&setup->state->account, token, &number) != NULL)
		return wrong(setup, "is the token of a server already");
	strlist_add(&server->tokens, token);
	return 0;
}

static int
sender_domain(struct setup *setup, struct server *none, const json_t *value)
{
	const char *name = line_of(setup, value);

	(void)none;
	if (name == NULL)
		return -1;
	domains_add_verified(setup->state->account.domains, name);
	setup->state->switches.check_senders = true;
	return 0;
}

static int
sender(struct setup *setup, struct server *none, const json_t *value)
{
	const char *address = line_of(setup, value);
	struct rules_mailboxes list;
	struct rules_refusal refusal;
	bool one;

	(void)none;
	if (address == NULL)
		return -1;
	if (rules_mailboxes_parse("senders", address, &list, &refusal) != 0) {
		rules_refusal_deinit(&refusal);
		return wrong(setup, "wanted an address");
	}
	one = list.addresses.count == 1;
	rules_mailboxes_deinit(&list);
	if (!one)
		return wrong(setup, "wanted an address");
	senders_add_confirmed(setup->state->account.senders, address);
	setup->state->switches.check_senders = true;
	return 0;
}

/* ---- servers ---- */

static int
add_stream(struct setup *setup, struct server *server, const json_t *value)
{
	static const char *const others[] = { NULL };
	struct message_stream *stream;
	const char *why;
	int code;

	if (check_object(setup, value, streams_fields, streams_fields_count, others) != 0)
		return -1;
	code = streams_add(setup->state, server, value, &stream, &why);
	return code != 0 ? wrong(setup, "code %d: %s", code, why) : 0;
}

static int
add_suppression(struct setup *setup, struct server *server, const json_t *value)
{
	static const struct fields fields[] = {
		{ "EmailAddress", FIELDS_STRING },
		{ "MessageStream", FIELDS_STRING },
		{ "SuppressionReason", FIELDS_STRING },
		{ "Origin", FIELDS_STRING },
	};
	static const char *const others[] = { NULL };
	const char *address = json_string_value(value), *id = NULL, *reason = NULL, *origin = NULL;
	struct message_stream *stream;

	if (address == NULL) {
		if (check_object(
			setup, value, fields, sizeof(fields) / sizeof(fields[0]), others) != 0)
			return -1;
		address = fields_text(value, "EmailAddress");
		id = fields_text(value, "MessageStream");
		reason = fields_text(value, "SuppressionReason");
		origin = fields_text(value, "Origin");
	}
	if (address == NULL || !suppressions_address_ok(address))
		return wrong(setup, "wanted an address");
	stream = server_stream(server, id != NULL ? id : STREAM_OUTBOUND);
	if (stream == NULL || stream->type == STREAM_TYPE_INBOUND)
		return wrong(setup, "\"%.64s\" is no stream that sends", id);
	reason = suppressions_reason(reason != NULL ? reason : "ManualSuppression");
	origin = suppressions_origin(origin != NULL ? origin : "Customer");
	if (reason == NULL || origin == NULL)
		return wrong(setup, "SuppressionReason or Origin is not known");
	message_stream_suppress(stream, address, reason, origin);
	return 0;
}

static int
member(struct setup *setup, struct server *server, const json_t *object, const char *name,
    element_fn *fn)
{
	const json_t *list = fields_get(object, name);
	size_t used;

	if (list == NULL)
		return 0;
	used = enter_member(setup, name);
	if (each(setup, server, list, fn) != 0)
		return -1;
	leave(setup, used);
	return 0;
}

/* A server that the API makes takes no mail by SMTP until it is told to; one that was there before
 * does, unless the file says otherwise. */
static struct server *
add_server_with_smtp(struct account *account, const char *name)
{
	struct server *server = account_add_server(account, name);

	json_object_set_new(server->shown, "SmtpApiActivated", json_true());
	return server;
}

static int
add_server(struct setup *setup, struct server *none, const json_t *value)
{
	static const char *const others[] = { "tokens", "streams", "suppressions", NULL };
	struct server *server;
	const char *why;
	int code;

	(void)none;
	if (check_object(setup, value, servers_fields, servers_fields_count, others) != 0)
		return -1;
	if (fields_text(value, "Name") == NULL)
		return wrong(setup, "wanted a Name");
	if (setup->state->account.servers.count == ACCOUNT_MOST_SERVERS)
		return wrong(setup, "there are as many servers as there may be");
	server = add_server_with_smtp(&setup->state->account, "");
	code = servers_apply(setup->state, server, value, true, &why);
	if (code != 0)
		return wrong(setup, "code %d: %s", code, why);
	if (member(setup, server, value, "tokens", server_token) != 0 ||
	    member(setup, server, value, "streams", add_stream) != 0 ||
	    member(setup, server, value, "suppressions", add_suppression) != 0)
		return -1;
	return 0;
}

/* ---- the file ---- */

static int
file_name(struct setup *setup, const json_t *smtp, const char *name, char **file_r)
{
	const json_t *value = fields_get(smtp, name);
	size_t used = enter_member(setup, name);

	if (value != NULL && !json_is_string(value))
		return wrong(setup, "wanted the name of a file");
	if (value != NULL)
		*file_r = mem_string(json_string_value(value));
	leave(setup, used);
	return 0;
}

/* Of the SMTP service; NULL: nothing is said of it. */
static int
smtp_setup(struct setup *setup, const json_t *value)
{
	static const char *const others[] = { "port", "certificate_file", "key_file", "ca_file",
		NULL };
	struct smtp_setup *smtp = &setup->state->smtp;
	const json_t *port;
	size_t used;

	if (value == NULL)
		return 0;
	used = enter_member(setup, "smtp");
	if (check_object(setup, value, NULL, 0, others) != 0)
		return -1;
	port = fields_get(value, "port");
	if (!json_is_integer(port) || json_integer_value(port) < 0 ||
	    json_integer_value(port) > 65535) {
		(void)enter_member(setup, "port");
		return wrong(setup, "wanted a number from 0 to 65535");
	}
	smtp->port = (int)json_integer_value(port);
	if (file_name(setup, value, "certificate_file", &smtp->certificate_file) != 0 ||
	    file_name(setup, value, "key_file", &smtp->key_file) != 0 ||
	    file_name(setup, value, "ca_file", &smtp->ca_file) != 0)
		return -1;
	leave(setup, used);
	return 0;
}

/* How events are fired; NULL: nothing is said of it. */
static int
events_setup(struct setup *setup, const json_t *value)
{
	char why[128];
	size_t used;

	if (value == NULL)
		return 0;
	used = enter_member(setup, "events");
	if (event_settings_set(&setup->state->event_settings, value, why, sizeof(why)) != 0)
		return wrong(setup, "%s", why);
	leave(setup, used);
	return 0;
}

static int
read_file(struct setup *setup)
{
	static const char *const others[] = { "account_tokens", "servers", "sender_domains",
		"senders", "switches", "smtp", "events", "webhook_ca_file", NULL };
	struct switches *switches = &setup->state->switches;
	json_error_t error;
	json_t *json = json_load_file(setup->file, JSON_REJECT_DUPLICATES, &error);
	const json_t *set;
	char why[128];
	int rc = -1;

	if (json == NULL) {
		snprintf(setup->why, setup->why_size, "%s: line %d, column %d: %s", setup->file,
		    error.line, error.column, error.text);
		return -1;
	}
	if (check_object(setup, json, NULL, 0, others) != 0 ||
	    member(setup, NULL, json, "account_tokens", account_token) != 0 ||
	    member(setup, NULL, json, "sender_domains", sender_domain) != 0 ||
	    member(setup, NULL, json, "senders", sender) != 0)
		goto free_json;
	/* Before the servers, whose streams they may allow. */
	set = fields_get(json, "switches");
	if (set != NULL && switches_set(switches, set, why, sizeof(why)) != 0) {
		(void)enter_member(setup, "switches");
		(void)wrong(setup, "%s", why);
		goto free_json;
	}
	if (file_name(setup, json, "webhook_ca_file", &setup->state->webhook_ca_file) != 0 ||
	    events_setup(setup, fields_get(json, "events")) != 0 ||
	    smtp_setup(setup, fields_get(json, "smtp")) != 0 ||
	    member(setup, NULL, json, "servers", add_server) != 0)
		goto free_json;
	rc = 0;

free_json:
	json_decref(json);
	return rc;
}

/* Tokens of the command line, which may stand in the file as well. */
static int
add_tokens(struct account *account, const struct sandbox_params *params, char *why, size_t why_size)
{
	struct server *first = account->servers.list[0], *owner;
	size_t number;

	for (size_t i = 0; params->server_tokens != NULL && params->server_tokens[i] != NULL; i++) {
		owner = account_server_by_token(account, params->server_tokens[i], &number);
		if (owner == NULL) {
			strlist_add(&first->tokens, params->server_tokens[i]);
		} else if (owner != first) {
			snprintf(why, why_size, "--token: a token of another server already");
			return -1;
		}
	}
	for (size_t i = 0; params->account_tokens != NULL && params->account_tokens[i] != NULL; i++)
		strlist_add(&account->tokens, params->account_tokens[i]);
	if (account->tokens.count == 0)
		strlist_add(&account->tokens, USUAL_ACCOUNT_TOKEN);
	for (size_t i = 0; i < account->servers.count; i++) {
		struct server *server = account->servers.list[i];

		if (server->tokens.count > 0)
			continue;
		if (i == 0)
			strlist_add(&first->tokens, USUAL_SERVER_TOKEN);
		else
			server_new_token(server);
	}
	return 0;
}

int
setup_apply(struct state *state, const struct sandbox_params *params, char *why, size_t why_size)
{
	struct setup setup = {
		.state = state,
		.why = why,
		.why_size = why_size,
		.file = params->config_file,
	};
	struct account *account = &state->account;
	struct server *first;

	state->switches.to_optional = params->to_optional;
	if (params->sender_domains != NULL && params->sender_domains[0] != NULL)
		state->switches.check_senders = true;
	for (size_t i = 0; params->sender_domains != NULL && params->sender_domains[i] != NULL; i++)
		domains_add_verified(account->domains, params->sender_domains[i]);
	if (setup.file != NULL && read_file(&setup) != 0)
		return -1;
	if (account->servers.count == 0)
		(void)add_server_with_smtp(account, "sandbox");
	if (params->webhook_speed > 0)
		state->event_settings.webhook_speed = params->webhook_speed;
	if (params->webhook_delay_ms >= 0)
		state->event_settings.delay_ms = params->webhook_delay_ms;
	first = account->servers.list[0];
	templates_add_usual(first->templates);
	return add_tokens(account, params, why, why_size);
}
