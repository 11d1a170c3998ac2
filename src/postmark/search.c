#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"

#include "postmark/client.h"
#include "postmark/mail_head.h"
#include "postmark/message_id.h"
#include "postmark/search.h"

_Static_assert(SEARCH_ID_SIZE == MESSAGE_ID_SIZE, "one size of id");

/* RFC 3986 2.3: what needs no escape in a query. */
static bool
is_unreserved(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '.' || c == '_' || c == '~';
}

static void
add_escaped(struct buf *path, const char *text)
{
	for (; *text != '\0'; text++) {
		if (is_unreserved(*text))
			buf_addc(path, *text);
		else
			buf_addf(path, "%%%02X", (unsigned)(unsigned char)*text);
	}
}

char *
search_path(const char *relay_id, const char *message_stream)
{
	struct buf path;

	/* An id and a stream's name are short; the ceiling is there because a buffer has one. */
	buf_init(&path, 64U * 1024U);
	buf_adds(&path, "/messages/outbound?count=1&offset=0&metadata_relay-id=");
	add_escaped(&path, relay_id);
	if (message_stream != NULL && message_stream[0] != '\0') {
		buf_adds(&path, "&messagestream=");
		add_escaped(&path, message_stream);
	}
	return buf_take(&path, NULL);
}

/* Index of the quote that ends the string begun before at, or len. */
static size_t
string_end(const char *json, size_t len, size_t at)
{
	while (at < len && json[at] != '"')
		at += json[at] == '\\' ? 2 : 1;
	return at < len ? at : len;
}

/* The string behind a member's name, when it is one and needs no unescaping. */
static char *
member_text(const char *json, size_t len, size_t at)
{
	size_t end;

	while (at < len && (json[at] == ' ' || json[at] == ':'))
		at++;
	if (at >= len || json[at] != '"')
		return NULL;
	end = string_end(json, len, ++at);
	if (end == len || memchr(json + at, '\\', end - at) != NULL)
		return NULL;
	return mem_bytes(json + at, end - at);
}

char *
search_stream(const char *json, size_t len)
{
	static const char name[] = "MessageStream";
	bool name_next = false;
	int depth = 0;

	for (size_t at = 0; at < len; at++) {
		char c = json[at];

		if (c == '"') {
			size_t end = string_end(json, len, at + 1);

			if (name_next && end - at - 1 == sizeof(name) - 1 &&
			    memcmp(json + at + 1, name, sizeof(name) - 1) == 0)
				return member_text(json, len, end + 1);
			at = end;
			name_next = false;
		} else if (c == '{' || c == '[') {
			depth++;
			name_next = c == '{' && depth == 1;
		} else if (c == '}' || c == ']') {
			depth--;
		} else if (c == ',') {
			name_next = depth == 1;
		}
	}
	return NULL;
}

/* Metadata keys are equal but for case at Postmark. */
static bool
carries_id(const json_t *message, const char *relay_id)
{
	json_t *metadata = json_object_get(message, "Metadata"), *value;
	const char *key;

	json_object_foreach(metadata, key, value)
	{
		if (text_same(key, "relay-id") && json_is_string(value) &&
		    strcmp(json_string_value(value), relay_id) == 0)
			return true;
	}
	return false;
}

static enum search_result
messages_read(const json_t *root, const char *relay_id, char *postmark_id)
{
	const json_t *messages = json_object_get(root, "Messages");
	const json_t *total = json_object_get(root, "TotalCount");

	if (!json_is_array(messages))
		return SEARCH_FAILED;
	if (json_array_size(messages) == 0) {
		if (json_is_integer(total) && json_integer_value(total) == 0)
			return SEARCH_NOT_FOUND;
		return SEARCH_FAILED;
	}
	for (size_t i = 0; i < json_array_size(messages); i++) {
		const json_t *message = json_array_get(messages, i);
		const json_t *id = json_object_get(message, "MessageID");

		if (carries_id(message, relay_id) && json_is_string(id) &&
		    message_id_read(postmark_id, json_string_value(id), json_string_length(id)))
			return SEARCH_FOUND;
	}
	return SEARCH_FAILED;
}

enum search_result
search_read(
    const struct postmark_answer *answer, const char *relay_id, char postmark_id[SEARCH_ID_SIZE])
{
	enum search_result result;
	json_t *root;

	postmark_id[0] = '\0';
	if (answer->end != POSTMARK_ANSWERED || answer->status != 200 || answer->cut)
		return SEARCH_FAILED;
	root = json_loadb(answer->body, answer->len, JSON_ALLOW_NUL, NULL);
	if (root == NULL)
		return SEARCH_FAILED;
	result = messages_read(root, relay_id, postmark_id);
	json_decref(root);
	return result;
}

/* The conversion writes the stream before headers and bodies. */
#define STREAM_WITHIN ((size_t)64 * 1024)

static char *
json_stream(const struct payload *payload)
{
	size_t most = payload->len < STREAM_WITHIN ? payload->len : STREAM_WITHIN;
	char *start, *stream = NULL;
	ssize_t got;

	if (payload->data != NULL)
		return search_stream(payload->data, payload->len);
	start = mem_new(most);
	got = pread(payload->fd, start, most, 0);
	if (got > 0)
		stream = search_stream(start, (size_t)got);
	free(start);
	return stream;
}

char *
search_item_stream(enum item_kind kind, const struct payload *payload)
{
	return kind == ITEM_SMTP ? mail_head_stream(payload) : json_stream(payload);
}
