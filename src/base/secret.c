#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"
#include "base/secret.h"

#define MOST_FILE_BYTES 4096

/* Pages of its own, so that madvise() reaches this secret and nothing else. */
struct secret {
	size_t mapped;
	size_t len;
	char text[];
};

struct secret *
secret_new(const char *text, size_t len)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct secret *made;
	size_t mapped;

	if (len > SIZE_MAX / 2)
		mem_exhausted(len);
	mapped = (sizeof(*made) + len + 1 + page - 1) / page * page;
	made = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (made == MAP_FAILED)
		mem_exhausted(mapped);
	madvise(made, mapped, MADV_DONTDUMP);
	made->mapped = mapped;
	made->len = len;
	if (len > 0)
		memcpy(made->text, text, len);
	made->text[len] = '\0';
	return made;
}

struct secret *
secret_copy(const struct secret *secret)
{
	return secret == NULL ? NULL : secret_new(secret->text, secret->len);
}

struct secret *
secret_read_file(const char *path)
{
	char line[MOST_FILE_BYTES + 2]; /* one byte more than allowed, to see that it is too long */
	struct secret *made = NULL;
	const char *end = NULL;
	size_t have = 0, len;
	int failure = 0;
	ssize_t got;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return NULL;
	while (end == NULL && have < sizeof(line)) {
		got = read(fd, line + have, sizeof(line) - have);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			failure = errno;
		if (got <= 0)
			break;
		end = memchr(line + have, '\n', (size_t)got);
		have += (size_t)got;
	}
	len = end != NULL ? (size_t)(end - line) : have;
	if (len > 0 && line[len - 1] == '\r')
		len--;
	if (failure == 0 && len > MOST_FILE_BYTES)
		failure = EFBIG;
	/* A NUL would cut the secret short for every library that it is handed to. */
	if (failure == 0 && (len == 0 || memchr(line, '\0', len) != NULL))
		failure = EINVAL;
	if (failure == 0)
		made = secret_new(line, len);
	secret_wipe(line, sizeof(line));
	close(fd);
	errno = failure;
	return made;
}

void
secret_free(struct secret **secret)
{
	size_t mapped;

	if (*secret == NULL)
		return;
	mapped = (*secret)->mapped;
	secret_wipe(*secret, mapped);
	munmap(*secret, mapped);
	*secret = NULL;
}

const char *
secret_text(const struct secret *secret)
{
	return secret->text;
}

size_t
secret_len(const struct secret *secret)
{
	return secret->len;
}

bool
secret_same(const struct secret *secret, const char *text, size_t len)
{
	return text_same_secret(secret->text, secret->len, text, len);
}

void
secret_wipe(void *bytes, size_t len)
{
	explicit_bzero(bytes, len);
}
