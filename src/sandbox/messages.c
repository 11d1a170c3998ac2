#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

#include "sandbox/messages.h"

/* Far more than a test sends; without an end a sandbox that runs for months would grow. */
#define MOST_RELAY_IDS 2000000

struct relay {
	struct relay *next_hashed;
	uint64_t hash;
	uint64_t times;
	struct message *newest; /* of those that are kept */
	char id[];
};

struct messages {
	size_t most;
	uint64_t most_bytes;

	/* A ring of what is kept, the oldest at head. */
	struct message **ring;
	size_t room; /* a power of two */
	size_t head;
	size_t count;
	uint64_t bytes;
	uint64_t accepted;
	struct message **by_id; /* as many chains as the ring has room */

	struct relay **relays; /* in the order of arrival */
	size_t relay_count;
	size_t relay_room; /* a power of two */
	struct relay **by_relay_id;
	uint64_t repeats;
	uint64_t relay_left_out;
};

/* FNV-1a, stirred so that the low bits may choose the chain. */
static uint64_t
hash_of(const char *text)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (; *text != '\0'; text++)
		hash = (hash ^ (unsigned char)*text) * 0x100000001b3u;
	return hash ^ (hash >> 32);
}

struct message *
message_new(void)
{
	struct message *message = mem_new(sizeof(*message));

	uuid_make(message->id);
	return message;
}

void
message_free(struct message **message_p)
{
	struct message *message = *message_p;

	if (message == NULL)
		return;
	free(message->json);
	free(message->from);
	free(message->tag);
	free(message->subject);
	free(message->stream);
	free(message->relay_id);
	free(message->source);
	free(message->bounce);
	strlist_free(&message->recipients);
	strlist_free(&message->suppressed);
	free(message);
	*message_p = NULL;
}

struct messages *
messages_new(size_t most, uint64_t most_bytes)
{
	struct messages *messages = mem_new(sizeof(*messages));

	messages->most = most > 0 ? most : 1;
	messages->most_bytes = most_bytes;
	return messages;
}

void
messages_free(struct messages **messages_p)
{
	if (*messages_p == NULL)
		return;
	messages_clear(*messages_p);
	free(*messages_p);
	*messages_p = NULL;
}

/* What a message weighs in memory, near enough. */
static uint64_t
weight(const struct message *message)
{
	return sizeof(*message) + message->json_len + message->source_len +
	       64 * (2 + message->recipients.count);
}

static void
ring_grow(struct messages *messages)
{
	size_t room = messages->room > 0 ? 2 * messages->room : 64;
	struct message **ring = mem_array(room, sizeof(struct message *));

	free(messages->by_id);
	messages->by_id = mem_array(room, sizeof(struct message *));
	for (size_t i = 0; i < messages->count; i++) {
		struct message *message =
		    messages->ring[(messages->head + i) & (messages->room - 1)];
		struct message **chain = &messages->by_id[message->hash & (room - 1)];

		ring[i] = message;
		message->next_hashed = *chain;
		*chain = message;
	}
	free(messages->ring);
	messages->ring = ring;
	messages->room = room;
	messages->head = 0;
}

static void
relays_grow(struct messages *messages)
{
	size_t room = messages->relay_room > 0 ? 2 * messages->relay_room : 64;

	messages->relays = mem_resize(messages->relays, room, sizeof(struct relay *));
	free(messages->by_relay_id);
	messages->by_relay_id = mem_array(room, sizeof(struct relay *));
	for (size_t i = 0; i < messages->relay_count; i++) {
		struct relay *relay = messages->relays[i];
		struct relay **chain = &messages->by_relay_id[relay->hash & (room - 1)];

		relay->next_hashed = *chain;
		*chain = relay;
	}
	messages->relay_room = room;
}

static struct relay *
relay_find(const struct messages *messages, const char *id, uint64_t hash)
{
	struct relay *relay = NULL;

	if (messages->relay_room > 0)
		relay = messages->by_relay_id[hash & (messages->relay_room - 1)];
	while (relay != NULL && (relay->hash != hash || strcmp(relay->id, id) != 0))
		relay = relay->next_hashed;
	return relay;
}

static void
relay_add(struct messages *messages, struct message *message)
{
	uint64_t hash = hash_of(message->relay_id);
	struct relay *relay = relay_find(messages, message->relay_id, hash);
	struct relay **chain;

	if (relay == NULL && messages->relay_count == MOST_RELAY_IDS) {
		messages->relay_left_out++;
		return;
	}
	if (relay == NULL) {
		if (messages->relay_count == messages->relay_room)
			relays_grow(messages);
		relay = mem_new(sizeof(*relay) + strlen(message->relay_id) + 1);
		strcpy(relay->id, message->relay_id);
		relay->hash = hash;
		chain = &messages->by_relay_id[hash & (messages->relay_room - 1)];
		relay->next_hashed = *chain;
		*chain = relay;
		messages->relays[messages->relay_count++] = relay;
	} else {
		messages->repeats++;
	}
	relay->times++;
	message->relay = relay;
	message->next_same = relay->newest;
	relay->newest = message;
}

static void
drop_oldest(struct messages *messages)
{
	struct message *message = messages->ring[messages->head];
	struct message **link = &messages->by_id[message->hash & (messages->room - 1)];

	while (*link != message)
		link = &(*link)->next_hashed;
	*link = message->next_hashed;
	if (message->relay != NULL) {
		link = &message->relay->newest;
		while (*link != message)
			link = &(*link)->next_same;
		*link = message->next_same;
	}
	messages->head = (messages->head + 1) & (messages->room - 1);
	messages->count--;
	messages->bytes -= weight(message);
	message_free(&message);
}

void
messages_clear(struct messages *messages)
{
	size_t most = messages->most;
	uint64_t most_bytes = messages->most_bytes;

	for (size_t i = 0; i < messages->count; i++)
		message_free(&messages->ring[(messages->head + i) & (messages->room - 1)]);
	for (size_t i = 0; i < messages->relay_count; i++)
		free(messages->relays[i]);
	free(messages->ring);
	free(messages->by_id);
	free(messages->relays);
	free(messages->by_relay_id);
	memset(messages, 0, sizeof(*messages));
	messages->most = most;
	messages->most_bytes = most_bytes;
}

void
messages_add(struct messages *messages, struct message *message)
{
	struct message **chain;

	if (messages->count == messages->room)
		ring_grow(messages);
	message->number = ++messages->accepted;
	message->hash = hash_of(message->id);
	chain = &messages->by_id[message->hash & (messages->room - 1)];
	message->next_hashed = *chain;
	*chain = message;
	messages->ring[(messages->head + messages->count) & (messages->room - 1)] = message;
	messages->count++;
	messages->bytes += weight(message);
	if (message->relay_id != NULL)
		relay_add(messages, message);
	/* The newest stays in any case: a single large one can be looked at. */
	while (messages->count > messages->most ||
	       (messages->bytes > messages->most_bytes && messages->count > 1))
		drop_oldest(messages);
}

size_t
messages_count(const struct messages *messages)
{
	return messages->count;
}

uint64_t
messages_accepted(const struct messages *messages)
{
	return messages->accepted;
}

uint64_t
messages_bytes(const struct messages *messages)
{
	return messages->bytes;
}

const struct message *
messages_at(const struct messages *messages, size_t index)
{
	if (index >= messages->count)
		return NULL;
	return messages->ring[(messages->head + index) & (messages->room - 1)];
}

const struct message *
messages_find(const struct messages *messages, const char *id)
{
	uint64_t hash = hash_of(id);
	const struct message *message = NULL;

	if (messages->room > 0)
		message = messages->by_id[hash & (messages->room - 1)];
	while (message != NULL && (message->hash != hash || strcmp(message->id, id) != 0))
		message = message->next_hashed;
	return message;
}

const struct message *
messages_of_server(const struct messages *messages, int64_t server, const char *id)
{
	char lower[UUID_SIZE];
	const struct message *message;

	if (strlen(id) != UUID_LEN)
		return NULL;
	memcpy(lower, id, UUID_SIZE);
	text_lower(lower);
	message = messages_find(messages, lower);
	return message != NULL && message->server == server ? message : NULL;
}

const struct message *
messages_by_relay_id(const struct messages *messages, const char *relay_id)
{
	const struct relay *relay = relay_find(messages, relay_id, hash_of(relay_id));

	return relay != NULL ? relay->newest : NULL;
}

size_t
messages_relay_count(const struct messages *messages)
{
	return messages->relay_count;
}

const char *
messages_relay_at(const struct messages *messages, size_t index, uint64_t *times_r)
{
	*times_r = messages->relays[index]->times;
	return messages->relays[index]->id;
}

uint64_t
messages_repeats(const struct messages *messages)
{
	return messages->repeats;
}

uint64_t
messages_relay_left_out(const struct messages *messages)
{
	return messages->relay_left_out;
}
