#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"
#include "mail/event.h"
#include "mail/value.h"

#include "postmark/event.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* --- values of a post --------------------------------------------------------------------- */

/* The bytes of a string in the object; "" for what is missing, null or no string. */
struct view {
	const char *bytes;
	size_t len;
};

static struct view
view_of(const json_t *value)
{
	if (!json_is_string(value))
		return (struct view){ "", 0 };
	return (struct view){ json_string_value(value), json_string_length(value) };
}

/* The first of two names that has something. */
static struct view
text_at(const json_t *post, const char *name, const char *or_name)
{
	struct view view = view_of(json_object_get(post, name));

	if (view.len == 0 && or_name != NULL)
		view = view_of(json_object_get(post, or_name));
	return view;
}

/* At most so many bytes of valid UTF-8, cut at a character. */
static size_t
cut_at_character(const char *text, size_t len, size_t most)
{
	if (len <= most)
		return len;
	len = most;
	while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
		len--;
	return len;
}

/* For people and for the store: clean, and of no more than it has room for. */
static void
set_text(char **text, struct view view)
{
	size_t len = cut_at_character(view.bytes, view.len, 4 * (size_t)EVENT_MOST_TEXT);
	char *clean = mime_clean(view.bytes, len);

	len = strlen(clean);
	clean[cut_at_character(clean, len, EVENT_MOST_TEXT)] = '\0';
	free(*text);
	*text = clean;
}

static bool
is_missing(const json_t *post, const char *name)
{
	const json_t *value = json_object_get(post, name);

	return value == NULL || json_is_null(value);
}

static bool
flag_at(const json_t *post, const char *name, bool otherwise)
{
	const json_t *value = json_object_get(post, name);

	if (json_is_boolean(value))
		return json_is_true(value);
	if (json_is_integer(value))
		return json_integer_value(value) != 0;
	if (json_is_string(value))
		return text_same(json_string_value(value), "true");
	return otherwise;
}

/* A whole number, also where it is written as a text.  0: there is none. */
static int64_t
number_of(const json_t *value)
{
	struct view text = view_of(value);
	uint64_t number;

	if (json_is_integer(value))
		return json_integer_value(value);
	if (text_number(text.bytes, text.len, 1, INT64_MAX, &number) == 0)
		return (int64_t)number;
	return 0;
}

/* A time without a zone is UTC. */
static int64_t
time_at(const json_t *post, const char *name, int64_t otherwise_ms)
{
	struct view text = view_of(json_object_get(post, name));
	int64_t ms;
	char *zoned;
	int result;

	if (text.len == 0 || text.len > 64)
		return otherwise_ms;
	if (clock_read(text.bytes, &ms) == 0)
		return ms;
	zoned = mem_format("%sZ", text.bytes);
	result = clock_read(zoned, &ms);
	free(zoned);
	return result == 0 ? ms : otherwise_ms;
}

/* Postmark keeps the case of a metadata key, and compares without it. */
static struct view
metadata_at(const json_t *post, const char *name)
{
	const json_t *metadata = json_object_get(post, "Metadata");
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)metadata, key, value)
	{
		if (text_same(key, name))
			return view_of(value);
	}
	return view_of(NULL);
}

/* --- kinds -------------------------------------------------------------------------------- */

static const struct {
	const char *record;
	enum event_kind kind;
	const char *time; /* where it says when */
} records[] = {
	{ "Delivery", EVENT_DELIVERY, "DeliveredAt" },
	{ "Bounce", EVENT_BOUNCE, "BouncedAt" },
	{ "SpamComplaint", EVENT_COMPLAINT, "BouncedAt" },
	{ "Open", EVENT_OPEN, "ReceivedAt" },
	{ "Click", EVENT_CLICK, "ReceivedAt" },
	{ "SubscriptionChange", EVENT_SUBSCRIPTION, "ChangedAt" },
};

static const struct {
	const char *type;
	int code;
} bounces[] = {
	{ "HardBounce", 1 },
	{ "Transient", 2 },
	{ "Unsubscribe", 16 },
	{ "Subscribe", 32 },
	{ "AutoResponder", 64 },
	{ "AddressChange", 128 },
	{ "DnsError", 256 },
	{ "SpamNotification", 512 },
	{ "OpenRelayTest", 1024 },
	{ "Unknown", 2048 },
	{ "SoftBounce", 4096 },
	{ "VirusNotification", 8192 },
	{ "ChallengeVerification", 16384 },
	{ "BadEmailAddress", 100000 },
	{ "SpamComplaint", 100001 },
	{ "ManuallyDeactivated", 100002 },
	{ "Unconfirmed", 100003 },
	{ "Blocked", 100006 },
	{ "SMTPApiError", 100007 },
	{ "InboundError", 100008 },
	{ "DMARCPolicy", 100009 },
	{ "TemplateRenderingFailed", 100010 },
};

/* Type may be the name or the number, and either may be missing. */
static void
read_bounce_type(const json_t *post, struct event *event)
{
	const json_t *type = json_object_get(post, "Type");
	int64_t code = number_of(json_object_get(post, "TypeCode"));

	if (number_of(type) != 0)
		code = number_of(type);
	else
		set_text(&event->type, view_of(type));
	for (size_t i = 0; i < COUNT(bounces); i++) {
		if (event->type[0] == '\0' && bounces[i].code == code)
			set_text(&event->type,
			    (struct view){ bounces[i].type, strlen(bounces[i].type) });
		if (code == 0 && text_same(bounces[i].type, event->type))
			code = bounces[i].code;
	}
	event->type_code = code >= 0 && code <= INT_MAX ? (int)code : 0;
}

static void
read_bounce(const json_t *post, struct event *event)
{
	read_bounce_type(post, event);
	/* Complaints once were bounces of that type. */
	if (text_same(event->type, "SpamComplaint"))
		event->kind = EVENT_COMPLAINT;
	event->number = number_of(json_object_get(post, "ID"));
	if (event->number < 0)
		event->number = 0;
	event->suppressed = flag_at(post, "Inactive", event->kind == EVENT_COMPLAINT);
	set_text(&event->detail, text_at(post, "Details", "Description"));
}

static void
read_kind(const json_t *post, struct event *event)
{
	const char *time = NULL;

	for (size_t i = 0; i < COUNT(records); i++) {
		if (!text_same(
			records[i].record, json_string_value(json_object_get(post, "RecordType"))))
			continue;
		event->kind = records[i].kind;
		time = records[i].time;
	}
	for (size_t i = 0; time == NULL && i < COUNT(records); i++) {
		if (json_object_get(post, records[i].time) != NULL)
			time = records[i].time;
	}
	event->at_ms = time != NULL ? time_at(post, time, event->received_ms) : event->received_ms;
	/* Nothing is lifted by a post that does not say so. */
	if (event->kind == EVENT_SUBSCRIPTION && is_missing(post, "SuppressSending"))
		event->kind = EVENT_OTHER;

	switch (event->kind) {
	case EVENT_BOUNCE:
	case EVENT_COMPLAINT:
		read_bounce(post, event);
		return;
	case EVENT_DELIVERY:
		set_text(&event->detail, text_at(post, "Details", NULL));
		return;
	case EVENT_OPEN:
		event->first = flag_at(post, "FirstOpen", false);
		set_text(&event->type, text_at(post, "Platform", NULL));
		set_text(&event->detail, text_at(post, "UserAgent", NULL));
		return;
	case EVENT_CLICK:
		set_text(&event->type, text_at(post, "Platform", NULL));
		set_text(&event->detail, text_at(post, "OriginalLink", NULL));
		return;
	case EVENT_SUBSCRIPTION:
		event->suppressed = flag_at(post, "SuppressSending", false);
		set_text(&event->type, text_at(post, "SuppressionReason", NULL));
		set_text(&event->origin, text_at(post, "Origin", NULL));
		return;
	case EVENT_OTHER:
	case EVENT_FAILED:
	case EVENT_INACTIVE:
		break;
	}
	set_text(&event->type, text_at(post, "RecordType", NULL));
	set_text(&event->detail, text_at(post, "Details", "Description"));
}

/* --- by what a fact is known ---------------------------------------------------------------- */

struct marking {
	struct digest *digest;
	bool whole; /* none of what it needs is missing */
};

/* With its length, so that no two lists of texts look the same. */
static void
mark_bytes(struct marking *m, const void *bytes, size_t len)
{
	uint64_t size = len;

	digest_add(m->digest, &size, sizeof(size));
	digest_add(m->digest, bytes, len);
}

static void
mark_needed(struct marking *m, struct view text)
{
	if (text.len == 0)
		m->whole = false;
	mark_bytes(m, text.bytes, text.len);
}

static void
mark_content(struct marking *m, const json_t *post, const struct event *event)
{
	struct view recipient = text_at(post, "Recipient", "Email");
	struct view extra = { "", 0 };
	int64_t server = number_of(json_object_get(post, "ServerID"));

	switch (event->kind) {
	case EVENT_BOUNCE:
	case EVENT_COMPLAINT:
		if (event->number != 0) {
			mark_bytes(m, &event->number, sizeof(event->number));
			return;
		}
		mark_needed(m, text_at(post, "MessageID", NULL));
		mark_needed(m, text_at(post, "Email", "Recipient"));
		mark_needed(m, text_at(post, "BouncedAt", NULL));
		return;
	case EVENT_DELIVERY:
		mark_needed(m, text_at(post, "MessageID", NULL));
		mark_needed(m, recipient);
		mark_needed(m, text_at(post, "DeliveredAt", NULL));
		return;
	case EVENT_CLICK:
	case EVENT_OPEN:
		mark_needed(m, text_at(post, "MessageID", NULL));
		mark_needed(m, recipient);
		mark_needed(m, text_at(post, "ReceivedAt", NULL));
		extra = text_at(post, "UserAgent", NULL);
		mark_bytes(m, extra.bytes, extra.len);
		if (event->kind == EVENT_CLICK)
			mark_needed(m, text_at(post, "OriginalLink", NULL));
		return;
	case EVENT_SUBSCRIPTION:
		if (server == 0)
			server = number_of(json_object_get(post, "ServerId"));
		mark_needed(m, recipient);
		mark_bytes(m, event->stream, strlen(event->stream));
		mark_needed(m, text_at(post, "ChangedAt", NULL));
		mark_bytes(m, &event->suppressed, sizeof(event->suppressed));
		mark_bytes(m, &server, sizeof(server));
		return;
	case EVENT_OTHER:
	case EVENT_FAILED:
	case EVENT_INACTIVE:
		break;
	}
	m->whole = false;
}

static void
make_mark(const json_t *post, const char *body, size_t len, const struct post_origin *origin,
    struct event *event)
{
	unsigned char digest[DIGEST_BYTES], kind = (unsigned char)event->kind;
	struct marking m = { .digest = digest_new(), .whole = true };
	bool traced = origin->trace_id != NULL && origin->trace_id[0] != '\0';

	digest_add(m.digest, &kind, 1);
	mark_content(&m, post, event);
	if (!m.whole) {
		digest_end(&m.digest, digest);
		m.digest = digest_new();
		digest_add(m.digest, traced ? "trace" : "body", traced ? 5 : 4);
		if (traced)
			mark_bytes(&m, origin->trace_id, strlen(origin->trace_id));
		else
			mark_bytes(&m, body, len);
	}
	digest_end(&m.digest, digest);
	memcpy(event->mark, digest, sizeof(event->mark));
}

/* --- what is kept of it --------------------------------------------------------------------- */

struct member {
	const char *name;
	size_t bytes;
};

static int
compare_members(const void *a, const void *b)
{
	size_t first = ((const struct member *)a)->bytes,
	       second = ((const struct member *)b)->bytes;

	return first < second ? 1 : first > second ? -1 : 0;
}

/* The largest go until the rest fits. */
static void
make_fit(json_t *post)
{
	size_t count = json_object_size(post), at = 0, bytes = 2;
	struct member *members = mem_array(count + 1, sizeof(*members));
	const char *name;
	json_t *value;

	json_object_foreach(post, name, value)
	{
		members[at].name = name;
		/* A name takes six bytes for one at most, when it is all escapes. */
		members[at].bytes = json_dumpb(value, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY) +
				    6 * strlen(name) + 4;
		bytes += members[at++].bytes;
	}
	qsort(members, count, sizeof(*members), compare_members);
	for (at = 0; at < count && bytes > EVENT_MOST_JSON; at++) {
		bytes -= members[at].bytes;
		json_object_del(post, members[at].name);
	}
	free(members);
}

static void
keep_json(json_t *post, struct event *event)
{
	size_t len = json_dumpb(post, NULL, 0, JSON_COMPACT);

	if (len > EVENT_MOST_JSON) {
		json_object_del(post, "Content");
		len = json_dumpb(post, NULL, 0, JSON_COMPACT);
	}
	if (len > EVENT_MOST_JSON) {
		make_fit(post);
		len = json_dumpb(post, NULL, 0, JSON_COMPACT);
	}
	free(event->json);
	event->json = mem_new(len + 1);
	event->json_len = json_dumpb(post, event->json, len, JSON_COMPACT);
}

/* --- posts ---------------------------------------------------------------------------------- */

static struct event *
read_event(json_t *post, const char *body, size_t len, const struct post_origin *origin)
{
	struct event *event = mail_event_new();
	bool by_hook = !text_same(origin->stream, "inbound");

	event->received_ms = origin->now_ms;
	set_text(
	    &event->connection, (struct view){ origin->connection, strlen(origin->connection) });
	set_text(&event->relay_id, metadata_at(post, "relay-id"));
	set_text(&event->message_id, text_at(post, "MessageID", NULL));
	set_text(&event->stream, text_at(post, "MessageStream", NULL));
	if (event->stream[0] == '\0' && by_hook)
		set_text(&event->stream, (struct view){ origin->stream, strlen(origin->stream) });
	set_text(&event->tag, text_at(post, "Tag", NULL));
	set_text(&event->recipient, text_at(post, "Recipient", "Email"));
	read_kind(post, event);
	make_mark(post, body, len, origin, event);
	keep_json(post, event);
	return event;
}

/* Bounces had no RecordType once, and a From; no mail has been bounced. */
static bool
is_mail(const json_t *post)
{
	static const char *const contents[] = { "To", "ToFull", "Headers", "TextBody", "HtmlBody",
		"RawEmail" };
	struct view record = text_at(post, "RecordType", NULL);

	if ((record.len > 0 && !text_same(record.bytes, "Inbound")) ||
	    text_at(post, "MessageID", NULL).len == 0 ||
	    (!json_is_object(json_object_get(post, "FromFull")) &&
		!json_is_string(json_object_get(post, "From"))) ||
	    json_object_get(post, "BouncedAt") != NULL)
		return false;
	for (size_t i = 0; i < COUNT(contents); i++) {
		if (json_object_get(post, contents[i]) != NULL)
			return true;
	}
	return false;
}

static void
refuse(struct post *post, const char *why)
{
	post->kind = POST_REFUSED;
	post->why = why;
}

static bool
is_blank(const char *body, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (body[i] != '\0' && strchr(" \t\r\n", body[i]) == NULL)
			return false;
	return memchr(body, '\0', len) == NULL;
}

void
post_read(struct post *post, const char *body, size_t len, const struct post_origin *origin)
{
	static const char mark[] = "\xef\xbb\xbf"; /* of the order of bytes, which UTF-8 has not */
	json_error_t error;
	json_t *root;

	*post = (struct post){ .kind = POST_PROBE };
	if (len >= sizeof(mark) - 1 && memcmp(body, mark, sizeof(mark) - 1) == 0) {
		body += sizeof(mark) - 1;
		len -= sizeof(mark) - 1;
	}
	if (is_blank(body, len))
		return;
	if (!json_is_within(body, len, POST_MOST_DEPTH, POST_MOST_VALUES)) {
		refuse(post, "the JSON is nested too deep or has too many values");
		return;
	}
	root = json_loadb(body, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
	if (root == NULL) {
		refuse(post, json_error_code(&error) == json_error_duplicate_key
				 ? "a name stands twice in the JSON"
				 : "the body is not JSON in UTF-8");
		return;
	}
	if (!json_is_object(root)) {
		json_decref(root);
		refuse(post, "the body is not one JSON object");
		return;
	}
	if (is_mail(root)) {
		post->kind = POST_MAIL;
		post->mail = root;
		return;
	}
	if (text_at(root, "RecordType", NULL).len > 0) {
		post->kind = POST_EVENT;
		post->event = read_event(root, body, len, origin);
	}
	json_decref(root);
}

void
post_free(struct post *post)
{
	mail_event_free(&post->event);
	json_decref(post->mail);
	post->mail = NULL;
}
