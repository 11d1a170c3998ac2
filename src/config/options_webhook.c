#include "config/rows.h"

#define SECTION    "webhook"
#define AT(member) .at = offsetof(struct config, member)

static const struct option_row rows[] = {
	{ SECTION, "listen", OPTION_LIST, RELOAD_RESTART, AT(webhook_listen), .preset = "",
	    .most = 16, .right = value_is_listener,
	    .wanted = "an address like 127.0.0.1:2580 or [::1]:2580, or unix:/path",
	    .text = "Where posts of Postmark are taken: behind a proxy that speaks HTTPS, or, with "
		    "a certificate, from Postmark itself.  Empty: nowhere." },
	{ SECTION, "certificate-file", OPTION_STRING, RELOAD_LIVE, AT(webhook_certificate_file),
	    .preset = "", .most = 4000, .right = value_is_path_or_none,
	    .wanted = "an absolute path",
	    .text =
		"PEM file with the certificate of those listeners and those that lead to its "
		"authority.  Empty: they speak plain HTTP, to a proxy.  Unix sockets always do." },
	{ SECTION, "key-file", OPTION_STRING, RELOAD_LIVE, AT(webhook_key_file), .preset = "",
	    .most = 4000, .right = value_is_path_or_none, .wanted = "an absolute path",
	    .text = "PEM file with the private key of the certificate." },
	{ SECTION, "public-url", OPTION_STRING, RELOAD_LIVE, AT(webhook_public_url), .preset = "",
	    .most = 1000, .right = value_is_url_or_none,
	    .wanted = "a URL like https://relay.example.com",
	    .text = "Where the world, and so Postmark, reaches those listeners: what the webhooks "
		    "of this instance point to.  What a proxy puts before or takes off the path "
		    "does not matter; the last part of it is the secret." },
	{ SECTION, "ensure", OPTION_BOOL, RELOAD_LIVE, AT(webhook_ensure), .preset = "no",
	    .text =
		"Make and repair the webhooks of this instance at the start and once an hour: as "
		"pmrelayctl webhook ensure does.  With inbound.deliver the InboundHookUrl of each "
		"connection's server leads here, too, unless it is another's." },
	{ SECTION, "triggers", OPTION_LIST, RELOAD_LIVE, AT(webhook_triggers),
	    .preset = "open click delivery", .most = 6, .right = value_is_trigger,
	    .wanted = "open, click, delivery, bounce, complaint or subscription",
	    .text = "What the webhooks of this instance post: these at least.  More that were "
		    "chosen when one was made, or at Postmark, stay.  What tells of bounces, "
		    "complaints and suppressed addresses needs bounce, complaint and subscription "
		    "here." },
	{ SECTION, "secret", OPTION_SECRET, RELOAD_LIVE, AT(webhook_secret),
	    .right = value_is_path_secret, .preset = "", .most = 1000,
	    .wanted = "16 or more letters, digits and signs but '/', '?', '#' and '%'",
	    .text =
		"Webhooks that were made by hand: the last part of the path of their URL, as in "
		"https://relay.example.com/SECRET.  Whichever of secret, user and header are "
		"set have to be right, all of them; where none is, only webhooks of this "
		"instance are let in, which have secrets of their own." },
	{ SECTION, "secret-file", OPTION_SECRET_FILE, RELOAD_LIVE, AT(webhook_secret_file),
	    .preset = "", .most = 4000, .right = value_is_path_or_none,
	    .wanted = "an absolute path", .text = "File that the secret is in." },
	{ SECTION, "user", OPTION_STRING, RELOAD_LIVE, AT(webhook_user), .preset = "", .most = 200,
	    .right = value_is_basic_user, .wanted = "letters, digits and signs but ':'",
	    .text = "The same: user of HTTP Basic." },
	{ SECTION, "password", OPTION_SECRET, RELOAD_LIVE, AT(webhook_password),
	    .right = value_is_token, .preset = "", .most = 1000,
	    .wanted = "letters, digits and signs", .text = "The password of that user." },
	{ SECTION, "password-file", OPTION_SECRET_FILE, RELOAD_LIVE, AT(webhook_password_file),
	    .preset = "", .most = 4000, .right = value_is_path_or_none,
	    .wanted = "an absolute path", .text = "File that the password is in." },
	{ SECTION, "header", OPTION_STRING, RELOAD_LIVE, AT(webhook_header), .preset = "",
	    .most = 100, .right = value_is_header_name,
	    .wanted = "the name of a header, like X-Relay-Key",
	    .text = "The same: name of a header that posts have." },
	{ SECTION, "header-value", OPTION_SECRET, RELOAD_LIVE, AT(webhook_header_value),
	    .right = value_is_token, .preset = "", .most = 1000,
	    .wanted = "letters, digits and signs", .text = "What stands in that header." },
	{ SECTION, "header-value-file", OPTION_SECRET_FILE, RELOAD_LIVE,
	    AT(webhook_header_value_file), .preset = "", .most = 4000,
	    .right = value_is_path_or_none, .wanted = "an absolute path",
	    .text = "File that the header's value is in." },
	{ SECTION, "connection", OPTION_STRING, RELOAD_LIVE, AT(webhook_connection),
	    .preset = "default", .most = VALUE_MOST_TITLE_BYTES, .right = value_is_title,
	    .wanted = "the name of a connection",
	    .text = "The same: whose server they belong to." },
	{ SECTION, "networks", OPTION_LIST, RELOAD_LIVE, AT(webhook_networks), .preset = "",
	    .most = 1000, .right = value_is_network_or_postmark,
	    .wanted = "networks like 192.0.2.0/24, or the word postmark",
	    .text = "Who may post at all: the address of the client, or, behind a proxy, the one "
		    "that it tells.  postmark: the addresses that Postmark has published.  Empty: "
		    "anybody who knows the secrets." },
	{ SECTION, "proxies", OPTION_LIST, RELOAD_LIVE, AT(webhook_proxies),
	    .preset = "127.0.0.0/8 ::1 unix", .most = 1000, .right = value_is_network_or_unix,
	    .wanted = "networks like 192.0.2.0/24, or the word unix",
	    .text = "Proxies whose X-Forwarded-For is believed." },
	{ SECTION, "body-size", OPTION_SIZE, RELOAD_LIVE, AT(webhook_body_bytes), .preset = "4M",
	    .least = 64 * KIBIBYTE, .most = 64 * MEBIBYTE,
	    .text = "Largest post with an event: 413 beyond." },
	{ SECTION, "inbound-size", OPTION_SIZE, RELOAD_LIVE, AT(webhook_inbound_bytes),
	    .preset = "64M", .least = MEBIBYTE, .most = 256 * MEBIBYTE,
	    .text = "Largest post with a mail that comes in.  Postmark takes mails with 35 MB of "
		    "attachments, which are 47 MB here." },
	{ SECTION, "memory", OPTION_SIZE, RELOAD_LIVE, AT(webhook_memory_bytes), .preset = "128M",
	    .least = 8 * MEBIBYTE, .most = 16 * GIBIBYTE,
	    .text = "What posts that are on their way may take in each front: 503 beyond, and "
		    "Postmark comes again." },
	{ SECTION, "connections", OPTION_NUMBER, RELOAD_LIVE, AT(webhook_connections),
	    .preset = "256", .least = 1, .most = 10000,
	    .text = "Most connections at once, in each front.  Beyond it, the oldest that has not "
		    "shown its secrets makes room; where all have, the new one is turned away." },
	{ SECTION, "timeout", OPTION_TIME, RELOAD_LIVE, AT(webhook_timeout_ms), .preset = "60s",
	    .least = SECOND, .most = HOUR, .text = "Longest time for a post to come in whole." },

	{ .section = NULL },
};

const struct option_section options_webhook = {
	.name = SECTION,
	.text =
	    "Where Postmark tells what became of mails: deliveries, bounces, complaints, opens, "
	    "clicks, and mails that come in.",
	OPTION_ROWS(rows),
};
