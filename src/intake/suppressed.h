#ifndef PMRELAY_INTAKE_SUPPRESSED_H
#define PMRELAY_INTAKE_SUPPRESSED_H

#include <stdbool.h>
#include <stddef.h>

struct envelope;
struct origin;
struct plan;
struct refusal;
struct rules;

/*
 * Recipients that Postmark sends nothing to, refused before a mail is accepted where the route asks
 * for it.  Pure: a table of them (mail/suppression.h, checked; NULL: none is known) and what is
 * known of the mail in, a refusal out.  What a route redirects or captures goes to nobody of them.
 */
struct suppressed {
	const void *table;
	size_t len;
};

/*
 * At RCPT.  true and *refusal_r, *route_r (its name, lent by rules): the route is certain by now,
 * and this recipient gets nothing there.
 */
bool suppressed_recipient(const struct suppressed *, const struct rules *, const struct origin *,
    const char *reverse_path, const char *recipient, struct refusal *refusal_r,
    const char **route_r);

/*
 * At the end of DATA.  true and the same: all recipients of the mail are such.  Where only some are
 * it is taken, and Postmark tells of these.
 */
bool suppressed_mail(const struct suppressed *, const struct rules *, const struct plan *,
    struct refusal *refusal_r, const char **route_r);

#endif
