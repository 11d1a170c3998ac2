#ifndef PMRELAY_SANDBOX_MAIL_JSON_H
#define PMRELAY_SANDBOX_MAIL_JSON_H

#include <jansson.h>

struct mime;
struct mime_field;

/* What of a mail becomes JSON in the same way, whether it goes out or comes in. */

/* A new reference; what is no UTF-8 was made good before. */
json_t *mail_json_text(const char *);
/* The field's mailboxes, added to those that the key has. */
void mail_json_mailboxes(json_t *message, const char *key, const struct mime_field *);
/* TextBody, HtmlBody and Attachments, whose ContentID begins with "cid:". */
void mail_json_parts(json_t *message, const struct mime *);

#endif
