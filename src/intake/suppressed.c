/* Who is refused because Postmark would send nothing, see suppressed.h. */

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "mail/envelope.h"
#include "mail/mime.h"
#include "mail/refusal.h"
#include "mail/suppression.h"
#include "convert/convert.h"
#include "routing/routing.h"

#include "intake/plan.h"
#include "intake/rules.h"
#include "intake/suppressed.h"

#define DATE_CHARS 10 /* of "2026-11-23T06:29:25.123Z" */

static void
refuse(struct refusal *refusal_r, const char *recipient, const struct rules_target *target,
    const struct suppression_found *found)
{
	char since[CLOCK_TEXT_SIZE] = "", reason[64] = "";

	if (found->at_ms > 0)
		clock_text(since, found->at_ms);
	text_safe(reason, sizeof(reason), found->reason, strlen(found->reason));
	refusal_set(refusal_r, 550, "5.7.1",
	    "%.120s is suppressed on stream %.60s%s%.*s%s%s%s: pmrelayctl suppression delete",
	    recipient, target->stream, since[0] != '\0' ? " since " : "", DATE_CHARS, since,
	    reason[0] != '\0' ? " (" : "", reason, reason[0] != '\0' ? ")" : "");
}

static bool
is_suppressed(const struct suppressed *known, const struct rules_target *target,
    const char *recipient, struct suppression_found *found_r)
{
	return known->table != NULL && target->refuses &&
	       suppression_table_find(known->table, known->len, target->connection, target->stream,
		   recipient, found_r) == 0;
}

bool
suppressed_recipient(const struct suppressed *known, const struct rules *rules,
    const struct origin *origin, const char *reverse_path, const char *recipient,
    struct refusal *refusal_r, const char **route_r)
{
	const struct routing_mail mail = { .origin = origin, .reverse_path = reverse_path };
	struct suppression_found found;
	struct rules_target target;
	size_t route;

	if (known->table == NULL || !routing_foretell(rules->routing, &mail, recipient, &route) ||
	    routing_fate(rules->routing, route, recipient) != ROUTING_GOES)
		return false;
	target = rules_target(rules, route);
	if (!is_suppressed(known, &target, recipient, &found))
		return false;
	*route_r = rules_options(rules, route)->route;
	refuse(refusal_r, recipient, &target, &found);
	return true;
}

/* The mail names a stream of its own, and the route lets it. */
static bool
names_stream(const struct plan *plan, const struct convert_options *options)
{
	if ((options->controls & (1U << CONTROL_MESSAGE_STREAM)) == 0)
		return false;
	for (size_t i = 0; i < plan->mime.field_count; i++)
		if (mime_field_is(&plan->mime.fields[i], "X-PM-Message-Stream"))
			return true;
	return false;
}

bool
suppressed_mail(const struct suppressed *known, const struct rules *rules, const struct plan *plan,
    struct refusal *refusal_r, const char **route_r)
{
	bool refused = false;

	if (known->table == NULL)
		return false;
	for (size_t i = 0; i < plan->group_count; i++) {
		const struct plan_group *group = &plan->groups[i];
		struct rules_target target = rules_target(rules, group->route);
		struct suppression_found found;

		if (group->fate != ROUTING_GOES || names_stream(plan, &group->options))
			return false;
		for (size_t j = 0; j < group->asked.count; j++) {
			if (!is_suppressed(known, &target, group->asked.items[j], &found))
				return false;
			if (!refused) {
				*route_r = group->options.route;
				refuse(refusal_r, group->asked.items[j], &target, &found);
			}
			refused = true;
		}
	}
	return refused;
}
