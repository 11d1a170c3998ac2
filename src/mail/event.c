#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"

#include "mail/event.h"
#include "mail/suppression.h"

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
		return FATE_SUPPRESSED | (text_same(event->type, "ManualSuppression") &&
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

/* Nothing happens after its post came, but clocks differ.  A moment of another year would be the
 * last word on an address for as long. */
#define CLOCKS_DIFFER_MS (60 * 60 * 1000)

/* What Postmark's own list says of an address that bounced or complained. */
static char hard_bounce[] = "HardBounce", spam_complaint[] = "SpamComplaint";
static char by_recipient[] = "Recipient";

enum event_says
event_suppression(const struct event *event, struct suppression *out)
{
	enum event_says says = event->suppressed ? EVENT_SUPPRESSES : EVENT_SAYS_NOTHING;
	char *reason = event->type, *origin = by_recipient;

	*out = (struct suppression){ 0 };
	switch (event->kind) {
	case EVENT_BOUNCE:
		if (reason[0] == '\0')
			reason = hard_bounce;
		break;
	case EVENT_COMPLAINT:
		reason = spam_complaint;
		break;
	case EVENT_SUBSCRIPTION:
		says = event->suppressed ? EVENT_SUPPRESSES : EVENT_LIFTS;
		origin = event->origin;
		break;
	case EVENT_OTHER:
	case EVENT_DELIVERY:
	case EVENT_OPEN:
	case EVENT_CLICK:
	case EVENT_FAILED:
	case EVENT_INACTIVE:
		return EVENT_SAYS_NOTHING;
	}
	if (says == EVENT_SAYS_NOTHING || event->recipient[0] == '\0' || event->stream[0] == '\0')
		return EVENT_SAYS_NOTHING;
	*out = (struct suppression){ .connection = event->connection,
		.stream = event->stream,
		.address = mem_string(event->recipient),
		.reason = reason,
		.origin = origin,
		.at_ms = event->at_ms < event->received_ms + CLOCKS_DIFFER_MS
			     ? event->at_ms
			     : event->received_ms + CLOCKS_DIFFER_MS,
		.lifted = says == EVENT_LIFTS };
	text_lower(out->address);
	return says;
}

static const struct {
	unsigned fate;
	const char *name;
} fate_names[] = {
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
#define FATE_NAMES (sizeof(fate_names) / sizeof(fate_names[0]))

const char *
fate_name(unsigned fates)
{
	for (size_t i = 0; i < FATE_NAMES; i++)
		if (fates & fate_names[i].fate)
			return fate_names[i].name;
	return "";
}

int
fate_parse(const char *name, unsigned *fate_r)
{
	for (size_t i = 0; i < FATE_NAMES; i++)
		if (text_same(fate_names[i].name, name)) {
			*fate_r = fate_names[i].fate;
			return 0;
		}
	return -1;
}

static void
describe_bounce(const struct event *event, struct buf *out)
{
	buf_adds(out, event->type[0] != '\0' ? event->type : "bounce");
	if (event->detail[0] != '\0')
		buf_addf(out, ": %s", event->detail);
	if (event->suppressed)
		buf_adds(out, " (gets no more mail)");
}

static void
describe_subscription(const struct event *event, struct buf *out)
{
	buf_addf(out, "gets %s%s%s", event->suppressed ? "no more mail" : "mail again",
	    event->stream[0] != '\0' ? " from " : "", event->stream);
	if (event->type[0] != '\0')
		buf_addf(out, ": %s", event->type);
	if (event->origin[0] != '\0')
		buf_addf(out, " by %s", event->origin);
}

void
event_describe(const struct event *event, struct buf *out)
{
	if (event->recipient[0] != '\0')
		buf_addf(out, "%s: ", event->recipient);
	switch (event->kind) {
	case EVENT_BOUNCE:
	case EVENT_COMPLAINT:
		describe_bounce(event, out);
		break;
	case EVENT_SUBSCRIPTION:
		describe_subscription(event, out);
		break;
	case EVENT_OPEN:
		buf_adds(out, event->first ? "for the first time" : "again");
		if (event->type[0] != '\0')
			buf_addf(out, ", %s", event->type);
		if (event->detail[0] != '\0')
			buf_addf(out, ", %s", event->detail);
		break;
	case EVENT_OTHER:
		buf_adds(out, event->type);
		break;
	case EVENT_INACTIVE:
		buf_adds(out, "Postmark sends nothing there: inactive");
		break;
	case EVENT_DELIVERY:
	case EVENT_CLICK:
	case EVENT_FAILED:
		buf_adds(out, event->detail);
		break;
	}
}
