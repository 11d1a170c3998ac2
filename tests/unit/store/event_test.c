/* What happens after a message was sent: what events make of items, what a crash leaves of that,
 * and what is kept besides. */

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "mail/event.h"
#include "mail/hook.h"
#include "mail/mail.h"
#include "mail/suppression.h"
#include "store/reader.h"
#include "store/store.h"

#include "spool.h"

#define LATER_MS (NOW_MS + 50000)
#define UUID     "11111111-2222-4333-8444-555555555555"

/* --- the bench ---------------------------------------------------------------------------- */

struct answer {
	struct spool *spool;
	enum store_result result;
	struct store_event_done did;
	char event_id[ULID_SIZE];
};

static void
event_note(void *ctx, enum store_result result, const struct event *event,
    const struct store_event_done *did)
{
	struct answer *answer = ctx;

	answer->result = result;
	answer->did = *did;
	memcpy(answer->event_id, event->id, ULID_SIZE);
	done_note(answer->spool, result);
}

static void
set(char **text, const char *value)
{
	free(*text);
	*text = mem_string(value);
}

static unsigned marks;

/* The next fact, of this item. */
static struct event *
event_make(enum event_kind kind, const char *relay_id)
{
	struct event *event = mail_event_new();

	ulid_make(event->id, LATER_MS);
	event->kind = kind;
	marks++;
	for (int i = 0; i < EVENT_MARK_BYTES; i++)
		event->mark[i] = (unsigned char)((marks >> (i % 4 * 8)) * 37U + (unsigned)i);
	event->received_ms = LATER_MS;
	event->at_ms = LATER_MS - 10;
	set(&event->connection, "main");
	set(&event->stream, "outbound");
	set(&event->relay_id, relay_id);
	set(&event->recipient, "Ann@Recipient.example");
	set(&event->type, kind == EVENT_BOUNCE ? "HardBounce" : "");
	set(&event->json, "{\"RecordType\":\"x\"}");
	event->json_len = strlen(event->json);
	return event;
}

static struct answer
tell(struct spool *s, struct event *event)
{
	struct answer answer = { .spool = s };

	s->waiting++;
	store_event(s->store, event, event_note, &answer);
	wait_answers(s);
	return answer;
}

static struct store_event_done
told(struct spool *s, struct event *event)
{
	struct answer answer = tell(s, event);

	assert_int_equal(answer.result, STORE_OK);
	return answer.did;
}

static int64_t
item_value(struct spool *s, const char *column, int64_t key)
{
	char *query = mem_format("SELECT %s FROM item WHERE key=%lld", column, (long long)key);
	int64_t value = sql(s, query);

	free(query);
	return value;
}

/* Counts, rows, payloads, files and marks agree. */
static void
books_check(struct spool *s)
{
	count(s);
	for (int i = ITEM_SPOOLED; i < ITEM_STATES; i++) {
		char *query = mem_format("SELECT count(*) FROM item WHERE state=%d", i);

		assert_int_equal(sql(s, query), s->counts.items[i]);
		free(query);
	}
	assert_int_equal(sql(s, "SELECT count(*) FROM item WHERE put_aside"), s->counts.put_aside);
	assert_int_equal(sql(s, "SELECT count(*) FROM payload WHERE item NOT IN"
				" (SELECT key FROM item WHERE payload_at=1)"),
	    0);
	assert_int_equal(sql(s, "SELECT count(*) FROM item WHERE payload_at=2"),
	    folder_entries(s->folder, "payload"));
	assert_int_equal(sql(s, "SELECT count(*) FROM item AS i WHERE history<>"
				"(SELECT count(*) FROM attempt WHERE item=i.key)"),
	    0);
	assert_int_equal(sql(s, "SELECT count(*) FROM item WHERE ended_ms<>0 AND state<6"), 0);
	assert_int_equal(sql(s, "SELECT count(*) FROM item WHERE ended_ms=0 AND state>=6"), 0);
	assert_int_equal(sql(s, "SELECT count(*) FROM item WHERE state=6 AND payload_at<>0"), 0);
	assert_int_equal(sql(s, "SELECT count(*) FROM event AS e WHERE key<>"
				"(SELECT event FROM event_mark AS k WHERE k.mark=e.mark)"),
	    0);
	assert_int_equal(sql(s, "SELECT (SELECT count(*) FROM event)=(SELECT count(*) FROM"
				" event_mark)"),
	    1);
	assert_int_equal(sql(s, "SELECT count(*) FROM event WHERE item<>0 AND item NOT IN"
				" (SELECT key FROM item)"),
	    0);
	assert_int_equal(
	    sql(s, "SELECT count(*) FROM item WHERE proof<>0 AND state NOT IN (2,5)"), 0);
}

/* Where an item may be when Postmark speaks of it. */
enum place {
	SPOOLED,
	SENDING,
	WAITING,
	HELD_ANSWERED,
	HELD_UNANSWERED,
	PUT_ASIDE,
	UNSURE,
	UNSURE_IN_HAND,
	SENT,
	FAILED_ANSWERED,
	FAILED_UNANSWERED,
	CAPTURED,
	LOCAL,
	PLACES,
};

static const struct {
	enum item_state state; /* what it is there */
	bool gives_way;        /* to SENT, at once */
	bool remembers;        /* and is SENT when its outcome comes in */
	bool untouched;
	const char *why;
} places[PLACES] = {
	[SPOOLED] = { ITEM_SPOOLED, true, false, false, "a spool from a backup knows less" },
	[SENDING] = { ITEM_SENDING, false, true, false, "its outcome is on the way" },
	[WAITING] = { ITEM_WAITING, true, false, false, "the attempt got through after all" },
	[HELD_ANSWERED] = { ITEM_HELD, true, false, false, "an attempt before that did" },
	[HELD_UNANSWERED] = { ITEM_HELD, true, false, false, "that is what nobody knew" },
	[PUT_ASIDE] = { ITEM_HELD, false, false, false, "for people to look at" },
	[UNSURE] = { ITEM_UNSURE, true, false, false, "that is what nobody knew" },
	[UNSURE_IN_HAND] = { ITEM_UNSURE, false, true, false, "the answer is on the way" },
	[SENT] = { ITEM_SENT, false, false, false, "it was known" },
	[FAILED_ANSWERED] = { ITEM_FAILED, false, false, false, "Postmark refused it" },
	[FAILED_UNANSWERED] = { ITEM_FAILED, true, false, false, "that is what nobody knew" },
	[CAPTURED] = { ITEM_CAPTURED, false, false, true, "Postmark never had it" },
	[LOCAL] = { ITEM_SPOOLED, false, false, true, "Postmark is not to have it" },
};

static void
settle_to(struct spool *s, int64_t key, enum item_state to, int http_status)
{
	const struct store_outcome outcome = { .key = key,
		.to = to,
		.at_ms = NOW_MS,
		.due_ms = NOW_MS + 1000000,
		.postmark_id = to == ITEM_SENT ? "pm-1" : NULL,
		.http_status = http_status,
		.answer = "first",
		.keeps_history = true };

	s->waiting++;
	store_settle(s->store, &outcome, 1, done_note, s);
	wait_answers(s);
	assert_int_equal(s->result, STORE_OK);
}

/* One item brought to a place; others are not touched: theirs is another time. */
static int64_t
item_in(struct spool *s, enum place place, char id[ITEM_ID_SIZE])
{
	struct mail *mail = mail_make(NULL, 1, 1000, NOW_MS);
	int64_t key;
	char *query;

	item_id(id, mail->id, 1);
	mail->captured = place == CAPTURED;
	if (place == LOCAL)
		mail->items[0].kind = ITEM_LOCAL;
	if (place == SPOOLED || place == LOCAL)
		mail->accepted_ms = NOW_MS + 1000000;
	assert_int_equal(commit(s, mail), STORE_OK);
	key = sql(s, "SELECT max(key) FROM item");
	if (place == SPOOLED || place == CAPTURED || place == LOCAL)
		return key;
	if (place == PUT_ASIDE) {
		query = mem_format("DELETE FROM payload WHERE item=%lld", (long long)key);
		sql(s, query);
		free(query);
		assert_int_equal(claim_most(s, ITEM_SPOOLED, NOW_MS, 1, UINT64_MAX), 0);
		return key;
	}
	assert_int_equal(claim_most(s, ITEM_SPOOLED, NOW_MS, 1, UINT64_MAX), 1);
	assert_int_equal(s->items[0].key, key);
	switch (place) {
	case WAITING:
		settle_to(s, key, ITEM_WAITING, 503);
		break;
	case HELD_ANSWERED:
		settle_to(s, key, ITEM_HELD, 402);
		break;
	case HELD_UNANSWERED:
		settle_to(s, key, ITEM_HELD, 0);
		break;
	case SENT:
		settle_to(s, key, ITEM_SENT, 200);
		break;
	case FAILED_ANSWERED:
		settle_to(s, key, ITEM_FAILED, 422);
		break;
	case UNSURE:
	case UNSURE_IN_HAND:
	case FAILED_UNANSWERED:
		settle_to(s, key, ITEM_UNSURE, 0);
		if (place == UNSURE)
			break;
		query = mem_format("UPDATE item SET due_ms=%lld WHERE key=%lld", (long long)NOW_MS,
		    (long long)key);
		sql(s, query);
		free(query);
		assert_int_equal(claim_most(s, ITEM_UNSURE, NOW_MS, 1, UINT64_MAX), 1);
		assert_int_equal(s->items[0].key, key);
		if (place == FAILED_UNANSWERED)
			settle_to(s, key, ITEM_FAILED, 0);
		break;
	default: /* SENDING */
		break;
	}
	return key;
}

static struct store_reader *
reader_open(struct spool *s)
{
	char why[300] = "";
	struct store_reader *reader = store_reader_open(SPOOL_BACKEND, s->folder, why, sizeof(why));

	if (reader == NULL)
		fail_msg("%s", why);
	return reader;
}

/* The last line of an item's history. */
static void
last_line_check(struct spool *s, int64_t key, unsigned lines, unsigned attempt, enum item_state to,
    const char *part)
{
	struct store_reader *reader = reader_open(s);
	struct attempt_facts *list;
	size_t count;

	assert_int_equal(store_reader_history(reader, key, &list, &count), 0);
	assert_int_equal(count, lines);
	assert_int_equal(list[count - 1].attempt, attempt);
	assert_int_equal(list[count - 1].to, to);
	if (strstr(list[count - 1].answer, part) == NULL)
		fail_msg("%s: not in: %s", part, list[count - 1].answer);
	attempt_facts_free(list, count);
	store_reader_close(&reader);
}

/* --- every place and every kind ----------------------------------------------------------- */

static const struct {
	enum event_kind kind;
	const char *type, *message_id;
	bool proves;
	unsigned fates;
	const char *why;
} facts[] = {
	{ EVENT_DELIVERY, "", UUID, true, FATE_DELIVERED, "it has been delivered" },
	{ EVENT_DELIVERY, "", "", true, FATE_DELIVERED, "by the relay-id alone" },
	{ EVENT_BOUNCE, "HardBounce", UUID, true, FATE_BOUNCED, "what bounces was sent" },
	{ EVENT_BOUNCE, "Transient", UUID, true, FATE_DELAYED, "and what is delayed" },
	{ EVENT_BOUNCE, "SMTPApiError", UUID, false, FATE_BOUNCED, "Postmark refused it" },
	{ EVENT_COMPLAINT, "SpamComplaint", UUID, true, FATE_COMPLAINED, "somebody has it" },
	{ EVENT_OPEN, "", UUID, true, FATE_OPENED, "somebody has it" },
	{ EVENT_CLICK, "", UUID, true, FATE_CLICKED, "somebody has it" },
	{ EVENT_SUBSCRIPTION, "", UUID, true, 0, "of a message" },
	{ EVENT_SUBSCRIPTION, "", "", false, 0, "of an address, by Postmark's customer" },
	{ EVENT_OTHER, "Novelty", UUID, false, 0, "who knows what it says" },
	{ EVENT_FAILED, "", "", false, 0, "of our own" },
	{ EVENT_INACTIVE, "", UUID, false, FATE_BOUNCED, "of our own" },
};
#define FACTS (sizeof(facts) / sizeof(facts[0]))

static struct event *
fact_make(size_t at, const char *relay_id)
{
	struct event *event = event_make(facts[at].kind, relay_id);

	set(&event->type, facts[at].type);
	set(&event->message_id, facts[at].message_id);
	return event;
}

static void
test_places(void **state)
{
	struct spool *s = *state;

	for (enum place place = 0; place < PLACES; place++)
		for (size_t i = 0; i < FACTS; i++) {
			char id[ITEM_ID_SIZE];
			int64_t key = item_in(s, place, id), lines = item_value(s, "history", key);
			bool settles = places[place].gives_way && facts[i].proves;
			bool had_id = place == SENT;
			struct store_event_done did = told(s, fact_make(i, id));
			enum item_state is = settles ? ITEM_SENT : places[place].state;

			if (item_value(s, "state", key) != (int64_t)is || did.settled != settles)
				fail_msg("%s, %s: %s: state %d", places[place].why,
				    event_kind_name(facts[i].kind), facts[i].why,
				    (int)item_value(s, "state", key));
			assert_false(did.repeat);
			assert_true(did.key > 0);
			assert_string_equal(did.item, id);
			assert_string_equal(did.route, "main");
			assert_int_equal(item_value(s, "fates", key),
			    places[place].untouched ? 0 : facts[i].fates);
			assert_int_equal(item_value(s, "postmark_id IS NOT NULL", key),
			    had_id || (facts[i].message_id[0] != '\0' && !places[place].untouched));
			assert_int_equal(item_value(s, "proof", key),
			    places[place].remembers && facts[i].proves ? did.key : 0);
			assert_int_equal(item_value(s, "history", key), lines + settles);
			assert_int_equal(
			    item_value(s, "payload_at", key), settles || place == SENT ? 0 : 1);
			if (settles) {
				assert_int_equal(item_value(s, "ended_ms", key), LATER_MS);
				assert_int_equal(item_value(s, "unanswered", key), 0);
				last_line_check(s, key, (unsigned)lines + 1, 0, ITEM_SENT,
				    "event of Postmark for Ann@Recipient.example: it has the "
				    "message");
			}
		}
	/* Nobody sends what is settled, and what is in hand can be settled. */
	books_check(s);
	assert_int_equal(claim_most(s, ITEM_UNSURE, NOW_MS, 100, UINT64_MAX), 0);
}

/* The outcome comes after the event. */
static void
test_outcome_after(void **state)
{
	static const struct {
		enum item_state to;
		bool keeps_history;
		unsigned lines;
	} outcomes[] = {
		{ ITEM_WAITING, true, 2 },
		{ ITEM_UNSURE, true, 2 },
		{ ITEM_HELD, true, 2 },
		{ ITEM_FAILED, true, 2 },
		{ ITEM_SPOOLED, false, 1 },
		{ ITEM_SENT, true, 1 },
	};
	struct spool *s = *state;

	for (size_t i = 0; i < sizeof(outcomes) / sizeof(outcomes[0]); i++)
		for (int unsure = 0; unsure < 2; unsure++) {
			char id[ITEM_ID_SIZE];
			int64_t key = item_in(s, unsure ? UNSURE_IN_HAND : SENDING, id);
			unsigned lines = outcomes[i].lines + (unsigned)unsure;
			const struct store_outcome outcome = { .key = key,
				.to = outcomes[i].to,
				.at_ms = LATER_MS + 1,
				.due_ms = NOW_MS,
				.answer = "second",
				.postmark_id = outcomes[i].to == ITEM_SENT ? "pm-7" : NULL,
				.keeps_history = outcomes[i].keeps_history };
			struct event *event = event_make(EVENT_DELIVERY, id);

			assert_false(told(s, event).settled);
			/* Another does not change the proof. */
			told(s, event_make(EVENT_OPEN, id));
			s->waiting++;
			store_settle(s->store, &outcome, 1, done_note, s);
			wait_answers(s);
			assert_int_equal(s->result, STORE_OK);
			assert_int_equal(item_value(s, "state", key), ITEM_SENT);
			assert_int_equal(item_value(s, "proof", key), 0);
			assert_int_equal(item_value(s, "unanswered", key), 0);
			assert_int_equal(item_value(s, "payload_at", key), 0);
			assert_int_equal(item_value(s, "ended_ms", key), LATER_MS + 1);
			assert_int_equal(item_value(s, "fates", key), FATE_DELIVERED | FATE_OPENED);
			if (outcomes[i].to == ITEM_SENT)
				last_line_check(s, key, lines, 1, ITEM_SENT, "second");
			else
				last_line_check(s, key, lines, 0, ITEM_SENT,
				    "delivery event of Postmark for Ann@");
		}
	books_check(s);
	/* No failure was told of what did not fail. */
	assert_int_equal(sql(s, "SELECT count(*) FROM event WHERE kind=7"), 0);
	assert_int_equal(claim(s, ITEM_SPOOLED), 0);
	assert_int_equal(claim(s, ITEM_UNSURE), 0);
}

/* Event and outcome in one commit, in either order of asking. */
static void
test_outcome_beside(void **state)
{
	struct spool *s = *state;

	for (int event_first = 0; event_first < 2; event_first++) {
		char id[ITEM_ID_SIZE];
		int64_t key = item_in(s, SENDING, id);
		struct answer answer = { .spool = s };
		const struct store_outcome outcome = {
			.key = key, .to = ITEM_UNSURE, .at_ms = NOW_MS, .keeps_history = true
		};

		s->waiting += 2;
		if (event_first)
			store_event(s->store, event_make(EVENT_DELIVERY, id), event_note, &answer);
		store_settle(s->store, &outcome, 1, done_note, s);
		if (!event_first)
			store_event(s->store, event_make(EVENT_DELIVERY, id), event_note, &answer);
		wait_answers(s);
		assert_int_equal(item_value(s, "state", key), ITEM_SENT);
	}
	books_check(s);
}

/* One item by its key. */
static void
test_reader_item(void **state)
{
	struct spool *s = *state;
	char id[ITEM_ID_SIZE];
	int64_t key = item_in(s, FAILED_UNANSWERED, id);
	struct store_reader *reader;
	struct item_facts item;

	assert_true(told(s, event_make(EVENT_DELIVERY, id)).settled);
	reader = reader_open(s);
	assert_int_equal(store_reader_item(reader, key, &item), 0);
	assert_string_equal(item.id, id);
	assert_int_equal(item.fates, FATE_DELIVERED);
	assert_int_equal(item.state, ITEM_SENT);
	item_facts_free(&item);
	assert_int_equal(store_reader_item(reader, key + 7, &item), 1);
	assert_int_equal(store_reader_item(reader, key - 1, &item), 1);
	store_reader_close(&reader);
}

/* --- repeats ------------------------------------------------------------------------------ */

static void
test_repeats(void **state)
{
	struct spool *s = *state;
	char id[ITEM_ID_SIZE];
	int64_t key = item_in(s, UNSURE, id);
	struct answer answers[20];
	struct store_event_done did;
	unsigned news = 0;

	/* At the same time, by several connections. */
	for (size_t i = 0; i < 20; i++) {
		struct event *event = event_make(EVENT_DELIVERY, id);

		memset(event->mark, 7, EVENT_MARK_BYTES);
		answers[i] = (struct answer){ .spool = s };
		s->waiting++;
		store_event(s->store, event, event_note, &answers[i]);
	}
	wait_answers(s);
	for (size_t i = 0; i < 20; i++) {
		assert_int_equal(answers[i].result, STORE_OK);
		news += !answers[i].did.repeat;
		assert_int_equal(answers[i].did.key != 0, !answers[i].did.repeat);
		assert_int_equal(answers[i].did.settled, !answers[i].did.repeat);
		assert_string_equal(answers[i].did.item, id);
		assert_string_equal(answers[i].did.route, "main");
	}
	assert_int_equal(news, 1);
	assert_int_equal(sql(s, "SELECT count(*) FROM event"), 1);
	assert_int_equal(item_value(s, "history", key), 2);

	/* And hours later, by another process, with other words. */
	spool_reopen(s);
	{
		struct event *event = event_make(EVENT_BOUNCE, "");

		memset(event->mark, 7, EVENT_MARK_BYTES);
		event->suppressed = true;
		did = told(s, event);
	}
	assert_true(did.repeat);
	assert_int_equal(did.key, 0);
	assert_string_equal(did.item, id);
	assert_int_equal(item_value(s, "fates", key), FATE_DELIVERED);
	assert_int_equal(sql(s, "SELECT count(*) FROM suppression"), 0);

	/* Of no item of ours. */
	{
		struct event *event = event_make(EVENT_OPEN, "");

		memset(event->mark, 8, EVENT_MARK_BYTES);
		assert_true(told(s, event).key > 0);
		event = event_make(EVENT_OPEN, "");
		memset(event->mark, 8, EVENT_MARK_BYTES);
		did = told(s, event);
		assert_true(did.repeat);
		assert_string_equal(did.item, "");
		assert_string_equal(did.route, "");
	}
	books_check(s);
}

/* --- whose it is -------------------------------------------------------------------------- */

/* A mail of one item that nothing has happened to, to another key. */
static void
key_move(struct spool *s, int64_t from, int64_t to)
{
	const char *const keys[] = { "mail SET key", "item SET key", "payload SET item" };

	for (int i = 0; i < 3; i++) {
		int bits = i == 0 ? 0 : 20;
		char *change = mem_format("UPDATE %s=(%lld<<%d)+%d WHERE %s=(%lld<<%d)+%d", keys[i],
		    (long long)to, bits, i > 0, strrchr(keys[i], ' ') + 1, (long long)from, bits,
		    i > 0);

		sql(s, change);
		free(change);
	}
}

static void
test_join(void **state)
{
	struct spool *s = *state;
	char id[ITEM_ID_SIZE], other[ITEM_ID_SIZE], small[ITEM_ID_SIZE], ours[ITEM_ID_SIZE];
	int64_t key = item_in(s, SENT, id), last;
	char mail_id[ULID_SIZE];
	const struct {
		const char *relay_id, *message_id, *whose, *why;
	} cases[] = {
		{ id, "", id, "by the relay-id" },
		{ small, "", id, "letters of either case" },
		{ other, "pm-3", other, "its MessageID is learnt" },
		{ "", "pm-3", other, "and helps the next" },
		{ id, "pm-3", id, "the relay-id says more" },
		{ "", "pm-1", id, "by the MessageID" },
		{ "", "pm-2", "", "nobody's" },
		{ "", "", "", "says nothing" },
		{ "invoice-7", "pm-1", id, "an application's own" },
		{ mail_id, "pm-1", id, "the id of a mail is no item's" },
		{ ours, "pm-1", "", "of another relay on the same server" },
	};

	item_in(s, WAITING, other);
	for (size_t i = 0; i < ITEM_ID_SIZE; i++)
		small[i] = (char)(id[i] >= 'A' && id[i] <= 'Z' ? id[i] + 32 : id[i]);
	memcpy(mail_id, id, ULID_LEN);
	mail_id[ULID_LEN] = '\0';
	item_id(ours, mail_id, 2);
	assert_int_equal(item_value(s, "postmark_id IS NOT NULL", key), 1);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct event *event = event_make(EVENT_OTHER, cases[i].relay_id);
		struct store_event_done did;

		set(&event->message_id, cases[i].message_id);
		did = told(s, event);
		if (strcmp(did.item, cases[i].whose) != 0)
			fail_msg("%s: %s", cases[i].why, did.item);
		assert_true(did.key > 0);
	}

	/* The newest mails are looked through, and no more of them. */
	last = item_in(s, SPOOLED, other) >> 20;
	for (int i = 0; i < 2; i++) {
		int64_t to = (key >> 30 << 10) + (i == 0 ? 63 : 64) * 1024 + 5;
		struct event *event = event_make(EVENT_DELIVERY, "");

		key_move(s, last, to);
		last = to;
		set(&event->message_id, "pm-1");
		assert_string_equal(told(s, event).item, i == 0 ? id : "");
	}
	assert_string_equal(told(s, event_make(EVENT_DELIVERY, id)).item, id);
	books_check(s);
}

/* --- what a crash leaves ------------------------------------------------------------------ */

static void
test_recovery(void **state)
{
	struct spool *s = *state;
	char sending[ITEM_ID_SIZE], unsure[ITEM_ID_SIZE], other[ITEM_ID_SIZE], file[ITEM_ID_SIZE];
	int64_t keys[4];
	struct mail *mail;

	/* One whose message is a file. */
	mail = mail_make(NULL, 1, FILE_BYTES, NOW_MS);
	item_id(file, mail->id, 1);
	assert_int_equal(commit(s, mail), STORE_OK);
	keys[3] = sql(s, "SELECT max(key) FROM item");
	assert_int_equal(claim_most(s, ITEM_SPOOLED, NOW_MS, 1, UINT64_MAX), 1);
	keys[0] = item_in(s, SENDING, sending);
	keys[1] = item_in(s, UNSURE_IN_HAND, unsure);
	keys[2] = item_in(s, SENDING, other);
	told(s, event_make(EVENT_DELIVERY, sending));
	told(s, event_make(EVENT_OPEN, unsure));
	told(s, event_make(EVENT_CLICK, file));
	assert_int_equal(sql(s, "SELECT count(*) FROM item WHERE proof<>0"), 3);

	/* A connection that is taken anew leaves alone what is in hand. */
	clock_restore();
	atomic_store(&syncs_to_fail, 1);
	for (int i = 0; commit(s, mail_make(NULL, 1, 100, NOW_MS + 5000)) != STORE_OK; i++) {
		assert_true(i < 100);
		usleep(50000);
	}
	clock_fake(NOW_MS, 1000000);
	assert_int_equal(sql(s, "SELECT count(*) FROM item WHERE proof<>0"), 3);
	assert_int_equal(item_value(s, "state", keys[0]), ITEM_SENDING);

	items_free(s);
	spool_reopen(s);
	assert_int_equal(item_value(s, "state", keys[0]), ITEM_SENT);
	assert_int_equal(item_value(s, "state", keys[1]), ITEM_SENT);
	assert_int_equal(item_value(s, "state", keys[2]), ITEM_UNSURE);
	assert_int_equal(item_value(s, "state", keys[3]), ITEM_SENT);
	last_line_check(s, keys[0], 1, 0, ITEM_SENT, "delivery event of Postmark for Ann@");
	last_line_check(s, keys[1], 2, 0, ITEM_SENT, "open event of Postmark for Ann@");
	assert_int_equal(folder_entries(s->folder, "payload"), 0);
	books_check(s);
}

/* What the items of a mail share goes with the last that needs it. */
static void
test_shared(void **state)
{
	struct spool *s = *state;
	struct mail *mail = mail_make(NULL, 2, 500, NOW_MS);
	char ids[2][ITEM_ID_SIZE];

	item_id(ids[0], mail->id, 1);
	item_id(ids[1], mail->id, 2);
	mail->shared.data = mem_string(",\"HtmlBody\":\"long\"}");
	mail->shared.len = strlen(mail->shared.data);
	mail->shared.fd = -1;
	assert_int_equal(commit(s, mail), STORE_OK);
	assert_true(told(s, event_make(EVENT_DELIVERY, ids[0])).settled);
	assert_int_equal(sql(s, "SELECT count(*) FROM payload"), 2);
	assert_true(told(s, event_make(EVENT_DELIVERY, ids[1])).settled);
	assert_int_equal(sql(s, "SELECT count(*) FROM payload"), 0);
	assert_int_equal(sql(s, "SELECT count(*) FROM item WHERE state=0"), 0);
	books_check(s);
}

/* Nobody is told of an event that is not on the disk, and what is posted again finds its place. */
static void
test_sync_error(void **state)
{
	struct spool *s = *state;
	char id[ITEM_ID_SIZE];
	int64_t key = item_in(s, UNSURE, id);
	struct event *event;
	struct answer answer;

	clock_restore();
	atomic_store(&syncs_to_fail, 1000);
	for (int i = 0; i < 3; i++) {
		event = event_make(EVENT_DELIVERY, id);
		memset(event->mark, 9, EVENT_MARK_BYTES);
		answer = tell(s, event);
		assert_int_equal(answer.result, STORE_BROKEN);
		assert_int_equal(answer.did.key, 0);
		assert_false(answer.did.repeat);
		assert_string_equal(answer.did.item, "");
	}
	atomic_store(&syncs_to_fail, 0);
	for (int i = 0; i < 100; i++) {
		event = event_make(EVENT_DELIVERY, id);
		memset(event->mark, 9, EVENT_MARK_BYTES);
		answer = tell(s, event);
		if (answer.result == STORE_OK)
			break;
		usleep(50000);
	}
	assert_int_equal(answer.result, STORE_OK);
	/* Whether the first of them reached the disk is all the same: nobody was told of it. */
	assert_false(answer.did.repeat);
	assert_true(answer.did.key > 0);
	assert_true(answer.did.settled);
	assert_string_equal(answer.did.item, id);
	assert_string_equal(answer.did.route, "main");
	assert_int_equal(sql(s, "SELECT count(*) FROM event"), 1);
	assert_int_equal(item_value(s, "state", key), ITEM_SENT);
	assert_int_equal(item_value(s, "history", key), 2);
	event = event_make(EVENT_DELIVERY, id);
	memset(event->mark, 9, EVENT_MARK_BYTES);
	assert_true(told(s, event).repeat);
	spool_reopen(s);
	books_check(s);
}

/* Some syncs fail, and the store tries again by itself before it answers: with one the events are
 * not there any more, with two they are. */
static void
test_sync_error_salvaged(void **state)
{
	struct spool *s = *state;
	char id[ITEM_ID_SIZE];
	struct answer answers[3];

	item_in(s, UNSURE, id);
	clock_restore();
	for (int fails = 1; fails <= 5; fails++) {
		unsigned told_of[3] = { 0 }, all = 0;

		atomic_store(&syncs_to_fail, fails);
		for (int tries = 0; all < 3; tries++) {
			assert_true(tries < 100);
			for (unsigned i = 0; i < 3; i++) {
				struct event *event = event_make(EVENT_OPEN, id);

				memset(event->mark, 10 * fails + (int)i, EVENT_MARK_BYTES);
				answers[i] = (struct answer){ .spool = s };
				s->waiting++;
				store_event(s->store, event, event_note, &answers[i]);
			}
			wait_answers(s);
			all = 0;
			for (unsigned i = 0; i < 3; i++) {
				all += answers[i].result == STORE_OK;
				told_of[i] +=
				    answers[i].result == STORE_OK && !answers[i].did.repeat;
			}
			if (all < 3)
				usleep(50000);
		}
		for (unsigned i = 0; i < 3; i++)
			if (told_of[i] != 1)
				fail_msg("%d syncs: %u: %u times", fails, i, told_of[i]);
		assert_int_equal(sql(s, "SELECT count(*) FROM event"), 3 * fails);
	}
	spool_reopen(s);
	books_check(s);
}

static void
test_little_space(void **state)
{
	struct spool *s = *state;
	char id[ITEM_ID_SIZE];
	const struct suppression one = { .connection = (char[]){ "main" },
		.stream = (char[]){ "outbound" },
		.address = (char[]){ "a@b.example" } };

	item_in(s, SENT, id);
	store_close(&s->store);
	s->min_free_bytes = UINT64_MAX / 2;
	spool_open(s);
	assert_int_equal(tell(s, event_make(EVENT_DELIVERY, id)).result, STORE_FULL);
	assert_int_equal(sql(s, "SELECT count(*) FROM event"), 0);
	/* Everything else goes on. */
	s->waiting += 2;
	store_outlet_set(s->store, "file", 3, done_note, s);
	store_suppressions_change(s->store, &one, 1, done_note, s);
	wait_answers(s);
	assert_int_equal(s->result, STORE_OK);
	books_check(s);
}

static void
test_disk_full(void **state)
{
	struct spool *s = *state;
	char id[ITEM_ID_SIZE];
	unsigned stored = 0;
	enum store_result result = STORE_OK;

	store_close(&s->store);
	if (mount("tmpfs", s->folder, "tmpfs", 0, "size=2m,mode=700") != 0)
		skip(); /* only root in a roomy container may */
	spool_open(s);
	item_in(s, UNSURE, id);
	while (result == STORE_OK && stored < 1000) {
		struct event *event = event_make(EVENT_OPEN, "");

		free(event->json);
		event->json_len = 20000;
		event->json = mem_array(event->json_len + 1, 1);
		memset(event->json, ' ', event->json_len);
		result = tell(s, event).result;
		stored += result == STORE_OK;
	}
	assert_int_equal(result, STORE_FULL);
	assert_true(stored > 3);
	assert_int_equal(sql(s, "SELECT count(*) FROM event"), stored);
	books_check(s);
	store_close(&s->store);
	assert_int_equal(umount(s->folder), 0);
	spool_open(s); /* for the teardown */
}

/* What the child had been told, in memory that outlives it. */
#define KILL_MOST 100000
struct witness {
	atomic_uint asked;
	atomic_uchar known[KILL_MOST];
};

struct child {
	struct spool spool;
	struct witness *witness;
	char (*ids)[ITEM_ID_SIZE];
};

struct child_event {
	struct child *child;
	unsigned index;
};

static struct event *
numbered(unsigned index, const char *id)
{
	struct event *event = event_make(EVENT_DELIVERY, id);

	memset(event->mark, 0, EVENT_MARK_BYTES);
	memcpy(event->mark, &index, sizeof(index));
	return event;
}

static void child_tell(struct child *);

static void
child_told(void *ctx, enum store_result result, const struct event *event,
    const struct store_event_done *did)
{
	struct child_event *e = ctx;

	(void)event;
	if (result != STORE_OK || did->repeat)
		_exit(2);
	atomic_store(&e->child->witness->known[e->index], 1);
	child_tell(e->child);
	free(e);
}

static void
child_tell(struct child *c)
{
	struct child_event *e = mem_new(sizeof(*e));

	e->child = c;
	e->index = atomic_fetch_add(&c->witness->asked, 1);
	if (e->index >= KILL_MOST)
		_exit(5);
	store_event(c->spool.store,
	    numbered(e->index, e->index % 7 < 6 ? c->ids[e->index % 7] : ""), child_told, e);
}

static void
test_kill(void **state)
{
	struct spool *s = *state;
	struct witness *witness =
	    mmap(NULL, sizeof(*witness), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char ids[6][ITEM_ID_SIZE];
	struct child c = { .witness = witness, .ids = ids };
	int64_t keys[6];
	unsigned known = 0;

	assert_true(witness != MAP_FAILED);
	for (int i = 0; i < 6; i++)
		keys[i] = item_in(s, i % 2 == 0 ? UNSURE : SENDING, ids[i]);
	store_close(&s->store);
	for (unsigned round = 0; round < 5; round++) {
		const struct timespec span = { .tv_nsec = (20 + 17 * round) * 1000000L };
		int status;
		pid_t pid;

		memcpy(c.spool.folder, s->folder, sizeof(c.spool.folder));
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			char why[300];

			c.spool.loop = loop_new();
			if (spool_try_open(&c.spool, why, sizeof(why)) != 0)
				_exit(3);
			for (unsigned i = 0; i < 64; i++)
				child_tell(&c);
			loop_run(c.spool.loop);
			_exit(4);
		}
		/* Real time, since the child's threads run in it; the outcome may not depend on
		 * when the blow falls. */
		nanosleep(&span, NULL);
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
	}
	spool_open(s);
	books_check(s);
	for (unsigned i = 0; i < atomic_load(&witness->asked); i++) {
		if (atomic_load(&witness->known[i]) == 0)
			continue;
		known++;
		assert_true(told(s, numbered(i, "")).repeat);
	}
	if (known > 600)
		for (int i = 0; i < 6; i++) {
			assert_int_equal(item_value(s, "state", keys[i]), ITEM_SENT);
			assert_int_equal(item_value(s, "history", keys[i]), i % 2 == 0 ? 2 : 1);
		}
	assert_true(sql(s, "SELECT count(*) FROM event") >= (int64_t)known);
	munmap(witness, sizeof(*witness));
}

/* --- what goes ---------------------------------------------------------------------------- */

static void
purge(struct spool *s, int64_t before_ms)
{
	s->waiting++;
	store_purge(s->store, before_ms, done_note, s);
	wait_answers(s);
	assert_int_equal(s->result, STORE_OK);
}

static void
changed_note(void *ctx, enum store_result result, const struct store_changed *changed)
{
	struct spool *s = ctx;

	assert_int_equal(changed->changed, 1);
	done_note(s, result);
}

static void
test_purge(void **state)
{
	struct spool *s = *state;
	char old[ITEM_ID_SIZE], open[ITEM_ID_SIZE], gone[ITEM_ID_SIZE];
	struct answer answer = { .spool = s };
	struct event *event;

	item_in(s, SENT, old);
	item_in(s, WAITING, open);
	for (int i = 0; i < 3; i++) {
		event = event_make(EVENT_OPEN, old);
		event->received_ms = LATER_MS;
		told(s, event);
		event = event_make(EVENT_OTHER, open);
		event->received_ms = NOW_MS - 1000000;
		told(s, event);
	}
	for (int i = 0; i < 1200; i++) {
		event = event_make(EVENT_OPEN, "");
		event->received_ms = NOW_MS - 1200 + i;
		s->waiting++;
		store_event(s->store, event, event_note, &answer);
	}
	wait_answers(s);
	purge(s, NOW_MS - 100);
	assert_int_equal(sql(s, "SELECT count(*) FROM event WHERE item=0"), 100);
	assert_int_equal(sql(s, "SELECT count(*) FROM event WHERE item<>0"), 6);
	/* The item is old enough, and what came of it is not. */
	purge(s, LATER_MS);
	assert_int_equal(sql(s, "SELECT count(*) FROM event WHERE item=0"), 0);
	assert_int_equal(sql(s, "SELECT count(*) FROM event"), 6);
	assert_int_equal(sql(s, "SELECT count(*) FROM item"), 2);
	purge(s, LATER_MS + 1);
	assert_int_equal(sql(s, "SELECT count(*) FROM event"), 3);
	assert_int_equal(sql(s, "SELECT count(*) FROM item"), 1);
	books_check(s);

	/* An operator's deletion takes them along, and no key comes twice: outlets have gone past
	 * it. */
	{
		int64_t key;
		const char *ids = gone;

		item_in(s, SENT, gone);
		key = told(s, event_make(EVENT_OPEN, gone)).key;
		s->waiting++;
		store_change(s->store,
		    &(struct store_change){ .action = STORE_DELETE,
			.ids = &ids,
			.count = 1,
			.at_ms = LATER_MS,
			.by = "test" },
		    changed_note, s);
		wait_answers(s);
		assert_int_equal(sql(s, "SELECT count(*) FROM event"), 3);
		assert_true(told(s, event_make(EVENT_OPEN, gone)).key > key);
		spool_reopen(s);
		assert_int_equal(told(s, event_make(EVENT_OPEN, "")).key, key + 2);
	}
	books_check(s);
}

/* A complaint long after its item: the last event is what counts, and a repeat of it is known for
 * as long as that of any other. */
static void
test_purge_fresh(void **state)
{
	struct spool *s = *state;
	char old[ITEM_ID_SIZE], quiet[ITEM_ID_SIZE];
	unsigned char mark[EVENT_MARK_BYTES];
	struct event *event;

	item_in(s, SENT, old);
	item_in(s, SENT, quiet);
	told(s, event_make(EVENT_OPEN, old));
	told(s, event_make(EVENT_OPEN, quiet));
	event = event_make(EVENT_COMPLAINT, old);
	event->received_ms = LATER_MS + 1000000;
	memcpy(mark, event->mark, sizeof(mark));
	told(s, event);
	purge(s, LATER_MS + 1000000);
	assert_int_equal(sql(s, "SELECT count(*) FROM item"), 1);
	assert_int_equal(sql(s, "SELECT count(*) FROM event"), 2);
	event = event_make(EVENT_COMPLAINT, old);
	memcpy(event->mark, mark, sizeof(mark));
	assert_true(told(s, event).repeat);
	books_check(s);
	purge(s, LATER_MS + 1000001);
	assert_int_equal(sql(s, "SELECT count(*) FROM item"), 0);
	assert_int_equal(sql(s, "SELECT count(*) FROM event"), 0);
	books_check(s);
}

/* More of one item than a step of a purge is for. */
static void
test_purge_steps(void **state)
{
	struct spool *s = *state;
	char ids[4][ITEM_ID_SIZE];
	struct answer answer = { .spool = s };

	for (int i = 0; i < 4; i++)
		item_in(s, SENT, ids[i]);
	for (int i = 0; i < 12000; i++) {
		s->waiting++;
		store_event(s->store, event_make(EVENT_OPEN, ids[i % 4]), event_note, &answer);
		if (s->waiting == 500)
			wait_answers(s);
	}
	wait_answers(s);
	assert_int_equal(sql(s, "SELECT count(*) FROM event"), 12000);
	purge(s, NOW_MS + 1000000);
	assert_int_equal(sql(s, "SELECT count(*) FROM event"), 0);
	assert_int_equal(sql(s, "SELECT count(*) FROM item"), 0);
	books_check(s);
}

/* --- of our own --------------------------------------------------------------------------- */

static void
test_own(void **state)
{
	struct spool *s = *state;
	char failed[ITEM_ID_SIZE], sent[ITEM_ID_SIZE];
	const char *ids = failed;
	struct event_page page = { .most = 10 };
	struct event_facts *events;
	struct store_reader *reader;
	struct store_outcome outcome;
	size_t count;
	int64_t key;

	key = item_in(s, SENDING, failed);
	outcome = (struct store_outcome){ .key = key,
		.to = ITEM_FAILED,
		.at_ms = NOW_MS + 5,
		.http_status = 422,
		.error_code = 300,
		.answer = "{\"ErrorCode\":300,\n\"Message\":\"Invalid \xff\"}",
		.keeps_history = true };
	for (int round = 0; round < 2; round++) {
		s->waiting++;
		store_settle(s->store, &outcome, 1, done_note, s);
		wait_answers(s);
		if (round == 1)
			break;
		/* It fails again: that is another fact. */
		s->waiting++;
		store_change(s->store,
		    &(struct store_change){ .action = STORE_RETRY,
			.ids = &ids,
			.count = 1,
			.at_ms = NOW_MS,
			.by = "test" },
		    changed_note, s);
		wait_answers(s);
		assert_int_equal(claim_most(s, ITEM_SPOOLED, NOW_MS, 1, UINT64_MAX), 1);
	}
	key = item_in(s, SENDING, sent);
	outcome = (struct store_outcome){ .key = key,
		.to = ITEM_SENT,
		.at_ms = NOW_MS + 6,
		.http_status = 200,
		.postmark_id = UUID,
		.answer = "Message OK, but will not deliver to these inactive addresses",
		.inactive = "b@recipient.example, c@recipient.example",
		.keeps_history = true };
	s->waiting++;
	store_settle(s->store, &outcome, 1, done_note, s);
	wait_answers(s);
	assert_int_equal(item_value(s, "fates", key), FATE_BOUNCED);

	reader = reader_open(s);
	assert_int_equal(store_reader_events(reader, &page, &events, &count), 0);
	assert_int_equal(count, 3);
	for (size_t i = 0; i < 2; i++) {
		const struct event *event = events[i].event;

		assert_int_equal(event->kind, EVENT_FAILED);
		assert_string_equal(events[i].item, failed);
		assert_string_equal(event->relay_id, failed);
		assert_string_equal(event->recipient, "a@recipient.example, b@recipient.example");
		assert_string_equal(event->type, "300");
		assert_string_equal(
		    event->detail, "{\"ErrorCode\":300,\\x0A\"Message\":\"Invalid \\xFF\"}");
		assert_true(json_is_one_object(event->json, event->json_len));
		assert_non_null(strstr(event->json, "{\"RecordType\":\"Failed\",\"RelayID\":\""));
		assert_non_null(strstr(event->json,
		    "\"Recipients\":[\"a@recipient.example\",\"b@recipient.example\"],"
		    "\"ErrorCode\":300,"));
		assert_int_equal(event->at_ms, NOW_MS + 5);
		assert_true(ulid_ok(event->id));
		assert_string_equal(event->stream, "");
	}
	assert_int_equal(events[2].event->kind, EVENT_INACTIVE);
	assert_true(events[2].event->suppressed);
	assert_string_equal(events[2].item, sent);
	assert_string_equal(events[2].route, "main");
	assert_string_equal(events[2].event->message_id, UUID);
	assert_string_equal(events[2].event->recipient, "b@recipient.example, c@recipient.example");
	assert_non_null(strstr(events[2].event->json,
	    "\"Recipients\":[\"b@recipient.example\",\"c@recipient.example\"]"));
	assert_true(json_is_one_object(events[2].event->json, events[2].event->json_len));
	event_facts_free(events, count);
	store_reader_close(&reader);
	/* On which stream is not known here. */
	assert_int_equal(sql(s, "SELECT count(*) FROM suppression"), 0);
	books_check(s);
}

/* Hundreds of recipients are not too many, of which each address stays whole. */
static void
test_own_many(void **state)
{
	struct spool *s = *state;
	struct mail *mail = mail_make(NULL, 1, 1000, NOW_MS);
	struct event_page page = { .most = 10 };
	struct event_facts *events;
	struct store_reader *reader;
	size_t count, len;

	for (int i = 0; i < 2000; i++) {
		char *address = mem_format("\"a,%d\"@recipient.example", i);

		strlist_add(&mail->items[0].recipients, address);
		free(address);
	}
	assert_int_equal(commit(s, mail), STORE_OK);
	assert_int_equal(claim_most(s, ITEM_SPOOLED, NOW_MS, 1, UINT64_MAX), 1);
	settle_to(s, s->items[0].key, ITEM_FAILED, 422);
	reader = reader_open(s);
	assert_int_equal(store_reader_events(reader, &page, &events, &count), 0);
	assert_int_equal(count, 1);
	len = strlen(events[0].event->recipient);
	assert_true(len <= EVENT_MOST_TEXT && len > EVENT_MOST_TEXT - 40);
	assert_string_equal(events[0].event->recipient + len - 8, ".example");
	assert_true(json_is_one_object(events[0].event->json, events[0].event->json_len));
	assert_true(events[0].event->json_len <= EVENT_MOST_JSON);
	event_facts_free(events, count);
	store_reader_close(&reader);
}

/* --- looking in --------------------------------------------------------------------------- */

static size_t
events_count(struct store_reader *reader, struct event_page page, int64_t *first_r, int64_t *last_r)
{
	struct event_facts *events;
	size_t count;

	assert_int_equal(store_reader_events(reader, &page, &events, &count), 0);
	*first_r = count > 0 ? events[0].key : 0;
	*last_r = count > 0 ? events[count - 1].key : 0;
	for (size_t i = 1; i < count; i++)
		assert_true(events[i].key > events[i - 1].key);
	event_facts_free(events, count);
	return count;
}

static void
test_reader(void **state)
{
	struct spool *s = *state;
	char ann[ITEM_ID_SIZE], bob[ITEM_ID_SIZE];
	int64_t ann_key = item_in(s, SENT, ann), bob_key = item_in(s, SENT, bob), first, last;
	const enum event_kind kinds[] = { EVENT_OPEN, EVENT_DELIVERY, EVENT_BOUNCE };
	struct store_reader *reader = reader_open(s);
	struct event_facts *events;
	struct event *event;
	size_t count;

	assert_int_equal(store_reader_last_event(reader, &last), 0);
	assert_int_equal(last, 0);
	assert_int_equal(events_count(reader, (struct event_page){ .most = 5 }, &first, &last), 0);

	event = event_make(EVENT_CLICK, ann);
	set(&event->message_id, UUID);
	set(&event->tag, "t\xc3\xa4g");
	set(&event->type, "Mobile");
	set(&event->origin, "Admin");
	set(&event->detail, "https://example.com/");
	event->type_code = 4006;
	event->number = 1LL << 40;
	event->suppressed = event->first = true;
	told(s, event);              /* 1 */
	for (int i = 0; i < 30; i++) /* 2 to 31 */
		told(s, event_make(kinds[i % 3], i % 2 == 0 ? ann : bob));
	told(s, event_make(EVENT_OTHER, "")); /* 32 */

	assert_int_equal(
	    store_reader_events(reader, &(struct event_page){ .most = 1 }, &events, &count), 0);
	assert_int_equal(count, 1);
	assert_int_equal(events[0].key, 1);
	assert_int_equal(events[0].item_key, ann_key);
	assert_string_equal(events[0].item, ann);
	assert_string_equal(events[0].route, "main");
	event = events[0].event;
	assert_true(ulid_ok(event->id));
	assert_int_equal(event->kind, EVENT_CLICK);
	assert_int_equal(event->received_ms, LATER_MS);
	assert_int_equal(event->at_ms, LATER_MS - 10);
	assert_string_equal(event->connection, "main");
	assert_string_equal(event->relay_id, ann);
	assert_string_equal(event->message_id, UUID);
	assert_string_equal(event->stream, "outbound");
	assert_string_equal(event->tag, "t\xc3\xa4g");
	assert_string_equal(event->recipient, "Ann@Recipient.example");
	assert_string_equal(event->type, "Mobile");
	assert_string_equal(event->origin, "Admin");
	assert_string_equal(event->detail, "https://example.com/");
	assert_int_equal(event->type_code, 4006);
	assert_int_equal(event->number, 1LL << 40);
	assert_true(event->suppressed && event->first);
	assert_string_equal(event->json, "{\"RecordType\":\"x\"}");
	assert_int_equal(event->json_len, strlen(event->json));
	event_facts_free(events, count);

	{
		const struct {
			struct event_page page;
			size_t count;
			int64_t first, last;
		} pages[] = {
			{ { .most = 100 }, 32, 1, 32 },
			{ { .most = 7, .after_key = 3 }, 7, 4, 10 },
			{ { .most = 100, .after_key = 32 }, 0, 0, 0 },
			{ { .most = 0 }, 0, 0, 0 },
			{ { .most = 100, .kinds = 1U << EVENT_OPEN }, 10, 2, 29 },
			{ { .most = 3, .after_key = 5, .kinds = 1U << EVENT_OPEN }, 3, 8, 14 },
			{ { .most = 100, .kinds = 1U << EVENT_OPEN | 1U << EVENT_CLICK }, 11, 1,
			    29 },
			{ { .most = 4,
			      .after_key = 2,
			      .kinds = 1U << EVENT_OPEN | 1U << EVENT_BOUNCE },
			    4, 4, 8 },
			{ { .most = 4, .kinds = 1U << EVENT_COMPLAINT }, 0, 0, 0 },
			{ { .most = 100, .item = ann_key }, 16, 1, 30 },
			{ { .most = 2, .item = bob_key, .after_key = 5 }, 2, 7, 9 },
			{ { .most = 100, .item = bob_key, .kinds = 1U << EVENT_DELIVERY }, 5, 3,
			    27 },
			{ { .most = 100, .item = 77 }, 0, 0, 0 },
		};

		for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
			size_t n = events_count(reader, pages[i].page, &first, &last);

			if (n != pages[i].count || first != pages[i].first || last != pages[i].last)
				fail_msg("page %zu: %zu from %lld to %lld", i, n, (long long)first,
				    (long long)last);
		}
	}
	assert_int_equal(store_reader_last_event(reader, &last), 0);
	assert_int_equal(last, 32);
	store_reader_close(&reader);
}

/* An answer has an end, whatever the events are like; nothing is left out by it. */
static void
test_reader_bytes(void **state)
{
	struct spool *s = *state;
	struct store_reader *reader = reader_open(s);
	int64_t first, last, after = 0;
	size_t n, seen = 0;

	for (int i = 0; i < 60; i++) {
		struct event *event = event_make(EVENT_BOUNCE, "");

		free(event->json);
		event->json_len = EVENT_MOST_JSON;
		event->json = mem_array(event->json_len + 1, 1);
		memset(event->json, ' ', event->json_len);
		told(s, event);
	}
	do {
		n = events_count(reader,
		    (struct event_page){ .most = 1000,
			.after_key = after,
			.kinds = seen > 0 ? 1U << EVENT_BOUNCE : 0 },
		    &first, &last);
		assert_true(n <= 33);
		seen += n;
		after = last;
	} while (n > 0);
	assert_int_equal(seen, 60);
	store_reader_close(&reader);
}

static void
test_filter(void **state)
{
	struct spool *s = *state;
	char ids[3][ITEM_ID_SIZE];
	struct store_reader *reader;
	const struct {
		unsigned fates, states;
		size_t count;
	} cases[] = {
		{ 0, 0, 3 },
		{ FATE_BOUNCED, 0, 1 },
		{ FATE_DELIVERED, 0, 2 },
		{ FATE_DELIVERED | FATE_BOUNCED, 0, 3 },
		{ FATE_OPENED, 1U << ITEM_SENT, 1 },
		{ FATE_OPENED, 1U << ITEM_FAILED, 0 },
		{ FATE_BOUNCED, 1U << ITEM_FAILED, 1 },
		{ FATE_COMPLAINED, 0, 0 },
	};

	item_in(s, SENT, ids[0]);
	item_in(s, SENT, ids[1]);
	item_in(s, FAILED_ANSWERED, ids[2]);
	told(s, event_make(EVENT_DELIVERY, ids[0]));
	told(s, event_make(EVENT_OPEN, ids[0]));
	told(s, event_make(EVENT_DELIVERY, ids[1]));
	told(s, event_make(EVENT_BOUNCE, ids[2]));
	reader = reader_open(s);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct item_filter filter = { .fates = cases[i].fates,
			.states = cases[i].states };
		const struct item_page page = { .most_items = 10, .budget_ms = 1000 };
		struct item_facts *items;
		size_t count;
		int64_t next;

		assert_int_equal(
		    store_reader_list(reader, &filter, &page, &items, &count, &next), 0);
		assert_int_equal(count, cases[i].count);
		for (size_t n = 0; n < count; n++) {
			assert_true(cases[i].fates == 0 || (items[n].fates & cases[i].fates) != 0);
			item_facts_free(&items[n]);
		}
		free(items);
	}
	store_reader_close(&reader);
}

/* --- what is kept besides ----------------------------------------------------------------- */

struct listed {
	struct spool *spool;
	char text[2000];
};

static void
suppressions_note(void *ctx, enum store_result result, const struct suppression *list, size_t count)
{
	struct listed *listed = ctx;
	size_t at = 0;

	listed->text[0] = '\0';
	for (size_t i = 0; i < count; i++)
		at += (size_t)snprintf(listed->text + at, sizeof(listed->text) - at,
		    "%s/%s/%s/%s/%s/%lld%s ", list[i].connection, list[i].stream, list[i].address,
		    list[i].reason, list[i].origin, (long long)list[i].at_ms - NOW_MS,
		    list[i].lifted ? "/lifted" : "");
	done_note(listed->spool, result);
}

static void
suppressions_check(struct spool *s, const char *expected)
{
	struct listed listed = { .spool = s };

	s->waiting++;
	store_suppressions(s->store, suppressions_note, &listed);
	wait_answers(s);
	assert_int_equal(s->result, STORE_OK);
	assert_string_equal(listed.text, expected);
}

static void
test_suppressions(void **state)
{
	struct spool *s = *state;
	struct event *event;
	char main_[] = "main", outbound[] = "outbound", reason[] = "SpamComplaint", none[] = "";
	char customer[] = "Customer", ann[] = "ann@recipient.example", zoe[] = "zoe@b.example";
	const struct suppression change[] = {
		{ main_, outbound, zoe, reason, customer, NOW_MS + 3, false },
		{ main_, outbound, ann, none, none, NOW_MS + 60000, false },
	};
	const struct suppression lift[] = {
		{ main_, outbound, ann, NULL, NULL, NOW_MS + 70000, true },
		{ main_, outbound, zoe, NULL, NULL, NOW_MS + 2, true },
	};

	suppressions_check(s, "");
	event = event_make(EVENT_BOUNCE, "");
	event->suppressed = true;
	told(s, event);
	suppressions_check(s, "main/outbound/ann@recipient.example/HardBounce/Recipient/49990 ");
	event = event_make(EVENT_SUBSCRIPTION, "");
	set(&event->type, "ManualSuppression");
	set(&event->origin, "Admin");
	event->suppressed = true;
	told(s, event);
	suppressions_check(s, "main/outbound/ann@recipient.example/ManualSuppression/Admin/49990 ");
	/* Of another stream; and what says nothing of one. */
	event = event_make(EVENT_SUBSCRIPTION, "");
	set(&event->stream, "broadcast");
	told(s, event);
	event = event_make(EVENT_SUBSCRIPTION, "");
	set(&event->stream, "");
	told(s, event);
	told(s, event_make(EVENT_BOUNCE, ""));
	told(s, event_make(EVENT_DELIVERY, ""));
	suppressions_check(s, "main/broadcast/ann@recipient.example///49990/lifted "
			      "main/outbound/ann@recipient.example/ManualSuppression/Admin/49990 ");
	spool_reopen(s);
	told(s, event_make(EVENT_SUBSCRIPTION, ""));
	suppressions_check(s, "main/broadcast/ann@recipient.example///49990/lifted "
			      "main/outbound/ann@recipient.example///49990/lifted ");
	purge(s, LATER_MS);
	suppressions_check(s, "");

	s->waiting++;
	store_suppressions_change(s->store, change, 2, done_note, s);
	wait_answers(s);
	assert_int_equal(s->result, STORE_OK);
	suppressions_check(s, "main/outbound/ann@recipient.example///60000"
			      " main/outbound/zoe@b.example/SpamComplaint/Customer/3 ");
	/* What was known later stays. */
	store_suppressions_change(s->store, lift, 2, NULL, NULL);
	suppressions_check(s, "main/outbound/ann@recipient.example///70000/lifted"
			      " main/outbound/zoe@b.example/SpamComplaint/Customer/3 ");
	store_suppressions_change(s->store, NULL, 0, NULL, NULL);
	/* That one was lifted is known for as long as events are. */
	purge(s, NOW_MS + 70000);
	suppressions_check(s, "main/outbound/ann@recipient.example///70000/lifted"
			      " main/outbound/zoe@b.example/SpamComplaint/Customer/3 ");
	purge(s, NOW_MS + 70001);
	suppressions_check(s, "main/outbound/zoe@b.example/SpamComplaint/Customer/3 ");
}

/* Postmark repeats each post in its own time: the moment of the fact decides, not the order. */
static void
test_suppression_order(void **state)
{
	static const struct {
		enum event_kind kind;
		bool suppresses;
		int64_t at_ms;
		const char *expected, *why;
	} steps[] = {
		{ EVENT_SUBSCRIPTION, false, 20, "///20/lifted ", "a lift, before any other" },
		{ EVENT_BOUNCE, true, 10, "///20/lifted ", "the bounce that it was about" },
		{ EVENT_COMPLAINT, true, 40, "/SpamComplaint/Recipient/40 ", "something new" },
		{ EVENT_SUBSCRIPTION, false, 30, "/SpamComplaint/Recipient/40 ",
		    "a lift of before" },
		{ EVENT_BOUNCE, true, 35, "/SpamComplaint/Recipient/40 ", "a bounce of before" },
		{ EVENT_BOUNCE, true, 50, "/HardBounce/Recipient/50 ", "the last reason" },
		{ EVENT_SUBSCRIPTION, false, 60, "///60/lifted ", "lifts all of them" },
	};
	struct spool *s = *state;

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct event *event = event_make(steps[i].kind, "");
		char *expected =
		    mem_format("main/outbound/ann@recipient.example%s", steps[i].expected);

		event->suppressed = steps[i].suppresses;
		event->at_ms = NOW_MS + steps[i].at_ms;
		told(s, event);
		suppressions_check(s, expected);
		free(expected);
		if (i % 2 == 0)
			spool_reopen(s);
	}
}

/* A table of many, of which a purge takes what it is for, step by step. */
static void
test_suppression_purge(void **state)
{
	struct spool *s = *state;
	char main_[] = "main", outbound[] = "outbound", address[2000][24];
	struct suppression list[2000];

	for (int i = 0; i < 2000; i++) {
		snprintf(address[i], sizeof(address[i]), "a%d@b.example", i);
		list[i] = (struct suppression){ main_, outbound, address[i], NULL, NULL, NOW_MS + i,
			i % 4 != 0 };
	}
	s->waiting++;
	store_suppressions_change(s->store, list, 2000, done_note, s);
	wait_answers(s);
	purge(s, NOW_MS + 1800);
	assert_int_equal(sql(s, "SELECT count(*) FROM suppression WHERE lifted"), 150);
	assert_int_equal(sql(s, "SELECT count(*) FROM suppression WHERE NOT lifted"), 500);
}

static void
hooks_note(void *ctx, enum store_result result, const struct hook *list, size_t count)
{
	struct listed *listed = ctx;
	size_t at = 0;

	listed->text[0] = '\0';
	for (size_t i = 0; i < count; i++)
		at += (size_t)snprintf(listed->text + at, sizeof(listed->text) - at,
		    "%s/%s/%s/%s/%s/%lld/%lld/%lld ", list[i].path, list[i].connection,
		    list[i].stream, list[i].user, list[i].password, (long long)list[i].webhook_id,
		    (long long)list[i].made_ms, (long long)list[i].ends_ms);
	done_note(listed->spool, result);
}

static void
hooks_check(struct spool *s, const char *expected)
{
	struct listed listed = { .spool = s };

	s->waiting++;
	store_hooks(s->store, hooks_note, &listed);
	wait_answers(s);
	assert_int_equal(s->result, STORE_OK);
	assert_string_equal(listed.text, expected);
}

static void
test_hooks(void **state)
{
	struct spool *s = *state;
	char a[] = "aaa", b[] = "bbb", main_[] = "main", outbound[] = "outbound", user[] = "u",
	     password[] = "p:w", none[] = "";
	struct hook hook = { a, main_, outbound, user, password, 12, 5, 0 };
	const char *paths[] = { "aaa", "zzz" };

	hooks_check(s, "");
	store_hook_set(s->store, &hook, NULL, NULL);
	hook = (struct hook){ b, main_, outbound, none, NULL, 0, 6, 0 };
	s->waiting++;
	store_hook_set(s->store, &hook, done_note, s);
	wait_answers(s);
	assert_int_equal(s->result, STORE_OK);
	hooks_check(s, "aaa/main/outbound/u/p:w/12/5/0 bbb/main/outbound///0/6/0 ");
	hook = (struct hook){ a, main_, outbound, user, user, 13, 5, 99 };
	store_hook_set(s->store, &hook, NULL, NULL);
	spool_reopen(s);
	hooks_check(s, "aaa/main/outbound/u/u/13/5/99 bbb/main/outbound///0/6/0 ");
	s->waiting++;
	store_hooks_drop(s->store, paths, 2, done_note, s);
	wait_answers(s);
	assert_int_equal(s->result, STORE_OK);
	hooks_check(s, "bbb/main/outbound///0/6/0 ");
	store_hooks_drop(s->store, paths, 0, NULL, NULL);
	hooks_check(s, "bbb/main/outbound///0/6/0 ");
}

static void
test_outlets(void **state)
{
	struct spool *s = *state;
	struct store_reader *reader = reader_open(s);
	int64_t key = 7;

	assert_int_equal(store_reader_outlet(reader, "file", &key), 1);
	s->waiting++;
	store_outlet_set(s->store, "file", 0, NULL, NULL);
	store_outlet_set(s->store, "other", 9, done_note, s);
	wait_answers(s);
	assert_int_equal(store_reader_outlet(reader, "file", &key), 0);
	assert_int_equal(key, 0);
	store_outlet_set(s->store, "file", 41, NULL, NULL);
	store_outlet_set(s->store, "file", 42, NULL, NULL);
	spool_reopen(s);
	assert_int_equal(store_reader_outlet(reader, "file", &key), 0);
	assert_int_equal(key, 42);
	s->waiting++;
	store_outlet_set(s->store, "file", -1, NULL, NULL);
	store_outlet_set(s->store, "none", -1, done_note, s);
	wait_answers(s);
	assert_int_equal(s->result, STORE_OK);
	assert_int_equal(store_reader_outlet(reader, "file", &key), 1);
	assert_int_equal(store_reader_outlet(reader, "other", &key), 0);
	assert_int_equal(key, 9);
	store_reader_close(&reader);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, spool_setup, spool_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_places),
		TEST(test_outcome_after),
		TEST(test_outcome_beside),
		TEST(test_reader_item),
		TEST(test_repeats),
		TEST(test_join),
		TEST(test_recovery),
		TEST(test_shared),
		TEST(test_sync_error),
		TEST(test_sync_error_salvaged),
		TEST(test_little_space),
		TEST(test_disk_full),
		TEST(test_kill),
		TEST(test_purge),
		TEST(test_purge_fresh),
		TEST(test_purge_steps),
		TEST(test_own),
		TEST(test_own_many),
		TEST(test_reader),
		TEST(test_reader_bytes),
		TEST(test_filter),
		TEST(test_suppressions),
		TEST(test_suppression_order),
		TEST(test_suppression_purge),
		TEST(test_hooks),
		TEST(test_outlets),
	};

	log_setup("event_test", LOG_LEVEL_ERROR, LOG_FORMAT_TEXT,
	    getenv("SPOOL_TEST_LOG") != NULL ? STDERR_FILENO : open("/dev/null", O_WRONLY));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
