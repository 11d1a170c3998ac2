#include "config/rows.h"

#define SECTION    "smtp"
#define AT(member) .at = offsetof(struct config, member)

static const struct option_row rows[] = {
	{ SECTION, "listen", OPTION_LIST, RELOAD_RESTART, AT(listen),
	    .preset = "127.0.0.1:2525 [::1]:2525", .most = 64, .right = value_is_listener,
	    .wanted = "addresses like 127.0.0.1:2525, [::1]:2525 or unix:/run/pmrelay/smtp.sock",
	    .text = "Where SMTP is spoken.  An address that is not a loopback address needs an "
		    "allow list that is written down." },
	{ SECTION, "allow", OPTION_LIST, RELOAD_LIVE, AT(allow), .preset = "127.0.0.0/8 ::1/128",
	    .most = 1024, .right = value_is_network,
	    .wanted = "networks like 192.0.2.0/24 or 2001:db8::/32",
	    .text = "Networks whose clients may send.  All others are turned away when they "
		    "connect." },
	{ SECTION, "message-size", OPTION_SIZE, RELOAD_LIVE, AT(smtp_message_bytes),
	    .preset = "11M", .least = KIBIBYTE, .most = 64 * MEBIBYTE,
	    .text =
		"Largest mail accepted, as advertised with SIZE and counted after "
		"dot-unstuffing.  The default lets every mail through whose base64 content fits "
		"into Postmark's 10 MB; what Postmark would refuse is refused in the session "
		"as well." },
	{ SECTION, "memory", OPTION_SIZE, RELOAD_RESTART, AT(smtp_memory_bytes), .preset = "256M",
	    .least = MEBIBYTE, .most = 64 * GIBIBYTE,
	    .text = "Memory for the contents of all mails that one front process holds at once.  "
		    "Beyond it a mail is put off with 452." },
	{ SECTION, "recipients", OPTION_NUMBER, RELOAD_LIVE, AT(smtp_recipients), .preset = "1000",
	    .least = 100, .most = 10000,
	    .text = "Most recipients of one mail.  Beyond it RCPT is put off with 452." },
	{ SECTION, "connections", OPTION_NUMBER, RELOAD_RESTART, AT(smtp_connections),
	    .preset = "2000", .least = 1, .most = 100000,
	    .text = "Most connections that one front process serves at once.  Beyond it a client "
		    "gets 421." },
	{ SECTION, "connections-per-client", OPTION_NUMBER, RELOAD_RESTART,
	    AT(smtp_connections_client), .preset = "2000", .least = 1, .most = 100000,
	    .text = "The same for one client address." },
	{ SECTION, "commands", OPTION_NUMBER, RELOAD_LIVE, AT(smtp_commands), .preset = "1000",
	    .least = 10, .most = 1000000,
	    .text = "Most commands of a connection without an accepted mail between them." },
	{ SECTION, "errors", OPTION_NUMBER, RELOAD_LIVE, AT(smtp_errors), .preset = "20",
	    .least = 1, .most = 1000000,
	    .text = "Most refused commands of a connection before it is ended." },
	{ SECTION, "mails", OPTION_NUMBER, RELOAD_LIVE, AT(smtp_mails), .preset = "10000",
	    .least = 1, .most = 1000000000, .text = "Most mails of one connection." },
	{ SECTION, "line", OPTION_NUMBER, RELOAD_LIVE, AT(smtp_line_bytes), .preset = "4096",
	    .least = 1000, .most = 65536, .text = "Longest command line in bytes." },
	{ SECTION, "normalize-line-ends", OPTION_BOOL, RELOAD_LIVE, AT(smtp_normalize_line_ends),
	    .preset = "no",
	    .text = "Take a bare LF for the end of a line and drop a bare CR, for old devices.  "
		    "Otherwise such a mail is refused.  A bare LF never ends the mail itself." },
	{ SECTION, "command-timeout", OPTION_TIME, RELOAD_LIVE, AT(smtp_command_timeout_ms),
	    .preset = "5m", .least = SECOND, .most = DAY,
	    .text = "Longest wait for the next command (RFC 5321 asks for five minutes)." },
	{ SECTION, "data-timeout", OPTION_TIME, RELOAD_LIVE, AT(smtp_data_timeout_ms),
	    .preset = "3m", .least = SECOND, .most = DAY,
	    .text = "Longest wait for the next piece of a mail's content." },
	{ SECTION, "message-timeout", OPTION_TIME, RELOAD_LIVE, AT(smtp_message_timeout_ms),
	    .preset = "30m", .least = SECOND, .most = DAY,
	    .text = "Longest time for the whole content of a mail." },
	{ SECTION, "session-timeout", OPTION_TIME, RELOAD_LIVE, AT(smtp_session_timeout_ms),
	    .preset = "1h", .least = SECOND, .most = 7 * DAY,
	    .text = "Longest time that a connection lasts between two mails." },

	{ .section = NULL },
};

const struct option_section options_smtp = {
	.name = SECTION,
	.text = "The listeners, who may send, and the limits of a connection and a mail.",
	OPTION_ROWS(rows),
};
