#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/strlist.h"

#include "programs/sockets.h"

#define BACKLOG 1024

struct sockets {
	int *fds; /* front_count of them for each listener */
	size_t count;
	unsigned front_count;
};

static int
bind_unix(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(address.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	/* A socket that nobody listens on any more is in the way; one that answers is in use. */
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0) {
		close(fd);
		errno = EADDRINUSE;
		return -1;
	}
	if (errno == ECONNREFUSED)
		unlink(path);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 || chmod(path, 0666) != 0 ||
	    listen(fd, BACKLOG) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

struct endpoint {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} address;
	socklen_t len;
};

/* "127.0.0.1:2525" or "[::1]:2525"; the configuration has checked the form. */
static int
read_endpoint(const char *name, struct endpoint *e)
{
	char host[64] = "";
	const char *colon = strrchr(name, ':');
	bool v6 = name[0] == '[';
	size_t host_len = (size_t)(colon - name) - (v6 ? 2 : 0);
	uint16_t port = htons((uint16_t)atoi(colon + 1));

	memset(e, 0, sizeof(*e));
	if (host_len >= sizeof(host))
		return -1;
	memcpy(host, name + (v6 ? 1 : 0), host_len);
	if (v6) {
		e->len = sizeof(e->address.v6);
		e->address.v6.sin6_family = AF_INET6;
		e->address.v6.sin6_port = port;
		return inet_pton(AF_INET6, host, &e->address.v6.sin6_addr) == 1 ? 0 : -1;
	}
	e->len = sizeof(e->address.v4);
	e->address.v4.sin_family = AF_INET;
	e->address.v4.sin_port = port;
	return inet_pton(AF_INET, host, &e->address.v4.sin_addr) == 1 ? 0 : -1;
}

static int
bind_endpoint(const struct endpoint *e, bool one_of_several)
{
	const int on = 1;
	int fd = socket(e->address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (one_of_several)
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	if (e->address.any.sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, &e->address.any, e->len) != 0 || listen(fd, BACKLOG) != 0) {
		int why = errno;

		close(fd);
		errno = why;
		return -1;
	}
	return fd;
}

/*
 * A socket for each front, and the kernel spreads the connections evenly: of one that they all
 * accept from, the front that is awake takes nearly everything.  The sockets stay here, so what
 * waits in one whose front has died is served by the next front.
 */
static int
bind_inet(const char *name, int *fds, unsigned count)
{
	struct endpoint e;
	int fd;

	if (read_endpoint(name, &e) != 0) {
		errno = EINVAL;
		return -1;
	}
	/* Alone first: sharing would let a second pmrelayd take half of the first one's mail. */
	fd = bind_endpoint(&e, false);
	if (fd < 0)
		return -1;
	close(fd);
	for (unsigned i = 0; i < count; i++) {
		fds[i] = bind_endpoint(&e, true);
		if (fds[i] < 0)
			return -1;
	}
	return 0;
}

static int
bind_name(const char *name, int *fds, unsigned count)
{
	if (strncmp(name, "unix:", 5) != 0)
		return bind_inet(name, fds, count);
	fds[0] = bind_unix(name + 5);
	for (unsigned i = 1; fds[0] >= 0 && i < count; i++)
		fds[i] = fcntl(fds[0], F_DUPFD_CLOEXEC, 3);
	return fds[0] >= 0 ? 0 : -1;
}

/* A machine without IPv6 is no reason not to start, as long as something listens. */
static bool
is_absent_ipv6(const char *name)
{
	return name[0] == '[' && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL);
}

static int
bind_all(struct sockets *s, struct strlist *listen)
{
	size_t bound = 0;

	for (size_t i = 0; i < listen->count; i++) {
		char *name = listen->items[i];
		int result = bind_name(name, s->fds + bound * s->front_count, s->front_count);

		if (result != 0 && is_absent_ipv6(name)) {
			log_warning("listen", log_str("address", name),
			    log_str("why", strerror(errno)), log_str("todo", "left out"));
			free(name);
			continue;
		}
		if (result != 0) {
			log_error("listen", log_str("address", name),
			    log_str("why", strerror(errno)),
			    log_str(
				"todo", errno == EACCES
					    ? "a port below 1024 needs root or CAP_NET_BIND_SERVICE"
					    : "another program may hold it; see smtp listen in the "
					      "configuration"));
			return -1;
		}
		listen->items[bound++] = name;
	}
	listen->count = s->count = bound;
	if (bound == 0)
		log_error("listen", log_str("why", "nothing to listen on"),
		    log_str("todo", "set smtp listen in the configuration"));
	return bound > 0 ? 0 : -1;
}

struct sockets *
sockets_open(struct strlist *listen, unsigned front_count)
{
	struct sockets *s = mem_new(sizeof(*s));

	s->front_count = front_count;
	s->fds = mem_array((listen->count + 1) * front_count, sizeof(*s->fds));
	if (bind_all(s, listen) != 0)
		sockets_free(&s);
	return s;
}

size_t
sockets_count(const struct sockets *s)
{
	return s->count;
}

int
sockets_fd(const struct sockets *s, size_t listener, unsigned front)
{
	return s->fds[listener * s->front_count + front - 1];
}

void
sockets_close(struct sockets *s)
{
	for (size_t i = 0; i < s->count * s->front_count; i++) {
		if (s->fds[i] >= 0)
			close(s->fds[i]);
		s->fds[i] = -1;
	}
}

void
sockets_unlink(const struct strlist *listen)
{
	for (size_t i = 0; i < listen->count; i++) {
		if (strncmp(listen->items[i], "unix:", 5) == 0)
			unlink(listen->items[i] + 5);
	}
}

void
sockets_free(struct sockets **s)
{
	if (*s == NULL)
		return;
	free((*s)->fds);
	free(*s);
	*s = NULL;
}
