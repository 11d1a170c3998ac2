#ifndef PMRELAY_SANDBOX_INBOUND_MAIL_H
#define PMRELAY_SANDBOX_INBOUND_MAIL_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

struct account;
struct message;
struct server;

/* What becomes a mail that comes in: the objects that inbound_add() takes, each a new reference. */

/* A mail as it came.  mime_setup() must have run. */
json_t *inbound_mail_read(const char *content, size_t len);
/* A message that was sent to an address of a server; sent is its JSON with whole attachments. */
json_t *inbound_mail_of_message(const struct message *, const json_t *sent);

/* The server whose inbound address or domain it is; NULL: it is nobody's. */
struct server *inbound_mail_server(const struct account *, const char *address);
/* To or Cc of the object has the address. */
bool inbound_mail_shows(const json_t *given, const char *address);

#endif
