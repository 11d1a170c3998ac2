/* What the tests of the store share. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include <sqlite3.h>

#include "base/clock.h"
#include "base/mem.h"

#include "spool.h"

/* --- a disk that fails when asked to ------------------------------------------------------ */

atomic_int syncs_to_fail;
atomic_int syncs_before; /* that work all the same */

/* Stands before the C library's, for SQLite too. */
int
fdatasync(int fd)
{
	if (atomic_load(&syncs_before) > 0) {
		atomic_fetch_sub(&syncs_before, 1);
	} else if (atomic_load(&syncs_to_fail) > 0) {
		atomic_fetch_sub(&syncs_to_fail, 1);
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_fdatasync, fd);
}

/* --- the spool ---------------------------------------------------------------------------- */

void
spool_due(void *ctx)
{
	struct spool *s = ctx;

	s->due++;
}

int
spool_try_open(struct spool *s, char *why, size_t why_size)
{
	const struct store_params params = { .loop = s->loop,
		.backend = SPOOL_BACKEND,
		.folder = s->folder,
		.min_free_bytes = s->min_free_bytes,
		.due = spool_due,
		.ctx = s };

	s->store = store_open(&params, why, why_size);
	return s->store != NULL ? 0 : -1;
}

void
spool_open(struct spool *s)
{
	char why[300] = "";

	if (spool_try_open(s, why, sizeof(why)) != 0)
		fail_msg("%s", why);
}

void
spool_reopen(struct spool *s)
{
	store_close(&s->store);
	spool_open(s);
}

void
folder_remove(const char *folder)
{
	char *command = mem_format("rm -rf '%s'", folder);

	assert_int_equal(system(command), 0);
	free(command);
}

int
spool_setup(void **state)
{
	const char *parent = getenv("TMPDIR");
	struct spool *s = mem_new(sizeof(*s));

	clock_fake(NOW_MS, 1000000);
	snprintf(s->folder, sizeof(s->folder), "%s/pmrelay-store-XXXXXX",
	    parent != NULL ? parent : "/tmp");
	assert_non_null(mkdtemp(s->folder));
	s->loop = loop_new();
	assert_non_null(s->loop);
	spool_open(s);
	*state = s;
	return 0;
}

void
items_free(struct spool *s)
{
	for (size_t i = 0; i < s->count; i++)
		store_item_free(&s->items[i]);
	free(s->items);
	s->items = NULL;
	s->count = 0;
}

int
spool_teardown(void **state)
{
	struct spool *s = *state;

	items_free(s);
	store_close(&s->store);
	loop_free(&s->loop);
	folder_remove(s->folder);
	free(s);
	clock_restore();
	return 0;
}

static void
answered(struct spool *s)
{
	assert_true(s->waiting > 0);
	if (--s->waiting == 0)
		loop_stop(s->loop);
}

void
wait_answers(struct spool *s)
{
	while (s->waiting > 0)
		loop_run(s->loop);
}

void
done_note(void *ctx, enum store_result result)
{
	struct spool *s = ctx;

	s->result = result;
	answered(s);
}

static void
commit_note(void *ctx, enum store_result result, bool known)
{
	struct spool *s = ctx;

	s->known = known;
	done_note(s, result);
}

/* A mail of so many items with a payload each that tells whose it is. */
struct mail *
mail_make(const char *id, unsigned items, size_t payload_bytes, int64_t accepted_ms)
{
	struct mail *mail = mail_new();

	mail->accepted_ms = accepted_ms;
	if (id != NULL)
		memcpy(mail->id, id, ULID_SIZE);
	else
		ulid_make(mail->id, accepted_ms);
	mail->reverse_path = mem_string("app@sender.example");
	mail->route = mem_string("main");
	mail->listener = mem_string("127.0.0.1:25");
	mail->client = mem_string("127.0.0.1");
	mail->helo = mem_string("app.example");
	mail->message_id = mem_string("<1@sender.example>");
	mail->from = mem_string("App <app@sender.example>");
	mail->subject = mem_string("Gr\xc3\xbc\xc3\x9f"
				   "e");
	mail->ledger = mem_string("");
	mail->content_bytes = 99;
	mail->item_count = items;
	mail->items = mem_array(items, sizeof(mail->items[0]));
	for (unsigned i = 0; i < items; i++) {
		struct item *item = &mail->items[i];

		item->number = i + 1;
		strlist_add(&item->recipients, "a@recipient.example");
		strlist_add(&item->recipients, "b@recipient.example");
		payload_init(&item->payload);
		item->payload.len = payload_bytes;
		item->payload.data = mem_array(payload_bytes + 1, 1);
		memset(item->payload.data, 'a' + (int)(i % 26), payload_bytes);
		item_id(item->payload.data, mail->id, item->number);
	}
	return mail;
}

/* The same with the payloads in memfds. */
struct mail *
mail_make_shared(unsigned items, size_t payload_bytes)
{
	struct mail *mail = mail_make(NULL, items, payload_bytes, NOW_MS);

	for (unsigned i = 0; i < items; i++) {
		struct payload *p = &mail->items[i].payload;
		int fd = memfd_create("payload", MFD_CLOEXEC);

		assert_int_equal(write(fd, p->data, p->len), p->len);
		free(p->data);
		*p = (struct payload){ .len = payload_bytes, .fd = fd };
	}
	return mail;
}

void
commit_ask(struct spool *s, struct mail *mail)
{
	s->waiting++;
	store_commit(s->store, mail, commit_note, s);
}

enum store_result
commit(struct spool *s, struct mail *mail)
{
	commit_ask(s, mail);
	wait_answers(s);
	return s->result;
}

void
mails_add(struct spool *s, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		commit_ask(s, mail_make(NULL, 1, 2000, NOW_MS + i));
	wait_answers(s);
	assert_int_equal(s->result, STORE_OK);
}

static void
claimed_note(void *ctx, enum store_result result, struct store_item *items, size_t count, bool more)
{
	struct spool *s = ctx;

	s->result = result;
	s->items = items;
	s->count = count;
	s->more = more;
	answered(s);
}

size_t
claim_most(
    struct spool *s, enum item_state from, int64_t now_ms, size_t most_items, uint64_t most_bytes)
{
	const struct store_claim claim = { .route = "main",
		.from = from,
		.now_ms = now_ms,
		.most_items = most_items,
		.most_bytes = most_bytes };

	items_free(s);
	s->waiting++;
	store_claim(s->store, &claim, claimed_note, s);
	wait_answers(s);
	return s->count;
}

size_t
claim(struct spool *s, enum item_state from)
{
	return claim_most(s, from, NOW_MS + 1000000, 1000, UINT64_MAX);
}

void
settle(struct spool *s, int64_t key, enum item_state to, int64_t due_ms)
{
	const struct store_outcome outcome = { .key = key,
		.to = to,
		.at_ms = NOW_MS,
		.due_ms = due_ms,
		.postmark_id = to == ITEM_SENT ? "pm-1" : NULL,
		.http_status = to == ITEM_SENT ? 200 : 503,
		.answer = "what it said",
		.keeps_history = to != ITEM_SPOOLED };

	s->waiting++;
	store_settle(s->store, &outcome, 1, done_note, s);
	wait_answers(s);
}

static void
next_note(void *ctx, int64_t due_ms)
{
	struct spool *s = ctx;

	s->next_ms = due_ms;
	answered(s);
}

int64_t
next_due(struct spool *s, enum item_state from)
{
	s->waiting++;
	store_next_due(s->store, "main", from, next_note, s);
	wait_answers(s);
	return s->next_ms;
}

static void
counts_note(void *ctx, const struct store_counts *counts)
{
	struct spool *s = ctx;

	s->counts = *counts;
	answered(s);
}

const struct store_counts *
count(struct spool *s)
{
	s->waiting++;
	store_count(s->store, counts_note, s);
	wait_answers(s);
	return &s->counts;
}

unsigned
folder_entries(const char *folder, const char *below)
{
	char *path = mem_format("%s/%s", folder, below);
	DIR *dir = opendir(path);
	const struct dirent *entry;
	unsigned found = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL)
		found += entry->d_name[0] != '.';
	closedir(dir);
	free(path);
	return found;
}

/* What an operator with the sqlite3 shell could do. */
int64_t
sql(const struct spool *s, const char *statement)
{
	char *path = mem_format("%s/spool.db", s->folder);
	sqlite3_stmt *prepared;
	int64_t number = 0;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	sqlite3_busy_timeout(db, 5000);
	if (sqlite3_prepare_v2(db, statement, -1, &prepared, NULL) != SQLITE_OK)
		fail_msg("%s: %s", statement, sqlite3_errmsg(db));
	if (sqlite3_step(prepared) == SQLITE_ROW)
		number = sqlite3_column_int64(prepared, 0);
	assert_int_equal(sqlite3_finalize(prepared), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	free(path);
	return number;
}

bool
payload_is(const struct store_item *item, size_t len)
{
	char start[ITEM_ID_SIZE] = "";
	struct stat st;

	if (item->payload.len != len)
		return false;
	if (item->payload.fd == -1)
		return strcmp(item->payload.data, item->id) == 0;
	return fstat(item->payload.fd, &st) == 0 && st.st_size == (off_t)len &&
	       pread(item->payload.fd, start, ITEM_ID_SIZE - 1, 0) == ITEM_ID_SIZE - 1 &&
	       strcmp(start, item->id) == 0;
}
