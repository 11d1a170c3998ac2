#ifndef PMRELAY_SMTP_COMMAND_H
#define PMRELAY_SMTP_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mail/address.h"

/* One command line to one command (RFC 5321 4.1).  Pure. */
enum smtp_verb {
	SMTP_HELO,
	SMTP_EHLO,
	SMTP_MAIL,
	SMTP_RCPT,
	SMTP_DATA,
	SMTP_RSET,
	SMTP_NOOP,
	SMTP_VRFY,
	SMTP_EXPN,
	SMTP_HELP,
	SMTP_QUIT,
	SMTP_STARTTLS,
	SMTP_AUTH,
	SMTP_UNKNOWN,
};
#define SMTP_VERBS (SMTP_UNKNOWN + 1)
const char *smtp_verb_name(enum smtp_verb); /* "EHLO"; "" for SMTP_UNKNOWN */

enum smtp_fault {
	SMTP_FAULT_NONE,
	SMTP_FAULT_SYNTAX,          /* 501 5.5.4 */
	SMTP_FAULT_PARAMETER,       /* 555 5.5.4: a MAIL or RCPT parameter that we do not know */
	SMTP_FAULT_PARAMETER_VALUE, /* 501 5.5.4 */
	SMTP_FAULT_ADDRESS,         /* see address_fault */
	SMTP_FAULT_NEEDS_SMTPUTF8,  /* 553 5.6.7: UTF-8 in a path without the SMTPUTF8 parameter */
};

struct smtp_command {
	enum smtp_verb verb;
	enum smtp_fault fault;
	enum address_fault address_fault;
	const char *rest; /* what follows the verb, trimmed; points into the line */
	size_t rest_len;
	/* MAIL and RCPT */
	bool null_path;             /* <> */
	char address[ADDRESS_SIZE]; /* canonical; "postmaster" for <postmaster> */
	bool has_size;
	uint64_t size_bytes;
	bool body_8bit;
	bool smtputf8;
};

/*
 * line without its CRLF; may hold any byte.  Lenient where no second meaning is possible: spaces
 * after FROM: and TO:, a path without its angle brackets, spaces at the end.  esmtp: MAIL and RCPT
 * parameters are allowed (after EHLO).  utf8: UTF-8 in RCPT is allowed, because MAIL carried
 * SMTPUTF8.
 */
void smtp_command_parse(struct smtp_command *, const char *line, size_t len, bool esmtp, bool utf8);

#endif
