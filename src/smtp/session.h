#ifndef PMRELAY_SMTP_SESSION_H
#define PMRELAY_SMTP_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct envelope;
struct loop;
struct origin;
struct ssl_ctx_st;

/*
 * One SMTP connection: a state machine that speaks RFC 5321 to the client and struct smtp_hooks
 * to its owner.  It knows nothing of what becomes of a mail.
 *
 * CONNECTED > READY > MAIL > RCPT > DATA > DECIDING > READY … > CLOSING, with SENDER_ASKED and
 * RECIPIENT_ASKED while a hook owes an answer, and the like of AUTH and DATA.  verbs[] in
 * session_verbs.c says which verb is legal in which state; session_enter() alone changes it and
 * sets its timeout.
 */
struct smtp_session;

struct smtp_limits {
	const char *hostname;        /* in banner and replies */
	uint64_t most_message_bytes; /* SIZE, counted after dot-unstuffing */
	unsigned most_recipients;    /* per mail; 452 4.5.3 beyond */
	/* Per connection; 0: no limit. */
	unsigned
	    most_commands; /* without a mail accepted between, besides accepted RCPTs; 421 4.7.0 */
	unsigned most_errors;     /* 5xx replies; 421 4.7.0 follows the last */
	unsigned most_mails;      /* 421 4.7.0, politely: as the answer to the next MAIL */
	size_t most_line_bytes;   /* a command line with CRLF; at least 512 + extensions */
	bool normalize_line_ends; /* bare LF ends a line and bare CR is dropped, for old devices */
	/* 421 4.4.2 past each; 0: none.  Single bytes of a command do not extend any. */
	int64_t command_timeout_ms; /* waiting for a command: RFC 5321 4.5.3.2.7, 5 min */
	int64_t data_timeout_ms;    /* between blocks of data: 3 min */
	int64_t message_timeout_ms; /* for the whole of one message's data */
	int64_t
	    session_timeout_ms; /* from the connection or the last mail accepted to the next DATA */
};

struct smtp_reply {
	int code;
	const char *enhanced; /* "2.1.5"; NULL for codes that have none (220, 221 greeting, 354, 250
				 EHLO) */
	const char *text;     /* ASCII, one line, no CR or LF; lent until it is sent */
};

/* What a hook says at once, or that it will say it later by smtp_session_answer(). */
enum smtp_now {
	SMTP_YES,    /* the usual positive reply */
	SMTP_ANSWER, /* *reply is the reply; code 2xx accepts, else refuses, 421 also hangs up */
	SMTP_LATER,  /* smtp_session_answer() will follow, or the session ends first (gone) */
};

struct smtp_hooks {
	/* MAIL FROM and RCPT TO: envelope holds what stands so far, address is the new one. */
	enum smtp_now (*sender)(void *ctx, struct smtp_session *, const struct envelope *,
	    const char *address, struct smtp_reply *reply);
	enum smtp_now (*recipient)(void *ctx, struct smtp_session *, const struct envelope *,
	    const char *address, struct smtp_reply *reply);
	/*
	 * DATA is complete.  content is the message after dot-unstuffing; the hook may take its
	 * bytes (buf_take), else they are freed after the answer.  Nearly always SMTP_LATER.
	 */
	enum smtp_now (*message)(void *ctx, struct smtp_session *, const struct envelope *,
	    struct buf *content, struct smtp_reply *reply);
	/* The session is over: the last call.  Forget it, also if an answer was owed. */
	void (*gone)(void *ctx, struct smtp_session *);
	/*
	 * Content of a mail grows by bytes (negative: given back).  false: there is no memory for
	 * it now, the mail is refused with 452 4.3.1 and its rest is read and dropped.  What was
	 * counted is given back after the answer, also when message() took the bytes.
	 */
	bool (*memory)(void *ctx, int64_t bytes);

	/* These may be NULL. */

	/*
	 * A client proves who it is; needed where AUTH is offered.  user and password are whatever
	 * the client sent, without NUL, and lent for the call.  The usual reply is 235; 535 5.7.8
	 * refuses, 454 4.7.0 is for when it cannot be told now.  Afterwards origin->user is set.
	 */
	enum smtp_now (*authenticate)(void *ctx, struct smtp_session *, const char *mechanism,
	    const char *user, const char *password, struct smtp_reply *reply);
	/* DATA was said, and there are recipients: the usual reply is 354. */
	enum smtp_now (*data)(
	    void *ctx, struct smtp_session *, const struct envelope *, struct smtp_reply *reply);
	/* STARTTLS is kept from this client for now, though there is a context for it. */
	bool (*hides_tls)(void *ctx, const struct smtp_session *);
};

/* AUTH (RFC 4954): PLAIN and LOGIN. */
struct smtp_auth {
	bool without_tls;    /* offered before TLS as well */
	bool required;       /* MAIL needs it: 530 5.7.0 */
	unsigned most_tries; /* that fail: 421 4.7.0 follows the last; 0: no limit */
};

struct smtp_session_params {
	struct loop *loop;
	int fd;                           /* taken */
	const struct smtp_limits *limits; /* lent for life */
	const struct smtp_hooks *hooks;   /* lent for life */
	void *ctx;
	const char *listener;         /* copied; name for logs */
	const char *client;           /* copied; address for logs */
	struct ssl_ctx_st *tls;       /* STARTTLS is offered; NULL: it is not.  Lent for life */
	const struct smtp_auth *auth; /* AUTH is offered; NULL: it is not.  Lent for life */
};

struct smtp_session *smtp_session_new(const struct smtp_session_params *);
/* Other limits from now on, but for the size of a mail that is under way.  The old ones are not
 * looked at again. */
void smtp_session_reload(struct smtp_session *, const struct smtp_limits *);

/* The answer that a hook owed.  From the loop, outside any hook of this session. */
void smtp_session_answer(struct smtp_session *, const struct smtp_reply *);
const struct origin *smtp_session_origin(const struct smtp_session *); /* lent */

/*
 * Shut down: 421 4.3.2 and the end at once when no mail is under way, else after the answer to
 * it.  gone() follows, from the loop.
 */
void smtp_session_drain(struct smtp_session *);
/* Ends it now, without a reply; gone() is called before this returns.  Also from a hook. */
void smtp_session_kill(struct smtp_session *);

#endif
