#include <stdint.h>
#include <stdlib.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/base64.h"
#include "base/buf.h"
#include "base/mem.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

#define NONE8  -1, -1, -1, -1, -1, -1, -1, -1
#define NONE64 NONE8, NONE8, NONE8, NONE8, NONE8, NONE8, NONE8, NONE8
/* clang-format off */
const signed char base64_digits[256] = {
	NONE8, NONE8, NONE8, NONE8,
	NONE8, -1, -1, -1, 62, -1, -1, -1, 63,                         /* + and / */
	52, 53, 54, 55, 56, 57, 58, 59, 60, 61, -1, -1, -1, -1, -1, -1, /* 0 to 9 */
	-1,  0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14, /* A to Z */
	15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, -1, -1, -1, -1, -1,
	-1, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, /* a to z */
	41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, -1, -1, -1, -1, -1,
	NONE64, NONE64,
};
/* clang-format on */

bool
base64_is_digits(const char *text, size_t len)
{
	size_t i = 0;
#ifdef __SSE2__
	for (; len >= 16 && i < len; i += 16) {
		/* The last block may overlap the one before. */
		size_t at = len - i < 16 ? len - 16 : i;
		__m128i c = _mm_loadu_si128((const __m128i *)(const void *)(text + at));
		__m128i lower = _mm_or_si128(c, _mm_set1_epi8(0x20));
		__m128i letter = _mm_and_si128(_mm_cmpgt_epi8(lower, _mm_set1_epi8('a' - 1)),
		    _mm_cmplt_epi8(lower, _mm_set1_epi8('z' + 1)));
		__m128i digit = _mm_and_si128(_mm_cmpgt_epi8(c, _mm_set1_epi8('0' - 1)),
		    _mm_cmplt_epi8(c, _mm_set1_epi8('9' + 1)));
		__m128i sign = _mm_or_si128(
		    _mm_cmpeq_epi8(c, _mm_set1_epi8('+')), _mm_cmpeq_epi8(c, _mm_set1_epi8('/')));
		__m128i good = _mm_or_si128(_mm_or_si128(letter, digit), sign);

		if (_mm_movemask_epi8(good) != 0xFFFF)
			return false;
	}
#endif
	for (; i < len; i++)
		if (base64_digit(text[i]) < 0)
			return false;
	return true;
}

static size_t
padding_of(const char *text, size_t len)
{
	size_t padding = 0;

	while (padding < 2 && padding < len && text[len - padding - 1] == '=')
		padding++;
	return padding;
}

bool
base64_is_right(const char *text, size_t len)
{
	return len % 4 == 0 && base64_is_digits(text, len - padding_of(text, len));
}

static size_t
encoded_len(size_t len)
{
	return (len / 3 + (len % 3 != 0)) * 4;
}

static void
encode(char *to, const char *bytes, size_t len)
{
	const unsigned char *from = (const unsigned char *)bytes;

	for (; len >= 3; len -= 3, from += 3, to += 4) {
		to[0] = alphabet[from[0] >> 2];
		to[1] = alphabet[(from[0] << 4 | from[1] >> 4) & 63];
		to[2] = alphabet[(from[1] << 2 | from[2] >> 6) & 63];
		to[3] = alphabet[from[2] & 63];
	}
	if (len > 0) {
		int second = len == 2 ? from[1] : 0;

		to[0] = alphabet[from[0] >> 2];
		to[1] = alphabet[(from[0] << 4 | second >> 4) & 63];
		to[2] = len == 2 ? alphabet[second << 2 & 63] : '=';
		to[3] = '=';
	}
}

void
base64_add(struct buf *out, const char *bytes, size_t len)
{
	size_t encoded = encoded_len(len);
	char *to = buf_reserve(out, encoded);

	if (to == NULL)
		return;
	encode(to, bytes, len);
	buf_grown(out, encoded);
}

char *
base64_encode(const char *bytes, size_t len)
{
	size_t encoded = encoded_len(len);
	char *text = mem_array(encoded + 1, 1);

	encode(text, bytes, len);
	text[encoded] = '\0';
	return text;
}

char *
base64_decode(const char *text, size_t len, size_t *len_r)
{
	size_t padding = padding_of(text, len);
	char *bytes, *to;

	if (!base64_is_right(text, len))
		return NULL;
	to = bytes = mem_array(len / 4 * 3 + 1, 1);
	for (const char *end = text + len; text < end; text += 4, to += 3) {
		/* Padding is no digit: its bits fall off with the bytes that it stands for. */
		unsigned bits = (unsigned)base64_digit(text[0]) << 18 |
				(unsigned)base64_digit(text[1]) << 12 |
				((unsigned)base64_digit(text[2]) & 63) << 6 |
				((unsigned)base64_digit(text[3]) & 63);

		to[0] = (char)(bits >> 16);
		to[1] = (char)(bits >> 8);
		to[2] = (char)bits;
	}
	*len_r = (size_t)(to - bytes) - padding;
	bytes[*len_r] = '\0';
	return bytes;
}
