#include "config/rows.h"

#define SECTION    "postmark"
#define AT(member) .at = offsetof(struct config, member)

static const struct option_row rows[] = {
	{ SECTION, "token", OPTION_SECRET, RELOAD_LIVE, AT(postmark.server_token), .preset = "",
	    .most = 256, .right = value_is_token, .wanted = "a server token",
	    .text = "Server API token.  A file of its own is better: see token-file." },
	{ SECTION, "token-file", OPTION_SECRET_FILE, RELOAD_LIVE, AT(postmark.server_token_file),
	    .preset = "", .most = 4000, .right = value_is_path_or_none,
	    .wanted = "an absolute path",
	    .text = "File whose first line is the server API token.  When neither is given, the "
		    "systemd credential postmark-token is used.  Without any token mail is "
		    "accepted and kept, and nothing is sent." },
	{ SECTION, "account-token", OPTION_SECRET, RELOAD_LIVE, AT(postmark.account_token),
	    .preset = "", .most = 256, .right = value_is_token, .wanted = "an account token",
	    .text = "Account API token, which servers, domains and sender signatures are managed "
		    "with.  Mail needs none.  A file of its own is better: see "
		    "account-token-file." },
	{ SECTION, "account-token-file", OPTION_SECRET_FILE, RELOAD_LIVE,
	    AT(postmark.account_token_file), .preset = "", .most = 4000,
	    .right = value_is_path_or_none, .wanted = "an absolute path",
	    .text = "File whose first line is the account API token.  When neither is given, "
		    "the systemd credential postmark-account-token is used." },
	{ SECTION, "stream", OPTION_STRING, RELOAD_LIVE, AT(postmark.message_stream),
	    .preset = "outbound", .most = 100, .right = value_is_stream,
	    .wanted = "the ID of a message stream",
	    .text = "Message stream of messages that name none in X-PM-Message-Stream." },
	{ SECTION, "url", OPTION_STRING, RELOAD_LIVE, AT(postmark_url),
	    .preset = "https://api.postmarkapp.com", .most = 1000, .right = value_is_url,
	    .wanted = "a URL like https://api.postmarkapp.com",
	    .text = "Where the API is.  Plain http is accepted for loopback addresses alone." },
	{ SECTION, "smtp-url", OPTION_STRING, RELOAD_LIVE, AT(postmark_smtp_url),
	    .preset = "smtp://smtp.postmarkapp.com:587", .most = 1000, .right = value_is_smtp_url,
	    .wanted = "a URL like smtp://smtp.postmarkapp.com:587",
	    .text = "Where Postmark's SMTP service is, for mails that a route sends as they are." },
	{ SECTION, "smtp-starttls", OPTION_BOOL, RELOAD_LIVE, AT(postmark_smtp_starttls),
	    .preset = "yes",
	    .text = "Whether STARTTLS is a must there, with a certificate that proves the host.  "
		    "Without it the token would be sent for all to read: no is accepted for "
		    "loopback hosts alone." },
	{ SECTION, "ca-file", OPTION_STRING, RELOAD_LIVE, AT(postmark_ca_file), .preset = "",
	    .most = 4000, .right = value_is_path_or_none, .wanted = "an absolute path",
	    .text = "PEM file with the certificate authorities to trust.  Empty: those of the "
		    "system." },
	{ SECTION, "connect-timeout", OPTION_TIME, RELOAD_LIVE, AT(postmark_connect_timeout_ms),
	    .preset = "10s", .least = 100, .most = 10 * MINUTE,
	    .text = "Longest time to connect, with TLS." },
	{ SECTION, "timeout", OPTION_TIME, RELOAD_LIVE, AT(postmark_single_timeout_ms),
	    .preset = "60s", .least = 100, .most = HOUR,
	    .text = "Longest time for a request with one message, from its start to the end of "
		    "the answer." },
	{ SECTION, "batch-timeout", OPTION_TIME, RELOAD_LIVE, AT(postmark_batch_timeout_ms),
	    .preset = "180s", .least = 100, .most = HOUR,
	    .text = "The same for a batch; Postmark may think for minutes about a heavy one." },
	{ SECTION, "requests", OPTION_NUMBER, RELOAD_LIVE, AT(postmark_requests), .preset = "8",
	    .least = 1, .most = 100, .text = "Most requests under way at once." },
	{ SECTION, "batch-items", OPTION_NUMBER, RELOAD_LIVE, AT(postmark_batch_items),
	    .preset = "500", .least = 1, .most = 500,
	    .text = "Most messages of a batch; Postmark takes 500." },
	{ SECTION, "batch-bytes", OPTION_SIZE, RELOAD_LIVE, AT(postmark_batch_bytes),
	    .preset = "20M", .least = MEBIBYTE, .most = 50 * MEBIBYTE,
	    .text = "Most bytes of a batch; Postmark takes 50 MB.  A message that is larger by "
		    "itself goes alone." },
	{ SECTION, "batch-target", OPTION_TIME, RELOAD_LIVE, AT(postmark_batch_target_ms),
	    .preset = "2s", .least = 10, .most = 10 * MINUTE,
	    .text = "Batches grow and shrink so that an answer takes about this long." },

	{ .section = NULL },
};

const struct option_section options_postmark = {
	.name = SECTION,
	.text = "The way to Postmark's HTTP API, and the connection called default.",
	OPTION_ROWS(rows),
};
