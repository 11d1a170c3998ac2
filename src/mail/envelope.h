#ifndef PMRELAY_MAIL_ENVELOPE_H
#define PMRELAY_MAIL_ENVELOPE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/strlist.h"

/*
 * What an SMTP transaction says besides the content (RFC 5321 2.3.1).  Addresses are canonical
 * (address_canonical).  Repeats among the recipients are kept here; the conversion collapses them.
 */
struct envelope {
	char *reverse_path; /* "" is the null reverse-path <> */
	struct strlist recipients;
	bool body_8bit;          /* BODY=8BITMIME */
	bool smtputf8;           /* SMTPUTF8 was asked for */
	uint64_t declared_bytes; /* SIZE=, 0: not given */
};

/* Who handed the mail in; all lent by the session. */
struct origin {
	const char *listener; /* "127.0.0.1:2525" */
	const char *client;   /* "192.0.2.1" or "unix" */
	const char *helo;     /* as given, safe to print; "" before HELO */
	const char *user;     /* proven by AUTH; "" or NULL: nobody */
};

void envelope_init(struct envelope *);
void envelope_free(struct envelope *); /* leaves a zeroed one; safe on it */

#endif
