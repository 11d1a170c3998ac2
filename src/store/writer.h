#ifndef PMRELAY_STORE_WRITER_H
#define PMRELAY_STORE_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/backend.h"
#include "store/store.h"

/*
 * The thread that writes.  It takes all that has been asked for meanwhile as one transaction, so
 * that one sync serves all of it, and hands it back when that sync is over: nobody is told of a
 * commit that is not on the disk.
 */
struct writer;

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
			store_done_fn *done;
			int64_t ended_before_ms;
			int64_t cursor;
			bool again;
		} purge;
	};
};
void op_free(struct op **); /* with what nobody has taken out of it */
bool op_change_made_due(const struct op *);

/* First in, first out. */
struct op_list {
	struct op *first;
	struct op *last;
};
void op_list_add(struct op_list *, struct op *);
void op_list_move(struct op_list *to, struct op_list *from); /* to its end; from is empty then */
struct op *op_list_take(struct op_list *);                   /* the first, or NULL */

struct writer_params {
	const struct backend *backend;
	void *handle; /* of the backend; lent for life */
	uint64_t min_free_bytes;
	/* From the writer's thread: these are done.  Takes them. */
	void (*finished)(void *ctx, struct op_list *);
	void *ctx;
};

struct writer *writer_start(const struct writer_params *); /* NULL: errno */
void writer_add(struct writer *, struct op_list *);        /* takes them */
/* Ends the thread when it has written what changes something; questions go unanswered. */
void writer_stop(struct writer **);

#endif
