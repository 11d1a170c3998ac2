#ifndef PMRELAY_CONVERT_CONTROLS_H
#define PMRELAY_CONVERT_CONTROLS_H

#include <stdbool.h>
#include <stddef.h>

struct convert_options;
struct ledger;
struct mime_field;
struct refusal;

struct header_pair {
	char *name;
	char *value;
};

struct header_pairs {
	struct header_pair *pairs;
	size_t count, room;
};

void header_pairs_add(struct header_pairs *, char *name, char *value); /* takes both */
void header_pairs_free(struct header_pairs *);

/*
 * What the X-PM-* fields of a mail ask for (Postmark, "Send an email with SMTP": the same names and
 * meanings, so that an application need not know to whom it speaks), and what its route says.  The
 * mail's word beats the route's where the route's options->controls say so; else it is left out and
 * noted.  Of metadata the keys of both go along, and a key that both have is the mail's.  The first
 * field of a kind counts; an empty one says nothing.
 */
struct controls {
	char *tag;                    /* "" for none */
	int track_opens;              /* -1: not said */
	const char *track_links;      /* "": not said; static or lent from the options */
	char *message_stream;         /* "": not said */
	struct header_pairs metadata; /* without relay-id */
	bool keep_id;                 /* a Message-ID goes out as it is */
	unsigned said;                /* for controls.c: kinds of field that the mail had */
};

/* The route's. */
void controls_init(struct controls *, const struct convert_options *);
void controls_free(struct controls *);

/* One of the mail's fields, whose name begins with X-PM-.  0, or -1 and *refusal_r. */
int controls_read(struct controls *, const struct convert_options *, const struct mime_field *,
    struct ledger *, struct refusal *refusal_r) __attribute__((warn_unused_result));
/* After the last of them.  0, or -1 and *refusal_r. */
int controls_settle(struct controls *, const struct convert_options *, struct refusal *refusal_r)
    __attribute__((warn_unused_result));

#endif
