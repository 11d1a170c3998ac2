#ifndef PMRELAY_WEBHOOK_RECEIVER_H
#define PMRELAY_WEBHOOK_RECEIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct config;
struct frame_head;
struct json_t;
struct loop;
struct mail;
struct peer;

/*
 * Where Postmark's webhooks post, in a front.  Who does not show the secrets of one of them is
 * refused by the head of his request.  An event, or a mail that came in, goes to the core, and the
 * post is answered 200 exactly when it is durable there; what the core did not answer when it died
 * is asked of the next one, which knows repeats by their mark.  For trouble of our own the answer
 * is 503, so that Postmark comes again.
 */
struct receiver;

/* Why a mail is not taken. */
struct receiver_refusal {
	int status; /* of HTTP; of ours, 5xx, or 4xx when it will never be taken */
	char why[200];
};

/*
 * Postmark's post of a mail that came in (postmark-api, 14.7), each name in it once, to a mail for
 * the core.  Pure, and done at once.  NULL and *refusal_r: not taken.
 */
typedef struct mail *receiver_inbound_fn(void *ctx, const struct json_t *post,
    const char *connection, struct receiver_refusal *refusal_r);

struct receiver_params {
	struct loop *loop;
	const struct config *config; /* lent for life, or until receiver_reload() */
	/* Listening sockets, taken, and their names as webhook.listen has them. */
	const int *fds;
	const char *const *names;
	size_t count;
	receiver_inbound_fn *inbound; /* NULL: mails are refused with 503 */
	void *inbound_ctx;
};

/* Once, before the process can read no more files: what the library of TLS wants from them. */
void receiver_prepare(void);

/* Where the configuration has a certificate, TCP waits for it to come with FRAME_HOOKS. */
struct receiver *receiver_new(const struct receiver_params *);
void receiver_reload(struct receiver *, const struct config *);
void receiver_stop(struct receiver *); /* accepts no more; what is under way goes on */
/* Posts that are not answered yet, and what the core was asked for and has not answered. */
size_t receiver_waiting(const struct receiver *);
void receiver_free(struct receiver **);

/* The channel to the core, lent until the next call; NULL: there is none now. */
void receiver_connect(struct receiver *, struct peer *);
/* Serials of the receiver: a COMMITTED with this bit is for it, all others are not. */
#define RECEIVER_SERIAL (UINT64_C(1) << 63)
/* COMMITTED and HOOKS.  As the hook frame of a peer. */
int receiver_frame(struct receiver *, const struct frame_head *, const char *body);

#endif
