#ifndef PMRELAY_CONSOLE_TERMINAL_H
#define PMRELAY_CONSOLE_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

/* The terminal that pmrelayctl was called from, if there is one. */
struct terminal {
	bool in, out, err; /* which of the three it is */
	size_t columns, rows;
};

void terminal_look(struct terminal *);

/* "Delete server 4711? [y/N] ": asks on the standard error output. */
bool terminal_ask(const struct terminal *, const char *question);

/*
 * The whole screen for a view that is redrawn, keys as they are pressed, until terminal_leave().
 * A signal that ends programs is remembered instead: leave then, and exit.
 */
void terminal_enter(void);
void terminal_leave(void);
bool terminal_was_signalled(void);
int terminal_key(void); /* one that was pressed; 0: none */

#endif
