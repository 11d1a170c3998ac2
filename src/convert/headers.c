/*
 * Header fields: which become fields of the JSON, which go on, which stay behind, and what the
 * X-PM-* controls ask for.  Nothing leaves here with a line end or another control character in
 * it: every value has passed mime_clean().
 */

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "mail/mime.h"
#include "mail/refusal.h"
#include "convert/convert.h"
#include "convert/headers.h"
#include "convert/ledger.h"

enum field_fate {
	FIELD_PASS,
	FIELD_DROP,      /* transport noise, or Postmark's own: nobody misses it */
	FIELD_DROP_NOTE, /* lost, and the ledger says so */
	FIELD_DATE,
	FIELD_FROM,
	FIELD_SENDER,
	FIELD_TO,
	FIELD_CC,
	FIELD_REPLY_TO,
	FIELD_SUBJECT,
	FIELD_MESSAGE_ID,
	FIELD_TAG,
	FIELD_TRACK_OPENS,
	FIELD_TRACK_LINKS,
	FIELD_MESSAGE_STREAM,
	FIELD_KEEP_ID,
	FIELD_METADATA,
	FIELD_OTHER_CONTROL,
};

/*
 * Postmark refuses Reply-To, Date and Content-Type among Headers, and its own client library
 * keeps back the others of the second group.  Those of the third
 * say who got a copy of a mail, and would tell on blind recipients.
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

	{ "Bcc", FIELD_DROP },
	{ "Resent-Bcc", FIELD_DROP },
	{ "Delivered-To", FIELD_DROP },
	{ "X-Original-To", FIELD_DROP },
	{ "Envelope-To", FIELD_DROP },
	{ "X-Envelope-To", FIELD_DROP },
	{ "Apparently-To", FIELD_DROP },

	{ "X-PM-Tag", FIELD_TAG },
	{ "X-PM-TrackOpens", FIELD_TRACK_OPENS },
	{ "X-PM-Track-Opens", FIELD_TRACK_OPENS },
	{ "X-PM-TrackLinks", FIELD_TRACK_LINKS },
	{ "X-PM-Track-Links", FIELD_TRACK_LINKS },
	{ "X-PM-Message-Stream", FIELD_MESSAGE_STREAM },
	{ "X-PM-MessageStream", FIELD_MESSAGE_STREAM },
	{ "X-PM-KeepID", FIELD_KEEP_ID },
	{ "X-PM-Bounce-Type", FIELD_PASS },
};

#define METADATA_PREFIX     "X-PM-Metadata-"
#define METADATA_PREFIX_LEN (sizeof(METADATA_PREFIX) - 1)

static bool
starts(const struct mime_field *field, const char *prefix)
{
	size_t len = strlen(prefix);

	return field->name_len >= len && text_same_n(field->name, prefix, len);
}

static enum field_fate
field_fate(const struct mime_field *field)
{
	for (size_t i = 0; i < sizeof(fates) / sizeof(fates[0]); i++)
		if (mime_field_is(field, fates[i].name))
			return fates[i].fate;
	if (starts(field, METADATA_PREFIX))
		return FIELD_METADATA;
	if (starts(field, "X-PM-"))
		return FIELD_OTHER_CONTROL;
	if (starts(field, "Content-"))
		return FIELD_DROP;
	return FIELD_PASS;
}

struct reading {
	struct headers *headers;
	const struct convert_options *options;
	const struct mime *mime;
	struct ledger *ledger;
	struct refusal *refusal;
	struct mailbox_list from, sender, reply_to;
	size_t address_bytes; /* of all address fields so far */
	size_t other_room;
	size_t metadata_room;
	bool keep_id;
	bool has_subject;
};

static void
pair_add(struct header_pair **pairs, size_t *count, size_t *room, char *name, char *value)
{
	if (*count == *room) {
		*room = *room == 0 ? 16 : *room * 2;
		*pairs = mem_resize(*pairs, *room, sizeof(**pairs));
	}
	(*pairs)[(*count)++] = (struct header_pair){ .name = name, .value = value };
}

static void
pass(struct reading *r, const struct mime_field *field)
{
	char *value = mime_decode_value(field->value, field->value_len);

	if (value[0] == '\0') {
		free(value);
		return;
	}
	pair_add(&r->headers->others, &r->headers->other_count, &r->other_room,
	    mem_bytes(field->name, field->name_len), value);
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
refuse_length(struct reading *r, const char *what, size_t units, size_t most)
{
	refusal_set(r->refusal, 554, "5.6.0",
	    "%s has %zu characters as Postmark counts, and its limit is %zu", what, units, most);
	return -1;
}

static int
tag_read(struct reading *r, const struct mime_field *field)
{
	size_t units;

	free(r->headers->tag);
	r->headers->tag = mime_decode_value(field->value, field->value_len);
	units = text_utf16_units(r->headers->tag, strlen(r->headers->tag));
	if (units > HEADERS_MOST_TAG)
		return refuse_length(r, "X-PM-Tag", units, HEADERS_MOST_TAG);
	return 0;
}

static int
track_opens_read(struct reading *r, const struct mime_field *field)
{
	char *value = mime_decode_value(field->value, field->value_len);
	int result = 0;

	if (text_same(value, "true")) {
		r->headers->track_opens = 1;
	} else if (text_same(value, "false")) {
		r->headers->track_opens = 0;
	} else {
		refusal_set(r->refusal, 554, "5.6.0", "X-PM-TrackOpens must be true or false");
		result = -1;
	}
	free(value);
	return result;
}

static int
track_links_read(struct reading *r, const struct mime_field *field)
{
	static const char *const values[] = { "None", "HtmlAndText", "HtmlOnly", "TextOnly" };
	char *value = mime_decode_value(field->value, field->value_len);
	int result = -1;

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		if (text_same(value, values[i])) {
			r->headers->track_links = values[i];
			result = 0;
		}
	if (result != 0)
		refusal_set(r->refusal, 554, "5.6.0",
		    "X-PM-TrackLinks must be None, HtmlAndText, HtmlOnly or TextOnly");
	free(value);
	return result;
}

/*
 * A stream that no server can have would stop the whole route when Postmark says so; a mail that
 * names one is the one to refuse.
 */
static int
message_stream_read(struct reading *r, const struct mime_field *field)
{
	char *value = mime_decode_value(field->value, field->value_len);
	size_t len = strlen(value);

	free(r->headers->message_stream);
	r->headers->message_stream = value;
	/* ErrorCode 1227. */
	if (len == 0 || len > 30 || value[0] < 'a' || value[0] > 'z' ||
	    strspn(value, "abcdefghijklmnopqrstuvwxyz0123456789-_") != len) {
		refusal_set(r->refusal, 554, "5.6.0",
		    "X-PM-Message-Stream must be the ID of a stream: a lower-case letter, then "
		    "up to 29 of lower-case letters, digits, '-', '_'");
		return -1;
	}
	return 0;
}

static bool
metadata_has(const struct headers *h, const char *key)
{
	/* Ours, which the relay itself searches for. */
	if (text_same(key, "relay-id"))
		return true;
	for (size_t i = 0; i < h->metadata_count; i++)
		if (text_same(h->metadata[i].name, key))
			return true;
	return false;
}

/* As on Postmark's SMTP service, a repeated key gets a number. */
static int
metadata_read(struct reading *r, const struct mime_field *field)
{
	struct headers *h = r->headers;
	char *value = mime_decode_value(field->value, field->value_len);
	char *key =
	    mem_bytes(field->name + METADATA_PREFIX_LEN, field->name_len - METADATA_PREFIX_LEN);
	char *first = mem_string(key);
	size_t units = text_utf16_units(value, strlen(value));

	for (unsigned number = 2; metadata_has(h, key); number++) {
		free(key);
		key = mem_format("%s%u", first, number);
	}
	free(first);
	pair_add(&h->metadata, &h->metadata_count, &r->metadata_room, key, value);
	if (key[0] == '\0') {
		refusal_set(r->refusal, 554, "5.6.0", "X-PM-Metadata- needs a key after it");
		return -1;
	}
	if (strlen(key) > HEADERS_MOST_METADATA_KEY)
		return refuse_length(
		    r, "a key of X-PM-Metadata", strlen(key), HEADERS_MOST_METADATA_KEY);
	if (units > HEADERS_MOST_METADATA_VALUE)
		return refuse_length(
		    r, "a value of X-PM-Metadata", units, HEADERS_MOST_METADATA_VALUE);
	if (h->metadata_count > HEADERS_MOST_METADATA - 1) {
		refusal_set(r->refusal, 554, "5.6.0",
		    "more than %d X-PM-Metadata fields; Postmark's limit is %d with the relay's "
		    "own",
		    HEADERS_MOST_METADATA - 1, HEADERS_MOST_METADATA);
		return -1;
	}
	return 0;
}

static int
subject_read(struct reading *r, const struct mime_field *field)
{
	size_t units;

	if (r->has_subject)
		return 0;
	r->has_subject = true;
	free(r->headers->subject);
	r->headers->subject = mime_decode_value(field->value, field->value_len);
	units = text_utf16_units(r->headers->subject, strlen(r->headers->subject));
	if (units > HEADERS_MOST_SUBJECT)
		return refuse_length(r, "the subject", units, HEADERS_MOST_SUBJECT);
	return 0;
}

static int
field_read(struct reading *r, const struct mime_field *field)
{
	struct headers *h = r->headers;

	switch (field_fate(field)) {
	case FIELD_PASS:
		pass(r, field);
		break;
	case FIELD_DROP:
		break;
	case FIELD_DROP_NOTE:
		ledger_note(r->ledger, LEDGER_HEADERS);
		break;
	case FIELD_DATE:
		ledger_note(r->ledger, LEDGER_DATE);
		break;
	case FIELD_FROM:
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
		return subject_read(r, field);
	case FIELD_MESSAGE_ID:
		if (h->message_id[0] != '\0')
			break;
		free(h->message_id);
		h->message_id = mime_plain_value(field->value, field->value_len);
		if (h->message_id[0] != '\0')
			pair_add(&h->others, &h->other_count, &r->other_room,
			    mem_string("Message-ID"), mem_string(h->message_id));
		break;
	case FIELD_TAG:
		return tag_read(r, field);
	case FIELD_TRACK_OPENS:
		return track_opens_read(r, field);
	case FIELD_TRACK_LINKS:
		return track_links_read(r, field);
	case FIELD_MESSAGE_STREAM:
		return message_stream_read(r, field);
	case FIELD_KEEP_ID: {
		char *value = mime_decode_value(field->value, field->value_len);
		r->keep_id = !text_same(value, "false");
		free(value);
		break;
	}
	case FIELD_METADATA:
		return metadata_read(r, field);
	case FIELD_OTHER_CONTROL:
		ledger_note(r->ledger, LEDGER_CONTROLS);
		break;
	}
	return 0;
}

/* Postmark replaces a Message-ID unless it is told not to (X-PM-KeepID). */
static void
message_id_settle(struct reading *r)
{
	struct headers *h = r->headers;

	if (h->message_id[0] == '\0')
		return;
	if (r->keep_id) {
		pair_add(&h->others, &h->other_count, &r->other_room, mem_string("X-PM-KeepID"),
		    mem_string("true"));
		return;
	}
	for (size_t i = 0; i < h->other_count; i++)
		if (strcmp(h->others[i].name, "Message-ID") == 0) {
			free(h->others[i].name);
			free(h->others[i].value);
			h->other_count--;
			memmove(&h->others[i], &h->others[i + 1],
			    (h->other_count - i) * sizeof(h->others[i]));
			break;
		}
}

/* The display name is cut so that the whole keeps Postmark's limit. */
static char *
from_print(struct reading *r, const struct mailbox *box)
{
	struct mailbox shorter = { .address = box->address };
	struct buf out;

	buf_init(&out, SIZE_MAX / 4);
	mailbox_print(&out, box);
	if (box->name == NULL || text_utf16_units(out.data, out.len) <= HEADERS_MOST_FROM)
		return buf_take(&out, NULL);

	ledger_note(r->ledger, LEDGER_FROM_NAME);
	shorter.name = mem_string(box->name);
	size_t len = strlen(shorter.name);
	/* A cut far off the limit first, then character by character: names of megabytes come. */
	if (len > 4 * HEADERS_MOST_FROM)
		len = 4 * HEADERS_MOST_FROM;
	do {
		do
			len--;
		while (len > 0 && ((unsigned char)shorter.name[len] & 0xC0) == 0x80);
		shorter.name[len] = '\0';
		if (len == 0) {
			free(shorter.name);
			shorter.name = NULL;
		}
		buf_clear(&out);
		mailbox_print(&out, &shorter);
	} while (shorter.name != NULL && text_utf16_units(out.data, out.len) > HEADERS_MOST_FROM);
	free(shorter.name);
	return buf_take(&out, NULL);
}

/* Postmark takes exactly one author. */
static int
from_settle(struct reading *r, const char *reverse_path)
{
	const struct mailbox_list *from = &r->from, *sender = &r->sender;
	struct mailbox envelope = { .address = mem_string(reverse_path) };
	const struct mailbox *chosen = NULL;
	char canonical[ADDRESS_SIZE];
	int result = 0;

	if (from->count > 1)
		ledger_note(r->ledger, LEDGER_AUTHORS);
	if (from->count == 1) {
		chosen = &from->boxes[0];
		if (sender->count > 0 && strcmp(sender->boxes[0].address, chosen->address) != 0)
			ledger_note(r->ledger, LEDGER_SENDER);
	} else if (sender->count > 0) {
		/* RFC 5322 3.6.2: with several authors it says who sent the mail. */
		chosen = &sender->boxes[0];
	} else if (from->count > 1) {
		chosen = &from->boxes[0];
	} else if (address_canonical(reverse_path, strlen(reverse_path), canonical) == ADDRESS_OK) {
		chosen = &envelope;
	}
	if (from->count == 0)
		ledger_note(r->ledger, LEDGER_FROM);

	if (chosen != NULL) {
		r->headers->from = from_print(r, chosen);
		size_t units = text_utf16_units(r->headers->from, strlen(r->headers->from));
		if (units > HEADERS_MOST_FROM)
			result = refuse_length(r, "the From address", units, HEADERS_MOST_FROM);
	} else {
		refusal_set(r->refusal, 550, "5.6.0",
		    "no author: neither From nor Sender has an address that Postmark takes, and "
		    "the "
		    "envelope sender is empty");
		result = -1;
	}
	free(envelope.address);
	return result;
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
addresses_settle(struct reading *r, const char *reverse_path)
{
	if (r->headers->to.unusable + r->headers->cc.unusable > 0)
		ledger_note(r->ledger, LEDGER_SHOWN);
	reply_to_settle(r);
	return from_settle(r, reverse_path);
}

int
headers_read(struct headers *headers, const struct convert_options *options,
    const struct mime *mime, const char *reverse_path, struct ledger *ledger,
    struct refusal *refusal_r)
{
	struct reading r = { .headers = headers,
		.options = options,
		.mime = mime,
		.ledger = ledger,
		.refusal = refusal_r,
		.keep_id = true };
	int result = 0;

	*headers = (struct headers){ .subject = mem_string(""),
		.message_id = mem_string(""),
		.tag = mem_string(options->default_tag),
		.track_opens = options->track_opens,
		.track_links = options->track_links,
		.message_stream = mem_string(options->message_stream) };
	for (size_t i = 0; i < mime->field_count && result == 0; i++)
		result = field_read(&r, &mime->fields[i]);
	if (result == 0) {
		message_id_settle(&r);
		result = addresses_settle(&r, reverse_path);
	}
	mailbox_list_free(&r.from);
	mailbox_list_free(&r.sender);
	mailbox_list_free(&r.reply_to);
	return result;
}

static void
pairs_free(struct header_pair *pairs, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(pairs[i].name);
		free(pairs[i].value);
	}
	free(pairs);
}

void
headers_free(struct headers *headers)
{
	free(headers->from);
	mailbox_list_free(&headers->to);
	mailbox_list_free(&headers->cc);
	free(headers->reply_to);
	free(headers->subject);
	free(headers->message_id);
	pairs_free(headers->others, headers->other_count);
	free(headers->tag);
	free(headers->message_stream);
	pairs_free(headers->metadata, headers->metadata_count);
	*headers = (struct headers){ 0 };
}
