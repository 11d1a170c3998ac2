/*
 * A command with the mail on its standard input.  That is a file in memory and no pipe: one that
 * ended with us, should we be killed, would look as if the mail were all there.
 */

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/child.h"
#include "base/mem.h"
#include "base/strlist.h"
#include "base/text.h"

#include "deliver/inside.h"

#define PIECE      65536U
#define MOST_HEARD 800U /* of what it says on its standard error */

struct running {
	struct delivery *d;
	struct child child;
	char heard[MOST_HEARD];
	size_t heard_len;
};

/* The mail in a file, to be read from its begin; the caller closes it.  -1: the delivery's end. */
static int
mail_file(struct delivery *d)
{
	struct buf mail;
	ssize_t got;
	char *top;
	int fd;

	buf_init_shared(&mail, SIZE_MAX / 4, d->content.bytes + 2 * PIECE);
	top = buf_reserve(&mail, PIECE);
	delivery_return_path(d, top, PIECE);
	buf_grown(&mail, strlen(top));
	while ((got = content_read_lf(&d->content, buf_reserve(&mail, PIECE), PIECE)) > 0)
		buf_grown(&mail, (size_t)got);
	if (got < 0) {
		buf_free(&mail);
		delivery_end(d, DELIVER_LATER_ALONE, DELIVER_UNREADABLE);
		return -1;
	}
	fd = buf_take_fd(&mail, NULL);
	if (fd >= 0 && lseek(fd, 0, SEEK_SET) == 0)
		return fd;
	delivery_end(d, DELIVER_LATER, "no file in memory for the mail: %s", strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

/* 0, or -1 and the delivery's end. */
static int
start(struct running *r)
{
	struct delivery *d = r->d;
	const struct {
		const char *name, *value;
	} variables[] = { { "SENDER", d->sender }, { "RECIPIENT", d->recipient },
		{ "PMRELAY_ITEM", d->id } };
	struct strlist words = { 0 }, environment = { 0 };
	int mail = mail_file(d), failed;

	if (mail < 0)
		return -1;
	child_words(d->target_text, &words);
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
		char *text = mem_format("%s=%s", variables[i].name, variables[i].value);

		strlist_add(&environment, text);
		free(text);
	}
	failed = child_start(&r->child, &words, &environment, mail);
	close(mail);
	if (failed != 0)
		delivery_end(d, DELIVER_LATER, "%s: %s", words.items[0], strerror(failed));
	strlist_free(&words);
	strlist_free(&environment);
	return failed == 0 ? 0 : -1;
}

/* --- running ------------------------------------------------------------------------------ */

/* False: nothing comes any more. */
static bool
err_hear(struct running *r)
{
	char piece[1024];
	ssize_t got = read(r->child.err, piece, sizeof(piece));

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
	return waitpid(r->child.pid, status_r, WNOHANG) == r->child.pid;
}

/* True: it ended by itself. */
static bool
run(struct running *r, int *status_r)
{
	const struct delivery *d = r->d;

	while (!has_ended(r, status_r)) {
		struct pollfd fds[] = { { .fd = d->cut_fd, .events = POLLIN },
			{ .fd = r->child.pid_fd, .events = POLLIN },
			{ .fd = r->child.err, .events = POLLIN } };
		int left = delivery_time_left(d);

		if (left == 0)
			return false;
		if (r->child.pid_fd < 0 && left > LOOK_MS)
			left = LOOK_MS;
		if (poll(fds, 3, left) < 0 && errno != EINTR)
			return false;
		if (fds[0].revents != 0)
			return false;
		if (r->child.err >= 0 && fds[2].revents != 0 && !err_hear(r)) {
			close(r->child.err);
			r->child.err = -1;
		}
	}
	return true;
}

/* What it said last is in the pipe still. */
static void
err_hear_rest(struct running *r)
{
	while (r->child.err >= 0 && r->heard_len < sizeof(r->heard)) {
		size_t before = r->heard_len;

		if (!err_hear(r) || r->heard_len == before)
			break;
	}
}

static void
judge(struct running *r, int status)
{
	struct delivery *d = r->d;
	char said[MOST_HEARD + 100] = "";

	err_hear_rest(r);
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
	struct running r = { .d = d };
	bool ended;
	int status;

	if (start(&r) != 0)
		return;
	ended = run(&r, &status);
	/* It may have ended by itself in the moment that it was cut. */
	if (!ended)
		status = child_kill(&r.child);
	if (ended || WIFEXITED(status))
		judge(&r, status);
	else
		delivery_end(d, DELIVER_LATER_ALONE, "%s",
		    delivery_time_left(d) == 0 ? "the command took too long" : "cut off");
	if (r.child.err >= 0)
		close(r.child.err);
	if (r.child.pid_fd >= 0)
		close(r.child.pid_fd);
}
