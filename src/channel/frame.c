/*
 * The frames between front and core.
 *
 * A COMMIT's body is: the mail's texts in the order of write_mail(), its numbers, then each item.
 * A text is four bytes of length and its bytes.  A payload is one byte that says where it is,
 * four bytes of length and, when it is inline, its bytes.
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
#include "base/text.h"
#include "mail/mail.h"
#include "mail/refusal.h"

#include "channel/frame.h"

enum payload_place {
	PAYLOAD_INLINE = 1,
	PAYLOAD_DESCRIPTOR = 2,
};

/* --- reading: a cursor that remembers its own failure ------------------------------------ */

struct cursor {
	const char *at;
	size_t left;
	bool bad;
};

static const char *
take(struct cursor *c, size_t len)
{
	const char *at = c->at;

	if (c->bad || len > c->left) {
		c->bad = true;
		return NULL;
	}
	c->at += len;
	c->left -= len;
	return at;
}

static uint64_t
take_number(struct cursor *c, size_t bytes)
{
	const char *at = take(c, bytes);
	uint64_t number = 0;

	if (at != NULL)
		memcpy(&number, at, bytes); /* little-endian, like the writer; see put_number() */
	return number;
}

/* A text of foreign origin: valid UTF-8 without control characters, within its limit. */
static char *
take_text(struct cursor *c)
{
	size_t len = (size_t)take_number(c, 4);
	const char *at;

	if (len > FRAME_MOST_TEXT)
		c->bad = true;
	at = take(c, len);
	if (at == NULL)
		return NULL;
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)at[i] < 0x20 || at[i] == 0x7f)
			c->bad = true;
	}
	if (!text_is_utf8(at, len))
		c->bad = true;
	return c->bad ? NULL : mem_bytes(at, len);
}

/* --- writing ------------------------------------------------------------------------------ */

static void
put_number(struct buf *out, uint64_t number, size_t bytes)
{
	_Static_assert(
	    __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "frames are written little-endian");
	buf_add(out, &number, bytes);
}

static void
put_text(struct buf *out, const char *text)
{
	size_t len = text != NULL ? strlen(text) : 0;

	put_number(out, len, 4);
	buf_add(out, text, len);
}

static void
put_head(struct buf *out, enum frame_kind kind, uint16_t descriptors, uint64_t serial)
{
	put_number(out, 0, 4); /* the length: close_frame() */
	put_number(out, kind, 2);
	put_number(out, descriptors, 2);
	put_number(out, serial, 8);
}

static void
close_frame(struct buf *out, size_t begin)
{
	uint32_t len;

	if (out->over)
		return;
	len = (uint32_t)(out->len - begin - FRAME_HEAD_SIZE);
	memcpy(out->data + begin, &len, sizeof(len));
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
		return head->descriptors == 0 ? 0 : -1;
	}
	return -1;
}

/* --- COMMIT --------------------------------------------------------------------------------- */

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

static size_t
count_descriptors(const struct mail *mail)
{
	size_t count = 0;

	for (size_t i = 0; i < mail->item_count; i++)
		count += payload_travels_inline(&mail->items[i].payload) ? 0 : 1;
	return count;
}

int
frame_commit_write(
    struct buf *out, uint64_t serial, const struct mail *mail, int *fds_r, size_t *fd_count_r)
{
	size_t begin = out->len;
	size_t descriptors = count_descriptors(mail);

	*fd_count_r = 0;
	if (mail->item_count > FRAME_MOST_ITEMS || descriptors > FRAME_MOST_DESCRIPTORS)
		return -1;
	put_head(out, FRAME_COMMIT, (uint16_t)descriptors, serial);
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
	put_number(out, mail->item_count, 4);
	for (size_t i = 0; i < mail->item_count; i++) {
		const struct item *item = &mail->items[i];

		put_number(out, item->recipients.count, 4);
		for (size_t k = 0; k < item->recipients.count; k++)
			put_text(out, item->recipients.items[k]);
		put_payload(out, &item->payload, fds_r, fd_count_r);
	}
	if (out->over || out->len - begin - FRAME_HEAD_SIZE > FRAME_MOST_BODY)
		return -1;
	close_frame(out, begin);
	return 0;
}

/*
 * A descriptor from a front: a sealed memfd of exactly that length that holds one JSON object.
 * Without the seals the front could change the bytes after they were checked.
 */
static bool
descriptor_is_sound(int fd, size_t len)
{
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	struct stat facts;
	char *bytes;
	bool sound;

	if ((fcntl(fd, F_GET_SEALS) & seals) != seals)
		return false;
	if (fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode) || (uint64_t)facts.st_size != len)
		return false;
	bytes = mmap(NULL, len, PROT_READ, MAP_SHARED, fd, 0);
	if (bytes == MAP_FAILED)
		return false;
	sound = json_is_one_object(bytes, len);
	munmap(bytes, len);
	return sound;
}

struct descriptors {
	const int *fds;
	size_t count;
	size_t used;
};

static const char *
take_payload(struct cursor *c, struct payload *payload, struct descriptors *descriptors)
{
	unsigned place = (unsigned)take_number(c, 1);
	size_t len = (size_t)take_number(c, 4);

	if (c->bad || len == 0 || len > FRAME_MOST_PAYLOAD)
		return "payload length";
	if (place == PAYLOAD_INLINE) {
		const char *at = take(c, len);

		if (at == NULL)
			return "payload cut short";
		if (!json_is_one_object(at, len))
			return "payload is not one JSON object";
		payload->data = mem_bytes(at, len);
	} else if (place == PAYLOAD_DESCRIPTOR) {
		if (descriptors->used == descriptors->count)
			return "payload without descriptor";
		payload->fd = descriptors->fds[descriptors->used++];
		if (!descriptor_is_sound(payload->fd, len))
			return "payload descriptor is not a sealed JSON object";
	} else {
		return "payload place";
	}
	payload->len = len;
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

static const char *
take_item(struct cursor *c, struct item *item, size_t *recipients, struct descriptors *descriptors)
{
	size_t count = (size_t)take_number(c, 4);

	*recipients += count;
	if (c->bad || count == 0 || *recipients > FRAME_MOST_RECIPIENTS)
		return "number of recipients";
	for (size_t i = 0; i < count; i++) {
		char *address = take_text(c);

		if (address == NULL)
			return "recipient";
		strlist_take(&item->recipients, address);
		if (!recipient_is_sound(address))
			return "recipient is not an address";
	}
	return take_payload(c, &item->payload, descriptors);
}

static const char *
take_mail(struct cursor *c, struct mail *mail, struct descriptors *descriptors)
{
	char *id = take_text(c);
	size_t count, recipients = 0;

	if (id == NULL || !ulid_ok(id)) {
		free(id);
		return "id";
	}
	memcpy(mail->id, id, ULID_SIZE);
	free(id);
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
	count = (size_t)take_number(c, 4);
	if (c->bad)
		return "a text is missing, too long or not clean UTF-8";
	if (mail->accepted_ms < 0)
		return "time";
	if (count == 0 || count > FRAME_MOST_ITEMS)
		return "number of items";

	mail->items = mem_array(count, sizeof(*mail->items));
	for (size_t i = 0; i < count; i++) {
		struct item *item = &mail->items[i];
		const char *wrong;

		item->number = (unsigned)i + 1;
		payload_init(&item->payload);
		mail->item_count = i + 1;
		wrong = take_item(c, item, &recipients, descriptors);
		if (wrong != NULL)
			return wrong;
	}
	if (c->left > 0)
		return "bytes after the last item";
	if (descriptors->used != descriptors->count)
		return "descriptors that no item uses";
	return NULL;
}

struct mail *
frame_commit_read(const char *body, size_t len, const int *fds, size_t fd_count, const char **why)
{
	struct cursor c = { .at = body, .left = len };
	struct descriptors descriptors = { .fds = fds, .count = fd_count };
	struct mail *mail = mail_new();

	*why = take_mail(&c, mail, &descriptors);
	if (*why == NULL)
		return mail;

	mail_free(&mail); /* closes the descriptors that it had got */
	for (size_t i = descriptors.used; i < fd_count; i++)
		close(fds[i]);
	return NULL;
}

/* --- COMMITTED ------------------------------------------------------------------------------ */

void
frame_committed_write(struct buf *out, uint64_t serial, const struct refusal *refusal)
{
	size_t begin = out->len;

	put_head(out, FRAME_COMMITTED, 0, serial);
	put_number(out, refusal != NULL ? (uint64_t)refusal->code : 0, 4);
	if (refusal != NULL) {
		put_text(out, refusal->enhanced);
		put_text(out, refusal->text);
	}
	close_frame(out, begin);
}

int
frame_committed_read(const char *body, size_t len, bool *stored_r, struct refusal *refusal_r)
{
	struct cursor c = { .at = body, .left = len };
	int code = (int)take_number(&c, 4);
	char *enhanced = NULL, *text = NULL;
	int result = -1;

	*stored_r = code == 0;
	if (*stored_r)
		return c.bad || c.left > 0 ? -1 : 0;
	enhanced = take_text(&c);
	text = take_text(&c);
	if (!c.bad && c.left == 0 && code >= 400 && code <= 599) {
		refusal_set(refusal_r, code, enhanced, "%s", text);
		result = 0;
	}
	free(enhanced);
	free(text);
	return result;
}
