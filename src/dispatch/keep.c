/*
 * What the store keeps of a route beyond the life of a process: an operator's hold, and for how
 * long it stood.  Nothing leaves before it is known.
 */

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "store/store.h"

#include "dispatch/inside.h"
#include "dispatch/pending.h"
#include "dispatch/route.h"
#include "dispatch/schedule.h"
#include "dispatch/settle.h"

#define STORE_GATE_MS INT64_C(60000)

void
keep_save_again(void *ctx)
{
	keep_save(ctx);
}

static void
saved_for(struct dispatch *dispatch, struct route *route, enum store_result result)
{
	int64_t left_out;

	if (result != STORE_OK && !dispatch->draining) {
		if (log_gate_pass(&dispatch->store_gate, STORE_GATE_MS, &left_out))
			log_error("route-not-kept", log_str("route", route->name),
			    log_num("left_out", left_out));
		loop_timer_set(route->save_timer, STORE_AGAIN_MS);
	}
	drain_check(dispatch);
}

/*
 * Whoever asked for a hold is answered even when the dispatcher went meanwhile.  done may be the
 * end of the dispatcher, so it comes last.
 */
static void
saved(void *ctx, enum store_result result)
{
	struct pending *pending = ctx;
	struct route *route = pending->more;
	hold_done_fn *done = pending->done;
	void *done_ctx = pending->done_ctx;
	struct dispatch *dispatch = pending_back(pending);

	if (dispatch != NULL)
		saved_for(dispatch, route, result);
	if (done != NULL)
		done(done_ctx, (int)result);
}

static void
save_for(struct route *route, hold_done_fn *done, void *ctx)
{
	struct pending *pending = route_note(route);
	struct store_route record;

	pending->done = done;
	pending->done_ctx = ctx;
	route_record(&route->state, &record);
	store_route_set(route->dispatch->store, &record, saved, pending);
}

void
keep_save(struct route *route)
{
	save_for(route, NULL, NULL);
}

void
keep_tell(const struct route *route)
{
	const struct dispatch *dispatch = route->dispatch;
	const struct dispatch_event event = { .route = route->name,
		.stands = route_stands(&route->state),
		.why = route_stands(&route->state) ? route_why(&route->state) : "resumed" };

	if (dispatch->report != NULL)
		dispatch->report(dispatch->report_ctx, &event);
}

/* The pauses that no longer matter are not kept for ever. */
void
keep_forget(struct route *route)
{
	if (route->state.known &&
	    pauses_forget(&route->state.pauses, clock_wall_ms(), route->state.lifetime_ms))
		keep_save(route);
}

static void
hold_now(struct route *route, bool hold, const char *by, hold_done_fn *done, void *ctx)
{
	bool stood = route_stands(&route->state);

	route_hold(&route->state, hold, by);
	settle_rest(route->settle, hold);
	if (hold || stood)
		keep_tell(route);
	save_for(route, done, ctx);
	if (!hold) {
		route->maybe_due = true;
		settle_flush(route->settle);
	}
	route_pump(route);
}

static struct early_hold *
early_take(struct route *route)
{
	struct early_hold *early = route->early;

	if (early != NULL)
		route->early = early->next;
	return early;
}

static void
early_free(struct early_hold *early)
{
	free(early->by);
	free(early);
}

static void
early_add(struct route *route, bool hold, const char *by, hold_done_fn *done, void *ctx)
{
	struct early_hold **end = &route->early;

	while (*end != NULL)
		end = &(*end)->next;
	*end = mem_new(sizeof(**end));
	**end = (struct early_hold){ .hold = hold, .by = mem_string(by), .done = done, .ctx = ctx };
}

static void
route_known(struct route *route, const struct store_route *records, size_t count)
{
	const struct store_route *record = NULL;
	struct early_hold *early;

	for (size_t i = 0; i < count && record == NULL; i++) {
		if (strcmp(records[i].name, route->name) == 0)
			record = &records[i];
	}
	route_restore(&route->state, record);
	if (route_stands(&route->state) != (record != NULL && record->stood_since_ms > 0))
		keep_save(route);
	if (route_stands(&route->state))
		keep_tell(route);
	settle_rest(route->settle, route->state.held);
	while ((early = early_take(route)) != NULL) {
		hold_now(route, early->hold, early->by, early->done, early->ctx);
		early_free(early);
	}
	due_at(route, 0);
}

static void
routes_read(void *ctx, enum store_result result, const struct store_route *records, size_t count)
{
	struct dispatch *dispatch = pending_back(ctx);
	int64_t left_out;

	if (dispatch == NULL)
		return;
	if (result == STORE_OK) {
		dispatch->known = true;
		for (size_t i = 0; i < dispatch->route_count; i++)
			route_known(&dispatch->routes[i], records, count);
	} else if (!dispatch->draining) {
		if (log_gate_pass(&dispatch->store_gate, STORE_GATE_MS, &left_out))
			log_error("routes-unknown", log_str("why", "the spool did not answer"),
			    log_num("left_out", left_out));
		loop_timer_set(dispatch->read_timer, STORE_AGAIN_MS);
	}
	drain_check(dispatch);
}

void
keep_read(void *ctx)
{
	struct dispatch *dispatch = ctx;

	store_routes(dispatch->store, routes_read,
	    pending_new(&dispatch->pending, dispatch->store, dispatch, NULL));
}

void
keep_hold(struct route *route, bool hold, const char *by, hold_done_fn *done, void *ctx)
{
	if (route->dispatch->known)
		hold_now(route, hold, by, done, ctx);
	else
		early_add(route, hold, by, done, ctx);
}

void
keep_deinit(struct route *route)
{
	struct early_hold *early;

	while ((early = early_take(route)) != NULL) {
		if (early->done != NULL)
			early->done(early->ctx, STORE_BROKEN);
		early_free(early);
	}
}
