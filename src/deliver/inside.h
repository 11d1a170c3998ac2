#ifndef PMRELAY_DELIVER_INSIDE_H
#define PMRELAY_DELIVER_INSIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/inbound_value.h"
#include "mail/mail.h"

#include "deliver/deliver.h"

/* What the files of this folder share, and nobody else. */

#define DELIVER_TEXT_SIZE 1000U
/* That mail's trouble alone, of whatever way: DELIVER_LATER_ALONE. */
#define DELIVER_UNREADABLE "the stored message could not be read"

/* A mail to be read from its begin to its end, in a thread. */
struct content {
	struct payload parts[2]; /* owned */
	size_t part;
	size_t at; /* in it */
	uint64_t bytes;
};

void content_init(struct content *);
/* Copies.  0, or -1 and errno. */
int content_fill(struct content *, const struct payload *, const struct payload *shared);
void content_free(struct content *);
/* The next bytes; 0: the end, -1: errno. */
ssize_t content_read(struct content *, char *out, size_t size);
/* The same with LF for each CRLF: how files and programs have lines. */
ssize_t content_read_lf(struct content *, char *out, size_t size);

/* One delivery, in its thread. */
struct delivery {
	const struct inbound_target *target;
	const char *target_text; /* the target's own what, without what else stands in it */
	const char *hostname;
	char *id, *sender, *recipient;
	int64_t accepted_ms;
	bool again;
	struct content content;
	int64_t until_ms; /* monotonic */
	int cut_fd;       /* readable: it is to end at once */

	enum deliver_end end;
	int code;
	char text[DELIVER_TEXT_SIZE];
};

void delivery_end(struct delivery *, enum deliver_end, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Waits until fd is ready, but not beyond the time, nor when it is to end.  True: it is.  More than
 * one descriptor at once is poll()'s. */
bool delivery_wait(struct delivery *, int fd, short events);
int delivery_time_left(const struct delivery *); /* for poll(); 0: over */

void lmtp_deliver(struct delivery *);
void maildir_deliver(struct delivery *);
void command_deliver(struct delivery *);

/* The fields that stand above a mail where it comes to rest (RFC 5321 4.4). */
void delivery_return_path(const struct delivery *, char *out, size_t size);

#endif
