#ifndef PMRELAY_POSTMARK_SMTP_TALK_H
#define PMRELAY_POSTMARK_SMTP_TALK_H

#include <stdbool.h>
#include <stddef.h>

/*
 * An SMTP transaction as an onlooker sees it, line by line: what each reply answers, and which
 * recipients were refused.  libcurl holds the conversation and tells in the end one number.  Pure.
 */

/* What a reply is to. */
enum smtp_stage {
	SMTP_GREETING,
	SMTP_HELLO,
	SMTP_STARTTLS,
	SMTP_AUTH,
	SMTP_MAIL,
	SMTP_RCPT,
	SMTP_DATA,
	SMTP_CONTENT, /* the final dot */
};
const char *smtp_stage_name(enum smtp_stage);

#define SMTP_TEXT_SIZE     1000U /* longer replies are cut; they are foreign bytes, made safe */
#define SMTP_ENHANCED_SIZE 12U   /* "5.7.8" (RFC 3463: at most 9) */

struct smtp_refused {
	size_t recipient; /* index */
	int code;
	char *text; /* owned */
};

struct smtp_talk {
	enum smtp_stage stage; /* of the reply that is expected */
	size_t recipients;     /* named so far */
	bool in_reply;         /* a line came that others follow */
	bool waits;            /* what we said last has no whole reply yet */
	bool ended;            /* QUIT was said: what comes is no matter, nor is it after the
				* reply to the content */

	/* The last whole reply: */
	enum smtp_stage replied;           /* what it is to */
	int code;                          /* 0: there was none */
	char enhanced[SMTP_ENHANCED_SIZE]; /* RFC 2034; "" if none */
	char text[SMTP_TEXT_SIZE];         /* with the code; lines with a space between them */

	struct smtp_refused *refused;
	size_t refused_count, refused_room;
};

void smtp_talk_init(struct smtp_talk *);
void smtp_talk_free(struct smtp_talk *); /* fine on a zeroed struct */
/* A line that we sent, and one that came, with its line end or without. */
void smtp_talk_said(struct smtp_talk *, const char *line, size_t len);
void smtp_talk_heard(struct smtp_talk *, const char *line, size_t len);

#endif
