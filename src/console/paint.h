#ifndef PMRELAY_CONSOLE_PAINT_H
#define PMRELAY_CONSOLE_PAINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;

/*
 * Text on its way to a person.  Subjects, answers and names come from anybody: whatever a terminal
 * would obey instead of show is escaped here, and widths are counted in its columns.  Pure.
 */

/* How the output is to look. */
struct paint {
	bool terminal; /* sizes and times for people, texts are cut to fit */
	bool colour;
	size_t columns; /* of the terminal; 0: no end */
};

enum paint_hue {
	HUE_NONE,
	HUE_GOOD, /* green */
	HUE_WAIT, /* yellow */
	HUE_BAD,  /* red */
	HUE_DIM,
	HUE_BOLD,
};

/* The sequence that begins a hue; "" without colour. */
const char *paint_begin(const struct paint *, enum paint_hue);
const char *paint_end(const struct paint *, enum paint_hue);
/* Text of ours in a hue, appended. */
void paint_add(const struct paint *, struct buf *, enum paint_hue, const char *text);
/* The hue of a word that tells a state: "sent", "held", "goes", "true". */
enum paint_hue paint_hue_of(const char *state);

/*
 * Foreign text on one line: control characters, what turns the direction of writing and bytes that
 * are no UTF-8 become \xHH or \u{HHHH}.  most_columns 0: all of it; else it ends in "…" where it
 * was cut.  Returns the columns it takes.
 */
size_t paint_safe(struct buf *, const char *text, size_t len, size_t most_columns);
/* The same over several lines: each after a line end begins with indent spaces.  The last line has
 * no end. */
void paint_safe_lines(struct buf *, const char *text, size_t len, size_t indent);
size_t paint_width(const char *text, size_t len); /* of text that was made safe */
/* JSON as text stays the same JSON, and a terminal can show it. */
void paint_safe_json(struct buf *, const char *json, size_t len);
void paint_pad(struct buf *, size_t columns); /* so many spaces */

/* "2026-11-23T06:29:25.123Z": wall clock in milliseconds.  -1: not a time. */
int paint_parse_time(const char *text, int64_t *wall_ms_r);
/* "2026-11-23 07:29:25" where the reader lives. */
void paint_add_time(struct buf *, int64_t wall_ms);
void paint_add_clock(struct buf *, int64_t wall_ms);                     /* "07:29:25" */
void paint_add_size(const struct paint *, struct buf *, uint64_t bytes); /* "1.4 MB" or digits */
void paint_add_span(struct buf *, int64_t span_ms);                      /* "3 h 12 min", "4.2 s" */

#endif
