#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/stream.h"

/*
 * One side of a socket pair is a stream, the other a plain descriptor that the test, or a thread
 * of it, speaks through.  What bytes() does is chosen by the test.
 */
struct side {
	struct loop *loop;
	struct stream *stream;
	int peer;
	size_t (*bytes)(struct side *, const char *, size_t);
	struct buf got;      /* what bytes() kept */
	size_t most_offered; /* the longest run that it was offered */
	int offers;
	int ends;
	enum stream_end why;
	int failure;
	struct loop_timer *timer;
	size_t counted;
	bool inside; /* a call into the stream is under way: no hook may run */
	void (*then)(struct side *);
};

static size_t
keep_all(struct side *side, const char *data, size_t len)
{
	buf_add(&side->got, data, len);
	return len;
}

static size_t
on_bytes(void *ctx, const char *data, size_t len)
{
	struct side *side = ctx;

	assert_false(side->inside);
	assert_int_equal(side->ends, 0);
	assert_true(len > 0);
	side->offers++;
	if (len > side->most_offered)
		side->most_offered = len;
	return side->bytes(side, data, len);
}

static void
on_end(void *ctx, enum stream_end why)
{
	struct side *side = ctx;

	assert_false(side->inside);
	side->failure = errno;
	side->ends++;
	side->why = why;
	if (side->then != NULL)
		side->then(side);
	loop_stop(side->loop);
}

static const struct stream_hooks hooks = { on_bytes, on_end };

static void
give_up(void *ctx)
{
	struct side *side = ctx;

	loop_stop(side->loop);
}

/* Runs the loop until end(), or for so long. */
static void
run(struct side *side, int64_t most_ms)
{
	loop_timer_set(side->timer, most_ms);
	loop_run(side->loop);
	loop_timer_clear(side->timer);
}

static struct stream *
stream_on(struct side *side, int fd)
{
	return stream_new(&(const struct stream_params){
	    .loop = side->loop,
	    .fd = fd,
	    .hooks = &hooks,
	    .ctx = side,
	    .most_left_over = 1000,
	    .most_unsent = 4 << 20,
	});
}

static int
setup(void **state)
{
	struct side *side = mem_new(sizeof(*side));
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
		return -1;
	side->loop = loop_new();
	side->peer = fds[1];
	side->bytes = keep_all;
	side->timer = loop_timer_new(side->loop, give_up, side);
	buf_init(&side->got, 64 << 20);
	side->stream = stream_on(side, fds[0]);
	*state = side;
	return 0;
}

static int
teardown(void **state)
{
	struct side *side = *state;

	stream_free(&side->stream);
	loop_timer_free(&side->timer);
	loop_free(&side->loop);
	buf_free(&side->got);
	if (side->peer >= 0)
		close(side->peer);
	free(side);
	return 0;
}

static void
peer_says(struct side *side, const char *text)
{
	assert_int_equal(write(side->peer, text, strlen(text)), (ssize_t)strlen(text));
}

static void
peer_leaves(struct side *side)
{
	close(side->peer);
	side->peer = -1;
}

static void
peer_hears(struct side *side, const char *expected)
{
	char text[1000];
	ssize_t len = recv(side->peer, text, sizeof(text) - 1, MSG_DONTWAIT);

	text[len < 0 ? 0 : len] = '\0';
	assert_string_equal(text, expected);
}

static void
reads_until_the_end(void **state)
{
	struct side *side = *state;

	peer_says(side, "hello");
	peer_leaves(side);
	run(side, 5000);
	assert_string_equal(side->got.data, "hello");
	assert_int_equal(side->ends, 1);
	assert_int_equal(side->why, STREAM_EOF);
	/* The end is told once. */
	run(side, 20);
	assert_int_equal(side->ends, 1);
}

static size_t
take_lines(struct side *side, const char *data, size_t len)
{
	const char *end = memrchr(data, '\n', len);
	size_t used = end == NULL ? 0 : (size_t)(end + 1 - data);

	buf_add(&side->got, data, used);
	return used;
}

static void
offers_again_what_was_left(void **state)
{
	struct side *side = *state;

	side->bytes = take_lines;
	peer_says(side, "one\ntw");
	run(side, 20);
	assert_string_equal(side->got.data, "one\n");
	peer_says(side, "o");
	run(side, 20);
	assert_string_equal(side->got.data, "one\n");
	peer_says(side, "\nth");
	run(side, 20);
	assert_string_equal(side->got.data, "one\ntwo\n");
	assert_int_equal(side->offers, 3);
	/* Cut in the middle of a line: what was left is not offered once more. */
	peer_leaves(side);
	run(side, 5000);
	assert_int_equal(side->offers, 3);
	assert_int_equal(side->why, STREAM_EOF);
}

static size_t
take_none(struct side *side, const char *data, size_t len)
{
	(void)side;
	(void)data;
	(void)len;
	return 0;
}

static void
too_much_left_over(void **state)
{
	struct side *side = *state;
	char text[1001];

	side->bytes = take_none;
	memset(text, 'x', sizeof(text));
	assert_int_equal(write(side->peer, text, 1000), 1000);
	run(side, 20);
	assert_int_equal(side->ends, 0);
	assert_int_equal(side->most_offered, 1000);
	assert_int_equal(write(side->peer, text, 1), 1);
	run(side, 5000);
	assert_int_equal(side->ends, 1);
	assert_int_equal(side->why, STREAM_ERROR);
	assert_int_equal(side->failure, EMSGSIZE);
}

static size_t
echo(struct side *side, const char *data, size_t len)
{
	side->inside = true;
	/* Three calls, one answer. */
	stream_write(side->stream, "<", 1);
	stream_write(side->stream, data, len);
	stream_write(side->stream, ">", 1);
	side->inside = false;
	return len;
}

static void
answers(void **state)
{
	struct side *side = *state;

	side->bytes = echo;
	peer_says(side, "hello");
	run(side, 20);
	peer_hears(side, "<hello>");
	assert_int_equal(stream_unsent(side->stream), 0);
	/* From outside of a callback it leaves with the next turn. */
	stream_write(side->stream, "a", 1);
	stream_write(side->stream, "b", 1);
	stream_write(side->stream, "", 0);
	assert_int_equal(stream_unsent(side->stream), 2);
	peer_hears(side, "");
	run(side, 20);
	peer_hears(side, "ab");
	assert_int_equal(stream_unsent(side->stream), 0);
}

/* Reads all, slowly at first, and looks whether the bytes are in order. */
static void *
slow_reader(void *ctx)
{
	struct side *side = ctx;
	char data[8192];
	ssize_t n;

	while (side->counted < 3u << 20) {
		n = read(side->peer, data, side->counted < 50000 ? 1000 : sizeof(data));
		if (n <= 0)
			break;
		if (side->counted < 50000)
			usleep(500);
		for (ssize_t i = 0; i < n; i++, side->counted++)
			if (data[i] != (char)(side->counted * 7 % 251))
				return NULL;
	}
	return NULL;
}

static void
slow_peer_gets_all(void **state)
{
	struct side *side = *state;
	pthread_t thread;
	size_t made = 0;
	char data[10000];

	while (made < 3u << 20) {
		size_t len = (3u << 20) - made < sizeof(data) ? (3u << 20) - made : sizeof(data);

		for (size_t i = 0; i < len; i++)
			data[i] = (char)((made + i) * 7 % 251);
		stream_write(side->stream, data, len);
		made += len;
	}
	run(side, 20);
	assert_int_equal(side->ends, 0);
	assert_true(stream_unsent(side->stream) > 1u << 20);
	/* More on top of what is half sent. */
	assert_int_equal(pthread_create(&thread, NULL, slow_reader, side), 0);
	for (int i = 0; i < 500 && stream_unsent(side->stream) > 0; i++)
		run(side, 20);
	pthread_join(thread, NULL);
	assert_int_equal(stream_unsent(side->stream), 0);
	assert_int_equal(side->counted, 3u << 20);
}

static void
output_has_a_limit(void **state)
{
	struct side *side = *state;
	char *data = mem_new(1 << 20);

	/* The peer never reads: four fit (and what the kernel takes), then it is over. */
	for (int i = 0; i < 10 && side->ends == 0; i++) {
		side->inside = true;
		stream_write(side->stream, data, 1 << 20);
		side->inside = false;
		assert_true(stream_unsent(side->stream) <= 4u << 20);
		assert_int_equal(side->ends, 0);
		if (i == 3)
			run(side, 20);
	}
	assert_int_equal(stream_unsent(side->stream), 0);
	run(side, 5000);
	assert_int_equal(side->ends, 1);
	assert_int_equal(side->why, STREAM_ERROR);
	assert_int_equal(side->failure, ENOBUFS);
	stream_write(side->stream, data, 1);
	run(side, 20);
	assert_int_equal(side->ends, 1);
	free(data);
}

static void
peer_closes_while_we_write(void **state)
{
	struct side *side = *state;

	stream_pause(side->stream); /* so that the end is found by writing, not by reading */
	peer_leaves(side);
	side->inside = true;
	stream_write(side->stream, "x", 1);
	side->inside = false;
	assert_int_equal(side->ends, 0);
	run(side, 5000);
	assert_int_equal(side->ends, 1);
	assert_int_equal(side->why, STREAM_ERROR);
	assert_int_equal(side->failure, EPIPE);
}

static size_t
free_myself(struct side *side, const char *data, size_t len)
{
	stream_write(side->stream, data, len);
	stream_free(&side->stream);
	/* What was offered can still be read. */
	buf_add(&side->got, data, len);
	loop_stop(side->loop);
	return 4711;
}

static size_t
free_myself_at_the_second(struct side *side, const char *data, size_t len)
{
	return side->offers < 2 ? 0 : free_myself(side, data, len);
}

static void
hook_frees_the_stream(void **state)
{
	struct side *side = *state;

	side->bytes = free_myself;
	peer_says(side, "bye");
	run(side, 5000);
	assert_string_equal(side->got.data, "bye");
	assert_null(side->stream);
	assert_int_equal(side->ends, 0);
	assert_int_equal(read(side->peer, &(char){ 0 }, 1), 0);
}

static void
hook_frees_the_stream_with_left_over(void **state)
{
	struct side *side = *state;

	side->bytes = free_myself_at_the_second;
	peer_says(side, "good");
	run(side, 20);
	peer_says(side, "bye");
	run(side, 5000);
	assert_string_equal(side->got.data, "goodbye");
	assert_null(side->stream);
}

static void
free_in_end(struct side *side)
{
	stream_free(&side->stream);
}

static void
end_frees_the_stream(void **state)
{
	struct side *side = *state;

	side->then = free_in_end;
	stream_write(side->stream, "x", 1);
	peer_leaves(side);
	run(side, 5000);
	assert_int_equal(side->ends, 1);
	assert_null(side->stream);
}

/* Takes at most 5000 bytes, then wants a pause. */
static size_t
take_a_sip(struct side *side, const char *data, size_t len)
{
	size_t used = len < 5000 ? len : 5000;

	buf_add(&side->got, data, used);
	stream_pause(side->stream);
	return used;
}

static void
resume(void *ctx)
{
	struct side *side = ctx;

	side->inside = true;
	stream_resume(side->stream);
	side->inside = false;
	loop_timer_set(side->timer, 0);
}

static void *
writer(void *ctx)
{
	struct side *side = ctx;
	char data[30011];
	size_t made = 0;

	while (made < 10u << 20) {
		size_t len = (10u << 20) - made < sizeof(data) ? (10u << 20) - made : sizeof(data);
		ssize_t n;

		for (size_t i = 0; i < len; i++)
			data[i] = (char)((made + i) * 7 % 251);
		n = write(side->peer, data, len);
		if (n <= 0)
			break;
		made += (size_t)n;
	}
	shutdown(side->peer, SHUT_WR);
	return NULL;
}

static void
ten_megabytes_with_pauses(void **state)
{
	struct side *side = *state;
	struct loop_timer *pulse = loop_timer_new(side->loop, resume, side);
	pthread_t thread;

	/* The timer of run() stands for the resuming one. */
	loop_timer_free(&side->timer);
	side->timer = pulse;
	side->bytes = take_a_sip;
	assert_int_equal(pthread_create(&thread, NULL, writer, side), 0);
	loop_timer_set(side->timer, 0);
	loop_run(side->loop);
	pthread_join(thread, NULL);
	assert_int_equal(side->why, STREAM_EOF);
	assert_int_equal(side->got.len, 10u << 20);
	for (size_t i = 0; i < side->got.len; i++)
		if (side->got.data[i] != (char)(i * 7 % 251))
			fail_msg("byte %zu is wrong", i);
	/* One read's worth and no more is kept while it is paused. */
	assert_true(side->most_offered <= 256 * 1024);
}

static void
paused_stream_reads_nothing(void **state)
{
	struct side *side = *state;

	stream_pause(side->stream);
	peer_says(side, "hello");
	run(side, 20);
	assert_int_equal(side->offers, 0);
	/* Asked for and taken back in one turn. */
	stream_resume(side->stream);
	stream_pause(side->stream);
	run(side, 20);
	assert_int_equal(side->offers, 0);
	stream_resume(side->stream);
	stream_resume(side->stream);
	run(side, 20);
	assert_int_equal(side->offers, 1);
	assert_string_equal(side->got.data, "hello");
}

static size_t
pause_at_once(struct side *side, const char *data, size_t len)
{
	(void)data;
	(void)len;
	stream_pause(side->stream);
	side->bytes = keep_all;
	return 2;
}

static void
left_over_comes_before_the_end(void **state)
{
	struct side *side = *state;

	side->bytes = pause_at_once;
	peer_says(side, "--last words");
	run(side, 20);
	assert_int_equal(side->offers, 1);
	peer_leaves(side);
	run(side, 20);
	assert_int_equal(side->ends, 0);
	stream_resume(side->stream);
	run(side, 5000);
	assert_int_equal(side->offers, 2);
	assert_string_equal(side->got.data, "last words");
	assert_int_equal(side->why, STREAM_EOF);
}

static size_t
pause_and_resume(struct side *side, const char *data, size_t len)
{
	(void)len;
	buf_addc(&side->got, *data);
	stream_pause(side->stream);
	stream_resume(side->stream);
	return 1;
}

static void
resumed_within_the_hook(void **state)
{
	struct side *side = *state;

	side->bytes = pause_and_resume;
	peer_says(side, "abcdef");
	run(side, 50);
	assert_string_equal(side->got.data, "abcdef");
	assert_int_equal(side->offers, 6);
}

static void
deadline_without_activity(void **state)
{
	struct side *side = *state;

	stream_deadline(side->stream, 30);
	run(side, 5000);
	assert_int_equal(side->ends, 1);
	assert_int_equal(side->why, STREAM_TIMEOUT);
	/* The peer can still be told, and hung up on. */
	stream_write(side->stream, "421 too slow", 12);
	stream_finish(&side->stream, 100);
	peer_hears(side, "421 too slow");
}

static void
deadline_is_moved_and_dropped(void **state)
{
	struct side *side = *state;

	stream_deadline(side->stream, 30);
	stream_deadline(side->stream, 200000);
	run(side, 60);
	assert_int_equal(side->ends, 0);
	stream_deadline(side->stream, 30);
	stream_deadline(side->stream, 0);
	run(side, 60);
	assert_int_equal(side->ends, 0);
	/* Bytes do not move it. */
	stream_deadline(side->stream, 60);
	for (int i = 0; i < 50 && side->ends == 0; i++) {
		peer_says(side, "x");
		run(side, 10);
	}
	assert_int_equal(side->ends, 1);
	assert_int_equal(side->why, STREAM_TIMEOUT);
}

static size_t
finish_now(struct side *side, const char *data, size_t len)
{
	(void)data;
	stream_write(side->stream, "221 bye", 7);
	stream_finish(&side->stream, 5000);
	return len;
}

static void
finishes_with_the_last_answer(void **state)
{
	struct side *side = *state;
	char byte;

	side->bytes = finish_now;
	peer_says(side, "QUIT");
	run(side, 20);
	assert_null(side->stream);
	/* What comes now is thrown away, and does not reset the answer. */
	peer_says(side, "and more");
	run(side, 20);
	peer_hears(side, "221 bye");
	assert_int_equal(read(side->peer, &byte, 1), 0);
	peer_leaves(side);
	run(side, 20);
	assert_int_equal(side->offers, 1);
	assert_int_equal(side->ends, 0);
}

static void
finishing_sends_all(void **state)
{
	struct side *side = *state;
	char *data = mem_new(3 << 20);
	pthread_t thread;

	for (size_t i = 0; i < 3u << 20; i++)
		data[i] = (char)(i * 7 % 251);
	stream_write(side->stream, data, 3 << 20);
	free(data);
	stream_finish(&side->stream, 20000);
	assert_null(side->stream);
	assert_int_equal(pthread_create(&thread, NULL, slow_reader, side), 0);
	for (int i = 0; i < 500 && side->counted < 3u << 20; i++)
		run(side, 20);
	pthread_join(thread, NULL);
	assert_int_equal(side->counted, 3u << 20);
}

static void
finishing_gives_up(void **state)
{
	struct side *side = *state;
	char *data = mem_new(4 << 20);
	char scrap[65536];
	size_t got = 0;
	ssize_t n;

	stream_write(side->stream, data, 4 << 20);
	free(data);
	stream_finish(&side->stream, 30);
	run(side, 100);
	while ((n = recv(side->peer, scrap, sizeof(scrap), MSG_DONTWAIT)) > 0)
		got += (size_t)n;
	assert_int_equal(n, 0);
	assert_true(got < 4u << 20);
}

static void
loop_ends_before_the_linger(void **state)
{
	struct side *side = *state;

	stream_write(side->stream, "x", 1);
	stream_finish(&side->stream, 100000);
	peer_hears(side, "x");
	/* The loop frees what nobody else owns: teardown, under the leak check. */
}

static void
speaks_tcp(void **state)
{
	struct side *side = *state;
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t len = sizeof(at);
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	int on = 0;
	int fd;

	stream_free(&side->stream);
	peer_leaves(side);
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(listener, (struct sockaddr *)&at, len), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &len), 0);
	side->peer = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(side->peer, (struct sockaddr *)&at, len), 0);
	fd = accept(listener, NULL, NULL);
	close(listener);
	side->stream = stream_on(side, fd);
	assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
	len = sizeof(on);
	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &len), 0);
	assert_int_equal(on, 1);
	side->bytes = finish_now;
	peer_says(side, "QUIT, with more behind it");
	run(side, 20);
	peer_says(side, "more");
	run(side, 20);
	peer_hears(side, "221 bye");
	peer_leaves(side);
	run(side, 20);
	assert_int_equal(side->ends, 0);
}

static void
idle_streams_are_small(void **state)
{
	enum { MANY = 200 };
	struct side *side = *state;
	struct stream *streams[MANY];
	int peers[MANY], fds[2];
	struct mallinfo2 before, after;
	char filler[900];

	memset(filler, 'f', sizeof(filler));
	/* The loop's own tables and the scratch area grow first. */
	peer_says(side, "x");
	run(side, 20);
	before = mallinfo2();
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
		streams[i] = stream_on(side, fds[0]);
		peers[i] = fds[1];
		/* Used once, with output and a deadline. */
		stream_deadline(streams[i], 100000);
		stream_write(streams[i], filler, sizeof(filler));
		assert_int_equal(write(peers[i], filler, sizeof(filler)), sizeof(filler));
	}
	side->got.most = 0; /* kept nowhere */
	run(side, 50);
	after = mallinfo2();
	print_message("%zu bytes for an idle stream\n", (after.uordblks - before.uordblks) / MANY);
	if (before.uordblks > 0) /* the sanitizers' own heap tells nothing */
		assert_true((after.uordblks - before.uordblks) / MANY < 1500);
	for (int i = 0; i < MANY; i++) {
		stream_free(&streams[i]);
		close(peers[i]);
	}
}

/* --- a layer ------------------------------------------------------------------------------- */

/* Turns every letter's case.  It can read only once it has written "?", and write only once it has
 * read "!", as TLS does during a handshake. */
struct turner {
	int fd;
	bool asked, answered;
	bool full; /* writing "?" has to wait once */
	int goodbyes, frees;
};

static ssize_t
turner_read(void *ctx, char *to, size_t most)
{
	struct turner *turner = ctx;
	ssize_t n;

	if (!turner->asked && turner->full) {
		turner->full = false;
		errno = EINPROGRESS;
		return -1;
	}
	if (!turner->asked)
		assert_int_equal(send(turner->fd, "?", 1, MSG_DONTWAIT), 1);
	turner->asked = true;
	n = recv(turner->fd, to, turner->answered ? most : 1, MSG_DONTWAIT);
	if (n == 1 && !turner->answered) {
		assert_int_equal(to[0], '!');
		turner->answered = true;
		errno = EAGAIN;
		return -1;
	}
	for (ssize_t i = 0; i < n; i++)
		to[i] ^= 0x20;
	return n;
}

static ssize_t
turner_write(void *ctx, const char *from, size_t len)
{
	struct turner *turner = ctx;
	char turned[100];

	if (!turner->answered) {
		errno = EINPROGRESS;
		return -1;
	}
	if (len > sizeof(turned))
		len = sizeof(turned);
	for (size_t i = 0; i < len; i++)
		turned[i] = (char)(from[i] ^ 0x20);
	return send(turner->fd, turned, len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void
turner_goodbye(void *ctx)
{
	struct turner *turner = ctx;

	turner->goodbyes++;
	assert_int_equal(send(turner->fd, ".", 1, MSG_DONTWAIT | MSG_NOSIGNAL), 1);
}

static void
turner_free(void *ctx)
{
	struct turner *turner = ctx;

	turner->frees++;
}

static const struct stream_layer turner_layer = { turner_read, turner_write, turner_goodbye,
	turner_free };

static void
goes_through_a_layer(void **state)
{
	struct side *side = *state;

	for (int full = 0; full < 2; full++) {
		struct turner turner = { .fd = stream_fd(side->stream), .full = full == 1 };

		stream_write(side->stream, "plain", 5);
		assert_int_equal(stream_wrap(side->stream, &turner_layer, &turner), 0);
		peer_hears(side, "plain");
		/* Waits for the peer's word, without turning round and round. */
		stream_write(side->stream, "Early", 5);
		run(side, 20);
		assert_int_equal(stream_unsent(side->stream), 5);
		peer_says(side, "!");
		run(side, 20);
		peer_hears(side, "?eARLY");
		peer_says(side, "hELLO");
		run(side, 20);
		buf_addc(&side->got, '\0');
		assert_string_equal(side->got.data, "Hello");
		buf_clear(&side->got);
		if (full == 0) {
			stream_free(&side->stream);
			assert_int_equal(turner.goodbyes, 0);
		} else {
			/* What comes after the goodbye is nobody's. */
			stream_write(side->stream, "Last", 4);
			stream_finish(&side->stream, 1000);
			run(side, 20);
			peer_hears(side, "lAST.");
			assert_int_equal(turner.goodbyes, 1);
		}
		assert_int_equal(turner.frees, 1);
		if (full == 0) {
			int fds[2];

			close(side->peer);
			assert_int_equal(
			    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
			side->peer = fds[1];
			side->stream = stream_on(side, fds[0]);
		}
	}
}

/* The peer does not read: what was said in the clear would come after the layer's first word. */
static void
no_layer_over_what_is_unsent(void **state)
{
	struct side *side = *state;
	struct turner turner = { .fd = stream_fd(side->stream) };
	char *much = mem_new(2 << 20);

	stream_write(side->stream, much, 2 << 20);
	assert_int_equal(stream_wrap(side->stream, &turner_layer, &turner), -1);
	assert_int_equal(turner.frees, 0);
	free(much);
}

#define stream_unit_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		stream_unit_test(reads_until_the_end),
		stream_unit_test(offers_again_what_was_left),
		stream_unit_test(too_much_left_over),
		stream_unit_test(answers),
		stream_unit_test(slow_peer_gets_all),
		stream_unit_test(output_has_a_limit),
		stream_unit_test(peer_closes_while_we_write),
		stream_unit_test(hook_frees_the_stream),
		stream_unit_test(hook_frees_the_stream_with_left_over),
		stream_unit_test(end_frees_the_stream),
		stream_unit_test(ten_megabytes_with_pauses),
		stream_unit_test(paused_stream_reads_nothing),
		stream_unit_test(left_over_comes_before_the_end),
		stream_unit_test(resumed_within_the_hook),
		stream_unit_test(deadline_without_activity),
		stream_unit_test(deadline_is_moved_and_dropped),
		stream_unit_test(finishes_with_the_last_answer),
		stream_unit_test(finishing_sends_all),
		stream_unit_test(finishing_gives_up),
		stream_unit_test(loop_ends_before_the_linger),
		stream_unit_test(speaks_tcp),
		stream_unit_test(idle_streams_are_small),
		stream_unit_test(goes_through_a_layer),
		stream_unit_test(no_layer_over_what_is_unsent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
