/* What an operator does with items and routes, what is left alone, and what a crash leaves of it.
 */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <sqlite3.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "mail/mail.h"
#include "store/migrate.h"
#include "store/reader.h"
#include "store/store.h"

#include "spool.h"

#define LATER_MS   (NOW_MS + 50000)
#define SET(state) (1U << (state))

/* --- the bench ---------------------------------------------------------------------------- */

struct answer {
	struct spool *spool;
	enum store_result result;
	struct store_changed changed;
	bool in;
};

static void
changed_note(void *ctx, enum store_result result, const struct store_changed *changed)
{
	struct answer *answer = ctx;

	answer->result = result;
	answer->changed = *changed;
	answer->in = true;
	done_note(answer->spool, result);
}

static struct store_changed
change(struct spool *s, const struct store_change *what)
{
	struct answer answer = { .spool = s };

	s->waiting++;
	store_change(s->store, what, changed_note, &answer);
	wait_answers(s);
	assert_true(answer.in);
	assert_int_equal(answer.result, STORE_OK);
	return answer.changed;
}

static struct store_changed
act(struct spool *s, enum store_action action, const char *id)
{
	return change(s, &(struct store_change){ .action = action,
			     .ids = &id,
			     .count = 1,
			     .at_ms = LATER_MS,
			     .by = "test by root" });
}

static struct store_changed
act_on_all(struct spool *s, enum store_action action, unsigned states)
{
	return change(
	    s, &(struct store_change){
		   .action = action, .states = states, .at_ms = LATER_MS, .by = "test by root" });
}

#define assert_changed(counts, changed_, left_out_, unfit_, unknown_)                              \
	do {                                                                                       \
		struct store_changed seen_ = counts;                                               \
		assert_int_equal(seen_.changed, changed_);                                         \
		assert_int_equal(seen_.left_out, left_out_);                                       \
		assert_int_equal(seen_.unfit, unfit_);                                             \
		assert_int_equal(seen_.unknown, unknown_);                                         \
	} while (0)

static int64_t
item_value(struct spool *s, const char *column, int64_t key)
{
	char *query = mem_format("SELECT %s FROM item WHERE key=%lld", column, (long long)key);
	int64_t value = sql(s, query);

	free(query);
	return value;
}

/* Counts, rows, payloads and files agree, and each item that is kept has all of its message. */
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
	assert_int_equal(sql(s, "SELECT count(*) FROM item WHERE payload_at=1 AND NOT put_aside"
				" AND key NOT IN (SELECT item FROM payload)"),
	    0);
	assert_int_equal(sql(s, "SELECT count(*) FROM item WHERE payload_at=2"),
	    folder_entries(s->folder, "payload"));
	assert_int_equal(
	    sql(s, "SELECT count(*) FROM attempt WHERE item NOT IN (SELECT key FROM item)"), 0);
	assert_int_equal(sql(s, "SELECT count(*) FROM item AS i WHERE history<>"
				"(SELECT count(*) FROM attempt WHERE item=i.key)"),
	    0);
	assert_int_equal(sql(s, "SELECT count(*) FROM mail AS m WHERE NOT EXISTS"
				" (SELECT 1 FROM item WHERE key>>20=m.key AND state<>0)"),
	    0);
	assert_int_equal(sql(s, "SELECT count(*) FROM item AS z WHERE state=0 AND NOT EXISTS"
				" (SELECT 1 FROM item WHERE key>>20=z.key>>20 AND key>z.key"
				"  AND payload_at<>0)"),
	    0);
	assert_int_equal(sql(s, "SELECT count(*) FROM item WHERE ended_ms<>0 AND state<6"), 0);
}

/*
 * One item brought to a state.  attempt: so often it has been sent (1 but for SPOOLED).  answered:
 * of HELD, whether Postmark said anything.
 */
static int64_t
item_in(struct spool *s, enum item_state state, bool answered, char id[ITEM_ID_SIZE])
{
	struct mail *mail = mail_make(NULL, 1, 1000, NOW_MS);
	int64_t key;

	item_id(id, mail->id, 1);
	mail->captured = state == ITEM_CAPTURED;
	assert_int_equal(commit(s, mail), STORE_OK);
	key = sql(s, "SELECT max(key) FROM item");
	if (state == ITEM_SPOOLED || state == ITEM_CAPTURED)
		return key;
	/* Others are not touched: theirs is another time. */
	assert_int_equal(claim_most(s, ITEM_SPOOLED, NOW_MS, 1, UINT64_MAX), 1);
	assert_int_equal(s->items[0].key, key);
	if (state == ITEM_SENDING)
		return key;
	{
		const struct store_outcome outcome = { .key = key,
			.to = state,
			.at_ms = NOW_MS,
			.due_ms = NOW_MS + 1000000,
			.http_status = answered ? 422 : 0,
			.answer = "first",
			.keeps_history = true };

		s->waiting++;
		store_settle(s->store, &outcome, 1, done_note, s);
		wait_answers(s);
	}
	return key;
}

/* --- one item ----------------------------------------------------------------------------- */

static void
test_actions(void **state)
{
	static const struct {
		const char *reason;
		enum store_action action;
		enum item_state from;
		bool answered;
		enum item_state to; /* 0: not fit; the item stays */
	} cases[] = {
		{ "not tried yet", STORE_HOLD, ITEM_SPOOLED, false, ITEM_HELD },
		{ "waits", STORE_HOLD, ITEM_WAITING, true, ITEM_HELD },
		{ "unsure", STORE_HOLD, ITEM_UNSURE, false, ITEM_HELD },
		{ "held already", STORE_HOLD, ITEM_HELD, true, 0 },
		{ "over", STORE_HOLD, ITEM_SENT, true, 0 },
		{ "over, too", STORE_HOLD, ITEM_FAILED, true, 0 },
		{ "kept", STORE_HOLD, ITEM_CAPTURED, true, 0 },

		{ "answered: it goes out again", STORE_RELEASE, ITEM_HELD, true, ITEM_WAITING },
		{ "nobody knows: asked first", STORE_RELEASE, ITEM_HELD, false, ITEM_UNSURE },
		{ "nothing to release", STORE_RELEASE, ITEM_WAITING, true, 0 },
		{ "failed is not held", STORE_RELEASE, ITEM_FAILED, true, 0 },
		{ "nor is what is kept", STORE_RELEASE, ITEM_CAPTURED, true, 0 },

		{ "due anyway", STORE_RETRY, ITEM_SPOOLED, false, ITEM_SPOOLED },
		{ "at once", STORE_RETRY, ITEM_WAITING, true, ITEM_WAITING },
		{ "asked at once", STORE_RETRY, ITEM_UNSURE, false, ITEM_UNSURE },
		{ "as a release", STORE_RETRY, ITEM_HELD, true, ITEM_WAITING },
		{ "as a release, asked", STORE_RETRY, ITEM_HELD, false, ITEM_UNSURE },
		{ "refused, and mended since", STORE_RETRY, ITEM_FAILED, true, ITEM_WAITING },
		{ "sent after all", STORE_RETRY, ITEM_CAPTURED, true, ITEM_SPOOLED },
		{ "Postmark has it", STORE_RETRY, ITEM_SENT, true, 0 },
	};
	struct spool *s = *state;
	char id[ITEM_ID_SIZE];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t key = item_in(s, cases[i].from, cases[i].answered, id);
		bool fit = cases[i].to != 0, holds = cases[i].action == STORE_HOLD;
		struct store_changed got = act(s, cases[i].action, id);
		enum item_state to = fit ? cases[i].to : cases[i].from;
		bool captured = cases[i].from == ITEM_CAPTURED;
		int64_t before = cases[i].from == ITEM_SPOOLED || captured ? 0 : 1;

		if (got.changed != fit || got.unfit != !fit ||
		    item_value(s, "state", key) != (int64_t)to)
			fail_msg("%s: state %d", cases[i].reason, (int)item_value(s, "state", key));
		assert_int_equal(item_value(s, "attempt", key), before);
		assert_int_equal(item_value(s, "history", key), before + captured + fit);
		if (fit && !holds) {
			assert_int_equal(item_value(s, "due_ms", key), LATER_MS);
			assert_int_equal(item_value(s, "since_ms", key), LATER_MS);
		}
		if (holds)
			assert_int_equal(item_value(s, "since_ms", key), 0);
		books_check(s);
		spool_reopen(s);
		assert_int_equal(item_value(s, "state", key), to);
		assert_changed(act(s, STORE_DELETE, id), 1, 0, 0, 0);
		assert_int_equal(sql(s, "SELECT count(*) FROM mail"), 0);
		books_check(s);
	}
}

/* What was held comes back to where it was, with a new life. */
static void
test_and_back(void **state)
{
	static const enum item_state states[] = { ITEM_SPOOLED, ITEM_WAITING, ITEM_UNSURE };
	struct spool *s = *state;
	char id[ITEM_ID_SIZE];

	for (size_t i = 0; i < 3; i++) {
		int64_t key = item_in(s, states[i], false, id);
		unsigned due;

		assert_changed(act(s, STORE_HOLD, id), 1, 0, 0, 0);
		assert_int_equal(claim(s, ITEM_SPOOLED), 0);
		assert_int_equal(claim(s, ITEM_UNSURE), 0);
		spool_reopen(s);
		due = s->due;
		assert_changed(act(s, STORE_RELEASE, id), 1, 0, 0, 0);
		assert_int_equal(s->due, due + 1);
		assert_int_equal(item_value(s, "state", key), states[i]);
		assert_int_equal(
		    claim(s, states[i] == ITEM_UNSURE ? ITEM_UNSURE : ITEM_SPOOLED), 1);
		assert_int_equal(s->items[0].came_from, states[i]);
		assert_int_equal(s->items[0].accepted_ms, NOW_MS);
		assert_int_equal(s->items[0].since_ms, LATER_MS);
		assert_true(payload_is(&s->items[0], 1000));
		settle(s, key, ITEM_SENT, 0);
		books_check(s);
	}
}

/* Held by our own rules while Postmark could not be asked, or failed so: asked when it goes on. */
static void
test_unanswered(void **state)
{
	static const enum item_state to[] = { ITEM_HELD, ITEM_FAILED };
	struct spool *s = *state;
	char id[ITEM_ID_SIZE];

	for (size_t i = 0; i < 2; i++) {
		int64_t key = item_in(s, ITEM_UNSURE, false, id);

		assert_int_equal(claim_most(s, ITEM_UNSURE, INT64_MAX - 1, 1, UINT64_MAX), 1);
		settle(s, key, to[i], 0); /* the search said 503 */
		assert_changed(act(s, STORE_RETRY, id), 1, 0, 0, 0);
		assert_int_equal(item_value(s, "state", key), ITEM_UNSURE);
		assert_int_equal(item_value(s, "unanswered", key), 0);
		assert_int_equal(claim(s, ITEM_UNSURE), 1);
		/* Asked, and not there: from here on it is as any other. */
		settle(s, key, ITEM_WAITING, NOW_MS);
		assert_changed(act(s, STORE_HOLD, id), 1, 0, 0, 0);
		assert_changed(act(s, STORE_RELEASE, id), 1, 0, 0, 0);
		assert_int_equal(item_value(s, "state", key), ITEM_WAITING);
		assert_changed(act(s, STORE_DELETE, id), 1, 0, 0, 0);
		books_check(s);
	}
}

static void
test_history(void **state)
{
	static const struct {
		enum item_state to;
		unsigned attempt;
		const char *answer;
	} expected[] = {
		{ ITEM_WAITING, 1, "first" },
		{ ITEM_HELD, 0, "hold by ann: wrong price list" },
		{ ITEM_WAITING, 0, "release by ben" },
		{ ITEM_FAILED, 2, "what it said" },
		{ ITEM_WAITING, 0, "" },
	};
	struct spool *s = *state;
	struct store_reader *reader;
	struct attempt_facts *lines;
	char id[ITEM_ID_SIZE], why[200];
	const char *ids[] = { id };
	struct store_change what = { .ids = ids, .count = 1, .at_ms = LATER_MS };
	int64_t key = item_in(s, ITEM_WAITING, true, id);
	size_t count;

	what.action = STORE_HOLD;
	what.by = "hold by ann: wrong price list";
	assert_changed(change(s, &what), 1, 0, 0, 0);
	what.action = STORE_RELEASE;
	what.by = "release by ben";
	assert_changed(change(s, &what), 1, 0, 0, 0);
	assert_int_equal(claim(s, ITEM_SPOOLED), 1);
	settle(s, key, ITEM_FAILED, 0);
	what.action = STORE_RETRY;
	what.by = "";
	assert_changed(change(s, &what), 1, 0, 0, 0);

	reader = store_reader_open(SPOOL_BACKEND, s->folder, why, sizeof(why));
	assert_non_null(reader);
	assert_int_equal(store_reader_history(reader, key, &lines, &count), 0);
	assert_int_equal(count, 5);
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(lines[i].to, expected[i].to);
		assert_int_equal(lines[i].attempt, expected[i].attempt);
		assert_string_equal(lines[i].answer, expected[i].answer);
		assert_int_equal(lines[i].at_ms, lines[i].attempt == 0 ? LATER_MS : NOW_MS);
	}
	attempt_facts_free(lines, count);
	store_reader_close(&reader);
}

/* --- what is left alone ------------------------------------------------------------------- */

static void
test_in_hand(void **state)
{
	static const enum store_action actions[] = { STORE_HOLD, STORE_RELEASE, STORE_RETRY,
		STORE_DELETE };
	struct spool *s = *state;
	char id[ITEM_ID_SIZE], unsure_id[ITEM_ID_SIZE];
	int64_t unsure = item_in(s, ITEM_UNSURE, false, unsure_id);
	int64_t key = item_in(s, ITEM_SENDING, false, id);

	/* Asked about at this moment. */
	assert_int_equal(claim_most(s, ITEM_UNSURE, INT64_MAX - 1, 5, UINT64_MAX), 1);
	for (size_t i = 0; i < 4; i++) {
		assert_changed(act(s, actions[i], id), 0, 1, 0, 0);
		assert_changed(act(s, actions[i], unsure_id), 0, 1, 0, 0);
		assert_int_equal(
		    act_on_all(s, actions[i], 0).left_out, actions[i] == STORE_RELEASE ? 1 : 2);
	}
	settle(s, key, ITEM_WAITING, NOW_MS);
	settle(s, unsure, ITEM_UNSURE, NOW_MS);
	assert_changed(act_on_all(s, STORE_HOLD, 0), 2, 0, 0, 0);
	books_check(s);
}

static void
claimed_keep(
    void *ctx, enum store_result result, struct store_item *items, size_t number, bool more)
{
	struct spool *s = ctx;

	(void)more;
	s->items = items;
	s->count = number;
	done_note(s, result);
}

/* A claim and a change in one commit: what the dispatcher has got is not changed behind it. */
static void
test_claim_beside(void **state)
{
	struct spool *s = *state;
	struct answer answer = { .spool = s };
	const struct store_change hold = { .action = STORE_HOLD, .at_ms = LATER_MS, .by = "" };

	for (int unsure = 0; unsure < 2; unsure++) {
		char id[ITEM_ID_SIZE];
		int64_t key = item_in(s, unsure ? ITEM_UNSURE : ITEM_SPOOLED, false, id);
		const struct store_claim claim = { .route = "main",
			.from = unsure ? ITEM_UNSURE : ITEM_SPOOLED,
			.now_ms = INT64_MAX - 1,
			.most_items = 9,
			.most_bytes = UINT64_MAX };

		items_free(s);
		s->waiting += 2;
		store_claim(s->store, &claim, claimed_keep, s);
		store_change(s->store, &hold, changed_note, &answer);
		wait_answers(s);
		assert_int_equal(answer.changed.changed + s->count, 1);
		assert_int_equal(item_value(s, "state", key) == ITEM_HELD, s->count == 0);
		assert_changed(act(s, STORE_DELETE, id), 1, 0, 0, 0);
	}
}

static void
test_put_aside(void **state)
{
	struct spool *s = *state;
	char id[ITEM_ID_SIZE];

	item_in(s, ITEM_SPOOLED, false, id);
	sql(s, "DELETE FROM payload");
	assert_int_equal(claim(s, ITEM_SPOOLED), 0);
	assert_int_equal(count(s)->put_aside, 1);
	assert_changed(act(s, STORE_RELEASE, id), 0, 0, 1, 0);
	assert_changed(act(s, STORE_RETRY, id), 0, 0, 1, 0);
	assert_changed(act_on_all(s, STORE_RELEASE, 0), 0, 0, 1, 0);
	assert_int_equal(count(s)->items[ITEM_HELD], 1);
	books_check(s);
	assert_changed(act(s, STORE_DELETE, id), 1, 0, 0, 0);
	assert_int_equal(count(s)->put_aside, 0);
	assert_int_equal(s->counts.items[ITEM_HELD], 0);
	books_check(s);
}

static void
test_ids(void **state)
{
	struct spool *s = *state;
	char mail_id[ULID_SIZE], first[ITEM_ID_SIZE], second[ITEM_ID_SIZE], lower[ULID_SIZE];
	struct mail *mail = mail_make(NULL, 3, 100, NOW_MS);
	const char *ids[] = { first, "01HZZZZZZZZZZZZZZZZZZZZZZZ", second, "rubbish", "" };
	const char *all[] = { mail_id, lower };

	memcpy(mail_id, mail->id, ULID_SIZE);
	item_id(first, mail->id, 1);
	item_id(second, mail->id, 7);
	for (size_t i = 0; i < ULID_SIZE; i++)
		lower[i] = mail_id[i] >= 'A' ? (char)(mail_id[i] | 0x20) : mail_id[i];
	assert_int_equal(commit(s, mail), STORE_OK);
	assert_changed(
	    change(s,
		&(struct store_change){
		    .action = STORE_HOLD, .ids = ids, .count = 5, .at_ms = LATER_MS, .by = "" }),
	    1, 0, 0, 4);
	/* The whole mail, twice. */
	assert_changed(
	    change(s,
		&(struct store_change){
		    .action = STORE_HOLD, .ids = all, .count = 2, .at_ms = LATER_MS, .by = "" }),
	    2, 0, 4, 0);
	/* Named, but not of the state or the route. */
	assert_changed(change(s, &(struct store_change){ .action = STORE_RELEASE,
				     .ids = all,
				     .count = 1,
				     .route = "other",
				     .at_ms = LATER_MS,
				     .by = "" }),
	    0, 0, 3, 0);
	assert_changed(change(s, &(struct store_change){ .action = STORE_RETRY,
				     .ids = all,
				     .count = 1,
				     .states = SET(ITEM_FAILED),
				     .at_ms = LATER_MS,
				     .by = "" }),
	    0, 0, 3, 0);
	books_check(s);
}

/* --- many --------------------------------------------------------------------------------- */

static void
routes_fill(struct spool *s, unsigned each)
{
	static const char *const routes[] = { "main", "bulk" };

	for (unsigned i = 0; i < 2 * each; i++) {
		struct mail *mail = mail_make(NULL, 1, 100, NOW_MS);

		free(mail->route);
		mail->route = mem_string(routes[i % 2]);
		commit_ask(s, mail);
	}
	wait_answers(s);
}

static void
test_many(void **state)
{
	struct spool *s = *state;
	const unsigned each = 750; /* several steps, which do not end with a route */
	struct store_change what = {
		.action = STORE_HOLD, .route = "bulk", .at_ms = LATER_MS, .by = "test"
	};
	unsigned due;

	routes_fill(s, each);
	assert_changed(change(s, &what), each, 0, 0, 0);
	assert_int_equal(sql(s, "SELECT count(*) FROM item WHERE state=4"), each);
	assert_int_equal(claim_most(s, ITEM_SPOOLED, NOW_MS, 5000, UINT64_MAX), each);
	for (size_t i = 0; i < s->count; i++) {
		const struct store_outcome outcome = { .key = s->items[i].key,
			.to = i % 3 == 0   ? ITEM_SENT
			      : i % 3 == 1 ? ITEM_FAILED
					   : ITEM_WAITING,
			.at_ms = NOW_MS,
			.due_ms = NOW_MS + 100000,
			.http_status = 422,
			.keeps_history = true };

		s->waiting++;
		store_settle(s->store, &outcome, 1, done_note, s);
	}
	wait_answers(s);
	what.route = NULL;
	what.action = STORE_RETRY;
	what.states = SET(ITEM_FAILED);
	due = s->due;
	assert_changed(change(s, &what), each / 3, 0, 0, 0);
	assert_true(s->due > due);
	assert_int_equal(count(s)->items[ITEM_WAITING], each / 3 * 2);
	/* By default everything that a retry is for, and nothing twice. */
	what.states = 0;
	assert_changed(change(s, &what), each / 3 * 2 + each, 0, 0, 0);
	books_check(s);
	assert_int_equal(sql(s, "SELECT max(history) FROM item"), 3);
	what.route = "none";
	assert_changed(change(s, &what), 0, 0, 0, 0);
	what.route = NULL;
	what.action = STORE_DELETE;
	what.states = SET(ITEM_SENT);
	assert_changed(change(s, &what), each / 3, 0, 0, 0);
	what.states = 0;
	assert_changed(change(s, &what), each / 3 * 2 + each, 0, 0, 0);
	books_check(s);
	assert_int_equal(sql(s, "SELECT count(*) FROM item"), 0);
	assert_int_equal(sql(s, "SELECT count(*) FROM mail"), 0);
	assert_int_equal(sql(s, "SELECT count(*) FROM payload"), 0);
	assert_changed(change(s, &what), 0, 0, 0, 0);
}

/* A mail of more items than one step has room for. */
static void
test_large_mail(void **state)
{
	struct spool *s = *state;
	struct mail *mail = mail_make("01HZZZZZZZZZZZZZZZZZZZZZZZ", 250, 50, NOW_MS);

	mail->shared.len = FILE_BYTES;
	mail->shared.data = mem_array(FILE_BYTES + 1, 1);
	assert_int_equal(commit(s, mail), STORE_OK);
	assert_changed(act(s, STORE_HOLD, "01HZZZZZZZZZZZZZZZZZZZZZZZ"), 250, 0, 0, 0);
	books_check(s);
	assert_changed(act(s, STORE_DELETE, "01HZZZZZZZZZZZZZZZZZZZZZZZ"), 250, 0, 0, 0);
	books_check(s);
	assert_int_equal(sql(s, "SELECT count(*) FROM item"), 0);
	assert_int_equal(folder_entries(s->folder, "payload"), 0);
}

/* Mail is stored while many items are being changed: it shares their commits and does not wait. */
static void
test_beside_commits(void **state)
{
	struct spool *s = *state;
	struct answer answer = { .spool = s };
	const struct store_change hold = { .action = STORE_HOLD, .at_ms = LATER_MS, .by = "" };

	routes_fill(s, 1000);
	s->waiting++;
	store_change(s->store, &hold, changed_note, &answer);
	commit_ask(s, mail_make(NULL, 1, 100, NOW_MS));
	/* answered() ends the loop when both are in: the mail comes first. */
	wait_answers(s);
	assert_int_equal(answer.changed.changed, 2000);
	/* What came after the beginning is not meant. */
	assert_int_equal(count(s)->items[ITEM_SPOOLED], 1);
	books_check(s);
}

/* --- shared payloads ---------------------------------------------------------------------- */

static void
test_shared(void **state)
{
	static const size_t bytes[] = { 3000, FILE_BYTES };
	struct spool *s = *state;

	for (size_t i = 0; i < 2; i++) {
		struct mail *mail = mail_make(NULL, 3, 100, NOW_MS);
		char ids[3][ITEM_ID_SIZE];

		for (unsigned k = 0; k < 3; k++)
			item_id(ids[k], mail->id, k + 1);
		mail->shared.len = bytes[i];
		mail->shared.data = mem_array(bytes[i] + 1, 1);
		assert_int_equal(commit(s, mail), STORE_OK);

		assert_changed(act(s, STORE_DELETE, ids[1]), 1, 0, 0, 0);
		books_check(s);
		assert_int_equal(folder_entries(s->folder, "payload"), i);
		spool_reopen(s);
		assert_int_equal(claim_most(s, ITEM_SPOOLED, NOW_MS, 1, UINT64_MAX), 1);
		assert_int_equal(s->items[0].shared.len, bytes[i]);
		settle(s, s->items[0].key, ITEM_FAILED, 0);
		/* The last that waits goes: the failed one still needs what is shared. */
		assert_changed(act(s, STORE_DELETE, ids[2]), 1, 0, 0, 0);
		books_check(s);
		assert_int_equal(folder_entries(s->folder, "payload"), i);
		assert_changed(act(s, STORE_RETRY, ids[0]), 1, 0, 0, 0);
		assert_int_equal(count(s)->oldest_ms, NOW_MS);
		assert_int_equal(claim(s, ITEM_SPOOLED), 1);
		assert_int_equal(s->items[0].attempt, 2);
		assert_int_equal(s->items[0].shared.len, bytes[i]);
		settle(s, s->items[0].key, ITEM_SENT, 0);
		assert_int_equal(folder_entries(s->folder, "payload"), 0);
		books_check(s);
		assert_changed(act(s, STORE_DELETE, ids[0]), 1, 0, 0, 0);
		books_check(s);
		assert_int_equal(sql(s, "SELECT count(*) FROM item"), 0);
		assert_int_equal(sql(s, "SELECT count(*) FROM mail"), 0);
	}
}

/* --- routes ------------------------------------------------------------------------------- */

struct routes_seen {
	struct spool *spool;
	struct store_route list[4];
	size_t count;
};

static void
routes_note(void *ctx, enum store_result result, const struct store_route *list, size_t count)
{
	struct routes_seen *seen = ctx;

	assert_true(count <= 4);
	for (size_t i = 0; i < count; i++) {
		seen->list[i] = list[i];
		seen->list[i].name = mem_string(list[i].name);
		seen->list[i].why = list[i].why != NULL ? mem_string(list[i].why) : NULL;
	}
	seen->count = count;
	done_note(seen->spool, result);
}

static void
routes_read(struct spool *s, struct routes_seen *seen)
{
	*seen = (struct routes_seen){ .spool = s };
	s->waiting++;
	store_routes(s->store, routes_note, seen);
	wait_answers(s);
	assert_int_equal(s->result, STORE_OK);
}

static void
routes_free(struct routes_seen *seen)
{
	for (size_t i = 0; i < seen->count; i++) {
		free(seen->list[i].name);
		free(seen->list[i].why);
	}
}

static void
test_routes(void **state)
{
	char main_name[] = "main", bulk_name[] = "bulk", why[] = "pause by root: price list";
	struct spool *s = *state;
	struct store_route route = { .name = main_name,
		.held = true,
		.why = why,
		.stood_since_ms = NOW_MS,
		.stood_ms = 12 };
	struct routes_seen seen;

	routes_read(s, &seen);
	assert_int_equal(seen.count, 0);
	mails_add(s, 1);
	/* One that has items, and one that nobody has seen. */
	s->waiting++;
	store_route_set(s->store, &route, done_note, s);
	wait_answers(s);
	assert_int_equal(s->result, STORE_OK);
	store_route_set(
	    s->store, &(struct store_route){ .name = bulk_name, .stood_ms = 7 }, NULL, NULL);
	routes_read(s, &seen);
	routes_free(&seen);
	spool_reopen(s);
	routes_read(s, &seen);
	assert_int_equal(seen.count, 2);
	assert_string_equal(seen.list[0].name, "bulk");
	assert_false(seen.list[0].held);
	assert_null(seen.list[0].why);
	assert_int_equal(seen.list[0].stood_ms, 7);
	assert_string_equal(seen.list[1].name, "main");
	assert_true(seen.list[1].held);
	assert_string_equal(seen.list[1].why, why);
	assert_int_equal(seen.list[1].stood_since_ms, NOW_MS);
	assert_int_equal(seen.list[1].stood_ms, 12);
	routes_free(&seen);
	assert_int_equal(claim(s, ITEM_SPOOLED), 1);
	route = (struct store_route){ .name = main_name, .stood_ms = 99 };
	store_route_set(s->store, &route, NULL, NULL);
	routes_read(s, &seen);
	assert_false(seen.list[1].held);
	assert_null(seen.list[1].why);
	assert_int_equal(seen.list[1].stood_ms, 99);
	routes_free(&seen);
	assert_int_equal(sql(s, "SELECT count(*) FROM route"), 2);
}

/* --- crashes and failures ----------------------------------------------------------------- */

static void
child_changed(void *ctx, enum store_result result, const struct store_changed *changed)
{
	(void)ctx;
	if (result != STORE_OK || changed->changed == 0)
		_exit(2);
}

/* Killed at any moment of changes without end: each item is in one state, and the books are right.
 */
static void
test_kill(void **state)
{
	static const enum store_action actions[] = { STORE_HOLD, STORE_RELEASE, STORE_DELETE,
		STORE_RETRY };
	struct spool *s = *state;

	for (unsigned round = 0; round < 4; round++) {
		const struct timespec span = { .tv_nsec = (20 + 17 * round) * 1000000L };
		struct spool c = { 0 };
		int status;
		pid_t pid;

		for (unsigned i = 0; i < 300; i++)
			commit_ask(
			    s, mail_make(NULL, 2, i % 30 == 0 ? FILE_BYTES + 1 : 300, NOW_MS));
		wait_answers(s);
		store_close(&s->store);
		memcpy(c.folder, s->folder, sizeof(c.folder));
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			char why[300];

			c.loop = loop_new();
			if (spool_try_open(&c, why, sizeof(why)) != 0)
				_exit(3);
			for (unsigned i = 0; i < 10000; i++)
				store_change(c.store,
				    &(struct store_change){
					.action = actions[i % 2 + (i == 5 && round > 0)],
					.states = i == 5 && round > 0 ? SET(ITEM_SPOOLED) : 0,
					.at_ms = LATER_MS,
					.by = "child" },
				    child_changed, &c);
			loop_run(c.loop);
			_exit(4);
		}
		nanosleep(&span, NULL);
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 2);
		spool_open(s);
		books_check(s);
		assert_int_equal(s->counts.put_aside, 0);
	}
	act_on_all(s, STORE_RELEASE, 0);
	assert_int_equal(count(s)->items[ITEM_HELD], 0);
	claim_most(s, ITEM_SPOOLED, INT64_MAX - 1, 100000, UINT64_MAX);
	assert_int_equal(s->count, sql(s, "SELECT count(*) FROM item WHERE state<>0"));
	assert_int_equal(count(s)->put_aside, 0);
}

/* The disk fails in the midst: what was told is so, and the rest can be asked for again. */
static void
test_write_error(void **state)
{
	struct spool *s = *state;
	struct answer answer = { .spool = s };
	const struct store_change hold = { .action = STORE_HOLD, .at_ms = LATER_MS, .by = "" };

	routes_fill(s, 300);
	atomic_store(&syncs_before, 2);
	atomic_store(&syncs_to_fail, 1000);
	s->waiting++;
	store_change(s->store, &hold, changed_note, &answer);
	wait_answers(s);
	assert_int_equal(answer.result, STORE_BROKEN);
	assert_true(answer.changed.changed < 600);
	atomic_store(&syncs_before, 0);
	atomic_store(&syncs_to_fail, 0);
	clock_restore();
	for (int i = 0; commit(s, mail_make(NULL, 1, 100, NOW_MS)) != STORE_OK; i++) {
		assert_true(i < 100);
		usleep(50000);
	}
	books_check(s);
	assert_true(s->counts.items[ITEM_HELD] >= answer.changed.changed);
	act_on_all(s, STORE_HOLD, 0);
	assert_int_equal(count(s)->items[ITEM_HELD], 601);
	books_check(s);
}

/* --- captured ----------------------------------------------------------------------------- */

/* "Everything once more" is not said of what was kept from its recipients. */
static void
test_captured(void **state)
{
	struct spool *s = *state;
	char id[ITEM_ID_SIZE], failed[ITEM_ID_SIZE];
	int64_t key;

	item_in(s, ITEM_FAILED, true, failed);
	key = item_in(s, ITEM_CAPTURED, true, id);
	assert_changed(act_on_all(s, STORE_RETRY, 0), 1, 0, 0, 0);
	assert_int_equal(item_value(s, "state", key), ITEM_CAPTURED);
	assert_changed(act_on_all(s, STORE_RETRY, SET(ITEM_CAPTURED)), 1, 0, 0, 0);
	assert_int_equal(item_value(s, "state", key), ITEM_SPOOLED);
	assert_int_equal(item_value(s, "ended_ms", key), 0);
	books_check(s);
	assert_int_equal(claim(s, ITEM_SPOOLED), 2);
	assert_string_equal(s->items[1].id, id);
	assert_int_equal(s->items[1].attempt, 1);
	assert_int_equal(s->items[1].since_ms, LATER_MS);
	assert_true(payload_is(&s->items[1], 1000));

	item_in(s, ITEM_CAPTURED, true, id);
	assert_changed(act_on_all(s, STORE_DELETE, 0), 1, 2, 0, 0);
	books_check(s);
}

/* --- what a client was told --------------------------------------------------------------- */

static void
test_told(void **state)
{
	static const enum item_state states[] = { ITEM_SPOOLED, ITEM_WAITING, ITEM_HELD,
		ITEM_UNSURE, ITEM_SENT, ITEM_CAPTURED };
	struct spool *s = *state;
	char id[ITEM_ID_SIZE];
	int64_t key = item_in(s, ITEM_FAILED, true, id);

	assert_changed(act(s, STORE_TOLD, id), 1, 0, 0, 0);
	assert_int_equal(item_value(s, "state", key), ITEM_FAILED);
	assert_int_equal(item_value(s, "told", key), 1);
	assert_int_equal(item_value(s, "history", key), 2);
	assert_int_equal(item_value(s, "ended_ms", key), NOW_MS);
	books_check(s);
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		key = item_in(s, states[i], true, id);
		assert_changed(act(s, STORE_TOLD, id), 0, 0, 1, 0);
		assert_int_equal(item_value(s, "told", key), 0);
		assert_changed(act(s, STORE_DELETE, id), 1, 0, 0, 0);
	}
	books_check(s);
}

/* --- taking back -------------------------------------------------------------------------- */

struct taking {
	struct spool *spool;
	enum store_taken taken;
};

static void
taken_note(void *ctx, enum store_result result, enum store_taken taken)
{
	struct taking *taking = ctx;

	taking->taken = taken;
	done_note(taking->spool, result);
}

static enum store_taken
take_back(struct spool *s, const char *const *mail_ids, size_t count)
{
	struct taking taking = { .spool = s };

	s->waiting++;
	store_take_back(s->store, mail_ids, count, taken_note, &taking);
	wait_answers(s);
	assert_int_equal(s->result, STORE_OK);
	return taking.taken;
}

static void
test_take_back(void **state)
{
	static const struct {
		const char *reason;
		enum item_state from;
		bool answered;
		enum store_taken expected;
	} cases[] = {
		{ "never tried", ITEM_SPOOLED, true, STORE_TAKEN },
		{ "Postmark did not take it", ITEM_WAITING, true, STORE_TAKEN },
		{ "held after an answer", ITEM_HELD, true, STORE_TAKEN },
		{ "held without one", ITEM_HELD, false, STORE_TAKEN_NEVER },
		{ "refused", ITEM_FAILED, true, STORE_TAKEN },
		{ "on its way", ITEM_SENDING, true, STORE_TAKEN_LATER },
		{ "may be there", ITEM_UNSURE, false, STORE_TAKEN_NEVER },
		{ "is there", ITEM_SENT, true, STORE_TAKEN_NEVER },
		{ "kept on purpose", ITEM_CAPTURED, true, STORE_TAKEN_NEVER },
	};
	struct spool *s = *state;
	int64_t rows = 0;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char first[ITEM_ID_SIZE], second[ITEM_ID_SIZE];
		const char *ids[] = { first, second, "01HZZZZZZZZZZZZZZZZZZZZZZZ" };

		/* Beside one that could be taken back: both or none. */
		item_in(s, cases[i].from, cases[i].answered, second);
		item_in(s, ITEM_SPOOLED, true, first);
		first[ULID_LEN] = second[ULID_LEN] = '\0';
		if (take_back(s, ids, 3) != cases[i].expected)
			fail_msg("%s", cases[i].reason);
		rows += cases[i].expected == STORE_TAKEN ? 0 : 2;
		assert_int_equal(sql(s, "SELECT count(*) FROM item"), rows);
		assert_int_equal(sql(s, "SELECT count(*) FROM mail"), rows);
		books_check(s);
		/* Out of the way of the next: claims take the oldest. */
		act_on_all(s, STORE_HOLD, SET(ITEM_SPOOLED));
		act_on_all(s, STORE_DELETE, SET(ITEM_HELD));
		rows = sql(s, "SELECT count(*) FROM item");
	}
}

/* Files and what is shared go with it; an item that is asked about stays, and the others for it. */
static void
test_take_back_large(void **state)
{
	struct spool *s = *state;
	struct mail *mail = mail_make("01HZZZZZZZZZZZZZZZZZZZZZZ1", 300, 100, NOW_MS);
	const char *ids[] = { "01HZZZZZZZZZZZZZZZZZZZZZZ1" };

	mail->shared.len = FILE_BYTES;
	mail->shared.data = mem_array(FILE_BYTES + 1, 1);
	assert_int_equal(commit(s, mail), STORE_OK);
	assert_int_equal(claim_most(s, ITEM_SPOOLED, NOW_MS, 1, UINT64_MAX), 1);
	settle(s, s->items[0].key, ITEM_UNSURE, NOW_MS);
	assert_int_equal(take_back(s, ids, 1), STORE_TAKEN_NEVER);
	assert_int_equal(claim(s, ITEM_UNSURE), 1);
	assert_int_equal(take_back(s, ids, 1), STORE_TAKEN_LATER);
	settle(s, s->items[0].key, ITEM_WAITING, NOW_MS + 5000);
	assert_int_equal(count(s)->items[ITEM_SPOOLED], 299);
	assert_int_equal(take_back(s, ids, 1), STORE_TAKEN);
	assert_int_equal(sql(s, "SELECT count(*) FROM item"), 0);
	assert_int_equal(sql(s, "SELECT count(*) FROM mail"), 0);
	assert_int_equal(folder_entries(s->folder, "payload"), 0);
	books_check(s);
	assert_int_equal(claim(s, ITEM_SPOOLED), 0);
}

/* --- a spool of the version before -------------------------------------------------------- */

/* What the items of a mail share was state 8 up to version 2. */
static void
test_shared_of_version_2(void **state)
{
	static const char *const rows[] = {
		"INSERT INTO route(key, name) VALUES(1,'main')",
		"INSERT INTO mail "
		"VALUES(1,'01HZZZZZZZZZZZZZZZZZZZZZZ1',1800000000000,'a@b.example',"
		"'l','c','h','<old@b.example>','f','s','',9)",
		"INSERT INTO item(key, route, state, due_ms, attempt, history, put_aside,"
		" payload_at, payload_bytes, message_bytes, ended_ms, recipients) VALUES"
		"(1048576,1,8,0,0,0,0,1,4,4,9223372036854775807,''),"
		"(1048577,1,1,1800000000000,0,0,0,1,3,7,0,'x@y.example'||char(10))",
		"INSERT INTO payload VALUES(1048576,x'2c22617d'),(1048577,x'7b317d')",
		"UPDATE tally SET number=1 WHERE what=1",
	};
	struct spool *s = *state;
	char *path = mem_format("%s/spool.db", s->folder), why[300] = "";
	sqlite3 *db;

	store_close(&s->store);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(migrate_run(db, migrate_steps, 2, why, sizeof(why)), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (sqlite3_exec(db, rows[i], NULL, NULL, NULL) != SQLITE_OK)
			fail_msg("%s", sqlite3_errmsg(db));
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	free(path);

	spool_open(s);
	books_check(s);
	assert_int_equal(s->counts.items[ITEM_CAPTURED], 0);
	assert_int_equal(claim(s, ITEM_SPOOLED), 1);
	assert_int_equal(s->items[0].shared.len, 4);
	assert_memory_equal(s->items[0].shared.data, ",\"a}", 4);
	settle(s, s->items[0].key, ITEM_SENT, 0);
	assert_int_equal(sql(s, "SELECT count(*) FROM item"), 1);
	books_check(s);
}

static void
test_older_schema(void **state)
{
	static const char *const rows[] = {
		"INSERT INTO route VALUES(1,'main')",
		"INSERT INTO mail "
		"VALUES(1,'01HZZZZZZZZZZZZZZZZZZZZZZ1',1800000000000,'a@b.example',"
		"'l','c','h','<old@b.example>','f','s','',9)",
		/* spooled, sending, held with an answer, held without one, sent, failed */
		"INSERT INTO item VALUES(1048577,1,1,1800000000000,0,0,0,1,3,3,0,'x@y.example'||"
		"char(10),NULL,NULL),(1048578,1,2,1,1,0,0,1,3,3,0,'',NULL,NULL),"
		"(1048579,1,4,1,1,1,0,1,3,3,0,'',NULL,NULL),"
		"(1048580,1,4,1,1,1,0,1,3,3,0,'',NULL,NULL),"
		"(1048581,1,6,1,1,1,0,0,3,3,5,'','0a129aee-e1cd-480d-b08d-4f48548ff48d',NULL),"
		"(1048582,1,7,1,1,1,0,1,3,3,5,'',NULL,NULL)",
		"INSERT INTO payload "
		"VALUES(1048577,x'7b317d'),(1048578,x'7b327d'),(1048579,x'7b337d'),"
		"(1048580,x'7b347d'),(1048582,x'7b367d')",
		"INSERT INTO attempt VALUES(1048579,1,1,1,4,415,0,'no'),"
		"(1048580,1,1,1,4,0,0,'cut'),(1048581,1,1,1,6,200,0,'OK'),"
		"(1048582,1,1,1,7,422,300,'no')",
		"UPDATE tally SET number=1 WHERE what IN (1,2,6,7)",
		"UPDATE tally SET number=2 WHERE what=4",
	};
	struct spool *s = *state;
	char *path = mem_format("%s/spool.db", s->folder), why[300] = "";
	struct store_reader *reader;
	struct item_facts *items;
	sqlite3 *db;
	size_t count;

	store_close(&s->store);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(migrate_run(db, migrate_steps, 1, why, sizeof(why)), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (sqlite3_exec(db, rows[i], NULL, NULL, NULL) != SQLITE_OK)
			fail_msg("%s", sqlite3_errmsg(db));
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	free(path);
	/* Whoever looks before the relay has seen to it. */
	assert_null(store_reader_open(SPOOL_BACKEND, s->folder, why, sizeof(why)));
	assert_non_null(strstr(why, "the spool has schema version 1, this program reads version "));
	assert_non_null(strstr(why, ": the relay brings it up to date when it starts"));

	spool_open(s);
	books_check(s);
	assert_int_equal(s->counts.oldest_ms, NOW_MS);
	assert_int_equal(s->counts.items[ITEM_UNSURE], 1);
	reader = store_reader_open(SPOOL_BACKEND, s->folder, why, sizeof(why));
	assert_non_null(reader);
	assert_int_equal(store_reader_find(reader, "old@b.example", 10, &items, &count), 0);
	assert_int_equal(count, 6);
	for (size_t i = 0; i < count; i++)
		item_facts_free(&items[i]);
	free(items);
	assert_int_equal(
	    store_reader_find(reader, "0a129aee-e1cd-480d-b08d-4f48548ff48d", 10, &items, &count),
	    0);
	assert_int_equal(count, 1);
	item_facts_free(&items[0]);
	free(items);
	store_reader_close(&reader);

	assert_changed(act_on_all(s, STORE_RETRY, SET(ITEM_HELD) | SET(ITEM_FAILED)), 3, 0, 0, 0);
	assert_int_equal(item_value(s, "state", 1048579), ITEM_WAITING);
	assert_int_equal(item_value(s, "state", 1048580), ITEM_UNSURE);
	assert_int_equal(item_value(s, "state", 1048582), ITEM_WAITING);
	assert_int_equal(claim(s, ITEM_SPOOLED), 3);
	assert_int_equal(s->items[0].kind, ITEM_EMAIL);
	assert_int_equal(s->items[0].since_ms, NOW_MS);
	assert_int_equal(s->items[1].since_ms, LATER_MS);
	books_check(s);
}

/* What was refused has ended, though it is held; what waits for an operator has not. */
static void
test_purge_refused(void **state)
{
	struct spool *s = *state;
	struct store_outcome outcomes[3];

	for (unsigned i = 0; i < 3; i++)
		commit_ask(s, mail_make(NULL, 1, 100, NOW_MS - 1000));
	wait_answers(s);
	assert_int_equal(claim_most(s, ITEM_SPOOLED, NOW_MS, 5000, UINT64_MAX), 3);
	for (size_t i = 0; i < 3; i++)
		outcomes[i] = (struct store_outcome){ .key = s->items[i].key,
			.to = ITEM_HELD,
			.at_ms = NOW_MS,
			.http_status = 550,
			.refused = i != 1,
			.keeps_history = true };
	s->waiting++;
	store_settle(s->store, outcomes, 3, done_note, s);
	wait_answers(s);
	/* One of them has been let go on since. */
	assert_changed(act(s, STORE_RELEASE, s->items[2].id), 1, 0, 0, 0);
	s->waiting++;
	store_purge(s->store, NOW_MS + 1, done_note, s);
	wait_answers(s);
	assert_int_equal(sql(s, "SELECT count(*) FROM item WHERE state=4"), 1);
	assert_int_equal(sql(s, "SELECT count(*) FROM item"), 2);
	assert_int_equal(sql(s, "SELECT count(*) FROM payload"), 2);
	assert_int_equal(count(s)->items[ITEM_HELD], 1);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, spool_setup, spool_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_actions),
		TEST(test_and_back),
		TEST(test_unanswered),
		TEST(test_history),
		TEST(test_in_hand),
		TEST(test_claim_beside),
		TEST(test_put_aside),
		TEST(test_ids),
		TEST(test_many),
		TEST(test_large_mail),
		TEST(test_beside_commits),
		TEST(test_shared),
		TEST(test_routes),
		TEST(test_kill),
		TEST(test_write_error),
		TEST(test_captured),
		TEST(test_told),
		TEST(test_take_back),
		TEST(test_take_back_large),
		TEST(test_shared_of_version_2),
		TEST(test_older_schema),
		TEST(test_purge_refused),
	};

	log_setup("change_test", LOG_LEVEL_ERROR, LOG_FORMAT_TEXT,
	    getenv("SPOOL_TEST_LOG") != NULL ? STDERR_FILENO : open("/dev/null", O_WRONLY));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
