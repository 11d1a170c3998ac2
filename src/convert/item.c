/*
 * JSON.  An item is a head (who gets it, its id) and a tail (what it says).  The tail is the same
 * for all items of a mail: with several items it is written once, as what they share.
 */

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "mail/address.h"
#include "mail/mail.h"
#include "mail/refusal.h"
#include "convert/convert.h"
#include "convert/guard.h"
#include "convert/headers.h"
#include "convert/parts.h"
#include "convert/payload.h"
#include "convert/recipients.h"
#include "convert/template.h"
#include "convert/item.h"

/* The first allocation for a payload. */
#define MOST_EXPECTED ((size_t)256 * 1024)

static void
add_member(struct buf *out, const char *name, const char *value)
{
	json_add_member(out, name, value, strlen(value));
}

static void
add_string(struct buf *out, const char *value)
{
	json_add_string(out, value, strlen(value));
}

static void
add_bool(struct buf *out, const char *name, bool value)
{
	json_add_name(out, name);
	buf_adds(out, value ? "true" : "false");
}

/* --- the tail ------------------------------------------------------------- */

static void
add_headers(struct buf *out, const struct headers *headers)
{
	if (headers->others.count == 0)
		return;
	json_add_name(out, "Headers");
	buf_addc(out, '[');
	for (size_t i = 0; i < headers->others.count; i++) {
		if (i > 0)
			buf_addc(out, ',');
		buf_addc(out, '{');
		add_member(out, "Name", headers->others.pairs[i].name);
		add_member(out, "Value", headers->others.pairs[i].value);
		buf_addc(out, '}');
	}
	buf_addc(out, ']');
}

static void
add_attachments(struct buf *out, const struct parts *parts)
{
	if (parts->attachment_count == 0)
		return;
	json_add_name(out, "Attachments");
	buf_addc(out, '[');
	for (size_t i = 0; i < parts->attachment_count; i++) {
		const struct attachment *attachment = &parts->attachments[i];

		if (i > 0)
			buf_addc(out, ',');
		buf_addc(out, '{');
		add_member(out, "Name", attachment->name);
		add_member(out, "ContentType", attachment->content_type);
		if (attachment->content_id != NULL)
			add_member(out, "ContentID", attachment->content_id);
		json_add_name(out, "Content");
		buf_addc(out, '"');
		/* The alphabet of base64 needs no escapes. */
		attachment_add_base64(attachment, out);
		buf_addc(out, '"');
		buf_addc(out, '}');
	}
	buf_addc(out, ']');
}

static void
add_bodies(struct buf *out, const struct parts *parts)
{
	if (parts->has_text)
		json_add_member(out, "TextBody", parts->text.data, parts->text.len);
	if (parts->has_html)
		json_add_member(out, "HtmlBody", parts->html.data, parts->html.len);
}

/* In place of Subject and bodies, which Postmark refuses beside it (ErrorCode 1123). */
static void
add_template(struct buf *out, const struct template *template)
{
	if (template->id != NULL) {
		json_add_name(out, "TemplateId");
		buf_adds(out, template->id);
	} else {
		add_member(out, "TemplateAlias", template->alias);
	}
	if (template->inline_css >= 0)
		add_bool(out, "InlineCss", template->inline_css > 0);
	/* As it was written: a number with more digits than a double has keeps them. */
	json_add_name(out, "TemplateModel");
	buf_add(out, template->model, template->model_len);
}

static void
add_tail(struct buf *out, const struct item_input *input)
{
	const struct headers *headers = input->headers;
	const struct controls *controls = &headers->controls;

	if (headers->reply_to != NULL)
		add_member(out, "ReplyTo", headers->reply_to);
	if (headers->subject[0] != '\0' && input->template == NULL)
		add_member(out, "Subject", headers->subject);
	if (controls->tag[0] != '\0')
		add_member(out, "Tag", controls->tag);
	if (controls->track_opens >= 0)
		add_bool(out, "TrackOpens", controls->track_opens > 0);
	if (controls->track_links[0] != '\0')
		add_member(out, "TrackLinks", controls->track_links);
	add_headers(out, headers);
	if (input->template != NULL)
		add_template(out, input->template);
	else
		add_bodies(out, input->parts);
	add_attachments(out, input->parts);
	buf_addc(out, '}');
}

/* --- the head ------------------------------------------------------------- */

static char *
list_print(const struct mailbox *const *boxes, size_t count, struct strlist *recipients)
{
	struct buf out;

	buf_init(&out, SIZE_MAX / 4);
	for (size_t i = 0; i < count; i++) {
		mailbox_print(&out, boxes[i]);
		strlist_add(recipients, boxes[i]->address);
	}
	return buf_take(&out, NULL);
}

static void
add_metadata(struct buf *out, const struct headers *headers, const char *id)
{
	json_add_name(out, "Metadata");
	buf_addc(out, '{');
	add_member(out, "relay-id", id);
	for (size_t i = 0; i < headers->controls.metadata.count; i++) {
		const struct header_pair *pair = &headers->controls.metadata.pairs[i];

		/* A header name may hold a quote. */
		buf_addc(out, ',');
		add_string(out, pair->name);
		buf_addc(out, ':');
		add_string(out, pair->value);
	}
	buf_addc(out, '}');
}

static void
add_head(struct buf *out, const struct item_input *input, const struct guard_item *written,
    const char *id)
{
	buf_addc(out, '{');
	add_member(out, "From", input->headers->from);
	add_member(out, "To", written->to);
	if (written->cc[0] != '\0')
		add_member(out, "Cc", written->cc);
	if (written->bcc[0] != '\0')
		add_member(out, "Bcc", written->bcc);
	add_metadata(out, input->headers, id);
	/* Before anything long: a search for this item must name the stream. */
	if (input->headers->controls.message_stream[0] != '\0')
		add_member(out, "MessageStream", input->headers->controls.message_stream);
}

/* --- payloads ------------------------------------------------------------- */

static void
note_size(const struct item_input *input, size_t bytes)
{
	if (bytes > *input->largest_r)
		*input->largest_r = bytes;
}

static int
refuse_size(const struct item_input *input, size_t bytes, struct refusal *refusal_r)
{
	refusal_set(refusal_r, 552, "5.3.4",
	    "the message has %zu bytes as a request to Postmark, with attachments in base64, and "
	    "its limit is %llu",
	    bytes, (unsigned long long)input->options->most_api_bytes);
	return -1;
}

/* Large attachments are spilled as they are written, and bodies that are large are few. */
static size_t
expected_bytes(const struct item_input *input)
{
	return input->content_len < MOST_EXPECTED ? input->content_len + 2048 : MOST_EXPECTED;
}

static int
make_only_item(const struct item_input *input, struct mail *mail, const struct guard_item *written,
    size_t most, struct refusal *refusal_r)
{
	struct buf out;
	char id[ITEM_ID_SIZE];
	size_t bytes;
	int result = -1;

	payload_begin(&out, most, expected_bytes(input));
	item_id(id, mail->id, mail->items[0].number);
	add_head(&out, input, written, id);
	add_tail(&out, input);
	bytes = out.over ? out.most : buf_total(&out);
	note_size(input, bytes);
	if (out.over || bytes > input->options->most_api_bytes)
		refuse_size(input, bytes, refusal_r);
	else
		result = payload_settle(&mail->items[0].payload, &out, refusal_r);
	buf_free(&out);
	return result;
}

static int
make_head(const struct item_input *input, struct mail *mail, const struct guard_item *written,
    size_t number, size_t tail_bytes, struct refusal *refusal_r)
{
	struct item *item = &mail->items[number];
	struct buf out;
	char id[ITEM_ID_SIZE];
	int result = -1;

	buf_init(&out, ITEM_MOST_HEAD_BYTES);
	item_id(id, mail->id, item->number);
	add_head(&out, input, &written[number], id);
	note_size(input, (out.over ? out.most : out.len) + tail_bytes);
	if (out.over || out.len + tail_bytes > input->options->most_api_bytes)
		refuse_size(input, (out.over ? out.most : out.len) + tail_bytes, refusal_r);
	else
		result = payload_settle(&item->payload, &out, refusal_r);
	buf_free(&out);
	return result;
}

static int
make_several_items(const struct item_input *input, struct mail *mail,
    const struct guard_item *written, size_t most, struct refusal *refusal_r)
{
	struct buf tail;
	size_t tail_bytes;
	int result = -1;

	payload_begin(&tail, most, expected_bytes(input));
	buf_addc(&tail, ',');
	add_tail(&tail, input);
	tail_bytes = tail.over ? tail.most : buf_total(&tail);
	note_size(input, tail_bytes);
	if (tail.over || tail_bytes > input->options->most_api_bytes) {
		refuse_size(input, tail_bytes, refusal_r);
		goto free_tail;
	}
	if (payload_settle(&mail->shared, &tail, refusal_r) != 0)
		goto free_tail;
	for (size_t i = 0; i < mail->item_count; i++) {
		if (make_head(input, mail, written, i, tail_bytes, refusal_r) != 0)
			goto free_tail;
	}
	result = 0;

free_tail:
	buf_free(&tail);
	return result;
}

static void
items_begin(const struct item_input *input, struct mail *mail, struct guard_item *written)
{
	for (size_t i = 0; i < mail->item_count; i++) {
		const struct recipients *recipients = &input->split->items[i];
		struct item *item = &mail->items[i];

		item->number = (unsigned)i + 1;
		item->kind = input->template == NULL ? ITEM_EMAIL : ITEM_TEMPLATE;
		payload_init(&item->payload);
		written[i].to = list_print(recipients->to, recipients->to_count, &item->recipients);
		written[i].cc = list_print(recipients->cc, recipients->cc_count, &item->recipients);
		written[i].bcc =
		    list_print(recipients->bcc, recipients->bcc_count, &item->recipients);
	}
}

int
item_make_all(const struct item_input *input, struct mail *mail, struct guard_item **written_r,
    struct refusal *refusal_r)
{
	/* JSON escapes can double a body of quotes, and make six bytes of a control character. */
	size_t most = (size_t)input->options->most_api_bytes * 6 + 1048576;
	size_t count = input->split->item_count;
	struct guard_item *written = mem_array(count, sizeof(*written));

	*written_r = written;
	mail->items = mem_array(count, sizeof(*mail->items));
	mail->item_count = count;
	items_begin(input, mail, written);
	return count == 1 ? make_only_item(input, mail, written, most, refusal_r)
			  : make_several_items(input, mail, written, most, refusal_r);
}

void
item_written_free(struct guard_item **written, size_t count)
{
	if (*written == NULL)
		return;
	for (size_t i = 0; i < count; i++) {
		free((char *)(*written)[i].to);
		free((char *)(*written)[i].cc);
		free((char *)(*written)[i].bcc);
	}
	free(*written);
	*written = NULL;
}
