/* Fields of a mail's header, see field.h. */

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/base64.h"
#include "base/buf.h"
#include "mail/address.h"
#include "convert/field.h"

/* RFC 5322 2.1.1 wants lines of less than 998 bytes, RFC 2047 2 encoded words of 75 at most. */
#define MOST_PLAIN_VALUE 900
#define MOST_PLAIN_NAME  200
#define MOST_WORD_BYTES  45

static bool
is_plain(const char *text, size_t most)
{
	size_t len = strlen(text);

	for (size_t i = 0; i < len; i++)
		if (text[i] < 0x20 || text[i] >= 0x7F)
			return false;
	return len <= most && strstr(text, "=?") == NULL && (len == 0 || text[len - 1] != ' ');
}

/* RFC 2047 2 and 5: whole characters in each word, a line for each. */
static void
words_add(struct buf *out, const char *text)
{
	const char *end = text + strlen(text);

	for (bool first = true; text < end; first = false) {
		size_t len = (size_t)(end - text);

		if (len > MOST_WORD_BYTES) {
			len = MOST_WORD_BYTES;
			while (len > 1 && ((unsigned char)text[len] & 0xC0) == 0x80)
				len--;
		}
		buf_adds(out, first ? "=?utf-8?B?" : "\r\n =?utf-8?B?");
		base64_add(out, text, len);
		buf_adds(out, "?=");
		text += len;
	}
}

void
field_add(struct buf *out, const char *name, const char *value)
{
	buf_addf(out, "%s: ", name);
	if (is_plain(value, MOST_PLAIN_VALUE))
		buf_adds(out, value);
	else
		words_add(out, value);
	buf_adds(out, "\r\n");
}

void
field_add_mailbox(struct buf *out, const char *name, const struct mailbox *box)
{
	buf_addf(out, "%s: ", name);
	if (box->name != NULL && !is_plain(box->name, MOST_PLAIN_NAME)) {
		words_add(out, box->name);
		buf_addf(out, "\r\n <%s>", box->address);
	} else {
		struct buf printed;

		buf_init(&printed, SIZE_MAX / 4);
		mailbox_print(&printed, box);
		buf_add(out, printed.data, printed.len);
		buf_free(&printed);
	}
	buf_adds(out, "\r\n");
}
