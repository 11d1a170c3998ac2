/* What the control plane asks of the core, see desk.h. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/strlist.h"
#include "base/text.h"
#include "mail/event.h"
#include "mail/hook.h"
#include "mail/mail.h"
#include "mail/suppression.h"
#include "channel/frame.h"
#include "store/store.h"
#include "dispatch/dispatch.h"
#include "control/ask.h"
#include "control/control.h"
#include "control/feed.h"

#include "programs/desk.h"
#include "programs/handover.h"
#include "programs/instanced.h"
#include "programs/suppressions.h"

#define EXPLAIN_MS   (30 * 1000)
#define MOST_TEXT    8192
#define MOST_EXPLAIN ((size_t)64 * 1024 * 1024)
#define AGAIN_MS     20
#define MOST_TRIES   250
#define MOST_TOLD    100 /* items named one by one in the feed; more are one event */

/* An ask in the core's hands. */
struct errand {
	struct errand *next, *prev;
	struct desk *desk;
	struct ask *ask;
	uint64_t serial;          /* of an explanation that a front makes */
	int front;                /* which one */
	struct loop_timer *timer; /* of the same, or of what has to wait for the spool */
	unsigned tries;
};

struct desk {
	struct desk_params params;
	struct control *control;
	struct feed *feed;
	struct errand *errands;
	uint64_t serial;
	int64_t started_ms;
	uint64_t accepted, refused; /* mails since start */
	bool spool_fails;           /* the last mail could not be stored */
};

/* --- errands -------------------------------------------------------------------------------- */

static void
errand_free(struct errand *errand)
{
	if (errand->prev != NULL)
		errand->prev->next = errand->next;
	else
		errand->desk->errands = errand->next;
	if (errand->next != NULL)
		errand->next->prev = errand->prev;
	loop_timer_free(&errand->timer);
	free(errand);
}

static void
errand_done(struct errand *errand)
{
	struct control *control = errand->desk->control;
	struct ask *ask = errand->ask;

	errand_free(errand);
	if (control != NULL)
		control_answer(control, ask);
	else
		ask_free(&ask);
}

static const char *
store_why(enum store_result result)
{
	return result == STORE_FULL ? "the spool is full" : "the spool has a fault: see the log";
}

static void
fail_for_store(struct errand *errand, enum store_result result)
{
	ask_fail(errand->ask, 503, "%s", store_why(result));
	errand_done(errand);
}

/* --- what happened -------------------------------------------------------------------------- */

static struct feed_event
told_new(const char *kind, const char *item, const char *route)
{
	struct feed_event event = { .kind = kind, .at_ms = clock_wall_ms() };

	snprintf(event.item, sizeof(event.item), "%s", item != NULL ? item : "");
	snprintf(event.route, sizeof(event.route), "%s", route != NULL ? route : "");
	return event;
}

static void
told_text(struct feed_event *event, const char *text)
{
	if (text != NULL)
		text_safe(event->text, sizeof(event->text), text, strlen(text));
}

void
desk_mail(struct desk *desk, const char *mail_id, const char *route, bool durable)
{
	struct feed_event event;

	if (desk == NULL)
		return;
	desk->spool_fails = !durable;
	if (!durable) {
		desk->refused++;
		return;
	}
	desk->accepted++;
	event = told_new("accepted", mail_id, route);
	feed_add(desk->feed, &event);
}

void
desk_taken_back(struct desk *desk, const char *mail_id, const char *route)
{
	struct feed_event event;

	if (desk == NULL)
		return;
	event = told_new("deleted", mail_id, route);
	told_text(&event, "taken back: Postmark did not take it in time, and its client knows");
	feed_add(desk->feed, &event);
}

static void
join_recipients(struct feed_event *event, const struct strlist *recipients)
{
	struct buf text;

	buf_init(&text, sizeof(event->text) * 2);
	for (size_t i = 0; i < recipients->count && !text.over; i++)
		buf_addf(&text, "%s%s", i > 0 ? ", " : "to ", recipients->items[i]);
	told_text(event, text.data);
	buf_free(&text);
}

void
desk_report(struct desk *desk, const struct dispatch_event *report)
{
	const struct store_outcome *outcome = report->outcome;
	struct feed_event event;

	if (desk == NULL)
		return;
	if (report->item == NULL) {
		event =
		    told_new(report->stands ? "route-stands" : "route-goes", NULL, report->route);
		told_text(&event, report->why);
		feed_add(desk->feed, &event);
		return;
	}
	if (outcome->to == ITEM_SPOOLED) /* given back untried: nothing happened */
		return;
	event = told_new(item_state_name(outcome->to), report->item->id, report->route);
	event.attempt = report->item->attempt;
	event.http_status = outcome->http_status;
	event.error_code = outcome->error_code;
	if (outcome->postmark_id != NULL)
		snprintf(event.postmark_id, sizeof(event.postmark_id), "%s", outcome->postmark_id);
	if (outcome->to == ITEM_SENT)
		join_recipients(&event, &report->item->recipients);
	else
		told_text(&event, outcome->answer);
	feed_add(desk->feed, &event);
}

void
desk_event(struct desk *desk, const struct event *event, const struct store_event_done *done)
{
	struct feed_event told;
	struct buf text;

	if (desk == NULL)
		return;
	told = told_new(event_kind_name(event->kind), done->item, done->route);
	told.at_ms = event->at_ms;
	snprintf(told.postmark_id, sizeof(told.postmark_id), "%s", event->message_id);
	buf_init(&text, 4 * EVENT_MOST_TEXT);
	event_describe(event, &text);
	told_text(&told, text.data);
	buf_free(&text);
	feed_add(desk->feed, &told);
}

/* --- commits -------------------------------------------------------------------------------- */

struct commit_note {
	struct errand *errand;
	size_t index;
	char id[ULID_SIZE];
};

static void
on_committed(void *ctx, enum store_result result, bool known)
{
	struct commit_note *note = ctx;
	struct errand *errand = note->errand;
	struct ask *ask = errand->ask;

	(void)known; /* its ids are fresh */
	ask->commit.results[note->index] = result;
	desk_mail(errand->desk, note->id, NULL, result == STORE_OK);
	free(note);
	if (--ask->commit.left == 0)
		errand_done(errand);
}

static void
do_commit(struct errand *errand)
{
	struct ask *ask = errand->ask;

	/* One more than there are, so that the ask lives until the last is on its way. */
	ask->commit.left = 1;
	for (size_t i = 0; i < ask->commit.count; i++) {
		struct mail *mail = ask->commit.mails[i];
		struct commit_note *note;

		if (mail == NULL)
			continue;
		note = mem_new(sizeof(*note));
		note->errand = errand;
		note->index = i;
		memcpy(note->id, mail->id, sizeof(note->id));
		ask->commit.mails[i] = NULL;
		ask->commit.left++;
		store_commit(errand->desk->params.store, mail, on_committed, note);
	}
	if (--ask->commit.left == 0)
		errand_done(errand);
}

/* --- changes -------------------------------------------------------------------------------- */

static const char *
action_name(enum store_action action)
{
	switch (action) {
	case STORE_HOLD:
		return "held";
	case STORE_RELEASE:
		return "released";
	case STORE_RETRY:
		return "retried";
	case STORE_DELETE:
		return "deleted";
	case STORE_TOLD:
		return "told";
	}
	return "?";
}

static void
tell_change(struct desk *desk, const struct ask *ask)
{
	const struct store_changed *changed = &ask->change.changed;
	const char *kind = action_name(ask->change.action);
	/* Whoever waits for an item believes its event: not which of them were left alone is known,
	 * only that some were. */
	bool all = changed->left_out + changed->unfit + changed->unknown == 0;
	struct feed_event event;

	log_info("queue-changed", log_str("what", kind),
	    log_num("items", (int64_t)ask->change.changed.changed),
	    log_str("item", ask->change.ids.count == 1 ? ask->change.ids.items[0] : NULL),
	    log_str("route", ask->change.route), log_str("by", ask->change.by));
	if (all && ask->change.ids.count > 0 && ask->change.ids.count <= MOST_TOLD) {
		for (size_t i = 0; i < ask->change.ids.count; i++) {
			event = told_new(kind, ask->change.ids.items[i], ask->change.route);
			told_text(&event, ask->change.by);
			feed_add(desk->feed, &event);
		}
		return;
	}
	event = told_new(kind, NULL, ask->change.route);
	snprintf(event.text, sizeof(event.text), "%llu items, %s",
	    (unsigned long long)ask->change.changed.changed, ask->change.by);
	feed_add(desk->feed, &event);
}

static void
on_changed(void *ctx, enum store_result result, const struct store_changed *changed)
{
	struct errand *errand = ctx;

	errand->ask->change.changed = *changed;
	if (changed->changed > 0)
		tell_change(errand->desk, errand->ask);
	if (changed->changed > 0 && (errand->ask->change.action == STORE_RELEASE ||
					errand->ask->change.action == STORE_RETRY))
		errand->desk->params.released(errand->desk->params.ctx);
	if (result != STORE_OK && changed->changed > 0) {
		ask_fail(errand->ask, 503,
		    "%s: %llu items were changed before that, and stay so; ask again for the rest",
		    store_why(result), (unsigned long long)changed->changed);
		errand_done(errand);
	} else if (result != STORE_OK) {
		fail_for_store(errand, result);
	} else {
		errand_done(errand);
	}
}

static void
do_change(struct errand *errand)
{
	const struct ask *ask = errand->ask;
	const struct store_change change = { .action = ask->change.action,
		.ids = (const char *const *)ask->change.ids.items,
		.count = ask->change.ids.count,
		.states = ask->change.states,
		.route = ask->change.route,
		.at_ms = clock_wall_ms(),
		.by = ask->change.by };

	store_change(errand->desk->params.store, &change, on_changed, errand);
}

/* --- counts and routes ---------------------------------------------------------------------- */

static void
read_routes(struct ask *ask, const struct dispatch *dispatch)
{
	size_t count = dispatch != NULL ? dispatch_route_count(dispatch) : 0;

	ask->counts.routes = mem_array(count > 0 ? count : 1, sizeof(*ask->counts.routes));
	ask->counts.route_count = count;
	for (size_t i = 0; i < count; i++) {
		struct ask_route *to = &ask->counts.routes[i];
		struct dispatch_route_state from;

		dispatch_route_read(dispatch, i, &from);
		*to = (struct ask_route){
			.name = mem_string(from.name),
			.message_stream =
			    mem_string(from.message_stream != NULL ? from.message_stream : ""),
			.mode = mem_string(dispatch_route_mode_name(from.mode)),
			.why = mem_string(from.why),
			.since_ms = from.since_ms,
			.next_probe_ms = from.next_probe_ms,
			.last_success_ms = from.last_success_ms,
			.in_flight = from.in_flight,
			.window = from.window,
			.batch_items = from.batch_items,
			.sent = from.sent,
			.refused = from.refused,
			.waiting = from.waiting,
			.unsure = from.unsure,
			.requests = from.requests,
		};
	}
}

static void
on_counted(void *ctx, const struct store_counts *counts)
{
	struct errand *errand = ctx;
	struct desk *desk = errand->desk;
	struct ask *ask = errand->ask;

	ask->counts.store = *counts;
	ask->counts.fronts = desk->params.fronts(desk->params.ctx);
	ask->counts.started_ms = desk->started_ms;
	ask->counts.accepted = desk->accepted;
	ask->counts.refused = desk->refused;
	ask->counts.spool_durable = !desk->spool_fails;
	read_routes(ask, desk->params.dispatch(desk->params.ctx));
	errand_done(errand);
}

static void
on_route_held(void *ctx, int result)
{
	struct errand *errand = ctx;

	if (result != STORE_OK)
		fail_for_store(errand, (enum store_result)result);
	else
		errand_done(errand);
}

static void
do_route(struct errand *errand)
{
	struct desk *desk = errand->desk;
	struct ask *ask = errand->ask;
	struct dispatch *dispatch = desk->params.dispatch(desk->params.ctx);

	if (dispatch == NULL) {
		ask_fail(ask, 503, "the settings are being changed: try again");
		errand_done(errand);
	} else if (dispatch_route_hold(dispatch, ask->route.route, ask->route.hold, ask->route.by,
		       on_route_held, errand) != 0) {
		ask_fail(ask, 404, "there is no such route: see pmrelayctl route list");
		errand_done(errand);
	}
}

static void
do_wake(struct errand *errand)
{
	struct desk *desk = errand->desk;
	struct dispatch *dispatch = desk->params.dispatch(desk->params.ctx);

	if (dispatch != NULL) {
		dispatch_flush(dispatch);
		dispatch_wake(dispatch);
	}
	errand_done(errand);
}

/* --- explanations --------------------------------------------------------------------------- */

static void
on_explain_end(void *ctx)
{
	struct errand *errand = ctx;

	ask_fail(errand->ask, 504, "no front has explained the mail in time");
	errand_done(errand);
}

static void
do_explain(struct errand *errand)
{
	struct desk *desk = errand->desk;
	struct ask *ask = errand->ask;
	const struct frame_explain question = { .reverse_path = ask->explain.reverse_path,
		.recipients = ask->explain.recipients,
		.listener = ask->explain.listener,
		.client = ask->explain.client,
		.user = ask->explain.user };
	struct buf content;
	size_t len;
	int fd;

	/* A front ends the channel over what no SMTP session would bring. */
	if (!frame_explain_is_right(&question)) {
		ask_fail(ask, 400, "the sender or a recipient is no address");
		errand_done(errand);
		return;
	}
	buf_init_shared(&content, MOST_EXPLAIN, ask->explain.content_len);
	buf_add(&content, ask->explain.content, ask->explain.content_len);
	fd = content.over ? -1 : buf_take_fd(&content, &len);
	buf_free(&content);
	if (fd < 0) {
		ask_fail(ask, 413, "the mail is too large to be explained");
		errand_done(errand);
		return;
	}
	errand->serial = ++desk->serial;
	errand->front = desk->params.explain(desk->params.ctx, errand->serial, &question, fd);
	close(fd);
	if (errand->front < 0) {
		ask_fail(ask, 503, "there is no front to explain it: try again");
		errand_done(errand);
		return;
	}
	errand->timer = loop_timer_new(desk->params.loop, on_explain_end, errand);
	loop_timer_set(errand->timer, EXPLAIN_MS);
}

void
desk_explained(struct desk *desk, int front, uint64_t serial, const char *json, size_t len)
{
	if (desk == NULL)
		return;
	for (struct errand *e = desk->errands; e != NULL; e = e->next) {
		if (e->ask->kind != ASK_EXPLAIN || e->serial != serial || e->front != front)
			continue;
		e->ask->explain.json = mem_bytes(json, len);
		e->ask->explain.json_len = len;
		errand_done(e);
		return;
	}
}

void
desk_front_lost(struct desk *desk, int front)
{
	struct errand *next;

	for (struct errand *e = desk != NULL ? desk->errands : NULL; e != NULL; e = next) {
		next = e->next;
		if (e->ask->kind != ASK_EXPLAIN || e->timer == NULL || e->front != front)
			continue;
		ask_fail(e->ask, 503, "a front ended while it explained the mail");
		errand_done(e);
	}
}

/* --- settings ------------------------------------------------------------------------------- */

static void
to_supervisor(struct errand *errand, enum handover_kind kind, int number, bool answers)
{
	struct desk *desk = errand->desk;
	int fd = desk->params.supervisor(desk->params.ctx);

	if (fd < 0 || handover_send(fd, kind, number, -1) != 0) {
		ask_fail(errand->ask, 503, "the supervisor does not listen");
		errand_done(errand);
	} else if (!answers) {
		errand_done(errand);
	}
}

void
desk_reloaded(struct desk *desk, int number, int fd)
{
	char text[MOST_TEXT];
	struct errand *oldest = NULL;

	handover_text_read(fd, text, sizeof(text));
	for (struct errand *e = desk != NULL ? desk->errands : NULL; e != NULL; e = e->next)
		if (e->ask->kind == ASK_RELOAD)
			oldest = e; /* new ones are put in front */
	if (oldest == NULL)
		return;
	if (number != 0)
		ask_fail(oldest->ask, 422, "the old settings stay: %s", text);
	else
		oldest->ask->reload.text = mem_string(text);
	errand_done(oldest);
}

void
desk_reload(struct desk *desk, const struct config *config)
{
	if (desk != NULL)
		control_reload(desk->control, config);
}

/* --- webhooks of this instance, and suppressions --------------------------------------------- */

static void
on_hooks_changed(void *ctx, int result)
{
	struct errand *errand = ctx;

	if (result != STORE_OK)
		fail_for_store(errand, (enum store_result)result);
	else
		errand_done(errand);
}

static void do_hooks(struct errand *);

static void
on_hooks_again(void *ctx)
{
	struct errand *errand = ctx;

	loop_timer_free(&errand->timer);
	do_hooks(errand);
}

static void
do_hooks(struct errand *errand)
{
	struct instanced *instanced = errand->desk->params.instanced;
	struct ask *ask = errand->ask;
	const struct hook *list;
	size_t count;

	if (!instanced_list(instanced, &list, &count) && ++errand->tries < MOST_TRIES) {
		/* At the very start. */
		errand->timer = loop_timer_new(errand->desk->params.loop, on_hooks_again, errand);
		loop_timer_set(errand->timer, AGAIN_MS);
	} else if (!instanced_list(instanced, &list, &count)) {
		ask_fail(ask, 503, "the spool was not read yet: try again");
		errand_done(errand);
	} else if (ask->kind == ASK_HOOK_SET) {
		instanced_set(instanced, ask->hooks.list, on_hooks_changed, errand);
	} else if (ask->kind == ASK_HOOKS_DROP) {
		instanced_drop(instanced, (const char *const *)ask->hooks.paths.items,
		    ask->hooks.paths.count, on_hooks_changed, errand);
	} else {
		ask->hooks.list = mem_array(count + 1, sizeof(*ask->hooks.list));
		ask->hooks.count = count;
		for (size_t i = 0; i < count; i++)
			hook_copy(&ask->hooks.list[i], &list[i]);
		errand_done(errand);
	}
}

static void
do_suppressions(struct errand *errand)
{
	struct suppressions *all = errand->desk->params.suppressions;
	struct ask *ask = errand->ask;

	if (ask->kind == ASK_SUPPRESSIONS) {
		const struct suppressions_synced synced = suppressions_sync(all,
		    ask->suppressions.connection, ask->suppressions.stream, ask->suppressions.add,
		    ask->suppressions.add_count, ask->suppressions.since_ms);

		ask->suppressions.added = synced.added;
		ask->suppressions.lifted = synced.lifted;
	} else if (ask->kind == ASK_SUPPRESSION_CHANGE) {
		suppressions_change(all, ask->suppressions.connection, ask->suppressions.stream,
		    ask->suppressions.add, ask->suppressions.add_count, &ask->suppressions.lift);
	} else {
		ask->suppressions.add =
		    suppressions_find(all, ask->suppressions.address, &ask->suppressions.add_count);
	}
	errand_done(errand);
}

/* --- carrying ------------------------------------------------------------------------------- */

static void
do_errand(struct errand *errand)
{
	struct desk *desk = errand->desk;

	switch (errand->ask->kind) {
	case ASK_COMMIT:
		do_commit(errand);
		break;
	case ASK_CHANGE:
		do_change(errand);
		break;
	case ASK_COUNTS:
		store_count(desk->params.store, on_counted, errand);
		break;
	case ASK_ROUTE:
		do_route(errand);
		break;
	case ASK_WAKE:
		do_wake(errand);
		break;
	case ASK_EXPLAIN:
		do_explain(errand);
		break;
	case ASK_RELOAD:
		to_supervisor(errand, HANDOVER_RELOAD, 0, true);
		break;
	case ASK_HOOKS:
	case ASK_HOOK_SET:
	case ASK_HOOKS_DROP:
		do_hooks(errand);
		break;
	case ASK_SUPPRESSIONS:
	case ASK_SUPPRESSION_CHANGE:
	case ASK_SUPPRESSION_FIND:
		do_suppressions(errand);
		break;
	case ASK_LOG_LEVEL:
		to_supervisor(errand, HANDOVER_LOG_LEVEL, (int)errand->ask->log_level.level, false);
		break;
	}
}

struct carried {
	struct desk *desk;
	struct ask *ask;
};

static void
arrived(void *ctx)
{
	struct carried *carried = ctx;
	struct desk *desk = carried->desk;
	struct errand *errand = mem_new(sizeof(*errand));

	errand->desk = desk;
	errand->ask = carried->ask;
	free(carried);
	errand->next = desk->errands;
	if (errand->next != NULL)
		errand->next->prev = errand;
	desk->errands = errand;
	do_errand(errand);
}

/* On the control thread. */
static void
carry(void *ctx, struct ask *ask)
{
	struct desk *desk = ctx;
	struct carried *carried = mem_new(sizeof(*carried));

	carried->desk = desk;
	carried->ask = ask;
	loop_post(desk->params.loop, arrived, carried);
}

/* --- life ----------------------------------------------------------------------------------- */

struct desk *
desk_open(const struct desk_params *params, char *why, size_t why_size)
{
	struct desk *desk = mem_new(sizeof(*desk));
	struct control_params control = { .config = params->config,
		.unix_fd = params->unix_fd,
		.tcp_fd = params->tcp_fd,
		.ask = carry,
		.ctx = desk };

	desk->params = *params;
	desk->params.config = NULL; /* lent for the call */
	desk->started_ms = clock_wall_ms();
	desk->feed = feed_new();
	control.feed = desk->feed;
	desk->control = control_start(&control, why, why_size);
	if (desk->control == NULL) {
		feed_free(&desk->feed);
		free(desk);
		return NULL;
	}
	return desk;
}

void
desk_close(struct desk **desk)
{
	struct desk *d = *desk;

	if (d == NULL)
		return;
	*desk = NULL;
	control_stop(&d->control);
	while (d->errands != NULL) {
		ask_free(&d->errands->ask);
		errand_free(d->errands);
	}
	feed_free(&d->feed);
	free(d);
}
