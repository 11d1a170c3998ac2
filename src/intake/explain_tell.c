/* The object that tells of a mail (explain.h has its members). */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"
#include "config/config.h"
#include "mail/mail.h"
#include "convert/guard.h"
#include "convert/headers.h"
#include "convert/ledger.h"
#include "routing/routing.h"

#include "intake/explain_inside.h"
#include "intake/rules.h"

/* Of the reasons why routes were not taken, however many routes and recipients there are. */
#define MOST_REASONS 1000
/* What the relay puts in front of a mail for SMTP, and more. */
#define MOST_FRONT_BYTES (64U * 1024U)

/* ---- values ------------------------------------------------------------------------------ */

/* Foreign bytes as valid UTF-8. */
static void
add_text(struct buf *out, const char *text)
{
	size_t len = strlen(text);
	char *safe;

	if (text_is_utf8(text, len)) {
		json_add_string(out, text, len);
		return;
	}
	/* A byte becomes four at most. */
	safe = mem_new(len * 4 + 1);
	text_safe(safe, len * 4 + 1, text, len);
	json_add_string(out, safe, strlen(safe));
	free(safe);
}

static void
add_member(struct buf *out, const char *name, const char *text)
{
	json_add_name(out, name);
	add_text(out, text);
}

static void
add_number(struct buf *out, const char *name, uint64_t number)
{
	json_add_name(out, name);
	buf_addf(out, "%" PRIu64, number);
}

static void
add_bool(struct buf *out, const char *name, bool yes)
{
	json_add_name(out, name);
	buf_adds(out, yes ? "true" : "false");
}

/* Of an object in an array. */
static void
open_object(struct buf *out)
{
	if (out->len > 0 && out->data[out->len - 1] == '}')
		buf_addc(out, ',');
	buf_addc(out, '{');
}

static void
add_list(struct buf *out, const char *name, const struct strlist *list)
{
	json_add_name(out, name);
	buf_addc(out, '[');
	for (size_t i = 0; i < list->count; i++) {
		if (i > 0)
			buf_addc(out, ',');
		add_text(out, list->items[i]);
	}
	buf_addc(out, ']');
}

static void
add_refusal(struct buf *out, const struct refusal *refusal)
{
	json_add_name(out, "refusal");
	buf_addc(out, '{');
	add_number(out, "code", (uint64_t)refusal->code);
	add_member(out, "status", refusal->enhanced);
	add_member(out, "text", refusal->text);
	buf_addc(out, '}');
}

static void
add_envelope(struct buf *out, const struct explanation *e)
{
	json_add_name(out, "envelope");
	buf_addc(out, '{');
	add_member(out, "reverse_path", e->envelope.reverse_path);
	add_list(out, "recipients", &e->envelope.recipients);
	add_bool(out, "from_headers", e->from_headers);
	buf_addc(out, '}');
	json_add_name(out, "origin");
	buf_addc(out, '{');
	add_member(out, "listener", e->origin.listener);
	add_member(out, "client", e->origin.client);
	add_member(out, "user", e->origin.user);
	buf_addc(out, '}');
}

/* ---- a mail that goes by SMTP ------------------------------------------------------------ */

/* The first bytes of a payload, wherever they are. */
static void
add_start(struct buf *out, const struct payload *payload, size_t most)
{
	size_t left = payload->len < most ? payload->len : most;
	off_t at = 0;

	if (payload->fd < 0) {
		buf_add(out, payload->data, left);
		return;
	}
	while (left > 0) {
		ssize_t got = pread(payload->fd, buf_reserve(out, left), left, at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return;
		buf_grown(out, (size_t)got);
		at += got;
		left -= (size_t)got;
	}
}

/* Raw header fields, each with its folds and without its last line end. */
static void
fields_split(struct strlist *fields, const char *header, size_t len)
{
	const char *end = header + len, *begin = header, *at = header;

	while (at < end) {
		const char *nl = memchr(at, '\n', (size_t)(end - at)), *stop = nl;

		if (stop == NULL)
			stop = end;
		if (stop > at && stop[-1] == '\r')
			stop--;
		if (stop == at) /* the empty line */
			return;
		at = nl == NULL ? end : nl + 1;
		if (at < end && (*at == ' ' || *at == '\t'))
			continue;
		strlist_add_bytes(fields, begin, (size_t)(stop - begin));
		begin = at;
	}
}

static void
add_field_name(struct buf *out, const char *field)
{
	size_t len = strcspn(field, ": \t\r\n");
	char *name = mem_bytes(field, len < HEADERS_MOST_NAME ? len : HEADERS_MOST_NAME);

	if (out->data[out->len - 1] != '[')
		buf_addc(out, ',');
	add_text(out, name);
	free(name);
}

/* What the conversion made of the header of a mail that goes as it is. */
struct changes {
	size_t front;        /* fields before the mail's own, in each item */
	struct strlist gone; /* the mail's own that are not in it, the last first */
};

static void
item_start(struct buf *out, const struct mail *mail, const struct item *item, size_t most)
{
	buf_init(out, SIZE_MAX / 4);
	add_start(out, &item->payload, most);
	if (out->len < most)
		add_start(out, &mail->shared, most - out->len);
}

/* By comparing both headers from their ends on: this does not depend on how the conversion came
 * to it. */
static void
changes_find(struct changes *changes, const struct explanation *e, const struct mail *mail)
{
	struct strlist sent = { 0 }, own = { 0 };
	size_t left;
	struct buf start;

	*changes = (struct changes){ 0 };
	item_start(&start, mail, &mail->items[0], e->plan.mime.header_len + MOST_FRONT_BYTES);
	fields_split(&sent, start.data != NULL ? start.data : "", start.len);
	fields_split(&own, e->plan.mime.header, e->plan.mime.header_len);
	changes->front = sent.count;
	left = own.count;
	while (left-- > 0) {
		size_t *front = &changes->front;

		if (*front > 0 && strcmp(sent.items[*front - 1], own.items[left]) == 0)
			--*front;
		else
			strlist_add(&changes->gone, own.items[left]);
	}
	strlist_free(&sent);
	strlist_free(&own);
	buf_free(&start);
}

static void
add_changes(struct buf *out, const struct changes *changes, const struct mail *mail,
    const struct item *item)
{
	struct strlist sent = { 0 };
	struct buf start, head;

	item_start(&start, mail, item, MOST_FRONT_BYTES);
	buf_init(&head, SIZE_MAX / 4);
	fields_split(&sent, start.data != NULL ? start.data : "", start.len);
	for (size_t i = 0; i < changes->front && i < sent.count; i++)
		buf_addf(&head, "%s\r\n", sent.items[i]);
	add_member(out, "head", head.data != NULL ? head.data : "");
	json_add_name(out, "removed");
	buf_addc(out, '[');
	for (size_t i = changes->gone.count; i-- > 0;)
		add_field_name(out, changes->gone.items[i]);
	buf_addc(out, ']');
	strlist_free(&sent);
	buf_free(&start);
	buf_free(&head);
}

/* ---- items ------------------------------------------------------------------------------- */

static const char *
kind_name(enum item_kind kind)
{
	switch (kind) {
	case ITEM_EMAIL:
		return "email";
	case ITEM_TEMPLATE:
		return "template";
	case ITEM_SMTP:
		return "smtp";
	case ITEM_LOCAL:
		return "local";
	}
	return "";
}

static void
add_json(struct explanation *e, const struct mail *mail, const struct item *item)
{
	struct buf *out = &e->items;
	size_t bytes = item->payload.len + mail->shared.len, start;

	json_add_name(out, "json");
	start = out->len;
	if (item->kind != ITEM_SMTP && bytes <= e->input->most_bytes - e->json_bytes &&
	    payload_read(&item->payload, out) == 0 && payload_read(&mail->shared, out) == 0) {
		e->json_bytes += bytes;
		return;
	}
	out->len = start;
	buf_adds(out, "null");
	if (item->kind != ITEM_SMTP)
		e->items_left_out++;
}

void
explain_tell_items(struct explanation *e, const struct plan_group *group,
    const struct explained *told, const struct mail *mail)
{
	static const struct guard_item nothing = { .to = "", .cc = "", .bcc = "" };
	struct changes changes = { 0 };
	struct buf *out = &e->items;

	if (mail->items[0].kind == ITEM_SMTP)
		changes_find(&changes, e, mail);
	for (size_t i = 0; i < mail->item_count; i++) {
		const struct item *item = &mail->items[i];
		const struct guard_item *written =
		    i < told->facts.written_count ? &told->facts.written[i] : &nothing;

		open_object(out);
		add_number(out, "number", item->number);
		add_member(out, "route", group->options.route);
		add_member(out, "kind", kind_name(item->kind));
		add_list(out, "recipients", &item->recipients);
		add_member(out, "to", written->to);
		add_member(out, "cc", written->cc);
		add_member(out, "bcc", written->bcc);
		add_number(out, "bytes", item->payload.len + mail->shared.len);
		add_json(e, mail, item);
		if (item->kind == ITEM_SMTP)
			add_changes(out, &changes, mail, item);
		buf_addc(out, '}');
	}
	strlist_free(&changes.gone);
}

/* ---- sizes ------------------------------------------------------------------------------- */

static void
size_note(struct explain_figure *size, uint64_t figure)
{
	size->known = true;
	if (figure > size->figure)
		size->figure = figure;
}

static void
sizes_of_group(const struct explained *told, struct explain_figure sizes[SIZE_COUNT])
{
	const struct convert_facts *facts = &told->facts;

	if (facts->largest_bytes > 0)
		size_note(&sizes[facts->verbatim ? SIZE_SMTP : SIZE_MESSAGE], facts->largest_bytes);
	if (told->most_recipients > 0)
		size_note(&sizes[SIZE_RECIPIENTS], told->most_recipients);
	if (facts->has_headers) {
		size_note(&sizes[SIZE_SUBJECT], facts->subject_units);
		size_note(&sizes[SIZE_TAG], facts->tag_units);
		size_note(&sizes[SIZE_METADATA], facts->metadata_count);
	}
	if (facts->has_parts && !facts->verbatim) {
		size_note(&sizes[SIZE_TEXT_BODY], facts->text_bytes);
		size_note(&sizes[SIZE_HTML_BODY], facts->html_bytes);
	}
}

void
explain_sizes(const struct explanation *e, struct explain_figure sizes[SIZE_COUNT])
{
	const struct convert_options *options = rules_options(e->rules, ROUTING_DEFAULT);
	const struct explain_figure all[SIZE_COUNT] = {
		[SIZE_MESSAGE] = { "message", "bytes", 0, options->most_api_bytes, false },
		[SIZE_SMTP] = { "SMTP message", "bytes", 0, options->most_api_bytes, false },
		[SIZE_TEXT_BODY] = { "TextBody", "bytes", 0, options->most_body_bytes, false },
		[SIZE_HTML_BODY] = { "HtmlBody", "bytes", 0, options->most_body_bytes, false },
		[SIZE_RECIPIENTS] = { "recipients", "recipients", 0, options->most_recipients,
		    false },
		[SIZE_SUBJECT] = { "subject", "UTF-16 units", 0, HEADERS_MOST_SUBJECT, false },
		[SIZE_TAG] = { "tag", "UTF-16 units", 0, HEADERS_MOST_TAG, false },
		[SIZE_METADATA] = { "metadata", "pairs", 0, HEADERS_MOST_METADATA, false },
		[SIZE_MAIL] = { "mail", "bytes", e->len, e->rules->config->smtp_message_bytes,
		    true },
	};

	memcpy(sizes, all, sizeof(all));
	for (size_t i = 0; e->groups != NULL && i < e->plan.group_count; i++)
		sizes_of_group(&e->groups[i], sizes);
}

static void
add_sizes(struct buf *out, const struct explanation *e)
{
	struct explain_figure sizes[SIZE_COUNT];

	explain_sizes(e, sizes);
	json_add_name(out, "sizes");
	buf_addc(out, '[');
	for (size_t i = 0; i < SIZE_COUNT; i++) {
		if (!sizes[i].known)
			continue;
		open_object(out);
		add_member(out, "what", sizes[i].what);
		add_number(out, "bytes", sizes[i].figure);
		add_number(out, "limit", sizes[i].limit);
		add_member(out, "unit", sizes[i].unit);
		buf_addc(out, '}');
	}
	buf_addc(out, ']');
}

/* ---- losses ------------------------------------------------------------------------------ */

static void
add_loss(struct buf *out, const char *word, const char *text)
{
	open_object(out);
	add_member(out, "word", word);
	add_member(out, "text", text);
	buf_addc(out, '}');
}

static void
add_lost(struct buf *out, const struct ledger *ledger)
{
	char text[100];

	json_add_name(out, "lost");
	buf_addc(out, '[');
	for (enum ledger_entry i = 0; i < LEDGER_ENTRIES; i++)
		if (ledger->set & 1U << i)
			add_loss(out, ledger_word(i), ledger_sentence(i));
	if (ledger->undecodable > 0) {
		snprintf(text, sizeof(text),
		    "%zu sequences of the text are not in its charset and became U+FFFD.",
		    ledger->undecodable);
		add_loss(out, "undecodable", text);
	}
	buf_addc(out, ']');
}

static void
add_lost_anywhere(struct buf *out, const struct explanation *e)
{
	struct ledger all = { 0 };

	for (size_t i = 0; e->groups != NULL && i < e->plan.group_count; i++) {
		const struct ledger *one = &e->groups[i].facts.ledger;

		all.set |= one->set;
		if (one->undecodable > all.undecodable)
			all.undecodable = one->undecodable;
	}
	add_lost(out, &all);
}

/* ---- routes ------------------------------------------------------------------------------ */

static const char *
policy_name(enum fidelity_policy policy)
{
	switch (policy) {
	case POLICY_CONVERT:
		return "convert";
	case POLICY_REJECT:
		return "reject";
	case POLICY_SMTP:
		return "smtp";
	}
	return "";
}

static const char *
fate_name(enum routing_fate fate)
{
	switch (fate) {
	case ROUTING_GOES:
		return "goes";
	case ROUTING_REDIRECTED:
		return "redirected";
	case ROUTING_CAPTURED:
		return "captured";
	}
	return "";
}

static const char *
reply_name(enum reply_mode reply)
{
	switch (reply) {
	case REPLY_QUEUED:
		return "queued";
	case REPLY_POSTMARK:
		return "postmark";
	case REPLY_POSTMARK_OR_REFUSE:
		return "postmark-or-refuse";
	}
	return "";
}

/* One earlier route, and why none of these recipients took it. */
static void
add_reasons(struct buf *out, const struct explanation *e, const struct plan_group *group,
    size_t route, size_t *left)
{
	struct strlist said = { 0 };
	struct buf why;

	buf_init(&why, SIZE_MAX / 4);
	for (size_t i = 0; i < group->asked.count && i<EXPLAIN_MOST_ASKED && * left> 0; i++) {
		buf_clear(&why);
		routing_why_not(e->plan.choice, route, group->asked.items[i], &why);
		if (why.len == 0 || strlist_has(&said, why.data))
			continue;
		strlist_add(&said, why.data);
		open_object(out);
		add_member(out, "route", e->rules->config->routes[route].name);
		add_member(out, "recipient", group->asked.items[i]);
		add_member(out, "why", why.data);
		buf_addc(out, '}');
		--*left;
	}
	strlist_free(&said);
	buf_free(&why);
}

static void
add_why_not(
    struct buf *out, const struct explanation *e, const struct plan_group *group, size_t *left)
{
	size_t route_count = e->rules->config->route_count;

	json_add_name(out, "why_not");
	buf_addc(out, '[');
	for (size_t i = 0; i < route_count && i != group->route && *left > 0; i++)
		add_reasons(out, e, group, i, left);
	buf_addc(out, ']');
}

static void
add_policies(struct buf *out, const struct plan_group *group, const struct explained *told)
{
	const struct convert_facts *facts = &told->facts;

	json_add_name(out, "policies");
	buf_addc(out, '[');
	for (enum ledger_entry i = 0; i < LEDGER_ENTRIES; i++) {
		bool decides = facts->verbatim && facts->verbatim_for == i;

		if (!ledger_has_policy(i))
			continue;
		open_object(out);
		add_member(out, "word", ledger_word(i));
		add_member(out, "policy", policy_name(group->options.policy[i]));
		/* What goes by SMTP loses nothing, and its ledger says so. */
		add_bool(out, "applies", decides || (facts->ledger.set & 1U << i) != 0);
		buf_addc(out, '}');
	}
	buf_addc(out, ']');
}

static void
add_settings(struct buf *out, const struct explanation *e, const struct plan_group *group)
{
	const struct route *route =
	    group->route != ROUTING_DEFAULT ? &e->rules->config->routes[group->route] : NULL;
	const char *connection = route != NULL ? route->connection : "";

	add_member(out, "connection", connection[0] != '\0' ? connection : "default");
	add_bool(out, "sandbox", route != NULL && route->sandbox);
	add_member(out, "reply", reply_name(group->options.reply));
}

static void
add_outcome(struct buf *out, const struct plan_group *group, const struct explained *told)
{
	const struct convert_facts *facts = &told->facts;
	const char *template = facts->template;

	json_add_name(out, "template");
	if (template != NULL && template[0] != '\0')
		add_text(out, template);
	else
		buf_adds(out, "null");
	if (facts->has_headers) {
		add_member(out, "from", facts->from);
		add_member(out, "tag", facts->tag);
		add_member(out, "stream", facts->message_stream);
	}
	add_member(out, "way", facts->verbatim ? "smtp" : "api");
	if (facts->verbatim)
		add_member(out, "because", ledger_word(facts->verbatim_for));
	add_policies(out, group, told);
	add_lost(out, &facts->ledger);
	if (told->refused)
		add_refusal(out, &told->refusal);
}

static void
add_routes(struct buf *out, const struct explanation *e)
{
	static const struct strlist nobody = { 0 };
	size_t left = MOST_REASONS;

	json_add_name(out, "routes");
	buf_addc(out, '[');
	for (size_t i = 0; e->groups != NULL && i < e->plan.group_count; i++) {
		const struct plan_group *group = &e->plan.groups[i];

		open_object(out);
		add_member(out, "name", group->options.route);
		add_list(out, "recipients", &group->asked);
		add_member(out, "fate", fate_name(group->fate));
		add_list(out, "redirected_to",
		    group->fate == ROUTING_REDIRECTED ? &group->envelope.recipients : &nobody);
		add_why_not(out, e, group, &left);
		add_settings(out, e, group);
		add_outcome(out, group, &e->groups[i]);
		buf_addc(out, '}');
	}
	buf_addc(out, ']');
}

/* ---- the whole --------------------------------------------------------------------------- */

void
explain_tell(const struct explanation *e, struct buf *out)
{
	const struct explained *first =
	    e->groups != NULL && e->plan.group_count > 0 ? &e->groups[0] : NULL;
	size_t attachments = 0;

	buf_addc(out, '{');
	add_bool(out, "ok", !e->refused);
	if (e->refused)
		add_refusal(out, &e->refusal);
	add_envelope(out, e);
	add_member(out, "route", first != NULL ? e->plan.groups[0].options.route : "default");
	if (first != NULL && first->facts.has_headers) {
		add_member(out, "subject", first->facts.subject);
		add_member(out, "message_id", first->facts.message_id);
		add_member(out, "from", first->facts.from);
	}
	add_routes(out, e);
	json_add_name(out, "items");
	buf_addc(out, '[');
	if (!e->refused && e->items.len > 0)
		buf_add(out, e->items.data, e->items.len);
	buf_addc(out, ']');
	add_sizes(out, e);
	for (size_t i = 0; e->groups != NULL && i < e->plan.group_count; i++)
		if (e->groups[i].facts.attachment_count > attachments)
			attachments = e->groups[i].facts.attachment_count;
	if (first != NULL && first->facts.has_parts)
		add_number(out, "attachments", attachments);
	add_number(out, "content_bytes", e->len);
	add_lost_anywhere(out, e);
	add_list(out, "warnings", &e->warnings);
	buf_addc(out, '}');
}
