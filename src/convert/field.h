#ifndef PMRELAY_CONVERT_FIELD_H
#define PMRELAY_CONVERT_FIELD_H

struct buf;
struct mailbox;

/*
 * A field of a mail's header, with its line end, appended: as it is, or as encoded words of UTF-8
 * (RFC 2047), folded, where it could not stand there so.  name is a good one.
 */
void field_add(struct buf *out, const char *name, const char *value);
void field_add_mailbox(struct buf *out, const char *name, const struct mailbox *);

#endif
