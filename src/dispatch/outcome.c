#include <stdint.h>
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

struct outcomes *
outcomes_new(struct store_item *items, size_t count)
{
	struct outcomes *outcomes = mem_new(sizeof(*outcomes));

	outcomes->count = count;
	outcomes->items = items;
	outcomes->list = mem_array(count, sizeof(*outcomes->list));
	for (size_t i = 0; i < count; i++) {
		payload_free(&items[i].payload);
		payload_free(&items[i].shared);
	}
	return outcomes;
}

static const char *
copy_of(const char *text)
{
	return text != NULL ? mem_string(text) : NULL;
}

void
outcomes_set(struct outcomes *outcomes, size_t index, const struct store_outcome *outcome)
{
	struct store_outcome *to = &outcomes->list[index];

	*to = *outcome;
	to->postmark_id = copy_of(outcome->postmark_id);
	to->answer = copy_of(outcome->answer);
	to->inactive = copy_of(outcome->inactive);
}

static void
copy_free(const char *text)
{
	free((void *)(uintptr_t)text);
}

void
outcomes_free(struct outcomes **outcomes_p)
{
	struct outcomes *outcomes = *outcomes_p;

	if (outcomes == NULL)
		return;
	*outcomes_p = NULL;
	for (size_t i = 0; i < outcomes->count; i++) {
		copy_free(outcomes->list[i].postmark_id);
		copy_free(outcomes->list[i].answer);
		copy_free(outcomes->list[i].inactive);
	}
	outcome_items_free(outcomes->items, outcomes->count);
	free(outcomes->list);
	free(outcomes);
}
