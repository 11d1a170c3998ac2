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

void
batch_build(struct batch *batch, const struct batch_message *messages, size_t count)
{
	memset(batch, 0, sizeof(*batch));
	batch->pieces = mem_array(3 * count + 1, sizeof(*batch->pieces));
	if (count == 1) {
		batch->path = "/email";
		message_add(batch, &messages[0]);
		return;
	}
	batch->path = "/email/batch";
	for (size_t i = 0; i < count; i++) {
		piece_add(batch, i == 0 ? "[" : ",", -1, 1);
		message_add(batch, &messages[i]);
	}
	piece_add(batch, "]", -1, 1);
}

void
batch_free(struct batch *batch)
{
	free(batch->pieces);
	memset(batch, 0, sizeof(*batch));
}
