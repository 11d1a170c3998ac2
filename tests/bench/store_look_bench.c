/*
 * A spool of a million items, as people ask it: what each question costs, what the questions and
 * an operator's changes do to mail that is being stored meanwhile.
 *
 *	store_look_bench [folder [items]]
 */

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "mail/mail.h"
#include "store/reader.h"
#include "store/store.h"

#define IN_FLIGHT     200
#define PAYLOAD_BYTES 1000
#define BATCH         500
#define BUDGET_MS     50
#define LOAD_MAILS    40000
#define ID_TEXT       64

struct bench {
	const char *folder;
	struct loop *loop;
	struct store *store;
	struct store_reader *reader;
	unsigned long total, asked, stored, settled, to_settle;
	int64_t *began_us, *took_us; /* of the mails under measured load, or NULL */
	char mail_id[ULID_SIZE], message_id[ID_TEXT], postmark_id[ID_TEXT]; /* of the oldest */
	unsigned number;                                                    /* of Postmark's ids */
	char *payload;

	atomic_bool stop;
	atomic_uint questions;
	unsigned pause_ms; /* of whoever asks */
	unsigned long changes;
	bool changing;
};

static void
fail(const char *what, const char *why)
{
	fprintf(stderr, "%s: %s\n", what, why);
	exit(1);
}

/* --- filling ----------------------------------------------------------------------------- */

/* As random as theirs. */
static void
postmark_id_make(char out[ID_TEXT], unsigned number)
{
	uint64_t a = (number + 1) * 0x9e3779b97f4a7c15U, b = (a ^ a >> 29) * 0xbf58476d1ce4e5b9U;

	snprintf(out, ID_TEXT, "%08x-%04x-%04x-%04x-%012" PRIx64, (unsigned)(a >> 32),
	    (unsigned)(a >> 16) & 0xffff, (unsigned)a & 0xffff, (unsigned)(b >> 48),
	    b & 0xffffffffffff);
}

static struct mail *
mail_make(struct bench *b)
{
	struct mail *mail = mail_new();

	mail->accepted_ms = clock_wall_ms();
	ulid_make(mail->id, mail->accepted_ms);
	mail->reverse_path = mem_string("application@sender.example");
	mail->route = mem_string(b->asked % 10 == 0 ? "bulk" : "main");
	mail->listener = mem_string("127.0.0.1:2525");
	mail->client = mem_string("127.0.0.1");
	mail->helo = mem_string("application.example");
	mail->message_id = mem_format("<%.16s.%lx@sender.example>", mail->id + 10, b->asked);
	mail->from = mem_string("Application <application@sender.example>");
	mail->subject = mem_format("Your order %lu has been shipped", b->asked);
	mail->ledger = mem_string("date");
	mail->content_bytes = PAYLOAD_BYTES;
	mail->item_count = 1;
	mail->items = mem_array(1, sizeof(mail->items[0]));
	mail->items[0].number = 1;
	{
		char *recipient = mem_format("customer%lu@recipient.example", b->asked);

		strlist_take(&mail->items[0].recipients, recipient);
	}
	payload_init(&mail->items[0].payload);
	mail->items[0].payload.len = PAYLOAD_BYTES;
	mail->items[0].payload.data = mem_bytes(b->payload, PAYLOAD_BYTES);
	if (b->mail_id[0] == '\0') {
		memcpy(b->mail_id, mail->id, ULID_SIZE);
		snprintf(b->message_id, sizeof(b->message_id), "%s", mail->message_id);
	}
	return mail;
}

static void mails_ask(struct bench *);

static void
stored(void *ctx, enum store_result result, bool known)
{
	struct bench *b = ctx;

	(void)known;
	if (result != STORE_OK)
		fail("store", "a commit failed");
	/* Commits are answered in the order in which they were asked for. */
	if (b->took_us != NULL)
		b->took_us[b->stored] = clock_mono_us() - b->began_us[b->stored];
	b->stored++;
	mails_ask(b);
	if (b->stored == b->total)
		loop_stop(b->loop);
}

static void
mails_ask(struct bench *b)
{
	while (b->asked < b->total && b->asked - b->stored < IN_FLIGHT) {
		if (b->began_us != NULL)
			b->began_us[b->asked] = clock_mono_us();
		store_commit(b->store, mail_make(b), stored, b);
		b->asked++;
	}
}

static void claim(struct bench *);

static void
settle_done(void *ctx, enum store_result result)
{
	struct bench *b = ctx;

	if (result != STORE_OK)
		fail("store", "an outcome failed");
	if (b->settled >= b->to_settle)
		loop_stop(b->loop);
	else
		claim(b);
}

static enum item_state
outcome_for(unsigned number)
{
	switch (number % 30) {
	case 0:
		return ITEM_HELD;
	case 1:
	case 2:
		return ITEM_FAILED;
	case 3:
	case 4:
		return ITEM_WAITING;
	default:
		return ITEM_SENT;
	}
}

static void
claimed(void *ctx, enum store_result result, struct store_item *items, size_t count, bool more)
{
	struct bench *b = ctx;
	struct store_outcome *outcomes = mem_array(count + 1, sizeof(*outcomes));
	char(*ids)[ID_TEXT] = mem_array(count + 1, sizeof(*ids));

	(void)more;
	if (result != STORE_OK || count == 0)
		fail("store", "a claim failed");
	for (size_t i = 0; i < count; i++) {
		enum item_state to = outcome_for(++b->number);

		postmark_id_make(ids[i], b->number);
		if (to == ITEM_SENT && b->postmark_id[0] == '\0')
			memcpy(b->postmark_id, ids[i], ID_TEXT);
		outcomes[i] = (struct store_outcome){ .key = items[i].key,
			.to = to,
			.at_ms = clock_wall_ms(),
			.due_ms = clock_wall_ms() + 3600000,
			.postmark_id = to == ITEM_SENT ? ids[i] : NULL,
			.http_status = to == ITEM_SENT ? 200 : 422,
			.answer = to == ITEM_SENT ? "OK" : "the address is not one",
			.keeps_history = true };
		store_item_free(&items[i]);
	}
	free(items);
	b->settled += count;
	store_settle(b->store, outcomes, count, settle_done, b);
	free(outcomes);
	free(ids);
}

static void
claim(struct bench *b)
{
	const struct store_claim what = { .route = "main",
		.from = ITEM_SPOOLED,
		.now_ms = clock_wall_ms(),
		.most_items = BATCH,
		.most_bytes = UINT64_MAX };

	store_claim(b->store, &what, claimed, b);
}

static void
fill(struct bench *b, unsigned long items)
{
	int64_t began_ms = clock_mono_ms();

	b->total = items;
	mails_ask(b);
	loop_run(b->loop);
	b->to_settle = items * 3 / 10;
	claim(b);
	loop_run(b->loop);
	printf("filled with %lu items, of which %lu have been tried, in %.1f s\n", items,
	    b->settled, (double)(clock_mono_ms() - began_ms) / 1000.0);
	fflush(stdout);
}

/* --- questions --------------------------------------------------------------------------- */

static void
facts_free(struct item_facts *items, size_t count)
{
	for (size_t i = 0; i < count; i++)
		item_facts_free(&items[i]);
	free(items);
}

static void
say(const char *what, int64_t first_us, int64_t again_us, unsigned long number, const char *unit)
{
	printf("%-44s first %8.2f ms   again %8.2f ms   %lu %s\n", what, (double)first_us / 1000.0,
	    (double)again_us / 1000.0, number, unit);
	fflush(stdout);
}

static void
list_once(struct bench *b, const struct item_filter *filter, const struct item_page *page,
    size_t *count_r, int64_t *next_r)
{
	struct item_facts *items;

	if (store_reader_list(b->reader, filter, page, &items, count_r, next_r) != 0)
		fail("list", store_reader_why(b->reader));
	facts_free(items, *count_r);
}

static void
list_measure(
    struct bench *b, const char *what, const struct item_filter *filter, bool upwards, bool to_end)
{
	struct item_page page = {
		.oldest_first = upwards, .most_items = 50, .budget_ms = BUDGET_MS
	};
	int64_t took_us[2], next;
	unsigned long pages = 0;
	size_t count, found = 0;

	for (int i = 0; i < 2; i++) {
		took_us[i] = clock_mono_us();
		list_once(b, filter, &page, &count, &next);
		took_us[i] = clock_mono_us() - took_us[i];
	}
	say(what, took_us[0], took_us[1], count, "items");
	if (!to_end)
		return;
	took_us[0] = clock_mono_us();
	page.from_key = 0;
	do {
		list_once(b, filter, &page, &count, &next);
		found += count;
		page.from_key = next;
		pages++;
	} while (next != 0);
	took_us[0] = clock_mono_us() - took_us[0];
	say("  the same, all pages", took_us[0], took_us[0] / (int64_t)pages, pages,
	    "pages (again: each)");
	if (found == 0)
		printf("  nothing matches\n");
}

static void
find_measure(struct bench *b, const char *what, const char *id)
{
	int64_t took_us[2];
	struct item_facts *items;
	size_t count = 0;

	for (int i = 0; i < 2; i++) {
		took_us[i] = clock_mono_us();
		if (store_reader_find(b->reader, id, 100, &items, &count) != 0)
			fail("find", store_reader_why(b->reader));
		took_us[i] = clock_mono_us() - took_us[i];
		facts_free(items, count);
	}
	say(what, took_us[0], took_us[1], count, "items");
}

static void
questions_measure(struct bench *b)
{
	struct store_counts counts;
	int64_t took_us[2];
	struct item_facts *items;
	struct attempt_facts *lines;
	size_t count, line_count;
	struct buf out;

	for (int i = 0; i < 2; i++) {
		took_us[i] = clock_mono_us();
		if (store_reader_count(b->reader, &counts) != 0)
			fail("count", store_reader_why(b->reader));
		took_us[i] = clock_mono_us() - took_us[i];
	}
	say("counts and the oldest", took_us[0], took_us[1], counts.items[ITEM_SPOOLED], "spooled");

	list_measure(b, "list, newest", &(struct item_filter){ 0 }, false, false);
	list_measure(b, "list, oldest", &(struct item_filter){ 0 }, true, false);
	list_measure(
	    b, "list spooled", &(struct item_filter){ .states = 1U << ITEM_SPOOLED }, false, false);
	list_measure(b, "list spooled, oldest",
	    &(struct item_filter){ .states = 1U << ITEM_SPOOLED }, true, false);
	list_measure(
	    b, "list held", &(struct item_filter){ .states = 1U << ITEM_HELD }, false, false);
	list_measure(b, "list waiting, held, failed",
	    &(struct item_filter){
		.states = 1U << ITEM_WAITING | 1U << ITEM_HELD | 1U << ITEM_FAILED },
	    false, false);
	list_measure(b, "list failed of a route that has none",
	    &(struct item_filter){ .states = 1U << ITEM_FAILED, .route = "bulk" }, false, true);
	list_measure(b, "list sent, oldest", &(struct item_filter){ .states = 1U << ITEM_SENT },
	    true, false);
	list_measure(b, "list sent, newest", &(struct item_filter){ .states = 1U << ITEM_SENT },
	    false, true);
	list_measure(b, "list by a recipient, all looked at",
	    &(struct item_filter){ .recipient = "nobody@" }, false, true);
	list_measure(b, "list by a subject, all looked at",
	    &(struct item_filter){ .subject = "never written" }, false, true);
	list_measure(b, "list by a sender and state",
	    &(struct item_filter){ .sender = "APPLICATION@", .states = 1U << ITEM_FAILED }, false,
	    false);
	list_measure(b, "list of the last second",
	    &(struct item_filter){ .since_ms = clock_wall_ms() - 1000 }, false, true);

	find_measure(b, "find the oldest mail by its id", b->mail_id);
	find_measure(b, "find the oldest by its Message-ID", b->message_id);
	find_measure(b, "find the oldest by Postmark's id", b->postmark_id);
	find_measure(b, "find a Message-ID that nobody used", "<nobody@sender.example>");
	find_measure(
	    b, "find an id of Postmark's that is not ours", "0a129aee-e1cd-480d-b08d-4f48548ff48d");

	if (store_reader_find(b->reader, b->message_id, 1, &items, &count) != 0 || count != 1)
		fail("find", "the oldest is gone");
	buf_init(&out, 1 << 20);
	for (int i = 0; i < 2; i++) {
		took_us[i] = clock_mono_us();
		if (store_reader_history(b->reader, items[0].key, &lines, &line_count) != 0 ||
		    store_reader_payload(b->reader, items[0].key, &out) < 0)
			fail("show", store_reader_why(b->reader));
		took_us[i] = clock_mono_us() - took_us[i];
		attempt_facts_free(lines, line_count);
	}
	say("its history and message", took_us[0], took_us[1], line_count, "lines");
	facts_free(items, count);
	buf_free(&out);
}

/* --- mail beside them -------------------------------------------------------------------- */

static void *
ask_on(void *ctx)
{
	struct bench *b = ctx;
	char why[300];
	struct store_reader *reader = store_reader_open("sqlite", b->folder, why, sizeof(why));

	if (reader == NULL)
		fail("reader", why);
	for (unsigned round = 0; !atomic_load(&b->stop); round++) {
		const struct item_filter filters[] = { { 0 }, { .states = 1U << ITEM_FAILED },
			{ .subject = "never written" }, { .states = 1U << ITEM_SPOOLED } };
		const struct item_page page = { .most_items = 50, .budget_ms = BUDGET_MS };
		struct store_counts counts;
		struct item_facts *items;
		int64_t next;
		size_t count;

		if (store_reader_list(reader, &filters[round % 4], &page, &items, &count, &next) !=
		    0)
			fail("list", store_reader_why(reader));
		facts_free(items, count);
		if (store_reader_find(reader, b->postmark_id, 9, &items, &count) != 0)
			fail("find", store_reader_why(reader));
		facts_free(items, count);
		if (store_reader_count(reader, &counts) != 0)
			fail("count", store_reader_why(reader));
		atomic_fetch_add(&b->questions, 3);
		if (b->pause_ms > 0)
			usleep(b->pause_ms * 1000);
	}
	store_reader_close(&reader);
	return NULL;
}

static void
changed(void *ctx, enum store_result result, const struct store_changed *what)
{
	struct bench *b = ctx;

	if (result != STORE_OK)
		fail("change", "it failed");
	b->changes = what->changed;
	b->changing = false;
	if (b->stored == b->total)
		loop_stop(b->loop);
}

static void
change(struct bench *b, enum store_action action)
{
	const struct store_change what = {
		.action = action, .at_ms = clock_wall_ms(), .by = "bench"
	};

	b->changing = true;
	store_change(b->store, &what, changed, b);
}

static unsigned long
journal_bytes(const struct bench *b)
{
	char *path = mem_format("%s/spool.db-wal", b->folder);
	struct stat st = { 0 };

	stat(path, &st);
	free(path);
	return (unsigned long)st.st_size;
}

static int
by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static void
load_measure(struct bench *b, const char *what, bool asks)
{
	pthread_t thread;
	int64_t wall_us;

	b->asked = b->stored = 0;
	b->total = LOAD_MAILS;
	b->began_us = mem_array(LOAD_MAILS, sizeof(int64_t));
	b->took_us = mem_array(LOAD_MAILS, sizeof(int64_t));
	atomic_store(&b->stop, false);
	atomic_store(&b->questions, 0);
	if (asks && pthread_create(&thread, NULL, ask_on, b) != 0)
		fail("thread", "there is none");
	wall_us = clock_mono_us();
	mails_ask(b);
	loop_run(b->loop);
	wall_us = clock_mono_us() - wall_us;
	atomic_store(&b->stop, true);
	if (asks)
		pthread_join(thread, NULL);
	qsort(b->took_us, LOAD_MAILS, sizeof(int64_t), by_size);
	printf("%-44s %6.0f mails/s  p50 %6.2f ms  p99 %6.2f ms  max %6.2f ms  (%u questions, log "
	       "%lu MB)\n",
	    what, LOAD_MAILS * 1e6 / (double)wall_us, (double)b->took_us[LOAD_MAILS / 2] / 1000.0,
	    (double)b->took_us[LOAD_MAILS / 100 * 99] / 1000.0,
	    (double)b->took_us[LOAD_MAILS - 1] / 1000.0, atomic_load(&b->questions),
	    journal_bytes(b) >> 20);
	fflush(stdout);
	free(b->began_us);
	free(b->took_us);
	b->began_us = b->took_us = NULL;
}

/* An operator's change of everything: beside mail at first, then alone. */
static void
change_measure(struct bench *b, const char *what, enum store_action action)
{
	int64_t wall_us = clock_mono_us();

	change(b, action);
	load_measure(b, what, false);
	if (b->changing)
		loop_run(b->loop);
	printf("  and the whole of it: %lu items in %.1f s\n", b->changes,
	    (double)(clock_mono_us() - wall_us) / 1e6);
	fflush(stdout);
}

int
main(int argc, char **argv)
{
	const char *parent = getenv("TMPDIR");
	char *folder = argc > 1 ? mem_string(argv[1])
				: mem_format("%s/pmrelay-store-look-%ld",
				      parent != NULL ? parent : "/tmp", (long)getpid());
	unsigned long items = argc > 2 ? strtoul(argv[2], NULL, 10) : 1000000;
	struct bench b = { .folder = folder };
	struct store_params params = { .backend = "sqlite", .folder = folder };
	char why[300], *command;

	log_setup("bench", LOG_LEVEL_WARNING, LOG_FORMAT_TEXT, STDERR_FILENO);
	b.payload = mem_array(PAYLOAD_BYTES + 1, 1);
	memset(b.payload, 'x', PAYLOAD_BYTES);
	b.loop = params.loop = loop_new();
	b.store = store_open(&params, why, sizeof(why));
	if (b.store == NULL)
		fail("store", why);
	fill(&b, items);
	b.reader = store_reader_open("sqlite", folder, why, sizeof(why));
	if (b.reader == NULL)
		fail("reader", why);
	questions_measure(&b);
	load_measure(&b, "mail alone", false);
	b.pause_ms = 50;
	load_measure(&b, "mail while somebody looks each 50 ms", true);
	b.pause_ms = 0;
	load_measure(&b, "mail while somebody looks without a pause", true);
	load_measure(&b, "mail alone, again", false);
	change_measure(&b, "mail while everything is held", STORE_HOLD);
	change_measure(&b, "mail while everything is released", STORE_RELEASE);
	change_measure(&b, "mail while everything is deleted", STORE_DELETE);

	store_reader_close(&b.reader);
	store_close(&b.store);
	loop_free(&b.loop);
	free(b.payload);
	command = mem_format("rm -rf '%s'", folder);
	if (system(command) != 0)
		return 1;
	free(command);
	free(folder);
	return 0;
}
