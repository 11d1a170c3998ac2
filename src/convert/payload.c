/* Bytes of an item to its payload. */

#include "base/buf.h"
#include "mail/mail.h"
#include "mail/refusal.h"
#include "convert/payload.h"

void
payload_begin(struct buf *out, size_t most, size_t expected)
{
	if (expected >= PAYLOAD_LARGE)
		buf_init_shared(out, most, expected);
	else
		buf_init(out, most);
}

int
payload_settle(struct payload *payload, struct buf *out, struct refusal *refusal_r)
{
	bool moved = true;

	if (out->spilled == 0 && out->shared != (out->len >= PAYLOAD_LARGE)) {
		struct buf other;

		payload_begin(&other, out->most, out->len);
		buf_add(&other, out->data, out->len);
		moved = !other.over;
		buf_free(out);
		*out = other;
	}
	payload_init(payload);
	if (moved && !out->shared) {
		payload->data = buf_take(out, &payload->len);
		return 0;
	}
	if (moved)
		payload->fd = buf_take_fd(out, &payload->len);
	if (payload->fd >= 0)
		return 0;
	refusal_set(refusal_r, 451, "4.3.0", "no file descriptor left for this message");
	return -1;
}
