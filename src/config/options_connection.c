#include "config/rows.h"

#define SECTION    "connection"
#define AT(member) .at = offsetof(struct connection, member)

static const struct option_row rows[] = {
	{ SECTION, "token", OPTION_SECRET, RELOAD_LIVE, AT(server_token), .preset = "", .most = 256,
	    .right = value_is_token, .wanted = "a server token",
	    .text = "Server API token.  A file of its own is better: see token-file." },
	{ SECTION, "token-file", OPTION_SECRET_FILE, RELOAD_LIVE, AT(server_token_file),
	    .preset = "", .most = 4000, .right = value_is_path_or_none,
	    .wanted = "an absolute path",
	    .text = "File whose first line is the server API token.  When neither is given, the "
		    "systemd credential connection.NAME.token is used." },
	{ SECTION, "account-token", OPTION_SECRET, RELOAD_LIVE, AT(account_token), .preset = "",
	    .most = 256, .right = value_is_token, .wanted = "an account token",
	    .text = "Account API token.  A file of its own is better: see account-token-file." },
	{ SECTION, "account-token-file", OPTION_SECRET_FILE, RELOAD_LIVE, AT(account_token_file),
	    .preset = "", .most = 4000, .right = value_is_path_or_none,
	    .wanted = "an absolute path",
	    .text = "File whose first line is the account API token.  When neither is given, the "
		    "systemd credential connection.NAME.account-token is used." },
	{ SECTION, "message-stream", OPTION_STRING, RELOAD_LIVE, AT(message_stream),
	    .preset = "outbound", .most = 100, .right = value_is_stream,
	    .wanted = "the ID of a message stream",
	    .text = "Message stream of messages over this connection that name none." },

	{ .section = NULL },
};

const struct option_section options_connection = {
	.name = SECTION,
	.text = "One more server or account at Postmark, with its tokens, that is spoken "
		"to by NAME: letters, digits and '-', beginning with a letter.  The "
		"section may stand any number of times, each with a name of its own; the "
		"variables alone make one, too.",
	OPTION_ROWS(rows),
	.titled = true,
	.items_at = offsetof(struct config, connections),
	.count_at = offsetof(struct config, connection_count),
	.item_bytes = sizeof(struct connection),
	.title_at = offsetof(struct connection, name),
	.most = 1000,
	.taken = "default",
	.taken_by = "postmark { }",
};
