/*
 * Events as the standard input of a program, without a shell.  A child is waited for by its pidfd,
 * so that nothing of the process is touched, no signal handler above all.
 */

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/buf.h"
#include "base/child.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/strlist.h"
#include "config/config.h"

#include "outlet/inside.h"
#include "outlet/line.h"
#include "outlet/rules.h"

#define LOOK_MS    50  /* where a child has no pidfd */
#define MOST_WORDS 500 /* bytes of what it says on standard error that are kept */

struct run {
	struct entry *entry;
	struct child child;
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
	watch_free(&run->writable, &run->child.in);
	watch_free(&run->readable, &run->child.err);
	watch_free(&run->ended, &run->child.pid_fd);
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
		watch_free(&run->writable, &run->child.in);
}

/* False: there is nothing more now. */
static bool
said_read(struct run *run)
{
	char bytes[4096];
	ssize_t got = run->child.err < 0 ? 0 : read(run->child.err, bytes, sizeof(bytes));

	if (got > 0) {
		size_t room = run->said.most - run->said.len;

		buf_add(&run->said, bytes, (size_t)got < room ? (size_t)got : room);
		return true;
	}
	if (got == 0 || (errno != EAGAIN && errno != EINTR))
		watch_free(&run->readable, &run->child.err);
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
	pid_t got = waitpid(run->child.pid, &status, WNOHANG);

	if (got == run->child.pid)
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
	kill(-run->child.pid,
	    SIGKILL); /* its group; it is not waited for yet, so the number is its own */
}

/* --- its begin ---------------------------------------------------------------------------- */

/* 0, or an errno. */
static int
start(struct child *child, const struct entry *entry)
{
	struct strlist words = { 0 }, environment = { 0 };
	int failed;

	child_words(entry->consumer->outlet->command, &words);
	line_add_variables(&environment, &entry->facts);
	failed = child_start(child, &words, &environment, -1);
	strlist_free(&words);
	strlist_free(&environment);
	return failed;
}

static void
begin(struct entry *entry)
{
	const struct outlet *outlet = entry->consumer->outlet;
	struct loop *loop = entry->consumer->outlets->loop;
	struct child child;
	struct run *run;
	int failed = start(&child, entry);

	if (failed != 0) {
		entry_again(entry, 0, strerror(failed));
		return;
	}
	run = mem_new(sizeof(*run));
	entry->work = run;
	run->entry = entry;
	run->child = child;
	buf_init(&run->said, MOST_WORDS);
	buf_init(&run->line, LINE_MOST_BYTES + 1);
	line_add(&run->line, &entry->facts, outlet->payload);
	buf_addc(&run->line, '\n');
	run->timeout = loop_timer_new(loop, on_timeout, run);
	run->look = loop_timer_new(loop, look, run);
	loop_timer_set(run->timeout, outlet->timeout_ms);
	run->writable = watch(run, run->child.in, EV_WRITE | EV_PERSIST, on_writable);
	run->readable = watch(run, run->child.err, EV_READ | EV_PERSIST, on_readable);
	if (run->child.pid_fd >= 0)
		run->ended = watch(run, run->child.pid_fd, EV_READ, on_ended);
	else
		loop_timer_set(run->look, LOOK_MS);
}

static void
cut(struct entry *entry)
{
	struct run *run = entry->work;

	child_kill(&run->child);
	run_free(run);
}

const struct consumer_kind consumer_command = {
	.name = "command",
	.begin = begin,
	.cut = cut,
};
