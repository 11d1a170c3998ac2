#ifndef PMRELAY_ROUTING_ROUTING_H
#define PMRELAY_ROUTING_ROUTING_H

#include <stdbool.h>
#include <stddef.h>

struct buf;
struct config;
struct mime;
struct origin;
struct pattern_budget;
struct strlist;

/*
 * Which route a recipient's mail takes: the first in the configuration whose conditions all hold
 * (struct route).  Pure: settings and a mail in, an index out.
 */
struct routing;

#define ROUTING_DEFAULT ((size_t)-1) /* none holds: the sections message and postmark */

/* Settings that were checked when they were loaded; lent for life. */
struct routing *routing_new(const struct config *);
void routing_free(struct routing **);

/* One mail; all lent for the life of a choice. */
struct routing_mail {
	const struct origin *origin;
	const char *reverse_path; /* canonical; "" is <> */
	const struct mime *mime;
	struct pattern_budget
	    *patterns; /* of the mail; NULL: each search has its own limit alone */
};

/* What is known of one mail: conditions that are the same for all recipients are asked once. */
struct routing_choice;
struct routing_choice *routing_choice_new(struct routing *, const struct routing_mail *);
void routing_choice_free(struct routing_choice **);

/* Index into config->routes, or ROUTING_DEFAULT.  recipient: canonical. */
size_t routing_choose(struct routing_choice *, const char *recipient);
/*
 * The same before there is a content: mail->mime is NULL.  true and *route_r: listener, client,
 * user and envelope alone decide it.  false: what the header says may.
 */
bool routing_foretell(
    struct routing *, const struct routing_mail *mail, const char *recipient, size_t *route_r);
/* A pattern ran into its limit somewhere: its name for the log, "route NAME: header 3".  NULL:
 * none. */
const char *routing_gave_up(const struct routing_choice *);

/* How many conditions were asked of the mail so far, other than envelope-to: for tests. */
size_t routing_asked(const struct routing_choice *);

/*
 * Why a route does not hold for this recipient: a sentence such as "envelope-to: ann@a.example is
 * none of *@b.example", appended.  Nothing when it holds.
 */
void routing_why_not(struct routing_choice *, size_t route, const char *recipient, struct buf *out);

/*
 * What staging makes of a recipient.  Pure.  REDIRECTED: the route's redirect-to in its place.
 */
enum routing_fate {
	ROUTING_GOES,
	ROUTING_REDIRECTED,
	ROUTING_CAPTURED,
};
enum routing_fate routing_fate(const struct routing *, size_t route, const char *recipient);
/* Who gets the mail of REDIRECTED: canonical, each once; lent. */
const struct strlist *routing_redirects(const struct routing *, size_t route);

#endif
