/* What a client is told whose 250 waits for Postmark, see replies.h. */

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/mem.h"
#include "mail/refusal.h"

#include "programs/replies.h"

#define MOST_TEXT 400

enum item_end {
	END_NONE,    /* no outcome yet */
	END_SENT,    /* Postmark has it */
	END_FAILED,  /* nobody has it, and it is not tried again */
	END_STUCK,   /* nobody has it so far */
	END_PERHAPS, /* somebody may have it */
};
#define ENDS (END_PERHAPS + 1)

struct reply_item {
	char id[ITEM_ID_SIZE];
	enum item_kind kind;
	enum item_end end;
	int http_status, error_code;
	char *postmark_id, *answer, *inactive; /* or NULL */
};

struct reply_mail {
	char id[ULID_SIZE];
	char *route;
	size_t first, count; /* of the items */
};

struct reply {
	struct reply_mail *mails; /* that ask for it */
	size_t mail_count;
	struct reply_item *items; /* theirs */
	size_t item_count;
	size_t of[ENDS]; /* how many of the items */
	int64_t within_ms;
	bool unsure_is_retried;
	bool alone;      /* all mails of the transaction ask */
	bool may_refuse; /* all of them would rather not be sent than late */
	bool late, last;
	bool asked; /* the store is taking back */
	bool rests; /* it could not, and is to be asked again */
	bool taken; /* it has: nothing is left of the mails */
	bool gone;  /* it has not, since somebody may have one */
};

/* --- what it is about --------------------------------------------------------------------- */

static bool
mail_asks(const struct mail *mail)
{
	return mail->reply != REPLY_QUEUED && !mail->captured;
}

static void
mail_note(struct reply *r, const struct mail *mail)
{
	struct reply_mail *note = &r->mails[r->mail_count++];

	memcpy(note->id, mail->id, ULID_SIZE);
	note->route = mem_string(mail->route != NULL ? mail->route : "");
	note->first = r->item_count;
	note->count = mail->item_count;
	for (size_t i = 0; i < mail->item_count; i++) {
		struct reply_item *item = &r->items[r->item_count++];

		item_id(item->id, mail->id, mail->items[i].number);
		item->kind = mail->items[i].kind;
	}
	if (r->mail_count == 1 || mail->reply_within_ms < r->within_ms)
		r->within_ms = mail->reply_within_ms;
}

struct reply *
reply_new(const struct mail *first, bool unsure_is_retried)
{
	size_t mails = 0, items = 0;
	struct reply *r;

	for (const struct mail *m = first; m != NULL; m = m->next) {
		mails += mail_asks(m);
		items += mail_asks(m) ? m->item_count : 0;
	}
	if (mails == 0 || items == 0)
		return NULL;
	r = mem_new(sizeof(*r));
	r->unsure_is_retried = unsure_is_retried;
	r->alone = r->may_refuse = true;
	r->mails = mem_array(mails, sizeof(*r->mails));
	r->items = mem_array(items, sizeof(*r->items));
	for (const struct mail *m = first; m != NULL; m = m->next) {
		if (mail_asks(m))
			mail_note(r, m);
		else
			r->alone = false;
		if (!mail_asks(m) || m->reply != REPLY_POSTMARK_OR_REFUSE)
			r->may_refuse = false;
	}
	r->of[END_NONE] = r->item_count;
	return r;
}

static void
item_forget(struct reply_item *item)
{
	free(item->postmark_id);
	free(item->answer);
	free(item->inactive);
	item->postmark_id = item->answer = item->inactive = NULL;
}

void
reply_free(struct reply **reply)
{
	struct reply *r = *reply;

	if (r == NULL)
		return;
	*reply = NULL;
	for (size_t i = 0; i < r->mail_count; i++)
		free(r->mails[i].route);
	for (size_t i = 0; i < r->item_count; i++)
		item_forget(&r->items[i]);
	free(r->mails);
	free(r->items);
	free(r);
}

size_t
reply_mail_count(const struct reply *r)
{
	return r->mail_count;
}

const char *
reply_mail_id(const struct reply *r, size_t index)
{
	return r->mails[index].id;
}

const char *
reply_route(const struct reply *r, size_t index)
{
	return r->mails[index].route;
}

int64_t
reply_within_ms(const struct reply *r)
{
	return r->within_ms;
}

size_t
reply_item_count(const struct reply *r)
{
	return r->item_count;
}

const char *
reply_item_id(const struct reply *r, size_t index)
{
	return r->items[index].id;
}

bool
reply_was_taken_back(const struct reply *r)
{
	return r->taken;
}

/* --- what happens ------------------------------------------------------------------------- */

static enum reply_step
step(struct reply *r)
{
	bool clean = r->of[END_SENT] == 0 && r->of[END_PERHAPS] == 0 && !r->gone;

	if (r->asked)
		return REPLY_STEP_WAIT;
	if (r->taken || r->last)
		return REPLY_STEP_ANSWER;
	if (r->of[END_NONE] > 0 && !r->late)
		return REPLY_STEP_WAIT;
	if (!clean || !r->may_refuse || r->of[END_FAILED] == r->item_count)
		return REPLY_STEP_ANSWER;
	if (r->rests)
		return REPLY_STEP_WAIT;
	r->asked = true;
	return REPLY_STEP_TAKE_BACK;
}

static enum item_end
end_of(const struct reply *r, const struct store_outcome *outcome)
{
	switch (outcome->to) {
	case ITEM_SENT:
		return END_SENT;
	/* Without an answer it was not sent, or asked about: but for those who send again whatever
	 * became of the first. */
	case ITEM_FAILED:
		return r->unsure_is_retried && outcome->http_status == 0 ? END_PERHAPS : END_FAILED;
	case ITEM_WAITING:
		return r->unsure_is_retried && outcome->http_status == 0 ? END_PERHAPS : END_STUCK;
	case ITEM_HELD:
		/* As the store keeps it: Postmark is to be asked before it goes on. */
		return outcome->http_status == 0 && !outcome->never_left ? END_PERHAPS : END_STUCK;
	case ITEM_UNSURE:
		return END_PERHAPS;
	case ITEM_SPOOLED:
	case ITEM_SENDING:
	case ITEM_CAPTURED:
		break;
	}
	return END_NONE;
}

static char *
copy_of(const char *text)
{
	return text != NULL ? mem_string(text) : NULL;
}

/* By its number: of a mail with thousands of items each has an outcome.  NULL: not one of ours. */
static struct reply_item *
item_of(struct reply *r, const char *id)
{
	char mail_id[ULID_SIZE];
	unsigned number;

	if (item_id_read(id, mail_id, &number) != 0)
		return NULL;
	for (size_t i = 0; i < r->mail_count; i++) {
		const struct reply_mail *mail = &r->mails[i];

		if (strcmp(mail->id, mail_id) == 0)
			return number >= 1 && number <= mail->count
				   ? &r->items[mail->first + number - 1]
				   : NULL;
	}
	return NULL;
}

enum reply_step
reply_outcome(struct reply *r, const char *id, const struct store_outcome *outcome)
{
	enum item_end end = end_of(r, outcome);
	struct reply_item *item = end != END_NONE ? item_of(r, id) : NULL;

	if (item == NULL)
		return step(r);
	/* Only Postmark's word that it has it says more than that it may have it. */
	if (item->end == END_PERHAPS && end != END_SENT)
		end = END_PERHAPS;
	item_forget(item);
	r->of[item->end]--;
	item->end = end;
	r->of[end]++;
	item->http_status = outcome->http_status;
	item->error_code = outcome->error_code;
	item->postmark_id = copy_of(outcome->postmark_id);
	item->answer = copy_of(outcome->answer);
	item->inactive = copy_of(outcome->inactive);
	r->rests = false;
	return step(r);
}

enum reply_step
reply_late(struct reply *r)
{
	r->late = true;
	return step(r);
}

enum reply_step
reply_taken(struct reply *r, enum store_result result, enum store_taken taken)
{
	r->asked = false;
	if (result != STORE_OK) {
		r->rests = true;
		return step(r);
	}
	switch (taken) {
	case STORE_TAKEN:
		r->taken = true;
		break;
	case STORE_TAKEN_LATER:
		r->rests = true;
		break;
	case STORE_TAKEN_NEVER:
		r->gone = true;
		break;
	}
	return step(r);
}

enum reply_step
reply_again(struct reply *r)
{
	r->rests = false;
	return step(r);
}

enum reply_step
reply_last(struct reply *r)
{
	r->late = r->last = true;
	return step(r);
}

/* --- what is said ------------------------------------------------------------------------- */

/* "Invalid 'To' address" and "Error parsing 'Cc'": the texts by which clients know them. */
static bool
is_about_recipient(const char *answer)
{
	static const char *const starts[] = { "Invalid '", "Error parsing '" };
	static const char *const fields[] = { "To'", "Cc'", "Bcc'" };

	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		if (strncasecmp(answer, starts[i], strlen(starts[i])) != 0)
			continue;
		for (size_t k = 0; k < sizeof(fields) / sizeof(fields[0]); k++)
			if (strncasecmp(answer + strlen(starts[i]), fields[k], strlen(fields[k])) ==
			    0)
				return true;
	}
	return false;
}

/* "5.7.1", RFC 3463; the length of it, or 0. */
static size_t
enhanced_len(const char *text)
{
	size_t len = 2, digits;

	if (text[0] != '5' || text[1] != '.')
		return 0;
	for (unsigned part = 0; part < 2; part++) {
		for (digits = 0; isdigit((unsigned char)text[len + digits]); digits++)
			;
		len += digits;
		if (digits < 1 || digits > 3 || (part == 0 && text[len++] != '.'))
			return 0;
	}
	return len;
}

/* Postmark's own reply, "550 5.7.1 …" or "<a@b.example>: 550 5.1.1 …": its enhanced code goes on.
 */
static void
refusal_by_smtp(struct refusal *refusal, const char *answer)
{
	const char *at = answer;
	char enhanced[12] = "5.0.0";
	size_t len;

	if (at[0] == '<' && strstr(at, ">: ") != NULL)
		at = strstr(at, ">: ") + 3;
	if (at[0] == '5' && isdigit((unsigned char)at[1]) && isdigit((unsigned char)at[2]) &&
	    (at[3] == ' ' || at[3] == '-'))
		at += 4;
	len = enhanced_len(at);
	if (len > 0)
		snprintf(enhanced, sizeof(enhanced), "%.*s", (int)len, at);
	refusal_set(refusal, 554, enhanced, "Postmark refused it: %s", answer);
}

void
reply_refusal(struct refusal *refusal, enum item_kind kind, int http_status, int error_code,
    const char *answer)
{
	const char *text = answer != NULL && answer[0] != '\0' ? answer : "no reason given";
	const char *enhanced = "5.6.0";
	int code = 554;

	if (kind == ITEM_SMTP ? http_status < 500
			      : error_code == 0 && (http_status < 400 || http_status >= 500 ||
						       http_status == 429)) {
		/* Weather until its lifetime was over. */
		refusal_set(refusal, 554, "5.4.7", "Postmark could not take it in time: %s", text);
		return;
	}
	if (kind == ITEM_SMTP) {
		refusal_by_smtp(refusal, text);
		return;
	}
	if (http_status == 413 || strcasestr(text, "too big") != NULL ||
	    strcasestr(text, "too large") != NULL) {
		code = 552;
		enhanced = "5.3.4";
	} else if (error_code == 300 && is_about_recipient(text)) {
		code = 550;
		enhanced = "5.1.3";
	} else if (error_code == 406) {
		code = 550;
		enhanced = "5.1.1";
	} else if (error_code == 400 || error_code == 401 || error_code == 411 ||
		   error_code == 412 || error_code == 413) {
		code = 550;
		enhanced = "5.7.1";
	}
	refusal_set(
	    refusal, code, enhanced, "Postmark refused it (ErrorCode %d): %s", error_code, text);
}

static const struct reply_item *
first_of(const struct reply *r, enum item_end end)
{
	for (size_t i = 0; i < r->item_count; i++)
		if (r->items[i].end == end)
			return &r->items[i];
	return NULL;
}

static const char *
answer_of(const struct reply_item *item)
{
	return item != NULL && item->answer != NULL && item->answer[0] != '\0' ? item->answer
									       : "no answer";
}

/* Postmark's ids: the first few, for a reply has one line.  Its SMTP service tells none. */
static void
add_ids(const struct reply *r, struct buf *text)
{
	size_t told = 0;

	for (size_t i = 0; i < r->item_count && told < 3; i++)
		if (r->items[i].end == END_SENT && r->items[i].postmark_id != NULL)
			buf_addf(text, "%s%s", told++ > 0 ? ", " : " as ", r->items[i].postmark_id);
	if (told > 0 && r->of[END_SENT] > told)
		buf_addf(text, " and %zu more", r->of[END_SENT] - told);
}

static void
add_inactive(const struct reply *r, struct buf *text)
{
	for (size_t i = 0; i < r->item_count; i++)
		if (r->items[i].end == END_SENT && r->items[i].inactive != NULL)
			buf_addf(text, "; it will not deliver to %s", r->items[i].inactive);
}

static void
say_sent(const struct reply *r, struct buf *text)
{
	buf_adds(text, "Postmark took it");
	add_ids(r, text);
	if (!r->alone)
		buf_adds(text, ", what else it makes waits for its turn");
	add_inactive(r, text);
}

static void
say_queued(const struct reply *r, struct buf *text)
{
	if (r->of[END_SENT] > 0 || r->of[END_FAILED] > 0) {
		buf_addf(text, "of %zu messages Postmark took %zu", r->item_count, r->of[END_SENT]);
		add_ids(r, text);
		if (r->of[END_FAILED] > 0)
			buf_addf(text, " and refused %zu (%s)", r->of[END_FAILED],
			    answer_of(first_of(r, END_FAILED)));
	} else if (r->of[END_PERHAPS] > 0 || r->gone) {
		buf_adds(text, "Postmark may have it, and is asked before it goes out again");
	} else if (r->of[END_STUCK] > 0) {
		buf_addf(
		    text, "Postmark has not taken it yet (%s)", answer_of(first_of(r, END_STUCK)));
	} else {
		buf_adds(text, "Postmark has not answered yet");
	}
}

static void
say_taken_back(const struct reply *r, struct refusal *answer_r)
{
	const struct reply_item *stuck = first_of(r, END_STUCK);

	if (stuck != NULL)
		refusal_set(answer_r, 451, "4.4.1",
		    "Postmark could not take it now and nothing was sent, try again later: %s",
		    answer_of(stuck));
	else
		refusal_set(answer_r, 451, "4.4.1",
		    "Postmark did not answer in time and nothing was sent, try again later");
}

void
reply_answer(const struct reply *r, struct refusal *answer_r)
{
	const struct reply_item *failed = first_of(r, END_FAILED);
	struct buf text;

	if (r->taken) {
		say_taken_back(r, answer_r);
		return;
	}
	if (r->of[END_FAILED] == r->item_count && r->alone) {
		reply_refusal(answer_r, failed->kind, failed->http_status, failed->error_code,
		    failed->answer);
		return;
	}
	buf_init(&text, MOST_TEXT * 64);
	if (r->of[END_SENT] == r->item_count)
		say_sent(r, &text);
	else
		say_queued(r, &text);
	refusal_set(answer_r, 250, "2.0.0", "%s", text.data != NULL ? text.data : "");
	buf_free(&text);
}
