#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "base/text.h"

#include "base/clock.h"

#define SECOND_MS INT64_C(1000)
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS   (60 * MINUTE_MS)
#define DAY_MS    (24 * HOUR_MS)

/* Atomic, because the threads that log or write ask while a test sets the hands. */
static atomic_bool fake;
static atomic_int_fast64_t fake_wall_ms;
static atomic_int_fast64_t fake_mono_us;

static int64_t
clock_read_us(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t
clock_wall_ms(void)
{
	if (atomic_load_explicit(&fake, memory_order_relaxed))
		return atomic_load(&fake_wall_ms);
	return clock_read_us(CLOCK_REALTIME) / 1000;
}

int64_t
clock_mono_ms(void)
{
	return clock_mono_us() / 1000;
}

int64_t
clock_mono_us(void)
{
	if (atomic_load_explicit(&fake, memory_order_relaxed))
		return atomic_load(&fake_mono_us);
	return clock_read_us(CLOCK_MONOTONIC);
}

void
clock_fake(int64_t wall_ms, int64_t mono_ms)
{
	atomic_store(&fake_wall_ms, wall_ms);
	atomic_store(&fake_mono_us, mono_ms * 1000);
	atomic_store(&fake, true);
}

void
clock_fake_advance(int64_t span_ms)
{
	atomic_fetch_add(&fake_wall_ms, span_ms);
	atomic_fetch_add(&fake_mono_us, span_ms * 1000);
}

void
clock_restore(void)
{
	atomic_store(&fake, false);
}

static char *
put_digits(char *to, int64_t number, int count)
{
	for (int i = count - 1; i >= 0; i--) {
		to[i] = (char)('0' + number % 10);
		number /= 10;
	}
	return to + count;
}

/*
 * Own arithmetic rather than gmtime_r(), which takes glibc's lock over the time zone on each
 * line that is logged.  The calendar is counted in years that begin in March, so that the leap
 * day is the last of its year.
 */
char *
clock_text(char out[CLOCK_TEXT_SIZE], int64_t wall_ms)
{
	/* Years 0000 to 9999: the form has four digits and no sign. */
	const int64_t least = -62167219200000, most = 253402300799999;
	int64_t ms = wall_ms < least ? least : wall_ms > most ? most : wall_ms;
	int64_t day_ms = ms % 86400000;
	int64_t days, era, day_of_era, year_of_era, day_of_year, month_index, day, month, year;
	char *to = out;

	if (day_ms < 0)
		day_ms += 86400000;
	days = (ms - day_ms) / 86400000 + 719468; /* since 0000-03-01 */
	era = (days >= 0 ? days : days - 146096) / 146097;
	day_of_era = days - era * 146097;
	year_of_era =
	    (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	month_index = (5 * day_of_year + 2) / 153;
	day = day_of_year - (153 * month_index + 2) / 5 + 1;
	month = month_index < 10 ? month_index + 3 : month_index - 9;
	year = year_of_era + era * 400 + (month <= 2);

	to = put_digits(to, year, 4);
	*to++ = '-';
	to = put_digits(to, month, 2);
	*to++ = '-';
	to = put_digits(to, day, 2);
	*to++ = 'T';
	to = put_digits(to, day_ms / 3600000, 2);
	*to++ = ':';
	to = put_digits(to, day_ms / 60000 % 60, 2);
	*to++ = ':';
	to = put_digits(to, day_ms / 1000 % 60, 2);
	*to++ = '.';
	to = put_digits(to, day_ms % 1000, 3);
	*to++ = 'Z';
	*to = '\0';
	return out;
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

int
clock_read(const char *text, int64_t *ms_r)
{
	int64_t year, month, day, hour, minute, second, away_hours, away_minutes;
	int64_t ms, part = 100;

	if (take_digits(&text, 4, 1970, 9999, &year) != 0 || !take(&text, "-") ||
	    take_digits(&text, 2, 1, 12, &month) != 0 || !take(&text, "-") ||
	    take_digits(&text, 2, 1, 31, &day) != 0 || day > days_in(year, month))
		return -1;
	ms = days_of(year, month, day) * DAY_MS;
	if (*text == '\0') {
		*ms_r = ms;
		return 0;
	}
	/* A leap second is taken for the one after it. */
	if (!take(&text, "Tt ") || take_digits(&text, 2, 0, 23, &hour) != 0 || !take(&text, ":") ||
	    take_digits(&text, 2, 0, 59, &minute) != 0 || !take(&text, ":") ||
	    take_digits(&text, 2, 0, 60, &second) != 0)
		return -1;
	ms += hour * HOUR_MS + minute * MINUTE_MS + second * SECOND_MS;
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
		ms -= sign * (away_hours * HOUR_MS + away_minutes * MINUTE_MS);
	}
	if (*text != '\0' || ms < 0)
		return -1;
	*ms_r = ms;
	return 0;
}
