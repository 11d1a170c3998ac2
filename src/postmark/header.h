#ifndef PMRELAY_POSTMARK_HEADER_H
#define PMRELAY_POSTMARK_HEADER_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Header lines, "Name: value", that somebody else wants to have in one of our requests.  Pure.
 */
enum header_flaw {
	HEADER_FINE,
	HEADER_NO_NAME, /* no name of RFC 9110 5.6.2, or no colon right behind it */
	HEADER_CONTROL, /* a control character, which could begin another line */
	HEADER_TOKEN,   /* who we are is for the configuration to say */
	HEADER_FRAMING, /* where the request goes, and where it ends */
};
enum header_flaw header_check(const char *line, size_t *name_len_r);
const char *header_flaw_text(enum header_flaw);

/* Does a NULL-terminated list have a fine line of that name?  lines may be NULL. */
bool header_listed(const char *const *lines, const char *name);

/* As libcurl wants it, which takes "Name:" for a wish to have none.  The caller frees it. */
char *header_for_curl(const char *line, size_t name_len);

#endif
