#include <string.h>
#include <time.h>

#include <event2/http.h>

#include "base/text.h"

#include "sandbox/api.h"
#include "sandbox/state.h"
#include "sandbox/query.h"

const char *
query_text(const struct api_request *request, const char *key)
{
	const char *value = evhttp_find_header(request->query, key);

	return value != NULL && value[0] != '\0' ? value : NULL;
}

const char *
query_page(const struct api_request *request, bool windowed, struct query_page *page_r)
{
	const char *count = query_text(request, "count");
	const char *offset = query_text(request, "offset");
	uint64_t number;

	memset(page_r, 0, sizeof(*page_r));
	if (count == NULL || text_number(count, strlen(count), 1, QUERY_MOST_COUNT, &number) != 0)
		return "The 'count' parameter is required, from 1 to 500.";
	page_r->count = (size_t)number;
	if (offset == NULL || text_number(offset, strlen(offset), 0, INT32_MAX, &number) != 0)
		return "The 'offset' parameter is required, from 0.";
	page_r->offset = (size_t)number;
	if (windowed && page_r->count + page_r->offset > QUERY_MOST_WINDOW)
		return "The sum of 'count' and 'offset' may not exceed 10,000.";
	return NULL;
}

bool
query_page_has(struct query_page *page)
{
	size_t index = page->total++;

	return index >= page->offset && index - page->offset < page->count;
}

void
query_page_add(struct query_page *page, json_t *json)
{
	if (page->list == NULL)
		page->list = json_array();
	json_array_append_new(page->list, json);
}

void
query_page_answer(struct query_page *page, struct api_answer *answer, const char *name)
{
	api_answer_json(answer, json_pack("{s:I, s:o}", "TotalCount", (json_int_t)page->total, name,
				    page->list != NULL ? page->list : json_array()));
	page->list = NULL;
}

int
query_flag(const struct api_request *request, const char *key, bool *flag_r)
{
	const char *text = query_text(request, key);

	if (text == NULL)
		return 0;
	if (!text_same(text, "true") && !text_same(text, "false"))
		return -1;
	*flag_r = text_same(text, "true");
	return 0;
}

int
query_time(const struct api_request *request, const char *key, bool is_end, int64_t *ms_r)
{
	const char *text = query_text(request, key);
	const char *rest;
	struct tm tm = { 0 };
	int64_t ms;

	if (text == NULL)
		return 0;
	rest = strptime(text, "%Y-%m-%d", &tm);
	if (rest == NULL)
		return -1;
	if (*rest == '\0') {
		ms = (int64_t)timegm(&tm) * 1000 + (is_end ? 86400000 - 1 : 0);
	} else {
		rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
		if (rest == NULL || *rest != '\0')
			return -1;
		ms = (int64_t)timegm(&tm) * 1000 + (is_end ? 999 : 0);
	}
	*ms_r = ms - (int64_t)STATE_EASTERN_MINUTES * 60000;
	return 0;
}

const char *
query_span(const struct api_request *request, struct query_span *span_r)
{
	span_r->least_ms = 0;
	span_r->most_ms = INT64_MAX;
	return query_time(request, "fromdate", false, &span_r->least_ms) != 0 ||
		       query_time(request, "todate", true, &span_r->most_ms) != 0
		   ? "A date is not valid."
		   : NULL;
}

bool
query_span_has(const struct query_span *span, int64_t wall_ms)
{
	return wall_ms >= span->least_ms && wall_ms <= span->most_ms;
}

uint64_t
query_id(const char *part)
{
	uint64_t id = 0;

	(void)text_number(part, strlen(part), 1, INT64_MAX, &id);
	return id;
}
