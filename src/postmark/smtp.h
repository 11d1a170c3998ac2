#ifndef PMRELAY_POSTMARK_SMTP_H
#define PMRELAY_POSTMARK_SMTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "postmark/client.h"
#include "postmark/smtp_talk.h"

struct loop;
struct secret;
struct strlist;

/*
 * Mails as they are to Postmark's SMTP service, by libcurl.  Each transaction runs in a thread of
 * a small pool, since libcurl waits for the reply to a mail's content, and for that to QUIT, with
 * the calling thread stopped, in its multi interface as well (smtp_done() and smtp_disconnect() of
 * its lib/smtp.c).  A thread keeps its connection for the next mail of the same token.
 */
struct smtp;
struct smtp_job;

struct smtp_params {
	struct loop *loop;
	const char *url;     /* "smtp://smtp.postmarkapp.com:587" */
	bool starttls;       /* false: in the clear, and then to a loopback address alone, */
	bool without_secrets; /* unless no request has a token: then to any */
	const char *ca_file; /* NULL: the system's */
	int64_t connect_timeout_ms;
	unsigned most_connections; /* that is, threads; 0: SMTP_CONNECTIONS */
};
/* What Postmark asks its customers to stay below ("about 10 connections per client IP"). */
#define SMTP_CONNECTIONS 10U

/* Copied by smtp_submit(); of a piece that is a file the descriptor is duplicated. */
struct smtp_request {
	const struct secret *token; /* user and password; NULL: no login */
	/* Of MAIL; "" is <>.  Postmark sends with a reverse-path of its own and looks at From. */
	const char *sender;
	const struct strlist *recipients;    /* canonical addresses */
	const struct postmark_piece *pieces; /* lines end in CRLF; not dot-stuffed */
	size_t piece_count;
	int64_t timeout_ms; /* from the first try to connect to the reply to the content */
};

struct smtp_answer {
	/*
	 * ANSWERED: a reply decides, 250 to the content or a refusal; NOT_SENT: the service has not
	 * got all of the content, so it must not send it (RFC 5321 4.1.1.4); LOST: the final dot
	 * may have gone out, and no reply to it came.
	 */
	enum postmark_end end;
	enum smtp_stage stage; /* ANSWERED: what the reply is to; else the last that was answered */
	int code;              /* of the reply; 0 unless ANSWERED */
	const char *enhanced;  /* "5.7.8" or "" */
	const char *text; /* the reply, with its code; "" unless ANSWERED; lent during done() */
	const struct smtp_refused *refused; /* recipients, by their index */
	size_t refused_count;
	bool login_failed; /* NOT_SENT, and no way of AUTH was open to us */
	int64_t elapsed_ms;
	const char *error; /* transport's words when not ANSWERED; "" otherwise */
};

/* NULL and a message in why: not an address of a service, or libcurl would not start. */
struct smtp *smtp_new(const struct smtp_params *, char *why, size_t why_size);
/* Jobs under way end without their done(): whether their mails were taken is not known. */
void smtp_free(struct smtp **);

/* done(ctx, answer) runs exactly once, from the loop, unless smtp_cancel() comes first. */
typedef void smtp_done_fn(void *ctx, const struct smtp_answer *);
struct smtp_job *smtp_submit(
    struct smtp *, const struct smtp_request *, smtp_done_fn *done, void *ctx);
void smtp_cancel(struct smtp_job **); /* and NULL */

#endif
