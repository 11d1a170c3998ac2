/* Mails as JSON, see message.h. */

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/ulid.h"
#include "mail/address.h"
#include "mail/mail.h"

#include "control/message.h"

#define MOST_RECIPIENTS     50
#define MOST_BODY_BYTES     5242880
#define MOST_MESSAGE_BYTES  10485760
#define MOST_SUBJECT_UNITS  2000
#define MOST_TAG_UNITS      1000
#define MOST_METADATA       10
#define MOST_METADATA_KEY   20
#define MOST_METADATA_VALUE 80
#define SUBJECT_SHOWN       250

/* Which messages have it. */
enum use {
	IN_EMAIL = 1,
	IN_TEMPLATE = 2,
	IN_BOTH = 3,
};

static const struct member {
	const char *name, *connector; /* the connector's spelling; NULL: it has none */
	json_type type;
	enum use use;
} members[] = {
	{ "From", "fromAddress", JSON_STRING, IN_BOTH },
	{ "To", "toAddress", JSON_STRING, IN_BOTH },
	{ "Cc", "ccAddress", JSON_STRING, IN_BOTH },
	{ "Bcc", "bccAddress", JSON_STRING, IN_BOTH },
	{ "Subject", "subject", JSON_STRING, IN_EMAIL },
	{ "Tag", "tag", JSON_STRING, IN_BOTH },
	{ "HtmlBody", "htmlBody", JSON_STRING, IN_EMAIL },
	{ "TextBody", "textBody", JSON_STRING, IN_EMAIL },
	{ "ReplyTo", "replyTo", JSON_STRING, IN_BOTH },
	{ "Headers", "headers", JSON_ARRAY, IN_BOTH },
	{ "TrackOpens", "trackOpens", JSON_TRUE, IN_BOTH },
	{ "TrackLinks", "trackLinks", JSON_STRING, IN_BOTH },
	{ "Metadata", "metadata", JSON_OBJECT, IN_BOTH },
	{ "Attachments", "attachments", JSON_ARRAY, IN_BOTH },
	{ "MessageStream", "messageStream", JSON_STRING, IN_BOTH },
	{ "TemplateId", "templateId", JSON_INTEGER, IN_TEMPLATE },
	{ "TemplateAlias", "templateAlias", JSON_STRING, IN_TEMPLATE },
	{ "TemplateModel", "templateModel", JSON_OBJECT, IN_TEMPLATE },
	{ "InlineCss", "inlineCss", JSON_TRUE, IN_TEMPLATE },
};
#define MEMBERS (sizeof(members) / sizeof(members[0]))

/* --- reading -------------------------------------------------------------------------------- */

static const struct member *
member_of(const char *name)
{
	for (size_t i = 0; i < MEMBERS; i++)
		if (strcmp(members[i].name, name) == 0 ||
		    (members[i].connector != NULL && strcmp(members[i].connector, name) == 0))
			return &members[i];
	return NULL;
}

static const char *
type_name(json_type type)
{
	switch (type) {
	case JSON_OBJECT:
		return "an object";
	case JSON_ARRAY:
		return "an array";
	case JSON_STRING:
		return "a text";
	case JSON_INTEGER:
	case JSON_REAL:
		return "a number";
	case JSON_TRUE:
	case JSON_FALSE:
		return "true or false";
	case JSON_NULL:
		return "null";
	}
	return "?";
}

static bool
has_type(const json_t *value, json_type type)
{
	return type == JSON_TRUE ? json_is_boolean(value) : json_typeof(value) == type;
}

static void
complain_name(struct buf *why, const char *name)
{
	char shown[80];

	buf_addf(why, "%s", text_safe(shown, sizeof(shown), name, strlen(name)));
}

/* Each element an object whose named members are texts. */
static int
check_objects(const char *what, const json_t *array, const char *const *needed, struct buf *why)
{
	json_t *each;
	size_t index;

	json_array_foreach(array, index, each)
	{
		for (size_t i = 0; needed[i] != NULL; i++) {
			if (json_is_string(json_object_get(each, needed[i])))
				continue;
			buf_addf(why, "%s[%zu] needs %s, a text", what, index, needed[i]);
			return -1;
		}
	}
	return 0;
}

static int
check_metadata(const json_t *metadata, struct buf *why)
{
	const char *key;
	json_t *value;

	if (json_object_size(metadata) > MOST_METADATA - 1) {
		buf_addf(why, "Metadata has %zu entries: Postmark takes %d, one of which is ours",
		    json_object_size(metadata), MOST_METADATA);
		return -1;
	}
	json_object_foreach((json_t *)(uintptr_t)metadata, key, value)
	{
		const char *text = json_string_value(value);

		if (text != NULL && !text_same(key, "relay-id") &&
		    text_utf16_units(key, strlen(key)) <= MOST_METADATA_KEY &&
		    text_utf16_units(text, strlen(text)) <= MOST_METADATA_VALUE)
			continue;
		buf_adds(why, "Metadata ");
		complain_name(why, key);
		buf_addf(why,
		    ": keys have up to %d characters (relay-id is ours), values are texts of up to "
		    "%d",
		    MOST_METADATA_KEY, MOST_METADATA_VALUE);
		return -1;
	}
	return 0;
}

static int
check_inside(const char *name, const json_t *value, struct buf *why)
{
	static const char *const header[] = { "Name", "Value", NULL };
	static const char *const attachment[] = { "Name", "Content", "ContentType", NULL };

	if (strcmp(name, "Headers") == 0)
		return check_objects(name, value, header, why);
	if (strcmp(name, "Attachments") == 0)
		return check_objects(name, value, attachment, why);
	if (strcmp(name, "Metadata") == 0)
		return check_metadata(value, why);
	return 0;
}

json_t *
message_read(const json_t *given, bool template, const char *stream, struct buf *why)
{
	json_t *message = json_object(), *value;
	const char *name;

	if (!json_is_object(given)) {
		buf_adds(why, "a mail is a JSON object");
		goto fail;
	}
	json_object_foreach((json_t *)(uintptr_t)given, name, value)
	{
		const struct member *member = member_of(name);

		if (json_is_null(value) ||
		    (json_is_string(value) && json_string_length(value) == 0))
			continue; /* as Postmark: not there */
		if (member == NULL) {
			buf_adds(why, "Postmark knows no member ");
			complain_name(why, name);
			goto fail;
		}
		if ((member->use & (template ? IN_TEMPLATE : IN_EMAIL)) == 0) {
			buf_addf(why,
			    template ? "%s cannot stand beside a template, which has its own "
				       "(Postmark's "
				       "code 1123)"
				     : "%s is for mails with a template",
			    member->name);
			goto fail;
		}
		if (!has_type(value, member->type)) {
			buf_addf(why, "%s is %s, wanted %s", member->name,
			    type_name(json_typeof(value)), type_name(member->type));
			goto fail;
		}
		if (json_object_get(message, member->name) != NULL) {
			buf_addf(why, "%s is given twice", member->name);
			goto fail;
		}
		if (check_inside(member->name, value, why) != 0)
			goto fail;
		json_object_set(message, member->name, value);
	}
	if (stream != NULL && stream[0] != '\0' &&
	    json_object_get(message, "MessageStream") == NULL)
		json_object_set_new(message, "MessageStream", json_string(stream));
	return message;

fail:
	json_decref(message);
	return NULL;
}

/* --- addresses ------------------------------------------------------------------------------ */

/* The end of the entry that begins at text: its comma, or the end. */
static const char *
entry_end(const char *text)
{
	bool quoted = false;

	for (; *text != '\0'; text++) {
		if (*text == '\\' && quoted && text[1] != '\0')
			text++;
		else if (*text == '"')
			quoted = !quoted;
		else if (*text == ',' && !quoted)
			break;
	}
	return text;
}

static void
trim(const char **from, const char **to)
{
	while (*from < *to && strchr(" \t", **from) != NULL)
		++*from;
	while (*to > *from && strchr(" \t", (*to)[-1]) != NULL)
		--*to;
}

/* What is within the angle brackets at the end, if it ends in them. */
static void
address_part(const char **from, const char **to)
{
	const char *open;

	if (*to == *from || (*to)[-1] != '>')
		return;
	open = memrchr(*from, '<', (size_t)(*to - *from));
	if (open == NULL)
		return;
	*from = open + 1;
	--*to;
	trim(from, to);
}

int
message_addresses(const char *field, const char *text, struct strlist *list, struct buf *why)
{
	while (*text != '\0') {
		const char *end = entry_end(text), *from = text, *to = end;
		char address[ADDRESS_SIZE], shown[128];
		enum address_fault fault;

		trim(&from, &to);
		address_part(&from, &to);
		if (from < to) {
			fault = address_canonical(from, (size_t)(to - from), address);
			if (fault != ADDRESS_OK) {
				buf_addf(why, "%s: \"%s\": %s", field,
				    text_safe(shown, sizeof(shown), from, (size_t)(to - from)),
				    address_fault_text(fault));
				return -1;
			}
			if (!strlist_has(list, address))
				strlist_add(list, address);
		}
		text = *end == ',' ? end + 1 : end;
	}
	return 0;
}

/* --- the mail ------------------------------------------------------------------------------- */

static const char *
text_of(const json_t *message, const char *name)
{
	const char *text = json_string_value(json_object_get(message, name));

	return text != NULL ? text : "";
}

static bool
has_control(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < ' ' && *text != '\t')
			return true;
	return false;
}

static int
check_sizes(const json_t *message, struct buf *why)
{
	static const struct {
		const char *name;
		size_t most;
		bool units; /* UTF-16 units, not bytes */
	} limits[] = { { "Subject", MOST_SUBJECT_UNITS, true }, { "Tag", MOST_TAG_UNITS, true },
		{ "TextBody", MOST_BODY_BYTES, false }, { "HtmlBody", MOST_BODY_BYTES, false } };

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		const char *text = text_of(message, limits[i].name);
		size_t size = limits[i].units ? text_utf16_units(text, strlen(text)) : strlen(text);

		if (size > limits[i].most) {
			buf_addf(why, "%s has %zu %s, Postmark takes %zu", limits[i].name, size,
			    limits[i].units ? "characters" : "bytes", limits[i].most);
			return -1;
		}
		if (limits[i].units && has_control(text)) {
			buf_addf(why, "%s has a control character", limits[i].name);
			return -1;
		}
	}
	return 0;
}

static int
check_parts(const json_t *message, bool template, struct buf *why)
{
	if (text_of(message, "From")[0] == '\0') {
		buf_adds(why, "From is missing");
		return -1;
	}
	if (template && json_object_get(message, "TemplateId") == NULL &&
	    text_of(message, "TemplateAlias")[0] == '\0') {
		buf_adds(why, "TemplateId or TemplateAlias is missing");
		return -1;
	}
	if (template && json_object_get(message, "TemplateModel") == NULL) {
		buf_adds(why, "TemplateModel is missing; {} is one");
		return -1;
	}
	if (!template && text_of(message, "TextBody")[0] == '\0' &&
	    text_of(message, "HtmlBody")[0] == '\0') {
		buf_adds(why, "TextBody and HtmlBody are both missing");
		return -1;
	}
	return check_sizes(message, why);
}

static int
read_recipients(const json_t *message, struct strlist *list, struct buf *why)
{
	static const char *const fields[] = { "To", "Cc", "Bcc" };

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (message_addresses(fields[i], text_of(message, fields[i]), list, why) != 0)
			return -1;
	if (text_of(message, "To")[0] == '\0' || list->count == 0) {
		buf_adds(why, "To is missing: Postmark wants one recipient there");
		return -1;
	}
	if (list->count > MOST_RECIPIENTS) {
		buf_addf(why, "%zu recipients in To, Cc and Bcc together, Postmark takes %d",
		    list->count, MOST_RECIPIENTS);
		return -1;
	}
	return 0;
}

/* What people see of it, cut at a character. */
static char *
shown_subject(const char *subject)
{
	size_t len = 0;

	while (subject[len] != '\0') {
		size_t step = text_utf8_len(subject + len, strlen(subject + len));

		if (len + step > SUBJECT_SHOWN || step == 0)
			break;
		len += step;
	}
	return mem_bytes(subject, len);
}

static char *
header_of(const json_t *message, const char *name)
{
	json_t *each;
	size_t index;

	json_array_foreach(json_object_get(message, "Headers"), index,
	    each) if (text_same(text_of(each, "Name"), name)) return mem_string(text_of(each,
	    "Value"));
	return mem_string("");
}

struct mail *
message_mail(const json_t *message, bool template, const char *route, const char *client,
    int64_t now_ms, struct buf *why)
{
	struct strlist recipients = { 0 };
	struct mail *mail = NULL;
	json_t *whole, *metadata;
	char id[ITEM_ID_SIZE], *text;
	size_t len;

	if (check_parts(message, template, why) != 0 ||
	    read_recipients(message, &recipients, why) != 0)
		goto fail;
	mail = mail_new();
	ulid_make(mail->id, now_ms);
	item_id(id, mail->id, 1);
	whole = json_copy((json_t *)(uintptr_t)message);
	metadata = json_object();
	json_object_set_new(metadata, "relay-id", json_string(id));
	json_object_update(metadata, json_object_get(message, "Metadata"));
	json_object_set_new(whole, "Metadata", metadata);
	text = json_dumps(whole, JSON_COMPACT);
	json_decref(whole);
	len = strlen(text);
	if (len > MOST_MESSAGE_BYTES) {
		buf_addf(why, "the message has %zu bytes as JSON, Postmark takes %d", len,
		    MOST_MESSAGE_BYTES);
		free(text);
		goto fail;
	}
	mail->accepted_ms = now_ms;
	mail->reverse_path = mem_string("");
	mail->route = mem_string(route);
	mail->listener = mem_string("control");
	mail->client = mem_string(client);
	mail->helo = mem_string("");
	mail->message_id = header_of(message, "Message-ID");
	mail->from = mem_string(text_of(message, "From"));
	mail->subject = shown_subject(text_of(message, "Subject"));
	mail->ledger = mem_string("");
	mail->content_bytes = len;
	mail->items = mem_new(sizeof(*mail->items));
	mail->item_count = 1;
	mail->items[0].number = 1;
	mail->items[0].kind = template ? ITEM_TEMPLATE : ITEM_EMAIL;
	mail->items[0].recipients = recipients;
	payload_init(&mail->items[0].payload);
	mail->items[0].payload.data = text;
	mail->items[0].payload.len = len;
	return mail;

fail:
	mail_free(&mail);
	strlist_free(&recipients);
	return NULL;
}
