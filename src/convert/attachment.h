#ifndef PMRELAY_CONVERT_ATTACHMENT_H
#define PMRELAY_CONVERT_ATTACHMENT_H

#include <stdbool.h>
#include <stddef.h>

struct buf;
struct mime_part;
struct refusal;

struct attachment {
	char *name; /* a file name, never a path */
	char *content_type;
	char *content_id;             /* "cid:…" of an inline part, else NULL */
	const struct mime_part *part; /* lent */
};

/* A file name, never a path; number: of the attachment, for a name that has to be made up.  The
 * caller frees. */
char *attachment_name(const struct mime_part *, size_t number, bool *made_up_r);
/* 0, or -1 and *refusal_r: an extension that Postmark refuses. */
int attachment_name_check(const char *name, struct refusal *refusal_r);
/* The type with those parameters that a reader needs.  The caller frees. */
char *attachment_type(const struct mime_part *);

/* The content in base64 without line ends, appended; a shared buffer is spilled (buf_spill). */
void attachment_add_base64(const struct attachment *, struct buf *out);

#endif
