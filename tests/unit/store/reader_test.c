/* Looking into the spool: what is told of an item, pages, ids, and that nobody is in the way. */

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
#include <unistd.h>

#include <cmocka.h>

#include <sqlite3.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "mail/mail.h"
#include "store/reader.h"
#include "store/sqlite_inside.h"
#include "store/store.h"

#include "spool.h"

#define ANY_BUDGET 1000000

/* --- the bench ---------------------------------------------------------------------------- */

static struct store_reader *
reader_open(const struct spool *s)
{
	char why[300] = "";
	struct store_reader *reader = store_reader_open(SPOOL_BACKEND, s->folder, why, sizeof(why));

	if (reader == NULL)
		fail_msg("%s", why);
	return reader;
}

static void
facts_free(struct item_facts *items, size_t count)
{
	for (size_t i = 0; i < count; i++)
		item_facts_free(&items[i]);
	free(items);
}

/* A mail of one item with these. */
struct letter {
	const char *route, *recipient, *sender, *from, *subject, *message_id;
	int64_t accepted_ms;
};

static void
letter_add(struct spool *s, const struct letter *letter)
{
	struct mail *mail =
	    mail_make(NULL, 1, 100, letter->accepted_ms != 0 ? letter->accepted_ms : NOW_MS);
	char **texts[] = { &mail->route, &mail->reverse_path, &mail->from, &mail->subject,
		&mail->message_id };
	const char *values[] = { letter->route, letter->sender, letter->from, letter->subject,
		letter->message_id };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (values[i] == NULL)
			continue;
		free(*texts[i]);
		*texts[i] = mem_string(values[i]);
	}
	if (letter->recipient != NULL) {
		strlist_free(&mail->items[0].recipients);
		strlist_add(&mail->items[0].recipients, letter->recipient);
	}
	assert_int_equal(commit(s, mail), STORE_OK);
}

static struct item_facts
found_one(struct store_reader *reader, const char *id)
{
	struct item_facts *items, first;
	size_t count;

	if (store_reader_find(reader, id, 10, &items, &count) != 0)
		fail_msg("%s", store_reader_why(reader));
	if (count != 1)
		fail_msg("%s: found %zu", id, count);
	first = items[0];
	free(items);
	return first;
}

static size_t
found(struct store_reader *reader, const char *id, size_t most)
{
	struct item_facts *items;
	size_t count;

	assert_int_equal(store_reader_find(reader, id, most, &items, &count), 0);
	facts_free(items, count);
	return count;
}

/* --- one item ----------------------------------------------------------------------------- */

static void
test_facts(void **state)
{
	struct spool *s = *state;
	struct store_reader *reader = reader_open(s);
	struct mail *mail = mail_make("01HZZZZZZZZZZZZZZZZZZZZZZZ", 2, 2000, NOW_MS - 10);
	struct item_facts facts;
	struct attempt_facts *lines;
	size_t count;

	free(mail->ledger);
	mail->ledger = mem_string("date");
	mail->items[1].kind = ITEM_TEMPLATE;
	assert_int_equal(commit(s, mail), STORE_OK);

	facts = found_one(reader, "01HZZZZZZZZZZZZZZZZZZZZZZZ-2");
	assert_true(facts.key > 0);
	assert_string_equal(facts.id, "01HZZZZZZZZZZZZZZZZZZZZZZZ-2");
	assert_string_equal(facts.route, "main");
	assert_int_equal(facts.kind, ITEM_TEMPLATE);
	assert_int_equal(facts.state, ITEM_SPOOLED);
	assert_false(facts.put_aside);
	assert_int_equal(facts.due_ms, NOW_MS - 10);
	assert_int_equal(facts.attempts, 0);
	assert_int_equal(facts.ended_ms, 0);
	assert_true(facts.has_payload);
	assert_int_equal(facts.message_bytes, 2000);
	assert_int_equal(facts.recipients.count, 2);
	assert_string_equal(facts.recipients.items[1], "b@recipient.example");
	assert_null(facts.postmark_id);
	assert_null(facts.inactive);
	assert_int_equal(facts.accepted_ms, NOW_MS - 10);
	assert_string_equal(facts.reverse_path, "app@sender.example");
	assert_string_equal(facts.listener, "127.0.0.1:25");
	assert_string_equal(facts.client, "127.0.0.1");
	assert_string_equal(facts.helo, "app.example");
	assert_string_equal(facts.message_id, "<1@sender.example>");
	assert_string_equal(facts.from, "App <app@sender.example>");
	assert_string_equal(facts.subject, "Gr\xc3\xbc\xc3\x9f"
					   "e");
	assert_string_equal(facts.ledger, "date");
	assert_int_equal(facts.content_bytes, 99);
	item_facts_free(&facts);

	assert_int_equal(claim(s, ITEM_SPOOLED), 2);
	settle(s, s->items[0].key, ITEM_SENT, 0);
	settle(s, s->items[1].key, ITEM_WAITING, NOW_MS + 77);
	facts = found_one(reader, "01HZZZZZZZZZZZZZZZZZZZZZZZ-1");
	assert_int_equal(facts.state, ITEM_SENT);
	assert_int_equal(facts.ended_ms, NOW_MS);
	assert_int_equal(facts.due_ms, 0);
	assert_int_equal(facts.attempts, 1);
	assert_false(facts.has_payload);
	assert_string_equal(facts.postmark_id, "pm-1");
	assert_int_equal(store_reader_history(reader, facts.key, &lines, &count), 0);
	assert_int_equal(count, 1);
	assert_int_equal(lines[0].attempt, 1);
	assert_int_equal(lines[0].at_ms, NOW_MS);
	assert_int_equal(lines[0].to, ITEM_SENT);
	assert_int_equal(lines[0].http_status, 200);
	assert_string_equal(lines[0].answer, "what it said");
	attempt_facts_free(lines, count);
	item_facts_free(&facts);
	facts = found_one(reader, "01hzzzzzzzzzzzzzzzzzzzzzzz-2");
	assert_int_equal(facts.due_ms, NOW_MS + 77);
	item_facts_free(&facts);
	assert_int_equal(store_reader_history(reader, 12345, &lines, &count), 0);
	assert_int_equal(count, 0);
	attempt_facts_free(lines, count);
	store_reader_close(&reader);
	store_reader_close(&reader);
}

/* A damaged one is shown as far as it goes. */
static void
test_without_mail(void **state)
{
	struct spool *s = *state;
	struct store_reader *reader = reader_open(s);
	struct item_facts *items;
	size_t count;
	int64_t next;

	mails_add(s, 1);
	sql(s, "DELETE FROM mail");
	assert_int_equal(store_reader_list(reader, &(struct item_filter){ 0 },
			     &(struct item_page){ .most_items = 5, .budget_ms = ANY_BUDGET },
			     &items, &count, &next),
	    0);
	assert_int_equal(count, 1);
	assert_string_equal(items[0].id, "");
	assert_string_equal(items[0].subject, "");
	facts_free(items, count);
	assert_int_equal(claim(s, ITEM_SPOOLED), 0);
	assert_int_equal(
	    store_reader_list(reader, &(struct item_filter){ .states = 1U << ITEM_HELD },
		&(struct item_page){ .most_items = 5, .budget_ms = ANY_BUDGET }, &items, &count,
		&next),
	    0);
	assert_int_equal(count, 1);
	assert_true(items[0].put_aside);
	facts_free(items, count);
	store_reader_close(&reader);
}

static void
payload_check(struct store_reader *reader, int64_t key, const char *starts, size_t len)
{
	struct buf out;

	buf_init(&out, 4 << 20);
	buf_adds(&out, "before ");
	if (store_reader_payload(reader, key, &out) != 0)
		fail_msg("%s", store_reader_why(reader));
	assert_int_equal(out.len, len + 7);
	assert_memory_equal(out.data, "before ", 7);
	assert_memory_equal(out.data + 7, starts, strlen(starts));
	buf_free(&out);
}

static void
test_payload(void **state)
{
	static const size_t own[] = { 3000, FILE_BYTES, 3000, 100, FILE_BYTES };
	static const size_t shared[] = { 0, 0, 2000, FILE_BYTES, FILE_BYTES };
	struct spool *s = *state;
	struct store_reader *reader = reader_open(s);
	struct buf out;

	for (size_t i = 0; i < 5; i++) {
		struct mail *mail = mail_make(NULL, 2, own[i], NOW_MS);
		char id[ITEM_ID_SIZE];
		struct item_facts facts;

		if (shared[i] > 0) {
			mail->shared.len = shared[i];
			mail->shared.data = mem_array(shared[i] + 1, 1);
			memset(mail->shared.data, 's', shared[i]);
		}
		item_id(id, mail->id, 2);
		assert_int_equal(commit(s, mail), STORE_OK);
		facts = found_one(reader, id);
		payload_check(reader, facts.key, id, own[i] + shared[i]);
		assert_int_equal(facts.message_bytes, own[i] + shared[i]);

		/* Too large for whoever asks. */
		buf_init(&out, own[i] / 2);
		assert_int_equal(store_reader_payload(reader, facts.key, &out), 0);
		assert_true(out.over);
		buf_free(&out);

		assert_int_equal(claim(s, ITEM_SPOOLED), 2);
		settle(s, facts.key, ITEM_SENT, 0);
		buf_init(&out, 1000);
		assert_int_equal(store_reader_payload(reader, facts.key, &out), 1);
		assert_int_equal(store_reader_payload(reader, 1, &out), 1);
		assert_int_equal(out.len, 0);
		buf_free(&out);
		item_facts_free(&facts);
	}
	store_reader_close(&reader);
}

/* A file that is not what its row says, and one that is not there. */
static void
test_payload_lost(void **state)
{
	struct spool *s = *state;
	struct store_reader *reader = reader_open(s);
	struct mail *mail = mail_make(NULL, 1, FILE_BYTES, NOW_MS);
	struct item_facts facts;
	char id[ITEM_ID_SIZE], *path;
	struct buf out;

	item_id(id, mail->id, 1);
	assert_int_equal(commit(s, mail), STORE_OK);
	facts = found_one(reader, id);
	path = mem_format("%s/payload/%s", s->folder, id);
	buf_init(&out, 1 << 20);
	assert_int_equal(truncate(path, 10), 0);
	assert_int_equal(store_reader_payload(reader, facts.key, &out), -1);
	assert_non_null(strstr(store_reader_why(reader), "length"));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(store_reader_payload(reader, facts.key, &out), 1);
	assert_int_equal(out.len, 0);
	buf_free(&out);
	free(path);
	item_facts_free(&facts);
	store_reader_close(&reader);
}

/* --- lists -------------------------------------------------------------------------------- */

static void
test_list_filters(void **state)
{
	static const struct letter letters[] = {
		{ .route = "main", .recipient = "Ann@One.example", .subject = "Invoice 1" },
		{ .route = "bulk", .recipient = "ben@two.example", .subject = "News" },
		{ .route = "main",
		    .recipient = "ann@two.example",
		    .sender = "",
		    .from = "Shop <SHOP@three.example>" },
		{ .route = "main", .recipient = "cy@one.example", .accepted_ms = NOW_MS + 5000 },
	};
	static const struct {
		const char *reason;
		struct item_filter filter;
		const char *numbers; /* of letters, newest first */
	} cases[] = {
		{ "nothing", { 0 }, "4321" },
		{ "route", { .route = "bulk" }, "2" },
		{ "a route that is none", { .route = "other" }, "" },
		{ "recipient", { .recipient = "aNN@" }, "31" },
		{ "recipient's domain", { .recipient = "ONE.example" }, "41" },
		{ "not across two recipients", { .recipient = "example\nann" }, "" },
		{ "reverse-path or From", { .sender = "app@" }, "421" },
		{ "From alone", { .sender = "shop@THREE" }, "3" },
		{ "subject", { .subject = "invoice" }, "1" },
		{ "a letter that is not ASCII", { .subject = "\xc3\xbc" }, "43" },
		{ "since", { .since_ms = NOW_MS + 1 }, "4" },
		{ "until", { .until_ms = NOW_MS }, "321" },
		{ "several", { .route = "main", .recipient = "two", .sender = "shop" }, "3" },
		{ "state", { .states = 1U << ITEM_SPOOLED }, "4321" },
		{ "no such state", { .states = 1U << ITEM_HELD | 1U << ITEM_SENT }, "" },
		{ "state and route", { .states = 1U << ITEM_SPOOLED, .route = "bulk" }, "2" },
	};
	struct spool *s = *state;
	struct store_reader *reader = reader_open(s);

	for (size_t i = 0; i < sizeof(letters) / sizeof(letters[0]); i++)
		letter_add(s, &letters[i]);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (int upwards = 0; upwards < 2; upwards++) {
			const struct item_page page = { .most_items = 10,
				.budget_ms = ANY_BUDGET,
				.oldest_first = upwards != 0 };
			char numbers[11] = "", expected[11] = "";
			size_t count, len = strlen(cases[i].numbers);
			struct item_facts *items;
			int64_t next;

			assert_int_equal(store_reader_list(reader, &cases[i].filter, &page, &items,
					     &count, &next),
			    0);
			for (size_t k = 0; k < count; k++)
				numbers[k] = (char)('0' + (items[k].key >> NUMBER_BITS));
			for (size_t k = 0; k < len; k++)
				expected[k] = cases[i].numbers[upwards ? len - 1 - k : k];
			if (strcmp(numbers, expected) != 0 || next != 0)
				fail_msg("%s: %s, not %s", cases[i].reason, numbers, expected);
			facts_free(items, count);
		}
	store_reader_close(&reader);
}

/* All pages of three with this filter, as the last digits of the mails' numbers. */
static void
pages_read(
    struct store_reader *reader, const struct item_filter *filter, bool upwards, char *numbers)
{
	struct item_page page = {
		.most_items = 3, .budget_ms = ANY_BUDGET, .oldest_first = upwards
	};

	for (int i = 0; i < 100; i++) {
		struct item_facts *items;
		int64_t next;
		size_t count;

		assert_int_equal(
		    store_reader_list(reader, filter, &page, &items, &count, &next), 0);
		assert_true(count <= 3);
		for (size_t k = 0; k < count; k++)
			*numbers++ = (char)('0' + (items[k].key >> NUMBER_BITS) % 10);
		*numbers = '\0';
		facts_free(items, count);
		if (next == 0)
			return;
		page.from_key = next;
	}
	fail_msg("it does not end");
}

static void
test_list_pages(void **state)
{
	static const enum item_state to[] = { ITEM_SENT, ITEM_WAITING, ITEM_HELD, ITEM_UNSURE,
		ITEM_FAILED, ITEM_WAITING, ITEM_SENT };
	struct spool *s = *state;
	struct store_reader *reader = reader_open(s);
	char numbers[200];

	mails_add(s, 9);
	assert_int_equal(claim_most(s, ITEM_SPOOLED, NOW_MS + 100, 8, UINT64_MAX), 8);
	for (size_t i = 0; i < 7; i++)
		settle(s, s->items[i].key, to[i], NOW_MS + 1000);
	/* 1 and 7 sent, 2 and 6 waiting, 3 held, 4 unsure, 5 failed, 8 sending, 9 spooled */
	pages_read(reader, &(struct item_filter){ 0 }, false, numbers);
	assert_string_equal(numbers, "987654321");
	pages_read(reader, &(struct item_filter){ 0 }, true, numbers);
	assert_string_equal(numbers, "123456789");
	pages_read(reader, &(struct item_filter){ .states = 1U << ITEM_SENT }, false, numbers);
	assert_string_equal(numbers, "71");
	pages_read(reader,
	    &(struct item_filter){ .states = 1U << ITEM_WAITING | 1U << ITEM_HELD |
					     1U << ITEM_UNSURE | 1U << ITEM_FAILED |
					     1U << ITEM_SENDING | 1U << ITEM_SPOOLED },
	    false, numbers);
	assert_string_equal(numbers, "9865432");
	pages_read(reader,
	    &(struct item_filter){ .states = 1U << ITEM_WAITING | 1U << ITEM_FAILED }, true,
	    numbers);
	assert_string_equal(numbers, "256");
	pages_read(reader, &(struct item_filter){ .states = 1U << ITEM_HELD | 1U << ITEM_SENT },
	    true, numbers);
	assert_string_equal(numbers, "137");
	store_reader_close(&reader);
}

/* Held from the first moment: nobody claims it, and the history says why. */
static void
test_held_at_once(void **state)
{
	struct spool *s = *state;
	struct mail *mail = mail_make("01HZZZZZZZZZZZZZZZZZZZZZZ2", 1, 100, NOW_MS);
	struct store_reader *reader = reader_open(s);
	const struct item_filter filter = { .states = 1U << ITEM_HELD };
	const struct item_page page = { .most_items = 10, .budget_ms = 1000 };
	struct attempt_facts *lines;
	struct item_facts *items;
	int64_t next;
	size_t count;

	mail->held_why = mem_string("it goes round in circles");
	mail->items[0].kind = ITEM_LOCAL;
	assert_int_equal(commit(s, mail), STORE_OK);
	assert_int_equal(store_reader_list(reader, &filter, &page, &items, &count, &next), 0);
	assert_int_equal(count, 1);
	assert_int_equal(items[0].kind, ITEM_LOCAL);
	assert_int_equal(items[0].ended_ms, 0);
	assert_true(items[0].has_payload);
	assert_int_equal(store_reader_history(reader, items[0].key, &lines, &count), 0);
	assert_int_equal(count, 1);
	assert_int_equal(lines[0].to, ITEM_HELD);
	assert_string_equal(lines[0].answer, "it goes round in circles");
	attempt_facts_free(lines, count);
	facts_free(items, 1);
	store_reader_close(&reader);
}

/* What is kept and not sent: by its state, with its message and with the reason. */
static void
test_captured(void **state)
{
	struct spool *s = *state;
	struct mail *mail = mail_make("01HZZZZZZZZZZZZZZZZZZZZZZ1", 1, 100, NOW_MS);
	struct store_reader *reader = reader_open(s);
	const char *ids[] = { "01HZZZZZZZZZZZZZZZZZZZZZZ1" };
	const struct item_filter filter = { .states = 1U << ITEM_CAPTURED };
	const struct item_page page = { .most_items = 10, .budget_ms = 1000 };
	struct attempt_facts *lines;
	struct store_counts counts;
	struct item_facts *items;
	char numbers[200];
	struct buf out;
	int64_t next;
	size_t count;

	mail->captured = true;
	mail->items[0].kind = ITEM_SMTP;
	mail->next = mail_make(NULL, 1, 100, NOW_MS);
	assert_int_equal(commit(s, mail), STORE_OK);
	pages_read(reader, &(struct item_filter){ 0 }, true, numbers);
	assert_string_equal(numbers, "12");
	assert_int_equal(store_reader_count(reader, &counts), 0);
	assert_int_equal(counts.items[ITEM_CAPTURED], 1);
	assert_int_equal(counts.items[ITEM_SPOOLED], 1);
	assert_int_equal(store_reader_list(reader, &filter, &page, &items, &count, &next), 0);
	assert_int_equal(count, 1);
	assert_int_equal(items[0].state, ITEM_CAPTURED);
	assert_int_equal(items[0].kind, ITEM_SMTP);
	assert_int_equal(items[0].due_ms, 0);
	assert_int_equal(items[0].ended_ms, NOW_MS);
	assert_false(items[0].told);
	assert_true(items[0].has_payload);
	buf_init(&out, 1000);
	assert_int_equal(store_reader_payload(reader, items[0].key, &out), 0);
	assert_int_equal(out.len, 100);
	buf_free(&out);
	assert_int_equal(store_reader_history(reader, items[0].key, &lines, &count), 0);
	assert_int_equal(count, 1);
	assert_int_equal(lines[0].to, ITEM_CAPTURED);
	assert_string_equal(lines[0].answer, "captured by route main");
	attempt_facts_free(lines, count);
	facts_free(items, 1);
	assert_int_equal(store_reader_find(reader, ids[0], 2, &items, &count), 0);
	assert_int_equal(count, 1);
	facts_free(items, count);
	store_reader_close(&reader);
}

/* A filter that matches nothing looks at some rows and says from where to go on. */
static void
test_list_budget(void **state)
{
	struct spool *s = *state;
	struct store_reader *reader = reader_open(s);
	struct item_page page = { .most_items = 10, .budget_ms = 0 };
	const struct item_filter filter = { .subject = "nobody wrote this" };
	int64_t next, before = INT64_MAX;
	struct item_facts *items;
	unsigned calls = 0;
	size_t count;

	mails_add(s, 200);
	do {
		assert_int_equal(
		    store_reader_list(reader, &filter, &page, &items, &count, &next), 0);
		assert_int_equal(count, 0);
		facts_free(items, count);
		assert_true(next < before);
		before = page.from_key = next;
		calls++;
	} while (next != 0);
	assert_in_range(calls, 3, 4);
	store_reader_close(&reader);
}

/* What the items of a mail share is no item. */
static void
test_shared_hidden(void **state)
{
	struct spool *s = *state;
	struct store_reader *reader = reader_open(s);
	struct mail *mail = mail_make("01HZZZZZZZZZZZZZZZZZZZZZZZ", 3, 100, NOW_MS);
	const struct item_page page = { .most_items = 10, .budget_ms = ANY_BUDGET };
	struct item_facts *items;
	int64_t next;
	size_t count;

	mail->shared.len = 200;
	mail->shared.data = mem_array(201, 1);
	assert_int_equal(commit(s, mail), STORE_OK);
	assert_int_equal(found(reader, "01HZZZZZZZZZZZZZZZZZZZZZZZ", 10), 3);
	assert_int_equal(found(reader, "01HZZZZZZZZZZZZZZZZZZZZZZZ", 2), 2);
	assert_int_equal(found(reader, "01HZZZZZZZZZZZZZZZZZZZZZZZ-0", 10), 0);
	assert_int_equal(
	    store_reader_list(reader, &(struct item_filter){ 0 }, &page, &items, &count, &next), 0);
	assert_int_equal(count, 3);
	facts_free(items, count);
	store_reader_close(&reader);
}

/* --- ids ---------------------------------------------------------------------------------- */

static void
test_find(void **state)
{
	struct spool *s = *state;
	struct store_reader *reader = reader_open(s);
	struct item_facts *items, facts;
	size_t count;

	letter_add(s, &(struct letter){ .message_id = "<same@sender.example>" });
	letter_add(s, &(struct letter){ .message_id = "<other@sender.example>" });
	letter_add(s, &(struct letter){ .message_id = "bare@sender.example" });
	letter_add(s, &(struct letter){ .message_id = "" });
	/* More than a bucket away. */
	sql(s, "UPDATE item SET key=key+(5000<<20) WHERE key=(4<<20)+1");
	sql(s, "UPDATE payload SET item=item+(5000<<20) WHERE item=(4<<20)+1");
	sql(s, "UPDATE mail SET key=key+5000 WHERE key=4");
	letter_add(s, &(struct letter){ .message_id = "<same@sender.example>" });

	/* Newest first. */
	assert_int_equal(store_reader_find(reader, "<same@sender.example>", 9, &items, &count), 0);
	assert_int_equal(count, 2);
	assert_int_equal(items[0].key >> NUMBER_BITS, 5005);
	assert_int_equal(items[1].key >> NUMBER_BITS, 1);
	facts_free(items, count);
	assert_int_equal(found(reader, "same@sender.example", 9), 2);
	assert_int_equal(found(reader, "same@sender.example", 1), 1);
	assert_int_equal(found(reader, "other@sender.example", 9), 1);
	assert_int_equal(found(reader, "bare@sender.example", 9), 1);
	assert_int_equal(found(reader, "<bare@sender.example>", 9), 1);
	assert_int_equal(found(reader, "<>", 9), 0);
	assert_int_equal(found(reader, "", 9), 0);
	assert_int_equal(found(reader, "same@sender", 9), 0);

	assert_int_equal(claim_most(s, ITEM_SPOOLED, NOW_MS, 2, UINT64_MAX), 2);
	settle(s, s->items[0].key, ITEM_SENT, 0);
	facts = found_one(reader, "pm-1");
	assert_int_equal(facts.key, s->items[0].key);
	item_facts_free(&facts);
	assert_int_equal(found(reader, "pm-2", 9), 0);
	assert_int_equal(found(reader, s->items[0].id, 9), 1);
	s->items[0].id[ULID_LEN + 1] = '2';
	assert_int_equal(found(reader, s->items[0].id, 9), 0);
	s->items[0].id[ULID_LEN] = '\0';
	assert_int_equal(found(reader, s->items[0].id, 9), 1);
	assert_int_equal(found(reader, "01HZZZZZZZZZZZZZZZZZZZZZZZ", 9), 0);
	store_reader_close(&reader);
}

/* --- counts ------------------------------------------------------------------------------- */

static void
test_count(void **state)
{
	struct spool *s = *state;
	struct store_reader *reader = reader_open(s);
	struct store_counts counts;

	assert_int_equal(store_reader_count(reader, &counts), 0);
	assert_int_equal(counts.oldest_ms, 0);
	mails_add(s, 5);
	assert_int_equal(claim_most(s, ITEM_SPOOLED, NOW_MS + 100, 3, UINT64_MAX), 3);
	settle(s, s->items[0].key, ITEM_SENT, 0);
	settle(s, s->items[1].key, ITEM_WAITING, NOW_MS + 9);
	assert_int_equal(store_reader_count(reader, &counts), 0);
	count(s);
	assert_memory_equal(counts.items, s->counts.items, sizeof(counts.items));
	assert_int_equal(counts.items[ITEM_WAITING], 1);
	assert_int_equal(counts.oldest_ms, NOW_MS + 1);
	assert_int_equal(s->counts.oldest_ms, NOW_MS + 1);
	store_reader_close(&reader);
}

/* --- the engine --------------------------------------------------------------------------- */

static void
test_open_refused(void **state)
{
	struct spool *s = *state;
	char *path = mem_format("%s/spool.db", s->folder), why[300] = "";
	sqlite3 *db;

	assert_null(store_reader_open("stone", s->folder, why, sizeof(why)));
	assert_non_null(strstr(why, "stone"));
	assert_null(store_reader_open(SPOOL_BACKEND, "/nonexistent", why, sizeof(why)));
	assert_non_null(strstr(why, "/nonexistent"));

	store_close(&s->store);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA user_version=99", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	assert_null(store_reader_open(SPOOL_BACKEND, s->folder, why, sizeof(why)));
	assert_non_null(strstr(why, "the spool has schema version 99"));
	assert_non_null(strstr(why, ": it was written by a newer pmrelay"));
	free(path);
}

/* Every statement of both connections: no table is looked through but those of a few rows and, with
 * a budget, the items. */
static void
test_plans(void **state)
{
	struct spool *s = *state;
	char *path = mem_format("%s/spool.db", s->folder);
	sqlite3 *db;

	mails_add(s, 3);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	for (int i = 0; i < SQL_STATEMENT_COUNT + WALK_END; i++) {
		const char *sql = i < SQL_STATEMENT_COUNT
				      ? sqlite_statements[i]
				      : sqlite_read_statements[i - SQL_STATEMENT_COUNT];
		char *question = mem_format("EXPLAIN QUERY PLAN %s", sql);
		sqlite3_stmt *plan;

		if (sqlite3_prepare_v2(db, question, -1, &plan, NULL) != SQLITE_OK)
			fail_msg("%s: %s", sql, sqlite3_errmsg(db));
		while (sqlite3_step(plan) == SQLITE_ROW) {
			const char *line = (const char *)sqlite3_column_text(plan, 3);

			if (strcmp(line, "SCAN tally") == 0 ||
			    strcmp(line, "SCAN suppression") == 0 ||
			    strcmp(line, "SCAN hook") == 0 ||
			    strcmp(line, "SCAN sqlite_sequence") == 0 ||
			    strncmp(line, "SCAN route", 10) == 0 ||
			    strcmp(line, "SCAN CONSTANT ROW") == 0)
				continue;
			if (strstr(line, "SCAN") != NULL || strstr(line, "TEMP B-TREE") != NULL)
				fail_msg("%s: %s", sql, line);
			if (getenv("SPOOL_TEST_LOG") != NULL)
				fprintf(stderr, "%s\n\t%s\n", sql, line);
		}
		sqlite3_finalize(plan);
		free(question);
	}
	sqlite3_close(db);
	free(path);
}

/* --- side by side ------------------------------------------------------------------------- */

struct looker {
	const struct spool *spool;
	atomic_bool stop;
	atomic_uint rounds, items;
	atomic_int failed; /* the line */
};

#define LOOK(condition)                                                                            \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			atomic_store(&looker->failed, __LINE__);                                   \
			goto end;                                                                  \
		}                                                                                  \
	} while (0)

/* Everything that can be asked, and what must hold in each view however the writer goes on. */
static void *
look(void *ctx)
{
	struct looker *looker = ctx;
	char why[300];
	struct store_reader *reader =
	    store_reader_open(SPOOL_BACKEND, looker->spool->folder, why, sizeof(why));
	uint64_t total, before = 0;

	LOOK(reader != NULL);
	while (!atomic_load(&looker->stop)) {
		const struct item_filter filter = {
			.states = atomic_load(&looker->rounds) % 2 != 0 ? 1U << ITEM_SENDING : 0
		};
		struct item_page page = { .most_items = 20, .budget_ms = 20 };
		struct item_facts *items;
		struct store_counts counts;
		int64_t next, last_key = INT64_MAX;
		size_t count;

		LOOK(store_reader_count(reader, &counts) == 0);
		total = 0;
		for (int i = ITEM_SPOOLED; i < ITEM_STATES; i++) {
			LOOK(counts.items[i] < 1000000);
			total += counts.items[i];
		}
		LOOK(total >= before);
		before = total;
		LOOK(store_reader_list(reader, &filter, &page, &items, &count, &next) == 0);
		for (size_t i = 0; i < count; i++) {
			struct attempt_facts *lines;
			struct item_facts *same;
			size_t line_count, same_count;
			struct buf out;

			LOOK(items[i].key < last_key && items[i].id[0] != '\0');
			LOOK(filter.states == 0 || items[i].state == ITEM_SENDING);
			LOOK((items[i].state == ITEM_SENT) == !items[i].has_payload);
			last_key = items[i].key;
			LOOK(store_reader_history(reader, last_key, &lines, &line_count) == 0);
			attempt_facts_free(lines, line_count);
			LOOK(store_reader_find(reader, items[i].id, 2, &same, &same_count) == 0);
			LOOK(same_count == 1 && same[0].key == last_key);
			facts_free(same, same_count);
			buf_init(&out, 1 << 20);
			LOOK(store_reader_payload(reader, last_key, &out) >= 0);
			buf_free(&out);
			atomic_fetch_add(&looker->items, 1);
		}
		facts_free(items, count);
		atomic_fetch_add(&looker->rounds, 1);
	}
end:
	store_reader_close(&reader);
	return NULL;
}

static void
test_two_threads(void **state)
{
	struct spool *s = *state;
	struct looker looker = { .spool = s };
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, look, &looker), 0);
	for (unsigned round = 0; round < 300 || atomic_load(&looker.rounds) < 20; round++) {
		for (unsigned i = 0; i < 10; i++)
			commit_ask(
			    s, mail_make(NULL, 2, i == 0 ? FILE_BYTES : 300, NOW_MS + round));
		wait_answers(s);
		assert_int_equal(s->result, STORE_OK);
		claim_most(s, ITEM_SPOOLED, NOW_MS + 100000, 15, UINT64_MAX);
		for (size_t i = 0; i < s->count; i++) {
			const struct store_outcome outcome = { .key = s->items[i].key,
				.to = i % 3 == 0 ? ITEM_FAILED : ITEM_SENT,
				.at_ms = NOW_MS,
				.http_status = 200,
				.keeps_history = true };

			s->waiting++;
			store_settle(s->store, &outcome, 1, done_note, s);
		}
		wait_answers(s);
		if (atomic_load(&looker.failed) != 0)
			break;
	}
	atomic_store(&looker.stop, true);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(atomic_load(&looker.failed), 0);
	assert_true(atomic_load(&looker.items) > 20);
	assert_int_equal(count(s)->put_aside, 0);
}

/* A commit that failed is not seen, then or after the next start, though somebody has been looking
 * in all the time and the log was never closed. */
static void
test_sync_error(void **state)
{
	struct spool *s = *state;
	struct store_reader *reader = reader_open(s);
	char id[ITEM_ID_SIZE];
	struct mail *mail;

	clock_restore();
	for (int fail = 1; fail < 4; fail++) {
		mail = mail_make(NULL, 1, 1000, NOW_MS);
		memcpy(id, mail->id, ULID_SIZE);
		atomic_store(&syncs_to_fail, fail);
		if (commit(s, mail) == STORE_OK) {
			atomic_store(&syncs_to_fail, 0);
			continue;
		}
		assert_int_equal(found(reader, id, 9), 0);
		atomic_store(&syncs_to_fail, 0);
		for (int i = 0; commit(s, mail_make(NULL, 1, 1000, NOW_MS)) != STORE_OK; i++) {
			assert_true(i < 100);
			usleep(50000);
		}
		assert_int_equal(found(reader, id, 9), 0);
		spool_reopen(s);
		assert_int_equal(found(reader, id, 9), 0);
	}
	store_close(&s->store);
	store_reader_close(&reader);
	spool_open(s);
	reader = reader_open(s);
	assert_int_equal(found(reader, id, 9), 0);
	assert_true(count(s)->items[ITEM_SPOOLED] >= 3);
	store_reader_close(&reader);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, spool_setup, spool_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_facts),
		TEST(test_without_mail),
		TEST(test_payload),
		TEST(test_payload_lost),
		TEST(test_list_filters),
		TEST(test_list_pages),
		TEST(test_captured),
		TEST(test_held_at_once),
		TEST(test_list_budget),
		TEST(test_shared_hidden),
		TEST(test_find),
		TEST(test_count),
		TEST(test_open_refused),
		TEST(test_plans),
		TEST(test_two_threads),
		TEST(test_sync_error),
	};

	log_setup("reader_test", LOG_LEVEL_ERROR, LOG_FORMAT_TEXT,
	    getenv("SPOOL_TEST_LOG") != NULL ? STDERR_FILENO : open("/dev/null", O_WRONLY));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
