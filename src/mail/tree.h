#ifndef PMRELAY_MAIL_TREE_H
#define PMRELAY_MAIL_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mail/mime.h"

/*
 * GMime's parse of a content that is lent and not copied: GMime reads it through a stream that
 * ends when a limit is passed, and that differs from the content in a few edits.  The inside of a
 * large body is not in it at all.  For mime.c only.
 */

/* Bytes of the content that GMime does not see; or, where from is to, some that only it sees. */
struct edit {
	const char *from, *to;
	const char *inserted; /* an empty line, or the name of a field */
	bool hides;           /* the inside of a body */
};

/* A line that should be the header of a part and is none, and the delimiter before it. */
struct stray {
	const char *line;
	const char *delimiter; /* after its two hyphens */
	size_t delimiter_len;
};

struct piece {
	const char *bytes;
	size_t len;
	size_t at;          /* in the stream */
	const char *origin; /* in the content; bytes, unless they are put in */
};

struct tree {
	const char *content, *end;
	const char *body; /* after the top header */
	bool hides;       /* some of the edits do */
	struct edit *edits;
	size_t edit_count, edit_room;
	struct stray *strays;
	size_t stray_count, stray_room;
	size_t trims; /* of boundaries, and of lines that got a name */
	struct piece *pieces;
	size_t piece_count;
	size_t piece; /* that was read from last */

	const struct mime_limits *limits;
	size_t leaves, multiparts, fields; /* seen by GMime so far */
	size_t comparisons;
	enum mime_end stopped; /* MIME_DONE: not so; GMime then sees the end of the content */
};

struct tree_top {
	const char *header_end;
	const char *body;
	size_t fields;
};

/* Once per process: g_mime_init() and more. */
void tree_setup(void);

/* First; content, end and limits of a zeroed struct are set by the caller. */
void tree_header(struct tree *, struct tree_top *);
/* The fields of the top header, as many as top->fields at most; how many come of them. */
size_t tree_fields(const struct tree *, const struct tree_top *, struct mime_field *out);
/*
 * What GMime makes of the content, the caller's; may be NULL.  *whole_r: all of it was read, or
 * ->stopped says why not.
 */
struct _GMimeObject *tree_make(struct tree *, struct _GMimeParserOptions *options, bool *whole_r);
/* The place in the content of an offset in GMime's stream. */
const char *tree_place(const struct tree *, int64_t offset);
void tree_deinit(struct tree *);

#endif
