#include <stddef.h>
#include <string.h>

#include "sandbox/fields.h"
#include "sandbox/events.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static json_t *
metadata_of(const struct event_about *about)
{
	return about->metadata != NULL ? json_deep_copy(about->metadata) : json_object();
}

/* Those of the keys that from has. */
static void
copy_keys(json_t *to, const json_t *from, const char *const *keys, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		json_t *value = json_object_get(from, keys[i]);

		if (value != NULL)
			json_object_set_new(to, keys[i], json_deep_copy(value));
	}
}

json_t *
event_delivery(
    const struct event_about *about, const char *recipient, const char *details, const char *at)
{
	return json_pack("{s:s, s:s, s:I, s:s, s:s, s:s, s:s, s:s, s:o}", "RecordType", "Delivery",
	    "MessageStream", about->stream, "ServerID", (json_int_t)about->server, "MessageID",
	    about->message, "Recipient", recipient, "Tag", about->tag, "DeliveredAt", at, "Details",
	    details, "Metadata", metadata_of(about));
}

json_t *
event_bounce(const json_t *shown, const char *at, const char *content)
{
	static const char *const keys[] = { "RecordType", "MessageStream", "ID", "Type", "TypeCode",
		"Name", "Tag", "MessageID", "Metadata", "ServerID", "Description", "Details",
		"Email", "From" };
	static const char *const more[] = { "DumpAvailable", "Inactive", "CanActivate", "Subject" };
	json_t *json = json_object();

	copy_keys(json, shown, keys, COUNT(keys));
	json_object_set_new(json, "BouncedAt", json_string(at));
	copy_keys(json, shown, more, COUNT(more));
	if (content != NULL)
		json_object_set_new(json, "Content", json_string(content));
	return json;
}

json_t *
event_track(const json_t *shown, const json_t *metadata, const char *at)
{
	static const char *const keys[] = { "RecordType", "MessageStream", "FirstOpen",
		"ClickLocation", "OriginalLink", "Client", "OS", "Platform", "UserAgent",
		"ReadSeconds", "Geo", "MessageID" };
	static const char *const more[] = { "Tag", "Recipient" };
	json_t *json = json_object();

	copy_keys(json, shown, keys, COUNT(keys));
	json_object_set_new(
	    json, "Metadata", metadata != NULL ? json_deep_copy(metadata) : json_object());
	json_object_set_new(json, "ReceivedAt", json_string(at));
	copy_keys(json, shown, more, COUNT(more));
	return json;
}

json_t *
event_subscription(const struct event_about *about, const struct event_change *change)
{
	return json_pack("{s:s, s:s?, s:I, s:s, s:s, s:s, s:s, s:b, s:s?, s:s?, s:o}", "RecordType",
	    "SubscriptionChange", "MessageID", about->message, "ServerID",
	    (json_int_t)about->server, "MessageStream", about->stream, "ChangedAt", change->at,
	    "Recipient", change->recipient, "Origin", change->origin, "SuppressSending",
	    change->reason != NULL, "SuppressionReason", change->reason, "Tag", about->tag,
	    "Metadata", metadata_of(about));
}

/* Each has all keys. */
static json_t *
attachments_of(const json_t *shown)
{
	json_t *list = json_array(), *one;
	size_t i;

	json_array_foreach(json_object_get(shown, "Attachments"), i, one)
	{
		const char *content = fields_text(one, "Content");
		const char *type = fields_text(one, "ContentType");
		const char *id = fields_text(one, "ContentID");
		size_t len = content != NULL ? strlen(content) : 0, bytes = len / 4 * 3;

		for (size_t end = len; end > 0 && content[end - 1] == '=' && bytes > 0; end--)
			bytes--;
		json_array_append_new(list,
		    json_pack("{s:O, s:s, s:s, s:I, s:s}", "Name", json_object_get(one, "Name"),
			"Content", content != NULL ? content : "", "ContentType",
			type != NULL ? type : "application/octet-stream", "ContentLength",
			(json_int_t)bytes, "ContentID", id != NULL ? id : ""));
	}
	return list;
}

json_t *
event_inbound(const json_t *shown, const char *raw)
{
	static const char *const keys[] = { "FromName", "MessageStream", "From", "FromFull", "To",
		"ToFull", "Cc", "CcFull", "Bcc", "BccFull", "OriginalRecipient", "Subject",
		"MessageID", "ReplyTo", "MailboxHash", "Date", "TextBody", "HtmlBody",
		"StrippedTextReply", "Tag", "Headers" };
	json_t *json = json_object(), *text;

	copy_keys(json, shown, keys, COUNT(keys));
	json_object_set_new(json, "Attachments", attachments_of(shown));
	if (raw != NULL) {
		text = json_string(raw);
		json_object_set_new(json, "RawEmail", text != NULL ? text : json_string(""));
	}
	return json;
}

json_t *
event_probe(const char *kind, const char *stream, int64_t server)
{
	return json_pack("{s:s, s:s, s:I, s:s, s:{}}", "RecordType", kind, "MessageStream", stream,
	    "ServerID", (json_int_t)server, "MessageID", "00000000-0000-0000-0000-000000000000",
	    "Metadata");
}

void
event_spell_server_id(json_t *event)
{
	json_t *id = json_incref(json_object_get(event, "ServerID"));

	if (id == NULL)
		return;
	json_object_del(event, "ServerID");
	json_object_set_new(event, "ServerId", id);
}
