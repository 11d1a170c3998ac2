/*
 * The input is a pattern, and after a NUL a text.  A pattern is refused with a reason, or all its
 * searches through the text end: each goes on behind the one before, and a group is whole
 * characters of the text.  Taken as a glob it holds exactly where a slow and obvious one does.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/pattern.h"
#include "base/text.h"

/* An honest quadratic search of a long text is not what is looked for here. */
#define MOST_INPUT 2000

static void
must(bool right)
{
	if (!right)
		abort();
}

static bool
same_letter(char a, char b)
{
	return text_same_n(&a, &b, 1);
}

/* By the definition: row i tells which ends of the text the first i of the glob may come to. */
static bool
glob_slowly(const char *glob, const char *text)
{
	size_t len = strlen(text);
	bool *now = mem_array(len + 1, sizeof(*now)), *next = mem_array(len + 1, sizeof(*next));
	bool result;

	now[0] = true;
	for (size_t i = 0; i <= len && *glob == '@';
	     i += i < len ? text_utf8_len(text + i, len - i) : 1)
		now[i] = true;
	for (; *glob != '\0'; glob++) {
		bool any = false, *old = now;

		memset(next, 0, (len + 1) * sizeof(*next));
		for (size_t i = 0; i <= len; i++) {
			any = any || now[i];
			if (*glob == '*')
				next[i] =
				    any && (i == len || ((unsigned char)text[i] & 0xc0) != 0x80);
			else if (i == len || !now[i])
				continue;
			else if (*glob == '?')
				next[i + text_utf8_len(text + i, len - i)] = true;
			else if (same_letter(*glob, text[i]))
				next[i + 1] = true;
		}
		now = next;
		next = old;
	}
	result = now[len];
	free(now);
	free(next);
	return result;
}

static void
search(struct pattern *p, const char *text, size_t len)
{
	size_t at = 0, count = 0;

	for (;;) {
		size_t before = at, group_len;
		const char *group;
		enum pattern_end end = pattern_match(p, text, len, &at, NULL);

		if (end != PATTERN_MATCH) {
			must(at == before);
			break;
		}
		must(at > before && at <= len + 1);
		must(at > len || at == len || ((unsigned char)text[at] & 0xc0) != 0x80);
		must(++count <= len + 1);
		for (size_t i = 0; i < pattern_name_count(p); i++) {
			must(i == 0 || strcmp(pattern_name(p, i - 1), pattern_name(p, i)) < 0);
			if (!pattern_group(p, i, &group, &group_len))
				continue;
			must(group >= text && group <= text + len);
			must(group_len <= len - (size_t)(group - text));
			must(text_is_utf8(group, group_len));
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const char *nul = len == 0 ? NULL : memchr(data, '\0', len);
	char why[200] = "", *glob, *text;
	struct pattern *p;
	size_t text_len;

	if (nul == NULL || len > MOST_INPUT)
		return 0;
	glob = mem_bytes(data, (size_t)(nul - (const char *)data));
	text_len = len - strlen(glob) - 1;
	text = mem_bytes(nul + 1, text_len);
	p = pattern_new(glob, strlen(glob), text_len % 2 == 0, why, sizeof(why));
	must((p == NULL) == (why[0] != '\0'));
	if (text_is_utf8(text, text_len)) {
		if (p != NULL)
			search(p, text, text_len);
		if (text_is_utf8(glob, strlen(glob)))
			must(pattern_glob(glob, text) == glob_slowly(glob, text));
	}
	pattern_free(&p);
	free(glob);
	free(text);
	return 0;
}
