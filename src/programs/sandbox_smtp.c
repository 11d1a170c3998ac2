/*
 * What a session asks is answered at once unless a fault delays it: then the answer waits in the
 * session's guest, with all that it needs.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/strlist.h"
#include "base/text.h"
#include "base/tls.h"
#include "mail/envelope.h"
#include "mail/mime.h"
#include "sandbox/faults.h"
#include "sandbox/submit.h"
#include "smtp/listener.h"
#include "smtp/session.h"

#include "programs/sandbox_smtp.h"

#define HOSTNAME      "smtp.sandbox.example"
#define MOST_SESSIONS 1000
#define MOST_BYTES    ((int64_t)512 * 1024 * 1024) /* of mails that are coming in */
#define BACKLOG       128

/* A session and what is under way in it. */
struct guest {
	struct guest *next;
	struct sandbox_smtp *door;
	struct smtp_session *session;
	struct loop_timer *timer;
	enum {
		GUEST_IDLE,
		GUEST_BEFORE, /* the command waits before it is obeyed */
		GUEST_AFTER,  /* obeyed, the answer waits */
		GUEST_LEAVES, /* the connection is to be cut */
	} stage;
	struct fault fault;
	struct smtp_reply usual; /* of the command */
	char text[256];          /* of the fault's reply */
	char enhanced[16];
	bool obeys; /* the command is the end of a mail: */
	char *user;
	struct strlist recipients;
	char *content;
	size_t len;
};

struct sandbox_smtp {
	struct loop *loop;
	struct state *state;
	struct ssl_ctx_st *tls;
	struct smtp_auth auth;
	struct smtp_limits limits;
	struct smtp_listener *listener;
	struct guest *guests;
	int64_t bytes; /* of mails that are coming in */
	uint16_t port;
};

/* ---- guests ---- */

static void
guest_clear(struct guest *guest)
{
	fault_deinit(&guest->fault);
	free(guest->user);
	free(guest->content);
	strlist_free(&guest->recipients);
	guest->user = guest->content = NULL;
	guest->obeys = false;
	guest->stage = GUEST_IDLE;
}

static void
guest_free(struct guest *guest)
{
	guest_clear(guest);
	loop_timer_free(&guest->timer);
	free(guest);
}

/* The fault's reply, or the usual one where it has none. */
static struct smtp_reply
guest_reply(struct guest *guest)
{
	const struct fault *fault = &guest->fault;
	const char *text = fault->message != NULL ? fault->message : "a fault of the sandbox";
	size_t len = strspn(text, "0123456789.");

	if (fault->status == 0)
		return guest->usual;
	/* "4.3.0 try later": the enhanced status code leads the text. */
	if (len >= 5 && len < sizeof(guest->enhanced) && text[len] == ' ') {
		memcpy(guest->enhanced, text, len);
		guest->enhanced[len] = '\0';
		text += len + 1;
	} else {
		snprintf(guest->enhanced, sizeof(guest->enhanced), "%d.0.0", fault->status / 100);
	}
	text_safe(guest->text, sizeof(guest->text), text, strlen(text));
	return (struct smtp_reply){ fault->status, guest->enhanced, guest->text };
}

static void
guest_obey(struct guest *guest)
{
	const struct submit_mail mail = {
		.user = guest->user,
		.recipients = &guest->recipients,
		.content = guest->content,
		.len = guest->len,
	};

	if (guest->obeys && guest->fault.cut != FAULT_CUT_BEFORE && !fault_refuses(&guest->fault))
		submit_mail(guest->door->state, &mail);
	guest->stage = GUEST_AFTER;
}

/*
 * The command was obeyed, and has waited: its reply.  true: there is none, the connection is cut.
 * A cut after a command that only prepares a mail comes after its reply: at DATA, that is in the
 * middle of the content.
 */
static bool
guest_answer(struct guest *guest, struct smtp_reply *reply_r)
{
	enum fault_cut cut = guest->fault.cut;
	bool now = cut == FAULT_CUT_BEFORE || (cut == FAULT_CUT_AFTER && guest->obeys);

	*reply_r = guest_reply(guest);
	guest_clear(guest);
	if (cut != FAULT_CUT_NEVER && !now) {
		guest->stage = GUEST_LEAVES;
		loop_timer_set(guest->timer, 0);
	}
	return now;
}

static void
guest_timer(void *ctx)
{
	struct guest *guest = ctx;
	struct smtp_reply reply;

	switch (guest->stage) {
	case GUEST_IDLE:
		break;
	case GUEST_BEFORE:
		guest_obey(guest);
		loop_timer_set(guest->timer, guest->fault.delay_after_ms);
		break;
	case GUEST_AFTER:
		if (guest_answer(guest, &reply))
			smtp_session_kill(guest->session);
		else
			smtp_session_answer(guest->session, &reply);
		break;
	case GUEST_LEAVES:
		smtp_session_kill(guest->session);
		break;
	}
}

static struct guest *
guest_find(const struct sandbox_smtp *door, const struct smtp_session *session)
{
	struct guest *guest = door->guests;

	while (guest != NULL && guest->session != session)
		guest = guest->next;
	return guest;
}

/* A client may be faster than the cut that it was to meet. */
static bool
is_leaving(const struct sandbox_smtp *door, const struct smtp_session *session)
{
	const struct guest *guest = guest_find(door, session);

	return guest != NULL && guest->stage == GUEST_LEAVES;
}

static struct guest *
guest_of(struct sandbox_smtp *door, struct smtp_session *session)
{
	struct guest *guest = guest_find(door, session);

	if (guest != NULL)
		return guest;
	guest = mem_new(sizeof(*guest));
	guest->door = door;
	guest->session = session;
	guest->timer = loop_timer_new(door->loop, guest_timer, guest);
	guest->next = door->guests;
	door->guests = guest;
	return guest;
}

/* A command that meets a fault, which the guest has. */
static enum smtp_now
guest_begin(struct guest *guest, struct smtp_reply *reply)
{
	guest->usual = *reply;
	guest->stage = GUEST_BEFORE;
	if (guest->fault.delay_before_ms > 0 || guest->fault.delay_after_ms > 0) {
		loop_timer_set(guest->timer, guest->fault.delay_before_ms);
		return SMTP_LATER;
	}
	guest_obey(guest);
	if (guest_answer(guest, reply))
		smtp_session_kill(guest->session);
	return SMTP_ANSWER;
}

static enum smtp_now
meet(struct sandbox_smtp *door, struct smtp_session *session, const char *command,
    struct smtp_reply *reply)
{
	struct fault fault;
	struct guest *guest;

	if (is_leaving(door, session)) {
		smtp_session_kill(session);
		return SMTP_YES;
	}
	if (!submit_fault(door->state, command, &fault))
		return SMTP_YES;
	guest = guest_of(door, session);
	guest_clear(guest);
	guest->fault = fault;
	return guest_begin(guest, reply);
}

/* ---- what a session asks ---- */

static enum smtp_now
on_authenticate(void *ctx, struct smtp_session *session, const char *mechanism, const char *user,
    const char *password, struct smtp_reply *reply)
{
	struct sandbox_smtp *door = ctx;

	(void)mechanism;
	if (!submit_login(door->state, user, password)) {
		*reply = (struct smtp_reply){ 535, "5.7.8", "Error: authentication failed:" };
		return SMTP_ANSWER;
	}
	return meet(door, session, "/auth", reply);
}

static enum smtp_now
on_sender(void *ctx, struct smtp_session *session, const struct envelope *envelope,
    const char *address, struct smtp_reply *reply)
{
	(void)envelope;
	(void)address;
	return meet(ctx, session, "/mail", reply);
}

static enum smtp_now
on_recipient(void *ctx, struct smtp_session *session, const struct envelope *envelope,
    const char *address, struct smtp_reply *reply)
{
	(void)envelope;
	(void)address;
	return meet(ctx, session, "/rcpt", reply);
}

static enum smtp_now
on_data(void *ctx, struct smtp_session *session, const struct envelope *envelope,
    struct smtp_reply *reply)
{
	(void)envelope;
	return meet(ctx, session, "/data", reply);
}

static enum smtp_now
on_message(void *ctx, struct smtp_session *session, const struct envelope *envelope,
    struct buf *content, struct smtp_reply *reply)
{
	struct sandbox_smtp *door = ctx;
	const char *user = smtp_session_origin(session)->user;
	const struct submit_mail mail = {
		.user = user,
		.recipients = &envelope->recipients,
		.content = content->data != NULL ? content->data : "",
		.len = content->len,
	};
	struct fault fault;
	struct guest *guest;

	if (is_leaving(door, session)) {
		smtp_session_kill(session);
		return SMTP_YES;
	}
	*reply = (struct smtp_reply){ 250, "2.0.0", "Ok: queued" };
	if (!submit_fault(door->state, "/content", &fault)) {
		submit_mail(door->state, &mail);
		return SMTP_ANSWER;
	}
	guest = guest_of(door, session);
	guest_clear(guest);
	guest->fault = fault;
	guest->obeys = true;
	guest->user = mem_string(user);
	strlist_copy(&guest->recipients, &envelope->recipients);
	guest->len = content->len;
	guest->content = content->len > 0 ? buf_take(content, NULL) : mem_string("");
	return guest_begin(guest, reply);
}

static bool
on_memory(void *ctx, int64_t bytes)
{
	struct sandbox_smtp *door = ctx;

	if (bytes > 0 && door->bytes > MOST_BYTES - bytes)
		return false;
	door->bytes += bytes;
	return true;
}

static bool
on_hides_tls(void *ctx, const struct smtp_session *session)
{
	const struct sandbox_smtp *door = ctx;

	(void)session;
	return !submit_starttls(door->state);
}

static void
on_gone(void *ctx, struct smtp_session *session)
{
	struct sandbox_smtp *door = ctx;

	for (struct guest **at = &door->guests; *at != NULL; at = &(*at)->next) {
		struct guest *guest = *at;

		if (guest->session != session)
			continue;
		*at = guest->next;
		guest_free(guest);
		return;
	}
}

static const struct smtp_hooks hooks = {
	.sender = on_sender,
	.recipient = on_recipient,
	.message = on_message,
	.gone = on_gone,
	.memory = on_memory,
	.authenticate = on_authenticate,
	.data = on_data,
	.hides_tls = on_hides_tls,
};

/* ---- life ---- */

/* A listening socket, or -1. */
static int
open_socket(const struct sandbox_smtp_params *params, uint16_t *port_r, char *why, size_t why_size)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} address = { .v4 = { .sin_family = AF_INET } };
	socklen_t len = sizeof(address.v4);
	const int on = 1;
	int fd;

	if (inet_pton(AF_INET, params->address, &address.v4.sin_addr) == 1) {
		address.v4.sin_port = htons(params->port);
	} else {
		memset(&address, 0, sizeof(address));
		address.v6.sin6_family = AF_INET6;
		address.v6.sin6_port = htons(params->port);
		len = sizeof(address.v6);
		if (inet_pton(AF_INET6, params->address, &address.v6.sin6_addr) != 1) {
			snprintf(why, why_size, "%s is no IP address", params->address);
			return -1;
		}
	}
	fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		goto fail;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, &address.any, len) != 0 || listen(fd, BACKLOG) != 0 ||
	    getsockname(fd, &address.any, &len) != 0)
		goto fail;
	*port_r =
	    ntohs(address.any.sa_family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port);
	return fd;

fail:
	snprintf(why, why_size, "cannot listen on %s port %u for SMTP: %s", params->address,
	    params->port, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

/* 0, or -1. */
static int
write_file(const char *path, const char *text, char *why, size_t why_size)
{
	FILE *file = fopen(path, "we");
	int rc = 0;

	if (file == NULL || fputs(text, file) == EOF)
		rc = -1;
	if (file != NULL && fclose(file) != 0)
		rc = -1;
	if (rc != 0)
		snprintf(why, why_size, "cannot write %s: %s", path, strerror(errno));
	return rc;
}

/* 0, or -1. */
static int
open_tls(
    struct sandbox_smtp *door, const struct sandbox_smtp_params *params, char *why, size_t why_size)
{
	char *certificate = NULL;
	int rc = 0;

	if (params->certificate_file != NULL || params->key_file != NULL) {
		if (params->certificate_file == NULL || params->key_file == NULL) {
			snprintf(why, why_size,
			    "a certificate needs its key, and a key its "
			    "certificate");
			return -1;
		}
		door->tls = tls_server_context(
		    params->certificate_file, params->key_file, NULL, why, why_size);
		return door->tls != NULL ? 0 : -1;
	}
	door->tls = tls_self_signed_context(params->address, &certificate, why, why_size);
	if (door->tls == NULL)
		return -1;
	if (params->ca_file != NULL)
		rc = write_file(params->ca_file, certificate, why, why_size);
	free(certificate);
	return rc;
}

static int
open_listener(
    struct sandbox_smtp *door, const struct sandbox_smtp_params *params, char *why, size_t why_size)
{
	static const char *const near[] = { "127.0.0.0/8", "::1" };
	static const char *const far[] = { "0.0.0.0/0", "::/0" };
	const char *const *networks = params->allow_remote ? far : near;
	struct strlist allow = { 0 };
	const char *name = params->address;
	int fd = open_socket(params, &door->port, why, why_size);

	if (fd < 0)
		return -1;
	strlist_add(&allow, networks[0]);
	strlist_add(&allow, networks[1]);
	door->listener = smtp_listener_new(&(struct smtp_listener_params){
	    .loop = params->loop,
	    .fds = &fd,
	    .names = &name,
	    .count = 1,
	    .limits = &door->limits,
	    .hooks = &hooks,
	    .ctx = door,
	    .tls = door->tls,
	    .auth = &door->auth,
	    .allow = &allow,
	    .most_sessions = MOST_SESSIONS,
	    .most_sessions_client = MOST_SESSIONS,
	});
	strlist_free(&allow);
	if (door->listener == NULL) {
		snprintf(why, why_size, "cannot serve SMTP");
		return -1;
	}
	return 0;
}

struct sandbox_smtp *
sandbox_smtp_new(const struct sandbox_smtp_params *params, char *why, size_t why_size)
{
	struct sandbox_smtp *door = mem_new(sizeof(*door));

	mime_setup();
	door->loop = params->loop;
	door->state = params->state;
	/* As of Postmark's: TLS is offered, AUTH is wanted and fine without it. */
	door->auth = (struct smtp_auth){ .without_tls = true, .required = true, .most_tries = 20 };
	door->limits = (struct smtp_limits){
		.hostname = HOSTNAME,
		.most_message_bytes = 20480000,
		.most_recipients = 1000,
		.most_errors = 100,
		.most_line_bytes = 4096,
		.command_timeout_ms = 300000,
		.data_timeout_ms = 180000,
	};
	if (open_tls(door, params, why, why_size) != 0 ||
	    open_listener(door, params, why, why_size) != 0)
		sandbox_smtp_free(&door);
	return door;
}

uint16_t
sandbox_smtp_port(const struct sandbox_smtp *door)
{
	return door->port;
}

void
sandbox_smtp_free(struct sandbox_smtp **door_p)
{
	struct sandbox_smtp *door = *door_p;

	if (door == NULL)
		return;
	smtp_listener_free(&door->listener);
	tls_context_free(&door->tls);
	free(door);
	*door_p = NULL;
}
