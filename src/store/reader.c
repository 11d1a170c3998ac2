/* The front of the readers: which back end, and what is the same for all of them. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "mail/event.h"

#include "store/reader.h"
#include "store/reader_backend.h"
#include "store/sqlite.h"

static const struct reader_backend *const backends[] = {
	&sqlite_reader_backend,
};

struct store_reader {
	const struct reader_backend *backend;
	void *handle;
};

struct store_reader *
store_reader_open(const char *backend, const char *folder, char *why, size_t why_size)
{
	struct store_reader *reader = mem_new(sizeof(*reader));

	for (size_t i = 0; i < sizeof(backends) / sizeof(backends[0]); i++)
		if (strcmp(backends[i]->name, backend) == 0)
			reader->backend = backends[i];
	if (reader->backend == NULL) {
		snprintf(why, why_size, "there is no spool backend called \"%s\"", backend);
		goto free_reader;
	}
	reader->handle = reader->backend->open(folder, why, why_size);
	if (reader->handle == NULL)
		goto free_reader;
	return reader;

free_reader:
	free(reader);
	return NULL;
}

void
store_reader_close(struct store_reader **reader)
{
	struct store_reader *r = *reader;

	if (r == NULL)
		return;
	r->backend->close(r->handle);
	free(r);
	*reader = NULL;
}

const char *
store_reader_why(const struct store_reader *reader)
{
	return reader->backend->why(reader->handle);
}

void
item_facts_free(struct item_facts *item)
{
	free(item->route);
	strlist_free(&item->recipients);
	free(item->postmark_id);
	free(item->inactive);
	free(item->reverse_path);
	free(item->listener);
	free(item->client);
	free(item->helo);
	free(item->message_id);
	free(item->from);
	free(item->subject);
	free(item->ledger);
	*item = (struct item_facts){ 0 };
}

void
attempt_facts_free(struct attempt_facts *lines, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(lines[i].answer);
	free(lines);
}

int
store_reader_list(struct store_reader *reader, const struct item_filter *filter,
    const struct item_page *page, struct item_facts **items_r, size_t *count_r, int64_t *next_key_r)
{
	return reader->backend->list(reader->handle, filter, page, items_r, count_r, next_key_r);
}

int
store_reader_find(struct store_reader *reader, const char *id, size_t most,
    struct item_facts **items_r, size_t *count_r)
{
	return reader->backend->find(reader->handle, id, most, items_r, count_r);
}

int
store_reader_history(
    struct store_reader *reader, int64_t key, struct attempt_facts **lines_r, size_t *count_r)
{
	return reader->backend->history(reader->handle, key, lines_r, count_r);
}

void
event_facts_free(struct event_facts *events, size_t count)
{
	for (size_t i = 0; i < count; i++)
		mail_event_free(&events[i].event);
	free(events);
}

int
store_reader_item(struct store_reader *reader, int64_t key, struct item_facts *item_r)
{
	return reader->backend->item(reader->handle, key, item_r);
}

int
store_reader_events(struct store_reader *reader, const struct event_page *page,
    struct event_facts **events_r, size_t *count_r)
{
	return reader->backend->events(reader->handle, page, events_r, count_r);
}

int
store_reader_last_event(struct store_reader *reader, int64_t *key_r)
{
	return reader->backend->last_event(reader->handle, key_r);
}

int
store_reader_outlet(struct store_reader *reader, const char *name, int64_t *after_key_r)
{
	return reader->backend->outlet(reader->handle, name, after_key_r);
}

int
store_reader_payload(struct store_reader *reader, int64_t key, struct buf *out)
{
	return reader->backend->payload(reader->handle, key, out);
}

int
store_reader_count(struct store_reader *reader, struct store_counts *counts)
{
	return reader->backend->count(reader->handle, counts);
}
