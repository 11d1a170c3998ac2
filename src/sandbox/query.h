#ifndef PMRELAY_SANDBOX_QUERY_H
#define PMRELAY_SANDBOX_QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

struct api_answer;
struct api_request;

/* What a query of the API says.  Names are found without regard to case; "" counts as absent. */
#define QUERY_MOST_COUNT  500
#define QUERY_MOST_WINDOW 10000 /* of count and offset together, where there is such a limit */

const char *query_text(const struct api_request *, const char *key); /* NULL: absent */

struct query_page {
	size_t count;  /* 1 to QUERY_MOST_COUNT */
	size_t offset; /* from 0 */
	size_t total;  /* found so far */
	json_t *list;  /* those that are on the page; NULL: none yet */
};

/* Both are required.  windowed: QUERY_MOST_WINDOW holds.  NULL, or what is wrong. */
const char *query_page(const struct api_request *, bool windowed, struct query_page *page_r);
/* Counts one more that was found; true: it is on the page. */
bool query_page_has(struct query_page *);
void query_page_add(struct query_page *, json_t *json); /* takes the reference */
/* The page under that name, with TotalCount. */
void query_page_answer(struct query_page *, struct api_answer *, const char *name);

/* "true" or "false".  -1: something else; absent leaves *flag_r. */
int query_flag(const struct api_request *, const char *key, bool *flag_r);

/*
 * "2026-09-05" or "2026-09-05T10:00:00", US Eastern, as milliseconds since 1970 UTC.  A day alone
 * means its start, or with is_end its last moment.  -1: no date; absent leaves *ms_r.
 */
int query_time(const struct api_request *, const char *key, bool is_end, int64_t *ms_r);

/* From fromdate to todate. */
struct query_span {
	int64_t least_ms;
	int64_t most_ms;
};

/* Absent dates are no limit.  NULL, or what is wrong. */
const char *query_span(const struct api_request *, struct query_span *span_r);
bool query_span_has(const struct query_span *, int64_t wall_ms);

/* A part of the path that is an ID, from 1.  0: it is none. */
uint64_t query_id(const char *part);

#endif
