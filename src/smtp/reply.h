#ifndef PMRELAY_SMTP_REPLY_H
#define PMRELAY_SMTP_REPLY_H

#include <stdbool.h>

struct buf;
struct smtp_reply;

/* RFC 5321 4.5.3.1.5, with the CRLF. */
#define SMTP_REPLY_MOST 512

/* Appends "250 2.1.5 Text\r\n"; text that came from elsewhere is made safe and cut to the
 * 512 octets of RFC 5321 4.5.3.1.5.  A code outside 200..599 goes out as 451.  Pure. */
void smtp_reply_print(struct buf *, const struct smtp_reply *);

/* One line of a reply of several; last: the one that ends it (RFC 5321 4.2.1).  Pure. */
void smtp_reply_print_line(struct buf *, const struct smtp_reply *, bool last);

#endif
