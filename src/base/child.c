#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/strlist.h"

#include "base/child.h"

static char search_path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

void
child_words(const char *command, struct strlist *words)
{
	struct buf word;
	bool begun = false;
	char quote = '\0';

	buf_init(&word, strlen(command) + 1);
	for (const char *at = command; *at != '\0'; at++) {
		if (quote != '\0' && *at == quote) {
			quote = '\0';
		} else if (quote == '\0' && (*at == '"' || *at == '\'')) {
			quote = *at;
			begun = true;
		} else if (quote == '\0' && (*at == ' ' || *at == '\t')) {
			if (begun)
				strlist_add_bytes(
				    words, word.data != NULL ? word.data : "", word.len);
			buf_clear(&word);
			begun = false;
		} else {
			buf_addc(&word, *at);
			begun = true;
		}
	}
	if (begun)
		strlist_add_bytes(words, word.data != NULL ? word.data : "", word.len);
	buf_free(&word);
}

/* As execve() wants it: with first, if there is one, before the list's.  To be freed. */
static char **
array_of(char *first, const struct strlist *list)
{
	char **array = mem_array(list->count + 2, sizeof(*array));
	size_t count = 0;

	if (first != NULL)
		array[count++] = first;
	for (size_t i = 0; i < list->count; i++)
		array[count++] = list->items[i];
	return array;
}

/* 0, or an errno. */
static int
spawn(pid_t *pid_r, char **argv, char **environment, int in, int err)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t how;
	sigset_t none, all;
	int failed;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, err, STDERR_FILENO);
	posix_spawn_file_actions_addchdir_np(&actions, "/");
#if __GLIBC_PREREQ(2, 34)
	/* All of ours are O_CLOEXEC; this is for a library's. */
	posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
#endif
	posix_spawnattr_init(&how);
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_setsigmask(&how, &none);
	posix_spawnattr_setsigdefault(&how, &all);
	posix_spawnattr_setpgroup(&how, 0);
	posix_spawnattr_setflags(
	    &how, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	failed = posix_spawn(pid_r, argv[0], &actions, &how, argv, environment);
	posix_spawnattr_destroy(&how);
	posix_spawn_file_actions_destroy(&actions);
	return failed;
}

static void
pair_close(int ends[2])
{
	for (int i = 0; i < 2; i++) {
		if (ends[i] >= 0)
			close(ends[i]);
		ends[i] = -1;
	}
}

/* 0, or an errno and nothing open.  Never 0, 1 or 2, which the child gets by dup2(). */
static int
pair_open(int ends[2], int ours)
{
	int failed = 0;

	if (pipe2(ends, O_CLOEXEC) != 0) {
		failed = errno;
		ends[0] = ends[1] = -1;
		return failed;
	}
	for (int i = 0; i < 2; i++) {
		int low = ends[i];

		if (low > STDERR_FILENO)
			continue;
		ends[i] = fcntl(low, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
		if (ends[i] < 0)
			failed = errno;
		close(low);
	}
	if (failed == 0 && fcntl(ends[ours], F_SETFL, O_NONBLOCK) != 0)
		failed = errno;
	if (failed != 0)
		pair_close(ends);
	return failed;
}

int
child_start(
    struct child *child, const struct strlist *words, const struct strlist *environment, int input)
{
	int in[2] = { -1, -1 }, err[2] = { -1, -1 }, failed = 0;
	char **argv, **envp;

	if (words->count == 0)
		return ENOENT;
	if (input < 0)
		failed = pair_open(in, 1);
	if (failed == 0)
		failed = pair_open(err, 0);
	if (failed == 0) {
		argv = array_of(NULL, words);
		envp = array_of(search_path, environment);
		failed = spawn(&child->pid, argv, envp, input < 0 ? in[0] : input, err[1]);
		free(argv);
		free(envp);
	}
	if (failed != 0) {
		pair_close(in);
		pair_close(err);
		return failed;
	}
	if (input < 0)
		close(in[0]);
	close(err[1]);
	child->in = in[1];
	child->err = err[0];
	child->pid_fd = (int)syscall(SYS_pidfd_open, child->pid, 0);
	return 0;
}

int
child_kill(const struct child *child)
{
	int status = SIGKILL; /* should nobody tell */

	kill(-child->pid, SIGKILL);
	while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}
