#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/loop.h"

#include "programs/handover.h"

static int
open_descriptors(void)
{
	int count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void
pair(int ends[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
}

static void
a_message_and_its_descriptor_arrive(void **state)
{
	enum handover_kind kind;
	int ends[2], number, fd;

	(void)state;
	pair(ends);
	assert_int_equal(handover_receive(ends[1], &kind, &number, &fd), 0);
	assert_int_equal(handover_send(ends[0], HANDOVER_CHANNEL, 7, ends[0]), 0);
	assert_int_equal(handover_send(ends[0], HANDOVER_DRAIN, 0, -1), 0);
	assert_int_equal(handover_receive(ends[1], &kind, &number, &fd), 1);
	assert_int_equal(kind, HANDOVER_CHANNEL);
	assert_int_equal(number, 7);
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
	assert_int_equal(handover_receive(ends[1], &kind, &number, &fd), 1);
	assert_int_equal(kind, HANDOVER_DRAIN);
	assert_int_equal(fd, -1);
	close(ends[0]);
	assert_int_equal(handover_receive(ends[1], &kind, &number, &fd), -1);
	close(ends[1]);
}

/* What a front that was taken over may send: nothing of it stays open here. */
static void
descriptors_do_not_pile_up(void **state)
{
	static const struct {
		const char *why;
		size_t bytes, descriptors;
		int wanted;
	} cases[] = {
		{ "two descriptors", 8, 2, 1 },
		{ "many descriptors", 8, 100, 1 },
		{ "a message that is too short", 3, 1, -1 },
		{ "one that is too long", 16, 1, 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		union {
			struct cmsghdr align;
			char bytes[CMSG_SPACE(100 * sizeof(int))];
		} extra = { 0 };
		int message[4] = { HANDOVER_CHANNEL, 1, 0, 0 }, ends[2], number, fd, before;
		struct iovec part = { message, cases[i].bytes };
		struct msghdr msg = { .msg_iov = &part,
			.msg_iovlen = 1,
			.msg_control = extra.bytes,
			.msg_controllen = CMSG_SPACE(cases[i].descriptors * sizeof(int)) };
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
		enum handover_kind kind;

		pair(ends);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(cases[i].descriptors * sizeof(int));
		for (size_t k = 0; k < cases[i].descriptors; k++)
			memcpy(CMSG_DATA(c) + k * sizeof(int), &ends[0], sizeof(int));
		assert_true(sendmsg(ends[0], &msg, 0) > 0);
		before = open_descriptors();
		if (handover_receive(ends[1], &kind, &number, &fd) != cases[i].wanted)
			fail_msg("%s", cases[i].why);
		if (fd >= 0 && cases[i].wanted == 1)
			close(fd);
		if (open_descriptors() != before)
			fail_msg("%s: %d more are open", cases[i].why, open_descriptors() - before);
		close(ends[0]);
		close(ends[1]);
	}
}

static void
text_travels_as_a_descriptor(void **state)
{
	struct buf text;
	char got[100];

	(void)state;
	buf_init(&text, 1000);
	handover_text_read(handover_settings_fd(&text), got, sizeof(got));
	assert_string_equal(got, "");
	buf_adds(&text, "spool.folder\ncontrol.socket\n");
	handover_text_read(handover_settings_fd(&text), got, sizeof(got));
	assert_string_equal(got, "spool.folder\ncontrol.socket\n");
	handover_text_read(handover_settings_fd(&text), got, 6);
	assert_string_equal(got, "spool");
	handover_text_read(-1, got, sizeof(got));
	assert_string_equal(got, "");
	buf_free(&text);
}

struct seen {
	struct loop *loop;
	enum handover_kind kind;
};

static void
got(void *ctx, enum handover_kind kind, int number, int fd)
{
	struct seen *seen = ctx;

	(void)number;
	seen->kind = kind;
	close(fd);
	loop_stop(seen->loop);
}

static void
closed(void *ctx)
{
	(void)ctx;
}

/* The supervisor hears its children over the same code: none of them may choose its stderr. */
static void
whoever_listens_decides_about_the_log(void **state)
{
	struct seen seen = { .loop = loop_new() };
	struct stat before, after;
	struct handover *handover;
	int ends[2];

	(void)state;
	pair(ends);
	handover = handover_new(seen.loop, ends[1], got, closed, &seen);
	assert_int_equal(fstat(STDERR_FILENO, &before), 0);
	assert_int_equal(handover_send(ends[0], HANDOVER_LOG, 0, ends[0]), 0);
	loop_run(seen.loop);
	assert_int_equal(seen.kind, HANDOVER_LOG);
	assert_int_equal(fstat(STDERR_FILENO, &after), 0);
	assert_true(before.st_ino == after.st_ino && before.st_dev == after.st_dev);
	handover_free(&handover);
	close(ends[0]);
	loop_free(&seen.loop);
}

static void
channels_have_numbers_of_their_own(void **state)
{
	(void)state;
	for (unsigned front = 1; front <= 255; front += 127) {
		for (unsigned serial = 1; serial <= 0x7fffff; serial = serial * 2 + 1) {
			assert_true(handover_channel(front, serial) > 0);
			assert_int_equal(handover_front(handover_channel(front, serial)), front);
			assert_int_not_equal(
			    handover_channel(front, serial), handover_channel(front, serial - 1));
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_and_its_descriptor_arrive),
		cmocka_unit_test(descriptors_do_not_pile_up),
		cmocka_unit_test(text_travels_as_a_descriptor),
		cmocka_unit_test(whoever_listens_decides_about_the_log),
		cmocka_unit_test(channels_have_numbers_of_their_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
