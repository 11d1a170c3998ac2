#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <iconv.h>
#include <netinet/in.h>
#include <pthread.h>
#include <pwd.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/privs.h"
#include "base/stream.h"
#include "base/ulid.h"

/* What a child does can't be undone, so it is done in a child: 0 is well. */
static int
in_child(int (*what)(void))
{
	int status;
	pid_t child;

	fflush(NULL);
	child = fork();
	if (child == 0)
		_exit(what());
	if (child < 0 || waitpid(child, &status, 0) != child)
		return -1;
	if (WIFSIGNALED(status))
		print_message("ended by signal %d\n", WTERMSIG(status));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* In the child: says which expectation failed, and ends. */
static void
expect(int truth, const char *what)
{
	if (truth)
		return;
	dprintf(STDOUT_FILENO, "not so: %s (errno %d)\n", what, errno);
	_exit(1);
}

static int
harden_child(void)
{
	struct rlimit cores;

	privs_harden();
	expect(getrlimit(RLIMIT_CORE, &cores) == 0 && cores.rlim_max == 0, "no core dumps");
	expect(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1, "no new privileges");
	return 0;
}

static void
harden(void **state)
{
	(void)state;
	assert_int_equal(in_child(harden_child), 0);
}

static int
drop_child(void)
{
	char why[200] = "";
	const struct passwd *nobody = getpwnam("nobody");
	uid_t uid = nobody->pw_uid;

	if (privs_drop("nobody", NULL, why, sizeof(why)) != 0) {
		dprintf(STDOUT_FILENO, "%s\n", why);
		return 1;
	}
	expect(geteuid() == uid && getuid() == uid, "user");
	expect(getgroups(0, NULL) == 0, "no supplementary groups");
	expect(setuid(0) != 0, "no way back");
	expect(privs_drop("nobody", NULL, why, sizeof(why)) == 0, "dropped already");
	expect(privs_drop("root", NULL, why, sizeof(why)) != 0, "not to root");
	return 0;
}

static void
drop(void **state)
{
	char why[200] = "";

	(void)state;
	assert_int_equal(privs_drop("no-such-user", NULL, why, sizeof(why)), -1);
	assert_non_null(strstr(why, "no-such-user"));
	assert_int_equal(privs_drop("root", "no-such-group", why, sizeof(why)), -1);
	assert_non_null(strstr(why, "no-such-group"));
	if (geteuid() != 0) {
		assert_int_equal(privs_drop("root", NULL, why, sizeof(why)), -1);
		print_message("not root: dropping was not tried\n");
		return;
	}
	if (getpwnam("nobody") != NULL)
		assert_int_equal(in_child(drop_child), 0);
}

static struct loop *loop;
static int listener;

static size_t
on_bytes(void *ctx, const char *data, size_t len)
{
	struct stream **stream = ctx;

	stream_write(*stream, data, len);
	return len;
}

static void
on_end(void *ctx, enum stream_end why)
{
	struct stream **stream = ctx;

	(void)why;
	stream_free(stream);
	loop_stop(loop);
}

/* What a front does all day. */
static void
works_as_before(void)
{
	static const struct stream_hooks hooks = { on_bytes, on_end };
	char id[ULID_SIZE], text[100], *in = text, *out;
	char japanese[] = "\x1b$BF|K\\\x1b(B"; /* "Nihon" */
	struct sockaddr_in at;
	socklen_t at_len = sizeof(at);
	struct stream *stream;
	struct buf buf;
	size_t len, in_left, out_left;
	iconv_t converter;
	int fd, accepted, fds[2];

	buf_init_shared(&buf, 1 << 24, 4096);
	for (int i = 0; i < 100000; i++)
		buf_addf(&buf, "%d\n", i);
	fd = buf_take_fd(&buf, &len);
	expect(fd > 0, "a memfd");

	/* A connection that waits on the listener, and a descriptor sent by another process. */
	expect(getsockname(listener, (struct sockaddr *)&at, &at_len) == 0, "getsockname");
	accepted = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	expect(accepted >= 0, "accept4");
	expect(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0, "socketpair");
	{
		char control[CMSG_SPACE(sizeof(int))];
		struct iovec part = { id, 1 };
		struct msghdr message = { .msg_iov = &part,
			.msg_iovlen = 1,
			.msg_control = control,
			.msg_controllen = sizeof(control) };
		struct cmsghdr *header;

		memset(control, 0, sizeof(control));
		header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(header), &fd, sizeof(fd));
		id[0] = 'x';
		expect(sendmsg(fds[0], &message, MSG_NOSIGNAL) == 1, "sendmsg");
		expect(recvmsg(fds[1], &message, MSG_CMSG_CLOEXEC) == 1, "recvmsg");
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
		expect(lseek(fd, 0, SEEK_END) == (off_t)len, "the descriptor that came");
	}
	close(accepted);

	stream = stream_new(&(const struct stream_params){ .loop = loop,
	    .fd = fds[0],
	    .hooks = &hooks,
	    .ctx = &stream,
	    .most_left_over = 100,
	    .most_unsent = 1 << 20 });
	expect(write(fds[1], "hello", 5) == 5, "write");
	shutdown(fds[1], SHUT_WR);
	loop_run(loop);
	expect(read(fds[1], text, sizeof(text)) == 5, "the echo");

	ulid_make(id, clock_wall_ms());
	log_debug("inside", log_str("id", id));
	free(malloc(32 << 20));

	converter = iconv_open("UTF-8", "ISO-2022-JP");
	expect(converter != (iconv_t)-1, "iconv_open of ISO-2022-JP");
	in = japanese;
	in_left = strlen(japanese);
	out = text;
	out_left = sizeof(text);
	expect(iconv(converter, &in, &in_left, &out, &out_left) == 0, "iconv");
	expect(memcmp(text, "\xe6\x97\xa5\xe6\x9c\xac", 6) == 0, "the Japanese text");
	iconv_close(converter);
}

static void *
nothing(void *ctx)
{
	return ctx;
}

static int
fence_child(void)
{
	char *const arguments[] = { (char *)(uintptr_t) "true", NULL };
	struct privs_fence fence;
	char why[200] = "";
	pthread_t thread;
	void *answer = NULL;

	if (privs_fence_front(privs_iconv_folders(), &fence, why, sizeof(why)) != 0) {
		dprintf(STDOUT_FILENO, "%s\n", why);
		return 1;
	}
	dprintf(STDOUT_FILENO, "seccomp %d, landlock %d\n", fence.seccomp, fence.landlock);
	works_as_before();
	if (fence.landlock) {
		expect(open("/etc/passwd", O_RDONLY) < 0, "no reading of /etc/passwd");
		expect(open("/tmp/fence-test", O_WRONLY | O_CREAT, 0600) < 0, "no writing");
		expect(open("/proc/self/mem", O_RDONLY) < 0, "no reading of /proc");
	}
	if (!fence.seccomp)
		return 0;
	expect(socket(AF_INET, SOCK_STREAM, 0) < 0 && errno == EPERM, "no socket");
	expect(socket(AF_UNIX, SOCK_STREAM, 0) < 0 && errno == EPERM, "no local socket");
	expect(connect(listener, (struct sockaddr *)why, 16) < 0 && errno == EPERM, "no connect");
	expect(execv("/bin/true", arguments) < 0 && errno == EPERM, "no program");
	expect(fork() < 0 && errno == EPERM, "no child");
	expect(kill(getppid(), 0) < 0 && errno == EPERM, "no signal to others");
	expect(open("/dev/null", O_RDWR) < 0, "no opening for writing");
	expect(unlink("/tmp/no-such-file") < 0 && errno == EPERM, "no unlink");
	expect(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0 && errno == EPERM, "no other prctl");
	expect(kill(getpid(), 0) == 0, "signals to itself");
	expect(pthread_create(&thread, NULL, nothing, why) == 0, "a thread");
	expect(pthread_join(thread, &answer) == 0 && answer == why, "its end");
	return 0;
}

static int
abort_child(void)
{
	struct privs_fence fence;
	char why[200];

	if (privs_fence_front(privs_iconv_folders(), &fence, why, sizeof(why)) != 0)
		return 1;
	abort();
}

static void
fence(void **state)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t len = sizeof(at);
	int client;

	(void)state;
	/* What the supervisor opens before. */
	loop = loop_new();
	listener = socket(AF_INET, SOCK_STREAM, 0);
	client = socket(AF_INET, SOCK_STREAM, 0);
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(listener, (struct sockaddr *)&at, len), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &len), 0);
	assert_int_equal(connect(client, (struct sockaddr *)&at, len), 0);
	assert_int_equal(in_child(fence_child), 0);
	close(listener);
	close(client);
	loop_free(&loop);
}

static void
abort_ends_a_fenced_process(void **state)
{
	(void)state;
	assert_int_equal(in_child(abort_child), 128 + SIGABRT);
}

static void
iconv_folders(void **state)
{
	const char *const *folders = privs_iconv_folders();

	(void)state;
	assert_ptr_equal(folders, privs_iconv_folders());
	for (; *folders != NULL; folders++) {
		print_message("%s\n", *folders);
		assert_int_equal(access(*folders, R_OK | X_OK), 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(harden),
		cmocka_unit_test(drop),
		cmocka_unit_test(iconv_folders),
		cmocka_unit_test(fence),
		cmocka_unit_test(abort_ends_a_fenced_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
