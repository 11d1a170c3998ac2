#include <string.h>

#include "base/text.h"

static unsigned char
lower(char byte)
{
	unsigned char c = (unsigned char)byte;

	return c >= 'A' && c <= 'Z' ? (unsigned char)(c | 0x20) : c;
}

int
text_number(const char *text, size_t len, uint64_t least, uint64_t most, uint64_t *number_r)
{
	uint64_t number = 0;

	if (len == 0)
		return -1;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -1;
		if (__builtin_mul_overflow(number, (uint64_t)10, &number) ||
		    __builtin_add_overflow(number, (uint64_t)(text[i] - '0'), &number))
			return -1;
	}
	if (number < least || number > most)
		return -1;
	*number_r = number;
	return 0;
}

bool
text_same(const char *a, const char *b)
{
	for (; lower(*a) == lower(*b); a++, b++)
		if (*a == '\0')
			return true;
	return false;
}

bool
text_same_n(const char *a, const char *b, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (lower(a[i]) != lower(b[i]))
			return false;
	return true;
}

bool
text_starts(const char *text, const char *prefix)
{
	for (; *prefix != '\0'; text++, prefix++)
		if (lower(*text) != lower(*prefix))
			return false;
	return true;
}

void
text_lower(char *text)
{
	for (; *text != '\0'; text++)
		*text = (char)lower(*text);
}

const char *
text_find_same(const char *hay, const char *needle)
{
	for (;; hay++) {
		if (text_starts(hay, needle))
			return hay;
		if (*hay == '\0')
			return NULL;
	}
}

bool
text_same_secret(const char *a, size_t a_len, const char *b, size_t b_len)
{
	volatile unsigned char differ = a_len != b_len;
	size_t len = a_len < b_len ? a_len : b_len;

	for (size_t i = 0; i < len; i++)
		differ = (unsigned char)(differ | (a[i] ^ b[i]));
	return differ == 0;
}

/* Length of a character that a terminal and a log reader show as what it is; 0: escape a byte. */
static size_t
printable_len(const char *bytes, size_t len)
{
	const unsigned char *c = (const unsigned char *)bytes;
	size_t n = text_utf8_len(bytes, len);

	if (n == 1)
		return c[0] >= 0x20 && c[0] != 0x7f;
	/* U+0080 to U+009F: terminals obey them as they obey ESC. */
	if (n == 2 && c[0] == 0xc2 && c[1] < 0xa0)
		return 0;
	return n;
}

char *
text_safe(char *out, size_t most, const char *bytes, size_t len)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t used = 0, kept = 0; /* kept: what may stay when "..." must follow */
	size_t i = 0;

	if (most == 0)
		return out;
	while (i < len) {
		size_t n = printable_len(bytes + i, len - i);
		size_t need = n > 0 ? n : 4;

		if (used + need >= most)
			break;
		if (n > 0) {
			memcpy(out + used, bytes + i, n);
			i += n;
		} else {
			unsigned char c = (unsigned char)bytes[i++];

			out[used] = '\\';
			out[used + 1] = 'x';
			out[used + 2] = hex[c >> 4];
			out[used + 3] = hex[c & 15];
		}
		used += need;
		if (used + 3 < most)
			kept = used;
	}
	if (i < len) {
		used = kept;
		for (int dots = 0; dots < 3 && used + 1 < most; dots++)
			out[used++] = '.';
	}
	out[used] = '\0';
	return out;
}

/* RFC 3629 section 4: the table of well-formed sequences. */
size_t
text_utf8_len(const char *bytes, size_t len)
{
	const unsigned char *c = (const unsigned char *)bytes;

	if (len == 0)
		return 0;
	if (c[0] < 0x80)
		return 1;
	if (c[0] < 0xc2 || c[0] > 0xf4)
		return 0;
	if (c[0] < 0xe0)
		return len >= 2 && (c[1] & 0xc0) == 0x80 ? 2 : 0;
	if (c[0] < 0xf0) {
		if (len < 3 || (c[1] & 0xc0) != 0x80 || (c[2] & 0xc0) != 0x80)
			return 0;
		if ((c[0] == 0xe0 && c[1] < 0xa0) || (c[0] == 0xed && c[1] > 0x9f))
			return 0;
		return 3;
	}
	if (len < 4 || (c[1] & 0xc0) != 0x80 || (c[2] & 0xc0) != 0x80 || (c[3] & 0xc0) != 0x80)
		return 0;
	if ((c[0] == 0xf0 && c[1] < 0x90) || (c[0] == 0xf4 && c[1] > 0x8f))
		return 0;
	return 4;
}

/* How many bytes from the beginning are ASCII for sure: whole words of them. */
static size_t
ascii_words(const char *bytes, size_t len)
{
	const uint64_t high = 0x8080808080808080;
	uint64_t words[4];
	size_t i = 0;

	for (; len - i >= sizeof(words); i += sizeof(words)) {
		memcpy(words, bytes + i, sizeof(words));
		if (((words[0] | words[1] | words[2] | words[3]) & high) != 0)
			break;
	}
	for (; len - i >= sizeof(words[0]); i += sizeof(words[0])) {
		memcpy(words, bytes + i, sizeof(words[0]));
		if ((words[0] & high) != 0)
			break;
	}
	return i;
}

int
text_hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool
text_is_ascii(const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)bytes[i] >= 0x80)
			return false;
	return true;
}

bool
text_is_utf8(const char *bytes, size_t len)
{
	size_t i = 0;

	while (i < len) {
		/* Nearly all of a mail is ASCII; then one by one to the end of the run that is not.
		 */
		if ((unsigned char)bytes[i] < 0x80)
			i += ascii_words(bytes + i, len - i);
		while (i < len && (unsigned char)bytes[i] < 0x80)
			i++;
		while (i < len && (unsigned char)bytes[i] >= 0x80) {
			size_t n = text_utf8_len(bytes + i, len - i);

			if (n == 0)
				return false;
			i += n;
		}
	}
	return true;
}

size_t
text_utf16_units(const char *utf8, size_t len)
{
	size_t units = 0;
	size_t i = 0;

	while (i < len) {
		size_t ascii = ascii_words(utf8 + i, len - i);
		size_t end = len - i - ascii < 64 ? len : i + ascii + 64;

		units += ascii;
		/* A character begins at each byte that continues none; those of four bytes need
		 * a pair. */
		for (i += ascii; i < end; i++) {
			unsigned char c = (unsigned char)utf8[i];

			units += (size_t)((c & 0xc0) != 0x80) + (size_t)(c >= 0xf0);
		}
	}
	return units;
}
