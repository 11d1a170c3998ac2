/* Posts of webhooks, in the spellings that were seen, and what is made of them. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/buf.h"
#include "base/mem.h"
#include "mail/event.h"
#include "channel/frame.h"

#include "postmark/event.h"

#define NOW     1788700000000
#define MESSAGE "6f0f3a52-0d8b-4f3e-9a52-3b6f1c1d7e10"

static const struct post_origin usual = {
	.connection = "shop", .stream = "outbound", .trace_id = "t-1", .now_ms = NOW
};

static struct post
read_text(const char *body, const struct post_origin *origin)
{
	struct post post;
	struct buf frame;
	struct event *again;

	post_read(&post, body, strlen(body), origin);
	if (post.kind != POST_EVENT)
		return post;
	/* Whatever it was: the core takes it. */
	memcpy(post.event->id, "01J8ZZZZZZZZZZZZZZZZZZZZZZ", ULID_SIZE);
	buf_init(&frame, FRAME_MOST_BODY);
	frame_event_write(&frame, 1, post.event);
	again = frame_event_read(frame.data + FRAME_HEAD_SIZE, frame.len - FRAME_HEAD_SIZE);
	assert_non_null(again);
	assert_memory_equal(again->mark, post.event->mark, sizeof(again->mark));
	mail_event_free(&again);
	buf_free(&frame);
	return post;
}

struct expected {
	const char *why, *body;
	enum event_kind kind;
	int64_t at_ms;
	const char *relay_id, *message_id, *stream, *tag, *recipient, *type, *origin, *detail;
	int type_code;
	int64_t number;
	bool suppressed, first;
};

static const struct expected cases[] = {
	{ .why = "a delivery",
	    .body = "{\"RecordType\":\"Delivery\",\"MessageStream\":\"outbound\",\"ServerID\":4711,"
		    "\"MessageID\":\"" MESSAGE "\",\"Recipient\":\"ann@reader.example\","
		    "\"Tag\":\"invoice\",\"DeliveredAt\":\"2026-09-05T22:01:03.4410021Z\","
		    "\"Details\":\"250 2.0.0 OK queued as 4AB\","
		    "\"Metadata\":{\"relay-id\":\"q-00ab17\"}}",
	    .kind = EVENT_DELIVERY,
	    .at_ms = 1788645663441,
	    .relay_id = "q-00ab17",
	    .message_id = MESSAGE,
	    .stream = "outbound",
	    .tag = "invoice",
	    .recipient = "ann@reader.example",
	    .detail = "250 2.0.0 OK queued as 4AB" },
	{ .why = "a delivery of old: other spellings, no stream, a time with its zone",
	    .body =
		"{\"RecordType\":\"Delivery\",\"ServerId\":4711,\"MessageID\":\"" MESSAGE
		"\",\"Email\":\"ann@reader.example\",\"Tag\":null,"
		"\"DeliveredAt\":\"2026-09-05T18:01:03-04:00\",\"Metadata\":{\"Relay-ID\":\"q\"},"
		"\"Shiny\":{\"new\":[1,2,{}]}}",
	    .kind = EVENT_DELIVERY,
	    .at_ms = 1788645663000,
	    .relay_id = "q",
	    .message_id = MESSAGE,
	    .stream = "outbound",
	    .recipient = "ann@reader.example" },
	{ .why = "a bounce",
	    .body =
		"{\"RecordType\":\"Bounce\",\"MessageStream\":\"outbound\",\"ID\":9000000001,"
		"\"Type\":\"HardBounce\",\"TypeCode\":1,\"Name\":\"Hard "
		"bounce\",\"Tag\":\"invoice\","
		"\"MessageID\":\"" MESSAGE "\",\"Metadata\":{\"relay-id\":\"q-00ab17\"},"
		"\"ServerID\":4711,\"Description\":\"Not there.\","
		"\"Details\":\"smtp;550 5.1.1 no such user\",\"Email\":\"bo@reader.example\","
		"\"From\":\"billing@shop.example\",\"BouncedAt\":\"2026-09-05T22:01:04.1180077Z\","
		"\"DumpAvailable\":true,\"Inactive\":true,\"CanActivate\":true,"
		"\"Subject\":\"Invoice 1007\",\"Content\":\"Return-Path: <>\\r\\n\"}",
	    .kind = EVENT_BOUNCE,
	    .at_ms = 1788645664118,
	    .relay_id = "q-00ab17",
	    .message_id = MESSAGE,
	    .stream = "outbound",
	    .tag = "invoice",
	    .recipient = "bo@reader.example",
	    .type = "HardBounce",
	    .detail = "smtp;550 5.1.1 no such user",
	    .type_code = 1,
	    .number = 9000000001,
	    .suppressed = true },
	{ .why = "a bounce whose Type is the number",
	    .body = "{\"RecordType\":\"Bounce\",\"ID\":\"9223372036854775807\",\"Type\":4096,"
		    "\"Email\":\"bo@reader.example\",\"Description\":\"later\",\"Tag\":\"\"}",
	    .kind = EVENT_BOUNCE,
	    .at_ms = NOW,
	    .stream = "outbound",
	    .recipient = "bo@reader.example",
	    .type = "SoftBounce",
	    .detail = "later",
	    .type_code = 4096,
	    .number = INT64_MAX },
	{ .why = "a bounce with its code alone",
	    .body = "{\"RecordType\":\"Bounce\",\"TypeCode\":\"2\"}",
	    .kind = EVENT_BOUNCE,
	    .at_ms = NOW,
	    .stream = "outbound",
	    .type = "Transient",
	    .type_code = 2 },
	{ .why = "a bounce of a type that is new",
	    .body = "{\"RecordType\":\"Bounce\",\"ID\":7,\"Type\":\"Quantum\",\"TypeCode\":200000,"
		    "\"Inactive\":\"true\"}",
	    .kind = EVENT_BOUNCE,
	    .at_ms = NOW,
	    .stream = "outbound",
	    .type = "Quantum",
	    .type_code = 200000,
	    .number = 7,
	    .suppressed = true },
	{ .why = "an error of Postmark's SMTP service",
	    .body = "{\"RecordType\":\"Bounce\",\"ID\":8,\"Type\":\"SMTPApiError\"}",
	    .kind = EVENT_BOUNCE,
	    .at_ms = NOW,
	    .stream = "outbound",
	    .type = "SMTPApiError",
	    .type_code = 100007,
	    .number = 8 },
	{ .why = "a complaint",
	    .body =
		"{\"RecordType\":\"SpamComplaint\",\"ID\":9000000002,\"Type\":\"SpamComplaint\","
		"\"TypeCode\":100001,\"Email\":\"ann@reader.example\",\"Inactive\":true,"
		"\"BouncedAt\":\"2026-09-06T08:10:00.0000001Z\",\"MessageStream\":\"news\"}",
	    .kind = EVENT_COMPLAINT,
	    .at_ms = 1788682200000,
	    .stream = "news",
	    .recipient = "ann@reader.example",
	    .type = "SpamComplaint",
	    .type_code = 100001,
	    .number = 9000000002,
	    .suppressed = true },
	{ .why = "a complaint that came as a bounce, and says nothing of Inactive",
	    .body = "{\"RecordType\":\"Bounce\",\"ID\":9,\"Type\":\"SpamComplaint\","
		    "\"TypeCode\":512}",
	    .kind = EVENT_COMPLAINT,
	    .at_ms = NOW,
	    .stream = "outbound",
	    .type = "SpamComplaint",
	    .type_code = 512,
	    .number = 9,
	    .suppressed = true },
	{ .why = "an open",
	    .body =
		"{\"RecordType\":\"Open\",\"MessageStream\":\"outbound\",\"FirstOpen\":true,"
		"\"Client\":{\"Name\":\"Chrome 140\"},\"OS\":{},\"Platform\":\"WebMail\","
		"\"UserAgent\":\"Mozilla/5.0\",\"ReadSeconds\":5,\"Geo\":{\"IP\":\"192.0.2.10\"},"
		"\"MessageID\":\"" MESSAGE "\",\"Metadata\":{},"
		"\"ReceivedAt\":\"2026-09-05T22:05:00.1230000Z\",\"Tag\":\"invoice\","
		"\"Recipient\":\"ann@reader.example\"}",
	    .kind = EVENT_OPEN,
	    .at_ms = 1788645900123,
	    .message_id = MESSAGE,
	    .stream = "outbound",
	    .tag = "invoice",
	    .recipient = "ann@reader.example",
	    .type = "WebMail",
	    .detail = "Mozilla/5.0",
	    .first = true },
	{ .why = "a click, its time without a zone",
	    .body = "{\"RecordType\":\"Click\",\"ClickLocation\":\"HTML\","
		    "\"OriginalLink\":\"https://shop.example/i/1007\",\"Platform\":\"Desktop\","
		    "\"UserAgent\":\"Mozilla/5.0\",\"MessageID\":\"" MESSAGE "\",\"Metadata\":null,"
		    "\"ReceivedAt\":\"2026-09-05T22:06:00\",\"Recipient\":\"ann@reader.example\"}",
	    .kind = EVENT_CLICK,
	    .at_ms = 1788645960000,
	    .message_id = MESSAGE,
	    .stream = "outbound",
	    .recipient = "ann@reader.example",
	    .type = "Desktop",
	    .detail = "https://shop.example/i/1007" },
	{ .why = "a suppression",
	    .body = "{\"RecordType\":\"SubscriptionChange\",\"MessageID\":\"" MESSAGE "\","
		    "\"ServerID\":4711,\"MessageStream\":\"news\","
		    "\"ChangedAt\":\"2026-09-05T22:01:04.2000000Z\",\"Recipient\":\"bo@reader."
		    "example\","
		    "\"Origin\":\"Recipient\",\"SuppressSending\":true,"
		    "\"SuppressionReason\":\"HardBounce\",\"Tag\":\"invoice\",\"Metadata\":{}}",
	    .kind = EVENT_SUBSCRIPTION,
	    .at_ms = 1788645664200,
	    .message_id = MESSAGE,
	    .stream = "news",
	    .tag = "invoice",
	    .recipient = "bo@reader.example",
	    .type = "HardBounce",
	    .origin = "Recipient",
	    .suppressed = true },
	{ .why = "one that is lifted, with its nulls",
	    .body = "{\"RecordType\":\"SubscriptionChange\",\"MessageID\":null,"
		    "\"ChangedAt\":\"2026-09-05T22:01:04.2Z\",\"Recipient\":\"bo@reader.example\","
		    "\"Origin\":\"Customer\",\"SuppressSending\":false,\"SuppressionReason\":null,"
		    "\"Tag\":null,\"Metadata\":{}}",
	    .kind = EVENT_SUBSCRIPTION,
	    .at_ms = 1788645664200,
	    .stream = "outbound",
	    .recipient = "bo@reader.example",
	    .origin = "Customer" },
	{ .why = "a change that does not say which",
	    .body = "{\"RecordType\":\"SubscriptionChange\",\"Recipient\":\"bo@reader.example\","
		    "\"ChangedAt\":\"2026-09-05T22:01:04.2Z\",\"SuppressSending\":null}",
	    .kind = EVENT_OTHER,
	    .at_ms = 1788645664200,
	    .stream = "outbound",
	    .recipient = "bo@reader.example",
	    .type = "SubscriptionChange" },
	{ .why = "a kind that is new",
	    .body =
		"{\"RecordType\":\"Teleport\",\"MessageID\":\"" MESSAGE "\",\"Details\":\"gone\","
		"\"ReceivedAt\":\"2026-09-05T22:06:00Z\",\"Recipient\":\"bo@reader.example\"}",
	    .kind = EVENT_OTHER,
	    .at_ms = 1788645960000,
	    .message_id = MESSAGE,
	    .stream = "outbound",
	    .recipient = "bo@reader.example",
	    .type = "Teleport",
	    .detail = "gone" },
	{ .why = "values of kinds that nobody expects",
	    .body = "{\"RecordType\":\"Delivery\",\"MessageID\":7,\"Recipient\":[\"a\"],\"Tag\":{},"
		    "\"DeliveredAt\":12,\"Metadata\":[],\"MessageStream\":true}",
	    .kind = EVENT_DELIVERY,
	    .at_ms = NOW,
	    .stream = "outbound" },
	{ .why = "controls, a NUL and a line separator in texts",
	    .body = "{\"RecordType\":\"Delivery\",\"Recipient\":\"a\\u0000b\\n@x.example\\r\\n\","
		    "\"Details\":\" 250\\u2028ok\\u007f\\u0085\xc3\xa4 \"}",
	    .kind = EVENT_DELIVERY,
	    .at_ms = NOW,
	    .stream = "outbound",
	    .recipient = "a b @x.example",
	    .detail = "250 ok  \xc3\xa4" },
	{ .why = "a mark of the order of bytes, and blanks",
	    .body = "\xef\xbb\xbf \r\n{\"RecordType\":\"open\"}\n",
	    .kind = EVENT_OPEN,
	    .at_ms = NOW,
	    .stream = "outbound" },
};

static void
same(const char *why, const char *name, const char *found, const char *wanted)
{
	if (strcmp(found, wanted != NULL ? wanted : "") != 0)
		fail_msg("%s: %s is '%s'", why, name, found);
}

static void
what_is_an_event(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct expected *e = &cases[i];
		struct post post = read_text(e->body, &usual);
		const struct event *event = post.event;
		json_t *kept;

		if (post.kind != POST_EVENT)
			fail_msg("%s: %d %s", e->why, post.kind, post.why);
		print_message("%s\n", e->why);
		assert_int_equal(event->kind, e->kind);
		assert_int_equal(event->at_ms, e->at_ms);
		assert_int_equal(event->received_ms, NOW);
		same(e->why, "connection", event->connection, "shop");
		same(e->why, "relay_id", event->relay_id, e->relay_id);
		same(e->why, "message_id", event->message_id, e->message_id);
		same(e->why, "stream", event->stream, e->stream);
		same(e->why, "tag", event->tag, e->tag);
		same(e->why, "recipient", event->recipient, e->recipient);
		same(e->why, "type", event->type, e->type);
		same(e->why, "origin", event->origin, e->origin);
		same(e->why, "detail", event->detail, e->detail);
		assert_int_equal(event->type_code, e->type_code);
		assert_int_equal(event->number, e->number);
		assert_int_equal(event->suppressed, e->suppressed);
		assert_int_equal(event->first, e->first);
		kept = json_loads(event->json, JSON_ALLOW_NUL, NULL);
		assert_non_null(kept);
		assert_non_null(json_object_get(kept, "RecordType"));
		json_decref(kept);
		post_free(&post);
	}
}

static void
what_is_something_else(void **state)
{
	static const struct {
		const char *why, *body;
		enum post_kind kind;
		const char *refusal;
	} others[] = {
		{ "nothing", "", POST_PROBE, NULL },
		{ "blanks", " \r\n", POST_PROBE, NULL },
		{ "an empty object", "{}", POST_PROBE, NULL },
		{ "an object of nobody's", "{\"Hello\":1,\"From\":\"a@b.example\"}", POST_PROBE,
		    NULL },
		{ "RecordType null", "{\"RecordType\":null}", POST_PROBE, NULL },
		{ "a mail",
		    "{\"MessageID\":\"f2\",\"FromFull\":{\"Email\":\"a@b.example\"},\"To\":\"c\"}",
		    POST_MAIL, NULL },
		{ "a mail with From alone",
		    "{\"MessageID\":\"f2\",\"From\":\"a@b.example\",\"TextBody\":\"x\"}", POST_MAIL,
		    NULL },
		{ "a mail that names itself",
		    "{\"RecordType\":\"Inbound\",\"MessageID\":\"f2\",\"From\":\"a\",\"RawEmail\":"
		    "\"\"}",
		    POST_MAIL, NULL },
		{ "a bounce of old, which has a From, is no mail",
		    "{\"MessageID\":\"f2\",\"From\":\"a\",\"To\":\"b\",\"BouncedAt\":\"x\"}",
		    POST_PROBE, NULL },
		{ "an array", "[{\"RecordType\":\"Open\"}]", POST_REFUSED, "one JSON object" },
		{ "a text", "\"RecordType\"", POST_REFUSED, "not JSON" },
		{ "half an object", "{\"RecordType\":", POST_REFUSED, "not JSON" },
		{ "two objects", "{\"RecordType\":\"Open\"}{}", POST_REFUSED, "not JSON" },
		{ "single quotes", "{'RecordType':'Open'}", POST_REFUSED, "not JSON" },
		{ "a form", "RecordType=Open&x=1", POST_REFUSED, "not JSON" },
		{ "Latin-1", "{\"RecordType\":\"Open\",\"Tag\":\"\xe4\"}", POST_REFUSED, "UTF-8" },
		{ "half a surrogate", "{\"RecordType\":\"Open\",\"Tag\":\"\\ud83d\"}", POST_REFUSED,
		    "not JSON" },
		{ "a control character", "{\"RecordType\":\"Open\",\"Tag\":\"\x01\"}", POST_REFUSED,
		    "not JSON" },
		{ "a name twice", "{\"RecordType\":\"Open\",\"RecordType\":\"Click\"}",
		    POST_REFUSED, "twice" },
		{ "a name twice, deep inside",
		    "{\"RecordType\":\"Open\",\"Metadata\":{\"a\":\"1\",\"a\":\"2\"}}",
		    POST_REFUSED, "twice" },
		{ "32 deep",
		    "{\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}",
		    POST_PROBE, NULL },
		{ "33 deep",
		    "{\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}",
		    POST_REFUSED, "too deep" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		struct post post = read_text(others[i].body, &usual);

		if (post.kind != others[i].kind)
			fail_msg("%s: %d %s", others[i].why, post.kind, post.why);
		assert_int_equal(post.mail != NULL, post.kind == POST_MAIL);
		assert_null(post.event);
		if (others[i].refusal != NULL && strstr(post.why, others[i].refusal) == NULL)
			fail_msg("%s: %s", others[i].why, post.why);
		post_free(&post);
	}
}

static void
a_nul_is_not_the_end(void **state)
{
	static const char body[] = "{}\0{\"RecordType\":\"Open\"}";
	struct post post;

	(void)state;
	post_read(&post, body, sizeof(body) - 1, &usual);
	assert_int_equal(post.kind, POST_REFUSED);
	post_read(&post, "\0", 1, &usual);
	assert_int_equal(post.kind, POST_REFUSED);
}

static void
too_many_values_are_refused(void **state)
{
	struct post post;
	struct buf body;

	(void)state;
	buf_init(&body, SIZE_MAX / 4);
	buf_adds(&body, "{\"RecordType\":\"Open\",\"a\":[0");
	for (unsigned i = 0; i < POST_MOST_VALUES; i++)
		buf_adds(&body, ",0");
	buf_adds(&body, "]}");
	post_read(&post, body.data, body.len, &usual);
	assert_int_equal(post.kind, POST_REFUSED);
	buf_free(&body);
}

/* Two posts, and whether they tell of one fact. */
static void
what_has_one_mark(void **state)
{
#define DELIVERY(more)                                                                             \
	"{\"RecordType\":\"Delivery\",\"MessageID\":\"m\",\"Recipient\":\"a@b.example\"" more "}"
#define BOUNCE(more)                                                                               \
	"{\"RecordType\":\"Bounce\",\"MessageID\":\"m\",\"Email\":\"a@b.example\"" more "}"
#define OPEN(more)                                                                                 \
	"{\"RecordType\":\"Open\",\"MessageID\":\"m\",\"Recipient\":\"a@b.example\"" more "}"
#define CHANGE(more) "{\"RecordType\":\"SubscriptionChange\",\"Recipient\":\"a@b.example\"" more "}"
#define AT_1         ",\"DeliveredAt\":\"2026-09-05T22:01:03.4410021Z\""
#define AT_2         ",\"DeliveredAt\":\"2026-09-05T22:01:03.4410022Z\""
#define READ_1       ",\"ReceivedAt\":\"2026-09-05T22:01:03Z\""
#define LIFTED       ",\"SuppressSending\":false"
#define CHANGED      ",\"ChangedAt\":\"2026-09-05T22:01:03Z\",\"ServerID\":1"
	static const struct {
		const char *why, *one, *other, *one_trace, *other_trace;
		bool same;
	} pairs[] = {
		{ "a delivery twice, by two webhooks", DELIVERY(AT_1),
		    DELIVERY(AT_1 ",\"Tag\":\"x\""), "1", "2", true },
		{ "two deliveries", DELIVERY(AT_1), DELIVERY(AT_2), "1", "1", false },
		{ "a delivery without its time, two traces", DELIVERY(""), DELIVERY(""), "1", "2",
		    false },
		{ "a delivery without its time, one trace", DELIVERY(""), DELIVERY(",\"x\":1"), "1",
		    "1", true },
		{ "a delivery without its time and trace", DELIVERY(""), DELIVERY(""), NULL, "",
		    true },
		{ "the same, another body", DELIVERY(""), DELIVERY(",\"x\":1"), NULL, NULL, false },
		{ "a bounce by its ID", BOUNCE(",\"ID\":7"), BOUNCE(",\"ID\":7,\"Details\":\"x\""),
		    "1", "2", true },
		{ "two bounces of one mail", BOUNCE(",\"ID\":7"), BOUNCE(",\"ID\":8"), "1", "1",
		    false },
		{ "IDs that differ beyond 53 bits", BOUNCE(",\"ID\":9007199254740993"),
		    BOUNCE(",\"ID\":9007199254740992"), "1", "1", false },
		{ "a bounce without an ID", BOUNCE(",\"BouncedAt\":\"x\""),
		    BOUNCE(",\"BouncedAt\":\"x\",\"Name\":\"y\""), "1", "2", true },
		{ "a bounce and a complaint of one ID", BOUNCE(",\"ID\":7"),
		    BOUNCE(",\"ID\":7,\"Type\":\"SpamComplaint\""), "1", "1", false },
		{ "an open twice", OPEN(READ_1), OPEN(READ_1), "1", "2", true },
		{ "opens by two programs", OPEN(READ_1 ",\"UserAgent\":\"a\""),
		    OPEN(READ_1 ",\"UserAgent\":\"b\""), "1", "1", false },
		{ "a suppression twice", CHANGE(CHANGED ",\"SuppressSending\":true"),
		    CHANGE(CHANGED ",\"SuppressSending\":true,\"Origin\":\"x\""), "1", "2", true },
		{ "and lifted in the same second", CHANGE(CHANGED ",\"SuppressSending\":true"),
		    CHANGE(CHANGED ",\"SuppressSending\":false"), "1", "1", false },
		{ "on another stream", CHANGE(CHANGED LIFTED ",\"MessageStream\":\"a\""),
		    CHANGE(CHANGED LIFTED ",\"MessageStream\":\"b\""), "1", "1", false },
		{ "ServerID in both spellings", CHANGE(CHANGED LIFTED),
		    CHANGE(LIFTED ",\"ChangedAt\":\"2026-09-05T22:01:03Z\",\"ServerId\":1"), "1",
		    "2", true },
		{ "texts that join to the same",
		    "{\"RecordType\":\"Delivery\",\"MessageID\":\"ab\",\"Recipient\":\"c\"" AT_1
		    "}",
		    "{\"RecordType\":\"Delivery\",\"MessageID\":\"a\",\"Recipient\":\"bc\"" AT_1
		    "}",
		    "1", "1", false },
		{ "a kind that is new, one trace", "{\"RecordType\":\"X\",\"a\":1}",
		    "{\"RecordType\":\"X\",\"a\":2}", "1", "1", true },
		{ "a kind that is new, two traces", "{\"RecordType\":\"X\"}",
		    "{\"RecordType\":\"X\"}", "1", "2", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		struct post_origin first = usual, second = usual;
		struct post one, other;

		first.trace_id = pairs[i].one_trace;
		second.trace_id = pairs[i].other_trace;
		second.now_ms++;
		one = read_text(pairs[i].one, &first);
		other = read_text(pairs[i].other, &second);
		if ((memcmp(one.event->mark, other.event->mark, EVENT_MARK_BYTES) == 0) !=
		    pairs[i].same)
			fail_msg("%s", pairs[i].why);
		post_free(&one);
		post_free(&other);
	}
}

static void
add_text(struct buf *body, const char *name, size_t len, const char *what)
{
	buf_addf(body, ",\"%s\":\"", name);
	for (size_t i = 0; i < len; i++)
		buf_adds(body, what);
	buf_addc(body, '"');
}

/* Texts are cut at a character; Content goes first, then what is largest. */
static void
what_is_too_large_is_cut(void **state)
{
	struct post post;
	struct buf body;
	json_t *kept;

	(void)state;
	buf_init(&body, SIZE_MAX / 4);
	buf_adds(&body, "{\"RecordType\":\"Bounce\",\"ID\":7");
	add_text(&body, "Details", 700, "\xc3\xa4");
	add_text(&body, "Content", 300000, "x");
	add_text(&body, "Subject", 1000, "y");
	buf_addc(&body, '}');
	post = read_text(body.data, &usual);
	assert_int_equal(strlen(post.event->detail), EVENT_MOST_TEXT);
	kept = json_loads(post.event->json, 0, NULL);
	assert_null(json_object_get(kept, "Content"));
	assert_int_equal(json_string_length(json_object_get(kept, "Subject")), 1000);
	assert_int_equal(json_string_length(json_object_get(kept, "Details")), 1400);
	json_decref(kept);
	post_free(&post);

	body.len--;
	add_text(&body, "Novel", 270000, "\\n");
	for (unsigned i = 0; i < 3000; i++)
		buf_addf(&body, ",\"\\u0001%u\":{}", i);
	buf_addc(&body, '}');
	post = read_text(body.data, &usual);
	assert_true(post.event->json_len <= EVENT_MOST_JSON);
	kept = json_loads(post.event->json, 0, NULL);
	assert_null(json_object_get(kept, "Novel"));
	assert_non_null(json_object_get(kept, "RecordType"));
	assert_non_null(json_object_get(kept, "Subject"));
	json_decref(kept);
	post_free(&post);

	/* An odd byte before them, so that the limit falls into a character. */
	buf_clear(&body);
	buf_adds(&body, "{\"RecordType\":\"Bounce\",\"ID\":7,\"Details\":\"x");
	for (unsigned i = 0; i < 700; i++)
		buf_adds(&body, "\xc3\xa4");
	buf_adds(&body, "\"}");
	post = read_text(body.data, &usual);
	assert_int_equal(strlen(post.event->detail), EVENT_MOST_TEXT - 1);
	post_free(&post);
	buf_free(&body);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_an_event),
		cmocka_unit_test(what_is_something_else),
		cmocka_unit_test(a_nul_is_not_the_end),
		cmocka_unit_test(too_many_values_are_refused),
		cmocka_unit_test(what_has_one_mark),
		cmocka_unit_test(what_is_too_large_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
