#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"

#include "sandbox/load.h"

#define MOST_DEPTH  512 /* deeper only serves to overflow a stack */
#define MOST_NUMBER 64  /* characters */

struct reader {
	const char *text;
	size_t len;
	size_t at;
	unsigned depth;
	struct buf spare; /* for strings with escapes in them */
	const char *why;
	struct load_slice *slices;
	size_t slice_count;
	size_t slice_room;
	bool want_slices;
};

static json_t *read_value(struct reader *);

static void *
wrong(struct reader *reader, const char *why)
{
	if (reader->why == NULL)
		reader->why = why;
	return NULL;
}

static void
skip_space(struct reader *reader)
{
	while (reader->at < reader->len) {
		char c = reader->text[reader->at];

		if (c != ' ' && c != '\t' && c != '\n' && c != '\r')
			return;
		reader->at++;
	}
}

/* The character that comes next, without taking it; 0 at the end. */
static char
next_char(const struct reader *reader)
{
	return reader->at < reader->len ? reader->text[reader->at] : '\0';
}

/* ---- strings ---- */

/* Index of the first byte from at on that is no plain ASCII of a string: '"', '\', a control
 * character, or above 0x7e.  Eight at a time; a borrow can only stop the stride early. */
static size_t
plain_end(const char *text, size_t at, size_t len)
{
	const uint64_t ones = 0x0101010101010101, high = 0x8080808080808080;

	while (len - at >= sizeof(uint64_t)) {
		uint64_t word, quote, backslash;

		memcpy(&word, text + at, sizeof(word));
		quote = word ^ (ones * '"');
		backslash = word ^ (ones * '\\');
		if (((word | (word - ones * 0x20) | (quote - ones) | (backslash - ones)) & high) !=
		    0)
			break;
		at += sizeof(word);
	}
	while (at < len && (unsigned char)text[at] >= 0x20 && (unsigned char)text[at] < 0x7f &&
	       text[at] != '"' && text[at] != '\\')
		at++;
	return at;
}

static bool
read_hex(struct reader *reader, unsigned *unit_r)
{
	unsigned unit = 0;

	if (reader->len - reader->at < 4)
		return false;
	for (int i = 0; i < 4; i++) {
		char c = reader->text[reader->at++];

		if (c >= '0' && c <= '9')
			unit = unit * 16 + (unsigned)(c - '0');
		else if (c >= 'a' && c <= 'f')
			unit = unit * 16 + (unsigned)(c - 'a') + 10;
		else if (c >= 'A' && c <= 'F')
			unit = unit * 16 + (unsigned)(c - 'A') + 10;
		else
			return false;
	}
	*unit_r = unit;
	return true;
}

/* Behind "\u": one unit, or two that make a pair (RFC 8259 section 7). */
static bool
read_unicode(struct reader *reader)
{
	unsigned point, low;
	char utf8[4];
	size_t len;

	if (!read_hex(reader, &point) || point == 0 || (point >= 0xdc00 && point <= 0xdfff))
		return false;
	if (point >= 0xd800 && point <= 0xdbff) {
		if (reader->len - reader->at < 2 || reader->text[reader->at] != '\\' ||
		    reader->text[reader->at + 1] != 'u')
			return false;
		reader->at += 2;
		if (!read_hex(reader, &low) || low < 0xdc00 || low > 0xdfff)
			return false;
		point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
	}
	if (point < 0x80) {
		utf8[0] = (char)point;
		len = 1;
	} else if (point < 0x800) {
		utf8[0] = (char)(0xc0 | (point >> 6));
		utf8[1] = (char)(0x80 | (point & 0x3f));
		len = 2;
	} else if (point < 0x10000) {
		utf8[0] = (char)(0xe0 | (point >> 12));
		utf8[1] = (char)(0x80 | ((point >> 6) & 0x3f));
		utf8[2] = (char)(0x80 | (point & 0x3f));
		len = 3;
	} else {
		utf8[0] = (char)(0xf0 | (point >> 18));
		utf8[1] = (char)(0x80 | ((point >> 12) & 0x3f));
		utf8[2] = (char)(0x80 | ((point >> 6) & 0x3f));
		utf8[3] = (char)(0x80 | (point & 0x3f));
		len = 4;
	}
	buf_add(&reader->spare, utf8, len);
	return true;
}

static bool
read_escape(struct reader *reader)
{
	static const char names[] = "\"\\/bfnrtu";
	static const char meant[] = "\"\\/\b\f\n\r\t";
	const char *name;

	reader->at++;
	if (reader->at == reader->len || reader->text[reader->at] == '\0')
		return false;
	name = strchr(names, reader->text[reader->at++]);
	if (name == NULL)
		return false;
	if (*name == 'u')
		return read_unicode(reader);
	buf_addc(&reader->spare, meant[name - names]);
	return true;
}

/*
 * The string whose quote is next.  What comes back is in the text or, if it has escapes, in
 * reader->spare: valid until the next string is read.
 */
static const char *
read_string(struct reader *reader, size_t *len_r)
{
	size_t start = ++reader->at; /* of what is not in spare yet */
	bool escaped = false;

	buf_clear(&reader->spare);
	for (;;) {
		size_t sequence;

		reader->at = plain_end(reader->text, reader->at, reader->len);
		if (reader->at == reader->len)
			return wrong(reader, "a string does not end");
		if (reader->text[reader->at] == '"')
			break;
		if (reader->text[reader->at] == '\\') {
			escaped = true;
			buf_add(&reader->spare, reader->text + start, reader->at - start);
			if (!read_escape(reader))
				return wrong(reader, "an escape in a string is not valid");
			start = reader->at;
			continue;
		}
		if ((unsigned char)reader->text[reader->at] < 0x20)
			return wrong(reader, "a control character in a string");
		sequence = text_utf8_len(reader->text + reader->at, reader->len - reader->at);
		if (sequence == 0)
			return wrong(reader, "bytes that are no UTF-8");
		reader->at += sequence;
	}
	*len_r = reader->at - start;
	if (escaped) {
		buf_add(&reader->spare, reader->text + start, *len_r);
		*len_r = reader->spare.len;
	}
	reader->at++;
	return escaped ? reader->spare.data : reader->text + start;
}

/* ---- numbers and words ---- */

static size_t
digits(const char *text)
{
	return strspn(text, "0123456789");
}

/* RFC 8259 section 6 */
static json_t *
read_number(struct reader *reader)
{
	char text[MOST_NUMBER + 1];
	size_t len = 0, whole;
	bool real = false;
	const char *c = text;
	json_int_t integer;
	double value;

	while (len < MOST_NUMBER && reader->at + len < reader->len &&
	       reader->text[reader->at + len] != '\0' &&
	       strchr("0123456789+-.eE", reader->text[reader->at + len]) != NULL) {
		text[len] = reader->text[reader->at + len];
		len++;
	}
	text[len] = '\0';
	c += *c == '-';
	whole = digits(c);
	if (whole == 0 || (whole > 1 && c[0] == '0'))
		return wrong(reader, "a number is not valid");
	c += whole;
	if (*c == '.') {
		real = true;
		if (digits(c + 1) == 0)
			return wrong(reader, "a number is not valid");
		c += 1 + digits(c + 1);
	}
	if (*c == 'e' || *c == 'E') {
		real = true;
		c++;
		c += *c == '+' || *c == '-';
		if (digits(c) == 0)
			return wrong(reader, "a number is not valid");
		c += digits(c);
	}
	if (*c != '\0')
		return wrong(reader, "a number is not valid");
	reader->at += len;
	errno = 0;
	if (!real) {
		integer = strtoll(text, NULL, 10);
		return errno == 0 ? json_integer(integer) : wrong(reader, "a number is too large");
	}
	value = strtod(text, NULL);
	if (errno == ERANGE && (value > 1 || value < -1))
		return wrong(reader, "a number is too large");
	return json_real(value);
}

static json_t *
read_word(struct reader *reader)
{
	static const struct {
		const char *text;
		size_t len;
	} words[] = { { "true", 4 }, { "false", 5 }, { "null", 4 } };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (reader->len - reader->at < words[i].len ||
		    memcmp(reader->text + reader->at, words[i].text, words[i].len) != 0)
			continue;
		reader->at += words[i].len;
		return i == 0 ? json_true() : i == 1 ? json_false() : json_null();
	}
	return wrong(reader, "no JSON value where one is due");
}

/* ---- objects and arrays ---- */

static json_t *
read_object(struct reader *reader)
{
	json_t *object = json_object(), *value;
	const char *name;
	char *key;
	size_t len;
	bool repeated;

	reader->at++;
	skip_space(reader);
	if (next_char(reader) == '}') {
		reader->at++;
		return object;
	}
	for (;;) {
		skip_space(reader);
		if (next_char(reader) != '"') {
			wrong(reader, "no name where one is due");
			break;
		}
		name = read_string(reader, &len);
		if (name == NULL)
			break;
		key = mem_bytes(name, len);
		repeated = json_object_get(object, key) != NULL;
		skip_space(reader);
		if (repeated || next_char(reader) != ':') {
			wrong(reader,
			    repeated ? "a name stands twice in an object" : "no ':' behind a name");
			free(key);
			break;
		}
		reader->at++;
		value = read_value(reader);
		if (value != NULL)
			json_object_set_new_nocheck(object, key, value);
		free(key);
		if (value == NULL)
			break;
		skip_space(reader);
		if (next_char(reader) == '}') {
			reader->at++;
			return object;
		}
		if (next_char(reader) != ',') {
			wrong(reader, "an object does not end");
			break;
		}
		reader->at++;
	}
	json_decref(object);
	return NULL;
}

static void
note_slice(struct reader *reader, size_t start)
{
	if (reader->slice_count == reader->slice_room) {
		reader->slice_room = reader->slice_room > 0 ? 2 * reader->slice_room : 64;
		reader->slices =
		    mem_resize(reader->slices, reader->slice_room, sizeof(struct load_slice));
	}
	reader->slices[reader->slice_count++] =
	    (struct load_slice){ .start = start, .len = reader->at - start };
}

static json_t *
read_array(struct reader *reader)
{
	json_t *array = json_array(), *value;
	size_t start;

	reader->at++;
	skip_space(reader);
	if (next_char(reader) == ']') {
		reader->at++;
		return array;
	}
	for (;;) {
		skip_space(reader);
		start = reader->at;
		value = read_value(reader);
		if (value == NULL)
			break;
		json_array_append_new(array, value);
		if (reader->depth == 1 && reader->want_slices)
			note_slice(reader, start);
		skip_space(reader);
		if (next_char(reader) == ']') {
			reader->at++;
			return array;
		}
		if (next_char(reader) != ',') {
			wrong(reader, "an array does not end");
			break;
		}
		reader->at++;
	}
	json_decref(array);
	return NULL;
}

static json_t *
read_value(struct reader *reader)
{
	json_t *value;
	const char *string;
	size_t len;

	skip_space(reader);
	switch (next_char(reader)) {
	case '"':
		string = read_string(reader, &len);
		return string != NULL ? json_stringn_nocheck(string, len) : NULL;
	case '{':
	case '[':
		if (reader->depth == MOST_DEPTH)
			return wrong(reader, "nested too deeply");
		reader->depth++;
		value = next_char(reader) == '{' ? read_object(reader) : read_array(reader);
		reader->depth--;
		return value;
	case '-':
	case '0':
	case '1':
	case '2':
	case '3':
	case '4':
	case '5':
	case '6':
	case '7':
	case '8':
	case '9':
		return read_number(reader);
	default:
		return read_word(reader);
	}
}

json_t *
load_json(const char *text, size_t len, struct load_slice **slices_r, const char **why_r)
{
	struct reader reader = { .text = text, .len = len, .want_slices = slices_r != NULL };
	json_t *value = NULL;

	buf_init(&reader.spare, SIZE_MAX);
	skip_space(&reader);
	if (next_char(&reader) == '{' || next_char(&reader) == '[') {
		value = read_value(&reader);
		skip_space(&reader);
		if (value != NULL && reader.at < reader.len) {
			json_decref(value);
			value = wrong(&reader, "something stands behind the end");
		}
	} else {
		wrong(&reader, "neither an object nor an array");
	}
	buf_free(&reader.spare);
	if (slices_r != NULL) {
		*slices_r = value != NULL ? reader.slices : NULL;
		if (value == NULL)
			free(reader.slices);
	}
	*why_r = reader.why;
	return value;
}
