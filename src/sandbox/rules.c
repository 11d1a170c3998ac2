/*
 * One message against Postmark's rules.  Each check stands in its own function, and rules_judge()
 * calls them in the order in which refusals take precedence.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/mem.h"
#include "base/text.h"

#include "sandbox/rules_inside.h"
#include "sandbox/rules.h"

static const char *const forbidden_extensions[] = { "vbs", "exe", "bin", "bat", "chm", "com", "cpl",
	"crt", "hlp", "hta", "inf", "ins", "isp", "jse", "lnk", "mdb", "pcd", "pif", "reg", "scr",
	"sct", "shs", "vbe", "vba", "wsf", "wsh", "wsl", "msc", "msi", "msp", "mst" };

/* Those seen refused, and those that the vendor's own client never passes on. */
static const char *const forbidden_headers[] = { "Reply-To", "Date", "Content-Type", "Return-Path",
	"X-PM-RCPT", "From", "Sender", "Received", "Cc", "Bcc", "Subject", "Tag", "Attachment",
	"To", "Track-Opens", "Track-Links", "Postmark-Template-Alias", "Message-Stream" };

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- field types: code 403 ---- */

/* The text of an optional string; an absent one and null are "". */
static const char *
string_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "";
}

static bool
absent(const json_t *value)
{
	return value == NULL || json_is_null(value);
}

static bool
is_string_or_absent(const json_t *value)
{
	return absent(value) || json_is_string(value);
}

static bool
headers_well_formed(const json_t *headers)
{
	size_t i;
	const json_t *header;

	if (absent(headers))
		return true;
	if (!json_is_array(headers))
		return false;
	json_array_foreach(headers, i, header)
	{
		if (!json_is_object(header) || !json_is_string(json_object_get(header, "Name")) ||
		    !json_is_string(json_object_get(header, "Value")))
			return false;
	}
	return true;
}

static bool
metadata_well_formed(json_t *metadata)
{
	const char *key;
	json_t *value;

	if (absent(metadata))
		return true;
	if (!json_is_object(metadata))
		return false;
	json_object_foreach(metadata, key, value)
	{
		if (!json_is_string(value))
			return false;
	}
	return true;
}

static bool
attachments_well_formed(const json_t *attachments)
{
	size_t i;
	const json_t *one;

	if (absent(attachments))
		return true;
	if (!json_is_array(attachments))
		return false;
	json_array_foreach(attachments, i, one)
	{
		if (!json_is_object(one) || !is_string_or_absent(json_object_get(one, "Name")) ||
		    !is_string_or_absent(json_object_get(one, "Content")) ||
		    !is_string_or_absent(json_object_get(one, "ContentType")) ||
		    !is_string_or_absent(json_object_get(one, "ContentID")))
			return false;
	}
	return true;
}

static bool
track_links_well_formed(const json_t *value)
{
	static const char *const known[] = { "None", "HtmlAndText", "HtmlOnly", "TextOnly" };

	if (absent(value))
		return true;
	for (size_t i = 0; json_is_string(value) && i < COUNT(known); i++) {
		if (strcmp(json_string_value(value), known[i]) == 0)
			return true;
	}
	return false;
}

static int
check_types(const json_t *message, struct rules_refusal *refusal)
{
	static const char *const strings[] = { "From", "To", "Cc", "Bcc", "Subject", "Tag",
		"HtmlBody", "TextBody", "ReplyTo", "MessageStream" };
	struct strlist wrong = { 0 };
	char *text;
	int rc = 0;

	for (size_t i = 0; i < COUNT(strings); i++) {
		if (!is_string_or_absent(json_object_get(message, strings[i])))
			strlist_add(&wrong, strings[i]);
	}
	if (!headers_well_formed(json_object_get(message, "Headers")))
		strlist_add(&wrong, "Headers");
	if (!absent(json_object_get(message, "TrackOpens")) &&
	    !json_is_boolean(json_object_get(message, "TrackOpens")))
		strlist_add(&wrong, "TrackOpens");
	if (!track_links_well_formed(json_object_get(message, "TrackLinks")))
		strlist_add(&wrong, "TrackLinks");
	if (!metadata_well_formed(json_object_get(message, "Metadata")))
		strlist_add(&wrong, "Metadata");
	if (!attachments_well_formed(json_object_get(message, "Attachments")))
		strlist_add(&wrong, "Attachments");
	if (wrong.count > 0) {
		text = mem_string("Invalid request field(s):");
		for (size_t i = 0; i < wrong.count; i++) {
			char *longer =
			    mem_format("%s%s '%s'", text, i == 0 ? "" : ",", wrong.items[i]);

			free(text);
			text = longer;
		}
		rc = rules_refuse(refusal, 403, "%s.", text);
		free(text);
	}
	strlist_free(&wrong);
	return rc;
}

/* ---- streams: codes 1235 and 1236 ---- */

static enum rules_stream
usual_stream(const char *id)
{
	if (strcmp(id, "outbound") == 0 || strcmp(id, "broadcast") == 0)
		return RULES_STREAM_SENDS;
	return strcmp(id, "inbound") == 0 ? RULES_STREAM_INBOUND : RULES_STREAM_UNKNOWN;
}

static int
check_stream(
    struct rules_message *message, const struct rules_params *params, struct rules_refusal *refusal)
{
	enum rules_stream kind;
	char *name;

	if (message->stream[0] == '\0')
		message->stream = "outbound";
	kind = params->stream != NULL ? params->stream(params->ctx, message->stream)
				      : usual_stream(message->stream);
	if (kind == RULES_STREAM_SENDS)
		return 0;
	name = rules_echo(message->stream, strlen(message->stream));
	if (kind == RULES_STREAM_INBOUND)
		(void)rules_refuse(refusal, 1236,
		    "The stream provided: '%s' does not support sending messages.", name);
	else
		(void)rules_refuse(refusal, 1235,
		    "The stream provided: '%s' does not exist on this server.", name);
	free(name);
	return -1;
}

/* ---- mailboxes: code 300 ---- */

static int
check_from(const char *from, struct rules_message *message, struct rules_refusal *refusal)
{
	struct rules_mailboxes one;
	char *shown;
	int rc = 0;

	if (rules_mailboxes_parse("From", from, &one, refusal) != 0)
		return -1;
	if (one.addresses.count == 0) {
		rc = rules_refuse(refusal, 300, "Invalid 'From' value.");
	} else if (one.addresses.count > 1) {
		shown = rules_echo(from, strlen(from));
		rc = rules_refuse(refusal, 300, "Invalid 'From' address: '%s'.", shown);
		free(shown);
	} else {
		message->from = mem_string(one.addresses.items[0]);
	}
	rules_mailboxes_deinit(&one);
	return rc;
}

static int
check_recipients(const json_t *json, struct rules_message *message, struct rules_refusal *refusal)
{
	static const char *const fields[RULES_FIELDS] = { "To", "Cc", "Bcc" };
	struct rules_mailboxes reply_to;

	for (int i = 0; i < RULES_FIELDS; i++) {
		if (rules_mailboxes_parse(
			fields[i], string_of(json, fields[i]), &message->lists[i], refusal) != 0)
			return -1;
	}
	if (rules_mailboxes_parse("Reply-To", string_of(json, "ReplyTo"), &reply_to, refusal) != 0)
		return -1;
	rules_mailboxes_deinit(&reply_to);
	return 0;
}

static int
check_recipient_count(const struct rules_message *message, const struct rules_params *params,
    struct rules_refusal *refusal)
{
	size_t count = 0;

	for (int i = 0; i < RULES_FIELDS; i++)
		count += message->lists[i].addresses.count;
	if (params->recipients > 0)
		count = params->recipients;
	if (count == 0 || (message->lists[RULES_TO].addresses.count == 0 && !params->to_optional))
		return rules_refuse(refusal, 300, "Zero recipients specified");
	if (count > RULES_MOST_RECIPIENTS)
		return rules_refuse(refusal, 300,
		    "Too many recipients: a message may have up to %d in To, Cc and Bcc together, "
		    "this one has %zu.",
		    RULES_MOST_RECIPIENTS, count);
	return 0;
}

/* ---- lengths and metadata: code 300 ---- */

static size_t
utf16_units(const char *text)
{
	return text_utf16_units(text, strlen(text));
}

static bool
one_line(const char *text)
{
	return strpbrk(text, "\r\n") == NULL;
}

static int
check_lengths(
    const json_t *json, const struct rules_message *message, struct rules_refusal *refusal)
{
	if (utf16_units(string_of(json, "From")) > RULES_MOST_FROM_UNITS)
		return rules_refuse(
		    refusal, 300, "'From' is limited to %d characters.", RULES_MOST_FROM_UNITS);
	if (utf16_units(message->subject) > RULES_MOST_SUBJECT_UNITS)
		return rules_refuse(refusal, 300, "'Subject' is limited to %d characters.",
		    RULES_MOST_SUBJECT_UNITS);
	if (!one_line(message->subject))
		return rules_refuse(refusal, 300, "Invalid 'Subject' value.");
	if (utf16_units(message->tag) > RULES_MOST_TAG_UNITS)
		return rules_refuse(
		    refusal, 300, "'Tag' is limited to %d characters.", RULES_MOST_TAG_UNITS);
	if (!one_line(message->tag))
		return rules_refuse(refusal, 300, "Invalid 'Tag' value.");
	if (strlen(message->html_body) > RULES_MOST_BODY_BYTES)
		return rules_refuse(
		    refusal, 300, "'HtmlBody' is limited to %d bytes.", RULES_MOST_BODY_BYTES);
	if (strlen(message->text_body) > RULES_MOST_BODY_BYTES)
		return rules_refuse(
		    refusal, 300, "'TextBody' is limited to %d bytes.", RULES_MOST_BODY_BYTES);
	return 0;
}

static int
check_metadata(json_t *metadata, struct rules_refusal *refusal)
{
	const char *key, *other;
	json_t *value, *other_value;
	bool ok = metadata == NULL || json_object_size(metadata) <= RULES_MOST_METADATA;

	json_object_foreach(metadata, key, value)
	{
		if (!ok)
			break;
		ok = key[0] != '\0' && utf16_units(key) <= RULES_MOST_METADATA_KEY &&
		     utf16_units(json_string_value(value)) <= RULES_MOST_METADATA_VALUE;
		json_object_foreach(metadata, other, other_value)
		{
			if (other != key && text_same(other, key))
				ok = false;
		}
	}
	if (ok)
		return 0;
	return rules_refuse(refusal, 300,
	    "Invalid metadata content. Field names are limited to %d characters, and values are "
	    "limited to %d characters. There may be up to %d fields, whose names differ in more "
	    "than case.",
	    RULES_MOST_METADATA_KEY, RULES_MOST_METADATA_VALUE, RULES_MOST_METADATA);
}

/* ---- headers: code 300 ---- */

bool
rules_header_forbidden(const char *name)
{
	for (size_t i = 0; i < COUNT(forbidden_headers); i++) {
		if (text_same(name, forbidden_headers[i]))
			return true;
	}
	return false;
}

static bool
header_name_ok(const char *name)
{
	for (const char *c = name; *c != '\0'; c++) {
		if (*c <= ' ' || *c >= 0x7f || *c == ':')
			return false;
	}
	return name[0] != '\0';
}

static int
check_headers(const json_t *headers, struct rules_message *message, struct rules_refusal *refusal)
{
	size_t i;
	const json_t *header;
	const char *name, *value;
	char *shown;
	int rc = 0;

	json_array_foreach(headers, i, header)
	{
		name = string_of(header, "Name");
		value = string_of(header, "Value");
		if (text_same(name, "X-PM-Bounce-Type"))
			message->bounce_type = value;
		shown = rules_echo(name, strlen(name));
		if (rules_header_forbidden(name))
			rc = rules_refuse(refusal, 300, "Header '%s' not allowed.", shown);
		else if (!header_name_ok(name))
			rc = rules_refuse(refusal, 300, "Invalid header name '%s'.", shown);
		else if (!one_line(value))
			rc = rules_refuse(refusal, 300, "Invalid value of header '%s'.", shown);
		free(shown);
		if (rc != 0)
			break;
	}
	return rc;
}

/* ---- attachments: codes 411 and 300 ---- */

bool
rules_extension_forbidden(const char *file_name)
{
	const char *dot = strrchr(file_name, '.');

	for (size_t i = 0; dot != NULL && i < COUNT(forbidden_extensions); i++) {
		if (text_same(dot + 1, forbidden_extensions[i]))
			return true;
	}
	return false;
}

/* type/subtype, then anything that keeps to its line */
static bool
content_type_ok(const char *text)
{
	size_t type = strcspn(text, "/;, \t");
	size_t subtype;

	if (type == 0 || text[type] != '/' || !one_line(text))
		return false;
	subtype = strcspn(text + type + 1, "/;, \t");
	text += type + 1 + subtype;
	return subtype > 0 && text[strspn(text, " \t")] != '/' &&
	       (text[strspn(text, " \t")] == '\0' || text[strspn(text, " \t")] == ';');
}

static int
check_attachment(const json_t *one, struct rules_refusal *refusal)
{
	const char *name = string_of(one, "Name");
	const json_t *content = json_object_get(one, "Content");
	const char *content_id = string_of(one, "ContentID");
	char *shown = rules_echo(name, strlen(name));
	int rc = 0;

	if (name[0] == '\0' || !one_line(name))
		rc = rules_refuse(
		    refusal, 300, "Invalid attachment: 'Name' is missing or not valid.");
	else if (rules_extension_forbidden(name))
		rc = rules_refuse(refusal, 411,
		    "The attachment '%s' is of a type that is not allowed to be sent.", shown);
	else if (absent(content) ||
		 !base64_is_right(json_string_value(content), json_string_length(content)))
		rc = rules_refuse(refusal, 300,
		    "Invalid attachment '%s': 'Content' is missing or not base64.", shown);
	else if (!content_type_ok(string_of(one, "ContentType")))
		rc = rules_refuse(refusal, 300,
		    "Invalid attachment '%s': 'ContentType' is missing or not valid.", shown);
	else if (content_id[0] != '\0' && (strncmp(content_id, "cid:", 4) != 0 ||
					      content_id[4] == '\0' || !one_line(content_id)))
		rc = rules_refuse(
		    refusal, 300, "Invalid attachment '%s': 'ContentID' is not valid.", shown);
	free(shown);
	return rc;
}

static int
check_attachments(
    const json_t *attachments, struct rules_message *message, struct rules_refusal *refusal)
{
	size_t i;
	const json_t *one;

	json_array_foreach(attachments, i, one)
	{
		if (check_attachment(one, refusal) != 0)
			return -1;
		message->attachment_bytes += json_string_length(json_object_get(one, "Content"));
	}
	message->bytes =
	    message->attachment_bytes + strlen(message->text_body) + strlen(message->html_body);
	if (message->bytes >= RULES_MOST_MESSAGE_BYTES)
		return rules_refuse(refusal, 300,
		    "Attachments too big. The total size should be less than %d bytes.",
		    RULES_MOST_MESSAGE_BYTES);
	return 0;
}

/* ---- sender: code 400 ---- */

int
rules_refuse_sender(const char *from, struct rules_refusal *refusal)
{
	memset(refusal, 0, sizeof(*refusal));
	return rules_refuse(refusal, 400,
	    "The 'From' address you supplied (%s) is not a Sender Signature on your account. "
	    "Please add and confirm this address in order to be able to use it in the 'From' field "
	    "of your messages.",
	    from);
}

int
rules_judge(const json_t *json, const struct rules_params *params, struct rules_message *message_r,
    struct rules_refusal *refusal_r)
{
	struct rules_message *message = message_r;
	json_t *metadata = json_object_get(json, "Metadata");

	memset(message, 0, sizeof(*message));
	memset(refusal_r, 0, sizeof(*refusal_r));
	if (check_types(json, refusal_r) != 0)
		goto refused;
	message->stream = string_of(json, "MessageStream");
	message->subject = string_of(json, "Subject");
	message->tag = string_of(json, "Tag");
	message->text_body = string_of(json, "TextBody");
	message->html_body = string_of(json, "HtmlBody");
	message->metadata = absent(metadata) ? NULL : metadata;

	if (check_stream(message, params, refusal_r) != 0 ||
	    check_from(string_of(json, "From"), message, refusal_r) != 0 ||
	    check_recipients(json, message, refusal_r) != 0 ||
	    check_recipient_count(message, params, refusal_r) != 0)
		goto refused;
	if (!params->body_optional && message->text_body[0] == '\0' &&
	    message->html_body[0] == '\0') {
		(void)rules_refuse(
		    refusal_r, 300, "Provide either email TextBody or HtmlBody or both.");
		goto refused;
	}
	if (check_lengths(json, message, refusal_r) != 0 ||
	    (message->metadata != NULL && check_metadata(metadata, refusal_r) != 0) ||
	    check_headers(json_object_get(json, "Headers"), message, refusal_r) != 0 ||
	    check_attachments(json_object_get(json, "Attachments"), message, refusal_r) != 0)
		goto refused;
	if (message->lists[RULES_TO].addresses.count > 0)
		message->to = string_of(json, "To");
	return 0;

refused:
	rules_message_deinit(message);
	return -1;
}

void
rules_message_deinit(struct rules_message *message)
{
	free(message->from);
	for (int i = 0; i < RULES_FIELDS; i++)
		rules_mailboxes_deinit(&message->lists[i]);
	memset(message, 0, sizeof(*message));
}
