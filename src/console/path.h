#ifndef PMRELAY_CONSOLE_PATH_H
#define PMRELAY_CONSOLE_PATH_H

#include <jansson.h>

struct operation;

/*
 * The path of an operation with its query, encoded, and the body of a POST, NULL for a GET.
 * Caller frees both.  given: its arguments, checked.
 */
char *path_make(const struct operation *, const json_t *given, char **body_r);

#endif
