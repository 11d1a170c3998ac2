/*
 * Events as lines at the end of a file.  A line that did not go out whole, since the disk is full,
 * is gone on with where it stopped; one that a crash tore is ended before the next.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "config/config.h"
#include "mail/event.h"

#include "outlet/inside.h"
#include "outlet/line.h"

#define FILE_MODE 0640

struct file {
	int fd; /* -1: not open */
	dev_t dev;
	ino_t ino;
	bool regular;
	bool torn;       /* the last line has no end */
	bool written;    /* since it was synced */
	bool lost;       /* a sync has failed: nobody knows what is there */
	struct buf line; /* that is being written */
	size_t out;      /* bytes of it that are in the file */
	int64_t key;     /* of its event; 0: none */
};

/* Whether what stands last in the file has its line end.  True of an empty one. */
static bool
ends_whole(const char *path, off_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char last = '\n';

	if (fd < 0)
		return true;
	if (size > 0 && pread(fd, &last, 1, size - 1) != 1)
		last = '\n';
	close(fd);
	return last == '\n';
}

static void
file_close(struct file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	file->fd = -1;
	/* What is left of a line belongs to the file that has its beginning. */
	file->out = 0;
}

static int
file_open(struct file *file, const char *path)
{
	struct stat st;

	file->fd = open(
	    path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, FILE_MODE);
	if (file->fd < 0)
		return -1;
	if (fstat(file->fd, &st) != 0) {
		file_close(file);
		return -1;
	}
	file->dev = st.st_dev;
	file->ino = st.st_ino;
	file->regular = S_ISREG(st.st_mode);
	file->torn = file->regular && !ends_whole(path, st.st_size);
	return 0;
}

static void sync_now(struct consumer *);

/* Open, and the one that has the name. */
static int
file_ready(struct consumer *consumer)
{
	struct file *file = consumer->own;
	struct stat st;

	if (file->fd >= 0 && (stat(consumer->outlet->file, &st) != 0 || st.st_dev != file->dev ||
				 st.st_ino != file->ino)) {
		sync_now(consumer);
		log_info("outlet-file", log_str("outlet", consumer->name),
		    log_str("file", consumer->outlet->file), log_str("why", "moved away"));
		file_close(file);
	}
	return file->fd >= 0 ? 0 : file_open(file, consumer->outlet->file);
}

/* 0: the whole line is there.  -1: errno. */
static int
line_write(struct file *file)
{
	ssize_t got;

	if (file->torn) {
		got = write(file->fd, "\n", 1);
		if (got != 1)
			return -1;
		file->torn = false;
	}
	while (file->out < file->line.len) {
		got = write(file->fd, file->line.data + file->out, file->line.len - file->out);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		file->out += (size_t)got;
		file->written = true;
	}
	return 0;
}

/* --- the kind ----------------------------------------------------------------------------- */

static void
open_own(struct consumer *consumer)
{
	struct file *file = mem_new(sizeof(*file));

	file->fd = -1;
	buf_init(&file->line, LINE_MOST_BYTES + 1);
	consumer->own = file;
}

static void
close_own(struct consumer *consumer)
{
	struct file *file = consumer->own;

	file_close(file);
	buf_free(&file->line);
	free(file);
}

/* The last line that is whole, appended. */
static void
last_line(const char *path, struct buf *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	size_t most = 2 * LINE_MOST_BYTES, len, begin;
	struct stat st;
	char *bytes;
	ssize_t got;

	if (fd < 0)
		return;
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size == 0 || fdatasync(fd) != 0)
		goto close_fd;
	bytes = mem_new(most);
	got = pread(fd, bytes, most, st.st_size > (off_t)most ? st.st_size - (off_t)most : 0);
	len = got > 0 ? (size_t)got : 0;
	while (len > 0 && bytes[len - 1] != '\n')
		len--;
	if (len > 0) {
		len--;
		for (begin = len; begin > 0 && bytes[begin - 1] != '\n'; begin--)
			;
		buf_add(out, bytes + begin, len - begin);
	}
	free(bytes);

close_fd:
	close(fd);
}

/*
 * The cursor may stand before what the file has, when the last process had no time to tell.  The
 * file may be of another spool, too, whose numbers say nothing: the id must be right.  And nobody
 * has said that the lines are on the disk: without a sync they count for nothing.
 */
static void
skip_written(struct consumer *consumer)
{
	struct event_page page = { .most = 1 };
	struct event_facts *events = NULL;
	char id[ULID_SIZE];
	struct buf line;
	int64_t key;
	size_t count = 0;

	buf_init(&line, 2 * LINE_MOST_BYTES);
	last_line(consumer->outlet->file, &line);
	if (line.len > 0 && line_read(line.data, line.len, &key, id) == 0 &&
	    key > consumer->read_key) {
		page.after_key = key - 1;
		if (store_reader_events(consumer->outlets->reader, &page, &events, &count) == 0) {
			if (count == 1 && events[0].key == key &&
			    strcmp(events[0].event->id, id) == 0)
				consumer->read_key = key;
			event_facts_free(events, count);
		}
	}
	buf_free(&line);
}

static void
begin(struct entry *entry)
{
	struct consumer *consumer = entry->consumer;
	struct file *file = consumer->own;

	if (file_ready(consumer) != 0) {
		entry_again(entry, 0, strerror(errno));
		return;
	}
	if (file->key != entry->facts.key) {
		buf_clear(&file->line);
		line_add(&file->line, &entry->facts, consumer->outlet->payload);
		buf_addc(&file->line, '\n');
		file->out = 0;
		file->key = entry->facts.key;
	}
	if (line_write(file) != 0) {
		entry_again(entry, 0, strerror(errno));
		return;
	}
	file->key = 0;
	entry_done(entry);
}

static void
sync_now(struct consumer *consumer)
{
	struct file *file = consumer->own;

	if (file->fd < 0 || !file->regular || !file->written)
		return;
	file->written = false;
	if (fdatasync(file->fd) != 0) {
		/* A second sync would say that all is well. */
		file->lost = true;
		log_error("outlet-file", log_str("outlet", consumer->name),
		    log_str("file", consumer->outlet->file), log_str("why", strerror(errno)));
	}
}

static int
settle(struct consumer *consumer)
{
	struct file *file = consumer->own;

	sync_now(consumer);
	if (!file->lost)
		return 0;
	file->lost = false;
	file->key = 0;
	file_close(file);
	return -1;
}

static void
reopen(struct consumer *consumer)
{
	struct file *file = consumer->own;

	sync_now(consumer);
	file_close(file);
}

const struct consumer_kind consumer_file = {
	.name = "file",
	.patient = true,
	.open = open_own,
	.close = close_own,
	.start = skip_written,
	.begin = begin,
	.settle = settle,
	.reopen = reopen,
};
