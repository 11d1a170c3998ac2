/* A mail that stays as it is, for Postmark's SMTP service. */

#include <glib.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "mail/envelope.h"
#include "mail/mail.h"
#include "mail/mime.h"
#include "mail/refusal.h"
#include "convert/controls.h"
#include "convert/convert.h"
#include "convert/field.h"
#include "convert/headers.h"
#include "convert/payload.h"
#include "convert/verbatim.h"

/* --- fields in front ------------------------------------------------------ */

static void
add_front(struct buf *out, const struct headers *headers, const char *id)
{
	const struct controls *controls = &headers->controls;

	field_add(out, "X-PM-Metadata-relay-id", id);
	for (size_t i = 0; i < controls->metadata.count; i++) {
		const struct header_pair *pair = &controls->metadata.pairs[i];
		char *name = mem_format("X-PM-Metadata-%s", pair->name);

		field_add(out, name, pair->value);
		free(name);
	}
	if (controls->message_stream[0] != '\0')
		field_add(out, "X-PM-Message-Stream", controls->message_stream);
	if (controls->tag[0] != '\0')
		field_add(out, "X-PM-Tag", controls->tag);
	if (controls->track_opens >= 0)
		field_add(out, "X-PM-TrackOpens", controls->track_opens > 0 ? "true" : "false");
	if (controls->track_links[0] != '\0')
		field_add(out, "X-PM-TrackLinks", controls->track_links);
	/* Postmark replaces a Message-ID unless it is told not to. */
	if (headers->message_id[0] != '\0' && controls->keep_id)
		field_add(out, "X-PM-KeepID", "true");
	if (headers->redirected != NULL)
		field_add(out, "X-Redirected-For", headers->redirected);
	if (headers->from_replaced)
		field_add_mailbox(out, "From", &headers->from_mailbox);
	if (headers->reply_to_is_ours)
		field_add_mailbox(out, "Reply-To", &headers->author);
}

/* --- the mail's own ------------------------------------------------------- */

static const char *
line_end(const char *line, const char *end)
{
	const char *nl = memchr(line, '\n', (size_t)(end - line));

	return nl == NULL ? end : nl + 1;
}

static bool
field_stays(const struct headers *headers, const char *line, const char *end)
{
	const char *colon = memchr(line, ':', (size_t)(end - line));
	size_t len;

	if (colon == NULL)
		return false;
	len = (size_t)(colon - line);
	while (len > 0 && (line[len - 1] == ' ' || line[len - 1] == '\t'))
		len--;
	const struct mime_field field = { .name = line, .name_len = len };
	if (!headers_name_is_good(line, len) || headers_tell_on_recipients(line, len) ||
	    headers_is_control(line, len))
		return false;
	if (headers->from_replaced && mime_field_is(&field, "From"))
		return false;
	return !headers->reply_to_is_ours || !mime_field_is(&field, "Reply-To");
}

static void
add_top(struct buf *out, const struct verbatim_input *v)
{
	const char *line = v->mime->header, *end = line + v->mime->header_len, *next;
	bool stays = false;

	for (; line < end; line = next) {
		next = line_end(line, end);
		if (line[0] != ' ' && line[0] != '\t')
			stays = field_stays(v->headers, line, next);
		if (!stays)
			continue;
		buf_add(out, line, (size_t)(next - line));
		if (next[-1] != '\n')
			buf_adds(out, "\r\n");
	}
}

static void
add_rest(struct buf *out, const struct verbatim_input *v, size_t *top_r)
{
	const struct convert_input *input = v->input;
	const char *body = v->mime->header + v->mime->header_len;
	size_t len = (size_t)(input->content + input->content_len - body);

	add_top(out, v);
	if (len < 2 || memcmp(body, "\r\n", 2) != 0)
		buf_adds(out, "\r\n");
	*top_r = out->len + (len >= 2 && memcmp(body, "\r\n", 2) == 0 ? 2 : 0);
	buf_add(out, body, len);
}

/* A line end that only one of two readers takes for one is how mail is smuggled into mail. */
static bool
has_bare_line_end(const char *content, size_t len)
{
	const char *end = content + len, *p;

	for (p = content; (p = memchr(p, '\n', (size_t)(end - p))) != NULL; p++)
		if (p == content || p[-1] != '\r')
			return true;
	for (p = content; (p = memchr(p, '\r', (size_t)(end - p))) != NULL; p++)
		if (p + 1 == end || p[1] != '\n')
			return true;
	return false;
}

/* --- items ---------------------------------------------------------------- */

static void
items_begin(const struct verbatim_input *v, struct mail *mail)
{
	const struct strlist *envelope = &v->input->envelope->recipients;
	GHashTable *seen = g_hash_table_new(g_str_hash, g_str_equal);
	struct item *item = NULL;

	/* At most one item for each recipient. */
	mail->items = mem_array(envelope->count, sizeof(*mail->items));
	for (size_t i = 0; i < envelope->count; i++) {
		if (!g_hash_table_add(seen, envelope->items[i]))
			continue;
		if (item == NULL || item->recipients.count == v->options->most_recipients) {
			item = &mail->items[mail->item_count++];
			item->number = (unsigned)mail->item_count;
			item->kind = ITEM_SMTP;
			payload_init(&item->payload);
		}
		strlist_add(&item->recipients, envelope->items[i]);
	}
	g_hash_table_destroy(seen);
}

static int
size_check(const struct verbatim_input *v, size_t bytes, struct refusal *refusal_r)
{
	if (bytes > *v->largest_r)
		*v->largest_r = bytes;
	if (bytes <= v->options->most_api_bytes)
		return 0;
	refusal_set(refusal_r, 552, "5.3.4",
	    "the message has %zu bytes as it would go to Postmark's SMTP service, and its limit is "
	    "%llu",
	    bytes, (unsigned long long)v->options->most_api_bytes);
	return -1;
}

static int
make_only_item(
    const struct verbatim_input *v, struct mail *mail, struct buf *top, struct refusal *refusal_r)
{
	struct buf out;
	char id[ITEM_ID_SIZE];
	size_t top_bytes;
	int result = -1;

	payload_begin(&out, SIZE_MAX / 4, v->input->content_len + 1024);
	item_id(id, mail->id, 1);
	add_front(&out, v->headers, id);
	add_rest(&out, v, &top_bytes);
	buf_add(top, out.data, top_bytes);
	if (size_check(v, out.len, refusal_r) == 0)
		result = payload_settle(&mail->items[0].payload, &out, refusal_r);
	buf_free(&out);
	return result;
}

static int
make_several_items(
    const struct verbatim_input *v, struct mail *mail, struct buf *top, struct refusal *refusal_r)
{
	struct buf out;
	size_t rest_bytes, top_bytes;
	int result = -1;

	payload_begin(&out, SIZE_MAX / 4, v->input->content_len);
	add_rest(&out, v, &top_bytes);
	rest_bytes = out.len;
	for (size_t i = 0; i < mail->item_count; i++) {
		struct buf head;
		char id[ITEM_ID_SIZE];

		buf_init(&head, SIZE_MAX / 4);
		item_id(id, mail->id, mail->items[i].number);
		add_front(&head, v->headers, id);
		if (i == 0)
			buf_add(top, head.data, head.len);
		if (size_check(v, head.len + rest_bytes, refusal_r) != 0 ||
		    payload_settle(&mail->items[i].payload, &head, refusal_r) != 0) {
			buf_free(&head);
			goto free_out;
		}
	}
	buf_add(top, out.data, top_bytes);
	result = payload_settle(&mail->shared, &out, refusal_r);

free_out:
	buf_free(&out);
	return result;
}

int
verbatim_make_all(
    const struct verbatim_input *v, struct mail *mail, struct buf *top, struct refusal *refusal_r)
{
	const struct header_pairs *metadata = &v->headers->controls.metadata;

	if (has_bare_line_end(v->input->content, v->input->content_len)) {
		refusal_set(refusal_r, 554, "5.6.0",
		    "a CR without LF or an LF without CR in a mail that is to go unchanged");
		return -1;
	}
	for (size_t i = 0; i < metadata->count; i++)
		if (!headers_name_is_good(
			metadata->pairs[i].name, strlen(metadata->pairs[i].name))) {
			refusal_set(refusal_r, 554, "5.6.0",
			    "the route's key of metadata %.60s cannot be in the name of a header "
			    "field",
			    metadata->pairs[i].name);
			return -1;
		}
	items_begin(v, mail);
	return mail->item_count == 1 ? make_only_item(v, mail, top, refusal_r)
				     : make_several_items(v, mail, top, refusal_r);
}
