#include <string.h>

#include "base/buf.h"
#include "smtp/session.h"
#include "smtp/reply.h"

/* Appends text to line as printable ASCII, as far as there is room; a character of UTF-8 becomes
 * one '?'.  Returns the new length. */
static size_t
add_safe(char *line, size_t len, size_t most, const char *text)
{
	for (; *text != '\0' && len < most; text++) {
		unsigned char byte = (unsigned char)*text;

		if (byte >= 0x80 && byte < 0xc0)
			continue;
		line[len++] = byte < 0x20 || byte >= 0x7f ? '?' : *text;
	}
	return len;
}

void
smtp_reply_print_line(struct buf *out, const struct smtp_reply *reply, bool last)
{
	char line[SMTP_REPLY_MOST];
	const size_t most = sizeof(line) - 2;
	int code = reply->code >= 200 && reply->code <= 599 ? reply->code : 451;
	size_t len;

	line[0] = (char)('0' + code / 100);
	line[1] = (char)('0' + code / 10 % 10);
	line[2] = (char)('0' + code % 10);
	line[3] = last ? ' ' : '-';
	len = 4;
	if (reply->enhanced != NULL && reply->enhanced[0] != '\0') {
		len = add_safe(line, len, most, reply->enhanced);
		len = add_safe(line, len, most, " ");
	}
	if (reply->text != NULL)
		len = add_safe(line, len, most, reply->text);
	memcpy(line + len, "\r\n", 2);
	buf_add(out, line, len + 2);
}

void
smtp_reply_print(struct buf *out, const struct smtp_reply *reply)
{
	smtp_reply_print_line(out, reply, true);
}
