#ifndef PMRELAY_CONSOLE_WORDS_H
#define PMRELAY_CONSOLE_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

struct buf;
struct operation;

/*
 * The words of a command line to an operation and the JSON object of its arguments.  Pure: files
 * are read by a function that is handed in.
 *
 * Options before the command are pmrelayctl's own.  Behind it they are the command's, and
 * pmrelayctl's own where the command has none of that name: "--url" of "webhook create" is the
 * webhook's.
 */
enum words_task {
	TASK_RUN,        /* the operation */
	TASK_HELP,       /* of operation, of topic (a noun), or of all */
	TASK_VERSION,    /* of pmrelayctl */
	TASK_COMPLETION, /* topic: the shell */
	TASK_MANUAL,     /* the commands' part of the manual page */
};

enum words_color {
	COLOR_AUTO,
	COLOR_ALWAYS,
	COLOR_NEVER,
};

struct words {
	enum words_task task;
	const struct operation *operation;
	json_t *given; /* arguments by name, as they go to the daemon */
	char *topic;

	/* pmrelayctl's own options; NULL: not given */
	char *socket, *url, *certificate, *key, *ca;
	enum words_color color;
	bool json, quiet, yes;

	bool once; /* of top: one look, nothing redrawn */
	bool all;  /* of queue list: every page */
	uint64_t
	    count; /* of queue list: so many items, however many pages they are; 0: not given */
};

struct words_reader {
	/* All of a file; "-" is the standard input.  Caller frees; NULL and why. */
	char *(*read)(void *ctx, const char *path, size_t *len_r, struct buf *why);
	void *ctx;
};

enum words_end {
	WORDS_FINE,
	WORDS_WRONG,   /* the usage */
	WORDS_NO_FILE, /* one that was named cannot be read */
};

/*
 * argv without the program's name.  now_ms: wall clock.  A failure leaves a sentence in why; the
 * words are to be freed in any case.
 */
enum words_end words_read(struct words *, int argc, char *const *argv, const struct words_reader *,
    int64_t now_ms, struct buf *why);
void words_free(struct words *);

/* One of pmrelayctl's own options, for help and completion. */
struct words_option {
	const char *name;
	const char *value; /* "FILE"; NULL: takes none */
	const char *const *choices;
	bool file;
	const char *text;
};
extern const struct words_option words_options[]; /* ends with a NULL name */

/* Options of a command that the daemon does not know. */
const struct words_option *words_options_of(const struct operation *); /* ends with a NULL name */

#endif
