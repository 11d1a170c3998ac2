/* Two peers over a real socketpair: frames and descriptors arrive whole and in order. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/loop.h"
#include "base/mem.h"
#include "mail/mail.h"
#include "mail/refusal.h"
#include "channel/frame.h"
#include "channel/peer.h"

struct side {
	struct loop *loop;
	struct peer *peer;
	uint64_t next_serial;
	unsigned frames, expected;
	uint64_t payload_bytes;
	const char *lost;
	int result;
};

static struct mail *
make_mail(unsigned number, size_t payload_len)
{
	struct mail *mail = mail_new();
	struct payload *payload;
	struct buf json;

	ulid_make(mail->id, 1700000000000 + number);
	mail->route = mem_string("default");
	mail->items = mem_array(1, sizeof(*mail->items));
	mail->item_count = 1;
	mail->items[0].number = 1;
	strlist_add(&mail->items[0].recipients, "a@b.example");
	payload = &mail->items[0].payload;
	payload_init(payload);
	if (payload_len < PAYLOAD_LARGE)
		buf_init(&json, payload_len + 64);
	else
		buf_init_shared(&json, payload_len + 64, payload_len);
	buf_adds(&json, "{\"x\":\"");
	while (json.len < payload_len - 2)
		buf_addc(&json, 'y');
	buf_adds(&json, "\"}");
	if (payload_len < PAYLOAD_LARGE)
		payload->data = buf_take(&json, &payload->len);
	else
		payload->fd = buf_take_fd(&json, &payload->len);
	return mail;
}

static int
on_commit(void *ctx, const struct frame_head *head, const char *body, int *fds)
{
	struct side *side = ctx;
	struct mail *mail;
	const char *why;

	if (side->result != 0)
		return side->result;
	assert_int_equal(head->serial, side->next_serial++);
	mail = frame_commit_read(body, head->body_bytes, fds, head->descriptors, &why);
	for (unsigned i = 0; i < head->descriptors; i++)
		fds[i] = -1;
	if (mail == NULL)
		fail_msg("%s", why);
	side->payload_bytes += mail->items[0].payload.len;
	mail_free(&mail);
	if (++side->frames == side->expected)
		loop_stop(side->loop);
	return 0;
}

static void
on_lost(void *ctx, const char *why)
{
	struct side *side = ctx;

	side->lost = why;
	peer_free(&side->peer);
	loop_stop(side->loop);
}

static const struct peer_hooks hooks = { .frame = on_commit, .lost = on_lost };

static int
count_descriptors(void)
{
	int count = 0;

	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) != -1 ? 1 : 0;
	return count;
}

static void
test_many(void **state)
{
	struct side front = { 0 }, core = { .expected = 400 };
	int before = count_descriptors(), ends[2];
	uint64_t sent = 0;

	(void)state;
	front.loop = core.loop = loop_new();
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	front.peer = peer_new(front.loop, ends[0], &hooks, &front);
	core.peer = peer_new(core.loop, ends[1], &hooks, &core);
	for (unsigned i = 0; i < core.expected; i++) {
		/* Small ones, large ones, and several large ones in a row. */
		struct mail *mail = make_mail(i, i % 7 < 3 ? 200000 + i : 50 + i * 10);

		sent += mail->items[0].payload.len;
		assert_int_equal(peer_commit(front.peer, i, mail), PEER_SENT);
		mail_free(&mail);
	}
	loop_run(core.loop);
	assert_int_equal(core.frames, 400);
	assert_int_equal(core.payload_bytes, sent);
	peer_free(&front.peer);
	peer_free(&core.peer);
	loop_free(&core.loop);
	assert_int_equal(count_descriptors(), before);
}

/* What the core tells: JSON, then a table as a descriptor, then JSON again. */
static int
on_told(void *ctx, const struct frame_head *head, const char *body, int *fds)
{
	struct side *side = ctx;
	char text[8] = "";

	switch (side->frames++) {
	case 0:
	case 2:
		assert_int_equal(head->kind, FRAME_HOOKS);
		assert_int_equal(head->body_bytes, side->frames == 1 ? 7 : 2);
		assert_memory_equal(body, "{\"a\":1}", side->frames == 1 ? 7 : 1);
		break;
	case 1:
		assert_int_equal(head->kind, FRAME_SUPPRESSIONS);
		assert_int_equal(head->body_bytes, 0);
		assert_int_equal(pread(fds[0], text, sizeof(text), 0), 5);
		assert_string_equal(text, "table");
		break;
	}
	if (side->frames == side->expected)
		loop_stop(side->loop);
	return 0;
}

static void
test_told(void **state)
{
	static const struct peer_hooks told_hooks = { .frame = on_told, .lost = on_lost };
	struct side core = { 0 }, front = { .expected = 3 };
	int before = count_descriptors(), ends[2], table;
	char *large = mem_new(FRAME_MOST_BODY + 2);

	(void)state;
	front.loop = core.loop = loop_new();
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	core.peer = peer_new(core.loop, ends[0], &hooks, &core);
	front.peer = peer_new(front.loop, ends[1], &told_hooks, &front);
	table = memfd_create("table", MFD_CLOEXEC);
	assert_int_equal(write(table, "table", 5), 5);
	assert_int_equal(peer_tell_hooks(core.peer, "{\"a\":1}", 7), 0);
	assert_int_equal(peer_tell_suppressions(core.peer, table), 0);
	close(table);
	assert_int_equal(peer_tell_hooks(core.peer, large, FRAME_MOST_BODY + 1), -1);
	assert_int_equal(peer_tell_hooks(core.peer, "{}", 2), 0);
	loop_run(front.loop);
	assert_int_equal(front.frames, 3);
	assert_null(front.lost);
	peer_free(&front.peer);
	peer_free(&core.peer);
	loop_free(&core.loop);
	free(large);
	assert_int_equal(count_descriptors(), before);
}

static void
stop(void *ctx)
{
	loop_stop(ctx);
}

/* What comes meanwhile waits in the other process, and is not lost. */
static void
test_rest(void **state)
{
	struct side front = { 0 }, core = { .expected = 100 };
	struct loop_timer *timer;
	int ends[2];

	(void)state;
	front.loop = core.loop = loop_new();
	timer = loop_timer_new(core.loop, stop, core.loop);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	front.peer = peer_new(front.loop, ends[0], &hooks, &front);
	core.peer = peer_new(core.loop, ends[1], &hooks, &core);
	peer_rest(core.peer, true);
	for (unsigned i = 0; i < core.expected; i++) {
		struct mail *mail = make_mail(i, i % 7 < 3 ? 200000 : 30000);

		assert_int_equal(peer_commit(front.peer, i, mail), PEER_SENT);
		mail_free(&mail);
	}
	loop_timer_set(timer, 20);
	loop_run(core.loop);
	assert_int_equal(core.frames, 0);
	assert_true(peer_unsent(front.peer) > 1000000);
	peer_rest(core.peer, false);
	loop_run(core.loop);
	assert_int_equal(core.frames, 100);
	peer_free(&front.peer);
	peer_free(&core.peer);
	loop_timer_free(&timer);
	loop_free(&core.loop);
}

/* A process that is out of descriptors: what needs one does not go, and the rest goes on. */
static void
test_no_descriptors_left(void **state)
{
	struct side front = { 0 }, core = { .expected = 2 };
	struct mail *large = make_mail(1, 200000), *small = make_mail(2, 100);
	struct mail *chain = make_mail(3, 200000);
	struct frame_explain question = { .reverse_path = mem_string("a@b.example") };
	struct rlimit before, none;
	int open_before, ends[2], top;
	size_t waiting;

	(void)state;
	strlist_add(&question.recipients, "c@d.example");
	chain->next = make_mail(4, 200000);
	front.loop = core.loop = loop_new();
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	front.peer = peer_new(front.loop, ends[0], &hooks, &front);
	core.peer = peer_new(core.loop, ends[1], &hooks, &core);
	open_before = count_descriptors();
	assert_int_equal(peer_commit(front.peer, 0, small), PEER_SENT);
	waiting = peer_unsent(front.peer);

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	top = fcntl(0, F_DUPFD_CLOEXEC, 3);
	assert_true(top >= 0);
	close(top);
	none = before;
	none.rlim_cur = (rlim_t)top;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(peer_commit(front.peer, 1, large), PEER_NO_ROOM);
	assert_int_equal(peer_explain(front.peer, 2, &question, large->items[0].payload.fd), -1);
	none.rlim_cur = (rlim_t)top + 1; /* the first of two has room */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(peer_commit(front.peer, 3, chain), PEER_NO_ROOM);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(count_descriptors(), open_before);
	assert_int_equal(peer_unsent(front.peer), waiting);

	assert_int_equal(peer_commit(front.peer, 1, large), PEER_SENT);
	loop_run(core.loop);
	assert_null(front.lost);
	assert_null(core.lost);
	assert_int_equal(core.frames, 2);
	assert_int_equal(count_descriptors(), open_before);
	mail_free(&large);
	mail_free(&small);
	mail_free(&chain);
	frame_explain_free(&question);
	peer_free(&front.peer);
	peer_free(&core.peer);
	loop_free(&core.loop);
}

static void
test_other_side_dies(void **state)
{
	struct side front = { 0 };
	int ends[2];

	(void)state;
	front.loop = loop_new();
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	front.peer = peer_new(front.loop, ends[0], &hooks, &front);
	close(ends[1]);
	loop_run(front.loop);
	assert_string_equal(front.lost, "closed by the other side");
	loop_free(&front.loop);
}

static void
test_nonsense(void **state)
{
	static const struct {
		const char *reason;
		struct frame_head head;
		const char *expected;
	} cases[] = {
		{ "no such kind", { 0, 9, 0, 0 }, "a frame that cannot be" },
		{ "descriptors that never came", { 0, FRAME_COMMIT, 3, 0 },
		    "a frame without its descriptors" },
		{ "the owner does not want it", { 0, FRAME_COMMIT, 0, 0 },
		    "a frame that makes no sense" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct side core = { .result = -1 };
		unsigned char bytes[FRAME_HEAD_SIZE];
		int ends[2];

		memcpy(bytes, &cases[i].head.body_bytes, 4);
		memcpy(bytes + 4, &cases[i].head.kind, 2);
		memcpy(bytes + 6, &cases[i].head.descriptors, 2);
		memcpy(bytes + 8, &cases[i].head.serial, 8);
		core.loop = loop_new();
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
		core.peer = peer_new(core.loop, ends[0], &hooks, &core);
		assert_int_equal(write(ends[1], bytes, sizeof(bytes)), sizeof(bytes));
		loop_run(core.loop);
		if (core.lost == NULL || strcmp(core.lost, cases[i].expected) != 0)
			fail_msg("%s: %s", cases[i].reason, core.lost);
		close(ends[1]);
		loop_free(&core.loop);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_told),
		cmocka_unit_test(test_rest),
		cmocka_unit_test(test_no_descriptors_left),
		cmocka_unit_test(test_other_side_dies),
		cmocka_unit_test(test_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
