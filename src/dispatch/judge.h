#ifndef PMRELAY_DISPATCH_JUDGE_H
#define PMRELAY_DISPATCH_JUDGE_H

#include <stddef.h>
#include <stdint.h>

struct dispatch_counts;
struct dispatch_options;
struct item_verdict;
struct outcomes;
struct postmark_answer;
struct route_state;
struct store_item;

/* Verdicts to outcomes: which state an item is in then, and when it is tried again. */
struct judge {
	const struct dispatch_options *options;
	const struct route_state *state; /* after it has learned from the answer */
	struct dispatch_counts *counts;
	uint64_t *random; /* state of schedule_random() */
};

/* Takes the items.  Each outcome is logged. */
struct outcomes *judge_items(const struct judge *, struct store_item *items, size_t count,
    const struct item_verdict *verdicts, const struct postmark_answer *);

#endif
