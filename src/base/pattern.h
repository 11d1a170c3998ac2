#ifndef PMRELAY_BASE_PATTERN_H
#define PMRELAY_BASE_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Regular expressions of an operator, run on texts of anybody: PCRE2 with limits on work, depth
 * and memory, so that no pattern and no text can hang the relay.  UTF-8, and \w, \d, \b and their
 * like know all of Unicode; (?m), (?s), (?-i) and so on as in pcre2pattern(3); a line ends with
 * LF.  Single-threaded.
 */
struct pattern;

enum pattern_end {
	PATTERN_MATCH,
	PATTERN_NONE,
	PATTERN_LIMIT, /* given up: as good as none, but the operator should hear of it */
};

/*
 * What several searches may cost together, beside the limit that each has: some 20 ns a step.
 * Where nothing is left, the next gives up.
 */
struct pattern_budget {
	uint64_t steps;
};
/* For all that is searched for in one mail: about half a second. */
#define PATTERN_STEPS_OF_MAIL UINT64_C(25000000)

/* caseless: unless the pattern itself says (?-i).  NULL and why, with the place in the pattern. */
struct pattern *pattern_new(
    const char *text, size_t len, bool caseless, char *why, size_t why_size);
void pattern_free(struct pattern **);
const char *pattern_text(const struct pattern *); /* as it was given */

/* Named groups, in the order of their names.  Names are lent for the pattern's life. */
size_t pattern_name_count(const struct pattern *);
const char *pattern_name(const struct pattern *, size_t index);

/*
 * The first match from *at on; text is valid UTF-8, and *at the begin of a character.  On a match
 * *at is where the next search begins (past an empty match, too).  All searches that follow one
 * from 0 share its limit of work.  budget: what is left is counted down; NULL: there is none.
 */
enum pattern_end pattern_match(
    struct pattern *, const char *text, size_t len, size_t *at, struct pattern_budget *budget);
/* What a named group was in the last match: lent from that text.  False: it took no part. */
bool pattern_group(const struct pattern *, size_t index, const char **text_r, size_t *len_r);

/*
 * '*' and '?' (one character) alone, without ASCII case: for names and addresses.  One that begins
 * with '@' may have anything before it: "@b.example" holds for all of that domain.  Never takes
 * more steps than the two lengths multiplied.
 */
bool pattern_glob(const char *glob, const char *text);

#endif
