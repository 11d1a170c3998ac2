/* From a COMMIT to its answer, with a spool; Postmark's part is played here. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "mail/refusal.h"
#include "store/store.h"
#include "programs/commits.h"

#include "../store/spool.h"

#define A         "01HZZZZZZZZZZZZZZZZZZZZZZ1"
#define B         "01HZZZZZZZZZZZZZZZZZZZZZZ2"
#define WITHIN_MS 20
#define GRACE_MS  30000

struct desk {
	struct spool *spool;
	struct commits *commits;
	bool front_gone, stands;

	unsigned stored, answers, taken_back;
	enum store_result result;
	size_t mails;
	bool plain; /* the answer says nothing of its own */
	struct refusal answer;
};

static void
on_stored(void *ctx, const struct commit_from *from, const struct commit_mail *mails, size_t count,
    enum store_result result)
{
	struct desk *d = ctx;

	assert_ptr_equal(from->channel, d);
	assert_int_equal(d->answers, 0);
	assert_string_equal(mails[0].route, "main");
	d->stored++;
	d->mails = count;
	d->result = result;
}

static bool
on_answer(void *ctx, const struct commit_from *from, const struct refusal *answer)
{
	struct desk *d = ctx;

	assert_int_equal(from->serial, 7);
	d->answers++;
	d->plain = answer == NULL;
	if (answer != NULL)
		d->answer = *answer;
	return !d->front_gone;
}

static void
on_taken_back(void *ctx, const char *mail_id, const char *route)
{
	struct desk *d = ctx;

	assert_int_equal(strlen(mail_id), ULID_LEN);
	assert_string_equal(route, "main");
	assert_int_equal(d->answers, 0);
	d->taken_back++;
}

static bool
on_stands(void *ctx, const char *route)
{
	const struct desk *d = ctx;

	assert_string_equal(route, "main");
	return d->stands;
}

static int
setup(void **state)
{
	struct desk *d = mem_new(sizeof(*d));
	void *spool;

	if (spool_setup(&spool) != 0)
		return -1;
	d->spool = spool;
	d->commits = commits_new(&(struct commits_params){ .loop = d->spool->loop,
	    .store = d->spool->store,
	    .stored = on_stored,
	    .answer = on_answer,
	    .taken_back = on_taken_back,
	    .stands = on_stands,
	    .ctx = d });
	*state = d;
	return 0;
}

static int
teardown(void **state)
{
	struct desk *d = *state;
	void *spool = d->spool;

	store_close(&d->spool->store);
	commits_free(&d->commits);
	free(d);
	return spool_teardown(&spool);
}

static struct mail *
asking(const char *id, unsigned items, enum reply_mode mode)
{
	struct mail *mail = mail_make(id, items, 100, NOW_MS);

	mail->reply = mode;
	mail->reply_within_ms = WITHIN_MS;
	return mail;
}

/* The disk takes that long. */
static void
ask_slowly(struct desk *d, struct mail *mail, int64_t ms)
{
	const struct commit_from from = { .channel = d, .generation = 1, .serial = 7, .bytes = 1 };

	commits_ask(d->commits, mail, &from, false);
	if (ms > 0)
		clock_fake(NOW_MS, 1000000 + ms);
	while (d->stored == 0)
		count(d->spool); /* whatever was asked before it is answered then */
}

static void
ask(struct desk *d, struct mail *mail)
{
	ask_slowly(d, mail, 0);
}

/* Real time, as little as there has to be: the timers are the loop's. */
static void
on_pause(void *ctx)
{
	loop_stop(ctx);
}

static void
run_for(struct desk *d, int64_t ms)
{
	struct loop_timer *timer = loop_timer_new(d->spool->loop, on_pause, d->spool->loop);

	loop_timer_set(timer, ms);
	loop_run(d->spool->loop);
	loop_timer_free(&timer);
}

static void
wait_answer(struct desk *d)
{
	for (int i = 0; d->answers == 0; i++) {
		assert_true(i < 500);
		run_for(d, 10);
	}
}

static void
outcome(struct desk *d, const char *item_id, enum item_state to, int http_status, int error_code)
{
	const struct store_outcome outcome = { .to = to,
		.http_status = http_status,
		.error_code = error_code,
		.postmark_id = to == ITEM_SENT ? "pm-1" : NULL,
		.answer = "said" };

	commits_outcome(d->commits, item_id, &outcome);
}

#define assert_answer(d, code_, part)                                                              \
	do {                                                                                       \
		assert_int_equal((d)->answers, 1);                                                 \
		assert_false((d)->plain);                                                          \
		assert_int_equal((d)->answer.code, code_);                                         \
		if (strstr((d)->answer.text, part) == NULL)                                        \
			fail_msg("%s", (d)->answer.text);                                          \
	} while (0)

static void
test_queued(void **state)
{
	struct desk *d = *state;
	struct mail *mail = asking(A, 2, REPLY_QUEUED);

	mail->next = asking(B, 1, REPLY_QUEUED);
	ask(d, mail);
	assert_int_equal(d->stored, 1);
	assert_int_equal(d->mails, 2);
	assert_int_equal(d->answers, 1);
	assert_true(d->plain);
	assert_int_equal(count(d->spool)->items[ITEM_SPOOLED], 3);
	/* Nobody waits for these. */
	outcome(d, A "-1", ITEM_SENT, 200, 0);
	assert_int_equal(d->answers, 1);
}

static void
test_not_stored(void **state)
{
	struct desk *d = *state;

	atomic_store(&syncs_to_fail, 1000);
	ask(d, asking(A, 1, REPLY_POSTMARK));
	atomic_store(&syncs_to_fail, 0);
	assert_int_equal(d->result, STORE_BROKEN);
	assert_answer(d, 451, "the spool has a fault");
}

static void
test_sent(void **state)
{
	struct desk *d = *state;

	ask(d, asking(A, 2, REPLY_POSTMARK));
	assert_int_equal(d->answers, 0);
	outcome(d, B "-1", ITEM_SENT, 200, 0);
	outcome(d, A "-2", ITEM_SENT, 200, 0);
	assert_int_equal(d->answers, 0);
	outcome(d, A "-1", ITEM_SENT, 200, 0);
	assert_answer(d, 250, "Postmark took it as pm-1, pm-1");
}

/* Refused, and the history says that whoever sent it knows. */
static void
test_refused(void **state)
{
	struct desk *d = *state;
	struct spool *s = d->spool;

	ask(d, asking(A, 1, REPLY_POSTMARK));
	assert_int_equal(claim(s, ITEM_SPOOLED), 1);
	settle(s, s->items[0].key, ITEM_FAILED, 0);
	outcome(d, A "-1", ITEM_FAILED, 422, 406);
	assert_answer(d, 550, "Postmark refused it (ErrorCode 406): said");
	count(s);
	assert_int_equal(sql(s, "SELECT told FROM item"), 1);
	assert_int_equal(
	    sql(s, "SELECT count(*) FROM attempt WHERE answer LIKE 'the client was told: 550 5.1.1"
		   " Postmark refused it%'"),
	    1);
}

static void
test_refused_to_nobody(void **state)
{
	struct desk *d = *state;
	struct spool *s = d->spool;

	d->front_gone = true;
	ask(d, asking(A, 1, REPLY_POSTMARK));
	assert_int_equal(claim(s, ITEM_SPOOLED), 1);
	settle(s, s->items[0].key, ITEM_FAILED, 0);
	outcome(d, A "-1", ITEM_FAILED, 422, 406);
	assert_int_equal(d->answers, 1);
	count(s);
	assert_int_equal(sql(s, "SELECT told FROM item"), 0);
}

static void
test_late(void **state)
{
	struct desk *d = *state;

	ask(d, asking(A, 1, REPLY_POSTMARK));
	run_for(d, WITHIN_MS * 3);
	assert_int_equal(d->answers, 0); /* by the clock no time has gone by */
	clock_fake(NOW_MS, 1000000 + WITHIN_MS);
	wait_answer(d);
	assert_answer(d, 250, "Postmark has not answered yet");
	assert_int_equal(count(d->spool)->items[ITEM_SPOOLED], 1);
	outcome(d, A "-1", ITEM_SENT, 200, 0);
	assert_int_equal(d->answers, 1);
}

/* The front has counted since its content was there: so does the core, or the one says 451 and the
 * other sends it. */
static void
test_slow_disk(void **state)
{
	struct desk *d = *state;

	ask_slowly(d, asking(A, 1, REPLY_POSTMARK_OR_REFUSE), WITHIN_MS);
	wait_answer(d);
	assert_answer(d, 451, "nothing was sent");
	assert_int_equal(sql(d->spool, "SELECT count(*) FROM item"), 0);

	d->stored = d->answers = 0;
	clock_fake(NOW_MS, 1000000);
	ask_slowly(d, asking(B, 1, REPLY_POSTMARK_OR_REFUSE), WITHIN_MS + GRACE_MS);
	assert_answer(d, 250, "Postmark has not answered yet");
	assert_int_equal(count(d->spool)->items[ITEM_SPOOLED], 1);
}

/* What it took does not shorten the time that taking back has. */
static void
test_slow_disk_route_stands(void **state)
{
	struct desk *d = *state;

	d->stands = true;
	ask_slowly(d, asking(A, 1, REPLY_POSTMARK_OR_REFUSE), GRACE_MS);
	wait_answer(d);
	assert_answer(d, 451, "nothing was sent");
}

static void
test_taken_back(void **state)
{
	struct desk *d = *state;
	struct mail *mail = asking(A, 2, REPLY_POSTMARK_OR_REFUSE);

	mail->next = asking(B, 1, REPLY_POSTMARK_OR_REFUSE);
	ask(d, mail);
	clock_fake(NOW_MS, 1000000 + WITHIN_MS);
	wait_answer(d);
	assert_answer(d, 451, "nothing was sent");
	assert_int_equal(d->taken_back, 2);
	assert_int_equal(sql(d->spool, "SELECT count(*) FROM item"), 0);
	assert_int_equal(sql(d->spool, "SELECT count(*) FROM mail"), 0);
	assert_int_equal(claim(d->spool, ITEM_SPOOLED), 0);
}

/* Weather: at once, with its reason. */
static void
test_weather(void **state)
{
	struct desk *d = *state;
	struct spool *s = d->spool;

	ask(d, asking(A, 1, REPLY_POSTMARK_OR_REFUSE));
	assert_int_equal(claim(s, ITEM_SPOOLED), 1);
	settle(s, s->items[0].key, ITEM_WAITING, NOW_MS + 1000);
	outcome(d, A "-1", ITEM_WAITING, 503, 0);
	wait_answer(d);
	assert_answer(d, 451, "try again later: said");
	assert_int_equal(sql(s, "SELECT count(*) FROM item"), 0);
}

/* It is on its way when its time is up: never both refused and sent. */
static void
test_in_flight(void **state)
{
	struct desk *d = *state;
	struct spool *s = d->spool;

	ask(d, asking(A, 1, REPLY_POSTMARK_OR_REFUSE));
	assert_int_equal(claim(s, ITEM_SPOOLED), 1);
	clock_fake(NOW_MS, 1000000 + WITHIN_MS);
	run_for(d, WITHIN_MS * 3);
	assert_int_equal(d->answers, 0);
	settle(s, s->items[0].key, ITEM_SENT, 0);
	outcome(d, A "-1", ITEM_SENT, 200, 0);
	assert_answer(d, 250, "took it as pm-1");
	assert_int_equal(count(s)->items[ITEM_SENT], 1);
}

/* Given back untried by the dispatcher, which nobody tells. */
static void
test_given_back(void **state)
{
	struct desk *d = *state;
	struct spool *s = d->spool;

	ask(d, asking(A, 1, REPLY_POSTMARK_OR_REFUSE));
	assert_int_equal(claim(s, ITEM_SPOOLED), 1);
	clock_fake(NOW_MS, 1000000 + WITHIN_MS);
	run_for(d, WITHIN_MS * 3);
	assert_int_equal(d->answers, 0);
	settle(s, s->items[0].key, ITEM_SPOOLED, NOW_MS);
	wait_answer(d);
	assert_answer(d, 451, "nothing was sent");
	assert_int_equal(sql(s, "SELECT count(*) FROM item"), 0);
}

static void
test_in_flight_for_ever(void **state)
{
	struct desk *d = *state;
	struct spool *s = d->spool;

	ask(d, asking(A, 1, REPLY_POSTMARK_OR_REFUSE));
	assert_int_equal(claim(s, ITEM_SPOOLED), 1);
	clock_fake(NOW_MS, 1000000 + WITHIN_MS + GRACE_MS - 1);
	run_for(d, 700);
	assert_int_equal(d->answers, 0);
	clock_fake(NOW_MS, 1000000 + WITHIN_MS + GRACE_MS);
	wait_answer(d);
	assert_answer(d, 250, "Postmark has not answered yet");
	assert_int_equal(count(s)->items[ITEM_SENDING], 1);
}

/* The front asks the next core for what a dead one had stored: sent, or still to be.  What is there
 * already is nobody's to take back, whoever asks. */
static void
test_stored_before(void **state)
{
	struct desk *d = *state;
	struct spool *s = d->spool;

	assert_int_equal(commit(s, asking(A, 1, REPLY_POSTMARK_OR_REFUSE)), STORE_OK);
	assert_false(s->known);
	assert_int_equal(claim(s, ITEM_SPOOLED), 1);
	settle(s, s->items[0].key, ITEM_SENT, 0);
	ask(d, asking(A, 1, REPLY_POSTMARK_OR_REFUSE));
	wait_answer(d);
	assert_true(d->plain);
	assert_int_equal(count(s)->items[ITEM_SENT], 1);
}

static void
test_an_earlier_mail_stays(void **state)
{
	struct desk *d = *state;
	struct spool *s = d->spool;
	struct mail *mail = asking(A, 1, REPLY_POSTMARK_OR_REFUSE);

	assert_int_equal(commit(s, asking(B, 1, REPLY_QUEUED)), STORE_OK);
	mail->next = asking(B, 1, REPLY_POSTMARK_OR_REFUSE);
	d->stands = true;
	ask(d, mail);
	wait_answer(d);
	assert_true(d->plain);
	assert_int_equal(count(s)->items[ITEM_SPOOLED], 2);
}

/* An operator has stopped the route: what is there to wait for? */
static void
test_route_stands(void **state)
{
	struct desk *d = *state;

	d->stands = true;
	ask(d, asking(A, 1, REPLY_POSTMARK_OR_REFUSE));
	wait_answer(d);
	assert_answer(d, 451, "nothing was sent");
}

static void
test_hurry(void **state)
{
	struct desk *d = *state;

	ask(d, asking(A, 1, REPLY_POSTMARK));
	d->stored = 0;
	ask(d, asking(B, 1, REPLY_QUEUED)); /* waits for nothing */
	assert_int_equal(d->answers, 1);
	d->answers = 0;
	commits_hurry(d->commits);
	assert_answer(d, 250, "Postmark has not answered yet");
	commits_hurry(d->commits);
	assert_int_equal(d->answers, 1);
}

/* The end of the core, with some that wait. */
static void
test_end(void **state)
{
	struct desk *d = *state;

	ask(d, asking(A, 1, REPLY_POSTMARK));
	d->stored = 0;
	ask(d, asking(B, 1, REPLY_POSTMARK_OR_REFUSE));
	commits_hurry(d->commits); /* the store is asked, and closed before it has answered */
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_queued),
		TEST(test_not_stored),
		TEST(test_sent),
		TEST(test_refused),
		TEST(test_refused_to_nobody),
		TEST(test_late),
		TEST(test_slow_disk),
		TEST(test_slow_disk_route_stands),
		TEST(test_taken_back),
		TEST(test_weather),
		TEST(test_in_flight),
		TEST(test_given_back),
		TEST(test_in_flight_for_ever),
		TEST(test_stored_before),
		TEST(test_an_earlier_mail_stays),
		TEST(test_route_stands),
		TEST(test_hurry),
		TEST(test_end),
	};

	log_setup("commits_test", LOG_LEVEL_ERROR, LOG_FORMAT_TEXT,
	    getenv("SPOOL_TEST_LOG") != NULL ? STDERR_FILENO : open("/dev/null", O_WRONLY));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
