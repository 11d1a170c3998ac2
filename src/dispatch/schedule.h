#ifndef PMRELAY_DISPATCH_SCHEDULE_H
#define PMRELAY_DISPATCH_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* When an item is tried again, and when it is too old for that.  Pure. */

/*
 * The wait after the attempt-th try (1 for the first): least_ms doubled for each one, at most
 * most_ms, of which the upper half is left to chance (random: any 64 bits), so that items which
 * failed together do not come back together.
 */
int64_t schedule_delay_ms(unsigned attempt, int64_t least_ms, int64_t most_ms, uint64_t random);

/*
 * The times in which a route stood, by an operator or by us: an item's lifetime stands still in
 * them.  A short list: the oldest pauses flow into one, in favour of bouncing late.  A zeroed struct
 * is empty.
 */
#define PAUSES_MOST 32U
struct pauses {
	struct pause {
		int64_t from_ms, to_ms;
	} ended[PAUSES_MOST];
	size_t count;
	bool open;
	int64_t open_from_ms;
};
void pauses_begin(struct pauses *, int64_t now_ms); /* nothing while one is open */
void pauses_end(struct pauses *, int64_t now_ms);

/*
 * What outlives a process is their sum, and when the open one began (0: none).  When the ended ones
 * were is not known afterwards; they are taken for the time just before, again in favour of bouncing
 * late.
 */
void pauses_restore(struct pauses *, int64_t stood_ms, int64_t open_from_ms, int64_t now_ms);
int64_t pauses_sum_ms(const struct pauses *); /* of the ended ones */
/* Drops those that no item is young enough for to be helped by.  Were there any? */
bool pauses_forget(struct pauses *, int64_t now_ms, int64_t lifetime_ms);

/* Since longer ago than lifetime_ms, pauses not counted.  Never while a pause is open. */
bool schedule_lifetime_over(const struct pauses *, int64_t since_ms, int64_t now_ms,
    int64_t lifetime_ms);

/* Random bits that a seed fixes (splitmix64). */
uint64_t schedule_random(uint64_t *state);

#endif
