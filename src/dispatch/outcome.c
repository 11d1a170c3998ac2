#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"

#include "dispatch/outcome.h"

struct store_outcome
outcome_of(const struct store_item *item, enum item_state to)
{
	int64_t now_ms = clock_wall_ms();

	return (struct store_outcome){
		.key = item->key, .to = to, .at_ms = now_ms, .due_ms = now_ms, .keeps_history = true
	};
}

void
outcome_give_back(struct store *store, const struct store_item *items, size_t count,
    enum item_state to, store_done_fn *done, void *ctx)
{
	struct store_outcome *outcomes = mem_array(count, sizeof(*outcomes));

	for (size_t i = 0; i < count; i++) {
		outcomes[i] = outcome_of(&items[i], to);
		outcomes[i].keeps_history = false;
	}
	store_settle(store, outcomes, count, done, ctx);
	free(outcomes);
}

void
outcome_items_free(struct store_item *items, size_t count)
{
	for (size_t i = 0; i < count; i++)
		store_item_free(&items[i]);
	free(items);
}
