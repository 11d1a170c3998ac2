/* Other programs, real ones. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/child.h"
#include "base/strlist.h"

static void
words_of_a_command(void **state)
{
	static const struct {
		const char *reason, *command, *expected; /* each in brackets */
	} cases[] = {
		{ "one", "/bin/x", "[/bin/x]" },
		{ "three", "/bin/x a b", "[/bin/x][a][b]" },
		{ "spaces", "  /bin/x \t a  ", "[/bin/x][a]" },
		{ "double quotes", "/bin/x \"a b\" c", "[/bin/x][a b][c]" },
		{ "single quotes", "/bin/x 'a \"b' c", "[/bin/x][a \"b][c]" },
		{ "quotes within a word", "/bin/x a' 'b", "[/bin/x][a b]" },
		{ "nothing in quotes", "/bin/x '' b", "[/bin/x][][b]" },
		{ "no end", "/bin/x 'a b", "[/bin/x][a b]" },
		{ "no shell", "/bin/x $HOME;ls|a>b&", "[/bin/x][$HOME;ls|a>b&]" },
		{ "a backslash", "/bin/x a\\ b", "[/bin/x][a\\][b]" },
		{ "nothing", "", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct strlist words = { 0 };
		struct buf out;

		buf_init(&out, 1000);
		child_words(cases[i].command, &words);
		for (size_t j = 0; j < words.count; j++)
			buf_addf(&out, "[%s]", words.items[j]);
		if (strcmp(out.data != NULL ? out.data : "", cases[i].expected) != 0)
			fail_msg("%s: %s", cases[i].reason, out.data);
		strlist_free(&words);
		buf_free(&out);
	}
}

/* A script of sh, whose $0 is "sh". */
static int
start(struct child *child, const char *script, const char *variable)
{
	struct strlist words = { 0 }, environment = { 0 };
	int failed;

	strlist_add(&words, "/bin/sh");
	strlist_add(&words, "-c");
	strlist_add(&words, script);
	if (variable != NULL)
		strlist_add(&environment, variable);
	failed = child_start(child, &words, &environment, -1);
	strlist_free(&words);
	strlist_free(&environment);
	return failed;
}

/* What it says on its standard error until it has ended; its status. */
static int
hear(struct child *child, struct buf *said)
{
	char bytes[1000];
	int status;
	ssize_t got;

	if (child->in >= 0)
		close(child->in);
	assert_int_equal(fcntl(child->err, F_SETFL, 0), 0);
	while ((got = read(child->err, bytes, sizeof(bytes))) > 0)
		buf_add(said, bytes, (size_t)got);
	close(child->err);
	if (child->pid_fd >= 0) {
		struct pollfd fd = { .fd = child->pid_fd, .events = POLLIN };

		assert_int_equal(poll(&fd, 1, 20000), 1);
		close(child->pid_fd);
	}
	assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
	return status;
}

static void
what_a_child_gets(void **state)
{
	/* Of ours, and not closed on exec as what libraries open may be. */
	int leak = open("/dev/null", O_RDONLY);
	struct child child;
	struct buf said;
	int status;

	(void)state;
	assert_true(leak > STDERR_FILENO);
	buf_init(&said, 10000);
	setenv("OURS", "secret", 1);
	assert_int_equal(start(&child,
			     "read a; echo \"$a,$TOLD,$OURS,$PATH,$(pwd)\" >&2; echo lost;"
			     "for i in 3 4 5 6 7 8 9; do (: <&$i) 2>/dev/null && echo open $i >&2;"
			     "done; exit 7",
			     "TOLD=two words"),
	    0);
	assert_true((fcntl(child.in, F_GETFL) & O_NONBLOCK) != 0);
	assert_true((fcntl(child.err, F_GETFL) & O_NONBLOCK) != 0);
	assert_int_equal(write(child.in, "hello\n", 6), 6);
	status = hear(&child, &said);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	assert_string_equal(said.data, "hello,two words,,/usr/local/sbin:/usr/local/bin:/usr/sbin:"
				       "/usr/bin:/sbin:/bin,/\n");
	buf_free(&said);
	close(leak);
}

/* Where our own 0, 1 and 2 are closed, the pipes must not take their place. */
static void
low_descriptors_are_left_alone(void **state)
{
	int kept[3];
	struct child child;
	struct buf said;
	int status, failed;

	(void)state;
	buf_init(&said, 1000);
	for (int i = 0; i < 3; i++) {
		kept[i] = fcntl(i, F_DUPFD_CLOEXEC, 100);
		assert_true(kept[i] >= 100);
		close(i);
	}
	failed = start(&child, "read a; echo got $a >&2", NULL);
	for (int i = 0; i < 3; i++) {
		dup2(kept[i], i);
		close(kept[i]);
	}
	assert_int_equal(failed, 0);
	assert_true(child.in > 2 && child.err > 2);
	assert_int_equal(write(child.in, "it\n", 3), 3);
	status = hear(&child, &said);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_string_equal(said.data, "got it\n");
	buf_free(&said);
}

/* From where it stands. */
static void
a_file_for_its_input(void **state)
{
	struct strlist words = { 0 }, none = { 0 };
	int file = memfd_create("input", MFD_CLOEXEC), status;
	struct child child;
	struct buf said;

	(void)state;
	buf_init(&said, 1000);
	assert_int_equal(write(file, "a whole one\n", 12), 12);
	assert_int_equal(lseek(file, 2, SEEK_SET), 2);
	strlist_add(&words, "/bin/sh");
	strlist_add(&words, "-c");
	strlist_add(&words, "cat >&2");
	assert_int_equal(child_start(&child, &words, &none, file), 0);
	assert_int_equal(child.in, -1);
	close(file);
	status = hear(&child, &said);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_string_equal(said.data, "whole one\n");
	buf_free(&said);
	strlist_free(&words);
}

static void
what_cannot_be_started(void **state)
{
	struct strlist words = { 0 }, none = { 0 };
	struct child child;

	(void)state;
	assert_int_equal(child_start(&child, &words, &none, -1), ENOENT);
	strlist_add(&words, "/nonexistent/program");
	assert_int_equal(child_start(&child, &words, &none, -1), ENOENT);
	strlist_free(&words);
	strlist_add(&words, "/dev/null");
	assert_int_equal(child_start(&child, &words, &none, -1), EACCES);
	strlist_free(&words);
}

/* With what it has started itself. */
static void
a_group_is_killed(void **state)
{
	struct child child;
	char bytes[100];
	ssize_t got;
	pid_t grandchild;
	int status;

	(void)state;
	assert_int_equal(start(&child, "trap '' TERM; sleep 1000 & echo $! >&2; wait", NULL), 0);
	assert_int_equal(fcntl(child.err, F_SETFL, 0), 0);
	got = read(child.err, bytes, sizeof(bytes) - 1);
	assert_true(got > 1);
	bytes[got] = '\0';
	grandchild = (pid_t)strtol(bytes, NULL, 10);
	assert_true(grandchild > 1);
	status = child_kill(&child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_int_equal(read(child.err, bytes, sizeof(bytes)), 0); /* nobody has it any more */
	assert_int_equal(waitpid(child.pid, NULL, WNOHANG), -1);
	close(child.in);
	close(child.err);
	if (child.pid_fd >= 0)
		close(child.pid_fd);
}

static void
what_had_ended_before(void **state)
{
	struct child child;
	siginfo_t about;
	int status;

	(void)state;
	assert_int_equal(start(&child, "exit 7", NULL), 0);
	assert_int_equal(waitid(P_PID, (id_t)child.pid, &about, WEXITED | WNOWAIT), 0);
	status = child_kill(&child);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	close(child.in);
	close(child.err);
	if (child.pid_fd >= 0)
		close(child.pid_fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_of_a_command),
		cmocka_unit_test(what_a_child_gets),
		cmocka_unit_test(low_descriptors_are_left_alone),
		cmocka_unit_test(a_file_for_its_input),
		cmocka_unit_test(what_cannot_be_started),
		cmocka_unit_test(a_group_is_killed),
		cmocka_unit_test(what_had_ended_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
