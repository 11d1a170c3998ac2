#ifndef PMRELAY_CONVERT_REBUILT_H
#define PMRELAY_CONVERT_REBUILT_H

#include <stddef.h>
#include <stdint.h>

struct buf;
struct json_t;

/* A mail of Postmark's inbound payload that has no RawEmail, built again; see inbound.h. */

/* What goes beside the payload. */
struct rebuilt_input {
	const struct json_t *post;
	const char *id;       /* of the mail: what boundaries are made of */
	const char *hostname; /* of a Message-ID, where there is none */
	int64_t now_ms;       /* of a Date, where there is none */
};

/* Bytes that it will have, about: for a buffer. */
size_t rebuilt_expected(const struct json_t *post);
/* The whole mail is appended, with CRLF.  0, or -1 and why: the payload is wrong. */
int rebuilt_add(struct buf *out, const struct rebuilt_input *, char *why, size_t why_size)
    __attribute__((warn_unused_result));

#endif
