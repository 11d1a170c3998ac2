/*
 * Sending: messages are judged by rules.c, and what only the sandbox can know (senders, the test
 * token, suppressions) comes last.
 */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"

#include "sandbox/api.h"
#include "sandbox/bounce_type.h"
#include "sandbox/bounces.h"
#include "sandbox/faults.h"
#include "sandbox/messages.h"
#include "sandbox/notify.h"
#include "sandbox/rules.h"
#include "sandbox/server.h"
#include "sandbox/state.h"
#include "sandbox/send.h"

/* Contents of attachments above are not kept. */
#define MOST_KEPT_CONTENT 65536

struct submission {
	struct state *state;
	struct server *server;     /* NULL: the test token */
	const struct fault *fault; /* NULL: none */
	size_t token;
	send_prepare_fn *prepare; /* NULL: messages are complete */
	size_t batch_size;        /* 0: no batch */
};

static char *
metadata_relay_id(const json_t *metadata)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)metadata, key, value)
	{
		if (text_same(key, "relay-id"))
			return mem_string(json_string_value(value));
	}
	return NULL;
}

/* Changes the large ones of a message's attachments into what is known of them. */
static void
drop_large_contents(json_t *json)
{
	size_t i;
	json_t *one;

	json_array_foreach(json_object_get(json, "Attachments"), i, one)
	{
		json_t *content = json_object_get(one, "Content");
		size_t len = json_string_length(content);
		const char *text = json_string_value(content);

		if (len <= MOST_KEPT_CONTENT)
			continue;
		len = len / 4 * 3 - (text[len - 1] == '=') - (text[len - 2] == '=');
		json_object_set_new(one, "Content", json_null());
		json_object_set_new(one, "ContentLength", json_integer((json_int_t)len));
	}
}

/* suppressed_r: those who will not be mailed.  Returns how many recipients there are. */
static size_t
sort_recipients(const struct submission *submission, const struct rules_message *judged,
    struct strlist *recipients_r, struct strlist *suppressed_r)
{
	const struct fault *fault = submission->fault;
	const struct message_stream *stream = server_stream(submission->server, judged->stream);
	bool forced;

	for (int i = 0; i < RULES_FIELDS; i++) {
		const struct strlist *list = &judged->lists[i].addresses;

		for (size_t j = 0; j < list->count; j++) {
			strlist_add(recipients_r, list->items[j]);
			if (message_stream_suppression(stream, list->items[j]) != NULL)
				strlist_add(suppressed_r, list->items[j]);
		}
	}
	forced = fault != NULL && fault->partial_suppression && suppressed_r->count == 0 &&
		 recipients_r->count > 1;
	if (forced)
		strlist_add(suppressed_r, recipients_r->items[recipients_r->count - 1]);
	return recipients_r->count;
}

/* What is tracked: a server that tracks opens cannot be overruled, a message's TrackLinks can. */
static void
note_tracking(const struct server *server, const json_t *json, struct message *message)
{
	const char *links = json_string_value(json_object_get(json, "TrackLinks"));

	message->track_opens =
	    server_flag(server, "TrackOpens") || json_is_true(json_object_get(json, "TrackOpens"));
	if (links == NULL)
		links = server_text(server, "TrackLinks");
	message->track_html_links = text_starts(links, "Html");
	message->track_text_links = text_same(links, "HtmlAndText") || text_same(links, "TextOnly");
	message->sandboxed = server_sandboxed(server);
}

static void
keep_message(const struct submission *submission, const struct rules_message *judged, json_t *json,
    struct message *message)
{
	struct state *state = submission->state;
	struct server *server = submission->server;

	message->bytes = judged->bytes;
	message->from = mem_string(judged->from);
	message->tag = mem_string(judged->tag);
	message->subject = mem_string(judged->subject);
	message->stream = mem_string(judged->stream);
	if (judged->metadata != NULL)
		message->relay_id = metadata_relay_id(judged->metadata);
	message->batch_size = submission->batch_size;
	message->server = server->id;
	message->token = submission->token;
	note_tracking(server, json, message);
	/* What is kept is shorter than what is delivered. */
	notify_accepted(state, server, message, json);
	drop_large_contents(json);
	message->json = json_dumps(json, JSON_COMPACT);
	message->json_len = strlen(message->json);
	for (size_t i = 0; i < message->recipients.count; i++) {
		const char *address = message->recipients.items[i];
		const struct bounce_type *bounce = bounce_type_wanted(address, judged->bounce_type);

		if (bounce == NULL || strlist_has(&message->suppressed, address))
			continue;
		free(message->bounce);
		message->bounce = mem_string(bounce->name);
		(void)bounces_add(state, server, message, address, bounce->name, NULL);
	}
	log_debug("accepted", log_str("id", message->id), log_str("item", message->relay_id),
	    log_num("recipients", (int64_t)message->recipients.count),
	    log_num("bytes", (int64_t)message->bytes));
	messages_add(state->messages, message);
}

/* A message that comes now. */
static struct message *
message_now(void)
{
	struct message *message = message_new();

	message->wall_ms = clock_wall_ms();
	message->mono_ms = clock_mono_ms();
	message->fraction = (unsigned)(clock_mono_us() % 1000) * 10 + 2;
	return message;
}

static void
add_accepted(struct buf *out, const struct submission *submission, const char *to,
    const struct message *message, const char *text)
{
	const struct fault *fault = submission->fault;
	bool code = true;
	char time[STATE_TIME_SIZE];

	if (fault != NULL && fault->answer == FAULT_ANSWER_DELAYED_TEXT)
		text = "Message accepted, but delivery may be delayed.";
	if (fault != NULL && (fault->answer == FAULT_ANSWER_DELAYED_TEXT ||
				 fault->answer == FAULT_ANSWER_NO_ERROR_CODE))
		code = false;
	state_time_text(time, message->wall_ms, message->fraction, 0);
	buf_addc(out, '{');
	if (code)
		buf_adds(out, "\"ErrorCode\":0");
	json_add_member(out, "Message", text, strlen(text));
	json_add_member(out, "MessageID", message->id, UUID_LEN);
	json_add_member(out, "SubmittedAt", time, strlen(time));
	if (to != NULL)
		json_add_member(out, "To", to, strlen(to));
	buf_addc(out, '}');
}

/* A stream as a message names it: exactly. */
static enum rules_stream
stream_kind(const void *ctx, const char *id)
{
	const struct server *server = ctx;
	const struct message_stream *stream = server_stream(server, id);

	if (stream == NULL || stream->archived || strcmp(stream->id, id) != 0)
		return RULES_STREAM_UNKNOWN;
	return stream->type == STREAM_TYPE_INBOUND ? RULES_STREAM_INBOUND : RULES_STREAM_SENDS;
}

static int
check_domains(const char *from, const struct strlist *recipients, struct rules_refusal *refusal_r)
{
	const char *domain = strrchr(from, '@');

	for (size_t i = 0; i < recipients->count; i++) {
		if (text_same(strrchr(recipients->items[i], '@'), domain))
			continue;
		refusal_r->code = 412;
		refusal_r->text =
		    mem_string("While your account is pending approval, all recipient "
			       "addresses must share the same domain as the From address.");
		return -1;
	}
	return 0;
}

/* The test of an account that is not approved yet. */
static int
check_approval(
    const struct state *state, const struct rules_message *judged, struct rules_refusal *refusal_r)
{
	for (int i = 0; state->switches.pending_approval && i < RULES_FIELDS; i++) {
		if (check_domains(judged->from, &judged->lists[i].addresses, refusal_r) != 0)
			return -1;
	}
	return 0;
}

/*
 * The message against all rules.  0: json_r is the finished message, a new reference, and
 * judged_r lends from it.  -1: refusal_r.
 */
static int
judge(const struct submission *submission, json_t *json, json_t **json_r,
    struct rules_message *judged_r, struct rules_refusal *refusal_r)
{
	const struct state *state = submission->state;
	struct rules_params params = {
		.stream = submission->server != NULL ? stream_kind : NULL,
		.ctx = submission->server,
		.to_optional = state->switches.to_optional,
		.body_optional = submission->prepare != NULL,
	};

	if (rules_judge(json, &params, judged_r, refusal_r) != 0)
		return -1;
	if (submission->prepare == NULL) {
		*json_r = json_incref(json);
	} else {
		rules_message_deinit(judged_r);
		*json_r =
		    submission->prepare(submission->state, submission->server, json, refusal_r);
		if (*json_r == NULL)
			return -1;
		params.body_optional = submission->server == NULL;
		if (rules_judge(*json_r, &params, judged_r, refusal_r) != 0)
			goto free_json;
	}
	if (submission->server == NULL)
		return 0;
	if (!state_sender_ok(state, judged_r->from)) {
		(void)rules_refuse_sender(judged_r->from, refusal_r);
		goto free_judged;
	}
	if (check_approval(state, judged_r, refusal_r) != 0)
		goto free_judged;
	return 0;

free_judged:
	rules_message_deinit(judged_r);
free_json:
	json_decref(*json_r);
	return -1;
}

/* One message to one answer, added to out.  0, or the ErrorCode of the refusal that was added. */
static int
submit_one(const struct submission *submission, json_t *sent, struct buf *out)
{
	struct state *state = submission->state;
	struct rules_message judged;
	struct rules_refusal refusal = { 0 };
	struct message *message;
	size_t recipients;
	json_t *json;
	char *text = NULL;
	int code;

	if (judge(submission, sent, &json, &judged, &refusal) != 0)
		goto refused;
	message = message_now();
	if (submission->server == NULL) {
		state->counts.test_messages++;
		add_accepted(out, submission, judged.to, message, "Test job accepted");
		message_free(&message);
		goto done;
	}
	recipients =
	    sort_recipients(submission, &judged, &message->recipients, &message->suppressed);
	if (message->suppressed.count == recipients ||
	    (message->suppressed.count > 0 && state->switches.refuse_partly_suppressed)) {
		refusal.code = 406;
		refusal.text =
		    rules_inactive_text(&message->suppressed, submission->batch_size > 0);
		message_free(&message);
		rules_message_deinit(&judged);
		json_decref(json);
		goto refused;
	}
	if (message->suppressed.count > 0)
		text = rules_partial_text(&message->suppressed);
	add_accepted(out, submission, judged.to, message, text != NULL ? text : "OK");
	free(text);
	keep_message(submission, &judged, json, message);
done:
	rules_message_deinit(&judged);
	json_decref(json);
	return 0;

refused:
	code = refusal.code;
	state_count_refusal(state, code);
	log_info("refused", log_num("code", code), log_str("why", refusal.text));
	api_add_error(out, code, refusal.text);
	rules_refusal_deinit(&refusal);
	return code;
}

void
send_message(struct state *state, struct server *server, const struct api_request *request,
    struct api_answer *answer, send_prepare_fn *prepare)
{
	struct submission submission = {
		.state = state,
		.server = server,
		.fault = request->fault,
		.token = request->token,
		.prepare = prepare,
	};
	int code;

	if (request->json == NULL) {
		api_refuse(state, answer, 402, "Received invalid JSON input: nothing at all.");
		return;
	}
	if (request->body_len > RULES_MOST_MESSAGE_BYTES) {
		answer->status = 413;
		return;
	}
	code = submit_one(&submission, request->json, &answer->body);
	if (code != 0) {
		answer->status = 422;
		answer->error_code = code;
	}
}

static bool
batch_ok(struct state *state, const struct api_request *request, const json_t *batch,
    struct api_answer *answer)
{
	size_t i;
	const json_t *one;
	bool objects = json_is_array(batch);

	json_array_foreach(batch, i, one) objects = objects && json_is_object(one);
	if (!objects) {
		api_refuse(state, answer, 403, "Invalid request field(s): ''.");
	} else if (json_array_size(batch) > RULES_MOST_BATCH) {
		api_refuse(state, answer, 410,
		    "You may only send up to 500 messages in a single batched request.");
	} else if (request->body_len > RULES_MOST_BATCH_BYTES) {
		answer->status = 413;
	} else {
		return true;
	}
	return false;
}

void
send_batch(struct state *state, struct server *server, const struct api_request *request,
    struct api_answer *answer, const json_t *batch, send_prepare_fn *prepare)
{
	struct submission submission = {
		.state = state,
		.server = server,
		.fault = request->fault,
		.token = request->token,
		.prepare = prepare,
	};
	size_t i, shown;
	json_t *one;
	struct buf spare;

	if (!batch_ok(state, request, batch, answer))
		return;
	submission.batch_size = json_array_size(batch);
	state_count_batch(state, submission.batch_size);
	shown = submission.batch_size;
	if (shown > 0 && request->fault != NULL &&
	    request->fault->answer == FAULT_ANSWER_WRONG_LENGTH)
		shown--;
	buf_init(&spare, API_MOST_ANSWER);
	buf_addc(&answer->body, '[');
	json_array_foreach(batch, i, one)
	{
		if (i > 0 && i < shown)
			buf_addc(&answer->body, ',');
		(void)submit_one(&submission, one, i < shown ? &answer->body : &spare);
	}
	buf_addc(&answer->body, ']');
	buf_free(&spare);
}

/* ---- mails that came by SMTP ---- */

/* The message as far as its JSON tells, right or wrong. */
static struct message *
message_of_mail(const struct server *server, const struct send_mail *mail)
{
	struct message *message = message_now();
	json_t *metadata = json_object_get(mail->json, "Metadata");
	const char *from = json_string_value(json_object_get(mail->json, "From"));
	const char *tag = json_string_value(json_object_get(mail->json, "Tag"));
	const char *subject = json_string_value(json_object_get(mail->json, "Subject"));
	const char *stream = json_string_value(json_object_get(mail->json, "MessageStream"));

	/* What bounces is listed under a stream that sends. */
	if (stream == NULL || stream_kind(server, stream) != RULES_STREAM_SENDS)
		stream = STATE_DEFAULT_STREAM;
	message->server = server->id;
	message->json = json_dumps(mail->json, JSON_COMPACT);
	message->json_len = strlen(message->json);
	message->from = mem_string(from != NULL ? from : "");
	message->tag = mem_string(tag != NULL ? tag : "");
	message->subject = mem_string(subject != NULL ? subject : "");
	message->stream = mem_string(stream);
	message->relay_id = metadata_relay_id(metadata);
	return message;
}

void
send_bad_mail(struct state *state, struct server *server, const struct send_mail *mail, int code,
    const char *text)
{
	struct message *message = message_of_mail(server, mail);

	state_count_refusal(state, code);
	state->counts.smtp_errors++;
	log_info("smtp-error", log_str("item", message->relay_id), log_num("code", code),
	    log_str("why", text));
	for (size_t i = 0; i < mail->recipients->count; i++)
		bounces_add_error(state, server, message, mail->recipients->items[i], code, text);
	message_free(&message);
}

/* All that the API would refuse, but for what only the API wants.  As judge(). */
static int
judge_mail(const struct state *state, const struct server *server, const struct send_mail *mail,
    struct rules_message *judged_r, struct rules_refusal *refusal_r)
{
	const struct rules_params params = {
		.stream = stream_kind,
		.ctx = server,
		.to_optional = true,
		.body_optional = true,
		.recipients = mail->recipients->count,
	};

	if (rules_judge(mail->json, &params, judged_r, refusal_r) != 0)
		return -1;
	if (!state_sender_ok(state, judged_r->from))
		(void)rules_refuse_sender(judged_r->from, refusal_r);
	else if (!state->switches.pending_approval ||
		 check_domains(judged_r->from, mail->recipients, refusal_r) == 0)
		return 0;
	rules_message_deinit(judged_r);
	return -1;
}

/* The recipient is left out, and its owner hears of it by a bounce. */
static void
bounce_suppressed(
    struct state *state, struct server *server, const struct message *message, const char *email)
{
	struct strlist one = { 0 };
	char *text;

	strlist_add(&one, email);
	text = rules_inactive_text(&one, false);
	bounces_add_error(state, server, message, email, 406, text);
	state_count_refusal(state, 406);
	free(text);
	strlist_free(&one);
}

void
send_mail(struct state *state, struct server *server, const struct send_mail *mail)
{
	const struct submission submission = {
		.state = state,
		.server = server,
		.token = mail->token,
	};
	struct rules_message judged;
	struct rules_refusal refusal = { 0 };
	struct message *message, *shown;
	const struct message_stream *stream;

	if (judge_mail(state, server, mail, &judged, &refusal) != 0) {
		send_bad_mail(state, server, mail, refusal.code, refusal.text);
		rules_refusal_deinit(&refusal);
		return;
	}
	stream = server_stream(server, judged.stream);
	message = message_now();
	shown = message_of_mail(server, mail);
	memcpy(shown->id, message->id, sizeof(shown->id));
	strlist_copy(&message->recipients, mail->recipients);
	for (size_t i = 0; i < message->recipients.count; i++) {
		const char *address = message->recipients.items[i];

		if (message_stream_suppression(stream, address) == NULL)
			continue;
		strlist_add(&message->suppressed, address);
		bounce_suppressed(state, server, shown, address);
	}
	message_free(&shown);
	if (message->suppressed.count > 0)
		state->counts.smtp_errors++;
	if (message->suppressed.count < message->recipients.count) {
		message->source = mem_bytes(mail->source, mail->source_len);
		message->source_len = mail->source_len;
		keep_message(&submission, &judged, mail->json, message);
	} else
		message_free(&message);
	rules_message_deinit(&judged);
}

/* ---- calls ---- */

void
send_email(struct state *state, struct server *server, const struct api_request *request,
    struct api_answer *answer)
{
	send_message(state, server, request, answer, NULL);
}

void
send_emails(struct state *state, struct server *server, const struct api_request *request,
    struct api_answer *answer)
{
	if (request->json == NULL)
		api_refuse(state, answer, 402, "Received invalid JSON input: nothing at all.");
	else
		send_batch(state, server, request, answer, request->json, NULL);
}
