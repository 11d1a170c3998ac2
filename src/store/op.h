#ifndef PMRELAY_STORE_OP_H
#define PMRELAY_STORE_OP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mail/event.h"
#include "mail/hook.h"
#include "mail/suppression.h"

#include "store/backend.h"
#include "store/store.h"

enum op_kind {
	OP_COMMIT,
	OP_CLAIM,
	OP_SETTLE,
	OP_NEXT,
	OP_COUNT,
	OP_CHANGE,
	OP_TAKE_BACK,
	OP_STRAYS,
	OP_ROUTES,
	OP_ROUTE_SET,
	OP_EVENT,
	OP_OUTLET_SET,
	OP_SUPPRESSIONS,
	OP_SUPPRESSIONS_CHANGE,
	OP_HOOKS,
	OP_HOOK_SET,
	OP_HOOKS_DROP,
	OP_PURGE,
	OP_MADE_DUE, /* nobody asked: a part of a change is durable, and something is due now */
};

/* One thing asked of the store, on its way through the writer and back to its done(). */
struct op {
	struct op *next;
	enum op_kind kind;
	enum store_result result;
	bool refused; /* this time it is not even tried */
	void *ctx;
	union {
		struct {
			store_committed_fn *done;
			struct mail *mail;
			bool *known; /* for each of the chain */
			bool any_known;
			bool made_due; /* something that was not there before */
		} commit;
		struct {
			store_claimed_fn *done;
			struct store_claim claim; /* route is owned */
			struct backend_claim found;
		} claim;
		struct {
			store_done_fn *done;
			struct store_outcome *outcomes; /* one block with their strings */
			size_t count;
		} settle;
		struct {
			store_next_fn *done;
			char *route;
			enum item_state from;
			int64_t now_ms;
			int64_t due_ms;
		} next_due;
		struct {
			store_counts_fn *done;
			struct store_counts counts;
		} count;
		struct {
			store_changed_fn *done;
			struct store_change change;     /* ids, route and by are owned */
			struct backend_change progress; /* of what is durable */
			struct backend_change next;     /* with this transaction */
		} change;
		struct {
			store_taken_fn *done;
			char **ids; /* with their strings */
			size_t count;
			enum store_taken taken;
		} take_back;
		struct {
			store_strays_fn *done;
			struct strlist known;
			struct store_stray *list; /* owned */
			size_t count;
		} strays;
		struct {
			store_routes_fn *done;
			struct store_route *list; /* owned */
			size_t count;
		} routes;
		struct {
			store_done_fn *done;
			struct store_route route; /* with its strings */
		} route_set;
		struct {
			store_event_fn *done;
			struct event *event; /* owned */
			struct store_event_done did;
		} event;
		struct {
			store_done_fn *done;
			char *name;
			int64_t after_key;
		} outlet_set;
		struct {
			store_suppressions_fn *done;
			struct suppression *list; /* owned */
			size_t count;
		} suppressions;
		struct {
			store_done_fn *done;
			struct suppression *list; /* owned */
			size_t count;
		} suppressions_change;
		struct {
			store_hooks_fn *done;
			struct hook *list; /* owned */
			size_t count;
		} hooks;
		struct {
			store_done_fn *done;
			struct hook hook; /* with its strings */
		} hook_set;
		struct {
			store_done_fn *done;
			char **paths; /* with their strings */
			size_t count;
		} hooks_drop;
		struct {
			store_done_fn *done;
			int64_t ended_before_ms;
			int64_t cursor;
			bool again;
		} purge;
	};
};
void op_free(struct op **); /* with what nobody has taken out of it */
/* A transaction has failed: what it found is not so. */
void op_undo(struct op *);
bool op_change_made_due(const struct op *);
/* Changes nothing, so that nobody misses it when the store is closed. */
bool op_asks_only(const struct op *);
/*
 * Comes before the others of its group: what a claim of the same transaction gives out is in
 * nobody's hands yet.
 */
bool op_comes_first(const struct op *);
/* Brings in something new and large: refused while little space is left. */
bool op_takes_room(const struct op *);
uint64_t op_bytes(const struct op *); /* of what it brings in */

/* First in, first out. */
struct op_list {
	struct op *first;
	struct op *last;
};
void op_list_add(struct op_list *, struct op *);
void op_list_move(struct op_list *to, struct op_list *from); /* to its end; from is empty then */
struct op *op_list_take(struct op_list *);                   /* the first, or NULL */

#endif
