#ifndef PMRELAY_CONFIG_ROWS_H
#define PMRELAY_CONFIG_ROWS_H

/*
 * What a file with the rows of one section needs.  It defines SECTION, the section's name, and
 * AT(member), where a value lies.
 */

#include <stddef.h>

#include "config/config.h"
#include "config/option.h"
#include "config/options.h"
#include "config/values.h"

/* The rows of a section, in its struct option_section. */
#define OPTION_ROWS(table) .rows = (table), .row_count = sizeof(table) / sizeof((table)[0]) - 1

#define OPTION_SECTION_EXTERN(name) extern const struct option_section options_##name;
OPTION_SECTIONS(OPTION_SECTION_EXTERN)
#undef OPTION_SECTION_EXTERN

/* Choices of several sections. */
extern const char *const option_track_links[];

#endif
