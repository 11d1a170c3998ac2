/*
 * What the spool alone can do: commits per second, their latency and their CPU, for several sizes
 * and so many mails under way at once; then the whole life of an item.
 *
 *	store_bench [folder [in-flight [sync-delay-ms]]]
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "mail/mail.h"
#include "store/store.h"

#define BATCH_MOST 100
#define UUID_SIZE  37

struct bench {
	struct loop *loop;
	struct store *store;
	size_t payload_bytes;
	char *bytes;
	bool cycle; /* claim and settle as well */

	unsigned long total, asked, committed, ended;
	bool claiming;
	int64_t *started_us, *took_us;
	uint64_t syncs;
};

struct bench_mail {
	struct bench *bench;
	unsigned long index;
};

static void mail_add(struct bench *);

/* As random as Postmark's, so that an index of them meets what it meets there. */
static void
uuid_make(char out[UUID_SIZE])
{
	static uint64_t seed = 88172645463325252U;
	uint64_t part[2];

	for (int i = 0; i < 2; i++) {
		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		part[i] = seed;
	}
	snprintf(out, UUID_SIZE, "%08x-%04x-%04x-%04x-%012llx", (unsigned)(part[0] >> 32),
	    (unsigned)(part[0] >> 16) & 0xffff, (unsigned)part[0] & 0xffff,
	    (unsigned)(part[1] >> 48), (unsigned long long)part[1] & 0xffffffffffff);
}

static void
stop_if_over(struct bench *b)
{
	if (b->committed == b->total && (!b->cycle || b->ended == b->total))
		loop_stop(b->loop);
}

static void
settled(void *ctx, enum store_result result)
{
	(void)ctx;
	if (result != STORE_OK)
		abort();
}

static void claim(struct bench *);

static void
claimed(void *ctx, enum store_result result, struct store_item *items, size_t count, bool more)
{
	struct bench *b = ctx;
	struct store_outcome *outcomes = mem_array(count + 1, sizeof(*outcomes));
	char(*ids)[UUID_SIZE] = mem_array(count + 1, sizeof(*ids));

	b->claiming = false;
	if (result != STORE_OK)
		abort();
	for (size_t i = 0; i < count; i++) {
		uuid_make(ids[i]);
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
	b->ended += count;
	if (more)
		claim(b);
	stop_if_over(b);
}

static void
claim(struct bench *b)
{
	const struct store_claim what = { .route = "main",
		.from = ITEM_SPOOLED,
		.now_ms = clock_wall_ms(),
		.most_items = BATCH_MOST,
		.most_bytes = 10 << 20 };

	if (b->claiming)
		return;
	b->claiming = true;
	store_claim(b->store, &what, claimed, b);
}

static void
due(void *ctx)
{
	struct bench *b = ctx;

	if (b->cycle)
		claim(b);
}

static void
committed(void *ctx, enum store_result result, bool known)
{
	struct bench_mail *m = ctx;
	struct bench *b = m->bench;

	(void)known;
	if (result != STORE_OK)
		abort();
	b->took_us[m->index] = clock_mono_us() - b->started_us[m->index];
	b->committed++;
	free(m);
	if (b->asked < b->total)
		mail_add(b);
	stop_if_over(b);
}

static void
mail_add(struct bench *b)
{
	struct bench_mail *m = mem_new(sizeof(*m));
	struct mail *mail = mail_new();

	mail->accepted_ms = clock_wall_ms();
	ulid_make(mail->id, mail->accepted_ms);
	mail->reverse_path = mem_string("application@sender.example");
	mail->route = mem_string("main");
	mail->listener = mem_string("127.0.0.1:2525");
	mail->client = mem_string("127.0.0.1");
	mail->helo = mem_string("application.example");
	mail->message_id = mem_format("<%.16s.%016llx@sender.example>", mail->id + 10,
	    (unsigned long long)b->asked * 0x9e3779b97f4a7c15U);
	mail->from = mem_string("Application <application@sender.example>");
	mail->subject = mem_string("Your order has been shipped");
	mail->ledger = mem_string("date");
	mail->content_bytes = b->payload_bytes;
	mail->item_count = 1;
	mail->items = mem_array(1, sizeof(mail->items[0]));
	mail->items[0].number = 1;
	strlist_add(&mail->items[0].recipients, "customer@recipient.example");
	payload_init(&mail->items[0].payload);
	mail->items[0].payload.len = b->payload_bytes;
	if (b->payload_bytes < PAYLOAD_LARGE) {
		mail->items[0].payload.data = mem_bytes(b->bytes, b->payload_bytes);
	} else {
		int fd = memfd_create("payload", MFD_CLOEXEC);

		if (fd == -1 || write(fd, b->bytes, b->payload_bytes) != (ssize_t)b->payload_bytes)
			abort();
		mail->items[0].payload.fd = fd;
	}
	m->bench = b;
	m->index = b->asked++;
	b->started_us[m->index] = clock_mono_us();
	store_commit(b->store, mail, committed, m);
}

static void
counted(void *ctx, const struct store_counts *counts)
{
	struct bench *b = ctx;

	b->syncs = counts->syncs;
	loop_stop(b->loop);
}

static uint64_t
syncs_now(struct bench *b)
{
	store_count(b->store, counted, b);
	loop_run(b->loop);
	return b->syncs;
}

static int64_t
cpu_us(void)
{
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	return (r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1000000 + r.ru_utime.tv_usec +
	       r.ru_stime.tv_usec;
}

static int
by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static void
run(const char *folder, size_t payload_bytes, unsigned long total, unsigned in_flight, bool cycle,
    int64_t sync_delay_ms)
{
	struct bench b = { .payload_bytes = payload_bytes, .total = total, .cycle = cycle };
	struct store_params params = { .backend = "sqlite",
		.folder = folder,
		.sync_delay_ms = sync_delay_ms,
		.due = due,
		.ctx = &b };
	int64_t wall_us, cpu, syncs;
	char why[300], *command;
	struct rusage usage;

	b.loop = params.loop = loop_new();
	b.store = store_open(&params, why, sizeof(why));
	if (b.store == NULL) {
		fprintf(stderr, "%s\n", why);
		exit(1);
	}
	b.bytes = mem_array(payload_bytes, 1);
	for (size_t i = 0; i < payload_bytes; i++)
		b.bytes[i] = (char)('a' + (i * 7 + i / 251) % 26);
	b.started_us = mem_array(total, sizeof(int64_t));
	b.took_us = mem_array(total, sizeof(int64_t));

	syncs = (int64_t)syncs_now(&b);
	wall_us = clock_mono_us();
	cpu = cpu_us();
	while (b.asked < in_flight && b.asked < total)
		mail_add(&b);
	loop_run(b.loop);
	syncs = (int64_t)syncs_now(&b) - syncs; /* after the last outcome: it is in the figures */
	wall_us = clock_mono_us() - wall_us;
	cpu = cpu_us() - cpu;
	qsort(b.took_us, total, sizeof(int64_t), by_size);
	getrusage(RUSAGE_SELF, &usage);
	printf("%-7s %8zu bytes  %7.0f/s  cpu %6.1f us  syncs/mail %.4f  p50 %6.1f ms  p99 %6.1f "
	       "ms  max %6.1f ms  rss %ld MB\n",
	    cycle ? "cycle" : "commit", payload_bytes, (double)total * 1e6 / (double)wall_us,
	    (double)cpu / (double)total, (double)syncs / (double)total,
	    (double)b.took_us[total / 2] / 1000.0, (double)b.took_us[total * 99 / 100] / 1000.0,
	    (double)b.took_us[total - 1] / 1000.0, usage.ru_maxrss / 1024);
	fflush(stdout);

	store_close(&b.store);
	loop_free(&b.loop);
	free(b.bytes);
	free(b.started_us);
	free(b.took_us);
	command = mem_format("rm -rf '%s'", folder);
	if (system(command) != 0)
		exit(1);
	free(command);
}

int
main(int argc, char **argv)
{
	static const struct {
		size_t bytes;
		unsigned long total;
	} sizes[] = { { 2048, 40000 }, { 10240, 40000 }, { 102400, 2000 }, { 1048576, 400 } };
	const char *parent = getenv("TMPDIR");
	char *folder = argc > 1 ? mem_string(argv[1])
				: mem_format("%s/pmrelay-store-bench-%ld",
				      parent != NULL ? parent : "/tmp", (long)getpid());
	unsigned in_flight = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 100;
	int64_t sync_delay_ms = argc > 3 ? strtol(argv[3], NULL, 10) : 0;

	log_setup("bench", LOG_LEVEL_WARNING, LOG_FORMAT_TEXT, STDERR_FILENO);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		unsigned long total = sync_delay_ms > 0 ? sizes[i].total / 8 : sizes[i].total;
		unsigned sessions = sizes[i].bytes > 500000 && in_flight > 10 ? 10 : in_flight;

		run(folder, sizes[i].bytes, total, sessions, false, sync_delay_ms);
		run(folder, sizes[i].bytes, total, sessions, true, sync_delay_ms);
	}
	free(folder);
	return 0;
}
