#ifndef PMRELAY_CHANNEL_FRAME_H
#define PMRELAY_CHANNEL_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strlist.h"

struct buf;
struct mail;
struct refusal;

/*
 * The frames between front and core.  Pure: bytes in, values out.
 *
 * A frame is a head of 16 bytes and a body.  Numbers are in the byte order of the machine: both
 * ends run on it, from the same program.  A receiver trusts nothing: whatever a frame says is
 * checked before it is used, and a frame that is not as it should be ends the channel.
 *
 *	COMMIT    front to core   the mails of a transaction; one descriptor for each large payload
 *	COMMITTED core to front   the result for the frame's serial
 *	EXPLAIN   core to front   a mail to be converted and not sent; its content as a descriptor
 *	EXPLAINED front to core   what became of it, as one JSON object
 *	EVENT     front to core   what a webhook brought, answered by COMMITTED
 *	HOOKS     core to front   by what posts to the webhook receiver are known, as one JSON
 *object SUPPRESSIONS core to front  a table of them (mail/suppression.h), as a descriptor
 */
enum frame_kind {
	FRAME_COMMIT = 1,
	FRAME_COMMITTED = 2,
	FRAME_EXPLAIN = 3,
	FRAME_EXPLAINED = 4,
	FRAME_EVENT = 5,
	FRAME_HOOKS = 6,
	FRAME_SUPPRESSIONS = 7,
};

struct frame_head {
	uint32_t body_bytes;
	uint16_t kind;
	uint16_t descriptors; /* that come with this frame */
	uint64_t serial;      /* chosen by the asker, repeated in the answer */
};
#define FRAME_HEAD_SIZE 16

/* What a frame may hold at most. */
#define FRAME_MOST_BODY        (32U * 1024U * 1024U)
#define FRAME_MOST_DESCRIPTORS 250U
#define FRAME_MOST_MAILS       64U /* of a transaction, and so the next two: of all of them */
#define FRAME_MOST_ITEMS       10000U
#define FRAME_MOST_RECIPIENTS  10000U
#define FRAME_MOST_PAYLOAD     (32U * 1024U * 1024U)
#define FRAME_MOST_LINES       (128U * 1024U * 1024U) /* the same, of a mail that came in */
#define FRAME_MOST_TEXT        4096U
#define FRAME_MOST_REPLY_MS    (3 * 60 * 1000) /* a front waits for four minutes */

/* 0, or -1: no such frame can be. */
int frame_head_read(struct frame_head *, const unsigned char bytes[FRAME_HEAD_SIZE]);

/*
 * Appends a whole COMMIT frame, of a mail and of those chained to it.  fds_r has room for
 * FRAME_MOST_DESCRIPTORS; *fd_count_r descriptors are to go with it (lent by the mails).  -1: they
 * do not fit into a frame.
 *
 * What an item and its mail's shared payload hold is JSON, or, for ITEM_SMTP and ITEM_LOCAL, a mail
 * of whole lines that end with CRLF; the items of one mail are all of the one or all of the other
 * sort.
 */
int frame_commit_write(
    struct buf *, uint64_t serial, const struct mail *, int *fds_r, size_t *fd_count_r);

/*
 * The body of a COMMIT, as a chain.  fds are the descriptors that came with it; they are taken,
 * those of a mail that is not accepted are closed.  NULL: not a mail that a front of ours would
 * send, the reason is in why.
 */
struct mail *frame_commit_read(
    const char *body, size_t len, const int *fds, size_t fd_count, const char **why);

/*
 * A mail that somebody wants explained: the envelope, and who would bring it, as SMTP would tell
 * them; the content (CRLF or LF line ends) is the one descriptor.  A text that is not clean UTF-8,
 * or longer than FRAME_MOST_TEXT, is one that the other side refuses: the asker looks first
 * (frame_explain_is_right).
 */
struct frame_explain {
	char *reverse_path;
	struct strlist recipients;
	char *listener, *client, *user; /* "" or NULL: not said */
};
bool frame_text_is_right(const char *text);
bool frame_explain_is_right(const struct frame_explain *);
/* -1: it does not fit. */
int frame_explain_write(struct buf *, uint64_t serial, const struct frame_explain *);
/* 0, and frame_explain_free() is due; or -1. */
int frame_explain_read(const char *body, size_t len, struct frame_explain *);
void frame_explain_free(struct frame_explain *);
/* json: one object; -1: too large. */
int frame_explained_write(struct buf *, uint64_t serial, const char *json, size_t len);
/* *json_r points into body: one object, checked (json_is_one_object).  0, or -1. */
int frame_explained_read(const char *body, size_t len, const char **json_r, size_t *len_r);

/*
 * An event.  Read: checked in all its parts (kind, lengths, clean texts, one JSON object), and
 * owned by the caller; NULL: not one that a front of ours would send.
 */
struct event;
void frame_event_write(struct buf *, uint64_t serial, const struct event *);
struct event *frame_event_read(const char *body, size_t len);
/* json: one object; from core to front, so an end that is trusted.  -1: too large. */
int frame_hooks_write(struct buf *, const char *json, size_t len);
int frame_suppressions_write(struct buf *); /* the table goes as its one descriptor */

/*
 * What came of a COMMIT.  Written: NULL, the mails are durable; of code 250, they are, and this is
 * what the client is told; of 4xx or 5xx, they are not.  Read: the same, with an empty text of code
 * 250 in place of NULL.
 */
void frame_committed_write(struct buf *, uint64_t serial, const struct refusal *answer_or_null);
int frame_committed_read(const char *body, size_t len, bool *stored_r, struct refusal *answer_r);

#endif
