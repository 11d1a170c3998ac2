/*
 * The front of the spool, in the loop's thread: turns calls into ops, hands those of one turn of
 * the loop to the writer together, and runs done() for what comes back.
 */

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"

#include "store/sqlite.h"
#include "store/store.h"
#include "store/writer.h"

static const struct backend *const backends[] = {
	&sqlite_backend,
};

/*
 * Where the writer puts what is done.  It outlives the store when a call posted to the loop is
 * still on its way then.
 */
struct results {
	pthread_mutex_t lock; /* over the next two */
	struct op_list done;
	bool posted;

	/* The loop's own. */
	struct loop *loop;
	struct store *store; /* NULL: closed */
	bool running;
	struct loop_last *last; /* closed, with a call still posted */
};

struct store {
	struct loop *loop;
	const struct backend *backend;
	void *handle;
	struct writer *writer;
	struct results *results;
	struct loop_call *hand_over;
	struct op_list asked; /* in this turn of the loop */
	void (*due)(void *ctx);
	void *ctx;
};

void
store_item_free(struct store_item *item)
{
	free(item->reverse_path);
	strlist_free(&item->recipients);
	payload_free(&item->payload);
	payload_free(&item->shared);
}

/* --- the way back ------------------------------------------------------------------------ */

static void
ops_free(struct op_list *list)
{
	struct op *op;

	while ((op = op_list_take(list)) != NULL)
		op_free(&op);
}

static void
results_free(struct results **results)
{
	struct results *r = *results;

	ops_free(&r->done);
	loop_last_free(&r->last);
	pthread_mutex_destroy(&r->lock);
	free(r);
	*results = NULL;
}

static bool
op_made_due(const struct op *op)
{
	if (op->kind == OP_COMMIT)
		return op->result == STORE_OK && op->commit.made_due;
	if (op->kind == OP_MADE_DUE)
		return true;
	if (op->kind == OP_CHANGE)
		return op_change_made_due(op);
	if (op->kind == OP_SETTLE)
		for (size_t i = 0; i < op->settle.count; i++) {
			const struct store_outcome *o = &op->settle.outcomes[i];

			if ((o->to == ITEM_SPOOLED || o->to == ITEM_WAITING ||
				o->to == ITEM_UNSURE) &&
			    o->due_ms <= o->at_ms)
				return true;
		}
	return false;
}

/* May close the store. */
static void
op_answer(struct op *op)
{
	switch (op->kind) {
	case OP_COMMIT:
		if (op->commit.done != NULL)
			op->commit.done(op->ctx, op->result, op->commit.any_known);
		break;
	case OP_CLAIM: {
		struct backend_claim found = op->claim.found;

		op->claim.found = (struct backend_claim){ 0 };
		op->claim.done(op->ctx, op->result, found.items, found.count, found.more);
		break;
	}
	case OP_SETTLE:
		if (op->settle.done != NULL)
			op->settle.done(op->ctx, op->result);
		break;
	case OP_NEXT:
		op->next_due.done(op->ctx, op->next_due.due_ms);
		break;
	case OP_COUNT:
		op->count.done(op->ctx, &op->count.counts);
		break;
	case OP_CHANGE:
		op->change.done(op->ctx, op->result, &op->change.progress.changed);
		break;
	case OP_TAKE_BACK:
		op->take_back.done(op->ctx, op->result, op->take_back.taken);
		break;
	case OP_STRAYS:
		op->strays.done(op->ctx, op->result, op->strays.list, op->strays.count);
		break;
	case OP_ROUTES:
		op->routes.done(op->ctx, op->result, op->routes.list, op->routes.count);
		break;
	case OP_ROUTE_SET:
		if (op->route_set.done != NULL)
			op->route_set.done(op->ctx, op->result);
		break;
	case OP_EVENT:
		op->event.done(op->ctx, op->result, op->event.event, &op->event.did);
		break;
	case OP_OUTLET_SET:
		if (op->outlet_set.done != NULL)
			op->outlet_set.done(op->ctx, op->result);
		break;
	case OP_SUPPRESSIONS:
		op->suppressions.done(
		    op->ctx, op->result, op->suppressions.list, op->suppressions.count);
		break;
	case OP_SUPPRESSIONS_CHANGE:
		if (op->suppressions_change.done != NULL)
			op->suppressions_change.done(op->ctx, op->result);
		break;
	case OP_HOOKS:
		op->hooks.done(op->ctx, op->result, op->hooks.list, op->hooks.count);
		break;
	case OP_HOOK_SET:
		if (op->hook_set.done != NULL)
			op->hook_set.done(op->ctx, op->result);
		break;
	case OP_HOOKS_DROP:
		if (op->hooks_drop.done != NULL)
			op->hooks_drop.done(op->ctx, op->result);
		break;
	case OP_MADE_DUE:
		break;
	case OP_PURGE:
		if (op->purge.done != NULL)
			op->purge.done(op->ctx, op->result);
		break;
	}
}

static void
results_last(void *ctx)
{
	struct results *r = ctx;

	results_free(&r);
}

/* The store is closed and the writer gone.  A call that is still posted comes back here, unless
 * the loop ends first. */
static void
results_let_go(struct results *r)
{
	bool posted;

	pthread_mutex_lock(&r->lock);
	posted = r->posted;
	pthread_mutex_unlock(&r->lock);
	if (!posted && !r->running)
		results_free(&r);
	else if (posted && r->last == NULL)
		r->last = loop_last_new(r->loop, results_last, r);
}

static void
results_run(void *ctx)
{
	struct results *r = ctx;
	struct op_list done = { 0 };
	bool made_due = false;
	struct op *op;

	pthread_mutex_lock(&r->lock);
	op_list_move(&done, &r->done);
	r->posted = false;
	pthread_mutex_unlock(&r->lock);
	r->running = true;
	while (r->store != NULL && (op = op_list_take(&done)) != NULL) {
		made_due = op_made_due(op) || made_due;
		op_answer(op);
		op_free(&op);
	}
	if (r->store != NULL && made_due && r->store->due != NULL)
		r->store->due(r->store->ctx);
	ops_free(&done);
	r->running = false;
	if (r->store == NULL)
		results_let_go(r);
}

/* From the writer's thread. */
static void
results_add(void *ctx, struct op_list *finished)
{
	struct results *r = ctx;
	bool post;

	pthread_mutex_lock(&r->lock);
	op_list_move(&r->done, finished);
	post = !r->posted;
	r->posted = true;
	pthread_mutex_unlock(&r->lock);
	if (post)
		loop_post(r->loop, results_run, r);
}

/* --- open and close ---------------------------------------------------------------------- */

static void
ops_hand_over(void *ctx)
{
	struct store *store = ctx;

	if (store->asked.first != NULL)
		writer_add(store->writer, &store->asked);
}

static void
op_ask(struct store *store, struct op *op)
{
	op_list_add(&store->asked, op);
	loop_call_ask(store->hand_over);
}

static int
recover(const struct store *store, char *why, size_t why_size)
{
	const struct backend *backend = store->backend;
	const struct keyset in_hand = { 0 };
	const struct strlist forget = { 0 };
	uint64_t unsure, removed;

	if (backend->recover(store->handle, &in_hand, &forget, clock_wall_ms(), &unsure) !=
		STORE_OK ||
	    backend->sweep(store->handle, &removed) != STORE_OK) {
		snprintf(why, why_size, "recovering the spool: %s", backend->why(store->handle));
		return -1;
	}
	if (unsure > 0)
		log_warning("unsure", log_num("items", (int64_t)unsure),
		    log_str("why", "they were being sent when the daemon ended"));
	if (removed > 0)
		log_info("payload-removed", log_num("files", (int64_t)removed),
		    log_str("why", "no item names them"));
	return 0;
}

struct store *
store_open(const struct store_params *params, char *why, size_t why_size)
{
	struct store *store = mem_new(sizeof(*store));
	const struct backend_params backend_params = { .folder = params->folder,
		.sync_delay_ms = params->sync_delay_ms,
		.require_durable = params->require_durable };
	struct writer_params writer_params;

	store->loop = params->loop;
	store->due = params->due;
	store->ctx = params->ctx;
	for (size_t i = 0; i < sizeof(backends) / sizeof(backends[0]); i++)
		if (strcmp(backends[i]->name, params->backend) == 0)
			store->backend = backends[i];
	if (store->backend == NULL) {
		snprintf(why, why_size, "there is no spool backend called \"%s\"", params->backend);
		goto free_store;
	}
	store->handle = store->backend->open(&backend_params, why, why_size);
	if (store->handle == NULL)
		goto free_store;
	if (recover(store, why, why_size) != 0)
		goto close_backend;

	store->results = mem_new(sizeof(*store->results));
	pthread_mutex_init(&store->results->lock, NULL);
	store->results->loop = params->loop;
	store->results->store = store;
	writer_params = (struct writer_params){ .backend = store->backend,
		.handle = store->handle,
		.min_free_bytes = params->min_free_bytes,
		.finished = results_add,
		.ctx = store->results };
	store->writer = writer_start(&writer_params);
	if (store->writer == NULL) {
		snprintf(why, why_size, "a thread for the spool: %s", strerror(errno));
		goto free_results;
	}
	store->hand_over = loop_call_new(params->loop, ops_hand_over, store);
	return store;

free_results:
	results_free(&store->results);
close_backend:
	store->backend->close(store->handle);
free_store:
	free(store);
	return NULL;
}

void
store_close(struct store **store)
{
	struct store *s = *store;

	if (s == NULL)
		return;
	*store = NULL;
	ops_hand_over(s);
	loop_call_free(&s->hand_over);
	writer_stop(&s->writer);
	s->results->store = NULL;
	results_let_go(s->results);
	s->backend->close(s->handle);
	free(s);
}

/* --- what can be asked ------------------------------------------------------------------- */

static struct op *
op_new(enum op_kind kind, void *ctx)
{
	struct op *op = mem_new(sizeof(*op));

	op->kind = kind;
	op->ctx = ctx;
	return op;
}

void
store_commit(struct store *store, struct mail *mail, store_committed_fn *done, void *ctx)
{
	struct op *op = op_new(OP_COMMIT, ctx);
	size_t count = 0;

	for (const struct mail *m = mail; m != NULL; m = m->next)
		count++;
	op->commit.known = mem_array(count, sizeof(*op->commit.known));
	op->commit.mail = mail;
	op->commit.done = done;
	op_ask(store, op);
}

void
store_claim(struct store *store, const struct store_claim *claim, store_claimed_fn *done, void *ctx)
{
	struct op *op = op_new(OP_CLAIM, ctx);

	op->claim.claim = *claim;
	op->claim.claim.route = mem_string(claim->route);
	op->claim.done = done;
	op_ask(store, op);
}

static size_t
text_room(const char *text)
{
	return text == NULL ? 0 : strlen(text) + 1;
}

static const char *
text_put(char **at, const char *text)
{
	size_t size = text_room(text);
	char *copy = *at;

	if (text == NULL)
		return NULL;
	memcpy(copy, text, size);
	*at += size;
	return copy;
}

void
store_settle(struct store *store, const struct store_outcome *outcomes, size_t count,
    store_done_fn *done, void *ctx)
{
	struct op *op = op_new(OP_SETTLE, ctx);
	size_t room = count * sizeof(*outcomes);
	char *at;

	for (size_t i = 0; i < count; i++)
		room += text_room(outcomes[i].postmark_id) + text_room(outcomes[i].answer) +
			text_room(outcomes[i].inactive);
	op->settle.outcomes = mem_array(room > 0 ? room : 1, 1);
	op->settle.count = count;
	op->settle.done = done;
	at = (char *)(op->settle.outcomes + count);
	for (size_t i = 0; i < count; i++) {
		struct store_outcome *copy = &op->settle.outcomes[i];

		*copy = outcomes[i];
		copy->postmark_id = text_put(&at, outcomes[i].postmark_id);
		copy->answer = text_put(&at, outcomes[i].answer);
		copy->inactive = text_put(&at, outcomes[i].inactive);
	}
	op_ask(store, op);
}

void
store_next_due(
    struct store *store, const char *route, enum item_state from, store_next_fn *done, void *ctx)
{
	struct op *op = op_new(OP_NEXT, ctx);

	op->next_due.route = mem_string(route);
	op->next_due.from = from;
	op->next_due.now_ms = clock_wall_ms();
	op->next_due.done = done;
	op_ask(store, op);
}

void
store_count(struct store *store, store_counts_fn *done, void *ctx)
{
	struct op *op = op_new(OP_COUNT, ctx);

	op->count.done = done;
	op_ask(store, op);
}

static char *
text_copy(const char *text)
{
	return text != NULL ? mem_string(text) : NULL;
}

void
store_change(
    struct store *store, const struct store_change *change, store_changed_fn *done, void *ctx)
{
	struct op *op = op_new(OP_CHANGE, ctx);
	const char **ids = mem_array(change->count, sizeof(*ids));

	for (size_t i = 0; i < change->count; i++)
		ids[i] = mem_string(change->ids[i]);
	op->change.change = *change;
	op->change.change.ids = ids;
	op->change.change.route = text_copy(change->route);
	op->change.change.by = text_copy(change->by);
	op->change.done = done;
	op_ask(store, op);
}

void
store_take_back(
    struct store *store, const char *const *mail_ids, size_t count, store_taken_fn *done, void *ctx)
{
	struct op *op = op_new(OP_TAKE_BACK, ctx);

	op->take_back.ids = mem_array(count, sizeof(*op->take_back.ids));
	for (size_t i = 0; i < count; i++)
		op->take_back.ids[i] = mem_string(mail_ids[i]);
	op->take_back.count = count;
	op->take_back.done = done;
	op_ask(store, op);
}

void
store_strays(struct store *store, const struct strlist *known, store_strays_fn *done, void *ctx)
{
	struct op *op = op_new(OP_STRAYS, ctx);

	for (size_t i = 0; i < known->count; i++)
		strlist_add(&op->strays.known, known->items[i]);
	op->strays.done = done;
	op_ask(store, op);
}

void
store_routes(struct store *store, store_routes_fn *done, void *ctx)
{
	struct op *op = op_new(OP_ROUTES, ctx);

	op->routes.done = done;
	op_ask(store, op);
}

void
store_route_set(
    struct store *store, const struct store_route *route, store_done_fn *done, void *ctx)
{
	struct op *op = op_new(OP_ROUTE_SET, ctx);

	op->route_set.route = *route;
	op->route_set.route.name = mem_string(route->name);
	op->route_set.route.why = text_copy(route->why);
	op->route_set.done = done;
	op_ask(store, op);
}

void
store_event(struct store *store, struct event *event, store_event_fn *done, void *ctx)
{
	struct op *op = op_new(OP_EVENT, ctx);

	op->event.event = event;
	op->event.done = done;
	op_ask(store, op);
}

void
store_outlet_set(
    struct store *store, const char *name, int64_t after_key, store_done_fn *done, void *ctx)
{
	struct op *op = op_new(OP_OUTLET_SET, ctx);

	op->outlet_set.name = mem_string(name);
	op->outlet_set.after_key = after_key;
	op->outlet_set.done = done;
	op_ask(store, op);
}

void
store_suppressions(struct store *store, store_suppressions_fn *done, void *ctx)
{
	struct op *op = op_new(OP_SUPPRESSIONS, ctx);

	op->suppressions.done = done;
	op_ask(store, op);
}

static struct suppression *
suppressions_copy(const struct suppression *list, size_t count)
{
	struct suppression *copies = mem_array(count, sizeof(*copies));

	for (size_t i = 0; i < count; i++)
		copies[i] = (struct suppression){ .connection = mem_string(list[i].connection),
			.stream = mem_string(list[i].stream),
			.address = mem_string(list[i].address),
			.reason = text_copy(list[i].reason),
			.origin = text_copy(list[i].origin),
			.at_ms = list[i].at_ms,
			.lifted = list[i].lifted };
	return copies;
}

void
store_suppressions_change(struct store *store, const struct suppression *list, size_t count,
    store_done_fn *done, void *ctx)
{
	struct op *op = op_new(OP_SUPPRESSIONS_CHANGE, ctx);

	op->suppressions_change.list = suppressions_copy(list, count);
	op->suppressions_change.count = count;
	op->suppressions_change.done = done;
	op_ask(store, op);
}

void
store_hooks(struct store *store, store_hooks_fn *done, void *ctx)
{
	struct op *op = op_new(OP_HOOKS, ctx);

	op->hooks.done = done;
	op_ask(store, op);
}

void
store_hook_set(struct store *store, const struct hook *hook, store_done_fn *done, void *ctx)
{
	struct op *op = op_new(OP_HOOK_SET, ctx);
	struct hook *copy = &op->hook_set.hook;

	*copy = *hook;
	copy->path = mem_string(hook->path);
	copy->connection = mem_string(hook->connection);
	copy->stream = mem_string(hook->stream);
	copy->user = text_copy(hook->user);
	copy->password = text_copy(hook->password);
	op->hook_set.done = done;
	op_ask(store, op);
}

void
store_hooks_drop(
    struct store *store, const char *const *paths, size_t count, store_done_fn *done, void *ctx)
{
	struct op *op = op_new(OP_HOOKS_DROP, ctx);

	op->hooks_drop.paths = mem_array(count, sizeof(*op->hooks_drop.paths));
	for (size_t i = 0; i < count; i++)
		op->hooks_drop.paths[i] = mem_string(paths[i]);
	op->hooks_drop.count = count;
	op->hooks_drop.done = done;
	op_ask(store, op);
}

void
store_purge(struct store *store, int64_t ended_before_ms, store_done_fn *done, void *ctx)
{
	struct op *op = op_new(OP_PURGE, ctx);

	op->purge.ended_before_ms = ended_before_ms;
	op->purge.done = done;
	op_ask(store, op);
}
