/*
 * The spool from outside: what is asked of it, what it answers, and what is there after a crash, on
 * a full disk and in a damaged folder.  Runs on the back end named by SPOOL_BACKEND.
 */

#include <errno.h>
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
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <linux/magic.h>
#include <sys/vfs.h>

#include <sqlite3.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "mail/mail.h"
#include "store/store.h"

#include "spool.h"

/* --- the ordinary life -------------------------------------------------------------------- */

static void
test_life(void **state)
{
	struct spool *s = *state;
	struct mail *mail = mail_make("01HZZZZZZZZZZZZZZZZZZZZZZZ", 2, 2000, NOW_MS);
	int64_t key;

	assert_int_equal(commit(s, mail), STORE_OK);
	assert_int_equal(s->due, 1);
	assert_int_equal(count(s)->items[ITEM_SPOOLED], 2);
	assert_int_equal(s->counts.oldest_ms, NOW_MS);

	assert_int_equal(claim_most(s, ITEM_SPOOLED, NOW_MS - 1, 10, UINT64_MAX), 0);
	assert_false(s->more);
	assert_int_equal(claim(s, ITEM_SPOOLED), 2);
	assert_string_equal(s->items[0].id, "01HZZZZZZZZZZZZZZZZZZZZZZZ-1");
	assert_string_equal(s->items[1].id, "01HZZZZZZZZZZZZZZZZZZZZZZZ-2");
	assert_int_equal(s->items[0].attempt, 1);
	assert_int_equal(s->items[0].came_from, ITEM_SPOOLED);
	assert_int_equal(s->items[0].accepted_ms, NOW_MS);
	assert_int_equal(s->items[0].recipients.count, 2);
	assert_string_equal(s->items[0].recipients.items[1], "b@recipient.example");
	assert_true(payload_is(&s->items[0], 2000));
	key = s->items[0].key;
	assert_int_equal(count(s)->items[ITEM_SENDING], 2);
	settle(s, s->items[1].key, ITEM_SENT, 0);
	assert_int_equal(claim(s, ITEM_SPOOLED), 0);

	/* Weather: later, with one attempt more. */
	settle(s, key, ITEM_WAITING, NOW_MS + 5000);
	assert_int_equal(next_due(s, ITEM_SPOOLED), NOW_MS + 5000);
	assert_int_equal(claim_most(s, ITEM_SPOOLED, NOW_MS + 4999, 10, UINT64_MAX), 0);
	assert_int_equal(claim_most(s, ITEM_SPOOLED, NOW_MS + 5000, 10, UINT64_MAX), 1);
	assert_int_equal(s->items[0].attempt, 2);
	assert_int_equal(s->items[0].came_from, ITEM_WAITING);
	assert_int_equal(next_due(s, ITEM_SPOOLED), INT64_MAX);

	/* Given back untried: the attempt does not count. */
	settle(s, key, ITEM_SPOOLED, NOW_MS + 6000);
	assert_int_equal(count(s)->items[ITEM_WAITING], 1);
	assert_int_equal(claim(s, ITEM_SPOOLED), 1);
	assert_int_equal(s->items[0].attempt, 2);

	settle(s, key, ITEM_SENT, 0);
	assert_int_equal(s->result, STORE_OK);
	assert_int_equal(count(s)->items[ITEM_SENT], 2);
	assert_int_equal(s->counts.items[ITEM_SENDING], 0);
	assert_int_equal(s->counts.oldest_ms, 0);
	assert_int_equal(sql(s, "SELECT count(*) FROM payload"), 0);
	assert_int_equal(sql(s, "SELECT count(*) FROM attempt"), 3);
	assert_int_equal(sql(s, "SELECT count(*) FROM item WHERE postmark_id='pm-1'"), 2);

	/* What came too late changes nothing. */
	settle(s, key, ITEM_FAILED, 0);
	assert_int_equal(count(s)->items[ITEM_SENT], 2);

	/* Nothing of it depends on memory. */
	spool_reopen(s);
	assert_int_equal(count(s)->items[ITEM_SENT], 2);
}

/* --- several mails of a transaction ------------------------------------------------------- */

static struct mail *
routed(const char *route, unsigned items, size_t payload_bytes)
{
	struct mail *mail = mail_make(NULL, items, payload_bytes, NOW_MS);

	free(mail->route);
	mail->route = mem_string(route);
	return mail;
}

/* Three routes, one of which keeps what it gets; the last payload is a file. */
static struct mail *
chain_make(const char *const ids[3])
{
	struct mail *first = routed("main", 2, 500);

	first->next = routed("staging", 1, 500);
	first->next->captured = true;
	first->next->next = routed("bulk", 1, FILE_BYTES);
	for (struct mail *m = first; ids != NULL && m != NULL; m = m->next)
		memcpy(m->id, *ids++, ULID_SIZE);
	return first;
}

static void
test_chain(void **state)
{
	static const char *const ids[] = { "01HZZZZZZZZZZZZZZZZZZZZZZ1",
		"01HZZZZZZZZZZZZZZZZZZZZZZ2", "01HZZZZZZZZZZZZZZZZZZZZZZ3" };
	struct spool *s = *state;
	struct mail *mail;

	assert_int_equal(commit(s, chain_make(ids)), STORE_OK);
	assert_int_equal(s->due, 1);
	assert_int_equal(count(s)->commits, 1);
	assert_int_equal(s->counts.items[ITEM_SPOOLED], 3);
	assert_int_equal(s->counts.items[ITEM_CAPTURED], 1);
	assert_int_equal(sql(s, "SELECT count(*) FROM mail"), 3);
	assert_int_equal(sql(s, "SELECT count(DISTINCT route) FROM item"), 3);
	assert_int_equal(claim(s, ITEM_SPOOLED), 2);
	assert_string_equal(s->items[0].id, "01HZZZZZZZZZZZZZZZZZZZZZZ1-1");
	assert_string_equal(s->items[0].reverse_path, "app@sender.example");

	/* The front lost its core and asks again: nothing is new, and nobody is woken. */
	spool_reopen(s);
	s->due = 0;
	assert_int_equal(commit(s, chain_make(ids)), STORE_OK);
	assert_int_equal(s->due, 0);
	assert_int_equal(sql(s, "SELECT count(*) FROM item"), 4);
	assert_int_equal(folder_entries(s->folder, "payload"), 1);

	/* What had been taken back, or deleted, comes with it. */
	sql(s, "DELETE FROM item WHERE key>>20=1");
	sql(s, "DELETE FROM payload WHERE item>>20=1");
	sql(s, "DELETE FROM mail WHERE key=1");
	assert_int_equal(commit(s, chain_make(ids)), STORE_OK);
	assert_int_equal(s->due, 1);
	assert_int_equal(sql(s, "SELECT count(*) FROM item"), 4);

	/* One that is only kept wakes nobody either. */
	mail = routed("staging", 1, 100);
	mail->captured = true;
	assert_int_equal(commit(s, mail), STORE_OK);
	assert_int_equal(s->due, 1);
}

static void
test_chain_all_or_none(void **state)
{
	struct spool *s = *state;
	struct mail *mail = chain_make(NULL), *good = mail_make(NULL, 1, 100, NOW_MS);
	struct payload *payload = &mail->next->next->items[0].payload;
	int fd = memfd_create("short", MFD_CLOEXEC);

	/* The file of the last is shorter than it says; beside it is a mail of another client. */
	assert_int_equal(write(fd, payload->data, 100), 100);
	free(payload->data);
	payload->data = NULL;
	payload->fd = fd;
	commit_ask(s, mail);
	wait_answers(s);
	assert_int_equal(s->result, STORE_BROKEN);
	assert_int_equal(s->due, 0);
	assert_int_equal(sql(s, "SELECT count(*) FROM mail"), 0);
	assert_int_equal(sql(s, "SELECT count(*) FROM item"), 0);
	assert_int_equal(count(s)->items[ITEM_SPOOLED], 0);
	assert_int_equal(s->counts.items[ITEM_CAPTURED], 0);
	assert_int_equal(folder_entries(s->folder, "payload"), 0);
	clock_restore();
	for (int i = 0; commit(s, good) != STORE_OK; i++) {
		assert_true(i < 100);
		usleep(50000);
		good = mail_make(NULL, 1, 100, NOW_MS);
	}
	assert_int_equal(sql(s, "SELECT count(*) FROM mail"), 1);
}

/* A sync that failed leaves open what is on the disk: of the chain nothing is, afterwards. */
static void
test_chain_forgotten(void **state)
{
	static const char *const ids[] = { "01HZZZZZZZZZZZZZZZZZZZZZZ1",
		"01HZZZZZZZZZZZZZZZZZZZZZZ2", "01HZZZZZZZZZZZZZZZZZZZZZZ3" };
	struct spool *s = *state;
	struct mail *known = mail_make(ids[1], 1, 100, NOW_MS);

	/* One of them had been stored before, and is to stay. */
	assert_int_equal(commit(s, known), STORE_OK);
	atomic_store(&syncs_to_fail, 1000);
	assert_int_equal(commit(s, chain_make(ids)), STORE_BROKEN);
	atomic_store(&syncs_to_fail, 0);
	clock_restore();
	for (int i = 0; commit(s, mail_make(NULL, 1, 100, NOW_MS)) != STORE_OK; i++) {
		assert_true(i < 100);
		usleep(50000);
	}
	assert_int_equal(sql(s, "SELECT count(*) FROM mail"), 2);
	assert_int_equal(
	    sql(s, "SELECT count(*) FROM mail WHERE id='01HZZZZZZZZZZZZZZZZZZZZZZ2'"), 1);
	assert_int_equal(count(s)->items[ITEM_SPOOLED], 2);
	assert_int_equal(s->counts.items[ITEM_CAPTURED], 0);
	assert_int_equal(commit(s, chain_make(ids)), STORE_OK);
	assert_int_equal(sql(s, "SELECT count(*) FROM mail"), 4);
	assert_int_equal(count(s)->items[ITEM_CAPTURED], 0); /* the first of that id counts */
}

/* --- captured ----------------------------------------------------------------------------- */

static void
test_captured(void **state)
{
	struct spool *s = *state;
	struct mail *mail = mail_make(NULL, 3, FILE_BYTES, NOW_MS);

	mail->captured = true;
	assert_int_equal(commit(s, mail), STORE_OK);
	assert_int_equal(count(s)->items[ITEM_CAPTURED], 3);
	assert_int_equal(s->counts.items[ITEM_SPOOLED], 0);
	assert_int_equal(s->counts.oldest_ms, 0);
	assert_int_equal(sql(s, "SELECT count(*) FROM item WHERE ended_ms=1800000000000"), 3);
	assert_int_equal(
	    sql(s, "SELECT count(*) FROM attempt WHERE verdict=8 AND attempt=0 AND line=1"
		   " AND answer='captured by route main'"),
	    3);

	/* Never due, not even at the next start. */
	assert_int_equal(claim(s, ITEM_SPOOLED), 0);
	assert_int_equal(claim(s, ITEM_UNSURE), 0);
	assert_int_equal(next_due(s, ITEM_SPOOLED), INT64_MAX);
	spool_reopen(s);
	assert_int_equal(count(s)->items[ITEM_CAPTURED], 3);
	assert_int_equal(s->counts.oldest_ms, 0);

	/* Kept as long as what has ended, and gone with its files. */
	s->waiting++;
	store_purge(s->store, NOW_MS, done_note, s);
	wait_answers(s);
	assert_int_equal(count(s)->items[ITEM_CAPTURED], 3);
	s->waiting++;
	store_purge(s->store, NOW_MS + 1, done_note, s);
	wait_answers(s);
	assert_int_equal(count(s)->items[ITEM_CAPTURED], 0);
	assert_int_equal(sql(s, "SELECT count(*) FROM mail"), 0);
	assert_int_equal(sql(s, "SELECT count(*) FROM attempt"), 0);
	assert_int_equal(folder_entries(s->folder, "payload"), 0);
}

/* --- routes that nobody has any more ------------------------------------------------------ */

struct strays {
	struct spool *spool;
	unsigned count;
	char text[200];
};

static void
strays_note(void *ctx, enum store_result result, const struct store_stray *strays, size_t count)
{
	struct strays *note = ctx;
	size_t len = 0;

	assert_int_equal(result, STORE_OK);
	note->text[0] = '\0';
	for (size_t i = 0; i < count; i++)
		len += (size_t)snprintf(note->text + len, sizeof(note->text) - len, "%s=%llu ",
		    strays[i].route, (unsigned long long)strays[i].items);
	done_note(note->spool, result);
}

static const char *
strays_of(struct spool *s, struct strays *note, const char *known)
{
	struct strlist names = { 0 };

	strlist_add(&names, "default");
	strlist_add(&names, known);
	note->spool = s;
	s->waiting++;
	store_strays(s->store, &names, strays_note, note);
	strlist_free(&names);
	wait_answers(s);
	return note->text;
}

static void
test_strays(void **state)
{
	struct spool *s = *state;
	struct strays note;
	struct mail *captured = routed("staging", 1, 100);

	assert_string_equal(strays_of(s, &note, "main"), "");
	captured->captured = true;
	captured->next = routed("bulk", 3, 100);
	assert_int_equal(commit(s, captured), STORE_OK);
	assert_int_equal(commit(s, routed("main", 4, 100)), STORE_OK);
	assert_string_equal(strays_of(s, &note, "main"), "bulk=3 ");
	assert_string_equal(strays_of(s, &note, "bulk"), "main=4 ");

	/* Whoever is waiting, held or unsure needs its route; who has ended does not. */
	assert_int_equal(claim(s, ITEM_SPOOLED), 4);
	{
		int64_t keys[4];

		for (size_t i = 0; i < 4; i++)
			keys[i] = s->items[i].key;
		settle(s, keys[0], ITEM_WAITING, NOW_MS + 1);
		settle(s, keys[1], ITEM_UNSURE, NOW_MS + 1);
		settle(s, keys[2], ITEM_HELD, 0);
		settle(s, keys[3], ITEM_SENT, 0);
	}
	assert_string_equal(strays_of(s, &note, "bulk"), "main=3 ");
}

static void
test_kind(void **state)
{
	struct spool *s = *state;
	struct mail *mail = mail_make(NULL, 3, 100, NOW_MS - 5);

	mail->items[1].kind = ITEM_TEMPLATE;
	mail->items[2].kind = ITEM_SMTP;
	assert_int_equal(commit(s, mail), STORE_OK);
	spool_reopen(s);
	assert_int_equal(claim(s, ITEM_SPOOLED), 3);
	assert_int_equal(s->items[0].kind, ITEM_EMAIL);
	assert_int_equal(s->items[1].kind, ITEM_TEMPLATE);
	assert_int_equal(s->items[2].kind, ITEM_SMTP);
	assert_int_equal(s->items[0].since_ms, NOW_MS - 5);
	spool_reopen(s);
	assert_int_equal(claim(s, ITEM_UNSURE), 3);
	assert_int_equal(s->items[1].kind, ITEM_TEMPLATE);
	assert_int_equal(s->items[1].since_ms, NOW_MS - 5);
}

static void
test_same_mail_twice(void **state)
{
	struct spool *s = *state;
	const char *id = "01HZZZZZZZZZZZZZZZZZZZZZZZ";

	assert_int_equal(commit(s, mail_make(id, 3, 100, NOW_MS)), STORE_OK);
	assert_int_equal(commit(s, mail_make(id, 3, 100, NOW_MS)), STORE_OK);
	assert_int_equal(s->due, 1);
	/* In one group, and with files. */
	commit_ask(s, mail_make("01J00000000000000000000000", 1, FILE_BYTES, NOW_MS));
	commit_ask(s, mail_make("01J00000000000000000000000", 1, FILE_BYTES, NOW_MS));
	wait_answers(s);
	assert_int_equal(s->result, STORE_OK);
	assert_int_equal(count(s)->items[ITEM_SPOOLED], 4);
}

static void
test_group_commit(void **state)
{
	struct spool *s = *state;
	struct store_counts before = *count(s);

	mails_add(s, 100);
	assert_int_equal(count(s)->commits - before.commits, 1);
	/* One for the group; a second where the log starts. */
	assert_in_range(s->counts.syncs - before.syncs, 1, 2);
	assert_int_equal(s->due, 1);
	before = s->counts;
	count(s);
	assert_int_equal(s->counts.syncs, before.syncs);
}

static void
test_claim_limits(void **state)
{
	struct spool *s = *state;
	static const struct {
		const char *why;
		size_t most_items;
		uint64_t most_bytes;
		size_t count;
		bool more;
	} cases[] = {
		{ "by number", 3, UINT64_MAX, 3, true },
		{ "by bytes, whole items only", 100, 4999, 2, true },
		{ "the first one however large", 100, 1, 1, true },
		{ "bytes that fit exactly", 100, 4000, 2, true },
		{ "the rest", 100, UINT64_MAX, 2, false },
		{ "nothing", 100, UINT64_MAX, 0, false },
	};

	mails_add(s, 10);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		claim_most(
		    s, ITEM_SPOOLED, NOW_MS + 1000, cases[i].most_items, cases[i].most_bytes);
		if (s->count != cases[i].count || s->more != cases[i].more)
			fail_msg("%s: %zu items, %d", cases[i].why, s->count, s->more);
	}
}

static void
test_claim_order(void **state)
{
	struct spool *s = *state;
	int64_t keys[3];

	mails_add(s, 3);
	assert_int_equal(claim(s, ITEM_SPOOLED), 3);
	for (size_t i = 0; i < 3; i++)
		keys[i] = s->items[i].key;
	settle(s, keys[0], ITEM_WAITING, NOW_MS + 30);
	settle(s, keys[1], ITEM_WAITING, NOW_MS + 10);
	settle(s, keys[2], ITEM_SPOOLED, NOW_MS + 20);
	assert_int_equal(claim(s, ITEM_SPOOLED), 3);
	assert_int_equal(s->items[0].key, keys[1]);
	assert_int_equal(s->items[1].key, keys[2]);
	assert_int_equal(s->items[2].key, keys[0]);
}

static void
test_routes_apart(void **state)
{
	struct spool *s = *state;
	struct mail *mail = mail_make(NULL, 1, 100, NOW_MS);

	free(mail->route);
	mail->route = mem_string("other");
	assert_int_equal(commit(s, mail), STORE_OK);
	assert_int_equal(claim(s, ITEM_SPOOLED), 0);
	mails_add(s, 1);
	assert_int_equal(claim(s, ITEM_SPOOLED), 1);
	assert_int_equal(count(s)->items[ITEM_SPOOLED], 1);
}

static void
test_unsure(void **state)
{
	struct spool *s = *state;
	int64_t key;

	mails_add(s, 2);
	assert_int_equal(claim(s, ITEM_SPOOLED), 2);
	key = s->items[0].key;
	settle(s, s->items[1].key, ITEM_UNSURE, NOW_MS + 100);
	settle(s, key, ITEM_UNSURE, NOW_MS + 50);
	assert_int_equal(claim(s, ITEM_SPOOLED), 0);
	assert_int_equal(next_due(s, ITEM_UNSURE), NOW_MS + 50);

	/* A claim is kept in memory alone: a second one does not get the same. */
	assert_int_equal(claim_most(s, ITEM_UNSURE, NOW_MS + 60, 10, UINT64_MAX), 1);
	assert_int_equal(s->items[0].key, key);
	assert_int_equal(s->items[0].came_from, ITEM_UNSURE);
	assert_int_equal(s->items[0].attempt, 1);
	assert_int_equal(claim_most(s, ITEM_UNSURE, NOW_MS + 60, 10, UINT64_MAX), 0);
	assert_int_equal(next_due(s, ITEM_UNSURE), NOW_MS + 100);
	assert_int_equal(count(s)->items[ITEM_UNSURE], 2);

	settle(s, key, ITEM_UNSURE, NOW_MS + 70);
	assert_int_equal(claim_most(s, ITEM_UNSURE, NOW_MS + 70, 10, UINT64_MAX), 1);
	/* Postmark does not have it: again. */
	settle(s, key, ITEM_WAITING, NOW_MS + 70);
	assert_int_equal(claim(s, ITEM_SPOOLED), 1);
	assert_int_equal(s->items[0].attempt, 2);

	/* After a restart the other one may be asked about again. */
	assert_int_equal(claim_most(s, ITEM_UNSURE, NOW_MS + 100, 10, UINT64_MAX), 1);
	spool_reopen(s);
	assert_int_equal(claim_most(s, ITEM_UNSURE, NOW_MS + 100, 10, UINT64_MAX), 2);
}

static void
test_due_called(void **state)
{
	struct spool *s = *state;

	mails_add(s, 1);
	assert_int_equal(s->due, 1);
	assert_int_equal(claim(s, ITEM_SPOOLED), 1);
	settle(s, s->items[0].key, ITEM_WAITING, NOW_MS + 1);
	assert_int_equal(s->due, 1); /* at a time: next_due() tells */
	assert_int_equal(claim(s, ITEM_SPOOLED), 1);
	settle(s, s->items[0].key, ITEM_SPOOLED, NOW_MS);
	assert_int_equal(s->due, 2);
}

static void
test_held_and_failed(void **state)
{
	struct spool *s = *state;

	mails_add(s, 2);
	assert_int_equal(claim(s, ITEM_SPOOLED), 2);
	settle(s, s->items[0].key, ITEM_HELD, 0);
	settle(s, s->items[1].key, ITEM_FAILED, 0);
	assert_int_equal(claim(s, ITEM_SPOOLED), 0);
	assert_int_equal(count(s)->items[ITEM_HELD], 1);
	assert_int_equal(s->counts.items[ITEM_FAILED], 1);
	assert_int_equal(s->counts.put_aside, 0);
	assert_int_equal(s->counts.oldest_ms, NOW_MS);
	/* An operator may want it sent after all. */
	assert_int_equal(sql(s, "SELECT count(*) FROM payload"), 2);
}

static void
test_long_answer(void **state)
{
	struct spool *s = *state;
	char answer[6000];
	struct store_outcome outcome = { .to = ITEM_FAILED,
		.at_ms = NOW_MS,
		.answer = answer,
		.inactive = "a@recipient.example",
		.keeps_history = true };

	/* A two-byte character stands across the limit of 4096. */
	memset(answer, 'x', sizeof(answer));
	memcpy(answer + 4095, "\xc3\xbc", 2);
	answer[sizeof(answer) - 1] = '\0';
	mails_add(s, 1);
	assert_int_equal(claim(s, ITEM_SPOOLED), 1);
	outcome.key = s->items[0].key;
	s->waiting++;
	store_settle(s->store, &outcome, 1, done_note, s);
	memset(answer, 'y', sizeof(answer) - 1); /* it is copied */
	wait_answers(s);
	assert_int_equal(sql(s, "SELECT length(CAST(answer AS BLOB)) FROM attempt"), 4095);
	assert_int_equal(sql(s, "SELECT count(*) FROM attempt WHERE answer LIKE '%y%'"), 0);
	assert_int_equal(
	    sql(s, "SELECT count(*) FROM item WHERE inactive='a@recipient.example'"), 1);
}

static void
test_purge(void **state)
{
	struct spool *s = *state;
	const size_t most = 1300; /* several steps */

	for (unsigned i = 0; i < most; i++)
		commit_ask(s, mail_make(NULL, 1, 100, NOW_MS - 1000));
	commit_ask(s, mail_make(NULL, 2, FILE_BYTES + 1, NOW_MS));
	wait_answers(s);
	assert_int_equal(claim_most(s, ITEM_SPOOLED, NOW_MS, 5000, UINT64_MAX), most + 2);
	for (size_t i = 0; i < s->count; i++) {
		const struct store_outcome outcome = { .key = s->items[i].key,
			.to = i == 7              ? ITEM_WAITING
			      : i % 2 || i > most ? ITEM_FAILED
						  : ITEM_SENT,
			.at_ms = NOW_MS,
			.due_ms = NOW_MS,
			.keeps_history = true };

		s->waiting++;
		store_settle(s->store, &outcome, 1, done_note, s);
	}
	wait_answers(s);
	s->waiting++;
	store_purge(s->store, NOW_MS, done_note, s);
	wait_answers(s);
	assert_int_equal(sql(s, "SELECT count(*) FROM item"), most + 2);
	assert_int_equal(folder_entries(s->folder, "payload"), 1);

	s->waiting++;
	store_purge(s->store, NOW_MS + 1, done_note, s);
	wait_answers(s);
	assert_int_equal(s->result, STORE_OK);
	assert_int_equal(sql(s, "SELECT count(*) FROM item"), 1);
	assert_int_equal(sql(s, "SELECT count(*) FROM mail"), 1);
	assert_int_equal(sql(s, "SELECT count(*) FROM attempt"), 1);
	assert_int_equal(sql(s, "SELECT count(*) FROM payload"), 1);
	assert_int_equal(folder_entries(s->folder, "payload"), 0);
	assert_int_equal(count(s)->items[ITEM_WAITING], 1);
	assert_int_equal(s->counts.items[ITEM_SENT], 0);
	assert_int_equal(s->counts.items[ITEM_FAILED], 0);

	/* Keys that were given back do not hide what is open. */
	mails_add(s, 1);
	assert_int_equal(count(s)->oldest_ms, NOW_MS - 1000);
}

static void
test_large_payloads(void **state)
{
	static const struct {
		size_t bytes;
		bool shared;
		unsigned files;
	} cases[] = {
		{ FILE_BYTES * 5, true, 1 },
		{ FILE_BYTES * 5 + 17, false, 1 },
		{ 3000, true, 0 },
		{ PAYLOAD_LARGE + 1, true, 0 },
	};
	struct spool *s = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct mail *mail = cases[i].shared ? mail_make_shared(1, cases[i].bytes)
						    : mail_make(NULL, 1, cases[i].bytes, NOW_MS);

		assert_int_equal(commit(s, mail), STORE_OK);
		assert_int_equal(folder_entries(s->folder, "payload"), cases[i].files);
		assert_int_equal(claim(s, ITEM_SPOOLED), 1);
		assert_true(payload_is(&s->items[0], cases[i].bytes));
		settle(s, s->items[0].key, ITEM_SENT, 0);
		assert_int_equal(folder_entries(s->folder, "payload"), 0);
		/* Who holds the descriptor may go on reading. */
		assert_true(payload_is(&s->items[0], cases[i].bytes));
	}
	/* Many in one group. */
	for (unsigned i = 0; i < 20; i++)
		commit_ask(s, mail_make_shared(2, FILE_BYTES));
	wait_answers(s);
	assert_int_equal(s->result, STORE_OK);
	assert_int_equal(folder_entries(s->folder, "payload"), 40);
	assert_int_equal(claim(s, ITEM_SPOOLED), 40);
	for (size_t i = 0; i < s->count; i++)
		assert_true(payload_is(&s->items[i], FILE_BYTES));
}

static void
purge(struct spool *s, int64_t ended_before_ms)
{
	s->waiting++;
	store_purge(s->store, ended_before_ms, done_note, s);
	wait_answers(s);
	assert_int_equal(s->result, STORE_OK);
}

/* What the items of a mail share is kept once, comes with each, and goes with the last. */
static void
test_shared(void **state)
{
	static const size_t bytes[] = { 3000, FILE_BYTES * 5 };
	struct spool *s = *state;

	for (size_t i = 0; i < 2; i++) {
		struct mail *mail = mail_make(NULL, 3, 100, NOW_MS);
		int64_t keys[3];

		mail->shared.len = bytes[i];
		mail->shared.data = mem_array(bytes[i] + 1, 1);
		memset(mail->shared.data, 's', bytes[i]);
		assert_int_equal(commit(s, mail), STORE_OK);
		assert_int_equal(folder_entries(s->folder, "payload"), i);
		assert_int_equal(count(s)->items[ITEM_SPOOLED], 3);

		spool_reopen(s); /* no file is taken for an orphan */
		/* It counts against the size of a claim. */
		assert_int_equal(
		    claim_most(s, ITEM_SPOOLED, NOW_MS + 1000000, 10, bytes[i] * 2 + 250), 2);
		assert_true(s->more);
		keys[0] = s->items[0].key;
		keys[1] = s->items[1].key;
		assert_int_equal(claim(s, ITEM_SPOOLED), 1);
		keys[2] = s->items[0].key;
		assert_int_equal(s->items[0].payload.len, 100);
		assert_int_equal(s->items[0].shared.len, bytes[i]);
		assert_int_equal(s->items[0].shared.fd >= 0, i == 1);

		settle(s, keys[0], ITEM_SENT, 0);
		settle(s, keys[1], ITEM_FAILED, 0); /* keeps its payload until it is purged */
		settle(s, keys[2], ITEM_SENT, 0);
		assert_int_equal(folder_entries(s->folder, "payload"), i);
		assert_int_equal(count(s)->oldest_ms, 0);
		purge(s, NOW_MS + 1000);
		assert_int_equal(folder_entries(s->folder, "payload"), 0);
		assert_int_equal(sql(s, "SELECT count(*) FROM payload"), 0);
		assert_int_equal(sql(s, "SELECT count(*) FROM item"), 0);
		assert_int_equal(sql(s, "SELECT count(*) FROM mail"), 0);

		/* All sent: it is gone before any purge. */
		mail = mail_make(NULL, 2, 100, NOW_MS);
		mail->shared.len = bytes[i];
		mail->shared.data = mem_array(bytes[i] + 1, 1);
		assert_int_equal(commit(s, mail), STORE_OK);
		assert_int_equal(claim(s, ITEM_SPOOLED), 2);
		keys[0] = s->items[0].key;
		keys[1] = s->items[1].key;
		settle(s, keys[0], ITEM_SENT, 0);
		settle(s, keys[1], ITEM_SENT, 0);
		assert_int_equal(folder_entries(s->folder, "payload"), 0);
		assert_int_equal(sql(s, "SELECT count(*) FROM payload"), 0);
		purge(s, NOW_MS + 1000);
	}
}

/* Only the row of what is shared is lost: half a message must not go out. */
static void
test_shared_lost(void **state)
{
	struct spool *s = *state;
	struct mail *mail = mail_make(NULL, 2, 100, NOW_MS);

	mail->shared.len = 200;
	mail->shared.data = mem_array(201, 1);
	assert_int_equal(commit(s, mail), STORE_OK);
	store_close(&s->store);
	sql(s, "DELETE FROM item WHERE state=0");
	spool_open(s);
	assert_int_equal(claim(s, ITEM_SPOOLED), 0);
	assert_int_equal(count(s)->put_aside, 2);
	assert_int_equal(s->counts.items[ITEM_HELD], 2);
}

static void
close_now(void *ctx, enum store_result result, bool known)
{
	struct spool *s = ctx;

	(void)known;
	(void)result;
	store_close(&s->store);
	loop_stop(s->loop);
}

static void
never(void *ctx, enum store_result result, bool known)
{
	(void)known;
	(void)ctx;
	(void)result;
	fail_msg("done() after the store was closed");
}

static void
test_close(void **state)
{
	struct spool *s = *state;

	/* What was asked is written; nobody hears of it any more. */
	store_commit(s->store, mail_make(NULL, 1, 100, NOW_MS), never, s);
	store_close(&s->store);
	spool_open(s);
	assert_int_equal(count(s)->items[ITEM_SPOOLED], 1);

	/* Inside a callback, with others of the same group behind it. */
	store_commit(s->store, mail_make(NULL, 1, 100, NOW_MS), close_now, s);
	store_commit(s->store, mail_make(NULL, 1, 100, NOW_MS), never, s);
	loop_run(s->loop);
	assert_null(s->store);
	store_close(&s->store);
	spool_open(s);
	assert_int_equal(count(s)->items[ITEM_SPOOLED], 3);
}

/* --- open --------------------------------------------------------------------------------- */

/* /dev/shm is a tmpfs wherever there is one. */
static void
test_require_durable(void **state)
{
	struct spool *s = *state;
	char folder[] = "/dev/shm/pmrelay-store-XXXXXX", why[300] = "";
	struct store_params params = { .loop = s->loop,
		.backend = SPOOL_BACKEND,
		.folder = folder,
		.require_durable = true,
		.due = spool_due,
		.ctx = s };
	struct statfs facts;
	struct store *store;

	if (statfs("/dev/shm", &facts) != 0 || facts.f_type != TMPFS_MAGIC ||
	    mkdtemp(folder) == NULL)
		skip();
	assert_null(store_open(&params, why, sizeof(why)));
	assert_non_null(strstr(why, "is on tmpfs"));
	params.require_durable = false;
	store = store_open(&params, why, sizeof(why));
	assert_non_null(store);
	store_close(&store);
	folder_remove(folder);
}

static void
test_lock(void **state)
{
	struct spool *s = *state;
	struct spool second = *s;
	char why[300] = "", pid[32];

	assert_int_equal(spool_try_open(&second, why, sizeof(why)), -1);
	snprintf(pid, sizeof(pid), "process %ld", (long)getpid());
	assert_non_null(strstr(why, pid));
	assert_non_null(strstr(why, s->folder));
	/* The one that holds it is not disturbed. */
	mails_add(s, 1);
}

static void
test_open_refused(void **state)
{
	struct spool *s = *state;
	char why[300] = "", kept[sizeof(s->folder)];
	const struct store_params params = {
		.loop = s->loop, .backend = "papyrus", .folder = s->folder
	};

	assert_null(store_open(&params, why, sizeof(why)));
	assert_non_null(strstr(why, "papyrus"));

	memcpy(kept, s->folder, sizeof(kept));
	snprintf(s->folder, sizeof(s->folder), "/nonexistent/spool");
	store_close(&s->store);
	assert_int_equal(spool_try_open(s, why, sizeof(why)), -1);
	assert_non_null(strstr(why, "/nonexistent/spool"));
	memcpy(s->folder, kept, sizeof(kept));

	/* A spool of a later version. */
	sql(s, "PRAGMA user_version=99");
	assert_int_equal(spool_try_open(s, why, sizeof(why)), -1);
	assert_non_null(strstr(why, "99"));
	assert_non_null(strstr(why, "newer"));
}

static void
test_orphans(void **state)
{
	struct spool *s = *state;
	char *path;
	int fd;

	assert_int_equal(commit(s, mail_make_shared(1, FILE_BYTES)), STORE_OK);
	store_close(&s->store);
	path = mem_format("%s/payload/01HZZZZZZZZZZZZZZZZZZZZZZZ-1", s->folder);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	close(fd);
	free(path);
	path = mem_format("%s/payload/README", s->folder);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	close(fd);
	free(path);
	spool_open(s);
	/* The item's own, and what is none of ours. */
	assert_int_equal(folder_entries(s->folder, "payload"), 2);
	assert_int_equal(claim(s, ITEM_SPOOLED), 1);
}

/* --- crash -------------------------------------------------------------------------------- */

/* What the child had been told, in memory that outlives it. */
struct told {
	atomic_uint committed, sent;
};

struct child {
	struct spool spool;
	struct told *told;
	unsigned asked;
};

static void child_add(struct child *);

static void
child_committed(void *ctx, enum store_result result, bool known)
{
	struct child *c = ctx;

	(void)known;
	if (result != STORE_OK)
		_exit(2);
	atomic_fetch_add(&c->told->committed, 1);
	child_add(c);
}

static void
child_settled(void *ctx, enum store_result result)
{
	struct child *c = ctx;

	if (result != STORE_OK)
		_exit(2);
	atomic_fetch_add(&c->told->sent, 1);
}

static void
child_claimed(
    void *ctx, enum store_result result, struct store_item *items, size_t number, bool more)
{
	struct child *c = ctx;

	(void)more;
	if (result != STORE_OK)
		_exit(2);
	for (size_t i = 0; i < number; i++) {
		const struct store_outcome outcome = {
			.key = items[i].key, .to = ITEM_SENT, .at_ms = NOW_MS, .keeps_history = true
		};

		/* Every other one stays in flight. */
		if (items[i].key % 2 != (items[i].key >> 20) % 2)
			store_settle(c->spool.store, &outcome, 1, child_settled, c);
		store_item_free(&items[i]);
	}
	free(items);
}

static void
child_add(struct child *c)
{
	const struct store_claim what = { .route = "main",
		.from = ITEM_SPOOLED,
		.now_ms = NOW_MS,
		.most_items = 3,
		.most_bytes = UINT64_MAX };
	struct mail *mail = c->asked++ % 10 == 0 ? mail_make_shared(1, FILE_BYTES + 1)
						 : mail_make(NULL, 1, 3000, NOW_MS);

	store_commit(c->spool.store, mail, child_committed, c);
	if (c->asked % 4 == 0)
		store_claim(c->spool.store, &what, child_claimed, c);
}

static void
test_kill(void **state)
{
	struct spool *s = *state;
	struct told *told =
	    mmap(NULL, sizeof(*told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(told != MAP_FAILED);
	store_close(&s->store);
	for (unsigned round = 0; round < 5; round++) {
		struct child c = { .told = told };
		const struct timespec span = { .tv_nsec = (30 + 23 * round) * 1000000L };
		uint64_t all, open;
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
			for (unsigned i = 0; i < 40; i++)
				child_add(&c);
			loop_run(c.spool.loop);
			_exit(4);
		}
		/* Real time, since the child's threads run in it; the outcome may not depend on
		 * when the blow falls. */
		nanosleep(&span, NULL);
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));

		spool_open(s);
		count(s);
		open = s->counts.items[ITEM_SPOOLED] + s->counts.items[ITEM_UNSURE];
		all = open + s->counts.items[ITEM_SENT];
		assert_int_equal(s->counts.items[ITEM_SENDING], 0);
		assert_int_equal(s->counts.put_aside, 0);
		/* All that was acknowledged, and at most what was under way besides. */
		assert_in_range(all, atomic_load(&told->committed),
		    atomic_load(&told->committed) + 40 * (round + 1));
		assert_true(s->counts.items[ITEM_SENT] >= atomic_load(&told->sent));
		assert_int_equal(sql(s, "SELECT count(*) FROM item"), all);
		for (int i = ITEM_SPOOLED; i < ITEM_STATES; i++) {
			char *query = mem_format("SELECT count(*) FROM item WHERE state=%d", i);

			assert_int_equal(sql(s, query), s->counts.items[i]);
			free(query);
		}
		assert_int_equal(
		    sql(s, "SELECT count(*) FROM payload WHERE item NOT IN (SELECT key FROM item"
			   " WHERE payload_at=1)"),
		    0);
		assert_int_equal(sql(s, "SELECT count(*) FROM item WHERE payload_at=2"),
		    folder_entries(s->folder, "payload"));
		store_close(&s->store);
	}
	/* Each of them can be read. */
	spool_open(s);
	claim_most(s, ITEM_UNSURE, NOW_MS + 1000, 100000, UINT64_MAX);
	assert_int_equal(s->count, s->counts.items[ITEM_UNSURE]);
	claim_most(s, ITEM_SPOOLED, NOW_MS + 1000, 100000, UINT64_MAX);
	assert_int_equal(s->count, s->counts.items[ITEM_SPOOLED]);
	assert_int_equal(count(s)->put_aside, 0);
	munmap(told, sizeof(*told));
}

/* --- trouble with the disk ---------------------------------------------------------------- */

static void
test_min_free(void **state)
{
	struct spool *s = *state;

	mails_add(s, 1);
	store_close(&s->store);
	s->min_free_bytes = UINT64_MAX / 2;
	spool_open(s);
	assert_int_equal(commit(s, mail_make(NULL, 1, 100, NOW_MS)), STORE_FULL);
	/* Everything else goes on. */
	assert_int_equal(claim(s, ITEM_SPOOLED), 1);
	settle(s, s->items[0].key, ITEM_SENT, 0);
	assert_int_equal(s->result, STORE_OK);
	assert_int_equal(count(s)->items[ITEM_SENT], 1);
	assert_int_equal(s->counts.items[ITEM_SPOOLED], 0);
}

/* A file system of its own that is full in no time. */
static void
test_disk_full(void **state)
{
	struct spool *s = *state;
	uint64_t stored = 0;
	char *filler;
	int fd;

	store_close(&s->store);
	if (mount("tmpfs", s->folder, "tmpfs", 0, "size=8m,mode=700") != 0)
		skip(); /* only root in a roomy container may */
	spool_open(s);
	mails_add(s, 3);
	assert_int_equal(claim(s, ITEM_SPOOLED), 3);
	filler = mem_format("%s/filler", s->folder);
	fd = open(filler, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	while (
	    write(fd, s->folder, 1) == 1 && posix_fallocate(fd, lseek(fd, 0, SEEK_END), 4096) == 0)
		lseek(fd, 0, SEEK_END);

	/* Rows and files; nothing of either stays. */
	for (unsigned i = 0; i < 200; i++) {
		if (commit(s, mail_make(NULL, 3, 20000, NOW_MS)) != STORE_OK)
			break;
		stored += 3;
	}
	assert_int_equal(s->result, STORE_FULL);
	assert_int_equal(commit(s, mail_make_shared(2, FILE_BYTES * 4)), STORE_FULL);
	assert_int_equal(folder_entries(s->folder, "payload"), 0);
	assert_int_equal(count(s)->items[ITEM_SPOOLED], stored);

	/* An outcome waits for space without being forgotten; nobody restarts anything. */
	{
		const struct store_outcome outcome = { .key = s->items[0].key,
			.to = ITEM_SENT,
			.at_ms = NOW_MS,
			.keeps_history = true };

		s->waiting++;
		store_settle(s->store, &outcome, 1, done_note, s);
	}
	assert_int_equal(ftruncate(fd, 0), 0);
	close(fd);
	clock_restore();
	wait_answers(s);
	assert_int_equal(s->result, STORE_OK);
	assert_int_equal(count(s)->items[ITEM_SENT], 1);
	assert_int_equal(commit(s, mail_make(NULL, 3, 20000, NOW_MS)), STORE_OK);
	assert_int_equal(commit(s, mail_make_shared(2, FILE_BYTES * 4)), STORE_OK);
	assert_int_equal(count(s)->items[ITEM_SPOOLED], stored + 5);
	items_free(s);
	assert_int_equal(claim(s, ITEM_SPOOLED), stored + 5);
	items_free(s);
	store_close(&s->store);
	free(filler);
	assert_int_equal(umount(s->folder), 0);
	spool_open(s); /* for the teardown */
}

/* Files may not grow: an error that is not about space. */
static void
test_write_error(void **state)
{
	struct spool *s = *state;
	struct rlimit before, tight;
	const struct store_outcome outcome = {
		.to = ITEM_SENT, .at_ms = NOW_MS, .keeps_history = true
	};
	struct store_outcome mine = outcome;

	mails_add(s, 2);
	assert_int_equal(claim_most(s, ITEM_SPOOLED, NOW_MS + 10, 1, UINT64_MAX), 1);
	mine.key = s->items[0].key;
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	tight = before;
	tight.rlim_cur = 1000;
	setrlimit(RLIMIT_FSIZE, &tight);
	assert_int_equal(commit(s, mail_make(NULL, 1, 100000, NOW_MS)), STORE_BROKEN);
	assert_int_equal(commit(s, mail_make(NULL, 1, 1000, NOW_MS)), STORE_BROKEN);
	s->waiting++;
	store_settle(s->store, &mine, 1, done_note, s);
	setrlimit(RLIMIT_FSIZE, &before);
	clock_restore();
	wait_answers(s);
	assert_int_equal(s->result, STORE_OK);

	/* It came back by itself, and what was claimed is still in the same hands. */
	assert_int_equal(commit(s, mail_make(NULL, 1, 1000, NOW_MS)), STORE_OK);
	assert_int_equal(count(s)->items[ITEM_SENT], 1);
	assert_int_equal(s->counts.items[ITEM_UNSURE], 0);
	assert_int_equal(s->counts.items[ITEM_SPOOLED], 2);
	assert_int_equal(folder_entries(s->folder, "payload"), 0);
}

/* The sync of a commit fails: nobody knows what is on the disk. */
static void
test_sync_error(void **state)
{
	struct spool *s = *state;
	const char *id = "01HZZZZZZZZZZZZZZZZZZZZZZZ";
	int64_t key;

	mails_add(s, 1);
	assert_int_equal(claim(s, ITEM_SPOOLED), 1);
	key = s->items[0].key;

	/* Once: the second try answers for it. */
	atomic_store(&syncs_to_fail, 1);
	assert_int_equal(commit(s, mail_make(NULL, 1, 1000, NOW_MS)), STORE_OK);
	assert_int_equal(atomic_load(&syncs_to_fail), 0);

	/* For a while: refused, and then it does not show up, although its pages were written. */
	atomic_store(&syncs_to_fail, 100);
	assert_int_equal(commit(s, mail_make(id, 1, 1000, NOW_MS)), STORE_BROKEN);
	atomic_store(&syncs_to_fail, 0);
	clock_restore();
	settle(s, key, ITEM_SENT, 0);
	assert_int_equal(s->result, STORE_OK);
	assert_int_equal(count(s)->items[ITEM_SPOOLED], 1);
	assert_int_equal(s->counts.items[ITEM_SENT], 1);
	assert_int_equal(s->counts.items[ITEM_UNSURE], 0);
	assert_int_equal(sql(s, "SELECT count(*) FROM mail"), 2);
	/* The client comes back with it. */
	assert_int_equal(commit(s, mail_make(id, 1, 1000, NOW_MS)), STORE_OK);
	assert_int_equal(claim(s, ITEM_SPOOLED), 2);

	/* The same with a payload in a file. */
	atomic_store(&syncs_to_fail, 1000);
	assert_int_equal(commit(s, mail_make_shared(2, FILE_BYTES)), STORE_BROKEN);
	atomic_store(&syncs_to_fail, 0);
	assert_int_equal(folder_entries(s->folder, "payload"), 0);
}

/* Wherever the syncs begin and end to fail: what was answered with "stored" can be read. */
static void
test_sync_error_anywhere(void **state)
{
	struct spool *s = *state;

	clock_restore();
	for (int from = 0; from < 4; from++)
		for (int most = 1; most < 7; most++) {
			atomic_store(&syncs_before, from);
			atomic_store(&syncs_to_fail, most);
			commit_ask(s, mail_make_shared(1, FILE_BYTES));
			commit_ask(s, mail_make(NULL, 1, 1000, NOW_MS));
			wait_answers(s);
			atomic_store(&syncs_before, 0);
			atomic_store(&syncs_to_fail, 0);
			/* It is not opened again at once. */
			for (int i = 0; commit(s, mail_make(NULL, 1, 1000, NOW_MS)) != STORE_OK;
			     i++) {
				assert_true(i < 100);
				usleep(50000);
			}
			if (count(s)->put_aside != 0 ||
			    folder_entries(s->folder, "payload") !=
				(unsigned)sql(
				    s, "SELECT count(*) FROM item WHERE payload_at=2 AND state<6"))
				fail_msg(
				    "%d syncs that fail after %d: a payload has gone", most, from);
			claim(s, ITEM_SPOOLED);
			assert_int_equal(count(s)->put_aside, 0);
		}
}

/* A claim whose commit fails has given nothing out. */
static void
test_sync_error_claim(void **state)
{
	struct spool *s = *state;

	mails_add(s, 2);
	atomic_store(&syncs_to_fail, 100);
	assert_int_equal(claim(s, ITEM_SPOOLED), 0);
	assert_int_equal(s->result, STORE_BROKEN);
	atomic_store(&syncs_to_fail, 0);
	clock_restore();
	mails_add(s, 1);
	/* Whether the two are unsure now or not: none is lost, none is in nobody's hands. */
	assert_int_equal(count(s)->items[ITEM_SENDING], 0);
	assert_int_equal(s->counts.items[ITEM_SPOOLED] + s->counts.items[ITEM_UNSURE], 3);
}

/* --- damage ------------------------------------------------------------------------------- */

static void
test_put_aside(void **state)
{
	struct spool *s = *state;
	char *path;

	/* Payload files: one cut short, one gone.  Rows: one shorter than it says, one gone, one
	 * without its mail. */
	commit_ask(s, mail_make("01J00000000000000000000001", 1, FILE_BYTES, NOW_MS));
	commit_ask(s, mail_make("01J00000000000000000000002", 1, FILE_BYTES, NOW_MS));
	for (unsigned i = 0; i < 5; i++)
		commit_ask(s, mail_make(NULL, 1, 500, NOW_MS + 1));
	wait_answers(s);
	store_close(&s->store);
	path = mem_format("%s/payload/01J00000000000000000000001-1", s->folder);
	assert_int_equal(truncate(path, 5), 0);
	free(path);
	path = mem_format("%s/payload/01J00000000000000000000002-1", s->folder);
	assert_int_equal(unlink(path), 0);
	free(path);
	sql(s, "UPDATE payload SET json=x'7b7d' WHERE item=(SELECT max(item) FROM payload)");
	sql(s, "DELETE FROM payload WHERE item=(SELECT min(item) FROM payload)");
	sql(s, "DELETE FROM mail WHERE key=(SELECT max(key)-1 FROM mail)");
	spool_open(s);

	assert_int_equal(claim(s, ITEM_SPOOLED), 2);
	assert_true(payload_is(&s->items[0], 500));
	assert_int_equal(count(s)->put_aside, 5);
	assert_int_equal(s->counts.items[ITEM_HELD], 5);
	assert_int_equal(s->counts.items[ITEM_SENDING], 2);
	/* They are kept, for people. */
	assert_int_equal(sql(s, "SELECT count(*) FROM item WHERE put_aside=1"), 5);
	spool_reopen(s);
	assert_int_equal(count(s)->put_aside, 5);
	path = mem_format("%s/payload/01J00000000000000000000001-1", s->folder);
	assert_int_equal(access(path, F_OK), 0);
	free(path);
}

static void
test_damaged_database(void **state)
{
	struct spool *s = *state;
	char *path = mem_format("%s/spool.db", s->folder), why[300] = "";
	char garbage[4096];
	struct stat st;
	int fd;

	mails_add(s, 50);
	store_close(&s->store);

	/* Pages in the middle: whatever it answers, it answers. */
	assert_int_equal(stat(path, &st), 0);
	memset(garbage, 0x5a, sizeof(garbage));
	fd = open(path, O_WRONLY);
	assert_true(fd >= 0);
	for (off_t at = 16384; at < st.st_size; at += (off_t)sizeof(garbage))
		assert_int_equal(pwrite(fd, garbage, sizeof(garbage), at), sizeof(garbage));
	if (spool_try_open(s, why, sizeof(why)) == 0) {
		commit(s, mail_make(NULL, 1, 100, NOW_MS));
		claim(s, ITEM_SPOOLED);
		count(s);
		store_close(&s->store);
	}

	/* Not a database at all. */
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(pwrite(fd, garbage, sizeof(garbage), 0), sizeof(garbage));
	close(fd);
	assert_int_equal(spool_try_open(s, why, sizeof(why)), -1);
	assert_non_null(strstr(why, "spool.db"));

	/* Somebody else's. */
	assert_int_equal(unlink(path), 0);
	sql(s, "CREATE TABLE cookies(a)");
	assert_int_equal(spool_try_open(s, why, sizeof(why)), -1);
	assert_non_null(strstr(why, "not a spool"));
	free(path);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, spool_setup, spool_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_life),
		TEST(test_kind),
		TEST(test_chain),
		TEST(test_chain_all_or_none),
		TEST(test_chain_forgotten),
		TEST(test_captured),
		TEST(test_strays),
		TEST(test_same_mail_twice),
		TEST(test_group_commit),
		TEST(test_claim_limits),
		TEST(test_claim_order),
		TEST(test_routes_apart),
		TEST(test_unsure),
		TEST(test_due_called),
		TEST(test_held_and_failed),
		TEST(test_long_answer),
		TEST(test_purge),
		TEST(test_large_payloads),
		TEST(test_shared),
		TEST(test_shared_lost),
		TEST(test_require_durable),
		TEST(test_close),
		TEST(test_lock),
		TEST(test_open_refused),
		TEST(test_orphans),
		TEST(test_kill),
		TEST(test_min_free),
		TEST(test_disk_full),
		TEST(test_write_error),
		TEST(test_sync_error),
		TEST(test_sync_error_anywhere),
		TEST(test_sync_error_claim),
		TEST(test_put_aside),
		TEST(test_damaged_database),
	};

	/* What is logged on the way is of no interest unless a test fails. */
	log_setup("store_test", LOG_LEVEL_ERROR, LOG_FORMAT_TEXT,
	    getenv("SPOOL_TEST_LOG") != NULL ? STDERR_FILENO : open("/dev/null", O_WRONLY));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
