/*
 * A mail explained.  The conversion itself does the work, the same as for a mail that comes by
 * SMTP; here is only what stands around it, and the object that tells of it.
 */

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
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
#include "convert/ledger.h"

#include "intake/explain.h"

/* Where the relay-id of a real item begins with the time. */
static const char stand_in_id[] = "00000000000000000000000000";
/* For a mail whose header cannot be read: the conversion says why, and needs a recipient for it. */
static const char stand_in_recipient[] = "nobody@invalid";

struct explanation {
	const struct convert_options *options;
	const struct explain_input *input;
	struct buf content; /* with CRLF line ends, when the input had others */
	const char *bytes;
	size_t len;
	struct envelope envelope;
	bool from_headers, unreadable;
	struct strlist warnings;
	struct convert_facts facts;
	struct mail *mail;
	struct refusal refusal;
};

static void warn(struct explanation *, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void
warn(struct explanation *e, const char *format, ...)
{
	char text[600], safe[600];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	strlist_add(&e->warnings, text_safe(safe, sizeof(safe), text, strlen(text)));
}

/* ---- the content ------------------------------------------------------------------------- */

/* Line ends as SMTP has them (RFC 5321 2.3.8). */
static void
content_take(struct explanation *e)
{
	const char *from = e->input->content, *end = from + e->input->content_len, *nl;
	size_t bare_lf = 0, crlf = 0, bare_cr = 0;

	for (const char *at = from; (nl = memchr(at, '\n', (size_t)(end - at))) != NULL;
	     at = nl + 1)
		*(nl > from && nl[-1] == '\r' ? &crlf : &bare_lf) += 1;
	for (const char *at = from; (nl = memchr(at, '\r', (size_t)(end - at))) != NULL;
	     at = nl + 1)
		bare_cr += nl + 1 == end || nl[1] != '\n';
	if (bare_cr > 0)
		warn(e,
		    "The mail has %zu bare CR, which SMTP refuses unless smtp.normalize-line-ends "
		    "is set.",
		    bare_cr);
	if (bare_lf > 0 && crlf > 0)
		warn(e,
		    "The mail mixes line ends: %zu bare LF were made CRLF, which SMTP refuses "
		    "unless smtp.normalize-line-ends is set.",
		    bare_lf);
	e->bytes = from;
	e->len = e->input->content_len;
	if (bare_lf == 0)
		return;

	buf_init(&e->content, e->len + bare_lf);
	for (const char *at = from; at < end;) {
		nl = memchr(at, '\n', (size_t)(end - at));
		buf_add(&e->content, at, (size_t)((nl == NULL ? end : nl) - at));
		if (nl == NULL)
			break;
		if (nl == from || nl[-1] != '\r')
			buf_addc(&e->content, '\r');
		buf_addc(&e->content, '\n');
		at = nl + 1;
	}
	e->bytes = e->content.data;
	e->len = e->content.len;
}

/* ---- the envelope ------------------------------------------------------------------------ */

static void
take_addresses(struct explanation *e, const struct mailbox_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		strlist_add(&e->envelope.recipients, list->boxes[i].address);
	if (list->unusable > 0)
		warn(e, "%zu entries of To, Cc and Bcc are no address that Postmark takes.",
		    list->unusable);
}

/* What the header says of an envelope that was not given whole. */
static void
envelope_from_header(struct explanation *e, bool want_reverse_path, bool want_recipients)
{
	const struct mime_limits limits = { .depth = e->options->limits.depth,
		.parts = e->options->limits.parts,
		.fields = e->options->limits.headers };
	struct mailbox_list from = { 0 }, to = { 0 };
	struct mime mime = { 0 };
	size_t figure;

	if (mime_parse(&mime, e->bytes, e->len, &limits, &figure) != MIME_DONE) {
		e->unreadable = true;
		goto free_mime;
	}
	for (size_t i = 0; i < mime.field_count; i++) {
		const struct mime_field *field = &mime.fields[i];
		struct mailbox_list more;

		if (want_reverse_path && from.count == 0 && mime_field_is(field, "From")) {
			mailbox_list_free(&from);
			mailbox_list_parse(&from, field->value, field->value_len);
		}
		if (!want_recipients ||
		    (!mime_field_is(field, "To") && !mime_field_is(field, "Cc") &&
			!mime_field_is(field, "Bcc")))
			continue;
		mailbox_list_parse(&more, field->value, field->value_len);
		mailbox_list_join(&to, &more);
		mailbox_list_free(&more);
	}
	if (from.count > 0) {
		free(e->envelope.reverse_path);
		e->envelope.reverse_path = mem_string(from.boxes[0].address);
	}
	take_addresses(e, &to);
	if (want_recipients && e->envelope.recipients.count == 0)
		warn(e, "No recipients were given, and To, Cc and Bcc name none.");

free_mime:
	mailbox_list_free(&from);
	mailbox_list_free(&to);
	mime_free(&mime);
}

static void
envelope_take(struct explanation *e)
{
	const struct explain_input *input = e->input;
	const char *given = input->reverse_path == NULL ? "" : input->reverse_path;
	char canonical[ADDRESS_SIZE];
	enum address_fault fault;

	envelope_init(&e->envelope);
	free(e->envelope.reverse_path);
	e->envelope.reverse_path = mem_string(strcmp(given, "<>") == 0 ? "" : given);
	if (e->envelope.reverse_path[0] != '\0') {
		fault = address_canonical(given, strlen(given), canonical);
		if (fault == ADDRESS_OK) {
			free(e->envelope.reverse_path);
			e->envelope.reverse_path = mem_string(canonical);
		} else {
			warn(e, "The sender <%.200s>: %s.", given, address_fault_text(fault));
		}
	}
	e->from_headers = input->recipients == NULL || input->recipients->count == 0;
	for (size_t i = 0; !e->from_headers && i < input->recipients->count; i++) {
		const char *address = input->recipients->items[i];

		/* One that is wrong is left for the conversion to refuse. */
		fault = address_canonical(address, strlen(address), canonical);
		strlist_add(&e->envelope.recipients, fault == ADDRESS_OK ? canonical : address);
	}
	if (given[0] == '\0' || e->from_headers)
		envelope_from_header(e, given[0] == '\0', e->from_headers);
}

static int
conversion_ask(struct explanation *e)
{
	const struct origin origin = { .listener = "", .client = "", .helo = "", .user = "" };
	const struct convert_input input = { .envelope = &e->envelope,
		.origin = &origin,
		.content = e->bytes,
		.content_len = e->len,
		.mail_id = stand_in_id };
	bool stands_in = e->unreadable && e->from_headers;
	int result;

	if (stands_in)
		strlist_add(&e->envelope.recipients, stand_in_recipient);
	result = convert_mail_with_facts(e->options, &input, &e->facts, &e->mail, &e->refusal);
	if (stands_in)
		strlist_free(&e->envelope.recipients);
	return result;
}

/* ---- the object -------------------------------------------------------------------------- */

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
add_text_member(struct buf *out, const char *name, const char *text)
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
add_envelope(struct buf *out, const struct explanation *e)
{
	json_add_name(out, "envelope");
	buf_addc(out, '{');
	add_text_member(out, "reverse_path", e->envelope.reverse_path);
	add_list(out, "recipients", &e->envelope.recipients);
	add_bool(out, "from_headers", e->from_headers);
	buf_addc(out, '}');
}

static void
add_refusal(struct buf *out, const struct refusal *refusal)
{
	json_add_name(out, "refusal");
	buf_addc(out, '{');
	add_number(out, "code", (uint64_t)refusal->code);
	add_text_member(out, "status", refusal->enhanced);
	add_text_member(out, "text", refusal->text);
	buf_addc(out, '}');
}

/* Adds "json":…; false: there is no room for it or it cannot be read. */
static bool
add_message(struct buf *out, const struct mail *mail, const struct item *item, size_t most)
{
	size_t bytes = item->payload.len + mail->shared.len, start = out->len;

	json_add_name(out, "json");
	if (bytes <= most && payload_read(&item->payload, out) == 0 &&
	    payload_read(&mail->shared, out) == 0)
		return true;
	out->len = start;
	json_add_name(out, "json");
	buf_adds(out, "null");
	return false;
}

static void
add_items(struct buf *out, struct explanation *e)
{
	size_t left = e->input->most_bytes, left_out = 0;

	json_add_name(out, "items");
	buf_addc(out, '[');
	for (size_t i = 0; e->mail != NULL && i < e->mail->item_count; i++) {
		const struct item *item = &e->mail->items[i];
		size_t bytes = item->payload.len + e->mail->shared.len;

		if (i > 0)
			buf_addc(out, ',');
		buf_addc(out, '{');
		add_number(out, "number", item->number);
		add_list(out, "recipients", &item->recipients);
		add_text_member(out, "to", e->facts.written[i].to);
		add_text_member(out, "cc", e->facts.written[i].cc);
		add_text_member(out, "bcc", e->facts.written[i].bcc);
		add_number(out, "bytes", bytes);
		if (add_message(out, e->mail, item, left))
			left -= bytes;
		else
			left_out++;
		buf_addc(out, '}');
	}
	buf_addc(out, ']');
	if (left_out > 0)
		warn(e,
		    "The messages of %zu items are not shown whole: they are too large together.",
		    left_out);
}

static void
add_size(struct buf *out, const char *what, uint64_t figure, uint64_t limit, const char *unit)
{
	if (out->data[out->len - 1] == '}')
		buf_addc(out, ',');
	buf_addc(out, '{');
	add_text_member(out, "what", what);
	add_number(out, "bytes", figure);
	add_number(out, "limit", limit);
	add_text_member(out, "unit", unit);
	buf_addc(out, '}');
}

static void
add_sizes(struct buf *out, const struct explanation *e)
{
	const struct convert_facts *facts = &e->facts;
	const struct convert_options *options = e->options;
	size_t most = 0;

	json_add_name(out, "sizes");
	buf_addc(out, '[');
	if (facts->largest_bytes > 0)
		add_size(out, "message", facts->largest_bytes, options->most_api_bytes, "bytes");
	if (facts->has_parts) {
		add_size(out, "TextBody", facts->text_bytes, options->most_body_bytes, "bytes");
		add_size(out, "HtmlBody", facts->html_bytes, options->most_body_bytes, "bytes");
	}
	for (size_t i = 0; e->mail != NULL && i < e->mail->item_count; i++)
		if (e->mail->items[i].recipients.count > most)
			most = e->mail->items[i].recipients.count;
	if (most > 0)
		add_size(out, "recipients", most, options->most_recipients, "recipients");
	if (facts->has_headers) {
		add_size(
		    out, "subject", facts->subject_units, HEADERS_MOST_SUBJECT, "UTF-16 units");
		add_size(out, "tag", facts->tag_units, HEADERS_MOST_TAG, "UTF-16 units");
		add_size(out, "metadata", facts->metadata_count, HEADERS_MOST_METADATA, "pairs");
	}
	buf_addc(out, ']');
}

static void
add_loss(struct buf *out, const char *word, const char *text)
{
	if (out->data[out->len - 1] == '}')
		buf_addc(out, ',');
	buf_addc(out, '{');
	add_text_member(out, "word", word);
	add_text_member(out, "text", text);
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
explanation_print(struct explanation *e, bool ok, struct buf *out)
{
	buf_addc(out, '{');
	add_bool(out, "ok", ok);
	if (!ok)
		add_refusal(out, &e->refusal);
	add_envelope(out, e);
	add_text_member(out, "route", e->options->route);
	if (e->facts.has_headers) {
		add_text_member(out, "subject", e->facts.subject);
		add_text_member(out, "message_id", e->facts.message_id);
		add_text_member(out, "from", e->facts.from);
	}
	add_items(out, e);
	add_sizes(out, e);
	if (e->facts.has_parts)
		add_number(out, "attachments", e->facts.attachment_count);
	add_number(out, "content_bytes", e->len);
	add_lost(out, &e->facts.ledger);
	add_list(out, "warnings", &e->warnings);
	buf_addc(out, '}');
}

static void
explanation_free(struct explanation *e)
{
	mail_free(&e->mail);
	convert_facts_free(&e->facts);
	strlist_free(&e->warnings);
	envelope_free(&e->envelope);
	buf_free(&e->content);
}

void
explain(const struct convert_options *options, const struct explain_input *input, struct buf *out)
{
	struct explanation e = { .options = options, .input = input };

	content_take(&e);
	envelope_take(&e);
	explanation_print(&e, conversion_ask(&e) == 0, out);
	explanation_free(&e);
}

void
explain_refused(const struct convert_options *options, const struct explain_input *input,
    const struct refusal *refusal, struct buf *out)
{
	struct explanation e = { .options = options,
		.input = input,
		.bytes = "",
		.len = input->content_len,
		.refusal = *refusal };

	envelope_init(&e.envelope);
	if (input->reverse_path != NULL) {
		free(e.envelope.reverse_path);
		e.envelope.reverse_path = mem_string(input->reverse_path);
	}
	if (input->recipients != NULL)
		strlist_copy(&e.envelope.recipients, input->recipients);
	explanation_print(&e, false, out);
	explanation_free(&e);
}
