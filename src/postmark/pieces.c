#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "postmark/client.h"
#include "postmark/pieces.h"

void
pieces_init(struct pieces *pieces, const struct postmark_piece *list, size_t count)
{
	memset(pieces, 0, sizeof(*pieces));
	pieces->list = list;
	pieces->count = count;
	for (size_t i = 0; i < count; i++)
		pieces->bytes += list[i].len;
}

static ssize_t
piece_read(const struct postmark_piece *piece, size_t at, char *out, size_t room)
{
	size_t len = piece->len - at;
	ssize_t got;

	if (len > room)
		len = room;
	if (piece->data != NULL) {
		memcpy(out, piece->data + at, len);
		return (ssize_t)len;
	}
	do {
		got = pread(piece->fd, out, len, (off_t)at);
	} while (got < 0 && errno == EINTR);
	return got;
}

int
pieces_read(struct pieces *pieces, char *out, size_t room, size_t *len_r)
{
	size_t len = 0;

	while (len < room && pieces->at < pieces->count) {
		const struct postmark_piece *piece = &pieces->list[pieces->at];
		ssize_t got;

		if (pieces->read == piece->len) {
			pieces->at++;
			pieces->read = 0;
			continue;
		}
		got = piece_read(piece, pieces->read, out + len, room - len);
		if (got <= 0) {
			pieces->unreadable = true;
			return -1;
		}
		pieces->read += (size_t)got;
		len += (size_t)got;
	}
	pieces->handed_out += len;
	*len_r = len;
	return 0;
}
