/* The X-PM-* fields of a mail, and what a route says in their place. */

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/strlist.h"
#include "base/text.h"
#include "mail/mime.h"
#include "mail/refusal.h"
#include "convert/convert.h"
#include "convert/headers.h"
#include "convert/ledger.h"
#include "convert/controls.h"

enum kind {
	KIND_TAG,
	KIND_TRACK_OPENS,
	KIND_TRACK_LINKS,
	KIND_MESSAGE_STREAM,
	KIND_KEEP_ID,
	KIND_METADATA,
	KIND_TEMPLATE, /* template.c reads them */
	KIND_UNKNOWN,
};

/* Postmark's spellings, and those that its texts, plugins and client libraries have beside them. */
static const struct {
	const char *name; /* ends in '-': the beginning of one */
	enum kind kind;
} kinds[] = {
	{ "X-PM-Tag", KIND_TAG },
	{ "X-PM-TrackOpens", KIND_TRACK_OPENS },
	{ "X-PM-Track-Opens", KIND_TRACK_OPENS },
	{ "X-PM-TrackLinks", KIND_TRACK_LINKS },
	{ "X-PM-Track-Links", KIND_TRACK_LINKS },
	{ "X-PM-Message-Stream", KIND_MESSAGE_STREAM },
	{ "X-PM-MessageStream", KIND_MESSAGE_STREAM },
	{ "X-PM-KeepID", KIND_KEEP_ID },
	{ "X-PM-Keep-ID", KIND_KEEP_ID },
	{ "X-PM-Metadata-", KIND_METADATA },
	{ "X-PM-Template-Alias", KIND_TEMPLATE },
	{ "X-PM-TemplateAlias", KIND_TEMPLATE },
	{ "X-PM-Template-Id", KIND_TEMPLATE },
	{ "X-PM-TemplateId", KIND_TEMPLATE },
	{ "X-PM-Template-Model", KIND_TEMPLATE },
	{ "X-PM-Template-Model-", KIND_TEMPLATE },
	{ "X-PM-TemplateModel", KIND_TEMPLATE },
	{ "X-PM-TemplateModel-", KIND_TEMPLATE },
	{ "X-PM-Inline-Css", KIND_TEMPLATE },
	{ "X-PM-InlineCss", KIND_TEMPLATE },
};
#define METADATA_PREFIX_LEN (sizeof("X-PM-Metadata-") - 1)

static enum kind
kind_of(const char *name, size_t name_len)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		size_t len = strlen(kinds[i].name);
		bool prefix = kinds[i].name[len - 1] == '-';

		if ((prefix ? name_len >= len : name_len == len) &&
		    text_same_n(name, kinds[i].name, len))
			return kinds[i].kind;
	}
	return KIND_UNKNOWN;
}

void
header_pairs_add(struct header_pairs *list, char *name, char *value)
{
	if (list->count == list->room) {
		list->room = list->room == 0 ? 16 : list->room * 2;
		list->pairs = mem_resize(list->pairs, list->room, sizeof(*list->pairs));
	}
	list->pairs[list->count++] = (struct header_pair){ .name = name, .value = value };
}

void
header_pairs_free(struct header_pairs *list)
{
	for (size_t i = 0; i < list->count; i++) {
		free(list->pairs[i].name);
		free(list->pairs[i].value);
	}
	free(list->pairs);
	*list = (struct header_pairs){ 0 };
}

void
controls_init(struct controls *controls, const struct convert_options *options)
{
	*controls = (struct controls){ .tag = mem_string(options->default_tag),
		.track_opens = options->track_opens,
		.track_links = options->track_links,
		.message_stream = mem_string(options->message_stream),
		.keep_id = true };
}

void
controls_free(struct controls *controls)
{
	free(controls->tag);
	free(controls->message_stream);
	header_pairs_free(&controls->metadata);
	*controls = (struct controls){ 0 };
}

static int
refuse_length(struct refusal *refusal_r, const char *what, size_t units, size_t most)
{
	refusal_set(refusal_r, 554, "5.6.0",
	    "%s has %zu characters as Postmark counts, and its limit is %zu", what, units, most);
	return -1;
}

static int
tag_read(struct controls *controls, const char *value, struct refusal *refusal_r)
{
	size_t units = text_utf16_units(value, strlen(value));

	free(controls->tag);
	controls->tag = mem_string(value);
	if (units > HEADERS_MOST_TAG)
		return refuse_length(refusal_r, "X-PM-Tag", units, HEADERS_MOST_TAG);
	return 0;
}

static int
track_opens_read(struct controls *controls, const char *value, struct refusal *refusal_r)
{
	if (text_same(value, "true")) {
		controls->track_opens = 1;
	} else if (text_same(value, "false")) {
		controls->track_opens = 0;
	} else {
		refusal_set(refusal_r, 554, "5.6.0", "X-PM-TrackOpens must be true or false");
		return -1;
	}
	return 0;
}

static int
track_links_read(struct controls *controls, const char *value, struct refusal *refusal_r)
{
	static const char *const values[] = { "None", "HtmlAndText", "HtmlOnly", "TextOnly" };

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		if (text_same(value, values[i])) {
			controls->track_links = values[i];
			return 0;
		}
	refusal_set(refusal_r, 554, "5.6.0",
	    "X-PM-TrackLinks must be None, HtmlAndText, HtmlOnly or TextOnly");
	return -1;
}

/*
 * A stream that no server can have would stop the whole route when Postmark says so; a mail that
 * names one is the one to refuse.
 */
static int
message_stream_read(struct controls *controls, const char *value, struct refusal *refusal_r)
{
	size_t len = strlen(value);

	free(controls->message_stream);
	controls->message_stream = mem_string(value);
	/* ErrorCode 1227. */
	if (len <= 30 && value[0] >= 'a' && value[0] <= 'z' &&
	    strspn(value, "abcdefghijklmnopqrstuvwxyz0123456789-_") == len)
		return 0;
	refusal_set(refusal_r, 554, "5.6.0",
	    "X-PM-Message-Stream must be the ID of a stream: a lower-case letter, then up to 29 of "
	    "lower-case letters, digits, '-', '_'");
	return -1;
}

static struct header_pair *
metadata_find(const struct controls *controls, const char *key)
{
	for (size_t i = 0; i < controls->metadata.count; i++)
		if (text_same(controls->metadata.pairs[i].name, key))
			return &controls->metadata.pairs[i];
	return NULL;
}

/* As on Postmark's SMTP service, a repeated key gets a number.  relay-id is ours: the relay itself
 * searches for it. */
static int
metadata_read(struct controls *controls, const struct mime_field *field, char *value,
    struct refusal *refusal_r)
{
	char *key =
	    mem_bytes(field->name + METADATA_PREFIX_LEN, field->name_len - METADATA_PREFIX_LEN);
	char *first = mem_string(key);
	size_t units = text_utf16_units(value, strlen(value));

	for (unsigned number = 2;
	     text_same(key, "relay-id") || metadata_find(controls, key) != NULL; number++) {
		free(key);
		key = mem_format("%s%u", first, number);
	}
	free(first);
	header_pairs_add(&controls->metadata, key, value);
	if (key[0] == '\0') {
		refusal_set(refusal_r, 554, "5.6.0", "X-PM-Metadata- needs a key after it");
		return -1;
	}
	if (strlen(key) > HEADERS_MOST_METADATA_KEY)
		return refuse_length(
		    refusal_r, "a key of X-PM-Metadata", strlen(key), HEADERS_MOST_METADATA_KEY);
	if (units > HEADERS_MOST_METADATA_VALUE)
		return refuse_length(
		    refusal_r, "a value of X-PM-Metadata", units, HEADERS_MOST_METADATA_VALUE);
	if (controls->metadata.count > HEADERS_MOST_METADATA - 1) {
		refusal_set(refusal_r, 554, "5.6.0",
		    "more than %d X-PM-Metadata fields; Postmark's limit is %d with the relay's "
		    "own",
		    HEADERS_MOST_METADATA - 1, HEADERS_MOST_METADATA);
		return -1;
	}
	return 0;
}

static bool
is_allowed(const struct convert_options *options, enum kind kind)
{
	unsigned control = 0;

	switch (kind) {
	case KIND_TAG:
		control = 1U << CONTROL_TAG;
		break;
	case KIND_TRACK_OPENS:
		control = 1U << CONTROL_TRACK_OPENS;
		break;
	case KIND_TRACK_LINKS:
		control = 1U << CONTROL_TRACK_LINKS;
		break;
	case KIND_MESSAGE_STREAM:
		control = 1U << CONTROL_MESSAGE_STREAM;
		break;
	case KIND_METADATA:
		control = 1U << CONTROL_METADATA;
		break;
	case KIND_TEMPLATE:
		control = 1U << CONTROL_TEMPLATE;
		break;
	case KIND_KEEP_ID:
		return true;
	case KIND_UNKNOWN:
		return false;
	}
	return (options->controls & control) != 0;
}

int
controls_read(struct controls *controls, const struct convert_options *options,
    const struct mime_field *field, struct ledger *ledger, struct refusal *refusal_r)
{
	enum kind kind = kind_of(field->name, field->name_len);
	char *value;
	int result = 0;

	if (!is_allowed(options, kind)) {
		ledger_note(ledger, LEDGER_CONTROLS);
		return 0;
	}
	value = mime_decode_value(field->value, field->value_len);
	if (kind == KIND_METADATA)
		return metadata_read(controls, field, value, refusal_r);
	if (kind != KIND_TEMPLATE && (value[0] == '\0' || (controls->said & 1U << kind) != 0)) {
		ledger_note(ledger, LEDGER_CONTROLS);
		free(value);
		return 0;
	}
	controls->said |= 1U << kind;
	switch (kind) {
	case KIND_TAG:
		result = tag_read(controls, value, refusal_r);
		break;
	case KIND_TRACK_OPENS:
		result = track_opens_read(controls, value, refusal_r);
		break;
	case KIND_TRACK_LINKS:
		result = track_links_read(controls, value, refusal_r);
		break;
	case KIND_MESSAGE_STREAM:
		result = message_stream_read(controls, value, refusal_r);
		break;
	case KIND_KEEP_ID:
		controls->keep_id = !text_same(value, "false");
		break;
	case KIND_METADATA:
	case KIND_TEMPLATE:
	case KIND_UNKNOWN:
		break;
	}
	free(value);
	return result;
}

/* The route's metadata, "key=value", beside the mail's. */
static void
metadata_join(struct controls *controls, const struct strlist *entries)
{
	for (size_t i = 0; i < entries->count; i++) {
		const char *entry = entries->items[i];
		const char *equals = strchr(entry, '=');

		if (equals == NULL)
			continue;
		char *key = mem_bytes(entry, (size_t)(equals - entry));
		if (text_same(key, "relay-id") || metadata_find(controls, key) != NULL)
			free(key);
		else
			header_pairs_add(
			    &controls->metadata, key, mime_clean(equals + 1, strlen(equals + 1)));
	}
}

int
controls_settle(
    struct controls *controls, const struct convert_options *options, struct refusal *refusal_r)
{
	size_t most = HEADERS_MOST_METADATA - 1;

	if (options->metadata != NULL)
		metadata_join(controls, options->metadata);
	if (controls->metadata.count <= most)
		return 0;
	refusal_set(refusal_r, 554, "5.6.0",
	    "the mail has %zu keys of metadata with those of its route, and Postmark's limit is %d "
	    "with the relay's own",
	    controls->metadata.count + 1, HEADERS_MOST_METADATA);
	return -1;
}
