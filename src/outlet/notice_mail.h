#ifndef PMRELAY_OUTLET_NOTICE_MAIL_H
#define PMRELAY_OUTLET_NOTICE_MAIL_H

#include <stdint.h>

struct config;
struct event_facts;
struct item_facts;
struct mail;

/* Who is told by mail of what, and the mail.  Pure. */

#define NOTICE_LISTENER "notice" /* of mails that are notices: nothing tells of those */

/*
 * To whom a notice of the event goes: lent from the other arguments; NULL: to nobody.  Only of a
 * mail that has a sender and is no notice, of a bounce that is final, and of a failure that the
 * client was not told of and nobody has undone.
 */
const char *notice_to(const struct config *, const struct event_facts *, const struct item_facts *);

/*
 * The notice as a mail of one item.  Its id is made from the event's, so that the spool takes it
 * once however often it is made.  hostname: ours.
 */
struct mail *notice_mail(const struct config *, const char *hostname, const struct event_facts *,
    const struct item_facts *, const char *to, int64_t now_ms);

#endif
