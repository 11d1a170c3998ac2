/* What is asked of the store, and what must be known of each kind of it. */

#include <stdlib.h>

#include "base/mem.h"

#include "store/op.h"

bool
op_change_made_due(const struct op *op)
{
	return (op->change.change.action == STORE_RELEASE ||
		   op->change.change.action == STORE_RETRY) &&
	       op->change.progress.changed.changed > 0;
}

void
op_list_add(struct op_list *list, struct op *op)
{
	op->next = NULL;
	if (list->first == NULL)
		list->first = op;
	else
		list->last->next = op;
	list->last = op;
}

void
op_list_move(struct op_list *to, struct op_list *from)
{
	if (from->first == NULL)
		return;
	if (to->first == NULL)
		to->first = from->first;
	else
		to->last->next = from->first;
	to->last = from->last;
	*from = (struct op_list){ 0 };
}

struct op *
op_list_take(struct op_list *list)
{
	struct op *op = list->first;

	if (op == NULL)
		return NULL;
	list->first = op->next;
	if (list->first == NULL)
		list->last = NULL;
	op->next = NULL;
	return op;
}

static void
found_free(struct backend_claim *found)
{
	for (size_t i = 0; i < found->count; i++)
		store_item_free(&found->items[i]);
	free(found->items);
	*found = (struct backend_claim){ 0 };
}

static void
routes_free(struct store_route *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(list[i].name);
		free(list[i].why);
	}
	free(list);
}

static void
strays_free(struct store_stray *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(list[i].route);
	free(list);
}

static void
suppressions_free(struct suppression *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(list[i].connection);
		free(list[i].stream);
		free(list[i].address);
		free(list[i].reason);
		free(list[i].origin);
	}
	free(list);
}

static void
hook_clear(struct hook *hook)
{
	free(hook->path);
	free(hook->connection);
	free(hook->stream);
	free(hook->user);
	free(hook->password);
}

static void
hooks_free(struct hook *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		hook_clear(&list[i]);
	free(list);
}

void
op_free(struct op **op)
{
	struct op *o = *op;

	if (o == NULL)
		return;
	switch (o->kind) {
	case OP_COMMIT:
		mail_free(&o->commit.mail);
		free(o->commit.known);
		break;
	case OP_CLAIM:
		free((char *)o->claim.claim.route);
		found_free(&o->claim.found);
		break;
	case OP_SETTLE:
		free(o->settle.outcomes);
		break;
	case OP_NEXT:
		free(o->next_due.route);
		break;
	case OP_CHANGE:
		for (size_t i = 0; i < o->change.change.count; i++)
			free((char *)o->change.change.ids[i]);
		free((void *)o->change.change.ids);
		free((char *)o->change.change.route);
		free((char *)o->change.change.by);
		break;
	case OP_TAKE_BACK:
		for (size_t i = 0; i < o->take_back.count; i++)
			free(o->take_back.ids[i]);
		free(o->take_back.ids);
		break;
	case OP_STRAYS:
		strlist_free(&o->strays.known);
		strays_free(o->strays.list, o->strays.count);
		break;
	case OP_ROUTES:
		routes_free(o->routes.list, o->routes.count);
		break;
	case OP_ROUTE_SET:
		free(o->route_set.route.name);
		free(o->route_set.route.why);
		break;
	case OP_EVENT:
		mail_event_free(&o->event.event);
		break;
	case OP_OUTLET_SET:
		free(o->outlet_set.name);
		break;
	case OP_SUPPRESSIONS:
		suppressions_free(o->suppressions.list, o->suppressions.count);
		break;
	case OP_SUPPRESSIONS_CHANGE:
		suppressions_free(o->suppressions_change.list, o->suppressions_change.count);
		break;
	case OP_HOOKS:
		hooks_free(o->hooks.list, o->hooks.count);
		break;
	case OP_HOOK_SET:
		hook_clear(&o->hook_set.hook);
		break;
	case OP_HOOKS_DROP:
		for (size_t i = 0; i < o->hooks_drop.count; i++)
			free(o->hooks_drop.paths[i]);
		free(o->hooks_drop.paths);
		break;
	case OP_COUNT:
	case OP_PURGE:
	case OP_MADE_DUE:
		break;
	}
	free(o);
	*op = NULL;
}

void
op_undo(struct op *op)
{
	if (op->kind == OP_CLAIM)
		found_free(&op->claim.found);
	if (op->kind == OP_ROUTES) {
		routes_free(op->routes.list, op->routes.count);
		op->routes.list = NULL;
		op->routes.count = 0;
	}
	if (op->kind == OP_STRAYS) {
		strays_free(op->strays.list, op->strays.count);
		op->strays.list = NULL;
		op->strays.count = 0;
	}
	if (op->kind == OP_SUPPRESSIONS) {
		suppressions_free(op->suppressions.list, op->suppressions.count);
		op->suppressions.list = NULL;
		op->suppressions.count = 0;
	}
	if (op->kind == OP_HOOKS) {
		hooks_free(op->hooks.list, op->hooks.count);
		op->hooks.list = NULL;
		op->hooks.count = 0;
	}
	if (op->kind == OP_EVENT)
		op->event.did = (struct store_event_done){ 0 };
	if (op->kind == OP_PURGE)
		op->purge.cursor = 0;
}

/* --- kinds ------------------------------------------------------------------------------- */

bool
op_asks_only(const struct op *op)
{
	return op->kind == OP_CLAIM || op->kind == OP_NEXT || op->kind == OP_COUNT ||
	       op->kind == OP_ROUTES || op->kind == OP_STRAYS || op->kind == OP_SUPPRESSIONS ||
	       op->kind == OP_HOOKS;
}

bool
op_comes_first(const struct op *op)
{
	return op->kind == OP_CHANGE || op->kind == OP_TAKE_BACK || op->kind == OP_EVENT;
}

bool
op_takes_room(const struct op *op)
{
	return op->kind == OP_COMMIT || op->kind == OP_EVENT;
}

uint64_t
op_bytes(const struct op *op)
{
	if (op->kind == OP_COMMIT)
		return mail_payload_bytes(op->commit.mail);
	return op->kind == OP_EVENT ? op->event.event->json_len : 0;
}
