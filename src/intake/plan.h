#ifndef PMRELAY_INTAKE_PLAN_H
#define PMRELAY_INTAKE_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "convert/convert.h"
#include "mail/envelope.h"
#include "mail/mime.h"
#include "routing/routing.h"

struct mail;
struct origin;
struct pattern_budget;
struct refusal;
struct rules;

/*
 * A transaction's recipients in groups: those of one group take the same route and have the same
 * fate, and become one struct mail.  Pure.
 */
struct plan_group {
	size_t route; /* ROUTING_DEFAULT: none was for them */
	enum routing_fate fate;
	struct convert_options options; /* the route's; captured, where the fate says so */
	struct envelope envelope;       /* who gets it: the redirect-to of one that is redirected */
	struct strlist asked;           /* for whom it was: the client's own recipients */
};

struct plan {
	struct mime mime;
	struct pattern_budget *patterns; /* shared by all that is asked of the mail */
	struct routing_choice *choice;   /* NULL: the content could not be read */
	struct plan_group *groups;
	size_t group_count;
};

/* A chain of mails has a limit, and with it the groups of a transaction. */
#define PLAN_MOST_GROUPS 64

struct plan_input {
	const struct envelope *envelope;
	const struct origin *origin;
	const char *content; /* CRLF line ends */
	size_t content_len;
};

/*
 * input's parts and rules are lent for the life of the plan.  0, or -1 and *refusal_r: a limit.
 * Whatever comes back, plan_free() is due.
 */
int plan_make(struct plan *, const struct rules *, const struct plan_input *,
    struct refusal *refusal_r) __attribute__((warn_unused_result));
void plan_free(struct plan *);

/*
 * Memory for the mails of a plan.  take: false where there is none; negative bytes are given back.
 * The first mail takes none, because it stands in for the content, which is held already.
 */
struct plan_room {
	bool (*take)(void *ctx, int64_t bytes);
	void *ctx;
};

/*
 * The mails of all groups, chained.  All or none: 0, or -1 and *refusal_r of the first that is
 * refused, 452 for lack of room.  make_id: a ULID for each.  room: asked before each group is
 * converted, and for what it came to; all is given back in the end, for the caller to count what
 * it keeps.  NULL: there is enough.
 */
int plan_convert(const struct plan *, const struct plan_input *, int64_t accepted_ms,
    void (*make_id)(char out[ULID_SIZE], int64_t at_ms), const struct plan_room *room,
    struct mail **mail_r, struct refusal *refusal_r) __attribute__((warn_unused_result));

/* What one group's conversion takes. */
struct convert_input plan_group_input(const struct plan *, const struct plan_group *,
    const struct plan_input *, const char *mail_id, int64_t accepted_ms);

#endif
