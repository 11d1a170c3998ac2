#ifndef PMRELAY_SANDBOX_RULES_INSIDE_H
#define PMRELAY_SANDBOX_RULES_INSIDE_H

#include <stddef.h>

struct rules_refusal;

/* What the files of the rules share. */

/* Returns -1. */
int rules_refuse(struct rules_refusal *, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Foreign text as a refusal shows it: cut, and not in the middle of a character.  The caller
 * frees. */
char *rules_echo(const char *text, size_t len);

#endif
