#ifndef PMRELAY_CONFIG_OPTIONS_H
#define PMRELAY_CONFIG_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"
#include "config/option.h"

struct buf;

/*
 * Every section, in the order of the sample and the manual.  NAME is options_NAME in
 * options_NAME.c, with the rows of its options; an option is added there and in struct config,
 * and nowhere else.  A section with titles needs an array in struct config besides.
 */
#define OPTION_SECTIONS(NAME)                                                                      \
	NAME(process)                                                                              \
	NAME(log)                                                                                  \
	NAME(smtp)                                                                                 \
	NAME(message)                                                                              \
	NAME(spool)                                                                                \
	NAME(control)                                                                              \
	NAME(postmark)                                                                             \
	NAME(retry)                                                                                \
	NAME(webhook)                                                                              \
	NAME(inbound)                                                                              \
	NAME(suppression)                                                                          \
	NAME(notice)                                                                               \
	NAME(connection)                                                                           \
	NAME(route)                                                                                \
	NAME(outlet)

/*
 * The values of a section lie in struct config itself.  A titled one stands as often as it has
 * titles, section TITLE { }: its values lie in an array of structs, one for each title, in the
 * order in which they were made.
 */
struct option_section {
	const char *name;
	const char *text;              /* one line for the operator */
	const struct option_row *rows; /* ends with a row whose section is NULL */
	size_t row_count;
	bool titled;
	/* Of a titled one. */
	size_t items_at, count_at; /* in struct config: the array and its length */
	size_t item_bytes;
	size_t title_at;   /* in an item: char * */
	size_t most;       /* items */
	const char *taken; /* a title that means something else, and what; NULL: none */
	const char *taken_by;
};

#define OPTION_SECTION_ONE(name) +1
enum { OPTION_SECTION_COUNT = 0 OPTION_SECTIONS(OPTION_SECTION_ONE) };
#undef OPTION_SECTION_ONE

/* Ends with NULL. */
extern const struct option_section *const option_sections[OPTION_SECTION_COUNT + 1];

/* NULL: there is none. */
const struct option_section *option_section_find(const char *name);

/* Where the values of one section, or of one title of it, lie; until a place is added. */
struct option_place {
	const struct option_section *section;
	size_t index; /* of the section in option_sections */
	size_t item;
	const char *title; /* NULL: of a section without */
	void *base;        /* what option_set() and its like take */
};

/* All places, one after the other; a zeroed struct before the first.  False: past the last. */
bool option_place_next(const struct config *, struct option_place *);
/* The place of a section; title is not looked at where there is none to have.  False: none. */
bool option_place_find(
    const struct config *, const char *section, const char *title, struct option_place *place_r);
/* A new place with its presets, for a right title that is not there.  False: there are too many. */
bool option_place_add(struct config *, const struct option_section *, const char *title,
    struct option_place *place_r);
/* Frees what all places hold, and those with titles themselves; not for use after. */
void option_places_free(struct config *);

/*
 * Whether a section may have another place with that title.  Titles are letters, digits and '-',
 * begin with a letter, and differ by more than their case, because a variable has but one.
 * False: why gets "found X, wanted Y".
 */
bool option_title_right(const struct config *, const struct option_section *, const char *title,
    size_t len, struct buf *why);

const struct option_row *option_find(const char *section, const char *name);
/* The row whose name is most like it, first in that section (NULL: any).  NULL: none is near. */
const struct option_row *option_nearest(const char *section, const char *name);

/* The preset as it stands in a file. */
void option_print_preset(const struct option_section *, const struct option_row *, struct buf *out);

#endif
