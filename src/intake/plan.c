#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/pattern.h"
#include "base/strlist.h"
#include "mail/envelope.h"
#include "mail/mail.h"
#include "mail/refusal.h"
#include "convert/convert.h"
#include "routing/routing.h"

#include "intake/plan.h"
#include "intake/rules.h"

/* NULL: there are too many. */
static struct plan_group *
group_of(struct plan *plan, const struct rules *rules, size_t route, enum routing_fate fate)
{
	struct plan_group *group;

	for (size_t i = 0; i < plan->group_count; i++)
		if (plan->groups[i].route == route && plan->groups[i].fate == fate)
			return &plan->groups[i];
	if (plan->group_count == PLAN_MOST_GROUPS)
		return NULL;
	plan->groups = mem_resize(plan->groups, plan->group_count + 1, sizeof(plan->groups[0]));
	group = &plan->groups[plan->group_count++];
	*group = (struct plan_group){
		.route = route, .fate = fate, .options = *rules_options(rules, route)
	};
	if (fate == ROUTING_CAPTURED)
		group->options.captured = true;
	return group;
}

/* The envelope's own words; its recipients are the group's. */
static void
group_settle(struct plan_group *group, const struct rules *rules, const struct envelope *from)
{
	struct envelope *to = &group->envelope;

	*to = *from;
	to->reverse_path = mem_string(from->reverse_path);
	to->recipients = (struct strlist){ 0 };
	strlist_copy(&to->recipients, group->fate == ROUTING_REDIRECTED
					  ? routing_redirects(rules->routing, group->route)
					  : &group->asked);
}

static int
group_all(struct plan *plan, const struct rules *rules, const struct plan_input *input,
    struct refusal *refusal_r)
{
	const struct strlist *recipients = &input->envelope->recipients;

	for (size_t i = 0; i < recipients->count; i++) {
		const char *recipient = recipients->items[i];
		size_t route = routing_choose(plan->choice, recipient);
		struct plan_group *group =
		    group_of(plan, rules, route, routing_fate(rules->routing, route, recipient));

		if (group == NULL) {
			refusal_set(refusal_r, 554, "5.5.3",
			    "the recipients take more than %u routes: send it to fewer at once",
			    PLAN_MOST_GROUPS);
			return -1;
		}
		strlist_add(&group->asked, recipient);
	}
	return 0;
}

int
plan_make(struct plan *plan, const struct rules *rules, const struct plan_input *input,
    struct refusal *refusal_r)
{
	struct routing_mail mail = { .origin = input->origin,
		.reverse_path = input->envelope->reverse_path,
		.mime = &plan->mime };
	int result;

	*plan = (struct plan){ .patterns = mem_new(sizeof(*plan->patterns)) };
	plan->patterns->steps = PATTERN_STEPS_OF_MAIL;
	mail.patterns = plan->patterns;
	if (convert_read(
		&rules->limits, input->content, input->content_len, &plan->mime, refusal_r) != 0)
		return -1;
	plan->choice = routing_choice_new(rules->routing, &mail);
	result = group_all(plan, rules, input, refusal_r);
	for (size_t i = 0; i < plan->group_count; i++)
		group_settle(&plan->groups[i], rules, input->envelope);
	return result;
}

void
plan_free(struct plan *plan)
{
	for (size_t i = 0; i < plan->group_count; i++) {
		envelope_free(&plan->groups[i].envelope);
		strlist_free(&plan->groups[i].asked);
	}
	free(plan->groups);
	free(plan->patterns);
	routing_choice_free(&plan->choice);
	mime_free(&plan->mime);
	*plan = (struct plan){ 0 };
}

struct convert_input
plan_group_input(const struct plan *plan, const struct plan_group *group,
    const struct plan_input *input, const char *mail_id, int64_t accepted_ms)
{
	return (struct convert_input){ .envelope = &group->envelope,
		.origin = input->origin,
		.mime = &plan->mime,
		.content = input->content,
		.content_len = input->content_len,
		.mail_id = mail_id,
		.accepted_ms = accepted_ms,
		.patterns = plan->patterns,
		.redirected = group->fate == ROUTING_REDIRECTED ? &group->asked : NULL };
}

/* Counted in *held_r, too. */
static int
room_take(const struct plan_room *room, int64_t bytes, int64_t *held_r, struct refusal *refusal_r)
{
	if (room == NULL || bytes == 0)
		return 0;
	if (!room->take(room->ctx, bytes)) {
		refusal_set(refusal_r, 452, "4.3.1", "no memory for the mail, try again later");
		return -1;
	}
	*held_r += bytes;
	return 0;
}

/* A mail is about as large as its content: base64 stays, and what is not encoded is the less. */
static int
convert_groups(const struct plan *plan, const struct plan_input *input, int64_t accepted_ms,
    void (*make_id)(char out[ULID_SIZE], int64_t at_ms), const struct plan_room *room,
    int64_t *held_r, struct mail **first_r, struct refusal *refusal_r)
{
	struct mail **end = first_r;

	for (size_t i = 0; i < plan->group_count; i++) {
		const struct plan_group *group = &plan->groups[i];
		int64_t expected = i == 0 ? 0 : (int64_t)input->content_len;
		char id[ULID_SIZE];
		struct convert_input one;

		if (room_take(room, expected, held_r, refusal_r) != 0)
			return -1;
		make_id(id, accepted_ms);
		one = plan_group_input(plan, group, input, id, accepted_ms);
		if (convert_mail(&group->options, &one, end, refusal_r) != 0) {
			*end = NULL;
			return -1;
		}
		if (i > 0 && room_take(room, (int64_t)mail_payload_bytes(*end) - expected, held_r,
				 refusal_r) != 0)
			return -1;
		end = &(*end)->next;
	}
	return 0;
}

int
plan_convert(const struct plan *plan, const struct plan_input *input, int64_t accepted_ms,
    void (*make_id)(char out[ULID_SIZE], int64_t at_ms), const struct plan_room *room,
    struct mail **mail_r, struct refusal *refusal_r)
{
	struct mail *first = NULL;
	int64_t held = 0;
	int result;

	result = convert_groups(plan, input, accepted_ms, make_id, room, &held, &first, refusal_r);
	if (held != 0)
		room->take(room->ctx, -held);
	if (result != 0)
		mail_free(&first);
	*mail_r = first;
	return result;
}
