#include <sys/un.h>

#include "config/rows.h"

#define SECTION    "control"
#define AT(member) .at = offsetof(struct config, member)

static const struct option_row rows[] = {
	{ SECTION, "socket", OPTION_STRING, RELOAD_RESTART, AT(control_socket),
	    .preset = "/run/pmrelay/control.sock", .right = value_is_socket,
	    .most = sizeof(((struct sockaddr_un *)0)->sun_path) - 1,
	    .wanted = "an absolute path of at most 107 bytes",
	    .text = "Path of the Unix socket that pmrelayctl and others speak to.  Empty: "
		    "none." },
	{ SECTION, "group", OPTION_STRING, RELOAD_RESTART, AT(control_group), .preset = "",
	    .most = 64, .right = value_is_user, .wanted = "the name of a group",
	    .text = "Group whose members may read through the socket.  Empty: the daemon's "
		    "own." },
	{ SECTION, "listen", OPTION_STRING, RELOAD_RESTART, AT(control_listen), .preset = "",
	    .most = 100, .right = value_is_endpoint_or_none,
	    .wanted = "an address like 127.0.0.1:8443 or [::1]:8443",
	    .text = "Where the same is spoken over TCP, with TLS and client certificates.  "
		    "Empty: nowhere." },
	{ SECTION, "certificate-file", OPTION_STRING, RELOAD_LIVE, AT(control_certificate_file),
	    .preset = "", .most = 4000, .right = value_is_path_or_none,
	    .wanted = "an absolute path",
	    .text = "PEM file with the certificate of that listener and those that lead to its "
		    "authority." },
	{ SECTION, "key-file", OPTION_STRING, RELOAD_LIVE, AT(control_key_file), .preset = "",
	    .most = 4000, .right = value_is_path_or_none, .wanted = "an absolute path",
	    .text = "PEM file with the private key of the certificate." },
	{ SECTION, "client-ca-file", OPTION_STRING, RELOAD_LIVE, AT(control_client_ca_file),
	    .preset = "", .most = 4000, .right = value_is_path_or_none,
	    .wanted = "an absolute path",
	    .text = "PEM file with the authorities whose client certificates are taken." },
	{ SECTION, "admins", OPTION_LIST, RELOAD_LIVE, AT(control_admins), .preset = "",
	    .most = 1000, .right = value_is_name, .wanted = "names in client certificates",
	    .text = "Names in client certificates whose holders may do all.  The log puts \"CN \" "
		    "before such a name; here it stands without." },
	{ SECTION, "readers", OPTION_LIST, RELOAD_LIVE, AT(control_readers), .preset = "",
	    .most = 1000, .right = value_is_name, .wanted = "names in client certificates",
	    .text = "Names in client certificates whose holders may read, but not what mails "
		    "say.  All other certificates may do nothing." },
	{ SECTION, "body-size", OPTION_SIZE, RELOAD_LIVE, AT(control_body_bytes), .preset = "64M",
	    .least = 64 * KIBIBYTE, .most = GIBIBYTE,
	    .text = "Largest body of a request.  Beyond it a request is refused, and so is one "
		    "with more than 1,000,000 values in its JSON, or 10,000 where readers may "
		    "ask, too." },
	{ SECTION, "connections", OPTION_NUMBER, RELOAD_LIVE, AT(control_connections),
	    .preset = "64", .least = 1, .most = 10000,
	    .text = "Most connections at once.  Beyond it one is turned away." },
	{ SECTION, "timeout", OPTION_TIME, RELOAD_LIVE, AT(control_timeout_ms), .preset = "30s",
	    .least = SECOND, .most = HOUR, .text = "Longest time for a request to come in whole." },

	{ .section = NULL },
};

const struct option_section options_control = {
	.name = SECTION,
	.text = "How the relay is looked at and steered: HTTP and JSON, on a Unix socket "
		"and, where wanted, over TLS.  Members of the group may read, but not what "
		"mails say; root and the daemon's user may do all.  Over TLS a request for a "
		"change from a page in a browser (with the header Origin) is refused.",
	OPTION_ROWS(rows),
};
