#ifndef PMRELAY_PROGRAMS_HANDOVER_H
#define PMRELAY_PROGRAMS_HANDOVER_H

#include <stddef.h>

struct buf;
struct config;
struct loop;

/*
 * What the supervisor and its children say to each other: small messages over a socketpair, each
 * with at most one descriptor.
 */
enum handover_kind {
	HANDOVER_READY = 1,     /* child: I serve */
	HANDOVER_CHANNEL = 2,   /* supervisor: number names the channel, fd is its end for you */
	HANDOVER_SETTINGS = 3,  /* supervisor: fd is a memfd with new settings (SIGHUP) */
	HANDOVER_DRAIN = 4,     /* supervisor: finish and exit */
	HANDOVER_BAD_FRONT = 5, /* core: over the channel of that number comes nonsense */
	HANDOVER_LOG = 6,       /* supervisor: fd is the log file, opened anew */
	HANDOVER_RELOAD = 7,    /* core: read the configuration again, as on SIGHUP */
	/*
	 * supervisor, to the core that asked: number 0 done, 1 refused; fd is a memfd with text for
	 * people: what is wrong, or the options that wait for a restart, a line each, or nothing.
	 * New settings come before it.
	 */
	HANDOVER_RELOADED = 8,
	/* core: number is the enum log_level for all processes until the next reload; supervisor:
	 * it is yours now. */
	HANDOVER_LOG_LEVEL = 9,
	/* supervisor, to the core: the fronts are ending, so no client is to wait for Postmark any
	 * more. */
	HANDOVER_HURRY = 10,
};

/*
 * The number of a channel: the front's, and which of its channels it is, so that word of a front
 * that has been replaced does not cost the next one its life.
 */
int handover_channel(unsigned front, unsigned serial);
unsigned handover_front(int channel);

/* Descriptors that a child finds after exec. */
enum handover_fd {
	HANDOVER_FD_CONTROL = 3,
	HANDOVER_FD_SETTINGS = 4,
	/*
	 * And on.  A front: one for each smtp.listen, in its order, then one for each
	 * webhook.listen.  The core: the Unix socket when
	 * control.socket in its settings is set, then the one of control.listen when that is.
	 */
	HANDOVER_FD_LISTEN = 5,
};

/* fd -1: none; else it is lent.  -1: errno. */
int handover_send(int control, enum handover_kind, int number, int fd);

/* fd_r: -1 when none came; the caller owns it.  1: a message; 0: none there; -1: closed. */
int handover_receive(int control, enum handover_kind *kind_r, int *number_r, int *fd_r);

/* A sealed memfd with these bytes; the caller closes it.  -1: errno. */
int handover_settings_fd(const struct buf *text);
/* What HANDOVER_RELOADED brought, at most so much of it, with a NUL; fd is closed. */
void handover_text_read(int fd, char *text, size_t size);
/* The settings in such a memfd, which is closed.  NULL, and the reason for people in why. */
struct config *handover_settings_read(int fd, char *why, size_t why_size);

/* One end, on its loop. */
struct handover;
typedef void handover_fn(void *ctx, enum handover_kind, int number, int fd); /* takes fd */
typedef void handover_closed_fn(void *ctx);
struct handover *handover_new(
    struct loop *, int control, handover_fn *, handover_closed_fn *, void *ctx);
int handover_fd(const struct handover *); /* for handover_send() */
void handover_free(struct handover **);

#endif
