#ifndef PMRELAY_CHANNEL_PEER_H
#define PMRELAY_CHANNEL_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event;
struct frame_explain;
struct frame_head;
struct loop;
struct mail;
struct refusal;

/*
 * One end of the socketpair between a front and the core, on the loop.  Frames that are written
 * in one turn of the loop leave in as few system calls as can be; descriptors travel beside them.
 */
struct peer;

struct peer_hooks {
	/*
	 * A whole frame has come.  body and fds are lent for the call; fds (head->descriptors of
	 * them) that are not set to -1 in it are closed afterwards.  -1: this is not a frame of
	 * ours, the channel ends.
	 */
	int (*frame)(void *ctx, const struct frame_head *, const char *body, int *fds);
	/* The channel is over: the other process has died, or sent nonsense.  The owner frees. */
	void (*lost)(void *ctx, const char *why);
};

struct peer *peer_new(struct loop *, int fd, const struct peer_hooks *, void *ctx); /* takes fd */
void peer_free(struct peer **);

enum peer_sent {
	PEER_SENT,
	PEER_UNFIT,   /* it fits no frame */
	PEER_NO_ROOM, /* this process has none for another descriptor now; the channel goes on */
};
/* A mail with those chained to it.  They are lent for the call: their descriptors are duplicated.
 */
enum peer_sent peer_commit(struct peer *, uint64_t serial, const struct mail *);
/* answer: as for frame_committed_write() */
void peer_committed(struct peer *, uint64_t serial, const struct refusal *answer_or_null);
/* -1: it fits no frame, or no room as above.  content_fd is lent for the call. */
int peer_explain(struct peer *, uint64_t serial, const struct frame_explain *, int content_fd);
int peer_explained(struct peer *, uint64_t serial, const char *json, size_t len);
void peer_event(struct peer *, uint64_t serial, const struct event *); /* answered by COMMITTED */
/* By what posts to the webhook receiver are known: what hooks_json() made.  -1: it fits no frame.
 */
int peer_tell_hooks(struct peer *, const char *json, size_t len);
/* Suppressed addresses: a sealed memfd of what suppression_table_make() made; lent for the call.
 * -1: this process has no room for another descriptor now. */
int peer_tell_suppressions(struct peer *, int table_fd);
/* While it rests nothing more is read: what the other side sends waits there.  Frames that were
 * read already are still given, and the end of the channel is not noticed. */
void peer_rest(struct peer *, bool rests);
size_t peer_unsent(const struct peer *); /* bytes that wait to leave */

#endif
