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
#include "convert/item.h"
#include "convert/parts.h"
#include "convert/recipients.h"

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

/* --- the tail ------------------------------------------------------------- */

static void
add_headers(struct buf *out, const struct headers *headers)
{
	if (headers->other_count == 0)
		return;
	json_add_name(out, "Headers");
	buf_addc(out, '[');
	for (size_t i = 0; i < headers->other_count; i++) {
		if (i > 0)
			buf_addc(out, ',');
		buf_addc(out, '{');
		add_member(out, "Name", headers->others[i].name);
		add_member(out, "Value", headers->others[i].value);
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
add_tail(struct buf *out, const struct item_input *input)
{
	const struct headers *headers = input->headers;
	const struct parts *parts = input->parts;

	if (headers->reply_to != NULL)
		add_member(out, "ReplyTo", headers->reply_to);
	if (headers->subject[0] != '\0')
		add_member(out, "Subject", headers->subject);
	if (headers->tag[0] != '\0')
		add_member(out, "Tag", headers->tag);
	if (headers->track_opens >= 0) {
		json_add_name(out, "TrackOpens");
		buf_adds(out, headers->track_opens > 0 ? "true" : "false");
	}
	if (headers->track_links[0] != '\0')
		add_member(out, "TrackLinks", headers->track_links);
	add_headers(out, headers);
	if (parts->has_text)
		json_add_member(out, "TextBody", parts->text.data, parts->text.len);
	if (parts->has_html)
		json_add_member(out, "HtmlBody", parts->html.data, parts->html.len);
	add_attachments(out, parts);
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
	for (size_t i = 0; i < headers->metadata_count; i++) {
		/* A header name may hold a quote. */
		buf_addc(out, ',');
		add_string(out, headers->metadata[i].name);
		buf_addc(out, ':');
		add_string(out, headers->metadata[i].value);
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
	if (input->headers->message_stream[0] != '\0')
		add_member(out, "MessageStream", input->headers->message_stream);
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

static int
refuse_resources(struct refusal *refusal_r)
{
	refusal_set(refusal_r, 451, "4.3.0", "no file descriptor left for this message");
	return -1;
}

static void
payload_buf_init(struct buf *out, size_t most, size_t expected)
{
	if (expected >= PAYLOAD_LARGE)
		buf_init_shared(out, most, expected);
	else
		buf_init(out, most);
}

/* What is small ends up in memory and what is large in a memfd, whatever was expected. */
static int
payload_settle(struct payload *payload, struct buf *out, size_t most)
{
	if (out->shared != (out->len >= PAYLOAD_LARGE)) {
		struct buf other;

		payload_buf_init(&other, most, out->len);
		buf_add(&other, out->data, out->len);
		buf_free(out);
		*out = other;
		if (out->over)
			return -1;
	}
	payload_init(payload);
	if (!out->shared) {
		payload->data = buf_take(out, &payload->len);
		return 0;
	}
	payload->fd = buf_take_fd(out, &payload->len);
	return payload->fd >= 0 ? 0 : -1;
}

static int
make_only_item(const struct item_input *input, struct mail *mail, const struct guard_item *written,
    size_t most, struct refusal *refusal_r)
{
	struct buf out;
	char id[ITEM_ID_SIZE];
	int result = -1;

	payload_buf_init(&out, most, input->content_len + 2048);
	item_id(id, mail->id, mail->items[0].number);
	add_head(&out, input, written, id);
	add_tail(&out, input);
	note_size(input, out.over ? out.most : out.len);
	if (out.over || out.len > input->options->most_api_bytes)
		refuse_size(input, out.over ? out.most : out.len, refusal_r);
	else if (payload_settle(&mail->items[0].payload, &out, most) != 0)
		refuse_resources(refusal_r);
	else
		result = 0;
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
	else if (payload_settle(&item->payload, &out, ITEM_MOST_HEAD_BYTES) != 0)
		refuse_resources(refusal_r);
	else
		result = 0;
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

	payload_buf_init(&tail, most, input->content_len + 2048);
	buf_addc(&tail, ',');
	add_tail(&tail, input);
	tail_bytes = tail.over ? tail.most : tail.len;
	note_size(input, tail_bytes);
	if (tail.over || tail_bytes > input->options->most_api_bytes) {
		refuse_size(input, tail_bytes, refusal_r);
		goto free_tail;
	}
	if (payload_settle(&mail->shared, &tail, most) != 0) {
		refuse_resources(refusal_r);
		goto free_tail;
	}
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
