#ifndef PMRELAY_BASE_BUF_H
#define PMRELAY_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>

/*
 * A growing run of bytes with a ceiling given at birth.  What would pass the ceiling is not
 * added, and buf.over stays true from then on: check it once, at the end.  data is always
 * followed by a NUL that len does not count (data may be NULL while len is 0).
 *
 * A shared buffer ends as a memfd, so that it can be handed to another process.
 */
struct buf {
	char *data;
	size_t len;
	size_t room;    /* bytes allocated */
	size_t most;    /* ceiling of len */
	bool over;      /* something did not fit */
	bool shared;    /* to be taken by buf_take_fd() */
	int fd;         /* the memfd that data maps or was spilled into, else -1 */
	size_t spilled; /* bytes that are in the memfd alone, before those of data */
};

void buf_init(struct buf *, size_t most);
/* expected_bytes: sizes the first allocation; growing beyond it works and costs a move. */
void buf_init_shared(struct buf *, size_t most, size_t expected_bytes);
/*
 * What a shared buffer holds goes into its memfd, and data and len are of what comes after: for
 * something long that nobody looks back on.  The ceiling counts all.  Without descriptors, or where
 * data maps the memfd already, nothing happens.
 */
void buf_spill(struct buf *);
size_t buf_total(const struct buf *); /* bytes added, wherever they are */
void buf_free(struct buf *);          /* safe to call twice, and on a zeroed struct */
void buf_clear(struct buf *);         /* keeps the memory */

void buf_add(struct buf *, const void *bytes, size_t len);
void buf_addc(struct buf *, char);
void buf_adds(struct buf *, const char *text);
void buf_addf(struct buf *, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_consume(struct buf *, size_t len); /* drops len bytes from the front */

/*
 * Room for len more bytes at buf->data + buf->len, to be followed by buf_grown() with as many as
 * were written.  NULL: would pass the ceiling, and buf->over is set.
 */
char *buf_reserve(struct buf *, size_t len) __attribute__((warn_unused_result));
void buf_grown(struct buf *, size_t len);

/* The caller owns what comes back (free(); NUL-terminated).  The buffer is empty afterwards.
 * Not for shared buffers. */
char *buf_take(struct buf *, size_t *len_r);
/* The memfd, cut to length and sealed against any change; the caller closes it.  -1: errno.
 * The buffer is empty afterwards.  Only for shared buffers. */
int buf_take_fd(struct buf *, size_t *len_r);

#endif
