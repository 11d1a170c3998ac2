/*
 * The table of options, and everything that only needs one of its rows.  What concerns several
 * options together is in config.c.
 */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/strlist.h"
#include "base/text.h"

#include "config/options.h"

#define SECOND   UINT64_C(1000)
#define MINUTE   (60 * SECOND)
#define HOUR     (60 * MINUTE)
#define DAY      (24 * HOUR)
#define KIBIBYTE UINT64_C(1024)
#define MEBIBYTE (1024 * KIBIBYTE)
#define GIBIBYTE (1024 * MEBIBYTE)

/* ---- what a string may hold -------------------------------------------------------------- */

static bool
is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool
only_words_and(const char *value, size_t len, const char *others)
{
	for (size_t i = 0; i < len; i++)
		if (!is_word(value[i]) && strchr(others, value[i]) == NULL)
			return false;
	return true;
}

static bool
right_hostname(const char *value, size_t len)
{
	/* RFC 5321 4.1.1.1: a domain; an address literal would need brackets and is of no use. */
	return len == 0 || (only_words_and(value, len, ".-") && value[0] != '.' &&
			       value[0] != '-' && value[len - 1] != '.');
}

static bool
right_user(const char *value, size_t len)
{
	return len == 0 || (only_words_and(value, len, "._-") && value[0] != '-');
}

/* A name in a client certificate, which a log line and a table show. */
static bool
right_name(const char *value, size_t len)
{
	(void)value;
	return len > 0 && len <= 200;
}

static bool
right_socket(const char *value, size_t len)
{
	return len == 0 || (value[0] == '/' && len < sizeof(((struct sockaddr_un *)0)->sun_path));
}

static bool
right_path(const char *value, size_t len)
{
	return len == 0 || value[0] == '/';
}

static bool
right_full_path(const char *value, size_t len)
{
	return len > 0 && value[0] == '/';
}

static bool
right_stream(const char *value, size_t len)
{
	return len > 0 && only_words_and(value, len, "_-");
}

static bool
right_token(const char *value, size_t len)
{
	/* It becomes the value of an HTTP header. */
	for (size_t i = 0; i < len; i++)
		if (value[i] <= ' ' || value[i] > '~')
			return false;
	return true;
}

/* "127.0.0.1:25", "[::1]:25" into an address.  False: it is none. */
static bool
read_endpoint(const char *value, size_t len, int *family_r, struct in6_addr *address_r)
{
	const char *colon = len > 0 ? memrchr(value, ':', len) : NULL;
	char host[INET6_ADDRSTRLEN + 2];
	uint64_t port;

	if (colon == NULL)
		return false;
	size_t host_len = (size_t)(colon - value);
	if (text_number(colon + 1, len - host_len - 1, 1, 65535, &port) != 0)
		return false;
	*family_r = AF_INET;
	if (host_len >= 2 && value[0] == '[' && value[host_len - 1] == ']') {
		*family_r = AF_INET6;
		value++;
		host_len -= 2;
	}
	if (host_len >= sizeof(host))
		return false;
	memcpy(host, value, host_len);
	host[host_len] = '\0';
	return inet_pton(*family_r, host, address_r) == 1;
}

static bool
address_is_loopback(int family, const struct in6_addr *address)
{
	/* An IPv4 address lies in the first four bytes. */
	if (family == AF_INET)
		return address->s6_addr[0] == 127;
	return IN6_IS_ADDR_LOOPBACK(address) ||
	       (IN6_IS_ADDR_V4MAPPED(address) && address->s6_addr[12] == 127);
}

static bool
right_listener(const char *value, size_t len)
{
	struct in6_addr address;
	int family;

	if (len > 5 && memcmp(value, "unix:", 5) == 0)
		return value[5] == '/' && len - 5 < sizeof(((struct sockaddr_un *)0)->sun_path);
	return read_endpoint(value, len, &family, &address);
}

static bool
right_endpoint(const char *value, size_t len)
{
	struct in6_addr address;
	int family;

	return len == 0 || read_endpoint(value, len, &family, &address);
}

bool
value_listener_is_local(const char *listener)
{
	struct in6_addr address;
	int family;

	if (!read_endpoint(listener, strlen(listener), &family, &address))
		return true;
	return address_is_loopback(family, &address);
}

static bool
right_network(const char *value, size_t len)
{
	const char *slash = len > 0 ? memchr(value, '/', len) : NULL;
	size_t host_len = slash == NULL ? len : (size_t)(slash - value);
	char host[INET6_ADDRSTRLEN];
	struct in6_addr address;
	uint64_t bits;

	if (host_len >= sizeof(host))
		return false;
	memcpy(host, value, host_len);
	host[host_len] = '\0';
	int family = strchr(host, ':') != NULL ? AF_INET6 : AF_INET;
	if (inet_pton(family, host, &address) != 1)
		return false;
	return slash == NULL || text_number(slash + 1, len - host_len - 1, 0,
				    family == AF_INET ? 32 : 128, &bits) == 0;
}

/* The host of "scheme://host[:port][/path]"; false when the rest is not as it should be. */
static bool
read_url(const char *value, size_t len, bool *https_r, const char **host_r, size_t *host_len_r)
{
	const char *at = value, *end = value + len;
	uint64_t port;

	*https_r = text_starts(value, "https://");
	if (!*https_r && !text_starts(value, "http://"))
		return false;
	at += *https_r ? strlen("https://") : strlen("http://");

	const char *host = at;
	if (at < end && *at == '[') {
		char address[INET6_ADDRSTRLEN];
		struct in6_addr in6;
		const char *closing = memchr(at, ']', (size_t)(end - at));

		if (closing == NULL || (size_t)(closing - at) > sizeof(address))
			return false;
		memcpy(address, at + 1, (size_t)(closing - at - 1));
		address[closing - at - 1] = '\0';
		if (inet_pton(AF_INET6, address, &in6) != 1)
			return false;
		at = closing + 1;
	} else {
		while (at < end && (is_word(*at) || *at == '.' || *at == '-'))
			at++;
	}
	if (at == host)
		return false;
	*host_r = host;
	*host_len_r = (size_t)(at - host);

	if (at < end && *at == ':') {
		const char *digits = ++at;
		while (at < end && *at != '/')
			at++;
		if (text_number(digits, (size_t)(at - digits), 1, 65535, &port) != 0)
			return false;
	}
	/* A query, a fragment or a user would not survive the path that is put behind it. */
	return at == end || (*at == '/' && only_words_and(at, (size_t)(end - at), "/._-~"));
}

static bool
right_url(const char *value, size_t len)
{
	bool https;
	const char *host;
	size_t host_len;

	return read_url(value, len, &https, &host, &host_len);
}

static bool
right_url_or_none(const char *value, size_t len)
{
	return len == 0 || right_url(value, len);
}

bool
value_url_is_safe(const char *url)
{
	bool https;
	const char *host;
	size_t host_len;
	char name[64];
	struct in6_addr address;

	if (!read_url(url, strlen(url), &https, &host, &host_len))
		return false;
	if (https)
		return true;
	if (host_len >= sizeof(name))
		return false;
	memcpy(name, host, host_len);
	name[host_len] = '\0';
	if (text_same(name, "localhost"))
		return true;
	if (name[0] == '[') {
		name[host_len - 1] = '\0';
		return inet_pton(AF_INET6, name + 1, &address) == 1 &&
		       address_is_loopback(AF_INET6, &address);
	}
	return inet_pton(AF_INET, name, &address) == 1 && address_is_loopback(AF_INET, &address);
}

/* ---- the table --------------------------------------------------------------------------- */

static const struct {
	const char *name, *text;
} sections[] = {
	{ "process", "Who runs, as whom, and how it ends." },
	{ "log", "What is written to the log." },
	{ "smtp", "The listeners, who may send, and the limits of a connection and a mail." },
	{ "message", "How a mail becomes a Postmark message." },
	{ "spool", "Where accepted mail is kept." },
	{ "control", "How the relay is looked at and steered: HTTP and JSON, on a Unix socket "
		     "and, where wanted, over TLS.  Members of the group may read; root and the "
		     "daemon's user may do all." },
	{ "postmark", "The way to Postmark's HTTP API, and the connection called default." },
	{ "connection", "One more server or account at Postmark, with its tokens, that is spoken "
			"to by NAME: letters, digits and '-', beginning with a letter.  The "
			"section may stand any number of times, each with a name of its own; the "
			"variables alone make one, too." },
	{ "retry", "When an item is tried again, and when no longer." },
};

/* In the order of enum log_level, enum log_format and enum dispatch_unsure. */
static const char *const log_levels[] = { "error", "warning", "info", "debug", NULL };
static const char *const log_formats[] = { "text", "json", NULL };
static const char *const unsure_ways[] = { "reconcile", "retry", "hold", NULL };
/* Postmark's own words for TrackLinks. */
static const char *const track_links[] = { "", "None", "HtmlAndText", "HtmlOnly", "TextOnly",
	NULL };

#define AT(member) .at = offsetof(struct config, member)

const struct option_row option_table[] = {
	{ "process", "hostname", OPTION_STRING, RELOAD_LIVE, AT(hostname), .preset = "",
	    .most = 253, .right = right_hostname, .wanted = "a host name",
	    .text = "Name in the SMTP greeting.  Empty: the name of the system." },
	{ "process", "user", OPTION_STRING, RELOAD_RESTART, AT(user), .preset = "", .most = 64,
	    .right = right_user, .wanted = "the name of a user",
	    .text = "User to become after the listeners are bound, when started as root.  Empty: "
		    "stay who started it." },
	{ "process", "group", OPTION_STRING, RELOAD_RESTART, AT(group), .preset = "", .most = 64,
	    .right = right_user, .wanted = "the name of a group",
	    .text = "Group to become together with the user.  Empty: the main group of that "
		    "user." },
	{ "process", "fronts", OPTION_NUMBER, RELOAD_RESTART, AT(fronts), .preset = "0",
	    .most = 256,
	    .text = "Front processes, which speak SMTP and parse mail.  0: one per core of the "
		    "machine." },
	{ "process", "confine", OPTION_BOOL, RELOAD_RESTART, AT(confine), .preset = "yes",
	    .text = "Fence the front processes in with seccomp and Landlock where the kernel has "
		    "them." },
	{ "process", "drain-delay", OPTION_TIME, RELOAD_LIVE, AT(drain_delay_ms), .preset = "0s",
	    .most = 10 * MINUTE,
	    .text = "Time between SIGTERM and the end of accepting connections, so that a load "
		    "balancer can look elsewhere first." },
	{ "process", "drain-timeout", OPTION_TIME, RELOAD_LIVE, AT(drain_timeout_ms),
	    .preset = "30s", .least = SECOND, .most = HOUR,
	    .text = "Longest time that open sessions and requests get to end after SIGTERM." },

	{ "log", "level", OPTION_CHOICE, RELOAD_LIVE, AT(log_level), .preset = "info",
	    .choices = log_levels, .text = "The least important kind of line that is written." },
	{ "log", "format", OPTION_CHOICE, RELOAD_RESTART, AT(log_format), .preset = "text",
	    .choices = log_formats, .text = "key=value pairs, or one JSON object a line." },
	{ "log", "file", OPTION_STRING, RELOAD_LIVE, AT(log_file),
	    .preset = LOCALSTATEDIR "/log/pmrelay.log", .most = 4000, .right = right_full_path,
	    .wanted = "an absolute path",
	    .text = "File that is written to in the background; SIGHUP opens it again.  In the "
		    "foreground the log goes to the standard error output." },

	{ "smtp", "listen", OPTION_LIST, RELOAD_RESTART, AT(listen),
	    .preset = "127.0.0.1:2525 [::1]:2525", .most = 64, .right = right_listener,
	    .wanted = "addresses like 127.0.0.1:2525, [::1]:2525 or unix:/run/pmrelay/smtp.sock",
	    .text = "Where SMTP is spoken.  An address that is not a loopback address needs an "
		    "allow list that is written down." },
	{ "smtp", "allow", OPTION_LIST, RELOAD_LIVE, AT(allow), .preset = "127.0.0.0/8 ::1/128",
	    .most = 1024, .right = right_network,
	    .wanted = "networks like 192.0.2.0/24 or 2001:db8::/32",
	    .text = "Networks whose clients may send.  All others are turned away when they "
		    "connect." },
	{ "smtp", "message-size", OPTION_SIZE, RELOAD_LIVE, AT(smtp_message_bytes), .preset = "11M",
	    .least = KIBIBYTE, .most = 64 * MEBIBYTE,
	    .text =
		"Largest mail accepted, as advertised with SIZE and counted after "
		"dot-unstuffing.  The default lets every mail through whose base64 content fits "
		"into Postmark's 10 MB; what Postmark would refuse is refused in the session "
		"as well." },
	{ "smtp", "memory", OPTION_SIZE, RELOAD_RESTART, AT(smtp_memory_bytes), .preset = "256M",
	    .least = MEBIBYTE, .most = 64 * GIBIBYTE,
	    .text = "Memory for the contents of all mails that one front process holds at once.  "
		    "Beyond it a mail is put off with 452." },
	{ "smtp", "recipients", OPTION_NUMBER, RELOAD_LIVE, AT(smtp_recipients), .preset = "1000",
	    .least = 100, .most = 100000,
	    .text = "Most recipients of one mail.  Beyond it RCPT is put off with 452." },
	{ "smtp", "connections", OPTION_NUMBER, RELOAD_RESTART, AT(smtp_connections),
	    .preset = "2000", .least = 1, .most = 100000,
	    .text = "Most connections that one front process serves at once.  Beyond it a client "
		    "gets 421." },
	{ "smtp", "connections-per-client", OPTION_NUMBER, RELOAD_RESTART,
	    AT(smtp_connections_client), .preset = "2000", .least = 1, .most = 100000,
	    .text = "The same for one client address." },
	{ "smtp", "commands", OPTION_NUMBER, RELOAD_LIVE, AT(smtp_commands), .preset = "1000",
	    .least = 10, .most = 1000000,
	    .text = "Most commands of a connection without an accepted mail between them." },
	{ "smtp", "errors", OPTION_NUMBER, RELOAD_LIVE, AT(smtp_errors), .preset = "20", .least = 1,
	    .most = 1000000, .text = "Most refused commands of a connection before it is ended." },
	{ "smtp", "mails", OPTION_NUMBER, RELOAD_LIVE, AT(smtp_mails), .preset = "10000",
	    .least = 1, .most = 1000000000, .text = "Most mails of one connection." },
	{ "smtp", "line", OPTION_NUMBER, RELOAD_LIVE, AT(smtp_line_bytes), .preset = "4096",
	    .least = 1000, .most = 65536, .text = "Longest command line in bytes." },
	{ "smtp", "normalize-line-ends", OPTION_BOOL, RELOAD_LIVE, AT(smtp_normalize_line_ends),
	    .preset = "no",
	    .text = "Take a bare LF for the end of a line and drop a bare CR, for old devices.  "
		    "Otherwise such a mail is refused.  A bare LF never ends the mail itself." },
	{ "smtp", "command-timeout", OPTION_TIME, RELOAD_LIVE, AT(smtp_command_timeout_ms),
	    .preset = "5m", .least = SECOND, .most = DAY,
	    .text = "Longest wait for the next command (RFC 5321 asks for five minutes)." },
	{ "smtp", "data-timeout", OPTION_TIME, RELOAD_LIVE, AT(smtp_data_timeout_ms),
	    .preset = "3m", .least = SECOND, .most = DAY,
	    .text = "Longest wait for the next piece of a mail's content." },
	{ "smtp", "message-timeout", OPTION_TIME, RELOAD_LIVE, AT(smtp_message_timeout_ms),
	    .preset = "30m", .least = SECOND, .most = DAY,
	    .text = "Longest time for the whole content of a mail." },
	{ "smtp", "session-timeout", OPTION_TIME, RELOAD_LIVE, AT(smtp_session_timeout_ms),
	    .preset = "1h", .least = SECOND, .most = 7 * DAY,
	    .text = "Longest time that a connection lasts between two mails." },

	{ "message", "tag", OPTION_STRING, RELOAD_LIVE, AT(tag), .preset = "", .most = 1000,
	    .wanted = "a text of at most 1000 characters",
	    .text = "Tag of messages that bring none in X-PM-Tag." },
	{ "message", "track-opens", OPTION_TRISTATE, RELOAD_LIVE, AT(track_opens), .preset = "",
	    .text = "Whether opens are tracked where X-PM-TrackOpens does not say.  Empty: as the "
		    "server is set up at Postmark." },
	{ "message", "track-links", OPTION_STRING, RELOAD_LIVE, AT(track_links), .preset = "",
	    .most = 11, .choices = track_links,
	    .text = "Which links are tracked where X-PM-TrackLinks does not say.  Empty: as the "
		    "server is set up at Postmark." },
	{ "message", "mime-depth", OPTION_NUMBER, RELOAD_LIVE, AT(mime_depth), .preset = "100",
	    .least = 10, .most = 200,
	    .text = "Deepest nesting of MIME parts.  Beyond it a mail is refused." },
	{ "message", "mime-parts", OPTION_NUMBER, RELOAD_LIVE, AT(mime_parts), .preset = "1000",
	    .least = 10, .most = 100000,
	    .text = "Most MIME parts of a mail.  Beyond it a mail is refused." },
	{ "message", "mime-headers", OPTION_NUMBER, RELOAD_LIVE, AT(mime_headers), .preset = "1000",
	    .least = 100, .most = 100000,
	    .text = "Most header fields of a mail.  Beyond it a mail is refused." },

	{ "spool", "folder", OPTION_STRING, RELOAD_RESTART, AT(spool_folder),
	    .preset = LOCALSTATEDIR "/spool/pmrelay", .most = 4000, .right = right_full_path,
	    .wanted = "an absolute path",
	    .text =
		"Folder of the queue.  It belongs on a disk that keeps what was synced to it." },
	{ "spool", "require-durable", OPTION_BOOL, RELOAD_RESTART, AT(require_durable_spool),
	    .preset = "no",
	    .text = "Refuse to start when the folder lies where a restart loses it (tmpfs, the "
		    "overlay of a container), instead of warning." },
	{ "spool", "min-free", OPTION_SIZE, RELOAD_RESTART, AT(spool_min_free_bytes),
	    .preset = "64M", .most = 1024 * GIBIBYTE,
	    .text = "Free space below which mails are put off with 452." },
	{ "spool", "keep-history", OPTION_TIME, RELOAD_LIVE, AT(spool_keep_history_ms),
	    .preset = "30d", .most = 3650 * DAY,
	    .text = "How long ids, recipients and Postmark's answers are kept after an item has "
		    "ended.  Contents go when it ends." },
	{ "spool", "sync-delay", OPTION_TIME, RELOAD_RESTART, AT(spool_sync_delay_ms),
	    .preset = "0s", .most = SECOND,
	    .text = "How long a commit waits for others to share its sync with.  More mails a "
		    "second on slow disks, a later 250 for each." },

	{ "control", "socket", OPTION_STRING, RELOAD_RESTART, AT(control_socket),
	    .preset = "/run/pmrelay/control.sock", .right = right_socket,
	    .most = sizeof(((struct sockaddr_un *)0)->sun_path) - 1,
	    .wanted = "an absolute path of at most 107 bytes",
	    .text = "Path of the Unix socket that pmrelayctl and others speak to.  Empty: "
		    "none." },
	{ "control", "group", OPTION_STRING, RELOAD_RESTART, AT(control_group), .preset = "",
	    .most = 64, .right = right_user, .wanted = "the name of a group",
	    .text = "Group whose members may read through the socket.  Empty: the daemon's "
		    "own." },
	{ "control", "listen", OPTION_STRING, RELOAD_RESTART, AT(control_listen), .preset = "",
	    .most = 100, .right = right_endpoint,
	    .wanted = "an address like 127.0.0.1:8443 or [::1]:8443",
	    .text = "Where the same is spoken over TCP, with TLS and client certificates.  "
		    "Empty: nowhere." },
	{ "control", "certificate-file", OPTION_STRING, RELOAD_LIVE, AT(control_certificate_file),
	    .preset = "", .most = 4000, .right = right_path, .wanted = "an absolute path",
	    .text = "PEM file with the certificate of that listener and those that lead to its "
		    "authority." },
	{ "control", "key-file", OPTION_STRING, RELOAD_LIVE, AT(control_key_file), .preset = "",
	    .most = 4000, .right = right_path, .wanted = "an absolute path",
	    .text = "PEM file with the private key of the certificate." },
	{ "control", "client-ca-file", OPTION_STRING, RELOAD_LIVE, AT(control_client_ca_file),
	    .preset = "", .most = 4000, .right = right_path, .wanted = "an absolute path",
	    .text = "PEM file with the authorities whose client certificates are taken." },
	{ "control", "admins", OPTION_LIST, RELOAD_LIVE, AT(control_admins), .preset = "",
	    .most = 1000, .right = right_name, .wanted = "names in client certificates",
	    .text = "Names in client certificates whose holders may do all." },
	{ "control", "readers", OPTION_LIST, RELOAD_LIVE, AT(control_readers), .preset = "",
	    .most = 1000, .right = right_name, .wanted = "names in client certificates",
	    .text = "Names in client certificates whose holders may read.  All other "
		    "certificates may do nothing." },
	{ "control", "body-size", OPTION_SIZE, RELOAD_LIVE, AT(control_body_bytes), .preset = "64M",
	    .least = 64 * KIBIBYTE, .most = GIBIBYTE,
	    .text = "Largest body of a request.  Beyond it a request is refused." },
	{ "control", "connections", OPTION_NUMBER, RELOAD_LIVE, AT(control_connections),
	    .preset = "64", .least = 1, .most = 10000,
	    .text = "Most connections at once.  Beyond it one is turned away." },
	{ "control", "timeout", OPTION_TIME, RELOAD_LIVE, AT(control_timeout_ms), .preset = "30s",
	    .least = SECOND, .most = HOUR, .text = "Longest time for a request to come in whole." },
	{ "control", "public-url", OPTION_STRING, RELOAD_LIVE, AT(control_public_url), .preset = "",
	    .most = 1000, .right = right_url_or_none,
	    .wanted = "a URL like https://relay.example.com",
	    .text = "Where the world, and so Postmark, reaches this relay: what the webhooks of "
		    "this instance point to." },

	{ "postmark", "token", OPTION_SECRET, RELOAD_LIVE, AT(postmark.server_token), .preset = "",
	    .most = 256, .right = right_token, .wanted = "a server token",
	    .text = "Server API token.  A file of its own is better: see token-file." },
	{ "postmark", "token-file", OPTION_SECRET_FILE, RELOAD_LIVE, AT(postmark.server_token_file),
	    .preset = "", .most = 4000, .right = right_path, .wanted = "an absolute path",
	    .text = "File whose first line is the server API token.  When neither is given, the "
		    "systemd credential postmark-token is used.  Without any token mail is "
		    "accepted and kept, and nothing is sent." },
	{ "postmark", "account-token", OPTION_SECRET, RELOAD_LIVE, AT(postmark.account_token),
	    .preset = "", .most = 256, .right = right_token, .wanted = "an account token",
	    .text = "Account API token, which servers, domains and sender signatures are managed "
		    "with.  Mail needs none.  A file of its own is better: see "
		    "account-token-file." },
	{ "postmark", "account-token-file", OPTION_SECRET_FILE, RELOAD_LIVE,
	    AT(postmark.account_token_file), .preset = "", .most = 4000, .right = right_path,
	    .wanted = "an absolute path",
	    .text = "File whose first line is the account API token.  When neither is given, "
		    "the systemd credential postmark-account-token is used." },
	{ "postmark", "stream", OPTION_STRING, RELOAD_LIVE, AT(postmark.message_stream),
	    .preset = "outbound", .most = 100, .right = right_stream,
	    .wanted = "the ID of a message stream",
	    .text = "Message stream of messages that name none in X-PM-Message-Stream." },
	{ "postmark", "url", OPTION_STRING, RELOAD_LIVE, AT(postmark_url),
	    .preset = "https://api.postmarkapp.com", .most = 1000, .right = right_url,
	    .wanted = "a URL like https://api.postmarkapp.com",
	    .text = "Where the API is.  Plain http is accepted for loopback addresses alone." },
	{ "postmark", "ca-file", OPTION_STRING, RELOAD_LIVE, AT(postmark_ca_file), .preset = "",
	    .most = 4000, .right = right_path, .wanted = "an absolute path",
	    .text = "PEM file with the certificate authorities to trust.  Empty: those of the "
		    "system." },
	{ "postmark", "connect-timeout", OPTION_TIME, RELOAD_LIVE, AT(postmark_connect_timeout_ms),
	    .preset = "10s", .least = 100, .most = 10 * MINUTE,
	    .text = "Longest time to connect, with TLS." },
	{ "postmark", "timeout", OPTION_TIME, RELOAD_LIVE, AT(postmark_single_timeout_ms),
	    .preset = "60s", .least = 100, .most = HOUR,
	    .text = "Longest time for a request with one message, from its start to the end of "
		    "the answer." },
	{ "postmark", "batch-timeout", OPTION_TIME, RELOAD_LIVE, AT(postmark_batch_timeout_ms),
	    .preset = "180s", .least = 100, .most = HOUR,
	    .text = "The same for a batch; Postmark may think for minutes about a heavy one." },
	{ "postmark", "requests", OPTION_NUMBER, RELOAD_LIVE, AT(postmark_requests), .preset = "8",
	    .least = 1, .most = 100, .text = "Most requests under way at once." },
	{ "postmark", "batch-items", OPTION_NUMBER, RELOAD_LIVE, AT(postmark_batch_items),
	    .preset = "500", .least = 1, .most = 500,
	    .text = "Most messages of a batch; Postmark takes 500." },
	{ "postmark", "batch-bytes", OPTION_SIZE, RELOAD_LIVE, AT(postmark_batch_bytes),
	    .preset = "20M", .least = MEBIBYTE, .most = 50 * MEBIBYTE,
	    .text = "Most bytes of a batch; Postmark takes 50 MB.  A message that is larger by "
		    "itself goes alone." },
	{ "postmark", "batch-target", OPTION_TIME, RELOAD_LIVE, AT(postmark_batch_target_ms),
	    .preset = "2s", .least = 10, .most = 10 * MINUTE,
	    .text = "Batches grow and shrink so that an answer takes about this long." },

	{ "retry", "min", OPTION_TIME, RELOAD_LIVE, AT(retry_least_ms), .preset = "10s",
	    .least = 10, .most = DAY,
	    .text = "First wait after a failure that may pass.  It doubles with each, with "
		    "jitter." },
	{ "retry", "max", OPTION_TIME, RELOAD_LIVE, AT(retry_most_ms), .preset = "1h", .least = 10,
	    .most = 7 * DAY, .text = "Longest wait between two attempts." },
	{ "retry", "lifetime", OPTION_TIME, RELOAD_LIVE, AT(retry_lifetime_ms), .preset = "5d",
	    .least = SECOND, .most = 365 * DAY,
	    .text = "How long an item is tried before it has failed.  The clock stands still "
		    "while the relay waits for an operator." },
	{ "retry", "probe", OPTION_TIME, RELOAD_LIVE, AT(retry_probe_ms), .preset = "60s",
	    .least = 10, .most = DAY,
	    .text = "How often one item is tried while a route waits for an operator, or for "
		    "Postmark to come back." },
	{ "retry", "settle", OPTION_TIME, RELOAD_LIVE, AT(retry_settle_ms), .preset = "5m",
	    .most = HOUR,
	    .text = "How long Postmark's message search may lag behind: an unsure item is looked "
		    "up again after it before it is sent again." },
	{ "retry", "breaker-failures", OPTION_NUMBER, RELOAD_LIVE, AT(retry_breaker_failures),
	    .preset = "5", .least = 1, .most = 1000,
	    .text = "Failures in a row after which only single items are tried until one gets "
		    "through." },
	{ "retry", "unsure", OPTION_CHOICE, RELOAD_LIVE, AT(retry_unsure), .preset = "reconcile",
	    .choices = unsure_ways,
	    .text = "What is done when a request went out and no answer came: search Postmark and "
		    "send again only what is not there, send again at once (may send twice), or "
		    "wait for an operator." },

	{ .section = NULL },
};

#undef AT
#define AT(member) .at = offsetof(struct connection, member)

static const struct option_row connection_table[] = {
	{ "connection", "token", OPTION_SECRET, RELOAD_LIVE, AT(server_token), .preset = "",
	    .most = 256, .right = right_token, .wanted = "a server token",
	    .text = "Server API token.  A file of its own is better: see token-file." },
	{ "connection", "token-file", OPTION_SECRET_FILE, RELOAD_LIVE, AT(server_token_file),
	    .preset = "", .most = 4000, .right = right_path, .wanted = "an absolute path",
	    .text = "File whose first line is the server API token.  When neither is given, the "
		    "systemd credential connection.NAME.token is used." },
	{ "connection", "account-token", OPTION_SECRET, RELOAD_LIVE, AT(account_token),
	    .preset = "", .most = 256, .right = right_token, .wanted = "an account token",
	    .text = "Account API token.  A file of its own is better: see account-token-file." },
	{ "connection", "account-token-file", OPTION_SECRET_FILE, RELOAD_LIVE,
	    AT(account_token_file), .preset = "", .most = 4000, .right = right_path,
	    .wanted = "an absolute path",
	    .text = "File whose first line is the account API token.  When neither is given, the "
		    "systemd credential connection.NAME.account-token is used." },
	{ "connection", "message-stream", OPTION_STRING, RELOAD_LIVE, AT(message_stream),
	    .preset = "outbound", .most = 100, .right = right_stream,
	    .wanted = "the ID of a message stream",
	    .text = "Message stream of messages over this connection that name none." },

	{ .section = NULL },
};

#undef AT
#define ROWS(table) (sizeof(table) / sizeof((table)[0]) - 1)

const struct option_group option_groups[OPTION_GROUPS + 1] = {
	{ .rows = option_table,
	    .row_count = ROWS(option_table),
	    .item_bytes = sizeof(struct config),
	    .most = 1 },
	{ .section = "connection",
	    .rows = connection_table,
	    .row_count = ROWS(connection_table),
	    .items_at = offsetof(struct config, connections),
	    .count_at = offsetof(struct config, connection_count),
	    .item_bytes = sizeof(struct connection),
	    .title_at = offsetof(struct connection, name),
	    .most = 1000,
	    .taken = "default",
	    .taken_by = "postmark { }" },
	{ .rows = NULL },
};

size_t
option_count(void)
{
	return ROWS(option_table);
}

/* ---- places ------------------------------------------------------------------------------ */

#define MOST_TITLE_BYTES 63

static size_t
group_count(const struct config *config, const struct option_group *g)
{
	if (g->section == NULL)
		return 1;
	return *(const size_t *)((const char *)config + g->count_at);
}

/* The place as such may be changed by those alone who may change the settings. */
static void
place_at(const struct config *config, const struct option_group *g, size_t item,
    struct option_place *place_r)
{
	char *items, *title;

	*place_r = (struct option_place){ .group = g, .item = item, .base = (void *)config };
	if (g->section != NULL) {
		memcpy(&items, (const char *)config + g->items_at, sizeof(items));
		items += item * g->item_bytes;
		memcpy(&title, items + g->title_at, sizeof(title));
		place_r->base = items;
		place_r->title = title;
	}
}

bool
option_place_next(const struct config *config, struct option_place *place)
{
	const struct option_group *g = place->group == NULL ? option_groups : place->group;
	size_t item = place->group == NULL ? 0 : place->item + 1;

	for (; g->rows != NULL; g++, item = 0) {
		if (item < group_count(config, g)) {
			place_at(config, g, item, place);
			return true;
		}
	}
	return false;
}

const struct option_group *
option_group_find(const char *section)
{
	for (const struct option_group *g = option_groups; g->rows != NULL; g++)
		if (g->section != NULL && strcmp(g->section, section) == 0)
			return g;
	return NULL;
}

bool
option_place_find(const struct config *config, const char *section, const char *title,
    struct option_place *place_r)
{
	const struct option_group *g = option_group_find(section);

	if (g == NULL) {
		place_at(config, option_groups, 0, place_r);
		return option_section_text(section) != NULL;
	}
	for (size_t i = 0; title != NULL && i < group_count(config, g); i++) {
		place_at(config, g, i, place_r);
		if (text_same(place_r->title, title))
			return true;
	}
	return false;
}

bool
option_place_add(struct config *config, const struct option_group *g, const char *title,
    struct option_place *place_r)
{
	size_t count = group_count(config, g);
	char *items, *item, *copy;

	if (count >= g->most)
		return false;
	memcpy(&items, (char *)config + g->items_at, sizeof(items));
	items = mem_resize(items, count + 1, g->item_bytes);
	memcpy((char *)config + g->items_at, &items, sizeof(items));
	*(size_t *)((char *)config + g->count_at) = count + 1;

	item = items + count * g->item_bytes;
	memset(item, 0, g->item_bytes);
	copy = mem_string(title);
	memcpy(item + g->title_at, &copy, sizeof(copy));
	place_at(config, g, count, place_r);
	for (const struct option_row *o = g->rows; o->section != NULL; o++)
		option_set_preset(o, item);
	return true;
}

bool
option_title_right(const struct config *config, const struct option_group *g, const char *title,
    size_t len, struct buf *why)
{
	char shown[100], name[MOST_TITLE_BYTES + 1];
	struct option_place place;

	if (len == 0 || len > MOST_TITLE_BYTES || !only_words_and(title, len, "-") ||
	    !is_word(title[0]) || (title[0] >= '0' && title[0] <= '9')) {
		buf_addf(why,
		    "found \"%s\", wanted a name of letters, digits and '-' that begins with a "
		    "letter, of at most %d",
		    text_safe(shown, sizeof(shown), title, len), MOST_TITLE_BYTES);
		return false;
	}
	memcpy(name, title, len);
	name[len] = '\0';
	if (g->taken != NULL && text_same(name, g->taken)) {
		buf_addf(why, "found %s, which is what %s is called, wanted another name", name,
		    g->taken_by);
		return false;
	}
	if (option_place_find(config, g->section, name, &place)) {
		buf_addf(why, "found %s%s a second time, wanted each name once", name,
		    strcmp(name, place.title) == 0 ? "" : " (case makes no difference)");
		return false;
	}
	if (group_count(config, g) >= g->most) {
		buf_addf(why, "found more than %zu", g->most);
		return false;
	}
	return true;
}

/* ---- finding rows ------------------------------------------------------------------------ */

const char *
option_section_text(const char *section)
{
	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++)
		if (strcmp(sections[i].name, section) == 0)
			return sections[i].text;
	return NULL;
}

const struct option_row *
option_find(const char *section, const char *name)
{
	const struct option_group *g = option_group_find(section);

	for (const struct option_row *o = g == NULL ? option_table : g->rows; o->section != NULL;
	     o++)
		if (strcmp(o->section, section) == 0 && strcmp(o->name, name) == 0)
			return o;
	return NULL;
}

/* Edits (insert, drop, replace, swap of neighbours) between two short names. */
static unsigned
distance(const char *a, const char *b)
{
	enum { MOST = 40 };
	unsigned rows[3][MOST + 1];
	size_t a_len = strlen(a), b_len = strlen(b);

	if (a_len > MOST || b_len > MOST)
		return UINT_MAX;
	for (size_t j = 0; j <= b_len; j++)
		rows[0][j] = (unsigned)j;
	for (size_t i = 1; i <= a_len; i++) {
		unsigned *row = rows[i % 3], *above = rows[(i - 1) % 3];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= b_len; j++) {
			unsigned best = above[j - 1] + (a[i - 1] != b[j - 1]);

			if (above[j] + 1 < best)
				best = above[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    rows[(i - 2) % 3][j - 2] + 1 < best)
				best = rows[(i - 2) % 3][j - 2] + 1;
			row[j] = best;
		}
	}
	return rows[a_len % 3][b_len];
}

static bool
ends_in_word(const char *text, size_t len, const char *word, size_t word_len)
{
	return word_len > 0 && len > word_len && text[len - word_len - 1] == '-' &&
	       strcmp(text + len - word_len, word) == 0;
}

/* How far a row is from what was asked for; UINT_MAX: not near. */
static unsigned
row_distance(const struct option_row *o, const char *section, const char *name)
{
	bool here = section != NULL && strcmp(section, o->section) == 0;
	size_t name_len = strlen(name), o_len = strlen(o->name);
	unsigned away = distance(name, o->name);

	/* "stream" and "message-stream". */
	if (here && (ends_in_word(o->name, o_len, name, name_len) ||
			ends_in_word(name, name_len, o->name, o_len)))
		return 0;
	/* Another section only with a name that is very like it. */
	if (away > (here ? 1 + o_len / 3 : o_len / 6))
		return UINT_MAX;
	return 2 * away + !here;
}

const struct option_row *
option_nearest(const char *section, const char *name)
{
	const struct option_row *nearest = NULL;
	unsigned least = UINT_MAX;

	for (const struct option_group *g = option_groups; g->rows != NULL; g++) {
		for (const struct option_row *o = g->rows; o->section != NULL; o++) {
			unsigned away = row_distance(o, section, name);

			if (away < least) {
				least = away;
				nearest = o;
			}
		}
	}
	return nearest;
}

char *
option_variable(const struct option_row *o, const char *title)
{
	char *name = title == NULL ? mem_format("PMRELAY_%s_%s", o->section, o->name)
				   : mem_format("PMRELAY_%s_%s_%s", o->section, title, o->name);

	for (char *c = name; *c != '\0'; c++) {
		if (*c == '-')
			*c = '_';
		else if (*c >= 'a' && *c <= 'z')
			*c = (char)(*c - 'a' + 'A');
	}
	return name;
}

char *
option_path(const struct option_row *o, const char *title)
{
	return title == NULL ? mem_format("%s.%s", o->section, o->name)
			     : mem_format("%s.%s.%s", o->section, title, o->name);
}

/* ---- reading values ---------------------------------------------------------------------- */

static const struct unit {
	const char *name;
	uint64_t factor;
} size_units[] = {
	/* Largest first: printing takes the first that divides the value. */
	{ "G", GIBIBYTE },
	{ "M", MEBIBYTE },
	{ "k", KIBIBYTE },
	{ "", 1 },
}, time_units[] = {
	{ "d", DAY },
	{ "h", HOUR },
	{ "m", MINUTE },
	{ "s", SECOND },
	{ "ms", 1 },
};
#define UNIT_COUNT(units) (sizeof(units) / sizeof((units)[0]))

/* Digits followed by a unit. */
static int
read_quantity(
    const char *text, size_t len, const struct unit *units, size_t unit_count, uint64_t *number_r)
{
	size_t digits = 0;
	uint64_t number;

	while (digits < len && text[digits] >= '0' && text[digits] <= '9')
		digits++;
	for (size_t i = 0; i < unit_count; i++) {
		const struct unit *u = &units[i];

		if (strlen(u->name) != len - digits ||
		    !text_same_n(text + digits, u->name, len - digits))
			continue;
		if (text_number(text, digits, 0, INT64_MAX / u->factor, &number) != 0)
			return -1;
		*number_r = number * u->factor;
		return 0;
	}
	return -1;
}

int
value_size(const char *text, size_t len, uint64_t *bytes_r)
{
	return read_quantity(text, len, size_units, UNIT_COUNT(size_units), bytes_r);
}

int
value_time(const char *text, size_t len, int64_t *ms_r)
{
	uint64_t ms;

	/* 0 needs no unit; for any other number a guess would be wrong for somebody. */
	if (len == 1 && text[0] == '0') {
		*ms_r = 0;
		return 0;
	}
	if (read_quantity(text, len, time_units, UNIT_COUNT(time_units), &ms) != 0)
		return -1;
	*ms_r = (int64_t)ms;
	return 0;
}

static int
read_bool(const char *text, bool *yes_r)
{
	static const struct {
		const char *name;
		bool yes;
	} words[] = { { "yes", true }, { "no", false }, { "true", true }, { "false", false },
		{ "on", true }, { "off", false }, { "1", true }, { "0", false } };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (text_same(words[i].name, text)) {
			*yes_r = words[i].yes;
			return 0;
		}
	}
	return -1;
}

static int
find_choice(const char *const *choices, const char *text)
{
	for (int i = 0; choices[i] != NULL; i++)
		if (text_same(choices[i], text))
			return i;
	return -1;
}

/* Printable UTF-8: nothing in the settings may bring a line end or an escape into a header, a
 * log or a terminal. */
static bool
is_clean(const char *value, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)value[i] < ' ' || value[i] == 0x7f)
			return false;
	return text_is_utf8(value, len);
}

static void *
place(const struct option_row *o, void *base)
{
	return (char *)base + o->at;
}

static const void *
place_const(const struct option_row *o, const void *base)
{
	return (const char *)base + o->at;
}

static void
set_string(char **at, const char *value)
{
	char *copy = mem_string(value);

	free(*at);
	*at = copy;
}

int
option_set(const struct option_row *o, void *base, const char *value, size_t len)
{
	uint64_t number;
	int64_t ms;
	int choice = -1;
	bool yes = false;

	if (!is_clean(value, len))
		return -1;

	switch (o->kind) {
	case OPTION_STRING:
	case OPTION_SECRET_FILE:
		if (len > o->most || (o->right != NULL && !o->right(value, len)))
			return -1;
		if (o->choices != NULL) {
			choice = find_choice(o->choices, value);
			if (choice < 0)
				return -1;
			value = o->choices[choice];
		}
		if (base != NULL)
			set_string(place(o, base), value);
		return 0;
	case OPTION_CHOICE:
		choice = find_choice(o->choices, value);
		if (choice < 0)
			return -1;
		if (base != NULL)
			memcpy(place(o, base), &choice, sizeof(choice));
		return 0;
	case OPTION_TRISTATE:
		if (len > 0) {
			if (read_bool(value, &yes) != 0)
				return -1;
			choice = yes;
		}
		if (base != NULL)
			*(int *)place(o, base) = choice;
		return 0;
	case OPTION_BOOL:
		if (read_bool(value, &yes) != 0)
			return -1;
		if (base != NULL)
			*(bool *)place(o, base) = yes;
		return 0;
	case OPTION_NUMBER:
		if (text_number(value, len, o->least, o->most, &number) != 0)
			return -1;
		if (base != NULL)
			*(unsigned *)place(o, base) = (unsigned)number;
		return 0;
	case OPTION_SIZE:
		if (value_size(value, len, &number) != 0 || number < o->least || number > o->most)
			return -1;
		if (base != NULL)
			*(uint64_t *)place(o, base) = number;
		return 0;
	case OPTION_TIME:
		if (value_time(value, len, &ms) != 0 || (uint64_t)ms < o->least ||
		    (uint64_t)ms > o->most)
			return -1;
		if (base != NULL)
			*(int64_t *)place(o, base) = ms;
		return 0;
	case OPTION_LIST:
		if (!o->right(value, len))
			return -1;
		if (base != NULL) {
			struct strlist *list = place(o, base);

			if (list->count >= o->most)
				return -1;
			strlist_add_bytes(list, value, len);
		}
		return 0;
	case OPTION_SECRET:
		if (len > o->most || !o->right(value, len))
			return -1;
		if (base != NULL) {
			struct secret **secret = place(o, base);

			secret_free(secret);
			if (len > 0)
				*secret = secret_new(value, len);
		}
		return 0;
	}
	return -1;
}

void
option_clear(const struct option_row *o, void *base)
{
	switch (o->kind) {
	case OPTION_STRING:
	case OPTION_SECRET_FILE:
		set_string(place(o, base), "");
		break;
	case OPTION_LIST:
		strlist_free(place(o, base));
		break;
	case OPTION_SECRET:
		secret_free(place(o, base));
		break;
	case OPTION_CHOICE:
	case OPTION_TRISTATE:
	case OPTION_BOOL:
	case OPTION_NUMBER:
	case OPTION_SIZE:
	case OPTION_TIME:
		break;
	}
}

void
option_free(const struct option_row *o, void *base)
{
	char **text = place(o, base);

	option_clear(o, base);
	if (o->kind == OPTION_STRING || o->kind == OPTION_SECRET_FILE) {
		free(*text);
		*text = NULL;
	}
}

void
option_copy(const struct option_row *o, void *to, const void *from)
{
	const void *value = place_const(o, from);

	switch (o->kind) {
	case OPTION_STRING:
	case OPTION_SECRET_FILE:
		set_string(place(o, to), *(char *const *)value);
		break;
	case OPTION_LIST:
		strlist_free(place(o, to));
		strlist_copy(place(o, to), value);
		break;
	case OPTION_SECRET:
		secret_free(place(o, to));
		*(struct secret **)place(o, to) = secret_copy(*(struct secret *const *)value);
		break;
	case OPTION_CHOICE:
	case OPTION_TRISTATE:
		memcpy(place(o, to), value, sizeof(int));
		break;
	case OPTION_BOOL:
		memcpy(place(o, to), value, sizeof(bool));
		break;
	case OPTION_NUMBER:
		memcpy(place(o, to), value, sizeof(unsigned));
		break;
	case OPTION_SIZE:
	case OPTION_TIME:
		memcpy(place(o, to), value, sizeof(uint64_t));
		break;
	}
}

void
option_set_preset(const struct option_row *o, void *base)
{
	if (o->kind != OPTION_LIST) {
		if (option_set(o, base, o->preset, strlen(o->preset)) != 0)
			abort();
		return;
	}
	option_clear(o, base);
	for (const char *at = o->preset; *at != '\0';) {
		size_t len = strcspn(at, " ");

		strlist_add_bytes(place(o, base), at, len);
		at += len;
		at += strspn(at, " ");
	}
}

/* ---- printing values --------------------------------------------------------------------- */

static void
print_quoted(const char *text, struct buf *out)
{
	buf_addc(out, '"');
	for (; *text != '\0'; text++) {
		/* "$" would begin a variable where "{" follows. */
		if (strchr("\"\\$", *text) != NULL)
			buf_addc(out, '\\');
		buf_addc(out, *text);
	}
	buf_addc(out, '"');
}

static void
print_quantity(uint64_t number, const struct unit *units, size_t unit_count, struct buf *out)
{
	for (size_t i = 0; i < unit_count; i++) {
		if (number % units[i].factor == 0 && (number > 0 || i == unit_count - 1)) {
			buf_addf(out, "%llu%s", (unsigned long long)(number / units[i].factor),
			    units[i].name);
			return;
		}
	}
}

static void
print_size(uint64_t bytes, struct buf *out)
{
	print_quantity(bytes, size_units, UNIT_COUNT(size_units), out);
}

static void
print_time(uint64_t ms, struct buf *out)
{
	if (ms == 0)
		buf_adds(out, "0s");
	else
		print_quantity(ms, time_units, UNIT_COUNT(time_units), out);
}

void
option_print(const struct option_row *o, const void *base, struct buf *out)
{
	const void *at = place_const(o, base);
	const struct strlist *list;
	const struct secret *secret;
	int choice;

	switch (o->kind) {
	case OPTION_STRING:
	case OPTION_SECRET_FILE:
		print_quoted(*(char *const *)at, out);
		break;
	case OPTION_CHOICE:
		memcpy(&choice, at, sizeof(choice));
		buf_adds(out, o->choices[choice]);
		break;
	case OPTION_TRISTATE:
		choice = *(const int *)at;
		buf_adds(out, choice < 0 ? "\"\"" : choice ? "yes" : "no");
		break;
	case OPTION_BOOL:
		buf_adds(out, *(const bool *)at ? "yes" : "no");
		break;
	case OPTION_NUMBER:
		buf_addf(out, "%u", *(const unsigned *)at);
		break;
	case OPTION_SIZE:
		print_size(*(const uint64_t *)at, out);
		break;
	case OPTION_TIME:
		print_time((uint64_t) * (const int64_t *)at, out);
		break;
	case OPTION_LIST:
		list = at;
		buf_addc(out, '{');
		for (size_t i = 0; i < list->count; i++) {
			if (i > 0)
				buf_adds(out, ", ");
			print_quoted(list->items[i], out);
		}
		buf_addc(out, '}');
		break;
	case OPTION_SECRET:
		secret = *(struct secret *const *)at;
		print_quoted(secret == NULL ? "" : secret_text(secret), out);
		break;
	}
}

void
option_print_preset(const struct option_row *o, struct buf *out)
{
	const struct option_group *g = option_group_find(o->section);
	void *base = mem_new(g == NULL ? sizeof(struct config) : g->item_bytes);

	option_set_preset(o, base);
	option_print(o, base, out);
	option_free(o, base);
	free(base);
}

void
option_wanted(const struct option_row *o, struct buf *out)
{
	if (o->wanted != NULL) {
		buf_adds(out, o->wanted);
		return;
	}
	if (o->choices != NULL) {
		for (size_t i = 0; o->choices[i] != NULL; i++) {
			if (i > 0)
				buf_adds(out, o->choices[i + 1] == NULL ? " or " : ", ");
			buf_adds(out, o->choices[i][0] == '\0' ? "\"\"" : o->choices[i]);
		}
		return;
	}
	switch (o->kind) {
	case OPTION_TRISTATE:
		buf_adds(out, "yes, no or \"\"");
		break;
	case OPTION_BOOL:
		buf_adds(out, "yes or no");
		break;
	case OPTION_NUMBER:
		buf_addf(out, "a number from %llu to %llu", (unsigned long long)o->least,
		    (unsigned long long)o->most);
		break;
	case OPTION_SIZE:
		buf_adds(out, "a size from ");
		print_size(o->least, out);
		buf_adds(out, " to ");
		print_size(o->most, out);
		break;
	case OPTION_TIME:
		buf_adds(out, "a time from ");
		print_time(o->least, out);
		buf_adds(out, " to ");
		print_time(o->most, out);
		break;
	case OPTION_STRING:
	case OPTION_CHOICE:
	case OPTION_LIST:
	case OPTION_SECRET:
	case OPTION_SECRET_FILE:
		buf_adds(out, "a text");
		break;
	}
}

bool
option_same(const struct option_row *o, const void *a, const void *b)
{
	struct buf text_a, text_b;
	bool same;

	buf_init(&text_a, SIZE_MAX);
	buf_init(&text_b, SIZE_MAX);
	option_print(o, a, &text_a);
	option_print(o, b, &text_b);
	same = text_a.len == text_b.len && memcmp(text_a.data, text_b.data, text_a.len) == 0;
	if (o->kind == OPTION_SECRET) {
		secret_wipe(text_a.data, text_a.len);
		secret_wipe(text_b.data, text_b.len);
	}
	buf_free(&text_a);
	buf_free(&text_b);
	return same;
}
