/*
 * The supervisor: binds, drops privileges, starts the core and the fronts, and starts again what
 * dies.  It parses the operator's configuration and nothing that comes from elsewhere.
 *
 * Every child is this program again, through exec: a fresh address layout, an environment without
 * secrets, and settings that hold only what the child may know.
 */

#include "config.h"

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/privs.h"
#include "base/secret.h"
#include "base/strlist.h"
#include "config/config.h"

#include "programs/handover.h"
#include "programs/sockets.h"
#include "programs/supervisor.h"

#define SETTINGS_MOST (1024U * 1024U)
#define MOST_FRONTS   64U
#define HIGH_FD       128 /* where descriptors are parked on their way to a child's fixed numbers */
#define SHORT_LIFE_MS 2000 /* a child that lives shorter is started again with a pause */
#define MOST_PAUSE_MS 30000

struct supervisor;

struct child {
	struct supervisor *supervisor;
	unsigned number; /* 0: the core; else the front's */
	char name[32];
	pid_t pid; /* 0: not running */
	struct handover *control;
	int channel; /* a front's, to the core; 0: none yet */
	bool ready;
	int64_t started_ms;
	int64_t pause_ms; /* before the next start, after short lives */
	struct loop_timer *start;
};

struct supervisor {
	struct loop *loop;
	struct config *config;
	const char *config_path;
	char *const *environment;
	bool foreground;
	char program[4096];
	struct sockets *sockets, *webhook_sockets;
	struct control_sockets *control;
	bool level_set; /* the log's level was changed since the last reload */
	enum log_level level;
	struct child core;
	struct child *fronts;
	unsigned front_count;
	unsigned channels; /* made so far */
	int waiting_fd;    /* background: the pipe to the process that waits for us to be ready */
	bool told_ready;   /* once */
	enum stage {
		STAGE_SERVING,
		STAGE_DELAY,  /* told to end; accepts for a little longer (drain-delay) */
		STAGE_FRONTS, /* fronts drain */
		STAGE_CORE,   /* then the core */
	} stage;
	struct loop_timer *stage_end;
	int status;
};

static void child_start(void *ctx);
static void reload_for_core(struct supervisor *);

/* --- children ----------------------------------------------------------------------------- */

static bool
is_core(const struct child *child)
{
	return child->number == 0;
}

static bool
starts_with_any(const char *entry, const char *const *prefixes)
{
	for (; *prefixes != NULL; prefixes++) {
		if (strncmp(entry, *prefixes, strlen(*prefixes)) == 0)
			return true;
	}
	return false;
}

/*
 * A front sees what the C library and the measuring and debugging tools need, and nothing else: a
 * container's environment is full of other programs' secrets.  The core also needs the proxy
 * settings; ours are in its settings already.
 */
static char **
child_environment(const struct child *child)
{
	static const char *const front_keeps[] = { "PATH=", "TZ=", "LANG=", "LC_",
		"TMPDIR=", "GCONV_PATH=", "LD_", "MALLOC_",
		"ASAN_OPTIONS=", "UBSAN_OPTIONS=", "LSAN_OPTIONS=", "TSAN_OPTIONS=", "SYNC_COUNT",
		NULL };
	static const char *const core_loses[] = { "PMRELAY_", NULL };
	size_t count = 0, kept = 0;
	char **list;

	while (environ[count] != NULL)
		count++;
	list = mem_array(count + 1, sizeof(*list));
	for (size_t i = 0; i < count; i++) {
		bool keep = is_core(child) ? !starts_with_any(environ[i], core_loses)
					   : starts_with_any(environ[i], front_keeps);
		if (keep)
			list[kept++] = environ[i];
	}
	return list;
}

static int
settings_for(const struct supervisor *s, const struct child *child)
{
	struct buf text;
	int fd;

	static char none[] = "";
	char *path = s->config->control_socket;

	buf_init(&text, SETTINGS_MOST);
	if (!control_sockets_have_unix(s->control))
		s->config->control_socket = none; /* as if it had not been asked for */
	config_print(s->config, is_core(child), &text);
	s->config->control_socket = path;
	fd = text.over ? -1 : handover_settings_fd(&text);
	secret_wipe(text.data, text.len);
	buf_free(&text);
	return fd;
}

/* The caller frees the array. */
static int *
listeners_for(const struct supervisor *s, const struct child *child, size_t *count_r)
{
	size_t mails = sockets_count(s->sockets), posts = sockets_count(s->webhook_sockets);
	size_t count = is_core(child) ? CONTROL_SOCKETS : mails + posts;
	int *fds = mem_array(count + 1, sizeof(*fds));

	if (is_core(child)) {
		*count_r = control_sockets_fds(s->control, fds);
		return fds;
	}
	for (size_t i = 0; i < mails; i++)
		fds[i] = sockets_fd(s->sockets, i, child->number);
	for (size_t i = 0; i < posts; i++)
		fds[mails + i] = sockets_fd(s->webhook_sockets, i, child->number);
	*count_r = count;
	return fds;
}

/* In the child, before exec: everything to its fixed number.  Returns only on failure. */
static void
child_exec(const struct supervisor *s, const struct child *child, char **environment, int control,
    int settings)
{
	char number[16];
	char *argv[] = { (char *)child->name, (char *)"--role",
		(char *)(is_core(child) ? "core" : "front"), (char *)"--number", number, NULL };
	size_t listeners;
	int *fds = listeners_for(s, child, &listeners);
	sigset_t none;

	snprintf(number, sizeof(number), "%u", child->number);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* First out of the way, then into place. */
	control = fcntl(control, F_DUPFD_CLOEXEC, HIGH_FD);
	settings = fcntl(settings, F_DUPFD_CLOEXEC, HIGH_FD);
	for (size_t i = 0; i < listeners; i++)
		fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, HIGH_FD);
	dup2(control, HANDOVER_FD_CONTROL);
	dup2(settings, HANDOVER_FD_SETTINGS);
	for (size_t i = 0; i < listeners; i++)
		dup2(fds[i], HANDOVER_FD_LISTEN + (int)i);
	execve(s->program, argv, environment);
}

static void
child_kill(const struct child *child)
{
	/* It has closed its end: it is ending by itself, and SIGCHLD will tell how. */
	if (errno == EPIPE || errno == ECONNRESET)
		return;
	log_error("stuck", log_str("process", child->name), log_str("why", strerror(errno)));
	if (child->pid > 0)
		kill(child->pid, SIGKILL);
}

/* A pair between a front and the core, an end for each.  What was between them before is over. */
static void
connect_child(struct supervisor *s, struct child *front)
{
	int ends[2];

	if (!front->ready || !s->core.ready)
		return;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) {
		log_error("channel", log_str("why", strerror(errno)));
		return;
	}
	front->channel = handover_channel(front->number, ++s->channels);
	/* A child that does not take its end is stuck: the next one will. */
	if (handover_send(
		handover_fd(s->core.control), HANDOVER_CHANNEL, front->channel, ends[0]) != 0)
		child_kill(&s->core);
	else if (handover_send(
		     handover_fd(front->control), HANDOVER_CHANNEL, front->channel, ends[1]) != 0)
		child_kill(front);
	close(ends[0]);
	close(ends[1]);
}

/* The process that started us in the background may go now, with this status. */
static void
tell_waiting(struct supervisor *s, int status)
{
	unsigned char byte = (unsigned char)status;

	if (s->waiting_fd < 0)
		return;
	if (write(s->waiting_fd, &byte, 1) != 1)
		log_warning("background", log_str("why", strerror(errno)));
	close(s->waiting_fd);
	s->waiting_fd = -1;
}

/* Made in here, with blanks between them. */
static void
add_words(struct buf *out, const struct strlist *words)
{
	buf_init(out, 8192);
	for (size_t i = 0; i < words->count; i++) {
		buf_adds(out, i > 0 ? " " : "");
		buf_adds(out, words->items[i]);
	}
}

static void
tell_ready(struct supervisor *s)
{
	struct buf listen, webhooks;

	if (s->told_ready || !s->core.ready)
		return;
	for (unsigned i = 0; i < s->front_count; i++) {
		if (!s->fronts[i].ready)
			return;
	}
	s->told_ready = true;
	add_words(&listen, &s->config->listen);
	add_words(&webhooks, &s->config->webhook_listen);
	log_info("ready", log_str("listen", listen.data),
	    log_str("webhooks", webhooks.len > 0 ? webhooks.data : NULL),
	    log_num("fronts", s->front_count), log_str("version", PACKAGE_VERSION));
	buf_free(&listen);
	buf_free(&webhooks);
	tell_waiting(s, EX_OK);
#ifdef HAVE_SYSTEMD
	sd_notify(0, "READY=1");
#endif
}

static void
tell_level(const struct supervisor *s, const struct child *child)
{
	if (child->control != NULL)
		(void)handover_send(
		    handover_fd(child->control), HANDOVER_LOG_LEVEL, (int)s->level, -1);
}

static void
set_level(struct supervisor *s, enum log_level level)
{
	s->level_set = true;
	s->level = level;
	log_set_level(level);
	tell_level(s, &s->core);
	for (unsigned i = 0; i < s->front_count; i++)
		tell_level(s, &s->fronts[i]);
}

static void
on_handover(void *ctx, enum handover_kind kind, int number, int fd)
{
	struct child *child = ctx;
	struct supervisor *s = child->supervisor;
	unsigned front;

	if (fd >= 0)
		close(fd);
	switch (kind) {
	case HANDOVER_READY:
		child->ready = true;
		if (s->level_set)
			tell_level(s, child);
		if (!is_core(child))
			connect_child(s, child);
		else
			for (unsigned i = 0; i < s->front_count; i++)
				connect_child(s, &s->fronts[i]);
		tell_ready(s);
		return;
	case HANDOVER_BAD_FRONT:
		/* Dead already in most cases, and then SIGCHLD is on its way, or has come. */
		front = handover_front(number);
		if (is_core(child) && front >= 1 && front <= s->front_count &&
		    s->fronts[front - 1].pid > 0 && s->fronts[front - 1].channel == number &&
		    s->stage == STAGE_SERVING) {
			log_warning(
			    "front-replaced", log_str("process", s->fronts[front - 1].name));
			kill(s->fronts[front - 1].pid, SIGKILL);
		}
		return;
	case HANDOVER_RELOAD:
		if (is_core(child))
			reload_for_core(s);
		return;
	case HANDOVER_LOG_LEVEL:
		if (is_core(child) && number >= LOG_LEVEL_ERROR && number <= LOG_LEVEL_DEBUG)
			set_level(s, (enum log_level)number);
		return;
	case HANDOVER_CHANNEL:
	case HANDOVER_SETTINGS:
	case HANDOVER_DRAIN:
	case HANDOVER_LOG:
	case HANDOVER_RELOADED:
	case HANDOVER_HURRY:
		return;
	}
}

static void
on_control_closed(void *ctx)
{
	(void)ctx; /* SIGCHLD tells the rest */
}

static void
child_start(void *ctx)
{
	struct child *child = ctx;
	struct supervisor *s = child->supervisor;
	char **environment = child_environment(child);
	int settings = settings_for(s, child);
	int ends[2] = { -1, -1 };

	if (settings < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
		log_error(
		    "start", log_str("process", child->name), log_str("why", strerror(errno)));
		goto try_later;
	}
	child->pid = fork();
	if (child->pid == 0) {
		child_exec(s, child, environment, ends[1], settings);
		_exit(EX_OSERR);
	}
	if (child->pid < 0) {
		log_error(
		    "start", log_str("process", child->name), log_str("why", strerror(errno)));
		child->pid = 0;
		close(ends[0]);
		goto try_later;
	}
	child->started_ms = clock_mono_ms();
	child->ready = false;
	child->control = handover_new(s->loop, ends[0], on_handover, on_control_closed, child);
	log_debug("started", log_str("process", child->name), log_num("pid", child->pid));
	goto close_ends;

try_later:
	loop_timer_set(child->start, 1000);
close_ends:
	if (ends[1] >= 0)
		close(ends[1]);
	if (settings >= 0)
		close(settings);
	free(environment);
}

/* --- the end ------------------------------------------------------------------------------ */

static void
drain_core(struct supervisor *s)
{
	s->stage = STAGE_CORE;
	loop_timer_clear(s->core.start);
	if (s->core.pid == 0) {
		loop_stop(s->loop);
		return;
	}
	/* Who asks now is refused; the core ends what it has begun. */
	control_sockets_close(s->control);
	handover_send(handover_fd(s->core.control), HANDOVER_DRAIN, 0, -1);
	loop_timer_set(s->stage_end, s->config->drain_timeout_ms + 5000);
}

static void
drain_fronts(struct supervisor *s)
{
	bool any = false;

	s->stage = STAGE_FRONTS;
	if (s->core.pid != 0)
		handover_send(handover_fd(s->core.control), HANDOVER_HURRY, 0, -1);
	/* Whoever comes now is refused by the kernel, and need not wait for nobody. */
	sockets_close(s->sockets);
	sockets_close(s->webhook_sockets);
	for (unsigned i = 0; i < s->front_count; i++) {
		struct child *front = &s->fronts[i];

		loop_timer_clear(front->start);
		if (front->pid == 0)
			continue;
		any = true;
		handover_send(handover_fd(front->control), HANDOVER_DRAIN, 0, -1);
	}
	if (any)
		loop_timer_set(s->stage_end, s->config->drain_timeout_ms + 5000);
	else
		drain_core(s);
}

/* A stage took longer than its processes were given. */
static void
on_stage_end(void *ctx)
{
	struct supervisor *s = ctx;

	switch (s->stage) {
	case STAGE_SERVING:
		return;
	case STAGE_DELAY:
		drain_fronts(s);
		return;
	case STAGE_FRONTS:
		for (unsigned i = 0; i < s->front_count; i++) {
			if (s->fronts[i].pid > 0)
				kill(s->fronts[i].pid, SIGKILL);
		}
		return;
	case STAGE_CORE:
		if (s->core.pid > 0)
			kill(s->core.pid, SIGKILL);
		return;
	}
}

static void
on_terminate(void *ctx)
{
	struct supervisor *s = ctx;

	if (s->stage != STAGE_SERVING)
		return;
	log_info("stopping", log_num("delay_ms", s->config->drain_delay_ms));
#ifdef HAVE_SYSTEMD
	sd_notify(0, "STOPPING=1");
#endif
	s->stage = STAGE_DELAY;
	loop_timer_set(s->stage_end, s->config->drain_delay_ms);
}

static void
child_restart(struct child *child, const char *how, int value)
{
	int64_t lived_ms = clock_mono_ms() - child->started_ms;

	if (lived_ms >= SHORT_LIFE_MS)
		child->pause_ms = 0;
	log_error("died", log_str("process", child->name), log_str("how", how),
	    log_num("value", value), log_num("lived_ms", lived_ms),
	    log_num("restart_in_ms", child->pause_ms));
	loop_timer_set(child->start, child->pause_ms);
	/* The first restart is immediate; only a child that keeps dying is made to wait. */
	child->pause_ms = child->pause_ms == 0 ? 100 : child->pause_ms * 2;
	if (child->pause_ms > MOST_PAUSE_MS)
		child->pause_ms = MOST_PAUSE_MS;
}

static void
child_ended(struct supervisor *s, struct child *child, int status)
{
	bool well = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	bool was_ready = child->ready;

	handover_free(&child->control);
	child->pid = 0;
	child->channel = 0;
	child->ready = false;
	if (s->stage == STAGE_SERVING || s->stage == STAGE_DELAY) {
		if (!was_ready && !s->told_ready) {
			/* It never served: the reason stands in its own lines just above. */
			log_error("start-failed", log_str("process", child->name));
			s->status = WIFEXITED(status) && !well ? WEXITSTATUS(status) : EX_SOFTWARE;
			drain_fronts(s);
			return;
		}
		child_restart(child, WIFSIGNALED(status) ? "signal" : "exit",
		    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
		return;
	}
	if (s->stage == STAGE_FRONTS && is_core(child) && s->told_ready) {
		/* The fronts still have mails for it, whose clients wait for an answer. */
		child_restart(child, WIFSIGNALED(status) ? "signal" : "exit",
		    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
		return;
	}
	if (!well && s->status == EX_OK)
		s->status = EX_SOFTWARE;
	if (s->stage == STAGE_CORE) {
		if (is_core(child))
			loop_stop(s->loop);
		return;
	}
	for (unsigned i = 0; i < s->front_count; i++) {
		if (s->fronts[i].pid > 0)
			return;
	}
	drain_core(s);
}

static void
on_child_signal(void *ctx)
{
	struct supervisor *s = ctx;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == s->core.pid) {
			child_ended(s, &s->core, status);
			continue;
		}
		for (unsigned i = 0; i < s->front_count; i++) {
			if (pid == s->fronts[i].pid)
				child_ended(s, &s->fronts[i], status);
		}
	}
}

/* --- reload ------------------------------------------------------------------------------- */

static int
open_log_file(const struct config *config)
{
	return open(config->log_file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
}

static void
tell_child(const struct supervisor *s, const struct child *child, int log_fd)
{
	int settings;

	if (child->control == NULL)
		return;
	if (log_fd >= 0)
		(void)handover_send(handover_fd(child->control), HANDOVER_LOG, 0, log_fd);
	settings = settings_for(s, child);
	if (settings < 0)
		return;
	if (handover_send(handover_fd(child->control), HANDOVER_SETTINGS, 0, settings) != 0)
		child_kill(child); /* the next one begins with the new settings */
	close(settings);
}

static void
reopen_log(const struct supervisor *s, int *fd_r)
{
	*fd_r = s->foreground ? -1 : open_log_file(s->config);
	if (*fd_r >= 0)
		dup2(*fd_r, STDERR_FILENO);
	else if (!s->foreground)
		log_error("log-file", log_str("file", s->config->log_file),
		    log_str("why", strerror(errno)));
}

static void
tell_warnings(const struct config *config)
{
	struct buf text;

	buf_init(&text, SETTINGS_MOST);
	config_warn(config, &text);
	for (char *line = text.len > 0 ? strtok(text.data, "\n") : NULL; line != NULL;
	     line = strtok(NULL, "\n"))
		log_warning("settings", log_str("why", line));
	buf_free(&text);
}

/* 0, and the options that wait for a restart; or -1, and what is wrong. */
static int
reload(struct supervisor *s, struct buf *text)
{
	struct strlist restart = { 0 };
	struct config *next;
	int log_fd;

	next = config_load(s->config_path, s->environment, text);
	if (next == NULL || config_load_secrets(next, text) != 0) {
		log_error("reload-failed", log_str("why", text->data),
		    log_str("todo", "the settings before stay in force; check with pmrelayd -n"));
		config_free(&next);
		return -1;
	}
	buf_clear(text);
	config_keep_fixed(s->config, next, &restart);
	for (size_t i = 0; i < restart.count; i++) {
		log_warning("reload-needs-restart", log_str("option", restart.items[i]));
		buf_addf(text, "%s\n", restart.items[i]);
	}
	strlist_free(&restart);
	config_free(&s->config);
	s->config = next;
	s->level_set = false;
	reopen_log(s, &log_fd);
	log_set_level(next->log_level);
	log_info("reloading");
	tell_warnings(next);
	tell_child(s, &s->core, log_fd);
	for (unsigned i = 0; i < s->front_count; i++)
		tell_child(s, &s->fronts[i], log_fd);
	if (log_fd >= 0)
		close(log_fd);
	return 0;
}

static void
on_reload(void *ctx)
{
	struct supervisor *s = ctx;
	struct buf text;

	buf_init(&text, SETTINGS_MOST);
	(void)reload(s, &text);
	buf_free(&text);
}

static void
reload_for_core(struct supervisor *s)
{
	struct buf text;
	int result, fd;

	buf_init(&text, SETTINGS_MOST);
	result = reload(s, &text);
	fd = handover_settings_fd(&text);
	if (s->core.control != NULL)
		(void)handover_send(
		    handover_fd(s->core.control), HANDOVER_RELOADED, result == 0 ? 0 : 1, fd);
	if (fd >= 0)
		close(fd);
	buf_free(&text);
}

/* --- life --------------------------------------------------------------------------------- */

/* The spool folder must belong to the user that the core becomes. */
static int
make_spool_folder(const struct config *config)
{
	const struct passwd *user;

	if (geteuid() != 0 || config->user[0] == '\0')
		return 0;
	user = getpwnam(config->user);
	if (user == NULL) {
		log_error("user", log_str("user", config->user), log_str("why", "no such user"),
		    log_str("todo", "create it, or set process user in the configuration"));
		return -1;
	}
	if (mkdir(config->spool_folder, 0700) == 0 || errno == EEXIST) {
		if (chown(config->spool_folder, user->pw_uid, user->pw_gid) == 0)
			return 0;
	}
	log_error(
	    "spool", log_str("folder", config->spool_folder), log_str("why", strerror(errno)));
	return -1;
}

static int
drop_privileges(const struct config *config)
{
	char why[256] = "";

	if (geteuid() != 0)
		return 0;
	if (config->user[0] == '\0') {
		log_warning(
		    "running-as-root", log_str("todo", "set process user in the configuration"));
		return 0;
	}
	if (privs_drop(config->user, config->group[0] != '\0' ? config->group : NULL, why,
		sizeof(why)) == 0)
		return 0;
	log_error("user", log_str("why", why));
	return -1;
}

/*
 * To the background: the caller waits until the daemon serves, and exits with its status, so that
 * a failed start is seen.  Returns in the daemon only.
 */
static int
go_to_background(struct supervisor *s)
{
	unsigned char status = EX_SOFTWARE;
	int ends[2];
	int log_fd = open_log_file(s->config);
	const struct passwd *user = NULL;
	pid_t pid;

	if (log_fd < 0) {
		log_error("log-file", log_str("file", s->config->log_file),
		    log_str("why", strerror(errno)),
		    log_str("todo", "set log file, or run with -f"));
		return -1;
	}
	/* The user that we become opens it anew at each SIGHUP. */
	if (geteuid() == 0 && s->config->user[0] != '\0')
		user = getpwnam(s->config->user);
	if (user != NULL && fchown(log_fd, user->pw_uid, user->pw_gid) != 0)
		log_warning("log-file", log_str("file", s->config->log_file),
		    log_str("why", strerror(errno)));
	if (pipe2(ends, O_CLOEXEC) != 0 || (pid = fork()) < 0) {
		log_error("background", log_str("why", strerror(errno)));
		close(log_fd);
		return -1;
	}
	if (pid > 0) {
		close(ends[1]);
		if (read(ends[0], &status, 1) != 1)
			status = EX_SOFTWARE;
		if (status != EX_OK)
			fprintf(stderr, "pmrelayd: not started, see %s\n", s->config->log_file);
		_exit(status);
	}
	close(ends[0]);
	s->waiting_fd = ends[1];
	setsid();
	dup2(log_fd, STDERR_FILENO);
	close(log_fd);
	log_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	dup2(log_fd, STDIN_FILENO);
	dup2(log_fd, STDOUT_FILENO);
	close(log_fd);
	return 0;
}

static void
count_fronts(struct supervisor *s)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	s->front_count = s->config->fronts > 0 ? s->config->fronts
			 : cores > 0           ? (unsigned)cores
					       : 1;
	if (s->front_count > MOST_FRONTS)
		s->front_count = MOST_FRONTS;
}

static void
make_children(struct supervisor *s)
{
	s->fronts = mem_array(s->front_count, sizeof(*s->fronts));
	snprintf(s->core.name, sizeof(s->core.name), "pmrelayd: core");
	s->core.supervisor = s;
	s->core.start = loop_timer_new(s->loop, child_start, &s->core);
	for (unsigned i = 0; i < s->front_count; i++) {
		struct child *front = &s->fronts[i];

		front->supervisor = s;
		front->number = i + 1;
		snprintf(front->name, sizeof(front->name), "pmrelayd: front-%u", front->number);
		front->start = loop_timer_new(s->loop, child_start, front);
	}
}

static void
free_children(struct supervisor *s)
{
	handover_free(&s->core.control);
	loop_timer_free(&s->core.start);
	for (unsigned i = 0; i < s->front_count; i++) {
		handover_free(&s->fronts[i].control);
		loop_timer_free(&s->fronts[i].start);
	}
	free(s->fronts);
}

/* Large mails are descriptors on their way, beside the connections; 1024 are soon gone. */
static void
raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

int
supervisor_main(const struct supervisor_params *params)
{
	struct supervisor s = { .config = params->config,
		.config_path = params->config_path,
		.environment = params->environment,
		.foreground = params->foreground,
		.waiting_fd = -1,
		.status = EX_OK };
	ssize_t len = readlink("/proc/self/exe", s.program, sizeof(s.program) - 1);

	log_setup("supervisor", s.config->log_level, s.config->log_format, STDERR_FILENO);
	privs_harden(); /* the token is in its memory, and may be in its environment */
	raise_descriptor_limit();
	if (len <= 0) {
		log_error("start", log_str("why", "/proc/self/exe: is /proc mounted?"));
		s.status = EX_OSFILE;
		goto free_config;
	}
	tell_warnings(s.config);
	count_fronts(&s);
	s.sockets = sockets_open(&s.config->listen, s.front_count, "smtp");
	if (s.sockets == NULL) {
		s.status = EX_UNAVAILABLE;
		goto free_config;
	}
	s.webhook_sockets = sockets_open(&s.config->webhook_listen, s.front_count, "webhook");
	if (s.webhook_sockets == NULL) {
		s.status = EX_UNAVAILABLE;
		goto remove_sockets;
	}
	s.control = control_sockets_open(s.config);
	if (s.control == NULL) {
		s.status = EX_UNAVAILABLE;
		goto remove_sockets;
	}
	if (make_spool_folder(s.config) != 0) {
		s.status = EX_CANTCREAT;
		goto remove_sockets;
	}
	if (!s.foreground && go_to_background(&s) != 0) {
		s.status = EX_CANTCREAT;
		goto remove_sockets;
	}
	if (drop_privileges(s.config) != 0) {
		s.status = EX_NOUSER;
		goto remove_sockets;
	}
	s.loop = loop_new();
	if (s.loop == NULL || loop_signal(s.loop, SIGTERM, on_terminate, &s) != 0 ||
	    loop_signal(s.loop, SIGINT, on_terminate, &s) != 0 ||
	    loop_signal(s.loop, SIGHUP, on_reload, &s) != 0 ||
	    loop_signal(s.loop, SIGCHLD, on_child_signal, &s) != 0) {
		log_error("loop", log_str("why", strerror(errno)));
		s.status = EX_OSERR;
		goto free_loop;
	}
	s.stage_end = loop_timer_new(s.loop, on_stage_end, &s);
	make_children(&s);
	child_start(&s.core);
	for (unsigned i = 0; i < s.front_count; i++)
		child_start(&s.fronts[i]);

	loop_run(s.loop);

	log_info("stopped", log_num("status", s.status));
	free_children(&s);
	loop_timer_free(&s.stage_end);
free_loop:
	loop_free(&s.loop);
remove_sockets:
	control_sockets_free(&s.control);
	sockets_unlink(&s.config->listen);
	sockets_unlink(&s.config->webhook_listen);
free_config:
	tell_waiting(&s, s.status);
	sockets_free(&s.sockets);
	sockets_free(&s.webhook_sockets);
	config_free(&s.config);
	return s.status;
}
