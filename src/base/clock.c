#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

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
