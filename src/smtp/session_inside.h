#ifndef PMRELAY_SMTP_SESSION_INSIDE_H
#define PMRELAY_SMTP_SESSION_INSIDE_H

/* What the files of the session share; nobody else includes it. */

#include "base/buf.h"
#include "mail/envelope.h"
#include "smtp/data.h"
#include "smtp/session.h"

struct loop_call;
struct smtp_command;
struct stream;

enum session_state {
	STATE_CONNECTED,       /* the banner is out */
	STATE_READY,           /* HELO or EHLO was said */
	STATE_AUTH,            /* a line of AUTH is to come */
	STATE_AUTH_ASKED,      /* the owner owes an answer about who it is */
	STATE_SENDER_ASKED,    /* the owner owes an answer about the sender */
	STATE_MAIL,            /* the sender stands */
	STATE_RECIPIENT_ASKED, /* the owner owes an answer about a recipient */
	STATE_RCPT,            /* at least one recipient stands */
	STATE_DATA_ASKED,      /* the owner owes an answer about DATA */
	STATE_DATA,            /* content is coming */
	STATE_DECIDING,        /* the owner owes an answer about the content */
	STATE_CLOSING,         /* the last reply is on its way */
};

/* The mail that is under way, from MAIL on. */
struct transaction {
	struct envelope envelope;
	char *asked; /* the address that the owner is asked about, else NULL */
	bool recipient_refused;
	bool no_memory;
	int64_t data_until_ms; /* the end of message_timeout_ms; 0: none */
	struct smtp_data data;
	struct buf content;
	size_t counted_bytes; /* of content, as told to memory() */
};

enum auth_step {
	AUTH_PLAIN,
	AUTH_LOGIN_USER,
	AUTH_LOGIN_PASSWORD,
};

/* The AUTH that is under way. */
struct auth_exchange {
	enum auth_step step;
	char *user; /* NULL: not said yet */
};

struct smtp_session {
	struct stream *stream; /* NULL while closing */
	struct loop *loop;
	struct loop_call *goodbye; /* gone() from the loop */
	const struct smtp_limits *limits;
	const struct smtp_hooks *hooks;
	void *ctx;
	struct ssl_ctx_st *tls;       /* NULL: no STARTTLS */
	const struct smtp_auth *auth; /* NULL: no AUTH */
	struct transaction *mail;     /* NULL: none is under way */
	struct auth_exchange exchange;
	enum session_state state;
	unsigned held;   /* functions on the stack that look at the session once more */
	bool dead;       /* gone() was called */
	bool draining;   /* ends with the mail that is under way */
	bool esmtp;      /* EHLO was said, not HELO */
	bool secure;     /* TLS */
	bool deaf;       /* what came with STARTTLS is not looked at */
	bool discarding; /* the line was refused already, up to its CRLF */
	unsigned commands;
	unsigned errors;
	unsigned mails;
	unsigned auth_failures;
	int64_t until_ms; /* the end of session_timeout_ms; 0: none */
	char *listener;
	char *client;
	char *helo;
	char *user;           /* proven; "": nobody */
	struct origin origin; /* lends the four */
};

/* Refusals storm when somebody scans or floods: ten lines a second tell enough. */
#define REFUSED_SPAN_MS 100

/* session.c: state, time, and the end of a session */
/* Alone changes the state, and sets its timeout. */
void session_enter(struct smtp_session *, enum session_state next);
void session_deadline(struct smtp_session *);      /* the timeout of the state, from now */
void session_restart_clock(struct smtp_session *); /* session_timeout_ms starts anew */
/* The last reply is written already.  gone() follows when the caller's caller is the loop. */
void session_close(struct smtp_session *);
void session_close_with(struct smtp_session *, const char *enhanced, const char *text); /* 421 */

/* session_say.c: replies */
void session_say(struct smtp_session *, int code, const char *enhanced, const char *text);
void session_sayf(struct smtp_session *, int code, const char *enhanced, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void session_reply(struct smtp_session *, const struct smtp_reply *);
void session_say_lines(struct smtp_session *, const struct smtp_reply *lines, size_t count);
void session_say_fault(struct smtp_session *, const struct smtp_command *);

/* session_auth.c: STARTTLS and AUTH */
#define SESSION_MOST_AUTH_LINE 12288                   /* RFC 4954 4, with the CRLF */
bool session_offers_tls(const struct smtp_session *);  /* now */
bool session_offers_auth(const struct smtp_session *); /* now */
void session_do_starttls(struct smtp_session *, const struct smtp_command *);
void session_do_auth(struct smtp_session *, const struct smtp_command *);
void session_take_auth_line(struct smtp_session *, const char *line, size_t len);
void session_auth_end(struct smtp_session *); /* forgets the exchange */
void session_auth_answered(struct smtp_session *, const struct smtp_reply *);

/* session_verbs.c: commands */
void session_run_command(struct smtp_session *, const char *line, size_t len);

/* session_mail.c: the mail that is under way, and what the owner answers about it */
void session_mail_end(struct smtp_session *); /* may end the session */
void session_do_mail(struct smtp_session *, const struct smtp_command *);
void session_do_rcpt(struct smtp_session *, const struct smtp_command *);
/* What a hook said: *answer is its own reply, yes the usual one. */
void session_take_answer(struct smtp_session *, enum session_state asked, enum smtp_now,
    const struct smtp_reply *answer, const struct smtp_reply *yes);
/* What it said later. */
void session_answered(struct smtp_session *, enum session_state asked, const struct smtp_reply *);
bool session_accepts(const struct smtp_reply *);
void session_say_answer(struct smtp_session *, const struct smtp_reply *); /* 421 hangs up */

/* session_content.c: the mail's content */
void session_do_data(struct smtp_session *, const struct smtp_command *);
void session_data_answered(struct smtp_session *, const struct smtp_reply *);
size_t session_take_data(struct smtp_session *, const char *bytes, size_t len);
/* Frees it and gives its memory back to the owner; may end the session. */
void session_content_drop(struct smtp_session *, struct transaction *);

#endif
