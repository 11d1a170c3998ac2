#include <stdlib.h>

#include "base/mem.h"
#include "mail/envelope.h"

void
envelope_init(struct envelope *envelope)
{
	*envelope = (struct envelope){ .reverse_path = mem_string("") };
}

void
envelope_free(struct envelope *envelope)
{
	free(envelope->reverse_path);
	strlist_free(&envelope->recipients);
	*envelope = (struct envelope){ .reverse_path = NULL };
}
