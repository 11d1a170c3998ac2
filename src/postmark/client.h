#ifndef PMRELAY_POSTMARK_CLIENT_H
#define PMRELAY_POSTMARK_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;
struct secret;

/*
 * HTTP requests to Postmark over libcurl's multi interface on our loop: keep-alive, TLS verified,
 * proxy environment honoured.  It does not judge answers; verdict.c does.
 */
struct postmark_client;
struct postmark_job;

struct postmark_client_params {
	struct loop *loop;
	const char *base_url; /* "https://api.postmarkapp.com" */
	const char *ca_file;  /* NULL: the system's */
	const char *user_agent;
	int64_t connect_timeout_ms;
	unsigned most_connections;
	const char *smtp_url; /* "smtp://smtp.postmarkapp.com:587"; NULL or "": there is no SMTP */
	bool smtp_starttls;   /* false: in the clear, and then to a loopback address alone */
	unsigned most_smtp_connections; /* 0: as many as Postmark asks for */
};

/* A stretch of a request body: bytes or a range of a file.  Lent until the job is done. */
struct postmark_piece {
	const char *data; /* NULL: from fd */
	int fd;
	size_t len;
};

struct postmark_request {
	const char *method;         /* "POST", "GET", "PUT", "PATCH", "DELETE" */
	const char *path;           /* "/email/batch", with its query */
	const struct secret *token; /* lent until done; NULL: none is sent */
	bool account;               /* it goes as X-Postmark-Account-Token, not -Server-Token */
	const char *content_type;   /* of the body; NULL: application/json */
	/* "Name: value" each, NULL-terminated, lent until done; no control characters.  One that
	 * we set ourselves is replaced, but never the token's.  NULL: none. */
	const char *const *headers;
	const struct postmark_piece *pieces; /* the body; array and contents lent until done */
	size_t piece_count;
	int64_t timeout_ms;       /* from submit to the last byte of the answer */
	size_t most_answer_bytes; /* a longer answer is cut, and .cut is set */
};

enum postmark_end {
	POSTMARK_ANSWERED, /* a complete HTTP answer */
	POSTMARK_NOT_SENT, /* it certainly did not arrive: refused, DNS, TLS, connect timeout */
	POSTMARK_LOST,     /* the body went out, wholly or partly, and no complete answer came */
};

struct postmark_answer {
	enum postmark_end end;
	int status;             /* HTTP */
	const char *type;       /* Content-Type of the answer; "" if none */
	const char *request_id; /* X-Request-Id; "" if none */
	const char *body;       /* NUL-terminated; lent during done() */
	size_t len;
	bool cut;
	int64_t retry_after_ms; /* -1: no Retry-After; dates are turned into spans */
	int64_t elapsed_ms;
	const char *error; /* transport's words when not ANSWERED; "" otherwise */
};

struct postmark_client *postmark_client_new(
    const struct postmark_client_params *, char *why, size_t why_size);
/* Jobs under way end without their done(). */
void postmark_client_free(struct postmark_client **);

/* For mails that go by SMTP (smtp.h).  NULL: no smtp_url was given.  It ends with the client. */
struct smtp;
struct smtp *postmark_smtp(struct postmark_client *);

/* done(ctx, answer) runs exactly once, from the loop, unless postmark_cancel() comes first. */
typedef void postmark_done_fn(void *ctx, const struct postmark_answer *);
struct postmark_job *postmark_submit(
    struct postmark_client *, const struct postmark_request *, postmark_done_fn *done, void *ctx);
void postmark_cancel(struct postmark_job **);

#endif
