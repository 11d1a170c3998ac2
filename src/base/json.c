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

static char *
put_escape(char *to, unsigned char byte)
{
	static const char hex[] = "0123456789abcdef";

	*to++ = '\\';
	switch (byte) {
	case '"':
	case '\\':
		*to++ = (char)byte;
		break;
	case '\n':
		*to++ = 'n';
		break;
	case '\r':
		*to++ = 'r';
		break;
	case '\t':
		*to++ = 't';
		break;
	case '\b':
		*to++ = 'b';
		break;
	case '\f':
		*to++ = 'f';
		break;
	default:
		memcpy(to, "u00", 3);
		to[3] = hex[byte >> 4];
		to[4] = hex[byte & 15];
		to += 5;
	}
	return to;
}

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
 * One pass that copies and looks at a block at a time.  to always has room for as many bytes as
 * are left to read, so that a block may be stored whole before it is known how much of it is
 * clean.  spare is the room beyond that; when escapes have eaten it, the rest is counted.
 */
void
json_add_escaped(struct buf *buf, const char *bytes, size_t len)
{
	size_t before = buf->len;
	size_t spare, i = 0;
	char *to;

	if (len == 0 || (to = buf_reserve(buf, len)) == NULL)
		return;
	spare = room_left(buf) - len;
	while (i < len) {
		unsigned char byte;
		size_t extra;

		while (len - i >= BLOCK) {
			unsigned set = special_set(bytes + i);
			size_t clean = set == 0 ? BLOCK : set_first(set);

			memcpy(to, bytes + i, BLOCK);
			to += clean;
			i += clean;
			if (set != 0)
				break;
		}
		if (i == len)
			break;
		byte = (unsigned char)bytes[i];
		extra = escaped_len[byte] - 1u;
		if (extra == 0) {
			*to++ = bytes[i++];
			continue;
		}
		if (extra > spare) {
			size_t rest = escaped_total(bytes + i, len - i);

			buf->len = (size_t)(to - buf->data);
			to = buf_reserve(buf, rest);
			if (to == NULL) {
				buf->len = before;
				buf->data[before] = '\0';
				return;
			}
			spare = room_left(buf) - (len - i);
		}
		to = put_escape(to, byte);
		spare -= extra;
		i++;
	}
	buf->len = (size_t)(to - buf->data);
	buf_grown(buf, 0);
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
	if (buf->len > 0 && buf->data[buf->len - 1] != '{')
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
