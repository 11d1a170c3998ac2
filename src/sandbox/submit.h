#ifndef PMRELAY_SANDBOX_SUBMIT_H
#define PMRELAY_SANDBOX_SUBMIT_H

#include <stdbool.h>
#include <stddef.h>

struct fault;
struct state;
struct strlist;

/*
 * Postmark's SMTP service but for SMTP itself, which the sandbox's owner speaks: who may log in,
 * and what becomes of a mail.  It is taken whatever is in it; what the API would refuse becomes a
 * bounce of the type SMTPApiError.
 */

/* A server's token is user and password, and its SmtpApiActivated is on.  The test token is fine,
 * too: what comes with it is dropped. */
bool submit_login(const struct state *, const char *user, const char *password);
bool submit_starttls(const struct state *); /* is offered: a switch */

struct submit_mail {
	const char *user; /* that logged in */
	const struct strlist *recipients;
	const char *content; /* CRLF lines, not dot-stuffed */
	size_t len;
};
/* mime_setup() must have run. */
void submit_mail(struct state *, const struct submit_mail *);

/* What to get wrong with a command: "/mail", "/rcpt", "/data", "/content" (the final dot), "/auth".
 * true: fault_r is filled, to be ended by fault_deinit(). */
bool submit_fault(struct state *, const char *command, struct fault *fault_r);

#endif
