/*
 * A whole session with AUTH and STARTTLS.  The first byte chooses what is offered and how the owner
 * answers, the second how the bytes are split.  Properties: nobody is told of a name or a password
 * that was not sent in base64, or before AUTH is allowed; a mail begins only where it may, and is
 * by who was accepted last; nothing that follows STARTTLS is ever run; every reply is a line of
 * SMTP; and all of it is the same however the bytes were split.
 */

#include <sys/socket.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/text.h"
#include "base/tls.h"
#include "mail/envelope.h"
#include "smtp/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum {
	OFFER_AUTH = 1,
	WITHOUT_TLS = 2,
	REQUIRED = 4,
	OFFER_TLS = 8,
	LATER = 16,
	NORMALIZE = 32,
	REFUSE_DATA = 64,
};

static struct loop *loop;
static struct ssl_ctx_st *tls;

struct run {
	unsigned options;
	const char *input;
	size_t len;
	struct smtp_session *session; /* NULL: gone */
	int client;
	char user[256]; /* accepted */
	char asked[256];
	bool owes;
	struct smtp_reply answer;
	struct buf story, out;
	bool tls_said; /* the 220 of STARTTLS was seen */
	int64_t memory;
};

static void
must(int held)
{
	if (!held)
		abort();
}

/* In base64, whose last digit before padding has bits that mean nothing. */
static bool
has_sent(const struct run *r, const char *bytes, size_t len)
{
	char *coded = base64_encode(bytes, len);
	size_t sure = strcspn(coded, "=");
	bool found;

	if (coded[sure] == '=')
		sure--;
	found = memmem(r->input, r->len, coded, sure) != NULL;
	free(coded);
	return found;
}

/* PLAIN sends it at once, perhaps with the name in front as well; LOGIN in two parts. */
static void
check_sent(const struct run *r, const char *mechanism, const char *user, const char *password)
{
	size_t user_len = strlen(user), password_len = strlen(password);
	char message[1024];
	size_t len = 0;

	if (strcmp(mechanism, "LOGIN") == 0) {
		must(has_sent(r, user, user_len) && has_sent(r, password, password_len));
		return;
	}
	must(strcmp(mechanism, "PLAIN") == 0);
	message[len++] = '\0';
	memcpy(message + len, user, user_len + 1);
	len += user_len + 1;
	memcpy(message + len, password, password_len);
	len += password_len;
	if (!has_sent(r, message, len)) {
		memmove(message + user_len, message, len);
		memcpy(message, user, user_len);
		must(has_sent(r, message, len + user_len));
	}
}

static enum smtp_now
answer(struct run *r, struct smtp_reply *reply)
{
	if ((r->options & LATER) == 0)
		return SMTP_ANSWER;
	r->owes = true;
	r->answer = *reply;
	return SMTP_LATER;
}

static enum smtp_now
on_authenticate(void *ctx, struct smtp_session *session, const char *mechanism, const char *user,
    const char *password, struct smtp_reply *reply)
{
	struct run *r = ctx;
	size_t len = strlen(user);

	must(!r->owes && !r->tls_said && r->user[0] == '\0');
	must(smtp_session_origin(session)->user[0] == '\0');
	must((r->options & OFFER_AUTH) != 0 && (r->options & WITHOUT_TLS) != 0);
	must(len > 0 && len < sizeof(r->asked) && text_is_utf8(user, len));
	for (size_t i = 0; i < len; i++)
		must((unsigned char)user[i] >= 0x20 && user[i] != 0x7f);
	must(password[0] != '\0' && strlen(password) < 256);
	check_sent(r, mechanism, user, password);
	buf_addf(&r->story, "auth %s %s %s\n", mechanism, user, password);
	strcpy(r->asked, user);
	if (password[0] == 'x')
		*reply = (struct smtp_reply){ 535, "5.7.8", "no" };
	else
		strcpy(r->user, user);
	return answer(r, reply);
}

static enum smtp_now
on_sender(void *ctx, struct smtp_session *session, const struct envelope *envelope,
    const char *address, struct smtp_reply *reply)
{
	struct run *r = ctx;

	(void)envelope;
	must(!r->owes && !r->tls_said);
	must(strcmp(smtp_session_origin(session)->user, r->user) == 0);
	must((r->options & OFFER_AUTH) == 0 || (r->options & REQUIRED) == 0 || r->user[0] != '\0');
	buf_addf(&r->story, "mail %s\n", address);
	return answer(r, reply);
}

static enum smtp_now
on_recipient(void *ctx, struct smtp_session *session, const struct envelope *envelope,
    const char *address, struct smtp_reply *reply)
{
	struct run *r = ctx;

	(void)session;
	must(!r->owes && !r->tls_said && envelope->reverse_path != NULL);
	buf_addf(&r->story, "rcpt %s\n", address);
	return answer(r, reply);
}

static enum smtp_now
on_data(void *ctx, struct smtp_session *session, const struct envelope *envelope,
    struct smtp_reply *reply)
{
	struct run *r = ctx;

	(void)session;
	must(!r->owes && !r->tls_said && envelope->recipients.count > 0);
	must(reply->code == 354);
	buf_adds(&r->story, "data\n");
	if ((r->options & REFUSE_DATA) != 0)
		*reply = (struct smtp_reply){ 451, "4.3.0", "no" };
	return answer(r, reply);
}

static enum smtp_now
on_message(void *ctx, struct smtp_session *session, const struct envelope *envelope,
    struct buf *content, struct smtp_reply *reply)
{
	struct run *r = ctx;

	(void)session;
	must(!r->owes && !r->tls_said && envelope->recipients.count > 0);
	must((r->options & REFUSE_DATA) == 0);
	buf_adds(&r->story, "message ");
	buf_add(&r->story, content->data, content->len);
	buf_addc(&r->story, '\n');
	return answer(r, reply);
}

static void
on_gone(void *ctx, struct smtp_session *session)
{
	struct run *r = ctx;

	must(r->session == session || r->session == NULL);
	r->session = NULL;
	r->owes = false;
}

static bool
on_memory(void *ctx, int64_t bytes)
{
	struct run *r = ctx;

	r->memory += bytes;
	must(r->memory >= 0);
	return true;
}

static const struct smtp_hooks hooks = {
	.sender = on_sender,
	.recipient = on_recipient,
	.message = on_message,
	.gone = on_gone,
	.memory = on_memory,
	.authenticate = on_authenticate,
	.data = on_data,
};

static void
collect(struct run *r)
{
	static const char said[] = "220 2.0.0 go ahead with TLS\r\n";
	char bytes[8192];
	ssize_t n;

	while ((n = recv(r->client, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0) {
		/* What comes after it is an alert of TLS. */
		if (r->tls_said)
			continue;
		buf_add(&r->out, bytes, (size_t)n);
		if (r->out.len >= strlen(said) &&
		    memmem(r->out.data, r->out.len, said, strlen(said)) != NULL) {
			r->tls_said = true;
			r->out.len =
			    (size_t)((char *)memmem(r->out.data, r->out.len, said, strlen(said)) +
				     strlen(said) - r->out.data);
		}
	}
}

static void
turn(struct run *r)
{
	for (int i = 0; i < 4 || (r->owes && r->session != NULL); i++) {
		event_base_loop(loop_base(loop), EVLOOP_NONBLOCK);
		if (r->owes && r->session != NULL) {
			r->owes = false;
			smtp_session_answer(r->session, &r->answer);
			i = 0;
		}
	}
	collect(r);
}

static void
check_replies(const struct run *r)
{
	const char *at = r->out.data, *end = at + r->out.len, *next;

	for (; at < end; at = next) {
		next = memmem(at, (size_t)(end - at), "\r\n", 2);
		must(next != NULL);
		must(next - at >= 4 && next - at <= 510);
		must(at[0] >= '2' && at[0] <= '5' && (at[3] == ' ' || at[3] == '-'));
		for (const char *c = at; c < next; c++)
			must(*c >= ' ' && *c < 0x7f);
		next += 2;
	}
}

static void
run(struct run *r, unsigned seed)
{
	const struct smtp_limits limits = {
		.hostname = "relay.example",
		.most_message_bytes = 200,
		.most_recipients = 3,
		.most_commands = 60,
		.most_errors = 20,
		.most_line_bytes = 600,
		.normalize_line_ends = (r->options & NORMALIZE) != 0,
	};
	const struct smtp_auth auth = {
		.without_tls = (r->options & WITHOUT_TLS) != 0,
		.required = (r->options & REQUIRED) != 0,
		.most_tries = 5,
	};
	int fds[2];

	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
	buf_init(&r->story, SIZE_MAX);
	buf_init(&r->out, SIZE_MAX);
	r->client = fds[1];
	r->session = smtp_session_new(&(struct smtp_session_params){
	    .loop = loop,
	    .fd = fds[0],
	    .limits = &limits,
	    .hooks = &hooks,
	    .ctx = r,
	    .listener = "test:25",
	    .client = "192.0.2.7",
	    .tls = (r->options & OFFER_TLS) != 0 ? tls : NULL,
	    .auth = (r->options & OFFER_AUTH) != 0 ? &auth : NULL,
	});
	for (size_t at = 0; at < r->len && r->session != NULL;) {
		size_t piece = r->len - at;
		ssize_t n;

		if (seed != 0) {
			seed = seed * 1103515245U + 12345U;
			if (piece > 1 + (seed >> 16) % 9)
				piece = 1 + (seed >> 16) % 9;
		}
		n = send(r->client, r->input + at, piece, MSG_NOSIGNAL);
		must(n > 0 || r->session == NULL || errno == EPIPE || errno == EAGAIN);
		if (n > 0)
			at += (size_t)n;
		turn(r);
	}
	shutdown(r->client, SHUT_WR);
	turn(r);
	must(r->session == NULL && r->memory == 0);
	close(r->client);
	event_base_loop(loop_base(loop), EVLOOP_NONBLOCK);
	check_replies(r);
}

static void
begin(void)
{
	char why[100], *certificate = NULL;

	signal(SIGPIPE, SIG_IGN);
	log_setup("fuzz", LOG_LEVEL_ERROR, LOG_FORMAT_TEXT, 2);
	loop = loop_new();
	tls = tls_self_signed_context("127.0.0.1", &certificate, why, sizeof(why));
	must(loop != NULL && tls != NULL);
	free(certificate);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct run whole = { .client = -1 }, split;

	if (loop == NULL)
		begin();
	if (len < 2 || len > 40000)
		return 0;
	whole.options = data[0];
	whole.input = (const char *)data + 2;
	whole.len = len - 2;
	split = whole;
	run(&whole, 0);
	run(&split, 1U + data[1]);
	must(whole.tls_said == split.tls_said);
	must(whole.story.len == split.story.len && whole.out.len == split.out.len);
	must(whole.story.len == 0 ||
	     memcmp(whole.story.data, split.story.data, whole.story.len) == 0);
	must(memcmp(whole.out.data, split.out.data, whole.out.len) == 0);
	buf_free(&whole.story);
	buf_free(&whole.out);
	buf_free(&split.story);
	buf_free(&split.out);
	return 0;
}
