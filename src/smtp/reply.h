#ifndef PMRELAY_SMTP_REPLY_H
#define PMRELAY_SMTP_REPLY_H

struct buf;
struct smtp_reply;

/* Appends "250 2.1.5 Text\r\n"; text that came from elsewhere is made safe and cut to the
 * 512 octets of RFC 5321 4.5.3.1.5.  Pure. */
void smtp_reply_print(struct buf *, const struct smtp_reply *);

#endif
