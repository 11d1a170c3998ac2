#ifndef PMRELAY_STORE_READER_BACKEND_H
#define PMRELAY_STORE_READER_BACKEND_H

#include <stddef.h>
#include <stdint.h>

#include "store/reader.h"

/*
 * What an engine that keeps the spool supplies for looking into it.  All of it runs in the thread
 * of the reader.  After a failure the next call tries anew, with a new connection if need be.
 */
struct reader_backend {
	const char *name;

	void *(*open)(const char *folder, char *why, size_t why_size);
	void (*close)(void *);
	int (*list)(void *, const struct item_filter *, const struct item_page *,
	    struct item_facts **items_r, size_t *count_r, int64_t *next_key_r);
	int (*find)(
	    void *, const char *id, size_t most, struct item_facts **items_r, size_t *count_r);
	int (*history)(void *, int64_t key, struct attempt_facts **lines_r, size_t *count_r);
	int (*item)(void *, int64_t key, struct item_facts *item_r);
	int (*events)(
	    void *, const struct event_page *, struct event_facts **events_r, size_t *count_r);
	int (*last_event)(void *, int64_t *key_r);
	int (*outlet)(void *, const char *name, int64_t *after_key_r);
	int (*payload)(void *, int64_t key, struct buf *out);
	int (*count)(void *, struct store_counts *);
	const char *(*why)(void *); /* the last failure, for people */
};

#endif
