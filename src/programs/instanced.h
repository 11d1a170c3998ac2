#ifndef PMRELAY_PROGRAMS_INSTANCED_H
#define PMRELAY_PROGRAMS_INSTANCED_H

#include <stdbool.h>
#include <stddef.h>

struct hook;
struct loop;
struct store;

/*
 * The core's copy of the instanced webhooks that the spool keeps.  Whoever tells the fronts of them
 * is called when they change, and before the change is answered: posts that come by then are known.
 */
struct instanced;

struct instanced_params {
	struct loop *loop;
	struct store *store;
	void (*changed)(void *ctx); /* from the loop; also when they were read at the start */
	void *ctx;
};

struct instanced *instanced_new(const struct instanced_params *);
void instanced_free(struct instanced **); /* after the store */

/* lent until the next change.  false: they were not read yet. */
bool instanced_list(const struct instanced *, const struct hook **list_r, size_t *count_r);

/* 0 or an enum store_result in result, from the loop. */
typedef void instanced_done_fn(void *ctx, int result);
void instanced_set(struct instanced *, const struct hook *, instanced_done_fn *done, void *ctx);
void instanced_drop(
    struct instanced *, const char *const *paths, size_t count, instanced_done_fn *done, void *ctx);

#endif
