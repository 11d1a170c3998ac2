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
	piece_add(batch, payload->data, payload->data == NULL ? payload->fd : -1, payload->len);
}

void
batch_build(struct batch *batch, const struct payload *const *payloads, size_t count)
{
	memset(batch, 0, sizeof(*batch));
	batch->pieces = mem_array(2 * count + 1, sizeof(*batch->pieces));
	if (count == 1) {
		batch->path = "/email";
		payload_add(batch, payloads[0]);
		return;
	}
	batch->path = "/email/batch";
	for (size_t i = 0; i < count; i++) {
		piece_add(batch, i == 0 ? "[" : ",", -1, 1);
		payload_add(batch, payloads[i]);
	}
	piece_add(batch, "]", -1, 1);
}

void
batch_free(struct batch *batch)
{
	free(batch->pieces);
	memset(batch, 0, sizeof(*batch));
}
