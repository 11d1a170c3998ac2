#ifndef PMRELAY_MAIL_DSN_H
#define PMRELAY_MAIL_DSN_H

#include <stddef.h>
#include <stdint.h>

struct buf;

/*
 * A delivery status notification (RFC 3464): tells the sender of a mail what became of it.  Pure.
 * Every text may be anything that came from anywhere: what is made of it is 7-bit ASCII in lines
 * that end with CRLF and have at most 998 bytes, with those fields alone that stand here.  Texts
 * are never NULL; "" is none.
 */
enum dsn_action {
	DSN_FAILED,
	DSN_DELAYED,
};

struct dsn {
	/* Of the notice. */
	const char *hostname; /* Reporting-MTA, and where Message-ID is from */
	const char *id;       /* of the notice, unique: an ULID */
	const char *from;     /* "Name <address>" or an address */
	const char *to;       /* an address */
	int64_t made_ms;      /* wall clock */

	/* What happened, to each of the recipients. */
	enum dsn_action action;
	const char *const *recipients; /* bare addresses */
	size_t recipient_count;
	const char *type;   /* Postmark's: "HardBounce", or its error code: "406" */
	const char *detail; /* its words: "smtp;550 5.1.1 no such user" */
	int64_t at_ms;

	/* The mail. */
	int64_t accepted_ms;
	const char *item;        /* ours */
	const char *postmark_id; /* MessageID */
	const char *mail_from, *mail_subject, *mail_message_id;
	const char *const *mail_recipients; /* of the whole item */
	size_t mail_recipient_count;
};

/* Nobody is told of more recipients than these. */
#define DSN_MOST_RECIPIENTS 1000

/* The status code (RFC 3463) by the words of whoever refused the mail, else by Postmark's type. */
#define DSN_STATUS_SIZE 12
char *dsn_status(char out[DSN_STATUS_SIZE], enum dsn_action, const char *type, const char *detail);

void dsn_add_subject(struct buf *out, const struct dsn *); /* without its name, UTF-8 */
void dsn_add_text(struct buf *out, const struct dsn *);    /* for people: UTF-8, LF lines */
void dsn_add_report(struct buf *out, const struct dsn *);  /* message/delivery-status, CRLF */
void dsn_add_headers(struct buf *out, const struct dsn *); /* text/rfc822-headers, CRLF */

/* All of it: a mail of the type multipart/report. */
void dsn_add_mail(struct buf *out, const struct dsn *);

#endif
