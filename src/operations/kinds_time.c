/*
 * Spans and moments of time.
 */

#include <inttypes.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/text.h"

#include "operations/kinds_inside.h"

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

static const struct unit {
	const char *name;
	int64_t ms;
} units[] = {
	{ "ms", 1 },
	{ "s", SECOND },
	{ "m", MINUTE },
	{ "h", HOUR },
	{ "d", DAY },
};

/* "90s".  0, or -1. */
static int
read_span(const char *text, int64_t *ms_r)
{
	size_t digits = strspn(text, "0123456789");
	uint64_t number;

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (!text_same(text + digits, units[i].name))
			continue;
		if (text_number(text, digits, 0, (uint64_t)(INT64_MAX / units[i].ms), &number) != 0)
			return -1;
		*ms_r = (int64_t)number * units[i].ms;
		return 0;
	}
	return -1;
}

static void
add_span(struct buf *out, int64_t ms)
{
	size_t i = sizeof(units) / sizeof(units[0]) - 1;

	while (i > 0 && (ms < units[i].ms || ms % units[i].ms != 0))
		i--;
	buf_addf(out, "%" PRId64 "%s", ms / units[i].ms, units[i].name);
}

json_t *
kind_check_time(const struct argument *argument, const json_t *value, struct buf *why)
{
	const char *text = kind_plain_text(value);
	char quoted[KIND_QUOTE_SIZE];
	int64_t ms;

	if (json_is_integer(value) && json_integer_value(value) >= 0)
		ms = json_integer_value(value);
	else if (text == NULL || text[0] == '-' ||
		 (kind_read_integer(text, &ms) != 0 && read_span(text, &ms) != 0))
		return kind_wrong_value(why, argument, value);
	if (kind_in_range(argument, ms))
		return json_integer(ms);
	buf_addf(why, "%s: found %s, wanted a span of time from ", argument->name,
	    kind_found(quoted, argument, value));
	add_span(why, argument->least);
	buf_adds(why, " to ");
	add_span(why, argument->most);
	return NULL;
}

json_t *
kind_check_when(
    const struct argument *argument, const json_t *value, int64_t now_ms, struct buf *why)
{
	const char *text = kind_plain_text(value);
	int64_t ms;

	if (json_is_integer(value) && json_integer_value(value) >= 0)
		return json_integer(json_integer_value(value));
	if (text == NULL)
		return kind_wrong_value(why, argument, value);
	if (clock_read(text, &ms) == 0)
		return json_integer(ms);
	if (read_span(text, &ms) != 0)
		return kind_wrong_value(why, argument, value);
	return json_integer(ms > now_ms ? 0 : now_ms - ms);
}
