/* Deliveries: an LMTP server that does as the table says, Maildirs, and commands. */

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/loop.h"
#include "base/mem.h"
#include "mail/mail.h"
#include "deliver/deliver.h"

#define ID   "01J8ZZZZZZZZZZZZZZZZZZZZZZ-1"
#define MAIL "Subject: x\r\n\r\n.\r\n..a\r\nb.\r\n"
#define NAME "1788730000.R" ID ".relay.example"

struct answer {
	bool is;
	enum deliver_end end;
	int code;
	char text[1000];
};

struct bench {
	struct loop *loop;
	struct loop_timer *timer;
	struct deliver *deliver;
	char folder[64];
	unsigned wanted;
	struct answer answer;
};

static int
setup(void **state)
{
	struct bench *b = mem_new(sizeof(*b));

	b->loop = loop_new();
	snprintf(b->folder, sizeof(b->folder), "/tmp/pmrelay-deliver-XXXXXX");
	assert_non_null(mkdtemp(b->folder));
	*state = b;
	return 0;
}

static int
remove_one(const char *path, const struct stat *about, int kind, struct FTW *where)
{
	(void)about;
	(void)kind;
	(void)where;
	return remove(path);
}

static int
teardown(void **state)
{
	struct bench *b = *state;

	deliver_free(&b->deliver);
	loop_free(&b->loop);
	nftw(b->folder, remove_one, 10, FTW_DEPTH | FTW_PHYS);
	free(b);
	return 0;
}

static void
target_set(struct bench *b, const char *target, int64_t timeout_ms, unsigned parallel)
{
	char why[200] = "";

	deliver_free(&b->deliver);
	b->deliver = deliver_new(&(struct deliver_params){ .loop = b->loop,
				     .target = target,
				     .hostname = "relay.example",
				     .timeout_ms = timeout_ms,
				     .parallel = parallel },
	    why, sizeof(why));
	if (b->deliver == NULL)
		fail_msg("%s: %s", target, why);
}

static void
delivered(void *ctx, const struct deliver_answer *answer)
{
	struct bench *b = ctx;

	b->answer.is = true;
	b->answer.end = answer->end;
	b->answer.code = answer->code;
	snprintf(b->answer.text, sizeof(b->answer.text), "%s", answer->text);
	if (b->wanted > 0 && --b->wanted == 0)
		loop_stop(b->loop);
}

static struct deliver_job *
submit(struct bench *b, const char *mail, size_t len, const char *sender, const char *recipient,
    bool again)
{
	struct payload payload, shared;
	struct deliver_job *job;
	int fd = memfd_create("mail", MFD_CLOEXEC);
	size_t half = len / 2;

	/* Half of it in memory, half of it in a file. */
	payload_init(&payload);
	payload_init(&shared);
	payload.data = mem_bytes(mail, half);
	payload.len = half;
	assert_int_equal(write(fd, mail + half, len - half), (ssize_t)(len - half));
	shared.fd = fd;
	shared.len = len - half;
	job = deliver_submit(b->deliver,
	    &(struct deliver_request){ .id = ID,
		.sender = sender,
		.recipient = recipient,
		.accepted_ms = INT64_C(1788730000123),
		.again = again,
		.payload = &payload,
		.shared = &shared },
	    delivered, b);
	payload_free(&payload);
	payload_free(&shared);
	assert_false(b->answer.is); /* never within the call */
	return job;
}

static void
deliver(struct bench *b, const char *mail, bool again)
{
	memset(&b->answer, 0, sizeof(b->answer));
	b->wanted = 1;
	submit(b, mail, strlen(mail), "s@x.example", "ann@x.example", again);
	loop_run(b->loop);
	assert_true(b->answer.is);
}

/* --- LMTP --------------------------------------------------------------------------------- */

/*
 * A server in a thread: to each thing it hears it says what the script has, in its order.  "!close"
 * closes the connection, "!hang" says nothing until the other side goes, "!flood" never ends.
 */
struct script {
	const char *greeting, *lhlo, *mail, *rcpt, *data, *content;
};

struct server {
	int listener;
	pthread_t thread;
	const struct script *script;
	struct buf heard; /* commands and content */
	int waiting[10];  /* of test_lmtp_is_full() */
};

static bool
say(int fd, const char *what)
{
	char byte;

	if (strcmp(what, "!close") == 0)
		return false;
	if (strcmp(what, "!hang") == 0) {
		while (recv(fd, &byte, 1, 0) > 0)
			;
		return false;
	}
	if (strcmp(what, "!flood") == 0) {
		while (send(fd, "250-and more\r\n", 14, MSG_NOSIGNAL) > 0)
			;
		return false;
	}
	if (strcmp(what, "!line") == 0) {
		while (send(fd, "250 and more and ", 17, MSG_NOSIGNAL) > 0)
			;
		return false;
	}
	/* Byte by byte, as a slow one would. */
	for (; *what != '\0'; what++) {
		if (send(fd, what, 1, MSG_NOSIGNAL) != 1)
			return false;
	}
	return true;
}

/* Until what was heard since ends with that. */
static bool
hear(struct server *s, int fd, const char *end)
{
	size_t from = s->heard.len, len = strlen(end);
	char byte;

	while (s->heard.len - from < len ||
	       memcmp(s->heard.data + s->heard.len - len, end, len) != 0) {
		if (recv(fd, &byte, 1, 0) != 1)
			return false;
		buf_addc(&s->heard, byte);
	}
	return true;
}

static void *
serve(void *ctx)
{
	struct server *s = ctx;
	const struct script *script = s->script;
	int fd = accept(s->listener, NULL, NULL);

	(void)(say(fd, script->greeting) && hear(s, fd, "\r\n") && say(fd, script->lhlo) &&
	       hear(s, fd, "\r\n") && say(fd, script->mail) && hear(s, fd, "\r\n") &&
	       say(fd, script->rcpt) && hear(s, fd, "\r\n") && say(fd, script->data) &&
	       hear(s, fd, "\r\n.\r\n") && say(fd, script->content) && hear(s, fd, "QUIT\r\n"));
	close(fd);
	return NULL;
}

/* On a Unix socket, or on a port. */
static char *
server_start(struct bench *b, struct server *s, const struct script *script, bool tcp)
{
	struct sockaddr_un path = { .sun_family = AF_UNIX };
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(in);

	s->script = script;
	buf_init(&s->heard, SIZE_MAX / 4);
	s->listener = socket(tcp ? AF_INET : AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(path.sun_path, sizeof(path.sun_path), "%s/lmtp", b->folder);
	unlink(path.sun_path);
	assert_int_equal(
	    bind(s->listener,
		tcp ? (struct sockaddr *)(void *)&in : (struct sockaddr *)(void *)&path,
		tcp ? sizeof(in) : sizeof(path)),
	    0);
	assert_int_equal(listen(s->listener, 5), 0);
	assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
	if (!tcp)
		return mem_format("lmtp:unix:%s", path.sun_path);
	assert_int_equal(getsockname(s->listener, (struct sockaddr *)(void *)&in, &len), 0);
	return mem_format("lmtp://127.0.0.1:%u", ntohs(in.sin_port));
}

static void
server_stop(struct server *s)
{
	pthread_join(s->thread, NULL);
	close(s->listener);
	buf_free(&s->heard);
}

#define HI   "220 hi\r\n"
#define LHLO "250-me\r\n250-SIZE 1000\r\n250-PIPELINING\r\n250 8BITMIME\r\n"
#define OK   "250 2.1.0 OK\r\n"
#define GO   "354 go\r\n"

static const struct {
	const char *reason;
	struct script script;
	enum deliver_end end;
	int code;
	const char *text; /* a piece of it */
} lmtp_cases[] = {
	{ "all is well", { HI, LHLO, OK, OK, GO, "250 2.0.0 <ann@x.example> saved\r\n" },
	    DELIVER_DONE, 250, "250 2.0.0 <ann@x.example> saved" },
	{ "a server with few words",
	    { "220\r\n", "250\r\n", "250\r\n", "251\r\n", "354\r\n", "250\r\n" }, DELIVER_DONE, 250,
	    "250" },
	{ "replies of several lines, without CR",
	    { "220-a\n220 b\n", LHLO, "250-a\r\n250 b\r\n", OK, GO, "250-2.0.0 a\n250 b\n" },
	    DELIVER_DONE, 250, "250-2.0.0 a b" },
	{ "it has no time", { "421 later\r\n", "", "", "", "", "" }, DELIVER_LATER, 421,
	    "421 later" },
	{ "it does not want us at all", { "554 no\r\n", "", "", "", "", "" }, DELIVER_LATER, 554,
	    "554 no" },
	{ "it does not know LHLO", { HI, "500 what?\r\n", "", "", "", "" }, DELIVER_LATER, 500,
	    "500 what?" },
	{ "the sender, for now", { HI, LHLO, "451 4.3.0 busy\r\n", "", "", "" },
	    DELIVER_LATER_ALONE, 451, "busy" },
	{ "the sender", { HI, LHLO, "550 5.1.8 no\r\n", "", "", "" }, DELIVER_REFUSED, 550,
	    "550 5.1.8 no" },
	{ "the recipient is over quota", { HI, LHLO, OK, "452 4.2.2 full\r\n", "", "" },
	    DELIVER_LATER_ALONE, 452, "full" },
	{ "the recipient is unknown", { HI, LHLO, OK, "550 5.1.1 nobody\r\n", "", "" },
	    DELIVER_REFUSED, 550, "550 5.1.1 nobody" },
	{ "it goes down", { HI, LHLO, OK, "421 4.3.2 bye\r\n", "", "" }, DELIVER_LATER, 421,
	    "bye" },
	{ "no content, for now", { HI, LHLO, OK, OK, "451 no\r\n", "" }, DELIVER_LATER_ALONE, 451,
	    "451 no" },
	{ "DATA is answered as done", { HI, LHLO, OK, OK, "250 thanks\r\n", "" }, DELIVER_LATER,
	    250, "thanks" },
	{ "the content, for now", { HI, LHLO, OK, OK, GO, "452 4.2.2 full\r\n" },
	    DELIVER_LATER_ALONE, 452, "full" },
	{ "the content", { HI, LHLO, OK, OK, GO, "554 5.7.1 spam\r\n" }, DELIVER_REFUSED, 554,
	    "554 5.7.1 spam" },
	{ "the content wants more", { HI, LHLO, OK, OK, GO, "354 more\r\n" }, DELIVER_UNSURE, 0,
	    "no reply to the content" },
	{ "closed before a word", { "!close", "", "", "", "", "" }, DELIVER_LATER, 0,
	    "the server closed the connection" },
	{ "closed after RCPT", { HI, LHLO, OK, "!close", "", "" }, DELIVER_LATER, 0, "closed" },
	{ "closed after the dot", { HI, LHLO, OK, OK, GO, "!close" }, DELIVER_UNSURE, 0,
	    "no reply to the content: the server closed the connection" },
	{ "half a reply after the dot", { HI, LHLO, OK, OK, GO, "250" }, DELIVER_UNSURE, 0,
	    "no reply to the content" },
	{ "garbage after the dot", { HI, LHLO, OK, OK, GO, "\x01\x02\r\n" }, DELIVER_UNSURE, 0,
	    "does not speak LMTP" },
	{ "no answer", { "!hang", "", "", "", "", "" }, DELIVER_LATER, 0, "no answer in time" },
	{ "no answer after the dot", { HI, LHLO, OK, OK, GO, "!hang" }, DELIVER_UNSURE, 0,
	    "no reply to the content: no answer in time" },
	{ "a web server", { "HTTP/1.1 400 Bad Request\r\n\r\n", "", "", "", "", "" }, DELIVER_LATER,
	    0, "does not speak LMTP" },
	{ "codes that differ", { "220-a\r\n250 b\r\n", "", "", "", "", "" }, DELIVER_LATER, 0,
	    "does not speak LMTP" },
	{ "a reply without end", { HI, "!flood", "", "", "", "" }, DELIVER_LATER, 0,
	    "too many lines" },
	{ "a line without end", { HI, "!line", "", "", "", "" }, DELIVER_LATER, 0, "too long" },
	{ "controls in a reply are made safe",
	    { HI, LHLO, OK,
		"550 a\x1b[31m\xff"
		"b\r\n",
		"", "" },
	    DELIVER_REFUSED, 550, "550 a\\x1B[31m\\xFFb" },
	{ "it takes less than the mail has", { HI, "250-me\r\n250 SIZE 10\r\n", "", "", "", "" },
	    DELIVER_REFUSED, 0, "bytes, and the server takes 10" },
};

static void
test_lmtp(void **state)
{
	struct bench *b = *state;

	for (size_t i = 0; i < sizeof(lmtp_cases) / sizeof(lmtp_cases[0]); i++) {
		const struct script *script = &lmtp_cases[i].script;
		struct server server;
		char *target = server_start(b, &server, script, i % 2 == 1);
		bool hangs = strstr(lmtp_cases[i].text, "in time") != NULL;

		target_set(b, target, hangs ? 200 : 5000, 1);
		deliver(b, MAIL, false);
		if (b->answer.end != lmtp_cases[i].end || b->answer.code != lmtp_cases[i].code ||
		    strstr(b->answer.text, lmtp_cases[i].text) == NULL)
			fail_msg("%s: %d %d %s", lmtp_cases[i].reason, (int)b->answer.end,
			    b->answer.code, b->answer.text);
		deliver_free(&b->deliver);
		free(target);
		server_stop(&server);
	}
}

static void
test_lmtp_words(void **state)
{
	static const struct script script = { HI, LHLO, OK, OK, GO, OK };
	static const struct script plain = { HI, "250 me\r\n", OK, OK, GO, OK };
	static const char said[] =
	    "LHLO relay.example\r\nMAIL FROM:<s@x.example> SIZE=26 BODY=8BITMIME\r\n"
	    "RCPT TO:<ann@x.example>\r\nDATA\r\n"
	    "Subject: x\r\n\r\n..\r\n...a\r\nb.\r\n.\r\nQUIT\r\n";
	static const char said_plain[] =
	    "LHLO relay.example\r\nMAIL FROM:<>\r\nRCPT TO:<ann@x.example>\r\nDATA\r\n"
	    "x\r\n.\r\nQUIT\r\n";
	struct bench *b = *state;
	struct server server;
	char *target = server_start(b, &server, &script, false);

	target_set(b, target, 5000, 1);
	deliver(b, MAIL, false);
	assert_int_equal(b->answer.end, DELIVER_DONE);
	deliver_free(&b->deliver);
	pthread_join(server.thread, NULL);
	assert_int_equal(server.heard.len, sizeof(said) - 1);
	assert_memory_equal(server.heard.data, said, sizeof(said) - 1);
	close(server.listener);
	buf_free(&server.heard);
	free(target);

	/* Without a line end at the end, and to a server that offers nothing. */
	target = server_start(b, &server, &plain, false);
	target_set(b, target, 5000, 1);
	memset(&b->answer, 0, sizeof(b->answer));
	b->wanted = 1;
	submit(b, "x", 1, "", "ann@x.example", false);
	loop_run(b->loop);
	assert_int_equal(b->answer.end, DELIVER_DONE);
	deliver_free(&b->deliver);
	pthread_join(server.thread, NULL);
	assert_memory_equal(server.heard.data, said_plain, sizeof(said_plain) - 1);
	close(server.listener);
	buf_free(&server.heard);
	free(target);
}

static void
test_lmtp_nobody_there(void **state)
{
	struct bench *b = *state;
	char *target = mem_format("lmtp:unix:%s/none", b->folder);

	target_set(b, target, 5000, 1);
	deliver(b, MAIL, false);
	assert_int_equal(b->answer.end, DELIVER_LATER);
	assert_non_null(strstr(b->answer.text, "No such file"));
	/* An address that would be a command of its own. */
	memset(&b->answer, 0, sizeof(b->answer));
	b->wanted = 1;
	submit(b, "x", 1, "a@b>\r\nRCPT TO:<c@d", "ann@x.example", false);
	loop_run(b->loop);
	assert_int_equal(b->answer.end, DELIVER_REFUSED);
	free(target);
}

/* As many connections as may wait, and no one that takes them; -1 in the places that are left. */
static void
connections_fill(const char *path, int fds[10])
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	bool full = false;

	snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
	for (int i = 0; i < 10; i++) {
		fds[i] = full ? -1 : socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		if (!full && connect(fds[i], (struct sockaddr *)(void *)&to, sizeof(to)) != 0) {
			assert_int_equal(errno, EAGAIN);
			close(fds[i]);
			fds[i] = -1;
			full = true;
		}
	}
	assert_true(full);
}

/* Takes all that wait after a while, and serves the last of them. */
static void *
serve_late(void *ctx)
{
	struct server *s = ctx;

	usleep(200000);
	for (int i = 0; i < 10 && s->waiting[i] >= 0; i++) {
		close(accept(s->listener, NULL, NULL));
		close(s->waiting[i]);
	}
	return serve(s);
}

static void
test_lmtp_is_full(void **state)
{
	static const struct script script = { HI, LHLO, OK, OK, GO, OK };
	struct bench *b = *state;
	struct sockaddr_un path = { .sun_family = AF_UNIX };
	struct server server = { .script = &script };
	char *target = mem_format("lmtp:unix:%s/lmtp", b->folder);
	int64_t began_ms = clock_mono_ms();

	buf_init(&server.heard, SIZE_MAX / 4);
	server.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(path.sun_path, sizeof(path.sun_path), "%s/lmtp", b->folder);
	assert_int_equal(bind(server.listener, (struct sockaddr *)(void *)&path, sizeof(path)), 0);
	assert_int_equal(listen(server.listener, 1), 0);
	connections_fill(path.sun_path, server.waiting);

	target_set(b, target, 200, 1);
	deliver(b, MAIL, false);
	assert_int_equal(b->answer.end, DELIVER_LATER);
	assert_non_null(strstr(b->answer.text, "the server takes no more connections now"));
	assert_true(clock_mono_ms() - began_ms >= 200);

	assert_int_equal(pthread_create(&server.thread, NULL, serve_late, &server), 0);
	target_set(b, target, 10000, 1);
	deliver(b, MAIL, false);
	if (b->answer.end != DELIVER_DONE)
		fail_msg("%s", b->answer.text);
	deliver_free(&b->deliver);
	server_stop(&server);
	free(target);
}

/* What is cut does not call back, and does not hold up the end. */
static void
test_cut(void **state)
{
	static const struct script script = { "!hang", "", "", "", "", "" };
	struct bench *b = *state;
	struct server server;
	char *target = server_start(b, &server, &script, false);
	struct deliver_job *jobs[3];
	int64_t began_ms = clock_mono_ms();

	target_set(b, target, 60000, 1);
	memset(&b->answer, 0, sizeof(b->answer));
	for (size_t i = 0; i < 3; i++)
		jobs[i] = submit(b, MAIL, strlen(MAIL), "", "ann@x.example", false);
	usleep(50000);
	deliver_cancel(&jobs[0]); /* under way */
	deliver_cancel(&jobs[1]); /* in the line, or, by now, under way */
	assert_null(jobs[1]);
	server_stop(&server);
	deliver_free(&b->deliver);
	assert_false(b->answer.is);
	assert_true(clock_mono_ms() - began_ms < 10000);
	free(target);
}

/* --- Maildir ------------------------------------------------------------------------------ */

/* Calls in a thread, that has ended when they are looked at. */
static atomic_uint syncs;
static atomic_int sync_failure; /* an errno */

int __real_fsync(int fd);
int __wrap_fsync(int fd);

int
__wrap_fsync(int fd)
{
	syncs++;
	errno = sync_failure;
	return sync_failure != 0 ? -1 : __real_fsync(fd);
}

/* NULL: there is none. */
static char *
file_text(const char *path)
{
	char *text;
	FILE *file = fopen(path, "r");
	size_t len;

	if (file == NULL)
		return NULL;
	text = mem_new(1000000);
	len = fread(text, 1, 999999, file);
	text[len] = '\0';
	fclose(file);
	return text;
}

static unsigned
files_in(const char *folder)
{
	DIR *dir = opendir(folder);
	const struct dirent *entry;
	unsigned count = 0;

	while (dir != NULL && (entry = readdir(dir)) != NULL)
		count += entry->d_name[0] != '.';
	if (dir != NULL)
		closedir(dir);
	return count;
}

#define AT_REST "Return-Path: <s@x.example>\nSubject: x\n\n.\n..a\nb.\n"

static void
test_maildir(void **state)
{
	struct bench *b = *state;
	char *target = mem_format("maildir:%s/Mail", b->folder);
	char *new = mem_format("%s/Mail/new/" NAME, b->folder);
	char *cur = mem_format("%s/Mail/cur/" NAME ":2,RS", b->folder);
	char *tmp = mem_format("%s/Mail/tmp", b->folder), *text;

	target_set(b, target, 5000, 1);
	/* The file, its folder, and the folders that were made; then the first two alone. */
	for (unsigned expected = 4; expected >= 2; expected -= 2) {
		syncs = 0;
		deliver(b, MAIL, false);
		if (b->answer.end != DELIVER_DONE)
			fail_msg("%s", b->answer.text);
		assert_int_equal(syncs, expected);
	}
	text = file_text(new);
	assert_string_equal(text, AT_REST);
	free(text);
	assert_int_equal(files_in(tmp), 0);
	/* Once more after a crash, when nobody has looked, and when somebody has: what was not
	 * synced before is now. */
	for (int i = 0; i < 2; i++) {
		syncs = 0;
		deliver(b, MAIL, true);
		assert_int_equal(b->answer.end, DELIVER_DONE);
		assert_non_null(strstr(b->answer.text, "it was there already"));
		assert_int_equal(syncs, 4);
		sync_failure = EIO;
		deliver(b, MAIL, true);
		sync_failure = 0;
		assert_int_equal(b->answer.end, DELIVER_LATER);
		if (i == 0)
			assert_int_equal(rename(new, cur), 0);
	}
	assert_null(file_text(new));
	/* A try that ended in the middle left something behind. */
	assert_int_equal(unlink(cur), 0);
	text = mem_format("%s/" NAME, tmp);
	close(open(text, O_CREAT | O_WRONLY, 0600));
	free(text);
	deliver(b, MAIL, true);
	assert_int_equal(b->answer.end, DELIVER_DONE);
	text = file_text(new);
	assert_string_equal(text, AT_REST);
	free(text);
	/* Even a first try that finds the name taken does not make two of it. */
	deliver(b, MAIL, false);
	assert_int_equal(b->answer.end, DELIVER_DONE);
	assert_int_equal(files_in(tmp), 0);
	free(target);
	free(new);
	free(cur);
	free(tmp);
}

static void
test_maildir_of_each(void **state)
{
	static const struct {
		const char *recipient;
		enum deliver_end end;
	} rows[] = {
		{ "ann@x.example", DELIVER_DONE },
		{ "bo@x.example", DELIVER_REFUSED },
		{ "..@x.example", DELIVER_REFUSED },
		{ ".ssh@x.example", DELIVER_REFUSED },
		{ "a/b@x.example", DELIVER_REFUSED },
		{ "ann", DELIVER_REFUSED },
		/* What stands there is no Maildir, nor can it be made one: that holds up no other.
		 */
		{ "file@x.example", DELIVER_LATER_ALONE },
		{ "loop@x.example", DELIVER_LATER_ALONE },
		{ "half@x.example", DELIVER_LATER_ALONE },
	};
	struct bench *b = *state;
	char *target = mem_format("maildir:%s/%%{domain}/%%{localpart}", b->folder);
	char *path = mem_format("%s/x.example", b->folder);

	assert_int_equal(mkdir(path, 0700), 0);
	free(path);
	path = mem_format("%s/x.example/file", b->folder);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	free(path);
	path = mem_format("%s/x.example/loop", b->folder);
	assert_int_equal(symlink("loop", path), 0);
	free(path);
	path = mem_format("%s/x.example/half", b->folder);
	assert_int_equal(mkdir(path, 0700), 0);
	free(path);
	path = mem_format("%s/x.example/half/tmp", b->folder);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	free(path);
	path = mem_format("%s/x.example/ann", b->folder);
	assert_int_equal(mkdir(path, 0700), 0);
	target_set(b, target, 5000, 1);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		memset(&b->answer, 0, sizeof(b->answer));
		b->wanted = 1;
		submit(b, MAIL, strlen(MAIL), "", rows[i].recipient, false);
		loop_run(b->loop);
		if (b->answer.end != rows[i].end)
			fail_msg("%s: %s", rows[i].recipient, b->answer.text);
	}
	free(path);
	path = mem_format("%s/x.example/ann/new", b->folder);
	assert_int_equal(files_in(path), 1);
	free(path);
	free(target);
}

/* Whose trouble it is, by what went wrong. */
static void
test_maildir_fails(void **state)
{
	static const struct {
		int failure;
		enum deliver_end of_each;
	} rows[] = {
		{ EDQUOT, DELIVER_LATER_ALONE }, /* perhaps of that folder */
		{ EACCES, DELIVER_LATER_ALONE },
		{ EROFS, DELIVER_LATER_ALONE },
		{ ENOSPC, DELIVER_LATER },
		{ EIO, DELIVER_LATER },
		{ EMFILE, DELIVER_LATER },
		{ ENFILE, DELIVER_LATER },
	};
	struct bench *b = *state;
	char *path = mem_format("%s/ann", b->folder);
	char *targets[] = { mem_format("maildir:%s/%%{localpart}", b->folder),
		mem_format("maildir:%s", path) };

	assert_int_equal(mkdir(path, 0700), 0);
	for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
		enum deliver_end wanted = i % 2 == 0 ? rows[i / 2].of_each : DELIVER_LATER;

		target_set(b, targets[i % 2], 5000, 1);
		sync_failure = rows[i / 2].failure;
		deliver(b, MAIL, false);
		sync_failure = 0;
		if (b->answer.end != wanted ||
		    strstr(b->answer.text, strerror(rows[i / 2].failure)) == NULL)
			fail_msg("%s: %d %s", targets[i % 2], b->answer.end, b->answer.text);
	}
	free(targets[0]);
	free(targets[1]);
	free(path);
}

static void
test_maildir_unfit(void **state)
{
	struct bench *b = *state;
	char *target = mem_format("maildir:%s/none/Mail", b->folder);
	char *path = mem_format("%s/file", b->folder);

	target_set(b, target, 5000, 1);
	deliver(b, MAIL, false);
	assert_int_equal(b->answer.end, DELIVER_LATER);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	free(target);
	target = mem_format("maildir:%s/file", b->folder);
	target_set(b, target, 5000, 1);
	deliver(b, MAIL, false);
	assert_int_equal(b->answer.end, DELIVER_LATER);
	free(path);
	free(target);
}

/* --- commands ----------------------------------------------------------------------------- */

static char *
script_make(const struct bench *b, const char *text)
{
	char *path = mem_format("%s/script", b->folder);
	FILE *file = fopen(path, "w");

	fprintf(file, "#!/bin/sh\ncd %s\n%s\n", b->folder, text);
	fclose(file);
	assert_int_equal(chmod(path, 0700), 0);
	return path;
}

static void
test_command(void **state)
{
	static const struct {
		const char *reason, *script;
		enum deliver_end end;
		int code;
		const char *text;
	} rows[] = {
		{ "taken", "cat >/dev/null", DELIVER_DONE, 0, "the command has taken it" },
		{ "taken unread", "exit 0", DELIVER_DONE, 0, "taken" },
		{ "a word with it", "cat >/dev/null; echo well >&2", DELIVER_DONE, 0, "it: well" },
		{ "later", "echo busy >&2; exit 75", DELIVER_LATER_ALONE, 75,
		    "the command ended with 75: busy" },
		{ "never", "echo nobody >&2; echo here >&2; exit 67", DELIVER_REFUSED, 67,
		    "the command ended with 67: nobody here" },
		{ "the first of those that mean never", "exit 64", DELIVER_REFUSED, 64, "64" },
		{ "and the last", "exit 78", DELIVER_REFUSED, 78, "78" },
		{ "before", "exit 63", DELIVER_LATER_ALONE, 63, "63" },
		{ "behind", "exit 79", DELIVER_LATER_ALONE, 79, "79" },
		{ "a fault of its own", "exit 1", DELIVER_LATER_ALONE, 1, "1" },
		{ "a signal", "kill -9 $$", DELIVER_LATER_ALONE, 0, "ended by signal 9" },
		{ "too long", "sleep 100", DELIVER_LATER_ALONE, 0, "the command took too long" },
		{ "it says too much", "yes >&2 & sleep 0.1; kill $!; exit 69", DELIVER_REFUSED, 69,
		    "69: y y y" },
		{ "controls", "printf 'a\\033b' >&2; exit 65", DELIVER_REFUSED, 65, "65: a\\x1Bb" },
	};
	struct bench *b = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *path = script_make(b, rows[i].script);
		char *target = mem_format("command:%s", path);

		target_set(b, target, strcmp(rows[i].reason, "too long") == 0 ? 200 : 10000, 1);
		deliver(b, MAIL, false);
		if (b->answer.end != rows[i].end || b->answer.code != rows[i].code ||
		    strstr(b->answer.text, rows[i].text) == NULL)
			fail_msg("%s: %d %d %s", rows[i].reason, (int)b->answer.end, b->answer.code,
			    b->answer.text);
		free(target);
		free(path);
	}
	target_set(b, "command:/no/such/program", 1000, 1);
	deliver(b, MAIL, false);
	assert_int_equal(b->answer.end, DELIVER_LATER);
	assert_non_null(strstr(b->answer.text, "/no/such/program: No such file"));
}

/* The command ends by itself when it is about to be killed. */
static atomic_bool ends_first;

int __real_kill(pid_t pid, int number);
int __wrap_kill(pid_t pid, int number);

int
__wrap_kill(pid_t pid, int number)
{
	siginfo_t about;

	if (ends_first && pid < -1)
		waitid(P_PID, (id_t)-pid, &about, WEXITED | WNOWAIT);
	return __real_kill(pid, number);
}

static void
test_command_ends_in_time(void **state)
{
	static const struct {
		const char *script;
		enum deliver_end end;
		const char *text;
	} rows[] = {
		{ "sleep 0.4; echo well >&2", DELIVER_DONE, "the command has taken it: well" },
		{ "sleep 0.4; exit 67", DELIVER_REFUSED, "the command ended with 67" },
	};
	struct bench *b = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *path = script_make(b, rows[i].script);
		char *target = mem_format("command:%s", path);

		target_set(b, target, 100, 1);
		ends_first = true;
		deliver(b, MAIL, false);
		ends_first = false;
		if (b->answer.end != rows[i].end || strcmp(b->answer.text, rows[i].text) != 0)
			fail_msg("%s: %s", rows[i].script, b->answer.text);
		free(target);
		free(path);
	}
}

/* What it gets, and what it does not: words, environment, the mail, descriptors, signals. */
static void
test_command_gets(void **state)
{
	struct bench *b = *state;
	char *path = script_make(b,
	    "echo \"$#:$1:$2\" >args; env | sort >env; cat >mail; ls /proc/self/fd | wc -l >fds\n"
	    "grep SigBlk /proc/self/status >blocked; pwd >pwd; ps -o pgid= $$ >group 2>/dev/null");
	char *target = mem_format("command:%s  -d  '$HOME;`x` y'", path), *at, *text;
	static const struct {
		const char *file, *text;
	} rows[] = {
		{ "args", "2:-d:$HOME;`x` y\n" },
		{ "mail", "Return-Path: <s@x.example>\nSubject: x\n\n.\n..a\nb.\n" },
		{ "fds", "4\n" }, /* 0 to 2, and the folder itself */
		{ "blocked", "SigBlk:\t0000000000000000\n" },
	};

	target_set(b, target, 10000, 1);
	setenv("SECRET_OF_OURS", "x", 1);
	deliver(b, MAIL, false);
	unsetenv("SECRET_OF_OURS");
	assert_int_equal(b->answer.end, DELIVER_DONE);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		at = mem_format("%s/%s", b->folder, rows[i].file);
		text = file_text(at);
		assert_non_null(text);
		if (strcmp(text, rows[i].text) != 0)
			fail_msg("%s: %s", rows[i].file, text);
		free(text);
		free(at);
	}
	at = mem_format("%s/env", b->folder);
	text = file_text(at);
	assert_non_null(strstr(text, "SENDER=s@x.example\n"));
	assert_non_null(strstr(text, "RECIPIENT=ann@x.example\n"));
	assert_non_null(strstr(text, "PMRELAY_ITEM=" ID "\n"));
	assert_non_null(strstr(text, "PATH=/usr"));
	assert_null(strstr(text, "SECRET"));
	free(text);
	free(at);
	free(target);
	free(path);
}

/*
 * When the relay is killed its commands go on, and what they have read then must be all: it stands
 * in a file, that they cannot change either.
 */
static void
test_command_has_a_file(void **state)
{
	struct bench *b = *state;
	char *path =
		 script_make(b, "dd bs=1 count=5 of=begin 2>/dev/null; (echo x >&0) 2>/dev/null "
				"&& echo yes >writes; stat -L -c %F:%s - >file"),
	     *target = mem_format("command:%s", path), *at, *text;
	size_t len = 3000000;
	char *mail = mem_new(len);
	static const struct {
		const char *file, *text;
	} rows[] = {
		{ "begin", "Retur" },
		{ "writes", NULL },
		{ "file", "regular file:3000015\n" },
	};

	memset(mail, 'x', len);
	memcpy(mail + len - 2, "\r\n", 2);
	target_set(b, target, 10000, 1);
	memset(&b->answer, 0, sizeof(b->answer));
	b->wanted = 1;
	submit(b, mail, len, "", "ann@x.example", false);
	loop_run(b->loop);
	if (b->answer.end != DELIVER_DONE)
		fail_msg("%s", b->answer.text);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		at = mem_format("%s/%s", b->folder, rows[i].file);
		text = file_text(at);
		if ((text == NULL) != (rows[i].text == NULL) ||
		    (text != NULL && strcmp(text, rows[i].text) != 0))
			fail_msg("%s: %s", rows[i].file, text);
		free(text);
		free(at);
	}
	free(mail);
	free(target);
	free(path);
}

/* The payload is a file that somebody cut: half of a mail is none, and none of the others' trouble.
 */
static void
test_without_a_mail(void **state)
{
	static const struct script script = { HI, LHLO, OK, OK, GO, OK };
	struct bench *b = *state;
	char *path = script_make(b, "cat >mail");
	char *mail = mem_format("%s/mail", b->folder), *new = mem_format("%s/Mail/new", b->folder);
	struct server server;
	char *targets[] = { mem_format("command:%s", path),
		mem_format("maildir:%s/Mail", b->folder),
		server_start(b, &server, &script, false) };

	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		struct payload payload;

		target_set(b, targets[i], 10000, 1);
		payload_init(&payload);
		payload.fd = memfd_create("mail", MFD_CLOEXEC);
		assert_int_equal(write(payload.fd, "half", 4), 4);
		payload.len = 8;
		memset(&b->answer, 0, sizeof(b->answer));
		b->wanted = 1;
		deliver_submit(b->deliver,
		    &(struct deliver_request){
			.id = ID, .sender = "", .recipient = "ann@x.example", .payload = &payload },
		    delivered, b);
		payload_free(&payload);
		loop_run(b->loop);
		assert_string_equal(b->answer.text, "the stored message could not be read");
		assert_int_equal(b->answer.end, DELIVER_LATER_ALONE);
		free(targets[i]);
	}
	server_stop(&server);
	assert_int_equal(access(mail, F_OK), -1);
	assert_int_equal(files_in(new), 0);
	free(new);
	free(mail);
	free(path);
}

static void
test_parallel(void **state)
{
	struct bench *b = *state;
	char *path = script_make(b, "sleep 0.3; wc -c >size.$$");
	char *target = mem_format("command:%s", path), *at;
	size_t len = 300000;
	char *mail = mem_new(len);
	int64_t began_ms = clock_mono_ms();
	DIR *dir = opendir(b->folder);
	const struct dirent *entry;
	unsigned right = 0;

	memset(mail, 'x', len);
	memcpy(mail + len - 2, "\r\n", 2);
	target_set(b, target, 10000, 4);
	memset(&b->answer, 0, sizeof(b->answer));
	b->wanted = 8;
	for (int i = 0; i < 8; i++)
		submit(b, mail, len, "", "ann@x.example", false);
	loop_run(b->loop);
	assert_int_equal(b->answer.end, DELIVER_DONE);
	assert_true(clock_mono_ms() - began_ms < 2300); /* one after the other it were 2,400 */
	while ((entry = readdir(dir)) != NULL) {
		char *text;

		if (strncmp(entry->d_name, "size.", 5) != 0)
			continue;
		at = mem_format("%s/%s", b->folder, entry->d_name);
		text = file_text(at);
		right += strtoul(text, NULL, 10) == len - 1 + strlen("Return-Path: <>\n");
		free(text);
		free(at);
	}
	closedir(dir);
	assert_int_equal(right, 8);
	free(mail);
	free(target);
	free(path);
}

static void
test_wrong_target(void **state)
{
	static const char *const wrong[] = { "", "smtp://x:25", "lmtp:", "lmtp:unix:x", "maildir:x",
		"maildir:/a/%{x}", "command:x", "command:", "file:/x", "lmtp://", "lmtp://a/b" };
	struct bench *b = *state;
	char why[200];

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct deliver_params params = {
			.loop = b->loop, .target = wrong[i], .hostname = "h", .timeout_ms = 1
		};

		if (deliver_new(&params, why, sizeof(why)) != NULL)
			fail_msg("%s", wrong[i]);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_lmtp),
		TEST(test_lmtp_words),
		TEST(test_lmtp_nobody_there),
		TEST(test_lmtp_is_full),
		TEST(test_cut),
		TEST(test_maildir),
		TEST(test_maildir_of_each),
		TEST(test_maildir_fails),
		TEST(test_maildir_unfit),
		TEST(test_command),
		TEST(test_command_ends_in_time),
		TEST(test_command_gets),
		TEST(test_command_has_a_file),
		TEST(test_without_a_mail),
		TEST(test_parallel),
		TEST(test_wrong_target),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
