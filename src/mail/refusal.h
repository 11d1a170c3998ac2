#ifndef PMRELAY_MAIL_REFUSAL_H
#define PMRELAY_MAIL_REFUSAL_H

/*
 * Why a mail is not taken: what an SMTP client is told.  text has no CR, LF or control character
 * and is ASCII; it names the limit and the figure where there is one.
 */
struct refusal {
	int code;	    /* 4xx: may come again; 5xx: must not */
	char enhanced[12];  /* "5.3.4", RFC 3463 */
	char text[400];
};

void refusal_set(struct refusal *, int code, const char *enhanced, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
