#ifndef PMRELAY_CONFIG_OPTIONS_H
#define PMRELAY_CONFIG_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"

struct buf;
struct strlist;

/*
 * The table of every option.  A row makes the parser, the check, the environment variable, the
 * sample, the printed settings and the manual; an option is added here and in struct config, and
 * nowhere else.
 */
enum option_kind {
	OPTION_STRING,      /* char *; one of choices where there are any */
	OPTION_CHOICE,      /* int: index into choices */
	OPTION_TRISTATE,    /* int: -1 for "", 0, 1 */
	OPTION_BOOL,        /* bool */
	OPTION_NUMBER,      /* unsigned */
	OPTION_SIZE,        /* uint64_t, bytes; k, M, G */
	OPTION_TIME,        /* int64_t, milliseconds; ms, s, m, h, d */
	OPTION_LIST,        /* struct strlist */
	OPTION_SECRET,      /* struct secret * */
	OPTION_SECRET_FILE, /* char *: path of the file that the secret of the row before is in */
};

enum option_reload {
	RELOAD_LIVE,    /* a reload applies it */
	RELOAD_RESTART, /* changing it needs a restart */
};

struct option_row {
	const char *section, *name;
	enum option_kind kind;
	enum option_reload reload;
	size_t at;                  /* offset in what its group says */
	const char *preset;         /* as in the file; a list has its items apart by a space */
	uint64_t least, most;       /* of numbers, sizes, times; most is the longest of a string */
	const char *const *choices; /* NULL-terminated */
	const char *wanted;         /* what is right, for messages and the manual; NULL: by kind */
	bool (*right)(const char *value, size_t len); /* of a string or list item; NULL: any */
	const char *text;                             /* for people: whole sentences, plain text */
};

/* Ends with a row whose section is NULL; rows of a section stand together. */
extern const struct option_row option_table[];
size_t option_count(void); /* rows of it */

/*
 * Rows whose values lie together.  The first group is option_table, whose values lie in struct
 * config itself.  Each other is a section that stands as often as it has titles, section TITLE
 * { }: its values lie in an array of structs, one for each title, in the order in which they
 * were made.
 */
struct option_group {
	const char *section; /* of the titled ones; NULL: of many */
	const struct option_row *rows;
	size_t row_count;
	size_t items_at, count_at; /* in struct config: the array and its length */
	size_t item_bytes;
	size_t title_at;   /* in an item: char * */
	size_t most;       /* items */
	const char *taken; /* a title that means something else, and what; NULL: none */
	const char *taken_by;
};

#define OPTION_GROUPS 2
/* Ends with a group whose rows are NULL. */
extern const struct option_group option_groups[OPTION_GROUPS + 1];

/* Where the values of one group, or of one title of it, lie; until a place is added. */
struct option_place {
	const struct option_group *group;
	size_t item;
	const char *title; /* NULL: the settings themselves */
	void *base;        /* what option_set() and its like take */
};

/* All places, one after the other; a zeroed struct before the first.  False: past the last. */
bool option_place_next(const struct config *, struct option_place *);
/* The place of a section; title is not looked at where there is none to have.  False: none. */
bool option_place_find(
    const struct config *, const char *section, const char *title, struct option_place *place_r);
/* A new place with its presets, for a right title that is not there.  False: there are too many. */
bool option_place_add(
    struct config *, const struct option_group *, const char *title, struct option_place *place_r);

/*
 * Whether a group may have another place with that title.  Titles are letters, digits and '-',
 * begin with a letter, and differ by more than their case, because a variable has but one.
 * False: why gets "found X, wanted Y".
 */
bool option_title_right(const struct config *, const struct option_group *, const char *title,
    size_t len, struct buf *why);

/* NULL: section is not one with titles. */
const struct option_group *option_group_find(const char *section);

/* One line for the operator about a section; NULL: there is no such section. */
const char *option_section_text(const char *section);

const struct option_row *option_find(const char *section, const char *name);
/* The row whose name is most like it, first in that section (NULL: any).  NULL: none is near. */
const struct option_row *option_nearest(const char *section, const char *name);
/* "PMRELAY_SMTP_MESSAGE_SIZE", "PMRELAY_CONNECTION_EU_TOKEN"; caller frees. */
char *option_variable(const struct option_row *, const char *title);
/* "smtp.message-size", "connection.eu.token"; caller frees. */
char *option_path(const struct option_row *, const char *title);

/*
 * Checks a value as it stands in a file, and sets it (base NULL: only checks; a list gets the
 * item added).  Value is len bytes followed by a NUL.  0, or -1 and nothing changed.
 */
int option_set(const struct option_row *, void *base, const char *value, size_t len);
void option_clear(const struct option_row *, void *base); /* lists and strings: empty */
void option_free(const struct option_row *, void *base);  /* what it holds; not for use after */
void option_copy(const struct option_row *, void *to, const void *from);
void option_set_preset(const struct option_row *, void *base);

/* What option_set() takes: "a size from 1k to 64M". */
void option_wanted(const struct option_row *, struct buf *out);
/* The value as it stands in a file, quoted where it needs it.  Secrets as they are. */
void option_print(const struct option_row *, const void *base, struct buf *out);
/* The preset in the same form. */
void option_print_preset(const struct option_row *, struct buf *out);
bool option_same(const struct option_row *, const void *a, const void *b);

/* Pure readings that the cross-checks share. */
int value_size(const char *text, size_t len, uint64_t *bytes_r);
int value_time(const char *text, size_t len, int64_t *ms_r);
bool value_listener_is_local(const char *listener); /* of a right one: loopback or Unix */
bool value_url_is_safe(const char *url);            /* of a right one: https, or a loopback host */

#endif
