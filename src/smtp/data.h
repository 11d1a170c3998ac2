#ifndef PMRELAY_SMTP_DATA_H
#define PMRELAY_SMTP_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;

/*
 * The content that follows DATA (RFC 5321 4.5.2): undoes dot-stuffing, finds the end, insists on
 * CRLF.  Pure.  Only CRLF.CRLF ends a message: a bare LF or CR around the dot is how mails are
 * smuggled (CVE-2023-51764 and its family).
 */
enum smtp_data_end {
	SMTP_DATA_MORE, /* feed more */
	SMTP_DATA_DONE, /* the end was seen; what follows is the next command */
};

struct smtp_data {
	bool normalize;      /* given: bare LF becomes CRLF, bare CR is dropped */
	uint64_t most_bytes; /* given: ceiling of the content */
	unsigned state;
	uint64_t total_bytes; /* content so far, also what was dropped */
	bool bare_line_end;   /* a bare CR or LF was seen (strict: refuse with 550 5.6.11) */
	bool nul;             /* a NUL was seen */
	bool over;            /* content passed most_bytes */
};

void smtp_data_init(struct smtp_data *, bool normalize, uint64_t most_bytes);
/*
 * Feeds bytes; content goes to out, unless out is NULL, or the mail is over, or is known to be one
 * that will be refused (NUL, strict and a bare line end): then the rest is only read.  *used_r is
 * how many bytes belong to this message.  Everything told is the same however the bytes were
 * split; what out holds of a mail that is refused is not told.
 */
enum smtp_data_end smtp_data_feed(
    struct smtp_data *, const char *bytes, size_t len, struct buf *out, size_t *used_r);

/* The content so far is worth keeping. */
bool smtp_data_clean(const struct smtp_data *);

#endif
