/* The consumer that makes notices. */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "config/config.h"
#include "mail/event.h"
#include "mail/mail.h"

#include "outlet/inside.h"
#include "outlet/notice_mail.h"

/* A client that waits for Postmark's answer is told of a failure within these. */
#define TOLD_MS        15000
#define LOOK_MS        1000 /* the clock on the wall may jump */
#define HOUR_MS        (INT64_C(3600) * 1000)
#define MOST_ADDRESSES 1000

struct counted {
	char *address;
	int64_t since_ms; /* mono: the hour that is counted */
	unsigned notices;
};

struct notice {
	char hostname[256];
	struct counted counted[MOST_ADDRESSES];
	size_t count;
	struct counted others; /* for whom there is no room */
};

struct told {
	uint64_t ticket;
};

static void
open_own(struct consumer *consumer)
{
	struct notice *notice = mem_new(sizeof(*notice));
	const char *hostname = consumer->outlets->config->hostname;

	if (hostname[0] != '\0')
		strncpy(notice->hostname, hostname, sizeof(notice->hostname) - 1);
	else if (gethostname(notice->hostname, sizeof(notice->hostname) - 1) != 0)
		memcpy(notice->hostname, "localhost", sizeof("localhost"));
	consumer->own = notice;
}

static void
close_own(struct consumer *consumer)
{
	struct notice *notice = consumer->own;

	for (size_t i = 0; i < notice->count; i++)
		free(notice->counted[i].address);
	free(notice);
}

/* --- how many ----------------------------------------------------------------------------- */

static struct counted *
counted_find(struct notice *notice, const char *address, int64_t now_ms)
{
	for (size_t i = 0; i < notice->count; i++)
		if (text_same(notice->counted[i].address, address))
			return &notice->counted[i];
	for (size_t i = 0; i < notice->count; i++) {
		struct counted *old = &notice->counted[i];

		if (now_ms - old->since_ms >= HOUR_MS) {
			free(old->address);
			*old =
			    (struct counted){ .address = mem_string(address), .since_ms = now_ms };
			return old;
		}
	}
	if (notice->count == MOST_ADDRESSES)
		return &notice->others;
	notice->counted[notice->count] =
	    (struct counted){ .address = mem_string(address), .since_ms = now_ms };
	return &notice->counted[notice->count++];
}

static bool
is_too_many(struct notice *notice, const char *address, unsigned most)
{
	int64_t now_ms = clock_mono_ms();
	struct counted *counted = counted_find(notice, address, now_ms);

	if (now_ms - counted->since_ms >= HOUR_MS) {
		counted->since_ms = now_ms;
		counted->notices = 0;
	}
	if (counted->notices >= most)
		return true;
	counted->notices++;
	return false;
}

/* --- one event ---------------------------------------------------------------------------- */

static void
make(struct entry *entry, const struct item_facts *item)
{
	struct consumer *consumer = entry->consumer;
	struct outlets *outlets = consumer->outlets;
	struct notice *notice = consumer->own;
	const struct event *event = entry->facts.event;
	const char *to = notice_to(outlets->config, &entry->facts, item);
	struct told *told;
	struct mail *mail;

	if (to == NULL) {
		entry_done(entry);
		return;
	}
	/* A second try is the same notice. */
	if (entry->tries == 0 && is_too_many(notice, to, outlets->config->notice_most)) {
		log_warning("notice-left-out", log_str("item", item->id), log_str("to", to),
		    log_str("id", event->id), log_str("why", "notice.most-per-hour"));
		entry_done(entry);
		return;
	}
	mail = notice_mail(
	    outlets->config, notice->hostname, &entry->facts, item, to, clock_wall_ms());
	log_info("notice", log_str("mail", mail->id), log_str("of", item->id), log_str("to", to),
	    log_str("kind", event_kind_name(event->kind)), log_str("id", event->id));
	told = mem_new(sizeof(*told));
	told->ticket = ++outlets->last_ticket;
	entry->work = told;
	outlets->commit(outlets->ctx, mail, told->ticket);
}

static void
begin(struct entry *entry)
{
	const struct event_facts *facts = &entry->facts;
	int64_t age_ms = clock_wall_ms() - facts->event->received_ms;
	struct item_facts item;
	int found;

	if (facts->item_key == 0) {
		entry_done(entry);
		return;
	}
	if (facts->event->kind == EVENT_FAILED && age_ms >= 0 && age_ms < TOLD_MS) {
		entry_wait(entry, TOLD_MS - age_ms < LOOK_MS ? TOLD_MS - age_ms : LOOK_MS);
		return;
	}
	found = store_reader_item(entry->consumer->outlets->reader, facts->item_key, &item);
	if (found < 0) {
		entry_again(entry, 0, store_reader_why(entry->consumer->outlets->reader));
	} else if (found > 0) {
		entry_done(entry); /* gone */
	} else {
		make(entry, &item);
		item_facts_free(&item);
	}
}

static void
cut(struct entry *entry)
{
	free(entry->work);
	entry->work = NULL;
}

void
notice_committed(struct consumer *consumer, uint64_t ticket, bool durable)
{
	for (struct entry *entry = consumer->first; entry != NULL; entry = entry->next) {
		const struct told *told = entry->work;

		if (told == NULL || told->ticket != ticket)
			continue;
		cut(entry);
		if (durable)
			entry_done(entry);
		else
			entry_again(entry, 0, "the spool did not take the notice");
		return;
	}
}

const struct consumer_kind consumer_notice = {
	.name = "notice",
	.patient = true,
	.open = open_own,
	.close = close_own,
	.begin = begin,
	.cut = cut,
};
