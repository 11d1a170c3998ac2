/* Mails and items: nothing but their making and their end. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "mail/mail.h"

void
payload_init(struct payload *payload)
{
	*payload = (struct payload){ .fd = -1 };
}

void
payload_free(struct payload *payload)
{
	free(payload->data);
	if (payload->fd >= 0)
		close(payload->fd);
	payload_init(payload);
}

int
payload_read(const struct payload *payload, struct buf *out)
{
	size_t have = 0;
	char *room;

	if (payload->fd < 0) {
		buf_add(out, payload->data, payload->len);
		errno = EFBIG;
		return out->over ? -1 : 0;
	}
	room = buf_reserve(out, payload->len);
	errno = EFBIG;
	while (room != NULL && have < payload->len) {
		ssize_t got = pread(payload->fd, room + have, payload->len - have, (off_t)have);

		if (got < 0 && errno == EINTR)
			continue;
		if (got == 0)
			errno = EBADMSG; /* shorter than it says */
		if (got <= 0)
			return -1;
		have += (size_t)got;
	}
	if (room == NULL)
		return -1;
	buf_grown(out, have);
	return 0;
}

struct mail *
mail_new(void)
{
	struct mail *mail = mem_new(sizeof(*mail));

	payload_init(&mail->shared);
	return mail;
}

static void
mail_free_one(struct mail *m)
{
	for (size_t i = 0; i < m->item_count; i++) {
		strlist_free(&m->items[i].recipients);
		payload_free(&m->items[i].payload);
	}
	free(m->items);
	payload_free(&m->shared);
	free(m->reverse_path);
	free(m->route);
	free(m->listener);
	free(m->client);
	free(m->helo);
	free(m->message_id);
	free(m->from);
	free(m->subject);
	free(m->ledger);
	free(m->held_why);
	free(m);
}

void
mail_free(struct mail **mail)
{
	struct mail *next;

	for (struct mail *m = *mail; m != NULL; m = next) {
		next = m->next;
		mail_free_one(m);
	}
	*mail = NULL;
}

uint64_t
mail_payload_bytes(const struct mail *mail)
{
	uint64_t bytes = 0;

	for (const struct mail *m = mail; m != NULL; m = m->next) {
		bytes += m->shared.len;
		for (size_t i = 0; i < m->item_count; i++)
			bytes += m->items[i].payload.len;
	}
	return bytes;
}

void
item_id(char out[ITEM_ID_SIZE], const char *mail_id, unsigned number)
{
	/* A number of more than six digits would be cut; a mail has at most as many items as it
	 * has recipients, and a listener takes far fewer. */
	snprintf(out, ITEM_ID_SIZE, "%.*s-%u", ULID_LEN, mail_id, number % 1000000U);
}

int
item_id_read(const char *id, char mail_id_r[ULID_SIZE], unsigned *number_r)
{
	size_t len = strlen(id);
	uint64_t number = 0;

	if (len < ULID_LEN)
		return -1;
	for (size_t i = 0; i < ULID_LEN; i++)
		mail_id_r[i] = id[i] >= 'a' && id[i] <= 'z' ? (char)(id[i] - 'a' + 'A') : id[i];
	mail_id_r[ULID_LEN] = '\0';
	if (!ulid_ok(mail_id_r))
		return -1;
	if (len > ULID_LEN &&
	    (id[ULID_LEN] != '-' ||
		text_number(id + ULID_LEN + 1, len - ULID_LEN - 1, 1, 999999, &number) != 0))
		return -1;
	*number_r = (unsigned)number;
	return 0;
}

const char *
item_state_name(enum item_state state)
{
	switch (state) {
	case ITEM_SPOOLED:
		return "spooled";
	case ITEM_SENDING:
		return "sending";
	case ITEM_WAITING:
		return "waiting";
	case ITEM_HELD:
		return "held";
	case ITEM_UNSURE:
		return "unsure";
	case ITEM_SENT:
		return "sent";
	case ITEM_CAPTURED:
		return "captured";
	case ITEM_FAILED:
		return "failed";
	}
	return "unknown";
}
