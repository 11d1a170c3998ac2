/* From a COMMIT to its answer, see commits.h. */

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "mail/mail.h"
#include "mail/refusal.h"

#include "programs/commits.h"
#include "programs/replies.h"

#define SLOTS    1024U /* a power of two */
#define AGAIN_MS 500
/* After its time: for what is in flight at that moment.  A front gives up after four minutes, and
 * the longest time to wait is three (FRAME_MOST_REPLY_MS). */
#define GRACE_MS (30 * 1000)
#define HURRY_MS (10 * 1000) /* the same when all of it ends */

struct ticket;

/* A mail that a ticket waits for. */
struct watch {
	struct watch *next_in_slot;
	struct ticket *ticket;
	const char *mail_id;
};

/* One COMMIT. */
struct ticket {
	struct ticket *next, *prev;
	struct commits *commits;
	struct commit_from from;
	struct commit_mail *mails;
	size_t mail_count;

	struct reply *reply;   /* NULL: nobody waits for Postmark */
	struct watch *watches; /* of its mails, once they are durable; NULL before */
	struct loop_timer *timer;
	int64_t late_at_ms, last_at_ms; /* monotonic; from the COMMIT, as the front counts */
	bool late;
};

struct commits {
	struct commits_params params;
	struct ticket *tickets;
	struct watch *slots[SLOTS];
	size_t watched;
};

/* --- tickets ------------------------------------------------------------------------------ */

static struct watch **
slot_of(struct commits *c, const char *mail_id)
{
	uint32_t hash = 2166136261U; /* FNV-1a */

	for (size_t i = 0; i < ULID_LEN && mail_id[i] != '\0'; i++)
		hash = (hash ^ (unsigned char)mail_id[i]) * 16777619U;
	return &c->slots[hash % SLOTS];
}

static struct ticket *
ticket_new(struct commits *c, const struct mail *mail, const struct commit_from *from)
{
	struct ticket *t = mem_new(sizeof(*t));

	t->commits = c;
	t->from = *from;
	for (const struct mail *m = mail; m != NULL; m = m->next)
		t->mail_count++;
	t->mails = mem_array(t->mail_count, sizeof(*t->mails));
	for (size_t i = 0; i < t->mail_count; i++, mail = mail->next) {
		memcpy(t->mails[i].id, mail->id, ULID_SIZE);
		t->mails[i].route = mem_string(mail->route != NULL ? mail->route : "");
	}
	t->next = c->tickets;
	if (t->next != NULL)
		t->next->prev = t;
	c->tickets = t;
	return t;
}

static void
unwatch(struct ticket *t)
{
	for (size_t i = 0; t->watches != NULL && i < reply_mail_count(t->reply); i++) {
		struct watch **at = slot_of(t->commits, t->watches[i].mail_id);

		while (*at != &t->watches[i])
			at = &(*at)->next_in_slot;
		*at = t->watches[i].next_in_slot;
		t->commits->watched--;
	}
	free(t->watches);
	t->watches = NULL;
}

static void
ticket_free(struct ticket *t)
{
	unwatch(t);
	loop_timer_free(&t->timer);
	reply_free(&t->reply);
	for (size_t i = 0; i < t->mail_count; i++)
		free(t->mails[i].route);
	free(t->mails);
	if (t->prev != NULL)
		t->prev->next = t->next;
	else
		t->commits->tickets = t->next;
	if (t->next != NULL)
		t->next->prev = t->prev;
	free(t);
}

/* --- waiting for Postmark ----------------------------------------------------------------- */

static void advance(struct ticket *, enum reply_step);

static void
told_noted(void *ctx, enum store_result result, const struct store_changed *changed)
{
	(void)ctx;
	(void)changed;
	/* The sender hears of it twice then, which is no harm. */
	if (result != STORE_OK)
		log_warning(
		    "not-noted", log_str("why", "that a client has been told of a refusal"));
}

/* Its client knows, so nobody has to be sent a notice. */
static void
note_told(struct ticket *t, const struct refusal *refusal)
{
	const char **ids = mem_array(reply_item_count(t->reply), sizeof(*ids));
	char *by = mem_format(
	    "the client was told: %d %s %s", refusal->code, refusal->enhanced, refusal->text);
	const struct store_change change = { .action = STORE_TOLD,
		.ids = ids,
		.count = reply_item_count(t->reply),
		.at_ms = clock_wall_ms(),
		.by = by };

	for (size_t i = 0; i < change.count; i++)
		ids[i] = reply_item_id(t->reply, i);
	store_change(t->commits->params.store, &change, told_noted, NULL);
	free(by);
	free((void *)ids);
}

static void
answer(struct ticket *t)
{
	const struct commits_params *params = &t->commits->params;
	struct refusal refusal;
	bool told;

	reply_answer(t->reply, &refusal);
	if (reply_was_taken_back(t->reply))
		for (size_t i = 0; i < reply_mail_count(t->reply); i++) {
			log_info("taken-back", log_str("mail", reply_mail_id(t->reply, i)),
			    log_str("why", refusal.text));
			params->taken_back(
			    params->ctx, reply_mail_id(t->reply, i), reply_route(t->reply, i));
		}
	told = params->answer(params->ctx, &t->from, &refusal);
	if (told && refusal.code >= 500)
		note_told(t, &refusal);
	ticket_free(t);
}

static void
on_taken(void *ctx, enum store_result result, enum store_taken taken)
{
	struct ticket *t = ctx;

	advance(t, reply_taken(t->reply, result, taken));
}

static void
take_back(struct ticket *t)
{
	size_t count = reply_mail_count(t->reply);
	const char **ids = mem_array(count, sizeof(*ids));

	for (size_t i = 0; i < count; i++)
		ids[i] = reply_mail_id(t->reply, i);
	store_take_back(t->commits->params.store, ids, count, on_taken, t);
	free((void *)ids);
}

static void
set_timer(struct ticket *t)
{
	int64_t now_ms = clock_mono_ms();
	int64_t after_ms = AGAIN_MS;

	if (!t->late && t->late_at_ms - now_ms > 0)
		after_ms = t->late_at_ms - now_ms;
	loop_timer_set(t->timer, after_ms);
}

/* May end the ticket. */
static void
advance(struct ticket *t, enum reply_step step)
{
	switch (step) {
	case REPLY_STEP_WAIT:
		set_timer(t);
		break;
	case REPLY_STEP_TAKE_BACK:
		loop_timer_clear(t->timer);
		take_back(t);
		break;
	case REPLY_STEP_ANSWER:
		answer(t);
		break;
	}
}

static void
on_time(void *ctx)
{
	struct ticket *t = ctx;
	int64_t now_ms = clock_mono_ms();

	if (now_ms >= t->last_at_ms) {
		t->late = true;
		advance(t, reply_last(t->reply));
	} else if (!t->late && now_ms >= t->late_at_ms) {
		t->late = true;
		advance(t, reply_late(t->reply));
	} else {
		advance(t, t->late ? reply_again(t->reply) : REPLY_STEP_WAIT);
	}
}

static void
wait_for_postmark(struct ticket *t)
{
	struct commits *c = t->commits;
	size_t count = reply_mail_count(t->reply);
	bool stands = false;

	t->watches = mem_array(count, sizeof(*t->watches));
	for (size_t i = 0; i < count; i++) {
		struct watch *watch = &t->watches[i];
		struct watch **slot;

		watch->ticket = t;
		watch->mail_id = reply_mail_id(t->reply, i);
		slot = slot_of(c, watch->mail_id);
		watch->next_in_slot = *slot;
		*slot = watch;
		c->watched++;
		stands = stands || c->params.stands(c->params.ctx, reply_route(t->reply, i));
	}
	t->timer = loop_timer_new(c->params.loop, on_time, t);
	if (stands)
		t->late_at_ms = clock_mono_ms();
	on_time(t);
}

void
commits_outcome(struct commits *c, const char *item_id, const struct store_outcome *outcome)
{
	struct watch *watch;

	if (c->watched == 0)
		return;
	watch = *slot_of(c, item_id);
	while (watch != NULL && strncmp(watch->mail_id, item_id, ULID_LEN) != 0)
		watch = watch->next_in_slot;
	if (watch != NULL)
		advance(watch->ticket, reply_outcome(watch->ticket->reply, item_id, outcome));
}

void
commits_hurry(struct commits *c)
{
	struct ticket *next;

	for (struct ticket *t = c->tickets; t != NULL; t = next) {
		next = t->next;
		if (t->watches == NULL)
			continue;
		if (t->last_at_ms > clock_mono_ms() + HURRY_MS)
			t->last_at_ms = clock_mono_ms() + HURRY_MS;
		t->late = true;
		advance(t, reply_late(t->reply));
	}
}

/* --- commits ------------------------------------------------------------------------------ */

static void
on_committed(void *ctx, enum store_result result, bool known)
{
	struct ticket *t = ctx;
	const struct commits_params *params = &t->commits->params;
	struct refusal refusal;

	params->stored(params->ctx, &t->from, t->mails, t->mail_count, result);
	/* What was there before is not this transaction's to take back: a front that has been taken
	 * over knows the ids of mails whose clients were told 250 long ago. */
	if (result == STORE_OK && t->reply != NULL && !known) {
		wait_for_postmark(t);
		return;
	}
	if (result == STORE_FULL)
		refusal_set(&refusal, 452, "4.3.1", "the spool is full, try again later");
	else if (result != STORE_OK)
		refusal_set(&refusal, 451, "4.3.0", "the spool has a fault, try again later");
	params->answer(params->ctx, &t->from, result == STORE_OK ? NULL : &refusal);
	ticket_free(t);
}

void
commits_ask(
    struct commits *c, struct mail *mail, const struct commit_from *from, bool unsure_is_retried)
{
	struct ticket *t = ticket_new(c, mail, from);

	t->reply = reply_new(mail, unsure_is_retried);
	if (t->reply != NULL) {
		t->late_at_ms = clock_mono_ms() + reply_within_ms(t->reply);
		t->last_at_ms = t->late_at_ms + GRACE_MS;
	}
	store_commit(c->params.store, mail, on_committed, t);
}

struct commits *
commits_new(const struct commits_params *params)
{
	struct commits *c = mem_new(sizeof(*c));

	c->params = *params;
	return c;
}

void
commits_free(struct commits **commits)
{
	struct commits *c = *commits;

	if (c == NULL)
		return;
	*commits = NULL;
	while (c->tickets != NULL)
		ticket_free(c->tickets);
	free(c);
}
