/*
 * A front that was taken over writes to the core, or the core to a front.  The input is the body
 * of a frame of any kind; for a COMMIT its first byte tells how many sealed descriptors come with
 * it.  Whatever is accepted is written again to the same bytes: the reader has skipped and invented
 * nothing.
 */

#include <sys/mman.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "mail/event.h"
#include "mail/mail.h"
#include "mail/refusal.h"
#include "channel/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
must(int held)
{
	if (!held)
		abort();
}

static int
sealed(void)
{
	int fd = memfd_create("seed", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	must(fd >= 0 && write(fd, "{\"a\":1}", 7) == 7);
	must(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0);
	return fd;
}

static void
explain_once(const char *body, size_t len)
{
	struct frame_explain question;
	struct buf again;

	if (frame_explain_read(body, len, &question) != 0)
		return;
	must(frame_explain_is_right(&question));
	buf_init(&again, FRAME_MOST_BODY + FRAME_HEAD_SIZE);
	must(frame_explain_write(&again, 0, &question) == 0);
	must(again.len == len + FRAME_HEAD_SIZE);
	must(memcmp(again.data + FRAME_HEAD_SIZE, body, len) == 0);
	buf_free(&again);
	frame_explain_free(&question);
}

static void
explained_once(const char *body, size_t len)
{
	const char *json;
	size_t json_len;

	if (frame_explained_read(body, len, &json, &json_len) == 0)
		must(json == body && json_len == len && body[0] == '{' && body[len - 1] == '}');
}

/* What is an event is written as it came, and within its limits. */
static void
event_once(const char *body, size_t len)
{
	struct event *event = frame_event_read(body, len);
	struct buf again;

	if (event == NULL)
		return;
	must(event->kind <= EVENT_SUBSCRIPTION && event->json_len <= EVENT_MOST_JSON);
	buf_init(&again, FRAME_MOST_BODY + FRAME_HEAD_SIZE);
	frame_event_write(&again, 0, event);
	must(again.len == len + FRAME_HEAD_SIZE);
	must(memcmp(again.data + FRAME_HEAD_SIZE, body, len) == 0);
	buf_free(&again);
	mail_event_free(&event);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	int fds[3], written_fds[FRAME_MOST_DESCRIPTORS];
	size_t fd_count, written_fd_count;
	struct refusal refusal;
	struct mail *mail;
	const char *why;
	struct buf again;
	bool stored;

	if (len == 0)
		return 0;
	fd_count = data[0] % 4;
	data++;
	len--;
	(void)frame_committed_read((const char *)data, len, &stored, &refusal);
	explain_once((const char *)data, len);
	explained_once((const char *)data, len);
	event_once((const char *)data, len);
	for (size_t i = 0; i < fd_count; i++)
		fds[i] = sealed();
	mail = frame_commit_read((const char *)data, len, fds, fd_count, &why);
	if (mail == NULL) {
		must(why != NULL);
		for (size_t i = 0; i < fd_count; i++)
			must(fcntl(fds[i], F_GETFD) == -1);
		return 0;
	}
	buf_init(&again, FRAME_MOST_BODY + FRAME_HEAD_SIZE);
	must(frame_commit_write(&again, 0, mail, written_fds, &written_fd_count) == 0);
	must(written_fd_count == fd_count);
	must(again.len == len + FRAME_HEAD_SIZE);
	must(memcmp(again.data + FRAME_HEAD_SIZE, data, len) == 0);
	buf_free(&again);
	mail_free(&mail);
	return 0;
}
