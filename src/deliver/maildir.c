/*
 * A Maildir (maildir(5) of qmail): written to tmp, synced, linked into new.  The name is made of
 * the item, so that a mail that was delivered just before a crash is found there when it is tried
 * again.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"

#include "deliver/inside.h"

#define PIECE 65536U

struct maildir {
	struct delivery *d;
	char *path;
	char name[256];
	bool has_parts;    /* path has parts of the recipient: others have others */
	int tmp, new, cur; /* folders */
	bool unreadable;   /* the stored message */
};

/*
 * Not now, for an errno.  Where each recipient has a Maildir of his own, one that cannot be entered
 * or is no folder, or is over quota, says nothing of the others, and anybody may write to its name;
 * a full disk and the like hold up all of them.
 */
static void
later(struct maildir *m, const char *sub, int failure)
{
	bool is_of_all =
	    failure == ENOSPC || failure == EIO || failure == EMFILE || failure == ENFILE;

	delivery_end(m->d, m->has_parts && !is_of_all ? DELIVER_LATER_ALONE : DELIVER_LATER,
	    "%s%s: %s", m->path, sub, strerror(failure));
}

/* --- where it is -------------------------------------------------------------------------- */

/* A part of an address as the name of a folder.  False: it could be another one's. */
static bool
part_add(struct buf *path, const char *part, size_t len)
{
	if (len == 0 || part[0] == '.' || memchr(part, '/', len) != NULL)
		return false;
	buf_add(path, part, len);
	return true;
}

/* NULL: the recipient has no folder of its own. */
static char *
path_make(const struct delivery *d, bool *has_parts_r)
{
	static const char local[] = "%{localpart}", domain[] = "%{domain}";
	const char *at = d->target_text, *sign = strchr(d->recipient, '@');
	struct buf path;
	bool right = sign != NULL;

	*has_parts_r = false;
	buf_init(&path, 16384);
	while (right && *at != '\0') {
		if (text_starts(at, local)) {
			right = part_add(&path, d->recipient, (size_t)(sign - d->recipient));
			at += sizeof(local) - 1;
			*has_parts_r = true;
		} else if (text_starts(at, domain)) {
			right = part_add(&path, sign + 1, strlen(sign + 1));
			at += sizeof(domain) - 1;
			*has_parts_r = true;
		} else {
			buf_addc(&path, *at++);
		}
	}
	if (right && !path.over)
		return buf_take(&path, NULL);
	buf_free(&path);
	return NULL;
}

static int
folder_open(int root, const char *name, bool *made)
{
	if (mkdirat(root, name, 0700) == 0)
		*made = true;
	else if (errno != EEXIST)
		return -1;
	return openat(root, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* The folder that path stands in.  0, or -1 and errno. */
static int
parent_sync(const char *path)
{
	const char *end = strrchr(path, '/');
	char *parent = end > path ? mem_bytes(path, (size_t)(end - path)) : mem_string("/");
	int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int failed = fd < 0 ? errno : fsync(fd) != 0 ? errno : 0;

	if (fd >= 0)
		close(fd);
	free(parent);
	errno = failed;
	return failed == 0 ? 0 : -1;
}

/* What was made is to be there after a power cut, or the mail in it is not. */
static int
folders_find(struct maildir *m, int root, bool made_root)
{
	bool made = made_root;

	m->tmp = folder_open(root, "tmp", &made);
	if (m->tmp >= 0)
		m->new = folder_open(root, "new", &made);
	if (m->new >= 0)
		m->cur = folder_open(root, "cur", &made);
	if (m->cur < 0)
		return -1;
	/* A try that was cut may have made some, too. */
	made = made || m->d->again;
	if (made && fsync(root) != 0)
		return -1;
	return made && !m->has_parts ? parent_sync(m->path) : 0;
}

/* 0, or -1 and the delivery's end. */
static int
folders_open(struct maildir *m)
{
	bool made = !m->has_parts && mkdir(m->path, 0700) == 0;
	int root, failed;

	if (!m->has_parts && !made && errno != EEXIST) {
		later(m, "", errno);
		return -1;
	}
	root = open(m->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root < 0 && m->has_parts && errno == ENOENT) {
		/* Anybody may write to any name: folders are made by who runs the place. */
		delivery_end(m->d, DELIVER_REFUSED, "%s: there is no such Maildir", m->path);
		return -1;
	}
	failed = root < 0 || folders_find(m, root, made) != 0 ? errno : 0;
	if (root >= 0)
		close(root);
	if (failed == 0)
		return 0;
	later(m, "", failed);
	return -1;
}

/* --- was it there before? ----------------------------------------------------------------- */

/* In cur a name goes on with ":2," and flags. */
static bool
is_in_cur(const struct maildir *m)
{
	size_t len = strlen(m->name);
	int fd = fcntl(m->cur, F_DUPFD_CLOEXEC, 0);
	DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;
	bool found = false;

	if (folder == NULL) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	rewinddir(folder);
	while (!found && (entry = readdir(folder)) != NULL)
		found = strncmp(entry->d_name, m->name, len) == 0 &&
			(entry->d_name[len] == '\0' || entry->d_name[len] == ':');
	closedir(folder);
	return found;
}

static bool
is_there(const struct maildir *m)
{
	struct stat about;

	return fstatat(m->new, m->name, &about, AT_SYMLINK_NOFOLLOW) == 0 || is_in_cur(m);
}

/* Whoever put it there may have had no time to sync its name, nor who moved it. */
static void
again(struct maildir *m)
{
	if (fsync(m->new) != 0 || fsync(m->cur) != 0)
		later(m, "", errno);
	else
		delivery_end(
		    m->d, DELIVER_DONE, "%s: it was there already, as %s", m->path, m->name);
}

/* --- writing ------------------------------------------------------------------------------ */

static int
write_all(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t done = write(fd, bytes, len);

		if (done < 0 && errno != EINTR)
			return -1;
		if (done > 0) {
			bytes += done;
			len -= (size_t)done;
		}
	}
	return 0;
}

static int
mail_write(struct maildir *m, int fd)
{
	char *piece = mem_new(PIECE);
	ssize_t got = 0;
	int result = 0;

	delivery_return_path(m->d, piece, PIECE);
	result = write_all(fd, piece, strlen(piece));
	while (result == 0 && (got = content_read_lf(&m->d->content, piece, PIECE)) != 0)
		result = got < 0 ? -1 : write_all(fd, piece, (size_t)got);
	m->unreadable = got < 0;
	free(piece);
	return result;
}

/* EEXIST is as good as done: nobody else makes that name. */
static int
move_in(const struct maildir *m)
{
	if (linkat(m->tmp, m->name, m->new, m->name, 0) == 0 || errno == EEXIST) {
		unlinkat(m->tmp, m->name, 0);
		return 0;
	}
	/* A file system without links. */
	if (errno != EPERM && errno != EOPNOTSUPP && errno != EMLINK)
		return -1;
	return renameat(m->tmp, m->name, m->new, m->name);
}

static void
mail_put(struct maildir *m)
{
	int fd, saved;
	bool done;

	unlinkat(m->tmp, m->name, 0); /* of a try that was cut */
	fd = openat(m->tmp, m->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		later(m, "/tmp", errno);
		return;
	}
	done = mail_write(m, fd) == 0 && fsync(fd) == 0;
	saved = errno;
	if (close(fd) != 0 && done) {
		done = false;
		saved = errno;
	}
	if (done && (move_in(m) != 0 || fsync(m->new) != 0)) {
		done = false;
		saved = errno;
	}
	if (done) {
		delivery_end(m->d, DELIVER_DONE, "%s/new/%s", m->path, m->name);
		return;
	}
	unlinkat(m->tmp, m->name, 0);
	if (m->unreadable)
		delivery_end(m->d, DELIVER_LATER_ALONE, DELIVER_UNREADABLE);
	else
		later(m, "", saved);
}

void
maildir_deliver(struct delivery *d)
{
	struct maildir m = { .d = d, .tmp = -1, .new = -1, .cur = -1 };

	m.path = path_make(d, &m.has_parts);
	if (m.path == NULL) {
		delivery_end(d, DELIVER_REFUSED, "%s can be the name of no Maildir", d->recipient);
		return;
	}
	snprintf(m.name, sizeof(m.name), "%lld.R%s.%s", (long long)(d->accepted_ms / 1000), d->id,
	    d->hostname);
	if (folders_open(&m) == 0) {
		if (d->again && is_there(&m))
			again(&m);
		else
			mail_put(&m);
	}
	if (m.tmp >= 0)
		close(m.tmp);
	if (m.new >= 0)
		close(m.new);
	if (m.cur >= 0)
		close(m.cur);
	free(m.path);
}
