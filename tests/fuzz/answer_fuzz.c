/*
 * Postmark's answers, and what stands between us and Postmark, to verdicts.
 *
 * Input: a byte of flags (bit 0: a batch, bits 1 and 2: items less one, bit 3: cut), a byte that
 * picks the status, the body.  The properties are those on which no mail is lost and none is sent
 * twice: what was not clearly taken is never "sent", what may have been is never "not sent", a
 * split always gets smaller, and nobody is reported as inactive who was no recipient.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/strlist.h"
#include "base/text.h"
#include "postmark/client.h"
#include "postmark/retry_after.h"
#include "postmark/search.h"
#include "postmark/verdict.h"

#define ID "01J8ZQ4T8P5R7V9X1Z3B5D7F9H-1"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
must(bool holds)
{
	if (!holds)
		abort();
}

static bool
is_id(const char *id)
{
	size_t len = strlen(id);

	return len > 0 && len <= 36 &&
	       strspn(id, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-") == len;
}

static void
inactive_hold(const struct item_verdict *verdict, const struct strlist *recipients)
{
	for (size_t i = 0; i < verdict->inactive.count; i++) {
		must(strlist_has(recipients, verdict->inactive.items[i]));
		for (size_t j = i + 1; j < verdict->inactive.count; j++)
			must(strcmp(verdict->inactive.items[i], verdict->inactive.items[j]) != 0);
	}
	must(verdict->inactive.count == 0 || verdict->verdict == VERDICT_SENT ||
	     (verdict->verdict == VERDICT_REFUSED && verdict->error_code == 406));
}

static void
verdict_hold(const struct postmark_answer *answer, bool batch, size_t count,
    const struct item_verdict *verdict, const struct strlist *recipients)
{
	bool good = answer->status >= 200 && answer->status <= 299;

	switch (verdict->verdict) {
	case VERDICT_SENT:
		if (verdict->postmark_id[0] != '\0') {
			must(good && !answer->cut && is_id(verdict->postmark_id));
			must(verdict->error_code == 0);
		} else {
			must(verdict->error_code == 406 && verdict->inactive.count > 0 &&
			     verdict->inactive.count < recipients->count);
		}
		break;
	case VERDICT_SPLIT:
		must(batch && count > 1 && !good);
		break;
	case VERDICT_REFUSED:
		must(verdict->error_code != 0 || answer->status == 413);
		break;
	case VERDICT_WEATHER:
		must(!good || verdict->error_code != 0);
		break;
	case VERDICT_OPERATOR:
	case VERDICT_THROTTLED:
	case VERDICT_OUR_FAULT:
	case VERDICT_UNSURE:
		break;
	}
	if (verdict->verdict != VERDICT_SENT)
		must(verdict->postmark_id[0] == '\0');
	must(verdict->error_code >= 0);
	must(verdict->message == NULL || strlen(verdict->message) <= 2000);
	must(verdict->message == NULL || text_is_utf8(verdict->message, strlen(verdict->message)));
	inactive_hold(verdict, recipients);
}

/* A body that ends too early tells of nothing taken. */
static void
shorter_is_never_sent(struct postmark_answer answer, const struct strlist *const *recipients)
{
	struct item_verdict verdict = { 0 };

	if (answer.len == 0 || answer.body[answer.len - 1] != '}')
		return;
	answer.len--;
	verdict_judge(&answer, false, recipients, 1, &verdict);
	must(verdict.verdict != VERDICT_SENT);
	verdicts_free(&verdict, 1);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const int statuses[] = { 200, 422, 401, 403, 413, 415, 429, 500, 503, 502, 504, 404,
		400, 402, 408, 409, 410, 201, 204, 302, 100, 0, -1, 999, 2147483647 };
	static char *lists[4][3] = { { "a@x.example", "b@x.example", "Ann.B@x.example" },
		{ "c@x.example" }, { "'d'@x.example", "a@x.example" }, { "e@x.example" } };
	static const size_t counts[4] = { 3, 1, 2, 1 };
	struct strlist recipients[4];
	const struct strlist *lent[4];
	struct item_verdict verdicts[4] = { 0 };
	struct postmark_answer answer = { .end = POSTMARK_ANSWERED, .error = "" };
	char id[SEARCH_ID_SIZE], *body;
	bool batch;
	size_t count;
	int64_t span_ms;

	if (len < 2)
		return 0;
	for (size_t i = 0; i < 4; i++) {
		recipients[i] = (struct strlist){ lists[i], counts[i], 3 };
		lent[i] = &recipients[i];
	}
	batch = (data[0] & 1U) != 0;
	count = batch ? 1 + (data[0] >> 1U & 3U) : 1;
	answer.cut = (data[0] & 8U) != 0;
	answer.status = statuses[data[1] % (sizeof(statuses) / sizeof(*statuses))];
	/* As the client lends it: followed by a NUL. */
	answer.len = len - 2;
	body = malloc(answer.len + 1);
	must(body != NULL);
	memcpy(body, data + 2, answer.len);
	body[answer.len] = '\0';
	answer.body = body;

	verdict_judge(&answer, batch, lent, count, verdicts);
	for (size_t i = 0; i < count; i++) {
		verdict_hold(&answer, batch, count, &verdicts[i], &recipients[i]);
		if (verdicts[i].verdict == VERDICT_SPLIT)
			must(verdicts[0].verdict == VERDICT_SPLIT);
	}
	if (!batch && verdicts[0].postmark_id[0] != '\0')
		shorter_is_never_sent(answer, lent);
	verdicts_free(verdicts, count);

	if (search_read(&answer, ID, id) == SEARCH_FOUND)
		must(is_id(id) && answer.status == 200 && !answer.cut);
	else
		must(id[0] == '\0');
	/* Our own JSON, but the bytes in it are foreign: it reads no further than it is told to. */
	free(search_stream((const char *)data, len));
	span_ms = retry_after_ms(body, answer.len, INT64_C(784111777000));
	must(span_ms >= -1 && span_ms <= RETRY_AFTER_MOST_MS);
	free(body);
	return 0;
}
