/*
 * The frames between front and core.
 *
 * A COMMIT's body is the number of mails and for each its texts and numbers, the payload that its
 * items share, then each item, in the order of put_mail().  A text is four bytes of length and its
 * bytes.  A payload is one byte that says where it is, four bytes of length and, when it is inline,
 * its bytes.
 *
 * An EXPLAIN's body is the reverse-path, listener, client and user, the number of recipients and
 * the recipients; an EXPLAINED's is the object.
 */

#include <sys/mman.h>
#include <sys/stat.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "mail/mail.h"
#include "mail/refusal.h"

#include "channel/frame.h"
#include "channel/frame_inside.h"

enum payload_place {
	PAYLOAD_INLINE = 1,
	PAYLOAD_DESCRIPTOR = 2,
};

/* --- all frames ---------------------------------------------------------------------------- */

bool
frame_text_is_right(const char *text)
{
	return text_is_right(text, strlen(text));
}

int
frame_head_read(struct frame_head *head, const unsigned char bytes[FRAME_HEAD_SIZE])
{
	memcpy(&head->body_bytes, bytes, 4);
	memcpy(&head->kind, bytes + 4, 2);
	memcpy(&head->descriptors, bytes + 6, 2);
	memcpy(&head->serial, bytes + 8, 8);
	if (head->body_bytes > FRAME_MOST_BODY || head->descriptors > FRAME_MOST_DESCRIPTORS)
		return -1;
	switch ((enum frame_kind)head->kind) {
	case FRAME_COMMIT:
		return 0;
	case FRAME_COMMITTED:
	case FRAME_EXPLAINED:
	case FRAME_EVENT:
	case FRAME_HOOKS:
		return head->descriptors == 0 ? 0 : -1;
	case FRAME_EXPLAIN:
	case FRAME_SUPPRESSIONS:
		return head->descriptors == 1 ? 0 : -1;
	}
	return -1;
}

/* --- COMMIT ------------------------------------------------------------------------------- */

static bool
payload_travels_inline(const struct payload *payload)
{
	return payload->data != NULL || payload->len == 0;
}

static void
put_payload(struct buf *out, const struct payload *payload, int *fds, size_t *fd_count)
{
	if (payload_travels_inline(payload)) {
		put_number(out, PAYLOAD_INLINE, 1);
		put_number(out, payload->len, 4);
		buf_add(out, payload->data, payload->len);
	} else {
		put_number(out, PAYLOAD_DESCRIPTOR, 1);
		put_number(out, payload->len, 4);
		fds[(*fd_count)++] = payload->fd;
	}
}

/* What all mails of a frame have together. */
struct totals {
	size_t mails, items, recipients, descriptors;
};

static bool
totals_fit(const struct totals *totals)
{
	return totals->mails <= FRAME_MOST_MAILS && totals->items <= FRAME_MOST_ITEMS &&
	       totals->recipients <= FRAME_MOST_RECIPIENTS &&
	       totals->descriptors <= FRAME_MOST_DESCRIPTORS;
}

static struct totals
totals_of(const struct mail *mail)
{
	struct totals totals = { 0 };

	for (; mail != NULL; mail = mail->next) {
		totals.mails++;
		totals.items += mail->item_count;
		totals.descriptors += payload_travels_inline(&mail->shared) ? 0 : 1;
		for (size_t i = 0; i < mail->item_count; i++) {
			totals.recipients += mail->items[i].recipients.count;
			totals.descriptors +=
			    payload_travels_inline(&mail->items[i].payload) ? 0 : 1;
		}
	}
	return totals;
}

/* The mail itself. */
static bool
kind_is_raw(unsigned kind)
{
	return kind == ITEM_SMTP || kind == ITEM_LOCAL;
}

static bool
mail_is_raw(const struct mail *mail)
{
	return mail->item_count > 0 && kind_is_raw(mail->items[0].kind);
}

/* What becomes of its items at once. */
enum begins {
	BEGINS_DUE,
	BEGINS_CAPTURED,
	BEGINS_HELD, /* and why */
};

static enum begins
begins_as(const struct mail *mail)
{
	if (mail->captured)
		return BEGINS_CAPTURED;
	return mail->held_why != NULL ? BEGINS_HELD : BEGINS_DUE;
}

static void
put_mail(struct buf *out, const struct mail *mail, int *fds, size_t *fd_count)
{
	put_text(out, mail->id);
	put_text(out, mail->reverse_path);
	put_text(out, mail->route);
	put_text(out, mail->listener);
	put_text(out, mail->client);
	put_text(out, mail->helo);
	put_text(out, mail->message_id);
	put_text(out, mail->from);
	put_text(out, mail->subject);
	put_text(out, mail->ledger);
	put_number(out, (uint64_t)mail->accepted_ms, 8);
	put_number(out, mail->content_bytes, 8);
	put_number(out, (uint64_t)begins_as(mail), 1);
	if (begins_as(mail) == BEGINS_HELD)
		put_text(out, mail->held_why);
	put_number(out, mail->reply, 1);
	put_number(out, (uint64_t)mail->reply_within_ms, 8);
	put_number(out, mail_is_raw(mail), 1);
	put_payload(out, &mail->shared, fds, fd_count);
	put_number(out, mail->item_count, 4);
	for (size_t i = 0; i < mail->item_count; i++) {
		const struct item *item = &mail->items[i];

		put_number(out, item->kind, 1);
		put_number(out, item->recipients.count, 4);
		for (size_t k = 0; k < item->recipients.count; k++)
			put_text(out, item->recipients.items[k]);
		put_payload(out, &item->payload, fds, fd_count);
	}
}

int
frame_commit_write(
    struct buf *out, uint64_t serial, const struct mail *mail, int *fds_r, size_t *fd_count_r)
{
	size_t begin = out->len;
	struct totals totals = totals_of(mail);

	*fd_count_r = 0;
	if (!totals_fit(&totals))
		return -1;
	put_head(out, FRAME_COMMIT, (uint16_t)totals.descriptors, serial);
	put_number(out, totals.mails, 4);
	for (; mail != NULL; mail = mail->next)
		put_mail(out, mail, fds_r, fd_count_r);
	if (out->over || out->len - begin - FRAME_HEAD_SIZE > FRAME_MOST_BODY)
		return -1;
	close_frame(out, begin);
	return 0;
}

/*
 * Whether the bytes are one JSON object, or one part of an object that is shared by several
 * items: the items' heads, which lack the brace at the end, and what they share, which has a comma
 * in place of the brace at the start.  Joined they are one object then, without looking at every
 * pair.
 */
enum payload_part {
	PART_WHOLE,
	PART_HEAD,
	PART_SHARED,
	PART_LINES, /* of ITEM_SMTP and ITEM_LOCAL, whichever of them */
};

/*
 * Lines as SMTP has them.  A CR or LF alone is how a second mail is smuggled into a transaction:
 * servers do not agree on whether it ends a line.
 */
static bool
lines_are_sound(const char *bytes, size_t len)
{
	const char *at = bytes, *end = bytes + len;

	while (at < end) {
		const char *lf = memchr(at, '\n', (size_t)(end - at));
		size_t line = (size_t)((lf != NULL ? lf : end) - at);
		const char *cr = memchr(at, '\r', line);

		if (lf == NULL)
			return cr == NULL;
		if (cr != lf - 1)
			return false;
		at = lf + 1;
	}
	return true;
}

/* bytes may be changed and is put back. */
static bool
part_is_sound(char *bytes, size_t len, enum payload_part part)
{
	char *copy;
	bool sound = false;

	switch (part) {
	case PART_WHOLE:
		return json_is_one_object(bytes, len);
	case PART_HEAD:
		copy = mem_new(len + 1);
		memcpy(copy, bytes, len);
		copy[len] = '}';
		sound = json_is_one_object(copy, len + 1);
		free(copy);
		return sound;
	case PART_SHARED:
		if (bytes[0] != ',')
			return false;
		bytes[0] = '{';
		sound = json_is_one_object(bytes, len);
		bytes[0] = ',';
		return sound;
	case PART_LINES:
		return lines_are_sound(bytes, len);
	}
	return false;
}

/*
 * A descriptor from a front: a sealed memfd of exactly that length.  Without the seals the front
 * could change the bytes after they were checked.
 */
static bool
descriptor_is_sound(int fd, size_t len, enum payload_part part)
{
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	int sealed = fcntl(fd, F_GET_SEALS); /* -1: not a memfd */
	struct stat facts;
	char *bytes;
	bool sound;

	if (sealed < 0 || (sealed & seals) != seals)
		return false;
	if (fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode) || (uint64_t)facts.st_size != len)
		return false;
	/* Private and writable: part_is_sound() touches a byte of a copy of the page. */
	bytes = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	if (bytes == MAP_FAILED)
		return false;
	sound = part_is_sound(bytes, len, part);
	munmap(bytes, len);
	return sound;
}

struct descriptors {
	const int *fds;
	size_t count;
	size_t used;
};

static const char *
take_payload(struct cursor *c, struct payload *payload, enum payload_part part, bool may_be_empty,
    struct descriptors *descriptors)
{
	unsigned place = (unsigned)take_number(c, 1);
	size_t len = (size_t)take_number(c, 4);

	if (c->bad || len > (part == PART_LINES ? FRAME_MOST_LINES : FRAME_MOST_PAYLOAD) ||
	    (len == 0 && !may_be_empty))
		return "payload length";
	if (place == PAYLOAD_INLINE) {
		const char *at = take(c, len);

		if (at == NULL)
			return "payload cut short";
		if (len == 0)
			return NULL;
		payload->data = mem_bytes(at, len);
		payload->len = len;
		if (!part_is_sound(payload->data, len, part))
			return part == PART_LINES ? "payload is not of whole lines"
						  : "payload is not one JSON object";
	} else if (place == PAYLOAD_DESCRIPTOR && len > 0) {
		if (descriptors->used == descriptors->count)
			return "payload without descriptor";
		payload->fd = descriptors->fds[descriptors->used++];
		payload->len = len;
		if (!descriptor_is_sound(payload->fd, len, part))
			return part == PART_LINES
				   ? "payload descriptor is not sealed and of whole lines"
				   : "payload descriptor is not a sealed JSON object";
	} else {
		return "payload place";
	}
	return NULL;
}

/* Envelope addresses as the front makes them: what address_canonical() lets through. */
static bool
recipient_is_sound(const char *address)
{
	const char *at = strchr(address, '@');

	return at != NULL && at != address && at[1] != '\0' && strchr(at + 1, '@') == NULL &&
	       strpbrk(address, " \t\",;:<>()[]\\") == NULL;
}

/* What is being read: a frame, and what its mails have together so far. */
struct reading {
	struct cursor c;
	struct descriptors descriptors;
	struct totals totals;
};

static const char *
take_item(struct reading *in, struct item *item, enum payload_part part)
{
	struct cursor *c = &in->c;
	unsigned kind = (unsigned)take_number(c, 1);
	size_t count = (size_t)take_number(c, 4);

	if (kind >= ITEM_KINDS || kind_is_raw(kind) != (part == PART_LINES))
		return "kind of item";
	item->kind = (enum item_kind)kind;
	in->totals.recipients += count;
	if (c->bad || count == 0 || in->totals.recipients > FRAME_MOST_RECIPIENTS)
		return "number of recipients";
	for (size_t i = 0; i < count; i++) {
		char *address = take_text(c);

		if (address == NULL)
			return "recipient";
		strlist_take(&item->recipients, address);
		if (!recipient_is_sound(address))
			return "recipient is not an address";
	}
	return take_payload(c, &item->payload, part, false, &in->descriptors);
}

static const char *
take_items(struct reading *in, struct mail *mail, enum payload_part part)
{
	size_t count = (size_t)take_number(&in->c, 4);
	const char *wrong;

	in->totals.items += count;
	if (in->c.bad || count == 0 || in->totals.items > FRAME_MOST_ITEMS)
		return "number of items";
	mail->items = mem_array(count, sizeof(*mail->items));
	for (size_t i = 0; i < count; i++) {
		struct item *item = &mail->items[i];

		item->number = (unsigned)i + 1;
		payload_init(&item->payload);
		mail->item_count = i + 1;
		wrong = take_item(in, item, part);
		if (wrong != NULL)
			return wrong;
	}
	return NULL;
}

static const char *
take_id(struct cursor *c, const struct mail *others, struct mail *mail)
{
	char *id = take_text(c);
	bool sound = id != NULL && ulid_ok(id);

	/* The store takes an id once: the second would be left out and nobody told. */
	for (const struct mail *m = others; sound && m != mail; m = m->next)
		sound = strcmp(m->id, id) != 0;
	if (sound)
		memcpy(mail->id, id, ULID_SIZE);
	free(id);
	return sound ? NULL : "id";
}

static const char *
take_reply(struct cursor *c, struct mail *mail)
{
	unsigned begins = (unsigned)take_number(c, 1), reply;
	uint64_t within_ms;

	mail->captured = begins == BEGINS_CAPTURED;
	if (begins == BEGINS_HELD)
		mail->held_why = take_text(c);
	reply = (unsigned)take_number(c, 1);
	within_ms = take_number(c, 8);
	if (c->bad || begins > BEGINS_HELD || reply > REPLY_POSTMARK_OR_REFUSE ||
	    within_ms > FRAME_MOST_REPLY_MS)
		return "kind of reply";
	mail->reply = (enum reply_mode)reply;
	mail->reply_within_ms = (int64_t)within_ms;
	return NULL;
}

/* mail is the last of the chain that begins with first. */
static const char *
take_mail(struct reading *in, const struct mail *first, struct mail *mail)
{
	struct cursor *c = &in->c;
	const char *wrong = take_id(c, first, mail);
	unsigned raw;

	if (wrong != NULL)
		return wrong;
	mail->reverse_path = take_text(c);
	mail->route = take_text(c);
	mail->listener = take_text(c);
	mail->client = take_text(c);
	mail->helo = take_text(c);
	mail->message_id = take_text(c);
	mail->from = take_text(c);
	mail->subject = take_text(c);
	mail->ledger = take_text(c);
	mail->accepted_ms = (int64_t)take_number(c, 8);
	mail->content_bytes = take_number(c, 8);
	if (c->bad)
		return "a text is missing, too long or not clean UTF-8";
	if (mail->accepted_ms < 0)
		return "time";
	wrong = take_reply(c, mail);
	if (wrong != NULL)
		return wrong;
	raw = (unsigned)take_number(c, 1);
	if (c->bad || raw > 1)
		return "sort of items";
	wrong =
	    take_payload(c, &mail->shared, raw ? PART_LINES : PART_SHARED, true, &in->descriptors);
	if (wrong != NULL)
		return wrong;
	return take_items(in, mail,
	    raw                    ? PART_LINES
	    : mail->shared.len > 0 ? PART_HEAD
				   : PART_WHOLE);
}

static const char *
take_chain(struct reading *in, struct mail **first_r)
{
	size_t count = (size_t)take_number(&in->c, 4);
	struct mail **end = first_r;
	const char *wrong = NULL;

	if (in->c.bad || count == 0 || count > FRAME_MOST_MAILS)
		return "number of mails";
	for (size_t i = 0; wrong == NULL && i < count; i++) {
		*end = mail_new();
		wrong = take_mail(in, *first_r, *end);
		end = &(*end)->next;
	}
	if (wrong != NULL)
		return wrong;
	if (in->c.left > 0)
		return "bytes after the last item";
	if (in->descriptors.used != in->descriptors.count)
		return "descriptors that no item uses";
	return NULL;
}

struct mail *
frame_commit_read(const char *body, size_t len, const int *fds, size_t fd_count, const char **why)
{
	struct reading in = { .c = { .at = body, .left = len },
		.descriptors = { .fds = fds, .count = fd_count } };
	struct mail *mail = NULL;

	*why = take_chain(&in, &mail);
	if (*why == NULL)
		return mail;

	mail_free(&mail); /* closes the descriptors that it had got */
	for (size_t i = in.descriptors.used; i < fd_count; i++)
		close(fds[i]);
	return NULL;
}

/* --- COMMITTED ---------------------------------------------------------------------------- */

void
frame_committed_write(struct buf *out, uint64_t serial, const struct refusal *answer)
{
	size_t begin = out->len;

	put_head(out, FRAME_COMMITTED, 0, serial);
	put_number(out, answer != NULL ? (uint64_t)answer->code : 0, 4);
	if (answer != NULL) {
		put_text(out, answer->enhanced);
		put_text(out, answer->text);
	}
	close_frame(out, begin);
}

int
frame_committed_read(const char *body, size_t len, bool *stored_r, struct refusal *answer_r)
{
	struct cursor c = { .at = body, .left = len };
	int code = (int)take_number(&c, 4);
	char *enhanced = NULL, *text = NULL;
	int result = -1;

	*stored_r = code == 0 || code == 250;
	refusal_set(answer_r, 250, "2.0.0", "%s", "");
	if (code == 0)
		return c.bad || c.left > 0 ? -1 : 0;
	enhanced = take_text(&c);
	text = take_text(&c);
	if (!c.bad && c.left == 0 && (*stored_r || (code >= 400 && code <= 599))) {
		refusal_set(answer_r, code, enhanced, "%s", text);
		result = 0;
	}
	free(enhanced);
	free(text);
	return result;
}

/* --- EXPLAIN and EXPLAINED ---------------------------------------------------------------- */

bool
frame_explain_is_right(const struct frame_explain *question)
{
	const char *const texts[] = { question->reverse_path, question->listener, question->client,
		question->user };

	if (question->recipients.count > FRAME_MOST_RECIPIENTS)
		return false;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (texts[i] != NULL && !frame_text_is_right(texts[i]))
			return false;
	for (size_t i = 0; i < question->recipients.count; i++)
		if (!frame_text_is_right(question->recipients.items[i]))
			return false;
	return true;
}

int
frame_explain_write(struct buf *out, uint64_t serial, const struct frame_explain *question)
{
	const struct strlist *recipients = &question->recipients;
	size_t begin = out->len;

	if (recipients->count > FRAME_MOST_RECIPIENTS)
		return -1;
	put_head(out, FRAME_EXPLAIN, 1, serial);
	put_text(out, question->reverse_path);
	put_text(out, question->listener);
	put_text(out, question->client);
	put_text(out, question->user);
	put_number(out, recipients->count, 4);
	for (size_t i = 0; i < recipients->count; i++)
		put_text(out, recipients->items[i]);
	if (out->over || out->len - begin - FRAME_HEAD_SIZE > FRAME_MOST_BODY)
		return -1;
	close_frame(out, begin);
	return 0;
}

int
frame_explain_read(const char *body, size_t len, struct frame_explain *question)
{
	struct cursor c = { .at = body, .left = len };
	size_t count;

	*question = (struct frame_explain){ 0 };
	question->reverse_path = take_text(&c);
	question->listener = take_text(&c);
	question->client = take_text(&c);
	question->user = take_text(&c);
	count = (size_t)take_number(&c, 4);
	if (count > FRAME_MOST_RECIPIENTS)
		c.bad = true;
	for (size_t i = 0; i < count && !c.bad; i++) {
		char *recipient = take_text(&c);

		if (recipient != NULL)
			strlist_take(&question->recipients, recipient);
	}
	if (!c.bad && c.left == 0)
		return 0;
	frame_explain_free(question);
	return -1;
}

void
frame_explain_free(struct frame_explain *question)
{
	free(question->reverse_path);
	free(question->listener);
	free(question->client);
	free(question->user);
	strlist_free(&question->recipients);
	*question = (struct frame_explain){ 0 };
}

int
frame_explained_write(struct buf *out, uint64_t serial, const char *json, size_t len)
{
	size_t begin = out->len;

	if (len > FRAME_MOST_BODY)
		return -1;
	put_head(out, FRAME_EXPLAINED, 0, serial);
	buf_add(out, json, len);
	if (out->over)
		return -1;
	close_frame(out, begin);
	return 0;
}

int
frame_explained_read(const char *body, size_t len, const char **json_r, size_t *len_r)
{
	if (!json_is_one_object(body, len))
		return -1;
	*json_r = body;
	*len_r = len;
	return 0;
}
