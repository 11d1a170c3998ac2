#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

#include "sandbox/templates.h"
#include "sandbox/uuid.h"
#include "sandbox/webhooks.h"
#include "sandbox/server.h"

static json_t *
defaults(int64_t id, const char *name)
{
	static const char *const colors[] = { "blue", "purple", "turquoise", "green", "red",
		"yellow", "grey", "orange" };
	char hash[UUID_SIZE], link[80], address[80];
	size_t used = 0;
	json_t *shown;

	uuid_make(hash);
	for (size_t i = 0; i < UUID_LEN; i++) {
		if (hash[i] != '-')
			hash[used++] = hash[i];
	}
	hash[used] = '\0';
	snprintf(link, sizeof(link), "https://postmarkapp.com/servers/%lld/streams", (long long)id);
	snprintf(address, sizeof(address), "%s@inbound.postmarkapp.com", hash);
	shown = json_pack("{s:I, s:s, s:[], s:s, s:b, s:b, s:s, s:s, s:s, s:s, s:n, s:n, s:n, s:n,"
			  " s:b, s:s, s:s, s:i, s:b, s:s, s:b, s:b}",
	    "ID", (json_int_t)id, "Name", name, "ApiTokens", "Color",
	    colors[(size_t)(id - 1) % (sizeof(colors) / sizeof(colors[0]))], "SmtpApiActivated", 0,
	    "RawEmailEnabled", 0, "DeliveryType", "Live", "ServerLink", link, "InboundAddress",
	    address, "InboundHookUrl", "", "BounceHookUrl", "OpenHookUrl", "DeliveryHookUrl",
	    "ClickHookUrl", "PostFirstOpenOnly", 0, "InboundDomain", "", "InboundHash", hash,
	    "InboundSpamThreshold", 5, "TrackOpens", 0, "TrackLinks", "None",
	    "IncludeBounceContentInHook", 0, "EnableSmtpApiErrorHooks", 0);
	return shown;
}

struct server *
server_new(int64_t id, const char *name)
{
	struct server *server = mem_new(sizeof(*server));

	server->id = id;
	server->shown = defaults(id, name);
	server->templates = templates_new(id);
	server->webhooks = webhooks_new();
	server->inbound_rules = json_array();
	server->next_inbound_rule = 1;
	server_add_stream(
	    server, message_stream_new(STREAM_OUTBOUND, "Default Transactional Stream",
			STREAM_TYPE_TRANSACTIONAL, id));
	server_add_stream(server,
	    message_stream_new(STREAM_INBOUND, "Default Inbound Stream", STREAM_TYPE_INBOUND, id));
	server_add_stream(server, message_stream_new(STREAM_BROADCAST, "Default Broadcast Stream",
				      STREAM_TYPE_BROADCASTS, id));
	return server;
}

void
server_free(struct server **server_p)
{
	struct server *server = *server_p;

	if (server == NULL)
		return;
	strlist_free(&server->tokens);
	json_decref(server->shown);
	for (size_t i = 0; i < server->stream_count; i++)
		message_stream_free(&server->streams[i]);
	templates_free(&server->templates);
	webhooks_free(&server->webhooks);
	json_decref(server->inbound_rules);
	free(server);
	*server_p = NULL;
}

json_t *
server_json(const struct server *server)
{
	json_t *shown = json_copy(server->shown);
	json_t *tokens = json_array();

	for (size_t i = 0; i < server->tokens.count; i++)
		json_array_append_new(tokens, json_string(server->tokens.items[i]));
	json_object_set_new(shown, "ApiTokens", tokens);
	return shown;
}

const char *
server_text(const struct server *server, const char *field)
{
	const char *text = json_string_value(json_object_get(server->shown, field));

	return text != NULL ? text : "";
}

bool
server_flag(const struct server *server, const char *field)
{
	return json_is_true(json_object_get(server->shown, field));
}

bool
server_sandboxed(const struct server *server)
{
	return strcmp(server_text(server, "DeliveryType"), "Sandbox") == 0;
}

void
server_new_token(struct server *server)
{
	char token[UUID_SIZE];

	uuid_make(token);
	strlist_add(&server->tokens, token);
}

struct message_stream *
server_stream(const struct server *server, const char *id)
{
	for (size_t i = 0; i < server->stream_count; i++) {
		if (text_same(server->streams[i]->id, id))
			return server->streams[i];
	}
	return NULL;
}

void
server_add_stream(struct server *server, struct message_stream *stream)
{
	server->streams[server->stream_count++] = stream;
}
