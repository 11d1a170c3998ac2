#ifndef PMRELAY_CONFIG_OPTION_H
#define PMRELAY_CONFIG_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;

/*
 * One option.  Its row makes the parser, the check, the environment variable, the sample, the
 * printed settings and the manual.
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
	size_t at;                  /* offset in what its section says */
	const char *preset;         /* as in the file; a list has its items apart by a space */
	uint64_t least, most;       /* of numbers, sizes, times; most is the longest of a string */
	const char *const *choices; /* NULL-terminated */
	const char *wanted;         /* what is right, for messages and the manual; NULL: by kind */
	bool (*right)(const char *value, size_t len); /* of a string or list item; NULL: any */
	/* What is wrong with a value that is not right, as a clause, where more can be said than
	 * what was wanted; NULL: never. */
	void (*explain)(const char *value, size_t len, struct buf *out);
	/* The items of a list have spaces in them: in a variable they are apart by line ends. */
	bool by_lines;
	const char *text; /* for people: whole sentences, plain text */
};

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
/* The same, and what is wrong with this value. */
void option_explain(const struct option_row *, const char *value, struct buf *out);
/* The value as it stands in a file, quoted where it needs it.  Secrets as they are. */
void option_print(const struct option_row *, const void *base, struct buf *out);
bool option_same(const struct option_row *, const void *a, const void *b);

#endif
