#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/strlist.h"
#include "base/text.h"
#include "config/config.h"
#include "mail/dsn.h"
#include "mail/event.h"
#include "mail/mail.h"
#include "store/reader.h"

#include "outlet/notice_mail.h"

#define MOST_BYTES  ((size_t)16 * 1024 * 1024)
#define ROUTE_OF_IN "inbound"

static enum notice_to
policy_of(const struct config *config, const char *route, enum event_kind kind)
{
	for (size_t i = 0; i < config->route_count; i++)
		if (text_same(config->routes[i].name, route) &&
		    config->routes[i].notice != NOTICE_DEFAULT)
			return (enum notice_to)config->routes[i].notice;
	return (enum notice_to)(
	    kind == EVENT_FAILED ? config->notice_failures : config->notice_bounces);
}

static bool
tells_of_an_end(const struct event *event, const struct item_facts *item)
{
	switch (event->kind) {
	case EVENT_BOUNCE:
		return event_bounce_is_final(event->type, event->suppressed);
	case EVENT_INACTIVE:
		return true;
	case EVENT_FAILED:
		return item->state == ITEM_FAILED && !item->told;
	case EVENT_OTHER:
	case EVENT_DELIVERY:
	case EVENT_COMPLAINT:
	case EVENT_OPEN:
	case EVENT_CLICK:
	case EVENT_SUBSCRIPTION:
		return false;
	}
	return false;
}

const char *
notice_to(
    const struct config *config, const struct event_facts *facts, const struct item_facts *item)
{
	const char *to = NULL;

	if (item->reverse_path[0] == '\0' || text_same(item->listener, NOTICE_LISTENER) ||
	    text_same(item->route, ROUTE_OF_IN) || !tells_of_an_end(facts->event, item))
		return NULL;
	switch (policy_of(config, item->route, facts->event->kind)) {
	case NOTICE_OFF:
	case NOTICE_DEFAULT:
		break;
	case NOTICE_SENDER:
		to = item->reverse_path;
		break;
	case NOTICE_POSTMASTER:
		to = config->notice_postmaster[0] != '\0' ? config->notice_postmaster : NULL;
		break;
	}
	return to;
}

/* --- the mail ----------------------------------------------------------------------------- */

static char *
printed(void (*add)(struct buf *, const struct dsn *), const struct dsn *dsn, size_t *len_r)
{
	struct buf out;

	buf_init(&out, MOST_BYTES);
	add(&out, dsn);
	return buf_take(&out, len_r);
}

static void
add_string(struct buf *out, const char *name, const char *text)
{
	json_add_member(out, name, text, strlen(text));
}

static void
add_attachment(struct buf *out, const char *name, const char *type,
    void (*add)(struct buf *, const struct dsn *), const struct dsn *dsn)
{
	size_t len;
	char *bytes = printed(add, dsn, &len), *encoded = base64_encode(bytes, len);

	buf_addc(out, '{');
	add_string(out, "Name", name);
	add_string(out, "ContentType", type);
	add_string(out, "Content", encoded);
	buf_addc(out, '}');
	free(encoded);
	free(bytes);
}

/* Postmark's API has no multipart/report: the report and the header go as attachments. */
static void
add_json(struct buf *out, const struct config *config, const struct dsn *dsn, const char *id)
{
	const struct connection *connection = config_connection(config, config->notice_connection);
	size_t len;
	char *text;

	buf_addc(out, '{');
	add_string(out, "From", dsn->from);
	add_string(out, "To", dsn->to);
	json_add_name(out, "Metadata");
	buf_addc(out, '{');
	add_string(out, "relay-id", id);
	buf_addc(out, '}');
	if (config->notice_stream[0] != '\0')
		add_string(out, "MessageStream", config->notice_stream);
	else if (connection != NULL && connection->message_stream[0] != '\0')
		add_string(out, "MessageStream", connection->message_stream);
	text = printed(dsn_add_subject, dsn, &len);
	json_add_member(out, "Subject", text, len);
	free(text);
	json_add_name(out, "Headers");
	buf_adds(out, "[{\"Name\":\"Auto-Submitted\",\"Value\":\"auto-replied\"}]");
	text = printed(dsn_add_text, dsn, &len);
	json_add_member(out, "TextBody", text, len);
	free(text);
	json_add_name(out, "Attachments");
	buf_addc(out, '[');
	add_attachment(out, "details.txt", "message/delivery-status", dsn_add_report, dsn);
	buf_addc(out, ',');
	add_attachment(out, "header.txt", "text/rfc822-headers", dsn_add_headers, dsn);
	buf_adds(out, "]}");
}

/* "ann@a.example, bo@b.example" */
static void
split(const char *text, struct strlist *list)
{
	while (*text != '\0') {
		size_t len = strcspn(text, ", ");

		if (len > 0)
			strlist_add_bytes(list, text, len);
		text += len;
		text += strspn(text, ", ");
	}
}

/* Whom it did not reach.  An event's own text of them has an end; what the item has is whole. */
static void
find_recipients(const struct event *event, const struct item_facts *item, struct strlist *list)
{
	if (event->kind == EVENT_INACTIVE && item->inactive != NULL)
		split(item->inactive, list);
	else if (event->kind != EVENT_FAILED)
		split(event->recipient, list);
	if (list->count == 0)
		strlist_copy(list, &item->recipients);
}

/* The event's with the last bit turned: nobody takes the one for the other. */
static void
id_make(char id[ULID_SIZE], const char *event_id)
{
	static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
	const char *last = strchr(digits, event_id[ULID_LEN - 1]);

	memcpy(id, event_id, ULID_LEN);
	id[ULID_LEN] = '\0';
	id[ULID_LEN - 1] = digits[(last - digits) ^ 1];
}

struct mail *
notice_mail(const struct config *config, const char *hostname, const struct event_facts *facts,
    const struct item_facts *item, const char *to, int64_t now_ms)
{
	const struct event *event = facts->event;
	bool inbound = config->notice_via == NOTICE_VIA_INBOUND;
	const struct connection *connection = config_connection(config, config->notice_connection);
	struct strlist recipients = { 0 };
	struct mail *mail = mail_new();
	struct dsn dsn = { .hostname = hostname,
		.id = mail->id,
		.to = to,
		.made_ms = now_ms,
		.action = DSN_FAILED,
		.type = strcmp(event->type, "0") == 0 ? "" : event->type,
		.detail = event->detail,
		.at_ms = event->at_ms,
		.accepted_ms = item->accepted_ms,
		.item = item->id,
		.postmark_id = item->postmark_id != NULL ? item->postmark_id : "",
		.mail_from = item->from,
		.mail_subject = item->subject,
		.mail_message_id = item->message_id,
		.mail_recipients = (const char *const *)item->recipients.items,
		.mail_recipient_count = item->recipients.count };
	struct buf payload;
	char id[ITEM_ID_SIZE];

	find_recipients(event, item, &recipients);
	dsn.recipients = (const char *const *)recipients.items;
	dsn.recipient_count = recipients.count;

	id_make(mail->id, event->id);
	item_id(id, mail->id, 1);
	mail->accepted_ms = now_ms;
	mail->reverse_path = mem_string("");
	mail->route = mem_string(inbound ? ROUTE_OF_IN : connection->name);
	mail->listener = mem_string(NOTICE_LISTENER);
	mail->client = mem_string("");
	mail->helo = mem_string("");
	mail->message_id = mem_format("<%s@%s>", mail->id, hostname);
	mail->from = config->notice_from[0] != '\0'
			 ? mem_string(config->notice_from)
			 : mem_format("Mail Delivery System <MAILER-DAEMON@%s>", hostname);
	mail->subject = printed(dsn_add_subject, &dsn, NULL);
	mail->ledger = mem_string("");
	dsn.from = mail->from;

	buf_init(&payload, MOST_BYTES);
	if (inbound)
		dsn_add_mail(&payload, &dsn);
	else
		add_json(&payload, config, &dsn, id);
	mail->content_bytes = payload.len;
	mail->items = mem_array(1, sizeof(*mail->items));
	mail->item_count = 1;
	mail->items[0].number = 1;
	mail->items[0].kind = inbound ? ITEM_LOCAL : ITEM_EMAIL;
	payload_init(&mail->items[0].payload);
	mail->items[0].payload.data = buf_take(&payload, &mail->items[0].payload.len);
	strlist_add(&mail->items[0].recipients, to);
	strlist_free(&recipients);
	return mail;
}
