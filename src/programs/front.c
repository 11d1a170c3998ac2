/*
 * smtp > intake > convert, the receiver of webhooks, and the channel to the core, whose frames go
 * to whom they are for.
 */

#include <sys/mman.h>
#include <sys/stat.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/privs.h"
#include "config/config.h"
#include "channel/frame.h"
#include "channel/peer.h"
#include "smtp/listener.h"
#include "smtp/session.h"
#include "convert/convert.h"
#include "convert/inbound.h"
#include "intake/intake.h"
#include "intake/rules.h"
#include "webhook/receiver.h"

#include "programs/front.h"
#include "programs/handover.h"

#define DRAIN_LOOK_MS 50
#define CORE_WAIT_MS  (4 * 60 * 1000) /* below the 10 minutes a client waits, RFC 5321 4.5.3.2.6 */

/* Settings as the engines want them; the strings are the config's. */
struct front_settings {
	struct config *config;
	char hostname[256];
	struct smtp_limits limits;
	struct rules *rules;
};

struct front {
	struct loop *loop;
	struct front_settings *settings;
	struct handover *supervisor;
	struct smtp_listener *listener;
	struct intake *intake;
	struct receiver *receiver; /* NULL: webhook.listen has nothing */
	struct peer *core;         /* NULL: there is none at the moment */
	struct {
		void *table; /* as the core made it; NULL: none yet */
		size_t len;
	} suppressions;
	struct loop_timer *drain_look; /* set while draining */
	struct loop_timer *drain_end;
	char name[32];
	bool draining;
};

static void
settings_free(struct front_settings *s)
{
	rules_free(&s->rules);
	config_free(&s->config);
	free(s);
}

/* Takes the configuration.  NULL and why: it cannot be used. */
static struct front_settings *
settings_new(struct config *config, char *why, size_t why_size)
{
	struct front_settings *s = mem_new(sizeof(*s));

	s->config = config;
	if (config->hostname[0] != '\0')
		snprintf(s->hostname, sizeof(s->hostname), "%s", config->hostname);
	else if (gethostname(s->hostname, sizeof(s->hostname) - 1) != 0)
		snprintf(s->hostname, sizeof(s->hostname), "localhost");
	s->limits = (struct smtp_limits){
		.hostname = s->hostname,
		.most_message_bytes = config->smtp_message_bytes,
		.most_recipients = config->smtp_recipients,
		.most_commands = config->smtp_commands,
		.most_errors = config->smtp_errors,
		.most_mails = config->smtp_mails,
		.most_line_bytes = config->smtp_line_bytes,
		.normalize_line_ends = config->smtp_normalize_line_ends,
		.command_timeout_ms = config->smtp_command_timeout_ms,
		.data_timeout_ms = config->smtp_data_timeout_ms,
		.message_timeout_ms = config->smtp_message_timeout_ms,
		.session_timeout_ms = config->smtp_session_timeout_ms,
	};
	s->rules = rules_new(config, why, why_size);
	if (s->rules == NULL) {
		settings_free(s);
		return NULL;
	}
	return s;
}

/* --- the end ------------------------------------------------------------------------------ */

static size_t
posts_waiting(const struct front *f)
{
	return f->receiver != NULL ? receiver_waiting(f->receiver) : 0;
}

static void
drain_look(void *ctx)
{
	struct front *f = ctx;

	if (smtp_listener_sessions(f->listener) == 0 && intake_waiting(f->intake) == 0 &&
	    posts_waiting(f) == 0)
		loop_stop(f->loop);
	else
		loop_timer_set(f->drain_look, DRAIN_LOOK_MS);
}

static void
drain_end(void *ctx)
{
	struct front *f = ctx;

	log_warning("drain-cut", log_num("sessions", (int64_t)smtp_listener_sessions(f->listener)),
	    log_num("waiting", (int64_t)intake_waiting(f->intake)),
	    log_num("posts", (int64_t)posts_waiting(f)));
	loop_stop(f->loop);
}

static void
drain(struct front *f)
{
	if (f->draining)
		return;
	f->draining = true;
	log_info("draining", log_num("sessions", (int64_t)smtp_listener_sessions(f->listener)));
	smtp_listener_stop(f->listener);
	smtp_listener_drain(f->listener);
	if (f->receiver != NULL)
		receiver_stop(f->receiver);
	loop_timer_set(f->drain_look, 0);
	loop_timer_set(f->drain_end, f->settings->config->drain_timeout_ms);
}

/* --- the channel to the core --------------------------------------------------------------- */

static void
drop_suppressions(struct front *f)
{
	if (f->suppressions.table != NULL)
		munmap(f->suppressions.table, f->suppressions.len);
	f->suppressions.table = NULL;
	f->suppressions.len = 0;
}

/* The table stays the core's pages: all fronts share them.  fd is lent.  -1: it could change. */
static int
take_suppressions(struct front *f, int fd)
{
	const int wanted = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat facts;
	void *table = NULL;
	size_t len;

	if (seals < 0 || (seals & wanted) != wanted || fstat(fd, &facts) != 0)
		return -1;
	len = (size_t)facts.st_size;
	if (len > 0)
		table = mmap(NULL, len, PROT_READ, MAP_SHARED, fd, 0);
	if (table == MAP_FAILED) {
		log_warning("suppressions", log_str("why", strerror(errno)));
		return 0;
	}
	intake_suppressions(f->intake, table, len);
	drop_suppressions(f);
	f->suppressions.table = table;
	f->suppressions.len = len;
	return 0;
}

/* Whose question the core answers. */
static int
on_committed(struct front *f, const struct frame_head *head, const char *body, int *fds)
{
	if ((head->serial & RECEIVER_SERIAL) == 0)
		return intake_frame(f->intake, head, body, fds);
	return f->receiver != NULL ? receiver_frame(f->receiver, head, body) : -1;
}

static int
on_frame(void *ctx, const struct frame_head *head, const char *body, int *fds)
{
	struct front *f = ctx;

	switch ((enum frame_kind)head->kind) {
	case FRAME_COMMITTED:
		return on_committed(f, head, body, fds);
	case FRAME_EXPLAIN:
		return intake_frame(f->intake, head, body, fds);
	case FRAME_HOOKS:
		return f->receiver != NULL ? receiver_frame(f->receiver, head, body) : 0;
	case FRAME_SUPPRESSIONS:
		return take_suppressions(f, fds[0]);
	case FRAME_COMMIT:
	case FRAME_EXPLAINED:
	case FRAME_EVENT:
		break; /* what a front says, not hears */
	}
	return -1;
}

static void
lend_core(struct front *f, struct peer *core)
{
	intake_connect(f->intake, core);
	if (f->receiver != NULL)
		receiver_connect(f->receiver, core);
}

static void
on_core_lost(void *ctx, const char *why)
{
	struct front *f = ctx;

	log_warning("core-lost", log_str("why", why),
	    log_num("waiting", (int64_t)intake_waiting(f->intake)),
	    log_num("posts", (int64_t)posts_waiting(f)));
	lend_core(f, NULL);
	peer_free(&f->core);
}

static const struct peer_hooks core_hooks = { .frame = on_frame, .lost = on_core_lost };

static void
connect_core(struct front *f, int fd)
{
	peer_free(&f->core);
	f->core = peer_new(f->loop, fd, &core_hooks, f);
	lend_core(f, f->core);
}

/* --- from the supervisor ------------------------------------------------------------------ */

static void
reload(struct front *f, int fd)
{
	struct front_settings *settings;
	char why[256];
	struct config *config = handover_settings_read(fd, why, sizeof(why));

	if (config == NULL) {
		log_error("reload-failed", log_str("why", why));
		return;
	}
	settings = settings_new(config, why, sizeof(why));
	if (settings == NULL) {
		log_error("reload-failed", log_str("why", why));
		return;
	}
	if (smtp_listener_reload(f->listener, &settings->limits, &config->allow) != 0) {
		settings_free(settings);
		return;
	}
	intake_reload(f->intake, settings->rules);
	if (f->receiver != NULL)
		receiver_reload(f->receiver, config);
	log_set_level(config->log_level);
	settings_free(f->settings); /* nobody reads it any more */
	f->settings = settings;
}

static void
on_handover(void *ctx, enum handover_kind kind, int number, int fd)
{
	struct front *f = ctx;

	switch (kind) {
	case HANDOVER_CHANNEL:
		connect_core(f, fd);
		return;
	case HANDOVER_SETTINGS:
		reload(f, fd);
		return;
	case HANDOVER_DRAIN:
		drain(f);
		break;
	case HANDOVER_LOG:
		dup2(fd, STDERR_FILENO);
		break;
	case HANDOVER_LOG_LEVEL:
		log_set_level((enum log_level)number);
		break;
	case HANDOVER_READY:
	case HANDOVER_BAD_FRONT:
	case HANDOVER_RELOAD:
	case HANDOVER_RELOADED:
	case HANDOVER_HURRY:
		break;
	}
	if (fd >= 0)
		close(fd);
}

static void
on_supervisor_gone(void *ctx)
{
	struct front *f = ctx;

	log_error("supervisor-gone");
	drain(f);
}

/* --- life --------------------------------------------------------------------------------- */

static int
open_listener(struct front *f)
{
	const struct config *config = f->settings->config;
	int *fds = mem_array(config->listen.count + 1, sizeof(*fds));
	struct smtp_listener_params params = { .loop = f->loop,
		.fds = fds,
		.names = (const char *const *)config->listen.items,
		.count = config->listen.count,
		.limits = &f->settings->limits,
		.hooks = &intake_smtp_hooks,
		.ctx = f->intake,
		.allow = &config->allow,
		.most_sessions = config->smtp_connections,
		.most_sessions_client = config->smtp_connections_client };

	for (size_t i = 0; i < config->listen.count; i++)
		fds[i] = HANDOVER_FD_LISTEN + (int)i;
	f->listener = smtp_listener_new(&params);
	free(fds);
	return f->listener != NULL ? 0 : -1;
}

/* A post of a mail that came in. */
static struct mail *
on_inbound(void *ctx, const struct json_t *post, const char *connection,
    struct receiver_refusal *refusal_r)
{
	const struct front *f = ctx;
	const struct config *config = f->settings->config;
	const struct inbound_options options = { .hostname = f->settings->hostname,
		.connection = connection,
		.recipients = &config->inbound_recipients,
		.most_hops = config->inbound_hops,
		.most_bytes = FRAME_MOST_LINES };
	struct mail *mail;

	if (inbound_make(&options, post, clock_wall_ms(), &mail, &refusal_r->status, refusal_r->why,
		sizeof(refusal_r->why)) != 0)
		return NULL;
	log_info("inbound", log_str("mail", mail->id), log_str("from", mail->reverse_path),
	    log_num("recipients", (int64_t)mail->item_count),
	    log_num("bytes", (int64_t)mail->content_bytes), log_str("held", mail->held_why));
	return mail;
}

static void
open_receiver(struct front *f)
{
	const struct config *config = f->settings->config;
	size_t count = config->webhook_listen.count;
	int *fds = mem_array(count + 1, sizeof(*fds));

	for (size_t i = 0; i < count; i++)
		fds[i] = HANDOVER_FD_LISTEN + (int)(config->listen.count + i);
	if (count > 0) {
		receiver_prepare();
		f->receiver = receiver_new(&(struct receiver_params){ .loop = f->loop,
		    .config = config,
		    .fds = fds,
		    .names = (const char *const *)config->webhook_listen.items,
		    .count = count,
		    .inbound = on_inbound,
		    .inbound_ctx = f });
	}
	free(fds);
}

static void
raise_fence(const struct config *config)
{
	struct privs_fence fence = { false, false };
	char why[256] = "";

	privs_harden();
	if (!config->confine)
		return;
	if (privs_fence_front(privs_iconv_folders(), &fence, why, sizeof(why)) != 0)
		log_warning("fence", log_str("why", why));
	log_info("fence", log_str("seccomp", fence.seccomp ? "yes" : "no"),
	    log_str("landlock", fence.landlock ? "yes" : "no"));
}

int
front_main(unsigned number)
{
	struct front f = { 0 };
	char why[256];
	struct config *config;
	int status = EX_CONFIG;

	snprintf(f.name, sizeof(f.name), "front-%u", number);
	config = handover_settings_read(HANDOVER_FD_SETTINGS, why, sizeof(why));
	if (config == NULL) {
		fprintf(stderr, "%s\n", why);
		return EX_CONFIG;
	}
	log_setup(f.name, config->log_level, config->log_format, STDERR_FILENO);
	convert_setup();
	f.settings = settings_new(config, why, sizeof(why));
	if (f.settings == NULL) {
		fprintf(stderr, "%s\n", why);
		return EX_CONFIG;
	}
	f.loop = loop_new();
	if (f.loop == NULL) {
		log_error("loop", log_str("why", "no event base"));
		goto free_settings;
	}
	f.intake = intake_new(&(struct intake_params){ .loop = f.loop,
	    .rules = f.settings->rules,
	    .most_memory_bytes = config->smtp_memory_bytes,
	    .most_wait_ms = CORE_WAIT_MS });
	f.drain_look = loop_timer_new(f.loop, drain_look, &f);
	f.drain_end = loop_timer_new(f.loop, drain_end, &f);
	f.supervisor =
	    handover_new(f.loop, HANDOVER_FD_CONTROL, on_handover, on_supervisor_gone, &f);
	if (open_listener(&f) != 0)
		goto free_intake;
	open_receiver(&f);
	raise_fence(config);
	handover_send(HANDOVER_FD_CONTROL, HANDOVER_READY, (int)number, -1);

	loop_run(f.loop);

	status = EX_OK;
	smtp_listener_free(&f.listener);
free_intake:
	handover_free(&f.supervisor);
	loop_timer_free(&f.drain_end);
	loop_timer_free(&f.drain_look);
	receiver_free(&f.receiver);
	intake_free(&f.intake);
	peer_free(&f.core);
	drop_suppressions(&f);
	loop_free(&f.loop);
free_settings:
	settings_free(f.settings);
	return status;
}
