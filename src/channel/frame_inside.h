#ifndef PMRELAY_CHANNEL_FRAME_INSIDE_H
#define PMRELAY_CHANNEL_FRAME_INSIDE_H

/* Of what all frames are made: what frame.c and frame_event.c share; nobody else includes it. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"

#include "channel/frame.h"

/* --- reading: a cursor that remembers its own failure ------------------------------------- */

struct cursor {
	const char *at;
	size_t left;
	bool bad;
};

static inline const char *
take(struct cursor *c, size_t len)
{
	const char *at = c->at;

	if (c->bad || len > c->left) {
		c->bad = true;
		return NULL;
	}
	c->at += len;
	c->left -= len;
	return at;
}

static inline uint64_t
take_number(struct cursor *c, size_t bytes)
{
	const char *at = take(c, bytes);
	uint64_t number = 0;

	if (at != NULL)
		memcpy(&number, at, bytes); /* little-endian, like the writer; see put_number() */
	return number;
}

/* Of foreign origin: valid UTF-8 without control characters, within its limit. */
static inline bool
text_is_right(const char *text, size_t len)
{
	if (len > FRAME_MOST_TEXT)
		return false;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return false;
	return text_is_utf8(text, len);
}

static inline char *
take_text(struct cursor *c)
{
	size_t len = (size_t)take_number(c, 4);
	const char *at = take(c, len);

	if (at == NULL)
		return NULL;
	if (!text_is_right(at, len))
		c->bad = true;
	return c->bad ? NULL : mem_bytes(at, len);
}

/* --- writing ------------------------------------------------------------------------------ */

static inline void
put_number(struct buf *out, uint64_t number, size_t bytes)
{
	_Static_assert(
	    __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "frames are written little-endian");
	buf_add(out, &number, bytes);
}

static inline void
put_text(struct buf *out, const char *text)
{
	size_t len = text != NULL ? strlen(text) : 0;

	put_number(out, len, 4);
	buf_add(out, text, len);
}

static inline void
put_head(struct buf *out, enum frame_kind kind, uint16_t descriptors, uint64_t serial)
{
	put_number(out, 0, 4); /* the length: close_frame() */
	put_number(out, kind, 2);
	put_number(out, descriptors, 2);
	put_number(out, serial, 8);
}

static inline void
close_frame(struct buf *out, size_t begin)
{
	uint32_t len;

	if (out->over)
		return;
	len = (uint32_t)(out->len - begin - FRAME_HEAD_SIZE);
	memcpy(out->data + begin, &len, sizeof(len));
}

#endif
