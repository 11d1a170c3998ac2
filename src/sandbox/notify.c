#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/strlist.h"
#include "base/text.h"

#include "sandbox/account.h"
#include "sandbox/bounce_type.h"
#include "sandbox/events.h"
#include "sandbox/fields.h"
#include "sandbox/firing.h"
#include "sandbox/inbound.h"
#include "sandbox/inbound_mail.h"
#include "sandbox/link.h"
#include "sandbox/messages.h"
#include "sandbox/records.h"
#include "sandbox/server.h"
#include "sandbox/state.h"
#include "sandbox/tracks.h"
#include "sandbox/webhooks.h"
#include "sandbox/notify.h"

#define BLACKHOLE "blackhole.postmarkapp.com"

json_t *
notify_metadata(const struct message *message)
{
	json_t *request, *metadata;

	if (message == NULL)
		return json_object();
	request = json_loadb(message->json, message->json_len, 0, NULL);
	metadata = json_incref(json_object_get(request, "Metadata"));
	json_decref(request);
	if (json_is_object(metadata))
		return metadata;
	json_decref(metadata);
	return json_object();
}

/* ---- to webhooks ---- */

static bool
wants(const struct webhook *webhook, const char *stream, enum webhook_trigger trigger)
{
	return text_same(fields_text(webhook->shown, "MessageStream"), stream) &&
	       webhook_verified(webhook->shown) && webhook_enabled(webhook->shown, trigger);
}

bool
notify_wanted(const struct state *state, const struct server *server, const char *stream,
    enum webhook_trigger trigger)
{
	if (state->firing == NULL || server == NULL)
		return false;
	for (size_t i = 0; i < webhooks_count(server->webhooks); i++) {
		if (wants(webhooks_at(server->webhooks, i), stream, trigger))
			return true;
	}
	return false;
}

static char *
text_of(const struct state *state, json_t *payload)
{
	if (state->event_settings.old_server_id)
		event_spell_server_id(payload);
	return json_dumps(payload, JSON_COMPACT);
}

/* What of an event depends on the webhook. */
struct variant {
	json_t *with_content; /* of a bounce, for IncludeContent; NULL: there is none */
	bool again;           /* an opening after the first, not for PostFirstOpenOnly */
};

static void
fire(struct state *state, const struct server *server, const char *stream,
    const struct firing_event *event, json_t *payload, const struct variant *variant)
{
	struct firing_event one = *event;
	char *text = text_of(state, payload), *full = NULL;

	if (variant->with_content != NULL)
		full = text_of(state, variant->with_content);
	one.server = server->id;
	one.kind = webhook_trigger_name(event->trigger);
	for (size_t i = 0; i < webhooks_count(server->webhooks); i++) {
		const struct webhook *webhook = webhooks_at(server->webhooks, i);
		bool flag = webhook_flag(webhook->shown, event->trigger);

		if (!wants(webhook, stream, event->trigger) || (variant->again && flag))
			continue;
		one.webhook = webhook->id;
		one.body = mem_string(full != NULL && flag ? full : text);
		firing_add(state->firing, &one);
	}
	free(text);
	free(full);
}

void
notify_raw(struct state *state, const struct server *server, const char *stream,
    const struct firing_event *event, const json_t *payload)
{
	static const struct variant usual = { 0 };

	fire(state, server, stream, event, (json_t *)payload, &usual);
}

static char *
now(int64_t later_ms, char out[STATE_TIME_SIZE])
{
	return state_time_text(
	    out, clock_wall_ms() + later_ms, (unsigned)(clock_mono_us() % 1000) * 10 + 7, 0);
}

/* ---- deliveries ---- */

static bool
is_at(const char *address, const char *domain)
{
	const char *at = strrchr(address, '@');

	return at != NULL && text_same(at + 1, domain);
}

static void
deliver(struct state *state, const struct server *server, const struct message *message,
    const char *recipient, const json_t *metadata)
{
	const struct event_about about = {
		.server = server->id,
		.message = message->id,
		.stream = message->stream,
		.tag = message->tag,
		.metadata = metadata,
	};
	const struct firing_event event = {
		.trigger = WEBHOOK_DELIVERY,
		.message = message->id,
		.recipient = recipient,
	};
	char at[STATE_TIME_SIZE];
	json_t *payload;

	if (!notify_wanted(state, server, message->stream, WEBHOOK_DELIVERY))
		return;
	payload = event_delivery(&about, recipient, "250 2.0.0 OK, taken by the sandbox",
	    now(state->event_settings.delay_ms, at));
	notify_raw(state, server, message->stream, &event, payload);
	json_decref(payload);
}

/* What readers do by themselves: the message, if it is still known. */
static void
on_reader(struct state *state, const char *id, const char *recipient, bool clicks)
{
	const struct message *message = messages_find(state->messages, id);
	json_t *sent, *given;
	const char *html;
	char *link;

	if (message == NULL)
		return;
	given = json_object();
	if (!clicks) {
		(void)tracks_add_open(state, message, recipient, given);
		json_decref(given);
		return;
	}
	sent = json_loadb(message->json, message->json_len, 0, NULL);
	html = fields_text(sent, "HtmlBody");
	link = html != NULL ? link_first(html) : NULL;
	if (link != NULL) {
		json_object_set_new(given, "OriginalLink", json_string(link));
		(void)tracks_add_click(state, message, recipient, given);
	}
	free(link);
	json_decref(sent);
	json_decref(given);
}

static void
on_open(struct state *state, const char *id, const char *recipient)
{
	on_reader(state, id, recipient, false);
}

static void
on_click(struct state *state, const char *id, const char *recipient)
{
	on_reader(state, id, recipient, true);
}

static void
read_later(
    struct state *state, const struct message *message, const char *recipient, const json_t *sent)
{
	const struct event_settings *settings = &state->event_settings;
	int64_t after_ms = settings->delay_ms;

	if (fields_text(sent, "HtmlBody") == NULL)
		return;
	if (settings->open_after_ms >= 0) {
		after_ms += settings->open_after_ms;
		firing_later(state->firing, after_ms, on_open, message->id, recipient);
	}
	if (settings->click_after_ms >= 0)
		firing_later(state->firing, after_ms + settings->click_after_ms, on_click,
		    message->id, recipient);
}

/* The recipient is an address where a server takes mail in. */
static void
come_in(
    struct state *state, const struct message *message, const char *recipient, const json_t *sent)
{
	const struct server *to = inbound_mail_server(&state->account, recipient);
	const char *why;
	json_t *given;
	bool taken;

	if (to == NULL)
		return;
	given = inbound_mail_of_message(message, sent);
	taken = inbound_add(state, to,
		    &(struct inbound_mail){
			.given = given,
			.recipient = recipient,
			.message = message,
		    },
		    &why) != NULL;
	if (!taken)
		log_warning("inbound-refused", log_str("id", message->id), log_str("why", why));
	json_decref(given);
}

void
notify_accepted(
    struct state *state, struct server *server, const struct message *message, const json_t *sent)
{
	const char *wanted = NULL, *name;
	const json_t *metadata = fields_get(sent, "Metadata"), *one;
	size_t i;

	json_array_foreach(json_object_get(sent, "Headers"), i, one)
	{
		name = fields_text(one, "Name");
		if (name != NULL && text_same(name, "X-PM-Bounce-Type"))
			wanted = fields_text(one, "Value");
	}
	for (i = 0; i < message->recipients.count; i++) {
		const char *recipient = message->recipients.items[i];

		if (strlist_has(&message->suppressed, recipient) ||
		    bounce_type_wanted(recipient, wanted) != NULL ||
		    (is_at(recipient, BLACKHOLE) && !message->sandboxed))
			continue;
		deliver(state, server, message, recipient, metadata);
		if (!message->sandboxed)
			come_in(state, message, recipient, sent);
		read_later(state, message, recipient, sent);
	}
}

/* ---- bounces and suppressions ---- */

void
notify_bounce(struct state *state, const struct server *server, const struct record *record)
{
	const char *stream = fields_text(record->json, "MessageStream");
	bool complaint = strcmp(fields_text(record->json, "RecordType"), "SpamComplaint") == 0;
	const struct firing_event event = {
		.trigger = complaint ? WEBHOOK_SPAM_COMPLAINT : WEBHOOK_BOUNCE,
		.message = record->message,
		.recipient = fields_text(record->json, "Email"),
	};
	struct variant variant = { 0 };
	char at[STATE_TIME_SIZE];
	json_t *payload;

	if (!notify_wanted(state, server, stream, event.trigger) ||
	    (strcmp(fields_text(record->json, "Type"), "SMTPApiError") == 0 &&
		!server_flag(server, "EnableSmtpApiErrorHooks")))
		return;
	state_time_text(at, record->wall_ms, 0, 0);
	payload = event_bounce(record->json, at, NULL);
	variant.with_content =
	    event_bounce(record->json, at, record->source != NULL ? record->source : "");
	fire(state, server, stream, &event, payload, &variant);
	json_decref(payload);
	json_decref(variant.with_content);
}

void
notify_suppression(struct state *state, const struct server *server,
    const struct message_stream *stream, const struct message *message, const char *email,
    const char *reason, const char *origin)
{
	bool told = message != NULL && reason != NULL && strcmp(origin, "Recipient") == 0;
	const struct firing_event event = {
		.trigger = WEBHOOK_SUBSCRIPTION_CHANGE,
		.message = told ? message->id : NULL,
		.recipient = email,
	};
	char at[STATE_TIME_SIZE];
	json_t *metadata, *payload;

	if (!notify_wanted(state, server, stream->id, WEBHOOK_SUBSCRIPTION_CHANGE))
		return;
	metadata = notify_metadata(told ? message : NULL);
	payload = event_subscription(
	    &(struct event_about){
		.server = server->id,
		.message = told ? message->id : NULL,
		.stream = stream->id,
		.tag = told ? message->tag : NULL,
		.metadata = metadata,
	    },
	    &(struct event_change){
		.recipient = email,
		.origin = origin,
		.reason = reason,
		.at = now(0, at),
	    });
	notify_raw(state, server, stream->id, &event, payload);
	json_decref(payload);
	json_decref(metadata);
}

/* ---- readers ---- */

static void
notify_track(struct state *state, const struct message *message, const struct record *record,
    enum webhook_trigger trigger, bool again)
{
	const struct server *server = account_server(&state->account, message->server);
	const struct firing_event event = {
		.trigger = trigger,
		.message = message->id,
		.recipient = fields_text(record->json, "Recipient"),
	};
	const struct variant variant = { .again = again };
	char at[STATE_TIME_SIZE];
	json_t *metadata, *payload;

	if (!notify_wanted(state, server, message->stream, trigger))
		return;
	metadata = notify_metadata(message);
	payload = event_track(record->json, metadata, state_time_text(at, record->wall_ms, 0, 0));
	fire(state, server, message->stream, &event, payload, &variant);
	json_decref(payload);
	json_decref(metadata);
}

void
notify_open(struct state *state, const struct message *message, const struct record *record)
{
	notify_track(state, message, record, WEBHOOK_OPEN,
	    !json_is_true(json_object_get(record->json, "FirstOpen")));
}

void
notify_click(
    struct state *state, const struct message *message, const struct record *record, bool first)
{
	if (first)
		notify_track(state, message, record, WEBHOOK_CLICK, false);
}

/* ---- mail that comes in ---- */

bool
notify_inbound(struct state *state, const struct server *server, struct record *record)
{
	json_t *payload;

	if (state->firing == NULL || server_text(server, "InboundHookUrl")[0] == '\0')
		return false;
	payload = event_inbound(record->json,
	    server_flag(server, "RawEmailEnabled") && record->source != NULL ? record->source
									     : NULL);
	json_object_set_new(record->json, "Status", json_string("Queued"));
	firing_add(state->firing, &(struct firing_event){
				      .kind = FIRING_INBOUND,
				      .server = server->id,
				      .message = record->message,
				      .recipient = fields_text(record->json, "OriginalRecipient"),
				      .body = json_dumps(payload, JSON_COMPACT),
				  });
	json_decref(payload);
	return true;
}
