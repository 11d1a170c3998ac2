/*
 * One outlet's way through the events: what was read, what is under way, how far the cursor is.
 */

#include <stdint.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/text.h"
#include "config/config.h"
#include "mail/event.h"

#include "outlet/filter.h"
#include "outlet/inside.h"
#include "outlet/rules.h"

#define SAVE_MS         500  /* between two words on the cursor */
#define SPOOL_AGAIN_MS  1000 /* after the spool could not be read */
#define PAGE_EVENTS     128
#define TURN_ENTRIES    200 /* until others have their turn */
#define PATIENT_TRIES   60
#define NOTICE_PARALLEL 16
#define NOTICE_KINDS    (1U << EVENT_BOUNCE | 1U << EVENT_FAILED | 1U << EVENT_INACTIVE)

/* --- entries ------------------------------------------------------------------------------ */

static void
entry_begin(void *ctx)
{
	struct entry *entry = ctx;

	entry->running = true;
	entry->consumer->kind->begin(entry);
}

static void
entry_free(struct entry *entry)
{
	if (entry->running && entry->consumer->kind->cut != NULL)
		entry->consumer->kind->cut(entry);
	loop_timer_free(&entry->timer);
	mail_event_free(&entry->facts.event);
	free(entry);
}

void
entry_done(struct entry *entry)
{
	entry->running = false;
	entry->done = true;
	loop_call_ask(entry->consumer->pump);
}

void
entry_drop(struct entry *entry, const char *why)
{
	log_error("outlet-dropped", log_str("outlet", entry->consumer->name),
	    log_str("id", entry->facts.event->id), log_str("item", entry->facts.item),
	    log_num("try", (int64_t)entry->tries + 1), log_str("why", why));
	entry_done(entry);
}

void
entry_wait(struct entry *entry, int64_t after_ms)
{
	entry->running = false;
	loop_timer_set(entry->timer, after_ms);
}

void
entry_again(struct entry *entry, int64_t after_ms, const char *why)
{
	const struct consumer *consumer = entry->consumer;
	const struct outlet *outlet = consumer->outlet;
	int64_t wait = SPOOL_AGAIN_MS, left;
	uint16_t chance = 0;

	entry->tries++;
	if (!consumer->kind->patient) {
		left = entry->first_ms + outlet->give_up_ms - clock_mono_ms();
		if (left <= 0) {
			entry->tries--; /* drop counts this one */
			entry_drop(entry, why);
			return;
		}
		(void)!getrandom(&chance, sizeof(chance), GRND_NONBLOCK);
		wait = rule_wait_ms(
		    entry->tries, outlet->retry_least_ms, outlet->retry_most_ms, chance);
		wait = rule_pause_ms(wait, after_ms, left);
	}
	/* It is tried for ever: not each time. */
	if (!consumer->kind->patient || entry->tries == 1 || entry->tries % PATIENT_TRIES == 0)
		log_warning("outlet-waiting", log_str("outlet", consumer->name),
		    log_str("id", entry->facts.event->id), log_num("try", entry->tries),
		    log_num("wait_ms", wait), log_str("why", why));
	entry_wait(entry, wait);
}

/* --- the cursor --------------------------------------------------------------------------- */

static int64_t
cursor(const struct consumer *consumer)
{
	if (consumer->first != NULL)
		return consumer->first->facts.key - 1;
	if (consumer->page_at < consumer->page_count)
		return consumer->page[consumer->page_at].key - 1;
	return consumer->read_key;
}

static void
page_free(struct consumer *consumer)
{
	/* Events of entries are no longer the page's. */
	for (size_t i = 0; i < consumer->page_count; i++)
		mail_event_free(&consumer->page[i].event);
	free(consumer->page);
	consumer->page = NULL;
	consumer->page_count = consumer->page_at = 0;
}

static void
entries_free(struct consumer *consumer)
{
	struct entry *next;

	for (struct entry *entry = consumer->first; entry != NULL; entry = next) {
		next = entry->next;
		entry_free(entry);
	}
	consumer->first = NULL;
	consumer->last = &consumer->first;
	consumer->count = 0;
}

static void
save(void *ctx)
{
	struct consumer *consumer = ctx;
	int64_t key = cursor(consumer);

	consumer->saving = false;
	if (!consumer->started || key <= consumer->saved_key)
		return;
	if (consumer->kind->settle != NULL && consumer->kind->settle(consumer) != 0) {
		/* Nobody knows what of it is there: all that came since is passed on again. */
		entries_free(consumer);
		page_free(consumer);
		consumer->read_key = consumer->saved_key;
		loop_timer_set(consumer->again, SPOOL_AGAIN_MS);
		return;
	}
	consumer->saved_key = key;
	consumer->outlets->passed(consumer->outlets->ctx, consumer->name, key);
}

/* --- what comes --------------------------------------------------------------------------- */

static void
spool_failed(struct consumer *consumer)
{
	static struct log_gate gate;
	int64_t left_out;

	if (log_gate_pass(&gate, 60 * 1000, &left_out))
		log_error("outlet-spool", log_str("outlet", consumer->name),
		    log_str("why", store_reader_why(consumer->outlets->reader)),
		    log_num("left_out", left_out));
	loop_timer_set(consumer->again, SPOOL_AGAIN_MS);
}

static bool
start(struct consumer *consumer)
{
	struct outlets *outlets = consumer->outlets;
	int known = 0;

	if (consumer->resume_key >= 0)
		consumer->read_key = consumer->resume_key;
	else
		known = store_reader_outlet(outlets->reader, consumer->name, &consumer->read_key);
	if (known < 0 ||
	    (known > 0 && store_reader_last_event(outlets->reader, &consumer->read_key) != 0)) {
		spool_failed(consumer);
		return false;
	}
	consumer->saved_key = consumer->read_key;
	consumer->started = true;
	if (known > 0)
		outlets->passed(outlets->ctx, consumer->name, consumer->read_key);
	else if (consumer->resume_key < 0 && consumer->kind->start != NULL)
		consumer->kind->start(consumer);
	log_info("outlet", log_str("outlet", consumer->name), log_str("kind", consumer->kind->name),
	    log_num("after", consumer->read_key));
	return true;
}

/* False: there is nothing more, or the spool cannot be read. */
static bool
page_read(struct consumer *consumer)
{
	struct store_reader *reader = consumer->outlets->reader;
	struct event_page page = {
		.after_key = consumer->read_key, .kinds = consumer->kinds, .most = PAGE_EVENTS
	};
	int64_t newest;

	page_free(consumer);
	if (store_reader_last_event(reader, &newest) != 0 ||
	    (newest > consumer->read_key &&
		store_reader_events(reader, &page, &consumer->page, &consumer->page_count) != 0)) {
		consumer->page = NULL;
		consumer->page_count = 0;
		spool_failed(consumer);
		return false;
	}
	if (consumer->page_count > 0)
		consumer->read_key = consumer->page[consumer->page_count - 1].key;
	else if (newest > consumer->read_key)
		consumer->read_key = newest; /* none of the kinds is among them */
	return consumer->page_count > 0;
}

/* False: there is nothing now.  Of many that nobody wants, others have their turn in between. */
static bool
page_next(struct consumer *consumer, struct event_facts *facts_r)
{
	bool has_read = false;

	for (;;) {
		while (consumer->page_at < consumer->page_count) {
			struct event_facts *facts = &consumer->page[consumer->page_at++];

			if (consumer->outlet == NULL ||
			    filter_passes(consumer->outlet, facts->event)) {
				*facts_r = *facts;
				facts->event = NULL;
				return true;
			}
		}
		if (has_read) {
			loop_timer_set(consumer->again, 0);
			return false;
		}
		if (!page_read(consumer))
			return false;
		has_read = true;
	}
}

static void
reap(struct consumer *consumer)
{
	struct entry *entry;

	while ((entry = consumer->first) != NULL && entry->done) {
		consumer->first = entry->next;
		if (consumer->first == NULL)
			consumer->last = &consumer->first;
		consumer->count--;
		entry_free(entry);
	}
}

static void
pump(void *ctx)
{
	struct consumer *consumer = ctx;
	struct entry *entry;
	struct event_facts facts;

	if (!consumer->started && !start(consumer))
		return;
	for (unsigned turn = 0;; turn++) {
		reap(consumer);
		if (turn == TURN_ENTRIES) {
			/* A timer, so that descriptors have their turn before. */
			loop_timer_set(consumer->again, 0);
			break;
		}
		if (consumer->count >= consumer->parallel || !page_next(consumer, &facts))
			break;
		entry = mem_new(sizeof(*entry));
		entry->consumer = consumer;
		entry->facts = facts;
		entry->first_ms = clock_mono_ms();
		entry->timer = loop_timer_new(consumer->outlets->loop, entry_begin, entry);
		*consumer->last = entry;
		consumer->last = &entry->next;
		consumer->count++;
		entry_begin(entry);
	}
	if (cursor(consumer) > consumer->saved_key && !consumer->saving) {
		consumer->saving = true;
		loop_timer_set(consumer->save, SAVE_MS);
	}
}

/* --- life --------------------------------------------------------------------------------- */

void
consumer_pump(struct consumer *consumer)
{
	loop_call_ask(consumer->pump);
}

void
consumer_set_outlet(struct consumer *consumer, const struct outlet *outlet)
{
	consumer->outlet = outlet;
}

static const struct consumer_kind *
kind_of(const struct outlet *outlet)
{
	if (outlet == NULL)
		return &consumer_notice;
	if (outlet->file[0] != '\0')
		return &consumer_file;
	return outlet->command[0] != '\0' ? &consumer_command : &consumer_forward;
}

struct consumer *
consumer_new(struct outlets *outlets, const struct outlet *outlet, int64_t after_key)
{
	struct consumer *consumer = mem_new(sizeof(*consumer));

	consumer->outlets = outlets;
	consumer->outlet = outlet;
	consumer->resume_key = after_key;
	consumer->kind = kind_of(outlet);
	consumer->name = mem_string(outlet == NULL ? NOTICE_NAME : outlet->name);
	text_lower(consumer->name);
	consumer->kinds = outlet == NULL ? NOTICE_KINDS : filter_kinds(outlet);
	consumer->parallel = outlet == NULL                     ? NOTICE_PARALLEL
			     : consumer->kind == &consumer_file ? 1
								: outlet->parallel;
	consumer->last = &consumer->first;
	consumer->pump = loop_call_new(outlets->loop, pump, consumer);
	consumer->again = loop_timer_new(outlets->loop, pump, consumer);
	consumer->save = loop_timer_new(outlets->loop, save, consumer);
	if (consumer->kind->open != NULL)
		consumer->kind->open(consumer);
	consumer_pump(consumer);
	return consumer;
}

int64_t
consumer_free(struct consumer **consumer_p)
{
	struct consumer *consumer = *consumer_p;
	int64_t key;

	*consumer_p = NULL;
	reap(consumer);
	save(consumer);
	key = consumer->started ? consumer->saved_key : consumer->resume_key;
	entries_free(consumer);
	page_free(consumer);
	if (consumer->kind->close != NULL)
		consumer->kind->close(consumer);
	loop_call_free(&consumer->pump);
	loop_timer_free(&consumer->again);
	loop_timer_free(&consumer->save);
	free(consumer->name);
	free(consumer);
	return key;
}
