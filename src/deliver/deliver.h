#ifndef PMRELAY_DELIVER_DELIVER_H
#define PMRELAY_DELIVER_DELIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;
struct payload;

/*
 * Mails that came in, to where they live: an LMTP server (RFC 2033), a Maildir or a command.  Each
 * delivery is one mail to one recipient and runs in a thread of a small pool, since each of the
 * three may wait: for a server, for a disk, for a process.  What goes to an SMTP server goes by
 * postmark/smtp, not here.
 */
struct deliver;
struct deliver_job;

struct deliver_params {
	struct loop *loop;
	const char *target;   /* as inbound.deliver (config/inbound_value.h), but no smtp:// */
	const char *hostname; /* for LHLO, and in the names of a Maildir */
	int64_t timeout_ms;   /* of a delivery */
	unsigned parallel;    /* threads */
};

/* Copied by deliver_submit(); of a payload that is a file the descriptor is duplicated. */
struct deliver_request {
	const char *id;        /* of the item: the same for each try, and for nothing else */
	const char *sender;    /* "" is <> */
	const char *recipient; /* canonical address */
	int64_t accepted_ms;
	bool again;                    /* it was tried before, and perhaps delivered */
	const struct payload *payload; /* the mail is this, */
	const struct payload *shared;  /* then this: lines that end in CRLF */
};

enum deliver_end {
	DELIVER_DONE,
	DELIVER_LATER,       /* not delivered: nothing would be, now */
	DELIVER_LATER_ALONE, /* not delivered: this one, now */
	DELIVER_REFUSED,     /* not delivered, nor will it be by another try */
	DELIVER_UNSURE,      /* the whole mail was handed over, and there was no answer */
};

struct deliver_answer {
	enum deliver_end end;
	int code;         /* a reply's, or a command's status; 0: neither */
	const char *text; /* for people, safe; lent during done() */
	int64_t elapsed_ms;
};

/* NULL and a message in why. */
struct deliver *deliver_new(const struct deliver_params *, char *why, size_t why_size);
/* Deliveries under way are cut, commands killed, without their done(). */
void deliver_free(struct deliver **);

/* done(ctx, answer) runs exactly once, from the loop, unless deliver_cancel() comes first. */
typedef void deliver_done_fn(void *ctx, const struct deliver_answer *);
struct deliver_job *deliver_submit(
    struct deliver *, const struct deliver_request *, deliver_done_fn *done, void *ctx);
void deliver_cancel(struct deliver_job **); /* and NULL */

#endif
