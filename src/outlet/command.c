/*
 * Events as the standard input of a program, without a shell.  A child is waited for by its pidfd,
 * so that nothing of the process is touched, no signal handler above all.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/buf.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/strlist.h"
#include "config/config.h"

#include "outlet/inside.h"
#include "outlet/line.h"
#include "outlet/rules.h"

#define LOOK_MS     50  /* where a child has no pidfd */
#define MOST_WORDS  500 /* bytes of what it says on standard error that are kept */
#define SEARCH_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

struct run {
	struct entry *entry;
	pid_t pid;
	int pidfd; /* -1: none */
	int in, err;
	struct event *ended, *writable, *readable;
	struct loop_timer *timeout, *look;
	struct buf line, said;
	size_t written;
	bool late;
};

static struct event *
watch(struct run *run, int fd, short kinds, event_callback_fn fn)
{
	struct event *event =
	    event_new(loop_base(run->entry->consumer->outlets->loop), fd, kinds, fn, run);

	if (event == NULL || event_add(event, NULL) != 0)
		abort(); /* libevent is out of memory, see base/mem.h */
	return event;
}

static void
watch_free(struct event **event, int *fd)
{
	if (*event != NULL)
		event_free(*event);
	*event = NULL;
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void
run_free(struct run *run)
{
	run->entry->work = NULL;
	watch_free(&run->writable, &run->in);
	watch_free(&run->readable, &run->err);
	watch_free(&run->ended, &run->pidfd);
	loop_timer_free(&run->timeout);
	loop_timer_free(&run->look);
	buf_free(&run->line);
	buf_free(&run->said);
	free(run);
}

/* --- its streams -------------------------------------------------------------------------- */

static void
on_writable(evutil_socket_t fd, short kinds, void *ctx)
{
	struct run *run = ctx;
	ssize_t got = write(fd, run->line.data + run->written, run->line.len - run->written);

	(void)kinds;
	if (got > 0)
		run->written += (size_t)got;
	/* Who does not read it need not: the exit status is what counts. */
	if (run->written == run->line.len || (got < 0 && errno != EAGAIN && errno != EINTR))
		watch_free(&run->writable, &run->in);
}

/* False: there is nothing more now. */
static bool
said_read(struct run *run)
{
	char bytes[4096];
	ssize_t got = run->err < 0 ? 0 : read(run->err, bytes, sizeof(bytes));

	if (got > 0) {
		size_t room = run->said.most - run->said.len;

		buf_add(&run->said, bytes, (size_t)got < room ? (size_t)got : room);
		return true;
	}
	if (got == 0 || (errno != EAGAIN && errno != EINTR))
		watch_free(&run->readable, &run->err);
	return false;
}

static void
on_readable(evutil_socket_t fd, short kinds, void *ctx)
{
	(void)fd;
	(void)kinds;
	said_read(ctx);
}

/* --- its end ------------------------------------------------------------------------------ */

static void
tell(struct run *run, int status, bool known)
{
	struct entry *entry = run->entry;
	struct buf why;

	/* What it said last is in the pipe still; a grandchild may go on for ever. */
	for (int i = 0; i < 16 && said_read(run); i++)
		;
	buf_init(&why, 1000);
	if (run->late)
		buf_adds(&why, "timeout");
	else if (!known)
		buf_adds(&why, "its end was not seen");
	else if (WIFSIGNALED(status))
		buf_addf(&why, "signal %d", WTERMSIG(status));
	else
		buf_addf(&why, "exit status %d", WEXITSTATUS(status));
	if (run->said.len > 0) {
		buf_adds(&why, ": ");
		buf_add(&why, run->said.data, run->said.len);
	}
	run_free(run);
	if (known && WIFEXITED(status) && WEXITSTATUS(status) == 0)
		entry_done(entry);
	else
		entry_again(entry, 0, why.data);
	buf_free(&why);
}

static void
look(void *ctx)
{
	struct run *run = ctx;
	int status = 0;
	pid_t got = waitpid(run->pid, &status, WNOHANG);

	if (got == run->pid)
		tell(run, status, true);
	else if (got < 0 && errno != EINTR)
		tell(run, 0, false);
	else if (run->ended == NULL)
		loop_timer_set(run->look, LOOK_MS);
}

static void
on_ended(evutil_socket_t fd, short kinds, void *ctx)
{
	(void)fd;
	(void)kinds;
	look(ctx);
}

static void
on_timeout(void *ctx)
{
	struct run *run = ctx;

	run->late = true;
	kill(
	    -run->pid, SIGKILL); /* its group; it is not waited for yet, so the number is its own */
}

/* --- its begin ---------------------------------------------------------------------------- */

static char **
array_of(const struct strlist *list)
{
	char **array = mem_array(list->count + 1, sizeof(*array));

	for (size_t i = 0; i < list->count; i++)
		array[i] = list->items[i];
	return array;
}

/* The child's ends are 0 and 2; nothing else of ours is open in it.  0, or an errno. */
static int
spawn(pid_t *pid_r, const struct outlet *outlet, const struct event_facts *facts, int in, int err)
{
	struct strlist words = { 0 }, environment = { 0 };
	char **argv, **envp;
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, all;
	int result;

	rule_words(outlet->command, &words);
	strlist_add(&environment, SEARCH_PATH);
	line_add_variables(&environment, facts);
	argv = array_of(&words);
	envp = array_of(&environment);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, err, STDERR_FILENO);
	posix_spawn_file_actions_addchdir_np(&actions, "/");
#if __GLIBC_PREREQ(2, 34)
	posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
#endif
	posix_spawnattr_init(&attributes);
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	posix_spawnattr_setpgroup(&attributes, 0);
	posix_spawnattr_setflags(
	    &attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	result = words.count == 0
		     ? ENOENT
		     : posix_spawn(pid_r, words.items[0], &actions, &attributes, argv, envp);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	free(argv);
	free(envp);
	strlist_free(&words);
	strlist_free(&environment);
	return result;
}

/* Never 0, 1 or 2, which the child gets by dup2(). */
static int
pipe_make(int ends_r[2], int ours)
{
	if (pipe2(ends_r, O_CLOEXEC) != 0)
		return -1;
	for (int i = 0; i < 2; i++) {
		int high =
		    ends_r[i] > STDERR_FILENO ? ends_r[i] : fcntl(ends_r[i], F_DUPFD_CLOEXEC, 3);

		if (high != ends_r[i])
			close(ends_r[i]);
		ends_r[i] = high;
	}
	return fcntl(ends_r[ours], F_SETFL, O_NONBLOCK);
}

static void
pair_close(int ends[2])
{
	for (int i = 0; i < 2; i++)
		if (ends[i] >= 0)
			close(ends[i]);
}

static void
begin(struct entry *entry)
{
	const struct outlet *outlet = entry->consumer->outlet;
	struct loop *loop = entry->consumer->outlets->loop;
	int in[2] = { -1, -1 }, err[2] = { -1, -1 }, failed;
	struct run *run;
	pid_t pid;

	failed = pipe_make(in, 1) != 0 || pipe_make(err, 0) != 0
		     ? errno
		     : spawn(&pid, outlet, &entry->facts, in[0], err[1]);
	if (failed != 0) {
		pair_close(in);
		pair_close(err);
		entry_again(entry, 0, strerror(failed));
		return;
	}
	close(in[0]);
	close(err[1]);
	run = mem_new(sizeof(*run));
	entry->work = run;
	run->entry = entry;
	run->pid = pid;
	run->in = in[1];
	run->err = err[0];
	buf_init(&run->said, MOST_WORDS);
	buf_init(&run->line, LINE_MOST_BYTES + 1);
	line_add(&run->line, &entry->facts, outlet->payload);
	buf_addc(&run->line, '\n');
	run->timeout = loop_timer_new(loop, on_timeout, run);
	run->look = loop_timer_new(loop, look, run);
	loop_timer_set(run->timeout, outlet->timeout_ms);
	run->writable = watch(run, run->in, EV_WRITE | EV_PERSIST, on_writable);
	run->readable = watch(run, run->err, EV_READ | EV_PERSIST, on_readable);
	run->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (run->pidfd >= 0)
		run->ended = watch(run, run->pidfd, EV_READ, on_ended);
	else
		loop_timer_set(run->look, LOOK_MS);
}

static void
cut(struct entry *entry)
{
	struct run *run = entry->work;
	int status;

	kill(-run->pid, SIGKILL);
	while (waitpid(run->pid, &status, 0) < 0 && errno == EINTR)
		;
	run_free(run);
}

const struct consumer_kind consumer_command = {
	.name = "command",
	.begin = begin,
	.cut = cut,
};
