#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "mail/event.h"
#include "mail/mail.h"
#include "mail/refusal.h"
#include "channel/frame.h"
#include "channel/peer.h"

#include "programs/fronts.h"
#include "programs/handover.h"

#define MOST_FRONTS 256
/* Of one front's mails that the disk has not taken yet: beyond it they wait in the front. */
#define MOST_OPEN_BYTES (64U * 1024U * 1024U)

/* The channel to one front. */
struct channel {
	struct fronts *fronts;
	unsigned front;
	int number;          /* of the channel, as the supervisor knows it */
	unsigned generation; /* tells an answer that its front has been replaced */
	struct peer *peer;   /* NULL: no such front */
	uint64_t open_bytes; /* of what has no end yet */
};

struct fronts {
	struct fronts_params params;
	struct buf keys; /* len 0: none yet */
	int table_fd;    /* -1: none yet */
	struct channel channels[MOST_FRONTS];
};

static void
forget_keys(struct fronts *f)
{
	if (f->keys.data != NULL)
		explicit_bzero(f->keys.data, f->keys.len);
	buf_free(&f->keys);
}

struct fronts *
fronts_new(const struct fronts_params *params)
{
	struct fronts *f = mem_new(sizeof(*f));

	f->params = *params;
	f->table_fd = -1;
	return f;
}

void
fronts_free(struct fronts **fronts)
{
	struct fronts *f = *fronts;

	if (f == NULL)
		return;
	for (size_t i = 0; i < MOST_FRONTS; i++)
		peer_free(&f->channels[i].peer);
	forget_keys(f);
	if (f->table_fd >= 0)
		close(f->table_fd);
	free(f);
	*fronts = NULL;
}

unsigned
fronts_count(const struct fronts *f)
{
	unsigned count = 0;

	for (size_t i = 0; i < MOST_FRONTS; i++)
		count += f->channels[i].peer != NULL;
	return count;
}

/* --- answers ------------------------------------------------------------------------------- */

/* NULL: the front has been replaced since. */
static struct channel *
channel_of(const struct commit_from *from)
{
	struct channel *channel = from->channel;

	return channel->peer != NULL && channel->generation == from->generation ? channel : NULL;
}

static void
channel_opens(struct channel *channel, uint64_t bytes)
{
	channel->open_bytes += bytes;
	if (channel->open_bytes > MOST_OPEN_BYTES)
		peer_rest(channel->peer, true);
}

void
fronts_done(const struct commit_from *from)
{
	struct channel *channel = channel_of(from);
	uint64_t before;

	if (channel == NULL)
		return;
	before = channel->open_bytes;
	channel->open_bytes -= from->bytes;
	if (before > MOST_OPEN_BYTES && channel->open_bytes <= MOST_OPEN_BYTES)
		peer_rest(channel->peer, false);
}

bool
fronts_answer(const struct commit_from *from, const struct refusal *answer)
{
	struct channel *channel = channel_of(from);

	if (channel == NULL)
		return false;
	peer_committed(channel->peer, from->serial, answer);
	return true;
}

/* --- frames -------------------------------------------------------------------------------- */

static int
on_explained(const struct channel *channel, const struct frame_head *head, const char *body)
{
	const struct fronts_params *params = &channel->fronts->params;
	const char *json;
	size_t len;

	if (frame_explained_read(body, head->body_bytes, &json, &len) != 0)
		return -1;
	params->explained(params->ctx, channel->front, head->serial, json, len);
	return 0;
}

/* A front's clock is ours; whatever it says, nothing is of a time to come. */
static void
not_later(int64_t *wall_ms)
{
	int64_t now_ms = clock_wall_ms();

	if (*wall_ms > now_ms)
		*wall_ms = now_ms;
}

static int
on_event(struct channel *channel, struct commit_from *from, const struct frame_head *head,
    const char *body)
{
	const struct fronts_params *params = &channel->fronts->params;
	struct event *event = frame_event_read(body, head->body_bytes);

	if (event == NULL)
		return -1;
	not_later(&event->received_ms);
	from->bytes = head->body_bytes;
	channel_opens(channel, from->bytes);
	params->event(params->ctx, event, from);
	return 0;
}

static int
on_commit(struct channel *channel, struct commit_from *from, const struct frame_head *head,
    const char *body, int *fds)
{
	const struct fronts_params *params = &channel->fronts->params;
	struct refusal refusal;
	const char *why;
	struct mail *mail = frame_commit_read(body, head->body_bytes, fds, head->descriptors, &why);

	for (unsigned i = 0; i < head->descriptors; i++)
		fds[i] = -1; /* taken in any case */
	if (mail == NULL) {
		/* Not the channel's end: one strange mail must not cost the others theirs. */
		log_error("bad-frame", log_num("front", channel->front), log_str("why", why));
		refusal_set(
		    &refusal, 451, "4.3.0", "the relay could not hand this mail on: %s", why);
		peer_committed(channel->peer, head->serial, &refusal);
		return 0;
	}
	for (struct mail *m = mail; m != NULL; m = m->next)
		not_later(&m->accepted_ms);
	from->bytes = head->body_bytes + mail_payload_bytes(mail);
	channel_opens(channel, from->bytes);
	params->mails(params->ctx, mail, from);
	return 0;
}

static int
on_frame(void *ctx, const struct frame_head *head, const char *body, int *fds)
{
	struct channel *channel = ctx;
	struct commit_from from = {
		.channel = channel, .generation = channel->generation, .serial = head->serial
	};

	switch ((enum frame_kind)head->kind) {
	case FRAME_COMMIT:
		return on_commit(channel, &from, head, body, fds);
	case FRAME_EVENT:
		return on_event(channel, &from, head, body);
	case FRAME_EXPLAINED:
		return on_explained(channel, head, body);
	case FRAME_COMMITTED:
	case FRAME_EXPLAIN:
	case FRAME_HOOKS:
	case FRAME_SUPPRESSIONS:
		break; /* what the core says, not hears */
	}
	return -1;
}

static void
on_lost(void *ctx, const char *why)
{
	struct channel *channel = ctx;
	const struct fronts_params *params = &channel->fronts->params;

	peer_free(&channel->peer);
	params->lost(params->ctx, channel->front, channel->number, why);
}

static const struct peer_hooks peer_hooks = { .frame = on_frame, .lost = on_lost };

/* --- what fronts are told ------------------------------------------------------------------ */

static void
tell(const struct fronts *f, struct peer *front)
{
	if (f->keys.len > 0 && peer_tell_hooks(front, f->keys.data, f->keys.len) != 0)
		log_error("webhook-keys", log_num("bytes", (int64_t)f->keys.len),
		    log_str("why", "they are too many for the fronts to be told"));
}

void
fronts_tell_keys(struct fronts *f, struct buf *keys)
{
	forget_keys(f);
	f->keys = *keys;
	*keys = (struct buf){ 0 };
	for (size_t i = 0; i < MOST_FRONTS; i++)
		if (f->channels[i].peer != NULL)
			tell(f, f->channels[i].peer);
}

/* A front that was not told keeps what it had: at worst a mail that Postmark refuses later. */
static void
tell_suppressions(struct peer *peer, unsigned front, int table_fd)
{
	if (peer_tell_suppressions(peer, table_fd) != 0)
		log_error("suppressions-not-told", log_num("front", front + 1),
		    log_str("why", "too many files are open"));
}

void
fronts_tell_suppressions(struct fronts *f, int table_fd)
{
	if (f->table_fd >= 0)
		close(f->table_fd);
	f->table_fd = fcntl(table_fd, F_DUPFD_CLOEXEC, 0);
	for (size_t i = 0; i < MOST_FRONTS; i++)
		if (f->channels[i].peer != NULL)
			tell_suppressions(f->channels[i].peer, (unsigned)i, table_fd);
}

int
fronts_explain(
    struct fronts *f, uint64_t serial, const struct frame_explain *question, int content_fd)
{
	for (size_t i = 0; i < MOST_FRONTS; i++)
		if (f->channels[i].peer != NULL &&
		    peer_explain(f->channels[i].peer, serial, question, content_fd) == 0)
			return (int)i;
	return -1;
}

void
fronts_connect(struct fronts *f, int number, int fd)
{
	unsigned front = handover_front(number);
	struct channel *channel;

	if (front >= MOST_FRONTS) {
		close(fd);
		return;
	}
	channel = &f->channels[front];
	peer_free(&channel->peer);
	channel->fronts = f;
	channel->front = front;
	channel->number = number;
	channel->generation++;
	channel->open_bytes = 0;
	channel->peer = peer_new(f->params.loop, fd, &peer_hooks, channel);
	tell(f, channel->peer);
	if (f->table_fd >= 0)
		tell_suppressions(channel->peer, front, f->table_fd);
}
