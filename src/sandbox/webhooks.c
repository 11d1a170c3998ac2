#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

#include "sandbox/fields.h"
#include "sandbox/items.h"
#include "sandbox/server.h"
#include "sandbox/url.h"
#include "sandbox/webhooks.h"

#define MOST_HEADERS      50
#define MOST_HEADER_BYTES 4096

struct webhooks {
	struct items items;
};

/* ---- the list ---- */

static void
webhook_free(void *item)
{
	struct webhook *webhook = item;

	json_decref(webhook->shown);
	free(webhook);
}

struct webhooks *
webhooks_new(void)
{
	return mem_new(sizeof(struct webhooks));
}

void
webhooks_free(struct webhooks **webhooks_p)
{
	struct webhooks *webhooks = *webhooks_p;

	if (webhooks == NULL)
		return;
	items_deinit(&webhooks->items, webhook_free);
	free(webhooks);
	*webhooks_p = NULL;
}

size_t
webhooks_count(const struct webhooks *webhooks)
{
	return webhooks->items.count;
}

struct webhook *
webhooks_at(const struct webhooks *webhooks, size_t index)
{
	return index < webhooks->items.count ? webhooks->items.list[index] : NULL;
}

struct webhook *
webhooks_find(const struct webhooks *webhooks, int64_t id)
{
	return items_find(&webhooks->items, id);
}

static const char *
stream_of(const json_t *shown)
{
	return json_string_value(json_object_get(shown, "MessageStream"));
}

size_t
webhooks_of_stream(const struct webhooks *webhooks, const char *stream)
{
	size_t count = 0;

	for (size_t i = 0; i < webhooks->items.count; i++)
		count += text_same(stream_of(webhooks_at(webhooks, i)->shown), stream);
	return count;
}

struct webhook *
webhooks_add(struct webhooks *webhooks, int64_t id, json_t *shown)
{
	struct webhook *webhook = mem_new(sizeof(*webhook));

	webhook->id = id;
	webhook->shown = shown;
	json_object_set_new(shown, "ID", json_integer((json_int_t)id));
	items_add(&webhooks->items, webhook);
	return webhook;
}

void
webhooks_remove(struct webhooks *webhooks, struct webhook *webhook)
{
	items_remove(&webhooks->items, webhook);
	webhook_free(webhook);
}

/* ---- one of them ---- */

/* Each trigger with the flag that it has besides Enabled. */
static const struct {
	const char *name;
	const char *flag;
} triggers[WEBHOOKS_TRIGGERS] = {
	[WEBHOOK_OPEN] = { "Open", "PostFirstOpenOnly" },
	[WEBHOOK_CLICK] = { "Click", NULL },
	[WEBHOOK_DELIVERY] = { "Delivery", NULL },
	[WEBHOOK_BOUNCE] = { "Bounce", "IncludeContent" },
	[WEBHOOK_SPAM_COMPLAINT] = { "SpamComplaint", "IncludeContent" },
	[WEBHOOK_SUBSCRIPTION_CHANGE] = { "SubscriptionChange", NULL },
};

const char *
webhook_trigger_name(enum webhook_trigger trigger)
{
	return triggers[trigger].name;
}

bool
webhook_enabled(const json_t *shown, enum webhook_trigger trigger)
{
	const json_t *all = json_object_get(shown, "Triggers");

	return fields_flag(json_object_get(all, triggers[trigger].name), "Enabled", false);
}

bool
webhook_flag(const json_t *shown, enum webhook_trigger trigger)
{
	const json_t *all = json_object_get(shown, "Triggers");

	return triggers[trigger].flag != NULL &&
	       fields_flag(
		   json_object_get(all, triggers[trigger].name), triggers[trigger].flag, false);
}

bool
webhook_verified(const json_t *shown)
{
	const char *status = fields_text(shown, "Status");

	return status != NULL && strcmp(status, "verified") == 0;
}

/* The token of RFC 9110 5.6.2. */
static bool
header_name_ok(const char *name)
{
	return name != NULL && strlen(name) <= MOST_HEADER_BYTES &&
	       name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
				 "!#$%&'*+-.^_`|~")] == '\0';
}

static int
check_headers(const json_t *headers, const char **why_r)
{
	size_t i;
	const json_t *one;

	*why_r = "The name or the value of a header is not valid.";
	if (json_array_size(headers) > MOST_HEADERS)
		return 1358;
	json_array_foreach(headers, i, one)
	{
		const char *value = fields_text(one, "Value");

		if (!header_name_ok(fields_text(one, "Name")) ||
		    (value != NULL &&
			(strpbrk(value, "\r\n") != NULL || strlen(value) > MOST_HEADER_BYTES)))
			return 1358;
	}
	return 0;
}

static json_t *
headers_of(const json_t *headers)
{
	json_t *copy = json_array();
	size_t i;
	const json_t *one;

	json_array_foreach(headers, i, one)
	{
		const char *value = fields_text(one, "Value");

		json_array_append_new(
		    copy, json_pack("{s:s, s:s}", "Name", fields_text(one, "Name"), "Value",
			      value != NULL ? value : ""));
	}
	return copy;
}

static json_t *
auth_of(const json_t *auth)
{
	const char *user = fields_text(auth, "Username"), *password = fields_text(auth, "Password");

	return json_pack("{s:s, s:s}", "Username", user != NULL ? user : "", "Password",
	    password != NULL ? password : "");
}

/* The old triggers with what the body says of some; both may be NULL. */
static json_t *
triggers_of(const json_t *old, const json_t *body)
{
	json_t *all = json_object(), *one;

	for (size_t i = 0; i < WEBHOOKS_TRIGGERS; i++) {
		const char *name = triggers[i].name, *flag = triggers[i].flag;
		const json_t *was = json_object_get(old, name), *set = fields_get(body, name);

		one = json_object();
		json_object_set_new(one, "Enabled",
		    json_boolean(fields_flag(set, "Enabled", fields_flag(was, "Enabled", false))));
		if (flag != NULL)
			json_object_set_new(one, flag,
			    json_boolean(fields_flag(set, flag, fields_flag(was, flag, false))));
		json_object_set_new(all, name, one);
	}
	return all;
}

static int
check_triggers(const json_t *body, const char **why_r)
{
	const char *name;
	json_t *one;
	size_t i;

	json_object_foreach((json_t *)body, name, one)
	{
		for (i = 0; i < WEBHOOKS_TRIGGERS && strcmp(triggers[i].name, name) != 0; i++)
			continue;
		if (i == WEBHOOKS_TRIGGERS && fields_flag(one, "Enabled", false)) {
			*why_r = "This stream does not support one of the triggers.";
			return 1353;
		}
	}
	return 0;
}

static int
check_stream(const struct server *server, const char *id, const char **why_r)
{
	const struct message_stream *stream = server_stream(server, id);

	if (stream == NULL) {
		*why_r = "The message stream for the provided 'ID' was not found.";
		return 1226;
	}
	if (stream->archived) {
		*why_r = "The message stream is archived.";
		return 1350;
	}
	if (stream->type == STREAM_TYPE_INBOUND) {
		*why_r = "Inbound streams have no webhooks, use the InboundHookUrl of the server.";
		return 1351;
	}
	return 0;
}

/* What nobody may set, or not any more. */
static int
check_fixed(const json_t *old, const json_t *body, const char **why_r)
{
	const json_t *id = fields_get(body, "ID");
	const char *stream = fields_text(body, "MessageStream");
	const char *status = fields_text(body, "Status"), *was = fields_text(old, "Status");

	if (old == NULL && id != NULL) {
		*why_r = "The 'ID' of a webhook cannot be chosen.";
		return 1356;
	}
	if (old != NULL && ((id != NULL && !json_equal(id, json_object_get(old, "ID"))) ||
			       (stream != NULL && !text_same(stream, stream_of(old))))) {
		*why_r = "The 'ID' and the 'MessageStream' of a webhook cannot be changed.";
		return 1357;
	}
	if (status != NULL && (was == NULL || strcmp(status, was) != 0)) {
		*why_r = "The 'Status' is read-only.";
		return 1363;
	}
	return 0;
}

int
webhook_change(const struct server *server, const json_t *old, const json_t *body, json_t **shown_r,
    const char **why_r)
{
	const json_t *headers = fields_get(body, "HttpHeaders");
	const json_t *auth = fields_get(body, "HttpAuth");
	const json_t *enabled = fields_get(body, "Triggers");
	const char *url = fields_text(body, "Url"), *stream = fields_text(body, "MessageStream");
	json_t *shown;
	int code = check_fixed(old, body, why_r);

	if (code != 0)
		return code;
	if (old != NULL)
		stream = stream_of(old);
	else if (stream == NULL)
		stream = STREAM_OUTBOUND;
	code = check_stream(server, stream, why_r);
	if (code != 0)
		return code;
	if (url == NULL && old != NULL && fields_get(body, "Url") == NULL)
		url = fields_text(old, "Url");
	if (url == NULL || !url_ok(url)) {
		*why_r = "The 'Url' is missing or not valid.";
		return 1354;
	}
	code = check_headers(headers, why_r);
	if (code == 0)
		code = check_triggers(enabled, why_r);
	if (code != 0)
		return code;
	if (old == NULL && webhooks_of_stream(server->webhooks, stream) >= WEBHOOKS_MOST) {
		*why_r = "The message stream has as many webhooks as it may have.";
		return 1359;
	}

	shown = json_pack("{s:O?, s:s, s:s}", "ID", json_object_get(old, "ID"), "Url", url,
	    "MessageStream", server_stream(server, stream)->id);
	json_object_set_new(shown, "HttpAuth",
	    auth != NULL  ? auth_of(auth)
	    : old != NULL ? json_incref(json_object_get(old, "HttpAuth"))
			  : json_null());
	json_object_set_new(shown, "HttpHeaders",
	    headers != NULL ? headers_of(headers)
	    : old != NULL   ? json_incref(json_object_get(old, "HttpHeaders"))
			    : json_array());
	json_object_set_new(
	    shown, "Triggers", triggers_of(json_object_get(old, "Triggers"), enabled));
	json_object_set_new(shown, "Status", json_string("verified"));
	*shown_r = shown;
	return 0;
}
