#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "mail/mail.h"

#include "postmark/batch.h"
#include "postmark/client.h"

static void
piece_add(struct batch *batch, const char *data, int fd, size_t len)
{
	struct postmark_piece *piece = &batch->pieces[batch->piece_count++];

	piece->data = data;
	piece->fd = fd;
	piece->len = len;
	batch->bytes += len;
}

static void
payload_add(struct batch *batch, const struct payload *payload)
{
	if (payload->len > 0)
		piece_add(
		    batch, payload->data, payload->data == NULL ? payload->fd : -1, payload->len);
}

static void
message_add(struct batch *batch, const struct batch_message *message)
{
	payload_add(batch, message->payload);
	payload_add(batch, message->shared);
}

static const struct form {
	const char *alone, *many, *begin, *end;
} forms[] = {
	[ITEM_EMAIL] = { "/email", "/email/batch", "[", "]" },
	[ITEM_SMTP] = { NULL, NULL, "", "" },
	[ITEM_LOCAL] = { NULL, NULL, "", "" },
	[ITEM_TEMPLATE] = { "/email/withTemplate", "/email/batchWithTemplates", "{\"Messages\":[",
	    "]}" },
};

void
batch_build(
    struct batch *batch, enum item_kind kind, const struct batch_message *messages, size_t count)
{
	const struct form *form = &forms[kind];

	memset(batch, 0, sizeof(*batch));
	batch->kind = kind;
	batch->path = count == 1 ? form->alone : form->many;
	batch->pieces = mem_array(3 * count + 1, sizeof(*batch->pieces));
	if (count == 1) {
		message_add(batch, &messages[0]);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		const char *between = i == 0 ? form->begin : ",";

		piece_add(batch, between, -1, strlen(between));
		message_add(batch, &messages[i]);
	}
	piece_add(batch, form->end, -1, strlen(form->end));
}

void
batch_free(struct batch *batch)
{
	free(batch->pieces);
	memset(batch, 0, sizeof(*batch));
}
