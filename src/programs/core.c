/*
 * channel > store > dispatch > postmark.  Frames come from fronts that may have been taken over
 * by what they parsed: every one is checked (channel/frame.c), and no front learns more than
 * whether its own mail is durable.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sysexits.h>
#include <unistd.h>

#include "config.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/privs.h"
#include "base/secret.h"
#include "base/strlist.h"
#include "config/config.h"
#include "mail/event.h"
#include "mail/mail.h"
#include "mail/refusal.h"
#include "store/store.h"
#include "postmark/client.h"
#include "dispatch/dispatch.h"
#include "webhook/hooks.h"

#include "programs/commits.h"
#include "programs/core.h"
#include "programs/desk.h"
#include "programs/events.h"
#include "programs/fronts.h"
#include "programs/handover.h"
#include "programs/passing.h"
#include "programs/instanced.h"
#include "programs/suppressions.h"
#include "programs/routes.h"

#define BACKEND        "sqlite"
#define FIRST_PURGE_MS (60 * 1000) /* not in the way of a start */
#define PURGE_MS       (60 * 60 * 1000)
#define STRAYS_MS      (30 * 1000) /* until a spool that did not answer is asked again */
#define MOST_KEYS      (8U * 1024U * 1024U)
#define TEST_TOKEN     "POSTMARK_API_TEST" /* Postmark's own: checks, and delivers nothing */

struct core;

static void drain_without_fronts(struct core *);
static void on_drained_for_reload(void *);

struct core {
	struct loop *loop;
	struct config *config;
	struct config *next_config; /* waits for the dispatcher to drain */
	struct handover *supervisor;
	struct store *store;
	struct postmark_client *client;
	struct dispatch_local local; /* for mails that come in */
	struct dispatch *dispatch;   /* NULL: not yet */
	struct commits *commits;
	struct events *events;
	struct passing *passing; /* NULL: not to be had */
	struct instanced *instanced;
	struct suppressions *suppressions;
	struct secret *test_token;
	struct strlist routes; /* of the dispatcher */
	bool asks_strays;      /* the dispatcher begins with the answer */
	bool checks_strays;
	struct desk *desk; /* NULL: no control socket */
	struct loop_timer *purge;
	struct loop_timer *strays; /* the spool did not answer */
	struct loop_timer *drain_end;
	struct loop_timer *reload_end;
	struct fronts *fronts;
	struct log_gate full_gate;
	bool hurries;  /* nobody is to wait for Postmark any more */
	bool orphaned; /* the supervisor has gone: drains when the fronts have */
	bool draining;
	int status;
};

/* --- commits ------------------------------------------------------------------------------ */

static void
log_full(struct core *core, enum store_result result)
{
	int64_t left_out;

	if (log_gate_pass(&core->full_gate, 5000, &left_out))
		log_error(result == STORE_FULL ? "spool-full" : "spool-broken",
		    log_str("folder", core->config->spool_folder),
		    log_str("todo",
			result == STORE_FULL
			    ? "make room on this file system; mail is taken again by itself"
			    : "check the disk and the rights; mail is taken again by itself"),
		    log_num("left_out", left_out));
}

static void
on_stored(void *ctx, const struct commit_from *from, const struct commit_mail *mails, size_t count,
    enum store_result result)
{
	struct core *core = ctx;

	for (size_t i = 0; i < count; i++)
		desk_mail(core->desk, mails[i].id, mails[i].route, result == STORE_OK);
	if (result != STORE_OK)
		log_full(core, result);
	fronts_done(from);
}

static bool
on_answer(void *ctx, const struct commit_from *from, const struct refusal *answer)
{
	(void)ctx;
	return fronts_answer(from, answer);
}

static void
on_taken_back(void *ctx, const char *mail_id, const char *route)
{
	struct core *core = ctx;

	desk_taken_back(core->desk, mail_id, route);
}

/* A breaker that is open and a pause that is probed are none of it: the mail may be the probe. */
static bool
route_stands(void *ctx, const char *name)
{
	const struct core *core = ctx;
	size_t count = core->dispatch != NULL ? dispatch_route_count(core->dispatch) : 0;

	if (core->hurries)
		return true;
	for (size_t i = 0; i < count; i++) {
		struct dispatch_route_state state;

		dispatch_route_read(core->dispatch, i, &state);
		if (strcmp(state.name, name) == 0)
			return state.mode == ROUTE_HELD ||
			       (state.mode == ROUTE_PAUSED && state.next_probe_ms == 0);
	}
	return false;
}

/* What comes with new settings that wait for the dispatcher is known, too: the front may have them
 * already. */
static const char *
mails_wrong(const struct core *core, const struct mail *mail)
{
	for (; mail != NULL; mail = mail->next)
		if (!routes_have(core->config, mail->route) &&
		    !routes_have(core->next_config, mail->route))
			return "no such route";
	return NULL;
}

/* --- events ------------------------------------------------------------------------------- */

static void
on_event_stored(void *ctx, const struct event *event, const struct store_event_done *done)
{
	struct core *core = ctx;

	desk_event(core->desk, event, done);
	passing_wake(core->passing);
	suppressions_event(core->suppressions, event);
	if (done->settled) {
		/* Whoever still waits to hear what Postmark said. */
		const struct store_outcome outcome = { .to = ITEM_SENT,
			.at_ms = event->received_ms,
			.postmark_id = event->message_id[0] != '\0' ? event->message_id : NULL,
			.http_status = 200 };

		commits_outcome(core->commits, done->item, &outcome);
	}
}

static void
on_event_failed(void *ctx, enum store_result result)
{
	log_full(ctx, result);
}

static void
on_event_answer(void *ctx, const struct commit_from *from, const struct refusal *answer)
{
	(void)ctx;
	fronts_done(from);
	fronts_answer(from, answer);
}

/* --- fronts ------------------------------------------------------------------------------- */

static void
on_mails(void *ctx, struct mail *mail, const struct commit_from *from)
{
	struct core *core = ctx;
	const char *why = mails_wrong(core, mail);
	struct refusal refusal;

	if (why == NULL) {
		commits_ask(core->commits, mail, from, core->config->retry_unsure == UNSURE_RETRY);
		return;
	}
	log_error("bad-frame", log_str("mail", mail->id), log_str("why", why));
	mail_free(&mail);
	refusal_set(&refusal, 451, "4.3.0", "the relay could not hand this mail on: %s", why);
	fronts_done(from);
	fronts_answer(from, &refusal);
}

static void
on_event(void *ctx, struct event *event, const struct commit_from *from)
{
	struct core *core = ctx;

	events_ask(core->events, event, from);
}

static void
on_explained(void *ctx, unsigned front, uint64_t serial, const char *json, size_t len)
{
	struct core *core = ctx;

	desk_explained(core->desk, (int)front, serial, json, len);
}

static void
on_lost(void *ctx, unsigned front, int number, const char *why)
{
	struct core *core = ctx;

	desk_front_lost(core->desk, (int)front);
	if (core->orphaned)
		drain_without_fronts(core);
	if (core->draining)
		return;
	log_info("front-lost", log_num("front", front), log_str("why", why));
	if (core->supervisor != NULL) /* a front that lives and sends nonsense is replaced */
		handover_send(handover_fd(core->supervisor), HANDOVER_BAD_FRONT, number, -1);
}

/* By which posts are known: when the settings change, or the webhooks of this instance. */
static void
tell_keys(void *ctx)
{
	struct core *core = ctx;
	char why[512] = "";
	const struct hook *list;
	struct buf keys;
	size_t count;

	/* A front that was told nothing answers 503, and Postmark comes again: 401 ends its tries.
	 */
	if (core->config->webhook_listen.count == 0 ||
	    !instanced_list(core->instanced, &list, &count))
		return;
	buf_init(&keys, MOST_KEYS);
	if (hooks_json(core->config, list, count, clock_wall_ms(), &keys, why, sizeof(why)) != 0)
		log_error("webhook-certificate", log_str("why", why),
		    log_str("todo", "mend it and reload"));
	fronts_tell_keys(core->fronts, &keys);
}

static void
tell_suppressions(void *ctx, int table_fd)
{
	struct core *core = ctx;

	fronts_tell_suppressions(core->fronts, table_fd);
}

/* --- dispatching -------------------------------------------------------------------------- */

static void
on_due(void *ctx)
{
	struct core *core = ctx;

	if (core->dispatch != NULL)
		dispatch_wake(core->dispatch);
}

static void
on_report(void *ctx, const struct dispatch_event *event)
{
	struct core *core = ctx;

	if (event->item != NULL) {
		commits_outcome(core->commits, event->item->id, event->outcome);
		/* The store has made an event of it. */
		if (event->outcome->to == ITEM_FAILED || event->outcome->inactive != NULL)
			passing_wake(core->passing);
	}
	desk_report(core->desk, event);
}

/* Nobody would send these, and nobody would notice. */
static void
log_strays(const struct store_stray *strays, size_t count)
{
	for (size_t i = 0; i < count; i++)
		log_warning("route-gone", log_str("route", strays[i].route),
		    log_num("items", (int64_t)strays[i].items),
		    log_str("why", "the configuration has this route no longer"),
		    log_str("todo", "put it back and reload, and they are sent; or delete them: "
				    "pmrelayctl queue "
				    "delete --route"));
}

static void
dispatch_with(struct core *core, const struct store_stray *strays, size_t stray_count)
{
	const struct config *c = core->config;
	const struct dispatch_options options = {
		.most_in_flight = c->postmark_requests,
		.most_batch_items = c->postmark_batch_items,
		.most_batch_bytes = c->postmark_batch_bytes,
		.batch_target_ms = c->postmark_batch_target_ms,
		.single_timeout_ms = c->postmark_single_timeout_ms,
		.batch_timeout_ms = c->postmark_batch_timeout_ms,
		.retry_least_ms = c->retry_least_ms,
		.retry_most_ms = c->retry_most_ms,
		.queue_lifetime_ms = c->retry_lifetime_ms,
		.probe_ms = c->retry_probe_ms,
		.settle_ms = c->retry_settle_ms,
		.breaker_failures = c->retry_breaker_failures,
		.unsure = (enum dispatch_unsure)c->retry_unsure,
	};
	size_t count;
	struct dispatch_route *routes = routes_of(c, core->test_token, &core->local, &count);
	uint64_t seed;

	routes = mem_resize(routes, count + stray_count, sizeof(*routes));
	for (size_t i = 0; i < stray_count; i++)
		routes[count++] = (struct dispatch_route){ .name = strays[i].route, .gone = true };
	strlist_free(&core->routes);
	for (size_t i = 0; i < count; i++)
		strlist_add(&core->routes, routes[i].name);
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		seed = (uint64_t)clock_mono_us();
	core->dispatch = dispatch_new(&(struct dispatch_params){ .loop = core->loop,
	    .store = core->store,
	    .client = core->client,
	    .routes = routes,
	    .route_count = count,
	    .options = &options,
	    .seed = seed,
	    .report = on_report,
	    .ctx = core });
	free(routes);
	dispatch_wake(core->dispatch);
}

static void
on_strays(void *ctx, enum store_result result, const struct store_stray *strays, size_t stray_count)
{
	struct core *core = ctx;

	core->asks_strays = false;
	if (core->draining)
		return;
	if (core->next_config != NULL) {
		on_drained_for_reload(core);
		return;
	}
	if (result != STORE_OK) {
		log_warning("routes-unknown", log_str("why", "the spool did not answer"));
		loop_timer_set(core->strays, STRAYS_MS);
	}
	log_strays(strays, stray_count);
	dispatch_with(core, strays, stray_count);
}

/* The dispatcher begins when it is known for which routes there is work that are in no
 * configuration. */
static int
start_dispatching(struct core *core)
{
	const struct config *c = core->config;
	struct strlist known = { 0 };
	struct postmark_client_params client = { .loop = core->loop,
		.base_url = c->postmark_url,
		.ca_file = c->postmark_ca_file[0] != '\0' ? c->postmark_ca_file : NULL,
		.user_agent = "pmrelay/" PACKAGE_VERSION,
		.connect_timeout_ms = c->postmark_connect_timeout_ms,
		.smtp_url = c->postmark_smtp_url,
		.smtp_starttls = c->postmark_smtp_starttls };
	char why[256] = "";

	routes_names(c, &known);
	client.most_connections =
	    (unsigned)known.count * (c->postmark_requests + DISPATCH_SEARCHES);
	core->client = postmark_client_new(&client, why, sizeof(why));
	if (core->client == NULL) {
		log_error("postmark-client", log_str("why", why));
		strlist_free(&known);
		return -1;
	}
	if (routes_local_start(c, core->loop, &core->local, why, sizeof(why)) != 0) {
		log_error("inbound-deliver", log_str("why", why));
		postmark_client_free(&core->client);
		strlist_free(&known);
		return -1;
	}
	core->asks_strays = true;
	store_strays(core->store, &known, on_strays, core);
	strlist_free(&known);
	return 0;
}

static void
stop_dispatching(struct core *core)
{
	dispatch_free(&core->dispatch);
	routes_local_stop(&core->local);
	postmark_client_free(&core->client);
}

static void
on_purge(void *ctx)
{
	struct core *core = ctx;

	int64_t before_ms = clock_wall_ms() - core->config->spool_keep_history_ms;

	store_purge(core->store, before_ms, NULL, NULL);
	suppressions_purge(core->suppressions, before_ms);
	loop_timer_set(core->purge, PURGE_MS);
}

/* --- the end ------------------------------------------------------------------------------ */

static void
on_drained(void *ctx)
{
	struct core *core = ctx;

	loop_stop(core->loop);
}

/* The fronts are to end, and their clients wait for an answer. */
static void
hurry(struct core *core)
{
	core->hurries = true;
	commits_hurry(core->commits);
}

static void
drain(struct core *core)
{
	if (core->draining)
		return;
	core->draining = true;
	loop_timer_clear(core->reload_end);
	log_info("draining");
	hurry(core);
	loop_timer_set(core->drain_end, core->config->drain_timeout_ms);
	if (core->dispatch != NULL)
		dispatch_drain(core->dispatch, on_drained, core);
	else
		loop_stop(core->loop);
}

static void
on_drain_end(void *ctx)
{
	struct core *core = ctx;

	if (!core->draining) { /* a front has not ended in its time */
		drain(core);
		return;
	}
	log_warning(
	    "drain-cut", log_str("why", "requests were still in flight: their mails are unsure"));
	loop_stop(core->loop);
}

/* The fronts drain as well, and what their sessions still bring is stored and answered. */
static void
drain_without_fronts(struct core *core)
{
	if (fronts_count(core->fronts) == 0)
		drain(core);
}

/* --- from the supervisor ------------------------------------------------------------------ */

/*
 * The requests of the old settings are over, or have had their time and leave their mails unsure:
 * begin with the new ones.
 */
static void
on_drained_for_reload(void *ctx)
{
	struct core *core = ctx;

	loop_timer_clear(core->reload_end);
	stop_dispatching(core);
	config_free(&core->config);
	core->config = core->next_config;
	core->next_config = NULL;
	log_set_level(core->config->log_level);
	desk_reload(core->desk, core->config);
	tell_keys(core);
	passing_reload(core->passing, core->config);
	if (start_dispatching(core) != 0) {
		core->status = EX_CONFIG;
		loop_stop(core->loop);
		return;
	}
	log_info("reloaded");
}

/* Takes the config. */
static void
reload_with(struct core *core, struct config *config)
{
	bool under_way = core->next_config != NULL;

	config_free(&core->next_config);
	core->next_config = config;
	/* Or else on_strays() goes on with it. */
	if (!under_way && core->dispatch != NULL) {
		loop_timer_set(core->reload_end, core->config->drain_timeout_ms);
		dispatch_drain(core->dispatch, on_drained_for_reload, core);
	}
}

static void
reload(struct core *core, int fd)
{
	char why[256];
	struct config *config = handover_settings_read(fd, why, sizeof(why));

	if (config == NULL)
		log_error("reload-failed", log_str("why", why));
	else if (core->draining)
		config_free(&config);
	else
		reload_with(core, config);
}

static void
on_strays_checked(
    void *ctx, enum store_result result, const struct store_stray *strays, size_t stray_count)
{
	struct core *core = ctx;
	bool found = false;

	core->checks_strays = false;
	if (core->dispatch == NULL || core->next_config != NULL || core->draining)
		return; /* asked again when it begins */
	if (result != STORE_OK)
		loop_timer_set(core->strays, STRAYS_MS);
	for (size_t i = 0; i < stray_count; i++)
		found = found || !strlist_has(&core->routes, strays[i].route);
	if (found)
		reload_with(core, config_copy(core->config));
}

/* Something that had ended may be due now, on a route that the dispatcher does not know; or the
 * spool did not say which there are. */
static void
check_strays(void *ctx)
{
	struct core *core = ctx;
	struct strlist known = { 0 };

	if (core->checks_strays || core->dispatch == NULL || core->next_config != NULL)
		return;
	core->checks_strays = true;
	routes_names(core->config, &known);
	store_strays(core->store, &known, on_strays_checked, core);
	strlist_free(&known);
}

static void
on_handover(void *ctx, enum handover_kind kind, int number, int fd)
{
	struct core *core = ctx;

	switch (kind) {
	case HANDOVER_CHANNEL:
		fronts_connect(core->fronts, number, fd);
		return;
	case HANDOVER_SETTINGS:
		reload(core, fd);
		return;
	case HANDOVER_DRAIN:
		drain(core);
		break;
	case HANDOVER_LOG:
		dup2(fd, STDERR_FILENO);
		break;
	case HANDOVER_LOG_LEVEL:
		log_set_level((enum log_level)number);
		break;
	case HANDOVER_RELOADED:
		desk_reloaded(core->desk, number, fd);
		return;
	case HANDOVER_HURRY:
		hurry(core);
		break;
	case HANDOVER_READY:
	case HANDOVER_BAD_FRONT:
	case HANDOVER_RELOAD:
		break;
	}
	if (fd >= 0)
		close(fd);
}

static void
on_supervisor_gone(void *ctx)
{
	struct core *core = ctx;

	log_error("supervisor-gone");
	core->orphaned = true;
	hurry(core);
	loop_timer_set(core->drain_end, core->config->drain_timeout_ms);
	drain_without_fronts(core);
}

/* --- the control plane -------------------------------------------------------------------- */

static struct dispatch *
desk_dispatch(void *ctx)
{
	const struct core *core = ctx;

	return core->next_config == NULL ? core->dispatch : NULL;
}

static unsigned
desk_fronts(void *ctx)
{
	const struct core *core = ctx;

	return fronts_count(core->fronts);
}

static int
desk_explain(void *ctx, uint64_t serial, const struct frame_explain *question, int content_fd)
{
	struct core *core = ctx;

	return fronts_explain(core->fronts, serial, question, content_fd);
}

static int
desk_supervisor(void *ctx)
{
	const struct core *core = ctx;

	return core->supervisor != NULL ? handover_fd(core->supervisor) : -1;
}

/* Mail matters more: what is wrong here is said, and the relay goes on without. */
static void
open_desk(struct core *core)
{
	const struct config *c = core->config;
	bool has_unix = c->control_socket[0] != '\0', has_tcp = c->control_listen[0] != '\0';
	struct desk_params params = { .loop = core->loop,
		.config = c,
		.unix_fd = has_unix ? HANDOVER_FD_LISTEN : -1,
		.tcp_fd = has_tcp ? HANDOVER_FD_LISTEN + has_unix : -1,
		.store = core->store,
		.instanced = core->instanced,
		.suppressions = core->suppressions,
		.dispatch = desk_dispatch,
		.fronts = desk_fronts,
		.explain = desk_explain,
		.supervisor = desk_supervisor,
		.released = check_strays,
		.ctx = core };
	char why[256] = "";

	core->desk = desk_open(&params, why, sizeof(why));
	if (core->desk == NULL)
		log_error("control", log_str("why", why),
		    log_str("todo", "mend it and restart; mail flows without the control socket"));
}

/* --- outlets ------------------------------------------------------------------------------ */

static void
on_notice(void *ctx, const char *mail_id, const char *route, bool durable)
{
	struct core *core = ctx;

	desk_mail(core->desk, mail_id, route, durable);
}

/* As with the desk: mail flows without. */
static void
open_passing(struct core *core)
{
	char why[256] = "";

	core->passing = passing_open(&(struct passing_params){ .loop = core->loop,
					 .store = core->store,
					 .config = core->config,
					 .backend = BACKEND,
					 .stored = on_notice,
					 .ctx = core },
	    why, sizeof(why));
	if (core->passing == NULL)
		log_error("outlets", log_str("why", why),
		    log_str("todo", "mend it and restart; events are kept until then"));
}

/* --- life --------------------------------------------------------------------------------- */

static int
open_store(struct core *core)
{
	const struct config *c = core->config;
	const struct store_params params = { .loop = core->loop,
		.backend = BACKEND,
		.folder = c->spool_folder,
		.min_free_bytes = c->spool_min_free_bytes,
		.sync_delay_ms = c->spool_sync_delay_ms,
		.require_durable = c->require_durable_spool,
		.due = on_due,
		.ctx = core };
	char why[512] = "";

	core->store = store_open(&params, why, sizeof(why));
	if (core->store == NULL) {
		log_error("spool", log_str("folder", c->spool_folder), log_str("why", why));
		return -1;
	}
	return 0;
}

int
core_main(void)
{
	struct core core = { .status = EX_OK };
	char why[256];

	privs_harden();
	core.config = handover_settings_read(HANDOVER_FD_SETTINGS, why, sizeof(why));
	if (core.config == NULL) {
		fprintf(stderr, "%s\n", why);
		return EX_CONFIG;
	}
	log_setup("core", core.config->log_level, core.config->log_format, STDERR_FILENO);
	core.loop = loop_new();
	if (core.loop == NULL || open_store(&core) != 0) {
		core.status = EX_UNAVAILABLE;
		goto free_loop;
	}
	core.test_token = secret_new(TEST_TOKEN, strlen(TEST_TOKEN));
	core.commits = commits_new(&(struct commits_params){ .loop = core.loop,
	    .store = core.store,
	    .stored = on_stored,
	    .answer = on_answer,
	    .taken_back = on_taken_back,
	    .stands = route_stands,
	    .ctx = &core });
	core.events = events_new(&(struct events_params){ .store = core.store,
	    .stored = on_event_stored,
	    .failed = on_event_failed,
	    .answer = on_event_answer,
	    .ctx = &core });
	core.fronts = fronts_new(&(struct fronts_params){ .loop = core.loop,
	    .mails = on_mails,
	    .event = on_event,
	    .explained = on_explained,
	    .lost = on_lost,
	    .ctx = &core });
	core.instanced = instanced_new(&(struct instanced_params){
	    .loop = core.loop, .store = core.store, .changed = tell_keys, .ctx = &core });
	core.suppressions = suppressions_new(&(struct suppressions_params){
	    .loop = core.loop, .store = core.store, .publish = tell_suppressions, .ctx = &core });
	core.purge = loop_timer_new(core.loop, on_purge, &core);
	core.strays = loop_timer_new(core.loop, check_strays, &core);
	core.drain_end = loop_timer_new(core.loop, on_drain_end, &core);
	core.reload_end = loop_timer_new(core.loop, on_drained_for_reload, &core);
	if (start_dispatching(&core) != 0) {
		core.status = EX_CONFIG;
		goto close_store;
	}
	tell_keys(&core);
	loop_timer_set(core.purge, FIRST_PURGE_MS);
	core.supervisor =
	    handover_new(core.loop, HANDOVER_FD_CONTROL, on_handover, on_supervisor_gone, &core);
	open_desk(&core);
	open_passing(&core);
	handover_send(HANDOVER_FD_CONTROL, HANDOVER_READY, 0, -1);

	loop_run(core.loop);

	stop_dispatching(&core); /* answers who waits at the desk */
	desk_close(&core.desk);
	passing_stop(core.passing);
	handover_free(&core.supervisor);
close_store:
	loop_timer_free(&core.reload_end);
	loop_timer_free(&core.drain_end);
	loop_timer_free(&core.strays);
	loop_timer_free(&core.purge);
	store_close(&core.store);
	passing_free(&core.passing);
	events_free(&core.events);
	instanced_free(&core.instanced);
	suppressions_free(&core.suppressions);
	commits_free(&core.commits);
	fronts_free(&core.fronts); /* whom the others answer */
	secret_free(&core.test_token);
	strlist_free(&core.routes);
free_loop:
	loop_free(&core.loop);
	config_free(&core.next_config);
	config_free(&core.config);
	return core.status;
}
