#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/buf.h"
#include "base/text.h"
#include "base/json.h"

#define MOST_DEPTH 512

/* How many characters a byte becomes inside of quotes (RFC 8259 section 7). */
static const unsigned char escaped_len[256] = {
	/* clang-format off */
	6, 6, 6, 6, 6, 6, 6, 6, 2, 2, 2, 6, 2, 2, 6, 6,
	6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6,
	1, 1, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
	1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
	1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
	1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1,
	1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
	1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
	1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
	1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
	1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
	1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
	1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
	1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
	1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
	1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
	/* clang-format on */
};

/*
 * The bytes that cannot stand in a string as they are (quote, backslash, below 0x20) among the
 * BLOCK at from, as a set whose lowest member is first.  BLOCK is what is looked at in one go.
 */
#ifdef __SSE2__
#define BLOCK 16

static inline unsigned
special_set(const char *from)
{
	__m128i block = _mm_loadu_si128((const __m128i *)(const void *)from);
	__m128i control =
	    _mm_cmpeq_epi8(_mm_max_epu8(block, _mm_set1_epi8(0x1f)), _mm_set1_epi8(0x1f));
	__m128i quote = _mm_cmpeq_epi8(block, _mm_set1_epi8('"'));
	__m128i backslash = _mm_cmpeq_epi8(block, _mm_set1_epi8('\\'));

	return (unsigned)_mm_movemask_epi8(_mm_or_si128(control, _mm_or_si128(quote, backslash)));
}

static inline size_t
set_first(unsigned set)
{
	return (size_t)__builtin_ctz(set);
}
#else
#define BLOCK 8

static inline unsigned
special_set(const char *from)
{
	const uint64_t ones = 0x0101010101010101, high = 0x8080808080808080;
	uint64_t word, quote, backslash, found;
	unsigned set = 0;

	memcpy(&word, from, sizeof(word));
	quote = word ^ ones * '"';
	backslash = word ^ ones * '\\';
	/* A borrow may mark a clean neighbour of a special byte, never clear a special one. */
	found = ((word - ones * 0x20) & ~word) | ((quote - ones) & ~quote) |
		((backslash - ones) & ~backslash);
	if ((found & high) == 0)
		return 0;
	for (unsigned i = 0; i < BLOCK; i++)
		set |= (unsigned)(escaped_len[(unsigned char)from[i]] != 1) << i;
	return set;
}

static inline size_t
set_first(unsigned set)
{
	return (size_t)__builtin_ctz(set);
}
#endif

static size_t
escaped_total(const char *bytes, size_t len)
{
	size_t total = len;
	size_t i = 0;

	for (; len - i >= BLOCK; i += BLOCK)
		for (unsigned set = special_set(bytes + i); set != 0; set &= set - 1)
			total += escaped_len[(unsigned char)bytes[i + set_first(set)]] - 1u;
	for (; i < len; i++)
		total += escaped_len[(unsigned char)bytes[i]] - 1u;
	return total;
}

/* Each of eight bytes, so that one is copied by a single move. */
static const char escapes[][8] = {
	/* clang-format off */
	"\\u0000", "\\u0001", "\\u0002", "\\u0003", "\\u0004", "\\u0005", "\\u0006", "\\u0007",
	"\\b",     "\\t",     "\\n",     "\\u000b", "\\f",     "\\r",     "\\u000e", "\\u000f",
	"\\u0010", "\\u0011", "\\u0012", "\\u0013", "\\u0014", "\\u0015", "\\u0016", "\\u0017",
	"\\u0018", "\\u0019", "\\u001a", "\\u001b", "\\u001c", "\\u001d", "\\u001e", "\\u001f",
	['"'] = "\\\"",
	['\\'] = "\\\\",
	/* clang-format on */
};

/* Bytes that can be added without growing. */
static size_t
room_left(const struct buf *buf)
{
	size_t most = buf->room == 0 ? 0 : buf->room - 1;

	if (most > buf->most)
		most = buf->most;
	return most - buf->len;
}

/*
 * Where a string is being written to; NULL: it would pass the ceiling.  There is always room for
 * as many bytes as are left to read, so that a block may be stored before it is known how much of
 * it is clean.  Handed on by value: a pen in memory would be read anew after each byte written.
 */
struct pen {
	char *to;
	size_t spare; /* room beyond that, for escapes to eat */
};

/* The spare is gone: what is left is counted and gets its exact room. */
static struct pen
more_room(struct buf *buf, struct pen pen, const char *rest, size_t rest_len)
{
	buf->len = (size_t)(pen.to - buf->data);
	pen.to = buf_reserve(buf, escaped_total(rest, rest_len));
	pen.spare = pen.to == NULL ? 0 : room_left(buf) - rest_len;
	return pen;
}

static inline struct pen
put_escape(struct buf *buf, struct pen pen, const char *rest, size_t rest_len)
{
	unsigned char byte = (unsigned char)*rest;
	size_t extra = escaped_len[byte] - 1u;

	if (extra > pen.spare) {
		pen = more_room(buf, pen, rest, rest_len);
		if (pen.to == NULL)
			return pen;
	}
	if (rest_len >= sizeof(escapes[0]))
		memcpy(pen.to, escapes[byte], sizeof(escapes[0]));
	else
		memcpy(pen.to, escapes[byte], 1 + extra);
	pen.spare -= extra;
	pen.to += 1 + extra;
	return pen;
}

static char *
put_escaped(struct buf *buf, struct pen pen, const char *bytes, size_t len)
{
	size_t i = 0;

	/* Copies are of a whole block from wherever the last escape was: hence the second one. */
	for (; len - i >= 2 * (size_t)BLOCK; i += BLOCK) {
		unsigned set = special_set(bytes + i);
		size_t done = 0;

		for (; set != 0; set &= set - 1) {
			size_t at = set_first(set);

			memcpy(pen.to, bytes + i + done, BLOCK);
			pen.to += at - done;
			pen = put_escape(buf, pen, bytes + i + at, len - i - at);
			if (pen.to == NULL)
				return NULL;
			done = at + 1;
		}
		memcpy(pen.to, bytes + i + done, BLOCK);
		pen.to += BLOCK - done;
	}
	for (; i < len; i++) {
		if (escaped_len[(unsigned char)bytes[i]] == 1)
			*pen.to++ = bytes[i];
		else
			pen = put_escape(buf, pen, bytes + i, len - i);
		if (pen.to == NULL)
			return NULL;
	}
	return pen.to;
}

void
json_add_escaped(struct buf *buf, const char *bytes, size_t len)
{
	size_t before = buf->len;
	char *to;

	if (len == 0 || (to = buf_reserve(buf, len)) == NULL)
		return;
	to = put_escaped(buf, (struct pen){ to, room_left(buf) - len }, bytes, len);
	buf->len = to == NULL ? before : (size_t)(to - buf->data);
	buf->data[buf->len] = '\0';
}

void
json_add_string(struct buf *buf, const char *bytes, size_t len)
{
	size_t before = buf->len;
	bool over = buf->over;

	/* All or nothing, like every other addition to a buffer. */
	buf->over = false;
	buf_addc(buf, '"');
	json_add_escaped(buf, bytes, len);
	buf_addc(buf, '"');
	if (buf->over) {
		buf->len = before;
		if (buf->data != NULL)
			buf->data[before] = '\0';
	}
	buf->over |= over;
}

void
json_add_name(struct buf *buf, const char *name)
{
	char last = buf->len > 0 ? buf->data[buf->len - 1] : '{';

	if (last != '{' && last != ',')
		buf_addc(buf, ',');
	buf_addc(buf, '"');
	buf_adds(buf, name);
	buf_add(buf, "\":", 2);
}

void
json_add_member(struct buf *buf, const char *name, const char *value, size_t len)
{
	json_add_name(buf, name);
	json_add_string(buf, value, len);
}

/* Index behind the closing quote of the string whose first byte is at i; 0: it has no end, or a
 * raw control character. */
static size_t
string_end(const char *bytes, size_t len, size_t i)
{
	while (i < len) {
		while (len - i >= BLOCK) {
			unsigned set = special_set(bytes + i);

			if (set != 0) {
				i += set_first(set);
				break;
			}
			i += BLOCK;
		}
		if (i == len)
			return 0;
		if (bytes[i] == '"')
			return i + 1;
		if (bytes[i] == '\\') {
			if (len - i < 2 || (unsigned char)bytes[i + 1] < 0x20)
				return 0;
			i += 2;
		} else if ((unsigned char)bytes[i] < 0x20)
			return 0;
		else
			i++;
	}
	return 0;
}

bool
json_is_one_object(const char *bytes, size_t len)
{
	char closers[MOST_DEPTH];
	size_t depth = 0;
	size_t i = 0;

	if (len < 2 || bytes[0] != '{' || !text_is_utf8(bytes, len))
		return false;
	while (i < len) {
		char byte = bytes[i++];

		switch (byte) {
		case '{':
		case '[':
			if (depth == MOST_DEPTH)
				return false;
			closers[depth++] = byte == '{' ? '}' : ']';
			break;
		case '}':
		case ']':
			if (byte != closers[--depth])
				return false;
			if (depth == 0)
				return i == len;
			break;
		case '"':
			i = string_end(bytes, len, i);
			if (i == 0)
				return false;
			break;
		default:
			if ((unsigned char)byte < 0x20)
				return false;
		}
	}
	return false;
}

bool
json_is_within(const char *bytes, size_t len, unsigned most_depth, size_t most_values)
{
	size_t values = 1;
	unsigned depth = 0;
	bool quoted = false;

	for (size_t i = 0; i < len; i++) {
		char c = bytes[i];

		if (quoted) {
			if (c == '\\')
				i++;
			else if (c == '"')
				quoted = false;
			continue;
		}
		if (c == '"') {
			quoted = true;
		} else if (c == '[' || c == '{') {
			if (++depth > most_depth)
				return false;
			values++;
		} else if ((c == ']' || c == '}') && depth > 0) {
			depth--;
		} else if (c == ',') {
			values++;
		}
		if (values > most_values)
			return false;
	}
	return true;
}
