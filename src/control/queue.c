/* What people see of the queue, and what they do with it. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/text.h"
#include "mail/event.h"
#include "operations/operation.h"
#include "store/reader.h"

#include "control/feed.h"
#include "control/inside.h"

#define LIST_BUDGET_MS   50
#define MOST_FOUND       1000 /* items of one id */
#define MOST_MESSAGE     ((size_t)64 * 1024 * 1024)
#define DRAIN_LOOK_MS    500
#define DRAIN_LOOK_ITEMS 500

/* --- arguments ------------------------------------------------------------------------------ */

/* 0: any. */
static unsigned
states_of(const struct request *r)
{
	json_t *list = value_json(r, "state"), *each;
	unsigned states = 0;
	size_t index;

	json_array_foreach(list, index, each)
	{
		const char *name = json_string_value(each);

		for (int s = ITEM_SPOOLED; s < ITEM_STATES; s++)
			if (strcmp(name, item_state_name((enum item_state)s)) == 0)
				states |= 1U << s;
	}
	return states;
}

static unsigned
fates_of(const struct request *r)
{
	json_t *list = value_json(r, "fate"), *each;
	unsigned fates = 0, fate;
	size_t index;

	json_array_foreach(list, index, each) if (fate_parse(json_string_value(each), &fate) == 0)
	    fates |= fate;
	return fates;
}

/* --- list ----------------------------------------------------------------------------------- */

void
queue_list_run(struct request *r)
{
	const struct item_filter filter = {
		/* What happened after it was sent asks for those that were. */
		.states = fates_of(r) != 0 ? 0 : states_of(r),
		.fates = fates_of(r),
		.route = value_string(r, "route"),
		.recipient = value_string(r, "recipient"),
		.sender = value_string(r, "sender"),
		.subject = value_string(r, "subject"),
		.since_ms = value_integer(r, "since", 0),
		.until_ms = value_integer(r, "until", 0),
	};
	struct item_page page = {
		.oldest_first = value_true(r, "oldest-first"),
		.most_items = (size_t)value_integer(r, "count", 50),
		.budget_ms = LIST_BUDGET_MS,
	};
	const char *from = value_string(r, "from");
	struct store_reader *reader = request_reader(r); /* the end of the request, perhaps */
	struct item_facts *items;
	size_t count;
	int64_t next_key;
	uint64_t from_key = 0;
	json_t *array, *next = NULL;

	if (reader == NULL)
		return;
	if (from != NULL && text_number(from, strlen(from), 1, INT64_MAX, &from_key) != 0) {
		request_fail(r, 400, "arguments", "give the \"next\" of the page before",
		    "from is no mark of a page");
		return;
	}
	page.from_key = (int64_t)from_key;
	if (store_reader_list(reader, &filter, &page, &items, &count, &next_key) != 0) {
		request_fail(r, 503, "spool", "try again", "the spool cannot be read: %s",
		    store_reader_why(reader));
		return;
	}
	array = json_array();
	for (size_t i = 0; i < count; i++) {
		json_array_append_new(array, json_item(&items[i], false));
		item_facts_free(&items[i]);
	}
	free(items);
	if (next_key != 0)
		next = json_sprintf("%" PRId64, next_key);
	request_answer(r, json_pack("{s:o,s:o,s:b}", "items", array, "next",
			      next != NULL ? next : json_null(), "scanned_all", next_key == 0));
}

/* --- show and status ------------------------------------------------------------------------ */

/* NULL after request_fail(): what the id stands for. */
static struct item_facts *
find(struct request *r, size_t most, size_t *count_r)
{
	const char *id = value_string(r, "id");
	struct store_reader *reader = request_reader(r); /* the end of the request, perhaps */
	struct item_facts *items;
	char shown[128];

	if (reader == NULL)
		return NULL;
	if (store_reader_find(reader, id, most, &items, count_r) != 0) {
		request_fail(r, 503, "spool", "try again", "the spool cannot be read: %s",
		    store_reader_why(reader));
		return NULL;
	}
	if (*count_r == 0) {
		free(items);
		request_fail(r, 404, "not-found",
		    "see what there is: pmrelayctl queue list --state all",
		    "the spool has nothing under %s",
		    text_safe(shown, sizeof(shown), id, strlen(id)));
		return NULL;
	}
	return items;
}

/* What goes by SMTP is a mail, and may have bytes that no JSON has. */
static json_t *
mail_shown(const struct buf *payload)
{
	json_t *text = json_stringn(payload->data, payload->len), *json;
	struct buf coded;

	if (text != NULL)
		return json_pack("{s:o}", "mail", text);
	buf_init(&coded, MOST_MESSAGE * 2);
	base64_add(&coded, payload->data, payload->len);
	json = json_pack("{s:s#}", "mail_base64", coded.data, (int)coded.len);
	buf_free(&coded);
	return json;
}

static json_t *
message_of(struct request *r, const struct item_facts *item)
{
	struct buf payload;
	json_t *json = NULL;

	buf_init(&payload, MOST_MESSAGE);
	if (store_reader_payload(r->control->reader, item->key, &payload) == 0 && !payload.over)
		json = item->kind >= ITEM_SMTP ? mail_shown(&payload)
					       : json_loadb(payload.data, payload.len, 0, NULL);
	buf_free(&payload);
	return json != NULL ? json : json_null();
}

static void
items_free(struct item_facts *items, size_t count)
{
	for (size_t i = 0; i < count; i++)
		item_facts_free(&items[i]);
	free(items);
}

void
queue_show_run(struct request *r)
{
	size_t count;
	struct item_facts *items = find(r, 2, &count);
	json_t *json;

	if (items == NULL)
		return;
	if (count > 1) {
		items_free(items, count);
		request_fail(r, 409, "several", "see them all: pmrelayctl status ID",
		    "this id stands for several items");
		return;
	}
	json = json_item(&items[0], true);
	json_object_set_new(json, "history", json_history(r->control, items[0].key));
	json_add_events(r->control, &items[0], json);
	if (value_true(r, "content"))
		json_object_set_new(json, "message", message_of(r, &items[0]));
	items_free(items, count);
	request_answer(r, json);
}

void
status_run(struct request *r)
{
	size_t count;
	struct item_facts *items = find(r, MOST_FOUND, &count);
	json_t *array;

	if (items == NULL)
		return;
	array = json_array();
	for (size_t i = 0; i < count; i++) {
		json_t *json = json_item(&items[i], true);

		json_object_set_new(json, "history", json_history(r->control, items[i].key));
		json_add_events(r->control, &items[i], json);
		json_array_append_new(array, json);
	}
	items_free(items, count);
	request_answer(r, json_pack("{s:O,s:o}", "id", value_json(r, "id"), "items", array));
}

/* --- change --------------------------------------------------------------------------------- */

static void
changed(struct request *r, struct ask *ask)
{
	const struct store_changed *c = &ask->change.changed;

	if (c->unknown > 0 && c->changed + c->left_out + c->unfit == 0) {
		request_fail(r, 404, "not-found",
		    "see what there is: pmrelayctl queue list --state all",
		    "the spool has nothing under %s", c->unknown == 1 ? "this id" : "these ids");
		return;
	}
	if (c->unfit > 0 && c->changed + c->left_out == 0 && ask->change.ids.count > 0) {
		request_fail(r, 409, "state", "see how it is: pmrelayctl status ID",
		    "an item in this state cannot be treated so");
		return;
	}
	request_answer(r, json_pack("{s:I,s:I,s:I,s:I}", "changed", (json_int_t)c->changed,
			      "in_flight", (json_int_t)c->left_out, "unfit", (json_int_t)c->unfit,
			      "unknown", (json_int_t)c->unknown));
}

static enum store_action
action_of(const struct request *r)
{
	const char *verb = strchr(r->operation->name, ' ') + 1;

	if (strcmp(verb, "hold") == 0)
		return STORE_HOLD;
	if (strcmp(verb, "release") == 0)
		return STORE_RELEASE;
	return strcmp(verb, "retry") == 0 ? STORE_RETRY : STORE_DELETE;
}

static char *
by_of(const struct request *r)
{
	char *by = request_by(r), *text = mem_format("%s by %s", r->operation->name, by);

	free(by);
	return text;
}

void
queue_change_run(struct request *r)
{
	json_t *ids = value_json(r, "id"), *each;
	struct ask *ask;
	size_t index;

	if (json_array_size(ids) == 0 && !value_true(r, "all")) {
		request_fail(r, 400, "arguments", NULL,
		    "give IDs, or say all (with states or a route, if not all is meant)");
		return;
	}
	if (json_array_size(ids) > 0 &&
	    (value_true(r, "all") || value_given(r, "state") || value_given(r, "route"))) {
		request_fail(r, 400, "arguments", NULL, "give IDs or a choice, not both");
		return;
	}
	ask = request_ask_new(r, ASK_CHANGE, changed);
	ask->change.action = action_of(r);
	json_array_foreach(ids, index, each) strlist_add(&ask->change.ids, json_string_value(each));
	ask->change.states = states_of(r);
	if (value_given(r, "route"))
		ask->change.route = mem_string(value_string(r, "route"));
	ask->change.by = by_of(r);
	request_ask(r, ask);
}

/* --- count, flush, drain -------------------------------------------------------------------- */

static void
counted(struct request *r, struct ask *ask)
{
	json_t *json = json_counts(&ask->counts.store);

	json_object_set_new(
	    json, "put_aside", json_integer((json_int_t)ask->counts.store.put_aside));
	json_object_set_new(json, "oldest", json_time(ask->counts.store.oldest_ms));
	request_answer(r, json);
}

void
queue_count_run(struct request *r)
{
	request_ask(r, request_ask_new(r, ASK_COUNTS, counted));
}

static void
flushed(struct request *r, struct ask *ask)
{
	(void)ask;
	request_answer(r, json_pack("{s:o}", "changed", json_incref(value_json(r, "changed"))));
}

/* The items first, so that the routes find them due when they are let go. */
static void
flushed_items(struct request *r, struct ask *ask)
{
	json_object_set_new(
	    r->values, "changed", json_integer((json_int_t)ask->change.changed.changed));
	request_ask(r, request_ask_new(r, ASK_WAKE, flushed));
}

static void
flush_items(struct request *r, request_asked_fn *done)
{
	struct ask *ask = request_ask_new(r, ASK_CHANGE, done);

	ask->change.action = STORE_RETRY;
	ask->change.states = 1U << ITEM_WAITING;
	if (value_given(r, "route"))
		ask->change.route = mem_string(value_string(r, "route"));
	ask->change.by = by_of(r);
	request_ask(r, ask);
}

void
queue_flush_run(struct request *r)
{
	flush_items(r, flushed_items);
}

/* A look at the items of one route, over as many pages as it takes. */
struct look {
	unsigned states;
	int64_t from_key;
	uint64_t count;
	bool whole;
};

struct drain {
	struct request *request;
	struct loop_timer *timer;
	struct look left, held; /* of one route */
	int64_t end_ms;
	uint64_t most; /* that were left at any time: what progress is of */
};

#define STATES_LEFT                                                                                \
	(1U << ITEM_SPOOLED | 1U << ITEM_SENDING | 1U << ITEM_WAITING | 1U << ITEM_UNSURE)

static void
drain_free(void *work)
{
	struct drain *drain = work;

	loop_timer_free(&drain->timer);
	free(drain);
}

static void
drain_gone(struct request *r)
{
	request_end_lines(r);
}

static void
drain_begin_look(struct drain *drain)
{
	drain->left = (struct look){ .states = STATES_LEFT };
	drain->held = (struct look){ .states = 1U << ITEM_HELD };
}

/*
 * One page of a look.  As many items as can be looked at in a moment are counted; that there are
 * more is one more.  -1 after request_fail().
 */
static int
look_on(struct request *r, struct look *look)
{
	const struct item_filter filter = { .states = look->states,
		.route = value_string(r, "route") };
	const struct item_page page = { .from_key = look->from_key,
		.most_items = DRAIN_LOOK_ITEMS,
		.budget_ms = LIST_BUDGET_MS };
	struct store_reader *reader = request_reader(r); /* the end of the request, perhaps */
	struct item_facts *items;
	size_t count;

	if (reader == NULL)
		return -1;
	if (store_reader_list(reader, &filter, &page, &items, &count, &look->from_key) != 0) {
		request_fail(r, 503, "spool", "try again", "the spool cannot be read: %s",
		    store_reader_why(reader));
		return -1;
	}
	items_free(items, count);
	look->count += count;
	look->whole = look->from_key == 0;
	if (!look->whole && look->count >= DRAIN_LOOK_ITEMS) {
		look->count++;
		look->whole = true;
	}
	return 0;
}

static void
drain_tell(struct drain *drain, uint64_t left, uint64_t held)
{
	struct request *r = drain->request;

	if (left > drain->most)
		drain->most = left;
	request_progress(r, drain->most - left, drain->most, "gone out");
	if (left > 0 && clock_mono_ms() < drain->end_ms) {
		drain_begin_look(drain);
		loop_timer_set(drain->timer, DRAIN_LOOK_MS);
		return;
	}
	request_answer(r, json_pack("{s:b,s:I,s:I}", "drained", left == 0, "left", (json_int_t)left,
			      "held", (json_int_t)held));
}

/* Others have their turn between the pages. */
static void
drain_look_at_route(struct drain *drain)
{
	struct look *look = drain->left.whole ? &drain->held : &drain->left;

	if (look_on(drain->request, look) != 0)
		return;
	if (drain->left.whole && drain->held.whole)
		drain_tell(drain, drain->left.count, drain->held.count);
	else
		loop_timer_set(drain->timer, 0);
}

static void
drain_counted(struct request *r, struct ask *ask)
{
	const uint64_t *items = ask->counts.store.items;

	drain_tell(r->work,
	    items[ITEM_SPOOLED] + items[ITEM_SENDING] + items[ITEM_WAITING] + items[ITEM_UNSURE],
	    items[ITEM_HELD]);
}

static void
drain_look(void *ctx)
{
	struct drain *drain = ctx;
	struct request *r = drain->request;

	if (value_given(r, "route"))
		drain_look_at_route(drain);
	else
		request_ask(r, request_ask_new(r, ASK_COUNTS, drain_counted));
}

static void
drain_woken(struct request *r, struct ask *ask)
{
	(void)ask;
	drain_look(r->work);
}

static void
drain_flushed(struct request *r, struct ask *ask)
{
	(void)ask;
	request_ask(r, request_ask_new(r, ASK_WAKE, drain_woken));
}

void
queue_drain_run(struct request *r)
{
	struct drain *drain = mem_new(sizeof(*drain));

	drain->request = r;
	drain_begin_look(drain);
	drain->timer = loop_timer_new(r->control->loop, drain_look, drain);
	drain->end_ms = clock_mono_ms() + value_integer(r, "timeout", 60000);
	r->work = drain;
	r->work_free = drain_free;
	r->gone = drain_gone;
	flush_items(r, drain_flushed);
}
