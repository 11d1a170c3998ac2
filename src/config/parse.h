#ifndef PMRELAY_CONFIG_PARSE_H
#define PMRELAY_CONFIG_PARSE_H

#include <stddef.h>

struct buf;
struct config;

/*
 * The text of a file into settings, by libConfuse.  given[] has a place for each row of the table
 * and gets the line in which that option stands, 0 for none.  0, or -1 and a message a line in
 * why; the settings are then half-changed.  Not for threads: libConfuse's lexer is one.
 */
int parse_text(struct config *, const char *text, size_t len, const char *name, unsigned *given,
    struct buf *why);

#endif
