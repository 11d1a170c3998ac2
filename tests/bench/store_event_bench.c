/*
 * What the spool alone does with events: so many under way at once, about items that were sent, by
 * the relay-id, by the MessageID alone, and of nobody's; then the same again, as repeats.
 *
 *	store_event_bench [folder [in-flight [events [mails]]]]
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "mail/event.h"
#include "mail/mail.h"
#include "store/store.h"

#define JSON_BYTES 1100 /* a Delivery with its metadata */
#define CLAIM_MOST 500
#define NEWEST     60000 /* mails that a MessageID alone finds, and a little less */

enum way { BY_RELAY_ID, BY_MESSAGE_ID, STRANGE, REPEATED, WAYS };
static const char *const way_names[WAYS] = { "relay-id", "message-id", "strange", "repeat" };

struct bench {
	struct loop *loop;
	struct store *store;
	char (*ids)[ITEM_ID_SIZE];
	unsigned long mails, sent, waiting;

	enum way way;
	unsigned long total, asked, answered;
	unsigned char (*marks)[EVENT_MARK_BYTES];
	int64_t *started_us, *took_us;
	char json[JSON_BYTES + 1];
};

struct bench_event {
	struct bench *bench;
	unsigned long index;
};

static void
check(enum store_result result)
{
	if (result != STORE_OK) {
		fprintf(stderr, "the spool fails: %d\n", (int)result);
		exit(1);
	}
}

static void
message_id_make(char out[40], unsigned long number)
{
	uint64_t hash = (number + 1) * 0x9e3779b97f4a7c15U;

	snprintf(out, 40, "%08lx-0000-4000-8000-%012lx", (unsigned long)(hash >> 32),
	    (unsigned long)(hash & 0xffffffffffff));
}

/* --- mails that were sent ------------------------------------------------------------------- */

static void
committed(void *ctx, enum store_result result, bool known)
{
	struct bench *b = ctx;

	(void)known;
	check(result);
	if (--b->waiting == 0)
		loop_stop(b->loop);
}

static void
settled(void *ctx, enum store_result result)
{
	struct bench *b = ctx;

	check(result);
	loop_stop(b->loop);
}

static void
claimed(void *ctx, enum store_result result, struct store_item *items, size_t count, bool more)
{
	struct bench *b = ctx;
	struct store_outcome *outcomes = mem_array(count + 1, sizeof(*outcomes));
	char(*ids)[40] = mem_array(count + 1, sizeof(*ids));

	(void)more;
	check(result);
	for (size_t i = 0; i < count; i++) {
		message_id_make(ids[i], b->sent);
		memcpy(b->ids[b->sent++], items[i].id, ITEM_ID_SIZE);
		outcomes[i] = (struct store_outcome){ .key = items[i].key,
			.to = ITEM_SENT,
			.at_ms = clock_wall_ms(),
			.postmark_id = ids[i],
			.http_status = 200,
			.answer = "OK",
			.keeps_history = true };
		store_item_free(&items[i]);
	}
	free(items);
	store_settle(b->store, outcomes, count, settled, b);
	free(outcomes);
	free(ids);
}

static void
mails_send(struct bench *b)
{
	for (unsigned long i = 0; i < b->mails; i++) {
		struct mail *mail = mail_new();

		mail->accepted_ms = clock_wall_ms();
		ulid_make(mail->id, mail->accepted_ms);
		mail->route = mem_string("main");
		mail->item_count = 1;
		mail->items = mem_array(1, sizeof(mail->items[0]));
		mail->items[0].number = 1;
		strlist_add(&mail->items[0].recipients, "customer@recipient.example");
		payload_init(&mail->items[0].payload);
		mail->items[0].payload.data = mem_string("{}");
		mail->items[0].payload.len = 2;
		b->waiting++;
		store_commit(b->store, mail, committed, b);
		if (b->waiting == 500)
			loop_run(b->loop);
	}
	while (b->sent < b->mails) {
		const struct store_claim claim = { .route = "main",
			.from = ITEM_SPOOLED,
			.now_ms = clock_wall_ms(),
			.most_items = CLAIM_MOST,
			.most_bytes = UINT64_MAX };

		store_claim(b->store, &claim, claimed, b);
		loop_run(b->loop);
	}
}

/* --- events --------------------------------------------------------------------------------- */

static void
set(char **text, const char *value)
{
	free(*text);
	*text = mem_string(value);
}

static void event_ask(struct bench *);

static void
told(void *ctx, enum store_result result, const struct event *event,
    const struct store_event_done *did)
{
	struct bench_event *e = ctx;
	struct bench *b = e->bench;

	(void)event;
	check(result);
	if ((did->item[0] != '\0') != (b->way != STRANGE) || did->repeat != (b->way == REPEATED)) {
		fprintf(stderr, "event %lu: item \"%s\", repeat %d\n", e->index, did->item,
		    did->repeat);
		exit(1);
	}
	b->took_us[e->index] = clock_mono_us() - b->started_us[e->index];
	free(e);
	if (b->asked < b->total)
		event_ask(b);
	if (++b->answered == b->total)
		loop_stop(b->loop);
}

static void
event_ask(struct bench *b)
{
	struct bench_event *e = mem_new(sizeof(*e));
	struct event *event = mail_event_new();
	unsigned long newest = b->mails < NEWEST ? b->mails : NEWEST;
	unsigned long whose = b->mails - 1 - b->asked * 7 % newest;
	char message_id[40];

	e->bench = b;
	e->index = b->asked++;
	event->received_ms = clock_wall_ms();
	event->at_ms = event->received_ms - 1000;
	ulid_make(event->id, event->received_ms);
	event->kind = e->index % 3 == 0 ? EVENT_OPEN : EVENT_DELIVERY;
	memcpy(event->mark, b->marks[e->index], EVENT_MARK_BYTES);
	message_id_make(message_id, b->way == STRANGE ? b->mails + e->index : whose);
	set(&event->message_id, message_id);
	if (b->way == BY_RELAY_ID || b->way == REPEATED)
		set(&event->relay_id, b->ids[whose]);
	set(&event->connection, "main");
	set(&event->stream, "outbound");
	set(&event->tag, "order");
	set(&event->recipient, "customer@recipient.example");
	set(&event->detail, "smtp;250 2.0.0 OK  1700000000 a1-20020a0561 - gsmtp");
	set(&event->json, b->json);
	event->json_len = JSON_BYTES;
	b->started_us[e->index] = clock_mono_us();
	store_event(b->store, event, told, e);
}

static int
by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static int64_t
cpu_us(void)
{
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	return (r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1000000 + r.ru_utime.tv_usec +
	       r.ru_stime.tv_usec;
}

static void
run(struct bench *b, unsigned in_flight)
{
	int64_t wall_us = clock_mono_us(), cpu = cpu_us();

	b->asked = b->answered = 0;
	/* Of repeats the marks are those of the time before. */
	for (unsigned long i = 0; b->way != REPEATED && i < b->total; i++)
		if (getrandom(b->marks[i], EVENT_MARK_BYTES, 0) != EVENT_MARK_BYTES)
			abort();
	while (b->asked < in_flight && b->asked < b->total)
		event_ask(b);
	loop_run(b->loop);
	wall_us = clock_mono_us() - wall_us;
	cpu = cpu_us() - cpu;
	qsort(b->took_us, b->total, sizeof(int64_t), by_size);
	printf("%-10s %7.0f/s  cpu %6.1f us  p50 %6.1f ms  p99 %6.1f ms  max %6.1f ms\n",
	    way_names[b->way], (double)b->total * 1e6 / (double)wall_us,
	    (double)cpu / (double)b->total, (double)b->took_us[b->total / 2] / 1000.0,
	    (double)b->took_us[b->total * 99 / 100] / 1000.0,
	    (double)b->took_us[b->total - 1] / 1000.0);
	fflush(stdout);
}

int
main(int argc, char **argv)
{
	static const enum way order[] = { BY_MESSAGE_ID, STRANGE, BY_RELAY_ID, REPEATED };
	const char *parent = getenv("TMPDIR");
	char *folder = argc > 1 ? mem_string(argv[1])
				: mem_format("%s/pmrelay-event-bench-%ld",
				      parent != NULL ? parent : "/tmp", (long)getpid());
	unsigned in_flight = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 64;
	struct bench b = { .total = argc > 3 ? strtoul(argv[3], NULL, 10) : 50000 };
	struct store_params params = { .backend = "sqlite", .folder = folder };
	char why[300], *command;

	b.mails = argc > 4 ? strtoul(argv[4], NULL, 10) : 20000;
	log_setup("bench", LOG_LEVEL_WARNING, LOG_FORMAT_TEXT, STDERR_FILENO);
	b.loop = params.loop = loop_new();
	b.store = store_open(&params, why, sizeof(why));
	if (b.store == NULL) {
		fprintf(stderr, "%s\n", why);
		return 1;
	}
	memset(b.json, 'x', JSON_BYTES);
	b.ids = mem_array(b.mails + CLAIM_MOST, sizeof(*b.ids));
	b.marks = mem_array(b.total, sizeof(*b.marks));
	b.started_us = mem_array(b.total, sizeof(int64_t));
	b.took_us = mem_array(b.total, sizeof(int64_t));
	mails_send(&b);
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		b.way = order[i];
		run(&b, in_flight);
	}
	store_close(&b.store);
	loop_free(&b.loop);
	command = mem_format("rm -rf '%s'", folder);
	if (system(command) != 0)
		return 1;
	free(command);
	free(b.ids);
	free(b.marks);
	free(b.started_us);
	free(b.took_us);
	free(folder);
	return 0;
}
