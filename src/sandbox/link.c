#include <stddef.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

#include "sandbox/link.h"

static const char *
skip_blanks(const char *at)
{
	return at + strspn(at, " \t\r\n");
}

/* "&amp;" becomes "&", in place. */
static char *
undo_entities(char *link)
{
	char *to = link;

	for (const char *at = link; *at != '\0';) {
		*to++ = *at;
		at += text_starts(at, "&amp;") ? 5 : 1;
	}
	*to = '\0';
	return link;
}

char *
link_first(const char *html)
{
	const char *at = html;

	while ((at = text_find_same(at, "href")) != NULL) {
		const char *value;
		size_t len;

		at = skip_blanks(at + 4);
		if (*at != '=')
			continue;
		value = skip_blanks(at + 1);
		if (*value == '"' || *value == '\'') {
			char end[2] = { *value, '\0' };

			value++;
			len = strcspn(value, end);
		} else {
			len = strcspn(value, " \t\r\n>");
		}
		if (text_starts(value, "http://") || text_starts(value, "https://"))
			return undo_entities(mem_bytes(value, len));
		at = value;
	}
	return NULL;
}
