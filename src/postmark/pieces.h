#ifndef PMRELAY_POSTMARK_PIECES_H
#define PMRELAY_POSTMARK_PIECES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct postmark_piece;

/* Pieces as one run of bytes, read from its start to its end once. */
struct pieces {
	const struct postmark_piece *list;
	size_t count;
	size_t at;   /* the piece being read */
	size_t read; /* bytes of it handed out */
	uint64_t bytes, handed_out;
	bool unreadable; /* a piece's file failed */
};

void pieces_init(struct pieces *, const struct postmark_piece *list, size_t count); /* lent */
/* Fills the whole room, however small the pieces are; 0: the end.  0, or -1 and .unreadable. */
int pieces_read(struct pieces *, char *out, size_t room, size_t *len_r);

#endif
