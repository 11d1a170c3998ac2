/*
 * Base64, by itself and as files and attachments.
 */

#include <string.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/text.h"

#include "operations/kinds_inside.h"

/* ---- base64 ------------------------------------------------------------------------------ */

static bool
value_is_base64(const json_t *value)
{
	return json_is_string(value) &&
	       base64_is_right(json_string_value(value), json_string_length(value));
}

json_t *
kind_check_bytes(const struct argument *argument, const json_t *value, struct buf *why)
{
	if (!json_is_string(value))
		return kind_wrong(why, argument, "found %s, wanted a text with base64",
		    json_is_object(value) ? "an object" : "something else");
	if (!value_is_base64(value))
		return kind_wrong(why, argument,
		    "no good base64: it has padding, and no line breaks (base64 -w0)");
	return json_string(json_string_value(value));
}

/* ---- files ------------------------------------------------------------------------------- */

static const struct type {
	const char *extension, *type;
} types[] = {
	{ "csv", "text/csv" },
	{ "doc", "application/msword" },
	{ "docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document" },
	{ "eml", "message/rfc822" },
	{ "gif", "image/gif" },
	{ "gz", "application/gzip" },
	{ "htm", "text/html" },
	{ "html", "text/html" },
	{ "ics", "text/calendar" },
	{ "jpeg", "image/jpeg" },
	{ "jpg", "image/jpeg" },
	{ "json", "application/json" },
	{ "log", "text/plain" },
	{ "md", "text/markdown" },
	{ "odt", "application/vnd.oasis.opendocument.text" },
	{ "pdf", "application/pdf" },
	{ "png", "image/png" },
	{ "ppt", "application/vnd.ms-powerpoint" },
	{ "pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation" },
	{ "svg", "image/svg+xml" },
	{ "txt", "text/plain" },
	{ "webp", "image/webp" },
	{ "xls", "application/vnd.ms-excel" },
	{ "xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" },
	{ "xml", "application/xml" },
	{ "zip", "application/zip" },
};

static const char *
type_of_name(const char *name)
{
	const char *dot = strrchr(name, '.');

	for (size_t i = 0; dot != NULL && i < sizeof(types) / sizeof(types[0]); i++)
		if (text_same(dot + 1, types[i].extension))
			return types[i].type;
	return "application/octet-stream";
}

static json_t *
wrong_file(struct buf *why, const struct argument *argument, const char *name)
{
	char safe[KIND_QUOTE_SIZE];

	return kind_wrong(why, argument,
	    "\"%s\" has no good base64: it has padding, and no line breaks (base64 -w0)",
	    text_safe(safe, sizeof(safe), name, strlen(name)));
}

json_t *
kind_check_files(const struct argument *argument, const json_t *value, struct buf *why)
{
	json_t *content;
	const char *name;

	if (!json_is_object(value))
		return kind_wrong_value(why, argument, value);
	json_object_foreach((json_t *)value, name, content)
	{
		if (*name == '\0')
			return kind_wrong(why, argument, "a file has no name");
		if (!value_is_base64(content))
			return wrong_file(why, argument, name);
	}
	return json_copy((json_t *)value);
}

static json_t *
attachment_of(const struct argument *argument, const char *name, json_t *content, const char *type,
    json_t *content_id, struct buf *why)
{
	json_t *attachment;

	if (name == NULL || *name == '\0')
		return kind_wrong(why, argument, "an attachment has no Name");
	if (!value_is_base64(content))
		return wrong_file(why, argument, name);
	if (content_id != NULL && !json_is_null(content_id) && kind_plain_text(content_id) == NULL)
		return kind_wrong(why, argument, "a ContentID is no text");
	if (type == NULL || *type == '\0')
		type = type_of_name(name);
	if (!kind_is_one_line(type) || !kind_is_one_line(name))
		return kind_wrong(why, argument, "a Name or ContentType has more than one line");
	attachment =
	    json_pack("{s:s, s:O, s:s}", "Name", name, "Content", content, "ContentType", type);
	if (content_id != NULL && !json_is_null(content_id))
		json_object_set(attachment, "ContentID", content_id);
	return attachment;
}

json_t *
kind_check_attachments(const struct argument *argument, const json_t *value, struct buf *why)
{
	json_t *attachments = json_array(), *attachment, *item;
	const char *name;
	size_t i;

	if (json_is_object(value)) {
		json_object_foreach((json_t *)value, name, item)
		{
			attachment = attachment_of(argument, name, item, NULL, NULL, why);
			if (attachment == NULL)
				goto failed;
			json_array_append_new(attachments, attachment);
		}
		return attachments;
	}
	if (!json_is_array(value)) {
		kind_wrong_value(why, argument, value);
		goto failed;
	}
	json_array_foreach(value, i, item)
	{
		json_t *type = kind_either(item, "ContentType", "contentType");

		if (type != NULL && !json_is_null(type) && kind_plain_text(type) == NULL) {
			kind_wrong(why, argument, "a ContentType is no text");
			goto failed;
		}
		attachment =
		    attachment_of(argument, kind_plain_text(kind_either(item, "Name", "name")),
			kind_either(item, "Content", "content"), kind_plain_text(type),
			kind_either(item, "ContentID", "contentId"), why);
		if (attachment == NULL)
			goto failed;
		json_array_append_new(attachments, attachment);
	}
	return attachments;

failed:
	json_decref(attachments);
	return NULL;
}
