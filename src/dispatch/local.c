/*
 * Mails that came in: to an LMTP server, a Maildir or a command by deliver/, to an SMTP server by
 * postmark/smtp.  Their claims, pauses, retries and history are those of all other mail.
 */

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "deliver/deliver.h"
#include "postmark/client.h"
#include "postmark/smtp.h"
#include "postmark/verdict.h"
#include "store/store.h"

#include "dispatch/inside.h"

bool
route_is_local(const struct route *route)
{
	return route->local.deliver != NULL || route->local.smtp != NULL;
}

/* There is nobody to be asked whether it was taken, so it goes again, and this is said. */
static void
unsure_note(struct item_verdict *verdict)
{
	char *text = verdict->message;

	verdict->message = mem_format(
	    "%s; it may have been delivered, and will be again", text != NULL ? text : "no reply");
	free(text);
	verdict->verdict = VERDICT_WEATHER;
}

/* --- by deliver --------------------------------------------------------------------------- */

static void
verdict_set(struct item_verdict *verdict, enum verdict which, const char *text)
{
	verdict->verdict = which;
	verdict->message = mem_string(text);
}

static void
delivered(void *ctx, const struct deliver_answer *answer)
{
	struct request *request = ctx;
	struct item_verdict *verdict = mem_array(1, sizeof(*verdict));
	struct postmark_answer as = { .end = POSTMARK_ANSWERED,
		.status = answer->code,
		.type = "",
		.request_id = "",
		.body = "",
		.retry_after_ms = -1,
		.elapsed_ms = answer->elapsed_ms,
		.error = answer->text };

	request->deliver_job = NULL;
	switch (answer->end) {
	case DELIVER_DONE:
		verdict_set(verdict, VERDICT_SENT, answer->text);
		break;
	case DELIVER_LATER:
		verdict_set(verdict, VERDICT_WEATHER, answer->text);
		break;
	case DELIVER_LATER_ALONE:
		verdict_set(verdict, VERDICT_WEATHER, answer->text);
		request->of_item = true;
		break;
	case DELIVER_REFUSED:
		verdict_set(verdict, VERDICT_REFUSED, answer->text);
		break;
	case DELIVER_UNSURE:
		verdict_set(verdict, VERDICT_UNSURE, answer->text);
		as.end = POSTMARK_LOST;
		unsure_note(verdict);
		break;
	}
	request_judged(request, verdict, &as);
}

static void
submit_deliver(struct request *request)
{
	const struct store_item *item = &request->items[0];
	const struct deliver_request mail = {
		.id = item->id,
		.sender = item->reverse_path != NULL ? item->reverse_path : "",
		.recipient = item->recipients.items[0],
		.accepted_ms = item->accepted_ms,
		.again = item->attempt > 1,
		.payload = &item->payload,
		.shared = &item->shared,
	};

	request->deliver_job =
	    deliver_submit(request->route->local.deliver, &mail, delivered, request);
}

/* --- by SMTP ------------------------------------------------------------------------------ */

static void
smtp_answered(void *ctx, const struct smtp_answer *answer)
{
	struct request *request = ctx;
	struct item_verdict *verdict = mem_array(1, sizeof(*verdict));
	const struct postmark_answer as = { .end = answer->end,
		.status = answer->code,
		.type = "",
		.request_id = "",
		.body = "",
		.retry_after_ms = -1,
		.elapsed_ms = answer->elapsed_ms,
		.error = answer->error };

	request->smtp_job = NULL;
	verdict_judge_smtp(answer, &request->items[0].recipients, verdict);
	/* A full mailbox, or one that is greylisted, says nothing of the others. */
	request->of_item = answer->end == POSTMARK_ANSWERED && answer->stage >= SMTP_MAIL &&
			   answer->code >= 400 && answer->code < 500 && answer->code != 421;
	if (verdict->verdict == VERDICT_UNSURE)
		unsure_note(verdict);
	request_judged(request, verdict, &as);
}

static void
submit_smtp(struct request *request)
{
	const struct dispatch_local *local = &request->route->local;
	const struct store_item *item = &request->items[0];
	const struct smtp_request mail = {
		.sender = item->reverse_path != NULL ? item->reverse_path : "",
		.recipients = &item->recipients,
		.pieces = request->batch.pieces,
		.piece_count = request->batch.piece_count,
		.timeout_ms = local->timeout_ms,
	};

	request->smtp_job = smtp_submit(local->smtp, &mail, smtp_answered, request);
}

void
request_submit_local(struct request *request)
{
	if (request->route->local.deliver != NULL)
		submit_deliver(request);
	else
		submit_smtp(request);
}
