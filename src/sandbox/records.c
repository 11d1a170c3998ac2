#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"

#include "sandbox/records.h"

struct records {
	size_t most;
	uint64_t most_bytes;
	uint64_t next; /* number of the one that comes */

	struct record **ring; /* the oldest at head */
	size_t room;          /* a power of two */
	size_t head;
	size_t count;
	uint64_t bytes;
};

static void
record_free(struct record *record)
{
	json_decref(record->json);
	free(record->source);
	free(record);
}

struct records *
records_new(size_t most, uint64_t most_bytes, uint64_t first)
{
	struct records *records = mem_new(sizeof(*records));

	records->most = most;
	records->most_bytes = most_bytes;
	records->next = first;
	return records;
}

void
records_free(struct records **records_p)
{
	if (*records_p == NULL)
		return;
	records_clear(*records_p);
	free(*records_p);
	*records_p = NULL;
}

void
records_clear(struct records *records)
{
	for (size_t i = 0; i < records->count; i++)
		record_free(records_at(records, i));
	free(records->ring);
	records->ring = NULL;
	records->room = records->head = records->count = 0;
	records->bytes = 0;
}

static void
ring_grow(struct records *records)
{
	size_t room = records->room > 0 ? 2 * records->room : 64;
	struct record **ring = mem_array(room, sizeof(struct record *));

	for (size_t i = 0; i < records->count; i++)
		ring[i] = records_at(records, i);
	free(records->ring);
	records->ring = ring;
	records->room = room;
	records->head = 0;
}

/* What a value weighs in memory, near enough: jansson's nodes and the texts in them. */
static size_t
weight_of(const json_t *json)
{
	size_t bytes = 64, i;
	const char *key;
	json_t *one;

	if (json_is_string(json))
		return bytes + json_string_length(json);
	json_array_foreach((json_t *)json, i, one) bytes += weight_of(one);
	json_object_foreach((json_t *)json, key, one) bytes += 64 + strlen(key) + weight_of(one);
	return bytes;
}

struct record *
records_add(
    struct records *records, int64_t server, const char *message, json_t *json, char *source)
{
	struct record *record = mem_new(sizeof(*record)), *oldest;

	if (records->count == records->room)
		ring_grow(records);
	record->number = records->next++;
	record->server = server;
	record->wall_ms = clock_wall_ms();
	if (message != NULL && strlen(message) == UUID_LEN)
		memcpy(record->message, message, UUID_SIZE);
	record->json = json;
	record->source = source;
	record->bytes = sizeof(*record) + weight_of(json) + (source != NULL ? strlen(source) : 0);
	records->ring[(records->head + records->count++) & (records->room - 1)] = record;
	records->bytes += record->bytes;
	/* The newest stays in any case. */
	while (records->count > records->most ||
	       (records->bytes > records->most_bytes && records->count > 1)) {
		oldest = records_at(records, 0);
		records->bytes -= oldest->bytes;
		record_free(oldest);
		records->head = (records->head + 1) & (records->room - 1);
		records->count--;
	}
	return record;
}

size_t
records_count(const struct records *records)
{
	return records->count;
}

struct record *
records_at(const struct records *records, size_t index)
{
	if (index >= records->count)
		return NULL;
	return records->ring[(records->head + index) & (records->room - 1)];
}

struct record *
records_find(const struct records *records, int64_t server, uint64_t number)
{
	struct record *record = records_at(records, 0);

	/* Numbers have no gaps. */
	if (record == NULL || number < record->number)
		return NULL;
	record = records_at(records, (size_t)(number - record->number));
	return record != NULL && record->server == server ? record : NULL;
}

struct record *
records_by_message(const struct records *records, int64_t server, const char *message)
{
	for (size_t i = records->count; i-- > 0;) {
		struct record *record = records_at(records, i);

		if (record->server == server && text_same(record->message, message))
			return record;
	}
	return NULL;
}
