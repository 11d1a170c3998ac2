#ifndef PMRELAY_SANDBOX_LINK_H
#define PMRELAY_SANDBOX_LINK_H

/* The first link of HTML that goes to http or https, its entities for '&' undone; the caller
 * frees.  NULL: there is none.  Pure. */
char *link_first(const char *html);

#endif
