#ifndef PMRELAY_CONFIG_CONFIG_H
#define PMRELAY_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "base/strlist.h"

struct buf;
struct secret;

/*
 * A named pair of Postmark tokens: who is spoken to.  The section postmark is the one called
 * "default"; sections connection NAME { } are others.  Each with a server token is a route of the
 * dispatcher, too, under the same name.
 */
struct connection {
	char *name;                  /* letters, digits, '-'; starts with a letter */
	struct secret *server_token; /* by value, or from the file after config_load_secrets() */
	char *server_token_file;
	struct secret *account_token;
	char *account_token_file;
	char *message_stream;
};

/* What is done with a mail of a kind that a JSON API cannot carry; the order is config's. */
enum fidelity {
	FIDELITY_CONVERT, /* readable content, the rest as attachments; noted */
	FIDELITY_REJECT,  /* 554 5.6.1 and why */
	FIDELITY_SMTP,    /* unchanged through Postmark's SMTP service */
};
#define FIDELITY_CHOICES                                                                           \
	{                                                                                          \
		"convert", "reject", "smtp", NULL                                                  \
	}

/*
 * A section route NAME { }: the first whose conditions all hold decides what a recipient's mail
 * becomes.  Where none holds the settings of the sections message and postmark do, under the name
 * "default".  Each route is a route of the dispatcher, too, so no connection has its name.
 */
struct route {
	char *name; /* letters, digits, '-'; starts with a letter */

	/* Conditions; an empty list holds for any mail, else one of its items has to match. */
	struct strlist listener;      /* as in smtp { listen } */
	struct strlist client;        /* networks, or "unix" */
	struct strlist user;          /* of AUTH */
	struct strlist envelope_from; /* addresses with '*' and '?', "@domain", "<>" */
	struct strlist envelope_to;   /* the same; asked for each recipient by itself */
	struct strlist header_from;   /* the same, of the addresses in From */
	struct strlist header; /* "Name: pattern" (PCRE2, caseless, UTF-8): each has to match */

	/* Where it goes. */
	char *connection;     /* "default" */
	char *message_stream; /* "": the connection's */
	bool sandbox;         /* with Postmark's test token: checked, not delivered */

	/* Fields of the message; "" and -1: as in the section message. */
	char *tag, *track_links;
	int track_opens;
	int refuse_suppressed;   /* recipients that get nothing on the stream: at RCPT */
	struct strlist metadata; /* "key=value" */
	struct strlist controls; /* which X-PM fields of a mail beat the route: "tag",
				    "message-stream", "metadata", "track-opens", "track-links",
				    "template" */

	char *from;                     /* "Name <address>" or an address; "": none */
	int from_rewrite;               /* enum convert_from: off, if-unauthorised, force */
	struct strlist from_authorised; /* addresses and @domains that may stay */

	/* enum fidelity, by kind. */
	int on_signed, on_encrypted, on_calendar, on_alternatives, on_html_parts, on_messages,
	    on_tnef, on_date, on_sender;

	char *template;                /* alias or id; "": none */
	struct strlist template_match; /* "SOURCE: pattern", named groups go into the model */
	struct strlist template_model; /* "name=SOURCE" */
	bool template_inline_css;
	int template_else; /* a pattern does not match: 0 sent without the template, 1 refused */

	int reply; /* enum reply_mode: queued, postmark, postmark-or-refuse */
	int64_t reply_timeout_ms;

	/* Staging. */
	struct strlist redirect_to;      /* who gets the mail in place of its recipients */
	struct strlist allow_recipients; /* who gets it all the same; others are captured when
					    nobody is in redirect_to */
	bool capture;

	int notice; /* enum notice_to */
};

/* A section outlet NAME { }: where events are passed on to, and which. */
struct outlet {
	char *name;                /* letters, digits, '-'; starts with a letter */
	char *file, *command, *url; /* one of them; the others "" */
	struct strlist kinds;      /* names of events' kinds; empty lists: any */
	struct strlist streams;    /* IDs, with '*' and '?' */
	struct strlist tags;       /* the same */
	bool payload;              /* Postmark's post goes along */
	struct secret *secret;     /* url: signs */
	char *secret_file;
	char *ca_file;             /* url */
	int64_t timeout_ms;        /* of one attempt */
	unsigned parallel;
	int64_t retry_least_ms, retry_most_ms;
	int64_t give_up_ms; /* from the first attempt at an event */
};

/* Who is told that a mail did not arrive.  OF_DEFAULT: in routes alone. */
enum notice_to {
	NOTICE_OFF,
	NOTICE_SENDER,     /* the envelope's */
	NOTICE_POSTMASTER, /* notice.postmaster */
	NOTICE_DEFAULT,    /* as the section notice says */
};
enum notice_via {
	NOTICE_VIA_INBOUND,
	NOTICE_VIA_POSTMARK,
};

/*
 * The settings: one constant struct handed down, never a global.  The rows in options_SECTION.c
 * make the parser, the check, the sample, `show config` and the manual; each member here is a row
 * there.  Sizes are bytes, times milliseconds.
 */
struct config {
	/* who runs where */
	char *hostname;           /* "": the system's name */
	char *user;               /* to become when started as root; "": stay */
	char *group;              /* "": the user's own */
	unsigned fronts;          /* 0: one per core */
	bool confine;             /* fence the fronts */
	int64_t drain_delay_ms;   /* between SIGTERM and the end of accepting */
	int64_t drain_timeout_ms; /* for sessions and requests to end */
	enum log_level log_level;
	enum log_format log_format;
	char *log_file; /* in the background; -f logs on stderr */

	/* smtp */
	struct strlist listen; /* "127.0.0.1:2525", "[::1]:2525", "unix:/run/pmrelay/smtp.sock" */
	struct strlist allow;  /* networks that may send */
	uint64_t smtp_message_bytes;
	uint64_t smtp_memory_bytes; /* of contents held at once by one front */
	unsigned smtp_recipients;
	unsigned smtp_connections; /* per front */
	unsigned smtp_connections_client;
	unsigned smtp_commands, smtp_errors, smtp_mails; /* per connection */
	unsigned smtp_line_bytes;
	bool smtp_normalize_line_ends;
	int64_t smtp_command_timeout_ms, smtp_data_timeout_ms, smtp_message_timeout_ms,
	    smtp_session_timeout_ms;

	/* convert: defaults of the one route there is for now */
	char *tag;
	char *track_links; /* "": Postmark's default */
	int track_opens;   /* -1, 0, 1 */
	bool refuse_suppressed;
	unsigned mime_depth, mime_parts, mime_headers;

	/* spool */
	char *spool_folder;
	uint64_t spool_min_free_bytes;
	int64_t spool_keep_history_ms;
	int64_t spool_sync_delay_ms;
	bool require_durable_spool;

	/* control */
	char *control_socket; /* path; "": none */
	char *control_group;  /* whose members may read: of the socket; "": the daemon's group */
	char *control_listen; /* "127.0.0.1:8443", TLS with client certificates; "": none */
	char *control_certificate_file, *control_key_file, *control_client_ca_file;
	struct strlist control_admins;  /* names in client certificates that may do all */
	struct strlist control_readers; /* … that may read */
	uint64_t control_body_bytes;
	unsigned control_connections;
	int64_t control_timeout_ms; /* for a request to come in whole */

	/* connection NAME { } */
	struct connection *connections;
	size_t connection_count;

	/* route NAME { }, in their order */
	struct route *routes;
	size_t route_count;

	/* postmark */
	struct connection postmark; /* the one called "default" */
	char *postmark_url;
	char *postmark_ca_file;
	char *postmark_smtp_url;     /* "smtp://smtp.postmarkapp.com:587" */
	bool postmark_smtp_starttls; /* false: only to a loopback host */
	int64_t postmark_connect_timeout_ms, postmark_single_timeout_ms, postmark_batch_timeout_ms;
	unsigned postmark_requests; /* in flight */
	unsigned postmark_batch_items;
	uint64_t postmark_batch_bytes;
	int64_t postmark_batch_target_ms;

	/* retry */
	int64_t retry_least_ms, retry_most_ms, retry_lifetime_ms, retry_probe_ms, retry_settle_ms;
	unsigned retry_breaker_failures;
	int retry_unsure; /* index into "reconcile", "retry", "hold" (enum dispatch_unsure) */

	/* webhook */
	struct strlist webhook_listen; /* as smtp.listen */
	char *webhook_certificate_file, *webhook_key_file;
	char *webhook_public_url; /* what instanced webhooks point to; "": not reached */
	bool webhook_ensure;
	struct strlist webhook_triggers; /* that instanced webhooks have at least */
	struct secret *webhook_secret, *webhook_password, *webhook_header_value;
	char *webhook_secret_file, *webhook_password_file, *webhook_header_value_file;
	char *webhook_user, *webhook_header; /* "": not asked for */
	char *webhook_connection;            /* of webhooks made by hand */
	struct strlist webhook_networks;     /* networks, or "postmark" */
	struct strlist webhook_proxies;      /* networks, or "unix" */
	uint64_t webhook_body_bytes, webhook_inbound_bytes, webhook_memory_bytes;
	unsigned webhook_connections;
	int64_t webhook_timeout_ms;

	/* inbound */
	char *inbound_deliver; /* see inbound_value.h; "": nowhere */
	bool inbound_starttls;
	struct strlist inbound_recipients; /* "PATTERN=ADDRESS,ADDRESS" */
	unsigned inbound_parallel, inbound_hops;
	int64_t inbound_timeout_ms;

	/* suppression */
	bool suppression_sync;
	int64_t suppression_refresh_ms;

	/* outlet NAME { } */
	struct outlet *outlets;
	size_t outlet_count;

	/* notice */
	int notice_bounces, notice_failures; /* enum notice_to */
	int notice_via;                      /* enum notice_via */
	char *notice_from;                   /* "": Mail Delivery System of the host */
	char *notice_postmaster;             /* "": none */
	char *notice_connection, *notice_stream;
	unsigned notice_most; /* to one address in an hour */
};

/*
 * Defaults, then the file, then the environment (PMRELAY_SMTP_MESSAGE_SIZE for smtp {
 * message-size }, and PMRELAY_POSTMARK_TOKEN_FILE and its like for secrets), then the cross-checks.
 * path NULL: no file.  environment: as environ, NULL for none.  NULL and one message a line in
 * why ("file:line: option: found X, wanted Y") on any error.
 */
struct config *config_load(const char *path, char *const *environment, struct buf *why);
void config_free(struct config **);
struct config *config_copy(const struct config *); /* with its secrets */

/* "default" first, then the named ones in their order.  NULL past the last. */
const struct connection *config_connection_at(const struct config *, size_t index);
/* By name; NULL and "" are "default".  NULL: there is none. */
const struct connection *config_connection(const struct config *, const char *name);

/* The first one with the same server token, which may be itself: the same server of Postmark's.
 * NULL: it has no token. */
const struct connection *config_connection_first(const struct config *, const struct connection *);

/* Reads the files that secrets come from, and checks what is between them and other options.  0, or
 * -1 and why. */
int config_load_secrets(struct config *, struct buf *why);
/* What is allowed and should be known all the same: a line each. */
void config_warn(const struct config *, struct buf *out);

/*
 * The settings as a file that config_load() reads back to the same settings.  with_secrets
 * false: secrets and the names of their files are left out, as for a process that must not have
 * them.
 */
void config_print(const struct config *, bool with_secrets, struct buf *out);
/* The same from bytes instead of a file, without environment. */
struct config *config_parse(const char *text, size_t len, const char *name, struct buf *why);

/* The sample file: every option with its help, default and range, commented out. */
void config_sample(struct buf *out);
/* The OPTIONS part of pmrelay.conf(5) in mdoc, made from the table. */
void config_manual(struct buf *out);

/*
 * What cannot change without a restart is put back in next to what it is in old, so that a
 * process that is started later does not see it either; the names are added to names_r.
 */
void config_keep_fixed(const struct config *old, struct config *next, struct strlist *names_r);

#endif
