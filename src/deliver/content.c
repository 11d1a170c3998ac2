#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

#include "deliver/inside.h"

void
content_init(struct content *content)
{
	memset(content, 0, sizeof(*content));
	payload_init(&content->parts[0]);
	payload_init(&content->parts[1]);
}

static int
payload_copy(struct payload *to, const struct payload *from)
{
	if (from == NULL || from->len == 0)
		return 0;
	if (from->data != NULL)
		to->data = mem_bytes(from->data, from->len);
	else if ((to->fd = fcntl(from->fd, F_DUPFD_CLOEXEC, 0)) < 0)
		return -1;
	to->len = from->len;
	return 0;
}

int
content_fill(struct content *content, const struct payload *payload, const struct payload *shared)
{
	if (payload_copy(&content->parts[0], payload) != 0 ||
	    payload_copy(&content->parts[1], shared) != 0)
		return -1;
	content->bytes = content->parts[0].len + content->parts[1].len;
	return 0;
}

void
content_free(struct content *content)
{
	payload_free(&content->parts[0]);
	payload_free(&content->parts[1]);
}

ssize_t
content_read(struct content *content, char *out, size_t size)
{
	while (content->part < 2) {
		const struct payload *from = &content->parts[content->part];
		size_t left = from->len - content->at;
		ssize_t got;

		if (left == 0) {
			content->part++;
			content->at = 0;
			continue;
		}
		if (left > size)
			left = size;
		if (from->data != NULL) {
			memcpy(out, from->data + content->at, left);
			got = (ssize_t)left;
		} else {
			do
				got = pread(from->fd, out, left, (off_t)content->at);
			while (got < 0 && errno == EINTR);
			if (got == 0) {
				errno = EIO; /* the file is shorter than it was */
				return -1;
			}
			if (got < 0)
				return -1;
		}
		content->at += (size_t)got;
		return got;
	}
	return 0;
}

/* Every CR is one of a CRLF: that is checked where a mail enters the core. */
ssize_t
content_read_lf(struct content *content, char *out, size_t size)
{
	size_t kept;

	do {
		ssize_t got = content_read(content, out, size);

		if (got <= 0)
			return got;
		kept = 0;
		for (ssize_t i = 0; i < got; i++) {
			if (out[i] != '\r')
				out[kept++] = out[i];
		}
	} while (kept == 0);
	return (ssize_t)kept;
}
