/*
 * A mail explained.  The plan and the conversion do the work, the same as for a mail that comes by
 * SMTP; here is only what stands around them.
 */

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "config/config.h"
#include "mail/address.h"
#include "mail/mail.h"
#include "mail/mime.h"

#include "intake/explain_inside.h"
#include "intake/rules.h"

/* Where the relay-id of a real item begins with the time. */
static const char stand_in_id[] = "00000000000000000000000000";

void
explain_warn(struct explanation *e, const char *format, ...)
{
	char text[600], safe[600];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	text_safe(safe, sizeof(safe), text, strlen(text));
	/* Two groups of one route may have the same to say. */
	if (!strlist_has(&e->warnings, safe))
		strlist_add(&e->warnings, safe);
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
	if (bare_cr > 0 && !e->rules->config->smtp_normalize_line_ends)
		explain_warn(e,
		    "The mail has %zu bare CR, which SMTP refuses unless smtp.normalize-line-ends "
		    "is set.",
		    bare_cr);
	if (bare_lf > 0 && crlf > 0 && !e->rules->config->smtp_normalize_line_ends)
		explain_warn(e,
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
		explain_warn(e, "%zu entries of To, Cc and Bcc are no address that Postmark takes.",
		    list->unusable);
}

/* What the header says of an envelope that was not given whole. */
static void
envelope_from_header(struct explanation *e, bool want_reverse_path, bool want_recipients)
{
	struct mailbox_list from = { 0 }, to = { 0 };
	struct mime mime = { 0 };
	struct refusal refusal;

	/* The plan will say why not. */
	if (convert_read(&e->rules->limits, e->bytes, e->len, &mime, &refusal) != 0)
		goto free_mime;
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
		explain_warn(e, "No recipients were given, and To, Cc and Bcc name none.");

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
			explain_warn(
			    e, "The sender <%.200s>: %s.", given, address_fault_text(fault));
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

static const char *
or_empty(const char *text)
{
	return text != NULL ? text : "";
}

/* ---- the way of the mail ----------------------------------------------------------------- */

static void
refuse(struct explanation *e, const struct refusal *refusal)
{
	if (!e->refused)
		e->refusal = *refusal;
	e->refused = true;
}

/* What a session refuses before anybody looks at the mail. */
static int
session_check(const struct explanation *e, struct refusal *refusal_r)
{
	uint64_t most = e->rules->config->smtp_message_bytes;

	if (e->len > most) {
		refusal_set(refusal_r, 552, "5.3.4",
		    "mail of %zu bytes is over the limit of %" PRIu64 " bytes", e->len, most);
		return -1;
	}
	if (memchr(e->bytes, '\0', e->len) != NULL) {
		refusal_set(refusal_r, 550, "5.6.0", "the mail contains a NUL byte");
		return -1;
	}
	return 0;
}

static void
group_take(struct explanation *e, size_t index)
{
	const struct plan_group *group = &e->plan.groups[index];
	struct explained *told = &e->groups[index];
	const struct convert_input input =
	    plan_group_input(&e->plan, group, &e->question, stand_in_id, 0);
	struct mail *mail = NULL;

	told->refused = convert_mail_with_facts(
			    &group->options, &input, &told->facts, &mail, &told->refusal) != 0;
	if (told->refused) {
		refuse(e, &told->refusal);
		return;
	}
	for (size_t i = 0; i < mail->item_count; i++)
		if (mail->items[i].recipients.count > told->most_recipients)
			told->most_recipients = mail->items[i].recipients.count;
	if (!e->refused)
		explain_tell_items(e, group, told, mail);
	mail_free(&mail);
}

static void
mail_take(struct explanation *e)
{
	struct refusal refusal;

	e->question = (struct plan_input){ .envelope = &e->envelope,
		.origin = &e->origin,
		.content = e->bytes,
		.content_len = e->len };
	if (session_check(e, &refusal) != 0 ||
	    plan_make(&e->plan, e->rules, &e->question, &refusal) != 0) {
		refuse(e, &refusal);
		return;
	}
	if (e->envelope.recipients.count == 0) {
		refusal_set(&refusal, 554, "5.5.1", "no recipients");
		refuse(e, &refusal);
	}
	e->groups = mem_array(e->plan.group_count, sizeof(e->groups[0]));
	for (size_t i = 0; i < e->plan.group_count; i++)
		group_take(e, i);
}

static void
explanation_init(
    struct explanation *e, const struct rules *rules, const struct explain_input *input)
{
	*e = (struct explanation){ .rules = rules,
		.input = input,
		.bytes = "",
		.len = input->content_len,
		.origin = { .listener = or_empty(input->listener),
		    .client = or_empty(input->client),
		    .helo = "",
		    .user = or_empty(input->user) } };
	buf_init(&e->items, SIZE_MAX / 4);
}

static void
explanation_free(struct explanation *e)
{
	for (size_t i = 0; e->groups != NULL && i < e->plan.group_count; i++)
		convert_facts_free(&e->groups[i].facts);
	free(e->groups);
	plan_free(&e->plan);
	strlist_free(&e->warnings);
	envelope_free(&e->envelope);
	buf_free(&e->items);
	buf_free(&e->content);
}

void
explain(const struct rules *rules, const struct explain_input *input, struct buf *out)
{
	struct explanation e;

	explanation_init(&e, rules, input);
	content_take(&e);
	envelope_take(&e);
	mail_take(&e);
	explain_hints(&e);
	explain_tell(&e, out);
	explanation_free(&e);
}

void
explain_refused(const struct rules *rules, const struct explain_input *input,
    const struct refusal *refusal, struct buf *out)
{
	struct explanation e;

	explanation_init(&e, rules, input);
	refuse(&e, refusal);
	envelope_init(&e.envelope);
	if (input->reverse_path != NULL) {
		free(e.envelope.reverse_path);
		e.envelope.reverse_path = mem_string(input->reverse_path);
	}
	if (input->recipients != NULL)
		strlist_copy(&e.envelope.recipients, input->recipients);
	explain_tell(&e, out);
	explanation_free(&e);
}
