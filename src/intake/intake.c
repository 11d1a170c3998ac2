/*
 * From a received mail to the answer its client gets: plan.c says what becomes of it.
 *
 * A mail that was sent to the core is in the table until the core has answered, also when its
 * client has gone: the core may have stored it, or may die and be asked again.  Only the mail's
 * id makes that safe (store_commit() takes an id once).
 */

#include <sys/mman.h>
#include <sys/stat.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/text.h"
#include "mail/envelope.h"
#include "mail/mail.h"
#include "mail/refusal.h"
#include "mail/suppression.h"
#include "channel/frame.h"
#include "channel/peer.h"
#include "convert/convert.h"
#include "routing/routing.h"
#include "smtp/session.h"

#include "intake/explain.h"
#include "intake/intake.h"
#include "intake/plan.h"
#include "intake/rules.h"
#include "intake/suppressed.h"

#define TABLE_SLOTS    1024U /* a power of two */
#define SWEEP_MS       1000
#define MOST_KEPT_TEXT 1000U /* of a text in the record; well below FRAME_MOST_TEXT */

/* What an explanation may take for a mail of no size, and what it may say of messages at most: a
 * frame holds that, the largest message, and all that stands around it. */
#define EXPLAIN_LEAST_BYTES (512U * 1024U)
#define EXPLAIN_MOST_BYTES  (24U * 1024U * 1024U)

/* A mail that the core has been, or will be, asked to store. */
struct pending {
	struct pending *next_in_slot;
	struct pending *older, *newer; /* by serial */
	uint64_t serial;
	struct mail *mail;
	struct smtp_session *session; /* NULL: its client has gone, or was told to come again */
	bool given_up;
	uint64_t bytes;      /* of payloads, as counted in intake->memory */
	int64_t received_ms; /* monotonic */
};

struct intake {
	struct loop *loop;
	const struct rules *rules;
	uint64_t most_memory_bytes;
	int64_t most_wait_ms;

	struct peer *peer; /* NULL: no core at the moment */
	uint64_t next_serial;
	struct pending *slots[TABLE_SLOTS];
	struct pending *oldest, *newest;
	size_t waiting, given_up;
	uint64_t memory; /* of contents and payloads */
	struct loop_timer *sweep;
	struct log_gate memory_gate;
	struct suppressed suppressed;
	uint64_t refused_suppressed;
};

static void sweep(void *);
static bool on_memory(void *, int64_t);

struct intake *
intake_new(const struct intake_params *params)
{
	struct intake *in = mem_new(sizeof(*in));

	in->loop = params->loop;
	in->rules = params->rules;
	in->most_memory_bytes = params->most_memory_bytes;
	in->most_wait_ms = params->most_wait_ms;
	in->next_serial = 1;
	in->sweep = loop_timer_new(in->loop, sweep, in);
	return in;
}

void
intake_reload(struct intake *in, const struct rules *rules)
{
	in->rules = rules;
}

void
intake_suppressions(struct intake *in, const void *table, size_t len)
{
	in->suppressed = (struct suppressed){ 0 };
	if (table == NULL)
		return;
	if (suppression_table_check(table, len) == 0)
		in->suppressed = (struct suppressed){ .table = table, .len = len };
	else
		log_error("suppressions-broken", log_num("bytes", (int64_t)len),
		    log_str("why", "the core's table is none: no recipient is refused for it"));
}

uint64_t
intake_refused_suppressed(const struct intake *in)
{
	return in->refused_suppressed;
}

size_t
intake_waiting(const struct intake *in)
{
	return in->waiting - in->given_up;
}

/* --- the table of mails that wait for the core -------------------------------------------- */

static struct pending *
pending_add(struct intake *in, struct mail *mail, struct smtp_session *session)
{
	struct pending *p = mem_new(sizeof(*p));
	struct pending **slot;

	p->serial = in->next_serial++;
	p->mail = mail;
	p->session = session;
	p->received_ms = clock_mono_ms();
	p->bytes = mail_payload_bytes(mail);
	in->memory += p->bytes;

	slot = &in->slots[p->serial % TABLE_SLOTS];
	p->next_in_slot = *slot;
	*slot = p;
	p->older = in->newest;
	if (in->newest != NULL)
		in->newest->newer = p;
	else
		in->oldest = p;
	in->newest = p;
	if (in->waiting++ == 0)
		loop_timer_set(in->sweep, SWEEP_MS);
	return p;
}

static struct pending *
pending_find(struct intake *in, uint64_t serial)
{
	struct pending *p = in->slots[serial % TABLE_SLOTS];

	while (p != NULL && p->serial != serial)
		p = p->next_in_slot;
	return p;
}

static void
pending_remove(struct intake *in, struct pending *p)
{
	struct pending **slot = &in->slots[p->serial % TABLE_SLOTS];

	while (*slot != p)
		slot = &(*slot)->next_in_slot;
	*slot = p->next_in_slot;
	if (p->older != NULL)
		p->older->newer = p->newer;
	else
		in->oldest = p->newer;
	if (p->newer != NULL)
		p->newer->older = p->older;
	else
		in->newest = p->older;
	in->waiting--;
	in->given_up -= p->given_up;
	in->memory -= p->bytes;
	mail_free(&p->mail);
	free(p);
}

void
intake_free(struct intake **intake)
{
	struct intake *in = *intake;

	if (in == NULL)
		return;
	*intake = NULL;
	while (in->oldest != NULL)
		pending_remove(in, in->oldest);
	loop_timer_free(&in->sweep);
	free(in);
}

/* --- answers ------------------------------------------------------------------------------ */

static void
answer(struct smtp_session *session, const struct refusal *refusal)
{
	const struct smtp_reply reply = {
		.code = refusal->code, .enhanced = refusal->enhanced, .text = refusal->text
	};

	smtp_session_answer(session, &reply);
}

static void
log_accepted(const struct mail *mail, int64_t ms, bool client_gone)
{
	log_info("accepted", log_str("mail", mail->id), log_str("client", mail->client),
	    log_str("from", mail->reverse_path), log_str("route", mail->route),
	    log_num("items", (int64_t)mail->item_count),
	    log_num("bytes", (int64_t)mail->content_bytes),
	    log_str("message_id", mail->message_id[0] != '\0' ? mail->message_id : NULL),
	    log_str("ledger", mail->ledger[0] != '\0' ? mail->ledger : NULL),
	    log_str("captured", mail->captured ? "yes" : NULL), log_num("ms", ms),
	    log_str("client_gone", client_gone ? "yes" : NULL));
}

/* As many ids as a reply has room for; the log has them all. */
static void
print_ids(char *out, size_t size, const struct mail *mail)
{
	size_t len = (size_t)snprintf(out, size, "queued as %s", mail->id);

	for (mail = mail->next; mail != NULL && len + ULID_SIZE + 2 < size; mail = mail->next)
		len += (size_t)snprintf(out + len, size - len, ", %s", mail->id);
}

/* note: what Postmark said, where the route waits for that; NULL or "": nothing. */
static void
tell(struct pending *p, const struct refusal *refusal, const char *note)
{
	struct smtp_session *session = p->session;
	int64_t ms = clock_mono_ms() - p->received_ms;
	char text[400];

	if (refusal == NULL) {
		for (const struct mail *mail = p->mail; mail != NULL; mail = mail->next)
			log_accepted(mail, ms, session == NULL);
	} else if (session == NULL) {
		/* What a client is told, its session logs. */
		log_warning("not-stored", log_str("mail", p->mail->id),
		    log_str("client", p->mail->client), log_str("from", p->mail->reverse_path),
		    log_num("code", refusal->code), log_str("why", refusal->text),
		    log_num("ms", ms));
	}
	if (session == NULL)
		return;
	p->session = NULL;
	if (refusal != NULL) {
		answer(session, refusal);
		return;
	}
	print_ids(text, note != NULL && note[0] != '\0' ? sizeof(text) / 2 : sizeof(text), p->mail);
	if (note != NULL && note[0] != '\0')
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "; %s", note);
	smtp_session_answer(
	    session, &(struct smtp_reply){ .code = 250, .enhanced = "2.0.0", .text = text });
}

static void
finish(struct intake *in, struct pending *p, const struct refusal *refusal, const char *note)
{
	if (!p->given_up)
		tell(p, refusal, note);
	else if (refusal == NULL)
		log_warning("stored-late", log_str("mail", p->mail->id),
		    log_str("why", "a mail that was answered 451 is stored after all, and may come "
				   "twice"));
	pending_remove(in, p);
}

/* The core has been silent for too long: the client may try again, at the risk of a second copy
 * if the core stored the mail after all.  Said, not hidden.  The channel still has it, so its
 * memory counts until the core has answered. */
static void
sweep(void *ctx)
{
	struct intake *in = ctx;
	int64_t now = clock_mono_ms();
	struct pending *next;
	struct refusal refusal;

	refusal_set(&refusal, 451, "4.3.0", "the spool did not answer in %" PRId64 " s",
	    in->most_wait_ms / 1000);
	for (struct pending *p = in->oldest; p != NULL && now - p->received_ms > in->most_wait_ms;
	     p = next) {
		next = p->newer;
		if (p->given_up)
			continue;
		tell(p, &refusal, NULL);
		p->given_up = true;
		in->given_up++;
		if (in->peer == NULL)
			pending_remove(in, p);
	}
	if (in->waiting > 0)
		loop_timer_set(in->sweep, SWEEP_MS);
}

/* --- the channel -------------------------------------------------------------------------- */

/* Which of a frame's limits. */
static void
refuse_unfit(const struct mail *mail, struct refusal *refusal_r)
{
	const char *todo = "send it to fewer at once";
	uint64_t bytes = mail_payload_bytes(mail);
	size_t items = 0, recipients = 0;

	for (; mail != NULL; mail = mail->next) {
		items += mail->item_count;
		for (size_t i = 0; i < mail->item_count; i++)
			recipients += mail->items[i].recipients.count;
	}
	if (recipients > FRAME_MOST_RECIPIENTS)
		refusal_set(refusal_r, 554, "5.5.3",
		    "this mail goes to %zu recipients, and the limit is %u: %s", recipients,
		    FRAME_MOST_RECIPIENTS, todo);
	else if (items > FRAME_MOST_ITEMS)
		refusal_set(refusal_r, 554, "5.5.3",
		    "this mail makes %zu messages, and the limit is %u: %s", items,
		    FRAME_MOST_ITEMS, todo);
	else
		refusal_set(refusal_r, 552, "5.3.4",
		    "the %zu messages that this mail makes have %" PRIu64
		    " bytes together, which is too much for one mail: %s",
		    items, bytes, todo);
}

/* Sends the mail to the core, now or when there is one.  -1 and why not. */
static int
ask(struct intake *in, const struct pending *p, struct refusal *refusal_r)
{
	if (in->peer == NULL) /* intake_connect() will ask */
		return 0;
	switch (peer_commit(in->peer, p->serial, p->mail)) {
	case PEER_SENT:
		return 0;
	case PEER_UNFIT:
		refuse_unfit(p->mail, refusal_r);
		break;
	case PEER_NO_ROOM:
		refusal_set(refusal_r, 451, "4.3.0",
		    "this process has too many files open, try again later");
		break;
	}
	return -1;
}

static int
on_committed(struct intake *in, const struct frame_head *head, const char *body)
{
	struct refusal answer;
	struct pending *p;
	bool stored;

	if (frame_committed_read(body, head->body_bytes, &stored, &answer) != 0)
		return -1;
	p = pending_find(in, head->serial);
	if (p != NULL)
		finish(in, p, stored ? NULL : &answer, answer.text);
	return 0;
}

/* Sealed: it does not change while it is read.  -1: it is not. */
static int
sealed_size(int fd, uint64_t *bytes_r)
{
	const int wanted = F_SEAL_SHRINK | F_SEAL_WRITE;
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat facts;

	if (seals < 0 || (seals & wanted) != wanted || fstat(fd, &facts) != 0)
		return -1;
	*bytes_r = (uint64_t)facts.st_size;
	return 0;
}

static void
explain_content(struct intake *in, struct explain_input *input, int fd, struct buf *out)
{
	/* The content again with other line ends, the items, and the answer with all of them. */
	uint64_t memory = input->content_len * 8 + EXPLAIN_LEAST_BYTES;
	struct refusal refusal;
	void *content = MAP_FAILED;

	if (input->content_len > FRAME_MOST_PAYLOAD) {
		refusal_set(&refusal, 552, "5.3.4",
		    "the mail has %zu bytes, and more than %u are not looked at",
		    input->content_len, FRAME_MOST_PAYLOAD);
		explain_refused(in->rules, input, &refusal, out);
		return;
	}
	if (!on_memory(in, (int64_t)memory)) {
		refusal_set(&refusal, 452, "4.3.1", "too many mails at once, try again later");
		explain_refused(in->rules, input, &refusal, out);
		return;
	}
	input->content = "";
	input->most_bytes = memory < EXPLAIN_MOST_BYTES ? memory : EXPLAIN_MOST_BYTES;
	if (input->content_len > 0) {
		content = mmap(NULL, input->content_len, PROT_READ, MAP_PRIVATE, fd, 0);
		input->content = content;
	}
	if (input->content_len > 0 && content == MAP_FAILED) {
		refusal_set(&refusal, 451, "4.3.0", "the mail cannot be read: %s", strerror(errno));
		explain_refused(in->rules, input, &refusal, out);
	} else {
		explain(in->rules, input, out);
	}
	if (content != MAP_FAILED)
		munmap(content, input->content_len);
	on_memory(in, -(int64_t)memory);
}

static int
on_explain(struct intake *in, const struct frame_head *head, const char *body, int fd)
{
	struct explain_input input = { .content_len = 0 };
	struct frame_explain question;
	struct refusal refusal;
	uint64_t content_bytes;
	struct buf out;

	if (sealed_size(fd, &content_bytes) != 0 ||
	    frame_explain_read(body, head->body_bytes, &question) != 0)
		return -1;
	input.reverse_path = question.reverse_path;
	input.recipients = &question.recipients;
	input.listener = question.listener;
	input.client = question.client;
	input.user = question.user;
	input.content_len = content_bytes;
	buf_init(&out, SIZE_MAX / 4);
	explain_content(in, &input, fd, &out);
	if (peer_explained(in->peer, head->serial, out.data, out.len) != 0) {
		/* Thousands of recipients that are none fit into the question, but not twice. */
		refusal_set(
		    &refusal, 552, "5.3.4", "there is too much to tell, ask for fewer recipients");
		input.recipients = NULL;
		buf_clear(&out);
		explain_refused(in->rules, &input, &refusal, &out);
		peer_explained(in->peer, head->serial, out.data, out.len);
	}
	buf_free(&out);
	frame_explain_free(&question);
	return 0;
}

int
intake_frame(struct intake *in, const struct frame_head *head, const char *body, int *fds)
{
	switch ((enum frame_kind)head->kind) {
	case FRAME_COMMITTED:
		return on_committed(in, head, body);
	case FRAME_EXPLAIN:
		return on_explain(in, head, body, fds[0]);
	case FRAME_COMMIT:
	case FRAME_EXPLAINED:
	case FRAME_EVENT:
	case FRAME_HOOKS:
	case FRAME_SUPPRESSIONS:
		break; /* what a front says, or others hear */
	}
	return -1;
}

void
intake_connect(struct intake *in, struct peer *peer)
{
	struct pending *next;
	struct refusal refusal;

	in->peer = peer;
	for (struct pending *p = in->oldest; p != NULL; p = next) {
		next = p->newer;
		if (p->given_up)
			pending_remove(in, p); /* it went with its channel */
		else if (ask(in, p, &refusal) != 0)
			finish(in, p, &refusal, NULL);
	}
}

/* --- hooks of the session ----------------------------------------------------------------- */

/* The core ends the channel over a text that is not clean, so a client must not be able to make
 * one: control characters and invalid UTF-8 become \xHH, and it has a limit. */
static void
clean(char **text)
{
	const char *old = *text != NULL ? *text : "";
	char safe[MOST_KEPT_TEXT];

	text_safe(safe, sizeof(safe), old, strlen(old));
	free(*text);
	*text = mem_string(safe);
}

static void
clean_record(struct mail *mail)
{
	clean(&mail->reverse_path);
	clean(&mail->route);
	clean(&mail->listener);
	clean(&mail->client);
	clean(&mail->helo);
	clean(&mail->message_id);
	clean(&mail->from);
	clean(&mail->subject);
	clean(&mail->ledger);
}

static enum smtp_now
on_sender(void *ctx, struct smtp_session *session, const struct envelope *envelope,
    const char *address, struct smtp_reply *reply)
{
	(void)ctx;
	(void)session;
	(void)envelope;
	(void)address;
	(void)reply;
	return SMTP_YES;
}

/* recipient NULL: all of them. */
static void
count_suppressed(struct intake *in, const struct origin *origin, const struct envelope *envelope,
    const char *route, const char *recipient, const struct refusal *refusal)
{
	in->refused_suppressed++;
	log_info("suppressed", log_str("client", origin->client),
	    log_str("from", envelope->reverse_path), log_str("to", recipient),
	    log_str("route", route), log_str("why", refusal->text));
}

static enum smtp_now
on_recipient(void *ctx, struct smtp_session *session, const struct envelope *envelope,
    const char *address, struct smtp_reply *reply)
{
	struct intake *in = ctx;
	const struct origin *origin = smtp_session_origin(session);
	/* Lives as long as *reply: until the session has printed it. */
	static struct refusal refusal;
	const char *route;

	if (!suppressed_recipient(&in->suppressed, in->rules, origin, envelope->reverse_path,
		address, &refusal, &route))
		return SMTP_YES;
	count_suppressed(in, origin, envelope, route, address, &refusal);
	*reply = (struct smtp_reply){
		.code = refusal.code, .enhanced = refusal.enhanced, .text = refusal.text
	};
	return SMTP_ANSWER;
}

/* What would not fit if there were nothing else need not come again. */
static int
room_check(const struct intake *in, const struct plan *plan, size_t len, struct refusal *refusal_r)
{
	if (plan->group_count < 2 || plan->group_count * len <= in->most_memory_bytes)
		return 0;
	refusal_set(refusal_r, 552, "5.3.4",
	    "the recipients take %zu routes, and that many times %zu bytes are more than the "
	    "%" PRIu64 " that the relay may hold: send it to fewer at once",
	    plan->group_count, len, in->most_memory_bytes);
	return -1;
}

static void
log_patterns(const struct plan *plan)
{
	const char *gave_up = plan->choice == NULL ? NULL : routing_gave_up(plan->choice);

	if (gave_up != NULL)
		log_warning("pattern-limit", log_str("where", gave_up),
		    log_str("todo", "a simpler pattern: this mail was taken for no match"));
}

/* NULL and *refusal_r: it is not taken. */
static struct mail *
mail_of(struct intake *in, struct smtp_session *session, const struct envelope *envelope,
    const struct buf *content, struct refusal *refusal_r)
{
	const struct plan_input input = { .envelope = envelope,
		.origin = smtp_session_origin(session),
		.content = content->data != NULL ? content->data : "",
		.content_len = content->len };
	const struct plan_room room = { .take = on_memory, .ctx = in };
	struct mail *mail = NULL;
	const char *route;
	struct plan plan;
	bool planned = plan_make(&plan, in->rules, &input, refusal_r) == 0;

	if (planned && suppressed_mail(&in->suppressed, in->rules, &plan, refusal_r, &route))
		count_suppressed(in, input.origin, envelope, route, NULL, refusal_r);
	else if (planned && room_check(in, &plan, content->len, refusal_r) == 0 &&
		 plan_convert(&plan, &input, clock_wall_ms(), ulid_make, &room, &mail, refusal_r) !=
		     0)
		mail = NULL;
	log_patterns(&plan);
	plan_free(&plan);
	return mail;
}

static enum smtp_now
on_message(void *ctx, struct smtp_session *session, const struct envelope *envelope,
    struct buf *content, struct smtp_reply *reply)
{
	struct intake *in = ctx;
	static struct refusal
	    refusal; /* lives as long as *reply: until the session has printed it */
	struct mail *mail = mail_of(in, session, envelope, content, &refusal);
	struct pending *p;
	size_t len;

	if (mail == NULL)
		goto refuse;
	free(buf_take(content, &len)); /* the items hold all of it */
	for (struct mail *each = mail; each != NULL; each = each->next)
		clean_record(each);
	p = pending_add(in, mail, session);
	if (ask(in, p, &refusal) == 0)
		return SMTP_LATER;
	pending_remove(in, p);

refuse:
	*reply = (struct smtp_reply){
		.code = refusal.code, .enhanced = refusal.enhanced, .text = refusal.text
	};
	return SMTP_ANSWER;
}

static void
on_gone(void *ctx, struct smtp_session *session)
{
	struct intake *in = ctx;

	for (struct pending *p = in->newest; p != NULL; p = p->older) {
		if (p->session == session)
			p->session = NULL;
	}
}

static bool
on_memory(void *ctx, int64_t bytes)
{
	struct intake *in = ctx;
	int64_t left_out;

	if (bytes > 0 && in->memory + (uint64_t)bytes > in->most_memory_bytes) {
		if (log_gate_pass(&in->memory_gate, 10000, &left_out))
			log_warning("memory-limit", log_num("held", (int64_t)in->memory),
			    log_num("limit", (int64_t)in->most_memory_bytes),
			    log_num("left_out", left_out));
		return false;
	}
	in->memory += (uint64_t)bytes; /* wraps as it should when bytes is negative */
	return true;
}

const struct smtp_hooks intake_smtp_hooks = {
	.sender = on_sender,
	.recipient = on_recipient,
	.message = on_message,
	.gone = on_gone,
	.memory = on_memory,
};
