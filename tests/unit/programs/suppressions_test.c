/* The core's copy of the suppressed addresses and the spool's, which have to agree, whatever comes
 * in whatever order: events, Postmark's lists, operators. */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/strlist.h"
#include "mail/event.h"
#include "mail/suppression.h"
#include "store/store.h"
#include "programs/suppressions.h"

#include "../store/spool.h"

#define ADDRESS "ann@reader.example"
#define MINUTE  60000

struct desk {
	struct spool *spool;
	struct suppressions *all;
	unsigned published;
	unsigned marks;
};

static void
on_publish(void *ctx, int table_fd)
{
	struct desk *d = ctx;

	assert_true(table_fd >= 0);
	d->published++;
}

static void
copy_open(struct desk *d)
{
	unsigned before = d->published;

	d->all = suppressions_new(&(struct suppressions_params){
	    .loop = d->spool->loop, .store = d->spool->store, .publish = on_publish, .ctx = d });
	count(d->spool); /* whatever was asked before it is answered then */
	assert_int_equal(d->published, before + 1);
}

static int
setup(void **state)
{
	struct desk *d = mem_new(sizeof(*d));
	void *spool;

	if (spool_setup(&spool) != 0)
		return -1;
	d->spool = spool;
	copy_open(d);
	*state = d;
	return 0;
}

static int
teardown(void **state)
{
	struct desk *d = *state;
	void *spool = d->spool;

	store_close(&d->spool->store);
	suppressions_free(&d->all);
	free(d);
	return spool_teardown(&spool);
}

/* --- what comes --------------------------------------------------------------------------- */

static void
event_note(void *ctx, enum store_result result, const struct event *event,
    const struct store_event_done *done)
{
	struct desk *d = ctx;

	assert_int_equal(result, STORE_OK);
	if (!done->repeat)
		suppressions_event(d->all, event);
	done_note(d->spool, result);
}

static void
set(char **text, const char *value)
{
	free(*text);
	*text = mem_string(value);
}

static void
event_ask(struct desk *d, const char *address, enum event_kind kind, bool suppresses, int64_t at_ms)
{
	struct event *event = mail_event_new();

	ulid_make(event->id, NOW_MS);
	event->kind = kind;
	d->marks++;
	memcpy(event->mark, &d->marks, sizeof(d->marks));
	event->received_ms = clock_wall_ms();
	event->at_ms = at_ms;
	event->suppressed = suppresses;
	set(&event->connection, "main");
	set(&event->stream, "outbound");
	set(&event->recipient, address);
	if (kind == EVENT_BOUNCE)
		set(&event->type, "HardBounce");
	set(&event->json, "{}");
	event->json_len = 2;
	d->spool->waiting++;
	store_event(d->spool->store, event, event_note, d);
}

static void
tell(struct desk *d, enum event_kind kind, bool suppresses, int64_t at_ms)
{
	event_ask(d, ADDRESS, kind, suppresses, at_ms);
	wait_answers(d->spool);
}

static struct suppressions_synced
sync_with(struct desk *d, bool listed, int64_t created_ms, int64_t asked_ms)
{
	char connection[] = "main", stream[] = "outbound", address[] = ADDRESS,
	     reason[] = "SpamComplaint", origin[] = "Recipient";
	const struct suppression list[] = { { connection, stream, address, reason, origin,
	    created_ms, false } };

	return suppressions_sync(d->all, "main", "outbound", list, listed, asked_ms);
}

static void
operate(struct desk *d, bool lifts)
{
	char connection[] = "main", stream[] = "outbound", address[] = ADDRESS,
	     reason[] = "ManualSuppression", origin[] = "Customer";
	const struct suppression add = { connection, stream, address, reason, origin,
		clock_wall_ms(), false };
	struct strlist lift = { 0 };

	if (lifts)
		strlist_add(&lift, "Ann@Reader.example");
	suppressions_change(d->all, "main", "outbound", &add, !lifts, &lift);
	strlist_free(&lift);
}

/* --- what is known ------------------------------------------------------------------------ */

static bool
table_has(const struct desk *d, const char *address)
{
	struct suppression_found found;
	struct stat stat;
	void *table;
	bool has;

	assert_int_equal(fstat(suppressions_table(d->all), &stat), 0);
	table =
	    mmap(NULL, (size_t)stat.st_size, PROT_READ, MAP_SHARED, suppressions_table(d->all), 0);
	assert_true(table != MAP_FAILED);
	assert_int_equal(suppression_table_check(table, (size_t)stat.st_size), 0);
	has = suppression_table_find(
		  table, (size_t)stat.st_size, "main", "outbound", address, &found) == 0;
	munmap(table, (size_t)stat.st_size);
	return has;
}

/* reason: NULL: not suppressed. */
static void
known_check(struct desk *d, const char *address, const char *reason, const char *why)
{
	size_t found_count;
	struct suppression *found = suppressions_find(d->all, address, &found_count);
	char *query =
	    mem_format("SELECT count(*) FROM suppression WHERE NOT lifted AND address='%s'"
		       " AND reason='%s'",
		address, reason != NULL ? reason : "");
	char *any = mem_format(
	    "SELECT count(*) FROM suppression WHERE NOT lifted AND address='%s'", address);

	if (found_count != (reason != NULL))
		fail_msg("%s: %zu", why, found_count);
	if (reason != NULL && strcmp(found[0].reason, reason) != 0)
		fail_msg("%s: %s", why, found[0].reason);
	count(d->spool); /* after all that was asked */
	if (sql(d->spool, any) != (reason != NULL) || (reason != NULL && sql(d->spool, query) != 1))
		fail_msg("%s: not so in the spool", why);
	suppression_list_free(found, found_count);
	free(query);
	free(any);
}

/* Another core, which knows what the spool does. */
static void
copy_reopen(struct desk *d)
{
	store_close(&d->spool->store);
	suppressions_free(&d->all);
	spool_open(d->spool);
	copy_open(d);
}

/* --- tests -------------------------------------------------------------------------------- */

enum step { BOUNCES, COMPLAINS, IS_LIFTED, LISTED, NOT_LISTED, SUPPRESSED_HERE, LIFTED_HERE };

/* Minutes from NOW_MS.  at: of the fact; of LISTED, when it was created.  now: of its coming; of
 * the lists, when they were asked for. */
static const struct {
	enum step step;
	int64_t at, now;
	const char *reason, *why;
} steps[] = {
	{ NOT_LISTED, 0, 0, NULL, "nobody is" },
	{ IS_LIFTED, 20, 21, NULL, "a lift of what was not known" },
	{ BOUNCES, 10, 30, NULL, "which is posted only now" },
	{ COMPLAINS, 40, 41, "SpamComplaint", "something new" },
	{ IS_LIFTED, 35, 42, "SpamComplaint", "a lift of before" },
	{ NOT_LISTED, 0, 40, "SpamComplaint", "the list was older" },
	{ NOT_LISTED, 0, 50, NULL, "the list is newer" },
	{ COMPLAINS, 45, 51, NULL, "older than the list" },
	{ LISTED, 40, 49, NULL, "a list of before the other" },
	{ LISTED, 40, 60, "SpamComplaint", "listed after all" },
	{ IS_LIFTED, 55, 61, "SpamComplaint", "older than that list" },
	{ IS_LIFTED, 62, 63, NULL, "newer" },
	{ LISTED, 40, 62, NULL, "Postmark's list lags behind" },
	{ BOUNCES, 64, 65, "HardBounce", "again" },
	{ LISTED, 66, 70, "SpamComplaint", "for another reason meanwhile" },
	{ IS_LIFTED, 65, 71, "SpamComplaint", "which was before that" },
	{ LIFTED_HERE, 0, 80, NULL, "an operator" },
	{ COMPLAINS, 79, 81, NULL, "posted late" },
	{ LISTED, 66, 80, NULL, "Postmark's list lags behind" },
	{ SUPPRESSED_HERE, 0, 90, "ManualSuppression", "an operator" },
	{ NOT_LISTED, 0, 90, "ManualSuppression", "Postmark's list lags behind" },
	{ IS_LIFTED, 89, 91, "ManualSuppression", "posted late" },
	{ BOUNCES, 130, 100, "HardBounce", "by a clock that is ahead" },
	{ LIFTED_HERE, 0, 101, NULL, "an operator has the last word" },
	{ SUPPRESSED_HERE, 0, 102, "ManualSuppression", "an operator has the last word" },
	{ LIFTED_HERE, 0, 103, NULL, "an operator has the last word" },
	{ COMPLAINS, 140, 140, "SpamComplaint", "and what comes then" },
};

static void
steps_run(struct desk *d, bool reopens)
{
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		int64_t at_ms = NOW_MS + steps[i].at * MINUTE,
			now_ms = NOW_MS + steps[i].now * MINUTE;

		clock_fake(now_ms, 1000000);
		switch (steps[i].step) {
		case BOUNCES:
			tell(d, EVENT_BOUNCE, true, at_ms);
			break;
		case COMPLAINS:
			tell(d, EVENT_COMPLAINT, true, at_ms);
			break;
		case IS_LIFTED:
			tell(d, EVENT_SUBSCRIPTION, false, at_ms);
			break;
		case LISTED:
			sync_with(d, true, at_ms, now_ms);
			break;
		case NOT_LISTED:
			sync_with(d, false, 0, now_ms);
			break;
		case SUPPRESSED_HERE:
		case LIFTED_HERE:
			operate(d, steps[i].step == LIFTED_HERE);
			assert_int_equal(table_has(d, ADDRESS), steps[i].reason != NULL);
			break;
		}
		known_check(d, ADDRESS, steps[i].reason, steps[i].why);
		if (!reopens)
			continue;
		copy_reopen(d);
		known_check(d, ADDRESS, steps[i].reason, steps[i].why);
		assert_int_equal(table_has(d, ADDRESS), steps[i].reason != NULL);
	}
}

static void
test_steps(void **state)
{
	steps_run(*state, false);
}

/* What was lifted is known by the next core, too. */
static void
test_steps_reopened(void **state)
{
	steps_run(*state, true);
}

/* The same facts in all orders, many of them in one commit. */
static void
test_orders(void **state)
{
	static const struct {
		enum event_kind kind;
		bool suppresses;
	} facts[4] = {
		{ EVENT_BOUNCE, true },
		{ EVENT_SUBSCRIPTION, false },
		{ EVENT_COMPLAINT, true },
		{ EVENT_SUBSCRIPTION, false },
	};
	struct desk *d = *state;
	char address[64];

	for (int last = 0; last < 2; last++) {
		for (int order = 0; order < 256; order++) {
			unsigned seen = 0;

			for (int i = 0; i < 4; i++)
				seen |= 1U << (order >> 2 * i & 3);
			if (seen != 15)
				continue;
			snprintf(address, sizeof(address), "%d-%d@b.example", last, order);
			for (int i = 0; i < 4; i++) {
				int which = order >> 2 * i & 3;

				if (which != 3 || last == 0)
					event_ask(d, address, facts[which].kind,
					    facts[which].suppresses, NOW_MS + which);
			}
		}
		wait_answers(d->spool);
	}
	for (int order = 0; order < 256; order++)
		for (int last = 0; last < 2; last++) {
			char *query;
			int64_t rows;

			snprintf(address, sizeof(address), "%d-%d@b.example", last, order);
			query = mem_format(
			    "SELECT count(*) FROM suppression WHERE address='%s'", address);
			rows = sql(d->spool, query);
			free(query);
			if (rows > 0)
				known_check(
				    d, address, last == 0 ? NULL : "SpamComplaint", address);
		}
	assert_int_equal(sql(d->spool, "SELECT count(*) FROM suppression"), 48);
}

/* What a synchronisation counts, and a moment that the list does not tell. */
static void
test_sync(void **state)
{
	struct desk *d = *state;
	struct suppressions_synced synced = sync_with(d, true, 0, NOW_MS);
	struct suppression *found;
	size_t found_count;

	assert_int_equal(synced.added, 1);
	assert_int_equal(synced.lifted, 0);
	found = suppressions_find(d->all, ADDRESS, &found_count);
	assert_int_equal(found_count, 1);
	assert_int_equal(found[0].at_ms, NOW_MS - MINUTE);
	suppression_list_free(found, found_count);
	synced = sync_with(d, true, 0, NOW_MS + MINUTE);
	assert_int_equal(synced.added + synced.lifted, 0);
	synced = sync_with(d, true, NOW_MS, NOW_MS + MINUTE);
	assert_int_equal(synced.added + synced.lifted, 0);
	known_check(d, ADDRESS, "SpamComplaint", "listed with another moment");
	synced = sync_with(d, false, 0, NOW_MS + 2 * MINUTE);
	assert_int_equal(synced.added, 0);
	assert_int_equal(synced.lifted, 1);
	known_check(d, ADDRESS, NULL, "not listed");
	/* Another stream's list says nothing of this one. */
	tell(d, EVENT_BOUNCE, true, NOW_MS + 2 * MINUTE);
	suppressions_sync(d->all, "main", "broadcast", NULL, 0, NOW_MS + 60 * MINUTE);
	suppressions_sync(d->all, "other", "outbound", NULL, 0, NOW_MS + 60 * MINUTE);
	known_check(d, ADDRESS, "HardBounce", "of another list");
}

static void
test_purge(void **state)
{
	struct desk *d = *state;

	tell(d, EVENT_SUBSCRIPTION, false, NOW_MS + 20);
	event_ask(d, "zoe@b.example", EVENT_BOUNCE, true, NOW_MS + 1);
	event_ask(d, "a@b.example", EVENT_SUBSCRIPTION, false, NOW_MS + 30);
	wait_answers(d->spool);
	suppressions_purge(d->all, NOW_MS + 20);
	suppressions_event(d->all, &(struct event){ .kind = EVENT_BOUNCE,
				       .received_ms = NOW_MS + 40,
				       .at_ms = NOW_MS + 10,
				       .connection = (char[]){ "main" },
				       .stream = (char[]){ "outbound" },
				       .recipient = (char[]){ ADDRESS },
				       .type = (char[]){ "HardBounce" },
				       .suppressed = true });
	known_check(d, ADDRESS, NULL, "the lift is kept");
	/* And then there is nothing to tell that from. */
	suppressions_purge(d->all, NOW_MS + 21);
	d->spool->waiting++;
	store_purge(d->spool->store, NOW_MS + 21, done_note, d->spool);
	wait_answers(d->spool);
	assert_int_equal(sql(d->spool, "SELECT count(*) FROM suppression WHERE lifted"), 1);
	tell(d, EVENT_BOUNCE, true, NOW_MS + 10);
	known_check(d, ADDRESS, "HardBounce", "the lift is forgotten");
	known_check(d, "zoe@b.example", "HardBounce", "not lifted");
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_steps),
		TEST(test_steps_reopened),
		TEST(test_orders),
		TEST(test_sync),
		TEST(test_purge),
	};

	log_setup("suppressions_test", LOG_LEVEL_ERROR, LOG_FORMAT_TEXT,
	    getenv("SPOOL_TEST_LOG") != NULL ? STDERR_FILENO : open("/dev/null", O_WRONLY));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
