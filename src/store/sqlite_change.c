/*
 * What an operator does: with items, some of them at a time, and with routes.  An item in the
 * dispatcher's hands is never touched; its outcome is on the way.
 */

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#include "store/sqlite_inside.h"

/* Rows that one transaction looks at: a mail that is committed beside it waits for them. */
#define CHANGE_ROWS 100

struct change_row {
	int64_t key, route, attempt, history;
	int state;
	enum payload_at at;
	bool put_aside, unanswered;
};

/* One call of sqlite_change(). */
struct work {
	struct sqlite *b;
	const struct store_change *change;
	const struct keyset *in_hand;
	struct backend_change *progress;
	int64_t route; /* key; 0: any */
	size_t room;   /* rows that may still be looked at */
};

/* --- one item ---------------------------------------------------------------------------- */

static bool
state_is_for(enum store_action action, int state)
{
	switch (action) {
	case STORE_HOLD:
		return state == ITEM_SPOOLED || state == ITEM_WAITING || state == ITEM_UNSURE;
	case STORE_RELEASE:
		return state == ITEM_HELD;
	case STORE_RETRY:
		return state != ITEM_SENT;
	case STORE_DELETE:
		return true;
	case STORE_TOLD:
		return state == ITEM_FAILED;
	}
	return false;
}

/* What is left of one that was put aside is for people to look at and to delete; what has no
 * payload cannot go out. */
static bool
row_is_fit(const struct work *work, const struct change_row *row)
{
	enum store_action action = work->change->action;

	if (!state_is_for(action, row->state) ||
	    (work->change->states != 0 && (work->change->states & 1U << row->state) == 0) ||
	    (work->route != 0 && row->route != work->route))
		return false;
	if (action == STORE_RELEASE || action == STORE_RETRY)
		return !row->put_aside && row->at != PAYLOAD_GONE;
	return true;
}

static enum item_state
goes_to(enum store_action action, const struct change_row *row)
{
	if (action == STORE_HOLD)
		return ITEM_HELD;
	if (row->state != ITEM_HELD && row->state != ITEM_FAILED && row->state != ITEM_CAPTURED)
		return (enum item_state)row->state;
	if (row->unanswered)
		return ITEM_UNSURE;
	return row->attempt > 0 ? ITEM_WAITING : ITEM_SPOOLED;
}

static enum store_result
row_delete(struct sqlite *b, const struct change_row *row)
{
	enum store_result result =
	    sqlite_item_drop(b, row->key, row->state, row->at, row->put_aside);

	if (result == STORE_OK)
		result = sqlite_shared_drop_unneeded(b, row->key >> NUMBER_BITS);
	if (result == STORE_OK)
		result = sqlite_run_key(b, SQL_MAIL_DROP, row->key >> NUMBER_BITS);
	return result;
}

static enum store_result
row_tell(const struct work *work, const struct change_row *row)
{
	const struct store_outcome line = {
		.key = row->key, .at_ms = work->change->at_ms, .answer = work->change->by
	};
	enum store_result result =
	    sqlite_history_add(work->b, row->history + 1, 0, &line, ITEM_FAILED);

	return result == STORE_OK ? sqlite_run_key(work->b, SQL_ITEM_TOLD, row->key) : result;
}

static enum store_result
row_move(struct work *work, const struct change_row *row)
{
	struct sqlite *b = work->b;
	sqlite3_stmt *s = b->statements[SQL_ITEM_CHANGE];
	enum item_state to = goes_to(work->change->action, row);
	const struct store_outcome line = {
		.key = row->key, .at_ms = work->change->at_ms, .answer = work->change->by
	};
	enum store_result result = sqlite_history_add(b, row->history + 1, 0, &line, to);

	if (result != STORE_OK)
		return result;
	sqlite3_bind_int64(s, 1, row->key);
	sqlite3_bind_int(s, 2, (int)to);
	if (to == ITEM_HELD)
		sqlite3_bind_null(s, 3);
	else
		sqlite3_bind_int64(s, 3, work->change->at_ms);
	sqlite3_bind_int(s, 4, to == ITEM_HELD && row->state == ITEM_UNSURE);
	b->tally[row->state]--;
	b->tally[to]++;
	return sqlite_run(b, SQL_ITEM_CHANGE);
}

static enum store_result
row_change(struct work *work, const struct change_row *row)
{
	struct store_changed *changed = &work->progress->changed;

	if (!sqlite_state_is(row->state))
		return STORE_OK;
	if (row->state == ITEM_SENDING || keyset_has(work->in_hand, row->key)) {
		changed->left_out++;
		return STORE_OK;
	}
	if (!row_is_fit(work, row)) {
		changed->unfit++;
		return STORE_OK;
	}
	changed->changed++;
	switch (work->change->action) {
	case STORE_DELETE:
		return row_delete(work->b, row);
	case STORE_TOLD:
		return row_tell(work, row);
	case STORE_HOLD:
	case STORE_RELEASE:
	case STORE_RETRY:
		break;
	}
	return row_move(work, row);
}

/* --- several items ----------------------------------------------------------------------- */

/*
 * Changes what the statement gives, from progress->from_key on.  only: of this state and the route
 * that was named; 0: whatever comes.  seen_r: so many rows, and fewer than there was room for when
 * these were the last.
 */
static enum store_result
rows_change(struct work *work, sqlite3_stmt *s, int64_t end_key, int only, size_t *seen_r)
{
	struct change_row rows[CHANGE_ROWS];
	size_t count = 0;
	enum store_result result;

	*seen_r = 0;
	sqlite3_bind_int64(s, 1, work->progress->from_key);
	sqlite3_bind_int64(s, 2, end_key);
	sqlite3_bind_int64(s, 3, (int64_t)work->room);
	/* First who they are, then the rest: rows that are read must not change meanwhile. */
	while (sqlite3_step(s) == SQLITE_ROW) {
		struct change_row row = { .key = sqlite3_column_int64(s, 0),
			.state = sqlite3_column_int(s, 1),
			.route = sqlite3_column_int64(s, 2),
			.attempt = sqlite3_column_int64(s, 3),
			.history = sqlite3_column_int64(s, 4),
			.put_aside = sqlite3_column_int(s, 5) != 0,
			.at = (enum payload_at)sqlite3_column_int(s, 6),
			.unanswered = sqlite3_column_int(s, 7) != 0 };

		++*seen_r;
		work->progress->from_key = row.key;
		if (only == 0 ||
		    (row.state == only && (work->route == 0 || row.route == work->route)))
			rows[count++] = row;
	}
	result = sqlite_result(work->b, sqlite3_reset(s));
	for (size_t i = 0; result == STORE_OK && i < count; i++)
		result = row_change(work, &rows[i]);
	work->room -= *seen_r;
	return result;
}

/* The items of one id.  more_r: not all of them. */
static enum store_result
id_change(struct work *work, const char *id, bool *more_r)
{
	struct backend_change *progress = work->progress;
	bool begins = progress->from_key == 0;
	enum store_result result = STORE_OK;
	int64_t mail = 0, end_key;
	char mail_id[ULID_SIZE];
	size_t seen = 0, room = work->room;
	unsigned number;

	*more_r = false;
	if (item_id_read(id, mail_id, &number) == 0)
		result = sqlite_mail_key(work->b, mail_id, &mail);
	if (result == STORE_OK && mail != 0) {
		end_key = mail << NUMBER_BITS | (number != 0 ? number : NUMBER_MOST);
		if (begins)
			progress->from_key =
			    number != 0 ? end_key - 1 : (mail << NUMBER_BITS | NUMBER_SHARED);
		result =
		    rows_change(work, work->b->statements[SQL_ITEMS_BETWEEN], end_key, 0, &seen);
		*more_r = seen == room && number == 0;
	}
	if (begins && seen == 0 && result == STORE_OK) {
		progress->changed.unknown++;
		work->room--;
	}
	return result;
}

static enum store_result
ids_change(struct work *work)
{
	struct backend_change *progress = work->progress;
	enum store_result result = STORE_OK;
	bool more = false;

	while (result == STORE_OK && work->room > 0 && progress->at < work->change->count) {
		result = id_change(work, work->change->ids[progress->at], &more);
		if (!more) {
			progress->at++;
			progress->from_key = 0;
		}
	}
	progress->again = progress->at < work->change->count;
	return result;
}

/* In this order no item is met twice: a change leads only to a state that is over. */
static const enum item_state state_order[] = {
	ITEM_SPOOLED, ITEM_WAITING, ITEM_UNSURE, ITEM_HELD, ITEM_FAILED, ITEM_CAPTURED, ITEM_SENT,
	ITEM_SENDING, /* to count them */
};
#define STATE_COUNT (sizeof(state_order) / sizeof(state_order[0]))

static bool
state_is_named(const struct store_change *change, enum item_state state)
{
	if (change->states != 0)
		return (change->states & 1U << state) != 0;
	/* "Everything, once more" is not said of what was kept from its recipients on purpose. */
	if (state == ITEM_CAPTURED && change->action == STORE_RETRY)
		return false;
	return state == ITEM_SENDING || state_is_for(change->action, (int)state);
}

static enum store_result
last_key(struct sqlite *b, int64_t *key_r)
{
	sqlite3_stmt *s = b->statements[SQL_ITEM_LAST];

	if (sqlite3_step(s) == SQLITE_ROW)
		*key_r = sqlite3_column_int64(s, 0);
	return sqlite_result(b, sqlite3_reset(s));
}

static enum store_result
states_change(struct work *work)
{
	struct backend_change *progress = work->progress;
	enum store_result result = STORE_OK;

	if (progress->end_key == 0)
		result = last_key(work->b, &progress->end_key);
	while (result == STORE_OK && work->room > 0 && progress->at < STATE_COUNT) {
		enum item_state state = state_order[progress->at];
		enum statement which = state == ITEM_SENT ? SQL_ITEMS_BETWEEN : SQL_ITEMS_OF_STATE;
		size_t room = work->room, seen = 0;

		if (state_is_named(work->change, state)) {
			if (which == SQL_ITEMS_OF_STATE)
				sqlite3_bind_int(work->b->statements[which], 4, (int)state);
			result = rows_change(
			    work, work->b->statements[which], progress->end_key, (int)state, &seen);
		}
		if (seen < room) {
			progress->at++;
			progress->from_key = 0;
		}
	}
	progress->again = progress->at < STATE_COUNT;
	return result;
}

enum store_result
sqlite_change(void *ctx, const struct store_change *change, const struct keyset *in_hand,
    struct backend_change *progress)
{
	struct work work = { .b = ctx,
		.change = change,
		.in_hand = in_hand,
		.progress = progress,
		.room = CHANGE_ROWS };
	enum store_result result;

	progress->again = false;
	if (change->route != NULL) {
		result = sqlite_route_key(work.b, change->route, false, &work.route);
		if (result != STORE_OK)
			return result;
		/* Nothing is on a route that nobody has seen; -1 is the key of none. */
		if (work.route == 0)
			work.route = -1;
	}
	return change->count > 0 ? ids_change(&work) : states_change(&work);
}

/* --- taking back ------------------------------------------------------------------------- */

/* Nobody has it, and nobody will: by what is known of it, and as long as it is not in hand. */
static bool
never_left(int state, bool unanswered)
{
	switch (state) {
	case ITEM_SPOOLED:
	case ITEM_WAITING:
		return true;
	case ITEM_HELD:
	case ITEM_FAILED:
		return !unanswered;
	default: /* UNSURE and SENT may have gone; CAPTURED is kept on purpose */
		return false;
	}
}

struct take_back {
	struct sqlite *b;
	const struct keyset *in_hand;
	struct change_row *rows;
	size_t count;
	enum store_taken taken;
};

static enum store_result
items_note(struct take_back *back, const char *mail_id)
{
	sqlite3_stmt *s = back->b->statements[SQL_ITEMS_OF_MAIL];
	int64_t key;
	enum store_result result = sqlite_mail_key(back->b, mail_id, &key);

	if (result != STORE_OK || key == 0)
		return result;
	sqlite3_bind_int64(s, 1, key);
	while (sqlite3_step(s) == SQLITE_ROW) {
		struct change_row row = { .key = sqlite3_column_int64(s, 0),
			.state = sqlite3_column_int(s, 1),
			.at = (enum payload_at)sqlite3_column_int(s, 2),
			.put_aside = sqlite3_column_int(s, 3) != 0,
			.unanswered = sqlite3_column_int(s, 4) != 0 };

		/* What the items share goes with the last of them. */
		if (row.state == STATE_SHARED)
			continue;
		if (row.state == ITEM_SENDING || keyset_has(back->in_hand, row.key)) {
			if (back->taken == STORE_TAKEN)
				back->taken = STORE_TAKEN_LATER;
		} else if (!never_left(row.state, row.unanswered)) {
			back->taken = STORE_TAKEN_NEVER;
		}
		back->rows = mem_resize(back->rows, back->count + 1, sizeof(back->rows[0]));
		back->rows[back->count++] = row;
	}
	return sqlite_result(back->b, sqlite3_reset(s));
}

enum store_result
sqlite_take_back(void *ctx, const char *const *mail_ids, size_t count, const struct keyset *in_hand,
    enum store_taken *taken_r)
{
	struct take_back back = { .b = ctx, .in_hand = in_hand, .taken = STORE_TAKEN };
	enum store_result result = STORE_OK;

	for (size_t i = 0; result == STORE_OK && i < count; i++)
		result = items_note(&back, mail_ids[i]);
	for (size_t i = 0; result == STORE_OK && back.taken == STORE_TAKEN && i < back.count; i++)
		result = row_delete(back.b, &back.rows[i]);
	free(back.rows);
	*taken_r = back.taken;
	return result;
}

/* --- routes ------------------------------------------------------------------------------ */

enum store_result
sqlite_routes(void *ctx, struct store_route **routes_r, size_t *count_r)
{
	struct sqlite *b = ctx;
	sqlite3_stmt *s = b->statements[SQL_ROUTES];
	struct store_route *list = NULL;
	size_t count = 0;

	while (sqlite3_step(s) == SQLITE_ROW) {
		const char *name = (const char *)sqlite3_column_text(s, 0);
		const char *why = (const char *)sqlite3_column_text(s, 2);

		list = mem_resize(list, count + 1, sizeof(list[0]));
		list[count++] = (struct store_route){ .name = mem_string(name != NULL ? name : ""),
			.held = sqlite3_column_int(s, 1) != 0,
			.why = why != NULL ? mem_string(why) : NULL,
			.stood_since_ms = sqlite3_column_int64(s, 3),
			.stood_ms = sqlite3_column_int64(s, 4) };
	}
	*routes_r = list;
	*count_r = count;
	return sqlite_result(b, sqlite3_reset(s));
}

enum store_result
sqlite_route_set(void *ctx, const struct store_route *route)
{
	struct sqlite *b = ctx;
	sqlite3_stmt *s = b->statements[SQL_ROUTE_SET];

	sqlite_bind_text(s, 1, route->name);
	sqlite3_bind_int(s, 2, route->held);
	sqlite_bind_text_or_null(s, 3, route->why);
	sqlite3_bind_int64(s, 4, route->stood_since_ms);
	sqlite3_bind_int64(s, 5, route->stood_ms);
	return sqlite_run(b, SQL_ROUTE_SET);
}

static enum store_result
open_items(struct sqlite *b, int64_t route, uint64_t *items_r)
{
	sqlite3_stmt *s = b->statements[SQL_ROUTE_OPEN];

	sqlite3_bind_int64(s, 1, route);
	if (sqlite3_step(s) == SQLITE_ROW)
		*items_r = (uint64_t)sqlite3_column_int64(s, 0);
	return sqlite_result(b, sqlite3_reset(s));
}

enum store_result
sqlite_strays(
    void *ctx, const struct strlist *known, struct store_stray **strays_r, size_t *count_r)
{
	struct sqlite *b = ctx;
	struct store_route *routes = NULL;
	struct store_stray *strays = NULL;
	size_t route_count = 0, count = 0;
	enum store_result result = sqlite_routes(b, &routes, &route_count);

	for (size_t i = 0; i < route_count; i++) {
		uint64_t items = 0;
		int64_t key = 0;

		if (result == STORE_OK && !strlist_has(known, routes[i].name)) {
			result = sqlite_route_key(b, routes[i].name, false, &key);
			if (result == STORE_OK)
				result = open_items(b, key, &items);
		}
		if (items > 0) {
			strays = mem_resize(strays, count + 1, sizeof(strays[0]));
			strays[count++] = (struct store_stray){ routes[i].name, items };
		} else {
			free(routes[i].name);
		}
		free(routes[i].why);
	}
	free(routes);
	*strays_r = strays;
	*count_r = count;
	return result;
}
