#ifndef PMRELAY_MAIL_PLAIN_H
#define PMRELAY_MAIL_PLAIN_H

#include <stddef.h>

struct buf;

/*
 * Markup as plain text, appended: for readers of the text where only markup came.  UTF-8 in and
 * out; never fails, linear in len.
 */

/* Lines where the blocks end, list items with a hyphen, links with their address, no scripts,
 * styles and comments. */
void plain_add_html(struct buf *out, const char *html, size_t len);

/* text/enriched (RFC 1896) and text/richtext (RFC 1341 7.1.3). */
void plain_add_enriched(struct buf *out, const char *text, size_t len);

#endif
