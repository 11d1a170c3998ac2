#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/mem.h"
#include "mail/address.h"
#include "mail/mime.h"

#include "sandbox/mail_json.h"

#define MOST_TEXT ((size_t)64 * 1024 * 1024)

json_t *
mail_json_text(const char *text)
{
	json_t *json = json_string(text);

	return json != NULL ? json : json_string("");
}

void
mail_json_mailboxes(json_t *message, const char *key, const struct mime_field *field)
{
	const char *before = json_string_value(json_object_get(message, key));
	struct mailbox_list list;
	struct buf out;

	mailbox_list_parse(&list, field->value, field->value_len);
	buf_init(&out, MOST_TEXT);
	if (before != NULL)
		buf_adds(&out, before);
	for (size_t i = 0; i < list.count; i++)
		mailbox_print(&out, &list.boxes[i]);
	if (out.len > 0)
		json_object_set_new(message, key, mail_json_text(out.data));
	buf_free(&out);
	mailbox_list_free(&list);
}

/* ---- the body ---- */

/* Several texts of one type, as Postmark shows them: one after the other. */
static void
add_body(json_t *message, const char *key, const struct mime_part *part)
{
	const char *before = json_string_value(json_object_get(message, key));
	struct buf out;

	buf_init(&out, MOST_TEXT);
	if (before != NULL) {
		buf_adds(&out, before);
		buf_addc(&out, '\n');
	}
	(void)mime_part_text(part, &out);
	json_object_set_new(message, key, json_stringn(out.data != NULL ? out.data : "", out.len));
	buf_free(&out);
}

static char *
attachment_name(const struct mime_part *part, size_t number)
{
	char *name = mime_part_file_name(part);

	if (name != NULL && name[0] != '\0')
		return name;
	free(name);
	if (strcmp(part->type, "text/calendar") == 0)
		return mem_string("invite.ics");
	if (part->kind == MIME_MESSAGE)
		return mem_format("message-%zu.eml", number);
	return mem_format("attachment-%zu", number);
}

static void
add_attachment(json_t *message, const struct mime_part *part)
{
	json_t *list = json_object_get(message, "Attachments"), *one;
	struct buf bytes;
	char *name, *content, *id;

	if (list == NULL) {
		list = json_array();
		json_object_set_new(message, "Attachments", list);
	}
	buf_init(&bytes, MOST_TEXT);
	mime_part_decode(part, &bytes);
	content = base64_encode(bytes.data != NULL ? bytes.data : "", bytes.len);
	name = attachment_name(part, json_array_size(list) + 1);
	one = json_pack("{s:o, s:s, s:s}", "Name", mail_json_text(name), "Content", content,
	    "ContentType", part->type);
	if (part->content_id != NULL && part->content_id[0] != '\0') {
		id = mem_format("cid:%s", part->content_id);
		json_object_set_new(one, "ContentID", mail_json_text(id));
		free(id);
	}
	json_array_append_new(list, one);
	free(name);
	free(content);
	buf_free(&bytes);
}

static bool
is_body(const struct mime_part *part)
{
	char *name;
	bool has_name;

	if (part->kind != MIME_LEAF || mime_part_is_attachment(part))
		return false;
	name = mime_part_file_name(part);
	has_name = name != NULL && name[0] != '\0';
	free(name);
	return !has_name &&
	       (strcmp(part->type, "text/plain") == 0 || strcmp(part->type, "text/html") == 0);
}

void
mail_json_parts(json_t *message, const struct mime *mime)
{
	for (size_t i = 0; i < mime->part_count; i++) {
		const struct mime_part *part = &mime->parts[i];

		if (part->kind == MIME_MULTIPART)
			continue;
		if (is_body(part))
			add_body(message,
			    strcmp(part->type, "text/html") == 0 ? "HtmlBody" : "TextBody", part);
		else
			add_attachment(message, part);
	}
}
