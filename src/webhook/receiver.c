/*
 * From a post to the answer it gets.
 *
 * admit() judges a request by its head and refuses it, so that a stranger never has a body read;
 * request() reads the body and asks the core; receiver_frame() brings the core's word, which is the
 * answer.  What was asked stays in the list until the core has answered, also when the client has
 * gone: it may be stored by then, or be asked for again of the next core.  After a minute the
 * client is told to come again; what the channel still holds of the post counts as memory all the
 * same.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/http_frame.h"
#include "base/httpd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/tls.h"
#include "config/config.h"
#include "mail/event.h"
#include "mail/mail.h"
#include "mail/refusal.h"
#include "channel/frame.h"
#include "channel/peer.h"
#include "postmark/event.h"

#include "webhook/hooks.h"
#include "webhook/receiver.h"
#include "webhook/senders.h"

#define MOST_HEAD_BYTES (16U * 1024U)
#define HEAD_MS         10000 /* for strangers */
#define IDLE_MS         75000 /* longer than proxies keep a connection to use it again */
#define MOST_PENDING    4096U
#define CORE_WAIT_MS    60000
#define CORE_ABSENCE_MS 5000 /* that a new core takes to start; posts wait for it */
#define SWEEP_MS        1000
#define LOG_SPAN_MS     10000
#define MOST_FORWARDED  16U
#define RETRY_AFTER     "30"
#define STREAM_OF_MAILS "inbound"

/* What the core has been, or will be, asked to store: one of the two. */
struct pending {
	struct pending *older, *newer;
	uint64_t serial;
	struct event *event;
	struct mail *mail;
	struct receiver *receiver;
	struct httpd_request *request; /* NULL: its client has gone, or was told */
	bool given_up;
	size_t bytes;
	int64_t begun_ms; /* monotonic */
};

/* A TCP socket that waits for the certificate. */
struct silent {
	int fd;
	char *name;
};

struct receiver {
	struct loop *loop;
	const struct config *config;
	receiver_inbound_fn *inbound;
	void *inbound_ctx;
	struct httpd *httpd;
	struct senders *senders;
	struct hooks *hooks; /* NULL: not told yet */
	struct silent *silent;
	size_t silent_count;
	bool stopped;

	struct peer *peer; /* NULL: no core at the moment */
	int64_t absent_ms; /* since when, monotonic */
	uint64_t next_serial;
	struct pending *oldest, *newest;
	size_t pending_count, pending_bytes, given_up_count;
	struct loop_timer *sweep;

	/* Of the request that is being judged, for the log. */
	char sender[SENDERS_TEXT_SIZE];
	const char *reason; /* NULL: what the client is told */
	struct log_gate strangers, wrong, trouble;
};

/* --- the log ------------------------------------------------------------------------------ */

/* Strangers who try, posts that are wrong, and our own trouble do not hide each other. */
static void
log_refusal(struct receiver *r, const char *client, int status, const char *why)
{
	struct log_gate *gate = status == 401   ? &r->strangers
				: status >= 500 ? &r->trouble
						: &r->wrong;
	int64_t left_out;

	if (log_gate_pass(gate, LOG_SPAN_MS, &left_out))
		log_warning("webhook-refused", log_str("client", client), log_num("status", status),
		    log_str("why", why), log_num("left_out", left_out));
}

/* In the listener: by admit(), or by a limit of it. */
static void
on_refused(void *ctx, const struct httpd_peer *peer, int status, const char *why)
{
	struct receiver *r = ctx;

	log_refusal(r, r->sender[0] != '\0' ? r->sender : peer->address, status,
	    r->reason != NULL ? r->reason : why);
	r->sender[0] = '\0';
	r->reason = NULL;
}

/* --- what waits for the core -------------------------------------------------------------- */

static void
pending_remove(struct pending *p)
{
	struct receiver *r = p->receiver;

	*(p->older != NULL ? &p->older->newer : &r->oldest) = p->newer;
	*(p->newer != NULL ? &p->newer->older : &r->newest) = p->older;
	r->pending_count--;
	r->given_up_count -= p->given_up;
	r->pending_bytes -= p->bytes;
	mail_event_free(&p->event);
	mail_free(&p->mail);
	free(p);
}

static void
on_client_gone(void *ctx)
{
	struct pending *p = ctx;

	p->request = NULL;
}

/* Takes event and mail. */
static struct pending *
pending_add(
    struct receiver *r, struct httpd_request *request, struct event *event, struct mail *mail)
{
	struct pending *p = mem_new(sizeof(*p));

	p->receiver = r;
	p->serial = RECEIVER_SERIAL | r->next_serial++;
	p->event = event;
	p->mail = mail;
	p->request = request;
	p->bytes =
	    event != NULL ? event->json_len + sizeof(*event) : (size_t)mail_payload_bytes(mail);
	p->begun_ms = clock_mono_ms();
	p->older = r->newest;
	*(r->newest != NULL ? &r->newest->newer : &r->oldest) = p;
	r->newest = p;
	r->pending_bytes += p->bytes;
	if (r->pending_count++ == 0)
		loop_timer_set(r->sweep, SWEEP_MS);
	httpd_on_gone(request, on_client_gone, p);
	return p;
}

/* The core answers in the order in which it was asked, nearly. */
static struct pending *
pending_find(struct receiver *r, uint64_t serial)
{
	struct pending *p = r->oldest;

	while (p != NULL && p->serial != serial)
		p = p->newer;
	return p;
}

/* --- answers ------------------------------------------------------------------------------ */

/* As the listener's own refusals look.  why is our own text, or made safe. */
static void
answer(struct httpd_request *request, int status, const char *code, const char *why)
{
	struct buf out;

	buf_init(&out, 4096);
	if (status == 200) {
		buf_adds(&out, "{}");
	} else {
		buf_addf(&out, "{\"error\":{\"status\":%d", status);
		json_add_member(&out, "code", code, strlen(code));
		json_add_member(&out, "message", why, strlen(why));
		buf_adds(&out, "}}");
	}
	buf_addc(&out, '\n');
	if (status == 503)
		httpd_add_header(request, "Retry-After", RETRY_AFTER);
	httpd_answer(request, status, "application/json", out.data, out.len);
	buf_free(&out);
}

static const char *
code_of(int status)
{
	switch (status) {
	case 400:
		return "bad-request";
	case 413:
		return "too-large";
	case 415:
		return "no-such-type";
	case 503:
		return "busy";
	default:
		return status < 500 ? "refused" : "trouble";
	}
}

static void
refuse(struct receiver *r, struct httpd_request *request, int status, const char *why)
{
	log_refusal(r, r->sender, status, why);
	answer(request, status, code_of(status), why);
}

static const char *
fact_name(const struct pending *p)
{
	return p->event != NULL ? event_kind_name(p->event->kind) : "mail";
}

/* status 200: durable. */
static void
tell(struct pending *p, int status, const char *why)
{
	struct receiver *r = p->receiver;
	struct httpd_request *request = p->request;
	int64_t left_out;

	if (status == 200) {
		log_debug("webhook", log_str("kind", fact_name(p)),
		    log_str("message_id", p->event != NULL ? p->event->message_id : NULL),
		    log_str("mail", p->mail != NULL ? p->mail->id : NULL),
		    log_num("ms", clock_mono_ms() - p->begun_ms),
		    log_str("client_gone", request == NULL ? "yes" : NULL));
	} else if (log_gate_pass(&r->trouble, LOG_SPAN_MS, &left_out)) {
		log_warning("webhook-refused", log_str("kind", fact_name(p)),
		    log_num("status", status), log_str("why", why), log_num("left_out", left_out));
	}
	p->request = NULL;
	if (request != NULL)
		answer(request, status, code_of(status), why);
}

static void
finish(struct pending *p, int status, const char *why)
{
	if (!p->given_up || status == 200)
		tell(p, status, why);
	pending_remove(p);
}

static void
sweep(void *ctx)
{
	struct receiver *r = ctx;
	int64_t now = clock_mono_ms();
	struct pending *next;

	for (struct pending *p = r->oldest; p != NULL && now - p->begun_ms > CORE_WAIT_MS;
	     p = next) {
		next = p->newer;
		if (p->given_up)
			continue;
		tell(p, 503, "the spool did not answer, try again later");
		p->given_up = true;
		r->given_up_count++;
		if (r->peer == NULL)
			pending_remove(p);
	}
	if (r->pending_count > 0)
		loop_timer_set(r->sweep, SWEEP_MS);
}

/* --- the channel -------------------------------------------------------------------------- */

static void
ask(struct pending *p)
{
	struct receiver *r = p->receiver;

	if (r->peer == NULL) /* receiver_connect() will ask */
		return;
	if (p->event != NULL) {
		peer_event(r->peer, p->serial, p->event);
		return;
	}
	switch (peer_commit(r->peer, p->serial, p->mail)) {
	case PEER_SENT:
		return;
	case PEER_UNFIT:
		finish(p, 413, "the mail is too large for this relay");
		return;
	case PEER_NO_ROOM:
		finish(p, 503, "too many files are open, try again later");
		return;
	}
}

void
receiver_connect(struct receiver *r, struct peer *peer)
{
	struct pending *next;

	if (peer == NULL && r->peer != NULL)
		r->absent_ms = clock_mono_ms();
	r->peer = peer;
	for (struct pending *p = r->oldest; p != NULL; p = next) {
		next = p->newer;
		if (p->given_up)
			pending_remove(p); /* it went with its channel, and Postmark comes again */
		else if (peer != NULL)
			ask(p);
	}
}

static int
on_committed(struct receiver *r, const struct frame_head *head, const char *body)
{
	struct refusal refusal;
	struct pending *p;
	bool stored;

	if (frame_committed_read(body, head->body_bytes, &stored, &refusal) != 0)
		return -1;
	p = pending_find(r, head->serial);
	if (p != NULL)
		finish(p, stored ? 200 : 503, stored ? "" : refusal.text);
	return 0;
}

/* --- the listeners ------------------------------------------------------------------------ */

static bool
is_local(const char *name)
{
	return text_starts(name, "unix:");
}

/* The socket is taken.  tls NULL: plain. */
static void
listen_on(struct receiver *r, int fd, const char *name, const struct httpd_tls *tls)
{
	char why[256] = "";

	if (httpd_listen(r->httpd, fd, tls, why, sizeof(why)) != 0)
		log_error("webhook-listen", log_str("address", name), log_str("why", why));
}

static void
end_silence(struct receiver *r, const struct httpd_tls *tls)
{
	for (size_t i = 0; i < r->silent_count; i++) {
		listen_on(r, r->silent[i].fd, r->silent[i].name, tls);
		free(r->silent[i].name);
	}
	r->silent_count = 0;
}

/* Never back to plain for want of a certificate: secrets would be sent for all to read. */
static void
use_certificate(struct receiver *r)
{
	const struct httpd_tls tls = { .certificate = hooks_certificate(r->hooks),
		.key = hooks_key(r->hooks) };
	bool secure = hooks_tls(r->hooks);
	char why[256] = "there is none that can be used";

	if (r->stopped)
		return;
	if ((secure && tls.certificate == NULL) ||
	    httpd_use_tls(r->httpd, secure ? &tls : NULL, why, sizeof(why)) != 0) {
		log_error("webhook-certificate", log_str("why", why),
		    log_str("todo", "mend it and reload; what was in use stays, and where nothing "
				    "was, nothing is taken by TCP"));
		return;
	}
	end_silence(r, secure ? &tls : NULL);
}

static int
on_hooks(struct receiver *r, const char *json, size_t len)
{
	struct hooks *hooks = hooks_read(json, len);

	if (hooks == NULL)
		return -1;
	hooks_free(&r->hooks);
	r->hooks = hooks;
	use_certificate(r);
	return 0;
}

int
receiver_frame(struct receiver *r, const struct frame_head *head, const char *body)
{
	switch ((enum frame_kind)head->kind) {
	case FRAME_COMMITTED:
		return on_committed(r, head, body);
	case FRAME_HOOKS:
		return on_hooks(r, body, head->body_bytes);
	case FRAME_COMMIT:
	case FRAME_EXPLAIN:
	case FRAME_EXPLAINED:
	case FRAME_EVENT:
	case FRAME_SUPPRESSIONS:
		break; /* what a front says, or others hear */
	}
	return -1;
}

/* --- the head of a request ---------------------------------------------------------------- */

/* A header that stands there once.  NULL: it does not, or several times. */
static const char *
only_header(const struct http_frame *frame, const char *name)
{
	if (name == NULL || http_frame_header_at(frame, name, 1) != NULL)
		return NULL;
	return http_frame_header(frame, name);
}

/* Also r->sender. */
static bool
sender_may(struct receiver *r, const struct httpd_peer *peer, const struct http_frame *frame)
{
	static const char name[] = "X-Forwarded-For";
	const char *forwarded[MOST_FORWARDED];
	size_t count = 0, skip = 0;

	/* The last ones: nearer proxies than those had nothing to add. */
	while (http_frame_header_at(frame, name, skip + MOST_FORWARDED) != NULL)
		skip++;
	while (count < MOST_FORWARDED) {
		forwarded[count] = http_frame_header_at(frame, name, skip + count);
		if (forwarded[count] == NULL)
			break;
		count++;
	}
	return senders_may(r->senders, peer->address, forwarded, count, r->sender);
}

/* Whether it has the secrets of a hook; they are told. */
static bool
is_known(const struct receiver *r, const struct http_frame *frame, struct hooks_found *found_r)
{
	const struct hooks_shown shown = { .path = frame->path,
		.authorization = only_header(frame, "Authorization"),
		.header = only_header(frame, hooks_header(r->hooks)) };

	return hooks_find(r->hooks, &shown, clock_wall_ms(), found_r);
}

static int
refuse_head(
    struct httpd_head *head, int status, const char *why, const char *header, const char *value)
{
	head->why = why;
	head->header = header;
	head->value = value;
	return status;
}

/* 0, or 503: there is no room for it now. */
static int
find_room(const struct receiver *r, struct httpd_head *head)
{
	const char *why = NULL;

	if (r->peer == NULL && clock_mono_ms() - r->absent_ms > CORE_ABSENCE_MS)
		why = "the spool is not there, try again later";
	else if (r->pending_count >= MOST_PENDING)
		why = "the spool is busy, try again later";
	else if (httpd_held_bytes(r->httpd) + r->pending_bytes + head->announced >
		 r->config->webhook_memory_bytes)
		why = "too much at once, try again later";
	return why != NULL ? refuse_head(head, 503, why, "Retry-After", RETRY_AFTER) : 0;
}

static bool
takes_mails(const struct hooks_found *found)
{
	return found->stream[0] == '\0' || text_same(found->stream, STREAM_OF_MAILS);
}

static int
on_admit(void *ctx, struct httpd_head *head)
{
	struct receiver *r = ctx;
	const char *coding = httpd_head_header(head, "Content-Encoding", 0);
	struct hooks_found found;
	bool may = sender_may(r, head->peer, head->frame), known;

	r->reason = NULL;
	if (r->hooks == NULL)
		return refuse_head(
		    head, 503, "not ready yet, try again later", "Retry-After", RETRY_AFTER);
	known = is_known(r, head->frame, &found);
	/* One answer, whatever is wrong: who guesses learns nothing. */
	if (!known || !may) {
		r->reason = may ? "wrong path or credentials" : "address not in webhook.networks";
		return refuse_head(head, 401, "wrong path or credentials", "WWW-Authenticate",
		    "Basic realm=\"webhook\"");
	}
	if (strcmp(head->method, "POST") != 0)
		return refuse_head(head, 405, "webhooks post", "Allow", "POST");
	if (coding != NULL && !text_same(coding, "identity"))
		return refuse_head(
		    head, 415, "the body is to come as it is", "Accept-Encoding", "identity");
	head->most_body =
	    takes_mails(&found) ? r->config->webhook_inbound_bytes : r->config->webhook_body_bytes;
	if (find_room(r, head) != 0)
		return 503;
	r->sender[0] = '\0'; /* what is refused next may be another's */
	return 0;
}

/* --- a request -------------------------------------------------------------------------------- */

static void
take_event(struct receiver *r, struct httpd_request *request, struct post *post)
{
	struct event *event = post->event;

	post->event = NULL;
	ulid_make(event->id, event->received_ms);
	ask(pending_add(r, request, event, NULL));
}

static void
take_mail(struct receiver *r, struct httpd_request *request, const struct post *post,
    const struct hooks_found *found)
{
	struct receiver_refusal refusal = { .status = 503, .why = "no mail is taken here" };
	struct mail *mail = NULL;

	if (r->inbound != NULL)
		mail = r->inbound(r->inbound_ctx, post->mail, found->connection, &refusal);
	if (mail == NULL)
		refuse(r, request, refusal.status, refusal.why);
	else
		ask(pending_add(r, request, NULL, mail));
}

/* Any type will do whose body can be read. */
static int
status_of_nonsense(const struct httpd_request *request)
{
	const char *type = httpd_header(request, "Content-Type");

	return type == NULL || text_find_same(type, "json") != NULL ? 400 : 415;
}

static void
on_request(void *ctx, struct httpd_request *request)
{
	struct receiver *r = ctx;
	struct post_origin origin = { .trace_id = httpd_header(request, "X-PM-Webhook-Trace-Id"),
		.now_ms = clock_wall_ms() };
	struct hooks_found found;
	struct post post;
	const char *body;
	size_t len;

	sender_may(r, httpd_peer(request), httpd_frame(request));
	/* Secrets may have changed while the body came. */
	if (!is_known(r, httpd_frame(request), &found)) {
		refuse(r, request, 503, "secrets have changed, try again");
		r->sender[0] = '\0';
		return;
	}
	origin.connection = found.connection;
	origin.stream = found.stream;
	body = httpd_body(request, &len);
	post_read(&post, body, len, &origin);
	switch (post.kind) {
	case POST_EVENT:
		take_event(r, request, &post);
		break;
	case POST_MAIL:
		take_mail(r, request, &post, &found);
		break;
	case POST_PROBE:
		log_debug("webhook", log_str("kind", "probe"), log_str("client", r->sender));
		answer(request, 200, "", "");
		break;
	case POST_REFUSED:
		refuse(r, request, status_of_nonsense(request), post.why);
		break;
	}
	r->sender[0] = '\0';
	post_free(&post);
}

/* --- life --------------------------------------------------------------------------------- */

static struct httpd_limits
limits_of(const struct config *config)
{
	uint64_t most_body = config->webhook_body_bytes > config->webhook_inbound_bytes
				 ? config->webhook_body_bytes
				 : config->webhook_inbound_bytes;

	return (struct httpd_limits){ .most_header_bytes = MOST_HEAD_BYTES,
		.most_body_bytes = most_body,
		.most_held_bytes = config->webhook_memory_bytes,
		.most_connections = config->webhook_connections,
		.request_timeout_ms = config->webhook_timeout_ms,
		.head_timeout_ms = HEAD_MS,
		.idle_timeout_ms = IDLE_MS };
}

void
receiver_prepare(void)
{
	struct ssl_ctx_st *context;
	char why[100];

	context = tls_bare_context(why, sizeof(why));
	tls_context_free(&context);
}

struct receiver *
receiver_new(const struct receiver_params *params)
{
	struct receiver *r = mem_new(sizeof(*r));
	bool secure = params->config->webhook_certificate_file[0] != '\0';

	r->loop = params->loop;
	r->config = params->config;
	r->inbound = params->inbound;
	r->inbound_ctx = params->inbound_ctx;
	r->senders = senders_new(&r->config->webhook_networks, &r->config->webhook_proxies);
	r->absent_ms = clock_mono_ms();
	r->next_serial = 1;
	r->sweep = loop_timer_new(r->loop, sweep, r);
	r->httpd = httpd_new(&(struct httpd_params){ .loop = r->loop,
	    .limits = limits_of(r->config),
	    .admit = on_admit,
	    .refused = on_refused,
	    .request = on_request,
	    .ctx = r });
	r->silent = mem_array(params->count + 1, sizeof(*r->silent));
	for (size_t i = 0; i < params->count; i++) {
		if (secure && !is_local(params->names[i]))
			r->silent[r->silent_count++] =
			    (struct silent){ params->fds[i], mem_string(params->names[i]) };
		else
			listen_on(r, params->fds[i], params->names[i], NULL);
	}
	return r;
}

void
receiver_reload(struct receiver *r, const struct config *config)
{
	struct httpd_limits limits = limits_of(config);

	r->config = config;
	senders_free(&r->senders);
	r->senders = senders_new(&config->webhook_networks, &config->webhook_proxies);
	httpd_set_limits(r->httpd, &limits);
}

static void
drop_silent(struct receiver *r)
{
	for (size_t i = 0; i < r->silent_count; i++) {
		close(r->silent[i].fd);
		free(r->silent[i].name);
	}
	r->silent_count = 0;
}

void
receiver_stop(struct receiver *r)
{
	r->stopped = true;
	httpd_stop_listening(r->httpd);
	drop_silent(r);
}

size_t
receiver_waiting(const struct receiver *r)
{
	size_t open = httpd_open_requests(r->httpd);
	size_t asked = r->pending_count - r->given_up_count;

	return open > asked ? open : asked;
}

void
receiver_free(struct receiver **receiver)
{
	struct receiver *r = *receiver;

	if (r == NULL)
		return;
	*receiver = NULL;
	drop_silent(r);
	httpd_free(&r->httpd);
	while (r->oldest != NULL)
		pending_remove(r->oldest);
	hooks_free(&r->hooks);
	senders_free(&r->senders);
	loop_timer_free(&r->sweep);
	free(r->silent);
	free(r);
}
