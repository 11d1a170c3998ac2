#ifndef PMRELAY_CONFIG_PARSE_H
#define PMRELAY_CONFIG_PARSE_H

#include <stddef.h>

#include "config/options.h"

struct buf;
struct config;

/* The line in which each option of each place stands. */
struct lines {
	struct {
		unsigned *numbers;
		size_t count;
	} sections[OPTION_SECTION_COUNT];
};

/* Of one option, 0 for none; to be changed, until the next call. */
unsigned *lines_at(struct lines *, const struct option_place *, const struct option_row *);
void lines_free(struct lines *);

/*
 * The text of a file into settings, by libConfuse.  given gets the line in which each option
 * stands.  0, or -1 and a message a line in why; the settings are then half-changed.  Not for
 * threads: libConfuse's lexer is one.
 */
int parse_text(struct config *, const char *text, size_t len, const char *name, struct lines *given,
    struct buf *why);

#endif
