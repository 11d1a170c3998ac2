/*
 * Header fields: which become fields of the JSON, which go on, and which stay behind.  Nothing
 * leaves here with a line end or another control character in it: every value has passed
 * mime_clean().
 */

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/pattern.h"
#include "base/strlist.h"
#include "base/text.h"
#include "mail/envelope.h"
#include "mail/mime.h"
#include "mail/refusal.h"
#include "convert/convert.h"
#include "convert/controls.h"
#include "convert/ledger.h"
#include "convert/headers.h"

enum field_fate {
	FIELD_PASS,
	FIELD_IDENTIFIERS, /* passed on: nothing in it but identifiers or URLs in brackets */
	FIELD_URLS,
	FIELD_DROP,      /* transport noise, or Postmark's own: nobody misses it */
	FIELD_DROP_NOTE, /* lost, and the ledger says so */
	FIELD_TELLS,     /* dropped, because it says who got a copy: blind recipients, too */
	FIELD_DATE,
	FIELD_FROM,
	FIELD_SENDER,
	FIELD_TO,
	FIELD_CC,
	FIELD_REPLY_TO,
	FIELD_SUBJECT,
	FIELD_MESSAGE_ID,
	FIELD_CONTROL,
};

/*
 * Postmark refuses Reply-To, Date and Content-Type among Headers, and its own client library
 * keeps back the others of the second group.
 */
static const struct {
	const char *name;
	enum field_fate fate;
} fates[] = {
	{ "From", FIELD_FROM },
	{ "Sender", FIELD_SENDER },
	{ "To", FIELD_TO },
	{ "Cc", FIELD_CC },
	{ "Reply-To", FIELD_REPLY_TO },
	{ "Subject", FIELD_SUBJECT },
	{ "Message-ID", FIELD_MESSAGE_ID },
	{ "Date", FIELD_DATE },

	{ "Received", FIELD_DROP },
	{ "Return-Path", FIELD_DROP },
	{ "DKIM-Signature", FIELD_DROP },
	{ "ARC-Seal", FIELD_DROP },
	{ "ARC-Message-Signature", FIELD_DROP },
	{ "ARC-Authentication-Results", FIELD_DROP },
	{ "Authentication-Results", FIELD_DROP },
	{ "MIME-Version", FIELD_DROP },
	{ "Tag", FIELD_DROP_NOTE },
	{ "Attachment", FIELD_DROP_NOTE },
	{ "Track-Opens", FIELD_DROP_NOTE },
	{ "Track-Links", FIELD_DROP_NOTE },
	{ "Postmark-Template-Alias", FIELD_DROP_NOTE },
	{ "Message-Stream", FIELD_DROP_NOTE },
	/* RFC 5322 3.6.6: addresses that need not be in the envelope. */
	{ "Resent-To", FIELD_DROP_NOTE },
	{ "Resent-Cc", FIELD_DROP_NOTE },

	{ "Bcc", FIELD_TELLS },
	{ "Resent-Bcc", FIELD_TELLS },
	{ "X-Bcc", FIELD_TELLS },
	{ "Delivered-To", FIELD_TELLS },
	{ "X-Delivered-To", FIELD_TELLS },
	{ "X-Original-To", FIELD_TELLS },
	{ "Original-Recipient", FIELD_TELLS }, /* RFC 8098 2.3 */
	{ "X-Original-Recipient", FIELD_TELLS },
	{ "Envelope-To", FIELD_TELLS },
	{ "X-Envelope-To", FIELD_TELLS },
	{ "Apparently-To", FIELD_TELLS },
	{ "X-Apparently-To", FIELD_TELLS },
	{ "Rcpt-To", FIELD_TELLS },
	{ "X-Rcpt-To", FIELD_TELLS },
	{ "X-RcptTo", FIELD_TELLS },
	{ "X-Real-To", FIELD_TELLS },
	{ "X-Forwarded-To", FIELD_TELLS },
	{ "X-MDRcpt-To", FIELD_TELLS },
	{ "X-MDaemon-Deliver-To", FIELD_TELLS },
	{ "X-PM-RCPT", FIELD_TELLS },
	{ "X-Redirected-For", FIELD_TELLS }, /* another relay's: ours is not read */

	{ "References", FIELD_IDENTIFIERS },
	{ "In-Reply-To", FIELD_IDENTIFIERS },
	{ "List-Unsubscribe", FIELD_URLS }, /* RFC 2369, RFC 8058 */
	{ "List-Unsubscribe-Post", FIELD_IDENTIFIERS },
	{ "List-Subscribe", FIELD_URLS },
	{ "List-Help", FIELD_URLS },
	{ "List-Post", FIELD_URLS },
	{ "List-Owner", FIELD_URLS },
	{ "List-Archive", FIELD_URLS },

	{ "X-PM-Bounce-Type", FIELD_PASS },
};

static bool
name_starts(const char *name, size_t name_len, const char *prefix)
{
	size_t len = strlen(prefix);

	return name_len >= len && text_same_n(name, prefix, len);
}

static enum field_fate
field_fate(const char *name, size_t name_len)
{
	for (size_t i = 0; i < sizeof(fates) / sizeof(fates[0]); i++)
		if (strlen(fates[i].name) == name_len && text_same_n(name, fates[i].name, name_len))
			return fates[i].fate;
	if (name_starts(name, name_len, "X-PM-"))
		return FIELD_CONTROL;
	if (name_starts(name, name_len, "Content-"))
		return FIELD_DROP;
	return FIELD_PASS;
}

bool
headers_tell_on_recipients(const char *name, size_t name_len)
{
	return field_fate(name, name_len) == FIELD_TELLS;
}

bool
headers_is_control(const char *name, size_t name_len)
{
	return field_fate(name, name_len) == FIELD_CONTROL;
}

bool
headers_name_is_good(const char *name, size_t name_len)
{
	for (size_t i = 0; i < name_len; i++)
		if (name[i] <= ' ' || name[i] >= 0x7F || name[i] == ':')
			return false;
	return name_len > 0;
}

struct reading {
	struct headers *headers;
	const struct convert_options *options;
	struct ledger *ledger;
	struct refusal *refusal;
	struct mailbox_list from, sender, reply_to;
	size_t address_bytes; /* of all address fields so far */
	size_t from_fields;
	bool has_subject;
};

/*
 * A value that is no free text holds no encoded words (RFC 2047 section 5), and what looks like one
 * may be of a URL.  Some programs write them all the same, around the whole of it.
 */
static char *
structured_value(const struct mime_field *field)
{
	const char *value = field->value, *end = value + field->value_len;

	while (value < end && (unsigned char)*value <= ' ')
		value++;
	if (end - value > 2 && value[0] == '=' && value[1] == '?')
		return mime_decode_value(field->value, field->value_len);
	return mime_plain_value(field->value, field->value_len);
}

/* RFC 2369 section 2: white space within the brackets comes from folding and is no part of a URL.
 */
static void
urls_join(char *value)
{
	bool within = false;
	char *to = value;

	for (const char *c = value; *c != '\0'; c++) {
		if (*c == '<' || *c == '>')
			within = *c == '<';
		if (*c != ' ' || !within)
			*to++ = *c;
	}
	*to = '\0';
}

static void
pass(struct reading *r, const struct mime_field *field, char *value)
{
	if (value[0] == '\0') {
		free(value);
		return;
	}
	header_pairs_add(&r->headers->others, mem_bytes(field->name, field->name_len), value);
}

/*
 * A second To field is against RFC 5322 3.6 and common.  Each is read by itself, so that a quote or
 * comment which one leaves open does not swallow the next.
 */
static int
addresses_add(struct reading *r, struct mailbox_list *list, const struct mime_field *field)
{
	struct mailbox_list more;

	r->address_bytes += field->value_len;
	if (r->address_bytes > HEADERS_MOST_ADDRESS_BYTES) {
		refusal_set(r->refusal, 554, "5.6.0",
		    "the address fields of the header have %zu bytes or more, and the limit is %d",
		    r->address_bytes, HEADERS_MOST_ADDRESS_BYTES);
		return -1;
	}
	mailbox_list_parse(&more, field->value, field->value_len);
	mailbox_list_join(list, &more);
	return 0;
}

static int
refuse_length(struct refusal *refusal_r, const char *what, size_t units, size_t most)
{
	refusal_set(refusal_r, 554, "5.6.0",
	    "%s has %zu characters as Postmark counts, and its limit is %zu", what, units, most);
	return -1;
}

static void
subject_read(struct reading *r, const struct mime_field *field)
{
	if (r->has_subject) {
		ledger_note(r->ledger, LEDGER_HEADERS);
		return;
	}
	r->has_subject = true;
	free(r->headers->subject);
	r->headers->subject = mime_decode_value(field->value, field->value_len);
}

int
headers_check_subject(const struct headers *headers, struct refusal *refusal_r)
{
	size_t units = text_utf16_units(headers->subject, strlen(headers->subject));

	if (units <= HEADERS_MOST_SUBJECT)
		return 0;
	return refuse_length(refusal_r, "the subject", units, HEADERS_MOST_SUBJECT);
}

static void
message_id_read(struct reading *r, const struct mime_field *field)
{
	struct headers *h = r->headers;

	if (h->message_id[0] != '\0') {
		ledger_note(r->ledger, LEDGER_HEADERS);
		return;
	}
	free(h->message_id);
	h->message_id = structured_value(field);
	if (h->message_id[0] != '\0')
		header_pairs_add(&h->others, mem_string("Message-ID"), mem_string(h->message_id));
}

static int
field_read(struct reading *r, const struct mime_field *field)
{
	struct headers *h = r->headers;

	if (field->name_len > HEADERS_MOST_NAME) {
		refusal_set(r->refusal, 554, "5.6.0",
		    "the name of a header field has %zu characters, and the limit is %d",
		    field->name_len, HEADERS_MOST_NAME);
		return -1;
	}
	/* Postmark takes a name with a space, and breaks the mail. */
	if (!headers_name_is_good(field->name, field->name_len)) {
		ledger_note(r->ledger, LEDGER_HEADERS);
		return 0;
	}
	switch (field_fate(field->name, field->name_len)) {
	case FIELD_PASS:
		pass(r, field, mime_decode_value(field->value, field->value_len));
		break;
	case FIELD_IDENTIFIERS:
		pass(r, field, structured_value(field));
		break;
	case FIELD_URLS: {
		char *value = structured_value(field);

		urls_join(value);
		pass(r, field, value);
		break;
	}
	case FIELD_DROP:
	case FIELD_TELLS:
		break;
	case FIELD_DROP_NOTE:
		ledger_note(r->ledger, LEDGER_HEADERS);
		break;
	case FIELD_DATE:
		ledger_note(r->ledger, LEDGER_DATE);
		break;
	case FIELD_FROM:
		r->from_fields++;
		return addresses_add(r, &r->from, field);
	case FIELD_SENDER:
		return addresses_add(r, &r->sender, field);
	case FIELD_TO:
		return addresses_add(r, &h->to, field);
	case FIELD_CC:
		return addresses_add(r, &h->cc, field);
	case FIELD_REPLY_TO:
		return addresses_add(r, &r->reply_to, field);
	case FIELD_SUBJECT:
		subject_read(r, field);
		break;
	case FIELD_MESSAGE_ID:
		message_id_read(r, field);
		break;
	case FIELD_CONTROL:
		return controls_read(&h->controls, r->options, field, r->ledger, r->refusal);
	}
	return 0;
}

/* Postmark replaces a Message-ID unless it is told not to (X-PM-KeepID). */
static void
message_id_settle(struct headers *h)
{
	struct header_pairs *others = &h->others;

	if (h->message_id[0] == '\0')
		return;
	if (h->controls.keep_id) {
		header_pairs_add(others, mem_string("X-PM-KeepID"), mem_string("true"));
		return;
	}
	for (size_t i = 0; i < others->count; i++)
		if (strcmp(others->pairs[i].name, "Message-ID") == 0) {
			free(others->pairs[i].name);
			free(others->pairs[i].value);
			others->count--;
			memmove(&others->pairs[i], &others->pairs[i + 1],
			    (others->count - i) * sizeof(others->pairs[i]));
			break;
		}
}

/* The display name is cut so that the whole keeps Postmark's limit.  Takes nothing, cuts
 * box->name. */
static char *
from_print(struct reading *r, struct mailbox *box)
{
	struct buf out;

	buf_init(&out, SIZE_MAX / 4);
	mailbox_print(&out, box);
	if (box->name == NULL || text_utf16_units(out.data, out.len) <= HEADERS_MOST_FROM)
		return buf_take(&out, NULL);

	ledger_note(r->ledger, LEDGER_FROM_NAME);
	size_t len = strlen(box->name);
	/* A cut far off the limit first, then character by character: names of megabytes come. */
	if (len > 4 * HEADERS_MOST_FROM)
		len = 4 * HEADERS_MOST_FROM;
	do {
		do
			len--;
		while (len > 0 && ((unsigned char)box->name[len] & 0xC0) == 0x80);
		box->name[len] = '\0';
		if (len == 0) {
			free(box->name);
			box->name = NULL;
		}
		buf_clear(&out);
		mailbox_print(&out, box);
	} while (box->name != NULL && text_utf16_units(out.data, out.len) > HEADERS_MOST_FROM);
	return buf_take(&out, NULL);
}

static void
mailbox_copy(struct mailbox *to, const struct mailbox *from)
{
	to->name = from->name == NULL ? NULL : mem_string(from->name);
	to->address = mem_string(from->address);
}

static void
mailbox_free(struct mailbox *box)
{
	free(box->name);
	free(box->address);
	*box = (struct mailbox){ 0 };
}

/* Postmark takes exactly one author.  Leaves headers->author without an address where nobody is. */
static void
author_settle(struct reading *r, const char *reverse_path)
{
	const struct mailbox_list *from = &r->from, *sender = &r->sender;
	struct mailbox *author = &r->headers->author;
	char canonical[ADDRESS_SIZE];

	if (from->count > 1)
		ledger_note(r->ledger, LEDGER_AUTHORS);
	if (from->count == 1) {
		mailbox_copy(author, &from->boxes[0]);
		if (sender->count > 0 && strcmp(sender->boxes[0].address, author->address) != 0)
			ledger_note(r->ledger, LEDGER_SENDER);
	} else if (sender->count > 0) {
		/* RFC 5322 3.6.2: with several authors it says who sent the mail. */
		mailbox_copy(author, &sender->boxes[0]);
	} else if (from->count > 1) {
		mailbox_copy(author, &from->boxes[0]);
	} else if (address_canonical(reverse_path, strlen(reverse_path), canonical) == ADDRESS_OK) {
		author->address = mem_string(canonical);
	}
	if (from->count == 0)
		ledger_note(r->ledger, LEDGER_FROM);
	r->headers->from_replaced = from->count == 0;
}

static bool
is_authorised(const struct convert_options *options, const char *address)
{
	const struct strlist *list = options->from_authorised;

	for (size_t i = 0; list != NULL && i < list->count; i++)
		if (pattern_glob(list->items[i], address))
			return true;
	return false;
}

static bool
is_to_be_rewritten(const struct convert_options *options, const struct mailbox *author)
{
	switch (options->from_rewrite) {
	case FROM_OFF:
		return false;
	case FROM_IF_UNAUTHORISED:
		return !is_authorised(options, author->address);
	case FROM_FORCE:
		return true;
	}
	return false;
}

/*
 * Of several addresses, or what looks like one and cannot be read, Postmark's JSON gets the one
 * that was asked about.  A mail that goes as it is must not show it the others instead.
 */
static bool
is_only_author(const struct reading *r)
{
	return r->from_fields == 1 && r->from.count == 1 && r->from.unusable == 0;
}

/* The route's From in place of the author, who then gets the replies. */
static void
author_replace(struct reading *r, const struct mailbox *ours)
{
	struct headers *h = r->headers;

	mailbox_free(&h->from_mailbox);
	mailbox_copy(&h->from_mailbox, ours);
	h->from_replaced = true;
	if (h->author.address == NULL || strcmp(h->author.address, ours->address) == 0)
		return;
	ledger_note(r->ledger, LEDGER_FROM_REWRITTEN);
	if (r->reply_to.count == 0) {
		struct buf out;

		buf_init(&out, SIZE_MAX / 4);
		mailbox_print(&out, &h->author);
		h->reply_to = buf_take(&out, NULL);
		h->reply_to_is_ours = true;
	}
}

static int
from_settle(struct reading *r, const char *reverse_path)
{
	struct headers *h = r->headers;
	struct mailbox_list ours;
	int result = 0;

	author_settle(r, reverse_path);
	mailbox_list_parse(&ours, r->options->from == NULL ? "" : r->options->from,
	    r->options->from == NULL ? 0 : strlen(r->options->from));
	if (h->author.address != NULL)
		mailbox_copy(&h->from_mailbox, &h->author);
	if (ours.count > 0 &&
	    (h->author.address == NULL || is_to_be_rewritten(r->options, &h->author)))
		author_replace(r, &ours.boxes[0]);
	else if (ours.count > 0 && r->options->from_rewrite != FROM_OFF && !is_only_author(r))
		h->from_replaced = true;
	mailbox_list_free(&ours);

	if (h->from_mailbox.address != NULL) {
		h->from = from_print(r, &h->from_mailbox);
		size_t units = text_utf16_units(h->from, strlen(h->from));
		if (units > HEADERS_MOST_FROM)
			result =
			    refuse_length(r->refusal, "the From address", units, HEADERS_MOST_FROM);
	} else {
		refusal_set(r->refusal, 550, "5.6.0",
		    "no author: neither From nor Sender has an address that Postmark takes, and "
		    "the envelope sender is empty");
		result = -1;
	}
	return result;
}

/* Whom a mail was for before staging changed its envelope. */
static void
redirected_settle(struct reading *r, const struct strlist *redirected)
{
	struct headers *h = r->headers;
	struct buf out;
	size_t i;

	if (redirected == NULL)
		return;
	ledger_note(r->ledger, LEDGER_REDIRECTED);
	buf_init(&out, SIZE_MAX / 4);
	for (i = 0; i < redirected->count; i++) {
		const char *address = redirected->items[i];

		if (out.len + strlen(address) > HEADERS_MOST_REDIRECTED_BYTES)
			break;
		buf_addf(&out, "%s%s", i > 0 ? ", " : "", address);
	}
	if (i < redirected->count)
		buf_addf(&out, "%sand %zu more", i > 0 ? " " : "", redirected->count - i);
	if (out.len > 0) {
		h->redirected = mime_clean(out.data, out.len);
		header_pairs_add(
		    &h->others, mem_string("X-Redirected-For"), mem_string(h->redirected));
	}
	buf_free(&out);
}

static void
reply_to_settle(struct reading *r)
{
	struct buf out;

	buf_init(&out, SIZE_MAX / 4);
	for (size_t i = 0; i < r->reply_to.count; i++)
		mailbox_print(&out, &r->reply_to.boxes[i]);
	if (r->reply_to.unusable > 0)
		ledger_note(r->ledger, LEDGER_HEADERS);
	if (out.len > 0)
		r->headers->reply_to = buf_take(&out, NULL);
	buf_free(&out);
}

static int
settle(struct reading *r, const struct convert_input *input)
{
	struct headers *h = r->headers;

	message_id_settle(h);
	if (h->to.unusable + h->cc.unusable > 0)
		ledger_note(r->ledger, LEDGER_SHOWN);
	reply_to_settle(r);
	redirected_settle(r, input->redirected);
	if (controls_settle(&h->controls, r->options, r->refusal) != 0)
		return -1;
	return from_settle(r, input->envelope->reverse_path);
}

int
headers_read(struct headers *headers, const struct convert_options *options,
    const struct mime *mime, const struct convert_input *input, struct ledger *ledger,
    struct refusal *refusal_r)
{
	struct reading r = {
		.headers = headers, .options = options, .ledger = ledger, .refusal = refusal_r
	};
	int result = 0;

	*headers = (struct headers){ .subject = mem_string(""), .message_id = mem_string("") };
	controls_init(&headers->controls, options);
	for (size_t i = 0; i < mime->field_count && result == 0; i++)
		result = field_read(&r, &mime->fields[i]);
	if (result == 0)
		result = settle(&r, input);
	mailbox_list_free(&r.from);
	mailbox_list_free(&r.sender);
	mailbox_list_free(&r.reply_to);
	return result;
}

void
headers_free(struct headers *headers)
{
	free(headers->from);
	mailbox_free(&headers->from_mailbox);
	mailbox_free(&headers->author);
	mailbox_list_free(&headers->to);
	mailbox_list_free(&headers->cc);
	free(headers->reply_to);
	free(headers->subject);
	free(headers->message_id);
	free(headers->redirected);
	header_pairs_free(&headers->others);
	controls_free(&headers->controls);
	*headers = (struct headers){ 0 };
}
