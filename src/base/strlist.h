#ifndef PMRELAY_BASE_STRLIST_H
#define PMRELAY_BASE_STRLIST_H

#include <stdbool.h>
#include <stddef.h>

/* A list of strings that owns its strings.  A zeroed struct is an empty list. */
struct strlist {
	char **items;
	size_t count;
	size_t room;
};

void strlist_add(struct strlist *, const char *text);		      /* copies */
void strlist_add_bytes(struct strlist *, const char *bytes, size_t len); /* copies */
void strlist_take(struct strlist *, char *text);		      /* takes */
bool strlist_has(const struct strlist *, const char *text);	      /* exact */
void strlist_copy(struct strlist *to, const struct strlist *from);
void strlist_free(struct strlist *); /* leaves an empty list */

#endif
