/* Instanced webhooks, see instanced.h.  What has ended is dropped once an hour. */

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/strlist.h"
#include "mail/hook.h"
#include "store/store.h"

#include "programs/instanced.h"

#define AGAIN_MS (10 * 1000)
#define SWEEP_MS (60 * 60 * 1000)

struct instanced {
	struct instanced_params params;
	struct loop_timer *timer;
	struct hook *list;
	size_t count;
	bool read;
};

struct change {
	struct instanced *instanced;
	struct hook hook;     /* of a set */
	struct strlist paths; /* of a drop */
	instanced_done_fn *done;
	void *ctx;
};

static struct hook *
find(struct instanced *instanced, const char *path)
{
	for (size_t i = 0; i < instanced->count; i++)
		if (strcmp(instanced->list[i].path, path) == 0)
			return &instanced->list[i];
	return NULL;
}

static void
change_end(struct change *change, int result)
{
	if (result == STORE_OK)
		change->instanced->params.changed(change->instanced->params.ctx);
	if (change->done != NULL)
		change->done(change->ctx, result);
	if (change->hook.path != NULL)
		hook_deinit(&change->hook);
	strlist_free(&change->paths);
	free(change);
}

static void
on_set(void *ctx, enum store_result result)
{
	struct change *change = ctx;
	struct instanced *instanced = change->instanced;
	struct hook *old = find(instanced, change->hook.path);

	if (result == STORE_OK && old != NULL) {
		hook_deinit(old);
		hook_copy(old, &change->hook);
	} else if (result == STORE_OK) {
		instanced->list =
		    mem_resize(instanced->list, instanced->count + 1, sizeof(*instanced->list));
		hook_copy(&instanced->list[instanced->count++], &change->hook);
	}
	change_end(change, (int)result);
}

static void
on_dropped(void *ctx, enum store_result result)
{
	struct change *change = ctx;
	struct instanced *instanced = change->instanced;

	for (size_t i = 0; result == STORE_OK && i < change->paths.count; i++) {
		struct hook *old = find(instanced, change->paths.items[i]);

		if (old == NULL)
			continue;
		hook_deinit(old);
		*old = instanced->list[--instanced->count];
	}
	change_end(change, (int)result);
}

void
instanced_set(
    struct instanced *instanced, const struct hook *hook, instanced_done_fn *done, void *ctx)
{
	struct change *change = mem_new(sizeof(*change));

	change->instanced = instanced;
	change->done = done;
	change->ctx = ctx;
	hook_copy(&change->hook, hook);
	store_hook_set(instanced->params.store, hook, on_set, change);
}

void
instanced_drop(struct instanced *instanced, const char *const *paths, size_t count,
    instanced_done_fn *done, void *ctx)
{
	struct change *change = mem_new(sizeof(*change));

	change->instanced = instanced;
	change->done = done;
	change->ctx = ctx;
	for (size_t i = 0; i < count; i++)
		strlist_add(&change->paths, paths[i]);
	store_hooks_drop(instanced->params.store, paths, count, on_dropped, change);
}

static void
sweep(struct instanced *instanced)
{
	int64_t now_ms = clock_wall_ms();
	struct strlist ended = { 0 };

	for (size_t i = 0; i < instanced->count; i++)
		if (instanced->list[i].ends_ms != 0 && instanced->list[i].ends_ms < now_ms)
			strlist_add(&ended, instanced->list[i].path);
	if (ended.count > 0)
		instanced_drop(
		    instanced, (const char *const *)ended.items, ended.count, NULL, NULL);
	strlist_free(&ended);
}

static void
on_read(void *ctx, enum store_result result, const struct hook *list, size_t count)
{
	struct instanced *instanced = ctx;

	if (result != STORE_OK) {
		log_warning("webhooks-unknown", log_str("why", "the spool did not answer"));
		loop_timer_set(instanced->timer, AGAIN_MS);
		return;
	}
	/* Nothing is set or dropped before. */
	instanced->list = mem_array(count + 1, sizeof(*instanced->list));
	for (size_t i = 0; i < count; i++)
		hook_copy(&instanced->list[i], &list[i]);
	instanced->count = count;
	instanced->read = true;
	loop_timer_set(instanced->timer, SWEEP_MS);
	instanced->params.changed(instanced->params.ctx);
}

static void
on_timer(void *ctx)
{
	struct instanced *instanced = ctx;

	if (!instanced->read) {
		store_hooks(instanced->params.store, on_read, instanced);
		return;
	}
	sweep(instanced);
	loop_timer_set(instanced->timer, SWEEP_MS);
}

struct instanced *
instanced_new(const struct instanced_params *params)
{
	struct instanced *instanced = mem_new(sizeof(*instanced));

	instanced->params = *params;
	instanced->timer = loop_timer_new(params->loop, on_timer, instanced);
	store_hooks(params->store, on_read, instanced);
	return instanced;
}

void
instanced_free(struct instanced **instanced)
{
	if (*instanced == NULL)
		return;
	loop_timer_free(&(*instanced)->timer);
	hook_list_free((*instanced)->list, (*instanced)->count);
	free(*instanced);
	*instanced = NULL;
}

bool
instanced_list(const struct instanced *instanced, const struct hook **list_r, size_t *count_r)
{
	*list_r = instanced->list;
	*count_r = instanced->count;
	return instanced->read;
}
