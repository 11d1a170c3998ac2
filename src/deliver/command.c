/* A command with the mail on its standard input: no shell, nothing of our environment, no
 * descriptor of ours. */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"

#include "deliver/inside.h"

#define PIECE        16384U
#define MOST_WORDS   64U
#define MOST_HEARD   800U /* of what it says on its standard error */
#define COMMAND_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

struct running {
	struct delivery *d;
	pid_t pid;
	int pid_fd;  /* readable when it has ended */
	int in, err; /* our ends */
	char piece[PIECE];
	size_t at, len; /* of piece: what is to be written */
	bool unreadable;
	char heard[MOST_HEARD];
	size_t heard_len;
};

/* --- starting ----------------------------------------------------------------------------- */

/* argv points into text, which is cut at its spaces. */
static void
words_split(char *text, char *argv[MOST_WORDS + 1])
{
	size_t count = 0;
	char *save = NULL;

	for (char *word = strtok_r(text, " ", &save); word != NULL && count < MOST_WORDS;
	     word = strtok_r(NULL, " ", &save))
		argv[count++] = word;
	argv[count] = NULL;
}

static int
spawn_with(struct running *r, char *const argv[], char *const environment[], int in, int err)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t how;
	sigset_t none, all;
	int failed;

	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&how);
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_setsigmask(&how, &none);
	posix_spawnattr_setsigdefault(&how, &all);
	posix_spawnattr_setpgroup(&how, 0);
	posix_spawnattr_setflags(
	    &how, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
	posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, err, STDERR_FILENO);
	posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
	posix_spawn_file_actions_addchdir_np(&actions, "/");
	failed = posix_spawn(&r->pid, argv[0], &actions, &how, argv, environment);
	posix_spawnattr_destroy(&how);
	posix_spawn_file_actions_destroy(&actions);
	return failed;
}

/* The ends that a command gets must not be 0 to 2 here, or putting them there would close them. */
static int
pipe_open(int ends[2])
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) != 0)
		return -1;
	for (int i = 0; i < 2; i++) {
		ends[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);
		close(fds[i]);
	}
	if (ends[0] >= 0 && ends[1] >= 0)
		return 0;
	for (int i = 0; i < 2; i++) {
		if (ends[i] >= 0)
			close(ends[i]);
	}
	errno = EMFILE;
	return -1;
}

/* 0, or -1 and the delivery's end. */
static int
start(struct running *r)
{
	struct delivery *d = r->d;
	char *text = mem_string(d->target_text), *argv[MOST_WORDS + 1];
	char *sender = mem_format("SENDER=%s", d->sender);
	char *recipient = mem_format("RECIPIENT=%s", d->recipient);
	char *item = mem_format("PMRELAY_ITEM=%s", d->id);
	char path[] = COMMAND_PATH;
	char *environment[] = { path, sender, recipient, item, NULL };
	int in[2] = { -1, -1 }, err[2] = { -1, -1 }, failed = 0;

	words_split(text, argv);
	if (pipe_open(in) != 0 || pipe_open(err) != 0)
		failed = errno;
	else
		failed = spawn_with(r, argv, environment, in[0], err[1]);
	if (failed == 0) {
		r->in = in[1];
		r->err = err[0];
		in[1] = err[0] = -1;
		fcntl(r->in, F_SETFL, O_NONBLOCK);
		fcntl(r->err, F_SETFL, O_NONBLOCK);
		r->pid_fd = (int)syscall(SYS_pidfd_open, r->pid, 0);
		delivery_return_path(d, r->piece, sizeof(r->piece));
		r->len = strlen(r->piece);
	} else {
		delivery_end(d, DELIVER_LATER, "%s: %s", argv[0], strerror(failed));
	}
	for (int i = 0; i < 2; i++) {
		if (in[i] >= 0)
			close(in[i]);
		if (err[i] >= 0)
			close(err[i]);
	}
	free(item);
	free(recipient);
	free(sender);
	free(text);
	return failed == 0 ? 0 : -1;
}

/* --- running ------------------------------------------------------------------------------ */

static void
in_close(struct running *r)
{
	if (r->in >= 0)
		close(r->in);
	r->in = -1;
}

static void
in_feed(struct running *r)
{
	ssize_t done;

	if (r->at == r->len) {
		done = content_read_lf(&r->d->content, r->piece, sizeof(r->piece));
		r->unreadable = done < 0;
		if (done == 0)
			in_close(r);
		if (done <= 0)
			return;
		r->at = 0;
		r->len = (size_t)done;
	}
	done = write(r->in, r->piece + r->at, r->len - r->at);
	if (done > 0)
		r->at += (size_t)done;
	else if (done < 0 && errno != EAGAIN && errno != EINTR)
		in_close(r); /* it does not want all of it: its status tells */
}

/* False: nothing comes any more. */
static bool
err_hear(struct running *r)
{
	char piece[1024];
	ssize_t got = read(r->err, piece, sizeof(piece));

	if (got < 0)
		return errno == EAGAIN || errno == EINTR;
	for (ssize_t i = 0; i < got && r->heard_len < sizeof(r->heard); i++)
		r->heard[r->heard_len++] = piece[i] == '\n' ? ' ' : piece[i];
	return got > 0;
}

/* Without a descriptor of the process its end is looked for from time to time. */
#define LOOK_MS 50

static bool
has_ended(const struct running *r, int *status_r)
{
	return waitpid(r->pid, status_r, WNOHANG) == r->pid;
}

/* True: it ended by itself. */
static bool
run(struct running *r, int *status_r)
{
	const struct delivery *d = r->d;

	while (!has_ended(r, status_r)) {
		struct pollfd fds[] = { { .fd = d->cut_fd, .events = POLLIN },
			{ .fd = r->pid_fd, .events = POLLIN }, { .fd = r->in, .events = POLLOUT },
			{ .fd = r->err, .events = POLLIN } };
		int left = delivery_time_left(d);

		if (left == 0)
			return false;
		if (r->pid_fd < 0 && left > LOOK_MS)
			left = LOOK_MS;
		if (poll(fds, 4, left) < 0 && errno != EINTR)
			return false;
		if (fds[0].revents != 0)
			return false;
		if (r->in >= 0 && fds[2].revents != 0)
			in_feed(r);
		/* Half of a mail must not be taken for one. */
		if (r->unreadable)
			return false;
		if (r->err >= 0 && fds[3].revents != 0 && !err_hear(r)) {
			close(r->err);
			r->err = -1;
		}
	}
	while (r->err >= 0 && r->heard_len < sizeof(r->heard)) {
		size_t before = r->heard_len;

		if (!err_hear(r) || r->heard_len == before)
			break;
	}
	return true;
}

static void
judge(struct running *r, int status)
{
	struct delivery *d = r->d;
	char said[MOST_HEARD + 100] = "";

	while (r->heard_len > 0 && r->heard[r->heard_len - 1] == ' ')
		r->heard_len--;
	if (r->heard_len > 0) {
		memcpy(said, ": ", 2);
		text_safe(said + 2, sizeof(said) - 2, r->heard, r->heard_len);
	}
	if (WIFSIGNALED(status)) {
		delivery_end(d, DELIVER_LATER_ALONE, "the command was ended by signal %d%s",
		    WTERMSIG(status), said);
		return;
	}
	d->code = WEXITSTATUS(status);
	if (d->code == 0)
		delivery_end(d, DELIVER_DONE, "the command has taken it%s", said);
	else if (d->code >= EX__BASE && d->code <= EX__MAX && d->code != EX_TEMPFAIL)
		delivery_end(d, DELIVER_REFUSED, "the command ended with %d%s", d->code, said);
	else
		delivery_end(d, DELIVER_LATER_ALONE, "the command ended with %d%s", d->code, said);
}

void
command_deliver(struct delivery *d)
{
	struct running *r = mem_new(sizeof(*r));
	int status;

	r->d = d;
	r->pid_fd = r->in = r->err = -1;
	if (start(r) == 0) {
		if (run(r, &status)) {
			judge(r, status);
		} else {
			kill(-r->pid, SIGKILL);
			while (waitpid(r->pid, &status, 0) < 0 && errno == EINTR)
				;
			delivery_end(d, DELIVER_LATER_ALONE, "%s",
			    r->unreadable                ? "the stored message could not be read"
			    : delivery_time_left(d) == 0 ? "the command took too long"
							 : "cut off");
		}
	}
	in_close(r);
	if (r->err >= 0)
		close(r->err);
	if (r->pid_fd >= 0)
		close(r->pid_fd);
	free(r);
}
