/*
 * MIME by GMime.  GMime 3.2 is a good parser with some sharp edges; each is dulled here, where
 * its reason stands beside it.
 */

#include <gmime/gmime.h>
#include <iconv.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "mail/mime.h"

static GMimeParserOptions *parser_options;

void
mime_setup(void)
{
	/* glibc loads a converter's module at first use, and a confined process may not read it. */
	static const char *const charsets[] = { "us-ascii", "iso-8859-1", "iso-8859-2",
		"iso-8859-3", "iso-8859-4", "iso-8859-5", "iso-8859-6", "iso-8859-7", "iso-8859-8",
		"iso-8859-9", "iso-8859-10", "iso-8859-11", "iso-8859-13", "iso-8859-14",
		"iso-8859-15", "iso-8859-16", "windows-1250", "windows-1251", "windows-1252",
		"windows-1253", "windows-1254", "windows-1255", "windows-1256", "windows-1257",
		"windows-1258", "windows-874", "windows-31j", "koi8-r", "koi8-u", "iso-2022-jp",
		"iso-2022-jp-2", "iso-2022-jp-3", "iso-2022-kr", "iso-2022-cn", "shift_jis",
		"euc-jp", "euc-kr", "euc-tw", "uhc", "johab", "gb2312", "gbk", "gb18030",
		"hz-gb-2312", "big5", "big5-hkscs", "tis-620", "viscii", "tcvn", "macintosh",
		"ibm437", "ibm850", "ibm852", "ibm866", "utf-7", "utf-16", "utf-16le", "utf-16be",
		"utf-32" };

	if (parser_options != NULL)
		return;
	g_mime_init();
	parser_options = g_mime_parser_options_new();
	for (size_t i = 0; i < G_N_ELEMENTS(charsets); i++) {
		iconv_t converter = iconv_open("UTF-8", charsets[i]);
		if (converter != (iconv_t)-1)
			iconv_close(converter);
	}
}

struct _GMimeParserOptions *
mime_parser_options(void)
{
	return parser_options;
}

/* Characters that end a line or command a terminal, in UTF-8 of len bytes. */
static bool
is_control(const unsigned char *c, size_t len)
{
	if (len == 1)
		return c[0] < 0x20 || c[0] == 0x7F;
	if (len == 2) /* C1: U+0080 to U+009F */
		return c[0] == 0xC2 && c[1] < 0xA0;
	/* U+2028 and U+2029: line and paragraph separator */
	return len == 3 && c[0] == 0xE2 && c[1] == 0x80 && (c[2] == 0xA8 || c[2] == 0xA9);
}

char *
mime_clean(const char *text, size_t len)
{
	/* A bad byte grows to the three of U+FFFD. */
	char *out = mem_array(len + 1, 3);
	size_t n = 0;

	for (size_t i = 0; i < len;) {
		size_t step = text_utf8_len(text + i, len - i);
		if (step == 0) {
			memcpy(out + n, "\xEF\xBF\xBD", 3);
			n += 3;
			i++;
			continue;
		}
		if (is_control((const unsigned char *)text + i, step)) {
			if (n > 0)
				out[n++] = ' ';
		} else {
			memcpy(out + n, text + i, step);
			n += step;
		}
		i += step;
	}
	while (n > 0 && out[n - 1] == ' ')
		n--;
	out[n] = '\0';
	size_t start = strspn(out, " ");
	if (start > 0)
		memmove(out, out + start, n - start + 1);
	return out;
}
