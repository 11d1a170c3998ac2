#ifndef PMRELAY_TESTS_POSTMARK_SMTP_SERVER_H
#define PMRELAY_TESTS_POSTMARK_SMTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>

struct loop;

/*
 * A scripted SMTP server on loopback, in the loop of the test: each command is shown to a function
 * that may decide what becomes of it.
 */
struct smtp_server;

struct smtp_said {
	/* "connect", the verb of a command, "part" when some of a content came, "content". */
	const char *verb;
	const char *line;    /* the command, without its end */
	const char *content; /* not dot-stuffed any more; "content" alone */
	size_t len;          /* of it, so far */
	bool tls;
	unsigned connection;  /* 1 for the first that this server got */
	unsigned transaction; /* on its connection, 1 for the first */
};

struct smtp_does {
	const char *reply; /* without its end; NULL: that of a healthy server */
	bool closes;       /* instead of a reply */
	bool leaves;       /* after the reply */
	bool stalls;       /* no reply */
	long delay_ms;
};

typedef void smtp_server_fn(void *ctx, const struct smtp_said *, struct smtp_does *);

struct smtp_server_params {
	struct loop *loop;
	const char *certificate, *key; /* PEM files: STARTTLS is offered; NULL: not */
	smtp_server_fn *fn;            /* may be NULL */
	void *ctx;
};

struct smtp_server *smtp_server_new(const struct smtp_server_params *);
void smtp_server_free(struct smtp_server **);
const char *smtp_server_url(const struct smtp_server *);      /* "smtp://127.0.0.1:port" */
unsigned smtp_server_connections(const struct smtp_server *); /* accepted so far */
unsigned smtp_server_most(const struct smtp_server *);        /* open at once */
const char *smtp_server_talk(const struct smtp_server *);     /* commands so far, one a line */

/* folder/name.pem and .key, which it signs itself; for an address or a host name. */
void smtp_server_certificate(const char *folder, const char *name, const char *alternative);

#endif
