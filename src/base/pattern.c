/*
 * PCRE2 within limits.
 *
 * PCRE2's own match limit counts from each place where a match may begin anew, and does not see
 * how far a repeat runs in one go: (a+)+$ ends by it, but a*[bc] on five megabytes of "a" needs
 * 10^13 comparisons without ever coming near.  So the work is counted here: PCRE2 calls back
 * before each item of the pattern that it tries (PCRE2_AUTO_CALLOUT), each call costs one step,
 * and each byte by which the match went ahead since the last one costs another.
 *
 * There is no JIT.  It knows neither the depth limit nor the heap limit, and needs memory that can
 * be written and run in the process that parses foreign bytes.
 */

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/pattern.h"
#include "base/text.h"

/* A step takes some 20 ns: a short text costs 50 ms at the most, one of 5 MB two seconds. */
#define MOST_STEPS          UINT64_C(2000000)
#define MOST_STEPS_PER_BYTE UINT64_C(16)
#define LEAST_STEPS         UINT64_C(10) /* of a search, in its budget */

/* Behind the steps: between two of them these hold. */
#define MOST_CALLS    10000000
#define MOST_DEPTH    1000000
#define MOST_HEAP_KIB (UINT32_C(64) * 1024)
#define KEPT_HEAP     ((size_t)256 * 1024) /* by a pattern between two matches */

struct pattern {
	char *text;
	size_t text_len;
	pcre2_code *code;
	pcre2_match_data *data;
	pcre2_match_context *context;
	bool refers_back;

	/* PCRE2's table: name_rows rows of name_size bytes, ordered by name, which may repeat. */
	const char *names;
	uint32_t name_rows, name_size;
	uint32_t *first; /* of each name: its first row */
	size_t name_count;

	/* The search under way. */
	uint64_t steps, most_steps;
	size_t last; /* where the last callout was */

	/* The last match; subject NULL: there is none. */
	const char *subject;
	struct group {
		bool set;
		size_t from, to;
	} * groups; /* by name */
};

static int
count_step(pcre2_callout_block *block, void *ctx)
{
	struct pattern *p = ctx;
	size_t now = block->current_position;

	p->steps++;
	if (now > p->last)
		p->steps += now - p->last;
	/* A reference compares as much as its group has, even if it fails. */
	if (p->refers_back)
		p->steps += now > block->start_match ? now - block->start_match : 0;
	p->last = now;
	return p->steps > p->most_steps ? PCRE2_ERROR_CALLOUT : 0;
}

/* ---- birth and death --------------------------------------------------------------------- */

static const char *
row_at(const struct pattern *p, uint32_t row)
{
	return p->names + (size_t)row * p->name_size;
}

/* Each row of the table is a group's number in two bytes, and its name. */
static const char *
row_name(const struct pattern *p, uint32_t row)
{
	return row_at(p, row) + 2;
}

static uint32_t
row_group(const struct pattern *p, uint32_t row)
{
	const unsigned char *number = (const unsigned char *)row_at(p, row);

	return ((uint32_t)number[0] << 8) | number[1];
}

static void
read_names(struct pattern *p)
{
	PCRE2_SPTR names = NULL;

	pcre2_pattern_info(p->code, PCRE2_INFO_NAMECOUNT, &p->name_rows);
	pcre2_pattern_info(p->code, PCRE2_INFO_NAMEENTRYSIZE, &p->name_size);
	pcre2_pattern_info(p->code, PCRE2_INFO_NAMETABLE, &names);
	p->names = (const char *)names;
	p->first = mem_array((size_t)p->name_rows + 1, sizeof(*p->first));
	/* A name may have several groups: (?J), and alternatives in (?|...). */
	for (uint32_t row = 0; row < p->name_rows; row++)
		if (row == 0 || strcmp(row_name(p, row), row_name(p, row - 1)) != 0)
			p->first[p->name_count++] = row;
	p->first[p->name_count] = p->name_rows;
	p->groups = mem_array(p->name_count + 1, sizeof(*p->groups));
}

static void
renew_data(struct pattern *p)
{
	pcre2_match_data_free(p->data);
	p->data = pcre2_match_data_create_from_pattern(p->code, NULL);
	if (p->data == NULL)
		mem_exhausted(sizeof(struct pattern));
}

static bool
compile(struct pattern *p, bool caseless, char *why, size_t why_size)
{
	const uint32_t options = PCRE2_UTF | PCRE2_UCP | PCRE2_AUTO_CALLOUT |
				 PCRE2_NEVER_BACKSLASH_C | (caseless ? PCRE2_CASELESS : 0);
	pcre2_compile_context *context = pcre2_compile_context_create(NULL);
	char message[200];
	PCRE2_SIZE place = 0;
	int error = 0;

	if (context == NULL)
		mem_exhausted(sizeof(struct pattern));
	/* Whatever the library was built with. */
	pcre2_set_newline(context, PCRE2_NEWLINE_LF);
	pcre2_set_bsr(context, PCRE2_BSR_UNICODE);
	p->code = pcre2_compile((PCRE2_SPTR)p->text, p->text_len, options, &error, &place, context);
	pcre2_compile_context_free(context);
	if (p->code != NULL)
		return true;
	if (pcre2_get_error_message(error, (PCRE2_UCHAR *)message, sizeof(message)) < 0)
		snprintf(message, sizeof(message), "error %d", error);
	snprintf(why, why_size, "%s at offset %zu of the pattern", message, place);
	return false;
}

struct pattern *
pattern_new(const char *text, size_t len, bool caseless, char *why, size_t why_size)
{
	struct pattern *p = mem_new(sizeof(*p));
	uint32_t references = 0;

	p->text = mem_bytes(text, len);
	p->text_len = len;
	if (!compile(p, caseless, why, why_size)) {
		pattern_free(&p);
		return NULL;
	}
	p->context = pcre2_match_context_create(NULL);
	if (p->context == NULL)
		mem_exhausted(sizeof(*p));
	pcre2_set_match_limit(p->context, MOST_CALLS);
	pcre2_set_depth_limit(p->context, MOST_DEPTH);
	pcre2_set_heap_limit(p->context, MOST_HEAP_KIB);
	pcre2_set_callout(p->context, count_step, p);
	pcre2_pattern_info(p->code, PCRE2_INFO_BACKREFMAX, &references);
	p->refers_back = references > 0;
	renew_data(p);
	read_names(p);
	return p;
}

void
pattern_free(struct pattern **pattern_p)
{
	struct pattern *p = *pattern_p;

	if (p == NULL)
		return;
	pcre2_match_data_free(p->data);
	pcre2_match_context_free(p->context);
	pcre2_code_free(p->code);
	free(p->groups);
	free(p->first);
	free(p->text);
	free(p);
	*pattern_p = NULL;
}

const char *
pattern_text(const struct pattern *p)
{
	return p->text;
}

size_t
pattern_name_count(const struct pattern *p)
{
	return p->name_count;
}

const char *
pattern_name(const struct pattern *p, size_t index)
{
	return row_name(p, p->first[index]);
}

/* ---- matching ---------------------------------------------------------------------------- */

/*
 * From 10.41 on match data keeps the heap of its largest match: hundreds of patterns would come to
 * gigabytes.  Frames are some hundred bytes for each step that may be taken back.
 */
static void
drop_heap(struct pattern *p)
{
	if (p->steps > KEPT_HEAP / 256)
		renew_data(p);
}

static void
keep_groups(struct pattern *p, const PCRE2_SIZE *places, size_t len)
{
	memset(p->groups, 0, (p->name_count + 1) * sizeof(*p->groups));
	for (size_t i = 0; i < p->name_count; i++) {
		struct group *group = &p->groups[i];

		for (uint32_t row = p->first[i]; row < p->first[i + 1] && !group->set; row++) {
			uint32_t number = row_group(p, row);

			group->from = places[2 * number];
			group->to = places[2 * number + 1];
			group->set = group->from != PCRE2_UNSET && group->to != PCRE2_UNSET &&
				     group->from <= group->to && group->to <= len;
		}
	}
}

/* Where the search after a match begins. */
static size_t
after_match(const char *text, size_t len, size_t from, const PCRE2_SIZE *places)
{
	/* \K may put the begin of a match behind its end. */
	size_t next = places[1] > places[0] ? places[1] : places[0];

	if (places[1] > places[0] && next > from)
		return next;
	/* Empty: one character further, or past the end. */
	if (next < from)
		next = from;
	if (next >= len)
		return len + 1;
	size_t step = text_utf8_len(text + next, len - next);
	return next + (step == 0 ? 1 : step);
}

static void
budget_take(struct pattern_budget *budget, uint64_t steps)
{
	if (budget == NULL)
		return;
	steps += LEAST_STEPS;
	budget->steps -= steps < budget->steps ? steps : budget->steps;
}

enum pattern_end
pattern_match(
    struct pattern *p, const char *text, size_t len, size_t *at, struct pattern_budget *budget)
{
	size_t from = *at;
	uint64_t before;
	const PCRE2_SIZE *places;
	int result;

	p->subject = NULL;
	if (from > len)
		return PATTERN_NONE;
	if (budget != NULL && budget->steps == 0)
		return PATTERN_LIMIT;
	if (from == 0)
		p->steps = 0;
	before = p->steps;
	p->most_steps = MOST_STEPS + MOST_STEPS_PER_BYTE * len;
	if (budget != NULL && p->most_steps > before + budget->steps)
		p->most_steps = before + budget->steps;
	p->last = from;
	if (text == NULL)
		text = "";
	result = pcre2_match(
	    p->code, (PCRE2_SPTR)text, len, from, PCRE2_NO_UTF_CHECK, p->data, p->context);
	if (result >= 0) {
		places = pcre2_get_ovector_pointer(p->data);
		keep_groups(p, places, len);
		*at = after_match(text, len, from, places);
		p->subject = text;
	}
	drop_heap(p);
	budget_take(budget, p->steps - before);
	if (result == PCRE2_ERROR_NOMEMORY)
		mem_exhausted((size_t)MOST_HEAP_KIB * 1024);
	if (result >= 0)
		return PATTERN_MATCH;
	return result == PCRE2_ERROR_NOMATCH ? PATTERN_NONE : PATTERN_LIMIT;
}

bool
pattern_group(const struct pattern *p, size_t index, const char **text_r, size_t *len_r)
{
	const struct group *group = &p->groups[index];
	bool set = p->subject != NULL && group->set;

	*text_r = set ? p->subject + group->from : NULL;
	*len_r = set ? group->to - group->from : 0;
	return set;
}

/* ---- globs ------------------------------------------------------------------------------- */

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* The character at text, or the byte of one that is broken. */
static size_t
character(const char *text)
{
	size_t len = text_utf8_len(text, strnlen(text, 4));

	return len == 0 ? 1 : len;
}

bool
pattern_glob(const char *glob, const char *text)
{
	/* Where to go on when what follows the last '*' does not fit: only that one is ever moved,
	 * because an earlier one that fits earliest fits best. */
	const char *star = *glob == '@' ? glob : NULL, *retry = text;

	while (*text != '\0') {
		if (*glob == '*') {
			star = ++glob;
			retry = text;
		} else if (*glob == '?') {
			glob++;
			text += character(text);
		} else if (*glob != '\0' && lower(*glob) == lower(*text)) {
			glob++;
			text++;
		} else if (star != NULL) {
			glob = star;
			retry += character(retry);
			text = retry;
		} else {
			return false;
		}
	}
	while (*glob == '*')
		glob++;
	return *glob == '\0';
}
