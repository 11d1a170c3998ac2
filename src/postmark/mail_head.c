#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"
#include "mail/mail.h"

#include "postmark/mail_head.h"

/* Controls that the conversion wrote stand in front of everything. */
#define HEAD_WITHIN ((size_t)64 * 1024)

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Just behind the next line end, or at len. */
static size_t
line_end(const char *head, size_t len, size_t at)
{
	const char *end = memchr(head + at, '\n', len - at);

	return end == NULL ? len : (size_t)(end - head) + 1;
}

/* With the lines that go on with it (RFC 5322 2.2.3). */
static size_t
field_end(const char *head, size_t len, size_t at)
{
	at = line_end(head, len, at);
	while (at < len && (head[at] == ' ' || head[at] == '\t'))
		at = line_end(head, len, at);
	return at;
}

static bool
field_is(const char *field, size_t len, const char *name, size_t *value_at_r)
{
	size_t name_len = strlen(name), at = name_len;

	if (len <= name_len || !text_same_n(field, name, name_len))
		return false;
	while (at < len && (field[at] == ' ' || field[at] == '\t'))
		at++;
	*value_at_r = at + 1;
	return at < len && field[at] == ':';
}

const char *
mail_head_field(const char *head, size_t len, const char *name, size_t *value_len_r)
{
	size_t at = 0, end, value_at;

	for (; at < len && head[at] != '\r' && head[at] != '\n'; at = end) {
		const char *value;
		size_t value_len;

		end = field_end(head, len, at);
		if (!field_is(head + at, end - at, name, &value_at))
			continue;
		value = head + at + value_at;
		value_len = end - at - value_at;
		while (value_len > 0 && is_blank(*value)) {
			value++;
			value_len--;
		}
		while (value_len > 0 && is_blank(value[value_len - 1]))
			value_len--;
		*value_len_r = value_len;
		return value;
	}
	return NULL;
}

/* The start of a mail, wherever it is: lent from the payload, or in *own_r, which is freed. */
static const char *
head_of(const struct payload *payload, size_t *len_r, char **own_r)
{
	size_t most = payload->len < HEAD_WITHIN ? payload->len : HEAD_WITHIN;
	ssize_t got;

	*own_r = NULL;
	*len_r = most;
	if (payload->data != NULL)
		return payload->data;
	*own_r = mem_new(most + 1);
	do {
		got = pread(payload->fd, *own_r, most, 0);
	} while (got < 0 && errno == EINTR);
	*len_r = got > 0 ? (size_t)got : 0;
	return *own_r;
}

char *
mail_head_stream(const struct payload *payload)
{
	size_t len, value_len = 0;
	char *own, *stream = NULL;
	const char *head = head_of(payload, &len, &own);
	const char *value = mail_head_field(head, len, "X-PM-Message-Stream", &value_len);

	if (value == NULL)
		value = mail_head_field(head, len, "X-PM-MessageStream", &value_len);
	if (value != NULL && value_len > 0 && memchr(value, '\n', value_len) == NULL)
		stream = mem_bytes(value, value_len);
	free(own);
	return stream;
}
