#ifndef PMRELAY_CONSOLE_TOP_H
#define PMRELAY_CONSOLE_TOP_H

#include <stddef.h>

#include <jansson.h>

struct buf;
struct paint;

/*
 * One look at the daemon as lines, at most rows of them (0: as many as there are) and each no
 * wider than a terminal of 40 columns or more.  before: the look before, for the rates; NULL: this
 * is the first. Pure.
 */
void top_draw(
    const struct paint *, struct buf *, size_t rows, const json_t *before, const json_t *now);

#endif
