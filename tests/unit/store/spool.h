#ifndef PMRELAY_TESTS_STORE_SPOOL_H
#define PMRELAY_TESTS_STORE_SPOOL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"
#include "mail/mail.h"
#include "store/store.h"

/* A spool in a folder of its own, asked one thing after the other. */

#define SPOOL_BACKEND "sqlite"
#define FILE_BYTES    (200U * 1024U) /* that much is a file */
#define NOW_MS        1800000000000

/* So many syncs fail, after so many that work all the same. */
extern atomic_int syncs_to_fail;
extern atomic_int syncs_before;

struct spool {
	char folder[200];
	struct loop *loop;
	struct store *store;
	uint64_t min_free_bytes;
	unsigned due; /* how often due() was called */
	unsigned waiting;

	/* What the last answer was. */
	enum store_result result;
	bool known; /* of a commit */
	struct store_item *items;
	size_t count;
	bool more;
	int64_t next_ms;
	struct store_counts counts;
};

void spool_due(void *ctx); /* for store_params: counts in due */
int spool_try_open(struct spool *s, char *why, size_t why_size);
void spool_open(struct spool *s);
void spool_reopen(struct spool *s);
void folder_remove(const char *folder);
int spool_setup(void **state);
void items_free(struct spool *s);
int spool_teardown(void **state);
/* done_note() is for done(): count it in waiting before, and keep what it tells in result. */
void wait_answers(struct spool *s);
void done_note(void *ctx, enum store_result result);
struct mail *mail_make(const char *id, unsigned items, size_t payload_bytes, int64_t accepted_ms);
struct mail *mail_make_shared(unsigned items, size_t payload_bytes);
void commit_ask(struct spool *s, struct mail *mail);
enum store_result commit(struct spool *s, struct mail *mail);
void mails_add(struct spool *s, unsigned count);
size_t claim_most(
    struct spool *s, enum item_state from, int64_t now_ms, size_t most_items, uint64_t most_bytes);
size_t claim(struct spool *s, enum item_state from);
void settle(struct spool *s, int64_t key, enum item_state to, int64_t due_ms);
int64_t next_due(struct spool *s, enum item_state from);
const struct store_counts *count(struct spool *s);
unsigned folder_entries(const char *folder, const char *below);
int64_t sql(const struct spool *s, const char *statement);
bool payload_is(const struct store_item *item, size_t len);

#endif
