#ifndef PMRELAY_BASE_CLOCK_H
#define PMRELAY_BASE_CLOCK_H

#include <stdint.h>

/*
 * The only source of time.  Rules take the time as an argument; whoever needs to know it asks
 * here, so that a test can set it.
 */
int64_t clock_wall_ms(void); /* since 1970, UTC; may jump */
int64_t clock_mono_ms(void); /* never goes back; for spans */
int64_t clock_mono_us(void);

/* Tests only: from now on the clocks stand still at these values (until clock_restore). */
void clock_fake(int64_t wall_ms, int64_t mono_ms);
void clock_fake_advance(int64_t span_ms);
void clock_restore(void);

/* "2026-11-23T06:29:25.123Z" in out. */
#define CLOCK_TEXT_SIZE 32
char *clock_text(char out[CLOCK_TEXT_SIZE], int64_t wall_ms);
/* RFC 3339 5.6, with as many digits of a second as there are, or the date alone, which is its
 * beginning in UTC; from 1970 on.  0, or -1: neither. */
int clock_read(const char *text, int64_t *wall_ms_r);

#endif
