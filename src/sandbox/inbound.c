#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"

#include "sandbox/compose.h"
#include "sandbox/fields.h"
#include "sandbox/inbound_mail.h"
#include "sandbox/messages.h"
#include "sandbox/notify.h"
#include "sandbox/query.h"
#include "sandbox/records.h"
#include "sandbox/rules.h"
#include "sandbox/server.h"
#include "sandbox/source.h"
#include "sandbox/state.h"
#include "sandbox/inbound.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* NULL: there is no such status. */
static const char *
status_of(const char *name)
{
	static const char *const known[] = { "Blocked", "Processed", "Queued", "Failed",
		"Scheduled" };

	for (size_t i = 0; i < COUNT(known); i++) {
		if (text_same(known[i], name))
			return known[i];
	}
	return NULL;
}

/* ---- what happens ---- */

static const struct fields fields[] = {
	{ "From", FIELDS_STRING },
	{ "FromName", FIELDS_STRING },
	{ "To", FIELDS_STRING },
	{ "Cc", FIELDS_STRING },
	{ "Bcc", FIELDS_STRING },
	{ "ReplyTo", FIELDS_STRING },
	{ "Subject", FIELDS_STRING },
	{ "Tag", FIELDS_STRING },
	{ "Date", FIELDS_STRING },
	{ "TextBody", FIELDS_STRING },
	{ "HtmlBody", FIELDS_STRING },
	{ "StrippedTextReply", FIELDS_STRING },
	{ "Status", FIELDS_STRING },
	{ "Headers", FIELDS_ARRAY },
	{ "Attachments", FIELDS_ARRAY },
};

/* What follows '+' in the local part; the caller frees. */
static char *
hash_of(const char *address)
{
	size_t local = strcspn(address, "@"), plus = strcspn(address, "+");

	return plus < local ? mem_bytes(address + plus + 1, local - plus - 1) : mem_string("");
}

static json_t *
mailbox_json(const char *address, const char *name)
{
	char *hash = hash_of(address);
	json_t *json =
	    json_pack("{s:s, s:s, s:s}", "Email", address, "Name", name, "MailboxHash", hash);

	free(hash);
	return json;
}

/* NULL: it is no list of mailboxes. */
static json_t *
mailboxes_json(const char *text)
{
	struct rules_mailboxes list;
	struct rules_refusal refusal;
	json_t *json;

	if (rules_mailboxes_parse("To", text, &list, &refusal) != 0) {
		rules_refusal_deinit(&refusal);
		return NULL;
	}
	json = json_array();
	for (size_t i = 0; i < list.addresses.count; i++)
		json_array_append_new(
		    json, mailbox_json(list.addresses.items[i], list.names.items[i]));
	rules_mailboxes_deinit(&list);
	return json;
}

/* A rule is an address or a domain. */
static bool
is_blocked(const struct server *server, const char *from)
{
	const char *at = strrchr(from, '@');
	size_t i;
	const json_t *one;

	json_array_foreach(server->inbound_rules, i, one)
	{
		const char *rule = fields_text(one, "Rule");

		if (text_same(rule, from) ||
		    (at != NULL && text_same(rule[0] == '@' ? rule + 1 : rule, at + 1)))
			return true;
	}
	return false;
}

static const char *
or_empty(const json_t *given, const char *key)
{
	const char *text = fields_text(given, key);

	return text != NULL ? text : "";
}

static json_t *
list_or_empty(const json_t *given, const char *key)
{
	const json_t *list = fields_get(given, key);

	return list != NULL ? json_deep_copy(list) : json_array();
}

/* The source as it is passed on; the caller frees. */
static char *
raw_of(const struct inbound_mail *mail)
{
	const struct message *message = mail->message;
	char id[UUID_SIZE];
	size_t len;

	if (mail->raw != NULL)
		return source_clean(mail->raw, mail->raw_len);
	if (message != NULL && message->source != NULL)
		return source_delivered(message->source, message->source_len, message->id, &len);
	uuid_make(id);
	return compose_mail(mail->given, id);
}

struct record *
inbound_add(struct state *state, const struct server *server, const struct inbound_mail *mail,
    const char **why_r)
{
	static const struct {
		const char *name;
		const char *full;
	} lists[] = { { "To", "ToFull" }, { "Cc", "CcFull" }, { "Bcc", "BccFull" } };
	const json_t *given = mail->given;
	const char *recipient = mail->recipient;
	char *wrong = fields_wrong(given, fields, COUNT(fields));
	const char *status = fields_text(given, "Status");
	char date[64], id[UUID_SIZE], *hash;
	time_t now = (time_t)(clock_wall_ms() / 1000);
	bool blocked;
	json_t *json, *from, *full, *one;
	struct record *record;
	size_t i;

	*why_r =
	    "wanted From, and perhaps FromName, To, Cc, Bcc, ReplyTo, Subject, Tag, Date, "
	    "TextBody, HtmlBody, Status, Headers and Attachments, as the inbound hook has them";
	free(wrong);
	if (wrong != NULL || fields_text(given, "From") == NULL ||
	    (status != NULL && status_of(status) == NULL))
		return NULL;
	json_array_foreach(fields_get(given, "Attachments"), i, one)
	{
		if (fields_text(one, "Name") == NULL)
			return NULL;
	}
	from = mailboxes_json(fields_text(given, "From"));
	if (json_array_size(from) != 1) {
		json_decref(from);
		return NULL;
	}
	one = json_array_get(from, 0);
	if (fields_text(given, "FromName") != NULL)
		json_object_set(one, "Name", json_object_get(given, "FromName"));
	blocked = is_blocked(server, fields_text(one, "Email"));
	if (status == NULL)
		status = blocked ? "Blocked" : "Processed";

	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S +0000", gmtime(&now));
	uuid_make(id);
	json = json_pack("{s:O, s:s, s:O, s:O}", "FromName", json_object_get(one, "Name"),
	    "MessageStream", STREAM_INBOUND, "From", json_object_get(one, "Email"), "FromFull",
	    one);
	json_decref(from);
	for (i = 0; i < COUNT(lists); i++) {
		const char *text = fields_text(given, lists[i].name);

		if (text == NULL && i == 0 && recipient == NULL)
			text = server_text(server, "InboundAddress");
		/* Bcc is told of only where it is how the mail came. */
		if (text == NULL && i == 2 && recipient != NULL &&
		    !inbound_mail_shows(given, recipient))
			text = recipient;
		text = text != NULL ? text : "";
		full = mailboxes_json(text);
		if (full == NULL) {
			json_decref(json);
			return NULL;
		}
		json_object_set_new(json, lists[i].name, json_string(text));
		json_object_set_new(json, lists[i].full, full);
	}
	one = json_array_get(json_object_get(json, "ToFull"), 0);
	if (recipient == NULL)
		recipient = or_empty(one, "Email");
	hash = hash_of(recipient);
	json_object_update_new(json,
	    json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:s, s:s?}",
		"OriginalRecipient", recipient, "Subject", or_empty(given, "Subject"), "MessageID",
		id, "ReplyTo", or_empty(given, "ReplyTo"), "MailboxHash", hash, "Date",
		fields_text(given, "Date") != NULL ? fields_text(given, "Date") : date, "TextBody",
		or_empty(given, "TextBody"), "HtmlBody", or_empty(given, "HtmlBody"),
		"StrippedTextReply", or_empty(given, "StrippedTextReply"), "Tag",
		or_empty(given, "Tag"), "Headers", list_or_empty(given, "Headers"), "Attachments",
		list_or_empty(given, "Attachments"), "Status", status_of(status), "BlockedReason",
		blocked ? "An inbound rule" : NULL));
	free(hash);
	record = records_add(state->inbound, server->id, id, json,
	    server_flag(server, "RawEmailEnabled") ? raw_of(mail) : NULL);
	if (!blocked && fields_text(given, "Status") == NULL)
		(void)notify_inbound(state, server, record);
	return record;
}

/* ---- calls ---- */

/* As a list shows it: no bodies, and of the attachments no contents. */
static json_t *
summary(const struct record *record)
{
	static const char *const left_out[] = { "TextBody", "HtmlBody", "StrippedTextReply",
		"Headers", "BlockedReason" };
	json_t *json = json_copy(record->json), *attachments = json_array(), *one;
	size_t i;

	for (i = 0; i < COUNT(left_out); i++)
		json_object_del(json, left_out[i]);
	json_array_foreach(json_object_get(record->json, "Attachments"), i, one)
	{
		json_t *copy = json_copy(one);

		json_object_del(copy, "Content");
		json_array_append_new(attachments, copy);
	}
	json_object_set_new(json, "Attachments", attachments);
	return json;
}

struct filter {
	struct query_page page;
	const char *status; /* NULL: any, as for those below */
	const char *recipient;
	const char *from;
	const char *tag;
	const char *subject;
	const char *hash;
	struct query_span span;
};

/* NULL, or what is wrong with the query. */
static const char *
filter_read(const struct api_request *request, struct filter *filter)
{
	const char *wrong, *status = query_text(request, "status");

	memset(filter, 0, sizeof(*filter));
	wrong = query_page(request, true, &filter->page);
	if (wrong != NULL)
		return wrong;
	filter->status = status != NULL ? status_of(status) : NULL;
	if (status != NULL && filter->status == NULL)
		return "The 'status' parameter is not valid.";
	filter->recipient = query_text(request, "recipient");
	filter->from = query_text(request, "fromemail");
	filter->tag = query_text(request, "tag");
	filter->subject = query_text(request, "subject");
	filter->hash = query_text(request, "mailboxhash");
	return query_span(request, &filter->span);
}

static bool
has_recipient(const json_t *json, const char *address)
{
	static const char *const lists[] = { "ToFull", "CcFull", "BccFull" };
	const json_t *one;
	size_t i;

	for (size_t list = 0; list < COUNT(lists); list++) {
		json_array_foreach(json_object_get(json, lists[list]), i, one)
		{
			if (text_same(or_empty(one, "Email"), address))
				return true;
		}
	}
	return false;
}

static bool
filter_matches(const struct filter *filter, const struct record *record)
{
	const json_t *json = record->json;

	return query_span_has(&filter->span, record->wall_ms) &&
	       (filter->status == NULL || strcmp(or_empty(json, "Status"), filter->status) == 0) &&
	       (filter->recipient == NULL || has_recipient(json, filter->recipient)) &&
	       (filter->from == NULL || text_same(or_empty(json, "From"), filter->from)) &&
	       (filter->tag == NULL || strcmp(or_empty(json, "Tag"), filter->tag) == 0) &&
	       (filter->hash == NULL || strcmp(or_empty(json, "MailboxHash"), filter->hash) == 0) &&
	       (filter->subject == NULL ||
		   text_find_same(or_empty(json, "Subject"), filter->subject) != NULL);
}

void
inbound_list(struct state *state, struct server *server, const struct api_request *request,
    struct api_answer *answer)
{
	struct filter filter;
	const char *wrong = filter_read(request, &filter);

	if (wrong != NULL) {
		api_refuse(state, answer, 700, wrong);
		return;
	}
	for (size_t i = records_count(state->inbound); i-- > 0;) {
		const struct record *record = records_at(state->inbound, i);

		if (record->server == server->id && filter_matches(&filter, record) &&
		    query_page_has(&filter.page))
			query_page_add(&filter.page, summary(record));
	}
	query_page_answer(&filter.page, answer, "InboundMessages");
}

/* The mail of the path; NULL: refused. */
static struct record *
wanted(struct state *state, const struct server *server, const struct api_request *request,
    struct api_answer *answer)
{
	struct record *record = records_by_message(state->inbound, server->id, request->parts[0]);

	if (record == NULL)
		api_refuse(state, answer, 701, "This message was not found.");
	return record;
}

void
inbound_details(struct state *state, struct server *server, const struct api_request *request,
    struct api_answer *answer)
{
	const struct record *record = wanted(state, server, request, answer);

	if (record != NULL)
		api_answer_json(answer, json_copy(record->json));
}

/* Only a mail of this status can go on. */
static struct record *
go_on(struct state *state, const struct server *server, const struct api_request *request,
    struct api_answer *answer, const char *status)
{
	struct record *record = wanted(state, server, request, answer);

	if (record == NULL)
		return NULL;
	if (strcmp(or_empty(record->json, "Status"), status) != 0) {
		api_refuse(state, answer, 701,
		    "This message was not found, or its status does not allow this.");
		return NULL;
	}
	json_object_set_new(record->json, "Status", json_string("Processed"));
	json_object_set_new(record->json, "BlockedReason", json_null());
	(void)notify_inbound(state, server, record);
	return record;
}

void
inbound_bypass(struct state *state, struct server *server, const struct api_request *request,
    struct api_answer *answer)
{
	const struct record *record = go_on(state, server, request, answer, "Blocked");

	if (record != NULL)
		api_answer_done(answer, "Successfully bypassed message: %s.", record->message);
}

void
inbound_retry(struct state *state, struct server *server, const struct api_request *request,
    struct api_answer *answer)
{
	const struct record *record = go_on(state, server, request, answer, "Failed");

	if (record != NULL)
		api_answer_done(
		    answer, "Successfully rescheduled failed message: %s.", record->message);
}
