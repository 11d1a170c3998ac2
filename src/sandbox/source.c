#include <stdbool.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"

#include "sandbox/source.h"

#define MOST_BYTES ((size_t)128 * 1024 * 1024)

static const char *
line_end(const char *at, const char *end)
{
	const char *lf = memchr(at, '\n', (size_t)(end - at));

	return lf != NULL ? lf + 1 : end;
}

/* With the lines that go on with it (RFC 5322 2.2.3). */
static const char *
field_end(const char *at, const char *end)
{
	at = line_end(at, end);
	while (at < end && (*at == ' ' || *at == '\t'))
		at = line_end(at, end);
	return at;
}

static bool
field_is(const char *field, size_t len, const char *name)
{
	size_t name_len = strlen(name);

	if (len <= name_len || !text_same_n(field, name, name_len))
		return false;
	while (name_len < len && (field[name_len] == ' ' || field[name_len] == '\t'))
		name_len++;
	return name_len < len && field[name_len] == ':';
}

/* The first byte after the header: of the empty line, or the end. */
static const char *
header_end(const char *at, const char *end)
{
	while (at < end && *at != '\r' && *at != '\n')
		at = field_end(at, end);
	return at;
}

static bool
keeps_id(const char *at, const char *end)
{
	for (const char *next; at < end; at = next) {
		const char *value;

		next = field_end(at, end);
		if (!field_is(at, (size_t)(next - at), "X-PM-KeepID"))
			continue;
		value = (const char *)memchr(at, ':', (size_t)(next - at)) + 1;
		while (value < next && (*value == ' ' || *value == '\t'))
			value++;
		return next - value >= 4 && text_same_n(value, "true", 4);
	}
	return false;
}

static void
add_clean(struct buf *out, const char *bytes, size_t len)
{
	while (len > 0) {
		size_t n = 0, one;

		/* A NUL would end what is kept as a string. */
		while (n < len && bytes[n] != '\0' && (one = text_utf8_len(bytes + n, len - n)) > 0)
			n += one;
		buf_add(out, bytes, n);
		if (n < len) {
			buf_adds(out, "\xef\xbf\xbd");
			n++;
		}
		bytes += n;
		len -= n;
	}
}

char *
source_clean(const char *source, size_t len)
{
	struct buf out;

	buf_init(&out, MOST_BYTES);
	add_clean(&out, source, len);
	return buf_take(&out, &len);
}

char *
source_delivered(const char *source, size_t len, const char *id, size_t *len_r)
{
	const char *end = source + len, *header = header_end(source, end), *next;
	bool keep = keeps_id(source, header);
	struct buf out;

	buf_init(&out, MOST_BYTES);
	for (const char *at = source; at < header; at = next) {
		size_t field_len;

		next = field_end(at, header);
		field_len = (size_t)(next - at);
		if (field_is(at, field_len, "Bcc") ||
		    (field_len > 5 && text_same_n(at, "X-PM-", 5)) ||
		    (!keep && field_is(at, field_len, "Message-ID")))
			continue;
		add_clean(&out, at, field_len);
	}
	if (!keep)
		buf_addf(&out, "Message-ID: <%s@mtasv.net>\r\n", id);
	buf_addf(&out, "X-PM-Message-Id: %s\r\n", id);
	add_clean(&out, header, (size_t)(end - header));
	return buf_take(&out, len_r);
}
