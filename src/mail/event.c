#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

#include "mail/event.h"

static const char *const kind_names[EVENT_KINDS] = {
	[EVENT_OTHER] = "other",
	[EVENT_DELIVERY] = "delivery",
	[EVENT_BOUNCE] = "bounce",
	[EVENT_COMPLAINT] = "complaint",
	[EVENT_OPEN] = "open",
	[EVENT_CLICK] = "click",
	[EVENT_SUBSCRIPTION] = "subscription",
	[EVENT_FAILED] = "failed",
	[EVENT_INACTIVE] = "inactive",
};

const char *
event_kind_name(enum event_kind kind)
{
	return kind_names[kind];
}

int
event_kind_parse(const char *name, enum event_kind *kind_r)
{
	for (size_t i = 0; i < EVENT_KINDS; i++)
		if (text_same(kind_names[i], name)) {
			*kind_r = (enum event_kind)i;
			return 0;
		}
	return -1;
}

struct event *
mail_event_new(void)
{
	struct event *event = mem_new(sizeof(*event));
	char **const texts[] = { &event->connection, &event->relay_id, &event->message_id,
		&event->stream, &event->tag, &event->recipient, &event->type, &event->origin,
		&event->detail, &event->json };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		*texts[i] = mem_string("");
	return event;
}

void
mail_event_free(struct event **event_p)
{
	struct event *event = *event_p;

	if (event == NULL)
		return;
	free(event->connection);
	free(event->relay_id);
	free(event->message_id);
	free(event->stream);
	free(event->tag);
	free(event->recipient);
	free(event->type);
	free(event->origin);
	free(event->detail);
	free(event->json);
	free(event);
	*event_p = NULL;
}

/* Types that say something about the recipient and nothing about this mail. */
static const char *const informing[] = { "Unsubscribe", "Subscribe", "AutoResponder",
	"AddressChange", "OpenRelayTest", "ChallengeVerification", NULL };

static bool
type_informs(const char *type)
{
	for (size_t i = 0; informing[i] != NULL; i++)
		if (text_same(informing[i], type))
			return true;
	return false;
}

bool
event_bounce_is_final(const char *type, bool suppressed)
{
	if (suppressed)
		return true;
	return !text_same(type, "Transient") && !type_informs(type);
}

unsigned
event_fate(const struct event *event)
{
	unsigned suppressed = event->suppressed ? FATE_SUPPRESSED : 0;

	switch (event->kind) {
	case EVENT_DELIVERY:
		return FATE_DELIVERED;
	case EVENT_BOUNCE:
		if (event_bounce_is_final(event->type, event->suppressed))
			return FATE_BOUNCED | suppressed;
		return text_same(event->type, "Transient") ? FATE_DELAYED : FATE_ANSWERED;
	case EVENT_COMPLAINT:
		return FATE_COMPLAINED | suppressed;
	case EVENT_OPEN:
		return FATE_OPENED;
	case EVENT_CLICK:
		return FATE_CLICKED;
	case EVENT_SUBSCRIPTION:
		if (!event->suppressed)
			return 0;
		return FATE_SUPPRESSED |
		       (text_same(event->type, "ManualSuppression") &&
				       text_same(event->origin, "Recipient")
			       ? FATE_UNSUBSCRIBED
			       : 0);
	case EVENT_INACTIVE:
		return FATE_BOUNCED;
	case EVENT_OTHER:
	case EVENT_FAILED:
		return 0;
	}
	return 0;
}

const char *
fate_name(unsigned fates)
{
	static const struct {
		unsigned fate;
		const char *name;
	} names[] = {
		{ FATE_COMPLAINED, "complained" },
		{ FATE_BOUNCED, "bounced" },
		{ FATE_CLICKED, "clicked" },
		{ FATE_OPENED, "opened" },
		{ FATE_DELIVERED, "delivered" },
		{ FATE_UNSUBSCRIBED, "unsubscribed" },
		{ FATE_SUPPRESSED, "suppressed" },
		{ FATE_DELAYED, "delayed" },
		{ FATE_ANSWERED, "answered" },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (fates & names[i].fate)
			return names[i].name;
	return "";
}
