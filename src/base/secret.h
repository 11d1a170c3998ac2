#ifndef PMRELAY_BASE_SECRET_H
#define PMRELAY_BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>

/*
 * A string that is wiped when freed, is left out of core dumps (madvise DONTDUMP) and has no
 * printing function.
 */
struct secret;

struct secret *secret_new(const char *text, size_t len); /* copies */
struct secret *secret_copy(const struct secret *);	  /* NULL for NULL */
/* First line of a file, without its line end.  NULL and errno on failure or an empty line. */
struct secret *secret_read_file(const char *path);
void secret_free(struct secret **);
const char *secret_text(const struct secret *); /* lent; never log, never put into argv */
size_t secret_len(const struct secret *);
bool secret_same(const struct secret *, const char *text, size_t len); /* constant time */
void secret_wipe(void *bytes, size_t len); /* memset that the compiler keeps */

#endif
