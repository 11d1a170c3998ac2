/*
 * Spans and moments of time.
 */

#include <inttypes.h>
#include <string.h>

#include "base/buf.h"
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

/* Days since 1970-01-01 of the Gregorian calendar; years from 1970 on. */
static int64_t
days_of(int64_t year, int64_t month, int64_t day)
{
	/* The year begins in March, so that the leap day is its last. */
	int64_t from_march = (month + 9) % 12;
	int64_t y = month <= 2 ? year - 1 : year;

	return 365 * y + y / 4 - y / 100 + y / 400 + (153 * from_march + 2) / 5 + day - 1 - 719468;
}

static int64_t
days_in(int64_t year, int64_t month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

/* Exactly count digits at *text, which goes on behind them.  -1: they are not there. */
static int
take_digits(const char **text, size_t count, int64_t least, int64_t most, int64_t *number_r)
{
	uint64_t number;

	if (strspn(*text, "0123456789") < count ||
	    text_number(*text, count, (uint64_t)least, (uint64_t)most, &number) != 0)
		return -1;
	*text += count;
	*number_r = (int64_t)number;
	return 0;
}

static bool
take(const char **text, const char *one_of)
{
	if (**text == '\0' || strchr(one_of, **text) == NULL)
		return false;
	(*text)++;
	return true;
}

/* RFC 3339 5.6, or the date alone, which is its beginning in UTC.  0, or -1. */
static int
read_moment(const char *text, int64_t *ms_r)
{
	int64_t year, month, day, hour, minute, second, away_hours, away_minutes;
	int64_t ms, part = 100;

	if (take_digits(&text, 4, 1970, 9999, &year) != 0 || !take(&text, "-") ||
	    take_digits(&text, 2, 1, 12, &month) != 0 || !take(&text, "-") ||
	    take_digits(&text, 2, 1, 31, &day) != 0 || day > days_in(year, month))
		return -1;
	ms = days_of(year, month, day) * DAY;
	if (*text == '\0') {
		*ms_r = ms;
		return 0;
	}
	/* A leap second is taken for the one after it. */
	if (!take(&text, "Tt ") || take_digits(&text, 2, 0, 23, &hour) != 0 || !take(&text, ":") ||
	    take_digits(&text, 2, 0, 59, &minute) != 0 || !take(&text, ":") ||
	    take_digits(&text, 2, 0, 60, &second) != 0)
		return -1;
	ms += hour * HOUR + minute * MINUTE + second * SECOND;
	if (take(&text, ".")) {
		if (*text < '0' || *text > '9')
			return -1;
		for (; *text >= '0' && *text <= '9'; text++, part /= 10)
			ms += (*text - '0') * part;
	}
	if (!take(&text, "Zz")) {
		int64_t sign = *text == '-' ? -1 : 1;

		if (!take(&text, "+-") || take_digits(&text, 2, 0, 23, &away_hours) != 0 ||
		    !take(&text, ":") || take_digits(&text, 2, 0, 59, &away_minutes) != 0)
			return -1;
		ms -= sign * (away_hours * HOUR + away_minutes * MINUTE);
	}
	if (*text != '\0' || ms < 0)
		return -1;
	*ms_r = ms;
	return 0;
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
	if (read_moment(text, &ms) == 0)
		return json_integer(ms);
	if (read_span(text, &ms) != 0)
		return kind_wrong_value(why, argument, value);
	return json_integer(ms > now_ms ? 0 : now_ms - ms);
}
