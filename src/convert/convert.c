/* The way of a mail through the conversion, step by step, and what each step may refuse. */

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "mail/address.h"
#include "mail/envelope.h"
#include "mail/mail.h"
#include "mail/mime.h"
#include "mail/refusal.h"
#include "convert/convert.h"
#include "convert/guard.h"
#include "convert/headers.h"
#include "convert/item.h"
#include "convert/ledger.h"
#include "convert/parts.h"
#include "convert/policy.h"
#include "convert/recipients.h"
#include "convert/template.h"
#include "convert/verbatim.h"

#define SUBJECT_FOR_PEOPLE 250

struct conversion {
	const struct convert_options *options;
	const struct convert_input *input;
	struct refusal *refusal;
	struct convert_facts *facts; /* NULL: the log is told instead */
	const struct mime *mime;
	struct mime own_mime; /* where the caller had none */
	struct headers headers;
	struct parts parts;
	struct recipients_split split;
	struct ledger ledger;
	struct mail *mail;
	struct guard_item *written;
	size_t largest_bytes;
	bool has_headers, has_parts;
	bool verbatim;
	enum ledger_entry verbatim_for;
	bool has_template;
	struct template template;
	struct buf top; /* of a verbatim mail, for the guard */
};

void
convert_setup(void)
{
	mime_setup();
}

/* The session has looked at them already; nothing here depends on that. */
static int
envelope_check(struct conversion *c)
{
	const struct strlist *recipients = &c->input->envelope->recipients;
	char canonical[ADDRESS_SIZE];

	if (recipients->count == 0) {
		refusal_set(c->refusal, 554, "5.5.1", "no recipients");
		return -1;
	}
	for (size_t i = 0; i < recipients->count; i++) {
		const char *address = recipients->items[i];
		enum address_fault fault = address_canonical(address, strlen(address), canonical);

		if (fault == ADDRESS_OK && strcmp(canonical, address) == 0)
			continue;
		refusal_set(c->refusal, 553, "5.1.3", "recipient <%.200s>: %s", address,
		    address_fault_text(fault == ADDRESS_OK ? ADDRESS_SYNTAX : fault));
		return -1;
	}
	return 0;
}

int
convert_read(const struct convert_limits *limits, const char *content, size_t len,
    struct mime *mime_r, struct refusal *refusal_r)
{
	const struct mime_limits mime_limits = {
		.depth = limits->depth, .parts = limits->parts, .fields = limits->headers
	};
	size_t figure;

	switch (mime_parse(mime_r, content, len, &mime_limits, &figure)) {
	case MIME_DONE:
		return 0;
	case MIME_TOO_MANY_FIELDS:
		refusal_set(refusal_r, 554, "5.6.0",
		    "the header has %zu fields, and the limit is %u", figure, limits->headers);
		break;
	case MIME_TOO_DEEP:
		refusal_set(refusal_r, 554, "5.6.0",
		    "multiparts are nested deeper than the limit of %u, or too deep for their size",
		    limits->depth);
		break;
	case MIME_TOO_MANY_PARTS:
		refusal_set(refusal_r, 554, "5.6.0",
		    "the message has more than the %u MIME parts that are the limit",
		    limits->parts);
		break;
	}
	return -1;
}

static int
content_read(struct conversion *c)
{
	const struct convert_input *input = c->input;

	c->mime = input->mime != NULL ? input->mime : &c->own_mime;
	if (input->mime != NULL)
		return 0;
	return convert_read(
	    &c->options->limits, input->content, input->content_len, &c->own_mime, c->refusal);
}

static int
guard_ask(struct conversion *c)
{
	const struct envelope *envelope = c->input->envelope;
	char why[400];
	bool good;

	if (c->verbatim)
		good = guard_check_verbatim(c->mail->items, c->mail->item_count,
		    envelope->recipients.items, envelope->recipients.count, c->top.data, c->top.len,
		    why, sizeof(why));
	else
		good = guard_check(c->written, c->mail->item_count, envelope->recipients.items,
		    envelope->recipients.count, c->mime->header, c->mime->header_len, why,
		    sizeof(why));
	if (good)
		return 0;
	if (c->facts != NULL)
		c->facts->guard = mem_string(why);
	else
		log_error("guard", log_str("mail", c->input->mail_id), log_str("why", why),
		    log_str("from", envelope->reverse_path),
		    log_str("client", c->input->origin->client),
		    log_num("recipients", (int64_t)envelope->recipients.count),
		    log_num("items", (int64_t)c->mail->item_count));
	refusal_set(c->refusal, 451, "4.3.0",
	    "this message would have reached or shown somebody it must not; the operator has been "
	    "told");
	return -1;
}

/* At a character's start. */
static char *
text_cut(const char *text, size_t most)
{
	size_t len = strlen(text);

	if (len > most) {
		len = most;
		while (len > 0 && ((unsigned char)text[len] & 0xC0) == 0x80)
			len--;
	}
	return mem_bytes(text, len);
}

static void
mail_describe(struct conversion *c)
{
	const struct convert_input *input = c->input;
	struct mail *mail = c->mail;

	mail->accepted_ms = input->accepted_ms;
	mail->reverse_path = mem_string(input->envelope->reverse_path);
	mail->route = mem_string(c->options->route);
	mail->listener = mem_string(input->origin->listener);
	mail->client = mem_string(input->origin->client);
	mail->helo = mem_string(input->origin->helo);
	mail->message_id = mem_string(c->headers.message_id);
	mail->from = mem_string(c->headers.from);
	mail->subject = text_cut(c->headers.subject, SUBJECT_FOR_PEOPLE);
	mail->ledger = ledger_print(&c->ledger);
	mail->content_bytes = input->content_len;
	mail->captured = c->options->captured;
	mail->reply = c->options->reply;
	mail->reply_within_ms = c->options->reply_within_ms;
}

/* What a mail that goes unchanged does not lose. */
static void
ledger_keep_verbatim(struct ledger *ledger, const struct headers *headers)
{
	if (!headers->from_replaced)
		ledger->set &= ~(1U << LEDGER_AUTHORS);
	ledger->set &= 1U << LEDGER_FROM | 1U << LEDGER_AUTHORS | 1U << LEDGER_FROM_NAME |
		       1U << LEDGER_FROM_REWRITTEN | 1U << LEDGER_CONTROLS |
		       1U << LEDGER_REDIRECTED;
	ledger->undecodable = 0;
}

/*
 * How the mail goes.  Postmark's SMTP service has no templates: the mail's own word for one wins
 * over a policy, and a policy over the route's template.
 */
static int
way_decide(struct conversion *c)
{
	const struct convert_options *options = c->options;
	struct template_input template = { .rule = options->template,
		.mail_may_say = (options->controls & 1U << CONTROL_TEMPLATE) != 0,
		.mime = c->mime,
		.headers = &c->headers,
		.patterns = c->input->patterns };
	int result;

	if (policy_decide(options, &c->ledger, &c->verbatim, &c->verbatim_for, c->refusal) != 0)
		return -1;
	template.mail_must_say = c->verbatim;
	result = template_read(
	    &c->template, &c->has_template, &template, &c->parts, &c->ledger, c->refusal);
	if (c->template.gave_up != NULL && c->facts != NULL)
		c->facts->gave_up = mem_string(c->template.gave_up);
	else if (c->template.gave_up != NULL)
		log_warning("template-pattern", log_str("mail", c->input->mail_id),
		    log_str("route", options->route), log_str("pattern", c->template.gave_up),
		    log_str("why", "it ran into a limit, and counts as not matching"));
	if (result != 0)
		return -1;
	if (c->has_template) {
		c->verbatim = false;
		c->ledger.set &= ~(1U << LEDGER_NO_BODY);
		return 0;
	}
	if (headers_check_subject(&c->headers, c->refusal) != 0)
		return -1;
	return parts_check_bodies(&c->parts, options, c->refusal);
}

static int
items_make(struct conversion *c)
{
	const struct convert_input *input = c->input;

	recipients_split(&c->split, &input->envelope->recipients, &c->headers.to, &c->headers.cc,
	    c->options->most_recipients);
	if (c->split.shown_dropped > 0)
		ledger_note(&c->ledger, LEDGER_SHOWN);
	const struct item_input items = { .options = c->options,
		.headers = &c->headers,
		.parts = &c->parts,
		.split = &c->split,
		.template = c->has_template ? &c->template : NULL,
		.content_len = input->content_len,
		.largest_r = &c->largest_bytes };
	return item_make_all(&items, c->mail, &c->written, c->refusal);
}

static int
verbatim_make(struct conversion *c)
{
	const struct verbatim_input verbatim = { .options = c->options,
		.input = c->input,
		.mime = c->mime,
		.headers = &c->headers,
		.largest_r = &c->largest_bytes };

	ledger_keep_verbatim(&c->ledger, &c->headers);
	return verbatim_make_all(&verbatim, c->mail, &c->top, c->refusal);
}

static int
convert(struct conversion *c)
{
	const struct convert_input *input = c->input;

	if (envelope_check(c) != 0 || content_read(c) != 0 ||
	    headers_read(&c->headers, c->options, c->mime, input, &c->ledger, c->refusal) != 0)
		return -1;
	c->has_headers = true;
	if (parts_read(&c->parts, c->mime, &c->ledger, c->refusal) != 0)
		return -1;
	c->has_parts = true;
	if (way_decide(c) != 0)
		return -1;

	c->mail = mail_new();
	memcpy(c->mail->id, input->mail_id, strnlen(input->mail_id, ULID_LEN));
	if ((c->verbatim ? verbatim_make(c) : items_make(c)) != 0 || guard_ask(c) != 0)
		return -1;
	mail_describe(c);
	return 0;
}

static void
facts_take(struct convert_facts *facts, struct conversion *c)
{
	facts->ledger = c->ledger;
	facts->largest_bytes = c->largest_bytes;
	facts->has_headers = c->has_headers;
	if (c->has_headers) {
		const struct headers *headers = &c->headers;

		facts->from = mem_string(headers->from);
		facts->author =
		    mem_string(headers->author.address == NULL ? "" : headers->author.address);
		facts->subject = mem_string(headers->subject);
		facts->message_id = mem_string(headers->message_id);
		facts->tag = mem_string(headers->controls.tag);
		facts->message_stream = mem_string(headers->controls.message_stream);
		facts->subject_units = text_utf16_units(headers->subject, strlen(headers->subject));
		facts->tag_units =
		    text_utf16_units(headers->controls.tag, strlen(headers->controls.tag));
		facts->metadata_count = headers->controls.metadata.count + 1;
	}
	facts->has_parts = c->has_parts;
	if (c->has_parts) {
		facts->text_bytes = c->parts.text.len;
		facts->html_bytes = c->parts.html.len;
		facts->attachment_count = c->parts.attachment_count;
	}
	facts->verbatim = c->verbatim;
	facts->verbatim_for = c->verbatim_for;
	if (c->has_template)
		facts->template =
		    mem_string(c->template.id != NULL ? c->template.id : c->template.alias);
	else
		facts->template = mem_string("");
	facts->written = c->written;
	facts->written_count = c->written == NULL ? 0 : c->split.item_count;
	c->written = NULL;
}

void
convert_facts_free(struct convert_facts *facts)
{
	free(facts->from);
	free(facts->author);
	free(facts->subject);
	free(facts->message_id);
	free(facts->tag);
	free(facts->message_stream);
	free(facts->template);
	free(facts->gave_up);
	free(facts->guard);
	item_written_free(&facts->written, facts->written_count);
	*facts = (struct convert_facts){ 0 };
}

int
convert_mail_with_facts(const struct convert_options *options, const struct convert_input *input,
    struct convert_facts *facts, struct mail **mail_r, struct refusal *refusal_r)
{
	struct conversion c = {
		.options = options, .input = input, .refusal = refusal_r, .facts = facts
	};
	int result;

	buf_init(&c.top, SIZE_MAX / 4);
	result = convert(&c);
	if (facts != NULL)
		facts_take(facts, &c);
	item_written_free(&c.written, c.split.item_count);
	recipients_free(&c.split);
	buf_free(&c.top);
	template_free(&c.template);
	parts_free(&c.parts);
	headers_free(&c.headers);
	mime_free(&c.own_mime);
	if (result != 0)
		mail_free(&c.mail);
	*mail_r = c.mail;
	return result;
}

int
convert_mail(const struct convert_options *options, const struct convert_input *input,
    struct mail **mail_r, struct refusal *refusal_r)
{
	return convert_mail_with_facts(options, input, NULL, mail_r, refusal_r);
}
