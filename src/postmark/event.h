#ifndef PMRELAY_POSTMARK_EVENT_H
#define PMRELAY_POSTMARK_EVENT_H

#include <stddef.h>
#include <stdint.h>

struct event;
struct json_t;

/*
 * What a webhook of Postmark's posts (postmark-api, 14), in old and new spellings: an event, a mail
 * that came in, or the probe by which Postmark looks whether anybody is there.  Pure.
 */
enum post_kind {
	POST_EVENT,
	POST_MAIL,  /* of the inbound hook; what it becomes is another's matter */
	POST_PROBE, /* nothing at all, or an object that is none of these: nothing to keep */
	POST_REFUSED,
};

/* What is known of a post besides its body. */
struct post_origin {
	const char *connection; /* of the webhook that it came by */
	const char *stream;     /* the same; "" or "inbound": the post must tell */
	const char *trace_id;   /* X-PM-Webhook-Trace-Id; NULL or "": none */
	int64_t now_ms;         /* wall clock */
};

struct post {
	enum post_kind kind;
	struct event *event; /* POST_EVENT; owned.  Its id is still to be made. */
	struct json_t *mail; /* POST_MAIL: the object, each name once; owned */
	const char *why;     /* POST_REFUSED: a sentence of ours */
};

/* Limits of what is read at all: nesting, and values in one post. */
#define POST_MOST_DEPTH  32
#define POST_MOST_VALUES 200000

/*
 * body: any bytes.  The mark of an event is of what the fact is known by: the bounce's ID, or the
 * message, recipient and time, or what stands for them; the trace id where the post has none of
 * that, since posts by two webhooks for one fact have two; and the whole body at last.
 */
void post_read(struct post *post_r, const char *body, size_t len, const struct post_origin *);
void post_free(struct post *);

#endif
