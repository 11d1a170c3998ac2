#ifndef PMRELAY_SANDBOX_COMPOSE_H
#define PMRELAY_SANDBOX_COMPOSE_H

#include <jansson.h>

/*
 * The MIME source of a mail that is known as JSON: From (perhaps with FromName), To, Cc, ReplyTo,
 * Subject, Date, Headers, TextBody, HtmlBody and Attachments, all optional.  boundary is part of
 * what separates its parts.  ASCII with CRLF lines; the caller frees.  Pure.
 */
char *compose_mail(const json_t *, const char *boundary);

#endif
