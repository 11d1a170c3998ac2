#ifndef PMRELAY_SANDBOX_RULES_INSIDE_H
#define PMRELAY_SANDBOX_RULES_INSIDE_H

#include <stddef.h>

/* What the files of the rules share. */

/* Foreign text as a refusal shows it: cut, and not in the middle of a character.  The caller
 * frees. */
char *rules_echo(const char *text, size_t len);

#endif
