#ifndef PMRELAY_CONTROL_MESSAGE_H
#define PMRELAY_CONTROL_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/strlist.h"

struct buf;
struct mail;

/*
 * A mail that somebody hands over as JSON, in Postmark's shape or in the connector's.  Pure.
 */

/*
 * The same in Postmark's shape, every member of the type that Postmark wants and nothing it does
 * not know: one message of a wrong type would have a whole batch refused.  stream: for one that
 * names none, NULL for none.  NULL and a sentence in why.
 */
json_t *message_read(const json_t *given, bool template, const char *stream, struct buf *why);

/*
 * A mail of one item of a message in Postmark's shape, with the relay's id in its Metadata: what
 * Postmark would refuse for its recipients, sizes or missing parts is refused here.  NULL and why.
 */
struct mail *message_mail(const json_t *message, bool template, const char *route,
    const char *client, int64_t now_ms, struct buf *why);

/*
 * The addresses of a list as Postmark reads it ("Ann, B" <ann@x>, bo@y), canonical, added to
 * the list.  0, or -1 and why.
 */
int message_addresses(const char *field, const char *text, struct strlist *list, struct buf *why);

#endif
