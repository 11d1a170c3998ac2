#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/strlist.h"
#include "config/config.h"
#include "config/options.h"

#include "programs/sockets.h"

#define BACKLOG 1024

struct sockets {
	int *fds; /* front_count of them for each listener */
	size_t count;
	unsigned front_count;
};

/* A socket that nobody listens on any more is in the way; one that answers is in use. */
static int
remove_stale(int fd, const struct sockaddr_un *address)
{
	struct stat facts;

	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0) {
		errno = EADDRINUSE;
		return -1;
	}
	/* A file that is no socket refuses connections, too, and is somebody's. */
	if (errno == ECONNREFUSED && lstat(address->sun_path, &facts) == 0 &&
	    S_ISSOCK(facts.st_mode))
		unlink(address->sun_path);
	return 0;
}

/* The mode is there from the start: nothing is done by name to what is there later. */
static int
bind_unix(const char *path, mode_t mode)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	mode_t umask_before;
	int fd, result, why;

	if (strlen(path) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(address.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	if (remove_stale(fd, &address) != 0)
		goto close_fd;
	umask_before = umask(~mode & 0777);
	result = bind(fd, (struct sockaddr *)&address, sizeof(address));
	umask(umask_before);
	if (result == 0 && listen(fd, BACKLOG) == 0)
		return fd;

close_fd:
	why = errno;
	close(fd);
	errno = why;
	return -1;
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
	fds[0] = bind_unix(name + 5, 0666);
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

static void
tell_listen(const char *section, const char *name, const char *todo)
{
	char *where = NULL;

	if (todo == NULL && errno == EACCES)
		todo = "a port below 1024 needs root or CAP_NET_BIND_SERVICE";
	else if (todo == NULL)
		where = mem_format("another program may hold it; see %s listen in the "
				   "configuration",
		    section);
	log_error("listen", log_str("section", section), log_str("address", name),
	    log_str("why", name != NULL ? strerror(errno) : "nothing to listen on"),
	    log_str("todo", where != NULL ? where : todo));
	free(where);
}

static int
bind_all(struct sockets *s, struct strlist *listen, const char *section)
{
	size_t bound = 0, wanted = listen->count;

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
			tell_listen(section, name, NULL);
			return -1;
		}
		listen->items[bound++] = name;
	}
	listen->count = s->count = bound;
	if (bound == 0 && wanted > 0)
		tell_listen(section, NULL, "set listen to what this machine has");
	return bound > 0 || wanted == 0 ? 0 : -1;
}

struct sockets *
sockets_open(struct strlist *listen, unsigned front_count, const char *section)
{
	struct sockets *s = mem_new(sizeof(*s));

	s->front_count = front_count;
	s->fds = mem_array((listen->count + 1) * front_count, sizeof(*s->fds));
	if (bind_all(s, listen, section) != 0)
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

/* --- control ------------------------------------------------------------------------------ */

struct control_sockets {
	int unix_fd, tcp_fd; /* -1: none */
	char *path;          /* of the Unix one, while it is ours to remove; else NULL */
};

/* Whom the socket belongs to; -1: as it comes. */
struct owner {
	uid_t uid;
	gid_t gid;
};

/* 0, or -1 and what is wrong. */
static int
find_owner(const struct config *config, struct owner *owner_r, const char **why_r)
{
	const char *group =
	    config->control_group[0] != '\0' ? config->control_group : config->group;
	const struct passwd *user = NULL;
	const struct group *found;

	*owner_r = (struct owner){ (uid_t)-1, (gid_t)-1 };
	if (geteuid() == 0 && config->user[0] != '\0') {
		user = getpwnam(config->user);
		if (user == NULL) {
			*why_r = "no such user";
			return -1;
		}
		*owner_r = (struct owner){ user->pw_uid, user->pw_gid };
	}
	/* Who is not root is in the daemon's group already, or not at all. */
	if (group[0] == '\0' || (geteuid() != 0 && group == config->group))
		return 0;
	found = getgrnam(group);
	if (found == NULL) {
		*why_r = "no such group";
		return -1;
	}
	owner_r->gid = found->gr_gid;
	return 0;
}

/* /run is empty after each start of the machine. */
static void
make_folder(const char *path, const struct owner *owner)
{
	char *folder = mem_string(path);
	char *slash = strrchr(folder, '/');

	if (slash != NULL && slash != folder) {
		*slash = '\0';
		if (mkdir(folder, 0755) == 0 && owner->uid != (uid_t)-1 &&
		    lchown(folder, owner->uid, owner->gid) != 0)
			log_warning("control-socket", log_str("path", folder),
			    log_str("why", strerror(errno)));
	}
	free(folder);
}

/*
 * As the user that the daemon becomes, who may have the folder to himself: what root did there by
 * name, he could turn elsewhere.  In a folder that is not his it is root's.
 */
static int
bind_owned(const char *path, const struct owner *owner)
{
	int fd, why;

	if (owner->uid == (uid_t)-1) {
		fd = bind_unix(path, 0660);
	} else {
		fd = -1;
		if (setegid(owner->gid) == 0 && seteuid(owner->uid) == 0)
			fd = bind_unix(path, 0660);
		why = errno;
		if (seteuid(0) != 0 || setegid(0) != 0)
			abort();
		errno = why;
		if (fd >= 0 || errno != EACCES)
			return fd;
		fd = bind_unix(path, 0660);
	}
	if (fd < 0 || (owner->uid == (uid_t)-1 && owner->gid == (gid_t)-1) ||
	    lchown(path, owner->uid, owner->gid) == 0)
		return fd;
	why = errno;
	unlink(path);
	close(fd);
	errno = why;
	return -1;
}

/* Mail is more important than a socket that nobody has asked for. */
static int
tell_unix(const struct config *config, const char *why)
{
	const char *path = config->control_socket;

	if (strcmp(path, option_find("control", "socket")->preset) == 0) {
		log_warning("control-socket", log_str("path", path), log_str("why", why),
		    log_str("todo", "the relay runs without it; set control socket to a path whose "
				    "folder the daemon may write to, or to nothing"));
		return 0;
	}
	log_error("control-socket", log_str("path", path), log_str("why", why),
	    log_str("todo", "see control socket and group in the configuration"));
	return -1;
}

static int
open_unix(struct control_sockets *c, const struct config *config)
{
	const char *why = NULL;
	struct owner owner;

	if (find_owner(config, &owner, &why) != 0)
		return tell_unix(config, why);
	make_folder(config->control_socket, &owner);
	c->unix_fd = bind_owned(config->control_socket, &owner);
	if (c->unix_fd < 0)
		return tell_unix(config, strerror(errno));
	c->path = mem_string(config->control_socket);
	return 0;
}

static int
open_tcp(struct control_sockets *c, const struct config *config)
{
	struct endpoint e;

	errno = EINVAL;
	c->tcp_fd = read_endpoint(config->control_listen, &e) == 0 ? bind_endpoint(&e, false) : -1;
	if (c->tcp_fd >= 0)
		return 0;
	log_error("control-listen", log_str("address", config->control_listen),
	    log_str("why", strerror(errno)),
	    log_str("todo", "see control listen in the configuration"));
	return -1;
}

struct control_sockets *
control_sockets_open(const struct config *config)
{
	struct control_sockets *c = mem_new(sizeof(*c));

	c->unix_fd = c->tcp_fd = -1;
	if ((config->control_socket[0] != '\0' && open_unix(c, config) != 0) ||
	    (config->control_listen[0] != '\0' && open_tcp(c, config) != 0))
		control_sockets_free(&c);
	return c;
}

bool
control_sockets_have_unix(const struct control_sockets *c)
{
	return c->unix_fd >= 0;
}

size_t
control_sockets_fds(const struct control_sockets *c, int fds[CONTROL_SOCKETS])
{
	size_t count = 0;

	if (c->unix_fd >= 0)
		fds[count++] = c->unix_fd;
	if (c->tcp_fd >= 0)
		fds[count++] = c->tcp_fd;
	return count;
}

void
control_sockets_close(struct control_sockets *c)
{
	if (c->path != NULL)
		unlink(c->path);
	free(c->path);
	c->path = NULL;
	if (c->unix_fd >= 0)
		close(c->unix_fd);
	if (c->tcp_fd >= 0)
		close(c->tcp_fd);
	c->unix_fd = c->tcp_fd = -1;
}

void
control_sockets_free(struct control_sockets **c)
{
	if (*c == NULL)
		return;
	control_sockets_close(*c);
	free(*c);
	*c = NULL;
}
