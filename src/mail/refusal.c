#include <stdarg.h>
#include <stdio.h>

#include "mail/refusal.h"

/* Makes the text what a reply line may hold: printable ASCII, a character of UTF-8 as one '?'. */
static void
make_printable(char *text)
{
	char *to = text;

	for (const char *from = text; *from != '\0'; from++) {
		unsigned char byte = (unsigned char)*from;

		if (byte >= 0x80 && byte < 0xc0)
			continue;
		if (byte == '\t' || byte == '\n')
			*to++ = ' ';
		else if (byte == '\r')
			continue;
		else
			*to++ = byte < 0x20 || byte >= 0x7f ? '?' : *from;
	}
	*to = '\0';
}

void
refusal_set(struct refusal *refusal, int code, const char *enhanced, const char *format, ...)
{
	va_list args;

	refusal->code = code;
	snprintf(refusal->enhanced, sizeof(refusal->enhanced), "%s", enhanced);
	va_start(args, format);
	vsnprintf(refusal->text, sizeof(refusal->text), format, args);
	va_end(args);
	make_printable(refusal->text);
}
