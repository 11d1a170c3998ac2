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
	SMTP_DATA_MORE,	 /* feed more */
	SMTP_DATA_DONE,	 /* the end was seen; what follows is the next command */
};

struct smtp_data {
	bool normalize;	      /* given: bare LF becomes CRLF, bare CR is dropped */
	unsigned state;
	uint64_t total_bytes; /* content so far, also what was dropped */
	bool bare_line_end;   /* a bare CR or LF was seen (strict: refuse with 550 5.6.11) */
	bool nul;	      /* a NUL was seen */
	bool over;	      /* content passed the ceiling of out */
};

void smtp_data_init(struct smtp_data *, bool normalize);
/*
 * Feeds bytes; content goes to out (nothing more once it is over its ceiling, or out is NULL).
 * *used_r is how many bytes belong to this message.
 */
enum smtp_data_end smtp_data_feed(struct smtp_data *, const char *bytes, size_t len,
    struct buf *out, size_t *used_r);

#endif
