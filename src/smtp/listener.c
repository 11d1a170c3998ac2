/*
 * Accepting.  A session is the owner's but for one thing: the listener must know when it is gone.
 * So each session gets a peer as its context, whose hooks pass everything on to the owner.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/network.h"
#include "base/strlist.h"
#include "base/text.h"
#include "smtp/reply.h"
#include "smtp/listener.h"

#define MOST_ACCEPTS    2    /* per turn of the loop */
#define EXHAUSTED_MS    1000 /* without descriptors accepting rests for so long */
#define REFUSED_SPAN_MS 100
#define MOST_BUCKETS    65536

struct networks {
	struct network *list;
	size_t count;
};

/* Who connects: an address, or the user of a local socket. */
struct client_key {
	unsigned char address[NETWORK_ADDRESS_BYTES];
	bool local;
};

struct client {
	struct client *next; /* in its bucket */
	struct client_key key;
	unsigned sessions;
};

struct peer {
	struct peer *next;
	struct peer *prev;
	struct smtp_listener *listener;
	struct smtp_session *session;
	struct client *client;
};

struct door {
	struct smtp_listener *listener;
	struct event event;
	char *name;
	int fd; /* -1: closed */
};

struct smtp_listener {
	struct loop *loop;
	struct door *doors;
	size_t door_count;
	const struct smtp_limits *limits;
	const struct smtp_hooks *hooks;
	void *ctx;
	struct ssl_ctx_st *tls;
	const struct smtp_auth *auth;
	struct networks allow;
	unsigned most_sessions;
	unsigned most_sessions_client;
	struct loop_timer *rested;
	struct peer *peers;
	size_t sessions;
	struct client **buckets;
	size_t bucket_count; /* a power of two */
	struct log_gate refused_gate;
	struct log_gate exhausted_gate;
};

/* --- networks ------------------------------------------------------------------------------ */

static bool
networks_have(const struct networks *networks, const unsigned char address[NETWORK_ADDRESS_BYTES])
{
	for (size_t i = 0; i < networks->count; i++)
		if (network_has(&networks->list[i], address))
			return true;
	return false;
}

static int
networks_parse(struct networks *networks_r, const struct strlist *texts)
{
	struct networks networks = { mem_array(texts->count + 1, sizeof(*networks.list)), 0 };

	for (size_t i = 0; i < texts->count; i++)
		if (network_parse(&networks.list[networks.count++], texts->items[i]) != 0) {
			log_error("bad-network", log_str("network", texts->items[i]));
			free(networks.list);
			return -1;
		}
	*networks_r = networks;
	return 0;
}

/* --- clients ------------------------------------------------------------------------------- */

/* FNV-1a.  There are as many buckets as sessions, and only allowed networks get here: a client
 * that makes its addresses collide gains nothing. */
static struct client **
bucket_of(struct smtp_listener *l, const struct client_key *key)
{
	uint32_t hash = key->local ? 2166136261U : 84696351U;

	for (size_t i = 0; i < NETWORK_ADDRESS_BYTES; i++)
		hash = (hash ^ key->address[i]) * 16777619U;
	return &l->buckets[(hash ^ hash >> 16) & (l->bucket_count - 1)];
}

static bool
key_same(const struct client_key *a, const struct client_key *b)
{
	return a->local == b->local && memcmp(a->address, b->address, NETWORK_ADDRESS_BYTES) == 0;
}

/* The client with one more session.  NULL: it has all that it may have. */
static struct client *
client_enter(struct smtp_listener *l, const struct client_key *key)
{
	struct client **bucket = bucket_of(l, key);
	struct client *client;

	for (client = *bucket; client != NULL; client = client->next)
		if (key_same(&client->key, key))
			break;
	if (client != NULL && client->sessions >= l->most_sessions_client)
		return NULL;
	if (client == NULL) {
		client = mem_new(sizeof(*client));
		client->key = *key;
		client->next = *bucket;
		*bucket = client;
	}
	client->sessions++;
	return client;
}

static void
client_leave(struct smtp_listener *l, struct client *client)
{
	struct client **at;

	if (--client->sessions > 0)
		return;
	for (at = bucket_of(l, &client->key); *at != client; at = &(*at)->next)
		continue;
	*at = client->next;
	free(client);
}

/* --- peers --------------------------------------------------------------------------------- */

static enum smtp_now
peer_sender(void *ctx, struct smtp_session *session, const struct envelope *envelope,
    const char *address, struct smtp_reply *reply)
{
	const struct smtp_listener *l = ((struct peer *)ctx)->listener;

	return l->hooks->sender(l->ctx, session, envelope, address, reply);
}

static enum smtp_now
peer_recipient(void *ctx, struct smtp_session *session, const struct envelope *envelope,
    const char *address, struct smtp_reply *reply)
{
	const struct smtp_listener *l = ((struct peer *)ctx)->listener;

	return l->hooks->recipient(l->ctx, session, envelope, address, reply);
}

static enum smtp_now
peer_message(void *ctx, struct smtp_session *session, const struct envelope *envelope,
    struct buf *content, struct smtp_reply *reply)
{
	const struct smtp_listener *l = ((struct peer *)ctx)->listener;

	return l->hooks->message(l->ctx, session, envelope, content, reply);
}

static enum smtp_now
peer_authenticate(void *ctx, struct smtp_session *session, const char *mechanism, const char *user,
    const char *password, struct smtp_reply *reply)
{
	const struct smtp_listener *l = ((struct peer *)ctx)->listener;

	return l->hooks->authenticate(l->ctx, session, mechanism, user, password, reply);
}

static enum smtp_now
peer_data(void *ctx, struct smtp_session *session, const struct envelope *envelope,
    struct smtp_reply *reply)
{
	const struct smtp_listener *l = ((struct peer *)ctx)->listener;

	return l->hooks->data != NULL ? l->hooks->data(l->ctx, session, envelope, reply) : SMTP_YES;
}

static bool
peer_hides_tls(void *ctx, const struct smtp_session *session)
{
	const struct smtp_listener *l = ((struct peer *)ctx)->listener;

	return l->hooks->hides_tls != NULL && l->hooks->hides_tls(l->ctx, session);
}

static bool
peer_memory(void *ctx, int64_t bytes)
{
	const struct smtp_listener *l = ((struct peer *)ctx)->listener;

	return l->hooks->memory(l->ctx, bytes);
}

/* The owner is told last: it may free the listener. */
static void
peer_gone(void *ctx, struct smtp_session *session)
{
	struct peer *peer = ctx;
	struct smtp_listener *l = peer->listener;

	if (peer->next != NULL)
		peer->next->prev = peer->prev;
	if (peer->prev != NULL)
		peer->prev->next = peer->next;
	else
		l->peers = peer->next;
	l->sessions--;
	client_leave(l, peer->client);
	free(peer);
	l->hooks->gone(l->ctx, session);
}

static const struct smtp_hooks peer_hooks = {
	.sender = peer_sender,
	.recipient = peer_recipient,
	.message = peer_message,
	.gone = peer_gone,
	.memory = peer_memory,
	.authenticate = peer_authenticate,
	.data = peer_data,
	.hides_tls = peer_hides_tls,
};

/* --- doors --------------------------------------------------------------------------------- */

/* One line and the end.  It must not block: what the socket does not take at once is lost. */
static void
refuse(struct smtp_listener *l, const struct door *door, int fd, const char *client,
    const struct smtp_reply *reply)
{
	struct buf out;
	int64_t left_out;

	buf_init(&out, SMTP_REPLY_MOST);
	smtp_reply_print(&out, reply);
	if (send(fd, out.data, out.len, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
		shutdown(fd, SHUT_WR);
	close(fd);
	buf_free(&out);
	if (log_gate_pass(&l->refused_gate, REFUSED_SPAN_MS, &left_out))
		log_warning("refused", log_str("listener", door->name), log_str("client", client),
		    log_num("code", reply->code), log_str("enhanced", reply->enhanced),
		    log_str("why", reply->text), log_num("left_out", left_out));
}

/* Who is at the other end; false: an address family that nobody bound for us. */
static bool
identify(int fd, const struct sockaddr_storage *from, struct client_key *key_r,
    char text_r[INET6_ADDRSTRLEN])
{
	*key_r = (struct client_key){ .local = false };
	if (from->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)from;

		network_address_map(key_r->address, &in->sin_addr);
	} else if (from->ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)from;

		memcpy(key_r->address, &in6->sin6_addr, NETWORK_ADDRESS_BYTES);
	} else if (from->ss_family == AF_UNIX) {
		struct ucred peer = { .uid = 0 };
		socklen_t size = sizeof(peer);

		/* Local programs are told apart by their user. */
		key_r->local = true;
		if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0)
			memcpy(key_r->address, &peer.uid, sizeof(peer.uid));
		strcpy(text_r, "unix");
		return true;
	} else
		return false;
	network_address_print(key_r->address, text_r);
	return true;
}

static void
admit(struct smtp_listener *l, const struct door *door, int fd, const struct sockaddr_storage *from)
{
	struct client_key key;
	char text[INET6_ADDRSTRLEN];
	struct client *client;
	struct peer *peer;

	if (!identify(fd, from, &key, text)) {
		close(fd);
		return;
	}
	if (!key.local && !networks_have(&l->allow, key.address)) {
		refuse(l, door, fd, text,
		    &(struct smtp_reply){
			554, "5.7.1", "your network is not allowed to send mail here" });
		return;
	}
	if (l->sessions >= l->most_sessions) {
		refuse(l, door, fd, text,
		    &(struct smtp_reply){ 421, "4.3.2", "too many connections, try again later" });
		return;
	}
	client = client_enter(l, &key);
	if (client == NULL) {
		refuse(l, door, fd, text,
		    &(struct smtp_reply){
			421, "4.7.0", "too many connections from your address, try again later" });
		return;
	}
	peer = mem_new(sizeof(*peer));
	peer->listener = l;
	peer->client = client;
	peer->next = l->peers;
	if (peer->next != NULL)
		peer->next->prev = peer;
	l->peers = peer;
	l->sessions++;
	peer->session = smtp_session_new(&(struct smtp_session_params){
	    .loop = l->loop,
	    .fd = fd,
	    .limits = l->limits,
	    .hooks = &peer_hooks,
	    .ctx = peer,
	    .listener = door->name,
	    .client = text,
	    .tls = l->tls,
	    .auth = l->auth,
	});
}

/* Out of descriptors or memory for sockets: the connections wait in the kernel meanwhile. */
static void
rest(struct smtp_listener *l, const char *why)
{
	int64_t left_out;

	for (size_t i = 0; i < l->door_count; i++)
		event_del(&l->doors[i].event);
	loop_timer_set(l->rested, EXHAUSTED_MS);
	if (log_gate_pass(&l->exhausted_gate, 60 * 1000, &left_out))
		log_error("accept-rests", log_str("why", why),
		    log_num("sessions", (int64_t)l->sessions), log_num("left_out", left_out));
}

static void
listener_rested(void *ctx)
{
	struct smtp_listener *l = ctx;

	for (size_t i = 0; i < l->door_count; i++)
		if (l->doors[i].fd >= 0)
			event_add(&l->doors[i].event, NULL);
}

static void
door_knock(evutil_socket_t listening_fd, short what, void *ctx)
{
	struct door *door = ctx;
	struct smtp_listener *l = door->listener;

	(void)what;
	for (int i = 0; i < MOST_ACCEPTS; i++) {
		struct sockaddr_storage from = { .ss_family = AF_UNSPEC };
		socklen_t size = sizeof(from);
		int fd = accept4(
		    listening_fd, (struct sockaddr *)&from, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0)
			admit(l, door, fd, &from);
		else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
			 errno == ENOMEM) {
			rest(l, strerror(errno));
			return;
		} else if (errno == EAGAIN || errno == EWOULDBLOCK)
			return;
		/* Else this one connection failed before it was accepted: accept(2), Error
		 * handling. */
	}
}

/* --- the owner's side ---------------------------------------------------------------------- */

struct smtp_listener *
smtp_listener_new(const struct smtp_listener_params *params)
{
	struct smtp_listener *l = mem_new(sizeof(*l));

	if (networks_parse(&l->allow, params->allow) != 0) {
		for (size_t i = 0; i < params->count; i++)
			close(params->fds[i]);
		free(l);
		return NULL;
	}
	l->loop = params->loop;
	l->limits = params->limits;
	l->hooks = params->hooks;
	l->ctx = params->ctx;
	l->tls = params->tls;
	l->auth = params->auth;
	l->most_sessions = params->most_sessions;
	l->most_sessions_client = params->most_sessions_client;
	l->rested = loop_timer_new(l->loop, listener_rested, l);
	l->bucket_count = 1;
	while (l->bucket_count < l->most_sessions && l->bucket_count < MOST_BUCKETS)
		l->bucket_count *= 2;
	l->buckets = mem_array(l->bucket_count, sizeof(struct client *));
	l->doors = mem_array(params->count + 1, sizeof(*l->doors));
	l->door_count = params->count;
	for (size_t i = 0; i < l->door_count; i++) {
		struct door *door = &l->doors[i];

		door->listener = l;
		door->fd = params->fds[i];
		door->name = mem_string(params->names[i]);
		/* Another process may take the connection first: accept4() must not wait then. */
		evutil_make_socket_nonblocking(door->fd);
		event_assign(&door->event, loop_base(l->loop), door->fd, EV_READ | EV_PERSIST,
		    door_knock, door);
		event_add(&door->event, NULL);
	}
	return l;
}

size_t
smtp_listener_sessions(const struct smtp_listener *l)
{
	return l->sessions;
}

int
smtp_listener_reload(
    struct smtp_listener *l, const struct smtp_limits *limits, const struct strlist *allow)
{
	struct networks networks;

	if (networks_parse(&networks, allow) != 0)
		return -1;
	free(l->allow.list);
	l->allow = networks;
	l->limits = limits;
	for (struct peer *peer = l->peers; peer != NULL; peer = peer->next)
		smtp_session_reload(peer->session, limits);
	return 0;
}

void
smtp_listener_stop(struct smtp_listener *l)
{
	loop_timer_clear(l->rested);
	for (size_t i = 0; i < l->door_count; i++) {
		struct door *door = &l->doors[i];

		if (door->fd < 0)
			continue;
		event_del(&door->event);
		close(door->fd);
		door->fd = -1;
	}
}

void
smtp_listener_drain(struct smtp_listener *l)
{
	smtp_listener_stop(l);
	for (struct peer *peer = l->peers; peer != NULL; peer = peer->next)
		smtp_session_drain(peer->session);
}

void
smtp_listener_free(struct smtp_listener **listener)
{
	struct smtp_listener *l = *listener;

	if (l == NULL)
		return;
	*listener = NULL;
	smtp_listener_stop(l);
	while (l->peers != NULL)
		smtp_session_kill(l->peers->session);
	for (size_t i = 0; i < l->door_count; i++)
		free(l->doors[i].name);
	loop_timer_free(&l->rested);
	free(l->doors);
	free(l->buckets);
	free(l->allow.list);
	free(l);
}
