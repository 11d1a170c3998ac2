/* Patterns: what they find, where they end, and that they always end. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/pattern.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct pattern *
make(const char *text)
{
	char why[200] = "";
	struct pattern *p = pattern_new(text, strlen(text), true, why, sizeof(why));

	if (p == NULL)
		fail_msg("%s: %s", text, why);
	return p;
}

static void
test_refused(void **state)
{
	/* PCRE2's own words, and its places, change from one version to the next. */
	static const struct {
		const char *reason, *text, *why;
	} cases[] = {
		{ "group not closed", "a(b", "closing parenthesis at offset 3 of the pattern" },
		{ "class not closed", "a[b", "terminating ] for character class at offset 3 of " },
		{ "nothing to repeat", "+", "quantifier does not follow a repeatable item" },
		{ "no such group", "\\1", "reference to non-existent subpattern" },
		{ "half a character", "\\C", "\\C is disabled" },
		{ "a name twice", "(?<a>x)(?<a>y)", "same name" },
		{ "half a letter", "\xc3", "UTF-8 error" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char why[200] = "";
		struct pattern *p =
		    pattern_new(cases[i].text, strlen(cases[i].text), true, why, sizeof(why));

		if (p != NULL)
			fail_msg("%s: compiled", cases[i].reason);
		if (strstr(why, cases[i].why) == NULL || strstr(why, " of the pattern") == NULL)
			fail_msg("%s: %s", cases[i].reason, why);
	}
}

/* Every match from the begin on, and in each the groups by name: "name=text,", '-' for none. */
static void
print_all(struct pattern *p, const char *text, struct buf *out)
{
	size_t at = 0, len;
	const char *group;

	while (pattern_match(p, text, strlen(text), &at, NULL) == PATTERN_MATCH) {
		buf_addc(out, '[');
		for (size_t i = 0; i < pattern_name_count(p); i++) {
			bool there = pattern_group(p, i, &group, &len);

			buf_addf(out, "%s%s=%.*s", i > 0 ? "," : "", pattern_name(p, i),
			    there ? (int)len : 1, there ? group : "-");
		}
		buf_addc(out, ']');
	}
	if (pattern_name_count(p) > 0)
		assert_false(pattern_group(p, 0, &group, &len));
}

static void
test_matches(void **state)
{
	static const struct {
		const char *reason, *pattern, *text, *found;
	} cases[] = {
		{ "none", "x", "abc", "" },
		{ "one", "b", "abc", "[]" },
		{ "without case", "B", "abc", "[]" },
		{ "without case beyond ASCII",
		    "\xc3\x9c"
		    "ber",
		    "\xc3\xbc"
		    "ber",
		    "[]" },
		{ "with case", "(?-i)B", "abc", "" },
		{ "letters are those of all alphabets", "^(?<w>\\w+)$",
		    "gr\xc3\xbc\xc3\x9f"
		    "e",
		    "[w=gr\xc3\xbc\xc3\x9f"
		    "e]" },
		{ "a dot is a whole character", "^(?<c>.)$", "\xe2\x82\xac", "[c=\xe2\x82\xac]" },
		{ "several matches", "(?<d>\\d+)", "a1b22c333", "[d=1][d=22][d=333]" },
		{ "in the order of names", "(?<z>a)(?<a>b)", "ab", "[a=b,z=a]" },
		{ "a group that took no part", "(?<a>x)|(?<b>y)", "y", "[a=-,b=y]" },
		{ "an empty group did", "(?<a>x*)y", "y", "[a=]" },
		{ "one name, several groups", "(?J)(?<a>x)|(?<a>y)", "xy", "[a=x][a=y]" },
		{ "the same by alternatives", "(?|(?<a>x)|z(?<a>y))", "xzy", "[a=x][a=y]" },
		{ "empty matches go on", "(?<a>x*)", "axx", "[a=][a=xx][a=]" },
		{ "past whole characters", "(?<a>x*)", "\xe2\x82\xacx", "[a=][a=x][a=]" },
		{ "one at the end, once", "$", "abc", "[]" },
		{ "lines", "(?m)^(?<k>\\w+): (?<v>.*)$", "a: 1\nb: 2\n", "[k=a,v=1][k=b,v=2]" },
		{ "a lookbehind sees what was before", "(?<=a)(?<b>b)", "abab", "[b=b][b=b]" },
		{ "an anchor is of the text, not of the search", "^(?<a>a)", "aaa", "[a=a]" },
		{ "a match that was moved", "a\\K(?<b>b)", "abab", "[b=b][b=b]" },
		{ "nothing, in nothing", "^$", "", "[]" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct pattern *p = make(cases[i].pattern);
		struct buf out;

		buf_init(&out, 10000);
		buf_adds(&out, "");
		print_all(p, cases[i].text, &out);
		if (strcmp(out.data == NULL ? "" : out.data, cases[i].found) != 0)
			fail_msg("%s: %s", cases[i].reason, out.data);
		assert_string_equal(pattern_text(p), cases[i].pattern);
		buf_free(&out);
		pattern_free(&p);
		assert_null(p);
		pattern_free(&p);
	}
}

/* Patterns that need the age of the universe for a text of somebody else's choice. */
static void
test_limits(void **state)
{
	static const struct {
		const char *reason, *pattern, *piece;
		size_t len;
		enum pattern_end end;
	} cases[] = {
		{ "exponential", "(a+)+$", "a", 40, PATTERN_MATCH },
		{ "exponential, and in vain", "^(a+)+b?$(?!a)c|(a+)+\\d", "a", 40, PATTERN_LIMIT },
		{ "alternatives", "^(a|aa)+\\d", "a", 200, PATTERN_LIMIT },
		{ "quadratic", "a*[bc]", "a", 5000000, PATTERN_LIMIT },
		{ "quadratic and possessive", "a*+[bc]", "a", 5000000, PATTERN_LIMIT },
		{ "short runs, many of them", "(a+)+[bc]", "aaaaaaaaaaaaaaaaaaad", 5000000,
		    PATTERN_LIMIT },
		{ "cubic", "a*a*a*[bc]", "a", 100000, PATTERN_LIMIT },
		{ "references", "(a*)\\1[bc]", "a", 1000000, PATTERN_LIMIT },
		{ "spaces before a line end", "\\s+$", " x", 1000000, PATTERN_NONE },
		{ "spaces, and never a line end", "\\s+\\z(?<!\\s)", " ", 1000000, PATTERN_LIMIT },
		{ "depth", "^(?:a|b)*c", "ab", 5000000, PATTERN_LIMIT },
		{ "recursion without end", "(?:a(?R)?)*\\d", "a", 1000, PATTERN_LIMIT },
		{ "what is simple ends by itself", "(?s)a.*?x$", "abcdefgx", 80000, PATTERN_MATCH },
		{ "so does a search of 5 MB", "total: (\\d+)", "nothing to be seen here. ", 5000000,
		    PATTERN_NONE },
		{ "words of 5 MB", "\\w+@\\w+", "nothing to be seen here. ", 5000000,
		    PATTERN_NONE },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct pattern *p = make(cases[i].pattern);
		size_t piece = strlen(cases[i].piece), at = 0;
		char *text = mem_new(cases[i].len + 1);
		enum pattern_end end;

		for (size_t j = 0; j < cases[i].len; j++)
			text[j] = cases[i].piece[j % piece];
		end = pattern_match(p, text, cases[i].len, &at, NULL);
		if (end != cases[i].end)
			fail_msg("%s: %d", cases[i].reason, end);
		/* And it is of use afterwards. */
		at = 0;
		assert_int_equal(pattern_match(p, "-", 1, &at, NULL), PATTERN_NONE);
		free(text);
		pattern_free(&p);
	}
}

/* Many matches of one text are together not more than one. */
static void
test_shared_limit(void **state)
{
	struct pattern *p = make("(?:a+)+[bc]|d");
	char text[30 * 4000 + 1];
	enum pattern_end end = PATTERN_MATCH;
	size_t at = 0, found = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(text) - 1; i++)
		text[i] = i % 30 == 0 ? 'd' : i % 30 < 14 ? 'a' : '.';
	text[sizeof(text) - 1] = '\0';
	while (end == PATTERN_MATCH) {
		end = pattern_match(p, text, sizeof(text) - 1, &at, NULL);
		found += end == PATTERN_MATCH;
	}
	assert_int_equal(end, PATTERN_LIMIT);
	assert_in_range(found, 1, 3999);
	pattern_free(&p);
}

/* Searches of several patterns together take no more than their budget. */
static void
test_budget(void **state)
{
	static const char text[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab";
	struct pattern_budget budget = { .steps = 5000000 }, small = { .steps = 1 };
	struct pattern *slow = make("(a+)+$"), *quick = make("b$");
	size_t at = 0;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		at = 0;
		assert_int_equal(
		    pattern_match(slow, text, strlen(text), &at, &budget), PATTERN_LIMIT);
	}
	assert_int_equal(budget.steps, 0);
	assert_int_equal(pattern_match(quick, text, strlen(text), &at, &budget), PATTERN_LIMIT);
	assert_int_equal(at, 0);
	assert_int_equal(pattern_match(quick, text, strlen(text), &at, NULL), PATTERN_MATCH);

	/* Even one that needs no step costs something. */
	at = 0;
	assert_int_equal(pattern_match(quick, "a", 1, &at, &small), PATTERN_NONE);
	assert_int_equal(small.steps, 0);
	pattern_free(&slow);
	pattern_free(&quick);
}

static void
test_glob(void **state)
{
	static const struct {
		const char *reason, *glob, *text;
		bool holds;
	} cases[] = {
		{ "the same", "ann@b.example", "ann@b.example", true },
		{ "without case", "Ann@B.example", "aNN@b.EXAMPLE", true },
		{ "longer text", "ann", "anna", false },
		{ "longer glob", "anna", "ann", false },
		{ "a star is anything", "*@b.example", "ann@b.example", true },
		{ "and nothing", "*ann*", "ann", true },
		{ "stars in between", "a*b*c", "aXbbYc", true },
		{ "it goes back", "*ab", "aabab", true },
		{ "in vain", "*ab*ba", "aba", false },
		{ "several stars are one", "a***b", "ab", true },
		{ "one character", "a?c", "abc", true },
		{ "not none", "a?c", "ac", false },
		{ "a whole one", "a?c",
		    "a\xe2\x82\xac"
		    "c",
		    true },
		{ "behind a star", "*?c",
		    "\xe2\x82\xac"
		    "c",
		    true },
		{ "all of a domain", "@b.example", "ann@b.example", true },
		{ "not one below it", "@b.example", "ann@x.b.example", false },
		{ "not one that ends so", "@b.example", "ann@ab.example", false },
		{ "unless wanted", "@*.b.example", "ann@x.b.example", true },
		{ "all below", "*.example", "ann@x.b.example", true },
		{ "dots and brackets mean themselves", "a.[b]\\", "a.[b]\\", true },
		{ "a dot is no wildcard", "a.c", "abc", false },
		{ "nothing", "", "", true },
		{ "nothing is not something", "", "a", false },
		{ "a star is nothing, too", "*", "", true },
		{ "broken characters", "a?c",
		    "a\xff"
		    "c",
		    true },
	};
	char *text = mem_new(100001), *glob = mem_new(1001);

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		if (pattern_glob(cases[i].glob, cases[i].text) != cases[i].holds)
			fail_msg("%s", cases[i].reason);

	memset(text, 'a', 100000);
	for (size_t i = 0; i < 1000; i += 2)
		memcpy(glob + i, "*a", 2);
	glob[999] = 'b';
	assert_false(pattern_glob(glob, text));
	glob[999] = 'a';
	assert_true(pattern_glob(glob, text));
	free(text);
	free(glob);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_matches),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_shared_limit),
		cmocka_unit_test(test_budget),
		cmocka_unit_test(test_glob),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
