#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include <event2/event.h>

#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/network.h"
#include "base/strlist.h"
#include "mail/envelope.h"
#include "smtp/listener.h"

struct scene {
	struct loop *loop;
	struct smtp_limits limits;
	struct smtp_listener *listener;
	struct sockaddr_storage at;
	socklen_t at_size;
	unsigned most_sessions, most_sessions_client;
	int gone;
	int mails;
	bool free_in_gone;
};

static enum smtp_now
on_address(void *ctx, struct smtp_session *session, const struct envelope *envelope,
    const char *address, struct smtp_reply *reply)
{
	(void)ctx;
	(void)session;
	(void)envelope;
	(void)address;
	(void)reply;
	return SMTP_YES;
}

static enum smtp_now
on_message(void *ctx, struct smtp_session *session, const struct envelope *envelope,
    struct buf *content, struct smtp_reply *reply)
{
	struct scene *t = ctx;

	(void)session;
	(void)envelope;
	(void)content;
	(void)reply;
	t->mails++;
	return SMTP_YES;
}

static void
on_gone(void *ctx, struct smtp_session *session)
{
	struct scene *t = ctx;

	(void)session;
	t->gone++;
	if (t->free_in_gone)
		smtp_listener_free(&t->listener);
}

static bool
on_memory(void *ctx, int64_t bytes)
{
	(void)ctx;
	(void)bytes;
	return true;
}

static const struct smtp_hooks hooks = {
	.sender = on_address,
	.recipient = on_address,
	.message = on_message,
	.gone = on_gone,
	.memory = on_memory,
};

static int
set_up(void **state)
{
	struct scene *t = mem_new(sizeof(*t));

	log_setup(
	    "test", LOG_LEVEL_ERROR, LOG_FORMAT_TEXT, open("/dev/null", O_WRONLY | O_CLOEXEC));
	t->loop = loop_new();
	t->limits = (struct smtp_limits){
		.hostname = "relay.example",
		.most_message_bytes = 1000,
		.most_recipients = 10,
		.most_line_bytes = 1024,
		.command_timeout_ms = 60000,
	};
	t->most_sessions = 10;
	t->most_sessions_client = 10;
	*state = t;
	return 0;
}

static int
tear_down(void **state)
{
	struct scene *t = *state;

	smtp_listener_free(&t->listener);
	loop_free(&t->loop);
	free(t);
	return 0;
}

/* Listens on a port of the kernel's choice; allow: networks, separated by spaces. */
static void
listen_on(struct scene *t, int family, const char *allow)
{
	static const char *const names[] = { "test:25" };
	struct strlist networks = { NULL, 0, 0 };
	char texts[200], *text, *rest = texts;
	int fd = socket(family, SOCK_STREAM, 0);

	memset(&t->at, 0, sizeof(t->at));
	t->at.ss_family = (sa_family_t)family;
	if (family == AF_INET) {
		((struct sockaddr_in *)&t->at)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		t->at_size = sizeof(struct sockaddr_in);
	} else if (family == AF_INET6) {
		((struct sockaddr_in6 *)&t->at)->sin6_addr = in6addr_any;
		t->at_size = sizeof(struct sockaddr_in6);
	} else
		t->at_size = sizeof(sa_family_t); /* a name of the kernel's choice (unix(7)) */
	assert_int_equal(bind(fd, (struct sockaddr *)&t->at, t->at_size), 0);
	assert_int_equal(listen(fd, 100), 0);
	t->at_size = sizeof(t->at);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&t->at, &t->at_size), 0);
	snprintf(texts, sizeof(texts), "%s", allow);
	while ((text = strsep(&rest, " ")) != NULL)
		if (text[0] != '\0')
			strlist_add(&networks, text);
	t->listener = smtp_listener_new(&(struct smtp_listener_params){
	    .loop = t->loop,
	    .fds = &fd,
	    .names = names,
	    .count = 1,
	    .limits = &t->limits,
	    .hooks = &hooks,
	    .ctx = t,
	    .allow = &networks,
	    .most_sessions = t->most_sessions,
	    .most_sessions_client = t->most_sessions_client,
	});
	strlist_free(&networks);
}

static void
pump(struct scene *t)
{
	for (int i = 0; i < 20; i++)
		event_base_loop(loop_base(t->loop), EVLOOP_NONBLOCK);
}

/* from: an address of 127.0.0.0/8 to call from, or NULL. */
static int
call(struct scene *t, const char *from)
{
	int fd = socket(t->at.ss_family, SOCK_STREAM, 0);

	if (from != NULL) {
		struct sockaddr_in in = { .sin_family = AF_INET };

		assert_int_equal(inet_pton(AF_INET, from, &in.sin_addr), 1);
		assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	}
	assert_int_equal(connect(fd, (struct sockaddr *)&t->at, t->at_size), 0);
	pump(t);
	return fd;
}

/* What has come begins with text; ends: and the connection is over. */
static void
expect(int fd, const char *text, bool ends)
{
	char got[1000];
	ssize_t n = recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT);

	got[n < 0 ? 0 : n] = '\0';
	if (n < 0 || strncmp(got, text, strlen(text)) != 0)
		fail_msg("\"%s\" instead of \"%s\"", got, text);
	n = recv(fd, got, sizeof(got), MSG_DONTWAIT);
	assert_int_equal(n, ends ? 0 : -1);
}

static void
test_networks(void **state)
{
	static const struct {
		const char *text;
		bool ok;
	} cases[] = {
		{ "127.0.0.1", true },
		{ "127.0.0.0/8", true },
		{ "0.0.0.0/0", true },
		{ "::1", true },
		{ "2001:db8::/32", true },
		{ "::ffff:192.0.2.0/120", true },
		{ "", false },
		{ "/8", false },
		{ "127.0.0.1/", false },
		{ "127.0.0.1/33", false },
		{ "127.0.0.1/-1", false },
		{ "127.0.0.1/8x", false },
		{ "127.0.0/8", false },
		{ "::1/129", false },
		{ "localhost", false },
		{ "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc:dddd", false },
	};

	struct network network;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if ((network_parse(&network, cases[i].text) == 0) != cases[i].ok)
			fail_msg("\"%s\"", cases[i].text);
}

static void
test_bad_network(void **state)
{
	struct scene *t = *state;

	listen_on(t, AF_INET, "127.0.0.0/8 nonsense");
	assert_null(t->listener);
}

static void
test_allowed_or_not(void **state)
{
	static const struct {
		const char *allow;
		const char *from;
		bool ok;
	} cases[] = {
		{ "127.0.0.0/8", "127.0.0.1", true },
		{ "127.0.0.2", "127.0.0.1", false },
		{ "127.0.0.2", "127.0.0.2", true },
		{ "10.0.0.0/8 127.0.0.128/25", "127.0.0.129", true },
		{ "10.0.0.0/8 127.0.0.128/25", "127.0.0.127", false },
		{ "127.0.0.0/29", "127.0.0.7", true },
		{ "127.0.0.0/29", "127.0.0.8", false },
		{ "0.0.0.0/0", "127.0.0.1", true },
		{ "::/0", "127.0.0.1", false },
		{ "", "127.0.0.1", false },
		{ "::ffff:127.0.0.0/104", "127.0.0.1", true },
	};
	struct scene *t = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int fd;

		listen_on(t, AF_INET, cases[i].allow);
		fd = call(t, cases[i].from);
		assert_int_equal(smtp_listener_sessions(t->listener), cases[i].ok ? 1 : 0);
		expect(fd, cases[i].ok ? "220 " : "554 5.7.1 ", !cases[i].ok);
		close(fd);
		smtp_listener_free(&t->listener);
	}
}

/* A socket for both families sees IPv4 clients in their mapped form. */
static void
test_mapped_clients(void **state)
{
	struct scene *t = *state;
	struct sockaddr_in in = { .sin_family = AF_INET };
	int fd;

	fd = socket(AF_INET6, SOCK_STREAM, 0);
	if (fd < 0)
		skip();
	close(fd);
	listen_on(t, AF_INET6, "127.0.0.1");
	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	in.sin_port = ((struct sockaddr_in6 *)&t->at)->sin6_port;
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(fd, (struct sockaddr *)&in, sizeof(in)) != 0) {
		close(fd);
		skip();
	}
	pump(t);
	expect(fd, "220 ", false);
	assert_int_equal(send(fd, "EHLO x\r\n", 8, 0), 8);
	pump(t);
	expect(fd, "250-relay.example greets 127.0.0.1\r\n", false);
	close(fd);
}

static void
test_unix_clients(void **state)
{
	struct scene *t = *state;
	int fd, other;

	t->most_sessions_client = 1;
	listen_on(t, AF_UNIX, "");
	fd = call(t, NULL);
	expect(fd, "220 ", false);
	assert_int_equal(send(fd, "EHLO x\r\n", 8, 0), 8);
	pump(t);
	expect(fd, "250-relay.example greets unix\r\n", false);
	other = call(t, NULL);
	expect(other, "421 4.7.0 ", true);
	close(other);
	close(fd);
}

static void
test_limit_per_client(void **state)
{
	struct scene *t = *state;
	int fds[4];

	t->most_sessions_client = 2;
	listen_on(t, AF_INET, "127.0.0.0/8");
	fds[0] = call(t, "127.0.0.1");
	fds[1] = call(t, "127.0.0.1");
	fds[2] = call(t, "127.0.0.1");
	expect(fds[1], "220 ", false);
	expect(fds[2], "421 4.7.0 ", true);
	fds[3] = call(t, "127.0.0.2");
	expect(fds[3], "220 ", false);
	assert_int_equal(smtp_listener_sessions(t->listener), 3);
	/* One that goes makes room. */
	close(fds[0]);
	close(fds[2]);
	pump(t);
	assert_int_equal(t->gone, 1);
	fds[0] = call(t, "127.0.0.1");
	expect(fds[0], "220 ", false);
	close(fds[0]);
	close(fds[1]);
	close(fds[3]);
	pump(t);
	assert_int_equal(smtp_listener_sessions(t->listener), 0);
}

static void
test_limit_of_all(void **state)
{
	struct scene *t = *state;
	int fds[3];

	t->most_sessions = 2;
	listen_on(t, AF_INET, "127.0.0.0/8");
	for (int i = 0; i < 3; i++)
		fds[i] = call(t, NULL);
	expect(fds[1], "220 ", false);
	expect(fds[2], "421 4.3.2 ", true);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
}

/* Many clients, each with its own count, in few buckets. */
static void
test_many_clients(void **state)
{
	struct scene *t = *state;
	int fds[200];

	t->most_sessions = 150;
	t->most_sessions_client = 1;
	listen_on(t, AF_INET, "127.0.0.0/8");
	for (int i = 0; i < 200; i++) {
		char from[32];

		snprintf(from, sizeof(from), "127.0.%d.%d", i % 7, 1 + i / 7);
		fds[i] = call(t, from);
		expect(fds[i], i < 150 ? "220 " : "421 4.3.2 ", i >= 150);
	}
	for (int i = 0; i < 200; i++)
		close(fds[i]);
	pump(t);
	pump(t);
	assert_int_equal(smtp_listener_sessions(t->listener), 0);
	assert_int_equal(t->gone, 150);
}

static void
test_a_mail(void **state)
{
	static const char mail[] = "EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nDATA\r\n"
				   "x\r\n.\r\nQUIT\r\n";
	struct scene *t = *state;
	int fd;

	listen_on(t, AF_INET, "127.0.0.1");
	fd = call(t, NULL);
	expect(fd, "220 ", false);
	assert_int_equal(send(fd, mail, sizeof(mail) - 1, 0), sizeof(mail) - 1);
	pump(t);
	expect(fd, "250-", true);
	assert_int_equal(t->mails, 1);
	assert_int_equal(t->gone, 1);
	close(fd);
}

static void
test_reload(void **state)
{
	struct scene *t = *state;
	struct smtp_limits limits;
	struct strlist allow = { NULL, 0, 0 };
	int fd, other;

	listen_on(t, AF_INET, "127.0.0.1");
	fd = call(t, "127.0.0.1");
	expect(fd, "220 relay.example ", false);
	limits = t->limits;
	limits.hostname = "new.example";
	strlist_add(&allow, "nonsense");
	assert_int_equal(smtp_listener_reload(t->listener, &limits, &allow), -1);
	strlist_free(&allow);
	strlist_add(&allow, "127.0.0.2");
	assert_int_equal(smtp_listener_reload(t->listener, &limits, &allow), 0);
	memset(&t->limits, 0, sizeof(t->limits));
	assert_int_equal(send(fd, "EHLO x\r\n", 8, 0), 8);
	pump(t);
	expect(fd, "250-new.example ", false);
	other = call(t, "127.0.0.1");
	expect(other, "554 ", true);
	close(other);
	other = call(t, "127.0.0.2");
	expect(other, "220 new.example ", false);
	close(other);
	close(fd);
	strlist_free(&allow);
	smtp_listener_free(&t->listener);
}

static void
test_drain(void **state)
{
	struct scene *t = *state;
	int fds[2], late;

	listen_on(t, AF_INET, "127.0.0.1");
	for (int i = 0; i < 2; i++) {
		fds[i] = call(t, NULL);
		expect(fds[i], "220 ", false);
	}
	assert_true(send(fds[1], "EHLO x\r\nMAIL FROM:<>\r\n", 22, 0) > 0);
	pump(t);
	expect(fds[1], "250-", false);
	smtp_listener_drain(t->listener);
	pump(t);
	expect(fds[0], "421 4.3.2 ", true);
	assert_int_equal(smtp_listener_sessions(t->listener), 1);
	late = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(late, (struct sockaddr *)&t->at, t->at_size), -1);
	close(late);
	assert_true(send(fds[1], "RSET\r\n", 6, 0) > 0);
	pump(t);
	expect(fds[1], "250 2.0.0 ", true);
	assert_int_equal(smtp_listener_sessions(t->listener), 0);
	close(fds[0]);
	close(fds[1]);
}

static void
test_free_in_gone(void **state)
{
	struct scene *t = *state;
	int fds[3];

	listen_on(t, AF_INET, "127.0.0.1");
	for (int i = 0; i < 3; i++)
		fds[i] = call(t, NULL);
	t->free_in_gone = true;
	assert_true(send(fds[0], "QUIT\r\n", 6, 0) > 0);
	pump(t);
	assert_int_equal(t->gone, 3);
	assert_null(t->listener);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
}

static void
pump_until(struct scene *t, int fd)
{
	char byte;

	while (recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) < 0)
		event_base_loop(loop_base(t->loop), EVLOOP_ONCE);
}

/* Without descriptors the connection waits in the kernel, the loop does not spin, and it is
 * served when there are some again. */
static void
test_no_descriptors(void **state)
{
	struct scene *t = *state;
	struct rlimit limit, none;
	char byte;
	int fd;

	listen_on(t, AF_INET, "127.0.0.1");
	fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = (rlim_t)fd + 1;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&t->at, t->at_size), 0);
	pump(t);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(smtp_listener_sessions(t->listener), 0);
	pump_until(t, fd);
	/* valgrind plays the limit by closing what the kernel has accepted. */
	if (recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0) {
		close(fd);
		skip();
	}
	expect(fd, "220 ", false);
	close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_networks),
		TEST(test_bad_network),
		TEST(test_allowed_or_not),
		TEST(test_mapped_clients),
		TEST(test_unix_clients),
		TEST(test_limit_per_client),
		TEST(test_limit_of_all),
		TEST(test_many_clients),
		TEST(test_a_mail),
		TEST(test_reload),
		TEST(test_drain),
		TEST(test_free_in_gone),
		TEST(test_no_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
